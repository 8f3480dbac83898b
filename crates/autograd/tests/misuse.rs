//! What misuse says: at the user's line, with operation, shapes and a hint; never a wrong number.

use gradus_autograd::{
    functional::{grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp},
    ops::{
        indexing::{BagMode, EmbeddingBagOptions, ScatterReduction},
        loss::{CrossEntropyOptions, GaussianNllOptions, MultiMarginOptions, TripletMarginOptions},
    },
    prelude::*,
};

use crate::panics::panic_of;

/// The panic begins with `message` and points into this file, at the line that `f` stands on.
macro_rules! panics_here {
    ($message:literal, $f:expr) => {{
        let line = line!();
        let (text, file, at) = panic_of($f);
        assert!(text.starts_with($message), "{text}");
        assert!(file.ends_with("misuse.rs"), "{text}: points to {file}:{at}");
        assert!((line..line + 4).contains(&at), "{text}: points to line {at}, not {line}");
    }};
}

#[test]
fn wrong_shapes_name_operation_shapes_and_the_users_line() {
    let tape = Tape::new();
    let (a, b) = (tape.var(Tensor::ones([32, 784])), tape.var(Tensor::ones([512, 10])));
    panics_here!("matmul: inner dimensions differ: [32, 784] · [512, 10]", || a.matmul(&b));
    panics_here!("add: shapes [32, 784] and [512, 10] do not broadcast", || a + b);
    panics_here!("mul: shapes [32, 784] and [512, 10] do not broadcast", || a * b);
    panics_here!("reshape: [32, 784] has 25088 elements", || a.reshape([3, 5]));
    panics_here!("sum: axis 2 is out of range for shape [32, 784]", || a.sum_axes(2, false));
    panics_here!("permute: [0] must name each axis of shape [32, 784] once", || a.permute([0]));
    panics_here!("transpose: axis 5 is out of range", || a.transpose(0, 5));
    panics_here!("slice: 0..40 is out of range for axis 0 of shape [32, 784]", || a.slice(0, 0..40));
    panics_here!("squeeze: axis 0 of shape [32, 784] has not size 1", || a.squeeze(0));
    // The same on tensors.
    let (a, b) = (a.value(), b.value());
    panics_here!("matmul: inner dimensions differ: [32, 784] · [512, 10]", || a.matmul(&b));
    panics_here!("add: shapes [32, 784] and [512, 10] do not broadcast", || &a + &b);
    panics_here!("sub: shapes [32, 784] and [512, 10] do not broadcast", || a.clone() - b.clone());
}

#[test]
fn a_loss_must_have_one_element() {
    let tape = Tape::new();
    let x = tape.var([1.0, 2.0]);
    panics_here!("backward: the loss must have one element, %0 [2]", || x.backward());
    panics_here!("backward: the cotangent has shape [3], the value %0 [2]", || x
        .backward_from([1.0, 1.0, 1.0]));
}

#[test]
fn values_of_two_tapes_do_not_mix() {
    let (first, second) = (Tape::new(), Tape::new());
    let (a, b) = (first.var(1.0), second.var(2.0));
    panics_here!("add: the inputs live on different tapes", || a + b);
    let gradients = (a * 2.0).backward();
    panics_here!("gradients: the variable is not of the tape", || gradients[b].item());
}

#[test]
fn gradients_of_an_earlier_use_are_refused() {
    let mut tape = Tape::new();
    let gradients = {
        let x = tape.var(1.0);
        (x * 2.0).backward()
    };
    tape.clear();
    let y = tape.var(1.0);
    panics_here!("gradients: the variable is not of the tape, or the use of the tape", || gradients[y]
        .item());
}

