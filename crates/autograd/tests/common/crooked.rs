//! Operations with rules of their own.

use gradus_autograd::{
    Op,
    op::examples::{Gen, Sample},
    op::reference::{Array, Branches},
    op::{Backward, Outputs, Shapes},
    prelude::*,
};
use gradus_tensor::{Shape, ShapeError};

/// `y = x²`, with a rule that is off by `factor`, in all elements or in one of them.
#[derive(Clone, Debug)]
pub struct Crooked {
    pub factor: f32,
    /// The element, by its row-major position.
    pub only: Option<usize>,
    /// Whether only the fused rule is off, the one that training uses.
    pub fused: bool,
}

impl Crooked {
    fn wrong(&self, x: &Tensor) -> Tensor {
        let mut factors = Tensor::full(x.shape(), if self.only.is_none() { self.factor } else { 1.0 });
        if let Some(i) = self.only {
            factors.as_mut_slice()[i] = self.factor;
        }
        factors
    }
}

impl Op for Crooked {
    const NAME: &'static str = "crooked";
    const FORMULA: &'static str = "y = x²";
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        Ok(Shape::new(inputs[0]).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].square().into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let right = g * (x * 2.0);
        let factors = x.place().constant(self.wrong(&x.to_tensor()));
        cx.add(0, || if self.fused { right } else { right * factors });
    }

    fn backward_fused(&self, cx: &mut Backward<'_, Tensor>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        cx.add(0, || g * (x * 2.0) * self.wrong(x));
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        vec![inputs[0].map(|x| x * x)]
    }

    fn samples(_: &mut Gen) -> Vec<Sample> {
        vec![]
    }
}

/// `y = max(x, 0)`, whose rule gives the middle of its two sides at 0, where the reference is flat.
#[derive(Clone, Debug)]
pub struct Ramp;

impl Op for Ramp {
    const NAME: &'static str = "ramp";
    const FORMULA: &'static str = "y = max(x, 0)";
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        Ok(Shape::new(inputs[0]).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        (inputs[0].relu().into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let ([x], g) = (cx.inputs(), cx.cotangent());
        let slope = x.to_tensor().map(|x| if x == 0.0 { 0.5 } else { (x > 0.0) as u8 as f32 });
        cx.add(0, || g * x.place().constant(slope));
    }

    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        vec![inputs[0].map(|x| if branches.test(x > 0.0) { x } else { 0.0 })]
    }

    fn samples(_: &mut Gen) -> Vec<Sample> {
        vec![]
    }
}
