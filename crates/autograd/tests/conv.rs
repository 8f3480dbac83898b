//! The book's convolutions and poolings, and the conventions of their gradients.

use gradus_autograd::{check::GradCheck, prelude::*};

fn image() -> Tensor {
    Tensor::from([[[[1., 2., 3., 0.], [0., 1., 2., 3.], [3., 0., 1., 2.], [2., 3., 0., 1.]]]])
}

const ONE: [usize; 2] = [1, 1];
const NONE: [usize; 2] = [0, 0];

fn plain() -> Conv2dOptions {
    Conv2dOptions::default()
}

#[test]
fn the_books_convolution() {
    let tape = Tape::new();
    let x = tape.var(image());
    let w = tape.var([[[[2., 0., 1.], [0., 1., 2.], [1., 0., 2.]]]]);
    let b = tape.var([3.0]);
    assert_eq!(x.conv2d(&w, None, plain()).value().to_vec(), [15., 16., 6., 15.]);
    let y = x.conv2d(&w, Some(&b), plain());
    assert_eq!(y.value().to_vec(), [18., 19., 9., 18.]);
    let padded = [7., 12., 10., 2., 4., 15., 16., 10., 10., 6., 15., 6., 8., 10., 4., 3.];
    assert_eq!(x.conv2d(&w, None, Conv2dOptions { padding: ONE, ..plain() }).value().to_vec(), padded);
    // The gradient of the sum by the weight: what each kernel element sees of the image, summed.
    let gradients = y.sum().backward();
    assert_eq!(gradients[w].to_vec(), [4., 8., 8., 4., 4., 8., 8., 4., 4.]);
    assert_eq!(gradients[b].to_vec(), [4.]);
}

#[test]
fn the_books_transposed_convolution() {
    let x = Tensor::from([[[[1., 2.], [3., 4.]]]]);
    let y = x.conv_transpose2d(&Tensor::ones([1, 1, 3, 3]), None, NONE, plain());
    assert_eq!(y.to_vec(), [1., 3., 3., 2., 4., 10., 10., 6., 4., 10., 10., 6., 3., 7., 7., 4.]);
    let shifted = x.conv_transpose2d(
        &Tensor::ones([1, 2, 1, 1]),
        Some(&Tensor::from([10., 20.])),
        ONE,
        Conv2dOptions { stride: [2, 2], ..plain() },
    );
    assert_eq!(shifted.shape(), &[1, 2, 4, 4]);
    let channel = [1., 0., 2., 0., 0., 0., 0., 0., 3., 0., 4., 0., 0., 0., 0., 0.];
    let expected: Vec<f32> = [10., 20.].iter().flat_map(|b| channel.map(|x| x + b)).collect();
    assert_eq!(shifted.to_vec(), expected);
}

#[test]
fn a_generator_grows_from_7_to_28() {
    let options = Conv2dOptions { stride: [2, 2], padding: ONE, ..plain() };
    let grow = |x: &Tensor| x.conv_transpose2d(&Tensor::ones([1, 1, 4, 4]), None, NONE, options);
    let y = grow(&Tensor::ones([1, 1, 7, 7]));
    assert_eq!(y.shape(), &[1, 1, 14, 14]);
    assert_eq!(grow(&y).shape(), &[1, 1, 28, 28]);
}

#[test]
fn transposed_convolution_is_the_adjoint() {
    let mut rng = Rng::seed(1);
    let mut whole = |shape: [usize; 4]| Tensor::randn(shape, &mut rng).map(|x| (2.0 * x).round());
    // Whole numbers, so that both sides are exact.
    for (stride, padding, output_padding, dilation, groups) in
        [(1, 0, 0, 1, 1), (2, 1, 1, 1, 2), (3, 2, 0, 2, 1), (3, 0, 2, 1, 4)]
    {
        let options =
            Conv2dOptions { stride: [stride; 2], padding: [padding; 2], dilation: [dilation; 2], groups };
        let (x, w) = (whole([2, 4, 5, 4]), whole([4, 3, 3, 2]));
        let up = x.conv_transpose2d(&w, None, [output_padding; 2], options);
        let y = whole([2, 3 * groups, up.size(2), up.size(3)]);
        let down = y.conv2d(&w, None, options);
        assert_eq!((&up * &y).sum().item(), (&x * &down).sum().item());
    }
}

