//! What is saved of a training run beside its weights: named tensors and named values.

use super::{DataError, safetensors::load_both, save_tensors, weights};
use crate::module::Module;
use gradus_tensor::{Rng, RngState, Tensor};
use std::{
    collections::BTreeMap,
    fmt::{self, Display},
    path::Path,
    str::FromStr,
};

/// Named tensors and named values: what an optimizer, a schedule or a whole training run saves, to go on from it bit for
/// bit.
///
/// Values are kept as texts. Rust prints floating-point numbers with all the digits that reading them back needs.
///
/// ```
/// use gradus_nn::State;
/// use gradus_tensor::Tensor;
///
/// let mut optimizer = State::new();
/// optimizer.put("lr", 0.1);
/// optimizer.put_tensor("weight.exp_avg", Tensor::zeros([2]));
/// let mut run = State::new();
/// run.put("epoch", 3);
/// run.put_part("optimizer", optimizer);
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("run.safetensors");
/// run.save(&path)?;
/// let loaded = State::load(&path)?;
/// assert_eq!(loaded.get::<usize>("epoch")?, 3);
/// assert_eq!(loaded.part("optimizer").get::<f64>("lr")?, 0.1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    tensors: BTreeMap<String, Tensor>,
    values: BTreeMap<String, String>,
}

/// A saved state that does not fit what it is to be restored to: why, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateError(String);

impl StateError {
    /// With this reason.
    pub fn new(reason: impl Display) -> StateError {
        StateError(reason.to_string())
    }
}

impl Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StateError {}

impl State {
    /// Nothing yet.
    pub fn new() -> State {
        State::default()
    }

    /// Adds a tensor, or replaces it. The tensor is shared, not copied.
    pub fn put_tensor(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.tensors.insert(name.into(), tensor);
    }

    /// Adds a value, or replaces it.
    pub fn put(&mut self, name: impl Into<String>, value: impl Display) {
        self.values.insert(name.into(), value.to_string());
    }

