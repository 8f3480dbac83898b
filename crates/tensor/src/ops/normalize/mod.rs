//! Normalisation: numbers brought to mean 0 and variance 1, row by row or channel by channel.

mod channels;
mod columns;
mod rows;
pub(super) mod softmax;

pub use channels::{ChannelNorm, StatisticsOver};
pub use rows::RowNorm;

use crate::{array::Tensor, threads::share};

/// Mean and variance.
#[derive(Clone, Copy, Debug)]
struct Moments {
    mean: f64,
    variance: f64,
}

/// Calls `f` for every item of an iterator of so many, on all threads if there is work on enough elements.
fn for_each<T: Send>(work: usize, count: usize, items: impl Iterator<Item = T> + Send, f: impl Fn(T) + Sync) {
    if work < 2 * share::ELEMENTWISE { items.for_each(f) } else { share::for_each_item(count, items, f) }
}

/// The elements of an optional factor or summand, or as many times what changes nothing.
fn elements_or(x: Option<&Tensor>, neutral: f32, len: usize) -> Vec<f32> {
    x.map_or_else(|| vec![neutral; len], Tensor::to_vec)
}
