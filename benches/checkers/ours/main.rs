//! Puts the faults and the right models before gradus's checkers and the crate `gradcheck`.
//!
//!     cargo run --release --manifest-path benches/checkers/Cargo.toml [-- --list]

mod models;
#[path = "../../../crates/autograd/tests/planted/mod.rs"]
mod planted;

use gradcheck::{Backend, Config, Verdict as Theirs, compare, numerical_gradient};
use gradus_autograd::{
    check::{self, gradcheck},
    exact,
    op::prelude::*,
    prelude::*,
};
use gradus_check::{Verdict, check_gradient};
use models::Model;
use planted::{FUNCTIONS, Planted, Row, faults, point, uniform};
use std::time::Instant;

/// What a checker says of a gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    Right,
    Wrong,
    /// It cannot tell.
    Unsure,
}

/// A gradient to be checked.
struct Case {
    name: String,
    inputs: Vec<Tensor>,
    what: What,
    is_right: bool,
    is_at_kink: bool,
}

enum What {
    Planted(Row),
    Model(Model),
}

fn main() {
    let is_listed = std::env::args().any(|argument| argument == "--list");
    let cases = cases();
    println!(
        "| checker | found / planted | alarms / right | alarms at kinks | cannot tell | seconds |\n|---|---|---|---|---|---|"
    );
    let checkers: [(&str, fn(&Case) -> Said); 3] =
        [("crate gradcheck", by_the_crate), ("gradus-check", by_values), ("gradus gradcheck", by_recording)];
    for (name, checker) in checkers {
        let start = Instant::now();
        let said: Vec<Said> = cases.iter().map(checker).collect();
        let seconds = start.elapsed().as_secs_f64();
        // How many of some cases are called wrong.
        let wrong = |which: &dyn Fn(&Case) -> bool| {
            let chosen = cases.iter().zip(&said).filter(|(case, _)| which(case));
            let wrong = chosen.clone().filter(|(_, said)| **said == Said::Wrong).count();
            format!("{wrong} / {}", chosen.count())
        };
        println!(
            "| {name} | {} | {} | {} | {} | {seconds:.1} |",
            wrong(&|case| !case.is_right),
            wrong(&|case| case.is_right && !case.is_at_kink),
            wrong(&|case| case.is_right && case.is_at_kink),
            said.iter().filter(|said| **said == Said::Unsure).count(),
        );
        for (case, said) in cases.iter().zip(&said).filter(|_| is_listed) {
            let expected = if case.is_right { Said::Right } else { Said::Wrong };
            if *said != expected {
                println!("    {}: {said:?}, is {expected:?}", case.name);
            }
        }
    }
}

fn cases() -> Vec<Case> {
    let wrong = faults().into_iter().map(|row| (row, false));
    let right = FUNCTIONS.iter().map(|(name, ..)| (Row::right(name), true));
    let planted = wrong.chain(right).map(|(row, is_right)| Case {
        name: format!("{}, input {}: {} {:?}", row.function, row.input, row.fault, row.numbers),
        inputs: point(&row.function),
        is_at_kink: row.function == "ties",
        what: What::Planted(row),
        is_right,
    });
    let models = models::all().into_iter().map(|(name, inputs, model)| Case {
        name: name.into(),
        inputs,
        is_right: true,
        is_at_kink: model.over_kinks.is_some(),
        what: What::Model(model),
    });
    planted.chain(models).collect()
}

/// The gradus checker of recorded programs, in f32 with references in f64.
fn by_recording(case: &Case) -> Said {
    let report = match &case.what {
        What::Planted(row) => {
            gradcheck(|x| Var::apply(Planted(row.clone()), &x.iter().collect::<Vec<_>>()), &case.inputs)
        }
        What::Model(model) => gradcheck(model.f, &case.inputs),
    };
    let is_unsure = |verdict| matches!(verdict, check::Verdict::Inconclusive | check::Verdict::Noisy);
    match () {
        _ if report.passed() => Said::Right,
        _ if report.broken.is_empty() && report.failures().all(|row| is_unsure(row.verdict)) => Said::Unsure,
        _ => Said::Wrong,
    }
}

/// One number of all inputs, its gradient in f64, and the point.
struct Scalar<'a> {
    value: Box<dyn Fn(&[f64]) -> f64 + 'a>,
    gradient: Vec<f64>,
    x: Vec<f64>,
}

