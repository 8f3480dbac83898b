//! Gradients through time: whether they explode or vanish is decided by the recurrent weight (the second book, chapter 6).

use gradus::prelude::*;

/// The norms of the gradient of the last of 20 states by each of them, the last but one first, divided by the batch's
/// two examples as in the book.
fn norms(weight: &Tensor) -> Vec<f64> {
    let tape = Tape::new();
    let weight = tape.constant(weight);
    let first = tape.var(Tensor::ones([2, 3]));
    let states: Vec<Var<'_>> =
        std::iter::successors(Some(first), |h| Some(h.matmul(&weight))).take(21).collect();
    let gradients = states[20].sum().grad(&states[..20]);
    let norm = |gradient: Option<Var<'_>>| {
        let gradient = gradient.expect("every state leads to the last").value();
        f64::from(gradient.square().sum().item()).sqrt() / 2.0
    };
    gradients.into_iter().rev().map(norm).collect()
}

#[test]
fn gradients_explode_or_vanish_with_the_recurrent_weight() {
    // The book's: NumPy's standard normal numbers of seed 3.
    let weight = Tensor::from([
        [1.7886285, 0.43650985, 0.09649747],
        [-1.8634927, -0.27738822, -0.35475898],
        [-0.08274148, -0.6270007, -0.04381817],
    ]);
    let exploding = norms(&weight);
    assert!((exploding[0] - 2.4684).abs() < 1e-3 && (exploding[19] - 249.5).abs() < 0.5, "{exploding:?}");
    let vanishing = norms(&(weight * 0.5));
    assert!((vanishing[0] - 1.2342).abs() < 1e-3 && vanishing[19] < 3e-4, "{vanishing:?}");
}
