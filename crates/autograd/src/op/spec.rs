//! An operation as an entry of a list: its declaration with the type forgotten.

use super::{
    Op, Step,
    examples::{ErrorCase, Gen, Sample},
};
use gradus_tensor::Shape;
use std::fmt;

/// An operation of a list such as [`ops::ALL`](crate::ops::ALL), or of a user's own: what the laws work on.
#[derive(Clone, Copy)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// Its formula; empty where it declares none.
    pub formula: &'static str,
    pub(crate) samples: fn(&mut Gen) -> Vec<Sample>,
    pub(crate) error_cases: fn() -> Vec<ErrorCase>,
    /// Whether a step is of this operation, which samples and error cases no longer say by their type.
    pub(crate) is_own: fn(&dyn Step) -> bool,
}

impl Spec {
    /// The entry of an operation.
    pub const fn of<O: Op>() -> Spec {
        Spec {
            name: O::NAME,
            formula: O::FORMULA,
            samples: O::samples,
            error_cases: O::error_cases,
            is_own: |step| step.op().is::<O>(),
        }
    }

    /// What the shape rule says to each of its error cases.
    pub fn refusals(&self) -> Vec<String> {
        let said = |case: ErrorCase| {
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
        let shapes = |sample: Sample| sample.inputs.iter().map(|x| x.shape().clone()).collect();
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
