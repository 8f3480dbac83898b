//! Right gradients that are hard to check pass the check, each with the verdict that it deserves.

use crate::numbers::normal;
use gradus_autograd::{
    check::{GradCheck, Report, Verdict, gradcheck},
    op::prelude::*,
    prelude::*,
};

/// The closure as one of any tape.
fn of<F: for<'t> Fn(&[Var<'t>]) -> Var<'t>>(f: F) -> F {
    f
}

#[track_caller]
fn assert_verdicts(report: Report, expected: &[Verdict]) {
    let found: Vec<Verdict> = report.rows.iter().map(|row| row.verdict).collect();
    assert!(report.passed() && found == expected, "{report}");
}

/// What is connected and truly zero is no lost gradient.
#[test]
fn true_zeros_pass() {
    use Verdict::{Pass, Zero};
    let at = |x: f32| [Tensor::from([x, x])];
    assert_verdicts(gradcheck(|v| v[0].square().sum(), &at(0.0)), &[Zero]);
    assert_verdicts(gradcheck(|v| (v[0] - 10.0).relu().sum(), &at(1.0)), &[Zero]);
    assert_verdicts(gradcheck(|v| (1.0 - v[0]).relu().sum(), &at(5.0)), &[Zero]); // a satisfied hinge
    assert_verdicts(gradcheck(|v| v[0].softmax(-1).sum(), &[normal(1, [3, 4])]), &[Zero]);
    assert_verdicts(gradcheck(|v| (v[0] - 1.0).square().sum(), &at(1.0)), &[Zero]);
    let rosenbrock = of(|v| {
        let (x, y) = (v[0].select(0, 0), v[0].select(0, 1));
        ((1.0 - x).square() + (y - x.square()).square() * 100.0).sum()
    });
    assert_verdicts(gradcheck(rosenbrock, &at(1.0)), &[Zero]);
    // A bias in front of batch and instance norm.
    let x = normal(2, [6, 3]);
    let bias = of(|v| (v[0] + v[1]).batch_norm(None, None, 1e-5)[0].tanh());
    assert_verdicts(gradcheck(bias, &[x, normal(3, [3])]), &[Pass, Zero]);
    let images = normal(4, [2, 3, 4, 4]);
    let bias = of(|v| (v[0] + v[1]).instance_norm(None, None, 1e-5).tanh());
    assert_verdicts(gradcheck(bias, &[images, normal(5, [3, 1, 1])]), &[Pass, Zero]);
    // The bias of an attention's keys moves all scores of a query alike.
    let (queries, keys) = (normal(6, [3, 4]), normal(7, [5, 4]));
    let attention = of(|v| v[0].matmul(&(v[1] + v[2]).transpose(0, 1)).softmax(-1));
    assert_verdicts(gradcheck(attention, &[queries, keys, normal(8, [4])]), &[Pass, Pass, Zero]);
    // LoRA as it begins: the second factor is zero.
    let lora = of(|v| (v[0].matmul(&v[1]).matmul(&v[2]) + v[0]).tanh());
    assert_verdicts(
        gradcheck(lora, &[normal(9, [3, 4]), normal(10, [4, 2]), Tensor::zeros([2, 4])]),
        &[Pass, Zero, Pass],
    );
}

/// The loss of a classifier that is sure: what it lacks to 1 is all of the gradient, and has all digits.
#[test]
fn a_classifier_that_is_sure() {
    for margin in [6.0, 12.5, 20.0] {
        let logits = Tensor::from([[margin, 0.3, -0.4], [-1.0, 0.2, margin]]);
        let labels = Indices::from([0, 2]);
        let at = [logits];
        let losses = [
            gradcheck(of(|v| v[0].cross_entropy(&labels)), &at),
            gradcheck(of(|v| -(v[0].log_softmax(-1).gather(1, &Indices::from([[0], [2]]))).mean()), &at),
            gradcheck(of(|v| (v[0] - margin).logsumexp_axes(1, false).mean()), &at),
        ];
        for report in losses {
            assert!(report.rows.iter().all(|row| row.verdict == Verdict::Pass), "{margin}: {report}");
        }
    }
}

/// What is not connected is none of these.
#[test]
fn a_detached_input_has_no_gradient() {
    let report = gradcheck(|v| v[0].square().sum() + v[1].detach().sum(), &[normal(1, [2]), normal(2, [2])]);
    assert_eq!(report.rows[1].verdict, Verdict::NoGradient, "{report}");
    assert!(report.to_string().contains("a lost or detached value"), "{report}");
}

