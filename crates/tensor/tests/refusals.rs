//! Refusals that no test of a subject provokes, for the list of messages: each says what was wrong, where, and what would be right.

use crate::{fails, messages::Messages};
use gradus_tensor::{
    ChannelNorm, Conv2dOptions, Indices, PackedMatrix, Pool2d, PoolOptions, Rng, RowNorm, StatisticsOver,
    Tensor,
    kernels::many::ManyFn,
    map_many,
    simd::{Lane, Simd},
    threads::{set_threads, with_threads},
};

#[rustfmt::skip] // each call on the line it is checked for
#[test]
fn operations_say_what_they_take() {
    let mut said = Messages::of("tensor", module_path!(), "operations_say_what_they_take");
    let (image, matrix) = (Tensor::ones([1, 1, 2, 2]), Tensor::ones([2, 3]));
    fails!(said, Tensor::bernoulli([2], 1.5, &mut Rng::seed(0)));
    fails!(said, Tensor::scalar(1.0).matmul(&matrix));
    fails!(said, image.conv2d(&Tensor::ones([1, 1, 3, 3]), None, Conv2dOptions::default()));
    fails!(said, image.plane_gather(&Indices::new([4], [1, 1, 1, 1])));
    fails!(said, Indices::stack(&[], 0));
    let long = Tensor::scalar(0.0).broadcast_to([1 << 31, 1]);
    fails!(said, long.argmax(0));
    fails!(said, long.sort(0, false));
    fails!(said, Tensor::scalar(0.0).broadcast_to([1, 1, 1 << 16, 1 << 16]).max_pool(&Pool2d::Sliding(PoolOptions::from(2))));
    said.check();
}

#[rustfmt::skip] // each call on the line it is checked for
#[test]
fn normalisations_say_what_they_take() {
    let mut said = Messages::of("tensor", module_path!(), "normalisations_say_what_they_take");
    let (x, three) = (Tensor::ones([2, 3]), Tensor::ones([3]));
    let rows = RowNorm { axes: 1, centered: true, eps: 0.0 };
    fails!(said, RowNorm { axes: 3, ..rows }.apply(&x, None, None));
    fails!(said, rows.apply(&x, Some(&Tensor::ones([2])), None));
    fails!(said, rows.gradients(&x, None, &x, &three));
    let channels = ChannelNorm { over: StatisticsOver::Batch, eps: 0.0 };
    fails!(said, channels.apply(&three, None, None));
    fails!(said, ChannelNorm { over: StatisticsOver::Groups(2), ..channels }.apply(&x, None, None));
    fails!(said, channels.apply(&x, None, Some(&Tensor::ones([2]))));
    fails!(said, channels.gradients(&x, None, &x, &three));
    said.check();
}

/// A number less another.
#[derive(Clone, Copy)]
struct Less;

impl ManyFn<2, 1> for Less {
    #[inline(always)]
    fn eval<S: Simd>(self, [a, b]: [Lane<S>; 2]) -> [Lane<S>; 1] {
        [a - b]
    }
}

#[rustfmt::skip] // each call on the line it is checked for
#[test]
fn what_is_prepared_says_what_it_takes() {
    let mut said = Messages::of("tensor", module_path!(), "what_is_prepared_says_what_it_takes");
    let (x, three) = (Tensor::ones([2, 3]), Tensor::ones([3]));
    fails!(said, PackedMatrix::new(&three));
    fails!(said, PackedMatrix::new(&x).product(&x, None));
    fails!(said, PackedMatrix::new(&x.t()).product(&x, Some(&three)));
    fails!(said, map_many(Less, [&three, &three]));
    fails!(said, map_many(Less, [&x, &x.t()]));
    fails!(said, x.softmax_rows(&three, |_, _| {}));
    said.check();
}

#[rustfmt::skip] // each call on the line it is checked for
#[test]
fn there_is_at_least_one_thread() {
    let mut said = Messages::of("tensor", module_path!(), "there_is_at_least_one_thread");
    fails!(said, set_threads(0));
    fails!(said, with_threads(0, || 1));
    said.check();
}
