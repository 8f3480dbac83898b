//! The linear layer's product: every row of x by a weight matrix, and a bias added.

use super::Products;
use crate::{
    check::{ErrorCase, Gen, Sample},
    op::{Backward, Op, Outputs, Precision, Shapes},
    ops::{reduce::Reduce, shape::Shaping},
    reference::{Array, Branches},
    value::Value,
};
use gradus_tensor::{Shape, ShapeError, Tensor, shape};

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

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let (x, w) = (inputs[0], inputs[1]);
        let last = x.shape().len() - 1;
        let mut from = vec![0; last + 1];
        vec![Array::from_fn(Shape::new(x.shape()).with(last, w.shape()[0]), |index| {
            from.copy_from_slice(index);
            let term = |k| {
                from[last] = k;
                x.at(&from) * w.at(&[index[last], k])
            };
            let sum: f64 = (0..w.shape()[1]).map(term).sum();
            sum + inputs.get(2).map_or(0.0, |b| b.at(&[index[last]]))
        })]
    }

    fn samples(g: &mut Gen) -> Vec<Sample<Linear>> {
        let (features, out) = (g.length(), g.length());
        let leading: Vec<usize> = g.shape().into_iter().take(3).map(|n| n.min(4)).collect();
        let x = g.normal([&leading[..], &[features]].concat());
        let w = g.normal([out, features]);
        let b = g.normal([out]);
        vec![Sample::new(Linear, [x.clone(), w.clone()]), Sample::new(Linear, [x, w, b])]
    }

    fn error_cases() -> Vec<ErrorCase<Linear>> {
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
