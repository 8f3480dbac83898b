//! Perceptrons, activation functions and forward passes.

use crate::{apart, close, sigmoid, slope};
use gradus::prelude::*;

const INPUTS: [[f64; 2]; 4] = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]];

#[test]
fn the_sum_starts_at_the_first_input() {
    let and = |first: usize| {
        INPUTS.map(|x| {
            let sum: f64 = (first..2).map(|i| 0.5 * x[i]).sum();
            sum - 0.7 > 0.0
        })
    };
    assert_eq!(and(0), [false, false, false, true]);
    // From w_i on, as printed: the second neuron has lost x1 and never fires.
    assert_eq!(and(1), [false; 4]);
}

#[test]
fn nand_is_not_not() {
    let nand = INPUTS.map(|[x1, x2]| -0.5 * x1 - 0.5 * x2 + 0.7 > 0.0);
    let [not_1, not_2] = [0, 1].map(|i| INPUTS.map(|x| x[i] == 0.0));
    assert!(nand != not_1 && nand != not_2);
    assert_eq!(nand, INPUTS.map(|x| x != [1.0, 1.0]));
}

#[test]
fn xor_wants_a_curve_and_not_another_line() {
    let xor = |[x1, x2]: [f64; 2]| x1 != x2;
    // Any a x1 + b x2 + c has the same sum over either diagonal, and XOR wants one of them positive, the other not.
    for i in 0..33_i32.pow(3) {
        let [a, b, c] = [i % 33, i / 33 % 33, i / 33 / 33].map(|i| f64::from(i - 16) / 8.0);
        let f = |[x1, x2]: [f64; 2]| a * x1 + b * x2 + c;
        assert_eq!(f([0.0, 0.0]) + f([1.0, 1.0]), f([1.0, 0.0]) + f([0.0, 1.0]));
        assert!(INPUTS.iter().any(|&x| (f(x) > 0.0) != xor(x)), "{a} {b} {c}");
    }
    assert!(INPUTS.iter().all(|&[x1, x2]| (x1 + x2 - 2.0 * x1 * x2 - 0.5 > 0.0) == xor([x1, x2])));
}

#[test]
fn the_slope_of_sigmoid_is_zero_in_floats() {
    let single = 1.0 / (1.0 + (-17.0_f32).exp());
    assert_eq!((single, single * (1.0 - single)), (1.0, 0.0));
    let double = sigmoid(37.0);
    assert_eq!((double, double * (1.0 - double)), (1.0, 0.0));
    // On paper it is about e^-x there.
    assert!((-37.0_f64).exp() / (1.0 + (-37.0_f64).exp()).powi(2) > 8e-17);
}

#[test]
fn sigmoid_is_small_but_not_zero() {
    close(sigmoid(-20.0) / 2.061153618190204e-9, 1.0, 1e-12);
    assert!(sigmoid(-700.0) > 0.0);
    assert!(Tensor::scalar(-80.0).sigmoid().item() > 0.0);
}

#[test]
fn tanh_does_not_reach_one() {
    // 1 - tanh x = 2 / (e^2x + 1), which is positive.
    for x in [1.0_f64, 5.0, 15.0] {
        let short = 2.0 / ((2.0 * x).exp() + 1.0);
        close(1.0 - x.tanh(), short, 1e-16);
        assert!(x.tanh() < 1.0);
    }
    assert!(2.0 / (600.0_f64.exp() + 1.0) > 0.0);
}

#[test]
fn the_quotient_of_tanh_overflows() {
    let x = 1000.0_f64;
    assert!(((x.exp() - (-x).exp()) / (x.exp() + (-x).exp())).is_nan());
    assert_eq!(Tensor::from([1000.0, -1000.0]).tanh().to_vec(), [1.0, -1.0]);
}

#[test]
fn relu_has_no_slope_at_zero() {
    // The differences from either side, and the one of both.
    let (relu, h) = (|x: f64| x.max(0.0), 1e-5);
    assert_eq!((relu(h) / h, relu(-h) / -h, slope(relu, 0.0)), (1.0, 0.0, 0.5));
    // The book's layer has 0 where x <= 0, its relu_grad 1 where x >= 0: the declared one is 0.
    let tape = Tape::new();
    let x = tape.var([-1.0, 0.0, 1.0]);
    assert_eq!(x.relu().sum().backward()[x].to_vec(), [0.0, 0.0, 1.0]);
}

#[test]
fn xavier_starves_relu() {
    let layers = 10;
    let halvings = |variance: f32| {
        let (n, mut rng) = (256, Rng::seed(0));
        let mut x = Tensor::randn([128, n], &mut rng);
        let before = x.square().mean().item();
        for _ in 0..layers {
            x = x.matmul(&(Tensor::randn([n, n], &mut rng) * (variance / n as f32).sqrt())).relu();
        }
        (before / x.square().mean().item()).log2()
    };
    // ReLU takes away half of the mean square, and a variance of 1 / n does not bring it back.
    close(halvings(1.0).into(), layers.into(), 1.5);
    close(halvings(2.0).into(), 0.0, 1.5);
}

#[test]
fn leaky_relu_as_a_maximum_needs_a_slope_below_one() {
    let maximum = |alpha: f64, x: f64| x.max(alpha * x);
    let leaky = |alpha: f64, x: f64| if x > 0.0 { x } else { alpha * x };
    for x in [-3.0, -0.5, 0.0, 2.0] {
        assert_eq!(maximum(0.01, x), leaky(0.01, x));
    }
    assert_eq!((maximum(2.0, -1.0), leaky(2.0, -1.0)), (-1.0, -2.0));
    assert_eq!((maximum(2.0, 1.0), leaky(2.0, 1.0)), (2.0, 1.0));
    assert_eq!(Tensor::scalar(-1.0).leaky_relu(2.0).item(), -2.0);
}

