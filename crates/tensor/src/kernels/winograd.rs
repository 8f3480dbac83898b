//! The transforms of convolution by Winograd's method, for tiles of 4 x 4 outputs and kernels of 3 x 3.
//!
//! A row of four outputs of a kernel `w` at six inputs `d` is `Aᵀ (G w ⊙ Bᵀ d)`, for polynomials that are multiplied by their
//! values at 0, ±a, ±b and infinity (S. Winograd, Arithmetic Complexity of Computations, 1980; A. Lavin and S. Gray, Fast
//! Algorithms for Convolutional Neural Networks, 2015). In two dimensions each transform is applied to the columns of a
//! square, then to its rows. The points are not the usual 1 and 2: with 5/8 and 3/2 errors are 1.9 times those of the direct
//! sums, not 4.2 times (root mean square over 64 channels of normal numbers), and all constants of A and B are exact.

use crate::{
    Isa,
    simd::{
        Kernel, Lane, Simd, dispatch,
        vectors::{read, write},
    },
};

/// Rows, and columns, of the outputs of a tile.
pub(crate) const OUTPUTS: usize = 4;
/// Those of the inputs of a tile, and of what inputs, kernels and gradients are transformed to.
pub(crate) const INPUTS: usize = 6;
/// Those of the kernel.
pub(crate) const TAPS: usize = 3;

/// A place of a result that is not wanted.
pub(crate) const NOWHERE: usize = usize::MAX;

const A: f32 = 0.625;
const B: f32 = 1.5;
/// The squares and cubes of the points.
const A2: f32 = A * A;
const B2: f32 = B * B;
const A3: f32 = A2 * A;
const B3: f32 = B2 * B;
/// What the values at 0, ±a and ±b are divided by.
const AT_0: f32 = 1.0 / (A2 * B2);
const AT_A: f32 = 1.0 / (2.0 * A2 * (A2 - B2));
const AT_B: f32 = 1.0 / (2.0 * B2 * (B2 - A2));

/// A linear map of a few numbers.
pub(crate) trait Map<const IN: usize, const OUT: usize> {
    /// Whether the results are watched for infinities and NaN.
    const WATCHED: bool;

    /// The map. Implementations must be `#[inline(always)]`.
    fn line<S: Simd>(x: [Lane<S>; IN]) -> [Lane<S>; OUT];
}

/// `Bᵀ d`: of a tile's inputs.
pub(crate) struct OfInputs;

impl Map<INPUTS, INPUTS> for OfInputs {
    const WATCHED: bool = false;

    #[inline(always)]
    fn line<S: Simd>([d0, d1, d2, d3, d4, d5]: [Lane<S>; INPUTS]) -> [Lane<S>; INPUTS] {
        let even_a = d2.mul_add(-B2, d4);
        let odd_a = (d1.mul_add(-B2, d3)) * A;
        let even_b = d2.mul_add(-A2, d4);
        let odd_b = (d1.mul_add(-A2, d3)) * B;
        [
            d0.mul_add(A2 * B2, d2.mul_add(-(A2 + B2), d4)),
            even_a + odd_a,
            even_a - odd_a,
            even_b + odd_b,
            even_b - odd_b,
            d1.mul_add(A2 * B2, d3.mul_add(-(A2 + B2), d5)),
        ]
    }
}

/// `G w`: of a kernel.
pub(crate) struct OfKernel;

impl Map<TAPS, INPUTS> for OfKernel {
    const WATCHED: bool = false;

    #[inline(always)]
    fn line<S: Simd>([w0, w1, w2]: [Lane<S>; TAPS]) -> [Lane<S>; INPUTS] {
        let (even_a, odd_a) = (w2.mul_add(A2, w0) * AT_A, w1 * (A * AT_A));
        let (even_b, odd_b) = (w2.mul_add(B2, w0) * AT_B, w1 * (B * AT_B));
        [w0 * AT_0, even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, w2]
    }
}

/// `Aᵀ m`: the outputs of a tile.
pub(crate) struct ToOutputs;

impl Map<INPUTS, OUTPUTS> for ToOutputs {
    const WATCHED: bool = true;

