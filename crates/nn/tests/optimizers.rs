//! The optimizers against PyTorch's recorded updates, against the book's worked traces, and against formulas in f64.

use crate::descent::descend;
use gradus_autograd::prelude::*;
use gradus_nn::{
    AdaDelta, AdaGrad, Adam, AdamW, Lion, Module, NAdam, Optimizer, RmsProp, Sgd,
    optim::{Group, clip_grad_norm, clip_grad_value},
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Gradients as a sweep would give them: those of the sum of each parameter times a constant.
pub(crate) fn gradients_of(params: &[Param], constants: &[Tensor]) -> Gradients {
    let (_, gradients, ()) = Tape::new().step(|tape| {
        let mut loss = tape.constant(0.0);
        for (param, constant) in params.iter().zip(constants) {
            loss = loss + (tape.param(param) * tape.constant(constant)).sum();
        }
        (loss, ())
    });
    gradients
}

pub(crate) fn elements(params: &[Param]) -> Vec<f32> {
    params.iter().flat_map(|param| param.value().to_vec()).collect()
}

/// The lines of the golden file that begin with this word, as numbers.
pub(crate) fn golden(word: &str) -> Vec<Vec<f64>> {
    let text = include_str!("golden/optimizers.txt");
    let lines = text.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    lines.map(|line| line.split(' ').map(|number| number.parse().unwrap()).collect()).collect()
}

/// A matrix [3, 4] and a vector [5] of the numbers of one line.
pub(crate) fn matrix_and_vector(numbers: &[f64]) -> [Tensor; 2] {
    let numbers: Vec<f32> = numbers.iter().map(|&x| x as f32).collect();
    [Tensor::new(&numbers[..12], [3, 4]), Tensor::new(&numbers[12..], [5])]
}

/// Holds an optimizer to PyTorch's: the weights after 1, 2, 10 and 100 steps, to 1e-6 of the largest.
fn check_against_pytorch(name: &str, mut optimizer: impl Optimizer) {
    let mut params = matrix_and_vector(&golden("start")[0]).map(Param::new).to_vec();
    let expected = golden(name);
    assert_eq!(expected.len(), 4, "{name} is not in the golden file");
    for (step, gradient) in golden("gradient").iter().enumerate() {
        let gradients = gradients_of(&params, &matrix_and_vector(gradient));
        optimizer.step(&mut params, &gradients);
        let Some(expected) = expected.iter().find(|line| line[0] == (step + 1) as f64) else { continue };
        let largest = expected[1..].iter().fold(0.0f64, |max, x| max.max(x.abs()));
        for (i, (found, expected)) in elements(&params).iter().zip(&expected[1..]).enumerate() {
            let error = (f64::from(*found) - expected).abs() / largest;
            assert!(error <= 1e-6, "{name}, step {}, element {i}: {found}, not {expected}", step + 1);
        }
    }
}

#[test]
fn every_optimizer_makes_pytorchs_updates() {
    check_against_pytorch("sgd", Sgd::new(0.05));
    check_against_pytorch("sgd_decay", Sgd::new(0.05).weight_decay(0.1));
    check_against_pytorch("sgd_momentum", Sgd::new(0.02).momentum(0.9).weight_decay(0.01));
    check_against_pytorch("sgd_dampening", Sgd::new(0.05).momentum(0.8).dampening(0.3));
    check_against_pytorch("sgd_nesterov", Sgd::new(0.02).nesterov(0.9).weight_decay(0.01));
    check_against_pytorch("adagrad", AdaGrad::new(0.1));
    let decaying = AdaGrad::new(0.1).lr_decay(0.05);
    check_against_pytorch("adagrad_lr_decay", decaying.weight_decay(0.02));
    check_against_pytorch("adadelta", AdaDelta::new(1.0));
    check_against_pytorch("adadelta_rho", AdaDelta::new(0.5).rho(0.95).weight_decay(0.02));
    check_against_pytorch("rmsprop", RmsProp::new(0.01));
    let momentum = RmsProp::new(0.002).alpha(0.9).momentum(0.7).weight_decay(0.02);
    check_against_pytorch("rmsprop_momentum", momentum);
    check_against_pytorch("rmsprop_centered", RmsProp::new(0.005).alpha(0.95).centered());
    check_against_pytorch("adam", Adam::new(0.01));
    check_against_pytorch("adam_decay", Adam::new(0.02).betas(0.8, 0.99).weight_decay(0.05));
    check_against_pytorch("adamw", AdamW::new(0.01));
    check_against_pytorch("adamw_decay", AdamW::new(0.02).betas(0.8, 0.99).weight_decay(0.5));
    check_against_pytorch("nadam", NAdam::new(0.01));
    check_against_pytorch("nadam_decay", NAdam::new(0.02).betas(0.8, 0.99).weight_decay(0.05));
    let groups = AdamW::new(0.02).weight_decay(0.3);
    let groups = groups.group(Group::vectors().lr_factor(0.2).weight_decay(0.0));
    check_against_pytorch("adamw_groups", groups);
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found / expected - 1.0).abs() <= 1e-6, "{found} is not {expected}");
    }
}

