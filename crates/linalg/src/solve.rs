//! Linear equations: the inverse, and the solution for several right sides.

use crate::{
    equations::{Lu, solve_lower, solve_upper},
    matrices::{Matrix, each, each_square, infer_square, solution},
    reference,
    samples::{regular, right_side},
};
use gradus_autograd::{op::prelude::*, prelude::*};

/// `A⁻¹`
#[derive(Clone, Copy, Debug)]
pub struct Inverse;

impl Op for Inverse {
    const NAME: &'static str = "inverse";
    const FORMULA: &'static str = "Y = A⁻¹; dA = -Yᵀ G Yᵀ";
    const PRECISION: Precision = Precision::UlpsOfLargest(1.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        infer_square::<Self>(inputs)
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (each_square(inputs, inverse), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let (y, g) = (cx.output(), cx.cotangent());
        cx.add(0, || -y.t().matmul(&g).matmul(&y.t()));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        reference::each_square(inputs, |a| reference::solve(a, &reference::identity(a.len())))
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        2 * elements(outputs) * inputs[0].last().map_or(0, |&n| n as u64)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        vec![Sample::new(Inverse, [regular(g)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![
            ErrorCase::new(Inverse, &[&[2, 3]], "inverse: the matrices of [2, 3] are 2 by 3, not square"),
            ErrorCase::new(Inverse, &[&[3]], "inverse: shape [3] is no matrix"),
        ]
    }
}

/// The X with `A X = B`.
#[derive(Clone, Copy, Debug)]
pub struct Solve;

impl Op for Solve {
    const NAME: &'static str = "solve";
    const FORMULA: &'static str = "A X = B; dB = A⁻ᵀ G; dA = -dB Xᵀ";
    const PRECISION: Precision = Precision::UlpsOfLargest(1.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [a, b] = arity::<Self, _>(inputs);
        Ok(solution(Self::NAME, a, b)?.into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (solved::<Self>(inputs, |a, b| Lu::new(a).solve(b)), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([a, _], x) = (cx.inputs(), cx.output());
        let d = V::apply(Solve, &[&a.t(), &cx.cotangent()]);
        cx.add(0, || -d.matmul(&x.t()));
        cx.add(1, || d.clone());
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let size = reference::matrix_shape(inputs[1]);
        reference::each(inputs, [&size], |m| [reference::solve(&m[0], &m[1])]).into()
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        let n = inputs[0].last().map_or(0, |&n| n as u64);
        2 * elements(outputs) * n + 2 * elements(&inputs[..1]) * n / 3
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let a = regular(g);
        let b = right_side(g, &a);
        // One matrix for the right sides of two.
        let n = a.shape()[a.rank() - 1];
        let (alone, c) = (Tensor::eye(n) * 2.0 + g.values([n, n], -0.3, 0.3), g.normal([2, n, 1]));
        vec![Sample::new(Solve, [a, b]), Sample::new(Solve, [alone, c])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![
            ErrorCase::new(
                Solve,
                &[&[2, 3], &[2, 1]],
                "solve: the matrices of [2, 3] are 2 by 3, not square",
            ),
            ErrorCase::new(Solve, &[&[2, 2], &[2]], "solve: the right side has shape [2], not [.., 2, k]"),
            ErrorCase::new(
                Solve,
                &[&[2, 2], &[3, 1]],
                "solve: [2, 2] by [3, 1]: 2 equations need a right side [.., 2, k], not one of 3 rows",
            ),
            ErrorCase::new(Solve, &[&[3, 2, 2], &[4, 2, 1]], "solve: shapes [3] and [4] do not broadcast"),
        ]
    }
}

/// The X with `A X = B` where only a triangle of A is read, diagonal included.
#[derive(Clone, Copy, Debug)]
pub struct TriangularSolve {
    /// The triangle above the diagonal, not the one below it.
    pub upper: bool,
}

impl Op for TriangularSolve {
    const NAME: &'static str = "triangular_solve";
    const FORMULA: &'static str = "A X = B; dB = A⁻ᵀ G; dA = the triangle of -dB Xᵀ";
    const PRECISION: Precision = Precision::UlpsOfLargest(1.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [a, b] = arity::<Self, _>(inputs);
        Ok(solution(Self::NAME, a, b)?.into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        let solve = |a: &Matrix, b: &Matrix| {
            if self.upper { solve_upper(a, b.clone()) } else { solve_lower(a, b.clone()) }
        };
        (solved::<Self>(inputs, solve), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([a, _], x) = (cx.inputs(), cx.output());
        let d = V::apply(TriangularSolve { upper: !self.upper }, &[&a.t(), &cx.cotangent()]);
        cx.add(0, || {
            let whole = -d.matmul(&x.t());
            if self.upper { whole.triu(0) } else { whole.tril(0) }
        });
        cx.add(1, || d.clone());
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let size = reference::matrix_shape(inputs[1]);
        reference::each(inputs, [&size], |m| {
            [reference::solve(&reference::triangle(&m[0], self.upper), &m[1])]
        })
        .into()
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        elements(outputs) * inputs[0].last().map_or(0, |&n| n as u64)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let a = regular(g);
        let b = right_side(g, &a);
        [false, true].map(|upper| Sample::new(TriangularSolve { upper }, [a.clone(), b.clone()])).into()
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = TriangularSolve { upper: false };
        vec![
            ErrorCase::new(
                op,
                &[&[2, 3], &[2, 1]],
                "triangular_solve: the matrices of [2, 3] are 2 by 3, not square",
            ),
            ErrorCase::new(op, &[&[2, 2], &[2]], "triangular_solve: the right side has shape [2]"),
        ]
    }
}

/// The inverse, if there is one; of few rows by the library's closed formulas.
pub(crate) fn inverse(a: &Matrix) -> Option<Matrix> {
    let n = a.nrows();
    if n <= 4 { a.clone().try_inverse() } else { Lu::new(a).solve(&Matrix::identity(n, n)) }
}

fn solved<O: Op>(inputs: &[&Tensor], solve: impl Fn(&Matrix, &Matrix) -> Option<Matrix> + Sync) -> Outputs {
    let shape = solution(O::NAME, inputs[0].shape(), inputs[1].shape()).or_fail();
    let (batch, size) = shape.split_at(shape.rank() - 2);
    let [x] = each(inputs, batch, [size], |m| Some([solve(&m[0], &m[1])?]));
    x.into()
}
