//! Indexing, joining, padding, masking and sorting against a model that computes each element from its index.

use crate::common;
use crate::fails;

use common::{
    Array, arrays, assert_same, flat, indices, lay_out, numbers, recipes, same, shapes, shapes_of_rank,
    tensors, wild_numbers,
};
use gradus_tensor::{Indices, Padding, Rng, Slice, Tensor};
use proptest::{collection::vec, prelude::*};

fn replaced(list: &[usize], at: usize, value: usize) -> Vec<usize> {
    let mut list = list.to_vec();
    list[at] = value;
    list
}

/// Indices of this shape into an axis of size `n`, counted from either end.
fn random_indices(shape: &[usize], n: usize, rng: &mut Rng) -> Indices {
    let len = shape.iter().product::<usize>();
    Indices::new((0..len).map(|_| rng.below(2 * n) as i32 - n as i32).collect::<Vec<_>>(), shape)
}

fn resolved(i: i32, n: usize) -> usize {
    if i < 0 { (i + n as i32) as usize } else { i as usize }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn selecting_and_adding_rows(
        (model, x) in tensors(shapes_of_rank(1..=4), numbers()), choice in 0usize..4,
        shape in vec(0usize..4, 0..3), seed in any::<u64>(), recipe in recipes()
    ) {
        let axis = choice % model.shape.len();
        let n = model.shape[axis];
        prop_assume!(n > 0);
        let rows = random_indices(&shape, n, &mut Rng::seed(seed));
        let place = |index: &[usize]| {
            let mut from = index[..axis].to_vec();
            from.push(resolved(rows.get(&index[axis..axis + shape.len()]), n));
            from.extend_from_slice(&index[axis + shape.len()..]);
            from
        };
        let sizes = [&model.shape[..axis], &shape[..], &model.shape[axis + 1..]].concat();
        let selected = Array::from_fn(&sizes, |index| model.get(&place(index)));
        assert_same(&x.index_select(axis as isize, &rows), &selected);

        let mut sums = model.clone();
        for index in indices(&sizes) {
            sums.elements[flat(&place(&index), &model.shape)] += selected.get(&index);
        }
        let source = lay_out(&selected, &recipe);
        assert_same(&x.clone().index_add(axis as isize - model.shape.len() as isize, &rows, &source), &sums);
        assert_same(&x, &model);
    }

    #[test]
    fn gathering_and_scattering(
        (model, x) in tensors(shapes_of_rank(1..=5), numbers()), choice in 0usize..5, m in 0usize..6,
        seed in any::<u64>(), recipe in recipes()
    ) {
        let axis = choice % model.shape.len();
        let n = model.shape[axis];
        prop_assume!(n > 0);
        let shape = replaced(&model.shape, axis, m);
        let rows = random_indices(&shape, n, &mut Rng::seed(seed));
        let place = |index: &[usize]| replaced(index, axis, resolved(rows.get(index), n));
        let gathered = Array::from_fn(&shape, |index| model.get(&place(index)));
        assert_same(&x.gather(axis as isize, &rows), &gathered);

        let mut sums = model.clone();
        for index in indices(&shape) {
            sums.elements[flat(&place(&index), &model.shape)] += gathered.get(&index);
        }
        assert_same(&x.clone().scatter_add(axis as isize, &rows, &lay_out(&gathered, &recipe)), &sums);
    }

    #[test]
    fn joining_and_splitting(
        model in arrays(shapes_of_rank(1..=4), numbers()), choice in 0usize..4, cuts in vec(0usize..20, 0..4),
        recipe in recipes(), other in recipes()
    ) {
        let axis = choice % model.shape.len();
        let n = model.shape[axis];
        let mut ends: Vec<usize> = cuts.iter().map(|&cut| cut.min(n)).chain([0, n]).collect();
        ends.sort();
        let sizes: Vec<usize> = ends.windows(2).map(|w| w[1] - w[0]).collect();
        let x = lay_out(&model, &recipe);
        let mut parts = x.split(&sizes, axis as isize);
        for (part, (&start, &size)) in parts.iter_mut().zip(ends.iter().zip(&sizes)) {
            let expected = Array::from_fn(&replaced(&model.shape, axis, size), |index| {
                model.get(&replaced(index, axis, index[axis] + start))
            });
            assert_same(part, &expected);
            prop_assert!(part.shares_buffer(&x));
            *part = lay_out(&expected, &other);
        }
        assert_same(&Tensor::concat(&parts.iter().collect::<Vec<_>>(), axis as isize), &model);

        let stacked = Tensor::stack(&[&x, &x, &x], axis as isize);
        let mut shape = model.shape.clone();
        shape.insert(axis, 3);
        assert_same(&stacked, &Array::from_fn(&shape, |index| {
            let mut index = index.to_vec();
            index.remove(axis);
            model.get(&index)
        }));

        let chunks = x.chunk(3, axis as isize);
        prop_assert!(chunks.len() <= 3);
        let largest = n.div_ceil(3);
        prop_assert!(chunks.iter().rev().skip(1).all(|c| c.shape()[axis] == largest));
        assert_same(&Tensor::concat(&chunks.iter().collect::<Vec<_>>(), axis as isize), &model);
    }

    #[test]
    fn repeating_and_rolling(
        (model, x) in tensors(shapes_of_rank(0..=3), numbers()), counts in vec(0usize..4, 3..5), shift in -30isize..30
    ) {
        let new = counts.len() - model.shape.len();
        let size = |(i, &count): (usize, &usize)| if i < new { count } else { count * model.shape[i - new] };
        let sizes: Vec<usize> = counts.iter().enumerate().map(size).collect();
        let source = |index: &[usize]| index[new..].iter().zip(&model.shape).map(|(i, n)| i % n).collect::<Vec<_>>();
        assert_same(&x.repeat(&counts), &Array::from_fn(&sizes, |index| model.get(&source(index))));
        for axis in 0..model.shape.len() {
            let n = model.shape[axis];
            let source = |i: usize| (i as isize - shift).rem_euclid(n as isize) as usize;
            let expected = Array::from_fn(&model.shape, |index| model.get(&replaced(index, axis, source(index[axis]))));
            assert_same(&x.roll(shift, axis as isize), &expected);
        }
    }

    #[test]
    fn padding((model, x) in tensors(shapes_of_rank(0..=4), numbers()), widths in vec((0usize..4, 0usize..4), 4)) {
        let shape = &model.shape;
        let widths = &widths[..shape.len()];
        let sizes = |widths: &[(usize, usize)]| -> Vec<usize> {
            shape.iter().zip(widths).map(|(n, (before, after))| before + n + after).collect()
        };
        let inside = |index: &[usize]| -> Vec<isize> {
            index.iter().zip(widths).map(|(&i, &(before, _))| i as isize - before as isize).collect()
        };
        let constant = Array::from_fn(&sizes(widths), |index| {
            let from = inside(index);
            if from.iter().zip(shape).all(|(&i, &n)| (0..n as isize).contains(&i)) {
                model.get(&from.iter().map(|&i| i as usize).collect::<Vec<_>>())
            } else {
                -3.5
            }
        });
        assert_same(&x.pad(widths, Padding::Constant(-3.5)), &constant);
        if !shape.contains(&0) || widths.iter().zip(shape).all(|(&w, &n)| n > 0 || w == (0, 0)) {
            let replicated = Array::from_fn(&sizes(widths), |index| {
                let nearest = |(&i, &n): (&isize, &usize)| i.max(0).min(n as isize - 1) as usize;
                model.get(&inside(index).iter().zip(shape).map(nearest).collect::<Vec<_>>())
            });
            assert_same(&x.pad(widths, Padding::Replicate), &replicated);
        }
        let short: Vec<(usize, usize)> = widths.iter().zip(shape).map(|(&(b, a), &n)| {
            let most = n.saturating_sub(1);
            (b.min(most), a.min(most))
        }).collect();
        let reflected = Array::from_fn(&sizes(&short), |index| {
            // Walks from the inside, turning round at the edges.
            let mirrored = |((&i, &(before, _)), &n): ((&usize, &(usize, usize)), &usize)| {
                let i = i as isize - before as isize;
                let i = if i < 0 { -i } else { i };
                let last = n as isize - 1;
                (if i > last { last - (i - last) } else { i }) as usize
            };
            model.get(&index.iter().zip(&short).zip(shape).map(mirrored).collect::<Vec<_>>())
        });
        assert_same(&x.pad(&short, Padding::Reflect), &reflected);
    }

    #[test]
    fn replacing_a_slice(
        (model, x) in tensors(shapes_of_rank(1..=4), numbers()), choice in 0usize..4, ends in (0usize..9, 0usize..9),
        step in prop::sample::select(vec![1isize, 2, -1, -3]), recipe in recipes()
    ) {
        let axis = choice % model.shape.len();
        let n = model.shape[axis];
        let (start, end) = (ends.0.min(ends.1).min(n), ends.0.max(ends.1).min(n));
        let slice = Slice::from(start..end).step(step);
        let part = x.slice(axis as isize, slice);
        let source = lay_out(&Array::from_fn(part.shape(), |index| 1000.0 + part.get(index)), &recipe);
        let result = x.slice_scatter(axis as isize, slice, &source);
        prop_assert_eq!(&result.slice(axis as isize, slice), &source);
        let mut kept: Vec<usize> = (start..end).collect();
        if step < 0 {
            kept.reverse();
        }
        let kept: Vec<usize> = kept.into_iter().step_by(step.unsigned_abs()).collect();
        assert_same(&result, &Array::from_fn(&model.shape, |index| {
            model.get(index) + if kept.contains(&index[axis]) { 1000.0 } else { 0.0 }
        }));
    }

    #[test]
    fn masks(
        a in arrays(shapes(), numbers()), mask in any::<u8>(), squeezed in any::<u8>(), two in (recipes(), recipes(), recipes())
    ) {
        // The other two broadcast to the shape of `a`.
        let shape_of = |bits: u8| -> Vec<usize> {
            a.shape.iter().enumerate().map(|(i, &n)| if n > 0 && bits >> i & 1 == 1 { 1 } else { n }).collect()
        };
        let mut count = 0;
        let chosen = Array::from_fn(&shape_of(mask), |_| { count += 1; [0.0, 1.0, -0.0, f32::NAN, -2.0][count * 7 % 5] });
        let b = Array::from_fn(&shape_of(squeezed), |index| 5000.0 + index.iter().sum::<usize>() as f32);
        let at = |array: &Array, index: &[usize]| {
            array.get(&index.iter().zip(&array.shape).map(|(&i, &n)| if n == 1 { 0 } else { i }).collect::<Vec<_>>())
        };
        let (m, x, y) = (lay_out(&chosen, &two.0), lay_out(&a, &two.1), lay_out(&b, &two.2));
        let pick = |index: &[usize], yes: f32, no: f32| if at(&chosen, index) == 0.0 { no } else { yes };
        let expected = Array::from_fn(&a.shape, |index| pick(index, at(&a, index), at(&b, index)));
        assert_same(&m.select_where(&x, &y), &expected);
        assert_same(&x.masked_fill(&m, 0.5), &Array::from_fn(&a.shape, |index| pick(index, 0.5, at(&a, index))));
    }

    #[test]
    fn triangles_and_diagonals((model, x) in tensors(shapes_of_rank(2..=4), wild_numbers()), diagonal in -6isize..6) {
        let rank = model.shape.len();
        let above = |index: &[usize]| index[rank - 1] as isize - index[rank - 2] as isize;
        let kept = |keep: &dyn Fn(isize) -> bool| {
            Array::from_fn(&model.shape, |index| if keep(above(index)) { model.get(index) } else { 0.0 })
        };
        assert_same(&x.triu(diagonal), &kept(&|d| d >= diagonal));
        assert_same(&x.tril(diagonal), &kept(&|d| d <= diagonal));
        let matrix = (0..rank - 2).try_fold(x, |x, _| (x.size(0) > 0).then(|| x.select(0, 0)));
        if let Some(matrix) = matrix
            && -(matrix.size(0) as isize) <= diagonal && diagonal <= matrix.size(1) as isize
        {
            let expected: Vec<f32> = indices(matrix.shape()).iter()
                .filter(|i| i[1] as isize - i[0] as isize == diagonal).map(|i| matrix.get(i)).collect();
            let found = matrix.diag(diagonal);
            assert_same(&found, &Array { shape: vec![expected.len()], elements: expected });
            let square = found.diag(diagonal);
            assert_same(&square.diag(diagonal), &Array::of(&found));
            prop_assert_eq!(square.size(0), found.numel() + diagonal.unsigned_abs());
            let others = square.iter().filter(|x| *x != 0.0).count();
            prop_assert_eq!(others, found.iter().filter(|x| *x != 0.0).count());
        }
    }

    #[test]
    fn sorting((model, x) in tensors(shapes_of_rank(1..=4), wild_numbers()), choice in 0usize..4, descending: bool, k in 0usize..50) {
        let axis = choice % model.shape.len();
        let n = model.shape[axis];
        // A stable sort by comparisons, of each row on its own.
        let order = |index: &[usize], descending: bool| {
            let value = |&i: &usize| model.get(&replaced(index, axis, i));
            let mut places: Vec<usize> = (0..n).collect();
            places.sort_by(|a, b| {
                let (a, b) = (value(a), value(b));
                let (left, right) = if descending { (b, a) } else { (a, b) };
                left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
            });
            places
        };
        let check = |(values, places): (Tensor, Indices), k: usize, descending: bool| {
            let shape = replaced(&model.shape, axis, k);
            assert!(values.shape()[..] == shape[..] && places.shape()[..] == shape[..]);
            for index in indices(&shape) {
                let place = order(&index, descending)[index[axis]];
                assert_eq!(places.get(&index), place as i32);
                assert!(same(values.get(&index), model.get(&replaced(&index, axis, place))));
            }
        };
        check(x.sort(axis as isize, descending), n, descending);
        for largest in [true, false] {
            let top = x.topk(k.min(n), axis as isize - model.shape.len() as isize, largest);
            check(top, k.min(n), largest);
        }
    }
}

