//! The gradient check of recurrent layers, attention and transformer layers, by their inputs, states and all parameters, in
//! training and evaluation, over random shapes and options.

use gradus_autograd::{
    check::{GradCheck, Verdict},
    prelude::{Rng, *},
};
use gradus_nn::*;
use proptest::prelude::*;
use std::fmt::Debug;

/// Checks the gradients of `forward` by all parameters of a module and by these inputs, in both modes.
fn check<M: Module + Debug>(
    module: M,
    inputs: &[Param],
    forward: impl for<'t> Fn(&M, &[Var<'t>]) -> Vec<Var<'t>>,
) -> Result<(), TestCaseError> {
    for tape in [Tape::training(2), Tape::new()] {
        let mut params = module.params();
        params.extend(inputs.iter().enumerate().map(|(i, input)| (format!("input {i}"), input)));
        let check = GradCheck { elements: 16, ..GradCheck::default() };
        let report = check.params(&params, &tape, |tape| {
            let inputs: Vec<Var<'_>> = inputs.iter().map(|input| tape.param(input)).collect();
            let mut rng = Rng::seed(3);
            let weigh = |y: Var<'_>| tape.constant(Tensor::randn(y.shape(), &mut rng));
            let outputs = forward(&module, &inputs);
            let weights: Vec<Var<'_>> = outputs.iter().copied().map(weigh).collect();
            outputs.into_iter().zip(weights).map(|(y, w)| (y * w).sum()).reduce(|a, b| a + b).unwrap()
        });
        let mode = if tape.is_training() { "training" } else { "evaluation" };
        // Relu units that never fire, and a query that sees one key only, have a gradient of zero; differences agree.
        let fine = |verdict| matches!(verdict, Verdict::Pass | Verdict::Zero);
        let passed = report.rows.iter().all(|row| fine(row.verdict)) && report.broken.is_empty();
        prop_assert!(passed, "{module:?} in {mode}\n{report}");
    }
    Ok(())
}

fn draw(shape: &[usize], seed: u64) -> Param {
    Param::new(Tensor::randn(shape, &mut Rng::seed(seed)))
}

/// The outputs of a layer, and the state after it, from an initial state if there are inputs for it.
macro_rules! outputs {
    ($layer:ident, $v:ident, $lengths:expr) => {{
        let state = $v.get(1).map(|&h| RecurrentState { h, c: $v.get(2).copied() });
        let (y, last) = match $lengths {
            None => $layer.forward_from($v[0], state.as_ref()),
            Some(lengths) => $layer.forward_padded($v[0], lengths, state.as_ref()),
        };
        [y, last.h].into_iter().chain(last.c).collect()
    }};
}

fn mask(causal: bool, padding: bool, n: usize, keys: usize) -> AttentionMask {
    let fills = Tensor::from_fn([n, keys], |index| if index == [0, keys - 1] { 1.0 } else { 0.0 });
    AttentionMask { causal, padding: padding.then_some(fills), ..AttentionMask::none() }
}

