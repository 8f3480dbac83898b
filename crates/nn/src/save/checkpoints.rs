//! The checkpoints of a run in a folder: the newest few of them.

use super::{
    DataError, State,
    file::{create_folders, remove_leftovers},
};
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// A folder of checkpoints, `NUMBER.safetensors`, of which the newest are kept.
///
/// Each is written whole or not at all ([`write_atomically`](crate::write_atomically)), and older ones are removed only
/// after that: whenever the process is killed or the disk is full, the last good one is there. Several processes may save to a
/// folder and load from it at the same time; what has the name of a checkpoint and is no regular file is none.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Adam, Checkpoints, Linear, data::digits, train::Trainer};
///
/// # let dir = tempfile::tempdir()?;
/// # let folder = dir.path().join("run");
/// let data = digits::load().map_inputs(|images| images.reshape([1797, 64]));
/// let checkpoints = Checkpoints::new(&folder, 3);
/// let mut net = Linear::new(64, 10, &mut Rng::seed(0));
/// let mut trainer = Trainer::new(Adam::new(0.01), 100, 1); // .stop_when(..)
///
/// // The same lines begin a run and go on with one.
/// if let Some(state) = checkpoints.load_newest()? {
///     trainer.restore(&state, &mut net)?;
/// }
/// while trainer.epochs() < 5 && !trainer.is_stopped() {
///     trainer.fit(&mut net, &data, 1, |y, labels| y.cross_entropy(labels), &mut []);
///     checkpoints.save(trainer.steps(), &trainer.state(&net))?;
/// }
/// assert_eq!(checkpoints.numbers()?, [54, 72, 90]); // of 18 steps an epoch
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    keep: usize,
}

const EXTENSION: &str = "safetensors";

impl Checkpoints {
    /// In this folder, which the first [`save`](Checkpoints::save) makes; the newest `keep` of them.
    ///
    /// # Panics
    /// When `keep` is 0.
    #[track_caller]
    pub fn new(folder: impl AsRef<Path>, keep: usize) -> Checkpoints {
        assert!(keep > 0, "checkpoints: at least one must be kept");
        let folder = folder.as_ref();
        // Files are named after it either way, but only the second can be listed.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        Checkpoints { folder: folder.to_owned(), keep }
    }

    /// Saves a state under a number that grows, such as that of the step, and removes the oldest when there are more than are
    /// to be kept; never the one that was saved now. A number that is there is saved anew. Before that it removes what
    /// processes that were killed left here of checkpoints of any number.
    ///
    /// # Errors
    /// When the state cannot be written: the others are all there then. When an old one cannot be removed: the new one is
    /// there then.
    pub fn save(&self, number: u64, state: &State) -> Result<(), DataError> {
        create_folders(&self.folder).map_err(|error| DataError::new(&self.folder, error))?;
        // The run that goes on may never come to the number at which the one before was killed.
        remove_leftovers(&self.folder, |name| self.number(Path::new(name)).is_some());
        // Those that were there before: what others save meanwhile is theirs, or two that save at once would remove each other's.
        let before = self.numbers();
        state.save(self.path(number))?;
        let others: Vec<u64> = before?.into_iter().filter(|&other| other != number).collect();
        for &old in &others[..(others.len() + 1).saturating_sub(self.keep)] {
            let path = self.path(old);
            match fs::remove_file(&path) {
                // Another process that saves here has removed it.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed.map_err(|error| DataError::new(&path, error))?,
            }
        }
        Ok(())
    }

    /// The numbers of all that are there, the oldest first; none when there is no folder yet.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn numbers(&self) -> Result<Vec<u64>, DataError> {
        let wrong = |error| DataError::new(&self.folder, error);
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(wrong)?,
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let entry = entry.map_err(wrong)?;
            let path = entry.path();
            let is_file = || match entry.file_type() {
                Ok(kind) if kind.is_symlink() => fs::metadata(&path).is_ok_and(|found| found.is_file()),
                kind => kind.is_ok_and(|kind| kind.is_file()),
            };
            // What has another name, or is a folder or a pipe, is not ours, and never removed.
            numbers.extend(self.number(&path).filter(|_| is_file()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Loads the one of the greatest number; none when there are none.
    ///
    /// # Errors
    /// When it cannot be read. [`Checkpoints::numbers`] and [`Checkpoints::path`] lead to the others.
    pub fn load_newest(&self) -> Result<Option<State>, DataError> {
        loop {
            let Some(&newest) = self.numbers()?.last() else { return Ok(None) };
            let path = self.path(newest);
            match State::load(&path) {
                // Another process has saved a newer one meanwhile, and removed this.
                // (Whether it is there cannot always be said, in a folder that may be listed and no more.)
                Err(_) if matches!(path.try_exists(), Ok(false)) => {}
                loaded => return loaded.map(Some),
            }
        }
    }

    /// The file of a number.
    pub fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:010}.{EXTENSION}"))
    }

