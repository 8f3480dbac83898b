//! Outputs and gradients of layers' operations equal PyTorch's: `golden/layers.py` has computed them in double precision.

use gradus_autograd::prelude::*;

use crate::numbers::Numbers;

/// A case of the file.
#[derive(Default)]
struct Case {
    inputs: Vec<Tensor>,
    cotangent: Option<Tensor>,
    output: Option<Numbers>,
    gradients: Vec<Numbers>,
}

fn case(name: &str) -> Case {
    let text = include_str!("golden/layers.txt");
    let mut case = Case::default();
    let mut lines = text.lines().skip_while(|line| *line != format!("case {name}")).skip(1).peekable();
    assert!(lines.peek().is_some(), "no case {name}");
    for line in lines.take_while(|line| !line.starts_with("case ")) {
        let (kind, numbers) = line.split_once(' ').unwrap();
        let numbers = Numbers::read(numbers).unwrap();
        match kind {
            "input" => case.inputs.push(numbers.to_tensor()),
            "cotangent" => case.cotangent = Some(numbers.to_tensor()),
            "output" => case.output = Some(numbers),
            "gradient" => case.gradients.push(numbers),
            _ => panic!("{line}"),
        }
    }
    case
}

/// Every number here is reached by at most some so many roundings of numbers that are at most the largest input.
const ROUNDINGS: f64 = 32.0;

/// Compares outputs and gradients, by the fast sweep and by the recorded rules, on plain and on reversed inputs.
#[track_caller]
fn check(name: &str, f: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>) {
    let case = case(name);
    let (cotangent, output) = (case.cotangent.unwrap(), case.output.unwrap());
    let magnitude = |x: &Tensor| x.iter().fold(1.0f64, |largest, x| largest.max(x.abs().into()));
    let scale = case.inputs.iter().map(magnitude).fold(magnitude(&cotangent), f64::max);
    let roundings = ROUNDINGS * scale;
    for reversed in [false, true] {
        let tape = Tape::new();
        let lay = |x: &Tensor| if reversed { x.flip(-1).contiguous().flip(-1) } else { x.clone() };
        let inputs: Vec<Var<'_>> = case.inputs.iter().map(|x| tape.var(lay(x))).collect();
        let y = f(&inputs);
        output.check(name, &y.value(), roundings);
        let swept = y.backward_from(cotangent.clone());
        let recorded = y.grad_from(tape.constant(cotangent.clone()), &inputs);
        for (i, (x, expected)) in inputs.iter().zip(&case.gradients).enumerate() {
            expected.check(&format!("{name}, gradient {i}"), &swept[*x], roundings);
            let recorded = recorded[i].unwrap().value();
            expected.check(&format!("{name}, recorded gradient {i}"), &recorded, roundings);
        }
    }
}

#[test]
fn normalisations() {
    check("layer_norm", |v| v[0].layer_norm([3, 4], Some(&v[1]), Some(&v[2]), 1e-5));
    check("layer_norm_plain", |v| v[0].layer_norm([4], None, None, 1e-3));
    check("layer_norm_long", |v| v[0].layer_norm([37], Some(&v[1]), Some(&v[2]), 1e-5));
    check("rms_norm", |v| v[0].rms_norm([4], Some(&v[1]), 1e-5));
    for name in ["batch_norm", "batch_norm_long", "batch_norm_rank_2"] {
        check(name, |v| {
            let [y, ..] = v[0].batch_norm(Some(&v[1]), Some(&v[2]), 1e-5);
            y
        });
    }
    check("batch_norm_mean", |v| {
        let [_, mean, _] = v[0].batch_norm(None, None, 1e-5);
        mean
    });
    check("batch_norm_variance", |v| {
        let [_, _, variance] = v[0].batch_norm(None, None, 1e-5);
        variance
    });
    check("batch_norm_with", |v| {
        let [mean, variance] = [[0.25, -1.5], [0.5, 2.25]].map(|numbers| v[0].place().constant(numbers));
        v[0].batch_norm_with(&mean, &variance, Some(&v[1]), Some(&v[2]), 1e-3)
    });
    check("group_norm", |v| v[0].group_norm(2, Some(&v[1]), Some(&v[2]), 1e-5));
    check("instance_norm", |v| v[0].instance_norm(Some(&v[1]), Some(&v[2]), 1e-5));
}

