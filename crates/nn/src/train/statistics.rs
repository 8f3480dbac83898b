//! A look inside: how activations and gradients are spread, layer by layer.

use crate::module::Module;
use gradus_autograd::Gradients;
use gradus_tensor::Tensor;
use std::fmt;

/// How the elements of a tensor are spread.
///
/// ```
/// use gradus_nn::train::Statistics;
/// use gradus_tensor::Tensor;
///
/// let found = Statistics::of(&Tensor::from([0.0, 0.0, 3.0, 1.0]));
/// assert_eq!((found.mean, found.max, found.zeros), (1.0, 3.0, 0.5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// The number of elements.
    pub count: usize,
    /// The mean of the finite elements; NaN when there are none, as what follows.
    pub mean: f64,
    /// Their standard deviation.
    pub std: f64,
    /// The root of their mean square.
    pub rms: f64,
    /// The least.
    pub min: f32,
    /// The greatest.
    pub max: f32,
    /// The share of all elements that are 0.
    pub zeros: f64,
    /// How many are NaN or infinite.
    pub not_finite: usize,
}

impl Statistics {
    /// Of all elements.
    pub fn of(tensor: &Tensor) -> Statistics {
        let finite: Vec<f32> = tensor.iter().filter(|x| x.is_finite()).collect();
        let n = finite.len() as f64;
        let sum = |f: &dyn Fn(f64) -> f64| finite.iter().map(|&x| f(f64::from(x))).sum::<f64>();
        let mean = sum(&|x| x) / n;
        Statistics {
            count: tensor.numel(),
            mean,
            std: (sum(&|x| (x - mean).powi(2)) / n).sqrt(),
            rms: (sum(&|x| x * x) / n).sqrt(),
            min: finite.iter().copied().fold(f32::NAN, f32::min),
            max: finite.iter().copied().fold(f32::NAN, f32::max),
            zeros: tensor.iter().filter(|&x| x == 0.0).count() as f64 / tensor.numel() as f64,
            not_finite: tensor.numel() - finite.len(),
        }
    }

    /// How many elements lie in each of `bins` equal parts of `low..=high`; elements outside are in none.
    ///
    /// # Panics
    /// When there are no bins, or the range is empty.
    ///
    /// ```
    /// use gradus_nn::train::Statistics;
    /// use gradus_tensor::Tensor;
    ///
    /// let x = Tensor::from([0.0, 0.2, 0.5, 1.0, 7.0]);
    /// assert_eq!(Statistics::histogram(&x, 2, 0.0, 1.0), [2, 2]);
    /// ```
    #[track_caller]
    pub fn histogram(tensor: &Tensor, bins: usize, low: f32, high: f32) -> Vec<usize> {
        assert!(
            bins > 0 && low < high,
            "histogram: {bins} bins of {low}..={high}: there must be one at least, and the ends in order"
        );
        let mut counts = vec![0; bins];
        for x in tensor.iter().filter(|x| (low..=high).contains(x)) {
            let share = f64::from(x - low) / f64::from(high - low);
            counts[((share * bins as f64) as usize).min(bins - 1)] += 1;
        }
        counts
    }

    /// The share of the elements within `margin` of one end of `low..=high`: how saturated a sigmoid (0, 1) or a tanh (-1, 1)
    /// is.
    pub fn saturated(tensor: &Tensor, low: f32, high: f32, margin: f32) -> f64 {
        let at_end = |x: f32| x <= low + margin || x >= high - margin;
        tensor.iter().filter(|&x| at_end(x)).count() as f64 / tensor.numel() as f64
    }
}

/// The share of the units of `[n, units, ...]` whose output is 0 for every example and at every position: after a ReLU
/// they are dead, for no gradient reaches what is before them.
///
/// # Panics
/// When there is no axis of units, or nothing at all.
///
/// ```
/// use gradus_nn::train::dead_units;
/// use gradus_tensor::Tensor;
/// // Two examples of four units; the second and the last are 0 for both.
/// assert_eq!(dead_units(&Tensor::from([[1.0, 0.0, 0.0, 0.0], [2.0, 0.0, 3.0, 0.0]])), 0.5);
/// ```
#[track_caller]
pub fn dead_units(activations: &Tensor) -> f64 {
    let shape = activations.shape();
    assert!(
        activations.rank() >= 2 && !activations.is_empty(),
        "dead_units: activations are [n, units, ...], not {shape}"
    );
    let axes: Vec<isize> = (0..activations.rank() as isize).filter(|&axis| axis != 1).collect();
    let greatest = activations.abs().max_axes(axes, false);
    greatest.iter().filter(|&x| x == 0.0).count() as f64 / greatest.numel() as f64
}

/// How gradients flow through a model: the statistics of each parameter's gradient, in the model's order.
///
/// Printed it is a table.
#[derive(Clone, Debug)]
pub struct Flow {
    /// By parameter; what the loss does not reach is not among them.
    pub rows: Vec<(String, Statistics)>,
}

/// The gradients of a batch, parameter by parameter.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{Layer, Linear, Sequential, Sigmoid, train::gradient_flow};
///
/// // Twelve sigmoids: each takes at least three quarters of the gradient away.
/// let mut rng = Rng::seed(0);
/// let net = (0..12).fold(Sequential::new(), |net, _| net.push(Linear::new(8, 8, &mut rng)).push(Sigmoid));
/// let x = Tensor::randn([20, 8], &mut rng);
/// let (_, gradients, ()) = Tape::new().step(|tape| (net.forward(tape.constant(x)).square().mean(), ()));
/// let flow = gradient_flow(&net, &gradients);
/// assert!(flow.vanishes() && !flow.explodes());
/// ```
pub fn gradient_flow(model: &dyn Module, gradients: &Gradients) -> Flow {
    let row = |(name, param)| Some((name, Statistics::of(gradients.of(param)?)));
    Flow { rows: model.params().into_iter().filter_map(row).collect() }
}

