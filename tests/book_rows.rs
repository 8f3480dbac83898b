//! Numbers of the book's rows (docs/book/rows.md) that no other test shows.

#[path = "../examples/common/nets.rs"]
#[expect(dead_code, reason = "the examples' nets, of which some are used here")]
mod nets;

use gradus::{
    autograd::{exact::value_and_grad, op::reference::Array},
    nn::{
        book,
        data::{Dataset, digits, npy::npz},
        flatten,
        init::Fan,
        metrics::{accuracy, predict},
        train::Statistics,
        unflatten,
    },
    prelude::*,
};

/// Row 2: every pair of shapes up to rank 4 that broadcasts; the gradients of the product against sums by index.
#[test]
fn row_2_every_pair_of_shapes() {
    let tape = Tape::new();
    let (x, y) = (tape.var([1.0, 2.0, 3.0]), tape.var([10.0]));
    assert_eq!((x + y).sum().backward()[y].to_vec(), [3.0]);

    // Axes of full size or of size 1, counted from the last.
    let shapes: Vec<Vec<usize>> = (0..=4)
        .flat_map(|rank| (0..1 << rank).map(move |ones| (rank, ones)))
        .map(|(rank, ones)| {
            (0..rank).map(|k| if ones >> k & 1 == 1 { 1 } else { 2 + (rank - k) % 2 }).collect()
        })
        .collect();
    let whole = |shape: &[usize], add: usize| {
        Tensor::from_fn(shape, |i| (i.iter().fold(add, |n, i| 3 * n + i) % 7) as f32 - 3.0)
    };
    for (a, b) in shapes.iter().flat_map(|a| shapes.iter().map(move |b| (a, b))) {
        let tape = Tape::new();
        let (x, y) = (tape.var(whole(a, 1)), tape.var(whole(b, 2)));
        let z = x * y;
        let g = whole(&z.shape(), 3);
        let gradients = z.backward_from(g.clone());
        let (mut dx, mut dy) = (Tensor::zeros(a), Tensor::zeros(b));
        for flat in 0..g.numel() {
            let mut rest = flat;
            let mut at: Vec<usize> = z.shape().iter().rev().map(|n| (rest % n, rest /= n).0).collect();
            at.reverse();
            // An input is read at the last of these indices, and at 0 where it has one element.
            let of = |shape: &[usize]| -> Vec<usize> {
                let skipped = at.len() - shape.len();
                shape.iter().zip(&at[skipped..]).map(|(n, i)| if *n == 1 { 0 } else { *i }).collect()
            };
            let (i, j, g) = (of(a), of(b), g.get(&at));
            dx.set(&i, dx.get(&i) + g * y.value().get(&j));
            dy.set(&j, dy.get(&j) + g * x.value().get(&i));
        }
        // Small whole numbers: every sum is exact.
        assert_eq!((&gradients[x], &gradients[y]), (&dx, &dy), "{a:?} and {b:?}");
    }
}

