//! The search for hyper-parameters: random settings, judged on validation examples (book, section 6.5).

use crate::data::{Dataset, Examples};
use gradus_tensor::Rng;
use std::ops::Index;

/// Where a hyper-parameter is drawn from.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Evenly between two numbers.
    Uniform(f64, f64),
    /// With even logarithms between two positive numbers: for learning rates, whose size is what is sought.
    LogUniform(f64, f64),
    /// One of these.
    Choice(Vec<f64>),
}

impl Distribution {
    fn draw(&self, rng: &mut Rng) -> f64 {
        let unit = (rng.bits() >> 11) as f64 / (1u64 << 53) as f64;
        match self {
            Distribution::Uniform(low, high) => low + (high - low) * unit,
            Distribution::LogUniform(low, high) => {
                (low.ln() + (high.ln() - low.ln()) * unit).exp().clamp(*low, *high)
            }
            Distribution::Choice(values) => values[rng.below(values.len())],
        }
    }
}

/// One draw of all hyper-parameters. Index it by name.
#[derive(Clone, Debug, PartialEq)]
pub struct HyperParams {
    values: Vec<(String, f64)>,
    /// A seed of this trial's own.
    pub seed: u64,
}

impl HyperParams {
    /// All of them with their names, in the order of [`RandomSearch::range`].
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.values.iter().map(|(name, value)| (&name[..], *value))
    }
}

impl Index<&str> for HyperParams {
    type Output = f64;

    #[track_caller]
    fn index(&self, name: &str) -> &f64 {
        match self.values.iter().find(|(known, _)| known == name) {
            Some((_, value)) => value,
            None => panic!("search: no range was given for {name}"),
        }
    }
}

/// A setting that was tried, and how good it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// What was tried.
    pub params: HyperParams,
    /// Its score: greater is better.
    pub score: f64,
}

/// A random search over ranges. Where only some of the hyper-parameters matter it tries more values of those than a grid
/// does (J. Bergstra and Y. Bengio, 2012). Narrow the ranges around the best trials and search again.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Linear, Optimizer, Sgd, data::digits, metrics::{accuracy, predict}, train::{Distribution, RandomSearch, Trainer}};
///
/// let mut rng = Rng::seed(0);
/// let digits = digits::load().map_inputs(|images| images.reshape([1797, 64]));
/// let (train, test) = digits.split(500, &mut rng);
/// let trials = RandomSearch::new(1)
///     .range("lr", Distribution::LogUniform(1e-6, 1.0))
///     .range("weight_decay", Distribution::LogUniform(1e-8, 1e-4))
///     .run(&train, 0.2, 8, |params, train, validation| {
///         let mut net = Linear::new(64, 10, &mut Rng::seed(params.seed));
///         let sgd = Sgd::new(params["lr"]).weight_decay(params["weight_decay"]);
///         let mut trainer = Trainer::new(sgd, 50, params.seed);
///         trainer.fit(&mut net, train, 5, |y, labels| y.cross_entropy(labels), &mut []);
///         accuracy(&predict(&net, validation.inputs(), 100), validation.labels())
///     });
/// assert!(trials[0].score > 0.7 && trials[0].params["lr"] > 1e-3, "{trials:?}");
/// # let _ = test; // kept for the model that is chosen in the end
/// ```
#[derive(Clone, Debug)]
pub struct RandomSearch {
    ranges: Vec<(String, Distribution)>,
    seed: u64,
}

impl RandomSearch {
    /// No ranges yet. The seed decides the draws and the split.
    pub fn new(seed: u64) -> RandomSearch {
        RandomSearch { ranges: Vec::new(), seed }
    }

    /// Adds a hyper-parameter.
    ///
    /// # Panics
    /// When there is nothing to draw from, or the logarithm of an end does not exist.
    #[track_caller]
    pub fn range(mut self, name: &str, range: Distribution) -> RandomSearch {
        let valid = match &range {
            Distribution::Uniform(low, high) => low <= high && (high - low).is_finite(),
            Distribution::LogUniform(low, high) => 0.0 < *low && low <= high && high.is_finite(),
            Distribution::Choice(values) => !values.is_empty(),
        };
        assert!(
            valid,
            "search: {name} cannot be drawn from {range:?}: bounds must be finite and in order, those of a logarithm above 0, and \
             choices at least one"
        );
        self.ranges.push((name.to_owned(), range));
        self
    }

