//! Metrics: how good predictions are, computed on plain tensors.

use crate::layer::Layer;
use gradus_tensor::{Indices, OrFail, Tensor, list};
use std::fmt;

/// A layer's outputs for inputs `[n, ...]`, computed in batches of `batch` examples, on plain tensors: nothing is recorded.
///
/// ```
/// use gradus_nn::{Linear, metrics::{accuracy, predict}, data::digits};
/// use gradus_tensor::Rng;
///
/// let digits = digits::load().map_inputs(|images| images.reshape([1797, 64]));
/// let scores = predict(&Linear::new(64, 10, &mut Rng::seed(0)), digits.inputs(), 500);
/// assert_eq!(scores.shape(), &[1797, 10]);
/// assert!(accuracy(&scores, digits.labels()) < 0.5);
/// ```
///
/// # Panics
/// When `batch` is 0 or there are no examples.
#[track_caller]
pub fn predict(layer: &impl Layer, inputs: &Tensor, batch: usize) -> Tensor {
    assert!(
        batch > 0 && !inputs.is_empty(),
        "predict: inputs {} in batches of {batch}: both must have an example at least",
        inputs.shape()
    );
    let n = inputs.size(0);
    let starts = (0..n).step_by(batch);
    let outputs: Vec<Tensor> =
        starts.map(|start| layer.forward(inputs.slice(0, start..n.min(start + batch)))).collect();
    Tensor::concat(&outputs.iter().collect::<Vec<_>>(), 0)
}

/// The share of the rows of `scores`, `[.., classes]`, whose highest score is that of their label, from 0 to 1. Of equal
/// scores the first counts. Rows with a negative label, such as the -100 that losses ignore, are left out. NaN when there
/// are no others, and when a score of them is NaN: a model that has diverged is no better than one that guesses.
///
/// # Panics
/// When the shapes do not fit, or a label is beyond the classes.
///
/// ```
/// use gradus_nn::metrics::accuracy;
/// use gradus_tensor::{Indices, Tensor};
/// let scores = Tensor::from([[0.1, 0.9], [0.7, 0.3], [0.6, 0.4], [0.2, 0.8], [0.2, 0.8]]);
/// assert_eq!(accuracy(&scores, &Indices::from([1, 0, 1, 1, -100])), 0.75);
/// ```
#[track_caller]
pub fn accuracy(scores: &Tensor, labels: &Indices) -> f64 {
    check("accuracy", scores, labels);
    let guesses = scores.argmax(-1);
    share(scores, labels, |row, label| guesses.as_slice()[row] == label)
}

/// The share of the rows whose label's score is among the `k` highest. As for [`accuracy`], rows with a negative label are
/// left out, and NaN among the scores gives NaN.
///
/// ```
/// use gradus_nn::metrics::top_k_accuracy;
/// use gradus_tensor::{Indices, Tensor};
///
/// let scores = Tensor::from([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]]);
/// assert_eq!(top_k_accuracy(&scores, &Indices::from([2, 2]), 2), 0.5);
/// ```
///
/// # Panics
/// When the shapes do not fit, a label is beyond the classes, or there are fewer than `k` classes.
#[track_caller]
pub fn top_k_accuracy(scores: &Tensor, labels: &Indices, k: usize) -> f64 {
    check("top_k_accuracy", scores, labels);
    let (_, best) = scores.topk(k, -1, true);
    share(scores, labels, |row, label| best.as_slice()[row * k..][..k].contains(&label))
}

/// The share of the rows with a label for which `is_right(row, label)` holds.
fn share(scores: &Tensor, labels: &Indices, is_right: impl Fn(usize, i32) -> bool) -> f64 {
    let classes = scores.shape()[scores.rank() - 1];
    let scores = scores.contiguous();
    let elements = scores.as_slice().expect("made contiguous");
    let (mut right, mut all) = (0u64, 0u64);
    for (row, label) in labels.iter().enumerate().filter(|(_, label)| *label >= 0) {
        if elements[row * classes..][..classes].iter().any(|score| score.is_nan()) {
            return f64::NAN;
        }
        all += 1;
        right += u64::from(is_right(row, label));
    }
    right as f64 / all as f64
}

#[track_caller]
fn check(op: &str, scores: &Tensor, labels: &Indices) {
    let shape = scores.shape();
    assert!(
        shape.split_last().is_some_and(|(_, rows)| rows == &labels.shape()[..]),
        "{op}: scores {shape} and labels {} do not fit: they must be [.., classes] and [..]",
        labels.shape()
    );
    let classes = shape[scores.rank() - 1];
    if let Some(label) = labels.iter().find(|&label| label >= 0 && label as usize >= classes) {
        panic!("{op}: label {label} is none of the {classes} classes; a negative one is left out");
    }
}

