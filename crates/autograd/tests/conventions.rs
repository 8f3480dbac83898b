//! What happens at kinks, ties and singular points: one written convention each, the same in the fast sweep and in the
//! rule that is recorded for higher orders.

use gradus_autograd::{
    ops::grid_sample::{GridMode, GridPadding},
    prelude::*,
};

use std::f32::consts::{FRAC_PI_2, PI};

/// 2^100, whose square is no f32.
const BIG: f32 = (1u128 << 100) as f32;
const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;

fn same(a: f32, b: f32) -> bool {
    a == b || a.is_nan() && b.is_nan()
}

#[track_caller]
fn all_same(found: &Tensor, expected: &[f32]) {
    let equal = found.numel() == expected.len() && found.iter().zip(expected).all(|(a, &b)| same(a, b));
    assert!(equal, "{found:?} is not {expected:?}");
}

/// A function of one variable, and what it and its derivative give at a point.
struct Convention {
    name: &'static str,
    f: for<'t> fn(Var<'t>) -> Var<'t>,
    at: &'static [[f32; 3]],
}

macro_rules! conventions {
    ($($f:expr => $at:expr;)*) => {
        vec![$(Convention { name: stringify!($f), f: $f, at: &$at }),*]
    };
}

fn kinks_and_singular_points() -> Vec<Convention> {
    conventions! {
        // x, y, dy/dx
        |x| x.relu() => [[0.0, 0.0, 0.0], [-0.0, 0.0, 0.0], [INF, INF, 1.0], [-INF, 0.0, 0.0]];
        |x| x.leaky_relu(0.25) => [[0.0, 0.0, 0.25], [-4.0, -1.0, 0.25], [4.0, 4.0, 1.0]];
        |x| x.elu(2.0) => [[0.0, 0.0, 2.0], [-INF, -2.0, 0.0], [3.0, 3.0, 1.0]];
        |x| x.abs() => [[0.0, 0.0, 0.0], [-0.0, 0.0, 0.0], [-2.0, 2.0, -1.0], [NAN, NAN, NAN]];
        |x| x.clamp(-1.0, 1.0) => [[1.0, 1.0, 1.0], [-1.0, -1.0, 1.0], [2.0, 1.0, 0.0], [NAN, NAN, 0.0]];
        |x| x.clamp(1.0, -1.0) => [[0.0, -1.0, 0.0], [5.0, -1.0, 0.0]];
        |x| x.sqrt() => [[0.0, 0.0, INF], [-1.0, NAN, NAN], [4.0, 2.0, 0.25]];
        |x| x.rsqrt() => [[0.0, INF, -INF], [4.0, 0.5, -0.0625]];
        |x| x.log() => [[0.0, -INF, INF], [-1.0, NAN, -1.0]];
        |x| x.log1p() => [[-1.0, -INF, INF], [1e-10, 1e-10, 1.0]];
        |x| x.expm1() => [[0.0, 0.0, 1.0], [-INF, -1.0, 0.0], [1e-10, 1e-10, 1.0]];
        |x| x.log2() => [[0.0, -INF, INF], [8.0, 3.0, 0.18033688]];
        |x| x.log10() => [[0.0, -INF, INF]];
        |x| x.exp2() => [[3.0, 8.0, 5.5451775], [-INF, 0.0, 0.0]];
        |x| x.cbrt() => [[0.0, 0.0, INF], [-1.0, -1.0, 0.33333334]];
        |x| x.asin() => [[1.0, FRAC_PI_2, INF], [-1.0, -FRAC_PI_2, INF], [2.0, NAN, NAN]];
        |x| x.acos() => [[1.0, 0.0, -INF], [-1.0, PI, -INF], [-2.0, NAN, NAN]];
        |x| x.atan() => [[INF, FRAC_PI_2, 0.0], [-INF, -FRAC_PI_2, 0.0]];
        |x| x.acosh() => [[1.0, 0.0, INF]];
        |x| x.atanh() => [[1.0, INF, INF], [-1.0, -INF, INF]];
        |x| x.erfc() => [[INF, 0.0, 0.0], [-INF, 2.0, 0.0]];
        |x| x.erfinv() => [[1.0, INF, INF], [-1.0, -INF, INF], [0.0, 0.0, 0.886_226_95]];
        |x| x.sinc() => [[0.0, 1.0, 0.0], [1.0, 0.0, -1.0], [-2.0, 0.0, -0.5], [INF, 0.0, 0.0], [-INF, 0.0, 0.0]];
        |x| x.lgamma() => [[0.0, INF, -INF], [INF, INF, INF], [-3.0, INF, NAN], [-1e10, INF, NAN], [-INF, INF, NAN]];
        |x| x.digamma() => [[0.0, -INF, INF], [-0.0, INF, INF], [-3.0, NAN, INF], [-1e10, NAN, INF], [INF, INF, 0.0], [-INF, NAN, NAN]];
        |x| x.polygamma(1) => [[0.0, INF, -INF], [-3.0, INF, NAN], [INF, 0.0, 0.0], [-INF, NAN, NAN]];
        |x| x.reciprocal() => [[0.0, INF, -INF], [-0.0, -INF, -INF]];
        |x| x.sigmoid() => [[0.0, 0.5, 0.25], [1000.0, 1.0, 0.0], [-1000.0, 0.0, 0.0]];
        |x| x.tanh() => [[0.0, 0.0, 1.0], [1000.0, 1.0, 0.0], [-1000.0, -1.0, 0.0]];
        |x| x.softplus() => [[1000.0, 1000.0, 1.0], [-1000.0, 0.0, 0.0], [INF, INF, 1.0], [-INF, 0.0, 0.0]];
        |x| x.softplus_with(2.0, 4.0) => [[2.0, 2.009_075, 0.98201376], [3.0, 3.0, 1.0], [-1000.0, 0.0, 0.0], [INF, INF, 1.0]];
        |x| x.gelu() => [[0.0, 0.0, 0.5], [100.0, 100.0, 1.0], [-100.0, 0.0, 0.0], [INF, INF, 1.0], [-INF, 0.0, 0.0]];
        |x| x.gelu_tanh() => [[0.0, 0.0, 0.5], [100.0, 100.0, 1.0], [2e13, 2e13, 1.0], [-2e13, 0.0, 0.0], [INF, INF, 1.0], [-INF, 0.0, 0.0]];
        |x| x.silu() => [[0.0, 0.0, 0.5], [1000.0, 1000.0, 1.0], [-1000.0, 0.0, 0.0], [INF, INF, 1.0], [-INF, 0.0, 0.0]];
        |x| x.mish() => [[0.0, 0.0, 0.6], [1000.0, 1000.0, 1.0], [-1000.0, 0.0, 0.0], [INF, INF, 1.0], [-INF, 0.0, 0.0]];
        |x| x.celu(2.0) => [[0.0, 0.0, 1.0], [-INF, -2.0, 0.0], [3.0, 3.0, 1.0]];
        |x| x.selu() => [[0.0, 0.0, 1.7580993], [1.0, 1.050701, 1.050701]];
        |x| x.softsign() => [[0.0, 0.0, 1.0], [INF, 1.0, 0.0], [-INF, -1.0, 0.0]];
        |x| x.tanhshrink() => [[0.0, 0.0, 0.0], [1000.0, 999.0, 1.0]];
        |x| x.hardtanh(-1.0, 1.0) => [[1.0, 1.0, 0.0], [-1.0, -1.0, 0.0], [NAN, NAN, 0.0]];
        |x| x.relu6() => [[0.0, 0.0, 0.0], [6.0, 6.0, 0.0], [3.0, 3.0, 1.0]];
        |x| x.hardsigmoid() => [[3.0, 1.0, 0.0], [-3.0, 0.0, 0.0]];
        |x| x.hardswish() => [[3.0, 3.0, 1.0], [-3.0, 0.0, 0.0], [INF, INF, 1.0], [-INF, 0.0, 0.0]];
        |x| x.threshold(1.0, 1.0) => [[1.0, 1.0, 0.0], [2.0, 2.0, 1.0], [NAN, NAN, 1.0]];
        |x| x.logsigmoid() => [[1000.0, 0.0, 0.0], [-1000.0, -1000.0, 1.0]];
        |x| x.hardshrink(0.5) => [[0.5, 0.0, 0.0], [-0.5, 0.0, 0.0], [NAN, NAN, 1.0]];
        |x| x.softshrink(0.5) => [[0.5, 0.0, 0.0], [-0.5, 0.0, 0.0], [2.0, 1.5, 1.0]];
        |x| x.clamp_min(1.0) => [[1.0, 1.0, 1.0], [0.0, 1.0, 0.0], [INF, INF, 1.0]];
        |x| x.clamp_max(1.0) => [[1.0, 1.0, 1.0], [2.0, 1.0, 0.0], [-INF, -INF, 1.0]];
        |x| x.frac() => [[2.0, 0.0, 1.0], [-0.25, -0.25, 1.0]];
        |x| x.powf(0.0) => [[0.0, 1.0, 0.0], [-2.0, 1.0, 0.0], [INF, 1.0, 0.0]];
        |x| x.powf(0.5) => [[0.0, 0.0, INF], [-2.0, NAN, NAN], [4.0, 2.0, 0.25]];
        |x| x.powf(1.0) => [[0.0, 0.0, 1.0], [-2.0, -2.0, 1.0]];
        |x| x.powf(1.5) => [[0.0, 0.0, 0.0]];
        |x| x.powf(2.0) => [[0.0, 0.0, 0.0], [-2.0, 4.0, -4.0]];
        |x| x.powf(3.0) => [[2.0, 8.0, 12.0], [-2.0, -8.0, 12.0]];
        |x| x.powf(-1.0) => [[0.0, INF, -INF], [-2.0, -0.5, -0.25]];
        |x| x.norm() => [[0.0, 0.0, 0.0], [-2.0, 2.0, -1.0]];
        |x| x.vector_norm(1.0, Axes::all(), false) => [[0.0, 0.0, 0.0], [-2.0, 2.0, -1.0]];
        |x| x.vector_norm(3.0, Axes::all(), false) => [[0.0, 0.0, 0.0]];
        |x| x.vector_norm(INF, Axes::all(), false) => [[0.0, 0.0, 0.0], [-2.0, 2.0, -1.0]];
        |x| x.std_axes(Axes::all(), 0, false) => [[3.0, 0.0, 0.0]];
        |x| x.logsumexp() => [[-INF, -INF, 0.0], [1000.0, 1000.0, 1.0]];
        |x| x.reshape([1]).logcumsumexp(0) => [[-INF, -INF, 0.0], [1000.0, 1000.0, 1.0]];
        |x| x.max() => [[NAN, NAN, 1.0], [-INF, -INF, 1.0]];
    }
}