#[test]
fn no_silent_zero() {
    let tape = Tape::new();
    let (x, y) = (tape.var(1.0), tape.var(2.0));
    let constant = tape.constant(3.0);
    let gradients = (x * constant).backward();
    assert!(gradients.get(y).is_none());
    panics_here!("gradients: the loss does not depend on", || gradients[y].item());
    panics_here!("gradients: %2", || gradients.get(constant).is_none());
    panics_here!("grad: no gradient flows to the constant", || (x * constant).grad(&[constant]));
    let (used, unused) = (Param::new(1.0), Param::new(2.0));
    let gradients = tape.param(&used).square().backward();
    assert!(gradients.of(&unused).is_none());
    panics_here!("gradients: this parameter of shape [] was not used on the tape", || gradients[&unused]
        .item());
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
    let tape = Tape::new();
    let x = tape.var(Tensor::ones([2, 3]));
    let y = tape.var(Tensor::ones([3]));
    panics_here!("cross_entropy: label 3 at position 1 is not one of 3 classes, 0..3", || x
        .cross_entropy(&Indices::from([0, 3])));
    panics_here!("cross_entropy: logits [2, 3] need labels [2], not [3]", || x
        .cross_entropy(&Indices::from([0, 1, 2])));
    panics_here!("nll_loss: log-probabilities [2, 3] and labels [3] do not fit", || x
        .nll_loss(&Indices::from([0, 1, 2])));
    panics_here!("mse_loss: the prediction has shape [2, 3], the target [3]", || x.mse_loss(&y));
    panics_here!("embedding: the table must have shape [n, d], not [3]", || y.embedding(&Indices::from([0])));
    panics_here!("index_select: index 5 is out of range for axis 0", || x.index_select(0, &[5].into()));
    panics_here!("linear: x [2, 3] has 3 features, the weight [3, 2] takes 2", || x.linear(&x.t(), None));
    panics_here!("concat: shapes [2, 3] and [3] must be equal but for axis 0", || Var::concat(&[&x, &y], 0));
    panics_here!("stack: shapes [2, 3] and [3] must be equal", || Var::stack(&[&x, &y], 0));
    panics_here!("split: sizes [1, 2] do not add up to axis 0 of shape [2, 3]", || x.split(&[1, 2], 0));
    panics_here!("select_where: shapes [3] and [2] do not broadcast", || {
        y.select_where(&y, &tape.constant([1.0, 2.0]))
    });
    panics_here!("pad: [(1, 1)] must have one pair for each axis of shape [2, 3]", || x
        .pad([(1, 1)], Padding::Replicate));
}

#[test]
fn einsum_names_the_letter_and_the_shapes() {
    let (a, b) = (Tensor::zeros([2, 3]), Tensor::zeros([4, 5]));
    let cases = [
        ("ij,jk->ik", "'j' is 3 in operand 0 and 4 in operand 1, of shapes [2, 3] and [4, 5]"),
        ("ij->i", "it names 1 operands, 2 were given"),
        ("ijk,kl->il", "operand 0, \"ijk\" of shape [2, 3]: 3 letters do not name 2 axes"),
        ("i,kl->il", "operand 0, \"i\" of shape [2, 3]: 1 letters do not name 2 axes"),
        ("ij,kl->im", "the result has 'm', which no operand has"),
        ("ij,kl->ii", "the result has 'i' twice"),
        (
            "i1,kl->i",
            "operand 0, \"i1\" of shape [2, 3]: '1' is neither a letter nor part of one ellipsis \"...\"",
        ),
        ("...,...->...", "axis -2 of the ellipsis is 2 in operand 0 and 4 in operand 1"),
        ("......,kl", "operand 0, \"......\" of shape [2, 3]: '.' is neither a letter"),
        ("ij,kl->i->k", "the result \"i->k\": '-' is neither a letter"),
    ];
    for (equation, expected) in cases {
        let line = line!() + 1;
        let (found, file, at) = panic_of(|| Tensor::einsum(equation, &[&a, &b]));
        let expected = format!("einsum: {equation:?}: {expected}");
        assert!(found.starts_with(&expected), "{found:?} should begin with {expected:?}");
        assert!(file.ends_with("misuse.rs") && at == line, "{found} points to {file}:{at}");
    }
}

