//! Losses and what they stand on: the worked numbers of *Deep Learning from Scratch*, closed forms, extreme logits.

use gradus_autograd::{
    ops::loss::{
        CrossEntropyOptions, GaussianNllOptions, KlDivOptions, MultiMarginOptions, PoissonNllOptions,
        Reduction,
    },
    prelude::*,
};

const INF: f32 = f32::INFINITY;

/// Equal but for a few roundings.
#[track_caller]
fn close(found: f32, expected: f64) {
    assert!((found as f64 - expected).abs() <= 1e-6 * expected.abs().max(0.01), "{found} is not {expected}");
}

#[track_caller]
fn all_close(found: &Tensor, expected: &[f64]) {
    assert_eq!(found.numel(), expected.len());
    found.iter().zip(expected).for_each(|(found, &expected)| close(found, expected));
}

#[test]
fn softmax_of_the_book() {
    let y = Tensor::from([1010.0, 1000.0, 990.0]).softmax(0);
    all_close(&y, &[0.9999546, 4.5397869e-5, 2.0610600e-9]);
    assert!((f64::from(y.get([2])) - 2.0610600462e-9).abs() < 1e-14);
    all_close(&Tensor::from([0.3, 2.9, 4.0]).softmax(0), &[0.01821127, 0.24519181, 0.73659691]);
    assert!((y.sum().item() - 1.0).abs() <= f32::EPSILON);
    // Far apart, the logarithm keeps what the softmax loses.
    assert_eq!(Tensor::from([0.0, 200.0]).log_softmax(0).get([0]), -200.0);
    all_close(&Tensor::from([0.5, 0.5]).log_softmax(0), &[-(2f64.ln()), -(2f64.ln())]);
}

#[test]
fn activations_of_the_book() {
    close(Tensor::scalar(-1.0).elu(1.0).item(), -0.6321205588);
    close(Tensor::scalar(1.0).sigmoid().item(), 0.7310585786);
    close(Tensor::scalar(2.0).sigmoid().item(), 0.8807970780);
    assert_eq!(Tensor::from([1000.0, -1000.0]).sigmoid().to_vec(), [1.0, 0.0]);
    close(Tensor::scalar(1.0).gelu().item(), 0.8413447461);
    close(Tensor::scalar(1.0).gelu_tanh().item(), 0.8411919906);
    close(Tensor::scalar(1.0).softplus().item(), 1.3132616875);
    close(Tensor::scalar(-1.0).leaky_relu(0.01).item(), -0.01);
}

#[test]
fn errors_of_the_book() {
    let t = Tensor::one_hot(&Indices::from([2]), 10);
    let near = Tensor::from([[0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0]]);
    let far = Tensor::from([[0.1, 0.05, 0.1, 0.0, 0.05, 0.1, 0.0, 0.6, 0.0, 0.0]]);
    // The book prints the cross-entropies -ln 0.6 and -ln 0.1 as 0.510825624 and 2.302585093.
    for (y, squares, cross) in [(near, 0.0975, -(0.6f64.ln())), (far, 0.5975, -(0.1f64.ln()))] {
        close(y.mse_loss(&t).item() * 10.0 / 2.0, squares);
        // Logits of these probabilities are their logarithms, -inf among them.
        let logits = y.log();
        close(logits.cross_entropy(&Indices::from([2])).item(), cross);
        close(logits.soft_cross_entropy(&t).item(), cross);
        close(logits.log_softmax(1).nll_loss(&Indices::from([2])).item(), cross);
    }
}

#[test]
fn cross_entropy_has_the_gradient_of_the_book() {
    let tape = Tape::new();
    let x = tape.var([[0.3, 2.9, 4.0], [1.0, 0.0, 0.0]]);
    let labels = Indices::from([1, 0]);
    let t = tape.constant(Tensor::one_hot(&labels, 3));
    let y = x.softmax(1);
    let expected: Vec<f64> = ((y - t).value() / 2.0).iter().map(f64::from).collect();
    for loss in [x.cross_entropy(&labels), x.soft_cross_entropy(&t), x.log_softmax(1).nll_loss(&labels)] {
        all_close(&loss.backward()[x], &expected);
        all_close(&loss.grad(&[x])[0].unwrap().value(), &expected);
    }
}

