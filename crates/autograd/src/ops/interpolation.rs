//! Larger and smaller images: interpolation along an axis, its reverse, and pixels made of channels.

use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::{Blend, Interpolation, Resize, shape::resolve_axis};

/// Rows `[n, c, length]`, images `[n, c, h, w]` and volumes `[n, c, d, h, w]` of other sizes.
pub trait Resizing: Value {
    /// Other sizes of all axes behind the first two, one after the other, the last one first: each element of an axis is
    ///
    /// `y_i = Σ_k weight_k(p_i) x_k; dx_k = Σ_i weight_k(p_i) g_i`
    ///
    /// a blend of those around its place `p_i`, as [`Interpolation`] says: nearest, linear (bilinear, trilinear) or cubic
    /// (bicubic). Without aligned corners `p_i = (i + 1/2) / scale - 1/2`. The scale is a factor that was given, and else the
    /// new size over the old one: see [`Resize`].
    ///
    /// PyTorch's mode `area` is [`adaptive_avg_pool2d`](crate::ops::pool::Pooling::adaptive_avg_pool2d).
    ///
    /// # Panics
    /// When there are fewer than three axes, another number of sizes or factors than axes behind the first two, a size that is
    /// 0, or a factor that is not positive and finite or leaves no element.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([[[[1.0, 2.0]]]]);
    /// let y = x.interpolate([1, 3], Interpolation::Linear { align_corners: true });
    /// assert_eq!(y.value().to_vec(), [1.0, 1.5, 2.0]);
    /// assert_eq!(y.sum().backward()[x].to_vec(), [1.5, 1.5]);
    ///
    /// let x = Tensor::from([[[0.0, 4.0, 8.0]]]);
    /// assert_eq!(x.interpolate(2.0, Interpolation::Nearest).to_vec(), [0.0, 0.0, 4.0, 4.0, 8.0, 8.0]);
    /// assert_eq!(x.interpolate(0.5, Interpolation::NearestExact).to_vec(), [4.0]);
    /// let linear = Interpolation::Linear { align_corners: false };
    /// assert_eq!(x.interpolate(0.8, linear).to_vec(), [0.5, 5.5]);
    /// assert_eq!(x.interpolate(Resize::from(0.8).recompute_scale_factor(), linear).to_vec(), [1.0, 7.0]);
    /// let cubic = Interpolation::Cubic { align_corners: true };
    /// assert_eq!(x.interpolate([5], cubic).to_vec(), [0.0, 1.625, 4.0, 6.375, 8.0]);
    /// ```
    #[track_caller]
    fn interpolate(&self, to: impl Into<Resize>, how: Interpolation) -> Self {
        let axes = to.into().axes(Interpolate::NAME, &self.shape()).or_fail();
        let mut y = self.clone();
        for (i, (size, scale)) in axes.into_iter().enumerate().rev() {
            y = Self::apply(Interpolate { axis: 2 + i as isize, size, scale, how }, &[&y]);
        }
        y
    }

    /// Images `factor` times as high and wide, of so many channels for each pixel of one:
    /// `y[n, c, i r + a, j r + b] = x[n, c r² + a r + b, i, j]`, r being the factor.
    ///
    /// # Panics
    /// When there are not four axes, or the factor's square does not divide the channels.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::new([1.0, 2.0, 3.0, 4.0], [1, 4, 1, 1]);
    /// assert_eq!(x.pixel_shuffle(2), Tensor::from([[[[1.0, 2.0], [3.0, 4.0]]]]));
    /// ```
    #[track_caller]
    fn pixel_shuffle(&self, factor: usize) -> Self {
        let shape = self.shape();
        let square = factor.saturating_mul(factor);
        match shape[..] {
            [n, channels, h, w] if factor > 0 && channels % square == 0 => {
                let (c, high, wide) = (channels / square, h.saturating_mul(factor), w.saturating_mul(factor));
                let whole = Shape::from([n, c, high, wide]).checked("pixel_shuffle").or_fail();
                let apart = self.reshape([n, c, factor, factor, h, w]).permute([0, 1, 4, 2, 5, 3]);
                apart.reshape(whole)
            }
            _ => ShapeError::new(format!(
                "pixel_shuffle: shape {shape} by {factor}: it needs four axes, and channels in multiples of the square"
            ))
            .fail(),
        }
    }