#[test]
fn formulas_of_operations_name_themselves_and_the_users_line() {
    let tape = Tape::new();
    let (x, v) = (tape.var(Tensor::zeros([2, 3])), tape.var(Tensor::zeros([3])));
    let one = Indices::from([0]);
    panics_here!("prelu: slopes [2] fit x [2, 3] only if", || x.prelu(&tape.constant([0.0, 0.0])));
    panics_here!("glu: axis 1 of shape [2, 3] has no two halves", || x.glu(1));
    panics_here!("dot: [2, 3] · [3]: both sides must be vectors", || x.dot(&v));
    panics_here!("outer: [2, 3] and [3]: both sides must be vectors", || x.outer(&v));
    panics_here!("diagonal: axes 0 and 1 of shape [2, 3] have no diagonal 4", || x.diagonal(4, 0, 1));
    panics_here!("diagonal: axes 1 and 1 of shape [2, 3] have no diagonal 0", || x.diagonal(0, 1, -1));
    panics_here!("trace: shape [3] has fewer than two axes", || v.trace());
    panics_here!("movedim: axis 2 is out of range for shape [2, 3]", || x.movedim(0, 2));
    panics_here!("cumprod: axis 2 is out of range for shape [2, 3]", || x.cumprod(2));
    panics_here!("argmax: axis 2 is out of range for shape [2, 3]", || x.max_with_indices(2));
    panics_here!("topk: axis 1 of shape [2, 3] has fewer than 4 elements", || x.topk(4, 1, false));
    panics_here!("kthvalue: axis 1 of shape [2, 3] has no element 3", || x.kthvalue(3, 1));
    panics_here!("median: axis 0 of shape [0] is empty", || tape.var(Tensor::zeros([0])).median(0));
    panics_here!("quantile: 1.5 is not between 0 and 1", || v.quantile(1.5, 0));
    panics_here!("kron: [3] and [2, 3]: both sides must be matrices", || v.kron(&x));
    panics_here!("cross: [2, 3] and [2]: the last axes must have size 3", || x
        .cross(&tape.constant([0.0, 0.0])));
    panics_here!("cdist: [3] and [2, 3] must be", || v.cdist(&x));
    panics_here!("cov: shape [3] is not [variables, observations]", || v.cov(1));
    panics_here!("meshgrid: shape [2, 3] is not that of a vector", || Var::meshgrid(&[&v, &x]));
    panics_here!("gumbel_softmax: the temperature must be positive, not 0", || x.gumbel_softmax(0.0, 1));
    panics_here!("pad: (1, 0) on axis 0 of shape [0]: there is no element to go around", || {
        tape.var(Tensor::zeros([0])).pad([(1, 0)], Padding::Circular)
    });
    panics_here!("scatter: the indices have shape [2, 1], the source [3]: they must be equal", || x.scatter(
        1,
        &Indices::new([0, 0], [2, 1]),
        &v
    ));
    panics_here!("scatter: indices of shape [1] do not fit shape [2, 3]", || x.scatter(0, &one, &v));
    panics_here!("index_copy: parts of axis 0 of shape [2, 3] must have shape [1, 3], not [3]", || x
        .index_copy(0, &one, &v));
    panics_here!("masked_select: a mask of shape [2, 3] does not broadcast to [3]", || v.masked_select(&x));
    panics_here!("nll_loss: label -1 at position 1 is not one of 3 classes", || x.nll_loss(&[0, -1].into()));
    panics_here!("attention: the mask has shape [3]; it must broadcast to the weights' shape [2, 2]", || x
        .attention_weights(&x, Some(&v), None, true));
    panics_here!(
        "attention: the bias has shape [4, 2, 2]; it must broadcast to the weights' shape [2, 2]",
        || x.scaled_dot_product_attention(&x, &x, None, Some(&tape.var(Tensor::zeros([4, 2, 2]))), false)
    );
    panics_here!("huber_loss: delta must be positive, not 0", || x.huber_loss(&x, 0.0));
    panics_here!("cosine_embedding_loss: the prediction has shape [2], the target [3]", || x
        .cosine_embedding_loss(&x, &v, 0.0));
    let (nan, labels) = (TripletMarginOptions { p: f32::NAN, ..Default::default() }, Indices::from([0, 1]));
    panics_here!("vector_norm: the order p is NaN", || x.triplet_margin_loss_with(&x, &x, 1.0, nan));
    panics_here!("normalize: the order p is NaN", || x.normalize_with(f32::NAN, 0, 1e-12));
    panics_here!("normalize: eps must not be negative, but is -1", || x.normalize_with(2.0, 0, -1.0));
    panics_here!("normalize: axis 2 is out of range for shape [2, 3]", || x.normalize(2));
    panics_here!("gaussian_nll_loss: -0.5 is among the variances", || x.gaussian_nll_loss(&x, &(x - 0.5)));
    let options = GaussianNllOptions { eps: -1.0, ..Default::default() };
    panics_here!("gaussian_nll_loss: eps must not be negative, but is -1", || x
        .gaussian_nll_loss_with(&x, &x, options));
    let class_weights = Some(Tensor::ones([2]));
    panics_here!("soft_cross_entropy: the class weights must have shape [3], not [2]", || {
        let options = CrossEntropyOptions { class_weights: class_weights.clone(), ..Default::default() };
        x.soft_cross_entropy_with(&x, options)
    });
    panics_here!("soft_cross_entropy: label smoothing -1 is not between 0 and 1", || {
        let options = CrossEntropyOptions { label_smoothing: -1.0, ..Default::default() };
        x.soft_cross_entropy_with(&x, options)
    });
    panics_here!("soft_cross_entropy: label -100 is to be ignored, but soft targets have no labels", || {
        let options = CrossEntropyOptions { ignore_index: Some(-100), ..Default::default() };
        x.soft_cross_entropy_with(&x, options)
    });
    panics_here!("multi_margin_loss: scores [2, 3] and labels [1] do not fit", || x.multi_margin_loss(&one));
    panics_here!("multi_margin_loss: label 7 at position 1 is not one of 3 classes", || x
        .multi_margin_loss(&[0, 7].into()));
    panics_here!("multi_margin_loss: the power p must be 1 or 2, not 3", || {
        x.multi_margin_loss_with(&labels, MultiMarginOptions { p: 3, ..Default::default() })
    });
    panics_here!("multi_margin_loss: the class weights must have shape [3], not [2]", || {
        x.multi_margin_loss_with(
            &labels,
            MultiMarginOptions { class_weights: class_weights.clone(), ..Default::default() },
        )
    });
    panics_here!("multilabel_margin_loss: scores [2, 3] and labels [2] do not fit", || x
        .multilabel_margin_loss(&labels));
    panics_here!("multilabel_margin_loss: label -2 at position 1 is not one of 3 classes", || x
        .multilabel_margin_loss(&Indices::new([0, -2], [2, 1])));
    panics_here!("vector_norm: the order p is NaN", || x.vector_norm(f32::NAN, 0, false));
    panics_here!("negative_sampling_loss: [2, 3] with words [1] and [1]: they must be", || x
        .negative_sampling_loss(&x, &one, &one));
}

