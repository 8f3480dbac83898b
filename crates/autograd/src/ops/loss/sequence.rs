//! The loss of sequences that are not aligned with their labels.

use super::Reduction;
use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::Indices;

/// The logarithm of no probability: far below every other, but finite, so that no difference of two is NaN.
const IMPOSSIBLE: f32 = -1e30;

/// The loss of sequences that are not aligned with their labels.
pub trait SequenceLoss: Value {
    /// Connectionist temporal classification (A. Graves, S. Fernández, F. Gomez, J. Schmidhuber, 2006): how unlikely the
    /// labels of each sequence are, over all ways to align them with its steps. Each step says a label or `blank`; a label
    /// may be said for several steps, and a blank stands between two equal ones.
    ///
    /// This value has log-probabilities, `[steps, sequences, classes]`, as of [`log_softmax`] along axis 2. `targets` has the
    /// labels of each sequence, `lengths` how many of the steps are its own. The losses are divided by the numbers of labels,
    /// then comes their mean, as in PyTorch.
    ///
    /// `y = -ln Σ Π x[t, label at t]` over all alignments. Labels that do not fit into their steps give ∞, with gradient 0.
    ///
    /// [`log_softmax`]: crate::ops::normalize::Normalize::log_softmax
    ///
    /// # Panics
    /// When there are not three axes, not one target and one length for each sequence, a length is 0 or more than the steps,
    /// or a label is the blank or not one of the classes.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// // Two steps, one sequence, a blank and a letter, all equally likely: three of four ways say the letter once.
    /// let log_p = Tensor::full([2, 1, 2], 0.5f32.ln());
    /// assert!((log_p.ctc_loss(&[&[1]], &[2], 0).item() - (4.0f32 / 3.0).ln()).abs() < 1e-6);
    /// ```
    #[track_caller]
    fn ctc_loss(&self, targets: &[&[i32]], lengths: &[usize], blank: i32) -> Self {
        self.ctc_loss_with(targets, lengths, blank, Reduction::Mean)
    }

    /// [`ctc_loss`](SequenceLoss::ctc_loss) with a choice of [`Reduction`]; sums and single losses are not divided by the
    /// numbers of labels.
    #[track_caller]
    fn ctc_loss_with(&self, targets: &[&[i32]], lengths: &[usize], blank: i32, reduction: Reduction) -> Self {
        let (shape, at) = (self.shape(), self.place());
        if let Err(error) = check(&shape, targets, lengths, blank) {
            error.fail()
        }
        let (steps, sequences) = (shape[0], shape[1]);
        // The states of a sequence: its labels with a blank before, between and behind them.
        let states = 2 * targets.iter().map(|labels| labels.len()).max().unwrap_or(0) + 1;
        let said = |n: usize, s: usize| match targets[n].get(s / 2) {
            Some(&label) if s % 2 == 1 => label,
            _ => blank,
        };
        let mask = |holds: &dyn Fn(usize, usize) -> bool| {
            at.constant(Tensor::from_fn([sequences, states], |i| if holds(i[0], i[1]) { 1.0 } else { 0.0 }))
        };
        let of_states: Vec<i32> = (0..sequences).flat_map(|n| (0..states).map(move |s| said(n, s))).collect();
        let emitted = self.gather(2, &Indices::new(of_states.repeat(steps), [steps, sequences, states]));
        let emitted = emitted.unbind(0);

        // The log-probability of all ways to the steps so far that end in each state. A state is entered from itself, from
        // the one before, and from the label before that if it is another label: the blank between is then left out.
        let no_skip = mask(&|n, s| s % 2 == 0 || s < 3 || said(n, s) == said(n, s - 2));
        let mut ways = emitted[0].masked_fill(&mask(&|_, s| s > 1), IMPOSSIBLE);
        let nowhere = at.constant(Tensor::full([sequences, states.min(2)], IMPOSSIBLE));
        for (t, emitted) in emitted.iter().enumerate().skip(1) {
            let from = |back: usize| {
                let back = back.min(states) as isize;
                let stay = states as isize - back;
                Self::concat(&[&nowhere.slice(1, ..back), &ways.slice(1, ..stay)], 1)
            };
            let skipped = from(2).masked_fill(&no_skip, IMPOSSIBLE);
            let next = ways.logaddexp(&from(1)).logaddexp(&skipped) + emitted;
            ways = mask(&|n, _| t < lengths[n]).select_where(&next, &ways);
        }
        let no_end = mask(&|n, s| s + 1 != 2 * targets[n].len() && s != 2 * targets[n].len());
        let losses = -ways.masked_fill(&no_end, IMPOSSIBLE).logsumexp_axes(1, false);
        let losses = losses.masked_fill(&losses.gt(-0.5 * IMPOSSIBLE), f32::INFINITY);
        match reduction {
            Reduction::Mean => {
                let labels = Tensor::from_fn([sequences], |i| targets[i[0]].len().max(1) as f32);
                (losses / at.constant(labels)).mean()
            }
            Reduction::Sum | Reduction::None => reduction.of(losses),
        }
    }
}

impl<V: Value> SequenceLoss for V {}

fn check(shape: &[usize], targets: &[&[i32]], lengths: &[usize], blank: i32) -> Result<(), ShapeError> {
    let &[steps, sequences, classes] = shape else {
        let message = format!("ctc_loss: shape {shape:?} is not [steps, sequences, classes]");
        return Err(ShapeError::new(message));
    };
    if targets.len() != sequences || lengths.len() != sequences {
        let (targets, lengths) = (targets.len(), lengths.len());
        return Err(ShapeError::new(format!(
            "ctc_loss: {sequences} sequences need as many targets and lengths, not {targets} and {lengths}"
        )));
    }
    if let Some(length) = lengths.iter().find(|&&length| length == 0 || length > steps) {
        return Err(ShapeError::new(format!("ctc_loss: a length of {length} does not fit {steps} steps")));
    }
    let is_class = |label: i32| usize::try_from(label).is_ok_and(|label| label < classes);
    let wrong = |&&label: &&i32| label == blank || !is_class(label);
    match targets.iter().flat_map(|labels| labels.iter()).find(wrong) {
        _ if !is_class(blank) => {
            Err(ShapeError::new(format!("ctc_loss: the blank {blank} is not one of {classes} classes")))
        }
        Some(label) => Err(ShapeError::new(format!(
            "ctc_loss: label {label} is not one of {classes} classes beside the blank {blank}"
        ))),
        None => Ok(()),
    }
}
