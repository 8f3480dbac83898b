//! What optimizers remember: saved, restored and refused; and what they do not take.

use crate::messages::Messages;
use crate::optimizers::{StepOn, done, elements, golden, gradients_of, matrix_and_vector, message};
use gradus_autograd::prelude::*;
use gradus_nn::{
    AdaDelta, AdaGrad, Adam, AdamW, Lion, Module, NAdam, Optimizer, RmsProp, Sgd, State,
    optim::{Base, Group, Lbfgs, clip_grad_norm, clip_grad_value},
    schedule::{Cosine, Exponential, MultiStep, OneCycle, Plateau, Schedule, StepDecay, Warmup},
    train::{KeepBest, Trainer},
};

#[test]
fn a_restored_optimizer_goes_on_bit_for_bit() {
    fn check(make: impl Fn() -> Box<dyn Optimizer>) {
        let golden = golden("gradient");
        let step = |optimizer: &mut dyn Optimizer, params: &mut Vec<Param>, k: usize| {
            let gradients = gradients_of(params, &matrix_and_vector(&golden[k]));
            optimizer.step(params, &gradients);
        };
        let mut params = [Param::new(Tensor::ones([3, 4])), Param::new(Tensor::ones([5]))].to_vec();
        let mut first = make();
        (0..7).for_each(|k| step(&mut *first, &mut params, k));
        first.set_lr(0.003);

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("optimizer");
        first.state().save(&path).unwrap();
        let (mut second, mut copy) = (make(), params.clone());
        second.restore(&State::load(&path).unwrap(), &copy).unwrap();
        assert_eq!(second.lr(), 0.003);
        (7..12).for_each(|k| step(&mut *first, &mut params, k));
        (7..12).for_each(|k| step(&mut *second, &mut copy, k));
        assert_eq!(elements(&params), elements(&copy));
        assert_eq!(first.state(), second.state());
    }
    check(|| Box::new(Sgd::new(0.1)));
    check(|| Box::new(Sgd::new(0.1).nesterov(0.9)));
    check(|| Box::new(AdaGrad::new(0.1)));
    check(|| Box::new(AdaDelta::new(1.0)));
    check(|| Box::new(RmsProp::new(0.1)));
    check(|| Box::new(RmsProp::new(0.1).momentum(0.5).centered()));
    check(|| Box::new(Adam::new(0.1)));
    check(|| Box::new(AdamW::new(0.1)));
    check(|| Box::new(NAdam::new(0.1)));
    check(|| Box::new(Lion::new(0.1)));
}

#[test]
fn a_state_that_does_not_fit_is_refused_whole() {
    let mut params = [Param::new([1.0, 2.0]), Param::new([3.0])].to_vec();
    let mut adam = Adam::new(0.1);
    adam.step_on(&mut params, &[Tensor::from([1.0, 1.0]), Tensor::from([1.0])]);
    let state = adam.state();

    let error = AdamW::new(0.1).restore(&state, &params).unwrap_err();
    assert_eq!(error.to_string(), "it is the state of adam, not of adamw");
    let mut other = Adam::new(0.7);
    let error = other.restore(&state, &[Param::new([1.0, 2.0, 3.0])].to_vec()).unwrap_err().to_string();
    assert!(error.contains("0 has shape [2] in the saved state, [3] in the model"), "{error}");
    assert!(error.contains("1.exp_avg_sq is of no parameter of the model"), "{error}");
    assert_eq!(other.lr(), 0.7);
    assert!(other.restore(&State::new(), &params).is_err());
}

#[test]
#[should_panic = "optimizer: 0 needs exp_avg [3], and has one of shape [2]"]
fn a_model_of_another_shape_needs_a_new_optimizer() {
    let mut adam = Adam::new(0.1);
    adam.step_on(&mut [Param::new([1.0, 2.0])].to_vec(), &[Tensor::ones([2])]);
    adam.step_on(&mut [Param::new([1.0, 2.0, 3.0])].to_vec(), &[Tensor::ones([3])]);
}

/// Two parameters of one name.
struct Alike([Param; 2]);

impl Module for Alike {
    fn visit<'a>(&'a self, _: &str, f: &mut dyn FnMut(&str, &'a Param)) {
        self.0.iter().for_each(|param| f("weight", param));
    }

