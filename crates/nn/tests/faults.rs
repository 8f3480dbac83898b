//! Faults of the system and of what users bring: a full disk, a folder that cannot be written, no memory, augmentation and
//! callbacks that fail. Each is said, and leaves what was there.

#![expect(clippy::print_stdout, reason = "what is skipped is said")]

use gradus_autograd::prelude::*;
use gradus_nn::{
    Adam, Checkpoints, DataError, Linear, State,
    data::{csv, npy},
    flatten, load_tensors,
    train::{Callback, Epoch, Progress, Trainer},
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::panics::panic_of;
use crate::training::{cross_entropy, flat_digits};

/// Names the folder in which a test of a process of its own works; without it that test does nothing.
pub(crate) const DIR: &str = "GRADUS_TEST_FAULTS";

/// Runs a test of this program by a shell that brings about the fault: `"$@"` is the test.
pub(crate) fn in_shell(fault: &str, test: &str, dir: &Path) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", fault, "sh"]).arg(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(DIR, dir).env("RAYON_NUM_THREADS", "1");
    command.output().unwrap()
}

/// That the test ran and passed, in its process.
pub(crate) fn passed(run: &Output) {
    let out = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && out.contains("1 passed"), "{out}");
}

/// Whether this user may mount file systems, in a view of them that no other process has.
fn may_mount() -> bool {
    let tried = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    let may = tried.is_ok_and(|tried| tried.status.success());
    if !may {
        println!("skipped: only the superuser may mount a file system for the test");
    }
    may
}

fn state(numbers: usize) -> State {
    let mut state = State::new();
    state.put_tensor("numbers", Tensor::full([numbers], 2.0));
    state
}

