//! Activations as layers, for [`Sequential`](crate::Sequential); in a formula, call the methods of values.

use crate::{layer::Layer, module};
use gradus_autograd::prelude::*;

/// Layers without settings: each is a method of values, and has a value at one point to show.
macro_rules! activations {
    ($($(#[$doc:meta])* $Layer:ident = $method:ident, $x:literal => $y:literal;)*) => {$(
        $(#[$doc])*
        ///
        /// ```
        #[doc = concat!("use gradus_nn::{Layer, ", stringify!($Layer), "};")]
        /// use gradus_tensor::Tensor;
        ///
        #[doc = concat!("let y = ", stringify!($Layer), ".forward(Tensor::scalar(", stringify!($x), "));")]
        #[doc = concat!("assert_eq!(y.item(), ", stringify!($y), ");")]
        /// ```
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $Layer;

        module!($Layer {});

        impl Layer for $Layer {
            #[track_caller]
            fn forward<V: Value>(&self, x: V) -> V {
                x.$method()
            }
        }
    )*};
}

activations! {
    /// The perceptron's activation (book, chapter 2): `y = 1` where x > 0, else 0. No gradient flows through it.
    Step = is_positive, 0.5 => 1.0;
    /// The logistic function, `y = 1 / (1 + e^-x)` (book, chapter 3).
    Sigmoid = sigmoid, 0.0 => 0.5;
    /// The hyperbolic tangent, `y = (e^x - e^-x) / (e^x + e^-x)`.
    Tanh = tanh, 0.0 => 0.0;
    /// The rectifier, `y = max(x, 0)` (book, chapter 3). At 0 its derivative is 0.
    Relu = relu, -2.0 => 0.0;
    /// The rectifier that ends at 6: `y = min(max(x, 0), 6)`.
    Relu6 = relu6, 9.0 => 6.0;
    /// The scaled exponential linear unit, `y = λ x` where x > 0, else `λ α (e^x - 1)` with λ = 1.0507 and α = 1.6733: it
    /// brings activations to mean 0 and variance 1 (G. Klambauer and others, 2017).
    Selu = selu, 1.0 => 1.050701;
    /// The Gaussian error linear unit, `y = x Φ(x)` with the cumulative normal distribution Φ (D. Hendrycks and K. Gimpel,
    /// 2016), in the exact form.
    Gelu = gelu, 0.0 => 0.0;
    /// The approximation `y = x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2` of [`Gelu`], which many published models use:
    /// PyTorch's `approximate="tanh"`.
    GeluTanh = gelu_tanh, 0.0 => 0.0;
    /// `y = x sigmoid(x)`, also named swish (P. Ramachandran, B. Zoph and Q. V. Le, 2017).
    Silu = silu, 0.0 => 0.0;
    /// `y = x tanh(ln(1 + e^x))` (D. Misra, 2019).
    Mish = mish, 0.0 => 0.0;
    /// `y = x / (1 + |x|)`.
    Softsign = softsign, 1.0 => 0.5;
    /// The sigmoid in three straight pieces: `y = min(max(x + 3, 0), 6) / 6`.
    Hardsigmoid = hardsigmoid, 0.0 => 0.5;
    /// `y = x min(max(x + 3, 0), 6) / 6` (A. Howard and others, 2019).
    Hardswish = hardswish, 4.0 => 4.0;
    /// The logarithm of the sigmoid, `y = -ln(1 + e^-x)`, without overflow.
    LogSigmoid = logsigmoid, -100.0 => -100.0;
}

/// The identity, `y = x`: what regression has for an output activation (book, chapter 3).
///
/// ```
/// use gradus_nn::{Identity, Layer};
/// use gradus_tensor::Tensor;
///
/// assert_eq!(Identity.forward(Tensor::scalar(3.0)).item(), 3.0);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity;

module!(Identity {});

impl Layer for Identity {
    fn forward<V: Value>(&self, x: V) -> V {
        x
    }
}

/// Layers with settings: each is a method of values that takes them, and may have a condition on them. The values
/// beside the settings are PyTorch's defaults, and those of `Default`.
macro_rules! activations_with_settings {
    ($(
        $(#[$doc:meta])*
        $Layer:ident { $($(#[$about:meta])* $setting:ident: $Setting:ty = $usual:expr),+ } = $method:ident
        $(, if $possible:expr, else $sentence:literal)?;
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $Layer {
            $($(#[$about])* pub $setting: $Setting),+
        }

        module!($Layer { ; $($setting),+ });

        impl $Layer {
            /// With these settings.
            $(
                ///
                /// # Panics
                #[doc = concat!("Unless `", stringify!($possible), "`.")]
            )?
            #[track_caller]
            pub fn new($($setting: $Setting),+) -> $Layer {
                $(assert!($possible, $sentence);)?
                $Layer { $($setting),+ }
            }
        }

        impl Default for $Layer {
            /// With PyTorch's settings.
            fn default() -> $Layer {
                $Layer { $($setting: $usual),+ }
            }
        }

        impl Layer for $Layer {
            #[track_caller]
            fn forward<V: Value>(&self, x: V) -> V {
                x.$method($(self.$setting),+)
            }
        }
    )*};
}

activations_with_settings! {
    /// The rectifier that lets a part of the negative side through: `y = x` where x > 0, else `slope x` (A. L. Maas, A. Y.
    /// Hannun and A. Y. Ng, 2013). 0.01 is the usual slope.
    ///
    /// ```
    /// use gradus_nn::{Layer, LeakyRelu};
    /// use gradus_tensor::Tensor;
    ///
    /// assert_eq!(LeakyRelu::new(0.25).forward(Tensor::scalar(-2.0)).item(), -0.5);
    /// assert_eq!(LeakyRelu::default().slope, 0.01);
    /// ```
    LeakyRelu {
        /// That of the negative side.
        slope: f32 = 0.01
    } = leaky_relu;

    /// The rectifier whose negative side has a random slope, uniform between two bounds and for each element its own, in
    /// training, and their mean in evaluation (B. Xu and others, 2015). The bounds are 1/8 and 1/3 as a rule.
    ///
    /// `y = x` where x > 0, else `slope x`
    ///
    /// ```
    /// use gradus_nn::{Layer, RRelu};
    /// use gradus_tensor::Tensor;
    ///
    /// assert_eq!(RRelu::new(0.125, 0.375).forward(Tensor::scalar(-4.0)).item(), -1.0); // evaluation
    /// ```
    RRelu {
        /// The least slope.
        low: f32 = 1.0 / 8.0,
        /// The greatest slope.
        high: f32 = 1.0 / 3.0
    } = rrelu, if low <= high, else "rrelu: no slope lies between {low} and {high}";

    /// The exponential linear unit, `y = x` where x > 0, else `alpha (e^x - 1)` (D.-A. Clevert, T. Unterthiner and S.
    /// Hochreiter, 2015). 1 is the usual alpha.
    ///
    /// ```
    /// use gradus_nn::{Elu, Layer};
    /// use gradus_tensor::Tensor;
    ///
    /// assert!((Elu::default().forward(Tensor::scalar(-1.0)).item() + 0.6321206).abs() < 1e-6);
    /// ```
    Elu {
        /// The limit at -∞ is its negative.
        alpha: f32 = 1.0
    } = elu;

    /// The exponential linear unit with slope 1 at 0 for every alpha: `y = x` where x > 0, else `alpha (e^(x / alpha) - 1)`
    /// (J. T. Barron, 2017).
    ///
    /// ```
    /// use gradus_nn::{Celu, Layer};
    /// use gradus_tensor::Tensor;
    ///
    /// assert_eq!(Celu::new(2.0).forward(Tensor::scalar(-100.0)).item(), -2.0);
    /// ```
    Celu {
        /// The limit at -∞ is its negative.
        alpha: f32 = 1.0
    } = celu, if alpha != 0.0, else "celu: alpha is {alpha}, which x is divided by";

    /// The smooth rectifier, `y = ln(1 + e^(beta x)) / beta`, and x where beta x > threshold. No f32 has a difference there with
    /// the usual threshold.
    ///
    /// ```
    /// use gradus_nn::{Layer, Softplus};
    /// use gradus_tensor::Tensor;
    ///
    /// assert_eq!(Softplus::default().forward(Tensor::scalar(100.0)).item(), 100.0);
    /// assert_eq!(Softplus::new(2.0, 20.0).forward(Tensor::scalar(0.0)).item(), 2f32.ln() / 2.0);
    /// ```
    Softplus {
        /// How steep it is.
        beta: f32 = 1.0,
        /// Of beta x: beyond, y is x.
        threshold: f32 = 20.0
    } = softplus_with, if beta != 0.0, else "softplus: beta is 0, which x is divided by";

    /// x between two bounds, and the bounds beyond: `y = min(max(x, low), high)`. At the bounds the derivative is 0.
    ///
    /// ```
    /// use gradus_nn::{Hardtanh, Layer};
    /// use gradus_tensor::Tensor;
    ///
    /// assert_eq!(Hardtanh::default().forward(Tensor::from([-3.0, 0.5, 3.0])).to_vec(), [-1.0, 0.5, 1.0]);
    /// ```
    Hardtanh {
        /// The least value.
        low: f32 = -1.0,
        /// The greatest value.
        high: f32 = 1.0
    } = hardtanh, if low < high, else "hardtanh: the bound {low} is not below {high}";

    /// The softmax along an axis, `y = e^x / Σ e^x`: positive numbers that sum to 1 (book, chapter 3). `Default` takes the
    /// last axis. Before a cross-entropy it is left out, since that contains it.
    ///
    /// ```
    /// use gradus_nn::{Layer, Softmax};
    /// use gradus_tensor::Tensor;
    ///
    /// let y = Softmax::new(-1).forward(Tensor::from([[0.3, 2.9, 4.0]]));
    /// assert!((y.get([0, 0]) - 0.01821127).abs() < 1e-7);
    /// ```
    Softmax {
        /// Negative from the back.
        axis: isize = -1
    } = softmax;

    /// The logarithm of the softmax along an axis, `y = x - ln Σ e^x`, exact where the softmax itself rounds to 0. `Default`
    /// takes the last axis.
    ///
    /// ```
    /// use gradus_nn::{Layer, LogSoftmax};
    /// use gradus_tensor::Tensor;
    ///
    /// assert_eq!(LogSoftmax::new(0).forward(Tensor::from([0.0, 1000.0])).to_vec(), [-1000.0, 0.0]);
    /// ```
    LogSoftmax {
        /// Negative from the back.
        axis: isize = -1
    } = log_softmax;
}

/// The rectifier whose negative side has a slope that is trained, one for all or one for each channel (K. He and others,
/// 2015): `y = x` where x > 0, else `weight x`, with channels on axis 1.
///
/// ```
/// use gradus_nn::{Layer, PRelu};
/// use gradus_tensor::Tensor;
///
/// assert_eq!(PRelu::new(1).forward(Tensor::scalar(-2.0)).item(), -0.5);
/// ```
#[derive(Clone, Debug)]
pub struct PRelu {
    /// `[1]` or `[channels]`, 0.25 at first.
    pub weight: Param,
}

module!(PRelu { weight });

impl PRelu {
    /// With so many slopes: 1, or as many as there are channels.
    ///
    /// # Panics
    /// When there are none.
    #[track_caller]
    pub fn new(slopes: usize) -> PRelu {
        assert!(slopes > 0, "prelu: 0 slopes: there must be one, or one for each channel");
        PRelu { weight: Param::new(Tensor::full([slopes], 0.25)) }
    }
}

impl Layer for PRelu {
    /// # Panics
    /// When there are several slopes, and not one for each channel of `x`.
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        x.prelu(&x.place().param(&self.weight))
    }
}
