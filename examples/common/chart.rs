//! Charts: lines, dots, bars, arrows and areas between two axes; and figures, which are several of them.

use super::{
    legend,
    picture::{Area, COLORS, GRID, INK, grey, picture, text},
};
use plotters::{
    element::{DashedPathElement, DynElement},
    prelude::*,
    style::text_anchor::HPos,
};
use std::{error::Error, path::Path};

/// A point or a distance along both axes.
pub(crate) type Point = (f64, f64);

/// Lengths of dashes and gaps: lines of different names differ in grey too. The first is longer than any line.
const DASHES: [(i32, i32); 4] = [(1 << 20, 1), (7, 4), (2, 3), (14, 4)];

/// What is drawn into a chart, in this order.
enum Mark {
    Line { name: String, points: Vec<Point>, style: usize },
    Dots { name: String, points: Vec<Point>, style: usize },
    Bars { width: f64, bars: Vec<Point> },
    Arrows(Vec<(Point, Point)>),
    Shade { size: Point, cells: Vec<(Point, f64)> },
    Thin(Vec<[Point; 2]>),
}

/// Two axes and what is drawn between them.
pub(crate) struct Chart {
    title: String,
    along: String,
    quantity: String,
    x: Option<Point>,
    y: Option<Point>,
    equal: bool,
    log: [bool; 2],
    marks: Vec<Mark>,
    styles: usize,
}

impl Chart {
    /// With the labels of the horizontal and of the vertical axis.
    pub(crate) fn new(along: &str, quantity: &str) -> Chart {
        Chart {
            title: String::new(),
            along: along.into(),
            quantity: quantity.into(),
            x: None,
            y: None,
            equal: false,
            log: [false; 2],
            marks: Vec::new(),
            styles: 0,
        }
    }

    pub(crate) fn title(self, title: impl Into<String>) -> Chart {
        Chart { title: title.into(), ..self }
    }

    /// The horizontal axis goes from one number to another, instead of over what is drawn.
    pub(crate) fn x(self, low: f64, high: f64) -> Chart {
        Chart { x: Some((low, high)), ..self }
    }

    /// The same for the vertical axis. What lies outside is cut.
    pub(crate) fn y(self, low: f64, high: f64) -> Chart {
        Chart { y: Some((low, high)), ..self }
    }

    /// A unit is as long on both axes.
    pub(crate) fn equal(self) -> Chart {
        Chart { equal: true, ..self }
    }

    /// The axes are labelled with powers of ten: what is drawn must be logarithms (to base ten) there.
    pub(crate) fn log(self, x: bool, y: bool) -> Chart {
        Chart { log: [x, y], ..self }
    }

    /// A line, with a gap where a value is not finite. A name that is empty stands in no legend.
    pub(crate) fn line(mut self, name: &str, points: Vec<Point>) -> Chart {
        self.marks.push(Mark::Line { name: name.into(), points, style: self.styles });
        self.styles += 1;
        self
    }

    /// Single points.
    pub(crate) fn dots(mut self, name: &str, points: Vec<Point>) -> Chart {
        self.marks.push(Mark::Dots { name: name.into(), points, style: self.styles });
        self.styles += 1;
        self
    }

    /// Bars of this width that stand on 0, each from its left edge.
    pub(crate) fn bars(mut self, width: f64, bars: Vec<Point>) -> Chart {
        self.marks.push(Mark::Bars { width, bars });
        self
    }

    /// Arrows, each from its point by its distance.
    pub(crate) fn arrows(mut self, arrows: Vec<(Point, Point)>) -> Chart {
        self.marks.push(Mark::Arrows(arrows));
        self
    }

    /// Cells of this size about their middles, from white at 0 to light grey at 1.
    pub(crate) fn shade(mut self, size: Point, cells: Vec<(Point, f64)>) -> Chart {
        self.marks.push(Mark::Shade { size, cells });
        self
    }

    /// Thin grey lines, such as contours.
    pub(crate) fn thin(mut self, lines: Vec<[Point; 2]>) -> Chart {
        self.marks.push(Mark::Thin(lines));
        self
    }
}

