//! What misuse says: at the user's line, with operation, shapes and a hint; never a wrong number.

use gradus_autograd::{
    functional::{grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp},
    ops::{
        self,
        indexing::{BagMode, EmbeddingBagOptions, ScatterReduction},
        loss::{CrossEntropyOptions, GaussianNllOptions, MultiMarginOptions, TripletMarginOptions},
    },
    prelude::*,
};

use crate::{messages::Messages, panics::panic_of};

/// The panic points into this file, to the line that `f` stands on; what it says is added to the messages.
macro_rules! panics_here {
    ($said:ident, $f:expr) => {{
        let line = line!();
        let (text, file, at) = panic_of($f);
        assert!(file.ends_with("misuse.rs"), "{text}: points to {file}:{at}");
        assert!((line..line + 4).contains(&at), "{text}: points to line {at}, not {line}");
        $said.add(text);
    }};
}

#[test]
fn wrong_shapes_name_operation_shapes_and_the_users_line() {
    let mut said =
        Messages::of("autograd", module_path!(), "wrong_shapes_name_operation_shapes_and_the_users_line");
    let tape = Tape::new();
    let (a, b) = (tape.var(Tensor::ones([32, 784])), tape.var(Tensor::ones([512, 10])));
    panics_here!(said, || a.matmul(&b));
    panics_here!(said, || a + b);
    panics_here!(said, || a * b);
    panics_here!(said, || a.reshape([3, 5]));
    panics_here!(said, || a.sum_axes(2, false));
    panics_here!(said, || a.permute([0]));
    panics_here!(said, || a.transpose(0, 5));
    panics_here!(said, || a.slice(0, 0..40));
    panics_here!(said, || a.squeeze(0));
    // The same on tensors.
    let (a, b) = (a.value(), b.value());
    panics_here!(said, || a.matmul(&b));
    panics_here!(said, || &a + &b);
    panics_here!(said, || a.clone() - b.clone());
    said.check();
}

#[test]
fn a_loss_must_have_one_element() {
    let mut said = Messages::of("autograd", module_path!(), "a_loss_must_have_one_element");
    let tape = Tape::new();
    let x = tape.var([1.0, 2.0]);
    panics_here!(said, || x.backward());
    panics_here!(said, || x.backward_from([1.0, 1.0, 1.0]));
    said.check();
}

#[test]
fn values_of_two_tapes_do_not_mix() {
    let mut said = Messages::of("autograd", module_path!(), "values_of_two_tapes_do_not_mix");
    let (first, second) = (Tape::new(), Tape::new());
    let (a, b) = (first.var(1.0), second.var(2.0));
    panics_here!(said, || a + b);
    let gradients = (a * 2.0).backward();
    panics_here!(said, || gradients[b].item());
    said.check();
}

#[test]
fn gradients_of_an_earlier_use_are_refused() {
    let mut said = Messages::of("autograd", module_path!(), "gradients_of_an_earlier_use_are_refused");
    let mut tape = Tape::new();
    let gradients = {
        let x = tape.var(1.0);
        (x * 2.0).backward()
    };
    tape.clear();
    let y = tape.var(1.0);
    panics_here!(said, || gradients[y].item());
    said.check();
}

#[test]
fn no_silent_zero() {
    let mut said = Messages::of("autograd", module_path!(), "no_silent_zero");
    let tape = Tape::new();
    let (x, y) = (tape.var(1.0), tape.var(2.0));
    let constant = tape.constant(3.0);
    let gradients = (x * constant).backward();
    assert!(gradients.get(y).is_none());
    panics_here!(said, || gradients[y].item());
    panics_here!(said, || gradients.get(constant).is_none());
    panics_here!(said, || (x * constant).grad(&[constant]));
    let (used, unused) = (Param::new(1.0), Param::new(2.0));
    let gradients = tape.param(&used).square().backward();
    assert!(gradients.of(&unused).is_none());
    panics_here!(said, || gradients[&unused].item());
    said.check();
}

#[test]
fn an_operation_can_be_tried() {
    let tape = Tape::new();
    let (a, b) = (tape.var([1.0, 2.0]), tape.var([1.0, 2.0, 3.0]));
    let before = tape.len();
    let error = Tape::try_record(gradus_autograd::ops::arithmetic::Add, &[&a, &b]).unwrap_err();
    assert_eq!(error.to_string(), "add: shapes [2] and [3] do not broadcast (axis -1: 2 and 3)");
    assert_eq!(tape.len(), before, "a refused operation leaves nothing on the tape");
    assert!(Tape::try_record(gradus_autograd::ops::arithmetic::Add, &[&a, &a]).is_ok());
}

