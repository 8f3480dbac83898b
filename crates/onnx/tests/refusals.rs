//! What cannot be written, with what would be right, for the list of messages.

use crate::{files::normal, messages::Messages};
use gradus_autograd::prelude::*;
use gradus_nn::*;
use gradus_onnx::Export;

#[test]
fn what_onnx_has_no_word_for_is_refused_by_name_and_line() {
    let mut said =
        Messages::of("onnx", module_path!(), "what_onnx_has_no_word_for_is_refused_by_name_and_line");
    let mut refused = |tape: &Tape, shape: &[usize], f: &dyn for<'t> Fn(Var<'t>) -> Var<'t>| {
        let x = tape.var(normal(shape, 1));
        let error = Export::of(&Sequential::new()).input("x", x).output("y", f(x)).to_bytes().unwrap_err();
        assert!(error.to_string().contains(" (crates/onnx/tests/refusals.rs:"), "{error}");
        said.add(error);
    };
    let (evaluating, training) = (Tape::evaluating(), Tape::training(1));
    refused(&evaluating, &[4, 4], &|x| x.atan2(&x));
    refused(&training, &[4, 4], &|x| x.dropout(0.5));
    let norm = BatchNorm1d::new(4);
    refused(&training, &[4, 4], &|x| norm.forward(x));
    refused(&evaluating, &[1, 1, 5, 5], &|x| x.adaptive_max_pool2d([2, 2]));
    refused(&evaluating, &[1, 1, 5, 5], &|x| x.adaptive_avg_pool2d([5, 2]));
    let override_divisor = AvgPool2d::new(2).divisor_override(3);
    refused(&evaluating, &[1, 1, 4, 4], &|x| override_divisor.forward(x));
    let enlarged = Upsample::new(1.5, Interpolation::Nearest);
    refused(&evaluating, &[1, 1, 5, 5], &|x| enlarged.forward(x));
    refused(&evaluating, &[6], &|x| x.slice(0, Slice::from(..).step(2)).sum().grad(&[x])[0].unwrap() * x);
    said.check();
}

#[test]
fn files_without_sense_are_refused() {
    let mut said = Messages::of("onnx", module_path!(), "files_without_sense_are_refused");
    let (empty, layer) = (Sequential::new(), Linear::new(1, 1, &mut Rng::seed(0)));
    let (tape, other) = (Tape::evaluating(), Tape::evaluating());
    let (x, words) = (tape.var(1.0), Embedding::new(3, 2, &mut Rng::seed(0)));
    said.add(Export::of(&empty).to_bytes().unwrap_err());
    said.add(Export::of(&empty).input("x", x).output("x", x.exp()).to_bytes().unwrap_err());
    said.add(Export::of(&layer).output("bias", x).to_bytes().unwrap_err());
    said.add(Export::of(&empty).input("x", other.var(1.0)).output("y", x).to_bytes().unwrap_err());
    // A constant of the same numbers was read, and indices that are equal, but not the same.
    let y = tape.constant(1.0).exp();
    said.add(Export::of(&empty).input("x", x).output("y", y).to_bytes().unwrap_err());
    let text = || Indices::from([1, 2, 0]);
    let y = words.forward(tape.place(), &text());
    said.add(Export::of(&words).indices("text", &text()).output("y", y).to_bytes().unwrap_err());
    // A weight of 2 GiB, were it one in memory too.
    let huge = tape.constant(Tensor::scalar(1.0).broadcast_to([1 << 29])).slice(0, 0..2);
    said.add(Export::of(&empty).output("y", huge).to_bytes().unwrap_err());
    said.add(Export::of(&empty).output("y", x).save("/nowhere/model.onnx").unwrap_err());
    said.check();
}
