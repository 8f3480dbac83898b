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
    let y = Tensor::from([1.0, f32::NAN, 3.0]).interpolate(0, 5, linear);
    assert_eq!(y.iter().map(f32::is_nan).collect::<Vec<_>>(), [false, true, true, true, false]);
}

#[test]
fn interpolation_of_a_line_is_a_line() {
    let line = |n: usize| Tensor::from_fn([n], |i| 8.0 * i[0] as f32);
    for (n, m) in [(1, 4), (2, 2), (2, 9), (5, 17), (9, 3), (33, 5)] {
        let corners = line(n).interpolate(0, m, Interpolation::Linear { align_corners: true });
        let edges = line(n).interpolate(0, m, Interpolation::Linear { align_corners: false });
        let nearest = line(n).interpolate(0, m, Interpolation::Nearest);
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

#[test]
fn gradients_of_interpolation_are_adjoint() {
    let mut rng = Rng::seed(2);
    let ways = [
        Interpolation::Nearest,
        Interpolation::Linear { align_corners: false },
        Interpolation::Linear { align_corners: true },
    ];
    for how in ways {
        for (n, m) in [(1, 1), (1, 5), (3, 8), (8, 3), (4, 16)] {
            for axis in 0..3 {
                let mut shape = [2, 3, 5];
                shape[axis as usize] = n;
                let x = Tensor::randn(shape, &mut rng);
                let y = x.interpolate(axis, m, how);
                let g = Tensor::randn(y.shape(), &mut rng);
                let (forward, back) = (dot(&y, &g), dot(&x, &g.interpolate_grad(axis, n, how)));
                let terms = dot(&y.abs(), &g.abs());
                assert!((forward - back).abs() <= 16.0 * f32::EPSILON as f64 * terms, "{how:?} {n} to {m}");
                let reversed = x.flip(axis).contiguous().flip(axis);
                assert_eq!(reversed.interpolate(axis, m, how), y);
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
            let larger = x.interpolate(2, 100, linear).interpolate(3, 90, linear);
            let back = larger.interpolate_grad(3, 66, linear).interpolate_grad(2, 64, linear);
            [columns.fold([64, 66], [3, 3], options), columns, larger, back]
        })
    };
    let one = run(1);
    for threads in [2, 3, 7] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}