#[test]
fn infinities_on_the_tape() {
    let (x, mask) = (normal(1, [3, 4]), Tensor::from_fn([3, 4], |i| (i[1] > i[0]) as u8 as f32));
    let masked =
        of(|v| v[0].masked_fill(&v[0].place().constant(&mask), f32::NEG_INFINITY).softmax(-1).square());
    assert_verdicts(gradcheck(masked, std::slice::from_ref(&x)), &[Verdict::Pass]);
    let labels = Indices::from([0, 0, 1]);
    let closed = Tensor::from_fn([3, 4], |i| if i[1] == 3 { f32::NEG_INFINITY } else { 0.0 });
    let loss = of(|v| (v[0] + v[0].place().constant(&closed)).cross_entropy(&labels));
    assert_verdicts(gradcheck(loss, &[x]), &[Verdict::Pass]);
}

/// Gradients of long recurrences end among denormal numbers.
#[test]
fn underflow_is_not_nonlinear() {
    let report = gradcheck(
        |v| {
            let mut h = v[0];
            for _ in 0..60 {
                h = (h * v[1]).tanh();
            }
            h * 1e3 + v[0] * 1e-30
        },
        &[normal(1, [7]), Tensor::from([0.23, 0.2, 0.21, 0.19, 0.25, 0.3, 0.22])],
    );
    assert!(report.broken.is_empty(), "{report}");
    assert!(report.rows.iter().all(|row| row.verdict.is_fine()), "{report}");
}

