//! Tables of numbers in text files: CSV.

use super::Dataset;
use crate::save::DataError;
use gradus_tensor::{Indices, Tensor};
use std::{fs, path::Path};

/// The numbers of a CSV file, with the names of its columns.
///
/// Every line has the same number of numbers between commas; spaces around them do not count. A first line that is
/// not all numbers names the columns. Quoted texts are not read.
///
/// ```
/// use gradus_nn::data::csv;
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("iris.csv");
/// std::fs::write(&path, "width,length,species\n0.2,1.4,0\n1.3,4.5,1\n2.5,6.0,2\n")?;
/// let flowers = csv::read(&path)?.labelled("species")?;
/// assert_eq!(flowers.inputs().shape(), &[3, 2]);
/// assert_eq!(flowers.labels().as_slice(), [0, 1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Table {
    /// The names of the columns: their numbers from 0 where the file has none.
    pub names: Vec<String>,
    /// `[rows, columns]`
    pub values: Tensor,
    path: std::path::PathBuf,
}

/// Reads a CSV file.
///
/// # Errors
/// When the file cannot be read, or a line has another number of fields than the first, or a field is no number.
pub fn read(path: impl AsRef<Path>) -> Result<Table, DataError> {
    let path = path.as_ref();
    let text = fs::read_to_string(path).map_err(|error| DataError::new(path, error))?;
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).peekable();
    let Some(&(_, first)) = lines.peek() else { return Err(DataError::new(path, "is empty")) };
    let fields = |line: &str| line.split(',').map(|field| field.trim().to_owned()).collect::<Vec<String>>();
    let first = fields(first);
    let is_header = first.iter().any(|field| field.parse::<f32>().is_err());
    let names = match is_header {
        true => {
            lines.next();
            first
        }
        false => (0..first.len()).map(|column| column.to_string()).collect(),
    };
    let mut elements = Vec::new();
    for (number, line) in lines {
        let wrong = |reason: String| Err(DataError::new(path, format!("line {}: {reason}", number + 1)));
        let fields = fields(line);
        if fields.len() != names.len() {
            return wrong(format!("has {} fields, the first line {}", fields.len(), names.len()));
        }
        for field in fields {
            match field.parse::<f32>() {
                Ok(value) => elements.push(value),
                Err(_) => return wrong(format!("{field:?} is no number")),
            }
        }
    }
    let values = Tensor::new(&elements, [elements.len() / names.len(), names.len()]);
    Ok(Table { names, values, path: path.to_owned() })
}

impl Table {
    /// The column of this name as labels, all others as inputs `[n, columns - 1]`.
    ///
    /// # Errors
    /// When there is no such column, or one of its numbers is no whole number from 0.
    pub fn labelled(&self, column: &str) -> Result<Dataset, DataError> {
        let (inputs, targets) = self.apart(&[column])?;
        let label = |(row, x): (usize, f32)| match x >= 0.0 && x.fract() == 0.0 && x < (1 << 24) as f32 {
            true => Ok(x as i32),
            false => {
                let reason = format!("row {row} of column {column} is {x}, which is no label 0, 1, ...");
                Err(DataError::new(&self.path, reason))
            }
        };
        let labels: Vec<i32> = targets.iter().enumerate().map(label).collect::<Result<_, _>>()?;
        Ok(Dataset::new(inputs, Indices::from(labels)))
    }

    /// The columns of these names as targets `[n, k]`, all others as inputs.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn with_targets(&self, columns: &[&str]) -> Result<Dataset<Tensor>, DataError> {
        let (inputs, targets) = self.apart(columns)?;
        Ok(Dataset::new(inputs, targets))
    }

    /// The columns that are not named, and those that are, in the order of their names.
    fn apart(&self, columns: &[&str]) -> Result<(Tensor, Tensor), DataError> {
        let find = |column: &&str| {
            self.names.iter().position(|name| name == column).ok_or_else(|| {
                let names = self.names.join(", ");
                DataError::new(&self.path, format!("has no column {column}; its columns are {names}"))
            })
        };
        let targets: Vec<usize> = columns.iter().map(find).collect::<Result<_, _>>()?;
        let inputs: Vec<usize> = (0..self.names.len()).filter(|column| !targets.contains(column)).collect();
        let of = |columns: Vec<usize>| self.values.index_select(1, &Indices::from(columns));
        Ok((of(inputs), of(targets)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Table, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("table.csv");
        fs::write(&path, text).unwrap();
        read(&path).map_err(|error| {
            assert_eq!(error.path, path);
            error.reason
        })
    }

    #[test]
    fn tables_with_and_without_a_header_are_read() {
        let table = parse("1, 2.5,-3e2\r\n\r\n 4,5 ,6\r\n").unwrap();
        assert_eq!(table.names, ["0", "1", "2"]);
        assert_eq!(table.values, Tensor::from([[1.0, 2.5, -300.0], [4.0, 5.0, 6.0]]));
        let table = parse("a,b\n1,2\n3,4").unwrap();
        let targets = table.with_targets(&["a"]).unwrap();
        assert_eq!(targets.inputs().to_vec(), [2.0, 4.0]);
        assert_eq!(targets.targets(), &Tensor::from([[1.0], [3.0]]));
        assert_eq!(table.with_targets(&["b", "a"]).unwrap().targets().to_vec(), [2.0, 1.0, 4.0, 3.0]);
        assert_eq!(parse("a,b\n").unwrap().values.shape(), &[0, 2]);
    }

    #[test]
    fn faults_are_told_with_their_lines() {
        assert_eq!(parse("\n\n").unwrap_err(), "is empty");
        assert_eq!(parse("a,b\n1,2\n3\n").unwrap_err(), "line 3: has 1 fields, the first line 2");
        assert_eq!(parse("1,2\n\n3,x\n").unwrap_err(), "line 3: \"x\" is no number");
        let table = parse("x,y\n1,0\n2,1.5\n").unwrap();
        let reason = table.labelled("y").unwrap_err().reason;
        assert_eq!(reason, "row 1 of column y is 1.5, which is no label 0, 1, ...");
        let reason = table.labelled("z").unwrap_err().reason;
        assert_eq!(reason, "has no column z; its columns are x, y");
        assert!(parse("x,y\n1,nan\n").unwrap().labelled("y").is_err());
        assert!(read("no/such/file.csv").is_err());
    }
}
