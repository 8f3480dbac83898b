//! What every reader and writer says to files that are damaged, hostile or of another kind, for the list of messages: where the
//! fault is, and what it is.

use gradus_autograd::prelude::*;
use gradus_nn::{
    Adam, Checkpoints, DataError, Linear, LoadOptions, RecurrentState, Sequential, State, StateError,
    data::{csv, idx, mnist, npy},
    load, load_with, save_tensors, state_dict,
    train::{History, KeepBest, Trainer},
    write_atomically,
};
use std::{collections::BTreeMap, fmt::Debug, fs, path::Path};

use crate::{
    messages::Messages,
    training::{cross_entropy, flat_digits},
};

/// Errors, with their path and without the folder in which a test works.
struct Said {
    messages: Messages,
    dir: tempfile::TempDir,
}

impl Said {
    fn of(test: &str) -> Said {
        let messages = Messages::of("nn", module_path!(), test);
        Said { messages, dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn error<T: Debug>(&mut self, result: Result<T, DataError>) {
        let text = result.unwrap_err().to_string();
        let folder = self.dir.path().display().to_string();
        self.messages.add(text.replace(&format!("{folder}/"), "").replace(&folder, "folder"));
    }

    fn state_error<T: Debug>(&mut self, result: Result<T, StateError>) {
        self.messages.add(result.unwrap_err());
    }

    /// What reading these bytes gives.
    fn bytes<T: Debug>(&mut self, bytes: &[u8], read: impl Fn(&Path) -> Result<T, DataError>) {
        let path = self.path("file");
        fs::write(&path, bytes).unwrap();
        self.error(read(&path));
    }
}

#[test]
fn tables() {
    let mut said = Said::of("tables");
    let read = |path: &Path| csv::read(path);
    for text in [
        "",
        "# x y\n1 2\n",
        "1,2x,3\n4,5,6\n",
        "a,b\n1,2\n3\n",
        "1,,3\n4,5,6\n",
        "1,2\n3,x\n",
        "a,b\n\"1,2\n",
        "a,b\n\"1\"2,3\n",
        "a\n16777217\n",
        "a\n1e400\n",
        "a;b\n1;0,5\n",
        "a\0,\0b\0\n",
        "PK\x03\x04",
    ] {
        said.bytes(text.as_bytes(), read);
    }
    said.bytes(b"a,b\n3,\xff\n", read);
    for form in [&b"BZh91AY"[..], b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"] {
        said.bytes(form, read);
    }
    said.bytes(&[0xff, 0xfe, b'a', 0, 0, 0xd8, b'b', 0], read);
    let path = said.path("table.csv");
    fs::write(&path, "x,kind,y,y\n1,a,0.5,1\n2,,1,1\n").unwrap();
    let table = csv::read(&path).unwrap();
    said.error(table.labelled("z"));
    said.error(table.labelled("y"));
    said.error(table.labelled("kind"));
    said.error(table.classes("x"));
    said.error(table.with_targets(&["kind"]));
    said.error(table.with_targets(&["x"]));
    fs::write(&path, "x,y\n1,0.5\n").unwrap();
    said.error(csv::read(&path).unwrap().labelled("y"));
    said.messages.check();
}

/// A file of one array of NumPy, with a header that says so.
fn array(header: &str, data: &[u8]) -> Vec<u8> {
    [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn one(kind: &str, data: &[u8]) -> Vec<u8> {
    array(&format!("{{'descr': {kind}, 'fortran_order': False, 'shape': (1,), }}"), data)
}

#[test]
fn arrays() {
    let mut said = Said::of("arrays");
    let read = |path: &Path| npy::read(path);
    said.bytes(b"no array", read);
    said.bytes(b"\x93NUMPY\x09\0\0\0", read);
    said.bytes(b"\x93NUMPY\x01\0\xff\0{", read);
    said.bytes(&array("{'fortran_order': False, 'shape': (1,), }", &[]), read);
    said.bytes(&array("{'descr': '<f4', 'fortran_order': False, 'shape': 1, }", &[]), read);
    let many = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({}), }}", "1,".repeat(65));
    said.bytes(&array(&many, &[1]), read);
    said.bytes(&one("'<f4'", &[0; 3]), read);
    for kind in ["[('a', '<f4')]", "'<c8'", "'<f16'", "'<U4'", "'<M8[ns]'", "'|O'", "'|V4'"] {
        said.bytes(&one(kind, &[0; 8]), read);
    }
    said.bytes(&one("'|b1'", &[2]), read);
    said.bytes(&one("'<i8'", &16_777_217i64.to_le_bytes()), read);
    said.bytes(&one("'<f8'", &1e300f64.to_le_bytes()), read);
    said.error(npy::write(said.path("array.npy"), &Tensor::ones(vec![1; 65])));
    said.messages.check();
}

#[test]
fn bytes_of_idx_and_mnist() {
    let mut said = Said::of("bytes_of_idx_and_mnist");
    let read = |path: &Path| idx::read(path);
    said.bytes(b"PK\x03\x04", read);
    said.bytes(&[0, 0, 0x0d, 1], read);
    said.bytes(&[0, 0, 8, 2, 0, 0], read);
    let huge = [vec![0, 0, 8, 4], [0xff; 16].to_vec()].concat();
    said.bytes(&huge, read);
    said.bytes(&[0, 0, 8, 1, 0, 0, 0, 3, 1], read);
    said.bytes(&[0, 0, 8, 1, 0, 0, 0, 1, 1, 2], read);
    said.error(mnist::load_test(said.dir.path()));
    let [images, labels] = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"].map(|name| said.path(name));
    let pixels = |side: u8| {
        [&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, side, 0, 0, 0, side][..], &vec![0; side as usize * side as usize]]
            .concat()
    };
    fs::write(&images, pixels(2)).unwrap();
    fs::write(&labels, [0, 0, 8, 1, 0, 0, 0, 1, 10]).unwrap();
    said.error(mnist::load_test(said.dir.path()));
    fs::write(&images, pixels(28)).unwrap();
    said.error(mnist::load_test(said.dir.path()));
    fs::write(&labels, [0, 0, 8, 1, 0, 0, 0, 2, 1, 1]).unwrap();
    said.error(mnist::load_test(said.dir.path()));
    said.messages.check();
}

/// A zip archive of stored entries, written by hand.
#[cfg(feature = "pt")]
fn archive(entries: &[(&str, &[u8])], compression: u16) -> Vec<u8> {
    archive_with(entries, compression, false)
}

/// The same, or one in which all entries lie where the first does.
#[cfg(feature = "pt")]
fn archive_with(entries: &[(&str, &[u8])], compression: u16, in_one_place: bool) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let packed = match compression {
            0 => bytes.to_vec(),
            _ => {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
                std::io::Write::write_all(&mut encoder, bytes).unwrap();
                encoder.finish().unwrap()
            }
        };
        let mut about = vec![20, 0, 0, 0];
        about.extend(compression.to_le_bytes());
        about.extend([0; 4]);
        for size in [crc.sum(), packed.len() as u32, bytes.len() as u32] {
            about.extend(size.to_le_bytes());
        }
        about.extend((name.len() as u16).to_le_bytes());
        about.extend([0; 2]);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&about);
        directory.extend([0; 10]);
        directory.extend((if in_one_place { 0 } else { file.len() as u32 }).to_le_bytes());
        directory.extend(name.as_bytes());
        if in_one_place && !file.is_empty() {
            continue;
        }
        file.extend(b"PK\x03\x04");
        file.extend(about);
        file.extend(name.as_bytes());
        file.extend(packed);
    }
    let at = file.len() as u32;
    file.extend(&directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend((entries.len() as u16).to_le_bytes());
    file.extend((entries.len() as u16).to_le_bytes());
    file.extend((directory.len() as u32).to_le_bytes());
    file.extend(at.to_le_bytes());
    file.extend([0; 2]);
    file
}

