//! Constructors: constants, ranges, random values, nested arrays.

use crate::{array::Tensor, random::Rng, shape::Shape, threads::share};

impl Tensor {
    /// A scalar: rank 0, one element.
    pub fn scalar(value: f32) -> Tensor {
        Tensor::full([], value)
    }

    /// All elements equal.
    #[track_caller]
    pub fn full(shape: impl AsRef<[usize]>, value: f32) -> Tensor {
        Tensor::written(Shape::new(shape.as_ref()), |out| {
            share::for_each_chunk(out, share::ELEMENTWISE, &|_, out| out.fill(value));
        })
    }

    /// All zeros.
    #[track_caller]
    pub fn zeros(shape: impl AsRef<[usize]>) -> Tensor {
        Tensor::full(shape, 0.0)
    }

    /// All ones.
    #[track_caller]
    pub fn ones(shape: impl AsRef<[usize]>) -> Tensor {
        Tensor::full(shape, 1.0)
    }

    /// 0, 1, 2, ..., n - 1.
    #[track_caller]
    pub fn arange(n: usize) -> Tensor {
        Tensor::from_fn([n], |i| i[0] as f32)
    }

    /// `n` evenly spaced values from `start` to `end`, both included.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// assert_eq!(Tensor::linspace(-1.0, 1.0, 5).to_vec(), [-1.0, -0.5, 0.0, 0.5, 1.0]);
    /// ```
    #[track_caller]
    pub fn linspace(start: f32, end: f32, n: usize) -> Tensor {
        let (from, to) = (start as f64, end as f64);
        let step = (to - from) / (n.max(2) - 1) as f64;
        // The last value is `end` itself, not a sum that rounding moved.
        Tensor::from_fn(
            [n],
            |i| if i[0] > 0 && i[0] == n - 1 { end } else { (from + step * i[0] as f64) as f32 },
        )
    }

    /// The n x n identity matrix.
    #[track_caller]
    pub fn eye(n: usize) -> Tensor {
        Tensor::from_fn([n, n], |i| if i[0] == i[1] { 1.0 } else { 0.0 })
    }

    /// Each element computed from its index.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let table = Tensor::from_fn([3, 3], |i| ((i[0] + 1) * (i[1] + 1)) as f32);
    /// assert_eq!(table.get([2, 1]), 6.0);
    /// ```
    #[track_caller]
    pub fn from_fn(shape: impl AsRef<[usize]>, mut f: impl FnMut(&[usize]) -> f32) -> Tensor {
        let shape = Shape::new(shape.as_ref());
        let mut index = vec![0; shape.rank()];
        Tensor::written(shape.clone(), |out| {
            for element in out {
                *element = f(&index);
                for (i, &n) in index.iter_mut().zip(&shape[..]).rev() {
                    *i += 1;
                    if *i < n {
                        break;
                    }
                    *i = 0;
                }
            }
        })
    }

    /// Values drawn from the normal distribution with mean 0 and standard deviation 1.
    #[track_caller]
    pub fn randn(shape: impl AsRef<[usize]>, rng: &mut Rng) -> Tensor {
        Tensor::written(Shape::new(shape.as_ref()), |out| out.fill_with(|| rng.normal()))
    }

    /// Values drawn uniformly from `low <= x < high`.
    ///
    /// # Panics
    /// When the range is empty or not finite.
    #[doc(alias = "rand")]
    #[track_caller]
    pub fn uniform(shape: impl AsRef<[usize]>, low: f32, high: f32, rng: &mut Rng) -> Tensor {
        Rng::check_range(low, high);
        Tensor::written(Shape::new(shape.as_ref()), |out| out.fill_with(|| rng.uniform(low, high)))
    }

    /// Ones, each with this probability, between zeros.
    ///
    /// # Panics
    /// When the probability is not in 0..=1.
    #[track_caller]
    pub fn bernoulli(shape: impl AsRef<[usize]>, probability: f32, rng: &mut Rng) -> Tensor {
        assert!(
            (0.0..=1.0).contains(&probability),
            "bernoulli: the probability {probability} is not in 0..=1"
        );
        let draw = |rng: &mut Rng| if rng.uniform(0.0, 1.0) < probability { 1.0 } else { 0.0 };
        Tensor::written(Shape::new(shape.as_ref()), |out| out.fill_with(|| draw(rng)))
    }
}

/// A handle to the same buffer.
impl From<&Tensor> for Tensor {
    fn from(tensor: &Tensor) -> Tensor {
        tensor.clone()
    }
}

impl From<f32> for Tensor {
    fn from(value: f32) -> Tensor {
        Tensor::scalar(value)
    }
}

/// One axis.
impl From<&[f32]> for Tensor {
    #[track_caller]
    fn from(elements: &[f32]) -> Tensor {
        Tensor::new(elements, [elements.len()])
    }
}

/// One axis.
impl From<Vec<f32>> for Tensor {
    #[track_caller]
    fn from(elements: Vec<f32>) -> Tensor {
        Tensor::from(&elements[..])
    }
}

/// One axis.
impl From<&Vec<f32>> for Tensor {
    #[track_caller]
    fn from(elements: &Vec<f32>) -> Tensor {
        Tensor::from(&elements[..])
    }
}

/// One axis.
///
/// ```
/// # use gradus_tensor::Tensor;
/// let squares: Tensor = (0..4).map(|i| (i * i) as f32).collect();
/// assert_eq!(squares, Tensor::from(vec![0.0, 1.0, 4.0, 9.0]));
/// ```
impl FromIterator<f32> for Tensor {
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = f32>>(elements: I) -> Tensor {
        Tensor::from(elements.into_iter().collect::<Vec<f32>>())
    }
}

/// One axis.
impl<'a> FromIterator<&'a f32> for Tensor {
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = &'a f32>>(elements: I) -> Tensor {
        elements.into_iter().copied().collect()
    }
}

impl<const N: usize> From<[f32; N]> for Tensor {
    fn from(row: [f32; N]) -> Tensor {
        Tensor::new(row, [N])
    }
}

impl<const N: usize, const M: usize> From<[[f32; N]; M]> for Tensor {
    fn from(rows: [[f32; N]; M]) -> Tensor {
        Tensor::new(rows.as_flattened(), [M, N])
    }
}

impl<const N: usize, const M: usize, const L: usize> From<[[[f32; N]; M]; L]> for Tensor {
    fn from(blocks: [[[f32; N]; M]; L]) -> Tensor {
        Tensor::new(blocks.as_flattened().as_flattened(), [L, M, N])
    }
}

impl<const N: usize, const M: usize, const L: usize, const K: usize> From<[[[[f32; N]; M]; L]; K]>
    for Tensor
{
    fn from(images: [[[[f32; N]; M]; L]; K]) -> Tensor {
        Tensor::new(images.as_flattened().as_flattened().as_flattened(), [K, L, M, N])
    }
}
