//! Every path of the product against its definition in f64.

use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::blocked::Blocking;
use super::{Activation, Epilogue, Mat, MatMut, matmul, matmul_with, naive, parallel};
use crate::Isa;

/// A way to lay a matrix out in memory.
#[derive(Clone, Copy, Debug)]
enum Layout {
    Rows,
    Cols,
    /// Contiguous rows with a gap between them.
    GappedRows,
    GappedCols,
    /// Every second element of every third row.
    Stepped,
    /// Row-major, backwards in both directions.
    Reversed,
    /// Column-major, backwards along the rows.
    ReversedCols,
    /// One row, repeated.
    RepeatedRow,
    /// One column, repeated.
    RepeatedCol,
    /// One element, repeated.
    Scalar,
}

const LAYOUTS: [Layout; 10] = [
    Layout::Rows,
    Layout::Cols,
    Layout::GappedRows,
    Layout::GappedCols,
    Layout::Stepped,
    Layout::Reversed,
    Layout::ReversedCols,
    Layout::RepeatedRow,
    Layout::RepeatedCol,
    Layout::Scalar,
];

/// The memory of a matrix. What lies between and around its elements is NaN: a kernel that uses it is found
/// out.
struct Stored {
    data: Vec<f32>,
    offset: usize,
    size: [usize; 2],
    strides: [isize; 2],
}

impl Stored {
    fn new(layout: Layout, [rows, cols]: [usize; 2], mut value: impl FnMut() -> f32) -> Stored {
        let (r, c) = (rows as isize, cols as isize);
        let strides = match layout {
            Layout::Rows => [c, 1],
            Layout::Cols => [1, r],
            Layout::GappedRows => [c + 5, 1],
            Layout::GappedCols => [1, r + 3],
            Layout::Stepped => [3 * 2 * c, 2],
            Layout::Reversed => [-c, -1],
            Layout::ReversedCols => [1, -r],
            Layout::RepeatedRow => [0, 1],
            Layout::RepeatedCol => [1, 0],
            Layout::Scalar => [0, 0],
        };
        let lowest = |len: usize, stride: isize| (len.max(1) as isize - 1) * stride.min(0);
        let highest = |len: usize, stride: isize| (len.max(1) as isize - 1) * stride.max(0);
        let offset = (7 - lowest(rows, strides[0]) - lowest(cols, strides[1])) as usize;
        let end = offset as isize + highest(rows, strides[0]) + highest(cols, strides[1]);
        let mut data = vec![f32::NAN; end as usize + 8];
        for i in 0..rows {
            for j in 0..cols {
                data[(offset as isize + i as isize * strides[0] + j as isize * strides[1]) as usize] =
                    value();
            }
        }
        Stored { data, offset, size: [rows, cols], strides }
    }

    fn mat(&self) -> Mat<'_> {
        Mat::new(&self.data, self.offset, self.size, self.strides)
    }
}

fn sets() -> impl Iterator<Item = Isa> {
    [Isa::Portable, Isa::Avx2, Isa::Avx512].into_iter().filter(|&isa| isa <= Isa::detect())
}

fn uniform(seed: u64) -> impl FnMut() -> f32 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    move || rng.random_range(-1.0..1.0)
}

fn half(xs: &mut [f32]) {
    xs.iter_mut().for_each(|x| *x *= 0.5);
}

/// The epilogues that are tested, by number: every combination of the three parts.
const EPILOGUES: usize = 12;

fn epilogue(number: usize, bias: &[f32]) -> Epilogue<'_> {
    Epilogue {
        accumulate: number.is_multiple_of(2),
        bias: (number / 2).is_multiple_of(2).then_some(bias),
        activation: [Activation::None, Activation::Relu, Activation::Map(half)][number / 4],
    }
}

