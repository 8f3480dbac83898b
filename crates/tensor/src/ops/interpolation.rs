//! Axes made longer or shorter, and the reverse, by which gradients flow back.

use crate::{
    ShapeError,
    array::{Tensor, strided::AxisView},
    error::OrFail,
    limit::list,
    shape::{Shape, resolve_axis},
    threads::share,
};

/// How the elements of a resized axis are made from those that there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// Each is one of them: number `⌊i · input / output⌋`.
    Nearest,
    /// Each is the one that lies nearest: number `⌊(i + 1/2) · input / output⌋`.
    NearestExact,
    /// Each lies between two of them, and has a share of either. With `align_corners` the first and last elements of both
    /// axes lie on each other, else the outer edges of these elements do.
    Linear {
        /// What lies on what.
        align_corners: bool,
    },
    /// Each has a share of the four around it, by cubic curves that meet without a corner (R. Keys, "Cubic convolution
    /// interpolation for digital image processing", 1981, with a = -3/4): results may lie beyond the largest element. Beyond
    /// the edges the outermost elements are repeated.
    Cubic {
        /// What lies on what.
        align_corners: bool,
    },
}

/// What an element of a resized axis is made of: the sum of some elements, each by its weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blend<T = f64> {
    terms: [(usize, T); 4],
    len: usize,
}

impl<T: Copy + Default + PartialEq> Blend<T> {
    fn new(terms: impl IntoIterator<Item = (usize, T)>) -> Blend<T> {
        let mut blend = Blend { terms: [(0, T::default()); 4], len: 0 };
        for (at, weight) in terms.into_iter().filter(|(_, weight)| *weight != T::default()) {
            blend.terms[blend.len] = (at, weight);
            blend.len += 1;
        }
        blend
    }

    /// The numbers of the elements, and their weights, none of which is 0.
    pub fn terms(&self) -> &[(usize, T)] {
        &self.terms[..self.len]
    }
}

impl Interpolation {
    /// What each element of an axis of length `output` is made of, of one of length `input`; neither may be 0. With a `scale`
    /// an element is so many times as small as one of the input, which need not be `output / input`; aligned corners do not
    /// ask for it, and as in PyTorch nothing linear does where the lengths are the same.
    pub fn blends(
        self,
        input: usize,
        output: usize,
        scale: Option<f64>,
    ) -> impl ExactSizeIterator<Item = Blend> {
        let last = input - 1;
        let among = move |number: u128| (number as usize).min(last);
        let (n, m) = (input as u128, output as u128);
        let on_corners = move |i: usize| (i as f64 * last as f64) / (output - 1).max(1) as f64;
        let on_edges = move |i: usize, scale: Option<f64>| match scale {
            None => (i as f64 + 0.5) * input as f64 / output as f64 - 0.5,
            Some(scale) => (i as f64 + 0.5) / scale - 0.5,
        };
        (0..output).map(move |i| match (self, scale) {
            (Interpolation::Nearest, None) => Blend::new([(among(i as u128 * n / m), 1.0)]),
            (Interpolation::Nearest, Some(scale)) => Blend::new([(among((i as f64 / scale) as u128), 1.0)]),
            (Interpolation::NearestExact, None) => {
                Blend::new([(among((2 * i as u128 + 1) * n / (2 * m)), 1.0)])
            }
            (Interpolation::NearestExact, Some(scale)) => {
                Blend::new([(among(((i as f64 + 0.5) / scale) as u128), 1.0)])
            }
            (Interpolation::Linear { align_corners: true }, _) => linear(on_corners(i), last),
            (Interpolation::Linear { align_corners: false }, scale) => {
                linear(on_edges(i, scale.filter(|_| input != output)).max(0.0), last)
            }
            (Interpolation::Cubic { align_corners: true }, _) => cubic(on_corners(i), last),
            (Interpolation::Cubic { align_corners: false }, scale) => cubic(on_edges(i, scale), last),
        })
    }

    /// The shape with another size of an axis, and the number of the axis.
    pub fn shape(op: &str, x: &[usize], axis: isize, size: usize) -> Result<(Shape, usize), ShapeError> {
        let axis = resolve_axis(op, axis, x)?;
        if x[axis] == 0 || size == 0 {
            return Err(ShapeError::new(format!(
                "{op}: axis {axis} of shape {x:?} to {size} elements: neither size may be 0"
            )));
        }
        Ok((Shape::new(x).with(axis, size).affordable(op)?, axis))
    }
}

/// The element at a place, which is not negative, between its neighbours.
fn linear(place: f64, last: usize) -> Blend {
    let first = (place as usize).min(last);
    let second = (first + 1).min(last);
    let share = if second == first { 0.0 } else { place - first as f64 };
    Blend::new([(first, 1.0 - share), (second, share)])
}

