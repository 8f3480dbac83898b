//! Products, convolution, pooling, normalisation, resizing and recurrence: what layers are made of.

use crate::{
    graph::{Graph, Name, float, int, ints, text},
    translate::{Step, Translated},
};
use gradus_autograd::ops::{
    attention::DotProductAttention,
    conv::{Conv2d, Conv2dInputGrad, Unfold},
    grid_sample::{GridMode, GridPadding, GridSample},
    interpolation::Interpolate,
    linear::CosineSimilarity,
    normalize::{GroupNorm, LayerNorm, LogSoftmax, RmsNorm, Softmax},
    pool::{AvgPool2d, MaxPool2d},
    recurrence::{Cell, Recurrence},
};
use gradus_tensor::{Conv2dOptions, GridOptions, Interpolation, Pool2d, PoolOptions, Tensor};

pub(crate) fn translate(step: &mut Step<'_>) -> Translated {
    if step.name == "recurrence" {
        return Ok(Some(recurrence(step)));
    }
    let inputs = step.inputs.clone();
    let inputs: Vec<&str> = inputs.iter().map(|name| &name[..]).collect();
    let one = match step.name {
        "matmul" => step.graph.node("MatMul", &inputs, vec![]),
        "linear" => linear(step.graph, &inputs, step.shapes[0].rank()),
        "cosine_similarity" => cosine(step, &inputs),
        "scaled_dot_product_attention" => attention(step, &inputs),
        "conv2d" => {
            let Conv2d(options) = step.op();
            step.graph.node("Conv", &inputs, moves(&options, &step.shapes[1][2..]))
        }
        "unfold" => unfold(step, inputs[0]),
        "conv2d_input_grad" => {
            let op: Conv2dInputGrad = step.op();
            transposed(step, &inputs, &op)?
        }
        "max_pool2d" => {
            let MaxPool2d { windows } = step.op();
            let attributes = pool(&windows)?;
            step.graph.node("MaxPool", &inputs, attributes)
        }
        "avg_pool2d" => {
            let AvgPool2d { windows } = step.op();
            average(step, &inputs, &windows)?
        }
        "softmax" => {
            let Softmax { axis } = step.op();
            step.graph.node("Softmax", &inputs, vec![int("axis", axis as i64)])
        }
        "log_softmax" => {
            let LogSoftmax { axis } = step.op();
            step.graph.node("LogSoftmax", &inputs, vec![int("axis", axis as i64)])
        }
        "layer_norm" => {
            let LayerNorm { normalized_shape, eps } = step.op();
            let attributes =
                vec![int("axis", -(normalized_shape.rank() as i64)), float("epsilon", eps.into())];
            let scale = match inputs.get(1) {
                Some(&weight) => weight.to_owned(),
                None => step.graph.tensor(&Tensor::ones(&normalized_shape)),
            };
            let inputs: Vec<&str> = [inputs[0], &scale].into_iter().chain(inputs.get(2).copied()).collect();
            step.graph.node("LayerNormalization", &inputs, attributes)
        }
        "rms_norm" => {
            let RmsNorm { normalized_shape, eps } = step.op();
            let rank = step.shape.rank();
            let axes: Vec<usize> = (rank - normalized_shape.rank()..rank).collect();
            let squares = step.graph.of_two("Mul", inputs[0], inputs[0]);
            let mean = step.graph.reduce("ReduceMean", &squares, &axes, true);
            let sum = step.graph.with_number("Add", &mean, eps.into());
            let root = step.graph.node("Sqrt", &[&sum], vec![]);
            let y = step.graph.of_two("Div", inputs[0], &root);
            match inputs.get(1) {
                Some(weight) => step.graph.of_two("Mul", &y, weight),
                None => y,
            }
        }
        "group_norm" => group_norm(step, &inputs),
        "batch_norm" => {
            return Err("was recorded in training; on Tape::evaluating() it has its running averages");
        }
        "dropout" => return Err("was recorded in training; Tape::evaluating() records none"),
        "interpolate" => interpolate(step, inputs[0])?,
        "grid_sample" => {
            let GridSample(GridOptions { mode, padding, align_corners }) = step.op();
            let mode = match mode {
                GridMode::Bilinear => "linear",
                GridMode::Nearest => "nearest",
            };
            let padding = match padding {
                GridPadding::Zeros => "zeros",
                GridPadding::Border => "border",
                GridPadding::Reflection => "reflection",
            };
            let attributes = vec![
                text("mode", mode),
                text("padding_mode", padding),
                int("align_corners", align_corners.into()),
            ];
            step.graph.node("GridSample", &inputs, attributes)
        }
        _ => return Ok(None),
    };
    Ok(Some(vec![one]))
}

