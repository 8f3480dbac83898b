//! What somebody who knows PyTorch writes first: comparisons with numbers, ranks and sizes of any value, numbers on the left
//! of references, ranges that include their end.

#![allow(clippy::op_ref, reason = "both forms are tried")]

use gradus_autograd::prelude::*;

/// Every form at once, on tensors and on variables.
fn formula<V: Value>(x: &V, y: &V) -> V {
    let [n, d] = x.dims();
    assert_eq!((n * d, x.rank(), x.shape().rank()), (x.numel(), 2, 2));
    let big = x.gt(0.5).logical_or(&x.lt(y));
    let scalars = (c(1.0) - x) + (c(2.0) * x) + (c(3.0) + y) - (c(1.0) / y.clone());
    big.select_where(&scalars, &(x * 0.0)).slice(1, 1..=2)
}

#[test]
fn one_formula_for_tensors_and_variables() {
    let (x, y) = (
        Tensor::from([[0.0, 1.0, 0.5], [2.0, -1.0, 0.25]]),
        Tensor::from([[1.0, 0.5, 0.5], [4.0, -2.0, 0.5]]),
    );
    // 1 + x + 3 + y - 1 / y where x > 0.5 or x < y.
    let expected = Tensor::from([[3.5, 0.0], [0.0, 2.75]]);
    assert_eq!(formula(&x, &y), expected);
    let tape = Tape::new();
    let (vx, vy) = (tape.var(&x), tape.var(&y));
    let result = formula(&vx, &vy);
    assert_eq!(result.value(), expected);
    assert_eq!(result.sum().backward()[vx].to_vec(), [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn comparisons_take_values_and_numbers() {
    let x = Tensor::from([-1.0, 0.5, f32::NAN]);
    let all = |with: f32| {
        [x.gt(with), x.ge(with), x.lt(with), x.le(with), x.equals(with), x.not_equals(with)]
            .map(|y| y.to_vec())
    };
    // As in PyTorch: nothing holds for NaN, but that it differs.
    assert_eq!(
        all(0.5),
        [
            [0.0, 0.0, 0.0],
            [0.0, 1.0, 0.0],
            [1.0, 0.0, 0.0],
            [1.0, 1.0, 0.0],
            [0.0, 1.0, 0.0],
            [1.0, 0.0, 1.0]
        ]
    );
    assert_eq!(all(f32::NAN)[..5], [[0.0; 3]; 5]);
    let half = Tensor::scalar(0.5);
    assert_eq!(x.ge(&half), x.ge(0.5));
    let tape = Tape::new();
    let v = tape.var(&x);
    assert_eq!(v.ge(&v.detach()).value().to_vec(), [1.0, 1.0, 0.0]);
    assert_eq!(v.lt(0.0).value().to_vec(), [1.0, 0.0, 0.0]);
}

#[test]
fn numbers_stand_on_the_left_of_values_and_references() {
    let tape = Tape::new();
    let x = tape.var([2.0, 4.0]);
    for (name, found, expected) in [
        ("1 + &x", 1.0 + &x, [3.0, 5.0]),
        ("1 - &x", 1.0 - &x, [-1.0, -3.0]),
        ("3 * &x", 3.0 * &x, [6.0, 12.0]),
        ("1 / &x", 1.0 / &x, [0.5, 0.25]),
        ("c(1) - &x", c(1.0) - &x, [-1.0, -3.0]),
        ("c(1) - x", c(1.0) - x, [-1.0, -3.0]),
        ("c(1) / &x", c(1.0) / &x, [0.5, 0.25]),
    ] {
        assert_eq!(found.value().to_vec(), expected, "{name}");
    }
    let t = x.value();
    assert_eq!((c(1.0) + &t, c(1.0) + t.clone()), (1.0 + &t, 1.0 + &t));
}

/// Without a correction that could be an axis: the default is PyTorch's, `torch.tensor([[1., 3.], [5., 5.]]).std()` is
/// 1.9149 there (torch 2.x, by hand: mean 3.5, squares 6.25 + 0.25 + 2.25 + 2.25 = 11, 11 / 3 = 3.6667).
#[test]
fn var_and_std_are_pytorchs() {
    let x = Tensor::from([[1.0, 3.0], [5.0, 5.0]]);
    assert_eq!(x.var().item(), 11.0 / 3.0);
    assert_eq!(x.std().item(), (11.0f32 / 3.0).sqrt());
    let tape = Tape::new();
    let v = tape.var(&x);
    assert_eq!((v.var().item(), v.std().item()), (x.var().item(), x.std().item()));
    assert_eq!(x.std_axes(1, 1, false).to_vec(), [2f32.sqrt(), 0.0]);
}
