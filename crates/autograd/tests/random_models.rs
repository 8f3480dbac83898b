//! No false alarm in models: random nets with every parameter checked, on inputs and weights that make kinks and ties.

use crate::common::alarms::Unsure;
use gradus_autograd::{
    check::{GradCheck, Report, Verdict},
    prelude::*,
};

/// What a model is made of; every size and option is drawn at random.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Mlp,
    Conv,
    Rnn,
    Lstm,
    Gru,
    Attention,
    Bag,
}

const KINDS: [Kind; 7] =
    [Kind::Mlp, Kind::Conv, Kind::Rnn, Kind::Lstm, Kind::Gru, Kind::Attention, Kind::Bag];

/// Draws parameters, the input among them, as the model asks for them: the same ones for the same seed.
struct Builder {
    rng: Rng,
    /// Rounded to whole numbers, many of them zero, so that sums hit zero and maxima are shared.
    rounded: bool,
    params: Vec<(String, Param)>,
}

impl Builder {
    fn new(seed: u64) -> Builder {
        let mut rng = Rng::seed(seed);
        let rounded = rng.below(2) == 0;
        Builder { rng, rounded, params: Vec::new() }
    }

    fn param(&mut self, name: &str, shape: &[usize], scale: f32) {
        let x = Tensor::randn(shape, &mut self.rng) * scale;
        let x = if self.rounded { x.map(f32::round) } else { x };
        // Some are huge or tiny.
        let x = if self.rng.below(16) == 0 { x * 10f32.powi(self.rng.below(13) as i32 - 6) } else { x };
        self.params.push((format!("{}.{name}", self.params.len()), Param::new(x)));
    }
}

/// The parameters on a tape, taken one after the other.
struct Taken<'t, 'a> {
    tape: &'t Tape,
    params: std::slice::Iter<'a, (String, Param)>,
}

impl<'t> Taken<'t, '_> {
    fn next(&mut self) -> Var<'t> {
        self.tape.param(&self.params.next().expect("as many as were drawn").1)
    }
}

/// The sizes and options of one model, drawn before any parameter.
#[derive(Clone, Debug)]
struct Model {
    kind: Kind,
    batch: usize,
    inputs: usize,
    hidden: usize,
    steps: usize,
    activation: usize,
    norm: usize,
    option: usize,
    loss: usize,
    labels: Indices,
    words: Indices,
    target: Tensor,
}

const CLASSES: usize = 3;
const WORDS: usize = 5;

impl Model {
    fn new(rng: &mut Rng, kind: Kind) -> Model {
        let batch = 2 + rng.below(2);
        let labels = (0..batch).map(|_| rng.below(CLASSES) as i32).collect();
        let steps = 1 + rng.below(4);
        let words: Vec<i32> = (0..batch * steps).map(|_| rng.below(WORDS) as i32).collect();
        Model {
            kind,
            batch,
            inputs: 2 + rng.below(4),
            hidden: 2 * (1 + rng.below(2)),
            steps,
            activation: rng.below(8),
            norm: rng.below(4),
            option: rng.below(16),
            loss: rng.below(4),
            labels,
            words: Indices::new(words, [batch, steps]),
            target: Tensor::randn([batch, CLASSES], rng).map(|x| x.round()),
        }
    }

    /// Names, shapes and scales of the parameters, in the order in which `loss` takes them.
    fn params(&self) -> Vec<(&'static str, Vec<usize>, f32)> {
        let Model { batch, inputs, hidden, steps, .. } = *self;
        let gates = match self.kind {
            Kind::Lstm => 4,
            Kind::Gru => 3,
            _ => 1,
        };
        let mut params = match self.kind {
            Kind::Mlp => vec![
                ("x", vec![batch, inputs], 1.0),
                ("w1", vec![hidden, inputs], 0.7),
                ("b1", vec![hidden], 0.5),
                ("scale", vec![hidden], 1.0),
                ("shift", vec![hidden], 0.5),
            ],
            Kind::Conv => vec![
                ("x", vec![batch, 2, 5, 4], 1.0),
                ("w1", vec![hidden, 2 / self.groups(), 1 + self.option % 3, 2], 0.5),
                ("b1", vec![hidden], 0.5),
                ("scale", vec![hidden], 1.0),
                ("shift", vec![hidden], 0.5),
            ],
            Kind::Rnn | Kind::Lstm | Kind::Gru => vec![
                ("x", vec![batch, steps, inputs], 1.0),
                ("w_ih", vec![gates * hidden, inputs], 0.7),
                ("w_hh", vec![gates * hidden, hidden], 0.7),
                ("bias", vec![gates * hidden], 0.5),
            ],
            Kind::Attention => vec![
                ("x", vec![batch, steps, hidden], 1.0),
                ("q", vec![hidden, hidden], 0.7),
                ("k", vec![hidden, hidden], 0.7),
                ("v", vec![hidden, hidden], 0.7),
                ("scale", vec![hidden], 1.0),
                ("shift", vec![hidden], 0.5),
            ],
            Kind::Bag => vec![("table", vec![WORDS, hidden], 1.0)],
        };
        params.push(("out", vec![CLASSES, hidden], 0.7));
        params
    }

