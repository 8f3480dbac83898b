//! IDX as it is or gzipped, and as the images of MNIST.
#![no_main]

use flate2::{Compression, write::GzEncoder};
use gradus::nn::data::{idx, mnist};
use gradus_fuzz::{Limit, split, within};
use libfuzzer_sys::fuzz_target;
use std::{fs, io::Write};

fuzz_target!(|data: &[u8]| {
    let Some((how, rest)) = split(data) else { return };
    let zipped;
    let (limit, file) = match how % 2 {
        0 if rest.first() != Some(&0x1f) => (Limit::Plain, rest),
        0 => (Limit::Packed, rest),
        _ => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(rest).expect("in memory");
            zipped = encoder.finish().expect("in memory");
            (Limit::Packed, &zipped[..])
        }
    };
    let read = within(limit, file, |path| {
        let dir = path.parent().expect("it lies in one").to_owned();
        fs::copy(path, dir.join("train-images-idx3-ubyte")).expect("can be written");
        fs::write(dir.join("train-labels-idx1-ubyte"), [0, 0, 8, 1, 0, 0, 0, 2, 1, 7])
            .expect("can be written");
        let _ = mnist::load_train(&dir);
        idx::read(path)
    });
    if let Ok(read) = read {
        assert_eq!(read.shape.iter().product::<usize>(), read.elements.len());
    }
});
