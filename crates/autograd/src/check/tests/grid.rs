//! The checker checked once more: every kind of mistake in every family of rules, each with the right verdict and place.

use super::faulty::{Fault, Faulty, Found, normal, program};
use crate::check::{GradCheck, Verdict};
use crate::{
    op::Op,
    ops::{
        arithmetic::Mul,
        conv::Conv2d,
        elementwise::Tanh,
        indexing::IndexSelect,
        linear::{Linear, MatMul},
        methods::*,
        normalize::{LayerNorm, Softmax},
        pool::{AvgPool2d, MaxPool2d},
        reduce::{Max, Variance},
    },
    sweep::Rule,
    tape::{Tape, var::Var},
    value::Value,
};
use gradus_tensor::{Conv2dOptions, Pool, PoolOptions, Tensor};

fn last_element(index: &[usize], shape: &[usize]) -> bool {
    index.iter().zip(shape).all(|(i, n)| i + 1 == *n)
}

/// The kinds of mistakes. Where one changes no gradient of a family, it is none there.
const MISTAKES: [(&str, Fault); 15] = [
    ("a factor of 1.001", Fault::Factor(1.001)),
    ("the other sign", Fault::Factor(-1.0)),
    ("a term left out", Fault::Cotangent(|index, shape| if last_element(index, shape) { 0.0 } else { 1.0 })),
    ("operands swapped", Fault::SwappedInputs),
    ("not summed after broadcasting", Fault::Unsummed),
    (
        "overwritten instead of added",
        Fault::Cotangent(|index, shape| (index[0] + 1 == shape[0]) as u8 as f32),
    ),
    ("transposed", Fault::Transposed),
    ("the tail forgotten", Fault::Weights(|index, shape| if last_element(index, shape) { 0.0 } else { 1.0 })),
    ("strides ignored", Fault::IgnoresStride),
    ("the offset ignored", Fault::IgnoresOffset),
    ("stale inputs and outputs", Fault::StaleInputs),
    ("stale saved values", Fault::StaleSaved),
    ("a mean for a sum", Fault::Factor(1.0 / 36.0)),
    (
        "NaN at one element",
        Fault::Weights(|index, _| if index.iter().all(|&i| i == 0) { f32::NAN } else { 1.0 }),
    ),
    ("zero", Fault::Factor(0.0)),
];

/// What is no mistake in some families, and why.
const HARMLESS: [(&str, &str, &[&str]); 7] = [
    (
        "operands swapped",
        "there is one, or their shapes differ",
        &[
            "elementwise",
            "broadcast",
            "reduction",
            "maximum",
            "convolution",
            "kernel",
            "max-pool",
            "average pool",
            "norm",
            "norm's weight",
            "softmax",
            "gather",
            "recurrent",
        ],
    ),
    (
        "not summed after broadcasting",
        "nothing is broadcast",
        &[
            "elementwise",
            "product",
            "reduction",
            "maximum",
            "matmul",
            "convolution",
            "kernel",
            "max-pool",
            "average pool",
            "norm",
            "norm's weight",
            "softmax",
            "gather",
            "recurrent",
        ],
    ),
    (
        "stale saved values",
        "nothing is saved",
        &[
            "elementwise",
            "broadcast",
            "product",
            "reduction",
            "matmul",
            "convolution",
            "kernel",
            "average pool",
            "softmax",
            "gather",
            "recurrent",
        ],
    ),
    (
        "stale inputs and outputs",
        "the rule reads neither",
        &["maximum", "max-pool", "average pool", "gather"],
    ),
    ("transposed", "it is a vector", &["norm's weight"]),
    ("strides ignored", "the rule reads no input, and the cotangent is a vector", &["maximum"]),
    ("the tail forgotten", "it is zero: the last element is not the largest", &["maximum"]),
];

/// Mistakes in what only the fused rule reads, the statistics: the rule of record is right.
const ONLY_FUSED: [(&str, &str); 2] =
    [("norm", "stale saved values"), ("norm's weight", "stale saved values")];

struct Grid {
    found: Found,
    /// Family and mistake where it changed no gradient.
    harmless: Vec<(&'static str, &'static str)>,
}