#[test]
fn one_dimension_is_a_height_of_one() {
    let tape = Tape::new();
    let (x, w, b) = (tape.var([[[1., 2., 4., 8., 16.]]]), tape.var([[[1., 10.]]]), tape.var([0.5]));
    let y = x.conv1d(&w, Some(&b), Conv1dOptions { stride: [2], padding: [1], dilation: [3], groups: 1 });
    // Elements -1, which is padding, and 2; 1 and 4.
    assert_eq!(y.value().to_vec(), [40.5, 162.5]);
    let up = y.conv_transpose1d(&w, None, 1, Conv1dOptions { stride: [2], ..Default::default() });
    assert_eq!(up.value().to_vec(), [40.5, 405., 162.5, 1625., 0.]);
    // Each of y stands in up 11 times, each of x in y once or ten times, or not at all.
    assert_eq!(up.sum().backward()[x].to_vec(), [0., 11., 110., 0., 110.]);
}

#[test]
fn convolutions_can_be_differentiated_three_times() {
    // y = w * x with one pixel and one weight is a product; of (w x)³ all derivatives are known.
    let tape = Tape::new();
    let (x, w) = (tape.var(Tensor::full([1, 1, 1, 1], 2.0)), tape.var(Tensor::full([1, 1, 1, 1], 3.0)));
    let y = x.conv2d(&w, None, plain());
    let cube = y * y * y;
    let by_x = cube.grad(&[x])[0].unwrap();
    let by_xw = by_x.grad(&[w])[0].unwrap();
    let by_xwx = by_xw.grad(&[x])[0].unwrap();
    // 3 x² w³, 9 x² w², 18 x w².
    assert_eq!([by_x, by_xw, by_xwx].map(|d| d.item()), [324.0, 324.0, 324.0]);
}

/// candle 0.11.1 gives each of these a quarter.
#[test]
fn a_windows_maximum_gets_the_whole_gradient() {
    let tape = Tape::new();
    let x = tape.var(image());
    let y = x.max_pool2d(2);
    assert_eq!(y.value().to_vec(), [2., 3., 3., 2.]);
    let gradient = y.sum().backward()[x].to_vec();
    assert_eq!(gradient, [0., 1., 1., 0., 0., 0., 0., 0., 1., 0., 0., 1., 0., 0., 0., 0.]);
    // Where windows overlap, a pixel gets the sum of those that it wins: the 3 in the first row of both.
    let tape = Tape::new();
    let x = tape.var([[[[1., 3., 2.], [0., 0., 0.]]]]);
    let y = x.max_pool2d(PoolOptions { stride: ONE, ..PoolOptions::from(2) });
    assert_eq!(y.sum().backward()[x].to_vec(), [0., 2., 0., 0., 0., 0.]);
}

#[test]
fn of_equal_maxima_the_first_gets_the_gradient() {
    let tape = Tape::new();
    let x = tape.var(Tensor::ones([1, 1, 2, 2]));
    let y = x.max_pool2d(2);
    assert_eq!(y.backward()[x].to_vec(), [1., 0., 0., 0.]);
}

#[test]
fn unpooling_keeps_the_maxima() {
    let tape = Tape::new();
    let x = tape.var(image());
    let (y, winners) = x.max_pool2d_with_indices(2);
    let back = y.max_unpool2d(&winners, [4, 4]);
    let kept = [0., 2., 3., 0., 0., 0., 0., 0., 3., 0., 0., 2., 0., 0., 0., 0.];
    assert_eq!(back.value().to_vec(), kept);
    // Half the sum of squares of what was kept has itself as gradient.
    let gradient = ((back * back).sum() * 0.5).backward()[x].to_vec();
    assert_eq!(gradient, kept);
}

#[test]
fn the_mean_of_whole_images_two_ways() {
    let tape = Tape::new();
    let x = tape.var(Tensor::from_fn([2, 3, 4, 5], |i| (i[0] * 60 + i[1] * 20 + i[2] * 5 + i[3]) as f32));
    let (global, adaptive) = (x.global_avg_pool2d(), x.adaptive_avg_pool2d([1, 1]));
    assert_eq!(global.value().to_vec(), [9.5, 29.5, 49.5, 69.5, 89.5, 109.5]);
    assert_eq!(adaptive.value().reshape([2, 3]), global.value());
    assert_eq!(adaptive.sum().backward()[x], Tensor::full([2, 3, 4, 5], 0.05));
}

