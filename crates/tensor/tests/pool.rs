//! Pooling against its definition in f64, and its conventions: ties, NaN, padding, ceil mode.

use gradus_tensor::{Indices, Pool, Pool2d, PoolOptions, Rng, Slice, Tensor};

fn plain(kernel: usize, stride: usize) -> Pool2d {
    Pool::Sliding(PoolOptions { stride: [stride; 2], ..PoolOptions::from(kernel) })
}

/// The positions of window `i` on one axis, those in the padding as `None`; worked out from the definitions alone.
fn window(pool: &Pool2d, axis: usize, i: usize, windows: usize, size: usize) -> Vec<Option<usize>> {
    match pool {
        Pool::Adaptive { .. } => (0..size)
            .filter(|p| p * windows + windows > i * size && p * windows < (i + 1) * size)
            .map(Some)
            .collect(),
        Pool::Sliding(PoolOptions { kernel, stride, padding, dilation, .. }) => (0..kernel[axis])
            .map(|k| (i * stride[axis] + k * dilation[axis]) as isize - padding[axis] as isize)
            .filter(|&p| p < (size + padding[axis]) as isize)
            .map(|p| usize::try_from(p).ok().filter(|&p| p < size))
            .collect(),
    }
}

/// The pixels of a window, row by row, those in the padding as `None`.
fn pixels(pool: &Pool2d, i: [usize; 2], output: [usize; 2], size: [usize; 2]) -> Vec<Option<usize>> {
    let rows = window(pool, 0, i[0], output[0], size[0]);
    let columns = window(pool, 1, i[1], output[1], size[1]);
    rows.iter()
        .flat_map(|r| columns.iter().map(move |c| r.and_then(|r| c.map(|c| r * size[1] + c))))
        .collect()
}

fn random_pool(rng: &mut Rng) -> (Pool2d, [usize; 2]) {
    let mut pick = |low: usize, high: usize| low + rng.below(high - low + 1);
    if pick(0, 3) == 0 {
        let side = pick(2, 3);
        return (plain(side, side), [pick(side, 12), pick(side, 40)]);
    }
    if pick(0, 3) == 0 {
        return (Pool::Adaptive { output: [pick(1, 7), pick(1, 7)] }, [pick(1, 12), pick(1, 12)]);
    }
    let kernel = [pick(1, 4), pick(1, 4)];
    let dilation = if pick(0, 1) == 0 { [1, 1] } else { [pick(1, 3), pick(1, 3)] };
    let padding = [0, 1].map(|i: usize| pick(0, kernel[i] / 2));
    // Dilated windows at an edge need something to stand on.
    let input = [0, 1].map(|i: usize| dilation[i] * kernel[i] + pick(0, 8));
    let stride = [pick(1, 4), pick(1, 4)];
    let ceil_mode = pick(0, 1) == 1;
    (Pool::Sliding(PoolOptions { stride, padding, dilation, ceil_mode, ..PoolOptions::new(kernel) }), input)
}

fn strided(x: &Tensor) -> Tensor {
    let places = Slice::from(1..2 * x.size(3) + 1).step(2);
    let apart = x.unslice(3, places, 2 * x.size(3) + 1).slice(3, places);
    apart.permute([3, 1, 2, 0]).flip(2).contiguous().flip(2).permute([3, 1, 2, 0])
}

