//! The checks with the settings that fit nearly always.

use crate::{
    check::Check,
    given::{Derivative, Number, Numbers, Point},
    report::Report,
};

/// Checks the gradient of a function in f64 at a point. The gradient is given as numbers, f64 or f32, or as a function.
///
/// ```
/// use gradus_check::check_gradient;
///
/// let rosenbrock = |x: &[f64]| (1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2);
/// let gradient = |x: &[f64]| {
///     let inner = x[1] - x[0] * x[0];
///     vec![-2.0 * (1.0 - x[0]) - 400.0 * x[0] * inner, 200.0 * inner]
/// };
/// let report = check_gradient(rosenbrock, &[-1.2, 1.0], gradient);
/// assert!(report.passed(), "{report}");
/// assert!(!check_gradient(rosenbrock, &[-1.2, 1.0], [-215.6, 88.0]).passed()); // the other sign
/// ```
pub fn check_gradient(f: impl Fn(&[f64]) -> f64, x: &[f64], gradient: impl Derivative<f64>) -> Report {
    Check::default().gradient(f, x, gradient)
}

/// Checks the gradient of a function in f32. The noise of its values is measured first: of steps there is only the one that
/// lies above it, so that of seven digits three or four can be checked.
///
/// ```
/// use gradus_check::check_gradient_f32;
///
/// let norm = |x: &[f32]| x.iter().map(|x| x * x).sum::<f32>().sqrt();
/// let report = check_gradient_f32(norm, &[3.0, 4.0], [0.6f32, 0.8]);
/// assert!(report.passed(), "{report}");
/// ```
pub fn check_gradient_f32(f: impl Fn(&[f32]) -> f32, x: &[f32], gradient: impl Derivative<f32>) -> Report {
    Check::default().gradient_f32(f, x, gradient)
}

/// Checks the gradient of a function of something else than a slice: vectors, the arrays of `ndarray` (feature `ndarray`),
/// the vectors and matrices of `nalgebra` (feature `nalgebra`), or what implements [`Point`].
///
/// ```
/// use gradus_check::check_gradient_of;
///
/// let x = vec![0.5, -1.0, 2.0];
/// let report = check_gradient_of(|x: &Vec<f64>| x[0] * x[1] * x[2], &x, |x| [x[1] * x[2], x[0] * x[2], x[0] * x[1]]);
/// assert!(report.passed(), "{report}");
/// ```
#[cfg_attr(
    feature = "ndarray",
    doc = r#"
With `ndarray`:

```
use gradus_check::check_gradient_of;
use ndarray::{Array2, array};

let x = array![[0.5, -1.0], [2.0, 0.3]];
let report = check_gradient_of(|x: &Array2<f64>| x.mapv(f64::exp).sum(), &x, |x| x.mapv(f64::exp));
assert!(report.passed() && report.shape == [2, 2], "{report}");
```
"#
)]
#[cfg_attr(
    feature = "nalgebra",
    doc = r#"
With `nalgebra`:

```
use gradus_check::check_gradient_of;
use nalgebra::{Matrix2, Vector2};

let a = Matrix2::new(2.0, 1.0, 1.0, 3.0);
let report = check_gradient_of(|x: &Vector2<f64>| 0.5 * x.dot(&(a * x)), &Vector2::new(0.5, -1.0), |x| a * x);
assert!(report.passed(), "{report}");
```
"#
)]
pub fn check_gradient_of<P: Point, N: Number, G: Numbers>(
    f: impl Fn(&P) -> N,
    x: &P,
    gradient: impl Fn(&P) -> G,
) -> Report {
    Check::default().gradient_of(f, x, gradient)
}

/// Checks a Jacobian: the derivatives of all outputs of a function, a row for each, by all inputs, in row-major order.
///
/// ```
/// use gradus_check::check_jacobian;
///
/// let polar = |x: &[f64]| [x[0] * x[1].cos(), x[0] * x[1].sin()];
/// let jacobian = |x: &[f64]| [x[1].cos(), -x[0] * x[1].sin(), x[1].sin(), x[0] * x[1].cos()];
/// assert!(check_jacobian(polar, &[2.0, 0.5], jacobian).passed());
/// ```
pub fn check_jacobian<R: Numbers>(
    f: impl Fn(&[f64]) -> R,
    x: &[f64],
    jacobian: impl Derivative<f64>,
) -> Report {
    Check::default().jacobian(f, x, jacobian)
}

