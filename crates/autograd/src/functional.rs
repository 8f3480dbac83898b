//! Derivatives of functions: gradients, Jacobians, Hessians, and products with them.
//!
//! Each takes a function of one variable or of several (`|x| ..`, `|[x, w]| ..` or `|list: Vec<_>| ..`) and the point
//! at which to differentiate it; the derivative is recorded on the point's tape, so calls may be nested and the result
//! differentiated again. The function may use other variables of the tape; they count as constants here, and as what
//! they are to whoever differentiates the result.
//!
//! Where the function does not depend on an input the derivative is zero, and is given as such. To tell that case from
//! a derivative that happens to be zero ask [`Var::grad`], which says `None`.
//!
//! ```
//! use gradus_autograd::{functional::{grad, hessian}, prelude::*};
//!
//! let tape = Tape::new();
//! let x = tape.var([1.0, 2.0]);
//! let slope = grad(|x| (x * x * x).sum(), x);
//! assert_eq!(slope.value().to_vec(), [3.0, 12.0]);
//! let curvature = hessian(|x| (x * x * x).sum(), x);
//! assert_eq!(curvature.value(), Tensor::from([[6.0, 0.0], [0.0, 12.0]]));
//!
//! // Of several inputs; a derivative inside a function that is differentiated.
//! let [a, b] = [tape.var(2.0), tape.var(3.0)];
//! let [da, db] = grad(|[a, b]| a * a * b, [a, b]);
//! assert_eq!((da.item(), db.item()), (12.0, 4.0));
//! assert_eq!(grad(|x| x * grad(|y| x * y, x), a).item(), 4.0); // d/dx x² at 2
//! ```

use crate::{
    batched::record_batch,
    ops::{identity::Identity, reduce::Reduce, shape::Shaping},
    tape::var::Var,
    value::{Value, values::Values},
};
use gradus_tensor::{Shape, ShapeError, Tensor};
use std::panic::Location;

/// The gradient of `f` at `x`: for each input a value of its shape.
///
/// # Panics
/// When `f` gives more than one element: see [`jacobian`] and [`vjp`]. When it gives a variable of another tape.
#[track_caller]
pub fn grad<'t, X: Values<Var<'t>>>(f: impl FnOnce(X) -> Var<'t>, x: X) -> X {
    let graph = Graph::of("grad", f, &x);
    graph.check_one_element();
    graph.pullback(graph.ones())
}

/// The value of `f` at `x`, and the [gradient](grad).
///
/// # Panics
/// Like [`grad`].
#[track_caller]
pub fn value_and_grad<'t, X: Values<Var<'t>>>(f: impl FnOnce(X) -> Var<'t>, x: X) -> (Var<'t>, X) {
    let graph = Graph::of("value_and_grad", f, &x);
    graph.check_one_element();
    (graph.y, graph.pullback(graph.ones()))
}

/// The value of `f` at `x`, and the function that multiplies a cotangent by the Jacobian, `v ↦ vᵀJ`: for each input
/// a value of its shape. One sweep a cotangent; it can be called again and again.
///
/// ```
/// use gradus_autograd::{functional::vjp, prelude::*};
///
/// let tape = Tape::new();
/// let (y, pullback) = vjp(|x| x * x, tape.var([1.0, 2.0, 3.0]));
/// assert_eq!(y.value().to_vec(), [1.0, 4.0, 9.0]);
/// assert_eq!(pullback(tape.constant([1.0, 0.0, -1.0])).value().to_vec(), [2.0, 0.0, -6.0]);
/// ```
///
/// # Panics
/// When `f` gives a variable of another tape; the function, when the cotangent has another shape than the value.
#[track_caller]
pub fn vjp<'t, X: Values<Var<'t>>>(f: impl FnOnce(X) -> Var<'t>, x: X) -> (Var<'t>, impl Fn(Var<'t>) -> X) {
    let graph = Graph::of("vjp", f, &x);
    (graph.y, move |cotangent: Var<'t>| {
        if cotangent.shape() != graph.y.shape() {
            // A closure does not know its caller, so the message says which function it is.
            ShapeError::new(format!(
                "vjp: the cotangent has shape {}, the value {}; the vjp of {}",
                cotangent.shape(),
                graph.y.describe(),
                graph.line
            ))
            .fail()
        }
        graph.pullback(cotangent)
    })
}

