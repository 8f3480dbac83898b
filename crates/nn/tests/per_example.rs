//! Gradients of each example, of layers: those of a loop over the examples.

use gradus_autograd::prelude::*;
use gradus_nn::*;

/// Holds the gradients of all examples, of Σ y², to those of each alone.
#[track_caller]
fn hold(layer: impl Layer, shape: &[usize]) {
    let x = Tensor::randn(shape, &mut Rng::seed(3));
    let losses = |layer: &dyn Fn(Var<'_>) -> Gradients, x: &Tensor| layer(Tape::evaluating().constant(x));
    let each = losses(&|x| loss(&layer, x).per_example_gradients(&[x]), &x);
    for i in 0..x.size(0) {
        let one = losses(&|x| loss(&layer, x).sum().backward(), &x.slice(0, i..i + 1));
        for (name, param) in layer.params().into_iter().filter(|(_, param)| !param.is_buffer()) {
            let (found, right) = (each[param].select(0, i as isize), &one[param]);
            let (off, largest) = ((&found - right).abs().max().item(), right.abs().max().item());
            assert!(off <= 1e-5 * largest, "{} {name}, example {i}: off by {off} of {largest}", layer.kind());
        }
    }
}

fn loss<'t>(layer: &impl Layer, x: Var<'t>) -> Var<'t> {
    let y = layer.forward(x);
    let n = y.shape()[0];
    let rest = y.numel() / n;
    y.square().reshape([n, rest]).sum_axes(1, false)
}

#[test]
fn of_layers() {
    let rng = &mut Rng::seed(1);
    hold(Linear::new(5, 3, rng), &[4, 5]);
    hold(Linear::new(5, 3, rng), &[4, 2, 5]);
    hold(Conv1d::new(2, 3, 3, rng), &[3, 2, 8]);
    hold(Conv2d::new(2, 3, 3, rng).padding(1), &[3, 2, 6, 6]);
    hold(Conv2d::new(16, 16, 3, rng).padding(1), &[2, 16, 8, 8]);
    hold(LayerNorm::new([5]), &[3, 4, 5]);
    hold(RmsNorm::new([5]), &[3, 4, 5]);
    hold(GroupNorm::new(2, 4), &[3, 4, 5, 5]);
    hold(BatchNorm2d::new(4), &[3, 4, 5, 5]);
    hold(Residual::new(Linear::new(5, 5, rng)), &[4, 5]);
    let encoder = TransformerEncoderLayer::new(8, 2, 16, TransformerOptions::default(), rng);
    hold(encoder, &[3, 5, 8]);
}

#[test]
#[should_panic = "per_example_gradients: batch_norm at "]
fn batch_normalisation_in_training_is_refused() {
    let tape = Tape::training(0);
    let x = tape.constant(Tensor::randn([4, 3], &mut Rng::seed(2)));
    loss(&BatchNorm1d::new(3), x).per_example_gradients(&[x]);
}
