//! Checkpoints: a state from a file, and a run that goes on from it or stays as it was.
#![no_main]

use gradus::{
    nn::{State, flatten, train::KeepBest},
    prelude::*,
};
use gradus_fuzz::{Limit, within};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    within(Limit::Plain, data, |path| {
        let Ok(state) = State::load(path) else { return };
        let mut net = Linear::new(2, 3, &mut Rng::seed(0));
        let mut trainer = Trainer::new(Adam::new(0.01), 2, 0);
        let before = trainer.state(&net);
        match trainer.restore(&state, &mut net) {
            Ok(()) => {
                // As a text, for numbers that are not equal to themselves.
                let of = |state: &State| format!("{:?}", (state.get::<u64>("steps"), state.rng("rng")));
                assert_eq!(of(&trainer.state(&net)), of(&state));
            }
            Err(_) => {
                assert_eq!(trainer.state(&net), before);
                assert_eq!(flatten(&net), flatten(&Linear::new(2, 3, &mut Rng::seed(0))));
            }
        }
        let _ = KeepBest::least("loss").restore(&state.part("best"));
    });
});
