//! Reductions against naive loops in f64, over all layouts, sizes and numbers of threads.

use crate::common;
use crate::{fails, messages::Messages};

use common::{Array, flat, indices, numbers, same, shapes, shapes_of_rank, tensors, wild_numbers};
use gradus_tensor::{Axes, Indices, Rng, Tensor};
use proptest::prelude::*;

/// Half an ulp of 1.
const U: f64 = 1.0 / (1u64 << 24) as f64;

/// The number of roundings that an element of a sum of `n` goes through at most: 32 to a lane, 6 to join the lanes,
/// then the tree; all of them in a short sum.
fn depth(n: usize) -> f64 {
    (n as f64).min(38.0 + (n as f64 + 1.0).log2())
}

/// The axes that the bits of `mask` name, some counted from the back.
fn axes_of(mask: u8, rank: usize) -> Vec<isize> {
    let axes = (0..rank).filter(|i| mask >> i & 1 == 1);
    axes.map(|i| if mask >> 6 == 1 { i as isize - rank as isize } else { i as isize }).collect()
}

/// The elements of each group of a reduction, in f64, and the shape of the result with axes kept.
fn groups(model: &Array, axes: &[isize]) -> (Vec<usize>, Vec<Vec<f64>>) {
    let rank = model.shape.len() as isize;
    let gone = |i: usize| axes.iter().any(|&a| (a + rank) % rank == i as isize);
    let shape: Vec<usize> =
        model.shape.iter().enumerate().map(|(i, &n)| if gone(i) { 1 } else { n }).collect();
    let mut groups = vec![Vec::new(); shape.iter().product()];
    for index in indices(&model.shape) {
        let to: Vec<usize> = index.iter().enumerate().map(|(i, &at)| if gone(i) { 0 } else { at }).collect();
        groups[flat(&to, &shape)].push(f64::from(model.get(&index)));
    }
    (shape, groups)
}

/// Holds each result to `expected(group)`, within `allowed(group)`; NaN and infinities exactly.
#[track_caller]
fn check(
    name: &str,
    found: &Tensor,
    groups: &[Vec<f64>],
    expected: impl Fn(&[f64]) -> f64,
    allowed: impl Fn(&[f64]) -> f64,
) {
    assert_eq!(found.numel(), groups.len());
    for (i, (y, group)) in found.iter().zip(groups).enumerate() {
        let (truth, allowed) = (expected(group), allowed(group));
        let near = (f64::from(y) - truth).abs() <= allowed + U * truth.abs();
        assert!(
            near || same(y, truth as f32),
            "{name}: result {i} of shape {} is {y}, not {truth} within {allowed:e}",
            found.shape()
        );
    }
}

fn sum(x: &[f64]) -> f64 {
    x.iter().sum()
}

fn size(x: &[f64]) -> f64 {
    x.iter().map(|x| x.abs()).sum()
}

fn max(x: &[f64]) -> f64 {
    if x.iter().any(|x| x.is_nan()) { f64::NAN } else { x.iter().fold(f64::NEG_INFINITY, |m, &x| m.max(x)) }
}

fn mean(x: &[f64]) -> f64 {
    sum(x) / x.len() as f64
}

fn variance(x: &[f64], correction: usize) -> f64 {
    let m = mean(x);
    x.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / x.len().saturating_sub(correction) as f64
}

/// Rounding of the mean moves each deviation, and each square is rounded twice.
fn variance_error(x: &[f64], correction: usize) -> f64 {
    let n = x.len() as f64;
    let off = (depth(x.len()) + 1.0) * U * size(x) / n;
    let m = mean(x);
    let deviations: f64 = x.iter().map(|v| (v - m).abs()).sum();
    let spread = variance(x, correction);
    let divisor = x.len().saturating_sub(correction) as f64;
    (depth(x.len()) + 6.0) * U * spread + (2.0 * off * deviations + n * off * off) / divisor
}