    fn groups(&self) -> usize {
        1 + self.option / 8
    }

    fn activated<'t>(&self, x: Var<'t>) -> Var<'t> {
        match self.activation {
            0 => x.relu(),
            1 => x.tanh(),
            2 => x.sigmoid(),
            3 => x.leaky_relu(0.1),
            4 => x.gelu(),
            5 => x.silu(),
            6 => x.elu(1.0),
            _ => x.hardtanh(-1.0, 1.0),
        }
    }

    /// The loss, every parameter taken once.
    fn run<'t>(&self, v: &mut Taken<'t, '_>) -> Var<'t> {
        let hidden = match self.kind {
            Kind::Mlp => self.mlp(v),
            Kind::Conv => self.conv(v),
            Kind::Rnn | Kind::Lstm | Kind::Gru => self.recurrent(v),
            Kind::Attention => self.attention(v),
            Kind::Bag => {
                let x = v.next().embedding(&self.words);
                if self.option.is_multiple_of(2) { x.mean_axes(1, false) } else { x.max_axes(1, false) }
            }
        };
        let scores = hidden.linear(&v.next(), None);
        let target = scores.place().constant(&self.target);
        match self.loss {
            0 => scores.cross_entropy(&self.labels),
            1 => scores.mse_loss(&target),
            2 => scores.l1_loss(&target),
            _ => scores.huber_loss(&target, 0.5),
        }
    }

    fn mlp<'t>(&self, v: &mut Taken<'t, '_>) -> Var<'t> {
        let (x, w, b, scale, shift) = (v.next(), v.next(), v.next(), v.next(), v.next());
        let y = x.linear(&w, Some(&b));
        let y = match self.norm {
            0 => y.layer_norm([self.hidden], Some(&scale), Some(&shift), 0.1),
            1 => y.rms_norm([self.hidden], Some(&scale), 0.1) + shift,
            2 => y.batch_norm(Some(&scale), Some(&shift), 0.1)[0],
            _ => (y * scale + shift).dropout(0.3),
        };
        self.activated(y)
    }

    fn conv<'t>(&self, v: &mut Taken<'t, '_>) -> Var<'t> {
        let (x, w, b, scale, shift) = (v.next(), v.next(), v.next(), v.next(), v.next());
        let options = Conv2dOptions {
            stride: [1 + self.option % 2, 1],
            padding: [1, self.option % 2],
            groups: self.groups(),
            ..Conv2dOptions::default()
        };
        let y = x.conv2d(&w, Some(&b), options);
        let y = match self.norm {
            0 => y.batch_norm(Some(&scale), Some(&shift), 0.1)[0],
            1 => y.group_norm(2, Some(&scale), Some(&shift), 0.1),
            _ => y * scale.reshape([self.hidden, 1, 1]) + shift.reshape([self.hidden, 1, 1]),
        };
        let y = self.activated(y);
        let pooled = match self.option % 4 {
            0 => y.max_pool2d(PoolOptions { stride: [1, 1], ..PoolOptions::from(2) }),
            1 => y.max_pool2d(PoolOptions { padding: [1, 1], ceil_mode: true, ..PoolOptions::from(2) }),
            2 => y.avg_pool2d(2),
            _ => y,
        };
        pooled.mean_axes([2, 3], false)
    }

    fn recurrent<'t>(&self, v: &mut Taken<'t, '_>) -> Var<'t> {
        let (x, w_ih, w_hh, bias) = (v.next(), v.next(), v.next(), v.next());
        let zero = x.place().constant(Tensor::zeros([self.batch, self.hidden]));
        let (mut h, mut cell) = (zero, zero);
        for t in 0..self.steps {
            let from_x = x.select(1, t as isize).linear(&w_ih, Some(&bias));
            let from_h = h.linear(&w_hh, None);
            let gate = |y: Var<'t>, k: usize| {
                y.slice(1, (k * self.hidden) as isize..((k + 1) * self.hidden) as isize)
            };
            match self.kind {
                Kind::Lstm => {
                    let sum = from_x + from_h;
                    let [input, forget, output] = [0, 1, 3].map(|k| gate(sum, k).sigmoid());
                    cell = forget * cell + input * gate(sum, 2).tanh();
                    h = self.activated(output * cell.tanh());
                }
                Kind::Gru => {
                    let reset = (gate(from_x, 0) + gate(from_h, 0)).sigmoid();
                    let update = (gate(from_x, 1) + gate(from_h, 1)).sigmoid();
                    let new = (gate(from_x, 2) + reset * gate(from_h, 2)).tanh();
                    h = self.activated((-update + 1.0) * new + update * h);
                }
                _ => h = self.activated(from_x + from_h),
            }
        }
        h
    }

    fn attention<'t>(&self, v: &mut Taken<'t, '_>) -> Var<'t> {
        let x = v.next();
        let [q, k, value] = [v.next(), v.next(), v.next()].map(|w| x.linear(&w, None));
        let seen = q.scaled_dot_product_attention(
            &k,
            &value,
            AttentionOptions { is_causal: self.option.is_multiple_of(2), ..Default::default() },
        );
        let (scale, shift) = (v.next(), v.next());
        let y = (x + seen).layer_norm([self.hidden], Some(&scale), Some(&shift), 0.1);
        self.activated(y).mean_axes(1, false)
    }
}

