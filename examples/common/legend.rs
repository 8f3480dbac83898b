//! Where in a chart a legend stands.

use super::chart::Point;
use plotters::chart::SeriesLabelPosition::{self, *};

/// The place where a legend hides the least of what is drawn. All numbers are shares of the axes: points, width and height.
pub(crate) fn emptiest_place(drawn: &[Point], width: f64, height: f64) -> SeriesLabelPosition {
    let places = [
        (UpperRight, 1.0, 1.0),
        (LowerRight, 1.0, 0.0),
        (UpperLeft, 0.0, 1.0),
        (LowerLeft, 0.0, 0.0),
        (MiddleRight, 1.0, 0.5),
        (MiddleLeft, 0.0, 0.5),
        (UpperMiddle, 0.5, 1.0),
        (LowerMiddle, 0.5, 0.0),
    ];
    let hidden = |&(_, right, up): &(_, f64, f64)| {
        let (left, low) = (right * (1.0 - width), up * (1.0 - height));
        let within = |p: &&Point| (left..=left + width).contains(&p.0) && (low..=low + height).contains(&p.1);
        drawn.iter().filter(within).count()
    };
    places.into_iter().min_by_key(hidden).expect("there are eight").0
}

/// Points all along a line, fifty to the length of an axis.
pub(crate) fn along(line: &[Point]) -> Vec<Point> {
    let between = |pair: &[Point]| {
        let (from, by) = (pair[0], (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1));
        let steps = (50.0 * by.0.hypot(by.1)).clamp(1.0, 1000.0) as usize;
        let at = move |k: usize| k as f64 / steps as f64;
        (0..steps).map(move |k| (from.0 + at(k) * by.0, from.1 + at(k) * by.1))
    };
    line.windows(2).flat_map(between).chain(line.last().copied()).collect()
}
