//! One step of a recurrence, forwards and backwards.

use crate::{op::prelude::*, ops::methods::*};

/// How a step makes a new state from the old one and an input. Gates lie one after the other on the last axis, in
/// PyTorch's order.
///
/// Here a is a step's input, to which the layer has brought it by `W_ih x + b_ih`, and u is `W_hh h + b_hh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// `h = tanh(a + u)` (J. Elman, "Finding structure in time", 1990).
    Tanh,
    /// `h = max(a + u, 0)`.
    Relu,
    /// Gates i, f, g, o of `a + u`; `c' = σ(f) c + σ(i) tanh(g)`, `h = σ(o) tanh(c')` (S. Hochreiter, J. Schmidhuber,
    /// "Long short-term memory", 1997; with the forget gate of F. Gers, J. Schmidhuber, F. Cummins, 2000).
    Lstm,
    /// Gates r, z, n; `r = σ(a_r + u_r)`, `z = σ(a_z + u_z)`, `n = tanh(a_n + r u_n)`, `h' = (1 - z) n + z h` (K. Cho and
    /// others, "Learning phrase representations using RNN encoder-decoder", 2014).
    Gru,
}

/// What a step sends back.
#[derive(Clone)]
pub(super) struct Sent<V> {
    /// The cotangent of a.
    pub(super) input: V,
    /// That of u, where it is another.
    pub(super) fed: Option<V>,
    /// That of the old hidden state, but for what comes through u; `None` for zero.
    pub(super) hidden: Option<V>,
    /// That of the old cell state, in an LSTM.
    pub(super) cell: Option<V>,
}

impl Cell {
    /// How many gates lie side by side: a step's input is so many times as wide as the state.
    pub fn gates(self) -> usize {
        match self {
            Cell::Tanh | Cell::Relu => 1,
            Cell::Lstm => 4,
            Cell::Gru => 3,
        }
    }

    /// How many values the state consists of: the hidden state h, and in an LSTM the cell state c.
    pub fn states(self) -> usize {
        if self == Cell::Lstm { 2 } else { 1 }
    }

    /// How many operations a step takes for each element of the state, once the products are there.
    pub(super) fn flops(self) -> u64 {
        match self {
            Cell::Tanh | Cell::Relu => 2,
            // Four sums and four squashed gates; two products and their sum, the tangent, and its product.
            Cell::Lstm => 13,
            // Two sums and two gates; a product, a sum and the tangent; a difference, a product, a sum.
            Cell::Gru => 10,
        }
    }

    /// One step: the new state, and the gates that the way back needs.
    pub(super) fn advance<V: Value>(self, a: V, u: V, state: &[V]) -> (Vec<V>, Vec<V>) {
        match self {
            Cell::Tanh => (vec![(a + u).tanh()], vec![]),
            Cell::Relu => (vec![(a + u).relu()], vec![]),
            Cell::Lstm => {
                let [i, f, g, o] = (a + u).parts(1);
                let [i, f, g, o] = [i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()];
                let cell = &f * &state[1] + &i * &g;
                let squashed = cell.tanh();
                (vec![&o * &squashed, cell], vec![i, f, g, o, squashed])
            }
            Cell::Gru => {
                let ([a_r, a_z, a_n], [u_r, u_z, u_n]): ([V; 3], [V; 3]) = (a.parts(1), u.parts(1));
                let (r, z) = ((a_r + u_r).sigmoid(), (a_z + u_z).sigmoid());
                let n = (a_n + &r * &u_n).tanh();
                (vec![&n + &z * (&state[0] - &n)], vec![r, z, n, u_n])
            }
        }
    }

    /// The same step backwards, from the cotangents of the new state.
    pub(super) fn retreat<V: Value>(self, old: &[V], new: &[V], gates: &[V], cotangents: &[V]) -> Sent<V> {
        let dh = &cotangents[0];
        match self {
            Cell::Tanh | Cell::Relu => {
                let h = &new[0];
                let slope = if self == Cell::Tanh { c(1.0) - h.square() } else { h.is_positive() };
                Sent { input: dh * slope, fed: None, hidden: None, cell: None }
            }
            Cell::Lstm => {
                let [i, f, g, o, squashed] = [0, 1, 2, 3, 4].map(|k| &gates[k]);
                let dc = &cotangents[1] + dh * o * (c(1.0) - squashed.square());
                let di = &dc * g * sigmoid_slope(i);
                let df = &dc * &old[1] * sigmoid_slope(f);
                let dg = &dc * i * (c(1.0) - g.square());
                let d_o = dh * squashed * sigmoid_slope(o);
                let input = V::concat(&[&di, &df, &dg, &d_o], 1);
                Sent { input, fed: None, hidden: None, cell: Some(dc * f) }
            }
            Cell::Gru => {
                let [r, z, n, u_n] = [0, 1, 2, 3].map(|k| &gates[k]);
                let dz = dh * (&old[0] - n) * sigmoid_slope(z);
                let dn = dh * (c(1.0) - z.clone()) * (c(1.0) - n.square());
                let dr = &dn * u_n * sigmoid_slope(r);
                let input = V::concat(&[&dr, &dz, &dn], 1);
                let fed = V::concat(&[&dr, &dz, &(&dn * r)], 1);
                Sent { input, fed: Some(fed), hidden: Some(dh * z), cell: None }
            }
        }
    }

    /// One step of one example in f64.
    pub(super) fn reference(self, a: &[f64], u: &[f64], state: &mut [Vec<f64>], b: &mut Branches<'_>) {
        let size = state[state.len() - 1].len();
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        for k in 0..size {
            let sum = |gate: usize| a[gate * size + k] + u[gate * size + k];
            match self {
                Cell::Tanh => state[0][k] = sum(0).tanh(),
                Cell::Relu => state[0][k] = if b.test(sum(0) > 0.0) { sum(0) } else { 0.0 },
                Cell::Lstm => {
                    state[1][k] = sigmoid(sum(1)) * state[1][k] + sigmoid(sum(0)) * sum(2).tanh();
                    state[0][k] = sigmoid(sum(3)) * state[1][k].tanh();
                }
                Cell::Gru => {
                    let z = sigmoid(sum(1));
                    let n = (a[2 * size + k] + sigmoid(sum(0)) * u[2 * size + k]).tanh();
                    state[0][k] = (1.0 - z) * n + z * state[0][k];
                }
            }
        }
    }
}

/// The hidden state of an LSTM, before any projection, from the gates that a step has kept.
pub(super) fn lstm_output<V: Value>(gates: &[V]) -> V {
    &gates[3] * &gates[4]
}

/// The slope of the sigmoid where its value is y.
fn sigmoid_slope<V: Value>(y: &V) -> V {
    y * (c(1.0) - y.clone())
}
