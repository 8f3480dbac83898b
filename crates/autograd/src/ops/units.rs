//! Powers of two that bring values to about 1, so that their squares stay within f32.

use gradus_tensor::{Axes, Tensor};

/// Where largest elements need no unit.
const ORDINARY: std::ops::Range<f32> = 1.0 / (1u64 << 40) as f32..(1u64 << 60) as f32;

/// For the elements over the axes, which are kept, a factor that brings the largest to about 1, or `least` where that is
/// larger; `None` where none is needed.
///
/// A power of two rounds nothing; and as it drops out of what is computed with it, it may be a constant to derivatives.
pub(super) fn units(x: &Tensor, axes: &Axes, least: f32) -> Option<Tensor> {
    let largest = x.abs().max_axes(axes.clone(), true);
    let unit = |largest: f32| {
        let size = largest.max(least);
        if size == 0.0 || ORDINARY.contains(&size) || !size.is_finite() {
            return 1.0;
        }
        (-size.log2().floor().clamp(-126.0, 126.0)).exp2()
    };
    largest.iter().any(|largest| unit(largest) != 1.0).then(|| largest.map(unit))
}
