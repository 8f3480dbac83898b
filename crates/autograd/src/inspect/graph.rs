//! A tape as text, a line for each value.

use super::{Profile, bytes, place, table};
use crate::{
    op::Step,
    tape::{Tape, node::Node, var::Var},
    value::param::Param,
};
use gradus_tensor::Shape;
use std::{
    cell::Ref,
    collections::{BTreeMap, HashSet},
    fmt,
    panic::Location,
    time::Duration,
};

/// The computation that a tape recorded, or the part of it that one value comes from: to print as text, a line for each
/// value, or as a diagram ([`dot`](Graph::dot), [`mermaid`](Graph::mermaid)).
///
/// ```
/// use gradus_autograd::prelude::*;
///
/// let tape = Tape::new();
/// let x = tape.var([1.0, 2.0]);
/// let y = (x * x).sum();
/// let text = y.graph().name(x, "x").name(y, "y").to_string();
/// assert!(text.contains("= mul %0 %0 "), "{text}");
/// ```
pub struct Graph<'t> {
    pub(super) tape: &'t Tape,
    pub(super) nodes: Ref<'t, Vec<Node>>,
    /// The values that are shown, ascending.
    pub(super) shown: Vec<usize>,
    params: HashSet<usize>,
    names: BTreeMap<usize, String>,
    times: BTreeMap<usize, (Duration, Duration)>,
}

/// One value of a [`Graph`], as it is shown.
#[derive(Clone, Debug)]
pub struct GraphValue {
    /// Its position on the tape.
    pub position: usize,
    /// The name that it was given.
    pub name: Option<String>,
    /// What it is: the operation with its attributes, `param`, `var`, `constant`, or `output 1 of`.
    pub source: String,
    /// The positions of what the operation reads; of a later output that of the first; of a leaf nothing.
    pub inputs: Vec<usize>,
    /// The sizes of its axes, where its elements are held.
    pub shape: Option<Shape>,
    /// The bytes of its buffer, where no earlier value that is shown has the same one.
    pub bytes: usize,
    /// The bytes that the operation saved for its backward.
    pub saved: usize,
    /// How long its operation takes, forward and backward, where a [`Profile`] was given.
    pub times: Option<(Duration, Duration)>,
    /// The line of the program that recorded it.
    pub location: &'static Location<'static>,
}

impl Tape {
    /// Everything that is recorded, to print or to draw. Nothing can be recorded while it lives.
    pub fn graph(&self) -> Graph<'_> {
        Graph::new(self, (0..self.len()).collect())
    }
}

impl<'t> Var<'t> {
    /// What this value was computed from, to print or to draw. Nothing can be recorded while it lives.
    pub fn graph(self) -> Graph<'t> {
        let shown = super::ancestors(&self.tape().nodes.read(), self.id() as usize);
        Graph::new(self.tape(), shown)
    }
}

impl<'t> Graph<'t> {
    fn new(tape: &'t Tape, shown: Vec<usize>) -> Graph<'t> {
        let params = tape.params().into_iter().map(|(_, id)| id as usize).collect();
        let (names, times) = (BTreeMap::new(), BTreeMap::new());
        Graph { tape, nodes: tape.nodes.read(), shown, params, names, times }
    }

    /// Gives a value a name to be shown with.
    ///
    /// # Panics
    /// When the variable lives on another tape.
    #[track_caller]
    pub fn name(mut self, var: Var<'_>, name: impl Into<String>) -> Graph<'t> {
        assert!(std::ptr::eq(self.tape, var.tape()), "graph: a variable of another tape cannot be named");
        self.names.insert(var.id() as usize, name.into());
        self
    }

    /// Shows parameters with their names, as a model lists them.
    pub fn params(mut self, params: &[(String, &Param)]) -> Graph<'t> {
        for (id, node) in self.tape.params() {
            if let Some((name, _)) = params.iter().find(|(_, param)| param.id() == id) {
                self.names.insert(node as usize, name.clone());
            }
        }
        self
    }

    /// Adds the times that a [`Profile`] of this tape measured.
    pub fn times(mut self, profile: &Profile) -> Graph<'t> {
        self.times =
            profile.steps.iter().map(|step| (step.id as usize, (step.forward, step.backward))).collect();
        self
    }

