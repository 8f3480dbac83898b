//! A run that Ctrl-C does not harm: it finishes the step, saves and exits with 130; the same command goes on from there, to
//! the same bits.
//!
//! ```text
//! cargo run --release --example interrupted -- folder-for-checkpoints
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

use gradus::{
    nn::{Checkpoints, data::digits},
    prelude::*,
};
use std::{
    env,
    error::Error,
    process::{ExitCode, exit},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

const EPOCHS: u64 = 30;
/// What shells report of a program that Ctrl-C (signal 2) has ended: 128 + 2.
const INTERRUPTED: u8 = 130;

static STOP: AtomicBool = AtomicBool::new(false);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("name a folder for the checkpoints")?;
    // The first Ctrl-C asks for the end, the second one has it at once.
    ctrlc::set_handler(|| {
        if STOP.swap(true, Relaxed) {
            exit(INTERRUPTED.into());
        }
    })?;

    let data = digits::load().map_inputs(|images| images.reshape([1797, 64]));
    let mut rng = Rng::seed(0);
    let mut net = Sequential::new()
        .push(Linear::new(64, 32, &mut rng))
        .push(BatchNorm1d::new(32))
        .push(Relu)
        .push(Dropout::new(0.2))
        .push(Linear::new(32, 10, &mut rng));
    let mut trainer = Trainer::new(Adam::new(0.01), 32, 1).stop_when(|| STOP.load(Relaxed));

    let checkpoints = Checkpoints::new(folder, 3);
    if let Some(state) = checkpoints.load_newest()? {
        trainer.restore(&state, &mut net)?;
    }
    println!("from step {}", trainer.steps());
    while trainer.epochs() < EPOCHS {
        trainer.fit(&mut net, &data, 1, |y, labels| y.cross_entropy(labels), &mut []);
        checkpoints.save(trainer.steps(), &trainer.state(&net))?;
        if trainer.is_stopped() {
            println!("stopped after step {}", trainer.steps());
            return Ok(ExitCode::from(INTERRUPTED));
        }
    }
    let last = trainer.history().records().last().ok_or("there is an epoch")?;
    println!(
        "loss {:.4}, hash {:016x}",
        last.get("loss").unwrap_or(f64::NAN),
        last.hash().unwrap_or_default()
    );
    Ok(ExitCode::SUCCESS)
}
