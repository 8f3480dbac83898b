//! Parts of an axis named by indices, and the reverse: adding parts where the indices say.

use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::{Indices, shape::resolve_axis};

/// The parts of an axis that indices name.
#[derive(Clone, Debug)]
pub struct IndexSelect {
    /// The axis; negative counts from the back.
    pub axis: isize,
    /// The parts, in any order and number.
    pub indices: Indices,
}

/// Zeros, or with two inputs the second, to which parts are added one after the other where indices say: the reverse of
/// [`IndexSelect`].
#[derive(Clone, Debug)]
pub struct IndexAdd {
    /// The axis of the result.
    pub axis: usize,
    /// Where each part goes.
    pub indices: Indices,
    /// The shape of the result.
    pub shape: Shape,
}

/// The shape with the axes of the indices in the place of one axis.
pub(super) fn selected(shape: &[usize], axis: usize, indices: &Indices) -> Shape {
    Shape::new(&[&shape[..axis], indices.shape(), &shape[axis + 1..]].concat())
}

/// The part's index in the whole, of an index in what was selected.
fn place(index: &[usize], axis: usize, indices: &Indices, positions: &[usize]) -> Vec<usize> {
    let own = &indices.shape()[..];
    let flat = index[axis..].iter().zip(own).fold(0, |flat, (&i, &n)| flat * n + i);
    [&index[..axis], &[positions[flat]], &index[axis + own.len()..]].concat()
}

/// What is sent to places of this shape: the first input, which may have what it is added to beside it.
pub(super) fn sent<'a>(op: &str, inputs: &[&'a [usize]], shape: &Shape) -> Result<&'a [usize], ShapeError> {
    match *inputs {
        [x] => Ok(x),
        [x, base] if *base == shape[..] => Ok(x),
        [_, base] => Err(ShapeError::new(format!("{op}: to shape {base:?}, not to {shape}"))),
        _ => panic!("{op}: takes 1 or 2 inputs, was given {}", inputs.len()),
    }
}

/// What parts are added to.
pub(super) fn base(inputs: &[&Tensor], shape: &Shape) -> Tensor {
    inputs.get(1).map_or_else(|| Tensor::zeros(shape), |&base| base.clone())
}

/// [`base`] in f64.
pub(super) fn base_reference(inputs: &[&Array], shape: &Shape) -> Array {
    inputs.get(1).map_or_else(|| Array::full(shape, 0.0), |&base| base.clone())
}

/// The window where so many axes of the input, from this one on, become others; what lies beside them stays.
fn beside(along: &Along<'_>, axis: usize, before: usize, after: usize) -> Option<Window> {
    match along.axis {
        kept if kept < axis => Some(Window::same(kept)),
        kept if kept >= axis + before => Some(Window::same(kept - before + after)),
        _ => None,
    }
}

impl Op for IndexSelect {
    const NAME: &'static str = "index_select";
    const FORMULA: &'static str =
        "y[.., i, ..] = x[.., indices[i], ..]; dx[.., indices[i], ..] += g[.., i, ..]";
    const PRECISION: Precision = Precision::Ulps(0.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        let axis = resolve_axis(Self::NAME, self.axis, x)?;
        self.indices.check_range(Self::NAME, axis, x)?;
        Ok(selected(x, axis, &self.indices).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].index_select(self.axis, &self.indices).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let shape = x.shape();
        let axis = resolve_axis(Self::NAME, self.axis, &shape).or_fail();
        cx.add(0, || V::apply(IndexAdd { axis, indices: self.indices.clone(), shape }, &[&g]));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let axis = resolve_axis(Self::NAME, self.axis, x.shape()).or_fail();
        let positions = self.indices.positions(Self::NAME, axis, x.shape()).or_fail();
        vec![Array::from_fn(selected(x.shape(), axis, &self.indices), |index| {
            x.at(&place(index, axis, &self.indices, &positions))
        })]
    }

    /// Nothing: it only moves elements.
    fn flops(&self, _: &[&[usize]], _: &[&[usize]]) -> u64 {
        0
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        let axis = resolve_axis(Self::NAME, self.axis, along.shape()).or_fail();
        beside(along, axis, 1, self.indices.shape().rank())
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let rank = g.between(1, 3);
        let (shape, axis) = (g.shape_of_rank(rank), g.axis(rank));
        let indices = g.indices_into(shape[axis.rem_euclid(rank as isize) as usize]);
        vec![Sample::new(IndexSelect { axis, indices }, [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = |axis, indices: [i32; 1]| IndexSelect { axis, indices: indices.into() };
        vec![
            ErrorCase::new(
                op(0, [2]),
                &[&[2, 3]],
                "index_select: index 2 is out of range for axis 0 of shape [2, 3]",
            ),
            ErrorCase::new(op(-1, [-4]), &[&[2, 3]], "index_select: index -4 is out of range for axis 1"),
            ErrorCase::new(op(2, [0]), &[&[2, 3]], "index_select: axis 2 is out of range"),
        ]
    }
}

impl Op for IndexAdd {
    const NAME: &'static str = "index_add";
    const FORMULA: &'static str =
        "y = b or 0, y[.., indices[i], ..] += x[.., i, ..]; dx[.., i, ..] = g[.., indices[i], ..]; db = g";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let x = sent(Self::NAME, inputs, &self.shape)?;
        resolve_axis(Self::NAME, self.axis as isize, &self.shape)?;
        self.indices.check_range(Self::NAME, self.axis, &self.shape)?;
        let parts = selected(&self.shape, self.axis, &self.indices);
        if parts[..] != *x {
            let (axis, shape) = (self.axis, &self.shape);
            return Err(ShapeError::new(format!(
                "index_add: parts of axis {axis} of shape {shape} must have shape {parts}, not {x:?}"
            )));
        }
        Ok(self.shape.clone().into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (base(inputs, &self.shape).index_add(self.axis as isize, &self.indices, inputs[0]).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let g = cx.cotangent();
        cx.add(0, || g.index_select(self.axis as isize, &self.indices));
        if cx.input_list().len() == 2 {
            cx.add(1, || g);
        }
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let positions = self.indices.positions(Self::NAME, self.axis, &self.shape).or_fail();
        let mut y = base_reference(inputs, &self.shape);
        Array::from_fn(x.shape(), |index| {
            *y.at_mut(&place(index, self.axis, &self.indices, &positions)) += x.at(index);
            0.0
        });
        vec![y]
    }

    /// One addition for each element of the input.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        elements(&inputs[..1])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        match along.input {
            0 => beside(along, self.axis, self.indices.shape().rank(), 1),
            _ => along.same(),
        }
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let rank = g.between(1, 3);
        let (shape, axis) = (g.shape_of_rank(rank), g.between(0, rank - 1));
        let indices = g.indices_into(shape[axis]);
        let source = g.normal(selected(&shape, axis, &indices));
        let op = IndexAdd { axis, indices, shape: Shape::new(&shape) };
        vec![Sample::new(op.clone(), [source.clone()]), Sample::new(op, [source, g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = |indices| IndexAdd { axis: 0, indices, shape: [4, 3].into() };
        vec![
            ErrorCase::new(op([0, 4].into()), &[&[2, 3]], "index_add: index 4 is out of range for axis 0"),
            ErrorCase::new(
                op([0].into()),
                &[&[2, 3]],
                "index_add: parts of axis 0 of shape [4, 3] must have shape [1, 3], not [2, 3]",
            ),
            ErrorCase::new(op([0].into()), &[&[1, 3], &[3]], "index_add: to shape [3], not to [4, 3]"),
        ]
    }
}