    /// The reverse of [`pixel_shuffle`](Resizing::pixel_shuffle): images that are smaller by `factor`, with as many more
    /// channels.
    ///
    /// # Panics
    /// When there are not four axes, or the factor does not divide height and width.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[[[1.0, 2.0], [3.0, 4.0]]]]);
    /// assert_eq!(x.pixel_unshuffle(2), Tensor::new([1.0, 2.0, 3.0, 4.0], [1, 4, 1, 1]));
    /// ```
    #[track_caller]
    fn pixel_unshuffle(&self, factor: usize) -> Self {
        let shape = self.shape();
        match shape[..] {
            [n, c, h, w] if factor > 0 && h % factor == 0 && w % factor == 0 => {
                let (h, w) = (h / factor, w / factor);
                let channels = c.saturating_mul(factor).saturating_mul(factor);
                let whole = Shape::from([n, channels, h, w]).checked("pixel_unshuffle").or_fail();
                let apart = self.reshape([n, c, h, factor, w, factor]).permute([0, 1, 3, 5, 2, 4]);
                apart.reshape(whole)
            }
            _ => ShapeError::new(format!(
                "pixel_unshuffle: shape {shape} by {factor}: it needs four axes, and height and width in multiples"
            ))
            .fail(),
        }
    }
}

impl<V: Value> Resizing for V {}

/// An axis brought to another size.
#[derive(Clone, Copy, Debug)]
pub struct Interpolate {
    /// The axis; negative counts from the back.
    pub axis: isize,
    /// Its size in the result.
    pub size: usize,
    /// How many times as small elements become, if it is not the size in the result over that before.
    pub scale: Option<f64>,
    /// What the elements are made of.
    pub how: Interpolation,
}

/// The gradient of [`Interpolate`] by its input.
#[derive(Clone, Copy, Debug)]
pub struct InterpolateGrad {
    /// The axis; negative counts from the back.
    pub axis: isize,
    /// Its size before the interpolation.
    pub size: usize,
    /// How many times as small elements became, if it is not the size in the result over that before.
    pub scale: Option<f64>,
    /// What the elements were made of.
    pub how: Interpolation,
}

/// Calls `f` for each term of each element of a tensor whose axis was resized: with the element's index, the index of what
/// it is made of, and the weight.
fn each_term(
    resized: &[usize],
    axis: isize,
    blends: impl Iterator<Item = Blend>,
    mut f: impl FnMut(&[usize], &[usize], f64),
) {
    let axis = resolve_axis("interpolate", axis, resized).or_fail();
    let blends: Vec<Blend> = blends.collect();
    Array::from_fn(resized, |index| {
        let mut other = index.to_vec();
        for &(element, weight) in blends[index[axis]].terms() {
            other[axis] = element;
            f(index, &other, weight);
        }
        0.0
    });
}

/// A positive shape, one of its axes, another size for it, and a way to get there.
fn random(g: &mut Gen) -> (Vec<usize>, isize, usize, Interpolation) {
    let rank = g.between(1, 3);
    let mut shape: Vec<usize> = (0..rank).map(|_| g.length().min(9)).collect();
    let axis = g.axis(rank);
    // There must be something to interpolate between; other axes may be empty.
    shape[axis.rem_euclid(rank as isize) as usize] = g.positive_length().min(9);
    let linear = |align_corners| Interpolation::Linear { align_corners };
    let cubic = |align_corners| Interpolation::Cubic { align_corners };
    let ways = [
        Interpolation::Nearest,
        Interpolation::NearestExact,
        linear(false),
        linear(true),
        cubic(false),
        cubic(true),
    ];
    (shape, axis, g.between(1, 12), ways[g.between(0, 5)])
}

/// A scale that is not far from that of the sizes, or none.
fn random_scale(g: &mut Gen, input: usize, output: usize) -> Option<f64> {
    let near = output as f64 / input as f64;
    [None, None, Some(near * 1.25), Some(near * 0.8)][g.between(0, 3)]
}

/// Of how many elements one is made.
fn terms(how: Interpolation) -> u64 {
    match how {
        Interpolation::Nearest | Interpolation::NearestExact => 1,
        Interpolation::Linear { .. } => 2,
        Interpolation::Cubic { .. } => 4,
    }
}