#[test]
fn messages_name_the_method_that_was_called() {
    let refused = |f: &dyn Fn()| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    };
    let (x, w) = (Tensor::ones([1, 3, 8]), Tensor::ones([4, 2, 3]));
    assert_eq!(
        refused(&|| drop(x.conv1d(&w, None, Conv1dOptions::default()))),
        "conv1d: channels differ: [1, 3, 1, 8] * [4, 2, 1, 3]: the input has 3, the weight is for 2 in each of 1 groups"
    );
    assert!(
        refused(&|| drop(x.conv1d(&w.unsqueeze(0), None, Conv1dOptions::default())))
            .starts_with("conv1d: shape [1, 4, 2, 3]")
    );
    let (x, w) = (Tensor::ones([1, 3, 8, 8]), Tensor::ones([4, 3, 3, 3]));
    let up = |bias: Option<&Tensor>, w: &Tensor, padding: usize, output_padding: usize| {
        let options = Conv2dOptions { stride: [2, 2], padding: [padding; 2], ..plain() };
        drop(x.conv_transpose2d(w, bias, [output_padding; 2], options));
    };
    assert_eq!(
        refused(&|| up(None, &w, 0, 0)),
        "conv_transpose2d: channels differ: [1, 3, 8, 8] by [4, 3, 3, 3]: the input has 3, the weight is for 4; \
         hint: weight.transpose(0, 1) would be [3, 4, 3, 3]"
    );
    let w = w.transpose(0, 1);
    assert_eq!(
        refused(&|| up(None, &w, 0, 2)),
        "conv_transpose2d: [1, 3, 8, 8] by [3, 4, 3, 3]: height: the output padding of 2 must be less than the stride of 2 or the dilation of 1"
    );
    assert!(refused(&|| up(None, &w, 9, 0)).contains("cuts away all of 17 elements"));
    assert_eq!(
        refused(&|| up(Some(&Tensor::ones([3])), &w, 0, 0)),
        "conv_transpose2d: the bias has shape [3], the output 4 channels"
    );
    let winners = Indices::new([9], [1, 1, 1, 1]);
    assert_eq!(
        refused(&|| drop(Tensor::ones([1, 1, 1, 1]).max_unpool2d(&winners, [3, 3]))),
        "max_unpool2d: position 9 lies outside an image of 9 pixels"
    );
}

/// Kernels take small images several at a time, and parts of the work to other threads.
#[test]
fn the_weight_gradient_of_many_images_is_the_sum_of_theirs() {
    let mut rng = Rng::seed(7);
    // Whole numbers, so that every order of summation is exact.
    let mut whole = |shape: [usize; 4]| Tensor::randn(shape, &mut rng).map(|x| (2.0 * x).round());
    for (x, w) in [([33, 5, 12, 12], [10, 5, 3, 3]), ([50, 6, 4, 4], [9, 6, 3, 3])] {
        let (x, w) = (whole(x), whole(w));
        let options = Conv2dOptions { padding: [1, 1], ..plain() };
        let cotangent = whole([x.size(0), w.size(0), x.size(2), x.size(3)]);
        let gradient = |images: std::ops::Range<isize>| {
            let tape = Tape::new();
            let w = tape.var(&w);
            let y = tape.constant(x.slice(0, images.clone())).conv2d(&w, None, options);
            y.backward_from(cotangent.slice(0, images))[w].clone()
        };
        let images = x.size(0) as isize;
        let apart = (0..images).map(|n| gradient(n..n + 1)).reduce(|sum, own| sum + own).unwrap();
        assert_eq!(gradient(0..images), apart);
    }
}

