//! The examples of the notes' subjects as programs: what they print and write, against closed forms and the notes' numbers.

mod common;
#[path = "common/run.rs"]
mod run;

use run::run;

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