#[cfg(all(feature = "npz", feature = "pt"))]
#[test]
fn archives_of_arrays() {
    use npy::npz;
    let mut said = Said::of("archives_of_arrays");
    let good = one("'|u1'", &[1]);
    said.bytes(&archive(&[("x.npy", b"no array")], 0), |path| npz::read(path));
    said.bytes(&archive(&[("x.npy", &good)], 0), |path| npz::read_array(path, "y"));
    said.bytes(&archive(&[("x.npy", &good), ("x", &good)], 0), |path| npz::read(path));
    let names: Vec<String> = (0..9).map(|i| format!("{i}.npy")).collect();
    let thousand = array("{'descr': '|u1', 'fortran_order': False, 'shape': (1000,), }", &[1; 1000]);
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (&name[..], &thousand[..])).collect();
    said.bytes(&archive_with(&entries, 0, true), |path| npz::read(path));
    // A record of a large archive, with 2^40 entries.
    let mut record = b"PK\x06\x06".to_vec();
    for word in [44u64, 0, 0] {
        record.extend(word.to_le_bytes());
    }
    record.extend([0; 4]);
    record.extend((1u64 << 40).to_le_bytes());
    record.extend([0; 20]);
    said.bytes(&[record, archive(&[("x.npy", &good)], 0)].concat(), |path| npz::read(path));
    let large = vec![0; 65 << 20];
    said.bytes(&archive(&[("x.npy", &large)], 8), |path| npz::read(path));
    let path = said.path("half.npz");
    said.error(npz::write_half(&path, [("x".to_owned(), &Tensor::scalar(1e5))]));
    let (a, b) = (Tensor::scalar(1.0), Tensor::scalar(2.0));
    said.error(npz::write(&path, [("x".to_owned(), &a), ("x".to_owned(), &b)]));
    said.messages.check();
}