#[test]
fn cross_entropy_with_classes_before_positions() {
    // [n, classes, positions] is each position's row by itself.
    let x = Tensor::from_fn([2, 3, 4], |i| (i[0] * 5 + i[1] * 3 + i[2] * 7) as f32 % 4.0);
    let labels = Indices::new([0, 1, 2, 0, 2, 2, 1, 0], [2, 4]);
    let rows = x.permute([0, 2, 1]).reshape([8, 3]);
    let together = x.cross_entropy(&labels).item();
    close(together, rows.cross_entropy(&labels.reshape([8])).item().into());
}

#[test]
fn options_of_cross_entropy() {
    // Softmax of these logits: 1/8, 2/8, 5/8.
    let x = Tensor::from([[1f32.ln(), 2f32.ln(), 5f32.ln()], [0.0, 0.0, 0.0]]);
    let labels = Indices::from([2, 0]);
    let losses = [-(5f64 / 8.0).ln(), 3f64.ln()];
    let with = |options| x.cross_entropy_with(&labels, options).item();
    let plain = CrossEntropyOptions::default();

    close(with(CrossEntropyOptions { reduction: Reduction::Sum, ..plain.clone() }), losses[0] + losses[1]);
    close(with(CrossEntropyOptions { ignore_index: Some(0), ..plain.clone() }), losses[0]);
    // (1 - ε) at the label and ε / 3 everywhere.
    let smoothed = 0.7 * losses[0] - 0.1 * ((1f64 / 8.0).ln() + (2f64 / 8.0).ln() + (5f64 / 8.0).ln());
    close(
        with(CrossEntropyOptions { label_smoothing: 0.3, ignore_index: Some(0), ..plain.clone() }),
        smoothed,
    );
    let weights = Some(Tensor::from([1.0, 2.0, 3.0]));
    close(
        with(CrossEntropyOptions { class_weights: weights.clone(), ..plain.clone() }),
        (3.0 * losses[0] + losses[1]) / 4.0,
    );
    // Nothing to take the mean of.
    let tape = Tape::new();
    let x = tape.var(x);
    let none = CrossEntropyOptions { ignore_index: Some(7), class_weights: weights, ..plain };
    let loss = x.cross_entropy_with(&Indices::from([7, 7]), none);
    assert!(loss.item().is_nan());
    assert_eq!(loss.backward()[x].to_vec(), [0.0; 6]);
    assert_eq!(loss.grad(&[x])[0].unwrap().value().to_vec(), [0.0; 6]);
}

#[test]
fn ignored_rows_get_exactly_zero_whatever_stands_in_them() {
    let tape = Tape::new();
    let x = tape.var([[1.0, 2.0], [f32::NAN, INF], [-INF, -INF]]);
    let options = CrossEntropyOptions {
        ignore_index: Some(-100),
        label_smoothing: 0.1,
        ..CrossEntropyOptions::default()
    };
    let loss = x.cross_entropy_with(&Indices::from([0, -100, -100]), options);
    assert!(loss.item().is_finite());
    assert_eq!(loss.backward()[x].to_vec()[2..], [0.0; 4]);
    assert_eq!(loss.grad(&[x])[0].unwrap().value().to_vec()[2..], [0.0; 4]);
}

/// The gradient by the fast way and by the rule, for the cotangents of the losses of rows.
fn both_gradients(
    logits: &Tensor,
    labels: &Indices,
    options: &CrossEntropyOptions,
    g: &Tensor,
) -> [Tensor; 2] {
    let tape = Tape::new();
    let x = tape.var(logits.clone());
    let loss = (x.cross_entropy_with(labels, options.clone()) * tape.constant(g.clone())).sum();
    [loss.backward()[x].clone(), loss.grad(&[x])[0].unwrap().value()]
}

#[test]
fn rows_without_weight_or_cotangent_get_exactly_zero_whatever_stands_in_them() {
    let logits = Tensor::from([[f32::NAN, 1.0], [f32::INFINITY, 2.0], [0.5, 2.0]]);
    let labels = Indices::from([0, 0, 1]);
    let unreduced = CrossEntropyOptions { reduction: Reduction::None, ..Default::default() };
    let weights = Some(Tensor::from([0.0, 1.0]));
    let weighted = CrossEntropyOptions { class_weights: weights, ..unreduced.clone() };
    for (options, g) in [(weighted, [1.0, 1.0, 1.0]), (unreduced, [0.0, 0.0, 1.0])] {
        for dx in both_gradients(&logits, &labels, &options, &g.into()) {
            assert_eq!(dx.slice(0, ..2).to_vec(), [0.0; 4], "{options:?}");
            let off = (1.0 / (1.0 + 1.5f32.exp())).abs();
            all_close(&dx.slice(0, 2..), &[f64::from(off), -f64::from(off)]);
        }
    }
}