    fn visit_mut<'a>(&'a mut self, _: &str, f: &mut dyn FnMut(&str, &'a mut Param)) {
        self.0.iter_mut().for_each(|param| f("weight", param));
    }
}

#[test]
fn a_model_that_names_two_parameters_alike_is_refused_before_anything_changes() {
    let mut model = Alike([Param::new([1.0]), Param::new([2.0])]);
    let gradients = gradients_of(&model.0, &[Tensor::ones([1]), Tensor::ones([1])]);
    let mut adam = Adam::new(0.1);
    let step = std::panic::AssertUnwindSafe(|| adam.step(&mut model, &gradients));
    let message = *std::panic::catch_unwind(step).unwrap_err().downcast::<String>().unwrap();
    assert_eq!(message, "optimizer: the model names two parameters weight; each needs a state of its own");
    assert_eq!(elements(&model.0), [1.0, 2.0]);
    let (state, mut other) = (Adam::new(0.1).state(), Adam::new(0.7));
    let error = other.restore(&state, &model).unwrap_err().to_string();
    assert_eq!(error, "the model names two parameters weight");
    assert_eq!(other.lr(), 0.7);
}

#[test]
#[should_panic = "the loss does not reach 1; freeze what is not to be trained"]
fn a_parameter_without_a_gradient_panics() {
    let mut params = [Param::new(1.0), Param::new(2.0)].to_vec();
    let gradients = gradients_of(&params[..1], &[Tensor::scalar(1.0)]);
    Sgd::new(0.1).step(&mut params, &gradients);
}

/// A field that was set after the optimizer was made is looked at in the step.
#[test]
fn nonsense_in_a_field_is_refused_by_the_step() {
    fn step<O: Optimizer>(mut optimizer: O, set: fn(&mut O)) {
        set(&mut optimizer);
        let mut params = vec![Param::new([1.0])];
        let gradients = gradients_of(&params, &[Tensor::from([1.0])]);
        optimizer.step(&mut params, &gradients);
    }
    let unsound: [(&str, fn()); 14] = [
        ("sgd: momentum is 1.5", || step(Sgd::new(0.1), |Sgd { momentum, .. }| *momentum = 1.5)),
        ("sgd: dampening is -1", || step(Sgd::new(0.1), |Sgd { dampening, .. }| *dampening = -1.0)),
        ("adam: β₁ is 1", || step(Adam::new(0.1), |Adam { betas, .. }| *betas = (1.0, 0.9))),
        ("optimizer: epsilon is NaN", || step(Adam::new(0.1), |Adam { epsilon, .. }| *epsilon = f64::NAN)),
        ("adamw: β₂ is -0.1", || step(AdamW::new(0.1), |AdamW { betas, .. }| *betas = (0.9, -0.1))),
        ("nadam: β₂ is 2", || step(NAdam::new(0.1), |NAdam { betas, .. }| *betas = (0.9, 2.0))),
        ("optimizer: momentum_decay is -1", || {
            step(NAdam::new(0.1), |NAdam { momentum_decay, .. }| *momentum_decay = -1.0)
        }),
        ("lion: β₁ is NaN", || step(Lion::new(0.1), |Lion { betas, .. }| *betas = (f64::NAN, 0.9))),
        ("optimizer: lr_decay is -1", || {
            step(AdaGrad::new(0.1), |AdaGrad { lr_decay, .. }| *lr_decay = -1.0)
        }),
        ("optimizer: epsilon is inf", || {
            step(AdaGrad::new(0.1), |AdaGrad { epsilon, .. }| *epsilon = f64::INFINITY)
        }),
        ("adadelta: ρ is 1", || step(AdaDelta::new(0.1), |AdaDelta { rho, .. }| *rho = 1.0)),
        ("rmsprop: α is 7", || step(RmsProp::new(0.1), |RmsProp { alpha, .. }| *alpha = 7.0)),
        ("rmsprop: momentum is -0.5", || {
            step(RmsProp::new(0.1), |RmsProp { momentum, .. }| *momentum = -0.5)
        }),
        ("optimizer: epsilon is -1", || step(RmsProp::new(0.1), |RmsProp { epsilon, .. }| *epsilon = -1.0)),
    ];
    let mut said = Messages::of("nn", module_path!(), "nonsense_in_a_field_is_refused_by_the_step");
    for (expected, unsound) in unsound {
        let text = message(unsound).unwrap_or_else(|| panic!("{expected}: taken"));
        assert!(text.starts_with(expected), "{text}, not {expected}");
        said.add(text);
    }
    said.check();
}