/// PyTorch takes an output padding that is less than the stride or the dilation. What lies beyond the last element that a kernel
/// reaches is zero, and sends nothing back; with a padding the whole output moves.
#[test]
fn an_output_padding_may_be_less_than_the_dilation_alone() {
    let options = |padding| Conv1dOptions { dilation: [3], padding: [padding], ..Default::default() };
    let tape = Tape::new();
    let (x, w) = (tape.var([[[1.0, 10.0]]]), tape.var([[[1.0, 2.0]]]));
    let y = x.conv_transpose1d(&w, None, 2, options(0));
    assert_eq!(y.value().to_vec(), [1.0, 10.0, 0.0, 2.0, 20.0, 0.0, 0.0]);
    let moved = x.conv_transpose1d(&w, None, 2, options(1));
    assert_eq!(moved.value().to_vec(), [10.0, 0.0, 2.0, 20.0, 0.0]);
    let cotangent = Tensor::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0], [1, 1, 7]);
    let gradients = y.backward_from(cotangent);
    // x_i meets y_i with the first element of the kernel and y_(i + 3) with the second.
    assert_eq!(gradients[x].to_vec(), [1.0 + 2.0 * 8.0, 2.0 + 2.0 * 16.0]);
    assert_eq!(gradients[w].to_vec(), [1.0 + 10.0 * 2.0, 8.0 + 10.0 * 16.0]);
    let w = Tensor::ones([1, 1, 1, 1, 2]);
    let volume = Tensor::ones([1, 1, 1, 1, 1]);
    let options = Conv3dOptions { dilation: [2, 2, 3], ..Default::default() };
    let y = volume.conv_transpose3d(&w, Some(&Tensor::from([0.5])), [1, 1, 2], options);
    assert_eq!(y.shape(), &[1, 1, 2, 2, 6]);
    assert_eq!(y.slice(2, ..1).slice(3, ..1).to_vec(), [1.5, 0.5, 0.5, 1.5, 0.5, 0.5]);
    assert_eq!(y.sum().item(), 2.0 + 24.0 * 0.5);
}

/// No channels on one side: the sentence on channels, not a division by zero while it is made.
#[test]
fn images_without_channels_are_refused_with_the_sentence() {
    let message = |f: &dyn Fn() -> Tensor| {
        let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(f()))).unwrap_err();
        *payload.downcast::<String>().unwrap()
    };
    let said =
        message(&|| Tensor::ones([1, 0, 4]).conv1d(&Tensor::ones([2, 3, 2]), None, Conv1dOptions::default()));
    assert!(
        said.starts_with("conv1d: channels differ: [1, 0, 1, 4] * [2, 3, 1, 2]: the input has 0"),
        "{said}"
    );
    let said = message(&|| {
        Tensor::ones([1, 0, 4, 4]).conv2d(&Tensor::ones([2, 3, 2, 2]), None, Conv2dOptions::default())
    });
    assert!(
        said.starts_with("conv2d: channels differ: [1, 0, 4, 4] * [2, 3, 2, 2]: the input has 0"),
        "{said}"
    );
    let said = message(&|| {
        Tensor::ones([1, 0, 4, 4, 4]).conv3d(&Tensor::ones([2, 3, 2, 2, 2]), None, Conv3dOptions::default())
    });
    assert!(said.starts_with("conv3d: channels differ: [1, 0, 4, 4, 4] * [2, 3, 2, 2, 2]"), "{said}");
    let said = message(&|| {
        let options = Conv2dOptions { groups: 0, ..Default::default() };
        Tensor::ones([1, 1, 4, 4]).conv2d(&Tensor::ones([1, 1, 2, 2]), None, options)
    });
    assert!(said.contains("there must be at least one group"), "{said}");
}

/// Documented, and other than in PyTorch, which keeps one of the elements.
#[test]
fn unpooling_of_windows_that_overlap_adds_up() {
    let x = Tensor::from([[[[1.0, 9.0, 2.0]]]]);
    let (y, winners) = x.max_pool2d_with_indices(PoolOptions { stride: [1, 1], ..PoolOptions::new([1, 2]) });
    assert_eq!((y.to_vec(), winners.as_slice()), (vec![9.0, 9.0], &[1, 1][..]));
    assert_eq!(y.max_unpool2d(&winners, [1, 3]).to_vec(), [0.0, 18.0, 0.0]);
}

/// Winograd's error is one beside the largest number of a tile, which a check of single elements would take for a fault.
#[test]
fn gradient_checks_compute_convolutions_as_sums() {
    use gradus_tensor::direct_convolutions;

    let mut rng = Rng::seed(7);
    let x = Tensor::randn([1, 16, 4, 4], &mut rng);
    let w = Tensor::randn([16, 16, 3, 3], &mut rng);
    let convolve = || x.conv2d(&w, None, Conv2dOptions { padding: [1, 1], ..Conv2dOptions::default() });
    let sums = direct_convolutions(convolve);
    assert_ne!(convolve(), sums);
    let report = GradCheck::default().function(
        |v| {
            assert_eq!(convolve(), sums);
            v[0].square().sum()
        },
        &[Tensor::from([1.0])],
    );
    assert!(report.passed(), "{report}");
    assert_ne!(convolve(), sums, "what a check asks for ends with it");
}
