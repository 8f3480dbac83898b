//! The Cholesky decomposition.

use crate::{
    block::symmetric,
    matrices::{each, shape_of, square},
    reference,
    solve::TriangularSolve,
};
use gradus_autograd::{op::prelude::*, prelude::*};

/// The lower triangle L with `L Lᵀ` the symmetric part of A.
#[derive(Clone, Copy, Debug)]
pub struct Cholesky;

impl Op for Cholesky {
    const NAME: &'static str = "cholesky";
    const FORMULA: &'static str =
        "L Lᵀ = (A + Aᵀ) / 2; dA = sym(L⁻ᵀ P L⁻¹), P = tril(Lᵀ G) with half its diagonal";
    const PRECISION: Precision = Precision::UlpsOfLargest(1.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [a] = arity::<Self, _>(inputs);
        square(Self::NAME, a)?;
        Ok(Shape::new(a).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        let (batch, n) = square(Self::NAME, inputs[0].shape()).or_fail();
        let [l] =
            each(inputs, batch, [&[n, n]], |a| Some([((&a[0] + a[0].transpose()) * 0.5).cholesky()?.l()]));
        (l.into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let (l, g) = (cx.output(), cx.cotangent());
        cx.add(0, || {
            let product = l.t().matmul(&g);
            let p = (product.tril(0) + product.tril(-1)) * 0.5;
            let upper = TriangularSolve { upper: true };
            let right = V::apply(upper, &[&l.t(), &p]); // L⁻ᵀ P
            symmetric(&V::apply(upper, &[&l.t(), &right.t()])) // (L⁻ᵀ P L⁻¹)ᵀ
        });
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let size = reference::matrix_shape(inputs[0]);
        reference::each(inputs, [&size], |a| [reference::cholesky(&reference::symmetric(&a[0]))]).into()
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        elements(outputs) * inputs[0].last().map_or(0, |&n| n as u64) / 3
    }

    fn samples(g: &mut Gen) -> Vec<Sample<Cholesky>> {
        let n = g.length().min(4);
        let batch: Vec<usize> = g.shape().into_iter().take(2).map(|n| n.min(2)).collect();
        let a = g.values(shape_of(&batch, &[n, n]), -1.0, 1.0);
        // More on the diagonal than beside it, and not symmetric.
        vec![Sample::new(Cholesky, [a + Tensor::eye(n) * (n as f32 + 1.0)])]
    }

    fn error_cases() -> Vec<ErrorCase<Cholesky>> {
        vec![ErrorCase::new(Cholesky, &[&[2, 3]], "cholesky: the matrices of [2, 3] are not square")]
    }
}
