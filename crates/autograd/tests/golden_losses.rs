//! Losses against those of PyTorch in double precision, which `golden/losses.py` writes, with all their options; and their
//! gradients against differences, over random shapes and options.

use gradus_autograd::{
    check::{GradCheck, Verdict},
    ops::loss::{
        CrossEntropyOptions, GaussianNllOptions, KlDivOptions, MultiMarginOptions, NllOptions,
        PoissonNllOptions, Reduction, TripletMarginOptions,
    },
    prelude::{Rng, *},
};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// What distinguishes the uses of a loss.
#[derive(Clone, Debug, Default)]
struct Options {
    reduction: Reduction,
    /// The number that the loss takes: delta, beta, margin or λ.
    number: f32,
    smoothing: f32,
    /// The label that counts for nothing.
    ignore: Option<i32>,
    labels: Vec<Indices>,
    class_weights: Option<Tensor>,
    /// 0 or 1 for each logit of the multi-label cost.
    targets: Option<Tensor>,
    kl_div: KlDivOptions,
    poisson: PoissonNllOptions,
    gaussian: GaussianNllOptions,
    triplet: TripletMarginOptions,
    /// The power of the margins of classes.
    p: u32,
}

fn loss<V: Value>(name: &str, x: &[V], o: &Options) -> V {
    let reduction = o.reduction;
    match name {
        "mse_loss" => x[0].mse_loss_with(&x[1], reduction),
        "l1_loss" => x[0].l1_loss_with(&x[1], reduction),
        "huber_loss" => x[0].huber_loss_with(&x[1], o.number, reduction),
        "smooth_l1_loss" => x[0].smooth_l1_loss_with(&x[1], o.number, reduction),
        "binary_cross_entropy" => x[0].binary_cross_entropy_with(&x[1], reduction),
        "binary_cross_entropy_with_logits" => x[0].binary_cross_entropy_with_logits_with(&x[1], reduction),
        "weighted_binary_cross_entropy_with_logits" => {
            x[0].weighted_binary_cross_entropy_with_logits_with(&x[1], &x[2], reduction)
        }
        "kl_div" => x[0].kl_div_with(&x[1], KlDivOptions { reduction, ..o.kl_div }),
        "poisson_nll_loss" => x[0].poisson_nll_loss_with(&x[1], PoissonNllOptions { reduction, ..o.poisson }),
        "gaussian_nll_loss" => {
            x[0].gaussian_nll_loss_with(&x[1], &x[2], GaussianNllOptions { reduction, ..o.gaussian })
        }
        "soft_margin_loss" => x[0].soft_margin_loss_with(&x[1], reduction),
        "hinge_loss" => x[0].hinge_loss_with(&x[1], reduction),
        "hinge_embedding_loss" => x[0].hinge_embedding_loss_with(&x[1], o.number, reduction),
        "cross_entropy" => {
            let options = CrossEntropyOptions {
                label_smoothing: o.smoothing,
                ignore_index: o.ignore,
                class_weights: o.class_weights.clone(),
                reduction,
            };
            x[0].cross_entropy_with(&o.labels[0], options)
        }
        "nll_loss" => {
            let class_weights = o.class_weights.clone();
            x[0].nll_loss_with(&o.labels[0], NllOptions { ignore_index: o.ignore, class_weights, reduction })
        }
        "soft_cross_entropy" => {
            let options = CrossEntropyOptions {
                label_smoothing: o.smoothing,
                ignore_index: None,
                class_weights: o.class_weights.clone(),
                reduction,
            };
            x[0].soft_cross_entropy_with(&x[1], options)
        }
        "multi_margin_loss" => {
            let class_weights = o.class_weights.clone();
            let options = MultiMarginOptions { p: o.p, margin: o.number, class_weights, reduction };
            x[0].multi_margin_loss_with(&o.labels[0], options)
        }
        "multilabel_margin_loss" => x[0].multilabel_margin_loss_with(&o.labels[0], reduction),
        "margin_ranking_loss" => x[0].margin_ranking_loss_with(&x[1], &x[2], o.number, reduction),
        "triplet_margin_loss" => {
            let options = TripletMarginOptions { reduction, ..o.triplet };
            x[0].triplet_margin_loss_with(&x[1], &x[2], o.number, options)
        }
        "cosine_embedding_loss" => x[0].cosine_embedding_loss_with(&x[1], &x[2], o.number, reduction),
        "negative_sampling_loss" => {
            x[0].negative_sampling_loss_with(&x[1], &o.labels[0], &o.labels[1], reduction)
        }
        "multi_label_cost" => {
            let targets = x[0].place().constant(o.targets.as_ref().expect("targets"));
            x[0].multi_label_cost(&targets, &[&x[1], &x[2]], o.number)
        }
        "ctc_loss" => {
            let [labels, sizes, frames] = [0, 1, 2].map(|i| o.labels[i].as_slice());
            let mut rest = labels;
            let targets: Vec<&[i32]> = sizes.iter().map(|&n| rest.split_off(..n as usize).unwrap()).collect();
            let frames: Vec<usize> = frames.iter().map(|&n| n as usize).collect();
            x[0].log_softmax(2).ctc_loss_with(&targets, &frames, o.number as i32, reduction)
        }
        _ => panic!("no loss {name:?}"),
    }
}

