//! Classes of bugs that automatic differentiation has had elsewhere, each as a test. Where two issues are named they
//! stand for many.

use gradus_autograd::{check, op::examples::Gen, ops, prelude::*};

fn close(a: f32, b: f64) {
    assert!((f64::from(a) - b).abs() <= 1e-6 * b.abs().max(0.01), "{a} is not {b}");
}

/// pytorch #1787, jax #3056: gradients of broadcast inputs keep the larger shape, or are summed over wrong axes.
#[test]
fn broadcasting_is_summed_back_to_each_inputs_shape() {
    type Pair = for<'t> fn(&Var<'t>, &Var<'t>) -> Var<'t>;
    let functions: [Pair; 5] = [
        |x, y| x.maximum(y),
        |x, y| x.pow(y),
        |x, y| x * y,
        |x, y| x / y,
        |x, y| x.is_positive().select_where(x, y),
    ];
    let shapes: [&[usize]; 6] = [&[], &[1], &[3], &[2, 1], &[2, 3], &[4, 1, 3]];
    for f in functions {
        // By x and by y, for single numbers.
        let gradients = |a: &[usize], b: &[usize]| {
            let tape = Tape::new();
            let (x, y) = (tape.var(Tensor::full(a, 2.0)), tape.var(Tensor::full(b, 3.0)));
            let z = f(&x, &y);
            let found = z.sum().backward();
            let of = |v: Var<'_>| found.get(v).cloned().unwrap_or(Tensor::zeros(v.shape()));
            (z.shape().numel() as f32, of(x), of(y))
        };
        let (_, by_x, by_y) = gradients(&[], &[]);
        for a in shapes {
            for b in shapes {
                let (elements, gradient_x, gradient_y) = gradients(a, b);
                assert_eq!((&gradient_x.shape()[..], &gradient_y.shape()[..]), (a, b));
                close(gradient_x.sum().item(), f64::from(by_x.item() * elements));
                close(gradient_y.sum().item(), f64::from(by_y.item() * elements));
            }
        }
    }
}

/// pytorch #15223: an axis of size 0 cannot be summed away.
#[test]
fn broadcasting_against_an_empty_axis() {
    let tape = Tape::new();
    let (a, b) = (tape.var(Tensor::zeros([4, 0])), tape.var(Tensor::ones([4, 1])));
    let gradients = (a * b).sum().backward();
    assert_eq!(gradients[a].shape(), &[4, 0]);
    assert_eq!(gradients[b].to_vec(), [0.0; 4]);
}

/// pytorch #45201, #31515: backward through tensors without elements.
#[test]
fn everything_without_elements() {
    let tape = Tape::new();
    let x = tape.var(Tensor::zeros([0, 3]));
    let nothing = Indices::zeros([0]);
    let results = [
        x.cumsum(0),
        x.softmax(1),
        x.softmax(0),
        x.log_softmax(0),
        x.repeat([2, 0]),
        x.index_select(0, &nothing),
        x.gather(0, &Indices::zeros([0, 3])),
        x.pad([(1, 1), (0, 0)], Padding::Constant(0.0)),
        x.roll(1, 0),
        x.chunk(2, 0)[0],
        Var::concat(&[&x, &x], 0),
        Var::stack(&[&x, &x], 0),
        x.prod_axes(0, false),
        x.var_axes(1, 0, false),
        x.logsumexp_axes(1, false),
        x.norm_axes(1, true),
        x.linear(&tape.constant(Tensor::ones([2, 3])), None),
        x.scatter_add(0, &Indices::zeros([0, 3]), &x),
        x.mse_loss(&x),
        x.cross_entropy(&nothing),
        x.nll_loss(&nothing),
        x.binary_cross_entropy_with_logits(&x),
    ];
    for y in results {
        assert_eq!(y.sum().backward()[x].shape(), &[0, 3]);
    }
    assert_eq!(x.prod_axes(0, false).value().to_vec(), [1.0; 3]);
    assert!(x.cross_entropy(&nothing).item().is_nan());
}

/// pytorch #82644: a scalar is not a vector of one.
#[test]
fn scalars_keep_rank_zero() {
    let tape = Tape::new();
    let x = tape.var(Tensor::scalar(0.0));
    for y in [
        x.prod(),
        x.norm(),
        x.var_axes(Axes::all(), 0, false),
        x.logsumexp(),
        x.min(),
        x.relu(),
        x.pow(&x),
        x.reciprocal(),
    ] {
        assert_eq!(y.shape().numel(), 1);
        assert!(y.shape()[..].is_empty());
        assert!(y.backward()[x].shape()[..].is_empty());
    }
    let v = tape.var([0.0]);
    assert_eq!(v.prod().backward()[v].shape(), &[1]);
}

