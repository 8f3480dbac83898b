//! What a backward rule sees, and where its results go.

use crate::value::Value;

/// What a backward rule works with: inputs, outputs and cotangents, and where its results go.
#[derive(Debug)]
pub struct Backward<'a, V> {
    pub(crate) inputs: &'a [&'a V],
    pub(crate) outputs: &'a [&'a V],
    pub(crate) cotangents: &'a mut [Option<V>],
    pub(crate) needs: &'a [bool],
    pub(crate) results: &'a mut [Option<V>],
    pub(crate) checked: bool,
}

impl<'a, V: Value> Backward<'a, V> {
    /// The inputs, for an operation that always has `N`.
    #[track_caller]
    pub fn inputs<const N: usize>(&self) -> [&'a V; N] {
        self.inputs.try_into().expect("the number of inputs that the operation takes")
    }

    /// The inputs, for an operation of any number.
    pub fn input_list(&self) -> &'a [&'a V] {
        self.inputs
    }

    /// The first output.
    pub fn output(&self) -> &'a V {
        self.outputs[0]
    }

    /// All outputs.
    pub fn outputs(&self) -> &'a [&'a V] {
        self.outputs
    }

    /// The cotangent of the only output: the gradient of the loss by it. It can be taken once.
    #[track_caller]
    pub fn cotangent(&mut self) -> V {
        self.cotangents[0].take().expect("the cotangent of an only output is there, once")
    }

    /// The cotangent of one of several outputs; `None` when the loss does not depend on it.
    pub fn cotangent_of(&mut self, output: usize) -> Option<V> {
        self.cotangents[output].take()
    }

    /// The whole rule of an operation of `N` inputs and one output: from inputs, output and cotangent to the gradients of all
    /// inputs. They are computed whether anybody wants them or not, which [`add`](Backward::add) does not.
    #[track_caller]
    pub fn send<const N: usize>(&mut self, rule: impl FnOnce([&'a V; N], &'a V, V) -> [V; N]) {
        let gradients = rule(self.inputs(), self.output(), self.cotangent());
        gradients.into_iter().enumerate().for_each(|(input, gradient)| self.add(input, || gradient));
    }

    /// Whether a gradient check asks. Checks can judge only what is linear in the cotangent, as all derivatives are; a rule
    /// that is deliberately not, such as a bound, gives them what it declares as its
    /// [`surrogate`](super::reference::Branches::surrogate).
    pub fn is_checked(&self) -> bool {
        self.checked
    }

    /// Whether anybody wants the gradient of this input.
    pub fn needs(&self, input: usize) -> bool {
        self.needs[input]
    }

    /// Adds to the gradient of an input. `gradient` runs only if somebody wants it; its shape may be larger than
    /// the input's by broadcasting, the engine sums it.
    pub fn add(&mut self, input: usize, gradient: impl FnOnce() -> V) {
        if self.needs[input] {
            let gradient = gradient();
            self.put(input, gradient);
        }
    }

    fn put(&mut self, input: usize, gradient: V) {
        let slot = &mut self.results[input];
        *slot = Some(match slot.take() {
            None => gradient,
            Some(sum) => sum + gradient,
        });
    }
}