#[test]
fn losses_and_indices_name_the_label_the_classes_and_the_users_line() {
    let mut said = Messages::of(
        "autograd",
        module_path!(),
        "losses_and_indices_name_the_label_the_classes_and_the_users_line",
    );
    let tape = Tape::new();
    let x = tape.var(Tensor::ones([2, 3]));
    let y = tape.var(Tensor::ones([3]));
    panics_here!(said, || x.cross_entropy(&Indices::from([0, 3])));
    panics_here!(said, || x.cross_entropy(&Indices::from([0, 1, 2])));
    panics_here!(said, || x.nll_loss(&Indices::from([0, 1, 2])));
    panics_here!(said, || x.mse_loss(&y));
    panics_here!(said, || y.embedding(&Indices::from([0])));
    panics_here!(said, || x.index_select(0, &[5].into()));
    panics_here!(said, || x.linear(&x.t(), None));
    panics_here!(said, || Var::concat(&[&x, &y], 0));
    panics_here!(said, || Var::stack(&[&x, &y], 0));
    panics_here!(said, || x.split(&[1, 2], 0));
    panics_here!(said, || { y.select_where(&y, &tape.constant([1.0, 2.0])) });
    panics_here!(said, || x.pad([(1, 1)], Padding::Replicate));
    said.check();
}

#[test]
fn einsum_names_the_letter_and_the_shapes() {
    let (a, b) = (Tensor::zeros([2, 3]), Tensor::zeros([4, 5]));
    let mut said = Messages::of("autograd", module_path!(), "einsum_names_the_letter_and_the_shapes");
    let equations = [
        "ij,jk->ik",
        "ij->i",
        "ijk,kl->il",
        "i,kl->il",
        "ij,kl->im",
        "ij,kl->ii",
        "i1,kl->i",
        "...,...->...",
        "......,kl",
        "ij,kl->i->k",
    ];
    for equation in equations {
        panics_here!(said, || Tensor::einsum(equation, &[&a, &b]));
    }
    said.check();
}

