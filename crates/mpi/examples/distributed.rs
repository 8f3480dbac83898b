//! Trains on every rank that `mpirun` starts: the digits' net, with batch normalisation and dropout, or a small GPT on the
//! README of gradus.
//!
//! mpirun -n 2 target/release/examples/distributed digits --shards 2 --epochs 10 --file run.safetensors
//!
//! All that together make as many shards have the same bits; `--split` splits the optimizer's state over the ranks, and has
//! them too. With a file the run is saved after every epoch, and goes on
//! from there when it is started again.

use gradus_autograd::prelude::*;
use gradus_mpi::MpiGroup;
use gradus_nn::{
    Adam, AdamW, AttentionMask, BatchNorm1d, Dropout, Embedding, Layer, LayerNorm, Linear, Module, Optimizer,
    PositionalEncoding, Relu, Sequential, State, TransformerEncoderLayer, TransformerOptions,
    data::{Dataset, digits},
    group::{Group, on_rank_0, share},
    metrics::{accuracy, predict},
    module,
    train::{Epoch, Trainer},
};
use std::{env, error::Error, path::PathBuf, process::ExitCode, time::Instant};

/// What the command line says.
struct Options {
    gpt: bool,
    shards: usize,
    epochs: u64,
    file: Option<PathBuf>,
    split: bool,
}

impl Options {
    fn read() -> Result<Options, Box<dyn Error>> {
        let mut options = Options { gpt: false, shards: 1, epochs: 10, file: None, split: false };
        let mut words = env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "digits" => options.gpt = false,
                "gpt" => options.gpt = true,
                "--shards" => options.shards = value()?.parse()?,
                "--epochs" => options.epochs = value()?.parse()?,
                "--file" => options.file = Some(value()?.into()),
                "--split" => options.split = true,
                _ => {
                    let known = "digits, gpt, --shards, --epochs, --file, --split";
                    return Err(format!("{word} is none of {known}").into());
                }
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// A trainer with what the command line says.
fn trainer<O: Optimizer>(optimizer: O, batch: usize, options: &Options) -> Trainer<O> {
    let trainer = Trainer::new(optimizer, batch, 2).shards(options.shards).clip_norm(1.0);
    if options.split { trainer.zero_redundancy() } else { trainer }
}

fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::read()?;
    let mut group = MpiGroup::new()?;
    if options.gpt { train_gpt(&mut group, &options) } else { train_digits(&mut group, &options) }
}

fn train_digits(group: &mut MpiGroup, options: &Options) -> Result<(), Box<dyn Error>> {
    let digits = digits::load().map_inputs(|images| images.reshape([1797, 64]));
    let (train, validation) = digits.split(1280, &mut Rng::seed(0));
    let rng = &mut Rng::seed(1);
    let mut net = Sequential::new()
        .push(Linear::new(64, 64, rng))
        .push(BatchNorm1d::new(64))
        .push(Relu)
        .push(Dropout::new(0.2))
        .push(Linear::new(64, 10, rng));
    // Each rank looks at other examples, and all have the sums.
    let mut evaluate = |epoch: &mut Epoch<'_, Sequential>| {
        let mine: Vec<usize> = share(validation.len(), epoch.rank(), epoch.ranks()).collect();
        let mine = validation.select(&mine);
        let right = accuracy(&predict(epoch.model, mine.inputs(), 500), mine.labels()) * mine.len() as f64;
        let right = epoch.sum_over_ranks(&[right])[0];
        epoch.record.put("val_accuracy", right / validation.len() as f64);
    };
    let mut trainer = trainer(Adam::new(0.01), 64, options);
    epochs(group, options, &mut trainer, &mut net, |trainer, group, net| {
        let mut run = trainer.group(group);
        Ok(run.fit(net, &train, 1, |y, labels| y.cross_entropy(labels), &mut [&mut evaluate])?)
    })
}