/// Compares the product with its definition, for every instruction set.
fn check(blocking: &Blocking, a: &Mat<'_>, b: &Mat<'_>, number: usize) {
    let (m, n, k) = (a.rows(), b.cols(), a.cols());
    let mut value = uniform(number as u64);
    let bias: Vec<f32> = (0..n).map(|_| value()).collect();
    let epilogue = epilogue(number, &bias);
    let row_stride = n + number % 3;
    let before: Vec<f32> = (0..m * n).map(|_| value()).collect();
    let expected = naive::matmul(a, b, &before, &epilogue);

    for isa in sets() {
        let mut out = vec![f32::NAN; m * row_stride];
        for i in 0..m {
            out[i * row_stride..][..n].copy_from_slice(&before[i * n..][..n]);
        }
        matmul_with(isa, blocking, *a, (*b).into(), &MatMut::new(&mut out, [m, n], row_stride), &epilogue);
        for i in 0..m {
            for j in 0..n {
                let (want, magnitude) = expected[i * n + j];
                let got = out[i * row_stride + j];
                // Each of k products and k + 1 additions rounds; an FMA rounds once for both. Relative to the
                // magnitudes of the terms, summing them in any order costs at most one rounding per term and
                // step.
                let roundings = (k + 3) as f64;
                let unit = f32::EPSILON as f64 / 2.0;
                let bound = roundings * unit / (1.0 - roundings * unit) * magnitude;
                assert!(
                    (got as f64 - want).abs() <= bound,
                    "{isa:?} {m}x{k}x{n} at ({i}, {j}): {got} instead of {want}, bound {bound:e}; \
                     {blocking:?} {epilogue:?} strides {:?} {:?}",
                    [a.row_stride(), a.col_stride()],
                    [b.row_stride(), b.col_stride()]
                );
            }
            assert!(
                out[i * row_stride + n..][..row_stride - n].iter().all(|x| x.is_nan()),
                "wrote beside the output"
            );
        }
    }
}

#[test]
fn all_sizes_around_the_edges_of_tiles() {
    const SIZES: [usize; 21] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 31, 32, 33, 63, 65];
    let mut number = 0;
    for m in SIZES {
        for n in SIZES {
            for k in SIZES {
                number += 7;
                let a = Stored::new(LAYOUTS[number % 10], [m, k], uniform(1));
                let b = Stored::new(LAYOUTS[number / 10 % 10], [k, n], uniform(2));
                check(&Blocking::default(), &a.mat(), &b.mat(), number / 3 % EPILOGUES);
            }
        }
    }
}

#[test]
fn all_pairs_of_layouts() {
    for (number, [m, k, n]) in
        [[13, 37, 35], [50, 20, 130], [130, 19, 50], [1, 70, 33], [45, 70, 1]].into_iter().enumerate()
    {
        for a_layout in LAYOUTS {
            for b_layout in LAYOUTS {
                let a = Stored::new(a_layout, [m, k], uniform(3));
                let b = Stored::new(b_layout, [k, n], uniform(4));
                check(&Blocking::default(), &a.mat(), &b.mat(), number);
            }
        }
    }
}

#[test]
fn all_sizes_around_the_edges_of_blocks() {
    let blocking = Blocking { k: 8, m: 28, n: 64 };
    for m in [27, 28, 29, 57] {
        for n in [63, 64, 65, 129] {
            for k in [7, 8, 9, 15, 16, 17, 24, 33] {
                for number in 0..EPILOGUES {
                    let a = Stored::new(LAYOUTS[(m + k) % 7], [m, k], uniform(5));
                    let b = Stored::new(LAYOUTS[(n + k) % 7], [k, n], uniform(6));
                    check(&blocking, &a.mat(), &b.mat(), number);
                }
            }
        }
    }
}

#[test]
fn sizes_around_the_default_blocks() {
    let Blocking { k, m, n } = Blocking::default();
    for [m, k, n] in [
        [3, k + 1, 40],
        [20, 2 * k + 1, 33],
        [m + 1, 5, 130],
        [2 * m + 1, 3, 100],
        [50, 2, n + 1],
        [2, 3, n + 33],
    ] {
        let a = Stored::new(Layout::Rows, [m, k], uniform(7));
        let b = Stored::new(Layout::Cols, [k, n], uniform(8));
        check(&Blocking::default(), &a.mat(), &b.mat(), 0);
        check(&Blocking::default(), &b.mat().transposed(), &a.mat().transposed(), 3);
    }
}

proptest! {
    #[test]
    fn any_size_layout_and_blocking(
        [m, n, k] in [0usize..80, 0usize..150, 0usize..150],
        layouts in [0..LAYOUTS.len(), 0..LAYOUTS.len()],
        [block_m, block_n, block_k] in [1usize..100, 1usize..200, 1usize..100],
        number in 0..EPILOGUES,
        seed: u64,
    ) {
        let a = Stored::new(LAYOUTS[layouts[0]], [m, k], uniform(seed));
        let b = Stored::new(LAYOUTS[layouts[1]], [k, n], uniform(seed ^ 1));
        check(&Blocking { k: block_k, m: block_m, n: block_n }, &a.mat(), &b.mat(), number);
    }

    #[test]
    fn nan_and_infinity_spread_as_by_definition(
        [m, n, k] in [1usize..40, 1usize..70, 1usize..70],
        layouts in [0..LAYOUTS.len(), 0..LAYOUTS.len()],
        seed: u64,
    ) {
        const VALUES: [f32; 8] = [0.0, -0.0, 1.0, -1.0, 0.5, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        // Special values must be rare, or every result is NaN.
        let values = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            move || {
                let kinds = if rng.random_range(0..60) == 0 { 8 } else { 5 };
                VALUES[rng.random_range(0..kinds)]
            }
        };
        let a = Stored::new(LAYOUTS[layouts[0]], [m, k], values(seed));
        let b = Stored::new(LAYOUTS[layouts[1]], [k, n], values(seed ^ 1));
        for relu in [false, true] {
            let activation = if relu { Activation::Relu } else { Activation::None };
            let epilogue = Epilogue { activation, ..Epilogue::NONE };
            let expected = naive::matmul(&a.mat(), &b.mat(), &[], &epilogue);
            for isa in sets() {
                let mut out = vec![7.0; m * n];
                let mat_mut = MatMut::new(&mut out, [m, n], n);
                matmul_with(isa, &Blocking::default(), a.mat(), b.mat().into(), &mat_mut, &epilogue);
                for (got, (want, _)) in out.iter().zip(&expected) {
                    // The finite values are small multiples of a quarter, which are exact in f32.
                    let same = *got as f64 == *want || (got.is_nan() && want.is_nan());
                    prop_assert!(same, "{isa:?}: {got} instead of {want}");
                }
            }
        }
    }
}