#[test]
fn kinks_and_singular_points_are_as_written() {
    for Convention { name, f, at } in kinks_and_singular_points() {
        for &[x, y, slope] in at {
            let tape = Tape::new();
            let var = tape.var(x);
            let value = f(var);
            assert!(same(value.item(), y), "{name} at {x} is {}, not {y}", value.item());
            let swept = value.backward()[var].item();
            assert!(same(swept, slope), "{name} at {x} has slope {swept}, not {slope}");
            let recorded = value.grad(&[var])[0].unwrap().item();
            assert!(same(recorded, slope), "{name} at {x} has a recorded slope of {recorded}, not {slope}");
        }
    }
}

/// Where a function has a value on both sides, its slope lies between the differences to the two sides.
#[test]
fn slopes_lie_between_those_of_the_two_sides() {
    let mut compared = 0;
    for Convention { name, f, at } in kinks_and_singular_points() {
        for &[x, y, slope] in at.iter().filter(|row| row.iter().all(|number| number.is_finite())) {
            let step = 1e-4 * x.abs().max(1.0);
            let tape = Tape::new();
            let difference = |side: f32| (f(tape.var(x + side)).item() - y) / side;
            let (left, right) = (difference(-step), difference(step));
            // Nothing lies beyond the end of a domain.
            let (left, right) =
                (if left.is_nan() { right } else { left }, if right.is_nan() { left } else { right });
            let margin = 0.02 * (1.0 + left.abs() + right.abs());
            assert!(
                left.min(right) - margin <= slope && slope <= left.max(right) + margin,
                "{name} at {x}: {slope} is not between {left} and {right}"
            );
            compared += 1;
        }
    }
    assert!(compared > 60, "{compared}");
}

