//! The QR decomposition.

use crate::{
    matrices::{each, scale_columns, scale_rows, shape_of, tall},
    reference, samples,
    solve::TriangularSolve,
};
use gradus_autograd::{op::prelude::*, prelude::*};

/// Orthonormal columns, and an upper triangle with a positive diagonal.
#[derive(Clone, Copy, Debug)]
pub struct Qr;

impl Op for Qr {
    const NAME: &'static str = "qr";
    const FORMULA: &'static str =
        "Q R = A; dA = (Gq + Q C) R⁻ᵀ, C = tril(M, -1) + tril(M)ᵀ, M = R Grᵀ - Gqᵀ Q";
    const PRECISION: Precision = Precision::UlpsOfLargest(1.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [a] = arity::<Self, _>(inputs);
        let (batch, _, n) = tall(Self::NAME, a)?;
        Ok(vec![Shape::new(a), shape_of(batch, &[n, n])].into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        let (batch, m, n) = tall(Self::NAME, inputs[0].shape()).or_fail();
        let outputs = each(inputs, batch, [&[m, n], &[n, n]], |a| {
            let qr = a[0].clone().qr();
            let (mut q, mut r) = (qr.q(), qr.r());
            let signs: Vec<f64> = r.diagonal().iter().map(|x| x.signum()).collect();
            scale_columns(&mut q, &signs);
            scale_rows(&mut r, &signs);
            Some([q, r])
        });
        (Vec::from(outputs).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let (q, r) = (cx.outputs()[0], cx.outputs()[1]);
        let (of_q, of_r) = (cx.cotangent_of(0), cx.cotangent_of(1));
        cx.add(0, || {
            let from_r = of_r.map(|g| r.matmul(&g.t()));
            let from_q = of_q.as_ref().map(|g| -g.t().matmul(q));
            let m = sum(from_r, from_q).expect("an output has a cotangent");
            let c = m.tril(-1) + m.tril(0).t();
            let whole = sum(of_q, Some(q.matmul(&c))).expect("the second is there");
            V::apply(TriangularSolve { upper: true }, &[r, &whole.t()]).t() // W R⁻ᵀ = (R⁻¹ Wᵀ)ᵀ
        });
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let [m, n] = reference::matrix_shape(inputs[0]);
        reference::each(inputs, [&[m, n], &[n, n]], |a| reference::qr(&a[0])).into()
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        4 * elements(inputs) * inputs[0].last().map_or(0, |&n| n as u64)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        vec![Sample::new(Qr, [samples::tall(g)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![ErrorCase::new(
            Qr,
            &[&[2, 3]],
            "qr: the matrices of [2, 3] have 2 rows, fewer than their 3 columns",
        )]
    }
}

/// What there is of two values, added.
fn sum<V: Value>(a: Option<V>, b: Option<V>) -> Option<V> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}
