//! The linear functions as lists of pairs, output and input, by their places among all elements of all outputs and inputs; and
//! what a wrong rule takes the pairs for.

use gradus_autograd::op::prelude::*;

/// An element of the output and an element of the input.
type Pair = (usize, usize);

/// The pairs and the shape of the output; `None` for a function that is not linear.
pub(super) fn moved(function: &str, fault: &str) -> Option<(Vec<Pair>, Vec<usize>)> {
    let grid = |rows: usize, columns: usize| (0..rows).flat_map(move |i| (0..columns).map(move |j| (i, j)));
    Some(match function {
        "transpose" => {
            let pairs = grid(5, 5).map(|(i, j)| (5 * j + i, 5 * i + j));
            let same = (0..25).map(|k| (k, k));
            (if fault == "as it is" { same.collect() } else { pairs.collect() }, vec![5, 5])
        }
        "concat" => {
            let start = if fault == "offset" { 3 } else { 2 };
            let first = grid(3, 2).map(|(i, j)| (6 * i + j, 2 * i + j));
            let second = grid(3, 4).map(|(i, j)| (6 * i + (j + start).min(5), 6 + 4 * i + j));
            (first.chain(second).collect(), vec![3, 6])
        }
        "slice" => {
            let shift = usize::from(fault == "offset");
            let step = if fault == "step" { 1 } else { 2 };
            let pairs = grid(3, 2).map(|(i, j)| (2 * i + j, 6 * (i + 1 - shift) + step * j + 1));
            (pairs.collect(), vec![3, 2])
        }
        "gather" => {
            let rows = [1, 3, 1, 5, 0];
            let is_kept = |k: usize| fault != "overwritten" || !rows[k + 1..].contains(&rows[k]);
            let pairs = grid(5, 3).filter(|(k, _)| is_kept(*k)).map(|(k, j)| (3 * k + j, 3 * rows[k] + j));
            (pairs.collect(), vec![5, 3])
        }
        "reflect" => {
            let columns = [1, 0, 1, 2, 3, 4, 3];
            let is_kept = |k: usize| fault != "border" || (1..6).contains(&k);
            let pairs = grid(3, 7).filter(|(_, k)| is_kept(*k)).map(|(i, k)| (7 * i + k, 5 * i + columns[k]));
            (pairs.collect(), vec![3, 7])
        }
        "cumsum" => {
            let reaches = |j: usize, k: usize| match fault {
                "direction" => k <= j,
                "exclusive" => k > j,
                _ => k >= j,
            };
            let pairs = grid(3, 6).flat_map(|(i, j)| (0..6).map(move |k| (i, j, k)));
            let pairs = pairs.filter(|&(_, j, k)| reaches(j, k)).map(|(i, j, k)| (6 * i + k, 6 * i + j));
            (pairs.collect(), vec![3, 6])
        }
        _ => return None,
    })
}

/// The windows of a convolution: from `[2, 3, 8]` to rows of three elements of each channel, with a zero at each end.
pub(super) fn patches() -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (b, t, c, k) in (0..144).map(|n| (n / 72, n / 9 % 8, n / 3 % 3, n % 3)) {
        if (1..9).contains(&(t + k)) {
            pairs.push((9 * (8 * b + t) + 3 * c + k, 24 * b + 8 * c + t + k - 1));
        }
    }
    pairs
}

/// Pairs in reverse, as a matrix from outputs to a part of the inputs.
pub(super) fn back(pairs: &[Pair], outputs: usize, start: usize, inputs: usize) -> Tensor {
    let mut matrix = vec![0.0; inputs * outputs];
    for &(target, source) in pairs.iter().filter(|(_, source)| (start..start + inputs).contains(source)) {
        matrix[(source - start) * outputs + target] += 1.0;
    }
    Tensor::new(matrix, [inputs, outputs])
}

/// The outputs of pairs.
pub(super) fn forward(pairs: &[Pair], shape: &[usize], inputs: &[&Array]) -> Array {
    let all: Vec<f64> = inputs.iter().flat_map(|x| x.data()).copied().collect();
    let mut y = Array::full(shape, 0.0);
    pairs.iter().for_each(|&(target, source)| y.data_mut()[target] += all[source]);
    y
}
