//! Linear algebra with gradients: solving, decomposing, determinants and the exponential of matrices.
//!
//! The methods of [`LinearAlgebra`] are there for tensors and for variables of a tape. The last two axes are a matrix's
//! rows and columns, those before them a batch of matrices, each of which is computed by itself.
//!
//! A Gaussian process, whose length scale follows the gradient of its log marginal likelihood:
//!
//! ```
//! use gradus_autograd::prelude::*;
//! use gradus_linalg::LinearAlgebra;
//!
//! /// -ln p(y | x), but for a constant, with a noise of variance 0.01.
//! fn cost<V: Value>(x: &Tensor, y: &Tensor, log_scale: &V) -> V {
//!     let at = log_scale.place();
//!     let distances = at.constant((x - x.t()).square());
//!     let covariance = (-distances / (log_scale * 2.0).exp() * 0.5).exp() + at.constant(Tensor::eye(12) * 0.01);
//!     let l = covariance.cholesky();
//!     let white = l.triangular_solve(&at.constant(y), false);
//!     white.square().sum() * 0.5 + l.diagonal(0, -2, -1).log().sum()
//! }
//!
//! let x = Tensor::arange(12).unsqueeze(1) * 0.5;
//! let mut log_scale = Tensor::from(-1.0);
//! for _ in 0..30 {
//!     let tape = Tape::new();
//!     let variable = tape.var(&log_scale);
//!     let slope = cost(&x, &x.sin(), &variable).backward()[variable].clone();
//!     log_scale = log_scale - slope * 0.02;
//! }
//! assert!((log_scale.exp().item() - 1.8007).abs() < 0.001); // about the length over which a sine changes
//! ```
//!
//! # What is singular
//!
//! A matrix that an operation has no answer for, a singular one to [`inverse`](LinearAlgebra::inverse) or one that is not
//! positive definite to [`cholesky`](LinearAlgebra::cholesky), gives NaN in all of its place, as the square root of a negative
//! number does; the other matrices of the batch are not touched. So does a matrix with a NaN or an infinity in it. What comes
//! near to being singular is computed in f64, and loses the digits there that the condition number takes.

mod block;
mod cholesky;
mod determinant;
mod equations;
mod exponential;
mod matrices;
mod qr;
mod reference;
mod samples;
mod solve;
mod spectral;

pub use cholesky::Cholesky;
pub use determinant::{Det, Slogdet};
pub use exponential::{MatrixExp, MatrixExpDerivative};
pub use qr::Qr;
pub use solve::{Inverse, Solve, TriangularSolve};
pub use spectral::{Eigh, Svd};

use gradus_autograd::{op::Spec, prelude::*};
use gradus_tensor::OrFail;

/// Every operation of this crate, for the laws.
pub static ALL: &[Spec] = &[
    Spec::of::<Inverse>(),
    Spec::of::<Solve>(),
    Spec::of::<TriangularSolve>(),
    Spec::of::<Det>(),
    Spec::of::<Slogdet>(),
    Spec::of::<Cholesky>(),
    Spec::of::<Qr>(),
    Spec::of::<Eigh>(),
    Spec::of::<Svd>(),
    Spec::of::<MatrixExp>(),
    Spec::of::<MatrixExpDerivative>(),
];

/// Linear algebra of matrices `[.., rows, columns]`: a batch of them has more axes in front. `T` below transposes the last two.
pub trait LinearAlgebra: Value {
    /// The inverse A⁻¹ of square matrices; NaN for a singular one. To solve equations [`solve`](LinearAlgebra::solve) is faster
    /// and more precise.
    ///
    /// The gradient is `-Yᵀ G Yᵀ` with `Y = A⁻¹`.
    ///
    /// # Panics
    /// When the matrices are not square.
    ///
    /// ```
    /// # use gradus_autograd::prelude::*;
    /// # use gradus_linalg::LinearAlgebra;
    /// assert_eq!(Tensor::from([[2.0, 1.0], [1.0, 1.0]]).inverse(), Tensor::from([[1.0, -1.0], [-1.0, 2.0]]));
    /// assert!(Tensor::from([[1.0, 2.0], [2.0, 4.0]]).inverse().to_vec().iter().all(|x| x.is_nan()));
    /// ```
    #[track_caller]
    #[doc(alias = "inv")]
    fn inverse(&self) -> Self {
        Self::apply(Inverse, &[self])
    }

    /// The X with `A X = B`, for square A `[.., n, n]` and B `[.., n, k]`, whose batches broadcast; NaN where A is singular.
    ///
    /// With `D = A⁻ᵀ G` the gradients are `D` for B and `-D Xᵀ` for A.
    ///
    /// # Panics
    /// When the matrices are not square, B is no matrix or has other rows, or the batches do not broadcast.
    ///
    /// ```
    /// # use gradus_autograd::prelude::*;
    /// # use gradus_linalg::LinearAlgebra;
    /// let a = Tensor::from([[2.0, 0.0], [1.0, 4.0]]);
    /// assert_eq!(a.solve(&Tensor::from([[2.0], [9.0]])), Tensor::from([[1.0], [2.0]]));
    /// ```
    #[track_caller]
    fn solve(&self, b: &Self) -> Self {
        Self::apply(Solve, &[self, b])
    }

