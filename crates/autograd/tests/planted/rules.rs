//! The gradients by hand, of any kind of value, and what the faults make of them.

use super::{
    Row,
    functions::LABELS,
    linear::{back, moved, patches},
};
use gradus_autograd::{op::prelude::*, prelude::*};

/// The gradients by all inputs, with the fault of the row.
pub(super) fn gradients<V: Value>(row: &Row, x: &[&V], y: &V, g: &V) -> Vec<V> {
    let mut gradients = match moved(&row.function, &row.fault) {
        Some((pairs, _)) => through(&pairs, x, g),
        None => by_hand(&row.function, &row.fault, x, y, g),
    };
    gradients[row.input] = transformed(row, &gradients[row.input], g);
    gradients
}

/// The cotangent sent back through pairs.
fn through<V: Value>(pairs: &[(usize, usize)], x: &[&V], g: &V) -> Vec<V> {
    let outputs = g.shape().numel();
    let mut start = 0;
    let part = |x: &&V| {
        let n = x.shape().numel();
        let matrix = g.place().constant(back(pairs, outputs, start, n));
        start += n;
        matrix.matmul(&g.reshape([outputs, 1])).reshape(x.shape())
    };
    x.iter().map(part).collect()
}

fn by_softmax<V: Value>(p: &V, g: &V) -> V {
    p * (g - (p * g).sum_axes(-1, true))
}

/// The sum over what was broadcast, or what some make of it.
fn summed<V: Value>(each: V, axis: isize, keep: bool, fault: &str) -> V {
    match fault {
        "the sum forgotten" => {
            let first = each.select(axis, 0);
            if keep { first.unsqueeze(axis) } else { first }
        }
        "a mean for a sum" => each.mean_axes(axis, keep),
        _ => each.sum_axes(axis, keep),
    }
}

