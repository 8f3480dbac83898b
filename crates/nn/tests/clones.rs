//! Copies of layers, boxes of every kind, and where in a model an error arose.

use gradus_autograd::prelude::*;
use gradus_nn::{
    BatchNorm1d, DynLayer, Layer, Linear, Module, Relu, Residual, Sequential, module,
    optim::{Adam, Optimizer},
};

use crate::panics::panic_of;

fn net(rng: &mut Rng) -> Sequential {
    let inner = Sequential::new().push(Linear::new(8, 8, rng)).push(Relu);
    Sequential::new()
        .push(Linear::new(4, 8, rng))
        .push(BatchNorm1d::new(8))
        .push(Residual::new(inner))
        .push(Linear::new(8, 2, rng))
}

fn values(model: &dyn Module) -> Vec<(String, Vec<f32>)> {
    model.params().into_iter().map(|(name, param)| (name, param.value().to_vec())).collect()
}

fn train(model: &mut Sequential, adam: &mut Adam, x: &Tensor) {
    let (_, gradients, ()) =
        Tape::training(0).step(|tape| (model.forward(tape.constant(x)).square().mean(), ()));
    adam.step(model, &gradients);
}

#[test]
fn a_copy_is_trained_by_itself() {
    let mut rng = Rng::seed(1);
    let (mut first, x) = (net(&mut rng), Tensor::randn([16, 4], &mut rng));
    let mut copy = first.clone();
    let (names, kept) = (values(&first), values(&copy));
    assert_eq!(names, kept);
    for ((_, a), (_, b)) in first.params().iter().zip(&copy.params()) {
        assert_ne!(a.id(), b.id());
    }
    // The gradients of one are not those of the other.
    let tape = Tape::new();
    let gradients = first.forward(tape.constant(&x)).square().mean().backward();
    assert!(gradients.of(first.params()[0].1).is_some());
    assert!(copy.params().iter().all(|(_, param)| gradients.of(param).is_none()));
    // Training one leaves the other, which then goes the same way with an optimizer of its own.
    let mut adam = Adam::new(0.1);
    for _ in 0..3 {
        train(&mut first, &mut adam, &x);
    }
    assert_eq!(values(&copy), kept);
    assert_ne!(values(&first), kept);
    let mut fresh = Adam::new(0.1);
    for _ in 0..3 {
        train(&mut copy, &mut fresh, &x);
    }
    assert_eq!(values(&copy), values(&first));
}

#[test]
fn boxes_of_every_kind_are_layers() {
    fn answers<L: Layer + Clone>(layer: &L) -> (Vec<f32>, &'static str) {
        (layer.clone().forward(Tensor::from([[-1.0, 2.0]])).to_vec(), layer.kind())
    }
    let expected = (vec![0.0, 2.0], "Relu");
    let plain: Box<dyn DynLayer> = Box::new(Relu);
    let send: Box<dyn DynLayer + Send> = Box::new(Relu);
    let both: Box<dyn DynLayer + Send + Sync> = Box::new(Relu);
    assert_eq!(answers(&plain), expected);
    assert_eq!(answers(&send), expected);
    assert_eq!(answers(&both), expected);
    assert_eq!(answers(&Box::new(Relu)), expected);
    let list = Sequential::new().push(plain).push(both);
    assert_eq!(std::thread::spawn(move || answers(&list).0).join().unwrap(), expected.0);
}

/// What it says to an input of this shape, on tensors and on variables, at the line of the call.
fn refused(net: &Sequential, shape: [usize; 2]) -> String {
    let x = Tensor::ones(shape);
    let tape = Tape::new();
    let v = tape.var(&x);
    let line = line!();
    let on_tensor = panic_of(|| net.forward(x));
    let on_var = panic_of(|| net.forward(v));
    assert!(on_tensor.1.ends_with("clones.rs"), "{}", on_tensor.1);
    assert_eq!((on_tensor.2, on_var.2), (line + 1, line + 2));
    assert_eq!(on_tensor.0, on_var.0);
    on_tensor.0
}

#[test]
fn an_error_names_the_layer() {
    let mut rng = Rng::seed(0);
    let net = net(&mut rng);
    let text = refused(&net, [3, 5]);
    assert_eq!(text, "linear: x [3, 5] has 5 features, the weight [8, 4] takes 4; in layer 0, Linear");
    let wrong =
        Sequential::new().push(Relu).push(Residual::new(Sequential::new().push(Relu).push(net.clone())));
    let text = refused(&wrong, [3, 5]);
    assert!(text.ends_with("; in layer 1.block.1.0, Linear"), "{text}");
    let boxed: Box<dyn DynLayer> = Box::new(Linear::new(3, 4, &mut rng));
    let text = refused(&Sequential::new().push(boxed), [3, 5]);
    assert!(text.ends_with("; in layer 0, Linear"), "{text}");
    // It is over when the model is: the next error outside names no layer.
    let (text, ..) = panic_of(|| Tensor::ones([2]) + Tensor::ones([3]));
    assert!(text.ends_with("(axis -1: 2 and 3)"), "{text}");
    let (text, ..) = panic_of(|| net.activations(Tensor::ones([3, 5])));
    assert!(text.ends_with("; in layer 0, Linear"), "{text}");
}

/// A layer of the user's, with a type parameter; and a tuple struct.
#[derive(Clone)]
struct Twice<L>(L, &'static str);
module!(Twice<L>(0; 1));

impl<L: Layer> Layer for Twice<L> {
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        self.0.forward(self.0.forward(x))
    }
}

struct Mixed<A, B: Layer, const N: usize> {
    first: A,
    rest: [B; N],
    last: B,
}
module!(Mixed<A, B: Layer, const N: usize> { first, last; rest });

#[test]
fn modules_with_type_parameters_and_tuple_structs() {
    let mut rng = Rng::seed(0);
    let net = Sequential::new().push(Twice(Linear::new(4, 4, &mut rng), "twice"));
    assert_eq!(values(&net)[1].0, "0.0.bias");
    assert!(refused(&net, [1, 5]).ends_with("; in layer 0, Twice"));
    assert_eq!(Twice(Relu, "twice").1, "twice");
    let mixed = Mixed { first: Param::new(1.0), rest: [Relu, Relu], last: Relu };
    assert_eq!((values(&mixed), mixed.rest.len()), (vec![("first".into(), vec![1.0])], 2));
}
