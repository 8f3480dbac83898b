//! The files of `ONNX_DIR=DIR cargo test -p gradus-onnx --test suite`, run by rten, and the numbers held to gradus's:
//!
//! ```text
//! cargo run --manifest-path crates/onnx/tests/second_runtime/Cargo.toml -- DIR
//! ```
//!
//! An output may be off by 1e-5 of its largest element, or of 1, as in `runtime.py`.

use rten::{Model, NodeId, Value, ValueOrView};
use rten_tensor::{Tensor, prelude::*};
use std::{collections::BTreeMap, env, error::Error, fs, path::Path};

/// An input or an output, as `files.rs` wrote it down.
struct Recorded {
    shape: Vec<usize>,
    numbers: Vec<f32>,
}

fn recorded(path: &Path) -> BTreeMap<String, Recorded> {
    let text = fs::read_to_string(path).expect("each file has its values beside it");
    let of_line = |line: &str| {
        let (name, rest) = line.split_once(" [").expect("a name and a shape");
        let (shape, numbers) = rest.split_once(']').expect("a shape");
        let shape = shape.split(", ").filter(|n| !n.is_empty()).map(|n| n.parse().expect("a size")).collect();
        let numbers = numbers.split_whitespace().map(|x| x.parse().expect("a number")).collect();
        (name.to_owned(), Recorded { shape, numbers })
    };
    text.lines().map(of_line).collect()
}

type Outputs = Vec<(String, Tensor<f32>)>;

/// The outputs of a file by name, or what the runtime says.
fn run(path: &Path, values: &BTreeMap<String, Recorded>) -> Result<Outputs, Box<dyn Error>> {
    let model = Model::load_file(path)?;
    let name = |id: NodeId| model.node_info(id).and_then(|node| node.name()).unwrap_or_default().to_owned();
    let input = |&id: &NodeId| -> Result<(NodeId, ValueOrView<'static>), Box<dyn Error>> {
        let Recorded { shape, numbers } = &values[&name(id)];
        let value = match name(id).as_str() {
            "text" => Value::from_shape(shape, numbers.iter().map(|&x| x as i32).collect())?,
            _ => Value::from_shape(shape, numbers.clone())?,
        };
        Ok((id, value.into()))
    };
    let inputs = model.input_ids().iter().map(input).collect::<Result<_, _>>()?;
    let found = model.run(inputs, model.output_ids(), None)?;
    model.output_ids().iter().zip(found).map(|(&id, found)| Ok((name(id), found.try_into()?))).collect()
}

/// How far an output is from what gradus computed, as a share of the largest element or of 1.
fn off(found: &Tensor<f32>, expected: &Recorded) -> f32 {
    if found.shape() != expected.shape {
        return f32::INFINITY;
    }
    let largest = expected.numbers.iter().fold(1f32, |most, x| most.max(x.abs()));
    let each =
        found.iter().zip(&expected.numbers).map(|(a, b)| if a == b { 0.0 } else { (a - b).abs() / largest });
    each.fold(0.0, |most, off| if off.is_nan() { f32::INFINITY } else { most.max(off) })
}

fn main() {
    let folder = env::args_os().nth(1).expect("the folder of the files");
    let paths = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|e| e == "onnx")).collect();
    paths.sort();
    let (mut agree, mut differ, mut refused, mut worst) = (0, 0, 0, 0f32);
    for path in &paths {
        let name = path.file_stem().expect("a name").to_string_lossy();
        let expected = recorded(&path.with_extension("txt"));
        match run(path, &expected) {
            Err(why) => {
                refused += 1;
                println!("{name} is not run: {why}");
            }
            Ok(found) => {
                let off = found.iter().map(|(name, found)| off(found, &expected[name])).fold(0.0, f32::max);
                if off <= 1e-5 {
                    agree += 1;
                    worst = worst.max(off);
                } else {
                    differ += 1;
                    println!("{name} differs: off by {off:.1e}");
                }
            }
        }
    }
    println!(
        "{agree} of {} agree, off by {worst:.1e} at most; {differ} differ, {refused} are not run",
        paths.len()
    );
}