impl Op for Interpolate {
    const NAME: &'static str = "interpolate";
    const FORMULA: &'static str = "y_i = Σ weight_k x_k over the elements around; dx = interpolate_grad(g)";
    const PRECISION: Precision = Precision::UlpsOfLargest(4.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        Ok(Interpolation::shape(Self::NAME, x, self.axis, self.size)?.0.into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].interpolate_axis(self.axis, self.size, self.scale, self.how).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let size = x.shape()[resolve_axis(Self::NAME, self.axis, &x.shape()).or_fail()];
        let Interpolate { axis, scale, how, .. } = *self;
        cx.add(0, || V::apply(InterpolateGrad { axis, size, scale, how }, &[&g]));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let (shape, axis) = Interpolation::shape(Self::NAME, x.shape(), self.axis, self.size).or_fail();
        let mut y = Array::full(&shape, 0.0);
        let blends = self.how.blends(x.shape()[axis], self.size, self.scale);
        each_term(&shape, self.axis, blends, |to, from, weight| *y.at_mut(to) += weight * x.at(from));
        vec![y]
    }

    /// A multiplication for each element that one is made of, and an addition for all but one.
    fn flops(&self, _: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        match terms(self.how) {
            1 => 0,
            terms => (2 * terms - 1) * elements(outputs),
        }
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        let axis = resolve_axis(Self::NAME, self.axis, along.shape()).or_fail();
        let size = along.shape()[axis];
        if along.axis != axis {
            return along.same();
        }
        let stride = match (self.how, self.scale) {
            (
                Interpolation::Linear { align_corners: true } | Interpolation::Cubic { align_corners: true },
                _,
            ) if self.size > 1 => (size - 1) as f64 / (self.size - 1) as f64,
            (_, Some(scale)) => 1.0 / scale,
            (_, None) => size as f64 / self.size as f64,
        };
        let seen = self.how.blends(size, self.size, self.scale).map(|blend| {
            let places = blend.terms().iter().map(|(place, _)| *place);
            places.fold((usize::MAX, 0), |(first, last), place| (first.min(place), last.max(place)))
        });
        Some(Window::covering(axis, stride, seen))
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (shape, axis, size, how) = random(g);
        let scale = random_scale(g, shape[axis.rem_euclid(shape.len() as isize) as usize], size);
        vec![Sample::new(Interpolate { axis, size, scale, how }, [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = |axis, size| Interpolate { axis, size, scale: None, how: Interpolation::Nearest };
        vec![
            ErrorCase::new(op(2, 3), &[&[2, 3]], "interpolate: axis 2 is out of range for shape [2, 3]"),
            ErrorCase::new(
                op(1, 0),
                &[&[2, 3]],
                "interpolate: axis 1 of shape [2, 3] to 0 elements: neither",
            ),
            ErrorCase::new(
                op(0, 4),
                &[&[0, 3]],
                "interpolate: axis 0 of shape [0, 3] to 4 elements: neither",
            ),
        ]
    }
}

impl Op for InterpolateGrad {
    const NAME: &'static str = "interpolate_grad";
    const FORMULA: &'static str = "y_k += weight_k x_i for the elements around; dx = interpolate(g)";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        Ok(Interpolation::shape(Self::NAME, x, self.axis, self.size)?.0.into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].interpolate_axis_grad(self.axis, self.size, self.scale, self.how).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let size = x.shape()[resolve_axis(Self::NAME, self.axis, &x.shape()).or_fail()];
        let InterpolateGrad { axis, scale, how, .. } = *self;
        cx.add(0, || V::apply(Interpolate { axis, size, scale, how }, &[&g]));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let (shape, axis) = Interpolation::shape(Self::NAME, x.shape(), self.axis, self.size).or_fail();
        let mut y = Array::full(&shape, 0.0);
        let blends = self.how.blends(self.size, x.shape()[axis], self.scale);
        each_term(x.shape(), self.axis, blends, |from, to, weight| *y.at_mut(to) += weight * x.at(from));
        vec![y]
    }

    /// A multiplication and an addition for each element that one was made of, or an addition, if it was just one.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        elements(inputs)
            * match terms(self.how) {
                1 => 1,
                terms => 2 * terms,
            }
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        along.same_but(&[resolve_axis(Self::NAME, self.axis, along.shape()).or_fail()])
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (shape, axis, size, how) = random(g);
        let scale = random_scale(g, size, shape[axis.rem_euclid(shape.len() as isize) as usize]);
        vec![Sample::new(InterpolateGrad { axis, size, scale, how }, [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = |axis, size| InterpolateGrad { axis, size, scale: None, how: Interpolation::Nearest };
        vec![
            ErrorCase::new(
                op(-3, 3),
                &[&[2, 3]],
                "interpolate_grad: axis -3 is out of range for shape [2, 3]",
            ),
            ErrorCase::new(op(0, 0), &[&[2, 3]], "interpolate_grad: axis 0 of shape [2, 3] to 0 elements"),
        ]
    }
}
