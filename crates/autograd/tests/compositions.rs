//! What no law and no golden value shows of the methods that are formulas of others: edges, duplicates, randomness, and
//! sizes that are zero.

use gradus_autograd::{
    check::gradcheck,
    ops::{
        indexing::{BagMode, EmbeddingBagOptions, ScatterReduction},
        loss::{NllOptions, Reduction},
    },
    prelude::*,
};

const NAN: f32 = f32::NAN;

#[test]
fn random_slopes_in_training_and_their_mean_in_evaluation() {
    let draw = |seed| {
        let tape = Tape::training(seed);
        let x = tape.var(Tensor::full([1000], -1.0));
        let y = x.rrelu(0.125, 0.375);
        let slopes = -y.value();
        assert!(slopes.iter().all(|slope| (0.125..0.375).contains(&slope)));
        // Uniform: mean 1/4, variance (1/4)²/12, each to four standard errors of a thousand.
        assert!((slopes.mean().item() - 0.25).abs() < 4.0 * 0.0722 / 1000f32.sqrt());
        assert!((slopes.var().item() - 0.0052).abs() < 0.001);
        // The gradient sees the slopes that the forward drew.
        assert_eq!(y.sum().backward()[x], slopes);
        slopes
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    let x = Tensor::from([-4.0, 4.0]);
    assert_eq!(x.rrelu(0.125, 0.375).to_vec(), [-1.0, 4.0]);
    assert_eq!(Tape::training(1).var(x).rrelu(0.25, 0.25).value().to_vec(), [-1.0, 4.0]);
}

/// Of noisy logits class k is the largest as often as the softmax says, and low temperatures show it.
#[test]
fn gumbel_softmax_draws_classes_by_their_probability() {
    let tape = Tape::training(1);
    let (n, p) = (4000, [0.5, 0.3, 0.2]);
    let logits = tape.var(Tensor::from(p.map(f32::ln))).broadcast_to([n, 3]);
    let y = logits.gumbel_softmax(0.1, 1);
    let drawn = y.argmax(1);
    for (class, p) in p.iter().enumerate() {
        let share = drawn.iter().filter(|&k| k == class as i32).count() as f32 / n as f32;
        let error = (p * (1.0 - p) / n as f32).sqrt();
        assert!((share - p).abs() < 4.0 * error, "class {class}: {share}, not {p}");
    }
    assert!(y.value().max_axes(1, false).mean().item() > 0.9);
    let x = Tensor::from([1.0, 2.0]);
    assert_eq!(x.gumbel_softmax(2.0, 0), (&x / 2.0).softmax(0), "no noise in evaluation");
}

#[test]
fn numbers_instead_of_nan() {
    let tape = Tape::new();
    let (a, b) = (tape.var([NAN, 1.0, NAN, 2.0]), tape.var([5.0, NAN, NAN, 2.0]));
    let y = a.fmax(&b);
    assert_eq!(y.value().to_vec()[..2], [5.0, 1.0]);
    assert!(y.value().get([2]).is_nan());
    let gradients = y.sum().backward();
    assert_eq!((gradients[a].to_vec()[1], gradients[b].to_vec()[0]), (1.0, 1.0));
    assert_eq!((gradients[a].to_vec()[3], gradients[b].to_vec()[3]), (0.5, 0.5));
    let x = tape.var([NAN, f32::INFINITY, f32::NEG_INFINITY, 3.0]);
    let y = x.nan_to_num(0.0, 8.0, -8.0);
    assert_eq!(y.value().to_vec(), [0.0, 8.0, -8.0, 3.0]);
    assert_eq!(y.square().sum().backward()[x].to_vec(), [0.0, 0.0, 0.0, 6.0]);
}

#[test]
fn the_last_of_several_writes_wins_and_has_the_gradient() {
    let tape = Tape::new();
    let (x, source) = (tape.var([1.0, 2.0, 3.0]), tape.var([10.0, 20.0, 30.0]));
    let indices = Indices::from([1, -1, 1]);
    for y in [x.scatter(0, &indices, &source), x.index_copy(0, &indices, &source)] {
        assert_eq!(y.value().to_vec(), [1.0, 30.0, 20.0]);
        let gradients = y.backward_from([1.0, 2.0, 3.0]);
        assert_eq!(gradients[x].to_vec(), [1.0, 0.0, 0.0]);
        assert_eq!(gradients[source].to_vec(), [0.0, 3.0, 2.0]);
    }
    // Additions add.
    let y = x.index_add(0, &indices, &source);
    assert_eq!(y.value().to_vec(), [1.0, 42.0, 23.0]);
    assert_eq!(y.backward_from([1.0, 2.0, 3.0])[source].to_vec(), [2.0, 3.0, 2.0]);
    // Rows of a matrix, and what a NaN that was overwritten does.
    let x = tape.var([[NAN, NAN], [1.0, 2.0]]);
    let y = x.index_copy(0, &Indices::from([0]), &tape.constant([[5.0, 6.0]]));
    assert_eq!(y.value().to_vec(), [5.0, 6.0, 1.0, 2.0]);
    assert_eq!(y.square().sum().backward()[x].to_vec(), [0.0, 0.0, 2.0, 4.0]);
}

/// Of x, y, z, each of which may be 0, the product has the second derivatives z, y, x and none of a variable by itself;
/// a fourth and a fifth factor multiply them.
#[test]
fn products_of_scattered_zeros_are_right_to_the_second_order() {
    for zeros in [&[][..], &[0], &[1, 4], &[0, 1, 2], &[0, 1, 2, 3, 4]] {
        let factor = |i: usize| if zeros.contains(&i) { 0.0 } else { [2.0, -3.0, 5.0, 7.0, 0.5][i] };
        let others = |skip: &[usize]| (0..5).filter(|i| !skip.contains(i)).map(factor).product::<f32>();
        let tape = Tape::new();
        // The first factor is the element itself, the others are sent to its place; there is another place beside.
        let x = tape.var([11.0, factor(0)]);
        let source = tape.var([1, 2, 3, 4].map(factor));
        let y = x.scatter_reduce(0, &Indices::from([1, -1, 1, 1]), &source, ScatterReduction::Prod, true);
        assert_eq!(y.value().to_vec(), [11.0, others(&[])], "zeros {zeros:?}");
        let first: Vec<Var<'_>> = y.sum().grad(&[x, source]).into_iter().flatten().collect();
        assert_eq!(first[0].value().to_vec(), [1.0, others(&[0])], "zeros {zeros:?}");
        for i in 1..5 {
            assert_eq!(first[1].value().get([i - 1]), others(&[i]), "zeros {zeros:?}");
            let second = first[1].select(0, i as isize - 1).grad(&[x, source]);
            let second: Vec<Var<'_>> = second.into_iter().flatten().collect();
            assert_eq!(second[0].value().to_vec(), [0.0, others(&[0, i])], "zeros {zeros:?}");
            let row = (1..5).map(|j| if j == i { 0.0 } else { others(&[i, j]) });
            assert_eq!(second[1].value().to_vec(), row.collect::<Vec<_>>(), "zeros {zeros:?}");
        }
    }
}

#[test]
fn what_scatter_reduce_leaves_out_does_not_matter() {
    use ScatterReduction::{Amax, Amin, Mean, Prod, Sum};
    let tape = Tape::new();
    let (x, source) = (tape.var([[NAN, 2.0], [3.0, NAN]]), tape.var([[5.0, 7.0]]));
    let indices = Indices::new([0, 1], [1, 2]);
    for how in [Sum, Prod, Mean, Amax, Amin] {
        let y = x.scatter_reduce(0, &indices, &source, how, false);
        assert_eq!(y.value().to_vec(), [5.0, 2.0, 3.0, 7.0], "{how:?}");
        let gradients = y.backward_from([[1.0, 2.0], [3.0, 4.0]]);
        assert_eq!(gradients[x].to_vec(), [0.0, 2.0, 3.0, 0.0], "{how:?}");
        assert_eq!(gradients[source].to_vec(), [1.0, 4.0], "{how:?}");
        // With itself it is NaN, and so is a place to which a NaN was sent.
        let with_self = x.scatter_reduce(0, &indices, &source, how, true).value();
        assert!(with_self.get([0, 0]).is_nan() && with_self.get([1, 1]).is_nan(), "{how:?}");
        let sent = source.scatter_reduce(1, &indices, &x.slice(0, ..1), how, false).value();
        assert!(sent.get([0, 0]).is_nan() && sent.get([0, 1]) == 2.0, "{how:?}");
        // Nothing sent changes nothing.
        let y = source.scatter_reduce(1, &Indices::zeros([1, 0]), &x.slice(0, ..1).slice(1, ..0), how, true);
        assert_eq!(y.value(), source.value(), "{how:?}");
        assert_eq!(y.backward_from([[1.0, 2.0]])[source].to_vec(), [1.0, 2.0], "{how:?}");
    }
    // Three equal ones share; the one that is left out has no part, though it is as large.
    let (x, source) = (tape.var([4.0, 1.0]), tape.var([4.0, 4.0, 3.0, 4.0]));
    let indices = Indices::from([0, 0, 0, 0]);
    let gradients = x.scatter_reduce(0, &indices, &source, Amax, false).backward_from([6.0, 1.0]);
    assert_eq!(gradients[x].to_vec(), [0.0, 1.0]);
    assert_eq!(gradients[source].to_vec(), [2.0, 2.0, 0.0, 2.0]);
    let gradients = x.scatter_reduce(0, &indices, &source, Amax, true).backward_from([8.0, 1.0]);
    assert_eq!(gradients[x].to_vec(), [2.0, 1.0]);
    assert_eq!(gradients[source].to_vec(), [2.0, 2.0, 0.0, 2.0]);
}

/// Strided and broadcast inputs, indices with fewer parts than the axis, and groups of many sizes, against differences.
#[test]
fn scattered_products_of_any_layout() {
    let mut rng = Rng::seed(1);
    let indices = Indices::new((0..24).map(|i| i * i % 5).collect::<Vec<_>>(), [8, 3]);
    let inputs = [Tensor::randn([3, 5], &mut rng), Tensor::randn([1, 3], &mut rng)];
    for how in [ScatterReduction::Prod, ScatterReduction::Mean, ScatterReduction::Amin] {
        for include_self in [true, false] {
            let report = gradcheck(
                |x| {
                    x[0].t().flip(0).scatter_reduce(
                        0,
                        &indices,
                        &x[1].broadcast_to([8, 3]).square(),
                        how,
                        include_self,
                    )
                },
                &inputs,
            );
            assert!(report.passed(), "{how:?}:\n{report}");
        }
    }
}

#[test]
fn places_are_those_of_the_row_major_order_in_any_layout() {
    let tape = Tape::new();
    let x = tape.var([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    // Rows: 1 4, 2 5, 3 6. Backwards, every second, and one element again and again.
    let y = x.t().as_strided([3, 2], [-2, 0], 5);
    assert_eq!(y.value().to_vec(), [6.0, 6.0, 5.0, 5.0, 4.0, 4.0]);
    assert_eq!(
        y.backward_from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])[x].to_vec(),
        [0.0, 0.0, 0.0, 11.0, 7.0, 3.0]
    );
    assert_eq!(x.as_strided([], [], 4).item(), 5.0);
    let nan = Tensor::from([NAN, -0.0, 0.0, f32::INFINITY]);
    assert_eq!(nan.count_nonzero(0, false).item(), 2.0);
    // A value and indices broadcast both ways.
    let taken = x.slice(0, ..1).take_along_dim(1, &Indices::new([2, 0], [2, 1]));
    assert_eq!(taken.value(), Tensor::from([[3.0], [1.0]]));
    assert_eq!(taken.backward_from([[5.0], [7.0]])[x].to_vec(), [7.0, 0.0, 5.0, 0.0, 0.0, 0.0]);
}

#[test]
fn sorting_is_stable_and_takes_nan_for_the_largest() {
    let x = Tensor::from([2.0, NAN, 1.0, 2.0]);
    let tape = Tape::new();
    for descending in [false, true] {
        let (y, places) = tape.var(x.clone()).sort(-1, descending);
        let expected = if descending { [1, 0, 3, 2] } else { [2, 0, 3, 1] };
        assert_eq!(places.as_slice(), expected);
        assert!(y.value().get([if descending { 0 } else { 3 }]).is_nan());
    }
    // The first of the sorted ones, at either end.
    for k in 0..=4 {
        for largest in [false, true] {
            let (y, places) = tape.var(x.clone()).topk(k, 0, largest);
            let (sorted, stood) = x.sort(0, largest);
            assert_eq!(places.as_slice(), &stood.as_slice()[..k]);
            let bits = |x: Tensor| x.iter().map(f32::to_bits).collect::<Vec<_>>();
            assert_eq!(bits(y.value()), bits(sorted.slice(0, ..k as isize)));
        }
    }
}

#[test]
fn padding_rows_of_a_table_get_no_gradient_at_any_order() {
    let tape = Tape::new();
    let table = tape.var([[2.0], [3.0]]);
    let y = table.embedding_with_padding(&Indices::from([0, 1, 1]), 1).square().sum();
    assert_eq!(y.item(), 22.0);
    assert_eq!(y.backward()[table].to_vec(), [4.0, 0.0]);
    let first = y.grad(&[table])[0].unwrap();
    assert_eq!(first.sum().grad(&[table])[0].unwrap().value().to_vec(), [2.0, 0.0]);
}

#[test]
fn bags_without_anything() {
    let tape = Tape::new();
    let table = tape.var([[1.0, -2.0], [NAN, -5.0], [3.0, -4.0]]);
    let words = Indices::from([0, 2, -1]);
    for (mode, first) in
        [(BagMode::Sum, [7.0, -10.0]), (BagMode::Mean, [7.0 / 3.0, -10.0 / 3.0]), (BagMode::Max, [3.0, -2.0])]
    {
        // The second and the fourth bag are empty; the row of NaN is in none.
        let y = table.embedding_bag_with(&words, Some(&[0, 3, 3]), mode);
        assert_eq!(y.value().to_vec(), [first[0], first[1], 0.0, 0.0, 0.0, 0.0], "{mode:?}");
        assert_eq!(y.sum().backward()[table].to_vec()[2..4], [0.0, 0.0], "{mode:?}");
        // A bag of padding only, which may be anything.
        let options = EmbeddingBagOptions { padding_index: Some(1), ..mode.into() };
        let y = table.embedding_bag_with(&Indices::new([1, -2, 0, 1], [2, 2]), None, options);
        assert_eq!(y.value().to_vec(), [0.0, 0.0, 1.0, -2.0], "{mode:?}");
        assert_eq!(y.sum().backward()[table].to_vec(), [1.0, 1.0, 0.0, 0.0, 0.0, 0.0], "{mode:?}");
        assert!(
            table.embedding_bag_with(&Indices::from([1, 0]), Some(&[0]), mode).value().get([0, 0]).is_nan()
        );
        for (words, offsets, shape) in [
            (Indices::zeros([0]), Some(&[][..]), [0, 2]),
            (Indices::zeros([0]), Some(&[0, 0][..]), [2, 2]),
            (Indices::zeros([0, 3]), None, [0, 2]),
            (Indices::zeros([3, 0]), None, [3, 2]),
        ] {
            assert_eq!(
                table.embedding_bag_with(&words, offsets, mode).value(),
                Tensor::zeros(shape),
                "{mode:?}"
            );
        }
    }
    // Equal ones share, one that is named twice too.
    let table = tape.var([[4.0], [4.0], [3.0]]);
    let y = table.embedding_bag_with(&Indices::new([0, 1, 2, 1], [1, 4]), None, BagMode::Max);
    assert_eq!(y.backward_from([[3.0]])[table].to_vec(), [1.0, 2.0, 0.0]);
}

/// Every method on values without elements, and on single elements, forwards and backwards.
#[test]
fn sizes_zero_and_one() {
    type Function = for<'t> fn(Var<'t>) -> Var<'t>;
    let functions: [(&str, Function); 30] = [
        ("cumprod", |x| x.cumprod(0)),
        ("linear_recurrence", |x| x.linear_recurrence(&x, 0)),
        ("cummax", |x| x.cummax(-1)),
        ("logcumsumexp", |x| x.logcumsumexp(0)),
        ("vector_norm", |x| x.vector_norm(3.0, 0, false)),
        ("vector_norm inf", |x| x.vector_norm(f32::INFINITY, 0, false)),
        ("sort", |x| x.sort(0, false).0),
        ("topk", |x| x.topk(0, 0, false).0),
        ("scatter", |x| x.scatter(0, &Indices::new([0; 0], [0, x.shape()[1]]), &x.slice(0, ..0))),
        ("index_copy", |x| x.index_copy(0, &Indices::new([0; 0], [0]), &x.slice(0, ..0))),
        ("masked_select", |x| x.masked_select(&x.is_positive())),
        ("scatter_reduce", |x| {
            x.scatter_reduce(
                0,
                &Indices::new([0; 0], [0, x.shape()[1]]),
                &x.slice(0, ..0),
                ScatterReduction::Prod,
                false,
            )
        }),
        ("scatter_reduce largest", |x| {
            x.scatter_reduce(
                1,
                &Indices::new([0; 0], [x.shape()[0], 0]),
                &x.slice(1, ..0),
                ScatterReduction::Amax,
                true,
            )
        }),
        ("take_along_dim", |x| x.take_along_dim(0, &Indices::new([0; 0], [0, 1]))),
        ("count_nonzero", |x| x.count_nonzero(0, false).sum() * x.sum()),
        ("as_strided", |x| x.as_strided([0, 2], [-7, 7], 9)),
        ("tile", |x| x.tile([0, 2])),
        ("repeat_interleave", |x| x.repeat_interleave(0, 1)),
        ("triu", |x| x.triu(0)),
        ("diagonal", |x| x.diagonal(0, 0, 1)),
        ("diag", |x| x.flatten().diag(1)),
        ("trace", |x| x.trace()),
        ("movedim", |x| x.movedim(0, 1)),
        ("einsum", |x| Var::einsum("ij,kj->ik", &[&x, &x])),
        ("einsum sum", |x| Var::einsum("ij->", &[&x])),
        ("einsum diagonal", |x| Var::einsum("...,...", &[&x, &x])),
        ("cosine_similarity", |x| x.cosine_similarity(&x, 1)),
        ("any", |x| x.any_axes(0, false) * x.sum()),
        ("all", |x| x.all() * x.sum()),
        ("glu", |x| Var::concat(&[&x, &x], 0).glu(0)),
    ];
    for (name, f) in functions {
        for shape in [[0, 3], [3, 0], [0, 0], [1, 1]] {
            let tape = Tape::new();
            let x = tape.var(Tensor::ones(shape));
            let y = f(x).sum();
            assert!(y.item().is_finite(), "{name} of {shape:?} is {}", y.item());
            let gradient = y.backward().get(x).cloned();
            assert!(gradient.is_none_or(|g| g.shape()[..] == shape), "{name} of {shape:?}");
        }
    }
    assert_eq!(Tensor::zeros([0]).any().item(), 0.0);
    assert_eq!(Tensor::zeros([0]).all().item(), 1.0);
}

