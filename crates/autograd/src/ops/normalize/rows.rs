//! Layer and RMS normalisation: rows over the last axes, each brought to one scale.

use super::{normalized, standardized, tangent};
use crate::op::prelude::*;
use gradus_tensor::{Axes, RowNorm};

/// Rows over the last axes brought to mean 0 and variance 1, then scaled by a second input and shifted by a third,
/// where there are such.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// The sizes of the axes that make a row: the last ones of x.
    pub normalized_shape: Shape,
    /// What is added to the variance.
    pub eps: f32,
}

/// Rows over the last axes brought to a mean square of 1, then scaled by a second input where there is one.
#[derive(Clone, Debug)]
pub struct RmsNorm {
    /// The sizes of the axes that make a row: the last ones of x.
    pub normalized_shape: Shape,
    /// What is added to the mean square.
    pub eps: f32,
}

fn infer(op: &str, row: &[usize], inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
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

/// The statistics of each row, for the fused rule.
fn forward(norm: RowNorm, inputs: &[&Tensor]) -> (Outputs, Tensor) {
    let (y, statistics) = norm.apply(inputs[0], inputs.get(1).copied(), inputs.get(2).copied());
    (y.into(), statistics)
}

fn backward<V: Value>(norm: RowNorm, cx: &mut Backward<'_, V>) {
    let (inputs, g) = (cx.input_list(), cx.cotangent());
    let x = inputs[0];
    let axes: Axes = (-(norm.axes as isize)..0).collect::<Vec<isize>>().into();
    let [z, scale] = standardized(x, &axes, norm.centered, norm.eps);
    cx.add(0, || {
        let h = inputs.get(1).map_or_else(|| g.clone(), |&weight| &g * weight);
        tangent(&h, &z, &axes, norm.centered) * &scale
    });
    if inputs.len() > 1 {
        cx.add(1, || &g * &z);
    }
    if inputs.len() > 2 {
        cx.add(2, || g);
    }
}

fn backward_fused(norm: RowNorm, cx: &mut Backward<'_, Tensor>, statistics: &Tensor) {
    let (inputs, g) = (cx.input_list(), cx.cotangent());
    let gradients = norm.gradients(inputs[0], inputs.get(1).copied(), statistics, &g);
    inputs.iter().zip(gradients).enumerate().for_each(|(i, (_, gradient))| cx.add(i, || gradient));
}

fn reference(norm: RowNorm, inputs: &[&Array]) -> Vec<Array> {
    let rank = inputs[0].shape().len();
    let axes: Vec<usize> = (rank - norm.axes..rank).collect();
    let [z, ..] = normalized(inputs[0], &axes, norm.centered, norm.eps.into());
    let scaled = inputs.get(1).map_or_else(|| z.clone(), |weight| z.zip(weight, |z, w| z * w));
    vec![inputs.get(2).map_or_else(|| scaled.clone(), |bias| scaled.zip(bias, |y, b| y + b))]
}

/// A normalized shape, an eps that keeps its gradients from cancelling, and inputs: x, and up to so many for each element
/// of a row.
fn random(g: &mut Gen, most: usize) -> (Shape, f32, Vec<Tensor>) {
    let (outer, inner) = (g.between(0, 2), g.between(1, 2));
    let outer: Vec<usize> = g.shape_of_rank(outer).into_iter().map(|n| n.min(5)).collect();
    let row = g.shape_of_rank(inner);
    let mut inputs = vec![g.normal([&outer[..], &row[..]].concat()) + 0.5];
    (0..g.between(0, most)).for_each(|_| inputs.push(g.normal(&row)));
    (Shape::new(&row), [0.1, 1.0][g.between(0, 1)], inputs)
}

/// Rows stay apart; of weight and bias each element has its place in them.
fn window(row: &[usize], along: &Along<'_>) -> Option<Window> {
    let leading = along.output.len() - row.len();
    match along.input {
        0 => (along.axis < leading).then(|| Window::same(along.axis)),
        _ => Some(Window::same(leading + along.axis)),
    }
}

impl LayerNorm {
    fn norm(&self) -> RowNorm {
        RowNorm { axes: self.normalized_shape.rank(), centered: true, eps: self.eps }
    }
}

impl Op for LayerNorm {
    const NAME: &'static str = "layer_norm";
    const FORMULA: &'static str = "y = w z + b, z = (x - μ) / √(σ² + eps) over the last axes; \
        dx = (h - mean h - z mean (h z)) / √(σ² + eps), h = g w; dw = Σ g z; db = Σ g";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    /// Of each row the mean, the rest that it lacks, and the factor 1 / √(σ² + eps).
    type Saved = Tensor;

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        infer(Self::NAME, &self.normalized_shape, inputs)
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, Tensor) {
        forward(self.norm(), inputs)
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &Tensor) {
        backward(self.norm(), cx);
    }

    fn backward_fused(&self, cx: &mut Backward<'_, Tensor>, statistics: &Tensor) {
        backward_fused(self.norm(), cx, statistics);
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        reference(self.norm(), inputs)
    }

    /// Mean, difference, square, its mean, and the product with the factor; then weight and bias.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        (4 + inputs.len() as u64) * elements(&inputs[..1])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        window(&self.normalized_shape, along)
    }

    fn samples(g: &mut Gen) -> Vec<Sample<LayerNorm>> {
        let (normalized_shape, eps, inputs) = random(g, 2);
        vec![Sample::new(LayerNorm { normalized_shape, eps }, inputs)]
    }

    fn error_cases() -> Vec<ErrorCase<LayerNorm>> {
        let rows_of = |row: &[usize]| LayerNorm { normalized_shape: row.into(), eps: 1e-5 };
        vec![
            ErrorCase::new(
                rows_of(&[4]),
                &[&[2, 3]],
                "layer_norm: shape [2, 3] does not end in the normalized shape [4]",
            ),
            ErrorCase::new(
                rows_of(&[]),
                &[&[2]],
                "layer_norm: shape [2] does not end in the normalized shape []",
            ),
            ErrorCase::new(rows_of(&[2, 3]), &[&[3]], "layer_norm: shape [3] does not end in"),
            ErrorCase::new(
                rows_of(&[3]),
                &[&[2, 3], &[3], &[1]],
                "layer_norm: weight or bias of shape [1]: both must have the normalized shape [3]",
            ),
        ]
    }
}

