//! Texts, numbers and tables as HTML.

use base64::{Engine, prelude::BASE64_STANDARD};
use std::fmt::{Display, Write};

/// A text that comes from elsewhere: shown as it is, whatever characters it has.
pub(super) fn text(text: impl Display) -> String {
    // HTML has no way to say most control characters.
    let clean: String = text
        .to_string()
        .chars()
        .map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c })
        .collect();
    html_escape::encode_safe(&clean).into_owned()
}

/// A number with four digits that count: `0.0123`, `1.23e-5`, `NaN`.
pub(super) fn number(x: f64) -> String {
    match x {
        _ if x.is_nan() => "NaN".into(),
        f64::INFINITY => "∞".into(),
        f64::NEG_INFINITY => "−∞".into(),
        0.0 => "0".into(),
        _ if (1e-3..1e6).contains(&x.abs()) => {
            let digits = (3 - x.abs().log10().floor() as i32).clamp(0, 6) as usize;
            let text = format!("{x:.digits$}");
            let text = if digits > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
            text.replace('-', "−")
        }
        _ => format!("{x:.2e}").replace('-', "−"),
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

/// `1 epoch`, `2 epochs`.
pub(super) fn count(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// Bytes as a picture's address, which needs no other file.
pub(super) fn png_address(bytes: &[u8]) -> String {
    format!("data:image/png;base64,{}", BASE64_STANDARD.encode(bytes))
}

/// A cell of a table.
pub(super) enum Cell {
    Text(String),
    Code(String),
    Number(String),
    /// A share from 0 to 1, with a bar.
    Share(f64),
    /// Whether all is well, and a word for it.
    Verdict(bool, String),
}

impl Cell {
    fn html(&self, out: &mut String) {
        let cell = match self {
            Cell::Text(content) => format!("<td>{}</td>", text(content)),
            Cell::Code(content) => format!("<td><code>{}</code></td>", text(content)),
            Cell::Number(content) => format!("<td class=\"n\">{}</td>", text(content)),
            Cell::Share(share) => {
                let percent = 100.0 * share;
                format!("<td class=\"n bar\" style=\"--s:{percent:.1}%\">{percent:.0} %</td>")
            }
            Cell::Verdict(fine, word) => {
                let (class, sign) = if *fine { ("good", '✓') } else { ("bad", '✗') };
                format!("<td class=\"{class}\">{sign} {}</td>", text(word))
            }
        };
        out.push_str(&cell);
    }
}

/// A table that scrolls by itself where it is wider than the page. The first cell of a row is what the row is about.
pub(super) fn table(caption: &str, header: &[&str], rows: &[Vec<Cell>]) -> String {
    let mut out = scrolled(caption);
    out.push_str("<table><thead><tr>");
    let is_number = |column: usize| {
        rows.first().is_some_and(|row| matches!(row.get(column), Some(Cell::Number(_) | Cell::Share(_))))
    };
    for (column, title) in header.iter().enumerate() {
        let class = if is_number(column) { " class=\"n\"" } else { "" };
        let _ = write!(out, "<th scope=\"col\"{class}>{}</th>", text(title));
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        row.iter().for_each(|cell| cell.html(&mut out));
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// The beginning of a box that scrolls, by keys too, with a name for who cannot see it. It ends with `</div>`.
pub(super) fn scrolled(name: &str) -> String {
    format!("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">", text(name))
}

/// What is shown when it is asked for.
pub(super) fn folded(title: &str, html: &str) -> String {
    format!("<details><summary>{}</summary>\n{html}</details>\n", text(title))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_shown_and_never_obeyed() {
        assert_eq!(text("a<b>&\"c\"'d'"), "a&lt;b&gt;&amp;&quot;c&quot;&#x27;d&#x27;");
        assert_eq!(text("é ∂\n\0\u{7}\u{85}"), "é ∂\n\u{fffd}\u{fffd}\u{fffd}");
    }

    #[test]
    fn numbers_have_four_digits_that_count() {
        for (x, expected) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.123456, "0.1235"),
            (-12.5, "−12.5"),
            (99_999.6, "100000"),
            (1500.0, "1500"),
            (0.001, "0.001"),
            (0.00012345, "1.23e−4"),
            (-2.5e30, "−2.50e30"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "∞"),
        ] {
            assert_eq!(number(x), expected);
        }
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
