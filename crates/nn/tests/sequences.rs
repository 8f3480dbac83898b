//! Recurrent layers and attention: worked numbers, what defines them, what misuse says, and what they learn.

use gradus_autograd::prelude::*;
use gradus_nn::{metrics::perplexity, *};

use crate::{messages::Messages, panics::panic_of};

#[track_caller]
fn close(found: f32, expected: f64) {
    assert!((f64::from(found) - expected).abs() < 2e-7, "{found} is not {expected}");
}

#[track_caller]
fn all_close(found: &Tensor, expected: &Tensor) {
    assert_eq!(found.shape(), expected.shape());
    let off = found.iter().zip(expected.iter()).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(off < 2e-6, "off by {off}: {found:?} is not {expected:?}");
}

/// Every weight this, every bias 0.
fn set_all(model: &mut dyn Module, weight: f32) {
    for (name, param) in model.params_mut() {
        let value = if name.contains("weight") { weight } else { 0.0 };
        *param.value_mut() = Tensor::full(param.value().shape(), value);
    }
}

#[test]
fn worked_numbers() {
    let mut rng = Rng::seed(0);
    let (mut lstm, mut gru) = (Lstm::new(1, 1, &mut rng), Gru::new(1, 1, &mut rng));
    set_all(&mut lstm, 0.5);
    set_all(&mut gru, 0.5);
    let x = Tensor::ones([1, 2, 1]);
    let (y, state) = lstm.forward_from(x.clone(), None);
    close(y.get([0, 0, 0]), 0.1742697187);
    close(y.get([0, 1, 0]), 0.3090589306);
    close(state.c.unwrap().get([0, 0, 0]), 0.5241157234);
    close(gru.forward(x).get([0, 0, 0]), 0.1744680206);
}

/// Uniform between plus and minus the bound: the greatest of many comes close to it.
#[track_caller]
fn uniform_up_to(bound: f32, value: &Tensor) {
    let greatest = value.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    let mean_square = value.square().mean().item();
    assert!(greatest <= bound && greatest > 0.95 * bound, "{greatest} of {bound}");
    // Four standard errors of a thousand squares, whose own deviation is 0.9 of their mean.
    assert!((mean_square / (bound * bound / 3.0) - 1.0).abs() < 4.0 * 0.9 / 1000f32.sqrt());
}

#[test]
fn initial_values_are_pytorchs() {
    let mut rng = Rng::seed(9);
    for (name, param) in Lstm::new(20, 300, &mut rng).params() {
        assert!(param.value().numel() >= 1000, "{name}");
        uniform_up_to(1.0 / 300f32.sqrt(), param.value());
    }
    let attention = MultiheadAttention::new(60, 4, &mut rng);
    uniform_up_to((6.0f32 / (60.0 + 180.0)).sqrt(), attention.in_proj_weight.value());
    uniform_up_to(1.0 / 60f32.sqrt(), attention.out_proj.weight.value());
    for bias in [&attention.in_proj_bias, &attention.out_proj.bias] {
        assert!(bias.as_ref().unwrap().value().iter().all(|b| b == 0.0));
    }
}

/// A layer against its cell, step by step, and against itself on a flipped sequence.
macro_rules! layer_is_its_cell {
    ($Layer:ident, $Cell:ident) => {{
        let mut rng = Rng::seed(7);
        let layer = $Layer::new(3, 4, &mut rng);
        let mut cell = $Cell::new(3, 4, &mut rng);
        for ((_, to), (_, from)) in cell.params_mut().into_iter().zip(layer.params()) {
            *to.value_mut() = from.value().clone();
        }
        let x = Tensor::randn([2, 6, 3], &mut rng);
        let (y, last) = layer.forward_from(x.clone(), None);
        let mut state: Option<RecurrentState<Tensor>> = None;
        for t in 0..6 {
            state = Some(cell.step(x.select(1, t), state.as_ref()));
            all_close(&y.select(1, t), &state.as_ref().unwrap().h);
        }
        assert_eq!(last.c.map(|c| c.select(0, 0)), state.unwrap().c);
        // The same parameters in both directions: the reverse one is the forward one on a flipped sequence.
        let both = RecurrentOptions { bidirectional: true, ..Default::default() };
        let mut both = $Layer::with_options(3, 4, both, &mut rng);
        for (k, (_, to)) in both.params_mut().into_iter().enumerate() {
            *to.value_mut() = layer.params()[k % 4].1.value().clone();
        }
        let (two, last) = both.forward_from(x.clone(), None);
        all_close(&two.slice(2, ..4), &y);
        all_close(&two.slice(2, 4..), &layer.forward(x.flip(1)).flip(1));
        all_close(&last.h.select(0, 0), &y.select(1, 5));
        all_close(&last.h.select(0, 1), &two.slice(2, 4..).select(1, 0));
    }};
}

