//! Chapters 5 and 6 of the second book: recurrent nets that say which word comes next, a plain one and an LSTM, with all that
//! the book adds: weights that the first and the last layer share, dropout between the layers, clipped gradients, and a learning
//! rate that is divided by 4 when validation gets no better.
//!
//! ```text
//! cargo run --release --example language_model
//! cargo run --release --example language_model -- --text FILE
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome},
    chart::{Chart, figure},
    csv::{column, write_csv},
    grammar,
    recurrent::Recurrent,
    texts::{Task, example},
    words::{Corpus, pieces},
};
use gradus::{
    nn::{decode::Sampler, metrics::perplexity, schedule::Plateau},
    prelude::*,
};
use std::process::ExitCode;

/// So many parts of the text are read side by side, so many words at a time.
const STREAMS: usize = 10;
const STEPS: usize = 20;
const HIDDEN: usize = 64;
const DROPOUT: f32 = 0.1;

struct LanguageModel<R: Recurrent> {
    words: Embedding,
    recurrent: R,
    bias: Param,
}
module!(LanguageModel<R: Recurrent> { words, recurrent, bias });

impl<R: Recurrent> LanguageModel<R> {
    /// The scores of what follows each word, `[n · steps, words]`, and the state after them. A word's score is the product of
    /// its own vector with what the net says.
    fn scores<V: Value>(
        &self,
        at: Place<V>,
        seen: &Indices,
        state: Option<&RecurrentState<V>>,
    ) -> (V, RecurrentState<V>) {
        let (h, after) = self.recurrent.along(self.words.forward(at, seen).dropout(DROPOUT), state);
        let rows = h.dropout(DROPOUT).reshape([seen.numel(), h.shape()[2]]);
        (rows.linear(&at.param(&self.words.weight), Some(&at.param(&self.bias))), after)
    }

    /// The perplexity on a text, read in one stream.
    fn perplexity(&self, text: &[usize]) -> f64 {
        let (mut state, mut losses): (_, Vec<f64>) = (None, Vec::new());
        for (seen, next) in pieces(text, 1, 200) {
            let (scores, after) = self.scores(eager(), &seen, state.as_ref());
            losses.push(scores.cross_entropy(&next).item().into());
            state = Some(after);
        }
        perplexity(losses.iter().sum::<f64>() / losses.len() as f64)
    }

    /// One pass over the text; gives the perplexity in training. The state is carried from piece to piece, gradients are not.
    fn epoch(&mut self, text: &[usize], sgd: &mut Sgd, tape: &mut Tape) -> f64 {
        let mut carried: Option<RecurrentState<Tensor>> = None;
        let mut losses: Vec<f64> = Vec::new();
        for (seen, next) in pieces(text, STREAMS, STEPS) {
            let (loss, mut gradients, after) = tape.step(|tape| {
                let before = carried.as_ref().map(|state| state.on(tape.place()));
                let (scores, after) = self.scores(tape.place(), &seen, before.as_ref());
                (scores.cross_entropy(&next), after.detach())
            });
            clip_grad_norm(self, &mut gradients, 0.25);
            sgd.step(self, &gradients);
            carried = Some(after);
            losses.push(loss.into());
        }
        perplexity(losses.iter().sum::<f64>() / losses.len() as f64)
    }

    /// So many words after the first one, each drawn by its probability.
    fn write(&self, corpus: &Corpus, count: usize, rng: &mut Rng) -> String {
        let (mut text, mut state, mut word) = (corpus.words[0].clone(), None, 0);
        for _ in 0..count {
            let (scores, after) = self.scores(eager(), &Indices::new([word], [1, 1]), state.as_ref());
            word = Sampler::default().draw(&scores.select(0, 0), rng);
            text = text + " " + &corpus.words[word];
            state = Some(after);
        }
        text
    }
}

fn main() -> ExitCode {
    let about = "Language models of words, RNN and LSTM, after chapters 5 and 6 of the second book.";
    example("language_model", about, ("epochs", 32, "passes over the text"), run)
}

/// The perplexities of a training in validation; that in test; and what the model writes then.
type Learnt = (Vec<f64>, f64, String);

fn learn<R: Recurrent>(recurrent: R, corpus: &Corpus, epochs: usize, rng: &mut Rng) -> Learnt {
    let words = Embedding::with_init(corpus.words.len(), HIDDEN, Init::Normal(0.1), rng);
    let bias = Param::new(Tensor::zeros([corpus.words.len()]));
    let mut model = LanguageModel { words, recurrent, bias };
    let [training, validation, test] = corpus.parts();
    // The book's rate is 20, for nets ten times as wide.
    let (mut sgd, mut plateau) = (Sgd::new(5.0), Plateau::new(5.0).factor(0.25).patience(1));
    let mut tape = Tape::training(rng.bits());
    println!("\n  epoch  training  validation  rate");
    let epoch = |number: usize| {
        let [seen, other] = [model.epoch(training, &mut sgd, &mut tape), model.perplexity(validation)];
        println!("{number:7}  {seen:8.3}  {other:10.3}  {}", sgd.lr());
        sgd.set_lr(plateau.observe(other));
        other
    };
    let curve = (1..=epochs).map(epoch).collect();
    (curve, model.perplexity(test), model.write(corpus, 400, rng))
}

fn run(task: &Task) -> Outcome {
    let corpus = &Corpus::of(&task.text);
    let (words, needed) = (corpus.text.len(), 20 * STREAMS * STEPS);
    if words < needed {
        return Err(format!("the text has {words} words; it needs {needed}").into());
    }
    println!("{words} words, {} different; first a plain net, then an LSTM", corpus.words.len());
    let rng = &mut Rng::seed(task.seed);
    let options = RecurrentOptions { layers: 2, dropout: DROPOUT, ..Default::default() };
    let plain = learn(Rnn::with_options(HIDDEN, HIDDEN, options, rng), corpus, task.count, rng);
    let lstm = learn(Lstm::with_options(HIDDEN, HIDDEN, options, rng), corpus, task.count, rng);
    let rows: Vec<[f64; 3]> = (0..task.count).map(|i| [(i + 1) as f64, plain.0[i], lstm.0[i]]).collect();
    write_csv(task.out.join("language_model.csv"), "epoch,rnn,lstm", &rows)?;
    let chart = Chart::new("epoch", "perplexity in validation");
    let chart = chart.line("RNN", column(&rows, 1)).line("LSTM", column(&rows, 2));
    figure(task.out.join("language_model.svg"), "Language models", 1, &[chart])?;
    let mut figures = Figures::default().put("least", (grammar::entropy() / grammar::LENGTH).exp());
    for (name, (_, test, text)) in [("rnn", plain), ("lstm", lstm)] {
        println!("\n{name}: perplexity {test:.3} in test; it writes\n{text}");
        figures = figures.put(name, test);
        if task.is_own {
            figures = figures.put(format!("{name}_grammatical"), grammar::grammatical(&[text]));
        }
    }
    Ok(figures)
}
