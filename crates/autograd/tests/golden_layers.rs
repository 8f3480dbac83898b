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
    check_formula(name, &f);
}

// Compiled once, not for each of the closures.
fn check_formula(name: &str, f: &dyn for<'t> Fn(&[Var<'t>]) -> Var<'t>) {
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
    check("attention", |v| v[0].scaled_dot_product_attention(&v[1], &v[2], AttentionOptions::default()));
    let mask =
        Tensor::from([[1.0, 0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0, 1.0]]);
    check("attention_mask", |v| {
        let mask = v[0].place().constant(&mask);
        let options = AttentionOptions { mask: Some(&mask), ..Default::default() };
        v[0].scaled_dot_product_attention(&v[1], &v[2], options)
    });
    check("attention_causal", |v| {
        let options = AttentionOptions { is_causal: true, ..Default::default() };
        v[0].scaled_dot_product_attention(&v[1], &v[2], options)
    });
    fn grouped<'a, V>(options: AttentionOptions<'a, V>) -> AttentionOptions<'a, V> {
        AttentionOptions { enable_gqa: true, ..options }
    }
    check("attention_scale", |v| {
        let options = AttentionOptions { scale: Some(0.3), ..Default::default() };
        v[0].scaled_dot_product_attention(&v[1], &v[2], options)
    });
    for name in ["attention_grouped", "attention_grouped_values"] {
        check(name, |v| v[0].scaled_dot_product_attention(&v[1], &v[2], grouped(Default::default())));
    }
    check("attention_grouped_mask", |v| {
        let mask = v[0].place().constant(&mask);
        let options = AttentionOptions { mask: Some(&mask), scale: Some(-1.5), ..Default::default() };
        v[0].scaled_dot_product_attention(&v[1], &v[2], grouped(options))
    });
    check("attention_grouped_causal", |v| {
        let options = AttentionOptions { is_causal: true, ..Default::default() };
        v[0].scaled_dot_product_attention(&v[1], &v[2], grouped(options))
    });
    check("attention_grouped_bias", |v| {
        let options = AttentionOptions { bias: Some(&v[3]), ..Default::default() };
        v[0].scaled_dot_product_attention(&v[1], &v[2], grouped(options))
    });
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
    check("max_pool1d", |v| {
        v[0].max_pool1d(PoolOptions {
            stride: [2],
            padding: [1],
            dilation: [2],
            ceil_mode: true,
            ..PoolOptions::from(3)
        })
    });
    check("avg_pool1d", |v| {
        v[0].avg_pool1d(PoolOptions {
            stride: [3],
            padding: [2],
            ceil_mode: true,
            count_include_pad: false,
            ..PoolOptions::from(4)
        })
    });
    check("adaptive_max_pool1d", |v| v[0].adaptive_max_pool1d(4));
    check("adaptive_avg_pool1d", |v| v[0].adaptive_avg_pool1d(4));
    check("max_pool2d", |v| {
        v[0].max_pool2d(PoolOptions {
            stride: [2, 2],
            padding: [1, 1],
            dilation: [2, 1],
            ceil_mode: true,
            ..PoolOptions::new([2, 3])
        })
    });
    let options =
        PoolOptions { stride: [2, 2], padding: [1, 1], ceil_mode: true, ..PoolOptions::new([2, 3]) };
    check("avg_pool2d", |v| v[0].avg_pool2d(options));
    check("avg_pool2d_without_pad", |v| v[0].avg_pool2d(PoolOptions { count_include_pad: false, ..options }));
    check("adaptive_max_pool2d", |v| v[0].adaptive_max_pool2d([4, 3]));
    check("adaptive_avg_pool2d", |v| v[0].adaptive_avg_pool2d([4, 3]));
    // PyTorch has no gaps in means: these are of every second element of longer windows.
    let gaps = PoolOptions { stride: [2], dilation: [2], ..PoolOptions::from(3) };
    check("avg_pool1d_dilated", |v| v[0].avg_pool1d(gaps));
    check("max_unpool2d", |v| {
        let (y, winners) = v[0].max_pool2d_with_indices(2);
        y.max_unpool2d(&winners, [6, 7])
    });
}