fn by_hand<V: Value>(function: &str, fault: &str, x: &[&V], y: &V, g: &V) -> Vec<V> {
    let a = x[0];
    let constant = |tensor: Tensor| a.place().constant(tensor);
    let number = |number: f32| constant(Tensor::scalar(number));
    let epsilon = || {
        number(match fault {
            "epsilon 1e-3" => 1e-3,
            "epsilon 1e-5" => 1e-5,
            _ => 0.0,
        })
    };
    match function {
        "tanh" => vec![
            g * match fault {
                "of the input" => c(1.0) - a * a,
                "not squared" => c(1.0) - y,
                _ => c(1.0) - y * y,
            },
        ],
        "sigmoid" => vec![
            g * y
                * match fault {
                    "of the input" => c(1.0) - a,
                    "not subtracted" => y.clone(),
                    _ => c(1.0) - y,
                },
        ],
        "exp" => vec![g * if fault == "of the input" { a } else { y }],
        "log" => vec![g / (a + epsilon())],
        "sqrt" => vec![g * 0.5 / (y + epsilon())],
        "clamp" => {
            let (above, below) = (a.gt(&number(0.5)), a.lt(&number(-0.5)));
            let inside = c(1.0) - &above - &below;
            vec![
                g * match fault {
                    "beyond the upper bound" => inside + above,
                    "beyond the lower bound" => inside + below,
                    "beyond both" => inside + above + below,
                    _ => inside,
                },
            ]
        }
        "relu" => {
            let on = a.gt(&number(if fault == "another knot" { 0.25 } else { 0.0 }));
            vec![g * if fault == "a leak" { &on + (c(1.0) - &on) * 1e-3 } else { on }]
        }
        "maximum" => {
            let first = a.gt(x[1]);
            let second = match fault {
                "second branch" => &first * 0.0,
                "the same for both" => first.clone(),
                _ => c(1.0) - &first,
            };
            vec![g * first, g * second]
        }
        "mul" => vec![x[1] * g, summed(a * g, 0, false, fault)],
        "div" => {
            let below = if fault == "not squared" { x[1].clone() } else { x[1] * x[1] };
            vec![g / x[1], summed(-(g * a / below), 1, true, fault)]
        }
        "sum" => {
            let each = g.broadcast_to([4, 6]);
            vec![if fault == "a mean for a sum" { each / 4.0 } else { each }]
        }
        "mean" => {
            let n = match fault {
                "a sum for a mean" => 1.0,
                "n - 1" => 5.0,
                _ => 6.0,
            };
            vec![g.unsqueeze(1).broadcast_to([4, 6]) / n]
        }
        "max" | "ties" => {
            let won = a.equals(&y.unsqueeze(1));
            let each = g.unsqueeze(1) * &won;
            vec![if fault == "all to each winner" { each } else { each / won.sum_axes(1, true) }]
        }
        "variance" => {
            let centred = if fault == "not centred" { a.clone() } else { a - a.mean_axes(1, true) };
            let n = match fault {
                "n - 1" => 5.0,
                "factor 2" => 12.0,
                _ => 6.0,
            };
            vec![g.unsqueeze(1) * 2.0 * centred / n]
        }
        "logsumexp" => {
            let p = a.softmax(-1);
            vec![g.unsqueeze(1) * if fault == "squared" { p.square() } else { p }]
        }
        "normalize" => {
            let norm = a.square().sum_axes(1, true).sqrt();
            let inner = (g * y).sum_axes(1, true);
            let inner = match fault {
                "the norm a constant" => inner * 0.0,
                "a mean for a sum" => inner / 6.0,
                _ => inner,
            };
            vec![(g - y * inner) / norm]
        }
        "matmul" => {
            let first = if fault == "not transposed" { g.matmul(x[1]) } else { g.matmul(&x[1].t()) };
            let second = if fault == "second not transposed" { a.matmul(g) } else { a.t().matmul(g) };
            vec![first, second]
        }
        "conv1d" => convolution(fault, x, g),
        "softmax" => vec![match fault {
            "the sum left out" => y * g,
            "diagonal" => g * y * (c(1.0) - y),
            _ => by_softmax(y, g),
        }],
        "layer_norm" => {
            let centred = a - a.mean_axes(1, true);
            let scale = (centred.square().mean_axes(1, true) + super::functions::EPS as f32).rsqrt();
            let z = &centred * &scale;
            let s = g * x[1];
            let (mean, variance) = (s.mean_axes(1, true), &z * (&s * &z).mean_axes(1, true));
            let by_x = match fault {
                "the mean a constant" => s - variance,
                "the variance a constant" => s - mean,
                _ => s - mean - variance,
            };
            vec![by_x * scale, (g * z).sum_axes(0, false), summed(g.clone(), 0, false, fault)]
        }
        "cross_entropy" => {
            let hot = |at: &[usize]| (LABELS[at[0]] == at[1] && fault != "no labels") as u8 as f32;
            let off = a.softmax(-1) - constant(Tensor::from_fn([5, 4], hot));
            vec![g * if fault == "a sum for a mean" { off } else { off / 5.0 }]
        }
        "attention" => {
            let later = Tensor::from_fn([4, 4], |at| if at[1] > at[0] { -1e9 } else { 0.0 });
            let scale = number(3.0).sqrt();
            let free = a.matmul(&x[1].t()) / &scale;
            let p = (&free + constant(later)).softmax(-1);
            let by_p = g.matmul(&x[2].t());
            let s = match fault {
                "the scale forgotten" => by_softmax(&p, &by_p),
                "the mask forgotten" => by_softmax(&free.softmax(-1), &by_p) / scale,
                _ => by_softmax(&p, &by_p) / scale,
            };
            let turned = |x: &V, fault_here: &str| if fault == fault_here { x.clone() } else { x.t() };
            vec![
                s.matmul(x[1]),
                turned(&s, "keys not transposed").matmul(a),
                turned(&p, "values not transposed").matmul(g),
            ]
        }
        "scan" => {
            let (mut back, mut first, mut second) = (g.select(0, 4), Vec::new(), Vec::new());
            for t in (0..5).rev() {
                if t < 4 {
                    let here = g.select(0, t);
                    back = if fault == "one step alone" { here } else { here + a.select(0, t + 1) * back };
                }
                let before = match (fault, t) {
                    ("the state after", _) => y.select(0, t),
                    (_, 0) => y.select(0, 0) * 0.0,
                    _ => y.select(0, t - 1),
                };
                first.push(&back * before);
                second.push(back.clone());
            }
            vec![stacked(first), stacked(second)]
        }
        "rnn" => recurrence(fault, x, y, g),
        _ => panic!("no function {function}"),
    }
}

