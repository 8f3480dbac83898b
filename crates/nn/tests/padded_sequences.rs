//! Sequences of different lengths in one batch: each is as if it were alone, and its padding counts for nothing.

use gradus_autograd::prelude::{Rng, *};
use gradus_nn::{Gru, Lstm, Module, RecurrentOptions, RecurrentState, Rnn};
use proptest::prelude::*;

use crate::panics::panic_of;

const INPUTS: usize = 3;
const HIDDEN: usize = 4;
const STEPS: usize = 6;

fn steps_of(x: &Tensor, sequence: usize, steps: std::ops::Range<usize>) -> Tensor {
    let sequence = sequence as isize;
    x.slice(0, sequence..sequence + 1).slice(1, steps.start as isize..steps.end as isize)
}

/// The state of one sequence, the axes kept.
fn state_of(state: &RecurrentState<Tensor>, sequence: usize) -> RecurrentState<Tensor> {
    let own = |value: &Tensor| value.slice(1, sequence as isize..sequence as isize + 1);
    RecurrentState { h: own(&state.h), c: state.c.as_ref().map(own) }
}

/// The layer with all weights between plus and minus 1/32.
fn small<M: Module>(mut layer: M) -> M {
    for (_, param) in layer.params_mut() {
        *param.value_mut() = param.value() / 16.0;
    }
    layer
}

#[track_caller]
fn close(found: &Tensor, expected: &Tensor) {
    assert_eq!(found.shape(), expected.shape());
    // A batch and a sequence alone differ in the order in which products are summed. With weights up to 1/32 (`small`) and
    // |x| <= 4 a gate sums at most 14 terms whose sizes sum to less than 0.6: both orders together are off by 12 roundings. A
    // hidden state enters by a factor of at most 4/32 and a cell state by σ(0.6) < 0.65, so errors of a layer stay below
    // 15 times what its gates are off by, and 60 roundings of the cell's own; those of the second layer's gates are the
    // first's, (15 · 12 + 60) · 8/32, and their own 12: (60 + 12) · 15 + 60 = 1140 roundings of numbers up to 1.
    let bound = 1140.0 * f32::EPSILON / 2.0;
    let off = found.iter().zip(expected.iter()).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(off <= bound, "off by {off}: {found:?} is not {expected:?}");
}

macro_rules! each_as_if_alone {
    ($layer:expr, $lengths:ident, $start:ident, $seed:ident) => {{
        let layer = small($layer);
        let mut rng = Rng::seed($seed);
        let x = Tensor::uniform([$lengths.len(), STEPS, INPUTS], -4.0, 4.0, &mut rng);
        let (y, last) = layer.forward_padded(x.clone(), &$lengths, $start.as_ref());
        for (k, &length) in $lengths.iter().enumerate() {
            let start = $start.as_ref().map(|state| state_of(state, k));
            prop_assert!(steps_of(&y, k, length..STEPS).iter().all(|y| y == 0.0));
            let found = state_of(&last, k);
            if length == 0 {
                let zeros = Tensor::zeros(found.h.shape());
                let c = found.c.as_ref().map(|_| zeros.clone());
                prop_assert_eq!(found, start.unwrap_or(RecurrentState { h: zeros, c }));
                continue;
            }
            let (alone, expected) = layer.forward_from(steps_of(&x, k, 0..length), start.as_ref());
            close(&steps_of(&y, k, 0..length), &alone);
            close(&found.h, &expected.h);
            if let (Some(found), Some(expected)) = (&found.c, &expected.c) {
                close(found, expected);
            }
        }
        // With full lengths it is the plain layer, to the bit.
        let (plain, state) = layer.forward_from(x.clone(), $start.as_ref());
        prop_assert_eq!(
            layer.forward_padded(x, &vec![STEPS; $lengths.len()], $start.as_ref()),
            (plain, state)
        );
    }};
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_sequence_is_as_if_it_were_alone(
        lengths in prop::collection::vec(0..=STEPS, 1..5),
        (layers, bidirectional, with_state) in (1..3usize, any::<bool>(), any::<bool>()),
        seed in 0..1000u64,
    ) {
        let options = RecurrentOptions { layers, bidirectional, ..Default::default() };
        let mut rng = Rng::seed(seed);
        let shape = [layers * if bidirectional { 2 } else { 1 }, lengths.len(), HIDDEN];
        let h = Tensor::uniform(shape, -1.0, 1.0, &mut rng);
        let start = with_state.then(|| RecurrentState { h: h.clone(), c: None });
        each_as_if_alone!(Rnn::with_options(INPUTS, HIDDEN, options, &mut rng), lengths, start, seed);
        each_as_if_alone!(Gru::with_options(INPUTS, HIDDEN, options, &mut rng), lengths, start, seed);
        let start = with_state.then(|| RecurrentState { c: Some(&h - 0.5), h });
        each_as_if_alone!(Lstm::with_options(INPUTS, HIDDEN, options, &mut rng), lengths, start, seed);
    }
}

