//! Ctrl-C at any moment of a training run: the program saves and exits with 130, and goes on to the bits of a run that was
//! left alone.
#![cfg(unix)]

mod common;

use common::{example, example_command, text};
use gradus::nn::Checkpoints;
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// The whole run's last line, its newest checkpoint, and how long it took.
fn left_alone(folder: &Path, threads: &str) -> (String, Vec<u8>, Duration) {
    let start = Instant::now();
    let run = example_command("interrupted").arg(folder).env("RAYON_NUM_THREADS", threads).output().unwrap();
    assert!(run.status.success(), "{}", text(&run.stderr));
    (last_line(&run), newest(folder), start.elapsed())
}

fn last_line(run: &Output) -> String {
    text(&run.stdout).lines().last().unwrap_or_default().to_owned()
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
        let mut command = example_command("interrupted");
        command.arg(folder).env("RAYON_NUM_THREADS", threads).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        if let Some(&wait) = wait {
            sleep(wait);
        }
        if wait.is_some() && child.try_wait().unwrap().is_none() {
            let pid = child.id().to_string();
            assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        }
        let run = child.wait_with_output().unwrap();
        match run.status.code() {
            Some(0) => return (last_line(&run), newest(folder), interruptions),
            Some(130) => {
                assert!(last_line(&run).starts_with("stopped after step "), "{}", text(&run.stdout));
                // It came further, were it by one step.
                let steps = Checkpoints::new(folder, 3).numbers().unwrap().last().copied();
                assert!(steps > before, "from {before:?} to {steps:?}");
                before = steps;
                interruptions += 1;
            }
            // The signal came before there was a handler: nothing has begun.
            None => {}
            other => panic!("exit {other:?}: {}", text(&run.stderr)),
        }
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
    // Anywhere from the start of the process to what the whole run took.
    let rounds = std::env::var("GRADUS_INTERRUPTIONS").map_or(1, |rounds| rounds.parse::<u32>().unwrap());
    let mut interruptions = 0;
    for round in 0..rounds {
        let waits: Vec<Duration> = (1..8).map(|i| took * ((i * 37 + round * 11) % 60) / 60).collect();
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
