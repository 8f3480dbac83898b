//! Laws under stress: cotangents that training sends and tests seldom do, and every choice of wanted inputs.

use super::{Outcome, equal, near, one_by_one};
use crate::{
    op::{
        examples::{Gen, Sample},
        reference::Array,
    },
    replay::largest,
    sweep::Rule,
    tape::{Tape, var::Var},
};
use gradus_tensor::Tensor;
use std::panic::Location;

/// What cotangents of the usual size are multiplied with: powers of two, which change no digit.
const POWERS: [i32; 2] = [-30, 30];
/// Of how many inputs at most all choices are tried.
const MOST_INPUTS: usize = 5;

/// Gradients by output, then by input.
type Gradients = Vec<Vec<Option<Tensor>>>;

pub(super) fn stress(
    sample: &Sample,
    cotangents: &[Tensor],
    all: &[Option<Tensor>],
    term: f64,
    g: &mut Gen,
) -> Outcome {
    // Gradients are sums over the cotangent, of which the parts may cancel.
    let factor: f64 = sample.inputs.iter().map(|x| largest(&Array::from(x)).max(1.0)).product();
    let sum: f64 = cotangents.iter().flat_map(Tensor::iter).map(|g| f64::from(g.abs())).sum();
    let term = term.max(factor * sum);
    for rule in [Rule::OfRecord, Rule::Fused] {
        let run = |cotangents: &[Tensor]| one_by_one(sample, &sample.inputs, cotangents, rule);
        let once = run(cotangents);
        outputs_alone(&once, all, term)?;
        parts(cotangents, &once, term, g, run)?;
        constants(cotangents, term, run)?;
        powers(cotangents, &once, run)?;
    }
    wanted_together(sample, cotangents)
}

/// What the outputs send back one by one adds up to what they send together.
fn outputs_alone(once: &Gradients, all: &[Option<Tensor>], term: f64) -> Outcome {
    for (i, all) in all.iter().enumerate() {
        let sum = once.iter().filter_map(|gradients| gradients[i].clone()).reduce(|a, b| a + b);
        near_or_zero(sum.as_ref(), all.as_ref(), term)
            .map_err(|e| ("outputs send back alone what they send together", format!("input {i}: {e}")))?;
    }
    Ok(())
}

/// One element of a cotangent, and all others, add up to the whole.
fn parts(
    cotangents: &[Tensor],
    once: &Gradients,
    term: f64,
    g: &mut Gen,
    run: impl Fn(&[Tensor]) -> Gradients,
) -> Outcome {
    let one: Vec<Tensor> = cotangents
        .iter()
        .map(|cotangent| {
            let at = g.rng().below(cotangent.numel().max(1));
            let kept = cotangent.iter().enumerate().map(|(i, x)| if i == at { x } else { 0.0 });
            Tensor::new(kept.collect::<Vec<f32>>(), cotangent.shape())
        })
        .collect();
    let rest: Vec<Tensor> = cotangents.iter().zip(&one).map(|(all, one)| all - one).collect();
    let (one, rest) = (run(&one), run(&rest));
    each(once, |k, i| {
        let sum = match (&one[k][i], &rest[k][i]) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.clone().or(b.clone()),
        };
        near_or_zero(sum.as_ref(), once[k][i].as_ref(), term)
            .map_err(|e| ("parts of a cotangent send back what the whole does", e))
    })
}

/// A cotangent of equal elements, and one that is a single number in memory: what sums send back.
fn constants(cotangents: &[Tensor], term: f64, run: impl Fn(&[Tensor]) -> Gradients) -> Outcome {
    let full: Vec<Tensor> = cotangents.iter().map(|c| Tensor::full(c.shape(), 0.75)).collect();
    let expanded: Vec<Tensor> =
        cotangents.iter().map(|c| Tensor::scalar(0.75).broadcast_to(c.shape())).collect();
    let (full, expanded) = (run(&full), run(&expanded));
    each(&full, |k, i| {
        near(expanded[k][i].as_ref(), full[k][i].as_ref(), term)
            .map_err(|e| ("a cotangent of stride 0 sends back what a full one does", e))
    })
}

/// A power of two times the cotangent sends back that times the gradient.
fn powers(cotangents: &[Tensor], once: &Gradients, run: impl Fn(&[Tensor]) -> Gradients) -> Outcome {
    for power in POWERS {
        let factor = 2f32.powi(power);
        let scaled: Vec<Tensor> = cotangents.iter().map(|c| c * factor).collect();
        let scaled = run(&scaled);
        each(once, |k, i| {
            let back = scaled[k][i].as_ref().map(|gradient| gradient * (1.0 / factor));
            equal(back.as_ref(), once[k][i].as_ref()).map_err(|e| {
                (
                    "the backward is linear in the cotangent, however large it is",
                    format!("times 2^{power}: {e}"),
                )
            })
        })?;
    }
    Ok(())
}

/// Every choice of several inputs gets what all get.
fn wanted_together(sample: &Sample, cotangents: &[Tensor]) -> Outcome {
    let n = sample.inputs.len();
    if !(3..=MOST_INPUTS).contains(&n) {
        return Ok(()); // each alone, and all, are tried elsewhere
    }
    let gradients = |wanted: usize| -> Gradients {
        let tape = Tape::of_check();
        let place = |(i, x): (usize, &Tensor)| match wanted >> i & 1 {
            1 => tape.var(x.clone()),
            _ => tape.constant(x.clone()),
        };
        let inputs: Vec<Var<'_>> = sample.inputs.iter().enumerate().map(place).collect();
        let references: Vec<&Var<'_>> = inputs.iter().collect();
        let (_, first, _) = Tape::try_record_step(sample.step.fresh(), &references, Location::caller())
            .expect("the shape rule accepted these inputs before");
        let sweep = |(k, cotangent): (usize, &Tensor)| {
            let found = Var::new(&tape, first + k as u32).sweep(cotangent.clone(), Rule::Fused, false);
            let get = |(i, &x): (usize, &Var<'_>)| (wanted >> i & 1 == 1).then(|| found.get(x).cloned())?;
            inputs.iter().enumerate().map(get).collect()
        };
        cotangents.iter().enumerate().map(sweep).collect()
    };
    let all = gradients((1 << n) - 1);
    for wanted in (1..(1usize << n) - 1).filter(|wanted| wanted.count_ones() > 1) {
        let some = gradients(wanted);
        each(&all, |k, i| match wanted >> i & 1 {
            0 => Ok(()),
            _ => equal(some[k][i].as_ref(), all[k][i].as_ref())
                .map_err(|e| ("a gradient does not depend on which others are wanted", e)),
        })?;
    }
    Ok(())
}

/// Runs a law for every output and input.
fn each(gradients: &Gradients, law: impl Fn(usize, usize) -> Result<(), (&'static str, String)>) -> Outcome {
    for (k, gradients) in gradients.iter().enumerate() {
        for i in 0..gradients.len() {
            law(k, i).map_err(|(law, e)| (law, format!("output {k}, input {i}: {e}")))?;
        }
    }
    Ok(())
}

/// [`near`], where no gradient is as good as zeros.
fn near_or_zero(a: Option<&Tensor>, b: Option<&Tensor>, term: f64) -> Result<(), String> {
    match (a, b) {
        (Some(x), None) | (None, Some(x)) => near(Some(x), Some(&Tensor::zeros(x.shape())), term),
        _ => near(a, b, term),
    }
}
