//! Recurrences: a cell that goes along a sequence and takes its state with it.

mod cell;
mod fused;

pub use cell::Cell;

use crate::{op::prelude::*, ops::methods::*};
use cell::{Sent, lstm_output};
use fused::Weight;
use std::sync::Arc;

/// Cells that go along a sequence.
pub trait Recurrent: Value {
    /// A cell with the weight `[gates · hidden, hidden]`, and a bias `[gates · hidden]`, goes along these inputs,
    /// `[steps, n, gates · hidden]`, from a state of one value `[n, hidden]`, or two for an LSTM. Gives the hidden state
    /// after every step, `[steps, n, hidden]`, and the final state.
    ///
    /// The inputs are what a linear layer has made of a sequence, all steps in one product. An LSTM may have a projection,
    /// `[projected, hidden]`: its hidden state is then W h in place of h, and the weight `[4 hidden, projected]`.
    ///
    /// # Panics
    /// When the shapes or the lengths do not fit, or there are no steps.
    ///
    /// ```
    /// use gradus_autograd::{ops::recurrence::{Cell, Recurrence}, prelude::*};
    /// let tape = Tape::new();
    /// let x = tape.constant([[[0.5]], [[0.5]]]);
    /// let (w, h) = (tape.var([[0.5]]), tape.constant([[0.0]]));
    /// let (y, state) = x.recurrence(Recurrence::new(Cell::Tanh), &w, None, None, &[&h]);
    /// let first = 0.5f32.tanh();
    /// assert!((y.value().get([1, 0, 0]) - (0.5 + 0.5 * first).tanh()).abs() < 1e-6);
    /// assert_eq!(state[0].value(), y.value().select(0, 1));
    /// ```
    #[track_caller]
    fn recurrence(
        &self,
        op: Recurrence,
        weight: &Self,
        bias: Option<&Self>,
        projection: Option<&Self>,
        state: &[&Self],
    ) -> (Self, Vec<Self>) {
        let weights = [weight].into_iter().chain(bias).chain(projection);
        let inputs: Vec<&Self> = [self].into_iter().chain(weights).chain(state.iter().copied()).collect();
        let op = Recurrence { projected: projection.is_some(), ..op };
        if op.cell.states() == 2 {
            let [y, h, c] = Self::apply_n(op, &inputs);
            (y, vec![h, c])
        } else {
            let [y, h] = Self::apply_n(op, &inputs);
            (y, vec![h])
        }
    }
}

impl<V: Value> Recurrent for V {}

/// A cell that goes along a sequence: inputs, weight, perhaps a bias and a projection, and the values of the state.
///
/// One operation for all steps: recorded step by step, the gradients of the weight and of slices of the inputs would each
/// be added up once a step.
#[derive(Clone, Debug)]
pub struct Recurrence {
    /// What a step does.
    pub cell: Cell,
    /// Whether it goes from the last step to the first. Outputs lie where their inputs lie.
    pub reverse: bool,
    /// How many steps of each sequence are its own, if not all: at the others its output is 0 and its state stays. So the
    /// final state is that at its own end, and in reverse it starts from there.
    pub lengths: Option<Arc<[usize]>>,
    /// Whether there is a projection among the inputs.
    pub projected: bool,
}

/// What follows inputs and weight.
struct Rest<'a, T> {
    bias: Option<T>,
    projection: Option<T>,
    state: &'a [T],
}

/// All that was computed along a sequence.
struct Run<V> {
    /// The state before the first step and after each, in the order in which they were taken.
    states: Vec<Vec<V>>,
    /// The gates of each step.
    gates: Vec<Vec<V>>,
}

/// A step of a cell, from its input, what was fed and the old state: the new state and the gates.
type Advance<V> = fn(Cell, V, V, &[V]) -> (Vec<V>, Vec<V>);

/// The same backwards, from the old state, the new one, the gates and the cotangents of the new state.
type Retreat<V> = fn(Cell, &[V], &[V], &[V], &[V]) -> Sent<V>;

impl Recurrence {
    /// This cell from the first step to the last, on sequences of one length.
    pub fn new(cell: Cell) -> Recurrence {
        Recurrence { cell, reverse: false, lengths: None, projected: false }
    }