#[test]
fn the_books_traces_on_a_parabola() {
    assert_close(&descend(Sgd::new(0.1).momentum(0.9), 3), &[0.8, 0.46, 0.062]);
    assert_close(&descend(Sgd::new(0.1).nesterov(0.9), 3), &[0.62, 0.2224, -0.108352]);
    let adagrad = AdaGrad::new(0.1).epsilon(1e-7);
    assert_close(&descend(adagrad, 3), &[0.9, 0.8331035, 0.7804562]);
    let rmsprop = RmsProp::new(0.01).epsilon(1e-7);
    assert_close(&descend(rmsprop, 3), &[0.90000005, 0.8329180, 0.7799824]);
    let adadelta = AdaDelta::new(1.0).rho(0.95);
    assert_close(&descend(adadelta, 3), &[0.9955278753, 0.9910086803, 0.9864644623]);
}

#[test]
fn the_books_adam_and_the_papers_are_told_apart() {
    let trace = |mut adam: Adam| {
        let mut w = [Param::new(0.0)].to_vec();
        let step = |g: f32| {
            let gradients = gradients_of(&w, &[Tensor::scalar(g)]);
            adam.step(&mut w, &gradients);
            w[0].value().item().into()
        };
        [1.0, -2.0, 0.5, 0.1, 3.0].map(step)
    };
    let book: [f64; 5] = [-0.00099999684, -0.00063389383, -0.00049720335, -0.00041070704, -0.00079995812];
    let paper = [-0.00099999999, -0.00063389647, -0.00049720580, -0.00041070936, -0.00079996077];
    assert_close(&trace(Adam::new(1e-3).book_epsilon()), &book);
    assert_close(&trace(Adam::new(1e-3)), &paper);
    // The tolerance is fine enough to tell them apart, at every step.
    assert!(book.iter().zip(paper).all(|(book, paper)| (book / paper - 1.0).abs() > 2e-6));
}

/// The book's momentum and its Nesterov, and the second volume's, which changes the velocity first.
#[test]
fn the_books_momentum_is_ours_until_the_learning_rate_changes() {
    const MU: f64 = 0.9;
    type Rule = fn(w: f64, v: f64, lr_g: f64) -> [f64; 2];
    let momentum: Rule = |w, v, lr_g| {
        let v = MU * v - lr_g;
        [w + v, v]
    };
    let nesterov: Rule = |w, v, lr_g| [w + MU * MU * v - (1.0 + MU) * lr_g, MU * v - lr_g];
    let nesterov_of_book_2: Rule = |w, v, lr_g| {
        let v = MU * v - lr_g;
        [w + MU * MU * v - (1.0 + MU) * lr_g, v]
    };
    let book = |rule: Rule, lrs: &[f64]| {
        let [mut w, mut v] = [1.0, 0.0];
        for lr in lrs {
            [w, v] = rule(w, v, lr * 2.0 * w);
        }
        w
    };
    let ours = |mut sgd: Sgd, lrs: &[f64]| {
        let mut w = Param::new(1.0);
        for &lr in lrs {
            sgd.set_lr(lr);
            let (_, gradients, ()) = Tape::new().step(|tape| (tape.param(&w).square(), ()));
            sgd.step(&mut w, &gradients);
        }
        f64::from(w.value().item())
    };
    for (rule, sgd) in [(momentum, Sgd::new(0.1).momentum(MU)), (nesterov, Sgd::new(0.1).nesterov(MU))] {
        let (constant, changing) = ([0.1; 6], [0.1, 0.1, 0.01]);
        assert_close(&[ours(sgd.clone(), &constant)], &[book(rule, &constant)]);
        assert!((ours(sgd, &changing) - book(rule, &changing)).abs() > 0.05);
    }
    assert_close(&[book(nesterov_of_book_2, &[0.1])], &[0.458]);
}

