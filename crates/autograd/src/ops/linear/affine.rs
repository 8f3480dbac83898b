//! The linear layer's product: every row of x by a weight matrix, and a bias added.

use super::Products;
use crate::{
    check::{ErrorCase, Gen, Sample},
    op::{Backward, Op, Outputs, Precision, Shapes},
    ops::{reduce::Reduce, shape::Shaping},
    reference::{Array, Branches},
    value::Value,
};
use gradus_tensor::{Shape, ShapeError, Tensor};

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
        let (x, w, b) = match *inputs {
            [x, w] => (x, w, None),
            [x, w, b] => (x, w, Some(b)),
            _ => panic!("linear: takes 2 or 3 inputs, was given {}", inputs.len()),
        };
        let wrong = |why: &str| Err(ShapeError::new(format!("linear: {x:?} by weight {w:?}: {why}")));
        let &[out, features] = w else { return wrong("the weight must have two axes, [out, in]") };
        match x.split_last() {
            None => return wrong("the input needs an axis of features"),
            Some((&n, _)) if n != features => {
                let hint =
                    if n == out { "; hint: the weight is [out, in], transpose it with .t()" } else { "" };
                return wrong(&format!("the input has {n} features, the weight takes {features}{hint}"));
            }
            _ => {}
        }
        match b {
            Some(b) if *b != [out] => wrong(&format!("the bias must have shape [{out}], not {b:?}")),
            _ => Ok(Shape::new(x).with(x.len() - 1, out).into()),
        }
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        let (x, w) = (inputs[0], inputs[1]);
        let product = rows(x, w.size(1)).matmul(&w.t());
        let y = match inputs.get(2) {
            Some(&b) => product + b,
            None => product,
        };
        (y.reshape(x.shape().with(x.rank() - 1, w.size(0))).into(), ())
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
                "linear: [32, 784] by weight [784, 10]: the input has 784 features, the weight takes 10; \
                 hint: the weight is [out, in]",
            ),
            ErrorCase::new(Linear, &[&[5], &[5]], "linear: [5] by weight [5]: the weight must have two axes"),
            ErrorCase::new(Linear, &[&[], &[2, 3]], "linear: [] by weight [2, 3]: the input needs an axis"),
            ErrorCase::new(
                Linear,
                &[&[4, 3], &[2, 3], &[3]],
                "linear: [4, 3] by weight [2, 3]: the bias must have shape [2], not [3]",
            ),
        ]
    }
}
