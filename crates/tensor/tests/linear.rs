//! Products by a matrix that is packed once, and formulas of several tensors in one pass.

use gradus_tensor::{
    PackedMatrix, Rng, Tensor,
    kernels::many::ManyFn,
    map_many,
    simd::{Lane, Simd},
};

#[test]
fn a_packed_matrix_gives_the_bits_of_matmul() {
    let mut rng = Rng::seed(1);
    // Whole tiles and cut ones, one block of rows and several, no rows, one thread's work and more.
    for (m, k, n) in [
        (2, 3, 4),
        (20, 256, 1024),
        (7, 1100, 33),
        (35, 513, 16),
        (64, 64, 64),
        (2, 0, 5),
        (3, 5, 2),
        (0, 4, 4),
    ] {
        let (x, w, bias) =
            (Tensor::randn([m, k], &mut rng), Tensor::randn([k, n], &mut rng), Tensor::randn([n], &mut rng));
        for layout in [w.clone(), w.t().contiguous().t()] {
            let packed = PackedMatrix::new(&layout);
            assert_eq!(packed.product(&x, None), x.matmul(&w), "{m} x {k} x {n}");
            assert_eq!(packed.product(&x, Some(&bias)), x.matmul(&w) + &bias, "{m} x {k} x {n} and a bias");
            let turned = x.t().contiguous().t();
            assert_eq!(packed.product(&turned, None), x.matmul(&w), "{m} x {k} x {n}, rows apart");
        }
    }
}

#[test]
#[should_panic(expected = "packed matrix: rows [2, 3] do not fit the matrix [4, 5]")]
fn a_packed_matrix_refuses_other_rows() {
    PackedMatrix::new(&Tensor::ones([4, 5])).product(&Tensor::ones([2, 3]), None);
}

#[test]
#[should_panic(expected = "packed matrix: shape [4] is not that of a matrix")]
fn only_a_matrix_is_packed() {
    PackedMatrix::new(&Tensor::ones([4]));
}

/// The sum and the product of two numbers, and the first less the third.
#[derive(Clone, Copy)]
struct Three;

impl ManyFn<3, 3> for Three {
    #[inline(always)]
    fn eval<S: Simd>(self, [a, b, c]: [Lane<S>; 3]) -> [Lane<S>; 3] {
        [a + b, a * b, a - c]
    }
}

#[test]
fn formulas_of_several_tensors_are_those_of_each_element() {
    let mut rng = Rng::seed(2);
    for (rows, n) in [(1, 1), (3, 7), (5, 16), (2, 33), (300, 100), (0, 4), (4, 0)] {
        let wide = Tensor::randn([rows, 3 * n], &mut rng);
        // Parts of wider rows, and one with its axes exchanged.
        let (a, b) = (wide.slice(1, ..n), wide.slice(1, n..2 * n));
        let c = Tensor::randn([n, rows], &mut rng).t();
        let found = map_many(Three, [&a, &b, &c]);
        assert_eq!(found.shape()[..], [rows, 3, n]);
        assert_eq!(found.select(1, 0), &a + &b);
        assert_eq!(found.select(1, 1), &a * &b);
        assert_eq!(found.select(1, 2), &a - &c);
    }
}

#[test]
fn a_function_goes_into_memory_that_nobody_shares() {
    let (x, y) = (Tensor::from([1.0, 2.0, 3.0]), Tensor::from([4.0, 0.5, -1.0]));
    let kept = x.clone();
    let less = |a: f32, b: f32| a - b;
    assert_eq!(x.into_zip(&y, less).to_vec(), [-3.0, 1.5, 4.0]);
    assert_eq!(kept.to_vec(), [1.0, 2.0, 3.0]);
    let own = &kept * 2.0;
    let place = own.buffer_id();
    let result = own.into_zip(&y, less);
    assert_eq!((result.to_vec(), result.buffer_id()), (vec![-2.0, 3.5, 7.0], place));
    // A larger result does not fit, and neither does another layout.
    assert_eq!((&kept * 1.0).into_zip(&Tensor::ones([2, 1]), less).shape()[..], [2, 3]);
    assert_eq!((&kept * 1.0).into_zip(&y.flip(0), less).to_vec(), [2.0, 1.5, -1.0]);
}