#[test]
fn volumes() {
    let options = Conv3dOptions { stride: [2, 1, 2], padding: [1, 0, 1], dilation: [1, 2, 1], groups: 2 };
    check("conv3d", |v| v[0].conv3d(&v[1], Some(&v[2]), options));
    let options = Conv3dOptions { stride: [2, 1, 3], padding: [1, 0, 1], dilation: [1, 2, 1], groups: 2 };
    check("conv_transpose3d", |v| v[0].conv_transpose3d(&v[1], Some(&v[2]), [1, 0, 2], options));
    check("max_pool3d", |v| {
        v[0].max_pool3d(PoolOptions {
            stride: [2, 1, 2],
            padding: [1, 1, 0],
            dilation: [2, 1, 1],
            ceil_mode: true,
            ..PoolOptions::new([2, 3, 2])
        })
    });
    let options =
        PoolOptions { stride: [2, 1, 2], padding: [1, 1, 0], ceil_mode: true, ..PoolOptions::new([2, 3, 2]) };
    check("avg_pool3d", |v| v[0].avg_pool3d(options));
    check("avg_pool3d_without_pad", |v| v[0].avg_pool3d(PoolOptions { count_include_pad: false, ..options }));
    let options = PoolOptions { stride: [2; 3], padding: [1, 1, 0], ..PoolOptions::new([2, 3, 2]) };
    let fifths = PoolOptions { ceil_mode: true, divisor_override: Some(5), ..options };
    check("avg_pool3d_divisor", |v| v[0].avg_pool3d(fifths));
    check("adaptive_max_pool3d", |v| v[0].adaptive_max_pool3d([3, 1, 2]));
    check("adaptive_avg_pool3d", |v| v[0].adaptive_avg_pool3d([3, 1, 2]));
    let options = PoolOptions { stride: [2, 1, 2], ceil_mode: true, ..PoolOptions::new([2, 3, 2]) };
    check("lp_pool3d", |v| v[0].lp_pool3d(2.0, options));
}

#[test]
fn sizes_of_images() {
    let linear = |align_corners| Interpolation::Linear { align_corners };
    let cubic = |align_corners| Interpolation::Cubic { align_corners };
    check("upsample_nearest2d", |v| v[0].interpolate([7, 6], Interpolation::Nearest));
    check("downsample_nearest2d", |v| v[0].interpolate([2, 3], Interpolation::Nearest));
    check("upsample_bilinear2d", |v| v[0].interpolate([7, 6], linear(false)));
    check("upsample_bilinear2d_corners", |v| v[0].interpolate([7, 6], linear(true)));
    check("downsample_bilinear2d", |v| v[0].interpolate([2, 3], linear(false)));
    for (name, size) in [("up", [7, 5]), ("down", [2, 3]), ("same", [3, 4]), ("one", [1, 1])] {
        check(&format!("nearest_exact_{name}"), |v| v[0].interpolate(size, Interpolation::NearestExact));
        check(&format!("bicubic_{name}"), |v| v[0].interpolate(size, cubic(false)));
        check(&format!("bicubic_corners_{name}"), |v| v[0].interpolate(size, cubic(true)));
    }
    check("bicubic_of_one", |v| v[0].interpolate([3, 2], cubic(false)));
    for (name, factors) in [("2.4", [2.4, 2.4]), ("1.4_0.6", [1.4, 0.6]), ("0.7_3", [0.7, 3.0])] {
        for recompute in [false, true] {
            let to = Resize::from(factors);
            let to = if recompute { to.recompute_scale_factor() } else { to };
            let ways = [
                ("nearest", Interpolation::Nearest),
                ("nearest-exact", Interpolation::NearestExact),
                ("bilinear", linear(false)),
                ("bilinear_corners", linear(true)),
                ("bicubic", cubic(false)),
                ("bicubic_corners", cubic(true)),
            ];
            let kind = if recompute { "_recomputed" } else { "" };
            for (mode, how) in ways {
                check(&format!("{mode}_by_{name}{kind}"), |v| v[0].interpolate(to.clone(), how));
            }
        }
    }
    // An axis that keeps its size: what is linear stays as it is, what is cubic moves by the factor.
    check("bilinear_by_1.3_1.6", |v| v[0].interpolate([1.3, 1.6], linear(false)));
    check("bicubic_by_1.3_1.6", |v| v[0].interpolate([1.3, 1.6], cubic(false)));
    for (mode, how) in [
        ("nearest-exact", Interpolation::NearestExact),
        ("linear", linear(false)),
        ("linear_corners", linear(true)),
    ] {
        check(&format!("{mode}_row"), |v| v[0].interpolate([7], how));
        check(&format!("{mode}_row_by_1.6"), |v| v[0].interpolate(1.6, how));
        check(&format!("{mode}_volume"), |v| v[0].interpolate([4, 2, 5], how));
        check(&format!("{mode}_volume_by_1.5"), |v| v[0].interpolate(1.5, how));
    }
    check("pixel_shuffle", |v| v[0].pixel_shuffle(2));
    check("pixel_unshuffle", |v| v[0].pixel_unshuffle(2));
}
