//! Files of `torch.save`: as they are, or the pickle of one, put into an archive with two storages.
#![no_main]

use gradus::nn::load_tensors;
use gradus_fuzz::{Limit, archive, split, within};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((how, rest)) = split(data) else { return };
    let storage: Vec<u8> = (0..64).collect();
    let of_pickle;
    let file = match how % 2 {
        0 => rest,
        _ => {
            let entries: [(&str, &[u8]); 4] = [
                ("a/data.pkl", rest),
                ("a/byteorder", b"little"),
                ("a/data/0", &storage),
                ("a/data/1", &storage),
            ];
            of_pickle = archive(&entries, false);
            &of_pickle
        }
    };
    within(Limit::Packed, file, |path| {
        let _ = load_tensors(path);
    });
});
