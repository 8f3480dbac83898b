//! Chapter 7 of the second book: an encoder reads a sum such as "16+75", letter by letter, and a decoder writes what it is.
//! Read backwards, with the first numbers nearest to the answer, it is learnt sooner; and sooner still when every step of the
//! decoder may peek at what the encoder has read.
//!
//! ```text
//! cargo run --release --example seq2seq_addition
//! cargo run --release --example seq2seq_addition -- --full
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome},
    chart::{Chart, figure},
    csv::{column, write_csv},
    letters::Letters,
    seq2seq::{Pace, Seq2seq, example, pairs, show, train},
};
use gradus::prelude::*;
use std::{collections::BTreeSet, path::Path, process::ExitCode};

struct Adder {
    question: Embedding,
    encoder: Lstm,
    answer: Embedding,
    decoder: Lstm,
    output: Linear,
    peeky: bool,
}
module!(Adder { question, encoder, answer, decoder, output; peeky });

impl Adder {
    /// Letters are vectors of 16, as in the book.
    fn new(letters: usize, hidden: usize, peeky: bool, rng: &mut Rng) -> Adder {
        let more = if peeky { hidden } else { 0 };
        Adder {
            question: Embedding::new(letters, 16, rng),
            encoder: Lstm::new(16, hidden, rng),
            answer: Embedding::new(letters, 16, rng),
            decoder: Lstm::new(more + 16, hidden, rng),
            output: Linear::new(more + hidden, letters, rng),
            peeky,
        }
    }
}

impl Seq2seq for Adder {
    fn encoder(&self) -> (&Embedding, &Lstm) {
        (&self.question, &self.encoder)
    }

    fn decode<V: Value>(
        &self,
        encoded: &V,
        state: &RecurrentState<V>,
        letters: &Indices,
    ) -> (V, RecurrentState<V>) {
        let ([n, length], last) = (letters.dims(), encoded.slice(1, -1..));
        let last = last.broadcast_to([n, length, last.shape()[2]]);
        let peek = |x: V| if self.peeky { V::concat(&[&last, &x], 2) } else { x };
        let x = self.answer.forward(encoded.place(), letters);
        let (h, after) = self.decoder.forward_from(peek(x), Some(state));
        (self.output.forward(peek(h)), after)
    }
}

/// Sums of two numbers of at most three digits, each question once: 7 letters, and 4 behind the mark of the answer.
fn sums(count: usize, rng: &mut Rng) -> Vec<[String; 2]> {
    let (mut known, mut sums) = (BTreeSet::new(), Vec::new());
    while sums.len() < count {
        let [a, b] = [0, 1].map(|_| {
            let digits = 1 + rng.below(3) as u32;
            rng.below(10usize.pow(digits))
        });
        if known.insert([a, b]) {
            sums.push([format!("{:<7}", format!("{a}+{b}")), format!("_{:<4}", a + b)]);
        }
    }
    sums
}

fn main() -> ExitCode {
    let quick = Pace { lines: 10_000, hidden: 128, batch: 128, lr: 0.006, falls: false, epochs: 8, seed: 1 };
    // The book's rate stays, and accuracy then goes up and down by some hundredths from epoch to epoch.
    let book = Pace { lines: 50_000, lr: 0.001, falls: true, epochs: 25, ..quick };
    let about = "Sequences that become sequences: addition, after chapter 7 of the second book.";
    example("seq2seq_addition", about, [quick, book], run)
}

fn run(pace: Pace, out: &Path) -> Outcome {
    let sums = sums(pace.lines, &mut Rng::seed(pace.seed));
    let letters = Letters::of("0123456789+ _");
    let (test, training) = sums.split_at(sums.len() / 10);
    let (mut figures, mut curves) = (Figures::default(), Vec::new());
    for (name, reversed, peeky) in [("plain", false, false), ("reversed", true, false), ("peeky", true, true)]
    {
        println!("\n{name}");
        let [training, test] = [training, test].map(|sums| pairs(sums, &letters, reversed));
        let mut adder = Adder::new(letters.count(), pace.hidden, peeky, &mut Rng::seed(pace.seed));
        let curve = train(&mut adder, [&training, &test], pace);
        show(&adder, &test, (&letters, reversed), 5);
        figures = figures.put(name, curve[curve.len() - 1][2]);
        curves.push((name, curve));
    }
    let [plain, reversed, peeky] = [0, 1, 2].map(|k| &curves[k].1);
    let rows: Vec<[f64; 4]> =
        (0..plain.len()).map(|i| [plain[i][0], plain[i][2], reversed[i][2], peeky[i][2]]).collect();
    write_csv(out.join("seq2seq_addition.csv"), "epoch,plain,reversed,peeky", &rows)?;
    let chart =
        curves.iter().enumerate().fold(Chart::new("epoch", "accuracy in test"), |chart, (k, curve)| {
            chart.line(curve.0, column(&rows, k + 1))
        });
    figure(out.join("seq2seq_addition.svg"), "Additions learnt", 1, &[chart.y(0.0, 1.0)])?;
    Ok(figures)
}
