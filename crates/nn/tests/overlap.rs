//! What ranks say to each other while their sweeps go on: the bits of one process, and errors on all where a rank breaks.

use gradus_autograd::{op::prelude::*, ops::loss::CrossEntropyOptions, prelude::*};
use gradus_nn::{
    Layer, Linear, Module, Sgd,
    data::Dataset,
    group::{Group, GroupError, LocalGroup},
    module,
    train::{Trainer, group_gradients, shard_gradients},
};
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::panics::panic_of;

/// Parameters of which each is used in another way.
struct Odd {
    first: Linear,
    twice: Param,
    sometimes: Param,
    never: Param,
    beside: Param,
    frozen: Param,
    last: Linear,
}
module!(Odd { first, twice, sometimes, never, beside, frozen, last });

impl Layer for Odd {
    fn forward<V: Value>(&self, x: V) -> V {
        self.first.forward(x)
    }
}

impl Odd {
    /// One bucket, or two if `is_large`.
    fn new(is_large: bool) -> Odd {
        let rng = &mut Rng::seed(5);
        let mut new = || Param::new(Tensor::randn([7], rng));
        let (twice, sometimes, beside, mut frozen) = (new(), new(), new(), new());
        let never = Param::new(Tensor::zeros([if is_large { 600_000 } else { 7 }]));
        frozen.set_frozen(true);
        let (first, last) = (Linear::new(6, 7, rng), Linear::new(7, 5, rng));
        Odd { first, twice, sometimes, never, beside, frozen, last }
    }

    fn loss<'t>(&self, y: Var<'t>, labels: &Indices) -> Var<'t> {
        let tape = y.tape();
        let twice = tape.param(&self.twice);
        tape.param(&self.beside);
        let mut h = (y * twice).tanh() * tape.param(&self.frozen) + twice;
        if labels.iter().any(|label| label == 3) {
            h = h + tape.param(&self.sometimes);
        }
        let options = CrossEntropyOptions { ignore_index: Some(-100), ..Default::default() };
        self.last.forward(h).cross_entropy_with(labels, options)
    }

    /// All that is known of gradients, with their bits.
    fn describe(&self, (loss, gradients): (f64, Gradients)) -> Vec<String> {
        let params = self.params();
        let mut all = vec![format!("{:x} {:?}", loss.to_bits(), gradients.weight())];
        all.extend(params.iter().map(|(name, param)| {
            let bits = |g: &Tensor| g.iter().map(f32::to_bits).collect::<Vec<_>>();
            format!("{name} {:x?}", gradients.of(param).map(bits))
        }));
        all.extend(gradients.unreached(&params).iter().map(ToString::to_string));
        all
    }
}

#[test]
fn parameters_that_are_not_reached_by_all_have_the_bits_of_shards() {
    let seeds: Vec<u64> = (0..8).collect();
    let cases = [(16, 13), (16, 0), (5, 4), (3, 1), (16, 99)];
    for (n, three, is_large) in cases.iter().flat_map(|&(n, three)| [(n, three, false), (n, three, true)]) {
        let x = Tensor::randn([n, 6], &mut Rng::seed(n as u64));
        let label = |i| match i {
            _ if i == three => 3,
            4 | 5 | 9 => -100,
            _ => i as i32 % 3,
        };
        let labels: Indices = (0..n).map(label).collect();
        let net = Odd::new(is_large);
        let one = net.describe(shard_gradients(&net, &x, &labels, &seeds, |y, labels| net.loss(y, labels)));
        assert_eq!(
            one.iter().any(|line| line.contains("sometimes") && line.contains("not used")),
            three == 99
        );
        assert!(
            one.iter().any(|line| line.contains("never [") && line.contains("]: not used on the tape")),
            "{one:?}"
        );
        assert!(one.iter().any(|line| line.contains("beside [7]: used on the tape")), "{one:?}");
        for ranks in [2, 4, 8] {
            let all = LocalGroup::run(ranks, |mut group| {
                let net = Odd::new(is_large);
                let loss = |group: &mut dyn Group| {
                    group_gradients(group, &net, &x, &labels, &seeds, |y, labels| net.loss(y, labels))
                };
                net.describe(loss(&mut group).unwrap())
            });
            // What a rank without a shard does not know is whether a parameter is on a tape.
            let numbers = 1 + net.params().len();
            assert_eq!(all[0], one);
            for found in all {
                assert_eq!(
                    found[..numbers],
                    one[..numbers],
                    "{ranks} ranks, {n} examples, the label 3 at {three}"
                );
            }
        }
    }
}

