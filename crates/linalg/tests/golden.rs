//! Values, gradients and second derivatives against PyTorch's in double precision, which `golden/golden.py` writes.

use crate::numbers::Numbers;
use gradus_autograd::prelude::*;
use gradus_linalg::LinearAlgebra;

/// Roundings of numbers as large as the largest that a result may be off: the rules are computed in f32.
const ROUNDINGS: f64 = 60.0;

/// The outputs of a case. What follows the first word of its name is only told.
fn outputs<V: Value>(name: &str, x: &[V]) -> Vec<V> {
    match name.split(' ').next().unwrap() {
        "inverse" => vec![x[0].inverse()],
        "solve" => vec![x[0].solve(&x[1])],
        "triangular_solve" => vec![x[0].triangular_solve(&x[1], name.ends_with("upper"))],
        "cholesky_solve" => vec![x[0].cholesky_solve(&x[1])],
        "det" => vec![x[0].det()],
        "slogdet" => x[0].slogdet().into(),
        "cholesky" => vec![x[0].cholesky()],
        "qr" => x[0].qr().into(),
        "eigh" => x[0].eigh().into(),
        "svd" => x[0].svd().into(),
        "lstsq" => vec![x[0].lstsq(&x[1])],
        "matrix_exp" => vec![x[0].matrix_exp()],
        _ => panic!("no formula for {name}"),
    }
}

/// All elements of the outputs in one row.
fn row<V: Value>(name: &str, x: &[V]) -> V {
    let flat: Vec<V> = outputs(name, x).iter().map(|y| y.reshape([y.numel()])).collect();
    V::concat(&flat.iter().collect::<Vec<_>>(), 0)
}

fn weighted<V: Value>(x: &V) -> V {
    let n = x.numel();
    let weights: Vec<f32> = (0..n).map(|i| f64::cos(i as f64) as f32).collect();
    (x * x.place().constant(Tensor::new(weights, x.shape()))).sum()
}

#[test]
fn values_and_derivatives_are_those_of_pytorch() {
    let mut count = 0;
    for block in include_str!("golden/golden.txt").split("case ").skip(1) {
        let (name, lines) = block.split_once('\n').unwrap();
        let all = |kind: &str| -> Vec<Numbers> {
            let of_kind = lines.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' '));
            of_kind.map(|numbers| Numbers::read(numbers).unwrap()).collect()
        };
        let inputs: Vec<Tensor> = all("in").iter().map(Numbers::to_tensor).collect();
        let tape = Tape::new();
        let vars: Vec<Var<'_>> = inputs.iter().map(|x| tape.var(x)).collect();
        let y = row(name, &vars);
        all("out")[0].check(name, &y.value(), ROUNDINGS);
        assert_eq!(row(name, &inputs), y.value(), "{name}: a tensor and a variable differ");
        let gradients: Vec<Var<'_>> = weighted(&y).grad(&vars).into_iter().flatten().collect();
        let mut sum = tape.constant(0.0);
        for (gradient, expected) in gradients.iter().zip(all("gradient")) {
            expected.check(&format!("{name}: gradient"), &gradient.value(), ROUNDINGS);
            sum = sum + weighted(gradient);
        }
        let second = sum.backward();
        for (x, expected) in vars.iter().zip(all("second")) {
            let zeros = || Tensor::zeros(&expected.shape);
            let found = second.get(*x).cloned().unwrap_or_else(zeros);
            expected.check(&format!("{name}: second derivative"), &found, 4.0 * ROUNDINGS);
        }
        count += 1;
    }
    assert_eq!(count, 24);
}
