//! Values and derivatives in f64, against closed forms in f64.

use gradus_autograd::{
    exact::{self, value_and_grad},
    functional::hvp,
    op::reference::Array,
    prelude::*,
};

fn vector(x: &[f64]) -> Array {
    Array::new(x.to_vec(), [x.len()])
}

/// Rosenbrock's function of any number of variables, whose minimum is 0 at (1, .., 1).
fn rosenbrock(x: Var<'_>) -> Var<'_> {
    let (a, b) = (x.slice(0, ..-1), x.slice(0, 1..));
    ((b - a * a).square() * 100.0 + (c(1.0) - a).square()).sum()
}

fn rosenbrock_by_hand(x: &[f64]) -> (f64, Vec<f64>) {
    let mut gradient = vec![0.0; x.len()];
    let mut value = 0.0;
    for i in 0..x.len() - 1 {
        let (valley, slope) = (x[i + 1] - x[i] * x[i], 1.0 - x[i]);
        value += 100.0 * valley * valley + slope * slope;
        gradient[i] += -400.0 * x[i] * valley - 2.0 * slope;
        gradient[i + 1] += 200.0 * valley;
    }
    (value, gradient)
}

#[track_caller]
fn close(found: &[f64], exact: &[f64]) {
    let size = exact.iter().fold(1.0f64, |m, x| m.max(x.abs()));
    assert_eq!(found.len(), exact.len());
    for (found, exact) in found.iter().zip(exact) {
        assert!((found - exact).abs() <= 1e-14 * size, "{found} is not {exact}");
    }
}

#[test]
fn value_and_gradient_between_f32s() {
    // Thirds are no f32s: rounded there, values would differ from the eighth digit on.
    let x: Vec<f64> = (0..10).map(|i| f64::from(i) / 3.0 - 1.0).collect();
    let (value, gradient) = value_and_grad(rosenbrock, &x);
    let (exact, slopes) = rosenbrock_by_hand(&x);
    close(&[value], &[exact]);
    close(&gradient, &slopes);
}

#[test]
fn hessian_vector_products_where_the_inputs_are_moved_to() {
    let tape = Tape::new();
    let x = tape.var([0.5, 0.25, -1.0]);
    let direction = tape.constant([1.0, 1.0, 1.0]);
    let product = hvp(|x| (x.exp() * x).sum(), x, direction);
    let mut exact = tape.exact();
    let curvature = |x: f64| (x + 2.0) * x.exp();
    close(exact.of(product).data(), &[0.5, 0.25, -1.0].map(curvature));
    exact.move_to(&[(x, vector(&[0.1, 0.2, 0.3])), (direction, vector(&[3.0, -1.0, 0.0]))]);
    close(exact.of(product).data(), &[3.0 * curvature(0.1), -curvature(0.2), 0.0]);
    // What is not named has its recorded value again.
    exact.move_to(&[]);
    close(exact.of(product).data(), &[0.5, 0.25, -1.0].map(curvature));
}

#[test]
fn every_output_and_a_constant_of_more_digits() {
    let tape = Tape::new();
    let x = tape.var([3.0, 1.0, 2.0]);
    let parts = x.split(&[1, 2], 0);
    let scaled = c(0.1) * parts[1];
    let mut exact = tape.exact();
    close(exact.of(scaled).data(), &[0.1, 0.2]);
    exact.move_to(&[(x, vector(&[0.0, 0.3, 0.7]))]);
    close(exact.of(scaled).data(), &[0.3 * 0.1, 0.7 * 0.1]);
    close(exact.of(parts[0]).data(), &[0.0]);
}

#[test]
fn a_loss_that_does_not_depend_on_an_input() {
    let tape = Tape::new();
    let (x, y) = (tape.var([1.0, 2.0]), tape.var([[5.0]]));
    let (value, gradients) =
        exact::at(x.square().sum(), &[(x, vector(&[1.5, 0.1])), (y, Array::full([1, 1], 4.0))]);
    close(&[value], &[1.5 * 1.5 + 0.1 * 0.1]);
    close(gradients[0].data(), &[3.0, 0.2]);
    assert_eq!(gradients[1], Array::full([1, 1], 0.0));
}

/// The side of a kink is that of the recorded inputs.
#[test]
fn branches_are_those_of_the_recording() {
    let tape = Tape::new();
    let x = tape.var([1e-3, -1e-3]);
    let y = x.relu();
    let slope = y.sum().grad(&[x])[0].unwrap();
    let mut exact = tape.exact();
    exact.move_to(&[(x, vector(&[-0.5, 0.5]))]);
    assert_eq!((exact.of(y).data(), exact.of(slope).data()), (&[-0.5, 0.0][..], &[1.0, 0.0][..]));
    // By a new recording at each of them they follow.
    assert_eq!(value_and_grad(|x| x.relu().sum(), &[-0.5, 0.5]), (0.5, vec![0.0, 1.0]));
}

#[test]
#[should_panic = "only inputs can be given other values"]
fn a_computed_value_cannot_be_moved() {
    let tape = Tape::new();
    let y = tape.var([1.0]) * 2.0;
    tape.exact().move_to(&[(y, vector(&[1.0]))]);
}

#[test]
#[should_panic = "is to become a value of shape [3]"]
fn a_moved_input_keeps_its_shape() {
    let tape = Tape::new();
    let x = tape.var([1.0, 2.0]);
    tape.exact().move_to(&[(x, vector(&[1.0, 2.0, 3.0]))]);
}

#[test]
#[should_panic = "is of another tape"]
fn another_tapes_variable_is_refused() {
    let (tape, other) = (Tape::new(), Tape::new());
    let x = other.var([1.0, 2.0]);
    tape.exact().of(x);
}

#[test]
#[should_panic = "exact: the loss has shape [2]"]
fn a_loss_is_one_number() {
    value_and_grad(|x| x * x, &[1.0, 2.0]);
}
