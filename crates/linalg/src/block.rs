//! Formulas of rules: constants of a matrix's shape, and matrices of four parts.

use gradus_autograd::prelude::*;

/// Ones on the diagonal, where `like` is.
pub(crate) fn eye<V: Value>(like: &V, n: usize) -> V {
    like.place().constant(Tensor::eye(n))
}

/// `[[a, b], [0, a]]`.
pub(crate) fn upper_block<V: Value>(a: &V, b: &V) -> V {
    let zeros = a.place().constant(Tensor::zeros(a.shape()));
    let [above, below] = [V::concat(&[a, b], -1), V::concat(&[&zeros, a], -1)];
    V::concat(&[&above, &below], -2)
}

/// The part of a matrix of 2n rows and columns that lies `down` and `right` halves from its first element.
pub(crate) fn part<V: Value>(whole: &V, n: usize, [down, right]: [usize; 2]) -> V {
    whole.slice(-2, down * n..(down + 1) * n).slice(-1, right * n..(right + 1) * n)
}

/// (A + Aᵀ) / 2
pub(crate) fn symmetric<V: Value>(a: &V) -> V {
    (a + a.t()) * 0.5
}
