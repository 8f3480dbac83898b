//! Choosing between values by a mask.

use crate::op::prelude::*;
use gradus_tensor::shape::broadcast;

/// Choosing between values by a mask: 0 is false, every other number true. The comparisons of
/// [`Steps`](crate::ops::elementwise::Comparison) give masks of 0 and 1.
pub trait Selection: Value {
    /// With this value as mask: `a` where it is not 0, `b` where it is. The three broadcast.
    ///
    /// `y = mask ? a : b; da = mask ? g : 0; db = mask ? 0 : g`
    ///
    /// What stands in the branch that is not taken never matters, be it NaN, and its gradient there is exactly 0;
    /// no gradient flows to the mask.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let tape = Tape::new();
    /// let x = tape.var([4.0, 0.0, -1.0]);
    /// let y = x.is_positive().select_where(&x.sqrt(), &tape.constant(0.0));
    /// assert_eq!(y.value().to_vec(), [2.0, 0.0, 0.0]);
    /// assert_eq!(y.sum().backward()[x].to_vec(), [0.25, 0.0, 0.0]);
    /// ```
    #[doc(alias = "where")]
    #[track_caller]
    fn select_where(&self, a: &Self, b: &Self) -> Self {
        Self::apply(SelectWhere, &[self, a, b])
    }

    /// `value` where the mask is not 0, this value elsewhere.
    ///
    /// `y = mask ? value : x; dx = mask ? 0 : g`
    ///
    /// # Panics
    /// When the mask does not broadcast to this shape.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    /// let mask = Tensor::from([0.0, 1.0]);
    /// let scores = Tensor::from([1.0, 2.0]).masked_fill(&mask, f32::NEG_INFINITY);
    /// assert_eq!(scores.to_vec(), [1.0, f32::NEG_INFINITY]);
    /// ```
    #[track_caller]
    fn masked_fill(&self, mask: &Self, value: f32) -> Self {
        let (shape, mask_shape) = (self.shape(), mask.shape());
        if broadcast("masked_fill", &shape, &mask_shape).or_fail() != shape {
            ShapeError::new(format!(
                "masked_fill: a mask of shape {mask_shape} does not broadcast to {shape}"
            ))
            .fail()
        }
        mask.select_where(&self.place().constant(value), self)
    }
}

impl<V: Value> Selection for V {}

/// `a` where the mask, the first input, is not 0, and `b` where it is.
#[derive(Clone, Copy, Debug)]
pub struct SelectWhere;

impl Op for SelectWhere {
    const NAME: &'static str = "select_where";
    const FORMULA: &'static str = "y = mask ? a : b; dmask = 0; da = mask ? g : 0; db = mask ? 0 : g";
    const PRECISION: Precision = Precision::Ulps(0.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [mask, a, b] = arity::<Self, _>(inputs);
        Ok(broadcast(Self::NAME, mask, &broadcast(Self::NAME, a, b)?)?.into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (Tensor::select_where(inputs[0], inputs[1], inputs[2]).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([mask, ..], g) = (cx.inputs::<3>(), cx.cotangent());
        let zero = g.place().constant(0.0);
        cx.add(1, || mask.select_where(&g, &zero));
        cx.add(2, || mask.select_where(&zero, &g));
    }

    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        let [mask, a, b] = [inputs[0], inputs[1], inputs[2]];
        let shape = mask.zip(&a.zip(b, |_, _| 0.0), |_, _| 0.0);
        vec![Array::from_fn(shape.shape(), |index| {
            let chosen = if branches.test(mask.broadcast_at(index) != 0.0) { a } else { b };
            chosen.broadcast_at(index)
        })]
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        along.same()
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (a, b) = g.broadcast_pair();
        let mask = if g.between(0, 1) == 0 { &a } else { &b };
        let mask = g.normal(mask).map(|x| if x > 0.0 { 1.0 } else { 0.0 });
        vec![Sample::new(SelectWhere, [mask, g.normal(a), g.normal(b)])]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let message = "select_where: shapes [2] and [3] do not broadcast";
        vec![
            ErrorCase::new(SelectWhere, &[&[2], &[3], &[3]], message),
            ErrorCase::new(SelectWhere, &[&[1], &[2], &[3]], message),
        ]
    }
}
