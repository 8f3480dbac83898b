//! Where gradus and PyTorch give different numbers, and gradus means to: the table in `docs/conventions.md`, line by line.

use gradus_autograd::prelude::*;

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;

type Function = for<'t> fn(Var<'t>) -> Var<'t>;

fn value(f: Function, x: f32) -> Vec<f32> {
    f(Tape::new().var(x)).value().to_vec()
}

fn slope(f: Function, x: f32) -> Vec<f32> {
    let tape = Tape::new();
    let v = tape.var(x);
    let (swept, recorded) = (f(v).sum().backward()[v].item(), f(v).sum().grad(&[v])[0].unwrap().item());
    assert!(swept == recorded || swept.is_nan() && recorded.is_nan(), "{swept} and {recorded}");
    vec![swept]
}

/// What is computed, what it gives, what it should, the same in words, and what PyTorch gives.
type Difference = (&'static str, Vec<f32>, Vec<f32>, &'static str, &'static str);

#[rustfmt::skip]
fn differences() -> Vec<Difference> {
    vec![
        ("slope of `x.clamp(0.0, 1.0)` at 0 and 1", [slope(|x| x.clamp(0.0, 1.0), 0.0), slope(|x| x.clamp(0.0, 1.0), 1.0)].concat(), vec![1.0, 1.0], "1, 1", "0, 0"),
        ("slope of `x.clamp_between(0, 1)` at 0 and 1", [slope(between, 0.0), slope(between, 1.0)].concat(), vec![1.0, 1.0], "1, 1", "1/2, 1/2"),
        ("value of `x.gelu()`, `x.silu()`, `x.mish()`, `x.hardswish()` at -∞", [value(|x| x.gelu(), -INF), value(|x| x.silu(), -INF), value(|x| x.mish(), -INF), value(|x| x.hardswish(), -INF)].concat(), vec![0.0; 4], "0", "NaN"),
        ("value of `x.sinc()` at ∞", value(|x| x.sinc(), INF), vec![0.0], "0", "NaN"),
        ("slope of `√x` where x > 0, else 0, at 0", slope(|x| x.is_positive().select_where(&x.sqrt(), &x.place().constant(0.0)), 0.0), vec![0.0], "0", "NaN"),
        ("slope of `0.xlogy(x)` at 0", slope(|x| x.place().constant(0.0).xlogy(&x), 0.0), vec![0.0], "0", "NaN"),
        ("value of `x.kl_div(0)` at -∞", value(|x| x.kl_div(&x.place().constant(0.0)), -INF), vec![0.0], "0", "NaN"),
        ("`[0, x].soft_cross_entropy([1, 0])` at -∞", value(soft, -INF), vec![0.0], "0", "NaN"),
        ("value of `x.binary_cross_entropy(1)` at 0", value(bce, 0.0), vec![INF], "∞", "100"),
        ("slope of `x.binary_cross_entropy(1)` at 0", slope(bce, 0.0), vec![-INF], "-∞", "-1e12"),
        ("slope of `0.gaussian_nll_loss(0, x)` at 1e-8, below eps", slope(|x| { let zero = x.place().constant(0.0); zero.gaussian_nll_loss(&zero, &x) }, 1e-8), vec![0.0], "0", "5e5"),
        ("attention on a key with a score of -∞", value(unseen, -INF), vec![0.0], "0", "NaN"),
        ("`[30, 10, 20].kthvalue(1)`", vec![Tensor::from([30.0, 10.0, 20.0]).kthvalue(1, 0).0.item()], vec![20.0], "20, counted from 0", "10, counted from 1"),
        ("`max_unpool2d` of two windows of 9 with one winner", unpooled(), vec![18.0], "18, the sum: the gradient of the pooling", "9, the last"),
        ("`lp_pool2d` of order 3 of four elements of -1", vec![Tensor::full([1, 1, 2, 2], -1.0).lp_pool2d(3.0, [2, 2], [2, 2]).item()], vec![1.587_401], "1.587401, the norm", "NaN"),
        ("`as_strided([2], [1], 0)` of [[1, 2], [3, 4]] transposed", Tensor::from([[1.0, 2.0], [3.0, 4.0]]).t().as_strided([2], [1], 0).to_vec(), vec![1.0, 3.0], "1, 3, of the transposed", "1, 2, of its memory"),
        ("`grid_sample` of a row 1, 3, 7 at a place of NaN", value(at_place, NAN), vec![NAN], "NaN", "1, as at -1"),
    ]
}

fn between(x: Var<'_>) -> Var<'_> {
    x.clamp_between(&x.place().constant(0.0), &x.place().constant(1.0))
}

fn bce(x: Var<'_>) -> Var<'_> {
    x.binary_cross_entropy(&x.place().constant(1.0))
}

fn soft(x: Var<'_>) -> Var<'_> {
    let logits = Var::stack(&[&x.place().constant(0.0), &x], 0).reshape([1, 2]);
    logits.soft_cross_entropy(&x.place().constant([[1.0, 0.0]]))
}

/// One query on one key that the bias x hides.
fn unseen(x: Var<'_>) -> Var<'_> {
    let one = x.place().constant([[1.0]]);
    one.scaled_dot_product_attention(&one, &one, None, Some(&x.reshape([1, 1])), false)
}

fn unpooled() -> Vec<f32> {
    // The 9 wins in both windows of size 2 and stride 1.
    let (y, winners) =
        Tensor::from([[[[1.0, 9.0, 2.0]]]]).max_pool2d_with_indices([1, 2], [1, 1], [0, 0], [1, 1], false);
    vec![y.max_unpool2d(&winners, [1, 3]).sum().item()]
}

fn at_place(x: Var<'_>) -> Var<'_> {
    use gradus_autograd::ops::grid_sample::{GridMode, GridPadding};
    let grid = Var::stack(&[&x, &x.place().constant(0.0)], 0).reshape([1, 1, 1, 2]);
    x.place().constant([[[[1.0, 3.0, 7.0]]]]).grid_sample(&grid, GridMode::Bilinear, GridPadding::Zeros, true)
}

#[test]
fn the_differences_are_those_of_the_table() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/conventions.md");
    let text = std::fs::read_to_string(page).unwrap();
    let section = text.split("## What differs from PyTorch").nth(1).expect("a section");
    let section = section.split("\n## ").next().unwrap();
    let written: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let mut table = Vec::new();
    for (what, found, wanted, here, there) in differences() {
        let same =
            |(&a, &b): (&f32, &f32)| a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-6 * b.abs();
        assert!(found.len() == wanted.len() && found.iter().zip(&wanted).all(same), "{what}: {found:?}");
        table.push(format!("| {what} | {here} | {there} |"));
    }
    assert!(written == table, "docs/conventions.md should have this table:\n{}", table.join("\n"));
}
