//! Values and gradients of operations and losses against those of PyTorch in double precision, which `golden/golden.py`
//! writes to `golden/golden.txt`; and second derivatives against differences in f64.

use gradus_autograd::{
    check::{Report, Verdict, gradcheck},
    ops::{
        grid_sample::{GridMode, GridPadding},
        indexing::{BagMode, EmbeddingBagOptions, ScatterReduction},
        loss::{CrossEntropyOptions, NllOptions, Reduction},
    },
    prelude::*,
};

use crate::numbers::Numbers;

/// The formula of a case. What follows the first word of its name is data here, or tells cases of one formula apart.
fn formula<V: Value>(name: &str, x: &[V]) -> V {
    let (method, rest) = name.split_once(' ').unwrap_or((name, ""));
    let reduction = match name.rsplit(' ').next() {
        Some("sum") => Reduction::Sum,
        Some("none") => Reduction::None,
        _ => Reduction::Mean,
    };
    let at = x[0].place();
    let numbers = || rest.split(' ').map(|number| number.parse().unwrap()).collect::<Vec<f32>>();
    let signs = || at.constant([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]]);
    match method {
        "exp2" => x[0].exp2(),
        "log2" => x[0].log2(),
        "log10" => x[0].log10(),
        "cbrt" => x[0].cbrt(),
        "asin" => x[0].asin(),
        "acos" => x[0].acos(),
        "atan" => x[0].atan(),
        "asinh" => x[0].asinh(),
        "acosh" => x[0].acosh(),
        "atanh" => x[0].atanh(),
        "erfc" => x[0].erfc(),
        "floor" => x[0].floor(),
        "ceil" => x[0].ceil(),
        "round" => x[0].round(),
        "trunc" => x[0].trunc(),
        "sinc" => x[0].sinc(),
        "lgamma" => x[0].lgamma(),
        "digamma" => x[0].digamma(),
        "frac" => x[0].frac(),
        "clamp_min" => x[0].clamp_min(-0.5),
        "clamp_max" => x[0].clamp_max(0.5),
        "logical_not" => x[0].logical_not(),
        "clamp_between" => x[0].clamp_between(&x[1], &x[2]),
        "logit" => x[0].logit(),

        "sigmoid" => x[0].sigmoid(),
        "softsign" => x[0].softsign(),
        "mish" => x[0].mish(),
        "selu" => x[0].selu(),
        "celu" => x[0].celu(1.5),
        "elu" => x[0].elu(0.5),
        "leaky_relu" => x[0].leaky_relu(0.25),
        "gelu" => x[0].gelu(),
        "gelu_tanh" => x[0].gelu_tanh(),
        "silu" => x[0].silu(),
        "softplus" => x[0].softplus(),
        "softplus_with" => x[0].softplus_with(numbers()[0], numbers()[1]),
        "hardtanh" => x[0].hardtanh(-0.5, 1.0),
        "relu6" => x[0].relu6(),
        "hardsigmoid" => x[0].hardsigmoid(),
        "hardswish" => x[0].hardswish(),
        "threshold" => x[0].threshold(0.25, -3.0),
        "logsigmoid" => x[0].logsigmoid(),
        "hardshrink" => x[0].hardshrink(0.75),
        "softshrink" => x[0].softshrink(0.75),
        "tanhshrink" => x[0].tanhshrink(),
        // The mean slope, which rrelu has in evaluation.
        "rrelu" => x[0].leaky_relu(0.25),
        "prelu" => x[0].prelu(&x[1]),
        "glu" => x[0].glu(1),
        "softmax" => x[0].softmax(1),
        "log_softmax" => x[0].log_softmax(1),
        "softmin" => x[0].softmin(1),

        "atan2" => x[0].atan2(&x[1]),
        "hypot" => x[0].hypot(&x[1]),
        "remainder" => x[0].remainder(&x[1]),
        "fmod" => x[0].fmod(&x[1]),
        "logaddexp" => x[0].logaddexp(&x[1]),
        "xlogy" => x[0].xlogy(&x[1]),
        "copysign" => x[0].copysign(&x[1]),
        "fmax" => x[0].fmax(&x[1]),
        "fmin" => x[0].fmin(&x[1]),
        "erfinv" => x[0].erfinv(),
        "lerp" => x[0].lerp(&x[1], &x[2]),
        "not_equals" => x[0].not_equals(&x[1]),
        "logical_and" => x[0].logical_and(&x[1]),
        "logical_or" => x[0].logical_or(&x[1]),
        "logical_xor" => x[0].logical_xor(&x[1]),

        "prod" => x[0].prod_axes(1, false),
        "var" => x[0].var_axes([0, 2], 1, false),
        "std" => x[0].std_axes(1, 0, true),
        "vector_norm" if rest == "of zeros" => x[0].vector_norm(3.0, 1, false),
        "vector_norm" => x[0].vector_norm(rest.parse().unwrap(), [0, 2], false),
        "cumsum" => x[0].cumsum(1),
        "cumprod" if rest.is_empty() => x[0].cumprod(1),
        "cumprod" => x[0].cumprod(-1),
        "linear_recurrence" if rest.is_empty() => x[0].linear_recurrence(&x[1], 1),
        "linear_recurrence" => x[0].linear_recurrence(&x[1], -2),
        "cummax" => x[0].cummax(0),
        "cummin" => x[0].cummin(0),
        "logcumsumexp" => x[0].logcumsumexp(0),
        "logsumexp" => x[0].logsumexp_axes([0, 2], false),
        "max_with_indices" => x[0].max_with_indices(1).0,
        "min_with_indices" => x[0].min_with_indices(-1).0,
        "any" => x[0].any_axes(1, false),
        "all" => x[0].all_axes(1, false),

        "count_nonzero" => x[0].count_nonzero(1, false),
        "as_strided" if rest.is_empty() => x[0].as_strided([2, 3], [4, 1], 2),
        "as_strided" => x[0].as_strided([2, 3, 2], [2, 1, 3], 1),
        "diff" => x[0].diff(1),
        "movedim" => x[0].movedim(0, -1),
        "unbind" => x[0].unbind(1).swap_remove(2),
        "tile" => x[0].tile([2, 3]),
        "repeat" => x[0].repeat([2, 1, 3]),
        "repeat_interleave" => x[0].repeat_interleave(3, -2),
        "triu" => x[0].triu(1),
        "tril" => x[0].tril(-1),
        "diagonal" if rest.is_empty() => x[0].diagonal(-1, 0, 2),
        "diagonal" => x[0].diagonal(2, -2, 0),
        "diag" if rest == "of a matrix" => x[0].diag(1),
        "diag" => x[0].diag(-2),
        "trace" => x[0].trace(),
        "roll" => x[0].roll(-2, 1),
        "flip" => x[0].flip(1),
        "pad" => match rest {
            "with a constant" => x[0].pad([(0, 1), (1, 2)], Padding::Constant(7.0)),
            "by reflection" => x[0].pad([(0, 0), (2, 1)], Padding::Reflect),
            "by replication" => x[0].pad([(0, 0), (2, 3)], Padding::Replicate),
            _ => x[0].pad([(0, 0), (2, 3)], Padding::Circular),
        },
        "meshgrid" => V::meshgrid(&x.iter().collect::<Vec<_>>()).swap_remove(1),
        "chunk" => x[0].chunk(2, 1).swap_remove(1),
        "stack" => V::stack(&[&x[0], &x[1], &x[0]], 1),

        "sort" => x[0].sort(0, true).0,
        "topk" if rest.is_empty() => x[0].topk(3, 1, true).0,
        "topk" => x[0].topk(rest.split(' ').nth(2).unwrap().parse().unwrap(), 1, false).0,
        "kthvalue" => x[0].kthvalue(2, -2).0,
        "median" => x[0].median(0).0,
        "quantile" => x[0].quantile(0.3, 1),
        "gather" => x[0].gather(1, &Indices::new([2, 0, 1, 1], [2, 2])),
        "scatter" => x[0].scatter(1, &Indices::new([2, 0, 1, 2], [2, 2]), &x[1]),
        "scatter_add" => x[0].scatter_add(1, &Indices::new([2, 2, 1, 0], [2, 2]), &x[1]),
        "scatter_reduce" => {
            let how = match rest.split(' ').next() {
                Some("sum") => ScatterReduction::Sum,
                Some("prod") => ScatterReduction::Prod,
                Some("mean") => ScatterReduction::Mean,
                Some("amax") => ScatterReduction::Amax,
                _ => ScatterReduction::Amin,
            };
            let (axis, indices) = match rest.rsplit(' ').next() {
                Some("self") => (1, Indices::new([0, 2, 2, 1, 2, 3, 3, 1, 1, 0, 2, 2, 2, 2, 2], [3, 5])),
                _ => (0, Indices::from([0, 0, 1, 2, 2, 2])),
            };
            x[0].scatter_reduce(axis, &indices, &x[1], how, !rest.contains("without"))
        }
        "grid_sample" => {
            let words: Vec<&str> = rest.split(' ').collect();
            let mode = if words[0] == "nearest" { GridMode::Nearest } else { GridMode::Bilinear };
            let padding = match words[1] {
                "zeros" => GridPadding::Zeros,
                "border" => GridPadding::Border,
                _ => GridPadding::Reflection,
            };
            x[0].grid_sample(&x[1], mode, padding, words[2] == "corners")
        }
        "affine_grid" => match rest {
            "corners" => x[0].affine_grid([3, 4], true),
            _ => x[0].affine_grid([1, 4], false),
        },
        "take_along_dim" if rest.is_empty() => {
            x[0].take_along_dim(1, &Indices::new([1, 0, 1, 2, 2, 0], [2, 1, 3]))
        }
        "take_along_dim" => x[0].take_along_dim(-1, &Indices::new([2, 0, -1, 1], [1, 4])),
        "index_add" => x[0].index_add(1, &Indices::from([2, 0, -1]), &x[1]),
        "index_copy" => x[0].index_copy(-2, &Indices::from([2, 0]), &x[1]),
        "index" => x[0].index(&[&table([2, 0, -1, 1]), &table([1, 1, 3, 0])]),
        "index_put" if rest.is_empty() => {
            x[0].index_put(&[&table([2, 0, -1, 1]), &table([1, 1, 3, 0])], &x[1], false)
        }
        "index_put" => x[0].index_put(&[&table([2, 0, -1, 1]), &table([2, 0, -1, 1])], &x[1], true),
        "embedding_bag" => {
            let (mode, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            let mode = match mode {
                "sum" => BagMode::Sum,
                "mean" => BagMode::Mean,
                _ => BagMode::Max,
            };
            // Row 0 of the table from the back in one, row 3 from the front.
            let padding_index = rest.ends_with("padding").then_some(if x.len() == 2 { -4 } else { 3 });
            let options = EmbeddingBagOptions { mode, per_sample_weights: x.get(1), padding_index };
            let words = Indices::from([3, 1, 1, 0, 2, 3]);
            match rest {
                "" => x[0].embedding_bag_with(&Indices::from([0, 2, 2, 1, 3]), Some(&[0, 3, 3]), mode),
                _ if rest.ends_with("rows") => {
                    x[0].embedding_bag_with(&Indices::new([0, 3, 1, 2, 2, -2], [2, 3]), None, options)
                }
                _ => x[0].embedding_bag_with(&words, Some(&[0, 2, 2, 5]), options),
            }
        }
        "masked_select" => x[0].masked_select(&at.constant([1.0, 0.0, 1.0])),
        "embedding_with_padding" => x[0].embedding_with_padding(&Indices::new([1, 0, 2, 1], [2, 2]), 1),

        "matmul" => x[0].matmul(&x[1]),
        "dot" => x[0].dot(&x[1]),
        "outer" => x[0].outer(&x[1]),
        "einsum" => V::einsum(rest.split(" [").next().unwrap(), &x.iter().collect::<Vec<_>>()),
        "bilinear" => x[0].bilinear(&x[1], &x[2], Some(&x[3])),
        "kron" => x[0].kron(&x[1]),
        "cross" => x[0].cross(&x[1]),
        "cdist" => x[0].cdist(&x[1]),
        "cov" => x[0].cov(1),
        "corrcoef" => x[0].corrcoef(),
        "renorm" if rest == "2" => x[0].renorm(2.0, 1, 1.5),
        "renorm" => x[0].renorm(1.0, 1, 5.0),
        "lp_pool2d" => {
            x[0].lp_pool2d(rest.parse().unwrap(), PoolOptions { stride: [1, 2], ..PoolOptions::new([2, 3]) })
        }
        "lp_pool1d" => x[0].lp_pool1d(2.0, PoolOptions { stride: [2], ..PoolOptions::from(3) }),
        "normalize" if rest.is_empty() => x[0].normalize(1),
        "normalize" => x[0].normalize_with(numbers()[0], 1, numbers()[1]),
        "cosine_similarity" => x[0].cosine_similarity(&x[1], 1),
        "pairwise_distance" if rest.is_empty() => x[0].pairwise_distance(&x[1]),
        "pairwise_distance" => x[0].pairwise_distance_with(&x[1], numbers()[0], numbers()[1]),

        "mse_loss" => x[0].mse_loss_with(&x[1], reduction),
        "l1_loss" => x[0].l1_loss_with(&x[1], reduction),
        "smooth_l1_loss" if rest.starts_with("at 0") => x[0].smooth_l1_loss_with(&x[1], 0.0, reduction),
        "smooth_l1_loss" => x[0].smooth_l1_loss_with(&x[1], 0.5, reduction),
        "huber_loss" => x[0].huber_loss_with(&x[1], 0.75, reduction),
        "binary_cross_entropy" => x[0].binary_cross_entropy_with(&x[1], reduction),
        "binary_cross_entropy_with_logits" => x[0].binary_cross_entropy_with_logits_with(&x[1], reduction),
        "weighted_binary_cross_entropy_with_logits" => {
            x[0].weighted_binary_cross_entropy_with_logits_with(&x[1], &x[2], reduction)
        }
        "kl_div" => x[0].kl_div_with(&x[1], reduction),
        "poisson_nll_loss" => x[0].poisson_nll_loss_with(&x[1], reduction),
        "gaussian_nll_loss" => x[0].gaussian_nll_loss_with(&x[1], &x[2], reduction),
        "hinge_embedding_loss" => x[0].hinge_embedding_loss_with(&signs(), 0.75, reduction),
        "soft_margin_loss" => x[0].soft_margin_loss_with(&signs(), reduction),
        "margin_ranking_loss" => x[0].margin_ranking_loss_with(&x[1], &signs(), 0.25, reduction),
        "triplet_margin_loss" => x[0].triplet_margin_loss_with(&x[1], &x[2], 2.0, reduction),
        "cosine_embedding_loss" => {
            x[0].cosine_embedding_loss_with(&x[1], &at.constant([1.0, -1.0]), -0.5, reduction)
        }
        "cross_entropy" => {
            let all = rest.starts_with("with everything");
            let options = CrossEntropyOptions {
                label_smoothing: if rest.starts_with("with") { 0.25 } else { 0.0 },
                ignore_index: all.then_some(-100),
                class_weights: all.then(class_weights),
                reduction,
            };
            x[0].cross_entropy_with(&labels(all), options)
        }
        "ctc_loss" => {
            let texts: [&[i32]; 3] = [&[1, 2], &[3], &[2, 2, 1]];
            x[0].log_softmax(2).ctc_loss_with(&texts, &[5, 3, 6], 0, reduction)
        }
        "soft_cross_entropy" => x[0].soft_cross_entropy_with(&x[1], reduction),
        "nll_loss" => {
            let all = rest.starts_with("with everything");
            let options = NllOptions {
                ignore_index: all.then_some(-100),
                class_weights: all.then(class_weights),
                reduction,
            };
            x[0].nll_loss_with(&labels(all), options)
        }
        _ => panic!("no formula for {name:?}"),
    }
}

