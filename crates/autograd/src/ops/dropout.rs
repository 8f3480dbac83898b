//! Dropout: elements or channels that are zero in training, at random.

use crate::op::prelude::*;
use gradus_tensor::Rng;

/// Zeros at random in training; nothing in evaluation, which is without a tape or on one of `Tape::new`.
pub trait Regularization: Value {
    /// In training each element is 0 with probability `p`, and the others are larger by 1 / (1 - p), so that sums keep
    /// their expectation. In evaluation it is the value itself.
    ///
    /// `y = m x; dx = m g`, m being 0 or 1 / (1 - p)
    ///
    /// The tape's seed decides the mask; replays and every order of derivative see the same. An infinite element that
    /// is dropped gives NaN.
    ///
    /// # Panics
    /// When p is not in 0..=1.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::training(7);
    /// let x = tape.var(Tensor::ones([1000]));
    /// let y = x.dropout(0.75);
    /// assert!(y.value().iter().all(|y| y == 0.0 || y == 4.0));
    /// assert_eq!(y.sum().backward()[x], y.value());
    /// assert_eq!(Tensor::ones([3]).dropout(0.75), Tensor::ones([3]));
    /// ```
    #[track_caller]
    fn dropout(&self, p: f32) -> Self {
        drop(self, p, false)
    }

    /// [`dropout`](Regularization::dropout) of whole channels: of `[n, c, ..]` each channel of each image is 0 with
    /// probability `p`.
    ///
    /// # Panics
    /// When p is not in 0..=1, or there are fewer than two axes in training.
    #[track_caller]
    fn dropout2d(&self, p: f32) -> Self {
        drop(self, p, true)
    }

    /// Dropout that keeps mean 0 and variance 1, for networks of [`selu`]: what is dropped gets SELU's limit at -∞,
    /// -1.7581, and all is scaled and shifted. In evaluation it is the value itself.
    ///
    /// `y = a (kept ? x : α') + b, a = 1 / √((1 - p) (1 + p α'²)), b = -a p α', α' = -1.7581`
    ///
    /// [`selu`]: https://arxiv.org/abs/1706.02515
    ///
    /// # Panics
    /// When p is not in 0..1.
    #[track_caller]
    fn alpha_dropout(&self, p: f32) -> Self {
        // -λα of SELU.
        const LIMIT: f64 = -1.7580993408473766;
        assert!((0.0..1.0).contains(&p), "alpha_dropout: the probability {p} is not in 0..1");
        if !self.place().is_training() {
            return self.clone();
        }
        let q = 1.0 - p as f64;
        let a = 1.0 / (q * (1.0 + p as f64 * LIMIT * LIMIT)).sqrt();
        // Dropout's factor 1 / q is taken back.
        let kept = drop(&(c(-LIMIT) + self.clone()), p, false);
        c(a * LIMIT - a * p as f64 * LIMIT) + c(a * q) * kept
    }
}

impl<V: Value> Regularization for V {}

#[track_caller]
fn drop<V: Value>(x: &V, p: f32, channels: bool) -> V {
    assert!((0.0..=1.0).contains(&p), "dropout: the probability {p} is not in 0..=1");
    if p == 0.0 {
        // As the layers that have dropout as an option do. It is the same in training, so it does not ask.
        return x.clone();
    }
    match x.place().draw() {
        Some(seed) => V::apply(Dropout { p, seed, channels }, &[x]),
        None => x.clone(),
    }
}

/// Elements, or the channels of `[n, c, ..]`, set to zero at random, and the others made larger.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// The probability of a zero.
    pub p: f32,
    /// Decides which.
    pub seed: u64,
    /// Whether channels are dropped instead of elements.
    pub channels: bool,
}

impl Dropout {
    /// What an input of this shape is multiplied by: 0, or the f32 next to 1 / (1 - p).
    fn mask(&self, x: &[usize]) -> Tensor {
        let mut shape = Shape::new(x);
        if self.channels {
            shape = (2..x.len()).fold(shape, |shape, axis| shape.with(axis, 1));
        }
        let factor = if self.p < 1.0 { (1.0 / (1.0 - self.p as f64)) as f32 } else { 0.0 };
        Tensor::bernoulli(shape, 1.0 - self.p, &mut Rng::seed(self.seed)) * factor
    }
}

impl Op for Dropout {
    const NAME: &'static str = "dropout";
    const FORMULA: &'static str = "y = m x, m = 0 with probability p, else 1 / (1 - p); dx = m g";
    /// The mask.
    type Saved = Tensor;

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x] = arity::<Self, _>(inputs);
        if self.channels && x.len() < 2 {
            return Err(ShapeError::new(format!(
                "dropout: shape {x:?} has no channels: [images, channels, ..]"
            )));
        }
        Ok(Shape::new(x).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, Tensor) {
        let mask = self.mask(inputs[0].shape());
        ((inputs[0] * &mask).into(), mask)
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, mask: &Tensor) {
        let g = cx.cotangent();
        cx.add(0, || &g * g.place().constant(mask.clone()));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        let mask = Array::from(&self.mask(&Shape::new(inputs[0].shape())));
        vec![inputs[0].zip(&mask, |x, m| x * m)]
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        along.same()
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let p = [0.0, 0.25, 0.5, 0.9, 1.0][g.between(0, 4)];
        let (seed, shape) = (g.rng().bits(), g.shape());
        let channels = shape.len() >= 2 && g.between(0, 1) == 1;
        vec![Sample::new(Dropout { p, seed, channels }, [g.normal(shape)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = Dropout { p: 0.5, seed: 0, channels: true };
        vec![ErrorCase::new(op, &[&[3]], "dropout: shape [3] has no channels: [images, channels, ..]")]
    }
}
