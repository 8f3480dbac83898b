//! Normalisation kernels against naive loops in f64: every length, layout and number of threads.

use gradus_tensor::{ChannelNorm, Rng, RowNorm, StatisticsOver, Tensor};

/// Normalises groups of elements, group `group(i)` for element `i`, and takes the gradients, in f64.
struct Naive {
    y: Vec<f64>,
    dx: Vec<f64>,
    /// By place of the weight.
    dw: Vec<f64>,
    db: Vec<f64>,
    /// The greatest factor 1 / √(σ² + eps).
    steepest: f64,
}

/// `group` gives the set of statistics of an element, `place` the place of its weight.
fn naive(
    [x, g, w, b]: [&Tensor; 4],
    groups: usize,
    group: impl Fn(usize) -> usize,
    place: impl Fn(usize) -> usize,
    centered: bool,
    eps: f32,
) -> Naive {
    let [x, g, w, b] = [x, g, w, b].map(|t| t.iter().map(f64::from).collect::<Vec<f64>>());
    let mean_by_group = |values: &[f64]| {
        let (mut sums, mut counts) = (vec![0.0; groups], vec![0.0; groups]);
        for (i, value) in values.iter().enumerate() {
            sums[group(i)] += value;
            counts[group(i)] += 1.0;
        }
        sums.iter().zip(&counts).map(|(sum, count)| sum / count).collect::<Vec<f64>>()
    };
    let mut mean = mean_by_group(&x);
    if !centered {
        mean.fill(0.0);
    }
    let d: Vec<f64> = x.iter().enumerate().map(|(i, x)| x - mean[group(i)]).collect();
    let variance = mean_by_group(&d.iter().map(|d| d * d).collect::<Vec<_>>());
    let scale: Vec<f64> = variance.iter().map(|v| 1.0 / (v + eps as f64).sqrt()).collect();
    let z: Vec<f64> = d.iter().enumerate().map(|(i, d)| d * scale[group(i)]).collect();
    let h: Vec<f64> = g.iter().enumerate().map(|(i, g)| g * w[place(i)]).collect();
    let (mut along_one, along_z) =
        (mean_by_group(&h), mean_by_group(&h.iter().zip(&z).map(|(h, z)| h * z).collect::<Vec<_>>()));
    if !centered {
        along_one.fill(0.0);
    }
    let (mut dw, mut db) = (vec![0.0; w.len()], vec![0.0; w.len()]);
    for i in 0..x.len() {
        dw[place(i)] += g[i] * z[i];
        db[place(i)] += g[i];
    }
    let dx = |i: usize| (h[i] - along_one[group(i)] - z[i] * along_z[group(i)]) * scale[group(i)];
    Naive {
        y: (0..x.len()).map(|i| w[place(i)] * z[i] + b[place(i)]).collect(),
        dx: (0..x.len()).map(dx).collect(),
        dw,
        db,
        steepest: scale.iter().copied().fold(0.0, f64::max),
    }
}

/// Within so many units in the last place of `scale`, which bounds what was rounded on the way.
#[track_caller]
fn close(what: &str, found: &Tensor, exact: &[f64], ulps: f64, scale: f64) {
    assert_eq!(found.numel(), exact.len(), "{what}");
    for (i, (found, exact)) in found.iter().zip(exact).enumerate() {
        let off = (found as f64 - exact).abs();
        assert!(off <= ulps * f32::EPSILON as f64 * scale, "{what}, element {i}: {found} is not {exact}");
    }
}

/// The same elements stored transposed, reversed, or with gaps.
fn layouts(x: &Tensor) -> [Tensor; 4] {
    let gaps = x.unslice(-1, gradus_tensor::Slice::from(..).step(2), 2 * x.size(-1) - 1);
    [
        x.clone(),
        x.transpose(0, -1).contiguous().transpose(0, -1),
        x.flip(0).contiguous().flip(0),
        gaps.slice(-1, gradus_tensor::Slice::from(..).step(2)),
    ]
}

fn largest(x: &Tensor) -> f64 {
    x.iter().fold(1.0f64, |m, x| m.max(x.abs() as f64))
}

fn random<const N: usize>(seed: u64, shapes: [&[usize]; N]) -> [Tensor; N] {
    let mut rng = Rng::seed(seed);
    shapes.map(|shape| Tensor::randn(shape, &mut rng))
}

