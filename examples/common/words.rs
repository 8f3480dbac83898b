//! Words as numbers and as vectors: what is common to counting them and to predicting them.

use super::{grammar::ROLES, print::say};
use gradus::prelude::*;

/// A text in numbers of its words, which are numbered as they appear.
pub(crate) struct Corpus {
    pub(crate) words: Vec<String>,
    pub(crate) text: Vec<usize>,
}

impl Corpus {
    /// Of a text whose words have blanks between them; a full stop at the end of one is a word of its own.
    pub(crate) fn of(text: &str) -> Corpus {
        let mut corpus = Corpus { words: Vec::new(), text: Vec::new() };
        let mut known = std::collections::HashMap::new();
        for word in text.to_lowercase().replace('.', " . ").split_whitespace() {
            let number = *known.entry(word.to_owned()).or_insert_with(|| {
                corpus.words.push(word.to_owned());
                corpus.words.len() - 1
            });
            corpus.text.push(number);
        }
        corpus
    }

    /// The text but its last two tenths, and these, for validation and for test.
    pub(crate) fn parts(&self) -> [&[usize]; 3] {
        let tenth = self.text.len() / 10;
        let (training, rest) = self.text.split_at(self.text.len() - 2 * tenth);
        [training, &rest[..tenth], &rest[tenth..]]
    }

    pub(crate) fn number(&self, word: &str) -> Option<usize> {
        self.words.iter().position(|known| known == word)
    }
}

/// A text in so many streams side by side, piece by piece: the words of each, `[streams, steps]`, and the words that follow them,
/// `[streams · steps]`. What is left at the end of a stream is left out.
pub(crate) fn pieces(
    text: &[usize],
    streams: usize,
    steps: usize,
) -> impl Iterator<Item = (Indices, Indices)> + '_ {
    let stream = text.len() / streams;
    let cut = move |from: usize| -> Vec<usize> {
        (0..streams).flat_map(|k| text[k * stream + from..][..steps].iter().copied()).collect()
    };
    (0..(stream - 1) / steps).map(move |k| {
        let seen = Indices::new(cut(k * steps), [streams, steps]);
        (seen, Indices::new(cut(k * steps + 1), [streams * steps]))
    })
}

/// The words whose vectors, the rows of a table, have the greatest cosines with this one, the nearest first; without those
/// that are left out.
pub(crate) fn most_similar(
    vectors: &Tensor,
    to: &Tensor,
    without: &[usize],
    count: usize,
) -> Vec<(usize, f32)> {
    let cosines = vectors.cosine_similarity(&to.unsqueeze(0), -1).to_vec();
    let mut order: Vec<(usize, f32)> = cosines.into_iter().enumerate().collect();
    order.retain(|(word, _)| !without.contains(word));
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    order.truncate(count);
    order
}

/// The vector of a word.
pub(crate) fn row(vectors: &Tensor, word: usize) -> Tensor {
    vectors.select(0, word as isize)
}

/// In the small language, the share of things whose two nearest words are the two others of their role.
pub(crate) fn like_things(corpus: &Corpus, vectors: &Tensor) -> f64 {
    let nearest = |word: &str| {
        let word = corpus.number(word).expect("the text has all words");
        most_similar(vectors, &row(vectors, word), &[word], 2)
    };
    let right = ROLES.iter().flat_map(|(_, things)| things.map(|thing| (thing, things)));
    let right = right.filter(|(thing, things)| {
        nearest(thing).iter().all(|(word, _)| things.contains(&corpus.words[*word].as_str()))
    });
    right.count() as f64 / (3 * ROLES.len()) as f64
}

/// In the small language, the share of right answers to "a man is to a woman as another man to whom?" of all pairs of roles, both ways.
pub(crate) fn analogies(corpus: &Corpus, vectors: &Tensor) -> f64 {
    let pairs =
        ROLES.map(|(people, _)| people.map(|word| corpus.number(word).expect("the text has all words")));
    let vectors = vectors.normalize(-1);
    let (mut right, mut all) = (0.0, 0.0);
    for (i, j) in (0..ROLES.len()).flat_map(|i| (0..ROLES.len()).map(move |j| (i, j))).filter(|(i, j)| i != j)
    {
        for sex in [0, 1] {
            let [a, b, c] = [pairs[i][sex], pairs[i][1 - sex], pairs[j][sex]];
            let to = row(&vectors, b) - row(&vectors, a) + row(&vectors, c);
            all += 1.0;
            right +=
                f64::from(u8::from(most_similar(&vectors, &to, &[a, b, c], 1)[0].0 == pairs[j][1 - sex]));
        }
    }
    right / all
}

/// Prints the words that are most similar to each of these.
pub(crate) fn print_similar(corpus: &Corpus, vectors: &Tensor, words: &[&str]) {
    for &word in words {
        let Some(number) = corpus.number(word) else { continue };
        let similar = most_similar(vectors, &row(vectors, number), &[number], 4);
        let similar = similar.iter().map(|(other, cosine)| format!("{} {cosine:.2}", corpus.words[*other]));
        say(&format!("{word}: {}", similar.collect::<Vec<_>>().join(", ")));
    }
}
