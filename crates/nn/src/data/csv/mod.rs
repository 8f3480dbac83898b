//! Tables in text files: CSV.

mod records;

use super::Dataset;
use crate::save::{DataError, expansion_limit, read_file};
use gradus_tensor::{Indices, Tensor};
use records::{Cell, Records, cell};
use std::{
    borrow::Cow,
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// The columns of a CSV file by name: those of numbers as a tensor, those of texts as texts.
///
/// ```
/// use gradus_nn::data::csv;
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("iris.csv");
/// std::fs::write(&path, "width,length,species\n0.2,1.4,setosa\n2.5,6.0,virginica\n0.3,1.4,setosa\n")?;
/// let table = csv::read(&path)?;
/// let flowers = table.labelled("species")?;
/// assert_eq!(flowers.inputs().shape(), &[3, 2]);
/// assert_eq!(flowers.labels().as_slice(), [0, 1, 0]);
/// assert_eq!(table.classes("species")?, ["setosa", "virginica"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Table {
    /// The names of the columns of numbers: where the file has no names, the numbers of the columns from 0.
    pub names: Vec<String>,
    /// The columns of numbers: `[rows, columns]`.
    pub values: Tensor,
    /// The columns of texts, each with its name: those without a single number.
    pub texts: Vec<(String, Vec<String>)>,
    path: PathBuf,
}

/// How a CSV file is written, where it does not show by itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Whether the first line names the columns. `None`: it does when none of its fields is a number; a first line of both
    /// numbers and texts is an error. Names that are all numbers, such as years, must be said to be names.
    pub has_header: Option<bool>,
    /// What stands between fields. `None`: a comma; when the first line has none, a semicolon, a tab or a bar; when it has
    /// none of them and is numbers between spaces, or the next line is as many, spaces. With `' '` several spaces, or tabs, are
    /// one.
    pub delimiter: Option<char>,
    /// The number to take for a missing one: for an empty field, and NA, N/A, n/a, &lt;NA>, #N/A, null, NULL, None and ?.
    /// `None`: they are errors. (`nan` is a number.)
    pub missing: Option<f32>,
    /// What stands before the fraction of a number. `None`: a point; a column of nothing but numbers with commas is then an
    /// error, and no column of texts. A comma needs another delimiter, or quotes.
    pub decimal: Option<char>,
    /// Lines that begin with it are left out.
    pub comment: Option<char>,
}

/// Reads a CSV file with the default [`Options`].
///
/// Text is UTF-8, with or without a byte order mark, or UTF-16 with one; the file may be gzipped, when it unpacks to at most
/// 64 MiB or 100 times its size. Lines end with a line feed, a carriage return or both; empty ones are left out. Every record has
/// as many fields as the first. A field may stand between double quotes, and then hold delimiters, line ends, and quotes written
/// twice; spaces around a field do not count.
///
/// A number is what Rust reads as an `f32`, or True or False for 1 and 0. Whole numbers must be such that an f32 holds them;
/// others are rounded to the nearest f32. A column without a single number is one of texts; a text in another column is
/// an error, so that a slip of the pen is not lost.
///
/// # Errors
/// When the file cannot be read or is empty, a line has another number of fields than the first, a quote is not closed; when a
/// field in a column of numbers is a text or missing, a whole number that an f32 cannot hold (2^24 + 1) or a number beyond
/// its range; when it does not show whether the first line names the columns. The line is named.
pub fn read(path: impl AsRef<Path>) -> Result<Table, DataError> {
    read_with(path, &Options::default())
}