/// x Wᵀ + b
fn linear(graph: &mut Graph, inputs: &[&str], rank: usize) -> Name {
    if rank == 2 {
        return graph.node("Gemm", inputs, vec![int("transB", 1)]);
    }
    let weight = graph.node("Transpose", &[inputs[1]], vec![ints("perm", [1, 0])]);
    let product = graph.of_two("MatMul", inputs[0], &weight);
    match inputs.get(2) {
        Some(bias) => graph.of_two("Add", &product, bias),
        None => product,
    }
}

/// The product of vectors along an axis over that of their lengths.
fn cosine(step: &mut Step<'_>, inputs: &[&str]) -> Name {
    let CosineSimilarity { axis } = step.op();
    let rank = step.shapes[0].rank().max(step.shapes[1].rank());
    let axis = [(if axis < 0 { axis + rank as isize } else { axis }) as usize];
    let graph = &mut *step.graph;
    let products = graph.of_two("Mul", inputs[0], inputs[1]);
    let sum = graph.reduce("ReduceSum", &products, &axis, false);
    let shapes = step.shapes.clone();
    let lengths = [0, 1].map(|k| {
        // Before they broadcast, one may have fewer axes.
        let own = axis[0] - (rank - shapes[k].rank());
        graph.reduce("ReduceL2", inputs[k], &[own], false)
    });
    let product = graph.of_two("Mul", &lengths[0], &lengths[1]);
    graph.of_two("Div", &sum, &product)
}

/// The softmax of scaled scores over the keys that are seen, times the values.
fn attention(step: &mut Step<'_>, inputs: &[&str]) -> Name {
    let DotProductAttention { is_causal, scale } = step.op();
    let (q, rank) = (step.shapes[0].clone(), step.shapes[0].rank());
    let (queries, keys, d) = (q[rank - 2], step.shapes[1][rank - 2], q[rank - 1]);
    let graph = &mut *step.graph;
    let scaled = match scale {
        None => graph.with_number("Div", inputs[0], (d as f32).sqrt().into()),
        Some(scale) => graph.with_number("Mul", inputs[0], scale.into()),
    };
    let mut turned: Vec<usize> = (0..rank).collect();
    turned.swap(rank - 2, rank - 1);
    let turned = graph.node("Transpose", &[inputs[1]], vec![ints("perm", turned)]);
    let mut scores = graph.of_two("MatMul", &scaled, &turned);
    // Where a query sees nothing the softmax is not NaN, and the weights become 0 after.
    let hidden = graph.number(f32::MIN.into());
    let zero = graph.number(0.0);
    let mut masks = Vec::new();
    if is_causal {
        let sees = |index: &[usize]| if index[1] <= index[0] { 1.0 } else { 0.0 };
        masks.push(graph.tensor(&Tensor::from_fn([queries, keys], sees)));
    }
    masks.extend(inputs.get(3).map(|&mask| mask.to_owned()));
    let masks: Vec<Name> = masks.iter().map(|mask| graph.as_condition(mask)).collect();
    for mask in &masks {
        scores = graph.node("Where", &[mask, &scores, &hidden], vec![]);
    }
    let mut weights = graph.node("Softmax", &[&scores], vec![int("axis", -1)]);
    for mask in &masks {
        weights = graph.node("Where", &[mask, &weights, &zero], vec![]);
    }
    graph.of_two("MatMul", &weights, inputs[2])
}

/// How a kernel moves.
fn moves(options: &Conv2dOptions, kernel: &[usize]) -> Vec<crate::proto::Attribute> {
    let Conv2dOptions { stride, padding: [top, left], dilation, groups } = *options;
    vec![
        ints("kernel_shape", kernel.iter().copied()),
        ints("strides", stride),
        ints("pads", [top, left, top, left]),
        ints("dilations", dilation),
        int("group", groups as i64),
    ]
}

/// Patches as the channels of a convolution, each of whose kernels has a single 1.
fn unfold(step: &mut Step<'_>, x: &str) -> Name {
    let Unfold { kernel, options } = step.op();
    let (channels, taps) = (step.shapes[0][1], kernel[0] * kernel[1]);
    let one = |i: &[usize]| if i[0] % taps == i[2] * kernel[1] + i[3] { 1.0 } else { 0.0 };
    let weight = step.graph.tensor(&Tensor::from_fn([channels * taps, 1, kernel[0], kernel[1]], one));
    let attributes = moves(&Conv2dOptions { groups: channels, ..options }, &kernel);
    let patches = step.graph.node("Conv", &[x, &weight], attributes);
    step.graph.reshape(&patches, &step.shape)
}

