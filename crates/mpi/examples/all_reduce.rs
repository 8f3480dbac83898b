//! How long the ordered sum of a number of megabytes takes, and `MPI_Allreduce`, in turn and into buffers that are there.
//!
//! mpirun -n 2 target/release/examples/all_reduce 25

use gradus_mpi::MpiGroup;
use gradus_nn::group::{Group, GroupError, sum};
use std::{
    env,
    time::{Duration, Instant},
};

const ROUNDS: usize = 21;
/// As many numbers as the ordered sum sends at once: 2 MiB.
const BUCKET: usize = 1 << 19;

fn main() -> Result<(), GroupError> {
    let mut group = MpiGroup::new()?;
    let megabytes: usize = env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(25);
    let count = megabytes * 1_000_000 / 4;
    let number = group.rank() as f32 + 0.5;
    let expected = (0..group.size()).map(|rank| rank as f32 + 0.5).sum::<f32>();
    let mut ordered = vec![number; count];
    let mut pairs: Vec<(Vec<f32>, Vec<f32>)> =
        ordered.chunks(BUCKET).map(|bucket| (bucket.to_vec(), vec![0.0; bucket.len()])).collect();
    let (mut numbers, mut sums) = (vec![number; count], vec![0.0; count]);
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        group.barrier()?;
        let start = Instant::now();
        sum(&mut group, &mut ordered)?;
        times[0].push(start.elapsed());
        assert!(ordered.iter().all(|&sum| sum == expected));
        ordered.fill(number);

        group.barrier()?;
        let start = Instant::now();
        (numbers, sums) = group.mpi_all_reduce(numbers, sums)?;
        times[1].push(start.elapsed());
        assert!(sums.iter().all(|&sum| sum == expected));

        group.barrier()?;
        let start = Instant::now();
        for (numbers, sums) in &mut pairs {
            let pair = (std::mem::take(numbers), std::mem::take(sums));
            (*numbers, *sums) = group.mpi_all_reduce(pair.0, pair.1)?;
        }
        times[2].push(start.elapsed());
    }
    if group.rank() == 0 {
        for (name, times) in ["ordered sum", "MPI_Allreduce", "MPI_Allreduce in 2 MiB"].iter().zip(&mut times)
        {
            times.sort();
            let ms = |at: usize| times[at].as_secs_f64() * 1e3;
            let ranks = group.size();
            println!(
                "{megabytes} MB, {ranks} ranks, {name}: median {:.1} ms, least {:.1} ms",
                ms(ROUNDS / 2),
                ms(0)
            );
        }
    }
    Ok(())
}
