//! Initial values of weights.

use gradus_tensor::{OrFail, Rng, Shape, Tensor};

/// How a weight of shape `[out, in, ..]` gets its initial values.
///
/// `fan_in` is the number of inputs that one output sees, `in` times the size of the kernel; `fan_out` likewise.
///
/// ```
/// use gradus_nn::{Init, Linear, init::{Fan, Nonlinearity}};
/// use gradus_tensor::Rng;
///
/// let mut rng = Rng::seed(0);
/// let he = Linear::with_init(64, 32, Init::KaimingNormal, &mut rng);
/// let tanh = Init::ScaledNormal(Fan::Average, Nonlinearity::Tanh.gain());
/// let xavier = Linear::with_init(64, 32, tanh, &mut rng);
/// # let _ = (he, xavier);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All elements equal. With zeros all hidden units stay equal for ever (book, section 6.2).
    Constant(f32),
    /// Normal with mean 0 and this standard deviation; the book's `weight_init_std`.
    Normal(f32),
    /// The same without what lies more than two standard deviations off, drawn anew. Its own standard deviation is
    /// 0.8796 times the given one.
    TruncatedNormal(f32),
    /// Uniform between plus and minus this bound.
    Uniform(f32),
    /// Normal with variance 2 / (fan_in + fan_out): X. Glorot and Y. Bengio, 2010. For sigmoid and tanh. The book's
    /// "Xavier" has variance 1 / fan_in: it is `ScaledNormal(Fan::In, 1.0)`.
    XavierNormal,
    /// Uniform with the same variance.
    XavierUniform,
    /// Normal with variance 2 / fan_in: K. He et al., 2015, the book's "He". For ReLU.
    KaimingNormal,
    /// Uniform with the same variance.
    KaimingUniform,
    /// Normal with standard deviation gain / √fan: Xavier's with the average fan, Kaiming's with the fan in or out, and
    /// the gain of any nonlinearity.
    ScaledNormal(Fan, f32),
    /// Uniform with the same variance.
    ScaledUniform(Fan, f32),
    /// Uniform between plus and minus 1 / √fan_in: what PyTorch's linear and convolution layers start with.
    FanInUniform,
    /// Rows, or columns where there are fewer, that are orthogonal and of this length: A. Saxe, J. McClelland and S.
    /// Ganguli, 2014. All axes but the first count as one.
    Orthogonal(f32),
}

/// Which connections of a weight the scale of its initial values comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fan {
    /// The inputs that one output sees: values keep their size going forward.
    In,
    /// The outputs that one input reaches: gradients keep their size going backward.
    Out,
    /// The mean of both.
    Average,
}

/// What follows a weight, by name: it decides the gain with which values keep their size. PyTorch's `calculate_gain`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nonlinearity {
    /// None: 1.
    Identity,
    /// 1.
    Sigmoid,
    /// 5/3.
    Tanh,
    /// √2: half the values are gone.
    Relu,
    /// √(2 / (1 + slope²)), with the slope below 0.
    LeakyRelu(f32),
    /// 3/4.
    Selu,
}

impl Nonlinearity {
    /// The factor for the standard deviation.
    pub fn gain(self) -> f32 {
        match self {
            Nonlinearity::Identity | Nonlinearity::Sigmoid => 1.0,
            Nonlinearity::Tanh => 5.0 / 3.0,
            Nonlinearity::Relu => 2f32.sqrt(),
            Nonlinearity::LeakyRelu(slope) => (2.0 / (1.0 + slope * slope)).sqrt(),
            Nonlinearity::Selu => 0.75,
        }
    }
}

