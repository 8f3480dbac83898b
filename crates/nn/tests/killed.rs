//! A process that is killed while it saves leaves the file of before or of after, and at most one other. 25 are killed here,
//! or as many as `GRADUS_KILLS` says.

#![expect(clippy::print_stdout, reason = "the long form says what it did")]

use gradus_nn::{State, load_tensors};
use gradus_tensor::Tensor;
use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

const DIR: &str = "GRADUS_TEST_KILLED";

/// Saves again and again, each time other numbers. It runs only as a process of its own, from the other test.
#[test]
fn save_until_killed() {
    let Some(dir) = env::var_os(DIR) else { return };
    let path = Path::new(&dir).join("run");
    for i in 0u32.. {
        let mut state = State::new();
        state.put("number", i);
        state.put_tensor("numbers", Tensor::full([200_000], i as f32));
        state.save(&path).unwrap();
    }
}

#[test]
fn whenever_a_process_is_killed_its_file_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let kills: u64 = env::var("GRADUS_KILLS").map_or(25, |kills| kills.parse().unwrap());
    for round in 0..kills {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "save_until_killed"])
            .env(DIR, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The first one must come to a first file.
        while !path.exists() {
            assert!(child.try_wait().unwrap().is_none(), "the process ended by itself");
            thread::sleep(Duration::from_millis(1));
        }
        // At another moment of saving each time, which takes some milliseconds.
        thread::sleep(Duration::from_micros(2_000 + 1_237 * (round % 25) + 41 * (round / 25)));
        child.kill().unwrap();
        child.wait().unwrap();
        let state = State::load(&path).unwrap();
        let number: f32 = state.get("number").unwrap();
        assert!(load_tensors(&path).unwrap()["numbers"].iter().all(|x| x == number));
        assert!(fs::read_dir(dir.path()).unwrap().count() <= 2, "what one left the next removes");
    }
    println!("{kills} processes were killed");
    State::new().save(&path).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
