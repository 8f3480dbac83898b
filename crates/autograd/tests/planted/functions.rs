//! The functions in f64, and the points at which their gradients are asked for.

use super::linear::{self, moved};
use gradus_autograd::op::prelude::*;

/// The labels of the cross-entropy.
pub(super) const LABELS: [usize; 5] = [1, 0, 3, 2, 1];
/// What is added to the variance of a normalisation.
pub(super) const EPS: f64 = 1.0 / 131_072.0;

/// Their names, the shapes of their inputs, and whether those are positive.
pub const FUNCTIONS: [(&str, &[&[usize]], bool); 31] = [
    ("tanh", &[&[3, 7]], false),
    ("sigmoid", &[&[3, 7]], false),
    ("exp", &[&[3, 7]], false),
    ("log", &[&[3, 7]], true),
    ("sqrt", &[&[3, 7]], true),
    ("clamp", &[&[4, 6]], false),
    ("relu", &[&[4, 6]], false),
    ("maximum", &[&[4, 6], &[4, 6]], false),
    ("mul", &[&[4, 5], &[5]], false),
    ("div", &[&[4, 5], &[4, 1]], true),
    ("transpose", &[&[5, 5]], false),
    ("concat", &[&[3, 2], &[3, 4]], false),
    ("slice", &[&[5, 6]], false),
    ("gather", &[&[6, 3]], false),
    ("reflect", &[&[3, 5]], false),
    ("cumsum", &[&[3, 6]], false),
    ("sum", &[&[4, 6]], false),
    ("mean", &[&[4, 6]], false),
    ("max", &[&[4, 6]], false),
    ("ties", &[&[4, 6]], false),
    ("variance", &[&[4, 6]], false),
    ("logsumexp", &[&[4, 6]], false),
    ("normalize", &[&[4, 6]], false),
    ("matmul", &[&[5, 5], &[5, 5]], false),
    ("conv1d", &[&[2, 3, 8], &[4, 3, 3], &[4]], false),
    ("softmax", &[&[4, 6]], false),
    ("layer_norm", &[&[4, 6], &[6], &[6]], false),
    ("cross_entropy", &[&[5, 4]], false),
    ("attention", &[&[4, 3], &[4, 3], &[4, 3]], false),
    ("scan", &[&[5, 3], &[5, 3]], false),
    ("rnn", &[&[4, 2, 3], &[3, 4], &[4, 4], &[4]], false),
];

/// Numbers from -1 to 1 that f32 holds, the same in `functions.py`.
pub fn uniform(seed: u64, shape: &[usize]) -> Tensor {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..8).for_each(|_| _ = next());
    let n = shape.iter().product();
    Tensor::new((0..n).map(|_| next()).collect::<Vec<f32>>(), shape)
}

/// The inputs of a function.
pub fn point(function: &str) -> Vec<Tensor> {
    let place = FUNCTIONS.iter().position(|(name, ..)| *name == function).expect("a function of the list");
    let (_, shapes, is_positive) = FUNCTIONS[place];
    let input = |(k, shape): (usize, &&[usize])| {
        let x = uniform(100 * (place as u64 + 1) + k as u64, shape);
        match function {
            _ if is_positive => x.map(|x| (1.25 + 0.75 * f64::from(x)) as f32),
            "ties" => x.map(|x| (4.0 * x).round_ties_even() / 4.0),
            _ => x,
        }
    };
    shapes.iter().enumerate().map(input).collect()
}