/// `e^loss` of a mean cross-entropy in nats: among how many words a language model is at a loss.
///
/// ```
/// // One that knows nothing of ten words is at a loss among ten.
/// let loss = 10f64.ln();
/// assert!((gradus_nn::metrics::perplexity(loss) - 10.0).abs() < 1e-12);
/// ```
pub fn perplexity(loss: f64) -> f64 {
    loss.exp()
}

/// How often each class was taken for each: rows are labels, columns are guesses.
///
/// A class that was never guessed has no precision, and one that never came no recall: NaN.
///
/// ```
/// use gradus_nn::metrics::ConfusionMatrix;
/// use gradus_tensor::Indices;
///
/// let mut matrix = ConfusionMatrix::new(2);
/// matrix.add(&Indices::from([0, 1, 1, 1]), &Indices::from([0, 0, 1, 1]));
/// assert_eq!((matrix.precision(1), matrix.recall(0)), (2.0 / 3.0, 0.5));
/// assert_eq!(matrix.f1(1), 0.8);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// Nothing counted yet.
    ///
    /// # Panics
    /// When there are no classes.
    #[track_caller]
    pub fn new(classes: usize) -> ConfusionMatrix {
        assert!(classes > 0, "confusion matrix: there must be at least one class");
        let mut counts = list("confusion matrix", classes.saturating_mul(classes)).or_fail();
        counts.resize(classes * classes, 0);
        ConfusionMatrix { classes, counts }
    }

    /// Counts guesses, such as `scores.argmax(-1)`, with their labels. What has a negative label, such as the -100 that
    /// losses ignore, is left out.
    ///
    /// # Panics
    /// When the shapes differ, or a guess or another label is no class.
    #[track_caller]
    pub fn add(&mut self, guesses: &Indices, labels: &Indices) {
        assert!(
            guesses.shape() == labels.shape(),
            "confusion matrix: guesses {} and labels {} do not fit: their shapes must be the same",
            guesses.shape(),
            labels.shape()
        );
        for (guess, label) in guesses.iter().zip(labels.iter()).filter(|(_, label)| *label >= 0) {
            for class in [guess, label] {
                let classes = self.classes;
                assert!(
                    (0..classes as i32).contains(&class),
                    "confusion matrix: {class} is none of the {classes} classes"
                );
            }
            self.counts[label as usize * self.classes + guess as usize] += 1;
        }
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How often `label` was taken for `guess`.
    ///
    /// # Panics
    /// When one of them is no class.
    #[track_caller]
    pub fn count(&self, label: usize, guess: usize) -> u64 {
        let classes = self.classes;
        assert!(
            label < classes && guess < classes,
            "confusion matrix: label {label} and guess {guess} are not both among the {classes} classes"
        );
        self.counts[label * classes + guess]
    }

    /// The share of all guesses that were right.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes).map(|class| self.count(class, class)).sum();
        right as f64 / self.counts.iter().sum::<u64>() as f64
    }

    /// Of the guesses of this class, the share that was right.
    ///
    /// # Panics
    /// When there is no such class, as all that follow.
    #[track_caller]
    pub fn precision(&self, class: usize) -> f64 {
        let guessed: u64 = (0..self.classes).map(|label| self.count(label, class)).sum();
        self.count(class, class) as f64 / guessed as f64
    }

    /// Of the examples of this class, the share that was found.
    #[track_caller]
    pub fn recall(&self, class: usize) -> f64 {
        let all: u64 = (0..self.classes).map(|guess| self.count(class, guess)).sum();
        self.count(class, class) as f64 / all as f64
    }

    /// The harmonic mean of precision and recall: `2 tp / (2 tp + fp + fn)`. NaN where the class neither came nor was
    /// guessed.
    #[track_caller]
    pub fn f1(&self, class: usize) -> f64 {
        let row_and_column: u64 =
            (0..self.classes).map(|other| self.count(class, other) + self.count(other, class)).sum();
        2.0 * self.count(class, class) as f64 / row_and_column as f64
    }

    /// The mean F1 of the classes that came or were guessed.
    pub fn macro_f1(&self) -> f64 {
        let all: Vec<f64> = (0..self.classes).map(|class| self.f1(class)).filter(|f1| !f1.is_nan()).collect();
        all.iter().sum::<f64>() / all.len() as f64
    }
}

