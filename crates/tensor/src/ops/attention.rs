//! Attention of queries to keys, without the whole matrix of their scores: those of some queries at a time, which stay in the caches.

use super::{linear::Batch, normalize::softmax::soften};
use crate::{
    Isa,
    array::{Tensor, layout::Layout, strided::Positions},
    error::OrFail,
    kernels::matmul::{Epilogue, Mat, MatMut, matmul},
    shape::Shape,
    simd::{
        Kernel, Lane, Simd, dispatch,
        vectors::{read_padded, write_clipped},
    },
    threads::share,
};
use std::ops::Range;

/// Queries whose scores are in memory at a time.
const QUERIES: usize = 64;

/// The sizes of an attention, and which keys its queries see.
#[derive(Clone, Debug)]
pub struct AttentionShape<'a> {
    /// The axes before those of queries, keys and values, which all three share.
    pub lead: Shape,
    /// How many queries there are, keys, numbers in a query or key, and numbers in a value.
    pub sizes: [usize; 4],
    /// Whether query i sees only the keys 0 to i.
    pub is_causal: bool,
    /// 0 where a query does not see a key; it broadcasts to `[lead.., queries, keys]`.
    pub mask: Option<&'a Tensor>,
}

impl AttentionShape<'_> {
    fn shape(&self, last: [usize; 2]) -> Shape {
        Shape::new(&[&self.lead[..], &last].concat())
    }

    /// `softmax(q kᵀ) v` over the keys that each query sees, of queries that are scaled already: `[lead.., queries, values]`. A query
    /// that sees nothing gives 0.
    pub fn forward(&self, [q, k, v]: [&Tensor; 3]) -> Tensor {
        let [queries, _, _, size] = self.sizes;
        let heads = Heads::new(self, [q, k, v]);
        let shape = self.shape([queries, size]);
        Tensor::written(shape, |y| {
            let blocks = y.chunks_mut((queries * size).max(1)).enumerate();
            let blocks = blocks.flat_map(|(head, y)| {
                y.chunks_mut((QUERIES * size).max(1))
                    .enumerate()
                    .map(move |(block, y)| (head, block * QUERIES, y))
            });
            let count = heads.count * queries.div_ceil(QUERIES);
            let compute = |(head, start, y): (usize, usize, &mut [f32])| {
                let rows = start..queries.min(start + QUERIES);
                let mut scores = scratch(rows.len() * heads.seen(&rows));
                let weights = heads.weights(head, &rows, scores.as_mut_slice());
                let values = heads.rows(2, head, 0..heads.seen(&rows));
                matmul(weights, values, MatMut::new(y, [rows.len(), size], size), Epilogue::NONE);
            };
            heads.for_each(count, blocks, compute);
        })
    }

    /// The gradients by queries, which are those of the scaled ones, keys and values, `g` being that by the result.
    pub fn backward(&self, [q, k, v]: [&Tensor; 3], g: &Tensor) -> [Tensor; 3] {
        let [queries, keys, d, size] = self.sizes;
        let heads = Heads::new(self, [q, k, v]);
        let g = g.contiguous();
        let g = g.as_slice().expect("made contiguous");
        let [mut dq, mut dk, mut dv] =
            [[queries, d], [keys, d], [keys, size]].map(|last| Tensor::zeros(self.shape(last)));
        let of_queries = dq.as_mut_slice().chunks_mut((queries * d).max(1));
        let of_keys = dk.as_mut_slice().chunks_mut((keys * d).max(1));
        let of_values = dv.as_mut_slice().chunks_mut((keys * size).max(1));
        let parts = of_queries.zip(of_keys).zip(of_values).enumerate();
        // The queries of a head one block after the other: keys and values add up what comes from all of them.
        let compute = |(head, ((dq, dk), dv)): (usize, (Pair<'_>, &mut [f32]))| {
            for start in (0..queries).step_by(QUERIES) {
                let rows = start..queries.min(start + QUERIES);
                let (n, seen) = (rows.len(), heads.seen(&rows));
                let mut scores = scratch(2 * n * seen);
                let (scores, slopes) = scores.as_mut_slice().split_at_mut(n * seen);
                let weights = heads.weights(head, &rows, scores);
                let g = Mat::new(g, (head * queries + start) * size, [n, size], [size as isize, 1]);
                let added = Epilogue { accumulate: true, ..Epilogue::NONE };
                matmul(weights.transposed(), g, MatMut::new(dv, [seen, size], size), added);
                let values = heads.rows(2, head, 0..seen);
                matmul(g, values.transposed(), MatMut::new(slopes, [n, seen], seen), Epilogue::NONE);
                dispatch(Isa::current(), SoftmaxBack { seen, weights: scores, slopes });
                let slopes = Mat::new(slopes, 0, [n, seen], [seen as isize, 1]);
                let dq = MatMut::new(&mut dq[start * d..], [n, d], d);
                matmul(slopes, heads.rows(1, head, 0..seen), dq, Epilogue::NONE);
                let queries = heads.rows(0, head, rows);
                matmul(slopes.transposed(), queries, MatMut::new(dk, [seen, d], d), added);
            }
        };
        heads.for_each(heads.count, parts, compute);
        [dq, dk, dv]
    }
}