#[test]
fn indices_follow_their_rows() {
    let labels = Indices::from([[10, 11], [20, 21], [30, 31]].concat()).reshape([3, 2]);
    let picked = labels.index_select(0, &Indices::from([2, -3]));
    assert_eq!(picked.as_slice(), [30, 31, 10, 11]);
    assert_eq!(labels.index_select(1, &Indices::from([[1]].concat()).reshape([1, 1])).shape(), &[3, 1, 1]);
    assert_eq!(labels.transpose(0, 1).as_slice(), [10, 20, 30, 11, 21, 31]);
    assert_eq!(labels.transpose(0, -1).shape(), &[2, 3]);
    assert_eq!(labels.iter().sum::<i32>(), 123);
    assert_eq!(Indices::from(vec![3usize, 4]), Indices::from([3, 4]));
    assert_eq!(Indices::from(&[3usize, 4][..]).rank(), 1);
    assert_eq!(Indices::from(&[3i32, 4][..]).as_slice(), [3, 4]);
}

#[test]
fn one_hot_rows() {
    let y = Tensor::one_hot(&Indices::from([1, -1, 0]), 3);
    assert_eq!(y.to_vec(), [0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    assert_eq!(Tensor::one_hot(&Indices::zeros([0, 2]), 4).shape(), &[0, 2, 4]);
    assert_eq!(Tensor::one_hot(&Indices::new([2], []), 3).to_vec(), [0.0, 0.0, 1.0]);
}

#[test]
fn large_embeddings_are_the_same_on_any_number_of_threads() {
    let mut rng = Rng::seed(5);
    let table = Tensor::randn([1000, 96], &mut rng);
    let ids = random_indices(&[40, 50], 1000, &mut rng);
    let rows = table.index_select(0, &ids);
    let wide = random_indices(&[1000, 96], 1000, &mut rng);
    let in_blocks = random_indices(&[4000, 4, 6], 4, &mut rng);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut all = table.clone().index_add(0, &ids, &rows).to_vec();
            all.extend(table.index_select(0, &ids).to_vec());
            all.extend(table.gather(0, &wide).to_vec());
            all.extend(table.t().scatter_add(1, &wide.transpose(0, 1), &table.t()).to_vec());
            // Blocks of [4, 6], which threads share.
            let blocks = table.reshape([4000, 4, 6]);
            all.extend(blocks.clone().scatter_add(1, &in_blocks, &blocks).to_vec());
            all.extend(table.sort(0, true).0.to_vec());
            all
        })
    };
    let one = run(1);
    assert_eq!(run(3), one);
    let mut sums: Vec<f32> = table.to_vec();
    for (k, id) in ids.iter().enumerate() {
        for j in 0..96 {
            sums[resolved(id, 1000) * 96 + j] += rows.get([k / 50, k % 50, j]);
        }
    }
    assert_eq!(one[..96_000], sums);
}

