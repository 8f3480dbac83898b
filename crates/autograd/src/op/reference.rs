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
        assert_eq!(shape.numel(), data.len(), "array: {} elements do not fill shape {shape}", data.len());
        Array { shape, data }
    }

    /// All elements equal.
    pub fn full(shape: impl AsRef<[usize]>, value: f64) -> Array {
        let shape = Shape::new(shape.as_ref());
        Array { data: vec![value; shape.numel()], shape }
    }

    /// Each element computed from its index.
    pub fn from_fn(shape: impl AsRef<[usize]>, mut f: impl FnMut(&[usize]) -> f64) -> Array {
        Array::filled(Shape::new(shape.as_ref()), &mut f)
    }

    /// [`from_fn`](Array::from_fn). Here as below, the loop calls its function through a reference: so it is compiled
    /// once, and not for each of the hundreds of functions in references.
    fn filled(shape: Shape, f: &mut dyn FnMut(&[usize]) -> f64) -> Array {
        let mut index = vec![0; shape.rank()];
        let data = (0..shape.numel()).map(|_| {
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
        debug_assert_eq!(index.len(), self.shape.rank());
        index.iter().zip(&self.shape[..]).fold(0, |flat, (&i, &n)| flat * n + i)
    }

    /// The element of this array that broadcasting puts at an index of a larger shape.
    pub fn broadcast_at(&self, index: &[usize]) -> f64 {
        let skip = index.len() - self.shape.rank();
        let own = index[skip..].iter().zip(&self.shape[..]).map(|(&i, &n)| if n == 1 { 0 } else { i });
        self.data[own.zip(&self.shape[..]).fold(0, |flat, (i, &n)| flat * n + i)]
    }

    /// The element of this array that broadcasting puts at a row-major position of a larger shape.
    fn broadcast_at_flat(&self, at: usize, shape: &[usize]) -> f64 {
        if self.shape[..] == *shape {
            return self.data[at];
        }
        let (mut rest, mut own, mut stride) = (at, 0, 1);
        for (&n, &size) in self.shape[..].iter().rev().zip(shape.iter().rev()) {
            own += if n == 1 { 0 } else { rest % size * stride };
            (rest, stride) = (rest / size, stride * n);
        }
        self.data[own]
    }

    /// `f` of each element.
    pub fn map(&self, mut f: impl FnMut(f64) -> f64) -> Array {
        self.mapped(&mut f)
    }

    fn mapped(&self, f: &mut dyn FnMut(f64) -> f64) -> Array {
        Array { shape: self.shape.clone(), data: self.data.iter().copied().map(f).collect() }
    }

    /// `f` of the elements of two arrays, broadcast to one shape.
    pub fn zip(&self, other: &Array, mut f: impl FnMut(f64, f64) -> f64) -> Array {
        self.zipped(other, &mut f)
    }

    fn zipped(&self, other: &Array, f: &mut dyn FnMut(f64, f64) -> f64) -> Array {
        if self.shape == other.shape {
            let data = self.data.iter().zip(&other.data).map(|(&a, &b)| f(a, b)).collect();
            return Array { shape: self.shape.clone(), data };
        }
        let rank = self.shape.rank().max(other.shape.rank());
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

/// Where the element at a row-major position lies in an array with these distances along the axes.
pub(crate) fn strided(at: usize, shape: &[usize], strides: &[usize]) -> usize {
    let mut rest = at;
    let mut position = 0;
    for (&n, &stride) in shape.iter().zip(strides).rev() {
        position += rest % n * stride;
        rest /= n;
    }
    position
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
    is_surrogate: bool,
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

    /// The value of a function whose backward is deliberately the derivative of another, `path`, which this declares: while
    /// branches are frozen, the value recorded and the change that `path` has made since. A gradient check so holds the
    /// backward to `path`, and notes that it does.
    pub fn surrogate(&mut self, value: f64, path: f64) -> f64 {
        self.is_surrogate = true;
        let flips = self.flips;
        let offset = self.hold(value - path);
        // Another distance between the two is no other branch.
        self.flips = flips;
        if self.frozen.is_some() { path + offset } else { value }
    }

    /// Whether the reference has declared a [`surrogate`](Branches::surrogate).
    pub(crate) fn is_surrogate(&self) -> bool {
        self.is_surrogate
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

/// An array of which some elements, or all of them, have changed, and that can go back.
#[derive(Clone, Debug)]
pub(crate) struct Changing {
    value: Array,
    changes: Vec<Change>,
    /// By element: one more than its position among the changes, or 0.
    marks: Vec<u32>,
    /// The value before, where all of it was replaced.
    before: Option<Array>,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    at: usize,
    before: f64,
}

impl Changing {
    pub(crate) fn new(value: Array) -> Changing {
        Changing { marks: vec![0; value.data.len()], value, changes: Vec::new(), before: None }
    }

    pub(crate) fn value(&self) -> &Array {
        &self.value
    }

    pub(crate) fn set(&mut self, at: usize, to: f64) {
        let element = &mut self.value.data[at];
        if self.marks[at] == 0 {
            if element.to_bits() == to.to_bits() {
                return;
            }
            self.changes.push(Change { at, before: *element });
            self.marks[at] = self.changes.len() as u32;
        }
        *element = to;
    }

    pub(crate) fn replace(&mut self, value: Array) {
        self.before = Some(std::mem::replace(&mut self.value, value));
    }

    pub(crate) fn is_changed(&self) -> bool {
        self.is_replaced() || !self.changes.is_empty()
    }

    pub(crate) fn is_replaced(&self) -> bool {
        self.before.is_some()
    }

    /// The sum of all changes, each multiplied by its element's weight.
    pub(crate) fn weighted_change(&self, weights: &[f64]) -> f64 {
        match &self.before {
            Some(before) => {
                let changes = self.value.data.iter().zip(&before.data).map(|(now, before)| now - before);
                changes.zip(weights).map(|(change, weight)| change * weight).sum()
            }
            None => self.changes.iter().map(|c| (self.value.data[c.at] - c.before) * weights[c.at]).sum(),
        }
    }

    /// Takes all changes back.
    pub(crate) fn restore(&mut self) {
        if let Some(before) = self.before.take() {
            self.value = before;
        }
        for Change { at, before } in self.changes.drain(..) {
            self.value.data[at] = before;
            self.marks[at] = 0;
        }
    }
}

/// A reference's output to be brought up to date after some elements of one input have changed.
#[derive(Debug)]
pub struct Update<'a> {
    inputs: &'a [&'a Array],
    input: usize,
    changes: &'a [Change],
    choices: &'a [u32],
    output: &'a mut Changing,
    flips: usize,
}

impl<'a> Update<'a> {
    /// Of the output of a step whose `input` is `changed`; `inputs` have their new values.
    pub(crate) fn new(
        inputs: &'a [&'a Array],
        input: usize,
        changed: &'a Changing,
        choices: &'a [u32],
        output: &'a mut Changing,
    ) -> Update<'a> {
        Update { inputs, input, changes: &changed.changes, choices, output, flips: 0 }
    }

    /// The inputs with their new values.
    pub fn inputs(&self) -> &'a [&'a Array] {
        self.inputs
    }

    /// Which of the inputs has changed.
    pub fn input(&self) -> usize {
        self.input
    }

    /// The elements of that input that have changed: row-major position and by how much.
    pub fn changes(&self) -> impl ExactSizeIterator<Item = (usize, f64)> + use<'a> {
        let values = &self.inputs[self.input].data;
        self.changes.iter().map(|change| (change.at, values[change.at] - change.before))
    }

    /// The output's sizes.
    pub fn shape(&self) -> &[usize] {
        &self.output.value.shape
    }

    /// Sets an element of the output.
    pub fn set(&mut self, at: usize, value: f64) {
        self.output.set(at, value);
    }

    /// Adds to an element of the output.
    pub fn add(&mut self, at: usize, change: f64) {
        self.output.set(at, self.output.value.data[at] + change);
    }

    /// Sets an element of the output to what `f` gives with the choices that the reference made for it, one part in
    /// so many of all its choices.
    pub fn set_by_choice(&mut self, at: usize, f: impl FnOnce(&mut Branches<'_>) -> f64) {
        let each = self.choices.len() / self.output.value.data.len();
        let mut branches = Branches::frozen(&self.choices[at * each..(at + 1) * each]);
        let value = f(&mut branches);
        self.flips += branches.flips();
        self.set(at, value);
    }

    /// The update of a function of elements: each element of the output depends on those at its own place in the
    /// inputs. Not for an input that broadcasting repeats.
    pub fn elementwise(&mut self, f: &mut dyn FnMut(&[f64], &mut Branches<'_>) -> f64) -> bool {
        let inputs = self.inputs;
        if self.changes.is_empty() {
            return true;
        }
        if inputs[self.input].shape != self.output.value.shape {
            return false;
        }
        for &Change { at, .. } in self.changes {
            let shape = &inputs[self.input].shape[..];
            let x = |k: usize| inputs[k].broadcast_at_flat(at, shape);
            self.set_by_choice(at, |branches| match inputs.len() {
                1 => f(&[x(0)], branches),
                2 => f(&[x(0), x(1)], branches),
                n => f(&(0..n).map(x).collect::<Vec<_>>(), branches),
            });
        }
        true
    }

    pub(crate) fn flips(&self) -> usize {
        self.flips
    }
}

/// The index of the element at a row-major position.
pub(crate) fn unflatten(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &n) in index.iter_mut().zip(shape).rev() {
        *i = flat % n.max(1);
        flat /= n.max(1);
    }
    index
}