/// Draws charts into an SVG file, so many side by side, under a title.
pub(crate) fn figure(
    path: impl AsRef<Path>,
    title: &str,
    columns: usize,
    charts: &[Chart],
) -> Result<(), Box<dyn Error>> {
    let columns = columns.clamp(1, charts.len().max(1));
    // Many charts are smaller ones.
    let (cell, font) = if columns > 3 { ([236.0, 200.0], 11.0) } else { ([460.0, 340.0], 15.0) };
    // No font is at hand to measure text with: 13 pixels are a wide character of the title's size.
    let width = (cell[0] * columns as f64).max(13.0 * title.chars().count() as f64);
    let height = 46.0 + cell[1] * charts.len().div_ceil(columns) as f64;
    picture(path, (width as usize, height as usize), title, |root| {
        let left = (width - cell[0] * columns as f64) / 2.0;
        for (i, chart) in charts.iter().enumerate() {
            let (x, y) = (left + cell[0] * (i % columns) as f64, 44.0 + cell[1] * (i / columns) as f64);
            let area = root.clone().shrink((x as u32, y as u32), (cell[0] as u32, cell[1] as u32));
            chart.draw(&area, cell, font)?;
        }
        Ok(())
    })
}

impl Chart {
    fn draw(&self, area: &Area<'_>, [width, height]: [f64; 2], font: f64) -> Result<(), Box<dyn Error>> {
        let above = if self.title.is_empty() { 0.6 * font } else { 2.0 * font };
        let (below, before, after) = (3.2 * font, 5.9 * font, 1.3 * font);
        let size = [width - before - after, height - above - below];
        // Dots have a size of their own.
        let room = if self.marks.iter().any(|mark| matches!(mark, Mark::Dots { .. })) { 0.05 } else { 0.0 };
        let x = self.x.unwrap_or_else(|| range(self.points().map(|p| p.0), room));
        let y = self.y.unwrap_or_else(|| range(self.points().map(|p| p.1), 0.05));
        let mut spare = [0.0; 2];
        if self.equal {
            let unit = (size[0] / (x.1 - x.0)).min(size[1] / (y.1 - y.0));
            spare = [size[0] - unit * (x.1 - x.0), size[1] - unit * (y.1 - y.0)].map(|spare| spare / 2.0);
        }
        let middle = (before + size[0] / 2.0) as i32;
        let title_at = (middle, (above + spare[1] - 0.8 * font) as i32);
        area.draw(&Text::new(self.title.as_str(), title_at, text(1.2 * font, HPos::Center)))?;
        let mut chart = ChartBuilder::on(area)
            .margin_top(above + spare[1])
            .margin_bottom(spare[1])
            .margin_left(spare[0] + 0.7 * font)
            .margin_right(spare[0] + after)
            .x_label_area_size(below)
            .y_label_area_size(before - 0.7 * font)
            .build_cartesian_2d(x.0..x.1, y.0..y.1)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(INK)
            .label_style(text(1.08 * font, HPos::Center))
            .axis_desc_style(text(1.2 * font, HPos::Center))
            .x_desc(self.along.as_str())
            .y_desc(self.quantity.as_str())
            .x_labels((size[0] / (3.4 * font)) as usize)
            .y_labels((size[1] / (2.4 * font)) as usize)
            .x_label_formatter(&label(x, self.log[0]))
            .y_label_formatter(&label(y, self.log[1]))
            .draw()?;
        for mark in &self.marks {
            for element in mark.elements(x, y) {
                chart.plotting_area().draw(&element)?;
            }
            let Some(name) = mark.name() else { continue };
            let entry = chart.draw_series(std::iter::empty::<Rectangle<Point>>())?.label(name);
            match *mark {
                Mark::Line { style, .. } => {
                    entry.legend(move |(x, y)| stroke(vec![(x, y), (x + 28, y)], style));
                }
                Mark::Dots { style, .. } => {
                    entry.legend(move |at| dot(style, (at.0 + 14, at.1)));
                }
                _ => {}
            }
        }
        chart.plotting_area().draw(&Rectangle::new([(x.0, y.0), (x.1, y.1)], INK))?;
        if self.marks.iter().all(|mark| mark.name().is_none()) {
            return Ok(());
        }
        let free = [size[0] - 2.0 * spare[0], size[1] - 2.0 * spare[1]];
        chart
            .configure_series_labels()
            .position(self.legend_place(x, y, free, font))
            .legend_area_size(32)
            .margin(16)
            .background_style(WHITE)
            .border_style(GRID)
            .label_font(("sans-serif", font).into_font().color(&INK))
            .draw()?;
        Ok(())
    }

