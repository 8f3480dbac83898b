//! Predicted numbers against the right ones.

use super::html::{Cell, count, number, table, text};
use gradus_tensor::Tensor;
use std::fmt::Write;

/// At most so many points are drawn.
const MOST: usize = 2000;

/// The size of the picture, and its margins: left and below, above and right.
const SIZE: f64 = 440.0;
const BEFORE: f64 = 56.0;
const AFTER: f64 = 14.0;

/// Each prediction over its target, and how far they are off.
#[track_caller]
pub(super) fn html(predictions: &Tensor, targets: &Tensor) -> String {
    assert!(
        predictions.shape() == targets.shape(),
        "report: predictions {} for targets {}; they must have one shape",
        predictions.shape(),
        targets.shape()
    );
    let all: Vec<(f64, f64)> = targets.iter().map(f64::from).zip(predictions.iter().map(f64::from)).collect();
    let finite: Vec<(f64, f64)> =
        all.iter().copied().filter(|p| p.0.is_finite() && p.1.is_finite()).collect();
    let mut out = String::new();
    if finite.len() < all.len() {
        let lost = count(all.len() - finite.len(), "prediction");
        let _ = writeln!(
            out,
            "<p class=\"bad\">✗ {lost} or targets of {} not finite, and left out</p>",
            all.len()
        );
    }
    if finite.is_empty() {
        return out + "<p class=\"empty\">no predictions</p>\n";
    }
    out += "<div class=\"grid\">";
    out += &scatter(&finite);
    out += &table("Errors", &["measure", "value"], &measures(&finite));
    out + "</div>\n"
}

fn measures(pairs: &[(f64, f64)]) -> Vec<Vec<Cell>> {
    let n = pairs.len() as f64;
    let mean = |f: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|&(target, y)| f(target, y)).sum::<f64>() / n;
    let middle = mean(&|target, _| target);
    let squares = mean(&|target, y| (y - target).powi(2));
    let spread = mean(&|target, _| (target - middle).powi(2));
    let rows = [
        ("predictions", n),
        ("root of the mean square error", squares.sqrt()),
        ("mean absolute error", mean(&|target, y| (y - target).abs())),
        ("mean error, predicted less target", mean(&|target, y| y - target)),
        ("greatest absolute error", pairs.iter().map(|&(target, y)| (y - target).abs()).fold(0.0, f64::max)),
        ("R², the share of the targets' variance that is explained", 1.0 - squares / spread),
    ];
    rows.into_iter().map(|(name, value)| vec![Cell::Text(name.into()), Cell::Number(number(value))]).collect()
}

fn scatter(pairs: &[(f64, f64)]) -> String {
    let ends = pairs.iter().flat_map(|&(target, y)| [target, y]);
    let (low, high) = (ends.clone().fold(f64::INFINITY, f64::min), ends.fold(f64::NEG_INFINITY, f64::max));
    let (low, high) = if low < high { (low, high) } else { (low - 0.5, high + 0.5) };
    let wide = SIZE - BEFORE - AFTER;
    let share = |x: f64| 0.02 + 0.96 * (x - low) / (high - low);
    let (across, up) = (|x: f64| BEFORE + wide * share(x), |y: f64| SIZE - BEFORE - wide * share(y));
    let every = pairs.len().div_ceil(MOST);
    let mut out = format!(
        "<figure class=\"chart\"><figcaption><b>Predicted over target</b>{}</figcaption>\n<svg viewBox=\"0 0 {SIZE} {SIZE}\" role=\"img\" aria-label=\"{}\">",
        if every > 1 { format!(" <span class=\"dim\">(every {every}th)</span>") } else { String::new() },
        text(format!(
            "{} over their targets, from {} to {}",
            count(pairs.len(), "prediction"),
            number(low),
            number(high)
        ))
    );
    let _ = write!(
        out,
        "<path class=\"equal\" d=\"M{:.1} {:.1}L{:.1} {:.1}\"/>",
        across(low),
        up(low),
        across(high),
        up(high)
    );
    let bottom = SIZE - BEFORE;
    let _ = write!(out, "<path class=\"axis\" d=\"M{BEFORE} {AFTER}V{bottom}H{}\"/>", SIZE - AFTER);
    for end in [low, high] {
        let _ = write!(
            out,
            "<text class=\"x\" x=\"{:.1}\" y=\"{}\">{}</text>",
            across(end),
            bottom + 18.0,
            number(end)
        );
        let _ = write!(
            out,
            "<text class=\"y\" x=\"{}\" y=\"{:.1}\">{}</text>",
            BEFORE - 6.0,
            up(end) + 4.0,
            number(end)
        );
    }
    let middle = BEFORE + wide / 2.0;
    let _ = write!(out, "<text class=\"x dim\" x=\"{middle}\" y=\"{}\">target</text>", bottom + 36.0);
    let _ = write!(
        out,
        "<text class=\"x dim\" x=\"14\" y=\"{0}\" transform=\"rotate(-90 14 {0})\">predicted</text><g class=\"points\">",
        bottom - wide / 2.0
    );
    for &(target, y) in pairs.iter().step_by(every) {
        let _ = write!(out, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>", across(target), up(y));
    }
    out + "</g></svg></figure>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_those_of_the_definitions() {
        // Off by 1, 0, -3: squares 10 / 3; targets 0, 1, 5 with mean 2 and variance 14 / 3.
        let page = html(&Tensor::from([1.0, 1.0, 2.0]), &Tensor::from([0.0, 1.0, 5.0]));
        for expected in ["1.826", "1.333", "−0.6667", ">3<", "0.2857"] {
            assert!(page.contains(expected), "{expected}: {page}");
        }
        assert_eq!(page.matches("<circle").count(), 3);
    }

    #[test]
    fn many_points_are_thinned_out_and_lost_ones_said() {
        let x = Tensor::linspace(0.0, 1.0, 10_000);
        let page = html(&x, &x);
        assert!(page.contains("every 5th") && page.matches("<circle").count() == 2000);
        let page = html(&Tensor::from([1.0, f32::NAN]), &Tensor::from([1.0, 2.0]));
        assert!(page.contains("1 prediction or targets of 2 not finite"), "{page}");
        assert!(html(&Tensor::zeros([0]), &Tensor::zeros([0])).contains("no predictions"));
    }
}
