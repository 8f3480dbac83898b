//! The cosine of the angle between vectors.

use crate::{
    op::prelude::*,
    ops::{methods::*, units::units},
};
use gradus_tensor::{
    Axes,
    shape::{broadcast, reduced},
};

/// Vectors shorter than this count as so long.
const SHORTEST: f32 = 1e-8;

/// The cosines of the angles between vectors along an axis, of the same rank and the same size on that axis.
#[derive(Clone, Copy, Debug)]
pub struct CosineSimilarity {
    /// The axis, counted from the front.
    pub axis: isize,
}

/// Vectors brought to length 1.
struct Directions<V> {
    /// The vectors over their lengths.
    u: V,
    /// 1 over the lengths, with the axis.
    scale: V,
    /// 1 where a vector is not too short.
    long: V,
}

impl CosineSimilarity {
    fn directions<V: Value>(&self, x: &V) -> Directions<V> {
        let axes = Axes::from(self.axis);
        let at = x.place();
        let Some(units) = units(&x.to_tensor(), &axes, 1.0) else {
            let length = x.norm_axes(axes, true);
            let long = length.ge(SHORTEST);
            let length = length.clamp_min(SHORTEST);
            return Directions { u: x / &length, scale: length.reciprocal(), long };
        };
        let least = at.constant(units.map(|unit| unit * SHORTEST));
        let units = at.constant(units);
        let x = x * &units;
        let length = x.norm_axes(axes, true);
        let long = length.ge(&least);
        let length = long.select_where(&length, &least);
        Directions { u: x / &length, scale: units / &length, long }
    }

    fn lane(&self, shape: &[usize]) -> Shape {
        Shape::new(shape).with(self.axis as usize, 1)
    }
}

impl Op for CosineSimilarity {
    const NAME: &'static str = "cosine_similarity";
    const FORMULA: &'static str = "y = u·v along the axis, u = a / max(|a|, 1e-8), v = b / max(|b|, 1e-8); \
        da = g (v - y u) / |a|, g v / 1e-8 where |a| is less; db likewise";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [a, b] = arity::<Self, _>(inputs);
        let axis = self.axis as usize;
        if a.len() != b.len() || axis >= a.len() || a[axis] != b[axis] {
            return Err(ShapeError::new(format!(
                "cosine_similarity: {a:?} and {b:?} have no vectors of one length on axis {axis}"
            )));
        }
        let joint = broadcast(Self::NAME, a, b)?;
        Ok(reduced(&joint, &[axis], false).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        let [u, v] = [0, 1].map(|k| self.directions(inputs[k]).u);
        // Roundings may add up to more than 1.
        ((u * v).sum_axes(self.axis, false).clamp(-1.0, 1.0).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([a, b], y, g) = (cx.inputs(), cx.output(), cx.cotangent());
        let joint = broadcast(Self::NAME, &a.shape(), &b.shape()).or_fail();
        let (y, g) = (y.reshape(self.lane(&joint)), g.reshape(self.lane(&joint)));
        let (a, b) = (self.directions(a), self.directions(b));
        let towards = |own: &Directions<V>, other: &Directions<V>| {
            let turn = &other.u - &own.u * (&y * &own.long);
            turn * &own.scale * &g
        };
        cx.add(0, || towards(&a, &b));
        cx.add(1, || towards(&b, &a));
    }

    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        let axes = [self.axis as usize];
        let sum = |x: &Array| x.fold_axes(&axes, 0.0, |a, b| a + b);
        let [u, v] = [0, 1].map(|k| {
            let x = inputs[k];
            let lengths = sum(&x.map(|x| x * x)).map(f64::sqrt);
            let lengths =
                lengths.map(|n| if branches.test(n >= SHORTEST.into()) { n } else { SHORTEST.into() });
            x.zip(&lengths, |x, length| x / length)
        });
        let y = sum(&u.zip(&v, |u, v| u * v));
        vec![Array::new(y.data().to_vec(), reduced(y.shape(), &axes, false))]
    }

    /// Of both a square, its sum and a quotient; a product and its sum.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        4 * elements(inputs)
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        // None of an axis that broadcasting repeats.
        along
            .reduced(&[self.axis as usize], false)
            .filter(|window| along.output[window.axis] == along.shape()[along.axis])
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let rank = g.between(1, 3);
        let (axis, n) = (g.between(0, rank - 1), g.positive_length());
        let mut shape = g.shape_of_rank(rank);
        shape.iter_mut().for_each(|size| *size = (*size).min(5));
        shape[axis] = n;
        let mut other = shape.clone();
        (0..rank).filter(|&k| k != axis && g.between(0, 3) == 0).for_each(|k| other[k] = 1);
        let op = CosineSimilarity { axis: axis as isize };
        vec![Sample::new(op, [g.nonzero(shape, 0.3), g.nonzero(other, 0.3)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = CosineSimilarity { axis: 1 };
        vec![
            ErrorCase::new(
                op,
                &[&[2, 3], &[2, 4]],
                "cosine_similarity: [2, 3] and [2, 4] have no vectors of one length on axis 1",
            ),
            ErrorCase::new(
                op,
                &[&[2, 3], &[4, 3]],
                "cosine_similarity: shapes [2, 3] and [4, 3] do not broadcast",
            ),
        ]
    }
}
