//! Rows of docs/book/rows.md that ask for random cases: those that are of layers and models, 64 cases each, and which tests
//! have those of all others.

use gradus::{
    autograd::check::GradCheck,
    nn::{flatten, flatten_gradients},
    prelude::*,
};
use std::{fs, path::Path};

/// The rows that ask for random cases.
const ROWS: &[usize] = &[
    1, 2, 3, 4, 5, 6, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 47, 52, 53, 57, 58, 60, 61, 62, 63, 64, 65, 66,
    67, 68,
];

/// The tests that have them, at least 64 each: of operations, and of the rest.
const TESTS: &[&str] = &[
    "every_operation_obeys_the_laws",
    "row_2_every_pair_of_shapes",
    "row_3_products_of_matrices",
    "row_47_the_cost_and_its_gradient_agree_64_times",
    "models_pass_the_gradient_check_64_times",
    "row_66_sequences_in_pieces_64_times",
];

/// Row 127: none of those rows is without random cases, and `scripts/random_cases.sh`, which holds them to ten minutes without
/// a network, runs them all.
#[test]
fn row_127_each_row_of_random_cases_is_run_in_time() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let [table, script, ci] = ["docs/book/rows.md", "scripts/random_cases.sh", "scripts/ci.sh"]
        .map(|name| fs::read_to_string(root.join(name)).unwrap());
    for row in ROWS {
        let line = table.lines().find(|line| line.starts_with(&format!("| {row} |"))).unwrap();
        assert!(TESTS.iter().any(|test| line.contains(&format!("`{test}`"))), "no random cases: {line}");
    }
    for test in TESTS {
        assert!(script.contains(test), "{test} is not in the script");
    }
    assert!(ci.contains("scripts/random_cases.sh"));
}

/// The cost of the notes' exercise, J, of a net with one hidden layer, in plain f64: the parameters as one vector.
fn cost(theta: &[f64], [inputs, hidden, labels]: [usize; 3], [x, y]: [&Tensor; 2], lambda: f64) -> f64 {
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    let (first, rest) = theta.split_at(hidden * inputs);
    let (first_bias, rest) = rest.split_at(hidden);
    let (second, second_bias) = rest.split_at(labels * hidden);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let m = x.size(0) as f64;
    let mut sum = 0.0;
    for (x, y) in x.to_vec().chunks(inputs).zip(y.to_vec().chunks(labels)) {
        let x: Vec<f64> = x.iter().copied().map(f64::from).collect();
        let a: Vec<f64> =
            (first.chunks(inputs).zip(first_bias)).map(|(w, b)| sigmoid(dot(w, &x) + b)).collect();
        for ((w, b), y) in second.chunks(hidden).zip(second_bias).zip(y) {
            let h = sigmoid(dot(w, &a) + b);
            sum -= if *y == 1.0 { h.ln() } else { (1.0 - h).ln() };
        }
    }
    sum / m + lambda / (2.0 * m) * (dot(first, first) + dot(second, second))
}

/// Row 47: the cost is J, with the penalty λ / 2m that spares the biases; its gradient is that of differences of J.
#[test]
fn row_47_the_cost_and_its_gradient_agree_64_times() {
    for seed in 0..64 {
        let rng = &mut Rng::seed(seed);
        let [m, sizes @ ..] = [(); 4].map(|()| 1 + rng.below(4));
        let [inputs, hidden, labels] = sizes;
        let lambda = if seed % 4 == 0 { 0.0 } else { rng.uniform(0.0, 3.0) };
        let layers = vec![Linear::new(inputs, hidden, rng), Linear::new(hidden, labels, rng)];
        let x = Tensor::randn([m, inputs], rng);
        let y = Tensor::from_fn([m, labels], |_| rng.below(2) as f32);

        let tape = Tape::new();
        let weights: Vec<_> = layers.iter().map(|layer| tape.param(&layer.weight)).collect();
        let logits = layers[1].forward(layers[0].forward(tape.constant(&x)).sigmoid());
        let found = logits.multi_label_cost(&tape.constant(&y), &weights.iter().collect::<Vec<_>>(), lambda);
        let gradient = flatten_gradients(&layers, &found.backward());

        let theta: Vec<f64> = flatten(&layers).iter().map(f64::from).collect();
        let exact = |theta: &[f64]| cost(theta, sizes, [&x, &y], lambda.into());
        assert!((f64::from(found.item()) - exact(&theta)).abs() <= 1e-6 * exact(&theta), "seed {seed}");
        for (i, found) in gradient.iter().enumerate() {
            let moved = |step: f64| {
                let mut theta = theta.clone();
                theta[i] += step;
                exact(&theta)
            };
            let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((f64::from(found) - expected).abs() < 2e-6, "seed {seed}, {i}: {found}, not {expected}");
        }
    }
}

