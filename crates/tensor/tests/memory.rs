//! What the pool counts, and that it keeps its promises. One test, because all threads share the counters.

use gradus_tensor::{Rng, ShapeError, Tensor, memory};
use std::sync::mpsc;

#[test]
fn the_pool() {
    buffers_are_counted_and_recycled();
    trimming_gives_everything_back();
    large_buffers_take_what_is_larger();
    what_other_threads_free_is_used_again();
    threads_that_end_leave_nothing_behind();
    a_steady_loop_asks_the_system_for_nothing();
    what_is_refused_leaves_no_trace();
}

const MB: usize = 1 << 20;

fn buffers_are_counted_and_recycled() {
    let start = memory::stats();
    assert_eq!(start.live_bytes, 0);
    let x = Tensor::zeros([MB]);
    let (clone, view) = (x.clone(), x.slice(0, 5..));
    let held = memory::stats();
    assert!((4 * MB..5 * MB + 100).contains(&held.live_bytes), "{held:?}");
    assert_eq!(
        (held.peak_bytes, held.recycled_bytes, held.allocations),
        (held.live_bytes, 0, start.allocations + 1)
    );
    let small: Vec<Tensor> = (0..100).map(|_| Tensor::zeros([4])).collect();
    assert_eq!(memory::stats().live_bytes, held.live_bytes + 100 * 128);
    drop((x, clone, view, small));
    let freed = memory::stats();
    assert_eq!(freed.live_bytes, 0);
    assert_eq!(freed.recycled_bytes, held.live_bytes + 100 * 128);
    // Up to 64 KiB of small buffers may be missing from a peak.
    assert!(freed.peak_bytes >= held.live_bytes, "{freed:?}");
    let again = Tensor::zeros([MB - 7]);
    assert_eq!(memory::stats().allocations, freed.allocations);
    memory::reset_peak();
    assert_eq!(memory::stats().peak_bytes, memory::stats().live_bytes);
    drop(again);
    memory::reset_peak();
    assert_eq!(memory::stats().peak_bytes, 0);
}

fn trimming_gives_everything_back() {
    let x = Tensor::ones([100]);
    memory::trim();
    let stats = memory::stats();
    assert_eq!(stats.recycled_bytes, 0);
    assert_eq!(x.sum().item(), 100.0);
    drop(x);
    memory::trim();
    assert_eq!(memory::stats().recycled_bytes, 0);
}

/// Sizes that become smaller, as the activations of a net: all live in the memory of the first.
fn large_buffers_take_what_is_larger() {
    memory::trim();
    let start = memory::stats().allocations;
    drop(Tensor::ones([4 * MB]));
    for size in [4 * MB, 3 * MB, 2 * MB, MB + 1] {
        let x = Tensor::full([size], 2.0);
        let stats = memory::stats();
        assert_eq!(stats.allocations, start + 1, "{size}");
        let counted = 4 * size..5 * size + 100;
        assert!(counted.contains(&stats.live_bytes), "{size}: {stats:?}");
        assert!((16 * MB..20 * MB).contains(&(stats.live_bytes + stats.recycled_bytes)), "{size}: {stats:?}");
        assert!(x.iter().all(|x| x == 2.0));
    }
    assert_eq!(memory::stats().live_bytes, 0);
    // One in use is not taken, and one that is more than four times as large waits for others.
    let (held, small) = (Tensor::zeros([3 * MB]), Tensor::zeros([MB]));
    assert_eq!(memory::stats().allocations, start + 2);
    drop((held, small));
    let small = Tensor::zeros([MB / 8]);
    assert_eq!(memory::stats().allocations, start + 3);
    drop(small);
    memory::trim();
}

fn what_other_threads_free_is_used_again() {
    let before = memory::stats().allocations;
    let (sender, receiver) = mpsc::sync_channel::<Tensor>(10);
    let consumer =
        std::thread::spawn(move || receiver.into_iter().map(|x| f64::from(x.sum().item())).sum::<f64>());
    for _ in 0..20_000 {
        sender.send(Tensor::ones([1000])).unwrap();
    }
    drop(sender);
    assert_eq!(consumer.join().unwrap(), 2e7);
    // 64 buffers of this class on each thread at most, those under way, and a few for the sums.
    let fresh = memory::stats().allocations - before;
    assert!(fresh <= 2 * 64 + 2 * 256 + 12, "{fresh}");
    assert!(memory::stats().recycled_bytes < 2 * MB);
}

fn threads_that_end_leave_nothing_behind() {
    memory::trim();
    for _ in 0..10 {
        std::thread::spawn(|| drop((Tensor::ones([10]), Tensor::ones([MB])))).join().unwrap();
    }
    assert_eq!(memory::stats().live_bytes, 0);
    memory::trim();
    assert_eq!(memory::stats().recycled_bytes, 0);
}

fn a_steady_loop_asks_the_system_for_nothing() {
    let mut rng = Rng::seed(1);
    let (x, w, mut b) =
        (Tensor::randn([300, 400], &mut rng), Tensor::randn([400, 50], &mut rng), Tensor::zeros([50]));
    let mut step = || {
        let y = (x.matmul(&w) + &b).softmax(-1);
        let turned = y.t().contiguous();
        let pieces = [0, 10, 20, 30, 40].map(|start| turned.slice(0, start..start + 10));
        let joined = Tensor::concat(&pieces.iter().collect::<Vec<_>>(), 0).log_softmax(0);
        let spread = x.var_axes(0, 1, true) + x.max_axes(1, true).mean();
        let big = &x + &spread;
        b += &(y.sum_axes(0, false) * big.sum() * joined.max());
    };
    (0..20).for_each(|_| step());
    let before = memory::stats().allocations;
    (0..200).for_each(|_| step());
    assert_eq!(memory::stats().allocations, before);
}

/// An allocation that cannot succeed changes nothing in the pool and leaves the program running.
fn what_is_refused_leaves_no_trace() {
    let before = memory::stats();
    for _ in 0..3 {
        let refused = ShapeError::catch(|| Tensor::zeros([1 << 29, 1 << 29])).unwrap_err().to_string();
        assert!(
            refused.starts_with(
                "tensor: shape [536870912, 536870912] takes 1152921504606846976 bytes (1.0 EiB), more than the "
            ),
            "{refused}"
        );
    }
    assert_eq!(memory::stats(), before);
    assert_eq!(Tensor::ones([3]).sum().item(), 3.0);
}
