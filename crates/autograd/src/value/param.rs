//! Parameters, which training changes; and buffers, which it only carries along.

use gradus_tensor::Tensor;
use std::sync::atomic::{AtomicU64, Ordering};

/// A tensor that training changes: a weight or a bias.
///
/// It has an identity of its own, by which tapes and [`Gradients`](crate::Gradients) know it. Use one parameter in
/// two places to tie weights; a clone is another parameter with the same values.
#[doc(alias = "Parameter")]
#[derive(Debug)]
pub struct Param {
    id: ParamId,
    value: Tensor,
    role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Trained,
    Frozen,
    Buffer,
}

/// The identity of a [`Param`], unique in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParamId(u64);

/// A change of a buffer that a layer has asked for: see [`Place::update_buffer`](crate::Place::update_buffer).
#[derive(Debug, Clone)]
pub(crate) struct BufferUpdate {
    pub(crate) buffer: ParamId,
    pub(crate) keep: f32,
    pub(crate) add: Tensor,
    /// The tape and its generation.
    pub(crate) recording: (u64, u64, u32),
}

impl Param {
    /// A parameter with this initial value.
    pub fn new(value: impl Into<Tensor>) -> Param {
        Param::with_role(value.into(), Role::Trained)
    }

    /// A buffer, as PyTorch names it: a tensor that belongs to a model, is saved and loaded by name like a parameter, and
    /// is not trained, such as the running averages of batch normalisation. It is always frozen:
    /// [`set_frozen`](Param::set_frozen) leaves it so. In training a layer changes it by
    /// [`Place::update_buffer`](crate::Place::update_buffer).
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let mut mean = Param::buffer([0.0, 0.0]);
    /// mean.set_frozen(false);
    /// assert!(mean.is_buffer() && mean.is_frozen());
    /// ```
    pub fn buffer(value: impl Into<Tensor>) -> Param {
        Param::with_role(value.into(), Role::Buffer)
    }

    fn with_role(value: Tensor, role: Role) -> Param {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Param { id: ParamId(NEXT.fetch_add(1, Ordering::Relaxed)), value, role }
    }

    /// Its identity.
    pub fn id(&self) -> ParamId {
        self.id
    }

    /// The current value.
    pub fn value(&self) -> &Tensor {
        &self.value
    }

    /// Whether it is frozen: a constant of the tapes that use it, not trained by optimizers. Buffers always are.
    pub fn is_frozen(&self) -> bool {
        self.role != Role::Trained
    }

    /// Whether it is a [`buffer`](Param::buffer).
    pub fn is_buffer(&self) -> bool {
        self.role == Role::Buffer
    }

    /// Freezes it, as the lower layers of a model that is fine-tuned are, or lets training change it again. A buffer
    /// stays frozen.
    pub fn set_frozen(&mut self, frozen: bool) {
        self.role = match (self.role, frozen) {
            (Role::Buffer, _) => Role::Buffer,
            (_, true) => Role::Frozen,
            (_, false) => Role::Trained,
        };
    }

    /// The value for changing, in place where no tape holds it any more.
    pub fn value_mut(&mut self) -> &mut Tensor {
        &mut self.value
    }
}

impl Clone for Param {
    fn clone(&self) -> Param {
        Param::with_role(self.value.clone(), self.role)
    }
}
