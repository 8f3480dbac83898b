//! Trigonometric and hyperbolic functions and their inverses.

use super::unary;
use crate::{op::prelude::*, ops::methods::*};
use std::ops::Range;

unary! {
    /// Trigonometric and hyperbolic functions and their inverses, element by element.
    ///
    /// Each takes any shape and gives the same shape. NaN stays NaN. Where the cotangent is 0 the gradient is 0, even
    /// where the function is infinitely steep.
    Trigonometric;

    /// The sine, x in radians.
    sin => Sin {
        formula: "y = sin x; dx = g cos x", ulps: 4.0,
        reference: |x, b| x.sin(),
        derivative: |x, y, k| x.cos(),
        samples: -3.0..3.0,
    }

    /// The cosine, x in radians.
    cos => Cos {
        formula: "y = cos x; dx = -g sin x", ulps: 4.0,
        reference: |x, b| x.cos(),
        derivative: |x, y, k| -x.sin(),
        samples: -3.0..3.0,
    }

    /// The tangent, x in radians.
    tan => Tan {
        formula: "y = tan x; dx = g (1 + y²)", ulps: 4.0,
        reference: |x, b| x.tan(),
        derivative: |x, y, k| y.square() + 1.0,
        slope: |y| 1.0 + y * y,
        samples: -1.2..1.2,
    }

    /// The hyperbolic sine.
    sinh => Sinh {
        formula: "y = sinh x; dx = g cosh x", ulps: 4.0,
        reference: |x, b| x.sinh(),
        derivative: |x, y, k| x.cosh(),
        samples: -3.0..3.0,
    }

    /// The hyperbolic cosine.
    cosh => Cosh {
        formula: "y = cosh x; dx = g sinh x", ulps: 4.0,
        reference: |x, b| x.cosh(),
        derivative: |x, y, k| x.sinh(),
        samples: -3.0..3.0,
    }

    /// The arcsine in radians: infinite slope at -1 and 1, NaN beyond.
    asin => Asin {
        formula: "y = arcsin x; dx = g / √(1 - x²)", ulps: 4.0,
        reference: |x, b| x.asin(),
        derivative: |x, y, k| ((k(1.0) - x.clone()) * (x + 1.0)).rsqrt(),
        slope: |x| 1.0 / ((1.0 - x) * (1.0 + x)).sqrt(),
        samples: -0.8..0.8,
    }

    /// The arccosine in radians: infinite slope at -1 and 1, NaN beyond.
    acos => Acos {
        formula: "y = arccos x; dx = -g / √(1 - x²)", ulps: 4.0,
        reference: |x, b| x.acos(),
        derivative: |x, y, k| -((k(1.0) - x.clone()) * (x + 1.0)).rsqrt(),
        slope: |x| -1.0 / ((1.0 - x) * (1.0 + x)).sqrt(),
        samples: -0.8..0.8,
    }

    /// The arctangent in radians, between -π/2 and π/2.
    atan => Atan {
        formula: "y = arctan x; dx = g / (1 + x²)", ulps: 4.0,
        reference: |x, b| x.atan(),
        derivative: |x, y, k| k(1.0) / (x.square() + 1.0),
        slope: |x| 1.0 / (1.0 + x * x),
        samples: -3.0..3.0,
    }

    /// The inverse hyperbolic sine.
    asinh => Asinh {
        formula: "y = ln(x + √(x² + 1)); dx = g / √(x² + 1)", ulps: 4.0,
        reference: |x, b| x.asinh(),
        // Squares leave f32 where the slope does not.
        derivative: |x, y, k| x.hypot(&x.place().constant(1.0)).reciprocal(),
        slope: |x| (1.0 / (f64::from(x) * f64::from(x) + 1.0).sqrt()) as f32,
        samples: -3.0..3.0,
    }

    /// The inverse hyperbolic cosine: infinite slope at 1, NaN below.
    acosh => Acosh {
        formula: "y = ln(x + √(x² - 1)); dx = g / √(x² - 1)", ulps: 4.0,
        reference: |x, b| x.acosh(),
        derivative: |x, y, k| (x - 1.0).rsqrt() * (x + 1.0).rsqrt(),
        slope: |x| 1.0 / ((x - 1.0).sqrt() * (x + 1.0).sqrt()),
        samples: 1.3..4.0,
    }

    /// The inverse hyperbolic tangent: ±inf, and an infinite slope, at -1 and 1; NaN beyond.
    atanh => Atanh {
        formula: "y = ln((1 + x) / (1 - x)) / 2; dx = g / (1 - x²)", ulps: 4.0,
        reference: |x, b| x.atanh(),
        derivative: |x, y, k| k(1.0) / ((k(1.0) - x.clone()) * (x + 1.0)),
        slope: |x| 1.0 / ((1.0 - x) * (1.0 + x)),
        samples: -0.8..0.8,
    }
}
