//! Files that NumPy, pandas, PIL, pypng, PyTorch and safetensors wrote, see golden/files.py: each is read with the values that were
//! written, or refused. Those of the features png, npz and pt are read where these are on.

use gradus_nn::data::{csv, npy};
use gradus_tensor::Tensor;
use std::{collections::BTreeMap, fs, path::Path};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// All tensors of a file, by the names that files.txt gives them; none for a file that is read with another feature.
fn read(path: &Path) -> Option<Result<BTreeMap<String, Tensor>, gradus_nn::DataError>> {
    let one = |tensor| BTreeMap::from([(String::new(), tensor)]);
    let name = path.file_name().unwrap().to_str().unwrap();
    Some(match name.rsplit('.').next().unwrap() {
        "npy" => npy::read(path).map(one),
        #[cfg(feature = "npz")]
        "npz" => npy::npz::read(path),
        "csv" | "txt" | "gz" => csv::read(path).map(|table| one(table.values)),
        #[cfg(feature = "png")]
        "png" => gradus_nn::data::images::read(path).map(one),
        "safetensors" => gradus_nn::load_tensors(path),
        #[cfg(feature = "pt")]
        "pt" | "pth" => gradus_nn::load_tensors(path),
        _ => return None,
    })
}

/// What is wrong with what was read of a file, after the lines of files.txt about it.
fn fault(
    file: &str,
    lines: &[(&str, &str)],
    found: Result<BTreeMap<String, Tensor>, gradus_nn::DataError>,
) -> Option<String> {
    if let Some(names) = lines[0].1.strip_prefix("refused ") {
        return match found {
            Ok(_) => Some(format!("{file}: is read")),
            Err(error) if error.path.ends_with(file) && error.reason.contains(names) => None,
            Err(error) => Some(format!("{error}: does not name {names}")),
        };
    }
    let found = match found {
        Ok(found) => found,
        Err(error) => return Some(error.to_string()),
    };
    let lines = if lines[0].1 == "empty" { &[] } else { lines };
    if found.len() != lines.len() {
        return Some(format!("{file}: has {:?}", found.keys()));
    }
    let wrong = lines.iter().find(|(name, content)| {
        let mut words = content.strip_prefix("= ").unwrap().split(' ').filter(|word| !word.is_empty());
        let shape = words.next().unwrap();
        let sizes = shape.split(',').filter(|_| shape != "scalar").map(|size| size.parse().unwrap());
        let bits: Vec<u32> = words.map(|word| word.parse().unwrap()).collect();
        let same = |found: &Tensor| {
            found.shape()[..] == sizes.collect::<Vec<usize>>() && found.iter().map(f32::to_bits).eq(bits)
        };
        !found.get(*name).is_some_and(same)
    });
    wrong.map(|(name, content)| format!("{file}/{name}: {:?} is not {content}", found.get(*name)))
}

#[test]
fn files_of_other_programs_hold_what_these_wrote() {
    let expected = fs::read_to_string(format!("{GOLDEN}/files.txt")).unwrap();
    let mut files: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for line in expected.lines() {
        let (name, content) = line.split_once(' ').unwrap();
        let (file, tensor) = name.split_once('/').unwrap_or((name, ""));
        files.entry(file).or_default().push((tensor, content));
    }
    let (mut count, mut refused, mut faults) = (0, 0, Vec::new());
    for (file, lines) in files {
        let Some(found) = read(&Path::new(GOLDEN).join("files").join(file)) else { continue };
        count += 1;
        refused += usize::from(lines[0].1.starts_with("refused"));
        faults.extend(fault(file, &lines, found));
    }
    assert!(faults.is_empty(), "{} of {count} files:\n{}", faults.len(), faults.join("\n"));
    // The list is not empty, and not all of it is read with another feature.
    assert!(count >= 90 && refused >= 25, "{count} files, {refused} of them refused");
}

#[test]
fn what_is_refused_by_default_is_read_with_options() {
    let read = |file: &str, options: &csv::Options| {
        csv::read_with(format!("{GOLDEN}/files/{file}"), options).unwrap().values
    };
    let comment = csv::Options { comment: Some('#'), ..Default::default() };
    assert_eq!(read("savetxt.csv", &comment).shape(), &[3, 3]);
    let missing = csv::Options { missing: Some(-1.0), ..Default::default() };
    assert_eq!(read("missing.csv", &missing).to_vec(), [1.0, 3.0, -1.0, 4.0]);
}
