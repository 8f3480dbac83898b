//! The files of operations and layers: the same as those that onnxruntime was seen to run with gradus's numbers.
//!
//! `ONNX_DIR=somewhere cargo test -p gradus-onnx` writes the files, with their inputs and outputs, for `runtime.py` and
//! `second_runtime`, which run them; `UPDATE=1` writes their digests to `digests.txt`, which is to be done after that.

use gradus_autograd::{
    ops::grid_sample::{GridMode, GridPadding},
    prelude::*,
};
use gradus_nn::*;
use gradus_onnx::{Export, ExportError};
use std::{env, fmt::Write as _, fs, path::Path};

/// A file, its inputs and its outputs.
struct Case {
    name: String,
    file: Result<Vec<u8>, ExportError>,
    values: Vec<(String, Tensor)>,
    words: Vec<(String, Indices)>,
}

fn case(
    name: &str,
    model: &dyn Module,
    inputs: &[Tensor],
    f: impl for<'t> Fn(&[Var<'t>]) -> Vec<Var<'t>>,
) -> Case {
    let tape = Tape::evaluating();
    let vars: Vec<Var<'_>> = inputs.iter().map(|x| tape.var(x)).collect();
    let outputs = f(&vars);
    let mut export = Export::of(model);
    let mut values = Vec::new();
    for (i, x) in vars.iter().enumerate() {
        export = export.input(&format!("in{i}"), *x);
        values.push((format!("in{i}"), x.value()));
    }
    for (i, y) in outputs.iter().enumerate() {
        export = export.output(&format!("out{i}"), *y);
        values.push((format!("out{i}"), y.value()));
    }
    Case { name: name.into(), file: export.to_bytes(), values, words: Vec::new() }
}

pub(crate) fn normal(shape: &[usize], seed: u64) -> Tensor {
    Tensor::randn(shape, &mut Rng::seed(seed))
}