/// The page that users read has these numbers.
#[test]
fn the_documentation_has_this_table() {
    let row = |name: &str, [x, y, slope]: [f32; 3]| {
        let method = name.trim_start_matches("|x| ").replace("INF", "∞");
        format!("| `{method}` | {x} | {y} | {slope} |").replace("inf", "∞")
    };
    let table: Vec<String> = kinks_and_singular_points()
        .iter()
        .flat_map(|convention| convention.at.iter().map(|&at| row(convention.name, at)))
        .collect();
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/conventions.md");
    let text = std::fs::read_to_string(page).unwrap();
    let written: Vec<&str> = text.lines().filter(|line| line.starts_with("| `x.")).collect();
    assert!(written == table, "docs/conventions.md should have this table:\n{}", table.join("\n"));
}

#[test]
fn powers_of_two_variables() {
    // a, b, a^b, by a, by b
    let table = [
        [2.0, 3.0, 8.0, 12.0, 8.0 * 2f32.ln()],
        [0.0, 0.0, 1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 1.0, 0.0],
        [0.0, 2.0, 0.0, 0.0, 0.0],
        [0.0, 0.5, 0.0, INF, 0.0],
        [0.0, -1.0, INF, -INF, -INF],
        [-2.0, 2.0, 4.0, -4.0, NAN],
        [-2.0, 0.0, 1.0, 0.0, NAN],
    ];
    for [a, b, y, by_a, by_b] in table {
        let tape = Tape::new();
        let (va, vb) = (tape.var(a), tape.var(b));
        let power = va.pow(&vb);
        assert!(same(power.item(), y), "{a}^{b} is {}", power.item());
        let swept = power.backward();
        assert!(same(swept[va].item(), by_a), "{a}^{b} by a: {}", swept[va]);
        assert!(
            (swept[vb].item() - by_b).abs() < 1e-6 || same(swept[vb].item(), by_b),
            "{a}^{b} by b: {}",
            swept[vb]
        );
    }
}