    fn rest<'a, T: Copy>(&self, inputs: &'a [T]) -> Rest<'a, T> {
        let (weights, state) = inputs.split_at(inputs.len().saturating_sub(self.cell.states()));
        let (bias, projection) = match (weights, self.projected) {
            ([_, _], false) => (None, None),
            (&[_, _, bias], false) => (Some(bias), None),
            (&[_, _, projection], true) => (None, Some(projection)),
            (&[_, _, bias, projection], true) => (Some(bias), Some(projection)),
            _ => panic!("recurrence: {:?} cannot have {} inputs", self.cell, inputs.len()),
        };
        Rest { bias, projection, state }
    }

    /// The positions along the sequence in the order in which the cell comes to them.
    fn order(&self, steps: usize) -> impl DoubleEndedIterator<Item = usize> + ExactSizeIterator + use<> {
        let reverse = self.reverse;
        (0..steps).map(move |step| if reverse { steps - 1 - step } else { step })
    }

    /// Where sequences have this step, `[n, 1]`; `None` where all have.
    fn going<V: Value>(&self, t: usize, beside: &V) -> Option<V> {
        let lengths = self.lengths.as_ref()?;
        let goes = |index: &[usize]| if t < lengths[index[0]] { 1.0 } else { 0.0 };
        let all = lengths.iter().all(|&length| t < length);
        (!all).then(|| beside.place().constant(Tensor::from_fn([lengths.len(), 1], goes)))
    }

    /// Goes along the sequence; `feed` is what a hidden state feeds into the next step, `W h + b`, `advance` a step of the cell, and the
    /// projection is transposed.
    fn run<V: Value>(
        &self,
        inputs: &[&V],
        projection: Option<V>,
        feed: impl Fn(&V) -> V,
        advance: Advance<V>,
    ) -> Run<V> {
        let state = self.rest(inputs).state;
        let mut run = Run { states: vec![state.iter().map(|&s| s.clone()).collect()], gates: Vec::new() };
        for t in self.order(inputs[0].shape()[0]) {
            let old = run.states.last().expect("the initial state");
            let (mut new, gates) = advance(self.cell, inputs[0].select(0, t as isize), feed(&old[0]), old);
            if let Some(projection) = &projection {
                new[0] = new[0].matmul(projection);
            }
            if let Some(going) = self.going(t, inputs[0]) {
                new = new.iter().zip(old).map(|(new, old)| going.select_where(new, old)).collect();
            }
            run.states.push(new);
            run.gates.push(gates);
        }
        run
    }

    /// Goes back; `unfeed` is what comes to a hidden state from what it fed, `Wᵀ du`, and `retreat` a step of the cell.
    fn sweep<V: Value>(
        &self,
        cx: &mut Backward<'_, V>,
        run: &Run<V>,
        unfeed: impl Fn(&V) -> V,
        retreat: Retreat<V>,
    ) {
        let inputs = cx.input_list();
        let Rest { bias, projection, state: initial } = self.rest(inputs);
        let first_state = inputs.len() - initial.len();
        let (weight, steps) = (inputs[1], run.gates.len());
        let dy = cx.cotangent_of(0);
        let mut cotangents: Vec<V> = Vec::with_capacity(initial.len());
        for (k, value) in initial.iter().enumerate() {
            let zeros = || value.place().constant(Tensor::zeros(value.shape()));
            cotangents.push(cx.cotangent_of(1 + k).unwrap_or_else(zeros));
        }
        // By position: what the step sent back, and the hidden state that fed it.
        let mut passed: Vec<Option<(Sent<V>, V)>> = vec![None; steps];
        // What came to the projections, and what they projected.
        let (mut to_projections, mut projected) = (Vec::new(), Vec::new());
        for (step, t) in self.order(steps).enumerate().rev() {
            let going = self.going(t, weight);
            if let Some(dy) = &dy {
                cotangents[0] = &cotangents[0] + or_zero(&going, dy.select(0, t as isize));
            }
            let (old, new) = (&run.states[step], &run.states[step + 1]);
            let (gates, mut received) = (&run.gates[step], cotangents.clone());
            if let Some(projection) = projection {
                received[0] = cotangents[0].matmul(projection);
                to_projections.push(or_zero(&going, cotangents[0].clone()));
                projected.push(or_zero(&going, lstm_output(gates)));
            }
            let mut sent = retreat(self.cell, old, new, gates, &received);
            sent.input = or_zero(&going, sent.input);
            sent.fed = sent.fed.map(|fed| or_zero(&going, fed));
            let mut dh = unfeed(sent.fed.as_ref().unwrap_or(&sent.input));
            if let Some(hidden) = &sent.hidden {
                dh = dh + hidden;
            }
            let back = [Some(dh), sent.cell.clone()].into_iter().flatten();
            cotangents = match going {
                None => back.collect(),
                Some(going) => back.zip(&cotangents).map(|(d, kept)| going.select_where(&d, kept)).collect(),
            };
            passed[t] = Some((sent, old[0].clone()));
        }
        let passed: Vec<(Sent<V>, V)> = passed.into_iter().flatten().collect();
        let all = |part: fn(&(Sent<V>, V)) -> Option<&V>| {
            let parts: Vec<&V> = passed.iter().filter_map(part).collect();
            (!parts.is_empty()).then(|| V::concat(&parts, 0)) // [steps · n, ..]
        };
        let input = all(|(sent, _)| Some(&sent.input)).expect("at least one step");
        cx.add(0, || input.reshape(inputs[0].shape()));
        let fed = all(|(sent, _)| sent.fed.as_ref()).unwrap_or(input);
        cx.add(1, || fed.t().matmul(&all(|(_, h)| Some(h)).expect("at least one step")));
        if bias.is_some() {
            cx.add(2, || fed.sum_axes(0, false));
        }
        if projection.is_some() {
            let [to, from] =
                [&to_projections, &projected].map(|values| V::concat(&values.iter().collect::<Vec<_>>(), 0));
            cx.add(first_state - 1, || to.t().matmul(&from));
        }
        for (k, cotangent) in cotangents.into_iter().enumerate() {
            cx.add(first_state + k, || cotangent);
        }
    }
}

