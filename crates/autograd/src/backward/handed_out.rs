//! Gradients of parameters that a sweep hands out as soon as they are complete.

use crate::{
    inspect::refuse,
    sweep::{Rule, Watch, gradients::Gradients, sweep},
    tape::{Tape, var::Var},
    value::param::Param,
};
use gradus_tensor::Tensor;
use std::collections::HashMap;

impl Var<'_> {
    /// Like [`Var::backward_releasing`], handing out the gradients of these parameters: for work that can begin while the
    /// sweep goes on, such as sending them.
    ///
    /// `f` is called once for each, with its place in the list and its gradient, `None` where the loss does not depend on
    /// it: first for those that are not on the tape, then for each as soon as its gradient is complete. What is handed out
    /// is not in the gradients that come back.
    ///
    /// ```
    /// use gradus_autograd::prelude::*;
    ///
    /// let (w, b, unused) = (Param::new(2.0), Param::new(1.0), Param::new(0.0));
    /// let tape = Tape::new();
    /// let y = tape.param(&w) * 3.0 + tape.param(&b);
    /// let mut seen = Vec::new();
    /// let f = &mut |at, gradient: Option<Tensor>| seen.push((at, gradient.map(|g| g.item())));
    /// let gradients = y.square().backward_handing_out(&[&w, &b, &unused], f);
    /// assert_eq!(seen, [(2, None), (1, Some(14.0)), (0, Some(42.0))]);
    /// assert!(gradients.of(&w).is_none());
    /// ```
    #[doc(hidden)]
    #[track_caller]
    pub fn backward_handing_out(
        self,
        params: &[&Param],
        f: &mut dyn FnMut(usize, Option<Tensor>),
    ) -> Gradients {
        let ones = Tensor::ones(self.scalar_loss().shape());
        let tape = self.tape();
        let mut watch = (tape.anomaly_watch(), HandOut::new(tape, params, f));
        tape.inspect_from(0);
        let mut gradients = sweep(tape, self.seed(ones), Rule::Fused, true, &mut watch);
        refuse(watch.0);
        watch.1.finish(params, &mut gradients);
        gradients
    }
}

/// Takes the gradients of parameters out of a sweep.
struct HandOut<'f> {
    f: &'f mut dyn FnMut(usize, Option<Tensor>),
    /// Those that the sweep has not come to, by position on the tape, ascending, with their places in the list.
    ahead: Vec<(u32, usize)>,
    /// By place in the list.
    done: Vec<bool>,
}

impl<'f> HandOut<'f> {
    fn new(tape: &Tape, params: &[&Param], f: &'f mut dyn FnMut(usize, Option<Tensor>)) -> HandOut<'f> {
        let places: HashMap<_, _> = params.iter().enumerate().map(|(at, param)| (param.id(), at)).collect();
        let mut uses = vec![0; params.len()];
        let mut ahead = Vec::with_capacity(params.len());
        for (param, id) in tape.params() {
            if let Some(&at) = places.get(&param) {
                uses[at] += 1;
                ahead.push((id, at));
            }
        }
        // A parameter that changed while recording is on the tape more than once: its gradient is complete at the end.
        ahead.retain(|&(_, at)| uses[at] == 1);
        ahead.sort_unstable();
        let mut new = HandOut { f, ahead, done: vec![false; params.len()] };
        for at in (0..params.len()).filter(|&at| uses[at] == 0) {
            new.give(at, None);
        }
        new
    }

    fn give(&mut self, at: usize, gradient: Option<Tensor>) {
        self.done[at] = true;
        (self.f)(at, gradient);
    }

    /// Hands out what the sweep did not come to.
    fn finish(mut self, params: &[&Param], gradients: &mut Gradients) {
        for (at, param) in params.iter().enumerate() {
            if !self.done[at] {
                self.give(at, gradients.take(param));
            }
        }
    }
}

impl Watch for HandOut<'_> {
    #[track_caller]
    fn complete(&mut self, _: &Tape, id: usize, gradient: &mut Option<Tensor>) {
        // Parameters that were recorded after the loss lie above all that the sweep comes to.
        while let Some((found, at)) = self.ahead.pop_if(|(next, _)| *next as usize >= id) {
            self.give(at, gradient.take_if(|_| found as usize == id));
        }
    }
}