/// The element at a place between the two elements before it and the two behind.
fn cubic(place: f64, last: usize) -> Blend {
    const A: f64 = -0.75;
    // Of an element at this distance, up to 1 and up to 2.
    let near = |d: f64| ((A + 2.0) * d - (A + 3.0)) * d * d + 1.0;
    let far = |d: f64| ((A * d - 5.0 * A) * d + 8.0 * A) * d - 4.0 * A;
    let first = place.floor().min(last as f64);
    let t = (place - first).min(1.0);
    let weights = [far(1.0 + t), near(t), near(1.0 - t), far(2.0 - t)];
    let at = |k: usize| (first + k as f64 - 1.0).clamp(0.0, last as f64) as usize;
    Blend::new((0..4).map(|k| (at(k), weights[k])))
}

/// To what the axes behind the first two are brought: an array of sizes, one for each; or a factor for all, or an array of
/// them, of floating-point numbers. An axis then has `⌊size · factor⌋` elements, each of which is `factor` times as small as
/// one before, so that the last may end before the edge: PyTorch's `scale_factor`.
///
/// ```
/// # use gradus_tensor::Resize;
/// assert_eq!(Resize::from([7, 5]), Resize::Size(vec![7, 5]));
/// let wide = Resize::from(1.5).recompute_scale_factor();
/// assert_eq!(wide, Resize::Scale { factors: vec![1.5], recompute_scale_factor: true });
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Resize {
    /// To these sizes, one for each axis.
    Size(Vec<usize>),
    /// To multiples of the sizes.
    Scale {
        /// One for each axis, or one for all.
        factors: Vec<f64>,
        /// Whether elements are placed by the sizes that come out, and not by the factors.
        recompute_scale_factor: bool,
    },
}

impl<const N: usize> From<[usize; N]> for Resize {
    fn from(sizes: [usize; N]) -> Resize {
        Resize::Size(sizes.into())
    }
}

impl<const N: usize> From<[f64; N]> for Resize {
    fn from(factors: [f64; N]) -> Resize {
        Resize::Scale { factors: factors.into(), recompute_scale_factor: false }
    }
}

impl From<f64> for Resize {
    fn from(factor: f64) -> Resize {
        Resize::from([factor])
    }
}

impl Resize {
    /// The same sizes, by which elements are placed: PyTorch's `recompute_scale_factor=True`.
    pub fn recompute_scale_factor(self) -> Resize {
        match self {
            Resize::Size(_) => self,
            Resize::Scale { factors, .. } => Resize::Scale { factors, recompute_scale_factor: true },
        }
    }

    /// An error if a size is 0, or a factor not positive and finite. `op` begins the message.
    pub fn check(&self, op: &str) -> Result<(), ShapeError> {
        let text = match self {
            Resize::Size(sizes) if sizes.contains(&0) => {
                format!("sizes of {sizes:?}: they must be at least 1")
            }
            Resize::Scale { factors, .. } if !factors.iter().all(|f| *f > 0.0 && f.is_finite()) => {
                format!("factors of {factors:?}: they must be positive and finite")
            }
            _ => return Ok(()),
        };
        Err(ShapeError::new(format!("{op}: {text}")))
    }

    /// For each axis of `[images, channels, size..]` behind the first two its new size, and the factor by which elements are
    /// placed, if not the sizes do it. `op` begins the messages.
    pub fn axes(&self, op: &str, x: &[usize]) -> Result<Vec<(usize, Option<f64>)>, ShapeError> {
        self.check(op)?;
        let refused = |text: String| Err(ShapeError::new(format!("{op}: shape {x:?} {text}")));
        let Some(sizes @ [_, ..]) = x.get(2..) else {
            return refused("has no axes behind those of images and channels; hint: unsqueeze(0)".into());
        };
        let given = match self {
            Resize::Size(sizes) => sizes.len(),
            Resize::Scale { factors, .. } if factors.len() == 1 => sizes.len(),
            Resize::Scale { factors, .. } => factors.len(),
        };
        if given != sizes.len() {
            return refused(format!("has {} axes behind the first two, not {given}: {self:?}", sizes.len()));
        }
        let scaled = |(axis, &size): (usize, &usize)| match self {
            Resize::Size(to) => (to[axis], None),
            Resize::Scale { factors, recompute_scale_factor } => {
                let factor = factors[axis % factors.len()];
                ((size as f64 * factor) as usize, Some(factor).filter(|_| !recompute_scale_factor))
            }
        };
        let axes: Vec<_> = sizes.iter().enumerate().map(scaled).collect();
        match axes.iter().zip(sizes).position(|((to, _), size)| *to == 0 && *size > 0) {
            Some(axis) => refused(format!("by {self:?}: no element of axis {} would remain", axis + 2)),
            None => Ok(axes),
        }
    }
}

