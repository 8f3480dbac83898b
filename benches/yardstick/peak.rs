//! The processor's peak of fused multiply-adds: what a matrix product can be measured by.

use gradus::tensor::{
    Isa,
    simd::{Kernel, Lane, Simd, dispatch},
};
use std::{hint::black_box, time::Instant};

/// Independent multiply-adds in registers: enough chains to hide their latency, few enough to stay in registers.
struct Fma {
    rounds: usize,
}

const CHAINS: usize = 12;

impl Kernel for Fma {
    /// Multiplications and additions done.
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f64 {
        let (factor, term) = (Lane::splat(simd, black_box(0.999)), Lane::splat(simd, black_box(1e-3)));
        let mut chains: [Lane<S>; CHAINS] = std::array::from_fn(|k| Lane::splat(simd, k as f32));
        for _ in 0..self.rounds {
            for chain in &mut chains {
                *chain = chain.mul_add(factor, term);
            }
        }
        black_box(chains); // or none of it would be done
        (2 * CHAINS * S::LANES * self.rounds) as f64
    }
}

/// The peak in GFLOP/s on so many threads: the best of many short rounds.
fn gflops(threads: usize, seconds: f64) -> f64 {
    let one = || {
        let start = Instant::now();
        let mut best = 0.0f64;
        while start.elapsed().as_secs_f64() < seconds {
            let round = Instant::now();
            let flops = dispatch(Isa::current(), Fma { rounds: 100_000 });
            best = best.max(flops / round.elapsed().as_secs_f64());
        }
        best * 1e-9
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        running.into_iter().map(|thread| thread.join().expect("the loop does not panic")).sum()
    })
}

pub(crate) fn print(seconds: f64) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in if threads > 1 { vec![1, threads] } else { vec![1] } {
        println!(
            "{{\"peer\":\"gradus\",\"peak\":\"{:?}\",\"threads\":{threads},\"gflops\":{:.1}}}",
            Isa::current(),
            gflops(threads, seconds)
        );
    }
}
