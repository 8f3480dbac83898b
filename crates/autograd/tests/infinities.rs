//! Infinities, NaN, underflow and overflow in functions.

use gradus_autograd::{
    Op,
    ops::elementwise::*,
    prelude::*,
    reference::{Array, Branches},
};

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;

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

fn all() -> Vec<Function> {
    functions! {
        sigmoid = Sigmoid; tanh = Tanh; relu = Relu; leaky_relu(0.25) = LeakyRelu(0.25); elu(2.0) = Elu(2.0); gelu = Gelu; gelu_tanh = GeluTanh;
        silu = Silu; softplus = Softplus; mish = Mish; celu(3.0) = Celu(3.0); softsign = Softsign; tanhshrink = Tanhshrink;
        hardtanh(-1.0, 1.0) = Hardtanh(-1.0, 1.0);
        exp = Exp; exp2 = Exp2; expm1 = Expm1; log = Log; log2 = Log2; log10 = Log10; log1p = Log1p; sqrt = Sqrt; cbrt = Cbrt; rsqrt = Rsqrt;
        reciprocal = Reciprocal; square = Square; powf(3.0) = Powf(3.0); powf(0.5)=Powf(0.5); erf = Erf; erfc = Erfc; erfinv = Erfinv; normal_cdf = NormalCdf;
        lgamma = Lgamma; abs = Abs; clamp(-1.0, 1.0) = Clamp(-1.0, 1.0); sin = Sin; cos = Cos; tan = Tan; sinh = Sinh; cosh = Cosh; asin = Asin; acos = Acos; atan = Atan;
        asinh = Asinh; acosh = Acosh; atanh = Atanh; sinc = Sinc { order: 0 }; digamma = Polygamma { order: 0 };
    }
}

#[test]
fn survey() {
    let mut at = vec![0.0, -0.0, INF, -INF, NAN];
    for m in [1e-45, 1e-38, 1e-30, 1e-20, 1e-10, 1e-3, 0.3, 2.6, 10.2, 88.1, 1000.3, 1e7, 1e10, 1.7e13, 1e15, 1e20, 1e30, 3e38] {
        at.extend([m, -m]);
    }
    for Function { name, f, exact } in all() {
        for &x in &at {
            let tape = Tape::new();
            let v = tape.var(x);
            let y = f(v);
            let (swept, recorded) = (y.backward()[v].item(), y.grad(&[v])[0].unwrap());
            let second = recorded.backward().get(v).map_or(0.0, |g| g.item());
            let want = exact(x.into()) as f32;
            let (value, rec) = (y.item(), recorded.item());
            let x = f64::from(x);
            let h = 1e-5;
            let diff = (exact(x * (1.0 + h)) - exact(x * (1.0 - h))) / (x * (1.0 + h) - x * (1.0 - h));
            let diff2 = { let h = 1e-3; (exact(x * (1.0 + h)) + exact(x * (1.0 - h)) - 2.0 * exact(x)) / (x * h) / (x * h) };
            let close = |a: f32, b: f32, tol: f32| a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= tol * b.abs().max(1e-37);
            let bad_value = !close(value, want, 1e-6);
            let bad_rule = !close(swept, rec, 1e-5);
            let lost = exact(x).abs() * 1e-11 > (diff * x * h).abs() && diff != 0.0;
            let bad_slope = x.abs() > 1e2 && diff.is_finite() && !lost && !["sin", "cos", "tan", "sinc", "lgamma", "digamma"].contains(&name) && !close(swept, diff as f32, 1e-3);
            let bad_inf = x.is_infinite() && !value.is_nan() && (swept.is_nan() || second.is_nan());
            let bad_second = x.is_finite() && x.abs() > 1.0 && second.is_nan() && !value.is_nan();
            let nan = value.is_nan() && !(rec.is_nan());
            if bad_value || bad_rule || bad_slope || bad_inf || bad_second || nan {
                println!("{}{}{}{}{}{} {name} at {x:e}: value {value:e} exact {want:e}; swept {swept:e} recorded {rec:e} diff {diff:e}; second {second:e} diff {diff2:e}",
                  bad_value as u8, bad_rule as u8, bad_slope as u8, bad_inf as u8, bad_second as u8, nan as u8);
            }
        }
    }
}
