//! Tensors of which every rank has a part, whole rows, on their way in buckets.

use super::{Group, GroupError, share, sum::add_rows};
use gradus_tensor::Shape;
use std::ops::Range;

/// How many words are sent at once: 2 MiB, which the caches of most processors hold.
pub(crate) const BUCKET: usize = 1 << 19;

/// Into how many blocks of rows a tensor is cut, at most. A rank has whole blocks: so what is computed block by block, as
/// the norm of gradients, is the same whoever computes it.
const BLOCKS: usize = 256;

/// The blocks of a rank.
pub(crate) fn blocks(rank: usize, ranks: usize) -> Range<usize> {
    share(BLOCKS, rank, ranks)
}

/// The elements of some blocks of a tensor. Of fewer rows than blocks some have none.
pub(crate) fn elements(shape: &Shape, blocks: Range<usize>) -> Range<usize> {
    let (rows, row) = rows(shape);
    rows * blocks.start / BLOCKS * row..rows * blocks.end / BLOCKS * row
}

/// The elements of each of some blocks that has any. Of fewer rows than blocks these are the rows, so that a small tensor is not
/// asked for all its empty blocks.
pub(crate) fn filled(shape: &Shape, blocks: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let (rows, row) = rows(shape);
    let all = elements(shape, blocks.clone());
    let count = all.len().checked_div(row).unwrap_or(0).min(blocks.len());
    (0..count).map(move |i| match rows < BLOCKS {
        true => all.start + i * row..all.start + (i + 1) * row,
        false => elements(shape, blocks.start + i..blocks.start + i + 1),
    })
}

/// The number of rows, and of the elements of each. A single number is a row.
fn rows(shape: &Shape) -> (usize, usize) {
    (shape.first().copied().unwrap_or(1), shape.iter().skip(1).product())
}

/// Some tensors that travel together, in one bucket or in several. Every bucket has as much of one rank's parts as of
/// another's, so that all have something to add, and to send.
pub(crate) struct Parts {
    /// By rank, of every tensor.
    parts: Vec<Vec<Range<usize>>>,
    pub(crate) buckets: usize,
}

