//! Normalisation: numbers brought to mean 0 and variance 1, row by row or channel by channel.

mod channels;
mod columns;
mod rows;
mod softmax;

pub use channels::{ChannelNorm, StatisticsOver};
pub use rows::RowNorm;

use crate::{
    array::Tensor,
    kernels::vectors::{read, read_partial, write, write_partial},
    simd::{Lane, Simd},
    threads::share,
};

/// Mean and variance.
#[derive(Clone, Copy, Debug)]
struct Moments {
    mean: f64,
    variance: f64,
}

/// The vector from `at` on, with zeros behind the end of the slice.
#[inline(always)]
fn load<S: Simd>(simd: S, x: &[f32], at: usize) -> Lane<S> {
    if at + S::LANES <= x.len() { read(simd, x, at) } else { read_partial(simd, &x[at..]) }
}

/// Writes what of a vector lies within the slice.
#[inline(always)]
fn store<S: Simd>(x: Lane<S>, out: &mut [f32], at: usize) {
    if at + S::LANES <= out.len() { write(x, out, at) } else { write_partial(x, &mut out[at..]) }
}

/// The elements of a vector added up.
#[inline(always)]
fn total<S: Simd>(x: Lane<S>) -> f32 {
    let mut elements = [0.0; crate::simd::MAX_LANES];
    write(x, &mut elements, 0);
    let mut width = S::LANES;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            elements[i] += elements[i + width];
        }
    }
    elements[0]
}

/// Calls `f` for every item of an iterator of so many, on all threads if there is work on enough elements.
fn for_each<T: Send>(work: usize, count: usize, items: impl Iterator<Item = T> + Send, f: impl Fn(T) + Sync) {
    if work < 2 * share::ELEMENTWISE { items.for_each(f) } else { share::for_each_item(count, items, f) }
}

/// The elements of an optional factor or summand, or as many times what changes nothing.
fn elements_or(x: Option<&Tensor>, neutral: f32, len: usize) -> Vec<f32> {
    x.map_or_else(|| vec![neutral; len], Tensor::to_vec)
}
