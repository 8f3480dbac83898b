//! Images read at any places, as spatial transformers do (M. Jaderberg and others, 2015).

use crate::{
    op::prelude::*,
    ops::{methods::*, shape::Padding},
};
use gradus_tensor::Indices;

/// What [`grid_sample`](GridSampling::grid_sample) reads at a place between pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GridMode {
    /// The four pixels around it, each with the share that the opposite part of the square between them has.
    Bilinear,
    /// The nearest pixel; in the middle of two the one with an even number.
    Nearest,
}

/// What [`grid_sample`](GridSampling::grid_sample) reads outside the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GridPadding {
    /// Zeros.
    Zeros,
    /// The pixel at the border that is nearest.
    Border,
    /// The image, reflected at its borders as often as need be.
    Reflection,
}

/// Images read at places that are themselves values, with gradients by both.
pub trait GridSampling: Value {
    /// Images `[n, c, h, w]` read at the places of a grid `[n, rows, columns, 2]`: `[n, c, rows, columns]`.
    ///
    /// A place is first its column, then its row, as numbers from -1 to 1: with `align_corners` these are the centres of the
    /// outer pixels, without it the outer edges of the image. For the column `i` and row `j` in pixels that this means,
    /// between the pixels `k ≤ i < k + 1` and `l ≤ j < l + 1`, bilinear is
    ///
    /// `y = (1-a) (1-b) x[l, k] + a (1-b) x[l, k+1] + (1-a) b x[l+1, k] + a b x[l+1, k+1]` with `a = i - k, b = j - l`
    ///
    /// `dx` adds each element of g, times their shares, to the pixels that it came from; `da`, which is `di`, is
    /// `g ((1-b) (x[l, k+1] - x[l, k]) + b (x[l+1, k+1] - x[l+1, k]))`, and `db` likewise. A place exactly on a pixel has the
    /// slope to the next column and row; where the border of the image holds it, the gradient is 0 from the border on; where
    /// it is reflected, it has the other sign. With the nearest pixel the grid has no gradient.
    ///
    /// A NaN in a place gives NaN, and no gradient; so does infinity where it would be reflected.
    ///
    /// On the way there are two copies of the images, with a row of zeros below and as rows of channels, and for bilinear the
    /// four pixels around each place, once as they are and once by their shares.
    ///
    /// # Panics
    /// When the images have not four axes or no pixels, or the grid is not one of places for as many images.
    ///
    /// ```
    /// use gradus_autograd::{ops::grid_sample::{GridMode, GridPadding}, prelude::*};
    /// let tape = Tape::new();
    /// let x = tape.constant([[[[1.0, 3.0, 7.0]]]]);
    /// let grid = tape.var([[[[-0.5, 0.0], [0.25, 0.0], [3.0, 0.0]]]]);
    /// let y = x.grid_sample(&grid, GridMode::Bilinear, GridPadding::Zeros, true);
    /// assert_eq!(y.value().to_vec(), [2.0, 4.0, 0.0]);
    /// assert_eq!(y.sum().backward()[grid].select(-1, 0).to_vec(), [2.0, 4.0, 0.0]);
    /// ```
    #[track_caller]
    fn grid_sample(&self, grid: &Self, mode: GridMode, padding: GridPadding, align_corners: bool) -> Self {
        let (shape, places) = (self.shape(), grid.shape());
        let (&[n, channels, h, w], &[same, rows, columns, 2]) = (&shape[..], &places[..]) else {
            return refuse(&shape, &places);
        };
        if same != n || h == 0 || w == 0 {
            return refuse(&shape, &places);
        }
        let points = n * rows * columns;
        let places = grid.reshape([points, 2]);
        let i = in_pixels(&places.slice(1, ..1), w, padding, align_corners);
        let j = in_pixels(&places.slice(1, 1..), h, padding, align_corners);
        let nan = i.to_tensor().zip(&j.to_tensor(), |i, j| if i.is_nan() || j.is_nan() { 1.0 } else { 0.0 });
        let any_nan = nan.iter().any(|x| x != 0.0);
        let nan = if any_nan { Some(self.place().constant(nan)) } else { None };
        let (i, j) = match &nan {
            Some(nan) => (i.masked_fill(nan, 0.0), j.masked_fill(nan, 0.0)),
            None => (i, j),
        };
        // Pixels as rows of channels. Below each image there is a row of zeros for what lies outside: beside the last pixel
        // of a border too, where the share is 0 but 0 times an infinite pixel would be NaN.
        let x = self.pad([(0, 0), (0, 0), (0, 1), (0, 0)], Padding::Constant(0.0));
        let table = x.permute([0, 2, 3, 1]).reshape([n * (h + 1) * w, channels]);
        let pixels = Pixels { size: [h, w], per_image: rows * columns };
        let y = match mode {
            GridMode::Nearest => {
                let [i, j] = [&i, &j].map(|place| place.to_tensor().map(f32::round_ties_even));
                table.index_select(0, &pixels.beside(&i, &j, &[[0.0, 0.0]]))
            }
            GridMode::Bilinear => {
                let (k, l) = (i.floor(), j.floor());
                let corners = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]];
                let seen = table.index_select(0, &pixels.beside(&k.to_tensor(), &l.to_tensor(), &corners));
                let (a, b) = (i - k, j - l);
                let (before, above) = (c(1.0) - a.clone(), c(1.0) - b.clone());
                let shares = [&before * &above, &a * &above, &before * &b, &a * &b];
                let shares = Self::concat(&shares.each_ref(), 0).reshape([4, points, 1]);
                (seen * shares).sum_axes(0, false)
            }
        };
        let y = y.reshape([n, rows, columns, channels]).permute([0, 3, 1, 2]);
        match nan {
            Some(nan) => y.masked_fill(&nan.reshape([n, 1, rows, columns]), f32::NAN),
            None => y,
        }
    }

    /// The grid of places for [`grid_sample`](GridSampling::grid_sample) that affine maps `[n, 2, 3]` send the places of an
    /// image of height and width `size` to: `[n, height, width, 2]`.
    ///
    /// `y[n, j, i] = θ[n] · (column of i, row of j, 1)`, both from -1 to 1, as in `grid_sample`; those of a single row or
    /// column are 0
    ///
    /// # Panics
    /// When this has not the shape `[n, 2, 3]`.
    ///
    /// ```
    /// use gradus_autograd::{ops::grid_sample::{GridMode, GridPadding}, prelude::*};
    /// let x = Tensor::from([[[[1.0, 2.0], [3.0, 4.0]]]]);
    /// let quarter_turn = Tensor::from([[[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]]);
    /// let grid = quarter_turn.affine_grid([2, 2], false);
    /// let y = x.grid_sample(&grid, GridMode::Bilinear, GridPadding::Zeros, false);
    /// assert_eq!(y, Tensor::from([[[[3.0, 1.0], [4.0, 2.0]]]]));
    /// ```
    #[track_caller]
    fn affine_grid(&self, size: [usize; 2], align_corners: bool) -> Self {
        let (shape, [h, w]) = (self.shape(), size);
        let &[n, 2, 3] = &shape[..] else {
            ShapeError::new(format!("affine_grid: shape {shape} is not that of affine maps: [n, 2, 3]"))
                .fail()
        };
        let place = |at: usize, size: usize| match align_corners {
            _ if size == 1 => 0.0,
            true => 2.0 * at as f64 / (size - 1) as f64 - 1.0,
            false => (2 * at + 1) as f64 / size as f64 - 1.0,
        };
        Shape::from([n, h, w, 2]).affordable("affine_grid").or_fail();
        let places = Tensor::from_fn([h.saturating_mul(w), 3], |index| match index[1] {
            0 => place(index[0] % w, w) as f32,
            1 => place(index[0] / w, h) as f32,
            _ => 1.0,
        });
        self.place().constant(places).matmul(&self.t()).reshape([n, h, w, 2])
    }
}

