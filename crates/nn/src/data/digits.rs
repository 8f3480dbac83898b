//! Handwritten digits of 8 x 8 pixels, part of this crate: a real task without a download.
//!
//! They are the test part of "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak, UCI Machine Learning
//! Repository, 1998, <https://doi.org/10.24432/C50P49>), licensed CC BY 4.0.

use super::Dataset;
use flate2::read::GzDecoder;
use gradus_tensor::Tensor;
use std::io::Read;

/// One digit a line: 64 pixels of 0 to 16, row by row, and the label.
static CSV_GZ: &[u8] = include_bytes!("../../data/digits/digits.csv.gz");

/// The 1797 digits: images `[1797, 1, 8, 8]` with values in 0..=1, labels 0 to 9.
///
/// ```
/// # use gradus_nn::data::digits;
/// let digits = digits::load();
/// assert_eq!(digits.inputs().shape()[..], [1797, 1, 8, 8]);
/// ```
pub fn load() -> Dataset {
    let mut csv = String::new();
    GzDecoder::new(CSV_GZ).read_to_string(&mut csv).expect("the embedded file is whole");
    let mut pixels = Vec::new();
    let mut labels = Vec::new();
    for line in csv.lines() {
        let mut numbers = line.split(',').map(|number| number.parse::<u8>().expect("only small numbers"));
        pixels.extend(numbers.by_ref().take(64).map(|pixel| f32::from(pixel) / 16.0));
        labels.extend(numbers.map(i32::from));
    }
    Dataset::new(Tensor::new(pixels, [labels.len(), 1, 8, 8]), labels.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Crc;
    use std::fmt::Write;

    #[test]
    fn every_pixel_and_label_is_intact() {
        let digits = load();
        let mut csv = String::new();
        for i in 0..digits.len() {
            let (image, label) = digits.get(i);
            image.iter().for_each(|pixel| write!(csv, "{},", pixel * 16.0).unwrap());
            writeln!(csv, "{label}").unwrap();
        }
        // Length and CRC-32 of the unpacked source file, from Python's gzip and zlib.
        assert_eq!(csv.len(), 264_712);
        let mut crc = Crc::new();
        crc.update(csv.as_bytes());
        assert_eq!(crc.sum(), 0x2ebe3bb7);
    }

    /// What scikit-learn's `load_digits`, the same 1797 digits, is known for.
    #[test]
    fn counts_and_sum_are_those_of_the_known_set() {
        let digits = load();
        let mut counts = [0; 10];
        digits.labels().as_slice().iter().for_each(|&label| counts[label as usize] += 1);
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        assert_eq!(digits.inputs().iter().map(|pixel| f64::from(pixel) * 16.0).sum::<f64>(), 561_718.0);
        assert!(digits.inputs().iter().all(|pixel| (0.0..=1.0).contains(&pixel)));
    }

    #[test]
    fn the_first_is_a_zero_and_the_last_an_eight() {
        let digits = load();
        #[rustfmt::skip]
        let zero = [
            0., 0.,  5., 13.,  9.,  1., 0., 0.,
            0., 0., 13., 15., 10., 15., 5., 0.,
            0., 3., 15.,  2.,  0., 11., 8., 0.,
            0., 4., 12.,  0.,  0.,  8., 8., 0.,
            0., 5.,  8.,  0.,  0.,  9., 8., 0.,
            0., 4., 11.,  0.,  1., 12., 7., 0.,
            0., 2., 14.,  5., 10., 12., 0., 0.,
            0., 0.,  6., 13., 10.,  0., 0., 0.,
        ];
        #[rustfmt::skip]
        let eight = [
            0.,  0., 10., 14.,  8.,  1., 0., 0.,
            0.,  2., 16., 14.,  6.,  1., 0., 0.,
            0.,  0., 15., 15.,  8., 15., 0., 0.,
            0.,  0.,  5., 16., 16., 10., 0., 0.,
            0.,  0., 12., 15., 15., 12., 0., 0.,
            0.,  4., 16.,  6.,  4., 16., 6., 0.,
            0.,  8., 16., 10.,  8., 16., 8., 0.,
            0.,  1.,  8., 12., 14., 12., 1., 0.,
        ];
        assert_eq!(digits.get(0), (Tensor::new(zero, [1, 8, 8]) / 16.0, 0));
        assert_eq!(digits.get(1796), (Tensor::new(eight, [1, 8, 8]) / 16.0, 8));
    }
}
