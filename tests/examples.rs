//! The examples as programs: each runs to its end and says what it is for.

mod common;

use common::{example, text};
use std::fs;

#[test]
fn operations_of_ones_own_are_declared_used_and_checked() {
    let run = example("custom_op", &[]);
    let (out, errors) = (text(&run.stdout), text(&run.stderr));
    assert!(run.status.success(), "{out}{errors}");
    // Both operations pass, the model learns, and the rule with the fault is named.
    for part in ["cycle input 0", "rbf input 2", "3 of 3 pass", "output.weight", "WRONG FORMULA"] {
        assert!(out.contains(part), "{part} is not in\n{out}");
    }
    let off = |line: &str| line.split_whitespace().rev().nth(1).and_then(|number| number.parse::<f64>().ok());
    let training: Vec<f64> = out.lines().filter(|line| line.starts_with("  step ")).filter_map(off).collect();
    // Down to the noise of the measurements, half a degree.
    assert!(training.len() == 5 && training[4] < 0.6, "{training:?}\n{out}");
    let (_, wrong) = out.split_once("factor of 2 forgotten").unwrap();
    assert!(wrong.contains("0.500000 times the right one") && wrong.contains("hasty_rbf"), "{wrong}");
}

#[test]
fn a_net_learns_the_heat_equation_in_a_few_steps() {
    let dir = tempfile::tempdir().unwrap();
    // Few steps: it is on its way, but not yet where the example wants it.
    let run = example("heat_equation", &["--steps", "150", "--out", dir.path().to_str().unwrap()]);
    let (out, errors) = (text(&run.stdout), text(&run.stderr));
    let error = |line: &str| line.split_whitespace().last().unwrap().parse::<f64>().unwrap();
    let before = out.lines().find(|line| line.trim_start().starts_with("0 ")).map(error).unwrap();
    let after = out.lines().find(|line| line.starts_with("largest_error ")).map(error).unwrap();
    assert!(before > 0.1 && after < 0.05, "{out}{errors}");
    let picture = fs::read_to_string(dir.path().join("heat_equation.svg")).unwrap();
    for text in ["temperature", "error", "t = 0.25", "t = 1"] {
        assert!(picture.contains(&format!("\n{text}\n")), "{text} is not in the picture");
    }
}

#[test]
fn automatic_and_numerical_gradients_agree() {
    let dir = tempfile::tempdir().unwrap();
    let run = example("gradient_check", &["--out", dir.path().to_str().unwrap()]);
    let out = text(&run.stdout);
    assert!(run.status.success(), "{out}{}", text(&run.stderr));
    assert!(out.contains("4 of 4 pass") && dir.path().join("steps.svg").exists(), "{out}");
}