/// Row 3: products against sums in f64, and `dA = G Bᵀ`, `dB = Aᵀ G`; of matrices and of batches of them.
#[test]
fn row_3_products_of_matrices() {
    let product = Tensor::from([[1.0, 2.0]]).matmul(&Tensor::from([[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]));
    assert_eq!(product.to_vec(), [5.0, 11.0, 17.0]);
    let mut rng = Rng::seed(3);
    for case in 0..64 {
        let batch: &[usize] = if case % 2 == 0 { &[] } else { &[1 + rng.below(3)] };
        let [m, k, n] = if case < 2 { [2, 3, 4] } else { [(); 3].map(|()| 1 + rng.below(6)) };
        let mut random = |rows, columns| Tensor::randn([batch, &[rows, columns]].concat(), &mut rng);
        let (a, b, g) = (random(m, k), random(k, n), random(m, n));
        let tape = Tape::new();
        let (x, y) = (tape.var(&a), tape.var(&b));
        let z = x.matmul(&y);
        assert_eq!(z.shape()[..], [batch, &[m, n]].concat());
        let gradients = z.backward_from(g.clone());
        let at = |t: &Tensor, rows: usize, columns: usize, i: usize, r: usize, c: usize| {
            f64::from(t.contiguous().to_vec()[(i * rows + r) * columns + c])
        };
        let close = |found: f64, terms: &mut dyn Iterator<Item = f64>| {
            let (sum, size) = terms.fold((0.0, 1.0), |(sum, size), term| (sum + term, size + term.abs()));
            assert!((found - sum).abs() <= 1e-6 * size, "{found} is not {sum}");
        };
        for i in 0..batch.first().copied().unwrap_or(1) {
            for (r, c) in (0..m).flat_map(|r| (0..n).map(move |c| (r, c))) {
                let mut terms = (0..k).map(|l| at(&a, m, k, i, r, l) * at(&b, k, n, i, l, c));
                close(at(&z.value(), m, n, i, r, c), &mut terms);
            }
            for (r, c) in (0..m).flat_map(|r| (0..k).map(move |c| (r, c))) {
                let mut terms = (0..n).map(|l| at(&g, m, n, i, r, l) * at(&b, k, n, i, c, l));
                close(at(&gradients[x], m, k, i, r, c), &mut terms);
            }
            for (r, c) in (0..k).flat_map(|r| (0..n).map(move |c| (r, c))) {
                let mut terms = (0..m).map(|l| at(&a, m, k, i, l, r) * at(&g, m, n, i, l, c));
                close(at(&gradients[y], k, n, i, r, c), &mut terms);
            }
        }
    }
}

/// A step of a random program: what is done, and to which earlier values.
type Instruction = (usize, usize, usize);

const INPUTS: usize = 3;

/// Steps whose values later ones use any number of times; the result sums up all of them, so that none is without use.
fn random_program(rng: &mut Rng) -> Vec<Instruction> {
    (INPUTS..INPUTS + 4 + rng.below(16)).map(|n| (rng.below(7), rng.below(n), rng.below(n))).collect()
}

fn by_tape<'t>(program: &[Instruction], x: Var<'t>) -> Var<'t> {
    let mut values: Vec<Var<'t>> = (0..INPUTS).map(|i| x.select(0, i as isize)).collect();
    for &(what, i, j) in program {
        let (a, b) = (values[i], values[j]);
        values.push(match what {
            0 => a + b,
            1 => a - b,
            2 => a * b,
            3 => a / (b * b + 1.0),
            4 => a.sin(),
            5 => a.tanh(),
            _ => (a.tanh() * 0.5).exp(),
        });
    }
    values.into_iter().reduce(|sum, v| sum + v.tanh()).expect("there are inputs")
}

/// A number and its derivative in one direction.
type Dual = [f64; 2];

fn by_dual_numbers(program: &[Instruction], x: [Dual; INPUTS]) -> Dual {
    let chain = |[_, slope]: Dual, value: f64, factor: f64| [value, slope * factor];
    let tanh = |a: Dual| chain(a, a[0].tanh(), 1.0 - a[0].tanh().powi(2));
    let mut values = x.to_vec();
    for &(what, i, j) in program {
        let (a, b) = (values[i], values[j]);
        values.push(match what {
            0 => [a[0] + b[0], a[1] + b[1]],
            1 => [a[0] - b[0], a[1] - b[1]],
            2 => [a[0] * b[0], a[1] * b[0] + a[0] * b[1]],
            3 => {
                let below = b[0] * b[0] + 1.0;
                [a[0] / below, a[1] / below - a[0] * 2.0 * b[0] * b[1] / (below * below)]
            }
            4 => chain(a, a[0].sin(), a[0].cos()),
            5 => tanh(a),
            _ => {
                let [half, slope] = tanh(a).map(|t| 0.5 * t);
                [half.exp(), slope * half.exp()]
            }
        });
    }
    values.into_iter().reduce(|sum, v| [sum[0] + tanh(v)[0], sum[1] + tanh(v)[1]]).expect("there are inputs")
}

