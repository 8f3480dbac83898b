//! Images. (The decoder leaves out checksums while it is fuzzed.)
#![no_main]

use gradus::nn::data::images;
use gradus_fuzz::{Limit, within};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let read = within(Limit::Packed, data, |path| images::read(path));
    if let Ok(image) = read {
        assert!(image.rank() == 3 && image.iter().all(|x| (0.0..=1.0).contains(&x)));
    }
});
