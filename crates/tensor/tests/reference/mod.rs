//! The functions that std has not, in f64, by other means than the library's.

/// 1 / (1 + e⁻ˣ), with its full precision for very negative x too.
pub fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
}
