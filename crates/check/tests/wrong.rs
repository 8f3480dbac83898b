//! Wrong gradients are found, with place and pattern; right ones of many variables pass.

use gradus_check::{
    Check, Pattern, Place, Report, Verdict, check_gradient, check_gradient_f32, check_hessian,
    check_jacobian, check_vjp,
};

/// Numbers around 1, of both signs.
fn numbers(n: usize, seed: u64) -> Vec<f64> {
    let number = |i: usize| {
        let mut z =
            (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ seed.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 30)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (0.3 + (z >> 11) as f64 / (1u64 << 53) as f64) * if z & 1 == 0 { 1.0 } else { -1.0 }
    };
    (0..n).map(number).collect()
}

/// A smooth function of many variables, each beside its neighbour, and its gradient.
fn chain(x: &[f64]) -> f64 {
    let n = x.len();
    (0..n).map(|i| (x[i] * x[(i + 1) % n]).sin() + 0.1 * x[i].powi(3)).sum()
}

fn chain_gradient(x: &[f64]) -> Vec<f64> {
    let n = x.len();
    let slope = |i: usize| (x[i] * x[(i + 1) % n]).cos();
    let at = |i: usize| {
        let before = (i + n - 1) % n;
        slope(i) * x[(i + 1) % n] + slope(before) * x[before] + 0.3 * x[i] * x[i]
    };
    (0..n).map(at).collect()
}

fn elements(report: &Report) -> Vec<usize> {
    let element = |place: &Place| match place {
        Place::Element(at) => Some(at[0]),
        _ => None,
    };
    let wrong = report.findings.iter().filter(|f| f.judgement.verdict == Verdict::Wrong);
    let mut found: Vec<usize> = wrong.filter_map(|f| element(&f.place)).collect();
    found.sort_unstable();
    found
}

#[test]
fn right_gradients_of_many_variables_pass() {
    for n in [300, 1000, 20_000] {
        for seed in 0..5 {
            let x = numbers(n, seed);
            let report = Check { seed, ..Check::default() }.gradient(chain, &x, chain_gradient);
            assert_eq!(report.verdict, Verdict::Pass, "{report}");
            assert!(report.evaluations < 3000, "{report}");
        }
    }
    // Of sizes from 1e-6 to 1e6, with zeros among them.
    let mut x = numbers(2000, 9);
    x.iter_mut()
        .enumerate()
        .for_each(|(i, x)| *x *= if i % 7 == 0 { 0.0 } else { 10f64.powi(i as i32 % 13 - 6) });
    let scale = |i: usize| 10f64.powi(i as i32 % 13 - 6);
    let f = |x: &[f64]| x.iter().enumerate().map(|(i, x)| (x / scale(i)).sin()).sum();
    let g = |x: &[f64]| -> Vec<f64> {
        x.iter().enumerate().map(|(i, x)| (x / scale(i)).cos() / scale(i)).collect()
    };
    let report = check_gradient(f, &x, g);
    assert!(report.passed(), "{report}");
}

#[test]
fn two_exchanged_among_a_thousand_are_found_and_named() {
    for seed in 0..40 {
        let x = numbers(1000, seed);
        let mut g = chain_gradient(&x);
        let (a, b) = (17 * seed as usize % 1000, (500 + 31 * seed as usize) % 1000);
        g.swap(a, b);
        let report = Check { seed, ..Check::default() }.gradient(chain, &x, g);
        assert_eq!(report.verdict, Verdict::Wrong, "{seed}: {report}");
        assert_eq!(report.pattern, Some(Pattern::Exchanged(a.min(b), a.max(b))), "{seed}: {report}");
    }
}

#[test]
fn one_of_many_a_little_off_is_found_and_named() {
    for (n, off, seeds) in [(20_000, 1e-3, 8), (100_000, 1e-4, 1)] {
        for seed in 1..=seeds {
            let x = numbers(n, seed);
            let mut g = chain_gradient(&x);
            let at = 7919 * (seed as usize + 3) % n;
            g[at] *= 1.0 + off;
            let report = Check { seed, ..Check::default() }.gradient(chain, &x, g);
            assert_eq!(elements(&report), [at], "{n}, {seed}: {report}");
            assert_eq!(report.pattern, Some(Pattern::OneElement));
        }
    }
}

#[test]
fn two_equal_ones_lost_are_found() {
    let mut x = numbers(1000, 3);
    (x[400], x[401], x[402]) = (0.5, 0.5, 0.5);
    (x[700], x[701], x[702]) = (0.5, 0.5, 0.5);
    let mut g = chain_gradient(&x);
    (g[401], g[701]) = (0.0, 0.0);
    let report = check_gradient(chain, &x, g);
    assert_eq!(elements(&report), [401, 701], "{report}");
}

