//! Charts: lines, dots, bars, arrows and areas between two axes; and figures, which are several of them.

use super::svg::{Anchor, COLORS, GRID, INK, Svg, grey};
use std::{error::Error, path::Path};

/// A point or a distance along both axes.
pub(crate) type Point = (f64, f64);

/// Dashes and marks, so that lines and dots of different names differ in grey too.
const DASHES: [&str; 4] =
    ["", " stroke-dasharray=\"7 3\"", " stroke-dasharray=\"2 3\"", " stroke-dasharray=\"9 3 2 3\""];

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
    let mut svg = Svg::new(width, height);
    svg.text([width / 2.0, 30.0], 22.0, Anchor::Middle, title);
    let left = (width - cell[0] * columns as f64) / 2.0;
    for (i, chart) in charts.iter().enumerate() {
        let corner = [left + cell[0] * (i % columns) as f64, 44.0 + cell[1] * (i / columns) as f64];
        chart.draw(&mut svg, corner, cell, font);
    }
    svg.write(path)
}

/// Where numbers lie in the picture.
struct Scale {
    x: Point,
    y: Point,
    corner: [f64; 2],
    size: [f64; 2],
}

impl Scale {
    fn at(&self, (x, y): Point) -> [f64; 2] {
        let [across, up] = [share(x, self.x), share(y, self.y)];
        [self.corner[0] + across * self.size[0], self.corner[1] + (1.0 - up) * self.size[1]]
    }
}

/// Where a number lies in a range, from 0 to 1.
fn share(v: f64, (low, high): Point) -> f64 {
    (v - low) / (high - low)
}

impl Chart {
    fn draw(&self, svg: &mut Svg, [left, top]: [f64; 2], [width, height]: [f64; 2], font: f64) {
        let above = if self.title.is_empty() { 0.6 * font } else { 2.0 * font };
        let mut corner = [left + 4.6 * font, top + above];
        let mut size = [width - 5.9 * font, height - above - 3.5 * font];
        let x = self.x.unwrap_or_else(|| range(self.points().map(|p| p.0), 0.0));
        let y = self.y.unwrap_or_else(|| range(self.points().map(|p| p.1), 0.05));
        if self.equal {
            let unit = (size[0] / (x.1 - x.0)).min(size[1] / (y.1 - y.0));
            let smaller = [unit * (x.1 - x.0), unit * (y.1 - y.0)];
            corner = [0, 1].map(|i| corner[i] + (size[i] - smaller[i]) / 2.0);
            size = smaller;
        }
        let scale = Scale { x, y, corner, size };
        let middle = [corner[0] + size[0] / 2.0, corner[1] + size[1] / 2.0];
        svg.text([middle[0], corner[1] - 0.5 * font], font, Anchor::Middle, &self.title);
        svg.text([middle[0], corner[1] + size[1] + 2.7 * font], font, Anchor::Middle, &self.along);
        svg.text([corner[0] - 3.5 * font, middle[1]], font, Anchor::Upward, &self.quantity);
        for (v, label) in ticks(x, (size[0] / (3.4 * font)) as usize, self.log[0]) {
            let [at, _] = scale.at((v, y.0));
            svg.polyline(&[[at, corner[1]], [at, corner[1] + size[1]]], GRID, "");
            svg.text([at, corner[1] + size[1] + 1.3 * font], 0.87 * font, Anchor::Middle, &label);
        }
        for (v, label) in ticks(y, (size[1] / (2.4 * font)) as usize, self.log[1]) {
            let [_, at] = scale.at((x.0, v));
            svg.polyline(&[[corner[0], at], [corner[0] + size[0], at]], GRID, "");
            svg.text([corner[0] - 0.4 * font, at + 0.3 * font], 0.87 * font, Anchor::End, &label);
        }
        svg.begin_clip(corner, size);
        self.marks.iter().for_each(|mark| mark.draw(svg, &scale));
        svg.end();
        svg.frame(corner, size, INK);
        self.draw_legend(svg, &scale, font);
    }