/// The value where a sequence goes on, and 0 where it has ended.
fn or_zero<V: Value>(going: &Option<V>, value: V) -> V {
    match going {
        None => value,
        Some(going) => going.select_where(&value, &value.place().constant(0.0)),
    }
}

impl Op for Recurrence {
    const NAME: &'static str = "recurrence";
    const FORMULA: &'static str = "step by step (h, c) = cell(x, W h + b, (h, c)), perhaps h = P h, y = all h, 0 beyond a sequence's end; \
                                   da and du of each step by its chain rule, from the last step to the first, \
                                   dx = all da, dh = Wᵀ du + what passes by, dW = Σ du hᵀ, db = Σ du, dP = Σ dh hᵀ";
    const PRECISION: Precision = Precision::UlpsOfLargest(32.0);
    /// States and gates of all steps.
    type Saved = (Vec<Vec<Tensor>>, Vec<Vec<Tensor>>);

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let Rest { bias, projection, state } = self.rest(inputs);
        let (x, weight, gates) = (inputs[0], inputs[1], self.cell.gates());
        let wrong = |why: String| Err(ShapeError::new(format!("recurrence: {why}")));
        let &[steps, n, width] = x else {
            return wrong(format!("the inputs have shape {x:?}, not [steps, n, {gates} · hidden]"));
        };
        let &[rows, hidden] = weight else {
            return wrong(format!("the weight has shape {weight:?}, not [{gates} · hidden, hidden]"));
        };
        let units = if projection.is_some() { rows / gates } else { hidden };
        if rows != gates * units || width != rows {
            return wrong(format!(
                "inputs {x:?} and weight {weight:?} do not fit: they must be [steps, n, {gates} · hidden] and \
                 [{gates} · hidden, hidden]"
            ));
        }
        if let Some(projection) = projection
            && (self.cell != Cell::Lstm || projection != [hidden, units])
        {
            return wrong(format!(
                "the projection has shape {projection:?}, not an LSTM's [{hidden}, {units}]"
            ));
        }
        if steps == 0 {
            return wrong(format!("inputs {x:?} have no steps"));
        }
        if let Some(bias) = bias
            && bias != [rows]
        {
            return wrong(format!("the bias has shape {bias:?}, not [{rows}]"));
        }
        let of_state = [[n, hidden], [n, units]];
        if let Some((state, right)) = state.iter().zip(of_state).find(|(state, right)| **state != right) {
            return wrong(format!("a state has shape {state:?}, not {right:?}"));
        }
        if let Some(lengths) = &self.lengths
            && (lengths.len() != n || lengths.iter().any(|&length| length > steps))
        {
            return wrong(format!(
                "the lengths {lengths:?} do not fit inputs {x:?}: there must be {n}, none of them more than {steps}"
            ));
        }
        let of_state = of_state[..state.len()].iter().map(|shape| Shape::new(shape));
        Ok([Shape::new(&[steps, n, hidden])].into_iter().chain(of_state).collect::<Vec<_>>().into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, Self::Saved) {
        let Rest { bias, projection, .. } = self.rest(inputs);
        let projection = projection.map(|projection| projection.t().contiguous());
        let weight = Weight::new(&inputs[1].t(), inputs[0].size(1));
        let Run { states, gates } =
            self.run(inputs, projection, |h| weight.product(h, bias), Cell::advance_fused);
        // By position: the step at which the cell comes there is found by the same order.
        let after = self.order(gates.len()).enumerate().map(|(t, step)| (t, states[step + 1][0].clone()));
        let after: Vec<Tensor> = after.map(|(t, h)| or_zero(&self.going(t, &h), h)).collect();
        let y = Tensor::stack(&after.iter().collect::<Vec<_>>(), 0);
        let outputs = [vec![y], states.last().expect("the initial state").clone()].concat();
        (outputs.into(), (states, gates))
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &Self::Saved) {
        let inputs = cx.input_list();
        let Rest { bias, projection, .. } = self.rest(inputs);
        let run = self.run(inputs, projection.map(V::t), |h| h.linear(inputs[1], bias), Cell::advance);
        self.sweep(cx, &run, |du| du.matmul(inputs[1]), Cell::retreat);
    }