#[test]
fn small_factors_are_found_where_the_error_bar_allows_it() {
    for n in [10, 1000] {
        let x = numbers(n, 5);
        let factor = |factor: f64| chain_gradient(&x).iter().map(|g| g * factor).collect::<Vec<f64>>();
        let report = check_gradient(chain, &x, factor(1.0 + 1e-7));
        assert_eq!(report.verdict, Verdict::Wrong, "{report}");
        let f32_constant = check_gradient(chain, &x, factor(f64::from(0.1f32) / 0.1));
        assert!(f32_constant.passed() && f32_constant.to_string().contains("f32"), "{f32_constant}");
        let strict =
            Check { strict: true, ..Check::default() }.gradient(chain, &x, factor(f64::from(0.1f32) / 0.1));
        assert_eq!(strict.verdict, Verdict::Wrong, "{strict}");
    }
}

#[test]
fn elements_far_below_the_largest_are_found_to_be_zeroed() {
    let f = |x: &[f64]| x.iter().enumerate().map(|(i, x)| x.sin() * 10f64.powi(-2 * i as i32)).sum();
    let x = [0.3, 0.5, 0.7, 0.9, 1.1, 0.2];
    let right: Vec<f64> =
        x.iter().enumerate().map(|(i, x): (usize, &f64)| x.cos() * 10f64.powi(-2 * i as i32)).collect();
    for at in 0..6 {
        let mut g = right.clone();
        g[at] = 0.0;
        let report = check_gradient(f, &x, g);
        assert_eq!(elements(&report), [at], "{report}");
    }
}

#[test]
fn gradients_of_a_maximum_of_many_given_to_both_winners_are_wrong() {
    let mut x = numbers(400, 1);
    (x[37], x[311]) = (2.0, 2.0);
    let largest = |x: &[f64]| x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for (share, verdict) in [(1.0, Verdict::Wrong), (0.5, Verdict::Kink)] {
        let mut g = vec![0.0; 400];
        (g[37], g[311]) = (share, share);
        let report = Check { elements: 400, ..Check::default() }.gradient(largest, &x, &g);
        assert_eq!(report.verdict, verdict, "{report}");
        // Not all elements, but the winners among them as the largest gradients are.
        let report = check_gradient(largest, &x, &g);
        assert_eq!(report.verdict, verdict, "{report}");
    }
}

#[test]
fn kinks_that_only_directions_see_are_taken_out_and_hide_nothing() {
    let mut x = numbers(3000, 2);
    (x[1234], x[2345]) = (0.0, 0.0);
    let f = |x: &[f64]| x.iter().map(|x| x.max(0.0) + 0.5 * x * x).sum();
    let mut g: Vec<f64> = x.iter().map(|&x| f64::from(u8::from(x > 0.0)) + x).collect();
    let report = check_gradient(f, &x, &g);
    assert_eq!(report.verdict, Verdict::Kink, "{report}");
    g[777] *= 1.01;
    let report = check_gradient(f, &x, &g);
    assert_eq!(elements(&report), [777], "{report}");
}

#[test]
fn patterns_of_small_and_large_gradients() {
    // A sum of squares of sums along rows and columns, with different weights.
    let f = |n: usize| {
        move |x: &[f64]| -> f64 {
            let at = |i: usize, j: usize| x[i * n + j];
            (0..n * n)
                .map(|k| ((k % 7 + 1) as f64 * 0.3 + (k / n) as f64 * 0.01) * (at(k / n, k % n)).powi(3))
                .sum()
        }
    };
    for n in [5, 30] {
        let x = numbers(n * n, 4);
        let right: Vec<f64> = (0..n * n)
            .map(|k| 3.0 * ((k % 7 + 1) as f64 * 0.3 + (k / n) as f64 * 0.01) * x[k] * x[k])
            .collect();
        let check = Check { shape: vec![n, n], ..Check::default() };
        let found = |g: Vec<f64>| {
            let report = check.gradient(f(n), &x, &g);
            assert_eq!(report.verdict, Verdict::Wrong, "{report}");
            report.pattern.unwrap_or_else(|| panic!("no pattern"))
        };
        let map = |of: &dyn Fn(usize, f64) -> f64| {
            right.iter().enumerate().map(|(k, &g)| of(k, g)).collect::<Vec<f64>>()
        };
        assert_eq!(found(map(&|_, g| -g)), Pattern::Sign);
        assert_eq!(found(map(&|_, _| 0.0)), Pattern::Zero);
        assert_eq!(found(map(&|k, _| right[k % n * n + k / n])), Pattern::Transposed);
        assert_eq!(found(map(&|k, _| right[k / n * n + (k + 1) % n])), Pattern::Shifted(1));
        match found(map(&|_, g| g / (n * n) as f64)) {
            Pattern::Factor { ratio, reason: Some("a mean for a sum") } => {
                assert!((ratio * (n * n) as f64 - 1.0).abs() < 1e-6);
            }
            pattern => panic!("{pattern}"),
        }
        match found(map(&|_, g| g + 0.25)) {
            Pattern::Offset(offset) => assert!((offset - 0.25).abs() < 1e-6, "{offset}"),
            pattern => panic!("{pattern}"),
        }
        match found(map(&|k, g| g - 0.02 * x[k])) {
            Pattern::MissingSquares(factor) => assert!((factor - 0.02).abs() < 1e-6, "{factor}"),
            pattern => panic!("{pattern}"),
        }
        match found(map(&|k, g| g - 0.01 * x[k].signum())) {
            Pattern::MissingSizes(factor) => assert!((factor - 0.01).abs() < 1e-6, "{factor}"),
            pattern => panic!("{pattern}"),
        }
    }
    let x = numbers(24, 6);
    let check = Check { shape: vec![4, 6], ..Check::default() };
    let cubes = |x: &[f64]| x.iter().map(|x| x.powi(3)).sum();
    let mut g: Vec<f64> = x.iter().map(|x| 3.0 * x * x).collect();
    (0..4).for_each(|row| g[row * 6 + 5] = 0.0);
    assert_eq!(check.gradient(cubes, &x, &g).pattern, Some(Pattern::Along { axis: 1, index: 5 }));
    g.iter_mut().for_each(|g| *g = f64::NAN);
    assert_eq!(check.gradient(cubes, &x, &g).pattern, Some(Pattern::NotFinite));
}

