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

/// Every `of`-th fault from one on: several tests share the work.
fn found_from(first: usize, of: usize) {
    let rows = faults();
    assert!(rows.len() >= 280, "{} faults", rows.len());
    let missed: Vec<String> = rows.iter().skip(first).step_by(of).filter_map(missed).collect();
    assert!(missed.is_empty(), "{} missed\n{}", missed.len(), missed.join("\n\n"));
}

#[test]
fn faults_are_found_with_their_place() {
    found_from(0, 2);
}

#[test]
fn other_faults_are_found_with_their_place() {
    found_from(1, 2);
}

#[test]
fn functions_without_a_fault_pass() {
    for (function, ..) in FUNCTIONS {
        let report = check(&Row::right(function));
        assert!(report.passed(), "{function}: {report}");
    }
}
