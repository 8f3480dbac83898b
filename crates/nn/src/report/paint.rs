//! Pictures that are made here: two inks, thick or thin, on the page's own paper.

use crate::data::images::encode;
use png::ColorType;

/// Inks that can be seen on light and on dark paper, and told apart in all kinds of colour vision.
pub(super) const BLUE: [u8; 3] = [46, 134, 208];
pub(super) const ORANGE: [u8; 3] = [224, 114, 28];

/// A PNG file: of each pixel, by column and row, the ink, and how thick it is, from 0 to 1.
pub(super) fn paint([w, h]: [usize; 2], pixel: impl Fn(usize, usize) -> ([u8; 3], f64)) -> Vec<u8> {
    let bytes: Vec<u8> = (0..w * h)
        .flat_map(|i| {
            let ([r, g, b], thick) = pixel(i % w, i / w);
            [r, g, b, (255.0 * thick).round() as u8]
        })
        .collect();
    encode([w, h], ColorType::Rgba, &bytes).expect("a picture with pixels, in memory")
}