/// End points of 30 steps on x²/20 + y² from (-7, 2) that the book's code gives.
#[test]
fn the_books_race_down_a_valley() {
    let race = |mut optimizer: Box<dyn Optimizer>| {
        let (mut x, mut tape) = (Param::new([-7.0, 2.0]), Tape::new());
        let scale = Tensor::from([0.05, 1.0]);
        for _ in 0..30 {
            let (_, gradients, ()) =
                tape.step(|tape| ((tape.param(&x).square() * tape.constant(&scale)).sum(), ()));
            optimizer.step(&mut x, &gradients);
        }
        x.value().to_vec()
    };
    let near = |found: Vec<f32>, expected: [f64; 2]| {
        for (found, expected) in found.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() <= 2e-6, "{found} is not {expected}");
        }
    };
    near(race(Box::new(Sgd::new(0.95))), [-0.350393, 0.0847823]);
    near(race(Box::new(Sgd::new(0.1).momentum(0.9))), [0.8964139, 0.0880856]);
    near(race(Box::new(AdaGrad::new(1.5).epsilon(1e-7))), [-0.1201623, 0.0]);
    near(race(Box::new(Adam::new(0.3).book_epsilon())), [0.1360069, 0.3182454]);
}

#[test]
fn lion_follows_its_formula() {
    let (mut params, mut lion) = ([Param::new([0.5, -0.25])].to_vec(), Lion::new(0.01).weight_decay(0.5));
    let (mut w, mut m) = ([0.5f64, -0.25], [0.0f64; 2]);
    for gradient in golden("gradient") {
        // Two elements whose sums stay away from 0, where rounding would choose the sign.
        let g = [gradient[5], gradient[9]];
        lion.step_on(&mut params, &[Tensor::from(g.map(|g| g as f32))]);
        for k in 0..2 {
            let direction = 0.9 * m[k] + 0.1 * g[k];
            assert!(direction.abs() > 1e-5);
            w[k] = w[k] * (1.0 - 0.01 * 0.5) - 0.01 * direction.signum();
            m[k] = 0.99 * m[k] + 0.01 * g[k];
        }
    }
    for (found, expected) in elements(&params).iter().zip(w) {
        assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} is not {expected}");
    }
    // At 0 there is no direction.
    let (mut still, mut lion) = ([Param::new(1.0)].to_vec(), Lion::new(0.1));
    lion.step_on(&mut still, &[Tensor::scalar(0.0)]);
    assert_eq!(still[0].value().item(), 1.0);
}

pub(crate) trait StepOn {
    fn step_on(&mut self, params: &mut Vec<Param>, gradients: &[Tensor]);
}

impl<O: Optimizer> StepOn for O {
    fn step_on(&mut self, params: &mut Vec<Param>, gradients: &[Tensor]) {
        let gradients = gradients_of(params, gradients);
        self.step(params, &gradients);
    }
}

#[test]
fn weight_decay_is_a_penalty_in_the_loss() {
    let (decay, x) = (0.3, Tensor::from([0.5, -2.0, 1.5]));
    let run = |mut sgd: Sgd, penalty: f32| {
        let mut w = Param::new([1.0, 2.0, -3.0]);
        for _ in 0..5 {
            let (_, gradients, ()) = Tape::new().step(|tape| {
                let w = tape.param(&w);
                ((w * tape.constant(&x)).sum() + w.square().sum() * (0.5 * penalty), ())
            });
            sgd.step(&mut w, &gradients);
        }
        w.value().to_vec()
    };
    let (hook, term) = (run(Sgd::new(0.1).weight_decay(decay), 0.0), run(Sgd::new(0.1), decay as f32));
    for (hook, term) in hook.iter().zip(term) {
        assert!((hook / term - 1.0).abs() < 5.0 * f32::EPSILON, "{hook} is not {term}");
    }
}

#[test]
fn frozen_parameters_keep_their_bits_and_their_state_waits() {
    let mut params = [Param::new([1.0, 2.0]), Param::new([3.0])].to_vec();
    let mut adam = Adam::new(0.1);
    let gradients = [Tensor::from([1.0, 1.0]), Tensor::from([1.0])];
    adam.step_on(&mut params, &gradients);
    params[0].set_frozen(true);
    let before = params[0].value().to_vec();
    adam.step_on(&mut params, &gradients);
    assert_eq!(params[0].value().to_vec(), before);
    assert_eq!([adam.base().steps("0"), adam.base().steps("1")], [1, 2]);
    params[0].set_frozen(false);
    adam.step_on(&mut params, &gradients);
    assert_ne!(params[0].value().to_vec(), before);
    assert_eq!([adam.base().steps("0"), adam.base().steps("1")], [2, 3]);
}

