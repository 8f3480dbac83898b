//! The right models of `models.py`, on variables of a tape; those on kinks also in f64, for the replay of a tape takes the
//! branches that were recorded.

use crate::planted::uniform;
use gradus_autograd::prelude::*;

/// A function with a right gradient.
pub struct Model {
    pub f: for<'t> fn(&[Var<'t>]) -> Var<'t>,
    /// The same in f64, with all sides of its kinks.
    pub over_kinks: Option<fn(&[f64]) -> f64>,
}

fn u<const N: usize>(seed: u64, shape: [usize; N]) -> Tensor {
    uniform(seed, &shape)
}

fn weighted<'t>(y: Var<'t>, seed: u64) -> Var<'t> {
    (y * y.place().constant(uniform(seed, &y.shape()))).sum()
}

fn normalised(y: Var<'_>, axis: isize) -> Var<'_> {
    let centred = y - y.mean_axes(axis, true);
    centred / (centred.square().mean_axes(axis, true) + 1.0 / 131_072.0).sqrt()
}

fn softmax(x: Var<'_>) -> Var<'_> {
    let e = (x - x.max_axes(-1, true).detach()).exp();
    e / e.sum_axes(-1, true)
}

fn constant<'t>(like: Var<'t>, x: Tensor) -> Var<'t> {
    like.place().constant(x)
}

fn hinge<'t>(s: Var<'t>, margin: f32) -> Var<'t> {
    let labels = constant(s, u(10, [8]).map(f32::signum));
    (-(s * labels) + margin).relu().sum()
}

