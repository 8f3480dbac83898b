//! Texts as numbers, one for each letter.

use gradus::tensor::Indices;

/// The letters of a text, sorted: a letter's number is its place.
pub(crate) struct Letters(Vec<char>);

impl Letters {
    pub(crate) fn of(text: &str) -> Letters {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters.dedup();
        Letters(letters)
    }

    /// How many different ones there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// A text in numbers.
    ///
    /// # Panics
    /// When it has a letter that is not among these.
    pub(crate) fn numbers(&self, text: &str) -> Vec<i32> {
        let number = |letter: char| match self.0.binary_search(&letter) {
            Ok(number) => number as i32,
            Err(_) => panic!("{letter:?} is none of the letters"),
        };
        text.chars().map(number).collect()
    }

    /// The text that these numbers stand for.
    pub(crate) fn text(&self, numbers: &[i32]) -> String {
        numbers.iter().map(|&number| self.0[number as usize]).collect()
    }

    /// Texts of one length in numbers, `[texts, length]`.
    pub(crate) fn table<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Indices {
        let rows: Vec<Vec<i32>> = texts.into_iter().map(|text| self.numbers(text)).collect();
        let length = rows.first().map_or(0, Vec::len);
        Indices::new(rows.concat(), [rows.len(), length])
    }
}