#[test]
fn rows() {
    for (rows, n) in
        [(1, 1), (2, 2), (5, 3), (3, 15), (3, 16), (3, 17), (17, 31), (33, 64), (3, 1000), (600, 47)]
    {
        for centered in [true, false] {
            let norm = RowNorm { axes: 1, centered, eps: 0.1 };
            let [x, g, w, b] = random(n as u64, [&[rows, n], &[rows, n], &[n], &[n]]);
            let x = x + 0.5;
            let exact = naive([&x, &g, &w, &b], rows, |i| i / n, |i| i % n, centered, norm.eps);
            let (_, statistics) = norm.apply(&x, Some(&w), Some(&b));
            let terms = largest(&x) * largest(&g) * largest(&w) * exact.steepest.max(1.0);
            let laid_out = layouts(&x).into_iter().zip(layouts(&g).into_iter().rev());
            for ((x, g), statistics) in laid_out.zip(layouts(&statistics)) {
                let (x, g) = (&x, &g);
                let (y, _) = norm.apply(x, Some(&w), Some(&b));
                close(
                    "y",
                    &y,
                    &exact.y,
                    8.0,
                    largest(x) * largest(&w) * exact.steepest.max(1.0) + largest(&b),
                );
                let [dx, dw, db] = norm.gradients(x, Some(&w), &statistics, g);
                close("dx", &dx, &exact.dx, 16.0, terms * exact.steepest.max(1.0));
                // Errors of a sum of as many terms as there are rows grow with its root, at worst with their number.
                close("dw", &dw, &exact.dw, 4.0 * (rows as f64).sqrt(), terms);
                close("db", &db, &exact.db, 4.0 * (rows as f64).sqrt(), largest(g));
            }
        }
    }
}

#[test]
fn channels() {
    let shapes: [&[usize]; 10] = [
        &[1, 1],
        &[7, 3],
        &[70, 37],
        &[1, 2, 1],
        &[3, 4, 5],
        &[2, 4, 15],
        &[5, 6, 4, 4],
        &[4, 2, 17],
        &[2, 6, 3, 7, 1],
        &[3, 2, 70, 70],
    ];
    for shape in shapes {
        let (channels, run) = (shape[1], shape[2..].iter().product::<usize>());
        let [x, g, w, b] = random(run as u64, [shape, shape, &[channels], &[channels]]);
        let x = x + 0.5;
        for groups in [0, 1, 2, 3, channels] {
            if groups > 0 && channels % groups != 0 {
                continue;
            }
            let over = if groups == 0 { StatisticsOver::Batch } else { StatisticsOver::Groups(groups) };
            let norm = ChannelNorm { over, eps: 0.1 };
            let sets = if groups == 0 { channels } else { shape[0] * groups };
            let set = |i: usize| match over {
                StatisticsOver::Batch => i / run % channels,
                StatisticsOver::Groups(groups) => i / run / (channels / groups),
            };
            let exact = naive([&x, &g, &w, &b], sets, set, |i| i / run % channels, true, norm.eps);
            let terms = largest(&x) * largest(&g) * largest(&w) * exact.steepest.max(1.0);
            let count = (shape[0] * run) as f64;
            for (x, g) in layouts(&x).iter().zip(layouts(&g).iter().rev()) {
                let [y, _, _, statistics] = norm.apply(x, Some(&w), Some(&b));
                close(
                    "y",
                    &y,
                    &exact.y,
                    8.0,
                    largest(x) * largest(&w) * exact.steepest.max(1.0) + largest(&b),
                );
                let [dx, dw, db] = norm.gradients(x, Some(&w), &statistics, g);
                close("dx", &dx, &exact.dx, 16.0, terms * exact.steepest.max(1.0));
                close("dw", &dw, &exact.dw, 4.0 * count.sqrt(), terms);
                close("db", &db, &exact.db, 4.0 * count.sqrt(), largest(g));
            }
        }
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let [x, g, w] = random(1, [&[500, 300], &[500, 300], &[300]]);
    let [images, h, of_channel] = random(2, [&[20, 6, 40, 40], &[20, 6, 40, 40], &[6]]);
    let rows = RowNorm { axes: 1, centered: true, eps: 1e-5 };
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (y, statistics) = rows.apply(&x, Some(&w), None);
            let mut all = vec![y];
            all.extend(rows.gradients(&x, Some(&w), &statistics, &g));
            for (over, x, g, w) in [
                (StatisticsOver::Batch, &x, &g, &w),
                (StatisticsOver::Batch, &images, &h, &of_channel),
                (StatisticsOver::Groups(3), &images, &h, &of_channel),
            ] {
                let norm = ChannelNorm { over, eps: 1e-5 };
                let outputs = norm.apply(x, Some(w), None);
                all.extend(norm.gradients(x, Some(w), &outputs[3], g));
                all.extend(outputs);
            }
            all
        })
    };
    let one = run(1);
    for threads in [2, 3, 7] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}

#[test]
fn a_long_channel_far_from_zero() {
    // 2²⁰ elements of 1000 ± 1: in f32 alone a sum would lose the deviations.
    let x = Tensor::from_fn([1, 1, 1 << 20], |i| if i[2] % 2 == 0 { 999.0 } else { 1001.0 });
    let norm = ChannelNorm { over: StatisticsOver::Batch, eps: 0.0 };
    let [y, mean, variance, _] = norm.apply(&x, None, None);
    assert_eq!((mean.item(), variance.item()), (1000.0, 1.0));
    assert!(y.iter().enumerate().all(|(i, y)| y == if i % 2 == 0 { -1.0 } else { 1.0 }));
}