/// The model of a seed and its parameters, after some training.
fn drawn(seed: u64) -> (Model, Vec<(String, Param)>) {
    let mut builder = Builder::new(seed);
    let model = Model::new(&mut builder.rng, KINDS[seed as usize % KINDS.len()]);
    for (name, shape, scale) in model.params() {
        builder.param(name, &shape, scale);
    }
    train(&model, &mut builder.params, [0, 5, 60][(seed / 7 % 3) as usize], seed);
    (model, builder.params)
}

fn check(seed: u64) -> (Kind, Report) {
    let (model, params) = drawn(seed);
    let named: Vec<(String, &Param)> = params.iter().map(|(name, param)| (name.clone(), param)).collect();
    let report = GradCheck { seed, ..GradCheck::default() }
        .params(&named, &Tape::training(seed), |tape| model.run(&mut Taken { tape, params: params.iter() }));
    (model.kind, report)
}

/// Whether the model of a seed makes an infinity of finite numbers, by the values of a tape.
fn overflows(seed: u64) -> bool {
    let (model, params) = drawn(seed);
    let tape = Tape::training(seed);
    model.run(&mut Taken { tape: &tape, params: params.iter() }).find_anomaly().is_some()
}

/// So many steps towards an optimum, by everything, the input too.
fn train(model: &Model, params: &mut [(String, Param)], steps: usize, seed: u64) {
    for _ in 0..steps {
        let tape = Tape::training(seed);
        let loss = model.run(&mut Taken { tape: &tape, params: params.iter() });
        let gradients = loss.backward();
        let moved: Vec<Tensor> = params
            .iter()
            .map(|(_, param)| {
                let gradient = gradients.get(tape.param(param)).cloned();
                param.value() - gradient.unwrap_or_else(|| Tensor::zeros(param.value().shape())) * 0.3
            })
            .collect();
        drop(tape);
        params.iter_mut().zip(moved).for_each(|((_, param), moved)| *param.value_mut() = moved);
    }
}

/// No alarm; in at most one of a thousand models a gradient that nothing can be said of; and the models of every kind must have stood on
/// kinks, and had gradients.
fn no_alarms(seeds: std::ops::Range<u64>) {
    let (mut crossed, mut flat, mut rows, mut unsure) = ([0; KINDS.len()], 0, 0, Unsure::default());
    for seed in seeds.clone() {
        let (kind, report) = check(seed);
        crossed[kind as usize] += report.rows.iter().any(|row| row.crossed > 0) as usize;
        flat += report.rows.iter().filter(|row| row.verdict == Verdict::Zero).count();
        rows += report.rows.len();
        unsure.add(&format!("{kind:?}, seed {seed}"), &report, |_| false, || overflows(seed));
    }
    let models = (seeds.end - seeds.start) as usize;
    let all: usize = crossed.iter().sum();
    let enough = crossed.iter().all(|&models| models > 0) && all as u64 > (seeds.end - seeds.start) / 5;
    assert!(enough, "models on kinks, by kind: {crossed:?}");
    unsure.check(models);
    assert!(flat < rows / 3, "{flat} of {rows} gradients are zero");
}

#[test]
fn no_alarm_in_random_models() {
    no_alarms(0..140);
}

/// `cargo test --release -p gradus-autograd --test suite random_models:: -- --ignored`
#[test]
#[ignore = "it is long"]
fn no_alarm_in_twenty_thousand_random_models() {
    no_alarms(1_000..21_000);
}

/// Seeds that were run when the checker was done.
#[test]
#[ignore = "it is long"]
fn no_alarm_in_twenty_thousand_other_models() {
    no_alarms(100_000..120_000);
}
