//! Norms, deviations and normalisations of large, small and nearly equal numbers, to the second order: against f64 closed
//! forms, and against the same programs run in f64. What each gave before it was mended stands beside it.

use gradus_autograd::{
    check::{magnitudes, right_at},
    op::prelude::*,
    ops::{self, loss::TripletMarginOptions},
    prelude::*,
};

/// The value and both gradients, of the sweep and recorded.
fn all_of(x: &Tensor, f: impl for<'t> Fn(Var<'t>) -> Var<'t>) -> [Vec<f32>; 3] {
    let tape = Tape::new();
    let x = tape.var(x.clone());
    let y = f(x);
    let recorded = y.sum().grad(&[x])[0].unwrap();
    [y.value().to_vec(), y.sum().backward()[x].to_vec(), recorded.value().to_vec()]
}

/// Within a millionth of the largest.
#[track_caller]
fn close(what: &str, found: &[f32], exact: &[f64]) {
    assert_eq!(found.len(), exact.len(), "{what}");
    let largest = exact.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
    for (&found, exact) in found.iter().zip(exact) {
        assert!((f64::from(found) - exact).abs() <= 1e-6 * largest, "{what}: {found:e} is not {exact:e}");
    }
}

#[track_caller]
fn gives(
    what: &str,
    x: impl Into<Tensor>,
    f: impl for<'t> Fn(Var<'t>) -> Var<'t>,
    y: &[f64],
    slopes: &[f64],
) {
    let [value, swept, recorded] = all_of(&x.into(), f);
    close(what, &value, y);
    close(&format!("{what}, swept"), &swept, slopes);
    close(&format!("{what}, recorded"), &recorded, slopes);
}

#[test]
fn norms() {
    let root = 0.5f64.sqrt();
    // The gradient was inf.
    gives("norm", [1e-23, 1e-23], |x| x.norm(), &[2f64.sqrt() * 1e-23], &[root, root]);
    // The value was inf, the gradient 0.
    gives("norm", [3e30, -4e30], |x| x.norm(), &[5e30], &[0.6, -0.8]);
    let third = 0.5f64.powf(2.0 / 3.0);
    // 0, and a gradient of NaN.
    let y = 2f64.powf(1.0 / 3.0) * 1e-16;
    gives("p = 3", [1e-16, 1e-16], |x| x.vector_norm(3.0, 0, false), &[y], &[third, third]);
    let (y, tenth) = (2f64.powf(0.1), 0.5f64.powf(0.9));
    gives("p = 10", [1e-5, 1e-5], |x| x.vector_norm(10.0, 0, false), &[y * 1e-5], &[tenth, tenth]);
    gives("p = 10", [1e4, -1e4], |x| x.vector_norm(10.0, 0, false), &[y * 1e4], &[tenth, -tenth]);
    gives(
        "lp_pool2d",
        [[[[3e-30, 0.0], [4e-30, 1e20]]]],
        |x| x.lp_pool2d(2.0, [2, 1]),
        &[5e-30, 1e20],
        &[0.6, 0.0, 0.8, 1.0],
    );
    gives("cdist", [[3e-25, 4e-25]], |x| x.cdist(&x.place().constant([[0.0, 0.0]])), &[5e-25], &[0.6, 0.8]);
    gives("hypot", [3e-25], |x| x.hypot(&x.place().constant(4e-25)), &[5e-25], &[0.6]);
}

