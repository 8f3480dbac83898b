//! Losses, penalties, and the gradient method.

use crate::{apart, close, gradient, sigmoid, slope};
use gradus::prelude::*;

#[test]
fn an_error_has_its_square() {
    let (y, right, wrong): ([f64; 2], _, _) = ([1.0, 0.0], [1.0, 0.0], [0.0, 1.0]);
    let sum = |f: fn(f64) -> f64, out: [f64; 2]| (0..2).map(|i| f(out[i] - y[i])).sum::<f64>() / 2.0;
    // Without it the worst guess costs nothing, and a guess too low costs less than nothing.
    assert_eq!((sum(|d| d, right), sum(|d| d, wrong)), (0.0, 0.0));
    assert!(sum(|d| d, [0.0, 0.0]) < 0.0);
    assert_eq!((sum(|d| d * d, right), sum(|d| d * d, wrong)), (0.0, 1.0));
}

#[test]
fn the_loss_of_a_batch_is_a_mean() {
    let losses = [-(0.6_f64.ln()), -(0.1_f64.ln())];
    let (total, mean) = (losses[0] + losses[1], (losses[0] + losses[1]) / 2.0);
    let scores = Tensor::from([[0.6, 0.4], [0.9, 0.1]]).log();
    let found: f64 = Tape::new().constant(scores).cross_entropy(&Indices::from([0, 1])).item().into();
    close(found, mean, 1e-6);
    apart(found, total, 1.0);
}

/// Four examples of two numbers each, and their labels.
const X: [[f64; 2]; 4] = [[0.5, -1.0], [1.5, 0.3], [-0.7, 0.8], [0.2, 1.1]];
const Y: [f64; 4] = [0.0, 1.0, 1.0, 0.0];
const M: f64 = 4.0;
const LAMBDA: f64 = 0.6;
/// Bias first.
const THETA: [f64; 3] = [0.3, -0.8, 1.2];

fn guess(theta: [f64; 3], x: [f64; 2]) -> f64 {
    sigmoid(theta[0] + theta[1] * x[0] + theta[2] * x[1])
}

/// The sum of y log h + (1 - y) log (1 - h), which is negative.
fn likelihood(theta: [f64; 3]) -> f64 {
    let one = |(x, y): (&[f64; 2], f64)| {
        let h = guess(theta, *x);
        y * h.ln() + (1.0 - y) * (1.0 - h).ln()
    };
    X.iter().zip(Y).map(one).sum()
}

/// Σθ² without the bias.
fn squares(theta: [f64; 3]) -> f64 {
    theta[1..].iter().map(|t| t * t).sum()
}

/// The cost: mean cross-entropy and λ/2m of the squares.
fn cost(theta: [f64; 3], lambda: f64) -> f64 {
    -likelihood(theta) / M + lambda / (2.0 * M) * squares(theta)
}

/// Δ: the sum of (h - y) x over the examples.
fn accumulated(theta: [f64; 3]) -> [f64; 3] {
    let mut sum = [0.0; 3];
    for (x, y) in X.into_iter().zip(Y) {
        let delta = guess(theta, x) - y;
        sum.iter_mut().zip([1.0, x[0], x[1]]).for_each(|(sum, x)| *sum += delta * x);
    }
    sum
}

#[test]
fn a_penalty_is_added() {
    let printed = |theta, lambda: f64| -(likelihood(theta) + lambda / (2.0 * M) * squares(theta)) / M;
    let penalty = squares(THETA) / (2.0 * M);
    close(slope(|lambda| cost(THETA, lambda), LAMBDA), penalty, 1e-9);
    // Inside the bracket it is a reward: the cost falls as λ grows, and larger weights are cheaper.
    close(slope(|lambda| printed(THETA, lambda), LAMBDA), -penalty / M, 1e-9);
    let larger = |scale: f64| THETA.map(|t| t * scale);
    let of_penalty = |f: &dyn Fn([f64; 3], f64) -> f64| {
        slope(|scale| f(larger(scale), LAMBDA) - f(larger(scale), 0.0), 1.0)
    };
    assert!(of_penalty(&cost) > 0.0 && of_penalty(&printed) < 0.0);
}

#[test]
fn logistic_regression_has_the_same_penalty() {
    let printed = |theta, lambda: f64| -(likelihood(theta) + lambda * squares(theta)) / M;
    let expected = accumulated(THETA);
    let [right, wrong] = [gradient(|t| cost(t, LAMBDA), THETA), gradient(|t| printed(t, LAMBDA), THETA)];
    for i in 1..3 {
        let backprop = (expected[i] + LAMBDA * THETA[i]) / M;
        close(right[i], backprop, 1e-9);
        // The wrong sign, and twice the size.
        close(wrong[i], (expected[i] - 2.0 * LAMBDA * THETA[i]) / M, 1e-9);
        apart(wrong[i], backprop, 0.1);
    }
}

#[test]
fn lambda_is_divided_by_the_number_of_examples() {
    let numerical = gradient(|theta| cost(theta, LAMBDA), THETA);
    let sums = accumulated(THETA);
    close(numerical[0], sums[0] / M, 1e-9);
    for i in 1..3 {
        close(numerical[i], sums[i] / M + LAMBDA / M * THETA[i], 1e-9);
        apart(numerical[i], sums[i] / M + LAMBDA * THETA[i], 0.1);
    }
}

#[test]
fn the_gradient_points_uphill() {
    let f = |x: [f64; 2]| x[0] * x[0] + x[1] * x[1];
    let at = [3.0, 4.0];
    let g = gradient(f, at);
    let moved = |by: f64| f([at[0] + by * g[0], at[1] + by * g[1]]);
    assert!(moved(0.01) > f(at) && moved(-0.01) < f(at));
    // No other direction of the same length falls faster.
    let length = g[0].hypot(g[1]) * 1e-4;
    let best = (0..360)
        .map(|degrees| f64::from(degrees).to_radians())
        .min_by(|a, b| {
            let [a, b] = [a, b].map(|angle| f([at[0] + length * angle.cos(), at[1] + length * angle.sin()]));
            a.total_cmp(&b)
        })
        .unwrap();
    close(best, (-g[1]).atan2(-g[0]) + std::f64::consts::TAU, 0.01);
}

#[test]
fn eta_is_a_rate_and_not_an_amount() {
    let f = |x: [f64; 2]| x[0] * x[0] + x[1] * x[1];
    let g = gradient(f, [-3.0, 4.0]);
    let step = [-0.1 * g[0], -0.1 * g[1]];
    close(step[0], 0.6, 1e-9);
    close(step[1], -0.8, 1e-9);
    // The book's first step with a rate of 0.1 is ten times as long as that.
    close(step[0].hypot(step[1]), 1.0, 1e-9);
}