#[rustfmt::skip] // each call on the line it is checked for
#[test]
fn indexing_panics_with_the_callers_line() {
    let x = Tensor::zeros([2, 3]);
    let v = Tensor::zeros([3]);
    let s = Tensor::scalar(1.0);
    let two = Indices::from([0, 2]);
    let out_of = |op: &str| format!("{op}: index 2 is out of range for axis 0 of shape [2, 3], which has 2 elements: use -2..=1");
    fails!(x.index_select(0, &two), out_of("index_select"));
    fails!(x.index_select(2, &two), "index_select: axis 2 is out of range for shape [2, 3]: use -2..=1");
    fails!(Tensor::zeros([0]).index_select(0, &two), "index_select: index 0 is out of range for axis 0 of shape [0], which has no elements");
    fails!(x.clone().index_add(0, &two, &x), out_of("index_add"));
    fails!(x.clone().index_add(1, &two, &x), "index_add: the source has shape [2, 3], not [2, 2]");
    fails!(x.gather(0, &two.reshape([2, 1])), "gather: indices of shape [2, 1] do not fit shape [2, 3]: only axis 0 may differ");
    fails!(x.gather(0, &two), "gather: indices of shape [2] do not fit shape [2, 3]: only axis 0 may differ");
    fails!(v.gather(0, &Indices::from([-4])), "gather: index -4 is out of range for axis 0 of shape [3], which has 3 elements: use -3..=2");
    fails!(v.clone().scatter_add(0, &two, &v), "scatter_add: the source has shape [3], the indices [2]");
    fails!(s.clone().scatter_add(0, &two, &v), "scatter_add: axis 0 of a scalar: shape [] has no axes");
    fails!(Tensor::one_hot(&two, 2), "one_hot: index 2 is out of range for axis 1 of shape [2, 2], which has 2 elements: use -2..=1");
    fails!(two.index_select(0, &two), "index_select: index 2 is out of range for axis 0 of shape [2], which has 2 elements: use -2..=1");
    fails!(two.transpose(0, 1), "transpose: axis 1 is out of range for shape [2]: use -1..=0");
    fails!(Indices::from(vec![1usize << 31]), "indices: 2147483648 does not fit an i32");
    fails!(Tensor::concat(&[], 0), "concat: there are no tensors");
    fails!(Tensor::concat(&[&x, &v], 0), "concat: shapes [2, 3] and [3] may differ on axis 0 only");
    fails!(Tensor::concat(&[&x, &x.t()], -1), "concat: shapes [2, 3] and [3, 2] may differ on axis 1 only");
    fails!(Tensor::concat(&[&s], 0), "concat: axis 0 of a scalar: shape [] has no axes");
    fails!(Tensor::stack(&[], 0), "stack: there are no tensors");
    fails!(Tensor::stack(&[&x, &x.t()], 0), "stack: shapes [2, 3] and [3, 2] differ");
    fails!(Tensor::stack(&[&x], 3), "stack: axis 3 is out of range for shape [2, 3]: use -3..=2");
    fails!(x.split(&[1, 3], 1), "split: sizes [1, 3] do not add up to axis 1 of shape [2, 3]");
    fails!(x.split(&[usize::MAX, 4], 1), format!("split: sizes [{}, 4] do not add up to axis 1 of shape [2, 3]", usize::MAX));
    fails!(x.chunk(0, 1), "chunk: shape [2, 3] in no chunks");
    fails!(x.repeat([2]), "repeat: [2] has fewer entries than shape [2, 3] has axes");
    fails!(v.repeat([1 << 61]), format!("repeat: shape [{}] has more elements than memory can hold", 3usize << 61));
    fails!(x.roll(1, 2), "roll: axis 2 is out of range for shape [2, 3]: use -2..=1");
    fails!(x.slice_scatter(1, 0..2, &x), "slice_scatter: the source has shape [2, 3], the slice [2, 2]");
    fails!(x.slice_scatter(2, .., &x), "slice_scatter: axis 2 is out of range for shape [2, 3]: use -2..=1");
    fails!(x.pad([(1, 1)], Padding::Replicate), "pad: [(1, 1)] must have one pair for each axis of shape [2, 3]");
    fails!(x.pad([(0, 0), (1, 3)], Padding::Reflect), "pad: (1, 3) on axis 1 of shape [2, 3]: a reflection must be shorter than its axis");
    fails!(Tensor::zeros([0]).pad([(0, 1)], Padding::Replicate), "pad: (0, 1) on axis 0 of shape [0]: there is no element to replicate");
    fails!(v.pad([(usize::MAX, 1)], Padding::Constant(0.0)), format!("pad: shape [{}] has more elements than memory can hold", usize::MAX));
    fails!(x.select_where(&v, &Tensor::zeros([4])), "select_where: shapes [3] and [4] do not broadcast (axis -1: 3 and 4)");
    fails!(v.masked_fill(&x, 0.0), "masked_fill: a mask of shape [2, 3] does not broadcast to [3]");
    fails!(v.triu(0), "triu: shape [3] has fewer than two axes");
    fails!(s.tril(0), "tril: shape [] has fewer than two axes");
    fails!(s.diag(0), "diag: shape [] is neither a vector nor a matrix");
    fails!(x.diag(4), "diag: shape [2, 3] has no diagonal 4");
    fails!(x.diag(isize::MIN), format!("diag: shape [2, 3] has no diagonal {}", isize::MIN));
    fails!(v.diag(isize::MAX), format!("diag: shape [{0}, {0}] has more elements than memory can hold", 3 + isize::MAX as usize));
    fails!(x.sort(2, true), "sort: axis 2 is out of range for shape [2, 3]: use -2..=1");
    fails!(x.topk(4, 1, true), "topk: axis 1 of shape [2, 3] has fewer than 4 elements");
}

