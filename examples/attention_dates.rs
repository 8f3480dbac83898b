//! Chapter 8 of the second book: dates in many forms become dates in one. A decoder with attention looks back at all letters
//! of the question, weighted by how well they fit what it is about to write; the weights make a picture.
//!
//! ```text
//! cargo run --release --example attention_dates
//! cargo run --release --example attention_dates -- --full
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome},
    chart::{Chart, figure},
    csv::{column, write_csv},
    dates::dates,
    heat::{Heat, heat_maps},
    letters::Letters,
    seq2seq::{Pace, Seq2seq, example, pairs, show, train},
};
use gradus::prelude::*;
use std::{path::Path, process::ExitCode};

struct Translator {
    question: Embedding,
    encoder: Lstm,
    answer: Embedding,
    decoder: Lstm,
    output: Linear,
}
module!(Translator { question, encoder, answer, decoder, output });

impl Translator {
    fn new(letters: usize, hidden: usize, rng: &mut Rng) -> Translator {
        Translator {
            question: Embedding::new(letters, 16, rng),
            encoder: Lstm::new(16, hidden, rng),
            answer: Embedding::new(letters, 16, rng),
            decoder: Lstm::new(16, hidden, rng),
            output: Linear::new(2 * hidden, letters, rng),
        }
    }

    /// How much each of the decoder's steps looks at each letter of the question, `[n, steps, length]`: the softmax of
    /// products, in the book without a scale.
    fn weights<V: Value>(&self, h: &V, encoded: &V) -> V {
        h.attention_weights(encoded, AttentionOptions { scale: Some(1.0), ..Default::default() })
    }
}

impl Seq2seq for Translator {
    fn encoder(&self) -> (&Embedding, &Lstm) {
        (&self.question, &self.encoder)
    }

    fn decode<V: Value>(
        &self,
        encoded: &V,
        state: &RecurrentState<V>,
        letters: &Indices,
    ) -> (V, RecurrentState<V>) {
        let (h, after) =
            self.decoder.forward_from(self.answer.forward(encoded.place(), letters), Some(state));
        let context = self.weights(&h, encoded).matmul(encoded);
        (self.output.forward(V::concat(&[&context, &h], 2)), after)
    }
}

fn main() -> ExitCode {
    let quick = Pace { lines: 10_000, hidden: 64, batch: 32, lr: 0.005, falls: false, epochs: 6, seed: 1 };
    let book = Pace { lines: 50_000, hidden: 256, batch: 128, lr: 0.001, falls: false, epochs: 10, seed: 1 };
    let about = "Attention: dates in many forms become dates in one, after chapter 8 of the second book.";
    example("attention_dates", about, [quick, book], run)
}

fn run(pace: Pace, out: &Path) -> Outcome {
    let dates = dates(pace.lines, &mut Rng::seed(pace.seed));
    let letters = Letters::of(&dates.concat().concat());
    let (test, training) = dates.split_at(dates.len() / 10);
    // The book reads backwards here too.
    let [training, test] = [training, test].map(|dates| pairs(dates, &letters, true));
    let mut net = Translator::new(letters.count(), pace.hidden, &mut Rng::seed(pace.seed));
    let curve = train(&mut net, [&training, &test], pace);
    write_csv(out.join("attention_dates.csv"), "epoch,loss,accuracy", &curve)?;
    let charts =
        [1, 2].map(|k| Chart::new("epoch", ["loss", "accuracy in test"][k - 1]).line("", column(&curve, k)));
    figure(out.join("attention_dates.svg"), "Dates learnt with attention", 2, &charts)?;
    println!("\nTest dates as the net reads them:");
    let shown = show(&net, &test, (&letters, true), 8);
    let (questions, answers) = test.chunks(8).next().expect("there are test dates");
    let (encoded, state) = net.encode(eager(), &questions);
    let x = net.answer.forward(eager(), &answers.slice(1, ..-1));
    let (h, _) = net.decoder.forward_from(x, Some(&state));
    // The questions read forwards again.
    let weights = net.weights(&h, &encoded).flip(2);
    let (mut maps, mut rows) = (Vec::new(), Vec::new());
    for (i, [columns, answer]) in shown.into_iter().enumerate() {
        let weights = weights.select(0, i as isize).to_vec();
        let length = columns.len();
        let row =
            |(k, &weight): (usize, &f32)| [i as f64, (k / length) as f64, (k % length) as f64, weight.into()];
        rows.extend((0..).zip(&weights).map(row));
        maps.push(Heat { columns, rows: answer, weights });
    }
    write_csv(out.join("attention_heat.csv"), "date,row,column,weight", &rows)?;
    heat_maps(out.join("attention_heat.svg"), "What the net looks at while it writes", &maps[..4])?;
    Ok(Figures::default().put("accuracy", curve[curve.len() - 1][2]))
}
