//! What holds of every matrix: parts that multiply to the whole, and what is said of singular and huge ones.

use gradus_autograd::prelude::*;
use gradus_linalg::LinearAlgebra;

fn close(a: &Tensor, b: &Tensor, within: f32) -> bool {
    a.shape() == b.shape() && (a - b).abs().max().item() <= within * b.abs().max().item().max(1.0)
}

fn normal(shape: &[usize], seed: u64) -> Tensor {
    Tensor::randn(shape, &mut Rng::seed(seed))
}

#[test]
fn parts_multiply_to_the_whole() {
    for (seed, shape) in [[3, 7, 7], [2, 40, 25], [1, 25, 40], [4, 1, 1], [0, 3, 3]].iter().enumerate() {
        let a = normal(shape, seed as u64);
        let [u, s, vt] = a.svd();
        assert!(close(&(&u * s.unsqueeze(-2)).matmul(&vt), &a, 1e-5) || a.numel() == 0);
        if shape[1] >= shape[2] {
            let [q, r] = a.qr();
            assert!(close(&q.matmul(&r), &a, 1e-5) || a.numel() == 0);
        }
        if shape[1] == shape[2] && shape[0] > 0 {
            let n = shape[1];
            let spd = a.matmul(&a.t()) + Tensor::eye(n);
            let l = spd.cholesky();
            assert!(close(&l.matmul(&l.t()), &spd, 1e-5));
            let [w, v] = spd.eigh();
            assert!(close(&(&v * w.unsqueeze(-2)).matmul(&v.t()), &spd, 1e-5));
            assert!(close(&v.t().matmul(&v), &Tensor::eye(n).broadcast_to(spd.shape()), 1e-5));
            assert!(close(&spd.inverse().matmul(&spd), &Tensor::eye(n).broadcast_to(spd.shape()), 1e-4));
            let b = normal(&[n, 3], 9);
            assert!(close(&l.cholesky_solve(&b), &spd.solve(&b), 1e-4));
            let log = w.log().sum_axes(-1, false);
            assert!(close(&spd.slogdet()[1], &log, 1e-5));
        }
    }
}

#[test]
fn without_elements() {
    let none = Tensor::zeros([0, 0]);
    assert_eq!(none.det().item(), 1.0);
    assert_eq!(none.slogdet().map(|x| x.item()), [1.0, 0.0]);
    for y in [none.inverse(), none.cholesky(), none.matrix_exp(), none.solve(&none)] {
        assert_eq!(y.shape()[..], [0, 0]);
    }
    assert_eq!(none.eigh().map(|x| x.numel()), [0, 0]);
    assert_eq!(Tensor::zeros([3, 0]).svd().map(|x| x.numel()), [0, 0, 0]);
    assert_eq!(Tensor::zeros([3, 0]).qr().map(|x| x.numel()), [0, 0]);
    assert_eq!(Tensor::zeros([2, 0]).matmul(&Tensor::zeros([0, 2])).solve(&Tensor::zeros([2, 0])).numel(), 0);
}

#[test]
fn a_matrix_without_answer_is_nan_and_harms_no_other() {
    let singular = Tensor::from([[[1.0, 2.0], [2.0, 4.0]], [[2.0, 0.0], [0.0, 4.0]]]);
    let inverse = singular.inverse();
    assert!(inverse.select(0, 0).to_vec().iter().all(|x| x.is_nan()));
    assert_eq!(inverse.select(0, 1), Tensor::from([[0.5, 0.0], [0.0, 0.25]]));
    assert_eq!(singular.det().to_vec(), [0.0, 8.0]);
    let [sign, log] = singular.slogdet();
    assert_eq!(sign.to_vec(), [0.0, 1.0]);
    assert_eq!(log.get([0]), f32::NEG_INFINITY);
    let indefinite = Tensor::from([[1.0, 2.0], [2.0, 1.0]]);
    assert!(indefinite.cholesky().to_vec().iter().all(|x| x.is_nan()));
    // A rank of 1: values and vectors there are, gradients of vectors there are not.
    let [w, _] = singular.select(0, 0).eigh();
    assert!(close(&w, &Tensor::from([0.0, 5.0]), 1e-6));
    for poison in [f32::NAN, f32::INFINITY] {
        let bad = Tensor::from([[1.0, poison], [0.0, 1.0]]);
        for y in [bad.inverse(), bad.cholesky(), bad.matrix_exp(), bad.det(), bad.solve(&bad)] {
            assert!(y.to_vec().iter().all(|x| x.is_nan()));
        }
        let several = bad.svd().into_iter().chain(bad.eigh()).chain(bad.qr()).chain(bad.slogdet());
        assert!(several.flat_map(|y| y.to_vec()).all(|x| x.is_nan()));
    }
}

