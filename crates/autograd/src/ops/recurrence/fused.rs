//! The steps of a recurrence on tensors: each in one pass, with the bits of the operations that the rule of record writes it in.

use super::cell::{Cell, Sent};
use gradus_tensor::{
    PackedMatrix, Tensor,
    kernels::many::ManyFn,
    map_many,
    simd::{Lane, Simd},
};

/// The weight of a recurrence, for the products of all its steps.
pub(super) enum Weight {
    /// To pack it takes longer than the product of a few rows.
    Packed(PackedMatrix),
    /// A single row is read against the matrix as it lies.
    Plain(Tensor),
}

impl Weight {
    /// For products of so many rows.
    pub(super) fn new(matrix: &Tensor, rows: usize) -> Weight {
        match rows {
            1 => Weight::Plain(matrix.contiguous()),
            _ => Weight::Packed(PackedMatrix::new(matrix)),
        }
    }

    /// The product of these rows and the matrix, plus a bias.
    pub(super) fn product(&self, x: &Tensor, bias: Option<&Tensor>) -> Tensor {
        match self {
            Weight::Packed(packed) => packed.product(x, bias),
            Weight::Plain(matrix) => bias.into_iter().fold(x.matmul(matrix), |y, bias| y + bias),
        }
    }
}

/// From i, f, g, o of the inputs, the same of what was fed, and the cell state: i, f, g, o, the squashed cell state, the new cell state,
/// and the hidden one.
#[derive(Clone, Copy)]
struct LstmStep;

impl ManyFn<9, 7> for LstmStep {
    #[inline(always)]
    fn eval<S: Simd>(self, [a_i, a_f, a_g, a_o, u_i, u_f, u_g, u_o, cell]: [Lane<S>; 9]) -> [Lane<S>; 7] {
        let (i, f) = ((a_i + u_i).sigmoid(), (a_f + u_f).sigmoid());
        let (g, o) = ((a_g + u_g).tanh(), (a_o + u_o).sigmoid());
        let cell = f * cell + i * g;
        let squashed = cell.tanh();
        [i, f, g, o, squashed, cell, o * squashed]
    }
}

/// From i, f, g, o, the squashed cell state, the old cell state, and the cotangents of the hidden and the cell state: those of the four
/// gates' sums, and of the old cell state.
#[derive(Clone, Copy)]
struct LstmBack;

impl ManyFn<8, 5> for LstmBack {
    #[inline(always)]
    fn eval<S: Simd>(self, [i, f, g, o, squashed, cell, dh, dc]: [Lane<S>; 8]) -> [Lane<S>; 5] {
        let dc = dc + dh * o * (1.0 - squashed * squashed);
        let di = dc * g * sigmoid_slope(i);
        let df = dc * cell * sigmoid_slope(f);
        let dg = dc * i * (1.0 - g * g);
        let d_o = dh * squashed * sigmoid_slope(o);
        [di, df, dg, d_o, dc * f]
    }
}

/// From r, z, n of the inputs, the same of what was fed, and the state: r, z, n, n of what was fed, and the new state.
#[derive(Clone, Copy)]
struct GruStep;

impl ManyFn<7, 5> for GruStep {
    #[inline(always)]
    fn eval<S: Simd>(self, [a_r, a_z, a_n, u_r, u_z, u_n, h]: [Lane<S>; 7]) -> [Lane<S>; 5] {
        let (r, z) = ((a_r + u_r).sigmoid(), (a_z + u_z).sigmoid());
        let n = (a_n + r * u_n).tanh();
        [r, z, n, u_n, n + z * (h - n)]
    }
}

/// From r, z, n, n of what was fed, the old state and the cotangent of the new one: those of the three sums, the three that were fed, and of
/// the old state.
#[derive(Clone, Copy)]
struct GruBack;

impl ManyFn<6, 7> for GruBack {
    #[inline(always)]
    fn eval<S: Simd>(self, [r, z, n, u_n, h, dh]: [Lane<S>; 6]) -> [Lane<S>; 7] {
        let dz = dh * (h - n) * sigmoid_slope(z);
        let dn = dh * (1.0 - z) * (1.0 - n * n);
        let dr = dn * u_n * sigmoid_slope(r);
        [dr, dz, dn, dr, dz, dn * r, dh * z]
    }
}

/// The slope of the sigmoid where its value is y.
#[inline(always)]
fn sigmoid_slope<S: Simd>(y: Lane<S>) -> Lane<S> {
    y * (1.0 - y)
}

/// The gates that lie side by side in the rows of a matrix.
fn gates<const N: usize>(x: &Tensor) -> [Tensor; N] {
    let size = x.size(1) / N;
    std::array::from_fn(|k| x.slice(1, k * size..(k + 1) * size))
}

/// Number `k` of the results of each row.
fn result(of: &Tensor, k: isize) -> Tensor {
    of.select(1, k)
}

/// Some results of each row, side by side.
fn side_by_side(of: &Tensor, from: usize, to: usize) -> Tensor {
    let (rows, size) = (of.size(0), of.size(2));
    of.slice(1, from..to).reshape([rows, (to - from) * size])
}

impl Cell {
    /// As [`advance`](Cell::advance).
    pub(super) fn advance_fused(self, a: Tensor, u: Tensor, state: &[Tensor]) -> (Vec<Tensor>, Vec<Tensor>) {
        match self {
            Cell::Tanh | Cell::Relu => self.advance(a, u, state),
            Cell::Lstm => {
                let ([a_i, a_f, a_g, a_o], [u_i, u_f, u_g, u_o]) = (&gates(&a), &gates(&u));
                let all = map_many(LstmStep, [a_i, a_f, a_g, a_o, u_i, u_f, u_g, u_o, &state[1]]);
                (vec![result(&all, 6), result(&all, 5)], (0..5).map(|k| result(&all, k)).collect())
            }
            Cell::Gru => {
                let ([a_r, a_z, a_n], [u_r, u_z, u_n]) = (&gates(&a), &gates(&u));
                let all = map_many(GruStep, [a_r, a_z, a_n, u_r, u_z, u_n, &state[0]]);
                (vec![result(&all, 4)], (0..4).map(|k| result(&all, k)).collect())
            }
        }
    }

    /// As [`retreat`](Cell::retreat).
    pub(super) fn retreat_fused(
        self,
        old: &[Tensor],
        new: &[Tensor],
        gates: &[Tensor],
        cotangents: &[Tensor],
    ) -> Sent<Tensor> {
        match (self, gates) {
            (Cell::Lstm, [i, f, g, o, squashed]) => {
                let all = map_many(LstmBack, [i, f, g, o, squashed, &old[1], &cotangents[0], &cotangents[1]]);
                let cell = Some(result(&all, 4));
                Sent { input: side_by_side(&all, 0, 4), fed: None, hidden: None, cell }
            }
            (Cell::Gru, [r, z, n, u_n]) => {
                let all = map_many(GruBack, [r, z, n, u_n, &old[0], &cotangents[0]]);
                let (fed, hidden) = (Some(side_by_side(&all, 3, 6)), Some(result(&all, 6)));
                Sent { input: side_by_side(&all, 0, 3), fed, hidden, cell: None }
            }
            _ => self.retreat(old, new, gates, cotangents),
        }
    }
}
