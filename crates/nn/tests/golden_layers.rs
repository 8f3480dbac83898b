//! Layers equal PyTorch's modules: parameters under PyTorch's names, outputs, gradients and running statistics, in training
//! and evaluation. `golden/layers.py` has computed them in double precision.

use gradus_autograd::{ops::indexing::BagMode, prelude::*};
use gradus_nn::*;

use crate::numbers::Numbers;
use std::{cell::RefCell, collections::BTreeSet};

/// A case of the file: the module's parameters and buffers, an input, a cotangent, and what comes of them.
struct Case {
    state: Vec<(String, Numbers)>,
    input: Numbers,
    cotangent: Option<Numbers>,
    runs: Vec<Run>,
}

struct Run {
    mode: String,
    output: Option<Numbers>,
    gradients: Vec<(String, Numbers)>,
    after: Vec<(String, Numbers)>,
}

const FILE: &str = include_str!("golden/layers.txt");

fn case(name: &str) -> Case {
    let mut lines = FILE.lines().skip_while(|line| *line != format!("case {name}")).skip(1).peekable();
    assert!(lines.peek().is_some(), "no case {name}");
    let input = Numbers { shape: Vec::new(), values: Vec::new() };
    let mut case = Case { state: Vec::new(), input, cotangent: None, runs: Vec::new() };
    for line in lines.take_while(|line| !line.starts_with("case ")) {
        let (kind, rest) = line.split_once(' ').unwrap();
        // What has a name has it before the numbers.
        let named = || {
            let (name, numbers) = rest.split_once(' ').unwrap();
            (name.to_owned(), Numbers::read(numbers).unwrap())
        };
        match (kind, case.runs.last_mut()) {
            ("mode", _) => case.runs.push(Run {
                mode: rest.to_owned(),
                output: None,
                gradients: Vec::new(),
                after: Vec::new(),
            }),
            ("state", None) => case.state.push(named()),
            ("input", None) => case.input = Numbers::read(rest).unwrap(),
            ("cotangent", None) => case.cotangent = Some(Numbers::read(rest).unwrap()),
            ("output", Some(run)) => run.output = Some(Numbers::read(rest).unwrap()),
            ("gradient", Some(run)) => run.gradients.push(named()),
            ("after", Some(run)) => run.after.push(named()),
            _ => panic!("{line}"),
        }
    }
    case
}

/// Every number here is reached by at most some so many roundings of numbers that are at most the largest input.
const ROUNDINGS: f64 = 32.0;

fn to_indices(numbers: &Numbers) -> Indices {
    Indices::new(numbers.values.iter().map(|&x| x as i32).collect::<Vec<_>>(), &numbers.shape)
}

/// Loads the state, which must have the module's names and shapes, no more and no fewer.
#[track_caller]
fn load_state(module: &mut dyn Module, state: &[(String, Numbers)]) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.safetensors");
    let tensors: Vec<(String, Tensor)> =
        state.iter().map(|(name, numbers)| (name.clone(), numbers.to_tensor())).collect();
    save_tensors(&path, tensors.iter().map(|(name, tensor)| (name.clone(), tensor)), "").unwrap();
    load(module, &path).unwrap();
}

/// Compares what `forward`, which gives input and output, does on a tape with all runs of a case.
#[track_caller]
fn check_with<M: Module>(
    name: &str,
    module: M,
    forward: impl for<'t> Fn(&M, &'t Tape, &Numbers) -> (Option<Var<'t>>, Var<'t>),
) {
    let module = RefCell::new(module);
    check_erased(name, &module, &|tape, x| forward(&module.borrow(), tape, x));
}