fn check_all(x: &Tensor, model: &Array, axes: &[isize]) {
    let (kept_shape, groups) = groups(model, axes);
    let rounding = |x: &[f64]| depth(x.len()) * U * size(x);
    let exact = |_: &[f64]| 0.0;
    check("sum", &x.sum_axes(axes, true), &groups, sum, rounding);
    check("mean", &x.mean_axes(axes, true), &groups, mean, |x| {
        (depth(x.len()) + 1.0) * U * size(x) / x.len() as f64
    });
    check("max", &x.max_axes(axes, true), &groups, max, exact);
    check(
        "min",
        &x.min_axes(axes, true),
        &groups,
        |x| -max(&x.iter().map(|x| -x).collect::<Vec<_>>()),
        exact,
    );
    for correction in [0, 1] {
        let error = |x: &[f64]| variance_error(x, correction);
        check("var", &x.var_axes(axes, correction, true), &groups, |x| variance(x, correction), error);
    }
    let std = x.std_axes(axes, 1, true);
    let root = x.var_axes(axes, 1, true).iter().map(f32::sqrt).collect::<Vec<_>>();
    // Where the variance underflows or overflows the deviation does not; the root of a rounded variance may be off by a bit.
    let is_root = |(a, b): (f32, f32)| {
        same(a, b) || (a - b).abs() <= 2.0 * f32::EPSILON * a || b < 1e-18 || b.is_infinite() && a > 1e19
    };
    assert!(std.iter().zip(root).all(is_root), "std is the root of var");
    for result in [x.sum_axes(axes, true), x.max_axes(axes, true), x.var_axes(axes, 0, true)] {
        assert_eq!(result.shape()[..], kept_shape[..]);
        assert!(result.is_contiguous());
    }
    let gone: Vec<usize> = x.sum_axes(axes, false).shape().to_vec();
    let rank = model.shape.len() as isize;
    let kept = (0..rank).filter(|i| !axes.iter().any(|a| (a + rank) % rank == *i));
    assert_eq!(gone, kept.map(|i| model.shape[i as usize]).collect::<Vec<_>>());
    assert_eq!(x.sum_axes(axes, false).to_vec().len(), groups.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_axes_of_any_layout((model, x) in tensors(shapes(), numbers()), mask in any::<u8>()) {
        check_all(&x, &model, &axes_of(mask, model.shape.len()));
    }

    #[test]
    fn special_values((model, x) in tensors(shapes(), wild_numbers()), mask in any::<u8>()) {
        let axes = axes_of(mask, model.shape.len());
        let (_, groups) = groups(&model, &axes);
        let rounding = |x: &[f64]| depth(x.len()) * U * size(x);
        check("sum", &x.sum_axes(&axes[..], true), &groups, sum, rounding);
        check("max", &x.max_axes(&axes[..], true), &groups, max, |_| 0.0);
        check("min", &x.min_axes(&axes[..], true), &groups, |x| -max(&x.iter().map(|x| -x).collect::<Vec<_>>()), |_| 0.0);
    }

    #[test]
    fn positions_of_extremes((model, x) in tensors(shapes_of_rank(1..=5), wild_numbers()), choice in 0usize..5) {
        let axis = choice % model.shape.len();
        prop_assume!(model.shape[axis] > 0);
        let (_, groups) = groups(&model, &[axis as isize]);
        let first = |group: &[f64], better: &dyn Fn(f64, f64) -> bool| {
            (0..group.len()).find(|&i| {
                let goes_before = |k: usize| match (group[k].is_nan(), group[i].is_nan()) {
                    (true, false) => true,
                    (false, true) => false,
                    (true, true) => k < i,
                    _ => better(group[k], group[i]) || group[k] == group[i] && k < i,
                };
                (0..group.len()).all(|k| k == i || !goes_before(k))
            }).unwrap()
        };
        let expect = |found: &Indices, better: &dyn Fn(f64, f64) -> bool| {
            let expected: Vec<i32> = groups.iter().map(|g| first(g, better) as i32).collect();
            assert_eq!(found.as_slice(), expected);
            assert_eq!(found.shape()[..], x.sum_axes(axis as isize, false).shape()[..]);
        };
        expect(&x.argmax(axis as isize), &|a, b| a > b);
        expect(&x.argmin(axis as isize - model.shape.len() as isize), &|a, b| a < b);
    }

    #[test]
    fn cumulative_sums((model, x) in tensors(shapes_of_rank(1..=5), numbers()), choice in 0usize..5) {
        let axis = choice % model.shape.len();
        let sums = x.cumsum(axis as isize);
        prop_assert_eq!(&sums.shape()[..], &model.shape[..]);
        for index in indices(&model.shape) {
            let sum: f64 = up_to(&model, &index, axis).sum();
            // Eighths of moderate size: exact in f64; the rounding to f32 is the only one.
            prop_assert_eq!(sums.get(&index), sum as f32);
        }
    }

    #[test]
    fn cumulative_products((model, x) in tensors(shapes_of_rank(1..=5), wild_numbers()), choice in 0usize..5) {
        let axis = choice % model.shape.len();
        let products = x.cumprod(axis as isize);
        prop_assert_eq!(&products.shape()[..], &model.shape[..]);
        for index in indices(&model.shape) {
            let product: f64 = up_to(&model, &index, axis).product();
            prop_assert!(same(products.get(&index), product as f32), "{:?}: {product:e}", index);
        }
    }
}

/// The elements along an axis up to an index, in f64.
fn up_to<'a>(model: &'a Array, index: &[usize], axis: usize) -> impl Iterator<Item = f64> + 'a {
    let (mut place, last) = (index.to_vec(), index[axis]);
    (0..=last).map(move |k| {
        place[axis] = k;
        f64::from(model.get(&place))
    })
}

