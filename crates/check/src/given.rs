//! What a gradient can be given as.

/// A number of a gradient: `f64` or `f32`.
pub trait Number: Copy {
    /// The distance from 1 to the next number.
    const EPSILON: f64;
    /// The number.
    fn to_f64(self) -> f64;
    /// The nearest of these numbers.
    fn nearest(x: f64) -> Self;
}

impl Number for f64 {
    const EPSILON: f64 = f64::EPSILON;

    fn to_f64(self) -> f64 {
        self
    }

    fn nearest(x: f64) -> f64 {
        x
    }
}

impl Number for f32 {
    const EPSILON: f64 = f32::EPSILON as f64;

    fn to_f64(self) -> f64 {
        self.into()
    }

    fn nearest(x: f64) -> f32 {
        x as f32
    }
}

/// Numbers in row-major order: slices, vectors and arrays of `f64` or `f32`, and with their features the arrays of `ndarray`
/// and the matrices of `nalgebra`.
pub trait Numbers {
    /// The distance from 1 to the next number.
    const EPSILON: f64;
    /// The numbers.
    fn numbers(&self) -> Vec<f64>;
}

impl<N: Number> Numbers for [N] {
    const EPSILON: f64 = N::EPSILON;

    fn numbers(&self) -> Vec<f64> {
        self.iter().map(|x| x.to_f64()).collect()
    }
}

impl<N: Number> Numbers for Vec<N> {
    const EPSILON: f64 = N::EPSILON;

    fn numbers(&self) -> Vec<f64> {
        self[..].numbers()
    }
}

impl<N: Number, const K: usize> Numbers for [N; K] {
    const EPSILON: f64 = N::EPSILON;

    fn numbers(&self) -> Vec<f64> {
        self[..].numbers()
    }
}

impl<T: Numbers + ?Sized> Numbers for &T {
    const EPSILON: f64 = T::EPSILON;

    fn numbers(&self) -> Vec<f64> {
        (**self).numbers()
    }
}

/// A point of another type than a slice, which knows its shape and can be made again with other numbers.
pub trait Point: Numbers {
    /// Its shape.
    fn shape(&self) -> Vec<usize>;
    /// A point of the same shape with these numbers, in row-major order.
    fn with(&self, numbers: &[f64]) -> Self;
}

impl<N: Number> Point for Vec<N> {
    fn shape(&self) -> Vec<usize> {
        vec![self.len()]
    }

    fn with(&self, numbers: &[f64]) -> Vec<N> {
        numbers.iter().map(|&x| N::nearest(x)).collect()
    }
}

/// A derivative to be checked, for a point of numbers `T`: given as numbers, or as a function that computes them at the
/// point.
pub trait Derivative<T> {
    /// The distance from 1 to the next number, in the arithmetic it was computed in.
    const EPSILON: f64;
    /// Its numbers at this point.
    fn at(&self, x: &[T]) -> Vec<f64>;
}

impl<T, F: Fn(&[T]) -> R, R: Numbers> Derivative<T> for F {
    const EPSILON: f64 = R::EPSILON;

    fn at(&self, x: &[T]) -> Vec<f64> {
        self(x).numbers()
    }
}

/// Numbers are what they are at any point.
macro_rules! numbers_are_derivatives {
    ($([$($generics:tt)*] $type:ty)*) => {$(
        impl<T, N: Number, $($generics)*> Derivative<T> for $type {
            const EPSILON: f64 = N::EPSILON;

            fn at(&self, _: &[T]) -> Vec<f64> {
                self.numbers()
            }
        }
    )*};
}

numbers_are_derivatives!([] &[N] [] Vec<N> [] &Vec<N> [const K: usize] [N; K] [const K: usize] &[N; K]);
