//! Formulas of several numbers that give several: what a step of a recurrence does to the elements of its gates.

use crate::Isa;
use crate::simd::{
    Kernel, Lane, Simd, dispatch,
    vectors::{read_padded, write_clipped},
};

/// A formula of `IN` numbers that gives `OUT`. A small `Copy` struct, as in [`map`](super::map).
pub trait ManyFn<const IN: usize, const OUT: usize>: Copy {
    /// The formula. Implementations must be `#[inline(always)]`.
    fn eval<S: Simd>(self, x: [Lane<S>; IN]) -> [Lane<S>; OUT];
}

/// `out[k n + i] = f(inputs[..][i])[k]` for the `n` elements of each input.
///
/// # Panics
/// When the inputs differ in length, or `out` is not `OUT` times as long.
pub(crate) fn map_many<F: ManyFn<IN, OUT>, const IN: usize, const OUT: usize>(
    isa: Isa,
    f: F,
    inputs: [&[f32]; IN],
    out: &mut [f32],
) {
    let n = out.len() / OUT;
    assert!(inputs.iter().all(|x| x.len() == n) && n * OUT == out.len(), "map_many: lengths");
    dispatch(isa, Sweep { f, inputs, out });
}

struct Sweep<'a, F, const IN: usize, const OUT: usize> {
    f: F,
    inputs: [&'a [f32]; IN],
    out: &'a mut [f32],
}

impl<F: ManyFn<IN, OUT>, const IN: usize, const OUT: usize> Kernel for Sweep<'_, F, IN, OUT> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Sweep { f, inputs, out } = self;
        let n = out.len() / OUT;
        let mut i = 0;
        while i < n {
            let mut x = [Lane::splat(simd, 0.0); IN];
            for k in 0..IN {
                x[k] = read_padded(simd, inputs[k], i);
            }
            let y = f.eval(x);
            for k in 0..OUT {
                write_clipped(y[k], &mut out[k * n..(k + 1) * n], i);
            }
            i += S::LANES;
        }
    }
}