/// Lengths around the number of runs that go abreast, along every axis, in plain and in strided layouts.
#[test]
fn linear_recurrences() {
    for shape in [[1, 1, 1], [3, 5, 1], [9, 33, 1], [4, 7, 2], [2, 3, 1030], [1, 64, 17]] {
        let [a, b] = [1, 2].map(|seed| randn(&shape, seed));
        let turned = |x: &Tensor| x.transpose(0, 2).contiguous().transpose(0, 2);
        for axis in 0..3 {
            let y = a.linear_recurrence(&b, axis);
            assert_eq!(turned(&a).linear_recurrence(&turned(&b), axis - 3), y);
            assert_eq!(y.shape()[..], shape);
            // From the definition, with the f64 state of each lane.
            let mut states = vec![0.0f64; shape.iter().product()];
            for index in indices(&shape) {
                let at = flat(&index, &shape);
                let mut before = index.clone();
                states[at] = f64::from(b.get(&index));
                if index[axis as usize] > 0 {
                    before[axis as usize] -= 1;
                    states[at] += f64::from(a.get(&index)) * states[flat(&before, &shape)];
                }
                assert_eq!(y.get(&index), states[at] as f32, "{shape:?} along {axis} at {index:?}");
            }
        }
    }
}

/// What stands before the first place is not 0 times a number, of which infinities and NaN would make NaN; and a result that
/// f32 can hold is right behind one that it cannot.
#[test]
fn recurrences_beyond_f32() {
    let (inf, huge, tiny) = (f32::INFINITY, 2f32.powi(100), 2f32.powi(-100));
    let bits = |x: &Tensor| x.iter().map(f32::to_bits).collect::<Vec<_>>();
    for first in [inf, -inf, f32::NAN, 3e38] {
        let y = Tensor::from([first, 2.0]).linear_recurrence(&Tensor::from([1.0, 3.0]), 0);
        assert_eq!(y.to_vec(), [1.0, 5.0], "{first}");
        let y = Tensor::from([[first, first], [2.0, 2.0]])
            .linear_recurrence(&Tensor::from([[1.0, -0.0], [3.0, 0.0]]), 0);
        assert_eq!(y.to_vec(), [1.0, -0.0, 5.0, 0.0], "{first}");
    }
    let y = Tensor::from([0.0, huge, tiny]).linear_recurrence(&Tensor::from([huge, 0.0, 0.0]), 0);
    assert_eq!(y.to_vec(), [huge, inf, huge]);
    assert_eq!(Tensor::from([huge, huge, tiny]).cumprod(0).to_vec(), [huge, inf, huge]);
    assert_eq!(Tensor::from([tiny, tiny, huge]).cumprod(0).to_vec(), [tiny, 0.0, tiny]);
    // The sign of a zero is kept, as PyTorch keeps it.
    let y = Tensor::from([-1.0, 0.0, 2.0, -3.0]).cumprod(0);
    assert_eq!(bits(&y), bits(&Tensor::from([-1.0, -0.0, -0.0, 0.0])));
    let y = Tensor::from([-inf, 2.0, 0.0, 1.0]).cumprod(0).to_vec();
    assert!(y[..2] == [-inf, -inf] && y[2].is_nan() && y[3].is_nan(), "{y:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn logsumexp_of_any_axes((model, x) in tensors(shapes(), wild_numbers()), mask in any::<u8>()) {
        let axes = axes_of(mask, model.shape.len());
        let (_, groups) = groups(&model, &axes);
        // The sum has relative errors of its depth and of 2 ulp an exponential, the difference in it of an ulp of its size.
        let allowed = |x: &[f64]| {
            let size = x.iter().filter(|x| x.is_finite()).fold(0.0f64, |m, x| m.max(x.abs()));
            (depth(x.len()) + 8.0 + 4.0 * size) * U
        };
        check("logsumexp", &x.logsumexp_axes(&axes[..], true), &groups, log_sum_exp, allowed);
    }

    #[test]
    fn softmax_along_any_axis((model, x) in tensors(shapes_of_rank(1..=5), wild_numbers()), choice in 0usize..5) {
        let axis = choice % model.shape.len();
        let (_, groups) = groups(&model, &[axis as isize]);
        let (y, log) = (x.softmax(axis as isize), x.log_softmax(axis as isize - model.shape.len() as isize));
        prop_assert!(y.is_contiguous() && y.shape() == x.shape() && log.shape() == x.shape());
        for index in indices(&model.shape) {
            let mut row = index.clone();
            row[axis] = 0;
            let mut sizes = model.shape.clone();
            sizes[axis] = 1;
            let group = &groups[flat(&row, &sizes)];
            let all = log_sum_exp(group);
            // An infinite sum, or one of nothing, has no share for anybody.
            let truth = if all.is_finite() { f64::from(model.get(&index)) - all } else { f64::NAN };
            let size = group.iter().filter(|x| x.is_finite()).fold(0.0f64, |m, x| m.max(x.abs()));
            let relative = (depth(group.len()) + 12.0 + 4.0 * size) * U;
            let (found, found_log) = (y.get(&index), log.get(&index));
            // A share below the least normal number may be rounded to a subnormal one.
            let near = (f64::from(found) - truth.exp()).abs() <= relative * truth.exp() + 1e-44;
            prop_assert!(near || same(found, truth.exp() as f32), "{found}, not {}", truth.exp());
            let near = (f64::from(found_log) - truth).abs() <= relative + U * truth.abs();
            prop_assert!(near || same(found_log, truth as f32), "log: {found_log}, not {truth}");
        }
    }
}