    /// Adds all of another state, below a name.
    pub fn put_part(&mut self, name: &str, part: State) {
        self.tensors.extend(part.tensors.into_iter().map(|(key, tensor)| (format!("{name}.{key}"), tensor)));
        self.values.extend(part.values.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
    }

    /// What [`State::put_part`] added below this name.
    pub fn part(&self, name: &str) -> State {
        let below = |key: &str| Some(key.strip_prefix(name)?.strip_prefix('.')?.to_owned());
        State {
            tensors: self.tensors.iter().filter_map(|(key, t)| Some((below(key)?, t.clone()))).collect(),
            values: self.values.iter().filter_map(|(key, v)| Some((below(key)?, v.clone()))).collect(),
        }
    }

    /// Adds the parameters and buffers of a model, below a name.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// use gradus_nn::{Adam, Linear, Optimizer, State};
    ///
    /// // What a training loop of your own saves, and goes on from.
    /// let (mut rng, mut adam) = (Rng::seed(0), Adam::new(0.01));
    /// let mut net = Linear::new(3, 2, &mut rng);
    /// let mut run = State::new();
    /// run.put_model("model", &net);
    /// run.put_part("optimizer", adam.state());
    /// run.put_rng("rng", &rng);
    ///
    /// run.restore_model("model", &mut net)?;
    /// adam.restore(&run.part("optimizer"), &net)?;
    /// let mut later = run.rng("rng")?;
    /// assert_eq!(later.bits(), rng.bits());
    /// # Ok::<(), gradus_nn::StateError>(())
    /// ```
    ///
    /// # Panics
    /// When the model names two parameters alike: one of them would be lost.
    #[track_caller]
    pub fn put_model(&mut self, name: &str, model: &dyn Module) {
        match weights::state_dict(model) {
            Ok(tensors) => self.put_part(name, State { tensors, ..State::new() }),
            Err(fault) => panic!("put_model: {fault}"),
        }
    }

    /// Sets the parameters and buffers that [`State::put_model`] added below this name. Either all of them are set, or the
    /// model stays as it is.
    ///
    /// # Errors
    /// When the names or shapes are not the model's, and what does not fit is named; or the model names two parameters alike.
    pub fn restore_model(&self, name: &str, model: &mut dyn Module) -> Result<(), StateError> {
        let named = |faults| StateError::new(format!("{name}: {faults}"));
        weights::set_params(model, self.part(name).tensors, true, "the file").map_err(named)?;
        Ok(())
    }

    /// Adds where a generator of random numbers stands, below a name.
    pub fn put_rng(&mut self, name: &str, rng: &Rng) {
        let RngState { seed, position } = rng.state();
        self.put(format!("{name}.seed"), seed);
        self.put(format!("{name}.position"), position);
    }

    /// The generator that [`State::put_rng`] added below this name, to go on from there.
    ///
    /// # Errors
    /// When there is none.
    pub fn rng(&self, name: &str) -> Result<Rng, StateError> {
        let (seed, position) = (self.get(&format!("{name}.seed"))?, self.get(&format!("{name}.position"))?);
        Ok(Rng::restore(RngState { seed, position }))
    }

    /// All tensors.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// The value of this name.
    ///
    /// # Errors
    /// When there is none, or it is not of this type.
    pub fn get<T: FromStr>(&self, name: &str) -> Result<T, StateError> {
        let Some(text) = self.values.get(name) else {
            return Err(StateError::new(format!("{name} is missing")));
        };
        text.parse().map_err(|_| {
            StateError::new(format!("{name} is {text:?}, which is no {}", std::any::type_name::<T>()))
        })
    }

    /// Saves it as a safetensors file, whose metadata holds the values. The file is complete or not there at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), DataError> {
        let line = |(name, value): (&String, &String)| format!("{}={}", escape(name), escape(value));
        let lines: Vec<String> = self.values.iter().map(line).collect();
        let tensors = self.tensors.iter().map(|(name, tensor)| (name.clone(), tensor));
        save_tensors(path, tensors, &lines.join("\n"))
    }

    /// Loads what [`State::save`] saved.
    ///
    /// # Errors
    /// When the file cannot be read or is none of these.
    pub fn load(path: impl AsRef<Path>) -> Result<State, DataError> {
        let path = path.as_ref();
        let (tensors, text) = load_both(path)?;
        let mut values = BTreeMap::new();
        for line in text.lines() {
            let Some((name, value)) = line.split_once('=') else {
                return Err(DataError::new(path, format!("the metadata's line {line:?} is not name=value")));
            };
            let name = unescape(name);
            if values.contains_key(&name) {
                return Err(DataError::new(
                    path,
                    format!("the metadata has two values of the name {name:?}"),
                ));
            }
            values.insert(name, unescape(value));
        }
        Ok(State { tensors, values })
    }
}

/// What ends a line or a name, written otherwise.
const ESCAPES: [(char, char); 4] = [('\\', '\\'), ('\n', 'n'), ('\r', 'r'), ('=', 'e')];

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match ESCAPES.iter().find(|(plain, _)| *plain == character) {
            Some((_, letter)) => escaped.extend(['\\', *letter]),
            None => escaped.push(character),
        }
    }
    escaped
}

fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let letter = if character == '\\' { characters.next() } else { None };
        let escaped = ESCAPES.iter().find(|(_, of)| Some(*of) == letter);
        plain.push(escaped.map_or(character, |(plain, _)| *plain));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::{super::write_atomically, *};
    use crate::Param;
    use proptest::prelude::*;

    #[test]
    fn tensors_and_values_are_of_one_save_while_another_process_saves() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let bytes: Vec<Vec<u8>> = [1.0, 2.0]
            .map(|number| {
                let mut state = State::new();
                state.put("number", number);
                state.put_tensor("number", Tensor::full([1000], number as f32));
                state.save(&path).unwrap();
                std::fs::read(&path).unwrap()
            })
            .into();
        std::thread::scope(|scope| {
            let saver = scope.spawn(|| {
                for i in 0..400 {
                    write_atomically(&path, &bytes[i % 2]).unwrap();
                }
            });
            while !saver.is_finished() {
                let state = State::load(&path).unwrap();
                assert_eq!(state.get::<f32>("number").unwrap(), state.tensors()["number"].get([0]));
            }
        });
    }

    #[test]
    #[should_panic = "put_model: the model names two parameters weight"]
    fn a_model_that_names_two_parameters_alike_is_not_saved_by_half() {
        struct Twice(Param, Param);
        impl Module for Twice {
            fn visit<'a>(&'a self, _: &str, f: &mut dyn FnMut(&str, &'a Param)) {
                f("weight", &self.0);
                f("weight", &self.1);
            }
            fn visit_mut<'a>(&'a mut self, _: &str, f: &mut dyn FnMut(&str, &'a mut Param)) {
                f("weight", &mut self.0);
                f("weight", &mut self.1);
            }
        }
        State::new().put_model("model", &Twice(Param::new(1.0), Param::new(2.0)));
    }

    #[test]
    fn values_come_back_bit_for_bit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let mut state = State::new();
        let numbers = [0.1, f64::MIN_POSITIVE, -1e300, f64::INFINITY, 1.0 / 3.0];
        for (i, number) in numbers.iter().enumerate() {
            state.put(format!("number{i}"), number);
        }
        state.put("whole", u64::MAX);
        state.put("text", "two lines\nof = signs \\n and \\\\ backslashes\n");
        state.put("empty", "");
        state.put("lr=0.1\nthe second \\e", "ends with a return\r");
        state.save(&path).unwrap();
        let loaded = State::load(&path).unwrap();
        assert_eq!(loaded, state);
        for (i, number) in numbers.iter().enumerate() {
            assert_eq!(loaded.get::<f64>(&format!("number{i}")).unwrap().to_bits(), number.to_bits());
        }
        assert_eq!(loaded.get::<u64>("whole"), Ok(u64::MAX));
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_named() {
        let mut state = State::new();
        state.put("epoch", "three");
        assert_eq!(state.get::<u64>("step").unwrap_err().to_string(), "step is missing");
        assert_eq!(state.get::<u64>("epoch").unwrap_err().to_string(), "epoch is \"three\", which is no u64");
    }

    #[test]
    fn a_part_is_what_lies_below_its_name_only() {
        let mut inner = State::new();
        inner.put("lr", 1);
        inner.put_tensor("w", Tensor::scalar(2.0));
        let mut state = State::new();
        state.put_part("a", inner.clone());
        state.put("ab.lr", 5);
        assert_eq!(state.part("a"), inner);
        assert_eq!(state.part("b"), State::new());
    }

    #[test]
    fn other_metadata_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        save_tensors(&path, [], "no assignment").unwrap();
        assert!(State::load(&path).unwrap_err().reason.contains("no assignment"));
        save_tensors(&path, [], "steps=3\nlr=0.1\nsteps=4").unwrap();
        assert_eq!(
            State::load(&path).unwrap_err().reason,
            "the metadata has two values of the name \"steps\""
        );
    }

    proptest! {
        #[test]
        fn changed_states_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("state");
            let mut state = State::new();
            state.put("epoch=\n", 3);
            state.put_tensor("w", Tensor::arange(3));
            let mut bytes = safetensors_bytes(&state, &path);
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            std::fs::write(&path, bytes).unwrap();
            if let Err(error) = State::load(&path) {
                prop_assert_eq!(error.path, path);
            }
        }
    }

    fn safetensors_bytes(state: &State, path: &Path) -> Vec<u8> {
        state.save(path).unwrap();
        std::fs::read(path).unwrap()
    }
}