#[test]
fn indices_and_windows_name_what_does_not_fit() {
    let tape = Tape::new();
    let x = tape.var(Tensor::zeros([2, 3]));
    let (one, two) = (Indices::from([0]), Indices::from([0, 1]));
    panics_here!("index: 0 lists of indices do not fit shape [2, 3]", || x.index(&[]));
    panics_here!("index: 3 lists of indices do not fit shape [2, 3]", || x.index(&[&one, &one, &one]));
    panics_here!("index: the indices have the shapes [1] and [2]", || x.index(&[&one, &two]));
    panics_here!("index: index 3 is out of range for axis 1", || x.index(&[&one, &[3].into()]));
    panics_here!("index_put: the values have shape [2, 3], the places [1, 3]", || x.index_put(
        &[&one],
        &x,
        false
    ));
    panics_here!("embedding_bag: the offsets [1] must rise from 0", || x.embedding_bag(&two, Some(&[1])));
    panics_here!("embedding_bag: the offsets [0, 3] must rise", || x.embedding_bag(&two, Some(&[0, 3])));
    panics_here!("embedding_bag: the offsets [0, 2, 1] must rise", || x
        .embedding_bag(&two, Some(&[0, 2, 1])));
    panics_here!("embedding_bag: the offsets [] must rise from 0", || x.embedding_bag(&two, Some(&[])));
    panics_here!("embedding_bag: indices of shape [2]: there must be", || x.embedding_bag(&two, None));
    let (pairs, zero) = (Indices::new([0, 1], [1, 2]), tape.var([0.0, 0.0]));
    panics_here!("embedding_bag: indices of shape [1, 2]: there must be", || x
        .embedding_bag(&pairs, Some(&[0])));
    panics_here!("embedding_bag: index 2 is out of range", || x.embedding_bag(&[2].into(), Some(&[0])));
    panics_here!("embedding_bag: the table must have shape [n, d], not [2]", || zero
        .embedding_bag(&two, Some(&[0])));
    let options = EmbeddingBagOptions { per_sample_weights: Some(&zero), ..BagMode::Sum.into() };
    panics_here!("embedding_bag: weights [2] for indices [1, 2]: they must be equal", || x
        .embedding_bag_with(&pairs, None, options));
    let options = EmbeddingBagOptions { mode: BagMode::Max, ..options };
    panics_here!("embedding_bag: weights are for sums, not for the mode Max", || x.embedding_bag_with(
        &two,
        Some(&[0]),
        options
    ));
    let options = EmbeddingBagOptions { padding_index: Some(-3), ..Default::default() };
    panics_here!("embedding_bag: the padding's index -3 is out of range for a table of 2 rows", || x
        .embedding_bag_with(&pairs, None, options));
    panics_here!("scatter_reduce: axis 2 is out of range for shape [2, 3]", || {
        x.scatter_reduce(2, &one, &x, ScatterReduction::Sum, true)
    });
    panics_here!(
        "scatter_reduce: the indices have shape [1, 3], the source [2, 3]: they must be equal",
        || { x.scatter_reduce(0, &Indices::new([0; 3], [1, 3]), &x, ScatterReduction::Amax, true) }
    );
    panics_here!("scatter_reduce: index 2 is out of range for axis 0", || {
        x.scatter_reduce(0, &Indices::new([2; 6], [2, 3]), &x, ScatterReduction::Prod, true)
    });
    panics_here!("take_along_dim: indices of shape [1] have not the axes of shape [2, 3]", || {
        x.take_along_dim(0, &one)
    });
    panics_here!("take_along_dim: shapes [2, 1] and [3, 1] do not broadcast", || {
        x.take_along_dim(1, &Indices::new([0; 3], [3, 1]))
    });
    panics_here!("gather: index 3 is out of range for axis 1 of shape [2, 3]", || {
        x.take_along_dim(1, &Indices::new([3], [1, 1]))
    });
    panics_here!("as_strided: shape [2, 2] needs a stride for each axis, not [1]", || {
        x.as_strided([2, 2], [1], 0)
    });
    panics_here!(
        "as_strided: shape [2, 2], strides [3, 1] and offset 2 reach place 6 of shape [2, 3]",
        || { x.as_strided([2, 2], [3, 1], 2) }
    );
    panics_here!("as_strided: shape [2], strides [-1] and offset 0 reach place -1", || {
        x.as_strided([2], [-1], 0)
    });
    // Found before there is room for so many places.
    panics_here!(
        "as_strided: shape [1099511627776], strides [1] and offset 0 reach place 1099511627775 of",
        || { x.as_strided([1 << 40], [1], 0) }
    );
    panics_here!("count_nonzero: axis 2 is out of range for shape [2, 3]", || x.count_nonzero(2, false));
    panics_here!("renorm: axis 2 is out of range for shape [2, 3]", || x.renorm(2.0, 2, 1.0));
    panics_here!("diff: axis 2 is out of range for shape [2, 3]", || x.diff(2));
    panics_here!("lp_pool2d: the order p must be positive and finite, not 0", || x.lp_pool2d(
        0.0,
        [1, 1],
        [1, 1]
    ));
    panics_here!("lp_pool1d: shape [2, 3]", || x.lp_pool1d(2.0, 1, 1));
}

