//! Problems of `argmin`.

use crate::{
    check::Check,
    given::{Number, Numbers, Point},
    report::Report,
};
use argmin::core::{CostFunction, Gradient};

/// Checks the gradient of a problem of `argmin` at a point, a `Vec` or with their features an array of `ndarray` or a vector
/// of `nalgebra`. An error is taken for the end of the domain.
///
/// ```
/// use argmin::core::{CostFunction, Error, Gradient};
///
/// struct Quartic;
///
/// impl CostFunction for Quartic {
///     type Param = Vec<f64>;
///     type Output = f64;
///     fn cost(&self, x: &Vec<f64>) -> Result<f64, Error> {
///         Ok(x[0].powi(4) + x[0] * x[1])
///     }
/// }
///
/// impl Gradient for Quartic {
///     type Param = Vec<f64>;
///     type Gradient = Vec<f64>;
///     fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, Error> {
///         Ok(vec![4.0 * x[0].powi(3) + x[1], x[0]])
///     }
/// }
///
/// let report = gradus_check::check_problem(&Quartic, &vec![0.5, -1.0]);
/// assert!(report.passed(), "{report}");
/// ```
pub fn check_problem<O, P, F, G>(problem: &O, x: &P) -> Report
where
    O: CostFunction<Param = P, Output = F> + Gradient<Param = P, Gradient = G>,
    P: Point,
    F: Number,
    G: Numbers,
{
    let cost = |x: &P| problem.cost(x).unwrap_or_else(|error| panic!("{error}"));
    let gradient = |x: &P| problem.gradient(x).unwrap_or_else(|error| panic!("{error}"));
    Check::default().gradient_of(cost, x, gradient)
}
