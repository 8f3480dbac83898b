//! What a stranger tries first: values from lists, iterators and nested arrays, ranges that include their end, shapes taken
//! apart, integers moved like floats.

use gradus_tensor::{Indices, Slice, Tensor};

use crate::{messages::Messages, panics::panic_of};

/// The panic says just this and points to the line that `f` stands on.
macro_rules! says {
    ($said:ident, $f:expr) => {{
        let line = line!();
        let (text, file, at) = panic_of(|| $f);
        $said.add(text);
        assert!(
            file.ends_with("from_and_apart.rs") && (line..line + 3).contains(&at),
            "points to {file}:{at}"
        );
    }};
}

#[test]
fn tensors_from_lists_and_iterators() {
    let expected = Tensor::new([1.0, 2.0, 3.0], [3]);
    let list = vec![1.0, 2.0, 3.0];
    assert_eq!(Tensor::from(&list), expected);
    assert_eq!(Tensor::from(&list[..]), expected);
    assert_eq!(list.iter().copied().collect::<Tensor>(), expected);
    assert_eq!(list.iter().collect::<Tensor>(), expected);
    assert_eq!(Tensor::from(list), expected);
    assert_eq!(Tensor::from(Vec::new()).shape(), &[0]);
    assert_eq!(std::iter::empty::<f32>().collect::<Tensor>().shape(), &[0]);
}

#[test]
fn indices_from_every_integer() {
    let mut said = Messages::of("tensor", module_path!(), "indices_from_every_integer");
    let expected = Indices::new([3i32, 0, 2], [3]);
    assert_eq!(Indices::from([3usize, 0, 2]), expected);
    assert_eq!(Indices::from(vec![3i64, 0, 2]), expected);
    assert_eq!(Indices::from(&vec![3u8, 0, 2]), expected);
    assert_eq!(Indices::from(&[3usize, 0, 2][..]), expected);
    assert_eq!([3usize, 0, 2].into_iter().collect::<Indices>(), expected);
    assert_eq!(Indices::new(vec![3usize, 0, 2], [3]), expected);
    assert_eq!(Indices::from([[1, 2, 3], [4, 5, 6]]), Indices::new([1, 2, 3, 4, 5, 6], [2, 3]));
    assert_eq!(Indices::from([[[1u8], [2]], [[3], [4]]]).shape(), &[2, 2, 1]);
    assert_eq!(Indices::from([[[[7usize; 4]; 3]; 2]; 1]), Indices::full([1, 2, 3, 4], 7));
    assert_eq!(Indices::arange(0), Indices::zeros([0]));
    says!(said, Indices::from([1i64 << 31]));
    says!(said, Indices::from(vec![0, -(1i64 << 31) - 1]));
    says!(said, Indices::arange(1 << 32));
    said.check();
}

/// Indices hold what a tensor of the same numbers holds, whatever moves them.
#[test]
fn indices_move_as_tensors_do() {
    let x = Tensor::arange(24).reshape([2, 3, 4]);
    let i = Indices::arange(24).reshape([2, 3, 4]);
    let same = |what: &str, i: Indices, x: Tensor| {
        assert_eq!(i.shape(), x.shape(), "{what}");
        let numbers: Vec<f32> = i.iter().map(|i| i as f32).collect();
        assert_eq!(numbers, x.to_vec(), "{what}");
        assert_eq!(i.to_vec().len(), i.numel());
    };
    same("slice", i.slice(1, 1..=2), x.slice(1, 1..3));
    same("step", i.slice(-1, Slice::from(..).step(-2)), x.slice(-1, Slice::from(..).step(-2)));
    same("empty slice", i.slice(0, 1..1), x.slice(0, 1..1));
    same("select", i.select(1, -1), x.select(1, -1));
    same("unsqueeze", i.unsqueeze(-1), x.unsqueeze(-1));
    same("squeeze", i.unsqueeze(1).squeeze(1), x.clone());
    same("permute", i.permute([2, 0, 1]), x.permute([2, 0, 1]));
    same("transpose", i.transpose(0, -1), x.transpose(0, -1));
    same("flatten", i.flatten(), x.flatten());
    same("reshape", i.reshape([6, Tensor::INFER]), x.reshape([6, 4]));
    same("broadcast", i.slice(0, ..1).broadcast_to([2, 3, 4]), x.slice(0, ..1).broadcast_to([2, 3, 4]));
    let (j, y) = (i.slice(1, ..2), x.slice(1, ..2));
    for axis in [1, -2] {
        same("concat", Indices::concat(&[&i, &j, &i], axis), Tensor::concat(&[&x, &y, &x], axis));
    }
    for axis in [0, 2, -1, 3] {
        same("stack", Indices::stack(&[&i, &i], axis), {
            let x = x.unsqueeze(axis);
            Tensor::concat(&[&x, &x], axis)
        });
    }
    let (none, nothing) = (i.slice(2, ..0), x.slice(2, ..0));
    same("concat with nothing", Indices::concat(&[&none, &i], 2), Tensor::concat(&[&nothing, &x], 2));
    assert_eq!(
        (i.max(), i.min(), i.size(-1), i.select(0, 1).select(0, 2).select(0, 3).item()),
        (23, 0, 4, 23)
    );
}