#[test]
fn gradients_of_any_layout_and_size_will_do() {
    // The gradient of a sum is one number, broadcast.
    let mut w = Param::new(Tensor::ones([3, 2]));
    let (_, gradients, ()) = Tape::new().step(|tape| (tape.param(&w).sum(), ()));
    Sgd::new(0.5).step(&mut w, &gradients);
    assert_eq!(w.value().to_vec(), [0.5; 6]);
    let mut empty = Param::new(Tensor::zeros([0, 2]));
    let (_, gradients, ()) = Tape::new().step(|tape| (tape.param(&empty).sum(), ()));
    Adam::new(0.5).step(&mut empty, &gradients);
    assert!(empty.value().is_empty());
}

#[test]
fn clipping_scales_by_the_global_norm_and_leaves_small_ones() {
    let params = [Param::new([0.0, 0.0]), Param::new([0.0])].to_vec();
    let constants = [Tensor::from([3.0, 4.0]), Tensor::from([12.0])];
    let mut gradients = gradients_of(&params, &constants);
    assert_eq!(clip_grad_norm(&params, &mut gradients, 5.0), 13.0);
    let ratio = 5.0 / (13.0 + 1e-6);
    for (param, expected) in [(&params[0], vec![3.0, 4.0]), (&params[1], vec![12.0])] {
        for (found, expected) in gradients[param].iter().zip(expected) {
            assert!((f64::from(found) / (expected * ratio) - 1.0).abs() < 2e-7);
        }
    }
    let mut gradients = gradients_of(&params, &constants);
    assert_eq!(clip_grad_norm(&params, &mut gradients, 13.1), 13.0);
    assert_eq!(gradients[&params[0]].to_vec(), [3.0, 4.0]);
    clip_grad_value(&params, &mut gradients, 3.5);
    assert_eq!(gradients[&params[0]].to_vec(), [3.0, 3.5]);
    assert_eq!(gradients[&params[1]].to_vec(), [3.5]);

    let mut gradients = gradients_of(&params, &[Tensor::from([f32::NAN, 1.0]), Tensor::from([2.0])]);
    assert!(clip_grad_norm(&params, &mut gradients, 1.0).is_nan());
    assert_eq!(gradients[&params[1]].to_vec(), [2.0]);
}

#[test]
fn a_step_has_the_same_bits_on_any_number_of_threads() {
    let run = |threads: usize| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let mut rng = Rng::seed(3);
            let shapes = [vec![300, 200], vec![7], vec![100_003], vec![1]];
            let mut params: Vec<Param> =
                shapes.iter().map(|s| Param::new(Tensor::randn(s, &mut rng))).collect();
            let mut adam = Adam::new(0.01).weight_decay(0.1);
            for _ in 0..3 {
                let gradients: Vec<Tensor> = shapes.iter().map(|s| Tensor::randn(s, &mut rng)).collect();
                adam.step_on(&mut params, &gradients);
            }
            assert!(params.params().iter().all(|(_, param)| param.value().is_unique()));
            elements(&params)
        })
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(4));
}

pub(crate) fn message(f: impl FnOnce()) -> Option<String> {
    let payload = catch_unwind(AssertUnwindSafe(f)).err()?;
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(|text| text.to_string()))
}

pub(crate) fn done<T>(_: T) {}

/// Gradients of 1e4 ± 1 in turn: their variance is 1, their mean's square 1e8, of which f32 keeps no digit behind the point.
#[test]
fn centered_rmsprop_sees_a_small_variance_beside_a_large_mean() {
    let alpha = 0.99;
    let (mut w, mut rmsprop) = ([Param::new([0.0])].to_vec(), RmsProp::new(0.001).centered());
    let (mut expected, mut square, mut mean) = (0.0f64, 0.0f64, 0.0f64);
    for step in 0..3000 {
        let g = if step % 2 == 0 { 10_001.0 } else { 9_999.0 };
        rmsprop.step_on(&mut w, &[Tensor::from([g as f32])]);
        square = alpha * square + (1.0 - alpha) * g * g;
        mean = alpha * mean + (1.0 - alpha) * g;
        expected -= 0.001 * g / ((square - mean * mean).max(0.0).sqrt() + 1e-8);
    }
    let found = f64::from(w[0].value().get([0]));
    assert!((found / expected - 1.0).abs() < 1e-3, "{found} is not {expected}");
}
