//! The checks, with their settings.

use crate::{
    calls::{Calls, Weighted, guarded},
    given::{Derivative, Number, Numbers, Point},
    jacobian::{Columns, Jacobian},
    noise::noise,
    report::Report,
    rng::Rng,
    search::{Given, Subject},
    verdict::{Judgement, Reason, Verdict},
};

/// Half the distance between neighbouring numbers in f32, in proportion.
const F32_ROUNDING: f64 = 6.0e-8;

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
pub(crate) struct Function<'a> {
    pub(crate) what: &'static str,
    f: &'a dyn Fn(&[f64]) -> Vec<f64>,
    pub(crate) x: Vec<f64>,
    /// The distance from 1 to the next number, in the arithmetic of the function and of what was given.
    pub(crate) epsilon: f64,
    pub(crate) precision: f64,
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
            self.elements.max(self.directions) > 0,
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

    /// By how much the computation of a derivative in its precision may be off. `largest` is the largest of its like.
    pub(crate) fn slack(&self, given: f64, precision: f64, largest: f64) -> f64 {
        match self.tolerance {
            Some(tolerance) => tolerance * given.abs(),
            // Sums in f32 lose digits of the largest.
            None if precision > 1e-10 => precision * (64.0 * given.abs() + 16.0 * largest),
            None => 64.0 * precision * given.abs(),
        }
    }

    /// What the settings, and the limit of evaluations, make of a judgement. `spread` is the size of the derivative, or of what
    /// it is the sum of.
    pub(crate) fn settle(&self, judgement: &mut Judgement, spread: f64, is_exhausted: bool) {
        let off = (judgement.given - judgement.estimate.value).abs();
        let is_f32 =
            judgement.reason == Reason::Differs && off <= F32_ROUNDING * spread && judgement.given != 0.0;
        if is_f32 && !self.strict {
            (judgement.verdict, judgement.reason) = (Verdict::Pass, Reason::AgreesToF32);
        }
        if is_exhausted && matches!(judgement.verdict, Verdict::Inconclusive | Verdict::Noisy) {
            (judgement.verdict, judgement.reason) = (Verdict::Inconclusive, Reason::Limit);
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
    ) -> Result<(Vec<f64>, Vec<f64>), Box<Report>> {
        let refuse = |sentence: String| Box::new(self.refuse(function, sentence));
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
            return Err(Box::new(changed(function, &first, &again)));
        }
        let panicked = |message| refuse(format!("what computes the {} panics: {message}", function.what));
        let (given, again) = (guarded(given).map_err(panicked)?, guarded(given).map_err(panicked)?);
        let same = |(a, b): (&f64, &f64)| a == b || a.is_nan() && b.is_nan();
        if given.len() != again.len() || !given.iter().zip(&again).all(same) {
            let sentence = format!(
                "what computes the {} gives other numbers on a second call: fix the seed of what is random",
                function.what
            );
            return Err(Box::new(Report::broken(
                function.what,
                Verdict::Noisy,
                vec![function.x.len()],
                sentence,
            )));
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
            Err(report) => return *report,
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
            size: 0.0,
            slack: &[],
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
            Err(report) => return *report,
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