#[test]
fn functions_in_f32() {
    let f = |x: &[f32]| {
        x.iter().enumerate().map(|(i, x)| (x * (0.5 + i as f32 * 0.1)).tanh() + x * x).sum::<f32>()
    };
    let slope =
        |i: usize, x: f32| (0.5 + i as f32 * 0.1) / (x * (0.5 + i as f32 * 0.1)).cosh().powi(2) + 2.0 * x;
    for n in [3, 12] {
        for seed in 0..20 {
            let x: Vec<f32> = numbers(n, seed).iter().map(|&x| x as f32).collect();
            let mut g: Vec<f32> = x.iter().enumerate().map(|(i, &x)| slope(i, x)).collect();
            let report = check_gradient_f32(f, &x, &g);
            assert!(report.passed(), "{seed}: {report}");
            g[1] += 0.02 * g.iter().fold(0.0f32, |m, g| m.max(g.abs()));
            let report = check_gradient_f32(f, &x, &g);
            assert_eq!(report.verdict, Verdict::Wrong, "{seed}: {report}");
        }
    }
    // Numbers of f32 for a function in f64.
    let x = numbers(2000, 8);
    let mut g: Vec<f32> = chain_gradient(&x).iter().map(|&g| g as f32).collect();
    assert_eq!(check_gradient(chain, &x, &g).verdict, Verdict::Pass);
    g[1500] *= 1.05;
    assert_eq!(elements(&check_gradient(chain, &x, &g)), [1500]);
}

#[test]
fn jacobians_and_hessians() {
    let f = |x: &[f64]| vec![x[0] * x[1], x[1].sin() * x[2], x[2].exp(), x[0] / x[2]];
    let jacobian = |x: &[f64]| {
        let rows = [
            [x[1], x[0], 0.0],
            [0.0, x[1].cos() * x[2], x[1].sin()],
            [0.0, 0.0, x[2].exp()],
            [1.0 / x[2], 0.0, -x[0] / x[2] / x[2]],
        ];
        rows.concat()
    };
    let x = [0.7, 1.1, -0.6];
    assert_eq!(check_jacobian(f, &x, jacobian).verdict, Verdict::Pass);
    let mut wrong = jacobian(&x);
    wrong[5] *= 1.001;
    let report = check_jacobian(f, &x, wrong);
    assert_eq!(report.findings[0].place, Place::Element(vec![1, 2]), "{report}");
    assert!(!check_vjp(f, &x, &[1.0, -0.5, 2.0, 0.3], [0.0; 3]).passed());

    // Of the chain, whose Hessian has three diagonals; all columns, and too many for that.
    for n in [20, 300] {
        let x = numbers(n, 7);
        let mut hessian = vec![0.0; n * n];
        for i in 0..n {
            let k = (i + 1) % n;
            let (sin, cos) = (x[i] * x[k]).sin_cos();
            hessian[i * n + i] += 0.6 * x[i] - sin * x[k] * x[k];
            hessian[k * n + k] -= sin * x[i] * x[i];
            hessian[i * n + k] += cos - sin * x[i] * x[k];
            hessian[k * n + i] += cos - sin * x[i] * x[k];
        }
        let report = check_hessian(chain_gradient, &x, &hessian);
        assert_eq!(report.verdict, Verdict::Pass, "{report}");
        hessian[7 * n + 8] *= 1.0001;
        let report = check_hessian(chain_gradient, &x, &hessian);
        assert_eq!(report.findings[0].place, Place::Element(vec![7, 8]), "{report}");
    }
}