#[test]
fn nonsense_is_refused_where_it_is_said() {
    let bad = [f64::NAN, f64::INFINITY, -1.0];
    type Make = fn(f64);
    let mut said = Messages::of("nn", module_path!(), "nonsense_is_refused_where_it_is_said");
    let unsound: [(&str, Make); 25] = [
        ("sgd lr", |x| done(Sgd::new(x))),
        ("sgd momentum", |x| done(Sgd::new(0.1).momentum(x))),
        ("sgd nesterov", |x| done(Sgd::new(0.1).nesterov(x))),
        ("sgd dampening", |x| done(Sgd::new(0.1).momentum(0.9).dampening(x))),
        ("weight decay", |x| done(Sgd::new(0.1).weight_decay(x))),
        ("set lr", |x| Sgd::new(0.1).set_lr(x)),
        ("adam lr", |x| done(Adam::new(x))),
        ("adam betas", |x| done(Adam::new(0.1).betas(x, 0.9))),
        ("adam epsilon", |x| done(Adam::new(0.1).epsilon(x))),
        ("adamw betas", |x| done(AdamW::new(0.1).betas(0.9, x))),
        ("adamw epsilon", |x| done(AdamW::new(0.1).epsilon(x))),
        ("nadam epsilon", |x| done(NAdam::new(0.1).epsilon(x))),
        ("lion betas", |x| done(Lion::new(0.1).betas(x, x))),
        ("adagrad epsilon", |x| done(AdaGrad::new(0.1).epsilon(x))),
        ("adagrad lr_decay", |x| done(AdaGrad::new(0.1).lr_decay(x))),
        ("adadelta rho", |x| done(AdaDelta::new(1.0).rho(x))),
        ("adadelta epsilon", |x| done(AdaDelta::new(1.0).epsilon(x))),
        ("rmsprop alpha", |x| done(RmsProp::new(0.1).alpha(x))),
        ("rmsprop epsilon", |x| done(RmsProp::new(0.1).epsilon(x))),
        ("group", |x| done(Group::vectors().lr_factor(x))),
        ("plateau lr", |x| done(Plateau::new(x))),
        ("plateau factor", |x| done(Plateau::new(0.1).factor(x))),
        ("cosine lr", |x| done(Cosine::new(x, 10))),
        ("cosine min", |x| done(Cosine::new(0.1, 10).min(x))),
        ("one cycle", |x| done(OneCycle::new(x, 10))),
    ];
    for (name, make) in unsound {
        for x in bad {
            let text = message(|| make(x)).unwrap_or_else(|| panic!("{name} took {x}"));
            assert!(text.contains(&x.to_string()) && text.contains("must be"), "{name}: {text}");
            said.add(text);
        }
    }
    let others: [(&str, fn()); 19] = [
        ("step decay: the size is 0", || done(StepDecay { lr: 0.1, size: 0, gamma: 0.5 }.lr(1))),
        ("step decay: lr is NaN", || done(StepDecay { lr: f64::NAN, size: 1, gamma: 0.5 }.lr(1))),
        ("step decay: gamma is -1", || done(StepDecay { lr: 0.1, size: 1, gamma: -1.0 }.lr(1))),
        ("multi-step: lr is -1", || done(MultiStep { lr: -1.0, milestones: vec![], gamma: 0.5 }.lr(1))),
        ("exponential: gamma is NaN", || done(Exponential { lr: 0.1, gamma: f64::NAN }.lr(1))),
        ("cosine: lr is NaN", || done(Cosine { lr: f64::NAN, min: 0.0, steps: 3 }.lr(1))),
        ("cosine: lr is NaN", || done(Warmup::new(2, Cosine { lr: f64::NAN, min: 0.0, steps: 3 }).lr(1))),
        ("one cycle: a cycle of 0 steps", || done(OneCycle::new(0.1, 0))),
        ("one cycle: a rise of NaN", || done(OneCycle { rise: f64::NAN, ..OneCycle::new(0.1, 9) }.lr(1))),
        ("one cycle: a rise of 0.3", || done(OneCycle { divisor: 0.0, ..OneCycle::new(0.1, 9) }.lr(1))),
        ("plateau: threshold is NaN", || {
            let mut plateau = Plateau::new(0.1);
            plateau.threshold = f64::NAN;
            plateau.observe(1.0);
        }),
        ("clip_grad_norm: the greatest norm is NaN", || {
            clip_grad_norm(&Param::new(0.0), &mut Gradients::default(), f64::NAN);
        }),
        ("clip_grad_value: the bound is -1", || {
            clip_grad_value(&Param::new(0.0), &mut Gradients::default(), -1.0);
        }),
        ("keep_best: a patience of 0", || done(KeepBest::least("loss").patience(0))),
        ("trainer: a batch needs", || done(Trainer::new(Sgd::new(0.1), 0, 1))),
        ("trainer: a batch is at least one shard", || done(Trainer::new(Sgd::new(0.1), 1, 1).shards(0))),
        ("trainer: a step needs", || done(Trainer::new(Sgd::new(0.1), 1, 1).accumulate(0))),
        ("trainer: the greatest norm is NaN", || {
            done(Trainer::new(Sgd::new(0.1), 1, 1).clip_norm(f64::NAN));
        }),
        ("lbfgs: a tolerance of NaN", || {
            let lbfgs = Lbfgs { tolerance: f64::NAN, ..Lbfgs::default() };
            lbfgs.minimize(&mut [1.0], |x| (x[0] * x[0], vec![2.0 * x[0]]));
        }),
    ];
    for (expected, make) in others {
        let text = message(make).unwrap_or_else(|| panic!("taken: {expected}"));
        assert!(text.starts_with(expected), "{text}");
        said.add(text);
    }
    said.check();
}

