//! The checks, with their settings.

use crate::{
    calls::{Calls, Outputs, Weighted, guarded},
    given::{Derivative, Number, Numbers, Point},
    ladder::Line,
    noise::noise,
    pattern::{Pair, pattern},
    report::{Finding, Place, Report},
    rng::Rng,
    search::{Given, Subject, unflatten},
    slope::{self, Claim},
    verdict::{Judgement, Reason, Verdict},
};

/// A check with its settings.
///
/// ```
/// use gradus_check::Check;
///
/// let check = Check { elements: 10, directions: 8, ..Check::default() };
/// let x: Vec<f64> = (0..1000).map(|i| f64::from(i).cos()).collect();
/// let report = check.gradient(|x| x.iter().map(|x| x.exp()).sum(), &x, |x: &[f64]| -> Vec<f64> {
///     x.iter().map(|x| x.exp()).collect()
/// });
/// assert!(report.passed() && report.directions == 8, "{report}");
/// ```
#[derive(Clone, Debug)]
pub struct Check {
    /// Decides directions and chosen elements.
    pub seed: u64,
    /// Up to how many elements all are judged one by one. Of more some are, and all together along random directions.
    pub elements: usize,
    /// Along how many random directions.
    pub directions: usize,
    /// How often the function may be evaluated. A right gradient takes 8 to 30 evaluations an element or direction, a wrong
    /// element about 250.
    pub evaluations: usize,
    /// How far an element may be off, relative to itself, beside the error bar. `None` is what the precision of the
    /// gradient's numbers explains.
    pub tolerance: Option<f64>,
    /// Whether a gradient that is right to f32 alone, though its numbers are f64, is wrong.
    pub strict: bool,
    /// The size of each variable, which decides about steps; `None` takes its value, and where that is zero the root mean
    /// square of all.
    pub step: Option<f64>,
    /// The shape of the point, for patterns; empty is a vector.
    pub shape: Vec<usize>,
}

impl Default for Check {
    fn default() -> Check {
        Check {
            seed: 0,
            elements: 256,
            directions: 4,
            evaluations: 200_000,
            tolerance: None,
            strict: false,
            step: None,
            shape: Vec::new(),
        }
    }
}

/// A function of numbers in its own arithmetic, as a check sees it.
struct Function<'a> {
    what: &'static str,
    f: &'a dyn Fn(&[f64]) -> Vec<f64>,
    x: Vec<f64>,
    /// The distance from 1 to the next number, in the arithmetic of the function and of what was given.
    epsilon: f64,
    precision: f64,
}

impl Check {
    /// Checks the gradient of a function in f64, given as numbers or as a function; see
    /// [`check_gradient`](crate::check_gradient).
    ///
    /// # Panics
    /// When a setting makes no sense.
    #[track_caller]
    pub fn gradient(&self, f: impl Fn(&[f64]) -> f64, x: &[f64], gradient: impl Derivative<f64>) -> Report {
        self.gradient_in(f, x, gradient)
    }

    /// Checks the gradient of a function in f32; see [`check_gradient_f32`](crate::check_gradient_f32).
    ///
    /// # Panics
    /// When a setting makes no sense.
    #[track_caller]
    pub fn gradient_f32(
        &self,
        f: impl Fn(&[f32]) -> f32,
        x: &[f32],
        gradient: impl Derivative<f32>,
    ) -> Report {
        self.gradient_in(f, x, gradient)
    }

    /// Checks the gradient of a function of a point that is no slice; see
    /// [`check_gradient_of`](crate::check_gradient_of).
    ///
    /// # Panics
    /// When a setting makes no sense.
    #[track_caller]
    pub fn gradient_of<P: Point, N: Number, G: Numbers>(
        &self,
        f: impl Fn(&P) -> N,
        x: &P,
        gradient: impl Fn(&P) -> G,
    ) -> Report {
        let check = Check {
            shape: if self.shape.is_empty() { x.shape() } else { self.shape.clone() },
            ..self.clone()
        };
        let function = Function {
            what: "gradient",
            f: &|numbers| vec![f(&x.with(numbers)).to_f64()],
            x: x.numbers(),
            epsilon: P::EPSILON.max(N::EPSILON),
            precision: G::EPSILON,
        };
        check.scalar(&function, &|| gradient(x).numbers())
    }

