//! How long the ordered sum of a number of megabytes takes, and `MPI_Allreduce`, in turn.
//!
//! mpirun -n 2 target/release/examples/all_reduce 25

use gradus_mpi::MpiGroup;
use gradus_nn::group::{Group, GroupError, sum};
use std::{env, time::Instant};

const ROUNDS: usize = 21;
/// As many words as the trainer sends at once: 2 MiB.
const BUCKET: usize = 1 << 19;

fn main() -> Result<(), GroupError> {
    let mut group = MpiGroup::new()?;
    let megabytes: usize = env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(25);
    let count = megabytes * 1_000_000 / 4;
    let number = group.rank() as f32 + 0.5;
    let expected = (0..group.size()).map(|rank| rank as f32 + 0.5).sum::<f32>();
    let (mut ours, mut whole, mut of_mpi) = (Vec::new(), Vec::new(), Vec::new());
    let mut buckets: Vec<Vec<u32>> = vec![number.to_bits(); count].chunks(BUCKET).map(<[u32]>::to_vec).collect();
    for _ in 0..ROUNDS {
        group.barrier()?;
        let start = Instant::now();
        for bucket in &mut buckets {
            *bucket = sum(&mut group, std::mem::take(bucket))?;
        }
        ours.push(start.elapsed());
        for bucket in &mut buckets {
            assert!(bucket.iter().all(|&word| f32::from_bits(word) == expected));
            bucket.fill(number.to_bits());
        }

        let words = vec![number.to_bits(); count];
        group.barrier()?;
        let start = Instant::now();
        let words = sum(&mut group, words)?;
        whole.push(start.elapsed());
        assert_eq!(words.len(), count);

        let numbers = vec![number; count];
        group.barrier()?;
        let start = Instant::now();
        let sums = group.mpi_all_reduce(numbers)?;
        of_mpi.push(start.elapsed());
        assert!(sums.iter().all(|&sum| sum == expected));
    }
    if group.rank() == 0 {
        for (name, times) in [("in buckets", &mut ours), ("at once", &mut whole), ("MPI_Allreduce", &mut of_mpi)] {
            times.sort();
            let ms = |at: usize| times[at].as_secs_f64() * 1e3;
            println!("{megabytes} MB, {} ranks, {name}: median {:.1} ms, least {:.1} ms", group.size(), ms(ROUNDS / 2), ms(0));
        }
    }
    Ok(())
}