/// The value of `f` at `x`, and the derivative along `tangent`, `J v`: a value of the shape of `f`'s.
///
/// It costs two sweeps whatever the shapes are. `u ↦ uᵀJ` is linear in `u`, and its derivative by `u` along `v` is `J v`:
/// the gradient is recorded as a function of `u`, and differentiated. So there are no forward rules that could
/// disagree with the backward ones, and every operation has it.
///
/// ```
/// use gradus_autograd::{functional::jvp, prelude::*};
///
/// let tape = Tape::new();
/// let (x, v) = (tape.var([1.0, 2.0, 3.0]), tape.constant([1.0, 0.0, -1.0]));
/// let (y, dy) = jvp(|x| x * x.sum(), x, v);
/// assert_eq!(y.value().to_vec(), [6.0, 12.0, 18.0]);
/// assert_eq!(dy.value().to_vec(), [6.0, 0.0, -6.0]);
/// ```
///
/// # Panics
/// When a tangent has another shape than its input, or `f` gives a variable of another tape.
#[track_caller]
pub fn jvp<'t, X: Values<Var<'t>>>(f: impl FnOnce(X) -> Var<'t>, x: X, tangent: X) -> (Var<'t>, Var<'t>) {
    check_tangent("jvp", &x, &tangent);
    let graph = Graph::of("jvp", f, &x);
    let tape = graph.y.tape();
    let _line = tape.at_line(graph.line);
    let u = tape.var(Tensor::ones(graph.y.shape()));
    let along = dot(&graph.gradients(u), &tangent.list());
    let derivative = along.and_then(|along| along.grad(&[u])[0]);
    (graph.y, derivative.unwrap_or_else(|| tape.constant(Tensor::zeros(graph.y.shape()))))
}

/// The Jacobian of `f` at `x`: for each input the derivatives of every element of `f` by every element of the input,
/// of `f`'s shape followed by the input's.
///
/// One sweep is recorded, as a function of the cotangent, and run for a hundred of `f`'s elements at a time. Operations that have
/// no [batched](crate::op::Op::batched) form run for each element.
///
/// # Panics
/// When `f` gives a variable of another tape.
#[track_caller]
pub fn jacobian<'t, X: Values<Var<'t>>>(f: impl FnOnce(X) -> Var<'t>, x: X) -> X {
    let graph = Graph::of("jacobian", f, &x);
    graph.jacobian_of(graph.y)
}

/// The Hessian of `f` at `x`, the Jacobian of its gradient: of the input's shape, twice. With several inputs it has one
/// block for each pair: `h[i][j]` has the derivatives of the gradient by input `i` by input `j`.
///
/// ```
/// use gradus_autograd::{functional::hessian, prelude::*};
///
/// fn rosenbrock<V: Value>([x, y]: [V; 2]) -> V {
///     (y - x.square()).square() * 100.0 + (c(1.0) - x).square()
/// }
///
/// let tape = Tape::new();
/// let h = hessian(rosenbrock, [tape.var(1.0), tape.var(1.0)]);
/// assert_eq!(h.map(|row| row.map(|entry| entry.item())), [[802.0, -400.0], [-400.0, 200.0]]);
/// ```
///
/// # Panics
/// Like [`grad`].
#[track_caller]
pub fn hessian<'t, X: Values<Var<'t>>>(f: impl FnOnce(X) -> Var<'t>, x: X) -> X::Each<X> {
    let graph = Graph::of("hessian", f, &x);
    graph.check_one_element();
    let mut gradients = graph.gradients(graph.ones()).into_iter();
    let blocks = |input: &Var<'t>| {
        let gradient = gradients.next().expect("one for each input");
        graph.jacobian_of(gradient.unwrap_or_else(|| graph.zeros(input)))
    };
    x.each(blocks)
}

