//! The weighted output as a function of one input or parameter, in f64: what differences are taken of.

use crate::replay::Path;
use gradus_check::{Judgement, Subject, Task, judge};
use rayon::prelude::*;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

/// The work, in elements that a task may pass over, below which another thread is not worth waking.
const PARALLEL: usize = 1 << 15;

/// The weighted output as a function of one input: the replay of the way between the two.
pub(super) struct Replayed<'a> {
    /// `None` where the output does not depend on the input.
    path: Option<Mutex<Path<'a>>>,
    /// Copies of the path that nobody uses at the moment.
    forks: Mutex<Vec<Path<'a>>>,
    weights: &'a [f64],
    work: usize,
    crossed: AtomicUsize,
}

impl<'a> Replayed<'a> {
    pub(super) fn new(path: Option<Path<'a>>, weights: &'a [f64]) -> Replayed<'a> {
        let work = path.as_ref().map_or(0, Path::len);
        let (forks, crossed) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
        Replayed { path: path.map(Mutex::new), forks, weights, work, crossed }
    }

    /// Whether there is no way to the output.
    pub(super) fn is_constant(&self) -> bool {
        self.path.is_none()
    }

    /// How many derivatives had steps that crossed a kink.
    pub(super) fn crossed(&self) -> usize {
        self.crossed.load(Ordering::Relaxed)
    }

    /// Lends a path of its own; without one there is nothing to compute.
    fn with_path<R>(&self, run: impl FnOnce(&mut Path<'a>) -> R) -> Option<R> {
        let path = self.path.as_ref()?;
        let free = self.forks.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut fork = free.unwrap_or_else(|| path.lock().unwrap_or_else(PoisonError::into_inner).fork());
        let result = run(&mut fork);
        self.forks.lock().unwrap_or_else(PoisonError::into_inner).push(fork);
        Some(result)
    }

    fn judge_by(&self, path: &mut Path<'a>, task: &Task) -> Judgement {
        let mut flips = 0;
        // At 0 too: what an update makes of a value may be a rounding away from what the reference made of it.
        let on_branches = |t: f64| {
            let moved = path.moved(&task.direction, t, self.weights);
            flips += moved.flips;
            moved.change
        };
        let judgement = judge(on_branches, &task.line, &task.claim);
        self.crossed.fetch_add(usize::from(flips > 0), Ordering::Relaxed);
        judgement
    }
}

impl<'a> Subject for Replayed<'a> {
    fn value(&self, direction: &[(usize, f64)], t: f64) -> f64 {
        self.with_path(|path| path.moved_over_kinks(direction, t, self.weights)).unwrap_or(0.0)
    }

    fn on_branches(&self, direction: &[(usize, f64)], t: f64) -> f64 {
        self.with_path(|path| path.moved(direction, t, self.weights).change).unwrap_or(0.0)
    }

    fn knows_branches(&self) -> bool {
        true
    }

    fn judge(&self, tasks: &[Task]) -> Vec<Judgement> {
        let threads = match tasks.len() * self.work < PARALLEL {
            true => 1,
            false => rayon::current_num_threads().min(tasks.len()),
        };
        let next = AtomicUsize::new(0);
        // Tasks are handed out one by one; each leaves its path as it found it, so it does not matter who takes which.
        let run = |path: &mut Path<'a>| {
            let mut found = Vec::new();
            loop {
                let k = next.fetch_add(1, Ordering::Relaxed);
                let Some(task) = tasks.get(k) else { return found };
                found.push((k, self.judge_by(path, task)));
            }
        };
        let lend = |_| self.with_path(run).unwrap_or_default();
        let mut found: Vec<(usize, Judgement)> = match threads {
            _ if self.is_constant() => {
                return tasks.iter().map(|task| judge(|_| 0.0, &task.line, &task.claim)).collect();
            }
            0 | 1 => lend(0),
            _ => (0..threads).into_par_iter().flat_map_iter(lend).collect(),
        };
        found.sort_unstable_by_key(|&(k, _)| k);
        found.into_iter().map(|(_, judgement)| judgement).collect()
    }
}
