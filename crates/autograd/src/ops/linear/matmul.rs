//! The matrix product.

use crate::{
    op::{
        loops::{each, product},
        prelude::*,
    },
    ops::methods::*,
};
use gradus_tensor::shape;

/// The product of matrices, or of batches of them that broadcast: both inputs have at least two axes.
#[derive(Clone, Copy, Debug)]
pub struct MatMul;

impl Op for MatMul {
    const NAME: &'static str = "matmul";
    const FORMULA: &'static str = "Y = A B; dA = G Bᵀ; dB = Aᵀ G";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [a, b] = arity::<Self, _>(inputs);
        if a.len() < 2 || b.len() < 2 {
            return Err(ShapeError::new(format!("matmul: {a:?} · {b:?}: the operation needs matrices")));
        }
        Ok(shape::matmul(a, b)?.into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].matmul(inputs[1]).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([a, b], g) = (cx.inputs(), cx.cotangent());
        cx.add(0, || g.matmul(&b.t())); // [m, n] · [n, k]
        cx.add(1, || a.t().matmul(&g)); // [k, m] · [m, n]
    }

    /// Rows of one matrix, where only the left has the batch.
    fn batched(&self, batch: &Batch<'_>) -> Option<InBatch> {
        let [a, b] = *batch.shapes else { unreachable!("two factors") };
        if batch.is_batched[1] || b.len() > 2 {
            return batch.aligned(MatMul, 0);
        }
        let [rows, k] = [a[..a.len() - 1].iter().product::<usize>(), a[a.len() - 1]];
        Some(InBatch::new(MatMul, vec![[batch.size * rows, k].into(), Shape::new(b)]))
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let [a, b] = [inputs[0], inputs[1]];
        let shape = shape::matmul(a.shape(), b.shape()).or_fail();
        let [m, k, n] = sizes(a, b);
        let batch = &shape[..shape.rank() - 2];
        let products = each(batch.iter().product(), shape.numel() * k, |i| {
            let (a, b) = (matrix(a, i, batch), matrix(b, i, batch));
            product(a, b, [m, k, n])
        });
        vec![Array::new(products.concat(), &shape)]
    }

    fn reference_update(&self, update: &mut Update<'_>) -> bool {
        let [a, b] = [update.inputs()[0], update.inputs()[1]];
        let batch = |x: &[usize]| x[..x.len() - 2].to_vec();
        if [a.shape(), b.shape()].iter().any(|shape| batch(shape) != batch(update.shape())) {
            return false;
        }
        let [m, k, n] = sizes(a, b);
        for (at, change) in update.changes() {
            if update.input() == 0 {
                let (row, p) = (at / k, at % k);
                let from = (row / m * k + p) * n;
                (0..n).for_each(|j| update.add(row * n + j, change * b.data()[from + j]));
            } else {
                let (p, j, i) = (at / n % k, at % n, at / n / k);
                (i * m..(i + 1) * m).for_each(|row| update.add(row * n + j, change * a.data()[row * k + p]));
            }
        }
        true
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        2 * elements(outputs) * inputs[0].last().map_or(0, |&k| k as u64)
    }

    /// Rows of a and columns of b stay.
    fn window(&self, along: &Along<'_>) -> Option<Window> {
        let rank = along.shape().len();
        along.same_but(&[if along.input == 0 { rank - 1 } else { rank - 2 }])
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (m, k, n) = (g.length(), g.length(), g.length());
        let (a, b) = g.broadcast_pair();
        // Matrices and up to two small batch axes.
        let batch = |s: Vec<usize>| s.into_iter().take(2).map(|n| n.min(3)).collect::<Vec<_>>();
        let (a, b) = if a.len() == b.len() { (batch(a), batch(b)) } else { (vec![], vec![2]) };
        let matrix = |batch: &[usize], rows: usize, columns: usize| [batch, &[rows, columns]].concat();
        vec![
            Sample::new(MatMul, [g.normal([m, k]), g.normal([k, n])]),
            Sample::new(MatMul, [g.normal(matrix(&a, 2, 3)), g.normal(matrix(&b, 3, n.min(5)))]),
        ]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![
            ErrorCase::new(MatMul, &[&[2, 3], &[4, 5]], "matmul: inner dimensions differ: [2, 3] · [4, 5]"),
            ErrorCase::new(
                MatMul,
                &[&[3, 2, 2], &[4, 2, 2]],
                "matmul: batch axes: shapes [3] and [4] do not broadcast",
            ),
            ErrorCase::new(MatMul, &[&[3], &[3, 2]], "matmul: [3] · [3, 2]: the operation needs matrices"),
        ]
    }
}

/// Rows of a, columns of a, columns of b.
fn sizes(a: &Array, b: &Array) -> [usize; 3] {
    let (a, b) = (a.shape(), b.shape());
    [a[a.len() - 2], a[a.len() - 1], b[b.len() - 1]]
}

/// The matrix that stands at a position of the joint batch, whose axes x may be broadcast to.
fn matrix<'a>(x: &'a Array, position: usize, batch: &[usize]) -> &'a [f64] {
    let (own, size) = x.shape().split_at(x.shape().len() - 2);
    let (mut rest, mut at, mut stride) = (position, 0, 1);
    for (&n, &joint) in own.iter().rev().zip(batch.iter().rev()) {
        at += if n == 1 { 0 } else { rest % joint * stride };
        (rest, stride) = (rest / joint, stride * n);
    }
    let size: usize = size.iter().product();
    &x.data()[at * size..][..size]
}