/// `[2,3] 1.5 ..`
fn numbers(text: &str) -> (Vec<usize>, Vec<f64>) {
    let (shape, values) = text.strip_prefix('[').unwrap().split_once(']').unwrap();
    let sizes = shape.split(',').filter(|size| !size.is_empty());
    (
        sizes.map(|size| size.parse().unwrap()).collect(),
        values.split_whitespace().map(|x| x.parse().unwrap()).collect(),
    )
}

fn tensor(text: &str) -> Tensor {
    let (shape, values) = numbers(text);
    Tensor::new(values.iter().map(|&x| x as f32).collect::<Vec<_>>(), shape)
}

/// Refuses what is further off than some roundings of numbers as large as the largest.
fn check(found: &Tensor, expected: &str, what: &str) {
    const ROUNDINGS: f64 = 16.0;
    let (shape, expected) = numbers(expected);
    assert_eq!(found.shape()[..], shape[..], "{what}");
    let largest = expected.iter().fold(1.0f64, |m, x| m.max(x.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        let off = (f64::from(found) - expected).abs();
        assert!(
            off <= ROUNDINGS * largest * f64::from(f32::EPSILON) / 2.0,
            "{what}: {found} is not {expected}"
        );
    }
}

#[test]
fn losses_and_gradients_are_those_of_pytorch() {
    for case in include_str!("golden/losses.txt").split("case ").skip(1) {
        let (head, lines) = case.split_once('\n').unwrap();
        let name = head.split(' ').next().unwrap();
        let option = |key: &str| {
            head.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('=')).map(String::from)
        };
        let all = |kind: &str| -> Vec<&str> {
            lines.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' ')).collect()
        };
        let number_or =
            |key: &str, usual: f32| option(key).map_or(usual, |text| text.parse::<f32>().unwrap());
        let number = |key: &str| number_or(key, 0.0);
        let is = |key: &str| number(key) == 1.0;
        let mut options = Options {
            reduction: match option("reduction").as_deref() {
                Some("sum") => Reduction::Sum,
                Some("none") => Reduction::None,
                _ => Reduction::Mean,
            },
            number: number_or("option", number("margin")),
            smoothing: number("smoothing"),
            ignore: is("ignore").then_some(-1),
            kl_div: KlDivOptions { log_target: is("log_target"), ..Default::default() },
            poisson: PoissonNllOptions {
                log_input: number_or("log_input", 1.0) == 1.0,
                full: is("full"),
                eps: number_or("eps", 1e-8),
                ..Default::default()
            },
            gaussian: GaussianNllOptions {
                full: is("full"),
                eps: number_or("eps", 1e-6),
                ..Default::default()
            },
            triplet: TripletMarginOptions {
                p: number_or("p", 2.0),
                eps: number_or("eps", 1e-6),
                swap: is("swap"),
                ..Default::default()
            },
            p: number("p") as u32,
            ..Options::default()
        };
        let labels: Vec<Tensor> = all("labels").into_iter().map(tensor).collect();
        let classes = |x: &Tensor| Indices::new(x.iter().map(|x| x as i32).collect::<Vec<_>>(), x.shape());
        match name {
            "cross_entropy" | "nll_loss" | "multi_margin_loss" => {
                options.labels = vec![classes(&labels[0])];
                options.class_weights = Some(labels[1].clone());
            }
            "soft_cross_entropy" => options.class_weights = labels.first().cloned(),
            "multi_label_cost" => options.targets = Some(labels[0].clone()),
            _ => options.labels = labels.iter().map(classes).collect(),
        }
        let tape = Tape::new();
        let inputs: Vec<Var<'_>> = all("in").into_iter().map(|x| tape.var(tensor(x))).collect();
        let y = loss(name, &inputs, &options);
        check(&y.value(), all("out")[0], head);
        let gradients = y.backward_from(tensor(all("cotangent")[0]));
        for (i, (&x, expected)) in inputs.iter().zip(all("gradient")).enumerate() {
            let zeros = || Tensor::zeros(x.shape());
            let what = format!("{head}: gradient of input {i}");
            check(&gradients.get(x).cloned().unwrap_or_else(zeros), expected, &what);
        }
    }
}

