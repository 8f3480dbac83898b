//! Part of an axis, and the reverse: putting a part back between zeros.

use crate::{
    op::{batch::behind_batch, prelude::*},
    ops::methods::*,
};
use gradus_tensor::{ResolvedSlice, Slice, shape::resolve_axis};

/// The elements of one axis that a slice names.
#[derive(Clone, Copy, Debug)]
pub struct SliceAxis {
    /// The axis; negative counts from the back.
    pub axis: isize,
    /// Which of its elements.
    pub slice: Slice,
}

/// Zeros, but for the elements that a slice names: the reverse of [`SliceAxis`].
#[derive(Clone, Copy, Debug)]
pub struct Unslice {
    /// The axis; negative counts from the back.
    pub axis: isize,
    /// Where on it the elements go.
    pub slice: Slice,
    /// The length of the axis in the result.
    pub size: usize,
}

impl SliceAxis {
    fn resolve(&self, shape: &[usize]) -> Result<(usize, ResolvedSlice), ShapeError> {
        let axis = resolve_axis("slice", self.axis, shape)?;
        Ok((axis, self.slice.resolve(axis, shape)?))
    }
}

impl Unslice {
    fn resolve(&self, shape: &[usize]) -> Result<(usize, ResolvedSlice, Shape), ShapeError> {
        let axis = resolve_axis("unslice", self.axis, shape)?;
        let whole = Shape::new(shape).with(axis, self.size);
        let range = self.slice.resolve(axis, &whole)?;
        if range.len != shape[axis] {
            return Err(ShapeError::new(format!(
                "unslice: axis {axis} of shape {shape:?} has {} elements, the slice has {} places",
                shape[axis], range.len
            )));
        }
        Ok((axis, range, whole))
    }
}

impl Op for SliceAxis {
    const NAME: &'static str = "slice";
    const FORMULA: &'static str =
        "y = the elements of x that the slice names; dx = g at those places, zero elsewhere";
    const PRECISION: Precision = Precision::Ulps(0.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        let (axis, range) = self.resolve(x)?;
        Ok(Shape::new(x).with(axis, range.len).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].slice(self.axis, self.slice).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let shape = x.shape();
        let size = shape[self.axis.rem_euclid(shape.rank() as isize) as usize];
        cx.add(0, || V::apply(Unslice { axis: self.axis, slice: self.slice, size }, &[&g]));
    }

    fn batched(&self, batch: &Batch<'_>) -> Option<InBatch> {
        batch.with(SliceAxis { axis: behind_batch(self.axis), ..*self })
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let (axis, range) = self.resolve(x.shape()).expect("checked by infer");
        vec![Array::from_fn(Shape::new(x.shape()).with(axis, range.len), |index| {
            let mut from = index.to_vec();
            from[axis] = (range.first as isize + range.step * index[axis] as isize) as usize;
            x.at(&from)
        })]
    }

    /// Nothing: it only moves elements.
    fn flops(&self, _: &[&[usize]], _: &[&[usize]]) -> u64 {
        0
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        let (axis, range) = self.resolve(along.shape()).or_fail();
        let same = Window::same(along.axis);
        let (first, stride) = (range.first as f64, range.step as f64);
        Some(if along.axis == axis { Window { first, stride, ..same } } else { same })
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let rank = g.between(1, 4);
        let shape = g.shape_of_rank(rank);
        let axis = g.axis(rank);
        let slice = random_slice(g, shape[axis.rem_euclid(rank as isize) as usize]);
        vec![Sample::new(SliceAxis { axis, slice }, [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let slice = |axis, slice| SliceAxis { axis, slice };
        vec![
            ErrorCase::new(
                slice(0, (1..4).into()),
                &[&[3]],
                "slice: 1..4 is out of range for axis 0 of shape [3]",
            ),
            ErrorCase::new(slice(1, (..).into()), &[&[3]], "slice: axis 1 is out of range for shape [3]"),
            ErrorCase::new(slice(0, (-1..1).into()), &[&[3]], "slice: -1..1 is out of range"),
            ErrorCase::new(slice(0, (..).into()), &[&[]], "slice: axis 0 of a scalar"),
        ]
    }
}

impl Op for Unslice {
    const NAME: &'static str = "unslice";
    const FORMULA: &'static str =
        "y = x at the places that the slice names, zero elsewhere; dx = g at those places";
    const PRECISION: Precision = Precision::Ulps(0.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        Ok(self.resolve(x)?.2.into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].unslice(self.axis, self.slice, self.size).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let g = cx.cotangent();
        cx.add(0, || g.slice(self.axis, self.slice));
    }

    fn batched(&self, batch: &Batch<'_>) -> Option<InBatch> {
        batch.with(Unslice { axis: behind_batch(self.axis), ..*self })
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let (axis, range, whole) = self.resolve(x.shape()).expect("checked by infer");
        vec![Array::from_fn(whole, |index| {
            let from_first = index[axis] as isize - range.first as isize;
            let place = from_first / range.step;
            if from_first % range.step != 0 || !(0..range.len as isize).contains(&place) {
                return 0.0;
            }
            let mut from = index.to_vec();
            from[axis] = place as usize;
            x.at(&from)
        })]
    }

    /// Nothing: it only moves elements.
    fn flops(&self, _: &[&[usize]], _: &[&[usize]]) -> u64 {
        0
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        let (axis, range, _) = self.resolve(along.shape()).or_fail();
        let same = Window::same(along.axis);
        let (start, step) = (range.first as f64, range.step as f64);
        Some(if along.axis == axis {
            Window { first: -start / step, stride: 1.0 / step, ..same }
        } else {
            same
        })
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let rank = g.between(1, 4);
        let mut shape = g.shape_of_rank(rank);
        let axis = g.axis(rank);
        let position = axis.rem_euclid(rank as isize) as usize;
        let size = shape[position];
        let slice = random_slice(g, size);
        shape[position] = slice.resolve(position, &shape).expect("a slice of this axis").len;
        vec![Sample::new(Unslice { axis, slice, size }, [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let unslice = |slice, size| Unslice { axis: 0, slice, size };
        vec![
            ErrorCase::new(unslice((..2).into(), 5), &[&[3]], "unslice: axis 0 of shape [3] has 3 elements"),
            ErrorCase::new(unslice((..9).into(), 5), &[&[3]], "slice: 0..9 is out of range"),
        ]
    }
}

fn random_slice(g: &mut Gen, size: usize) -> Slice {
    let start = g.between(0, size);
    let end = g.between(start, size);
    let step = [1, 1, 2, 3, -1, -2][g.between(0, 5)];
    Slice::from(start..end).step(step)
}
