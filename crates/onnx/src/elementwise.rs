//! Functions of elements.

use crate::{
    graph::{Graph, Name, float, int, text},
    translate::{Step, Translated},
};
use gradus_autograd::ops::{
    arithmetic::{AddScalar, DivInto, DivScalar, MulScalar, SubFrom},
    elementwise::{Celu, Clamp, Elu, Hardtanh, LeakyRelu, Powf, SoftplusWith},
};
use std::f64::consts::{FRAC_1_SQRT_2, LN_2, LN_10};

/// Operations that ONNX has under another name.
const SAME: &[(&str, &str)] = &[
    ("add", "Add"),
    ("sub", "Sub"),
    ("mul", "Mul"),
    ("div", "Div"),
    ("neg", "Neg"),
    ("identity", "Identity"),
    ("scale_gradient", "Identity"),
    ("clip_gradient", "Identity"),
    ("exp", "Exp"),
    ("log", "Log"),
    ("sqrt", "Sqrt"),
    ("reciprocal", "Reciprocal"),
    ("abs", "Abs"),
    ("sin", "Sin"),
    ("cos", "Cos"),
    ("tan", "Tan"),
    ("sinh", "Sinh"),
    ("cosh", "Cosh"),
    ("asin", "Asin"),
    ("acos", "Acos"),
    ("atan", "Atan"),
    ("asinh", "Asinh"),
    ("acosh", "Acosh"),
    ("atanh", "Atanh"),
    ("erf", "Erf"),
    ("sigmoid", "Sigmoid"),
    ("tanh", "Tanh"),
    ("relu", "Relu"),
    ("softplus", "Softplus"),
    ("softsign", "Softsign"),
    ("mish", "Mish"),
    ("floor", "Floor"),
    ("ceil", "Ceil"),
    ("round", "Round"),
    ("sign", "Sign"),
    ("maximum", "Max"),
    ("minimum", "Min"),
    ("pow", "Pow"),
];

/// Comparisons, which give conditions there and numbers here; and whether the result is turned round.
const COMPARISONS: &[(&str, &str, bool)] = &[
    ("gt", "Greater", false),
    ("ge", "GreaterOrEqual", false),
    ("lt", "Less", false),
    ("le", "LessOrEqual", false),
    ("equals", "Equal", false),
    ("not_equals", "Equal", true),
];

const LOGICAL: &[(&str, &str)] = &[("logical_and", "And"), ("logical_or", "Or"), ("logical_xor", "Xor")];

pub(crate) fn translate(step: &mut Step<'_>) -> Translated {
    let inputs = step.inputs.clone();
    let inputs: Vec<&str> = inputs.iter().map(|name| &name[..]).collect();
    if let Some((_, op)) = SAME.iter().find(|(name, _)| *name == step.name) {
        return Ok(Some(vec![step.graph.node(op, &inputs, vec![])]));
    }
    if let Some((_, op, turned)) = COMPARISONS.iter().find(|(name, ..)| *name == step.name) {
        let mut condition = step.graph.node(op, &inputs, vec![]);
        if *turned {
            condition = step.graph.node("Not", &[&condition], vec![]);
        }
        return Ok(Some(vec![step.graph.as_numbers(&condition)]));
    }
    if let Some((_, op)) = LOGICAL.iter().find(|(name, _)| *name == step.name) {
        let [a, b] = [0, 1].map(|k| step.graph.as_condition(inputs[k]));
        let both = step.graph.of_two(op, &a, &b);
        return Ok(Some(vec![step.graph.as_numbers(&both)]));
    }
    let Some(&x) = inputs.first() else { return Ok(None) };
    Ok(with_attributes(step, x).or_else(|| composed(step, &inputs)).map(|name| vec![name]))
}

/// Functions with numbers of their own.
fn with_attributes(step: &mut Step<'_>, x: &str) -> Option<Name> {
    let scalar = |step: &mut Step<'_>, op: &str, s: f64| step.graph.with_number(op, x, s);
    let reversed = |step: &mut Step<'_>, op: &str, s: f64| {
        let s = step.graph.number(s);
        step.graph.of_two(op, &s, x)
    };
    let clip = |step: &mut Step<'_>, low: f64, high: f64| {
        let [low, high] = [low, high].map(|bound| step.graph.number(bound));
        step.graph.node("Clip", &[x, &low, &high], vec![])
    };
    Some(match step.name {
        "add_scalar" => scalar(step, "Add", step.op::<AddScalar>().0),
        "mul_scalar" => scalar(step, "Mul", step.op::<MulScalar>().0),
        "div_scalar" => scalar(step, "Div", step.op::<DivScalar>().0),
        "powf" => scalar(step, "Pow", step.op::<Powf>().0),
        "sub_from" => reversed(step, "Sub", step.op::<SubFrom>().0),
        "div_into" => reversed(step, "Div", step.op::<DivInto>().0),
        "clamp" => {
            let Clamp(low, high) = step.op();
            clip(step, low, high)
        }
        "hardtanh" => {
            let Hardtanh(low, high) = step.op();
            clip(step, low, high)
        }
        "elu" => step.graph.node("Elu", &[x], vec![float("alpha", step.op::<Elu>().0)]),
        "celu" => step.graph.node("Celu", &[x], vec![float("alpha", step.op::<Celu>().0)]),
        "leaky_relu" => step.graph.node("LeakyRelu", &[x], vec![float("alpha", step.op::<LeakyRelu>().0)]),
        "gelu" => step.graph.node("Gelu", &[x], vec![text("approximate", "none")]),
        "gelu_tanh" => step.graph.node("Gelu", &[x], vec![text("approximate", "tanh")]),
        "softplus_with" => {
            let SoftplusWith(beta, threshold) = step.op();
            let graph = &mut *step.graph;
            let steep = graph.with_number("Mul", x, beta);
            let soft = graph.node("Softplus", &[&steep], vec![]);
            let soft = graph.with_number("Div", &soft, beta);
            let beyond = graph.with_number("Greater", &steep, threshold);
            graph.node("Where", &[&beyond, x, &soft], vec![])
        }
        _ => return None,
    })
}

