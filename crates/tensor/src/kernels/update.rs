//! The kernel of optimizers: a formula that changes a weight and what is remembered of it, in place.

use crate::Isa;
use crate::simd::{Kernel, Lane, Simd, dispatch};

/// How one element of a weight follows its gradient, with `N` numbers of state beside it, such as a running average.
///
/// A formula is a small `Copy` struct with its constants as fields, as in [`map`](super::map).
pub trait UpdateFn<const N: usize>: Copy {
    /// The new weight and the new state. Implementations must be `#[inline(always)]`.
    fn eval<S: Simd>(self, g: Lane<S>, w: Lane<S>, state: [Lane<S>; N]) -> (Lane<S>, [Lane<S>; N]);
}

/// `(w[i], state[..][i]) = f(g[i], w[i], state[..][i])`, one pass over memory.
///
/// # Panics
/// When the lengths differ.
#[inline]
#[track_caller]
pub fn update<F: UpdateFn<N>, const N: usize>(
    isa: Isa,
    f: F,
    g: &[f32],
    w: &mut [f32],
    state: [&mut [f32]; N],
) {
    for len in [g.len()].into_iter().chain(state.iter().map(|slice| slice.len())) {
        assert!(len == w.len(), "update: {} weights, but a gradient or a state of {len}", w.len());
    }
    dispatch(isa, Sweep { f, g, w, state });
}

struct Sweep<'a, F, const N: usize> {
    f: F,
    g: &'a [f32],
    w: &'a mut [f32],
    state: [&'a mut [f32]; N],
}

impl<F: UpdateFn<N>, const N: usize> Kernel for Sweep<'_, F, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Sweep { f, g, w, state } = self;
        let len = w.len();
        let (g, w) = (g.as_ptr(), w.as_mut_ptr());
        let mut at = [std::ptr::null_mut(); N];
        for k in 0..N {
            at[k] = state[k].as_mut_ptr();
        }
        let mut i = 0;
        while i + S::LANES <= len {
            // SAFETY: i + LANES <= len, and `update` made sure that every slice has `len` elements. They are borrowed
            // here alone, and each element is read before it is written.
            unsafe {
                let mut old = [Lane::splat(simd, 0.0); N];
                for k in 0..N {
                    old[k] = Lane::load(simd, at[k].add(i));
                }
                let (new_w, new) = f.eval(Lane::load(simd, g.add(i)), Lane::load(simd, w.add(i)), old);
                new_w.store(w.add(i));
                for k in 0..N {
                    new[k].store(at[k].add(i));
                }
            }
            i += S::LANES;
        }
        if i < len {
            let count = len - i;
            // SAFETY: as above, for i + count <= len.
            unsafe {
                let mut old = [Lane::splat(simd, 0.0); N];
                for k in 0..N {
                    old[k] = Lane::load_partial(simd, at[k].add(i), count);
                }
                let (g, w_old) =
                    (Lane::load_partial(simd, g.add(i), count), Lane::load_partial(simd, w.add(i), count));
                let (new_w, new) = f.eval(g, w_old, old);
                new_w.store_partial(w.add(i), count);
                for k in 0..N {
                    new[k].store_partial(at[k].add(i), count);
                }
            }
        }
    }
}
