//! Memory comes back. A test program of its own: what it counts belongs to the whole process.

use gradus_autograd::prelude::*;
use gradus_tensor::memory;

/// pytorch #4661, #7343, burn #2333: gradients that hold what holds them. Live bytes go back to where they were, after a step,
/// a recorded second derivative, a checkpoint, a hook, and a sweep that panics.
#[test]
fn memory_comes_back() {
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
