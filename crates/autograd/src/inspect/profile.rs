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

/// What the steps of one operation, or of one line of the program, take together.
#[derive(Clone, Debug)]
pub struct ProfileRow {
    /// The operation's name, or the line: `src/model.rs:14`.
    pub key: String,
    /// The number of steps.
    pub runs: usize,
    /// Their floating-point operations, forward.
    pub flops: u64,
    /// Their forward.
    pub forward: Duration,
    /// Their backward.
    pub backward: Duration,
    /// Their share of all times, from 0 to 1.
    pub share: f64,
}

impl ProfileRow {
    /// The speed of the forward in 10⁹ floating-point operations a second.
    pub fn gflops(&self) -> f64 {
        self.flops as f64 / self.forward.as_nanos().max(1) as f64
    }
}

impl Profile {
    /// The times by operation, the dearest first.
    pub fn by_operation(&self) -> Vec<ProfileRow> {
        self.by(|step| step.op.to_string())
    }

    /// The times by line of the program, the dearest first.
    pub fn by_line(&self) -> Vec<ProfileRow> {
        self.by(|step| place(step.location))
    }

    fn by(&self, key: impl Fn(&StepTime) -> String) -> Vec<ProfileRow> {
        let mut rows: BTreeMap<String, ProfileRow> = BTreeMap::new();
        let mut total = Duration::ZERO;
        for step in &self.steps {
            let key = key(step);
            let (forward, backward) = (Duration::ZERO, Duration::ZERO);
            let row = rows.entry(key.clone()).or_insert(ProfileRow {
                key,
                runs: 0,
                flops: 0,
                forward,
                backward,
                share: 0.0,
            });
            row.runs += 1;
            row.flops += step.flops;
            row.forward += step.forward;
            row.backward += step.backward;
            total += step.forward + step.backward;
        }
        let mut rows: Vec<ProfileRow> = rows.into_values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.forward + row.backward));
        for row in &mut rows {
            row.share = (row.forward + row.backward).as_secs_f64() / total.as_secs_f64().max(1e-12);
        }
        rows
    }
}

/// Two tables, the dearest first: by operation, and by line of the program.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text("operation", self.by_operation()))?;
        writeln!(f)?;
        f.write_str(&text("line", self.by_line()))
    }
}

fn text(title: &str, rows: Vec<ProfileRow>) -> String {
    let micros = |time: Duration| format!("{:.1} µs", time.as_secs_f64() * 1e6);
    let header = [title, "runs", "forward", "Gflop/s", "backward", "share"];
    let mut table_rows = vec![header.map(String::from)];
    table_rows.extend(rows.into_iter().map(|row| {
        [
            row.key.clone(),
            row.runs.to_string(),
            micros(row.forward),
            format!("{:.1}", row.gflops()),
            micros(row.backward),
            format!("{:.0} %", 100.0 * row.share),
        ]
    }));
    table(&table_rows, [false, true, true, true, true, true])
}