impl Tensor {
    /// An axis brought to `size` elements, placed by the sizes, or by a `scale`: see [`Interpolation::blends`].
    ///
    /// # Panics
    /// When there is no such axis, or one of the sizes is 0.
    ///
    /// ```
    /// # use gradus_tensor::{Interpolation, Tensor};
    /// let x = Tensor::from([1.0, 2.0]);
    /// assert_eq!(x.interpolate_axis(0, 4, None, Interpolation::Nearest).to_vec(), [1.0, 1.0, 2.0, 2.0]);
    /// let linear = |align_corners| Interpolation::Linear { align_corners };
    /// assert_eq!(x.interpolate_axis(0, 3, None, linear(true)).to_vec(), [1.0, 1.5, 2.0]);
    /// assert_eq!(x.interpolate_axis(0, 4, None, linear(false)).to_vec(), [1.0, 1.25, 1.75, 2.0]);
    /// assert_eq!(x.interpolate_axis(0, 3, Some(2.0), linear(false)).to_vec(), [1.0, 1.25, 1.75]);
    /// ```
    #[track_caller]
    pub fn interpolate_axis(
        &self,
        axis: isize,
        size: usize,
        scale: Option<f64>,
        how: Interpolation,
    ) -> Tensor {
        let (shape, axis) = Interpolation::shape("interpolate", self.shape(), axis, size).or_fail();
        let AxisView { n, inner, .. } = AxisView::new(self.shape(), axis);
        let blends = rounded("interpolate", size, how.blends(n, size, scale)).or_fail();
        let source = self.contiguous();
        let x = source.as_slice().expect("made contiguous");
        Tensor::written(shape, |y| {
            share::for_each_run_chunk(y, size * inner, share::ELEMENTWISE, &|blocks, y| {
                for (block, y) in blocks.zip(y.chunks_exact_mut(size * inner)) {
                    let x = &x[block * n * inner..][..n * inner];
                    let at = |number: usize| &x[number * inner..][..inner];
                    for (blend, y) in blends.iter().zip(y.chunks_exact_mut(inner)) {
                        match *blend.terms() {
                            [(a, 1.0)] => y.copy_from_slice(at(a)),
                            [(a, of_a), (b, of_b)] => {
                                let pairs = at(a).iter().zip(at(b));
                                y.iter_mut().zip(pairs).for_each(|(y, (a, b))| *y = of_a * a + of_b * b);
                            }
                            ref terms => {
                                y.fill(0.0);
                                for &(a, of_a) in terms {
                                    y.iter_mut().zip(at(a)).for_each(|(y, a)| *y += of_a * a);
                                }
                            }
                        }
                    }
                }
            });
        })
    }

    /// The gradient of [`Tensor::interpolate_axis`] by its input, whose axis has `size` elements: this is the gradient by the
    /// result.
    ///
    /// # Panics
    /// When there is no such axis, or one of the sizes is 0.
    ///
    /// ```
    /// # use gradus_tensor::{Interpolation, Tensor};
    /// let g = Tensor::from([1.0, 2.0, 4.0]);
    /// assert_eq!(g.interpolate_axis_grad(0, 2, None, Interpolation::Nearest).to_vec(), [3.0, 4.0]);
    /// let linear = Interpolation::Linear { align_corners: true };
    /// assert_eq!(g.interpolate_axis_grad(0, 2, None, linear).to_vec(), [2.0, 5.0]);
    /// ```
    #[track_caller]
    pub fn interpolate_axis_grad(
        &self,
        axis: isize,
        size: usize,
        scale: Option<f64>,
        how: Interpolation,
    ) -> Tensor {
        let (shape, axis) = Interpolation::shape("interpolate_grad", self.shape(), axis, size).or_fail();
        let AxisView { n, inner, .. } = AxisView::new(self.shape(), axis);
        let blends = rounded("interpolate_grad", n, how.blends(size, n, scale)).or_fail();
        let source = self.contiguous();
        let g = source.as_slice().expect("made contiguous");
        Tensor::written(shape, |dx| {
            dx.fill(0.0);
            share::for_each_run_chunk(dx, size * inner, share::ELEMENTWISE, &|blocks, dx| {
                for (block, dx) in blocks.zip(dx.chunks_exact_mut(size * inner)) {
                    let g = &g[block * n * inner..][..n * inner];
                    for (blend, g) in blends.iter().zip(g.chunks_exact(inner)) {
                        for &(to, share) in blend.terms() {
                            let dx = &mut dx[to * inner..][..inner];
                            dx.iter_mut().zip(g).for_each(|(dx, g)| *dx += share * g);
                        }
                    }
                }
            });
        })
    }
}

/// Blends with weights as f32 holds them; those that are 0 then drop out.
fn rounded(
    op: &str,
    count: usize,
    blends: impl Iterator<Item = Blend>,
) -> Result<Vec<Blend<f32>>, ShapeError> {
    let mut rounded = list(op, count)?;
    rounded.extend(
        blends.map(|blend| Blend::new(blend.terms().iter().map(|&(at, weight)| (at, weight as f32)))),
    );
    Ok(rounded)
}