#[test]
fn directions() {
    // Norms that are beyond f32: the direction was 0.
    let root = 0.5f64.sqrt();
    let across = [root / 2.0 / 3e38, -root / 2.0 / 3e38];
    gives("p = 2", [3e38, 3e38], |x| x.normalize(0).select(0, 0), &[root], &across);
    gives(
        "p = 1",
        [3e38, 3e38],
        |x| x.normalize_with(1.0, 0, 0.0).select(0, 0),
        &[0.5],
        &[0.25 / 3e38, -0.25 / 3e38],
    );
    // |x| is (2 √3e38)² = 1.2e39.
    gives("p = 1/2", [3e38, 3e38], |x| x.normalize_with(0.5, 0, 0.0), &[0.25, 0.25], &[0.0, 0.0]);
    gives(
        "p = ∞",
        [1e-38, -2e-38],
        |x| x.normalize_with(f32::INFINITY, 0, 0.0).select(0, 0),
        &[0.5],
        &[0.5e38, 0.25e38],
    );
    // What is shorter than eps is divided by it, the zero vector too.
    gives("short", [3e-20, 4e-20], |x| x.normalize_with(2.0, 0, 1e-12), &[3e-8, 4e-8], &[1e12, 1e12]);
    gives("zero", [0.0, 0.0], |x| x.normalize_with(1.0, 0, 2.0), &[0.0, 0.0], &[0.5, 0.5]);
    gives("huge eps", [3e30, 4e30], |x| x.normalize_with(2.0, 0, 1e35), &[3e-5, 4e-5], &[1e-35, 1e-35]);
    assert!(Tensor::zeros([2]).normalize_with(3.0, 0, 0.0).iter().all(|y| y.is_nan()));
    // Of order 0 it is divided by the number of elements that are not 0.
    gives("p = 0", [2e38, 0.0, 1e38], |x| x.normalize_with(0.0, 0, 1e-12), &[1e38, 0.0, 0.5e38], &[0.5; 3]);
    let infinite = Tensor::from([f32::INFINITY, 1.0]).normalize(0);
    assert!(infinite.get([0]).is_nan() && infinite.get([1]) == 0.0);
}

#[test]
fn a_norm_of_tiny_numbers_twice() {
    let tape = Tape::new();
    let x = tape.var([3e-25, 4e-25]);
    let first = x.norm().grad(&[x])[0].unwrap();
    // Of u = x / |x| the first row of (1 - u uᵀ) / |x|. It was NaN.
    let second = first.slice(0, ..1).sum().grad(&[x])[0].unwrap();
    close("second", &second.value().to_vec(), &[0.64 / 5e-25, -0.48 / 5e-25]);
}

/// The norm of the input's gradient of a saturated sigmoid, 2.6e-25 long, in a loss. It was NaN.
#[test]
fn a_gradient_penalty_through_a_saturated_sigmoid() {
    let (at, weights) = ([-30.0, 20.0], [1.2, -1.03]);
    let tape = Tape::new();
    let (x, w) = (tape.var(at), tape.var(weights));
    let y = (x * w).sum().sigmoid();
    let slope = y.grad(&[x])[0].unwrap();
    let penalty = (slope.norm() - 1.0).square();
    let z: f64 = f64::from(at[0] * weights[0]) + f64::from(at[1] * weights[1]);
    let (s, length) = (1.0 / (1.0 + (-z).exp()), f64::from(weights[0]).hypot(weights[1].into()));
    let d = s * (1.0 - s);
    assert!((1e-25..1e-24).contains(&(d * length)), "{d}");
    let exact: Vec<f64> = [0, 1]
        .map(|k| {
            let (x, w) = (f64::from(at[k]), f64::from(weights[k]));
            2.0 * (d * length - 1.0) * (d * w / length + d * (1.0 - 2.0 * s) * length * x)
        })
        .to_vec();
    // z is rounded to f32, which e^z tells 57 times as much of.
    let near = |found: &Tensor| {
        found.iter().zip(&exact).all(|(found, exact)| (f64::from(found) / exact - 1.0).abs() < 2e-5)
    };
    let swept = &penalty.backward()[w];
    assert!(near(swept), "{swept:?} is not {exact:?}");
    let recorded = penalty.grad(&[w])[0].unwrap().value();
    assert!(near(&recorded), "{recorded:?} is not {exact:?}");
}

