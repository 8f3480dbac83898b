//! The numbers that DeZero, the framework of *Deep Learning from Scratch 3*, computes on its way. Each was computed
//! independently, in f64.

use gradus_autograd::{check::numerical_gradient, functional::hessian, prelude::*};

#[track_caller]
fn close(found: f32, expected: f64) {
    assert!(
        (f64::from(found) - expected).abs() <= 1e-6 * expected.abs().max(1.0),
        "{found} is not {expected}"
    );
}

/// The function at a point and its gradient there.
fn at<const N: usize>(point: [f32; N], f: impl for<'t> Fn([Var<'t>; N]) -> Var<'t>) -> (f32, [f32; N]) {
    let tape = Tape::new();
    let x = point.map(|x| tape.var(x));
    let y = f(x);
    let gradients = y.backward();
    (y.item(), x.map(|x| gradients[x].item()))
}

#[test]
fn steps_3_and_6_square_exp_square() {
    let (y, [slope]) = at([0.5], |[x]| x.square().exp().square());
    close(y, 1.648721270700128);
    close(slope, 3.297442541400256);
    // Step 4, numerically; in f32 only three digits are right.
    let f = |x: &Tensor| x.square().exp().square().item();
    let numeric = numerical_gradient(f, &Tensor::scalar(0.5), 1e-2).item();
    assert!((numeric - 3.2974426).abs() < 3e-3, "{numeric}");
}

#[test]
fn steps_14_and_16_values_used_more_than_once() {
    assert_eq!(at([3.0], |[x]| x + x), (6.0, [2.0]));
    assert_eq!(at([3.0], |[x]| x + x + x), (9.0, [3.0]));
    let diamond = at([2.0], |[x]| {
        let a = x.square();
        a.square() + a.square()
    });
    assert_eq!(diamond, (32.0, [64.0]));
}

fn goldstein<'t>([x, y]: [Var<'t>; 2]) -> Var<'t> {
    let first = 19.0 - 14.0 * x + 3.0 * x.square() - 14.0 * y + 6.0 * x * y + 3.0 * y.square();
    let second = 18.0 - 32.0 * x + 12.0 * x.square() + 48.0 * y - 36.0 * x * y + 27.0 * y.square();
    (1.0 + (x + y + 1.0).square() * first) * (30.0 + (2.0 * x - 3.0 * y).square() * second)
}

#[test]
fn step_24_sphere_matyas_goldstein() {
    assert_eq!(at([1.0, 1.0], |[x, y]| x.square() + y.square()), (2.0, [2.0, 2.0]));
    let (z, [dx, dy]) = at([1.0, 1.0], |[x, y]| 0.26 * (x.square() + y.square()) - 0.48 * x * y);
    for slope in [z, dx, dy] {
        close(slope, 0.04);
    }
    assert_eq!(at([1.0, 1.0], goldstein), (1876.0, [-5376.0, 8064.0]));
}

/// Step 26, and step 35 for a derivative of high order.
#[test]
fn drawn_graphs() {
    let tape = Tape::new();
    let x = [tape.var(1.0), tape.var(1.0)];
    let dot = goldstein(x).graph().name(x[0], "x").name(x[1], "y").dot();
    let count = |text: &str| dot.lines().filter(|line| line.contains(text)).count();
    // Of the formula's 38 operations 10 are sums and differences of two values, 5 are products of two values.
    assert_eq!((count("shape=box"), count("fillcolor=orange"), count("color=orange") - 2), (38, 2, 38));
    assert_eq!((count("label=\"add\"") + count("label=\"sub\""), count("label=\"mul\"")), (10, 5));
    assert_eq!(count("->"), 38 + 38 + 15);

    let tape = Tape::new();
    let x = tape.var(1.0);
    let mut y = x.tanh();
    let mut sizes = vec![];
    for _ in 0..5 {
        y = y.grad(&[x])[0].unwrap();
        sizes.push(y.graph().mermaid().lines().filter(|line| line.contains("-->")).count());
    }
    assert!(sizes.is_sorted() && sizes[4] > 10 * sizes[0], "{sizes:?}");
}

#[test]
fn step_28_rosenbrock() {
    // The descent itself is in the book's tests.
    let tape = Tape::new();
    let x = [tape.var(0.0), tape.var(2.0)];
    let h = hessian(|[x, y]| 100.0 * (y - x.square()).square() + (x - 1.0).square(), x)
        .map(|row| row.map(|entry| entry.item()));
    assert_eq!(h, [[-798.0, 0.0], [0.0, 200.0]]);
    let tape = Tape::new();
    let [x, y] = [tape.var(0.0), tape.var(2.0)];
    let gradients = (100.0 * (y - x.square()).square() + (x - 1.0).square()).backward();
    assert_eq!((gradients[x].item(), gradients[y].item()), (-2.0, 400.0));
}

#[test]
fn steps_29_and_33_newtons_method() {
    // x⁴ - 2x² from 2.
    let mut x = 2.0;
    for (step, next) in
        [1.4545454545, 1.1510467894, 1.0253259290, 1.0009084519, 1.0000012353, 1.0].into_iter().enumerate()
    {
        let tape = Tape::new();
        let v = tape.var(x);
        let y = v.square().square() - 2.0 * v.square();
        let first = y.grad(&[v])[0].unwrap();
        let second = first.grad(&[v])[0].unwrap();
        if step == 0 {
            assert_eq!((first.item(), second.item()), (24.0, 44.0));
        }
        x -= first.item() / second.item();
        close(x, next);
    }
}

#[test]
fn steps_34_and_35_sine_and_tanh_to_high_order() {
    let orders = |f: for<'t> fn(Var<'t>) -> Var<'t>, expected: [f64; 5]| {
        let tape = Tape::new();
        let x = tape.var(1.0);
        let mut y = f(x);
        for derivative in expected {
            y = y.grad(&[x])[0].unwrap();
            close(y.item(), derivative);
        }
    };
    close(1f32.sin(), 0.8414709848);
    orders(|x| x.sin(), [0.5403023059, -0.8414709848, -0.5403023059, 0.8414709848, 0.5403023059]);
    orders(|x| x.tanh(), [0.4199743416, -0.6397000084, 0.6216266808, 0.6650910448, -5.5568935585]);
}

#[test]
fn step_36_a_gradient_within_a_loss() {
    // y = x², z = (y')³ + y: z' = 24x² + 2x, 100 at 2.
    let tape = Tape::new();
    let x = tape.var(2.0);
    let y = x.square();
    let slope = y.grad(&[x])[0].unwrap();
    let z = slope * slope * slope + y;
    assert_eq!(z.backward()[x].item(), 100.0);
}

#[test]
fn powers_with_scalars_on_both_sides() {
    let tape = Tape::new();
    let x = tape.var(2.0);
    let y = x.powf(3.0);
    assert_eq!((y.item(), y.backward()[x].item()), (8.0, 12.0));
    assert_eq!((3.0 / x - 1.0).backward()[x].item(), -0.75);
    assert_eq!((3.0 - x / 4.0).backward()[x].item(), -0.25);
}
