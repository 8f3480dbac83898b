//! Elements chosen by masks.
//!
//! A mask is a tensor: an element that is not 0 means yes.

use crate::{
    array::{Tensor, layout::Layout, strided::Coalesced},
    error::OrFail,
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
                    let at =
                        |start: usize, i: usize, step: isize| start.wrapping_add_signed(i as isize * step);
                    for (i, y) in out[(run - first) * n..][..n].iter_mut().enumerate() {
                        let chosen = mask[at(mask_at, i, mask_step)] != 0.0;
                        *y = if chosen { a[at(a_at, i, a_step)] } else { b[at(b_at, i, b_step)] };
                    }
                });
            });
        })
    }
}
