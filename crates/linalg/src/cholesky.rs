//! The Cholesky decomposition.

use crate::{
    block::symmetric,
    matrices::{each_square, infer_square},
    reference,
    samples::definite,
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
        infer_square::<Self>(inputs)
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (each_square(inputs, |a| Some(((a + a.transpose()) * 0.5).cholesky()?.l())), ())
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
        reference::each_square(inputs, |a| reference::cholesky(&reference::symmetric(a)))
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        elements(outputs) * inputs[0].last().map_or(0, |&n| n as u64) / 3
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        vec![Sample::new(Cholesky, [definite(g)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![ErrorCase::new(Cholesky, &[&[2, 3]], "cholesky: the matrices of [2, 3] are 2 by 3, not square")]
    }
}
