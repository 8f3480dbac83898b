//! The tape: what it records, how long it keeps it, what it says when misused.

use gradus_autograd::prelude::*;

#[test]
fn a_value_used_twice_gets_the_sum() {
    let tape = Tape::new();
    let x = tape.var(2.0);
    assert_eq!((x + x).backward()[x].item(), 2.0);
    assert_eq!((x + x + x).backward()[x].item(), 3.0);
    // DeZero's diamond: y = (x²)² + (x²)².
    let a = x.square();
    let y = a.square() + a.square();
    assert_eq!((y.item(), y.backward()[x].item()), (32.0, 64.0));
}

#[test]
fn a_step_leaves_parameters_with_one_owner() {
    let mut w = Param::new([1.0, 2.0]);
    let mut tape = Tape::new();
    for _ in 0..3 {
        let (_, gradients, ()) = tape.step(|tape| (tape.param(&w).square().sum(), ()));
        let before = w.value().buffer_id();
        *w.value_mut() = std::mem::replace(w.value_mut(), Tensor::scalar(0.0)) - &gradients[&w] * 0.1;
        assert_eq!(w.value().buffer_id(), before, "the update was not in place");
    }
    assert!((w.value().get([0]) - 0.512).abs() < 1e-6);
}

#[test]
fn a_million_operations_on_a_small_stack() {
    let run = || {
        let tape = Tape::new();
        let x = tape.var(1.0);
        let mut y = x;
        for _ in 0..500_000 {
            y = y * 0.999999 + 1e-9;
        }
        let gradient = y.backward()[x].item();
        assert!((gradient as f64 - 0.999999f64.powi(500_000)).abs() < 0.02, "{gradient}");
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(run).unwrap().join().unwrap();
}
