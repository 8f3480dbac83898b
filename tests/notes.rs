//! The examples of the notes' subjects as programs: what they print and write, against closed forms and the notes' numbers.

mod common;
#[path = "common/run.rs"]
mod run;

use run::{run, run_with};

#[test]
fn backpropagation_by_hand_is_the_tapes_and_that_of_differences() {
    let run = run("backprop_by_hand");
    for (file, params, ways) in [("squares", 6, 4), ("entropy", 6, 3)] {
        let table = run.table(&format!("backprop_by_hand_{file}.csv"));
        let mut compared = 0;
        for (layer, bias) in [1, 2, 3].into_iter().flat_map(|layer| [(layer, 0), (layer, 1)]) {
            let rows = || table.iter().filter(|row| (row[0], row[1]) == (f64::from(layer), f64::from(bias)));
            let largest = rows().map(|row| row[3].abs()).fold(0.0, f64::max);
            for row in rows() {
                assert_eq!(row.len(), 3 + ways);
                assert!(
                    largest > 1e-4 && row[3..].iter().all(|g| (g - row[3]).abs() <= 1e-5 * largest),
                    "{row:?}"
                );
            }
            compared += usize::from(rows().count() > 0);
        }
        assert_eq!((compared, table.len()), (params, 4 * 5 + 5 + 5 * 3 + 3 + 3 * 2 + 2));
    }
    // Central differences are off by the square of their step, until rounding shows: -0.5 to -2 are powers of ten.
    let steps = run.table("backprop_by_hand.csv");
    let slope = (steps[3][1] - steps[1][1]) / (steps[3][0] - steps[1][0]);
    assert!((slope - 2.0).abs() < 0.05 && steps.iter().all(|row| row[1] < 0.0), "{steps:?}");
    run.shows("backprop_by_hand.svg", &["step", "largest relative distance"]);
}

#[test]
fn gradients_vanish_and_five_cures_help() {
    let run = run("vanishing_gradients");
    // Nine slopes of at most a quarter, and weights below 1.
    assert!(run.figures["chain"] <= 0.25_f64.powi(9), "{:?}", run.figures);
    assert!(run.figures["plain"] < 1e-5 && run.figures["plain_train"] < 0.3, "{:?}", run.figures);
    for cure in ["pretrained", "relu", "leaky", "elu", "norms", "residual"] {
        assert!(run.figures[cure] > 1e3 * run.figures["plain"], "{cure}: {:?}", run.figures);
        assert!(run.figures[&format!("{cure}_train")] > 0.85, "{cure}: {:?}", run.figures);
    }
    // Smaller weights make it worse.
    assert!(run.figures["penalty_after"] < run.figures["plain"], "{:?}", run.figures);
    assert_eq!(run.table("vanishing_gradients.csv").len(), 11);
    run.shows("vanishing_gradients.svg", &["layer", "sigmoid", "residual"]);
}

#[test]
fn gradients_explode_and_are_clipped() {
    let run = run("exploding_gradients");
    assert!(run.figures["exploded"] > 100.0, "{}", run.out);
    let table = run.table("exploding_gradients.csv");
    assert_eq!(table.len(), 20);
    // A recurrent net loses about the same share of the gradient in each step; an LSTM with open gates hardly any.
    assert!(table.windows(2).all(|pair| pair[1][1] > pair[0][1]), "{table:?}");
    assert!(run.figures["lstm"] > 1e4 * run.figures["rnn"], "{:?}", run.figures);
}

#[test]
fn accuracies_and_steps_have_no_gradient() {
    let run = run("why_not_accuracy");
    let table = run.table("why_not_accuracy.csv");
    assert_eq!(table.len(), 401);
    // Of 100 images: stairs of hundredths; the loss goes down and up.
    assert!(table.iter().all(|row| ((100.0 * row[2]).round() / 100.0 - row[2]).abs() < 1e-12));
    assert!(run.figures["accuracy_moves"] < 0.25 * run.figures["loss_moves"], "{:?}", run.figures);
    assert!(run.figures["step_loss"] > 2.0 * run.figures["surrogate_loss"], "{:?}", run.figures);
    run.shows("why_not_accuracy.svg", &["loss", "accuracy"]);
}

