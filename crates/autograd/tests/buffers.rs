//! Buffers: tensors that a model carries along, changed by what layers asked for in training.

use gradus_autograd::{check::GradCheck, prelude::*};

/// A counter and a running average, as batch normalisation keeps them, beside a weight.
struct Layer {
    weight: Param,
    mean: Param,
    count: Param,
}

impl Layer {
    fn new() -> Layer {
        Layer { weight: Param::new([2.0, 3.0]), mean: Param::buffer([1.0, 10.0]), count: Param::buffer(0.0) }
    }

    /// Moves the average a quarter of the way to the mean of the batch `[n, 2]`.
    fn forward<V: Value>(&self, x: &V) -> V {
        let at = x.place();
        let mean = x.mean_axes(0, false);
        at.update_buffer(&self.mean, 0.75, mean.to_tensor() * 0.25);
        at.update_buffer(&self.count, 1.0, Tensor::scalar(1.0));
        (x * at.param(&self.weight) - at.param(&self.mean)).tanh()
    }

    fn update(&mut self, gradients: &Gradients) {
        gradients.update_buffer(&mut self.mean);
        gradients.update_buffer(&mut self.count);
    }

    fn buffers(&self) -> (Vec<f32>, f32) {
        (self.mean.value().to_vec(), self.count.value().item())
    }
}

fn batch(k: f32) -> Tensor {
    Tensor::from([[k, 0.0], [k, 8.0]])
}

#[test]
fn a_buffer_is_a_constant_that_stays_frozen() {
    let mut buffer = Param::buffer([1.0]);
    for frozen in [false, true, false] {
        buffer.set_frozen(frozen);
        assert!(buffer.is_frozen() && buffer.is_buffer());
    }
    assert!(buffer.clone().is_buffer());
    let mut param = Param::new([1.0]);
    param.set_frozen(true);
    assert!(param.is_frozen() && !param.is_buffer());
    param.set_frozen(false);
    assert!(!param.is_frozen());

    let tape = Tape::new();
    let gradients = (tape.param(&buffer) * tape.param(&param)).sum().backward();
    assert!(gradients.of(&buffer).is_none() && gradients.of(&param).is_some());
    assert!(gradients.unreached(&[("buffer".into(), &buffer)]).is_empty());
}

#[test]
fn changes_wait_for_the_end_of_the_step_and_come_in_order() {
    let mut layer = Layer::new();
    let mut tape = Tape::training(0);
    let (_, gradients, ()) = tape.step(|tape| {
        let (a, b) = (tape.constant(batch(5.0)), tape.constant(batch(9.0)));
        ((layer.forward(&a) + layer.forward(&b)).sum(), ())
    });
    assert_eq!(layer.buffers(), (vec![1.0, 10.0], 0.0));
    layer.update(&gradients);
    // 1 → 2 → 3.75; 10 → 8.5 → 7.375
    assert_eq!(layer.buffers(), (vec![3.75, 7.375], 2.0));

    // The tape has forgotten them.
    let (_, gradients, ()) = tape.step(|tape| (tape.param(&layer.weight).sum(), ()));
    layer.update(&gradients);
    assert_eq!(layer.buffers(), (vec![3.75, 7.375], 2.0));
}

#[test]
fn nothing_changes_outside_training() {
    let mut layer = Layer::new();
    layer.forward(&batch(5.0));
    let tape = Tape::new();
    layer.update(&layer.forward(&tape.constant(batch(5.0))).sum().backward());
    assert_eq!(layer.buffers(), (vec![1.0, 10.0], 0.0));
}

#[test]
fn a_checkpoint_asks_for_a_change_once() {
    let run = |nested: bool| {
        let mut layer = Layer::new();
        let (loss, gradients, ()) = Tape::training(0).step(|tape| {
            let x = tape.var(batch(5.0));
            let forward = || layer.forward(&x);
            let y = match nested {
                true => tape.place().checkpoint(|| tape.place().checkpoint(forward).sin()),
                false => forward().sin(),
            };
            (y.sum(), ())
        });
        layer.update(&gradients);
        (loss, gradients[&layer.weight].clone(), layer.buffers())
    };
    assert_eq!(run(true), run(false));
    assert_eq!(run(true).2, (vec![2.0, 8.5], 1.0));
}

#[test]
fn shards_come_in_order_and_two_losses_of_one_tape_count_once() {
    let mut layer = Layer::new();
    let shard = |k: f32| {
        let (_, gradients, ()) =
            Tape::training(0).step(|tape| (layer.forward(&tape.constant(batch(k))).sum(), ()));
        gradients
    };
    let merged = shard(5.0).merge(shard(9.0)).merge(shard(-1.0));
    layer.update(&merged);
    assert_eq!(layer.buffers(), (vec![0.75 * 3.75 - 0.25, 0.75 * 7.375 + 1.0], 3.0));

    let mut layer = Layer::new();
    let tape = Tape::training(0);
    let y = layer.forward(&tape.constant(batch(5.0)));
    let merged = y.sum().backward().merge(y.square().sum().backward()).merge(y.exp().sum().backward());
    layer.update(&merged);
    assert_eq!(layer.buffers(), (vec![2.0, 8.5], 1.0));
}

#[test]
fn the_gradient_check_passes_over_buffers() {
    let layer = Layer::new();
    let params =
        [("weight".into(), &layer.weight), ("mean".into(), &layer.mean), ("count".into(), &layer.count)];
    let report = GradCheck::default()
        .params(&params, &Tape::training(0), |tape| layer.forward(&tape.constant(batch(0.1))).sum());
    assert!(report.passed(), "{report}");
    assert_eq!((report.rows.len(), &report.notes[..]), (1, &[][..]));
    assert_eq!(layer.buffers(), (vec![1.0, 10.0], 0.0));
}

#[test]
#[should_panic = "update_buffer: the buffer has shape [2], what is added [3]"]
fn shapes_must_fit() {
    eager().update_buffer(&Param::buffer([0.0, 0.0]), 1.0, Tensor::zeros([3]));
}

#[test]
#[should_panic = "update_buffer: this is a parameter"]
fn parameters_are_not_changed_so() {
    eager().update_buffer(&Param::new(0.0), 1.0, Tensor::scalar(1.0));
}
