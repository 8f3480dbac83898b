//! Images read at any places, and the way back: to their pixels, and to the places.

use crate::{
    Isa,
    array::Tensor,
    simd::{Kernel, Simd, dispatch},
    threads::share,
};

/// What is read at a place between pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GridMode {
    /// The four pixels around it, each with the share that the opposite part of the square between them has.
    Bilinear,
    /// The nearest pixel; in the middle of two the one with an even number.
    Nearest,
}

/// What is read outside the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GridPadding {
    /// Zeros.
    Zeros,
    /// The pixel at the border that is nearest.
    Border,
    /// The image, reflected at its borders as often as need be.
    Reflection,
}

/// How images are read at the places of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridOptions {
    /// What is read between pixels.
    pub mode: GridMode,
    /// What is read outside the image.
    pub padding: GridPadding,
    /// Whether -1 and 1 are the centres of the outer pixels, not the outer edges of the image.
    pub align_corners: bool,
}

impl GridOptions {
    /// A place from -1 to 1 along an axis of `size` pixels in pixels, brought to where the padding has something to read; and its
    /// slope by the place.
    #[inline(always)]
    pub fn in_pixels(self, place: f32, size: usize) -> (f32, f32) {
        let (last, size) = ((size - 1) as f32, size as f32);
        let (pixels, slope) = match self.align_corners {
            true => ((place + 1.0) * (last / 2.0), last / 2.0),
            false => (((place + 1.0) * size - 1.0) / 2.0, size / 2.0),
        };
        // What holds it at the border has no slope, from the border on.
        let held = |x: f32, slope| (x.clamp(0.0, last), if x > 0.0 && x < last { slope } else { 0.0 });
        match self.padding {
            // Two pixels outside is as zero as all that is further away; one outside still sees the first, with a share of 0.
            GridPadding::Zeros => (pixels.clamp(-2.0, size), slope),
            GridPadding::Reflection if size > 1.0 || !self.align_corners => {
                let (mirror, span) = if self.align_corners { (0.0, last) } else { (-0.5, size) };
                let rest = (pixels - mirror) % (2.0 * span);
                let round_trip = if rest < 0.0 { rest + 2.0 * span } else { rest };
                let turned = match round_trip - span {
                    back if back > 0.0 => -slope,
                    0.0 => 0.0,
                    _ => slope,
                };
                held(span - (round_trip - span).abs() + mirror, turned)
            }
            _ => held(pixels, slope),
        }
    }

    /// Images `[n, channels, h, w]` at the places of a grid `[n, rows, columns, 2]`: `[n, channels, rows, columns]`.
    #[track_caller]
    pub fn forward(self, x: &Tensor, grid: &Tensor) -> Tensor {
        let sampling = Sampling::new(self, x.shape(), grid);
        let [_, channels, rows, columns] = sampling.shape;
        let x = x.contiguous();
        let x = x.as_slice().expect("made contiguous above");
        let ([h, w], points) = (sampling.size, rows * columns);
        Tensor::written(sampling.shape.into(), |y| {
            share::for_each_block_part(y, [channels, points], 8 * x.len().max(y.len()), &|image, own, y| {
                let points_of = sampling.points(image);
                let first = (image * channels + own.start) * h * w;
                let planes = x[first..].chunks_exact(h * w);
                let read = Read { sampling: &sampling, points: &points_of, planes, y };
                dispatch(Isa::current(), read);
            });
        })
    }

    /// The gradient by images of this shape, `g` being that by what was read.
    #[track_caller]
    pub fn backward_images(self, x: &[usize], grid: &Tensor, g: &Tensor) -> Tensor {
        let sampling = Sampling::new(self, x, grid);
        let [n, channels, rows, columns] = sampling.shape;
        let ([h, w], count) = (sampling.size, rows * columns);
        let g = g.contiguous();
        let g = g.as_slice().expect("made contiguous above");
        Tensor::written([n, channels, h, w].into(), |dx| {
            share::for_each_block_part(
                dx,
                [channels, h * w],
                8 * dx.len().max(g.len()),
                &|image, own, dx| {
                    let points = sampling.points(image);
                    let first = (image * channels + own.start) * count;
                    let g = &g[first..][..own.len() * count];
                    dispatch(Isa::current(), Add { sampling: &sampling, points: &points, g, dx });
                },
            );
        })
    }

