//! Indexing, joining, masking and sorting against a model that computes each element from its index.

use crate::common;
use crate::{fails, messages::Messages};

use common::{
    Array, arrays, assert_same, flat, indices, lay_out, numbers, recipes, same, shapes, shapes_of_rank,
    tensors, wild_numbers,
};
use gradus_tensor::{Indices, Rng, Tensor};
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
    fn joining(
        model in arrays(shapes_of_rank(1..=4), numbers()), choice in 0usize..4, cuts in vec(0usize..20, 0..4),
        recipe in recipes()
    ) {
        let axis = choice % model.shape.len();
        let n = model.shape[axis];
        let mut ends: Vec<usize> = cuts.iter().map(|&cut| cut.min(n)).chain([0, n]).collect();
        ends.sort();
        let part = |ends: &[usize]| {
            let shape = replaced(&model.shape, axis, ends[1] - ends[0]);
            let from = |index: &[usize]| model.get(&replaced(index, axis, index[axis] + ends[0]));
            lay_out(&Array::from_fn(&shape, from), &recipe)
        };
        let parts: Vec<Tensor> = ends.windows(2).map(part).collect();
        assert_same(&Tensor::concat(&parts.iter().collect::<Vec<_>>(), axis as isize), &model);
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
    let mut said = Messages::of("tensor", module_path!(), "indexing_panics_with_the_callers_line");
    let x = Tensor::zeros([2, 3]);
    let v = Tensor::zeros([3]);
    let s = Tensor::scalar(1.0);
    let two = Indices::from([0, 2]);
    fails!(said, x.index_select(0, &two));
    fails!(said, x.index_select(2, &two));
    fails!(said, Tensor::zeros([0]).index_select(0, &two));
    fails!(said, x.clone().index_add(0, &two, &x));
    fails!(said, x.clone().index_add(1, &two, &x));
    fails!(said, x.gather(0, &two.reshape([2, 1])));
    fails!(said, x.gather(0, &two));
    fails!(said, v.gather(0, &Indices::from([-4])));
    fails!(said, v.clone().scatter_add(0, &two, &v));
    fails!(said, s.clone().scatter_add(0, &two, &v));
    fails!(said, Tensor::one_hot(&two, 2));
    fails!(said, two.index_select(0, &two));
    fails!(said, two.transpose(0, 1));
    fails!(said, Indices::from(vec![1usize << 31]));
    fails!(said, Tensor::concat(&[], 0));
    fails!(said, Tensor::concat(&[&x, &v], 0));
    fails!(said, Tensor::concat(&[&x, &x.t()], -1));
    fails!(said, Tensor::concat(&[&s], 0));
    fails!(said, x.select_where(&v, &Tensor::zeros([4])));
    fails!(said, x.sort(2, true));
    fails!(said, x.topk(4, 1, true));
    said.check();
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
