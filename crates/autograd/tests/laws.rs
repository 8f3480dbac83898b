//! Every operation of the list obeys the laws.

use gradus_autograd::{check, ops};
use proptest::{prelude::*, test_runner::RngSeed};

fn config() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 48;
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
