//! Shapes, parts of values, reductions and indices.

use crate::{
    graph::{Graph, Name, int, ints},
    translate::{Step, Translated},
};
use gradus_autograd::ops::{
    indexing::{Gather, IndexSelect},
    reduce::{
        CumProd, CumSum, LinearRecurrence, LogSumExp, Max, Min, StandardDeviation, Sum, Variance, VectorNorm,
    },
    shape::{BroadcastTo, Concat, Parts, Permute, Reshape, SliceAxis, SumTo, Unslice},
};
use gradus_tensor::{Axes, OrFail, resolve_permutation, shape::resolve_axis};

pub(crate) fn translate(step: &mut Step<'_>) -> Translated {
    let name = step.name;
    if name == "parts" {
        let Parts { axis, count } = step.op();
        let attributes = vec![int("axis", axis as i64), int("num_outputs", count as i64)];
        let x = step.input(0).to_owned();
        return Ok(Some(step.graph.several("Split", &[&x], attributes, step.outputs)));
    }
    if name == "unslice" {
        return padded(step).map(|name| Some(vec![name]));
    }
    Ok(shaped(step).or_else(|| reduced(step)).or_else(|| indexed(step)).map(|name| vec![name]))
}

/// An axis counted from the front. What was recorded has one.
fn front(axis: isize, shape: &[usize]) -> usize {
    resolve_axis("onnx", axis, shape).or_fail()
}

fn shaped(step: &mut Step<'_>) -> Option<Name> {
    let inputs = step.inputs.clone();
    let (x, of_x, shape) = (&inputs.first()?[..], step.shapes[0].clone(), step.shape.clone());
    Some(match step.name {
        "reshape" => {
            let Reshape(_) = step.op();
            step.graph.reshape(x, &shape)
        }
        "permute" => {
            let axes = resolve_permutation(&step.op::<Permute>().0, &of_x).or_fail();
            step.graph.node("Transpose", &[x], vec![ints("perm", axes)])
        }
        "broadcast_to" => {
            let BroadcastTo(_) = step.op();
            let sizes = step.graph.sizes(&shape);
            step.graph.of_two("Expand", x, &sizes)
        }
        "sum_to" => {
            let SumTo(_) = step.op();
            let more = of_x.rank() - shape.rank();
            let axes: Vec<usize> =
                (0..of_x.rank()).filter(|&i| i < more || (shape[i - more] == 1 && of_x[i] != 1)).collect();
            let sum = step.graph.reduce("ReduceSum", x, &axes, true);
            step.graph.reshape(&sum, &shape)
        }
        "slice" => {
            let SliceAxis { axis, slice } = step.op();
            let axis = front(axis, &of_x);
            let range = slice.resolve(axis, &of_x).or_fail();
            step.graph.slice(x, axis, range.first as i64, range.step as i64, range.len)
        }
        "concat" => {
            let Concat { axis } = step.op();
            let parts: Vec<&str> = inputs.iter().map(|name| &name[..]).collect();
            step.graph.node("Concat", &parts, vec![int("axis", axis as i64)])
        }
        _ => return None,
    })
}