#[test]
fn aligned_losses_name_the_label_the_length_and_the_blank() {
    let tape = Tape::new();
    let x = tape.var(Tensor::zeros([4, 1, 3]));
    panics_here!("ctc_loss: shape [12] is not [steps, sequences, classes]", || x.flatten().ctc_loss(
        &[&[1]],
        &[4],
        0
    ));
    panics_here!("ctc_loss: 1 sequences need as many targets and lengths, not 2 and 1", || x.ctc_loss(
        &[&[1], &[1]],
        &[4],
        0
    ));
    panics_here!("ctc_loss: a length of 5 does not fit 4 steps", || x.ctc_loss(&[&[1]], &[5], 0));
    panics_here!("ctc_loss: a length of 0 does not fit 4 steps", || x.ctc_loss(&[&[1]], &[0], 0));
    panics_here!("ctc_loss: label 3 is not one of 3 classes beside the blank 0", || x.ctc_loss(
        &[&[3]],
        &[4],
        0
    ));
    panics_here!("ctc_loss: label 0 is not one of 3 classes beside", || x.ctc_loss(&[&[0]], &[4], 0));
    panics_here!("ctc_loss: the blank 3 is not one of 3 classes", || x.ctc_loss(&[&[1]], &[4], 3));
}

#[test]
fn functions_that_must_give_one_element_say_so_at_the_users_line() {
    let tape = Tape::new();
    let (x, v) = (tape.var([1.0, 2.0]), tape.constant([1.0, 0.0]));
    panics_here!("grad: the function must give one element, it gave %2 [2]", || grad(|x| x, x));
    panics_here!("value_and_grad: the function must give one element", || value_and_grad(|x| x * 2.0, x));
    panics_here!("hessian: the function must give one element", || hessian(|x| x * 2.0, x));
    panics_here!("hvp: the function must give one element", || hvp(|x| x * 2.0, x, v));
}

