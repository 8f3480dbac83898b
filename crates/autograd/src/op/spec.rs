//! An operation as an entry of a list: its declaration with the type forgotten.

use super::{
    Op,
    examples::{ErrorCase, Gen, Sample},
    reference::{Array, Branches},
    step::{Recorded, Step},
};
use gradus_tensor::{Shape, Tensor};
use std::fmt;

/// An operation of a list such as [`ops::ALL`](crate::ops::ALL), or of a user's own: what the laws work on.
#[derive(Clone, Copy)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// Its formula; empty where it declares none.
    pub formula: &'static str,
    pub(crate) samples: fn(&mut Gen) -> Vec<AnySample>,
    pub(crate) error_cases: fn() -> Vec<AnyErrorCase>,
}

pub(crate) struct AnySample {
    pub(crate) step: Box<dyn Step>,
    pub(crate) inputs: Vec<Tensor>,
}

impl AnySample {
    /// Whether the reference declares a surrogate.
    pub(crate) fn is_surrogate(&self) -> bool {
        let inputs: Vec<Array> = self.inputs.iter().map(Array::from).collect();
        let mut branches = Branches::recording();
        self.step.reference(&inputs.iter().collect::<Vec<_>>(), &mut branches);
        branches.is_surrogate()
    }
}

pub(crate) struct AnyErrorCase {
    pub(crate) step: Box<dyn Step>,
    pub(crate) shapes: Vec<Vec<usize>>,
    pub(crate) message: String,
}

impl Spec {
    /// The entry of an operation.
    pub const fn of<O: Op>() -> Spec {
        Spec {
            name: O::NAME,
            formula: O::FORMULA,
            // Loops, and no adapters of iterators: they are compiled for each operation.
            samples: |g| {
                let mut found = Vec::new();
                for Sample { op, inputs } in O::samples(g) {
                    found.push(AnySample { step: Recorded::boxed(op), inputs });
                }
                found
            },
            error_cases: || {
                let mut found = Vec::new();
                for ErrorCase { op, shapes, message } in O::error_cases() {
                    found.push(AnyErrorCase { step: Recorded::boxed(op), shapes, message });
                }
                found
            },
        }
    }

    /// What the shape rule says to each of its error cases.
    pub fn refusals(&self) -> Vec<String> {
        let said = |case: AnyErrorCase| {
            let shapes: Vec<&[usize]> = case.shapes.iter().map(|shape| &shape[..]).collect();
            case.step.infer(&shapes).err().map(|error| error.to_string())
        };
        (self.error_cases)().into_iter().filter_map(said).collect()
    }

    /// How many error cases it declares.
    pub fn error_case_count(&self) -> usize {
        (self.error_cases)().len()
    }

    /// Whether the shape rule accepts these shapes with the attributes of each sample that the generator gives.
    pub fn accepts(&self, g: &mut Gen, shapes: &[&[usize]]) -> bool {
        (self.samples)(g).iter().all(|sample| sample.step.infer(shapes).is_ok())
    }

    /// The shapes of the inputs of each sample that the generator gives.
    pub fn sample_shapes(&self, g: &mut Gen) -> Vec<Vec<Shape>> {
        let shapes = |sample: AnySample| sample.inputs.iter().map(|x| x.shape().clone()).collect();
        (self.samples)(g).into_iter().map(shapes).collect()
    }
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.formula {
            "" => f.write_str(self.name),
            formula => write!(f, "{}: {formula}", self.name),
        }
    }
}