/// Functions of one value, of two, and of a value and its axes.
fn operations() -> Vec<Case> {
    let x = normal(&[3, 4, 5], 1);
    let (y, positive) = (normal(&[4, 1], 2), x.abs() + 0.1);
    let inside = x.tanh() * 0.9;
    let (tiny, huge) = (&x * 1e-6, (&x * 8.0).exp());
    let mut cases = Vec::new();
    macro_rules! of {
        ($($input:ident: $($name:literal |$x:ident| $f:expr;)*)*) => {$($(
            cases.push(case($name, &Sequential::new(), std::slice::from_ref(&$input), |v| { let $x = v[0]; vec![$f] }));
        )*)*};
    }
    of! {
        x:
        "neg" |x| -x; "exp" |x| x.exp(); "exp2" |x| x.exp2(); "expm1" |x| x.expm1();
        "sin" |x| x.sin(); "cos" |x| x.cos(); "tan" |x| x.tan(); "sinh" |x| x.sinh();
        "cosh" |x| x.cosh(); "atan" |x| x.atan(); "asinh" |x| x.asinh(); "erf" |x| x.erf();
        "erfc" |x| x.erfc(); "normal_cdf" |x| x.normal_cdf(); "abs" |x| x.abs();
        "square" |x| x.square(); "cbrt" |x| x.cbrt(); "sign" |x| x.sign();
        "floor" |x| x.floor(); "ceil" |x| x.ceil(); "round" |x| (x * 2.0).round();
        "trunc" |x| x.trunc(); "is_positive" |x| x.is_positive(); "clamp" |x| x.clamp(-0.5, 0.75);
        "sigmoid" |x| x.sigmoid(); "tanh" |x| x.tanh(); "relu" |x| x.relu();
        "leaky_relu" |x| x.leaky_relu(0.1); "elu" |x| x.elu(0.7); "celu" |x| x.celu(1.5);
        "gelu" |x| x.gelu(); "gelu_tanh" |x| x.gelu_tanh(); "silu" |x| x.silu();
        "softplus" |x| x.softplus(); "softplus_with" |x| x.softplus_with(2.0, 1.0);
        "mish" |x| x.mish(); "softsign" |x| x.softsign(); "tanhshrink" |x| x.tanhshrink();
        "hardtanh" |x| x.hardtanh(-0.5, 1.0); "selu" |x| x.selu(); "hardswish" |x| x.hardswish();
        "scalars" |x| c(2.0) / (c(3.0) - (x + 1.0) * 0.25 / 5.0);
        "detach_less" |x| x.round().straight_through(&x);
        "reshape" |x| x.reshape([6, 10]); "permute" |x| x.permute([2, 0, 1]);
        "broadcast_to" |x| x.broadcast_to([2, 3, 4, 5]); "sum_to" |x| x.sum_to([4, 1]);
        "slice" |x| x.slice(1, 1..3); "backwards" |x| x.flip(2); "every second" |x| x.slice(2, Slice::from(..).step(2));
        "concat" |x| Var::concat(&[&x, &(x * 2.0), &x], 1); "stack" |x| Var::stack(&[&x, &-x], -1);
        "parts" |x| { let [a, b] = x.parts(1); a * b };
        "sum" |x| x.sum(); "sum_axes" |x| x.sum_axes([0, -1], true); "mean" |x| x.mean_axes(1, false);
        "max" |x| x.max_axes(2, false); "min" |x| x.min_axes([0, 1], true); "var" |x| x.var_axes(1, 1, false);
        "std" |x| x.std_axes(-1, 0, true); "norm" |x| x.norm_axes(2, false); "norm 3" |x| x.vector_norm(3.0, 1, false);
        "norm 1" |x| x.vector_norm(1.0, 1, true); "logsumexp" |x| x.logsumexp_axes(1, false); "cumsum" |x| x.cumsum(-1);
        "cumprod" |x| x.cumprod(1); "linear_recurrence" |x| x.linear_recurrence(&(x * 0.5), -1);
        "softmax" |x| x.softmax(1); "log_softmax" |x| x.log_softmax(-1);
        "scaled_dot_product_attention" |x| x.scaled_dot_product_attention(&(x * 0.5), &x, AttentionOptions::default());
        "causal attention" |x| {
            let options = AttentionOptions { is_causal: true, scale: Some(0.7), ..Default::default() };
            x.scaled_dot_product_attention(&(x * 0.5), &x, options)
        };
        "masked attention" |x| {
            let mask = x.place().constant(Tensor::from_fn([4, 4], |i| if i[0] > i[1] { 1.0 } else { 0.0 }));
            let options = AttentionOptions { mask: Some(&mask), ..Default::default() };
            x.scaled_dot_product_attention(&(x * 0.5), &x, options)
        };
        "layer_norm" |x| x.layer_norm([4, 5], None, None, 1e-5);
        "rms_norm" |x| x.rms_norm([5], None, 1e-5); "tril" |x| x.tril(0); "roll" |x| x.roll(2, 1);
        "index_select" |x| x.index_select(1, &Indices::from([3, 0, 0]));
        "gather" |x| x.gather(2, &Indices::new([0, 4, 1, 1, 2, 3, 0, 0, 4, 2, 2, 1], [3, 4, 1]));
        "pad" |x| x.pad([(0, 0), (1, 2), (0, 1)], Padding::Constant(1.5));
        positive:
        "log" |x| x.log(); "log2" |x| x.log2(); "log10" |x| x.log10(); "log1p" |x| x.log1p();
        "sqrt" |x| x.sqrt(); "rsqrt" |x| x.rsqrt(); "reciprocal" |x| x.reciprocal();
        "powf" |x| x.powf(1.7); "acosh" |x| (x + 1.0).acosh();
        tiny:
        "log1p of tiny ones" |x| x.log1p() * 1e6; "expm1 of tiny ones" |x| x.expm1() * 1e6;
        huge:
        "log1p of huge ones" |x| x.log1p(); "softplus of huge ones" |x| (-x).softplus(); "tanh of huge ones" |x| x.tanh();
        inside:
        "asin" |x| x.asin(); "acos" |x| x.acos(); "atanh" |x| x.atanh();
    }
    macro_rules! of_two {
        ($($name:literal |$a:ident, $b:ident| $f:expr;)*) => {$(
            cases.push(case($name, &Sequential::new(), &[x.clone(), y.clone()], |v| { let [$a, $b] = [v[0], v[1]]; vec![$f] }));
        )*};
    }
    of_two! {
        "add" |a, b| a + b; "sub" |a, b| a - b; "mul" |a, b| a * b;
        "div" |a, b| a / (b.square() + 1.0); "maximum" |a, b| a.maximum(&b);
        "minimum" |a, b| a.minimum(&b); "pow" |a, b| (a.abs() + 0.5).pow(&b);
        "hypot" |a, b| a.hypot(&b); "logaddexp" |a, b| a.logaddexp(&b);
        "remainder" |a, b| (a * 5.0).remainder(&(b + 3.0)); "fmod" |a, b| (a * 5.0).fmod(&(b + 3.0));
        "gt" |a, b| a.gt(&b); "ge" |a, b| a.ge(&b); "lt" |a, b| a.lt(&b);
        "le" |a, b| a.le(&b); "equals" |a, b| a.round().equals(&b.round());
        "not_equals" |a, b| a.round().not_equals(&b.round());
        "logical" |a, b| a.round().logical_and(&b).logical_or(&a.round()).logical_xor(&b.round());
        "select_where" |a, b| a.gt(&b).select_where(&a, &b); "matmul" |a, b| a.t().matmul(&b);
        "cosine" |a, b| a.cosine_similarity(&b, 1);
    }
    let images = [normal(&[2, 3, 4, 5], 4), normal(&[2, 3, 2, 2], 5)];
    for (name, mode, padding, align_corners) in [
        ("grid_sample", GridMode::Bilinear, GridPadding::Zeros, false),
        ("grid_sample corners", GridMode::Bilinear, GridPadding::Reflection, true),
        ("grid_sample nearest", GridMode::Nearest, GridPadding::Border, false),
    ] {
        cases.push(case(name, &Sequential::new(), &images, |v| {
            vec![v[0].grid_sample(&v[1], mode, padding, align_corners)]
        }));
    }
    cases
}