#[test]
fn zero_times_infinity_is_nan_and_nothing_is_skipped() {
    for [m, k, n] in [[3, 4, 5], [1, 20, 40], [40, 20, 1], [64, 64, 64]] {
        let mut b = vec![1.0; k * n];
        b[0] = f32::INFINITY;
        for isa in sets() {
            let mut out = vec![0.0; m * n];
            let a = vec![0.0; m * k];
            matmul_with(
                isa,
                &Blocking::default(),
                Mat::new(&a, 0, [m, k], [k as isize, 1]),
                Mat::new(&b, 0, [k, n], [n as isize, 1]).into(),
                &MatMut::new(&mut out, [m, n], n),
                &Epilogue::NONE,
            );
            for (at, x) in out.iter().enumerate() {
                assert!(if at % n == 0 { x.is_nan() } else { *x == 0.0 }, "{isa:?}: {x} at {at}");
            }
        }
    }
}

#[test]
fn relu_keeps_nan_and_zeroes_negative_infinity() {
    let a = [f32::NAN, -1.0, f32::NEG_INFINITY, 2.0];
    for (rows, cols) in [(4, 1), (4, 3)] {
        let b = vec![1.0; cols];
        for isa in sets() {
            let mut out = vec![9.0; rows * cols];
            let epilogue = Epilogue { activation: Activation::Relu, ..Epilogue::NONE };
            let (a, b) = (Mat::new(&a, 0, [rows, 1], [1, 1]), Mat::new(&b, 0, [1, cols], [1, 1]));
            matmul_with(
                isa,
                &Blocking::default(),
                a,
                b.into(),
                &MatMut::new(&mut out, [rows, cols], cols),
                &epilogue,
            );
            for row in 0..cols {
                let column: Vec<f32> = (0..rows).map(|i| out[i * cols + row]).collect();
                assert!(column[0].is_nan() && column[1..] == [0.0, 0.0, 2.0], "{isa:?}: {column:?}");
            }
        }
    }
}

/// Runs on a pool with so many threads.
fn on_threads<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
}

fn bits(xs: &[f32]) -> Vec<u32> {
    xs.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let shapes = [
        [131, 1031, 129],
        [14, 300, 1025],
        [2000, 70, 33],
        [257, 257, 257],
        [1, 700, 701],
        [701, 700, 1],
        [20, 900, 900],
    ];
    for [m, k, n] in shapes {
        for (a_layout, b_layout) in
            [(Layout::Rows, Layout::Rows), (Layout::Cols, Layout::Stepped), (Layout::Rows, Layout::Cols)]
        {
            let a = Stored::new(a_layout, [m, k], uniform(9));
            let b = Stored::new(b_layout, [k, n], uniform(10));
            for isa in sets() {
                let run = |threads| {
                    on_threads(threads, || {
                        let mut out = vec![0.0; m * n];
                        let mat_mut = MatMut::new(&mut out, [m, n], n);
                        matmul_with(
                            isa,
                            &Blocking::default(),
                            a.mat(),
                            b.mat().into(),
                            &mat_mut,
                            &Epilogue::NONE,
                        );
                        bits(&out)
                    })
                };
                let one = run(1);
                for threads in [2, 3, 8] {
                    assert_eq!(
                        one,
                        run(threads),
                        "{isa:?} {m}x{k}x{n} {a_layout:?} {b_layout:?} on {threads} threads"
                    );
                }
            }
        }
    }
}