/// The Hessian of `f` at `x` times `v`, `H v`, in two sweeps and without the Hessian: for each input a value of its
/// shape.
///
/// # Panics
/// Like [`grad`], and when a part of `v` has another shape than its input.
#[track_caller]
pub fn hvp<'t, X: Values<Var<'t>>>(f: impl FnOnce(X) -> Var<'t>, x: X, v: X) -> X {
    check_tangent("hvp", &x, &v);
    let graph = Graph::of("hvp", f, &x);
    graph.check_one_element();
    let _line = graph.y.tape().at_line(graph.line);
    let along = dot(&graph.gradients(graph.ones()), &v.list());
    let mut products = match along {
        Some(along) => along.grad(&graph.inputs),
        None => vec![None; graph.inputs.len()],
    }
    .into_iter();
    x.map_values(|input| products.next().flatten().unwrap_or_else(|| graph.zeros(input)))
}

/// The Laplacian `Σ_j ∂²f / ∂x_j²` of `f` at each of the points in the rows of `x` `[.., n]`, with the shape of the batch: n + 1 sweeps,
/// whatever the number of points. `f` gives a number for each point, and that from this point alone, as a network does: what
/// mixes points is added up over them.
///
/// ```
/// use gradus_autograd::{functional::laplacian, prelude::*};
///
/// let tape = Tape::new();
/// let points = tape.var([[1.0, 2.0], [3.0, 4.0]]);
/// // x³ y has the Laplacian 6 x y.
/// assert_eq!(laplacian(|p| p.select(-1, 0).powf(3.0) * p.select(-1, 1), points).value().to_vec(), [12.0, 72.0]);
/// ```
///
/// # Panics
/// When `x` has no axes, or `f` does not give as many elements as there are points.
#[track_caller]
pub fn laplacian<'t>(f: impl FnOnce(Var<'t>) -> Var<'t>, x: Var<'t>) -> Var<'t> {
    let Some((&n, points)) = x.shape()[..].split_last().map(|(n, points)| (n, Shape::new(points))) else {
        ShapeError::new(format!("laplacian: {} is no point: it has no axis of coordinates", x.describe()))
            .fail()
    };
    let graph = Graph::of("laplacian", |[x]: [Var<'t>; 1]| f(x), &[x]);
    if graph.y.shape().numel() != points.numel() {
        ShapeError::new(format!(
            "laplacian: the function must give one element for each of {} points, it gave {}",
            points.numel(),
            graph.y.describe()
        ))
        .fail()
    }
    let [slopes] = graph.pullback(graph.ones());
    let tape = x.tape();
    let _line = tape.at_line(graph.line);
    let along = |j: usize| {
        let curvatures = slopes.select(-1, j as isize).sum().grad(&graph.inputs)[0];
        curvatures.map(|curvatures| curvatures.select(-1, j as isize))
    };
    let sum = (0..n).filter_map(along).reduce(|sum, term| sum + term);
    sum.unwrap_or_else(|| tape.constant(Tensor::zeros(points)))
}

/// A function that has been evaluated at a point.
struct Graph<'t, X> {
    name: &'static str,
    /// The point as it was given.
    x: X,
    /// The variables that the function was given.
    inputs: Vec<Var<'t>>,
    y: Var<'t>,
    line: &'static Location<'static>,
}

