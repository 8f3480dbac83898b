//! Eigenvalues of symmetric matrices, and singular values of any.

use crate::{
    block::{eye, symmetric},
    matrices::{Matrix, each, parts, scale_columns, scale_rows, shape_of, signs, square},
    reference,
    samples::spread,
};
use gradus_autograd::{op::prelude::*, prelude::*};
use nalgebra::{SVD, SymmetricEigen};

/// Rotations for a matrix, of which a few an eigenvalue are needed, before it is given up.
const MOST_ROTATIONS: usize = 100_000;

/// Eigenvalues and eigenvectors of the symmetric part.
#[derive(Clone, Copy, Debug)]
pub struct Eigh;

impl Op for Eigh {
    const NAME: &'static str = "eigh";
    const FORMULA: &'static str =
        "V diag(w) Vᵀ = (A + Aᵀ) / 2; dA = sym(V (diag(gw) + F ∘ Vᵀ Gv) Vᵀ), F[i, j] = 1 / (w[j] - w[i])";
    const PRECISION: Precision = Precision::UlpsOfLargest(1.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [a] = arity::<Self, _>(inputs);
        let (batch, n) = square(Self::NAME, a)?;
        Ok(vec![shape_of(batch, &[n]), Shape::new(a)].into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        let (batch, n) = square(Self::NAME, inputs[0].shape()).or_fail();
        let outputs = each(inputs, batch, [&[n], &[n, n]], |a| {
            let both =
                SymmetricEigen::try_new((&a[0] + a[0].transpose()) * 0.5, f64::EPSILON, MOST_ROTATIONS)?;
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by(|&i, &j| both.eigenvalues[i].total_cmp(&both.eigenvalues[j]));
            let mut vectors = both.eigenvectors.select_columns(&order);
            let signs = signs(&vectors);
            scale_columns(&mut vectors, &signs);
            Some([Matrix::from_fn(n, 1, |i, _| both.eigenvalues[order[i]]), vectors])
        });
        (Vec::from(outputs).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let (w, v) = (cx.outputs()[0], cx.outputs()[1]);
        let (of_w, of_v) = (cx.cotangent_of(0), cx.cotangent_of(1));
        cx.add(0, || {
            let n = w.shape()[w.rank() - 1];
            let diagonal = of_w.map(|g| g.unsqueeze(-1) * eye(w, n));
            let beside = of_v.map(|g| v.t().matmul(&g) * inverse_differences(w, n));
            let inner = match (diagonal, beside) {
                (Some(a), Some(b)) => a + b,
                (a, b) => a.or(b).expect("an output has a cotangent"),
            };
            symmetric(&v.matmul(&inner).matmul(&v.t()))
        });
    }

    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        let [n, _] = reference::matrix_shape(inputs[0]);
        reference::each(inputs, [&[n], &[n, n]], |a| reference::eigh(&reference::symmetric(&a[0]), branches))
            .into()
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        9 * elements(inputs) * inputs[0].last().map_or(0, |&n| n as u64)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let n = g.length().min(4);
        vec![Sample::new(Eigh, [spread(g, n, n)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![ErrorCase::new(Eigh, &[&[2, 3]], "eigh: the matrices of [2, 3] are 2 by 3, not square")]
    }
}

/// `U diag(S) Vᵀ`, without the columns that meet no singular value.
#[derive(Clone, Copy, Debug)]
pub struct Svd;

impl Op for Svd {
    const NAME: &'static str = "svd";
    const FORMULA: &'static str = "U diag(s) Vᵀ = A; dA = U (E ∘ skew(Uᵀ Gu) S + S E ∘ skew(Vᵀ Gv) + diag(gs)) Vᵀ \
        + (1 - U Uᵀ) Gu S⁻¹ Vᵀ + U S⁻¹ Gvᵀ (1 - V Vᵀ), E[i, j] = 1 / (s[j]² - s[i]²)";
    const PRECISION: Precision = Precision::UlpsOfLargest(1.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [a] = arity::<Self, _>(inputs);
        let (batch, m, n) = parts(Self::NAME, a)?;
        let k = m.min(n);
        Ok([&[m, k][..], &[k], &[k, n]].map(|size| shape_of(batch, size)).to_vec().into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        let (batch, m, n) = parts(Self::NAME, inputs[0].shape()).or_fail();
        let k = m.min(n);
        let outputs = each(inputs, batch, [&[m, k], &[k], &[k, n]], |a| {
            let svd = SVD::try_new(a[0].clone(), true, true, f64::EPSILON, MOST_ROTATIONS)?;
            let (mut u, mut vt) = (svd.u?, svd.v_t?);
            let signs = signs(&u);
            scale_columns(&mut u, &signs);
            scale_rows(&mut vt, &signs);
            Some([u, Matrix::from_fn(k, 1, |i, _| svd.singular_values[i]), vt])
        });
        (Vec::from(outputs).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let [u, s, vt] = [0, 1, 2].map(|k| cx.outputs()[k]);
        let [of_u, of_s, of_vt] = [0, 1, 2].map(|k| cx.cotangent_of(k));
        let (m, n, k) = (u.shape()[u.rank() - 2], vt.shape()[vt.rank() - 1], s.shape()[s.rank() - 1]);
        cx.add(0, || {
            let (row, column) = (s.unsqueeze(-2), s.unsqueeze(-1));
            let e = || inverse_differences(&s.square(), k);
            let skew = |x: V| &x - x.t();
            let mut terms = Vec::new();
            if let Some(g) = of_s {
                terms.push(u.matmul(&(g.unsqueeze(-1) * vt)));
            }
            if let Some(g) = of_u {
                terms.push(u.matmul(&(skew(u.t().matmul(&g)) * e() * &row)).matmul(vt));
                if m > k {
                    let scaled = g / &row;
                    terms.push((&scaled - u.matmul(&u.t().matmul(&scaled))).matmul(vt));
                }
            }
            if let Some(g) = of_vt {
                terms.push(u.matmul(&(skew(vt.matmul(&g.t())) * e() * &column)).matmul(vt));
                if n > k {
                    let scaled = g / &column;
                    terms.push(u.matmul(&(&scaled - scaled.matmul(&vt.t()).matmul(vt))));
                }
            }
            terms.into_iter().reduce(|a, b| a + b).expect("an output has a cotangent")
        });
    }

    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        let [m, n] = reference::matrix_shape(inputs[0]);
        let k = m.min(n);
        reference::each(inputs, [&[m, k], &[k], &[k, n]], |a| reference::svd(&a[0], n, branches)).into()
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        14 * elements(inputs) * outputs[1].last().map_or(0, |&k| k as u64)
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (m, n) = (g.length().min(4), g.length().min(4));
        vec![Sample::new(Svd, [spread(g, m, n)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![ErrorCase::new(Svd, &[&[3]], "svd: shape [3] is no matrix")]
    }
}

/// `1 / (w[j] - w[i])` in row i and column j, 0 on the diagonal.
fn inverse_differences<V: Value>(w: &V, n: usize) -> V {
    let one = eye(w, n);
    let differences = w.unsqueeze(-2) - w.unsqueeze(-1);
    (c(1.0) - &one) / (differences + one)
}