/// A slice put back among zeros.
fn padded(step: &mut Step<'_>) -> Result<Name, &'static str> {
    let Unslice { axis, slice, size } = step.op();
    let axis = front(axis, &step.shapes[0]);
    let range = slice.resolve(axis, &step.shape).or_fail();
    if range.step != 1 {
        return Err(
            "puts zeros between elements, which ONNX's padding does not: the gradient of a slice with step 1 has a counterpart",
        );
    }
    // Before and behind, of all axes: that an input names one of them is not known to every runtime.
    let mut widths = vec![0; 2 * step.shape.rank()];
    widths[axis] = range.first;
    widths[step.shape.rank() + axis] = size - range.first - range.len;
    let (widths, none, x) = (step.graph.sizes(&widths), step.graph.number(0.0), step.input(0).to_owned());
    Ok(step.graph.node("Pad", &[&x, &widths, &none], vec![]))
}

fn reduced(step: &mut Step<'_>) -> Option<Name> {
    let (x, of_x) = (step.inputs.first()?.clone(), step.shapes[0].clone());
    let resolved = |axes: &Axes| axes.resolve("onnx", &of_x).or_fail().to_vec();
    let simple = |step: &mut Step<'_>, op: &str, axes: &Axes, keepdims: bool| {
        step.graph.reduce(op, &x, &resolved(axes), keepdims)
    };
    Some(match step.name {
        "sum" => {
            let Sum { axes, keepdims } = step.op();
            simple(step, "ReduceSum", &axes, keepdims)
        }
        "max" => {
            let Max { axes, keepdims } = step.op();
            simple(step, "ReduceMax", &axes, keepdims)
        }
        "min" => {
            let Min { axes, keepdims } = step.op();
            simple(step, "ReduceMin", &axes, keepdims)
        }
        "logsumexp" => {
            let LogSumExp { axes, keepdims } = step.op();
            simple(step, "ReduceLogSumExp", &axes, keepdims)
        }
        "var" => {
            let Variance { axes, correction, keepdims } = step.op();
            spread(step, &x, &resolved(&axes), correction, keepdims)
        }
        "std" => {
            let StandardDeviation { axes, correction, keepdims } = step.op();
            let variance = spread(step, &x, &resolved(&axes), correction, keepdims);
            step.graph.node("Sqrt", &[&variance], vec![])
        }
        "vector_norm" => {
            let VectorNorm { p, axes, keepdims } = step.op();
            let axes = resolved(&axes);
            if p == 1.0 || p == 2.0 {
                let op = if p == 1.0 { "ReduceL1" } else { "ReduceL2" };
                return Some(step.graph.reduce(op, &x, &axes, keepdims));
            }
            let size = step.graph.node("Abs", &[&x], vec![]);
            let power = step.graph.with_number("Pow", &size, p.into());
            let sum = step.graph.reduce("ReduceSum", &power, &axes, keepdims);
            step.graph.with_number("Pow", &sum, 1.0 / f64::from(p))
        }
        "cumsum" => {
            let CumSum { axis } = step.op();
            let axis = step.graph.whole([axis as i64]);
            step.graph.of_two("CumSum", &x, &axis)
        }
        "cumprod" => {
            let CumProd { axis } = step.op();
            recurrence(step.graph, &x, None, front(axis, &of_x), &of_x)
        }
        "linear_recurrence" => {
            let LinearRecurrence { axis } = step.op();
            let b = step.input(1).to_owned();
            recurrence(step.graph, &x, Some(&b), front(axis, &of_x), &of_x)
        }
        _ => return None,
    })
}

/// A linear recurrence, or without terms a cumulative product, neither of which opset 20 has. After each round a place holds
/// what the `reach` places up to it give, and the rounds double the reach.
fn recurrence(graph: &mut Graph, a: &str, b: Option<&str>, axis: usize, shape: &[usize]) -> Name {
    let (n, mut reach) = (shape[axis], 1);
    let (mut product, mut sum) = (a.to_owned(), b.map(str::to_owned));
    while reach < n {
        let part = |graph: &mut Graph, x: &str, first: usize, len| graph.slice(x, axis, first as i64, 1, len);
        let with_first = |graph: &mut Graph, x: &str, later: Name| {
            let first = part(graph, x, 0, reach);
            graph.node("Concat", &[&first, &later], vec![int("axis", axis as i64)])
        };
        let factors = part(graph, &product, reach, n - reach);
        let carried = |graph: &mut Graph, x: &str| {
            let before = part(graph, x, 0, n - reach);
            graph.of_two("Mul", &factors, &before)
        };
        if let Some(y) = sum {
            let (carried, own) = (carried(graph, &y), part(graph, &y, reach, n - reach));
            let later = graph.of_two("Add", &carried, &own);
            sum = Some(with_first(graph, &y, later));
        }
        // Of a recurrence the last round's sum is all that is wanted.
        if sum.is_none() || 2 * reach < n {
            let later = carried(graph, &product);
            product = with_first(graph, &product, later);
        }
        reach *= 2;
    }
    sum.unwrap_or(product)
}

/// The variance over axes.
fn spread(step: &mut Step<'_>, x: &str, axes: &[usize], correction: usize, keepdims: bool) -> Name {
    let count: usize = axes.iter().map(|&axis| step.shapes[0][axis]).product();
    let mean = step.graph.reduce("ReduceMean", x, axes, true);
    let deviation = step.graph.of_two("Sub", x, &mean);
    let squares = step.graph.of_two("Mul", &deviation, &deviation);
    let sum = step.graph.reduce("ReduceSum", &squares, axes, keepdims);
    step.graph.with_number("Div", &sum, count as f64 - correction as f64)
}

fn indexed(step: &mut Step<'_>) -> Option<Name> {
    let x = step.inputs.first()?.clone();
    Some(match step.name {
        "index_select" => {
            let IndexSelect { axis, indices } = step.op();
            let indices = step.indices(&indices);
            step.graph.node("Gather", &[&x, &indices], vec![int("axis", axis as i64)])
        }
        "gather" => {
            let Gather { axis, indices } = step.op();
            let indices = step.indices(&indices);
            step.graph.node("GatherElements", &[&x, &indices], vec![int("axis", axis as i64)])
        }
        _ => return None,
    })
}