impl<'t, X: Values<Var<'t>>> Graph<'t, X> {
    #[track_caller]
    fn of(name: &'static str, f: impl FnOnce(X) -> Var<'t>, x: &X) -> Graph<'t, X> {
        let line = Location::caller();
        let arguments = x.map_values(|x| argument(*x, line));
        let inputs = arguments.list();
        let y = f(arguments);
        if let Some(other) = inputs.iter().find(|x| !std::ptr::eq(x.tape(), y.tape())) {
            panic!(
                "{name}: the input {} and the value {} live on different tapes",
                other.describe(),
                y.describe()
            );
        }
        Graph { name, x: x.clone(), inputs, y, line }
    }

    #[track_caller]
    fn check_one_element(&self) {
        if self.y.shape().numel() != 1 {
            ShapeError::new(format!(
                "{}: the function must give one element, it gave {}; sum it, or use jacobian or vjp",
                self.name,
                self.y.describe()
            ))
            .fail()
        }
    }

    fn ones(&self) -> Var<'t> {
        let tape = self.y.tape();
        let _line = tape.at_line(self.line);
        tape.constant(Tensor::ones(self.y.shape()))
    }

    fn zeros(&self, like: &Var<'t>) -> Var<'t> {
        let tape = self.y.tape();
        let _line = tape.at_line(self.line);
        tape.constant(Tensor::zeros(like.shape()))
    }

    #[track_caller]
    fn gradients(&self, cotangent: Var<'t>) -> Vec<Option<Var<'t>>> {
        self.y.grad_from(cotangent, &self.inputs)
    }

    #[track_caller]
    fn pullback(&self, cotangent: Var<'t>) -> X {
        let mut gradients = self.gradients(cotangent).into_iter();
        self.x.map_values(|x| gradients.next().flatten().unwrap_or_else(|| self.zeros(x)))
    }

    /// The Jacobian of a value that was computed from the inputs.
    fn jacobian_of(&self, y: Var<'t>) -> X {
        let tape = y.tape();
        let _line = tape.at_line(self.line);
        // The sweep of a checkpoint drops what it has computed again, so nothing is left to run for a batch.
        let sweep = tape.segments.borrow().is_empty().then(|| {
            // What is recorded runs for any cotangent.
            let cotangent = tape.var(Tensor::ones(y.shape()));
            (cotangent, tape.len(), y.grad_from(cotangent, &self.inputs))
        });
        let together = if sweep.is_some() { TOGETHER } else { 1 };
        let part = |first: usize| {
            let units = tape.constant(units(&y.shape(), first, together));
            match &sweep {
                Some((cotangent, start, gradients)) => {
                    record_batch((*cotangent, units), first, *start, gradients)
                }
                None => {
                    let rows = y.grad_from(units.select(0, 0), &self.inputs);
                    rows.into_iter().map(|row| row.map(|row| row.unsqueeze(0))).collect()
                }
            }
        };
        let parts: Vec<Vec<Option<Var<'t>>>> = (0..y.shape().numel()).step_by(together).map(part).collect();
        let mut input = 0;
        self.x.map_values(|x| {
            let shape = [&y.shape()[..], &x.shape()[..]].concat();
            let rows: Option<Vec<&Var<'t>>> = parts.iter().map(|part| part[input].as_ref()).collect();
            input += 1;
            match rows.as_deref() {
                None | Some([]) => tape.constant(Tensor::zeros(shape)),
                Some([rows]) => rows.reshape(shape),
                Some(rows) => Var::concat(rows, 0).reshape(shape),
            }
        })
    }
}

/// What the function is given for `x`: a node of its own, so that other uses of `x` in the function are not taken for
/// uses of the argument.
fn argument<'t>(x: Var<'t>, line: &'static Location<'static>) -> Var<'t> {
    let _line = x.tape().at_line(line);
    if x.needs_gradient() { Var::apply(Identity, &[&x]) } else { x.tape().var(x.value()) }
}

#[track_caller]
fn check_tangent<'t, X: Values<Var<'t>>>(name: &str, x: &X, tangent: &X) {
    let (x, tangent) = (x.list(), tangent.list());
    assert!(x.len() == tangent.len(), "{name}: {} inputs, but {} tangents", x.len(), tangent.len());
    for (i, (x, v)) in x.iter().zip(&tangent).enumerate() {
        if x.shape() != v.shape() {
            ShapeError::new(format!(
                "{name}: the tangent of input {i} has shape {}, the input {}; they must be equal",
                v.shape(),
                x.describe()
            ))
            .fail()
        }
    }
}

/// `Σ g v` over all elements of all inputs; nothing where there is no gradient.
fn dot<'t>(gradients: &[Option<Var<'t>>], v: &[Var<'t>]) -> Option<Var<'t>> {
    let terms = gradients.iter().zip(v).filter_map(|(g, v)| Some((g.as_ref()? * v).sum()));
    terms.reduce(|sum, term| sum + term)
}

/// For how many elements a Jacobian is computed at a time: more take more memory, and are no faster.
const TOGETHER: usize = 100;

/// So many elements of a shape from one on, each as a tensor with 1 at its place and 0 elsewhere; stacked.
fn units(shape: &Shape, first: usize, together: usize) -> Tensor {
    let (of_each, count) = (shape.numel(), together.min(shape.numel() - first));
    let mut units = Tensor::zeros([&[count], &shape[..]].concat());
    units.as_mut_slice().chunks_mut(of_each).enumerate().for_each(|(i, unit)| unit[first + i] = 1.0);
    units
}
