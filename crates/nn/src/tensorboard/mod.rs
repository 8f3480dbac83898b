//! Training logs for TensorBoard: event files.

mod proto;
mod records;

use crate::{
    data::images::encode_tensor,
    save::DataError,
    train::{Callback, Distributions, Epoch, Kind, Progress, Record, Snapshot},
};
use gradus_tensor::Tensor;
use prost::Message;
use proto::{Event, Histogram, Image, SessionLog, Shown, Summary, Value, What};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Seek, SeekFrom, Write},
    mem,
    path::{Path, PathBuf},
    process,
    time::SystemTime,
};

/// Writes numbers, histograms and images of a run for TensorBoard, into an event file in a folder: `tensorboard --logdir FOLDER`.
///
/// It is a [`Callback`] of a trainer: after each epoch it writes all metrics that are in the record by then, so it stands behind the callbacks
/// that put them in. With [`each_batch`](SummaryWriter::each_batch) it writes the losses of batches too. In a group rank 0 alone writes. A failure ends no training: it is kept, and [`flush`](SummaryWriter::flush) returns
/// it.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Adam, Linear, data::digits, tensorboard::SummaryWriter, train::Trainer};
///
/// # let dir = tempfile::tempdir()?;
/// # let folder = dir.path().join("runs/first");
/// let digits = digits::load().map_inputs(|images| images.reshape([1797, 64]));
/// let mut net = Linear::new(64, 10, &mut Rng::seed(0));
/// let mut trainer = Trainer::new(Adam::new(0.01), 100, 1);
///
/// let mut writer = SummaryWriter::new(&folder)?; // runs/first
/// trainer.fit(&mut net, &digits, 2, |y, labels| y.cross_entropy(labels), &mut [&mut writer]);
/// writer.add_histogram("weight", net.weight.value(), trainer.epochs())?;
/// writer.add_image("first digit", &digits.inputs().select(0, 0).reshape([8, 8]), trainer.epochs())?;
/// writer.flush()?;
/// # assert_eq!(std::fs::read_dir(&folder)?.count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SummaryWriter {
    file: File,
    path: PathBuf,
    /// Records that the system does not have yet.
    waiting: Vec<u8>,
    /// The length of the file, up to the end of a record.
    len: u64,
    /// What failed while a trainer called.
    failed: Option<DataError>,
    /// The batches of the run so far, where a trainer's steps count these.
    batches: Option<u64>,
}