    /// The X with `A X = B` where A is triangular: what lies above its diagonal is not read, or with `upper` what lies below.
    ///
    /// # Panics
    /// As [`solve`](LinearAlgebra::solve).
    ///
    /// ```
    /// # use gradus_autograd::prelude::*;
    /// # use gradus_linalg::LinearAlgebra;
    /// let a = Tensor::from([[2.0, 77.0], [1.0, 4.0]]);
    /// assert_eq!(a.triangular_solve(&Tensor::from([[2.0], [9.0]]), false), Tensor::from([[1.0], [2.0]]));
    /// ```
    #[track_caller]
    #[doc(alias = "solve_triangular")]
    fn triangular_solve(&self, b: &Self, upper: bool) -> Self {
        Self::apply(TriangularSolve { upper }, &[self, b])
    }

    /// The X with `L Lᵀ X = B`, for a lower triangle such as [`cholesky`](LinearAlgebra::cholesky) gives.
    ///
    /// # Panics
    /// As [`solve`](LinearAlgebra::solve).
    ///
    /// ```
    /// # use gradus_autograd::prelude::*;
    /// # use gradus_linalg::LinearAlgebra;
    /// let l = Tensor::from([[2.0, 0.0], [1.0, 1.0]]); // of [[4, 2], [2, 2]]
    /// assert_eq!(l.cholesky_solve(&Tensor::from([[8.0], [6.0]])), Tensor::from([[1.0], [2.0]]));
    /// ```
    #[track_caller]
    fn cholesky_solve(&self, b: &Self) -> Self {
        matrices::solution("cholesky_solve", &self.shape(), &b.shape()).or_fail();
        self.t().triangular_solve(&self.triangular_solve(b, false), true)
    }

    /// The determinant of square matrices, with the batch's shape. It leaves f32 where matrices are large:
    /// [`slogdet`](LinearAlgebra::slogdet) does not.
    ///
    /// The gradient is g times the cofactors, `det(A) A⁻ᵀ` where A has an inverse; its own gradient is NaN where A has none.
    ///
    /// # Panics
    /// When the matrices are not square.
    ///
    /// ```
    /// # use gradus_autograd::prelude::*;
    /// # use gradus_linalg::LinearAlgebra;
    /// assert_eq!(Tensor::from([[1.0, 2.0], [3.0, 4.0]]).det().item(), -2.0);
    /// ```
    #[track_caller]
    fn det(&self) -> Self {
        Self::apply(Det, &[self])
    }

    /// The sign of the determinant of square matrices, and the logarithm of its absolute value, both with the batch's shape. A
    /// singular matrix has sign 0 and logarithm -inf.
    ///
    /// The gradient of the logarithm is `g A⁻ᵀ`, that of the sign zero.
    ///
    /// # Panics
    /// When the matrices are not square.
    ///
    /// ```
    /// # use gradus_autograd::prelude::*;
    /// # use gradus_linalg::LinearAlgebra;
    /// let [sign, log] = (Tensor::eye(200) * -10.0).slogdet(); // 10^200 is no f32
    /// assert_eq!((sign.item(), log.item()), (1.0, 200.0 * 10f32.ln()));
    /// ```
    #[track_caller]
    #[doc(alias = "logdet")]
    fn slogdet(&self) -> [Self; 2] {
        Self::apply_n(Slogdet, &[self])
    }

    /// The lower triangle L with `L Lᵀ = S` and a positive diagonal, of the symmetric part S of square matrices; NaN where S is not
    /// positive definite.
    ///
    /// With `P = tril(Lᵀ G)`, its diagonal halved, the gradient is the symmetric part of `L⁻ᵀ P L⁻¹` (Murray 2016, "Differentiation
    /// of the Cholesky decomposition").
    ///
    /// # Panics
    /// When the matrices are not square.
    ///
    /// ```
    /// # use gradus_autograd::prelude::*;
    /// # use gradus_linalg::LinearAlgebra;
    /// let l = Tensor::from([[4.0, 2.0], [2.0, 2.0]]).cholesky();
    /// assert_eq!(l, Tensor::from([[2.0, 0.0], [1.0, 1.0]]));
    /// ```
    #[track_caller]
    fn cholesky(&self) -> Self {
        Self::apply(Cholesky, &[self])
    }

    /// `[Q, R]` with `Q R = A` for matrices `[.., m, n]` with m ≥ n: Q `[.., m, n]` has orthonormal columns, R `[.., n, n]` is an
    /// upper triangle. Its diagonal is positive, which makes the two unique; other libraries leave signs as they come.
    ///
    /// With `M = R Gᵣᵀ - G_qᵀ Q` and `C = tril(M, -1) + tril(M)ᵀ` the gradient is `(G_q + Q C) R⁻ᵀ` (Walter and Lehmann 2018); NaN
    /// where columns depend on each other.
    ///
    /// # Panics
    /// When there are fewer rows than columns.
    ///
    /// ```
    /// # use gradus_autograd::prelude::*;
    /// # use gradus_linalg::LinearAlgebra;
    /// let [q, r] = Tensor::from([[0.0, -2.0], [3.0, 1.0]]).qr();
    /// assert_eq!(q.round(), Tensor::from([[0.0, -1.0], [1.0, 0.0]]));
    /// assert_eq!(r.round(), Tensor::from([[3.0, 1.0], [0.0, 2.0]]));
    /// ```
    #[track_caller]
    fn qr(&self) -> [Self; 2] {
        Self::apply_n(Qr, &[self])
    }

