//! The summary of a model: layer by layer what comes out, how many parameters go in, what it costs and how far it sees.

use crate::{layer::Layer, module::Module};
use gradus_autograd::{
    Param, ParamId, Tape, Var,
    inspect::{ReceptiveField, ValueInfo, table},
};
use gradus_tensor::{Shape, Tensor};
use std::{
    collections::{HashMap, HashSet},
    fmt,
};

/// What a model does to an example, operation by operation: output shapes, parameters, arithmetic, receptive fields.
///
/// A model is a function, so what it consists of shows when it runs: it is recorded once, in evaluation mode, and each
/// operation makes a row. Those that use parameters have the name of their layer, `conv1` for `conv1.weight`; neighbours
/// of one layer are one row, and so are neighbours that only move elements.
///
/// - *flops* are the floating-point operations of the forward for the whole example: 2 for a multiplication with an addition,
///   1 for any other function of an element, 0 for moving elements ([`Op::flops`](gradus_autograd::Op::flops)). The backward
///   takes about twice as many.
/// - *sees* is the receptive field, where there are windows, as of convolutions and poolings: the height and width of the part
///   of the input that one element depends on, `all` where that is the whole of it or no window is known: a convolution of
///   volumes gathers its planes, so that its depth is `all`. Pixels in a padding count. See [`Var::receptive_field`].
///
/// ```
/// use gradus_nn::{Conv2d, Flatten, Linear, MaxPool2d, Relu, Sequential, Summary};
/// use gradus_tensor::Rng;
///
/// let rng = &mut Rng::seed(0);
/// let net = Sequential::new()
///     .push(Conv2d::new(1, 30, 5, rng))
///     .push(Relu)
///     .push(MaxPool2d::new(2))
///     .push(Flatten)
///     .push(Linear::new(30 * 12 * 12, 10, rng));
/// let summary = Summary::new(&net, [1, 1, 28, 28]);
/// assert_eq!(
///     summary.to_string(),
///     "\
/// layer  operation   output           parameters      flops   sees
/// 0      conv2d      [1, 30, 24, 24]         780    881,280  5 x 5
///        relu        [1, 30, 24, 24]                 17,280  5 x 5
///        max_pool2d  [1, 30, 12, 12]                 17,280  6 x 6
///        reshape     [1, 4320]                            0    all
/// 4      linear      [1, 10]              43,210     86,410    all
/// total                                   43,990  1,002,250
/// "
/// );
/// ```
#[derive(Clone, Debug)]
pub struct Summary {
    /// The operations, in the order in which they run.
    pub rows: Vec<SummaryRow>,
    /// The number of the model's parameters that are trained.
    pub trained: usize,
    /// The number of those that are frozen.
    pub frozen: usize,
    /// The number of elements in buffers.
    pub buffers: usize,
    /// The names of the parameters that the example did not need.
    pub unused: Vec<String>,
}

/// One row of a [`Summary`]: an operation, or several of one layer.
#[derive(Clone, Debug)]
pub struct SummaryRow {
    /// The name of the layer whose parameters are used, if there are such; empty for those of the model itself.
    pub layer: Option<String>,
    /// The operations.
    pub ops: Vec<&'static str>,
    /// The shape of the result.
    pub output: Shape,
    /// The number of parameters, where they are used for the first time; without buffers.
    pub params: usize,
    /// The number of floating-point operations.
    pub flops: u64,
    /// How much of the input an element depends on, along each of its axes.
    pub field: Option<ReceptiveField>,
}

impl Summary {
    /// Of a layer or a model of layers, for an input of this shape, which begins with the number of examples.
    ///
    /// # Panics
    /// As the model does, where it does not take such an input.
    #[track_caller]
    pub fn new(model: &impl Layer, input: impl AsRef<[usize]>) -> Summary {
        let tape = Tape::new();
        model.forward(tape.constant(Tensor::zeros(input)));
        Summary::of_tape(model, &tape)
    }