/// Rows 34, 35, 52, 60 to 65, 67 and 68: 64 random models of each kind pass the gradient check, by their parameters and their input.
#[test]
fn models_pass_the_gradient_check_64_times() {
    macro_rules! check {
        ($rng:ident, $name:literal, $model:expr, $x:expr, $forward:expr) => {
            for seed in 0..64 {
                let $rng = &mut Rng::seed(seed);
                let (model, input) = ($model, Param::new($x));
                let mut params = model.params();
                params.push(("input".to_owned(), &input));
                let report = GradCheck::default().params(&params, &Tape::training(seed), |tape| {
                    let y: Var<'_> = $forward(&model, tape.param(&input));
                    let weights = Tensor::randn(y.shape(), &mut Rng::seed(seed + 100));
                    (y * tape.constant(weights)).sum()
                });
                assert!(report.passed(), "{} with seed {seed}\n{report}", $name);
            }
        };
    }
    macro_rules! layer {
        ($rng:ident, $name:literal, $model:expr, $x:expr) => {
            check!($rng, $name, $model, $x, Layer::forward);
        };
    }
    layer!(rng, "batch_norm1d", BatchNorm1d::new(3), Tensor::randn([4 + rng.below(4), 3], rng));
    layer!(rng, "batch_norm2d", BatchNorm2d::new(2), Tensor::randn([4, 2, 3, 2], rng));
    layer!(rng, "prelu", PRelu::new([1, 3][rng.below(2)]), Tensor::randn([4, 3], rng));
    // In training: the tape draws the same slopes each time.
    layer!(rng, "rrelu", RRelu::new(0.125, 0.333), Tensor::randn([4, 3], rng));
    layer!(
        rng,
        "residual",
        Residual::new(Sequential::new().push(Linear::new(4, 4, rng)).push(Sigmoid)),
        Tensor::randn([3, 4], rng)
    );
    layer!(rng, "rnn", Rnn::new(2, 3, rng), Tensor::randn([2, 3, 2], rng));
    layer!(rng, "lstm", Lstm::new(2, 3, rng), Tensor::randn([2, 3, 2], rng));
    layer!(rng, "gru", Gru::new(2, 3, rng), Tensor::randn([2, 3, 2], rng));
    let both = RecurrentOptions { bidirectional: true, ..Default::default() };
    layer!(rng, "bilstm", Lstm::with_options(2, 2, both, rng), Tensor::randn([2, 3, 2], rng));
    layer!(rng, "attention", MultiheadAttention::new(4, 2, rng), Tensor::randn([2, 3, 4], rng));
    // The index 1 stands twice: its row gets the sum.
    fn embedded<'t>(model: &Embedding, x: Var<'t>) -> Var<'t> {
        (model.forward(x.place(), &Indices::from([1, 4, 1, 0])) * x).tanh()
    }
    check!(rng, "embedding", Embedding::new(5, 3, rng), Tensor::randn([4, 3], rng), embedded);
    fn told_apart<'t>(model: &Embedding, x: Var<'t>) -> Var<'t> {
        let table = x.place().param(&model.weight);
        x.negative_sampling_loss(&table, &Indices::from([1, 4]), &Indices::new([0, 2, 2, 3], [2, 2]))
    }
    check!(rng, "negative sampling", Embedding::new(5, 3, rng), Tensor::randn([2, 3], rng), told_apart);
}

/// Row 66: a sequence in two pieces with the state carried over gives what it gives whole; the gradient of the second piece is
/// that of differences with the state held fixed, and none of it reaches the first, unless the state is carried as variables.
#[test]
fn row_66_sequences_in_pieces_64_times() {
    macro_rules! pieces {
        ($layer:ident) => {
            for seed in 0..64 {
                let rng = &mut Rng::seed(seed);
                let steps = 2 + rng.below(4);
                let (cut, layer) = (1 + rng.below(steps - 1), $layer::new(2, 3, rng));
                let x = Tensor::randn([2, steps, 2], rng);
                let [before, after] = [x.slice(1, ..cut), x.slice(1, cut..)];
                let (_, state) = layer.forward_from(before.clone(), None);
                let (y, _) = layer.forward_from(after.clone(), Some(&state));
                let off = (y - layer.forward(x).slice(1, cut..)).abs().max().item();
                assert!(off < 1e-6, "seed {seed}: {off}");

                let input = Param::new(after.clone());
                let mut params = layer.params();
                params.push(("input".to_owned(), &input));
                let report = GradCheck::default().params(&params, &Tape::training(seed), |tape| {
                    layer.forward_from(tape.param(&input), Some(&state.on(tape.place()))).0.square().sum()
                });
                assert!(report.passed(), "seed {seed}\n{report}");

                let tape = Tape::new();
                let first = tape.var(before);
                let (_, state) = layer.forward_from(first, None);
                let reaches = |state: &RecurrentState<Var<'_>>| {
                    let (y, _) = layer.forward_from(tape.var(&after), Some(state));
                    y.square().sum().backward().get(first).is_some()
                };
                assert!(reaches(&state) && !reaches(&state.detach().on(tape.place())), "seed {seed}");
            }
        };
    }
    pieces!(Rnn);
    pieces!(Lstm);
    pieces!(Gru);
}
