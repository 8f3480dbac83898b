//! Images read at any places, as spatial transformers do (M. Jaderberg and others, 2015).

use crate::{
    op::prelude::*,
    ops::{methods::*, shape::Padding},
};
pub use gradus_tensor::{GridMode, GridPadding};
use gradus_tensor::{GridOptions, Indices};

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
        Self::apply(GridSample(GridOptions { mode, padding, align_corners }), &[self, grid])
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

/// Images `[n, c, h, w]` read at the places of a grid `[n, rows, columns, 2]`, as
/// [`grid_sample`](GridSampling::grid_sample) says.
#[derive(Clone, Copy, Debug)]
pub struct GridSample(pub GridOptions);

impl Op for GridSample {
    const NAME: &'static str = "grid_sample";
    const FORMULA: &'static str = "y = Σ share · pixel over the four pixels around a place, or the nearest pixel; \
                                   dx = Σ share · g over what saw the pixel; dplace = g Σ dshare/dplace · pixel";
    // A place is rounded before shares are made of it, and a sum of four may cancel.
    const PRECISION: Precision = Precision::UlpsOfLargest(64.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x, grid] = arity::<Self, _>(inputs);
        match (x, grid) {
            (&[n, channels, h, w], &[same, rows, columns, 2]) if same == n && h > 0 && w > 0 => {
                Ok(Shape::from([n, channels, rows, columns]).into())
            }
            _ => Err(ShapeError::new(format!(
                "grid_sample: images {x:?} and grid {grid:?}: they must be [n, channels, height, width], with pixels, \
                 and [n, rows, columns, 2]"
            ))),
        }
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (self.0.forward(inputs[0], inputs[1]).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x, grid], g) = (cx.inputs(), cx.cotangent());
        let seen = Seen::new(self.0, x, grid);
        let [n, channels, h, w] = seen.size;
        let points = seen.slopes[0].numel();
        let g = g.permute([0, 2, 3, 1]).reshape([points, channels]);
        let g = match &seen.nan {
            Some(nan) => g.masked_fill(nan, 0.0),
            None => g,
        };
        cx.add(0, || {
            let parts = match &seen.shares {
                None => g.clone(),
                Some(shares) => g.strong_mul(shares).reshape([4 * points, channels]),
            };
            let none = x.place().constant(Tensor::zeros([n * (h + 1) * w, channels]));
            let table = none.index_add(0, &seen.indices, &parts).reshape([n, h + 1, w, channels]);
            table.slice(1, ..h as isize).permute([0, 3, 1, 2])
        });
        if let Some([a, b]) = &seen.beyond {
            cx.add(1, || {
                let to_shares = seen.pixels(x).strong_mul(&g).sum_axes(-1, false);
                let to_share = |k: isize| to_shares.select(0, k).reshape([points, 1]);
                let [p, q, r, s] = [to_share(0), to_share(1), to_share(2), to_share(3)];
                let da = (c(1.0) - b.clone()) * (&q - &p) + b * (&s - &r);
                let db = (c(1.0) - a.clone()) * (r - p) + a * (s - q);
                let slope = |k: usize| x.place().constant(&seen.slopes[k]);
                V::concat(&[&slope(0).strong_mul(&da), &slope(1).strong_mul(&db)], 1).reshape(grid.shape())
            });
        }
    }

    fn backward_fused(&self, cx: &mut Backward<'_, Tensor>, _: &()) {
        let ([x, grid], g) = (cx.inputs(), cx.cotangent());
        cx.add(0, || self.0.backward_images(x.shape(), grid, &g));
        if self.0.mode == GridMode::Bilinear {
            cx.add(1, || self.0.backward_grid(x, grid, &g));
        }
    }

    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        let (x, grid) = (inputs[0], inputs[1]);
        let (&[n, channels, h, w], &[_, rows, columns, _]) = (x.shape(), grid.shape()) else {
            unreachable!("the shape rule asks for four axes")
        };
        let mut y = Array::full([n, channels, rows, columns], 0.0);
        for place in 0..n * rows * columns {
            let (image, row, column) = (place / (rows * columns), place / columns % rows, place % columns);
            let along = |k: usize, size, branches: &mut Branches<'_>| {
                in_pixels(grid.at(&[image, row, column, k]), size, self.0, branches)
            };
            let (i, j) = (along(0, w, branches), along(1, h, branches));
            let nearest = self.0.mode == GridMode::Nearest;
            let before = |x: f64| if nearest { x.round_ties_even() } else { x.floor() };
            let (k, l) = (branches.hold(before(i)), branches.hold(before(j)));
            let (a, b) = if nearest { (0.0, 0.0) } else { (i - k, j - l) };
            for channel in 0..channels {
                let pixel = |column: f64, row: f64| {
                    let inside = (0.0..w as f64).contains(&column) && (0.0..h as f64).contains(&row);
                    if inside { x.at(&[image, channel, row as usize, column as usize]) } else { 0.0 }
                };
                *y.at_mut(&[image, channel, row, column]) = match (i + j).is_nan() {
                    true => f64::NAN,
                    false if nearest => pixel(k, l),
                    false => {
                        let above = (1.0 - a) * pixel(k, l) + a * pixel(k + 1.0, l);
                        let below = (1.0 - a) * pixel(k, l + 1.0) + a * pixel(k + 1.0, l + 1.0);
                        (1.0 - b) * above + b * below
                    }
                };
            }
        }
        vec![y]
    }

    /// Of bilinear four products and their sum an element; what places take is the channels' together.
    fn flops(&self, _: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        match self.0.mode {
            GridMode::Bilinear => 7 * elements(outputs),
            GridMode::Nearest => 0,
        }
    }

    /// A place sees any pixel of its image and channel.
    fn window(&self, along: &Along<'_>) -> Option<Window> {
        match (along.input, along.axis) {
            (0, axis @ (0 | 1)) => Some(Window::same(axis)),
            (1, 0) => Some(Window::same(0)),
            (1, axis @ (1 | 2)) => Some(Window::same(axis + 1)),
            _ => None,
        }
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let [n, channels, rows, columns] = [0; 4].map(|_| g.length().min(4));
        let [h, w] = [0; 2].map(|_| g.positive_length().min(5));
        let options = |g: &mut Gen, mode| GridOptions {
            mode,
            padding: [GridPadding::Zeros, GridPadding::Border, GridPadding::Reflection][g.between(0, 2)],
            align_corners: g.between(0, 1) == 1,
        };
        let both = [GridMode::Bilinear, GridMode::Nearest];
        both.map(|mode| {
            let op = GridSample(options(g, mode));
            Sample::new(op, [g.normal([n, channels, h, w]), g.normal([n, rows, columns, 2])])
        })
        .into()
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = GridSample(GridOptions {
            mode: GridMode::Bilinear,
            padding: GridPadding::Zeros,
            align_corners: false,
        });
        let said = "grid_sample: images [1, 2, 3, 4] and grid [1, 5, 5, 3]: they must be";
        vec![
            ErrorCase::new(op, &[&[1, 2, 3, 4], &[1, 5, 5, 3]], said),
            ErrorCase::new(op, &[&[1, 2, 0, 4], &[1, 5, 5, 2]], "grid_sample: images [1, 2, 0, 4] and grid"),
        ]
    }
}

