//! Dropout: zeros at random in training.

use crate::{layer::Layer, module};
use gradus_autograd::prelude::*;

#[track_caller]
fn check_probability(layer: &str, p: f32) -> f32 {
    assert!((0.0..=1.0).contains(&p), "{layer}: the probability {p} is not in 0..=1");
    p
}

/// Dropout (N. Srivastava and others, 2014; book, section 6.4.3): in training each element is 0 with probability `p`.
///
/// `y = x m / (1 - p)` in training, with m = 0 or 1; `y = x` in evaluation
///
/// The factor keeps the expectation of sums ("inverted dropout", as in PyTorch). The book's form multiplies in evaluation
/// instead: [`scaled_in_evaluation`](Dropout::scaled_in_evaluation). The tape's seed decides what is dropped; backward pass
/// and checkpoints see the same. The next step's mask is another one as long as the tape is the same: a tape that is made
/// anew for each step, with the same seed, drops the same elements each time.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Dropout, Layer};
///
/// let (dropout, x) = (Dropout::new(0.75), Tensor::ones([1000]));
/// let tape = Tape::training(0);
/// assert!(dropout.forward(tape.constant(&x)).value().iter().all(|y| y == 0.0 || y == 4.0));
/// assert_eq!(dropout.forward(x.clone()), x); // evaluation
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// The probability of a zero.
    pub p: f32,
    /// Whether evaluation multiplies by 1 - p, instead of training by 1 / (1 - p).
    pub scaled_in_evaluation: bool,
}

module!(Dropout { ; p, scaled_in_evaluation });

impl Dropout {
    /// With this probability of a zero.
    ///
    /// # Panics
    /// When it is not in 0..=1.
    #[track_caller]
    pub fn new(p: f32) -> Dropout {
        Dropout { p: check_probability("dropout", p), scaled_in_evaluation: false }
    }

    /// The form of the first paper and of the book: `y = x m` in training, `y = (1 - p) x` in evaluation.
    ///
    /// ```
    /// use gradus_nn::{Dropout, Layer};
    /// use gradus_tensor::Tensor;
    ///
    /// assert_eq!(Dropout::new(0.25).scaled_in_evaluation().forward(Tensor::scalar(4.0)).item(), 3.0);
    /// ```
    pub fn scaled_in_evaluation(self) -> Dropout {
        Dropout { scaled_in_evaluation: true, ..self }
    }
}

impl Layer for Dropout {
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        if !self.scaled_in_evaluation {
            return x.dropout(self.p);
        }
        match x.place().draw() {
            Some(seed) => {
                let mask = Tensor::bernoulli(x.shape(), 1.0 - self.p, &mut Rng::seed(seed));
                &x * x.place().constant(mask)
            }
            None => x * (1.0 - self.p),
        }
    }
}

/// [`Dropout`] of whole channels (J. Tompson and others, 2015): in training each channel of each example of `x`,
/// `[n, channels, ..]`, is 0 with probability `p`, and the others are larger by 1 / (1 - p). For images, whose neighbouring
/// pixels say nearly the same.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Dropout2d, Layer};
///
/// let tape = Tape::training(0);
/// let y = Dropout2d::new(0.5).forward(tape.constant(Tensor::ones([8, 16, 3, 3])));
/// let sums = y.value().sum_axes([2, 3], false);
/// assert!(sums.iter().all(|sum| sum == 0.0 || sum == 18.0));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Dropout2d {
    /// The probability of a zero channel.
    pub p: f32,
}

module!(Dropout2d { ; p });

impl Dropout2d {
    /// With this probability of a zero channel.
    ///
    /// # Panics
    /// When it is not in 0..=1.
    #[track_caller]
    pub fn new(p: f32) -> Dropout2d {
        Dropout2d { p: check_probability("dropout2d", p) }
    }
}

impl Layer for Dropout2d {
    /// # Panics
    /// When `x` has fewer than two axes, in training.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        x.dropout2d(self.p)
    }
}

/// Dropout for networks of [`Selu`](crate::Selu) (G. Klambauer and others, 2017), which keeps mean 0 and variance 1: what
/// is dropped gets SELU's limit at -∞, α' = -1.7581, and all is scaled and shifted.
///
/// `y = a (kept ? x : α') + b` in training, with `a = 1 / √((1 - p) (1 + p α'²))` and `b = -a p α'`; `y = x` in evaluation
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{AlphaDropout, Layer};
///
/// let x = Tensor::randn([10_000], &mut Rng::seed(1));
/// let y = AlphaDropout::new(0.2).forward(Tape::training(0).constant(x)).value();
/// assert!(y.mean().item().abs() < 0.05 && (y.square().mean().item() - 1.0).abs() < 0.05);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AlphaDropout {
    /// The probability of a dropped element.
    pub p: f32,
}

module!(AlphaDropout { ; p });

impl AlphaDropout {
    /// With this probability of a dropped element.
    ///
    /// # Panics
    /// When it is not in 0..1.
    #[track_caller]
    pub fn new(p: f32) -> AlphaDropout {
        assert!((0.0..1.0).contains(&p), "alpha_dropout: the probability {p} is not in 0..1");
        AlphaDropout { p }
    }
}

impl Layer for AlphaDropout {
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        x.alpha_dropout(self.p)
    }
}
