//! Determinants.

use crate::{
    equations::Lu,
    matrices::{Matrix, each, each_square, infer_square, square},
    reference,
    samples::regular,
    solve::{Inverse, inverse},
};
use gradus_autograd::{op::prelude::*, prelude::*};

/// The determinant.
#[derive(Clone, Copy, Debug)]
pub struct Det;

impl Op for Det {
    const NAME: &'static str = "det";
    const FORMULA: &'static str =
        "y = det A; dA = g C, the cofactors, which are y A⁻ᵀ where A has an inverse";
    const PRECISION: Precision = Precision::UlpsOfLargest(1.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [a] = arity::<Self, _>(inputs);
        Ok(Shape::new(square(Self::NAME, a)?.0).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        let (batch, _) = square(Self::NAME, inputs[0].shape()).or_fail();
        let [y] = each(inputs, batch, [&[]], |a| Some([Matrix::from_element(1, 1, determinant(&a[0]))]));
        (y.into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([a], g) = (cx.inputs(), cx.cotangent());
        cx.add(0, || g.unsqueeze(-1).unsqueeze(-1) * V::apply(Cofactors, &[a]));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        reference::each(inputs, [&[]], |a| [vec![vec![reference::pivots(&a[0]).iter().product()]]]).into()
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        eliminations(inputs)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        vec![Sample::new(Det, [regular(g)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![ErrorCase::new(Det, &[&[2, 3]], "det: the matrices of [2, 3] are 2 by 3, not square")]
    }
}

/// The determinants of what is left of a matrix without a row and a column, with the signs of a chessboard: the gradient of the
/// determinant, for singular matrices too. Its own gradient needs the inverse. No operation of users: the laws of the determinant, to
/// the second order, are its own.
#[derive(Clone, Copy, Debug)]
struct Cofactors;

impl Op for Cofactors {
    const NAME: &'static str = "cofactors";
    const FORMULA: &'static str = "C = det(A) A⁻ᵀ; dA = <G, A⁻ᵀ> C - A⁻ᵀ Gᵀ C";
    const PRECISION: Precision = Precision::UlpsOfLargest(1.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        infer_square::<Self>(inputs)
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        let cofactors = |a: &Matrix| {
            // Where f64 has digits enough for the inverse.
            if let Some(inverse) = inverse(a) {
                let determinant = determinant(a);
                if a.norm() * inverse.norm() < 1e8 && determinant.is_normal() {
                    return Some(inverse.transpose() * determinant);
                }
            }
            // With A = U diag(s) Vᵀ they are det(U) det(V) U diag(p) Vᵀ, p_i the product of all s but s_i.
            let svd = a.clone().svd(true, true);
            let (mut u, vt) = (svd.u?, svd.v_t?);
            let sign = u.determinant() * vt.determinant();
            for i in 0..a.nrows() {
                let others = (0..a.nrows()).filter(|&k| k != i).map(|k| svd.singular_values[k]);
                let product: f64 = others.product();
                u.column_mut(i).scale_mut(product * sign);
            }
            Some(u * vt)
        };
        (each_square(inputs, cofactors), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([a], y, g) = (cx.inputs(), cx.output(), cx.cotangent());
        cx.add(0, || {
            let inverse = V::apply(Inverse, &[&a.t()]);
            (&g * &inverse).sum_axes([-2, -1], true) * y - inverse.matmul(&g.t()).matmul(y)
        });
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        reference::each_square(inputs, reference::cofactors)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        vec![Sample::new(Cofactors, [regular(g)])]
    }
}

/// The sign of the determinant, and the logarithm of its absolute value.
#[derive(Clone, Copy, Debug)]
pub struct Slogdet;

impl Op for Slogdet {
    const NAME: &'static str = "slogdet";
    const FORMULA: &'static str = "s = sign det A, y = ln |det A|; dA = g A⁻ᵀ";
    const PRECISION: Precision = Precision::UlpsOfLargest(1.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [a] = arity::<Self, _>(inputs);
        let batch = Shape::new(square(Self::NAME, a)?.0);
        Ok(vec![batch.clone(), batch].into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        let (batch, _) = square(Self::NAME, inputs[0].shape()).or_fail();
        let outputs = each(inputs, batch, [&[], &[]], |a| {
            let lu = Lu::new(&a[0]);
            // From a number that is no zero nothing but a zero is without a sign.
            let sign = |x: f64| if x == 0.0 { 0.0 } else { x.signum() };
            let sign = lu.pivots().fold(lu.sign(), |product, x| product * sign(x));
            let log = lu.pivots().map(|x| x.abs().ln()).sum();
            Some([sign, log].map(|x| Matrix::from_element(1, 1, x)))
        });
        (Vec::from(outputs).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let [a] = cx.inputs();
        if let Some(g) = cx.cotangent_of(1) {
            cx.add(0, || g.unsqueeze(-1).unsqueeze(-1) * V::apply(Inverse, &[&a.t()]));
        }
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let sign_and_log = |a: &[reference::Rows]| {
            let pivots = reference::pivots(&a[0]);
            let sign = pivots.iter().map(|x| x.signum()).product();
            [vec![vec![sign]], vec![vec![pivots.iter().map(|x| x.abs().ln()).sum()]]]
        };
        reference::each(inputs, [&[], &[]], sign_and_log).into()
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        eliminations(inputs)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        vec![Sample::new(Slogdet, [regular(g)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![ErrorCase::new(Slogdet, &[&[4]], "slogdet: shape [4] is no matrix")]
    }
}

/// The determinant; of few rows by the library's closed formulas.
fn determinant(a: &Matrix) -> f64 {
    if a.nrows() <= 3 {
        return a.determinant();
    }
    let lu = Lu::new(a);
    lu.sign() * lu.pivots().product::<f64>()
}

/// The operations of an elimination.
fn eliminations(inputs: &[&[usize]]) -> u64 {
    2 * elements(inputs) * inputs[0].last().map_or(0, |&n| n as u64) / 3
}
