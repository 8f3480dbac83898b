//! Curves over epochs or steps, as SVG within the page.

use super::html::{count, number, text};
use std::fmt::Write;

/// The size of a chart, and its margins: left, top, right, bottom. A chart is as wide as its place on the page.
const SIZE: [f64; 2] = [480.0, 250.0];
const MARGINS: [f64; 4] = [58.0, 10.0, 14.0, 38.0];

/// How many kinds of lines the page's style has.
const STYLES: usize = 8;

/// Up to so many points of a line are dots too, which tell their numbers.
const DOTS: usize = 60;

/// Longer lines are thinned out: into so many parts of up to four points.
const PARTS: usize = 240;

/// One curve; what is not finite is a gap in it.
pub(super) struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// Curves with common axes.
pub(super) struct Chart {
    pub title: String,
    /// What is along the horizontal axis, in whole numbers: `epoch`.
    pub along: &'static str,
    pub lines: Vec<Line>,
}

/// An axis: what it goes from and to, and where on the page.
struct Axis {
    low: f64,
    high: f64,
    log: bool,
    start: f64,
    end: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64> + Clone, log: bool, (start, end): (f64, f64)) -> Axis {
        let values = values.map(|value| if log { value.log10() } else { value });
        let (low, high) =
            (values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max));
        let room = match high - low {
            0.0 if low == 0.0 || log => 1.0,
            0.0 => 0.05 * low.abs(),
            wide => 0.04 * wide,
        };
        Axis { low: low - room, high: high + room, log, start, end }
    }

    fn whole(low: f64, high: f64, (start, end): (f64, f64)) -> Axis {
        let room = if high > low { 0.01 * (high - low) } else { 0.5 };
        Axis { low: low - room, high: high + room, log: false, start, end }
    }

    fn at(&self, value: f64) -> f64 {
        let value = if self.log { value.log10() } else { value };
        // Halves do not overflow.
        let share = (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0);
        self.start + share * (self.end - self.start)
    }

    /// Round numbers along the axis with their texts, about so many.
    fn ticks(&self, about: usize, whole: bool) -> Vec<(f64, String)> {
        let range = self.high - self.low;
        if self.log && range > 1.5 {
            let step = (range / about as f64).ceil().max(1.0) as i32;
            let (first, last) = (self.low.ceil() as i32, self.high.floor() as i32);
            let powers = (first..=last).filter(|power| power.rem_euclid(step) == 0);
            let label = |power: i32| match power {
                -3..=5 => number(10f64.powi(power)),
                _ => format!("1e{power}").replace('-', "−"),
            };
            return powers.map(|power| (10f64.powi(power), label(power))).collect();
        }
        let (low, high) =
            if self.log { (10f64.powf(self.low), 10f64.powf(self.high)) } else { (self.low, self.high) };
        let rough = (high / 2.0 - low / 2.0) / about as f64 * 2.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].iter().map(|factor| factor * power).find(|step| *step >= rough);
        let step = step.unwrap_or(power).max(if whole { 1.0 } else { 0.0 });
        if !(step > 0.0 && step.is_finite()) {
            return Vec::new();
        }
        let (first, last) = ((low / step).ceil(), (high / step).floor());
        let multiples = (0..=(last - first).min(50.0) as usize).map(|i| (first + i as f64) * step);
        multiples.map(|value| (value, tick(value, step))).collect()
    }
}

/// A multiple of a step with the digits that tell it from its neighbours.
fn tick(value: f64, step: f64) -> String {
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let text = match value.abs() {
        0.0 => "0".into(),
        size if size >= 1e6 || decimals > 4 => {
            let digits = (size.log10().floor() - step.log10().floor()).max(0.0) as usize;
            format!("{value:.digits$e}")
        }
        _ => format!("{value:.decimals$}"),
    };
    text.replace('-', "−")
}

impl Chart {
    /// The chart with its title and legend, and a sentence for each line that is not finite somewhere.
    pub(super) fn html(&self) -> String {
        let finite =
            || self.lines.iter().flat_map(|line| &line.points).map(|p| p.1).filter(|y| y.is_finite());
        let mut out = String::from("<figure class=\"chart\"><figcaption>");
        let log = is_log(finite().collect());
        let _ = write!(out, "<b>{}</b>", text(&self.title));
        if log {
            out.push_str(" <span class=\"dim\">(logarithmic)</span>");
        }
        if self.lines.len() > 1 || self.lines.iter().any(|line| line.name != self.title) {
            out.push_str("<span class=\"legend\">");
            for (style, line) in self.lines.iter().enumerate() {
                let _ = write!(
                    out,
                    "<span><svg width=\"26\" height=\"10\" aria-hidden=\"true\"><path class=\"line l{}\" d=\"M0 5H26\"/></svg> {}</span>",
                    style % STYLES,
                    text(&line.name)
                );
            }
            out.push_str("</span>");
        }
        out.push_str("</figcaption>\n");
        match finite().next() {
            Some(_) => self.draw(log, &mut out),
            None => out.push_str("<p class=\"empty\">no finite number</p>\n"),
        }
        for line in &self.lines {
            let lost: Vec<f64> = line.points.iter().filter(|p| !p.1.is_finite()).map(|p| p.0).collect();
            if !lost.is_empty() {
                let _ = writeln!(
                    out,
                    "<p class=\"bad\">✗ {} is not finite in {}: {} {}</p>",
                    text(&line.name),
                    count(lost.len(), self.along),
                    self.along,
                    ranges(&lost)
                );
            }
        }
        out.push_str("</figure>\n");
        out
    }

