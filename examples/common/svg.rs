//! Pictures in SVG: shapes and texts on a white ground.

use std::{error::Error, fmt::Write as _, path::Path};

/// The colour of texts and axes, that of grids and frames, and colours that are told apart in all kinds of colour
/// vision. In grey they are not: lines that have them have dashes too.
pub(crate) const INK: &str = "#323232";
pub(crate) const GRID: &str = "#DCDCDC";
pub(crate) const COLORS: [&str; 4] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"];

/// A grey, from 0 for paper to 1 for ink.
pub(crate) fn grey(ink: f64) -> String {
    let shade = 255 - (255.0 * ink.clamp(0.0, 1.0)).round() as u8;
    format!("#{shade:02X}{shade:02X}{shade:02X}")
}

/// Where a text stands about its point.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
    /// In the middle, and from below to above.
    Upward,
}

/// A picture that grows. Positions are in pixels, from the upper left corner.
pub(crate) struct Svg {
    text: String,
}

impl Svg {
    pub(crate) fn new(width: f64, height: f64) -> Svg {
        let text = format!(
            "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" xmlns=\"http://www.w3.org/2000/svg\">\n"
        );
        let mut svg = Svg { text };
        svg.rect([0.0, 0.0], [width, height], "#FFFFFF");
        svg
    }

    fn line(&mut self, line: String) {
        self.text += &line;
        self.text.push('\n');
    }

    /// A filled rectangle.
    pub(crate) fn rect(&mut self, [x, y]: [f64; 2], [w, h]: [f64; 2], fill: &str) {
        let [x, y, w, h] = [x, y, w, h].map(pixels);
        self.line(format!("<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" fill=\"{fill}\"/>"));
    }

    /// The lines around a rectangle.
    pub(crate) fn frame(&mut self, [x, y]: [f64; 2], [w, h]: [f64; 2], stroke: &str) {
        let [x, y, w, h] = [x, y, w, h].map(pixels);
        self.line(format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" fill=\"none\" stroke=\"{stroke}\"/>"
        ));
    }

    /// A line through points; `style` is what else SVG is to know of it, such as `stroke-width="2"`.
    pub(crate) fn polyline(&mut self, points: &[[f64; 2]], stroke: &str, style: &str) {
        let points = joined(points);
        self.line(format!("<polyline points=\"{points}\" fill=\"none\" stroke=\"{stroke}\" {style}/>"));
    }

    /// A filled area with lines around it.
    pub(crate) fn polygon(&mut self, points: &[[f64; 2]], fill: &str, stroke: &str) {
        let points = joined(points);
        self.line(format!("<polygon points=\"{points}\" fill=\"{fill}\" stroke=\"{stroke}\"/>"));
    }

    pub(crate) fn circle(&mut self, [x, y]: [f64; 2], radius: f64, fill: &str) {
        let [x, y] = [x, y].map(pixels);
        self.line(format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{fill}\"/>"));
    }

    /// A text of this height, on a base line at `y`.
    pub(crate) fn text(&mut self, [x, y]: [f64; 2], size: f64, anchor: Anchor, text: &str) {
        let [x, y] = [x, y].map(pixels);
        let anchor_name = match anchor {
            Anchor::Start => "start",
            Anchor::Middle | Anchor::Upward => "middle",
            Anchor::End => "end",
        };
        let turned = if anchor == Anchor::Upward {
            format!(" transform=\"rotate(-90 {x} {y})\"")
        } else {
            String::new()
        };
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        self.line(format!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" text-anchor=\"{anchor_name}\" fill=\"{INK}\"{turned}>\n{text}\n</text>"
        ));
    }

    /// What is drawn from here to `end` shows only within a rectangle.
    pub(crate) fn begin_clip(&mut self, [x, y]: [f64; 2], [w, h]: [f64; 2]) {
        // The length so far makes a name that no other has.
        let name = format!("c{}", self.text.len());
        let [x, y, w, h] = [x, y, w, h].map(pixels);
        self.line(format!(
            "<clipPath id=\"{name}\"><path d=\"M{x} {y}h{w}v{h}h-{w}z\"/></clipPath>\n<g clip-path=\"url(#{name})\">"
        ));
    }

    pub(crate) fn end(&mut self) {
        self.line("</g>".into());
    }

    /// What is drawn from here to `end` has sharp edges at every zoom, as pixels have.
    pub(crate) fn begin_pixels(&mut self) {
        self.line("<g shape-rendering=\"crispEdges\">".into());
    }

    pub(crate) fn write(mut self, path: impl AsRef<Path>) -> Result<(), Box<dyn Error>> {
        self.line("</svg>".into());
        Ok(gradus::nn::write_atomically(path, self.text)?)
    }
}

/// A hundredth of a pixel is enough.
fn pixels(x: f64) -> f64 {
    (x * 100.0).round() / 100.0
}

fn joined(points: &[[f64; 2]]) -> String {
    points.iter().fold(String::new(), |mut text, [x, y]| {
        let _ = write!(text, "{},{} ", pixels(*x), pixels(*y));
        text
    })
}