#[test]
fn functions_of_two_variables() {
    type Pair = for<'t> fn(&Var<'t>, &Var<'t>) -> Var<'t>;
    // a, b, y, by a, by b
    let table: [(&str, Pair, &[[f32; 5]]); 8] = [
        (
            "atan2",
            |a, b| a.atan2(b),
            &[
                [0.0, 0.0, 0.0, 0.0, 0.0],
                [0.0, 1.0, 0.0, 1.0, 0.0],
                [0.0, -1.0, PI, -1.0, 0.0],
                [-0.0, -1.0, -PI, -1.0, 0.0],
                [1.0, 0.0, FRAC_PI_2, 0.0, -1.0],
            ],
        ),
        ("copysign", |a, b| a.copysign(b), &[[0.0, -1.0, -0.0, 0.0, 0.0], [2.0, -0.0, -2.0, -1.0, 0.0]]),
        (
            "hypot",
            |a, b| a.hypot(b),
            &[
                [0.0, 0.0, 0.0, 0.0, 0.0],
                [-3.0, 4.0, 5.0, -0.6, 0.8],
                [3.0 * BIG, 4.0 * BIG, 5.0 * BIG, 0.6, 0.8],
            ],
        ),
        (
            "remainder",
            |a, b| a.remainder(b),
            &[
                [5.0, 3.0, 2.0, 1.0, -1.0],
                [-5.0, 3.0, 1.0, 1.0, 2.0],
                [5.0, -3.0, -1.0, 1.0, 2.0],
                [6.0, 3.0, 0.0, 1.0, -2.0],
            ],
        ),
        ("fmod", |a, b| a.fmod(b), &[[-5.0, 3.0, -2.0, 1.0, 1.0], [5.0, -3.0, 2.0, 1.0, 1.0]]),
        (
            "xlogy",
            |a, b| a.xlogy(b),
            &[
                [0.0, 0.0, 0.0, 0.0, 0.0],
                [0.0, -1.0, 0.0, 0.0, 0.0],
                [0.0, 1.0, 0.0, 0.0, 0.0],
                [2.0, 1.0, 0.0, 0.0, 2.0],
                [2.0, 0.0, -INF, -INF, INF],
            ],
        ),
        (
            "strong_mul",
            |a, b| a.strong_mul(b),
            &[
                [0.0, INF, 0.0, 0.0, 0.0],
                [NAN, 0.0, 0.0, 0.0, 0.0],
                [0.0, 2.0, 0.0, 2.0, 0.0],
                [2.0, INF, INF, INF, 2.0],
            ],
        ),
        (
            "logaddexp",
            |a, b| a.logaddexp(b),
            &[
                [-INF, -INF, -INF, 0.0, 0.0],
                [-INF, 1.0, 1.0, 0.0, 1.0],
                [1000.0, -1000.0, 1000.0, 1.0, 0.0],
                [INF, 0.0, INF, 1.0, 0.0],
            ],
        ),
    ];
    for (name, f, rows) in table {
        for &[a, b, y, by_a, by_b] in rows {
            let tape = Tape::new();
            let (va, vb) = (tape.var(a), tape.var(b));
            let value = f(&va, &vb);
            assert!(same(value.item(), y), "{name}({a}, {b}) is {}, not {y}", value.item());
            let swept = value.backward();
            let found = [va, vb].map(|v| swept.get(v).map_or(0.0, |g| g.item()));
            let recorded = value.grad(&[va, vb]);
            let recorded = [0, 1].map(|i: usize| recorded[i].map_or(0.0, |g| g.item()));
            for found in [found, recorded] {
                assert!(
                    same(found[0], by_a) && same(found[1], by_b),
                    "{name}({a}, {b}): gradients {found:?}"
                );
            }
        }
    }
}

