//! Augmentation: changed images that keep their labels, drawn anew for every batch.
//!
//! All take images `[n, c, h, w]`, and each image is changed by a draw of its own.

use gradus_tensor::{OrFail, Rng, Shape, Tensor, list};

/// Each image shifted by up to `pixels` up or down and left or right, with zeros where it has gone.
///
/// ```
/// # use gradus_nn::data::augment::shift;
/// # use gradus_tensor::{Rng, Tensor};
/// let images = Tensor::ones([2, 1, 8, 8]);
/// assert_eq!(shift(&images, 2, &mut Rng::seed(0)).shape(), images.shape());
/// ```
///
/// # Panics
/// When the images have not four axes.
#[track_caller]
pub fn shift(images: &Tensor, pixels: usize, rng: &mut Rng) -> Tensor {
    let [_, _, h, w] = sizes("shift", images);
    crop(images, [h, w], pixels, rng)
}

/// A part of `[h, w]` pixels of each image, at a random place, after `padding` zeros were put around it.
///
/// # Panics
/// When the images have not four axes, or with their padding are smaller than the part.
///
/// ```
/// use gradus_nn::data::augment::crop;
/// use gradus_tensor::{Rng, Tensor};
/// let images = Tensor::ones([8, 3, 32, 32]);
/// assert_eq!(crop(&images, [28, 28], 2, &mut Rng::seed(0)).shape(), &[8, 3, 28, 28]);
/// ```
#[track_caller]
pub fn crop(images: &Tensor, [h, w]: [usize; 2], padding: usize, rng: &mut Rng) -> Tensor {
    let [n, c, full_h, full_w] = sizes("crop", images);
    let padded = |size: usize| size.saturating_add(padding.saturating_mul(2));
    assert!(
        h <= padded(full_h) && w <= padded(full_w),
        "crop: a part of {h} by {w} pixels is larger than images of {full_h} by {full_w} with {padding} around them"
    );
    let most = isize::MAX as usize / 4;
    assert!(padding <= most, "crop: {padding} pixels around images of {full_h} by {full_w} are too many");
    rearranged(images, [n, c, h, w], || {
        let top = rng.below(padded(full_h) - h + 1) as isize - padding as isize;
        let left = rng.below(padded(full_w) - w + 1) as isize - padding as isize;
        move |row, column| (row as isize + top, column as isize + left)
    })
}

/// Each image mirrored left to right, with probability one half.
///
/// # Panics
/// When the images have not four axes.
///
/// ```
/// use gradus_nn::data::augment::flip;
/// use gradus_tensor::{Rng, Tensor};
/// let pair = Tensor::from([[[[1.0, 2.0]]]]);
/// let flipped = flip(&pair, &mut Rng::seed(0)).to_vec();
/// assert!(flipped == [1.0, 2.0] || flipped == [2.0, 1.0]);
/// ```
#[track_caller]
pub fn flip(images: &Tensor, rng: &mut Rng) -> Tensor {
    let [n, c, h, w] = sizes("flip", images);
    rearranged(images, [n, c, h, w], || {
        let mirrored = rng.below(2) == 1;
        move |row, column| (row as isize, if mirrored { w - 1 - column } else { column } as isize)
    })
}

#[track_caller]
fn sizes(op: &str, images: &Tensor) -> [usize; 4] {
    let shape = images.shape();
    match shape[..].try_into() {
        Ok(sizes) => sizes,
        Err(_) => panic!("{op}: images are [n, c, h, w], not {shape}"),
    }
}

/// Images of this shape; `draw` is called once an image and tells where each pixel comes from: 0 from outside.
#[track_caller]
fn rearranged<F: Fn(usize, usize) -> (isize, isize)>(
    images: &Tensor,
    [n, c, h, w]: [usize; 4],
    mut draw: impl FnMut() -> F,
) -> Tensor {
    let (full_h, full_w) = (images.shape()[2], images.shape()[3]);
    let images = images.contiguous();
    let from = images.as_slice().expect("made contiguous above");
    let shape = Shape::from([n, c, h, w]).affordable("crop").or_fail();
    let mut elements = list("crop", shape.numel()).or_fail();
    for image in 0..n {
        let source = draw();
        for plane in 0..c {
            let start = (image * c + plane) * full_h * full_w;
            for row in 0..h {
                elements.extend((0..w).map(|column| match source(row, column) {
                    (y, x) if (0..full_h as isize).contains(&y) && (0..full_w as isize).contains(&x) => {
                        from[start + y as usize * full_w + x as usize]
                    }
                    _ => 0.0,
                }));
            }
        }
    }
    Tensor::new(elements, shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_autograd::prelude::*;
    use std::collections::HashSet;

    /// Images whose pixels are all different and not 0.
    fn images() -> Tensor {
        Tensor::arange(50 * 2 * 4 * 3).reshape([50, 2, 4, 3]) + 1.0
    }

    fn image(images: &Tensor, i: usize) -> Tensor {
        images.select(0, i as isize)
    }

    #[test]
    fn a_flipped_image_is_itself_or_its_mirror_image() {
        let (before, after) = (images(), flip(&images(), &mut Rng::seed(1)));
        let mirrored = |i| image(&after, i) == image(&before, i).flip(2);
        assert!((0..50).all(|i| mirrored(i) || image(&after, i) == image(&before, i)));
        let count = (0..50).filter(|&i| mirrored(i)).count();
        // Four standard deviations of 50 throws of a coin.
        assert!((11..=39).contains(&count), "{count}");
    }

    #[test]
    fn a_shifted_image_is_one_of_all_shifts_for_all_channels() {
        let (before, after) = (images(), shift(&images(), 1, &mut Rng::seed(2)));
        let mut seen = HashSet::new();
        for i in 0..50 {
            let padded = image(&before, i).pad([(0, 0), (1, 1), (1, 1)], Padding::Constant(0.0));
            let shifts = (0..3).flat_map(|y| (0..3).map(move |x| (y, x)));
            let found =
                shifts.filter(|&(y, x)| padded.slice(1, y..y + 4).slice(2, x..x + 3) == image(&after, i));
            seen.extend(found);
        }
        assert_eq!(
            seen.len(),
            9,
            "50 draws miss one of 9 shifts with probability 0.02, and this seed does not"
        );
    }

    #[test]
    fn crops_lie_inside_and_reach_every_place() {
        let after = crop(&images(), [2, 3], 0, &mut Rng::seed(3));
        assert_eq!(after.shape(), &[50, 2, 2, 3]);
        let tops: HashSet<usize> = (0..50)
            .map(|i| (0..3).find(|&y| image(&images(), i).slice(1, y..y + 2) == image(&after, i)).unwrap())
            .collect();
        assert_eq!(tops.len(), 3);
        let same = |seed| crop(&images(), [2, 2], 1, &mut Rng::seed(seed));
        assert!(same(1) == same(1) && same(1) != same(2));
    }

    #[test]
    fn sizes_that_do_not_fit_panic() {
        let message = |f: &dyn Fn() -> Tensor| {
            let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(f()))).unwrap_err();
            *payload.downcast::<String>().unwrap()
        };
        let text = message(&|| crop(&images(), [5, 3], 0, &mut Rng::seed(0)));
        assert!(text.contains("a part of 5 by 3 pixels is larger than images of 4 by 3"), "{text}");
        let text = message(&|| flip(&Tensor::zeros([2, 3]), &mut Rng::seed(0)));
        assert_eq!(text, "flip: images are [n, c, h, w], not [2, 3]");
    }
}
