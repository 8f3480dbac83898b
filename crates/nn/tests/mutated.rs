//! Good files of every format with bytes changed, put in, taken out, and cut short: an error or numbers, never a panic, and a
//! model that stays as it was. A long run: `PROPTEST_CASES=1000000 cargo test -p gradus-nn --all-features --test suite mutated`.

use gradus_autograd::prelude::*;
use gradus_nn::{
    Adam, DataError, Linear, State,
    data::{csv, idx, npy},
    flatten, load, load_tensors, save_tensors,
    train::{History, Trainer},
};
use gradus_tensor::Rng;
use proptest::prelude::*;
use std::{fs, path::Path, sync::LazyLock};

use crate::training::{cross_entropy, flat_digits};

type Read = fn(&Path) -> Result<(), DataError>;

/// A format's reader, and good files.
struct Format {
    name: &'static str,
    read: Read,
    files: Vec<Vec<u8>>,
}

fn golden(extension: &str) -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/files");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    let files: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(!files.is_empty(), "no {extension}");
    files
}

fn net() -> Linear {
    Linear::new(64, 10, &mut Rng::seed(1))
}

/// What a file that is refused must not change.
fn unchanged(net: &Linear) {
    assert_eq!(flatten(net), flatten(&self::net()));
}

fn weights(path: &Path) -> Result<(), DataError> {
    let mut net = net();
    if load(&mut net, path).is_err() {
        unchanged(&net);
    }
    load_tensors(path).map(drop)
}

fn checkpoint(path: &Path) -> Result<(), DataError> {
    let state = State::load(path)?;
    let (mut net, mut trainer) = (net(), Trainer::new(Adam::new(0.01), 600, 9));
    let before = trainer.state(&net);
    if trainer.restore(&state, &mut net).is_err() {
        unchanged(&net);
        assert_eq!(trainer.state(&net), before);
    }
    let _ = History::from_csv(&state.get::<String>("history").unwrap_or_default());
    Ok(())
}

static FORMATS: LazyLock<Vec<Format>> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let named = [("weight", Tensor::ones([64, 10])), ("bias", Tensor::ones([10]))];
    save_tensors(&path, named.iter().map(|(name, tensor)| (name.to_string(), tensor)), "text").unwrap();
    let mut safetensors = golden("safetensors");
    safetensors.push(fs::read(&path).unwrap());

    let (train, _) = flat_digits();
    let (mut net, trainer) = (net(), Trainer::new(Adam::new(0.01), 600, 9));
    let steps = std::cell::Cell::new(0);
    let mut trainer = trainer.stop_when(move || {
        steps.set(steps.get() + 1);
        steps.get() == 5
    });
    trainer.fit(&mut net, &train, 3, cross_entropy, &mut []);
    trainer.state(&net).save(&path).unwrap();
    let state = fs::read(&path).unwrap();

    let images =
        [&[0u8, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2][..], &[0, 255, 7, 8, 1, 2, 3, 4]].concat();
    let mut formats = vec![
        Format { name: "safetensors", read: weights, files: safetensors },
        Format { name: "state", read: checkpoint, files: vec![state] },
        Format { name: "npy", read: |path| npy::read(path).map(drop), files: golden("npy") },
        Format {
            name: "csv",
            read: |path| csv::read(path).map(drop),
            files: [golden("csv"), golden("gz")].concat(),
        },
        Format { name: "idx", read: |path| idx::read(path).map(drop), files: vec![images] },
    ];
    #[cfg(feature = "npz")]
    formats.push(Format { name: "npz", read: |path| npy::npz::read(path).map(drop), files: golden("npz") });
    #[cfg(feature = "pt")]
    formats.push(Format { name: "pt", read: weights, files: [golden("pt"), golden("pth")].concat() });
    #[cfg(feature = "png")]
    formats.push(Format {
        name: "png",
        read: |path| gradus_nn::data::images::read(path).map(drop),
        files: golden("png"),
    });
    formats
});

/// What is done to a file.
#[derive(Clone, Debug)]
enum Damage {
    Change(prop::sample::Index, u8),
    Flip(prop::sample::Index, u8),
    /// A number of four bytes, as sizes are, of those that overflow.
    Number(prop::sample::Index, u32),
    PutIn(prop::sample::Index, Vec<u8>),
    TakeOut(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    CutOff(prop::sample::Index),
}

impl Damage {
    fn to(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let len = bytes.len();
        let range = |at: &prop::sample::Index, n: usize| {
            let at = at.index(len);
            at..(at + n).min(len)
        };
        match self {
            Damage::Change(at, value) => bytes[at.index(len)] = *value,
            Damage::Flip(at, bit) => bytes[at.index(len)] ^= 1 << (bit % 8),
            Damage::Number(at, value) => {
                let range = range(at, 4);
                let n = range.len();
                bytes[range].copy_from_slice(&value.to_le_bytes()[..n]);
            }
            Damage::PutIn(at, new) => drop(bytes.splice(range(at, 0), new.iter().copied())),
            Damage::TakeOut(at, n) => drop(bytes.drain(range(at, *n))),
            Damage::Repeat(at, n) => bytes.extend_from_within(range(at, *n)),
            Damage::CutOff(at) => bytes.truncate(at.index(len)),
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    let number = prop::sample::select(vec![0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX, 0x0100_0000]);
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, value)| Damage::Change(at, value)),
        2 => (at(), any::<u8>()).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        2 => (at(), number).prop_map(|(at, value)| Damage::Number(at, value)),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, new)| Damage::PutIn(at, new)),
        1 => (at(), 1usize..40).prop_map(|(at, n)| Damage::TakeOut(at, n)),
        1 => (at(), 1usize..400).prop_map(|(at, n)| Damage::Repeat(at, n)),
        1 => at().prop_map(Damage::CutOff),
    ]
}

proptest! {
    #[test]
    fn damaged_files_are_errors_or_numbers(
        file in any::<prop::sample::Index>(),
        damages in prop::collection::vec(damage(), 1..5),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for format in FORMATS.iter() {
            let mut bytes = format.files[file.index(format.files.len())].clone();
            damages.iter().for_each(|damage| damage.to(&mut bytes));
            fs::write(&path, &bytes).unwrap();
            if let Err(error) = (format.read)(&path) {
                prop_assert!(error.path == path && !error.reason.is_empty(), "{}: {error}", format.name);
            }
        }
    }
}