#[test]
fn ties_share() {
    let tape = Tape::new();
    let (a, b) = (tape.var([1.0, 1.0, 2.0]), tape.var([1.0, 2.0, 1.0]));
    for (y, by_a, by_b) in
        [(a.maximum(&b), [0.5, 0.0, 1.0], [0.5, 1.0, 0.0]), (a.minimum(&b), [0.5, 1.0, 0.0], [0.5, 0.0, 1.0])]
    {
        let gradients = y.sum().backward();
        all_same(&gradients[a], &by_a);
        all_same(&gradients[b], &by_b);
    }
    let x = tape.var([3.0, 1.0, 3.0, 1.0, 1.0]);
    all_same(&x.max().backward()[x], &[0.5, 0.0, 0.5, 0.0, 0.0]);
    let third = 1.0 / 3.0;
    all_same(&x.min().backward()[x], &[0.0, third, 0.0, third, third]);
    // One variable on both sides gets it all.
    all_same(&a.maximum(&a).sum().backward()[a], &[1.0; 3]);
    // Forms that tell the position give it all to the first.
    let y = x.max_with_indices(0).0 + x.min_with_indices(0).0;
    all_same(&y.backward()[x], &[1.0, 1.0, 0.0, 0.0, 0.0]);
    all_same(&x.topk(1, 0, true).0.sum().backward()[x], &[1.0, 0.0, 0.0, 0.0, 0.0]);
    all_same(&x.sort(0, false).0.slice(0, ..1).sum().backward()[x], &[0.0, 1.0, 0.0, 0.0, 0.0]);
    all_same(&x.vector_norm(INF, 0, false).backward()[x], &[0.5, 0.0, 0.5, 0.0, 0.0]);
    assert!(tape.var(NAN).maximum(&tape.var(1.0)).item().is_nan());
    assert!(tape.var(1.0).minimum(&tape.var(NAN)).item().is_nan());
}

#[test]
fn comparisons_give_masks_and_no_gradient() {
    let tape = Tape::new();
    let (a, b) = (tape.var([1.0, 2.0, 3.0, NAN]), tape.var(2.0));
    all_same(&a.gt(&b).value(), &[0.0, 0.0, 1.0, 0.0]);
    all_same(&a.ge(&b).value(), &[0.0, 1.0, 1.0, 0.0]);
    all_same(&a.lt(&b).value(), &[1.0, 0.0, 0.0, 0.0]);
    all_same(&a.le(&b).value(), &[1.0, 1.0, 0.0, 0.0]);
    all_same(&a.equals(&b).value(), &[0.0, 1.0, 0.0, 0.0]);
    all_same(&a.not_equals(&b).value(), &[1.0, 0.0, 1.0, 1.0]);
    let (p, q) = (tape.var([0.0, 0.0, 2.0, NAN]), tape.var([0.0, -1.0, 0.0, 3.0]));
    all_same(&p.logical_and(&q).value(), &[0.0, 0.0, 0.0, 1.0]);
    all_same(&p.logical_or(&q).value(), &[0.0, 1.0, 1.0, 1.0]);
    all_same(&p.logical_xor(&q).value(), &[0.0, 1.0, 1.0, 0.0]);
    all_same(&p.logical_not().value(), &[1.0, 1.0, 0.0, 0.0]);
    assert!(a.gt(&b).sum().grad(&[a, b]).iter().all(Option::is_none));
    assert!(a.gt(&b).sum().backward().get(a).is_none());
}

