//! Schedules: learning rates that change with the steps.
//!
//! A schedule is a function of the number of the step, from 0, so it has no state but that number. Steps may be batches or
//! epochs: whatever it is asked with. Only [`Plateau`] remembers what it has seen.
//!
//! ```
//! use gradus_nn::{Optimizer, Sgd, schedule::{Cosine, Schedule, Warmup}};
//!
//! let schedule = Warmup::new(100, Cosine::new(0.1, 900));
//! let mut sgd = Sgd::new(0.1);
//! for step in 0..1000 {
//!     sgd.set_lr(schedule.lr(step));
//!     // .. the step ..
//! }
//! assert_eq!(schedule.lr(99), 0.1);
//! ```

use crate::save::{State, StateError};
use std::f64::consts::PI;

/// A learning rate for each step.
pub trait Schedule {
    /// The learning rate of this step; the first is 0.
    ///
    /// # Panics
    /// When a number of the schedule is of no use, such as a rate that is negative or NaN.
    #[track_caller]
    fn lr(&self, step: u64) -> f64;
}

/// Refuses rates and factors of no use.
#[track_caller]
fn check(schedule: &str, numbers: &[(&str, f64)]) {
    for (name, value) in numbers {
        assert!(
            *value >= 0.0 && value.is_finite(),
            "{schedule}: {name} is {value}; it must be at least 0 and finite"
        );
    }
}

impl<F: Fn(u64) -> f64> Schedule for F {
    fn lr(&self, step: u64) -> f64 {
        self(step)
    }
}

/// `lr gamma^⌊step / size⌋`: multiplied by gamma after every `size` steps.
///
/// ```
/// use gradus_nn::schedule::{Schedule, StepDecay};
/// let schedule = StepDecay { lr: 0.8, size: 10, gamma: 0.5 };
/// assert_eq!([0, 9, 10, 20].map(|step| schedule.lr(step)), [0.8, 0.8, 0.4, 0.2]);
/// ```
#[doc(alias = "StepLR")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepDecay {
    /// The first learning rate.
    pub lr: f64,
    /// Steps between two changes.
    pub size: u64,
    /// The factor of a change.
    pub gamma: f64,
}

impl Schedule for StepDecay {
    #[track_caller]
    fn lr(&self, step: u64) -> f64 {
        check("step decay", &[("lr", self.lr), ("gamma", self.gamma)]);
        assert!(
            self.size > 0,
            "step decay: the size is 0; there must be at least one step between two changes"
        );
        self.lr * self.gamma.powf((step / self.size) as f64)
    }
}

/// `lr gamma^k` with the number k of milestones that are reached.
///
/// ```
/// use gradus_nn::schedule::{MultiStep, Schedule};
/// let schedule = MultiStep { lr: 0.8, milestones: vec![30, 80], gamma: 0.5 };
/// assert_eq!([29, 30, 80].map(|step| schedule.lr(step)), [0.8, 0.4, 0.2]);
/// ```
#[doc(alias = "MultiStepLR")]
#[derive(Clone, Debug, PartialEq)]
pub struct MultiStep {
    /// The first learning rate.
    pub lr: f64,
    /// The steps from which on the rate is multiplied by gamma once more.
    pub milestones: Vec<u64>,
    /// The factor of a change.
    pub gamma: f64,
}

impl Schedule for MultiStep {
    #[track_caller]
    fn lr(&self, step: u64) -> f64 {
        check("multi-step", &[("lr", self.lr), ("gamma", self.gamma)]);
        let reached = self.milestones.iter().filter(|&&milestone| milestone <= step).count();
        self.lr * self.gamma.powf(reached as f64)
    }
}

/// `lr gamma^step`
///
/// ```
/// use gradus_nn::schedule::{Exponential, Schedule};
/// let schedule = Exponential { lr: 0.8, gamma: 0.5 };
/// assert_eq!([0, 1, 2].map(|step| schedule.lr(step)), [0.8, 0.4, 0.2]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exponential {
    /// The first learning rate.
    pub lr: f64,
    /// The factor of each step.
    pub gamma: f64,
}

