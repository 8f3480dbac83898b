//! Throughput of the tensor kernels over a range of sizes, by criterion: `cargo bench --bench kernels`.
//!
//! `yardstick` compares with other engines; this finds which kernel a change made slower, at which size.

#![allow(missing_docs, reason = "criterion's macro makes a function without")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gradus::prelude::*;
use std::{hint::black_box, time::Duration};

/// One kernel: its name, and what it does.
type Kernel<'a> = (&'a str, &'a dyn Fn(&Tensor) -> Tensor);

fn randn(shape: impl AsRef<[usize]>) -> Tensor {
    Tensor::randn(shape, &mut Rng::seed(0))
}

/// Times each kernel on tensors of each shape; throughput counts the elements read.
fn sweep(criterion: &mut Criterion, group: &str, shapes: &[[usize; 2]], kernels: &[Kernel<'_>]) {
    let mut group = criterion.benchmark_group(group);
    for &shape in shapes {
        let x = randn(shape);
        group.throughput(Throughput::Elements(x.numel() as u64));
        for (name, kernel) in kernels {
            let id = BenchmarkId::new(*name, format!("{}x{}", shape[0], shape[1]));
            group.bench_with_input(id, &x, |bencher, x| bencher.iter(|| black_box(kernel(x))));
        }
    }
}

fn elementwise(criterion: &mut Criterion) {
    let functions: [Kernel<'_>; 9] = [
        ("neg", &|x| -x),
        ("add", &|x| x + x),
        ("exp", &|x| x.exp()),
        ("log", &|x| x.log()),
        ("tanh", &|x| x.tanh()),
        ("sigmoid", &|x| x.sigmoid()),
        ("gelu", &|x| x.gelu()),
        ("sin", &|x| x.sin()),
        ("erf", &|x| x.erf()),
    ];
    sweep(criterion, "elementwise", &[[1, 64], [32, 32], [1024, 1024]], &functions);
}

fn broadcast(criterion: &mut Criterion) {
    let (row, column) = (randn([1024]), randn([1024, 1]));
    let kernels: [Kernel<'_>; 3] =
        [("row", &|x| x + &row), ("column", &|x| x * &column), ("transposed", &|x| x + &x.t())];
    sweep(criterion, "broadcast", &[[1024, 1024]], &kernels);
}

fn reductions(criterion: &mut Criterion) {
    let kernels: [Kernel<'_>; 8] = [
        ("sum", &|x| x.sum()),
        ("sum_rows", &|x| x.sum_axes(1, false)),
        ("sum_columns", &|x| x.sum_axes(0, false)),
        ("max_rows", &|x| x.max_axes(1, false)),
        ("var_rows", &|x| x.var_axes(1, 0, false)),
        ("logsumexp_rows", &|x| x.logsumexp_axes(1, false)),
        ("softmax", &|x| x.softmax(1)),
        ("cumsum", &|x| x.cumsum(1)),
    ];
    sweep(criterion, "reductions", &[[8, 8], [512, 1000], [2048, 2048]], &kernels);
}

fn copies(criterion: &mut Criterion) {
    let every_other = Slice::from(..).step(2);
    let kernels: [Kernel<'_>; 3] = [
        ("transposed", &|x| x.t().contiguous()),
        ("reversed", &|x| x.flip(1).contiguous()),
        ("every_other", &|x| x.slice(1, every_other).contiguous()),
    ];
    sweep(criterion, "copies", &[[32, 32], [2048, 2048]], &kernels);
}

fn products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("matmul");
    for n in [8, 32, 64, 128, 256, 512, 1024] {
        let (a, b) = (randn([n, n]), randn([n, n]));
        // A multiply-add counts as two operations.
        group.throughput(Throughput::Elements(2 * (n as u64).pow(3)));
        for (name, b) in [("nn", b.clone()), ("nt", b.t())] {
            group.bench_function(BenchmarkId::new(name, n), |bencher| {
                bencher.iter(|| black_box(a.matmul(&b)));
            });
        }
    }
}

criterion_group! {
    name = kernels;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20);
    targets = elementwise, broadcast, reductions, copies, products
}
criterion_main!(kernels);