impl RmsNorm {
    fn norm(&self) -> RowNorm {
        RowNorm { axes: self.normalized_shape.rank(), centered: false, eps: self.eps }
    }
}

impl Op for RmsNorm {
    const NAME: &'static str = "rms_norm";
    const FORMULA: &'static str = "y = w z, z = x / √(mean x² + eps) over the last axes; \
        dx = (h - z mean (h z)) / √(mean x² + eps), h = g w; dw = Σ g z";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    /// Of each row 0, 0, and the factor 1 / √(mean x² + eps).
    type Saved = Tensor;

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        infer(Self::NAME, &self.normalized_shape, inputs)
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, Tensor) {
        forward(self.norm(), inputs)
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &Tensor) {
        backward(self.norm(), cx);
    }

    fn backward_fused(&self, cx: &mut Backward<'_, Tensor>, statistics: &Tensor) {
        backward_fused(self.norm(), cx, statistics);
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        reference(self.norm(), inputs)
    }

    /// Square, its mean, and the product with the factor; then the weight.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        (2 + inputs.len() as u64) * elements(&inputs[..1])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        window(&self.normalized_shape, along)
    }

    fn samples(g: &mut Gen) -> Vec<Sample<RmsNorm>> {
        let (normalized_shape, eps, inputs) = random(g, 1);
        vec![Sample::new(RmsNorm { normalized_shape, eps }, inputs)]
    }

    fn error_cases() -> Vec<ErrorCase<RmsNorm>> {
        let op = RmsNorm { normalized_shape: [4].into(), eps: 1e-5 };
        vec![
            ErrorCase::new(
                op.clone(),
                &[&[2, 3]],
                "rms_norm: shape [2, 3] does not end in the normalized shape [4]",
            ),
            ErrorCase::new(op, &[&[4], &[2]], "rms_norm: weight or bias of shape [2]"),
        ]
    }
}
