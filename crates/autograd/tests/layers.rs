//! Normalisation, dropout and attention: third derivatives, defining properties, conventions at the edges.

use gradus_autograd::{check::gradcheck, prelude::*};

fn projected<'t>(v: Var<'t>, rng: &mut Rng) -> Var<'t> {
    (v * v.place().constant(Tensor::randn(v.shape(), rng))).sum()
}

/// The gradient check of a projected second derivative: it holds the third derivative to differences.
#[track_caller]
fn third_order(f: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>, inputs: &[Tensor]) {
    let report = gradcheck(
        |inputs| {
            let mut rng = Rng::seed(5);
            let mut scalar = projected(f(inputs), &mut rng);
            for _ in 0..2 {
                let gradients = scalar.grad(inputs);
                let sum =
                    gradients.into_iter().flatten().map(|v| projected(v, &mut rng)).reduce(|a, b| a + b);
                scalar = sum.expect("some input has a gradient");
            }
            scalar
        },
        inputs,
    );
    assert!(report.passed(), "{report}");
}

fn random(shapes: &[&[usize]]) -> Vec<Tensor> {
    let mut rng = Rng::seed(3);
    shapes.iter().map(|shape| Tensor::randn(shape, &mut rng)).collect()
}

#[test]
fn third_derivatives_of_normalisations() {
    third_order(|v| v[0].layer_norm([5], Some(&v[1]), None, 0.1), &random(&[&[3, 5], &[5]]));
    third_order(|v| v[0].rms_norm([5], Some(&v[1]), 0.1), &random(&[&[3, 5], &[5]]));
    third_order(
        |v| {
            let [y, mean, variance] = v[0].batch_norm(Some(&v[1]), None, 0.1);
            y.permute([0, 2, 1]) * mean + variance
        },
        &random(&[&[3, 2, 3], &[2]]),
    );
    third_order(|v| v[0].group_norm(2, Some(&v[1]), None, 0.1), &random(&[&[2, 4, 2], &[4]]));
    third_order(|v| v[0].softmax(-1), &random(&[&[3, 4]]));
    third_order(|v| v[0].log_softmax(0), &random(&[&[3, 4]]));
}

#[test]
fn attention_can_be_differentiated_three_times() {
    let inputs = random(&[&[2, 3, 4], &[2, 3, 4], &[2, 3, 2], &[3, 3]]);
    third_order(
        |v| {
            v[0].scaled_dot_product_attention(
                &v[1],
                &v[2],
                AttentionOptions { is_causal: true, ..Default::default() },
            )
        },
        &inputs[..3],
    );
    let heads = random(&[&[2, 1, 2], &[1, 3, 2], &[1, 3, 1]]);
    third_order(
        |v| {
            let options = AttentionOptions { enable_gqa: true, scale: Some(0.4), ..Default::default() };
            v[0].scaled_dot_product_attention(&v[1], &v[2], options)
        },
        &heads,
    );
    third_order(
        |v| {
            v[0].scaled_dot_product_attention(
                &v[1],
                &v[2],
                AttentionOptions { bias: Some(&v[3]), is_causal: true, ..Default::default() },
            )
        },
        &inputs,
    );
}

/// A mean far from 0 costs no more than its own rounding: the variance is not a difference of large numbers.
#[test]
fn batch_norm_far_from_zero() {
    let x = Tensor::from_fn([64, 2, 20], |i| 4096.0 + (i[0] * 20 + i[2]) as f32 / 64.0 * (1 + i[1]) as f32);
    let [y, mean, variance] = x.batch_norm(None, None, 0.0);
    let n = 1280.0f64;
    for channel in 0..2 {
        let step = (1 + channel) as f64 / 64.0;
        let (exact_mean, exact_variance) =
            (4096.0 + step * (n - 1.0) / 2.0, step * step * (n * n - 1.0) / 12.0);
        assert!((mean.get([channel]) as f64 - exact_mean).abs() <= 2e-7 * exact_mean);
        assert!((variance.get([channel]) as f64 - exact_variance).abs() <= 2e-6 * exact_variance);
        let last = (n - 1.0) / 2.0 * step / exact_variance.sqrt();
        assert!(
            (y.get([63, channel, 19]) as f64 - last).abs() <= 4096.0 * 2e-7 / exact_variance.sqrt() * 2.0
        );
    }
}