#[test]
fn labels_that_are_ignored_count_for_nothing() {
    let tape = Tape::new();
    let x = tape.var([[1.0, 2.0], [NAN, f32::INFINITY]]);
    let options = |reduction| NllOptions { ignore_index: Some(7), reduction, ..NllOptions::default() };
    for (reduction, expected) in [(Reduction::Mean, -2.0), (Reduction::Sum, -2.0)] {
        let loss = x.nll_loss_with(&Indices::from([1, 7]), options(reduction));
        assert_eq!(loss.item(), expected);
        assert_eq!(loss.backward()[x].to_vec(), [0.0, -1.0, 0.0, 0.0]);
    }
    let rows = x.nll_loss_with(&Indices::from([1, 7]), options(Reduction::None));
    assert_eq!(rows.value().to_vec(), [-2.0, 0.0]);
    let none = x.nll_loss_with(&Indices::from([7, 7]), options(Reduction::Mean));
    assert!(none.item().is_nan());
    assert_eq!(none.backward()[x].to_vec(), [0.0; 4]);
}

#[test]
fn hinges_have_closed_forms() {
    let tape = Tape::new();
    let (x, t) = (tape.var([0.5, -2.0, 3.0, 1.0]), tape.constant([1.0, 1.0, 1.0, -1.0]));
    let losses = x.hinge_loss_with(&t, Reduction::None);
    assert_eq!(losses.value().to_vec(), [0.5, 3.0, 0.0, 2.0]);
    assert_eq!(x.hinge_loss(&t).item(), 5.5 / 4.0);
    assert_eq!(losses.sum().backward()[x].to_vec(), [-1.0, -1.0, 0.0, 1.0]);
}

