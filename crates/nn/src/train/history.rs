//! The history of a training run: the metrics and the hash of each epoch, and its logs as CSV and JSON lines.

use crate::save::StateError;
use std::{
    collections::{HashMap, HashSet},
    fmt::Write,
    sync::Arc,
};

/// The metrics of one epoch, by name, in the order in which they were put in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The names are those of the table that they were read from: a long one must not take memory again in each record.
    values: Vec<(Arc<str>, f64)>,
    hash: Option<u64>,
}

/// The name of the column of hashes.
const HASH: &str = "hash";

impl Record {
    /// Adds a metric, or replaces it.
    ///
    /// # Panics
    /// When the name has other characters than letters, digits and `_ - . / @`: it becomes a column of a table. When it is
    /// `hash`, which is a column already.
    #[track_caller]
    pub fn put(&mut self, name: &str, value: f64) {
        assert!(is_name(name), "history: {name:?} is no name of a metric; use letters, digits and _ - . / @");
        assert!(name != HASH, "history: \"hash\" is the name of the run's hash; give the metric another");
        match self.values.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, old)) => *old = value,
            None => self.values.push((name.into(), value)),
        }
    }

    /// The metric of this name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(known, _)| **known == *name).map(|&(_, value)| value)
    }

    /// The hash of the run up to this epoch, which a [`Trainer`](super::Trainer) puts in: of gradus's version, of the order in
    /// which the examples came, and of the weights after each epoch. Two runs with the same hash after an epoch have
    /// done the same until then, to the last bit; the first epoch whose hashes differ is where they parted.
    pub fn hash(&self) -> Option<u64> {
        self.hash
    }

    pub(super) fn set_hash(&mut self, hash: Option<u64>) {
        self.hash = hash;
    }

    /// All metrics.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.values.iter().map(|(name, value)| (&name[..], *value))
    }
}

/// Whether it can be the name of a column.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-./@".contains(c))
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
        let mut known = HashSet::new();
        let all = self.records.iter().flat_map(Record::iter).map(|(name, _)| name);
        all.filter(|name| known.insert(*name)).collect()
    }

    /// A table: a line of names, and a line for each epoch, with nothing where an epoch lacks a metric. The last column is
    /// the hash, with 16 hexadecimal digits, if there are any. Write it with [`write_atomically`](crate::write_atomically).
    pub fn to_csv(&self) -> String {
        let names = self.names();
        let hashed = self.records.iter().any(|record| record.hash.is_some());
        let header = ["epoch"].iter().chain(&names).chain(hashed.then_some(&HASH));
        let mut text = header.copied().collect::<Vec<_>>().join(",") + "\n";
        for (i, record) in self.records.iter().enumerate() {
            write!(text, "{}", i + 1).expect("a string takes all");
            let values: HashMap<&str, f64> = record.iter().collect();
            for name in &names {
                text.push(',');
                if let Some(value) = values.get(name) {
                    write!(text, "{value}").expect("a string takes all");
                }
            }
            if hashed {
                text.push(',');
            }
            if let Some(hash) = record.hash {
                write!(text, "{hash:016x}").expect("a string takes all");
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
            if let Some(hash) = record.hash {
                write!(text, ",\"{HASH}\":\"{hash:016x}\"").expect("a string takes all");
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
        let header = lines.next().unwrap_or_default();
        let mut fields = header.split(',');
        if fields.next() != Some("epoch") {
            return Err(wrong(header));
        }
        let names: Vec<Arc<str>> = fields.map(Arc::from).collect();
        let different: HashSet<&Arc<str>> = names.iter().collect();
        if different.len() < names.len() || !names.iter().all(|name| is_name(name)) {
            return Err(wrong(header));
        }
        let mut history = History::default();
        for (epoch, line) in (1u64..).zip(lines) {
            let mut fields = line.split(',');
            // A line that is lost or there twice would move all that follow.
            if fields.next().and_then(|field| field.parse().ok()) != Some(epoch) {
                return Err(StateError::new(format!("history: {line:?} is not the line of epoch {epoch}")));
            }
            let fields: Vec<&str> = fields.collect();
            if fields.len() != names.len() {
                return Err(wrong(line));
            }
            let mut record = Record::default();
            for (name, field) in names.iter().zip(fields).filter(|(_, field)| !field.is_empty()) {
                if **name == *HASH {
                    record.hash = Some(u64::from_str_radix(field, 16).map_err(|_| wrong(line))?);
                } else {
                    let value = field.parse().map_err(|_| wrong(line))?;
                    record.values.push((name.clone(), value));
                }
            }
            history.push(record);
        }
        Ok(history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

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
        for bad in [
            "",
            "loss\n1\n",
            "epoch,loss\n1\n",
            "epoch,loss\n1,x\n",
            "epoch,a,a\n",
            "epoch,\n",
            "epoch,a b\n",
            "epoch,loss\n1,0.5\n3,0.25\n",
            "epoch,loss\n1,0.5\n1,0.5\n",
            "epoch,loss\n0,0.5\n",
        ] {
            assert!(History::from_csv(bad).is_err(), "{bad:?}");
        }
    }

    /// A checkpoint of some megabytes may have so many, and must not take hours when it is saved again.
    #[test]
    fn very_many_metrics_are_written_as_fast_as_they_are_read() {
        let (names, values): (Vec<_>, Vec<_>) =
            (0..200_000).map(|i| (format!("m{i}"), i.to_string())).unzip();
        let table = format!("epoch,{}\n1,{}\n", names.join(","), values.join(","));
        let start = Instant::now();
        let history = History::from_csv(&table).unwrap();
        let read = start.elapsed();
        assert!(history.to_csv() == table);
        let both = start.elapsed();
        assert!(both < 20 * read, "read in {read:?}, and written in {:?}", both - read);
    }

    #[test]
    fn hashes_are_the_last_column_and_come_back() {
        let mut history = history();
        history.records[1].set_hash(Some(0x00ab_0000_0000_0007));
        let table = history.to_csv();
        assert_eq!(table.lines().next().unwrap(), "epoch,loss,val_loss,x,hash");
        assert!(table.lines().nth(1).unwrap().ends_with("3333,,,"), "{table}");
        assert!(table.lines().nth(2).unwrap().ends_with(",00ab000000000007"), "{table}");
        let back = History::from_csv(&table).unwrap();
        let hashes = |history: &History| history.records().iter().map(Record::hash).collect::<Vec<_>>();
        assert_eq!(hashes(&back), [None, Some(0x00ab_0000_0000_0007), None]);
        assert_eq!(back.names(), ["loss", "val_loss", "x"]);
        assert!(history.to_json_lines().contains(",\"hash\":\"00ab000000000007\"}"));
        assert!(History::from_csv("epoch,hash\n1,g\n").is_err());
    }

    #[test]
    #[should_panic = "\"hash\" is the name of the run's hash"]
    fn a_metric_cannot_take_the_name_of_the_hash() {
        Record::default().put("hash", 1.0);
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