/// Reads a CSV file, as [`read`] with options.
///
/// # Errors
/// As [`read`].
///
/// # Panics
/// When the delimiter or the comment is a quote or the end of a line, or two of delimiter, comment and decimal are the same.
///
/// ```
/// use gradus_nn::data::csv::{self, Options};
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("measured.txt");
/// std::fs::write(&path, "# station 7\n2019|2020\n1,5|\n2,5|3,5\n")?;
/// let options = Options {
///     has_header: Some(true),
///     delimiter: Some('|'),
///     missing: Some(f32::NAN),
///     decimal: Some(','),
///     comment: Some('#'),
/// };
/// let table = csv::read_with(&path, &options)?;
/// assert_eq!(table.names, ["2019", "2020"]);
/// assert!(table.values.get([0, 1]).is_nan());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn read_with(path: impl AsRef<Path>, options: &Options) -> Result<Table, DataError> {
    let bad = |c: Option<char>| matches!(c, Some('"' | '\n' | '\r'));
    assert!(
        !bad(options.delimiter) && !bad(options.comment),
        "csv: neither the delimiter nor the comment can be a quote or the end of a line: {options:?}"
    );
    let given = [options.delimiter, options.comment, options.decimal];
    assert!(
        (0..3).all(|i| given[i].is_none() || given[i] != given[(i + 1) % 3]),
        "csv: the delimiter, the comment and the decimal point must differ: {options:?}"
    );
    let path = path.as_ref();
    let wrong = |reason: String| DataError::new(path, reason);
    let bytes = read_file(path).map_err(|reason| wrong(reason.to_string()))?;
    let limit = expansion_limit(bytes.len());
    let text = records::text(bytes, limit).map_err(|reason| wrong(reason.to_string()))?;
    parse(&text, options, path).map_err(wrong)
}

fn parse(text: &str, options: &Options, path: &Path) -> Result<Table, String> {
    let mut records = Records::new(text, options);
    let (start, mut fields) = (records.clone(), Vec::new());
    let Some(line) = records.next(&mut fields)? else { return Err("is empty".to_owned()) };
    let has_header = match options.has_header {
        Some(has_header) => has_header,
        None => shows_header(&fields, records.delimiter(), options.decimal)
            .map_err(|reason| format!("line {line}: {reason}"))?,
    };
    let names: Vec<String> = match has_header {
        true => fields.iter().map(|name| name.trim().to_owned()).collect(),
        false => (0..fields.len()).map(|column| column.to_string()).collect(),
    };
    let records = if has_header { records } else { start };
    let (is_text, rows) = text_columns(records.clone(), names.len(), options.decimal)?;
    let (elements, texts) = fill(records, options, &is_text)?;
    let of = |kind: bool| {
        let names = names.iter().zip(&is_text);
        names.filter(move |(_, text)| **text == kind).map(|(name, _)| name.clone())
    };
    let numbers: Vec<String> = of(false).collect();
    let values = Tensor::try_new(elements, [rows, numbers.len()]).map_err(|error| error.to_string())?;
    Ok(Table { names: numbers, values, texts: of(true).zip(texts).collect(), path: path.to_owned() })
}

