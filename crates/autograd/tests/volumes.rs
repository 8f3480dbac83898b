//! Convolution and pooling of volumes against loops over all their elements, and their gradients to the second order.

use gradus_autograd::{assert_gradcheck, check::GradCheck, prelude::*};

use crate::panics::panic_of;

/// Whole numbers, so that sums are exact.
fn whole(shape: [usize; 5], rng: &mut Rng) -> Tensor {
    Tensor::randn(shape, rng).map(|x| (2.0 * x).round())
}

/// Settings that differ from axis to axis, with padding, gaps, rests and groups.
fn settings() -> [Conv3dOptions; 5] {
    let of = |stride, padding, dilation, groups| Conv3dOptions { stride, padding, dilation, groups };
    [
        Conv3dOptions::default(),
        of([2, 1, 1], [0, 1, 2], [1, 1, 1], 1),
        of([1, 2, 3], [2, 0, 1], [2, 1, 1], 2),
        of([3, 1, 2], [1, 1, 0], [1, 2, 1], 4),
        of([2, 2, 2], [1, 1, 1], [1, 1, 2], 2),
    ]
}

/// The elements of a volume that the elements of a window see, with the place in the kernel: of `window` along each axis.
fn seen(
    size: [usize; 3],
    kernel: [usize; 3],
    window: [usize; 3],
    [stride, padding, dilation]: [[usize; 3]; 3],
) -> Vec<([usize; 3], [usize; 3])> {
    let mut found = Vec::new();
    for place in 0..kernel.iter().product() {
        let place = [place / (kernel[1] * kernel[2]), place / kernel[2] % kernel[1], place % kernel[2]];
        let at = |i: usize| (window[i] * stride[i] + place[i] * dilation[i]).checked_sub(padding[i]);
        if let [Some(d), Some(h), Some(w)] = [0, 1, 2].map(|i| at(i).filter(|&at| at < size[i])) {
            found.push((place, [d, h, w]));
        }
    }
    found
}

#[test]
fn convolutions_are_sums_over_what_the_kernel_sees() {
    let mut rng = Rng::seed(1);
    for (kernel, options) in
        [[2, 3, 1], [1, 1, 1], [3, 2, 2], [2, 2, 3], [2, 3, 2]].into_iter().zip(settings())
    {
        let (per_group, groups) = (2, options.groups);
        let x = whole([2, per_group * groups, 5, 6, 7], &mut rng);
        let w = whole([3 * groups, per_group, kernel[0], kernel[1], kernel[2]], &mut rng);
        let bias = whole([3 * groups, 1, 1, 1, 1], &mut rng).flatten();
        let y = x.conv3d(&w, Some(&bias), options);
        let moves = [options.stride, options.padding, options.dilation];
        for i in 0..3 {
            let room = x.shape()[2 + i] + 2 * moves[1][i] - moves[2][i] * (kernel[i] - 1) - 1;
            assert_eq!(y.shape()[2 + i], room / moves[0][i] + 1, "{options:?}");
        }
        let expected = Tensor::from_fn(y.shape(), |at| {
            let sees = seen([5, 6, 7], kernel, [at[2], at[3], at[4]], moves);
            let mut sum = bias.get([at[1]]);
            for c in 0..per_group {
                for ([e, a, b], [d, h, v]) in &sees {
                    let x = x.get([at[0], at[1] / 3 * per_group + c, *d, *h, *v]);
                    sum += x * w.get([at[1], c, *e, *a, *b]);
                }
            }
            sum
        });
        assert_eq!(y, expected, "{options:?}");
        // Any layout gives the same.
        let turned = x.transpose(1, 4).contiguous().transpose(1, 4).flip(2).contiguous().flip(2);
        assert_eq!(turned.conv3d(&w.flip(0).contiguous().flip(0), Some(&bias), options), y);
    }
}