/// Row 8: a thousand random graphs with shared values, backward against forward mode.
#[test]
fn row_8_random_graphs_against_dual_numbers() {
    let mut rng = Rng::seed(8);
    for _ in 0..1000 {
        let program = random_program(&mut rng);
        let x: [f64; INPUTS] = [(); INPUTS].map(|()| f64::from(rng.uniform(-1.0, 1.0)));
        let (value, gradient) = value_and_grad(|x| by_tape(&program, x), &x);
        for (i, found) in gradient.iter().enumerate() {
            let duals = std::array::from_fn(|k| [x[k], f64::from(k == i)]);
            let [expected, slope] = by_dual_numbers(&program, duals);
            assert!((value - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{program:?} at {x:?}");
            let off = (found - slope).abs();
            assert!(off <= 1e-12 * slope.abs().max(1.0), "{program:?} at {x:?}: {off:e} off {slope}");
        }
    }
}

/// Row 9: plain tensors record nothing; a value in between has no gradient unless it is asked for; a sweep starts from zero.
#[test]
fn row_9_what_is_recorded_and_what_is_kept() {
    let tape = Tape::new();
    let (x, layer) = (tape.var([[1.0, 2.0]]), Linear::new(2, 1, &mut Rng::seed(0)));
    let before = tape.len();
    layer.forward(x.value()).tanh();
    assert_eq!(tape.len(), before);
    let h = layer.forward(x);
    let loss = h.square().sum();
    let gradients = loss.backward();
    let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| gradients.get(h).is_some()));
    assert!(asked.is_err(), "a value in between has a gradient that nobody asked for");
    assert_eq!(loss.backward_with(Hooks::new().retain(h))[h].item(), 2.0 * h.value().item());
    assert_eq!(loss.backward()[x], gradients[x]);
}

/// Row 10: the gradient of a sum of losses is the sum of theirs, in f64.
#[test]
fn row_10_several_losses() {
    fn losses(x: Var<'_>) -> [Var<'_>; 2] {
        let h = (x * 0.5).tanh();
        [h.square().sum(), (h.exp() * x).sum()]
    }
    let x = [0.3, -0.7, 1.1];
    let (_, both) = value_and_grad(|x| losses(x)[0] + losses(x)[1], &x);
    let [first, second] = [0, 1].map(|k| value_and_grad(|x| losses(x)[k], &x).1);
    for i in 0..3 {
        assert!((both[i] - (first[i] + second[i])).abs() <= 1e-14, "{both:?}");
    }
}

/// Row 14: a net in f32 and the same in f64.
#[test]
fn row_14_a_net_in_f32_and_in_f64() {
    let rng = &mut Rng::seed(14);
    let net = nets::three_layer_net(64, rng);
    let batch = digits::load().select(&(0..50).collect::<Vec<_>>());
    let tape = Tape::new();
    let loss = net.forward(tape.constant(batch.inputs())).cross_entropy(batch.labels());
    let gradients = loss.backward();
    let params = net.params();
    let slopes = loss.grad(&params.iter().map(|(_, param)| tape.param(param)).collect::<Vec<_>>());
    let exact = tape.exact();
    assert!((f64::from(loss.item()) - exact.of(loss).data()[0]).abs() <= 1e-6);
    for ((name, param), slope) in params.iter().zip(slopes) {
        let slope: &Array = exact.of(slope.expect("the loss depends on every parameter"));
        let largest = slope.data().iter().fold(0.0f64, |largest, g| largest.max(g.abs()));
        let off = gradients[*param].iter().zip(slope.data()).map(|(f, e)| (f64::from(f) - e).abs());
        assert!(off.fold(0.0, f64::max) <= 1e-4 * largest, "{name}");
    }
}

