//! The exponential of matrices, and its derivative in a direction.

use crate::{
    block::{part, upper_block},
    matrices::{Matrix, each, each_square, infer_square, square},
    reference,
    samples::moderate,
};
use gradus_autograd::{op::prelude::*, prelude::*};

/// `Σ Aᵏ / k!`
#[derive(Clone, Copy, Debug)]
pub struct MatrixExp;

impl Op for MatrixExp {
    const NAME: &'static str = "matrix_exp";
    const FORMULA: &'static str =
        "Y = Σ Aᵏ / k!; dA = L(Aᵀ, G), the derivative of the exponential at Aᵀ along G";
    const PRECISION: Precision = Precision::UlpsOfLargest(1.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        infer_square::<Self>(inputs)
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (each_square(inputs, |a| Some(exponential(a))), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([a], g) = (cx.inputs(), cx.cotangent());
        cx.add(0, || V::apply(MatrixExpDerivative, &[&a.t(), &g]));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        reference::each_square(inputs, reference::exp)
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        products(inputs, outputs)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        vec![Sample::new(MatrixExp, [moderate(g)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![ErrorCase::new(
            MatrixExp,
            &[&[2, 3]],
            "matrix_exp: the matrices of [2, 3] are 2 by 3, not square",
        )]
    }
}

/// `d exp(A + tE) / dt` at t = 0.
#[derive(Clone, Copy, Debug)]
pub struct MatrixExpDerivative;

impl Op for MatrixExpDerivative {
    const NAME: &'static str = "matrix_exp_derivative";
    const FORMULA: &'static str = "Y = the upper right part of exp(M), M = [[A, E], [0, A]]; \
        N = L(Mᵀ, [[0, G], [0, 0]]), dA = N11 + N22, dE = N12";
    const PRECISION: Precision = Precision::UlpsOfLargest(1.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [a, e] = arity::<Self, _>(inputs);
        square(Self::NAME, a)?;
        if a != e {
            return Err(ShapeError::new(format!(
                "matrix_exp_derivative: matrices of {a:?} have no direction of shape {e:?}: it needs the same shape"
            )));
        }
        Ok(Shape::new(a).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        let (batch, n) = square(Self::NAME, inputs[0].shape()).or_fail();
        let [y] = each(inputs, batch, [&[n, n]], |m| {
            // Linear in the direction: of the size of the matrix it costs no digits.
            let scale = power_of_two_of(m[1].iter());
            let mut whole = Matrix::zeros(2 * n, 2 * n);
            whole.view_mut((0, 0), (n, n)).copy_from(&m[0]);
            whole.view_mut((n, n), (n, n)).copy_from(&m[0]);
            whole.view_mut((0, n), (n, n)).copy_from(&(&m[1] / scale));
            Some([exponential(&whole).view((0, n), (n, n)) * scale])
        });
        (y.into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([a, e], g) = (cx.inputs(), cx.cotangent());
        let n = a.shape()[a.rank() - 1];
        let zeros = a.place().constant(Tensor::zeros(a.shape()));
        let at = upper_block(a, e).t();
        let direction = upper_block(&zeros, &g);
        let whole = V::apply(MatrixExpDerivative, &[&at, &direction]);
        cx.add(0, || part(&whole, n, [0, 0]) + part(&whole, n, [1, 1]));
        cx.add(1, || part(&whole, n, [0, 1]));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let size = reference::matrix_shape(inputs[0]);
        reference::each(inputs, [&size], |m| [reference::exp_derivative(&m[0], &m[1])]).into()
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        8 * products(inputs, outputs)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let a = moderate(g);
        let e = g.normal(a.shape());
        vec![Sample::new(MatrixExpDerivative, [a, e])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = MatrixExpDerivative;
        vec![ErrorCase::new(
            op,
            &[&[2, 2], &[2]],
            "matrix_exp_derivative: matrices of [2, 2] have no direction of shape [2]",
        )]
    }
}

fn exponential(a: &Matrix) -> Matrix {
    // The library divides by the norm.
    if a.iter().all(|&x| x == 0.0) { Matrix::identity(a.nrows(), a.nrows()) } else { a.exp() }
}

/// The power of two below the largest absolute value, 1 where all are 0.
fn power_of_two_of<'a>(numbers: impl Iterator<Item = &'a f64>) -> f64 {
    let largest = numbers.fold(0.0, |most: f64, x| most.max(x.abs()));
    if largest == 0.0 { 1.0 } else { largest.log2().floor().exp2() }
}

/// The operations of some twenty products.
fn products(inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
    40 * elements(outputs) * inputs[0].last().map_or(0, |&n| n as u64)
}
