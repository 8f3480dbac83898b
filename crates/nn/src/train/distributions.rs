//! How weights, gradients and activations are spread, over the course of a run.

use super::Statistics;
use crate::module::Module;
use gradus_autograd::{Param, ParamId, Tape, Var, inspect::ValueInfo};
use gradus_tensor::Tensor;
use std::collections::HashMap;

/// Histograms of weights, gradients and activations over the course of a run: for a page
/// (`report::RunReport`, with the feature `report`), for a look by a program.
///
/// Each tensor has at most 100 histograms: with the next one every second is dropped, and from then on only every second one is
/// taken. The first and the newest are always there.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Adam, Layer, Linear, Relu, Sequential, data::digits};
/// use gradus_nn::train::{Distributions, Epoch, Kind, Trainer};
///
/// let mut rng = Rng::seed(0);
/// let digits = digits::load().map_inputs(|images| images.reshape([1797, 64]));
/// let few = digits.select(&(0..100).collect::<Vec<_>>());
/// let mut net = Sequential::new().push(Linear::new(64, 20, &mut rng)).push(Relu).push(Linear::new(20, 10, &mut rng));
///
/// let mut distributions = Distributions::default();
/// let mut look = |epoch: &mut Epoch<'_, Sequential>| {
///     distributions.look(epoch.number, epoch.model, |tape| {
///         epoch.model.forward(tape.constant(few.inputs())).cross_entropy(few.labels())
///     });
/// };
/// let mut trainer = Trainer::new(Adam::new(0.01), 50, 1);
/// trainer.fit(&mut net, &digits, 3, |y, labels| y.cross_entropy(labels), &mut [&mut look]);
///
/// let relu = distributions.of(Kind::Activation, "relu").unwrap();
/// assert_eq!((relu.snapshots().len(), relu.snapshots()[2].step), (3, 3));
/// assert!(relu.snapshots()[2].statistics.zeros > 0.2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Distributions {
    series: Vec<Series>,
}

/// What a [`Series`] is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The elements of a parameter.
    Weight,
    /// The elements of a parameter's gradient.
    Gradient,
    /// What an operation of the model gives.
    Activation,
}

/// The histograms of one tensor, in the order of the steps.
#[derive(Clone, Debug)]
pub struct Series {
    /// What it is of.
    pub kind: Kind,
    /// The parameter's name; of an activation the layer whose parameters it is made with, or the operation.
    pub name: String,
    snapshots: Vec<Snapshot>,
    /// Every how many of those that came is kept, and how many came.
    stride: usize,
    seen: usize,
}

/// A tensor's elements at one step.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The step or the epoch, as it was given.
    pub step: u64,
    /// Mean, deviation and the like.
    pub statistics: Statistics,
    /// How many finite elements lie in each of 30 equal parts from the least to the greatest; none, where no element is finite.
    pub counts: Vec<usize>,
}

const BINS: usize = 30;

/// How many snapshots a series has at most.
const MOST: usize = 100;

impl Snapshot {
    /// Of all elements.
    pub fn of(step: u64, tensor: &Tensor) -> Snapshot {
        let statistics = Statistics::of(tensor);
        let (low, high) = (statistics.min, statistics.max);
        let counts = match low < high {
            true => Statistics::histogram(tensor, BINS, low, high),
            false if low == high => {
                // All are one number, in the middle of nothing.
                let mut counts = vec![0; BINS];
                counts[BINS / 2] = statistics.count - statistics.not_finite;
                counts
            }
            false => Vec::new(),
        };
        Snapshot { step, statistics, counts }
    }
}

impl Series {
    /// The histograms, the first first.
    pub fn snapshots(&self) -> &[Snapshot] {
        &self.snapshots
    }

    fn push(&mut self, snapshot: Snapshot) {
        // The newest is there for being new; when the next one comes it must be one of those that stay.
        if self.seen > 0 && !(self.seen - 1).is_multiple_of(self.stride) {
            self.snapshots.pop();
        }
        if self.snapshots.len() == MOST {
            self.stride *= 2;
            let mut position = 0;
            self.snapshots.retain(|_| {
                position += 1;
                position % 2 == 1
            });
        }
        self.snapshots.push(snapshot);
        self.seen += 1;
    }
}

impl Distributions {
    /// All series, in the order in which they first came.
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// The series of this name.
    pub fn of(&self, kind: Kind, name: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.kind == kind && series.name == name)
    }

    /// Adds a histogram of a tensor to its series.
    pub fn add(&mut self, kind: Kind, name: &str, step: u64, tensor: &Tensor) {
        let snapshot = Snapshot::of(step, tensor);
        let known = self.series.iter_mut().find(|series| series.kind == kind && series.name == name);
        match known {
            Some(series) => series.push(snapshot),
            None => {
                let mut new = Series { kind, name: name.into(), snapshots: Vec::new(), stride: 1, seen: 0 };
                new.push(snapshot);
                self.series.push(new);
            }
        }
    }

    /// Records a loss, as a step of the training does, and adds all parameters of the model, their gradients, and what comes out of its
    /// operations. A hundred examples are enough; nothing of the model changes.
    ///
    /// An activation has the name of its layer, as `conv1` of `conv1.weight`, where the operation takes a parameter, and else that of the
    /// operation; several of one name are counted, `relu 2`. What only moves elements, and what has one element, is none.
    ///
    /// # Panics
    /// When the loss has more than one element.
    #[track_caller]
    pub fn look(&mut self, step: u64, model: &dyn Module, loss: impl for<'t> FnOnce(&'t Tape) -> Var<'t>) {
        let tape = Tape::training(step);
        let gradients = loss(&tape).backward();
        let params = model.params();
        for (name, param) in params.iter().filter(|(_, param)| !param.is_buffer()) {
            self.add(Kind::Weight, name, step, param.value());
            if let Some(gradient) = gradients.of(param) {
                self.add(Kind::Gradient, name, step, gradient);
            }
        }
        for (position, name) in activations(&tape.values(), &params) {
            self.add(Kind::Activation, &name, step, &tape.value_at(position).value());
        }
    }
}

