//! The history of a training run: the metrics of each epoch, and its logs as CSV and JSON lines.

use crate::save::StateError;
use std::fmt::Write;

/// The metrics of one epoch, by name, in the order in which they were put in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    values: Vec<(String, f64)>,
}

impl Record {
    /// Adds a metric, or replaces it.
    ///
    /// # Panics
    /// When the name has other characters than letters, digits and `_ - . / @`: it becomes a column of a table.
    #[track_caller]
    pub fn put(&mut self, name: &str, value: f64) {
        let plain = |c: char| c.is_alphanumeric() || "_-./@".contains(c);
        assert!(
            !name.is_empty() && name.chars().all(plain),
            "history: {name:?} is no name of a metric; use letters, digits and _ - . / @"
        );
        match self.values.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.values.push((name.to_owned(), value)),
        }
    }

    /// The metric of this name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(known, _)| known == name).map(|&(_, value)| value)
    }

    /// All metrics.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.values.iter().map(|(name, value)| (&name[..], *value))
    }
}

/// The records of all epochs so far.
///
/// ```
/// use gradus_nn::train::{History, Record};
///
/// let mut history = History::default();
/// for loss in [0.5, 0.25] {
///     let mut record = Record::default();
///     record.put("loss", loss);
///     history.push(record);
/// }
/// assert_eq!(history.column("loss"), [0.5, 0.25]);
/// assert_eq!(history.to_csv(), "epoch,loss\n1,0.5\n2,0.25\n");
/// assert_eq!(history.to_json_lines(), "{\"epoch\":1,\"loss\":0.5}\n{\"epoch\":2,\"loss\":0.25}\n");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    records: Vec<Record>,
}

impl History {
    /// Adds an epoch.
    pub fn push(&mut self, record: Record) {
        self.records.push(record);
    }

    /// The epochs, the first first.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// One metric of all epochs; NaN where an epoch has none.
    pub fn column(&self, name: &str) -> Vec<f64> {
        self.records.iter().map(|record| record.get(name).unwrap_or(f64::NAN)).collect()
    }

    /// The names of all metrics, in the order in which they first came.
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for (name, _) in self.records.iter().flat_map(Record::iter) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// A table: a line of names, and a line for each epoch, with nothing where an epoch lacks a metric. Write it with
    /// [`write_atomically`](crate::write_atomically).
    pub fn to_csv(&self) -> String {
        let names = self.names();
        let mut text = ["epoch"].iter().chain(&names).copied().collect::<Vec<_>>().join(",") + "\n";
        for (i, record) in self.records.iter().enumerate() {
            write!(text, "{}", i + 1).expect("a string takes all");
            for name in &names {
                text.push(',');
                if let Some(value) = record.get(name) {
                    write!(text, "{value}").expect("a string takes all");
                }
            }
            text.push('\n');
        }
        text
    }

    /// An object for each epoch, a line each. What is not finite, which JSON has no word for, is null.
    pub fn to_json_lines(&self) -> String {
        let mut text = String::new();
        for (i, record) in self.records.iter().enumerate() {
            write!(text, "{{\"epoch\":{}", i + 1).expect("a string takes all");
            for (name, value) in record.iter() {
                let value = if value.is_finite() { value.to_string() } else { "null".into() };
                write!(text, ",\"{name}\":{value}").expect("a string takes all");
            }
            text.push_str("}\n");
        }
        text
    }

    /// Reads what [`History::to_csv`] wrote.
    ///
    /// # Errors
    /// When the text is no such table.
    pub fn from_csv(text: &str) -> Result<History, StateError> {
        let wrong =
            |line: &str| StateError::new(format!("history: {line:?} is no line of a table of metrics"));
        let mut lines = text.lines();
        let names: Vec<&str> = match lines.next() {
            Some(header) if header == "epoch" || header.starts_with("epoch,") => {
                header.split(',').skip(1).collect()
            }
            other => return Err(wrong(other.unwrap_or_default())),
        };
        let mut history = History::default();
        for line in lines {
            let fields: Vec<&str> = line.split(',').skip(1).collect();
            if fields.len() != names.len() {
                return Err(wrong(line));
            }
            let mut record = Record::default();
            for (name, field) in names.iter().zip(fields).filter(|(_, field)| !field.is_empty()) {
                let value = field.parse().map_err(|_| wrong(line))?;
                record.values.push((name.to_string(), value));
            }
            history.push(record);
        }
        Ok(history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        let mut history = History::default();
        for values in [&[("loss", 1.0 / 3.0)][..], &[("loss", f64::NAN), ("val_loss", 1e-30)], &[("x", 2.0)]]
        {
            let mut record = Record::default();
            values.iter().for_each(|&(name, value)| record.put(name, value));
            history.push(record);
        }
        history
    }

    #[test]
    fn a_table_comes_back_with_all_its_digits_and_gaps() {
        let history = history();
        let back = History::from_csv(&history.to_csv()).unwrap();
        assert_eq!(back.names(), ["loss", "val_loss", "x"]);
        for (a, b) in history.records().iter().zip(back.records()) {
            let bits =
                |record: &Record| record.iter().map(|(n, v)| (n.to_owned(), v.to_bits())).collect::<Vec<_>>();
            assert_eq!(bits(a), bits(b));
        }
        assert_eq!(History::from_csv("epoch\n").unwrap(), History::default());
        for bad in ["", "loss\n1\n", "epoch,loss\n1\n", "epoch,loss\n1,x\n"] {
            assert!(History::from_csv(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn json_has_null_for_what_is_not_finite() {
        assert!(history().to_json_lines().contains("{\"epoch\":2,\"loss\":null,\"val_loss\":0.000"));
    }

    #[test]
    fn a_metric_put_twice_is_replaced() {
        let mut record = Record::default();
        record.put("loss", 1.0);
        record.put("loss", 2.0);
        assert_eq!(record.iter().collect::<Vec<_>>(), [("loss", 2.0)]);
    }

    #[test]
    #[should_panic = "is no name of a metric"]
    fn names_that_would_break_the_table_panic() {
        Record::default().put("a,b", 1.0);
    }
}
