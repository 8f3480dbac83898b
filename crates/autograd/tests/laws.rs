//! Every operation of the list obeys the laws.

use gradus_autograd::{check, op::prelude::*, ops, ops::methods::*};
use proptest::{prelude::*, test_runner::RngSeed};

fn config() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 64;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

proptest! {
    // The same samples in every run: a change that breaks a law is seen when it is made, and nobody else is blamed.
    // More of them: PROPTEST_CASES=1000; others: PROPTEST_RNG_SEED=1.
    #![proptest_config(config())]

    // The size shrinks on failure, so the case that is reported is the smallest one of its kind.
    #[test]
    fn every_operation_obeys_the_laws(size in 0..=5usize, seed in any::<u64>()) {
        for spec in ops::ALL {
            if let Err(violation) = check::laws(spec, seed, size) {
                prop_assert!(false, "{violation}");
            }
        }
    }
}

/// The rows in reverse; `RIGHT` says whether the batched form leaves the batch as it is.
#[derive(Clone, Copy, Debug)]
struct Upturned<const RIGHT: bool>;

impl<const RIGHT: bool> Op for Upturned<RIGHT> {
    const NAME: &'static str = "upturned";
    const PRECISION: Precision = Precision::Ulps(0.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        Ok(Shape::new(x).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].flip(if RIGHT { -2 } else { 0 }).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let g = cx.cotangent();
        cx.add(0, || g.flip(-2));
    }

    fn batched(&self, batch: &Batch<'_>) -> Option<InBatch> {
        batch.with(Self)
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let rows = inputs[0].shape()[0];
        let upturned = |index: &[usize]| inputs[0].at(&[rows - 1 - index[0], index[1]]);
        vec![Array::from_fn(inputs[0].shape(), upturned)]
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        vec![Sample::new(Self, [g.normal([3, 2])])]
    }
}

#[test]
fn a_batched_form_that_turns_the_batch_is_found() {
    check::laws(&Spec::of::<Upturned<true>>(), 1, 3).unwrap();
    let violation = check::laws(&Spec::of::<Upturned<false>>(), 1, 3).unwrap_err();
    assert_eq!(violation.law, "the batched form gives what each of the batch gives by itself", "{violation}");
}