/// A layer on an input of this shape.
fn layer(name: &str, layer: impl Layer, shape: &[usize]) -> Case {
    let mut layer = layer;
    // Averages that are not those of a new layer.
    for (k, (name, param)) in layer.params_mut().into_iter().enumerate() {
        if name.ends_with("running_mean") || name.ends_with("running_var") {
            *param.value_mut() = normal(&param.value().shape().clone(), k as u64).abs() + 0.5;
        }
    }
    case(name, &layer, &[normal(shape, 7)], |x| vec![layer.forward(x[0])])
}

fn layers() -> Vec<Case> {
    let rng = &mut Rng::seed(3);
    let conv = || Sequential::new();
    let mut cases = vec![
        layer("Linear", Linear::new(5, 3, rng), &[4, 5]),
        layer("Linear of a sequence", Linear::new(5, 3, rng).without_bias(), &[2, 4, 5]),
        layer("Conv1d", Conv1d::new(3, 4, 3, rng).padding(1), &[2, 3, 9]),
        layer("Conv2d", Conv2d::new(3, 4, 3, rng), &[2, 3, 9, 8]),
        layer(
            "Conv2d with all",
            Conv2d::grouped(4, 6, [3, 2], 2, rng).stride([2, 1]).padding([1, 2]).dilation(2),
            &[2, 4, 9, 8],
        ),
        layer("Conv2d without bias", Conv2d::new(2, 3, 1, rng).without_bias(), &[1, 2, 4, 4]),
        layer(
            "ConvTranspose2d",
            ConvTranspose2d::new(3, 4, 3, rng).stride(2).padding(1).output_padding(1),
            &[2, 3, 5, 4],
        ),
        layer("ConvTranspose1d", ConvTranspose1d::new(3, 4, 4, rng).stride(2), &[2, 3, 5]),
        layer("MaxPool2d", MaxPool2d::new(2), &[2, 3, 8, 6]),
        layer("MaxPool2d with all", MaxPool2d::new(3).stride(2).padding(1).ceil_mode(), &[2, 3, 8, 6]),
        layer("MaxPool1d", MaxPool1d::new(2), &[2, 3, 8]),
        layer("AvgPool2d", AvgPool2d::new(2), &[2, 3, 8, 6]),
        layer("AvgPool2d with padding", AvgPool2d::new(3).stride(2).padding(1), &[2, 3, 8, 6]),
        layer("GlobalAvgPool2d", GlobalAvgPool2d, &[2, 3, 5, 4]),
        layer("AdaptiveAvgPool2d to one", AdaptiveAvgPool2d::new(1), &[2, 3, 5, 4]),
        layer("AdaptiveAvgPool2d of equal windows", AdaptiveAvgPool2d::new([2, 3]), &[2, 3, 4, 6]),
        layer("AdaptiveMaxPool2d of equal windows", AdaptiveMaxPool2d::new([2, 1]), &[2, 3, 4, 5]),
        layer("LpPool2d", LpPool2d::new(2.0, 2), &[2, 3, 6, 4]),
        layer("BatchNorm1d", BatchNorm1d::new(4), &[5, 4]),
        layer("BatchNorm2d", BatchNorm2d::new(4), &[2, 4, 3, 3]),
        layer("LayerNorm", LayerNorm::new([5]), &[2, 4, 5]),
        layer("RmsNorm", RmsNorm::new([5]), &[2, 4, 5]),
        layer("GroupNorm", GroupNorm::new(2, 4), &[2, 4, 3, 3]),
        layer("InstanceNorm2d", InstanceNorm2d::new(4), &[2, 4, 3, 3]),
        layer("Flatten", Flatten, &[2, 4, 3]),
        layer("Unflatten", Unflatten::new(1, [2, 2]), &[3, 4]),
        layer("Dropout in evaluation", Dropout::new(0.5), &[3, 4]),
        layer("PRelu", PRelu::new(3), &[2, 3, 4]),
        layer("Softmax", Softmax::default(), &[3, 4]),
        layer("Upsample nearest", Upsample::new(2.0, Interpolation::Nearest), &[1, 2, 3, 4]),
        layer("Upsample nearest exact", Upsample::new([7, 5], Interpolation::NearestExact), &[1, 2, 3, 4]),
        layer(
            "Upsample linear",
            Upsample::new(2.0, Interpolation::Linear { align_corners: false }),
            &[1, 2, 3, 4],
        ),
        layer(
            "Upsample corners",
            Upsample::new([5, 9], Interpolation::Linear { align_corners: true }),
            &[1, 2, 3, 4],
        ),
        layer(
            "Upsample cubic",
            Upsample::new(2.0, Interpolation::Cubic { align_corners: false }),
            &[1, 2, 5, 4],
        ),
        layer("Rnn", Rnn::new(3, 4, rng), &[2, 5, 3]),
        layer("Lstm", Lstm::new(3, 4, rng), &[2, 5, 3]),
        layer("Gru", Gru::new(3, 4, rng), &[2, 5, 3]),
        layer(
            "Lstm of two layers, both ways",
            Lstm::with_options(
                3,
                4,
                RecurrentOptions { layers: 2, bidirectional: true, ..Default::default() },
                rng,
            ),
            &[2, 5, 3],
        ),
        layer("MultiheadAttention", MultiheadAttention::new(8, 2, rng), &[2, 5, 8]),
        layer(
            "TransformerEncoderLayer",
            TransformerEncoderLayer::new(8, 2, 16, TransformerOptions::default(), rng),
            &[2, 5, 8],
        ),
        layer("PositionalEncoding", PositionalEncoding::new(9, 8), &[2, 5, 8]),
        layer("Residual", Residual::new(conv().push(Linear::new(4, 4, rng)).push(Relu)), &[3, 4]),
        layer(
            "a simple convolutional net",
            conv()
                .push(Conv2d::new(1, 6, 5, rng))
                .push(Relu)
                .push(MaxPool2d::new(2))
                .push(Flatten)
                .push(Linear::new(6 * 4 * 4, 10, rng)),
            &[3, 1, 12, 12],
        ),
        layer(
            "a residual block",
            Residual::with_shortcut(
                conv()
                    .push(Conv2d::new(3, 6, 3, rng).stride(2).padding(1).without_bias())
                    .push(BatchNorm2d::new(6))
                    .push(Relu)
                    .push(Conv2d::new(6, 6, 3, rng).padding(1).without_bias())
                    .push(BatchNorm2d::new(6)),
                conv().push(Conv2d::new(3, 6, 1, rng).stride(2).without_bias()).push(BatchNorm2d::new(6)),
            ),
            &[2, 3, 8, 8],
        ),
    ];
    cases.push(words(rng));
    cases
}