#[test]
fn a_layer_is_its_cell_step_by_step() {
    layer_is_its_cell!(Rnn, RnnCell);
    layer_is_its_cell!(Lstm, LstmCell);
    layer_is_its_cell!(Gru, GruCell);
}

#[test]
fn a_sequence_in_pieces_is_the_whole_but_for_the_gradient() {
    let mut rng = Rng::seed(3);
    let options = RecurrentOptions { layers: 2, ..Default::default() };
    let lstm = Lstm::with_options(2, 3, options, &mut rng);
    let x = Tensor::randn([2, 8, 2], &mut rng);
    let whole = lstm.forward(x.clone());
    let tape = Tape::new();
    let (first, second) = (tape.var(x.slice(1, ..5)), tape.var(x.slice(1, 5..)));
    let (y, state) = lstm.forward_from(first, None);
    all_close(&y.value(), &whole.slice(1, ..5));
    // Carried as tensors.
    let cut = state.detach().on(tape.place());
    let (y, _) = lstm.forward_from(second, Some(&cut));
    all_close(&y.value(), &whole.slice(1, 5..));
    let gradients = y.square().sum().backward();
    assert!(gradients.get(first).is_none() && gradients.get(second).is_some());
    // Carried as variables, as a decoder takes the state of an encoder.
    let (y, _) = lstm.forward_from(second, Some(&state));
    assert!(y.square().sum().backward().get(first).is_some());
}

#[test]
fn dropout_lies_between_layers_in_training_only() {
    let options = RecurrentOptions { layers: 2, dropout: 1.0, ..Default::default() };
    let rnn = Rnn::with_options(2, 3, options, &mut Rng::seed(1));
    let plain = Rnn::with_options(2, 3, RecurrentOptions { dropout: 0.0, ..options }, &mut Rng::seed(1));
    let [x, other] = [4, 5].map(|seed| Tensor::randn([2, 4, 2], &mut Rng::seed(seed)));
    assert_eq!(rnn.forward(x.clone()), plain.forward(x.clone()));
    // With all dropped the second layer sees nothing of the sequence; but it still gives something.
    let tape = Tape::training(0);
    let (y, _) = rnn.forward_from(tape.constant(&x), None);
    assert_eq!(y.value(), rnn.forward(tape.constant(&other)).value());
    assert!(y.value().iter().all(|y| y != 0.0));
}

/// Book 2, section 6.1.3: the gradient through the matrix product of 20 steps grows, and with half the matrix it
/// vanishes. At zero inputs and states the slope of the tanh is 1 throughout.
#[test]
fn gradients_through_time_explode_or_vanish_with_the_matrix() {
    let book = Tensor::from([
        [1.78862847, 0.43650985, 0.09649747],
        [-1.8634927, -0.2773882, -0.35475898],
        [-0.08274148, -0.62700068, -0.04381817],
    ]);
    for (scale, first, last) in [(1.0, 2.4684068, 249.49562), (0.5, 1.2342034, 0.00023793756)] {
        let mut rnn = Rnn::new(1, 3, &mut Rng::seed(0));
        set_all(&mut rnn, 0.0);
        // The book multiplies by the transposed matrix on the way back.
        *rnn.params_mut()[1].1.value_mut() = book.t() * scale;
        let norm = |steps: usize| {
            let tape = Tape::new();
            let h = tape.var(Tensor::zeros([1, 2, 3]));
            let start = RecurrentState { h, c: None };
            let (_, state) = rnn.forward_from(tape.constant(Tensor::zeros([2, steps, 1])), Some(&start));
            state.h.sum().backward()[h].square().sum().item().sqrt() / 2.0
        };
        for (steps, expected) in [(1, first), (20, last)] {
            assert!((norm(steps) / expected - 1.0).abs() < 1e-5, "{} is not {expected}", norm(steps));
        }
    }
}

