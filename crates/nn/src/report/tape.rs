//! What a tape recorded, as a table with the flow of values drawn beside it.

use super::html::{count, scrolled, text};
use gradus_autograd::inspect::{Graph, GraphValue};
use gradus_tensor::Shape;
use std::{collections::BTreeMap, fmt::Write};

/// At most so many operations are shown.
const MOST: usize = 1000;

/// The height of a row and the width of a lane, in pixels.
const ROW: usize = 28;
const LANE: usize = 14;

/// Values that are on their way to later rows, each in a lane of its own, as a row of the table sees them.
struct Crossing {
    /// The lanes that go on past this row from above.
    past: Vec<usize>,
    /// The lanes of what this row reads.
    read: Vec<usize>,
    own: usize,
    /// Whether a later row reads it.
    leads_on: bool,
}

pub(super) fn html(graph: &Graph<'_>) -> String {
    let values = graph.values();
    let by_position: BTreeMap<usize, &GraphValue> =
        values.iter().map(|value| (value.position, value)).collect();
    // Parameters and single numbers are named where they are read.
    let is_row = |value: &GraphValue| {
        let is_number = value.shape.as_ref().is_some_and(|shape| shape.numel() == 1);
        !value.inputs.is_empty() || value.source != "param" && !(is_number && value.name.is_none())
    };
    let all: Vec<&GraphValue> = values.iter().filter(|value| is_row(value)).collect();
    let rows = &all[..all.len().min(MOST)];
    if rows.is_empty() {
        return "<p class=\"empty\">nothing was recorded</p>\n".into();
    }
    let crossings = crossings(rows);
    let lanes = crossings
        .iter()
        .flat_map(|c| c.past.iter().chain(&c.read).chain([&c.own]))
        .max()
        .map_or(1, |m| m + 1);
    let timed = rows.iter().any(|value| value.times.is_some());
    let mut out = String::new();
    if all.len() > MOST {
        let _ = writeln!(out, "<p>The first {MOST} of {}.</p>", count(all.len(), "value"));
    }
    out += &scrolled("What was recorded");
    let times = if timed {
        "<th scope=\"col\" class=\"n\">forward</th><th scope=\"col\" class=\"n\">backward</th>"
    } else {
        ""
    };
    let _ = write!(
        out,
        "<table class=\"tape\"><thead><tr><td></td><th scope=\"col\">value</th><th scope=\"col\">reads</th><th scope=\"col\">shape</th>\
         <th scope=\"col\" class=\"n\">bytes</th><th scope=\"col\" class=\"n\">saved</th>{times}<th scope=\"col\">line</th></tr></thead><tbody>"
    );
    for (value, crossing) in rows.iter().zip(&crossings) {
        let kind = if value.inputs.is_empty() { "leaf" } else { "op" };
        let name = value.name.as_ref().map_or(String::new(), |name| format!("<b>{}</b> = ", text(name)));
        let reads: Vec<String> = value
            .inputs
            .iter()
            .filter_map(|input| by_position.get(input))
            .map(|input| match &input.name {
                Some(name) => text(name),
                None if is_row(input) => format!("%{}", input.position),
                None => text(&input.source),
            })
            .collect();
        let bytes = |n: usize| if n == 0 { String::new() } else { super::html::grouped(n) };
        let micros = value.times.filter(|_| !value.inputs.is_empty()).map(|(forward, backward)| {
            [forward, backward]
                .map(|time| format!("<td class=\"n\">{:.1} µs</td>", time.as_secs_f64() * 1e6))
                .concat()
        });
        let micros =
            micros.unwrap_or_else(|| if timed { "<td></td><td></td>".into() } else { String::new() });
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td><span class=\"dim\">%{}</span> {name}{}</td><td>{}</td><td>{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td>{micros}<td class=\"dim\">{}:{}</td></tr>",
            crossing.svg(lanes, kind),
            value.position,
            operation(&value.source, kind),
            reads.join(", "),
            text(value.shape.as_ref().map_or("dropped".into(), Shape::to_string)),
            bytes(value.bytes),
            bytes(value.saved),
            text(value.location.file()),
            value.location.line()
        );
    }
    out + "</tbody></table></div>\n"
}

/// The name of an operation, and its attributes, which may be long.
fn operation(source: &str, kind: &str) -> String {
    let end = source.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(source.len());
    let (name, attributes) = source.split_at(end);
    let attributes = match attributes {
        "" => String::new(),
        _ => format!(" <code title=\"{0}\">{0}</code>", text(attributes.trim())),
    };
    format!("<code class=\"{kind}\">{}</code>{attributes}", text(name))
}

