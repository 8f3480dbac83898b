//! What is said of shapes that do not fit, at the caller's line, for the list of messages.

use crate::{messages::Messages, panics::panic_of};
use gradus_autograd::prelude::*;
use gradus_linalg::{LinearAlgebra, MatrixExpDerivative};

/// What the panic in `f` says, which points to `line` of this file.
fn said_at<R>(line: u32, f: impl FnOnce() -> R) -> String {
    let (text, file, at) = panic_of(f);
    assert!(file.ends_with("refusals.rs") && at == line, "{text}: points to {file}:{at}, not to line {line}");
    text
}

macro_rules! fails {
    ($said:ident, $($call:expr),+) => {
        $($said.add(said_at(line!(), || $call));)+
    };
}

#[rustfmt::skip] // each call on the line it is checked for
#[test]
fn matrices_of_other_sizes_are_named() {
    let mut said = Messages::of("linalg", module_path!(), "matrices_of_other_sizes_are_named");
    let (wide, vector) = (Tensor::ones([5, 2, 3]), Tensor::ones([3]));
    fails!(said, wide.inverse(), wide.det(), wide.slogdet(), wide.cholesky(), wide.eigh(), wide.matrix_exp());
    fails!(said, vector.inverse(), vector.det(), vector.slogdet(), vector.cholesky(), vector.eigh(), vector.matrix_exp());
    fails!(said, wide.qr());
    fails!(said, vector.qr());
    fails!(said, vector.svd());
    fails!(said, Tensor::apply(MatrixExpDerivative, &[&Tensor::eye(2), &vector]));
    let tape = Tape::new();
    fails!(said, tape.var(&wide).inverse());
    said.check();
}

#[rustfmt::skip] // each call on the line it is checked for
#[test]
fn right_sides_that_do_not_fit_are_named_by_the_method_that_was_called() {
    let mut said = Messages::of("linalg", module_path!(), "right_sides_that_do_not_fit_are_named_by_the_method_that_was_called");
    let (two, wide, tall) = (Tensor::eye(2), Tensor::ones([2, 3]), Tensor::ones([3, 2]));
    let (vector, batch) = (Tensor::ones([2]), two.broadcast_to([3, 2, 2]));
    let other_batch = Tensor::ones([4, 2, 1]);
    fails!(said, wide.solve(&two), two.solve(&vector), two.solve(&tall), batch.solve(&other_batch));
    fails!(said, wide.triangular_solve(&two, true), two.triangular_solve(&tall, false));
    fails!(said, wide.cholesky_solve(&two), two.cholesky_solve(&vector), two.cholesky_solve(&tall), batch.cholesky_solve(&other_batch));
    fails!(said, wide.lstsq(&two), tall.lstsq(&Tensor::ones([3])), tall.lstsq(&two));
    fails!(said, tall.broadcast_to([3, 3, 2]).lstsq(&Tensor::ones([4, 3, 1])));
    said.check();
}
