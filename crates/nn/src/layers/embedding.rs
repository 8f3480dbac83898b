//! Vectors for words.

use crate::{init::Init, module};
use gradus_autograd::prelude::*;

/// A table of vectors, one for each index, such as those of words (book, volume 2, chapter 4).
///
/// `y[.., :] = weight[indices[..], :]`: indices of any shape `[..]` give `[.., size]`. The gradient of a row is the sum
/// over its uses.
///
/// There is no input value to say where to compute, so it takes the place: `tape.place()`, `x.place()`, or `eager()` for
/// tensors.
///
/// ```
/// use gradus_autograd::{eager, prelude::*};
/// use gradus_nn::Embedding;
///
/// let words = Embedding::new(1000, 16, &mut Rng::seed(0));
/// let text = Indices::new([3, 1, 4, 1, 5, 9], [2, 3]);
/// assert_eq!(words.forward(eager(), &text).shape(), &[2, 3, 16]);
///
/// let tape = Tape::new();
/// let gradients = words.forward(tape.place(), &text).sum().backward();
/// assert_eq!(gradients[&words.weight].get([1, 0]), 2.0); // used twice
/// ```
#[derive(Clone, Debug)]
pub struct Embedding {
    /// `[count, size]`.
    pub weight: Param,
    /// The index that fills sequences up, from the back if it is negative: its row gets no gradient.
    pub padding_index: Option<i32>,
}

module!(Embedding { weight; padding_index });

impl Embedding {
    /// A table of `count` vectors of `size` elements, with PyTorch's initial values: normal with variance 1.
    ///
    /// # Panics
    /// When `count` or `size` is 0.
    #[track_caller]
    pub fn new(count: usize, size: usize, rng: &mut Rng) -> Embedding {
        Embedding::with_init(count, size, Init::Normal(1.0), rng)
    }

    /// A table that is initialised so.
    ///
    /// # Panics
    /// When `count` or `size` is 0.
    #[track_caller]
    pub fn with_init(count: usize, size: usize, init: Init, rng: &mut Rng) -> Embedding {
        assert!(count > 0 && size > 0, "embedding: {count} vectors of {size}: both must be at least 1");
        Embedding { weight: Param::new(init.weight([count, size], rng)), padding_index: None }
    }

    /// The same table with a row of zeros that no gradient changes, for the index that fills sequences up; -1 is the last.
    ///
    /// # Panics
    /// When the table has no such row.
    #[track_caller]
    pub fn padding_index(mut self, index: i32) -> Embedding {
        let [count, size] = [0, 1].map(|axis| self.weight.value().size(axis));
        let in_range = (-(count as i64)..count as i64).contains(&i64::from(index));
        assert!(
            in_range,
            "embedding: the padding's index {index} is out of range for a table of {count} rows"
        );
        let row = Indices::from([index]);
        *self.weight.value_mut() = self.weight.value().index_copy(0, &row, &Tensor::zeros([1, size]));
        Embedding { padding_index: Some(index), ..self }
    }

    /// The vectors of these indices.
    ///
    /// # Panics
    /// When an index is out of range.
    #[track_caller]
    pub fn forward<V: Value>(&self, at: Place<V>, indices: &Indices) -> V {
        let weight = at.param(&self.weight);
        match self.padding_index {
            Some(padding) => weight.embedding_with_padding(indices, padding),
            None => weight.embedding(indices),
        }
    }
}
