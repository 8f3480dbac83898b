//! What a check found, as a value and as text.

use crate::{
    estimate::Estimate,
    json::Json,
    pattern::Pattern,
    verdict::{Judgement, Reason, Verdict},
};
use std::fmt;

/// What a check found.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was checked: `gradient`, `Jacobian`, ..
    pub what: &'static str,
    /// The judgement on the whole.
    pub verdict: Verdict,
    /// A sentence on what makes a check impossible: a gradient of another length, a function that panics or gives another
    /// value on a second call. Nothing was judged then.
    pub broken: Option<String>,
    /// What was given has this shape; places are indices into it.
    pub shape: Vec<usize>,
    /// What decided: the failures if there are any, else kinks, else the least certain ones; the worst first, no more than
    /// [`Report::MOST_FINDINGS`].
    pub findings: Vec<Finding>,
    /// How wrong elements differ from right ones.
    pub pattern: Option<Pattern>,
    /// How many elements were judged one by one.
    pub elements: usize,
    /// How many of them failed.
    pub failed: usize,
    /// Along how many random directions, which see every element, all were judged together.
    pub directions: usize,
    /// How often the function was evaluated.
    pub evaluations: usize,
    /// The noise of the function's values near the point, if it was measured, beside their size.
    pub noise: Option<(f64, f64)>,
    /// What was left out, or should be known.
    pub notes: Vec<String>,
    /// The seed that decided directions and chosen elements.
    pub seed: u64,
}

/// What was found at one element or along one direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// What.
    pub judgement: Judgement,
}

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the element of this index.
    Element(Vec<usize>),
    /// Where these two elements move together.
    Together(Vec<usize>, Vec<usize>),
    /// Along the random direction of this number.
    Direction(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Element(index) => write!(f, "{index:?}"),
            Place::Together(a, b) => write!(f, "{a:?} and {b:?} moved together"),
            Place::Direction(k) => write!(f, "random direction {k}"),
        }
    }
}

impl Report {
    /// How many findings are kept.
    pub const MOST_FINDINGS: usize = 8;

    /// Whether nothing failed.
    pub fn passed(&self) -> bool {
        self.broken.is_none() && self.verdict.is_fine()
    }

    /// A report that nothing could be judged.
    pub(crate) fn broken(
        what: &'static str,
        verdict: Verdict,
        shape: Vec<usize>,
        sentence: String,
    ) -> Report {
        Report {
            what,
            verdict,
            broken: Some(sentence),
            shape,
            findings: Vec::new(),
            pattern: None,
            elements: 0,
            failed: 0,
            directions: 0,
            evaluations: 0,
            noise: None,
            notes: Vec::new(),
            seed: 0,
        }
    }

    /// The report as JSON, for other programs: an object with the fields of [`Report`] and `passed`. Numbers that are not
    /// finite are `null`.
    ///
    /// ```
    /// let report = gradus_check::check_gradient(|x| x[0] * x[1], &[2.0, 3.0], [3.0, 2.0]);
    /// assert!(report.to_json().contains(r#""verdict": "pass""#));
    /// ```
    pub fn to_json(&self) -> String {
        format!("{:#}", self.json())
    }

    /// The same as a value.
    pub fn json(&self) -> Json {
        Json::object([
            ("what", Json::from(self.what)),
            ("passed", Json::from(self.passed())),
            ("verdict", Json::from(self.verdict.name())),
            ("broken", Json::from(self.broken.clone())),
            ("shape", Json::list(self.shape.iter().copied())),
            ("pattern", Json::from(self.pattern.as_ref().map(Pattern::to_string))),
            ("elements", Json::from(self.elements)),
            ("failed", Json::from(self.failed)),
            ("directions", Json::from(self.directions)),
            ("evaluations", Json::from(self.evaluations)),
            ("noise", Json::from(self.noise.map(|(level, _)| level))),
            ("notes", Json::list(self.notes.iter().cloned())),
            ("seed", Json::from(self.seed)),
            ("findings", Json::List(self.findings.iter().map(Finding::json).collect())),
        ])
    }
}

