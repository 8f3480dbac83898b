//! Tables as programs write them, and faults with their lines.

use super::*;
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use std::{fs, io::Write};

fn parse_bytes(bytes: &[u8], options: &Options) -> Result<Table, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("table.csv");
    fs::write(&path, bytes).unwrap();
    read_with(&path, options).map_err(|error| {
        assert_eq!(error.path, path);
        error.reason
    })
}

fn parse(text: &str) -> Result<Table, String> {
    parse_bytes(text.as_bytes(), &Options::default())
}

fn parse_with(text: &str, options: Options) -> Result<Table, String> {
    parse_bytes(text.as_bytes(), &options)
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
    assert_eq!(parse("5").unwrap().values, Tensor::from([[5.0]]));
}

#[test]
fn faults_are_told_with_their_lines() {
    assert_eq!(parse("\n\n").unwrap_err(), "is empty");
    assert_eq!(parse("").unwrap_err(), "is empty");
    assert_eq!(parse("a,b\n1,2\n3\n").unwrap_err(), "line 3: has 1 fields, the first line 2");
    assert_eq!(parse("1,2\n\n3,x\n").unwrap_err(), "line 3: \"x\" is no number");
    let table = parse("x,y\n1,0\n2,1.5\n").unwrap();
    let reason = table.labelled("y").unwrap_err().reason;
    assert_eq!(reason, "row 1 of column y is 1.5, which is no label 0, 1, ...");
    let reason = table.labelled("z").unwrap_err().reason;
    assert_eq!(reason, "has no column z; its columns are x, y");
    assert!(parse("x,y\n1,nan\n").unwrap().labelled("y").is_err());
    assert!(read("no/such/file.csv").is_err());
    assert_eq!(parse("a,b\n\"1,2\n3,4\n").unwrap_err(), "line 2: a quote is not closed");
    assert_eq!(parse("a,b\n\"1\"2,3\n").unwrap_err(), "line 2: '2' follows a closing quote");
    // The lines within quotes count.
    assert_eq!(parse("\"a\nb\",c\n1,2\n3,x\n").unwrap_err(), "line 4: \"x\" is no number");
    let error = parse_bytes(b"a,b\n1,2\n3,\xff\n", &Options::default()).unwrap_err();
    assert_eq!(error, "line 3: is neither UTF-8 nor, with a byte order mark, UTF-16");
}

#[test]
fn a_gap_or_a_typo_in_the_first_line_does_not_make_it_a_header() {
    let error = parse("1,,3\n4,5,6\n").unwrap_err();
    assert!(error.starts_with("line 1: field 2 is missing (\"\"); Options { missing"), "{error}");
    let error = parse("1,2x,3\n4,5,6\n").unwrap_err();
    assert!(
        error.starts_with("line 1: \"2x\" is no number, but \"1\" is: say with Options { has_header"),
        "{error}"
    );
    let options = |has_header| Options { has_header: Some(has_header), ..Default::default() };
    assert_eq!(parse_with("1,2x,3\n4,5,6\n", options(false)).unwrap_err(), "line 1: \"2x\" is no number");
    // Where the first line is said to be one, or not to be one, it is not looked at.
    assert_eq!(parse_with("name,2019\na,1\n", options(true)).unwrap().names, ["2019"]);
    assert_eq!(parse_with("2019,2020\n1,2\n", options(true)).unwrap().values, Tensor::from([[1.0, 2.0]]));
    let table = parse_with("5.1,setosa\n", options(false)).unwrap();
    assert_eq!(table.texts, [("1".to_owned(), vec!["setosa".to_owned()])]);
}

#[test]
fn byte_order_marks_and_quotes_are_no_part_of_the_text() {
    for text in [
        "a,b\n1,2\n",
        "\"a\",\"b\"\n\"1\",\"2\"\n",
        " \"a\" , b\r1, \"2\"\r",
        "a;b\n1;2\n",
        "a\tb\n1\t2\n",
        "a|b\n1|2\n",
    ] {
        let utf16 = |order: fn(u16) -> [u8; 2]| {
            std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(order).collect::<Vec<u8>>()
        };
        let mut zipped = GzEncoder::new(Vec::new(), Compression::default());
        zipped.write_all(text.as_bytes()).unwrap();
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            utf16(u16::to_le_bytes),
            utf16(u16::to_be_bytes),
            zipped.finish().unwrap(),
        ] {
            let table = parse_bytes(&bytes, &Options::default()).unwrap();
            assert_eq!(
                (&table.names[..], table.values),
                (&["a".to_owned(), "b".to_owned()][..], Tensor::from([[1.0, 2.0]]))
            );
        }
    }
    let table = parse("\"a \"\"b\"\", c\nd\",e\n1,2\n").unwrap();
    assert_eq!(table.names, ["a \"b\", c\nd", "e"]);
    // Numbers without a header keep their first line after a byte order mark.
    assert_eq!(parse("\u{feff}1,2\n3,4\n").unwrap().values.shape(), &[2, 2]);
}