/// `dx = softmax(x) Σt - t`, be the sum of the target t negative, or zero without t being so.
#[test]
fn class_weights_of_any_sign() {
    let (logits, labels) = (Tensor::from([[0.0, 1.0], [1.0, 2.0]]), Indices::from([0, 1]));
    let p = 1.0 / (1.0 + 1f64.exp());
    let half = f64::from(0.5f32);
    for (label_smoothing, expected) in [(0.0, [1.0 - p, p - 1.0, p, -p]), (1.0, [half, -half, half, -half])] {
        let class_weights = Some(Tensor::from([-1.0, 1.0]));
        let options = CrossEntropyOptions {
            label_smoothing,
            class_weights,
            reduction: Reduction::None,
            ..Default::default()
        };
        for dx in both_gradients(&logits, &labels, &options, &Tensor::ones([2])) {
            all_close(&dx, &expected);
        }
    }
}

#[test]
fn extreme_logits_stay_finite() {
    let tape = Tape::new();
    let x = tape.var([[1000.0, -1000.0], [-1000.0, 1000.0]]);
    let loss = x.cross_entropy(&Indices::from([0, 0]));
    assert_eq!(loss.item(), 1000.0);
    assert_eq!(loss.backward()[x].to_vec(), [0.0, 0.0, -0.5, 0.5]);

    for logit in [0.0f32, 20.0, 50.0, 120.0, 1000.0, INF] {
        let exact = (-f64::from(logit)).exp().ln_1p();
        let slope = 1.0 / (1.0 + f64::from(logit).exp());
        for (sign, target) in [(1.0, 1.0), (-1.0, 0.0)] {
            let x = tape.var([sign * logit]);
            let loss = x.binary_cross_entropy_with_logits(&tape.constant([target]));
            // Relative to itself: nothing cancels.
            let off = (f64::from(loss.item()) - exact).abs();
            assert!(
                off <= 1e-6 * exact + f64::from(f32::from_bits(1)),
                "{logit}: {} is not {exact:e}",
                loss.item()
            );
            let found = f64::from(loss.backward()[x].item()) * -f64::from(sign);
            assert!((found - slope).abs() <= 1e-6 * slope.max(1e-30), "{logit}: {found:e} is not {slope:e}");
        }
    }
    let x = tape.var([1000.0, -1000.0]);
    let wrong = x.binary_cross_entropy_with_logits(&tape.constant([0.0, 1.0]));
    assert_eq!((wrong.item(), wrong.backward()[x].to_vec()), (1000.0, vec![0.5, -0.5]));
}

#[test]
fn binary_cross_entropy_of_probabilities() {
    let tape = Tape::new();
    let (p, t) = (tape.var([0.25, 0.75]), tape.constant([1.0, 0.5]));
    let loss = p.binary_cross_entropy(&t);
    let expected = -(0.25f64.ln() + 0.5 * 0.75f64.ln() + 0.5 * 0.25f64.ln()) / 2.0;
    close(loss.item(), expected);
    all_close(&loss.backward()[p], &[-2.0, 0.5 * (0.5 / 0.25 - 0.5 / 0.75)]);
    // Certain and right costs nothing; certain and wrong has no bound.
    let certain = tape.var([0.0, 1.0]);
    let right = certain.binary_cross_entropy(&tape.constant([0.0, 1.0]));
    assert_eq!((right.item(), right.backward()[certain].to_vec()), (0.0, vec![0.0, 0.0]));
    assert_eq!(certain.binary_cross_entropy(&tape.constant([1.0, 0.0])).item(), INF);
}

#[test]
fn targets_are_differentiated_too() {
    let tape = Tape::new();
    let (x, t) = (tape.constant([[0.0, 0.0]]), tape.var([[0.5, 0.5]]));
    all_close(&x.soft_cross_entropy(&t).backward()[t], &[2f64.ln(), 2f64.ln()]);
    let (x, t) = (tape.var([1.0]), tape.var([3.0]));
    let gradients = x.mse_loss(&t).backward();
    assert_eq!((gradients[x].item(), gradients[t].item()), (-4.0, 4.0));
}