/// Predicts a sequence from another of the same length.
struct Follower<L> {
    layer: L,
    output: Linear,
}

impl<L: Module> Module for Follower<L> {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, &'a Param)) {
        self.layer.visit(&join(path, "layer"), f);
        self.output.visit(&join(path, "output"), f);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, &'a mut Param)) {
        self.layer.visit_mut(&join(path, "layer"), f);
        self.output.visit_mut(&join(path, "output"), f);
    }
}

/// The cosine from the sine: the present value alone does not tell it, one must remember whether the sine rose. By truncated
/// backpropagation, 30 steps at a time; the mean squared error of the last pass, from a state carried throughout.
macro_rules! sine_to_cosine {
    ($layer:expr) => {{
        let mut rng = Rng::seed(2);
        let mut model = Follower { layer: $layer(&mut rng), output: Linear::new(12, 1, &mut rng) };
        let wave = |f: fn(f64) -> f64| Tensor::from_fn([1, 300, 1], |i| f(i[1] as f64 * 0.2) as f32);
        let (x, target) = (wave(f64::sin), wave(f64::cos));
        let (mut adam, mut tape, mut error) = (Adam::new(0.01), Tape::new(), 0.0);
        for _ in 0..40 {
            let mut state: Option<RecurrentState<Tensor>> = None;
            error = 0.0;
            for (x, target) in x.chunk(10, 1).iter().zip(target.chunk(10, 1)) {
                let (loss, gradients, after) = tape.step(|tape| {
                    let before = state.as_ref().map(|state| state.on(tape.place()));
                    let (h, after) = model.layer.forward_from(tape.constant(x), before.as_ref());
                    (model.output.forward(h).mse_loss(&tape.constant(target)), after.detach())
                });
                adam.step(&mut model, &gradients);
                (state, error) = (Some(after), error + loss / 10.0);
            }
        }
        error
    }};
}

#[test]
fn rnn_and_lstm_learn_the_cosine_from_the_sine() {
    let rnn = sine_to_cosine!(|rng| Rnn::new(1, 12, rng));
    let lstm = sine_to_cosine!(|rng| Lstm::new(1, 12, rng));
    // What knows the present value alone is at 0.5: the cosine's variance, of which the sine tells nothing.
    assert!(rnn < 0.02 && lstm < 0.02, "rnn {rnn}, lstm {lstm}");
}

const TEXT: &str = "the quick brown fox jumps over the lazy dog, and the dog, too lazy to jump, looks on.";

/// The letters of the text, as positions in the sorted list of all that occur; and how many there are.
fn letters() -> (Vec<i32>, usize) {
    let mut all: Vec<char> = TEXT.chars().collect();
    all.sort_unstable();
    all.dedup();
    let position = |letter| all.binary_search(&letter).unwrap() as i32;
    (TEXT.chars().map(position).collect(), all.len())
}

struct CharLstm {
    embedding: Embedding,
    lstm: Lstm,
    output: Linear,
}
module!(CharLstm { embedding, lstm, output });

impl CharLstm {
    fn scores<V: Value>(
        &self,
        at: Place<V>,
        letters: &[i32],
        state: Option<&RecurrentState<V>>,
    ) -> (V, RecurrentState<V>) {
        let x = self.embedding.forward(at, &Indices::new(letters, [1, letters.len()]));
        let (h, state) = self.lstm.forward_from(x, state);
        (self.output.forward(h.squeeze(0)), state)
    }
}

