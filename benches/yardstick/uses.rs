//! What users wait for besides single kernels and the steps of middle-sized models: tiny models, large ones, inference,
//! derivatives of derivatives, gradient checks, and files.

use super::{
    kernels::{randn, random_indices},
    training::{classifier, deep_conv_net},
    workload::Workload,
};
use flate2::{Compression, write::GzEncoder};
use gradus::{
    autograd::{
        check::GradCheck,
        functional::{hvp, jacobian},
    },
    nn::{data::mnist, load_tensors, save_tensors},
    prelude::*,
};
use std::{fs::File, hint::black_box, io::Write, path::Path};
use tempfile::tempdir;

/// A residual net of 18 layers and 11 million parameters for ten classes (K. He and others, 2016).
fn resnet18(rng: &mut Rng) -> Sequential {
    let mut net = Sequential::new()
        .push(Conv2d::new(3, 64, 7, rng).stride(2).padding(3).without_bias())
        .push(BatchNorm2d::new(64))
        .push(Relu)
        .push(MaxPool2d::new(3).stride(2).padding(1));
    let sizes = [64, 64, 64, 128, 128, 256, 256, 512, 512];
    for (&inputs, &outputs) in sizes.iter().zip(&sizes[1..]) {
        let stride = if inputs == outputs { 1 } else { 2 };
        let block = Sequential::new()
            .push(Conv2d::new(inputs, outputs, 3, rng).stride(stride).padding(1).without_bias())
            .push(BatchNorm2d::new(outputs))
            .push(Relu)
            .push(Conv2d::new(outputs, outputs, 3, rng).padding(1).without_bias())
            .push(BatchNorm2d::new(outputs));
        let mut shortcut = Sequential::new();
        if stride == 2 {
            shortcut = shortcut
                .push(Conv2d::new(inputs, outputs, 1, rng).stride(2).without_bias())
                .push(BatchNorm2d::new(outputs));
        }
        net = net.push(Residual::with_shortcut(block, shortcut)).push(Relu);
    }
    net.push(GlobalAvgPool2d).push(Linear::new(512, 10, rng))
}

/// A net with one hidden layer, from one number to one, of `3 hidden + 1` parameters, which learns a curve of 32 points.
fn tiny(parameters: usize) -> Workload {
    Workload::new(format!("train_tiny_{parameters}_params"), move || {
        let rng = &mut Rng::seed(0);
        let hidden = (parameters - 1) / 3;
        let mut net =
            Sequential::new().push(Linear::new(1, hidden, rng)).push(Tanh).push(Linear::new(hidden, 1, rng));
        let x = Tensor::linspace(-1.0, 1.0, 32).reshape([32, 1]);
        let target = (&x * 3.0).sin();
        let (mut sgd, mut tape) = (Sgd::new(0.01), Tape::training(0));
        move || {
            let (loss, gradients, ()) =
                tape.step(|tape| (net.forward(tape.constant(&x)).mse_loss(&tape.constant(&target)), ()));
            sgd.step(&mut net, &gradients);
            black_box(loss);
        }
    })
}

/// The slopes of values by those that each was computed from.
fn slopes<'t, const N: usize>(y: Var<'t>, by: [Var<'t>; N]) -> [Var<'t>; N] {
    let found = y.grad(&by);
    std::array::from_fn(|k| found[k].expect("the net reads place and time"))
}

/// The step of a net that learns the heat equation: a loss with second derivatives by its inputs, differentiated by its weights.
fn pinn() -> Workload {
    Workload::new("train_pinn_heat_b256", || {
        let rng = &mut Rng::seed(0);
        let mut net = Sequential::new()
            .push(Linear::new(2, 32, rng))
            .push(Tanh)
            .push(Linear::new(32, 32, rng))
            .push(Tanh)
            .push(Linear::new(32, 1, rng));
        let (x, t) = (randn([256, 1]), randn([256, 1]).abs());
        let known = x.sin();
        let (mut adam, mut tape) = (Adam::new(0.001), Tape::training(0));
        move || {
            let (loss, gradients, ()) = tape.step(|tape| {
                let (x, t) = (tape.var(&x), tape.var(&t));
                let u = net.forward(Var::concat(&[&x, &t], 1));
                let [u_x, u_t] = slopes(u, [x, t]);
                let equation = (u_t - slopes(u_x, [x])[0] * 0.1).square().mean();
                (equation + u.mse_loss(&tape.constant(&known)), ())
            });
            adam.step(&mut net, &gradients);
            black_box(loss);
        }
    })
}

/// The book's net of chapter 4.
fn two_layer_net() -> Sequential {
    let rng = &mut Rng::seed(0);
    Sequential::new().push(Linear::new(784, 50, rng)).push(Sigmoid).push(Linear::new(50, 10, rng))
}

