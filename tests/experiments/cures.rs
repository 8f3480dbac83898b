//! What helps against over-fitting: each cure alone against the same net without, in one report.

use crate::{
    digits::flat_digits,
    nets::{Extras, multi_layer_net},
    rows::Data,
    runs::{Outcome, train},
};
use gradus::{nn::optim::Group, prelude::*};
use std::fmt;

/// What is done, and what came of it.
pub(crate) struct Cures(Vec<(&'static str, Outcome)>);

impl Cures {
    /// A net of six hidden layers on few examples, then the same with one thing changed; `more` has more examples.
    pub(crate) fn try_all(few: &Data, more: &Data, lr: f64, steps: usize) -> Cures {
        let plain = Extras::default();
        let net = |hidden: &[usize], extras: Extras| {
            multi_layer_net(few.inputs(), hidden, Init::KaimingNormal, extras, &mut Rng::seed(1))
        };
        let six = |extras: Extras| net(&[100; 6], extras);
        let sgd = || Sgd::new(lr);
        let decay = || sgd().weight_decay(0.1).group(Group::vectors().weight_decay(0.0));
        let run = |mut net: Sequential, mut sgd: Sgd, data: &Data, batch| {
            train(&mut net, &mut sgd, &data.train, batch, steps, 1);
            Outcome::of(&net, &data.train, &data.test)
        };
        let mut by_adam = six(plain);
        train(&mut by_adam, &mut Adam::new(0.001), &few.train, 100, steps, 1);
        Cures(vec![
            ("none", run(six(plain), sgd(), few, 100)),
            ("batch normalisation", run(six(Extras { norms: true, ..plain }), sgd(), few, 100)),
            ("dropout 0.2", run(six(Extras { dropout: Some(0.2), ..plain }), sgd(), few, 100)),
            ("weight decay 0.1", run(six(plain), decay(), few, 100)),
            ("batches of 10", run(six(plain), sgd(), few, 10)),
            ("Adam for SGD", Outcome::of(&by_adam, &few.train, &few.test)),
            ("a hidden layer of 20", run(net(&[20], plain), sgd(), few, 100)),
            ("more examples", run(six(plain), sgd(), more, 100)),
        ])
    }

    /// The outcome of a cure.
    pub(crate) fn of(&self, name: &str) -> Outcome {
        self.0.iter().find(|(cure, _)| *cure == name).expect("a cure of the list").1
    }
}

impl fmt::Display for Cures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.of("none");
        writeln!(f, "| cure | train | test | gap | gap less by |\n|---|---|---|---|---|")?;
        self.0.iter().try_for_each(|(cure, outcome)| {
            let Outcome { train, test, .. } = outcome;
            let less = before.gap() - outcome.gap();
            writeln!(f, "| {cure} | {train:.3} | {test:.3} | {:.3} | {less:+.3} |", outcome.gap())
        })
    }
}

#[test]
fn cures_for_overfitting() {
    let all = flat_digits();
    let cures = Cures::try_all(&all.few(200), &all, 0.05, 300);
    let before = cures.of("none");
    assert!(before.train > 0.99 && before.gap() > 0.08, "{cures}");
    for cure in ["dropout 0.2", "weight decay 0.1", "more examples"] {
        assert!(cures.of(cure).gap() < before.gap() - 0.02, "{cure}\n{cures}");
    }
    assert!(cures.of("more examples").test > before.test + 0.05, "{cures}");
}