#[test]
fn rounding_has_no_gradient() {
    let tape = Tape::new();
    let x = tape.var([-1.5, -0.5, 0.5, 1.5, 2.5, -2.0, INF, NAN]);
    let rounded = [
        (x.floor(), [-2.0, -1.0, 0.0, 1.0, 2.0, -2.0, INF, NAN]),
        (x.ceil(), [-1.0, 0.0, 1.0, 2.0, 3.0, -2.0, INF, NAN]),
        (x.round(), [-2.0, 0.0, 0.0, 2.0, 2.0, -2.0, INF, NAN]),
        (x.trunc(), [-1.0, 0.0, 0.0, 1.0, 2.0, -2.0, INF, NAN]),
        (x.sign(), [-1.0, -1.0, 1.0, 1.0, 1.0, -1.0, 1.0, NAN]),
    ];
    for (y, expected) in rounded {
        all_same(&y.value(), &expected);
        assert!(y.sum().backward().get(x).is_none());
    }
    all_same(&tape.var([0.0, -0.0]).sign().value(), &[0.0, 0.0]);
    all_same(&tape.var([-3.0, 0.0, 3.0]).heaviside(&tape.constant(0.5)).value(), &[0.0, 0.5, 1.0]);
}

/// A function that is singular at 0 or undefined below, behind a condition that does not take it there.
#[test]
fn a_branch_that_is_not_taken_gets_exactly_zero() {
    type Function = for<'t> fn(Var<'t>) -> Var<'t>;
    let functions: [(&str, Function); 11] = [
        ("sqrt", |x| x.sqrt()),
        ("log", |x| x.log()),
        ("reciprocal", |x| x.reciprocal()),
        ("rsqrt", |x| x.rsqrt()),
        ("powf -1", |x| x.powf(-1.0)),
        ("powf 0.5", |x| x.powf(0.5)),
        ("1 / x", |x| 1.0 / x),
        ("x / x²", |x| x / x.square()),
        ("x log x", |x| x * x.log()),
        ("x^x", |x| x.pow(&x)),
        ("exp of reciprocal", |x| x.reciprocal().exp()),
    ];
    for (name, f) in functions {
        let tape = Tape::new();
        let x = tape.var([0.0, -1.0, 4.0]);
        let y = x.is_positive().select_where(&f(x), &tape.constant(0.0));
        let swept = y.sum().backward();
        assert_eq!(swept[x].to_vec()[..2], [0.0, 0.0], "{name}");
        assert!(swept[x].get([2]).is_finite() && swept[x].get([2]) != 0.0, "{name}");
        let first = y.sum().grad(&[x])[0].unwrap();
        assert_eq!(first.value().to_vec()[..2], [0.0, 0.0], "{name}, recorded");
        let second = first.sum().grad(&[x])[0].unwrap();
        assert_eq!(second.value().to_vec()[..2], [0.0, 0.0], "{name}, second order");
    }
}

#[test]
fn masks_hide_nan_both_ways() {
    let tape = Tape::new();
    let (a, b) = (tape.var([NAN, 1.0]), tape.var([2.0, NAN]));
    let mask = tape.var([0.0, 1.0]);
    let y = mask.select_where(&a, &b);
    all_same(&y.value(), &[2.0, 1.0]);
    let gradients = (y * y).sum().backward();
    all_same(&gradients[a], &[0.0, 2.0]);
    all_same(&gradients[b], &[4.0, 0.0]);
    assert!(gradients.get(mask).is_none());
    // A cotangent of NaN or inf stays in the branch that was taken.
    let gradients = y.backward_from([INF, NAN]);
    all_same(&gradients[a], &[0.0, NAN]);
    all_same(&gradients[b], &[INF, 0.0]);
    let filled = a.masked_fill(&tape.constant([1.0, 0.0]), -1.0);
    all_same(&filled.value(), &[-1.0, 1.0]);
    all_same(&filled.sum().backward()[a], &[0.0, 1.0]);
    // Behind a rectifier and a maximum too.
    let x = tape.var([-1.0, 4.0]);
    all_same(&x.relu().backward_from([INF, 1.0])[x], &[0.0, 1.0]);
    all_same(&x.max().backward_from(INF)[x], &[0.0, INF]);
}

