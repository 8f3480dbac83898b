//! Mini-batches.

use super::{Dataset, Examples};
use gradus_tensor::{Indices, Tensor};

/// Mini-batches of a [`Dataset`], as (inputs, targets): from [`Dataset::batches`] and [`Dataset::chunks`].
///
/// ```
/// use gradus_nn::data::digits;
/// use gradus_tensor::Rng;
///
/// let sizes: Vec<usize> =
///     digits::load().batches(1000, &mut Rng::seed(0)).map(|(_, labels)| labels.numel()).collect();
/// assert_eq!(sizes, [1000, 797]);
/// ```
#[derive(Debug)]
pub struct Batches<'a, T = Indices, I = Tensor> {
    dataset: &'a Dataset<T, I>,
    /// The order of the examples; none for their own.
    order: Option<Vec<usize>>,
    size: usize,
    next: usize,
    end: usize,
}

impl<'a, T: Examples, I: Examples> Batches<'a, T, I> {
    #[track_caller]
    pub(super) fn new(
        dataset: &'a Dataset<T, I>,
        order: Option<Vec<usize>>,
        size: usize,
    ) -> Batches<'a, T, I> {
        assert!(size > 0, "batches: a batch needs at least one example");
        Batches { dataset, order, size, next: 0, end: dataset.len() }
    }

    /// Leaves out the last batch if it is smaller than the others.
    ///
    /// ```
    /// # use gradus_nn::data::digits;
    /// # use gradus_tensor::Rng;
    /// let digits = digits::load();
    /// assert_eq!(digits.batches(100, &mut Rng::seed(0)).len(), 18);
    /// assert_eq!(digits.batches(100, &mut Rng::seed(0)).drop_last().len(), 17);
    /// ```
    pub fn drop_last(mut self) -> Batches<'a, T, I> {
        self.end -= (self.end - self.next) % self.size;
        self
    }

    /// Leaves out the first so many batches.
    pub(crate) fn skip_batches(&mut self, count: usize) {
        self.next = self.end.min(self.next.saturating_add(self.size.saturating_mul(count)));
    }

    /// The examples in the order in which they come, those of batches that were left out too.
    pub(crate) fn order(&self) -> impl Iterator<Item = usize> {
        (0..self.dataset.len()).map(|i| self.order.as_ref().map_or(i, |order| order[i]))
    }
}

impl<T: Examples, I: Examples> Iterator for Batches<'_, T, I> {
    type Item = (I, T);

    fn next(&mut self) -> Option<(I, T)> {
        if self.next == self.end {
            return None;
        }
        let range = self.next..self.end.min(self.next.saturating_add(self.size));
        self.next = range.end;
        Some(match &self.order {
            Some(order) => self.dataset.select(&order[range]).into_parts(),
            None => (self.dataset.inputs().range(range.clone()), self.dataset.targets().range(range)),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.end - self.next).div_ceil(self.size);
        (left, Some(left))
    }
}

impl<T: Examples, I: Examples> ExactSizeIterator for Batches<'_, T, I> {}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::Rng;
    use proptest::prelude::*;

    fn numbered(n: usize) -> Dataset {
        Dataset::new(Tensor::arange(n), (0..n as i32).collect())
    }

    fn agree((inputs, labels): &(Tensor, Indices)) -> bool {
        inputs.iter().eq(labels.as_slice().iter().map(|&label| label as f32))
    }

    proptest! {
        #[test]
        fn an_epoch_has_every_example_once(n in 0usize..60, size in 1usize..70, seed: u64) {
            let data = numbered(n);
            let batches: Vec<_> = data.batches(size, &mut Rng::seed(seed)).collect();
            prop_assert!(batches.iter().all(agree));
            prop_assert!(batches.iter().rev().skip(1).all(|(_, labels)| labels.numel() == size));
            let mut seen: Vec<i32> = batches.iter().flat_map(|(_, l)| l.as_slice().to_vec()).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..n as i32).collect::<Vec<_>>());
        }

        #[test]
        fn the_number_of_batches_left_is_exact(n in 0usize..60, size in 1usize..70, drop: bool) {
            let data = numbered(n);
            let mut batches = data.chunks(size);
            if drop {
                batches = batches.drop_last();
            }
            let mut left = if drop { n / size } else { n.div_ceil(size) };
            while batches.len() > 0 {
                prop_assert_eq!(batches.len(), left);
                prop_assert!(batches.next().is_some_and(|(_, labels)| !drop || labels.numel() == size));
                left -= 1;
            }
            prop_assert_eq!(left, 0);
            prop_assert!(batches.next().is_none() && batches.next().is_none());
        }
    }

    #[test]
    fn chunks_come_in_order_and_copy_nothing() {
        let data = numbered(7);
        let chunks: Vec<_> = data.chunks(3).collect();
        assert!(chunks.iter().all(agree) && chunks.iter().all(|(x, _)| x.shares_buffer(data.inputs())));
        let labels: Vec<_> = chunks.iter().map(|(_, labels)| labels.as_slice()).collect();
        assert_eq!(labels, [&[0, 1, 2][..], &[3, 4, 5], &[6]]);
    }

    #[test]
    fn epochs_differ_and_seeds_repeat() {
        let data = numbered(40);
        let order = |rng: &mut Rng| data.batches(40, rng).next().unwrap().1;
        let mut rng = Rng::seed(5);
        let (first, second) = (order(&mut rng), order(&mut rng));
        assert_ne!(first, second);
        assert_eq!(first, order(&mut Rng::seed(5)));
    }

    #[test]
    #[should_panic = "batches: a batch needs at least one example"]
    fn a_size_of_zero_panics() {
        let _ = numbered(3).chunks(0);
    }

    #[test]
    fn dropping_in_the_middle_of_an_epoch_keeps_whole_batches() {
        let data = numbered(8);
        let mut batches = data.chunks(3);
        batches.next();
        let mut batches = batches.drop_last();
        assert_eq!(batches.len(), 1);
        assert_eq!(batches.next().unwrap().1.as_slice(), [3, 4, 5]);
    }
}
