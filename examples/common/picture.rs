//! What all pictures have in common: an SVG file that plotters draws, its inks and its texts.

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use std::{error::Error, path::Path};

pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The colour of texts and axes, that of grids and frames, and colours that are told apart in all kinds of colour
/// vision. In grey they are not: lines that have them have dashes too.
pub(crate) const INK: RGBColor = RGBColor(50, 50, 50);
pub(crate) const GRID: RGBColor = RGBColor(220, 220, 220);
pub(crate) const COLORS: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167)];

/// A grey, from 0 for paper to 1 for ink.
pub(crate) fn grey(ink: f64) -> RGBColor {
    let shade = 255 - (255.0 * ink.clamp(0.0, 1.0)).round() as u8;
    RGBColor(shade, shade, shade)
}

/// A text of this size, which is about its point in the middle of its height and, across, as `across` says.
pub(crate) fn text(size: f64, across: HPos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK).pos(Pos::new(across, VPos::Center))
}

/// Draws an SVG file of this size with a title.
pub(crate) fn picture(
    path: impl AsRef<Path>,
    (width, height): (usize, usize),
    title: &str,
    draw: impl FnOnce(&Area<'_>) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (width as u32, height as u32)).into_drawing_area();
        root.fill(&WHITE)?;
        root.draw(&Text::new(title, (width as i32 / 2, 24), text(25.0, HPos::Center)))?;
        draw(&root)?;
        root.present()?;
    }
    // Pixels have sharp edges at every zoom.
    let svg = svg.replacen("<rect", "<style>rect { shape-rendering: crispEdges }</style>\n<rect", 1);
    // What says only the default is a third of the file.
    let svg = svg.replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", "");
    Ok(gradus::nn::write_atomically(path, svg)?)
}
