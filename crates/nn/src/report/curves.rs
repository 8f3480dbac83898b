//! The curves of a run: one chart for each quantity, and its numbers.

use super::{
    chart::{Chart, Line},
    html::{Cell, count, folded, number, table, text},
};
use crate::train::{History, diagnose_loss};

/// Words in front of a metric's name that tell on which examples it was computed.
const PARTS: [&str; 6] = ["training", "train", "validation", "valid", "val", "test"];

/// The epochs of a table are at most so many.
const ROWS: usize = 50;

/// The charts and tables of all metrics.
pub(super) fn html(history: &History) -> String {
    let epochs = history.records().len();
    if epochs == 0 {
        return "<p class=\"empty\">no epoch yet</p>\n".into();
    }
    let mut charts: Vec<Chart> = Vec::new();
    for name in history.names() {
        let points = (1..=epochs).map(|epoch| epoch as f64).zip(history.column(name)).collect();
        let (line, title) = (Line { name: name.into(), points }, quantity(name));
        match charts.iter_mut().find(|chart| chart.title == title) {
            Some(chart) => chart.lines.push(line),
            None => charts.push(Chart { title: title.into(), along: "epoch", lines: vec![line] }),
        }
    }
    let charts: String = charts.iter().map(Chart::html).collect();
    let advice = advice(history).map(|sentence| format!("<p>{}</p>\n", text(sentence))).unwrap_or_default();
    format!("<div class=\"grid\">{charts}</div>\n{advice}{}{}", extremes(history), epoch_table(history))
}

/// `loss` of `val_loss` and of `train/loss`.
fn quantity(name: &str) -> &str {
    let rest = PARTS.iter().find_map(|part| name.strip_prefix(part)?.strip_prefix(['_', '/', '-', '.']));
    rest.filter(|rest| !rest.is_empty()).unwrap_or(name)
}

/// What the two losses say together.
fn advice(history: &History) -> Option<String> {
    let validation = ["val_loss", "valid_loss", "validation_loss", "test_loss"];
    let names = history.names();
    let validation = validation.into_iter().find(|name| names.contains(name))?;
    let train = ["loss", "train_loss"].into_iter().find(|name| names.contains(name))?;
    let (of_train, of_validation) = (history.column(train), history.column(validation));
    // Of what is lost it is said above.
    let is_whole = |curve: &[f64]| curve[curve.len() / 2..].iter().all(|loss| loss.is_finite());
    if history.records().len() < 4 || !is_whole(&of_train) || !is_whole(&of_validation) {
        return None;
    }
    let diagnosis = diagnose_loss(&of_train, &of_validation);
    Some(format!("The last half of {train} and {validation} says: {}.", diagnosis.advice()))
}

/// Where each metric began, was least and greatest, and ended.
fn extremes(history: &History) -> String {
    let row = |name: &str| {
        let column = history.column(name);
        let finite = || (1..).zip(&column).filter(|(_, value)| value.is_finite());
        let at = |found: Option<(usize, &f64)>| {
            Cell::Number(found.map_or("–".into(), |(epoch, value)| format!("{} ({epoch})", number(*value))))
        };
        let end = |value: Option<&f64>| Cell::Number(number(*value.unwrap_or(&f64::NAN)));
        vec![
            Cell::Code(name.into()),
            end(column.first()),
            at(finite().min_by(|a, b| a.1.total_cmp(b.1))),
            at(finite().max_by(|a, b| a.1.total_cmp(b.1))),
            end(column.last()),
        ]
    };
    let rows: Vec<Vec<Cell>> = history.names().into_iter().map(row).collect();
    table("Metrics", &["metric", "first", "least (epoch)", "greatest (epoch)", "last"], &rows)
}

/// The numbers of the charts, of every epoch or of evenly chosen ones.
fn epoch_table(history: &History) -> String {
    let (records, names) = (history.records(), history.names());
    let every = records.len().div_ceil(ROWS);
    let hashed = records.iter().any(|record| record.hash().is_some());
    let mut header = vec!["epoch"];
    header.extend(&names);
    header.extend(hashed.then_some("hash"));
    let shown = (0..records.len()).filter(|i| i % every == 0 || i + 1 == records.len());
    let row = |i: usize| {
        let value = |name: &&str| Cell::Number(records[i].get(name).map_or(String::new(), number));
        let mut row = vec![Cell::Number((i + 1).to_string())];
        row.extend(names.iter().map(value));
        row.extend(
            hashed
                .then(|| Cell::Code(records[i].hash().map_or(String::new(), |hash| format!("{hash:016x}")))),
        );
        row
    };
    let rows: Vec<Vec<Cell>> = shown.map(row).collect();
    let title = match every {
        1 => count(records.len(), "epoch"),
        _ => format!("{}, every {every}th", count(records.len(), "epoch")),
    };
    folded(&title, &table(&title, &header, &rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Record;

    /// A metric and its value by epoch.
    type Metric<'a> = (&'a str, fn(f64) -> f64);

    fn history(epochs: usize, metrics: &[Metric<'_>]) -> History {
        let mut history = History::default();
        for epoch in 1..=epochs {
            let mut record = Record::default();
            metrics.iter().for_each(|(name, f)| record.put(name, f(epoch as f64)));
            history.push(record);
        }
        history
    }

    #[test]
    fn metrics_of_one_quantity_share_a_chart() {
        for (name, expected) in [
            ("val_loss", "loss"),
            ("train/acc", "acc"),
            ("training", "training"),
            ("val_", "val_"),
            ("lr", "lr"),
            ("test-f1", "f1"),
        ] {
            assert_eq!(quantity(name), expected);
        }
        let page = html(&history(3, &[("loss", |e| 1.0 / e), ("lr", |_| 0.1), ("val_loss", |e| 2.0 / e)]));
        assert_eq!(page.matches("<figure class=\"chart\">").count(), 2);
        assert!(page.contains("aria-label=\"loss, val_loss by epoch, epoch 1 to 3\""), "{page}");
        assert!(!page.contains("says:"), "three epochs say nothing");
    }

    #[test]
    fn the_shape_of_a_run_is_read_off() {
        let over =
            html(&history(20, &[("loss", |e| 1.0 / e), ("val_loss", |e| 1.0 + 0.01 * (e - 6.0).powi(2))]));
        assert!(over.contains("stop early"), "{over}");
        assert!(over.contains("<td class=\"n\">1 (6)</td>") && over.contains("2.96 (20)"), "{over}");
        assert!(html(&History::default()).contains("no epoch yet"));
    }

    #[test]
    fn long_runs_have_short_tables() {
        let page = html(&history(1000, &[("loss", |e| 1.0 / e)]));
        assert!(page.contains("1,000 epochs, every 20th") && page.matches("<tr>").count() < 60);
        assert!(page.contains("<td class=\"n\">1000</td>"), "the last epoch is there");
        assert!(page.len() < 60_000, "{}", page.len());
    }

    #[test]
    fn missing_and_infinite_metrics_are_said() {
        let page = html(&history(5, &[("loss", |e| if e > 3.0 { f64::NAN } else { e })]));
        assert!(page.contains("loss is not finite in 2 epochs: epoch 4 to 5"), "{page}");
        let lost =
            html(&history(9, &[("loss", |e| if e == 7.0 { f64::NAN } else { e }), ("val_loss", |e| e)]));
        assert!(!lost.contains("says:"), "{lost}");
        assert!(page.contains("<td class=\"n\">NaN</td>"), "{page}");
    }
}