    /// All that is drawn and has a range to be shown.
    fn points(&self) -> impl Iterator<Item = Point> + Clone + '_ {
        self.marks.iter().flat_map(Mark::points)
    }

    /// Where a legend hides the least of what is drawn, on an area of this size.
    fn legend_place(&self, x: Point, y: Point, size: [f64; 2], font: f64) -> SeriesLabelPosition {
        let names: Vec<&str> = self.marks.iter().filter_map(Mark::name).collect();
        let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0) as f64;
        // No font is at hand to measure text with: half its size is a character's usual width.
        let width = (74.0 + 0.5 * font * longest) / size[0];
        let height = (36.0 + 1.26 * font * names.len() as f64) / size[1];
        let share = |p: Point| ((p.0 - x.0) / (x.1 - x.0), (p.1 - y.0) / (y.1 - y.0));
        let drawn = self.marks.iter().flat_map(|mark| {
            let points: Vec<Point> = mark.points().into_iter().map(share).collect();
            match mark {
                Mark::Shade { .. } => Vec::new(),
                Mark::Line { .. } => legend::along(&points),
                _ => points,
            }
        });
        legend::emptiest_place(&drawn.collect::<Vec<_>>(), width, height)
    }
}

type Element<'a, 'b> = DynElement<'a, SVGBackend<'b>, Point>;

impl Mark {
    fn points(&self) -> Vec<Point> {
        let all = match self {
            Mark::Line { points, .. } | Mark::Dots { points, .. } => points.clone(),
            Mark::Bars { width, bars } => {
                bars.iter().flat_map(|&(x, y)| [(x, 0.0), (x + width, y)]).collect()
            }
            Mark::Arrows(arrows) => arrows.iter().map(|(from, _)| *from).collect(),
            Mark::Shade { cells, .. } => cells.iter().map(|(at, _)| *at).collect(),
            Mark::Thin(lines) => lines.iter().flatten().copied().collect(),
        };
        all.into_iter().filter(|(_, y)| y.is_finite()).collect()
    }

    fn name(&self) -> Option<&str> {
        match self {
            Mark::Line { name, .. } | Mark::Dots { name, .. } if !name.is_empty() => Some(name),
            _ => None,
        }
    }

    /// What is drawn of it within these ranges.
    fn elements<'a, 'b: 'a>(&self, x: Point, y: Point) -> Vec<Element<'a, 'b>> {
        let within = |p: &Point| (x.0..=x.1).contains(&p.0) && (y.0..=y.1).contains(&p.1);
        match self {
            Mark::Line { points, style, .. } => points
                .split(|(_, y)| !y.is_finite())
                .flat_map(|run| match *run {
                    [one] => vec![Circle::new(one, 3, COLORS[style % 4].filled()).into_dyn()],
                    _ => {
                        clipped(run, x, y).into_iter().map(|piece| stroke(piece, *style).into_dyn()).collect()
                    }
                })
                .collect(),
            Mark::Dots { points, style, .. } => points
                .iter()
                .filter(|p| within(p))
                .map(|&p| (EmptyElement::at(p) + dot(*style, (0, 0))).into_dyn())
                .collect(),
            Mark::Bars { width, bars } => {
                let bar = |&(x, y): &Point| Rectangle::new([(x, 0.0), (x + width, y)], COLORS[0].filled());
                bars.iter().map(|at| bar(at).into_dyn()).collect()
            }
            Mark::Arrows(arrows) => arrows.iter().flat_map(|&(from, by)| arrow(from, by)).collect(),
            Mark::Shade { size, cells } => {
                let cell = |&((x, y), ink): &(Point, f64)| {
                    let (w, h) = (size.0 / 2.0, size.1 / 2.0);
                    Rectangle::new([(x - w, y - h), (x + w, y + h)], grey(0.3 * ink).filled())
                };
                cells.iter().filter(|(_, ink)| *ink > 0.0).map(|at| cell(at).into_dyn()).collect()
            }
            Mark::Thin(lines) => lines
                .iter()
                .flat_map(|line| clipped(line, x, y))
                .map(|piece| PathElement::new(piece, grey(0.4)).into_dyn())
                .collect(),
        }
    }
}

