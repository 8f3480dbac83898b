//! Chapter 6: optimizers, initial weights, batch normalisation, weight decay, dropout; and what the books' own programs do.

use crate::descent::descend;
use crate::{apart, close, gradient, slope};
use gradus::prelude::*;

#[track_caller]
fn follows(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).for_each(|(f, e)| close(*f, *e, 2e-7));
}

#[test]
fn adagrad_does_not_divide_by_zero() {
    let (rate, g, h) = (0.1_f64, 0.0_f64, 0.0_f64);
    assert!((rate * g / h.sqrt()).is_nan());
    let mut w = Param::new([1.0, 1.0]);
    let (_, gradients, ()) =
        Tape::new().step(|tape| ((tape.param(&w) * tape.constant([0.0, 1.0])).sum(), ()));
    AdaGrad::new(0.1).step(&mut w, &gradients);
    assert_eq!(w.value().to_vec(), [1.0, 0.9]);
    follows(&descend(AdaGrad::new(0.1), 3), &[0.9, 0.8331035, 0.7804562]);
}

/// Ten steps of Adam on w² in f64, with or without the line that the comment swallowed: w, m and v.
fn adam(with_m: bool) -> [f64; 3] {
    let [mut w, mut m, mut v] = [1.0, 0.0, 0.0];
    for t in 1..=10 {
        let g: f64 = 2.0 * w;
        if with_m {
            m += (1.0 - 0.9) * (g - m);
        }
        v += (1.0 - 0.999) * (g * g - v);
        let rate = 0.001 * (1.0 - 0.999_f64.powi(t)).sqrt() / (1.0 - 0.9_f64.powi(t));
        w -= rate * m / (v.sqrt() + 1e-7);
    }
    [w, m, v]
}

#[test]
fn adam_without_its_first_moment_stays() {
    let [w, m, v] = adam(false);
    assert_eq!((w, m), (1.0, 0.0));
    close(v, 0.0398, 5e-5);
    let [right, ..] = adam(true);
    close(right, 0.99, 1e-4);
    close(descend(Adam::new(0.001).book_epsilon(), 10)[9], right, 2e-7);
}

#[test]
fn ten_to_the_minus_eight_is_not_10e_8() {
    assert_eq!(10e-8, 1e-7);
    assert_ne!(10e-8, 1e-8);
}

/// Where Adam is after each of the gradients 1, -2, 0.5, 0.1 and 3, from 0.
fn adam_on_gradients(mut adam: Adam) -> Vec<f64> {
    let (mut w, mut tape) = (Param::new(0.0), Tape::new());
    [1.0, -2.0, 0.5, 0.1, 3.0]
        .map(|g| {
            let (_, gradients, ()) = tape.step(|tape| (tape.param(&w) * g, ()));
            adam.step(&mut w, &gradients);
            w.value().item().into()
        })
        .to_vec()
}

#[test]
fn the_place_of_adams_epsilon_shows_in_the_eighth_digit() {
    let book = [-0.00099999684, -0.00063389383, -0.00049720335, -0.00041070704, -0.00079995812];
    let paper = [-0.00099999999, -0.00063389647, -0.00049720580, -0.00041070936, -0.00079996077];
    // In f64, by the two forms: the book's ε beside √v, the paper's beside the corrected √v.
    for (expected, epsilon, of_paper) in [(book, 1e-7, false), (paper, 1e-8, true)] {
        let [mut w, mut m, mut v] = [0.0_f64; 3];
        for ((g, t), expected) in [1.0, -2.0, 0.5, 0.1, 3.0].into_iter().zip(1..).zip(expected) {
            m += (1.0 - 0.9) * (g - m);
            v += (1.0 - 0.999) * (g * g - v);
            let [c1, c2] = [1.0 - 0.9_f64.powi(t), 1.0 - 0.999_f64.powi(t)];
            w -= if of_paper {
                0.001 * (m / c1) / ((v / c2).sqrt() + epsilon)
            } else {
                0.001 * c2.sqrt() / c1 * m / (v.sqrt() + epsilon)
            };
            close(w, expected, 1e-11);
        }
    }
    let (ours, theirs) =
        (adam_on_gradients(Adam::new(0.001)), adam_on_gradients(Adam::new(0.001).book_epsilon()));
    for i in 0..5 {
        close(ours[i], paper[i], 5e-10);
        close(theirs[i], book[i], 5e-10);
        apart(book[i], paper[i], 2e-9);
    }
}