fn transposed(step: &mut Step<'_>, inputs: &[&str], op: &Conv2dInputGrad) -> Result<Name, &'static str> {
    let kernel = &step.shapes[0][2..];
    let options = &op.options;
    let mut more = [0; 2];
    for axis in 0..2 {
        let whole = (step.shapes[1][2 + axis] - 1) * options.stride[axis]
            + options.dilation[axis] * (kernel[axis] - 1)
            + 1;
        more[axis] = (op.size[axis] + 2 * options.padding[axis])
            .checked_sub(whole)
            .ok_or("cuts off more than its padding does")?;
    }
    let mut attributes = moves(options, kernel);
    attributes.push(ints("output_padding", more));
    Ok(step.graph.node("ConvTranspose", &[inputs[1], inputs[0]], attributes))
}

fn pool(windows: &Pool2d) -> Result<Vec<crate::proto::Attribute>, &'static str> {
    let Pool2d::Sliding(options) = windows else {
        return Err("has windows of several sizes, which ONNX's poolings have not");
    };
    let PoolOptions { kernel, stride, padding: [top, left], dilation, ceil_mode, .. } = *options;
    Ok(vec![
        ints("kernel_shape", kernel),
        ints("strides", stride),
        ints("pads", [top, left, top, left]),
        ints("dilations", dilation),
        int("ceil_mode", ceil_mode.into()),
    ])
}