/// What a rank has no gradient of is added as -0, the number that changes no other.
#[test]
fn a_gradient_of_minus_zero_on_one_rank_alone_keeps_its_sign() {
    let (x, labels): (_, Indices) = (Tensor::ones([2, 6]), [0, 3].into_iter().collect());
    let all = LocalGroup::run(2, |mut group| {
        let net = Odd::new(false);
        let step = group_gradients(&mut group, &net, &x, &labels, &[1, 2], |y, labels| {
            let squares = y.square().mean();
            if labels.iter().all(|label| label != 3) {
                return squares;
            }
            squares + (y.tape().param(&net.sometimes) * -0.0).sum()
        });
        let (_, gradients) = step.unwrap();
        gradients[&net.sometimes].iter().map(f32::to_bits).collect::<Vec<_>>()
    });
    assert_eq!(all, [vec![(-0.0f32).to_bits(); 7], vec![(-0.0f32).to_bits(); 7]]);
}

/// The identity, which calls a function when a sweep passes it.
#[derive(Clone)]
struct Passed(Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passed")
    }
}

impl Pointwise for Passed {
    const NAME: &'static str = "passed";

    fn forward(&self, x: &[&Tensor]) -> Tensor {
        x[0].clone()
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
        (self.0)();
        cx.send(|_, _, g| [g * 1.0]);
    }

    fn reference(&self, x: &[f64], _: &mut Branches<'_>) -> f64 {
        x[0]
    }
}

/// How many buckets have been exchanged.
#[derive(Default)]
struct Exchanged {
    count: Mutex<usize>,
    changed: Condvar,
}

impl Exchanged {
    /// Whether there is one within a minute.
    fn wait(&self) -> bool {
        let count = self.count.lock().unwrap();
        let waited = self.changed.wait_timeout_while(count, Duration::from_secs(60), |count| *count == 0);
        *waited.unwrap().0 > 0
    }
}

/// A group whose buckets are counted.
struct Counted {
    group: LocalGroup,
    overlaps: bool,
    exchanged: Arc<Exchanged>,
    computing: bool,
    /// For each bucket, whether its rank computed meanwhile, as the group was told.
    beside_a_sweep: Vec<bool>,
}

impl Group for Counted {
    fn rank(&self) -> usize {
        self.group.rank()
    }

    fn size(&self) -> usize {
        self.group.size()
    }

    fn all_to_all(&mut self, words: Vec<u32>, counts: &[usize]) -> Result<Vec<u32>, GroupError> {
        self.beside_a_sweep.push(self.computing);
        let words = self.group.all_to_all(words, counts)?;
        *self.exchanged.count.lock().unwrap() += 1;
        self.exchanged.changed.notify_all();
        Ok(words)
    }

    fn all_gather(&mut self, words: Vec<u32>, counts: &[usize]) -> Result<Vec<u32>, GroupError> {
        self.group.all_gather(words, counts)
    }

    fn overlaps(&self) -> bool {
        self.overlaps
    }

    fn set_computing(&mut self, computing: bool) {
        self.computing = computing;
    }
}

/// The upper layer alone fills a bucket, and is sent in two.
struct Deep {
    lower: Linear,
    upper: Linear,
}
module!(Deep { lower, upper });