#[test]
fn adam_holds_its_pace_as_rmsprop_does() {
    // Under a gradient of 1 AdaGrad's steps shrink as 1 / √t; a decaying mean of squares keeps them.
    let mut lengths = [0.0; 3];
    let (mut w, mut tape) = ([(); 3].map(|()| Param::new(0.0)), Tape::new());
    let (mut adagrad, mut rmsprop, mut adam) =
        (AdaGrad::new(0.01), RmsProp::new(0.01).alpha(0.9), Adam::new(0.01));
    for _ in 0..400 {
        for (k, w) in w.iter_mut().enumerate() {
            let before = w.value().item();
            let (_, gradients, ()) = tape.step(|tape| (tape.param(w) * 1.0, ()));
            match k {
                0 => adagrad.step(w, &gradients),
                1 => rmsprop.step(w, &gradients),
                _ => adam.step(w, &gradients),
            }
            lengths[k] = f64::from(before - w.value().item());
        }
    }
    close(lengths[0], 0.01 / 20.0, 1e-5);
    close(lengths[1], 0.01, 1e-5);
    close(lengths[2], 0.01, 1e-5);
}

#[test]
fn adadelta_has_a_formula() {
    let [mut w, mut squares, mut steps] = [1.0_f64, 0.0, 0.0];
    let expected = [0.9955278753, 0.9910086803, 0.9864644623];
    for expected in expected {
        let g = 2.0 * w;
        squares = 0.95 * squares + 0.05 * g * g;
        let step = ((steps + 1e-6) / (squares + 1e-6)).sqrt() * g;
        steps = 0.95 * steps + 0.05 * step * step;
        w -= step;
        close(w, expected, 1e-10);
    }
    follows(&descend(AdaDelta::new(1.0).rho(0.95), 3), &expected);
}

#[test]
fn zero_weights_are_bad_because_they_are_equal() {
    // Equal weights that are not 0 vanish nowhere, and the hidden units stay one unit.
    let half = Init::Constant(0.5);
    let rng = &mut Rng::seed(0);
    let mut net = Sequential::new()
        .push(Linear::with_init(2, 4, half, rng))
        .push(Sigmoid)
        .push(Linear::with_init(4, 2, half, rng));
    let x = Tensor::from([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]);
    let (labels, mut tape, mut sgd) = (Indices::from([0, 1, 1, 1]), Tape::new(), Sgd::new(0.5));
    for _ in 0..100 {
        let (_, gradients, ()) =
            tape.step(|tape| (net.forward(tape.constant(&x)).cross_entropy(&labels), ()));
        sgd.step(&mut net, &gradients);
    }
    let weight = net.params()[0].1.value().clone();
    assert!((&weight - 0.5).abs().min().item() > 0.05, "gradients have moved every weight");
    for unit in 1..4 {
        assert_eq!(weight.select(0, unit), weight.select(0, 0));
    }
}

#[test]
fn batch_norm_does_not_scale_to_0_1() {
    let x = Tensor::from([[1.0], [2.0], [3.0], [10.0]]);
    let y = BatchNorm1d::new(1).forward(Tape::training(0).constant(&x)).value().to_vec();
    let mean: f32 = y.iter().sum::<f32>() / 4.0;
    let variance: f32 = y.iter().map(|y| (y - mean).powi(2)).sum::<f32>() / 4.0;
    close(mean.into(), 0.0, 1e-6);
    close(variance.into(), 1.0, 1e-4);
    assert!(y[0] < 0.0 && y[3] > 1.0);
}

