//! The errors of docs/book/errata.md: what is printed fails, what the page says instead holds.

mod activations;
mod backprop;
mod checking;
mod convolution;
#[path = "../../crates/nn/tests/common/descent.rs"]
mod descent;
mod learning;
mod losses;
mod page;
mod two_two_one;

/// Within so much of the expected value.
#[track_caller]
fn close(found: f64, expected: f64, off: f64) {
    assert!((found - expected).abs() <= off, "{found} is not {expected} within {off}");
}

/// Farther than so much from a value that is wrong.
#[track_caller]
fn apart(right: f64, printed: f64, off: f64) {
    assert!((right - printed).abs() > off, "{printed} is not apart from {right} by {off}");
}

/// The central difference, good to about 1e-10 for numbers near 1.
fn slope(f: impl Fn(f64) -> f64, x: f64) -> f64 {
    let h = 1e-5;
    (f(x + h) - f(x - h)) / (2.0 * h)
}

/// One central difference for each number.
fn gradient<const N: usize>(f: impl Fn([f64; N]) -> f64, x: [f64; N]) -> [f64; N] {
    std::array::from_fn(|i| {
        let moved = |v| {
            let mut x = x;
            x[i] = v;
            f(x)
        };
        slope(moved, x[i])
    })
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
