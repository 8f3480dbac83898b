//! Faults; the files that PyTorch wrote are read in tests/files.rs.

use super::*;
use proptest::prelude::*;
use std::{
    fs,
    io::{Cursor, Write},
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

fn golden(name: &str) -> Vec<u8> {
    fs::read(format!("{}/tests/golden/files/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn all(bytes: Vec<u8>) -> Result<BTreeMap<String, Tensor>, String> {
    decode(bytes, &|name| Some(name.to_owned())).map_err(|reason| reason.to_string())
}

/// An archive with this pickle, and a storage "0" of the bytes.
fn archive(pickle: &[u8], storage: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in [("x/data.pkl", pickle), ("x/data/0", storage)] {
        zip.start_file(name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A pickle of one tensor of f32s in the storage "0", of this offset, shape and strides.
fn tensor(offset: u32, shape: &[u32], strides: &[u32]) -> Vec<u8> {
    let number = |n: &u32| [&b"J"[..], &n.to_le_bytes()].concat();
    let tuple =
        |sizes: &[u32]| [b"(".to_vec(), sizes.iter().flat_map(number).collect(), b"t".to_vec()].concat();
    [
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQ".to_vec(),
        number(&offset),
        tuple(shape),
        tuple(strides),
        b"\x89}tR.".to_vec(),
    ]
    .concat()
}

#[test]
fn a_tensor_is_read_by_its_strides() {
    let storage: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let read =
        |offset, shape: &[u32], strides: &[u32]| all(archive(&tensor(offset, shape, strides), &storage));
    assert_eq!(read(0, &[2, 3], &[3, 1]).unwrap()[""].to_vec(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(read(1, &[2, 2], &[1, 2]).unwrap()[""].to_vec(), [1.0, 3.0, 2.0, 4.0]);
    assert_eq!(read(5, &[2], &[0]).unwrap()[""].to_vec(), [5.0, 5.0]);
    assert_eq!(read(9, &[0, 3], &[3, 1]).unwrap()[""].shape(), &[0, 3]);
    assert_eq!(read(1, &[2, 3], &[3, 1]).unwrap_err(), "tensor : goes beyond its storage of 24 bytes");
    assert_eq!(read(6, &[], &[]).unwrap_err(), "tensor : goes beyond its storage of 24 bytes");
    assert_eq!(read(0, &[2], &[u32::MAX]).unwrap_err(), "tensor : has a negative size or stride");
    assert_eq!(read(0, &[2], &[1, 1]).unwrap_err(), "tensor : has not as many strides as sizes");
    assert_eq!(read(0, &[1; 65], &[0; 65]).unwrap_err(), "tensor : has not up to 64 axes");
    // One element in 2^62 places.
    let error = read(0, &[1 << 30, 1 << 30, 4], &[0, 0, 0]).unwrap_err();
    assert_eq!(error, "tensor : makes all tensors together more than 100 times the file, or 64 MiB");
}

#[test]
fn what_is_no_dictionary_of_tensors_is_refused_by_its_name() {
    let reason = |name: &str| all(golden(name)).unwrap_err();
    assert_eq!(
        reason("module.pt"),
        "holds a torch.nn.modules.container.Sequential, not tensors by name: save its state, \
         torch.save(model.state_dict(), ..)"
    );
    assert_eq!(
        reason("sparse.pt"),
        "tensor x: is made by _rebuild_sparse_tensor; only dense tensors are read"
    );
    assert_eq!(reason("quantized.pt"), "tensor x: is made by _rebuild_qtensor; only dense tensors are read");
    assert_eq!(reason("complex.pt"), "tensor x: has elements of ComplexFloatStorage, which are not read");
    assert!(reason("script.pt").starts_with("holds a __torch__."), "{}", reason("script.pt"));
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("a.npy", SimpleFileOptions::default()).unwrap();
    let other = zip.finish().unwrap().into_inner();
    assert_eq!(all(other).unwrap_err(), "is a zip archive without data.pkl, and so no file of torch.save");
}

#[test]
fn what_is_not_asked_for_is_not_looked_at() {
    let read = decode(golden("run.pt"), &|name| name.strip_prefix("model.").map(str::to_owned)).unwrap();
    assert_eq!(read.keys().filter(|name| name.contains("running")).count(), 2);
    assert!(read.contains_key("0.weight") && !read.keys().any(|name| name.contains("exp_avg")));
    assert!(decode(golden("sparse.pt"), &|_| None).unwrap().is_empty());
}

#[test]
fn nothing_is_executed_and_nothing_runs_on() {
    // What pickles are feared for: os.system("..."), which stays a name.
    let call = b"\x80\x02cos\nsystem\nX\x07\0\0\0echo hi\x85R.";
    assert_eq!(
        all(archive(call, &[])).unwrap_err(),
        "holds a os.system, not tensors by name: save its state, torch.save(model.state_dict(), ..)"
    );
    // A list in itself, and tuples of which each has the one before twice: 2^100 values.
    let reason = |pickle: &[u8]| all(archive(pickle, &[])).unwrap_err();
    assert!(reason(b"\x80\x02]q\0h\0a.").contains("within each other"));
    let doubled = [&b"\x80\x02K\x01"[..], &b"2\x86".repeat(60), b"."].concat();
    assert_eq!(reason(&doubled), "has names that are too long together");
    // A list of 2000 nothings that is 3000 times in another.
    let (nothings, many) = (b"N".repeat(2000), b"h\0".repeat(3000));
    assert_eq!(
        reason(&[b"\x80\x02]q\0(", &nothings[..], b"e](", &many, b"e."].concat()),
        "has too many values"
    );
    let deep = [&b"\x80\x02)"[..], &b"\x85".repeat(100_000), b"."].concat();
    assert!(reason(&deep).contains("within each other"));
    assert!(reason(&[&b"\x80\x02"[..], &b"N".repeat(5 << 20), b"."].concat()).contains("steps"));
    for broken in [
        &b"\x80\x02R."[..],
        b"\x80\x02h\x05.",
        b"\x80\x02t.",
        b"\x80\x02X\xff\xff\xff\xffa",
        b"\x80\x02",
        b"",
        b"\xff.",
    ] {
        reason(broken);
    }
}

/// A key of 100 000 bytes, once in the file, for each of 20 000 empty tensors: 2 GB of names.
#[test]
fn a_long_name_that_is_part_of_many_is_refused() {
    let key = [&b"X"[..], &100_000u32.to_le_bytes(), &[b'k'; 100_000], b"q\x01"].concat();
    let empty = tensor(0, &[0], &[1]);
    // From the pickle of one tensor: without the protocol and the end.
    let empty = &empty[2..empty.len() - 1];
    let pickle = [b"\x80\x02}(", &key[..], empty, b"q\x02", &b"h\x01h\x02".repeat(20_000), b"u."].concat();
    assert_eq!(all(archive(&pickle, &[])).unwrap_err(), "has names that are too long together");
}

#[test]
fn every_truncation_is_an_error() {
    for name in ["legacy.pth", "protocol4.pt"] {
        let bytes = golden(name);
        for len in (0..bytes.len()).step_by(7) {
            assert!(all(bytes[..len].to_vec()).is_err(), "the first {len} bytes of {name} are no file");
        }
    }
    assert_eq!(all([golden("legacy.pth"), vec![0]].concat()).unwrap_err(), "goes on after its last storage");
}

proptest! {
    #[test]
    fn changed_files_never_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        name in prop::sample::select(vec!["legacy-views.pt", "views.pt", "run.pt", "protocol4.pt"]),
    ) {
        let mut bytes = golden(name);
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = all(bytes);
    }

    /// Past the checksums of the archive.
    #[test]
    fn changed_pickles_never_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        shape in prop::collection::vec(0u32..4, 0..4),
    ) {
        let mut pickle = tensor(1, &shape, &vec![1; shape.len()]);
        for (at, value) in flips {
            let at = at.index(pickle.len());
            pickle[at] = value;
        }
        let _ = all(archive(&pickle, &[7; 40]));
    }
}