/// candle #3735, pytorch #188344: results that depend on the layout of inputs or cotangents.
#[test]
fn layouts_do_not_matter() {
    let rows = Tensor::from_fn([3, 4], |i| (i[0] * 4 + i[1]) as f32 * 0.25 - 1.0);
    let transposed = rows.t().contiguous().t();
    let reversed = rows.flip(1).contiguous().flip(1);
    let labels = Indices::from([0, 3, 1]);
    let gradients = |x: &Tensor, cotangent: &Tensor| {
        let tape = Tape::new();
        let x = tape.var(x.clone());
        let w = tape.var(Tensor::full([3, 4], 0.5).t().contiguous().t());
        let linear = x.linear(&w, None).backward_from(cotangent.slice(1, ..3));
        [
            x.cross_entropy(&labels).backward()[x].clone(),
            x.softmax(1).backward_from(cotangent.clone())[x].clone(),
            x.cumsum(0).backward_from(cotangent.clone())[x].clone(),
            linear[x].clone(),
            linear[w].clone(),
        ]
    };
    let plain = gradients(&rows, &rows);
    assert_eq!(gradients(&transposed, &rows), plain);
    assert_eq!(gradients(&reversed, &reversed), plain);
    assert_eq!(gradients(&rows, &transposed), plain);
    // A cotangent of stride 0, as a sum sends it.
    let repeated = Tensor::from([[1.0], [2.0], [3.0]]).broadcast_to([3, 4]);
    assert_eq!(gradients(&rows, &repeated), gradients(&rows, &repeated.contiguous()));
}

/// pytorch #8626: an input that is repeated by stride 0 gets one gradient an element, not one a repetition.
#[test]
fn repeated_inputs_are_as_if_copied() {
    let tape = Tape::new();
    let x = tape.var(Tensor::scalar(2.0).broadcast_to([2, 3]));
    assert_eq!(x.square().sum().backward()[x].to_vec(), [4.0; 6]);
    assert_eq!(
        x.index_select(0, &Indices::from([1, 1])).sum().backward()[x].to_vec(),
        [0.0, 0.0, 0.0, 2.0, 2.0, 2.0]
    );
}

/// pytorch #1631, mxnet #9172: an index named twice keeps the last gradient instead of the sum.
#[test]
fn repeated_indices_add_up() {
    let tape = Tape::new();
    let table = tape.var(Tensor::from_fn([4, 2], |i| (i[0] * 2 + i[1]) as f32));
    let y = table.embedding(&Indices::new([1, 3, 1, 1, -1, 1], [2, 3]));
    assert_eq!(y.shape(), [2, 3, 2]);
    assert_eq!(y.sum().backward()[table].to_vec(), [0.0, 0.0, 4.0, 4.0, 0.0, 0.0, 2.0, 2.0]);
    let x = tape.var([1.0, 2.0, 3.0]);
    let twice = Indices::from([2, 2, 0]);
    assert_eq!(x.gather(0, &twice).square().sum().backward()[x].to_vec(), [2.0, 0.0, 12.0]);
    let sums = tape.constant([0.0; 3]).scatter_add(0, &twice, &x);
    assert_eq!(sums.value().to_vec(), [3.0, 0.0, 3.0]);
    assert_eq!(sums.square().sum().backward()[x].to_vec(), [6.0, 6.0, 6.0]);
    // To the second order: Σ x_i² over repeats has the Hessian 2 k.
    let first = x.gather(0, &twice).square().sum().grad(&[x])[0].unwrap();
    assert_eq!(first.sum().grad(&[x])[0].unwrap().value().to_vec(), [2.0, 0.0, 4.0]);
}

