//! Grids of small pictures.

use super::picture::{grey, picture, text};
use gradus::tensor::Tensor;
use plotters::{prelude::*, style::text_anchor::HPos};
use std::{error::Error, path::Path};

/// Shades from paper to ink: as many as the 8 x 8 digits have.
const LEVELS: u8 = 16;
/// About how large a picture is drawn, and how wide the whole grid may be, in pixels.
const PICTURE: usize = 84;
const WIDTH: usize = 900;
const MARGIN: usize = 16;

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
    let widest = captions.iter().map(|caption| 7 * caption.chars().count()).max().unwrap_or(0);
    let (cell_width, cell_height) = (widest.max(PICTURE) + MARGIN, PICTURE + 20 + MARGIN);
    let columns = (WIDTH / cell_width).clamp(1, images.len().max(1));
    let width = (columns * cell_width).max(12 * title.chars().count()) + MARGIN;
    let top = 48;
    let height = top + images.len().div_ceil(columns) * cell_height;
    picture(path, (width, height), title, |root| {
        for (i, (image, caption)) in images.iter().zip(captions).enumerate() {
            let left = (width - columns * cell_width) / 2 + i % columns * cell_width;
            let (middle, y) = ((left + cell_width / 2) as i32, (top + i / columns * cell_height) as i32);
            let (h, w) = (image.size(-2), image.size(-1));
            let scale = (PICTURE / h.max(w).max(1)).max(1) as i32;
            let x = middle - w as i32 * scale / 2;
            let at = |column: usize, row: usize| (x + column as i32 * scale, y + row as i32 * scale);
            let end = at(w, h);
            root.draw(&Rectangle::new([(x - 1, y - 1), end], grey(0.2)))?;
            for run in runs(image) {
                let ink = grey(f64::from(run.level) / f64::from(LEVELS));
                let corners = [at(run.start, run.row), at(run.end, run.row + 1)];
                root.draw(&Rectangle::new(corners, ink.filled()))?;
            }
            root.draw(&Text::new(caption.as_str(), (middle, end.1 + 12), text(15.0, HPos::Center)))?;
        }
        Ok(())
    })
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

/// Writes pictures as one PNG image, so many in a row, with `scale` pixels for each of theirs and lines between them. As
/// on paper, 0 is white.
pub(crate) fn mosaic(
    path: impl AsRef<Path>,
    images: &[Tensor],
    columns: usize,
    scale: usize,
) -> Result<(), Box<dyn Error>> {
    let Some(first) = images.first() else { return Ok(()) };
    let cell = [first.size(-2), first.size(-1)].map(|side| side * scale + 1);
    let rows = images.len().div_ceil(columns);
    let pixels: Vec<Vec<f32>> = images.iter().map(Tensor::to_vec).collect();
    let sheet = Tensor::from_fn([1, rows * cell[0] + 1, columns * cell[1] + 1], |at| {
        let ([row, y], [column, x]) =
            ([at[1] / cell[0], at[1] % cell[0]], [at[2] / cell[1], at[2] % cell[1]]);
        match pixels.get(row * columns + column) {
            Some(image) if row < rows && column < columns && x > 0 && y > 0 => {
                1.0 - image[(y - 1) / scale * first.size(-1) + (x - 1) / scale].clamp(0.0, 1.0)
            }
            _ => 0.7,
        }
    });
    Ok(gradus::nn::data::images::write(path, &sheet)?)
}
