//! Infinities, NaN, underflow and overflow in functions and losses: what `docs/conventions.md` promises of them.

use gradus_autograd::{
    Op,
    op::reference::{Array, Branches},
    ops::{elementwise::*, loss::Reduction},
    prelude::*,
};

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;
/// 2^126: the double of its double is no f32.
const BIG: f32 = (1u128 << 126) as f32;

fn same(a: f32, b: f32) -> bool {
    a == b || a.is_nan() && b.is_nan()
}

fn near(a: f32, b: f32, share: f32) -> bool {
    same(a, b) || (a - b).abs() <= share * b.abs().max(1e-36)
}

#[track_caller]
fn all_same(found: &Tensor, expected: &[f32]) {
    let equal = found.numel() == expected.len() && found.iter().zip(expected).all(|(a, &b)| same(a, b));
    assert!(equal, "{found:?} is not {expected:?}");
}

/// A function, and the same in f64.
struct Function {
    name: &'static str,
    f: for<'t> fn(Var<'t>) -> Var<'t>,
    exact: Box<dyn Fn(f64) -> f64>,
}

macro_rules! functions {
    ($($name:ident $(($($p:literal),+))? = $op:expr;)*) => {
        vec![$(Function {
            name: stringify!($name),
            f: |x| x.$name($($($p),+)?),
            exact: Box::new(|x| $op.reference(&[&Array::full([], x)], &mut Branches::recording())[0].data()[0]),
        }),*]
    };
}