fn average(step: &mut Step<'_>, inputs: &[&str], windows: &Pool2d) -> Result<Name, &'static str> {
    // Of one window over all there is a word of its own.
    if step.shape[2..] == [1, 1] && matches!(windows, Pool2d::Adaptive { .. }) {
        return Ok(step.graph.node("GlobalAveragePool", inputs, vec![]));
    }
    let mut attributes = pool(windows)?;
    if let Pool2d::Sliding(options) = windows {
        if options.divisor_override.is_some() {
            return Err("divides by a number of its own, which ONNX's does not");
        }
        attributes.push(int("count_include_pad", options.count_include_pad.into()));
    }
    Ok(step.graph.node("AveragePool", inputs, attributes))
}

fn group_norm(step: &mut Step<'_>, inputs: &[&str]) -> Name {
    let GroupNorm { groups, eps } = step.op();
    let (shape, graph) = (step.shape.clone(), &mut *step.graph);
    let (images, channels) = (shape[0], shape[1]);
    let rest: usize = shape[1..].iter().product::<usize>() / groups;
    let rows = graph.reshape(inputs[0], &[images, groups, rest]);
    let [ones, zeros] = [1.0, 0.0].map(|x| graph.tensor(&Tensor::full([groups], x)));
    let attributes = vec![float("epsilon", eps.into())];
    let normal = graph.node("InstanceNormalization", &[&rows, &ones, &zeros], attributes);
    let mut y = graph.reshape(&normal, &shape);
    let by_channel = [&[channels][..], &vec![1; shape.rank() - 2]].concat();
    for (op, of_channel) in ["Mul", "Add"].iter().zip(&inputs[1..]) {
        let of_channel = graph.reshape(of_channel, &by_channel);
        y = graph.of_two(op, &y, &of_channel);
    }
    y
}

fn interpolate(step: &mut Step<'_>, x: &str) -> Result<Name, &'static str> {
    let Interpolate { axis, size, scale, how } = step.op();
    let shape = step.shapes[0].clone();
    let axis = (if axis < 0 { axis + shape.rank() as isize } else { axis }) as usize;
    let (mode, corners, nearest) = match how {
        Interpolation::Nearest => ("nearest", "asymmetric", Some("floor")),
        Interpolation::NearestExact => ("nearest", "half_pixel", Some("round_prefer_ceil")),
        Interpolation::Linear { align_corners: false } => ("linear", "half_pixel", None),
        Interpolation::Linear { align_corners: true } => ("linear", "align_corners", None),
        Interpolation::Cubic { align_corners: false } => ("cubic", "half_pixel", None),
        Interpolation::Cubic { align_corners: true } => ("cubic", "align_corners", None),
    };
    if scale.is_some_and(|scale| scale * shape[axis] as f64 != size as f64) {
        return Err("has a factor that does not give its size exactly; give the size");
    }
    let mut attributes = vec![text("mode", mode), text("coordinate_transformation_mode", corners)];
    attributes.extend(nearest.map(|nearest| text("nearest_mode", nearest)));
    attributes.push(ints("axes", [axis]));
    let sizes = step.graph.sizes(&[size]);
    Ok(step.graph.node("Resize", &[x, "", "", &sizes], attributes))
}

/// Step by step.
fn recurrence(step: &mut Step<'_>) -> Vec<Name> {
    let op: Recurrence = step.op();
    let (inputs, shapes) = (step.inputs.clone(), step.shapes.clone());
    let [steps, n, _] = shapes[0][..] else { unreachable!("the shape rule asks for three axes") };
    let graph = &mut *step.graph;
    let (weights, state) = inputs.split_at(inputs.len() - op.cell.states());
    let transposed = |graph: &mut Graph, x: &str| graph.node("Transpose", &[x], vec![ints("perm", [1, 0])]);
    let weight = transposed(graph, &weights[1]);
    let projection = op.projected.then(|| transposed(graph, &weights[weights.len() - 1]));
    let bias = (weights.len() - usize::from(op.projected) == 3).then(|| weights[2].clone());
    let mut state: Vec<Name> = state.to_vec();
    let mut outputs: Vec<Name> = vec![String::new(); steps];
    let order: Vec<usize> = if op.reverse { (0..steps).rev().collect() } else { (0..steps).collect() };
    for t in order {
        let a = graph.slice(&inputs[0], 0, t as i64, 1, 1);
        let a = graph.reshape(&a, &shapes[0][1..]);
        let mut u = graph.of_two("MatMul", &state[0], &weight);
        if let Some(bias) = &bias {
            u = graph.of_two("Add", &u, bias);
        }
        let mut new = advance(graph, op.cell, &a, &u, &state);
        if let Some(projection) = &projection {
            new[0] = graph.of_two("MatMul", &new[0], projection);
        }
        let mut output = new[0].clone();
        if let Some(lengths) = op.lengths.as_ref().filter(|lengths| lengths.iter().any(|&length| t >= length))
        {
            let going = |index: &[usize]| if t < lengths[index[0]] { 1.0 } else { 0.0 };
            let going = graph.tensor(&Tensor::from_fn([n, 1], going));
            output = graph.of_two("Mul", &output, &going);
            let going = graph.as_condition(&going);
            for (new, old) in new.iter_mut().zip(&state) {
                *new = graph.node("Where", &[&going, new, old], vec![]);
            }
        }
        let last = *shapes[0].last().expect("three axes");
        let hidden = if op.projected { shapes[1][1] } else { last / op.cell.gates() };
        outputs[t] = graph.reshape(&output, &[1, n, hidden]);
        state = new;
    }
    let outputs: Vec<&str> = outputs.iter().map(|name| &name[..]).collect();
    let all = graph.node("Concat", &outputs, vec![int("axis", 0)]);
    [all].into_iter().chain(state).collect()
}

/// One step of a cell: see [`Cell`].
fn advance(graph: &mut Graph, cell: Cell, a: &str, u: &str, state: &[Name]) -> Vec<Name> {
    let split = |graph: &mut Graph, x: &str| {
        let count = cell.gates();
        graph.several("Split", &[x], vec![int("axis", -1), int("num_outputs", count as i64)], count)
    };
    let of = |graph: &mut Graph, op: &str, x: &str| graph.node(op, &[x], vec![]);
    match cell {
        Cell::Tanh | Cell::Relu => {
            let sum = graph.of_two("Add", a, u);
            vec![of(graph, if cell == Cell::Tanh { "Tanh" } else { "Relu" }, &sum)]
        }
        Cell::Lstm => {
            let sum = graph.of_two("Add", a, u);
            let gates = split(graph, &sum);
            let kinds = ["Sigmoid", "Sigmoid", "Tanh", "Sigmoid"];
            let gates: Vec<Name> = kinds.iter().zip(&gates).map(|(op, gate)| of(graph, op, gate)).collect();
            let kept = graph.of_two("Mul", &gates[1], &state[1]);
            let new = graph.of_two("Mul", &gates[0], &gates[2]);
            let memory = graph.of_two("Add", &kept, &new);
            let squashed = of(graph, "Tanh", &memory);
            vec![graph.of_two("Mul", &gates[3], &squashed), memory]
        }
        Cell::Gru => {
            let (a, u) = (split(graph, a), split(graph, u));
            let [r, z] = [0, 1].map(|k| {
                let sum = graph.of_two("Add", &a[k], &u[k]);
                of(graph, "Sigmoid", &sum)
            });
            let reset = graph.of_two("Mul", &r, &u[2]);
            let sum = graph.of_two("Add", &a[2], &reset);
            let n = of(graph, "Tanh", &sum);
            let difference = graph.of_two("Sub", &state[0], &n);
            let share = graph.of_two("Mul", &z, &difference);
            vec![graph.of_two("Add", &n, &share)]
        }
    }
}
