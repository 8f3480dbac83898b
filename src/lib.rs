//! Automatic differentiation and neural networks on the CPU, from scratch.
//!
//! This package re-exports the three that do the work: [`tensor`] (strided f32 arrays and their kernels), [`autograd`]
//! (tape, operations, gradient checker) and [`nn`] (layers, losses, optimizers, training).

pub use gradus_autograd as autograd;
#[cfg(feature = "linalg")]
pub use gradus_linalg as linalg;
pub use gradus_nn as nn;
#[cfg(feature = "onnx")]
pub use gradus_onnx as onnx;
pub use gradus_tensor as tensor;

/// What programs import: `use gradus::prelude::*`.
///
/// Tensors, tapes and their operations, every layer, the optimizers, the options of layers and losses, the summary of a
/// model and the state of a run. The rest is reached by the names of its modules: `schedule::Cosine`, `metrics::accuracy`,
/// `optim::Group`, `data::digits`, `decode::Sampler`. A program's own names go before these.
///
/// ```
/// use gradus::prelude::*;
///
/// /// Tells the kind of a text from its last state.
/// struct Classifier {
///     embedding: Embedding,
///     lstm: Lstm,
///     norm: LayerNorm,
///     output: Linear,
/// }
/// module!(Classifier { embedding, lstm, norm, output });
///
/// impl Classifier {
///     fn forward<V: Value>(&self, at: Place<V>, texts: &Indices, lengths: &[usize]) -> V {
///         let (_, state) = self.lstm.forward_padded(self.embedding.forward(at, texts), lengths, None);
///         self.output.forward(self.norm.forward(state.h.select(0, -1)))
///     }
/// }
///
/// let mut rng = Rng::seed(0);
/// let mut model = Classifier {
///     embedding: Embedding::new(10, 8, &mut rng),
///     lstm: Lstm::new(8, 16, &mut rng),
///     norm: LayerNorm::new([16]),
///     output: Linear::new(16, 2, &mut rng),
/// };
/// // Two texts of four and of two words, the second one filled up.
/// let (texts, lengths) = (Indices::new([1, 2, 3, 4, 5, 6, 0, 0], [2, 4]), [4, 2]);
/// let labels = Indices::from([0, 1]);
/// println!("{}", Summary::of(&model, |tape| model.forward(tape.place(), &texts, &lengths)));
/// let options = CrossEntropyOptions { label_smoothing: 0.1, reduction: Reduction::Sum, ..Default::default() };
///
/// let schedule = schedule::Warmup::new(5, schedule::Cosine::new(0.05, 25));
/// let (mut adam, mut tape) = (AdamW::new(0.05), Tape::training(1));
/// for step in 0..30 {
///     adam.set_lr(schedule.lr(step));
///     let (_loss, mut gradients, ()) = tape.step(|tape| {
///         let scores = model.forward(tape.place(), &texts, &lengths);
///         (scores.cross_entropy_with(&labels, options.clone()), ())
///     });
///     clip_grad_norm(&model, &mut gradients, 1.0);
///     adam.step(&mut model, &gradients);
/// }
/// let scores = model.forward(eager(), &texts, &lengths);
/// assert_eq!(metrics::accuracy(&scores, &labels), 1.0);
/// ```
pub mod prelude {
    pub use gradus_autograd::{
        ops::{
            indexing::{BagMode, EmbeddingBagOptions},
            loss::{
                CrossEntropyOptions, GaussianNllOptions, KlDivOptions, MultiMarginOptions, NllOptions,
                PoissonNllOptions, Reduction, TripletMarginOptions,
            },
        },
        prelude::*,
    };
    pub use gradus_nn::{
        Init, Layer, Module, Parameters, Sequential, State, Summary, data, decode,
        layers::*,
        metrics, module,
        optim::{self, Optimizer, clip_grad_norm, clip_grad_value, optimizers::*},
        schedule::{self, Schedule},
        train::{self, Trainer},
    };
}

/// The pages of the documentation are compiled and run as tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/adding-an-op.md")]
    struct AddingAnOp;
    #[doc = include_str!("../docs/custom-ops.md")]
    struct CustomOps;
    #[doc = include_str!("../docs/files.md")]
    struct Files;
    #[doc = include_str!("../docs/distributed.md")]
    struct Distributed;
    #[doc = include_str!("../docs/training.md")]
    struct Training;
    #[doc = include_str!("../docs/looking-inside.md")]
    struct LookingInside;
    #[doc = include_str!("../docs/gradient-checking.md")]
    struct GradientChecking;
}
