//! Every operation obeys the laws of gradus's checker, to second order.

use gradus_autograd::{assert_gradcheck, check};
use gradus_linalg::ALL;

#[test]
fn every_operation_obeys_the_laws() {
    for spec in ALL {
        for seed in 0..24 {
            if let Err(violation) = check::laws(spec, seed, seed as usize % 6) {
                panic!("seed {seed}: {violation}");
            }
        }
    }
}

#[test]
fn every_operation_passes_its_check() {
    // The check also tries equal elements and zeros, where singular and eigenvectors are not unique: no two programs agree.
    for spec in ALL.iter().filter(|spec| !["svd", "eigh"].contains(&spec.name)) {
        assert_gradcheck!(check::check_op(spec));
    }
}
