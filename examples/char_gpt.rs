//! After the second book: a small GPT. Letters look back at those before them, by attention instead of a state that is carried
//! along; blocks of attention and a feedforward net, each with a way around it and a layer norm, say which letter comes next.
//!
//! ```text
//! cargo run --release --example char_gpt
//! cargo run --release --example char_gpt -- --text FILE --steps 5000
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome},
    chart::{Chart, figure},
    csv::{column, write_csv},
    grammar,
    letters::Letters,
    texts::{Task, example},
};
use gradus::{nn::decode::Sampler, prelude::*};
use std::process::ExitCode;

/// How many letters it sees, and how many numbers stand for one.
const CONTEXT: usize = 64;
const SIZE: usize = 64;
/// Few pieces of text in a step: the more steps there are for the same work, the sooner it knows what to look back at.
const BATCH: usize = 8;
/// How many texts it writes in the end, to be counted on: one of them has some four sentences.
const TEXTS: usize = 32;

struct Gpt {
    letters: Embedding,
    places: Embedding,
    blocks: Vec<TransformerEncoderLayer>,
    norm: LayerNorm,
    output: Linear,
}
module!(Gpt { letters, places, blocks, norm, output });

impl Gpt {
    fn new(letters: usize, rng: &mut Rng) -> Gpt {
        let options = TransformerOptions { dropout: 0.0, gelu: true, norm_first: true };
        let block = |_| TransformerEncoderLayer::new(SIZE, 2, 2 * SIZE, options, rng);
        let blocks = (0..2).map(block).collect();
        let small = Init::Normal(0.02);
        Gpt {
            letters: Embedding::with_init(letters, SIZE, small, rng),
            places: Embedding::with_init(CONTEXT, SIZE, small, rng),
            blocks,
            norm: LayerNorm::new([SIZE]),
            output: Linear::new(SIZE, letters, rng),
        }
    }

    /// The scores of what follows each letter, `[n, steps, letters]`. Each sees itself and those before it.
    fn forward<V: Value>(&self, at: Place<V>, seen: &Indices) -> V {
        let places = self.places.forward(at, &Indices::arange(seen.size(1)));
        let x = self.letters.forward(at, seen) + places;
        let x = self.blocks.iter().fold(x, |x, block| block.forward_masked(x, &AttentionMask::causal()));
        self.output.forward(self.norm.forward(x))
    }

    fn loss<V: Value>(&self, at: Place<V>, (seen, next): &(Indices, Indices)) -> V {
        let scores = self.forward(at, seen);
        scores.reshape([next.numel(), scores.shape()[2]]).cross_entropy(next)
    }

    /// Texts that go on from the same beginning by so many letters, each drawn by its probability, of which the temperature
    /// takes the unlikely ones away.
    fn write(
        &self,
        letters: &Letters,
        beginning: &str,
        [texts, count]: [usize; 2],
        rng: &mut Rng,
    ) -> Vec<String> {
        let sampler = Sampler { temperature: 0.5, ..Sampler::default() };
        let mut written = vec![letters.numbers(beginning); texts];
        for _ in 0..count {
            let seen: Vec<&[i32]> =
                written.iter().map(|text| &text[text.len().saturating_sub(CONTEXT)..]).collect();
            let seen = Indices::new(seen.concat(), [texts, seen[0].len()]);
            let last = self.forward::<Tensor>(eager(), &seen).select(1, -1);
            for (i, text) in written.iter_mut().enumerate() {
                text.push(sampler.draw(&last.select(0, i as isize), rng) as i32);
            }
        }
        written.iter().map(|text| letters.text(text)).collect()
    }
}

/// Pieces of a text that begin anywhere, and the letters that follow each of theirs.
fn draw(text: &[i32], count: usize, rng: &mut Rng) -> (Indices, Indices) {
    let starts: Vec<usize> = (0..count).map(|_| rng.below(text.len() - CONTEXT)).collect();
    let cut = |shift: usize| -> Vec<i32> {
        starts.iter().flat_map(|start| text[start + shift..][..CONTEXT].to_vec()).collect()
    };
    (Indices::new(cut(0), [count, CONTEXT]), Indices::from(cut(1)))
}

fn main() -> ExitCode {
    let about = "A small GPT that writes letter by letter.";
    example("char_gpt", about, ("steps", 4000, "batches to learn from"), run)
}

fn run(task: &Task) -> Outcome {
    let (text, steps) = (&task.text, task.count);
    let letters = Letters::of(text);
    let numbers = letters.numbers(text);
    let (training, test) = numbers.split_at(numbers.len() / 10 * 9);
    if test.len() < 2 * CONTEXT {
        return Err(format!("the text has {} letters; it needs {}", numbers.len(), 20 * CONTEXT).into());
    }
    let rng = &mut Rng::seed(task.seed);
    let mut gpt = Gpt::new(letters.count(), rng);
    println!("{} letters, {} different; {} parameters\n", numbers.len(), letters.count(), gpt.param_count());
    let judged = draw(test, 40, rng);
    let schedule = schedule::Warmup::new(steps as u64 / 20 + 1, schedule::Cosine::new(3e-3, steps as u64));
    let (mut adam, mut tape) = (AdamW::new(3e-3), Tape::training(rng.bits()));
    let mut rows = Vec::new();
    println!("  step  training    test");
    for step in 1..=steps {
        let batch = draw(training, BATCH, rng);
        adam.set_lr(schedule.lr(step as u64 - 1));
        let (loss, mut gradients, ()) = tape.step(|tape| (gpt.loss(tape.place(), &batch), ()));
        clip_grad_norm(&gpt, &mut gradients, 1.0);
        adam.step(&mut gpt, &gradients);
        if step % (steps / 12).max(1) == 0 {
            let row = [step as f64, loss.into(), gpt.loss(eager(), &judged).item().into()];
            println!("{:6}  {:8.4}  {:.4}", row[0], row[1], row[2]);
            rows.push(row);
        }
    }
    write_csv(task.out.join("char_gpt.csv"), "step,training,test", &rows)?;
    let chart = Chart::new("step", "loss of a letter");
    let chart = chart.line("training", column(&rows, 1)).line("test", column(&rows, 2));
    figure(task.out.join("char_gpt.svg"), "A small GPT", 1, &[chart])?;
    let beginning: String = text.chars().take(8).collect();
    let written = gpt.write(&letters, &beginning, [TEXTS, steps.min(200)], rng);
    println!("\n{}", written[0]);
    let figures = Figures::default().put("test", rows[rows.len() - 1][2]);
    if !task.is_own {
        return Ok(figures);
    }
    // Of the text as it is: entropy of a sentence by letters of a sentence.
    let least = grammar::entropy() * text.matches('.').count() as f64 / numbers.len() as f64;
    Ok(figures.put("least", least).put("grammatical", grammar::grammatical(&written)))
}
