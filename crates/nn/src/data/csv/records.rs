//! The grammar of CSV: a text apart into lines and fields (RFC 4180, and what programs write beside it).

use super::Options;
use crate::save::{Reason, unpack, whole};
use flate2::bufread::MultiGzDecoder;
use std::borrow::Cow;

/// The text of a file: UTF-8, or UTF-16 after its byte order mark, gzipped or not; `limit`
/// is the most bytes that it may unpack to.
pub(super) fn text(mut bytes: Vec<u8>, limit: usize) -> Result<String, Reason> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        bytes = unpack(MultiGzDecoder::new(&bytes[..]), limit)?;
    }
    if let Some((_, form)) = OTHER_FORMS.iter().find(|(begin, _)| bytes.starts_with(begin)) {
        return Err(format!("is {form}, which is not read: unpack it first").into());
    }
    let wide = |from: fn([u8; 2]) -> u16| {
        let (units, rest) = bytes[2..].as_chunks();
        let text: Result<String, _> = char::decode_utf16(units.iter().map(|&unit| from(unit))).collect();
        text.ok().filter(|_| rest.is_empty()).ok_or("begins as UTF-16, which the rest is not".into())
    };
    match bytes[..] {
        [0xff, 0xfe, ..] => return wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => return wide(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, ..] => drop(bytes.drain(..3)),
        _ => {}
    }
    let line = |before: &[u8]| 1 + before.iter().filter(|&&byte| byte == b'\n').count();
    if let Some(at) = bytes.iter().position(|&byte| byte == 0) {
        let line = line(&bytes[..at]);
        return Err(format!("line {line}: has a byte 0: is it UTF-16 without a byte order mark?").into());
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = line(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        format!("line {line}: is neither UTF-8 nor, with a byte order mark, UTF-16").into()
    })
}

/// What files begin with that tables are packed in, other than gzip's.
const OTHER_FORMS: [(&[u8], &str); 4] = [
    (b"PK\x03\x04", "a zip archive"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ\0", "compressed by xz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
];

/// The records of a text, one after the other. Empty lines and comments are none.
#[derive(Clone)]
pub(super) struct Records<'a> {
    rest: &'a str,
    /// The number of the line that begins there, from 1.
    line: usize,
    delimiter: char,
    comment: Option<char>,
}

impl<'a> Records<'a> {
    pub(super) fn new(text: &'a str, options: &Options) -> Records<'a> {
        let Options { delimiter, comment, decimal, .. } = *options;
        let mut records = Records { rest: text, line: 1, delimiter: delimiter.unwrap_or(','), comment };
        if delimiter.is_none() {
            let mut lines = records.clone();
            let mut next = || {
                lines.skip();
                let line = lines.rest.split(['\n', '\r']).next().unwrap_or_default();
                lines.rest = &lines.rest[line.len()..];
                line
            };
            records.delimiter = guess(next(), next(), decimal);
        }
        records
    }

    pub(super) fn delimiter(&self) -> char {
        self.delimiter
    }

    /// The fields of the next record, and the number of its first line; none at the end.
    pub(super) fn next(&mut self, fields: &mut Vec<Cow<'a, str>>) -> Result<Option<usize>, String> {
        fields.clear();
        self.skip();
        let line = self.line;
        if self.rest.is_empty() {
            return Ok(None);
        }
        loop {
            fields.push(self.field(line)?);
            if self.delimiter == ' ' {
                self.skip_spaces();
            }
            match self.rest.chars().next() {
                Some(end @ ('\n' | '\r')) => {
                    self.end_line(end);
                    return Ok(Some(line));
                }
                // Between spaces a field needs no delimiter, which was skipped.
                Some(_) if self.delimiter == ' ' => {}
                Some(delimiter) => self.rest = &self.rest[delimiter.len_utf8()..],
                None => return Ok(Some(line)),
            }
        }
    }

    fn field(&mut self, line: usize) -> Result<Cow<'a, str>, String> {
        let delimiter = self.delimiter;
        self.skip_spaces();
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let end = |c: char| c == delimiter || c == '\n' || c == '\r' || delimiter == ' ' && c == '\t';
            let (field, rest) = self.rest.split_at(self.rest.find(end).unwrap_or(self.rest.len()));
            self.rest = rest;
            return Ok(field.trim().into());
        };
        let mut content = Cow::Borrowed("");
        let mut quoted = quoted;
        loop {
            let Some((part, rest)) = quoted.split_once('"') else {
                return Err(format!("line {line}: a quote is not closed"));
            };
            content += part;
            match rest.strip_prefix('"') {
                // Two quotes are one of the text.
                Some(rest) => {
                    content += "\"";
                    quoted = rest;
                }
                None => {
                    self.rest = rest;
                    break;
                }
            }
        }
        self.line += content.matches('\n').count();
        if delimiter != ' ' {
            self.skip_spaces();
        }
        let ended = |c: char| c == delimiter || c.is_whitespace();
        match self.rest.chars().next() {
            Some(c) if !ended(c) => Err(format!("line {line}: {c:?} follows a closing quote")),
            _ => Ok(content),
        }
    }

    /// Goes to the beginning of the next record.
    fn skip(&mut self) {
        while let Some(end) =
            self.rest.find(['\n', '\r']).or((!self.rest.is_empty()).then_some(self.rest.len()))
        {
            let (line, rest) = self.rest.split_at(end);
            let empty = line.chars().all(|c| c.is_whitespace() && (c != self.delimiter || c == ' '));
            if !empty && !self.comment.is_some_and(|comment| line.trim_start().starts_with(comment)) {
                return;
            }
            self.rest = rest;
            if let Some(end) = rest.chars().next() {
                self.end_line(end);
            }
        }
    }

    fn skip_spaces(&mut self) {
        let space = |c: char| c == ' ' || c == '\t' && self.delimiter != '\t';
        self.rest = self.rest.trim_start_matches(space);
    }

    /// Over the end of a line, which is a line feed, a carriage return or both.
    fn end_line(&mut self, end: char) {
        let rest = &self.rest[1..];
        self.rest = if end == '\r' { rest.strip_prefix('\n').unwrap_or(rest) } else { rest };
        self.line += 1;
    }
}

