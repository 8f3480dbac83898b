//! The data of a picture, as a table beside it.

use super::chart::Point;
use std::{error::Error, path::Path};

/// Writes a CSV file: the names of the columns, with commas between them, then one line for each row, with numbers that
/// read back exactly.
pub(crate) fn write_csv(
    path: impl AsRef<Path>,
    names: &str,
    rows: &[impl AsRef<[f64]>],
) -> Result<(), Box<dyn Error>> {
    let line = |row: &[f64]| row.iter().map(f64::to_string).collect::<Vec<_>>().join(",") + "\n";
    let text = names.to_owned() + "\n" + &rows.iter().map(|row| line(row.as_ref())).collect::<String>();
    Ok(gradus::nn::write_atomically(path, text)?)
}

/// A column of a table, counted from 0, along its first one: a line of a chart.
pub(crate) fn column(rows: &[impl AsRef<[f64]>], k: usize) -> Vec<Point> {
    rows.iter().map(|row| (row.as_ref()[0], row.as_ref()[k])).collect()
}