#[test]
fn missing_numbers_are_errors_or_what_they_are_said_to_be() {
    let text = "a,b\n1,NA\n,2\nnull,?\n";
    assert!(parse(text).unwrap_err().starts_with("line 2: field 2 is missing (\"NA\")"));
    let table = parse_with(text, Options { missing: Some(-1.0), ..Default::default() }).unwrap();
    assert_eq!(table.values.to_vec(), [1.0, -1.0, -1.0, 2.0, -1.0, -1.0]);
    // A column of nothing is one of numbers.
    assert!(parse("a,b\n1,\n2,\n").unwrap_err().starts_with("line 2: field 2 is missing"));
    assert!(parse("a,b\n1,nan\n").unwrap().values.get([0, 1]).is_nan());
}

#[test]
fn numbers_that_an_f32_does_not_hold_are_refused() {
    assert_eq!(parse("1\n16777217\n").unwrap_err(), "line 2: an f32 cannot hold 16777217");
    assert_eq!(parse("-16777217\n").unwrap_err(), "line 1: an f32 cannot hold -16777217");
    assert_eq!(parse("a\n1e400\n").unwrap_err(), "line 2: 1e400 is beyond an f32's range");
    assert!(parse(&"9".repeat(60)).is_err());
    let table = parse("16777216,33554432,0.1,16777217.5,inf,-Infinity,True,false\n").unwrap();
    let expected = [16777216.0, 33554432.0, 0.1, 16777218.0, f32::INFINITY, f32::NEG_INFINITY, 1.0, 0.0];
    assert_eq!(table.values.to_vec(), expected);
}

#[test]
fn columns_of_texts_are_labels() {
    let table = parse("x,kind,y\n1,dog,3\n2,cat,4\n3,\"dog\",5\n").unwrap();
    assert_eq!(table.names, ["x", "y"]);
    assert_eq!(table.classes("kind").unwrap(), ["cat", "dog"]);
    let data = table.labelled("kind").unwrap();
    assert_eq!(data.labels().as_slice(), [1, 0, 1]);
    assert_eq!(data.inputs(), &Tensor::from([[1.0, 3.0], [2.0, 4.0], [3.0, 5.0]]));
    let reason = |result: Result<Dataset<Tensor>, DataError>| result.unwrap_err().reason;
    assert_eq!(reason(table.with_targets(&["y"])), "column kind is of texts; choose the inputs with select");
    assert_eq!(reason(table.with_targets(&["kind"])), "column kind is of texts, not of numbers");
    let data = table.select(&["y", "x"]).unwrap().with_targets(&["y"]).unwrap();
    assert_eq!(data.inputs().to_vec(), [1.0, 2.0, 3.0]);
    let gap = parse("x,kind\n1,a\n2,\n").unwrap();
    assert_eq!(gap.labelled("kind").unwrap_err().reason, "row 1 of column kind is missing");
    assert_eq!(gap.classes("x").unwrap_err().reason, "column x is of numbers, not of texts");
}

#[test]
fn a_second_column_of_the_targets_name_does_not_stay_among_the_inputs() {
    let table = parse("x,y,y\n1,0,0\n2,1,1\n").unwrap();
    assert_eq!(table.labelled("y").unwrap_err().reason, "has 2 columns y");
    assert_eq!(table.with_targets(&["y"]).unwrap_err().reason, "has 2 columns y");
    // One of them may be of texts.
    let table = parse("x,y,y\n1,0,a\n2,1,b\n").unwrap();
    assert_eq!(table.labelled("y").unwrap_err().reason, "has 2 columns y");
    assert!(table.select(&["x"]).is_ok());
}