#[test]
fn positions_of_indices_from_either_end_and_the_first_that_is_out_of_range() {
    let shape = [2, 5];
    let indices = Indices::new([4, -5, 0, -1, 2, 3], [3, 2]);
    assert_eq!(indices.positions("op", 1, &shape).unwrap(), [4, 0, 0, 4, 2, 3]);
    let none = Indices::zeros([0]);
    assert!(none.positions("op", 0, &[0]).unwrap().is_empty());
    for (wrong, first) in
        [([0, 5, -6], 5), ([0, -6, 5], -6), ([i32::MIN, 7, 0], i32::MIN), ([0, 0, i32::MAX], i32::MAX)]
    {
        let error = Indices::from(wrong).positions("op", 1, &shape).unwrap_err().to_string();
        let expected =
            format!("op: index {first} is out of range for axis 1 of shape [2, 5], which has 5 elements");
        assert!(error.starts_with(&expected), "{error}");
    }
    let error = Indices::from([0]).check_range("op", 0, &[0, 3]).unwrap_err().to_string();
    assert!(error.contains("axis 0 of shape [0, 3], which has no elements"), "{error}");
    let error = indices.check_along("op", 0, &shape).map_err(|e| e.to_string());
    assert!(error.is_err_and(|e| e.contains("only axis 0 may differ")));
    assert!(indices.check_along("op", 0, &[7, 2]).is_ok());
}
