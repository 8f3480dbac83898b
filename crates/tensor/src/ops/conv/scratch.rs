//! Memory for what convolutions keep in between.

use crate::{limit, memory::buffer::Buffer};

/// Memory for one task, from the pool; its values are unspecified.
pub(super) struct Scratch(Buffer);

impl Scratch {
    pub(super) fn new(len: usize) -> Scratch {
        match Buffer::new(len) {
            Some(buffer) => Scratch(buffer),
            None => limit::refusal("conv2d", &[len].into(), len).fail(),
        }
    }

    pub(super) fn get(&mut self) -> &mut [f32] {
        self.0.get_mut().expect("a new buffer has one owner")
    }
}
