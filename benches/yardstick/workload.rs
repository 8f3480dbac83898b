//! A workload, how it is timed, and what is told of it.

use std::{
    io::{self, BufRead},
    time::Instant,
};

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

pub(crate) fn list(workloads: &[Workload], filter: &str, _: f64) {
    workloads.iter().filter(|w| w.name.contains(filter)).for_each(|w| println!("{}", w.name));
}

pub(crate) fn run_all(workloads: &[Workload], filter: &str, seconds: f64) {
    workloads.iter().filter(|w| w.name.contains(filter)).for_each(|w| report(w, seconds));
}

pub(crate) fn answer(workloads: &[Workload], _: &str, seconds: f64) {
    for name in io::stdin().lock().lines().map_while(Result::ok) {
        let name = name.trim();
        match workloads.iter().find(|w| w.name == name) {
            Some(workload) => report(workload, seconds),
            None => println!("{{\"peer\":\"gradus\",\"workload\":{name:?},\"error\":\"unknown workload\"}}"),
        }
    }
}

fn report(workload: &Workload, seconds: f64) {
    let us = time((workload.prepare)(), seconds);
    println!("{{\"peer\":\"gradus\",\"workload\":{:?},\"us\":{us:.2}}}", workload.name);
}