impl Schedule for Exponential {
    #[track_caller]
    fn lr(&self, step: u64) -> f64 {
        check("exponential", &[("lr", self.lr), ("gamma", self.gamma)]);
        self.lr * self.gamma.powf(step as f64)
    }
}

/// Half a cosine (I. Loshchilov and F. Hutter, 2017): `min + ½ (lr - min) (1 + cos(π step / steps))`, and `min` afterwards.
///
/// ```
/// use gradus_nn::schedule::{Cosine, Schedule};
/// let schedule = Cosine::new(0.2, 100).min(0.1);
/// assert_eq!([0, 50, 100].map(|step| (1000.0 * schedule.lr(step)).round()), [200.0, 150.0, 100.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosine {
    /// The first learning rate.
    pub lr: f64,
    /// The last learning rate.
    pub min: f64,
    /// When it is reached.
    pub steps: u64,
}

impl Cosine {
    /// Down to 0.
    ///
    /// # Panics
    /// When the rate is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64, steps: u64) -> Cosine {
        check("cosine", &[("lr", lr)]);
        Cosine { lr, min: 0.0, steps }
    }

    /// Down to this rate.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    pub fn min(self, min: f64) -> Cosine {
        check("cosine", &[("min", min)]);
        Cosine { min, ..self }
    }
}

impl Schedule for Cosine {
    #[track_caller]
    fn lr(&self, step: u64) -> f64 {
        check("cosine", &[("lr", self.lr), ("min", self.min)]);
        // A schedule of no steps is at its end.
        let share = if step < self.steps { step as f64 / self.steps as f64 } else { 1.0 };
        half_cosine(self.lr, self.min, share)
    }
}

/// From one value to another, by half a cosine.
fn half_cosine(from: f64, to: f64, share: f64) -> f64 {
    to + 0.5 * (from - to) * (1.0 + (PI * share).cos())
}

/// One cycle (L. Smith and N. Topin, 2018): up from `max / divisor` to `max` during the first `rise` of the steps, then down
/// to `max / divisor / final_divisor`, both by half a cosine. PyTorch's form and defaults.
///
/// ```
/// use gradus_nn::schedule::{OneCycle, Schedule};
/// let schedule = OneCycle::new(1.0, 100);
/// // From a 25th up to the top after 0.3 of the steps.
/// assert_eq!([0, 29].map(|step| (1e6 * schedule.lr(step)).round()), [40_000.0, 1e6]);
/// ```
#[doc(alias = "OneCycleLR")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneCycle {
    /// The highest learning rate.
    pub max: f64,
    /// All steps.
    pub steps: u64,
    /// The share of the steps in which it rises.
    pub rise: f64,
    /// What the highest rate is divided by to give the first.
    pub divisor: f64,
    /// What the first rate is divided by to give the last.
    pub final_divisor: f64,
}

impl OneCycle {
    /// Rising for 0.3 of the steps from a 25th, falling to a 10000th of that.
    ///
    /// # Panics
    /// When the rate is negative or not finite, or there are no steps.
    #[track_caller]
    pub fn new(max: f64, steps: u64) -> OneCycle {
        check("one cycle", &[("max", max)]);
        assert!(steps > 0, "one cycle: a cycle of 0 steps; it needs at least one");
        OneCycle { max, steps, rise: 0.3, divisor: 25.0, final_divisor: 1e4 }
    }
}

