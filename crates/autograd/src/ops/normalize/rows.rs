//! Layer and RMS normalisation: rows over the last axes, each brought to one scale.

use super::{normalized, standardized, tangent};
use crate::op::prelude::*;
use gradus_tensor::{Axes, RowNorm};

/// Rows over the last axes brought to mean 0 and variance 1, then scaled by a second input and shifted by a third,
/// where there are such.
pub type LayerNorm = NormalizedRows<true>;

/// Rows over the last axes brought to a mean square of 1, then scaled by a second input where there is one.
pub type RmsNorm = NormalizedRows<false>;

/// Rows over the last axes brought to one scale, with their mean taken off if they are `CENTERED`.
#[derive(Clone, Debug)]
pub struct NormalizedRows<const CENTERED: bool> {
    /// The sizes of the axes that make a row: the last ones of x.
    pub normalized_shape: Shape,
    /// What is added to the variance, or to the mean square.
    pub eps: f32,
}

impl<const CENTERED: bool> NormalizedRows<CENTERED> {
    fn norm(&self) -> RowNorm {
        RowNorm { axes: self.normalized_shape.rank(), centered: CENTERED, eps: self.eps }
    }
}

impl<const CENTERED: bool> Op for NormalizedRows<CENTERED> {
    const NAME: &'static str = if CENTERED { "layer_norm" } else { "rms_norm" };
    const FORMULA: &'static str = if CENTERED {
        "y = w z + b, z = (x - μ) / √(σ² + eps) over the last axes; \
        dx = (h - mean h - z mean (h z)) / √(σ² + eps), h = g w; dw = Σ g z; db = Σ g"
    } else {
        "y = w z, z = x / √(mean x² + eps) over the last axes; \
        dx = (h - z mean (h z)) / √(mean x² + eps), h = g w; dw = Σ g z"
    };
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    /// Of each row the mean, the rest that it lacks, both 0 if it is not taken off, and the factor 1 / √(σ² + eps).
    type Saved = Tensor;

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let (op, row) = (Self::NAME, &self.normalized_shape[..]);
        let (x, by_element) = inputs.split_first().expect("an input to normalise");
        if row.is_empty() || !x.ends_with(row) {
            return Err(ShapeError::new(format!(
                "{op}: shape {x:?} does not end in the normalized shape {row:?}"
            )));
        }
        match by_element.iter().find(|&other| *other != row) {
            None => Ok(Shape::new(x).into()),
            Some(other) => Err(ShapeError::new(format!(
                "{op}: weight or bias of shape {other:?}: both must have the normalized shape {row:?}"
            ))),
        }
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, Tensor) {
        let (y, statistics) = self.norm().apply(inputs[0], inputs.get(1).copied(), inputs.get(2).copied());
        (y.into(), statistics)
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &Tensor) {
        let (inputs, g) = (cx.input_list(), cx.cotangent());
        let (x, axes) = (inputs[0], -(self.normalized_shape.rank() as isize)..0);
        let axes: Axes = axes.collect::<Vec<isize>>().into();
        let [z, scale] = standardized(x, &axes, CENTERED, self.eps);
        cx.add(0, || {
            let h = inputs.get(1).map_or_else(|| g.clone(), |&weight| &g * weight);
            tangent(&h, &z, &axes, CENTERED) * &scale
        });
        if inputs.len() > 1 {
            cx.add(1, || &g * &z);
        }
        if inputs.len() > 2 {
            cx.add(2, || g);
        }
    }

    fn backward_fused(&self, cx: &mut Backward<'_, Tensor>, statistics: &Tensor) {
        let (inputs, g) = (cx.input_list(), cx.cotangent());
        let gradients = self.norm().gradients(inputs[0], inputs.get(1).copied(), statistics, &g);
        inputs.iter().zip(gradients).enumerate().for_each(|(i, (_, gradient))| cx.add(i, || gradient));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let rank = inputs[0].shape().len();
        let axes: Vec<usize> = (rank - self.normalized_shape.rank()..rank).collect();
        let [z, ..] = normalized(inputs[0], &axes, CENTERED, self.eps.into());
        let scaled = inputs.get(1).map_or_else(|| z.clone(), |weight| z.zip(weight, |z, w| z * w));
        vec![inputs.get(2).map_or_else(|| scaled.clone(), |bias| scaled.zip(bias, |y, b| y + b))]
    }

    /// The mean and the difference from it, square, its mean, and the product with the factor; then weight and bias.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        (if CENTERED { 4 } else { 2 } + inputs.len() as u64) * elements(&inputs[..1])
    }

    /// Rows stay apart; of weight and bias each element has its place in them.
    fn window(&self, along: &Along<'_>) -> Option<Window> {
        let leading = along.output.len() - self.normalized_shape.rank();
        match along.input {
            0 => (along.axis < leading).then(|| Window::same(along.axis)),
            _ => Some(Window::same(leading + along.axis)),
        }
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (outer, inner) = (g.between(0, 2), g.between(1, 2));
        let outer: Vec<usize> = g.shape_of_rank(outer).into_iter().map(|n| n.min(5)).collect();
        let row = g.shape_of_rank(inner);
        let mut inputs = vec![g.normal([&outer[..], &row[..]].concat()) + 0.5];
        // Weight and bias, the weight, or neither.
        (0..g.between(0, if CENTERED { 2 } else { 1 })).for_each(|_| inputs.push(g.normal(&row)));
        // An eps that keeps its gradients from cancelling.
        let op: Self =
            NormalizedRows { normalized_shape: Shape::new(&row), eps: [0.1, 1.0][g.between(0, 1)] };
        vec![Sample::new(op, inputs)]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let case = |row: &[usize], inputs: &[&[usize]], message: &str| {
            let op: Self = NormalizedRows { normalized_shape: row.into(), eps: 1e-5 };
            ErrorCase::new(op, inputs, format!("{}: {message}", Self::NAME))
        };
        vec![
            case(&[4], &[&[2, 3]], "shape [2, 3] does not end in the normalized shape [4]"),
            case(&[], &[&[2]], "shape [2] does not end in the normalized shape []"),
            case(&[2, 3], &[&[3]], "shape [3] does not end in"),
            case(
                &[3],
                &[&[2, 3], &[3], &[1]],
                "weight or bias of shape [1]: both must have the normalized shape [3]",
            ),
        ]
    }
}