/// Has room for the small state and not for the large one. It runs only as a process of its own.
#[test]
fn the_disk_is_full() {
    let Some(dir) = env::var_os(DIR).map(PathBuf::from) else { return };
    let checkpoints = Checkpoints::new(dir.join("run"), 1);
    checkpoints.save(1, &state(1000)).unwrap();
    for number in 2..5 {
        let error = checkpoints.save(number, &state(100_000)).unwrap_err();
        assert_eq!(error.path, checkpoints.path(number));
        assert!(error.reason.contains("No space left") || error.reason.contains("File too large"), "{error}");
        // The last good one, and nothing half-written beside it.
        assert_eq!(checkpoints.load_newest().unwrap(), Some(state(1000)));
        assert_eq!(fs::read_dir(dir.join("run")).unwrap().count(), 1);
    }
    // In the place of the old one, too.
    checkpoints.save(1, &state(100_000)).unwrap_err();
    assert_eq!(checkpoints.load_newest().unwrap(), Some(state(1000)));
    assert!(npy::write(dir.join("array.npy"), &Tensor::zeros([100_000])).is_err());
    assert!(!dir.join("array.npy").exists());
    checkpoints.save(5, &state(1001)).unwrap();
    assert_eq!(checkpoints.numbers().unwrap(), [5]);
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_last_checkpoint() {
    // Files of 128 blocks of at most 1024 bytes; the signal is not waited for, so that writing fails.
    let dir = tempfile::tempdir().unwrap();
    let limited = "trap '' XFSZ; ulimit -f 128; exec \"$@\"";
    passed(&in_shell(limited, "faults::the_disk_is_full", dir.path()));
    if may_mount() {
        let dir = tempfile::tempdir().unwrap();
        let mount = format!(
            "exec unshare -m sh -c 'mount -t tmpfs -o size=200k none {} && exec \"$@\"' sh \"$@\"",
            dir.path().display()
        );
        passed(&in_shell(&mount, "faults::the_disk_is_full", dir.path()));
    }
}

/// A folder with a checkpoint cannot be written to. It runs only as a process of its own.
#[test]
fn the_folder_is_read_only() {
    let Some(dir) = env::var_os(DIR).map(PathBuf::from) else { return };
    let checkpoints = Checkpoints::new(&dir, 1);
    let newest = checkpoints.load_newest().unwrap();
    for number in [1, 2] {
        let error = checkpoints.save(number, &state(10)).unwrap_err();
        assert_eq!(error.path, checkpoints.path(number));
        assert!(error.reason.contains("Read-only file system"), "{error}");
    }
    assert_eq!((checkpoints.load_newest().unwrap(), checkpoints.numbers().unwrap()), (newest, vec![1]));
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_said_and_keeps_its_checkpoint() {
    if may_mount() {
        let dir = tempfile::tempdir().unwrap();
        Checkpoints::new(dir.path(), 1).save(1, &state(10)).unwrap();
        let at = dir.path().display();
        let mount = format!(
            "exec unshare -m sh -c 'mount --bind {at} {at} && mount -o remount,bind,ro {at} && exec \"$@\"' sh \"$@\""
        );
        passed(&in_shell(&mount, "faults::the_folder_is_read_only", dir.path()));
    }
}

/// Reads large files with so little memory more than it has that some of them cannot be. It runs only as a process of its own.
#[cfg(target_os = "linux")]
#[test]
fn there_is_no_memory() {
    let Some(dir) = env::var_os(DIR).map(PathBuf::from) else { return };
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    let taken: u64 = line.trim().strip_suffix("kB").unwrap().trim().parse().unwrap();
    // Half the file, one more half of it each time, then enough.
    let (mut refused, mut read) = (0, 0);
    for eighths in [4, 9, 13, 17, 21, 25, 100] {
        let limit = taken * 1024 + LARGE as u64 * 4 * eighths / 8;
        let pid = std::process::id().to_string();
        let set = Command::new("prlimit").args(["--pid", &pid, &format!("--as={limit}:unlimited")]).status();
        assert!(set.unwrap().success());
        let tries: [(_, Result<usize, DataError>); 2] = [
            (
                "state.safetensors",
                load_tensors(dir.join("state.safetensors")).map(|all| all["numbers"].numel()),
            ),
            ("array.npy", npy::read(dir.join("array.npy")).map(|array| array.numel())),
        ];
        for (name, tried) in tries {
            match tried {
                Ok(len) => {
                    assert_eq!(len, LARGE);
                    read += 1;
                }
                Err(error) => {
                    assert!(error.path.ends_with(name));
                    let says = ["memory", "which the system does not give"];
                    assert!(says.iter().any(|says| error.reason.contains(says)), "{error}");
                    refused += 1;
                }
            }
        }
        gradus_tensor::memory::trim();
    }
    assert!(refused >= 4 && read >= 2, "{refused} refused, {read} read");
}

const LARGE: usize = 20 << 20;

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_no_memory_is_there_for_is_an_error() {
    if Command::new("prlimit").arg("--version").output().is_err() {
        return println!("skipped: there is no prlimit");
    }
    let dir = tempfile::tempdir().unwrap();
    state(LARGE).save(dir.path().join("state.safetensors")).unwrap();
    npy::write(dir.path().join("array.npy"), &Tensor::zeros([LARGE])).unwrap();
    passed(&in_shell("exec \"$@\"", "faults::there_is_no_memory", dir.path()));
}

/// Takes from the superuser that everything may be read and written, where it can; nothing here waits for ever.
#[cfg(target_os = "linux")]
const AS_OTHERS: &str = "plain='setpriv --bounding-set=-dac_override,-dac_read_search'; \
                         $plain true || plain=; exec timeout 60 $plain \"$@\"";

/// A folder may be listed, and its files not looked at. It runs only as a process of its own.
#[test]
fn the_folder_may_only_be_listed() {
    let Some(dir) = env::var_os(DIR).map(PathBuf::from) else { return };
    let checkpoints = Checkpoints::new(&dir, 1);
    if fs::metadata(checkpoints.path(1)).is_ok() {
        return println!("skipped: the superuser may look everywhere");
    }
    let error = checkpoints.load_newest().unwrap_err();
    assert!(error.reason.contains("Permission denied"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_may_only_be_listed_is_said() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    Checkpoints::new(dir.path(), 1).save(1, &state(10)).unwrap();
    let set = |mode| fs::set_permissions(dir.path(), PermissionsExt::from_mode(mode)).unwrap();
    set(0o444);
    let run = in_shell(AS_OTHERS, "faults::the_folder_may_only_be_listed", dir.path());
    set(0o700);
    passed(&run);
}

/// A file may only be read, and a process was killed that replaced it. It runs only as a process of its own.
#[test]
fn the_file_may_only_be_read() {
    let Some(dir) = env::var_os(DIR).map(PathBuf::from) else { return };
    if fs::OpenOptions::new().write(true).open(dir.join("run")).is_ok() {
        return println!("skipped: the superuser may write everywhere");
    }
    state(10).save(dir.join("run")).unwrap();
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn what_was_left_beside_a_read_only_file_is_removed() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    for path in ["run", ".run.gradus-0"].map(|name| dir.path().join(name)) {
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
    }
    passed(&in_shell(AS_OTHERS, "faults::the_file_may_only_be_read", dir.path()));
}

/// The most memory that this process has had so far, in bytes.
#[cfg(target_os = "linux")]
fn most_memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse::<usize>().unwrap() * 1024
}

/// Reads files that are all header. It runs only as a process of its own.
#[cfg(target_os = "linux")]
#[test]
fn headers_are_read() {
    let Some(dir) = env::var_os(DIR).map(PathBuf::from) else { return };
    // What stands between the beginning and the end of a header, again and again, and how many times its size may be taken.
    let zero = |_: usize| String::from("0,");
    type Repeated<'a> = &'a dyn Fn(usize) -> String;
    let cases: [(&str, Repeated<'_>, &str, usize); 4] = [
        ("{\"x\":{\"dtype\":\"U8\",\"shape\":[", &zero, "0],\"data_offsets\":[0,0]}}", 2),
        ("{\"x\":{\"a\":[", &zero, "0]}}", 2),
        ("{\"__metadata__\":{", &|i| format!("\"{i}\":\"\","), "\"\":\"\"}}", 2),
        (
            "{",
            &|i| format!("\"{i}\":{{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}},"),
            "\"__metadata__\":{}}",
            16,
        ),
    ];
    for (begin, repeated, end, times) in cases {
        let mut header = String::from(begin);
        let mut count = 0;
        while header.len() < HEADER {
            header += &repeated(count);
            count += 1;
        }
        header += end;
        let path = dir.join("header.safetensors");
        fs::write(&path, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()).unwrap();
        drop(header);
        // From here on the most is counted anew.
        fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = most_memory();
        let read = load_tensors(&path).map(|tensors| tensors.len());
        let taken = most_memory() - before;
        println!("{begin}..: {read:?}, {} MB", taken >> 20);
        assert!(taken < times * HEADER, "{begin}..: {} MB", taken >> 20);
    }
}

#[cfg(target_os = "linux")]
const HEADER: usize = 8 << 20;

#[cfg(target_os = "linux")]
#[test]
fn a_header_takes_the_memory_of_a_few_of_itself() {
    let dir = tempfile::tempdir().unwrap();
    passed(&in_shell("exec \"$@\"", "faults::headers_are_read", dir.path()));
}

/// Saves a checkpoint into a folder that is not there yet. It runs only as a process of its own.
#[test]
fn one_checkpoint_is_saved() {
    let Some(dir) = env::var_os(DIR).map(PathBuf::from) else { return };
    Checkpoints::new(dir.join("a/run"), 1).save(1, &state(10)).unwrap();
}

/// After a power cut there is what the disk was told to keep: the file before it gets its name, then the name, and the names of
/// the folders that were made.
#[cfg(target_os = "linux")]
#[test]
fn a_checkpoint_and_its_folders_are_on_the_disk_when_it_is_saved() {
    if Command::new("strace").arg("--version").output().is_err() {
        return println!("skipped: there is no strace");
    }
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("calls");
    let calls = "/^(open|fsync|fdatasync|rename|mkdir)";
    let traced = format!("exec strace -f -y -qq -e 'trace={calls}' -o '{}' \"$@\"", log.display());
    let run = in_shell(&traced, "faults::one_checkpoint_is_saved", dir.path());
    if String::from_utf8_lossy(&run.stderr).contains("Operation not permitted") {
        return println!("skipped: this system does not let strace look");
    }
    passed(&run);
    let log = fs::read_to_string(log).unwrap();
    let folder = dir.path().join("a/run").display().to_string();
    // "7 fsync(3</tmp/x/a>) = 0" becomes "fsync /tmp/x/a"; of a rename the new name counts.
    let calls: Vec<String> = log
        .lines()
        .filter(|line| line.contains(&dir.path().display().to_string()) && line.ends_with("= 0"))
        .filter_map(|line| {
            let (name, rest) = line.split_once(' ')?.1.trim().split_once('(')?;
            let path = match name.starts_with("rename") {
                true => rest.rsplit('"').nth(1)?,
                false => rest.split(['<', '"']).nth(1)?.split(['>', '"']).next()?,
            };
            Some(format!(
                "{} {}",
                name.trim_end_matches("at2").trim_end_matches("at"),
                path.replace(&folder, "RUN")
            ))
        })
        .collect();
    let around = [dir.path().to_owned(), dir.path().join("a")].map(|path| path.display().to_string());
    let [name, temporary] = ["RUN/0000000001.safetensors", "RUN/.0000000001.safetensors.gradus-0"];
    let expected = [
        format!("mkdir {}", around[1]),
        format!("fsync {}", around[0]),
        "mkdir RUN".to_owned(),
        format!("fsync {}", around[1]),
        format!("fsync {temporary}"),
        format!("rename {name}"),
        "fsync RUN".to_owned(),
    ];
    assert_eq!(calls, expected, "{log}");
}

#[test]
fn what_never_ends_or_answers_is_not_read() {
    for path in ["/dev/full", "/dev/zero", "/dev/null"].map(Path::new).iter().filter(|path| path.exists()) {
        assert_eq!(load_tensors(path).unwrap_err().reason, "is no regular file");
        assert_eq!(csv::read(path).unwrap_err().reason, "is no regular file");
        assert_eq!(state(10).save(path).unwrap_err().reason, "is no regular file");
    }
}

/// Fails after a batch.
struct Fails(usize);

impl<M> Callback<M> for Fails {
    fn on_batch(&mut self, progress: &Progress) {
        assert!(progress.batch != self.0, "the log is full");
    }

    fn on_epoch(&mut self, _: &mut Epoch<'_, M>) {}
}

/// What brings the examples and what watches fail in the third batch: the model is as after the second or third step, the
/// history has whole epochs, and the trainer can be saved and go on with another epoch.
#[test]
fn a_loader_or_a_callback_that_fails_ends_the_run_in_order() {
    let (train, _) = flat_digits();
    let after = |steps: usize| {
        let (mut net, mut trainer) =
            (Linear::new(64, 10, &mut Rng::seed(1)), Trainer::new(Adam::new(0.01), 280, 5));
        let left = std::cell::Cell::new(steps);
        trainer = trainer.stop_when(move || {
            left.set(left.get() - 1);
            left.get() == 0
        });
        trainer.fit(&mut net, &train, 2, cross_entropy, &mut []);
        flatten(&net)
    };
    for loader in [true, false] {
        let (mut net, mut trainer) =
            (Linear::new(64, 10, &mut Rng::seed(1)), Trainer::new(Adam::new(0.01), 280, 5));
        trainer.fit(&mut net, &train, 1, cross_entropy, &mut []);
        let count = std::cell::Cell::new(0);
        if loader {
            trainer = trainer.augment(move |x, _| {
                count.set(count.get() + 1);
                assert!(count.get() != 3, "the third batch is lost");
                x.clone()
            });
        }
        let mut fails = Fails(if loader { 0 } else { 3 });
        let (text, ..) = panic_of(|| trainer.fit(&mut net, &train, 1, cross_entropy, &mut [&mut fails]));
        assert_eq!(text, if loader { "the third batch is lost" } else { "the log is full" });
        let steps = if loader { 5 + 2 } else { 5 + 3 };
        assert_eq!((trainer.epochs(), trainer.steps()), (1, steps));
        assert_eq!(flatten(&net), after(steps as usize), "as after step {steps}");
        let (state, mut copy) = (trainer.state(&net), Linear::new(64, 10, &mut Rng::seed(2)));
        let mut later = Trainer::new(Adam::new(0.01), 280, 6);
        later.restore(&state, &mut copy).unwrap();
        for (trainer, net) in [(&mut trainer, &mut net), (&mut later, &mut copy)] {
            trainer.fit(net, &train, 2, cross_entropy, &mut []);
            assert_eq!((trainer.epochs(), trainer.steps()), (3, steps + 10));
        }
        assert_eq!(flatten(&net), flatten(&copy));
    }
}
