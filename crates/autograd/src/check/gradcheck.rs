//! The gradient check of a user's function or model.

use super::{
    blame::{Known, conclude},
    forward::wrong_forwards,
    leaf::Leaf,
    long,
    overflow::Overflow,
    recording::{Recording, Told, compare, moved},
    report::{Report, Row, Verdict},
    rounding::Rounding,
    structure,
};
use crate::{
    ops::reduce::Reduce,
    replay::Replay,
    sweep::Rule,
    tape::{Tape, var::Var},
    value::param::Param,
};
use gradus_tensor::{DirectConvolutions, Rng, Tensor};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

/// Checks the gradients of `f` by all its inputs; see [`GradCheck`].
///
/// ```
/// use gradus_autograd::{check::gradcheck, prelude::*};
///
/// let report = gradcheck(|x| (x[0] * x[1]).tanh(), &[Tensor::from([0.5, -0.3]), Tensor::from([1.5, 2.0])]);
/// assert!(report.passed(), "{report}");
/// ```
///
/// # Panics
/// When there are no inputs.
#[track_caller]
pub fn gradcheck(f: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>, inputs: &[Tensor]) -> Report {
    GradCheck::default().function(f, inputs)
}

/// Asserts that gradients are right, and panics with the whole report if not.
///
/// It takes what [`gradcheck`] takes, a function and its inputs, or a [`Report`].
///
/// ```
/// use gradus_autograd::{assert_gradcheck, prelude::*};
///
/// assert_gradcheck!(|x| x[0].matmul(&x[1]).tanh(), &[Tensor::eye(3), Tensor::ones([3, 2])]);
/// ```
#[macro_export]
macro_rules! assert_gradcheck {
    ($f:expr, $inputs:expr $(,)?) => {
        $crate::assert_gradcheck!($crate::check::gradcheck($f, $inputs))
    };
    ($report:expr $(,)?) => {{
        let report: $crate::check::Report = $report;
        assert!(report.passed(), "the gradient check failed\n{report}");
    }};
}

/// A gradient check with its settings.
///
/// The computation is recorded once, in f32, as in training; then the recording is run in f64 through the operations'
/// references. Two questions are asked of each input or parameter.
///
/// - Is the *formula* right? The backward rules, run in f64, are compared with differences of the forward, run in
///   f64, at chosen elements and along random directions, which see every element. Every difference knows its own
///   error, and is judged by it. Branches (sides of kinks, winners of maxima) are those of the recorded f32 values, in
///   both.
/// - Is the *arithmetic* right? The gradient that training would use, f32 and through the fused rules, is compared
///   with the rules in f64, at every element, and judged by what the stated precision of the operations explains.
///
/// A wrong gradient is followed to the operation that is to blame: each on the way is checked alone. In a model so large that
/// moving every input by itself would take long, each operation is checked once in this way instead, with random cotangents,
/// and the whole along random directions through all inputs; the report says so. To have the elements of such a model
/// differenced all the same, set `elements` to `usize::MAX`. Beside this the backward pass must be linear in the cotangent,
/// give exactly zero for zero, and the same bits twice.
///
/// The page `docs/gradient-checking.md` explains reports, and what a check cannot see.
#[derive(Clone, Debug)]
pub struct GradCheck {
    /// Decides cotangents, chosen elements and directions.
    pub seed: u64,
    /// How many elements of each input are differenced one by one; an input that has no more is checked in full.
    pub elements: usize,
    /// Along how many random directions each larger input is differenced.
    pub directions: usize,
    /// From which distance of the f32 gradient to the f64 one, relative to the input's largest gradient, it is told though
    /// rounding explains it.
    pub tolerance: f64,
    /// Whether what is only told otherwise fails: f32 gradients that are further off than the tolerance though rounding
    /// explains it, and rules that are right to the precision of f32 alone.
    pub strict: bool,
    /// Up to which order derivatives are checked: 1 for the gradient, 2 for its own gradient too, projected on random
    /// directions, 3 for that one's.
    pub order: usize,
}

impl Default for GradCheck {
    fn default() -> GradCheck {
        GradCheck { seed: 0, elements: 48, directions: 3, tolerance: 1e-3, strict: false, order: 1 }
    }
}