#[cfg(feature = "pt")]
#[test]
fn files_of_pytorch() {
    let mut said = Said::of("files_of_pytorch");
    let read = |path: &Path| gradus_nn::load_tensors(path);
    let file = |pickle: &[u8], storage: &[u8]| archive(&[("x/data.pkl", pickle), ("x/data/0", storage)], 0);
    // A tensor of f32s in the storage "0", of this offset, shape and strides.
    let tensor = |class: &str, offset: i32, shape: &[i32], strides: &[i32]| {
        let number = |n: &i32| [&b"J"[..], &n.to_le_bytes()].concat();
        let tuple =
            |sizes: &[i32]| [b"(".to_vec(), sizes.iter().flat_map(number).collect(), b"t".to_vec()].concat();
        [
            b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\n".to_vec(),
            format!("{class}\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQ").into_bytes(),
            number(&offset),
            tuple(shape),
            tuple(strides),
            b"\x89}tRs.".to_vec(),
        ]
        .concat()
    };
    let float = "FloatStorage";
    said.bytes(&archive(&[("a.npy", b"")], 0), read);
    said.bytes(&archive(&[("x/data.pkl", b"\x80\x02}.")], 8), read);
    said.bytes(&archive(&[("x/data.pkl", &tensor(float, 0, &[1], &[1]))], 0), read);
    said.bytes(&file(b"\x80\x02cos\nsystem\nX\x07\0\0\0echo hi\x85R.", &[]), read);
    said.bytes(&file(&tensor("ComplexFloatStorage", 0, &[1], &[1]), &[0; 8]), read);
    said.bytes(&file(&tensor(float, 0, &[-1], &[1]), &[0; 8]), read);
    said.bytes(&file(&tensor(float, -1, &[1], &[1]), &[0; 8]), read);
    said.bytes(&file(&tensor(float, 0, &[1, 1], &[1]), &[0; 8]), read);
    said.bytes(&file(&tensor(float, 0, &[1; 65], &[1; 65]), &[0; 8]), read);
    said.bytes(&file(&tensor(float, 0, &[1 << 30, 1 << 30], &[0, 0]), &[0; 8]), read);
    said.bytes(&file(&tensor(float, 0, &[3], &[1]), &[0; 8]), read);
    let deep = [&b"\x80\x02)"[..], &b"\x85".repeat(100), b"."].concat();
    said.bytes(&file(&deep, &[]), read);
    let doubled = [&b"\x80\x02K\x01"[..], &b"2\x86".repeat(60), b"."].concat();
    said.bytes(&file(&doubled, &[]), read);
    let (nothings, many) = (b"N".repeat(2000), b"h\0".repeat(3000));
    said.bytes(&file(&[b"\x80\x02]q\0(", &nothings[..], b"e](", &many, b"e."].concat(), &[]), read);
    said.bytes(&file(&[&b"\x80\x02"[..], &b"N".repeat(5 << 20), b"."].concat(), &[]), read);
    for pickle in [
        &b"\x80\x02h\x05."[..],
        b"\x80\x02X\x01\0\0\0\xff.",
        b"\x80\x02X\xff\0\0\0a",
        b"\x80\x02R.",
        b"\x80\x02K\x01K\x01\x93.",
        b"\x80\x02K\x01Q.",
        b"\x80\x02\xfe.",
    ] {
        said.bytes(&file(pickle, &[]), read);
    }
    said.bytes(&file(b"\x80\x02c\xff\n\n.", &[]), read);
    said.bytes(
        &file(b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n()QK\0))\x89}tRs.", &[]),
        read,
    );
    let sized = tensor(float, 0, &[1], &[1]);
    let at = sized.windows(2).rposition(|two| two == b"(J").unwrap();
    // The stride of one is None.
    said.bytes(&file(&[&sized[..at], b"(Nt", &sized[at + 7..]].concat(), &[0; 8]), read);
    // The old form: a magic number, a version, the system, the values, the keys of the storages, and these.
    let old = |values: &[u8], keys: &[u8]| {
        let magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.";
        [&magic[..], values, keys].concat()
    };
    let one = tensor(float, 0, &[1], &[1]);
    said.bytes(&old(&one, b"\x80\x02N."), read);
    said.bytes(&old(&one, b"\x80\x02]K\x01a."), read);
    said.bytes(&old(&one, b"\x80\x02]X\x01\0\0\x009a."), read);
    said.bytes(&old(&one, b"\x80\x02]X\x01\0\0\x000a."), read);
    said.bytes(&old(&one, b"\x80\x02]."), read);
    said.bytes(&old(&tensor("StrangeStorage", 0, &[1], &[1]), b"\x80\x02]."), read);
    let other = tensor("DoubleStorage", 0, &[1], &[1]);
    let two = [&b"\x80\x02]"[..], &one[2..one.len() - 1], b"a", &other[2..other.len() - 1], b"a."].concat();
    said.bytes(&old(&two, b"\x80\x02]."), read);
    for name in ["sparse.pt", "quantized.pt", "module.pt", "script.pt"] {
        said.bytes(&fs::read(golden(name)).unwrap(), read);
    }
    let old = fs::read(golden("legacy.pth")).unwrap();
    said.bytes(&[&old[..], &[0]].concat(), read);
    said.bytes(&old[..old.len() - 1], read);
    said.messages.check();
}