#[test]
fn other_delimiters_and_comments_are_read() {
    let options = Options { comment: Some('#'), ..Default::default() };
    // numpy.savetxt, with spaces and a header that is a comment.
    let table = parse_with("# x y\n1.0e+00  2.0e+00\n 3 4 \n", options).unwrap();
    assert_eq!(table.values, Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    // A header of words, too.
    let table = parse("x y z\n1 2.5 True\n3 4 False\n").unwrap();
    assert_eq!((&table.names.join(","), table.values.shape()), (&"x,y,z".to_owned(), &[2, 3].into()));
    assert_eq!(parse("a name\nof two words\n").unwrap().texts.len(), 1);
    let error = parse("# x y\n1 2\n").unwrap_err();
    assert!(error.starts_with("line 1: begins with '#': is it a comment"), "{error}");
    let table = parse_with("a~b\n1~2\n", Options { delimiter: Some('~'), ..Default::default() }).unwrap();
    assert_eq!(table.values, Tensor::from([[1.0, 2.0]]));
    // A semicolon between quotes is none, and a comma goes before.
    assert_eq!(parse("\"a;b\"\n1\n").unwrap().names, ["a;b"]);
    assert_eq!(parse("a;b,c\n1,2\n").unwrap().names, ["a;b", "c"]);
    // With tabs, a line of tabs is a record of nothing.
    let table = parse_with("a\tb\n\t\n1\t2\n", Options { missing: Some(0.0), ..Default::default() }).unwrap();
    assert_eq!(table.values.to_vec(), [0.0, 0.0, 1.0, 2.0]);
}

#[test]
fn numbers_with_decimal_commas_are_read() {
    let options = Options { decimal: Some(','), ..Default::default() };
    let table = parse_with("a;b\n1,5;-2,5e3\n3;\",25\"\n", options.clone()).unwrap();
    assert_eq!(table.values, Tensor::from([[1.5, -2500.0], [3.0, 0.25]]));
    // Also without a header, where the comma would be taken for the delimiter.
    assert_eq!(parse_with("1,5;2,5\n", options.clone()).unwrap().values, Tensor::from([[1.5, 2.5]]));
    assert_eq!(parse_with("a;b\n1;2\n1,5;2.5\n", options).unwrap_err(), "line 3: \"2.5\" is no number");
    assert!(parse("1,5;2,5\n").unwrap_err().contains("or with delimiter"));
    // A column of nothing else is none of texts, unless that is said.
    let error = parse("a;b\n1;\n2;1,5\n3;2,5\n").unwrap_err();
    assert!(
        error.starts_with("line 3: \"1,5\" is a number with a comma: say with Options { decimal"),
        "{error}"
    );
    let point = Options { decimal: Some('.'), ..Default::default() };
    assert_eq!(parse_with("a;b\n1;1,5\n", point).unwrap().texts[0].1, ["1,5"]);
    assert_eq!(parse("a;b\n1;1,5\n2;x\n").unwrap().texts[0].1, ["1,5", "x"]);
    assert_eq!(parse("a;b\n1;x\n2;1,5\n").unwrap().texts[0].1, ["x", "1,5"]);
}

#[test]
#[should_panic = "csv: the delimiter, the comment and the decimal point must differ"]
fn a_comma_is_not_two_things_at_once() {
    let _ = parse_with("1\n", Options { delimiter: Some(','), decimal: Some(','), ..Default::default() });
}

#[test]
#[should_panic = "csv: neither the delimiter nor the comment can be a quote or the end of a line"]
fn a_quote_is_no_delimiter() {
    let _ = parse_with("1\n", Options { delimiter: Some('"'), ..Default::default() });
}

#[test]
fn a_gzipped_table_that_unpacks_to_very_much_is_refused() {
    let mut zipped = GzEncoder::new(Vec::new(), Compression::default());
    zipped.write_all(&[b'1'; 1000]).unwrap();
    let bytes = zipped.finish().unwrap();
    assert_eq!(records::text(bytes.clone(), 1000).unwrap().len(), 1000);
    assert_eq!(records::text(bytes, 999).unwrap_err().to_string(), "unpacks to more than 999 bytes");
}

proptest! {
    #[test]
    fn changed_tables_never_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), prop::sample::select(b"\",;\t\r\n #1a".to_vec())]), 1..5),
        text in prop::sample::select(vec!["a,b\n1,2\n3,4\n", "\"a\";\"x\"\n1;u\n2;v\n", "1 2\n3 4\n", "\u{feff}a,b\r\n1,\r\n"]),
        header in any::<Option<bool>>(),
        comment: bool,
    ) {
        let mut bytes = text.as_bytes().to_vec();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let options = Options { has_header: header, comment: comment.then_some('#'), missing: Some(0.0), ..Default::default() };
        if let Ok(table) = parse_bytes(&bytes, &options) {
            prop_assert_eq!(table.values.shape()[1], table.names.len());
            prop_assert!(table.values.numel() <= bytes.len());
            prop_assert!(table.texts.iter().all(|(_, texts)| texts.len() == table.values.shape()[0]));
        }
    }

    #[test]
    fn what_is_written_with_quotes_is_read(rows in prop::collection::vec(prop::collection::vec("[a-c\",;\r\n x]{0,6}", 3), 0..5)) {
        let quoted = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
        let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n";
        let text: String = std::iter::once("a,b,c\n".to_owned()).chain(rows.iter().map(line)).collect();
        let mut records = Records::new(&text, &Options::default());
        let mut fields = Vec::new();
        records.next(&mut fields).unwrap();
        for row in &rows {
            records.next(&mut fields).unwrap();
            prop_assert_eq!(&fields, row);
        }
        prop_assert_eq!(records.next(&mut fields).unwrap(), None);
    }
}