#[test]
fn variances_and_deviations() {
    // The gradient was inf and -inf.
    gives("std", [-3e-25, 3e-25], |x| x.std_axes(Axes::all(), 0, false), &[3e-25], &[-0.5, 0.5]);
    // inf, with gradient 0.
    gives("std", [-3e30, 3e30], |x| x.std_axes(Axes::all(), 0, false), &[3e30], &[-0.5, 0.5]);
    // 7e-9 with gradient -0.143: the mean of the seven is rounded.
    gives("std", [0.1; 7], |x| x.std_axes(Axes::all(), 0, false), &[0.0], &[0.0; 7]);
    gives("var", [0.1; 7], |x| x.var(), &[0.0], &[0.0; 7]);
    let x = Tensor::full([1000, 300], 0.3);
    assert_eq!(all_of(&x, |x| x.std_axes(0, 1, false))[..2], [vec![0.0; 300], vec![0.0; 300_000]]);
    // The gradients were 0.
    for found in [all_of(&Tensor::from([2.0]), |x| x.var()), all_of(&Tensor::from([2.0]), |x| x.std())] {
        assert!(found.iter().flatten().all(|x| x.is_nan()), "{found:?}");
    }
    // A correlation of 1.
    let x = Tensor::from([[0.1; 7], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]]);
    let found = x.corrcoef().to_vec();
    assert!(found[..3].iter().all(|x| x.is_nan()) && (found[3] - 1.0).abs() < 1e-6, "{found:?}");
    // Roundings take none beyond 1.
    let x = Tensor::randn([40, 7], &mut Rng::seed(0));
    let both = Tensor::concat(&[&x, &(&x * -3.0)], 0).corrcoef();
    assert!(both.iter().all(|c| (-1.0..=1.0).contains(&c)), "{}", both.max());
}

