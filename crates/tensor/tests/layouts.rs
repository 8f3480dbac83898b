//! Views, layouts and copy-on-write against an independent model, and the messages of their panics.

use crate::common;
use crate::{fails, messages::Messages};

use common::{Array, arrays, assert_same, indices, lay_out, numbers, recipes, shapes, tensors};
use gradus_tensor::{Indices, Rng, Slice, Tensor};
use proptest::{collection::vec, prelude::*};

/// One view or copy of the array before it, with raw choices that [`apply`] fits to its shape.
type Step = (u8, [u8; 4]);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec((0u8..12, any::<[u8; 4]>()), 0..7)
}

/// The model of a view: where each element comes from.
fn seen(model: &Array, shape: &[usize], source: impl Fn(&[usize]) -> Vec<usize>) -> Array {
    Array::from_fn(shape, |index| model.get(&source(index)))
}

fn without(list: &[usize], at: usize) -> Vec<usize> {
    let mut list = list.to_vec();
    list.remove(at);
    list
}

fn with(list: &[usize], at: usize, value: usize) -> Vec<usize> {
    let mut list = list.to_vec();
    list.insert(at, value);
    list
}

fn replaced(list: &[usize], at: usize, value: usize) -> Vec<usize> {
    let mut list = list.to_vec();
    list[at] = value;
    list
}

/// `at`, or counted from the back when `odd` is.
fn either_way(at: usize, size: usize, odd: u8) -> isize {
    if odd % 2 == 1 { at as isize - size as isize } else { at as isize }
}

