//! Shorthand in which the x86 tokens are written.

/// Defines methods by one expression of intrinsics each.
macro_rules! intrinsics {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty = $body:expr;)*) => {$(
        #[inline(always)]
        fn $name(self, $($arg: $type),*) -> $out {
            // SAFETY: the token proves that the processor has the features of these intrinsics.
            unsafe { $body }
        }
    )*};
}

/// Defines methods on pairs of `f64` vectors by one intrinsic each.
macro_rules! halves {
    ($($name:ident($($arg:ident),*) = $intrinsic:expr;)*) => {$(
        #[inline(always)]
        fn $name(self, $($arg: Self::F64),*) -> Self::F64 {
            // SAFETY: the token proves that the processor has the features of these intrinsics.
            unsafe { ($intrinsic($($arg.0),*), $intrinsic($($arg.1),*)) }
        }
    )*};
}