    #[inline(always)]
    fn line<S: Simd>([m0, m1, m2, m3, m4, m5]: [Lane<S>; INPUTS]) -> [Lane<S>; OUTPUTS] {
        let (even_a, odd_a, even_b, odd_b) = (m1 + m2, m1 - m2, m3 + m4, m3 - m4);
        [
            m0 + even_a + even_b,
            odd_a.mul_add(A, odd_b * B),
            even_a.mul_add(A2, even_b * B2),
            odd_a.mul_add(A3, odd_b.mul_add(B3, m5)),
        ]
    }
}

/// `A g`, the adjoint of [`ToOutputs`]: of the gradients by a tile's outputs.
pub(crate) struct OfGradients;

impl Map<OUTPUTS, INPUTS> for OfGradients {
    const WATCHED: bool = false;

    #[inline(always)]
    fn line<S: Simd>([g0, g1, g2, g3]: [Lane<S>; OUTPUTS]) -> [Lane<S>; INPUTS] {
        let (even_a, odd_a) = (g2.mul_add(A2, g0), g3.mul_add(A3, g1 * A));
        let (even_b, odd_b) = (g2.mul_add(B2, g0), g3.mul_add(B3, g1 * B));
        [g0, even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, g3]
    }
}

/// `Gᵀ u`, the adjoint of [`OfKernel`]: the gradient by a kernel.
pub(crate) struct ToKernel;

impl Map<INPUTS, TAPS> for ToKernel {
    const WATCHED: bool = true;

    #[inline(always)]
    fn line<S: Simd>([u0, u1, u2, u3, u4, u5]: [Lane<S>; INPUTS]) -> [Lane<S>; TAPS] {
        let (even_a, even_b) = ((u1 + u2) * AT_A, (u3 + u4) * AT_B);
        [
            u0.mul_add(AT_0, even_a + even_b),
            (u1 - u2).mul_add(A * AT_A, (u3 - u4) * (B * AT_B)),
            even_a.mul_add(A2, even_b.mul_add(B2, u5)),
        ]
    }
}

/// Transforms the squares of all channels: the elements of one stand at the places `read` in `from`, those of the result
/// go to the places `write` in `to`, and channel after channel lies behind each. `bias` is added to the results, a number a
/// channel, if it is not empty. `channels` is a multiple of all vectors' lengths. False where a watched result is infinite
/// or NaN.
pub(crate) fn transform<M: Map<IN, OUT>, const IN: usize, const OUT: usize>(
    from: &[f32],
    read: &[[usize; IN]; IN],
    to: &mut [f32],
    write: &[[usize; OUT]; OUT],
    channels: usize,
    bias: &[f32],
) -> bool {
    let squares = Squares { from, places: read, to, results: write, channels, bias };
    dispatch(Isa::current(), Transform::<M, IN, OUT>(squares, std::marker::PhantomData))
}

struct Squares<'a, const IN: usize, const OUT: usize> {
    from: &'a [f32],
    places: &'a [[usize; IN]; IN],
    to: &'a mut [f32],
    results: &'a [[usize; OUT]; OUT],
    channels: usize,
    bias: &'a [f32],
}

struct Transform<'a, M, const IN: usize, const OUT: usize>(Squares<'a, IN, OUT>, std::marker::PhantomData<M>);

impl<M: Map<IN, OUT>, const IN: usize, const OUT: usize> Kernel for Transform<'_, M, IN, OUT> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> bool {
        let Squares { from, places, to, results, channels, bias } = self.0;
        let zero = Lane::splat(simd, 0.0);
        let mut watch = zero;
        for channel in (0..channels).step_by(S::LANES) {
            let mut between = [[zero; IN]; OUT];
            for c in 0..IN {
                let mut column = [zero; IN];
                for r in 0..IN {
                    column[r] = read(simd, from, places[r][c] + channel);
                }
                let column = M::line(column);
                for r in 0..OUT {
                    between[r][c] = column[r];
                }
            }
            let bias = if bias.is_empty() { zero } else { read(simd, bias, channel) };
            for r in 0..OUT {
                let row = M::line(between[r]);
                for c in 0..OUT {
                    if results[r][c] == NOWHERE {
                        continue;
                    }
                    let mut x = row[c];
                    if M::WATCHED {
                        x = x + bias;
                        watch = x.mul_add(0.0, watch);
                    }
                    write(x, to, results[r][c] + channel);
                }
            }
        }
        !watch.is_nan().any()
    }
}
