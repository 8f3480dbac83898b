//! Unfolding, folding and interpolation: against naive loops, each the adjoint of its reverse, on any number of threads.

use gradus_tensor::{Conv2dOptions, Interpolation, Rng, Slice, Tensor};

/// Whole numbers, with which sums and products are exact.
fn whole(shape: impl AsRef<[usize]>, rng: &mut Rng) -> Tensor {
    Tensor::randn(shape, rng).map(|x| (2.0 * x).round())
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    a.iter().zip(b.iter()).map(|(a, b)| a as f64 * b as f64).sum()
}

#[test]
fn unfolding_takes_what_a_convolution_reads() {
    let mut rng = Rng::seed(1);
    for (size, kernel, stride, padding, dilation) in [
        ([5, 6], [1, 1], [1, 1], [0, 0], [1, 1]),
        ([7, 9], [3, 2], [1, 1], [1, 1], [1, 1]),
        ([7, 9], [3, 2], [2, 3], [0, 4], [1, 2]),
        ([1, 1], [3, 3], [1, 1], [4, 3], [2, 1]),
        ([4, 33], [2, 5], [1, 2], [1, 0], [3, 4]),
    ] {
        let options = Conv2dOptions { stride, padding, dilation, groups: 1 };
        let (x, w) =
            (whole([2, 3, size[0], size[1]], &mut rng), whole([4, 3, kernel[0], kernel[1]], &mut rng));
        let y = x.conv2d(&w, None, options);
        // A convolution is a matrix product with the columns.
        let reversed = x.flip(2).contiguous().flip(2);
        let apart = x.unslice(3, Slice::from(..).step(2), 2 * size[1] - 1).slice(3, Slice::from(..).step(2));
        for x in [&x, &reversed, &apart] {
            let columns = x.unfold(kernel, options);
            let product = w.reshape([4, columns.size(1)]).matmul(&columns);
            assert_eq!(product.reshape(y.shape()), y);
        }
        let columns = x.unfold(kernel, options);
        let g = whole(columns.shape(), &mut rng);
        assert_eq!(dot(&columns, &g), dot(&x, &g.fold(size, kernel, options)));
        // Folding ones counts the patches that a pixel lies in.
        let cover = Tensor::ones(columns.shape()).fold(size, kernel, options);
        let ones = Tensor::ones([1, 3, kernel[0], kernel[1]]);
        let read = ones.conv2d_input_grad(&Tensor::ones([2, 1, y.size(2), y.size(3)]), size, options);
        assert_eq!(cover, read);
    }
}

#[test]
fn infinities_and_nan_stay_where_they_are() {
    let mut x = Tensor::zeros([1, 1, 3, 3]);
    x.set([0, 0, 0, 0], f32::NAN);
    x.set([0, 0, 2, 2], f32::INFINITY);
    let columns = x.unfold([2, 2], Conv2dOptions { padding: [1, 1], ..Default::default() });
    assert_eq!(columns.iter().filter(|x| x.is_nan()).count(), 4);
    assert_eq!(columns.iter().filter(|x| x.is_infinite()).count(), 4);
    let linear = Interpolation::Linear { align_corners: true };
    let y = Tensor::from([1.0, f32::NAN, 3.0]).interpolate_axis(0, 5, None, linear);
    assert_eq!(y.iter().map(f32::is_nan).collect::<Vec<_>>(), [false, true, true, true, false]);
}

#[test]
fn interpolation_of_a_line_is_a_line() {
    let line = |n: usize| Tensor::from_fn([n], |i| 8.0 * i[0] as f32);
    for (n, m) in [(1, 4), (2, 2), (2, 9), (5, 17), (9, 3), (33, 5)] {
        let corners = line(n).interpolate_axis(0, m, None, Interpolation::Linear { align_corners: true });
        let edges = line(n).interpolate_axis(0, m, None, Interpolation::Linear { align_corners: false });
        let nearest = line(n).interpolate_axis(0, m, None, Interpolation::Nearest);
        for i in 0..m {
            let last = 8.0 * (n - 1) as f64;
            let on_corners = if m > 1 { last * i as f64 / (m - 1) as f64 } else { 0.0 };
            let on_edges = (8.0 * ((i as f64 + 0.5) * n as f64 / m as f64 - 0.5)).clamp(0.0, last);
            assert!((corners.get([i]) as f64 - on_corners).abs() <= 2.0 * f32::EPSILON as f64 * last);
            assert!((edges.get([i]) as f64 - on_edges).abs() <= 2.0 * f32::EPSILON as f64 * last);
            assert_eq!(nearest.get([i]), 8.0 * (i * n / m) as f32);
        }
    }
}

