//! The checker checked: faults planted into rules that are right, each to be found with the right verdict and place.

use super::faulty::{Fault, Faulty, Found, check, normal};
use crate::check::{GradCheck, Verdict};
use crate::{
    ops::{
        arithmetic::{Add, Div, Mul, Sub},
        conv::Conv2d,
        elementwise::{
            Abs, Cos, Elu, Erf, Exp, Gelu, LeakyRelu, Log, Maximum, Pow, Powf, Reciprocal, Relu, Sigmoid,
            Silu, Sin, Softplus, Sqrt, Square, Tanh,
        },
        indexing::{Gather, IndexSelect},
        linear::{Linear, MatMul},
        loss::{CrossEntropy, CrossEntropyOptions},
        methods::*,
        normalize::{LayerNorm, LogSoftmax, Softmax},
        pool::{AvgPool2d, MaxPool2d},
        reduce::{CumSum, LogSumExp, Max, Sum, Variance},
        selection::SelectWhere,
        shape::{BroadcastTo, Concat, Permute, SliceAxis},
    },
    tape::var::Var,
    value::Value,
};
use gradus_tensor::{Axes, Conv2dOptions, Indices, Pool, PoolOptions, Rng, Tensor};

fn positive<const N: usize>(seed: u64, shape: [usize; N]) -> Tensor {
    Tensor::uniform(shape, 0.5, 2.0, &mut Rng::seed(seed))
}

const FORMULA: Verdict = Verdict::WrongFormula;
const PRECISION: Verdict = Verdict::PoorPrecision;

/// The last `len % 8` places of the last axis.
fn tail(index: &[usize], shape: &[usize]) -> f32 {
    let (i, n) = (index[index.len() - 1], shape[shape.len() - 1]);
    if i >= n / 8 * 8 { 0.0 } else { 1.0 }
}

fn last_place(index: &[usize], shape: &[usize]) -> f32 {
    if index[index.len() - 1] == shape[shape.len() - 1] - 1 { 0.0 } else { 1.0 }
}

fn only_last_row(index: &[usize], shape: &[usize]) -> f32 {
    if index[0] == shape[0] - 1 { 1.0 } else { 0.0 }
}

fn one_element(index: &[usize], _: &[usize]) -> f32 {
    if index.iter().all(|&i| i == 1) { 1.001 } else { 1.0 }
}

