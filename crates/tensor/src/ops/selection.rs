//! Elements chosen by masks.
//!
//! A mask is a tensor: an element that is not 0 means yes.

use crate::{
    Isa,
    array::{Tensor, layout::Layout, strided::Coalesced},
    error::OrFail,
    kernels::map::{Operand, choose},
    shape::broadcast,
    threads::share,
};

impl Tensor {
    /// The element of `a` where this mask is not 0, else that of `b`; all three broadcast to one shape.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let mask = Tensor::from([1.0, 0.0, 1.0]);
    /// let chosen = mask.select_where(&Tensor::from([1.0, 2.0, 3.0]), &Tensor::scalar(-1.0));
    /// assert_eq!(chosen.to_vec(), [1.0, -1.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn select_where(&self, a: &Tensor, b: &Tensor) -> Tensor {
        let shape = broadcast("select_where", a.shape(), b.shape()).or_fail();
        let shape = broadcast("select_where", self.shape(), &shape).or_fail();
        let layouts = [self, a, b].map(|t| t.layout.broadcast_to(&shape).or_fail());
        let result = Layout::contiguous(shape.clone());
        let loops = Coalesced::new([&result, &layouts[0], &layouts[1], &layouts[2]]);
        let (n, [_, mask_step, a_step, b_step]) = loops.inner();
        let (mask, a, b) = (self.data(), a.data(), b.data());
        Tensor::written(shape, |out| {
            share::for_each_run_chunk(out, n, share::ELEMENTWISE, &|runs, out| {
                let first = runs.start;
                loops.for_each_run(runs, |run, [_, mask_at, a_at, b_at]| {
                    let out = &mut out[(run - first) * n..][..n];
                    let operands = [(mask, mask_at, mask_step), (a, a_at, a_step), (b, b_at, b_step)];
                    let [Some(mask), Some(a), Some(b)] =
                        operands.map(|(x, at, step)| in_place(x, at, step, n))
                    else {
                        let [mask, a, b] = operands.map(|(x, at, step)| {
                            move |i: usize| x[at.wrapping_add_signed(i as isize * step)]
                        });
                        let chosen = |i| if mask(i) != 0.0 { a(i) } else { b(i) };
                        return out.iter_mut().enumerate().for_each(|(i, y)| *y = chosen(i));
                    };
                    choose(Isa::current(), [mask, a, b], out);
                });
            });
        })
    }
}

/// So many elements from `at` on, where they lie side by side or are all one.
fn in_place(x: &[f32], at: usize, step: isize, n: usize) -> Option<Operand<'_>> {
    match step {
        0 => Some(Operand::Scalar(x[at])),
        1 => Some(Operand::Slice(&x[at..at + n])),
        _ => None,
    }
}