#[test]
fn wholly_masked_rows() {
    let tape = Tape::new();
    let x = tape.var([[-INF, -INF], [0.0, -INF]]);
    all_same(&x.softmax(1).value(), &[NAN, NAN, 1.0, 0.0]);
    all_same(&x.log_softmax(1).value(), &[NAN, NAN, 0.0, -INF]);
    let y = x.logsumexp_axes(1, false);
    all_same(&y.value(), &[-INF, 0.0]);
    all_same(&y.sum().backward()[x], &[0.0, 0.0, 1.0, 0.0]);
}

/// What a row of pixels 1, 3, 7 gives at a place, and its slope there. With aligned corners the pixels lie at -1, 0, 1.
const GRID_PLACES: [(GridPadding, f32, f32, f32); 18] = [
    (GridPadding::Zeros, -3.0, 0.0, 0.0),
    (GridPadding::Zeros, -2.0, 0.0, 1.0),
    (GridPadding::Zeros, -1.0, 1.0, 2.0),
    (GridPadding::Zeros, 0.0, 3.0, 4.0),
    (GridPadding::Zeros, 1.0, 7.0, -7.0),
    (GridPadding::Zeros, 2.0, 0.0, 0.0),
    (GridPadding::Zeros, INF, 0.0, 0.0),
    (GridPadding::Zeros, NAN, NAN, 0.0),
    (GridPadding::Border, -1.0, 1.0, 0.0),
    (GridPadding::Border, 0.0, 3.0, 4.0),
    (GridPadding::Border, 1.0, 7.0, 0.0),
    (GridPadding::Border, INF, 7.0, 0.0),
    (GridPadding::Border, NAN, NAN, 0.0),
    (GridPadding::Reflection, -1.0, 1.0, 0.0),
    (GridPadding::Reflection, 1.0, 7.0, 0.0),
    (GridPadding::Reflection, 2.0, 3.0, -4.0),
    (GridPadding::Reflection, 3.0, 1.0, 0.0),
    (GridPadding::Reflection, INF, NAN, 0.0),
];

#[test]
fn places_of_a_grid_on_pixels_and_borders() {
    fn sample<'t>(place: Var<'t>, padding: GridPadding) -> Var<'t> {
        let image = place.place().constant([[[[1.0, 3.0, 7.0]]]]);
        let row = place.place().constant(0.0);
        let grid = Var::stack(&[&place, &row], 0).reshape([1, 1, 1, 2]);
        image.grid_sample(&grid, GridMode::Bilinear, padding, true).sum()
    }
    let mut table = Vec::new();
    for (padding, place, value, slope) in GRID_PLACES {
        let tape = Tape::new();
        let x = tape.var(place);
        let y = sample(x, padding);
        assert!(same(y.item(), value), "{padding:?} at {place} is {}", y.item());
        let slopes = [y.backward()[x].item(), y.grad(&[x])[0].unwrap().item()];
        assert_eq!(slopes, [slope; 2], "{padding:?} at {place}");
        if place.is_finite() {
            // Halves are exact, and no kink lies within them.
            let side = |step: f32| (sample(tape.var(place + step), padding).item() - value) / step;
            let (left, right) = (side(-0.5), side(0.5));
            assert!(
                left.min(right) <= slope && slope <= left.max(right),
                "{padding:?} at {place}: {left} {right}"
            );
        }
        let padding = format!("{padding:?}").to_lowercase();
        table.push(format!("| {padding} | {place} | {value} | {slope} |").replace("inf", "∞"));
    }
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/conventions.md");
    let text = std::fs::read_to_string(page).unwrap();
    let is_row =
        |line: &&str| ["zeros", "border", "reflection"].iter().any(|p| line.starts_with(&format!("| {p} |")));
    let written: Vec<&str> = text.lines().filter(is_row).collect();
    assert!(written == table, "docs/conventions.md should have this table:\n{}", table.join("\n"));
}