#[test]
fn faults_in_elementwise_rules() {
    let mut found = Found::default();
    let (x, p) = ([normal(1, [3, 11])], [positive(2, [3, 11])]);
    let three = [Tensor::from([1.0, 2.0, 3.0])];
    use Fault::*;
    found.planted(Tanh, &x, (0, Factor(1.001), FORMULA), "1.001000 times");
    found.planted(Tanh, &x, (0, Factor(0.999), FORMULA), "0.999000 times");
    found.planted(Tanh, &x, (0, Factor(-1.0), FORMULA), "other sign");
    found.planted(Tanh, &x, (0, Factor(0.0), FORMULA), "zero");
    found.planted(Tanh, &x, (0, Lost, FORMULA), "zero");
    found.planted(Tanh, &x, (0, Offset(0.01), FORMULA), "+1.000000e-2 beside");
    found.planted(Tanh, &x, (0, Weights(one_element), FORMULA), "one element alone");
    found.planted(Tanh, &x, (0, Weights(tail), FORMULA), "9 of 33 elements are zero");
    found.planted(Tanh, &x, (0, Weights(last_place), FORMULA), "place 10 of axis 1");
    found.planted(Tanh, &x, (0, Rolled, FORMULA), "shifted by -1");
    found.planted(Tanh, &x, (0, Detached, FORMULA), "at the recorded point alone");
    found.planted(Tanh, &x, (0, Fused(1.001), PRECISION), "1.001000 times");
    found.planted(Exp, &x, (0, Stale(1.01), FORMULA), "1.010000 times");
    found.planted(Log, &p, (0, Factor(2.0), FORMULA), "a term counts twice");
    found.planted(Sqrt, &p, (0, Factor(0.5), FORMULA), "one of two equal terms");
    found.planted(Square, &x, (0, Factor(0.5), FORMULA), "one of two equal terms");
    found.planted(Sigmoid, &x, (0, IgnoresCotangent, FORMULA), "no simple way");
    found.planted(Sigmoid, &x, (0, SquaredCotangent, FORMULA), "no simple way");
    found.planted(Sigmoid, &x, (0, Fused(0.999), PRECISION), "0.999000 times");
    found.planted(Relu, &x, (0, Factor(1.001), FORMULA), "1.001000 times");
    found.planted(Relu, &x, (0, Fused(1.001), PRECISION), "1.001000 times");
    found.planted(LeakyRelu(0.1), &x, (0, Factor(1.1), FORMULA), "1.100000 times");
    found.planted(Elu(1.0), &x, (0, Stale(1.1), FORMULA), "wrong");
    found.planted(Gelu, &x, (0, Offset(-0.01), FORMULA), "-1.000000e-2 beside");
    found.planted(Silu, &x, (0, Stale(0.99), FORMULA), "no simple way");
    found.planted(Softplus, &x, (0, Clipped(0.2), FORMULA), "wrong");
    found.planted(Sin, &x, (0, Stale(1.05), FORMULA), "no simple way");
    found.planted(Cos, &x, (0, Factor(-1.0), FORMULA), "other sign");
    found.planted(Abs, &x, (0, Factor(1.001), FORMULA), "1.001000 times");
    found.planted(Erf, &x, (0, Factor(0.886_227), FORMULA), "0.886227 times");
    found.planted(Powf(3.0), &p, (0, Factor(1.0 / 3.0), FORMULA), "0.333333 times");
    found.planted(Reciprocal, &p, (0, Factor(-1.0), FORMULA), "other sign");
    found.planted(
        SelectWhere,
        &[x[0].is_positive(), normal(3, [3, 11]), normal(4, [3, 11])],
        (1, Swapped(2), FORMULA),
        "",
    );
    found.planted(
        Maximum,
        &[normal(3, [3, 11]), normal(4, [3, 11])],
        (0, Swapped(1), FORMULA),
        "no simple way",
    );
    found.planted(Pow, &[positive(5, [9]), normal(6, [9])], (1, Factor(1.01), FORMULA), "1.010000 times");
    // What a gradient check of the course's notes does to (1, 2, 3): it gives zeros where copies are aliases,
    // and (2, 6, 12) where elements are not put back; it takes signed means, and overwrites all but the last difference.
    found.planted(Square, &three, (0, Factor(0.0), FORMULA), "zero");
    found.planted(Square, &three, (0, Weights(|i, _| 1.0 + 0.5 * i[0] as f32), FORMULA), "2 of 3 elements");
    let cancelling: fn(&[usize], &[usize]) -> f32 = |i, _| [1.03, 1.0, 0.99][i[0]];
    found.planted(Square, &three, (0, Weights(cancelling), FORMULA), "2 of 3 elements");
    let all_but_last: fn(&[usize], &[usize]) -> f32 = |i, _| [1.5, 1.25, 1.0][i[0]];
    found.planted(Square, &three, (0, Weights(all_but_last), FORMULA), "2 of 3 elements");
    found.assert_all(38);
}