#[test]
fn formulas_of_operations_name_themselves_and_the_users_line() {
    let mut said =
        Messages::of("autograd", module_path!(), "formulas_of_operations_name_themselves_and_the_users_line");
    let tape = Tape::new();
    let (x, v) = (tape.var(Tensor::zeros([2, 3])), tape.var(Tensor::zeros([3])));
    let one = Indices::from([0]);
    panics_here!(said, || x.prelu(&tape.constant([0.0, 0.0])));
    panics_here!(said, || x.glu(1));
    panics_here!(said, || x.dot(&v));
    panics_here!(said, || x.outer(&v));
    panics_here!(said, || x.diagonal(4, 0, 1));
    panics_here!(said, || x.diagonal(0, 1, -1));
    panics_here!(said, || v.trace());
    panics_here!(said, || x.movedim(0, 2));
    panics_here!(said, || x.cumprod(2));
    panics_here!(said, || x.max_with_indices(2));
    panics_here!(said, || x.topk(4, 1, false));
    panics_here!(said, || x.kthvalue(3, 1));
    panics_here!(said, || tape.var(Tensor::zeros([0])).median(0));
    panics_here!(said, || v.quantile(1.5, 0));
    panics_here!(said, || v.kron(&x));
    panics_here!(said, || x.cross(&tape.constant([0.0, 0.0])));
    panics_here!(said, || v.cdist(&x));
    panics_here!(said, || v.cov(1));
    panics_here!(said, || Var::meshgrid(&[&v, &x]));
    panics_here!(said, || x.gumbel_softmax(0.0, 1));
    panics_here!(said, || { tape.var(Tensor::zeros([0])).pad([(1, 0)], Padding::Circular) });
    panics_here!(said, || x.scatter(1, &Indices::new([0, 0], [2, 1]), &v));
    panics_here!(said, || x.scatter(0, &one, &v));
    panics_here!(said, || x.index_copy(0, &one, &v));
    panics_here!(said, || v.masked_select(&x));
    panics_here!(said, || x.nll_loss(&[0, -1].into()));
    panics_here!(said, || x
        .attention_weights(&x, AttentionOptions { mask: Some(&v), is_causal: true, ..Default::default() }));
    panics_here!(said, || x.scaled_dot_product_attention(
        &x,
        &x,
        AttentionOptions { bias: Some(&tape.var(Tensor::zeros([4, 2, 2]))), ..Default::default() }
    ));
    let (heads, few) = (tape.var(Tensor::zeros([4, 2, 3])), tape.var(Tensor::zeros([2, 2, 3])));
    let plain = AttentionOptions::default();
    panics_here!(said, || heads.attention_weights(&few, plain));
    panics_here!(said, || heads.scaled_dot_product_attention(&heads, &few, plain));
    let grouped = AttentionOptions { enable_gqa: true, ..plain };
    panics_here!(said, || few.attention_weights(&heads, grouped));
    panics_here!(said, || x.attention_weights(&x, grouped));
    panics_here!(said, || heads.interpolate(-1.0, Interpolation::Nearest));
    panics_here!(said, || { heads.interpolate([2, 2], Interpolation::Nearest) });
    panics_here!(said, || heads.interpolate(0.1, Interpolation::Nearest));
    panics_here!(said, || x.huber_loss(&x, 0.0));
    panics_here!(said, || x.cosine_embedding_loss(&x, &v, 0.0));
    let (nan, labels) = (TripletMarginOptions { p: f32::NAN, ..Default::default() }, Indices::from([0, 1]));
    panics_here!(said, || x.triplet_margin_loss_with(&x, &x, 1.0, nan));
    panics_here!(said, || x.normalize_with(f32::NAN, 0, 1e-12));
    panics_here!(said, || x.normalize_with(2.0, 0, -1.0));
    panics_here!(said, || x.normalize(2));
    panics_here!(said, || x.gaussian_nll_loss(&x, &(x - 0.5)));
    let options = GaussianNllOptions { eps: -1.0, ..Default::default() };
    panics_here!(said, || x.gaussian_nll_loss_with(&x, &x, options));
    let class_weights = Some(Tensor::ones([2]));
    panics_here!(said, || {
        let options = CrossEntropyOptions { class_weights: class_weights.clone(), ..Default::default() };
        x.soft_cross_entropy_with(&x, options)
    });
    panics_here!(said, || {
        let options = CrossEntropyOptions { label_smoothing: -1.0, ..Default::default() };
        x.soft_cross_entropy_with(&x, options)
    });
    panics_here!(said, || {
        let options = CrossEntropyOptions { ignore_index: Some(-100), ..Default::default() };
        x.soft_cross_entropy_with(&x, options)
    });
    panics_here!(said, || x.multi_margin_loss(&one));
    panics_here!(said, || x.multi_margin_loss(&[0, 7].into()));
    panics_here!(said, || {
        x.multi_margin_loss_with(&labels, MultiMarginOptions { p: 3, ..Default::default() })
    });
    panics_here!(said, || {
        x.multi_margin_loss_with(
            &labels,
            MultiMarginOptions { class_weights: class_weights.clone(), ..Default::default() },
        )
    });
    panics_here!(said, || x.multilabel_margin_loss(&labels));
    panics_here!(said, || x.multilabel_margin_loss(&Indices::new([0, -2], [2, 1])));
    panics_here!(said, || x.vector_norm(f32::NAN, 0, false));
    panics_here!(said, || x.negative_sampling_loss(&x, &one, &one));
    panics_here!(said, || v.triu(0));
    panics_here!(said, || tape.var(1.0).tril(0));
    panics_here!(said, || tape.var(1.0).diag(0));
    panics_here!(said, || x.diag(4));
    panics_here!(said, || Var::stack(&[&x], 3));
    panics_here!(said, || Var::stack(&[], 0));
    panics_here!(said, || x.chunk(0, 1));
    panics_here!(said, || x.chunk(2, 2));
    panics_here!(said, || x.repeat([2]));
    panics_here!(said, || x.roll(1, 2));
    panics_here!(said, || x.pad([(0, 0), (1, 3)], Padding::Reflect));
    panics_here!(said, || v.masked_fill(&x, 0.0));
    panics_here!(said, || tape.var(Tensor::zeros([0, 0])).max_with_indices(0));
    said.check();
}