/// Whether the first line's fields are names.
fn shows_header(fields: &[Cow<'_, str>], delimiter: char, decimal: Option<char>) -> Result<bool, String> {
    if fields[0].starts_with('#') {
        return Err(
            "begins with '#': is it a comment, Options { comment: Some('#'), .. }, or does it name the \
                    columns, Options { has_header: Some(true), .. }?"
                .to_owned(),
        );
    }
    let number = |field: &&Cow<'_, str>| matches!(cell(field, decimal), Cell::Number(_) | Cell::Unfit(_));
    let text = |field: &&Cow<'_, str>| matches!(cell(field, decimal), Cell::Text);
    match (fields.iter().find(number), fields.iter().find(text)) {
        (Some(number), Some(text)) => Err(format!(
            "{text:?} is no number, but {number:?} is: say with Options {{ has_header, .. }} whether the line names \
             the columns, or with delimiter that fields do not end with {delimiter:?}"
        )),
        (number, _) => Ok(number.is_none()),
    }
}

/// Which columns have a text and no number, and how many records there are, each of so many fields.
fn text_columns(
    mut records: Records<'_>,
    columns: usize,
    decimal: Option<char>,
) -> Result<(Vec<bool>, usize), String> {
    let (mut numbers, mut texts) = (vec![false; columns], vec![false; columns]);
    // Where the first number with a comma is, in columns that have no other texts.
    let mut commas: Vec<Option<String>> = vec![None; columns];
    let (mut fields, mut rows) = (Vec::new(), 0);
    while let Some(line) = records.next(&mut fields)? {
        if fields.len() != columns {
            return Err(format!("line {line}: has {} fields, the first line {columns}", fields.len()));
        }
        rows += 1;
        for (column, field) in fields.iter().enumerate() {
            // One number decides.
            if numbers[column] {
                continue;
            }
            match cell(field, decimal) {
                Cell::Number(_) | Cell::Unfit(_) => numbers[column] = true,
                Cell::Text => {
                    let with_comma = decimal.is_none() && matches!(cell(field, Some(',')), Cell::Number(_));
                    match &commas[column] {
                        _ if !with_comma => commas[column] = None,
                        None if !texts[column] => commas[column] = Some(format!("line {line}: {field:?}")),
                        _ => {}
                    }
                    texts[column] = true;
                }
                Cell::Missing => {}
            }
        }
    }
    let comma = commas.iter().zip(&numbers).find_map(|(comma, number)| comma.as_ref().filter(|_| !number));
    if let Some(place) = comma {
        return Err(format!(
            "{place} is a number with a comma: say with Options {{ decimal: Some(','), .. }} that it stands before the \
             fraction, or with Some('.') that the column is of texts"
        ));
    }
    Ok((texts.into_iter().zip(numbers).map(|(text, number)| text && !number).collect(), rows))
}

/// The numbers row by row, and the texts column by column.
fn fill(
    mut records: Records<'_>,
    options: &Options,
    is_text: &[bool],
) -> Result<(Vec<f32>, Vec<Vec<String>>), String> {
    let mut texts = vec![Vec::new(); is_text.iter().filter(|text| **text).count()];
    let (mut elements, mut fields) = (Vec::new(), Vec::new());
    while let Some(line) = records.next(&mut fields)? {
        let mut text_column = texts.iter_mut();
        for (column, (field, is_text)) in fields.iter().zip(is_text).enumerate() {
            if *is_text {
                text_column.next().expect("one for each").push(field.trim().to_owned());
                continue;
            }
            elements.push(match (cell(field, options.decimal), options.missing) {
                (Cell::Number(number), _) | (Cell::Missing, Some(number)) => number,
                (Cell::Missing, None) => {
                    return Err(format!(
                        "line {line}: field {} is missing ({field:?}); Options {{ missing, .. }} sets a number for it",
                        column + 1
                    ));
                }
                (Cell::Unfit(reason), _) => return Err(format!("line {line}: {reason}")),
                (Cell::Text, _) => return Err(format!("line {line}: {field:?} is no number")),
            });
        }
    }
    Ok((elements, texts))
}

/// A column that was asked for.
enum Column<'a> {
    Numbers(usize),
    Texts(&'a [String]),
}

impl Table {
    /// The column of this name as labels, all others as inputs `[n, columns - 1]`. Texts are numbered in their alphabetic
    /// order, which is that of [`Table::classes`].
    ///
    /// # Errors
    /// When there is no such column, or several; when one of its numbers is no whole number from 0, or a text is missing; when
    /// another column is of texts: [`Table::select`] leaves it out.
    pub fn labelled(&self, column: &str) -> Result<Dataset, DataError> {
        let labels: Vec<i32> = match self.find(column)? {
            Column::Texts(texts) => {
                let classes = self.classes(column)?;
                texts.iter().map(|text| classes.partition_point(|class| class < text) as i32).collect()
            }
            Column::Numbers(at) => {
                let numbers = self.values.slice(1, at..at + 1);
                let label =
                    |(row, x): (usize, f32)| match x >= 0.0 && x.fract() == 0.0 && x < (1 << 24) as f32 {
                        true => Ok(x as i32),
                        false => Err(self.wrong(format!(
                            "row {row} of column {column} is {x}, which is no label 0, 1, ..."
                        ))),
                    };
                numbers.iter().enumerate().map(label).collect::<Result<_, _>>()?
            }
        };
        Ok(Dataset::new(self.inputs(&[column])?, Indices::from(labels)))
    }

    /// The different texts of a column, in alphabetic order: the names of the labels of [`Table::labelled`].
    ///
    /// # Errors
    /// When there is no such column, or several, or it is of numbers, or a text is missing.
    pub fn classes(&self, column: &str) -> Result<Vec<String>, DataError> {
        let Column::Texts(texts) = self.find(column)? else {
            return Err(self.wrong(format!("column {column} is of numbers, not of texts")));
        };
        if let Some(row) = texts.iter().position(|text| matches!(cell(text, None), Cell::Missing)) {
            return Err(self.wrong(format!("row {row} of column {column} is missing")));
        }
        let classes: BTreeSet<&String> = texts.iter().collect();
        Ok(classes.into_iter().cloned().collect())
    }

    /// The columns of these names as targets `[n, k]`, all others as inputs.
    ///
    /// # Errors
    /// When there is no such column, or several; when one of them or of the others is of texts.
    pub fn with_targets(&self, columns: &[&str]) -> Result<Dataset<Tensor>, DataError> {
        let targets: Vec<usize> = columns
            .iter()
            .map(|column| match self.find(column)? {
                Column::Numbers(at) => Ok(at),
                Column::Texts(_) => Err(self.wrong(format!("column {column} is of texts, not of numbers"))),
            })
            .collect::<Result<_, _>>()?;
        Ok(Dataset::new(self.inputs(columns)?, self.values.index_select(1, &Indices::from(targets))))
    }

    /// Only the columns of these names, in this order (numbers and texts apart).
    ///
    /// # Errors
    /// When there is no such column, or several.
    ///
    /// ```
    /// # use gradus_nn::data::csv;
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("ships.csv");
    /// std::fs::write(&path, "name,length,speed\nAmundsen,90,20\nNansen,110,22\n")?;
    /// let data = csv::read(&path)?.select(&["speed", "length"])?.with_targets(&["speed"])?;
    /// assert_eq!((data.inputs().to_vec(), data.targets().to_vec()), (vec![90.0, 110.0], vec![20.0, 22.0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn select(&self, columns: &[&str]) -> Result<Table, DataError> {
        let (mut names, mut numbers, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for column in columns {
            match self.find(column)? {
                Column::Numbers(at) => {
                    names.push((*column).to_owned());
                    numbers.push(at);
                }
                Column::Texts(found) => texts.push(((*column).to_owned(), found.to_vec())),
            }
        }
        let values = self.values.index_select(1, &Indices::from(numbers));
        Ok(Table { names, values, texts, path: self.path.clone() })
    }

    fn wrong(&self, reason: String) -> DataError {
        DataError::new(&self.path, reason)
    }

    /// The one column of this name.
    fn find(&self, column: &str) -> Result<Column<'_>, DataError> {
        let numbers = self.names.iter().enumerate().filter(|(_, name)| *name == column);
        let texts = self.texts.iter().filter(|(name, _)| name == column);
        let mut found =
            numbers.map(|(at, _)| Column::Numbers(at)).chain(texts.map(|(_, texts)| Column::Texts(texts)));
        match (found.next(), found.count()) {
            (Some(column), 0) => Ok(column),
            (None, _) => {
                let texts = self.texts.iter().map(|(name, _)| name);
                let names: Vec<&str> = self.names.iter().chain(texts).map(String::as_str).collect();
                Err(self.wrong(format!("has no column {column}; its columns are {}", names.join(", "))))
            }
            (_, others) => Err(self.wrong(format!("has {} columns {column}", others + 1))),
        }
    }

    /// The columns that are not named, which are all of numbers.
    fn inputs(&self, targets: &[&str]) -> Result<Tensor, DataError> {
        if let Some((name, _)) = self.texts.iter().find(|(name, _)| !targets.contains(&&name[..])) {
            return Err(self.wrong(format!("column {name} is of texts; choose the inputs with select")));
        }
        let inputs: Vec<usize> =
            (0..self.names.len()).filter(|&column| !targets.contains(&&self.names[column][..])).collect();
        Ok(self.values.index_select(1, &Indices::from(inputs)))
    }
}

#[cfg(test)]
mod tests;
