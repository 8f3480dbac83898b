//! The tape: what it records, how long it keeps it, what it says when misused.

use gradus_autograd::{
    Op,
    op::examples::{Gen, Sample},
    op::reference::{Array, Branches},
    op::{Backward, Outputs, Shapes},
    ops::loss::{CrossEntropyOptions, NllOptions, Reduction},
    prelude::*,
};
use gradus_tensor::{Shape, ShapeError};
use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
};

#[test]
fn a_value_used_twice_gets_the_sum() {
    let tape = Tape::new();
    let x = tape.var(2.0);
    assert_eq!((x + x).backward()[x].item(), 2.0);
    assert_eq!((x + x + x).backward()[x].item(), 3.0);
    // DeZero's diamond: y = (x²)² + (x²)².
    let a = x.square();
    let y = a.square() + a.square();
    assert_eq!((y.item(), y.backward()[x].item()), (32.0, 64.0));
}

#[test]
fn a_step_leaves_parameters_with_one_owner() {
    let mut w = Param::new([1.0, 2.0]);
    let mut tape = Tape::new();
    for _ in 0..3 {
        let (_, gradients, ()) = tape.step(|tape| (tape.param(&w).square().sum(), ()));
        let before = w.value().buffer_id();
        *w.value_mut() = std::mem::replace(w.value_mut(), Tensor::scalar(0.0)) - &gradients[&w] * 0.1;
        assert_eq!(w.value().buffer_id(), before, "the update was not in place");
    }
    assert!((w.value().get([0]) - 0.512).abs() < 1e-6);
}

#[test]
fn a_million_operations_on_a_small_stack() {
    let run = || {
        let tape = Tape::new();
        let x = tape.var(1.0);
        let mut y = x;
        for _ in 0..500_000 {
            y = y * 0.999999 + 1e-9;
        }
        let gradient = y.backward()[x].item();
        assert!((gradient as f64 - 0.999999f64.powi(500_000)).abs() < 0.02, "{gradient}");
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(run).unwrap().join().unwrap();
}

fn message<R>(f: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else { panic!("it did not panic") };
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(|text| text.to_string())).expect("a text")
}

#[test]
fn a_loop_on_a_tape_that_nobody_decided_on_is_refused_where_the_mode_matters() {
    let w = Param::new(Tensor::ones([8]));
    let buffer = Param::buffer(0.0);
    let mut tape = Tape::new();
    let line = line!() + 1;
    let text = message(|| tape.step(|tape| (tape.param(&w).dropout(0.5).sum(), ())));
    let place = format!("step: the layer at {}:{line} works otherwise in training", file!());
    assert!(text.starts_with(&place) && text.contains("Tape::training(seed)"), "{text}");
    assert!(text.contains("Tape::evaluating()"), "{text}");
    message(|| tape.step_with(|tape| (tape.param(&w).dropout(0.5).sum(), Hooks::new(), ())));
    message(|| {
        tape.step(|tape| {
            tape.place().update_buffer(&buffer, 1.0, Tensor::scalar(1.0));
            (tape.param(&w).sum(), ())
        })
    });
    message(|| tape.step(|tape| (tape.param(&w).sum() * (tape.place().is_training() as u8 as f32), ())));
    // What does not ask goes on as ever; a dropout of nothing does not ask.
    let (loss, ..) = tape.step(|tape| (tape.param(&w).dropout(0.0).sum(), ()));
    assert_eq!(loss, 8.0);
    // A sweep of one's own is for derivatives; what would train with them can ask.
    let tape = Tape::new();
    let gradients = tape.param(&w).dropout(0.5).sum().backward();
    assert_eq!(gradients[&w], Tensor::ones([8]));
    assert!(message(|| gradients.check_mode()).starts_with("optimizer: the layer at "));
    let sound = Tape::new().step(|tape| (tape.param(&w).sum(), ())).1;
    sound.check_mode();
    message(|| sound.merge(gradients).check_mode());
}