struct Gpt {
    words: Embedding,
    positions: PositionalEncoding,
    blocks: Vec<TransformerEncoderLayer>,
    norm: LayerNorm,
    output: Linear,
}
module!(Gpt { words, positions, blocks, norm, output });

const STEPS: usize = 32;
const LETTERS: usize = 128;

impl Gpt {
    fn new(rng: &mut Rng) -> Gpt {
        let options = TransformerOptions { gelu: true, norm_first: true, ..Default::default() };
        Gpt {
            words: Embedding::new(LETTERS, 64, rng),
            positions: PositionalEncoding::new(STEPS, 64),
            blocks: (0..2).map(|_| TransformerEncoderLayer::new(64, 4, 256, options, rng)).collect(),
            norm: LayerNorm::new([64]),
            output: Linear::new(64, LETTERS, rng),
        }
    }

    /// The scores of the letter that follows each, `[n · steps, letters]`.
    fn scores<V: Value>(&self, at: Place<V>, text: &Indices) -> V {
        let mut x = self.positions.forward(self.words.forward(at, text));
        for block in &self.blocks {
            x = block.forward_masked(x, &AttentionMask::causal());
        }
        self.output.forward(self.norm.forward(x)).reshape([text.numel(), LETTERS])
    }
}

fn train_gpt(group: &mut MpiGroup, options: &Options) -> Result<(), Box<dyn Error>> {
    let text: Vec<i32> =
        include_str!("../../../README.md").bytes().map(|byte| i32::from(byte % 128)).collect();
    let starts = || (0..text.len() - STEPS - 1).step_by(8);
    let pieces = |shift: usize| -> Indices {
        let letters: Vec<i32> = starts().flat_map(|i| text[i + shift..][..STEPS].to_vec()).collect();
        Indices::new(letters, [starts().len(), STEPS])
    };
    // Each piece, and the same moved on by a letter.
    let train = Dataset::new(pieces(0), pieces(1));
    let (mut gpt, mut trainer) = (Gpt::new(&mut Rng::seed(1)), trainer(AdamW::new(0.003), 32, options));
    epochs(group, options, &mut trainer, &mut gpt, |trainer, group, gpt| {
        let mut run = trainer.group(group);
        Ok(run.fit_with(
            gpt,
            &train,
            1,
            |gpt, tape, text, next| gpt.scores(tape.place(), text).cross_entropy(&next.flatten()),
            &mut [],
        )?)
    })
}

/// Epoch after epoch, each saved by rank 0.
fn epochs<M: Module, O: Optimizer>(
    group: &mut MpiGroup,
    options: &Options,
    trainer: &mut Trainer<O>,
    model: &mut M,
    mut epoch: impl FnMut(&mut Trainer<O>, &mut MpiGroup, &mut M) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    if let Some(path) = options.file.as_ref().filter(|path| path.exists()) {
        trainer.restore(&State::load(path)?, model)?;
    }
    // Nobody saves before all have read.
    group.barrier()?;
    while trainer.epochs() < options.epochs {
        let start = Instant::now();
        epoch(trainer, group, model)?;
        let seconds = start.elapsed().as_secs_f64();
        if let Some(path) = &options.file {
            on_rank_0(group, || trainer.state(model).save(path))?;
        }
        if group.rank() == 0 {
            let history = trainer.history().to_csv();
            eprintln!("{}  ({seconds:.2} s)", history.lines().last().unwrap_or_default());
        }
    }
    if group.rank() == 0 {
        // All bits of all weights, for comparing runs.
        let bits = model.params().into_iter().flat_map(|(_, param)| param.value().to_vec()).map(f32::to_bits);
        let hash = bits.fold(0u64, |hash, word| (hash ^ u64::from(word)).wrapping_mul(0x100_0000_01b3));
        println!("{} ranks x {} shards: weights {hash:016x}", group.size(), options.shards);
    }
    Ok(())
}
