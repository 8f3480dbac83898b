//! The notes' worked example: two inputs, two hidden units, one output, sigmoids, half the squared error, rate 1.

use crate::{apart, close, gradient, sigmoid};

const INPUT: [f64; 2] = [0.35, 0.9];
const WANTED: f64 = 0.5;
/// w31, w32, w41, w42, w53, w54.
const WEIGHTS: [f64; 6] = [0.1, 0.8, 0.4, 0.6, 0.3, 0.9];

/// The hidden activations and the output.
fn forward(w: [f64; 6]) -> ([f64; 2], f64) {
    let hidden = [0, 2].map(|i| sigmoid(w[i] * INPUT[0] + w[i + 1] * INPUT[1]));
    (hidden, sigmoid(w[4] * hidden[0] + w[5] * hidden[1]))
}

fn cost(w: [f64; 6]) -> f64 {
    (forward(w).1 - WANTED).powi(2) / 2.0
}

/// Backpropagation, whose hidden part is an outer product.
fn backward(w: [f64; 6]) -> [f64; 6] {
    let (hidden, y) = forward(w);
    let d = (y - WANTED) * y * (1.0 - y);
    let of_hidden = [0, 1].map(|i| d * w[4 + i] * hidden[i] * (1.0 - hidden[i]));
    let [a, b] = of_hidden;
    [a * INPUT[0], a * INPUT[1], b * INPUT[0], b * INPUT[1], d * hidden[0], d * hidden[1]]
}

/// What the notes' program does: a dot product, the same for both hidden units.
fn printed_backward(w: [f64; 6]) -> [f64; 6] {
    let (hidden, y) = forward(w);
    let d = (y - WANTED) * y * (1.0 - y);
    let dot: f64 = (0..2).map(|i| INPUT[i] * hidden[i] * (1.0 - hidden[i])).sum();
    let [a, b] = [d * w[4] * dot, d * w[5] * dot];
    [a, b, a, b, d * hidden[0], d * hidden[1]]
}

fn after(steps: usize, backward: fn([f64; 6]) -> [f64; 6]) -> [f64; 6] {
    (0..steps).fold(WEIGHTS, |w, _| {
        let g = backward(w);
        std::array::from_fn(|i| w[i] - g[i])
    })
}

fn error(w: [f64; 6]) -> f64 {
    forward(w).1 - WANTED
}

#[test]
fn the_second_hidden_unit_rounds_up() {
    let ([first, second], y) = forward(WEIGHTS);
    close(first, 0.6802671967, 1e-10);
    close(second, 0.6637386974, 1e-10);
    close(y, 0.6902834929, 1e-10);
    apart(second, 0.663, 5e-4);
    close(second, 0.664, 5e-4);
}

#[test]
fn three_digits_on_the_way_are_too_few() {
    close(cost(WEIGHTS), 0.0181039038, 1e-10);
    let by_w53 = gradient(cost, WEIGHTS)[4];
    close(by_w53, 0.0276740349, 1e-9);
    // The printed values come of an error of .19 and activations of .69 and .68.
    close(0.19 * 0.19 / 2.0, 0.01805, 1e-12);
    close(0.19 * 0.69 * 0.31 * 0.68, 0.02763, 1e-5);
    apart(cost(WEIGHTS), 0.01805, 5e-5);
    apart(by_w53, 0.02763, 4e-5);
}

#[test]
fn the_hidden_update_is_an_outer_product() {
    let numerical = gradient(cost, WEIGHTS);
    backward(WEIGHTS).into_iter().zip(numerical).for_each(|(b, n)| close(b, n, 1e-9));
    let right = [0.0990709288, 0.7976109599, 0.3971399242, 0.5926455194, 0.2723259651, 0.8729983630];
    after(1, backward).into_iter().zip(right).for_each(|(w, right)| close(w, right, 1e-10));
    // The dot product makes the notes' numbers, and the differences refuse it.
    let printed = [0.09661944, 0.78985831, 0.39661944, 0.58985831];
    let (wrong, gradient) = (after(1, printed_backward), printed_backward(WEIGHTS));
    for (i, printed) in printed.into_iter().enumerate() {
        close(wrong[i], printed, 5e-9);
        apart(right[i], printed, 4e-4);
        apart(numerical[i], gradient[i], 4e-4);
    }
}

#[test]
fn an_error_of_0_165_takes_three_steps() {
    for (steps, expected) in [(1, 0.182019), (2, 0.173937), (3, 0.166055)] {
        close(error(after(steps, backward)), expected, 6e-7);
    }
    close(error(after(1, printed_backward)), 0.18180, 5e-6);
    close(error(after(3, printed_backward)), 0.1656, 5e-5);
    apart(error(after(1, backward)), 0.165, 0.015);
}