/// A norm or a statistic of a vector, and what it and its gradient give.
struct OfVector {
    name: &'static str,
    f: for<'t> fn(Var<'t>) -> Var<'t>,
    at: Vec<(&'static [f32], f32, &'static [f32])>,
}

macro_rules! of_vectors {
    ($($f:expr => [$($at:expr),* $(,)?];)*) => {
        vec![$(OfVector { name: stringify!($f), f: $f, at: vec![$($at),*] }),*]
    };
}

fn norms_and_statistics() -> Vec<OfVector> {
    of_vectors! {
        // v, y, dy/dv
        |v| v.norm() => [
            (&[3e-25, 4e-25], 5e-25, &[0.6, 0.8]),
            (&[3e30, -4e30], 5e30, &[0.6, -0.8]),
            (&[0.0, 0.0], 0.0, &[0.0, 0.0]),
            (&[INF, 1.0], INF, &[NAN, 0.0]),
            (&[NAN, 1.0], NAN, &[NAN, NAN]),
            (&[3e38, 3e38], INF, &[0.0, 0.0]),
        ];
        |v| v.vector_norm(4.0, 0, false) => [
            (&[0.0, -1e-20], 1e-20, &[0.0, -1.0]),
            (&[0.0, 1e20], 1e20, &[0.0, 1.0]),
        ];
        |v| v.vector_norm(0.5, 0, false) => [
            (&[0.0, 2.0], 2.0, &[0.0, 1.0]),
        ];
        |v| v.vector_norm(3.0, 0, false) => [
            (&[INF, 1.0], INF, &[NAN, 0.0]),
        ];
        |v| v.std_axes(Axes::all(), 0, false) => [
            (&[-3e-25, 3e-25], 3e-25, &[-0.5, 0.5]),
            (&[-3e30, 3e30], 3e30, &[-0.5, 0.5]),
            (&[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], 0.0, &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
            (&[INF, 1.0], NAN, &[NAN, NAN]),
        ];
        |v| v.std() => [
            (&[2.0], NAN, &[NAN]),
        ];
        |v| v.var_axes(Axes::all(), 0, false) => [
            (&[-3e30, 3e30], INF, &[-3e30, 3e30]),
            (&[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], 0.0, &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
            (&[NAN, 1.0], NAN, &[NAN, NAN]),
        ];
        |v| v.var() => [
            (&[2.0], NAN, &[NAN]),
        ];
    }
}

#[test]
fn norms_and_statistics_at_the_bounds_of_f32() {
    let near = |a: f32, b: f32| same(a, b) || (a - b).abs() <= 2e-7 * b.abs();
    let number = |x: &f32| format!("{x:?}").trim_end_matches(".0").replace("inf", "∞");
    let list = |v: &[f32]| v.iter().map(number).collect::<Vec<_>>().join(", ");
    let mut table = Vec::new();
    for OfVector { name, f, at } in norms_and_statistics() {
        for (v, y, slopes) in at {
            let tape = Tape::new();
            let var = tape.var(Tensor::new(v, [v.len()]));
            let value = f(var);
            assert!(near(value.item(), y), "{name} of {v:?} is {}, not {y}", value.item());
            let swept = value.backward()[var].to_vec();
            let recorded = value.grad(&[var])[0].unwrap().value().to_vec();
            for found in [swept, recorded] {
                let equal = found.iter().zip(slopes).all(|(&a, &b)| near(a, b));
                assert!(equal, "{name} of {v:?} has the gradient {found:?}, not {slopes:?}");
            }
            let method = name.trim_start_matches("|v| ");
            table.push(format!("| `{method}` | {} | {} | {} |", list(v), number(&y), list(slopes)));
        }
    }
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/conventions.md");
    let text = std::fs::read_to_string(page).unwrap();
    let written: Vec<&str> = text.lines().filter(|line| line.starts_with("| `v.")).collect();
    assert!(written == table, "docs/conventions.md should have this table:\n{}", table.join("\n"));
}