#[test]
fn attention() {
    check("attention", |v| v[0].scaled_dot_product_attention(&v[1], &v[2], None, None, false));
    check("attention_mask", |v| {
        let mask = [[1.0, 0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0, 1.0]];
        v[0].scaled_dot_product_attention(&v[1], &v[2], Some(&v[0].place().constant(mask)), None, false)
    });
    check("attention_causal", |v| v[0].scaled_dot_product_attention(&v[1], &v[2], None, None, true));
}

#[test]
fn convolutions() {
    let options = Conv1dOptions { stride: [2], padding: [3], dilation: [2], groups: 2 };
    check("conv1d", |v| v[0].conv1d(&v[1], Some(&v[2]), options));
    let options = Conv1dOptions { stride: [3], padding: [1], dilation: [2], groups: 2 };
    check("conv_transpose1d", |v| v[0].conv_transpose1d(&v[1], Some(&v[2]), 2, options));
    let options = Conv2dOptions { stride: [2, 1], padding: [1, 2], dilation: [1, 3], groups: 2 };
    check("conv2d", |v| v[0].conv2d(&v[1], Some(&v[2]), options));
    let options = Conv2dOptions { stride: [2, 3], padding: [1, 0], dilation: [2, 1], groups: 2 };
    check("conv_transpose2d", |v| v[0].conv_transpose2d(&v[1], Some(&v[2]), [1, 2], options));
    let options = Conv2dOptions { stride: [2, 1], padding: [1, 0], dilation: [1, 2], groups: 1 };
    check("unfold", |v| v[0].unfold([2, 3], options));
    check("fold", |v| v[0].fold([4, 5], [2, 3], options));
}

#[test]
fn poolings() {
    check("max_pool1d", |v| v[0].max_pool1d(3, 2, 1, 2, true));
    check("avg_pool1d", |v| v[0].avg_pool1d(4, 3, 2, true, false));
    check("adaptive_max_pool1d", |v| v[0].adaptive_max_pool1d(4));
    check("adaptive_avg_pool1d", |v| v[0].adaptive_avg_pool1d(4));
    check("max_pool2d", |v| v[0].max_pool2d([2, 3], [2, 2], [1, 1], [2, 1], true));
    check("avg_pool2d", |v| v[0].avg_pool2d([2, 3], [2, 2], [1, 1], true, true));
    check("avg_pool2d_without_pad", |v| v[0].avg_pool2d([2, 3], [2, 2], [1, 1], true, false));
    check("adaptive_max_pool2d", |v| v[0].adaptive_max_pool2d([4, 3]));
    check("adaptive_avg_pool2d", |v| v[0].adaptive_avg_pool2d([4, 3]));
    check("max_unpool2d", |v| {
        let (y, winners) = v[0].max_pool2d_with_indices([2, 2], [2, 2], [0, 0], [1, 1], false);
        y.max_unpool2d(&winners, [6, 7])
    });
}

#[test]
fn volumes() {
    let options = Conv3dOptions { stride: [2, 1, 2], padding: [1, 0, 1], dilation: [1, 2, 1], groups: 2 };
    check("conv3d", |v| v[0].conv3d(&v[1], Some(&v[2]), options));
    let options = Conv3dOptions { stride: [2, 1, 3], padding: [1, 0, 1], dilation: [1, 2, 1], groups: 2 };
    check("conv_transpose3d", |v| v[0].conv_transpose3d(&v[1], Some(&v[2]), [1, 0, 2], options));
    check("max_pool3d", |v| v[0].max_pool3d([2, 3, 2], [2, 1, 2], [1, 1, 0], [2, 1, 1], true));
    check("avg_pool3d", |v| v[0].avg_pool3d([2, 3, 2], [2, 1, 2], [1, 1, 0], true, true));
    check("avg_pool3d_without_pad", |v| v[0].avg_pool3d([2, 3, 2], [2, 1, 2], [1, 1, 0], true, false));
}

#[test]
fn sizes_of_images() {
    check("upsample_nearest2d", |v| v[0].upsample_nearest2d([7, 6]));
    check("downsample_nearest2d", |v| v[0].upsample_nearest2d([2, 3]));
    check("upsample_bilinear2d", |v| v[0].upsample_bilinear2d([7, 6], false));
    check("upsample_bilinear2d_corners", |v| v[0].upsample_bilinear2d([7, 6], true));
    check("downsample_bilinear2d", |v| v[0].upsample_bilinear2d([2, 3], false));
    check("pixel_shuffle", |v| v[0].pixel_shuffle(2));
    check("pixel_unshuffle", |v| v[0].pixel_unshuffle(2));
}
