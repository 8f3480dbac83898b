//! What the tests share: an independent model of an array, tensors of given elements in any layout, and panics with
//! the line they point to.

use gradus_tensor::{Slice, Tensor};
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    strategy::{BoxedStrategy, Just},
};
use std::{cell::RefCell, panic, sync::Once};

/// The model: a shape and its elements, row-major. Knows nothing of strides.
#[derive(Clone, Debug)]
pub struct Array {
    pub shape: Vec<usize>,
    pub elements: Vec<f32>,
}

impl Array {
    pub fn from_fn(shape: &[usize], mut f: impl FnMut(&[usize]) -> f32) -> Array {
        Array { shape: shape.to_vec(), elements: indices(shape).iter().map(|index| f(index)).collect() }
    }

    /// The elements of a tensor, read one by one.
    pub fn of(tensor: &Tensor) -> Array {
        Array::from_fn(tensor.shape(), |index| tensor.get(index))
    }

    pub fn get(&self, index: &[usize]) -> f32 {
        self.elements[flat(index, &self.shape)]
    }

    pub fn tensor(&self) -> Tensor {
        Tensor::new(&self.elements, &self.shape)
    }
}

/// The row-major position of an index.
pub fn flat(index: &[usize], shape: &[usize]) -> usize {
    assert!(
        index.len() == shape.len() && index.iter().zip(shape).all(|(i, n)| i < n),
        "{index:?} of {shape:?}"
    );
    index.iter().zip(shape).fold(0, |position, (i, n)| position * n + i)
}

/// All indices of a shape, row-major.
pub fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let len: usize = shape.iter().product();
    let digits = |mut position: usize| {
        let mut index = vec![0; shape.len()];
        for axis in (0..shape.len()).rev() {
            index[axis] = position % shape[axis];
            position /= shape[axis];
        }
        index
    };
    (0..len).map(digits).collect()
}

/// Equal as numbers, with NaN equal to NaN and -0.0 different from 0.0.
pub fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

/// The tensor has the model's shape and elements, by every way of reading them.
#[track_caller]
pub fn assert_same(tensor: &Tensor, model: &Array) {
    assert_eq!(tensor.shape()[..], model.shape[..], "shapes differ");
    let strides = tensor.strides();
    let check = |found: &[f32], how: &str| {
        let equal = found.len() == model.elements.len()
            && found.iter().zip(&model.elements).all(|(&a, &b)| same(a, b));
        let expected = &model.elements;
        assert!(equal, "{how}: {found:?}, not {expected:?}, shape {:?}, strides {strides:?}", model.shape);
    };
    check(&Array::of(tensor).elements, "get");
    check(&tensor.to_vec(), "to_vec");
    assert_eq!(tensor.iter().len(), model.elements.len());
    check(&tensor.iter().collect::<Vec<_>>(), "iter");
    if let Some(elements) = tensor.as_slice() {
        check(elements, "as_slice");
    }
}

/// Shapes of rank 0 to 5 with at most about a thousand elements: sizes 0 and 1 are common.
pub fn shapes() -> BoxedStrategy<Vec<usize>> {
    shapes_of_rank(0..=5)
}

pub fn shapes_of_rank(rank: std::ops::RangeInclusive<usize>) -> BoxedStrategy<Vec<usize>> {
    let sizes = |n| prop_oneof![1 => Just(0usize), 3 => Just(1), 12 => 2usize..=n];
    let limits = [0, 40, 14, 8, 5, 4];
    rank.prop_flat_map(move |rank| vec(sizes(limits[rank].max(2)), rank)).boxed()
}

/// Ordinary numbers of mixed sizes and signs, exactly representable with few digits.
pub fn numbers() -> BoxedStrategy<f32> {
    (-1000i32..=1000).prop_map(|i| i as f32 / 8.0).boxed()
}

/// Ordinary numbers, and now and then a NaN, an infinity or a zero of either sign.
pub fn wild_numbers() -> BoxedStrategy<f32> {
    let special = select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0]);
    prop_oneof![7 => numbers(), 1 => special].boxed()
}

/// How a tensor lies in its buffer, for up to 6 axes: see [`lay_out`].
#[derive(Clone, Debug)]
pub struct Recipe(Vec<AxisRecipe>);

#[derive(Clone, Debug)]
struct AxisRecipe {
    /// Axes are stored in the order of these keys.
    key: u8,
    step: isize,
    before: usize,
    after: usize,
    /// Stored once and broadcast, where all its elements are equal.
    broadcast: bool,
}

pub fn recipes() -> BoxedStrategy<Recipe> {
    let steps = select(vec![1, 1, 1, 2, 3, -1, -2]);
    let axis = (0u8..4, steps, 0usize..3, 0usize..2, any::<bool>())
        .prop_map(|(key, step, before, after, broadcast)| AxisRecipe { key, step, before, after, broadcast });
    prop_oneof![1 => vec(Just(AxisRecipe { key: 0, step: 1, before: 0, after: 0, broadcast: false }), 6), 6 => vec(axis, 6)]
        .prop_map(Recipe)
        .boxed()
}