/// What was made from the last step to the first.
fn stacked<V: Value>(mut steps: Vec<V>) -> V {
    steps.reverse();
    V::stack(&steps.iter().collect::<Vec<_>>(), 0)
}

fn convolution<V: Value>(fault: &str, x: &[&V], g: &V) -> Vec<V> {
    let constant = |tensor: Tensor| g.place().constant(tensor);
    let pairs = patches();
    let into = constant(back(&pairs, 144, 0, 48).t());
    let mut rows = into.matmul(&x[0].reshape([48, 1])).reshape([16, 9]);
    if fault == "border of the kernel" {
        let kept = Tensor::from_fn([16, 1], |at| !at[0].is_multiple_of(8) as u8 as f32);
        rows = rows * constant(kept);
    }
    let by_row = g.permute([0, 2, 1]).reshape([16, 4]);
    let kernel = if fault == "flipped" { x[1].flip(-1) } else { x[1].clone() };
    let is_sent = |(target, _): &(usize, usize)| fault != "border" || target / 9 % 8 != 7;
    let sent: Vec<(usize, usize)> = pairs.into_iter().filter(is_sent).collect();
    let send = constant(back(&sent, 144, 0, 48));
    vec![
        send.matmul(&by_row.matmul(&kernel.reshape([4, 9])).reshape([144, 1])).reshape([2, 3, 8]),
        by_row.t().matmul(&rows).reshape([4, 3, 3]),
        summed(by_row, 0, false, fault),
    ]
}

fn recurrence<V: Value>(fault: &str, x: &[&V], y: &V, g: &V) -> Vec<V> {
    let [inputs, w, u, b] = x.try_into().expect("four inputs");
    let zero = y.select(0, 0) * 0.0;
    let state = |t: isize| if t < 0 { zero.clone() } else { y.select(0, t) };
    let (mut by_x, mut by_w, mut by_u, mut by_b) = (Vec::new(), w * 0.0, u * 0.0, b * 0.0);
    let mut back = zero.clone();
    for t in (0..4).rev() {
        let s = (g.select(0, t) + back) * (c(1.0) - state(t).square());
        by_x.push(s.matmul(&w.t()));
        if !(fault == "the first step left out" && t == 0) {
            by_w = by_w + inputs.select(0, t).t().matmul(&s);
        }
        by_u = by_u + state(if fault == "the state after" { t } else { t - 1 }).t().matmul(&s);
        if !(fault == "the last step alone" && t < 3) {
            by_b = by_b + s.sum_axes(0, false);
        }
        back = if fault == "not transposed" { s.matmul(u) } else { s.matmul(&u.t()) };
        if fault == "cut after two steps" && t == 2 {
            back = back * 0.0;
        }
    }
    vec![stacked(by_x), by_w, by_u, by_b]
}

/// What a fault of any function makes of a gradient.
fn transformed<V: Value>(row: &Row, gradient: &V, g: &V) -> V {
    let (shape, numbers) = (gradient.shape(), &row.numbers);
    let n = shape.numel();
    let times = |factors: Tensor| gradient * gradient.place().constant(factors);
    match &row.fault[..] {
        "factor" => gradient * numbers[0],
        // One element, times this.
        "element" => {
            let mut factors = vec![1.0; n];
            factors[numbers[0] as usize % n] = numbers[1];
            times(Tensor::new(factors, &shape))
        }
        "exchanged" => {
            let mut order: Vec<i32> = (0..n as i32).collect();
            order.swap(numbers[0] as usize % n, numbers[1] as usize % n);
            gradient.reshape([n]).index_select(0, &Indices::from(order)).reshape(&shape)
        }
        // The last place of an axis, times this.
        "axis" => {
            let axis = numbers[0] as usize;
            let last = |at: &[usize]| if at[axis] + 1 == shape[axis] { numbers[1] } else { 1.0 };
            times(Tensor::from_fn(&shape, last))
        }
        "shifted" => gradient.reshape([n]).roll(-1, 0).reshape(&shape),
        "transposed" => gradient.t().reshape(&shape),
        // The same to all, of the whole cotangent.
        "term" => gradient + g.sum() * numbers[0],
        _ => gradient.clone(),
    }
}