#[test]
fn indices_and_windows_name_what_does_not_fit() {
    let mut said = Messages::of("autograd", module_path!(), "indices_and_windows_name_what_does_not_fit");
    let tape = Tape::new();
    let x = tape.var(Tensor::zeros([2, 3]));
    let (one, two) = (Indices::from([0]), Indices::from([0, 1]));
    panics_here!(said, || x.index(&[]));
    panics_here!(said, || x.index(&[&one, &one, &one]));
    panics_here!(said, || x.index(&[&one, &two]));
    panics_here!(said, || x.index(&[&one, &[3].into()]));
    panics_here!(said, || x.index_put(&[&one], &x, false));
    panics_here!(said, || x.embedding_bag(&two, Some(&[1])));
    panics_here!(said, || x.embedding_bag(&two, Some(&[0, 3])));
    panics_here!(said, || x.embedding_bag(&two, Some(&[0, 2, 1])));
    panics_here!(said, || x.embedding_bag(&two, Some(&[])));
    panics_here!(said, || x.embedding_bag(&two, None));
    let (pairs, zero) = (Indices::new([0, 1], [1, 2]), tape.var([0.0, 0.0]));
    panics_here!(said, || x.embedding_bag(&pairs, Some(&[0])));
    panics_here!(said, || x.embedding_bag(&[2].into(), Some(&[0])));
    panics_here!(said, || zero.embedding_bag(&two, Some(&[0])));
    let options = EmbeddingBagOptions { per_sample_weights: Some(&zero), ..BagMode::Sum.into() };
    panics_here!(said, || x.embedding_bag_with(&pairs, None, options));
    let options = EmbeddingBagOptions { mode: BagMode::Max, ..options };
    panics_here!(said, || x.embedding_bag_with(&two, Some(&[0]), options));
    let options = EmbeddingBagOptions { padding_index: Some(-3), ..Default::default() };
    panics_here!(said, || x.embedding_bag_with(&pairs, None, options));
    panics_here!(said, || { x.scatter_reduce(2, &one, &x, ScatterReduction::Sum, true) });
    panics_here!(said, || {
        x.scatter_reduce(0, &Indices::new([0; 3], [1, 3]), &x, ScatterReduction::Amax, true)
    });
    panics_here!(said, || {
        x.scatter_reduce(0, &Indices::new([2; 6], [2, 3]), &x, ScatterReduction::Prod, true)
    });
    panics_here!(said, || { x.take_along_dim(0, &one) });
    panics_here!(said, || { x.take_along_dim(1, &Indices::new([0; 3], [3, 1])) });
    panics_here!(said, || { x.take_along_dim(1, &Indices::new([3], [1, 1])) });
    panics_here!(said, || { x.as_strided([2, 2], [1], 0) });
    panics_here!(said, || { x.as_strided([2, 2], [3, 1], 2) });
    panics_here!(said, || { x.as_strided([2], [-1], 0) });
    // Found before there is room for so many places.
    panics_here!(said, || { x.as_strided([1 << 40], [1], 0) });
    panics_here!(said, || x.count_nonzero(2, false));
    panics_here!(said, || x.renorm(2.0, 2, 1.0));
    panics_here!(said, || x.diff(2));
    panics_here!(said, || x.lp_pool2d(0.0, 1));
    panics_here!(said, || x.lp_pool1d(2.0, 1));
    said.check();
}

#[test]
fn aligned_losses_name_the_label_the_length_and_the_blank() {
    let mut said =
        Messages::of("autograd", module_path!(), "aligned_losses_name_the_label_the_length_and_the_blank");
    let tape = Tape::new();
    let x = tape.var(Tensor::zeros([4, 1, 3]));
    panics_here!(said, || x.flatten().ctc_loss(&[&[1]], &[4], 0));
    panics_here!(said, || x.ctc_loss(&[&[1], &[1]], &[4], 0));
    panics_here!(said, || x.ctc_loss(&[&[1]], &[5], 0));
    panics_here!(said, || x.ctc_loss(&[&[1]], &[0], 0));
    panics_here!(said, || x.ctc_loss(&[&[3]], &[4], 0));
    panics_here!(said, || x.ctc_loss(&[&[0]], &[4], 0));
    panics_here!(said, || x.ctc_loss(&[&[1]], &[4], 3));
    said.check();
}

#[test]
fn functions_that_must_give_one_element_say_so_at_the_users_line() {
    let mut said = Messages::of(
        "autograd",
        module_path!(),
        "functions_that_must_give_one_element_say_so_at_the_users_line",
    );
    let tape = Tape::new();
    let (x, v) = (tape.var([1.0, 2.0]), tape.constant([1.0, 0.0]));
    panics_here!(said, || grad(|x| x, x));
    panics_here!(said, || value_and_grad(|x| x * 2.0, x));
    panics_here!(said, || hessian(|x| x * 2.0, x));
    panics_here!(said, || hvp(|x| x * 2.0, x, v));
    said.check();
}