/// Every loss of the library is compared in four configurations at least.
#[test]
fn no_loss_lacks_cases() {
    let sources = [
        include_str!("../src/ops/loss/element.rs"),
        include_str!("../src/ops/loss/class.rs"),
        include_str!("../src/ops/loss/ranking.rs"),
        include_str!("../src/ops/loss/sequence.rs"),
    ];
    // Each is declared with a form that takes a reduction: `name_with(`, behind a blank.
    let lines =
        sources.iter().flat_map(|text| text.lines()).filter(|line| !line.trim_start().starts_with("//"));
    let declared = |line: &'static str| {
        line.split([' ', '('])
            .filter_map(|word| word.strip_suffix("_with"))
            .filter(|name| !name.contains('.'))
    };
    let losses: BTreeSet<&str> = lines.flat_map(declared).chain(["multi_label_cost"]).collect();
    assert!(losses.len() >= 22, "{losses:?}");
    let cases: Vec<&str> =
        include_str!("golden/losses.txt").lines().filter_map(|line| line.strip_prefix("case ")).collect();
    let count = |name: &str| cases.iter().filter(|case| case.split(' ').next() == Some(name)).count();
    let lacking: Vec<&str> = losses.into_iter().filter(|name| count(name) < 4).collect();
    assert!(lacking.is_empty(), "fewer than 4 cases: {lacking:?}");
}

/// The gradient check by all inputs, to second order.
fn gradcheck(name: &str, inputs: &[Tensor], options: &Options) -> Result<(), TestCaseError> {
    let check = GradCheck { order: 2, ..GradCheck::default() };
    let at = |inputs: &[Tensor]| check.function(|x| loss(name, x, options), inputs);
    let mut report = at(inputs);
    // Roundings that happen to agree look like a fault in one of some ten thousand right gradients, and not at the next point.
    if report.rows.iter().any(|row| row.verdict == Verdict::Inconclusive) {
        let mut inputs = inputs.to_vec();
        inputs[0] = &inputs[0] * 1.01;
        report = at(&inputs);
    }
    for row in &report.rows {
        // A margin that all keep to leaves no gradient.
        let fine = row.verdict.is_fine() || row.verdict == Verdict::NoGradient;
        prop_assert!(fine, "{name} of {inputs:?} with {options:?}\n{report}");
    }
    prop_assert!(report.broken.is_empty(), "{name} of {inputs:?} with {options:?}\n{report}");
    Ok(())
}

fn reduction() -> impl Strategy<Value = Reduction> {
    prop::sample::select(vec![Reduction::Mean, Reduction::Sum, Reduction::None])
}

fn shape() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..4usize, 0..4)
}

/// Random inputs for the properties.
struct Draw(Rng);

impl Draw {
    fn normal(&mut self, shape: &[usize]) -> Tensor {
        Tensor::randn(shape, &mut self.0)
    }

    fn between(&mut self, shape: &[usize], low: f32, high: f32) -> Tensor {
        Tensor::uniform(shape, low, high, &mut self.0)
    }

    fn signs(&mut self, shape: &[usize]) -> Tensor {
        self.normal(shape).map(|x| if x < 0.0 { -1.0 } else { 1.0 })
    }

