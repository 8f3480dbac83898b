//! Initial values of weights.

use gradus_tensor::{Rng, Tensor};

/// How a weight of shape `[out, in, ..]` gets its initial values.
///
/// `fan_in` is the number of inputs that one output sees, `in` times the size of the kernel; `fan_out` likewise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All elements equal. With zeros all hidden units stay equal for ever (book, section 6.2).
    Constant(f32),
    /// Normal with mean 0 and this standard deviation; the book's `weight_init_std`.
    Normal(f32),
    /// Uniform between plus and minus this bound.
    Uniform(f32),
    /// Normal with variance 2 / (fan_in + fan_out): X. Glorot and Y. Bengio, 2010. For sigmoid and tanh. The book's
    /// "Xavier" has variance 1 / fan_in.
    XavierNormal,
    /// Uniform with the same variance.
    XavierUniform,
    /// Normal with variance 2 / fan_in: K. He et al., 2015, the book's "He". For ReLU.
    KaimingNormal,
    /// Uniform with the same variance.
    KaimingUniform,
    /// Uniform between plus and minus 1 / √fan_in: what PyTorch's linear and convolution layers start with.
    FanInUniform,
}

impl Init {
    /// A weight of this shape.
    ///
    /// # Panics
    /// When the shape has fewer than two axes, for the kinds that need fans.
    #[track_caller]
    pub fn weight(self, shape: impl AsRef<[usize]>, rng: &mut Rng) -> Tensor {
        let shape = shape.as_ref();
        let normal = |variance: f32, rng: &mut Rng| Tensor::randn(shape, rng) * variance.sqrt();
        let uniform = |bound: f32, rng: &mut Rng| match bound > 0.0 {
            true => Tensor::uniform(shape, -bound, bound, rng),
            false => Tensor::zeros(shape),
        };
        match self {
            Init::Constant(value) => Tensor::full(shape, value),
            Init::Normal(std) => normal(std * std, rng),
            Init::Uniform(bound) => uniform(bound, rng),
            Init::XavierNormal => normal(2.0 / (fan_in(shape) + fan_out(shape)), rng),
            Init::XavierUniform => uniform((6.0 / (fan_in(shape) + fan_out(shape))).sqrt(), rng),
            Init::KaimingNormal => normal(2.0 / fan_in(shape), rng),
            Init::KaimingUniform => uniform((6.0 / fan_in(shape)).sqrt(), rng),
            Init::FanInUniform => uniform(1.0 / fan_in(shape).sqrt(), rng),
        }
    }
}

/// The number of inputs that one output of a weight `[out, in, ..]` sees.
#[track_caller]
pub(crate) fn fan_in(shape: &[usize]) -> f32 {
    assert!(shape.len() >= 2, "init: a weight has at least two axes [out, in, ..], got {shape:?}");
    shape[1..].iter().product::<usize>() as f32
}

#[track_caller]
fn fan_out(shape: &[usize]) -> f32 {
    assert!(shape.len() >= 2, "init: a weight has at least two axes [out, in, ..], got {shape:?}");
    (shape[0] * shape[2..].iter().product::<usize>()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_have_the_variance_that_the_papers_ask_for() {
        let shape = [60, 40, 3, 3];
        let (fan_in, fan_out) = (360.0, 540.0);
        let cases = [
            (Init::Normal(0.01), 1e-4),
            (Init::Uniform(0.12), 0.12 * 0.12 / 3.0),
            (Init::XavierNormal, 2.0 / (fan_in + fan_out)),
            (Init::XavierUniform, 2.0 / (fan_in + fan_out)),
            (Init::KaimingNormal, 2.0 / fan_in),
            (Init::KaimingUniform, 2.0 / fan_in),
            (Init::FanInUniform, 1.0 / (3.0 * fan_in)),
        ];
        for (init, variance) in cases {
            let weight = init.weight(shape, &mut Rng::seed(5));
            let found = weight.iter().map(|w| (w as f64).powi(2)).sum::<f64>() / weight.len() as f64;
            assert!((found / variance - 1.0).abs() < 0.05, "{init:?}: {found} is not {variance}");
        }
        assert_eq!(Init::Constant(3.0).weight([2], &mut Rng::seed(0)).to_vec(), [3.0, 3.0]);
    }
}
