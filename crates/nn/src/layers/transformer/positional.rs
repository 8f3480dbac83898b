//! Where in a sequence a vector stands, for layers that do not see it.

use crate::{Layer, layers::sizes::demand, module};
use gradus_autograd::prelude::*;

/// Adds to each vector of a sequence, `[.., steps, size]`, waves that tell its position (A. Vaswani and others, "Attention
/// is all you need", 2017), since attention does not see the order.
///
/// `y[t, 2i] = x[t, 2i] + sin(t / 10000^(2i / size))`, `y[t, 2i + 1] = x[t, 2i + 1] + cos(t / 10000^(2i / size))`
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Layer, PositionalEncoding};
///
/// let encoding = PositionalEncoding::new(100, 4);
/// let y = encoding.forward(Tensor::zeros([2, 3, 4]));
/// assert_eq!(y.select(1, 0).to_vec(), [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
/// assert_eq!(y.get([1, 2, 0]), 2f32.sin());
/// ```
#[derive(Clone, Debug)]
pub struct PositionalEncoding {
    /// `[longest, size]`: what is added at each position.
    pub waves: Tensor,
}

module!(PositionalEncoding { ; waves });

impl PositionalEncoding {
    /// For sequences of up to `longest` steps of vectors of this size.
    ///
    /// # Panics
    /// When a number is 0.
    #[track_caller]
    pub fn new(longest: usize, size: usize) -> PositionalEncoding {
        assert!(
            longest > 0 && size > 0,
            "positional_encoding: {longest} steps of size {size}: both must be at least 1"
        );
        let wave = |index: &[usize]| {
            let (position, column) = (index[0] as f64, index[1]);
            let angle = position / 10000f64.powf((column - column % 2) as f64 / size as f64);
            (if column % 2 == 0 { angle.sin() } else { angle.cos() }) as f32
        };
        PositionalEncoding { waves: Tensor::from_fn([longest, size], wave) }
    }
}

impl Layer for PositionalEncoding {
    /// # Panics
    /// When `x` is not `[.., steps, size]`, or has more steps than there are waves for.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        let (shape, waves) = (x.shape(), self.waves.shape());
        let fits = matches!(shape[..], [.., steps, size] if steps <= waves[0] && size == waves[1]);
        demand(fits, || {
            format!(
                "positional_encoding: the batch has shape {shape}; it must be [.., steps, {}] with at most {} steps",
                waves[1], waves[0]
            )
        });
        let steps = shape[shape.rank() - 2];
        let waves = x.place().constant(self.waves.slice(0, ..steps as isize));
        x + waves
    }
}
