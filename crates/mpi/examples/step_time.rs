//! How long a training step takes, data, optimizer and communication with it: an MLP 784-1024-1024-10 or a simple
//! convolutional net, on random images in batches of 128.
//!
//! RAYON_NUM_THREADS=2 target/release/examples/step_time mlp 2
//! RAYON_NUM_THREADS=1 mpirun --bind-to none -n 2 target/release/examples/step_time mlp 1
//!
//! The number is that of shards on each rank; `split` behind it splits the optimizer's state. ddp.py is the same in PyTorch.

use gradus_autograd::prelude::*;
use gradus_mpi::MpiGroup;
use gradus_nn::{
    Adam, Conv2d, Flatten, Linear, MaxPool2d, Relu, Sequential,
    data::Dataset,
    group::{Group, GroupError},
    train::Trainer,
};
use std::{env, time::Instant};

const BATCH: usize = 128;
const STEPS: usize = 30;
const ROUNDS: usize = 7;

fn main() -> Result<(), GroupError> {
    let mut words = env::args().skip(1);
    let is_mlp = words.next().is_none_or(|word| word == "mlp");
    let shards = words.next().and_then(|word| word.parse().ok()).unwrap_or(1);
    let is_split = words.next().is_some_and(|word| word == "split");
    let mut group = MpiGroup::new()?;
    let rng = &mut Rng::seed(0);
    let mut net = if is_mlp {
        Sequential::new()
            .push(Flatten)
            .push(Linear::new(784, 1024, rng))
            .push(Relu)
            .push(Linear::new(1024, 1024, rng))
            .push(Relu)
            .push(Linear::new(1024, 10, rng))
    } else {
        Sequential::new()
            .push(Conv2d::new(1, 30, 5, rng))
            .push(Relu)
            .push(MaxPool2d::new(2))
            .push(Flatten)
            .push(Linear::new(30 * 12 * 12, 100, rng))
            .push(Relu)
            .push(Linear::new(100, 10, rng))
    };
    let images = Tensor::randn([BATCH * STEPS, 1, 28, 28], rng);
    let labels: Indices = (0..BATCH * STEPS).map(|_| rng.below(10) as i32).collect();
    let train = Dataset::new(images, labels);
    let mut trainer = Trainer::new(Adam::new(1e-4), BATCH, 1).shards(shards);
    if is_split {
        trainer = trainer.zero_redundancy();
    }
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        group.barrier()?;
        let start = Instant::now();
        trainer.group(&mut group).fit(&mut net, &train, 1, |y, labels| y.cross_entropy(labels), &mut [])?;
        times.push(start.elapsed().as_secs_f64() * 1e3 / STEPS as f64);
    }
    if group.rank() == 0 {
        times.sort_by(f64::total_cmp);
        let loss = trainer.history().column("loss").pop().unwrap_or(f64::NAN);
        println!(
            "{}, {} ranks x {shards} shards: median {:.2} ms, least {:.2} ms a step; last loss {loss}",
            if is_mlp { "mlp" } else { "conv" },
            group.size(),
            times[ROUNDS / 2],
            times[0]
        );
    }
    Ok(())
}