/// Checks the product of a Jacobian with a direction `v`, as forward mode gives it: `J v`, a number for each output.
///
/// ```
/// use gradus_check::check_jvp;
///
/// let polar = |x: &[f64]| [x[0] * x[1].cos(), x[0] * x[1].sin()];
/// assert!(check_jvp(polar, &[2.0, 0.5], &[1.0, 0.0], [0.5f64.cos(), 0.5f64.sin()]).passed());
/// ```
pub fn check_jvp<R: Numbers>(
    f: impl Fn(&[f64]) -> R,
    x: &[f64],
    v: &[f64],
    jvp: impl Derivative<f64>,
) -> Report {
    Check::default().jvp(f, x, v, jvp)
}

/// Checks the product of a cotangent `w` with a Jacobian, as reverse mode gives it: `wᵀJ`, a number for each input.
///
/// Choose `w` at random: with ones, mistakes in what sums to a constant, such as a softmax, do not show.
///
/// ```
/// use gradus_check::check_vjp;
///
/// let polar = |x: &[f64]| [x[0] * x[1].cos(), x[0] * x[1].sin()];
/// let (sin, cos) = 0.5f64.sin_cos();
/// let vjp = [0.3 * cos - 0.7 * sin, -0.3 * 2.0 * sin - 0.7 * 2.0 * cos];
/// assert!(check_vjp(polar, &[2.0, 0.5], &[0.3, -0.7], vjp).passed());
/// ```
pub fn check_vjp<R: Numbers>(
    f: impl Fn(&[f64]) -> R,
    x: &[f64],
    w: &[f64],
    vjp: impl Derivative<f64>,
) -> Report {
    Check::default().vjp(f, x, w, vjp)
}

/// Checks a Hessian, in row-major order, against differences of the gradient. Check the gradient first.
///
/// ```
/// use gradus_check::check_hessian;
///
/// let gradient = |x: &[f64]| [2.0 * x[0] * x[1], x[0] * x[0] + 3.0 * x[1] * x[1]]; // of x²y + y³
/// let hessian = |x: &[f64]| [2.0 * x[1], 2.0 * x[0], 2.0 * x[0], 6.0 * x[1]];
/// assert!(check_hessian(gradient, &[0.7, -0.4], hessian).passed());
/// ```
pub fn check_hessian<R: Numbers>(
    gradient: impl Fn(&[f64]) -> R,
    x: &[f64],
    hessian: impl Derivative<f64>,
) -> Report {
    Check::default().hessian(gradient, x, hessian)
}

/// Checks the product of a Hessian with a direction, `H v`, against differences of the gradient. Check the gradient first.
///
/// ```
/// use gradus_check::check_hvp;
///
/// let gradient = |x: &[f64]| [2.0 * x[0] * x[1], x[0] * x[0] + 3.0 * x[1] * x[1]]; // of x²y + y³
/// assert!(check_hvp(gradient, &[0.7, -0.4], &[1.0, 2.0], [-0.8 + 2.8, 1.4 - 4.8]).passed());
/// ```
pub fn check_hvp<R: Numbers>(
    gradient: impl Fn(&[f64]) -> R,
    x: &[f64],
    v: &[f64],
    hvp: impl Derivative<f64>,
) -> Report {
    Check::default().hvp(gradient, x, v, hvp)
}

/// Asserts that a gradient is right, and panics with the whole report if not.
///
/// It takes what [`check_gradient`] takes, a function, a point and a gradient, or a [`Report`].
///
/// ```
/// use gradus_check::assert_gradient;
///
/// assert_gradient!(|x| x[0].sin() * x[1], &[0.5, 2.0], |x: &[f64]| [x[0].cos() * x[1], x[0].sin()]);
/// ```
#[macro_export]
macro_rules! assert_gradient {
    ($f:expr, $x:expr, $gradient:expr $(,)?) => {
        $crate::assert_gradient!($crate::check_gradient($f, $x, $gradient))
    };
    ($report:expr $(,)?) => {{
        let report: $crate::Report = $report;
        assert!(report.passed(), "the gradient check failed\n{report}");
    }};
}