impl Grid {
    /// Plants every mistake into the gradient of one input of an operation that the program applies.
    fn family<O: Op>(
        &mut self,
        (family, op, input): (&'static str, O, usize),
        inputs: &[Tensor],
        run: impl for<'t> Fn(&Faulty<O>, &[Var<'t>]) -> Var<'t>,
    ) {
        let gradient = |faulty: &Faulty<O>| {
            let tape = Tape::new();
            let vars: Vec<Var<'_>> = inputs.iter().map(|x| tape.var(x)).collect();
            let y = run(faulty, &vars);
            let cotangent = normal(9, [y.shape().numel()]).reshape(y.shape());
            y.sweep(cotangent, Rule::Fused, false).get(vars[input]).expect("the program reaches it").to_vec()
        };
        let planted = |fault| Faulty { op: op.clone(), input, fault };
        let right = gradient(&planted(Fault::Factor(1.0)));
        for (mistake, fault) in MISTAKES {
            let faulty = planted(fault);
            if gradient(&faulty) == right {
                self.harmless.push((family, mistake));
                continue;
            }
            let report = GradCheck::default().function(|vars| run(&faulty, vars), inputs);
            let what = format!("{family}: {mistake}");
            let verdict = if ONLY_FUSED.contains(&(family, mistake)) {
                Verdict::PoorPrecision
            } else {
                Verdict::WrongFormula
            };
            self.found.note(O::NAME, &what, &report, input, verdict, "");
        }
    }
}

#[test]
fn every_mistake_in_every_family() {
    let mut grid = Grid { found: Found::default(), harmless: Vec::new() };
    let x = [normal(1, [6, 6])];
    let images = [normal(2, [2, 2, 5, 5]) * 0.5];
    let windows = Pool::Sliding(PoolOptions { stride: [2; 2], padding: [1; 2], ..PoolOptions::from(3) });
    let conv = Conv2d(Conv2dOptions { padding: [1; 2], ..Conv2dOptions::default() });
    let norm = LayerNorm { normalized_shape: [6].into(), eps: 1e-5 };
    let scale = [normal(4, [6]), normal(5, [6])];

    grid.family(("elementwise", Tanh, 0), &x, program);
    grid.family(("broadcast", Mul, 1), &[x[0].clone(), normal(3, [6])], program);
    grid.family(("product", Mul, 1), &[x[0].clone(), normal(3, [6, 6])], program);
    grid.family(("reduction", Variance { axes: 1.into(), correction: 0, keepdims: false }, 0), &x, program);
    grid.family(("maximum", Max { axes: 1.into(), keepdims: false }, 0), &x, program);
    grid.family(("matmul", MatMul, 1), &[x[0].clone(), normal(3, [6, 6])], program);
    grid.family(("convolution", conv, 0), &[images[0].clone(), normal(3, [2, 2, 3, 3])], program);
    grid.family(("kernel", conv, 1), &[images[0].clone(), normal(3, [2, 2, 3, 3])], program);
    grid.family(("max-pool", MaxPool2d { windows }, 0), &images, program);
    grid.family(("average pool", AvgPool2d { windows }, 0), &images, program);
    grid.family(("norm", norm.clone(), 0), &[x[0].clone(), scale[0].clone(), scale[1].clone()], program);
    grid.family(("norm's weight", norm, 1), &[x[0].clone(), scale[0].clone(), scale[1].clone()], program);
    grid.family(("softmax", Softmax { axis: 1 }, 0), &x, program);
    let rows = IndexSelect { axis: 0, indices: [1, 3, 1, 5, 0].into() };
    grid.family(("gather", rows, 0), &x, program);
    // The weight of a recurrent layer: one operation, applied three times.
    grid.family(("recurrent", Linear, 1), &[normal(6, [2, 6]), &x[0] * 0.4], |faulty, v| {
        (0..3).fold(v[0], |h, _| (Var::apply(faulty.clone(), &[&h, &v[1]]) + v[0]).tanh())
    });
    let (mut found, mut expected) = (grid.harmless, Vec::new());
    for (mistake, _, families) in HARMLESS {
        expected.extend(families.iter().map(|&family| (family, mistake)));
    }
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    grid.found.assert_all(15 * MISTAKES.len() - expected.len());
}