#[test]
fn maxima_are_those_of_the_definition() {
    let mut rng = Rng::seed(1);
    for round in 0..200 {
        let (pool, size) = random_pool(&mut rng);
        let mut x = Tensor::randn([rng.below(3), 1 + rng.below(3), size[0], size[1]], &mut rng);
        if round % 2 == 0 {
            x = x.map(|x| x.round()); // ties
        }
        if round % 5 == 0 {
            x = x.map(|x| {
                if x > 1.0 {
                    f32::NAN
                } else if x < -1.0 {
                    f32::NEG_INFINITY
                } else {
                    x
                }
            });
        }
        let (y, winners) = x.max_pool(&pool);
        let (z, others) = strided(&x).max_pool(&pool);
        assert_eq!(winners, others);
        assert!(y.iter().zip(z.iter()).all(|(a, b)| a.to_bits() == b.to_bits()));
        let output = [y.size(2), y.size(3)];
        let planes = x.to_vec();
        for (flat, (y, &winner)) in y.iter().zip(winners.as_slice()).enumerate() {
            let (plane, rest) = (flat / (output[0] * output[1]), flat % (output[0] * output[1]));
            let plane = &planes[plane * size[0] * size[1]..];
            let pixels = pixels(&pool, [rest / output[1], rest % output[1]], output, size);
            let better = |best: usize, at: usize| {
                let (x, most) = (plane[at], plane[best]);
                if x > most || x.is_nan() && !most.is_nan() { at } else { best }
            };
            let best = pixels.into_iter().flatten().reduce(better).unwrap();
            assert_eq!(winner as usize, best, "{pool:?} of {size:?}, output {flat}");
            assert_eq!(y.to_bits(), plane[best].to_bits());
        }
        let g = Tensor::randn(y.shape(), &mut rng).map(|g| if g > 1.0 { -0.0 } else { g });
        let bits = |x: Tensor| x.iter().map(f32::to_bits).collect::<Vec<_>>();
        let back = bits(g.plane_scatter(&winners, size));
        assert_eq!(bits(g.max_pool_grad(&winners, &pool, size)), back, "{pool:?} of {size:?}");
        assert_eq!(bits(strided(&g).max_pool_grad(&winners, &pool, size)), back);
    }
}

#[test]
fn means_and_their_gradients_are_those_of_the_definition() {
    let mut rng = Rng::seed(2);
    for round in 0..200 {
        let (mut pool, size) = random_pool(&mut rng);
        let include_pad = round % 2 == 0;
        let other = (round % 7 == 0).then_some(1 + round % 5);
        if let Pool::Sliding(options) = &mut pool {
            (options.count_include_pad, options.divisor_override) = (include_pad, other);
        }
        let x = Tensor::randn([rng.below(3), 1 + rng.below(3), size[0], size[1]], &mut rng);
        let y = x.avg_pool(&pool);
        assert_eq!(y, strided(&x).avg_pool(&pool));
        let g = Tensor::randn(y.shape(), &mut rng);
        let dx = g.avg_pool_grad(&pool, size);
        assert_eq!(dx, strided(&g).avg_pool_grad(&pool, size));
        let output = [y.size(2), y.size(3)];
        let (xs, gs) = (x.to_vec(), g.to_vec());
        // (sum, sum of magnitudes, number of terms): n rounded additions and one division are off by at most
        // (n + 1) u Σ|term|.
        let mut exact = vec![(0.0f64, 0.0f64, 0.0f64); xs.len()];
        let close = |found: f32, (sum, size, n): (f64, f64, f64)| {
            let off = (found as f64 - sum).abs();
            assert!(off <= 1.001 * (n + 1.0) * 2f64.powi(-24) * size, "{pool:?}: {found} is not {sum}");
        };
        for (flat, y) in y.iter().enumerate() {
            let (plane, rest) = (flat / (output[0] * output[1]), flat % (output[0] * output[1]));
            let plane = plane * size[0] * size[1];
            let pixels = pixels(&pool, [rest / output[1], rest % output[1]], output, size);
            let inside: Vec<usize> = pixels.iter().flatten().map(|p| plane + p).collect();
            let count = if include_pad { pixels.len() } else { inside.len() };
            let divisor = match pool {
                Pool::Sliding(_) => other.unwrap_or(count),
                Pool::Adaptive { .. } => count,
            } as f64;
            let terms = || inside.iter().map(|&p| xs[p] as f64 / divisor);
            close(y, (terms().sum(), terms().map(f64::abs).sum(), inside.len() as f64));
            for p in inside {
                let term = gs[flat] as f64 / divisor;
                exact[p] = (exact[p].0 + term, exact[p].1 + term.abs(), exact[p].2 + 1.0);
            }
        }
        dx.iter().zip(exact).for_each(|(dx, exact)| close(dx, exact));
    }
}

