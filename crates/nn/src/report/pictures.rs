//! Small pictures of examples, each with a caption.

use super::html::{count, number, png_address, text};
use crate::data::images::encode;
use gradus_autograd::{ops::pool::Pooling, prelude::PoolOptions};
use gradus_tensor::Tensor;
use png::ColorType;
use std::fmt::Write;

/// At most so many pictures are shown, and none with more pixels along a side.
const MOST: usize = 60;
const SIDE: usize = 128;

/// Pictures `[n, h, w]`, `[n, 1, h, w]` or `[n, 3, h, w]` with as many captions.
#[track_caller]
pub(super) fn html(pictures: &Tensor, captions: &[impl AsRef<str>]) -> String {
    let (n, channels, h, w) = match pictures.shape()[..] {
        [n, h, w] => (n, 1, h, w),
        [n, channels @ (1 | 3), h, w] => (n, channels, h, w),
        _ => panic!("report: pictures are [n, h, w], [n, 1, h, w] or [n, 3, h, w], not {}", pictures.shape()),
    };
    assert!(n == captions.len(), "report: {n} pictures with {} captions", captions.len());
    if n == 0 || h == 0 || w == 0 {
        return "<p class=\"empty\">no pictures</p>\n".into();
    }
    let shown = pictures.reshape([n, channels, h, w]).slice(0, 0..n.min(MOST));
    // Each pixel of a smaller picture is the mean of those that lie under it.
    let step = h.max(w).div_ceil(SIDE);
    let small = if step > 1 { shrunk(&shown, step) } else { shown };
    let (low, high) = range(&small);
    let mut out = String::new();
    if n > MOST {
        let _ = writeln!(out, "<p>The first {MOST} of {}.</p>", count(n, "picture"));
    }
    if (low, high) != (0.0, 1.0) {
        let _ = writeln!(
            out,
            "<p class=\"dim\">Black is {}, white {}.</p>",
            number(low.into()),
            number(high.into())
        );
    }
    out.push_str("<div class=\"pictures\">");
    for (i, caption) in captions.iter().enumerate().take(MOST) {
        let file = file(&small.select(0, i as isize), low, high);
        let caption = text(caption.as_ref());
        let _ = write!(
            out,
            "<figure><img class=\"pixels\" src=\"{}\" alt=\"{caption}\"><figcaption>{caption}</figcaption></figure>",
            png_address(&file)
        );
    }
    out + "</div>\n"
}

/// From 0 to 1, where the pixels lie there; else from the least to the greatest.
fn range(pictures: &Tensor) -> (f32, f32) {
    let finite = || pictures.iter().filter(|x| x.is_finite());
    let (least, greatest) =
        (finite().fold(f32::INFINITY, f32::min), finite().fold(f32::NEG_INFINITY, f32::max));
    if least >= 0.0 && greatest <= 1.0 || least >= greatest { (0.0, 1.0) } else { (least, greatest) }
}

/// The means of squares of `step` pixels; what lies at the right and the lower edge beside them is left out.
fn shrunk(pictures: &Tensor, step: usize) -> Tensor {
    let sides = [-2, -1].map(|axis| step.min(pictures.size(axis)));
    pictures.avg_pool2d(PoolOptions::new(sides))
}

fn file(picture: &Tensor, low: f32, high: f32) -> Vec<u8> {
    let (channels, h, w) = (picture.size(0), picture.size(1), picture.size(2));
    let byte =
        |x: f32| (255.0 * ((x / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0)).clamp(0.0, 1.0)).round() as u8;
    let bytes: Vec<u8> = picture.reshape([channels, h * w]).t().iter().map(byte).collect();
    let color = if channels == 1 { ColorType::Grayscale } else { ColorType::Rgb };
    encode([w, h], color, &bytes).expect("a picture with pixels, in memory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine, prelude::BASE64_STANDARD};
    use gradus_tensor::Rng;

    /// The pixels of all pictures of a page, by the reader of PNG files.
    fn pixels(page: &str) -> Vec<Vec<u8>> {
        let files = page.split("base64,").skip(1).map(|rest| rest.split('"').next().unwrap());
        files
            .map(|text| {
                let bytes = BASE64_STANDARD.decode(text).unwrap();
                let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
                let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
                reader.next_frame(&mut pixels).unwrap();
                pixels
            })
            .collect()
    }

    #[test]
    fn pictures_keep_their_pixels() {
        let grey = Tensor::from([[[0.0, 0.2], [0.4, 1.0]], [[1.0, 1.0], [0.0, f32::NAN]]]);
        let page = html(&grey, &["a<b", "\"c\" & d"]);
        assert_eq!(pixels(&page), [[0, 51, 102, 255], [255, 255, 0, 0]]);
        assert!(
            page.contains("alt=\"a&lt;b\"") && page.contains("<figcaption>&quot;c&quot; &amp; d<"),
            "{page}"
        );
        assert!(!page.contains("Black is"));
        // Red, green, blue of one pixel; normalised ones are brought between their ends.
        let colored = Tensor::from([[[[-1.0]], [[0.0]], [[3.0]]]]);
        let page = html(&colored, &["x"]);
        assert_eq!(pixels(&page), [[0, 64, 255]]);
        assert!(page.contains("Black is −1, white 3"), "{page}");
    }

    #[test]
    fn ten_megabytes_of_pictures_become_a_page_that_can_be_sent() {
        let pictures = Tensor::uniform([80, 3, 100, 1000], 0.0, 1.0, &mut Rng::seed(0));
        let captions: Vec<String> = (0..80).map(|i| i.to_string()).collect();
        let page = html(&pictures, &captions);
        assert_eq!(page.matches("<img").count(), MOST);
        assert!(page.contains("The first 60 of 80 pictures") && page.len() < 4 << 20, "{}", page.len());
        assert_eq!(pixels(&page)[0].len(), 3 * 12 * 125);
        // 8 by 8 pixels of one shade keep it.
        let page = html(&Tensor::full([1, 200, 200], 0.6), &["x"]);
        assert!(pixels(&page)[0].iter().all(|&shade| shade == 153));
    }

    #[test]
    fn no_pictures_are_said() {
        assert!(html(&Tensor::zeros([0, 8, 8]), &[""; 0]).contains("no pictures"));
    }
}