/// AdaFactor's second moment (N. Shazeer and M. Stern, 2018), of which a matrix has a row and a column.
struct Factored {
    base: Base,
}

impl Optimizer for Factored {
    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        self.base.each(model, gradients, |mut param| {
            let (g, beta) = (param.gradient, 1.0 - (param.settings.step as f32).powf(-0.8));
            let square = g.square() + 1e-30;
            let lr = param.settings.lr as f32;
            let rms = if let [rows, columns] = g.shape()[..] {
                let row = &*param.state("row", [rows]) * beta + square.mean_axes(1, false) * (1.0 - beta);
                let column =
                    &*param.state("column", [columns]) * beta + square.mean_axes(0, false) * (1.0 - beta);
                *param.state("row", [rows]) = row.clone();
                *param.state("column", [columns]) = column.clone();
                (row.reshape([rows, 1]) * column.reshape([1, columns]) / row.mean()).sqrt()
            } else {
                let all = &*param.state("all", g.shape()) * beta + square * (1.0 - beta);
                *param.state("all", g.shape()) = all.clone();
                all.sqrt()
            };
            *param.weight = &*param.weight - g / rms * lr;
        });
    }

    fn base(&self) -> &Base {
        &self.base
    }

    fn base_mut(&mut self) -> &mut Base {
        &mut self.base
    }
}

#[test]
fn an_optimizer_that_is_not_elementwise_is_saved_with_its_state_of_any_shape() {
    let make = || Factored { base: Base::new("factored", 0.1) }.group(Group::vectors().lr_factor(0.5));
    let gradients: Vec<[Tensor; 2]> = golden("gradient").iter().map(|line| matrix_and_vector(line)).collect();
    let start = || [Param::new(Tensor::ones([3, 4])), Param::new(Tensor::ones([5]))].to_vec();
    let (mut whole, mut params) = (make(), start());
    gradients[..1].iter().for_each(|g| whole.step_on(&mut params, g));
    // At the first step β is 0: each element moves by lr g / rms, and those of a vector by half a rate.
    let (g, moved) = (&gradients[0][1], 1.0 - params[1].value());
    assert!((moved - g.sign() * 0.05).abs().max().item() < 1e-6);
    let square = gradients[0][0].square();
    let rms = (square.mean_axes(1, true) * square.mean_axes(0, true) / square.mean()).sqrt();
    let moved = 1.0 - params[0].value();
    assert!((moved - &gradients[0][0] / rms * 0.1).abs().max().item() < 1e-6);

    gradients[1..4].iter().for_each(|g| whole.step_on(&mut params, g));
    let (mut later, mut copy) = (make(), params.clone());
    later.restore(&whole.state(), &copy).unwrap();
    assert_eq!(later.state().tensors()["0.column"].shape(), &[4]);
    gradients[4..8].iter().for_each(|g| whole.step_on(&mut params, g));
    gradients[4..8].iter().for_each(|g| later.step_on(&mut copy, g));
    assert_eq!(elements(&params), elements(&copy));
    assert_eq!(whole.state(), later.state());

    let other = [Param::new(Tensor::ones([4, 4])), Param::new(Tensor::ones([5]))].to_vec();
    let error = later.restore(&whole.state(), &other).unwrap_err().to_string();
    assert_eq!(error, "0 has shape [3, 4] in the saved state, [4, 4] in the model");
}

