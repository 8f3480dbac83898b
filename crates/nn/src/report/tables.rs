//! What else is known of a run, as tables: the summary of a model, a profile, a gradient check.

use super::html::{Cell, count, folded, grouped, number, table, text};
use crate::summary::Summary;
use gradus_autograd::{
    check::Report,
    inspect::{Profile, ProfileRow},
};
use std::fmt::Write;

pub(super) fn summary(summary: &Summary) -> String {
    let rows: Vec<Vec<Cell>> = summary
        .rows
        .iter()
        .map(|row| {
            vec![
                Cell::Code(row.layer.clone().unwrap_or_default()),
                Cell::Text(row.ops.join(" ")),
                // Shapes and sizes stay on their lines.
                Cell::Text(row.output.to_string().replace(' ', "\u{a0}")),
                Cell::Number(if row.params == 0 { String::new() } else { grouped(row.params) }),
                Cell::Number(grouped(row.flops as usize)),
                Cell::Text(row.sees().replace(' ', "\u{a0}")),
            ]
        })
        .collect();
    let mut facts = vec![count(summary.trained + summary.frozen, "parameter")];
    if summary.frozen > 0 {
        facts.push(format!("{} of them frozen", grouped(summary.frozen)));
    }
    if summary.buffers > 0 {
        facts.push(format!("{} in buffers", count(summary.buffers, "element")));
    }
    facts.push(format!("{} floating-point operations forward", grouped(summary.flops() as usize)));
    let mut out = format!("<p>{}.</p>\n", facts.join(", "));
    if !summary.unused.is_empty() {
        let _ = writeln!(out, "<p class=\"bad\">✗ not used: {}</p>", text(summary.unused.join(", ")));
    }
    out + &table("The model", &["layer", "operation", "output", "parameters", "flops", "sees"], &rows)
}

pub(super) fn profile(profile: &Profile) -> String {
    if profile.steps.is_empty() {
        return "<p class=\"empty\">no operation was recorded</p>\n".into();
    }
    let row = |row: &ProfileRow| {
        let micros = |time: std::time::Duration| Cell::Number(format!("{:.1} µs", time.as_secs_f64() * 1e6));
        vec![
            Cell::Code(row.key.clone()),
            Cell::Number(grouped(row.runs)),
            micros(row.forward),
            Cell::Number(if row.flops == 0 { String::new() } else { format!("{:.1}", row.gflops()) }),
            micros(row.backward),
            Cell::Share(row.share),
        ]
    };
    let all = |title: &str, rows: &[ProfileRow]| {
        let rows: Vec<Vec<Cell>> = rows.iter().map(row).collect();
        table(&format!("Time by {title}"), &[title, "runs", "forward", "Gflop/s", "backward", "share"], &rows)
    };
    let steps = profile.steps.iter();
    let total: f64 = steps.map(|step| (step.forward + step.backward).as_secs_f64()).sum();
    format!(
        "<p>{} µs, forward and backward, of {}.</p>\n{}{}",
        number(total * 1e6),
        count(profile.steps.len(), "operation"),
        all("operation", &profile.by_operation()),
        all("line", &profile.by_line())
    )
}

pub(super) fn gradcheck(report: &Report) -> String {
    let passed = report.rows.len() - report.failures().count();
    let (class, sign) = if report.passed() { ("good", '✓') } else { ("bad", '✗') };
    let mut out = format!("<p class=\"{class}\">{sign} {passed} of {} pass.</p>\n", report.rows.len());
    for sentence in &report.broken {
        let _ = writeln!(out, "<p class=\"bad\">✗ {}</p>", text(sentence));
    }
    let rows: Vec<Vec<Cell>> = report
        .rows
        .iter()
        .map(|row| {
            vec![
                Cell::Code(row.name.clone()),
                Cell::Number(row.order.to_string()),
                Cell::Text(format!("{:?}", row.shape)),
                Cell::Number(number(f64::from(row.tape))),
                Cell::Number(number(row.judgement.estimate.value)),
                Cell::Number(number(row.error)),
                Cell::Verdict(row.verdict.is_fine(), row.verdict.to_string()),
            ]
        })
        .collect();
    let header = ["gradient by", "order", "shape", "on the tape", "by differences", "error", "verdict"];
    out += &table("Gradient check", &header, &rows);
    let whole = format!("<pre>{}</pre>\n", text(report));
    out + &folded("The whole report", &whole)
        + &folded("As JSON", &format!("<pre>{}</pre>\n", text(report.to_json())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchNorm1d, Linear, Sequential};
    use gradus_autograd::{check::gradcheck as check, prelude::*};

    #[test]
    fn a_summary_has_the_numbers_of_its_text() {
        let mut net =
            Sequential::new().push(Linear::new(30, 50, &mut Rng::seed(0))).push(BatchNorm1d::new(50));
        crate::Module::visit_mut(&mut net, "", &mut |name, param| param.set_frozen(name == "0.bias"));
        let page = summary(&Summary::new(&net, [1, 30]));
        assert!(page.contains("1,650 parameters, 50 of them frozen, 101 elements in buffers, "), "{page}");
        assert!(
            page.contains(
                "<code>0</code></td><td>linear</td><td>[1,\u{a0}50]</td><td class=\"n\">1,550</td>"
            ),
            "{page}"
        );
    }

    #[test]
    fn a_failed_check_is_seen() {
        let x = [Tensor::from([0.5, -0.25])];
        let right = gradcheck(&check(|x| x[0].square().sum(), &x));
        assert!(
            right.contains("✓ 1 of 1 pass") && right.contains("<td class=\"good\">✓ pass</td>"),
            "{right}"
        );
        assert!(right.contains("&quot;verdict&quot;: &quot;pass&quot;"), "{right}");
        let wrong = gradcheck(&check(|x| (x[0].detach() * 2.0).sum(), &x));
        assert!(
            wrong.contains("✗ 0 of 1 pass") && wrong.contains("<td class=\"bad\">✗ NO GRADIENT</td>"),
            "{wrong}"
        );
    }

    #[test]
    fn shares_of_a_profile_have_bars() {
        let tape = Tape::new();
        let page = profile(&tape.var(Tensor::ones([8, 8])).tanh().sum().profile(1));
        assert!(page.contains("<code>tanh</code>") && page.matches("class=\"n bar\"").count() == 3, "{page}");
        assert!(profile(&Tape::new().var(1.0).profile(1)).contains("no operation"));
    }
}