/// Each way to bring the last axis of `[4, n]`, or all of its rows, to one scale.
type Norm = (&'static str, for<'t> fn(Var<'t>, f32) -> Var<'t>);

fn centered_norms() -> [Norm; 4] {
    [
        ("layer_norm", |x, eps| {
            let n = x.shape()[1];
            x.layer_norm([n], None, None, eps)
        }),
        ("group_norm", |x, eps| x.group_norm(1, None, None, eps)),
        ("batch_norm in columns", |x, eps| x.t().batch_norm(None, None, eps)[0].t()),
        ("batch_norm in runs", |x, eps| {
            let shape = x.shape();
            x.reshape([1, shape[0], shape[1]]).batch_norm(None, None, eps)[0].reshape(shape)
        }),
    ]
}

#[test]
fn norms_of_huge_and_tiny_values() {
    let exact = [-3.0, -1.0, 1.0, 3.0].map(|x: f64| x / 5f64.sqrt());
    for (name, f) in centered_norms()
        .into_iter()
        .chain([("rms_norm", (|x, eps| x.rms_norm([4], None, eps)) as for<'t> fn(Var<'t>, f32) -> Var<'t>)])
    {
        for (size, eps) in [(1e30, 1e-5), (1e30, 0.0), (1e37, 0.0), (1e-25, 0.0)] {
            let x = Tensor::from([[-3.0, -1.0, 1.0, 3.0]]) * size;
            // All were 0, or NaN.
            close(&format!("{name} at {size}"), &all_of(&x, |x| f(x, eps))[0], &exact);
            right_at(|x| f(x[0], eps), &[x], true).unwrap_or_else(|e| panic!("{name} at {size}: {e}"));
        }
    }
}

#[test]
fn norms_of_values_far_from_zero() {
    for n in [4, 7, 100] {
        let x = Tensor::from_fn([3, n], |i| 1e4 + 1e-3 * (i[1] + 3 * i[0]) as f32);
        // -1.4145 for -1.3313 with four of them.
        let exact: Vec<f64> = (0..3)
            .flat_map(|row| {
                let x: Vec<f64> = (0..n).map(|k| x.get([row, k]).into()).collect();
                let mean = x.iter().sum::<f64>() / n as f64;
                let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
                x.into_iter().map(move |x| (x - mean) / (variance + 1e-5f32 as f64).sqrt())
            })
            .collect();
        for (name, f) in centered_norms() {
            close(name, &all_of(&x, |x| f(x, 1e-5))[0], &exact);
            for eps in [0.0, 1e-5] {
                right_at(|x| f(x[0], eps), std::slice::from_ref(&x), true)
                    .unwrap_or_else(|e| panic!("{name} of {n}: {e}"));
            }
        }
        right_at(|x| x[0].std_axes(1, 1, false), std::slice::from_ref(&x), true).unwrap();
        right_at(|x| x[0].var_axes(1, 1, false), std::slice::from_ref(&x), true).unwrap();
        right_at(|x| x[0].batch_norm(None, None, 1e-5)[2], &[x.t().contiguous()], true).unwrap();
    }
}

/// Equal elements whose mean is rounded: with eps 0 there is no scale. It was -1.
#[test]
fn norms_of_equal_values() {
    let x = Tensor::full([1, 7], 0.1);
    for (name, f) in centered_norms() {
        let [y, ..] = all_of(&x, |x| f(x, 0.0));
        assert!(y.iter().all(|y| y.is_nan()), "{name}: {y:?}");
        assert_eq!(all_of(&x, |x| f(x, 1e-12))[0], [0.0; 7], "{name}");
    }
}

#[test]
fn angles() {
    let tape = Tape::new();
    for (size, slope) in [(1e-25, 1e25 / 5.0), (1e20, 1e-20 / 5.0)] {
        // 4e-25 at the first, 0 at the second.
        let (a, b) = (tape.var(3.0 * size), tape.var(4.0 * size));
        let y = a.atan2(&b);
        let swept = y.backward();
        close("atan2", &[swept[a].item(), swept[b].item()], &[0.8 * slope, -0.6 * slope]);
        let recorded: Vec<f32> = y.grad(&[a, b]).iter().map(|g| g.unwrap().item()).collect();
        close("atan2, recorded", &recorded, &[0.8 * slope, -0.6 * slope]);
    }
    let cosine = |a: [f32; 2], b: [f32; 2]| Tensor::from(a).cosine_similarity(&Tensor::from(b), 0).item();
    close("cosine", &[cosine([1e20, 1e20], [1e20, 1e20])], &[1.0]); // NaN
    let exact = (2.08 + 3.03) / (2.08f64.hypot(3.03) * 2f64.sqrt());
    close("cosine", &[cosine([2.08e38, 3.03e38], [1.0, 1.0])], &[exact]); // 0
    // Up to 1.0000001.
    let mut rng = Rng::seed(1);
    for size in [1e-7, 1e-3, 1.0, 1e30] {
        let x = Tensor::randn([2000, 3], &mut rng) * size;
        let y = x.cosine_similarity(&x, 1);
        assert!(
            y.iter().all(|y| (0.999_999..=1.0).contains(&y) || size == 1e-7 && y < 1.0),
            "{size}: {}",
            y.max()
        );
        assert!(x.cosine_similarity(&-&x, 1).min().item() >= -1.0);
    }
}

type Program = (&'static str, for<'t> fn(&[Var<'t>]) -> Var<'t>);

/// What is composed of operations, on two matrices of one shape.
const PROGRAMS: &[Program] = &[
    ("norm", |x| x[0].norm_axes(1, false)),
    ("vector_norm 1", |x| x[0].vector_norm(1.0, 1, false)),
    ("vector_norm 1.5", |x| x[0].vector_norm(1.5, 0, false)),
    ("vector_norm 3", |x| x[0].vector_norm(3.0, 1, false)),
    ("vector_norm 10", |x| x[0].vector_norm(10.0, 1, false)),
    ("vector_norm -2", |x| x[0].vector_norm(-2.0, 1, false)),
    ("vector_norm inf", |x| x[0].vector_norm(f32::INFINITY, 1, false)),
    ("std", |x| x[0].std_axes(1, 1, false)),
    ("var", |x| x[0].var_axes(0, 0, false)),
    ("normalize", |x| x[0].normalize(1)),
    ("normalize 0.5", |x| x[0].normalize_with(0.5, 1, 0.0)),
    ("normalize 1", |x| x[0].normalize_with(1.0, 0, 1e-12)),
    ("normalize 3", |x| x[0].normalize_with(3.0, 1, 0.0)),
    ("normalize inf", |x| x[0].normalize_with(f32::INFINITY, 1, 1e-12)),
    ("renorm", |x| x[0].renorm(2.0, 0, 1.0)),
    ("pairwise_distance", |x| x[0].pairwise_distance(&x[1])),
    ("cdist", |x| x[0].cdist(&x[1])),
    ("cosine_similarity", |x| x[0].cosine_similarity(&x[1], 1)),
    ("corrcoef", |x| x[0].corrcoef()),
    ("cov", |x| x[0].cov(1)),
    ("hypot", |x| x[0].hypot(&x[1])),
    ("atan2", |x| x[0].atan2(&x[1])),
    ("triplet_margin_loss", |x| x[0].triplet_margin_loss(&x[1], &(x[1] * 0.5), 1.0)),
    ("triplet_margin_loss, swap", |x| {
        let options = TripletMarginOptions { p: 3.0, swap: true, ..Default::default() };
        x[0].triplet_margin_loss_with(&x[1], &(x[1] * 0.5), 1.0, options)
    }),
    ("multi_margin_loss", |x| x[0].multi_margin_loss(&Indices::from([2, 0, 3]))),
    ("multilabel_margin_loss", |x| x[0].multilabel_margin_loss(&Indices::new([2, 0, 3, -1, 1, 2], [3, 2]))),
    ("cosine_embedding_loss", |x| {
        let target = x[0].place().constant(Tensor::ones([3]));
        x[0].cosine_embedding_loss(&x[1], &target, 0.0)
    }),
    ("lp_pool2d", |x| {
        x[0].reshape([1, 1, 3, 4]).lp_pool2d(3.0, PoolOptions { stride: [1, 1], ..PoolOptions::from(2) })
    }),
    ("layer_norm", |x| x[0].layer_norm([4], None, None, 1e-5)),
    ("layer_norm, eps 0", |x| x[0].layer_norm([4], None, None, 0.0)),
    ("rms_norm", |x| x[0].rms_norm([4], None, 1e-5)),
    ("group_norm", |x| x[0].group_norm(1, None, None, 1e-5)),
    ("instance_norm", |x| x[0].reshape([1, 3, 4]).instance_norm(None, None, 0.0)),
    ("batch_norm", |x| x[0].batch_norm(None, None, 1e-5)[0]),
    ("batch_norm, mean", |x| x[0].batch_norm(None, None, 1e-5)[1]),
];

#[test]
fn programs_are_right_at_every_magnitude() {
    let mut wrong = Vec::new();
    for (seed, (name, f)) in PROGRAMS.iter().enumerate() {
        let mut rng = Rng::seed(seed as u64);
        let [a, b] = [0, 1].map(|_| Tensor::randn([3, 4], &mut rng));
        for exponent in [-100, -83, -67, -33, 0, 33, 67, 100] {
            let size = 2f32.powi(exponent);
            // Second derivatives of an angle are 1 / r².
            let twice = exponent.abs() <= if *name == "atan2" { 33 } else { 67 };
            if let Err(off) = right_at(f, &[&a * size, &b * size], twice) {
                wrong.push(format!("{name} at 2^{exponent}: {off}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Operations that the law does not hold for: the quotients of remainders have more digits than f64, the products of a cell and the
/// scores of an attention overflow before it squashes them, and of a place a thousand images away, reflected as often, f32 has not the digits that say
/// where in the image it ends.
const EXCEPT: &[&str] = &["remainder", "fmod", "recurrence", "scaled_dot_product_attention", "grid_sample"];

#[test]
fn operations_are_right_at_every_magnitude() {
    let mut wrong = Vec::new();
    for spec in ops::ALL.iter().filter(|spec| !EXCEPT.contains(&spec.name)) {
        for seed in 0..6 {
            if let Err(off) = magnitudes(spec, seed, 2) {
                wrong.push(format!("{}: {}", spec.name, off.detail));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What once stood in the place of some of them. The law must find each.
const WRONG: &[Program] = &[
    ("norm", |x| x[0].square().sum_axes(1, false).sqrt()),
    ("vector_norm 3", |x| x[0].abs().powf(3.0).sum_axes(1, false).powf(1.0 / 3.0)),
    ("vector_norm 10", |x| x[0].square().powf(5.0).sum_axes(1, false).powf(0.1)),
    ("std", |x| deviations(x[0]).square().mean_axes(1, false).sqrt()),
    ("pairwise_distance", |x| (x[0] - x[1]).square().sum_axes(1, false).sqrt()),
    ("hypot", |x| (x[0].square() + x[1].square()).sqrt()),
    ("cosine_similarity", |x| {
        let [aa, bb, ab] = [[0, 0], [1, 1], [0, 1]].map(|[i, j]| (x[i] * x[j]).sum_axes(1, false));
        ab / (aa * bb).sqrt()
    }),
    ("layer_norm", |x| deviations(x[0]) / (deviations(x[0]).square().mean_axes(1, true) + 1e-5).sqrt()),
    ("rms_norm", |x| x[0] / (x[0].square().mean_axes(1, true) + 1e-5).sqrt()),
];

fn deviations<'t>(x: Var<'t>) -> Var<'t> {
    x - x.mean_axes(1, true)
}

#[test]
fn the_law_finds_what_was_wrong() {
    for (name, f) in WRONG {
        let mut rng = Rng::seed(1);
        let [a, b] = [0, 1].map(|_| Tensor::randn([3, 4], &mut rng));
        let found = [-83, -67, 67, 83, 100].into_iter().any(|exponent| {
            let size = 2f32.powi(exponent);
            right_at(f, &[&a * size, &b * size], false).is_err()
        });
        assert!(found, "{name}");
    }
    // The mean of numbers far from zero, rounded before it is taken off.
    let far = Tensor::from_fn([3, 7], |i| 1e4 + 1e-3 * (i[1] + 3 * i[0]) as f32);
    assert!(right_at(WRONG[7].1, std::slice::from_ref(&far), false).is_err());
    // The gradient of a norm of 2.6e-25, differentiated again.
    let tiny = Tensor::from([[3e-25, 4e-25]]);
    assert!(right_at(WRONG[0].1, &[tiny], true).is_err());
    assert!((0..6).any(|seed| magnitudes(&Spec::of::<WrongAtan2>(), seed, 2).is_err()));
}

/// The angle with the rule that it had, whose square of the radius overflows and underflows.
#[derive(Clone, Debug)]
struct WrongAtan2;

impl Pointwise for WrongAtan2 {
    const NAME: &'static str = "wrong_atan2";
    const INPUTS: usize = 2;
    const EXAMPLES: &'static [WrongAtan2] = &[WrongAtan2];

    fn forward(&self, x: &[&Tensor]) -> Tensor {
        x[0].atan2(x[1])
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
        cx.send(|[y, x], _, g| {
            let square = x.square() + y.square();
            [g.clone() * x.clone() / square.clone(), -(g * y.clone()) / square]
        });
    }

    fn reference(&self, x: &[f64], _: &mut Branches<'_>) -> f64 {
        x[0].atan2(x[1])
    }
}
