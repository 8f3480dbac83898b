//! The check of several outputs: along one direction, along every variable, or of mixtures of them.

use crate::{
    calls::{Calls, Outputs, Weighted},
    check::{Check, Function},
    ladder::Line,
    pattern::{Pair, pattern},
    report::{Finding, Place, Report},
    rng::Rng,
    search::{Given, unflatten},
    slope::{self, Claim},
    verdict::{Judgement, Verdict},
};

/// Along what a function of several values is differenced.
pub(crate) enum Columns<'a> {
    /// Along this direction.
    One(&'a [f64]),
    /// Along each variable.
    All,
}

/// The check of a matrix of derivatives, a row for each value.
pub(crate) struct Jacobian<'a> {
    pub(crate) check: &'a Check,
    pub(crate) function: &'a Function<'a>,
    pub(crate) calls: &'a Calls<'a>,
    pub(crate) given: &'a [f64],
    pub(crate) rows: usize,
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
            let slack = self.check.slack(given[row], precision, sizes[row]);
            let claim = Claim { value: given[row], slack, size: 1e-3 * sizes[row] };
            let mut judgement = slope::judge(|t| outputs.value(row, t), line, &claim);
            self.check.settle(&mut judgement, given[row].abs(), self.calls.is_exhausted());
            judgement
        };
        (0..self.rows).map(judge).collect()
    }

    pub(crate) fn one(&self, v: &[f64]) -> Report {
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

    pub(crate) fn all(&self) -> Report {
        let n = self.function.x.len();
        let mut judged: Vec<(usize, Judgement)> = (0..n).flat_map(|column| self.column_of(column)).collect();
        judged.sort_by_key(|&(flat, _)| flat);
        let elements = judged.len();
        self.report(judged, vec![self.rows, n], elements)
    }

    /// Of too many columns: the gradients of two random mixtures of the values, and every value of the columns that are wrong.
    pub(crate) fn mixed(&self) -> Report {
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
                size: 0.0,
                slack: &[],
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
