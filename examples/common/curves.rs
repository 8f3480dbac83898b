//! Curves, such as learning curves.

use plotters::{coord::Shift, prelude::*};
use std::{error::Error, ops::Range, path::Path};

/// One of the pictures side by side: a quantity along another, one line for each of its names.
pub(crate) struct Panel<'a> {
    /// The label of the horizontal axis, such as `epoch`.
    pub(crate) along: &'a str,
    /// What is measured: the label of the vertical axis.
    pub(crate) quantity: &'a str,
    /// The name and the points of each line.
    pub(crate) lines: Vec<(&'a str, Vec<(f64, f64)>)>,
}

/// Colours that are told apart in all kinds of colour vision.
const COLORS: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167)];
const INK: RGBColor = RGBColor(50, 50, 50);
const GRID: RGBColor = RGBColor(228, 228, 228);
const FONT: &str = "sans-serif";

/// Draws curves into an SVG file: one panel for each quantity, side by side, because a loss and an accuracy have
/// different scales. A value that is not finite leaves a gap in its line.
pub(crate) fn curves(
    path: impl AsRef<Path>,
    title: &str,
    panels: &[Panel<'_>],
) -> Result<(), Box<dyn Error>> {
    let mut svg = String::new();
    {
        // Wide enough for the title too, which no font is at hand to measure: 12 pixels are a wide character.
        let width = (460 * panels.len().max(1)).max(12 * title.chars().count());
        let size = (width as u32, 390);
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE)?;
        let below_title = root.margin(8, 0, 0, 0).titled(title, (FONT, 24).into_font().color(&INK))?;
        for (area, panel) in below_title.split_evenly((1, panels.len().max(1))).iter().zip(panels) {
            draw_panel(area, panel)?;
        }
        root.present()?;
    }
    Ok(gradus::nn::write_atomically(path, svg)?)
}

fn draw_panel(area: &DrawingArea<SVGBackend<'_>, Shift>, panel: &Panel<'_>) -> Result<(), Box<dyn Error>> {
    let points = || panel.lines.iter().flat_map(|(_, points)| points).filter(|(_, y)| y.is_finite());
    let (xs, ys) = (range(points().map(|p| p.0), 0.0), range(points().map(|p| p.1), 0.05));
    let mut chart = ChartBuilder::on(area)
        .margin(14)
        .x_label_area_size(44)
        .y_label_area_size(62)
        .build_cartesian_2d(xs.clone(), ys.clone())?;
    // Where 0 should stand, plotters has what rounding left of it.
    let rounding = 1e-9 * (ys.end - ys.start);
    let small_or_large = |y: &f64| if y.abs() < rounding { "0".to_owned() } else { format!("{y:.1e}") };
    let mut mesh = chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style((FONT, 15).into_font().color(&INK))
        .axis_desc_style((FONT, 17).into_font().color(&INK))
        .x_desc(panel.along)
        .y_desc(panel.quantity)
        .x_labels(8)
        .y_labels(7);
    // Half epochs are marked in short histories, but have no name.
    let whole = |x: &f64| if x.fract() == 0.0 { x.to_string() } else { String::new() };
    if points().all(|(x, _)| x.fract() == 0.0) {
        mesh.x_label_formatter(&whole);
    }
    // Very small and very large numbers would run into the label of the axis.
    if !(1e-3..1e5).contains(&ys.start.abs().max(ys.end.abs())) {
        mesh.y_label_formatter(&small_or_large);
    }
    mesh.draw()?;
    for ((name, points), color) in panel.lines.iter().zip(COLORS.iter().cycle()) {
        let style = color.stroke_width(2);
        let runs = || points.split(|(_, y)| !y.is_finite());
        chart.draw_series(
            runs().filter(|run| run.len() == 1).map(|run| Circle::new(run[0], 3, color.filled())),
        )?;
        chart
            .draw_series(runs().map(|run| PathElement::new(run.to_vec(), style)))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
    }
    chart
        .configure_series_labels()
        .position(emptiest_corner(points(), &xs, &ys))
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .label_font((FONT, 16).into_font().color(&INK))
        .draw()?;
    Ok(())
}

/// From the smallest to the largest value, with this share of the distance added on both sides; never empty.
fn range(values: impl Iterator<Item = f64>, margin: f64) -> Range<f64> {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    match high - low {
        distance if distance > 0.0 => low - margin * distance..high + margin * distance,
        0.0 => low - 0.5..high + 0.5,
        _ => 0.0..1.0,
    }
}

/// Where a legend hides the fewest points.
fn emptiest_corner<'a>(
    points: impl Iterator<Item = &'a (f64, f64)> + Clone,
    xs: &Range<f64>,
    ys: &Range<f64>,
) -> SeriesLabelPosition {
    use SeriesLabelPosition::{LowerLeft, LowerRight, UpperLeft, UpperRight};
    let relative = |v: f64, range: &Range<f64>| (v - range.start) / (range.end - range.start);
    let hidden = |right: bool, upper: bool| {
        let near = |share: f64, high: bool| if high { share > 0.6 } else { share < 0.4 };
        points.clone().filter(|p| near(relative(p.0, xs), right) && near(relative(p.1, ys), upper)).count()
    };
    let corners = [
        (UpperRight, true, true),
        (LowerRight, true, false),
        (UpperLeft, false, true),
        (LowerLeft, false, false),
    ];
    corners.into_iter().min_by_key(|&(_, right, upper)| hidden(right, upper)).expect("there are four").0
}
