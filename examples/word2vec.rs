//! Chapter 4 of the second book: words as vectors by prediction. CBOW guesses a word from those around it, skip-gram those
//! around it from a word; negative sampling compares the right one with a few drawn at random.
//!
//! ```text
//! cargo run --release --example word2vec
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    args::Args,
    book::{Figures, OUT, OUT_HELP, Outcome, directory, finish},
    chart::{Chart, figure},
    csv::{column, write_csv},
    grammar,
    words::{Corpus, analogies, like_things, print_similar},
};
use gradus::prelude::*;
use std::{path::Path, process::ExitCode};

const WINDOW: usize = 4;
const NEGATIVE: usize = 5;
const SIZE: usize = 24;

struct Word2Vec {
    input: Embedding,
    output: Embedding,
}
module!(Word2Vec { input, output });

impl Word2Vec {
    /// The loss of telling the right words, the first in each row `[n, 1 + negative]`, from the others, by the mean of the
    /// vectors of the given words `[n, count]`: that it is right is a sigmoid of the product of two vectors.
    fn loss<'t>(&self, tape: &'t Tape, given: &Indices, words: &Indices) -> Var<'t> {
        let h = self.input.forward(tape.place(), given).mean_axes(1, true);
        let scores = (self.output.forward(tape.place(), words) * h).sum_axes(2, false);
        let is_first = Tensor::from_fn(scores.shape(), |at| if at[1] == 0 { 1.0 } else { 0.0 });
        let loss = scores.binary_cross_entropy_with_logits(&tape.constant(is_first));
        // Summed over the words, a mean over the rows.
        loss * (1 + NEGATIVE) as f32
    }
}

/// Draws words as often as their counts to the power of 3/4 say: rare ones somewhat more often than they occur.
struct UnigramSampler(Vec<f64>);

impl UnigramSampler {
    fn new(corpus: &Corpus) -> UnigramSampler {
        let mut counts = vec![0.0f64; corpus.words.len()];
        corpus.text.iter().for_each(|&word| counts[word] += 1.0);
        let sums = counts.iter().scan(0.0, |sum, count| {
            *sum += count.powf(0.75);
            Some(*sum)
        });
        UnigramSampler(sums.collect())
    }

    /// A word other than this one.
    fn draw(&self, other_than: usize, rng: &mut Rng) -> usize {
        loop {
            let at = f64::from(rng.uniform(0.0, 1.0)) * self.0[self.0.len() - 1];
            let word = self.0.partition_point(|&sum| sum <= at);
            if word != other_than {
                return word;
            }
        }
    }
}

/// Each word with those that are given for it: in CBOW all around it at once, in skip-gram one by one.
fn examples(corpus: &Corpus, cbow: bool) -> Vec<(Vec<usize>, usize)> {
    let windows = corpus.text.windows(2 * WINDOW + 1);
    windows
        .flat_map(|window| {
            let around = [&window[..WINDOW], &window[WINDOW + 1..]].concat();
            let word = window[WINDOW];
            if cbow {
                vec![(around, word)]
            } else {
                around.into_iter().map(|other| (vec![word], other)).collect()
            }
        })
        .collect()
}

/// Trains with Adam and batches of 100; gives the vectors, and the mean loss of each epoch.
fn learn(corpus: &Corpus, cbow: bool, epochs: usize, rng: &mut Rng) -> (Tensor, Vec<f64>) {
    let table = |rng: &mut Rng| Embedding::with_init(corpus.words.len(), SIZE, Init::Normal(0.1), rng);
    let mut net = Word2Vec { input: table(rng), output: table(rng) };
    let (sampler, mut examples) = (UnigramSampler::new(corpus), examples(corpus, cbow));
    let (mut adam, mut tape, mut losses) = (Adam::new(0.005), Tape::training(rng.bits()), Vec::new());
    for _ in 0..epochs {
        rng.shuffle(&mut examples);
        let mut sum = 0.0;
        for batch in examples.chunks_exact(100) {
            let given: Vec<usize> = batch.iter().flat_map(|(given, _)| given.clone()).collect();
            let given = Indices::new(&given[..], [batch.len(), given.len() / batch.len()]);
            let mut words = Vec::new();
            for &(_, word) in batch {
                words.push(word);
                words.extend((0..NEGATIVE).map(|_| sampler.draw(word, rng)));
            }
            let words = Indices::new(words, [batch.len(), 1 + NEGATIVE]);
            let (loss, gradients, ()) = tape.step(|tape| (net.loss(tape, &given, &words), ()));
            adam.step(&mut net, &gradients);
            sum += f64::from(loss);
        }
        losses.push(sum / (examples.len() / 100) as f64);
    }
    (net.input.weight.value().clone(), losses)
}

fn main() -> ExitCode {
    let (mut epochs, mut seed, mut sentences, mut out) = (10, 1, 3000, OUT.to_owned());
    Args::new("CBOW and skip-gram with negative sampling, after chapter 4 of the second book.")
        .option("epochs", &mut epochs, 1..=1000, "passes over the text")
        .option("sentences", &mut sentences, 100..=1_000_000, "sentences of the text")
        .option("seed", &mut seed, .., "of text, weights and negative words")
        .option("out", &mut out, .., OUT_HELP)
        .parse();
    let corpus = Corpus::of(&grammar::text(sentences, &mut Rng::seed(seed)));
    finish("word2vec", directory(&out).and_then(|out| run(&corpus, epochs, seed, &out)))
}

fn run(corpus: &Corpus, epochs: usize, seed: u64, out: &Path) -> Outcome {
    let (mut figures, mut curves) = (Figures::default(), Vec::new());
    for (name, cbow) in [("cbow", true), ("skip_gram", false)] {
        let (vectors, losses) = learn(corpus, cbow, epochs, &mut Rng::seed(seed));
        println!("\n{name}: losses {losses:.4?}");
        print_similar(corpus, &vectors, &["king", "actress", "crown", "likes", "his"]);
        let [like, analogies] = [like_things(corpus, &vectors), analogies(corpus, &vectors)];
        println!("things beside their like: {like:.3}; right analogies: {analogies:.3}");
        figures = figures.put(format!("{name}_things"), like).put(format!("{name}_analogies"), analogies);
        curves.push(losses);
    }
    let rows: Vec<[f64; 3]> = (0..epochs).map(|i| [(i + 1) as f64, curves[0][i], curves[1][i]]).collect();
    write_csv(out.join("word2vec.csv"), "epoch,cbow,skip_gram", &rows)?;
    let chart =
        Chart::new("epoch", "loss").line("CBOW", column(&rows, 1)).line("skip-gram", column(&rows, 2));
    figure(out.join("word2vec.svg"), "Words predicted", 1, &[chart])?;
    Ok(figures)
}