/// Row 16: operations in the graphs of tanh and its derivatives, counted by hand from the rules.
#[test]
fn row_16_the_graphs_of_tanhs_derivatives() {
    let tape = Tape::new();
    let x = tape.var(1.0);
    let mut y = x.tanh();
    let mut found = Vec::new();
    for order in 0..=5 {
        if order > 0 {
            y = y.grad(&[x])[0].unwrap();
        }
        found.push(y.graph().dot().lines().filter(|line| line.contains("shape=box")).count());
    }
    // t = tanh x; then t, 1 - t, 1 + t, their product, and that times the gradient from behind.
    assert_eq!(found[..2], [1, 5]);
    // The first four of these; five that keep an infinite slope from a zero gradient (abs, <, ≠, or, where); the product with
    // that; its share of either factor, one negated, and their sum; and the four of tanh's slope again.
    assert_eq!(found[2], 4 + 5 + 1 + 2 + 1 + 1 + 4);
    // No blow-up: each derivative has at most three times the operations of the one before.
    assert!(found[2..].windows(2).all(|pair| pair[0] < pair[1] && pair[1] <= 3 * pair[0]), "{found:?}");
}

/// Row 20: the notes' two matrices, 25 x 401 and 10 x 26, as one vector of 10 285 and back.
#[test]
fn row_20_parameters_unrolled() {
    let rng = &mut Rng::seed(20);
    let model = vec![Param::new(Tensor::randn([25, 401], rng)), Param::new(Tensor::randn([10, 26], rng))];
    let vector = flatten(&model);
    assert_eq!(vector.numel(), 10_285);
    let mut other = vec![Param::new(Tensor::zeros([25, 401])), Param::new(Tensor::zeros([10, 26]))];
    unflatten(&mut other, &vector);
    assert!(model.iter().zip(&other).all(|(a, b)| a.value() == b.value()));
    // The vector is a copy: to move a parameter does not move it.
    let before = vector.clone();
    other[0].value_mut().set([0, 0], 100.0);
    assert_eq!(vector, before);
    assert_eq!(flatten(&other).get([0]), 100.0);
}

/// Row 25: two sigmoids and one learn XNOR from three of five starts or more; the others stay on a plateau.
#[test]
fn row_25_a_net_of_two_hidden_units_learns_xnor() {
    let x = Tensor::from([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]);
    let target = Tensor::from([[1.0], [0.0], [0.0], [1.0]]);
    let learnt = (0..15).filter(|&seed| {
        let rng = &mut Rng::seed(seed);
        let mut net = Sequential::new()
            .push(Linear::with_init(2, 2, Init::Normal(1.0), rng))
            .push(Sigmoid)
            .push(Linear::with_init(2, 1, Init::Normal(1.0), rng))
            .push(Sigmoid);
        let (mut sgd, mut tape) = (Sgd::new(2.0).momentum(0.5), Tape::new());
        for _ in 0..5000 {
            let (_, gradients, ()) =
                tape.step(|tape| (net.forward(tape.constant(&x)).mse_loss(&tape.constant(&target)), ()));
            sgd.step(&mut net, &gradients);
        }
        (net.forward(x.clone()) - 0.5).is_positive() == target
    });
    let learnt = learnt.count();
    assert!(learnt >= 9, "{learnt} of 15");
}

/// Row 28: whether images come one by one or in batches of 100 does not matter.
#[test]
fn row_28_one_image_at_a_time_or_many() {
    let net = nets::three_layer_net(64, &mut Rng::seed(28));
    let images = digits::load().select(&(0..300).collect::<Vec<_>>());
    let together = predict(&net, images.inputs(), 100).argmax(-1);
    for (i, (image, _)) in images.chunks(1).enumerate() {
        assert_eq!(net.forward(image).argmax(-1).as_slice()[0], together.as_slice()[i], "image {i}");
    }
}

