//! The matrix product.

use super::Products;
use crate::{
    check::{ErrorCase, Gen, Sample},
    op::{Backward, Op, Outputs, Precision, Shapes, arity},
    ops::shape::Shaping,
    reference::{Array, Branches},
    value::Value,
};
use gradus_tensor::{OrFail, ShapeError, Tensor, shape};

/// The product of matrices, or of batches of them that broadcast: both inputs have at least two axes.
#[derive(Clone, Copy, Debug)]
pub struct MatMul;

impl Op for MatMul {
    const NAME: &'static str = "matmul";
    const FORMULA: &'static str = "Y = A B; dA = G Bᵀ; dB = Aᵀ G";
    const PRECISION: Precision = Precision::UlpsOfLargest(16.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [a, b] = arity("matmul", inputs);
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

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let [a, b] = [inputs[0], inputs[1]];
        let shape = shape::matmul(a.shape(), b.shape()).or_fail();
        let k = a.shape()[a.shape().len() - 1];
        let rank = shape[..].len();
        let (mut ia, mut ib) = (vec![0; rank], vec![0; rank]);
        vec![Array::from_fn(&shape, |index| {
            ia.copy_from_slice(index);
            ib.copy_from_slice(index);
            let term = |p| {
                (ia[rank - 1], ib[rank - 2]) = (p, p);
                broadcast_batch(a, &ia) * broadcast_batch(b, &ib)
            };
            (0..k).map(term).sum()
        })]
    }

    fn samples(g: &mut Gen) -> Vec<Sample<MatMul>> {
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

    fn error_cases() -> Vec<ErrorCase<MatMul>> {
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

/// The element of a batch of matrices at an index whose batch axes may be broadcast.
fn broadcast_batch(x: &Array, index: &[usize]) -> f64 {
    let rank = x.shape().len();
    let own = &index[index.len() - rank..];
    let matrix = [own[rank - 2], own[rank - 1]];
    let batch = own[..rank - 2].iter().zip(x.shape()).map(|(&i, &n)| if n == 1 { 0 } else { i });
    x.at(&batch.chain(matrix).collect::<Vec<_>>())
}