/// What places see, as the rule of record needs it.
struct Seen<V> {
    /// Images, channels, height and width.
    size: [usize; 4],
    /// 1 for places that are no numbers, if there are any: `[points, 1]`.
    nan: Option<V>,
    /// The pixels that each place sees, as rows of a table in which each image has a row of pixels more, for what lies outside.
    indices: Indices,
    /// How far places are behind the pixel before them, in columns and rows, and the shares of the four pixels `[4, points, 1]`;
    /// of bilinear.
    beyond: Option<[V; 2]>,
    shares: Option<V>,
    /// The slopes of columns and rows by the places.
    slopes: [Tensor; 2],
}

impl<V: Value> Seen<V> {
    fn new(options: GridOptions, x: &V, grid: &V) -> Seen<V> {
        let (shape, places) = (x.shape(), grid.shape());
        let [n, channels, h, w] = shape.dims();
        let points = places.numel() / 2;
        let places = grid.reshape([points, 2]);
        let axes = [(places.slice(1, ..1), w), (places.slice(1, 1..), h)];
        let located = axes.each_ref().map(|(place, size)| {
            let place = place.to_tensor();
            let pixels = place.map(|place| options.in_pixels(place, *size).0);
            (pixels, place.map(|place| options.in_pixels(place, *size).1))
        });
        let [(i, di), (j, dj)] = located;
        let nan = i.zip(&j, |i, j| if i.is_nan() || j.is_nan() { 1.0 } else { 0.0 });
        let any_nan = nan.iter().any(|x| x != 0.0);
        let held = |x: Tensor| if any_nan { x.masked_fill(&nan, 0.0) } else { x };
        let (i, j, slopes) = (held(i), held(j), [held(di), held(dj)]);
        let bilinear = options.mode == GridMode::Bilinear;
        let before = |x: &Tensor| if bilinear { x.map(f32::floor) } else { x.map(f32::round_ties_even) };
        let (k, l) = (before(&i), before(&j));
        let corners = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]];
        let mut indices = Vec::new();
        for [right, down] in if bilinear { &corners[..] } else { &corners[..1] } {
            for (point, (k, l)) in k.iter().zip(l.iter()).enumerate() {
                let (column, row) = (k + right, l + down);
                let inside = (0.0..w as f32).contains(&column) && (0.0..h as f32).contains(&row);
                let (row, column) = if inside { (row as usize, column as usize) } else { (h, 0) };
                indices.push((point / (points / n) * (h + 1) + row) * w + column);
            }
        }
        // Places as values, of which the second derivatives come; the pixel before them is a constant.
        let beyond = bilinear.then(|| {
            let of = |axis: usize, before: Tensor| {
                let (place, size) = &axes[axis];
                let pixels = values_in_pixels(place, *size, options);
                let constant = |tensor| x.place().constant(tensor);
                let pixels = if any_nan { pixels.masked_fill(&constant(nan.clone()), 0.0) } else { pixels };
                pixels - constant(before)
            };
            [of(0, k), of(1, l)]
        });
        let shares = beyond.as_ref().map(|[a, b]| {
            let (before, above) = (c(1.0) - a.clone(), c(1.0) - b.clone());
            let shares = [&before * &above, a * &above, &before * b, a * b];
            V::concat(&shares.each_ref(), 0).reshape([4, points, 1])
        });
        let nan = any_nan.then(|| x.place().constant(nan));
        Seen { size: [n, channels, h, w], nan, indices: Indices::from(indices), beyond, shares, slopes }
    }

    /// The pixels: `[4, points, channels]`.
    fn pixels(&self, x: &V) -> V {
        let [n, channels, h, w] = self.size;
        let x = x.pad([(0, 0), (0, 0), (0, 1), (0, 0)], Padding::Constant(0.0));
        let table = x.permute([0, 2, 3, 1]).reshape([n * (h + 1) * w, channels]);
        let points = self.slopes[0].numel();
        table.index_select(0, &self.indices).reshape([4, points, channels])
    }
}