    #[track_caller]
    fn gradient_in<T: Number>(&self, f: impl Fn(&[T]) -> T, x: &[T], gradient: impl Derivative<T>) -> Report {
        let function = Function {
            what: "gradient",
            f: &|x| vec![f(&in_arithmetic(x)).to_f64()],
            x: x.numbers(),
            epsilon: T::EPSILON,
            precision: precision(&gradient),
        };
        self.scalar(&function, &|| gradient.at(x))
    }

    /// Checks the product of a Jacobian with a direction, `J v`: one number an output; see
    /// [`check_jvp`](crate::check_jvp).
    ///
    /// # Panics
    /// When a setting makes no sense.
    #[track_caller]
    pub fn jvp<R: Numbers>(
        &self,
        f: impl Fn(&[f64]) -> R,
        x: &[f64],
        v: &[f64],
        jvp: impl Derivative<f64>,
    ) -> Report {
        self.along("jvp", f, x, v, jvp)
    }

    /// Checks the product of a Hessian with a direction, `H v`, against differences of the gradient; see
    /// [`check_hvp`](crate::check_hvp).
    ///
    /// # Panics
    /// When a setting makes no sense.
    #[track_caller]
    pub fn hvp<R: Numbers>(
        &self,
        gradient: impl Fn(&[f64]) -> R,
        x: &[f64],
        v: &[f64],
        hvp: impl Derivative<f64>,
    ) -> Report {
        self.along("Hessian-vector product", gradient, x, v, hvp)
    }

    #[track_caller]
    fn along<R: Numbers, D: Derivative<f64>>(
        &self,
        what: &'static str,
        f: impl Fn(&[f64]) -> R,
        x: &[f64],
        v: &[f64],
        given: D,
    ) -> Report {
        let function = Function {
            what,
            f: &|x| f(x).numbers(),
            x: x.to_vec(),
            epsilon: R::EPSILON,
            precision: precision(&given),
        };
        if v.len() != x.len() {
            return self
                .refuse(&function, format!("the direction has {} elements, the point {}", v.len(), x.len()));
        }
        self.vector(&function, &|| given.at(x), Columns::One(v))
    }

    /// Checks the product of a cotangent with a Jacobian, `wᵀJ`: one number an input; see
    /// [`check_vjp`](crate::check_vjp).
    ///
    /// # Panics
    /// When a setting makes no sense.
    #[track_caller]
    pub fn vjp<R: Numbers>(
        &self,
        f: impl Fn(&[f64]) -> R,
        x: &[f64],
        w: &[f64],
        vjp: impl Derivative<f64>,
    ) -> Report {
        let weighted = |x: &[f64]| {
            let values = f(x).numbers();
            assert_eq!(values.len(), w.len(), "a cotangent with one number for each output");
            vec![values.iter().zip(w).map(|(y, w)| y * w).sum()]
        };
        let (epsilon, precision) = (R::EPSILON, precision(&vjp));
        let function = Function { what: "vjp", f: &weighted, x: x.to_vec(), epsilon, precision };
        self.scalar(&function, &|| vjp.at(x))
    }

    /// Checks a Jacobian, a row for each output; see [`check_jacobian`](crate::check_jacobian).
    ///
    /// # Panics
    /// When a setting makes no sense.
    #[track_caller]
    pub fn jacobian<R: Numbers>(
        &self,
        f: impl Fn(&[f64]) -> R,
        x: &[f64],
        jacobian: impl Derivative<f64>,
    ) -> Report {
        let (epsilon, precision) = (R::EPSILON, precision(&jacobian));
        let f = |x: &[f64]| f(x).numbers();
        let function = Function { what: "Jacobian", f: &f, x: x.to_vec(), epsilon, precision };
        self.vector(&function, &|| jacobian.at(x), Columns::All)
    }

