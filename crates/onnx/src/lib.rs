//! Writes what a tape has recorded as a file of [ONNX](https://onnx.ai), which onnxruntime and many other programs run.
//!
//! ```
//! use gradus_autograd::prelude::*;
//! use gradus_nn::{Conv2d, Flatten, Layer, Linear, MaxPool2d, Relu, Sequential};
//! use gradus_onnx::Export;
//!
//! let mut rng = Rng::seed(0);
//! let net = Sequential::new()
//!     .push(Conv2d::new(1, 4, 3, &mut rng))
//!     .push(Relu)
//!     .push(MaxPool2d::new(2))
//!     .push(Flatten)
//!     .push(Linear::new(4 * 3 * 3, 10, &mut rng));
//!
//! // One pass over an example, in evaluation.
//! let tape = Tape::evaluating();
//! let images = tape.var(Tensor::zeros([5, 1, 8, 8]));
//! let scores = net.forward(images);
//! let file = Export::of(&net).input("images", images).output("scores", scores).to_bytes()?;
//! # assert!(file.len() > 1000);
//! # Ok::<(), gradus_onnx::ExportError>(())
//! ```
//!
//! What is written are the operations that the outputs come from, in opset 20. Parameters have their names in the model. Shapes are those of
//! the example, the number of examples too: record a pass of one example, or of as many as will come together. A model that
//! reads whole numbers, such as the indices of words, has them as an input if they are named by
//! [`Export::indices`]; other indices become constants.
//!
//! Losses, dropout and batch normalisation in training, and whatever else ONNX has no word for, are refused with the name
//! of the operation and the line that recorded it.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod elementwise;
mod graph;
mod layers;
mod proto;
mod structure;
mod translate;

use gradus_autograd::{Tape, Var};
use gradus_nn::{Module, write_atomically};
use gradus_tensor::Indices;
use prost::Message;
use std::{fmt, path::Path};

/// A recorded computation on its way into a file.
#[derive(Clone)]
#[doc(alias = "export")]
pub struct Export<'a, 't> {
    model: &'a dyn Module,
    inputs: Vec<(String, Var<'t>)>,
    indices: Vec<(String, Indices)>,
    outputs: Vec<(String, Var<'t>)>,
}

impl fmt::Debug for Export<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |of: &[(String, Var<'_>)]| of.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        write!(f, "Export({:?} -> {:?})", names(&self.inputs), names(&self.outputs))
    }
}

impl<'a, 't> Export<'a, 't> {
    /// Of a computation with the parameters of a model, which have their names in the file.
    pub fn of(model: &'a dyn Module) -> Export<'a, 't> {
        Export { model, inputs: Vec::new(), indices: Vec::new(), outputs: Vec::new() }
    }

    /// An input of the file: what came in here.
    pub fn input(mut self, name: &str, input: Var<'t>) -> Export<'a, 't> {
        self.inputs.push((name.into(), input));
        self
    }

    /// An input of whole numbers: these very indices, wherever an operation reads them.
    pub fn indices(mut self, name: &str, indices: &Indices) -> Export<'a, 't> {
        self.indices.push((name.into(), indices.clone()));
        self
    }

    /// An output of the file.
    pub fn output(mut self, name: &str, output: Var<'t>) -> Export<'a, 't> {
        self.outputs.push((name.into(), output));
        self
    }

    /// The file.
    ///
    /// # Errors
    /// When there are no outputs, two of the inputs, outputs and parameters have one name, the variables live on different tapes, nothing that the outputs
    /// come from reads an input, or an operation has no counterpart in ONNX. When the parameters take 2 GiB or more, which is more than a
    /// file of this format may have.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ExportError> {
        let Some((_, first)) = self.outputs.first() else {
            return Err(ExportError("there are no outputs to write: Export::output names one".into()));
        };
        let tape: &Tape = first.tape();
        let vars = || self.inputs.iter().chain(&self.outputs);
        if let Some((name, _)) = vars().find(|(_, var)| !std::ptr::eq(var.tape(), tape)) {
            return Err(ExportError(format!(
                "{name:?} lives on another tape than the first output: a file holds what one tape has recorded"
            )));
        }
        let params = self.model.params();
        let of_params = params.iter().map(|(name, _)| name);
        let of_indices = self.indices.iter().map(|(name, _)| name);
        let mut names: Vec<&String> =
            vars().map(|(name, _)| name).chain(of_indices).chain(of_params).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(ExportError(format!(
                "two inputs, outputs or parameters are called {:?}: each needs a name of its own",
                twice[0]
            )));
        }
        let graph = translate::graph(tape, self.model, &self.inputs, &self.indices, &self.outputs)?;
        let model = proto::Model {
            ir_version: 9,
            producer_name: "gradus".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(graph),
            opset_import: vec![proto::OperatorSet { domain: String::new(), version: 20 }],
        };
        Ok(model.encode_to_vec())
    }

    /// Writes the file; one that was there is replaced when this one is complete.
    ///
    /// # Errors
    /// As [`to_bytes`](Export::to_bytes), and when it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ExportError> {
        write_atomically(path, self.to_bytes()?).map_err(|error| ExportError(error.to_string()))
    }
}

/// Why a computation cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportError(pub(crate) String);

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "onnx: {}", self.0)
    }
}

impl std::error::Error for ExportError {}
