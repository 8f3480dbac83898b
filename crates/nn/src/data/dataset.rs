//! Examples: inputs with labels, or with numbers to predict.

use super::{Batches, Examples};
use gradus_tensor::{Indices, Rng, Tensor};

/// `n` inputs of one shape, each with a target: inputs `[n, ...]` and targets `[n, ...]`. Inputs are as a rule numbers (a
/// [`Tensor`]), targets labels ([`Indices`]) or numbers; both may be either, or a tuple of several: see [`Examples`].
///
/// ```
/// # use gradus_nn::data::Dataset;
/// # use gradus_tensor::{Indices, Rng, Tensor};
/// let xor = Dataset::new(
///     Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]),
///     Indices::from([0, 1, 1, 0]),
/// );
/// for (inputs, labels) in xor.batches(3, &mut Rng::seed(7)) {
///     assert_eq!(inputs.size(0), labels.numel());
/// }
/// let x = Tensor::linspace(0.0, 1.0, 50).reshape([50, 1]);
/// let line = Dataset::new(x.clone(), x * 2.0 + 5.0);
/// assert_eq!(line.select(&[0, 49]).targets().to_vec(), [5.0, 7.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Dataset<T = Indices, I = Tensor> {
    /// Row-major, so that an example is one run of elements.
    inputs: I,
    targets: T,
}

impl<T: Examples, I: Examples> Dataset<T, I> {
    /// Inputs `[n, ...]` with targets `[n, ...]`.
    ///
    /// # Panics
    /// When the inputs or the targets have no axes, or the numbers of inputs and targets differ.
    #[track_caller]
    pub fn new(inputs: I, targets: T) -> Dataset<T, I> {
        assert!(
            inputs.count().is_some() && inputs.count() == targets.count(),
            "dataset: inputs {} and targets {} do not fit: both must be [n, ...]",
            inputs.describe(),
            targets.describe()
        );
        Dataset { inputs: inputs.contiguous(), targets }
    }

    /// The number of examples.
    pub fn len(&self) -> usize {
        self.inputs.count().expect("checked when it was made")
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All inputs, `[n, ...]`.
    pub fn inputs(&self) -> &I {
        &self.inputs
    }

    /// All targets, `[n, ...]`.
    pub fn targets(&self) -> &T {
        &self.targets
    }

    /// The same targets with other inputs, such as normalised ones.
    ///
    /// # Panics
    /// When `f` changes the number of examples.
    ///
    /// ```
    /// # use gradus_nn::data::digits;
    /// let flat = digits::load().map_inputs(|images| images.reshape([1797, 64]));
    /// assert_eq!(flat.inputs().shape(), &[1797, 64]);
    /// ```
    #[track_caller]
    pub fn map_inputs<J: Examples>(self, f: impl FnOnce(I) -> J) -> Dataset<T, J> {
        Dataset::new(f(self.inputs), self.targets)
    }

    /// The examples at these indices, in this order; an index may come more than once.
    ///
    /// # Panics
    /// When there is no such example.
    ///
    /// ```
    /// # use gradus_nn::data::digits;
    /// let zeros: Vec<usize> = (0..10).map(|i| 10 * i).collect();
    /// assert_eq!(digits::load().select(&zeros[..3]).labels().as_slice(), [0, 0, 0]);
    /// ```
    #[track_caller]
    pub fn select(&self, indices: &[usize]) -> Dataset<T, I> {
        for &i in indices {
            self.check(i);
        }
        let positions = Indices::from(indices);
        let inputs = self.inputs.select(&positions);
        Dataset { inputs, targets: self.targets.select(&positions) }
    }

    /// Two parts without a common example: `count` examples chosen at random, and the rest. Both are in random order.
    ///
    /// # Panics
    /// When there are fewer than `count` examples.
    ///
    /// ```
    /// # use gradus_nn::data::digits;
    /// # use gradus_tensor::Rng;
    /// let digits = digits::load();
    /// let (train, test) = digits.split(digits.len() * 4 / 5, &mut Rng::seed(0));
    /// assert_eq!((train.len(), test.len()), (1437, 360));
    /// ```
    #[track_caller]
    pub fn split(&self, count: usize, rng: &mut Rng) -> (Dataset<T, I>, Dataset<T, I>) {
        assert!(
            count <= self.len(),
            "split: there are {} examples, of which {count} cannot be taken",
            self.len()
        );
        let order = self.shuffled(rng);
        (self.select(&order[..count]), self.select(&order[count..]))
    }

    /// Mini-batches of `size` examples in random order, every example once. The last batch may be smaller. Call it
    /// once an epoch: each call draws another order.
    ///
    /// # Panics
    /// When `size` is 0.
    #[doc(alias = "DataLoader")]
    #[track_caller]
    pub fn batches(&self, size: usize, rng: &mut Rng) -> Batches<'_, T, I> {
        Batches::new(self, Some(self.shuffled(rng)), size)
    }

