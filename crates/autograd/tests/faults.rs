//! The faults that gradus and other checkers are put before (`benches/checkers`): each is found at an ordinary point, in the input
//! that it was planted into, with the operation to blame and the pattern; and the functions without a fault pass.

use crate::planted::{FUNCTIONS, Planted, Row, faults, point};
use gradus_autograd::{
    check::{GradCheck, Report, Verdict},
    prelude::*,
};

/// The check of a program around a function: its inputs are no leaves, and its output is not the last value.
fn check(row: &Row) -> Report {
    GradCheck::default().function(
        |v| {
            let moved: Vec<Var<'_>> = v.iter().map(|&x| x * 1.0).collect();
            Var::apply(Planted(row.clone()), &moved.iter().collect::<Vec<_>>()).sin()
        },
        &point(&row.function),
    )
}

/// What is said of the elements to blame.
fn pattern(row: &Row) -> String {
    match &row.fault[..] {
        _ if row.function == "ties" => String::new(), // an element of a tie is wrong beside the others
        "axis" if row.function == "conv1d" => "one element alone".into(), // of a vector
        "factor" if row.numbers[0] > 1.0005 => format!("{:.6} times", row.numbers[0]),
        "factor" => format!("1 {:+.3e} times", f64::from(row.numbers[0]) - 1.0),
        "element" => "one element alone".into(),
        "exchanged" => "are exchanged".into(),
        "axis" => "of axis".into(),
        "the norm a constant" | "the sum left out" => "wrong".into(),
        _ => String::new(),
    }
}

/// Faults that reach other inputs of the function too, through the state that is handed on.
const SPREADING: [&str; 5] =
    ["the scale forgotten", "the mask forgotten", "one step alone", "not transposed", "cut after two steps"];

/// What is wrong with the report on a fault, if anything.
fn missed(row: &Row) -> Option<String> {
    let report = check(row);
    let own = format!("input {}", row.input);
    let failed: Vec<_> = report.failures().collect();
    let complain = |what: String| Some(format!("{row:?}: {what}\n{report}"));
    let Some(found) = failed.iter().find(|row| row.name == own) else { return complain("not found".into()) };
    if found.verdict != Verdict::WrongFormula {
        return complain(format!("verdict {}", found.verdict));
    }
    if failed.len() > 1 && !SPREADING.contains(&&row.fault[..]) {
        return complain("alarm for another input".into());
    }
    let Some(blame) = &found.blame else { return complain("nobody to blame".into()) };
    let is_placed = blame.op == "planted" && blame.line.contains("faults.rs");
    if !is_placed || blame.input != Some(row.input) && !SPREADING.contains(&&row.fault[..]) {
        return complain(format!("blames {blame}"));
    }
    let said = blame.pattern.as_ref().map_or(String::new(), ToString::to_string);
    (!said.contains(&pattern(row))).then(|| complain(format!("pattern: {said}")))?
}

/// Those of the faults that are chosen by their numbers and rows are found.
fn found(is_chosen: impl Fn(usize, &Row) -> bool) {
    let rows = faults();
    assert!(rows.len() >= 280, "{} faults", rows.len());
    let chosen = rows.iter().enumerate().filter(|(k, row)| is_chosen(*k, row));
    let missed: Vec<String> = chosen.filter_map(|(_, row)| missed(row)).collect();
    assert!(missed.is_empty(), "{} missed\n{}", missed.len(), missed.join("\n\n"));
}

/// Whether it is a fault that any function may have.
fn is_general(row: &Row) -> bool {
    !row.numbers.is_empty() || ["shifted", "transposed"].contains(&&row.fault[..])
}

#[test]
fn faults_of_one_function_are_found_with_their_place() {
    found(|_, row| !is_general(row));
}

#[test]
fn a_part_of_the_general_faults_is_found_with_its_place() {
    found(|k, row| is_general(row) && k % 4 == 0);
}

/// `cargo test --release -p gradus-autograd --test suite faults:: -- --ignored`
#[test]
#[ignore = "it takes a quarter of a minute"]
fn all_faults_are_found_with_their_place() {
    found(|_, _| true);
}

#[test]
fn functions_without_a_fault_pass() {
    for (function, ..) in FUNCTIONS {
        let report = check(&Row::right(function));
        assert!(report.passed(), "{function}: {report}");
    }
}
