//! The elementwise drivers: every length, every mixture of operands, in place and not, and the same bits wherever an element
//! lies.

use gradus_tensor::Isa;
use gradus_tensor::functions::*;
use gradus_tensor::kernels::map::{BinaryFn, Operand, UnaryFn, map, map_inplace, zip};
use gradus_tensor::simd::{Lane, Simd};

fn isas() -> impl Iterator<Item = Isa> {
    [Isa::Portable, Isa::Avx2, Isa::Avx512].into_iter().filter(|&isa| isa <= Isa::detect())
}

/// Numbers that are all different, so that a wrong place shows.
fn numbers(start: f32, len: usize) -> Vec<f32> {
    (0..len).map(|i| start + i as f32).collect()
}

/// 2a + b, exact on the numbers used here.
#[derive(Clone, Copy)]
struct TwiceAndAdd;

impl BinaryFn for TwiceAndAdd {
    #[inline(always)]
    fn eval<S: Simd>(self, a: Lane<S>, b: Lane<S>) -> Lane<S> {
        a * 2.0 + b
    }
}

/// An operand by its number: a slice, a scalar or the output, and what its element `i` is.
fn operand(kind: usize, slice: &[f32]) -> Operand<'_> {
    match kind {
        0 => Operand::Slice(slice),
        1 => Operand::Scalar(-3.0),
        _ => Operand::Output,
    }
}

fn element(kind: usize, slice: &[f32], output: &[f32], i: usize) -> f32 {
    match kind {
        0 => slice[i],
        1 => -3.0,
        _ => output[i],
    }
}

#[test]
fn map_computes_every_element_and_nothing_beyond() {
    for isa in isas() {
        for len in 0..70 {
            let x = numbers(1.0, len);
            let mut out = vec![-1.0; len + 40];
            map(isa, Square, x.as_slice(), &mut out[20..20 + len]);
            for (i, &y) in out.iter().enumerate() {
                let want = if (20..20 + len).contains(&i) { x[i - 20] * x[i - 20] } else { -1.0 };
                assert_eq!(y, want, "{isa:?}, length {len}, element {i}");
            }
        }
    }
}

#[test]
fn zip_takes_every_mixture_of_operands() {
    for isa in isas() {
        for len in 0..70 {
            let (a, b, before) = (numbers(1.0, len), numbers(100.0, len), numbers(-50.0, len));
            for kinds in (0..9).map(|k| [k % 3, k / 3]) {
                let [ka, kb] = kinds;
                let mut out = before.clone();
                zip(isa, TwiceAndAdd, operand(ka, &a), operand(kb, &b), &mut out);
                for (i, &got) in out.iter().enumerate() {
                    let [a, b] = [(ka, &a), (kb, &b)].map(|(k, slice)| element(k, slice, &before, i));
                    assert_eq!(got, 2.0 * a + b, "{isa:?}, length {len}, operands {kinds:?}, element {i}");
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "map: an operand has 1 elements, the output 2")]
fn operands_of_another_length_are_refused() {
    zip(Isa::Portable, Add, [1.0, 2.0].as_slice(), [1.0].as_slice(), &mut [0.0; 2]);
}

/// Compares a function's results on one long slice with those on its elements alone, on its odd parts, and in place.
fn check_places<F: UnaryFn>(name: &str, f: F) {
    // All magnitudes and signs, ordinary and huge angles side by side, and special values.
    let mut x: Vec<f32> = (0..500u32).map(|i| f32::from_bits(i.wrapping_mul(0x9E37_79B1))).collect();
    x.extend((0..200).map(|i| 0.37 * i as f32 - 40.0));
    x.extend([0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1.0, -1.0, f32::MAX, 1e-45]);
    for isa in isas() {
        let mut whole = vec![0.0; x.len()];
        map(isa, f, x.as_slice(), &mut whole);
        let check = |what: &str, at: usize, got: &[f32]| {
            for (i, (got, want)) in got.iter().zip(&whole[at..]).enumerate() {
                let same = got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan();
                assert!(same, "{name} of {:e} on {isa:?}, {what}: {got:e}, not {want:e}", x[at + i]);
            }
        };
        let mut alone = [0.0];
        for at in 0..x.len() {
            map(isa, f, &x[at..=at], &mut alone);
            check("alone", at, &alone);
        }
        let mut part = [0.0; 37];
        for (k, chunk) in x[1..].chunks(37).enumerate() {
            map(isa, f, chunk, &mut part[..chunk.len()]);
            check("in parts", 1 + 37 * k, &part[..chunk.len()]);
        }
        let mut inplace = x.clone();
        map_inplace(isa, f, &mut inplace);
        check("in place", 0, &inplace);
    }
}

#[test]
fn an_element_has_the_same_bits_wherever_it_lies() {
    macro_rules! check {
        ($($f:expr),*) => { $(check_places(stringify!($f), $f);)* };
    }
    check!(
        Exp, Exp2, Expm1, Log, Log2, Log10, Log1p, Sqrt, Rsqrt, Reciprocal, Square, Sin, Cos, Tan, Asin,
        Acos, Atan
    );
    check!(
        Sinh, Cosh, Tanh, Asinh, Acosh, Atanh, Erf, NormalCdf, Sigmoid, Gelu, GeluTanh, Silu, Softplus, Mish
    );
    check!(SoftplusWith(0.7, 3.0), Relu, LeakyRelu(0.1), Elu(1.5), Neg, Abs, Sign, Floor, Ceil, Round, Trunc);
}