#[test]
fn indices_refuse_what_does_not_fit() {
    let mut said = Messages::of("tensor", module_path!(), "indices_refuse_what_does_not_fit");
    let i = Indices::arange(6).reshape([2, 3]);
    says!(said, i.slice(1, 1..=4));
    says!(said, i.select(0, 2));
    says!(said, i.unsqueeze(3));
    says!(said, i.squeeze(0));
    says!(said, Indices::concat(&[&i, &i.flatten()], 0));
    says!(said, Indices::concat(&[], 0));
    says!(said, Indices::stack(&[&i, &i.flatten()], 0));
    says!(said, Indices::stack(&[&i, &i], 4));
    says!(said, i.item());
    says!(said, i.slice(0, ..0).max());
    says!(said, Indices::zeros([0]).min());
    said.check();
}

#[allow(clippy::reversed_empty_ranges, reason = "an end of -1 is the last index")]
#[test]
fn ranges_may_include_their_end() {
    let mut said = Messages::of("tensor", module_path!(), "ranges_may_include_their_end");
    let x = Tensor::arange(5);
    let all: [(Slice, &[f32]); 9] = [
        ((1..=3).into(), &[1.0, 2.0, 3.0]),
        ((..=1).into(), &[0.0, 1.0]),
        ((2..=-1).into(), &[2.0, 3.0, 4.0]),
        ((..=-2).into(), &[0.0, 1.0, 2.0, 3.0]),
        ((-3..=-2).into(), &[2.0, 3.0]),
        ((1usize..=1).into(), &[1.0]),
        ((0..=-1isize).into(), &[0.0, 1.0, 2.0, 3.0, 4.0]),
        (std::ops::RangeInclusive::new(2, 1).into(), &[]),
        (Slice::from(1..=3).step(-1), &[3.0, 2.0, 1.0]),
    ];
    for (slice, expected) in all {
        assert_eq!(x.slice(0, slice).to_vec(), expected, "{slice:?}");
    }
    says!(said, x.slice(0, 2..=5));
    says!(said, x.slice(0, ..=usize::MAX));
    said.check();
}

#[test]
fn shapes_are_taken_apart() {
    let mut said = Messages::of("tensor", module_path!(), "shapes_are_taken_apart");
    let x = Tensor::zeros([2, 3, 4]);
    let [n, steps, size] = x.dims();
    assert_eq!((n, steps, size), (2, 3, 4));
    let [] = Tensor::scalar(1.0).dims();
    let [length] = Indices::arange(7).dims();
    assert_eq!(length, 7);
    says!(said, {
        let [_, _] = x.dims();
    });
    says!(said, {
        let [_, _] = Indices::arange(7).dims();
    });
    says!(said, {
        let [_] = Tensor::scalar(1.0).shape().dims();
    });
    said.check();
}
