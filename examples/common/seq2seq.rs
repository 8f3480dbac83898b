//! Sequences that become other sequences: what is common to the nets of the second book's chapters 7 and 8.

use super::{
    args::Args,
    book::{OUT, OUT_HELP, Outcome, directory, finish},
    letters::Letters,
    print::say,
};
use gradus::{nn::train::Epoch, prelude::*};
use std::{path::Path, process::ExitCode};

/// Questions `[n, length]` and answers `[n, length]`, in numbers of letters. An answer begins with a mark that says so.
pub(crate) type Pairs = data::Dataset<Indices, Indices>;

/// Lines of a question and an answer each, all as long; the questions backwards if it is so.
pub(crate) fn pairs(lines: &[[String; 2]], letters: &Letters, reversed: bool) -> Pairs {
    let question =
        |[question, _]: &[String; 2]| if reversed { backwards(question) } else { question.clone() };
    let questions: Vec<String> = lines.iter().map(question).collect();
    let answers = lines.iter().map(|[_, answer]| &answer[..]);
    Pairs::new(letters.table(questions.iter().map(|question| &question[..])), letters.table(answers))
}

pub(crate) fn backwards(text: &str) -> String {
    text.chars().rev().collect()
}

/// An encoder that reads the question, and a decoder that writes the answer letter by letter.
pub(crate) trait Seq2seq: Module + Sync {
    /// What reads the question.
    fn encoder(&self) -> (&Embedding, &Lstm);

    /// The scores of what follows each of these letters, `[n, length, letters]`, and the state after them.
    fn decode<V: Value>(
        &self,
        encoded: &V,
        state: &RecurrentState<V>,
        letters: &Indices,
    ) -> (V, RecurrentState<V>);

    /// The encoder's outputs along the questions, `[n, length, hidden]`, and the state that the decoder starts from: as in the
    /// book the encoder's last output, and cells of 0.
    fn encode<V: Value>(&self, at: Place<V>, questions: &Indices) -> (V, RecurrentState<V>) {
        let (embedding, lstm) = self.encoder();
        let (encoded, after) = lstm.forward_from(embedding.forward(at, questions), None);
        let cells = at.constant(Tensor::zeros(after.h.shape()));
        (encoded, RecurrentState { h: after.h, c: Some(cells) })
    }

    /// The loss of answers: the decoder sees the right letter before each, whatever it would have written itself.
    fn loss<'t>(&self, tape: &'t Tape, questions: &Indices, answers: &Indices) -> Var<'t> {
        let (encoded, state) = self.encode(tape.place(), questions);
        let (scores, _) = self.decode(&encoded, &state, &answers.slice(1, ..-1));
        let [n, length, letters] = scores.shape().dims();
        scores.reshape([n * length, letters]).cross_entropy(&answers.slice(1, 1..).flatten())
    }

    /// Its own answers of so many letters behind this mark: each is the likeliest after those before.
    fn answers(&self, questions: &Indices, mark: i32, length: usize) -> Indices {
        let (encoded, mut state) = self.encode(eager(), questions);
        let mut written = vec![Indices::full([questions.size(0), 1], mark)];
        for _ in 0..length {
            let (scores, after) = self.decode(&encoded, &state, &written[written.len() - 1]);
            written.push(scores.argmax(-1));
            state = after;
        }
        Indices::concat(&written[1..].iter().collect::<Vec<_>>(), 1)
    }

    /// The share of the questions whose answer is right in all letters.
    fn accuracy(&self, pairs: &Pairs) -> f64 {
        let right = |(questions, answers): (Indices, Indices)| {
            let length = answers.size(1) - 1;
            let found = self.answers(&questions, answers.get([0, 0]), length);
            let wanted = answers.slice(1, 1..).to_vec();
            found.as_slice().chunks(length).zip(wanted.chunks(length)).filter(|(a, b)| a == b).count()
        };
        pairs.chunks(500).map(right).sum::<usize>() as f64 / pairs.len() as f64
    }
}

/// How much to train on, and how. The seed is that of questions, weights and batches.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) lines: usize,
    pub(crate) hidden: usize,
    pub(crate) batch: usize,
    pub(crate) lr: f64,
    /// Whether the learning rate falls to 0 along half a cosine; else it stays.
    pub(crate) falls: bool,
    pub(crate) epochs: u64,
    pub(crate) seed: u64,
}

/// The main function of an example whose net trains at one pace, and with `--full` at another, the book's.
pub(crate) fn example(
    name: &str,
    about: &str,
    [mut quick, full]: [Pace; 2],
    run: impl FnOnce(Pace, &Path) -> Outcome,
) -> ExitCode {
    let (mut as_long, mut out) = (false, OUT.to_owned());
    let help = format!("{} lines, {} epochs and the other numbers of the book", full.lines, full.epochs);
    Args::new(about)
        .option(
            "lines",
            &mut quick.lines,
            10..=100_000,
            "questions with answers, of which a tenth is for the test",
        )
        .option("epochs", &mut quick.epochs, 1..=1000, "passes over the others")
        .option("seed", &mut quick.seed, .., "of questions, weights and batches")
        .flag("full", &mut as_long, &help)
        .option("out", &mut out, .., OUT_HELP)
        .parse();
    let pace = if as_long { Pace { seed: quick.seed, ..full } } else { quick };
    finish(name, directory(&out).and_then(|out| run(pace, &out)))
}

/// Trains as the book does, with Adam and gradients of norm 5 at most. After each epoch it prints, and in the end returns, the
/// number of the epoch, the mean loss in training and the accuracy in test.
pub(crate) fn train<M: Seq2seq>(model: &mut M, [train, test]: [&Pairs; 2], pace: Pace) -> Vec<[f64; 3]> {
    let mut curve = Vec::new();
    say("  epoch    loss    test");
    let mut look = |epoch: &mut Epoch<'_, M>| {
        let row = [epoch.number as f64, epoch.record.get("loss").unwrap(), epoch.model.accuracy(test)];
        say(&format!("{:7}  {:.4}  {:.4}", row[0], row[1], row[2]));
        curve.push(row);
    };
    let mut trainer = Trainer::new(Adam::new(pace.lr), pace.batch, pace.seed).clip_norm(5.0);
    if pace.falls {
        let steps = pace.epochs * train.len().div_ceil(pace.batch) as u64;
        trainer = trainer.schedule(schedule::Cosine::new(pace.lr, steps));
    }
    trainer.fit_with(model, train, pace.epochs, |model, tape, x, y| model.loss(tape, x, y), &mut [&mut look]);
    curve
}

/// Prints the first questions of a set with the net's answers, and returns them with the right ones.
pub(crate) fn show(
    model: &impl Seq2seq,
    pairs: &Pairs,
    (letters, reversed): (&Letters, bool),
    count: usize,
) -> Vec<[String; 2]> {
    let (questions, answers) = pairs.chunks(count).next().expect("there are pairs");
    let found = model.answers(&questions, answers.get([0, 0]), answers.size(1) - 1);
    let row = |table: &Indices, i: usize| letters.text(&table.select(0, i as isize).to_vec());
    let show = |i: usize| {
        let (question, right, found) = (row(&questions, i), row(&answers.slice(1, 1..), i), row(&found, i));
        let question = if reversed { backwards(&question) } else { question };
        say(&format!("{question} = {found}{}", if found == right { "" } else { "  wrong" }));
        [question, right]
    };
    (0..questions.size(0)).map(show).collect()
}