    /// Of any model: of what it records. Receptive fields are those in the first value that is put on the tape.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// use gradus_nn::{Embedding, Summary};
    ///
    /// let words = Embedding::new(1000, 16, &mut Rng::seed(0));
    /// let summary = Summary::of(&words, |tape| words.forward(tape.place(), &Indices::from([1, 2, 3])));
    /// assert_eq!((summary.trained, &summary.rows[0].output[..]), (16_000, &[3, 16][..]));
    /// ```
    pub fn of(model: &dyn Module, forward: impl for<'t> FnOnce(&'t Tape) -> Var<'t>) -> Summary {
        let tape = Tape::new();
        forward(&tape);
        Summary::of_tape(model, &tape)
    }

    fn of_tape(model: &dyn Module, tape: &Tape) -> Summary {
        let (values, params) = (tape.values(), model.params());
        let first = values.iter().position(|value| value.inputs.is_empty() && value.param.is_none());
        let fields = first.map(|first| tape.receptive_fields(tape.value_at(first)));
        let mut table = Table::new(&params);
        for (id, value) in values.iter().enumerate() {
            let field = fields.as_ref().and_then(|fields| fields[id].clone());
            table.add(&values, value, field);
        }
        let count = |of: &dyn Fn(&Param) -> bool| {
            params.iter().filter(|(_, param)| of(param)).map(|(_, param)| param.value().numel()).sum()
        };
        let unused = |(name, param): &(String, &Param)| {
            (!table.used.contains(&param.id()) && !param.is_buffer()).then(|| name.clone())
        };
        Summary {
            trained: count(&|param| !param.is_frozen()),
            frozen: count(&|param| param.is_frozen() && !param.is_buffer()),
            buffers: count(&|param| param.is_buffer()),
            unused: params.iter().filter_map(unused).collect(),
            rows: table.rows,
        }
    }

    /// The floating-point operations of all rows.
    pub fn flops(&self) -> u64 {
        self.rows.iter().map(|row| row.flops).sum()
    }
}

/// The rows while they are made.
struct Table<'a> {
    rows: Vec<SummaryRow>,
    params: HashMap<ParamId, (&'a str, &'a Param)>,
    used: HashSet<ParamId>,
    /// For each value the layer that it belongs to, where it was made of the parameters of one alone.
    owners: Vec<Option<&'a str>>,
    /// Whether the last row is made of parameters alone so far, as the factors of a norm are.
    prepares: bool,
}

impl<'a> Table<'a> {
    fn new(params: &'a [(String, &'a Param)]) -> Table<'a> {
        // Of a tied parameter the first name counts.
        let by_id = params.iter().rev().map(|(name, param)| (param.id(), (layer_of(name), *param))).collect();
        Table { rows: Vec::new(), params: by_id, used: HashSet::new(), owners: Vec::new(), prepares: false }
    }

    fn add(&mut self, values: &[ValueInfo], value: &ValueInfo, field: Option<ReceptiveField>) {
        let owner = match value.param {
            Some(param) => self.params.get(&param).map(|&(layer, _)| layer),
            // Which rows of an embedding's table come is no longer the parameters' business.
            None if value.op == Some("index_select") => None,
            None => common(value.inputs.iter().map(|&i| self.owners[i])),
        };
        self.owners.push(owner);
        let Some(op) = value.op else { return };
        let layer = self.layer(values, value);
        let params = self.params_used(values, value);
        let sizes = |shape: &Shape| shape.iter().copied().filter(|&n| n > 1).collect::<Vec<_>>();
        let before = &values[value.inputs[0]].shape;
        if layer.is_none() && value.flops == 0 && sizes(before) == sizes(&value.shape) {
            // Elements that stay under the same sizes are not worth a row. Axes of size 1 are put in for the next operation;
            // taken out, they were the last one's.
            if let Some(last) = self.rows.last_mut().filter(|_| value.shape.rank() < before.rank()) {
                last.output = value.shape.clone();
            }
            return;
        }
        let layer = layer.map(String::from);
        let (output, flops) = (value.shape.clone(), value.flops);
        let row = SummaryRow { layer, ops: vec![op], output, params, flops, field };
        match self.rows.last_mut() {
            Some(last) if last.layer.is_some() && last.layer == row.layer => {
                last.extend(row, self.prepares, owner.is_some());
                self.prepares &= owner.is_some();
            }
            Some(last) if last.only_moves() && row.only_moves() => last.extend(row, false, false),
            _ => {
                self.rows.push(row);
                self.prepares = owner.is_some();
            }
        }
    }

    /// The layer whose parameters a step uses, or something that was made of them.
    fn layer(&self, values: &[ValueInfo], value: &ValueInfo) -> Option<&'a str> {
        let direct = value.inputs.iter().find(|&&i| values[i].param.is_some()).and_then(|&i| self.owners[i]);
        let mut owners = value.inputs.iter().map(|&i| self.owners[i]);
        direct.or_else(|| {
            if owners.clone().all(|o| o.is_some()) { common(owners) } else { owners.find_map(|o| o) }
        })
    }

    /// The number of trainable elements that are used for the first time.
    fn params_used(&mut self, values: &[ValueInfo], value: &ValueInfo) -> usize {
        let mut count = 0;
        for id in value.inputs.iter().filter_map(|&i| values[i].param) {
            if let Some((_, param)) = self.params.get(&id)
                && self.used.insert(id)
                && !param.is_buffer()
            {
                count += param.value().numel();
            }
        }
        count
    }
}

