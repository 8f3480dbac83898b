//! Writes the seeds of every target's corpus: good files, of the project's tests and made here.

use gradus::{
    nn::{
        State,
        data::{Dataset, npy},
        save_tensors,
        train::{History, Record},
    },
    prelude::*,
};
use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = env::args().nth(1).map_or(here.join("corpus"), PathBuf::from);
    let put = |target: &str, name: &str, bytes: &[u8]| -> std::io::Result<()> {
        fs::create_dir_all(corpus.join(target))?;
        fs::write(corpus.join(target).join(name), bytes)
    };
    // With the first byte by which a target knows how the others are meant.
    let as_it_is = |bytes: &[u8]| [&[0], bytes].concat();

    for entry in fs::read_dir(here.join("../crates/nn/tests/golden/files"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().display().to_string();
        let bytes = fs::read(&path)?;
        match name.rsplit('.').next().unwrap_or_default() {
            "safetensors" => put("safetensors", &name, &bytes)?,
            "npy" => {
                put("npy", &name, &bytes)?;
                put("npz", &format!("{name}-stored"), &[&[1], &bytes[..]].concat())?;
                put("npz", &format!("{name}-compressed"), &[&[2], &bytes[..]].concat())?;
            }
            "npz" => put("npz", &name, &as_it_is(&bytes))?,
            "pt" | "pth" => {
                put("torch", &name, &as_it_is(&bytes))?;
                // The pickle alone, as far as it shows: behind the first entry's name.
                if let Some(start) = bytes.windows(2).position(|two| two == [0x80, 2]) {
                    put("torch", &format!("{name}-pickle"), &[&[1], &bytes[start..]].concat())?;
                }
            }
            "png" => put("png", &name, &bytes)?,
            "csv" | "txt" | "gz" => {
                for how in [0, 8, 4 | 8, 4 | 16] {
                    put("csv", &format!("{name}-{how}"), &[&[how], &bytes[..]].concat())?;
                }
            }
            _ => {}
        }
    }

    let labels = [0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4];
    put("idx", "labels", &as_it_is(&labels))?;
    put("idx", "labels-zipped", &[&[1], &labels[..]].concat())?;
    let images =
        [&[0u8, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2][..], &[0, 255, 7, 8, 1, 2, 3, 4]].concat();
    put("idx", "images", &as_it_is(&images))?;

    let dir = tempfile::tempdir()?;
    let path = dir.path().join("file");
    let (matrix, scalar) = (Tensor::randn([3, 2], &mut Rng::seed(0)), Tensor::scalar(7.0));
    save_tensors(&path, [("weight".to_owned(), &matrix), ("bias".to_owned(), &scalar)], "a text")?;
    put("safetensors", "two", &fs::read(&path)?)?;
    npy::write(&path, &matrix)?;
    put("npy", "ours", &fs::read(&path)?)?;

    let data = Dataset::new(Tensor::ones([4, 2]), [0, 1, 2, 0].into_iter().collect::<Indices>());
    let (mut net, mut trainer) = (Linear::new(2, 3, &mut Rng::seed(0)), Trainer::new(Adam::new(0.01), 2, 0));
    for epochs in [0, 2] {
        trainer.fit(&mut net, &data, epochs, |y, labels| y.cross_entropy(labels), &mut []);
        trainer.state(&net).save(&path)?;
        put("state", &format!("run-{epochs}"), &fs::read(&path)?)?;
    }
    State::new().save(&path)?;
    put("state", "empty", &fs::read(&path)?)?;

    let mut history = History::default();
    for loss in [0.5, f64::NAN, 1e-300] {
        let mut record = Record::default();
        record.put("loss", loss);
        history.push(record);
    }
    put("history", "three", history.to_csv().as_bytes())?;
    Ok(())
}