#[test]
fn batch_norm_has_a_scale_and_a_shift() {
    // y = γ x̂ + β: dγ = Σ g x̂ and dβ = Σ g.
    let (x, g) = ([1.0_f64, 2.0, 3.0, 10.0], [0.3, -1.0, 0.5, 2.0]);
    let (mean, eps) = (4.0, 1e-5);
    let std = (x.map(|x| (x - mean).powi(2)).iter().sum::<f64>() / 4.0 + eps).sqrt();
    let hat = x.map(|x| (x - mean) / std);
    let loss = |[scale, shift]: [f64; 2]| (0..4).map(|i| g[i] * (scale * hat[i] + shift)).sum::<f64>();
    let by_hand = [(0..4).map(|i| g[i] * hat[i]).sum::<f64>(), g.iter().sum()];
    let numerical = gradient(loss, [1.0, 0.0]);
    let (norm, tape) = (BatchNorm1d::new(1), Tape::training(0));
    let y = norm.forward(tape.constant([[1.0], [2.0], [3.0], [10.0]]));
    let found = (y * tape.constant([[0.3], [-1.0], [0.5], [2.0]])).sum().backward();
    for (k, (_, param)) in norm.params().into_iter().take(2).enumerate() {
        close(numerical[k], by_hand[k], 1e-8);
        close(found[param].item().into(), by_hand[k], 1e-5);
        // Without them nothing is there to learn.
        apart(by_hand[k], 0.0, 0.5);
    }
}

#[test]
fn batch_norm_predicts_with_running_statistics() {
    let (mut norm, one) = (BatchNorm1d::new(1).momentum(0.5), Tensor::from([[7.0]]));
    let (mut tape, mut still) = (Tape::training(0), Sgd::new(0.0));
    for _ in 0..30 {
        let (_, gradients, ()) = tape.step(|tape| (norm.forward(tape.constant([[2.0], [6.0]])).sum(), ()));
        still.step(&mut norm, &gradients);
    }
    // By its own statistics a single example is always β.
    let own = |x: f64| (x - x) / (0.0_f64 + 1e-5).sqrt();
    assert_eq!((own(7.0), own(-100.0)), (0.0, 0.0));
    // The mean is 4, the variance, of a sample of two, 8.
    close(norm.forward(one).item().into(), 3.0 / (8.0_f64 + 1e-5).sqrt(), 1e-4);
}

#[test]
fn weight_decay_is_a_term_of_the_loss() {
    let (rate, decay, w) = (0.1, 0.3, 1.5);
    let g = slope(|w| w * w + decay / 2.0 * w * w, w);
    let mut param = Param::new(w as f32);
    let (_, gradients, ()) = Tape::new().step(|tape| (tape.param(&param).square(), ()));
    Sgd::new(rate).weight_decay(decay).step(&mut param, &gradients);
    let found = f64::from(param.value().item());
    close(found, w - rate * g, 1e-7);
    apart(found, w - rate * 2.0 * w, 0.01);
}

#[test]
fn the_dropped_share_adds_nothing_to_the_mean() {
    let (p, x) = (0.3, 2.0);
    let mean = (1.0 - p) * (x / (1.0 - p)) + p * 0.0;
    close(mean, x, 1e-12);
    apart((1.0 - p) * x / (1.0 - p) + p, x, 0.2);
    let y = Tape::training(0).constant(Tensor::full([100_000], x as f32)).dropout(p as f32).value();
    close(y.mean().item().into(), x, 0.02);
}

#[test]
fn dropout_keeps_the_mean_and_not_the_distribution() {
    let (p, x) = (0.3, 2.0);
    let y = Tape::training(1).constant(Tensor::full([100_000], x as f32)).dropout(p as f32).value();
    let mean = f64::from(y.mean().item());
    let variance = y.iter().map(|y| (f64::from(y) - mean).powi(2)).sum::<f64>() / 1e5;
    // Of a constant the variance is 0; behind dropout it is x² p / (1 - p).
    close(variance, x * x * p / (1.0 - p), 0.03);
}