/// The loss of negative sampling is the binary cross-entropy of the scores, for each word.
#[test]
fn negative_sampling_is_cross_entropy_of_scores() {
    let mut rng = Rng::seed(1);
    let (h, w) = (Tensor::randn([3, 4], &mut rng), Tensor::randn([6, 4], &mut rng));
    let (positive, negative) = (Indices::from([5, 0, 2]), Indices::new([1, 2, 3, 4, 0, 0], [3, 2]));
    let mut expected = 0.0;
    for row in 0..3 {
        let score = |word: i32| h.select(0, row).dot(&w.select(0, word as isize));
        let loss = |word: i32, target: f32| {
            score(word).binary_cross_entropy_with_logits(&Tensor::scalar(target)).item()
        };
        expected += loss(positive.get([row as usize]), 1.0);
        expected += (0..2).map(|k| loss(negative.get([row as usize, k]), 0.0)).sum::<f32>();
    }
    let found = h.negative_sampling_loss(&w, &positive, &negative).item();
    assert!((found - expected / 3.0).abs() < 1e-6, "{found} is not {}", expected / 3.0);
}

#[test]
fn bounds_of_their_own_have_the_gradient_where_they_hold() {
    let tape = Tape::new();
    let x = tape.var([-2.0, 0.0, 0.5, 1.0, 3.0, f32::NAN]);
    let (low, high) = (tape.var(0.0), tape.var(1.0));
    let gradients = x.clamp_between(&low, &high).sum().backward();
    // At both bounds x has it, as in clamp; NaN stays, and is x.
    assert_eq!(gradients[x].to_vec(), [0.0, 1.0, 1.0, 1.0, 0.0, 1.0]);
    assert_eq!((gradients[low].item(), gradients[high].item()), (1.0, 1.0));
    let crossed = x.clamp_between(&high, &low);
    assert_eq!(crossed.value().to_vec()[..5], [0.0; 5]);
    assert!(crossed.value().get([5]).is_nan());
    // Of several writes to a place the last wins; added ones all count.
    let values = tape.var([5.0, 7.0]);
    let (rows, columns) = (Indices::from([0, 0]), Indices::from([1, -1]));
    let base = tape.var(Tensor::ones([1, 2]));
    let put = base.index_put(&[&rows, &columns], &values, false);
    let gradients = put.sum().backward();
    assert_eq!((gradients[base].to_vec(), gradients[values].to_vec()), (vec![1.0, 0.0], vec![0.0, 1.0]));
    let added = base.index_put(&[&rows, &columns], &values, true).sum().backward();
    assert_eq!((added[base].to_vec(), added[values].to_vec()), (vec![1.0; 2], vec![1.0; 2]));
}

#[test]
fn windows_and_parts_that_are_zero_have_norms_without_gradient() {
    let tape = Tape::new();
    let x = tape.var([[[[0.0, 0.0, 3.0], [0.0, 0.0, 4.0]]]]);
    let y = x.lp_pool2d(2.0, PoolOptions { stride: [1, 1], ..PoolOptions::from(2) });
    assert_eq!(y.value().to_vec(), [0.0, 5.0]);
    assert_eq!(y.sum().backward()[x].to_vec(), [0.0, 0.0, 0.6, 0.0, 0.0, 0.8]);
    let x = tape.var(Tensor::zeros([2, 2]));
    let y = x.renorm(2.0, 0, 0.0);
    assert_eq!(y.value(), x.value());
    assert_eq!(y.sum().backward()[x].to_vec(), [1.0; 4]);
    let empty = tape.var(Tensor::zeros([0, 3]));
    assert_eq!(empty.diff(0).shape(), [0, 3]);
    assert_eq!(empty.index(&[&Indices::zeros([0])]).shape(), [0, 3]);
    assert_eq!(empty.renorm(2.0, 1, 1.0).shape(), [0, 3]);
    assert_eq!(tape.var([1.0]).diff(0).shape(), [0]);
}