/// Outputs and gradients are the same bits whatever fills the sequences up, and the padding's gradient is exactly 0.
macro_rules! padding_counts_for_nothing {
    ($Layer:ident) => {{
        let options = RecurrentOptions { layers: 2, bidirectional: true, ..Default::default() };
        let mut rng = Rng::seed(1);
        let layer = $Layer::with_options(INPUTS, HIDDEN, options, &mut rng);
        let (x, weigh) =
            (Tensor::randn([3, STEPS, INPUTS], &mut rng), Tensor::randn([3, STEPS, 8], &mut rng));
        let lengths = [2, 6, 4];
        let run = |filling: f32| {
            let own = |index: &[usize]| {
                if index[1] < lengths[index[0]] { x.get([index[0], index[1], index[2]]) } else { filling }
            };
            let tape = Tape::new();
            let x = tape.var(Tensor::from_fn(x.shape(), own));
            let (y, last) = layer.forward_padded(x, &lengths, None);
            let gradients = ((y * tape.constant(&weigh)).sum() + last.h.sum()).backward();
            let of_params: Vec<Tensor> = layer.params().iter().map(|(_, p)| gradients[*p].clone()).collect();
            (y.value(), last.detach(), gradients[x].clone(), of_params)
        };
        let zero = run(0.0);
        for (k, &length) in lengths.iter().enumerate() {
            assert!(steps_of(&zero.2, k, length..STEPS).iter().all(|d| d == 0.0));
            assert!(steps_of(&zero.2, k, 0..length).iter().all(|d| d != 0.0));
        }
        for filling in [1e30, f32::INFINITY, f32::NAN] {
            assert!(run(filling) == zero, "filled up with {filling}");
        }
    }};
}

#[test]
fn padding_counts_for_nothing() {
    padding_counts_for_nothing!(Rnn);
    padding_counts_for_nothing!(Lstm);
    padding_counts_for_nothing!(Gru);
}

#[test]
fn a_batch_goes_on_in_pieces_when_its_shorter_sequences_have_ended() {
    let mut rng = Rng::seed(2);
    let gru = small(Gru::new(INPUTS, HIDDEN, &mut rng));
    let x = Tensor::randn([3, STEPS, INPUTS], &mut rng);
    let lengths = [1, 6, 4];
    let (whole, last) = gru.forward_padded(x.clone(), &lengths, None);
    let (mut state, mut pieces) = (None, Vec::new());
    for start in [0, 2, 4] {
        let left = lengths.map(|length: usize| length.saturating_sub(start).min(2));
        let piece = x.slice(1, start as isize..start as isize + 2);
        let (y, after) = gru.forward_padded(piece, &left, state.as_ref());
        pieces.push(y);
        state = Some(after);
    }
    close(&Tensor::concat(&pieces.iter().collect::<Vec<_>>(), 1), &whole);
    close(&state.unwrap().h, &last.h);
}

#[test]
fn wrong_lengths_are_named_at_the_users_line() {
    let rng = &mut Rng::seed(0);
    let steps_first = RecurrentOptions { batch_first: false, ..Default::default() };
    let (lstm, gru) = (Lstm::new(2, 4, rng), Gru::with_options(2, 4, steps_first, rng));
    let x = Tensor::zeros([3, 5, 2]);
    let tape = Tape::new();
    let v = tape.var(&x);
    let line = line!();
    let found = [
        panic_of(|| lstm.forward_padded(x.clone(), &[5, 5], None)),
        panic_of(|| lstm.forward_padded(v, &[5, 6, 7], None)),
        panic_of(|| gru.forward_padded(x.clone(), &[3, 3, 3], None)),
        panic_of(|| gru.forward_padded(v, &[0, 1, 2, 3, 4], None)),
    ];
    let messages = [
        "lstm: 2 lengths for 3 sequences: the batch [3, 5, 2] is [n, steps, 2]",
        "lstm: sequence 1 has length 6, but the batch [3, 5, 2] has 5 steps",
        "gru: 3 lengths for 5 sequences: the batch [3, 5, 2] is [steps, n, 2]",
        "gru: sequence 4 has length 4, but the batch [3, 5, 2] has 3 steps",
    ];
    for (k, ((text, file, at), message)) in found.iter().zip(messages).enumerate() {
        assert_eq!(text, message);
        assert!(file.ends_with("padded_sequences.rs") && *at == line + 2 + k as u32, "{text}: {file}:{at}");
    }
}
