//! Where a NaN or an infinity was born.

use super::{ancestors, origin, place};
use crate::{
    op::reference::unflatten,
    sweep::{Rule, Watch, sweep},
    tape::{Tape, node::Node, var::Var},
};
use gradus_tensor::Tensor;
use std::{fmt, panic::Location};

/// The first NaN, or the first infinity made of finite numbers, in a computation or in its gradients.
///
/// Infinities that a computation was given, such as the -∞ of an attention mask, are nobody's fault and are passed
/// over, as long as no NaN comes of them.
#[derive(Clone, Debug)]
pub struct Anomaly {
    /// Whether a forward or a backward made it.
    pub phase: Phase,
    /// The operation, or what kind of leaf it is.
    pub op: &'static str,
    /// Where the user's program applied it.
    pub location: &'static Location<'static>,
    /// The whole story, in a few lines.
    pub report: String,
}

/// The two halves of a computation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Values.
    Forward,
    /// Gradients.
    Backward,
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report)
    }
}

impl Tape {
    /// Looks for NaN and infinities in everything that sweeps of this tape meet, from now on or no longer.
    ///
    /// In this mode [`backward`](Var::backward) and [`step`](Tape::step) panic with the report of an [`Anomaly`]: the
    /// operation that made the first NaN, or the first infinity of finite numbers, its inputs there, and the line of
    /// your program. Nothing is looked at while operations are recorded; the sweep reads every value and every
    /// gradient once more, which makes a step about half as fast again. To ask once, without a mode, use
    /// [`Var::find_anomaly`].
    pub fn detect_anomaly(&self, on: bool) {
        self.inspector.set(on.then_some(first_unsound));
    }

    pub(crate) fn anomaly_watch(&self) -> Option<AnomalyWatch> {
        self.inspector.get().map(|_| AnomalyWatch::default())
    }
}

/// The report of a recorded value, from `start` on, that is not finite and should be.
fn first_unsound(tape: &Tape, start: usize) -> Option<String> {
    first_in_forward(&tape.nodes.read(), start..tape.len()).map(|anomaly| anomaly.to_string())
}

impl Var<'_> {
    /// Where the first NaN, or the first infinity of finite numbers, was born in computing this value; or, if all
    /// values are sound, in computing the gradients of the sum of its elements. `None` if there is none.
    ///
    /// A tape keeps its values, so it can be asked after the fact:
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let tape = Tape::new();
    /// let x = tape.var([2.0, -1.0]);
    /// let loss = (x + 0.5).log().sum();
    /// assert!(loss.item().is_nan());
    /// let anomaly = loss.find_anomaly().unwrap();
    /// assert_eq!((anomaly.op, anomaly.location.file()), ("log", file!()));
    /// println!("{anomaly}");
    /// ```
    pub fn find_anomaly(self) -> Option<Anomaly> {
        let tape = self.tape();
        tape.provide_all();
        let under = ancestors(&tape.nodes.read(), self.id() as usize);
        let forward = first_in_forward(&tape.nodes.read(), under);
        forward.or_else(|| {
            let mut watch = AnomalyWatch::default();
            sweep(self.tape(), self.seed(Tensor::ones(self.shape())), Rule::Fused, false, &mut watch);
            watch.found
        })
    }
}

/// Panics with what a watch found.
#[track_caller]
pub(crate) fn refuse(watch: Option<AnomalyWatch>) {
    if let Some(anomaly) = watch.and_then(|watch| watch.found) {
        panic!("{anomaly}");
    }
}

/// Looks for the first gradient that is not finite.
#[derive(Default)]
pub(crate) struct AnomalyWatch {
    /// The gradients of the outputs of the step whose rule comes next.
    cotangents: Vec<(usize, Tensor)>,
    found: Option<Anomaly>,
}

impl Watch for AnomalyWatch {
    fn complete(&mut self, tape: &Tape, id: usize, gradient: &mut Option<Tensor>) {
        let Some(gradient) = gradient.as_ref().filter(|_| self.found.is_none()) else { return };
        let nodes = tape.nodes.read();
        if !nodes[id].is_later_output() {
            self.cotangents.retain(|(k, _)| *k < id + nodes[id].outputs as usize);
        }
        self.cotangents.push((id, gradient.clone()));
        if let Some(fault) = Fault::of(gradient) {
            // Every part was sound when it was given: it is the seed, or their sum.
            let report = format!(
                "{} in the gradient of %{id} = {}, recorded at {}\n  \
                 the cotangent that the sweep began with, or the sum of what several uses gave, {}\n",
                fault.name(),
                origin(&nodes, id),
                place(nodes[id].location),
                fault.extent(gradient),
            );
            self.found = Some(anomaly(Phase::Backward, &nodes, id, report));
        }
    }

