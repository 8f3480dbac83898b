//! A workload, and how it is timed.

use std::time::Instant;

/// A named piece of work.
pub(crate) struct Workload {
    pub(crate) name: String,
    /// Makes the inputs, and what to call with them.
    pub(crate) prepare: Box<dyn Fn() -> Box<dyn FnMut()>>,
}

impl Workload {
    pub(crate) fn new<F: FnMut() + 'static>(
        name: impl Into<String>,
        prepare: impl Fn() -> F + 'static,
    ) -> Workload {
        Workload { name: name.into(), prepare: Box::new(move || Box::new(prepare())) }
    }
}

/// The median time of one call in microseconds, over so many seconds and at least five rounds of 0.2 ms.
pub(crate) fn time(mut run: impl FnMut(), seconds: f64) -> f64 {
    const ROUND: f64 = 2e-4;
    (0..3).for_each(|_| run());
    let start = Instant::now();
    run();
    let calls = (ROUND / start.elapsed().as_secs_f64().max(1e-9)).max(1.0) as usize;
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < seconds || times.len() < 5 {
        let round = Instant::now();
        (0..calls).for_each(|_| run());
        times.push(round.elapsed().as_secs_f64() / calls as f64);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2] * 1e6
}