/// What the same net makes of images, with these weights and biases.
fn scores<'t>(x: Var<'t>, [w1, b1, w2, b2]: [Var<'t>; 4]) -> Var<'t> {
    x.linear(&w1, Some(&b1)).sigmoid().linear(&w2, Some(&b2))
}

/// 25 million numbers in ten tensors: 100 MB.
fn hundred_megabytes() -> Vec<Tensor> {
    (0..10).map(|_| randn([2500, 1000])).collect()
}

fn named(tensors: &[Tensor]) -> impl Iterator<Item = (String, &Tensor)> {
    tensors.iter().enumerate().map(|(k, tensor)| (format!("layer.{k}.weight"), tensor))
}

/// Images as sparse as MNIST's: four fifths of the pixels are 0.
fn write_mnist(dir: &Path) -> std::io::Result<()> {
    let mut rng = Rng::seed(0);
    for (name, header, count) in [
        (
            "train-images-idx3-ubyte",
            &[0, 0, 8, 3, 0, 0, 0xea, 0x60, 0, 0, 0, 28, 0, 0, 0, 28][..],
            60_000 * 784,
        ),
        ("train-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0xea, 0x60][..], 60_000),
    ] {
        let byte = |k: usize, rng: &mut Rng| match count {
            60_000 => (k % 10) as u8,
            _ if (k / 40).is_multiple_of(5) => rng.below(256) as u8,
            _ => 0,
        };
        let bytes: Vec<u8> = (0..count).map(|k| byte(k, &mut rng)).collect();
        let mut file = GzEncoder::new(File::create(dir.join(format!("{name}.gz")))?, Compression::new(6));
        file.write_all(header)?;
        file.write_all(&bytes)?;
        file.finish()?;
    }
    Ok(())
}

pub(crate) fn workloads() -> Vec<Workload> {
    vec![
        Workload::new("infer_deep_convnet_1000", || {
            let (net, images) = (deep_conv_net(&mut Rng::seed(0)), randn([1000, 1, 28, 28]));
            move || {
                black_box(net.forward(images.clone()));
            }
        }),
        classifier(
            "train_resnet18_8x3x64x64_sgd",
            || randn([8, 3, 64, 64]),
            resnet18,
            || Sgd::new(0.01).momentum(0.9),
        ),
        tiny(10),
        tiny(100),
        tiny(1000),
        Workload::new("hvp_784_50_10_b100", || {
            let (x, labels) = (randn([100, 784]), random_indices(100, 10));
            let weights =
                [randn([50, 784]) * 0.05, randn([50]) * 0.05, randn([10, 50]) * 0.2, randn([10]) * 0.2];
            let along = [randn([50, 784]), randn([50]), randn([10, 50]), randn([10])];
            let mut tape = Tape::new();
            move || {
                let at = weights.each_ref().map(|w| tape.var(w));
                let along = along.each_ref().map(|v| tape.constant(v));
                let of_labels = |w| scores(tape.constant(&x), w).cross_entropy(&labels);
                black_box(hvp(of_labels, at, along).map(|product| product.value()));
                tape.clear();
            }
        }),
        Workload::new("jacobian_100x100_mlp", || {
            let (x, [w1, w2]) = (randn([100]), [randn([100, 100]) * 0.1, randn([100, 100]) * 0.1]);
            let mut tape = Tape::new();
            move || {
                let (w1, w2) = (tape.constant(&w1), tape.constant(&w2));
                black_box(jacobian(|x| x.linear(&w1, None).tanh().linear(&w2, None), tape.var(&x)).value());
                tape.clear();
            }
        }),
        Workload::new("per_example_gradients_784_50_10_b100", || {
            let (net, x, labels) = (two_layer_net(), randn([100, 784]), random_indices(100, 10));
            let mut tape = Tape::new();
            move || {
                let x = tape.constant(&x);
                let losses = net.forward(x).cross_entropy_with(&labels, Reduction::None);
                black_box(losses.per_example_gradients(&[x]));
                tape.clear();
            }
        }),
        pinn(),
        Workload::new("gradcheck_784_50_10_b10_every_parameter", || {
            let (net, x, labels) = (two_layer_net(), randn([10, 784]), random_indices(10, 10));
            let check = GradCheck { elements: usize::MAX, ..GradCheck::default() };
            move || {
                let report = check.params(&net.params(), &Tape::new(), |tape| {
                    net.forward(tape.constant(&x)).cross_entropy(&labels)
                });
                assert!(report.passed(), "{report}");
            }
        }),
        Workload::new("load_mnist_60000", || {
            let dir = tempdir().expect("a temporary directory");
            write_mnist(dir.path()).expect("files of the size of MNIST's");
            move || {
                black_box(mnist::load_train(dir.path()).expect("the files that were just written"));
            }
        }),
        Workload::new("save_100MB", || {
            let (dir, tensors) = (tempdir().expect("a temporary directory"), hundred_megabytes());
            move || {
                save_tensors(dir.path().join("weights.safetensors"), named(&tensors), "")
                    .expect("100 MB of room");
            }
        }),
        Workload::new("load_100MB", || {
            let (dir, tensors) = (tempdir().expect("a temporary directory"), hundred_megabytes());
            let path = dir.path().join("weights.safetensors");
            save_tensors(&path, named(&tensors), "").expect("100 MB of room");
            move || {
                let _ = &dir;
                black_box(load_tensors(&path).expect("the file that was just written"));
            }
        }),
    ]
}
