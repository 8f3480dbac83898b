//! Tensors of which every rank has a part, whole rows, on their way in buckets.

use super::{Group, GroupError, share, sum::add_others};
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

    /// Where the words of the other ranks in a bucket stand, in their order.
    fn places_of_others(&self, rank: usize, bucket: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
        (0..self.parts.len())
            .filter(move |&other| other != rank)
            .flat_map(move |other| self.places(other, bucket))
    }

    /// Adds what all ranks have, in the order of [`in_pairs`](super::in_pairs): in this rank's part of a bucket are then the sums.
    pub(crate) fn reduce(
        &self,
        group: &mut dyn Group,
        bucket: usize,
        whole: &mut [&mut [f32]],
    ) -> Result<(), GroupError> {
        let (rank, counts) = (group.rank(), self.counts(bucket));
        let words = packed(group.memory(), whole, self.places_of_others(rank, bucket));
        let mut others = group.all_to_all(words, &counts)?;
        let mut start = 0;
        for (tensor, range) in self.places(rank, bucket) {
            let len = range.len();
            add_others(rank, &mut whole[tensor][range], &mut others, counts[rank], start);
            start += len;
        }
        group.reuse(others);
        Ok(())
    }

    /// Gives this rank's part of a bucket to all others, and puts theirs where they belong.
    pub(crate) fn spread(
        &self,
        group: &mut dyn Group,
        bucket: usize,
        whole: &mut [&mut [f32]],
    ) -> Result<(), GroupError> {
        let (rank, counts) = (group.rank(), self.counts(bucket));
        let words = packed(group.memory(), whole, self.places(rank, bucket));
        let others = group.all_gather(words, &counts)?;
        let mut rest = &others[..];
        for (tensor, range) in self.places_of_others(rank, bucket) {
            let (now, later) = rest.split_at(range.len());
            whole[tensor][range].iter_mut().zip(now).for_each(|(x, &word)| *x = f32::from_bits(word));
            rest = later;
        }
        group.reuse(others);
        Ok(())
    }

    /// Makes tensors whole of which every rank has its part.
    pub(crate) fn gather(
        &self,
        group: &mut dyn Group,
        parts: &[&[f32]],
        whole: &mut [&mut [f32]],
    ) -> Result<(), GroupError> {
        for ((part, whole), range) in parts.iter().zip(&mut *whole).zip(&self.parts[group.rank()]) {
            whole[range.clone()].copy_from_slice(part);
        }
        (0..self.buckets).try_for_each(|bucket| self.spread(group, bucket, whole))
    }
}

/// Adds to numbers that every rank has those of all others: element by element, first neighbouring ranks, then neighbours
/// among the sums. All ranks get the same bits.
///
/// Every rank adds one part of the elements for all: it sends and receives twice the elements, however many ranks there are.
///
/// # Errors
/// When a rank is lost, or ranks have other numbers of elements.
pub fn sum(group: &mut dyn Group, numbers: &mut [f32]) -> Result<(), GroupError> {
    let parts = Parts::new([&Shape::new(&[numbers.len()])].into_iter(), group.size());
    for bucket in 0..parts.buckets {
        parts.reduce(group, bucket, &mut [numbers])?;
        parts.spread(group, bucket, &mut [numbers])?;
    }
    Ok(())
}

/// The numbers at some places by their bits, in memory that is given.
fn packed(
    mut words: Vec<u32>,
    tensors: &[&mut [f32]],
    places: impl Iterator<Item = (usize, Range<usize>)>,
) -> Vec<u32> {
    words.clear();
    for (tensor, range) in places {
        words.extend(tensors[tensor][range].iter().map(|x| x.to_bits()));
    }
    words
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

    /// Reduced and spread, or reduced, its own part kept and gathered: the sums in pairs either way.
    #[test]
    fn sums_come_to_their_places() {
        let shapes = shapes();
        let number =
            |rank: usize, i: usize| ((i * 7919 + rank * 31) % 1000) as f32 * 10f32.powi((i % 9) as i32);
        let expected = |i| crate::group::in_pairs((0..3).map(|rank| number(rank, i)).collect(), |a, b| a + b);
        let sums = LocalGroup::run(3, |mut group| {
            let (parts, me) = (Parts::new(shapes.iter(), 3), group.rank());
            let of = |shape: &Shape| (0..shape.numel()).map(|i| number(me, i)).collect::<Vec<f32>>();
            let mut at_once: Vec<Vec<f32>> = shapes.iter().map(of).collect();
            let mut reduced = at_once.clone();
            for bucket in 0..parts.buckets {
                parts.reduce(&mut group, bucket, &mut slices_of(&mut at_once)).unwrap();
                parts.spread(&mut group, bucket, &mut slices_of(&mut at_once)).unwrap();
                parts.reduce(&mut group, bucket, &mut slices_of(&mut reduced)).unwrap();
            }
            let mine = |(shape, sums)| &Vec::as_slice(sums)[elements(shape, blocks(me, 3))];
            let kept: Vec<&[f32]> = shapes.iter().zip(&reduced).map(mine).collect();
            let mut later: Vec<Vec<f32>> = shapes.iter().map(|shape| vec![0.0; shape.numel()]).collect();
            parts.gather(&mut group, &kept, &mut slices_of(&mut later)).unwrap();
            assert!(at_once == later);
            at_once
        });
        for sum in &sums[0] {
            sum.iter().enumerate().for_each(|(i, &x)| assert_eq!(Some(x), expected(i)));
        }
        assert!(sums[1] == sums[0] && sums[2] == sums[0]);
    }

    fn slices_of(tensors: &mut [Vec<f32>]) -> Vec<&mut [f32]> {
        tensors.iter_mut().map(|tensor| &mut tensor[..]).collect()
    }
}
