//! Printing the way NumPy does: aligned columns, brackets by axis, long axes abridged.

use crate::{array::Tensor, indices::Indices};
use std::fmt::{self, Write};

/// Axes of a tensor with more elements than this show only their first and last entries.
const ABRIDGE_ABOVE: usize = 1000;
/// How many entries an abridged axis shows at each end.
const SHOWN_AT_ENDS: usize = 3;

impl fmt::Display for Tensor {
    /// Digits after the point: 4, or as the format asks (`{:.2}`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = Shown::new(&self.shape()[..]);
        let mut visible = Vec::new();
        shown.visit(&mut |index| visible.push(self.get(index)));
        let style = Style::of(&visible, f.precision().unwrap_or(4));
        write_nested(f, &shown, &mut visible.iter().map(|&x| style.write(x)))
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor{}\n{self}", self.shape())
    }
}

impl fmt::Display for Indices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = Shown::new(&self.shape()[..]);
        let mut visible = Vec::new();
        shown.visit(&mut |index| visible.push(self.get(index).to_string()));
        write_nested(f, &shown, &mut visible.into_iter())
    }
}

impl fmt::Debug for Indices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Indices{}\n{self}", self.shape())
    }
}

/// Which entries of each axis are printed.
struct Shown<'a> {
    shape: &'a [usize],
    abridged: bool,
}

impl Shown<'_> {
    fn new(shape: &[usize]) -> Shown<'_> {
        Shown { shape, abridged: shape.iter().product::<usize>() > ABRIDGE_ABOVE }
    }

    /// The entries of an axis, `None` where some are left out.
    fn entries(&self, axis: usize) -> Vec<Option<usize>> {
        let n = self.shape[axis];
        if !self.abridged || n <= 2 * SHOWN_AT_ENDS {
            return (0..n).map(Some).collect();
        }
        let front = (0..SHOWN_AT_ENDS).map(Some);
        front.chain([None]).chain((n - SHOWN_AT_ENDS..n).map(Some)).collect()
    }

    fn visit(&self, f: &mut dyn FnMut(&[usize])) {
        fn walk(shown: &Shown<'_>, index: &mut Vec<usize>, f: &mut dyn FnMut(&[usize])) {
            if index.len() == shown.shape.len() {
                return f(index);
            }
            for entry in shown.entries(index.len()).into_iter().flatten() {
                index.push(entry);
                walk(shown, index, f);
                index.pop();
            }
        }
        walk(self, &mut Vec::new(), f);
    }
}

/// Writes the texts of the visible entries in nested brackets, right-aligned to the widest.
fn write_nested(
    f: &mut fmt::Formatter<'_>,
    shown: &Shown<'_>,
    texts: &mut dyn Iterator<Item = String>,
) -> fmt::Result {
    let texts: Vec<String> = texts.collect();
    let width = texts.iter().map(|t| t.len()).max().unwrap_or(0);
    let mut out = String::new();
    write_axis(&mut out, shown, 0, width, &mut texts.iter());
    f.write_str(&out)
}

fn write_axis(
    out: &mut String,
    shown: &Shown<'_>,
    axis: usize,
    width: usize,
    texts: &mut std::slice::Iter<'_, String>,
) {
    if axis == shown.shape.len() {
        let text = texts.next().map_or("", |t| t.as_str());
        // A String takes any text.
        let _ = write!(out, "{text:>width$}");
        return;
    }
    out.push('[');
    let below = shown.shape.len() - axis - 1;
    for (i, entry) in shown.entries(axis).into_iter().enumerate() {
        if i > 0 {
            match below {
                0 => out.push_str(", "),
                _ => {
                    out.push(',');
                    out.push_str(&"\n".repeat(below));
                    out.push_str(&" ".repeat(axis + 1));
                }
            }
        }
        match entry {
            Some(_) => write_axis(out, shown, axis + 1, width, texts),
            None => out.push_str("..."),
        }
    }
    out.push(']');
}

/// How the numbers of one tensor are written: all alike.
struct Style {
    digits: usize,
    scientific: bool,
}

impl Style {
    fn of(visible: &[f32], digits: usize) -> Style {
        let sizes = || visible.iter().filter(|x| x.is_finite() && **x != 0.0).map(|x| x.abs());
        let (low, high) = (sizes().fold(f32::INFINITY, f32::min), sizes().fold(0.0, f32::max));
        let scientific = high >= 1e8 || (low < 1e-4 && high > 0.0) || high / low > 1e4 && low < 1e-3;
        // As many digits as any of them needs, at most `digits`.
        let needed = |x: f32| {
            let text = if scientific { format!("{x:.digits$e}") } else { format!("{x:.digits$}") };
            let mantissa = text.split('e').next().unwrap_or("");
            mantissa.trim_end_matches('0').split_once('.').map_or(0, |(_, fraction)| fraction.len())
        };
        let digits = visible.iter().filter(|x| x.is_finite()).map(|&x| needed(x)).max().unwrap_or(0);
        Style { digits, scientific }
    }

    fn write(&self, x: f32) -> String {
        let digits = self.digits;
        match x {
            _ if x.is_nan() => "nan".into(),
            _ if x.is_infinite() => {
                if x > 0.0 {
                    "inf".into()
                } else {
                    "-inf".into()
                }
            }
            _ if self.scientific => format!("{x:.digits$e}"),
            _ if digits == 0 => format!("{x:.0}."),
            _ => format!("{x:.digits$}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_like_numpys() {
        assert_eq!(Tensor::scalar(2.5).to_string(), "2.5");
        assert_eq!(Tensor::from([1.0, 2.0]).to_string(), "[1., 2.]");
        assert_eq!(
            Tensor::from([[1.0, -2.5], [10.0, 0.25]]).to_string(),
            "[[ 1.00, -2.50],\n [10.00,  0.25]]"
        );
        assert_eq!(Tensor::from([f32::NAN, -f32::INFINITY, 1.5]).to_string(), "[ nan, -inf,  1.5]");
        assert_eq!(Tensor::from([1e-7, 2.0]).to_string(), "[1e-7,  2e0]");
        assert_eq!(format!("{:.2}", Tensor::from([1.0 / 3.0])), "[0.33]");
        assert_eq!(Tensor::zeros([0]).to_string(), "[]");
        assert_eq!(Tensor::zeros([2, 0]).to_string(), "[[],\n []]");
        assert_eq!(Indices::new([1, -20, 3, 4], [2, 2]).to_string(), "[[  1, -20],\n [  3,   4]]");
    }

    #[test]
    fn blocks_are_parted_by_an_empty_line() {
        let x = Tensor::arange(8).reshape([2, 2, 2]);
        assert_eq!(x.to_string(), "[[[0., 1.],\n  [2., 3.]],\n\n [[4., 5.],\n  [6., 7.]]]");
    }

    #[test]
    fn long_axes_are_abridged() {
        assert_eq!(Tensor::arange(1001).to_string(), "[   0.,    1.,    2., ...,  998.,  999., 1000.]");
        assert!(Tensor::zeros([1000, 1000]).to_string().len() < 500);
    }
}