    fn backward_fused(&self, cx: &mut Backward<'_, Tensor>, (states, gates): &Self::Saved) {
        let inputs = cx.input_list();
        let weight = Weight::new(inputs[1], inputs[0].size(1));
        let run = Run { states: states.clone(), gates: gates.clone() };
        self.sweep(cx, &run, |du| weight.product(du, None), Cell::retreat_fused);
    }

    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        let Rest { bias, projection, state: initial } = self.rest(inputs);
        let (x, weight) = (inputs[0], inputs[1]);
        let (&[steps, n, width], hidden) = (x.shape(), weight.shape()[1]) else { panic!("checked by infer") };
        let mut y = Array::full([steps, n, hidden], 0.0);
        let mut last: Vec<Array> = initial.iter().map(|&value| value.clone()).collect();
        for example in 0..n {
            let row = |values: &[f64], row: usize, len: usize| values[row * len..][..len].to_vec();
            let mut state: Vec<Vec<f64>> =
                initial.iter().map(|value| row(value.data(), example, value.shape()[1])).collect();
            let own = self.lengths.as_ref().map_or(steps, |lengths| lengths[example]);
            for t in self.order(steps).filter(|&t| t < own) {
                let fed: Vec<f64> = (0..width)
                    .map(|gate| {
                        let sum: f64 = (0..hidden).map(|k| weight.at(&[gate, k]) * state[0][k]).sum();
                        sum + bias.map_or(0.0, |bias| bias.at(&[gate]))
                    })
                    .collect();
                let units = state.last().expect("every cell has a state").len();
                state[0].resize(units, 0.0);
                self.cell.reference(&row(x.data(), t * n + example, width), &fed, &mut state, branches);
                if let Some(projection) = projection {
                    let project = |k| (0..units).map(|unit| projection.at(&[k, unit]) * state[0][unit]).sum();
                    state[0] = (0..hidden).map(project).collect();
                }
                y.data_mut()[(t * n + example) * hidden..][..hidden].copy_from_slice(&state[0]);
            }
            for (last, state) in last.iter_mut().zip(state) {
                last.data_mut()[example * state.len()..][..state.len()].copy_from_slice(&state);
            }
        }
        [vec![y], last].concat()
    }

    /// At every step the state's product with the weight, the bias, what the cell does with each element, and the
    /// projection.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        let Rest { bias, projection, .. } = self.rest(inputs);
        let (rows, fed) = (inputs[1][0] as u64, inputs[1][1] as u64);
        let hidden = rows / self.cell.gates() as u64;
        let step = 2 * rows * fed + bias.map_or(0, |_| rows) + self.cell.flops() * hidden;
        (inputs[0][0] * inputs[0][1]) as u64 * (step + projection.map_or(0, |_| 2 * hidden * fed))
    }

    /// Only examples stay apart.
    fn window(&self, along: &Along<'_>) -> Option<Window> {
        let examples = along.shape().len().checked_sub(2);
        let is_weight = (1..along.inputs.len() - self.cell.states()).contains(&along.input);
        (!is_weight && Some(along.axis) == examples).then(|| Window::same(along.output.len() - 2))
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let cell = [Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru][g.between(0, 3)];
        let (steps, n, hidden) = (g.between(1, 4), g.length().min(3), g.positive_length().min(5));
        let width = cell.gates() * hidden;
        let projected = cell == Cell::Lstm && g.between(0, 1) == 1;
        let fed = if projected { g.between(1, 3) } else { hidden };
        let mut inputs = vec![g.normal([steps, n, width]), g.values([width, fed], -0.8, 0.8)];
        if g.between(0, 1) == 1 {
            inputs.push(g.normal([width]));
        }
        if projected {
            inputs.push(g.values([fed, hidden], -0.8, 0.8));
        }
        inputs.extend([fed, hidden][..cell.states()].iter().map(|&size| g.normal([n, size])));
        let padded = g.between(0, 1) == 1;
        let lengths = padded.then(|| (0..n).map(|_| g.between(0, steps)).collect());
        vec![Sample::new(Recurrence { cell, reverse: g.between(0, 1) == 1, lengths, projected }, inputs)]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let case =
            |cell, shapes: &[&[usize]], message| ErrorCase::new(Recurrence::new(cell), shapes, message);
        let padded = |lengths: &[usize], message| {
            let op = Recurrence { lengths: Some(lengths.into()), ..Recurrence::new(Cell::Relu) };
            ErrorCase::new(op, &[&[4, 2, 3], &[3, 3], &[2, 3]], message)
        };
        vec![
            case(
                Cell::Tanh,
                &[&[2, 3], &[3, 3], &[2, 3]],
                "recurrence: the inputs have shape [2, 3], not [steps, n, 1 · hidden]",
            ),
            case(
                Cell::Gru,
                &[&[4, 2, 9], &[9], &[2, 3]],
                "recurrence: the weight has shape [9], not [3 · hidden, hidden]",
            ),
            case(
                Cell::Lstm,
                &[&[4, 2, 8], &[12, 3], &[2, 3], &[2, 3]],
                "recurrence: inputs [4, 2, 8] and weight [12, 3] do not fit",
            ),
            case(Cell::Relu, &[&[0, 2, 3], &[3, 3], &[2, 3]], "recurrence: inputs [0, 2, 3] have no steps"),
            case(
                Cell::Tanh,
                &[&[4, 2, 3], &[3, 3], &[2], &[2, 3]],
                "recurrence: the bias has shape [2], not [3]",
            ),
            case(
                Cell::Lstm,
                &[&[4, 2, 12], &[12, 3], &[2, 3], &[3, 3]],
                "recurrence: a state has shape [3, 3], not [2, 3]",
            ),
            ErrorCase::new(
                Recurrence { projected: true, ..Recurrence::new(Cell::Lstm) },
                &[&[4, 2, 12], &[12, 2], &[3, 2], &[2, 2], &[2, 3]],
                "recurrence: the projection has shape [3, 2], not an LSTM's [2, 3]",
            ),
            ErrorCase::new(
                Recurrence { projected: true, ..Recurrence::new(Cell::Gru) },
                &[&[4, 2, 9], &[9, 2], &[2, 3], &[2, 2]],
                "recurrence: the projection has shape [2, 3], not an LSTM's",
            ),
            padded(&[4], "recurrence: the lengths [4] do not fit inputs [4, 2, 3]: there must be 2,"),
            padded(&[1, 5], "recurrence: the lengths [1, 5] do not fit inputs [4, 2, 3]"),
        ]
    }
}