    /// Checks a Hessian against differences of the gradient; see [`check_hessian`](crate::check_hessian).
    ///
    /// # Panics
    /// When a setting makes no sense.
    #[track_caller]
    pub fn hessian<R: Numbers>(
        &self,
        gradient: impl Fn(&[f64]) -> R,
        x: &[f64],
        hessian: impl Derivative<f64>,
    ) -> Report {
        let (epsilon, precision) = (R::EPSILON, precision(&hessian));
        let f = |x: &[f64]| gradient(x).numbers();
        let function = Function { what: "Hessian", f: &f, x: x.to_vec(), epsilon, precision };
        self.vector(&function, &|| hessian.at(x), Columns::All)
    }

    #[track_caller]
    fn validate(&self) {
        assert!(
            self.elements + self.directions > 0,
            "Check: no elements and no directions: nothing would be checked"
        );
        assert!(
            self.evaluations >= 100,
            "Check: {} evaluations are too few, 100 the least",
            self.evaluations
        );
        if let Some(step) = self.step {
            assert!(
                step > 0.0 && step.is_finite(),
                "Check: a step of {step}; it must be positive and finite"
            );
        }
        if let Some(tolerance) = self.tolerance {
            assert!(
                (0.0..1.0).contains(&tolerance),
                "Check: a tolerance of {tolerance}; it must be from 0 to 1"
            );
        }
    }

    fn refuse(&self, function: &Function<'_>, sentence: String) -> Report {
        Report::broken(function.what, Verdict::Inconclusive, vec![function.x.len()], sentence)
    }

    /// The values at the point and what was given there, if both can be had, are finite and stay the same.
    fn begin(
        &self,
        function: &Function<'_>,
        calls: &Calls<'_>,
        given: &dyn Fn() -> Vec<f64>,
    ) -> Result<(Vec<f64>, Vec<f64>), Report> {
        let refuse = |sentence: String| self.refuse(function, sentence);
        if function.x.is_empty() {
            return Err(refuse("the point has no elements: there is nothing to check".into()));
        }
        if let Some(at) = function.x.iter().position(|x| !x.is_finite()) {
            let x = function.x[at];
            return Err(refuse(format!(
                "element {at} of the point is {x}: nothing can be differenced there"
            )));
        }
        let panicked = |message| refuse(format!("the function panics at the point: {message}"));
        let (first, again) = (calls.at_point().map_err(panicked)?, calls.at_point().map_err(panicked)?);
        if let Some(k) = first.iter().position(|y| !y.is_finite()) {
            return Err(refuse(format!(
                "the function's value {k} at the point is {}: it must be finite",
                first[k]
            )));
        }
        if first.is_empty() {
            return Err(refuse("the function has no values".into()));
        }
        if first != again {
            return Err(changed(function, &first, &again));
        }
        let panicked = |message| refuse(format!("what computes the {} panics: {message}", function.what));
        let (given, again) = (guarded(given).map_err(panicked)?, guarded(given).map_err(panicked)?);
        let same = |(a, b): (&f64, &f64)| a == b || a.is_nan() && b.is_nan();
        if given.len() != again.len() || !given.iter().zip(&again).all(same) {
            let sentence = format!(
                "what computes the {} gives other numbers on a second call: fix the seed of what is random",
                function.what
            );
            return Err(Report::broken(function.what, Verdict::Noisy, vec![function.x.len()], sentence));
        }
        Ok((first, given))
    }

    /// Completes a report with what the calls tell.
    fn end(&self, function: &Function<'_>, calls: &Calls<'_>, value: &[f64], mut report: Report) -> Report {
        if let Ok(last) = calls.at_point()
            && last != value
        {
            return changed(function, value, &last);
        }
        report.evaluations = calls.count.get();
        report.seed = self.seed;
        report.notes.extend(calls.notes());
        let reasons = report.findings.iter().map(|finding| finding.judgement.reason);
        if reasons.clone().any(|reason| reason == Reason::AgreesToF32) && report.passed() {
            report.notes.push("right to the precision of f32, not of f64".into());
        }
        report
    }