/// Every alignment written out, for short sequences.
#[test]
fn ctc_sums_over_all_alignments() {
    let (steps, classes) = (5usize, 3usize);
    let log_p = Tensor::randn([steps, 1, classes], &mut Rng::seed(8)).log_softmax(2);
    // What a path says: repeats are one label, then blanks go.
    let said = |path: &[usize]| -> Vec<i32> {
        let kept = (0..path.len()).filter(|&t| path[t] != 0 && (t == 0 || path[t] != path[t - 1]));
        kept.map(|t| path[t] as i32).collect()
    };
    for labels in [&[][..], &[1], &[1, 2], &[2, 2], &[1, 2, 1], &[1, 1, 1], &[2, 2, 2, 1]] {
        let mut probability = 0.0f64;
        for code in 0..classes.pow(steps as u32) {
            let path: Vec<usize> = (0..steps).map(|t| code / classes.pow(t as u32) % classes).collect();
            if said(&path) == labels {
                let log: f64 = path.iter().enumerate().map(|(t, &k)| f64::from(log_p.get([t, 0, k]))).sum();
                probability += log.exp();
            }
        }
        let found = log_p.ctc_loss_with(&[labels], &[steps], 0, Reduction::Sum).item();
        if probability == 0.0 {
            assert_eq!(found, f32::INFINITY, "{labels:?} cannot be said in {steps} steps");
            let tape = Tape::new();
            let x = tape.var(&log_p);
            let gradient = x.ctc_loss(&[labels], &[steps], 0).backward()[x].clone();
            assert!(gradient.iter().all(|g| g == 0.0), "{gradient:?}");
        } else {
            close(found, -probability.ln());
        }
    }
}

#[test]
fn what_is_no_probability_is_refused() {
    let (x, unit) = (Tensor::from([[0.25, 0.75]]), Tensor::from([[0.0, 1.0]]));
    let refused = |f: &dyn Fn() -> Tensor| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).expect_err("it was taken");
        *panic.downcast::<String>().expect("a sentence")
    };
    for bad in [-1.0, 2.0, INF] {
        let t = Tensor::from([[0.0, bad]]);
        for (name, text) in [
            ("binary_cross_entropy", refused(&|| x.binary_cross_entropy(&t))),
            ("binary_cross_entropy_with_logits", refused(&|| x.binary_cross_entropy_with_logits(&t))),
            (
                "weighted_binary_cross_entropy_with_logits",
                refused(&|| x.weighted_binary_cross_entropy_with_logits(&t, &Tensor::scalar(2.0))),
            ),
            ("soft_cross_entropy", refused(&|| x.soft_cross_entropy(&t))),
        ] {
            assert_eq!(text, format!("{name}: {bad} is among the targets, which must be in 0..=1"));
        }
        let text = refused(&|| t.binary_cross_entropy(&unit));
        assert_eq!(
            text,
            format!("binary_cross_entropy: {bad} is among the probabilities, which must be in 0..=1")
        );
    }
    let nan = Tensor::from([[0.5, f32::NAN]]);
    assert!(nan.binary_cross_entropy(&unit).item().is_nan() && x.soft_cross_entropy(&nan).item().is_nan());
}

/// Of one-hot targets the rows are those of the labels, with all options.
#[test]
fn soft_targets_have_the_options_of_labels() {
    let (logits, labels) =
        (Tensor::randn([3, 4, 2], &mut Rng::seed(4)), Indices::new([0, 3, 2, 2, 1, 0], [3, 2]));
    let targets = Tensor::one_hot(&labels, 4).permute([0, 2, 1]);
    for label_smoothing in [0.0, 0.25, 1.0] {
        for class_weights in [None, Some(Tensor::from([0.5, 0.0, 2.0, 3.0]))] {
            let options = |reduction| CrossEntropyOptions {
                label_smoothing,
                class_weights: class_weights.clone(),
                reduction,
                ..Default::default()
            };
            let tape = Tape::new();
            let x = tape.var(&logits);
            let hard = x.cross_entropy_with(&labels, options(Reduction::None));
            let soft = x.soft_cross_entropy_with(&tape.constant(&targets), options(Reduction::None));
            let exact: Vec<f64> = hard.value().iter().map(f64::from).collect();
            all_close(&soft.value(), &exact);
            let exact: Vec<f64> = hard.sum().backward()[x].iter().map(f64::from).collect();
            all_close(&soft.sum().backward()[x], &exact);
            // The mean is that over the rows.
            let mean = logits.soft_cross_entropy_with(&targets, options(Reduction::Mean));
            close(mean.item(), f64::from(soft.value().sum().item()) / 6.0);
        }
    }
    // A class without weight counts for nothing, whatever its logit.
    let tape = Tape::new();
    let x = tape.var([[0.0, -INF, 0.0]]);
    let class_weights = Some(Tensor::from([1.0, 0.0, 1.0]));
    let options = CrossEntropyOptions { class_weights, label_smoothing: 0.5, ..Default::default() };
    let loss = x.soft_cross_entropy_with(&tape.constant([[0.0, 1.0, 0.0]]), options);
    close(loss.item(), 2f64.ln() / 3.0);
    assert!(loss.backward()[x].iter().all(|g| g == 0.0));
}