/// Inputs one after the other.
fn split(x: &[f64], inputs: &[Tensor]) -> Vec<Array> {
    let mut rest = x;
    let part = |like: &Tensor| {
        let (first, others) = rest.split_at(like.numel());
        rest = others;
        Array::new(first.to_vec(), like.shape())
    };
    inputs.iter().map(part).collect()
}

fn scalar(case: &Case, run: impl FnOnce(&Scalar<'_>) -> Said) -> Said {
    let x: Vec<f64> = case.inputs.iter().flat_map(|x| x.iter()).map(f64::from).collect();
    let tape = Tape::new();
    let vars: Vec<Var<'_>> = case.inputs.iter().map(|x| tape.var(x)).collect();
    let loss = match &case.what {
        What::Planted(row) => {
            let y = Var::apply(Planted(row.clone()), &vars.iter().collect::<Vec<_>>());
            (y * tape.constant(uniform(7, &y.shape()))).sum()
        }
        What::Model(model) => (model.f)(&vars),
    };
    let arrays = split(&x, &case.inputs);
    let moved = |arrays: &[Array]| vars.iter().copied().zip(arrays.iter().cloned()).collect::<Vec<_>>();
    let (_, gradients) = exact::at(loss, &moved(&arrays));
    let gradient = gradients.iter().flat_map(|gradient| gradient.data()).copied().collect();
    let exact = std::cell::RefCell::new(tape.exact());
    let value: Box<dyn Fn(&[f64]) -> f64> = match &case.what {
        What::Planted(row) => Box::new(|x| {
            let arrays = split(x, &case.inputs);
            let y = Planted(row.clone())
                .reference(&arrays.iter().collect::<Vec<_>>(), &mut Branches::recording());
            let weights = uniform(7, y[0].shape());
            y[0].data().iter().zip(weights.iter()).map(|(y, weight)| y * f64::from(weight)).sum()
        }),
        What::Model(Model { over_kinks: Some(f), .. }) => Box::new(*f),
        // Without kinks the replay of the recording is the function itself.
        What::Model(_) => Box::new(|x| {
            let mut exact = exact.borrow_mut();
            exact.move_to(&moved(&split(x, &case.inputs)));
            exact.of(loss).data()[0]
        }),
    };
    run(&Scalar { value, gradient, x })
}

/// The gradus checker of anybody's gradients: numbers in f64.
fn by_values(case: &Case) -> Said {
    scalar(case, |Scalar { value, gradient, x }| {
        let report = check_gradient(value, x, &gradient[..]);
        match report.verdict {
            _ if report.passed() => Said::Right,
            Verdict::Wrong => Said::Wrong,
            _ if report.broken.is_some() => Said::Wrong,
            _ => Said::Unsure,
        }
    })
}

/// Slices for the crate `gradcheck`.
struct Slices;

impl Backend for Slices {
    type Tensor = Vec<f64>;

    fn name() -> &'static str {
        "slices"
    }

    fn from_slice(data: &[f64], _: &[usize]) -> Vec<f64> {
        data.to_vec()
    }

    fn to_vec(x: &Vec<f64>) -> Vec<f64> {
        x.clone()
    }

    fn forward_sum(f: &dyn Fn(Vec<f64>) -> Vec<f64>, x: &Vec<f64>) -> f64 {
        f(x.clone()).iter().sum()
    }

    fn analytic_grad(_: &dyn Fn(Vec<f64>) -> Vec<f64>, _: &Vec<f64>) -> Vec<f64> {
        unreachable!("the gradient is given")
    }
}

fn by_the_crate(case: &Case) -> Said {
    scalar(case, |Scalar { value, gradient, x }| {
        let settings = Config::f64_defaults();
        let (step, precision) = (settings.step, settings.precision);
        let numeric = numerical_gradient::<Slices, _>(&|x| vec![value(&x)], x, &[x.len()], step, precision);
        let report = compare(&case.name, "slices", &[x.len()], gradient.clone(), numeric, &settings);
        match report.verdict {
            _ if report.passed() => Said::Right,
            Theirs::Unchecked(_) => Said::Unsure,
            _ => Said::Wrong,
        }
    })
}