    pub(super) fn name_of(&self, id: usize) -> Option<&str> {
        self.names.get(&id).map(String::as_str)
    }

    /// The values that are shown, in order.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let tape = Tape::new();
    /// let x = tape.var([1.0, 2.0]);
    /// let values = (x * x).sum().graph().name(x, "x").values();
    /// assert_eq!((values[0].name.as_deref(), &values[1].source[..]), (Some("x"), "mul"));
    /// assert_eq!(values[1].inputs, [0, 0]);
    /// ```
    pub fn values(&self) -> Vec<GraphValue> {
        let mut buffers = HashSet::new();
        let value = |&id: &usize| {
            let node = &self.nodes[id];
            GraphValue {
                position: id,
                name: self.names.get(&id).cloned(),
                source: self.source(id),
                inputs: node.inputs.iter().map(|&i| i as usize).collect(),
                shape: node.value.as_ref().map(|value| value.shape().clone()),
                bytes: node.own_bytes(&mut buffers),
                saved: node.saved_bytes(),
                times: self.times.get(&id).copied(),
                location: node.location,
            }
        };
        self.shown.iter().map(value).collect()
    }

    /// What computed a value, with attributes.
    fn source(&self, id: usize) -> String {
        let node = &self.nodes[id];
        match (&node.step, &node.inputs[..]) {
            (Some(step), _) => attributed(&**step),
            (None, &[first]) => format!("output {} of", id - first as usize),
            _ if self.params.contains(&id) => "param".into(),
            _ => super::origin(&self.nodes, id).into(),
        }
    }
}

/// The name of an operation with its attributes, such as `softmax { axis: 1 }`, cut where they get long.
pub(super) fn attributed(step: &dyn Step) -> String {
    const MOST: usize = 48;
    let described = step.describe();
    let attributes = described.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
    let mut text = format!("{}{attributes}", step.name());
    if text.chars().count() > MOST {
        text = text.chars().take(MOST - 2).collect::<String>() + "..";
    }
    text
}

/// One line a value: `%3 = matmul %1 %2  [32, 50]  6.4 kB  src/model.rs:14`. The bytes are those of its buffer, where no
/// earlier value has the same one, and behind a plus what the operation saved.
impl fmt::Display for Graph<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values();
        let micros = |time: Duration| format!("{:.1} µs", time.as_secs_f64() * 1e6);
        let mut rows = Vec::new();
        for value in &values {
            let inputs: String = value.inputs.iter().map(|i| format!(" %{i}")).collect();
            let (forward, backward) =
                value.times.map_or((String::new(), String::new()), |(f, b)| (micros(f), micros(b)));
            rows.push([
                format!("%{}", value.position),
                value.name.clone().unwrap_or_default(),
                format!("= {}{inputs}", value.source),
                value.shape.as_ref().map_or("dropped".into(), Shape::to_string),
                bytes(value.bytes),
                if value.saved == 0 { String::new() } else { format!("+ {}", bytes(value.saved)) },
                forward,
                backward,
                place(value.location),
            ]);
        }
        let sum = |of: fn(&GraphValue) -> usize| values.iter().map(of).sum::<usize>();
        let (held, saved) = (sum(|value| value.bytes), sum(|value| value.saved));
        if !self.times.is_empty() {
            let header = ["", "", "", "", "", "", "forward", "backward", ""];
            rows.insert(0, header.map(String::from));
        }
        f.write_str(&table(&rows, [false, false, false, false, true, true, true, true, false]))?;
        let saved = if saved == 0 { String::new() } else { format!(" and {} saved", bytes(saved)) };
        let noun = if self.shown.len() == 1 { "value" } else { "values" };
        writeln!(f, "{} {noun}, {} held{saved}", self.shown.len(), bytes(held))
    }
}

/// Like [`Tape::graph`].
impl fmt::Display for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.graph().fmt(f)
    }
}

impl fmt::Debug for Graph<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Graph of {} values", self.shown.len())
    }
}
