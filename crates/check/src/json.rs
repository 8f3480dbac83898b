//! JSON, written without help from outside.

use std::fmt;

/// A JSON value. `{}` writes it on one line, `{:#}` indented by two spaces.
///
/// ```
/// use gradus_check::Json;
///
/// let value = Json::object([("x", Json::from(1.5)), ("name", Json::from("a \"b\"")), ("none", Json::from(f64::NAN))]);
/// assert_eq!(value.to_string(), r#"{"x":1.5,"name":"a \"b\"","none":null}"#);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`; what numbers that are not finite are written as.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// Names with values, in this order.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// An object of these fields.
    pub fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Json)>) -> Json {
        Json::Object(fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
    }

    /// A list of these values.
    pub fn list<T: Into<Json>>(values: impl IntoIterator<Item = T>) -> Json {
        Json::List(values.into_iter().map(Into::into).collect())
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(value) => write!(f, "{value}"),
            Json::Integer(value) => write!(f, "{value}"),
            Json::Number(value) if !value.is_finite() => f.write_str("null"),
            Json::Number(value) => write!(f, "{value:?}"),
            Json::Text(text) => quote(f, text),
            Json::List(values) => {
                let items = values.iter().map(|value| (None, value));
                write_all(f, ('[', ']'), items, depth)
            }
            Json::Object(fields) => {
                let items = fields.iter().map(|(name, value)| (Some(name.as_str()), value));
                write_all(f, ('{', '}'), items, depth)
            }
        }
    }
}

fn write_all<'a>(
    f: &mut fmt::Formatter<'_>,
    (open, close): (char, char),
    items: impl ExactSizeIterator<Item = (Option<&'a str>, &'a Json)>,
    depth: usize,
) -> fmt::Result {
    let is_empty = items.len() == 0;
    let line = |f: &mut fmt::Formatter<'_>, depth: usize| match f.alternate() && !is_empty {
        true => write!(f, "\n{:1$}", "", 2 * depth),
        false => Ok(()),
    };
    write!(f, "{open}")?;
    for (k, (name, value)) in items.enumerate() {
        if k > 0 {
            f.write_str(",")?;
        }
        line(f, depth + 1)?;
        if let Some(name) = name {
            quote(f, name)?;
            f.write_str(if f.alternate() { ": " } else { ":" })?;
        }
        value.write(f, depth + 1)?;
    }
    line(f, depth)?;
    write!(f, "{close}")
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            c if (c as u32) < 0x20 => write!(f, "\\u{:04x}", c as u32)?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Json {
        Json::Bool(value)
    }
}

impl From<f64> for Json {
    fn from(value: f64) -> Json {
        Json::Number(value)
    }
}

impl From<usize> for Json {
    fn from(value: usize) -> Json {
        i64::try_from(value).map_or(Json::Number(value as f64), Json::Integer)
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Json {
        i64::try_from(value).map_or(Json::Number(value as f64), Json::Integer)
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Json {
        Json::Text(value.to_string())
    }
}

impl From<String> for Json {
    fn from(value: String) -> Json {
        Json::Text(value)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Json {
        value.map_or(Json::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_and_every_kind_of_value() {
        let value = Json::object([
            ("list", Json::list([1usize, 2])),
            ("empty", Json::List(Vec::new())),
            ("text", Json::from("a\n\u{1}\\")),
            ("small", Json::from(1e-300)),
            ("infinite", Json::from(f64::INFINITY)),
            ("yes", Json::from(true)),
            ("none", Json::from(None::<f64>)),
        ]);
        let line = r#"{"list":[1,2],"empty":[],"text":"a\n\u0001\\","small":1e-300,"infinite":null,"yes":true,"none":null}"#;
        assert_eq!(value.to_string(), line);
        let lines = "{\n  \"list\": [\n    1,\n    2\n  ],\n  \"empty\": []";
        assert!(format!("{value:#}").starts_with(lines), "{value:#}");
    }
}