/// At every magnitude the value is the reference's, the two rules agree, the slope is that of the reference, and no
/// number makes NaN of a derivative, to the second order, where the value is none.
#[test]
fn functions_at_every_magnitude() {
    let functions = functions! {
        sigmoid = Sigmoid; tanh = Tanh; relu = Relu; leaky_relu(0.25) = LeakyRelu(0.25); elu(2.0) = Elu(2.0);
        gelu = Gelu; gelu_tanh = GeluTanh; silu = Silu; softplus = Softplus; mish = Mish;
        softplus_with(2.0, 20.0) = SoftplusWith(2.0, 20.0); celu(3.0) = Celu(3.0);
        softsign = Softsign; tanhshrink = Tanhshrink; hardtanh(-1.0, 1.0) = Hardtanh(-1.0, 1.0);
        exp = Exp; exp2 = Exp2; expm1 = Expm1; log = Log; log2 = Log2; log10 = Log10; log1p = Log1p; sqrt = Sqrt;
        cbrt = Cbrt; rsqrt = Rsqrt; reciprocal = Reciprocal; square = Square; powf(3.0) = Powf(3.0);
        powf(0.5) = Powf(0.5); erf = Erf; erfc = Erfc; erfinv = Erfinv; normal_cdf = NormalCdf; lgamma = Lgamma;
        abs = Abs; clamp(-1.0, 1.0) = Clamp(-1.0, 1.0); sinh = Sinh; cosh = Cosh; asin = Asin; acos = Acos;
        atan = Atan; asinh = Asinh; acosh = Acosh; atanh = Atanh; digamma = Polygamma { order: 0 };
    };
    let sizes = [
        1e-45, 1e-38, 1e-30, 1e-20, 1e-10, 1e-3, 0.3, 2.6, 10.2, 88.1, 1000.3, 1e7, 1e10, 1.7e13, 1e15, 1e20,
        1e30, 3e38,
    ];
    let mut at = vec![0.0, INF, NAN];
    at.extend(sizes);
    let mut compared = 0;
    for Function { name, f, exact } in functions {
        for x in at.iter().flat_map(|&x: &f32| [x, -x]) {
            let tape = Tape::new();
            let v = tape.var(x);
            let y = f(v);
            let (swept, recorded) = (y.backward()[v].item(), y.grad(&[v])[0].unwrap());
            let second = recorded.backward().get(v).map_or(0.0, |g| g.item());
            let (value, wanted) = (y.item(), exact(x.into()) as f32);
            assert!(near(value, wanted, 1e-6), "{name} of {x:e} is {value:e}, not {wanted:e}");
            let recorded = recorded.item();
            assert!(
                near(swept, recorded, 1e-5),
                "{name} at {x:e}: {swept:e} in the sweep, {recorded:e} recorded"
            );
            // The poles of the gamma function fill all that is very negative.
            if !(value.is_nan() || name == "lgamma" && x <= -1e7) {
                let second = if x == 0.0 { 0.0 } else { second }; // singular points have no second order
                assert!(
                    !swept.is_nan() && !second.is_nan(),
                    "{name} at {x:e}: {swept:e}, second order {second:e}"
                );
            }
            let (wide, h) = (f64::from(x), 1e-5 * f64::from(x));
            let (before, after) = (exact(wide - h), exact(wide + h));
            let slope = (after - before) / (2.0 * h);
            // Where the difference has digits, and no pole is close.
            let seen = (after - before).abs() > 1e-11 * after.abs() || before == after && after.abs() <= 2.0;
            let flat = ["atan", "softsign"].contains(&name) && before == after;
            if x.abs() > 100.0 && slope.is_finite() && seen && !flat && !(name.ends_with("gamma") && x < 0.0)
            {
                assert!(
                    near(swept, slope as f32, 1e-3),
                    "{name} at {x:e} has slope {swept:e}, not {slope:e}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 400, "{compared}");
}

/// Value and slope of every activation at both ends; the slope's own slope is 0. What vanishes is 0, not -0.
#[test]
fn activations_have_their_limits() {
    type Activation = for<'t> fn(Var<'t>) -> Var<'t>;
    // At -∞ and at ∞.
    let table: [(&str, Activation, [f32; 2], [f32; 2]); 23] = [
        ("gelu", |x| x.gelu(), [0.0, 0.0], [INF, 1.0]),
        ("gelu_tanh", |x| x.gelu_tanh(), [0.0, 0.0], [INF, 1.0]),
        ("silu", |x| x.silu(), [0.0, 0.0], [INF, 1.0]),
        ("mish", |x| x.mish(), [0.0, 0.0], [INF, 1.0]),
        ("hardswish", |x| x.hardswish(), [0.0, 0.0], [INF, 1.0]),
        ("relu", |x| x.relu(), [0.0, 0.0], [INF, 1.0]),
        ("softplus", |x| x.softplus(), [0.0, 0.0], [INF, 1.0]),
        ("softplus_with", |x| x.softplus_with(1.5, 20.0), [0.0, 0.0], [INF, 1.0]),
        ("softplus_with", |x| x.softplus_with(1e30, INF), [0.0, 0.0], [INF, 1.0]),
        ("relu6", |x| x.relu6(), [0.0, 0.0], [6.0, 0.0]),
        ("hardsigmoid", |x| x.hardsigmoid(), [0.0, 0.0], [1.0, 0.0]),
        ("sigmoid", |x| x.sigmoid(), [0.0, 0.0], [1.0, 0.0]),
        ("tanh", |x| x.tanh(), [-1.0, 0.0], [1.0, 0.0]),
        ("softsign", |x| x.softsign(), [-1.0, 0.0], [1.0, 0.0]),
        ("elu", |x| x.elu(2.0), [-2.0, 0.0], [INF, 1.0]),
        ("celu", |x| x.celu(41.0), [-41.0, 0.0], [INF, 1.0]),
        ("celu", |x| x.celu(1e-42), [-1e-42, 0.0], [INF, 1.0]),
        ("selu", |x| x.selu() / 1.050_701, [-1.673_263_2, 0.0], [INF, 1.0]),
        ("leaky_relu", |x| x.leaky_relu(0.25), [-INF, 0.25], [INF, 1.0]),
        ("logsigmoid", |x| -x.logsigmoid(), [INF, -1.0], [0.0, 0.0]),
        ("tanhshrink", |x| x.tanhshrink(), [-INF, 1.0], [INF, 1.0]),
        ("softshrink", |x| x.softshrink(0.5), [-INF, 1.0], [INF, 1.0]),
        ("hardshrink", |x| x.hardshrink(0.5), [-INF, 1.0], [INF, 1.0]),
    ];
    for (name, f, below, above) in table {
        for (x, [value, slope]) in [(-INF, below), (INF, above)] {
            let tape = Tape::new();
            let v = tape.var(x);
            let y = f(v);
            assert!(near(y.item(), value, 1e-6), "{name} of {x} is {}", y.item());
            assert!(value != 0.0 || y.item().is_sign_positive(), "{name} of {x} is -0");
            let swept = y.backward()[v].item();
            let recorded = y.grad(&[v])[0].unwrap();
            assert!(near(swept, slope, 1e-6) && near(recorded.item(), slope, 1e-6), "{name} at {x}: {swept}");
            let second = recorded.backward().get(v).map_or(0.0, |g| g.item());
            assert_eq!(second, 0.0, "{name} at {x}, second order");
            assert!(f(tape.var(NAN)).item().is_nan(), "{name} of NaN");
        }
    }
}

/// 0 · ln 0 counts for nothing: it is 0, with gradient 0 by both.
#[test]
fn zero_times_the_logarithm_of_zero() {
    let tape = Tape::new();
    let (zero, one, lost) = (tape.var(0.0), tape.var(1.0), tape.var(-INF));
    type Loss = for<'t> fn(&Var<'t>, &Var<'t>) -> Var<'t>;
    let table: [(&str, Loss, Var<'_>, Var<'_>, f32, f32, f32); 8] = [
        // What is predicted, the target; value, gradient by either.
        ("xlogy", |x, t| t.xlogy(x), tape.var(0.0), zero, 0.0, 0.0, 0.0),
        ("bce", |x, t| x.binary_cross_entropy(t), tape.var(0.0), zero, 0.0, 0.0, 0.0),
        ("bce", |x, t| x.binary_cross_entropy(t), tape.var(1.0), one, 0.0, 0.0, 0.0),
        ("bce", |x, t| x.binary_cross_entropy(t), tape.var(0.0), one, INF, -INF, INF),
        ("bce with logits", |x, t| x.binary_cross_entropy_with_logits(t), lost, zero, 0.0, 0.0, 0.0),
        ("kl_div", |x, t| x.kl_div(t), lost, zero, 0.0, 0.0, 0.0),
        ("kl_div", |x, t| x.kl_div(t), tape.var(-2.0), zero, 0.0, 0.0, 2.0),
        ("poisson", |x, t| x.poisson_nll_loss(t), lost, zero, 0.0, 0.0, 0.0),
    ];
    for (name, loss, x, t, value, by_x, by_t) in table {
        let y = loss(&x, &t);
        assert!(same(y.item(), value), "{name} is {}", y.item());
        let swept = y.backward();
        let recorded = y.grad(&[x, t]);
        for (v, swept, wanted) in [(0, swept.get(x), by_x), (1, swept.get(t), by_t)] {
            let found = [swept.map_or(0.0, |g| g.item()), recorded[v].map_or(0.0, |g: Var<'_>| g.item())];
            assert!(found.iter().all(|&g| same(g, wanted)), "{name}, gradient {v}: {found:?}, not {wanted}");
        }
    }
    // A class without probability, of which the target has none.
    let (x, t) = (tape.var([[0.0, -INF]]), tape.var([[1.0, 0.0]]));
    let y = x.soft_cross_entropy(&t);
    let gradients = y.backward();
    assert_eq!(y.item(), 0.0);
    all_same(&gradients[x], &[0.0, 0.0]);
    all_same(&gradients[t], &[0.0, 0.0]);
}

/// A probability that lies beside its target is as before: (x - t) / (x (1 - x)), and its slope at x = t.
#[test]
fn probabilities_between_zero_and_one() {
    let tape = Tape::new();
    for (x, t) in [(0.25f32, 0.25), (0.25, 1.0), (1e-30, 0.0), (0.0, 0.5)] {
        let v = tape.var(x);
        let y = v.binary_cross_entropy(&tape.constant(t));
        let slope = (x - t) / (x * (1.0 - x));
        let (swept, recorded) = (y.backward()[v].item(), y.grad(&[v])[0].unwrap());
        let close = |found: f32| same(found, slope) || (found - slope).abs() < 1e-6;
        assert!(close(swept) && close(recorded.item()), "{x} for {t}: {swept}, not {slope}");
        if x == t {
            let curvature = 1.0 / (x * (1.0 - x));
            assert!(near(recorded.backward()[v].item(), curvature, 1e-6));
        }
    }
}

/// Where everything up to a place is -∞, so is the logarithm of the sum, with gradient 0, as in logsumexp.
#[test]
fn sums_of_exponentials_of_nothing() {
    let tape = Tape::new();
    let x = tape.var([-INF, -INF, 2.0, 2.0]);
    let y = x.logcumsumexp(0);
    all_same(&y.value(), &[-INF, -INF, 2.0, 2.0 + 2f32.ln()]);
    for gradient in [y.sum().backward()[x].clone(), y.sum().grad(&[x])[0].unwrap().value().clone()] {
        all_same(&gradient, &[0.0, 0.0, 1.5, 0.5]);
    }
    let sum = x.logsumexp();
    all_same(&sum.backward()[x], &[0.0, 0.0, 0.5, 0.5]);
}

/// (x - t)² / (2 w) within the width and |x - t| - w / 2 beyond, whatever the width.
#[test]
fn losses_with_a_width() {
    let tape = Tape::new();
    // Error, width, smooth_l1 and its slope, in f64.
    let exact = |d: f64, w: f64| match d.abs() < w {
        true => (d * d / (2.0 * w), d / w),
        false => (d.abs() - w / 2.0, d.signum()),
    };
    let errors = [1e-45f32, 3e-42, 1e-30, 1e-20, 1.0, 1e20, 1e30, 3e38];
    let widths = [1e-45f32, 3e-42, 1.1754944e-38, 1e-30, 1e-10, 1.0, 1e10, 1e30, 3e38, f32::MAX];
    for d in errors.iter().flat_map(|&d| [d, -d]) {
        for w in widths {
            let v = tape.var(d);
            let (value, slope) = exact(d.into(), w.into());
            let y = v.smooth_l1_loss(&tape.constant(0.0), w);
            assert!(
                near(y.item(), value as f32, 1e-6),
                "error {d:e}, width {w:e}: {:e}, not {value:e}",
                y.item()
            );
            let found = [y.backward()[v].item(), y.grad(&[v])[0].unwrap().item()];
            // Subnormal errors within the width have few digits.
            let share = if d.abs() < w.min(f32::MIN_POSITIVE) { 1.0 } else { 1e-6 };
            assert!(
                found.iter().all(|&g| near(g, slope as f32, share)),
                "error {d:e}, width {w:e}: slopes {found:?}, not {slope:e}"
            );
            let huber = v.huber_loss(&tape.constant(0.0), w);
            let (value, slope) = ((value * f64::from(w)) as f32, (slope * f64::from(w)) as f32);
            assert!(near(huber.item(), value, 1e-6), "huber {d:e}, {w:e}: {:e}, not {value:e}", huber.item());
            let found = huber.backward()[v].item();
            assert!(
                near(found, slope, 1e-6),
                "huber, error {d:e}, width {w:e}: slope {found:e}, not {slope:e}"
            );
        }
        // Without a width it is the absolute error, with an infinite one it is nothing and the square.
        let (v, zero) = (tape.var(d), tape.constant(0.0));
        assert_eq!(v.smooth_l1_loss(&zero, 0.0).backward()[v].item(), d.signum());
        assert!(
            v.smooth_l1_loss(&zero, INF).item() <= 0.5
                && v.smooth_l1_loss(&zero, INF).backward()[v].item().abs() <= 1.0
        );
        assert!(near(v.huber_loss(&zero, INF).backward()[v].item(), d, 1e-6));
    }
    let infinite = tape.var(-INF);
    for w in [1e-42, 1.0, 3e38, INF] {
        let losses =
            [infinite.smooth_l1_loss(&tape.constant(0.0), w), infinite.huber_loss(&tape.constant(0.0), w)];
        assert_eq!(losses.map(|y| y.item()), [INF; 2], "{w:e}");
    }
    // A variance is a width too: its quotient is a number where its square is none.
    let (x, v) = (tape.var(1e25), tape.var(1e38));
    let y = x.gaussian_nll_loss_with(&tape.constant(0.0), &v, Reduction::Sum);
    let gradients = y.backward();
    assert!(near(y.item(), 0.5e12, 1e-6), "{}", y.item());
    assert!(
        near(gradients[x].item(), 1e-13, 1e-6) && near(gradients[v].item(), -0.5e-26, 1e-6),
        "{gradients:?}"
    );
}

/// NaN is larger than every number: last in ascending order, first in descending; it is what is found where one value
/// speaks for all.
#[test]
fn not_a_number_in_order() {
    let tape = Tape::new();
    let x = tape.var([2.0, NAN, INF, 1.0, NAN]);
    let sorted = |descending: bool| x.sort(0, descending);
    all_same(&sorted(false).0.value(), &[1.0, 2.0, INF, NAN, NAN]);
    assert_eq!(sorted(false).1.as_slice(), [3, 0, 2, 1, 4]);
    all_same(&sorted(true).0.value(), &[NAN, NAN, INF, 2.0, 1.0]);
    assert_eq!(sorted(true).1.as_slice(), [1, 4, 2, 0, 3]);
    let (y, places) = x.topk(3, 0, true);
    all_same(&y.value(), &[NAN, NAN, INF]);
    assert_eq!(places.as_slice(), [1, 4, 2]);
    all_same(&y.backward_from([1.0, 2.0, 3.0])[x], &[0.0, 1.0, 3.0, 0.0, 2.0]);
    let (y, places) = x.topk(4, 0, false);
    all_same(&y.value(), &[1.0, 2.0, INF, NAN]);
    assert_eq!(places.as_slice(), [3, 0, 2, 1]);
    all_same(&y.backward_from([1.0, 2.0, 3.0, 4.0])[x], &[2.0, 4.0, 3.0, 1.0, 0.0]);
    let kth: Vec<i32> = (0..5).map(|k| x.kthvalue(k, 0).1.as_slice()[0]).collect();
    assert_eq!(kth, [3, 0, 2, 1, 4]);
    assert_eq!((x.argmax(0).as_slice(), x.argmin(0).as_slice()), (&[1][..], &[1][..]));
    let (middle, place) = x.median(0);
    assert!(middle.item().is_nan() && place.as_slice() == [1]);
    all_same(&middle.backward()[x], &[0.0, 1.0, 0.0, 0.0, 0.0]);
    for y in [x.max(), x.min(), x.quantile(0.0, 0), x.quantile(0.3, 0), x.quantile(1.0, 0)] {
        assert!(y.item().is_nan());
    }
    all_same(&x.quantile(0.3, 0).backward()[x], &[0.0, 1.0, 0.0, 0.0, 0.0]);
    all_same(&x.cummax(0).value(), &[2.0, NAN, NAN, NAN, NAN]);
    all_same(&x.cummin(0).value(), &[2.0, NAN, NAN, NAN, NAN]);
    // Row by row, along any axis.
    let rows = tape.var([[NAN, 4.0], [1.0, 5.0], [2.0, 6.0]]);
    all_same(&rows.quantile(0.5, 0).value(), &[NAN, 5.0]);
    all_same(&rows.median(-2).0.value(), &[NAN, 5.0]);
    all_same(&rows.quantile(0.25, 0).sum().backward()[rows], &[1.0, 0.5, 0.0, 0.5, 0.0, 0.0]);
    assert_eq!(rows.median(0).1.as_slice(), [0, 1]);
    all_same(&tape.var(Tensor::zeros([0, 3])).quantile(0.5, 1).value(), &[]);
}

/// Only elements that have a share take part, and no difference overflows.
#[test]
fn quantiles_of_infinities() {
    // Elements, the share, the quantile, and its gradient.
    let table: [(&[f32], f32, f32, &[f32]); 10] = [
        (&[1.0, 2.0, INF], 1.0, INF, &[0.0, 0.0, 1.0]),
        (&[1.0, 2.0, INF], 0.5, 2.0, &[0.0, 1.0, 0.0]),
        (&[1.0, 2.0, INF], 0.75, INF, &[0.0, 0.5, 0.5]),
        (&[-INF, 2.0, INF], 0.25, -INF, &[0.5, 0.5, 0.0]),
        (&[INF, 1.0, INF], 0.75, INF, &[0.5, 0.0, 0.5]),
        (&[-INF, -INF], 0.25, -INF, &[0.75, 0.25]),
        (&[-INF, INF], 0.0, -INF, &[1.0, 0.0]),
        (&[-INF, INF], 0.5, NAN, &[0.5, 0.5]),
        (&[-3e38, 3e38], 0.5, 0.0, &[0.5, 0.5]),
        (&[2.0 * BIG, -2.0 * BIG], 0.75, BIG, &[0.75, 0.25]),
    ];
    for (elements, q, value, gradient) in table {
        let tape = Tape::new();
        let x = tape.var(Tensor::new(elements, [elements.len()]));
        let y = x.quantile(q, 0);
        assert!(same(y.item(), value), "{elements:?} at {q}: {}, not {value}", y.item());
        all_same(&y.backward()[x], gradient);
        all_same(&y.grad(&[x])[0].unwrap().value(), gradient);
    }
    let halves: [f32; 2] = [1e-45, 1e-45];
    assert_eq!(Tensor::from(halves).quantile(0.5, 0).item(), 1e-45);
}

/// Slopes of inverse functions whose squares overflow: 1 / |x| far out.
#[test]
fn slopes_of_inverse_functions_far_out() {
    let tape = Tape::new();
    for x in [1e15f32, 1e20, 1e30, 3e38] {
        let v = tape.var(x);
        for y in [v.asinh(), v.acosh()] {
            let recorded = y.grad(&[v])[0].unwrap();
            assert!(
                near(y.backward()[v].item(), 1.0 / x, 1e-6) && near(recorded.item(), 1.0 / x, 1e-6),
                "{x:e}"
            );
            // -1 / x², which may be 0 in f32.
            assert!(near(recorded.backward()[v].item(), -(1.0 / x) * (1.0 / x), 1e-5), "{x:e}");
        }
    }
}