impl Schedule for OneCycle {
    #[track_caller]
    fn lr(&self, step: u64) -> f64 {
        check("one cycle", &[("max", self.max)]);
        assert!(
            (0.0..=1.0).contains(&self.rise) && self.divisor > 0.0 && self.final_divisor > 0.0,
            "one cycle: a rise of {} of the steps, and the divisors {} and {}; they must be in 0..=1, and positive",
            self.rise,
            self.divisor,
            self.final_divisor
        );
        let first = self.max / self.divisor;
        let (step, top, end) = (step as f64, self.rise * self.steps as f64 - 1.0, self.steps as f64 - 1.0);
        if step <= top {
            half_cosine(first, self.max, if top > 0.0 { step / top } else { 1.0 })
        } else {
            half_cosine(self.max, first / self.final_divisor, ((step - top) / (end - top)).min(1.0))
        }
    }
}

/// A linear rise before another schedule: step k of the first `steps` has the share (k + 1) / steps of that schedule's
/// first rate.
///
/// ```
/// use gradus_nn::schedule::{Exponential, Schedule, Warmup};
/// let schedule = Warmup::new(4, Exponential { lr: 0.8, gamma: 0.5 });
/// assert_eq!([0, 1, 3, 4, 5].map(|step| schedule.lr(step)), [0.2, 0.4, 0.8, 0.8, 0.4]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warmup<S> {
    /// Steps of the rise.
    pub steps: u64,
    /// What comes then, from its own step 0.
    pub then: S,
}

impl<S: Schedule> Warmup<S> {
    /// This many steps before this schedule.
    pub fn new(steps: u64, then: S) -> Warmup<S> {
        Warmup { steps, then }
    }
}

impl<S: Schedule> Schedule for Warmup<S> {
    #[track_caller]
    fn lr(&self, step: u64) -> f64 {
        match step.checked_sub(self.steps) {
            None => self.then.lr(0) * (step + 1) as f64 / self.steps as f64,
            Some(step) => self.then.lr(step),
        }
    }
}

/// The learning rate multiplied by a factor whenever a metric has not improved for some epochs: PyTorch's
/// `ReduceLROnPlateau`.
///
/// ```
/// use gradus_nn::schedule::Plateau;
///
/// // The book's second volume: a quarter, as soon as the perplexity is no better than the best.
/// let mut plateau = Plateau::new(20.0).factor(0.25).patience(0);
/// let rates = [136.0, 120.0, 125.0, 110.0].map(|perplexity| plateau.observe(perplexity));
/// assert_eq!(rates, [20.0, 20.0, 5.0, 5.0]);
/// ```
#[doc(alias = "ReduceLROnPlateau")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plateau {
    /// What the rate is multiplied by.
    pub factor: f64,
    /// How many epochs without improvement are borne.
    pub patience: u64,
    /// The improvement that counts, as a share of the best's magnitude.
    pub threshold: f64,
    /// Epochs after a change in which none is counted.
    pub cooldown: u64,
    /// The lowest rate.
    pub min: f64,
    /// Whether greater metrics are better ones, as of an accuracy.
    pub greatest: bool,
    lr: f64,
    best: f64,
    /// Epochs without improvement.
    bad: u64,
    /// What is left of the cooldown.
    rest: u64,
}

impl Plateau {
    /// A tenth after more than 10 epochs in which the least metric has not fallen by a 10000th.
    ///
    /// # Panics
    /// When the rate is negative or not finite.
    #[track_caller]
    pub fn new(lr: f64) -> Plateau {
        check("plateau", &[("lr", lr)]);
        Plateau {
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            cooldown: 0,
            min: 0.0,
            greatest: false,
            lr,
            best: f64::NAN,
            bad: 0,
            rest: 0,
        }
    }

    /// With this factor.
    ///
    /// # Panics
    /// Unless it is in 0..1: the rate would not fall.
    #[track_caller]
    pub fn factor(self, factor: f64) -> Plateau {
        assert!((0.0..1.0).contains(&factor), "plateau: factor is {factor}; it must be in 0..1");
        Plateau { factor, ..self }
    }

    /// With this patience, in epochs.
    pub fn patience(self, patience: u64) -> Plateau {
        Plateau { patience, ..self }
    }