/// Functions whose differences settle on a wrong number where steps are too large.
#[test]
fn false_convergence() {
    let passes = |f: fn(Var<'_>) -> Var<'_>, x: &[f32]| {
        let report = gradcheck(|v| f(v[0]), &[Tensor::from(x)]);
        assert!(report.passed(), "{report}");
    };
    passes(|x| x.reciprocal(), &[1.0, 1e-9]);
    passes(|x| (x * 1e9).tanh(), &[1.0, 1e-10]);
    passes(|x| (-(x * 1e5).square()).exp(), &[1.0, 3e-6]);
    passes(|x| x.expm1().square(), &[0.0, 1.0]);
    let row = Tensor::from([[3e-10, -4e-10, 8e-10], [1.0, 2.0, 3.0]]);
    let report = gradcheck(|v| v[0] / v[0].square().sum_axes(1, true).sqrt(), &[row]);
    assert!(report.passed(), "{report}");
    // Chaos: nothing is known of the derivative, and nobody is called wrong.
    let logistic = of(|v| (0..40).fold(v[0], |x, _| x * (1.0 - x) * 3.99));
    let report = gradcheck(logistic, &[Tensor::from([0.3, 0.7123])]);
    let allowed = [Verdict::Pass, Verdict::Noisy, Verdict::Inconclusive];
    assert!(report.broken.is_empty() && allowed.contains(&report.rows[0].verdict), "{report}");
}

/// The determinant of a matrix of condition 1e9, by its factors.
#[test]
fn an_ill_conditioned_determinant() {
    let x = Tensor::from([[1.0, 1e-4], [1e-4, 1.1e-8]]);
    let logdet = of(|v| {
        let at = |i: isize, j: isize| v[0].select(0, i).select(0, j);
        (at(0, 0) * at(1, 1) - at(0, 1) * at(1, 0)).log()
    });
    let report = gradcheck(logdet, &[x]);
    assert!(report.rows[0].verdict.is_fine() && report.broken.is_empty(), "{report}");
}

/// Where steps leave the domain, and where the gradient is far below the loss.
#[test]
fn more_can_be_said_than_inconclusive() {
    let passes = |f: fn(Var<'_>) -> Var<'_>, x: &[f32]| {
        let report = gradcheck(|v| f(v[0]), &[Tensor::from(x)]);
        assert_verdicts(report, &[Verdict::Pass]);
    };
    passes(|x| x.sqrt(), &[1.0, 1e-10]);
    passes(|x| x.log(), &[1.0, 1e-10]);
    passes(|x| x.sum() * 1e-9 + 1.0, &[1.0, 2.0, -3.0]);
    passes(|x| x.square().sum() + 1e6, &[1.0, 2.0, -3.0]);
    passes(|x| x.square().sum() + 1e8, &[1.0, 2.0, -3.0]);
    let mut rng = Rng::seed(1);
    let weights: Vec<Tensor> = (0..12).map(|_| Tensor::randn([2, 2], &mut rng) * 0.5).collect();
    let deep = of(|v| v[1..].iter().fold(v[0], |h, w| h.matmul(w).tanh()).square().mean());
    let inputs: Vec<Tensor> = std::iter::once(normal(2, [3, 2])).chain(weights).collect();
    let report = gradcheck(deep, &inputs);
    assert!(report.passed(), "{report}");
}

/// At an optimum gradients are what rounding leaves: a note, which `strict` makes a failure.
#[test]
fn what_rounding_explains_is_a_note() {
    let mut rng = Rng::seed(3);
    let (x, w) = (Tensor::randn([50, 3], &mut rng), Tensor::randn([3, 1], &mut rng));
    let y = x.matmul(&w);
    let loss = of(|v| (v[0].place().constant(&x).matmul(&v[0]) - v[0].place().constant(&y)).square().mean());
    let near = &w * 1.000001;
    let report = gradcheck(loss, std::slice::from_ref(&near));
    assert!(report.passed() && report.rows[0].note.is_some(), "{report}");
    let report = GradCheck { strict: true, ..GradCheck::default() }.function(loss, &[near]);
    assert_eq!(report.rows[0].verdict, Verdict::PoorPrecision, "{report}");
}

/// `y = x / 10`, whose rule multiplies by the f32 nearest to a tenth.
#[derive(Clone, Debug)]
struct Tenth;

impl Pointwise for Tenth {
    const NAME: &'static str = "tenth";
    const EXAMPLES: &'static [Self] = &[Tenth];

    fn forward(&self, x: &[&Tensor]) -> Tensor {
        x[0].map(|x| x / 10.0)
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
        cx.send(|_, _, g| [g * 0.1]);
    }

    fn reference(&self, x: &[f64], _: &mut Branches<'_>) -> f64 {
        x[0] / 10.0
    }
}

#[test]
fn a_constant_of_f32_in_a_rule_agrees_to_f32() {
    let f = of(|v| Var::apply(Tenth, &[&v[0]]).sum());
    let report = gradcheck(f, &[normal(1, [4])]);
    assert!(report.passed() && report.to_string().contains("0.1 is not 0.1f32"), "{report}");
    let report = GradCheck { strict: true, ..GradCheck::default() }.function(f, &[normal(1, [4])]);
    assert_eq!(report.rows[0].verdict, Verdict::WrongFormula, "{report}");
}

/// `y = x²`, whose reference computes in f32, or to three digits.
#[derive(Clone, Debug)]
struct Rough<const DIGITS: i32>;

impl<const DIGITS: i32> Pointwise for Rough<DIGITS> {
    const NAME: &'static str = "rough";
    const EXAMPLES: &'static [Self] = &[Rough];
    const PRECISION: Precision = Precision::UlpsOfLargest(1e5);

    fn forward(&self, x: &[&Tensor]) -> Tensor {
        x[0].square()
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
        cx.send(|[x], _, g| [g * (x * 2.0)]);
    }

    fn reference(&self, x: &[f64], _: &mut Branches<'_>) -> f64 {
        match DIGITS {
            3 => (x[0] * x[0] * 1e3).round() * 1e-3,
            _ => f64::from((x[0] as f32) * (x[0] as f32)),
        }
    }
}

#[test]
fn rough_references_are_never_wrong() {
    let x = [Tensor::from([0.7, -1.3, 2.1])];
    for report in [
        gradcheck(|v| Var::apply(Rough::<7>, &[&v[0]]).sum(), &x),
        gradcheck(|v| Var::apply(Rough::<3>, &[&v[0]]).sum(), &x),
    ] {
        let allowed = [Verdict::Pass, Verdict::Noisy];
        assert!(report.broken.is_empty() && allowed.contains(&report.rows[0].verdict), "{report}");
    }
}

/// Probabilities of exactly 1 are right; what the check moves a little beside them is refused.
#[test]
fn inputs_at_the_end_of_what_a_function_takes() {
    let logits = normal(1, [2, 3]);
    let targets = Tensor::from([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
    let report = GradCheck::default().function(
        |v| {
            assert!(v[0].value().iter().all(|p| (0.0..=1.0).contains(&p)), "no probabilities");
            (v[1].log_softmax(1) * v[0]).sum()
        },
        &[targets, logits],
    );
    assert!(report.passed(), "{report}");
    assert!(report.notes.iter().any(|note| note.contains("panics a little beside")), "{report}");
}

/// Terms that f32 cannot hold add up to the other infinity, where multiplication and addition are one step; tanh makes it finite again.
#[test]
fn what_overflows_on_the_way_is_no_wrong_forward() {
    let x = [Tensor::from([[-1e30, 3e30]]), Tensor::from([[1e30], [1e30]])];
    let report = gradcheck(|v| v[0].matmul(&v[1]).tanh(), &x);
    assert!(report.rows.iter().all(|row| row.verdict != Verdict::WrongForward), "{report}");
}