impl Judgement {
    /// The judgement as JSON: an object with its fields, the reason as a sentence with `advice`.
    pub fn json(&self) -> Json {
        Json::object(self.fields())
    }

    fn fields(&self) -> Vec<(&'static str, Json)> {
        vec![
            ("verdict", Json::from(self.verdict.name())),
            ("reason", Json::from(self.reason.to_string())),
            ("advice", Json::from(self.reason.advice())),
            ("given", Json::from(self.given)),
            ("numeric", Json::from(self.estimate.value)),
            ("error", Json::from(self.estimate.error)),
            ("left", Json::from(self.sides.map(|[left, _]| left.value))),
            ("right", Json::from(self.sides.map(|[_, right]| right.value))),
            ("step", Json::from(self.estimate.step)),
            ("noise", Json::from(self.noise)),
        ]
    }
}

impl Finding {
    fn json(&self) -> Json {
        let index = |place: &[usize]| Json::list(place.iter().copied());
        let place = match &self.place {
            Place::Element(at) => ("element", index(at)),
            Place::Together(a, b) => ("together", Json::List(vec![index(a), index(b)])),
            Place::Direction(k) => ("direction", Json::from(*k)),
        };
        Json::object(std::iter::once(place).chain(self.judgement.fields()))
    }
}

impl fmt::Display for Judgement {
    /// Lines of what was given, what was found, why it was judged so and what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines("given"))
    }
}

impl Judgement {
    /// The lines of a judgement, with this word for what was given.
    ///
    /// ```
    /// use gradus_check::{Claim, Line, judge};
    ///
    /// let claim = Claim { value: 5.0, slack: 0.0, size: 1.0 };
    /// let judgement = judge(|t| (3.0 + t) * (3.0 + t), &Line::through(3.0, 1.0, f64::EPSILON), &claim);
    /// assert!(judgement.lines("by hand").starts_with("  by hand       5.0"));
    /// ```
    pub fn lines(&self, given: &str) -> String {
        let Judgement { reason, given: value, estimate, sides, .. } = self;
        let slope =
            |name: &str, found: &Estimate| format!("  {name:<14}{:.12e} ± {:.1e}", found.value, found.error);
        let mut lines = vec![format!("  {given:<14}{value:.12e}")];
        match sides {
            Some([left, right]) => lines.extend([slope("to the left", left), slope("to the right", right)]),
            None if estimate.value.is_nan() => {}
            None => lines.push(slope("differences", estimate)),
        }
        lines.push(format!("  why           {reason}"));
        if !reason.advice().is_empty() {
            lines.push(format!("  what to do    {}", reason.advice()));
        }
        lines.join("\n")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}: {}", self.what, self.shape, self.verdict)?;
        if let Some(sentence) = &self.broken {
            return write!(f, "\n  {sentence}");
        }
        let of: usize = self.shape.iter().product();
        write!(f, "; ")?;
        match self.elements == of {
            true => write!(f, "all {of} elements")?,
            false => write!(f, "{} of {of} elements", self.elements)?,
        }
        if self.directions > 0 {
            write!(f, " and {} directions through all", self.directions)?;
        }
        write!(f, ", {} evaluations, seed {}", self.evaluations, self.seed)?;
        if self.failed > 0 {
            write!(f, "; {} failed", self.failed)?;
        }
        if let Some(pattern) = &self.pattern {
            write!(f, "\n  pattern       {pattern}")?;
        }
        // Of what passes in the ordinary way there is nothing to tell.
        let told = self.findings.iter().filter(|finding| finding.judgement.reason != Reason::Agrees);
        for finding in told {
            write!(f, "\nat {}: {}\n{}", finding.place, finding.judgement.verdict, finding.judgement)?;
        }
        self.notes.iter().try_for_each(|note| write!(f, "\nnote: {note}"))
    }
}
