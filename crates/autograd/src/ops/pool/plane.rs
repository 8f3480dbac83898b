//! Elements of image planes at given positions, and the reverse: putting them there between zeros.

use crate::op::prelude::*;
use gradus_tensor::{Indices, plane_gather_shape, plane_scatter_shape};

/// From each image plane of `[n, c, h, w]` the elements at these positions.
#[derive(Clone, Debug)]
pub struct PlaneGather {
    /// `row · w + column` for each element of the result.
    pub indices: Indices,
}

/// Image planes that are zero but for the elements put at these positions; those at one place are added up.
#[derive(Clone, Debug)]
pub struct PlaneScatter {
    /// `row · width + column` for each element of the input.
    pub indices: Indices,
    /// Height and width of the planes.
    pub size: [usize; 2],
}

/// Calls `f` for each index with its flat position and that of the element it names, in planes of `[h, w]`.
fn each_index(indices: &Indices, [height, width]: [usize; 2], mut f: impl FnMut(usize, usize)) {
    let per_plane = indices.shape()[2] * indices.shape()[3];
    for (i, &at) in indices.as_slice().iter().enumerate() {
        f(i, i / per_plane * height * width + at as usize);
    }
}

fn random_indices(g: &mut Gen) -> (Indices, [usize; 2]) {
    let size = [g.between(1, 4), g.between(1, 4)];
    let shape = [g.between(0, 2), g.between(1, 2), g.between(1, 3), g.between(1, 3)];
    (g.indices(shape, size[0] * size[1]), size)
}

impl Op for PlaneGather {
    const NAME: &'static str = "plane_gather";
    const FORMULA: &'static str =
        "y[n,c,i,j] = x[n,c] at indices[n,c,i,j]; dx = g added up at those places, zero elsewhere";
    const PRECISION: Precision = Precision::Ulps(0.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        Ok(plane_gather_shape(x, self.indices.shape())?.into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].plane_gather(&self.indices).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let size = [x.shape()[2], x.shape()[3]];
        cx.add(0, || V::apply(PlaneScatter { indices: self.indices.clone(), size }, &[&g]));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let mut y = Array::full(self.indices.shape(), 0.0);
        each_index(&self.indices, [x.shape()[2], x.shape()[3]], |to, from| y.data_mut()[to] = x.data()[from]);
        vec![y]
    }

    /// Nothing: it only moves elements.
    fn flops(&self, _: &[&[usize]], _: &[&[usize]]) -> u64 {
        0
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        along.same_but(&[2, 3])
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (indices, size) = random_indices(g);
        let shape = [indices.shape()[0], indices.shape()[1], size[0], size[1]];
        vec![Sample::new(PlaneGather { indices }, [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = PlaneGather { indices: Indices::new([0, 1], [1, 2, 1, 1]) };
        vec![
            ErrorCase::new(
                op.clone(),
                &[&[1, 3, 2, 2]],
                "plane_gather: input [1, 3, 2, 2] and indices [1, 2, 1, 1] must have four axes, the first two the same",
            ),
            ErrorCase::new(op, &[&[1, 2]], "plane_gather: input [1, 2] and indices [1, 2, 1, 1]"),
        ]
    }
}

impl Op for PlaneScatter {
    const NAME: &'static str = "plane_scatter";
    const FORMULA: &'static str = "y[n,c] at indices[n,c,i,j] += x[n,c,i,j]; dx = g at those places";
    /// As many terms as indices that name one place.
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        Ok(plane_scatter_shape(x, self.indices.shape(), self.size)?.into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].plane_scatter(&self.indices, self.size).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let g = cx.cotangent();
        cx.add(0, || V::apply(PlaneGather { indices: self.indices.clone() }, &[&g]));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let (x, shape) = (inputs[0], self.indices.shape());
        let mut y = Array::full([shape[0], shape[1], self.size[0], self.size[1]], 0.0);
        each_index(&self.indices, self.size, |from, to| y.data_mut()[to] += x.data()[from]);
        vec![y]
    }

    /// One addition for each element of the input.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        elements(&inputs[..1])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        along.same_but(&[2, 3])
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (indices, size) = random_indices(g);
        let x = g.normal(indices.shape());
        vec![Sample::new(PlaneScatter { indices, size }, [x])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = PlaneScatter { indices: Indices::new([0, 1], [1, 2, 1, 1]), size: [2, 2] };
        vec![ErrorCase::new(
            op,
            &[&[1, 2, 1, 2]],
            "plane_scatter: input [1, 2, 1, 2] and indices [1, 2, 1, 1] must have one shape of four axes",
        )]
    }
}