#[test]
fn an_lstm_learns_a_sentence_by_heart() {
    let (text, count) = letters();
    let mut rng = Rng::seed(5);
    let mut model = CharLstm {
        embedding: Embedding::new(count, 16, &mut rng),
        lstm: Lstm::new(16, 48, &mut rng),
        output: Linear::new(48, count, &mut rng),
    };
    let (mut adam, mut tape, mut loss) = (Adam::new(0.01), Tape::new(), 0.0);
    for _ in 0..80 {
        let mut state: Option<RecurrentState<Tensor>> = None;
        loss = 0.0;
        for start in (0..text.len() - 1).step_by(17) {
            let end = (start + 17).min(text.len() - 1);
            let labels = Indices::from(text[start + 1..=end].to_vec());
            let (sum, gradients, after) = tape.step(|tape| {
                let before = state.as_ref().map(|state| state.on(tape.place()));
                let (scores, after) = model.scores(tape.place(), &text[start..end], before.as_ref());
                (scores.cross_entropy(&labels) * (end - start) as f32, after.detach())
            });
            adam.step(&mut model, &gradients);
            (state, loss) = (Some(after), loss + f64::from(sum));
        }
    }
    let found = perplexity(loss / (text.len() - 1) as f64);
    assert!(found < 1.1, "perplexity {found}");
    // It writes the sentence, each letter from the one before and the state alone.
    let (mut written, mut state) = (vec![text[0]], None);
    while written.len() < text.len() {
        let last = &written[written.len() - 1..];
        let (scores, after) = model.scores(gradus_autograd::eager(), last, state.as_ref());
        written.push(scores.argmax(-1).get([0]));
        state = Some(after);
    }
    assert_eq!(written, text);
}

/// A GPT of one block.
struct CharTransformer {
    embedding: Embedding,
    positions: PositionalEncoding,
    block: TransformerEncoderLayer,
    norm: LayerNorm,
    output: Linear,
}
module!(CharTransformer { embedding, positions, block, norm, output });

impl CharTransformer {
    fn scores<V: Value>(&self, at: Place<V>, letters: &[i32]) -> V {
        let x = self.embedding.forward(at, &Indices::new(letters, [1, letters.len()]));
        let x = self.block.forward_masked(self.positions.forward(x), &AttentionMask::causal());
        self.output.forward(self.norm.forward(x)).squeeze(0)
    }
}

#[test]
fn a_transformer_block_learns_a_sentence_by_heart() {
    let (text, count) = letters();
    let mut rng = Rng::seed(6);
    let options = TransformerOptions { dropout: 0.0, gelu: true, norm_first: true };
    let mut model = CharTransformer {
        embedding: Embedding::new(count, 32, &mut rng),
        positions: PositionalEncoding::new(text.len(), 32),
        block: TransformerEncoderLayer::new(32, 4, 64, options, &mut rng),
        norm: LayerNorm::new([32]),
        output: Linear::new(32, count, &mut rng),
    };
    let (mut adam, mut tape, mut loss) = (Adam::new(0.005), Tape::training(0), 0.0);
    let (seen, labels) = (&text[..text.len() - 1], Indices::from(text[1..].to_vec()));
    for _ in 0..150 {
        let (sum, gradients, ()) =
            tape.step(|tape| (model.scores(tape.place(), seen).cross_entropy(&labels), ()));
        adam.step(&mut model, &gradients);
        loss = f64::from(sum);
    }
    assert!(perplexity(loss) < 1.1, "perplexity {}", perplexity(loss));
    // No position sees what it is to predict: the beginning alone has the same scores.
    let whole = model.scores(gradus_autograd::eager(), seen);
    let beginning = model.scores(gradus_autograd::eager(), &seen[..20]);
    let off = (whole.slice(0, ..20) - beginning).iter().fold(0.0f32, |m, d| m.max(d.abs()));
    assert!(off < 1e-3, "off by {off}");
}