impl SummaryWriter {
    /// A new event file in the folder, which is made if it is not there. TensorBoard shows all files of a folder as one run.
    ///
    /// # Errors
    /// When the folder or the file cannot be made.
    pub fn new(folder: impl AsRef<Path>) -> Result<SummaryWriter, DataError> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(|error| DataError::new(folder, error))?;
        let (path, file) = create(folder)?;
        let mut writer =
            SummaryWriter { file, path, waiting: Vec::new(), len: 0, failed: None, batches: None };
        writer.write(0, What::FileVersion("brain.Event:2".into()))?;
        writer.flush()?;
        Ok(writer)
    }

    /// A new event file that goes on where a run was saved: TensorBoard drops what earlier files of the folder have from this step on, as of
    /// epochs that were trained after the last checkpoint and are trained again. It does so for all tags, so their steps must count the same:
    /// epochs, or batches, if a trainer calls.
    ///
    /// # Errors
    /// As [`new`](SummaryWriter::new).
    pub fn resume(folder: impl AsRef<Path>, step: u64) -> Result<SummaryWriter, DataError> {
        let mut writer = SummaryWriter::new(folder)?;
        writer.write(step, What::SessionLog(SessionLog { status: proto::START }))?;
        writer.flush()?;
        Ok(writer)
    }

    /// As a callback writes the loss of each batch too, as `batch_loss`. Its steps are then batches, counted over the whole run, those of the
    /// epochs' metrics as well: a run that [goes on](SummaryWriter::resume) after epoch `e` of `b` batches each does so at step `e b + 1`.
    ///
    /// ```
    /// # use gradus_autograd::prelude::*;
    /// # use gradus_nn::{Adam, Linear, data::digits, tensorboard::SummaryWriter, train::Trainer};
    /// # let dir = tempfile::tempdir()?;
    /// # let digits = digits::load().map_inputs(|images| images.reshape([1797, 64]));
    /// # let (mut net, mut trainer) = (Linear::new(64, 10, &mut Rng::seed(0)), Trainer::new(Adam::new(0.01), 100, 1));
    /// let mut writer = SummaryWriter::new(dir.path())?.each_batch(); // batch_loss at 1 to 36, loss and lr at 18 and 36
    /// trainer.fit(&mut net, &digits, 2, |y, labels| y.cross_entropy(labels), &mut [&mut writer]);
    /// writer.flush()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn each_batch(mut self) -> SummaryWriter {
        self.batches = Some(0);
        self
    }

    /// Writes a number, as an f32. Tags with a common beginning up to a slash, as `loss/train` and `loss/validation`, are shown together.
    ///
    /// # Errors
    /// When it cannot be written, as all that follow. What was on its way then is lost, and what is written later is read: the file has
    /// whole records.
    pub fn add_scalar(&mut self, tag: &str, value: f64, step: u64) -> Result<(), DataError> {
        self.show(step, [(tag.to_owned(), Shown::Scalar(value as f32))])
    }

    /// Writes all metrics of an epoch, by their names.
    pub fn add_record(&mut self, record: &Record, step: u64) -> Result<(), DataError> {
        self.show(step, record.iter().map(|(name, value)| (name.to_owned(), Shown::Scalar(value as f32))))
    }

    /// Writes how the finite elements of a tensor are spread, in 30 buckets; nothing where none is finite.
    pub fn add_histogram(&mut self, tag: &str, tensor: &Tensor, step: u64) -> Result<(), DataError> {
        self.show(step, histogram(&Snapshot::of(step, tensor)).map(|shown| (tag.to_owned(), shown)))
    }

    /// Writes the newest histogram of each series, with its step: `weights/conv1.weight`, `gradients/conv1.weight`, `activations/relu`.
    pub fn add_distributions(&mut self, distributions: &Distributions) -> Result<(), DataError> {
        for series in distributions.series() {
            let folder = match series.kind {
                Kind::Weight => "weights",
                Kind::Gradient => "gradients",
                Kind::Activation => "activations",
            };
            let Some(newest) = series.snapshots().last() else { continue };
            self.show(
                newest.step,
                histogram(newest).map(|shown| (format!("{folder}/{}", series.name), shown)),
            )?;
        }
        Ok(())
    }

    /// Writes an image as [`images::write`](crate::data::images::write) does: `[h, w]` or `[1, h, w]`, or in colours `[3, h, w]`, with
    /// values in 0..=1.
    ///
    /// # Errors
    /// When a value is not in 0..=1, too.
    ///
    /// # Panics
    /// When the image has another shape, or no pixels.
    #[track_caller]
    pub fn add_image(&mut self, tag: &str, image: &Tensor, step: u64) -> Result<(), DataError> {
        let encoded =
            encode_tensor("add_image", image).map_err(|reason| DataError::new(&self.path, reason))?;
        let channels = if image.rank() == 3 { image.size(0) } else { 1 };
        let [height, width] = [image.size(-2), image.size(-1)].map(|side| side as i32);
        let image = Image { height, width, colorspace: channels as i32, encoded };
        self.show(step, [(tag.to_owned(), Shown::Image(image))])
    }

    /// Hands all that was written to the system, so that TensorBoard sees it. Dropping the writer does so too, but cannot tell of failures.
    ///
    /// # Errors
    /// When this fails, or something failed while a trainer called; that is told once.
    pub fn flush(&mut self) -> Result<(), DataError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.hand_over()
    }

    /// Gives what waits to the system.
    fn hand_over(&mut self) -> Result<(), DataError> {
        let waiting = mem::take(&mut self.waiting);
        match self.file.write_all(&waiting) {
            Ok(()) => self.len += waiting.len() as u64,
            Err(error) => {
                // Behind half a record no reader finds the next one. The first error is the one to tell.
                let _ = self.file.set_len(self.len).and_then(|()| self.file.seek(SeekFrom::Start(self.len)));
                return Err(DataError::new(&self.path, error));
            }
        }
        Ok(())
    }

    /// What a trainer has called for, on the rank that writes, unless something failed before.
    fn called(&mut self, rank: usize, write: impl FnOnce(&mut SummaryWriter) -> Result<(), DataError>) {
        if rank == 0 && self.failed.is_none() {
            self.failed = write(self).err();
        }
    }

    fn show(
        &mut self,
        step: u64,
        values: impl IntoIterator<Item = (String, Shown)>,
    ) -> Result<(), DataError> {
        let value = |(tag, shown)| Value { tag, shown: Some(shown) };
        let value: Vec<Value> = values.into_iter().map(value).collect();
        if value.is_empty() { Ok(()) } else { self.write(step, What::Summary(Summary { value })) }
    }

    fn write(&mut self, step: u64, what: What) -> Result<(), DataError> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let event = Event {
            wall_time: since.map_or(0.0, |since| since.as_secs_f64()),
            step: step as i64,
            what: Some(what),
        };
        self.waiting.extend(records::record(&event.encode_to_vec()));
        if self.waiting.len() < MOST_WAITING { Ok(()) } else { self.hand_over() }
    }
}