/// What is known of the kernel: its weights sum to 1, and on the elements themselves it gives them back.
#[test]
fn cubic_curves_go_through_the_elements_and_keep_constants() {
    let mut rng = Rng::seed(4);
    let corners = Interpolation::Cubic { align_corners: true };
    for (n, times) in [(1, 1), (2, 3), (5, 4), (9, 7)] {
        let x = Tensor::randn([n], &mut rng);
        let y = x.interpolate_axis(0, (n - 1) * times + 1, None, corners);
        assert_eq!(y.slice(0, Slice::from(..).step(times as isize)), x);
        for (how, scale) in [(corners, None), (Interpolation::Cubic { align_corners: false }, Some(1.7))] {
            let same = Tensor::full([n], 3.0).interpolate_axis(0, 11, scale, how);
            assert!(same.iter().all(|y| (y - 3.0).abs() <= 4.0 * f32::EPSILON * 3.0), "{how:?}");
        }
    }
    // Half way between two elements: (-a, 4 + a, 4 + a, -a) / 8 with a = -3/4 by the elements around, negative outside.
    let step = Tensor::from([0.0, 0.0, 0.0, 1.0, 1.0, 1.0]).interpolate_axis(0, 11, None, corners);
    let expected = [0.0, 0.0, 0.0, -0.09375, 0.0, 0.5, 1.0, 1.09375, 1.0, 1.0, 1.0];
    assert_eq!(step.to_vec(), expected);
}

/// The number that lies nearest, by its definition: element i covers the places from i to i + 1 of the larger axis's
/// multiples. Where a scale is given it is what places are divided by, whatever the sizes.
#[test]
fn nearest_elements_are_those_of_the_definition() {
    let places = |n: usize, m: usize, scale, how| {
        Tensor::arange(n).interpolate_axis(0, m, scale, how).iter().map(|x| x as usize).collect::<Vec<_>>()
    };
    for n in 1..12 {
        for m in 1..30 {
            let exact: Vec<usize> = (0..m).map(|i| ((2 * i + 1) * n / (2 * m)).min(n - 1)).collect();
            assert_eq!(places(n, m, None, Interpolation::NearestExact), exact, "{n} to {m}");
        }
    }
    // 49 · (1 / 49) is less than 1 in double precision.
    assert_eq!(places(2, 98, Some(49.0), Interpolation::Nearest)[48..50], [0, 1]);
    assert_eq!(places(3, 6, Some(2.3), Interpolation::Nearest), [0, 0, 0, 1, 1, 2]);
    assert_eq!(places(3, 6, Some(2.3), Interpolation::NearestExact), [0, 0, 1, 1, 1, 2]);
    // A scale that would reach beyond the last element stays at it.
    assert_eq!(places(2, 5, Some(1.0), Interpolation::Nearest), [0, 1, 1, 1, 1]);
}

#[test]
fn gradients_of_interpolation_are_adjoint() {
    let mut rng = Rng::seed(2);
    let ways = [
        Interpolation::Nearest,
        Interpolation::Linear { align_corners: false },
        Interpolation::Linear { align_corners: true },
        Interpolation::NearestExact,
        Interpolation::Cubic { align_corners: false },
        Interpolation::Cubic { align_corners: true },
    ];
    for how in ways {
        for (n, m) in [(1, 1), (1, 5), (3, 8), (8, 3), (4, 16)] {
            for axis in 0..3 {
                let mut shape = [2, 3, 5];
                shape[axis as usize] = n;
                let x = Tensor::randn(shape, &mut rng);
                let y = x.interpolate_axis(axis, m, None, how);
                let g = Tensor::randn(y.shape(), &mut rng);
                let (forward, back) = (dot(&y, &g), dot(&x, &g.interpolate_axis_grad(axis, n, None, how)));
                let terms = dot(&y.abs(), &g.abs());
                assert!((forward - back).abs() <= 16.0 * f32::EPSILON as f64 * terms, "{how:?} {n} to {m}");
                let reversed = x.flip(axis).contiguous().flip(axis);
                assert_eq!(reversed.interpolate_axis(axis, m, None, how), y);
            }
        }
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let mut rng = Rng::seed(3);
    let x = Tensor::randn([6, 5, 64, 66], &mut rng);
    let options = Conv2dOptions { padding: [1, 1], ..Default::default() };
    let linear = Interpolation::Linear { align_corners: false };
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let columns = x.unfold([3, 3], options);
            let larger = x.interpolate_axis(2, 100, None, linear).interpolate_axis(3, 90, None, linear);
            let back =
                larger.interpolate_axis_grad(3, 66, None, linear).interpolate_axis_grad(2, 64, None, linear);
            [columns.fold([64, 66], [3, 3], options), columns, larger, back]
        })
    };
    let one = run(1);
    for threads in [2, 3, 7] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}
