//! Chapter 2 of the second book: words as vectors by counting. How often words stand together, how much more often than by
//! chance, and what few numbers keep of that.
//!
//! ```text
//! cargo run --release --example word_counting
//! cargo run --release --example word_counting -- --text FILE --word king
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    args::Args,
    book::{Figures, OUT, OUT_HELP, Outcome, directory, finish},
    chart::{Chart, Point, figure},
    csv::write_csv,
    grammar::{self, ROLES},
    texts::text_of,
    words::{Corpus, like_things, print_similar, row},
};
use gradus::prelude::*;
use nalgebra::DMatrix;
use std::{path::Path, process::ExitCode};

/// How often each word stands at most `window` words from each other one.
fn co_occurrence(corpus: &Corpus, window: usize) -> Tensor {
    let n = corpus.words.len();
    let mut counts = Tensor::zeros([n, n]);
    for (i, &word) in corpus.text.iter().enumerate() {
        for &other in &corpus.text[i + 1..corpus.text.len().min(i + 1 + window)] {
            counts.as_mut_slice()[word * n + other] += 1.0;
            counts.as_mut_slice()[other * n + word] += 1.0;
        }
    }
    counts
}

/// Positive pointwise mutual information: `max(0, log2(c_ij n / (n_i n_j)))`.
fn ppmi(counts: &Tensor) -> Tensor {
    let by_word = counts.sum_axes(0, false);
    let chance = by_word.outer(&by_word) / counts.sum();
    (counts / chance).log2().clamp_min(0.0)
}

/// The first columns of U, each times its singular value, and the singular values, the greatest first.
fn svd(matrix: &Tensor, columns: usize) -> (Tensor, Vec<f32>) {
    let [rows, width] = matrix.dims();
    let svd = DMatrix::from_row_slice(rows, width, &matrix.to_vec()).svd(true, false);
    let (u, s) = (svd.u.expect("it was asked for"), svd.singular_values);
    let vectors = Tensor::from_fn([rows, columns.min(width)], |at| u[(at[0], at[1])] * s[at[1]]);
    (vectors, s.iter().copied().collect())
}

fn main() -> ExitCode {
    let (mut text, mut word, mut window, mut size) = (String::new(), String::new(), 3, 20);
    let mut out = OUT.to_owned();
    Args::new("Words as vectors by counting, after chapter 2 of the second book.")
        .option("text", &mut text, .., "file to count in, instead of a small language's sentences")
        .option("word", &mut word, .., "word to which similar ones are looked for")
        .option("window", &mut window, 1..=20, "how far apart words may stand")
        .option("size", &mut size, 2..=300, "length of a word's vector")
        .option("out", &mut out, .., OUT_HELP)
        .parse();
    let own = || grammar::text(3000, &mut Rng::seed(1));
    let outcome = text_of(&text, own).and_then(|read| {
        let (corpus, is_own) = (Corpus::of(&read), text.is_empty());
        if !word.is_empty() && corpus.number(&word).is_none() {
            return Err(format!("the word {word:?} is not in the text").into());
        }
        if corpus.words.len() > MOST {
            return Err(format!("{} different words are too many; {MOST} will do", corpus.words.len()).into());
        }
        let vectors = svd(&ppmi(&co_occurrence(&corpus, window)), size).0;
        if !word.is_empty() {
            print_similar(&corpus, &vectors, &[&word]);
        }
        run(&corpus, &vectors, is_own, &directory(&out)?)
    });
    finish("word_counting", outcome)
}

/// The time that the decomposition takes grows with the cube of the number of words.
const MOST: usize = 3000;

fn run(corpus: &Corpus, vectors: &Tensor, is_own: bool, out: &Path) -> Outcome {
    let figures = sentence(Figures::default());
    println!("\n{} words, {} different", corpus.text.len(), corpus.words.len());
    if !is_own {
        return Ok(figures);
    }
    print_similar(corpus, vectors, &["king", "actress", "crown", "likes", "his"]);
    let numbers = |words: Vec<&str>| -> Vec<usize> {
        words.into_iter().filter_map(|word| corpus.number(word)).collect()
    };
    let groups = [
        ("men", numbers(ROLES.iter().map(|(people, _)| people[0]).collect())),
        ("women", numbers(ROLES.iter().map(|(people, _)| people[1]).collect())),
        ("their things", numbers(ROLES.iter().flat_map(|(_, things)| *things).collect())),
    ];
    let (mut chart, mut rows) = (Chart::new("first singular vector", "second singular vector"), Vec::new());
    for (group, (name, words)) in groups.into_iter().enumerate() {
        let points: Vec<Point> = words
            .iter()
            .map(|&word| (vectors.get([word, 0]).into(), vectors.get([word, 1]).into()))
            .collect();
        rows.extend(points.iter().map(|&(x, y)| [group as f64, x, y]));
        chart = chart.dots(name, points);
    }
    write_csv(out.join("word_counting.csv"), "group,x,y", &rows)?;
    figure(out.join("word_counting.svg"), "Words by their company", 1, &[chart])?;
    Ok(figures.put("like_things", like_things(corpus, vectors)))
}

/// The book's sentence.
fn sentence(figures: Figures) -> Figures {
    let corpus = Corpus::of("You say goodbye and I say hello.");
    let counts = co_occurrence(&corpus, 1);
    let [you, i] = ["you", "i"].map(|word| row(&counts, corpus.number(word).expect("it is in the sentence")));
    let similarity = you.cosine_similarity(&i, 0).item();
    let information = ppmi(&counts);
    let (_, values) = svd(&information, 7);
    println!("Counts in the book's sentence of {:?}\n{counts}\nPPMI\n{information}", corpus.words);
    println!("The cosine of you and i is {similarity}, the singular values of PPMI are\n{values:.3?}");
    figures
        .put("you_i", similarity)
        .put("ppmi_you_say", information.get([0, 1]))
        .put("ppmi_say_goodbye", information.get([1, 2]))
        .put("ppmi_hello_stop", information.get([5, 6]))
        .put("singular_0", values[0])
        .put("singular_2", values[2])
        .put("singular_4", values[4])
        .put("singular_6", values[6])
}
