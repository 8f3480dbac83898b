//! Every operation of the list obeys the laws.

use gradus_autograd::{check, ops};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

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