impl<V: Value> GridSampling for V {}

/// The pixels of images as rows of a table, in which each image has a row of pixels more, for what lies outside.
struct Pixels {
    /// Height and width of an image.
    size: [usize; 2],
    /// How many places there are for each image.
    per_image: usize,
}

impl Pixels {
    /// For each step (columns, rows) the rows of the table with the pixels so far from the places (i, j): `[steps, places]`.
    fn beside(&self, i: &Tensor, j: &Tensor, steps: &[[f32; 2]]) -> Indices {
        let [h, w] = self.size;
        let mut pixels = Vec::with_capacity(steps.len() * i.numel());
        for [right, down] in steps {
            for (point, (i, j)) in i.iter().zip(j.iter()).enumerate() {
                let (i, j) = (i + right, j + down);
                let inside = (0.0..w as f32).contains(&i) && (0.0..h as f32).contains(&j);
                let (row, column) = if inside { (j as usize, i as usize) } else { (h, 0) };
                pixels.push((point / self.per_image * (h + 1) + row) * w + column);
            }
        }
        Indices::from(pixels).reshape([steps.len(), i.numel()])
    }
}

#[track_caller]
fn refuse<V>(images: &[usize], grid: &[usize]) -> V {
    ShapeError::new(format!(
        "grid_sample: images {images:?} and grid {grid:?}: they must be [n, channels, height, width], with pixels, \
         and [n, rows, columns, 2]"
    ))
    .fail()
}

/// Places from -1 to 1 along an axis of `size` pixels in pixels, brought to where the padding has something to read.
#[track_caller]
fn in_pixels<V: Value>(place: &V, size: usize, padding: GridPadding, align_corners: bool) -> V {
    let (last, size) = ((size - 1) as f32, size as f32);
    let pixels = match align_corners {
        true => (place + 1.0) * (last / 2.0),
        false => ((place + 1.0) * size - 1.0) / 2.0,
    };
    match padding {
        // Two pixels outside is as zero as all that is further away; one outside still sees the first, with a share of 0.
        GridPadding::Zeros => pixels.clamp(-2.0, size),
        GridPadding::Reflection if size > 1.0 || !align_corners => {
            let (mirror, span) = if align_corners { (0.0, last) } else { (-0.5, size) };
            let round_trip = (pixels - mirror).remainder(&place.place().constant(2.0 * span));
            let inside = c(span) - (round_trip - span).abs() + mirror;
            inside.hardtanh(0.0, last)
        }
        _ => pixels.hardtanh(0.0, last),
    }
}