#[test]
#[should_panic(expected = "normalize: [2] is not the shape of a row, [3]")]
fn a_weight_of_another_length_is_refused() {
    let norm = RowNorm { axes: 1, centered: true, eps: 0.0 };
    norm.apply(&Tensor::ones([4, 3]), Some(&Tensor::ones([2])), None);
}

#[test]
#[should_panic(expected = "normalize: 2 groups do not divide the channels of [1, 3]")]
fn groups_that_do_not_divide_are_refused() {
    let norm = ChannelNorm { over: StatisticsOver::Groups(2), eps: 0.0 };
    norm.apply(&Tensor::ones([1, 3]), None, None);
}

#[test]
fn gradients_refuse_each_tensor_that_does_not_fit() {
    let refused = |what: &str, call: &dyn Fn() -> [Tensor; 3]| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).expect_err(what);
        let message = panic.downcast_ref::<String>().expect("a sentence");
        assert!(message.contains("do not fit each other"), "{what}: {message}");
    };
    let [x, fits, short] = [[4, 3], [3, 3], [2, 3]].map(Tensor::ones);
    let channels = ChannelNorm { over: StatisticsOver::Batch, eps: 0.0 };
    refused("the gradient", &|| channels.gradients(&x, None, &fits, &short));
    refused("the statistics", &|| channels.gradients(&x, None, &short, &x));
    let rows = RowNorm { axes: 1, centered: true, eps: 0.0 };
    refused("a row's gradient", &|| rows.gradients(&x, None, &x, &fits));
    refused("a row's statistics", &|| rows.gradients(&x, None, &fits, &x));
}

/// The gradient by a weight is a sum of deviations: of what they lose to the rounding of a mean far from 0 it must lose nothing, though
/// `eps` is far larger than the variance and nothing of it shows in the result.
#[test]
fn deviations_far_below_eps() {
    for (seed, shape) in [(1, [4, 3]), (2, [2, 3])] {
        let [noise, g] = random(seed, [&shape, &shape]);
        let x = noise.map(|x| 1e-3 + 5e-9 * x);
        let (w, b) = (Tensor::ones([3]), Tensor::zeros([3]));
        let exact = naive([&x, &g, &w, &b], 3, |i| i % 3, |i| i % 3, true, 0.1);
        let norm = ChannelNorm { over: StatisticsOver::Batch, eps: 0.1 };
        let [_, _, _, statistics] = norm.apply(&x, Some(&w), Some(&b));
        let [_, dw, _] = norm.gradients(&x, Some(&w), &statistics, &g);
        for (found, exact) in dw.iter().zip(&exact.dw) {
            assert!(
                (f64::from(found) - exact).abs() < 1e-5 * exact.abs().max(1e-9),
                "{found:e} is not {exact:e}"
            );
        }
        // The same in rows.
        let (x, g) = (x.t().contiguous(), g.t().contiguous());
        let n = shape[0];
        let (w, b) = (Tensor::ones([n]), Tensor::zeros([n]));
        let exact = naive([&x, &g, &w, &b], 3, |i| i / n, |i| i % n, true, 0.1);
        let norm = RowNorm { axes: 1, centered: true, eps: 0.1 };
        let (_, statistics) = norm.apply(&x, Some(&w), Some(&b));
        let [_, dw, _] = norm.gradients(&x, Some(&w), &statistics, &g);
        for (found, exact) in dw.iter().zip(&exact.dw) {
            assert!(
                (f64::from(found) - exact).abs() < 1e-5 * exact.abs().max(1e-9),
                "{found:e} is not {exact:e}"
            );
        }
    }
}

#[test]
fn a_softmax_comes_back_from_its_statistics() {
    let mut rng = Rng::seed(8);
    for shape in [&[1, 1][..], &[7, 33], &[3, 2, 100], &[0, 5], &[40, 1000]] {
        let x = Tensor::randn(shape, &mut rng) * 10.0;
        for x in [x.clone(), x.transpose(0, -1).contiguous().transpose(0, -1)] {
            let statistics = x.softmax_statistics();
            assert_eq!(statistics.shape()[..], [x.numel() / x.size(-1), 2]);
            let rows = x.reshape([x.numel() / x.size(-1), x.size(-1)]);
            assert_eq!(statistics.select(1, 0), rows.max_axes(1, false));
            let expected = x.log_softmax(-1).exp();
            assert_eq!(x.softmax_rows(&statistics, |_, _| {}), expected);
            let first = x.softmax_rows(&statistics, |row, elements| elements[0] = row as f32);
            let first = first.reshape(rows.shape()).select(1, 0);
            assert_eq!(first, Tensor::from_fn([rows.size(0)], |index| index[0] as f32));
        }
    }
}