#[test]
fn faults_in_broadcast_reductions_and_shapes() {
    let mut found = Found::default();
    let pair = [normal(1, [4, 3]), normal(2, [3])];
    let x = [normal(3, [4, 6])];
    let all = || Axes::all();
    use Fault::*;
    found.planted(Add, &pair, (1, Weights(only_last_row), FORMULA), "no simple way");
    found.planted(Add, &pair, (1, Factor(0.25), FORMULA), "0.250000 times");
    found.planted(Sub, &pair, (1, Factor(-1.0), FORMULA), "other sign");
    found.planted(Mul, &pair, (0, Stale(1.001), FORMULA), "1.001000 times");
    found.planted(Mul, &[x[0].clone(), x[0].square()], (0, Swapped(1), FORMULA), "no simple way");
    found.planted(Div, &[normal(1, [4, 3]), positive(2, [3])], (1, Factor(-1.0), FORMULA), "other sign");
    found.planted(
        Sum { axes: all(), keepdims: false },
        &x,
        (0, Factor(1.0 / 24.0), FORMULA),
        "a mean for a sum",
    );
    found.planted(Sum { axes: 1.into(), keepdims: true }, &x, (0, Factor(6.0), FORMULA), "a sum for a mean");
    found.planted(Max { axes: 1.into(), keepdims: false }, &x, (0, Factor(0.5), FORMULA), "0.500000 times");
    let correction = Variance { axes: 1.into(), correction: 1, keepdims: false };
    found.planted(correction, &x, (0, Factor(5.0 / 6.0), FORMULA), "0.833333 times");
    found.planted(LogSumExp { axes: 1.into(), keepdims: false }, &x, (0, Stale(1.01), FORMULA), "wrong");
    found.planted(CumSum { axis: 1 }, &x, (0, Flipped, FORMULA), "no simple way");
    found.planted(CumSum { axis: 1 }, &x, (0, Weights(last_place), FORMULA), "place 5 of axis 1");
    found.planted(BroadcastTo([5, 3].into()), &[normal(4, [3])], (0, Weights(only_last_row), FORMULA), "");
    found.planted(Permute(vec![1, 0]), &[normal(5, [4, 4])], (0, Transposed, FORMULA), "transpose");
    found.planted(Concat { axis: 0 }, &[normal(5, [2, 3]), normal(6, [2, 3])], (1, Swapped(0), FORMULA), "");
    let slice = SliceAxis { axis: 1, slice: (1..5).into() };
    found.planted(slice, &x, (0, Rolled, FORMULA), "shifted by -1");
    found.assert_all(17);
}

#[test]
fn faults_in_products_and_convolutions() {
    let mut found = Found::default();
    let square = [normal(1, [5, 5]), normal(2, [5, 5])];
    let linear = [normal(3, [4, 9]) * 0.3, normal(4, [5, 9]) * 0.3, normal(5, [5])];
    let images = [normal(6, [2, 2, 6, 6]) * 0.3, normal(7, [4, 2, 3, 3]) * 0.3, normal(8, [4])];
    use Fault::*;
    found.planted(MatMul, &square, (0, Factor(1.001), FORMULA), "1.001000 times");
    found.planted(MatMul, &square, (1, Transposed, FORMULA), "transpose");
    found.planted(MatMul, &square, (0, Swapped(1), FORMULA), "no simple way");
    found.planted(MatMul, &square, (1, Weights(one_element), FORMULA), "one element alone");
    found.planted(MatMul, &square, (0, Weights(last_place), FORMULA), "place 4 of axis 1");
    found.planted(Linear, &linear, (1, Factor(0.25), FORMULA), "0.250000 times");
    found.planted(Linear, &linear, (1, Weights(tail), FORMULA), "place 8 of axis 1");
    found.planted(Linear, &linear, (2, Lost, FORMULA), "zero");
    found.planted(Linear, &linear, (2, Factor(0.2), FORMULA), "a mean for a sum");
    found.planted(Linear, &linear, (0, Factor(-1.0), FORMULA), "other sign");
    let conv = |stride: usize| {
        Conv2d(Conv2dOptions { stride: [stride; 2], padding: [1; 2], ..Conv2dOptions::default() })
    };
    found.planted(conv(1), &images, (1, Weights(last_place), FORMULA), "place 2 of axis 3");
    found.planted(conv(1), &images, (1, Factor(1.001), FORMULA), "1.001000 times");
    found.planted(conv(1), &images, (1, Flipped, FORMULA), "no simple way");
    found.planted(conv(2), &images, (0, Weights(last_place), FORMULA), "place 5 of axis 3");
    found.planted(conv(2), &images, (0, Weights(one_element), FORMULA), "one element alone");
    found.planted(conv(1), &images, (2, Factor(0.5), FORMULA), "0.500000 times");
    found.planted(conv(1), &images, (1, Fused(1.001), PRECISION), "1.001000 times");
    found.assert_all(17);
}