#[test]
fn the_first_of_equal_ones_wins_even_in_a_later_column() {
    let x = Tensor::from([[[[1.0, 5.0], [5.0, 1.0]]]]);
    assert_eq!(x.max_pool(&plain(2, 1)).1.as_slice(), [1]);
    let x = Tensor::from([[[[0.0, f32::NAN], [f32::NAN, 9.0]]]]);
    let (y, winners) = x.max_pool(&plain(2, 1));
    assert!(y.item().is_nan() && winners.as_slice() == [1]);
}

#[test]
fn padding_never_wins() {
    let options = PoolOptions { stride: [2, 2], padding: [1, 1], ceil_mode: true, ..PoolOptions::from(3) };
    let pool = Pool::Sliding(options);
    let x = Tensor::full([1, 1, 4, 4], -7.0);
    assert_eq!(x.max_pool(&pool).0, Tensor::full([1, 1, 3, 3], -7.0));
    let lowest = Tensor::full([1, 1, 4, 4], f32::NEG_INFINITY);
    assert_eq!(lowest.max_pool(&pool).1.as_slice(), [0, 1, 3, 4, 5, 7, 12, 13, 15]);
}

#[test]
fn means_count_padding_but_not_what_lies_beyond() {
    let options = PoolOptions { padding: [1, 1], ceil_mode: true, ..PoolOptions::from(2) };
    // Rows -1..0, 1..2 and, by ceil mode, 3..4 of which 4 is still padding; then the same of columns.
    let x = Tensor::ones([1, 1, 4, 4]);
    let corner = x.avg_pool(&Pool::Sliding(options)).to_vec();
    assert_eq!(corner, [0.25, 0.5, 0.25, 0.5, 1.0, 0.5, 0.25, 0.5, 0.25]);
    let inside = Pool::Sliding(PoolOptions { count_include_pad: false, ..options });
    assert_eq!(x.avg_pool(&inside), Tensor::ones([1, 1, 3, 3]));
    let tenths =
        Pool::Sliding(PoolOptions { divisor_override: Some(10), count_include_pad: false, ..options });
    assert_eq!(x.avg_pool(&tenths).to_vec(), [0.1, 0.2, 0.1, 0.2, 0.4, 0.2, 0.1, 0.2, 0.1]);
    // Three rows, windows of two: the last one, by ceil mode, has one row and nothing beyond it.
    let pool = Pool::Sliding(PoolOptions { ceil_mode: true, ..PoolOptions::new([2, 1]) });
    let x = Tensor::from([[[[2.0], [4.0], [6.0]]]]);
    assert_eq!(x.avg_pool(&pool).to_vec(), [3.0, 6.0]);
}

#[test]
fn unpooling_keeps_the_maxima_in_place() {
    let x = Tensor::from([[[[1., 2., 3., 0.], [0., 1., 2., 3.], [3., 0., 1., 2.], [2., 3., 0., 1.]]]]);
    let (y, winners) = x.max_pool(&plain(2, 2));
    assert_eq!(y.to_vec(), [2., 3., 3., 2.]);
    assert_eq!(winners.as_slice(), [1, 2, 8, 11]);
    let back = y.plane_scatter(&winners, [4, 4]);
    assert_eq!(back.to_vec(), [0., 2., 3., 0., 0., 0., 0., 0., 3., 0., 0., 2., 0., 0., 0., 0.]);
    assert_eq!(x.plane_gather(&winners), y);
}

#[test]
fn gathering_and_scattering_are_adjoint() {
    let mut rng = Rng::seed(3);
    let mut whole = |shape: [usize; 4]| Tensor::randn(shape, &mut rng).map(|x| (3.0 * x).round());
    let (x, y) = (whole([2, 3, 4, 5]), whole([2, 3, 2, 7]));
    let at = Indices::new((0..84).map(|i| i * i % 20).collect::<Vec<i32>>(), [2, 3, 2, 7]);
    let dot = |a: &Tensor, b: &Tensor| a.iter().zip(b.iter()).map(|(a, b)| a * b).sum::<f32>();
    assert_eq!(dot(&x.plane_gather(&at), &y), dot(&x, &y.plane_scatter(&at, [4, 5])));
    assert_eq!(strided(&x).plane_gather(&at), x.plane_gather(&at));
    assert_eq!(strided(&y).plane_scatter(&at, [4, 5]), y.plane_scatter(&at, [4, 5]));
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let x = Tensor::randn([20, 10, 24, 24], &mut Rng::seed(4));
    let run = |threads: usize, pool: Pool2d| {
        let workers = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        workers.install(|| {
            let ((max, winners), mean) = (x.max_pool(&pool), x.avg_pool(&pool));
            let gradient = mean.avg_pool_grad(&pool, [24, 24]);
            let back = max.max_pool_grad(&winners, &pool, [24, 24]);
            (max, winners, mean, gradient, back)
        })
    };
    for pool in [plain(3, 2), plain(2, 2)] {
        let one = run(1, pool);
        assert!(run(2, pool) == one && run(5, pool) == one);
    }
}

