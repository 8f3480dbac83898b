//! Checkpoints change memory and time, and nothing else.

use gradus_autograd::{check::GradCheck, functional::hessian, prelude::*};

struct Net {
    w: Param,
    b: Param,
}

impl Net {
    fn new() -> Net {
        let mut rng = Rng::seed(1);
        Net {
            w: Param::new(Tensor::randn([8, 8], &mut rng) * 0.4),
            b: Param::new(Tensor::randn([8], &mut rng)),
        }
    }

    /// One layer; the randomness is a seed that the tape draws.
    fn block<V: Value>(&self, x: &V) -> V {
        let at = x.place();
        let y = (x.matmul(&at.param(&self.w)) + at.param(&self.b)).tanh();
        match at.draw() {
            Some(seed) => {
                let random = Tensor::uniform(y.shape(), 0.0, 1.0, &mut Rng::seed(seed));
                y * at.constant(random.map(|x| if x > 0.3 { 1.0 } else { 0.0 }))
            }
            None => y,
        }
    }

    fn params(&self) -> [(String, &Param); 2] {
        [("w".into(), &self.w), ("b".into(), &self.b)]
    }
}

/// Where checkpoints are put.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Plan {
    None,
    EachBlock,
    Pairs,
    Nested,
}

fn forward<V: Value>(net: &Net, x: V, plan: Plan) -> V {
    let at = x.place();
    let two = |x: V| net.block(&net.block(&x));
    match plan {
        Plan::None => two(two(x)),
        Plan::EachBlock => (0..4).fold(x, |x, _| at.checkpoint(|| net.block(&x))),
        Plan::Pairs => at.checkpoint(|| two(at.checkpoint(|| two(x)))),
        Plan::Nested => at.checkpoint(|| {
            let x = at.checkpoint(|| {
                let x = at.checkpoint(|| net.block(&x));
                net.block(&x)
            });
            let [a, b] = at.checkpoint(|| {
                let x = net.block(&x);
                [net.block(&x), x]
            });
            a + b * 0.0
        }),
    }
}

const PLANS: [Plan; 3] = [Plan::EachBlock, Plan::Pairs, Plan::Nested];

fn input() -> Tensor {
    Tensor::randn([3, 8], &mut Rng::seed(2))
}

#[test]
fn results_and_gradients_keep_their_bits() {
    let net = Net::new();
    let run = |plan| {
        let tape = Tape::training(7);
        let x = tape.var(input());
        let y = forward(&net, x, plan);
        let loss = y.square().sum();
        let first = loss.backward();
        let again = loss.backward();
        assert_eq!(first[&net.w], again[&net.w], "a second sweep differs");
        [y.value(), first[x].clone(), first[&net.w].clone(), first[&net.b].clone()]
    };
    let plain = run(Plan::None);
    for plan in PLANS {
        assert_eq!(run(plan), plain, "{plan:?}");
    }
    assert_eq!(forward(&net, input(), Plan::Nested), forward(&net, input(), Plan::None));
}

#[test]
fn a_training_step_goes_through_checkpoints() {
    let net = Net::new();
    let run = |plan| {
        let mut tape = Tape::training(7);
        (0..2)
            .map(|_| {
                let (loss, gradients, ()) =
                    tape.step(|tape| (forward(&net, tape.constant(input()), plan).square().sum(), ()));
                (loss, gradients[&net.w].clone(), gradients[&net.b].clone())
            })
            .collect::<Vec<_>>()
    };
    let plain = run(Plan::None);
    assert_ne!(plain[0].0, plain[1].0, "the masks of two steps differ");
    for plan in PLANS {
        assert_eq!(run(plan), plain, "{plan:?}");
    }
}

#[test]
fn gradients_of_gradients_go_through_checkpoints() {
    let net = Net::new();
    let run = |plan| {
        let tape = Tape::training(7);
        let x = tape.var(input());
        let loss = forward(&net, x, plan).square().sum();
        let slope = loss.grad(&[x])[0].unwrap();
        let third = slope.square().sum().grad(&[x])[0].unwrap().square().sum();
        let steep = third.backward();
        // The same again, when everything has been dropped; and the first order still works.
        assert_eq!(third.backward()[x], steep[x]);
        [slope.value(), steep[x].clone(), steep[&net.w].clone(), loss.backward()[&net.w].clone()]
    };
    let plain = run(Plan::None);
    for plan in PLANS {
        assert_eq!(run(plan), plain, "{plan:?}");
    }
    let tape = Tape::new();
    let x = tape.var([0.3, 0.5]);
    let plain = hessian(|x| x.sin().exp().sum(), x).value();
    assert_eq!(hessian(|x| x.place().checkpoint(|| x.sin().exp()).sum(), x).value(), plain);
    assert_eq!(hessian(|x| x.place().checkpoint(|| x.sin().exp().sum()), x).value(), plain);
    // A whole derivative inside.
    let inside = tape.place().checkpoint(|| hessian(|x| x.sin().exp().sum(), x));
    assert_eq!(inside.value(), plain);
    let expected = hessian(|x| x.sin().exp().sum(), x).sum().backward();
    assert_eq!(inside.sum().backward()[x], expected[x]);
}

#[test]
fn the_gradient_check_goes_through_checkpoints() {
    let net = Net::new();
    for plan in PLANS {
        let tape = Tape::training(3);
        let report = GradCheck::default()
            .params(&net.params(), &tape, |tape| forward(&net, tape.constant(input()), plan).square().mean());
        assert!(report.passed(), "{plan:?}\n{report}");
    }
}

#[test]
fn what_is_not_returned_is_gone_and_says_so() {
    let tape = Tape::new();
    let x = tape.var([1.0, 2.0]);
    let mut inner = None;
    let y = tape.place().checkpoint(|| {
        inner = Some(x.exp());
        inner.unwrap().sin()
    });
    let text = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| inner.unwrap().value())).unwrap_err();
    let text =
        text.downcast_ref::<&str>().map(ToString::to_string).or(text.downcast_ref::<String>().cloned());
    assert!(text.unwrap().contains("a checkpoint keeps only what it returns"));
    let listing = tape.to_string();
    assert!(listing.contains("dropped"), "{listing}");
    // Several results, results from outside, and none of it used.
    let [a, b] = tape.place().checkpoint(|| [x, x.exp()]);
    assert_eq!((a + b).sum().backward()[x].to_vec(), [1.0 + 1f32.exp(), 1.0 + 2f32.exp()]);
    assert_eq!(y.sum().backward()[x].to_vec(), (x.exp().cos() * x.exp()).value().to_vec());
}