#[test]
fn a_box_of_an_optimizer_is_one() {
    let boxed: Box<dyn Optimizer> = Box::new(Adam::new(0.01).weight_decay(0.1));
    // Builders too, which need a size.
    let mut boxed = boxed.group(Group::vectors().lr_factor(0.5));
    let mut plain = Adam::new(0.01).weight_decay(0.1).group(Group::vectors().lr_factor(0.5));
    let (mut a, mut b) = ([Param::new([1.0, 2.0])].to_vec(), [Param::new([1.0, 2.0])].to_vec());
    for g in [1.0, -3.0, 0.5] {
        boxed.step_on(&mut a, &[Tensor::full([2], g)]);
        plain.step_on(&mut b, &[Tensor::full([2], g)]);
    }
    assert_eq!(elements(&a), elements(&b));
    assert_eq!(boxed.state(), plain.state());
    boxed.set_lr(0.5);
    assert_eq!(boxed.lr(), 0.5);
    boxed.restore(&plain.state(), &b).unwrap();
    assert_eq!(boxed.lr(), 0.01);
    assert!(boxed.restore(&Sgd::new(0.1).state(), &b).is_err());
}

#[test]
fn a_state_with_a_part_missing_is_refused_whole() {
    let mut params = [Param::new([1.0, 2.0]), Param::new([3.0])].to_vec();
    let mut adam = Adam::new(0.1);
    adam.step_on(&mut params, &[Tensor::from([1.0, 1.0]), Tensor::from([1.0])]);
    let full = adam.state();
    let values = ["optimizer", "lr", "weight_decay", "0.slot", "1.slot"];
    let copy = |without: &[&str], lr: Option<f64>| {
        let mut state = State::new();
        for name in values.into_iter().filter(|name| !without.contains(name)) {
            state.put(name, full.get::<String>(name).unwrap());
        }
        if let Some(lr) = lr {
            state.put("lr", lr);
        }
        for (name, tensor) in full.tensors().iter().filter(|(name, _)| !without.contains(&&name[..])) {
            state.put_tensor(name, tensor.clone());
        }
        state
    };
    let mut other = Adam::new(0.7);
    other.restore(&copy(&[], None), &params).unwrap();
    for gone in ["0.exp_avg", "0.exp_avg_sq", "1.step", "0.slot", "lr", "weight_decay", "optimizer"] {
        let before = other.state();
        let error = other.restore(&copy(&[gone], None), &params).unwrap_err().to_string();
        assert!(error.contains(gone.split('.').next_back().unwrap()), "{gone}: {error}");
        assert_eq!(other.state(), before);
    }
    let all = ["1.step", "1.exp_avg", "1.exp_avg_sq"];
    let error = other.restore(&copy(&all, None), &params).unwrap_err().to_string();
    assert!(error.starts_with("of 1 [1]: ") && error.ends_with("there is nothing"), "{error}");
    for lr in [f64::NAN, f64::INFINITY, -1.0] {
        let error = other.restore(&copy(&[], Some(lr)), &params).unwrap_err().to_string();
        assert_eq!(error, format!("lr is {lr}; it must be at least 0 and finite"));
    }
}

#[test]
fn gradients_of_a_tape_that_nobody_decided_on_change_nothing() {
    let mut w = Param::new(Tensor::ones([4]));
    let tape = Tape::new();
    let gradients = tape.param(&w).dropout(0.5).sum().backward();
    let text = message(|| Sgd::new(0.1).step(&mut w, &gradients)).unwrap();
    assert!(text.starts_with("optimizer: the layer at ") && text.contains("Tape::training(seed)"), "{text}");
    assert_eq!(w.value(), &Tensor::ones([4]));
    let text = message(|| {
        Lbfgs::default().step(&mut w, |_| (4.0, gradients.clone()));
    });
    assert!(text.is_some_and(|text| text.starts_with("optimizer: the layer at ")));
}
