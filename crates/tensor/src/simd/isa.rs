//! Which instruction set the kernels use: chosen once, when the first kernel runs.

use std::sync::OnceLock;

/// An instruction set that the kernels are written for, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Plain Rust, on any processor.
    Portable,
    /// AVX2 and FMA: 8 lanes.
    Avx2,
    /// AVX-512 F, BW, DQ and VL: 16 lanes.
    Avx512,
}

impl Isa {
    /// The best set of this processor, or the lower one that the environment variable `GRADUS_ISA` names
    /// (`portable`, `avx2`, `avx512`).
    ///
    /// # Panics
    /// When `GRADUS_ISA` names a set that does not exist or that this processor lacks: a forced set that silently
    /// fell back would make a test of it worthless.
    pub fn current() -> Isa {
        static CURRENT: OnceLock<Isa> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let best = Isa::detect();
            let Ok(name) = std::env::var("GRADUS_ISA") else { return best };
            let forced = match name.as_str() {
                "portable" => Isa::Portable,
                "avx2" => Isa::Avx2,
                "avx512" => Isa::Avx512,
                _ => panic!("GRADUS_ISA: unknown instruction set {name:?}; use portable, avx2 or avx512"),
            };
            assert!(forced <= best, "GRADUS_ISA: this processor has no {forced:?}; its best set is {best:?}");
            forced
        })
    }

    /// The best set that this processor has.
    pub fn detect() -> Isa {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            match (avx2, avx512) {
                (true, true) => Isa::Avx512,
                (true, false) => Isa::Avx2,
                _ => Isa::Portable,
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        Isa::Portable
    }
}