#[test]
fn ngs_exercise_is_done() {
    let run = run("ng_exercise");
    let costs = run.table("ng_exercise.csv");
    assert!(costs.windows(2).all(|pair| pair[1][1] <= pair[0][1] && pair[1][2] <= pair[0][2]));
    // Ten labels of ln 2 each, but for what small weights add.
    assert!((costs[0][1] - 10.0 * 2_f64.ln()).abs() < 0.5, "{:?}", costs[0]);
    assert!(run.figures["net_train"] > run.figures["regression_train"], "{:?}", run.figures);
    assert!(run.figures["net_test"] > run.figures["regression_test"], "{:?}", run.figures);
}

#[test]
fn gates_are_learnt_or_not() {
    let run = run("learned_gates");
    let last = run.table("learned_gates.csv").pop().unwrap();
    assert_eq!(last.len(), 31);
    // A start that fails ends where two inputs, or three, are not told apart: an error of 1/8 or 1/6.
    let ends = |ends: &[f64]| {
        let near = |to: f64| ends.iter().filter(|end| (**end - to).abs() < 0.003).count();
        assert_eq!(near(0.0) + near(1.0 / 8.0) + near(1.0 / 6.0), 15, "{ends:?}");
        near(0.0) as f64
    };
    assert_eq!(ends(&last[1..16]), run.figures["xnor_sgd"]);
    assert_eq!(ends(&last[16..]), run.figures["xnor_adam"]);
    run.shows("learned_gates.svg", &["SGD with momentum", "Adam", "step"]);
}

#[test]
fn equal_weights_stay_equal_and_saddles_are_left() {
    let run = run("symmetry_and_saddles");
    // SGD in closed form while y is small: y grows by a tenth a step, from 1e-3.
    let table = run.table("symmetry_and_saddles.csv");
    for (step, row) in table.iter().enumerate().take(30) {
        let (x, y) = (-1.5 * 0.9_f64.powi(step as i32), 1e-3 * 1.1_f64.powi(step as i32));
        assert!((row[1] - x).abs() < 1e-5 && (row[2] / y - 1.0).abs() < 1e-3, "step {step}: {row:?}");
    }
    for faster in ["momentum", "adagrad", "rmsprop", "adam"] {
        assert!(run.figures[&format!("escape_{faster}")] < run.figures["escape_sgd"], "{faster}");
    }
    // All but AdaGrad, whose steps get shorter, end in the minimum: -1/4.
    let last = table.last().unwrap();
    assert!([3, 6, 12, 15].into_iter().all(|k| (last[k] + 0.25).abs() < 1e-3), "{last:?}");
    run.shows("symmetry_and_saddles.svg", &["x", "y", "SGD", "RMSprop"]);
}

#[test]
fn behind_a_sigmoid_squares_learn_slowly() {
    let run = run("cross_entropy_or_squares");
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    for row in run.table("cross_entropy_or_squares.csv") {
        let a = sigmoid(row[0]);
        assert!((row[1] - a * a * (1.0 - a)).abs() < 1e-6 && (row[2] - a).abs() < 1e-6, "{row:?}");
    }
    run.shows("cross_entropy_or_squares_unit.svg", &["from a small error", "from a large one"]);
}

#[test]
fn cures_for_overfitting_are_tried() {
    let run = run_with("overfitting_cures", &["--seeds", "1"]);
    let table = run.table("overfitting_cures.csv");
    assert_eq!(table.len(), 5);
    for row in &table {
        // All learn their 200 images by heart, and no others.
        assert!(row[2] > 0.95 && row[4] > 0.95 && row[3] < row[2] && row[5] < row[4], "{row:?}");
    }
    // Of the five, balanced classes matter.
    assert!(table[2][5] > table[2][3] + 0.04, "{table:?}");
}
