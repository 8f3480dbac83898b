//! Functions of two numbers as pictures: contours, and a surface seen from above.

use super::{
    chart::Point,
    svg::{Anchor, INK, Svg, grey},
};
use std::{error::Error, path::Path};

/// The contours of a function at these levels, found on a grid of `n` by `n` cells: each cell is crossed by straight lines
/// ("marching squares").
pub(crate) fn contours(
    f: impl Fn(f64, f64) -> f64,
    x: Point,
    y: Point,
    n: usize,
    levels: &[f64],
) -> Vec<[Point; 2]> {
    let at = |i: usize, j: usize| (on(x, i, n), on(y, j, n));
    let mut lines = Vec::new();
    for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
        let corners = [at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)];
        let values = corners.map(|(x, y)| f(x, y));
        for &level in levels {
            let crossing = |a: usize| {
                let b = (a + 1) % 4;
                let t = (level - values[a]) / (values[b] - values[a]);
                let between = |a: f64, b: f64| a + t * (b - a);
                let inside = (values[a] < level) != (values[b] < level);
                inside.then(|| (between(corners[a].0, corners[b].0), between(corners[a].1, corners[b].1)))
            };
            let crossings: Vec<Point> = (0..4).filter_map(crossing).collect();
            lines.extend(crossings.chunks_exact(2).map(|pair| [pair[0], pair[1]]));
        }
    }
    lines
}

/// The i-th of `n + 1` numbers over a range.
fn on((low, high): Point, i: usize, n: usize) -> f64 {
    low + (high - low) * i as f64 / n as f64
}

/// Draws the surface of a function over a square of side `2 reach` about 0, the darker the higher, on a grid of `n` by `n` cells.
pub(crate) fn surface(
    path: impl AsRef<Path>,
    title: &str,
    f: impl Fn(f64, f64) -> f64,
    reach: f64,
    n: usize,
) -> Result<(), Box<dyn Error>> {
    let corner = |i: usize, j: usize| (on((-1.0, 1.0), i, n), on((-1.0, 1.0), j, n));
    let height = |(x, y): Point| f(reach * x, reach * y);
    let all = || (0..=n).flat_map(|i| (0..=n).map(move |j| height(corner(i, j))));
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    // Turned by 35 degrees, and seen from 30 degrees above the ground.
    let (turn, tilt) = (35f64.to_radians(), 30f64.to_radians());
    let depth = |(x, y): Point| y * turn.cos() + x * turn.sin();
    let place = |at: Point, up: f64| {
        let across = at.0 * turn.cos() - at.1 * turn.sin();
        [320.0 + 170.0 * across, 390.0 - 170.0 * depth(at) * tilt.sin() - 250.0 * up * tilt.cos()]
    };
    let share = |v: f64| (v - low) / (high - low);
    let mut svg = Svg::new(640.0, 560.0);
    svg.text([320.0, 32.0], 22.0, Anchor::Middle, title);
    let floor = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)];
    svg.polygon(&floor.map(|at| place(at, 0.0)), "#F4F4F4", INK);
    // The axis of heights stands on the left corner.
    svg.polyline(&[place(floor[3], 0.0), place(floor[3], 1.0)], INK, "");
    let mut cells: Vec<(usize, usize)> = (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).collect();
    cells.sort_by(|a, b| depth(corner(b.0, b.1)).total_cmp(&depth(corner(a.0, a.1))));
    for (i, j) in cells {
        let corners = [corner(i, j), corner(i + 1, j), corner(i + 1, j + 1), corner(i, j + 1)];
        let mean = corners.map(height).iter().sum::<f64>() / 4.0;
        svg.polygon(
            &corners.map(|at| place(at, share(height(at)))),
            &grey(0.1 + 0.6 * share(mean)),
            "#5A5A5A",
        );
    }
    for k in 0..=4 {
        let part = on((-1.0, 1.0), k, 4);
        let label = |v: f64| format!("{}", (v * 100.0).round() / 100.0);
        let moved = |[x, y]: [f64; 2], dx: f64, dy: f64| [x + dx, y + dy];
        svg.text(moved(place((part, -1.0), 0.0), 6.0, 18.0), 14.0, Anchor::Start, &label(reach * part));
        svg.text(moved(place((-1.0, part), 0.0), -6.0, 18.0), 14.0, Anchor::End, &label(reach * part));
        let up = on((low, high), k, 4);
        svg.text(moved(place(floor[3], share(up)), -8.0, 4.0), 14.0, Anchor::End, &label(up));
    }
    let moved = |[x, y]: [f64; 2], dx: f64, dy: f64| [x + dx, y + dy];
    svg.text(moved(place((0.0, -1.0), 0.0), 40.0, 44.0), 16.0, Anchor::Middle, "x0");
    svg.text(moved(place((-1.0, 0.0), 0.0), -46.0, 40.0), 16.0, Anchor::Middle, "x1");
    svg.text(moved(place(floor[3], 0.5), -58.0, 0.0), 16.0, Anchor::Upward, "f(x0, x1)");
    svg.write(path)
}
