//! What the functions give at special values, written out; and pow, and the comparisons, which have two arguments.

use gradus_tensor::Isa;
use gradus_tensor::functions::*;
use gradus_tensor::kernels::map::{BinaryFn, UnaryFn, map, zip};
use std::f32::consts::{FRAC_PI_2, LN_2, PI};

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;

fn isas() -> impl Iterator<Item = Isa> {
    [Isa::Portable, Isa::Avx2, Isa::Avx512].into_iter().filter(|&isa| isa <= Isa::detect())
}

/// Equal, NaN being equal to NaN, and 0 not to -0.
fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

fn check(f: impl UnaryFn + std::fmt::Debug, table: &[(f32, f32)]) {
    for isa in isas() {
        for &(x, want) in table {
            let mut got = [0.0];
            map(isa, f, x, &mut got);
            assert!(same(got[0], want), "{f:?} of {x:e} on {isa:?}: {:e}, not {want:e}", got[0]);
        }
        let mut got = [0.0];
        map(isa, f, NAN, &mut got);
        assert!(got[0].is_nan(), "{f:?} of NaN on {isa:?}: {:e}", got[0]);
    }
}

#[test]
fn functions_of_one_number() {
    check(Exp, &[(-INF, 0.0), (INF, INF), (0.0, 1.0), (-0.0, 1.0), (88.73, INF), (-104.0, 0.0)]);
    check(
        Exp2,
        &[(-INF, 0.0), (INF, INF), (10.0, 1024.0), (-149.0, 1e-45), (127.0, 1.701_411_8e38), (128.0, INF)],
    );
    check(Expm1, &[(-INF, -1.0), (INF, INF), (0.0, 0.0), (-0.0, -0.0), (1e-45, 1e-45), (-1e-45, -1e-45)]);
    check(Log, &[(0.0, -INF), (-0.0, -INF), (-1.0, NAN), (-1e-45, NAN), (-INF, NAN), (INF, INF), (1.0, 0.0)]);
    check(Log2, &[(0.0, -INF), (-1.0, NAN), (INF, INF), (1.0, 0.0), (8.0, 3.0), (1e-45, -149.0)]);
    check(Log10, &[(0.0, -INF), (-1.0, NAN), (INF, INF), (1.0, 0.0), (1000.0, 3.0), (1e-5, -5.0)]);
    check(
        Log1p,
        &[(-1.0, -INF), (-1.1, NAN), (-INF, NAN), (INF, INF), (0.0, 0.0), (-0.0, -0.0), (1e-45, 1e-45)],
    );
    check(Sqrt, &[(0.0, 0.0), (-0.0, -0.0), (-1.0, NAN), (INF, INF), (4.0, 2.0)]);
    check(Rsqrt, &[(0.0, INF), (-0.0, -INF), (-1.0, NAN), (INF, 0.0), (4.0, 0.5)]);
    check(Reciprocal, &[(0.0, INF), (-0.0, -INF), (INF, 0.0), (-INF, -0.0), (4.0, 0.25)]);
    check(Sin, &[(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (1e-45, 1e-45)]);
    check(Cos, &[(0.0, 1.0), (-0.0, 1.0), (INF, NAN), (-INF, NAN)]);
    check(Tan, &[(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (1e-45, 1e-45)]);
    check(Asin, &[(0.0, 0.0), (-0.0, -0.0), (1.0, FRAC_PI_2), (-1.0, -FRAC_PI_2), (1.000_000_1, NAN)]);
    check(Acos, &[(1.0, 0.0), (-1.0, PI), (0.0, FRAC_PI_2), (-1.000_000_1, NAN)]);
    check(Atan, &[(0.0, 0.0), (-0.0, -0.0), (INF, FRAC_PI_2), (-INF, -FRAC_PI_2)]);
    check(Sinh, &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (90.0, INF)]);
    check(Cosh, &[(0.0, 1.0), (INF, INF), (-INF, INF), (-90.0, INF)]);
    check(Tanh, &[(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (1e-45, 1e-45), (20.0, 1.0)]);
    check(Asinh, &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF)]);
    check(Acosh, &[(1.0, 0.0), (0.999_999_94, NAN), (-INF, NAN), (INF, INF)]);
    check(Atanh, &[(0.0, 0.0), (-0.0, -0.0), (1.0, INF), (-1.0, -INF), (1.000_000_1, NAN), (-INF, NAN)]);
    check(Erf, &[(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (4.0, 1.0)]);
    check(NormalCdf, &[(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0)]);
    check(Sigmoid, &[(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0)]);
    check(Gelu, &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, 0.0), (f32::MIN, -0.0), (50.0, 50.0)]);
    check(GeluTanh, &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, 0.0), (f32::MIN, -0.0), (50.0, 50.0)]);
    check(Silu, &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, 0.0), (f32::MIN, -0.0), (50.0, 50.0)]);
    check(Mish, &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, 0.0), (f32::MIN, -0.0), (50.0, 50.0)]);
    check(Softplus, &[(0.0, LN_2), (INF, INF), (-INF, 0.0), (50.0, 50.0)]);
    check(SoftplusWith(2.0, 20.0), &[(0.0, LN_2 / 2.0), (INF, INF), (-INF, 0.0), (3e38, 3e38)]);
    check(SoftplusWith(-2.0, INF), &[(0.0, LN_2 / -2.0), (INF, -0.0), (-INF, -INF), (-3e38, -3e38)]);
    check(SoftplusWith(1e30, INF), &[(1e20, 1e20), (-1e20, 0.0)]);
    check(Relu, &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, 0.0), (-1.0, 0.0), (2.0, 2.0)]);
    check(LeakyRelu(0.5), &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (-1.0, -0.5), (2.0, 2.0)]);
    check(Elu(2.0), &[(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -2.0), (2.0, 2.0)]);
    check(Sign, &[(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (-1e-45, -1.0)]);
    check(Neg, &[(0.0, -0.0), (-0.0, 0.0), (INF, -INF)]);
    check(Abs, &[(-0.0, 0.0), (-INF, INF), (-2.0, 2.0)]);
    check(Floor, &[(-0.0, -0.0), (-0.5, -1.0), (0.5, 0.0), (INF, INF), (-1e30, -1e30)]);
    check(Ceil, &[(-0.0, -0.0), (-0.5, -0.0), (0.5, 1.0), (-INF, -INF)]);
    check(Round, &[(-0.0, -0.0), (-0.5, -0.0), (0.5, 0.0), (1.5, 2.0), (2.5, 2.0), (INF, INF)]);
    check(Trunc, &[(-0.0, -0.0), (-0.5, -0.0), (1.5, 1.0), (INF, INF)]);
}