/// What the first gradient may be of the last before it counts as vanishing or exploding.
const FAR: f64 = 1e3;

impl Flow {
    /// The size (root mean square) of the first parameter's gradient as a multiple of the last one's.
    pub fn ratio(&self) -> f64 {
        match (self.rows.first(), self.rows.last()) {
            (Some((_, first)), Some((_, last))) => first.rms / last.rms,
            _ => f64::NAN,
        }
    }

    /// Whether the first gradient is less than a thousandth of the last: early layers do not learn.
    pub fn vanishes(&self) -> bool {
        self.ratio() < 1.0 / FAR
    }

    /// Whether the first gradient is more than a thousand times the last, or some are not finite.
    pub fn explodes(&self) -> bool {
        self.ratio() > FAR || !self.not_finite().is_empty()
    }

    /// The parameters whose gradients hold NaN or infinities.
    pub fn not_finite(&self) -> Vec<&str> {
        self.rows.iter().filter(|(_, row)| row.not_finite > 0).map(|(name, _)| &name[..]).collect()
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(9);
        write!(f, "{:width$}        rms       mean        min        max  zeros", "parameter")?;
        for (name, row) in &self.rows {
            let Statistics { rms, mean, min, max, zeros, .. } = row;
            write!(
                f,
                "\n{name:width$} {rms:10.2e} {mean:10.2e} {min:10.2e} {max:10.2e} {:5.1}%",
                zeros * 100.0
            )?;
            if row.not_finite > 0 {
                write!(f, "  {} not finite", row.not_finite)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Init, Linear, Relu, Sequential};
    use gradus_autograd::prelude::*;

    #[test]
    fn statistics_leave_out_what_is_not_finite_and_count_it() {
        let x = Tensor::from([1.0, f32::NAN, 3.0, f32::INFINITY, 0.0]);
        let found = Statistics::of(&x);
        assert_eq!((found.count, found.not_finite, found.zeros), (5, 2, 0.2));
        assert!((found.mean - 4.0 / 3.0).abs() < 1e-12 && (found.rms - (10.0f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!((found.std - (14.0f64 / 9.0).sqrt()).abs() < 1e-12);
        assert_eq!((found.min, found.max), (0.0, 3.0));
        assert!(Statistics::of(&Tensor::zeros([0])).mean.is_nan());
    }

    #[test]
    fn a_histogram_counts_every_element_of_its_range_once() {
        let x = Tensor::uniform([10_000], -1.0, 1.0, &mut Rng::seed(1));
        let counts = Statistics::histogram(&x, 30, -1.0, 1.0);
        assert_eq!(counts.iter().sum::<usize>(), 10_000);
        // Four standard deviations of 10 000 / 30.
        assert!(counts.iter().all(|&n| n.abs_diff(333) < 74), "{counts:?}");
        assert_eq!(Statistics::histogram(&Tensor::from([f32::NAN, 2.0, -2.0]), 3, -1.0, 1.0), [0, 0, 0]);
        assert_eq!(Statistics::saturated(&Tensor::from([0.01, 0.5, 0.97, 0.2]), 0.0, 1.0, 0.05), 0.5);
    }

    #[test]
    fn a_great_negative_bias_kills_units() {
        let dead = |bias: f32| {
            let mut layer = Linear::with_init(10, 50, Init::Normal(1.0), &mut Rng::seed(2));
            layer.bias = Some(Param::new(Tensor::full([50], bias)));
            let net = Sequential::new().push(layer).push(Relu);
            dead_units(&net.activations(Tensor::randn([40, 10], &mut Rng::seed(3)))[1])
        };
        assert_eq!(dead(0.0), 0.0);
        assert!(dead(-10.0) > 0.5, "{}", dead(-10.0));
        // One unit of two, in an image: all positions count.
        let images = Tensor::from([[[0.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]]);
        assert_eq!(dead_units(&images), 0.5);
    }

    /// Ten sigmoids, one number wide, with |w| < 1: a quarter at most comes through each.
    #[test]
    fn a_chain_of_sigmoids_makes_gradients_vanish() {
        let mut rng = Rng::seed(4);
        let weights: Vec<Param> = (0..10).map(|_| Param::new(rng.uniform(-1.0, 1.0))).collect();
        let run = |scale: f32, last: f32| {
            let (_, gradients, ()) = Tape::new().step(|tape| {
                // Biases see what comes to each layer; they are what the bound is about.
                let mut y = tape.constant(0.5);
                for weight in &weights {
                    y = ((y * weight.value().item() + tape.param(weight)) * scale).sigmoid();
                }
                (y * last, ())
            });
            gradient_flow(&weights, &gradients)
        };
        let flow = run(1.0, 1.0);
        assert!(flow.ratio() <= 0.25f64.powi(9) && flow.vanishes() && !flow.explodes(), "{flow}");
        assert_eq!(flow.rows.len(), 10);
        let flow = run(1.0, f32::NAN);
        assert!(
            flow.explodes() && flow.not_finite().len() == 10 && flow.to_string().contains("1 not finite")
        );
    }

    #[test]
    fn great_weights_make_gradients_explode() {
        let weights: Vec<Param> = (0..10).map(|_| Param::new(3.0)).collect();
        let (_, gradients, ()) = Tape::new().step(|tape| {
            let y = weights.iter().fold(tape.constant(1e-3), |y, weight| y * 3.0 + tape.param(weight) * 1e-3);
            (y, ())
        });
        assert!(gradient_flow(&weights, &gradients).explodes());
    }
}