/// So many bytes are worth a call of the system.
const MOST_WAITING: usize = 8 << 10;

impl Drop for SummaryWriter {
    fn drop(&mut self) {
        let _ = self.hand_over();
    }
}

impl<M> Callback<M> for SummaryWriter {
    fn on_batch(&mut self, progress: &Progress) {
        if let Some(batches) = &mut self.batches {
            let step = (progress.epoch - 1) * progress.batches as u64 + progress.batch as u64;
            *batches = step;
            self.called(progress.rank, |writer| writer.add_scalar("batch_loss", progress.loss, step));
        }
    }

    fn on_epoch(&mut self, epoch: &mut Epoch<'_, M>) {
        let step = self.batches.unwrap_or(epoch.number);
        self.called(epoch.rank(), |writer| {
            writer.add_record(&epoch.record, step)?;
            writer.flush()
        });
    }
}

/// What the names of event files begin with; seconds since 1970 follow, in ten digits.
const PREFIX: &str = "events.out.tfevents.";

/// A new file, whose name begins with the time. TensorBoard reads the files of a folder in the order of their names, and none that comes
/// before one that it has read.
fn create(folder: &Path) -> Result<(PathBuf, File), DataError> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // Behind the files of a process that ended within this second, or before the clock was set back.
    let newest = newest(folder).map_err(|error| DataError::new(folder, error))?;
    let seconds = newest.map_or(0, |newest| newest + 1).max(since.as_secs());
    for number in 0..1000 {
        // As the names of others: time, machine, process, number.
        let name = format!("{PREFIX}{seconds:010}.gradus.{}.{number:03}", process::id());
        let path = folder.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(DataError::new(&path, error)),
        }
    }
    Err(DataError::new(folder, "has too many event files of this second"))
}

/// The time in the last name of an event file.
fn newest(folder: &Path) -> io::Result<Option<u64>> {
    let mut newest = None;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let time = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.get(..10)?.parse().ok());
        newest = newest.max(time);
    }
    Ok(newest)
}

fn histogram(snapshot: &Snapshot) -> Option<Shown> {
    let found = snapshot.statistics;
    let (min, max) = (f64::from(found.min), f64::from(found.max));
    let num = snapshot.counts.iter().sum::<usize>() as f64;
    if num == 0.0 {
        return None;
    }
    let bins = snapshot.counts.len() as f64;
    let (bucket_limit, bucket) = match max > min {
        true => {
            let limit =
                |i: usize| if i == snapshot.counts.len() { max } else { min + (max - min) * i as f64 / bins };
            (
                (1..=snapshot.counts.len()).map(limit).collect(),
                snapshot.counts.iter().map(|&n| n as f64).collect(),
            )
        }
        false => (vec![max], vec![num]),
    };
    let (sum, sum_squares) = (found.mean * num, found.rms * found.rms * num);
    Some(Shown::Histogram(Histogram { min, max, num, sum, sum_squares, bucket_limit, bucket }))
}