    /// For metrics of which greater ones are better.
    pub fn greatest(self) -> Plateau {
        Plateau { greatest: true, ..self }
    }

    /// The learning rate as it stands.
    pub fn lr(&self) -> f64 {
        self.lr
    }

    /// Takes in an epoch's metric and gives the learning rate that follows. NaN is no improvement.
    ///
    /// A metric is better where it is below `best - threshold |best|`, or above `best + threshold |best|` for greatest
    /// ones. For a positive best that is PyTorch's rule; for a negative one PyTorch's margin has the other sign.
    ///
    /// # Panics
    /// When the threshold, the factor or the lowest rate is negative or not finite.
    #[track_caller]
    pub fn observe(&mut self, metric: f64) -> f64 {
        check("plateau", &[("threshold", self.threshold), ("factor", self.factor), ("min", self.min)]);
        // The factor is further from 0 than 1 where the way to better metrics leads away from 0.
        let margin = if self.greatest == (self.best >= 0.0) { self.threshold } else { -self.threshold };
        let bound = self.best * (1.0 + margin);
        let better = match self.greatest {
            _ if self.best.is_nan() => !metric.is_nan(),
            true => metric > bound,
            false => metric < bound,
        };
        if better {
            (self.best, self.bad) = (metric, 0);
        } else {
            self.bad = self.bad.saturating_add(1);
        }
        if self.rest > 0 {
            (self.rest, self.bad) = (self.rest - 1, 0);
        }
        if self.bad > self.patience {
            self.lr = (self.lr * self.factor).max(self.min);
            (self.rest, self.bad) = (self.cooldown, 0);
        }
        self.lr
    }

    /// What is to be saved for going on later; the settings are in the program.
    pub fn state(&self) -> State {
        let mut state = State::new();
        state.put("lr", self.lr);
        state.put("best", self.best);
        state.put("bad", self.bad);
        state.put("rest", self.rest);
        state
    }

