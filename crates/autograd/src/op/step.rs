//! An operation with its type forgotten and what its forward saved: what a tape holds.

use super::{
    Backward, Batch, InBatch, Op, Outputs, Precision, Saved, Shapes, Slot,
    reference::{Array, Branches, Update},
    window::{Along, Window},
};
use crate::tape::var::Var;
use gradus_tensor::{ShapeError, Tensor};
use std::any::Any;

/// An operation whose type is forgotten, with what its forward saved: what a tape holds.
pub(crate) trait Step: Send {
    fn name(&self) -> &'static str;
    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError>;
    fn forward(&mut self, inputs: &[&Tensor]) -> Outputs;
    fn backward_tensors(&self, cx: &mut Backward<'_, Tensor>, fused: bool);
    fn backward_vars<'t>(&self, cx: &mut Backward<'_, Var<'t>>);
    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array>;
    fn reference_update(&self, update: &mut Update<'_>) -> bool;
    fn precision(&self) -> Precision;
    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64;
    fn window(&self, along: &Along<'_>) -> Option<Window>;
    /// See [`Op::batched`].
    fn batched(&self, _: &Batch<'_>) -> Option<InBatch> {
        None
    }
    /// The operation itself, for who knows its type.
    fn op(&self) -> &dyn Any;
    /// The same operation, not yet run.
    fn fresh(&self) -> Box<dyn Step>;
    /// The operation's attributes, as its `Debug` writes them.
    fn describe(&self) -> String;
    /// Drops what the forward saved: no gradient will flow through here, or the forward will run again.
    fn forget(&mut self);
    /// How much memory the saved holds.
    fn saved_bytes(&self) -> usize;
}

pub(crate) struct Recorded<O: Op> {
    op: O,
    saved: <O::Saved as Saved>::Slot,
}

impl<O: Op> Recorded<O> {
    pub(crate) fn boxed(op: O) -> Box<dyn Step> {
        Box::new(Recorded { op, saved: Default::default() })
    }

    fn saved(&self) -> &O::Saved {
        self.saved.get().expect("the forward runs before the backward")
    }
}

impl<O: Op> Step for Recorded<O> {
    fn name(&self) -> &'static str {
        O::NAME
    }

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        self.op.infer(inputs)
    }

    fn forward(&mut self, inputs: &[&Tensor]) -> Outputs {
        let (outputs, saved) = self.op.forward(inputs);
        self.saved.put(saved);
        outputs
    }

    fn backward_tensors(&self, cx: &mut Backward<'_, Tensor>, fused: bool) {
        match fused {
            true => self.op.backward_fused(cx, self.saved()),
            false => self.op.backward(cx, self.saved()),
        }
    }

    fn backward_vars<'t>(&self, cx: &mut Backward<'_, Var<'t>>) {
        self.op.backward(cx, self.saved());
    }

    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        self.op.reference(inputs, branches)
    }

    fn reference_update(&self, update: &mut Update<'_>) -> bool {
        self.op.reference_update(update)
    }

    fn precision(&self) -> Precision {
        O::PRECISION
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        self.op.flops(inputs, outputs)
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        self.op.window(along)
    }

    fn batched(&self, batch: &Batch<'_>) -> Option<InBatch> {
        self.op.batched(batch)
    }

    fn op(&self) -> &dyn Any {
        &self.op
    }

    fn fresh(&self) -> Box<dyn Step> {
        Recorded::boxed(self.op.clone())
    }

    fn describe(&self) -> String {
        format!("{:?}", self.op)
    }

    fn forget(&mut self) {
        self.saved = Default::default();
    }

    fn saved_bytes(&self) -> usize {
        self.saved.get().map_or(0, O::Saved::bytes)
    }
}