/// What is said where the function could not be recorded at moved inputs.
const ENDS_BESIDE: &str = "the function panics a little beside the inputs, so numbers that were taken out of the recording were not looked for";

/// A value and its gradients by some variables: what rows are made of.
pub(super) struct Subject<'t> {
    pub(super) order: usize,
    pub(super) output: Var<'t>,
    pub(super) cotangent: Tensor,
    /// By variable: the gradient that training would use.
    pub(super) trained: Vec<Option<Tensor>>,
    /// By variable: the backward rules, recorded.
    pub(super) rules: Vec<Option<Var<'t>>>,
}

impl<'t> Subject<'t> {
    pub(super) fn weights(&self) -> Vec<f64> {
        self.cotangent.iter().map(f64::from).collect()
    }

    pub(super) fn new(order: usize, output: Var<'t>, cotangent: Tensor, vars: &[Var<'t>]) -> Subject<'t> {
        let gradients = output.sweep(cotangent.clone(), Rule::Fused, false);
        let trained = vars.iter().map(|&var| gradients.get(var).cloned()).collect();
        let rules = output.grad_from(output.tape().constant(cotangent.clone()), vars);
        Subject { order, output, cotangent, trained, rules }
    }

    /// The gradients' own gradients, projected on random directions.
    fn next_order(&self, vars: &[Var<'t>], rng: &mut Rng) -> Subject<'t> {
        let tape = self.output.tape();
        let projected = self.rules.iter().flatten().map(|&rule| {
            let direction = tape.constant(Tensor::randn(rule.shape(), rng));
            (rule * direction).sum()
        });
        let sum = projected.reduce(|a, b| a + b).unwrap_or_else(|| tape.constant(0.0));
        Subject::new(self.order + 1, sum, Tensor::ones(sum.shape()), vars)
    }
}

/// What all rows of a check are made of.
pub(super) struct Prepared<'t> {
    /// By order.
    pub(super) subjects: Vec<Subject<'t>>,
    pub(super) replay: Replay<'t>,
    rounding: Rounding,
}

impl<'t> Prepared<'t> {
    /// The `i`-th variable of a subject.
    pub(super) fn leaf<'a>(&'a self, subject: &'a Subject<'a>, i: usize, var: Var<'a>) -> Leaf<'a> {
        Leaf::new(&self.replay, &self.rounding, subject, i, var)
    }
}

impl GradCheck {
    /// Checks the gradients of `f` by all its inputs. An output with several elements is multiplied by random
    /// numbers and summed.
    ///
    /// # Panics
    /// When there are no inputs, or the settings ask for no elements and no directions.
    #[track_caller]
    pub fn function(&self, f: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>, inputs: &[Tensor]) -> Report {
        self.check_function(&f, inputs)
    }