#[test]
fn targets_as_logarithms() {
    let tape = Tape::new();
    let (x, log_t) = (tape.var([-1.0, -INF, -3.0, -2.0]), tape.var([-2.0, -INF, -INF, -90.0]));
    let log_target = KlDivOptions { log_target: true, reduction: Reduction::Sum };
    let y = x.kl_div_with(&log_t, log_target);
    let exact = -(-2f64).exp();
    close(y.item(), exact);
    // A target of 0 gets none and sends none, under a probability of 0 too; one of e^-90 is none in single precision.
    assert_eq!(y.backward()[x].to_vec()[1..3], [0.0, 0.0]);
    all_close(&y.backward()[log_t].slice(0, ..3), &[0.0, 0.0, 0.0]);
    let certain = tape.var([0.0]).kl_div_with(&tape.constant([0.0]), log_target);
    assert_eq!(certain.item(), 0.0);
    assert_eq!(tape.var([-INF]).kl_div_with(&tape.constant([0.0]), log_target).item(), INF);
}

/// The negative logarithm of e^-m m^t / t!, of whose terms, up to 1e8, nothing is to be left over but the sum.
#[test]
fn the_whole_likelihood_of_counts() {
    let tape = Tape::new();
    for (count, relative) in
        [(2.0f32, 2.0), (10.0, 0.9), (1e3, 1.0), (1e3, 1.01), (1e6, 1.0), (1e6, 1.5), (2f32.powi(22), 1.0)]
    {
        let (m, t) = (count * relative, f64::from(count));
        let of_mean = |m: f64| m - t * m.ln() + t * t.ln() - t + 0.5 * (std::f64::consts::TAU * t).ln();
        let t = tape.constant(count);
        for log_input in [false, true] {
            let x = tape.var(if log_input { m.ln() } else { m });
            let options = PoissonNllOptions { log_input, full: true, eps: 0.0, ..Default::default() };
            let y = x.poisson_nll_loss_with(&t, options);
            // The logarithm of a mean is rounded before it comes here.
            let mean = if log_input { f64::from(x.item()).exp() } else { m.into() };
            // Of d = ln m - ln t the last digit counts t (e^d - 1) times.
            let exact = of_mean(mean);
            let off = (f64::from(y.item()) - exact).abs();
            let bound = 1e-6 * exact + (mean - f64::from(count)).abs() * 1e-6;
            assert!(off <= bound, "{count}, {m}: {} is not {exact}", y.item());
        }
    }
    let full = PoissonNllOptions { full: true, reduction: Reduction::Sum, ..Default::default() };
    // Up to 1 there is nothing to add; and no mean costs nothing without counts, and everything with some.
    for t in [0.0, 0.5, 1.0] {
        let (x, t) = (tape.var([-1.0, 2.0]), tape.constant([t, t]));
        let gradient =
            |options: PoissonNllOptions| x.poisson_nll_loss_with(&t, options).backward()[x].clone();
        let plain = PoissonNllOptions { full: false, ..full };
        assert_eq!(x.poisson_nll_loss_with(&t, full).item(), x.poisson_nll_loss_with(&t, plain).item());
        assert_eq!(gradient(full), gradient(plain));
    }
    for log_input in [false, true] {
        let none = if log_input { -INF } else { 0.0 };
        let options = PoissonNllOptions { log_input, eps: 0.0, ..full };
        for (count, cost) in [(0.0, 0.0), (3.0, INF)] {
            let (x, t) = (tape.var([none]), tape.var([count]));
            let y = x.poisson_nll_loss_with(&t, options);
            assert_eq!(y.item(), cost);
            // Of e^x and of x.
            let slope = match (count == 0.0, log_input) {
                (true, true) => 0.0,
                (true, false) => 1.0,
                (false, true) => -3.0,
                (false, false) => -INF,
            };
            assert_eq!(y.backward()[x].item(), slope, "{count}, {log_input}");
        }
    }
    // With an eps an impossible count is only unlikely.
    let options = PoissonNllOptions { log_input: false, eps: 0.25, ..Default::default() };
    close(Tensor::scalar(0.0).poisson_nll_loss_with(&Tensor::scalar(3.0), options).item(), 3.0 * 4f64.ln());
}

