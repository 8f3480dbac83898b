//! Functions of two numbers as pictures: contours, and a surface seen from above.

use super::{
    chart::Point,
    picture::{GRID, grey, picture, text},
};
use plotters::{prelude::*, style::text_anchor::HPos};
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
    let corner = |i: usize, j: usize| (on((-reach, reach), i, n), on((-reach, reach), j, n));
    let height = |(x, y): Point| f(x, y);
    let all = || (0..=n).flat_map(|i| (0..=n).map(move |j| height(corner(i, j))));
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let share = |v: f64| (v - low) / (high - low);
    picture(path, (640, 560), title, |root| {
        // Plotters' second axis goes up.
        let mut chart = ChartBuilder::on(&root.margin(40, 0, 0, 0)).margin(20).build_cartesian_3d(
            -reach..reach,
            low..high,
            -reach..reach,
        )?;
        let turn = 35f64.to_radians();
        chart.with_projection(|mut projection| {
            (projection.yaw, projection.pitch, projection.scale) = (turn, 30f64.to_radians(), 0.75);
            projection.into_matrix()
        });
        let label = |v: &f64| format!("{}", *v as f32);
        chart
            .configure_axes()
            .light_grid_style(TRANSPARENT)
            .bold_grid_style(GRID)
            .axis_panel_style(WHITE)
            .label_style(text(16.0, HPos::Center))
            .x_formatter(&label)
            .y_formatter(&label)
            .z_formatter(&label)
            .max_light_lines(1)
            .draw()?;
        // What is farther is drawn first.
        let mut cells: Vec<(usize, usize)> = (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).collect();
        let nearness = |&(i, j): &(usize, usize)| j as f64 * turn.cos() - i as f64 * turn.sin();
        cells.sort_by(|a, b| nearness(a).total_cmp(&nearness(b)));
        for (i, j) in cells {
            let corners = [corner(i, j), corner(i + 1, j), corner(i + 1, j + 1), corner(i, j + 1)];
            let mut edge = corners.map(|at| (at.0, height(at), at.1)).to_vec();
            let mean = corners.map(height).iter().sum::<f64>() / 4.0;
            chart.draw_series([Polygon::new(edge.clone(), grey(0.1 + 0.6 * share(mean)).filled())])?;
            edge.push(edge[0]);
            chart.draw_series([PathElement::new(edge, grey(0.65))])?;
        }
        let names = [
            ("x0", (0.0, low, 1.4 * reach)),
            ("x1", (-1.5 * reach, high, 0.0)),
            ("f(x0, x1)", (-1.6 * reach, (low + high) / 2.0, reach)),
        ];
        chart.draw_series(names.map(|(name, at)| Text::new(name, at, text(19.0, HPos::Center))))?;
        Ok(())
    })
}