/// pytorch #94336: indices smaller than their source. Here they are refused but along the axis.
#[test]
fn fewer_indices_than_elements() {
    let tape = Tape::new();
    let x = tape.var([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let y = x.gather(1, &Indices::new([2, 0], [2, 1]));
    assert_eq!(y.value().to_vec(), [3.0, 4.0]);
    assert_eq!(y.sum().backward()[x].to_vec(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    let refused = std::panic::catch_unwind(|| Tensor::ones([2, 3]).gather(1, &Indices::new([0], [1, 1])));
    assert!(refused.is_err());
}

/// Theano #4568, pytorch #41779: the gradient of a maximum counts ties twice.
#[test]
fn ties_do_not_multiply_the_gradient() {
    let tape = Tape::new();
    let x = tape.var([1.0, 5.0]);
    assert_eq!(Var::concat(&[&x, &x], 0).max().backward()[x].to_vec(), [0.0, 1.0]);
    assert_eq!(x.maximum(&x).sum().backward()[x].to_vec(), [1.0, 1.0]);
    let columns = tape.var([[2.0, 2.0], [2.0, 1.0]]);
    assert_eq!(columns.max_axes(0, false).sum().backward()[columns].to_vec(), [0.5, 1.0, 0.5, 0.0]);
}

/// pytorch #2421, jax #21723: the square root of 0 makes NaN of everything behind it.
#[test]
fn square_roots_at_zero() {
    let tape = Tape::new();
    let x = tape.var([0.0, 0.0, 0.0]);
    assert_eq!(x.norm().backward()[x].to_vec(), [0.0; 3]);
    assert_eq!(x.std().backward()[x].to_vec(), [0.0; 3]);
    let constant = tape.var([[7.0, 7.0], [3.0, 4.0]]);
    let gradient = constant.std_axes(1, 0, false).sum().backward()[constant].to_vec();
    assert_eq!(gradient, [0.0, 0.0, -0.5, 0.5]);
}

/// tensorflow #3862, pytensor #1911: y / x is no rule for a product with zeros.
#[test]
fn products_with_zeros() {
    let tape = Tape::new();
    let x = tape.var([[2.0, 3.0, 4.0], [0.0, 3.0, 4.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0]]);
    let y = x.prod_axes(1, false);
    assert_eq!(y.value().to_vec(), [24.0, 0.0, 0.0, 0.0]);
    let first = y.sum().grad(&[x])[0].unwrap();
    let exact = [12.0, 8.0, 6.0, 12.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(first.value().to_vec(), exact);
    assert_eq!(y.sum().backward()[x].to_vec(), exact);
    // The sum of the gradient is Σ of pairs: its gradient is the sum of the two others.
    let second = first.sum().grad(&[x])[0].unwrap().value();
    assert_eq!(second.to_vec(), [7.0, 6.0, 5.0, 7.0, 4.0, 3.0, 3.0, 0.0, 3.0, 0.0, 0.0, 0.0]);
    // Over several axes, in any order, odd numbers of elements, and of none but one.
    let cube = tape.var(Tensor::from_fn([2, 3, 5], |i| 1.0 + (i[0] + 2 * i[1] + 3 * i[2]) as f32 / 16.0));
    let all = cube.prod_axes([2, 0], true);
    assert_eq!(all.shape(), [1, 3, 1]);
    let logs = cube.value().log().sum_axes([0, 2], true).exp();
    all.value().iter().zip(logs.iter()).for_each(|(a, b)| close(a, b.into()));
    let whole = cube.prod().backward();
    let expected = cube.value().log().sum().exp() / cube.value();
    whole[cube].iter().zip(expected.iter()).for_each(|(a, b)| assert!((a / b - 1.0).abs() < 1e-5, "{a} {b}"));
}

/// pytorch #94546: a variance of fewer elements than the correction.
#[test]
fn variance_without_degrees_of_freedom() {
    let tape = Tape::new();
    let x = tape.var([[3.0], [4.0]]);
    let y = x.var_axes(1, 1, false);
    assert_eq!(y.shape(), [2]);
    assert!(y.value().iter().all(f32::is_nan));
    let large = tape.var([10000.0, 10001.0, 10002.0]);
    close(large.var_axes(0, 0, false).item(), 2.0 / 3.0);
}

/// pytorch #186256: second and third derivatives of norms.
#[test]
fn higher_orders_of_a_norm() {
    let tape = Tape::new();
    let (x, y) = (tape.var(3.0), tape.var(4.0));
    let norm = Var::stack(&[&x, &y], 0).norm();
    // r' = x/r, r'' = y²/r³, r''' = -3xy²/r⁵.
    let mut derivative = norm;
    for exact in [0.6, 16.0 / 125.0, -3.0 * 3.0 * 16.0 / 3125.0] {
        derivative = derivative.grad(&[x])[0].unwrap();
        close(derivative.item(), exact);
    }
}

/// candle #2083: silu has slope one half at 0, and sigmoid and tanh their closed forms.
#[test]
fn closed_forms_of_activations() {
    for x in [-3.0f32, -0.5, 0.0, 0.5, 3.0] {
        let tape = Tape::new();
        let v = tape.var(x);
        let s = 1.0 / (1.0 + (-f64::from(x)).exp());
        // Slopes are computed from values of size 1, which are rounded.
        let close = |slope: f64, exact: f64| {
            assert!((slope - exact).abs() <= 2.0 * f64::from(f32::EPSILON), "{slope} is not {exact}");
        };
        let slope = |y: Var<'_>| f64::from(y.backward()[v].item());
        close(slope(v.silu()), s * (1.0 + f64::from(x) * (1.0 - s)));
        close(slope(v.sigmoid()), s * (1.0 - s));
        close(slope(v.softplus()), s);
        close(slope(v.tanh()), 1.0 - f64::from(x).tanh().powi(2));
        close(slope(v.elu(1.0)), f64::from(x).min(0.0).exp());
    }
}

/// mxnet #19043: padding what is itself a part.
#[test]
fn padding_a_part() {
    let tape = Tape::new();
    let x = tape.var([1.0, 2.0, 3.0, 4.0]);
    let y = x.slice(0, 1..3).pad([(2, 1)], Padding::Constant(9.0));
    assert_eq!(y.value().to_vec(), [9.0, 9.0, 2.0, 3.0, 9.0]);
    assert_eq!(y.backward_from([1.0, 2.0, 3.0, 4.0, 5.0])[x].to_vec(), [0.0, 3.0, 4.0, 0.0]);
    let edges = x.slice(0, 1..3).pad([(2, 1)], Padding::Replicate);
    assert_eq!(edges.value().to_vec(), [2.0, 2.0, 2.0, 3.0, 3.0]);
    assert_eq!(edges.backward_from([1.0, 2.0, 3.0, 4.0, 5.0])[x].to_vec(), [0.0, 6.0, 9.0, 0.0]);
}

/// dfdx #303: pieces of which some are not used; a value put together with itself.
#[test]
fn unused_pieces_and_reused_values() {
    let tape = Tape::new();
    let x = tape.var([1.0, 2.0, 3.0, 4.0, 5.0]);
    let pieces = x.split(&[2, 0, 3], 0);
    assert_eq!(pieces[2].sum().backward()[x].to_vec(), [0.0, 0.0, 1.0, 1.0, 1.0]);
    let again = Var::concat(&[&x, &pieces[0], &x, &pieces[1]], 0);
    assert_eq!(again.sum().backward()[x].to_vec(), [3.0, 3.0, 2.0, 2.0, 2.0]);
    assert_eq!(Var::stack(&[&x, &x], -1).shape(), [5, 2]);
    assert_eq!(x.roll(-2, 0).value().to_vec(), [3.0, 4.0, 5.0, 1.0, 2.0]);
    assert_eq!(x.roll(2, 0).slice(0, ..2).sum().backward()[x].to_vec(), [0.0, 0.0, 0.0, 1.0, 1.0]);
}

/// The sum of a softmax is constant: a cotangent of ones would pass any rule. The laws must not use it.
#[test]
fn the_laws_see_through_constant_sums() {
    let tape = Tape::new();
    let x = tape.var([1.0, 2.0, 3.0]);
    let gradient = x.softmax(0).sum().backward()[x].clone();
    assert!(gradient.iter().all(|g| g.abs() < 1e-7), "{gradient:?}");
    let random = x.softmax(0).backward_from([1.0, -1.0, 0.5])[x].clone();
    assert!(random.iter().all(|g| g.abs() > 1e-3), "{random:?}");
    let softmax = ops::ALL.iter().find(|spec| spec.name == "softmax").unwrap();
    for seed in 0..20 {
        check::laws(softmax, seed, 5).unwrap();
        assert!(!softmax.sample_shapes(&mut Gen::new(seed, 5)).is_empty());
    }
}

/// micrograd #53, torch/nn #792, burn #5645: a second sweep adds to the gradients of the first, or gives a part of them.
#[test]
fn a_second_sweep_starts_anew() {
    let tape = Tape::new();
    let x = tape.var([0.3, -1.2, 2.0]);
    let h = x.tanh() * x;
    let loss = (h.square() + h).sum();
    let first = loss.backward();
    assert_eq!(loss.backward()[x], first[x]);
    // After a sweep of another loss, and when the tape has grown.
    assert_ne!(h.sum().backward()[x], first[x]);
    let more = (loss + x.sum()).backward();
    assert_eq!(loss.backward()[x], first[x]);
    assert_eq!(more[x], &first[x] + 1.0);
}

/// mxnet #17989, OneFlow #6146: a cotangent that two inputs were given is added to in place for one of them.
#[test]
fn gradients_share_no_memory_that_is_written() {
    for uses in [1u8, 2, 5, 12, 24] {
        let tape = Tape::new();
        let (a, b) = (tape.var([1.0, 2.0]), tape.var([10.0, 20.0]));
        let mut sum = a + b;
        for _ in 0..uses {
            sum = sum + a;
        }
        let gradients = sum.sum().backward();
        assert_eq!(gradients[a].to_vec(), [f32::from(uses) + 1.0; 2]);
        assert_eq!(gradients[b].to_vec(), [1.0; 2]);
        // What the user writes into one stays there.
        let mut own = gradients[b].clone();
        own.as_mut_slice()[0] = 99.0;
        assert_eq!((gradients[a].to_vec()[0], gradients[b].to_vec()[0]), (f32::from(uses) + 1.0, 1.0));
    }
}

/// Liger-Kernel #272, pytorch #197887: a value that a rule saved is changed after the forward.
#[test]
fn saved_values_cannot_be_changed() {
    let mut input = Tensor::from([0.5, 2.0]);
    let mut w = Param::new([1.5, -0.5]);
    let tape = Tape::new();
    let x = tape.var(&input);
    let y = x.exp() * tape.param(&w);
    let loss = y.max() + y.square().sum();
    let before = loss.backward();
    input.as_mut_slice()[0] = 50.0;
    w.value_mut().as_mut_slice()[1] = 7.0;
    y.value().as_mut_slice()[0] = -3.0;
    before[x].clone().as_mut_slice()[0] = 1e9;
    assert_eq!(loss.backward()[x], before[x]);
    assert_eq!(x.value().to_vec(), [0.5, 2.0]);
}

/// NNlib #133, burn #5604: windows that lie over the border, hold no number or only the smallest, overlap or tie.
#[test]
fn pooling_windows() {
    let tape = Tape::new();
    let ninf = f32::NEG_INFINITY;
    // Only -inf, with padding around it, which must not win: it has no place for the gradient to go to.
    let x = tape.var(Tensor::full([1, 1, 2, 2], ninf));
    let y = x.max_pool2d(PoolOptions { padding: [1, 1], ..PoolOptions::from(2) });
    assert_eq!(y.value().to_vec(), [ninf; 4]);
    assert_eq!(y.backward_from([[[[1.0, 2.0], [3.0, 4.0]]]])[x].to_vec(), [1.0, 2.0, 3.0, 4.0]);
    // NaN is the largest, and has the gradient.
    let x = tape.var([[[[1.0, f32::NAN], [3.0, 2.0]]]]);
    let y = x.max_pool2d(2);
    assert!(y.item().is_nan());
    assert_eq!(y.backward()[x].to_vec(), [0.0, 1.0, 0.0, 0.0]);
    // The mean of a window that the image ends in is over what is there; padding counts if it is asked to.
    let x = tape.var(Tensor::from_fn([1, 1, 3, 3], |i| (i[2] * 3 + i[3] + 1) as f32));
    let y = x.avg_pool2d(PoolOptions { ceil_mode: true, ..PoolOptions::from(2) });
    assert_eq!(y.value().to_vec(), [3.0, 4.5, 7.5, 9.0]);
    let shares = [0.25, 0.25, 0.5, 0.25, 0.25, 0.5, 0.5, 0.5, 1.0];
    assert_eq!(y.sum().backward()[x].to_vec(), shares);
    let padded = |count_include_pad| {
        x.avg_pool2d(PoolOptions { padding: [1, 1], count_include_pad, ..PoolOptions::from(2) })
    };
    assert_eq!(padded(true).value().to_vec(), [0.25, 1.25, 2.75, 7.0]);
    assert_eq!(padded(false).value().to_vec(), [1.0, 2.5, 5.5, 7.0]);
}

/// pytorch #188344, #60524: results that depend on how an image is stored, channels last for one.
#[test]
fn images_stored_with_channels_last() {
    let mut rng = Rng::seed(3);
    // Whole numbers: every order of summation is exact.
    let mut whole = |shape: [usize; 4]| Tensor::randn(shape, &mut rng).map(|x| (3.0 * x).round());
    let (x, w) = (whole([2, 3, 5, 4]), whole([6, 3, 3, 2]));
    let channels_last = |x: &Tensor| x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
    let gradients = |x: &Tensor, w: &Tensor, turn: fn(&Tensor) -> Tensor| {
        let tape = Tape::new();
        let (x, w) = (tape.var(x), tape.var(w));
        let y = x.conv2d(&w, None, Conv2dOptions { padding: [1, 1], ..Conv2dOptions::default() });
        let cotangent = turn(&Tensor::from_fn(y.shape(), |i| (i[0] + 2 * i[1] + 3 * i[2] + i[3]) as f32));
        let all = y.backward_from(cotangent.clone());
        let pooled =
            y.max_pool2d(PoolOptions { stride: [1, 1], ..PoolOptions::from(2) }).square().sum().backward();
        [y.value(), all[x].clone(), all[w].clone(), pooled[x].clone(), pooled[w].clone()]
    };
    let plain = gradients(&x, &w, |g| g.clone());
    let turned = |g: &Tensor| g.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
    assert_eq!(gradients(&channels_last(&x), &channels_last(&w), turned), plain);
}

/// pytorch #33138, dfdx #303: an operation with several outputs, of which the loss depends on some or on none.
#[test]
fn each_output_alone_has_its_gradient() {
    let tape = Tape::new();
    let x = tape.var(Tensor::from_fn([3, 2], |i| (i[0] * i[0] + 2 * i[1]) as f32));
    let [y, mean, variance] = x.batch_norm(None, None, 1e-5);
    let cotangent = Tensor::from([[1.0, -1.0], [0.5, 2.0], [0.0, 1.0]]);
    let alone = [
        y.backward_from(cotangent.clone())[x].clone(),
        mean.sum().backward()[x].clone(),
        variance.sum().backward()[x].clone(),
    ];
    assert_eq!(alone[1].to_vec(), [1.0 / 3.0; 6]);
    let loss = (y * tape.constant(cotangent)).sum() + mean.sum() + variance.sum();
    let together = loss.backward()[x].clone();
    let sum = alone.iter().skip(1).fold(alone[0].clone(), |sum, g| sum + g);
    assert!(together.iter().zip(sum.iter()).all(|(a, b)| (a - b).abs() < 1e-5), "{together:?} {sum:?}");
    // The loss uses another value: no gradient, and nothing is computed.
    assert!(tape.var(1.0).square().backward().get(x).is_none());
}

/// pytorch #5534, OneFlow #8056: walks that follow every path, or recurse. A diamond of depth 64 has 2^64 paths.
#[test]
fn deep_diamonds_and_many_uses() {
    let tape = Tape::new();
    let x = tape.var(1.0);
    let mut y = x;
    for _ in 0..64 {
        y = (y + y) * 0.5;
    }
    assert_eq!(y.backward()[x].item(), 1.0);
    let mut terms = x;
    for _ in 1..100_000 {
        terms = terms + x;
    }
    assert_eq!(terms.backward()[x].item(), 100_000.0);
    let ends: Vec<Var<'_>> = (0..10_000).map(|_| x * 2.0).collect();
    let all: Vec<&Var<'_>> = ends.iter().collect();
    assert_eq!(Var::stack(&all, 0).sum().backward()[x].item(), 20_000.0);
}

/// burn #5573, #5193: concurrent sweeps lose gradients, a sweep within a sweep waits for itself.
#[test]
fn threads_share_parameters() {
    let (w, b) = (Param::new(Tensor::from_fn([4, 3], |i| (i[0] + i[1]) as f32 * 0.25)), Param::new([0.5; 3]));
    let gradient = |shard: usize| {
        let tape = Tape::new();
        let x = tape.constant(Tensor::from_fn([8, 4], |i| ((shard + i[0] * i[1]) % 7) as f32 * 0.125));
        let y = (x.matmul(&tape.param(&w)) + tape.param(&b)).tanh();
        let hooks = Hooks::new().replace(y, |g| {
            // A sweep of its own while another one runs.
            let inner = Tape::new();
            let v = inner.var(g);
            (v * v * 0.5).sum().backward()[v].clone()
        });
        let gradients = y.square().sum().backward_with(hooks);
        (gradients.of(&w).unwrap().clone(), gradients.of(&b).unwrap().clone())
    };
    let alone: Vec<_> = (0..12).map(gradient).collect();
    for _ in 0..8 {
        let together = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..12).map(|shard| scope.spawn(move || gradient(shard))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(together, alone);
    }
}

/// The classes by their numbers in the project's list of bugs, and the test of each: its file below the workspace.
const CLASSES: [(&str, &str, &str); 40] = [
    ("a value used twice", "tape", "a_value_used_twice_gets_the_sum"),
    ("gradients of an earlier sweep", "bug_classes", "a_second_sweep_starts_anew"),
    ("gradients that share memory", "bug_classes", "gradients_share_no_memory_that_is_written"),
    ("no sum after broadcasting", "bug_classes", "broadcasting_is_summed_back_to_each_inputs_shape"),
    ("a sum over nothing", "bug_classes", "broadcasting_against_an_empty_axis"),
    ("nothing to go backward through", "bug_classes", "everything_without_elements"),
    ("rank 0 taken for [1]", "bug_classes", "scalars_keep_rank_zero"),
    ("strided inputs", "bug_classes", "layouts_do_not_matter"),
    ("inputs of stride 0", "bug_classes", "repeated_inputs_are_as_if_copied"),
    ("saved values that change", "bug_classes", "saved_values_cannot_be_changed"),
    ("a fast path without a rule", "laws", "every_operation_obeys_the_laws"),
    ("repeated indices", "bug_classes", "repeated_indices_add_up"),
    ("fewer indices than elements", "bug_classes", "fewer_indices_than_elements"),
    ("ties", "bug_classes", "ties_do_not_multiply_the_gradient"),
    ("conventions at boundaries", "conventions", "kinks_and_singular_points_are_as_written"),
    ("roots at zero", "bug_classes", "square_roots_at_zero"),
    ("powers at zero", "conventions", "powers_of_two_variables"),
    ("products with zeros", "bug_classes", "products_with_zeros"),
    ("NaN from a branch that was not taken", "conventions", "a_branch_that_is_not_taken_gets_exactly_zero"),
    ("rows wholly masked", "conventions", "wholly_masked_rows"),
    ("losses put together naively", "losses", "extreme_logits_stay_finite"),
    ("variance of too few", "bug_classes", "variance_without_degrees_of_freedom"),
    ("pooling windows", "bug_classes", "pooling_windows"),
    ("transposed convolution", "conv", "transposed_convolution_is_the_adjoint"),
    ("batch norm in training and evaluation", "layers", "evaluation_uses_the_statistics_it_is_given"),
    ("higher orders", "bug_classes", "higher_orders_of_a_norm"),
    ("forward and reverse disagree", "functional", "composition"),
    ("outputs without cotangent", "bug_classes", "each_output_alone_has_its_gradient"),
    ("gradients through what has none", "conventions", "comparisons_give_masks_and_no_gradient"),
    ("randomness in checkpoints", "checkpoint", "results_and_gradients_keep_their_bits"),
    ("deep graphs", "tape", "a_million_operations_on_a_small_stack"),
    ("leaks", "leaks", "memory_comes_back"),
    ("threads", "bug_classes", "threads_share_parameters"),
    ("hooks", "hooks", "hooks_run_once_in_order_when_the_gradient_is_complete"),
    ("unused inputs", "bug_classes", "unused_pieces_and_reused_values"),
    ("optimizers", "../../nn/tests/optimizers", "every_optimizer_makes_pytorchs_updates"),
    ("closed forms of activations", "bug_classes", "closed_forms_of_activations"),
    ("padding", "bug_classes", "padding_a_part"),
    ("the order of memory", "bug_classes", "images_stored_with_channels_last"),
    ("the checker itself", "../src/check/tests/mutants", "the_laws_refuse_every_planted_fault"),
];

#[test]
fn every_class_has_its_test() {
    for (class, file, test) in CLASSES {
        let path = format!("{}/tests/{file}.rs", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{class}: {path}: {e}"));
        // In the table of this file the name is quoted.
        let is_there = text.contains(&format!("fn {test}("));
        assert!(is_there, "{class}: {path} has no test {test}");
    }
}