/// The pieces of a line within ranges: plotters would move what is outside onto the frame.
fn clipped(line: &[Point], x: Point, y: Point) -> Vec<Vec<Point>> {
    let mut pieces: Vec<Vec<Point>> = Vec::new();
    for pair in line.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        // The share of the segment on the inner side of each edge (Liang and Barsky).
        let edges = [(-dx, a.0 - x.0), (dx, x.1 - a.0), (-dy, a.1 - y.0), (dy, y.1 - a.1)];
        let (from, to) = edges.into_iter().fold((0f64, 1f64), |(from, to), (by, room)| match by {
            _ if by < 0.0 => (from.max(room / by), to),
            _ if by > 0.0 => (from, to.min(room / by)),
            _ if room < 0.0 => (1.0, 0.0),
            _ => (from, to),
        });
        if from > to {
            continue;
        }
        let at = |share: f64| (a.0 + share * dx, a.1 + share * dy);
        match pieces.last_mut() {
            Some(piece) if from == 0.0 && piece.last() == Some(&a) => {
                piece.push(if to == 1.0 { b } else { at(to) })
            }
            _ => pieces.push(vec![at(from), if to == 1.0 { b } else { at(to) }]),
        }
    }
    pieces
}

/// A line; after four the same colours come again, with other dashes.
fn stroke<C: Clone>(points: Vec<C>, style: usize) -> DashedPathElement<std::vec::IntoIter<C>, i32> {
    let (dash, gap) = DASHES[(style + style / 4) % 4];
    DashedPathElement::new(points, dash, gap, COLORS[style % 4].stroke_width(2))
}

/// A square, a diamond, a triangle or an hourglass about a pixel.
fn dot(style: usize, (x, y): (i32, i32)) -> Polygon<(i32, i32)> {
    let corners = match style % 4 {
        0 => vec![(-4, -4), (4, -4), (4, 4), (-4, 4)],
        1 => vec![(0, -6), (6, 0), (0, 6), (-6, 0)],
        2 => vec![(0, -5), (5, 4), (-5, 4)],
        _ => vec![(-5, -5), (5, -5), (-5, 5), (5, 5)],
    };
    let corners: Vec<_> = corners.into_iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
    Polygon::new(corners, COLORS[style % 4].filled())
}

/// A shaft and a head, which is a third of the length.
fn arrow<'a, 'b: 'a>(from: Point, by: Point) -> [Element<'a, 'b>; 2] {
    let at =
        |along: f64, aside: f64| (from.0 + along * by.0 - aside * by.1, from.1 + along * by.1 + aside * by.0);
    let head = vec![at(1.0, 0.0), at(0.65, 0.15), at(0.65, -0.15)];
    [PathElement::new([from, at(0.65, 0.0)], INK).into_dyn(), Polygon::new(head, INK.filled()).into_dyn()]
}

/// From the smallest to the largest value, with this share of the distance added on both sides; never empty.
fn range(values: impl Iterator<Item = f64>, margin: f64) -> Point {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    match high - low {
        distance if distance > 0.0 => (low - margin * distance, high + margin * distance),
        0.0 => (low - 0.5, high + 0.5),
        _ => (0.0, 1.0),
    }
}

/// How the numbers of an axis are written.
fn label((low, high): Point, log: bool) -> impl Fn(&f64) -> String {
    let large = low.abs().max(high.abs());
    move |v| match large {
        _ if log && v.fract() != 0.0 => String::new(),
        _ if log => format!("1e{v}"),
        // Where 0 should stand, plotters has what rounding left of it.
        _ if v.abs() < 1e-9 * (high - low) => "0".to_owned(),
        1e-3..1e5 => format!("{}", *v as f32),
        _ => format!("{v:.1e}").replace(".0e", "e"),
    }
}