#[test]
fn prelu_learns_its_slope() {
    let (x, g) = ([-2.0_f64, -0.5, 1.5], [1.0, 2.0, 3.0]);
    let loss = |alpha: f64| -> f64 {
        x.iter().zip(g).map(|(&x, g)| g * if x > 0.0 { x } else { alpha * x }).sum::<f64>()
    };
    let expected: f64 = x.iter().zip(g).map(|(x, g)| x.min(0.0) * g).sum();
    assert_eq!(expected, -3.0);
    close(slope(loss, 0.25), expected, 1e-9);
    let tape = Tape::new();
    let alpha = tape.var(0.25);
    let y = tape.constant([-2.0, -0.5, 1.5]).prelu(&alpha) * tape.constant([1.0, 2.0, 3.0]);
    assert_eq!(y.sum().backward()[alpha].item(), -3.0);
}

#[test]
fn rrelu_is_random_in_training_alone() {
    let (layer, x) = (RRelu::new(1.0 / 8.0, 1.0 / 3.0), Tensor::full([1000], -1.0));
    let train = |seed| layer.forward(Tape::training(seed).constant(&x)).value();
    let (one, other) = (train(0), train(1));
    assert_ne!(one, other);
    assert!(one.iter().chain(other.iter()).all(|y| (-1.0 / 3.0..=-1.0 / 8.0).contains(&y)));
    // The mean of the slopes, in evaluation.
    assert!(layer.forward(x).iter().all(|y| (f64::from(y) + 11.0 / 48.0).abs() < 1e-7));
    close(one.mean().item().into(), -11.0 / 48.0, 0.01);
}

#[test]
fn elu_bends_below_zero() {
    let y = Tensor::from([-1.0, -30.0, 2.0]).elu(1.0).to_vec();
    close(y[0].into(), -0.6321205588285577, 1e-7);
    assert_eq!((y[1], y[2]), (-1.0, 2.0));
    let tape = Tape::new();
    let x = tape.var(-1.0);
    let elu = |x: f64| x.exp() - 1.0;
    close(x.elu(1.0).backward()[x].item().into(), slope(elu, -1.0), 1e-7);
}

#[test]
fn the_output_of_a_regression_is_not_a_sigmoid() {
    let affine = |x: &[f64], w: &[&[f64]], b: &[f64]| -> Vec<f64> {
        (0..b.len()).map(|j| b[j] + x.iter().zip(w).map(|(x, row)| x * row[j]).sum::<f64>()).collect()
    };
    let squash = |a: Vec<f64>| -> Vec<f64> { a.into_iter().map(sigmoid).collect() };
    let z1 = squash(affine(&[1.0, 0.5], &[&[0.1, 0.3, 0.5], &[0.2, 0.4, 0.6]], &[0.1, 0.2, 0.3]));
    let z2 = squash(affine(&z1, &[&[0.1, 0.4], &[0.2, 0.5], &[0.3, 0.6]], &[0.1, 0.2]));
    let a3 = affine(&z2, &[&[0.1, 0.3], &[0.2, 0.4]], &[0.1, 0.2]);
    let y = [0.31682708, 0.69627909];
    for (a, y) in a3.into_iter().zip(y) {
        close(a, y, 5e-9);
        apart(y, sigmoid(a), 0.02);
    }
}

#[test]
fn e_to_the_tenth_is_above_twenty_thousand() {
    close(10.0_f64.exp(), 22026.47, 5e-3);
    assert!(100.0_f64.exp() > 1e43 && 100.0_f64.exp() / 20000.0 > 1e39);
    close(100.0_f64.exp() / 2.688e43, 1.0, 1e-4);
    assert_eq!(1000.0_f64.exp(), f64::INFINITY);
}

#[test]
fn between_layers_stand_an_activation_and_a_bias() {
    let xnor = |g: fn(f64) -> f64, bias: f64| {
        INPUTS.map(|[x1, x2]| {
            let and = g(20.0 * x1 + 20.0 * x2 - 30.0 * bias);
            let nor = g(-20.0 * x1 - 20.0 * x2 + 10.0 * bias);
            sigmoid(20.0 * and + 20.0 * nor - 10.0 * bias)
        })
    };
    for (found, expected) in xnor(sigmoid, 1.0).into_iter().zip([0.99995456, 4.548e-5, 4.548e-5, 0.99995456])
    {
        close(found, expected, 1e-8);
    }
    // As printed: without activations AND and NOR cancel, without biases one threshold is left for all four.
    let [a, b, c, d] = xnor(|a| a, 1.0);
    assert!(a == b && b == c && c == d);
    assert!(xnor(sigmoid, 0.0)[1] > 0.5);
}

#[test]
fn one_hidden_layer_approximates() {
    let end = std::f64::consts::TAU;
    for units in [20, 80, 320] {
        let step = end / f64::from(units);
        // Each unit is a steep sigmoid that adds what the sine gains over its step.
        let net = |x: f64| -> f64 {
            let unit = |i: i32| {
                let (from, to) = (step * f64::from(i), step * f64::from(i + 1));
                (to.sin() - from.sin()) * sigmoid((x - (from + to) / 2.0) * 40.0 / step)
            };
            (0..units).map(unit).sum()
        };
        let worst = (0..=1000)
            .map(|i| end * f64::from(i) / 1000.0)
            .map(|x| (net(x) - x.sin()).abs())
            .fold(0.0, f64::max);
        assert!(worst <= step, "{units} units: {worst} is above {step}");
    }
}
