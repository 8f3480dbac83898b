//! The parameters of a cell.

use crate::{Init, join};
use gradus_autograd::{
    Param,
    ops::recurrence::{Cell, Recurrence},
    prelude::*,
};

/// The parameters of a cell, of one layer and one direction. The gates of a weight lie one below the other.
#[derive(Clone, Debug)]
pub(super) struct CellParams {
    /// `[gates · hidden, inputs]`: what the input does.
    weight_ih: Param,
    /// `[gates · hidden, hidden]`: what the old state does.
    weight_hh: Param,
    /// `[gates · hidden]` each, for input and state: one too many but for the GRU's third gate. PyTorch has both.
    biases: Option<[Param; 2]>,
}

impl CellParams {
    /// With PyTorch's initial values: uniform between plus and minus 1 / √hidden.
    pub(super) fn new(cell: Cell, inputs: usize, hidden: usize, bias: bool, rng: &mut Rng) -> CellParams {
        let init = Init::Uniform(1.0 / (hidden as f32).sqrt());
        let rows = cell.gates() * hidden;
        let mut param = |shape: &[usize]| Param::new(init.weight(shape, rng));
        CellParams {
            weight_ih: param(&[rows, inputs]),
            weight_hh: param(&[rows, hidden]),
            biases: bias.then(|| [param(&[rows]), param(&[rows])]),
        }
    }

    /// How many inputs and how many elements of the state there are.
    pub(super) fn sizes(&self) -> [usize; 2] {
        [&self.weight_ih, &self.weight_hh].map(|weight| weight.value().shape()[1])
    }

    pub(super) fn without_bias(self) -> CellParams {
        CellParams { biases: None, ..self }
    }

    /// Goes along a sequence, `[steps, n, inputs]`: the hidden states, `[steps, n, hidden]`, and the final state.
    #[track_caller]
    pub(super) fn run<V: Value>(&self, op: Recurrence, x: &V, state: &[&V]) -> (V, Vec<V>) {
        let at = x.at();
        let [weight_ih, weight_hh] = [at.param(&self.weight_ih), at.param(&self.weight_hh)];
        match &self.biases {
            Some([bias_ih, bias_hh]) => {
                let gates = x.linear(&weight_ih, Some(&at.param(bias_ih)));
                gates.recurrence(op, &weight_hh, Some(&at.param(bias_hh)), state)
            }
            None => x.linear(&weight_ih, None).recurrence(op, &weight_hh, None, state),
        }
    }

    /// As [`Module::visit`](crate::Module::visit), under PyTorch's names with a suffix such as `_l0_reverse`.
    pub(super) fn visit<'a>(&'a self, path: &str, suffix: &str, f: &mut dyn FnMut(&str, &'a Param)) {
        let CellParams { weight_ih, weight_hh, biases } = self;
        let all = [weight_ih, weight_hh].into_iter().chain(biases.iter().flatten());
        NAMES.iter().zip(all).for_each(|(name, param)| f(&join(path, &format!("{name}{suffix}")), param));
    }

    /// As [`Module::visit_mut`](crate::Module::visit_mut).
    pub(super) fn visit_mut<'a>(
        &'a mut self,
        path: &str,
        suffix: &str,
        f: &mut dyn FnMut(&str, &'a mut Param),
    ) {
        let CellParams { weight_ih, weight_hh, biases } = self;
        let all = [weight_ih, weight_hh].into_iter().chain(biases.iter_mut().flatten());
        NAMES.iter().zip(all).for_each(|(name, param)| f(&join(path, &format!("{name}{suffix}")), param));
    }
}

const NAMES: [&str; 4] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];
