//! L-BFGS in f64: minima that f32's seven digits hide.

use gradus_autograd::{exact::value_and_grad, prelude::*};
use gradus_nn::{Layer, Linear, Sequential, Tanh, optim::Lbfgs};

fn rosenbrock(x: Var<'_>) -> Var<'_> {
    let (a, b) = (x.slice(0, ..-1), x.slice(0, 1..));
    ((b - a * a).square() * 100.0 + (c(1.0) - a).square()).sum()
}

/// From the usual start, of ten variables.
fn start() -> Vec<f32> {
    (0..10).map(|i| if i % 2 == 0 { -1.2 } else { 1.0 }).collect()
}

#[test]
fn rosenbrocks_function_of_ten_variables_to_its_last_digits() {
    let lbfgs = Lbfgs { max_iterations: 500, tolerance: 1e-9, ..Lbfgs::default() };
    let mut x: Vec<f64> = start().into_iter().map(f64::from).collect();
    let found = lbfgs.minimize(&mut x, |x| value_and_grad(rosenbrock, x));
    assert!(found.converged, "{found:?}");
    // The minimum itself, not the local one near (-1, 1, .., 1), whose value is 3.98.
    assert!(found.loss < 1e-18 && x.iter().all(|x| (x - 1.0).abs() < 1e-9), "{found:?} at {x:?}");

    // The same on the f32 tape ends before.
    let mut param = Param::new(Tensor::new(&start()[..], [10]));
    let rounded = lbfgs.step(&mut param, |x| {
        let (loss, gradients, ()) = Tape::new().step(|tape| (rosenbrock(tape.param(x)), ()));
        (loss, gradients)
    });
    assert!(!rounded.converged, "{rounded:?}");

    let mut param = Param::new(Tensor::new(&start()[..], [10]));
    let exact = lbfgs.step_exact(&mut Tape::evaluating(), &mut param, |tape, x| rosenbrock(tape.param(x)));
    assert_eq!(exact, found);
    assert_eq!(param.value().to_vec(), [1.0; 10]);
}

#[test]
fn frozen_parameters_and_those_that_the_loss_does_not_reach_stay() {
    let mut params = vec![Param::new([3.0, 4.0]), Param::new([5.0]), Param::new([6.0]), Param::new([7.0])];
    params[1].set_frozen(true);
    let found = Lbfgs::default().step_exact(&mut Tape::new(), &mut params, |tape, params| {
        let [a, b, c] = [0, 1, 3].map(|k| tape.param(&params[k]));
        (a - 1.0).square().sum() + (c - b).square().sum()
    });
    assert!(found.converged, "{found:?}");
    let values: Vec<Vec<f32>> = params.iter().map(|param| param.value().to_vec()).collect();
    assert_eq!(values, [vec![1.0, 1.0], vec![5.0], vec![6.0], vec![5.0]]);
}

/// The net of the example that learns the heat equation, on a fixed grid of points. Third derivatives of the net are in its
/// gradient: on the f32 tape the search ends where their rounding hides the slope, and in f64 it goes on.
#[test]
fn a_net_learns_the_heat_equation_beyond_the_rounding_of_f32() {
    const ALPHA: f32 = 0.1;
    const PI: f32 = std::f32::consts::PI;
    let mut rng = Rng::seed(0);
    let mut net =
        Sequential::new().push(Linear::new(2, 3, &mut rng)).push(Tanh).push(Linear::new(3, 1, &mut rng));
    let points =
        |k: usize| Tensor::from_fn([36, 1], |i| (if k == 0 { i[0] / 6 } else { i[0] % 6 }) as f32 / 5.0);
    fn loss<'t>(tape: &'t Tape, net: &Sequential, x: Tensor, t: Tensor) -> Var<'t> {
        let (x, t) = (tape.var(x), tape.var(t));
        let free = x * (c(1.0) - x) * t;
        let u = (x * PI).sin() + free * net.forward(Var::concat(&[&x, &t], 1));
        let by = |u: Var<'t>, by: Var<'t>| u.grad(&[by])[0].expect("it depends on place and time");
        (by(u, t) - by(by(u, x), x) * ALPHA).square().mean()
    }
    let lbfgs = Lbfgs { max_iterations: 1000, tolerance: 1e-7, history: 30 };
    let mut copy = net.clone();
    let found =
        lbfgs.step_exact(&mut Tape::new(), &mut net, |tape, net| loss(tape, net, points(0), points(1)));
    let rounded = lbfgs.step(&mut copy, |net| {
        let (loss, gradients, ()) = Tape::new().step(|tape| (loss(tape, net, points(0), points(1)), ()));
        (loss, gradients)
    });
    assert!(!rounded.converged && rounded.iterations < 500, "{rounded:?}");
    assert!(found.loss < rounded.loss && found.iterations > rounded.iterations, "{found:?}, {rounded:?}");
}

#[test]
#[should_panic = "works otherwise in training, and Tape::new() evaluates it"]
fn a_tape_whose_mode_nobody_decided_is_refused() {
    let mut x = Param::new([1.0, 2.0]);
    Lbfgs::default()
        .step_exact(&mut Tape::new(), &mut x, |tape, x| tape.param(x).dropout(0.5).square().sum());
}