impl Init {
    /// A weight of this shape.
    ///
    /// # Panics
    /// When the shape has fewer than two axes, for the kinds that need fans or rows.
    #[track_caller]
    pub fn weight(self, shape: impl AsRef<[usize]>, rng: &mut Rng) -> Tensor {
        let shape = shape.as_ref();
        let relu = Nonlinearity::Relu.gain();
        match self {
            Init::Constant(value) => Tensor::full(shape, value),
            Init::Normal(std) => Tensor::randn(shape, rng) * std,
            Init::TruncatedNormal(std) => Tensor::from_fn(shape, |_| truncated(rng)) * std,
            Init::Uniform(bound) => uniform(shape, bound, rng),
            Init::XavierNormal => Init::ScaledNormal(Fan::Average, 1.0).weight(shape, rng),
            Init::XavierUniform => Init::ScaledUniform(Fan::Average, 1.0).weight(shape, rng),
            Init::KaimingNormal => Init::ScaledNormal(Fan::In, relu).weight(shape, rng),
            Init::KaimingUniform => Init::ScaledUniform(Fan::In, relu).weight(shape, rng),
            Init::ScaledNormal(fan, gain) => Tensor::randn(shape, rng) * (gain / fan.of(shape).sqrt()),
            Init::ScaledUniform(fan, gain) => uniform(shape, gain * (3.0 / fan.of(shape)).sqrt(), rng),
            Init::FanInUniform => uniform(shape, 1.0 / fan_in(shape).sqrt(), rng),
            Init::Orthogonal(gain) => orthogonal(shape, rng) * gain,
        }
    }
}

impl Fan {
    #[track_caller]
    fn of(self, shape: &[usize]) -> f32 {
        match self {
            Fan::In => fan_in(shape),
            Fan::Out => fan_out(shape),
            Fan::Average => 0.5 * (fan_in(shape) + fan_out(shape)),
        }
    }
}

#[track_caller]
fn uniform(shape: &[usize], bound: f32, rng: &mut Rng) -> Tensor {
    match bound > 0.0 {
        true => Tensor::uniform(shape, -bound, bound, rng),
        false => Tensor::zeros(shape),
    }
}

fn truncated(rng: &mut Rng) -> f32 {
    loop {
        let x = rng.normal();
        if x.abs() <= 2.0 {
            return x;
        }
    }
}

/// The Gram-Schmidt process on normal vectors, which gives every orthogonal matrix the same chance.
#[track_caller]
fn orthogonal(shape: &[usize], rng: &mut Rng) -> Tensor {
    Shape::new(shape).affordable("init").or_fail();
    let (rows, columns) = (fan_rows(shape), fan_in(shape) as usize);
    let (count, len) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    while vectors.len() < count {
        let mut vector: Vec<f64> = (0..len).map(|_| rng.normal().into()).collect();
        // Once leaves an error that grows with the condition of the vectors; twice is enough (W. Kahan).
        for _ in 0..2 {
            for other in &vectors {
                let share: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(a, b)| *a -= share * b);
            }
        }
        let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        // A vector that was almost in the others' span is drawn again.
        if length > 1e-6 {
            vector.iter_mut().for_each(|x| *x /= length);
            vectors.push(vector);
        }
    }
    let elements: Vec<f32> = vectors.into_iter().flatten().map(|x| x as f32).collect();
    let matrix = Tensor::new(&elements, [count, len]);
    (if rows <= columns { matrix } else { matrix.t() }).reshape(shape)
}

#[track_caller]
fn fan_rows(shape: &[usize]) -> usize {
    assert!(shape.len() >= 2, "init: a weight has at least two axes [out, in, ..], got {shape:?}");
    shape[0]
}

/// The number of inputs that one output of a weight `[out, in, ..]` sees.
#[track_caller]
pub(crate) fn fan_in(shape: &[usize]) -> f32 {
    fan_rows(shape);
    shape[1..].iter().fold(1, |product: usize, &n| product.saturating_mul(n)) as f32
}

