//! Workloads of whole training steps.

use super::workload::Workload;
use gradus::prelude::*;

pub(crate) fn workloads() -> Vec<Workload> {
    vec![Workload::new("adam_step_1M", || {
        let mut rng = Rng::seed(0);
        let mut param = Param::new(Tensor::randn([1 << 20], &mut rng));
        let gradient = Tensor::randn([1 << 20], &mut rng);
        let (_, gradients, ()) =
            Tape::new().step(|tape| ((tape.param(&param) * tape.constant(gradient)).sum(), ()));
        let mut adam = Adam::new(1e-3);
        move || adam.step(&mut param, &gradients)
    })]
}
