//! Whether the recorded forward is that of the references, which the checks of gradients rest on.

use super::{laws::is_within, report::Blame};
use crate::{
    op::{
        Precision,
        reference::{Branches, unflatten},
    },
    replay::{largest, recorded_inputs},
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
        let inputs = recorded_inputs(&nodes, node);
        let exact = step.reference(&inputs.iter().collect::<Vec<_>>(), &mut Branches::recording());
        let term: f64 = inputs.iter().take(2).map(|x| largest(x).max(1.0)).product();
        for (k, exact) in exact.iter().enumerate() {
            let Some(recorded) = &nodes[id + k].value else { continue };
            let term = term.max(largest(exact));
            // Of the largest in any case: a number in the operation may have been rounded to f32, and cancel.
            let (Precision::Ulps(ulps) | Precision::UlpsOfLargest(ulps)) = step.precision();
            let precision = Precision::UlpsOfLargest(SAFETY * ulps.max(1.0));
            // What f32 cannot hold may be added up to either infinity, or to none.
            let overflows = term > f64::from(f32::MAX);
            let is_wrong = |(found, exact): &(f64, f64)| {
                !(is_within(precision, term, *found, *exact) || overflows && !found.is_finite())
            };
            let pairs = || recorded.iter().map(f64::from).zip(exact.data().iter().copied());
            let Some(at) = pairs().position(|pair| is_wrong(&pair)) else { continue };
            let (found_there, right) = pairs().nth(at).unwrap_or_default();
            let blame = Blame {
                op: step.name(),
                attributes: step.describe(),
                line: format!("{}:{}", node.location.file(), node.location.line()),
                input: None,
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
