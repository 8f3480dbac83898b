//! Formulas of several tensors that give several, in one pass.

use crate::{
    Isa,
    array::Tensor,
    kernels::many::{self, ManyFn},
    shape::Shape,
    threads::share,
};

/// `y[r, k, i] = f(inputs[..][r, i])[k]` for inputs of one shape `[rows, n]`: `[rows, OUT, n]`.
///
/// # Panics
/// When the inputs are not matrices of one shape.
#[track_caller]
pub fn map_many<F: ManyFn<IN, OUT> + Sync, const IN: usize, const OUT: usize>(
    f: F,
    inputs: [&Tensor; IN],
) -> Tensor {
    let &[rows, n] = &inputs[0].shape()[..] else { panic!("map_many: {} is no matrix", inputs[0].shape()) };
    assert!(inputs.iter().all(|x| x.shape() == inputs[0].shape()), "map_many: inputs of several shapes");
    let inputs = inputs.map(|x| if n <= 1 || x.layout.strides[1] == 1 { x.clone() } else { x.contiguous() });
    let row = |x: &Tensor, r: usize| {
        let start = x.layout.offset.wrapping_add_signed(r as isize * x.layout.strides[0]);
        start..start + n
    };
    Tensor::written(Shape::from([rows, OUT, n]), |out| {
        share::for_each_run_chunk(out, (OUT * n).max(1), share::SOFTMAX, &|rows, out| {
            for (r, out) in rows.zip(out.chunks_mut(OUT * n)) {
                many::map_many(Isa::current(), f, inputs.each_ref().map(|x| &x.data()[row(x, r)]), out);
            }
        });
    })
}
