//! The yardstick: workloads that a user of a CPU engine would feel, timed so that they can be compared with other
//! engines.
//!
//! ```text
//! cargo bench -q --bench yardstick                      all workloads, a JSON line each
//! cargo bench -q --bench yardstick -- --list            their names
//! cargo bench -q --bench yardstick -- --filter matmul   those whose name has this in it
//! cargo bench -q --bench yardstick -- --stdin           reads a name a line, answers each with a JSON line
//! cargo bench -q --bench yardstick -- --seconds 3       measures each that long
//! cargo bench -q --bench yardstick -- --peak            the processor's peak of fused multiply-adds
//! ```
//!
//! A time is the median wall time of one call, in microseconds. `_fb` is forward and backward, with gradients for every
//! input of floating-point numbers. The number of threads is rayon's: `RAYON_NUM_THREADS` sets it.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

mod yardstick {
    pub(crate) mod kernels;
    pub(crate) mod peak;
    pub(crate) mod sequences;
    pub(crate) mod training;
    pub(crate) mod uses;
    pub(crate) mod workload;
}

use std::process::ExitCode;
use yardstick::{
    kernels, peak, sequences, training, uses,
    workload::{Workload, answer, list, run_all},
};

fn main() -> ExitCode {
    let (mut filter, mut seconds) = (String::new(), 1.0);
    let mut task: fn(&[Workload], &str, f64) = run_all;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--bench" => {} // cargo says so to every bench
            "--list" => task = list,
            "--stdin" => task = answer,
            "--peak" => task = |_, _, seconds| peak::print(seconds),
            "--filter" => filter = words.next().unwrap_or_default(),
            "--seconds" => match words.next().and_then(|s| s.parse().ok()).filter(|&s: &f64| s > 0.0) {
                Some(given) => seconds = given,
                None => return refuse("--seconds takes a number above 0"),
            },
            other => {
                return refuse(&format!(
                    "unknown option {other}; there are --list, --filter, --stdin, --seconds, --peak"
                ));
            }
        }
    }
    let workloads: Vec<Workload> =
        [kernels::workloads(), training::workloads(), sequences::workloads(), uses::workloads()]
            .into_iter()
            .flatten()
            .collect();
    task(&workloads, &filter, seconds);
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "a mistake in the options is told there")]
fn refuse(reason: &str) -> ExitCode {
    eprintln!("yardstick: {reason}");
    ExitCode::from(2)
}