impl Parts {
    pub(crate) fn new<'s>(shapes: impl Iterator<Item = &'s Shape> + Clone, ranks: usize) -> Parts {
        let total: usize = shapes.clone().map(Shape::numel).sum();
        let of = |rank| shapes.clone().map(|shape| elements(shape, blocks(rank, ranks))).collect();
        Parts { parts: (0..ranks).map(of).collect(), buckets: total.div_ceil(BUCKET) }
    }

    /// Where the words of a rank in a bucket stand: the tensor and its elements.
    fn places(&self, rank: usize, bucket: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
        let parts = &self.parts[rank];
        let words = share(parts.iter().map(Range::len).sum(), bucket, self.buckets);
        let mut before = 0;
        parts.iter().enumerate().filter_map(move |(tensor, part)| {
            let start = words.start.clamp(before, before + part.len()) - before;
            let end = words.end.clamp(before, before + part.len()) - before;
            before += part.len();
            (start < end).then_some((tensor, part.start + start..part.start + end))
        })
    }

    /// How many words each rank has in a bucket.
    fn counts(&self, bucket: usize) -> Vec<usize> {
        (0..self.parts.len())
            .map(|rank| self.places(rank, bucket).map(|(_, range)| range.len()).sum())
            .collect()
    }

    /// Where the words of a rank in a bucket stand in its parts alone.
    fn places_in_parts(&self, rank: usize, bucket: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
        self.places(rank, bucket).map(move |(tensor, range)| {
            let start = self.parts[rank][tensor].start;
            (tensor, range.start - start..range.end - start)
        })
    }

    /// The sums of tensors that all ranks have, in the order of [`in_pairs`](super::in_pairs): those of this rank's part in
    /// a bucket, by their bits. A tensor that is not there adds nothing. `words` are the memory to pack into: buckets follow
    /// each other, and fresh pages cost more than the copies.
    pub(crate) fn reduce(
        &self,
        group: &mut dyn Group,
        bucket: usize,
        tensors: &[Option<&[f32]>],
        mut words: Vec<u32>,
    ) -> Result<Vec<u32>, GroupError> {
        let (ranks, counts) = (group.size(), self.counts(bucket));
        words.clear();
        words.reserve_exact(counts.iter().sum());
        for (tensor, range) in (0..ranks).flat_map(|rank| self.places(rank, bucket)) {
            match tensors[tensor] {
                Some(numbers) => words.extend(numbers[range].iter().map(|x| x.to_bits())),
                // What is added to it keeps its bits, as it would not with 0: -0 + 0 is 0.
                None => words.resize(words.len() + range.len(), (-0.0f32).to_bits()),
            }
        }
        let mut rows = group.all_to_all(words, &counts)?;
        let mine = counts[group.rank()];
        add_rows(&mut rows, mine, ranks);
        rows.truncate(mine);
        Ok(rows)
    }

    /// Gives this rank's words of a bucket to all, into tensors that are whole; and back what memory they took.
    pub(crate) fn spread(
        &self,
        group: &mut dyn Group,
        bucket: usize,
        words: Vec<u32>,
        whole: &mut [&mut [f32]],
    ) -> Result<Vec<u32>, GroupError> {
        let words = group.all_gather(words, &self.counts(bucket))?;
        put(&words, whole, (0..group.size()).flat_map(|rank| self.places(rank, bucket)));
        Ok(words)
    }

    /// Puts this rank's words of a bucket into its parts of the tensors.
    pub(crate) fn keep(&self, rank: usize, bucket: usize, words: &[u32], parts: &mut [&mut [f32]]) {
        put(words, parts, self.places_in_parts(rank, bucket));
    }

    /// Makes tensors whole of which every rank has its part.
    pub(crate) fn gather(
        &self,
        group: &mut dyn Group,
        parts: &[&[f32]],
        whole: &mut [&mut [f32]],
    ) -> Result<(), GroupError> {
        let mut words = Vec::new();
        for bucket in 0..self.buckets {
            words.clear();
            // As much as comes back.
            words.reserve_exact(self.counts(bucket).iter().sum());
            for (tensor, range) in self.places_in_parts(group.rank(), bucket) {
                words.extend(parts[tensor][range].iter().map(|x| x.to_bits()));
            }
            words = self.spread(group, bucket, words, whole)?;
        }
        Ok(())
    }
}