/// Applies a step to a tensor and to its model; steps that do not fit do nothing.
fn apply(tensor: &Tensor, model: &Array, (kind, [a, b, c, d]): Step) -> (Tensor, Array) {
    let shape = &model.shape[..];
    let rank = shape.len();
    let len: usize = shape.iter().product();
    let unchanged = (tensor.clone(), model.clone());
    let pick = |choice: u8, n: usize| choice as usize % n;
    if rank == 0 && !matches!(kind, 0 | 6 | 8 | 9 | 10) {
        return unchanged;
    }
    match kind {
        0 => {
            // Factors of the length, then what is left.
            let mut sizes = Vec::new();
            let mut left = len;
            for choice in [a, b, c] {
                let factor = [1, 2, 3, 4, 5, 7][pick(choice, 6)];
                if left.is_multiple_of(factor) {
                    sizes.push(factor);
                    left /= factor;
                }
            }
            let open = pick(d, sizes.len() + 1);
            sizes.insert(open, left);
            let result = Array { shape: sizes.clone(), elements: model.elements.clone() };
            if d % 2 == 0 {
                sizes[open] = Tensor::INFER;
            }
            (tensor.reshape(sizes), result)
        }
        1 => {
            let (i, j) = (pick(a, rank), pick(b, rank));
            let swapped = |list: &[usize]| {
                let mut list = list.to_vec();
                list.swap(i, j);
                list
            };
            let view = tensor.transpose(either_way(i, rank, c), either_way(j, rank, d));
            (view, seen(model, &swapped(shape), swapped))
        }
        2 => {
            let mut order: Vec<usize> = (0..rank).collect();
            order.sort_by_key(|&axis| [a, b, c, d, a ^ c][axis]);
            let axes: Vec<isize> =
                order.iter().map(|&axis| either_way(axis, rank, a ^ (axis as u8 % 2))).collect();
            let sizes: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
            let source = |index: &[usize]| {
                let mut from = vec![0; rank];
                order.iter().zip(index).for_each(|(&axis, &i)| from[axis] = i);
                from
            };
            (tensor.permute(axes), seen(model, &sizes, source))
        }
        3 => {
            let axis = pick(a, rank);
            let n = shape[axis];
            let start = pick(b, n + 1);
            let end = start + pick(c, n + 1 - start);
            let step = [1, 2, 3, -1, -2, -3, isize::MAX, isize::MIN][pick(d, 8)];
            let mut kept: Vec<usize> = (start..end).collect();
            if step < 0 {
                kept.reverse();
            }
            let kept: Vec<usize> = kept.into_iter().step_by(step.unsigned_abs()).collect();
            let range =
                Slice::from(start as isize - n as isize * isize::from(start < n && a % 2 == 0)..end as isize);
            let view = tensor.slice(either_way(axis, rank, b), range.step(step));
            let source = |index: &[usize]| replaced(index, axis, kept[index[axis]]);
            (view, seen(model, &replaced(shape, axis, kept.len()), source))
        }
        4 => {
            let axis = pick(a, rank);
            if shape[axis] == 0 {
                return unchanged;
            }
            let at = pick(b, shape[axis]);
            let view = tensor.select(either_way(axis, rank, c), either_way(at, shape[axis], d));
            (view, seen(model, &without(shape, axis), |index| with(index, axis, at)))
        }
        5 => {
            let axis = pick(a, rank);
            let source = |index: &[usize]| replaced(index, axis, shape[axis] - 1 - index[axis]);
            (tensor.flip(either_way(axis, rank, b)), seen(model, shape, source))
        }
        6 => {
            let mut sizes: Vec<usize> = shape
                .iter()
                .zip([a, b, c, d, a])
                .map(|(&n, k)| if n == 1 { pick(k, 4) } else { n })
                .collect();
            let front = if rank < 5 { pick(a, 2) } else { 0 };
            if front == 1 {
                sizes.insert(0, pick(b, 4));
            }
            if sizes.iter().product::<usize>() > 3000 {
                return unchanged;
            }
            let source = |index: &[usize]| {
                let aligned = index[front..].iter().zip(shape);
                aligned.map(|(&i, &n)| if n == 1 { 0 } else { i }).collect::<Vec<_>>()
            };
            (tensor.broadcast_to(&sizes), seen(model, &sizes, source))
        }
        7 => match (0..rank).filter(|&axis| shape[axis] == 1).cycle().nth(pick(a, 4)) {
            Some(axis) => {
                let view = tensor.squeeze(either_way(axis, rank, b));
                (view, seen(model, &without(shape, axis), |index| with(index, axis, 0)))
            }
            None => unchanged,
        },
        8 if rank < 5 => {
            let axis = pick(a, rank + 1);
            let view = tensor.unsqueeze(either_way(axis, rank + 1, b));
            (view, seen(model, &with(shape, axis, 1), |index| without(index, axis)))
        }
        9 => {
            let copy = tensor.contiguous();
            assert!(copy.is_contiguous());
            assert_eq!(copy.shares_buffer(tensor), tensor.is_contiguous());
            (copy, model.clone())
        }
        10 if len > 0 => {
            let all = indices(shape);
            let index = &all[(a as usize + 256 * b as usize) % len];
            let mut written = tensor.clone();
            written.set(index, -7.5);
            assert_same(tensor, model);
            assert!(!written.shares_buffer(tensor));
            let mut result = model.clone();
            result.elements[common::flat(index, shape)] = -7.5;
            (written, result)
        }
        11 => (tensor.flatten(), Array { shape: vec![len], elements: model.elements.clone() }),
        _ => unchanged,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn chains_of_views_see_what_the_model_sees(sizes in shapes(), steps in steps()) {
        let mut count = 0.0;
        let base = Array::from_fn(&sizes, |_| { count += 1.0; count });
        let (first, mut model) = (base.tensor(), base.clone());
        let mut tensor = first.clone();
        for step in steps {
            (tensor, model) = apply(&tensor, &model, step);
            assert_same(&tensor, &model);
        }
        assert_same(&first, &base);
    }

    #[test]
    fn laid_out_tensors_hold_their_elements((model, tensor) in tensors(shapes(), numbers())) {
        assert_same(&tensor, &model);
        assert_same(&tensor.contiguous(), &model);
        let clone = tensor.clone();
        prop_assert!(clone.shares_buffer(&tensor));
        prop_assert_eq!(&clone, &tensor);
        prop_assert_eq!(&model.tensor(), &tensor);
    }

    #[test]
    fn writing_copies_what_is_shared((model, mut tensor) in tensors(shapes(), numbers())) {
        let clone = tensor.clone();
        tensor.as_mut_slice().iter_mut().for_each(|x| *x += 1.0);
        assert_same(&clone, &model);
        assert_same(&tensor, &Array::from_fn(&model.shape, |index| model.get(index) + 1.0));
        drop(clone);
        prop_assert!(tensor.is_unique());
        let at = tensor.buffer_id();
        tensor.as_mut_slice();
        prop_assert_eq!(tensor.buffer_id(), at);
    }

    #[test]
    fn sum_to_adds_up_what_broadcasting_repeats(
        model in arrays(shapes(), numbers()), recipe in recipes(), choices in any::<u8>(), dropped in 0usize..6
    ) {
        let tensor = lay_out(&model, &recipe);
        let rank = model.shape.len();
        let dropped = dropped.min(rank);
        let target: Vec<usize> = (dropped..rank).map(|i| if choices >> i & 1 == 1 { 1 } else { model.shape[i] }).collect();
        let mut sums = vec![0.0f32; target.iter().product()];
        for index in indices(&model.shape) {
            let to: Vec<usize> = index[dropped..].iter().zip(&target).map(|(&i, &n)| if n == 1 { 0 } else { i }).collect();
            // Eighths below 2^17: every sum is exact.
            sums[common::flat(&to, &target)] += model.get(&index);
        }
        assert_same(&tensor.sum_to(&target), &Array { shape: target, elements: sums });
    }

    #[test]
    fn a_reshape_of_a_contiguous_tensor_is_a_view(sizes in shapes()) {
        let x = Tensor::zeros(&sizes);
        prop_assert!(x.reshape([Tensor::INFER]).shares_buffer(&x) || x.is_empty());
        prop_assert!(x.flatten().shares_buffer(&x));
    }
}

#[test]
fn a_reshape_copies_only_where_strides_cannot_express_it() {
    let x = Tensor::arange(24).reshape([2, 3, 4]);
    let shared = |view: &Tensor, sizes: &[usize]| view.reshape(sizes).shares_buffer(&x);
    assert!(shared(&x.transpose(0, 1), &[3, 2, 2, 2]));
    assert!(shared(&x.flip(0), &[2, 12]));
    assert!(shared(&x.flip(2).flip(1), &[2, 12]));
    assert!(shared(&x.slice(2, Slice::from(..).step(2)), &[2, 3, 2, 1]));
    assert!(shared(&x.slice(2, Slice::from(..).step(2)), &[12]));
    assert!(shared(&x.select(0, 0).broadcast_to([5, 3, 4]), &[5, 12]));
    assert!(!shared(&x.transpose(0, 1), &[6, 4]));
    assert!(!shared(&x.flip(0), &[24]));
    assert!(!shared(&x.select(0, 0).broadcast_to([5, 3, 4]), &[15, 4]));
}

#[test]
fn large_copies_in_every_order_of_axes() {
    let sizes = [3, 37, 70, 19];
    let x = Tensor::arange(sizes.iter().product()).reshape(sizes);
    let steps = [37 * 70 * 19, 70 * 19, 19, 1];
    let views =
        [x.clone(), x.flip(2), x.flip(3).slice(1, Slice::from(..).step(-3)), x.slice(3, 2..).slice(2, 5..69)];
    for order in indices(&[4, 4, 4, 4]).iter().filter(|order| (0..4).all(|axis| order.contains(&axis))) {
        let axes: Vec<isize> = order.iter().map(|&axis| axis as isize).collect();
        for view in &views {
            // The first element and the steps say what each element is.
            let permuted = view.permute(&axes);
            let first = permuted.get([0; 4]) as isize;
            let copy = permuted.contiguous();
            let by_axis = |axis: usize, i: usize| permuted.strides()[axis] * i as isize;
            let expected = indices(permuted.shape());
            let expected =
                expected.iter().map(|index| first + (0..4).map(|a| by_axis(a, index[a])).sum::<isize>());
            assert!(copy.iter().map(|x| x as isize).eq(expected), "{order:?} {:?}", permuted.strides());
        }
    }
    assert_eq!(x.strides(), steps);
    let matrix = Tensor::arange(700 * 1100).reshape([700, 1100]);
    let turned = matrix.t().contiguous();
    assert!((0..1100).all(|i| (0..700).all(|j| turned.get([i, j]) == matrix.get([j, i]))));
}

/// Large enough that threads share it, with a cut within a block of rows.
#[test]
fn large_operands_broadcast_over_every_choice_of_axes() {
    let sizes = [5, 39, 411];
    let mut rng = Rng::seed(23);
    let kept =
        |choice: usize| std::array::from_fn(|axis| if choice >> axis & 1 == 1 { sizes[axis] } else { 1 });
    for (one, other) in (0..8).flat_map(|one| (0..8).map(move |other| (one, other))) {
        let shapes: [[usize; 3]; 2] = [kept(one), kept(other)];
        let [a, b] = shapes.map(|shape| Tensor::randn(shape, &mut rng));
        let strided = a.permute([2, 0, 1]).contiguous().permute([1, 2, 0]);
        let at = |x: &Tensor, index: [usize; 3]| {
            let [m, n, k] =
                std::array::from_fn(|axis| if x.size(axis as isize) == 1 { 0 } else { index[axis] });
            x.to_vec()[(m * x.size(1) + n) * x.size(2) + k]
        };
        let joint: [usize; 3] = std::array::from_fn(|axis| shapes[0][axis].max(shapes[1][axis]));
        for difference in [&a - &b, &strided - &b] {
            assert_eq!(difference.shape()[..], joint[..]);
            let found = difference.to_vec();
            for k in (0..found.len()).step_by(101).chain([found.len() - 1]) {
                let index = [k / (joint[1] * joint[2]), k / joint[2] % joint[1], k % joint[2]];
                assert_eq!(found[k], at(&a, index) - at(&b, index), "{shapes:?} at {index:?}");
            }
        }
    }
}

#[test]
fn views_of_empty_tensors_stay_inside_their_buffer() {
    let x = Tensor::zeros([0, 3]);
    for view in [x.select(1, 2), x.slice(1, 1..), x.flip(1), x.t().select(0, -1)] {
        assert_eq!(view.as_slice(), Some(&[][..]));
        assert_eq!(view.contiguous().to_vec(), []);
    }
}

#[test]
fn constructors_fill_what_they_say() {
    assert_eq!(Tensor::scalar(2.0).shape(), &[]);
    assert_eq!(Tensor::scalar(2.0).item(), 2.0);
    assert_eq!(Tensor::eye(2).to_vec(), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(Tensor::eye(0).shape(), &[0, 0]);
    assert_eq!(Tensor::linspace(0.0, 1.0, 0).shape(), &[0]);
    assert_eq!(Tensor::linspace(3.0, 9.0, 1).to_vec(), [3.0]);
    let evenly = Tensor::linspace(-0.1, 0.7, 1001);
    assert_eq!((evenly.get([0]), evenly.get([1000])), (-0.1, 0.7));
    assert_eq!(Tensor::full([2, 0, 3], 1.0).numel(), 0);
    assert_eq!(Tensor::from([[[1.0], [2.0]]]).shape(), &[1, 2, 1]);
    assert_eq!(Tensor::from([[[[1.0, 2.0]]]]).shape(), &[1, 1, 1, 2]);
    assert!(Tensor::try_new([1.0], [2]).is_err());
    let mut rng = Rng::seed(3);
    assert!(Tensor::uniform([3, 50], -2.0, 5.0, &mut rng).iter().all(|x| (-2.0..5.0).contains(&x)));
}

#[test]
#[rustfmt::skip] // each call on the line it is checked for
fn views_panic_with_the_callers_line() {
    let mut said = Messages::of("tensor", module_path!(), "views_panic_with_the_callers_line");
    let x = Tensor::arange(6).reshape([2, 3]);
    let v = Tensor::arange(3);
    let s = Tensor::scalar(1.0);
    fails!(said, x.reshape([7]));
    fails!(said, x.reshape([4, Tensor::INFER]));
    fails!(said, x.reshape([0, 6]));
    fails!(said, x.reshape([usize::MAX / 2, 4]));
    fails!(said, x.transpose(0, 2));
    fails!(said, s.transpose(0, 0));
    fails!(said, v.t());
    fails!(said, x.permute([0, 0]));
    fails!(said, x.permute([0]));
    fails!(said, x.permute([0, 5]));
    fails!(said, x.slice(2, ..));
    fails!(said, x.slice(1, 1..5));
    fails!(said, x.slice(1, -1..1));
    fails!(said, x.slice(1, -4..));
    fails!(said, x.slice(1, 0..usize::MAX));
    fails!(said, x.slice(1, isize::MIN..));
    fails!(said, Slice::from(..).step(0));
    fails!(said, x.select(2, 0));
    fails!(said, x.select(1, 3));
    fails!(said, x.select(1, isize::MAX));
    fails!(said, x.select(1, isize::MIN));
    fails!(said, x.slice(0, 1..1).select(0, 0));
    fails!(said, x.flip(-3));
    fails!(said, x.broadcast_to([3]));
    fails!(said, x.broadcast_to([2, 4]));
    fails!(said, s.broadcast_to([1 << 40, 1 << 30]));
    fails!(said, x.unsqueeze(3));
    fails!(said, s.unsqueeze(-2));
    fails!(said, x.squeeze(0));
    fails!(said, x.squeeze(isize::MIN));
    fails!(said, x.sum_to([4]));
    fails!(said, v.sum_to([2, 3]));
    fails!(said, x.size(2));
    fails!(said, x.item());
    fails!(said, x.get([2, 0]));
    fails!(said, x.get([1]));
    fails!(said, x.clone().set([0, 3], 1.0));
    said.check();
}

#[test]
#[rustfmt::skip] // each call on the line it is checked for
fn constructors_panic_with_the_callers_line() {
    let mut said = Messages::of("tensor", module_path!(), "constructors_panic_with_the_callers_line");
    let (huge, half) = (1usize << 62, 1usize << 31);
    let mut rng = Rng::seed(1);
    fails!(said, Tensor::new([1.0, 2.0], [3]));
    fails!(said, Tensor::new([], [0, huge, huge]));
    fails!(said, Tensor::zeros([huge]));
    fails!(said, Tensor::zeros([isize::MAX as usize / 4]));
    fails!(said, Tensor::ones([half, half]));
    fails!(said, Tensor::full([0, huge, 8], 1.0));
    fails!(said, Tensor::arange(huge));
    fails!(said, Tensor::eye(half));
    fails!(said, Tensor::linspace(0.0, 1.0, huge));
    fails!(said, Tensor::from_fn([huge], |_| 0.0));
    fails!(said, Tensor::randn([huge], &mut rng));
    fails!(said, Tensor::uniform([huge], 0.0, 1.0, &mut rng));
    fails!(said, Tensor::uniform([3], 1.0, 1.0, &mut rng));
    fails!(said, rng.uniform(0.0, f32::INFINITY));
    fails!(said, rng.below(0));
    fails!(said, Indices::new(vec![1, 2], [3]));
    fails!(said, Indices::from([1, 2]).get([2]));
    fails!(said, Indices::from([1, 2]).reshape([3]));
    said.check();
}
