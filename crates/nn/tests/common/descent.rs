//! What several tests follow optimizers on.

use gradus_autograd::prelude::*;
use gradus_nn::Optimizer;

/// The weights of the first steps on w², from 1.
pub(crate) fn descend(mut optimizer: impl Optimizer, steps: usize) -> Vec<f64> {
    let (mut w, mut tape) = (Param::new(1.0), Tape::new());
    (0..steps)
        .map(|_| {
            let (_, gradients, ()) = tape.step(|tape| (tape.param(&w).square(), ()));
            optimizer.step(&mut w, &gradients);
            w.value().item().into()
        })
        .collect()
}
