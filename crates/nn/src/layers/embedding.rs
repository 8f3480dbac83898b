//! Vectors for words.

use crate::{init::Init, module};
use gradus_autograd::{
    ops::indexing::{BagMode, EmbeddingBagOptions},
    prelude::*,
};

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
        Embedding { weight: table("embedding", count, size, init, rng), padding_index: None }
    }

    /// The same table with a row of zeros that no gradient changes, for the index that fills sequences up; -1 is the last.
    ///
    /// # Panics
    /// When the table has no such row.
    #[track_caller]
    pub fn padding_index(mut self, index: i32) -> Embedding {
        clear_row("embedding", &mut self.weight, index);
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

/// A table of vectors, one for each index, that gives one vector for each bag of indices: their mean, as a rule. It is
/// an [`Embedding`] and what follows it in one, such as for the words of a text whose order does not matter.
///
/// `y[b, :] = Σ weight[i, :] / count` over the indices i of bag b: indices `[bags, size]` give `[bags, size of a vector]`. In a
/// list of indices a bag begins at its offset and ends where the next one begins. An empty bag gives 0.
///
/// ```
/// use gradus_autograd::{eager, ops::indexing::BagMode, prelude::*};
/// use gradus_nn::EmbeddingBag;
///
/// let words = EmbeddingBag::new(1000, 16, &mut Rng::seed(0)).mode(BagMode::Sum).padding_index(0);
/// let texts = Indices::new([3, 1, 4, 1, 5, 0], [2, 3]);
/// let y = words.forward(eager(), &texts, None, None);
/// // The same without padding: the second text begins at 3.
/// assert_eq!(y, words.forward(eager(), &Indices::from([3, 1, 4, 1, 5]), Some(&[0, 3]), None));
/// ```
#[derive(Clone, Debug)]
pub struct EmbeddingBag {
    /// `[count, size]`.
    pub weight: Param,
    /// What becomes of the vectors of a bag.
    pub mode: BagMode,
    /// The index that fills bags up, from the back if it is negative: it counts for nothing, and its row gets no gradient.
    pub padding_index: Option<i32>,
}

module!(EmbeddingBag { weight; mode, padding_index });

impl EmbeddingBag {
    /// A table of `count` vectors of `size` elements for means, with PyTorch's initial values: normal with variance 1.
    ///
    /// # Panics
    /// When `count` or `size` is 0.
    #[track_caller]
    pub fn new(count: usize, size: usize, rng: &mut Rng) -> EmbeddingBag {
        EmbeddingBag::with_init(count, size, Init::Normal(1.0), rng)
    }

    /// A table for means that is initialised so.
    ///
    /// # Panics
    /// When `count` or `size` is 0.
    #[track_caller]
    pub fn with_init(count: usize, size: usize, init: Init, rng: &mut Rng) -> EmbeddingBag {
        let weight = table("embedding_bag", count, size, init, rng);
        EmbeddingBag { weight, mode: BagMode::Mean, padding_index: None }
    }

    /// The same table for sums, means or the largest elements.
    pub fn mode(self, mode: BagMode) -> EmbeddingBag {
        EmbeddingBag { mode, ..self }
    }

    /// The same table with a row of zeros for the index that fills bags up; -1 is the last.
    ///
    /// # Panics
    /// When the table has no such row.
    #[track_caller]
    pub fn padding_index(mut self, index: i32) -> EmbeddingBag {
        clear_row("embedding_bag", &mut self.weight, index);
        EmbeddingBag { padding_index: Some(index), ..self }
    }

    /// A vector for each bag of indices, which are `[bags, size]`, or a list with offsets. `per_sample_weights`, in the
    /// shape of the indices, are for sums.
    ///
    /// # Panics
    /// When an index is out of range, or indices, offsets and weights do not fit each other or the mode.
    #[track_caller]
    pub fn forward<V: Value>(
        &self,
        at: Place<V>,
        indices: &Indices,
        offsets: Option<&[usize]>,
        per_sample_weights: Option<&V>,
    ) -> V {
        let &EmbeddingBag { mode, padding_index, .. } = self;
        let options = EmbeddingBagOptions { mode, per_sample_weights, padding_index };
        at.param(&self.weight).embedding_bag_with(indices, offsets, options)
    }
}

/// A table that is initialised so.
#[track_caller]
fn table(op: &str, count: usize, size: usize, init: Init, rng: &mut Rng) -> Param {
    assert!(count > 0 && size > 0, "{op}: {count} vectors of {size}: both must be at least 1");
    Param::new(init.weight([count, size], rng))
}

/// Makes the row of the padding zero.
#[track_caller]
fn clear_row(op: &str, table: &mut Param, index: i32) {
    let [count, size] = [0, 1].map(|axis| table.value().size(axis));
    let in_range = (-(count as i64)..count as i64).contains(&i64::from(index));
    assert!(in_range, "{op}: the padding's index {index} is out of range for a table of {count} rows");
    let row = Indices::from([index]);
    *table.value_mut() = table.value().index_copy(0, &row, &Tensor::zeros([1, size]));
}
