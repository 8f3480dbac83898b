//! Wrong gradients that are hard to see are found.

use crate::numbers::normal;
use gradus_autograd::{
    check::{GradCheck, Verdict, check_op, gradcheck},
    op::{
        examples::{ErrorCase, Gen, Sample},
        prelude::*,
    },
    prelude::*,
};
use gradus_tensor::{Shape, ShapeError};

/// A number that was taken out of the recording and put back is a constant there, to the rules and to differences alike.
#[test]
fn a_number_taken_out_of_the_recording_is_found() {
    let x = [normal(1, [5])];
    let line = line!() + 1;
    let report = gradcheck(|v| v[0] * v[0].square().sum().sqrt().item(), &x);
    let said = report.broken.join("\n");
    assert!(said.contains(&format!("{}:{line} changes with the inputs", file!())), "{report}");
    // A layer that scales by the mean of what it sees.
    let line = line!() + 4;
    let report = gradcheck(
        |v| {
            let h = v[0].matmul(&v[1]).tanh();
            h / v[0].place().constant(h.to_tensor().abs().mean())
        },
        &[normal(2, [3, 4]), normal(3, [4, 2])],
    );
    assert!(report.broken.iter().any(|s| s.contains(&format!(":{line} changes"))), "{report}");
    // In the parameters of a model, too.
    let w = Param::new(normal(4, [4]));
    let report = GradCheck::default().params(&[("w".into(), &w)], &Tape::new(), |tape| {
        let w = tape.param(&w);
        (w * w.abs().max().item()).sum()
    });
    assert!(report.broken.len() == 1, "{report}");
}

#[test]
fn numbers_that_do_not_matter_are_no_fault() {
    let x = [normal(1, [5])];
    // The largest is subtracted, which changes nothing; and what jumps has no derivative.
    let report = gradcheck(
        |v| {
            let e = (v[0] - v[0].max().item()).exp();
            e / e.sum()
        },
        &x,
    );
    assert!(report.passed(), "{report}");
    let report = gradcheck(|v| v[0] * v[0].place().constant(v[0].to_tensor().is_positive()), &x);
    assert!(report.passed(), "{report}");
    // What is detached is meant.
    let line = line!() + 1;
    let report = gradcheck(|v| v[0] * v[0].square().sum().detach(), &x);
    assert!(report.passed() && report.notes.len() == 1, "{report}");
    assert!(report.notes[0].contains(&format!("{}:{line} depends on the inputs", file!())), "{report}");
}

/// `y = x²`, each element of whose gradient is multiplied by a number of its own.
#[derive(Clone, Debug)]
struct Bent(Vec<(usize, f32)>, f32);

impl Bent {
    fn factors<V: Value>(&self, x: &V) -> V {
        let mut factors = Tensor::full(x.shape(), self.1);
        self.0.iter().for_each(|&(i, factor)| factors.as_mut_slice()[i] = factor);
        x.place().constant(factors)
    }
}

impl Pointwise for Bent {
    const NAME: &'static str = "bent";
    const EXAMPLES: &'static [Self] = &[];

    fn forward(&self, x: &[&Tensor]) -> Tensor {
        x[0].square()
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
        let factors = self.factors(cx.input_list()[0]);
        cx.send(|[x], _, g| [g * (x * 2.0) * factors]);
    }

    fn reference(&self, x: &[f64], _: &mut Branches<'_>) -> f64 {
        x[0] * x[0]
    }
}

#[track_caller]
fn assert_wrong_at(bent: Bent, x: &Tensor, at: &[usize], seed: u64) {
    let check = GradCheck { seed, ..GradCheck::default() };
    let report = check.function(|v| Var::apply(bent.clone(), &[&v[0]]).sum(), std::slice::from_ref(x));
    assert_eq!(report.rows[0].verdict, Verdict::WrongFormula, "{report}");
    assert!(at.contains(&report.rows[0].worst[0]), "{report}");
}

#[test]
fn two_exchanged_or_lost_among_a_thousand() {
    for seed in 0..12 {
        let x = Tensor::randn([1000], &mut Rng::seed(seed));
        let (i, j) = (137 + 7 * seed as usize, 801 - 5 * seed as usize);
        let (a, b) = (x.get([i]), x.get([j]));
        assert_wrong_at(Bent(vec![(i, b / a), (j, a / b)], 1.0), &x, &[i, j], seed);
    }
    // Two equal ones lost.
    for seed in 0..12 {
        let mut x = Tensor::randn([1000], &mut Rng::seed(seed));
        let (i, j) = (99 + 3 * seed as usize, 700 + seed as usize);
        x.as_mut_slice()[i] = 0.25;
        x.as_mut_slice()[j] = 0.25;
        assert_wrong_at(Bent(vec![(i, 0.0), (j, 0.0)], 1.0), &x, &[i, j], seed);
    }
}

