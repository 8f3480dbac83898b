//! Larger and smaller images: interpolation along an axis, its reverse, and pixels made of channels.

use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::{Blend, Interpolation, shape::resolve_axis};

/// Images `[n, c, h, w]` and rows `[n, c, length]` of other sizes.
pub trait Resizing: Value {
    /// An axis brought to `size` elements.
    ///
    /// `y_i = (1 - share) x_first + share x_second; dx_first += (1 - share) g_i; dx_second += share g_i`
    ///
    /// where `first`, `second` and `share` are those of [`Interpolation`]: an element itself, or its neighbours.
    ///
    /// # Panics
    /// When there is no such axis, or one of the sizes is 0.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([1.0, 2.0]);
    /// let y = x.interpolate(0, 3, Interpolation::Linear { align_corners: true });
    /// assert_eq!(y.value().to_vec(), [1.0, 1.5, 2.0]);
    /// assert_eq!(y.sum().backward()[x].to_vec(), [1.5, 1.5]);
    /// ```
    #[track_caller]
    fn interpolate(&self, axis: isize, size: usize, how: Interpolation) -> Self {
        Self::apply(Interpolate { axis, size, how }, &[self])
    }

    /// Images of height and width `size`, each pixel the nearest one: `y[.., i, j] = x[.., ⌊i h / size[0]⌋, ..]`.
    ///
    /// # Panics
    /// When there are fewer than two axes, or a size is 0.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[[[1.0, 2.0]]]]);
    /// assert_eq!(x.upsample_nearest2d([2, 4]).to_vec(), [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
    /// ```
    #[track_caller]
    fn upsample_nearest2d(&self, size: [usize; 2]) -> Self {
        let wide = self.interpolate(-1, size[1], Interpolation::Nearest);
        wide.interpolate(-2, size[0], Interpolation::Nearest)
    }

    /// Images of height and width `size`, with each pixel linear between its four neighbours. With `align_corners` the
    /// centres of the corner pixels stay where they are, without it the edges of the image.
    ///
    /// # Panics
    /// When there are fewer than two axes, or a size is 0.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let x = Tensor::from([[[[1.0, 3.0]]]]);
    /// assert_eq!(x.upsample_bilinear2d([1, 3], true).to_vec(), [1.0, 2.0, 3.0]);
    /// assert_eq!(x.upsample_bilinear2d([1, 4], false).to_vec(), [1.0, 1.5, 2.5, 3.0]);
    /// ```
    #[track_caller]
    fn upsample_bilinear2d(&self, size: [usize; 2], align_corners: bool) -> Self {
        let how = Interpolation::Linear { align_corners };
        self.interpolate(-1, size[1], how).interpolate(-2, size[0], how)
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
    /// What the elements were made of.
    pub how: Interpolation,
}

/// Calls `f` with each index of a tensor whose axis was resized, the blend that it stands for, and that place's index with
/// the axis at the first and at the second element of the blend.
fn each_blend(
    resized: &[usize],
    axis: isize,
    input: usize,
    how: Interpolation,
    mut f: impl FnMut(&[usize], Blend, [Vec<usize>; 2]),
) {
    let axis = resolve_axis("interpolate", axis, resized).or_fail();
    let blends: Vec<Blend> = how.blends(input, resized[axis]).collect();
    Array::from_fn(resized, |index| {
        let blend = blends[index[axis]];
        let at = |element| {
            let mut other = index.to_vec();
            other[axis] = element;
            other
        };
        f(index, blend, [at(blend.first), at(blend.second)]);
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
    let how = [Interpolation::Nearest, linear(false), linear(true)][g.between(0, 2)];
    (shape, axis, g.between(1, 12), how)
}

impl Op for Interpolate {
    const NAME: &'static str = "interpolate";
    const FORMULA: &'static str = "y_i = (1 - share) x_first + share x_second; dx = interpolate_grad(g)";
    const PRECISION: Precision = Precision::UlpsOfLargest(4.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        Ok(Interpolation::shape(Self::NAME, x, self.axis, self.size)?.0.into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].interpolate(self.axis, self.size, self.how).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let size = x.shape()[resolve_axis(Self::NAME, self.axis, &x.shape()).or_fail()];
        cx.add(0, || V::apply(InterpolateGrad { axis: self.axis, size, how: self.how }, &[&g]));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let (shape, axis) = Interpolation::shape(Self::NAME, x.shape(), self.axis, self.size).or_fail();
        let mut y = Array::full(&shape, 0.0);
        each_blend(&shape, self.axis, x.shape()[axis], self.how, |index, blend, [first, second]| {
            *y.at_mut(index) = (1.0 - blend.share) * x.at(&first) + blend.share * x.at(&second);
        });
        vec![y]
    }

    /// Two multiplications and an addition, where an element is made of two.
    fn flops(&self, _: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        if self.how == Interpolation::Nearest { 0 } else { 3 * elements(outputs) }
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        let axis = resolve_axis(Self::NAME, self.axis, along.shape()).or_fail();
        let size = along.shape()[axis];
        if along.axis != axis {
            return along.same();
        }
        let stride = match self.how {
            Interpolation::Linear { align_corners: true } if self.size > 1 => {
                (size - 1) as f64 / (self.size - 1) as f64
            }
            _ => size as f64 / self.size as f64,
        };
        let seen = self.how.blends(size, self.size).map(|blend| match blend.share {
            0.0 => (blend.first, blend.first),
            _ => (blend.first, blend.second),
        });
        Some(Window::covering(axis, stride, seen))
    }

    fn samples(g: &mut Gen) -> Vec<Sample<Interpolate>> {
        let (shape, axis, size, how) = random(g);
        vec![Sample::new(Interpolate { axis, size, how }, [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase<Interpolate>> {
        let op = |axis, size| Interpolate { axis, size, how: Interpolation::Nearest };
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
    const FORMULA: &'static str = "y_first += (1 - share) x_i; y_second += share x_i; dx = interpolate(g)";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        Ok(Interpolation::shape(Self::NAME, x, self.axis, self.size)?.0.into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].interpolate_grad(self.axis, self.size, self.how).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let size = x.shape()[resolve_axis(Self::NAME, self.axis, &x.shape()).or_fail()];
        cx.add(0, || g.interpolate(self.axis, size, self.how));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let (shape, _) = Interpolation::shape(Self::NAME, x.shape(), self.axis, self.size).or_fail();
        let mut y = Array::full(&shape, 0.0);
        each_blend(x.shape(), self.axis, self.size, self.how, |index, blend, [first, second]| {
            *y.at_mut(&first) += (1.0 - blend.share) * x.at(index);
            *y.at_mut(&second) += blend.share * x.at(index);
        });
        vec![y]
    }

    /// Two multiplications and two additions, where an element was made of two.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        elements(inputs) * if self.how == Interpolation::Nearest { 1 } else { 4 }
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        along.same_but(&[resolve_axis(Self::NAME, self.axis, along.shape()).or_fail()])
    }

    fn samples(g: &mut Gen) -> Vec<Sample<InterpolateGrad>> {
        let (shape, axis, size, how) = random(g);
        vec![Sample::new(InterpolateGrad { axis, size, how }, [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase<InterpolateGrad>> {
        let op = |axis, size| InterpolateGrad { axis, size, how: Interpolation::Nearest };
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