#[test]
fn transposed_convolution_is_the_adjoint() {
    let mut rng = Rng::seed(2);
    for options in settings() {
        let output_padding = options.stride.map(|stride| stride / 2);
        let (x, w) = (whole([2, 4, 3, 4, 5], &mut rng), whole([4, 3, 3, 2, 2], &mut rng));
        let up = x.conv_transpose3d(&w, None, output_padding, options);
        for (i, more) in output_padding.into_iter().enumerate() {
            let whole =
                (x.shape()[2 + i] - 1) * options.stride[i] + options.dilation[i] * (w.shape()[2 + i] - 1) + 1;
            assert_eq!(up.shape()[2 + i], whole + more - 2 * options.padding[i]);
        }
        let y = whole([2, 3 * options.groups, up.size(2), up.size(3), up.size(4)], &mut rng);
        assert_eq!((&up * &y).sum().item(), (&x * &y.conv3d(&w, None, options)).sum().item(), "{options:?}");
        let bias = Tensor::arange(3 * options.groups);
        let with_bias = x.conv_transpose3d(&w, Some(&bias), output_padding, options);
        assert_eq!(with_bias, up + bias.reshape([3 * options.groups, 1, 1, 1]));
    }
}

#[test]
fn poolings_are_maxima_and_means_of_what_the_window_sees() {
    let mut rng = Rng::seed(3);
    let windows = [
        ([2, 2, 2], [2, 2, 2], [0, 0, 0], [1, 1, 1]),
        ([3, 2, 1], [1, 2, 3], [1, 1, 0], [1, 2, 1]),
        ([2, 3, 3], [3, 1, 2], [1, 0, 1], [2, 1, 1]),
    ];
    for (kernel, stride, padding, dilation) in windows {
        let x = whole([2, 3, 5, 6, 7], &mut rng);
        let of_window = |at: &[usize], dilation| {
            seen([5, 6, 7], kernel, [at[2], at[3], at[4]], [stride, padding, dilation])
        };
        for ceil_mode in [false, true] {
            let tape = Tape::new();
            let (var, ones) = (tape.var(&x), [1, 1, 1]);
            let y = var.max_pool3d(PoolOptions {
                stride,
                padding,
                dilation,
                ceil_mode,
                ..PoolOptions::new(kernel)
            });
            let mut gradient = Tensor::zeros(x.shape());
            // Of equal ones the first in row-major order wins, and gets all of the gradient.
            let expected = Tensor::from_fn(y.shape(), |at| {
                let mut best = (f32::NEG_INFINITY, [0; 5]);
                for (_, [d, h, w]) in of_window(at, dilation) {
                    let place = [at[0], at[1], d, h, w];
                    if x.get(place) > best.0 {
                        best = (x.get(place), place);
                    }
                }
                let [n, c, d, h, w] = best.1;
                let flat = (((n * 3 + c) * 5 + d) * 6 + h) * 7 + w;
                gradient.as_mut_slice()[flat] += 1.0;
                best.0
            });
            assert_eq!(y.value(), expected);
            assert_eq!(y.sum().backward()[var], gradient);
            for count_include_pad in [false, true] {
                let y = x.avg_pool3d(PoolOptions {
                    stride,
                    padding,
                    ceil_mode,
                    count_include_pad,
                    ..PoolOptions::new(kernel)
                });
                let expected = Tensor::from_fn(y.shape(), |at| {
                    let sees = of_window(at, ones);
                    let padded: usize = (0..3)
                        .map(|i| (x.shape()[2 + i] + 2 * padding[i] - at[2 + i] * stride[i]).min(kernel[i]))
                        .product();
                    let sum: f32 = sees.iter().map(|(_, [d, h, w])| x.get([at[0], at[1], *d, *h, *w])).sum();
                    sum / if count_include_pad { padded } else { sees.len() } as f32
                });
                let off = (&y - &expected).abs().max().item();
                // A mean of means: four roundings of numbers of at most 8.
                assert!(off <= 16.0 * f32::EPSILON, "{off}");
            }
        }
    }
}