/// One batched product, checked item by item, on several numbers of threads. `a_step` and `b_step` are the
/// distances between the operands of two items; zero repeats one operand.
fn check_batch(batch: usize, [m, k, n]: [usize; 3], [a_step, b_step]: [usize; 2], number: usize) {
    let mut value = uniform(11);
    let a: Vec<f32> = (0..batch * a_step + m * k).map(|_| value()).collect();
    let b: Vec<f32> = (0..batch * b_step + k * n).map(|_| value()).collect();
    let bias: Vec<f32> = (0..n).map(|_| value()).collect();
    let before: Vec<f32> = (0..batch * m * n).map(|_| value()).collect();
    let epilogue = epilogue(number, &bias);
    let item = |i: usize| {
        (Mat::new(&a, i * a_step, [m, k], [k as isize, 1]), Mat::new(&b, i * b_step, [k, n], [n as isize, 1]))
    };
    for isa in sets() {
        let run = |threads| {
            on_threads(threads, || {
                let mut out = before.clone();
                let mat_mut = MatMut::new(&mut out, [batch * m, n], n);
                parallel::batched_matmul_with(isa, &Blocking::default(), batch, item, &mat_mut, &epilogue);
                out
            })
        };
        let out = run(1);
        for threads in [2, 3] {
            assert_eq!(bits(&out), bits(&run(threads)), "{isa:?} on {threads} threads");
        }
        for i in 0..batch {
            let rows = i * m * n..(i + 1) * m * n;
            let (a, b) = item(i);
            let expected = naive::matmul(&a, &b, &before[rows.clone()], &epilogue);
            for (got, (want, magnitude)) in out[rows].iter().zip(expected) {
                let bound = (k + 3) as f64 * f32::EPSILON as f64 * magnitude;
                assert!((*got as f64 - want).abs() <= bound, "{isa:?} item {i}: {got} instead of {want}");
            }
        }
    }
}

#[test]
fn batches_equal_their_items() {
    let mut number = 0;
    for (batch, [m, k, n]) in [
        (1, [5, 6, 7]),
        (3, [1, 9, 17]),
        (100, [8, 8, 8]),
        (70, [33, 34, 35]),
        (3, [110, 120, 130]),
        (9, [40, 1, 1]),
        (4, [3, 0, 5]),
    ] {
        for a_step in [m * k, 0, m * k + 3] {
            for b_step in [k * n, 0, 1] {
                check_batch(batch, [m, k, n], [a_step, b_step], number % EPILOGUES);
                number += 1;
            }
        }
    }
}

#[test]
fn empty_batches_and_items_write_nothing() {
    check_batch(5, [0, 3, 4], [0, 12], 0);
    check_batch(5, [3, 4, 0], [12, 0], 0);
    let none: [f32; 0] = [];
    let operand = |size| Mat::new(&none, 0, size, [1, 1]);
    let mut out: [f32; 0] = [];
    super::batched_matmul(
        0,
        |_| (operand([0, 3]), operand([3, 0])),
        MatMut::new(&mut out, [0, 4], 4),
        Epilogue::NONE,
    );
}

#[test]
fn one_known_product() {
    let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let mut out = [0.0; 4];
    let a = Mat::new(&a, 0, [2, 3], [3, 1]);
    matmul(a, a.transposed(), MatMut::new(&mut out, [2, 2], 2), Epilogue::NONE);
    assert_eq!(out, [14.0, 32.0, 32.0, 77.0]);
}

#[test]
#[should_panic(expected = "leaves its 6 elements")]
fn an_operand_beyond_its_memory_is_refused() {
    Mat::new(&[0.0; 6], 1, [2, 3], [3, 1]);
}

#[test]
#[should_panic(expected = "leaves its 6 elements")]
fn an_operand_before_its_memory_is_refused() {
    Mat::new(&[0.0; 6], 4, [2, 3], [-3, 1]);
}

#[test]
#[should_panic(expected = "leaves its 6 elements")]
fn an_operand_of_enormous_stride_is_refused() {
    Mat::new(&[0.0; 6], 0, [usize::MAX, 3], [isize::MAX, 1]);
}

#[test]
#[should_panic(expected = "leaves its 6 elements")]
fn an_output_beyond_its_memory_is_refused() {
    MatMut::new(&mut [0.0; 6], [2, 3], 4);
}

#[test]
#[should_panic(expected = "rows of 3 at a distance of 2")]
fn an_output_with_overlapping_rows_is_refused() {
    MatMut::new(&mut [0.0; 6], [2, 3], 2);
}

#[test]
#[should_panic(expected = "inner dimensions differ")]
fn inner_dimensions_must_agree() {
    let a = Mat::new(&[0.0; 6], 0, [2, 3], [3, 1]);
    matmul(a, a, MatMut::new(&mut [0.0; 6], [2, 3], 3), Epilogue::NONE);
}