    fn gave(&mut self, nodes: &[Node], id: usize, results: &[Option<Tensor>]) {
        if self.found.is_some() {
            return;
        }
        let fault = results.iter().enumerate().find_map(|(i, result)| {
            let result = result.as_ref()?;
            Some((i, result, Fault::of(result)?))
        });
        if let Some((i, result, fault)) = fault {
            let mut report = format!(
                "{} was born in the backward of %{id} = {}, recorded at {}\n  the gradient by input {i}, %{}, {}\n",
                fault.name(),
                call(nodes, id),
                place(nodes[id].location),
                nodes[id].inputs[i],
                fault.extent(result),
            );
            for (k, cotangent) in self.cotangents.iter().filter(|(k, _)| *k >= id) {
                report +=
                    &format!("  {:16} {}\n", format!("gradient of %{k}"), fault.beside(cotangent, result));
            }
            report += &inputs(nodes, id, &fault, result);
            self.found = Some(anomaly(Phase::Backward, nodes, id, report));
        }
    }
}

fn first_in_forward(nodes: &[Node], ids: impl IntoIterator<Item = usize>) -> Option<Anomaly> {
    ids.into_iter().find_map(|id| {
        let value = nodes[id].value.as_ref()?;
        let fault = Fault::of(value)?;
        let is_leaf = nodes[id].inputs.is_empty();
        let first = if nodes[id].is_later_output() { nodes[id].inputs[0] as usize } else { id };
        let given = |&i: &u32| nodes[i as usize].value.as_ref().is_some_and(|x| Fault::of(x).is_some());
        let passed_on = fault.infinite && (is_leaf || nodes[first].inputs.iter().any(given));
        if passed_on {
            return None;
        }
        let name = fault.name();
        let mut report = match is_leaf {
            true => {
                format!("{name} in the {} %{id}, made at {}\n", origin(nodes, id), place(nodes[id].location))
            }
            false => format!(
                "{name} was born in the forward of %{id} = {}, recorded at {}\n",
                call(nodes, first),
                place(nodes[id].location)
            ),
        };
        report += &format!("  {:16} {}\n", "the value", fault.extent(value));
        report += &inputs(nodes, first, &fault, value);
        Some(anomaly(Phase::Forward, nodes, id, report))
    })
}

fn anomaly(phase: Phase, nodes: &[Node], id: usize, report: String) -> Anomaly {
    let report = report.trim_end().to_string();
    Anomaly { phase, op: origin(nodes, id), location: nodes[id].location, report }
}

/// The step at `id` with its attributes: `clamp(0.0, 1.0) %3`.
fn call(nodes: &[Node], id: usize) -> String {
    let node = &nodes[id];
    let inputs: String = node.inputs.iter().map(|i| format!(" %{i}")).collect();
    format!(
        "{}{inputs}",
        node.step.as_ref().map_or("released".into(), |step| super::graph::attributed(&**step))
    )
}

/// A line for each input of the step at `id`: where it comes from, and its number beside the fault.
fn inputs(nodes: &[Node], id: usize, fault: &Fault, faulty: &Tensor) -> String {
    let line = |(k, &i): (usize, &u32)| {
        let node = &nodes[i as usize];
        let text = node.value.as_ref().map_or("released".into(), |x| fault.beside(x, faulty));
        format!(
            "  {:16} {text}, from {} at {}\n",
            format!("input {k}, %{i}"),
            origin(nodes, i as usize),
            place(node.location)
        )
    };
    nodes[id].inputs.iter().enumerate().map(line).collect()
}

/// What is wrong with a tensor.
struct Fault {
    infinite: bool,
    /// The first faulty element, flat.
    first: usize,
    count: usize,
}

impl Fault {
    /// NaN, or else infinity, if there is any.
    fn of(x: &Tensor) -> Option<Fault> {
        // A product with 0 is 0 unless something is not finite; one pass tells the usual case.
        if x.iter().map(|x| x * 0.0).sum::<f32>() == 0.0 {
            return None;
        }
        let infinite = !x.iter().any(f32::is_nan);
        let is_faulty = |x: f32| if infinite { x.is_infinite() } else { x.is_nan() };
        let first = x.iter().position(is_faulty)?;
        Some(Fault { infinite, first, count: x.iter().filter(|&x| is_faulty(x)).count() })
    }

    fn name(&self) -> &'static str {
        if self.infinite { "Infinity" } else { "NaN" }
    }

    /// `[2, 3]: 2 of 6 are NaN, the first at [0, 1]`.
    fn extent(&self, x: &Tensor) -> String {
        let (shape, total, first) = (x.shape(), x.numel(), unflatten(self.first, x.shape()));
        let sort = if self.infinite { "infinite" } else { "NaN" };
        match self.count {
            1 => format!("{shape}: 1 of {total} is {sort}, at {first:?}"),
            n => format!("{shape}: {n} of {total} are {sort}, the first at {first:?}"),
        }
    }

    /// The number of another tensor at the same place, if its shape is the same; else what numbers it has.
    fn beside(&self, x: &Tensor, faulty: &Tensor) -> String {
        if x.shape() == faulty.shape() {
            let at = unflatten(self.first, x.shape());
            return format!("{}: {:?} at {at:?}", x.shape(), x.get(&at));
        }
        let (low, high) = x.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
        let nan = if x.iter().any(f32::is_nan) { ", with NaN" } else { "" };
        match x.numel() {
            0 => format!("{}: empty", x.shape()),
            _ => format!("{}: from {low:?} to {high:?}{nan}", x.shape()),
        }
    }
}
