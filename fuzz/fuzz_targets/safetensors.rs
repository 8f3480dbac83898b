//! Files of safetensors: tensors, their text, and weights of a model, which stays as it was when they are refused.
#![no_main]

use gradus::{
    nn::{flatten, load, load_metadata, load_tensors},
    prelude::*,
};
use gradus_fuzz::{Limit, within};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // What torch.save writes has limits of its own and a target of its own.
    if data.starts_with(b"PK") || data.first() == Some(&0x80) {
        return;
    }
    within(Limit::Plain, data, |path| {
        let _ = load_tensors(path);
        let _ = load_metadata(path);
        let mut net = Linear::new(2, 3, &mut Rng::seed(0));
        let before = flatten(&net);
        if load(&mut net, path).is_err() {
            assert_eq!(flatten(&net), before);
        }
    });
});
