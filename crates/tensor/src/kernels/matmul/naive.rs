//! The matrix product by its definition, in f64, to test the fast one against.

use super::{Activation, Epilogue, Mat};

/// For each element of `activation(a * b (+ out) (+ bias))`, row by row: its value, and the sum of the
/// magnitudes of all its terms, which rounding errors are proportional to.
pub(super) fn matmul(a: &Mat<'_>, b: &Mat<'_>, out: &[f32], epilogue: &Epilogue<'_>) -> Vec<(f64, f64)> {
    let (m, n, k) = (a.rows(), b.cols(), a.cols());
    let mut result = Vec::with_capacity(m * n);
    for i in 0..m {
        for j in 0..n {
            let mut terms: Vec<f64> = (0..k).map(|p| a.get(i, p) as f64 * b.get(p, j) as f64).collect();
            if epilogue.accumulate {
                terms.push(out[i * n + j] as f64);
            }
            if let Some(bias) = epilogue.bias {
                terms.push(bias[j] as f64);
            }
            let sum: f64 = terms.iter().sum();
            let value = match epilogue.activation {
                Activation::None => sum,
                Activation::Relu => {
                    if sum < 0.0 {
                        0.0
                    } else {
                        sum
                    }
                }
                Activation::Map(map) => {
                    let mut value = [sum as f32];
                    map(&mut value);
                    value[0] as f64
                }
            };
            result.push((value, terms.iter().map(|x| x.abs()).sum()));
        }
    }
    result
}