fn log_sum_exp(x: &[f64]) -> f64 {
    let m = max(x);
    if m.is_finite() { m + x.iter().map(|x| (x - m).exp()).sum::<f64>().ln() } else { m }
}

#[test]
fn rows_of_softmax_sum_to_one() {
    for x in [randn(&[37, 1000], 1), randn(&[300, 10], 2), randn(&[2, 50_000], 3) * 30.0] {
        let n = x.size(-1);
        for sum in x.softmax(-1).sum_axes(-1, false).iter() {
            assert!((f64::from(sum) - 1.0).abs() <= (2.0 * depth(n) + 4.0) * U, "{sum}");
        }
    }
}

fn randn(shape: &[usize], seed: u64) -> Tensor {
    Tensor::randn(shape, &mut Rng::seed(seed))
}

/// Large enough for leaves, trees, strips and several threads.
fn large() -> Vec<(Tensor, Vec<isize>)> {
    let mut cases = vec![
        (randn(&[300_001], 1), vec![0]),
        (randn(&[3, 70_001], 2), vec![1]),
        (randn(&[70_001, 3], 3), vec![0]),
        (randn(&[515, 1030], 4), vec![0]),
        (randn(&[515, 1030], 5), vec![1]),
        (randn(&[1030, 515], 6).t(), vec![1]),
        (randn(&[1030, 515], 7).t(), vec![0]),
        (randn(&[6, 130, 410], 8), vec![1]),
        (randn(&[7, 30, 900], 9), vec![0, 2]),
        (randn(&[30, 7, 900], 10).transpose(0, 2), vec![0, 2]),
        (randn(&[40, 50, 60, 3], 11).permute([3, 1, 0, 2]), vec![1, 3]),
    ];
    let x = randn(&[700, 701], 12);
    cases.push((x.flip(0).slice(1, gradus_tensor::Slice::from(..).step(-2)), vec![0, 1]));
    cases.push((x.flip(1), vec![0]));
    cases.push((x.slice(1, gradus_tensor::Slice::from(..).step(3)), vec![1]));
    cases.push((x.slice(1, ..1).broadcast_to([700, 300]), vec![1]));
    cases.push((x.slice(0, ..1).broadcast_to([300, 701]), vec![0]));
    cases
}

#[test]
fn large_tensors() {
    for (x, axes) in large() {
        check_all(&x, &Array { shape: x.shape().to_vec(), elements: x.to_vec() }, &axes);
    }
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let on = |threads: usize, f: &(dyn Fn() -> Vec<u32> + Sync)| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(f)
    };
    for (x, axes) in large() {
        let all = || {
            let places = x.argmax(axes[0]);
            let results = [
                x.sum_axes(&axes[..], false),
                x.var_axes(&axes[..], 1, false),
                x.max_axes(&axes[..], false),
                x.cumsum(axes[0]),
                x.cumprod(axes[0]),
                x.linear_recurrence(&x, axes[0]),
                x.logsumexp_axes(&axes[..], false),
                x.softmax(axes[0]),
            ];
            let places = places.iter().map(|place| place as u32);
            results.iter().flat_map(|t| t.to_vec()).map(f32::to_bits).chain(places).collect()
        };
        let one = on(1, &all);
        for threads in [2, 3, 7] {
            assert!(on(threads, &all) == one, "shape {}, {threads} threads", x.shape());
        }
    }
}

