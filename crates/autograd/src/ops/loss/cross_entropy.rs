//! Softmax and cross-entropy in one operation.

use super::{CrossEntropyOptions, Reduction, check_class_weights, check_labels, check_smoothing};
use crate::{
    op::prelude::*,
    ops::{methods::*, normalize::log_softmax},
};
use gradus_tensor::Indices;

/// The cross-entropy between the softmax of logits `[n, classes, ..]` and labels `[n, ..]`.
#[derive(Clone, Debug)]
pub struct CrossEntropy {
    /// The class of each row.
    pub labels: Indices,
    /// What differs from the plain mean.
    pub options: CrossEntropyOptions,
}

impl CrossEntropy {
    /// The class of the row at this position among the labels, unless it is ignored.
    fn label(&self, row: usize) -> Option<usize> {
        let label = self.labels.as_slice()[row];
        (Some(label) != self.options.ignore_index).then_some(label as usize)
    }

    fn class_weight(&self, class: usize) -> f32 {
        self.options.class_weights.as_ref().map_or(1.0, |weights| weights.get([class]))
    }

    /// The weight of all rows that count, where the loss is a mean over them. Labels that are no classes, which are refused
    /// later, weigh nothing.
    pub(super) fn mean_over(&self) -> Option<f64> {
        let counts = |&label: &i32| Some(label) != self.options.ignore_index;
        let labels = self.labels.as_slice().iter().filter(|label| counts(label));
        (self.options.reduction == Reduction::Mean).then(|| match &self.options.class_weights {
            None => labels.count() as f64,
            Some(weights) => {
                let weights = weights.to_vec();
                labels.map(|&label| weights.get(label as usize).map_or(0.0, |&w| f64::from(w))).sum()
            }
        })
    }

    /// What the sum over rows is multiplied with. Where nothing counts the mean is NaN, but its gradient is to be 0.
    fn scale(&self) -> f64 {
        1.0 / self.mean_over().unwrap_or(1.0)
    }

    /// [`scale`](CrossEntropy::scale) of the gradient.
    fn gradient_scale(&self) -> f64 {
        let scale = self.scale();
        if scale.is_finite() { scale } else { 0.0 }
    }

    /// The shares of the target that go to the label and to each class.
    fn shares(&self, classes: usize) -> (f64, f64) {
        let smoothing = f64::from(self.options.label_smoothing);
        (1.0 - smoothing, smoothing / classes as f64)
    }

    /// The class weights where `counts(row, class)`, 0 elsewhere, in the logits' shape.
    fn weights_where(&self, shape: &[usize], counts: impl Fn(usize, usize) -> bool) -> Tensor {
        let inner: usize = shape[2..].iter().product();
        let mut flat = 0..;
        Tensor::from_fn(shape, |index| {
            let position = flat.next().expect("an endless range");
            let row = index[0] * inner + position % inner;
            if counts(row, index[1]) { self.class_weight(index[1]) } else { 0.0 }
        })
    }
}

/// `[n, classes, ..]` as `[n, .., classes]`.
fn classes_last(x: &Tensor) -> Tensor {
    let rank = x.rank() as isize;
    x.permute([0].into_iter().chain(2..rank).chain([1]).collect::<Vec<_>>())
}

/// `[n, .., classes]` as `[n, classes, ..]`.
fn classes_second(x: &Tensor) -> Tensor {
    let rank = x.rank() as isize;
    x.permute([0, rank - 1].into_iter().chain(1..rank - 1).collect::<Vec<_>>())
}

