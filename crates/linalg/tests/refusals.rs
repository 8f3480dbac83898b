//! Matrices that do not fit an operation are refused at the caller's line, in words.

use gradus_autograd::prelude::*;
use gradus_linalg::LinearAlgebra;

use crate::{messages::Messages, panics::panic_of};

#[test]
fn matrices_that_do_not_fit_are_named() {
    let mut said = Messages::of("linalg", module_path!(), "matrices_that_do_not_fit_are_named");
    let mut says = |f: &dyn Fn()| {
        let (text, file, at) = panic_of(f);
        assert!(file.ends_with("refusals.rs"), "{text}: points to {file}:{at}");
        said.add(text);
    };
    let (vector, wide, square) = (Tensor::ones([3]), Tensor::ones([2, 3]), Tensor::eye(3));
    says(&|| drop(vector.det()));
    says(&|| drop(wide.inverse()));
    says(&|| drop(wide.cholesky()));
    says(&|| drop(wide.qr()));
    says(&|| drop(wide.svd()));
    says(&|| drop(square.solve(&vector)));
    says(&|| drop(square.solve(&wide)));
    says(&|| drop(square.triangular_solve(&wide, true)));
    says(&|| drop(wide.t().lstsq(&wide)));
    says(&|| drop(wide.matrix_exp()));
    said.check();
}