#[test]
fn positions_are_sines_and_cosines() {
    let waves = PositionalEncoding::new(50, 5).waves;
    for (t, column) in [(0, 0), (1, 0), (7, 1), (49, 2), (30, 3), (30, 4)] {
        let angle = t as f64 / 10000f64.powf((column / 2 * 2) as f64 / 5.0);
        let expected = if column % 2 == 0 { angle.sin() } else { angle.cos() };
        close(waves.get([t, column]), expected);
    }
}

#[test]
fn what_is_masked_has_no_weight_and_no_gradient() {
    let mut rng = Rng::seed(8);
    let attention = MultiheadAttention::new(4, 2, &mut rng);
    let tape = Tape::new();
    let x = tape.var(Tensor::randn([2, 3, 4], &mut rng));
    let padding = Some(Tensor::from([[0.0, 0.0, 1.0], [1.0, 1.0, 1.0]]));
    let mask = AttentionMask { padding, ..AttentionMask::causal() };
    let (y, weights) = attention.attend_with_weights(&x, &x, &x, &mask);
    let weights = weights.value();
    for head in 0..2 {
        for query in 0..3 {
            let row: Vec<f32> = (0..3).map(|key| weights.get([0, head, query, key])).collect();
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6 && row[2] == 0.0, "{row:?}");
            assert!(query > 0 || row[1] == 0.0, "the first query sees the second key: {row:?}");
        }
    }
    // The second sequence is all padding: its queries see nothing, and give the output's bias.
    assert!(weights.select(0, 1).iter().all(|w| w == 0.0));
    let bias = attention.out_proj.bias.as_ref().unwrap().value();
    assert_eq!(y.value().select(0, 1), bias.broadcast_to([3, 4]));
    let gradients = y.square().sum().backward();
    assert!(gradients[x].select(0, 1).iter().all(|d| d == 0.0));
}

#[test]
fn a_query_that_nothing_lets_see_gives_the_bias() {
    let mut rng = Rng::seed(8);
    let attention = MultiheadAttention::new(4, 2, &mut rng);
    let x = Tensor::randn([1, 3, 4], &mut rng);
    // The second query sees nothing: its keys are hidden by one mask, by the other, or by both together.
    let inf = f32::INFINITY;
    let row = |values: [f32; 3]| Some(Tensor::from([[0.0; 3], values, [0.0; 3]]));
    for (hidden, added) in [
        (row([1.0, 1.0, 1.0]), None),
        (None, row([-inf, -inf, -inf])),
        (row([0.0, 1.0, 1.0]), row([-inf, 0.0, -inf])),
    ] {
        let mask = AttentionMask { hidden, added, ..AttentionMask::none() };
        let tape = Tape::new();
        let v = tape.var(&x);
        let (y, weights) = attention.attend_with_weights(&v, &v, &v, &mask);
        let bias = attention.out_proj.bias.as_ref().unwrap().value();
        assert_eq!(&y.value().select(0, 0).select(0, 1), bias);
        assert_eq!(weights.value().slice(2, 1..2), Tensor::zeros([1, 2, 1, 3]));
        assert_eq!(
            weights.value().slice(2, 0..1),
            attention.attend_with_weights(&x, &x, &x, &AttentionMask::none()).1.slice(2, 0..1)
        );
        // Query 1 goes nowhere; as a key it is seen by the others.
        assert!(y.select(1, 1).sum().backward().get(v).is_none_or(|g| g.iter().all(|g| g == 0.0)));
        assert!(y.sum().backward()[v].iter().all(|g| g.is_finite()));
    }
}

/// The panic points to the line of the call; what it says is added to the messages.
macro_rules! panics_here {
    ($said:ident, $f:expr) => {{
        let line = line!();
        let (text, file, at) = panic_of(|| drop($f));
        assert!(file.ends_with("sequences.rs") && (line..line + 4).contains(&at), "{text}: {file}:{at}");
        $said.add(text);
    }};
}