#[test]
fn errors_of_sums_grow_like_the_depth_of_the_tree() {
    // Equal positive terms that f32 cannot hold exactly: one after the other the sum would drift by up to n/2 roundings.
    for n in [1 << 12, 1 << 16, 1 << 20, 1 << 23] {
        let x = Tensor::full([n], 0.1);
        let truth = f64::from(0.1f32) * n as f64;
        let error = |found: f32| (f64::from(found) - truth).abs() / truth;
        assert!(error(x.sum().item()) <= depth(n) * U, "{n}: {}", error(x.sum().item()) / U);
        let columns = x.reshape([n / 4, 4]);
        for column in columns.sum_axes(0, false).iter() {
            let found = error(4.0 * column);
            assert!(found <= depth(n / 4) * U, "{n}: {}", found / U);
        }
    }
}

#[test]
fn variance_does_not_cancel() {
    // 1e4 + {-1, 1}: the mean of squares minus the square of the mean would have no correct digit left.
    let x = Tensor::from_fn([1000, 3], |i| 1e4 + if i[0] % 2 == 0 { 1.0 } else { -1.0 });
    assert_eq!(x.var_axes(0, 0, false).to_vec(), [1.0; 3]);
    assert_eq!(x.var_axes(Axes::all(), 0, false).item(), 1.0);
}

#[test]
fn empty_groups() {
    let x = Tensor::zeros([2, 0, 3]);
    assert_eq!(x.sum_axes(1, false).to_vec(), [0.0; 6]);
    assert_eq!(x.max_axes(1, false).to_vec(), [f32::NEG_INFINITY; 6]);
    assert_eq!(x.min_axes(1, false).to_vec(), [f32::INFINITY; 6]);
    assert!(x.mean_axes(1, false).iter().all(f32::is_nan));
    assert!(x.var_axes(1, 0, false).iter().all(f32::is_nan));
    assert_eq!(x.sum_axes(0, true).shape(), &[1, 0, 3]);
    assert_eq!(x.sum().item(), 0.0);
    assert!(x.mean().item().is_nan());
    assert_eq!(x.argmax(0).shape(), &[0, 3]);
    assert_eq!(x.argmax(2).shape(), &[2, 0]);
    assert_eq!(x.cumsum(1).shape(), &[2, 0, 3]);
    assert_eq!(x.cumprod(1).shape(), &[2, 0, 3]);
    assert_eq!(x.linear_recurrence(&x, 2).shape(), &[2, 0, 3]);
    assert_eq!(Tensor::zeros([0, 70_000]).sum_axes(0, false).to_vec(), [0.0; 70_000]);
}

#[test]
fn scalars_and_single_elements() {
    let x = Tensor::scalar(-3.0);
    for y in [x.sum(), x.mean(), x.max(), x.min(), x.sum_axes(Axes::all(), true), x.sum_axes([], true)] {
        assert_eq!((y.item(), y.rank()), (-3.0, 0));
    }
    assert_eq!(x.var_axes(Axes::all(), 0, false).item(), 0.0);
    assert!(x.var().item().is_nan());
    assert!(Tensor::from([1.0, 3.0]).var_axes(0, 2, false).item() == f32::INFINITY);
}

#[rustfmt::skip] // each call on the line it is checked for
#[test]
fn reductions_panic_with_the_callers_line() {
    let mut said = Messages::of("tensor", module_path!(), "reductions_panic_with_the_callers_line");
    let x = Tensor::zeros([2, 3]);
    fails!(said, x.sum_axes(2, false));
    fails!(said, x.mean_axes([0, -2], false));
    fails!(said, x.max_axes(2, false));
    fails!(said, x.min_axes(2, false));
    fails!(said, x.var_axes(2, 1, false));
    fails!(said, x.std_axes(2, 1, false));
    fails!(said, x.logsumexp_axes(2, false));
    fails!(said, x.softmax(2));
    fails!(said, Tensor::scalar(1.0).log_softmax(0));
    fails!(said, x.argmax(2));
    fails!(said, x.cumsum(2));
    fails!(said, x.cumprod(2));
    fails!(said, x.linear_recurrence(&x, -3));
    fails!(said, x.linear_recurrence(&Tensor::zeros([3]), 0));
    fails!(said, Tensor::zeros([2, 0]).argmin(1));
    fails!(said, Tensor::zeros([0, 0]).argmax(0));
    said.check();
}