    /// The number of a file, if its name is that of a checkpoint.
    fn number(&self, path: &Path) -> Option<u64> {
        let number = path.file_stem()?.to_str()?.parse().ok()?;
        (path.file_name() == self.path(number).file_name()).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(number: u64) -> State {
        let mut state = State::new();
        state.put("number", number);
        state
    }

    #[test]
    fn the_newest_are_kept_and_what_is_not_ours_stays() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/run");
        let checkpoints = Checkpoints::new(&folder, 2);
        assert_eq!(checkpoints.numbers().unwrap(), [0; 0]);
        assert_eq!(checkpoints.load_newest().unwrap(), None);
        fs::create_dir_all(&folder).unwrap();
        let strangers = ["1.safetensors", "notes.txt", "best.safetensors", "0000000001.pt"];
        strangers.iter().for_each(|name| fs::write(folder.join(name), "mine").unwrap());
        for number in [9, 10, 5_000_000_000, 12_345_678_901] {
            checkpoints.save(number, &state(number)).unwrap();
            assert_eq!(checkpoints.load_newest().unwrap(), Some(state(number)));
        }
        assert_eq!(checkpoints.numbers().unwrap(), [5_000_000_000, 12_345_678_901]);
        assert!(strangers.iter().all(|name| fs::read(folder.join(name)).unwrap() == b"mine"));
        // One that goes back, as after a restore of an older one, is not what is removed.
        checkpoints.save(7, &state(7)).unwrap();
        assert_eq!(checkpoints.numbers().unwrap(), [7, 12_345_678_901]);
    }

    #[test]
    fn a_failed_save_removes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(dir.path(), 1);
        checkpoints.save(1, &state(1)).unwrap();
        fs::create_dir(checkpoints.path(2)).unwrap();
        let error = checkpoints.save(2, &state(2)).unwrap_err();
        assert_eq!((error.path, error.reason), (checkpoints.path(2), "is no regular file".to_owned()));
        assert_eq!(State::load(checkpoints.path(1)).unwrap(), state(1));
    }

    #[test]
    fn what_killed_processes_left_of_other_numbers_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(dir.path(), 1);
        let left = [".0000000003.safetensors.gradus-0", ".12345678901.safetensors.gradus-17"];
        let others = [
            ".notes.txt.gradus-0",
            ".3.safetensors.gradus-0",
            ".0000000003.safetensors.gradus-x",
            ".0000000003.safetensors.gradus-+1",
            "0000000003.safetensors.gradus-0",
            ".0000000004.safetensors.gradus-0",
        ];
        left.iter().chain(&others).for_each(|name| fs::write(dir.path().join(name), "half of a fi").unwrap());
        // A living process writes the last one.
        let held = fs::File::open(dir.path().join(others[5])).unwrap();
        held.lock().unwrap();
        checkpoints.save(5, &state(5)).unwrap();
        assert!(left.iter().all(|name| !dir.path().join(name).exists()));
        assert!(others.iter().all(|name| dir.path().join(name).exists()));
    }

    #[test]
    fn what_is_no_file_is_no_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(dir.path(), 1);
        fs::create_dir(checkpoints.path(7)).unwrap();
        #[cfg(unix)]
        let _held = {
            std::os::unix::fs::symlink("nowhere", checkpoints.path(8)).unwrap();
            std::os::unix::net::UnixListener::bind(checkpoints.path(9)).unwrap()
        };
        assert_eq!(checkpoints.load_newest().unwrap(), None);
        for number in [1, 2] {
            checkpoints.save(number, &state(number)).unwrap();
            assert_eq!(checkpoints.numbers().unwrap(), [number]);
            assert_eq!(checkpoints.load_newest().unwrap(), Some(state(number)));
        }
        assert!(checkpoints.path(7).is_dir());
    }

    #[test]
    fn several_that_save_and_load_do_not_disturb_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(dir.path().join("run"), 1);
        checkpoints.save(0, &state(0)).unwrap();
        std::thread::scope(|scope| {
            let savers: Vec<_> = (0..3u64)
                .map(|saver| {
                    let checkpoints = &checkpoints;
                    scope.spawn(move || {
                        for round in 1..12 {
                            let number = 3 * round + saver;
                            checkpoints.save(number, &state(number)).unwrap();
                        }
                    })
                })
                .collect();
            while savers.iter().any(|saver| !saver.is_finished()) {
                assert!(checkpoints.load_newest().unwrap().is_some(), "there always is one");
            }
        });
        // Of those that were saved at once more may be left, which the next one removes.
        checkpoints.save(1000, &state(1000)).unwrap();
        assert_eq!(checkpoints.numbers().unwrap(), [1000]);
    }

    #[test]
    fn no_folder_is_the_one_where_the_program_runs() {
        assert_eq!(Checkpoints::new("", 1).path(7), Path::new("./0000000007.safetensors"));
        assert_eq!(Checkpoints::new("", 1).numbers().unwrap(), [0; 0]);
    }

    #[test]
    #[should_panic = "checkpoints: at least one must be kept"]
    fn none_is_too_few() {
        Checkpoints::new("run", 0);
    }
}
