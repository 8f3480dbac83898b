//! Gradients of each example: what a loop over the examples gives, each alone on a tape of its own.

use crate::panics::panic_of;
use gradus_autograd::{ops::loss::Reduction, prelude::*};

fn random(shape: &[usize], seed: u64) -> Tensor {
    Tensor::randn(shape, &mut Rng::seed(seed))
}

/// Numbers that differ by no more than this share of the largest.
#[track_caller]
fn close_to(found: &Tensor, expected: &Tensor, share: f32, what: &str) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    let largest = expected.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    for (a, b) in found.iter().zip(expected.iter()) {
        assert!((a - b).abs() <= share * largest, "{what}: {a} is not {b}\n{found:?}\n{expected:?}");
    }
}

/// A model of parameters, whose losses are `[n]`.
type Model = for<'t> fn(Var<'t>, &[Var<'t>], &Indices) -> Var<'t>;

/// Holds the gradients of all examples to those of each alone, whose difference may be rounding.
#[track_caller]
fn hold(model: Model, x: Tensor, shapes: &[&[usize]], labels: Indices) {
    let params: Vec<Param> =
        shapes.iter().zip(100..).map(|(shape, seed)| Param::new(random(shape, seed) * 0.5)).collect();
    let losses = |tape: &Tape, x: &Tensor, labels: &Indices, of: &dyn for<'t> Fn(Var<'t>, Var<'t>)| {
        let x = tape.var(x);
        let given: Vec<Var<'_>> = params.iter().map(|param| tape.param(param)).collect();
        let losses = model(x, &given, labels);
        of(x, losses);
    };
    let n = x.size(0);
    let tape = Tape::new();
    losses(&tape, &x, &labels, &|x_all, all| {
        let gradients = all.per_example_gradients(&[x_all]);
        let sum = all.sum().backward();
        for i in 0..n {
            let (one, label) = (x.slice(0, i..i + 1), labels.select(0, i as isize));
            losses(&Tape::new(), &one, &Indices::from([label.item()]), &|x_one, loss| {
                let expected = loss.sum().backward();
                for (k, param) in params.iter().enumerate() {
                    let (found, right) = (gradients[param].select(0, i as isize), &expected[param]);
                    close_to(&found, right, 2e-6, &format!("example {i}, parameter {k}"));
                }
                close_to(&gradients[x_all].select(0, i as isize), &expected[x_one].select(0, 0), 2e-6, "x");
            });
        }
        for param in &params {
            close_to(&gradients[param].sum_axes(0, false), &sum[param], 1e-5, "the sum");
        }
    });
}

fn labels(n: usize) -> Indices {
    (0..n).map(|i| i as i32 % 3).collect()
}