/// A step of a group; `passed` is called between the sweep's two layers. Gives for each bucket whether it went beside a sweep.
fn step(
    group: LocalGroup,
    overlaps: bool,
    shards: usize,
    passed: impl Fn(usize, &Exchanged) + Send + Sync + 'static,
) -> Result<Vec<bool>, GroupError> {
    let (rank, exchanged) = (group.rank(), Arc::new(Exchanged::default()));
    let (computing, beside_a_sweep) = (false, Vec::new());
    let mut group = Counted { group, overlaps, exchanged: Arc::clone(&exchanged), computing, beside_a_sweep };
    let rng = &mut Rng::seed(2);
    let mut net = Deep { lower: Linear::new(4, 1024, rng), upper: Linear::new(1024, 600, rng) };
    let x = Tensor::randn([6, 4], rng);
    let passed = Passed(Arc::new(move || passed(rank, &exchanged)));
    let mut trainer = Trainer::new(Sgd::new(0.1), 6, 1).shards(shards);
    trainer.group(&mut group).fit_with(
        &mut net,
        &Dataset::new(x, Tensor::zeros([6])),
        1,
        |net, tape, x, _| {
            let h = Var::apply(passed.clone(), &[&net.lower.forward(tape.constant(x))]);
            net.upper.forward(h).square().mean()
        },
        &mut [],
    )?;
    Ok(group.beside_a_sweep)
}

#[test]
fn a_bucket_is_exchanged_before_the_sweep_is_over() {
    let beside = LocalGroup::run(2, |group| {
        step(group, true, 1, |_, exchanged| {
            assert!(exchanged.wait(), "no bucket came while the sweep went on")
        })
    });
    assert_eq!(beside, [Ok(vec![true, true, false]), Ok(vec![true, true, false])]);
}

#[test]
fn a_group_that_does_not_overlap_exchanges_when_the_sweep_is_over() {
    let beside = LocalGroup::run(2, |group| {
        step(group, false, 1, |_, exchanged| assert_eq!(*exchanged.count.lock().unwrap(), 0))
    });
    assert_eq!(beside, [Ok(vec![false; 3]), Ok(vec![false; 3])]);
}

/// The first bucket is exchanged by then, and the others wait in the second one.
#[test]
fn a_rank_that_breaks_in_its_sweep_is_an_error_on_all_others() {
    for shards in [1, 2] {
        let ends = LocalGroup::run(3, |group| {
            let rank = group.rank();
            let group = Mutex::new(Some(group));
            let run = || {
                let group = group.lock().unwrap().take().unwrap();
                step(group, true, shards, move |rank, exchanged| {
                    // Two shards of one thread come one after the other: then there is no bucket yet.
                    assert!(rank != 1 || shards == 1 && !exchanged.wait(), "it breaks");
                })
            };
            match catch_unwind(AssertUnwindSafe(run)) {
                Ok(result) => result.unwrap_err(),
                Err(said) => {
                    assert_eq!((rank, said.downcast_ref::<&str>()), (1, Some(&"it breaks")));
                    GroupError::lost(1, "it has left the group")
                }
            }
        });
        for error in ends {
            assert_eq!(error.to_string(), "group: rank 1 is lost: it has left the group");
        }
    }
}

#[test]
fn what_panics_in_a_sweep_names_the_line_of_who_trains() {
    for shards in [1, 2] {
        let line = AtomicU32::new(0);
        let fit = |mut group: LocalGroup| {
            let mut net = Linear::new(4, 3, &mut Rng::seed(0));
            let mut trainer = Trainer::new(Sgd::new(0.1), 6, 1).shards(shards);
            let data = Dataset::new(Tensor::ones([6, 4]), Tensor::zeros([6]));
            let mut ranks = trainer.group(&mut group);
            line.store(line!() + 1, Relaxed);
            ranks.fit(&mut net, &data, 1, |y, _| y, &mut []).unwrap();
        };
        let (text, file, at) = panic_of(|| LocalGroup::run(2, fit));
        assert!(text.starts_with("backward: the loss must have one element"), "{text}");
        assert_eq!((file, at), (file!().to_string(), line.into_inner()), "{shards} shards");
    }
}
