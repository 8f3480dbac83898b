//! Operations element by element: what is left to declare of them when shapes, windows and loops are known.

use super::{
    Backward, Batch, InBatch, Op, Outputs, Precision, Shapes,
    examples::{ErrorCase, Gen, Sample},
    reference::{Array, Branches, Update},
    window::{Along, Window},
};
use crate::value::Value;
use gradus_tensor::{Shape, ShapeError, Tensor, shape::broadcast};
use std::{fmt::Debug, ops::Range};

/// An operation whose output has at each place a function of the inputs at that place, which broadcast: the short way
/// to declare an [`Op`], which every `Pointwise` is.
///
/// ```
/// use gradus_autograd::{assert_gradcheck, check::check_op, op::prelude::*, prelude::*};
///
/// #[derive(Clone, Debug)]
/// struct Cube;
///
/// impl Pointwise for Cube {
///     const NAME: &'static str = "cube";
///     const EXAMPLES: &'static [Cube] = &[Cube];
///
///     fn forward(&self, x: &[&Tensor]) -> Tensor {
///         x[0].map(|x| x * x * x)
///     }
///
///     fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
///         cx.send(|[x], _, g| [g * (x * x * 3.0)]);
///     }
///
///     fn reference(&self, x: &[f64], _: &mut Branches<'_>) -> f64 {
///         x[0].powi(3)
///     }
/// }
///
/// assert_eq!(Tensor::apply(Cube, &[&Tensor::from([2.0])]).to_vec(), [8.0]);
/// assert_gradcheck!(check_op(&Spec::of::<Cube>()));
/// ```
pub trait Pointwise: Debug + Clone + Send + 'static {
    /// The name in error messages and printed tapes; snake case, the name of the method.
    const NAME: &'static str;

    /// The formula of the forward and the backward, as of an [`Op`].
    const FORMULA: &'static str = "";

    /// How far the f32 result may be from the f64 reference.
    const PRECISION: Precision = Precision::DEFAULT;

    /// The number of inputs.
    const INPUTS: usize = 1;

    /// The operation with the attributes that samples are made with. None where [`samples`](Pointwise::samples) draws them.
    const EXAMPLES: &'static [Self] = &[];

    /// The values that the inputs of samples are drawn from: where the function is defined.
    const RANGE: Range<f32> = -2.0..2.0;

    /// Computes the output. The shapes of the inputs, which may be strided, broadcast.
    fn forward(&self, inputs: &[&Tensor]) -> Tensor;

    /// The rule of record, as of an [`Op`].
    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>);

    /// The same on plain tensors, where speed asks for it. A law holds the two equal.
    fn backward_fused(&self, cx: &mut Backward<'_, Tensor>) {
        self.backward(cx);
    }

    /// The function in f64. Every choice that a value decides goes through `branches`, the same number of them at each
    /// element.
    fn reference(&self, x: &[f64], branches: &mut Branches<'_>) -> f64;

    /// Examples for the laws.
    fn samples(g: &mut Gen) -> Vec<Sample> {
        let mut samples = Vec::new();
        for op in Self::EXAMPLES {
            samples.push(Sample::new(op.clone(), inputs(g, Self::INPUTS, Self::RANGE)));
        }
        samples
    }
}

impl<P: Pointwise> Op for P {
    const NAME: &'static str = P::NAME;
    const FORMULA: &'static str = P::FORMULA;
    const PRECISION: Precision = P::PRECISION;
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        infer(P::NAME, P::INPUTS, inputs)
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (P::forward(self, inputs).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        P::backward(self, cx);
    }

    fn backward_fused(&self, cx: &mut Backward<'_, Tensor>, _: &()) {
        P::backward_fused(self, cx);
    }

    fn batched(&self, batch: &Batch<'_>) -> Option<InBatch> {
        batch.aligned(self.clone(), 0)
    }

    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        vec![reference(P::NAME, inputs, &mut |x| P::reference(self, x, branches))]
    }

    fn reference_update(&self, update: &mut Update<'_>) -> bool {
        update.elementwise(&mut |x, branches| P::reference(self, x, branches))
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        along.same()
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        P::samples(g)
    }

    /// Of several inputs, shapes that do not broadcast.
    fn error_cases() -> Vec<ErrorCase> {
        let samples = if P::INPUTS == 1 { Vec::new() } else { P::samples(&mut Gen::new(0, 0)) };
        let Some(sample) = samples.first() else { return Vec::new() };
        refused(P::NAME, P::INPUTS, sample)
    }
}

// What follows is the same for all of them, and so is compiled once: not inlined into each.

#[inline(never)]
fn infer(name: &str, count: usize, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
    if inputs.len() != count {
        let given = inputs.len();
        return Err(ShapeError::new(format!(
            "{name}: was given {given} inputs, and const INPUTS is {count}"
        )));
    }
    match *inputs {
        [x] => Ok(Shape::new(x).into()),
        [a, b] => Ok(broadcast(name, a, b)?.into()),
        _ => {
            let (first, rest) = inputs.split_first().expect("an operation has inputs");
            let joint = rest.iter().try_fold(Shape::new(first), |a, b| broadcast(name, &a, b));
            Ok(joint?.into())
        }
    }
}

#[inline(never)]
fn reference(name: &str, inputs: &[&Array], f: &mut dyn FnMut(&[f64]) -> f64) -> Array {
    match inputs {
        [x] => x.map(|x| f(&[x])),
        [a, b] => a.zip(b, |a, b| f(&[a, b])),
        _ => {
            let shapes: Vec<&[usize]> = inputs.iter().map(|x| x.shape()).collect();
            let joint =
                infer(name, inputs.len(), &shapes).expect("the shape rule accepted these inputs before");
            Array::from_fn(&joint.0[0], |index| {
                let x: Vec<f64> = inputs.iter().map(|x| x.broadcast_at(index)).collect();
                f(&x)
            })
        }
    }
}

/// So many inputs of shapes that broadcast, their values drawn from the range.
#[inline(never)]
fn inputs(g: &mut Gen, count: usize, range: Range<f32>) -> Vec<Tensor> {
    let (a, b) = g.broadcast_pair();
    let shapes = (0..count).map(|k| if k % 2 == 0 { &a } else { &b });
    shapes.map(|shape| g.values(shape, range.start, range.end)).collect()
}

/// Shapes of so many inputs that do not broadcast, and what the operation of a sample says to them.
#[inline(never)]
fn refused(name: &str, inputs: usize, sample: &Sample) -> Vec<ErrorCase> {
    let pairs: [[&[usize]; 2]; 3] = [[&[2, 3], &[4]], [&[2, 3], &[2]], [&[0], &[2]]];
    let case = |[a, b]: [&[usize]; 2]| {
        let mut shapes = vec![a.to_vec(); inputs];
        shapes[1] = b.to_vec();
        let message = format!("{name}: shapes {a:?} and {b:?} do not broadcast");
        ErrorCase { step: sample.step.fresh(), shapes, message }
    };
    pairs.map(case).into()
}