#[test]
fn tangents_of_another_shape_are_refused_at_the_users_line() {
    let mut said =
        Messages::of("autograd", module_path!(), "tangents_of_another_shape_are_refused_at_the_users_line");
    let tape = Tape::new();
    let (x, v) = (tape.var([1.0, 2.0]), tape.constant([1.0, 0.0, 0.0]));
    panics_here!(said, || jvp(|x| x * 2.0, x, v));
    panics_here!(said, || hvp(|x| x.sum(), x, v));
    panics_here!(said, || jvp(|[a, b]| a + b, [x, x], [x, v]));
    panics_here!(said, || jvp(|list: Vec<Var<'_>>| list[0] + list[1], vec![x, x], vec![x]));
    said.check();
}

#[test]
fn a_pullback_names_the_line_of_its_vjp() {
    let tape = Tape::new();
    let line = line!() + 1;
    let (_, pullback) = vjp(|x| x * x, tape.var([1.0, 2.0]));
    let (message, ..) = panic_of(|| pullback(tape.constant([1.0, 2.0, 3.0])));
    assert!(message.starts_with("vjp: the cotangent has shape [3], the value %2 [2]"), "{message}");
    assert!(message.contains(&format!("misuse.rs:{line}:")), "{message}");
}

#[test]
fn a_wrong_shape_within_a_differentiated_function_points_to_its_own_line() {
    let mut said = Messages::of(
        "autograd",
        module_path!(),
        "a_wrong_shape_within_a_differentiated_function_points_to_its_own_line",
    );
    let tape = Tape::new();
    let (x, w) = (tape.var(Tensor::ones([2, 3])), tape.constant(Tensor::ones([2, 3])));
    panics_here!(said, || grad(|x| x.matmul(&w).sum(), x));
    panics_here!(said, || value_and_grad(|x| x.matmul(&w).sum(), x));
    panics_here!(said, || vjp(|x| x.matmul(&w), x).0);
    panics_here!(said, || jvp(|x| x.matmul(&w), x, w));
    panics_here!(said, || jacobian(|x| x.matmul(&w), x));
    panics_here!(said, || hessian(|x| x.matmul(&w).sum(), x));
    panics_here!(said, || hvp(|x| x.matmul(&w).sum(), x, w));
    said.check();
}

#[test]
fn differentiated_functions_stay_on_their_tape() {
    let mut said = Messages::of("autograd", module_path!(), "differentiated_functions_stay_on_their_tape");
    let (first, second) = (Tape::new(), Tape::new());
    let (x, other) = (first.var(1.0), second.var(2.0));
    panics_here!(said, || grad(|_| other, x));
    panics_here!(said, || value_and_grad(|_| other, x));
    panics_here!(said, || vjp(|_| other, x).0);
    panics_here!(said, || jvp(|_| other, x, x));
    panics_here!(said, || jacobian(|_| other, x));
    panics_here!(said, || hessian(|_| other, x));
    panics_here!(said, || hvp(|_| other, x, x));
    panics_here!(said, || x.place().checkpoint(|| other));
    said.check();
}

#[test]
fn hooks_are_refused_at_the_line_of_the_sweep() {
    let mut said = Messages::of("autograd", module_path!(), "hooks_are_refused_at_the_line_of_the_sweep");
    let tape = Tape::new();
    let (x, constant) = (tape.var([1.0, 2.0]), tape.constant(3.0));
    let loss = (x * constant).sum();
    panics_here!(said, || {
        let hooks = Hooks::new().replace(x, |g| g.sum());
        loss.backward_with(hooks)
    });
    panics_here!(said, || Hooks::new().read(constant, |_| {}));
    panics_here!(said, || Hooks::new().replace(constant, |g| g));
    panics_here!(said, || Hooks::new().retain(constant));
    let other = Tape::new();
    panics_here!(said, || loss.backward_with(Hooks::new().retain(other.var(1.0))));
    panics_here!(said, || x.backward_with(Hooks::new()));
    said.check();
}

#[test]
fn a_wrong_shape_within_a_checkpoint_points_to_its_own_line() {
    let mut said =
        Messages::of("autograd", module_path!(), "a_wrong_shape_within_a_checkpoint_points_to_its_own_line");
    let tape = Tape::new();
    let (x, w) = (tape.var(Tensor::ones([2, 3])), tape.constant(Tensor::ones([2, 3])));
    panics_here!(said, || x.place().checkpoint(|| x.matmul(&w)));
    panics_here!(said, || x.place().checkpoint(|| x.place().checkpoint(|| x.matmul(&w))));
    // The same on tensors, where a checkpoint only runs the function.
    let (x, w) = (x.value(), w.value());
    panics_here!(said, || x.place().checkpoint(|| x.matmul(&w)));
    said.check();
}

#[test]
fn shape_rules_say_what_they_refuse() {
    let mut said = Messages::of("autograd", module_path!(), "shape_rules_say_what_they_refuse");
    ops::ALL.iter().flat_map(|spec| spec.refusals()).for_each(|message| said.add(message));
    said.check();
}