#[test]
fn what_does_not_fit_says_why() {
    let refused = |pool: Pool2d, x: &[usize]| pool.shape("max_pool2d", x).unwrap_err().to_string();
    assert_eq!(
        refused(plain(3, 1), &[1, 1, 5, 2]),
        "max_pool2d: input [1, 1, 5, 2]: width: a kernel of 3 reaches over 3 elements, the input has 2"
    );
    assert!(refused(plain(2, 0), &[1, 1, 5, 5]).ends_with("height: the stride must not be 0"));
    assert!(refused(plain(2, 1), &[1, 5, 5]).ends_with("hint: unsqueeze(0) makes a batch of one image"));
    let padded = |kernel: usize, dilation, padding| {
        let (stride, padding, dilation) = ([1; 2], [padding; 2], [dilation; 2]);
        Pool::Sliding(PoolOptions { stride, padding, dilation, ..PoolOptions::from(kernel) })
    };
    let alone = "height: window 0 of 2 elements lies in the padding of 2 alone; \
                 hint: a padding of at most half the kernel leaves each window some input";
    assert!(refused(padded(2, 1, 2), &[1, 1, 5, 5]).ends_with(alone));
    // The elements of the only window lie left and right of the one pixel.
    assert!(refused(padded(2, 2, 1), &[1, 1, 1, 1]).contains("lies in the padding"));
    let nothing = Pool::Adaptive { output: [1, 0] };
    assert!(refused(nothing, &[1, 1, 5, 5]).contains("width: 0 windows of 5 elements"));
    let by_zero = PoolOptions { divisor_override: Some(0), ..PoolOptions::from(2) };
    assert_eq!(refused(Pool::Sliding(by_zero), &[1, 1, 5, 5]), "max_pool2d: the divisor must not be 0");
    // Volumes and rows name their axes.
    let deep = Pool::Sliding(PoolOptions::new([4, 1, 1])).windows("avg_pool3d", &[1, 1, 3, 5, 5]);
    let text = deep.unwrap_err().to_string();
    assert!(text.starts_with("avg_pool3d: input [1, 1, 3, 5, 5]: depth: a kernel of 4 reaches"), "{text}");
}

#[test]
#[should_panic(expected = "plane_scatter: position 4 lies outside a plane of 4 elements")]
fn a_position_outside_is_refused() {
    Tensor::ones([1, 1, 1, 1]).plane_scatter(&Indices::new([4], [1, 1, 1, 1]), [2, 2]);
}

#[test]
#[should_panic(expected = "plane_gather: position -1 lies outside a plane of 4 elements")]
fn a_negative_position_is_refused() {
    Tensor::ones([1, 1, 2, 2]).plane_gather(&Indices::new([-1], [1, 1, 1, 1]));
}

#[test]
#[should_panic(
    expected = "max_pool2d: divisor_override is set, which only means have; hint: avg_pool2d has it"
)]
fn a_divisor_of_maxima_is_refused() {
    let options = PoolOptions { divisor_override: Some(4), ..PoolOptions::from(2) };
    Tensor::ones([1, 1, 3, 3]).max_pool(&Pool::Sliding(options));
}

#[test]
#[should_panic(
    expected = "avg_pool2d_grad: the gradient has shape [1, 1, 3, 3], but pooling [1, 1, 4, 4] gives [1, 1, 2, 2]"
)]
fn a_gradient_of_another_size_is_refused() {
    Tensor::ones([1, 1, 3, 3]).avg_pool_grad(&plain(2, 2), [4, 4]);
}