/// A head's gradients by queries and by keys.
type Pair<'a> = (&'a mut [f32], &'a mut [f32]);

/// Memory whose values are unspecified.
fn scratch(len: usize) -> Tensor {
    Tensor::written(Shape::from([len]), |_| {})
}

/// Queries, keys and values as matrices, one of each for every head.
struct Heads<'a> {
    shape: &'a AttentionShape<'a>,
    count: usize,
    parts: [(Batch<'a>, Vec<usize>); 3],
    /// Where the mask of each head begins, and its steps from query to query and from key to key.
    mask: Option<(&'a [f32], Vec<usize>, [isize; 2])>,
}

impl<'a> Heads<'a> {
    fn new(shape: &'a AttentionShape<'a>, parts: [&'a Tensor; 3]) -> Heads<'a> {
        let parts = parts.map(|part| {
            let batch = Batch::new(part);
            let offsets = batch.offsets(&shape.lead);
            (batch, offsets)
        });
        let mask = shape.mask.map(|mask| {
            let [queries, keys, ..] = shape.sizes;
            let whole = mask.layout.broadcast_to(&shape.shape([queries, keys])).or_fail();
            let axes = shape.lead.rank();
            let lead = Layout::new(shape.lead.clone(), whole.strides[..axes].into(), whole.offset);
            (mask.data(), Positions::new(&lead).collect(), [whole.strides[axes], whole.strides[axes + 1]])
        });
        Heads { shape, count: shape.lead.numel(), parts, mask }
    }

    /// How many keys any of these queries may see.
    fn seen(&self, rows: &Range<usize>) -> usize {
        let keys = self.shape.sizes[1];
        if self.shape.is_causal { keys.min(rows.end) } else { keys }
    }

    /// Some rows of the queries (0), keys (1) or values (2) of a head.
    fn rows(&self, of: usize, head: usize, rows: Range<usize>) -> Mat<'_> {
        let (batch, offsets) = &self.parts[of];
        batch.matrix(offsets[head]).rows_of(rows)
    }

    /// The weights of the keys that these queries may see.
    fn weights<'s>(&self, head: usize, rows: &Range<usize>, scores: &'s mut [f32]) -> Mat<'s> {
        let (n, seen) = (rows.len(), self.seen(rows));
        let keys = self.rows(1, head, 0..seen);
        let out = MatMut::new(scores, [n, seen], seen);
        matmul(self.rows(0, head, rows.clone()), keys.transposed(), out, Epilogue::NONE);
        for (i, scores) in rows.clone().zip(scores.chunks_exact_mut(seen.max(1))) {
            let own = if self.shape.is_causal { seen.min(i + 1) } else { seen };
            let (scores, hidden) = scores.split_at_mut(own);
            hidden.fill(0.0);
            let sees = self.mask.as_ref().map(|(mask, starts, [down, right])| {
                let start = starts[head].wrapping_add_signed(i as isize * down);
                move |key: usize| mask[start.wrapping_add_signed(key as isize * right)] != 0.0
            });
            // The least number in place of -inf: where all is hidden, the softmax is not NaN, and the weights become 0 after.
            if let Some(sees) = &sees {
                let hidden = scores.iter_mut().enumerate().filter(|(key, _)| !sees(*key));
                hidden.for_each(|(_, score)| *score = f32::MIN);
            }
            soften(Isa::current(), scores);
            if let Some(sees) = &sees {
                let hidden = scores.iter_mut().enumerate().filter(|(key, _)| !sees(*key));
                hidden.for_each(|(_, weight)| *weight = 0.0);
            }
        }
        Mat::new(scores, 0, [n, seen], [seen as isize, 1])
    }

    /// Each on a thread of its own where there are enough of them, else one after the other, with products that the threads share.
    fn for_each<T>(&self, count: usize, items: impl Iterator<Item = T> + Send, f: impl Fn(T) + Sync) {
        let [queries, keys, d, _] = self.shape.sizes;
        let work = (self.count * queries * keys).saturating_mul(d);
        if count < rayon::current_num_threads() || work < share::MATMUL_MIN_WORK {
            items.for_each(f);
        } else {
            share::for_each_item(count, items, f);
        }
    }
}

/// What comes to the scores from what comes to the weights, row by row: `w (dw - Σ w dw)`, and 0 where the weight is 0.
struct SoftmaxBack<'a> {
    seen: usize,
    weights: &'a [f32],
    slopes: &'a mut [f32],
}

impl Kernel for SoftmaxBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let SoftmaxBack { seen, weights, slopes } = self;
        for (weights, slopes) in weights.chunks_exact(seen.max(1)).zip(slopes.chunks_exact_mut(seen.max(1))) {
            let mut sum = Lane::splat(simd, 0.0);
            let mut i = 0;
            while i < seen {
                let (w, dw) = (read_padded(simd, weights, i), read_padded(simd, slopes, i));
                sum = sum + w.eq(0.0).select(0.0, w * dw);
                i += S::LANES;
            }
            let sum = sum.sum();
            let mut i = 0;
            while i < seen {
                let (w, dw) = (read_padded(simd, weights, i), read_padded(simd, slopes, i));
                write_clipped(w.eq(0.0).select(0.0, w * (dw - sum)), slopes, i);
                i += S::LANES;
            }
        }
    }
}