#[test]
fn equal_eigenvalues_have_gradients_where_vectors_are_not_asked_for() {
    let tape = Tape::new();
    let a = tape.var(Tensor::eye(3));
    let [w, _] = a.eigh();
    assert_eq!(w.sum().backward()[a], Tensor::eye(3));
    let [_, s, _] = a.svd();
    assert_eq!(s.sum().backward()[a], Tensor::eye(3));
    let [_, v] = a.eigh();
    assert!(!v.square().sum().backward()[a].to_vec().iter().all(|x| x.is_finite()));
}

#[test]
fn the_gradient_of_a_determinant_is_there_for_singular_matrices_too() {
    let of = |a: Tensor| {
        let tape = Tape::new();
        let a = tape.var(a);
        a.det().backward()[a].clone()
    };
    // The cofactors, by hand.
    let found = of(Tensor::from([[1.0, 2.0], [2.0, 4.0]]));
    assert!(close(&found, &Tensor::from([[4.0, -2.0], [-2.0, 1.0]]), 1e-6), "{found:?}");
    let found = of(Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]));
    let cofactors = Tensor::from([[-3.0, 6.0, -3.0], [6.0, -12.0, 6.0], [-3.0, 6.0, -3.0]]);
    assert!(close(&found, &cofactors, 1e-6), "{found:?}");
    assert_eq!(of(Tensor::zeros([3, 3])), Tensor::zeros([3, 3]));
}

#[test]
fn ill_conditioned_equations_lose_the_digits_of_their_condition_alone() {
    // Hilbert's matrix of six rows has condition 1.5e7; its inverse has whole numbers.
    let n = 6;
    let hilbert = |i: usize, j: usize| 1.0 / (i + j + 1) as f64;
    let a = Tensor::from_fn([n, n], |i| hilbert(i[0], i[1]) as f32);
    let rounded = |i, j| f64::from(hilbert(i, j) as f32);
    // The equations as f32 holds them, in f64.
    let b: Vec<f32> = (0..n).map(|i| (0..n).map(|j| rounded(i, j)).sum::<f64>() as f32).collect();
    let x = a.solve(&Tensor::new(b, [n, 1]));
    // 1.5e7 times half a unit of 6e-8 in the right side.
    assert!(x.to_vec().iter().all(|x| (x - 1.0).abs() < 1.0), "{x:?}");
    assert!(close(&a.matmul(&x), &a.sum_axes(1, true), 1e-5));
}

#[test]
fn numbers_far_from_one() {
    for size in [1e-30, 1e-15, 1e15, 1e30] {
        let a = normal(&[5, 5], 3) + Tensor::eye(5) * 4.0;
        let scaled = &a * size;
        assert!(close(&(scaled.inverse() * size), &a.inverse(), 1e-5), "{size}");
        let [sign, log] = scaled.slogdet();
        assert_eq!(sign, a.slogdet()[0]);
        assert!((log.item() - a.slogdet()[1].item() - 5.0 * size.ln()).abs() < 1e-3);
        for (of_scaled, of_a) in
            [(scaled.svd()[1].clone(), a.svd()[1].clone()), (scaled.qr()[1].clone(), a.qr()[1].clone())]
        {
            assert!(close(&(of_scaled / size), &of_a, 1e-5), "{size}");
        }
        assert!(close(&scaled.svd()[0], &a.svd()[0], 1e-5), "{size}");
        assert!(close(&scaled.eigh()[1], &a.eigh()[1], 1e-5), "{size}");
    }
}
