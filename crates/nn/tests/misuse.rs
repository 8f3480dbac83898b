//! A wrong shape in a layer points to the line where the user called it, however many boxes the layer is in.

use gradus_autograd::prelude::*;
use gradus_nn::*;

use crate::{messages::Messages, panics::panic_of};

/// What the panic in `f` says, and the line of this file that it points to.
fn panic_here<R>(f: impl FnOnce() -> R) -> (String, u32) {
    let (text, file, line) = panic_of(f);
    assert!(file.ends_with("misuse.rs"), "{text}: points to {file}:{line}");
    (text, line)
}

/// What the layer says to the input, as a tensor and as a variable, each with the line that it points to, and the right one.
fn called<L: Layer>(layer: &L, x: &Tensor) -> [(String, u32, u32); 2] {
    let tape = Tape::new();
    let v = tape.var(x);
    let line = line!();
    let tensor = panic_here(|| layer.forward(x.clone()));
    let var = panic_here(|| layer.forward(v));
    [(tensor.0, tensor.1, line + 1), (var.0, var.1, line + 2)]
}

fn linear() -> Linear {
    Linear::new(4, 2, &mut Rng::seed(0))
}

#[test]
fn boxed_layers_point_to_the_users_line() {
    let boxed: Box<dyn DynLayer> = Box::new(linear());
    let twice: Box<dyn DynLayer> = Box::new(boxed);
    let x = Tensor::ones([3, 5]);
    let line = line!() + 1;
    let (text, at) = panic_here(|| twice.forward(x.clone()));
    assert!(text.starts_with("linear: x [3, 5] has 5 features, the weight [2, 4] takes 4"), "{text}");
    assert_eq!(at, line, "{text}");
    let tape = Tape::new();
    let v = tape.var(x);
    let line = line!() + 1;
    let (text, at) = panic_here(|| twice.forward(v));
    assert_eq!(at, line, "{text}");
    // The boxed form's own methods.
    let line = line!() + 1;
    let (text, at) = panic_here(|| twice.forward_var(v));
    assert_eq!(at, line, "{text}");
}

#[test]
fn lists_of_layers_point_to_the_users_line() {
    let mut rng = Rng::seed(0);
    let net = Sequential::new().push(linear()).push(Relu).push(Linear::new(3, 1, &mut rng));
    let inner = Sequential::new().push(Sequential::new().push(linear()));
    let images = Sequential::new()
        .push(Conv2d::new(1, 2, 3, &mut rng))
        .push(MaxPool2d::new(2))
        .push(Flatten)
        .push(linear());
    for (found, message) in [
        (called(&net, &Tensor::ones([3, 5])), "linear: x [3, 5] has 5 features"),
        // The second layer does not fit what the first gives.
        (called(&net, &Tensor::ones([3, 4])), "linear: x [3, 2] has 2 features"),
        (called(&inner, &Tensor::ones([3, 5])), "linear: x [3, 5] has 5 features"),
        (called(&images, &Tensor::ones([1, 3, 8, 8])), "conv2d: channels differ"),
        (called(&images, &Tensor::ones([1, 1, 3, 3])), "max_pool2d: "),
        (called(&images, &Tensor::ones([1, 1, 8, 8])), "linear: x [1, 18] has 18 features"),
    ] {
        for (text, at, line) in found {
            assert!(text.starts_with(message), "{text}");
            assert_eq!(at, line, "{text}");
        }
    }
    let line = line!() + 1;
    let (text, at) = panic_here(|| net.activations(Tensor::ones([3, 4])));
    assert_eq!(at, line, "{text}");
}

/// Within a list the message names the place, as those about shapes do.
#[test]
fn layers_name_themselves_and_their_place_in_a_list() {
    let mut said = Messages::of("nn", module_path!(), "layers_name_themselves_and_their_place_in_a_list");
    let mut rng = Rng::seed(0);
    let mut says = |layer: Sequential, x: Tensor| {
        let net = Sequential::new().push(Relu).push(layer);
        said.add(panic_here(|| net.forward(x)).0);
    };
    says(Sequential::new().push(Flatten), Tensor::scalar(1.0));
    says(Sequential::new().push(Upsample::new(2.0, Interpolation::Nearest)), Tensor::ones([2, 3]));
    says(Sequential::new().push(PositionalEncoding::new(4, 6)), Tensor::ones([1, 5, 6]));
    says(Sequential::new().push(LayerNorm::new([4])), Tensor::ones([2, 3]));
    says(Sequential::new().push(BatchNorm2d::new(4)), Tensor::ones([2, 3, 1, 1]));
    says(Sequential::new().push(GroupNorm::new(2, 4)), Tensor::ones([2, 3]));
    says(Sequential::new().push(Linear::new(4, 2, &mut rng)), Tensor::ones([3, 5]));
    says(Sequential::new().push(Conv2d::new(1, 2, 3, &mut rng)), Tensor::ones([1, 3, 8, 8]));
    let net = Sequential::new().push(BatchNorm1d::new(3));
    let tape = Tape::training(0);
    said.add(panic_here(|| net.forward(tape.constant(Tensor::ones([1, 3])))).0);
    said.check();
}

#[test]
fn layers_name_what_they_cannot_be_made_of() {
    let mut said = Messages::of("nn", module_path!(), "layers_name_what_they_cannot_be_made_of");
    let rng = &mut Rng::seed(0);
    said.add(panic_here(|| Linear::new(0, 2, rng)).0);
    said.add(panic_here(|| Conv2d::new(0, 2, 3, rng)).0);
    said.add(panic_here(|| Conv2d::new(1, 2, 0, rng)).0);
    said.add(panic_here(|| Conv2d::grouped(3, 4, 3, 2, rng)).0);
    said.add(panic_here(|| Embedding::new(0, 2, rng)).0);
    said.add(panic_here(|| Embedding::new(3, 2, rng).padding_index(3)).0);
    said.add(panic_here(|| LayerNorm::new([])).0);
    said.add(panic_here(|| LayerNorm::new([3]).eps(-1.0)).0);
    said.add(panic_here(|| GroupNorm::new(3, 4)).0);
    said.add(panic_here(|| BatchNorm1d::new(3).momentum(2.0)).0);
    said.add(panic_here(|| Dropout::new(1.5)).0);
    said.add(panic_here(|| MultiheadAttention::new(6, 4, rng)).0);
    said.add(panic_here(|| PositionalEncoding::new(0, 6)).0);
    said.add(panic_here(|| Unflatten::new(1, [])).0);
    said.check();
}
