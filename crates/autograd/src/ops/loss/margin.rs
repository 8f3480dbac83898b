//! What scores of labels lack to lying a margin above others.

use super::{MultiMarginOptions, check_class_weights, check_labels};
use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::Indices;

/// [`multi_margin_loss_with`](super::ClassLoss::multi_margin_loss_with).
#[track_caller]
pub(super) fn multi_margin<V: Value>(x: &V, labels: &Indices, options: &MultiMarginOptions) -> V {
    let shape = x.shape();
    if shape.rank() != 2 || labels.shape()[..] != shape[..1] {
        ShapeError::new(format!(
            "multi_margin_loss: scores {shape} and labels {} do not fit: they must be [n, classes] and [n]",
            labels.shape()
        ))
        .fail()
    }
    let MultiMarginOptions { p, margin, class_weights, reduction } = options;
    assert!([1, 2].contains(p), "multi_margin_loss: the power p must be 1 or 2, not {p}");
    let classes = shape[1];
    check_class_weights("multi_margin_loss", class_weights.as_ref(), classes).or_fail();
    check_labels("multi_margin_loss", labels, None, classes).or_fail();
    let at = x.place();
    let chosen = x.gather(1, &labels.reshape([shape[0], 1]));
    // Filled before the rectifier, so that an infinite score of the label is no NaN beside itself.
    let own = at.constant(Tensor::one_hot(labels, classes));
    let lacking = (x - chosen + *margin).masked_fill(&own, 0.0).relu();
    let lacking = if *p == 1 { lacking } else { lacking.square() };
    let rows = lacking.mean_axes(1, false);
    reduction.of(match class_weights {
        None => rows,
        Some(weights) => at.constant(weights.index_select(0, labels)).strong_mul(&rows),
    })
}

/// The losses of the rows of [`multilabel_margin_loss`](super::ClassLoss::multilabel_margin_loss).
#[track_caller]
pub(super) fn multilabel_margin<V: Value>(x: &V, labels: &Indices) -> V {
    let (shape, found) = (x.shape(), labels.shape());
    if shape.rank() != 2 || found.rank() != 2 || found[0] != shape[0] {
        ShapeError::new(format!(
            "multilabel_margin_loss: scores {shape} and labels {found} do not fit: they must be [n, classes] and [n, most]"
        ))
        .fail()
    }
    let (n, classes) = (shape[0], shape[1]);
    check_labels("multilabel_margin_loss", labels, Some(-1), classes).or_fail();
    let given = labels.as_slice().chunks_exact(found[1].max(1));
    let rows: Vec<&[i32]> =
        given.map(|row| row.split(|&label| label == -1).next().expect("a part")).collect();
    let most = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    // A place without a label shows any class; the mask leaves it out.
    let shown: Vec<i32> =
        rows.iter().flat_map(|row| row.iter().copied().chain(std::iter::repeat(0)).take(most)).collect();
    let counts = Tensor::from_fn([n, most, classes], |i| {
        let row = rows[i[0]];
        f32::from(i[1] < row.len() && !row.contains(&(i[2] as i32)))
    });
    let chosen = x.gather(1, &Indices::new(shown, [n, most]));
    let lacking = (x.unsqueeze(1) - chosen.unsqueeze(2) + 1.0).relu();
    let none = x.place().constant(0.0);
    x.place().constant(counts).select_where(&lacking, &none).sum_axes([1, 2], false) / classes as f32
}
