//! Refusals that no test of a subject provokes, for the list of messages: each says what was wrong, where, and what would be right.

use gradus_autograd::{
    assert_gradcheck,
    check::{GradCheck, gradcheck, numerical_gradient},
    exact,
    functional::{laplacian, vjp},
    op::prelude::*,
    ops::{
        arithmetic::Add,
        grid_sample::{GridMode, GridPadding},
    },
    prelude::*,
};

use crate::{messages::Messages, panics::panic_of};

/// The panic points into this file; what it says is added to the messages.
macro_rules! panics_here {
    ($said:ident, $f:expr) => {{
        let (text, file, at) = panic_of(|| $f);
        assert!(file.ends_with("refusals.rs"), "{text}: points to {file}:{at}");
        $said.add(text);
    }};
}

#[test]
fn sweeps_and_gradients_name_what_is_not_theirs() {
    let mut said = Messages::of("autograd", module_path!(), "sweeps_and_gradients_name_what_is_not_theirs");
    let (tape, other) = (Tape::new(), Tape::new());
    let (x, y) = (tape.var([1.0, 2.0]), other.var(1.0));
    panics_here!(said, x.sum().grad(&[y]));
    panics_here!(said, tape.backward(&[]));
    panics_here!(said, tape.backward(&[(y, 1.0.into())]));
    panics_here!(said, y.backward_with(Hooks::new().retain(x)));
    let ended = tape.scope(|| x * 2.0);
    panics_here!(said, ended.value());
    // A hook that was made while its variable lived.
    let mut hooks = Hooks::new();
    tape.scope(|| hooks = std::mem::take(&mut hooks).retain(x * 2.0));
    let z = x * 3.0;
    panics_here!(said, z.sum().backward_with(hooks));
    let mut gradients = None;
    tape.scope(|| gradients = Some((x * 4.0).sum().backward()));
    let later = tape.var(1.0);
    panics_here!(said, gradients.as_ref().unwrap().get(later).is_none());
    let (w, b) = (Param::new([1.0, 2.0]), Param::buffer([1.0]));
    panics_here!(said, Gradients::default().insert(&w, Tensor::ones([3])));
    let unused = {
        let tape = Tape::new();
        let _ = tape.param(&w);
        tape.var(1.0).backward()
    };
    panics_here!(said, unused[&w].item());
    panics_here!(said, Tape::training(0).place().update_buffer(&w, 0.5, Tensor::ones([2])));
    panics_here!(said, Tape::training(0).place().update_buffer(&b, 0.5, Tensor::ones([2])));
    said.check();
}

#[test]
fn checks_say_what_they_lack() {
    let mut said = Messages::of("autograd", module_path!(), "checks_say_what_they_lack");
    let x = Tensor::from([1.0, 2.0]);
    let mut w = Param::new([1.0, 2.0]);
    panics_here!(said, gradcheck(|v| v[0], &[]));
    panics_here!(
        said,
        GradCheck { elements: 0, directions: 0, ..GradCheck::default() }
            .function(|v| v[0], std::slice::from_ref(&x))
    );
    panics_here!(
        said,
        GradCheck { order: 4, ..GradCheck::default() }.function(|v| v[0], std::slice::from_ref(&x))
    );
    panics_here!(said, GradCheck::default().params(&[], &Tape::new(), |tape| tape.constant(1.0)));
    let of_loss =
        |w: &Param| GradCheck::default().params(&[("w".into(), w)], &Tape::new(), |tape| tape.param(w) * 2.0);
    panics_here!(said, of_loss(&w));
    w.set_frozen(true);
    panics_here!(said, of_loss(&w));
    panics_here!(said, numerical_gradient(|x| x.sum().item(), &x, 0.0));
    // The whole report follows.
    let (text, ..) =
        panic_of(|| assert_gradcheck!(|v| v[0].square(), &[x.clone(), Tensor::from([1.0, 2.0])]));
    said.add(text.lines().next().unwrap());
    said.check();
}

#[test]
fn values_in_f64_and_derivatives_of_functions_say_what_does_not_fit() {
    let mut said = Messages::of(
        "autograd",
        module_path!(),
        "values_in_f64_and_derivatives_of_functions_say_what_does_not_fit",
    );
    let (tape, other) = (Tape::new(), Tape::new());
    let x = tape.var([1.0, 2.0]);
    let y = x * 2.0;
    let array = |n| Array::new(vec![1.0; n], [n]);
    panics_here!(said, tape.exact().move_to(&[(y, array(2))]));
    panics_here!(said, tape.exact().move_to(&[(x, array(3))]));
    panics_here!(said, tape.exact().of(other.var(1.0)).data().len());
    panics_here!(said, exact::at(y, &[(x, array(2))]));
    panics_here!(said, Array::new(vec![1.0], [2]));
    let (_, pullback) = vjp(|x| x * x, x);
    // A closure does not know its caller; the message has the line that made it.
    said.add(panic_of(|| pullback(tape.constant([1.0, 2.0, 3.0]))).0);
    panics_here!(said, laplacian(|p| p, tape.var(1.0)));
    panics_here!(said, laplacian(|p| p, tape.var([[1.0, 2.0], [3.0, 4.0]])));
    said.check();
}