fn golden(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/files").join(name)
}

#[cfg(feature = "png")]
#[test]
fn pictures() {
    use gradus_nn::data::images;
    let mut said = Said::of("pictures");
    said.bytes(b"no image", |path| images::read(path));
    said.bytes(b"GIF89a", |path| images::read(path));
    let good = fs::read(golden("grey.png")).unwrap();
    said.bytes(&good[..good.len() / 2], |path| images::read(path));
    // What comes before the checksum of a chunk that begins there.
    let signed = |mut image: Vec<u8>, start: usize, len: usize| {
        let mut crc = flate2::Crc::new();
        crc.update(&image[start + 4..start + 8 + len]);
        image[start + 8 + len..start + 12 + len].copy_from_slice(&crc.sum().to_be_bytes());
        image
    };
    // A header of 150 000 x 150 000 pixels.
    let mut huge = good.clone();
    huge[16..20].copy_from_slice(&150_000u32.to_be_bytes());
    huge[20..24].copy_from_slice(&150_000u32.to_be_bytes());
    said.bytes(&signed(huge, 8, 13), |path| images::read(path));
    // A palette without its last byte.
    let mut short = fs::read(golden("palette.png")).unwrap();
    let start = short.windows(4).position(|four| four == b"PLTE").unwrap() - 4;
    let len = u32::from_be_bytes(*short[start..].first_chunk().unwrap()) as usize - 1;
    short[start..start + 4].copy_from_slice(&(len as u32).to_be_bytes());
    short.remove(start + 8 + len);
    said.bytes(&signed(short, start, len), |path| images::read(path));
    let path = said.path("image.png");
    said.error(images::write(&path, &Tensor::full([1, 1], 1.5)));
    let folder = said.path("classes");
    fs::create_dir_all(folder.join("a")).unwrap();
    said.error(images::folder(&folder));
    images::write(folder.join("a/1.png"), &Tensor::ones([1, 2])).unwrap();
    images::write(folder.join("a/2.png"), &Tensor::ones([2, 1])).unwrap();
    said.error(images::folder(&folder));
    said.messages.check();
}

