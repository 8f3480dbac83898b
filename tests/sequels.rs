//! The examples of language and sequences as programs, in runs so short that nets learn little: what holds nevertheless, by
//! closed forms and the books' numbers. How well they learn is held by scripts/examples.sh.

mod common;
#[path = "../examples/common/mod.rs"]
mod parts;
#[path = "common/run.rs"]
mod run;

use common::{example, text};
use gradus::prelude::*;
use parts::{
    dates::dates,
    grammar,
    letters::Letters,
    seq2seq::{Seq2seq, pairs},
    words::{Corpus, most_similar, pieces},
};
use run::{run, run_with};

#[test]
fn words_are_counted_as_in_the_book() {
    let run = run("word_counting");
    run.shows("word_counting.svg", &["men", "women", "their things"]);
    // Every noun and every thing of the language.
    assert_eq!(run.table("word_counting.csv").len(), 12 + 18);
    assert!(run.out.contains("\nking: queen"), "{}", run.out);
}

#[test]
fn words_are_predicted() {
    let run = run_with("word2vec", &["--epochs", "1", "--sentences", "200"]);
    run.shows("word2vec.svg", &["CBOW", "skip-gram"]);
    // A net that knows nothing gives 1/2 to each of six words.
    let [_, cbow, skip_gram] = run.table("word2vec.csv")[0][..] else { panic!("three columns") };
    let nothing = 6.0 * 2f64.ln();
    assert!(cbow < nothing && skip_gram < nothing, "{cbow} and {skip_gram}, not below {nothing}");
}

#[test]
fn language_models_are_better_than_even_guesses_and_never_better_than_the_language() {
    let run = run_with("language_model", &["--epochs", "1"]);
    run.shows("language_model.svg", &["RNN", "LSTM", "epoch"]);
    for name in ["rnn", "lstm"] {
        // 42 words; the share of a test of 2400 words by which luck can help is small.
        let perplexity = run.figures[name];
        assert!(perplexity < 42.0 && perplexity > 0.97 * run.figures["least"], "{name}: {perplexity}");
    }
}

#[test]
fn a_gpt_learns_letters() {
    let run = run_with("char_gpt", &["--steps", "6"]);
    run.shows("char_gpt.svg", &["training", "test"]);
    // 24 letters occur.
    assert!(
        run.figures["test"] < 24f64.ln() && run.figures["test"] > run.figures["least"],
        "{:?}",
        run.figures
    );
}

#[test]
fn sums_are_asked_and_answered() {
    let run = run_with("seq2seq_addition", &["--lines", "300", "--epochs", "1"]);
    run.shows("seq2seq_addition.svg", &["plain", "reversed", "peeky"]);
    let questions = run.out.lines().filter_map(|line| line.split_once(" = "));
    let mut count = 0;
    for (question, answer) in questions {
        let sum: u32 = question.trim().split('+').map(|number| number.parse::<u32>().unwrap()).sum();
        let is_right = answer.trim_end_matches("wrong").trim() == sum.to_string();
        assert_eq!(is_right, !answer.ends_with("wrong"), "{question} = {answer}");
        count += 1;
    }
    assert_eq!(count, 3 * 5);
}

#[test]
fn attention_is_shared_out() {
    let run = run_with("attention_dates", &["--lines", "200", "--epochs", "1"]);
    let mut sums = std::collections::BTreeMap::new();
    for row in run.table("attention_heat.csv") {
        let [date, line, _, weight] = row[..] else { panic!("{row:?}") };
        assert!((0.0..=1.0).contains(&weight), "{row:?}");
        *sums.entry([date as usize, line as usize]).or_insert(0.0) += weight;
    }
    // Eight dates, ten letters of each answer.
    assert_eq!(sums.len(), 80);
    assert!(sums.values().all(|sum: &f64| (sum - 1.0).abs() < 1e-5), "{sums:?}");
    run.shows("attention_heat.svg", &["What the net looks at while it writes"]);
}

#[test]
fn a_sine_is_heard() {
    let run = run_with("sine_to_cosine", &["--epochs", "12"]);
    run.shows("sine_to_cosine.svg", &["sine, heard", "cosine", "RNN", "LSTM"]);
    assert!(run.figures["formula_off"] < 1e-4, "{:?}", run.figures);
    for row in run.table("sine_to_cosine.csv") {
        let angle = 1.0 + row[0] * std::f64::consts::TAU / 50.0;
        assert!((row[1] - angle.sin()).abs() < 1e-5 && (row[2] - angle.cos()).abs() < 1e-5, "{row:?}");
    }
    // Without memory the error is the mean square of a cosine.
    for name in ["rnn", "lstm"] {
        assert!(run.figures[name] < 0.25, "{name}: {:?}", run.figures);
    }
}

#[test]
fn what_is_wrong_is_said_in_a_sentence() {
    for (name, options, sentence) in [
        ("word_counting", &["--text", "no/such/file"][..], "word_counting: no/such/file: "),
        ("word_counting", &["--word", "gradus"], "word_counting: the word \"gradus\" is not in the text"),
        ("char_gpt", &["--text", "Cargo.toml/x"], "char_gpt: Cargo.toml/x: "),
        (
            "language_model",
            &["--text", "rustfmt.toml"],
            "language_model: the text has 6 words; it needs 4000",
        ),
    ] {
        let run = example(name, options);
        assert_eq!(run.status.code(), Some(1), "{name} {options:?}");
        assert!(text(&run.stderr).starts_with(sentence), "{}", text(&run.stderr));
    }
}