#[test]
fn decided_tapes_do_what_they_were_made_for() {
    let w = Param::new(Tensor::ones([64]));
    let run = |mut tape: Tape| {
        let (_, gradients, ()) = tape.step(|tape| (tape.param(&w).dropout(0.5).sum(), ()));
        gradients.check_mode();
        gradients[&w].clone()
    };
    assert_eq!(run(Tape::evaluating()), Tensor::ones([64]));
    assert!(run(Tape::training(1)).iter().all(|g| g == 0.0 || g == 2.0));
    assert_ne!(run(Tape::training(1)), run(Tape::training(2)));
    assert!(
        !Tape::evaluating().is_training() && !Tape::new().is_training() && Tape::training(0).is_training()
    );
}

/// Against the sum of the sweeps from each output, and against the gradient of the sum.
#[test]
fn one_sweep_goes_from_several_outputs() {
    let mut rng = Rng::seed(3);
    let mut draw = |shape: &[usize]| Tensor::randn(shape, &mut rng);
    let (x, w, u, v) = (draw(&[4, 3]), draw(&[3, 5]), draw(&[4, 5]), draw(&[4]));
    let tape = Tape::new();
    let (x, w) = (tape.var(x), Param::new(w));
    let h = x.matmul(&tape.param(&w)).tanh();
    let s = (h * h).sum_axes(1, false);
    let both = tape.backward(&[(h, u.clone()), (s, v.clone())]);
    let sum = ((h * tape.constant(&u)).sum() + (s * tape.constant(&v)).sum()).backward();
    let (one, two) = (h.backward_from(u.clone()), s.backward_from(v.clone()));
    for (found, whole, a, b) in
        [(&both[x], &sum[x], &one[x], &two[x]), (&both[&w], &sum[&w], &one[&w], &two[&w])]
    {
        let near = |other: &Tensor| (found - other).abs().max().item() < 1e-5;
        assert!(near(whole) && near(&(a + b)), "{found} is not {whole}");
    }
    // Twice the same output, in any order, and an output below another.
    let twice = tape.backward(&[(s, v.clone()), (x, Tensor::ones([4, 3])), (s, v.clone())]);
    assert!((&twice[x] - (&two[x] * 2.0 + 1.0)).abs().max().item() < 1e-5);

    let other = Tape::new();
    assert_eq!(message(|| tape.backward(&[])), "backward: there are no outputs to begin with");
    assert!(message(|| other.backward(&[(s, v.clone())])).contains("lives on another tape"));
    assert!(
        message(|| tape.backward(&[(s, u)]))
            .starts_with("backward: the cotangent has shape [4, 5], the value ")
    );
}

#[test]
fn anomaly_mode_looks_at_sweeps_from_several_outputs() {
    let tape = Tape::new();
    tape.detect_anomaly(true);
    let x = tape.var([1.0, -1.0]);
    let y = x.sqrt();
    assert!(message(|| tape.backward(&[(y, Tensor::ones([2]))])).contains("NaN was born in the forward"));
}

#[test]
fn the_means_over_labels_say_what_they_were_taken_over() {
    let weights = Some(Tensor::from([0.5, 1.0, 4.0]));
    let labels = Indices::from([0, 2, -100, 2]);
    let of = |loss: &dyn for<'t> Fn(Var<'t>) -> Var<'t>| {
        let tape = Tape::new();
        loss(tape.var(Tensor::zeros([4, 3]))).sum().backward().weight()
    };
    let options = || CrossEntropyOptions {
        ignore_index: Some(-100),
        class_weights: weights.clone(),
        ..Default::default()
    };
    assert_eq!(of(&|x| x.cross_entropy_with(&labels, options())), Some(8.5));
    let nll =
        || NllOptions { ignore_index: Some(-100), class_weights: weights.clone(), ..Default::default() };
    assert_eq!(of(&|x| x.log_softmax(1).nll_loss_with(&labels, nll())), Some(8.5));
    assert_eq!(of(&|x| x.cross_entropy(&Indices::from([0, 1, 2, 0]))), Some(4.0));
    let sum = || CrossEntropyOptions { reduction: Reduction::Sum, ..options() };
    assert_eq!(of(&|x| x.cross_entropy_with(&labels, sum())), None);
    assert_eq!(of(&|x| x.square()), None);
}

thread_local! {
    /// What [`Fragile`] panics in.
    static BREAKS: Cell<&'static str> = const { Cell::new("") };
}