#[test]
fn one_of_many_is_a_little_off() {
    for seed in 0..4 {
        let x = Tensor::randn([20_000], &mut Rng::seed(seed));
        let i = 4_321 + 3_000 * seed as usize;
        assert_wrong_at(Bent(vec![(i, 1.001)], 1.0), &x, &[i], seed);
    }
    let x = Tensor::randn([100_000], &mut Rng::seed(9));
    assert_wrong_at(Bent(vec![(77_777, 1.0001)], 1.0), &x, &[77_777], 9);
}

#[test]
fn a_factor_of_a_few_ten_millionths() {
    let report = gradcheck(|v| Var::apply(Bent(vec![], 1.000_000_4), &[&v[0]]).sum(), &[normal(1, [20])]);
    assert_eq!(report.rows[0].verdict, Verdict::WrongFormula, "{report}");
    assert!(report.to_string().contains("e-7 times the right one"), "{report}");
}

/// An element far below the largest gradient is lost.
#[test]
fn a_tiny_element_that_is_zeroed() {
    let scales = Tensor::from([1.0, 1e-10, 2.0]);
    let report = gradcheck(
        |v| (Var::apply(Bent(vec![(1, 0.0)], 1.0), &[&v[0]]) * v[0].place().constant(&scales)).sum(),
        &[Tensor::from([1.5, 0.7, -0.5])],
    );
    assert_eq!(report.rows[0].verdict, Verdict::WrongFormula, "{report}");
    assert_eq!(report.rows[0].worst, [1], "{report}");
}

/// `y = x³`, whose kernel is off by a thousandth.
#[derive(Clone, Debug)]
struct OffForward;

impl Pointwise for OffForward {
    const NAME: &'static str = "off_forward";
    const EXAMPLES: &'static [Self] = &[];

    fn forward(&self, x: &[&Tensor]) -> Tensor {
        x[0].map(|x| x * x * x * 1.001)
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
        cx.send(|[x], _, g| [g * (x * x * 3.0)]);
    }

    fn reference(&self, x: &[f64], _: &mut Branches<'_>) -> f64 {
        x[0].powi(3)
    }
}

#[test]
fn a_forward_that_is_not_its_reference() {
    let line = line!() + 2;
    let report = gradcheck(
        |v| Var::apply(OffForward, &[&(v[0] * 2.0)]).sin() + v[1],
        &[normal(1, [4]), normal(2, [4])],
    );
    assert_eq!(report.rows[0].verdict, Verdict::WrongForward, "{report}");
    assert_eq!(report.rows[1].verdict, Verdict::Pass, "{report}");
    let blame = report.rows[0].blame.as_ref().unwrap();
    assert_eq!((blame.op, &blame.line), ("off_forward", &format!("{}:{line}", file!())), "{report}");
    assert!((blame.found / blame.right - 1.001).abs() < 1e-6 && !report.passed(), "{report}");
}

/// `(a b, a + b)`, with a rule that is wrong in circumstances that tests seldom make.
#[derive(Clone, Debug)]
struct Fickle<const FAULT: u8>;

impl<const FAULT: u8> Op for Fickle<FAULT> {
    const NAME: &'static str = "fickle";
    const FORMULA: &'static str = "a b, a + b";
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        Ok(vec![Shape::new(inputs[0]), Shape::new(inputs[0])].into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (vec![inputs[0] * inputs[1], inputs[0] + inputs[1]].into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([a, b], product, sum) = (cx.inputs(), cx.cotangent_of(0), cx.cotangent_of(1));
        let zeros = || a.place().constant(Tensor::zeros(a.shape()));
        let factor = match FAULT {
            1 if product.is_none() || sum.is_none() => 1.1,
            2 if product.as_ref().is_some_and(|g| g.to_tensor().iter().any(|x| x.abs() > 1e6)) => 0.5,
            3 if product.as_ref().is_some_and(|g| g.to_tensor().iter().filter(|x| *x == 0.0).count() > 1) => {
                0.5
            }
            _ => 1.0,
        };
        let (product, sum) = (product.unwrap_or_else(zeros), sum.unwrap_or_else(zeros));
        cx.add(0, || (&product * b + &sum) * factor);
        cx.add(1, || product * a + sum);
    }

    fn reference(&self, x: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        vec![x[0].zip(x[1], |a, b| a * b), x[0].zip(x[1], |a, b| a + b)]
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let shape = g.positive_shape();
        vec![Sample::new(Self, [g.normal(&shape), g.normal(&shape)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        vec![]
    }
}

#[test]
fn stress_finds_rules_that_are_wrong_in_circumstances() {
    let report = check_op(&Spec::of::<Fickle<0>>());
    assert!(report.passed(), "{report}");
    for (report, said) in [
        (check_op(&Spec::of::<Fickle<1>>()), "send back alone"),
        (check_op(&Spec::of::<Fickle<2>>()), "however large it is"),
        (check_op(&Spec::of::<Fickle<3>>()), "parts of a cotangent"),
    ] {
        assert!(report.broken.iter().any(|s| s.contains(said)), "{said}: {report}");
    }
}