type Forward<'a> = dyn for<'t> Fn(&'t Tape, &Numbers) -> (Option<Var<'t>>, Var<'t>) + 'a;

// Compiled once, not for each layer.
fn check_erased(name: &str, module: &RefCell<dyn Module + '_>, forward: &Forward<'_>) {
    let case = case(name);
    let cotangent = case.cotangent.as_ref().unwrap();
    let states = case.state.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked"));
    let all = states.map(|(_, numbers)| numbers).chain([&case.input, cotangent]);
    let scale = all.map(Numbers::largest).fold(1.0, f64::max);
    for run in &case.runs {
        let tapes = [("train", Tape::training(0)), ("eval", Tape::new())];
        for (mode, tape) in tapes.iter().filter(|(mode, _)| run.mode == *mode || run.mode == "any") {
            let what = format!("{name} ({mode})");
            load_state(&mut *module.borrow_mut(), &case.state);
            let (x, y) = forward(tape, &case.input);
            run.output.as_ref().unwrap().check(&what, &y.value(), ROUNDINGS * scale);
            let gradients = y.backward_from(cotangent.to_tensor());
            for (of, expected) in &run.gradients {
                let found = match module.borrow().params().iter().find(|(name, _)| name == of) {
                    Some((_, param)) => gradients[*param].clone(),
                    None => gradients[x.unwrap()].clone(),
                };
                expected.check(&format!("{what}, gradient of {of}"), &found, ROUNDINGS * scale);
            }
            update_buffers(&mut *module.borrow_mut(), &gradients);
            let module = module.borrow();
            let params = module.params();
            for (name, expected) in &run.after {
                let (_, found) = params.iter().find(|(n, _)| n == name).unwrap();
                expected.check(&format!("{what}, {name} afterwards"), found.value(), ROUNDINGS * scale);
            }
        }
    }
}

/// Compares a layer with all runs of a case, and its result on tensors with that on an evaluating tape.
#[track_caller]
fn check(name: &str, layer: impl Layer) {
    check_with(name, layer, |layer, tape, x| {
        let x = x.to_tensor();
        let var = tape.var(&x);
        let y = layer.forward(var);
        if !tape.is_training() {
            assert_eq!(y.value(), layer.forward(x), "{name} on tensors");
        }
        (Some(var), y)
    });
}

fn rng() -> Rng {
    Rng::seed(0)
}

#[test]
fn linear() {
    check("linear", Linear::new(4, 3, &mut rng()));
    check("linear_vector", Linear::new(4, 3, &mut rng()));
    check("linear_rank_3", Linear::new(2, 3, &mut rng()));
    check("linear_without_bias", Linear::new(5, 1, &mut rng()).without_bias());
}

#[test]
fn convolutions() {
    let rng = &mut rng();
    check("conv1d", Conv1d::new(2, 3, 3, rng));
    check("conv1d_stride_padding", Conv1d::new(2, 3, 4, rng).stride(3).padding(2));
    check("conv1d_dilation_groups", Conv1d::grouped(4, 6, 2, 2, rng).dilation(3));
    check("conv1d_without_bias", Conv1d::new(3, 2, 1, rng).without_bias());
    check("conv2d", Conv2d::new(2, 3, 3, rng));
    check("conv2d_rectangular", Conv2d::new(2, 3, [1, 3], rng).stride([1, 2]).padding([0, 1]));
    check("conv2d_dilation_groups", Conv2d::grouped(4, 2, 2, 2, rng).dilation([1, 2]).padding(1));
    check("conv2d_depthwise", Conv2d::grouped(3, 6, 3, 3, rng).stride(2).padding(1).without_bias());
}

#[test]
fn transposed_convolutions() {
    let rng = &mut rng();
    check("conv_transpose1d", ConvTranspose1d::new(2, 3, 3, rng));
    let layer = ConvTranspose1d::new(2, 3, 4, rng).stride(3).padding(1).output_padding(2);
    check("conv_transpose1d_stride", layer);
    check("conv_transpose1d_dilation", ConvTranspose1d::new(2, 1, 2, rng).dilation(3).without_bias());
    check("conv_transpose1d_groups", ConvTranspose1d::grouped(4, 6, 2, 2, rng).stride(2));
    check("conv_transpose2d", ConvTranspose2d::new(2, 3, 3, rng));
    check("conv_transpose2d_twice", ConvTranspose2d::new(2, 2, 4, rng).stride(2).padding(1));
    let layer = ConvTranspose2d::new(2, 3, [1, 3], rng).stride([2, 3]).padding([0, 1]);
    check("conv_transpose2d_rectangular", layer.output_padding([1, 2]).dilation([1, 2]));
    check("conv_transpose2d_groups", ConvTranspose2d::grouped(4, 2, 2, 2, rng).without_bias());
}

#[test]
fn volumes() {
    let rng = &mut rng();
    check("conv3d", Conv3d::new(2, 3, 2, rng));
    let layer = Conv3d::new(2, 2, [2, 1, 3], rng).stride([1, 2, 2]).padding([1, 0, 1]);
    check("conv3d_rectangular", layer.dilation([2, 1, 1]).without_bias());
    check("conv3d_groups", Conv3d::grouped(4, 2, 2, 2, rng).padding(1).stride(2));
    check("conv3d_same_size", Conv3d::new(1, 2, 3, rng).padding(1));
    check("conv_transpose3d", ConvTranspose3d::new(2, 3, 2, rng));
    let layer = ConvTranspose3d::grouped(4, 2, [2, 1, 3], 2, rng).stride([2, 1, 3]).padding([1, 0, 1]);
    check("conv_transpose3d_groups", layer.output_padding([1, 0, 2]).dilation([2, 1, 1]));
    check("conv_transpose3d_stride", ConvTranspose3d::new(1, 2, 2, rng).stride(2).without_bias());
    let layer = ConvTranspose3d::new(2, 2, 3, rng).stride([2, 1, 2]).padding(1);
    check("conv_transpose3d_padding", layer.output_padding([1, 0, 1]));
    check("max_pool3d", MaxPool3d::new(2));
    check("max_pool3d_overlapping", MaxPool3d::new(2).stride(1));
    check("max_pool3d_padding", MaxPool3d::new(3).stride(2).padding(1));
    let layer = MaxPool3d::new([3, 2, 2]).stride([1, 2, 1]).padding([1, 0, 1]).dilation([1, 1, 2]);
    check("max_pool3d_rectangular", layer.ceil_mode());
    check("avg_pool3d", AvgPool3d::new(2));
    check("avg_pool3d_padding", AvgPool3d::new(3).stride(2).padding(1));
    check("avg_pool3d_ceil", AvgPool3d::new(2).ceil_mode());
    let layer = AvgPool3d::new([3, 2, 2]).stride([1, 2, 1]).padding([1, 0, 1]).ceil_mode();
    check("avg_pool3d_without_padding", layer.without_padding_counted());
}

#[test]
fn batch_normalisation() {
    check("batch_norm1d", BatchNorm1d::new(3));
    check("batch_norm1d_rows", BatchNorm1d::new(3).eps(1e-3).momentum(0.3));
    check("batch_norm1d_cumulative", BatchNorm1d::new(2).cumulative());
    check("batch_norm1d_plain", BatchNorm1d::new(2).without_affine());
    check("batch_norm2d", BatchNorm2d::new(2));
    check("batch_norm2d_one_image", BatchNorm2d::new(3).eps(1e-3).momentum(0.25));
    check("batch_norm2d_cumulative", BatchNorm2d::new(2).cumulative());
    check("batch_norm2d_plain", BatchNorm2d::new(2).without_affine().momentum(1.0));
    check("batch_norm3d", BatchNorm3d::new(2));
    check("batch_norm3d_eps", BatchNorm3d::new(3).eps(1e-3).momentum(0.3));
    check("batch_norm3d_cumulative", BatchNorm3d::new(2).cumulative());
    check("batch_norm3d_plain", BatchNorm3d::new(1).without_affine().momentum(1.0));
}

#[test]
fn normalisation_within_examples() {
    check("layer_norm", LayerNorm::new([4]));
    check("layer_norm_two_axes", LayerNorm::new([3, 2]).eps(1e-3));
    check("layer_norm_without_bias", LayerNorm::new([5]).without_bias());
    check("layer_norm_plain", LayerNorm::new([6]).without_affine());
    check("rms_norm", RmsNorm::new([4]));
    check("rms_norm_two_axes", RmsNorm::new([3, 2]).eps(1e-3));
    check("rms_norm_rank_3", RmsNorm::new([5]).eps(1e-5));
    check("rms_norm_plain", RmsNorm::new([6]).without_affine());
    check("group_norm", GroupNorm::new(2, 4));
    check("group_norm_one_group", GroupNorm::new(1, 3).eps(1e-3));
    check("group_norm_vectors", GroupNorm::new(2, 6));
    check("group_norm_plain", GroupNorm::new(3, 6).without_affine());
    check("instance_norm1d", InstanceNorm1d::new(2));
    check("instance_norm1d_affine", InstanceNorm1d::new(3).affine());
    check("instance_norm1d_eps", InstanceNorm1d::new(2).eps(0.1));
    check("instance_norm1d_affine_eps", InstanceNorm1d::new(2).affine().eps(0.01));
    check("instance_norm2d", InstanceNorm2d::new(2));
    check("instance_norm2d_affine", InstanceNorm2d::new(2).affine());
    check("instance_norm2d_eps", InstanceNorm2d::new(3).eps(0.1));
    check("instance_norm2d_affine_eps", InstanceNorm2d::new(2).affine().eps(0.01));
}

#[test]
fn dropout() {
    check("dropout", Dropout::new(0.5));
    check("dropout_little", Dropout::new(0.1));
    check("dropout_nothing", Dropout::new(0.0));
    check("dropout_most", Dropout::new(0.9));
    check("dropout_all", Dropout::new(1.0));
    check("dropout2d", Dropout2d::new(0.5));
    check("dropout2d_little", Dropout2d::new(0.1));
    check("dropout2d_nothing", Dropout2d::new(0.0));
    check("dropout2d_most", Dropout2d::new(0.9));
    check("dropout2d_all", Dropout2d::new(1.0));
    check("alpha_dropout", AlphaDropout::new(0.5));
    check("alpha_dropout_little", AlphaDropout::new(0.1));
    check("alpha_dropout_nothing", AlphaDropout::new(0.0));
    check("alpha_dropout_most", AlphaDropout::new(0.9));
}

#[test]
fn pooling() {
    check("max_pool1d", MaxPool1d::new(2));
    check("max_pool1d_overlapping", MaxPool1d::new(3).stride(1).padding(1));
    check("max_pool1d_dilation", MaxPool1d::new(2).dilation(3));
    check("max_pool1d_ceil", MaxPool1d::new(3).stride(2).ceil_mode());
    check("max_pool2d", MaxPool2d::new(2));
    check("max_pool2d_overlapping", MaxPool2d::new(3).stride(1).padding(1));
    check("max_pool2d_rectangular", MaxPool2d::new([1, 3]).stride([2, 1]).dilation([1, 2]));
    check("max_pool2d_ceil", MaxPool2d::new(2).stride([2, 3]).padding([1, 0]).ceil_mode());
    check("avg_pool1d", AvgPool1d::new(2));
    check("avg_pool1d_overlapping", AvgPool1d::new(3).stride(1).padding(1));
    let layer = AvgPool1d::new(3).stride(2).padding(1);
    check("avg_pool1d_without_padding", layer.without_padding_counted());
    check("avg_pool1d_ceil", AvgPool1d::new(3).stride(2).ceil_mode());
    check("avg_pool2d", AvgPool2d::new(2));
    check("avg_pool2d_overlapping", AvgPool2d::new(3).stride(1).padding(1));
    let layer = AvgPool2d::new([1, 3]).stride([2, 1]).padding([0, 1]);
    check("avg_pool2d_rectangular", layer.without_padding_counted());
    check("avg_pool2d_ceil", AvgPool2d::new(2).stride([2, 3]).padding([1, 0]).ceil_mode());
    let layer = AvgPool2d::new([2, 3]).stride([1, 2]).padding([1, 1]);
    check("avg_pool2d_divisor", layer.divisor_override(4));
    let layer = AvgPool3d::new(2).stride([1, 2, 1]).padding([1, 0, 1]);
    check("avg_pool3d_divisor", layer.divisor_override(3));
    check("lp_pool1d", LpPool1d::new(2.0, 3));
    check("lp_pool1d_ceil", LpPool1d::new(2.0, 3).stride(2).ceil_mode());
    check("lp_pool1d_sums", LpPool1d::new(1.0, 2).stride(1));
    check("lp_pool1d_large", LpPool1d::new(8.0, 3).stride(1));
    check("lp_pool2d_stride", LpPool2d::new(2.0, [3, 1]).stride([1, 2]));
    check("lp_pool2d_half", LpPool2d::new(0.5, 2));
    check("lp_pool3d_stride", LpPool3d::new(4.0, [2, 1, 2]).stride(1));
    check("lp_pool3d_sums", LpPool3d::new(1.0, 2));
    check("lp_pool2d", LpPool2d::new(2.0, 2));
    check("lp_pool2d_ceil", LpPool2d::new(4.0, [2, 3]).stride(2).ceil_mode());
    check("lp_pool3d", LpPool3d::new(2.0, 2));
    check("lp_pool3d_ceil", LpPool3d::new(2.0, [2, 1, 3]).stride(2).ceil_mode());
}

#[test]
fn pooling_to_given_sizes() {
    for n in [1, 2, 3, 6] {
        check(&format!("adaptive_max_pool1d_{n}"), AdaptiveMaxPool1d::new(n));
        check(&format!("adaptive_avg_pool1d_{n}"), AdaptiveAvgPool1d::new(n));
    }
    for [h, w] in [[1, 1], [2, 2], [3, 1], [4, 5]] {
        check(&format!("adaptive_max_pool2d_{h}_{w}"), AdaptiveMaxPool2d::new([h, w]));
        check(&format!("adaptive_avg_pool2d_{h}_{w}"), AdaptiveAvgPool2d::new([h, w]));
    }
    for [d, h, w] in [[1, 1, 1], [2, 1, 3], [3, 4, 2], [5, 2, 2]] {
        check(&format!("adaptive_max_pool3d_{d}_{h}_{w}"), AdaptiveMaxPool3d::new([d, h, w]));
        check(&format!("adaptive_avg_pool3d_{d}_{h}_{w}"), AdaptiveAvgPool3d::new([d, h, w]));
    }
    for shape in ["1_1_1_1", "2_3_2_2", "1_2_3_4", "2_1_5_1"] {
        check(&format!("global_avg_pool2d_{shape}"), GlobalAvgPool2d);
    }
}

/// A pooling and its reverse, to the least size or a given one.
struct PoolUnpool(MaxPool2d, MaxUnpool2d, Option<[usize; 2]>);

impl Module for PoolUnpool {
    fn visit<'a>(&'a self, _: &str, _: &mut dyn FnMut(&str, &'a Param)) {}
    fn visit_mut<'a>(&'a mut self, _: &str, _: &mut dyn FnMut(&str, &'a mut Param)) {}
}

impl Layer for PoolUnpool {
    fn forward<V: Value>(&self, x: V) -> V {
        let PoolUnpool(pool, unpool, size) = self;
        let (y, indices) = pool.forward_with_indices(x);
        match *size {
            Some(size) => unpool.forward_to(y, &indices, size),
            None => unpool.forward(y, &indices),
        }
    }
}

#[test]
fn unpooling() {
    let (pool, unpool) = (MaxPool2d::new(2), MaxUnpool2d::new(2));
    check("max_unpool2d", PoolUnpool(pool, unpool, None));
    check("max_unpool2d_rest", PoolUnpool(pool, unpool, Some([5, 3])));
    check("max_unpool2d_padding", PoolUnpool(pool.padding(1), unpool.padding(1), None));
    let (pool, unpool) = (MaxPool2d::new([1, 3]).stride([2, 3]), MaxUnpool2d::new([1, 3]).stride([2, 3]));
    check("max_unpool2d_rectangular", PoolUnpool(pool, unpool, None));
}

#[test]
fn upsampling_and_reshaping() {
    let linear = |align_corners| Interpolation::Linear { align_corners };
    let cubic = |align_corners| Interpolation::Cubic { align_corners };
    check("upsample_nearest", Upsample::new(2.0, Interpolation::Nearest));
    check("upsample_nearest_size", Upsample::new([5, 2], Interpolation::Nearest));
    check("upsample_bilinear", Upsample::new(2.0, linear(false)));
    check("upsample_bilinear_rectangular", Upsample::new([1.0, 3.0], linear(false)));
    check("upsample_bilinear_size", Upsample::new([5, 2], linear(false)));
    check("upsample_bilinear_corners", Upsample::new([4, 5], linear(true)));
    check("upsample_linear", Upsample::new(2.5, linear(false)));
    check("upsample_trilinear", Upsample::new([1.5, 2.0, 1.4], linear(false)));
    check("upsample_nearest_exact", Upsample::new(1.7, Interpolation::NearestExact));
    check("upsample_bicubic", Upsample::new([7, 5], cubic(false)));
    check("upsample_bicubic_corners", Upsample::new(1.7, cubic(true)));
    let recomputed = Resize::from(1.7).recompute_scale_factor();
    check("upsample_bicubic_recomputed", Upsample::new(recomputed, cubic(false)));
    for name in ["flatten", "flatten_matrix", "flatten_images", "flatten_vector_of_ones"] {
        check(name, Flatten);
    }
    check("unflatten", Unflatten::new(1, [2, 3]));
    check("unflatten_first", Unflatten::new(0, [2, 1, 2]));
    check("unflatten_last", Unflatten::new(-1, [3]));
    check("unflatten_middle", Unflatten::new(1, [2, 2]));
}

#[test]
fn embedding() {
    let check = |name: &str, layer: Embedding| {
        check_with(name, layer, |layer, tape, indices| {
            (None, layer.forward(tape.place(), &to_indices(indices)))
        });
    };
    check("embedding", Embedding::new(5, 3, &mut rng()));
    check("embedding_matrix", Embedding::new(4, 2, &mut rng()));
    check("embedding_padding", Embedding::new(4, 2, &mut rng()).padding_index(1));
    check("embedding_scalar", Embedding::new(3, 4, &mut rng()));
}

#[test]
fn embedding_bag() {
    let check = |name: &str, layer: EmbeddingBag| {
        check_with(name, layer, |layer, tape, indices| {
            (None, layer.forward(tape.place(), &to_indices(indices), None, None))
        });
    };
    check("embedding_bag", EmbeddingBag::new(5, 3, &mut rng()));
    check("embedding_bag_sum", EmbeddingBag::new(5, 2, &mut rng()).mode(BagMode::Sum));
    check("embedding_bag_max", EmbeddingBag::new(5, 4, &mut rng()).mode(BagMode::Max));
    check("embedding_bag_padding", EmbeddingBag::new(5, 2, &mut rng()).padding_index(-4));
}

#[test]
fn residual_blocks() {
    let rng = &mut rng();
    let block = Sequential::new().push(Linear::new(3, 4, rng)).push(Tanh).push(Linear::new(4, 3, rng));
    check("residual", Residual::new(block));
    let shortcut = Linear::new(3, 2, rng).without_bias();
    check("residual_shortcut", Residual::with_shortcut(Linear::new(3, 2, rng), shortcut));
    let bottleneck = Sequential::new()
        .push(Conv2d::new(3, 2, 1, rng).without_bias())
        .push(BatchNorm2d::new(2))
        .push(Relu)
        .push(Conv2d::new(2, 2, 3, rng).stride(2).padding(1).without_bias())
        .push(BatchNorm2d::new(2))
        .push(Relu)
        .push(Conv2d::new(2, 4, 1, rng));
    let shortcut = Conv2d::new(3, 4, 1, rng).stride(2);
    check("residual_bottleneck", Residual::with_shortcut(bottleneck, shortcut));
    let pre =
        Sequential::new().push(BatchNorm2d::new(2)).push(Relu).push(Conv2d::new(2, 2, 3, rng).padding(1));
    check("residual_pre_activation", Residual::new(pre));
}

#[test]
fn activations() {
    for i in 0..4 {
        check(&format!("identity_{i}"), Identity);
        check(&format!("sigmoid_{i}"), Sigmoid);
        check(&format!("tanh_{i}"), Tanh);
        check(&format!("relu_{i}"), Relu);
        check(&format!("relu6_{i}"), Relu6);
        check(&format!("selu_{i}"), Selu);
        check(&format!("gelu_{i}"), Gelu);
        check(&format!("gelu_tanh_{i}"), GeluTanh);
        check(&format!("silu_{i}"), Silu);
        check(&format!("mish_{i}"), Mish);
        check(&format!("softplus_{i}"), Softplus::new(1.0, 1000.0));
        let Softplus { beta, threshold } = Softplus::default();
        let (beta, threshold) = [(beta, threshold), (2.0, 1.0), (0.5, 20.0), (-1.5, 0.5)][i];
        check(&format!("softplus_with_{i}"), Softplus::new(beta, threshold));
        check(&format!("softsign_{i}"), Softsign);
        check(&format!("hardsigmoid_{i}"), Hardsigmoid);
        check(&format!("hardswish_{i}"), Hardswish);
        check(&format!("log_sigmoid_{i}"), LogSigmoid);
        let slope = [LeakyRelu::default().slope, 0.2, 0.0, 1.5][i];
        check(&format!("leaky_relu_{i}"), LeakyRelu::new(slope));
        let alpha = [Elu::default().alpha, 0.5, 2.0, 1.5][i];
        check(&format!("elu_{i}"), Elu::new(alpha));
        let alpha = [Celu::default().alpha, 0.5, 2.0, 1.5][i];
        check(&format!("celu_{i}"), Celu::new(alpha));
        let Hardtanh { low, high } = Hardtanh::default();
        let (low, high) = [(low, high), (-0.5, 2.0), (0.0, 1.0), (-2.5, -0.25)][i];
        check(&format!("hardtanh_{i}"), Hardtanh::new(low, high));
        // Equal bounds leave no choice in training.
        let slope = [0.25, 0.0, 1.0, -0.5][i];
        check(&format!("rrelu_{i}"), RRelu::new(slope, slope));
        let RRelu { low, high } = RRelu::default();
        let (low, high) = [(low, high), (0.1, 0.3), (0.0, 1.0), (0.5, 0.75)][i];
        check(&format!("rrelu_eval_{i}"), RRelu::new(low, high));
        let axis = [0, Softmax::default().axis, 0, 1][i];
        check(&format!("softmax_{i}"), Softmax::new(axis));
        check(&format!("log_softmax_{i}"), LogSoftmax::new(axis));
        check(&format!("prelu_{i}"), PRelu::new([1, 1, 3, 2][i]));
    }
}

/// A saved model of PyTorch, with its whole number of batches, predicts here what it predicts there.
#[test]
fn a_saved_model() {
    let rng = &mut rng();
    let mut net = Sequential::new()
        .push(Conv2d::new(1, 3, 3, rng).padding(1))
        .push(BatchNorm2d::new(3))
        .push(Relu)
        .push(Flatten)
        .push(Linear::new(48, 2, rng));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/cnn.safetensors");
    load(&mut net, path).unwrap();
    let (_, count) = net.params().into_iter().find(|(name, _)| name == "1.num_batches_tracked").unwrap();
    assert_eq!(count.value().item(), 5.0);
    let case = case("cnn");
    let y = net.forward(case.input.to_tensor());
    // Sums of up to 48 products.
    case.runs[0].output.as_ref().unwrap().check("cnn", &y, ROUNDINGS * case.input.largest());
}

/// A file that does not fit says all that is wrong with it, and the model stays as it is.
#[test]
fn a_saved_model_that_does_not_fit() {
    let rng = &mut rng();
    let mut net = Sequential::new()
        .push(Conv2d::new(1, 4, 3, rng).without_bias())
        .push(BatchNorm2d::new(3).without_affine())
        .push(Relu)
        .push(BatchNorm1d::new(3));
    let before: Vec<Tensor> = net.params().iter().map(|(_, param)| param.value().clone()).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/cnn.safetensors");
    let message = load(&mut net, path).unwrap_err().to_string();
    for part in [
        "0.weight has shape [3, 1, 3, 3] in the file, [4, 1, 3, 3] in the model",
        "0.bias is not in the model",
        "1.weight is not in the model",
        "1.bias is not in the model",
        "3.weight is missing",
        "3.running_mean is missing",
        "3.num_batches_tracked is missing",
        "and 1 more",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(!message.contains("1.running_mean"), "{message}");
    let after: Vec<Tensor> = net.params().iter().map(|(_, param)| param.value().clone()).collect();
    assert_eq!(before, after);
}

/// No case of the file is forgotten here: each name stands in this text, or the part before what a loop puts after it.
#[test]
fn every_case_is_compared() {
    let source = include_str!("golden_layers.rs");
    for name in FILE.lines().filter_map(|line| line.strip_prefix("case ")) {
        let in_a_loop = |end: usize| source.contains(&format!("\"{}_{{", &name[..end]));
        let known = source.contains(&format!("\"{name}\""));
        assert!(known || name.match_indices('_').any(|(end, _)| in_a_loop(end)), "{name}");
    }
}

/// `BatchNorm1d` as `batch_norm1d`; a capital letter behind another begins no word: `prelu`.
fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for (i, c) in name.char_indices() {
        let behind_small = i > 0 && !name[..i].ends_with(|c: char| c.is_uppercase());
        if c.is_uppercase() && behind_small {
            text.push('_');
        }
        text.extend(c.to_lowercase());
    }
    text
}

/// Every layer of the library is compared in four configurations at least, here or in `sequences_golden.rs`.
#[test]
fn no_layer_lacks_cases() {
    // Options; layers of any number of axes, which are compared under each; and what PyTorch does not have.
    let others = [
        "AttentionMask, RecurrentOptions, RecurrentState, Sizes, TransformerOptions",
        "AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, BatchNorm, Conv, ConvTranspose, InstanceNorm, LpPool, MaxPool",
        "PositionalEncoding, Step",
    ];
    let others: Vec<&str> = others.iter().flat_map(|line| line.split(", ")).collect();
    // As they are called in the golden files of sequences.
    let sequences = [
        ("Rnn", "tanh"),
        ("Lstm", "lstm"),
        ("Gru", "gru"),
        ("RnnCell", "tanh_cell"),
        ("LstmCell", "lstm_cell"),
        ("GruCell", "gru_cell"),
        ("MultiheadAttention", "attention"),
        ("TransformerEncoderLayer", "encoder"),
        ("TransformerDecoderLayer", "decoder"),
    ];
    let exported = include_str!("../src/layers/mod.rs").split("pub use ").skip(1);
    let names: Vec<&str> = exported
        .flat_map(|text| {
            text.split(';').next().unwrap().split("::").last().unwrap().split([',', '{', '}', ' ', '\n'])
        })
        .filter(|name| !name.is_empty() && !others.contains(name))
        .collect();
    assert!(names.len() > 60, "{names:?}");
    let layers: Vec<String> = names.iter().map(|name| snake_case(name)).collect();
    let belongs = |case: &str, layer: &str| case == layer || case.starts_with(&format!("{layer}_"));
    // Of `gelu` and `gelu_tanh` the longer one has the case.
    let layer_of =
        |case: &str| layers.iter().filter(|layer| belongs(case, layer)).max_by_key(|layer| layer.len());
    let header = String::from_utf8_lossy(include_bytes!("golden/sequences.safetensors")).into_owned();
    let lacks = |(name, layer): (&&str, &String)| {
        let count = match sequences.iter().find(|(sequence, _)| sequence == name) {
            Some((_, kind)) => {
                let cases = header.split('"').filter(|key| key.starts_with(&format!("{kind} ")));
                cases.map(|key| key.split('|').next()).collect::<BTreeSet<_>>().len()
            }
            None => {
                let cases = FILE.lines().filter_map(|line| line.strip_prefix("case "));
                cases.filter(|case| layer_of(case) == Some(layer)).count()
            }
        };
        (count < 4).then(|| format!("{name}: {count}"))
    };
    let lacking: Vec<String> = names.iter().zip(&layers).filter_map(lacks).collect();
    assert!(lacking.is_empty(), "fewer than 4 cases: {lacking:?}");
}
