//! Recurrent layers, attention and transformer layers equal PyTorch's: `golden/sequences.py` has computed outputs, final
//! states and gradients in double precision. Weights come under PyTorch's names through the library's own loading.
//!
//! Twice: what is recorded, in f64, to the last bit but one of what the file holds; and the f32 results as near to that as the
//! rounding of inputs and weights alone explains. A layer norm of numbers that are nearly equal makes much of a rounding: a
//! bound by the size of the result alone is too wide for most layers and too narrow for a few.

use gradus_autograd::{op::reference::Array, prelude::*};
use gradus_nn::{
    AttentionMask, Gru, GruCell, Lstm, LstmCell, Module, MultiheadAttention, RecurrentOptions,
    RecurrentState, Rnn, RnnCell, TransformerDecoderLayer, TransformerEncoderLayer, TransformerOptions, load,
    load_tensors, save_tensors,
};
use std::collections::BTreeMap;

/// How many times what rounding the inputs changes a result may be off. Seen were 8.3 with the portable kernels, 4.8 with AVX2.
const TIMES: f64 = 16.0;

/// How often inputs are rounded at random.
const ROUNDINGS: usize = 8;

type Named = BTreeMap<String, Tensor>;

/// A case of the file: how the module is made, and its tensors by kind.
struct Case {
    words: Vec<String>,
    tensors: BTreeMap<String, Named>,
}

/// The cases whose name begins with this word.
fn cases(kind: &str) -> Vec<Case> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/sequences.safetensors");
    let mut cases: BTreeMap<String, BTreeMap<String, Named>> = BTreeMap::new();
    for (name, tensor) in load_tensors(file).unwrap() {
        let parts: Vec<&str> = name.split('|').collect();
        let case = cases.entry(parts[0].to_string()).or_default();
        case.entry(parts[1].to_string()).or_default().insert(parts[2].to_string(), tensor);
    }
    let found: Vec<Case> = cases
        .into_iter()
        .map(|(name, tensors)| Case { words: name.split(' ').map(String::from).collect(), tensors })
        .filter(|case| case.words[0] == kind)
        .collect();
    assert!(found.len() >= 4, "{kind}: {} cases", found.len());
    found
}

impl Case {
    fn name(&self) -> String {
        self.words.join(" ")
    }

    fn number(&self, position: usize) -> usize {
        self.words[position].parse().unwrap()
    }

    fn is(&self, word: &str) -> bool {
        self.words.iter().any(|w| w == word)
    }

    /// The lengths of padded sequences, such as `3,5,1`.
    fn lengths(&self) -> Option<Vec<usize>> {
        let words = self.words[0].starts_with("padded").then(|| self.words[4].split(','))?;
        Some(words.map(|word| word.parse().unwrap()).collect())
    }

    fn get(&self, kind: &str, name: &str) -> Option<&Tensor> {
        self.tensors.get(kind)?.get(name)
    }

    fn load<M: Module>(&self, mut model: M) -> M {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        save_tensors(&path, self.tensors["weights"].iter().map(|(name, t)| (name.clone(), t)), "").unwrap();
        load(&mut model, &path).unwrap();
        model
    }

