//! Derivations of backpropagation: indices, missing factors, signs, and gradients that explode.

use crate::{apart, close, gradient, sigmoid, slope};

const X: [f64; 2] = [0.6, -0.9];
const Y: [f64; 2] = [0.2, 0.9];
/// `w[j][k]` joins hidden unit k to output j.
const W: [[f64; 2]; 2] = [[0.5, -0.4], [1.1, 0.3]];
const Z: [f64; 2] = [0.4, -0.7];

/// The outputs of two sigmoid units on sigmoids of these.
fn outputs(z: [f64; 2], w: [[f64; 2]; 2], b: [f64; 2]) -> [f64; 2] {
    let a = z.map(sigmoid);
    [0, 1].map(|j| sigmoid(w[j][0] * a[0] + w[j][1] * a[1] + b[j]))
}

fn squared(out: [f64; 2]) -> f64 {
    (0..2).map(|j| (out[j] - Y[j]).powi(2) / 2.0).sum()
}

fn entropy(out: [f64; 2]) -> f64 {
    -(0..2).map(|j| Y[j] * out[j].ln() + (1.0 - Y[j]) * (1.0 - out[j]).ln()).sum::<f64>()
}

fn bend(a: f64) -> f64 {
    a * (1.0 - a)
}

/// The outputs and their δ under the squared error.
fn deltas() -> ([f64; 2], [f64; 2]) {
    let out = outputs(Z, W, [0.0; 2]);
    (out, [0, 1].map(|j| (out[j] - Y[j]) * bend(out[j])))
}

#[test]
fn the_sum_over_k_takes_the_error_of_k() {
    let numerical = gradient(|z| squared(outputs(z, W, [0.0; 2])), Z);
    let (_, delta) = deltas();
    for j in 0..2 {
        let f = bend(sigmoid(Z[j]));
        close(numerical[j], (0..2).map(|k| W[k][j] * delta[k]).sum::<f64>() * f, 1e-9);
        apart(numerical[j], (0..2).map(|k| W[k][j] * delta[j]).sum::<f64>() * f, 1e-3);
    }
}

#[test]
fn a_minus_y_belongs_to_cross_entropy_at_the_output() {
    let by_scores = |cost: fn([f64; 2]) -> f64| gradient(|b| cost(outputs(Z, W, b)), [0.0; 2]);
    let (out, delta) = deltas();
    let (of_entropy, of_squared) = (by_scores(entropy), by_scores(squared));
    for j in 0..2 {
        close(of_entropy[j], out[j] - Y[j], 1e-9);
        close(of_squared[j], delta[j], 1e-9);
        apart(of_squared[j], out[j] - Y[j], 0.1);
    }
    // A hidden unit has no y; the outputs' in its place is another number.
    let hidden = gradient(|z| entropy(outputs(z, W, [0.0; 2])), Z);
    for k in 0..2 {
        let back: f64 = (0..2).map(|j| W[j][k] * (out[j] - Y[j])).sum();
        close(hidden[k], back * bend(sigmoid(Z[k])), 1e-9);
        apart(hidden[k], sigmoid(Z[k]) - Y[k], 0.05);
    }
}

#[test]
fn the_learning_rate_is_applied_once() {
    let (rate, w) = (0.1, 1.0);
    let g = slope(|w| w * w, w);
    close(w - rate * g, 0.8, 1e-9);
    // As printed, the accumulated Δ has it and the update has it again.
    close(w - rate * (rate * g), 0.98, 1e-9);
    apart(w - rate * (rate * g), 0.8, 0.1);
}

#[test]
fn hidden_sums_have_the_whole_slope_of_the_output() {
    let numerical = gradient(|z| squared(outputs(z, W, [0.0; 2])), Z);
    let (out, delta) = deltas();
    for h in 0..2 {
        let a = sigmoid(Z[h]);
        close(numerical[h], bend(a) * (0..2).map(|j| delta[j] * W[j][h]).sum::<f64>(), 1e-9);
        let printed: f64 = (0..2).map(|j| (out[j] - Y[j]) * out[j] * W[j][h]).sum();
        apart(numerical[h], bend(a) * printed, 0.005);
    }
}

#[test]
fn a_weight_takes_the_activation_of_its_input() {
    let a = Z.map(sigmoid);
    let (_, delta) = deltas();
    for j in 0..2 {
        for i in 0..2 {
            let cost = |v| {
                let mut w = W;
                w[j][i] = v;
                squared(outputs(Z, w, [0.0; 2]))
            };
            let numerical = slope(cost, W[j][i]);
            close(numerical, delta[j] * a[i], 1e-9);
            if i != j {
                apart(numerical, delta[j] * a[j], 1e-3);
            }
        }
    }
}

#[test]
fn weights_and_biases_move_to_the_same_side() {
    let cost = |[w, b]: [f64; 2]| (sigmoid(w * X[0] + b) - Y[0]).powi(2) / 2.0;
    let at = [0.5, 0.1];
    let a = sigmoid(at[0] * X[0] + at[1]);
    let g = (a - Y[0]) * bend(a);
    let numerical = gradient(cost, at);
    close(numerical[0], g * X[0], 1e-9);
    close(numerical[1], g, 1e-9);
    let eta = 0.5;
    let [right, printed] = [-1.0, 1.0].map(|sign| cost([at[0] + sign * eta * g * X[0], at[1] - eta * g]));
    assert!(right < printed && right < cost(at));
    // With +η g a the weight alone climbs.
    assert!(cost([at[0] + eta * g * X[0], at[1]]) > cost(at));
}

#[test]
fn a_gradient_holds_no_learning_rate() {
    let numerical = gradient(|b| squared(outputs(Z, W, b)), [0.0; 2]);
    let (_, delta) = deltas();
    for eta in [0.1, 0.5] {
        for j in 0..2 {
            close(numerical[j], delta[j], 1e-9);
            apart(numerical[j], eta * delta[j], 0.01);
        }
    }
}

#[test]
fn gradients_explode_on_the_side_of_the_input() {
    // Ten sigmoid units in a row, each with weight 8 and at z = 0, where the slope is 1/4.
    let (units, w) = (10, 8.0);
    let from = |first: usize, z: f64| (first..units).fold(z, |z, _| w * (sigmoid(z) - 0.5));
    let slopes: Vec<f64> = (0..=units)
        .map(|first| {
            let h = 1e-7;
            (from(first, h) - from(first, -h)) / (2.0 * h)
        })
        .collect();
    close(slopes[units], 1.0, 1e-9);
    close(slopes[1], 2.0_f64.powi(9), 0.01);
    close(slopes[0], 2.0_f64.powi(10), 0.02);
    // Towards the output they get smaller, not larger.
    assert!(slopes.windows(2).all(|pair| pair[0] > pair[1]));
}