    /// The gradient by the grid, `g` being that by what was read: of the nearest pixels it is 0.
    #[track_caller]
    pub fn backward_grid(self, x: &Tensor, grid: &Tensor, g: &Tensor) -> Tensor {
        let sampling = Sampling::new(self, x.shape(), grid);
        let [_, channels, rows, columns] = sampling.shape;
        let ([h, w], count) = (sampling.size, rows * columns);
        let (x, g) = (x.contiguous(), g.contiguous());
        let x = x.as_slice().expect("made contiguous above");
        let g = g.as_slice().expect("made contiguous above");
        Tensor::written(grid.shape().clone(), |slopes| {
            if self.mode == GridMode::Nearest {
                return slopes.fill(0.0);
            }
            share::for_each_block_part(
                slopes,
                [count, 2],
                8 * x.len().max(g.len()),
                &|image, own, slopes| {
                    let points = sampling.points(image);
                    let planes = x[image * channels * h * w..].chunks_exact(h * w);
                    let g = &g[image * channels * count..][..channels * count];
                    let slope = Slope {
                        sampling: &sampling,
                        points: &points[own.clone()],
                        planes,
                        g,
                        slopes,
                        first: own.start,
                    };
                    dispatch(Isa::current(), slope);
                },
            );
        })
    }
}

/// How far a plane of pixels is copied into zeros, so that whatever a place sees is there.
const MARGIN: usize = 2;

/// What is read where.
struct Sampling {
    options: GridOptions,
    /// Height and width of an image.
    size: [usize; 2],
    /// Of what is read.
    shape: [usize; 4],
    grid: Tensor,
}

/// A place among the pixels of a plane with its margin.
#[derive(Clone, Copy)]
struct Point {
    /// The pixel before it in both directions, or the nearest.
    at: usize,
    /// How far it is from there, in columns and rows: NaN where the place is no number.
    beyond: [f32; 2],
    /// The slopes of its column and row by the place.
    slopes: [f32; 2],
}

impl Point {
    /// The shares of the four pixels around it.
    #[inline(always)]
    fn shares(&self) -> [f32; 4] {
        let [a, b] = self.beyond;
        let (before, above) = (1.0 - a, 1.0 - b);
        [before * above, a * above, before * b, a * b]
    }

    fn is_nan(&self) -> bool {
        self.beyond[0].is_nan()
    }
}

impl Sampling {
    fn new(options: GridOptions, x: &[usize], grid: &Tensor) -> Sampling {
        let [n, rows, columns, _] = grid.dims();
        Sampling { options, size: [x[2], x[3]], shape: [n, x[1], rows, columns], grid: grid.contiguous() }
    }

    /// The places of an image.
    fn points(&self, image: usize) -> Vec<Point> {
        let [h, w] = self.size;
        let count = self.shape[2] * self.shape[3];
        let places = &self.grid.as_slice().expect("made contiguous")[2 * image * count..][..2 * count];
        let point = |place: &[f32; 2]| {
            let (i, di) = self.options.in_pixels(place[0], w);
            let (j, dj) = self.options.in_pixels(place[1], h);
            if i.is_nan() || j.is_nan() {
                return Point { at: 0, beyond: [f32::NAN; 2], slopes: [0.0; 2] };
            }
            let (column, row) = match self.options.mode {
                GridMode::Bilinear => (below(i), below(j)),
                GridMode::Nearest => (i.round_ties_even(), j.round_ties_even()),
            };
            let at = (row as isize + MARGIN as isize) as usize * self.stride()
                + (column as isize + MARGIN as isize) as usize;
            Point { at, beyond: [i - column, j - row], slopes: [di, dj] }
        };
        places.as_chunks().0.iter().map(point).collect()
    }

    /// From one row of a plane with its margin to the next.
    fn stride(&self) -> usize {
        self.size[1] + 2 * MARGIN
    }

    /// A plane of zeros with its margin.
    fn plane(&self) -> Vec<f32> {
        vec![0.0; (self.size[0] + 2 * MARGIN) * self.stride()]
    }

    /// The rows of the image in such a plane.
    fn rows<'p>(&self, plane: &'p mut [f32]) -> impl Iterator<Item = &'p mut [f32]> {
        let ([h, w], stride) = (self.size, self.stride());
        plane[MARGIN * stride..].chunks_exact_mut(stride).take(h).map(move |row| &mut row[MARGIN..][..w])
    }
}

/// The largest whole number that is not greater, of numbers that an i32 holds.
#[inline(always)]
fn below(x: f32) -> f32 {
    let towards_zero = x as i32 as f32;
    if towards_zero > x { towards_zero - 1.0 } else { towards_zero }
}

/// Reads some channels of an image.
struct Read<'a, I> {
    sampling: &'a Sampling,
    points: &'a [Point],
    planes: I,
    y: &'a mut [f32],
}