/// A tensor of the model's elements that lies in its buffer as the recipe says: axes permuted, stepped, reversed,
/// broadcast, with NaN all around, so that a kernel that reads a wrong place shows.
pub fn lay_out(model: &Array, recipe: &Recipe) -> Tensor {
    let rank = model.shape.len();
    let repeats = |axis: usize| {
        indices(&model.shape).iter().all(|index| {
            let mut first = index.clone();
            first[axis] = 0;
            model.get(&first).to_bits() == model.get(index).to_bits()
        })
    };
    let stored: Vec<usize> = (0..rank)
        .map(|axis| match model.shape[axis] {
            n if n > 0 && recipe.0[axis].broadcast && repeats(axis) => 1,
            n => n,
        })
        .collect();
    let mut order: Vec<usize> = (0..rank).collect();
    order.sort_by_key(|&axis| recipe.0[axis].key);
    let span = |axis: usize| match stored[axis] {
        0 => 0,
        n => (n - 1) * recipe.0[axis].step.unsigned_abs() + 1,
    };
    let room = |axis: usize| recipe.0[axis].before + span(axis) + recipe.0[axis].after;
    let sizes: Vec<usize> = order.iter().map(|&axis| room(axis)).collect();
    let mut buffer = vec![f32::NAN; sizes.iter().product()];
    for index in indices(&stored) {
        let place = |&axis: &usize| {
            let AxisRecipe { step, before, .. } = recipe.0[axis];
            let from_start = index[axis] * step.unsigned_abs();
            before + if step > 0 { from_start } else { span(axis) - 1 - from_start }
        };
        buffer[flat(&order.iter().map(place).collect::<Vec<_>>(), &sizes)] = model.get(&index);
    }
    let inverse: Vec<isize> =
        (0..rank).map(|axis| order.iter().position(|&a| a == axis).unwrap() as isize).collect();
    let mut tensor = Tensor::new(buffer, sizes).permute(inverse);
    for axis in 0..rank {
        let AxisRecipe { step, before, .. } = recipe.0[axis];
        tensor = tensor.slice(axis as isize, Slice::from(before..before + span(axis)).step(step));
    }
    let tensor = tensor.broadcast_to(&model.shape);
    assert_same(&tensor, model);
    tensor
}

/// Arrays of these shapes and elements, about every other time with an axis along which they repeat.
pub fn arrays(shapes: BoxedStrategy<Vec<usize>>, elements: BoxedStrategy<f32>) -> BoxedStrategy<Array> {
    (shapes, any::<u8>())
        .prop_flat_map(move |(shape, repeated)| {
            let len = shape.iter().product::<usize>();
            (Just(shape), Just(repeated as usize), vec(elements.clone(), len))
        })
        .prop_map(|(shape, repeated, elements)| {
            let array = Array { shape: shape.clone(), elements };
            Array::from_fn(&shape, |index| {
                let mut index = index.to_vec();
                if let Some(i) = index.get_mut(repeated % 10) {
                    *i = 0;
                }
                array.get(&index)
            })
        })
        .boxed()
}

/// Arrays, each with a tensor of its elements in some layout.
pub fn tensors(
    shapes: BoxedStrategy<Vec<usize>>,
    elements: BoxedStrategy<f32>,
) -> BoxedStrategy<(Array, Tensor)> {
    (arrays(shapes, elements), recipes())
        .prop_map(|(model, recipe)| {
            let tensor = lay_out(&model, &recipe);
            (model, tensor)
        })
        .boxed()
}

thread_local! {
    static LINE: RefCell<Option<(String, u32)>> = const { RefCell::new(None) };
}

/// Runs what must panic, checks that the panic points to `line` of `file`, and gives its message.
#[track_caller]
pub fn message_of<T>(file: &str, line: u32, call: impl FnOnce() -> T) -> String {
    let mut call = Some(call);
    message_in(file, line, &mut || drop(call.take().unwrap()()))
}

// Compiled once, not for each of the hundreds of calls.
#[track_caller]
fn message_in(file: &str, line: u32, call: &mut dyn FnMut()) -> String {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if LINE.with_borrow(Option::is_none) {
                return usual(info);
            }
            let at = info.location().expect("panics have a location");
            LINE.set(Some((at.file().to_string(), at.line())));
        }));
    });
    LINE.set(Some((String::new(), 0)));
    let outcome = panic::catch_unwind(panic::AssertUnwindSafe(call));
    let place = LINE.take();
    let Err(payload) = outcome else { panic!("there was no panic") };
    let message = match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload.downcast::<&str>().map_or(String::new(), |text| text.to_string()),
    };
    let (at_file, at_line) = place.expect("set above");
    assert!(
        at_file == file && at_line == line,
        "{message}: points to {at_file}:{at_line}, not {file}:{line}"
    );
    message
}

/// `fails!(said, call)`: the call panics at this very line; what it says is added to the messages. Keep it on one line.
#[macro_export]
macro_rules! fails {
    ($said:ident, $call:expr) => {
        $said.add($crate::common::message_of(file!(), line!(), || $call))
    };
}
