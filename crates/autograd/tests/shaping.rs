//! Values taken apart, put together, padded and masked, against a model that computes each element from its index.

use crate::model::{
    Array, arrays, assert_same, indices, lay_out, numbers, recipes, shapes, shapes_of_rank, tensors,
    wild_numbers,
};
use gradus_autograd::prelude::*;
use proptest::{collection::vec, prelude::*};

fn replaced(list: &[usize], at: usize, value: usize) -> Vec<usize> {
    let mut list = list.to_vec();
    list[at] = value;
    list
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

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
    fn masks_that_broadcast((model, x) in tensors(shapes(), numbers()), mask in any::<u8>(), recipe in recipes()) {
        let narrowed = |(i, &n): (usize, &usize)| if n > 0 && mask >> i & 1 == 1 { 1 } else { n };
        let shape: Vec<usize> = model.shape.iter().enumerate().map(narrowed).collect();
        let mut count = 0;
        let chosen = Array::from_fn(&shape, |_| { count += 1; [0.0, 1.0, -0.0, f32::NAN, -2.0][count * 7 % 5] });
        let filled = Array::from_fn(&model.shape, |index| {
            let at: Vec<usize> = index.iter().zip(&shape).map(|(&i, &n)| if n == 1 { 0 } else { i }).collect();
            if chosen.get(&at) == 0.0 { model.get(index) } else { 0.5 }
        });
        assert_same(&x.masked_fill(&lay_out(&chosen, &recipe), 0.5), &filled);
    }

    #[test]
    fn extremes_and_where_they_stand((model, x) in tensors(shapes_of_rank(1..=4), wild_numbers()), choice in 0usize..4) {
        let axis = choice % model.shape.len();
        prop_assume!(model.shape[axis] > 0);
        for ((values, places), expected) in [
            (x.max_with_indices(axis as isize), x.argmax(axis as isize)),
            (x.min_with_indices(axis as isize), x.argmin(axis as isize)),
        ] {
            prop_assert_eq!(&places, &expected);
            assert_same(&values, &Array::from_fn(places.shape(), |index| {
                let mut from = index.to_vec();
                from.insert(axis, places.get(index) as usize);
                model.get(&from)
            }));
        }
    }
}
