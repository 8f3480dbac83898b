//! Sums over ranks, in one order whoever computes them.

/// How many sums are computed side by side.
const COLUMNS: usize = 2048;

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

/// Adds to this rank's numbers what came from the others, in the order of [`in_pairs`]: rows of `len` words, of which those
/// from `start` on are for these numbers, and are overwritten.
pub(super) fn add_others(rank: usize, numbers: &mut [f32], others: &mut [u32], len: usize, start: usize) {
    let mut mine = [0; COLUMNS];
    for (i, numbers) in numbers.chunks_mut(COLUMNS).enumerate() {
        let (mine, start) = (&mut mine[..numbers.len()], start + i * COLUMNS);
        mine.iter_mut().zip(&*numbers).for_each(|(word, x)| *word = x.to_bits());
        let mut rows: Vec<&mut [u32]> =
            others.chunks_exact_mut(len).map(|row| &mut row[start..start + numbers.len()]).collect();
        rows.insert(rank, mine);
        let sums = in_pairs(rows, |a, b| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a = (f32::from_bits(*a) + f32::from_bits(*b)).to_bits());
            a
        });
        let sums = sums.expect("this rank's are among them");
        numbers.iter_mut().zip(sums).for_each(|(x, word)| *x = f32::from_bits(*word));
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

    /// Numbers whose sum depends on the order, on more columns than are added at once, in two pieces.
    #[test]
    fn others_are_added_in_the_order_of_the_ranks() {
        for count in 1..=9 {
            let len = 2 * COLUMNS + 3;
            let number = |i: usize| ((i * 2_654_435_761) % 1000) as f32 * 10f32.powi((i % 11) as i32);
            let rows: Vec<Vec<f32>> =
                (0..count).map(|row| (0..len).map(|i| number(row * len + i)).collect()).collect();
            for rank in 0..count {
                let (mut mine, mut others) = (rows[rank].clone(), rows.clone());
                others.remove(rank);
                let mut others: Vec<u32> = others.iter().flatten().map(|x| x.to_bits()).collect();
                let (first, second) = mine.split_at_mut(5);
                add_others(rank, first, &mut others, len, 0);
                add_others(rank, second, &mut others, len, 5);
                for i in 0..len {
                    let expected = in_pairs(rows.iter().map(|row| row[i]).collect(), |a, b| a + b).unwrap();
                    assert_eq!(mine[i].to_bits(), expected.to_bits(), "{count} ranks, {rank}, column {i}");
                }
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
