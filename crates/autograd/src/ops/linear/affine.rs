//! The linear layer's product: every row of x by a weight matrix, and a bias added.

use crate::{
    op::{loops::rows_by_rows, prelude::*},
    ops::methods::*,
};
use gradus_tensor::shape;

/// `x Wᵀ + b`, or `x Wᵀ` with two inputs. The leading axes of x are one to it: it is one matrix product, never a batch.
#[derive(Clone, Copy, Debug)]
pub struct Linear;

/// The rows of a value whose last axis has these `columns`, under one leading axis.
fn rows<V: Value>(x: &V, columns: usize) -> V {
    let rows = x.shape()[..].split_last().map_or(1, |(_, leading)| leading.iter().product());
    x.reshape([rows, columns])
}

impl Op for Linear {
    const NAME: &'static str = "linear";
    const FORMULA: &'static str = "Y = X Wᵀ + b; dX = G W; dW = Gᵀ X; db = Σ G over the rows";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let (x, weight, bias) = match *inputs {
            [x, weight] => (x, weight, None),
            [x, weight, bias] => (x, weight, Some(bias)),
            _ => panic!("linear: takes 2 or 3 inputs, was given {}", inputs.len()),
        };
        Ok(shape::linear(x, weight, bias)?.into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].linear(inputs[1], inputs.get(2).copied()).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let (x, w) = (cx.input_list()[0], cx.input_list()[1]);
        let (out, features) = (w.shape()[0], w.shape()[1]);
        let g = rows(&cx.cotangent(), out);
        cx.add(0, || g.matmul(w).reshape(x.shape())); // [rows, out] · [out, in]
        cx.add(1, || g.t().matmul(&rows(x, features))); // [out, rows] · [rows, in]
        if cx.input_list().len() == 3 {
            cx.add(2, || g.sum_axes(0, false));
        }
    }

    /// More rows; the weight must be one.
    fn batched(&self, batch: &Batch<'_>) -> Option<InBatch> {
        if batch.is_batched[1..].contains(&true) { None } else { batch.with(Linear) }
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let (x, w) = (inputs[0], inputs[1]);
        let (out, features) = (w.shape()[0], w.shape()[1]);
        let shape = Shape::new(x.shape()).with(x.shape().len() - 1, out);
        let rows = shape.iter().rev().skip(1).product();
        let mut y = rows_by_rows(x.data(), w.data(), [rows, features, out]);
        if let Some(bias) = inputs.get(2) {
            y.iter_mut().zip(bias.data().iter().cycle()).for_each(|(y, b)| *y += b);
        }
        vec![Array::new(y, &shape)]
    }

    fn reference_update(&self, update: &mut Update<'_>) -> bool {
        let (x, w) = (update.inputs()[0], update.inputs()[1]);
        let (out, features) = (w.shape()[0], w.shape()[1]);
        let rows = update.shape().iter().rev().skip(1).product();
        for (at, change) in update.changes() {
            let (major, k) = (at / features.max(1), at % features.max(1));
            match update.input() {
                0 => (0..out).for_each(|o| update.add(major * out + o, change * w.data()[o * features + k])),
                1 => (0..rows)
                    .for_each(|row| update.add(row * out + major, change * x.data()[row * features + k])),
                _ => (0..rows).for_each(|row| update.add(row * out + at, change)),
            }
        }
        true
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        let bias = if inputs.len() == 3 { elements(outputs) } else { 0 };
        2 * elements(outputs) * inputs[1][1] as u64 + bias
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        let last = along.output.len() - 1;
        match along.input {
            0 => along.same_but(&[last]),
            _ => (along.axis == 0).then(|| Window::same(last)),
        }
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (features, out) = (g.length(), g.length());
        let leading: Vec<usize> = g.shape().into_iter().take(3).map(|n| n.min(4)).collect();
        let x = g.normal([&leading[..], &[features]].concat());
        let w = g.normal([out, features]);
        let b = g.normal([out]);
        vec![Sample::new(Linear, [x.clone(), w.clone()]), Sample::new(Linear, [x, w, b])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![
            ErrorCase::new(
                Linear,
                &[&[32, 784], &[784, 10]],
                "linear: x [32, 784] has 784 features, the weight [784, 10] takes 10",
            ),
            ErrorCase::new(Linear, &[&[5], &[5]], "linear: the weight is [out, in], its shape is [5]"),
            ErrorCase::new(Linear, &[&[], &[2, 3]], "linear: x is a scalar"),
            ErrorCase::new(
                Linear,
                &[&[4, 3], &[2, 3], &[3]],
                "linear: the bias has shape [3], the weight [2, 3]",
            ),
        ]
    }
}
