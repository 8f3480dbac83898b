//! The tape: the list of recorded operations, in the order in which they ran.

mod checkpoint;
pub(crate) mod few;
pub(crate) mod node;
mod scope;
pub(crate) mod var;

use crate::{
    op::{Op, Outputs, Recorded, Step, check_inferred, of_forward},
    tape::{checkpoint::Segments, few::List, var::Var},
    value::{
        Place,
        param::{BufferUpdate, Param, ParamId},
    },
};
use gradus_tensor::{OrFail, ShapeError, Tensor};
use node::{Node, Nodes, push};
use scope::Scopes;
use smallvec::{SmallVec, smallvec};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    fmt,
    panic::Location,
    sync::atomic::{AtomicU64, Ordering},
};

/// A list of operations in the order in which they ran, with the values they gave.
///
/// Every node comes after its inputs, so the backward sweep is one loop downwards. A tape is explicit: nothing is
/// recorded but by variables made from it. It is made for one thread; a model that several threads use is shared,
/// and each thread has a tape of its own.
///
/// ```
/// use gradus_autograd::prelude::*;
///
/// let tape = Tape::new();
/// let x = tape.var(3.0);
/// let y = x * x + 2.0 * x;
/// let gradients = y.backward();
/// assert_eq!(gradients[x].item(), 8.0);
/// ```
///
/// Variables cannot outlive what they were recorded for:
///
/// ```compile_fail
/// use gradus_autograd::prelude::*;
///
/// let mut tape = Tape::new();
/// let x = tape.var(3.0);
/// tape.clear();
/// x.value(); // x still borrows the tape that `clear` needs alone
/// ```
pub struct Tape {
    id: u64,
    /// Counts the uses of the tape, one from each `clear` to the next.
    generation: Cell<u64>,
    pub(crate) nodes: Nodes,
    /// By parameter and buffer: a parameter that changes between two uses is recorded anew.
    params: RefCell<HashMap<(ParamId, usize), u32>>,
    mode: Cell<Mode>,
    /// Where the recording first asked for the mode.
    asked: Cell<Option<&'static Location<'static>>>,
    /// What the means recorded so far were taken over, see [`Place::weigh`].
    pub(crate) weight: Cell<Option<f64>>,
    /// What layers want done to buffers, for the optimizer. No replay and no checkpoint comes here again.
    pub(crate) updates: RefCell<Vec<BufferUpdate>>,
    /// What checkpoints recorded.
    pub(crate) segments: RefCell<Segments>,
    /// Which scopes have ended.
    pub(crate) scopes: Scopes,
    /// What looks at the values from a position on before a sweep or before a checkpoint drops them, if anybody does.
    pub(crate) inspector: Cell<Option<Inspector>>,
    /// While a gradient is recorded: the line of the operation that it is a gradient of.
    origin: Cell<Option<&'static Location<'static>>>,
    /// Whether a gradient check sweeps it, see [`Backward::is_checked`](crate::op::Backward::is_checked).
    pub(crate) checked: Cell<bool>,
}

/// How layers that work otherwise in training are to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// As in evaluation, which nobody has asked for: no step of training may rest on it.
    Undecided,
    Evaluating,
    /// With the next seed.
    Training(u64),
}

/// Looks at the values from a position on; gives the report of what it found.
type Inspector = fn(&Tape, usize) -> Option<String>;

impl Tape {
    /// An empty tape, for derivatives and for models that work in training as they do in evaluation.
    ///
    /// Others, with dropout or batch normalisation, are evaluated on it: dropout passes everything, statistics stay. A
    /// loop that trained them so would train without either, so [`step`](Tape::step) and the optimizers refuse it; make
    /// its tape with [`Tape::training`], or with [`Tape::evaluating`] where that is meant.
    pub fn new() -> Tape {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Tape {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            generation: Cell::new(0),
            nodes: Nodes::default(),
            params: RefCell::default(),
            mode: Cell::new(Mode::Undecided),
            asked: Cell::new(None),
            weight: Cell::new(None),
            updates: RefCell::default(),
            segments: RefCell::default(),
            scopes: Scopes::default(),
            inspector: Cell::new(None),
            origin: Cell::new(None),
            checked: Cell::new(false),
        }
    }

    /// An empty tape for a gradient check.
    pub(crate) fn of_check() -> Tape {
        let tape = Tape::new();
        tape.checked.set(true);
        tape
    }

    /// An empty tape in training mode. `seed` decides all that is random in the layers, such as dropout's masks.
    ///
    /// Make it once, before the loop: its random state goes on from step to step, and `clear` keeps it. A tape made anew
    /// for each step needs another seed each time; with the same seed every step drops the same elements.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let mask = |tape: &mut Tape| {
    ///     tape.step(|tape| {
    ///         let y = tape.var(Tensor::ones([100])).dropout(0.5);
    ///         (y.sum(), y.value())
    ///     })
    ///     .2
    /// };
    /// let mut tape = Tape::training(7);
    /// assert_ne!(mask(&mut tape), mask(&mut tape));
    /// assert_eq!(mask(&mut Tape::training(7)), mask(&mut Tape::training(7))); // the same mask again and again
    /// ```
    #[doc(alias = "train")]
    pub fn training(seed: u64) -> Tape {
        let tape = Tape::new();
        tape.mode.set(Mode::Training(seed));
        tape
    }

