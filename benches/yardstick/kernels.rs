//! Workloads of single kernels.

use super::workload::Workload;
use gradus::prelude::*;
use std::hint::black_box;

fn randn(shape: impl AsRef<[usize]>) -> Tensor {
    Tensor::randn(shape, &mut Rng::seed(0))
}

/// A tensor stored with its two axes the other way round.
fn transposed(rows: usize, columns: usize) -> Tensor {
    randn([columns, rows]).t()
}

/// A workload that calls one function of tensors.
fn kernel<const N: usize>(
    name: impl Into<String>,
    inputs: impl Fn() -> [Tensor; N] + 'static,
    f: impl Fn(&[Tensor; N]) -> Tensor + Copy + 'static,
) -> Workload {
    Workload::new(name, move || {
        let inputs = inputs();
        move || {
            black_box(f(&inputs));
        }
    })
}

/// A workload that records one function of variables and sweeps, with a cotangent of ones.
fn forward_backward<const N: usize>(
    name: impl Into<String>,
    inputs: impl Fn() -> [Tensor; N] + 'static,
    f: impl for<'t> Fn([Var<'t>; N]) -> Var<'t> + Copy + 'static,
) -> Workload {
    Workload::new(name, move || {
        let inputs = inputs();
        let mut tape = Tape::new();
        move || {
            let y = f(std::array::from_fn(|i| tape.var(&inputs[i])));
            black_box(y.backward_from(Tensor::ones(y.shape())));
            tape.clear();
        }
    })
}

pub(crate) fn workloads() -> Vec<Workload> {
    const MILLION: usize = 1 << 20;
    let mut all = Vec::new();
    for [m, k, n] in [
        [64, 64, 64],
        [128, 128, 128],
        [256, 256, 256],
        [512, 512, 512],
        [1024, 1024, 1024],
        [2048, 2048, 2048],
        [100, 784, 50],
        [128, 784, 1024],
        [128, 1024, 1024],
        [1, 1024, 1024],
        [1024, 1024, 1],
        [4096, 64, 64],
    ] {
        let inputs = move || [randn([m, k]), randn([k, n])];
        all.push(kernel(format!("matmul_{m}x{k}x{n}"), inputs, |[a, b]| a.matmul(b)));
    }
    all.push(kernel("matmul_tn_512", || [transposed(512, 512), randn([512, 512])], |[a, b]| a.matmul(b)));
    all.push(kernel("matmul_nt_512", || [randn([512, 512]), transposed(512, 512)], |[a, b]| a.matmul(b)));
    all.push(kernel("bmm_64x64x64x64", || [randn([64, 64, 64]), randn([64, 64, 64])], |[a, b]| a.matmul(b)));

    type Unary = fn(&Tensor) -> Tensor;
    let unary: [(&str, Unary); 8] = [
        ("exp", Tensor::exp),
        ("tanh", Tensor::tanh),
        ("sigmoid", Tensor::sigmoid),
        ("relu", Tensor::relu),
        ("gelu", Tensor::gelu),
        ("log", |x| (x.abs() + 1.0).log()),
        ("sqrt", Tensor::sqrt),
        ("neg", |x| -x),
    ];
    for (name, f) in unary {
        all.push(kernel(format!("{name}_1M"), || [randn([MILLION])], move |[x]| f(x)));
    }
    all.push(kernel("exp_1K", || [randn([1024])], |[x]| x.exp()));
    all.push(kernel("add_1M", || [randn([MILLION]), randn([MILLION])], |[a, b]| a + b));
    all.push(kernel("add_bias_1024x1024", || [randn([1024, 1024]), randn([1024])], |[a, b]| a + b));
    all.push(kernel("mul_col_1024x1024", || [randn([1024, 1024]), randn([1024, 1])], |[a, b]| a * b));
    all.push(kernel("add_transposed_1024", || [randn([1024, 1024]), transposed(1024, 1024)], |[a, b]| a + b));
    all.push(kernel("contiguous_transpose_2048", || [transposed(2048, 2048)], |[x]| x.contiguous()));

    all.push(kernel("sum_4M", || [randn([1 << 22])], |[x]| x.sum()));
    all.push(kernel("sum_axis0_2048", || [randn([2048, 2048])], |[x]| x.sum_axes(0, false)));
    all.push(kernel("sum_axis1_2048", || [randn([2048, 2048])], |[x]| x.sum_axes(1, false)));

    all.push(forward_backward(
        "tiny_chain_1000_fb",
        || [randn([4])],
        |[x]| {
            let c = x.tape().constant(Tensor::full([4], 0.999));
            let mut y = x;
            for _ in 0..500 {
                y = (y * c).tanh();
            }
            y.sum()
        },
    ));
    all
}