    // Compiled once, not for each closure.
    #[track_caller]
    fn check_function(&self, f: &dyn for<'t> Fn(&[Var<'t>]) -> Var<'t>, inputs: &[Tensor]) -> Report {
        self.validate();
        assert!(!inputs.is_empty(), "gradcheck: there are no inputs to check");
        let _direct = DirectConvolutions::begin();
        let start = Instant::now();
        fn variables<'t>(tape: &'t Tape, inputs: &[Tensor]) -> Vec<Var<'t>> {
            inputs.iter().map(|x| tape.var(x.clone())).collect()
        }
        let (tape, second) = (Tape::of_check(), Tape::new());
        let vars = variables(&tape, inputs);
        let output = f(&vars);
        let again = f(&variables(&second, inputs)).value();
        let named: Vec<(String, Var<'_>)> =
            vars.iter().enumerate().map(|(i, &x)| (format!("input {i}"), x)).collect();
        let (third, mut rng) = (Tape::of_check(), Rng::seed(self.seed));
        let mut elsewhere = || {
            let moved: Vec<Tensor> = inputs.iter().map(|x| moved(x, &mut rng)).collect();
            let vars = variables(&third, &moved);
            let output = f(&vars);
            Recording { tape: &third, vars, output }
        };
        self.run(named, output, &again, &mut elsewhere, start)
    }

    /// Checks the gradients of a loss by named parameters. `tape` decides whether the model trains or evaluates. Frozen
    /// parameters are left out.
    ///
    /// # Panics
    /// When there are no parameters that are not frozen, the loss has more than one element, or the settings ask for no elements
    /// and no directions.
    #[track_caller]
    pub fn params(
        &self,
        params: &[(String, &Param)],
        tape: &Tape,
        loss: impl for<'t> Fn(&'t Tape) -> Var<'t>,
    ) -> Report {
        self.check_params(params, tape, &loss)
    }

    #[track_caller]
    fn check_params(
        &self,
        params: &[(String, &Param)],
        tape: &Tape,
        loss: &dyn for<'t> Fn(&'t Tape) -> Var<'t>,
    ) -> Report {
        self.validate();
        assert!(!params.is_empty(), "gradcheck: there are no parameters to check");
        let _direct = DirectConvolutions::begin();
        let start = Instant::now();
        let second = tape.twin();
        let (frozen, free): (Vec<_>, Vec<_>) = params.iter().partition(|(_, param)| param.is_frozen());
        assert!(!free.is_empty(), "gradcheck: all parameters are frozen, so there is nothing to check");
        let third = tape.twin();
        let named = free.iter().map(|(name, param)| (name.clone(), tape.param(param))).collect();
        let output = loss(tape);
        if output.shape().numel() != 1 {
            panic!(
                "gradcheck: the loss must have one element, {} has {}; call .sum() or .mean() first",
                output.describe(),
                output.shape().numel()
            );
        }
        let again = loss(&second).value();
        let mut rng = Rng::seed(self.seed);
        let mut elsewhere = || {
            let vars = free.iter().map(|(_, param)| third.stand_in(param, moved(param.value(), &mut rng)));
            let vars = vars.collect();
            Recording { tape: &third, vars, output: loss(&third) }
        };
        let mut report = self.run(named, output, &again, &mut elsewhere, start);
        if let Some(line) = tape.undecided() {
            report.notes.push(format!(
                "the layer at {}:{} works otherwise in training; this checked it in evaluation, and GradCheck::params with \
                 Tape::training(seed) checks it in training",
                line.file(),
                line.line()
            ));
        }
        let frozen = frozen.iter().filter(|(_, param)| !param.is_buffer());
        report.notes.extend(frozen.map(|(name, _)| format!("{name} is frozen and was not checked")));
        report
    }

    #[track_caller]
    fn validate(&self) {
        assert!(
            self.elements.max(self.directions) > 0,
            "gradcheck: no elements and no directions, so nothing would be checked"
        );
        assert!((1..=3).contains(&self.order), "gradcheck: the order must be 1, 2 or 3, not {}", self.order);
    }

    fn run<'s>(
        &self,
        named: Vec<(String, Var<'_>)>,
        output: Var<'_>,
        again: &Tensor,
        elsewhere: &mut dyn FnMut() -> Recording<'s>,
        start: Instant,
    ) -> Report {
        let report = |rows, broken, notes| Report {
            rows,
            broken,
            notes,
            seed: self.seed,
            seconds: start.elapsed().as_secs_f64(),
        };
        if let Some(sentence) = structure::not_finite(output) {
            return report(Vec::new(), vec![sentence], Vec::new());
        }
        let mut broken: Vec<String> = structure::differs(&output.value(), again).into_iter().collect();
        let mut rng = Rng::seed(self.seed);
        let cotangent = match output.shape().numel() {
            1 => Tensor::ones(output.shape()),
            _ => Tensor::randn(output.shape(), &mut rng),
        };
        let was_checked = output.tape().checked.replace(true);
        broken.extend(structure::violations(output, &cotangent, &named));
        // A function that is not the same twice tells nothing at other inputs.
        let mut told = Told::default();
        if broken.is_empty() {
            let vars = named.iter().map(|(_, var)| *var).collect();
            let weights: Vec<f64> = cotangent.iter().map(f64::from).collect();
            match catch_unwind(AssertUnwindSafe(elsewhere)) {
                Ok(moved) => {
                    told = compare(&Recording { tape: output.tape(), vars, output }, &moved, &weights);
                }
                // The inputs lie at the end of what the function takes, such as probabilities of 1.
                Err(_) => told.notes.push(ENDS_BESIDE.into()),
            }
        }
        let (rows, mut notes) = self.rows(&named, output, cotangent, &mut rng);
        broken.extend(told.broken);
        notes.extend(told.notes);
        output.tape().checked.set(was_checked);
        report(rows, broken, notes)
    }

    /// The rows of all orders, with the operations to blame, and what is to be noted.
    fn rows<'t>(
        &self,
        named: &[(String, Var<'t>)],
        output: Var<'t>,
        cotangent: Tensor,
        rng: &mut Rng,
    ) -> (Vec<Row>, Vec<String>) {
        let mut known = Known::new();
        let wrong = wrong_forwards(output);
        let vars: Vec<Var<'t>> = named.iter().map(|(_, var)| *var).collect();
        let prepared = self.prepare(&vars, output, cotangent, rng);
        let overflow = Overflow::of(&prepared.replay, output);
        let mut notes = prepared.replay.surrogates(output.id());
        let is_long = self.elements < usize::MAX && long::is_long(&prepared.replay, &vars, output);
        let mut finish = |i: usize, mut row: Row, replay: &Replay<'_>| {
            row.name.clone_from(&named[i].0);
            // What differs from its reference makes differences of another function.
            let way: Vec<usize> =
                replay.steps_between(&[vars[i].id()], output.id()).into_iter().map(|(id, _)| id).collect();
            if let Some(wrong) = wrong.iter().find(|wrong| way.contains(&wrong.id)) {
                (row.verdict, row.blame) = (Verdict::WrongForward, Some(wrong.blame.clone()));
            } else if is_long {
                // The operation to blame is known.
            } else {
                let rule = prepared.subjects[0].rules[i].map(|rule| replay.base(rule.id()).data());
                let is_finite = rule.is_none_or(|rule| rule.iter().all(|r| r.is_finite()));
                conclude(self, replay, &mut known, (vars[i], output), is_finite, &mut row);
            }
            if !matches!(row.verdict, Verdict::WrongForward | Verdict::WrongFormula) {
                overflow.conclude(&way, &mut row);
            }
            row
        };
        let rows = match is_long {
            true => long::rows(self, &prepared, &vars, output, &mut notes)
                .into_iter()
                .map(|(i, row)| finish(i, row, &prepared.replay))
                .collect(),
            false => self.judge(&vars, &prepared, rng, finish),
        };
        (rows, notes)
    }

    /// The rows of one value alone, without the search for whom to blame: what that search checks operations with.
    pub(super) fn rows_alone<'t>(&self, vars: &[Var<'t>], output: Var<'t>, rng: &mut Rng) -> Vec<Row> {
        let cotangent = Tensor::randn(output.shape(), rng);
        let prepared = self.prepare(vars, output, cotangent, rng);
        self.judge(vars, &prepared, rng, |_, row, _| row)
    }

    fn prepare<'t>(
        &self,
        vars: &[Var<'t>],
        output: Var<'t>,
        cotangent: Tensor,
        rng: &mut Rng,
    ) -> Prepared<'t> {
        let mut subjects = vec![Subject::new(1, output, cotangent, vars)];
        for order in 1..self.order {
            subjects.push(subjects[order - 1].next_order(vars, rng));
        }
        let replay = Replay::new(output.tape());
        let rules: Vec<u32> =
            subjects.iter().flat_map(|subject| &subject.rules).flatten().map(|rule| rule.id()).collect();
        let outputs: Vec<u32> = subjects.iter().map(|subject| subject.output.id()).collect();
        let rounding = Rounding::of(&replay, self.seed, &rules, &outputs);
        Prepared { subjects, replay, rounding }
    }

    /// The rows of all orders, each passed through `finish` with the number of its variable.
    fn judge<'t>(
        &self,
        vars: &[Var<'t>],
        prepared: &Prepared<'t>,
        rng: &mut Rng,
        mut finish: impl FnMut(usize, Row, &Replay<'_>) -> Row,
    ) -> Vec<Row> {
        let mut rows = Vec::new();
        for (k, subject) in prepared.subjects.iter().enumerate() {
            for (i, &var) in vars.iter().enumerate() {
                let mut row = prepared.leaf(subject, i, var).row(self, format!("input {i}"), rng);
                if k > 0 && row.verdict.is_fine() {
                    // What an order differentiates is the rules of the one before.
                    let before = prepared.leaf(&prepared.subjects[k - 1], i, var);
                    before.is_gradient_beside(vars, &mut row, rng);
                }
                rows.push(finish(i, row, &prepared.replay));
            }
        }
        rows
    }
}
