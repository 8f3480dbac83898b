//! Whether the recorded forward is that of the references, which the checks of gradients rest on.

use super::report::Blame;
use crate::{
    op::{
        Precision,
        reference::{Array, Branches, unflatten},
    },
    replay::largest,
    tape::var::Var,
};

/// How many times further off than its stated precision a result may be.
const SAFETY: f64 = 8.0;

/// An operation whose result is not that of its reference.
pub(super) struct WrongForward {
    /// Its node.
    pub(super) id: usize,
    pub(super) blame: Blame,
}

/// The operations up to an output whose recorded results are further from their references, at the recorded inputs, than the
/// precision that they state.
pub(super) fn wrong_forwards(output: Var<'_>) -> Vec<WrongForward> {
    output.tape().provide_all();
    let nodes = output.tape().nodes.read();
    let mut found = Vec::new();
    for (id, node) in nodes.iter().enumerate().take(output.id() as usize + 1) {
        let Some(step) = &node.step else { continue };
        let inputs: Vec<Array> =
            node.inputs.iter().map(|&i| Array::from(nodes[i as usize].value())).collect();
        let exact = step.reference(&inputs.iter().collect::<Vec<_>>(), &mut Branches::recording());
        let term: f64 = inputs.iter().take(2).map(|x| largest(x).max(1.0)).product();
        for (k, exact) in exact.iter().enumerate() {
            let Some(recorded) = &nodes[id + k].value else { continue };
            // Of the largest in any case: a number in the operation may have been rounded to f32, and cancel.
            let (Precision::Ulps(ulps) | Precision::UlpsOfLargest(ulps)) = step.precision();
            let allowed = SAFETY * ulps.max(1.0) * ulp(term.max(largest(exact)));
            let is_wrong = |(found, exact): &(f64, f64)| {
                let equal = *found == f64::from(*exact as f32) || found.is_nan() && exact.is_nan();
                !(equal || (found - exact).abs() <= allowed)
            };
            let pairs = || recorded.iter().map(f64::from).zip(exact.data().iter().copied());
            let Some(at) = pairs().position(|pair| is_wrong(&pair)) else { continue };
            let (found_there, right) = pairs().nth(at).unwrap_or_default();
            let blame = Blame {
                op: step.name(),
                attributes: step.describe(),
                line: format!("{}:{}", node.location.file(), node.location.line()),
                input: 0,
                shape: exact.shape().to_vec(),
                worst: unflatten(at, exact.shape()),
                found: found_there,
                right,
                pattern: None,
            };
            found.push(WrongForward { id, blame });
            break;
        }
    }
    found
}

/// The distance between f32s around a number.
fn ulp(x: f64) -> f64 {
    (x.abs().max(f32::MIN_POSITIVE.into()).log2().floor() - 23.0).exp2()
}