/// A line for each label, a column for each guess.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width =
            self.counts.iter().max().map_or(1, |n| n.to_string().len()).max(self.classes.to_string().len());
        write!(f, "label \\ guess")?;
        (0..self.classes).try_for_each(|guess| write!(f, " {guess:width$}"))?;
        for (label, row) in self.counts.chunks(self.classes).enumerate() {
            write!(f, "\n{label:13}")?;
            row.iter().try_for_each(|count| write!(f, " {count:width$}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::Rng;
    use proptest::prelude::*;

    proptest! {
        /// Against the definitions, by counting.
        #[test]
        fn a_matrix_has_what_counting_finds(pairs in prop::collection::vec((0i32..4, 0i32..4), 1..60)) {
            let (guesses, labels): (Vec<i32>, Vec<i32>) = pairs.iter().copied().unzip();
            let mut matrix = ConfusionMatrix::new(4);
            matrix.add(&guesses.clone().into(), &labels.clone().into());
            let count = |f: &dyn Fn(&(i32, i32)) -> bool| pairs.iter().filter(|pair| f(pair)).count() as f64;
            let same = |a: f64, b: f64| a == b || a.is_nan() && b.is_nan();
            prop_assert_eq!(matrix.accuracy(), count(&|(g, l)| g == l) / pairs.len() as f64);
            for class in 0..4 {
                let both = count(&|&(g, l)| g == class && l == class);
                let (guessed, came) = (count(&|&(g, _)| g == class), count(&|&(_, l)| l == class));
                let k = class as usize;
                prop_assert!(same(matrix.precision(k), both / guessed));
                prop_assert!(same(matrix.recall(k), both / came));
                let (p, r) = (both / guessed, both / came);
                let f1 = if guessed + came == 0.0 { f64::NAN } else if both == 0.0 { 0.0 } else { 2.0 * p * r / (p + r) };
                prop_assert!((matrix.f1(k) - f1).abs() < 1e-12 || f1.is_nan() && matrix.f1(k).is_nan());
            }
        }

        #[test]
        fn top_k_counts_the_labels_with_fewer_than_k_higher_scores(rows in 1usize..20, k in 1usize..6, seed: u64) {
            let mut rng = Rng::seed(seed);
            let scores = Tensor::randn([rows, 6], &mut rng);
            let labels: Indices = (0..rows).map(|_| rng.below(6) as i32).collect();
            let right = (0..rows).filter(|&row| {
                let score = |class: usize| scores.get([row, class]);
                let own = score(labels.as_slice()[row] as usize);
                (0..6).filter(|&class| score(class) > own).count() < k
            });
            prop_assert_eq!(top_k_accuracy(&scores, &labels, k), right.count() as f64 / rows as f64);
            prop_assert_eq!(top_k_accuracy(&scores, &labels, 1), accuracy(&scores, &labels));
        }
    }

    #[test]
    fn a_matrix_is_printed_as_a_table() {
        let mut matrix = ConfusionMatrix::new(2);
        matrix.add(&Indices::new(vec![1; 12], [12]), &Indices::new(vec![0; 12], [12]));
        assert_eq!(matrix.to_string(), "label \\ guess  0  1\n            0  0 12\n            1  0  0");
        assert!(matrix.precision(0).is_nan() && matrix.recall(1).is_nan());
        assert_eq!((matrix.accuracy(), matrix.macro_f1()), (0.0, 0.0));
    }

    #[test]
    #[should_panic = "accuracy: scores [2, 3] and labels [3] do not fit"]
    fn shapes_must_fit() {
        accuracy(&Tensor::zeros([2, 3]), &Indices::from([0, 1, 2]));
    }

    #[test]
    #[should_panic = "confusion matrix: 2 is none of the 2 classes"]
    fn labels_must_be_classes() {
        ConfusionMatrix::new(2).add(&Indices::from([0]), &Indices::from([2]));
    }

    #[test]
    fn ignored_labels_are_left_out_and_scores_that_are_nan_give_nan() {
        let scores = Tensor::from([[0.1, 0.9], [0.7, 0.3], [f32::NAN, 0.4], [0.6, 0.4]]);
        let labels = |third: i32| Indices::from([1, 1, third, -100]);
        for metric in [accuracy, |scores: &Tensor, labels: &Indices| top_k_accuracy(scores, labels, 1)] {
            assert_eq!(metric(&scores, &labels(-100)), 0.5);
            assert_eq!(metric(&scores, &labels(-1)), 0.5);
            assert!(metric(&scores, &labels(0)).is_nan());
            assert!(metric(&scores, &Indices::from([-100; 4])).is_nan());
            assert!(metric(&Tensor::full([2, 3], f32::NAN), &Indices::from([0, 0])).is_nan());
        }
        let mut matrix = ConfusionMatrix::new(2);
        matrix.add(&Indices::from([1, 0, 0, 0]), &Indices::from([1, 1, -100, -100]));
        assert_eq!((matrix.accuracy(), matrix.count(0, 0)), (0.5, 0));
    }

    #[test]
    #[should_panic = "accuracy: label 2 is none of the 2 classes"]
    fn labels_beyond_the_classes_are_refused() {
        accuracy(&Tensor::zeros([1, 2]), &Indices::from([2]));
    }

    #[test]
    fn perplexity_of_a_uniform_guess_is_the_number_of_words() {
        assert!((perplexity(1000f64.ln()) - 1000.0).abs() < 1e-9);
    }
}