    #[track_caller]
    fn scalar(&self, function: &Function<'_>, given: &dyn Fn() -> Vec<f64>) -> Report {
        self.validate();
        let calls = Calls::new(function.f, &function.x, self.evaluations);
        let (value, gradient) = match self.begin(function, &calls, given) {
            Ok(both) => both,
            Err(report) => return report,
        };
        let n = function.x.len();
        if let Some(report) = self.wrong_length(function, gradient.len(), &[n]) {
            return report;
        }
        let shape = match self.shape.iter().product::<usize>() == n && !self.shape.is_empty() {
            true => self.shape.clone(),
            false if self.shape.is_empty() => vec![n],
            false => {
                let sentence =
                    format!("the shape {:?} does not have the {n} elements of the point", self.shape);
                return self.refuse(function, sentence);
            }
        };
        let subject = Weighted { calls: &calls, weights: vec![1.0] };
        let level = self.noise_first(function, &subject);
        let given = Given {
            what: function.what,
            x: &function.x,
            gradient: &gradient,
            shape: &shape,
            epsilon: function.epsilon,
            precision: function.precision,
            // What f32 does to the values is measured: their size does not tell it.
            noise: if function.epsilon > 1e-10 { level } else { 0.0 },
        };
        let mut report = self.search(&subject, &given);
        report.noise = Some((level, value[0].abs()));
        self.end(function, &calls, &value, report)
    }

    /// The noise of the function's values along a random direction, near the point.
    fn noise_first(&self, function: &Function<'_>, subject: &dyn Subject) -> f64 {
        let mut rng = Rng::seed(self.seed);
        let squares: f64 = function.x.iter().map(|x| x * x).sum();
        let mean = (squares / function.x.len() as f64).sqrt();
        let size = |x: f64| {
            if x != 0.0 {
                x.abs()
            } else if mean > 0.0 {
                mean
            } else {
                1.0
            }
        };
        let count = (function.x.len() as f64).sqrt();
        let direction: Vec<(usize, f64)> =
            function.x.iter().enumerate().map(|(i, &x)| (i, rng.normal() * size(x) / count)).collect();
        let level = |spacing: f64| {
            let values: Vec<f64> =
                (-4..=4).map(|k| subject.value(&direction, f64::from(k) * spacing)).collect();
            let level = noise(&values).level;
            if level.is_finite() { level } else { 0.0 }
        };
        // Wide enough that neighbours differ by more than their rounding, and narrow enough to be smooth.
        let spacing = function.epsilon.sqrt();
        6.0 * level(spacing).min(level(0.03 * spacing).max(level(30.0 * spacing)))
    }

    fn wrong_length(&self, function: &Function<'_>, found: usize, shape: &[usize]) -> Option<Report> {
        let what = function.what;
        (found != shape.iter().product::<usize>()).then(|| {
            let right: Vec<String> = shape.iter().map(usize::to_string).collect();
            let sentence =
                format!("the {what} has {found} elements, it should have {}", right.join(" times "));
            Report::broken(what, Verdict::Wrong, shape.to_vec(), sentence)
        })
    }

    #[track_caller]
    fn vector(&self, function: &Function<'_>, given: &dyn Fn() -> Vec<f64>, columns: Columns<'_>) -> Report {
        self.validate();
        let calls = Calls::new(function.f, &function.x, self.evaluations);
        let (value, given) = match self.begin(function, &calls, given) {
            Ok(both) => both,
            Err(report) => return report,
        };
        let (rows, n) = (value.len(), function.x.len());
        let shape = match columns {
            Columns::One(_) => vec![rows],
            Columns::All => vec![rows, n],
        };
        if let Some(report) = self.wrong_length(function, given.len(), &shape) {
            return report;
        }
        let jacobian = Jacobian { check: self, function, calls: &calls, given: &given, rows };
        let report = match columns {
            Columns::One(v) => jacobian.one(v),
            Columns::All if n <= self.elements && n * 16 <= self.evaluations => jacobian.all(),
            Columns::All => jacobian.mixed(),
        };
        self.end(function, &calls, &value, report)
    }
}

fn in_arithmetic<T: Number>(x: &[f64]) -> Vec<T> {
    x.iter().map(|&x| T::nearest(x)).collect()
}

fn precision<T, D: Derivative<T>>(_: &D) -> f64 {
    D::EPSILON
}

