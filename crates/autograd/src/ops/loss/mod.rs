//! Losses: what training makes small. All but the cross-entropy of labels are formulas of other operations.

mod class;
mod cross_entropy;
mod element;
mod margin;
mod options;
mod ranking;
mod sequence;

pub use class::ClassLoss;
pub use cross_entropy::CrossEntropy;
pub use element::ElementLoss;
pub use options::{
    CrossEntropyOptions, GaussianNllOptions, KlDivOptions, MultiMarginOptions, NllOptions, PoissonNllOptions,
    TripletMarginOptions,
};
pub use ranking::RankingLoss;
pub use sequence::SequenceLoss;

use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::Indices;

/// How the losses of elements or rows are put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean; where labels can be ignored or weighted, that of those that count, by their weights.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// Not at all: one loss for each element or row.
    None,
}

impl Reduction {
    /// The losses put together.
    #[track_caller]
    fn of<V: Value>(self, losses: V) -> V {
        match self {
            Reduction::Mean => losses.mean(),
            Reduction::Sum => losses.sum(),
            Reduction::None => losses,
        }
    }
}

/// A table of losses. A row has the documentation, the name, the name of the variant with a choice of reduction, what the
/// method takes beside the prediction x, and a formula for the losses of the elements or rows. A loss with other options
/// beside the reduction names them, `options`, and their type.
macro_rules! losses {
    (
        $(#[$about:meta])*
        $Trait:ident;
        $(
            $(#[$doc:meta])*
            $name:ident, $with:ident($($input:ident: $Input:ty),*) $([$options:ident: $Options:ty])? |$x:ident| $losses:block
        )*
    ) => {
        $(#[$about])*
        pub trait $Trait: Value {$(
            $(#[$doc])*
            #[track_caller]
            fn $name(&self $(, $input: $Input)*) -> Self {
                self.$with($($input,)* Reduction::Mean)
            }

            losses!(@with $Trait $name $with($($input: $Input),*) $([$options: $Options])? |$x| $losses);
        )*}

        impl<V: Value> $Trait for V {}
    };
    (@with $Trait:ident $name:ident $with:ident($($input:ident: $Input:ty),*) |$x:ident| $losses:block) => {
        #[doc = concat!("[`", stringify!($name), "`](", stringify!($Trait), "::", stringify!($name), ") with a choice")]
        /// of [`Reduction`].
        #[track_caller]
        fn $with(&self $(, $input: $Input)*, reduction: Reduction) -> Self {
            let $x = self;
            reduction.of($losses)
        }
    };
    (@with $Trait:ident $name:ident $with:ident($($input:ident: $Input:ty),*) [$options:ident: $Options:ty] |$x:ident| $losses:block) => {
        #[doc = concat!("[`", stringify!($name), "`](", stringify!($Trait), "::", stringify!($name), ") with a choice")]
        /// of options, or of only a [`Reduction`].
        #[track_caller]
        fn $with(&self $(, $input: $Input)*, options: impl Into<$Options>) -> Self {
            let ($x, $options) = (self, options.into());
            $options.reduction.of($losses)
        }
    };
}

/// The shape that a prediction and its target have in common.
#[track_caller]
fn same_shape<V: Value>(op: &str, x: &V, target: &V) -> Shape {
    let shape = x.shape();
    if shape != target.shape() {
        ShapeError::new(format!(
            "{op}: the prediction has shape {shape}, the target {}: they must be equal",
            target.shape()
        ))
        .fail()
    }
    shape
}

/// Refuses what is not in 0..=1. It reads the numbers once, which is little beside the logarithms that follow. NaN passes: a
/// model that has diverged is found by its loss.
#[track_caller]
fn check_unit<V: Value>(op: &str, what: &str, x: &V) {
    let x = x.to_tensor();
    // Rounding may have brought a mean of targets beyond 1.
    let outside = |x: f32| !x.is_nan() && !(0.0..=1.0 + 1e-6).contains(&x);
    let found = match x.as_slice() {
        Some(elements) => elements.iter().copied().find(|&x| outside(x)),
        None => x.iter().find(|&x| outside(x)),
    };
    if let Some(number) = found {
        ShapeError::new(format!("{op}: {number} is among the {what}, which must be in 0..=1")).fail()
    }
}

/// An error for weights that are not one for each class.
fn check_class_weights(op: &str, weights: Option<&Tensor>, classes: usize) -> Result<(), ShapeError> {
    let Some(weights) = weights.filter(|weights| weights.shape()[..] != [classes]) else { return Ok(()) };
    let found = weights.shape();
    Err(ShapeError::new(format!("{op}: the class weights must have shape [{classes}], not {found}")))
}

/// An error for a share that is none.
fn check_smoothing(op: &str, smoothing: f32) -> Result<(), ShapeError> {
    match (0.0..=1.0).contains(&smoothing) {
        true => Ok(()),
        false => Err(ShapeError::new(format!("{op}: label smoothing {smoothing} is not between 0 and 1"))),
    }
}

/// An error for the first label that is neither one of the classes nor the one to ignore.
fn check_labels(op: &str, labels: &Indices, ignore: Option<i32>, classes: usize) -> Result<(), ShapeError> {
    let wrong =
        |&label: &i32| Some(label) != ignore && usize::try_from(label).map_or(true, |label| label >= classes);
    let Some(row) = labels.as_slice().iter().position(wrong) else { return Ok(()) };
    Err(ShapeError::new(format!(
        "{op}: label {} at position {row} is not one of {classes} classes, 0..{classes}",
        labels.as_slice()[row]
    )))
}

use losses;
