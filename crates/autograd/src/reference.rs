//! The slow f64 side: plain arrays for reference implementations, and the record of the branches they take.

use gradus_tensor::{Shape, Tensor, shape::reduced};

/// A row-major array of f64s, for references: no strides, no views, no kernels shared with the fast side.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    shape: Shape,
    data: Vec<f64>,
}

impl Array {
    /// These elements under this shape.
    ///
    /// # Panics
    /// When their number is not the product of the sizes.
    #[track_caller]
    pub fn new(data: Vec<f64>, shape: impl AsRef<[usize]>) -> Array {
        let shape = Shape::new(shape.as_ref());
        assert_eq!(shape.len(), data.len(), "array: {} elements do not fill shape {shape}", data.len());
        Array { shape, data }
    }

    /// All elements equal.
    pub fn full(shape: impl AsRef<[usize]>, value: f64) -> Array {
        let shape = Shape::new(shape.as_ref());
        Array { data: vec![value; shape.len()], shape }
    }

    /// Each element computed from its index.
    pub fn from_fn(shape: impl AsRef<[usize]>, mut f: impl FnMut(&[usize]) -> f64) -> Array {
        let shape = Shape::new(shape.as_ref());
        let mut index = vec![0; shape[..].len()];
        let data = (0..shape.len()).map(|_| {
            let value = f(&index);
            for (i, &n) in index.iter_mut().zip(&shape[..]).rev() {
                *i += 1;
                if *i < n {
                    break;
                }
                *i = 0;
            }
            value
        });
        Array { data: data.collect(), shape: shape.clone() }
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements, row-major.
    pub fn data(&self) -> &[f64] {
        &self.data
    }

    /// The elements for writing, row-major.
    pub fn data_mut(&mut self) -> &mut [f64] {
        &mut self.data
    }

    /// The element at an index.
    pub fn at(&self, index: &[usize]) -> f64 {
        self.data[self.flat(index)]
    }

    /// The element at an index, for writing.
    pub fn at_mut(&mut self, index: &[usize]) -> &mut f64 {
        let flat = self.flat(index);
        &mut self.data[flat]
    }

    fn flat(&self, index: &[usize]) -> usize {
        debug_assert_eq!(index.len(), self.shape[..].len());
        index.iter().zip(&self.shape[..]).fold(0, |flat, (&i, &n)| flat * n + i)
    }

    /// The element of this array that broadcasting puts at an index of a larger shape.
    pub fn broadcast_at(&self, index: &[usize]) -> f64 {
        let skip = index.len() - self.shape[..].len();
        let own = index[skip..].iter().zip(&self.shape[..]).map(|(&i, &n)| if n == 1 { 0 } else { i });
        self.data[own.zip(&self.shape[..]).fold(0, |flat, (i, &n)| flat * n + i)]
    }

    /// `f` of each element.
    pub fn map(&self, f: impl FnMut(f64) -> f64) -> Array {
        Array { shape: self.shape.clone(), data: self.data.iter().copied().map(f).collect() }
    }

    /// `f` of the elements of two arrays, broadcast to one shape.
    pub fn zip(&self, other: &Array, mut f: impl FnMut(f64, f64) -> f64) -> Array {
        if self.shape == other.shape {
            let data = self.data.iter().zip(&other.data).map(|(&a, &b)| f(a, b)).collect();
            return Array { shape: self.shape.clone(), data };
        }
        let rank = self.shape[..].len().max(other.shape[..].len());
        let size = |s: &[usize], i: usize| (i + s.len()).checked_sub(rank).map_or(1, |i| s[i]);
        // A size of 1 gives way to the other, 0 included.
        let joint = |i| match (size(&self.shape, i), size(&other.shape, i)) {
            (1, n) => n,
            (n, _) => n,
        };
        let shape: Vec<usize> = (0..rank).map(joint).collect();
        Array::from_fn(shape, |index| f(self.broadcast_at(index), other.broadcast_at(index)))
    }

    /// The elements over these axes put together by `f`, one after the other from `start`; the axes become 1.
    pub fn fold_axes(&self, axes: &[usize], start: f64, mut f: impl FnMut(f64, f64) -> f64) -> Array {
        let mut result = Array::full(reduced(&self.shape, axes, true), start);
        Array::from_fn(&self.shape, |index| {
            let mut to = index.to_vec();
            axes.iter().for_each(|&axis| to[axis] = 0);
            let folded = result.at_mut(&to);
            *folded = f(*folded, self.at(index));
            0.0
        });
        result
    }

    /// `f` of each lane along an axis, which it changes in place.
    pub fn map_lanes(&self, axis: usize, mut f: impl FnMut(&mut [f64])) -> Array {
        let n = self.shape[axis];
        let inner: usize = self.shape[axis + 1..].iter().product();
        let mut result = self.clone();
        let mut lane = vec![0.0; n];
        for start in (0..self.data.len()).filter(|i| (i / inner).is_multiple_of(n)) {
            (0..n).for_each(|k| lane[k] = self.data[start + k * inner]);
            f(&mut lane);
            (0..n).for_each(|k| result.data[start + k * inner] = lane[k]);
        }
        result
    }

    /// The elements rounded to f32.
    pub fn to_tensor(&self) -> Tensor {
        let data: Vec<f32> = self.data.iter().map(|&x| x as f32).collect();
        Tensor::new(data, &self.shape)
    }
}

impl From<&Tensor> for Array {
    fn from(tensor: &Tensor) -> Array {
        Array { shape: tensor.shape().clone(), data: tensor.iter().map(f64::from).collect() }
    }
}

/// The choices of a reference: which side of a kink, which of several maxima.
///
/// A reference asks [`choose`](Branches::choose) with the choice that its inputs would make. While recording, that is
/// the answer; while frozen, the answer is the recorded one, and a difference is counted as a flip. Frozen branches
/// make a function smooth around the point where it was recorded, which is what gradients of one branch describe.
#[derive(Debug, Default)]
pub struct Branches<'a> {
    frozen: Option<&'a [u32]>,
    taken: Vec<u32>,
    asked: usize,
    flips: usize,
}

impl<'a> Branches<'a> {
    /// Takes every choice as it comes, and remembers it.
    pub fn recording() -> Branches<'a> {
        Branches::default()
    }

    /// Answers with these choices.
    pub fn frozen(choices: &'a [u32]) -> Branches<'a> {
        Branches { frozen: Some(choices), ..Branches::default() }
    }

    /// The choice to take where the inputs would take `natural`.
    pub fn choose(&mut self, natural: u32) -> u32 {
        let Some(frozen) = self.frozen else {
            self.taken.push(natural);
            return natural;
        };
        let choice = frozen[self.asked];
        self.asked += 1;
        self.flips += (choice != natural) as usize;
        choice
    }

    /// [`choose`](Branches::choose) between two sides.
    pub fn test(&mut self, natural: bool) -> bool {
        self.choose(natural.into()) == 1
    }

    /// The value of a piecewise constant function, which stays what it was while the branches are frozen.
    pub fn hold(&mut self, natural: f64) -> f64 {
        let bits = natural.to_bits();
        let (high, low) = (self.choose((bits >> 32) as u32), self.choose(bits as u32));
        f64::from_bits(u64::from(high) << 32 | u64::from(low))
    }

    /// The choices recorded.
    pub fn into_choices(self) -> Vec<u32> {
        self.taken
    }

    /// How many answers differed from what the inputs would have chosen.
    pub fn flips(&self) -> usize {
        self.flips
    }
}
