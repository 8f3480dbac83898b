//! What must hold of any computation and its backward pass, whatever the numbers.

use crate::{
    op::reference::unflatten,
    sweep::{Rule, gradients::Gradients},
    tape::var::Var,
};
use gradus_tensor::Tensor;

/// Gradients that are smaller may have lost digits on the way among numbers that f32 cannot hold.
const UNDERFLOW: f32 = 1e-30;

/// A sentence if the output is not finite: where the first such value came from.
pub(super) fn not_finite(output: Var<'_>) -> Option<String> {
    let infinite = |x: &Tensor| x.iter().position(|x| !x.is_finite());
    infinite(&output.value())?;
    output.tape().provide_all();
    let nodes = output.tape().nodes.read();
    let origin = nodes.iter().take(output.id() as usize + 1).find_map(|node| {
        // Inside a checkpoint values are gone: there the origin is the checkpoint's result.
        let x = node.value.as_ref()?;
        let at = infinite(x)?;
        let what = node.step.as_ref().map_or("an input", |step| step.name());
        let value = x.iter().nth(at)?;
        let finite = |i: usize| nodes[i].value.as_ref().is_none_or(|x| infinite(x).is_none());
        let finite_inputs = node.inputs.iter().all(|&i| finite(i as usize));
        finite_inputs.then(|| (what, node.location, value, unflatten(at, x.shape())))
    });
    let (what, line, value, index) = origin?;
    Some(format!(
        "the output is not finite; it begins with {what} at {}:{}, which has {value} at {index:?}",
        line.file(),
        line.line()
    ))
}

/// A sentence if a function gave something else the second time.
pub(super) fn differs(first: &Tensor, second: &Tensor) -> Option<String> {
    if first.shape() != second.shape() {
        return Some(format!(
            "the function is not the same twice: its output has shape {}, then {}",
            first.shape(),
            second.shape()
        ));
    }
    let at = (0..first.numel())
        .zip(first.iter().zip(second.iter()))
        .find(|(_, (a, b))| a.to_bits() != b.to_bits());
    let (at, (a, b)) = at?;
    Some(format!(
        "the function is not the same twice: its output is {a:e}, then {b:e} at {:?}; seed what is random in it",
        unflatten(at, first.shape())
    ))
}

/// Sentences about a backward pass that is not linear in the cotangent, not zero for zero, not the same twice, or that
/// changes what was recorded.
pub(super) fn violations(output: Var<'_>, cotangent: &Tensor, named: &[(String, Var<'_>)]) -> Vec<String> {
    let before = fingerprint(output);
    let sweep = |factor: f32| output.sweep(cotangent * factor, Rule::Fused, false);
    let (once, again, double, zero) = (sweep(1.0), sweep(1.0), sweep(-2.0), sweep(0.0));
    let mut broken = Vec::new();
    for (name, var) in named {
        let get = |gradients: &Gradients| gradients.get(*var).cloned();
        let Some(gradient) = get(&once) else { continue };
        let same = |other: Option<Tensor>, factor: f32, least: f32| {
            let other = other.unwrap_or_else(|| Tensor::zeros(gradient.shape()));
            // Products that are too small or too large for f32 are no sign of anything, nor what sums of them lost on the way.
            let fits = |a: f32, b: f32| {
                a * factor == b || (a * factor - b).abs() < least || !(a * factor).is_finite()
            };
            other.shape() == gradient.shape() && gradient.iter().zip(other.iter()).all(|(a, b)| fits(a, b))
        };
        if !same(get(&again), 1.0, 0.0) {
            broken.push(format!("the gradient of {name} is not the same in a second sweep"));
        }
        if !same(get(&double), -2.0, UNDERFLOW) {
            broken.push(format!(
                "the gradient of {name} is not linear in the cotangent: -2 times the cotangent does not give -2 times it"
            ));
        }
        if get(&zero).is_some_and(|zero| zero.iter().any(|x| x != 0.0)) {
            broken.push(format!("the gradient of {name} is not exactly zero for a zero cotangent"));
        }
    }
    if fingerprint(output) != before {
        broken.push("the backward pass changes recorded values".into());
    }
    broken
}

/// Bits of all recorded values up to the output that are still there, mixed (FNV-1a).
fn fingerprint(output: Var<'_>) -> u64 {
    output.tape().provide_all();
    let nodes = output.tape().nodes.read();
    let values = nodes
        .iter()
        .take(output.id() as usize + 1)
        .filter_map(|node| node.value.as_ref())
        .flat_map(Tensor::iter);
    values
        .fold(0xcbf2_9ce4_8422_2325, |hash, x| (hash ^ u64::from(x.to_bits())).wrapping_mul(0x100_0000_01b3))
}