#[test]
fn faults_in_pooling_normalization_indexing_and_losses() {
    let mut found = Found::default();
    let image = [normal(1, [2, 2, 4, 4])];
    let windows = Pool::Sliding(PoolOptions::from(2));
    let average = AvgPool2d { windows };
    let x = [normal(2, [4, 5])];
    let table = [normal(3, [6, 3])];
    let rows = IndexSelect { axis: 0, indices: [1, 3, 1, 5].into() };
    let labels = Indices::from([0, 3, 1, 4]);
    let loss = CrossEntropy { labels, options: CrossEntropyOptions::default() };
    use Fault::*;
    // A quarter of the gradient of a max-pool, as a framework in use returns it.
    found.planted(MaxPool2d { windows }, &image, (0, Factor(0.25), FORMULA), "0.250000 times");
    found.planted(MaxPool2d { windows }, &image, (0, Rolled, FORMULA), "");
    found.planted(average, &image, (0, Factor(4.0), FORMULA), "a sum for a mean");
    found.planted(average, &image, (0, Weights(last_place), FORMULA), "place 3 of axis 3");
    found.planted(Softmax { axis: 1 }, &x, (0, IgnoresCotangent, FORMULA), "it is zero");
    found.planted(Softmax { axis: 1 }, &x, (0, Factor(1.001), FORMULA), "1.001000 times");
    found.planted(Softmax { axis: 1 }, &x, (0, Stale(1.01), FORMULA), "");
    // And no gradient at all through a fused normalization, as another case of the same.
    let norm = LayerNorm { normalized_shape: [5].into(), eps: 1e-5 };
    found.planted(norm.clone(), &[x[0].clone(), normal(4, [5])], (0, Lost, FORMULA), "zero");
    found.planted(norm, &[x[0].clone(), normal(4, [5])], (0, Fused(0.999), PRECISION), "0.999000 times");
    found.planted(LogSoftmax { axis: 1 }, &x, (0, Lost, FORMULA), "zero");
    found.planted(LogSoftmax { axis: 1 }, &x, (0, Clipped(0.3), FORMULA), "");
    let twice: fn(&[usize], &[usize]) -> f32 = |index, _| if index[0] == 1 { 0.5 } else { 1.0 };
    found.planted(rows.clone(), &table, (0, Weights(twice), FORMULA), "place 1 of axis 0");
    found.planted(rows, &table, (0, Rolled, FORMULA), "");
    let gather = Gather { axis: 1, indices: Indices::new([0, 2, 2, 4], [4, 1]) };
    found.planted(gather, &x, (0, Factor(1.001), FORMULA), "1.001000 times");
    found.planted(loss.clone(), &x, (0, Factor(4.0), FORMULA), "a sum for a mean");
    found.planted(loss.clone(), &x, (0, Factor(1.001), FORMULA), "1.001000 times");
    found.planted(loss, &x, (0, Fused(1.001), PRECISION), "1.001000 times");
    found.assert_all(17);
}

#[test]
fn faults_in_recurrent_programs() {
    let inputs = [normal(1, [4, 2, 3]), normal(2, [5, 3]) * 0.5, normal(3, [5, 5]) * 0.5];
    let run = |linear: Faulty<Linear>, tanh: Faulty<Tanh>| {
        GradCheck::default().function(
            |v| {
                let mut h = v[0].place().constant(Tensor::zeros([2, 5]));
                for t in 0..4 {
                    let x = v[0].select(0, t);
                    let sum = x.linear(&v[1], None) + Var::apply(linear.clone(), &[&h, &v[2]]);
                    h = Var::apply(tanh.clone(), &[&sum]);
                }
                h
            },
            &inputs,
        )
    };
    let linear = |fault| Faulty { op: Linear, input: 1, fault };
    let tanh = |fault| Faulty { op: Tanh, input: 0, fault };
    let right = Fault::Factor(1.0);
    let report = run(linear(right), tanh(right));
    assert!(report.passed(), "{report}");
    // The recurrent weight alone; then everything under the activation.
    for fault in [Fault::Factor(1.001), Fault::Transposed, Fault::Lost, Fault::Weights(one_element)] {
        let report = run(linear(fault), tanh(right));
        let failed: Vec<&str> = report.failures().map(|row| &row.name[..]).collect();
        assert_eq!(failed, ["input 2"], "{report}");
        assert_eq!(
            report.rows[2].blame.as_ref().map(|b| (b.op, b.input)),
            Some(("linear", Some(1))),
            "{report}"
        );
    }
    for fault in [Fault::Factor(1.001), Fault::Stale(1.01)] {
        let report = run(linear(right), tanh(fault));
        assert_eq!(report.failures().count(), 3, "{report}");
        assert!(report.failures().all(|row| row.blame.as_ref().unwrap().op == "tanh"), "{report}");
    }
}