#[test]
fn poolings_to_given_sizes_and_norms_see_their_windows() {
    let mut rng = Rng::seed(5);
    let size = [5, 3, 4];
    let x = whole([2, 3, 5, 3, 4], &mut rng);
    for output in [[1, 1, 1], [2, 3, 3], [5, 2, 7]] {
        let tape = Tape::new();
        let var = tape.var(&x);
        let (max, mean) = (var.adaptive_max_pool3d(output), var.adaptive_avg_pool3d(output));
        let mut gradient = Tensor::zeros(x.shape());
        let mut means = Vec::new();
        let maxima = Tensor::from_fn(max.shape(), |at| {
            // Element p lies in window i of m if p m + m > i size and p m < (i + 1) size.
            let within = |axis: usize| {
                let (i, m, n) = (at[2 + axis], output[axis], size[axis]);
                (0..n).filter(move |p| p * m + m > i * n && p * m < (i + 1) * n)
            };
            let (mut best, mut sum, mut count) = ((f32::NEG_INFINITY, 0), 0.0, 0);
            for d in within(0) {
                for h in within(1) {
                    for w in within(2) {
                        let flat = (((at[0] * 3 + at[1]) * 5 + d) * 3 + h) * 4 + w;
                        let element = x.get([at[0], at[1], d, h, w]);
                        (sum, count) = (sum + element, count + 1);
                        if element > best.0 {
                            best = (element, flat);
                        }
                    }
                }
            }
            means.push(sum / count as f32);
            gradient.as_mut_slice()[best.1] += 1.0;
            best.0
        });
        assert_eq!(max.value(), maxima);
        assert_eq!(max.sum().backward()[var], gradient);
        let off = (mean.value() - Tensor::new(means, mean.shape())).abs().max().item();
        assert!(off <= 16.0 * f32::EPSILON, "{off}");
    }
    // A norm of norms is the norm of all; of order 1 and whole numbers it is exact.
    let options = PoolOptions { stride: [1, 2, 1], padding: [1, 0, 1], ..PoolOptions::new([2, 2, 3]) };
    let sums = x.abs().avg_pool3d(PoolOptions { divisor_override: Some(1), ..options });
    assert_eq!(x.lp_pool3d(1.0, options), sums);
}

#[test]
fn gradients_are_right_to_the_second_order() {
    let mut rng = Rng::seed(4);
    let second = GradCheck { order: 2, ..GradCheck::default() };
    for options in settings() {
        let x = Tensor::randn([1, 4, 3, 4, 4], &mut rng);
        let w = Tensor::randn([4, 4 / options.groups, 2, 2, 3], &mut rng);
        let bias = Tensor::randn([4], &mut rng);
        let inputs = [x, w, bias];
        assert_gradcheck!(second.function(|x| x[0].conv3d(&x[1], Some(&x[2]), options).tanh(), &inputs));
        let [x, w, _] = inputs;
        let bias = Tensor::randn([w.size(1) * options.groups], &mut rng);
        let inputs = [x, w, bias];
        assert_gradcheck!(
            second.function(|x| x[0].conv_transpose3d(&x[1], Some(&x[2]), [0; 3], options).tanh(), &inputs)
        );
    }
    let x = [Tensor::randn([1, 2, 3, 4, 4], &mut rng)];
    let (stride, padding) = ([1, 2, 2], [1, 0, 1]);
    let options = PoolOptions { stride, padding, ceil_mode: true, ..PoolOptions::new([2, 2, 3]) };
    let dilated = PoolOptions { dilation: [2, 1, 1], ..options };
    assert_gradcheck!(second.function(|x| x[0].max_pool3d(dilated).tanh(), &x));
    let means = PoolOptions { count_include_pad: false, ..options };
    assert_gradcheck!(second.function(|x| x[0].avg_pool3d(means).tanh(), &x));
    assert_gradcheck!(second.function(|x| x[0].lp_pool3d(3.0, options).tanh(), &x));
    assert_gradcheck!(second.function(|x| x[0].adaptive_max_pool3d([2, 3, 1]).tanh(), &x));
    assert_gradcheck!(second.function(|x| x[0].adaptive_avg_pool3d([2, 3, 1]).tanh(), &x));
}