fn changed(function: &Function<'_>, before: &[f64], after: &[f64]) -> Report {
    let k = before.iter().zip(after).position(|(a, b)| a != b).unwrap_or(0);
    let value = |values: &[f64]| values.get(k).copied().unwrap_or(f64::NAN);
    let sentence = format!(
        "the function gives another value on another call at the same point, {:e} and {:e}: fix the seed of what is random, and \
         keep no state between calls",
        value(before),
        value(after)
    );
    Report::broken(function.what, Verdict::Noisy, vec![function.x.len()], sentence)
}

/// Along what a function of several values is differenced.
enum Columns<'a> {
    /// Along this direction.
    One(&'a [f64]),
    /// Along each variable.
    All,
}

/// The check of a matrix of derivatives, a row for each value.
struct Jacobian<'a> {
    check: &'a Check,
    function: &'a Function<'a>,
    calls: &'a Calls<'a>,
    given: &'a [f64],
    rows: usize,
}

impl Jacobian<'_> {
    fn typical(&self) -> f64 {
        let x = &self.function.x;
        let mean = (x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64).sqrt();
        self.check.step.unwrap_or(if mean > 0.0 { mean } else { 1.0 })
    }

    /// The judgements on all values along a direction, of which these derivatives were given.
    fn column(
        &self,
        direction: &[(usize, f64)],
        line: &Line,
        given: &[f64],
        sizes: &[f64],
    ) -> Vec<Judgement> {
        let outputs = Outputs::new(self.calls, direction);
        let precision = self.function.precision;
        let judge = |row: usize| {
            let own = match self.check.tolerance {
                Some(tolerance) => tolerance * given[row].abs(),
                None => 64.0 * precision * given[row].abs(),
            };
            let slack = own + if precision > 1e-10 { 16.0 * precision * sizes[row] } else { 0.0 };
            let claim = Claim { value: given[row], slack, size: 1e-3 * sizes[row] };
            let mut judgement = slope::judge(|t| outputs.value(row, t), line, &claim);
            let off = (judgement.given - judgement.estimate.value).abs();
            let is_f32 = judgement.reason == Reason::Differs && off <= 6e-8 * judgement.given.abs();
            if is_f32 && !self.check.strict && judgement.given != 0.0 {
                (judgement.verdict, judgement.reason) = (Verdict::Pass, Reason::AgreesToF32);
            }
            if self.calls.is_exhausted()
                && !judgement.verdict.is_fine()
                && judgement.verdict != Verdict::Wrong
            {
                (judgement.verdict, judgement.reason) = (Verdict::Inconclusive, Reason::Limit);
            }
            judgement
        };
        (0..self.rows).map(judge).collect()
    }

    fn one(&self, v: &[f64]) -> Report {
        let direction: Vec<(usize, f64)> = v.iter().copied().enumerate().filter(|&(_, d)| d != 0.0).collect();
        // A step of 1 should move the variables by about their own size.
        let sizes =
            |of: &dyn Fn(&(usize, f64)) -> f64| direction.iter().map(of).map(|x| x * x).sum::<f64>().sqrt();
        let (length, size) = (sizes(&|&(_, d)| d), sizes(&|&(i, _)| self.function.x[i]));
        let scale = match () {
            _ if length == 0.0 => 1.0,
            _ if size > 0.0 => size / length,
            _ => self.typical() / length,
        };
        let mut line =
            Line::through(scale, self.typical() / length.max(f64::MIN_POSITIVE), self.function.epsilon);
        line.largest = 8.0 * scale;
        let largest = self.given.iter().filter(|g| g.is_finite()).fold(0.0f64, |m, g| m.max(g.abs()));
        let judged = self.column(&direction, &line, self.given, &vec![largest; self.rows]);
        self.report(judged.into_iter().enumerate().collect(), vec![self.rows], self.given.len())
    }

    fn column_of(&self, column: usize) -> Vec<(usize, Judgement)> {
        let (x, n) = (&self.function.x, self.function.x.len());
        let typical = self.typical();
        let mut line = Line::through(x[column], typical, self.function.epsilon);
        if let Some(step) = self.check.step {
            (line.scale, line.largest) = (step, 8.0 * step);
        }
        let size = |j: usize| if x[j] == 0.0 { typical } else { x[j].abs() };
        let row = |row: usize| &self.given[row * n..(row + 1) * n];
        let given: Vec<f64> = (0..self.rows).map(|k| row(k)[column]).collect();
        let largest = |of: &dyn Fn(usize) -> f64| {
            (0..n).map(of).filter(|g| g.is_finite()).fold(0.0f64, |m, g| m.max(g.abs()))
        };
        let sizes: Vec<f64> = (0..self.rows)
            .map(|k| largest(&|j| row(k)[j]).min(largest(&|j| row(k)[j] * size(j)) / line.scale))
            .collect();
        let judged = self.column(&[(column, 1.0)], &line, &given, &sizes);
        judged.into_iter().enumerate().map(|(row, judgement)| (row * n + column, judgement)).collect()
    }

    fn all(&self) -> Report {
        let n = self.function.x.len();
        let mut judged: Vec<(usize, Judgement)> = (0..n).flat_map(|column| self.column_of(column)).collect();
        judged.sort_by_key(|&(flat, _)| flat);
        let elements = judged.len();
        self.report(judged, vec![self.rows, n], elements)
    }

    /// Of too many columns: the gradients of two random mixtures of the values, and every value of the columns that are wrong.
    fn mixed(&self) -> Report {
        let (n, rows) = (self.function.x.len(), self.rows);
        let mut rng = Rng::seed(self.check.seed);
        let mut reports = Vec::new();
        for _ in 0..2 {
            let weights: Vec<f64> = (0..rows).map(|_| rng.normal()).collect();
            let mixed =
                |column: usize| (0..rows).map(|row| weights[row] * self.given[row * n + column]).sum();
            let gradient: Vec<f64> = (0..n).map(mixed).collect();
            let subject = Weighted { calls: self.calls, weights };
            let given = Given {
                what: self.function.what,
                x: &self.function.x,
                gradient: &gradient,
                shape: &[n],
                epsilon: self.function.epsilon,
                precision: self.function.precision,
                noise: 0.0,
            };
            reports.push(self.check.search(&subject, &given));
            if reports.iter().any(|report: &Report| report.verdict == Verdict::Wrong) {
                break;
            }
        }
        let wrong = reports.iter().position(|report| report.verdict == Verdict::Wrong);
        let mut report = reports.swap_remove(wrong.unwrap_or(0));
        report.shape = vec![rows, n];
        report.notes.push(format!(
            "{rows} values were mixed at random: places are columns, unless they have two numbers"
        ));
        if wrong.is_some() {
            let columns = report.findings.iter().filter_map(|finding| match &finding.place {
                Place::Element(at) if finding.judgement.verdict == Verdict::Wrong => at.first().copied(),
                _ => None,
            });
            let judged: Vec<(usize, Judgement)> =
                columns.take(2).flat_map(|column| self.column_of(column)).collect();
            let found = judged.iter().filter(|(_, judgement)| judgement.verdict == Verdict::Wrong);
            let place = |flat: usize| Place::Element(unflatten(flat, &[rows, n]));
            let found = found.map(|&(flat, judgement)| Finding { place: place(flat), judgement });
            report.findings.splice(0..0, found);
            report.findings.truncate(Report::MOST_FINDINGS);
        }
        report
    }

    fn report(&self, judged: Vec<(usize, Judgement)>, shape: Vec<usize>, elements: usize) -> Report {
        let pair = |&(flat, j): &(usize, Judgement)| Pair {
            flat,
            found: j.given,
            right: j.estimate.value,
            error: j.estimate.error,
            wrong: j.verdict == Verdict::Wrong,
        };
        let pairs: Vec<Pair> = judged.iter().map(pair).collect();
        let finding = |&(flat, judgement): &(usize, Judgement)| Finding {
            place: Place::Element(unflatten(flat, &shape)),
            judgement,
        };
        let mut report = Report::broken(self.function.what, Verdict::Pass, shape.clone(), String::new());
        report.broken = None;
        report.findings = judged.iter().map(finding).collect();
        report.pattern = pattern(&pairs, &shape, &[]);
        report.elements = elements;
        report.failed = judged.iter().filter(|(_, j)| !j.verdict.is_fine()).count();
        report.conclude(false);
        report
    }
}
