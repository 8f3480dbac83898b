//! The tape: what it records, how long it keeps it, what it says when misused.

use gradus_autograd::prelude::*;

fn close(a: f32, b: f64) {
    assert!((a as f64 - b).abs() <= 1e-6 * b.abs().max(1.0), "{a} is not {b}");
}

#[test]
fn derivatives_of_tanh_to_order_five() {
    let tape = Tape::new();
    let x = tape.var(1.0);
    let mut y = x.tanh();
    for order in [0.4199743416, -0.6397000084, 0.6216266808, 0.6650910448, -5.5568935585] {
        y = y.grad(&[x])[0].unwrap();
        close(y.item(), order);
    }
}

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

#[test]
fn newtons_method_by_second_derivatives() {
    // x^4 - 2x^2 from 2, DeZero steps 29 and 33.
    let mut x = 2.0;
    for next in [1.4545454545, 1.1510467894, 1.0253259290, 1.0009084519, 1.0000012353, 1.0] {
        let tape = Tape::new();
        let v = tape.var(x);
        let y = v.square().square() - 2.0 * v.square();
        let first = y.grad(&[v])[0].unwrap();
        let second = first.grad(&[v])[0].unwrap();
        x -= first.item() / second.item();
        close(x, next);
    }
}
