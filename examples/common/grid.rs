//! Grids of small pictures.

use gradus::tensor::Tensor;
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use std::{error::Error, path::Path};

/// Shades from paper to ink: as many as the 8 x 8 digits have.
const LEVELS: u8 = 16;
/// About how large a picture is drawn, and how wide the whole grid may be, in pixels.
const PICTURE: usize = 84;
const WIDTH: usize = 900;
const MARGIN: usize = 16;
const INK: RGBColor = RGBColor(50, 50, 50);
const FONT: &str = "sans-serif";

/// Draws pictures with a caption under each into an SVG file. A picture is `[h, w]` or `[1, h, w]`, with 0 for paper
/// and 1 for ink.
pub(crate) fn digit_grid(
    path: impl AsRef<Path>,
    title: &str,
    images: &[Tensor],
    captions: &[String],
) -> Result<(), Box<dyn Error>> {
    assert_eq!(images.len(), captions.len(), "digit_grid: every picture has a caption");
    // No font is at hand to measure text with: 7 pixels are a wide character of the captions' size.
    let text = captions.iter().map(|caption| 7 * caption.chars().count()).max().unwrap_or(0);
    let (cell_width, cell_height) = (text.max(PICTURE) + MARGIN, PICTURE + 20 + MARGIN);
    let columns = (WIDTH / cell_width).clamp(1, images.len().max(1));
    let width = (columns * cell_width).max(12 * title.chars().count()) + MARGIN;
    let top = 48;
    let height = top + images.len().div_ceil(columns) * cell_height;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (width as u32, height as u32)).into_drawing_area();
        root.fill(&WHITE)?;
        let centred = |size: u32| (FONT, size).into_font().color(&INK).pos(Pos::new(HPos::Center, VPos::Top));
        root.draw(&Text::new(title, (width as i32 / 2, 14), centred(24)))?;
        for (i, (image, caption)) in images.iter().zip(captions).enumerate() {
            let left = (width - columns * cell_width) / 2 + i % columns * cell_width;
            let (middle, y) = ((left + cell_width / 2) as i32, (top + i / columns * cell_height) as i32);
            let (h, w) = (image.size(-2), image.size(-1));
            let scale = (PICTURE / h.max(w).max(1)).max(1) as i32;
            let x = middle - w as i32 * scale / 2;
            let bottom = (x + w as i32 * scale, y + h as i32 * scale);
            root.draw(&Rectangle::new([(x - 1, y - 1), (bottom.0, bottom.1)], RGBColor(205, 205, 205)))?;
            for run in runs(image) {
                let shade = 255 - (255 * u16::from(run.level) / u16::from(LEVELS)) as u8;
                let corners = [
                    (x + run.start as i32 * scale, y + run.row as i32 * scale),
                    (x + run.end as i32 * scale, y + (run.row + 1) as i32 * scale),
                ];
                root.draw(&Rectangle::new(corners, RGBColor(shade, shade, shade).filled()))?;
            }
            root.draw(&Text::new(caption.as_str(), (middle, bottom.1 + 6), centred(15)))?;
        }
        root.present()?;
    }
    // Pixels have sharp edges at every zoom; what says only the default is a third of the file.
    let svg = svg.replacen("<svg ", "<svg shape-rendering=\"crispEdges\" ", 1);
    let svg = svg.replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", "");
    Ok(gradus::nn::write_atomically(path, svg)?)
}

/// Pixels of one shade side by side, drawn as one rectangle.
struct Run {
    row: usize,
    start: usize,
    end: usize,
    level: u8,
}

/// The runs of a picture that are not paper.
fn runs(image: &Tensor) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let width = image.size(-1).max(1);
    for (i, pixel) in image.iter().enumerate() {
        let (row, column) = (i / width, i % width);
        let level = (pixel.clamp(0.0, 1.0) * f32::from(LEVELS)).round() as u8;
        match runs.last_mut() {
            Some(run) if run.row == row && run.end == column && run.level == level => run.end += 1,
            _ if level > 0 => runs.push(Run { row, start: column, end: column + 1, level }),
            _ => {}
        }
    }
    runs
}
