//! Workloads of single kernels.

use super::workload::Workload;
use gradus::{
    autograd::ops::grid_sample::{GridMode, GridPadding},
    prelude::*,
    tensor::Conv2dOptions,
};
use std::hint::black_box;

pub(super) fn randn(shape: impl AsRef<[usize]>) -> Tensor {
    Tensor::randn(shape, &mut Rng::seed(0))
}

pub(super) fn random_indices(count: usize, below: usize) -> Indices {
    let mut rng = Rng::seed(0);
    Indices::from((0..count).map(|_| rng.below(below) as i32).collect::<Vec<_>>())
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
    f: impl for<'t> Fn([Var<'t>; N]) -> Var<'t> + Clone + 'static,
) -> Workload {
    Workload::new(name, move || {
        let (inputs, f) = (inputs(), f.clone());
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
    all.push(forward_backward("gelu_fb_1M", || [randn([MILLION])], |[x]| x.gelu()));
    all.push(kernel("exp_1K", || [randn([1024])], |[x]| x.exp()));
    all.push(kernel("add_1M", || [randn([MILLION]), randn([MILLION])], |[a, b]| a + b));
    all.push(kernel("add_bias_1024x1024", || [randn([1024, 1024]), randn([1024])], |[a, b]| a + b));
    all.push(kernel("mul_col_1024x1024", || [randn([1024, 1024]), randn([1024, 1])], |[a, b]| a * b));
    all.push(kernel("add_transposed_1024", || [randn([1024, 1024]), transposed(1024, 1024)], |[a, b]| a + b));
    all.push(kernel("contiguous_transpose_2048", || [transposed(2048, 2048)], |[x]| x.contiguous()));

    all.push(kernel("sum_4M", || [randn([1 << 22])], |[x]| x.sum()));
    all.push(kernel("sum_axis0_2048", || [randn([2048, 2048])], |[x]| x.sum_axes(0, false)));
    all.push(kernel("sum_axis1_2048", || [randn([2048, 2048])], |[x]| x.sum_axes(1, false)));

    all.push(Workload::new("max_axis1_2048", || {
        let x = randn([2048, 2048]);
        move || {
            black_box(x.max_with_indices(1));
        }
    }));
    all.push(kernel("softmax_512x1000", || [randn([512, 1000])], |[x]| x.softmax(1)));

    let labels = random_indices(512, 1000);
    all.push(forward_backward(
        "cross_entropy_fb_512x1000",
        || [randn([512, 1000])],
        move |[x]| x.cross_entropy(&labels),
    ));
    all.push(forward_backward(
        "maxpool2_fb_64x32x28x28",
        || [randn([64, 32, 28, 28])],
        |[x]| x.max_pool2d(2),
    ));
    all.push(forward_backward(
        "layernorm_fb_512x768",
        || [randn([512, 768]), randn([768]), randn([768])],
        |[x, w, b]| x.layer_norm([768], Some(&w), Some(&b), 1e-5),
    ));
    all.push(forward_backward(
        "batchnorm_fb_64x64x28x28",
        || [randn([64, 64, 28, 28]), randn([64]), randn([64])],
        |[x, w, b]| {
            let [y, ..] = x.batch_norm(Some(&w), Some(&b), 1e-5);
            y
        },
    ));
    all.extend(convolutions());
    let words = random_indices(4096, 10_000);
    all.push(forward_backward(
        "embedding_fb_10000x128_4096",
        || [randn([10_000, 128])],
        move |[table]| table.embedding(&words),
    ));

    all.extend(places());
    all.extend(orders());

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

/// Images read at the places of slightly turned ones.
fn places() -> [Workload; 2] {
    let grid = || {
        let turned = Tensor::from([[[1.0, 0.2, 0.1], [-0.2, 1.0, -0.1]]]).broadcast_to([8, 2, 3]);
        turned.affine_grid([56, 56], false)
    };
    let (bilinear, zeros) = (GridMode::Bilinear, GridPadding::Zeros);
    let inputs = move || [randn([8, 64, 56, 56]), grid()];
    [
        kernel("grid_sample_8x64x56_fwd", inputs, move |[x, grid]| {
            x.grid_sample(grid, bilinear, zeros, false)
        }),
        forward_backward("grid_sample_8x64x56_fb", inputs, move |[x, grid]| {
            x.grid_sample(&grid, bilinear, zeros, false)
        }),
    ]
}

/// Orders, running sums, and elements by their numbers.
fn orders() -> Vec<Workload> {
    let square = || [randn([1024, 1024])];
    let columns = random_indices(1024 * 1024, 1024).reshape([1024, 1024]);
    let (rows, scattered) = (random_indices(4096, 10_000), columns.clone());
    vec![
        kernel("sort_1024x1024", square, |[x]| x.sort(1, false).0),
        kernel("topk_512x10000_k10", || [randn([512, 10_000])], |[x]| x.topk(10, 1, true).0),
        kernel("cumsum_1024x1024", square, |[x]| x.cumsum(1)),
        kernel("cumsum_axis0_1024x1024", square, |[x]| x.cumsum(0)),
        kernel("cumprod_1024x1024", square, |[x]| x.cumprod(1)),
        indexed("gather_1024x1024", columns, |x, columns| x.gather(1, columns)),
        indexed("scatter_add_1024x1024", scattered, |x, columns| {
            Tensor::zeros([1024, 1024]).scatter_add(1, columns, x)
        }),
        Workload::new("index_select_10000x128_4096", move || {
            let (table, rows) = (randn([10_000, 128]), rows.clone());
            move || {
                black_box(table.index_select(0, &rows));
            }
        }),
    ]
}

/// A workload that calls one function of a square of numbers and one of indices.
fn indexed(
    name: &str,
    indices: Indices,
    f: impl Fn(&Tensor, &Indices) -> Tensor + Copy + 'static,
) -> Workload {
    Workload::new(name, move || {
        let (x, indices) = (randn([1024, 1024]), indices.clone());
        move || {
            black_box(f(&x, &indices));
        }
    })
}

/// Convolutions, forward alone and with all gradients.
fn convolutions() -> Vec<Workload> {
    struct Case(&'static str, [usize; 4], [usize; 2], Conv2dOptions);
    let case = |name, batch, channels, size, outputs, kernel, stride, padding, groups| {
        let options = Conv2dOptions { stride: [stride; 2], padding: [padding; 2], dilation: [1; 2], groups };
        Case(name, [batch, channels, size, size], [outputs, kernel], options)
    };
    let cases = [
        case("conv5x5_100x1x28_30", 100, 1, 28, 30, 5, 1, 0, 1),
        case("conv3x3_8x64x56_64", 8, 64, 56, 64, 3, 1, 1, 1),
        case("conv3x3_8x256x14_256", 8, 256, 14, 256, 3, 1, 1, 1),
        case("conv1x1_8x256x28_64", 8, 256, 28, 64, 1, 1, 0, 1),
        case("conv3x3s2_8x64x56_128", 8, 64, 56, 128, 3, 2, 1, 1),
        case("conv7x7s2_4x3x224_64", 4, 3, 224, 64, 7, 2, 3, 1),
        case("dwconv3x3_8x128x28", 8, 128, 28, 128, 3, 1, 1, 128),
    ];
    let mut all = Vec::new();
    for Case(name, x, [outputs, size], o) in cases {
        let inputs = move || [randn(x), randn([outputs, x[1] / o.groups, size, size]), randn([outputs])];
        all.push(kernel(format!("{name}_fwd"), inputs, move |[x, w, b]| x.conv2d(w, Some(b), o)));
        all.push(forward_backward(format!("{name}_fb"), inputs, move |[x, w, b]| x.conv2d(&w, Some(&b), o)));
    }
    all
}