#[track_caller]
fn fan_out(shape: &[usize]) -> f32 {
    shape[2..].iter().fold(fan_rows(shape), |product, &n| product.saturating_mul(n)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [usize; 4] = [60, 40, 3, 3];

    #[test]
    fn weights_have_the_moments_that_the_papers_ask_for() {
        let (fan_in, fan_out) = (360.0, 540.0);
        // Mean square and mean fourth power, as multiples of the variance: 3 for normal, 9/5 for uniform ones.
        let (normal, flat) = (3.0, 1.8);
        let leaky = Nonlinearity::LeakyRelu(0.1).gain();
        let cases = [
            (Init::Normal(0.01), 1e-4, normal),
            (Init::Uniform(0.12), 0.12 * 0.12 / 3.0, flat),
            (Init::XavierNormal, 2.0 / (fan_in + fan_out), normal),
            (Init::XavierUniform, 2.0 / (fan_in + fan_out), flat),
            (Init::KaimingNormal, 2.0 / fan_in, normal),
            (Init::KaimingUniform, 2.0 / fan_in, flat),
            (Init::FanInUniform, 1.0 / (3.0 * fan_in), flat),
            (Init::ScaledNormal(Fan::Out, leaky), 2.0 / 1.01 / fan_out, normal),
            (Init::ScaledUniform(Fan::In, Nonlinearity::Tanh.gain()), 25.0 / 9.0 / fan_in, flat),
            // Of the normal distribution cut at two standard deviations, in closed form.
            (Init::TruncatedNormal(0.5), 0.25 * 0.773741, 2.36554),
        ];
        for (init, variance, kurtosis) in cases {
            let weight = init.weight(SHAPE, &mut Rng::seed(5));
            let n = weight.numel() as f64;
            let moment = |k: i32| weight.iter().map(|w| f64::from(w).powi(k)).sum::<f64>() / n;
            // Four standard errors each; that of the fourth moment is at most √(96 / n) of it.
            assert!(moment(1).abs() < 4.0 * (variance / n).sqrt(), "{init:?}");
            let error = 4.0 * ((kurtosis - 1.0) / n).sqrt();
            assert!((moment(2) / variance - 1.0).abs() < error, "{init:?}: {}", moment(2));
            let ratio = moment(4) / moment(2).powi(2);
            assert!((ratio - kurtosis).abs() < 4.0 * (96.0 / n).sqrt(), "{init:?}: {ratio}");
        }
        assert_eq!(Init::Constant(3.0).weight([2], &mut Rng::seed(0)).to_vec(), [3.0, 3.0]);
        assert_eq!(Init::Uniform(0.0).weight([2], &mut Rng::seed(0)).to_vec(), [0.0, 0.0]);
    }

    #[test]
    fn truncated_values_stay_within_two_standard_deviations() {
        let weight = Init::TruncatedNormal(0.5).weight(SHAPE, &mut Rng::seed(1));
        let largest = weight.iter().fold(0.0f32, |max, w| max.max(w.abs()));
        assert!(largest <= 1.0 && largest > 0.99, "{largest}");
    }

    #[test]
    fn orthogonal_rows_or_columns_have_the_gain_for_their_length() {
        for shape in [vec![5, 5], vec![3, 7], vec![8, 2], vec![4, 2, 3, 3], vec![30, 2, 2], vec![1, 1]] {
            let weight = Init::Orthogonal(2.0).weight(&shape, &mut Rng::seed(2));
            assert_eq!(&weight.shape()[..], &shape[..]);
            let matrix = weight.reshape([shape[0], shape[1..].iter().product()]);
            let matrix = if matrix.size(0) <= matrix.size(1) { matrix } else { matrix.t() };
            let gram = matrix.matmul(&matrix.t());
            for (found, expected) in gram.iter().zip((Tensor::eye(matrix.size(0)) * 4.0).iter()) {
                assert!((found - expected).abs() < 4e-6, "{shape:?}: {gram:?}");
            }
        }
        let weight = |seed| Init::Orthogonal(1.0).weight([4, 4], &mut Rng::seed(seed));
        assert!(weight(1) == weight(1) && weight(1) != weight(2));
        assert!(Init::Orthogonal(1.0).weight([0, 3], &mut Rng::seed(0)).is_empty());
    }

    #[test]
    fn gains_are_pytorchs() {
        // From torch.nn.init.calculate_gain.
        for (name, gain) in [
            (Nonlinearity::Identity, 1.0),
            (Nonlinearity::Sigmoid, 1.0),
            (Nonlinearity::Tanh, 1.6666666666666667),
            (Nonlinearity::Relu, std::f64::consts::SQRT_2),
            (Nonlinearity::LeakyRelu(0.2), 1.3867504905630728),
            (Nonlinearity::Selu, 0.75),
        ] {
            assert!((f64::from(name.gain()) - gain).abs() < 2e-7, "{name:?}");
        }
    }

    #[test]
    #[should_panic = "init: a weight has at least two axes [out, in, ..], got [3]"]
    fn fans_need_two_axes() {
        Init::KaimingNormal.weight([3], &mut Rng::seed(0));
    }
}