/// [`GridOptions::in_pixels`] of values, with the same bits.
fn values_in_pixels<V: Value>(place: &V, size: usize, options: GridOptions) -> V {
    let (last, size) = ((size - 1) as f32, size as f32);
    let pixels = match options.align_corners {
        true => (place + 1.0) * (last / 2.0),
        false => ((place + 1.0) * size - 1.0) / 2.0,
    };
    match options.padding {
        GridPadding::Zeros => pixels.clamp(-2.0, size),
        GridPadding::Reflection if size > 1.0 || !options.align_corners => {
            let (mirror, span) = if options.align_corners { (0.0, last) } else { (-0.5, size) };
            let round_trip = (pixels - mirror).remainder(&place.place().constant(2.0 * span));
            let inside = c(span) - (round_trip - span).abs() + mirror;
            inside.hardtanh(0.0, last)
        }
        _ => pixels.hardtanh(0.0, last),
    }
}

/// The same in f64.
fn in_pixels(place: f64, size: usize, options: GridOptions, branches: &mut Branches<'_>) -> f64 {
    let (last, size) = ((size - 1) as f64, size as f64);
    let pixels = match options.align_corners {
        true => (place + 1.0) * last / 2.0,
        false => ((place + 1.0) * size - 1.0) / 2.0,
    };
    let held = |x: f64, low: f64, high: f64, branches: &mut Branches<'_>| match branches.choose(match x {
        x if x <= low => 0,
        x if x >= high => 1,
        _ => 2,
    }) {
        0 => low,
        1 => high,
        _ => x,
    };
    match options.padding {
        GridPadding::Zeros => held(pixels, -2.0, size, branches),
        GridPadding::Reflection if size > 1.0 || !options.align_corners => {
            let (mirror, span) = if options.align_corners { (0.0, last) } else { (-0.5, size) };
            let from = pixels - mirror;
            let round_trip = from - 2.0 * span * branches.hold((from / (2.0 * span)).floor());
            let returns = branches.test(round_trip > span);
            held(mirror + if returns { 2.0 * span - round_trip } else { round_trip }, 0.0, last, branches)
        }
        _ => held(pixels, 0.0, last, branches),
    }
}