#[test]
fn dates_are_those_of_the_calendar() {
    let all = dates(usize::MAX, &mut Rng::seed(0));
    // 50 years, 12 of them of 366 days, in eight forms; 2000 is a leap year by the rule of 400.
    assert_eq!(all.len(), 8 * (50 * 365 + 12));
    for [question, answer] in [
        ["wednesday, february 29, 2012", "_2012-02-29"],
        ["thursday, january 1, 1970", "_1970-01-01"],
        ["friday, december 31, 1999", "_1999-12-31"],
        ["2/9/87", "_1987-02-09"],
        ["3 SEP 2019", "_2019-09-03"],
    ] {
        assert!(all.iter().any(|[q, a]| q.trim_end() == question && a == answer), "{question}");
    }
    assert!(all.iter().all(|[question, answer]| question.len() == 29 && answer.len() == 11));
}

#[test]
fn the_language_is_as_hard_as_its_formula_says() {
    let text = grammar::text(20_000, &mut Rng::seed(3));
    assert_eq!(grammar::grammatical(std::slice::from_ref(&text)), 1.0);
    let corpus = Corpus::of(&text);
    assert_eq!(corpus.words.len(), 42);
    // Half of the sentences have 6 words, half 10: a deviation of 2 in each.
    let length = corpus.text.len() as f64 / 20_000.0;
    assert!((length - grammar::LENGTH).abs() < 4.0 * 2.0 / 20_000f64.sqrt(), "{length}");
    // 12 nouns, 6 verbs, 3 things; a "who" and another of 12 nouns in half of them: 12 · 6 · 3 · 2 · √12 even choices.
    assert!((grammar::entropy() - (12.0 * 6.0 * 3.0 * 2.0 * 12f64.sqrt()).ln()).abs() < 1e-12);
    for wrong in [
        "the king likes her crown .",
        "the king likes his wand .",
        "the king who saw the crown likes his throne .",
        "king likes his crown .",
        "the king his crown .",
        "the king likes his crown crown .",
    ] {
        assert_eq!(grammar::grammatical(&[wrong.to_owned()]), 0.0, "{wrong}");
    }
    let right = "the queen who saw the monk hides her palace . the".to_owned();
    assert_eq!(grammar::grammatical(std::slice::from_ref(&right)), 1.0);
    // Of several texts all sentences count alike, and a text without any not at all.
    let wrong = "the king likes . the king . the king likes his crown .".to_owned();
    assert_eq!(grammar::grammatical(&[right, wrong, "the queen".to_owned()]), 0.5);
    assert_eq!(grammar::grammatical(&[]), 0.0);
}

#[test]
fn a_text_in_streams() {
    let text: Vec<usize> = (0..11).collect();
    let all: Vec<_> = pieces(&text, 2, 2).map(|(seen, next)| (seen.to_vec(), next.to_vec())).collect();
    assert_eq!(all, [(vec![0, 1, 5, 6], vec![1, 2, 6, 7]), (vec![2, 3, 7, 8], vec![3, 4, 8, 9])]);
}

#[test]
fn the_most_similar_word_has_the_least_angle() {
    let vectors = Tensor::from([[1.0, 0.0], [10.0, 1.0], [0.0, 1.0], [-1.0, 0.0]]);
    let found = most_similar(&vectors, &Tensor::from([2.0, 0.0]), &[0], 2);
    assert_eq!(found.iter().map(|(word, _)| *word).collect::<Vec<_>>(), [1, 2]);
    assert!((found[0].1 - 10.0 / 101f32.sqrt()).abs() < 1e-6 && found[1].1.abs() < 1e-6, "{found:?}");
}

/// A net of the smallest size, to see what a Seq2seq does with any.
struct Echo {
    question: Embedding,
    encoder: Lstm,
    decoder: Lstm,
    output: Linear,
}
module!(Echo { question, encoder, decoder, output });

impl Seq2seq for Echo {
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
            self.decoder.forward_from(self.question.forward(encoded.place(), letters), Some(state));
        (self.output.forward(h), after)
    }
}

/// A net is taken at its word: its own answers, given as the right ones, are those that it finds likeliest, and all right.
#[test]
fn answers_are_the_likeliest_letters() {
    let (letters, rng) = (Letters::of("_abcd"), &mut Rng::seed(8));
    let echo = Echo {
        question: Embedding::new(5, 3, rng),
        encoder: Lstm::new(3, 4, rng),
        decoder: Lstm::new(3, 4, rng),
        output: Linear::with_init(4, 5, Init::Normal(3.0), rng),
    };
    let questions = ["abca", "ddab", "cbca", "aaaa", "bdbd"];
    let lines = |answer: &dyn Fn(usize) -> String| -> Vec<[String; 2]> {
        (0..5).map(|i| [questions[i].to_owned(), answer(i)]).collect()
    };
    let mark = letters.numbers("_")[0];
    let asked = pairs(&lines(&|_| "____".to_owned()), &letters, false);
    let found = echo.answers(asked.inputs(), mark, 3);
    let told = pairs(
        &lines(&|i| format!("_{}", letters.text(&found.select(0, i as isize).to_vec()))),
        &letters,
        false,
    );
    assert_eq!(echo.accuracy(&told), 1.0);
    // With all letters before it given at once, each letter of its own answer is the likeliest.
    let (encoded, state) = echo.encode(eager(), told.inputs());
    let (scores, _) = echo.decode(&encoded, &state, &told.targets().slice(1, ..-1));
    assert_eq!(scores.argmax(-1), found);
    // And an answer with another last letter is wrong.
    let other = |i: usize| {
        let mut answer = found.select(0, i as isize).to_vec();
        answer[2] = (answer[2] + 1) % 5;
        format!("_{}", letters.text(&answer))
    };
    assert_eq!(echo.accuracy(&pairs(&lines(&other), &letters, false)), 0.0);
    // Backwards.
    assert_eq!(letters.text(&pairs(&lines(&other), &letters, true).inputs().select(0, 1).to_vec()), "badd");
}
