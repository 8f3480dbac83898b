//! Archives of arrays: as they are, or an array that is put into one, stored or compressed; and the book's weights from them.
#![no_main]

use gradus::nn::{book, data::npy::npz};
use gradus::prelude::*;
use gradus_fuzz::{Limit, archive, split, within};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((how, rest)) = split(data) else { return };
    let of_array;
    let file = match how % 3 {
        0 => rest,
        how => {
            of_array = archive(&[("W1.npy", rest), ("b1.npy", rest)], how == 2);
            &of_array
        }
    };
    within(Limit::Packed, file, |path| {
        let _ = npz::read_array(path, "b1");
        if let Ok(arrays) = npz::read(path) {
            let mut net = Linear::new(2, 3, &mut Rng::seed(0));
            let _ = book::load_state_dict(&mut net, arrays);
        }
    });
});