impl<'a, I: Iterator<Item = &'a [f32]>> Kernel for Read<'a, I> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Read { sampling, points, planes, y } = self;
        let (w, stride) = (sampling.size[1], sampling.stride());
        let shares: Vec<[f32; 4]> = points.iter().map(Point::shares).collect();
        let mut plane = sampling.plane();
        for (y, x) in y.chunks_exact_mut(points.len()).zip(planes) {
            sampling.rows(&mut plane).zip(x.chunks_exact(w)).for_each(|(row, x)| row.copy_from_slice(x));
            match sampling.options.mode {
                GridMode::Bilinear => {
                    for ((y, point), shares) in y.iter_mut().zip(points).zip(&shares) {
                        let seen = &plane[point.at..][..stride + 2];
                        let corners = [seen[0], seen[1], seen[stride], seen[stride + 1]];
                        let [p, q, r, s] = std::array::from_fn(|k| corners[k] * shares[k]);
                        *y = (p + r) + (q + s); // as sums over an axis of four
                    }
                }
                GridMode::Nearest => {
                    for (y, point) in y.iter_mut().zip(points) {
                        *y = if point.is_nan() { f32::NAN } else { plane[point.at] };
                    }
                }
            }
        }
    }
}

/// Adds what comes to what was read to some channels of an image: all that goes to a pixel one after the other, from the corners in
/// turn, so that neighbours in the grid, which are often neighbours in the image, do not wait for each other.
struct Add<'a> {
    sampling: &'a Sampling,
    points: &'a [Point],
    g: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Add { sampling, points, g, dx } = self;
        let ([h, w], stride) = (sampling.size, sampling.stride());
        // A place that is no number sends nothing.
        let own: Vec<usize> = (0..points.len()).filter(|&k| !points[k].is_nan()).collect();
        let corners: &[usize] = match sampling.options.mode {
            GridMode::Bilinear => &[0, 1, stride, stride + 1],
            GridMode::Nearest => &[0],
        };
        let part = |point: &Point, corner: usize| match sampling.options.mode {
            GridMode::Bilinear => point.shares()[corner],
            GridMode::Nearest => 1.0,
        };
        let targets: Vec<Vec<(usize, f32)>> = corners
            .iter()
            .enumerate()
            .map(|(k, step)| own.iter().map(|&p| (points[p].at + step, part(&points[p], k))).collect())
            .collect();
        let mut plane = sampling.plane();
        for (k, dx) in dx.chunks_exact_mut(h * w).enumerate() {
            let g = &g[k * points.len()..][..points.len()];
            plane.fill(0.0);
            for targets in &targets {
                if own.len() == g.len() {
                    targets.iter().zip(g).for_each(|(&(at, share), g)| plane[at] += g * share);
                } else {
                    targets.iter().zip(&own).for_each(|(&(at, share), &p)| plane[at] += g[p] * share);
                }
            }
            sampling
                .rows(&mut plane)
                .zip(dx.chunks_exact_mut(w))
                .for_each(|(row, dx)| dx.copy_from_slice(row));
        }
    }
}

/// The slopes by some places of an image, over all its channels.
struct Slope<'a, I> {
    sampling: &'a Sampling,
    points: &'a [Point],
    planes: I,
    g: &'a [f32],
    slopes: &'a mut [f32],
    /// The number of the first place.
    first: usize,
}

impl<'a, I: Iterator<Item = &'a [f32]>> Kernel for Slope<'a, I> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Slope { sampling, points, planes, g, slopes, first } = self;
        let (w, stride) = (sampling.size[1], sampling.stride());
        let [.., rows, columns] = sampling.shape;
        let mut plane = sampling.plane();
        let slopes = slopes.as_chunks_mut::<2>().0;
        slopes.fill([0.0; 2]);
        for (x, g) in planes.zip(g.chunks_exact(rows * columns)) {
            sampling.rows(&mut plane).zip(x.chunks_exact(w)).for_each(|(row, x)| row.copy_from_slice(x));
            for ((slopes, point), g) in slopes.iter_mut().zip(points).zip(&g[first..]) {
                let seen = &plane[point.at..][..stride + 2];
                let [p, q, r, s] = [seen[0], seen[1], seen[stride], seen[stride + 1]];
                let [a, b] = point.beyond;
                slopes[0] += g * ((1.0 - b) * (q - p) + b * (s - r));
                slopes[1] += g * ((1.0 - a) * (r - p) + a * (s - q));
            }
        }
        for (slopes, point) in slopes.iter_mut().zip(points) {
            for (sum, slope) in slopes.iter_mut().zip(point.slopes) {
                // Also where infinite pixels made it NaN.
                *sum = if slope == 0.0 { 0.0 } else { *sum * slope };
            }
        }
    }
}
