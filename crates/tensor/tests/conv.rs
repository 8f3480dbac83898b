//! Convolution and its adjoints against direct loops in f64, the book's numbers, and each other.

use gradus_tensor::{Conv2dOptions, ConvShape, Rng, Slice, Tensor, direct_convolutions};

/// What one term of a convolution multiplies: positions in x, w and y.
fn each_term(s: &ConvShape, mut f: impl FnMut(usize, usize, usize)) {
    let Conv2dOptions { stride, padding, dilation, .. } = s.options;
    let (inputs, outputs) = (s.group_inputs(), s.group_outputs());
    let flat =
        |index: [usize; 4], sizes: &[usize]| index.iter().zip(sizes).fold(0, |flat, (i, n)| flat * n + i);
    for n in 0..s.images {
        for o in 0..s.out_channels {
            for i in 0..s.output[0] {
                for j in 0..s.output[1] {
                    for c in 0..inputs {
                        for a in 0..s.kernel[0] {
                            for b in 0..s.kernel[1] {
                                let y = (i * stride[0] + a * dilation[0]).wrapping_sub(padding[0]);
                                let x = (j * stride[1] + b * dilation[1]).wrapping_sub(padding[1]);
                                if y < s.input[0] && x < s.input[1] {
                                    let channel = o / outputs * inputs + c;
                                    f(
                                        flat([n, channel, y, x], &s.x()),
                                        flat([o, c, a, b], &s.w()),
                                        flat([n, o, i, j], &s.y()),
                                    );
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Compares with sums of products in f64. Sums of `n` rounded terms, in any order and with one more rounding for each
/// product, are off by at most `(n + 1) u Σ|term|` to first order, u = 2^-24.
fn close(name: &str, found: &Tensor, shape: &[usize], mut terms: impl FnMut(&mut dyn FnMut(usize, f64))) {
    assert_eq!(found.shape()[..], *shape, "{name}");
    let (mut sums, mut sizes, mut counts) =
        (vec![0.0; found.numel()], vec![0.0; found.numel()], vec![0; found.numel()]);
    terms(&mut |at, term| {
        sums[at] += term;
        sizes[at] += term.abs();
        counts[at] += 1;
    });
    for (i, x) in found.iter().enumerate() {
        let bound = 1.001 * (counts[i] + 1) as f64 * 2f64.powi(-24) * sizes[i];
        let off = (x as f64 - sums[i]).abs();
        assert!(
            off <= bound,
            "{name}: element {i} of {shape:?}: {x} is not {}, off by {off:e} > {bound:e}",
            sums[i]
        );
    }
}

/// The same numbers stored in another order, reversed, with gaps, at an offset.
fn other_layout(x: &Tensor, kind: usize) -> Tensor {
    match kind {
        0 => x.clone(),
        1 => x.permute([2, 0, 3, 1]).contiguous().permute([1, 3, 0, 2]),
        2 => x.flip(3).contiguous().flip(3).flip(1).contiguous().flip(1),
        3 => {
            let places = Slice::from(1..2 * x.size(3) + 1).step(2);
            x.unslice(3, places, 2 * x.size(3) + 1).slice(3, places)
        }
        _ => {
            let n = x.size(0);
            x.unslice(0, 1..n + 1, n + 2).slice(0, 1..n + 1)
        }
    }
}

fn check_all(x: &Tensor, w: &Tensor, options: Conv2dOptions, layouts: std::ops::Range<usize>, rng: &mut Rng) {
    let shape = ConvShape::new("conv2d", x.shape(), w.shape(), options).unwrap();
    let (bias, g) = (Tensor::randn([shape.out_channels], rng), Tensor::randn(shape.y(), rng));
    let (xs, ws, gs, bs) = (x.to_vec(), w.to_vec(), g.to_vec(), bias.to_vec());
    let product = |a: f32, b: f32| a as f64 * b as f64;
    let area = shape.output[0] * shape.output[1];
    for kind in layouts {
        let (x, w, g) =
            (other_layout(x, kind), other_layout(w, (kind + 1) % 5), other_layout(&g, (kind + 2) % 5));
        close("conv2d", &x.conv2d(&w, None, options), &shape.y(), |add| {
            each_term(&shape, |x, w, y| add(y, product(xs[x], ws[w])))
        });
        let y = x.conv2d(&w, Some(&bias), options);
        close("conv2d with bias", &y, &shape.y(), |add| {
            each_term(&shape, |x, w, y| add(y, product(xs[x], ws[w])));
            (0..gs.len()).for_each(|y| add(y, bs[y / area % shape.out_channels] as f64));
        });
        close("input_grad", &w.conv2d_input_grad(&g, shape.input, options), &shape.x(), |add| {
            each_term(&shape, |x, w, y| add(x, product(ws[w], gs[y])))
        });
        close("weight_grad", &x.conv2d_weight_grad(&g, shape.kernel, options), &shape.w(), |add| {
            each_term(&shape, |x, w, y| add(w, product(xs[x], gs[y])))
        });
    }
}

#[test]
fn all_three_equal_direct_loops_on_all_layouts() {
    let mut rng = Rng::seed(1);
    for _ in 0..150 {
        let mut pick = |low: usize, high: usize| low + rng.below(high - low + 1);
        let options = Conv2dOptions {
            stride: [pick(1, 4), pick(1, 4)],
            padding: [pick(0, 3), pick(0, 3)],
            dilation: [pick(1, 3), pick(1, 3)],
            groups: pick(1, 3),
        };
        let kernel = [pick(1, 4), pick(1, 4)];
        let size = |axis: usize, more: usize| {
            let reach = options.dilation[axis] * (kernel[axis] - 1) + 1;
            (reach + more).saturating_sub(2 * options.padding[axis])
        };
        let input = [size(0, pick(0, 9)), size(1, pick(0, 9))];
        let (inputs, outputs) = (pick(1, 3), pick(1, 5));
        let images = pick(0, 4);
        let x = Tensor::randn([images, inputs * options.groups, input[0], input[1]], &mut rng);
        let w = Tensor::randn([outputs * options.groups, inputs, kernel[0], kernel[1]], &mut rng);
        check_all(&x, &w, options, 0..5, &mut rng);
    }
}

#[test]
fn sizes_that_fill_tiles_and_threads() {
    let mut rng = Rng::seed(2);
    let plain = Conv2dOptions::default();
    let padded = Conv2dOptions { padding: [1, 1], ..plain };
    // (input, weight, options): many images, one large image, one of many channels, depthwise, 1 x 1, small images, kernel = input, strides.
    let cases = [
        ([37, 1, 28, 28], [11, 1, 5, 5], plain),
        ([1, 3, 61, 47], [19, 3, 3, 3], padded),
        ([1, 20, 30, 31], [9, 20, 3, 3], padded),
        ([3, 24, 14, 14], [24, 1, 3, 3], Conv2dOptions { groups: 24, ..padded }),
        ([2, 40, 9, 11], [17, 40, 1, 1], plain),
        ([3, 2, 1, 1], [1, 2, 1, 1], plain),
        // Enough rows for panels of shifted rows.
        ([2, 34, 19, 12], [45, 34, 5, 3], Conv2dOptions { stride: [2, 1], ..padded }),
        ([1, 70, 9, 23], [74, 35, 3, 2], Conv2dOptions { groups: 2, dilation: [1, 2], ..padded }),
        // Patches as columns: strides, one pixel of one image, many small images, and one of more pixels than stand side by side.
        ([3, 40, 9, 7], [64, 40, 3, 3], Conv2dOptions { stride: [2, 2], ..padded }),
        ([1, 36, 3, 3], [70, 36, 3, 3], plain),
        ([300, 33, 2, 2], [64, 33, 2, 2], plain),
        ([2, 32, 26, 24], [64, 32, 2, 2], Conv2dOptions { dilation: [3, 2], stride: [1, 3], ..padded }),
        ([2, 64, 5, 5], [32, 64, 1, 1], Conv2dOptions { stride: [2, 2], ..plain }),
        ([50, 6, 4, 4], [9, 6, 3, 3], padded),
        // Images of few channels: large ones, whose gradients are added up in bands, and small ones side by side.
        ([5, 3, 67, 71], [16, 3, 7, 7], Conv2dOptions { stride: [2, 2], padding: [3, 3], ..plain }),
        (
            [1, 2, 70, 45],
            [17, 2, 4, 5],
            Conv2dOptions { stride: [1, 2], padding: [9, 6], dilation: [3, 2], ..plain },
        ),
        ([13, 1, 14, 14], [30, 1, 5, 5], plain),
        ([5, 7, 6, 5], [13, 7, 6, 5], plain),
        ([2, 3, 33, 33], [16, 3, 7, 7], Conv2dOptions { stride: [2, 2], padding: [3, 3], ..plain }),
        ([2, 8, 15, 15], [12, 8, 1, 1], Conv2dOptions { stride: [2, 3], ..plain }),
        ([2, 12, 17, 10], [20, 6, 3, 2], Conv2dOptions { groups: 2, dilation: [2, 1], ..padded }),
    ];
    for (x, w, options) in cases {
        let (x, w) = (Tensor::randn(x, &mut rng), Tensor::randn(w, &mut rng));
        check_all(&x, &w, options, 0..1, &mut rng);
    }
}

#[test]
fn no_channels_and_nothing_but_padding() {
    let mut rng = Rng::seed(3);
    let padded = Conv2dOptions { padding: [2, 2], ..Conv2dOptions::default() };
    for (x, w) in [([2, 0, 4, 4], [3, 0, 2, 2]), ([2, 3, 4, 4], [0, 3, 2, 2]), ([2, 3, 0, 1], [2, 3, 3, 2])] {
        let (x, w) = (Tensor::randn(x, &mut rng), Tensor::randn(w, &mut rng));
        check_all(&x, &w, padded, 0..5, &mut rng);
    }
}

#[test]
fn the_books_convolution() {
    let x = Tensor::from([[[[1., 2., 3., 0.], [0., 1., 2., 3.], [3., 0., 1., 2.], [2., 3., 0., 1.]]]]);
    let w = Tensor::from([[[[2., 0., 1.], [0., 1., 2.], [1., 0., 2.]]]]);
    let conv = |bias: Option<&Tensor>, padding: usize| {
        x.conv2d(&w, bias, Conv2dOptions { padding: [padding; 2], ..Default::default() }).to_vec()
    };
    assert_eq!(conv(None, 0), [15., 16., 6., 15.]);
    assert_eq!(conv(Some(&Tensor::from([3.0])), 0), [18., 19., 9., 18.]);
    let padded = [7., 12., 10., 2., 4., 15., 16., 10., 10., 6., 15., 6., 8., 10., 4., 3.];
    assert_eq!(conv(None, 1), padded);
    // col2im of ones: how many windows of 3 x 3 cover each pixel.
    let ones = Tensor::ones([1, 1, 3, 3]);
    let cover = ones.conv2d_input_grad(&Tensor::ones([1, 1, 2, 2]), [4, 4], Conv2dOptions::default());
    assert_eq!(cover.to_vec(), [1., 2., 2., 1., 2., 4., 4., 2., 2., 4., 4., 2., 1., 2., 2., 1.]);
}

#[test]
fn an_adjoint_moves_to_the_other_side_of_the_inner_product() {
    let mut rng = Rng::seed(4);
    // Small whole numbers: every product and sum is exact, so the identity is too.
    let mut whole = |shape: [usize; 4]| Tensor::randn(shape, &mut rng).map(|x| (2.0 * x).round());
    let dot = |a: &Tensor, b: &Tensor| a.iter().zip(b.iter()).map(|(a, b)| a as f64 * b as f64).sum::<f64>();
    for (stride, padding, dilation, groups) in [
        ([1, 1], [0, 0], [1, 1], 1),
        ([2, 1], [1, 0], [1, 2], 2),
        ([3, 2], [2, 3], [2, 1], 1),
        ([2, 2], [1, 1], [1, 1], 4),
    ] {
        let options = Conv2dOptions { stride, padding, dilation, groups };
        let (x, w) = (whole([3, 4, 11, 9]), whole([8, 4 / groups, 3, 4]));
        let y = x.conv2d(&w, None, options);
        let g = whole([3, 8, y.size(2), y.size(3)]);
        let product = dot(&y, &g);
        assert_eq!(product, dot(&x, &w.conv2d_input_grad(&g, [11, 9], options)));
        assert_eq!(product, dot(&w, &x.conv2d_weight_grad(&g, [3, 4], options)));
    }
}

#[test]
fn recycled_memory_leaves_no_trace() {
    let mut rng = Rng::seed(6);
    for (x, w) in [([3, 2, 5, 6], [3, 2, 2, 3]), ([1, 3, 9, 7], [2, 3, 3, 3])] {
        let (x, w) = (Tensor::randn(x, &mut rng), Tensor::randn(w, &mut rng));
        // Several of every size that the pool keeps, up to more than is needed here.
        let sizes = (0..10).flat_map(|d| (4..8).map(move |quarters| (4 * quarters) << d));
        let poison: Vec<Tensor> = sizes.flat_map(|n| [n; 4]).map(|n| Tensor::full([n], f32::NAN)).collect();
        drop(poison);
        check_all(&x, &w, Conv2dOptions::default(), 0..1, &mut rng);
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let mut rng = Rng::seed(5);
    let options = Conv2dOptions { padding: [1, 1], ..Conv2dOptions::default() };
    let cases = [
        ([1, 20, 40, 40], [27, 20, 3, 3]),
        ([33, 5, 12, 12], [10, 5, 3, 3]),
        ([9, 2, 40, 41], [17, 2, 3, 3]),
        ([50, 2, 9, 9], [17, 2, 3, 3]),
    ];
    for (x, w) in cases {
        let (x, w) = (Tensor::randn(x, &mut rng), Tensor::randn(w, &mut rng));
        let g = Tensor::randn([x.size(0), w.size(0), x.size(2), x.size(3)], &mut rng);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                [
                    x.conv2d(&w, None, options),
                    w.conv2d_input_grad(&g, [x.size(2), x.size(3)], options),
                    x.conv2d_weight_grad(&g, [3, 3], options),
                ]
            })
        };
        let one = run(1);
        for threads in [2, 3, 7] {
            assert_eq!(run(threads), one, "{threads} threads");
        }
    }
}

#[test]
fn not_a_number_reaches_what_reads_it_and_nothing_else() {
    let mut x = Tensor::ones([2, 1, 5, 6]);
    x.set([0, 0, 2, 1], f32::NAN);
    let y = x.conv2d(&Tensor::ones([1, 1, 2, 3]), None, Conv2dOptions::default());
    let expected = Tensor::from_fn([2, 1, 4, 4], |i| {
        let reads = i[0] == 0 && (1..=2).contains(&i[2]) && i[3] <= 1;
        if reads { f32::NAN } else { 6.0 }
    });
    assert!(y.iter().zip(expected.iter()).all(|(a, b)| a == b || a.is_nan() && b.is_nan()), "{y:?}");
}

#[test]
fn what_does_not_fit_says_why() {
    let refused = |x: &[usize], w: &[usize], options: Conv2dOptions| {
        ConvShape::new("conv2d", x, w, options).unwrap_err().to_string()
    };
    let plain = Conv2dOptions::default();
    assert_eq!(
        refused(&[1, 3, 8, 8], &[4, 2, 3, 3], plain),
        "conv2d: channels differ: [1, 3, 8, 8] * [4, 2, 3, 3]: the input has 3, the weight is for 2 in each of 1 groups"
    );
    assert!(refused(&[1, 8, 8, 8], &[8, 1, 3, 3], plain).ends_with("hint: groups = 8 would fit"));
    assert!(
        refused(&[1, 6, 8, 8], &[6, 5, 3, 3], plain)
            .ends_with("hint: weight.transpose(0, 1) would be [5, 6, 3, 3]")
    );
    assert_eq!(
        refused(&[1, 4, 8, 8], &[4, 1, 3, 3], Conv2dOptions { groups: 3, ..plain }),
        "conv2d: [1, 4, 8, 8] * [4, 1, 3, 3]: 3 groups do not divide 4 input channels"
    );
    assert_eq!(
        refused(&[1, 1, 8, 3], &[1, 1, 3, 3], Conv2dOptions { dilation: [1, 4], padding: [0, 1], ..plain }),
        "conv2d: [1, 1, 8, 3] * [1, 1, 3, 3]: width: a kernel of 3 (dilation 4) reaches over 9 elements, \
         the input has 3 + 2 x 1"
    );
    let zero = refused(&[1, 1, 8, 8], &[1, 1, 3, 3], Conv2dOptions { stride: [1, 0], ..plain });
    assert!(zero.ends_with("width: the stride must not be 0"), "{zero}");
    assert!(
        refused(&[3, 8, 8], &[1, 3, 3, 3], plain).ends_with("hint: unsqueeze(0) makes a batch of one image")
    );
    let huge = refused(&[1, 1, 8, 8], &[1, 1, 3, 3], Conv2dOptions { padding: [usize::MAX, 0], ..plain });
    assert!(huge.contains("height: too large"), "{huge}");
}

#[test]
#[should_panic(
    expected = "conv2d_weight_grad: the gradient has shape [1, 2, 4, 4], but [1, 3, 5, 5] * [2, 3, 3, 3] gives [1, 2, 3, 3]"
)]
fn a_gradient_of_another_size_is_refused() {
    Tensor::ones([1, 3, 5, 5]).conv2d_weight_grad(
        &Tensor::ones([1, 2, 4, 4]),
        [3, 3],
        Conv2dOptions::default(),
    );
}

#[test]
#[should_panic(expected = "conv2d: the bias has shape [3], the output 2 channels")]
fn a_bias_of_another_size_is_refused() {
    let (x, w) = (Tensor::ones([1, 1, 3, 3]), Tensor::ones([2, 1, 1, 1]));
    x.conv2d(&w, Some(&Tensor::ones([3])), Conv2dOptions::default());
}

type ManyChannels = (usize, usize, usize, [usize; 2], [usize; 2]);

/// Sizes that Winograd's method takes: whole tiles and cut ones, one image and several, as many channels as vectors have and
/// others, one tile and many. Images, channels of the input and of the output, height and width, padding.
const MANY_CHANNELS: [ManyChannels; 8] = [
    (1, 16, 16, [8, 8], [1, 1]),
    (3, 17, 40, [13, 30], [1, 1]),
    (2, 33, 16, [14, 14], [0, 2]),
    (5, 24, 70, [7, 7], [1, 1]),
    (1, 130, 20, [5, 91], [2, 0]),
    (1, 16, 96, [66, 70], [1, 1]),
    (9, 16, 16, [3, 4], [1, 1]),
    (0, 16, 16, [8, 8], [1, 1]),
];

/// An input, kernels of 3 x 3, the options, and a gradient by the output.
fn many_channels(case: usize, rng: &mut Rng) -> (Tensor, Tensor, Conv2dOptions, Tensor) {
    let (images, inputs, outputs, [height, width], padding) = MANY_CHANNELS[case];
    let options = Conv2dOptions { padding, ..Conv2dOptions::default() };
    let x = Tensor::randn([images, inputs, height, width], rng);
    let w = Tensor::randn([outputs, inputs, 3, 3], rng);
    let shape = ConvShape::new("conv2d", x.shape(), w.shape(), options).unwrap();
    (x, w, options, Tensor::randn(shape.y(), rng))
}

#[test]
fn winograd_is_nearly_as_precise_as_sums() {
    let mut rng = Rng::seed(3);
    for case in 0..MANY_CHANNELS.len() {
        let (x, w, options, g) = many_channels(case, &mut rng);
        let shape = ConvShape::new("conv2d", x.shape(), w.shape(), options).unwrap();
        let bias = Tensor::randn([shape.out_channels], &mut rng);
        let (xs, ws, gs, bs) = (x.to_vec(), w.to_vec(), g.to_vec(), bias.to_vec());
        let area = shape.output[0] * shape.output[1];
        let mut y: Vec<f64> = (0..gs.len()).map(|y| bs[y / area % shape.out_channels] as f64).collect();
        let (mut dx, mut dw) = (vec![0.0; xs.len()], vec![0.0; ws.len()]);
        each_term(&shape, |xi, wi, yi| {
            y[yi] += xs[xi] as f64 * ws[wi] as f64;
            dx[xi] += ws[wi] as f64 * gs[yi] as f64;
            dw[wi] += xs[xi] as f64 * gs[yi] as f64;
        });
        let compare = |name: &str, expected: &[f64], most: f64, compute: &dyn Fn() -> Tensor| {
            let [found, sums] = [compute(), direct_convolutions(compute)].map(|x| errors(&x, expected));
            assert!(found[0] <= most * sums[0], "{name} of case {case}: {found:?}, as sums {sums:?}");
            assert!(found[1] <= 1.5 * most * sums[1], "{name} of case {case}: {found:?}, as sums {sums:?}");
            // Of a few tiles the weight's gradient is one of sums.
            let is_sums = x.numel() == 0 || (name == "weight_grad" && case == 3);
            assert!((found != sums) != is_sums, "{name} of case {case}: as sums?");
        };
        compare("conv2d", &y, 3.0, &|| x.conv2d(&w, Some(&bias), options));
        compare("input_grad", &dx, 3.0, &|| w.conv2d_input_grad(&g, shape.input, options));
        // The sums of a weight's gradient run side by side and are more precise than those of a matrix product.
        compare("weight_grad", &dw, 10.0, &|| x.conv2d_weight_grad(&g, shape.kernel, options));
    }
}

/// The root mean square of the errors and the largest of them.
fn errors(found: &Tensor, expected: &[f64]) -> [f64; 2] {
    let off = found.iter().zip(expected).map(|(x, &expected)| (x as f64 - expected).abs());
    let (squares, largest) =
        off.fold((0.0, 0.0f64), |(sum, largest), off| (sum + off * off, largest.max(off)));
    [(squares / expected.len().max(1) as f64).sqrt(), largest]
}

#[test]
fn what_overflows_or_is_no_number_comes_out_as_by_sums() {
    let mut rng = Rng::seed(4);
    for odd in [f32::INFINITY, f32::NAN, 2e38, -3e38] {
        let (x, w, options, g) = many_channels(0, &mut rng);
        let at = |x: &Tensor, place: usize| {
            let mut elements = x.to_vec();
            elements[place] = odd;
            Tensor::new(&elements, x.shape())
        };
        let small = &w * 1e-3;
        let computed = || {
            [
                at(&x, 100).conv2d(&small, None, options),
                x.conv2d(&at(&small, 1000), None, options),
                small.conv2d_input_grad(&at(&g, 500), [8, 8], options),
                at(&x, 77).conv2d_weight_grad(&(&g * 1e-3), [3, 3], options),
            ]
        };
        let bits = |x: Tensor| x.iter().map(|x| if x.is_nan() { 1 } else { x.to_bits() }).collect::<Vec<_>>();
        let (found, sums) = (computed().map(bits), direct_convolutions(computed).map(bits));
        for (k, (found, sums)) in found.iter().zip(&sums).enumerate() {
            // Numbers near the largest fit into the transforms, and then come out with their precision.
            if odd.is_finite() {
                let off = |(a, b): (&u32, &u32)| (f32::from_bits(*a) / f32::from_bits(*b) - 1.0).abs();
                let largest = sums.iter().map(|x| f32::from_bits(*x).abs()).fold(0.0, f32::max);
                let near = found.iter().zip(sums).filter(|(_, b)| f32::from_bits(**b).abs() > largest / 8.0);
                assert!(near.map(off).all(|off| off < 1e-5), "{odd}, result {k}");
            } else {
                assert_eq!(found, sums, "{odd}, result {k}");
            }
        }
    }
}

#[test]
fn an_image_has_the_same_bits_in_any_batch_and_with_any_number_of_threads() {
    let mut rng = Rng::seed(5);
    let plain = Conv2dOptions::default();
    let mut cases: Vec<_> = [1, 2, 3].map(|case| many_channels(case, &mut rng)).into();
    // By kernels of one element, in the tiles of the matrix product, and by patches as columns, one of them too.
    for (outputs, kernel, stride) in
        [(44, [1, 1], [1, 1]), (44, [5, 4], [2, 1]), (64, [5, 4], [5, 3]), (64, [13, 9], [1, 1])]
    {
        let options = Conv2dOptions { stride, ..plain };
        let x = Tensor::randn([4, 37, 13, 9], &mut rng);
        let w = Tensor::randn([outputs, 37, kernel[0], kernel[1]], &mut rng);
        let g = Tensor::randn(x.conv2d(&w, None, options).shape(), &mut rng);
        cases.push((x, w, options, g));
    }
    for (case, (x, w, options, g)) in cases.into_iter().enumerate() {
        let (size, kernel) = ([x.size(2), x.size(3)], [w.size(2), w.size(3)]);
        let all = || {
            let dw = x.conv2d_weight_grad(&g, kernel, options);
            [x.conv2d(&w, None, options), w.conv2d_input_grad(&g, size, options), dw]
        };
        let expected = all();
        for threads in [1, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(all), expected, "{threads} threads");
        }
        for n in 0..x.size(0) {
            let y = x.slice(0, n..n + 1).conv2d(&w, None, options);
            assert_eq!(y, expected[0].slice(0, n..n + 1), "image {n} of case {case}");
            let dx = w.conv2d_input_grad(&g.slice(0, n..n + 1), size, options);
            assert_eq!(dx, expected[1].slice(0, n..n + 1), "gradient {n} of case {case}");
        }
    }
}