/// Names, inputs and functions.
pub fn all() -> Vec<(&'static str, Vec<Tensor>, Model)> {
    let tiny = |exponent: i32| Tensor::from([1.0, 2f32.powi(exponent)]);
    let mut models: Vec<(&str, Vec<Tensor>, Model)> = Vec::new();
    let mut add = |name, inputs: Vec<Tensor>, f: for<'t> fn(&[Var<'t>]) -> Var<'t>| {
        models.push((name, inputs, Model { f, over_kinks: None }));
    };
    add("bias before batch norm", vec![u(11, [3, 4]), u(12, [4])], |v| {
        let y = normalised(constant(v[0], u(1, [6, 3])).matmul(&v[0]) + v[1], 0);
        weighted(y.tanh(), 2)
    });
    let square = |seed| u(seed, [4, 4]);
    let inputs = vec![u(13, [5, 4]), square(14), square(15), square(16), u(17, [4])];
    add("attention, with a bias of keys", inputs, |v| {
        let scores = v[0].matmul(&v[1]).matmul(&(v[0].matmul(&v[2]) + v[4]).t()) / 2.0;
        weighted(softmax(scores).matmul(&v[0].matmul(&v[3])), 3)
    });
    add("square at 0", vec![Tensor::zeros([3])], |v| (v[0] * v[0]).sum());
    add("dead relu", vec![u(18, [8])], |v| (v[0] - 5.0).relu().sum());
    add("satisfied hinge", vec![u(19, [8])], |v| hinge(v[0], -3.0));
    add("LoRA with B = 0", vec![square(20), u(21, [4, 2]), Tensor::zeros([2, 4])], |v| {
        let w = v[0] + v[1].matmul(&v[2]);
        weighted(constant(w, u(4, [5, 4])).matmul(&w).tanh(), 5)
    });
    add("softmax, summed", vec![u(22, [3, 5])], |v| softmax(v[0]).sum());
    add("layer norm, summed", vec![u(23, [3, 5])], |v| normalised(v[0], 1).sum());
    add("quadratic at its optimum", vec![Tensor::full([4], 0.5)], |v| {
        ((v[0] - 0.5) * (v[0] - 0.5) * 3.0).sum()
    });
    fn rosenbrock<'t>(v: &[Var<'t>]) -> Var<'t> {
        let (a, b) = (v[0].select(0, 0), v[0].select(0, 1));
        (-a + 1.0).square() + (b - a * a).square() * 100.0
    }
    add("Rosenbrock at its optimum", vec![Tensor::ones([2])], |v| rosenbrock(v));
    add("Rosenbrock", vec![Tensor::from([-1.25, 1.0])], |v| rosenbrock(v));
    add("softmax masked with -inf", vec![square(24)], |v| {
        let later = Tensor::from_fn([4, 4], |at| (at[1] > at[0]) as u8 as f32);
        weighted(softmax(v[0].masked_fill(&constant(v[0], later), f32::NEG_INFINITY)), 6)
    });
    add("recurrence of 60 steps", vec![u(25, [6, 3]), u(26, [3, 4]) * 0.5, square(27) * 0.5], |v| {
        let mut h = v[0].select(0, 0).matmul(&v[1]) * 0.0;
        for t in 0..60 {
            h = (v[0].select(0, t % 6).matmul(&v[1]) + h.matmul(&v[2])).tanh();
        }
        weighted(h, 7)
    });
    add("reciprocal at 1 and 2^-30", vec![tiny(-30)], |v| v[0].reciprocal().sum());
    add("tanh(2^30 x) at 1 and 2^-33", vec![tiny(-33)], |v| (v[0] * 2f32.powi(30)).tanh().sum());
    add("narrow bell", vec![tiny(-18)], |v| (-(v[0] * 2f32.powi(17)).square()).exp().sum());
    add("row of length 1e-9, normalised", vec![u(29, [4]) * 2f32.powi(-30)], |v| {
        weighted(v[0] / v[0].square().sum().sqrt(), 28)
    });
    let matrix = Tensor::from([1.0, 1.0, 1.0, 1.0 + 2f32.powi(-20)]);
    add("logarithm of a determinant, condition 4e6", vec![matrix], |v| {
        let [a, b, c, d] = [0, 1, 2, 3].map(|k| v[0].select(0, k));
        (a * d - b * c).log()
    });
    add("logistic map of 40 steps", vec![Tensor::from([0.40625])], |v| {
        (0..40).fold(v[0], |x, _| x * 3.75 * (-x + 1.0)).sum()
    });
    add("expm1 squared at 0", vec![Tensor::zeros([2])], |v| v[0].expm1().square().sum());
    add("root at 1 and 2^-33", vec![tiny(-33)], |v| v[0].sqrt().sum());
    add("logarithm at 1 and 2^-33", vec![tiny(-33)], |v| v[0].log().sum());
    add("gradient of 1e-9 of the loss", vec![u(30, [5])], |v| v[0].sum() * 2f32.powi(-30) + 1.0);
    add("loss with 1e6 added", vec![u(31, [5])], |v| v[0].sin().sum() + 1e6);
    add("loss with 1e8 added", vec![u(32, [5])], |v| v[0].sin().sum() + 1e8);
    add("deep narrow net", vec![u(33, [3, 2]), u(34, [2, 2])], |v| {
        weighted((0..50).fold(v[0], |x, _| x.matmul(&v[1]).tanh()), 8)
    });
    add("classifier", vec![u(35, [5, 4]), u(36, [4]), u(37, [4, 3]), u(38, [3])], |v| {
        let h = (constant(v[0], u(9, [6, 5])).matmul(&v[0]) + v[1]).tanh();
        let labels = [0, 2, 1, 1, 0, 2];
        let hot = Tensor::from_fn([6, 3], |at| (labels[at[0]] == at[1]) as u8 as f32);
        let p = softmax(h.matmul(&v[2]) + v[3]);
        -(p * constant(h, hot)).sum_axes(-1, false).log().mean()
    });
    add("inputs of 1e6", vec![u(39, [5]) * 2f32.powi(20)], |v| ((v[0] * 1e-6).sin() * v[0]).sum());
    add("inputs of 1e-6", vec![u(40, [5]) * 2f32.powi(-20)], |v| ((v[0] * 1e6).exp() * v[0]).sum());
    add("saturated sigmoid", vec![u(41, [5]) + 30.0], |v| ((-v[0]).exp() + 1.0).reciprocal().sum());
    add("steep at 1e-3", vec![u(42, [5]) * 2f32.powi(-10)], |v| {
        (v[0] / (v[0] * v[0] + 2f32.powi(-40))).sum()
    });
    add("fast wave", vec![u(43, [5])], |v| ((v[0] * 128.0).sin() * v[0].exp()).sum());
    add("product of 50 factors", vec![u(44, [10]) * 0.25 + 1.0], |v| {
        let factors = (1..50).map(|k| v[0].select(0, k % 10));
        factors.fold(v[0].select(0, 0), |y, factor| y * factor)
    });
    add("logsumexp of 1e4", vec![(u(45, [5]) * 64.0).map(f32::round_ties_even) / 64.0 + 10000.0], |v| {
        (v[0] - 10000.0).exp().sum().log() + 10000.0
    });
    add("mean of squares of 1000", vec![u(46, [1000])], |v| (v[0] * v[0]).mean());
    add("cube at 1e-6", vec![u(47, [4]) * 2f32.powi(-20)], |v| (v[0] * v[0] * v[0]).sum());

    type Plain = fn(&[f64]) -> f64;
    let mut at_kinks = |name, x: Tensor, f: for<'t> fn(&[Var<'t>]) -> Var<'t>, plain: Plain| {
        models.push((name, vec![x], Model { f, over_kinks: Some(plain) }));
    };
    let relu: Plain = |x| x.iter().map(|x| x.max(0.0)).sum();
    at_kinks("relu at 0", Tensor::from([0.0, 1.0]), |v| v[0].relu().sum(), relu);
    let size: Plain = |x| x.iter().map(|x| x.abs()).sum();
    at_kinks("absolute value at 0", Tensor::from([0.0, -1.0]), |v| v[0].abs().sum(), size);
    let largest: Plain = |x| x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    at_kinks("three winners", Tensor::from([1.0, 1.0, 0.5, 1.0]), |v| v[0].max(), largest);
    let bounded: Plain = |x| x.iter().map(|x| x.clamp(-0.5, 0.5)).sum();
    at_kinks(
        "clamp at its bounds",
        Tensor::from([-0.5, 0.25, 0.5]),
        |v| v[0].clamp(-0.5, 0.5).sum(),
        bounded,
    );
    let hinged: Plain = |x| x.iter().map(|x| (1.0 - x).max(0.0)).sum();
    at_kinks("hinge at its margin", Tensor::from([1.0, 0.5, 2.0]), |v| (-v[0] + 1.0).relu().sum(), hinged);
    let apart: Plain = |x| x.iter().map(|x| (x - 0.5).abs()).sum::<f64>() / 3.0;
    at_kinks("l1 loss at 0", Tensor::from([0.5, 0.75, 0.0]), |v| (v[0] - 0.5).abs().mean(), apart);
    models
}