/// Writes numbers that are given by their bits to their places.
fn put(mut words: &[u32], tensors: &mut [&mut [f32]], places: impl Iterator<Item = (usize, Range<usize>)>) {
    for (tensor, range) in places {
        let (now, later) = words.split_at(range.len());
        tensors[tensor][range].iter_mut().zip(now).for_each(|(x, &word)| *x = f32::from_bits(word));
        words = later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::LocalGroup;

    /// Of many rows, of few, of none, of no axis; of several buckets together.
    const SHAPES: [&[usize]; 7] = [&[1000, 700], &[3], &[], &[0, 4], &[257, 2], &[1, 9], &[2, 3, 5]];

    fn shapes() -> Vec<Shape> {
        SHAPES.map(Shape::new).to_vec()
    }

    #[test]
    fn every_element_is_one_ranks_and_in_one_bucket() {
        let shapes = shapes();
        for ranks in [1, 2, 3, 8, 300] {
            let parts = Parts::new(shapes.iter(), ranks);
            let mut seen: Vec<Vec<u8>> = shapes.iter().map(|shape| vec![0; shape.numel()]).collect();
            for bucket in 0..parts.buckets {
                let counts = parts.counts(bucket);
                assert!(counts.iter().sum::<usize>() <= BUCKET + ranks);
                // In whole rows, of which the longest here has 700: but a rank of 300 may have none.
                let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
                assert!(ranks > 8 || most - least <= 4 * 700, "{counts:?}");
                for (rank, &count) in counts.iter().enumerate() {
                    let places: Vec<_> = parts.places(rank, bucket).collect();
                    assert_eq!(places.iter().map(|(_, range)| range.len()).sum::<usize>(), count);
                    places
                        .into_iter()
                        .for_each(|(tensor, range)| seen[tensor][range].iter_mut().for_each(|n| *n += 1));
                }
            }
            assert!(seen.iter().flatten().all(|&n| n == 1));
        }
    }

    #[test]
    fn filled_blocks_are_those_with_elements() {
        for shape in
            shapes().into_iter().chain([Shape::new(&[255, 2]), Shape::new(&[256]), Shape::new(&[5, 0])])
        {
            for (rank, ranks) in [(0, 1), (0, 3), (1, 3), (2, 3), (6, 7)] {
                let one_by_one = blocks(rank, ranks).map(|block| elements(&shape, block..block + 1));
                let expected: Vec<_> = one_by_one.filter(|elements| !elements.is_empty()).collect();
                assert_eq!(filled(&shape, blocks(rank, ranks)).collect::<Vec<_>>(), expected, "{shape}");
            }
        }
    }

    #[test]
    fn a_rank_has_whole_rows() {
        for shape in shapes() {
            let row: usize = shape.iter().skip(1).product();
            for rank in 0..3 {
                let part = elements(&shape, blocks(rank, 3));
                assert!(
                    part.is_empty() || part.start.is_multiple_of(row) && part.end.is_multiple_of(row),
                    "{shape} {part:?}"
                );
            }
        }
    }

    /// Reduced and spread, or reduced, kept and gathered: the sums in pairs either way.
    #[test]
    fn sums_come_to_their_places() {
        let shapes = shapes();
        let number =
            |rank: usize, i: usize| ((i * 7919 + rank * 31) % 1000) as f32 * 10f32.powi((i % 9) as i32);
        let expected = |i| crate::group::in_pairs((0..3).map(|rank| number(rank, i)).collect(), |a, b| a + b);
        let sums = LocalGroup::run(3, |mut group| {
            let (parts, me) = (Parts::new(shapes.iter(), 3), group.rank());
            let of = |shape: &Shape| (0..shape.numel()).map(|i| number(me, i)).collect::<Vec<f32>>();
            let mine: Vec<Vec<f32>> = shapes.iter().map(of).collect();
            let given: Vec<Option<&[f32]>> = mine.iter().map(|numbers| Some(&numbers[..])).collect();
            let zeros = || shapes.iter().map(|shape| vec![0.0; shape.numel()]).collect::<Vec<Vec<f32>>>();
            let (mut at_once, mut later) = (zeros(), zeros());
            let mut kept: Vec<Vec<f32>> =
                shapes.iter().map(|shape| vec![0.0; elements(shape, blocks(me, 3)).len()]).collect();
            for bucket in 0..parts.buckets {
                let words = parts.reduce(&mut group, bucket, &given, Vec::new()).unwrap();
                let mut kept: Vec<&mut [f32]> = kept.iter_mut().map(|part| &mut part[..]).collect();
                parts.keep(me, bucket, &words, &mut kept);
                let mut whole: Vec<&mut [f32]> = at_once.iter_mut().map(|sums| &mut sums[..]).collect();
                parts.spread(&mut group, bucket, words, &mut whole).unwrap();
            }
            let kept: Vec<&[f32]> = kept.iter().map(|part| &part[..]).collect();
            let mut whole: Vec<&mut [f32]> = later.iter_mut().map(|sums| &mut sums[..]).collect();
            parts.gather(&mut group, &kept, &mut whole).unwrap();
            assert!(at_once == later);
            at_once
        });
        for sum in &sums[0] {
            sum.iter().enumerate().for_each(|(i, &x)| assert_eq!(Some(x), expected(i)));
        }
        assert!(sums[1] == sums[0] && sums[2] == sums[0]);
    }

    #[test]
    fn what_is_not_there_adds_nothing() {
        let shape = Shape::new(&[2]);
        let sums = LocalGroup::run(2, |mut group| {
            let parts = Parts::new([&shape].into_iter(), 2);
            let there: [f32; 2] = [-0.0, 1.5];
            let mine = (group.rank() == 0).then_some(&there[..]);
            let words = parts.reduce(&mut group, 0, &[mine], Vec::new()).unwrap();
            words[0]
        });
        assert_eq!(sums, [(-0.0f32).to_bits(), 1.5f32.to_bits()]);
    }
}