fn net() -> Sequential {
    let rng = &mut Rng::seed(0);
    Sequential::new().push(Linear::new(2, 2, rng)).push(Linear::new(2, 1, rng))
}

#[test]
fn weights() {
    let mut said = Said::of("weights");
    let read = |path: &Path| gradus_nn::load_tensors(path);
    let file = |kind: &str, size: usize, data: &[u8]| {
        let header = format!(
            "{{\"x\":{{\"dtype\":\"{kind}\",\"shape\":[{size}],\"data_offsets\":[0,{}]}}}}",
            data.len()
        );
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
    };
    let with_header = |json: &str| [&(json.len() as u64).to_le_bytes()[..], json.as_bytes()].concat();
    let x = r#""x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"#;
    said.bytes(b"short", read);
    said.bytes(&with_header(&format!("{{{x},{x}}}")), read);
    said.bytes(&with_header(&format!("{{{}}}", x.replace("[0]", &format!("[{}0]", "1,".repeat(64))))), read);
    said.bytes(&with_header("{\"__metadata__\":{},\"__metadata__\":{}}"), read);
    said.bytes(&with_header("{\"__metadata__\":{\"gradus\":\"\",\"gradus\":\"\"}}"), read);
    said.bytes(&with_header("{\"__metadata__\":{\"gradus\":7}}"), read);
    said.bytes(&with_header("{\"__metadata__\":7}"), read);
    said.bytes(&with_header(&format!("{{{}}}", x.replace("[0]", "3"))), read);
    said.bytes(&with_header("[]"), read);
    said.bytes(&file("F32", 3, &[0; 8]), read);
    said.bytes(&file("C64", 1, &[0; 8]), read);
    said.bytes(&file("F4", 2, &[0]), read);
    said.bytes(&file("BOOL", 1, &[2]), read);
    said.bytes(&file("I32", 1, &16_777_217i32.to_le_bytes()), read);
    let path = said.path("weights.safetensors");
    let x = Tensor::scalar(1.0);
    said.error(save_tensors(&path, [("__metadata__".to_owned(), &x)], ""));
    said.error(save_tensors(&path, [("x".to_owned(), &x), ("x".to_owned(), &x)], ""));
    said.error(save_tensors(&path, [("x".to_owned(), &Tensor::ones(vec![1; 65]))], ""));
    let save = |path: &Path, tensors: BTreeMap<String, Tensor>| {
        save_tensors(path, tensors.iter().map(|(name, tensor)| (name.clone(), tensor)), "").unwrap();
    };
    let mut net = net();
    let theirs = state_dict(&net).unwrap();
    save(&path, theirs.iter().map(|(name, tensor)| (format!("module.{name}"), tensor.clone())).collect());
    said.error(load(&mut net, &path));
    let both = |_: &str| Some("x".to_owned());
    save(&path, [("a", &x), ("b", &x)].map(|(name, x)| (name.to_owned(), x.clone())).into());
    let error = load_with(&mut net, &path, &LoadOptions { strict: true, rename: Some(&both) }).unwrap_err();
    // Which of the two comes second is not said.
    said.messages.add(
        error
            .to_string()
            .replace(&path.display().to_string(), "weights.safetensors")
            .replace("tensor b", "tensor a"),
    );
    save(&path, theirs.clone());
    said.error(load(&mut Sequential::new().push(self::net()), &path));
    save(&path, (0..12).map(|i| (format!("x{i}"), x.clone())).collect());
    said.error(load(&mut net, &path));
    let mut wide = theirs.clone();
    wide.insert("0.bias".to_owned(), Tensor::ones([3]));
    wide.remove("1.bias");
    save(&path, wide);
    said.error(load(&mut net, &path));
    #[cfg(not(feature = "pt"))]
    assert!(
        gradus_nn::load_tensors(golden("net.pt"))
            .unwrap_err()
            .reason
            .contains("with gradus's feature \"pt\"")
    );
    said.messages.check();
}

