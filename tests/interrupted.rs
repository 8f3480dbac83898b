//! Ctrl-C at any moment of a training run: the program saves and exits with 130, and goes on to the bits of a run that was
//! left alone.
#![cfg(unix)]
#![expect(clippy::print_stdout, reason = "the long form says what it did")]

mod common;

use common::{example, example_command, text};
use gradus::nn::Checkpoints;
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// A run that has begun: it has a handler for the signal, and says so with its first line.
fn begin(folder: &Path, threads: &str) -> (Child, BufReader<impl Read>) {
    let mut command = example_command("interrupted");
    command.arg(folder).env("RAYON_NUM_THREADS", threads).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert!(line.starts_with("from step "), "{line}");
    (child, out)
}

/// Its last line and its exit code, once it has ended.
fn end((mut child, mut out): (Child, BufReader<impl Read>)) -> (String, Option<i32>) {
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    (text.lines().last().unwrap_or_default().to_owned(), child.wait().unwrap().code())
}

/// The whole run's last line, its newest checkpoint, and how long it took.
fn left_alone(folder: &Path, threads: &str) -> (String, Vec<u8>, Duration) {
    let run = begin(folder, threads);
    let start = Instant::now();
    let (line, code) = end(run);
    assert_eq!(code, Some(0), "{line}");
    (line, newest(folder), start.elapsed())
}

fn newest(folder: &Path) -> Vec<u8> {
    let checkpoints = Checkpoints::new(folder, 3);
    let numbers = checkpoints.numbers().unwrap();
    assert!((1..=3).contains(&numbers.len()), "{numbers:?}");
    assert_eq!(fs::read_dir(folder).unwrap().count(), numbers.len(), "nothing else is left there");
    fs::read(checkpoints.path(numbers[numbers.len() - 1])).unwrap()
}

/// Runs that are interrupted after these times, and one that is not; how often they really were.
fn interrupted(folder: &Path, waits: &[Duration], threads: &str) -> (String, Vec<u8>, usize) {
    let (mut interruptions, mut before) = (0, None);
    for wait in waits.iter().map(Some).chain([None]) {
        let run = begin(folder, threads);
        if let Some(&wait) = wait {
            sleep(wait);
            // It may have come to its end.
            let _ = Command::new("kill").args(["-INT", &run.0.id().to_string()]).output().unwrap();
        }
        let (line, code) = end(run);
        if code == Some(0) {
            return (line, newest(folder), interruptions);
        }
        assert!(code == Some(130) && line.starts_with("stopped after step "), "exit {code:?}: {line}");
        // It came further, were it by one step.
        let steps = Checkpoints::new(folder, 3).numbers().unwrap().last().copied();
        assert!(steps > before, "from {before:?} to {steps:?}");
        before = steps;
        interruptions += 1;
    }
    panic!("no run came to an end");
}

#[test]
fn an_interrupted_run_ends_with_the_bits_of_one_that_was_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (line, file, took) = left_alone(&at("whole"), "1");
    let (line2, file2, _) = left_alone(&at("whole2"), "2");
    assert!(line == line2 && file == file2, "{line} with one thread, {line2} with two");
    // At many moments of the first third of what is left each time.
    let rounds = std::env::var("GRADUS_INTERRUPTIONS").map_or(1, |rounds| rounds.parse::<u32>().unwrap());
    let mut interruptions = 0;
    for round in 0..rounds {
        let waits: Vec<Duration> = (0..7).map(|i| took * ((i * 37 + round * 11) % 60) / 180).collect();
        let folder = at(&format!("interrupted-{round}"));
        let (again, same, times) = interrupted(&folder, &waits, if round % 2 == 0 { "2" } else { "1" });
        assert_eq!(again, line);
        assert!(same == file, "the same hash and another file");
        interruptions += times;
    }
    assert!(interruptions >= rounds as usize, "interrupted {interruptions} times in {rounds} rounds");
    println!("{interruptions} interruptions in {rounds} rounds");
}

#[test]
fn what_it_cannot_do_without_is_asked_for() {
    let run = example("interrupted", &[]);
    assert!(!run.status.success());
    assert!(text(&run.stderr).contains("name a folder for the checkpoints"));
}