    fn inputs<'t>(&self, tape: &'t Tape) -> BTreeMap<&str, Var<'t>> {
        self.tensors["inputs"].iter().map(|(name, x)| (&name[..], tape.var(x))).collect()
    }

    fn state<'t>(&self, inputs: &BTreeMap<&str, Var<'t>>) -> Option<RecurrentState<Var<'t>>> {
        inputs.get("h0").map(|&h| RecurrentState { h, c: inputs.get("c0").copied() })
    }

    /// Compares outputs, and the gradients of inputs and parameters.
    fn check(
        &self,
        model: &dyn Module,
        inputs: &BTreeMap<&str, Var<'_>>,
        outputs: &[(&str, Option<Var<'_>>)],
    ) {
        let mut loss: Option<Var<'_>> = None;
        let mut results: Vec<Outcome<'_>> = Vec::new();
        for &(name, output) in outputs {
            let Some(output) = output else { continue };
            let cotangent = output.tape().constant(&self.tensors["cotangents"][name]);
            let part = (output * cotangent).sum();
            loss = Some(loss.map_or(part, |sum| sum + part));
            results.push(Outcome::new("outputs", name, output.value(), output));
        }
        assert_eq!(results.len(), self.tensors["outputs"].len(), "{}: outputs", self.name());
        let loss = loss.unwrap();
        let (gradients, tape) = (loss.backward(), loss.tape());
        let params = model.params();
        let mut leaves: Vec<(&str, Var<'_>)> = inputs.iter().map(|(name, input)| (*name, *input)).collect();
        leaves.extend(params.iter().map(|(name, param)| (&name[..], tape.param(param))));
        assert_eq!(leaves.len(), self.tensors["gradients"].len(), "{}: gradients", self.name());
        let vars: Vec<Var<'_>> = leaves.iter().map(|(_, var)| *var).collect();
        let slopes = loss.grad(&vars);
        for (k, ((name, var), slope)) in leaves.iter().zip(slopes).enumerate() {
            let found =
                if k < inputs.len() { &gradients[*var] } else { &gradients[params[k - inputs.len()].1] };
            results.push(Outcome::new("gradients", name, found.clone(), slope.unwrap()));
        }
        self.compare(&vars, &results);
    }

    fn compare(&self, leaves: &[Var<'_>], results: &[Outcome<'_>]) {
        let mut exact = leaves[0].tape().exact();
        let values: Vec<Array> = results.iter().map(|result| exact.of(result.recorded).clone()).collect();
        let (mut moved, mut rng) = (vec![0.0f64; results.len()], Rng::seed(1));
        for _ in 0..ROUNDINGS {
            let mut rounded = |x: &Tensor| {
                let half_a_unit = f64::from(f32::EPSILON / 2.0);
                let numbers =
                    x.iter().map(|x| f64::from(x) * (1.0 + half_a_unit * f64::from(rng.uniform(-1.0, 1.0))));
                Array::new(numbers.collect(), x.shape())
            };
            let to: Vec<(Var<'_>, Array)> =
                leaves.iter().map(|leaf| (*leaf, rounded(&leaf.value()))).collect();
            exact.move_to(&to);
            for ((moved, result), value) in moved.iter_mut().zip(results).zip(&values) {
                *moved = moved.max(distance(exact.of(result.recorded).data().iter().copied(), value));
            }
        }
        let case = self.name();
        for ((Outcome { kind, name, found, .. }, value), moved) in results.iter().zip(&values).zip(moved) {
            let expected =
                self.get(kind, name).unwrap_or_else(|| panic!("{case}: PyTorch has no {kind} {name}"));
            assert_eq!(found.shape(), expected.shape(), "{case}: {kind} {name}");
            let largest = value.data().iter().fold(1.0f64, |largest, x| largest.max(x.abs()));
            let unit = largest * f64::from(f32::EPSILON) / 2.0;
            let off = distance(expected.iter().map(f64::from), value);
            assert!(
                off <= 1.5 * unit,
                "{case}: {kind} {name} in f64 is off by {off}: {value:?} is not {expected:?}"
            );
            let off = distance(found.iter().map(f64::from), value);
            assert!(
                off <= TIMES * moved.max(unit),
                "{case}: {kind} {name} is off by {off}, {} times what rounding explains: {found:?} is not {expected:?}",
                off / moved.max(unit)
            );
        }
    }
}

/// A result, and where on the tape it is recorded.
struct Outcome<'t> {
    kind: &'static str,
    name: String,
    found: Tensor,
    recorded: Var<'t>,
}

impl<'t> Outcome<'t> {
    fn new(kind: &'static str, name: &str, found: Tensor, recorded: Var<'t>) -> Outcome<'t> {
        Outcome { kind, name: name.to_owned(), found, recorded }
    }
}

/// How far the elements are from others at most.
fn distance(found: impl Iterator<Item = f64>, value: &Array) -> f64 {
    found.zip(value.data()).fold(0.0, |off, (a, b)| off.max((a - b).abs()))
}

macro_rules! recurrent {
    ($case:ident, $layer:expr) => {{
        let layer = $case.load($layer);
        let tape = Tape::new();
        let inputs = $case.inputs(&tape);
        let state = $case.state(&inputs);
        let (y, last) = match $case.lengths() {
            Some(lengths) => layer.forward_padded(inputs["x"], &lengths, state.as_ref()),
            None => layer.forward_from(inputs["x"], state.as_ref()),
        };
        $case.check(&layer, &inputs, &[("y", Some(y)), ("h", Some(last.h)), ("c", last.c)]);
    }};
}

#[test]
fn recurrent_layers_are_those_of_pytorch() {
    let plain = ["tanh", "relu", "lstm", "gru", "projected"];
    for kind in plain.into_iter().chain(["padded_rnn", "padded_lstm", "padded_gru", "padded_projected"]) {
        for case in cases(kind) {
            let options = RecurrentOptions {
                layers: case.number(3),
                bidirectional: case.is("bidirectional"),
                bias: !case.is("no_bias"),
                dropout: 0.0,
                batch_first: !case.is("steps_first"),
                proj_size: case.words.iter().find_map(|word| word.strip_prefix("proj=")?.parse().ok()),
            };
            let (inputs, hidden, rng) = (case.number(1), case.number(2), &mut Rng::seed(0));
            match kind {
                "tanh" | "padded_rnn" => recurrent!(case, Rnn::with_options(inputs, hidden, options, rng)),
                "relu" => recurrent!(case, Rnn::with_options(inputs, hidden, options, rng).relu()),
                "lstm" | "projected" | "padded_lstm" | "padded_projected" => {
                    recurrent!(case, Lstm::with_options(inputs, hidden, options, rng))
                }
                _ => recurrent!(case, Gru::with_options(inputs, hidden, options, rng)),
            }
        }
    }
}

macro_rules! cell {
    ($case:ident, $cell:expr) => {{
        let cell = $cell;
        let cell = $case.load(if $case.is("no_bias") { cell.without_bias() } else { cell });
        let tape = Tape::new();
        let inputs = $case.inputs(&tape);
        let last = cell.step(inputs["x"], $case.state(&inputs).as_ref());
        $case.check(&cell, &inputs, &[("h", Some(last.h)), ("c", last.c)]);
    }};
}

#[test]
fn recurrent_cells_are_those_of_pytorch() {
    for kind in ["tanh_cell", "relu_cell", "lstm_cell", "gru_cell"] {
        for case in cases(kind) {
            let (inputs, hidden, rng) = (case.number(1), case.number(2), &mut Rng::seed(0));
            match kind {
                "tanh_cell" => cell!(case, RnnCell::new(inputs, hidden, rng)),
                "relu_cell" => cell!(case, RnnCell::new(inputs, hidden, rng).relu()),
                "lstm_cell" => cell!(case, LstmCell::new(inputs, hidden, rng)),
                _ => cell!(case, GruCell::new(inputs, hidden, rng)),
            }
        }
    }
}

/// As in the script: the last key of the first sequence is hidden, and the general masks are those of this prefix.
fn mask(case: &Case, causal: bool, padded: bool, keys: usize, prefix: &str) -> AttentionMask {
    let fills = Tensor::from_fn([2, keys], |index| if index == [0, keys - 1] { 1.0 } else { 0.0 });
    AttentionMask {
        causal: causal && case.is("causal"),
        padding: (padded && case.is("padding")).then_some(fills),
        hidden: case.get("masks", &format!("{prefix}hidden")).cloned(),
        added: case.get("masks", &format!("{prefix}added")).cloned(),
    }
}

#[test]
fn attention_is_that_of_pytorch() {
    for case in cases("attention") {
        let attention = MultiheadAttention::new(case.number(1), case.number(2), &mut Rng::seed(0));
        let attention = case.load(if case.is("no_bias") { attention.without_bias() } else { attention });
        let tape = Tape::new();
        let inputs = case.inputs(&tape);
        let x = inputs["x"];
        let memory = inputs.get("memory").copied().unwrap_or(x);
        let values = inputs.get("values").copied().unwrap_or(x);
        let mask = mask(&case, true, true, memory.shape()[1], "");
        let (y, weights) = attention.attend_with_weights(&x, &memory, &values, &mask);
        case.check(&attention, &inputs, &[("y", Some(y)), ("weights", Some(weights))]);
        if !case.is("cross") {
            let (own, of_memory) = (attention.attend_self(&x.value(), &mask), y.value());
            assert!(own.iter().map(f32::to_bits).eq(of_memory.iter().map(f32::to_bits)), "{}", case.name());
        }
    }
}

fn transformer_options(case: &Case) -> TransformerOptions {
    TransformerOptions { dropout: 0.0, gelu: case.is("gelu"), norm_first: case.is("norm_first") }
}

#[test]
fn encoder_layers_are_those_of_pytorch() {
    for case in cases("encoder") {
        let [size, heads, feedforward] = [1, 2, 3].map(|k| case.number(k));
        let options = transformer_options(&case);
        let layer =
            case.load(TransformerEncoderLayer::new(size, heads, feedforward, options, &mut Rng::seed(0)));
        let tape = Tape::new();
        let inputs = case.inputs(&tape);
        let y = layer.forward_masked(inputs["x"], &mask(&case, true, true, 4, ""));
        case.check(&layer, &inputs, &[("y", Some(y))]);
    }
}

#[test]
fn decoder_layers_are_those_of_pytorch() {
    for case in cases("decoder") {
        let [size, heads, feedforward] = [1, 2, 3].map(|k| case.number(k));
        let options = transformer_options(&case);
        let layer =
            case.load(TransformerDecoderLayer::new(size, heads, feedforward, options, &mut Rng::seed(0)));
        let tape = Tape::new();
        let inputs = case.inputs(&tape);
        let [own, memory] =
            [mask(&case, true, case.is("masks"), 3, ""), mask(&case, false, true, 4, "memory_")];
        let y = layer.forward(inputs["x"], &inputs["memory"], &own, &memory);
        case.check(&layer, &inputs, &[("y", Some(y))]);
    }
}
