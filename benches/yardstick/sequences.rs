//! Workloads of whole training steps on sequences.

use super::{
    kernels::{randn, random_indices},
    workload::Workload,
};
use gradus::{
    nn::{AttentionMask, Embedding, Lstm, RecurrentOptions, TransformerEncoderLayer, TransformerOptions},
    prelude::*,
};
use std::hint::black_box;

/// A language model of 10 000 words.
struct LanguageModel {
    embedding: Embedding,
    lstm: Lstm,
    output: Linear,
}
module!(LanguageModel { embedding, lstm, output });

/// The block of a GPT, with one linear layer for queries, keys and values.
fn gpt_block(rng: &mut Rng) -> TransformerEncoderLayer {
    let options = TransformerOptions { dropout: 0.0, gelu: true, norm_first: true };
    TransformerEncoderLayer::new(256, 4, 1024, options, rng)
}

pub(crate) fn workloads() -> Vec<Workload> {
    vec![
        Workload::new("train_lstm_lm_b20_t35_h256", || {
            let rng = &mut Rng::seed(0);
            let steps_first = RecurrentOptions { batch_first: false, ..Default::default() };
            let mut model = LanguageModel {
                embedding: Embedding::new(10_000, 256, rng),
                lstm: Lstm::with_options(256, 256, steps_first, rng),
                output: Linear::new(256, 10_000, rng),
            };
            let (words, labels) =
                (random_indices(700, 10_000).reshape([35, 20]), random_indices(700, 10_000));
            let (mut sgd, mut tape) = (Sgd::new(0.1), Tape::training(0));
            move || {
                let (loss, gradients, ()) = tape.step(|tape| {
                    let h = model.lstm.forward(model.embedding.forward(tape.place(), &words));
                    (model.output.forward(h.reshape([700, 256])).cross_entropy(&labels), ())
                });
                sgd.step(&mut model, &gradients);
                black_box(loss);
            }
        }),
        Workload::new("train_gpt_block_b8_t128_d256_h4", || {
            let mut block = gpt_block(&mut Rng::seed(0));
            let x = randn([8, 128, 256]);
            let (mut adam, mut tape) = (AdamW::new(0.001), Tape::training(0));
            move || {
                let (loss, gradients, ()) = tape.step(|tape| {
                    let y = block.forward_masked(tape.constant(&x), &AttentionMask::causal());
                    (y.square().mean(), ())
                });
                adam.step(&mut block, &gradients);
                black_box(loss);
            }
        }),
    ]
}
