//! The parts of a batch become one: their losses, weights and gradients.

use crate::group::in_pairs;
use gradus_autograd::Gradients;

/// What is known of a part of a batch before its gradients are.
#[derive(Clone, Copy)]
pub(super) struct About {
    /// With its share of the examples as a factor, like the gradients.
    pub(super) loss: f64,
    pub(super) share: f64,
    /// What the loss is a mean over.
    pub(super) weight: f64,
    /// Whether the recording itself said so.
    pub(super) is_weighed: bool,
}

/// What was found of a part of a batch.
pub(super) struct Part {
    pub(super) about: About,
    pub(super) gradients: Gradients,
    pub(super) is_finite: bool,
}

/// What was found of a batch.
pub(super) struct Batch {
    pub(super) loss: f64,
    /// What the loss is a mean over.
    pub(super) weight: f64,
    pub(super) gradients: Gradients,
    /// The first shard in which something is not finite.
    pub(super) faulty: Option<usize>,
}

/// All parts of a batch, of all ranks, in their order. Losses and weights are added one after the other.
pub(super) struct Whole {
    parts: Vec<About>,
    /// What the loss is a mean over.
    weight: f64,
}

impl Whole {
    pub(super) fn new(parts: Vec<About>) -> Whole {
        let weight = parts.iter().map(|part| part.weight).sum();
        Whole { parts, weight }
    }

    /// Each part was recorded with its share of the examples. Where it weighs otherwise, this sets it right.
    pub(super) fn factor(&self, part: &About) -> f64 {
        if self.weight > 0.0 { part.weight / self.weight / part.share } else { 1.0 }
    }

    /// The batch with these gradients, and what is known of each part's numbers.
    pub(super) fn batch(&self, gradients: Gradients, is_finite: &[bool]) -> Batch {
        let counted = || self.parts.iter().zip(is_finite).filter(|(part, _)| part.weight > 0.0);
        let loss = if self.weight > 0.0 {
            counted().map(|(part, _)| part.loss * self.factor(part)).sum()
        } else {
            f64::NAN
        };
        let faulty =
            self.parts.iter().zip(is_finite).position(|(part, is_finite)| part.weight > 0.0 && !is_finite);
        Batch { loss, weight: self.weight, gradients, faulty }
    }
}

/// The sum of the gradients of parts, each with its factor, in the order of [`in_pairs`].
pub(super) fn merge(parts: impl Iterator<Item = (Gradients, f64)>) -> Gradients {
    let scaled = parts.map(|(mut gradients, factor)| {
        if factor != 1.0 {
            gradients.scale(factor as f32);
        }
        gradients
    });
    in_pairs(scaled.collect(), Gradients::merge).unwrap_or_default()
}

/// A batch of parts that are all here.
pub(super) fn combine(parts: Vec<Part>) -> Batch {
    let whole = Whole::new(parts.iter().map(|part| part.about).collect());
    let is_finite: Vec<bool> = parts.iter().map(|part| part.is_finite).collect();
    let gradients = merge(parts.into_iter().map(|part| {
        let factor = whole.factor(&part.about);
        (part.gradients, factor)
    }));
    whole.batch(gradients, &is_finite)
}