    /// Goes on from a saved state. When it fails nothing is changed.
    ///
    /// # Errors
    /// When something is missing from the state, or the rate is negative or not finite.
    pub fn restore(&mut self, state: &State) -> Result<(), StateError> {
        let (lr, best, bad, rest) =
            (state.get::<f64>("lr")?, state.get("best")?, state.get("bad")?, state.get("rest")?);
        if !(lr >= 0.0 && lr.is_finite()) {
            return Err(StateError::new(format!("lr is {lr}; it must be at least 0 and finite")));
        }
        *self = Plateau { lr, best, bad, rest, ..*self };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(name: &str) -> Vec<f64> {
        let text = include_str!("../tests/golden/schedules.txt");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
        line.split(' ').map(|number| number.parse().unwrap()).collect()
    }

    #[track_caller]
    fn check(name: &str, rates: impl Iterator<Item = f64>) {
        let expected = golden(name);
        assert_eq!(expected.len(), 30);
        for (step, (found, expected)) in rates.zip(expected).enumerate() {
            assert!((found / expected - 1.0).abs() < 1e-12, "{name} at {step}: {found}, not {expected}");
        }
    }

    #[test]
    fn the_rates_are_pytorchs() {
        let rates = |schedule: &dyn Schedule| (0..30).map(|step| schedule.lr(step)).collect::<Vec<_>>();
        let lr = 0.2;
        check("step", rates(&StepDecay { lr, size: 7, gamma: 0.5 }).into_iter());
        let milestones = vec![3, 10, 11];
        check("multi_step", rates(&MultiStep { lr, milestones, gamma: 0.1 }).into_iter());
        check("exponential", rates(&Exponential { lr, gamma: 0.93 }).into_iter());
        check("cosine", rates(&Cosine::new(lr, 29).min(0.01)).into_iter());
        check("one_cycle", rates(&OneCycle::new(0.5, 30)).into_iter());
        let late = OneCycle { rise: 0.6, divisor: 10.0, final_divisor: 100.0, ..OneCycle::new(0.5, 30) };
        check("one_cycle_late", rates(&late).into_iter());
    }

    #[test]
    fn plateaus_are_seen_as_pytorch_sees_them_and_over_a_restart() {
        let cooldown = Plateau { cooldown: 3, threshold: 0.05, min: 0.01, ..Plateau::new(0.2) };
        for (name, mut plateau) in [
            ("plateau", Plateau::new(0.2).factor(0.5).patience(2)),
            ("plateau_cooldown", cooldown.factor(0.25).patience(1)),
            ("plateau_greatest", Plateau::new(0.2).greatest().factor(0.5).patience(3)),
        ] {
            let fresh = plateau;
            check(
                name,
                golden("metrics").into_iter().map(|metric| {
                    let rate = plateau.observe(metric);
                    let state = plateau.state();
                    plateau = fresh;
                    plateau.restore(&state).unwrap();
                    rate
                }),
            );
        }
        assert!(Plateau::new(0.1).restore(&State::new()).is_err());
        // The greatest number of bad epochs, of a file that is damaged, is one that goes no further.
        let mut patient = Plateau::new(0.1).patience(u64::MAX);
        let mut state = patient.state();
        state.put("bad", u64::MAX);
        patient.restore(&state).unwrap();
        assert_eq!(patient.observe(f64::NAN), 0.1);
    }

    #[test]
    fn a_warmup_rises_to_the_schedule_and_hands_over() {
        let schedule = Warmup::new(4, |step: u64| 2.0 - step as f64);
        let rates: Vec<f64> = (0..7).map(|step| schedule.lr(step)).collect();
        assert_eq!(rates, [0.5, 1.0, 1.5, 2.0, 2.0, 1.0, 0.0]);
        assert_eq!(Warmup::new(0, Cosine::new(1.0, 2)).lr(0), 1.0);
    }

    #[test]
    fn a_plateau_of_negative_metrics_is_seen() {
        // As of a log-likelihood to be made least, or of one to be made greatest.
        let rates = |mut plateau: Plateau, metrics: &[f64]| -> Vec<f64> {
            metrics.iter().map(|&metric| plateau.observe(metric)).collect()
        };
        let eager = |threshold| Plateau { threshold, ..Plateau::new(1.0).factor(0.5).patience(0) };
        // The bound is -1.1: only -1.2 is better.
        assert_eq!(rates(eager(0.1), &[-1.0, -0.95, -1.05, -1.2]), [1.0, 0.5, 0.25, 0.25]);
        assert_eq!(rates(eager(1e-4), &[-1.0, -1.0, -1.0]), [1.0, 0.5, 0.25]);
        // The bound is -0.9: only -0.85 is better.
        assert_eq!(rates(eager(0.1).greatest(), &[-1.0, -1.05, -0.95, -0.85]), [1.0, 0.5, 0.25, 0.25]);
        assert_eq!(rates(eager(1e-4).greatest(), &[-1.0, -1.0]), [1.0, 0.5]);
        // From 0 any step counts, in the right direction.
        assert_eq!(rates(eager(0.1), &[0.0, 0.0, 1e-9, -1e-9]), [1.0, 0.5, 0.25, 0.25]);
        assert_eq!(rates(eager(0.1).greatest(), &[0.0, -1e-9, 1e-9]), [1.0, 0.5, 0.5]);
    }

    #[test]
    fn after_its_end_a_schedule_stays() {
        assert_eq!(Cosine::new(1.0, 10).min(0.25).lr(11), 0.25);
        assert_eq!(Cosine::new(1.0, 0).lr(0), 0.0);
        let cycle = OneCycle::new(1.0, 10);
        assert_eq!(cycle.lr(9), cycle.lr(1000));
        assert!(OneCycle::new(1.0, 1).lr(0).is_finite());
    }
}