    fn draw(&self, log: bool, out: &mut String) {
        let ([width, height], [left, top, right, bottom]) = (SIZE, MARGINS);
        let across = self.lines.iter().flat_map(|line| &line.points).map(|p| p.0);
        let (first, last) = (across.clone().fold(f64::INFINITY, f64::min), across.fold(0.0, f64::max));
        let x = Axis::whole(first, last, (left, width - right));
        let values = self.lines.iter().flat_map(|line| &line.points).map(|p| p.1).filter(|y| y.is_finite());
        let y = Axis::over(values, log, (height - bottom, top));
        let names: Vec<&str> = self.lines.iter().map(|line| &line.name[..]).collect();
        let _ = writeln!(
            out,
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{} by {}, {} {first} to {last}\">",
            text(names.join(", ")),
            self.along,
            self.along
        );
        for (value, label) in y.ticks(6, false) {
            let at = y.at(value);
            let _ = writeln!(
                out,
                "<path class=\"grid\" d=\"M{left} {at:.1}H{}\"/><text x=\"{}\" y=\"{:.1}\" class=\"y\">{label}</text>",
                width - right,
                left - 7.0,
                at + 4.0
            );
        }
        for (value, label) in x.ticks(7, true).into_iter().filter(|(value, _)| *value >= first) {
            let at = x.at(value);
            let _ = writeln!(
                out,
                "<path class=\"grid\" d=\"M{at:.1} {}v4\"/><text x=\"{at:.1}\" y=\"{}\" class=\"x\">{label}</text>",
                height - bottom,
                height - bottom + 17.0
            );
        }
        let _ = writeln!(
            out,
            "<path class=\"axis\" d=\"M{left} {top}V{0}H{1}\"/><text x=\"{2}\" y=\"{3}\" class=\"x dim\">{4}</text>",
            height - bottom,
            width - right,
            (left + width - right) / 2.0,
            height - 5.0,
            self.along
        );
        for (style, line) in self.lines.iter().enumerate() {
            line.draw(style % STYLES, (&x, &y), self.along, out);
        }
        out.push_str("</svg>\n");
    }
}

impl Line {
    fn draw(&self, style: usize, (x, y): (&Axis, &Axis), along: &str, out: &mut String) {
        let thin = thinned(&self.points);
        let (mut path, mut dots, mut lost) = (String::new(), String::new(), String::new());
        let gap = |i: Option<usize>| i.and_then(|i| thin.get(i)).is_none_or(|p| !p.1.is_finite());
        let mut crossed = f64::NEG_INFINITY;
        for (i, &(at, value)) in thin.iter().enumerate() {
            let px = x.at(at);
            if !value.is_finite() {
                // What lies on one pixel is one cross.
                if px - crossed >= 3.0 {
                    let _ = write!(lost, "M{:.1} {:.1}l6 6m0 -6l-6 6", px - 3.0, y.start - 9.0);
                    crossed = px;
                }
                continue;
            }
            let py = y.at(value);
            let begins = gap(i.checked_sub(1));
            let _ = write!(path, "{}{px:.1} {py:.1}", if begins { 'M' } else { 'L' });
            if self.points.len() <= DOTS || begins && gap(Some(i + 1)) {
                let _ = write!(
                    dots,
                    "<circle class=\"dot l{style}\" cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"2.6\"><title>{}, {along} {at}: {}</title></circle>",
                    text(&self.name),
                    number(value)
                );
            }
        }
        let _ = writeln!(out, "<path class=\"line l{style}\" d=\"{path}\"/>{dots}");
        if !lost.is_empty() {
            let _ = writeln!(out, "<path class=\"lost\" d=\"{lost}\"/>");
        }
    }
}

/// Whether most of the values would lie on the floor of a chart otherwise.
fn is_log(mut values: Vec<f64>) -> bool {
    values.sort_by(f64::total_cmp);
    let (Some(&least), Some(&greatest)) = (values.first(), values.last()) else { return false };
    least > 0.0 && values[values.len() / 2] < 0.1 * greatest && greatest / least > 30.0
}