#[test]
fn tangents_of_another_shape_are_refused_at_the_users_line() {
    let tape = Tape::new();
    let (x, v) = (tape.var([1.0, 2.0]), tape.constant([1.0, 0.0, 0.0]));
    panics_here!("jvp: the tangent of input 0 has shape [3], the input %0 [2]", || jvp(|x| x * 2.0, x, v));
    panics_here!("hvp: the tangent of input 0 has shape [3], the input %0 [2]", || hvp(|x| x.sum(), x, v));
    panics_here!("jvp: the tangent of input 1 has shape [3]", || jvp(|[a, b]| a + b, [x, x], [x, v]));
    panics_here!("jvp: 2 inputs, but 1 tangents", || jvp(
        |list: Vec<Var<'_>>| list[0] + list[1],
        vec![x, x],
        vec![x]
    ));
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
    let tape = Tape::new();
    let (x, w) = (tape.var(Tensor::ones([2, 3])), tape.constant(Tensor::ones([2, 3])));
    panics_here!("matmul: inner dimensions differ", || grad(|x| x.matmul(&w).sum(), x));
    panics_here!("matmul: inner dimensions differ", || value_and_grad(|x| x.matmul(&w).sum(), x));
    panics_here!("matmul: inner dimensions differ", || vjp(|x| x.matmul(&w), x).0);
    panics_here!("matmul: inner dimensions differ", || jvp(|x| x.matmul(&w), x, w));
    panics_here!("matmul: inner dimensions differ", || jacobian(|x| x.matmul(&w), x));
    panics_here!("matmul: inner dimensions differ", || hessian(|x| x.matmul(&w).sum(), x));
    panics_here!("matmul: inner dimensions differ", || hvp(|x| x.matmul(&w).sum(), x, w));
}

#[test]
fn differentiated_functions_stay_on_their_tape() {
    let (first, second) = (Tape::new(), Tape::new());
    let (x, other) = (first.var(1.0), second.var(2.0));
    panics_here!("grad: the input %1 []", || grad(|_| other, x));
    panics_here!("value_and_grad: the input", || value_and_grad(|_| other, x));
    panics_here!("vjp: the input", || vjp(|_| other, x).0);
    panics_here!("jvp: the input", || jvp(|_| other, x, x));
    panics_here!("jacobian: the input", || jacobian(|_| other, x));
    panics_here!("hessian: the input", || hessian(|_| other, x));
    panics_here!("hvp: the input", || hvp(|_| other, x, x));
    panics_here!("checkpoint: the result %0 []", || x.place().checkpoint(|| other));
}

#[test]
fn hooks_are_refused_at_the_line_of_the_sweep() {
    let tape = Tape::new();
    let (x, constant) = (tape.var([1.0, 2.0]), tape.constant(3.0));
    let loss = (x * constant).sum();
    panics_here!("backward: a hook gave a gradient of shape [] for %0 [2]", || {
        let hooks = Hooks::new().replace(x, |g| g.sum());
        loss.backward_with(hooks)
    });
    panics_here!("hooks: no gradient flows to the constant %1 []", || Hooks::new().read(constant, |_| {}));
    panics_here!("hooks: no gradient flows to the constant", || Hooks::new().replace(constant, |g| g));
    panics_here!("hooks: no gradient flows to the constant", || Hooks::new().retain(constant));
    let other = Tape::new();
    panics_here!("backward: a hook is for a variable of another tape", || loss
        .backward_with(Hooks::new().retain(other.var(1.0))));
    panics_here!("backward: the loss must have one element", || x.backward_with(Hooks::new()));
}

#[test]
fn a_wrong_shape_within_a_checkpoint_points_to_its_own_line() {
    let tape = Tape::new();
    let (x, w) = (tape.var(Tensor::ones([2, 3])), tape.constant(Tensor::ones([2, 3])));
    panics_here!("matmul: inner dimensions differ", || x.place().checkpoint(|| x.matmul(&w)));
    panics_here!("matmul: inner dimensions differ", || x
        .place()
        .checkpoint(|| x.place().checkpoint(|| x.matmul(&w))));
    // The same on tensors, where a checkpoint only runs the function.
    let (x, w) = (x.value(), w.value());
    panics_here!("matmul: inner dimensions differ", || x.place().checkpoint(|| x.matmul(&w)));
}
