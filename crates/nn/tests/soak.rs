//! A long run takes no more memory at its end than after its first quarter. 3000 steps here;
//! `GRADUS_SOAK=200000 cargo test --release -p gradus-nn --all-features --test suite soak -- --nocapture` is the long form.
#![cfg(target_os = "linux")]
#![expect(clippy::print_stdout, reason = "the long form says what it found")]

use gradus_autograd::prelude::*;
use gradus_nn::{
    Adam, BatchNorm2d, Conv2d, Dropout, Flatten, Layer, Linear, MaxPool2d, Optimizer, Relu, Sequential,
    data::digits,
};
use std::{env, fs, process::Command};

const CHILD: &str = "GRADUS_TEST_SOAK";

/// The kilobytes of memory that the process really has.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse().unwrap()
}

/// Trains with batches of many sizes, evaluates, and says what it takes. It runs only as a process of its own.
#[test]
fn steps() {
    let Ok(steps) = env::var(CHILD) else { return };
    let steps: usize = steps.parse().unwrap();
    let mut rng = Rng::seed(0);
    let mut net = Sequential::new()
        .push(Conv2d::new(1, 4, 3, &mut rng).padding(1))
        .push(BatchNorm2d::new(4))
        .push(Relu)
        .push(MaxPool2d::new(2))
        .push(Flatten)
        .push(Dropout::new(0.1))
        .push(Linear::new(4 * 16, 10, &mut rng));
    let data = digits::load();
    let (mut adam, mut tape) = (Adam::new(1e-3), Tape::training(1));
    let mut taken = Vec::new();
    for step in 1..=steps {
        let count = 2 + rng.below(15);
        let chosen: Vec<usize> = (0..count).map(|_| rng.below(1797)).collect();
        let batch = data.select(&chosen);
        let (loss, gradients, ()) = tape.step(|tape| {
            let x = tape.constant(batch.inputs().reshape([count, 1, 8, 8]));
            (net.forward(x).cross_entropy(batch.labels()), ())
        });
        adam.step(&mut net, &gradients);
        assert!(loss.is_finite());
        if step % 100 == 0 {
            drop(net.forward(data.inputs().slice(0, ..200).reshape([200, 1, 8, 8])));
        }
        if step % (steps / 4) == 0 {
            taken.push(resident());
        }
    }
    println!("{steps} steps: {taken:?} kilobytes after each quarter");
    // A heap that is used in other orders has other gaps.
    assert!(taken[3] <= taken[0] + 2048, "{taken:?}");
}

#[test]
fn a_long_run_has_flat_memory() {
    let steps = env::var("GRADUS_SOAK").unwrap_or("3000".to_owned());
    let mut command = Command::new(env::current_exe().unwrap());
    let run = command.args(["--exact", "soak::steps", "--nocapture"]).env(CHILD, steps).output().unwrap();
    let out = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{out}{}", String::from_utf8_lossy(&run.stderr));
    println!("{}", out.lines().find(|line| line.contains("kilobytes")).unwrap());
}