/// The layer that all of them are.
fn common<'a>(mut owners: impl Iterator<Item = Option<&'a str>>) -> Option<&'a str> {
    let first = owners.next()??;
    owners.all(|owner| owner == Some(first)).then_some(first)
}

/// `conv1` for `conv1.weight`.
fn layer_of(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(layer, _)| layer)
}

impl SummaryRow {
    /// Takes in the next row of the same layer. Of what prepares parameters the operations are only named where nothing else
    /// happens.
    fn extend(&mut self, next: SummaryRow, prepared: bool, prepares: bool) {
        if prepared && !prepares {
            self.ops.clear();
        }
        if prepared || !prepares {
            let new: Vec<&str> = next.ops.into_iter().filter(|op| !self.ops.contains(op)).collect();
            self.ops.extend(new);
        }
        (self.output, self.field) = (next.output, next.field);
        (self.params, self.flops) = (self.params + next.params, self.flops + next.flops);
    }

    fn only_moves(&self) -> bool {
        self.layer.is_none() && self.flops == 0
    }

    /// The field along the axes behind examples and channels: `5 x 5`.
    pub(crate) fn sees(&self) -> String {
        let side = |side: &Option<usize>| side.map_or("all".into(), |n| n.to_string());
        let Some(sides) = self.field.as_ref().map(|field| field.iter().skip(2)) else { return String::new() };
        if sides.clone().all(Option::is_none) {
            return "all".into();
        }
        sides.map(side).collect::<Vec<String>>().join(" x ")
    }

    fn has_window(&self) -> bool {
        self.field.iter().flat_map(|field| field.iter().skip(2)).any(|side| side.is_some_and(|n| n > 1))
    }
}

/// `1234567` as `1,234,567`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let windows = self.rows.iter().any(SummaryRow::has_window);
        let sees = |text: String| if windows { text } else { String::new() };
        let header = ["layer", "operation", "output", "parameters", "flops", "sees"].map(String::from);
        let mut rows = vec![header];
        rows[0][5] = sees("sees".into());
        for row in &self.rows {
            rows.push([
                row.layer.clone().unwrap_or_default(),
                row.ops.join(" "),
                row.output.to_string(),
                if row.params == 0 { String::new() } else { grouped(row.params as u64) },
                grouped(row.flops),
                sees(row.sees()),
            ]);
        }
        let total = grouped((self.trained + self.frozen) as u64);
        let none = String::new;
        rows.push(["total".into(), none(), none(), total, grouped(self.flops()), none()]);
        f.write_str(&table(&rows, [false, false, false, true, true, true]))?;
        if self.frozen > 0 {
            writeln!(f, "of the parameters {} are frozen", grouped(self.frozen as u64))?;
        }
        if self.buffers > 0 {
            writeln!(f, "buffers beside the parameters: {} elements", grouped(self.buffers as u64))?;
        }
        if !self.unused.is_empty() {
            writeln!(f, "not used: {}", self.unused.join(", "))?;
        }
        Ok(())
    }
}
