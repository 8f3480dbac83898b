//! A model of letters by truncated backpropagation, in a training loop of a user's own: it stops within the text, goes on from
//! a file bit for bit, and writes what it has learnt.

use gradus::{
    nn::{decode::Sampler, metrics::perplexity},
    prelude::*,
};

const TEXT: &str = "the quick brown fox jumps over the lazy dog, and the dog, too lazy to jump, looks on. ";
/// So many parts of the text are read side by side, so many letters at a time.
const STREAMS: usize = 3;
const PIECE: usize = 7;

struct CharModel {
    embedding: Embedding,
    lstm: Lstm,
    output: Linear,
}
module!(CharModel { embedding, lstm, output });

impl CharModel {
    fn new(letters: usize, rng: &mut Rng) -> CharModel {
        let options = RecurrentOptions { layers: 2, dropout: 0.1, ..Default::default() };
        CharModel {
            embedding: Embedding::new(letters, 12, rng),
            lstm: Lstm::with_options(12, 32, options, rng),
            output: Linear::new(32, letters, rng),
        }
    }

    /// The scores of what follows each letter, `[n · steps, letters]`, and the state after them.
    fn scores<V: Value>(
        &self,
        at: Place<V>,
        seen: &Indices,
        state: Option<&RecurrentState<V>>,
    ) -> (V, RecurrentState<V>) {
        let (h, after) = self.lstm.forward_from(self.embedding.forward(at, seen), state);
        let rows = h.reshape([seen.numel(), h.shape()[2]]);
        (self.output.forward(rows), after)
    }
}

/// The letters that occur, sorted, and the text in their numbers.
fn text() -> (Vec<char>, Vec<i32>) {
    let mut letters: Vec<char> = TEXT.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    let number = |letter| letters.binary_search(&letter).expect("it occurs") as i32;
    let text = TEXT.chars().map(number).collect();
    (letters, text)
}

/// All that a run consists of.
struct Run {
    model: CharModel,
    adam: Adam,
    rng: Rng,
    step: usize,
    carried: Option<RecurrentState<Tensor>>,
}

impl Run {
    fn new() -> Run {
        let mut rng = Rng::seed(3);
        let model = CharModel::new(text().0.len(), &mut rng);
        Run { model, adam: Adam::new(0.01), rng, step: 0, carried: None }
    }

    /// Trains to this step; gives the mean loss of the last pass over the text.
    fn train(&mut self, to: usize) -> f64 {
        let (_, text) = text();
        let stream = text.len() / STREAMS;
        let pieces = (stream - 1) / PIECE;
        let mut losses = Vec::new();
        for step in self.step..to {
            let start = step % pieces * PIECE;
            if start == 0 {
                self.carried = None;
            }
            // The letters from there on in each stream, and those that follow them.
            let cut = |shift: usize| -> Vec<i32> {
                let starts = (0..STREAMS).map(|k| k * stream + start + shift);
                starts.flat_map(|start| text[start..start + PIECE].iter().copied()).collect()
            };
            let (seen, next) = (Indices::new(cut(0), [STREAMS, PIECE]), Indices::from(cut(1)));
            let (loss, mut gradients, after) = Tape::training(self.rng.bits()).step(|tape| {
                let before = self.carried.as_ref().map(|state| state.on(tape.place()));
                let (scores, after) = self.model.scores(tape.place(), &seen, before.as_ref());
                (scores.cross_entropy(&next), after.detach())
            });
            clip_grad_norm(&self.model, &mut gradients, 1.0);
            self.adam.step(&mut self.model, &gradients);
            self.carried = Some(after);
            losses.push(f64::from(loss));
        }
        self.step = to;
        let last = &losses[losses.len().saturating_sub(pieces)..];
        last.iter().sum::<f64>() / last.len() as f64
    }

    fn state(&self) -> State {
        let mut state = State::new();
        state.put_model("model", &self.model);
        state.put_part("optimizer", self.adam.state());
        state.put_rng("rng", &self.rng);
        state.put("step", self.step);
        if let Some(carried) = &self.carried {
            state.put_part("carried", carried.state());
        }
        state
    }

    fn restore(state: &State) -> Result<Run, Box<dyn std::error::Error>> {
        let mut run = Run::new();
        state.restore_model("model", &mut run.model)?;
        run.adam.restore(&state.part("optimizer"), &run.model)?;
        run.rng = state.rng("rng")?;
        run.step = state.get("step")?;
        run.carried = Some(RecurrentState::restore(&state.part("carried"))?);
        Ok(run)
    }

    /// Writes so many letters after the beginning.
    fn write(&self, beginning: &str, count: usize, sampler: Sampler) -> String {
        let (letters, _) = text();
        let mut rng = Rng::seed(1);
        let number = |letter| letters.binary_search(&letter).expect("it occurs") as i32;
        let mut seen: Vec<i32> = beginning.chars().map(number).collect();
        let (mut written, mut state) = (beginning.to_owned(), None);
        for _ in 0..count {
            let steps = seen.len();
            let (scores, after) =
                self.model.scores(eager(), &Indices::new(&seen[..], [1, steps]), state.as_ref());
            let letter = sampler.draw(&scores.select(0, -1), &mut rng);
            written.push(letters[letter]);
            (seen, state) = (vec![letter as i32], Some(after));
        }
        written
    }
}

#[test]
fn a_run_that_stops_within_the_text_goes_on_bit_for_bit_and_writes_what_it_learnt() {
    let mut run = Run::new();
    run.train(14); // two of three pieces into the fifth pass
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.safetensors");
    run.state().save(&path).unwrap();
    let mut resumed = Run::restore(&State::load(&path).unwrap()).unwrap();

    let (loss, again) = (run.train(500), resumed.train(500));
    assert_eq!(loss.to_bits(), again.to_bits());
    assert!(run.state() == resumed.state());

    // With dropout in it; the text has 29 different letters.
    assert!(perplexity(loss) < 1.5, "perplexity {}", perplexity(loss));
    let written = run.write("the qu", 14, Sampler::greedy());
    assert_eq!(written, resumed.write("the qu", 14, Sampler::greedy()));
    assert_eq!(written, "the quick brown fox ");
    let sampled = run.write("dog", 20, Sampler { temperature: 0.8, top_k: Some(5), ..Sampler::default() });
    assert_eq!(sampled.chars().count(), 23);
}

#[test]
fn what_does_not_fit_is_named_and_changes_nothing() {
    let (mut run, other) = (Run::new(), Lstm::new(12, 32, &mut Rng::seed(0)));
    let mut state = State::new();
    state.put_model("model", &other);
    let before = run.state();
    let error = state.restore_model("model", &mut run.model).unwrap_err().to_string();
    assert!(error.starts_with("model: "), "{error}");
    for fault in ["embedding.weight is missing", "lstm.weight_ih_l0 is missing", "weight_ih_l0"] {
        assert!(error.contains(fault), "{error}");
    }
    assert!(run.state() == before);
    assert_eq!(state.rng("rng").unwrap_err().to_string(), "rng.seed is missing");
    assert_eq!(RecurrentState::restore(&state).unwrap_err().to_string(), "h is missing");
}