struct Gpt {
    words: Embedding,
    positions: PositionalEncoding,
    block: TransformerEncoderLayer,
    out: Linear,
}

module!(Gpt { words, positions, block, out });

/// A model of words, which are an input of the file.
fn words(rng: &mut Rng) -> Case {
    let net = Gpt {
        words: Embedding::new(11, 8, rng),
        positions: PositionalEncoding::new(9, 8),
        block: TransformerEncoderLayer::new(8, 2, 16, TransformerOptions::default(), rng),
        out: Linear::new(8, 11, rng),
    };
    let text = Indices::new([1, 5, 3, 10, 0, 2, 2, 7, 4, 9], [2, 5]);
    let tape = Tape::evaluating();
    let x = net.positions.forward(net.words.forward(tape.place(), &text));
    let y = net.out.forward(net.block.forward_masked(x, &AttentionMask::causal()));
    let file = Export::of(&net).indices("text", &text).output("out0", y).to_bytes();
    Case {
        name: "Gpt".into(),
        file,
        values: vec![("out0".into(), y.value())],
        words: vec![("text".into(), text)],
    }
}

/// FNV-1a.
fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn the_files_are_those_that_onnxruntime_ran() {
    let (mut digests, mut refused) = (String::new(), Vec::new());
    for Case { name, file, values, words } in operations().into_iter().chain(layers()) {
        let file = match file {
            Ok(file) => file,
            Err(error) => {
                refused.push(format!("{name}: {error}"));
                continue;
            }
        };
        writeln!(digests, "{:016x} {name}", digest(&file)).unwrap();
        let Some(folder) = env::var_os("ONNX_DIR") else { continue };
        let stem = Path::new(&folder).join(name.replace(' ', "_"));
        fs::write(stem.with_extension("onnx"), &file).unwrap();
        let numbers = |x: &Tensor| x.iter().map(|x| format!(" {x:e}")).collect::<String>();
        let mut text: String =
            values.iter().map(|(name, x)| format!("{name} {:?}{}\n", x.shape(), numbers(x))).collect();
        for (name, words) in &words {
            let all: String = words.iter().map(|word| format!(" {word}")).collect();
            writeln!(text, "{name} {:?}{all}", words.shape()).unwrap();
        }
        fs::write(stem.with_extension("txt"), text).unwrap();
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/digests.txt");
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &digests).unwrap();
    }
    let seen = fs::read_to_string(path).unwrap();
    let changed: Vec<&str> = digests.lines().filter(|line| !seen.contains(*line)).take(5).collect();
    assert!(
        digests == seen,
        "other files than those that onnxruntime was seen to run: {changed:?}. Run tests/runtime.py, then UPDATE=1"
    );
}