/// Row 58: [[1, 2], [3, 4]] at twice the size; weights sum to 1 and each source pixel has the same share of the result.
#[test]
fn row_58_upsampling_by_two() {
    let tape = Tape::new();
    let x = tape.var([[[[1.0, 2.0], [3.0, 4.0]]]]);
    let bilinear = Interpolation::Linear { align_corners: false };
    let y = Upsample::new(2.0, bilinear).forward(x);
    assert_eq!(y.value().to_vec()[..4], [1.0, 1.25, 1.75, 2.0]);
    assert_eq!(y.sum().backward()[x].to_vec(), [4.0; 4]);
    let nearest = Upsample::new(2.0, Interpolation::Nearest).forward(x);
    assert_eq!(nearest.value().to_vec()[..8], [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
    assert_eq!(nearest.sum().backward()[x].to_vec(), [4.0; 4]);
}

/// Row 80: a net that knows the digits 0 to 4 learns 5 to 9 faster than one that knows nothing, 200 steps each.
#[test]
fn row_80_fine_tuning_is_ahead_of_a_new_start() {
    let all = digits::load().map_inputs(|images| images.reshape([1797, 64]));
    let (train, test) = all.split(1400, &mut Rng::seed(0));
    let half = |data: &Dataset, upper: bool| {
        let chosen: Vec<usize> = (0..data.len()).filter(|&i| (data.get(i).1 >= 5) == upper).collect();
        let part = data.select(&chosen);
        let labels: Indices = part.labels().iter().map(|label| label % 5).collect();
        Dataset::new(part.inputs().clone(), labels)
    };
    let (known, new, judge) = (half(&train, false), half(&train, true), half(&test, true));
    let steps = |net: &mut Sequential, data: &Dataset| {
        let (mut rng, mut sgd, mut tape) = (Rng::seed(1), Sgd::new(0.05), Tape::new());
        for _ in 0..200 {
            let drawn: Vec<usize> = (0..32).map(|_| rng.below(data.len())).collect();
            let batch = data.select(&drawn);
            let (_, gradients, ()) = tape
                .step(|tape| (net.forward(tape.constant(batch.inputs())).cross_entropy(batch.labels()), ()));
            sgd.step(net, &gradients);
        }
    };
    let rng = &mut Rng::seed(80);
    let fresh = |rng: &mut Rng| {
        let body = Sequential::new()
            .push(Linear::with_init(64, 40, Init::XavierNormal, rng))
            .push(Sigmoid)
            .push(Linear::with_init(40, 40, Init::XavierNormal, rng))
            .push(Sigmoid);
        body.push(Linear::with_init(40, 5, Init::XavierNormal, rng))
    };
    for _ in 0..3 {
        let mut scratch = fresh(rng);
        let mut tuned = scratch.clone();
        for _ in 0..10 {
            steps(&mut tuned, &known);
        }
        // A new head: what the old one said of 0 to 4 is of no use.
        let head = Linear::with_init(40, 5, Init::XavierNormal, rng);
        for ((_, to), (_, from)) in tuned.params_mut().into_iter().skip(4).zip(head.params()) {
            *to.value_mut() = from.value().clone();
        }
        [&mut tuned, &mut scratch].into_iter().for_each(|net| steps(net, &new));
        let [tuned, scratch] =
            [&tuned, &scratch].map(|net| accuracy(&predict(net, judge.inputs(), 500), judge.labels()));
        assert!(tuned > scratch + 0.05, "{tuned} fine-tuned, {scratch} from scratch");
    }
}

/// Rows 83 to 86: deviations of weights to 3 %, and of the activations of five layers to 30 % of the book's.
#[test]
fn rows_83_to_86_deviations_of_weights_and_activations() {
    let rng = &mut Rng::seed(83);
    let root = |x: f64| x.sqrt();
    // The book's Xavier has the variance 1 / n.
    let xavier = Init::ScaledNormal(Fan::In, 1.0);
    for (init, std) in [
        (Init::Normal(0.01), 0.01),
        (Init::Normal(1.0), 1.0),
        (xavier, root(1.0 / 100.0)),
        (Init::KaimingNormal, root(2.0 / 100.0)),
        (Init::Uniform(0.12), 0.12 / root(3.0)),
    ] {
        let found = Statistics::of(&init.weight([200, 100], rng)).std;
        assert!((found / std - 1.0).abs() < 0.03, "{init:?}: {found} is not {std}");
    }

    type Function = fn(&Tensor) -> Tensor;
    let (sigmoid, relu): (Function, Function) = (|x| x.sigmoid(), |x| x.relu());
    // The least and the greatest of the book's five deviations.
    for (function, init, least, greatest) in [
        (sigmoid, Init::Normal(1.0), 0.44, 0.46),
        (sigmoid, Init::Normal(0.01), 0.012, 0.025),
        (sigmoid, xavier, 0.12, 0.21),
        (relu, Init::Normal(0.01), 0.0, 0.1),
        (relu, Init::KaimingNormal, 0.81, 1.04),
    ] {
        let mut x = Tensor::randn([1000, 100], rng);
        for layer in 1..=5 {
            x = function(&x.matmul(&init.weight([100, 100], rng)));
            let std = Statistics::of(&x).std;
            assert!((0.7 * least..1.3 * greatest).contains(&std), "{init:?}, layer {layer}: {std}");
        }
        assert!(least > 0.0 || Statistics::of(&x).std < 1e-4, "ReLU from 0.01 goes to 0");
    }
}

/// Rows 92, 105 and 106: the book's three nets have its arrays, and come back from a file of them, bit for bit.
#[test]
fn rows_92_105_and_106_the_books_arrays() {
    let dir = tempfile::tempdir().unwrap();
    let rng = &mut Rng::seed(92);
    let three: &[&[usize]] = &[&[784, 50], &[50, 100], &[100, 10]];
    let simple: &[&[usize]] = &[&[30, 1, 5, 5], &[4320, 100], &[100, 10]];
    let deep: &[&[usize]] = &[
        &[16, 1, 3, 3],
        &[16, 16, 3, 3],
        &[32, 16, 3, 3],
        &[32, 32, 3, 3],
        &[64, 32, 3, 3],
        &[64, 64, 3, 3],
        &[1024, 50],
        &[50, 10],
    ];
    for (make, shapes, count) in [
        (nets::three_layer_net as fn(usize, &mut Rng) -> Sequential, three, 45_360),
        (nets::simple_conv_net, simple, 433_890),
        (nets::deep_conv_net, deep, 123_552),
    ] {
        let side = if count == 45_360 { 784 } else { 28 };
        let (net, mut other) = (make(side, rng), make(side, rng));
        assert_eq!(net.param_count(), count);
        let arrays = book::state_dict(&net).unwrap();
        for (k, shape) in shapes.iter().enumerate() {
            assert_eq!(arrays[&format!("W{}", k + 1)].shape()[..], **shape);
            assert_eq!(arrays[&format!("b{}", k + 1)].numel(), shape[if shape.len() == 2 { 1 } else { 0 }]);
        }
        assert_eq!(arrays.len(), 2 * shapes.len());
        let path = dir.path().join("net.npz");
        npz::write(&path, arrays.iter().map(|(name, tensor)| (name.clone(), tensor))).unwrap();
        book::load_state_dict(&mut other, npz::read(&path).unwrap()).unwrap();
        let images = Tensor::randn([2, 1, 28, 28], rng);
        assert_eq!(net.forward(images.clone()), other.forward(images));
    }
}

/// Row 115: the third book's large nets have their published numbers of parameters, and give scores of 1000 classes.
#[test]
fn row_115_vgg16_and_resnet50() {
    let rng = &mut Rng::seed(115);
    let image = Tensor::randn([1, 3, 32, 32], rng);
    let check = |net: &Sequential| {
        let scores = net.forward(image.clone());
        assert_eq!(scores.shape()[..], [1, 1000]);
        assert!(scores.iter().all(f32::is_finite) && scores.max().item() > scores.min().item());
    };
    let vgg = nets::vgg16(32, rng);
    // 7 by 7 places instead of one in front of the first affine layer.
    assert_eq!(vgg.param_count() + 48 * 512 * 4096, 138_357_544);
    check(&vgg);
    let resnet = nets::resnet50(rng);
    assert_eq!(resnet.param_count(), 25_557_032);
    check(&resnet);
    let large = resnet.forward(Tensor::randn([2, 3, 64, 96], rng));
    assert_eq!(large.shape()[..], [2, 1000]);
}