#[test]
fn of_a_perceptron() {
    fn model<'t>(x: Var<'t>, p: &[Var<'t>], labels: &Indices) -> Var<'t> {
        let h = x.linear(&p[0], Some(&p[1])).relu();
        h.linear(&p[2], Some(&p[3])).cross_entropy_with(labels, Reduction::None)
    }
    let shapes: [&[usize]; 4] = [&[8, 5], &[8], &[3, 8], &[3]];
    for n in [1, 2, 7] {
        hold(model, random(&[n, 5], n as u64), &shapes, labels(n));
    }
}

/// Convolution, pooling whose winners differ by example, norms with weights, and reshaping.
#[test]
fn of_a_convolutional_net() {
    fn model<'t>(x: Var<'t>, p: &[Var<'t>], labels: &Indices) -> Var<'t> {
        let h = x.conv2d(&p[0], Some(&p[1]), Conv2dOptions::default());
        let h = h.group_norm(2, Some(&p[2]), Some(&p[3]), 1e-5).relu().max_pool2d(2);
        let [n, c, height, width] = h.dims();
        let h = h.reshape([n, c * height * width]).layer_norm([36], Some(&p[4]), None, 1e-5);
        h.linear(&p[5], None).cross_entropy_with(labels, Reduction::None)
    }
    let shapes: [&[usize]; 6] = [&[4, 2, 3, 3], &[4], &[4], &[4], &[36], &[3, 36]];
    hold(model, random(&[5, 2, 8, 8], 3), &shapes, labels(5));
}

/// Several rows an example, a weight that is used twice and turned, parameters that broadcast, steps along a sequence.
#[test]
fn of_sequences_with_tied_weights() {
    fn model<'t>(x: Var<'t>, p: &[Var<'t>], labels: &Indices) -> Var<'t> {
        let h = (x + p[1]).linear(&p[0], None).tanh() * p[2];
        let back = h.matmul(&(p[0] * 2.0));
        let scores = (back.mean_axes(1, false) * p[0].sum_axes(0, false).exp()).slice(1, ..3);
        scores.cross_entropy_with(labels, Reduction::None) + h.square().sum_axes([1, 2], false)
    }
    hold(model, random(&[4, 6, 5], 4), &[&[7, 5], &[6, 5], &[7]], labels(4));
}

#[test]
fn of_a_parameter_that_is_read_twice_by_one_operation() {
    fn model<'t>(x: Var<'t>, p: &[Var<'t>], _: &Indices) -> Var<'t> {
        let [left, right] = [x.slice(1, ..2), x.slice(1, 2..)];
        Var::concat(&[&(left * p[0]), &(right.maximum(&p[0]))], 1).square().sum_axes(1, false)
    }
    hold(model, random(&[6, 4], 5), &[&[2]], labels(6));
}

/// (w · x - y)²: the gradient is 2 (w · x - y) x, and that by x is 2 (w · x - y) w.
#[test]
fn by_hand() {
    let tape = Tape::new();
    let (x, w) = (tape.var([[1.0, 2.0], [-1.0, 0.5], [0.0, 3.0]]), tape.var([[0.5, 1.0]]));
    let y = tape.constant([1.0, 1.0, 1.0]);
    let losses = (x.linear(&w, None).squeeze(1) - y).square();
    let gradients = losses.per_example_gradients(&[x, y]);
    assert_eq!(gradients[w].shape(), &[3, 1, 2]);
    assert_eq!(gradients[w].to_vec(), [3.0, 6.0, 2.0, -1.0, 0.0, 12.0]);
    assert_eq!(gradients[x].to_vec(), [1.5, 3.0, -1.0, -2.0, 2.0, 4.0]);
    // What no example reaches has none.
    let v = tape.var(1.0);
    let gradients = (x.sum_axes(1, false) * 2.0).per_example_gradients(&[x]);
    assert!(gradients.get(w).is_none() && gradients.get(v).is_none());
}

/// The message of the panic.
fn refused(f: impl for<'t> FnOnce(&'t Tape, Var<'t>) -> (Var<'t>, Vec<Var<'t>>)) -> String {
    let (message, ..) = panic_of(|| {
        let tape = Tape::training(0);
        let x = tape.constant(random(&[4, 3], 6));
        let (losses, examples) = f(&tape, x);
        losses.per_example_gradients(&examples);
    });
    message
}

#[test]
fn what_mixes_examples_is_refused_by_name_and_line() {
    let apart = "does not keep them apart along the first axis";
    let cases: [(String, &str); 7] = [
        (
            refused(|tape, x| {
                (x.batch_norm(Some(&tape.var([1.0; 3])), None, 1e-5)[0].sum_axes(1, false), vec![x])
            }),
            "batch_norm at ",
        ),
        (refused(|_, x| (x.softmax(0).sum_axes(1, false), vec![x])), "softmax at "),
        (refused(|_, x| (x.t().slice(1, ..4).sum_axes(0, false), vec![x])), " at "),
        (refused(|_, x| (x.flip(0).sum_axes(1, false), vec![x])), "slice at "),
        (refused(|_, x| ((x - x.mean_axes(0, true)).sum_axes(1, false), vec![x])), " at "),
        (refused(|_, x| (x.cumsum(0).sum_axes(1, false), vec![x])), "cumsum at "),
        (
            refused(|tape, x| ((tape.var(random(&[4, 4], 1)).matmul(&x)).sum_axes(1, false), vec![x])),
            "matmul at ",
        ),
    ];
    for (message, name) in cases {
        assert!(message.starts_with("per_example_gradients: "), "{message}");
        assert!(
            message.contains(name) && message.contains("per_example.rs:") && message.contains(apart),
            "{message}"
        );
    }
    let wrong = [
        (refused(|_, x| (x.sum(), vec![x])), "the losses must be [n], one for each example"),
        (
            refused(|_, x| (x.sum_axes(1, false), vec![])),
            "the losses do not depend on the examples that were named",
        ),
        (
            refused(|_, x| (x.sum_axes(1, false), vec![x.square()])),
            "must be a leaf of the tape with the 4 examples",
        ),
        (
            refused(|tape, x| (x.sum_axes(1, false), vec![tape.var([1.0])])),
            "must be a leaf of the tape with the 4 examples",
        ),
        // A value as large as the batch that is no example: its rows would be taken for something else.
        (refused(|tape, x| ((x * tape.var(random(&[4, 3], 2))).sum_axes(1, false), vec![x])), "mul at "),
    ];
    for (message, part) in wrong {
        assert!(message.contains(part), "{message}");
    }
}

/// An optimizer that got them would add up what it must not.
#[test]
fn they_are_no_gradients_of_a_step() {
    let (w, tape) = (Param::new([[1.0, 2.0]]), Tape::training(0));
    let x = tape.constant([[1.0, 2.0], [3.0, 4.0]]);
    let gradients = x.linear(&tape.param(&w), None).squeeze(1).per_example_gradients(&[x]);
    assert_eq!(gradients[&w].shape(), &[2, 1, 2]);
    assert_eq!(gradients.weight(), None);
}