/// `f` of two arrays.
fn eval(isa: Isa, f: impl BinaryFn, a: &[f32], b: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; a.len()];
    zip(isa, f, a, b, &mut out);
    out
}

/// All pairs of numbers of a list, as two arrays.
fn pairs(list: &[f32]) -> (Vec<f32>, Vec<f32>) {
    list.iter().flat_map(|&a| list.iter().map(move |&b| (a, b))).unzip()
}

#[test]
fn maximum_and_minimum_propagate_nan_from_either_side() {
    let (a, b) = pairs(&[-INF, -2.0, 0.0, 3.0, INF, NAN]);
    for isa in isas() {
        let (max, min) = (eval(isa, Maximum, &a, &b), eval(isa, Minimum, &a, &b));
        for i in 0..a.len() {
            let nan = a[i].is_nan() || b[i].is_nan();
            assert!(same(max[i], if nan { NAN } else { a[i].max(b[i]) }), "maximum of {} and {}", a[i], b[i]);
            assert!(same(min[i], if nan { NAN } else { a[i].min(b[i]) }), "minimum of {} and {}", a[i], b[i]);
        }
    }
}

#[test]
fn pow_has_the_special_values_of_c() {
    // f64::powf follows C's annex F; rounded to f32 it decides what is exact here: zeros, infinities, ones, NaN.
    let specials = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        -0.5,
        2.0,
        -2.0,
        3.0,
        -3.0,
        2.5,
        -2.5,
        1e-45,
        -1e-45,
        1e30,
        -1e30,
        16777216.0,
        16777215.0,
        -16777215.0,
        8388607.5,
        f32::MAX,
        f32::MIN,
        INF,
        -INF,
        NAN,
    ];
    let (a, b) = pairs(&specials);
    for isa in isas() {
        for (i, &got) in eval(isa, Pow, &a, &b).iter().enumerate() {
            let exact = f64::from(a[i]).powf(f64::from(b[i])) as f32;
            let close = (got - exact).abs() <= exact.abs() * f32::EPSILON && got.signum() == exact.signum();
            assert!(
                same(got, exact) || close,
                "{:e} to the power {:e} on {isa:?}: {got:e}, not {exact:e}",
                a[i],
                b[i]
            );
        }
    }
}
