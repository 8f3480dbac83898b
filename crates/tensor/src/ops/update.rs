//! The step of an optimizer: all weights of a model and their state, changed in place in one parallel pass.

use crate::{
    Isa,
    kernels::update::{UpdateFn, update},
    threads::share,
};
use std::mem::take;

/// A weight that is to be changed by its gradient, with what is remembered of it; all of one length.
#[derive(Debug)]
pub struct Update<'a, F, const N: usize> {
    /// What is done to each element.
    pub formula: F,
    /// The gradient.
    pub gradient: &'a [f32],
    /// The weight.
    pub weight: &'a mut [f32],
    /// The state.
    pub state: [&'a mut [f32]; N],
}

/// Changes all the weights. The pool of threads is woken at most once, however many weights there are, and the bits are
/// the same on any number of threads.
///
/// ```
/// use gradus_tensor::{Update, kernels::update::UpdateFn, simd::{Lane, Simd}, update_all};
///
/// /// v ← 0.9 v + g; w ← w - 0.1 v
/// #[derive(Clone, Copy)]
/// struct Momentum;
///
/// impl UpdateFn<1> for Momentum {
///     #[inline(always)]
///     fn eval<S: Simd>(self, g: Lane<S>, w: Lane<S>, [v]: [Lane<S>; 1]) -> (Lane<S>, [Lane<S>; 1]) {
///         let v = v * 0.9 + g;
///         (w - v * 0.1, [v])
///     }
/// }
///
/// let (mut w, mut v) = ([1.0, 2.0], [10.0, 0.0]);
/// update_all(vec![Update { formula: Momentum, gradient: &[1.0, 0.0], weight: &mut w, state: [&mut v] }]);
/// assert_eq!((w, v), ([0.0, 2.0], [10.0, 0.0]));
/// ```
///
/// # Panics
/// When a gradient or a state has another length than its weight.
#[track_caller]
pub fn update_all<F: UpdateFn<N> + Send, const N: usize>(updates: Vec<Update<'_, F, N>>) {
    let all: usize = updates.iter().map(|update| update.weight.len()).sum();
    if all < 2 * share::UPDATE || rayon::current_num_threads() == 1 {
        return updates.into_iter().for_each(Update::run);
    }
    let mut pieces = Vec::with_capacity(all / share::UPDATE + updates.len());
    for mut rest in updates {
        while rest.weight.len() > share::UPDATE {
            pieces.push(rest.take_first(share::UPDATE));
        }
        pieces.push(rest);
    }
    share::for_each_item(pieces.len(), pieces.into_iter(), Update::run);
}

impl<'a, F: UpdateFn<N>, const N: usize> Update<'a, F, N> {
    #[track_caller]
    fn run(self) {
        update(Isa::current(), self.formula, self.gradient, self.weight, self.state);
    }

    /// The first `count` elements, which are no longer here afterwards.
    #[track_caller]
    fn take_first(&mut self, count: usize) -> Update<'a, F, N> {
        let (gradient, rest) = self.gradient.split_at(count);
        self.gradient = rest;
        let first = |slice: &mut &'a mut [f32]| {
            let (first, rest) = take(slice).split_at_mut(count);
            *slice = rest;
            first
        };
        let weight = first(&mut self.weight);
        Update { formula: self.formula, gradient, weight, state: self.state.each_mut().map(first) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Lane, Simd};

    #[derive(Clone, Copy)]
    struct Two(f32);

    impl UpdateFn<2> for Two {
        #[inline(always)]
        fn eval<S: Simd>(self, g: Lane<S>, w: Lane<S>, [a, b]: [Lane<S>; 2]) -> (Lane<S>, [Lane<S>; 2]) {
            (w - g * self.0, [a + g, b.maximum(g)])
        }
    }

    /// Numbers that are sums and products without rounding, so that a plain loop gives the same bits.
    fn numbers(len: usize, from: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 37 + from * 11) % 256) as f32 - 100.0).collect()
    }

    fn run(sizes: &[usize], threads: usize) -> Vec<[Vec<f32>; 3]> {
        let gradients: Vec<Vec<f32>> = sizes.iter().map(|&n| numbers(n, 0)).collect();
        let mut targets: Vec<[Vec<f32>; 3]> =
            sizes.iter().map(|&n| [numbers(n, 1), numbers(n, 2), numbers(n, 3)]).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let updates = targets.iter_mut().zip(&gradients).enumerate().map(|(i, ([w, a, b], g))| Update {
                formula: Two((i + 1) as f32),
                gradient: g,
                weight: w,
                state: [a, b],
            });
            update_all(updates.collect());
        });
        targets
    }

    #[test]
    fn every_element_is_changed_once_by_its_own_formula_on_any_number_of_threads() {
        for sizes in
            [&[0, 1, 7, 16, 33][..], &[3, share::UPDATE, 5 * share::UPDATE + 17, 1, 2 * share::UPDATE]]
        {
            for threads in [1, 2, 3] {
                for (i, ([w, a, b], &n)) in run(sizes, threads).iter().zip(sizes).enumerate() {
                    let [g, w0, a0, b0] = [0, 1, 2, 3].map(|from| numbers(n, from));
                    for k in 0..n {
                        let expected = [w0[k] - g[k] * (i + 1) as f32, a0[k] + g[k], b0[k].max(g[k])];
                        assert_eq!([w[k], a[k], b[k]], expected, "element {k} of weight {i} of {sizes:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn nan_and_infinity_pass_and_reach_no_neighbour() {
        let (mut w, mut a, mut b) = ([1.0, 2.0, 3.0], [0.0; 3], [0.0; 3]);
        let gradient = &[f32::NAN, -0.0, f32::INFINITY];
        update_all(vec![Update { formula: Two(1.0), gradient, weight: &mut w, state: [&mut a, &mut b] }]);
        assert!(w[0].is_nan() && a[0].is_nan() && b[0].is_nan());
        assert_eq!((w[1], a[1], b[1]), (2.0, 0.0, 0.0));
        assert_eq!((w[2], a[2], b[2]), (f32::NEG_INFINITY, f32::INFINITY, f32::INFINITY));
    }

    #[test]
    #[should_panic = "update: 2 weights, but a gradient or a state of 3"]
    fn lengths_must_agree() {
        let (mut w, mut a, mut b) = ([0.0; 2], [0.0; 2], [0.0; 3]);
        let gradient = &[0.0; 2];
        update_all(vec![Update { formula: Two(1.0), gradient, weight: &mut w, state: [&mut a, &mut b] }]);
    }
}
