//! Sampling of images at the places of a grid: known maps, layouts, and gradients to the second order.

use gradus_autograd::{
    assert_gradcheck,
    check::GradCheck,
    ops::grid_sample::{GridMode, GridPadding},
    prelude::*,
};

use crate::panics::panic_of;

const PADDINGS: [GridPadding; 3] = [GridPadding::Zeros, GridPadding::Border, GridPadding::Reflection];
const MODES: [GridMode; 2] = [GridMode::Bilinear, GridMode::Nearest];

/// Affine maps of one image.
fn map(theta: [[f32; 3]; 2]) -> Tensor {
    Tensor::from([theta])
}

/// With a power of two pixels places are exact, and so are samples on pixels.
#[test]
fn turned_and_flipped_images_are_exact() {
    let x = Tensor::arange(2 * 4 * 4).reshape([1, 2, 4, 4]);
    let cases = [
        (map([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), x.clone()),
        (map([[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), x.flip(3)),
        (map([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]), x.t()),
        (
            map([[1.0, 0.0, 0.0], [0.0, 1.0, 0.5]]),
            x.slice(2, 1..).pad([(0, 0), (0, 0), (0, 1), (0, 0)], Padding::Constant(0.0)),
        ),
    ];
    for (theta, expected) in cases {
        for mode in MODES {
            let grid = theta.affine_grid([4, 4], false);
            assert_eq!(x.grid_sample(&grid, mode, GridPadding::Zeros, false), expected);
        }
    }
    // With aligned corners the pixels of an image of odd sizes are at exact places.
    let x = Tensor::arange(15).reshape([1, 1, 3, 5]);
    for (mode, padding) in MODES.into_iter().flat_map(|mode| PADDINGS.map(|padding| (mode, padding))) {
        let grid = map([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]).affine_grid([3, 5], true);
        assert_eq!(x.grid_sample(&grid, mode, padding, true), x.flip(2));
    }
    // Two of a row of pixels further on: what the padding is.
    let x = Tensor::from([[[[1.0, 2.0, 4.0, 8.0]]]]);
    let grid = map([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]).affine_grid([1, 4], false);
    for mode in MODES {
        let [zeros, border, reflection] = PADDINGS.map(|padding| x.grid_sample(&grid, mode, padding, false));
        assert_eq!(zeros.to_vec(), [4.0, 8.0, 0.0, 0.0]);
        assert_eq!(border.to_vec(), [4.0, 8.0, 8.0, 8.0]);
        assert_eq!(reflection.to_vec(), [4.0, 8.0, 8.0, 4.0]);
    }
}

/// Sampling at the pixels of a larger image is bilinear upsampling.
#[test]
fn a_finer_grid_is_upsampling() {
    let mut rng = Rng::seed(1);
    let x = Tensor::randn([2, 3, 4, 5], &mut rng);
    for align_corners in [true, false] {
        let same = Tensor::from([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]; 2]);
        let grid = same.affine_grid([7, 9], align_corners);
        let y = x.grid_sample(&grid, GridMode::Bilinear, GridPadding::Border, align_corners);
        let expected = x.interpolate([7, 9], Interpolation::Linear { align_corners });
        let off = (y - expected).abs().max().item();
        // Places, in pixels up to 5, are rounded a few times; the slope is at most the difference of two pixels.
        assert!(off < 8.0 * 5.0 * 8.0 * f32::EPSILON, "{off}");
    }
}

#[test]
fn gradients_are_right_to_the_second_order() {
    let mut rng = Rng::seed(2);
    let second = GradCheck { order: 2, ..GradCheck::default() };
    let (x, grid) = (Tensor::randn([2, 3, 3, 2], &mut rng), Tensor::randn([2, 2, 3, 2], &mut rng) * 1.2);
    let theta = Tensor::randn([2, 2, 3], &mut rng) * 0.5;
    for padding in PADDINGS {
        for align_corners in [true, false] {
            let inputs = [x.clone(), grid.clone()];
            assert_gradcheck!(second.function(
                |x| x[0].grid_sample(&x[1], GridMode::Bilinear, padding, align_corners).tanh(),
                &inputs
            ));
            let inputs = [x.clone(), theta.clone()];
            assert_gradcheck!(second.function(
                |x| {
                    let grid = x[1].affine_grid([4, 3], align_corners);
                    x[0].grid_sample(&grid, GridMode::Bilinear, padding, align_corners).tanh()
                },
                &inputs
            ));
        }
    }
}

/// `y = (1-a)(1-b) p + a (1-b) q + (1-a) b r + a b s`: by both coordinates it has the mixed derivative p - q - r + s.
#[test]
fn the_mixed_derivative_of_a_square() {
    let tape = Tape::new();
    let x = tape.var([[[[1.0, 3.0], [7.0, 20.0]]]]);
    let grid = tape.var([[[[0.5, -0.5]]]]);
    let y = x.grid_sample(&grid, GridMode::Bilinear, GridPadding::Zeros, true).sum();
    // a = 3/4, b = 1/4.
    assert_eq!(y.item(), (3.0 * 1.0 + 9.0 * 3.0 + 7.0 + 3.0 * 20.0) / 16.0);
    let gradients = y.backward();
    assert_eq!(gradients[x].to_vec(), [3.0 / 16.0, 9.0 / 16.0, 1.0 / 16.0, 3.0 / 16.0]);
    // A step of 1 in a or b is one of 2 in the grid.
    assert_eq!(
        gradients[grid].to_vec(),
        [(0.75 * 2.0 + 0.25 * 13.0) / 2.0, (0.25 * 6.0 + 0.75 * 17.0) / 2.0]
    );
    let first = y.grad(&[grid])[0].unwrap();
    let second = first.slice(-1, ..1).sum().grad(&[grid, x]);
    assert_eq!(second[0].unwrap().value().to_vec(), [0.0, 11.0 / 4.0]);
    assert_eq!(second[1].unwrap().value().to_vec(), [-0.375, 0.375, -0.125, 0.125]);
}

#[test]
fn any_layout_no_images_and_single_pixels() {
    let mut rng = Rng::seed(3);
    let (x, grid) = (Tensor::randn([2, 3, 4, 5], &mut rng), Tensor::randn([2, 2, 3, 2], &mut rng));
    for (mode, padding) in MODES.into_iter().flat_map(|mode| PADDINGS.map(|padding| (mode, padding))) {
        let y = x.grid_sample(&grid, mode, padding, false);
        let turned = x.t().contiguous().t();
        let reversed = grid.flip(1).contiguous().flip(1);
        assert_eq!(turned.grid_sample(&reversed, mode, padding, false), y);
        // One grid for both images is that grid twice.
        let (x, once) = (x.slice(0, ..1).broadcast_to([2, 3, 4, 5]), grid.slice(0, ..1));
        let both = x.grid_sample(&once.broadcast_to([2, 2, 3, 2]), mode, padding, false);
        assert_eq!(both.slice(0, ..1), both.slice(0, 1..));

        let none = Tensor::zeros([0, 3, 4, 5]).grid_sample(&Tensor::zeros([0, 2, 3, 2]), mode, padding, true);
        assert_eq!(none.shape(), &[0, 3, 2, 3]);
        let nowhere = x.grid_sample(&Tensor::zeros([2, 0, 3, 2]), mode, padding, true);
        assert_eq!(nowhere.shape(), &[2, 3, 0, 3]);

        // A single pixel is at 0 or, with aligned corners, everywhere but outside.
        let tape = Tape::new();
        let (one, place) = (tape.var([[[[5.0]]]]), tape.var([[[[0.0, 0.0]]]]));
        for align_corners in [true, false] {
            let y = one.grid_sample(&place, mode, padding, align_corners).sum();
            assert_eq!(y.item(), 5.0);
            assert_eq!(y.backward()[one].item(), 1.0);
        }
    }
}

#[test]
fn places_that_are_no_numbers_give_nan_and_send_no_gradient() {
    let tape = Tape::new();
    let x = tape.var([[[[1.0, f32::INFINITY], [3.0, 4.0]]]]);
    let grid = tape.var([[[[f32::NAN, 0.0], [-1.0, f32::NAN], [-1.0, 1.0]]]]);
    for (mode, padding) in MODES.into_iter().flat_map(|mode| PADDINGS.map(|padding| (mode, padding))) {
        let y = x.grid_sample(&grid, mode, padding, true);
        let values = y.value().to_vec();
        assert!(values[0].is_nan() && values[1].is_nan(), "{mode:?} {padding:?}: {values:?}");
        assert_eq!(values[2], 3.0, "{mode:?} {padding:?}");
        let gradients = y.sum().backward();
        assert_eq!(gradients[x].to_vec(), [0.0, 0.0, 1.0, 0.0], "{mode:?} {padding:?}");
        if let Some(g) = gradients.get(grid) {
            assert_eq!(g.to_vec()[..4], [0.0; 4], "{mode:?} {padding:?}");
        }
    }
    // The nearest pixel has no gradient by the place.
    let y = x.grid_sample(&grid, GridMode::Nearest, GridPadding::Border, true);
    assert!(y.sum().backward().get(grid).is_none());
}

/// A pixel has no part in what is read beyond the border, nor has what lies there in a place on the last pixel. The next
/// pixel inside does have one, of 0, in a place on a pixel, as in PyTorch.
#[test]
fn infinite_pixels_at_the_border_stay_there() {
    for edge in [f32::INFINITY, f32::NAN] {
        let row = Tensor::from([[[[edge, 3.0, edge]]]]);
        let places = Tensor::from([-9.0, -3.0, -1.0, 0.0, 1.0, 3.0, 9.0]);
        let middle = Tensor::zeros([7]);
        for (axis, x) in [(0, row.clone()), (1, row.t())] {
            let pair = if axis == 0 { [&places, &middle] } else { [&middle, &places] };
            let grid = Tensor::stack(&pair, 1).reshape([1, 1, 7, 2]);
            for (padding, align_corners) in PADDINGS.into_iter().flat_map(|p| [(p, true), (p, false)]) {
                let tape = Tape::new();
                let (x, grid) = (tape.constant(x.clone()), tape.var(grid.clone()));
                let y = x.grid_sample(&grid, GridMode::Bilinear, padding, align_corners);
                let outside = if padding == GridPadding::Zeros { 0.0 } else { edge };
                let expected = [outside, outside, edge, f32::NAN, edge, outside, outside];
                let same = |(a, b): (f32, &f32)| a == *b || a.is_nan() && b.is_nan();
                let found = y.value().to_vec();
                assert!(y.value().iter().zip(&expected).all(same), "{padding:?} {align_corners}: {found:?}");
                // What a border holds, or zeros, have no slope.
                let slopes = y.sum().backward()[grid].select(-1, axis).to_vec();
                if padding != GridPadding::Reflection {
                    for at in [0, 1, 5, 6] {
                        assert_eq!(slopes[at], 0.0, "{padding:?} {align_corners}: {slopes:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn misuse_names_the_shapes_and_the_users_line() {
    let (x, grid) = (Tensor::zeros([1, 2, 3, 4]), Tensor::zeros([1, 5, 5, 2]));
    let (bilinear, zeros) = (GridMode::Bilinear, GridPadding::Zeros);
    for (x, grid) in [
        (x.clone(), Tensor::zeros([2, 5, 5, 2])),
        (x.clone(), Tensor::zeros([1, 5, 5, 3])),
        (x.select(0, 0), grid.clone()),
        (Tensor::zeros([1, 2, 0, 4]), grid),
    ] {
        let line = line!() + 1;
        let (text, file, at) = panic_of(|| x.grid_sample(&grid, bilinear, zeros, true));
        let expected = format!("grid_sample: images {} and grid {}: they must be", x.shape(), grid.shape());
        assert!(text.starts_with(&expected), "{text}");
        assert!(file.ends_with("sampling.rs") && at == line, "{text} points to {file}:{at}");
    }
    let line = line!() + 1;
    let (text, _, at) = panic_of(|| x.affine_grid([2, 2], true));
    assert!(text.starts_with("affine_grid: shape [1, 2, 3, 4] is not that of affine maps"), "{text}");
    assert_eq!(at, line);
}
