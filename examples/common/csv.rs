//! The data of a picture, as a table beside it.

use std::{error::Error, path::Path};

/// Writes a CSV file: the names of the columns, then one line for each row, with numbers that read back exactly.
pub(crate) fn write_csv<const N: usize>(
    path: impl AsRef<Path>,
    names: [&str; N],
    rows: &[[f64; N]],
) -> Result<(), Box<dyn Error>> {
    let line = |row: &[f64; N]| row.map(|number| number.to_string()).join(",") + "\n";
    let text = names.join(",") + "\n" + &rows.iter().map(line).collect::<String>();
    Ok(gradus::nn::write_atomically(path, text)?)
}
