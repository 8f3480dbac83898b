//! Rules that are wrong where random samples never come: the stress of `check_op` finds them.

use gradus_autograd::{
    check::{Report, check_op},
    op::prelude::*,
    prelude::*,
};

/// `x²`, with a rule that is wrong in special circumstances.
#[derive(Clone, Debug)]
struct Special<const FAULT: u8>;

const RIGHT: u8 = 0;
const AT_ZERO: u8 = 1;
const AT_WHOLE_NUMBERS: u8 = 2;
const AT_EQUAL_ONES: u8 = 3;
const AT_HUGE_ONES: u8 = 4;
const AT_TINY_ONES: u8 = 5;
const OF_MANY: u8 = 6;
const OF_SIX_AXES: u8 = 7;

impl<const FAULT: u8> Special<FAULT> {
    /// What an element's gradient is multiplied with.
    fn factor(x: &Tensor) -> Tensor {
        let values = x.to_vec();
        let is_one_of_two = |x: f32| values.iter().filter(|&&other| other == x).count() > 1;
        x.map(|x| match FAULT {
            AT_ZERO if x == 0.0 => f32::NAN, // as of a rule that divides by x
            AT_WHOLE_NUMBERS if x == x.round() && x != 0.0 => 2.0,
            AT_EQUAL_ONES if x != 0.0 && x != x.round() && is_one_of_two(x) => 0.5,
            AT_HUGE_ONES if x.abs() > 100.0 => 0.5,
            AT_TINY_ONES if x.abs() < 3e-5 => 0.0,
            _ => 1.0,
        })
    }
}

impl<const FAULT: u8> Pointwise for Special<FAULT> {
    const NAME: &'static str = "special";
    const EXAMPLES: &'static [Self] = &[Special];

    fn forward(&self, x: &[&Tensor]) -> Tensor {
        x[0].square()
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
        let factor = Special::<FAULT>::factor(&cx.inputs::<1>()[0].to_tensor());
        cx.send(|[x], _, g| [g * (x * 2.0) * x.place().constant(factor)]);
    }

    fn backward_fused(&self, cx: &mut Backward<'_, Tensor>) {
        let x = cx.inputs::<1>()[0];
        let is_forgotten = |i: usize| match FAULT {
            OF_MANY => x.numel() > 40_000 && i + 7 >= x.numel(),
            OF_SIX_AXES => x.rank() == 6 && i == 1,
            _ => false,
        };
        let kept: Vec<f32> = (0..x.numel()).map(|i| !is_forgotten(i) as u8 as f32).collect();
        let factor = Special::<FAULT>::factor(x) * Tensor::new(kept, x.shape());
        cx.send(|[x], _, g| [g * (x * 2.0) * factor]);
    }

    fn reference(&self, x: &[f64], _: &mut Branches<'_>) -> f64 {
        x[0] * x[0]
    }

    /// Several, for the more elements there are the likelier a tiny one is among them.
    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (one, other) = (g.positive_shape(), g.positive_shape());
        vec![Sample::new(Self, [g.normal(&one)]), Sample::new(Self, [g.normal(&other)])]
    }
}

fn check<const FAULT: u8>() -> Report {
    check_op(&Spec::of::<Special<FAULT>>())
}

#[test]
fn stress_finds_what_is_wrong_where_samples_never_come() {
    let report = check::<RIGHT>();
    assert!(report.passed(), "{report}");
    for (report, said) in [
        (check::<AT_ZERO>(), "of 0 and -0"),
        (check::<AT_WHOLE_NUMBERS>(), "of whole numbers"),
        (check::<AT_EQUAL_ONES>(), "of equal ones"),
        (check::<AT_HUGE_ONES>(), "of huge ones"),
        (check::<AT_TINY_ONES>(), "of tiny ones"),
        (check::<OF_MANY>(), "of many elements"),
        (check::<OF_SIX_AXES>(), "of many elements"),
    ] {
        assert!(report.broken.iter().any(|s| s.contains(said)), "{said}: {report}");
    }
}

/// The largest of a row, with the whole gradient to each of several that are: no two are equal in a random sample.
#[derive(Clone, Debug)]
struct Largest;

impl Op for Largest {
    const NAME: &'static str = "largest";
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        Ok(Shape::new(&inputs[0][..1]).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].max_axes(1, false).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        cx.send(|[x], y, g| [g.unsqueeze(1) * x.equals(&y.unsqueeze(1))]);
    }

    fn reference(&self, x: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        let largest = |row: &[f64]| {
            let at = (0..row.len()).reduce(|a, b| if row[b] > row[a] { b } else { a });
            row[branches.choose(at.unwrap_or(0) as u32) as usize]
        };
        let rows = x[0].data().chunks(x[0].shape()[1]);
        vec![Array::new(rows.map(largest).collect(), &x[0].shape()[..1])]
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        vec![Sample::new(Largest, [g.normal([3, 4])])]
    }
}

#[test]
fn stress_finds_ties() {
    let report = check_op(&Spec::of::<Largest>());
    // Zeros are equal ones too.
    assert!(report.broken.iter().any(|s| s.contains("what holds of ordinary values")), "{report}");
}