/// The lanes of all rows: each value takes the leftmost that is free, and keeps it up to the last row that reads it.
fn crossings(rows: &[&GraphValue]) -> Vec<Crossing> {
    let row_of: BTreeMap<usize, usize> =
        rows.iter().enumerate().map(|(row, value)| (value.position, row)).collect();
    let mut last_use = vec![0; rows.len()];
    for (row, value) in rows.iter().enumerate() {
        value.inputs.iter().filter_map(|input| row_of.get(input)).for_each(|&input| last_use[input] = row);
    }
    let mut lanes: Vec<Option<usize>> = Vec::new();
    let crossing = |(row, value): (usize, &&GraphValue)| {
        let inputs: Vec<usize> = value.inputs.iter().filter_map(|input| row_of.get(input).copied()).collect();
        let of = |wanted: &dyn Fn(usize) -> bool, lanes: &[Option<usize>]| {
            (0..lanes.len()).filter(|&lane| lanes[lane].is_some_and(wanted)).collect::<Vec<usize>>()
        };
        let read = of(&|value| inputs.contains(&value), &lanes);
        lanes.iter_mut().for_each(|lane| *lane = lane.filter(|&value| last_use[value] > row));
        let past = of(&|_| true, &lanes);
        let free = lanes.iter().position(Option::is_none).unwrap_or(lanes.len());
        // A value goes on in the lane of what it was made of, if that ends here.
        let own = read.iter().copied().find(|lane| !past.contains(lane)).unwrap_or(free);
        let leads_on = last_use[row] > row;
        if own == lanes.len() {
            lanes.push(None);
        }
        lanes[own] = Some(row).filter(|_| leads_on);
        Crossing { past, read, own, leads_on }
    };
    rows.iter().enumerate().map(crossing).collect()
}

impl Crossing {
    fn svg(&self, lanes: usize, kind: &str) -> String {
        let (width, middle) = (lanes * LANE, ROW / 2);
        let x = |lane: usize| lane * LANE + LANE / 2;
        let own = x(self.own);
        let mut path = String::new();
        self.past.iter().for_each(|&lane| {
            let _ = write!(path, "M{} 0V{ROW}", x(lane));
        });
        for &lane in &self.read {
            let from = x(lane);
            let _ = match from == own {
                true => write!(path, "M{own} 0V{middle}"),
                false => write!(path, "M{from} 0C{from} {middle} {own} 0 {own} {middle}"),
            };
        }
        if self.leads_on {
            let _ = write!(path, "M{own} {middle}V{ROW}");
        }
        format!(
            "<svg width=\"{width}\" height=\"{ROW}\" aria-hidden=\"true\"><path class=\"flow\" d=\"{path}\"/><circle class=\"{kind}\" cx=\"{own}\" cy=\"{middle}\" r=\"4\"/></svg>"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_autograd::prelude::*;

    #[test]
    fn a_residual_connection_goes_past_what_it_skips() {
        let tape = Tape::new();
        let x = tape.var(Tensor::ones([2, 2]));
        let y = x + x.tanh().exp();
        let graph = y.graph();
        let values = graph.values();
        let rows: Vec<&GraphValue> = values.iter().collect();
        let found = crossings(&rows);
        let lanes: Vec<_> =
            found.iter().map(|c| (c.past.clone(), c.read.clone(), c.own, c.leads_on)).collect();
        let expected = [
            (vec![], vec![], 0, true),      // x
            (vec![0], vec![0], 1, true),    // tanh, beside x
            (vec![0], vec![1], 1, true),    // exp, in the lane of tanh
            (vec![], vec![0, 1], 0, false), // the sum
        ];
        assert_eq!(lanes, expected);
    }

    #[test]
    fn parameters_are_named_where_they_are_read() {
        let (tape, w) = (Tape::new(), Param::new(Tensor::ones([3, 3])));
        let x = tape.constant(Tensor::ones([4, 3]));
        let y = x.matmul(&tape.param(&w)).relu().sum();
        let profile = y.profile(1);
        let page = html(&y.graph().params(&[("a<b".into(), &w)]).name(x, "\"x\"").times(&profile));
        assert!(page.contains("<td>&quot;x&quot;, a&lt;b</td><td>[4, 3]</td>"), "{page}");
        assert_eq!(page.matches("<tr><td><svg").count(), 4, "the parameter has no row");
        assert_eq!(page.matches(" µs</td>").count(), 6);
        assert!(page.contains("tape.rs:"), "{page}");
    }

    #[test]
    fn long_tapes_are_cut() {
        let tape = Tape::new();
        let y = (0..1500).fold(tape.var(Tensor::ones([2])), |y, _| y.tanh());
        let page = html(&y.graph());
        assert!(page.contains("The first 1000 of 1,501 values") && page.len() < 1 << 20, "{}", page.len());
        assert!(html(&Tape::new().graph()).contains("nothing was recorded"));
    }
}