#[test]
fn faults_of_the_backward_pass_as_a_whole() {
    let x = [normal(1, [3, 4])];
    let sentence = |fault, text: &str| {
        let report = check(Tanh, &x, 0, fault);
        assert!(report.broken.iter().any(|s| s.contains(text)), "{fault:?}: {report}");
    };
    sentence(Fault::SquaredCotangent, "not linear in the cotangent");
    sentence(Fault::IgnoresCotangent, "not exactly zero for a zero cotangent");
    sentence(Fault::Offset(0.1), "not exactly zero for a zero cotangent");
    // Differences are sure of a number where the rule has none.
    let report = check(Tanh, &x, 0, Fault::NotANumber);
    assert_eq!(report.rows[0].verdict, FORMULA, "{report}");
}

#[test]
fn a_rule_that_is_right_only_to_the_first_order() {
    let report = check(Sigmoid, &[normal(1, [3, 4])], 0, Fault::Detached);
    let second = report.rows.iter().find(|row| row.order == 2).expect("a row of the second order");
    assert_eq!(second.verdict, FORMULA, "{report}");
}

#[test]
fn at_a_kink_a_rule_may_take_what_lies_between_its_sides() {
    let at_zero = |offset| check(Relu, &[Tensor::from([0.0])], 0, Fault::Offset(offset)).rows[0].verdict;
    assert_eq!(at_zero(0.5), Verdict::Kink);
    assert_eq!(at_zero(1.0), Verdict::Kink);
    assert_eq!(at_zero(2.0), FORMULA);
    assert_eq!(at_zero(-0.5), FORMULA);
}

/// Equal winners share one gradient: between them they may not get it twice, though each alone lies between its sides.
#[test]
fn equal_elements_may_not_both_win() {
    let x = [Tensor::from([[1.0, 1.0, -2.0], [0.5, 3.0, 3.0]])];
    let top = Max { axes: 1.into(), keepdims: false };
    let report = check(top.clone(), &x, 0, Fault::Factor(2.0));
    let row = &report.rows[0];
    assert_eq!(row.verdict, FORMULA, "{report}");
    assert_eq!(row.blame.as_ref().map(|blame| blame.op), Some("max"), "{report}");
    // The whole of it to one of them is as good as halves.
    let first: fn(&[usize], &[usize]) -> f32 = |i, _| [[2.0, 0.0, 1.0], [1.0, 2.0, 0.0]][i[0]][i[1]];
    let report = check(top, &x, 0, Fault::Weights(first));
    assert_eq!(report.rows[0].verdict, Verdict::Kink, "{report}");
    // Kinks that have nothing to do with one another do not share: the rule of abs may be anything between, at each.
    let zeros = [Tensor::zeros([4])];
    let report = GradCheck::default().function(
        |v| {
            let both = Faulty { op: Abs, input: 0, fault: Fault::Offset(0.5) };
            let signs = v[0].place().constant([1.0, -1.0, 1.0, -1.0]);
            (Var::apply(both, &[&v[0]]) * signs).sum()
        },
        &zeros,
    );
    assert_eq!(report.rows[0].verdict, Verdict::Kink, "{report}");
}

/// Two winners far apart, of which the elements that are differenced one by one may be neither.
#[test]
fn equal_elements_far_apart_may_not_both_win() {
    let row = |i: &[usize]| if i[1] == 7 || i[1] == 311 { 3.0 } else { (i[1] as f32).sin() };
    let x = [Tensor::from_fn([1, 400], row)];
    let top = Max { axes: 1.into(), keepdims: false };
    let report = check(top.clone(), &x, 0, Fault::Factor(2.0));
    assert_eq!(report.rows[0].verdict, FORMULA, "{report}");
    let report = check(top, &x, 0, Fault::Factor(1.0));
    assert!(report.passed(), "{report}");
}