fn table(elements: [i32; 4]) -> Indices {
    Indices::new(elements, [2, 2])
}

fn labels(one_ignored: bool) -> Indices {
    Indices::new([2, if one_ignored { -100 } else { 0 }, 1, 1], [2, 2])
}

fn class_weights() -> Tensor {
    [0.5, 2.0, 1.25].into()
}

/// How many roundings of numbers as large as the largest an operation's results may be off.
const ROUNDINGS: f64 = 16.0;

/// A case of the file.
struct Case {
    name: &'static str,
    inputs: Vec<Tensor>,
    cotangent: Tensor,
    output: Numbers,
    /// None where PyTorch has no gradient.
    gradients: Vec<Option<Numbers>>,
}

fn cases() -> Vec<Case> {
    let case = |block: &'static str| {
        let (name, lines) = block.split_once('\n').unwrap();
        let all = |kind: &str| -> Vec<Option<Numbers>> {
            let of_kind = lines.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' '));
            of_kind.map(Numbers::read).collect()
        };
        let one = |kind: &str| all(kind).pop().flatten().unwrap();
        Case {
            name,
            inputs: all("in").into_iter().map(|x| x.unwrap().to_tensor()).collect(),
            cotangent: one("cotangent").to_tensor(),
            output: one("out"),
            gradients: all("gradient"),
        }
    };
    let cases: Vec<Case> = include_str!("golden/golden.txt").split("case ").skip(1).map(case).collect();
    assert!(cases.len() > 200, "{} cases", cases.len());
    cases
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    for Case { name, inputs, cotangent, output, gradients } in cases() {
        let tape = Tape::new();
        let vars: Vec<Var<'_>> = inputs.iter().map(|x| tape.var(x.clone())).collect();
        let y = formula(name, &vars);
        output.check(name, &y.value(), ROUNDINGS);
        assert_eq!(formula(name, &inputs), y.value(), "{name}: a tensor and a variable differ");
        let swept = y.backward_from(cotangent.clone());
        let recorded = y.grad_from(tape.constant(cotangent), &vars);
        for (i, gradient) in gradients.iter().enumerate() {
            let Some(gradient) = gradient else { continue };
            let zeros = || Tensor::zeros(&gradient.shape);
            let what = format!("{name}: gradient of input {i}");
            gradient.check(&what, &swept.get(vars[i]).cloned().unwrap_or_else(zeros), ROUNDINGS);
            let recorded = recorded[i].map_or_else(zeros, |g| g.value());
            gradient.check(&format!("{what}, recorded"), &recorded, ROUNDINGS);
        }
    }
}

#[test]
fn derivatives_are_those_of_the_references_to_second_order() {
    let judge = |name: &str, order: &str, report: Report| {
        for row in &report.rows {
            // PyTorch's own gradient is zero where there is none.
            let fine = row.verdict.is_fine() || row.verdict == Verdict::NoGradient;
            assert!(fine, "{name}, {order} order:\n{report}");
        }
    };
    // Away from singular points, where differences tell nothing.
    for Case { name, inputs, cotangent, .. } in
        cases().into_iter().filter(|case| !case.name.ends_with("of zeros"))
    {
        judge(name, "first", gradcheck(|x| formula(name, x), &inputs));
        judge(
            name,
            "second",
            gradcheck(
                |x| {
                    let tape = x[0].tape();
                    let gradients = formula(name, x).grad_from(tape.constant(cotangent.clone()), x);
                    let mut rng = Rng::seed(1);
                    let mut sum = tape.constant(0.0);
                    for gradient in gradients.into_iter().flatten() {
                        let direction = Tensor::randn(gradient.shape(), &mut rng);
                        sum = sum + (gradient * tape.constant(direction)).sum();
                    }
                    sum
                },
                &inputs,
            ),
        );
    }
}
