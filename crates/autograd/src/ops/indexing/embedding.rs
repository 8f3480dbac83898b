//! Rows of a table, put together in bags.

use super::ScatterReduction;
use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::Indices;

/// What becomes of the rows of a bag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BagMode {
    /// Their sum.
    Sum,
    /// Their mean.
    #[default]
    Mean,
    /// The largest of their elements at each place.
    Max,
}

/// Variants of bags, as in PyTorch's `embedding_bag`. Where only the mode differs, a [`BagMode`] will do.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddingBagOptions<'a, V> {
    /// What becomes of the rows of a bag.
    pub mode: BagMode,
    /// What each row is multiplied with before they are summed, in the shape of the indices.
    pub per_sample_weights: Option<&'a V>,
    /// The row that fills bags up, from the back if it is negative: its indices count for nothing.
    pub padding_index: Option<i32>,
}

impl<V> Default for EmbeddingBagOptions<'_, V> {
    fn default() -> Self {
        BagMode::Mean.into()
    }
}

impl<V> From<BagMode> for EmbeddingBagOptions<'_, V> {
    fn from(mode: BagMode) -> Self {
        EmbeddingBagOptions { mode, per_sample_weights: None, padding_index: None }
    }
}

/// [`embedding_bag_with`](super::Indexing::embedding_bag_with).
#[track_caller]
pub(super) fn bags<V: Value>(
    table: &V,
    indices: &Indices,
    offsets: Option<&[usize]>,
    options: EmbeddingBagOptions<'_, V>,
) -> V {
    let EmbeddingBagOptions { mode, per_sample_weights: weights, padding_index } = options;
    let (shape, at) = (table.shape(), table.place());
    if shape.rank() != 2 {
        ShapeError::new(format!("embedding_bag: the table must have shape [n, d], not {shape}")).fail()
    }
    if let Some(weights) = weights {
        let (found, wanted) = (weights.shape(), indices.shape());
        assert!(mode == BagMode::Sum, "embedding_bag: weights are for sums, not for the mode {mode:?}");
        if found != *wanted {
            ShapeError::new(format!(
                "embedding_bag: weights {found} for indices {wanted}: they must be equal"
            ))
            .fail()
        }
    }
    let padding =
        padding_index.map(|index| padding_row("embedding_bag", index, &shape)).transpose().or_fail();
    let sizes = sizes(indices, offsets).or_fail();
    let bag_of = sizes.iter().enumerate().flat_map(|(bag, &size)| std::iter::repeat_n(bag, size));

    let named = indices.positions("embedding_bag", 0, &shape).or_fail().into_iter().zip(bag_of).enumerate();
    let (mut places, mut rows, mut bags) = (Vec::new(), Vec::new(), Vec::new());
    for (place, (row, bag)) in named.filter(|&(_, (row, _))| Some(row) != padding) {
        places.push(place);
        rows.push(row);
        bags.push(bag);
    }
    let rows = table.index_select(0, &rows.into());
    let rows = match weights {
        Some(weights) => rows * weights.flatten().index_select(0, &places.into()).unsqueeze(1),
        None => rows,
    };

    let empty = at.constant(Tensor::zeros([sizes.len(), shape[1]]));
    match mode {
        BagMode::Sum => empty.index_add(0, &bags.into(), &rows),
        BagMode::Mean => {
            let mut counts = vec![0.0; sizes.len()];
            bags.iter().for_each(|&bag| counts[bag] += 1.0);
            let counts = Tensor::new(counts, [sizes.len(), 1]).clamp(1.0, f32::INFINITY);
            empty.index_add(0, &bags.into(), &rows) / at.constant(counts)
        }
        BagMode::Max => {
            let of_elements: Vec<usize> =
                bags.iter().flat_map(|&bag| std::iter::repeat_n(bag, shape[1])).collect();
            let places = Indices::from(of_elements).reshape([bags.len(), shape[1]]);
            empty.scatter_reduce(0, &places, &rows, ScatterReduction::Amax, false)
        }
    }
}

/// How many indices each bag has.
fn sizes(indices: &Indices, offsets: Option<&[usize]>) -> Result<Vec<usize>, ShapeError> {
    let shape = indices.shape();
    let n = shape.numel();
    let offsets = match (offsets, &shape[..]) {
        (None, &[bags, size]) => return Ok(vec![size; bags]),
        (Some(offsets), [_]) => offsets,
        _ => {
            return Err(ShapeError::new(format!(
                "embedding_bag: indices of shape {shape}: there must be one axis with offsets, or two, [bags, size], without"
            )));
        }
    };
    let ends = offsets.iter().skip(1).chain([&n]);
    let sizes: Option<Vec<usize>> =
        offsets.iter().zip(ends).map(|(begin, end)| end.checked_sub(*begin)).collect();
    match sizes.filter(|sizes| sizes.iter().sum::<usize>() == n) {
        Some(sizes) => Ok(sizes),
        None => Err(ShapeError::new(format!(
            "embedding_bag: the offsets {offsets:?} must rise from 0 to at most the number of indices, of shape {shape}"
        ))),
    }
}

/// The row of a table that fills up, counted from the front.
pub(super) fn padding_row(op: &str, index: i32, table: &[usize]) -> Result<usize, ShapeError> {
    let n = table[0] as i64;
    let row = if index < 0 { i64::from(index) + n } else { index.into() };
    match (0..n).contains(&row) {
        true => Ok(row as usize),
        false => Err(ShapeError::new(format!(
            "{op}: the padding's index {index} is out of range for a table of {n} rows"
        ))),
    }
}