#[test]
fn no_volumes_and_volumes_with_nan() {
    let tape = Tape::new();
    let x = tape.var(Tensor::zeros([0, 2, 3, 4, 5]));
    let w = tape.var(Tensor::ones([3, 2, 2, 2, 2]));
    let y = x.conv3d(&w, None, Conv3dOptions::default());
    assert_eq!(y.shape(), [0, 3, 2, 3, 4]);
    assert_eq!(y.sum().backward()[w], Tensor::zeros([3, 2, 2, 2, 2]));
    assert_eq!(y.conv_transpose3d(&w, None, [0; 3], Conv3dOptions::default()).shape(), x.shape());
    assert_eq!(x.max_pool3d(PoolOptions { stride: [1; 3], ..PoolOptions::from(2) }).shape(), [0, 2, 2, 3, 4]);
    let mut x = Tensor::zeros([1, 1, 2, 2, 2]);
    x.as_mut_slice()[6] = f32::NAN;
    assert!(x.max_pool3d(PoolOptions { stride: [1; 3], ..PoolOptions::from(2) }).item().is_nan());
    assert!(x.adaptive_max_pool3d([1; 3]).item().is_nan());
    let layers = x.max_pool3d(PoolOptions { stride: [1; 3], ..PoolOptions::new([1, 2, 2]) }).to_vec();
    assert!(layers[0] == 0.0 && layers[1].is_nan());
}

#[test]
fn misuse_names_the_axis_and_the_users_line() {
    let volume = |shape: [usize; 5]| Tensor::zeros(shape);
    let (x, plain, none) = (volume([1, 2, 3, 4, 5]), Conv3dOptions::default(), [0; 3]);
    let (deep, up, down) = (volume([1, 2, 4, 1, 1]), volume([2, 1, 1, 1, 1]), volume([1, 2, 1, 1, 1]));
    let (flat, bias) = (x.select(0, 0), Tensor::zeros([3]));
    type Call<'a> = Box<dyn Fn() -> Tensor + 'a>;
    let line = line!() + 3;
    #[rustfmt::skip] // one call a line
    let calls: [(&str, Call<'_>); 13] = [
        ("conv3d: [1, 2, 3, 4, 5] * [1, 2, 4, 1, 1]: depth: a kernel of 4", Box::new(|| x.conv3d(&deep, None, plain))),
        ("conv3d: the input has shape [2, 3, 4, 5], not [images, channels, depth", Box::new(|| flat.conv3d(&x, None, plain))),
        ("conv3d: the weight has shape [2, 3, 4, 5], not", Box::new(|| x.conv3d(&flat, None, plain))),
        ("conv3d: channels differ: [1, 2, 3, 4, 5] * [2, 1, 1, 1, 1]", Box::new(|| x.conv3d(&up, None, plain))),
        ("conv3d: the bias has shape [3], the output 1", Box::new(|| x.conv3d(&down, Some(&bias), plain))),
        ("conv_transpose3d: [1, 2, 3, 4, 5] by [2, 1, 1, 1, 1]: depth: the", Box::new(|| x.conv_transpose3d(&up, None, [1, 0, 0], plain))),
        ("conv_transpose3d: the bias has shape [3], the", Box::new(|| x.conv_transpose3d(&up, Some(&bias), none, plain))),
        ("max_pool3d: input [1, 2, 3, 4, 5]: depth: window 0 of 1", Box::new(|| x.max_pool3d(PoolOptions { padding: [1; 3], ..PoolOptions::from(1) }))),
        ("avg_pool3d: the input has shape [2, 3, 4, 5], not", Box::new(|| flat.avg_pool3d(1))),
        ("adaptive_max_pool3d: input [1, 2, 3, 4, 5]: width: 0 windows of 5", Box::new(|| x.adaptive_max_pool3d([1, 1, 0]))),
        ("adaptive_avg_pool3d: the input has shape [2, 3, 4, 5], not [images, channels, depth", Box::new(|| flat.adaptive_avg_pool3d([1; 3]))),
        ("lp_pool3d: count_include_pad is set, which only means have; hint: avg_pool3d has it", Box::new(|| x.lp_pool3d(2.0, PoolOptions { count_include_pad: false, ..PoolOptions::from(1) }))),
        ("lp_pool3d: the order p must be positive and finite, not NaN", Box::new(|| x.lp_pool3d(f32::NAN, 1))),
    ];
    for (i, (message, call)) in calls.iter().enumerate() {
        let (text, file, at) = panic_of(call);
        assert!(text.starts_with(message), "{text}");
        assert!(file.ends_with("volumes.rs") && at == line + i as u32, "{text} points to {file}:{at}");
    }
}
