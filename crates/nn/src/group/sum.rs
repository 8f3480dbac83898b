//! Sums over ranks, in one order whoever computes them.

use super::{Group, GroupError, share};

/// How many sums are computed side by side.
const COLUMNS: usize = 4096;

/// Adds neighbours, then neighbours among the sums, until one is left. One without a neighbour waits for the next round.
///
/// Parts that begin at a multiple of a power of two and are as many have in every longer list the sum that they have alone:
/// whoever computes it.
pub(crate) fn in_pairs<T>(mut parts: Vec<T>, mut add: impl FnMut(T, T) -> T) -> Option<T> {
    while parts.len() > 1 {
        let mut rest = parts.into_iter();
        let mut sums = Vec::with_capacity(rest.len().div_ceil(2));
        while let Some(a) = rest.next() {
            sums.push(match rest.next() {
                Some(b) => add(a, b),
                None => a,
            });
        }
        parts = sums;
    }
    parts.pop()
}

/// The sums over all ranks of numbers that every rank has, given and returned by their bits: element by element, first
/// neighbouring ranks, then neighbours among the sums. All ranks get the same bits.
///
/// Every rank adds one part of the elements for all: it sends and receives twice the elements, however many ranks there are.
///
/// # Errors
/// When a rank is lost, or ranks have other numbers of elements.
pub fn sum(group: &mut dyn Group, words: Vec<u32>) -> Result<Vec<u32>, GroupError> {
    let ranks = group.size();
    if ranks == 1 {
        return Ok(words);
    }
    let counts: Vec<usize> = (0..ranks).map(|rank| share(words.len(), rank, ranks).len()).collect();
    let mut rows = group.all_to_all(words, &counts)?;
    let len = counts[group.rank()];
    add_rows(&mut rows, len, ranks);
    rows.truncate(len);
    group.all_gather(rows, &counts)
}

/// Adds rows of `len` numbers into the first one, in the order of [`in_pairs`].
pub(super) fn add_rows(rows: &mut [u32], len: usize, count: usize) {
    for start in (0..len).step_by(COLUMNS) {
        let columns = COLUMNS.min(len - start);
        let mut step = 1;
        while step < count {
            for row in (0..count - step).step_by(2 * step) {
                let (before, from) = rows.split_at_mut((row + step) * len);
                let to = &mut before[row * len + start..][..columns];
                for (a, b) in to.iter_mut().zip(&from[start..]) {
                    *a = (f32::from_bits(*a) + f32::from_bits(*b)).to_bits();
                }
            }
            step *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a sum is bracketed, as a text.
    fn brackets(parts: usize) -> String {
        in_pairs((0..parts).map(|i| i.to_string()).collect(), |a, b| format!("({a} {b})")).unwrap()
    }

    #[test]
    fn neighbours_are_added_first() {
        assert_eq!(brackets(1), "0");
        assert_eq!(brackets(3), "((0 1) 2)");
        assert_eq!(brackets(7), "(((0 1) (2 3)) ((4 5) 6))");
        assert_eq!(in_pairs(Vec::<u8>::new(), |a, _| a), None);
    }

    /// Of 1 to 33 shards, those of each rank added there and the ranks' sums after, for every power of two a rank.
    #[test]
    fn whoever_adds_the_brackets_are_the_same() {
        for shards in 1..=33usize {
            for per_rank in [1, 2, 4, 8, 16] {
                let names: Vec<String> = (0..shards).map(|i| i.to_string()).collect();
                let add = |a, b| format!("({a} {b})");
                let of_ranks = names.chunks(per_rank).map(|part| in_pairs(part.to_vec(), add).unwrap());
                assert_eq!(in_pairs(of_ranks.collect(), add).unwrap(), brackets(shards));
            }
        }
    }

    /// Numbers whose sum depends on the order, on more columns than are added at once.
    #[test]
    fn rows_are_added_in_the_same_order() {
        for count in 1..=9 {
            let len = COLUMNS + 3;
            let number = |i: usize| ((i * 2_654_435_761) % 1000) as f32 * 10f32.powi((i % 11) as i32);
            let rows: Vec<Vec<f32>> =
                (0..count).map(|row| (0..len).map(|i| number(row * len + i)).collect()).collect();
            let mut words: Vec<u32> = rows.iter().flatten().map(|x| x.to_bits()).collect();
            add_rows(&mut words, len, count);
            for i in 0..len {
                let expected = in_pairs(rows.iter().map(|row| row[i]).collect(), |a, b| a + b).unwrap();
                assert_eq!(words[i], expected.to_bits(), "{count} rows, column {i}");
            }
        }
    }

    #[test]
    fn nothing_added_leaves_every_number_its_bits() {
        for x in [0.0f32, -0.0, 1.5, f32::MIN_POSITIVE / 2.0, f32::INFINITY, f32::MAX] {
            assert_eq!((x + -0.0).to_bits(), x.to_bits());
            assert_eq!((-0.0 + x).to_bits(), x.to_bits());
        }
    }
}