#[test]
fn half_is_p_of_one_half_only() {
    for (p, half) in [(0.5, true), (0.2, false)] {
        let y = Tape::training(0).constant(Tensor::ones([100_000])).dropout(p as f32).value();
        let dropped = y.iter().filter(|y| *y == 0.0).count() as f64 / 1e5;
        close(dropped, p, 0.01);
        assert_eq!((dropped - 0.5).abs() < 0.01, half);
    }
}

/// Nesterov's steps on w² with the velocity renewed after its use (`late`) or before.
fn nesterov(late: bool) -> Vec<f64> {
    let ([mut w, mut v], rate, momentum) = ([1.0, 0.0], 0.1, 0.9);
    (0..3)
        .map(|_| {
            let g = 2.0 * w;
            if !late {
                v = momentum * v - rate * g;
            }
            w += momentum * momentum * v - (1.0 + momentum) * rate * g;
            if late {
                v = momentum * v - rate * g;
            }
            w
        })
        .collect()
}

#[test]
fn nesterovs_velocity_is_renewed_last() {
    let expected = [0.62, 0.2224, -0.108352];
    nesterov(true).into_iter().zip(expected).for_each(|(w, e)| close(w, e, 1e-12));
    follows(&descend(Sgd::new(0.1).nesterov(0.9), 3), &expected);
    close(nesterov(false)[0], 0.458, 1e-12);
    // The definition: the gradient is taken where momentum alone would lead; u is that place.
    let ([mut w, mut v], mut places) = ([1.0, 0.0], Vec::new());
    for _ in 0..3 {
        v = 0.9 * v - 0.1 * 2.0 * (w + 0.9 * v);
        w += v;
        places.push(w + 0.9 * v);
    }
    places.into_iter().zip(expected).for_each(|(u, e)| close(u, e, 1e-12));
}

#[test]
fn a_batch_of_one_has_no_gradient_through_batch_norm() {
    let norms = |n: usize| {
        let tape = Tape::training(0);
        let x = tape.var(Tensor::randn([n, 4], &mut Rng::seed(0)));
        // The batch's own statistics, as in the book.
        let centred = x - x.mean_axes([0], true);
        let scaled = centred / (centred.square().mean_axes([0], true) + 1e-6).sqrt();
        let weights = tape.constant(Tensor::randn([n, 4], &mut Rng::seed(1)));
        let loss = (scaled * weights).sum();
        loss.backward()[x].abs().max().item()
    };
    assert_eq!(norms(1), 0.0);
    assert!(norms(8) > 0.1);
}

#[test]
fn a_constant_in_the_logarithm_bends_the_gradient() {
    let softmax = |z: [f64; 3]| {
        let sum: f64 = z.iter().map(|z| z.exp()).sum();
        z.map(|z| z.exp() / sum)
    };
    let (z, label) = ([0.3, 2.9, 4.0], 0);
    let y = softmax(z);
    for i in 0..3 {
        let t = f64::from(i == label);
        // d log(y + e) / dz is y / (y + e) times what it is without e.
        let exact = y[i] - t;
        let with = exact * y[label] / (y[label] + 1e-7);
        apart(with, exact, 1e-8);
        close(with, exact, 1e-5);
    }
    let exact = gradient(|z| -softmax(z)[label].ln(), z);
    let with = gradient(|z| -(softmax(z)[label] + 1e-7).ln(), z);
    for i in 0..3 {
        let t = f64::from(i == label);
        close(exact[i], y[i] - t, 1e-9);
        apart(with[i], y[i] - t, 1e-8);
    }
}

#[test]
fn a_standard_deviation_is_the_root_of_the_variance() {
    // exp(log var / 2); exp(log var) is the variance.
    let log_var = 0.25_f64.ln();
    close((log_var / 2.0).exp(), 0.5, 1e-12);
    apart(log_var.exp(), 0.5, 0.2);
    let noise = Tensor::randn([100_000], &mut Rng::seed(0));
    let variance = |scale: f64| (noise.clone() * scale as f32).var().item();
    close(variance((log_var / 2.0).exp()).into(), 0.25, 0.005);
    apart(variance(log_var.exp()).into(), 0.25, 0.1);
}
