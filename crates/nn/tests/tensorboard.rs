//! Event files for TensorBoard: what is in them TensorBoard's reader says (golden/events.py), here is how they come about.

use gradus_autograd::prelude::*;
use gradus_nn::{
    Adam, Linear,
    data::digits,
    metrics::{accuracy, predict},
    tensorboard::SummaryWriter,
    train::{Distributions, Epoch, Record, Trainer},
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::faults::{DIR, in_shell, passed};

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.path().is_file());
    let mut names: Vec<String> = files.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What golden/events.py reads, if the variable `TENSORBOARD_RUNS` names a folder.
#[test]
fn a_run_its_continuation_and_a_training() {
    let own = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("TENSORBOARD_RUNS");
    let folder = kept.as_deref().map_or(own.path(), Path::new);
    let mut writer = SummaryWriter::new(folder).unwrap();
    for epoch in 1..=5 {
        writer.add_scalar("loss", 1.0 / epoch as f64, epoch).unwrap();
    }
    drop(writer);
    let before = files(folder);
    let mut writer = SummaryWriter::resume(folder, 4).unwrap();
    for epoch in 4..=6 {
        let mut record = Record::default();
        record.put("loss", 10.0 * epoch as f64);
        writer.add_record(&record, epoch).unwrap();
    }
    writer.add_scalar("loss/é <b>", 1e-30, 7).unwrap();
    writer.add_scalar("nan", f64::NAN, 7).unwrap();
    writer.add_histogram("weights", &Tensor::linspace(-1.0, 1.0, 101), 7).unwrap();
    writer.add_histogram("nothing", &Tensor::from([f32::NAN]), 7).unwrap();
    writer.add_image("picture", &Tensor::from([[0.2, 1.0]]), 7).unwrap();
    writer.flush().unwrap();
    let after = files(folder);
    assert_eq!(
        (after.len(), &after[..before.len()]),
        (before.len() + 1, &before[..]),
        "a file more, behind the others"
    );

    let data = digits::load().map_inputs(|images| images.reshape([1797, 64]));
    let (mut net, mut trainer) =
        (Linear::new(64, 10, &mut Rng::seed(0)), Trainer::new(Adam::new(0.01), 100, 1));
    let few = data.select(&[0, 1, 2]);
    let mut distributions = Distributions::default();
    let mut evaluate = |epoch: &mut Epoch<'_, Linear>| {
        epoch.record.put("val_accuracy", accuracy(&predict(epoch.model, few.inputs(), 3), few.labels()));
        distributions.look(epoch.number, epoch.model, |tape| {
            gradus_nn::Layer::forward(epoch.model, tape.constant(few.inputs())).cross_entropy(few.labels())
        });
    };
    let mut writer = SummaryWriter::new(folder.join("trained")).unwrap();
    trainer.fit(&mut net, &data, 3, |y, labels| y.cross_entropy(labels), &mut [&mut evaluate, &mut writer]);
    writer.add_distributions(&distributions).unwrap();
    writer.flush().unwrap();

    let mut writer = SummaryWriter::new(folder.join("batches")).unwrap().each_batch();
    trainer.fit(&mut net, &data, 2, |y, labels| y.cross_entropy(labels), &mut [&mut writer]);
    writer.flush().unwrap();
}

#[test]
fn writers_at_the_same_time_have_files_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let writers: Vec<SummaryWriter> = (0..3).map(|_| SummaryWriter::new(dir.path()).unwrap()).collect();
    assert_eq!(files(dir.path()).len(), writers.len());
}

/// TensorBoard reads none whose name comes before one that it has read.
#[test]
fn a_later_file_comes_later_whatever_the_clock_and_the_process_say() {
    let dir = tempfile::tempdir().unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    for earlier in [format!("{now}.gradus.999999999.000"), format!("{}.host.1.0", now + 3600)] {
        fs::write(dir.path().join(format!("events.out.tfevents.{earlier}")), "").unwrap();
        let before = files(dir.path());
        SummaryWriter::resume(dir.path(), 4).unwrap();
        assert_eq!(files(dir.path())[..before.len()], before, "the new one is the last");
    }
}

/// The number of records of a file, each of which is whole.
fn records(file: &[u8]) -> usize {
    let (mut rest, mut count) = (file, 0);
    while !rest.is_empty() {
        let length = u64::from_le_bytes(*rest.first_chunk().expect("a length")) as usize;
        rest = rest.get(12 + length + 4..).expect("as many bytes");
        count += 1;
    }
    count
}

/// A picture finds no room and the number after it does. It runs only as a process of its own.
#[test]
fn a_file_has_no_room() {
    let Some(dir) = env::var_os(DIR).map(PathBuf::from) else { return };
    let mut writer = SummaryWriter::new(&dir).unwrap();
    let noise = Tensor::uniform([200, 200], 0.0, 1.0, &mut Rng::seed(0));
    for step in 0..3 {
        let error = writer.add_image("noise", &noise, step).unwrap_err();
        assert!(error.reason.contains("File too large") || error.reason.contains("No space left"), "{error}");
        writer.add_scalar("loss", 0.5, step).unwrap();
        writer.flush().unwrap();
    }
    let file = fs::read(dir.join(&files(&dir)[0])).unwrap();
    assert_eq!(records(&file), 1 + 3);
    assert_eq!(file.windows(4).filter(|four| four == b"loss").count(), 3);
}

#[cfg(unix)]
#[test]
fn what_found_no_room_is_said_and_what_follows_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let limited = "trap '' XFSZ; ulimit -f 16; exec \"$@\"";
    passed(&in_shell(limited, "tensorboard::a_file_has_no_room", dir.path()));
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let taken = dir.path().join("taken");
    fs::write(&taken, "").unwrap();
    let error = SummaryWriter::new(taken.join("runs")).unwrap_err();
    assert!(error.to_string().contains("taken"), "{error}");
}

#[test]
fn a_value_that_is_no_shade_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = SummaryWriter::new(dir.path()).unwrap();
    let error = writer.add_image("x", &Tensor::from([[2.0]]), 1).unwrap_err();
    assert!(error.to_string().contains("a value of the image is 2"), "{error}");
}

#[test]
#[should_panic = "add_image: an image is [h, w], [1, h, w] or [3, h, w], not [4]"]
fn images_have_pixels() {
    let dir = tempfile::tempdir().unwrap();
    SummaryWriter::new(dir.path()).unwrap().add_image("x", &Tensor::zeros([4]), 1).unwrap();
}