#[cfg(test)]
mod tests {
    use super::{Value, *};
    use crate::{Linear, Sgd, data::Dataset, group::LocalGroup, train::Trainer};
    use gradus_autograd::prelude::*;
    use std::collections::BTreeMap;

    /// As TensorBoard's own writer writes the same events: tests/golden/events.py.
    #[test]
    fn the_bytes_are_those_of_tensorboards_writer() {
        let image = Image { height: 1, width: 2, colorspace: 3, encoded: vec![0, 1, 2, 255] };
        let histogram = histogram(&Snapshot::of(0, &Tensor::from([0.0, 1.0, 1.0, 3.0, f32::NAN]))).unwrap();
        let same = super::histogram(&Snapshot::of(0, &Tensor::from([-2.5, -2.5]))).unwrap();
        let value = |tag: &str, shown: Shown| Value { tag: tag.into(), shown: Some(shown) };
        let events = [
            (0, What::FileVersion("brain.Event:2".into())),
            (0, What::Summary(Summary { value: vec![value("loss", Shown::Scalar(0.0))] })),
            (
                300,
                What::Summary(Summary {
                    value: vec![
                        value("été/loss", Shown::Scalar(-1.5e-3)),
                        value("lost", Shown::Scalar(f32::INFINITY)),
                    ],
                }),
            ),
            (1, What::Summary(Summary { value: vec![value("picture", Shown::Image(image))] })),
            (2, What::Summary(Summary { value: vec![value("spread", histogram), value("same", same)] })),
            (1 << 40, What::SessionLog(SessionLog { status: proto::START })),
        ];
        let mut bytes = Vec::new();
        for (i, (step, what)) in events.into_iter().enumerate() {
            let event = Event { wall_time: 1.7e9 + 0.25 * i as f64, step, what: Some(what) };
            bytes.extend(records::record(&event.encode_to_vec()));
        }
        let golden = include_bytes!("../../tests/golden/events.tfevents");
        assert!(bytes == golden, "{} bytes for {}", bytes.len(), golden.len());
    }

    /// The steps at which a file has each tag.
    fn steps(path: &Path) -> BTreeMap<String, Vec<i64>> {
        let (bytes, mut at, mut found) = (fs::read(path).unwrap(), 0, BTreeMap::<String, Vec<i64>>::new());
        while at < bytes.len() {
            let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
            let event = Event::decode(&bytes[at + 12..][..length]).unwrap();
            if let Some(What::Summary(summary)) = event.what {
                summary
                    .value
                    .into_iter()
                    .for_each(|value| found.entry(value.tag).or_default().push(event.step));
            }
            at += 12 + length + 4;
        }
        found
    }

    #[test]
    fn each_batch_is_a_step_over_the_whole_run_and_rank_0_alone_writes() {
        let data = Dataset::new(Tensor::ones([7, 1]), Tensor::ones([7, 1]));
        let files = LocalGroup::run(2, |mut group| {
            let dir = tempfile::tempdir().unwrap();
            let mut writer = SummaryWriter::new(dir.path()).unwrap().each_batch();
            let mut net = Linear::new(1, 1, &mut Rng::seed(0));
            let mut trainer = Trainer::new(Sgd::new(0.01), 3, 1);
            for _ in 0..2 {
                let run = &mut trainer.group(&mut group);
                run.fit(&mut net, &data, 1, |y, _| y.square().mean(), &mut [&mut writer]).unwrap();
            }
            writer.flush().unwrap();
            steps(&writer.path)
        });
        let expected = [("batch_loss", vec![1, 2, 3, 4, 5, 6]), ("loss", vec![3, 6]), ("lr", vec![3, 6])];
        assert_eq!(files[0], expected.map(|(tag, steps)| (tag.to_owned(), steps)).into());
        assert!(files[1].is_empty());
    }

    #[test]
    fn nothing_finite_is_no_histogram() {
        assert!(histogram(&Snapshot::of(0, &Tensor::from([f32::NAN]))).is_none());
        assert!(histogram(&Snapshot::of(0, &Tensor::zeros([0]))).is_none());
    }
}