    /// All that is drawn and has a range to be shown.
    fn points(&self) -> impl Iterator<Item = Point> + Clone + '_ {
        self.marks.iter().flat_map(Mark::points)
    }

    fn draw_legend(&self, svg: &mut Svg, scale: &Scale, font: f64) {
        let names: Vec<(&str, &Mark)> =
            self.marks.iter().filter_map(|mark| Some((mark.name()?, mark))).collect();
        let longest = names.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        if longest == 0 {
            return;
        }
        let size = [0.68 * font * longest as f64 + 3.4 * font, 1.35 * font * names.len() as f64 + 0.5 * font];
        let [right, lower] = self.emptiest_corner(scale, size);
        let place = |i: usize, far: bool| {
            let gap = 0.5 * font;
            if far { scale.corner[i] + scale.size[i] - size[i] - gap } else { scale.corner[i] + gap }
        };
        let [x, y] = [place(0, right), place(1, lower)];
        svg.rect([x, y], size, "#FFFFFF");
        svg.frame([x, y], size, GRID);
        for (i, (name, mark)) in names.into_iter().enumerate() {
            let base = y + 1.35 * font * (i as f64 + 1.0);
            let sample = [[x + 0.5 * font, base - 0.35 * font], [x + 2.5 * font, base - 0.35 * font]];
            match mark {
                Mark::Line { style, .. } => line(svg, &sample, *style),
                Mark::Dots { style, .. } => dot(svg, [x + 1.5 * font, sample[0][1]], *style),
                _ => {}
            }
            svg.text([x + 3.0 * font, base], font, Anchor::Start, name);
        }
    }

    /// Where a legend of this size hides the fewest points: whether at the right, and whether below.
    fn emptiest_corner(&self, scale: &Scale, size: [f64; 2]) -> [bool; 2] {
        let near = |v: f64, i: usize, far: bool| {
            let v = (v - scale.corner[i]) / scale.size[i];
            let part = size[i] / scale.size[i] + 0.05;
            if far { v > 1.0 - part } else { v < part }
        };
        let hidden = |&[right, lower]: &[bool; 2]| {
            let at = |p: Point| scale.at(p);
            self.marks
                .iter()
                .filter(|mark| !matches!(mark, Mark::Shade { .. }))
                .flat_map(Mark::points)
                .map(at)
                .filter(|p| near(p[0], 0, right) && near(p[1], 1, lower))
                .count()
        };
        let corners = [[true, false], [true, true], [false, false], [false, true]];
        corners.into_iter().min_by_key(hidden).expect("there are four")
    }
}

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

    fn draw(&self, svg: &mut Svg, scale: &Scale) {
        match self {
            Mark::Line { points, style, .. } => {
                for run in points.split(|(_, y)| !y.is_finite()) {
                    let at: Vec<[f64; 2]> = run.iter().map(|&p| scale.at(p)).collect();
                    match at[..] {
                        [] => {}
                        [one] => svg.circle(one, 3.0, COLORS[style % 4]),
                        _ => line(svg, &at, *style),
                    }
                }
            }
            Mark::Dots { points, style, .. } => points.iter().for_each(|&p| dot(svg, scale.at(p), *style)),
            Mark::Bars { width, bars } => {
                for &(x, y) in bars.iter().filter(|(_, y)| *y > 0.0) {
                    let ([left, top], [right, bottom]) = (scale.at((x, y)), scale.at((x + width, 0.0)));
                    svg.rect([left, top], [right - left, bottom - top], COLORS[0]);
                }
            }
            Mark::Arrows(arrows) => arrows.iter().for_each(|&(from, by)| {
                arrow(svg, scale.at(from), scale.at((from.0 + by.0, from.1 + by.1)));
            }),
            Mark::Shade { size, cells } => {
                svg.begin_pixels();
                for &((x, y), ink) in cells.iter().filter(|(_, ink)| *ink > 0.0) {
                    let upper_left = scale.at((x - size.0 / 2.0, y + size.1 / 2.0));
                    let lower_right = scale.at((x + size.0 / 2.0, y - size.1 / 2.0));
                    // A little more, so that rounding leaves no gaps.
                    let wide = [0, 1].map(|i| lower_right[i] - upper_left[i] + 0.5);
                    svg.rect(upper_left, wide, &grey(0.3 * ink));
                }
                svg.end();
            }
            Mark::Thin(lines) => {
                lines.iter().for_each(|line| svg.polyline(&line.map(|p| scale.at(p)), "#969696", ""));
            }
        }
    }
}

fn line(svg: &mut Svg, at: &[[f64; 2]], style: usize) {
    // After four lines the same colours come again, with other dashes.
    let dashes = DASHES[(style + style / 4) % 4];
    svg.polyline(at, COLORS[style % 4], &format!("stroke-width=\"2\"{dashes}"));
}

/// A disc, a square, a triangle or a diamond.
fn dot(svg: &mut Svg, [x, y]: [f64; 2], style: usize) {
    let color = COLORS[style % 4];
    let around = |corners: &[[f64; 2]]| corners.iter().map(|c| [x + c[0], y + c[1]]).collect::<Vec<_>>();
    match style % 4 {
        0 => svg.circle([x, y], 4.0, color),
        1 => svg.rect([x - 3.5, y - 3.5], [7.0, 7.0], color),
        2 => svg.polygon(&around(&[[0.0, -5.0], [4.5, 4.0], [-4.5, 4.0]]), color, "none"),
        _ => svg.polygon(&around(&[[0.0, -5.0], [5.0, 0.0], [0.0, 5.0], [-5.0, 0.0]]), color, "none"),
    }
}

fn arrow(svg: &mut Svg, from: [f64; 2], to: [f64; 2]) {
    let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
    let length = dx.hypot(dy);
    if length < 0.5 {
        return;
    }
    let head = (0.4 * length).min(5.0) / length;
    let back = [to[0] - head * dx, to[1] - head * dy];
    let aside = [-0.5 * head * dy, 0.5 * head * dx];
    svg.polyline(&[from, back], INK, "");
    svg.polygon(
        &[to, [back[0] + aside[0], back[1] + aside[1]], [back[0] - aside[0], back[1] - aside[1]]],
        INK,
        INK,
    );
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

/// About so many round numbers in a range, each with its label.
fn ticks((low, high): Point, count: usize, log: bool) -> Vec<(f64, String)> {
    let least = (high - low) / count.max(1) as f64;
    let power = 10f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= least);
    let step = step.unwrap_or(10.0 * power).max(if log { 1.0 } else { 0.0 });
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let large = low.abs().max(high.abs());
    let label = |v: f64| match large {
        _ if log => format!("1e{v}"),
        1e-3..1e5 => format!("{v:.decimals$}"),
        // What rounding left of 0, and of round numbers, is not shown.
        _ if v.abs() < 1e-3 * step => "0".to_owned(),
        _ => format!("{v:.1e}").replace(".0e", "e"),
    };
    // The thousandth part keeps a tick at an end that rounding has moved.
    let (first, last) = ((low / step - 1e-3).ceil() as i64, (high / step + 1e-3).floor() as i64);
    (first..=last).map(|k| k as f64 * step).map(|v| (v, label(v))).collect()
}