fn touch(part: &'static str) {
    assert!(BREAKS.get() != part, "fragile: broken in its {part}");
}

/// `y = x²`, which breaks where it is told to.
#[derive(Clone, Debug)]
struct Fragile;

impl Op for Fragile {
    const NAME: &'static str = "fragile";
    const FORMULA: &'static str = "y = x²";
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        Ok(Shape::new(inputs[0]).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        touch("forward");
        (inputs[0].square().into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        touch("backward");
        let ([x], g) = (cx.inputs(), cx.cotangent());
        cx.add(0, || g * (x * 2.0));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        vec![inputs[0].map(|x| x * x)]
    }

    fn samples(_: &mut Gen) -> Vec<Sample> {
        vec![]
    }
}

fn fragile<'t>(x: &Var<'t>) -> Var<'t> {
    Value::apply(Fragile, &[x])
}

fn breaking<R>(part: &'static str, f: impl FnOnce() -> R) {
    BREAKS.set(part);
    let text = message(f);
    BREAKS.set("");
    assert_eq!(text, format!("fragile: broken in its {part}"));
}

#[test]
fn a_step_that_panics_leaves_nothing_to_the_next() {
    let (w, mut seen) = (Param::new([1.0, 3.0]), Param::buffer(0.0));
    let mut tape = Tape::training(0);
    for (part, hooked) in [("forward", false), ("backward", false), ("backward", true)] {
        breaking(part, || {
            let f = |tape: &Tape| tape.place().update_buffer(&seen, 1.0, Tensor::scalar(f32::NAN));
            match hooked {
                false => drop(tape.step(|tape| {
                    f(tape);
                    (fragile(&tape.param(&w)).sum(), ())
                })),
                true => drop(tape.step_with(|tape| {
                    f(tape);
                    (fragile(&tape.param(&w)).sum(), Hooks::new(), ())
                })),
            }
        });
        let (loss, gradients, len) = tape.step(|tape| {
            tape.place().update_buffer(&seen, 1.0, Tensor::scalar(1.0));
            let loss = fragile(&tape.param(&w)).sum();
            (loss, tape.len())
        });
        assert_eq!((loss, len), (10.0, 3));
        assert_eq!(gradients[&w].to_vec(), [2.0, 6.0]);
        seen = Param::buffer(0.0);
    }
    breaking("forward", || tape.step(|tape| (fragile(&tape.param(&w)).sum(), ())));
    let (_, gradients, ()) = tape.step(|tape| {
        tape.place().update_buffer(&seen, 1.0, Tensor::scalar(1.0));
        (tape.param(&w).sum(), ())
    });
    gradients.update_buffer(&mut seen);
    assert_eq!(seen.value().item(), 1.0);
}

#[test]
fn a_hook_that_panics_leaves_the_tape_as_it_was() {
    let w = Param::new([1.0, 3.0]);
    let mut tape = Tape::new();
    message(|| {
        tape.step_with(|tape| {
            let h = fragile(&tape.param(&w));
            (h.sum(), Hooks::new().read(h, |_| panic!("a hook")), ())
        })
    });
    let (_, gradients, ()) = tape.step(|tape| (fragile(&tape.param(&w)).sum(), ()));
    assert_eq!(gradients[&w].to_vec(), [2.0, 6.0]);
}

#[test]
fn sweeps_after_one_that_panicked_find_every_step() {
    let tape = Tape::new();
    let x = tape.var([1.0, 3.0]);
    let plain = fragile(&x).sum();
    let within = tape.place().checkpoint(|| fragile(&x).exp()).sum();
    for loss in [plain, within] {
        let expected = loss.backward()[x].clone();
        breaking("backward", || loss.backward());
        breaking("backward", || loss.grad(&[x]));
        assert_eq!(loss.grad(&[x])[0].expect("the step is there").value(), expected);
        assert_eq!(loss.backward()[x], expected);
    }
    // A checkpoint runs the forward again, which may panic too.
    let expected = within.backward()[x].clone();
    breaking("forward", || within.backward());
    breaking("forward", || within.grad(&[x]));
    assert_eq!(within.backward()[x], expected);
}