#[test]
fn special_values_of_normalisations() {
    // One element: the bias, whatever it is; no gradient.
    let tape = Tape::new();
    let (x, b) = (tape.var([[5.0], [-7.0]]), tape.var([2.0]));
    let y = x.layer_norm([1], None, Some(&b), 1e-5);
    assert_eq!(y.value().to_vec(), [2.0, 2.0]);
    assert_eq!(y.backward_from([[1.0], [3.0]])[x].to_vec(), [0.0, 0.0]);
    // Equal elements: the bias again; the gradient is that of what remains, h - mean h, over √eps.
    let x = tape.var([[4.0, 4.0]]);
    let y = x.layer_norm([2], None, None, 1.0);
    assert_eq!(y.value().to_vec(), [0.0, 0.0]);
    assert_eq!(y.backward_from([[1.0, 3.0]])[x].to_vec(), [-1.0, 1.0]);
    // Unless eps is 0.
    assert!(Tensor::from([4.0, 4.0]).layer_norm([2], None, None, 0.0).iter().all(f32::is_nan));
    // NaN stays in its row, and in its channel.
    let x = Tensor::from([[f32::NAN, 1.0], [1.0, 3.0]]);
    let rows = x.layer_norm([2], None, None, 0.0).to_vec();
    assert!(rows[0].is_nan() && rows[1].is_nan());
    assert_eq!(rows[2..], [-1.0, 1.0]);
    let [channels, ..] = x.batch_norm(None, None, 0.0);
    assert!(channels.get([0, 0]).is_nan() && channels.get([1, 0]).is_nan());
    assert_eq!([channels.get([0, 1]), channels.get([1, 1])], [-1.0, 1.0]);
    // No rows, no channels.
    assert_eq!(Tensor::zeros([0, 3]).layer_norm([3], None, None, 1e-5).shape(), &[0, 3]);
    assert_eq!(Tensor::zeros([0, 4, 2]).group_norm(2, None, None, 1e-5).shape(), &[0, 4, 2]);
}

#[test]
fn evaluation_uses_the_statistics_it_is_given() {
    let [x, w, b]: [Tensor; 3] = random(&[&[6, 3, 5], &[3], &[3]]).try_into().unwrap();
    let [y, mean, variance] = x.batch_norm(Some(&w), Some(&b), 1e-5);
    let same = x.batch_norm_with(&mean, &variance, Some(&w), Some(&b), 1e-5);
    assert!(y.iter().zip(same.iter()).all(|(a, b)| (a - b).abs() <= 1e-6 * 8.0), "{y:?} is not {same:?}");
}

#[test]
fn dropout_keeps_the_mean_and_its_mask() {
    let tape = Tape::training(1);
    let x = tape.var(Tensor::ones([100, 100]));
    for p in [0.0, 0.1, 0.5, 0.9, 1.0] {
        let y = x.dropout(p);
        // Five standard errors of the mean of 10⁴ elements.
        let error = if p < 1.0 { 5.0 * (p / (1.0 - p)).sqrt() / 100.0 } else { 0.0 };
        let expected = if p < 1.0 { 1.0 } else { 0.0 };
        assert!((y.value().mean().item() - expected).abs() <= error, "{p}: {}", y.value().mean().item());
        assert_eq!(y.sum().backward()[x], y.value());
    }
    assert_ne!(x.dropout(0.5).value(), x.dropout(0.5).value());
    let again = Tape::training(1);
    assert_eq!(again.var(Tensor::ones([100, 100])).dropout(0.5).value(), {
        let tape = Tape::training(1);
        tape.var(Tensor::ones([100, 100])).dropout(0.5).value()
    });
    assert_eq!(Tape::new().var([1.0, 2.0]).dropout(0.5).value().to_vec(), [1.0, 2.0]);
}

#[test]
fn dropout2d_drops_whole_channels() {
    let tape = Tape::training(2);
    let y = tape.var(Tensor::ones([20, 10, 3, 2])).dropout2d(0.5).value();
    let mut dropped = 0;
    for (image, channel) in (0..200).map(|i| (i / 10, i % 10)) {
        let first = y.get([image, channel, 0, 0]);
        assert!((0..6).all(|i| y.get([image, channel, i / 2, i % 2]) == first));
        dropped += (first == 0.0) as i32;
    }
    assert!((dropped - 100).abs() < 36, "{dropped} of 200 channels were dropped");
}

#[test]
fn alpha_dropout_keeps_mean_and_variance() {
    let tape = Tape::training(3);
    let x = tape.var(random(&[&[40_000]]).remove(0));
    let y = x.alpha_dropout(0.3).value();
    assert!(y.mean().item().abs() < 5.0 / 200.0, "{}", y.mean().item());
    assert!(
        (y.var_axes(Axes::all(), 0, false).item() - 1.0).abs() < 5.0 * 2.0 / 200.0,
        "{}",
        y.var_axes(Axes::all(), 0, false).item()
    );
    assert!((x.alpha_dropout(0.0).value() - x.value()).abs().max().item() < 1e-6);
}