#[test]
fn weights_of_the_book() {
    let mut said = Said::of("weights_of_the_book");
    let mut net = net();
    let load = |net: &mut Sequential, names: &[(&str, &[usize])]| {
        let tensors = names.iter().map(|&(name, shape)| (name.to_owned(), Tensor::ones(shape)));
        gradus_nn::book::load_state_dict(net, tensors.collect())
    };
    said.state_error(load(&mut net, &[("W1", &[3, 2]), ("b1", &[2]), ("W2", &[2, 1]), ("x", &[1])]));
    said.messages.check();
}

#[test]
fn runs() {
    let mut said = Said::of("runs");
    let (train, _) = flat_digits();
    let fresh = || (Linear::new(64, 10, &mut Rng::seed(1)), Trainer::new(Adam::new(0.01), 600, 9));
    let (mut net, trainer) = fresh();
    let mut trainer = trainer.stop_when(|| true);
    trainer.fit(&mut net, &train, 1, cross_entropy, &mut []);
    let good = trainer.state(&net);
    let mut changed = |change: &dyn Fn(&mut State)| {
        let (mut net, mut trainer) = fresh();
        let mut state = good.clone();
        change(&mut state);
        said.state_error(trainer.restore(&state, &mut net));
    };
    changed(&|state| *state = State::new());
    changed(&|state| state.put("steps", "many"));
    changed(&|state| state.put("steps", u64::MAX));
    changed(&|state| state.put("history", "epoch,loss\n1\n"));
    changed(&|state| state.put("history", "epoch,loss\n1,0.5\n3,0.25\n"));
    changed(&|state| state.put("optimizer.optimizer", "Sgd"));
    changed(&|state| state.put("optimizer.lr", f64::NAN));
    changed(&|state| state.put_tensor("optimizer.weight.step", Tensor::scalar(0.5)));
    changed(&|state| state.put_tensor("optimizer.weight.exp_avg", Tensor::ones([2])));
    changed(&|state| state.put_tensor("optimizer.other.exp_avg", Tensor::ones([2])));
    changed(&|state| state.put("optimizer.weight.slot", "[2]"));
    changed(&|state| state.put_tensor("model.weight", Tensor::ones([2])));
    changed(&|state| state.put("part.batches", 100));
    let (mut net, _) = fresh();
    let mut other = Trainer::new(Adam::new(0.01), 500, 9).accumulate(2).drop_last();
    said.state_error(other.restore(&good, &mut net));
    said.state_error(RecurrentState::restore(&State::new()));
    said.state_error(KeepBest::greatest("accuracy").restore(&KeepBest::least("loss").state()));
    let mut best = State::new();
    best.put("waited", 0);
    best.put("value", f64::NAN);
    best.put("epoch", 1);
    best.put_tensor("x", Tensor::scalar(1.0));
    said.state_error(KeepBest::least("loss").restore(&best));
    said.state_error(History::from_csv("loss\nmuch\n").map(|history| history.to_csv()));
    let path = said.path("run.safetensors");
    save_tensors(&path, [("x".to_owned(), &Tensor::scalar(1.0))], "no pair").unwrap();
    said.error(State::load(&path));
    save_tensors(&path, [], "steps=3\nsteps=4").unwrap();
    said.error(State::load(&path));
    said.messages.check();
}

#[test]
fn places() {
    let mut said = Said::of("places");
    let dir = said.dir.path().to_owned();
    said.error(write_atomically(&dir, "x"));
    said.error(write_atomically("", "x"));
    said.error(write_atomically("..", "x"));
    said.error(State::load(&dir));
    fs::write(said.path("taken"), "").unwrap();
    let checkpoints = Checkpoints::new(said.path("taken"), 1);
    said.error(checkpoints.save(1, &State::new()));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("loop", said.path("loop")).unwrap();
        let path = said.path("loop");
        said.error(write_atomically(path, "x"));
    }
    said.messages.check();
}
