//! Chapter 7: sizes, fields, pooling and its way back.

use crate::close;
use gradus::prelude::*;

fn conv(size: usize, kernel: usize, stride: usize, padding: usize) -> usize {
    let options = Conv2dOptions { stride: [stride; 2], padding: [padding; 2], ..Default::default() };
    let image = Tensor::zeros([1, 1, size, size]);
    image.conv2d(&Tensor::zeros([1, 1, kernel, kernel]), None, options).size(-1)
}

#[test]
fn one_formula_of_sizes_rounds_down() {
    let formula = |n: usize, k: usize, s: usize, p: usize| (n + 2 * p - k) as f64 / s as f64 + 1.0;
    for (n, k, s, p) in [(4, 3, 1, 0), (4, 3, 1, 1), (7, 3, 2, 0), (28, 5, 1, 2), (28, 5, 3, 2)] {
        assert_eq!(conv(n, k, s, p), formula(n, k, s, p).floor() as usize, "{n} {k} {s} {p}");
    }
    // The printed one, without padding, is the case p = 0; and neither says what three and a half pixels are.
    assert_eq!((formula(8, 3, 2, 0), conv(8, 3, 2, 0)), (3.5, 3));
}

#[test]
fn pooling_forgives_small_shifts_alone() {
    let pool =
        |image: [[f32; 4]; 4]| MaxPool2d::new(2).forward(Tensor::from(image).reshape([1, 1, 4, 4])).to_vec();
    let dot = |row: usize, column: usize| {
        let mut image = [[0.0; 4]; 4];
        image[row][column] = 1.0;
        image
    };
    // Within its window a pixel may move; into the next one it may not.
    assert_eq!(pool(dot(0, 0)), pool(dot(1, 1)));
    assert_ne!(pool(dot(0, 1)), pool(dot(0, 2)));
    let bar = [[1.0, 0.0, 0.0, 0.0]; 4];
    let turned = [[1.0; 4], [0.0; 4], [0.0; 4], [0.0; 4]];
    assert_ne!(pool(bar), pool(turned));
    let small = [[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [0.0; 4], [0.0; 4]];
    assert_ne!(pool(small), pool([[1.0; 4]; 4]));
}

#[test]
fn the_receptive_field_has_a_formula() {
    // Kernel and stride of each layer, the field in pixels behind it.
    let nets: [&[(usize, usize, usize)]; 3] = [
        &[(5, 1, 5), (2, 2, 6)],
        &[(3, 1, 3), (3, 1, 5), (3, 1, 7)],
        &[
            (3, 1, 3),
            (3, 1, 5),
            (2, 2, 6),
            (3, 1, 10),
            (3, 1, 14),
            (2, 2, 16),
            (3, 1, 24),
            (3, 1, 32),
            (2, 2, 36),
        ],
    ];
    for net in nets {
        let (mut field, mut jump) = (1, 1);
        let tape = Tape::new();
        let x = tape.var(Tensor::ones([1, 1, 80, 80]));
        let mut y = x;
        for &(kernel, stride, expected) in net {
            field += (kernel - 1) * jump;
            jump *= stride;
            assert_eq!(field, expected);
            // Convolutions of ones in place of pooling see the same pixels.
            let w = tape.constant(Tensor::full([1, 1, kernel, kernel], 1.0 / (kernel * kernel) as f32));
            y = y.conv2d(&w, None, Conv2dOptions { stride: [stride; 2], ..Default::default() });
            let pixel = y.select(-1, 2).select(-1, 2).sum();
            let seen = pixel.backward()[x].iter().filter(|g| *g != 0.0).count();
            assert_eq!(seen, expected * expected, "pixels that have a gradient");
        }
    }
}

#[test]
fn upsampling_has_formulas() {
    // Transposed convolution: every input adds its multiple of the kernel, (n - 1) s - 2 p + k pixels in all.
    let x = [[1.0_f32, 2.0], [3.0, 4.0]];
    let mut sums = [0.0_f32; 16];
    for (i, row) in x.iter().enumerate() {
        for (j, v) in row.iter().enumerate() {
            (0..9).for_each(|k| sums[(i + k / 3) * 4 + j + k % 3] += v);
        }
    }
    let g = Tensor::from(x).reshape([1, 1, 2, 2]);
    let y = Tensor::ones([1, 1, 3, 3]).conv2d_input_grad(&g, [4, 4], Conv2dOptions::default());
    assert_eq!(y.to_vec(), sums);
    assert_eq!(sums[..8], [1.0, 3.0, 3.0, 2.0, 4.0, 10.0, 10.0, 6.0]);
    for (n, out) in [(7, 14), (14, 28)] {
        assert_eq!(((n - 1) * 2 + 4 - 2, conv(out, 4, 2, 1)), (out, n));
    }
    // Bilinear: pixel i of the larger row lies at (i + 1/2) / 2 - 1/2 of the smaller, and no farther than its ends.
    let at = |i: f64| ((i + 0.5) / 2.0 - 0.5).clamp(0.0, 1.0);
    for (i, expected) in [1.0, 1.25, 1.75, 2.0].into_iter().enumerate() {
        close(1.0 + at(i as f64), expected, 1e-12);
    }
}