#[test]
fn misuse_is_named_at_the_users_line() {
    let mut said = Messages::of("nn", module_path!(), "misuse_is_named_at_the_users_line");
    let rng = &mut Rng::seed(0);
    let zeros = |shape: &[usize]| Tensor::zeros(shape);
    panics_here!(said, Lstm::new(0, 4, rng));
    let options = RecurrentOptions { layers: 0, ..Default::default() };
    panics_here!(said, Gru::with_options(2, 4, options, rng));
    let options = RecurrentOptions { dropout: 1.5, ..Default::default() };
    panics_here!(said, Rnn::with_options(2, 4, options, rng));
    let options = RecurrentOptions { proj_size: Some(4), ..Default::default() };
    panics_here!(said, Lstm::with_options(2, 4, options, rng));
    panics_here!(said, Gru::with_options(2, 5, options, rng));
    let projected = Lstm::with_options(2, 5, options, rng);
    let short = RecurrentState { h: zeros(&[1, 3, 5]), c: Some(zeros(&[1, 3, 5])) };
    panics_here!(said, projected.forward_from(zeros(&[3, 6, 2]), Some(&short)));
    panics_here!(said, GruCell::new(1, 0, rng));
    let lstm = Lstm::new(2, 4, rng);
    panics_here!(said, lstm.forward(zeros(&[3, 2])));
    panics_here!(said, lstm.forward_from(zeros(&[3, 5, 4]), None));
    panics_here!(said, lstm.forward(zeros(&[3, 0, 2])));
    let state = RecurrentState { h: zeros(&[1, 3, 4]), c: None };
    panics_here!(said, lstm.forward_from(zeros(&[3, 5, 2]), Some(&state)));
    let steps_first = RecurrentOptions { batch_first: false, ..Default::default() };
    let gru = Gru::with_options(2, 4, steps_first, rng);
    panics_here!(said, gru.forward_from(zeros(&[3, 5, 2]), Some(&state)));
    panics_here!(said, gru.forward(zeros(&[3, 2])));
    let cell = RnnCell::new(2, 4, rng);
    panics_here!(said, cell.step(zeros(&[3, 3]), None));
    panics_here!(said, cell.step(zeros(&[3, 2]), Some(&state)));

    panics_here!(said, MultiheadAttention::new(6, 4, rng));
    let attention = MultiheadAttention::new(6, 3, rng);
    panics_here!(said, attention.clone().dropout(-1.0));
    let x = zeros(&[2, 3, 6]);
    let other = zeros(&[2, 4, 6]);
    panics_here!(said, attention.forward(zeros(&[2, 3, 5])));
    panics_here!(said, attention.forward(zeros(&[3, 6])));
    panics_here!(said, attention.attend(&x, &x, &other, &AttentionMask::none()));
    let padded = AttentionMask { padding: Some(zeros(&[2, 4])), ..AttentionMask::none() };
    panics_here!(said, attention.attend_self(&x, &padded));
    let hidden = AttentionMask { hidden: Some(zeros(&[6, 3, 3])), ..AttentionMask::none() };
    panics_here!(said, attention.attend_self(&x, &hidden));
    let of_keys = AttentionMask { hidden: Some(zeros(&[2, 3])), ..AttentionMask::none() };
    panics_here!(said, attention.attend_self(&x, &of_keys));
    let added = AttentionMask { added: Some(zeros(&[3, 3])), ..AttentionMask::none() };
    panics_here!(said, attention.attend(&x, &other, &other, &added));
    panics_here!(said, PositionalEncoding::new(0, 4));
    panics_here!(said, PositionalEncoding::new(2, 6).forward(x.clone()));
    let options = TransformerOptions { dropout: 2.0, ..Default::default() };
    panics_here!(said, TransformerEncoderLayer::new(6, 2, 8, options, rng));
    let encoder = TransformerEncoderLayer::new(6, 2, 8, Default::default(), rng);
    panics_here!(said, encoder.forward(zeros(&[3, 6])));
    let decoder = TransformerDecoderLayer::new(6, 2, 8, Default::default(), rng);
    let none = AttentionMask::none();
    panics_here!(said, decoder.forward(x, &zeros(&[2, 3, 7]), &none, &none));
    said.check();
}