#[test]
fn a_query_that_sees_nothing_gives_zero() {
    let tape = Tape::new();
    let [q, k, v]: [Tensor; 3] = random(&[&[2, 4], &[3, 4], &[3, 2]]).try_into().unwrap();
    let (q, k, v) = (tape.var(q), tape.var(k), tape.var(v));
    let mask = tape.constant([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
    let y =
        q.scaled_dot_product_attention(&k, &v, AttentionOptions { mask: Some(&mask), ..Default::default() });
    assert_eq!(y.value().to_vec(), [0.0, 0.0, v.value().get([1, 0]), v.value().get([1, 1])]);
    let swept = y.sum().backward();
    assert_eq!(swept[q].to_vec(), [0.0; 8]);
    assert_eq!(swept[k].to_vec(), [0.0; 12]);
    assert_eq!(swept[v].to_vec(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    // A key that nobody sees may hold anything.
    let poisoned = tape.constant([[0.0], [1.0], [0.0]]).select_where(&k, &tape.constant(f32::NAN));
    assert_eq!(
        q.scaled_dot_product_attention(
            &poisoned,
            &v,
            AttentionOptions { mask: Some(&mask), ..Default::default() }
        )
        .value(),
        y.value()
    );
}

#[test]
fn heads_broadcast_over_keys() {
    let [q, k, v]: [Tensor; 3] = random(&[&[2, 3, 5, 4], &[2, 1, 6, 4], &[6, 2]]).try_into().unwrap();
    let y = q.scaled_dot_product_attention(&k, &v, AttentionOptions::default());
    assert_eq!(y.shape(), &[2, 3, 5, 2]);
    let one = q.select(0, 1).select(0, 2).scaled_dot_product_attention(
        &k.select(0, 1).select(0, 0),
        &v,
        AttentionOptions::default(),
    );
    let same = y.select(0, 1).select(0, 2);
    assert!(one.iter().zip(same.iter()).all(|(a, b)| (a - b).abs() < 1e-6));
}

/// Heads that share keys and values are heads that have the same ones each.
#[test]
fn grouped_heads_are_repeated_ones() {
    for (heads, [of_keys, of_values]) in [(6, [2, 2]), (4, [1, 4]), (4, [4, 2]), (3, [3, 3]), (0, [2, 1])] {
        let shapes: [&[usize]; 3] = [&[2, heads, 3, 4], &[2, of_keys, 5, 4], &[of_values, 5, 2]];
        let [q, k, v]: [Tensor; 3] = random(&shapes).try_into().unwrap();
        let tape = Tape::new();
        let [q, k, v] = [q, k, v].map(|x| tape.var(x));
        let bias = tape.var(Tensor::from_fn([heads, 3, 5], |i| (i[0] * i[1]) as f32 - i[2] as f32));
        let options = AttentionOptions { bias: Some(&bias), scale: Some(0.7), ..Default::default() };
        let grouped = AttentionOptions { enable_gqa: true, ..options };
        let y = q.scaled_dot_product_attention(&k, &v, grouped);
        assert_eq!(q.attention_weights(&k, grouped).shape(), [2, heads, 3, 5]);
        let [each_k, each_v] =
            [(k, of_keys), (v, of_values)].map(|(x, n)| x.repeat_interleave(heads / n, -3));
        let same = q.scaled_dot_product_attention(&each_k, &each_v, options);
        assert_eq!(y.shape(), same.shape());
        let close = |a: &Tensor, b: &Tensor| a.iter().zip(b.iter()).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(close(&y.value(), &same.value()), "{heads} heads, {of_keys} of keys");
        let (g, h) = (y.square().sum().backward(), same.square().sum().backward());
        for x in [q, k, v, bias] {
            assert!(close(&g[x], &h[x]), "{heads} heads, {of_keys} of keys");
        }
    }
}

#[test]
fn messages_name_the_method_that_was_called() {
    let refused = |f: &dyn Fn()| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    };
    let x = Tensor::ones([2, 3]);
    assert!(refused(&|| std::mem::drop(x.dropout(1.5))).starts_with("dropout: the probability 1.5"));
    assert!(
        refused(&|| std::mem::drop(x.alpha_dropout(1.0))).starts_with("alpha_dropout: the probability 1")
    );
    let attend = |k: &Tensor, v: &Tensor| {
        std::mem::drop(x.scaled_dot_product_attention(k, v, AttentionOptions::default()))
    };
    assert!(
        refused(&|| attend(&Tensor::ones([2, 4]), &x)).contains("queries [2, 3], keys [2, 4]: they must be")
    );
    assert!(refused(&|| attend(&x, &Tensor::ones([3]))).contains("keys [2, 3], values [3]: they must be"));
    assert!(
        refused(&|| std::mem::drop(Tensor::ones([1, 3, 2, 2]).pixel_shuffle(2))).starts_with("pixel_shuffle")
    );
    assert!(refused(&|| std::mem::drop(x.max_pool1d(2))).starts_with("max_pool1d: shape [2, 3]"));
    let short = Tensor::ones([2]);
    let eval = || std::mem::drop(x.batch_norm_with(&short, &short, None, None, 1e-5));
    assert!(refused(&eval).starts_with("batch_norm: [2] is not one number for each channel of [2, 3]"));
}