    /// Holds a share of the examples back for validation and tries so many settings. `score` trains on the first set and
    /// judges on the second; a greater score is better (an accuracy, or a loss with its sign changed). The best trial comes
    /// first; those whose score is NaN come last.
    ///
    /// Test examples have no place here: whatever the settings were chosen by is no measure of them any more.
    ///
    /// # Panics
    /// When the share leaves no example to train on or to judge by.
    #[track_caller]
    pub fn run<T: Examples, I: Examples>(
        &self,
        data: &Dataset<T, I>,
        validation_share: f64,
        trials: usize,
        mut score: impl FnMut(&HyperParams, &Dataset<T, I>, &Dataset<T, I>) -> f64,
    ) -> Vec<Trial> {
        let held_back = (data.len() as f64 * validation_share).round() as usize;
        assert!(
            0 < held_back && held_back < data.len(),
            "search: a share of {validation_share} of {} examples holds back {held_back}: one must be held back at least, and one be \
             left to train on",
            data.len()
        );
        let mut rng = Rng::seed(self.seed);
        let (validation, train) = data.split(held_back, &mut rng);
        let mut all: Vec<Trial> = (0..trials)
            .map(|_| {
                let values = self.ranges.iter().map(|(name, range)| (name.clone(), range.draw(&mut rng)));
                let params = HyperParams { values: values.collect(), seed: rng.bits() };
                let score = score(&params, &train, &validation);
                Trial { params, score }
            })
            .collect();
        // A stable sort: equal scores stay in the order in which they were tried.
        let rank = |trial: &Trial| if trial.score.is_nan() { f64::NEG_INFINITY } else { trial.score };
        all.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::{Indices, Tensor};

    fn data() -> Dataset {
        Dataset::new(Tensor::arange(50), (0..50).collect::<Indices>())
    }

    #[test]
    fn draws_stay_in_their_ranges_and_fill_them() {
        let search = RandomSearch::new(3)
            .range("a", Distribution::Uniform(-1.0, 3.0))
            .range("b", Distribution::LogUniform(1e-6, 1e-2))
            .range("c", Distribution::Choice(vec![16.0, 32.0]));
        let trials = search.run(&data(), 0.2, 400, |_, _, _| 0.0);
        let column = |name: &str| trials.iter().map(|trial| trial.params[name]).collect::<Vec<f64>>();
        let below = |name: &str, x: f64| column(name).iter().filter(|&&value| value < x).count();
        assert!(column("a").iter().all(|x| (-1.0..3.0).contains(x)));
        assert!(column("b").iter().all(|x| (1e-6..=1e-2).contains(x)));
        // Half of them below the middle, on either scale; four standard deviations are 40.
        for (name, middle) in [("a", 1.0), ("b", 1e-4), ("c", 20.0)] {
            assert!(below(name, middle).abs_diff(200) < 40, "{name}: {}", below(name, middle));
        }
    }

    #[test]
    fn trials_are_ranked_on_one_split_and_repeat_with_their_seed() {
        let run = || {
            let search = RandomSearch::new(5).range("x", Distribution::Uniform(0.0, 1.0));
            let mut splits = Vec::new();
            let trials = search.run(&data(), 0.2, 20, |params, train, validation| {
                assert_eq!((train.len(), validation.len()), (40, 10));
                splits.push(validation.labels().clone());
                assert!(train.labels().iter().all(|label| !validation.labels().as_slice().contains(&label)));
                if params["x"] < 0.2 { f64::NAN } else { -(params["x"] - 0.5).abs() }
            });
            assert!(splits.iter().all(|split| *split == splits[0]));
            trials
        };
        let trials = run();
        let count = trials.iter().filter(|trial| !trial.score.is_nan()).count();
        assert!(count < 20 && trials[count..].iter().all(|trial| trial.score.is_nan()));
        assert!(trials[..count].windows(2).all(|pair| pair[0].score >= pair[1].score));
        assert!(run().iter().zip(&trials).all(|(a, b)| a.params == b.params));
    }

    #[test]
    #[should_panic = "search: lr cannot be drawn from LogUniform(0.0, 1.0)"]
    fn impossible_ranges_panic() {
        let _ = RandomSearch::new(0).range("lr", Distribution::LogUniform(0.0, 1.0));
    }

    #[test]
    #[should_panic = "search: no range was given for lr"]
    fn unknown_names_panic() {
        RandomSearch::new(0).run(&data(), 0.2, 1, |params, _, _| params["lr"]);
    }
}
