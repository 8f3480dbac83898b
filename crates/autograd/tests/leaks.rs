//! Memory comes back. A test program of its own: what it counts belongs to the whole process.

use gradus_autograd::prelude::*;
use gradus_tensor::memory;
use std::sync::Mutex;

/// The counters of memory are shared by all threads.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// pytorch #4661, #7343, burn #2333: gradients that hold what holds them. Live bytes go back to where they were, after a step,
/// a recorded second derivative, a checkpoint, a hook, and a sweep that panics.
#[test]
fn memory_comes_back() {
    let _alone = alone();
    let w = Param::new(Tensor::ones([256, 256]));
    let x = Tensor::ones([256, 256]);
    let before = memory::stats().live_bytes;
    for _ in 0..3 {
        let mut tape = Tape::training(1);
        let (_, gradients, ()) = tape.step(|tape| {
            let h = tape.constant(&x).matmul(&tape.param(&w)).dropout(0.5);
            (h.place().checkpoint(|| h.tanh().square()).sum(), ())
        });
        drop(gradients);
        {
            let v = tape.var(&x);
            let slope = (v * v * v).sum().grad(&[v])[0].unwrap();
            let curvature = slope.square().sum().backward();
            assert_eq!(curvature[v].shape(), &[256, 256]);
            let hooks = Hooks::new().retain(slope).replace(v, |g| g * 2.0);
            drop(slope.sum().backward_with(hooks));
            let fails = std::panic::AssertUnwindSafe(|| slope.backward());
            assert!(std::panic::catch_unwind(fails).is_err());
        }
        assert!(memory::stats().live_bytes > before, "nothing is counted");
        drop(tape);
        // Threads count small buffers in steps; half of one of these tensors would be a leak.
        let left = memory::stats().live_bytes.abs_diff(before);
        assert!(left < 256 * 256 * 4 / 2, "{left} bytes are left");
    }
}

/// Peak bytes of a step over a chain of `n` products, in checkpoints of so many.
fn peak_of_chain(n: usize, each: usize) -> (usize, Tensor) {
    let w = Param::new(Tensor::full([1 << 14], 1.0001));
    let mut tape = Tape::new();
    memory::reset_peak();
    let before = memory::stats().live_bytes;
    let (_, gradients, ()) = tape.step(|tape| {
        let at = tape.place();
        let mut y = at.constant(Tensor::ones([1 << 14]));
        for _ in 0..n / each {
            y = if each == 1 {
                y * at.param(&w)
            } else {
                at.checkpoint(|| (0..each).fold(y, |y, _| y * at.param(&w)))
            };
        }
        (y.mean(), ())
    });
    (memory::stats().peak_bytes - before, gradients[&w].clone())
}

#[test]
fn a_deep_chain_needs_less_memory() {
    let _alone = alone();
    let buffer = (1 << 14) * 4;
    let (whole, plain) = peak_of_chain(400, 1);
    let (checkpointed, same) = peak_of_chain(400, 20);
    assert_eq!(plain, same);
    // All 400 values, or the 20 that are kept and the 20 of one part.
    assert!((400 * buffer..415 * buffer + 400 * 1024).contains(&whole), "{}", whole / buffer);
    assert!(checkpointed < 50 * buffer, "{}", checkpointed / buffer);
}

#[test]
fn a_step_releases_while_it_sweeps() {
    let _alone = alone();
    // Without release the gradient's own temporaries would come on top of all values.
    let w = Param::new(Tensor::ones([1 << 14]));
    let buffer = (1 << 14) * 4;
    let mut tape = Tape::new();
    let mut held = 0;
    let before = memory::stats().live_bytes;
    memory::reset_peak();
    let (_, gradients, ()) = tape.step(|tape| {
        let y = (0..100).fold(tape.param(&w), |y, _| y.sin());
        held = memory::stats().live_bytes - before;
        (y.sum(), ())
    });
    let peak = memory::stats().peak_bytes - before;
    assert!(held >= 100 * buffer && peak < held + 6 * buffer, "{held} {peak}");
    drop(gradients);
    assert!(memory::stats().live_bytes <= before + buffer, "the tape gave everything back");
}

#[test]
fn attention_keeps_no_matrix_of_scores() {
    let _alone = alone();
    let (steps, d, mut rng) = (2048, 16, Rng::seed(1));
    let [q, k, v] = [(); 3].map(|()| Param::new(Tensor::randn([2, steps, d], &mut rng)));
    let mut tape = Tape::new();
    let before = memory::stats().live_bytes;
    memory::reset_peak();
    let (_, gradients, ()) = tape.step(|tape| {
        let at = tape.place();
        let options = AttentionOptions { is_causal: true, ..Default::default() };
        (at.param(&q).scaled_dot_product_attention(&at.param(&k), &at.param(&v), options).square().sum(), ())
    });
    let peak = memory::stats().peak_bytes - before;
    assert_eq!(gradients[&q].shape(), q.value().shape());
    // A matrix of scores has 33 MB; 64 rows of it and as many of gradients, on every thread, have 1 MB.
    let scores = 2 * steps * steps * 4;
    assert!(peak < scores / 4, "{peak} bytes beside {scores} for scores");
}
