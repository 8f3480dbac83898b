//! Functions with right gradients: each is written once, in numbers that carry a derivative.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A value and its derivative by one variable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dual {
    pub(crate) v: f64,
    pub(crate) d: f64,
}

/// A constant.
pub(crate) fn c(v: f64) -> Dual {
    Dual { v, d: 0.0 }
}

impl Dual {
    fn map(self, v: f64, slope: f64) -> Dual {
        Dual { v, d: if self.d == 0.0 { 0.0 } else { self.d * slope } }
    }
    pub(crate) fn sin(self) -> Dual {
        self.map(self.v.sin(), self.v.cos())
    }
    pub(crate) fn cos(self) -> Dual {
        self.map(self.v.cos(), -self.v.sin())
    }
    pub(crate) fn exp(self) -> Dual {
        self.map(self.v.exp(), self.v.exp())
    }
    pub(crate) fn expm1(self) -> Dual {
        self.map(self.v.exp_m1(), self.v.exp())
    }
    pub(crate) fn ln(self) -> Dual {
        self.map(self.v.ln(), 1.0 / self.v)
    }
    pub(crate) fn ln1p(self) -> Dual {
        self.map(self.v.ln_1p(), 1.0 / (1.0 + self.v))
    }
    pub(crate) fn sqrt(self) -> Dual {
        self.map(self.v.sqrt(), 0.5 / self.v.sqrt())
    }
    pub(crate) fn cbrt(self) -> Dual {
        self.map(self.v.cbrt(), 1.0 / (3.0 * self.v.cbrt().powi(2)))
    }
    pub(crate) fn tanh(self) -> Dual {
        // The derivative without cancellation, far out.
        self.map(self.v.tanh(), 1.0 / self.v.cosh().powi(2))
    }
    pub(crate) fn atan(self) -> Dual {
        self.map(self.v.atan(), 1.0 / (1.0 + self.v * self.v))
    }
    pub(crate) fn powi(self, n: i32) -> Dual {
        self.map(self.v.powi(n), f64::from(n) * self.v.powi(n - 1))
    }
    pub(crate) fn powf(self, p: f64) -> Dual {
        self.map(self.v.powf(p), p * self.v.powf(p - 1.0))
    }
    pub(crate) fn abs(self) -> Dual {
        self.map(self.v.abs(), if self.v == 0.0 { 0.0 } else { self.v.signum() })
    }
    pub(crate) fn relu(self) -> Dual {
        self.map(self.v.max(0.0), if self.v > 0.0 { 1.0 } else { 0.0 })
    }
    pub(crate) fn max(self, other: Dual) -> Dual {
        match self.v.partial_cmp(&other.v) {
            Some(std::cmp::Ordering::Greater) => self,
            Some(std::cmp::Ordering::Less) => other,
            _ => Dual { v: self.v, d: 0.5 * (self.d + other.d) },
        }
    }
    pub(crate) fn min(self, other: Dual) -> Dual {
        -(-self).max(-other)
    }
    /// Another value with the same derivative: rounding and noise.
    pub(crate) fn with(self, value: impl Fn(f64) -> f64) -> Dual {
        Dual { v: value(self.v), d: self.d }
    }
}

impl Neg for Dual {
    type Output = Dual;
    fn neg(self) -> Dual {
        Dual { v: -self.v, d: -self.d }
    }
}

macro_rules! operators {
    ($($op:ident $method:ident |$a:ident, $b:ident| $v:expr, $d:expr;)*) => {$(
        impl $op for Dual {
            type Output = Dual;
            fn $method(self, other: Dual) -> Dual {
                let ($a, $b) = (self, other);
                Dual { v: $v, d: $d }
            }
        }
        impl $op<f64> for Dual {
            type Output = Dual;
            fn $method(self, other: f64) -> Dual {
                let ($a, $b) = (self, c(other));
                Dual { v: $v, d: $d }
            }
        }
    )*};
}

operators! {
    Add add |a, b| a.v + b.v, a.d + b.d;
    Sub sub |a, b| a.v - b.v, a.d - b.d;
    Mul mul |a, b| a.v * b.v, a.d * b.v + a.v * b.d;
    Div div |a, b| a.v / b.v, a.d / b.v - a.v * b.d / b.v / b.v;
}

pub(crate) fn sum(terms: impl IntoIterator<Item = Dual>) -> Dual {
    terms.into_iter().fold(c(0.0), |sum, term| sum + term)
}

/// A function of some numbers.
pub(crate) type Function = Box<dyn Fn(&[Dual]) -> Dual>;

pub(crate) fn value(f: &Function, x: &[f64]) -> f64 {
    f(&x.iter().map(|&x| c(x)).collect::<Vec<_>>()).v
}

pub(crate) fn gradient(f: &Function, x: &[f64]) -> Vec<f64> {
    let along = |i: usize| -> Vec<Dual> {
        x.iter().enumerate().map(|(k, &v)| Dual { v, d: if k == i { 1.0 } else { 0.0 } }).collect()
    };
    (0..x.len()).map(|i| f(&along(i)).d).collect()
}

/// Numbers between -1 and 1 that depend on the bits of others in no simple way.
pub(crate) fn hash(x: f64) -> f64 {
    let mut z = x.to_bits().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// Random numbers.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// Between 0 and 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Between 0.1 and 2, of either sign, now and then far larger or smaller.
    pub(crate) fn number(&mut self) -> f64 {
        let size = 0.1 + 1.9 * self.unit();
        let sign = if self.bits() & 1 == 0 { 1.0 } else { -1.0 };
        let scale = if self.below(6) == 0 { 10f64.powi(self.below(13) as i32 - 6) } else { 1.0 };
        sign * size * scale
    }
}