impl Op for CrossEntropy {
    const NAME: &'static str = "cross_entropy";
    const FORMULA: &'static str = "y = -Σ t ln softmax(x) / n over the classes (axis 1), t one-hot or smoothed; \
                                   dx = g (softmax(x) Σ t - t) / n";
    const PRECISION: Precision = Precision::UlpsOfLargest(4.0);
    /// The largest logit of each row, and the logarithm of the sum beside it: the softmax itself would be as large as the logits.
    type Saved = Tensor;

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        let wrong = |why: String| Err(ShapeError::new(format!("cross_entropy: {why}")));
        if x.len() < 2 {
            return wrong(format!("the logits must have shape [n, classes, ..], not {x:?}"));
        }
        let (classes, rows) = (x[1], Shape::new(x).remove(1));
        if self.labels.shape() != &rows {
            let labels = self.labels.shape();
            return wrong(format!("logits {x:?} need labels {rows}, not {labels}; classes lie on axis 1"));
        }
        check_class_weights(Self::NAME, self.options.class_weights.as_ref(), classes)?;
        check_smoothing(Self::NAME, self.options.label_smoothing)?;
        check_labels(Self::NAME, &self.labels, self.options.ignore_index, classes)?;
        Ok(match self.options.reduction {
            Reduction::None => rows,
            Reduction::Mean | Reduction::Sum => Shape::default(),
        }
        .into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, Tensor) {
        let x = classes_last(inputs[0]).contiguous();
        let (classes, saved) = (x.size(-1), x.softmax_statistics());
        let (to_label, to_each) = self.shares(classes);
        let [logits, statistics] = [&x, &saved].map(|x| x.as_slice().expect("made contiguous above"));
        let loss = |row: usize| -> f64 {
            let Some(label) = self.label(row) else { return 0.0 };
            let log_p =
                |class: usize| logits[row * classes + class] - statistics[2 * row] - statistics[2 * row + 1];
            // Weight 0 drops a class, were its logarithm -inf.
            let term = |share: f64, class: usize| match share * f64::from(self.class_weight(class)) {
                0.0 => 0.0,
                weight => weight * f64::from(log_p(class)),
            };
            let of_all = || (0..classes).map(|class| term(to_each, class)).sum::<f64>();
            -term(to_label, label) - if to_each > 0.0 { of_all() } else { 0.0 }
        };
        let losses = (0..self.labels.numel()).map(loss);
        let y = match self.options.reduction {
            Reduction::None => {
                Tensor::new(losses.map(|loss| loss as f32).collect::<Vec<f32>>(), self.labels.shape())
            }
            Reduction::Mean | Reduction::Sum => Tensor::scalar((losses.sum::<f64>() * self.scale()) as f32),
        };
        (y.into(), saved)
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &Tensor) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let (shape, at) = (x.shape(), x.place());
        let (to_label, to_each) = self.shares(shape[1]);
        cx.add(0, || {
            let chosen = self.weights_where(&shape, |row, class| self.label(row) == Some(class));
            let mut target = c(to_label) * at.constant(chosen);
            if to_each > 0.0 {
                let all = self.weights_where(&shape, |row, _| self.label(row).is_some());
                target = target + c(to_each) * at.constant(all);
            }
            let total = target.sum_axes(1, true);
            let g = if self.options.reduction == Reduction::None { g.unsqueeze(1) } else { g };
            // Strong, so that a row without weight or cotangent gets 0 whatever stands in it.
            (x.softmax(1).strong_mul(&total) - target).strong_mul(&(c(self.gradient_scale()) * g))
        });
    }

    fn backward_fused(&self, cx: &mut Backward<'_, Tensor>, statistics: &Tensor) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let (x, g) = (classes_last(x), g.broadcast_to(self.labels.shape()).to_vec());
        let (to_label, to_each) = self.shares(x.size(-1));
        let weights: Vec<f64> = (0..x.size(-1)).map(|class| f64::from(self.class_weight(class))).collect();
        let to_all = to_each * weights.iter().sum::<f64>();
        let scale = self.gradient_scale();
        let of_row = |row: usize, dx: &mut [f32]| {
            let label = self.label(row).filter(|_| g[row] != 0.0);
            // Zeros are written: a product would keep what is not a number.
            let Some(label) = label else { return dx.fill(0.0) };
            // What the row's target adds up to. In units of it the target is taken from the probabilities, so that
            // those of a row that is nearly right are not lost in a difference.
            let total = to_label * weights[label] + to_all;
            let unit = if total == 0.0 { 1.0 } else { total };
            if total == 0.0 {
                dx.fill(0.0);
            }
            dx[label] -= (to_label * weights[label] / unit) as f32;
            if to_each > 0.0 {
                dx.iter_mut().zip(&weights).for_each(|(dx, w)| *dx -= (to_each * w / unit) as f32);
            }
            let factor = (f64::from(g[row]) * scale * unit) as f32;
            dx.iter_mut().for_each(|dx| *dx *= factor);
        };
        cx.add(0, || classes_second(&x.softmax_rows(statistics, of_row)));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let x = inputs[0];
        let classes = x.shape()[1];
        let weight = |class: i32| {
            self.options.class_weights.as_ref().map_or(1.0, |w| f64::from(w.get([class as usize])))
        };
        let smoothing = f64::from(self.options.label_smoothing);
        let mut total = 0.0;
        // The classes of one place lie so far apart.
        let inner: usize = x.shape()[2..].iter().product();
        let mut place = 0;
        let losses = Array::from_fn(Shape::new(x.shape()).remove(1), |index| {
            let first = place / inner * classes * inner + place % inner;
            place += 1;
            let label = self.labels.get(index);
            if Some(label) == self.options.ignore_index {
                return 0.0;
            }
            let logit = |class: i32| x.data()[first + class as usize * inner];
            let all = 0..classes as i32;
            let mut logs: Vec<f64> = all.clone().map(logit).collect();
            log_softmax(&mut logs);
            let loss_of = |class: i32| weight(class) * -logs[class as usize];
            total += weight(label);
            if smoothing == 0.0 {
                return loss_of(label); // a class that is ruled out by -inf counts nothing
            }
            (1.0 - smoothing) * loss_of(label) + smoothing * all.map(loss_of).sum::<f64>() / classes as f64
        });
        let sum: f64 = losses.data().iter().sum();
        vec![match self.options.reduction {
            Reduction::None => losses,
            Reduction::Sum => Array::full([], sum),
            Reduction::Mean => Array::full([], sum / total),
        }]
    }

    /// The logarithm of the softmax: greatest element, difference, exponential, sum, difference.
    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        5 * elements(&inputs[..1])
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        if self.options.reduction == Reduction::None { along.reduced(&[1], false) } else { None }
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (n, classes) = (g.positive_length(), g.positive_length());
        let inner: Vec<usize> = g.shape().into_iter().take(2).map(|n| n.clamp(1, 3)).collect();
        let plain = CrossEntropy { labels: g.indices([n], classes), options: CrossEntropyOptions::default() };
        // All options at once; the first row is never ignored, so that there is a mean. Without rows there is none.
        let count = g.length();
        let reductions = [Reduction::Sum, Reduction::None, Reduction::Mean];
        let rows = [&[count], &inner[..]].concat();
        let mut labels = g.indices(&rows, classes).as_slice().to_vec();
        labels.iter_mut().skip(1).step_by(3).for_each(|label| *label = -100);
        let options = CrossEntropyOptions {
            label_smoothing: [0.0, 0.1][g.between(0, 1)],
            ignore_index: Some(-100),
            class_weights: Some(g.values([classes], 0.5, 2.0)),
            reduction: reductions[g.between(0, if count == 0 { 1 } else { 2 })],
        };
        let varied = CrossEntropy { labels: Indices::new(labels, rows), options };
        let shape = [&[count, classes], &inner[..]].concat();
        vec![Sample::new(plain, [g.normal([n, classes])]), Sample::new(varied, [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = |labels: Indices| CrossEntropy { labels, options: CrossEntropyOptions::default() };
        let with = |options| CrossEntropy { labels: [0].into(), options };
        vec![
            ErrorCase::new(
                op([0, 3].into()),
                &[&[2, 3]],
                "cross_entropy: label 3 at position 1 is not one of 3 classes, 0..3",
            ),
            ErrorCase::new(
                op([-1].into()),
                &[&[1, 3]],
                "cross_entropy: label -1 at position 0 is not one of 3",
            ),
            ErrorCase::new(
                op([0].into()),
                &[&[3]],
                "cross_entropy: the logits must have shape [n, classes, ..]",
            ),
            ErrorCase::new(
                op([0, 1].into()),
                &[&[2, 3, 4]],
                "cross_entropy: logits [2, 3, 4] need labels [2, 4], not [2]",
            ),
            ErrorCase::new(
                with(CrossEntropyOptions { class_weights: Some([1.0, 2.0].into()), ..Default::default() }),
                &[&[1, 3]],
                "cross_entropy: the class weights must have shape [3], not [2]",
            ),
            ErrorCase::new(
                with(CrossEntropyOptions { label_smoothing: 1.5, ..Default::default() }),
                &[&[1, 3]],
                "cross_entropy: label smoothing 1.5 is not between 0 and 1",
            ),
        ]
    }
}