    /// An empty tape in evaluation mode, for good: dropout passes everything, statistics stay, also in a
    /// [`step`](Tape::step) and for an optimizer. For a model that is trained further with its statistics as they are, and
    /// for gradients of a trained model, such as those by its inputs.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let x = Param::new([1.0, 2.0]);
    /// let (_, gradients, ()) = Tape::evaluating().step(|tape| (tape.param(&x).dropout(0.5).sum(), ()));
    /// assert_eq!(gradients[&x].to_vec(), [1.0, 1.0]);
    /// ```
    #[doc(alias = "eval")]
    pub fn evaluating() -> Tape {
        let tape = Tape::new();
        tape.mode.set(Mode::Evaluating);
        tape
    }

    /// An empty tape in this one's mode, with the random state it has now.
    pub(crate) fn twin(&self) -> Tape {
        let twin = Tape::new();
        twin.mode.set(self.mode.get());
        twin
    }

    /// The place of this tape's variables, for layers that have no input value to take it from.
    pub fn place(&self) -> Place<Var<'_>> {
        Place::new(self)
    }

    /// Whether it is in training mode.
    pub fn is_training(&self) -> bool {
        matches!(self.mode.get(), Mode::Training(_))
    }

    /// Remembers who asked for the mode, if nobody has decided on it.
    #[track_caller]
    pub(crate) fn ask(&self) {
        if self.mode.get() == Mode::Undecided && self.asked.get().is_none() {
            self.asked.set(Some(Location::caller()));
        }
    }

    /// Where the recording asked for a mode that nobody has decided on.
    pub(crate) fn undecided(&self) -> Option<&'static Location<'static>> {
        self.asked.get()
    }

    pub(crate) fn draw(&self) -> Option<u64> {
        let Mode::Training(seed) = self.mode.get() else { return None };
        self.mode.set(Mode::Training(seed.wrapping_add(1)));
        // SplitMix64's finaliser: neighbouring seeds give unrelated bits.
        let mut bits = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(bits ^ bits >> 31)
    }

    /// The number of recorded values.
    pub fn len(&self) -> usize {
        self.nodes.read().len()
    }

    /// Whether nothing is recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A variable: a value that gradients are asked for.
    #[track_caller]
    pub fn var(&self, value: impl Into<Tensor>) -> Var<'_> {
        self.leaf(value.into(), true)
    }

    /// A constant: a value that no gradient flows to.
    #[track_caller]
    pub fn constant(&self, value: impl Into<Tensor>) -> Var<'_> {
        self.leaf(value.into(), false)
    }

    /// The variable of a parameter: the same one however often it is asked for, until the parameter changes. A frozen
    /// parameter is a constant.
    #[track_caller]
    pub fn param(&self, param: &Param) -> Var<'_> {
        let key = (param.id(), param.value().buffer_id());
        if let Some(&id) = self.params.borrow().get(&key) {
            return Var::new(self, id);
        }
        let var = self.leaf(param.value().clone(), !param.is_frozen());
        self.params.borrow_mut().insert(key, var.id());
        var
    }

    /// A constant that was another value, for checks to tell it from those that never were.
    #[track_caller]
    pub(crate) fn detached(&self, value: Tensor) -> Var<'_> {
        let var = self.leaf(value, false);
        self.nodes.write()[var.id() as usize].is_detached = true;
        var
    }

    /// The variable of a parameter with another value than its own.
    #[track_caller]
    pub(crate) fn stand_in(&self, param: &Param, value: Tensor) -> Var<'_> {
        let var = self.leaf(value, !param.is_frozen());
        self.params.borrow_mut().insert((param.id(), param.value().buffer_id()), var.id());
        var
    }

    #[track_caller]
    fn leaf(&self, value: Tensor, needs: bool) -> Var<'_> {
        let node = Node {
            value: Some(value),
            step: None,
            inputs: SmallVec::new(),
            outputs: 0,
            needs,
            is_detached: false,
            location: self.origin.get().unwrap_or(Location::caller()),
        };
        Var::new(self, self.nodes.push(node))
    }

    /// Forgets all that was recorded and keeps the memory for the next use. The random state goes on.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.params.get_mut().clear();
        self.updates.get_mut().clear();
        self.segments.get_mut().clear();
        self.scopes.clear();
        self.asked.set(None);
        self.weight.set(None);
        self.generation.set(self.generation.get() + 1);
    }

    /// Records an operation whose inputs may not fit: the one fallible way beside the panicking methods.
    #[track_caller]
    pub fn try_record<'t, O: Op>(op: O, inputs: &[&Var<'t>]) -> Result<Var<'t>, ShapeError> {
        let location = Location::caller();
        Tape::try_record_step(Recorded::boxed(op), inputs, location)
            .map(|(tape, first, _)| Var::new(tape, first))
    }

    #[track_caller]
    pub(crate) fn record<'t, const M: usize>(step: Box<dyn Step>, inputs: &[&Var<'t>]) -> [Var<'t>; M] {
        let location = Location::caller();
        let name = step.name();
        let (tape, first, outputs) = Tape::try_record_step(step, inputs, location).or_fail();
        assert!(outputs == M, "{name}: has {outputs} outputs, {M} were asked for");
        std::array::from_fn(|k| Var::new(tape, first + k as u32))
    }

    /// Runs the step on the inputs' values and puts its outputs on their tape: tape, first output, number of outputs.
    #[track_caller]
    pub(crate) fn try_record_step<'t>(
        mut step: Box<dyn Step>,
        inputs: &[&Var<'t>],
        location: &'static Location<'static>,
    ) -> Result<(&'t Tape, u32, usize), ShapeError> {
        let Some(first) = inputs.first() else { panic!("{}: an operation needs an input", step.name()) };
        let tape = first.tape();
        for other in inputs {
            other.check_alive();
            assert!(
                std::ptr::eq(tape, other.tape()),
                "{}: the inputs live on different tapes: {} and {}",
                step.name(),
                first.describe(),
                other.describe()
            );
        }
        let needs;
        let mut outputs = Outputs::Many(Vec::new());
        {
            let nodes = tape.nodes.read();
            let input = |k: usize| &nodes[inputs[k].checked_id() as usize];
            let values = List::new(inputs.len(), input(0).value(), |k| input(k).value());
            let shapes = List::new(inputs.len(), &[][..], |k| &values.as_slice()[k].shape()[..]);
            check_inferred(&step.infer(shapes.as_slice()), || step.name())?;
            needs = (0..inputs.len()).any(|k| input(k).needs);
            ShapeError::catch(|| outputs = step.forward(values.as_slice()))
                .map_err(|error| of_forward(step.name(), shapes.as_slice(), &error))?;
        }
        let mut nodes = tape.nodes.write();
        let id = nodes.len() as u32;
        if !needs {
            step.forget();
        }
        let location = tape.origin.get().unwrap_or(location);
        let mut node = Node {
            value: None,
            step: Some(step),
            inputs: ids(inputs),
            outputs: 1,
            needs,
            is_detached: false,
            location,
        };
        let count = match outputs {
            Outputs::One(value) => {
                node.value = Some(value);
                push(&mut nodes, node);
                1
            }
            Outputs::Many(values) => {
                let count = values.len();
                node.outputs = count as u32;
                for value in values {
                    node.value = Some(value);
                    push(&mut nodes, node);
                    node = Node {
                        value: None,
                        step: None,
                        inputs: smallvec![id],
                        outputs: 0,
                        needs,
                        is_detached: false,
                        location,
                    };
                }
                count
            }
        };
        Ok((tape, id, count))
    }

    /// While the result lives, what is recorded counts as recorded at this line.
    pub(crate) fn at_line(&self, line: &'static Location<'static>) -> AtLine<'_> {
        AtLine { tape: self, before: self.origin.replace(Some(line)) }
    }

    /// Panics with what the inspector, if there is one, finds in the values from `start` on.
    #[track_caller]
    pub(crate) fn inspect_from(&self, start: usize) {
        if let Some(report) = self.inspector.get().and_then(|inspector| inspector(self, start)) {
            panic!("{report}");
        }
    }

    pub(crate) fn id_and_generation(&self) -> (u64, u64) {
        (self.id, self.generation.get())
    }

    /// What the means recorded so far were taken over, see [`Place::weigh`].
    #[doc(hidden)]
    pub fn weight(&self) -> Option<f64> {
        self.weight.get()
    }

    /// The parameters on the tape with their variables' positions.
    pub(crate) fn params(&self) -> Vec<(ParamId, u32)> {
        self.params.borrow().iter().map(|(&(param, _), &id)| (param, id)).collect()
    }
}

/// What is wrong with training on a tape whose mode nobody has decided on.
pub(crate) fn undecided_at(place: &Location<'_>) -> String {
    format!(
        "the layer at {}:{} works otherwise in training, and Tape::new() evaluates it; make the tape with \
         Tape::training(seed), or with Tape::evaluating() where evaluation is meant",
        place.file(),
        place.line()
    )
}

/// See [`Tape::at_line`].
pub(crate) struct AtLine<'t> {
    tape: &'t Tape,
    before: Option<&'static Location<'static>>,
}

impl Drop for AtLine<'_> {
    fn drop(&mut self) {
        self.tape.origin.set(self.before);
    }
}

fn ids(inputs: &[&Var<'_>]) -> SmallVec<[u32; 3]> {
    match inputs.len() {
        // As many places as there are at most, filled by number: cheaper than to push one after the other.
        count @ 1..=3 => {
            SmallVec::from_buf_and_len(std::array::from_fn(|k| inputs[k.min(count - 1)].checked_id()), count)
        }
        _ => inputs.iter().map(|x| x.checked_id()).collect(),
    }
}

impl Default for Tape {
    fn default() -> Tape {
        Tape::new()
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tape {} with {} values", self.id, self.len())
    }
}
