//! Words as vectors, by counting and by prediction (the second book, chapters 2 and 3), on its sentence of seven words.
//! Singular values, which the book takes of the counts, are not part of gradus.

use gradus_autograd::prelude::*;
use gradus_nn::{Adam, Init, Optimizer, module};

/// "You say goodbye and I say hello." by word, in order of first appearance.
const SENTENCE: [usize; 8] = [0, 1, 2, 3, 4, 1, 5, 6];
const WORDS: usize = 7;
const YOU: usize = 0;
const I: usize = 4;

/// How often each word stands beside each other one.
fn neighbours() -> Tensor {
    let mut counts = Tensor::zeros([WORDS, WORDS]);
    for pair in SENTENCE.windows(2) {
        counts.as_mut_slice()[pair[0] * WORDS + pair[1]] += 1.0;
        counts.as_mut_slice()[pair[1] * WORDS + pair[0]] += 1.0;
    }
    counts
}

#[test]
fn words_in_like_company_are_alike() {
    let counts = neighbours();
    let similarity =
        counts.select(0, YOU as isize).cosine_similarity(&counts.select(0, I as isize), 0).item();
    assert!((similarity - 0.707_106_77).abs() < 1e-6, "{similarity}");
}

/// Positive pointwise mutual information: `max(0, log2(c_ij n / (n_i n_j)))`.
#[test]
fn mutual_information_of_neighbours() {
    let counts = neighbours();
    let (total, by_word) = (counts.sum(), counts.sum_axes(0, false));
    let chance = by_word.outer(&by_word) / total;
    let information = (counts / chance).log2().clamp_min(0.0);
    let expected = [
        [0.0, 1.807, 0.0, 0.0, 0.0, 0.0, 0.0],
        [1.807, 0.0, 0.807, 0.0, 0.807, 0.807, 0.0],
        [0.0, 0.807, 0.0, 1.807, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.807, 0.0, 1.807, 0.0, 0.0],
        [0.0, 0.807, 0.0, 1.807, 0.0, 0.0, 0.0],
        [0.0, 0.807, 0.0, 0.0, 0.0, 0.0, 2.807],
        [0.0, 0.0, 0.0, 0.0, 0.0, 2.807, 0.0],
    ];
    let off = (&information - Tensor::from(expected)).abs().max().item();
    assert!(off < 1e-3, "{information}");
}

/// Both directions of word2vec: a vector for each word, and scores of all words.
struct WordVectors {
    vectors: Param,
    scores: Param,
}
module!(WordVectors { vectors, scores });

/// The words with one on each side: the two beside them, and they themselves.
fn contexts() -> ([Indices; 2], Indices) {
    let of = |column: usize| SENTENCE.windows(3).map(|words| words[column] as i32).collect::<Indices>();
    ([of(0), of(2)], of(1))
}

/// Trains by batches of three and gives the mean loss of the last 100 steps, which the entropy of what cannot be known
/// bounds from below.
fn train(loss: impl for<'t> Fn(Var<'t>, Var<'t>, &[Indices; 2], &Indices) -> Var<'t>) -> f64 {
    let mut rng = Rng::seed(1);
    let small = Init::Normal(0.01);
    let mut model = WordVectors {
        vectors: Param::new(small.weight([WORDS, 5], &mut rng)),
        scores: Param::new(small.weight([WORDS, 5], &mut rng)),
    };
    let (([before, after], words), mut adam) = (contexts(), Adam::new(0.001));
    let mut tape = Tape::new();
    let mut losses = Vec::new();
    for _ in 0..1000 {
        // Six examples, two batches an epoch.
        let mut order: Vec<usize> = (0..6).collect();
        rng.shuffle(&mut order);
        for drawn in order.chunks(3) {
            let pick = |all: &Indices| drawn.iter().map(|&i| all.as_slice()[i]).collect::<Indices>();
            let (beside, words) = ([pick(&before), pick(&after)], pick(&words));
            let (value, gradients, ()) = tape.step(|tape| {
                let (vectors, scores) = (tape.param(&model.vectors), tape.param(&model.scores));
                (loss(vectors, scores, &beside, &words), ())
            });
            adam.step(&mut model, &gradients);
            losses.push(f64::from(value));
        }
    }
    losses[losses.len() - 100..].iter().sum::<f64>() / 100.0
}

/// A word from the mean of the vectors beside it. Between "goodbye" and "i" nobody can tell which: ln 2 in two of six.
#[test]
fn a_word_from_its_neighbours() {
    let loss = train(|vectors, scores, [before, after], words| {
        let mean = (vectors.embedding(before) + vectors.embedding(after)) * 0.5;
        mean.linear(&scores, None).cross_entropy(words)
    });
    let least = 2.0 * 2f64.ln() / 6.0;
    assert!((least..0.7).contains(&loss), "{loss}");
}

/// Both neighbours from a word, the two losses added. Beside "say" there are four words, beside the others two: at least
/// 2 (2 ln 4 + 4 ln 2) / 6.
#[test]
fn neighbours_from_a_word() {
    let loss = train(|vectors, scores, [before, after], words| {
        let y = vectors.embedding(words).linear(&scores, None);
        y.cross_entropy(before) + y.cross_entropy(after)
    });
    let least = 2.0 * (2.0 * 4f64.ln() + 4.0 * 2f64.ln()) / 6.0;
    assert!((least..1.25 * least).contains(&loss), "{loss}, at least {least}");
}