/// The values of a tape that are worth a look, with a name of their own each.
fn activations(values: &[ValueInfo], params: &[(String, &Param)]) -> Vec<(usize, String)> {
    let layers: HashMap<ParamId, &str> = params
        .iter()
        .rev()
        .filter_map(|(name, param)| Some((param.id(), name.rsplit_once('.')?.0)))
        .collect();
    let mut times: HashMap<&str, usize> = HashMap::new();
    let mut found = Vec::new();
    for (position, value) in values.iter().enumerate() {
        let Some(op) = value.op.filter(|_| value.flops > 0 && value.shape.numel() > 1) else { continue };
        let layer = value.inputs.iter().find_map(|&i| layers.get(&values[i].param?).copied());
        let name = layer.unwrap_or(op);
        let count = times.entry(name).or_default();
        *count += 1;
        found.push((position, if *count == 1 { name.to_owned() } else { format!("{name} {count}") }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conv2d, Dropout, Flatten, Layer, Linear, MaxPool2d, Relu, Sequential};
    use gradus_autograd::prelude::*;

    #[test]
    fn a_snapshot_counts_every_finite_element() {
        let of = |elements: &[f32]| Snapshot::of(7, &Tensor::new(elements, [elements.len()]));
        let snapshot = of(&[0.0, 1.0, 1.0, 3.0, f32::NAN, f32::INFINITY]);
        assert_eq!(snapshot.counts.iter().sum::<usize>(), 4);
        assert_eq!((snapshot.counts[0], snapshot.counts[10], snapshot.counts[29]), (1, 2, 1));
        assert_eq!((snapshot.step, snapshot.statistics.not_finite), (7, 2));
        assert_eq!(of(&[2.0, 2.0]).counts.iter().sum::<usize>(), 2);
        assert!(of(&[f32::NAN]).counts.is_empty() && of(&[]).counts.is_empty());
    }

    #[test]
    fn long_runs_are_thinned_out_evenly_and_keep_both_ends() {
        for length in [1, 99, 100, 101, 102, 250, 1000, 1001] {
            let mut distributions = Distributions::default();
            for step in 0..length {
                distributions.add(Kind::Weight, "w", step, &Tensor::from([step as f32]));
            }
            let steps: Vec<u64> =
                distributions.series()[0].snapshots().iter().map(|snapshot| snapshot.step).collect();
            assert!(
                steps.len() <= MOST && (length < 100 || steps.len() > MOST / 2 - 1),
                "{length}: {steps:?}"
            );
            assert_eq!((steps[0], steps[steps.len() - 1]), (0, length - 1));
            let distance = steps.get(1).map_or(1, |second| second.min(&(length - 1)) - steps[0]).max(1);
            let last = steps.len() - 1;
            assert!(
                steps[..last].iter().enumerate().all(|(i, &step)| step == i as u64 * distance),
                "{steps:?}"
            );
        }
    }

    #[test]
    fn a_look_has_weights_gradients_and_activations_and_leaves_the_model_alone() {
        let mut rng = Rng::seed(1);
        let net = Sequential::new()
            .push(Conv2d::new(1, 2, 3, &mut rng))
            .push(Relu)
            .push(MaxPool2d::new(2))
            .push(Flatten)
            .push(Dropout::new(0.5))
            .push(Linear::new(18, 4, &mut rng))
            .push(Relu);
        let before = crate::flatten(&net);
        let mut distributions = Distributions::default();
        distributions.look(3, &net, |tape| {
            net.forward(tape.constant(Tensor::randn([5, 1, 8, 8], &mut rng))).square().mean()
        });
        assert_eq!(crate::flatten(&net), before);
        let names = |kind: Kind| {
            let of_kind = distributions.series().iter().filter(|series| series.kind == kind);
            of_kind.map(|series| &series.name[..]).collect::<Vec<_>>()
        };
        let params = ["0.weight", "0.bias", "5.weight", "5.bias"];
        assert_eq!((names(Kind::Weight), names(Kind::Gradient)), (params.to_vec(), params.to_vec()));
        assert_eq!(names(Kind::Activation)[..3], ["0", "relu", "max_pool2d"]);
        assert!(names(Kind::Activation).contains(&"relu 2"));
        let pooled = distributions.of(Kind::Activation, "max_pool2d").unwrap();
        assert_eq!(pooled.snapshots()[0].statistics.count, 5 * 2 * 3 * 3);
    }
}