/// A comma, where it is no decimal point; where the first line has none, a semicolon, a tab or a bar; where it has none of these and
/// is numbers with spaces between them, or the next line is as many, spaces.
fn guess(first: &str, second: &str, decimal: Option<char>) -> char {
    // What stands between quotes does not count.
    let plain: String = first.split('"').step_by(2).collect();
    let mut delimiters = [',', ';', '\t', '|'].into_iter().filter(|&delimiter| Some(delimiter) != decimal);
    if let Some(found) = delimiters.find(|&delimiter| plain.contains(delimiter)) {
        return found;
    }
    let count = plain.split_whitespace().count();
    let is_numbers = |line: &str| {
        let mut words = line.split_whitespace();
        line.split_whitespace().count() == count
            && words.all(|word| !matches!(cell(word, decimal), Cell::Text))
    };
    if count > 1 && (is_numbers(&plain) || is_numbers(second)) { ' ' } else { ',' }
}

/// What a field says.
pub(super) enum Cell {
    Number(f32),
    /// A number that an f32 does not hold: why.
    Unfit(String),
    /// Nothing, or one of the words for it.
    Missing,
    Text,
}

const MISSING: [&str; 10] = ["", "NA", "N/A", "n/a", "<NA>", "#N/A", "null", "NULL", "None", "?"];

/// `decimal` is what stands before the fraction, a point for none.
pub(super) fn cell(field: &str, decimal: Option<char>) -> Cell {
    let field = field.trim();
    match field {
        "True" | "true" | "TRUE" => return Cell::Number(1.0),
        "False" | "false" | "FALSE" => return Cell::Number(0.0),
        _ if MISSING.contains(&field) => return Cell::Missing,
        _ => {}
    }
    let digits = field.strip_prefix(['+', '-']).unwrap_or(field);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // As in the binary formats a whole number is exact or refused.
        let fit = field.parse().ok().and_then(|number| whole(number).ok());
        return fit.map_or_else(|| Cell::Unfit(format!("an f32 cannot hold {field}")), Cell::Number);
    }
    let number = match decimal {
        // A point is then one of thousands, or a slip.
        Some(decimal) if decimal != '.' && field.contains('.') => return Cell::Text,
        Some(decimal) => field.replacen(decimal, ".", 1).parse::<f32>(),
        None => field.parse(),
    };
    match number {
        Ok(number) if number.is_infinite() && digits.contains(|c: char| c.is_ascii_digit()) => {
            Cell::Unfit(format!("{field} is beyond an f32's range"))
        }
        Ok(number) => Cell::Number(number),
        Err(_) => Cell::Text,
    }
}