    /// The eigenvalues `[.., n]` of the symmetric part of square matrices, the least first, and the eigenvectors that belong to
    /// them as columns `[.., n, n]`. In each the first component that is not small, at least 0.618 of the largest, is positive.
    ///
    /// With `F[i, j] = 1 / (w[j] - w[i])` and 0 on the diagonal, the gradient is the symmetric part of `V (diag(g_w) + F ∘ Vᵀ G_v) Vᵀ`. Where
    /// eigenvalues are equal their vectors have none: infinite or NaN, unless only the eigenvalues are used.
    ///
    /// # Panics
    /// When the matrices are not square.
    ///
    /// ```
    /// # use gradus_autograd::prelude::*;
    /// # use gradus_linalg::LinearAlgebra;
    /// let [w, v] = Tensor::from([[2.0, 0.0], [0.0, 1.0]]).eigh();
    /// assert_eq!(w, Tensor::from([1.0, 2.0]));
    /// assert_eq!(v, Tensor::from([[0.0, 1.0], [1.0, 0.0]]));
    /// ```
    #[track_caller]
    #[doc(alias = "eigvalsh")]
    fn eigh(&self) -> [Self; 2] {
        Self::apply_n(Eigh, &[self])
    }

    /// `[U, S, Vᵀ]` with `U diag(S) Vᵀ = A`, for matrices `[.., m, n]` and `k = min(m, n)`: U `[.., m, k]` and V have orthonormal columns,
    /// the singular values S `[.., k]` are not negative, the largest first. The signs are those of
    /// [`eigh`](LinearAlgebra::eigh), for the columns of U.
    ///
    /// The gradient is that of PyTorch and of Townsend (2016), "Differentiating the singular value decomposition". Where singular values are
    /// equal, or 0 in matrices that are not square, the vectors have none: infinite or NaN, unless only the values are used.
    ///
    /// # Panics
    /// When there are fewer than two axes.
    ///
    /// ```
    /// # use gradus_autograd::prelude::*;
    /// # use gradus_linalg::LinearAlgebra;
    /// let [u, s, vt] = Tensor::from([[0.0, 2.0], [-3.0, 0.0]]).svd();
    /// assert_eq!(s.round(), Tensor::from([3.0, 2.0]));
    /// assert_eq!(u.round(), Tensor::from([[0.0, 1.0], [1.0, 0.0]]));
    /// assert_eq!(vt.round(), Tensor::from([[-1.0, 0.0], [0.0, 1.0]]));
    /// ```
    #[track_caller]
    fn svd(&self) -> [Self; 3] {
        Self::apply_n(Svd, &[self])
    }

    /// The X that makes `‖A X - B‖` least, for matrices `[.., m, n]` with m ≥ n and independent columns, and B `[.., m, k]`: `R⁻¹ Qᵀ B`. NaN
    /// where the columns depend on each other.
    ///
    /// # Panics
    /// When there are fewer rows than columns, or B does not fit.
    ///
    /// ```
    /// # use gradus_autograd::prelude::*;
    /// # use gradus_linalg::LinearAlgebra;
    /// // A line through three points: 1 + 2 x.
    /// let a = Tensor::from([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]);
    /// let line = a.lstsq(&Tensor::from([[1.0], [3.0], [5.0]]));
    /// assert!((line - Tensor::from([[1.0], [2.0]])).abs().max().item() < 1e-6);
    /// ```
    #[track_caller]
    fn lstsq(&self, b: &Self) -> Self {
        matrices::least_squares("lstsq", &self.shape(), &b.shape()).or_fail();
        let [q, r] = self.qr();
        r.triangular_solve(&q.t().matmul(b), true)
    }

    /// The exponential `Σ Aᵏ / k!` of square matrices.
    ///
    /// The gradient is the derivative of the exponential at Aᵀ in the direction G, the upper right part of
    /// `exp([[Aᵀ, G], [0, Aᵀ]])` (Mathias 1996).
    ///
    /// # Panics
    /// When the matrices are not square.
    ///
    /// ```
    /// # use gradus_autograd::prelude::*;
    /// # use gradus_linalg::LinearAlgebra;
    /// let turn = Tensor::from([[0.0, -1.0], [1.0, 0.0]]).matrix_exp();
    /// assert_eq!(turn.get([1, 0]), 1f32.sin());
    /// ```
    #[track_caller]
    #[doc(alias = "expm")]
    fn matrix_exp(&self) -> Self {
        Self::apply(MatrixExp, &[self])
    }
}

impl<V: Value> LinearAlgebra for V {}
