//! How long each operation of a recorded computation takes.

use super::{place, table};
use crate::{
    sweep::{Rule, Watch, sweep},
    tape::{Tape, node::Node, var::Var},
};
use gradus_tensor::Tensor;
use std::{
    collections::BTreeMap,
    fmt,
    panic::Location,
    time::{Duration, Instant},
};

/// How long each operation of a computation takes, forward and backward: see [`Var::profile`].
#[derive(Clone, Debug)]
pub struct Profile {
    /// The operations, in the order in which they ran.
    pub steps: Vec<StepTime>,
}

/// How long one operation takes: the median over the rounds.
#[derive(Clone, Debug)]
pub struct StepTime {
    /// The position of its first output on the tape.
    pub id: u32,
    /// Its name.
    pub op: &'static str,
    /// Where the user's program applied it.
    pub location: &'static Location<'static>,
    /// How many floating-point operations its forward takes, as [`Op::flops`](crate::Op::flops) counts them.
    pub flops: u64,
    /// Its forward.
    pub forward: Duration,
    /// Its backward, with the summing of what broadcasting repeated; zero where no gradient flows.
    pub backward: Duration,
}

impl Var<'_> {
    /// Runs everything that is recorded up to this value again, `rounds` times, forward and backward, and says how long
    /// each operation takes: the median.
    ///
    /// Recording takes no times, so that it costs nothing when nobody asks; the operations are run again on the values
    /// that they had, which are warmer in the cache than in a training step.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let tape = Tape::new();
    /// let x = tape.var(Tensor::ones([64, 64]));
    /// let profile = x.matmul(&x).tanh().sum().profile(5);
    /// assert_eq!(profile.steps.iter().map(|step| step.op).collect::<Vec<_>>(), ["matmul", "tanh", "sum"]);
    /// println!("{profile}");
    /// ```
    ///
    /// # Panics
    /// When there are no rounds.
    #[track_caller]
    pub fn profile(self, rounds: usize) -> Profile {
        assert!(rounds > 0, "profile: there must be at least one round");
        let tape = self.tape();
        let last = self.id() as usize;
        // Now: the sweeps drop what lies within checkpoints again.
        let costs: Vec<u64> = tape.values().into_iter().map(|value| value.flops).collect();
        let mut forwards: Vec<Vec<Duration>> = vec![Vec::new(); last + 1];
        let mut clock = Clock { started: Instant::now(), times: vec![Vec::new(); last + 1] };
        for _ in 0..rounds {
            tape.provide_all();
            time_forwards(&tape.nodes.read(), &mut forwards);
            sweep(self.tape(), self.seed(Tensor::ones(self.shape())), Rule::Fused, false, &mut clock);
        }
        let nodes = tape.nodes.read();
        let steps =
            forwards.into_iter().zip(clock.times).enumerate().filter_map(|(id, (forward, backward))| {
                let step = nodes[id].step.as_ref()?;
                Some(StepTime {
                    id: id as u32,
                    op: step.name(),
                    location: nodes[id].location,
                    flops: costs[id],
                    forward: median(forward),
                    backward: median(backward),
                })
            });
        Profile { steps: steps.collect() }
    }
}

fn time_forwards(nodes: &[Node], times: &mut [Vec<Duration>]) {
    for (node, times) in nodes.iter().zip(times) {
        let Some(step) = &node.step else { continue };
        let inputs: Vec<&Tensor> = node.inputs.iter().map(|&i| nodes[i as usize].value()).collect();
        let mut step = step.fresh();
        let start = Instant::now();
        let outputs = step.forward(&inputs);
        times.push(start.elapsed());
        drop(outputs);
    }
}

/// Takes the time from the completion of a gradient to the end of the rule that uses it.
struct Clock {
    started: Instant,
    times: Vec<Vec<Duration>>,
}

impl Watch for Clock {
    fn complete(&mut self, _: &Tape, _: usize, _: &mut Option<Tensor>) {
        self.started = Instant::now();
    }

    fn gave(&mut self, _: &[Node], id: usize, _: &[Option<Tensor>]) {
        self.times[id].push(self.started.elapsed());
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Two tables, the dearest first: by operation, and by line of the program.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: f64 = self.steps.iter().map(|s| (s.forward + s.backward).as_secs_f64()).sum();
        self.write_by(f, "operation", total, |step| step.op.to_string())?;
        writeln!(f)?;
        self.write_by(f, "line", total, |step| place(step.location))
    }
}

impl Profile {
    fn write_by(
        &self,
        f: &mut fmt::Formatter<'_>,
        title: &str,
        total: f64,
        key: impl Fn(&StepTime) -> String,
    ) -> fmt::Result {
        let mut sums: BTreeMap<String, (usize, u64, Duration, Duration)> = BTreeMap::new();
        for step in &self.steps {
            let (count, flops, forward, backward) = sums.entry(key(step)).or_default();
            *count += 1;
            *flops += step.flops;
            *forward += step.forward;
            *backward += step.backward;
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_by_key(|(_, (_, _, forward, backward))| std::cmp::Reverse(*forward + *backward));
        let micros = |time: Duration| format!("{:.1} µs", time.as_secs_f64() * 1e6);
        let header = [title, "runs", "forward", "Gflop/s", "backward", "share"];
        let mut rows = vec![header.map(String::from)];
        for (key, (count, flops, forward, backward)) in sums {
            let speed = format!("{:.1}", flops as f64 / forward.as_nanos().max(1) as f64);
            let share = 100.0 * (forward + backward).as_secs_f64() / total.max(1e-12);
            rows.push([
                key,
                count.to_string(),
                micros(forward),
                speed,
                micros(backward),
                format!("{share:.0} %"),
            ]);
        }
        f.write_str(&table(&rows, [false, true, true, true, true, true]))
    }
}