#[test]
fn the_whole_likelihood_of_a_normal_distribution() {
    let tape = Tape::new();
    let (x, t, v) = (tape.var([1.0, 1.0]), tape.constant([3.0, 3.0]), tape.var([4.0, 0.25]));
    let exact = |v: f64| 0.5 * (std::f64::consts::TAU * v).ln() + 4.0 / (2.0 * v);
    // The second variance counts as 1/2, and gets no gradient.
    let options = GaussianNllOptions { full: true, eps: 0.5, reduction: Reduction::None };
    let y = x.gaussian_nll_loss_with(&t, &v, options);
    all_close(&y.value(), &[exact(4.0), exact(0.5)]);
    let gradients = y.sum().backward();
    all_close(&gradients[x], &[-2.0 / 4.0, -2.0 / 0.5]);
    all_close(&gradients[v], &[0.5 / 4.0 - 2.0 / 16.0, 0.0]);
    let nan = x.gaussian_nll_loss(&t, &(v * f32::NAN));
    assert!(nan.item().is_nan());
}

#[test]
fn margins_of_infinite_scores() {
    let tape = Tape::new();
    // A label far above the others costs nothing; one far below costs everything.
    for (own, other, loss, slopes) in [
        (INF, 1.0, 0.0, [0.0, 0.0]),
        (0.0, -INF, 0.0, [0.0, 0.0]),
        (-INF, 0.0, INF, [-0.5, 0.5]),
        (0.0, INF, INF, [-0.5, 0.5]),
    ] {
        let x = tape.var([[own, other]]);
        for y in [
            x.multi_margin_loss(&Indices::from([0])),
            x.multilabel_margin_loss(&Indices::new([0, -1], [1, 2])),
        ] {
            assert_eq!((y.item(), y.backward()[x].to_vec()), (loss, slopes.to_vec()), "{own} and {other}");
        }
    }
    let x = tape.var([[0.0, 0.5], [f32::NAN, 0.0]]);
    assert!(x.multi_margin_loss(&Indices::from([0, 0])).item().is_nan());
    assert!(x.multilabel_margin_loss(&Indices::new([0, 0], [2, 1])).item().is_nan());
    // A label without weight costs nothing, whatever its scores; a row without labels does neither.
    let options = MultiMarginOptions { class_weights: Some([0.0, 3.0].into()), ..Default::default() };
    let y = x.multi_margin_loss_with(&Indices::from([1, 0]), options);
    assert_eq!((y.item(), y.backward()[x].to_vec()), (3.0 * 0.5 / 4.0, vec![0.75, -0.75, 0.0, 0.0]));
    let y = x.multilabel_margin_loss(&Indices::new([1, -1], [2, 1]));
    assert_eq!((y.item(), y.backward()[x].to_vec()), (0.5 / 4.0, vec![0.25, -0.25, 0.0, 0.0]));
    // Nobody named, and nobody there.
    assert_eq!(
        x.multilabel_margin_loss_with(&Indices::zeros([2, 0]), Reduction::None).value().to_vec(),
        [0.0, 0.0]
    );
    let nobody = Tensor::zeros([0, 2]);
    assert!(nobody.multi_margin_loss(&Indices::zeros([0])).item().is_nan());
    assert!(nobody.multilabel_margin_loss(&Indices::zeros([0, 2])).item().is_nan());
    // A margin that is just kept.
    let x = tape.var([[1.0, 0.0]]);
    assert_eq!(x.multi_margin_loss(&Indices::from([0])).backward()[x].to_vec(), [0.0, 0.0]);
}
