//! Matrices for the laws: far from what is singular, of equal values or out of the range of numbers.

use crate::matrices::shape_of;
use gradus_autograd::op::prelude::*;

/// Up to two axes of batches.
fn batch(g: &mut Gen) -> Vec<usize> {
    g.shape().into_iter().take(2).map(|n| n.min(2)).collect()
}

/// Square matrices whose diagonal outweighs the rest, in triangles too.
pub(crate) fn regular(g: &mut Gen) -> Tensor {
    let (n, batch) = (g.length().min(4), batch(g));
    let signs = g.nonzero(shape_of(&batch, &[1, n]), n as f32);
    g.values(shape_of(&batch, &[n, n]), -1.0, 1.0) + signs * Tensor::eye(n)
}

/// Matrices with more on the diagonal than beside it, not symmetric, whose symmetric part is positive definite.
pub(crate) fn definite(g: &mut Gen) -> Tensor {
    let (n, batch) = (g.length().min(4), batch(g));
    g.values(shape_of(&batch, &[n, n]), -1.0, 1.0) + Tensor::eye(n) * (n as f32 + 1.0)
}

/// Matrices with at least as many rows as columns, which do not depend on each other.
pub(crate) fn tall(g: &mut Gen) -> Tensor {
    let n = g.length().min(3);
    let (m, batch) = (n + g.between(0, 2), batch(g));
    let diagonal = Tensor::from_fn([m, n], |i| if i[0] == i[1] { n as f32 + 1.0 } else { 0.0 });
    g.values(shape_of(&batch, &[m, n]), -1.0, 1.0) - diagonal
}

/// Matrices whose eigenvalues and singular values lie apart, and not near 0.
pub(crate) fn spread(g: &mut Gen, m: usize, n: usize) -> Tensor {
    let batch = batch(g);
    let ladder = Tensor::from_fn([m, n], |i| if i[0] == i[1] { 2.0 + 2.0 * i[0] as f32 } else { 0.0 });
    g.values(shape_of(&batch, &[m, n]), -0.4, 0.4) + ladder
}

/// Square matrices with a norm of about 1.
pub(crate) fn moderate(g: &mut Gen) -> Tensor {
    let (n, batch) = (g.length().min(3), batch(g));
    g.values(shape_of(&batch, &[n, n]), -1.0, 1.0)
}

/// Right sides for equations.
pub(crate) fn right_side(g: &mut Gen, a: &Tensor) -> Tensor {
    let (batch, size) = a.shape().split_at(a.rank() - 2);
    let columns = g.length().min(3);
    g.normal(shape_of(batch, &[size[0], columns]))
}