    /// Batches of `size` examples in their order, for evaluation: views that copy no inputs. The last may be smaller.
    ///
    /// # Panics
    /// When `size` is 0.
    #[track_caller]
    pub fn chunks(&self, size: usize) -> Batches<'_, T, I> {
        Batches::new(self, None, size)
    }

    fn shuffled(&self, rng: &mut Rng) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        rng.shuffle(&mut order);
        order
    }

    #[track_caller]
    fn check(&self, index: usize) {
        assert!(index < self.len(), "dataset: there are {} examples, none has index {index}", self.len());
    }

    pub(super) fn into_parts(self) -> (I, T) {
        (self.inputs, self.targets)
    }
}

impl Dataset {
    /// All labels, `[n, ...]`: another name of the targets.
    pub fn labels(&self) -> &Indices {
        &self.targets
    }

    /// One example with one label: its input, without the axis of the examples, and the label.
    ///
    /// # Panics
    /// When there is no such example, or an example has more labels than one.
    #[track_caller]
    pub fn get(&self, index: usize) -> (Tensor, i32) {
        self.check(index);
        (self.inputs.select(0, index as isize), self.targets.get([index]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::{Rng, Slice};
    use proptest::prelude::*;
    use std::panic;

    /// Example `i` has label `i` and the inputs 10 i and 10 i + 1.
    fn numbered(n: usize) -> Dataset {
        let inputs = Tensor::from_fn([n, 2, 1], |at| (10 * at[0] + at[1]) as f32);
        Dataset::new(inputs, (0..n as i32).collect())
    }

    fn holds_its_own_inputs(part: &Dataset) -> bool {
        (0..part.len()).all(|i| {
            let (input, label) = part.get(i);
            let first = (10 * label) as f32;
            input.shape()[..] == [2, 1] && input.to_vec() == [first, first + 1.0]
        })
    }

    proptest! {
        #[test]
        fn a_split_loses_nothing_and_shares_nothing(n in 0usize..40, share in 0.0..=1.0, seed: u64) {
            let count = (n as f64 * share) as usize;
            let (a, b) = numbered(n).split(count, &mut Rng::seed(seed));
            prop_assert_eq!(a.len(), count);
            let mut labels: Vec<i32> = [a.labels().as_slice(), b.labels().as_slice()].concat();
            labels.sort_unstable();
            prop_assert_eq!(labels, (0..n as i32).collect::<Vec<_>>());
            prop_assert!(holds_its_own_inputs(&a) && holds_its_own_inputs(&b));
        }
    }

    #[test]
    fn a_seed_gives_one_split_and_another_seed_another() {
        let split = |seed| numbered(50).split(25, &mut Rng::seed(seed)).0.labels().clone();
        assert_eq!(split(1), split(1));
        assert_ne!(split(1), split(2));
        assert_ne!(split(1).as_slice(), (0..25).collect::<Vec<_>>());
    }

    #[test]
    fn selection_repeats_and_orders_as_asked() {
        let part = numbered(5).select(&[4, 0, 4]);
        assert_eq!(part.labels().as_slice(), [4, 0, 4]);
        assert_eq!(part.inputs().to_vec(), [40.0, 41.0, 0.0, 1.0, 40.0, 41.0]);
        assert!(numbered(5).select(&[]).is_empty());
        assert_eq!(numbered(0).select(&[]).inputs().shape()[..], [0, 2, 1]);
    }

    #[test]
    fn inputs_of_any_layout_and_rank_will_do() {
        let reversed = Tensor::arange(3).slice(0, Slice::from(..).step(-1));
        let data = Dataset::new(reversed, Indices::from([2, 1, 0]));
        assert_eq!(data.select(&[0, 2]).inputs().to_vec(), [2.0, 0.0]);
        assert_eq!(data.get(1).0.item(), 1.0);
        let none = Dataset::new(Tensor::zeros([2, 0]), Indices::from([1, 2]));
        assert_eq!(none.select(&[1]).inputs().shape()[..], [1, 0]);
    }

    #[test]
    fn wrong_shapes_and_indices_panic_with_a_reason() {
        let message = |f: &dyn Fn()| {
            let payload = panic::catch_unwind(panic::AssertUnwindSafe(f)).unwrap_err();
            *payload.downcast::<String>().unwrap()
        };
        let fit = |shape: &[usize], labels: Indices| {
            message(&|| drop(Dataset::new(Tensor::zeros(shape), labels.clone())))
        };
        let text = fit(&[3, 2], Indices::from([1, 2]));
        assert!(text.contains("inputs [3, 2] and targets [2] do not fit"), "{text}");
        fit(&[], Indices::from([1]));
        fit(&[], Indices::new([1], []));
        let data = numbered(3);
        assert!(message(&|| drop(data.get(3))).contains("none has index 3"));
        assert!(message(&|| drop(data.select(&[0, 9]))).contains("none has index 9"));
        assert!(
            message(&|| drop(data.split(4, &mut Rng::seed(0))))
                .contains("3 examples, of which 4 cannot be taken")
        );
    }

    #[test]
    fn targets_may_be_numbers_and_have_axes() {
        let targets = Tensor::from_fn([4, 2], |at| (10 * at[0] + at[1]) as f32);
        let data = Dataset::new(Tensor::arange(4), targets);
        assert_eq!(data.select(&[3, 1]).targets().to_vec(), [30.0, 31.0, 10.0, 11.0]);
        for (inputs, targets) in data.batches(3, &mut Rng::seed(2)) {
            assert_eq!(targets.slice(1, 0..1).reshape([inputs.numel()]), inputs * 10.0);
        }
        // Two inputs, of which one is words.
        let inputs = (Tensor::arange(4), Indices::new([1, 2, 3, 4, 5, 6, 7, 8], [4, 2]));
        let both = Dataset::new(inputs, (Tensor::arange(4), Indices::from([0, 1, 2, 3])));
        for ((x, words), (t, labels)) in both.batches(3, &mut Rng::seed(2)) {
            assert_eq!(x, t);
            assert!(x.iter().zip(labels.iter()).all(|(x, label)| x == label as f32));
            assert!(x.iter().enumerate().all(|(i, x)| words.get([i, 1]) == 2 * x as i32 + 2));
        }
        let (inputs, _) = both.chunks(3).last().unwrap();
        assert_eq!((inputs.0.to_vec(), inputs.1.as_slice()), (vec![3.0], &[7, 8][..]));
        let texts = Dataset::new(Tensor::arange(3), Indices::new([1, 2, 3, 4, 5, 6], [3, 2]));
        let chunks: Vec<Indices> = texts.chunks(2).map(|(_, labels)| labels).collect();
        assert_eq!(chunks, [Indices::new([1, 2, 3, 4], [2, 2]), Indices::new([5, 6], [1, 2])]);
    }
}