/// Functions that are a formula of ONNX's.
fn composed(step: &mut Step<'_>, inputs: &[&str]) -> Option<Name> {
    let (name, x, graph) = (step.name, inputs[0], &mut *step.graph);
    let one = |graph: &mut Graph, op: &str, x: &str| graph.node(op, &[x], vec![]);
    Some(match name {
        "square" => graph.of_two("Mul", x, x),
        "silu" => {
            let gate = one(graph, "Sigmoid", x);
            graph.of_two("Mul", x, &gate)
        }
        "tanhshrink" => {
            let squashed = one(graph, "Tanh", x);
            graph.of_two("Sub", x, &squashed)
        }
        "exp2" => {
            let scaled = graph.with_number("Mul", x, LN_2);
            one(graph, "Exp", &scaled)
        }
        "expm1" => {
            // sinh keeps the digits near 0: 2 e^(x/2) sinh(x/2).
            let half = graph.with_number("Mul", x, 0.5);
            let [exp, sinh] = ["Exp", "Sinh"].map(|op| one(graph, op, &half));
            let product = graph.of_two("Mul", &exp, &sinh);
            graph.with_number("Mul", &product, 2.0)
        }
        "log2" | "log10" => {
            let log = one(graph, "Log", x);
            graph.with_number("Div", &log, if name == "log2" { LN_2 } else { LN_10 })
        }
        "log1p" => {
            // 2 artanh(x / (2 + x)) keeps the digits near 0, and has none left far from it.
            let sum = graph.with_number("Add", x, 2.0);
            let share = graph.of_two("Div", x, &sum);
            let half = one(graph, "Atanh", &share);
            let near = graph.with_number("Mul", &half, 2.0);
            let next = graph.with_number("Add", x, 1.0);
            let far = one(graph, "Log", &next);
            let is_far = graph.with_number("Greater", x, 1.0);
            graph.node("Where", &[&is_far, &far, &near], vec![])
        }
        "rsqrt" => {
            let root = one(graph, "Sqrt", x);
            one(graph, "Reciprocal", &root)
        }
        "cbrt" => {
            let [size, sign] = ["Abs", "Sign"].map(|op| one(graph, op, x));
            let root = graph.with_number("Pow", &size, 1.0 / 3.0);
            graph.of_two("Mul", &sign, &root)
        }
        "erfc" | "normal_cdf" => {
            let is_normal = name == "normal_cdf";
            let scaled = if is_normal { graph.with_number("Mul", x, -FRAC_1_SQRT_2) } else { x.into() };
            let erf = one(graph, "Erf", &scaled);
            let one = graph.number(1.0);
            let rest = graph.of_two("Sub", &one, &erf);
            if is_normal { graph.with_number("Mul", &rest, 0.5) } else { rest }
        }
        "trunc" => {
            let [size, sign] = ["Abs", "Sign"].map(|op| one(graph, op, x));
            let whole = one(graph, "Floor", &size);
            graph.of_two("Mul", &sign, &whole)
        }
        "is_positive" => {
            let condition = graph.with_number("Greater", x, 0.0);
            graph.as_numbers(&condition)
        }
        "strong_mul" => {
            // 0 times infinity is 0.
            let product = graph.of_two("Mul", x, inputs[1]);
            let none = [0, 1].map(|k| graph.with_number("Equal", inputs[k], 0.0));
            let none = graph.of_two("Or", &none[0], &none[1]);
            let zero = graph.number(0.0);
            graph.node("Where", &[&none, &zero, &product], vec![])
        }
        "hypot" => {
            let [a, b] = [0, 1].map(|k| graph.of_two("Mul", inputs[k], inputs[k]));
            let sum = graph.of_two("Add", &a, &b);
            one(graph, "Sqrt", &sum)
        }
        "fmod" => graph.node("Mod", inputs, vec![int("fmod", 1)]),
        "remainder" => {
            let quotient = graph.of_two("Div", x, inputs[1]);
            let whole = one(graph, "Floor", &quotient);
            let product = graph.of_two("Mul", &whole, inputs[1]);
            graph.of_two("Sub", x, &product)
        }
        "logaddexp" => {
            let largest = graph.of_two("Max", x, inputs[1]);
            let difference = graph.of_two("Sub", x, inputs[1]);
            let size = one(graph, "Abs", &difference);
            let size = one(graph, "Neg", &size);
            let rest = one(graph, "Softplus", &size);
            graph.of_two("Add", &largest, &rest)
        }
        "straight_through" => one(graph, "Identity", x),
        "select_where" => {
            let condition = graph.as_condition(x);
            graph.node("Where", &[&condition, inputs[1], inputs[2]], vec![])
        }
        _ => return None,
    })
}
