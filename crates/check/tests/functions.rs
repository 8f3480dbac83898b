//! Right gradients of many kinds of functions are never called wrong, and errors above the error bar are found.

use crate::support;

use gradus_check::{Check, Claim, Line, Place, Report, Verdict, judge};
use support::{Dual, Function, c, gradient, hash, sum, value};

/// What a check must say of a right gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// That it passes, in one way or another.
    Fine,
    /// That there is a kink.
    Kink,
    /// Anything but that it is wrong: the function does not allow more.
    Hard,
}

struct Case {
    name: String,
    kind: Kind,
    f: Function,
    x: Vec<f64>,
}

#[derive(Default)]
struct Table(Vec<Case>);

impl Table {
    fn add(&mut self, kind: Kind, name: impl Into<String>, x: &[f64], f: impl Fn(&[Dual]) -> Dual + 'static) {
        self.0.push(Case { name: format!("{} at {x:?}", name.into()), kind, f: Box::new(f), x: x.to_vec() });
    }
}

fn smooth(table: &mut Table) {
    type Scalar = (&'static str, fn(Dual) -> Dual);
    let everywhere: [Scalar; 7] = [
        ("square", |x| x * x),
        ("logarithm", |x| x.ln()),
        ("root", |x| x.sqrt()),
        ("reciprocal", |x| c(1.0) / x),
        ("cube", |x| x.powi(3)),
        ("cube root", |x| x.cbrt()),
        ("x ln x", |x| x * x.ln()),
    ];
    for (name, f) in everywhere {
        for exponent in [-20, -12, -6, -3, 0, 3, 6, 12, 20] {
            table.add(Kind::Fine, name, &[1.7 * 10f64.powi(exponent)], move |x| f(x[0]));
        }
    }
    let ordinary: [Scalar; 14] = [
        ("sin", |x| x.sin()),
        ("exp", |x| x.exp()),
        ("tanh", |x| x.tanh()),
        ("atan", |x| x.atan()),
        ("logistic", |x| c(1.0) / ((-x).exp() + 1.0)),
        ("gauss", |x| (-(x * x)).exp()),
        ("softplus", |x| x.exp().ln1p()),
        ("seventh power", |x| x.powi(7)),
        ("sin of 1/x", |x| (c(1.0) / x).sin()),
        ("polynomial", |x| x.powi(5) - x.powi(3) * 2.0 + x * 3.0 - 1.0),
        ("runge", |x| c(1.0) / (x * x * 25.0 + 1.0)),
        ("sinc", |x| x.sin() / x),
        ("bump", |x| (c(-1.0) / (c(25.0) - x * x)).exp()),
        ("x to the x", |x| (x.abs().ln() * x).exp()),
    ];
    for (name, f) in ordinary {
        for x in [-2.3, 0.4, 3.1] {
            table.add(Kind::Fine, name, &[x], move |x| f(x[0]));
        }
    }
    for x in [[-1.2, 1.0], [1.0, 1.0], [0.0, 0.0], [3.0, -4.0]] {
        table.add(Kind::Fine, "Rosenbrock", &x, |x| {
            (c(1.0) - x[0]).powi(2) + (x[1] - x[0] * x[0]).powi(2) * 100.0
        });
    }
    let net = |x: &[Dual]| {
        let hidden = (0..3).map(|k| (x[k] * 0.7 + x[(k + 1) % 3] * x[k + 3]).tanh());
        sum(hidden.zip([0.3, -1.1, 0.8]).map(|(h, w)| h * w)).powi(2)
    };
    table.add(Kind::Fine, "small net", &[0.1, -0.4, 0.9, 1.2, -0.7, 0.2], net);
    let deep = |x: &[Dual]| (0..60).fold(x[0], |h, k| (h * x[1 + k % 3] + 0.1).tanh());
    table.add(Kind::Fine, "deep narrow net", &[0.3, 0.9, 1.1, -0.8], deep);
    let softmax = |x: &[Dual]| {
        let total = sum(x.iter().map(|x| x.exp()));
        sum(x.iter().zip([0.2, -1.0, 0.7]).map(|(x, w)| x.exp() / total * w))
    };
    table.add(Kind::Fine, "softmax", &[0.3, 1.2, -0.5], softmax);
    table.add(Kind::Fine, "softmax under a sum", &[0.3, 1.2, -0.5], |x| {
        let total = sum(x.iter().map(|x| x.exp()));
        sum(x.iter().map(|x| x.exp() / total))
    });
}

fn scales(table: &mut Table) {
    table.add(Kind::Fine, "1e-20 to 1e20", &[1e-20, 1.0, 1e20], |x| {
        (x[0] * 1e20).powi(2) + x[1].sin() + (x[2] * 1e-20).exp()
    });
    table.add(Kind::Fine, "product of scales", &[1e-20, 3.0, 1e20], |x| x[0] * x[1] * x[2]);
    table.add(Kind::Fine, "logarithms of scales", &[1e-20, 1e-10, 1.0, 1e10, 1e20], |x| {
        sum(x.iter().map(|x| x.ln() * x.ln()))
    });
    for size in [1e-20, 1e-9, 1e9, 1e20] {
        table.add(Kind::Fine, format!("value times {size:e}"), &[0.7, -1.3], move |x| {
            (x[0] * x[1]).sin() * size
        });
        table.add(Kind::Fine, format!("narrow by {size:e}"), &[0.7 / size], move |x| (x[0] * size).sin());
    }
    table.add(Kind::Fine, "reciprocal", &[1.0, 1e-9], |x| sum(x.iter().map(|&x| c(1.0) / x)));
    table.add(Kind::Fine, "reciprocal of the small one", &[1.0, 1e-9], |x| x[0] + c(1.0) / x[1] * 1e-9);
    table.add(Kind::Fine, "steep tanh", &[1.0, 1e-10], |x| sum(x.iter().map(|&x| (x * 1e9).tanh())));
    table.add(Kind::Fine, "narrow gauss", &[1.0, 3e-6], |x| {
        sum(x.iter().map(|&x| (-(x * 1e5).powi(2)).exp()))
    });
    table.add(Kind::Fine, "short row normalised", &[6e-10, -8e-10, 0.0], |x| {
        let length = sum(x.iter().map(|&x| x * x)).sqrt();
        sum(x.iter().zip([0.3, 0.8, -0.5]).map(|(&x, w)| x / length * w))
    });
    table.add(Kind::Fine, "expm1² at 0", &[0.0, 0.0], |x| sum(x.iter().map(|x| x.expm1().powi(2))));
    table.add(Kind::Fine, "square at 0", &[0.0], |x| x[0] * x[0]);
    table.add(Kind::Fine, "cube at 0", &[0.0], |x| x[0].powi(3));
    table.add(Kind::Fine, "roots", &[1.0, 1e-10], |x| sum(x.iter().map(|x| x.sqrt())));
    table.add(Kind::Fine, "logarithms", &[1.0, 1e-10], |x| sum(x.iter().map(|x| x.ln())));
    table.add(Kind::Fine, "sum times 1e-9 beside 1", &[0.3, 0.5, -0.7], |x| {
        sum(x.iter().copied()) * 1e-9 + 1.0
    });
    for offset in [1e3, 1e6, 1e8] {
        table.add(Kind::Fine, format!("offset {offset:e}"), &[0.3, 1.2], move |x| {
            (x[0] * x[1]).exp() + offset
        });
        table.add(Kind::Fine, format!("offset {offset:e} taken away again"), &[0.3, 1.2], move |x| {
            (x[0] * x[1]).exp() + offset - offset
        });
    }
    table.add(Kind::Fine, "one element of 1e-9 beside 1", &[0.4, 0.6], |x| x[0].sin() + x[1].sin() * 1e-9);
    table.add(Kind::Hard, "one element of 1e-14 beside 1", &[0.4, 0.6], |x| x[0].sin() + x[1].sin() * 1e-14);
    table.add(Kind::Fine, "small beside zero", &[0.0, 1e-10], |x| (x[0] + x[1] + 1.0).sin());
    table.add(Kind::Fine, "tanh at 0, steep", &[0.0], |x| (x[0] * 1e9).tanh());
    table.add(Kind::Fine, "gauss beside 0, narrow", &[0.0], |x| (-(x[0] * 1e5 - 1.0).powi(2)).exp());
    table.add(Kind::Fine, "constant", &[0.7, 1.0], |_| c(3.0));
    table.add(Kind::Fine, "underflow", &[40.0], |x| (-(x[0] * x[0])).exp());
    table.add(Kind::Fine, "saturated", &[400.0], |x| x[0].tanh());
    table.add(Kind::Hard, "cancelling cosine", &[1e-4], |x| (c(1.0) - x[0].cos()) / (x[0] * x[0]));
}

fn stiff_and_ill_conditioned(table: &mut Table) {
    for rate in [10.0, 1e3, 1e6] {
        table.add(Kind::Fine, format!("implicit Euler, rate {rate:e}"), &[1.0, 0.3], move |x| {
            (0..20).fold(x[0], |y, _| (y + x[1] * 0.05 * rate) / (1.0 + 0.05 * rate))
        });
    }
    table.add(Kind::Fine, "explicit Euler, at the edge of stability", &[0.7, 19.0], |x| {
        (0..50).fold(x[0], |y, _| y - y * x[1] * 0.1)
    });
    table.add(Kind::Fine, "stiff Arrhenius", &[900.0], |x| (c(-12_000.0) / x[0]).exp() * 1e6);
    // 2 by 2 with the smallest eigenvalue near `small`, as a matrix and as a system.
    for small in [1e-3, 1e-6, 1e-9, 1e-12] {
        let matrix = [1.0, 1.0 - small, 1.0 - small, 1.0];
        let determinant = |x: &[Dual]| x[0] * x[3] - x[1] * x[2];
        let kind = if small > 1e-10 { Kind::Fine } else { Kind::Hard };
        table.add(kind, format!("logarithm of a determinant, {small:e}"), &matrix, move |x| {
            determinant(x).ln()
        });
        table.add(kind, format!("solution of a system, {small:e}"), &matrix, move |x| {
            (x[3] * 0.3 - x[1] * 0.9) / determinant(x)
        });
    }
    table.add(Kind::Fine, "Hilbert form", &[1.0, -2.0, 3.0, -1.0, 0.5], |x| {
        let pairs = (0..5).flat_map(|i| (0..5).map(move |j| (i, j)));
        sum(pairs.map(|(i, j)| x[i] * x[j] * (1.0 / (i + j + 1) as f64)))
    });
    table.add(Kind::Hard, "variance with a large mean", &[1e8 + 1.0, 1e8 + 2.0, 1e8 + 4.0], |x| {
        let mean = sum(x.iter().copied()) / 3.0;
        sum(x.iter().map(|&x| x * x)) / 3.0 - mean * mean
    });
    table.add(Kind::Fine, "optimum of a quadratic", &[1.0, 2.0], |x| {
        (x[0] - 1.0).powi(2) + (x[1] - 2.0).powi(2) * 1e4 + 5.0
    });
}

fn chaotic(table: &mut Table) {
    for steps in [5, 10, 20, 30, 40, 50] {
        let kind = if steps <= 20 { Kind::Fine } else { Kind::Hard };
        for start in [0.3, 0.345, 0.71] {
            table.add(kind, format!("logistic map, {steps} steps"), &[start], move |x| {
                (0..steps).fold(x[0], |y, _| y * 4.0 * (c(1.0) - y))
            });
        }
        table.add(kind, format!("logistic map, {steps} steps, of both"), &[0.3, 3.9], move |x| {
            (0..steps).fold(x[0], |y, _| x[1] * y * (c(1.0) - y))
        });
    }
    table.add(Kind::Fine, "Hénon map", &[0.1, 0.2], |x| {
        (0..15).fold((x[0], x[1]), |(x, y), _| (c(1.0) - x * x * 1.4 + y, x * 0.3)).0
    });
    let lorenz = |steps: usize| {
        move |x: &[Dual]| {
            let mut at = [x[0], x[1], x[2]];
            for _ in 0..steps {
                let [a, b, d] = at;
                let slope = [(b - a) * 10.0, a * (c(28.0) - d) - b, a * b - d * (8.0 / 3.0)];
                at = [0, 1, 2].map(|k| at[k] + slope[k] * 0.01);
            }
            at[0]
        }
    };
    table.add(Kind::Fine, "Lorenz, t = 2", &[1.0, 2.0, 20.0], lorenz(200));
    table.add(Kind::Hard, "Lorenz, t = 15", &[1.0, 2.0, 20.0], lorenz(1500));
}

fn rough(table: &mut Table) {
    for level in [1e-3, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12] {
        table.add(Kind::Hard, format!("noise of {level:e}"), &[0.7, 1.3], move |x| {
            ((x[0] * x[1]).sin() + x[1] * x[1]).with(|y| y + level * hash(y))
        });
        table.add(Kind::Hard, format!("rounded to {level:e}"), &[0.7, 1.3], move |x| {
            ((x[0] * x[1]).sin() + x[1] * x[1]).with(|y| (y / level).round() * level)
        });
        table.add(Kind::Hard, format!("variable rounded to {level:e}"), &[0.7, 1.3], move |x| {
            let x = [0, 1].map(|k| x[k].with(|x| (x / level).round() * level));
            (x[0] * x[1]).sin() + x[1] * x[1]
        });
        table.add(Kind::Hard, format!("ripple of {level:e}"), &[0.7], move |x| {
            x[0].exp() + (x[0] * 1e7).sin() * level
        });
    }
    let single = |x: f64| f64::from(x as f32);
    for x in [[0.7, 1.3], [1e-3, 2.0], [300.0, -0.1]] {
        table.add(Kind::Hard, "computed in f32", &x, move |x| {
            let product = (x[0].with(single) * x[1].with(single)).with(single);
            (product.sin().with(single) + (x[1].with(single) * x[1].with(single)).with(single)).with(single)
        });
        table.add(Kind::Hard, "in part computed in f32", &x, move |x| {
            (x[0] * x[1]).sin().with(single) + x[0].exp() * 0.1 + x[1] * x[1]
        });
    }
    table.add(Kind::Hard, "an inner solver that stops early", &[2.0], |x| {
        // Newton's root, until it changes by less than 1e-4.
        let mut y = x[0];
        for _ in 0..50 {
            let next = (y + x[0] / y) * 0.5;
            let off = (next.v - y.v).abs();
            y = next;
            if off < 1e-4 {
                break;
            }
        }
        y
    });
}

fn kinked(table: &mut Table) {
    table.add(Kind::Kink, "size at 0", &[0.0], |x| x[0].abs());
    table.add(Kind::Kink, "relu at 0", &[0.0, 1.0], |x| x[0].relu() * 2.0 + x[1].sin());
    table.add(Kind::Kink, "tie of a maximum", &[0.7, 0.7], |x| x[0].max(x[1]));
    table.add(Kind::Kink, "tie of a minimum", &[0.7, 0.7, 1.0], |x| x[0].min(x[1]).min(x[2]));
    table.add(Kind::Kink, "tie of three", &[0.5, 0.5, 0.5], |x| x[0].max(x[1]).max(x[2]));
    table.add(Kind::Kink, "clamp at its bound", &[1.0, 0.2], |x| x[0].min(c(1.0)) * x[1].exp());
    table.add(Kind::Kink, "sum of sizes", &[0.0, -1.0, 2.0], |x| sum(x.iter().map(|x| x.abs())));
    table.add(Kind::Kink, "hinge at its margin", &[0.5, 2.0], |x| (c(1.0) - x[0] * x[1]).relu());
    table.add(Kind::Kink, "kink of 1e-3", &[0.0], |x| x[0].abs() * 1e-3 + x[0].exp());
    table.add(Kind::Kink, "kink on a slope", &[0.0], |x| x[0].abs() + x[0] * 3.0 + x[0].cos());
    table.add(Kind::Kink, "two kinks", &[0.0, 0.0], |x| x[0].abs() + x[1].relu());
    table.add(Kind::Kink, "difference of two kinks", &[0.0, 0.0], |x| x[0].relu() - x[1].abs());
    table.add(Kind::Kink, "norm at 0", &[0.0, 0.0], |x| {
        let squares = x[0] * x[0] + x[1] * x[1];
        if squares.v == 0.0 { c(0.0) } else { squares.sqrt() }
    });
    for distance in [1e-2, 1e-4, 1e-6, 1e-8, -1e-3, -1e-5, -1e-7] {
        table.add(Kind::Fine, "relu beside its kink", &[0.5 + distance], |x| (x[0] - 0.5).relu());
        table.add(Kind::Fine, "size beside its kink, curved", &[0.5 + distance], |x| {
            (x[0] - 0.5).abs() * x[0].exp() + x[0].sin()
        });
    }
    for distance in [1e-11, -1e-13, 1e-15] {
        table
            .add(Kind::Hard, "relu at its kink but for rounding", &[0.5 + distance], |x| (x[0] - 0.5).relu());
    }
    table.add(Kind::Fine, "far from the kink", &[-1.0, 2.0], |x| x[0].relu() + x[1].relu());
    table.add(Kind::Fine, "size to the power 1.5", &[0.0], |x| x[0].abs().powf(1.5));
    table.add(Kind::Fine, "x times its size", &[0.0], |x| x[0] * x[0].abs());
    table.add(Kind::Fine, "Huber at its knot", &[1.0], |x| {
        if x[0].v.abs() <= 1.0 { x[0] * x[0] * 0.5 } else { x[0].abs() - 0.5 }
    });
    table.add(Kind::Fine, "size to the power 1.5, at the edge", &[0.0], |x| x[0].powf(1.5));
    table.add(Kind::Hard, "root at 0", &[0.0], |x| x[0].sqrt());
    table.add(Kind::Hard, "logarithm at 0 times x", &[0.0], |x| {
        if x[0].v == 0.0 { c(0.0) } else { x[0] * x[0].ln() }
    });
    table.add(Kind::Hard, "cusp", &[0.0], |x| x[0].abs().sqrt());
    table.add(Kind::Hard, "oscillating without end", &[0.0], |x| {
        if x[0].v == 0.0 { c(0.0) } else { x[0] * x[0] * (c(1.0) / x[0]).sin() }
    });
}

fn discontinuous(table: &mut Table) {
    let floor = |x: Dual| Dual { v: x.v.floor(), d: 0.0 };
    for x in [0.5, 2.0, 2.0 + 1e-9, 2.0 - 1e-9, 2.0 - 1e-3, -3.0] {
        table.add(Kind::Hard, "floor", &[x], move |x| floor(x[0]));
        table.add(Kind::Hard, "floor on a slope", &[x], move |x| floor(x[0]) + x[0] * 0.5);
        table.add(Kind::Hard, "sawtooth", &[x], move |x| x[0] - floor(x[0]));
    }
    table.add(Kind::Hard, "sign at 0", &[0.0], |x| Dual { v: if x[0].v > 0.0 { 1.0 } else { -1.0 }, d: 0.0 });
    table.add(Kind::Fine, "between jumps", &[0.25], move |x| floor(x[0] * 2.0) + x[0].exp());
    table.add(Kind::Fine, "tangent beside its pole", &[1.57], |x| x[0].sin() / x[0].cos());
    table.add(Kind::Hard, "tangent at its pole", &[std::f64::consts::FRAC_PI_2], |x| x[0].sin() / x[0].cos());
    table.add(Kind::Hard, "largest of two that jump", &[1.0, 1.0], move |x| floor(x[0]).max(x[1]));
}

fn table() -> Vec<Case> {
    let mut table = Table::default();
    smooth(&mut table);
    scales(&mut table);
    stiff_and_ill_conditioned(&mut table);
    chaotic(&mut table);
    rough(&mut table);
    kinked(&mut table);
    discontinuous(&mut table);
    table.0
}

fn check(case: &Case, given: &[f64]) -> Report {
    Check::default().gradient(|x| value(&case.f, x), &case.x, given)
}

#[test]
fn right_gradients_are_never_called_wrong() {
    let cases = table();
    assert!(cases.len() >= 200, "only {} functions", cases.len());
    let mut failures = Vec::new();
    let mut unsettled = 0;
    for case in &cases {
        let report = check(case, &gradient(&case.f, &case.x));
        let fits = match case.kind {
            Kind::Fine => report.passed(),
            Kind::Kink => report.verdict == Verdict::Kink,
            Kind::Hard => report.verdict != Verdict::Wrong,
        };
        unsettled += usize::from(!report.passed());
        if !fits {
            failures.push(format!("{} ({:?}): {report}", case.name, case.kind));
        }
    }
    assert!(failures.is_empty(), "{} of {}\n{}", failures.len(), cases.len(), failures.join("\n\n"));
    // All of these are hard in earnest.
    assert!(unsettled <= 30, "{unsettled} could not be settled");
}

#[test]
fn errors_above_the_error_bar_are_found() {
    let (mut planted, mut found, mut within, mut between, mut failures) = (0, 0, 0, 0, Vec::new());
    for case in table() {
        let right = gradient(&case.f, &case.x);
        let largest = right.iter().fold(0.0f64, |m, g| m.max(g.abs()));
        let report = check(&case, &right);
        for (i, &g) in right.iter().enumerate() {
            let Some(finding) = report.findings.iter().find(|f| f.place == Place::Element(vec![i])) else {
                continue;
            };
            if report.verdict != Verdict::Pass && report.verdict != Verdict::Kink || !g.is_finite() {
                continue;
            }
            for wrong in [-g, 0.0, 2.0 * g, g + largest, g * (1.0 + 1e-2), g * (1.0 - 1e-4), g * (1.0 + 1e-7)]
            {
                // What the right gradient's error bar allows, or lies within a kink, is no error.
                let off = (wrong - g).abs();
                let bar = 2.0 * finding.judgement.estimate.error + 1e-12 * g.abs();
                let is_between = finding.judgement.sides.is_some_and(|[left, right]| {
                    let low = (left.value - left.error).min(right.value - right.error);
                    let high = (left.value + left.error).max(right.value + right.error);
                    (low..=high).contains(&wrong)
                });
                if off <= bar || is_between {
                    continue;
                }
                planted += 1;
                let mut given = right.clone();
                given[i] = wrong;
                let report = check(&case, &given);
                let at = |f: &&gradus_check::Finding| f.place == Place::Element(vec![i]);
                let bar = report.findings.iter().find(at).map_or(0.0, |f| 2.0 * f.judgement.estimate.error);
                match report.verdict {
                    Verdict::Wrong => found += 1,
                    _ if wrong == 0.0 && case.name.contains("taken away") && !report.passed() => found += 1,
                    // Of a staircase zero is the derivative, but no pass.
                    _ if case.kind == Kind::Hard && wrong == 0.0 && !report.passed() => found += 1,
                    // At a kink whatever lies between the slopes to both sides may be given: it is no error.
                    Verdict::Kink if case.kind == Kind::Hard => {
                        (planted, between) = (planted - 1, between + 1)
                    }
                    // Of a rough function the bar shows only when all scales are looked at.
                    _ if off <= bar => within += 1,
                    _ => failures
                        .push(format!("{}: {wrong:e} for {g:e} at {i}, bar {bar:.1e}: {report}", case.name)),
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} of {planted} missed\n{}", failures.len(), failures.join("\n\n"));
    assert_eq!(found + within, planted);
    assert!(between <= 2, "{between} between the slopes of a kink");
    assert!(50 * within <= planted, "{within} of {planted} within the error bar");
}

/// Beside larger values a wave of which all steps from 1 up are whole periods: nothing moves until steps are smaller.
#[test]
fn steps_that_are_whole_periods_of_a_wave() {
    use std::f64::consts::PI;
    for x in [37_823_488.0f64, 3_495_640.0, 50_044_488.0] {
        let sinc = |x: f64| (PI * x).sin() / (PI * x);
        let slope = ((PI * x).cos() - sinc(x)) / x;
        let mut line = Line::through(x, 1.6e7, f64::EPSILON);
        (line.size, line.noise) = (1.0, 8.0 * f64::EPSILON);
        let judged =
            |value: f64| judge(|t| sinc(x + t) - sinc(x), &line, &Claim { value, slack: 0.0, size: 1e-3 });
        assert_eq!(judged(slope).verdict, Verdict::Pass, "{:?}", judged(slope));
        assert_eq!(judged(1.1 * slope).verdict, Verdict::Wrong, "{:?}", judged(1.1 * slope));
    }
}

/// Treads of rounding inside of a function: `1.0001 * x` grows by whole numbers of its last place. A slope that is the difference of
/// two nearly equal ones is another one on each tread.
#[test]
fn treads_of_rounding_inside_of_a_function() {
    let f = |x: &[f64]| x[0].sin() - (1.0001 * x[0]).sin();
    let slope = |x: f64| x.cos() - 1.0001 * (1.0001 * x).cos();
    for x in [3631.50048828125, 34.56889724731445] {
        let report = Check::default().gradient(f, &[x], [slope(x)]);
        assert_ne!(report.verdict, Verdict::Wrong, "{report}");
    }
    // Where larger steps see the slope the treads hide no fault.
    for (x, factor) in [(3631.50048828125, -1.0), (3631.50048828125, 1.001)] {
        let report = Check::default().gradient(f, &[x], [slope(x) * factor]);
        assert_eq!(report.verdict, Verdict::Wrong, "{factor}: {report}");
    }
}

/// A kink in f32 among others: to each side by itself too little is left between rounding and the next kink.
#[test]
fn a_node_of_a_table_in_f32() {
    let table = [0.3f32, 1.7, 0.2, 1.1, -0.4, 0.9, 2.1, 0.4, -1.0, 0.7, 1.3, 0.1];
    let at = |x: f32| {
        let i = ((x / 0.125).floor() as usize).min(10);
        let share = (x - 0.125 * i as f32) / 0.125;
        table[i] * (1.0 - share) + table[i + 1] * share
    };
    let right = |k: usize| (table[k + 1] - table[k]) / 0.125;
    for k in 3..9 {
        let x = [0.125 * k as f32];
        let report = Check::default().gradient_f32(|x: &[f32]| at(x[0]), &x, [right(k)]);
        assert_ne!(report.verdict, Verdict::Wrong, "{k}: {report}");
        let beyond = right(k) + 2.0 * (right(k) - right(k - 1));
        let report = Check::default().gradient_f32(|x: &[f32]| at(x[0]), &x, [beyond]);
        assert_ne!(report.verdict, Verdict::Kink, "{k}: {report}");
    }
}

/// A value of exactly zero, by two numbers that cancel: their rounding hides slopes all the same.
#[test]
fn values_that_cancel_at_a_flat_point() {
    let f = |x: &[f64]| (40.0 * x[0].sin()).tanh() + (40.0 * x[1].sin()).tanh();
    let x = [35.14118957519531, 0.9262158177896842];
    let slope = |x: f64| 40.0 * x.cos() / (40.0 * x.sin()).cosh().powi(2);
    let report = Check::default().gradient(f, &x, [slope(x[0]), slope(x[1])]);
    assert_ne!(report.verdict, Verdict::Wrong, "{report}");
}

/// A step of a staircase that rounding makes is no derivative of 0, though less noise was said to be known: `1 + e^-12` is rounded as 1
/// is, and then stands beside a loss of 6e-6.
#[test]
fn more_noise_than_is_known() {
    for k in 0..200 {
        let odds = (-6.0 - 0.05 * f64::from(k)).exp();
        let f = |t: f64| (1.0 + odds * t.exp()).ln();
        let line = Line { noise: 1e-3 * f64::EPSILON * odds, ..Line::through(0.1, 1.0, f64::EPSILON) };
        let claim = |value| Claim { value, slack: 0.0, size: 1e-3 * odds };
        let slope = odds / (1.0 + odds);
        let judged = judge(|t| f(t) - f(0.0), &line, &claim(slope));
        assert_ne!(judged.verdict, Verdict::Wrong, "{odds:e}: {judged:?}");
        let judged = judge(|t| f(t) - f(0.0), &line, &claim(1.1 * slope));
        assert_eq!(judged.verdict, Verdict::Wrong, "{odds:e}: {judged:?}");
    }
}
