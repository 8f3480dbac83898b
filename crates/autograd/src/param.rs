//! Parameters: what training changes.

use gradus_tensor::Tensor;
use std::sync::atomic::{AtomicU64, Ordering};

/// A tensor that training changes: a weight or a bias.
///
/// It has an identity of its own, by which tapes and [`Gradients`](crate::Gradients) know it. Use one parameter in
/// two places to tie weights; a clone is another parameter with the same values.
#[derive(Debug)]
pub struct Param {
    id: ParamId,
    value: Tensor,
    frozen: bool,
}

/// The identity of a [`Param`], unique in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParamId(u64);

impl Param {
    /// A parameter with this initial value.
    pub fn new(value: impl Into<Tensor>) -> Param {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Param { id: ParamId(NEXT.fetch_add(1, Ordering::Relaxed)), value: value.into(), frozen: false }
    }

    /// Its identity.
    pub fn id(&self) -> ParamId {
        self.id
    }

    /// The current value.
    pub fn value(&self) -> &Tensor {
        &self.value
    }

    /// Whether it is frozen: a constant of the tapes that use it, left alone by optimizers.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Freezes it, as the lower layers of a model that is fine-tuned are, or lets training change it again.
    pub fn set_frozen(&mut self, frozen: bool) {
        self.frozen = frozen;
    }

    /// The value for changing, in place where no tape holds it any more.
    pub fn value_mut(&mut self) -> &mut Tensor {
        &mut self.value
    }
}

impl Clone for Param {
    fn clone(&self) -> Param {
        Param { frozen: self.frozen, ..Param::new(self.value.clone()) }
    }
}