/// The mask, and by the seed none, one or two general ones on some of the axes of `[n, heads, queries, keys]`.
fn general(mask: AttentionMask, shape: [usize; 4], seed: u64) -> AttentionMask {
    let mut rng = Rng::seed(seed);
    let mut draw = || {
        let first = rng.below(3);
        let shape = shape.map(|size| if rng.below(3) == 0 { 1 } else { size });
        Tensor::randn(&shape[first..], &mut rng)
    };
    let (hidden, added) = (draw().map(|x| if x > 0.8 { 1.0 } else { 0.0 }), draw());
    let added = added.map(|x| if x > 1.5 { f32::NEG_INFINITY } else { x });
    AttentionMask {
        hidden: (seed % 2 == 1).then_some(hidden),
        added: (seed % 4 > 1).then_some(added),
        ..mask
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn recurrent_layers(
        (n, steps, inputs, hidden) in (1..4usize, 1..5usize, 1..4usize, 1..4usize),
        (layers, bidirectional, bias, batch_first) in (1..3usize, any::<bool>(), any::<bool>(), any::<bool>()),
        (dropout, with_state) in (prop::sample::select(vec![0.0, 0.25]), any::<bool>()),
        lengths in prop::option::of(prop::array::uniform3(0..=4usize)),
    ) {
        // Of those drawn, as many as there are sequences, none longer than the steps.
        let lengths = lengths.map(|drawn| drawn[..n].iter().map(|&length| length.min(steps)).collect::<Vec<_>>());
        let lengths = lengths.as_deref();
        let options = RecurrentOptions { layers, bidirectional, bias, dropout, batch_first, proj_size: None };
        let directions = if bidirectional { 2 } else { 1 };
        let x = if batch_first { [n, steps, inputs] } else { [steps, n, inputs] };
        let state = [layers * directions, n, hidden];
        let mut v = vec![draw(&x, 1)];
        if with_state {
            v.push(draw(&state, 2));
        }
        let rng = || Rng::seed(0);
        let rnn = Rnn::with_options(inputs, hidden, options, &mut rng());
        check(rnn.clone(), &v, |layer, v| outputs!(layer, v, lengths))?;
        check(rnn.relu(), &v, |layer, v| outputs!(layer, v, lengths))?;
        check(Gru::with_options(inputs, hidden, options, &mut rng()), &v, |layer, v| outputs!(layer, v, lengths))?;
        if with_state {
            v.push(draw(&state, 3));
        }
        check(Lstm::with_options(inputs, hidden, options, &mut rng()), &v, |layer, v| outputs!(layer, v, lengths))?;
        let options = RecurrentOptions { proj_size: Some(hidden), ..options };
        if with_state {
            v[2] = draw(&[state[0], n, hidden + 1], 3);
        }
        let projected = Lstm::with_options(inputs, hidden + 1, options, &mut rng());
        check(projected, &v, |layer, v| outputs!(layer, v, lengths))?;
    }

    #[test]
    fn recurrent_cells(
        (n, inputs, hidden) in (1..4usize, 1..4usize, 1..4usize),
        bias: bool,
    ) {
        let mut v = vec![draw(&[n, inputs], 1), draw(&[n, inputs], 4), draw(&[n, hidden], 2)];
        // Two steps, so that the weight is used twice.
        macro_rules! steps {
            ($Cell:ident) => {{
                let cell = $Cell::new(inputs, hidden, &mut Rng::seed(0));
                check(if bias { cell } else { cell.without_bias() }, &v, |cell, v| {
                    let state = RecurrentState { h: v[2], c: v.get(3).copied() };
                    let last = cell.step(v[1], Some(&cell.step(v[0], Some(&state))));
                    [last.h].into_iter().chain(last.c).collect()
                })?;
            }};
        }
        steps!(RnnCell);
        steps!(GruCell);
        v.push(draw(&[n, hidden], 3));
        steps!(LstmCell);
    }

    #[test]
    fn attention(
        (n, queries, keys) in (1..3usize, 1..4usize, 2..4usize),
        (heads, d, bias) in (1..4usize, 1..3usize, any::<bool>()),
        (causal, padding) in (any::<bool>(), any::<bool>()),
        (dropout, seed) in (prop::sample::select(vec![0.0, 0.25]), 0..1000u64),
    ) {
        let size = heads * d;
        let attention = MultiheadAttention::new(size, heads, &mut Rng::seed(0)).dropout(dropout);
        let attention = if bias { attention } else { attention.without_bias() };
        let v = [draw(&[n, queries, size], 1), draw(&[n, keys, size], 2), draw(&[n, keys, size], 3)];
        let cross = mask(causal, padding, n, keys);
        let own = general(cross.clone(), [n, heads, keys, keys], seed);
        let cross = general(cross, [n, heads, queries, keys], seed);
        check(attention.clone(), &v, |attention, v| {
            let (y, weights) = attention.attend_with_weights(&v[0], &v[1], &v[2], &cross);
            vec![y, weights]
        })?;
        check(attention, &v[1..2], |attention, v| vec![attention.attend_self(&v[0], &own)])?;
    }

    #[test]
    fn transformer_layers(
        (n, steps, keys) in (1..3usize, 1..4usize, 2..4usize),
        (heads, feedforward) in (1..3usize, 1..5usize),
        (gelu, norm_first, causal, padding) in (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
        (dropout, seed) in (prop::sample::select(vec![0.0, 0.1]), 0..1000u64),
    ) {
        // A norm of fewer than three elements has nearly no gradient.
        let size = 3 * heads;
        let options = TransformerOptions { dropout, gelu, norm_first };
        let encoder = TransformerEncoderLayer::new(size, heads, feedforward, options, &mut Rng::seed(0));
        let (x, memory) = (draw(&[n, steps, size], 1), draw(&[n, keys, size], 2));
        let memory_mask = general(mask(causal, padding, n, keys), [n, heads, keys, keys], seed);
        check(encoder, std::slice::from_ref(&memory), |layer, v| vec![layer.forward_masked(v[0], &memory_mask)])?;
        let decoder = TransformerDecoderLayer::new(size, heads, feedforward, options, &mut Rng::seed(0));
        let own_mask = general(mask(causal, false, n, steps), [n, heads, steps, steps], seed + 1);
        let memory_mask = general(mask(causal, padding, n, keys), [n, heads, steps, keys], seed + 2);
        check(decoder, &[x, memory], |layer, v| {
            vec![layer.forward(v[0], &v[1], &own_mask, &memory_mask)]
        })?;
    }

    #[test]
    fn positional_encoding((n, steps, size) in (1..3usize, 1..4usize, 1..4usize)) {
        let v = [draw(&[n, steps, size], 1)];
        check(PositionalEncoding::new(4, size), &v, |layer, v| vec![layer.forward(v[0])])?;
    }
}