/// The function itself.
pub(super) fn forward(function: &str, x: &[&Array], branches: &mut Branches<'_>) -> Array {
    if let Some((pairs, shape)) = moved(function, "") {
        return linear::forward(&pairs, &shape, x);
    }
    let a = x[0];
    let rows = |f: &mut dyn FnMut(&[f64]) -> f64| {
        let columns = a.shape()[1];
        Array::new(a.data().chunks(columns).map(f).collect(), [a.shape()[0]])
    };
    match function {
        "tanh" => a.map(f64::tanh),
        "sigmoid" => a.map(|x| 1.0 / (1.0 + (-x).exp())),
        "exp" => a.map(f64::exp),
        "log" => a.map(f64::ln),
        "sqrt" => a.map(f64::sqrt),
        "clamp" => a.map(|x| match branches.choose(if x < -0.5 { 0 } else { 1 + u32::from(x > 0.5) }) {
            0 => -0.5,
            1 => x,
            _ => 0.5,
        }),
        "relu" => a.map(|x| if branches.test(x > 0.0) { x } else { 0.0 }),
        "maximum" => a.zip(x[1], |a, b| if branches.test(a > b) { a } else { b }),
        "mul" => Array::from_fn(a.shape(), |at| a.at(at) * x[1].broadcast_at(at)),
        "div" => Array::from_fn(a.shape(), |at| a.at(at) / x[1].broadcast_at(at)),
        "sum" => Array::from_fn([6], |at| (0..4).map(|i| a.at(&[i, at[0]])).sum()),
        "mean" => rows(&mut |row| row.iter().sum::<f64>() / 6.0),
        "max" | "ties" => rows(&mut |row| {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let won: Vec<f64> = row.iter().copied().filter(|&x| branches.test(x == largest)).collect();
            won.iter().sum::<f64>() / won.len() as f64
        }),
        "variance" => rows(&mut |row| deviations(row).iter().map(|d| d * d).sum::<f64>() / 6.0),
        "logsumexp" => rows(&mut |row| row.iter().map(|x| x.exp()).sum::<f64>().ln()),
        "normalize" => a.map_lanes(1, |row| {
            let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            row.iter_mut().for_each(|x| *x /= norm);
        }),
        "matmul" => matmul(a, x[1]),
        "conv1d" => {
            let rows = matmul(
                &linear::forward(&linear::patches(), &[16, 9], &[a]),
                &transposed(&Array::new(x[1].data().to_vec(), [4, 9])),
            );
            Array::from_fn([2, 4, 8], |at| rows.at(&[8 * at[0] + at[2], at[1]]) + x[2].at(&[at[1]]))
        }
        "softmax" => a.map_lanes(1, softmax),
        "layer_norm" => {
            let z = a.map_lanes(1, |row| {
                let centred = deviations(row);
                let variance = centred.iter().map(|d| d * d).sum::<f64>() / centred.len() as f64;
                row.iter_mut().zip(centred).for_each(|(x, d)| *x = d / (variance + EPS).sqrt());
            });
            Array::from_fn(z.shape(), |at| z.at(at) * x[1].at(&at[1..]) + x[2].at(&at[1..]))
        }
        "cross_entropy" => {
            let p = a.map_lanes(1, softmax);
            let loss = LABELS.iter().enumerate().map(|(i, &label)| -p.at(&[i, label]).ln()).sum::<f64>();
            Array::full([], loss / 5.0)
        }
        "attention" => {
            let scores = matmul(a, &transposed(x[1]));
            let masked = |at: &[usize]| scores.at(at) / 3f64.sqrt() - if at[1] > at[0] { 1e9 } else { 0.0 };
            matmul(&Array::from_fn([4, 4], masked).map_lanes(1, softmax), x[2])
        }
        "scan" => {
            let mut h = x[1].clone();
            for (t, k) in (1..5).flat_map(|t| (0..3).map(move |k| (t, k))) {
                *h.at_mut(&[t, k]) += a.at(&[t, k]) * h.at(&[t - 1, k]);
            }
            h
        }
        "rnn" => {
            let mut h = Array::full([4, 2, 4], 0.0);
            for t in 0..4 {
                for (b, k) in (0..2).flat_map(|b| (0..4).map(move |k| (b, k))) {
                    let by_x = (0..3).map(|i| a.at(&[t, b, i]) * x[1].at(&[i, k])).sum::<f64>();
                    let before = |j: usize| if t > 0 { h.at(&[t - 1, b, j]) } else { 0.0 };
                    let by_h = (0..4).map(|j| before(j) * x[2].at(&[j, k])).sum::<f64>();
                    *h.at_mut(&[t, b, k]) = (by_x + by_h + x[3].at(&[k])).tanh();
                }
            }
            h
        }
        _ => panic!("no function {function}"),
    }
}

fn deviations(row: &[f64]) -> Vec<f64> {
    let mean = row.iter().sum::<f64>() / row.len() as f64;
    row.iter().map(|x| x - mean).collect()
}

fn softmax(row: &mut [f64]) {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    row.iter_mut().for_each(|x| *x = (*x - largest).exp());
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|x| *x /= sum);
}

fn matmul(a: &Array, b: &Array) -> Array {
    let inner = a.shape()[1];
    Array::from_fn([a.shape()[0], b.shape()[1]], |at| {
        (0..inner).map(|k| a.at(&[at[0], k]) * b.at(&[k, at[1]])).sum()
    })
}

fn transposed(a: &Array) -> Array {
    Array::from_fn([a.shape()[1], a.shape()[0]], |at| a.at(&[at[1], at[0]]))
}