/// The first, the least, the greatest and the last of each part, so that no peak is lost; all, where there are few. What is not
/// finite stays as a gap, once in each part.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let size = points.len().div_ceil(PARTS);
    if size <= 4 {
        return points.to_vec();
    }
    let mut kept = Vec::new();
    for part in points.chunks(size) {
        let finite = || (0..part.len()).filter(|&i| part[i].1.is_finite());
        let mut chosen = vec![0, part.len() - 1];
        chosen.extend(finite().min_by(|&i, &j| part[i].1.total_cmp(&part[j].1)));
        chosen.extend(finite().max_by(|&i, &j| part[i].1.total_cmp(&part[j].1)));
        chosen.extend((0..part.len()).find(|&i| !part[i].1.is_finite()));
        chosen.sort_unstable();
        chosen.dedup();
        kept.extend(chosen.into_iter().map(|i| part[i]));
    }
    kept
}

/// Whole numbers in a row as `3, 5 to 9`, with points at the end where there are many.
fn ranges(numbers: &[f64]) -> String {
    const MOST: usize = 6;
    let mut rows: Vec<(f64, f64)> = Vec::new();
    for &n in numbers {
        match rows.last_mut() {
            Some((_, last)) if *last + 1.0 == n => *last = n,
            _ => rows.push((n, n)),
        }
    }
    let one = |&(first, last): &(f64, f64)| {
        if first == last { first.to_string() } else { format!("{first} to {last}") }
    };
    let shown: Vec<String> = rows.iter().take(MOST).map(one).collect();
    shown.join(", ") + if rows.len() > MOST { ", …" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(values: &[f64]) -> Line {
        Line { name: "loss".into(), points: (1..).map(f64::from).zip(values.iter().copied()).collect() }
    }

    #[test]
    fn thinning_keeps_peaks_gaps_and_ends() {
        let mut values: Vec<f64> = (0..10_000).map(|i| f64::from(i).sin()).collect();
        (values[1234], values[5678], values[7000]) = (50.0, -50.0, f64::NAN);
        let points = line(&values).points;
        let thin = thinned(&points);
        assert!(thin.len() <= 5 * PARTS);
        assert!(thin.is_sorted_by(|a, b| a.0 < b.0) && thin.iter().all(|p| p.0 >= 1.0));
        for kept in [0, 1234, 5678, 7000, 9999] {
            assert!(thin.iter().any(|p| p.0 == points[kept].0), "{kept}");
        }
        assert_eq!(thinned(&points[..900]).len(), 900);
    }

    #[test]
    fn axes_have_few_round_numbers() {
        let ticks = |values: &[f64], log| {
            let axis = Axis::over(values.iter().copied(), log, (0.0, 100.0));
            axis.ticks(6, false).into_iter().map(|(_, text)| text).collect::<Vec<_>>()
        };
        assert_eq!(
            ticks(&[0.0, 1.0], false),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"].map(|t| t.replace("0.0", "0"))
        );
        assert_eq!(ticks(&[1e-3, 10.0], true), ["0.001", "0.01", "0.1", "1", "10"]);
        assert_eq!(ticks(&[0.99, 0.991], false).len(), 6);
        for values in [&[5.0][..], &[0.0], &[-1e308, 1e308], &[1e-300, 1e300], &[1e-320], &[1e9, 1e9 + 1.0]] {
            for log in [false, true] {
                if !log || values[0] > 0.0 {
                    let found = ticks(values, log);
                    assert!(
                        found.len() <= 52 && found.iter().all(|t| !t.contains("NaN")),
                        "{values:?} {found:?}"
                    );
                }
            }
        }
        let whole = Axis::whole(1.0, 3.0, (0.0, 1.0)).ticks(7, true);
        assert_eq!(whole.into_iter().map(|(_, text)| text).collect::<Vec<_>>(), ["1", "2", "3"]);
    }

    #[test]
    fn what_is_not_finite_is_said() {
        let chart =
            |values: &[f64]| Chart { title: "loss".into(), along: "epoch", lines: vec![line(values)] }.html();
        let page = chart(&[1.0, f64::NAN, f64::INFINITY, 0.5, f64::NAN]);
        assert!(page.contains("loss is not finite in 3 epochs: epoch 2 to 3, 5"), "{page}");
        assert!(page.contains("class=\"lost\"") && !page.contains("NaN"), "{page}");
        assert!(chart(&[f64::NAN]).contains("no finite number"));
        assert!(!chart(&[1.0]).contains("✗") && chart(&[1.0]).contains("<circle"));
    }
}