#[test]
fn looking_inside_says_what_is_not_there() {
    let mut said = Messages::of("autograd", module_path!(), "looking_inside_says_what_is_not_there");
    let (tape, other) = (Tape::new(), Tape::new());
    let (x, y) = (tape.var([1.0, 2.0]), other.var(1.0));
    panics_here!(said, tape.receptive_fields(y));
    panics_here!(said, tape.graph().name(y, "y").to_string());
    panics_here!(said, x.sum().profile(0));
    panics_here!(said, tape.value_at(100));
    tape.detect_anomaly(true);
    panics_here!(said, (x - x).log().sum().backward());
    said.check();
}

#[test]
fn formulas_say_what_they_take() {
    let mut said = Messages::of("autograd", module_path!(), "formulas_say_what_they_take");
    let (vector, matrix, image) = (Tensor::ones([3]), Tensor::ones([2, 3]), Tensor::ones([1, 1, 2, 2]));
    let options = AttentionOptions::default;
    panics_here!(said, matrix.scaled_dot_product_attention(&matrix, &vector, options()));
    panics_here!(said, vector.attention_weights(&matrix, options()));
    panics_here!(said, matrix.attention_weights(&matrix.t(), options()));
    panics_here!(said, vector.alpha_dropout(1.0));
    panics_here!(said, vector.rrelu(0.5, 0.25));
    panics_here!(said, matrix.affine_grid([2, 2], false));
    panics_here!(said, image.grid_sample(&matrix, GridMode::Bilinear, GridPadding::Zeros, false));
    panics_here!(said, image.pixel_shuffle(2));
    panics_here!(said, Tensor::ones([1, 1, 3, 3]).pixel_unshuffle(2));
    panics_here!(said, vector.corrcoef());
    panics_here!(said, vector.soft_cross_entropy(&vector));
    panics_here!(said, Tensor::scalar(1.0).multi_label_cost(&Tensor::scalar(1.0), &[], 0.0));
    panics_here!(said, vector.smooth_l1_loss(&vector, -1.0));
    panics_here!(said, vector.binary_cross_entropy_with_logits(&(&vector * 2.0)));
    panics_here!(said, matrix.batch_norm_with(&vector, &Tensor::ones([2]), None, None, 0.0));
    panics_here!(said, image.max_unpool2d(&Indices::new([0], [1, 1, 1, 1]), [4, 4]));
    panics_here!(said, Tensor::ones([1, 1, 1, 1]).max_unpool2d(&Indices::new([9], [1, 1, 1, 1]), [2, 2]));
    panics_here!(said, vector.clip_gradient(-1.0));
    panics_here!(said, Tensor::stack(&[], 0));
    panics_here!(said, matrix.conv_transpose2d(&image, None, [0, 0], Conv2dOptions::default()));
    panics_here!(
        said,
        image.conv_transpose2d(&Tensor::ones([2, 1, 1, 1]), None, [0, 0], Conv2dOptions::default())
    );
    said.check();
}

/// An operation of a user's own, of one input.
#[derive(Clone, Debug)]
struct Double;

impl Pointwise for Double {
    const NAME: &'static str = "double";
    const EXAMPLES: &'static [Self] = &[Double];

    fn forward(&self, x: &[&Tensor]) -> Tensor {
        x[0] * 2.0
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
        cx.send(|[_], _, g| [g * 2.0]);
    }

    fn reference(&self, x: &[f64], _: &mut Branches<'_>) -> f64 {
        x[0] * 2.0
    }
}

#[test]
fn operations_count_their_inputs_and_outputs() {
    let mut said = Messages::of("autograd", module_path!(), "operations_count_their_inputs_and_outputs");
    let tape = Tape::new();
    let (x, v) = (Tensor::ones([2]), tape.var([1.0, 2.0]));
    panics_here!(said, Var::apply(Double, &[&v, &v]));
    panics_here!(said, Tensor::apply(Add, &[&x]));
    panics_here!(said, Tensor::apply_n::<_, 2>(Double, &[&x]));
    panics_here!(said, Var::apply_n::<_, 2>(Double, &[&v]));
    said.check();
}

#[test]
fn gradients_of_each_example_name_what_mixes_them() {
    let mut said = Messages::of("autograd", module_path!(), "gradients_of_each_example_name_what_mixes_them");
    let (tape, other) = (Tape::new(), Tape::new());
    let (x, y) = (tape.var(Tensor::ones([2, 3])), other.var(Tensor::ones([2])));
    let losses = x.sum_axes(1, false);
    panics_here!(said, losses.per_example_gradients(&[y]));
    panics_here!(said, x.sum().per_example_gradients(&[x]));
    panics_here!(said, losses.per_example_gradients(&[losses]));
    panics_here!(said, losses.per_example_gradients(&[]));
    panics_here!(said, x.softmax(0).sum_axes(1, false).per_example_gradients(&[x]));
    said.check();
}