    fn classes(&mut self, shape: &[usize], classes: usize) -> Vec<i32> {
        (0..shape.iter().product()).map(|_| self.0.below(classes) as i32).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn gradients_of_element_losses(shape in shape(), reduction in reduction(), number in 0.1..2.0f32, seed: u64) {
        let mut draw = Draw(Rng::seed(seed));
        let options = Options { reduction, number, ..Options::default() };
        let (x, t) = (draw.normal(&shape), draw.normal(&shape));
        for name in ["mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss"] {
            gradcheck(name, &[x.clone(), t.clone()], &options)?;
        }
        let (p, t) = (draw.between(&shape, 0.1, 0.9), draw.between(&shape, 0.1, 0.9));
        gradcheck("binary_cross_entropy", &[p.clone(), t.clone()], &options)?;
        gradcheck("binary_cross_entropy_with_logits", &[x.clone(), t.clone()], &options)?;
        let weights = draw.between(&shape, 0.5, 2.0);
        gradcheck("weighted_binary_cross_entropy_with_logits", &[x.clone(), t.clone(), weights], &options)?;
        gradcheck("gaussian_nll_loss", &[x.clone(), t.clone(), draw.between(&shape, 0.25, 2.0)], &options)?;
        gradcheck("poisson_nll_loss", &[x.clone(), draw.between(&shape, 0.0, 4.0)], &options)?;
        gradcheck("kl_div", &[p.log(), t.clone()], &options)?;
        let kl_div = KlDivOptions { log_target: true, ..Default::default() };
        gradcheck("kl_div", &[p.log(), t.log()], &Options { kl_div, ..options.clone() })?;
        for log_input in [false, true] {
            let poisson = PoissonNllOptions { log_input, full: true, eps: number, ..Default::default() };
            let mean = if log_input { x.clone() } else { draw.between(&shape, 0.1, 4.0) };
            let counts = draw.between(&shape, 0.1, 4.0);
            gradcheck("poisson_nll_loss", &[mean, counts], &Options { poisson, ..options.clone() })?;
        }
        let gaussian = GaussianNllOptions { full: true, eps: number, ..Default::default() };
        let variance = draw.between(&shape, 0.25, 2.0);
        gradcheck("gaussian_nll_loss", &[x.clone(), t, variance], &Options { gaussian, ..options.clone() })?;
        let signs = draw.signs(&shape);
        for name in ["hinge_loss", "hinge_embedding_loss", "soft_margin_loss"] {
            gradcheck(name, &[x.clone(), signs.clone()], &options)?;
        }
    }

    #[test]
    fn gradients_of_class_losses(
        (n, classes, inner) in (1..4usize, 1..5usize, prop::collection::vec(1..3usize, 0..2)),
        (reduction, smoothing) in (reduction(), prop::sample::select(vec![0.0, 0.1, 1.0])),
        (ignores, weighted) in (any::<bool>(), any::<bool>()),
        (p, number, seed) in (1..3u32, 0.1..2.0f32, any::<u64>()),
    ) {
        let mut draw = Draw(Rng::seed(seed));
        let rows = [&[n], &inner[..]].concat();
        let mut labels = draw.classes(&rows, classes);
        if ignores {
            labels.iter_mut().skip(1).step_by(2).for_each(|label| *label = -1);
        }
        let options = Options {
            reduction,
            smoothing,
            ignore: ignores.then_some(-1),
            labels: vec![Indices::new(labels, &rows)],
            class_weights: weighted.then(|| draw.between(&[classes], 0.5, 2.0)),
            p,
            number,
            ..Options::default()
        };
        let shape = [&[n, classes], &inner[..]].concat();
        let x = draw.normal(&shape);
        gradcheck("cross_entropy", std::slice::from_ref(&x), &options)?;
        gradcheck("nll_loss", std::slice::from_ref(&x), &options)?;
        gradcheck("soft_cross_entropy", &[x, draw.between(&shape, 0.1, 1.0)], &options)?;
        let labels = vec![Indices::new(draw.classes(&[n], classes), [n])];
        let scores = draw.normal(&[n, classes]);
        gradcheck("multi_margin_loss", std::slice::from_ref(&scores), &Options { labels, ..options.clone() })?;
        let mut labels = draw.classes(&[n, 2], classes);
        labels.iter_mut().skip(1).step_by(3).for_each(|label| *label = -1);
        let labels = vec![Indices::new(labels, [n, 2])];
        gradcheck("multilabel_margin_loss", &[scores], &Options { labels, ..options })?;
    }

    #[test]
    fn gradients_of_ranking_losses(
        (n, d, words, negatives) in (1..4usize, 2..5usize, 1..5usize, 1..4usize),
        (reduction, number) in (reduction(), 0.1..0.9f32),
        (p, swap) in (prop::sample::select(vec![1.0, 1.5, 2.0, 3.0, f32::INFINITY]), any::<bool>()),
        seed: u64,
    ) {
        let mut draw = Draw(Rng::seed(seed));
        let [positive, negative] = [vec![n], vec![n, negatives]]
            .map(|shape| Indices::new(draw.classes(&shape, words), shape));
        let labels = vec![positive, negative];
        let triplet = TripletMarginOptions { p, swap, ..Default::default() };
        let options = Options { reduction, number, labels, triplet, ..Options::default() };
        let [a, b, q] = [0; 3].map(|_| draw.normal(&[n, d]));
        gradcheck("triplet_margin_loss", &[a.clone(), b.clone(), q], &options)?;
        gradcheck("margin_ranking_loss", &[a.clone(), b.clone(), draw.signs(&[n, d])], &options)?;
        gradcheck("cosine_embedding_loss", &[a.clone(), b, draw.signs(&[n])], &options)?;
        gradcheck("negative_sampling_loss", &[a, draw.normal(&[words, d])], &options)?;
    }

    #[test]
    fn gradients_of_the_multi_label_cost(
        (m, labels, lambda) in (1..5usize, 1..4usize, 0.0..3.0f32),
        weights in shape(),
        seed: u64,
    ) {
        let mut draw = Draw(Rng::seed(seed));
        let targets = draw.signs(&[m, labels]).map(|x| x.max(0.0));
        let options = Options { number: lambda, targets: Some(targets), ..Options::default() };
        let inputs = [draw.normal(&[m, labels]), draw.normal(&weights), draw.normal(&[2, 3])];
        gradcheck("multi_label_cost", &inputs, &options)?;
    }

    // Differences of the sum over all paths: the loss itself has numbers in it, for what is impossible, that leave a check
    // of its replay without certainty.
    #[test]
    fn gradients_of_the_loss_of_sequences(
        lengths in prop::collection::vec((0..3usize, 0..2usize), 1..3),
        (classes, sum, seed) in (2..4usize, any::<bool>(), any::<u64>()),
    ) {
        let mut draw = Draw(Rng::seed(seed));
        // Steps enough for a blank between any two labels. The last class is the blank.
        let frames: Vec<usize> = lengths.iter().map(|&(labels, more)| 2 * labels + more.max(1)).collect();
        let labels: Vec<Vec<i32>> =
            lengths.iter().map(|&(labels, _)| draw.classes(&[labels], classes - 1)).collect();
        let (steps, n) = (frames.iter().copied().max().unwrap(), labels.len());
        let x = draw.normal(&[steps, n, classes]);
        let exact = |x: &[f64]| -> f64 {
            let losses = (0..n).map(|k| {
                let rows = x.chunks(n * classes).take(frames[k]).map(|step| &step[k * classes..][..classes]);
                let loss = all_paths(&rows.collect::<Vec<_>>(), &labels[k]);
                if sum { loss } else { loss / (n * labels[k].len().max(1)) as f64 }
            });
            losses.sum()
        };

        let targets: Vec<&[i32]> = labels.iter().map(|labels| &labels[..]).collect();
        let tape = Tape::new();
        let var = tape.var(&x);
        let reduction = if sum { Reduction::Sum } else { Reduction::Mean };
        let y = var.log_softmax(2).ctc_loss_with(&targets, &frames, classes as i32 - 1, reduction);
        let gradient = y.backward()[var].to_vec();
        let at = x.iter().map(f64::from).collect::<Vec<_>>();
        prop_assert!((f64::from(y.item()) - exact(&at)).abs() <= 1e-5 * exact(&at).abs().max(1.0));
        for (i, found) in gradient.into_iter().enumerate() {
            let moved = |step: f64| {
                let mut x = at.clone();
                x[i] += step;
                exact(&x)
            };
            let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            prop_assert!((f64::from(found) - expected).abs() < 1e-5, "{i}: {found} is not {expected}");
        }
    }
}

/// The loss of one sequence: over every path through its steps that says these labels. The last class is the blank.
fn all_paths(logits: &[&[f64]], labels: &[i32]) -> f64 {
    let (steps, classes) = (logits.len(), logits[0].len());
    let sums: Vec<f64> = logits.iter().map(|row| row.iter().map(|x| x.exp()).sum::<f64>()).collect();
    let mut probability = 0.0;
    for code in 0..classes.pow(steps as u32) {
        let path: Vec<usize> = (0..steps).map(|t| code / classes.pow(t as u32) % classes).collect();
        let is_said = |&t: &usize| path[t] != classes - 1 && (t == 0 || path[t] != path[t - 1]);
        if (0..steps).filter(is_said).map(|t| path[t] as i32).eq(labels.iter().copied()) {
            probability += (0..steps).map(|t| logits[t][path[t]].exp() / sums[t]).product::<f64>();
        }
    }
    -probability.ln()
}
