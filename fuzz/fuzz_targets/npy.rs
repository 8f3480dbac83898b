//! Arrays of NumPy.
#![no_main]

use gradus::nn::data::npy;
use gradus_fuzz::{Limit, within};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let read = within(Limit::Plain, data, |path| npy::read(path));
    if let Ok(tensor) = read {
        assert!(tensor.numel() <= data.len());
    }
});
