//! Whole models on real signatures: an embedding, a recurrent cell and a tied head; boxed layers; a norm; pooling. Their
//! gradients are checked, and so are second derivatives.

use gradus_autograd::{check::gradcheck, eager, prelude::*};
use gradus_nn::{
    Adam, Conv2d, Flatten, Init, Layer, Linear, MaxPool2d, Optimizer, Relu, Sequential, Tanh,
    gradcheck_model, module,
};

/// A language model: embedding, LSTM, and a head that uses the embedding's weight again.
struct TiedLstm {
    embedding: Param,
    input: Linear,
    hidden: Linear,
    size: usize,
}
module!(TiedLstm { embedding, input, hidden; size });

impl TiedLstm {
    fn new(words: usize, size: usize, rng: &mut Rng) -> TiedLstm {
        TiedLstm {
            embedding: Param::new(Init::Normal(0.5).weight([words, size], rng)),
            input: Linear::new(size, 4 * size, rng),
            hidden: Linear::new(size, 4 * size, rng).without_bias(),
            size,
        }
    }

    /// The loss of predicting each next word. There is no input value: the place says where to compute.
    fn loss<V: Value>(&self, at: Place<V>, text: &[i32]) -> V {
        let n = self.size;
        let embedding = at.param(&self.embedding);
        let (mut h, mut c) = (at.constant(Tensor::zeros([1, n])), at.constant(Tensor::zeros([1, n])));
        let mut loss = at.constant(0.0);
        for pair in text.windows(2) {
            let x = embedding.embedding(&Indices::from([pair[0]]));
            let gates = self.input.forward(x) + self.hidden.forward(h.clone());
            let gate = |k: usize| gates.slice(1, k * n..(k + 1) * n);
            c = gate(1).sigmoid() * c + gate(0).sigmoid() * gate(2).tanh();
            h = gate(3).sigmoid() * c.tanh();
            loss = loss + h.matmul(&embedding.t()).cross_entropy(&Indices::from([pair[1]]));
        }
        loss / (text.len() - 1) as f32
    }
}

#[test]
fn a_tied_recurrent_model_trains_and_its_gradients_are_right() {
    let mut model = TiedLstm::new(7, 5, &mut Rng::seed(4));
    let text = [0, 1, 2, 3, 4, 1, 5, 6, 0, 1];
    let report = gradcheck_model(&model, |tape| model.loss(tape.place(), &text));
    assert!(report.passed(), "{report}");
    // The tied weight has one gradient, from both of its uses.
    assert_eq!(report.rows.iter().filter(|row| row.name == "embedding").count(), 1);

    let before = model.loss(eager(), &text).item();
    let (mut adam, mut tape) = (Adam::new(0.05), Tape::new());
    for _ in 0..60 {
        let (_, gradients, ()) = tape.step(|tape| (model.loss(tape.place(), &text), ()));
        adam.step(&mut model, &gradients);
    }
    let after = model.loss(eager(), &text).item();
    assert!(after < 0.5 * before, "{before} became {after}");
}

#[test]
fn boxed_layers_are_checked_like_others() {
    let mut rng = Rng::seed(5);
    let net = Sequential::new()
        .push(Conv2d::new(2, 3, 3, &mut rng).padding(1))
        .push(Relu)
        .push(MaxPool2d::new(2))
        .push(Flatten)
        .push(Linear::new(3 * 3 * 2, 4, &mut rng))
        .push(Tanh);
    let x = Tensor::randn([2, 2, 6, 5], &mut rng);
    let report = gradcheck_model(&net, |tape| net.forward(tape.constant(&x)).square().mean());
    assert!(report.passed(), "{report}");
    let names: Vec<&str> = report.rows.iter().map(|row| &row.name[..]).collect();
    assert_eq!(names, ["0.weight", "0.bias", "4.weight", "4.bias"]);
}

struct TwoLayers {
    hidden: Linear,
    output: Linear,
}
module!(TwoLayers { hidden, output });

#[test]
fn the_books_two_layer_net_is_checked_with_several_activations() {
    let mut rng = Rng::seed(6);
    let net = TwoLayers { hidden: Linear::new(6, 8, &mut rng), output: Linear::new(8, 3, &mut rng) };
    let (x, labels) = (Tensor::randn([5, 6], &mut rng), Indices::from([0, 2, 1, 1, 0]));
    type Activation = for<'t> fn(Var<'t>) -> Var<'t>;
    let activations: [Activation; 4] = [|x| x.sigmoid(), |x| x.tanh(), |x| x.relu(), |x| x.gelu()];
    for activation in activations {
        let report = gradcheck_model(&net, |tape| {
            net.output.forward(activation(net.hidden.forward(tape.constant(&x)))).cross_entropy(&labels)
        });
        assert!(report.passed(), "{report}");
    }
}

#[test]
fn second_derivatives_through_a_norm_a_softmax_and_a_pooling() {
    // The gradient of a squared gradient: wrong wherever a rule takes a saved statistic for a constant.
    let mut rng = Rng::seed(7);
    let report = gradcheck(
        |v| {
            let x = v[0];
            let centred = x - x.mean_axes(1, true);
            let y = centred / (centred.square().mean_axes(1, true) + 1e-5).sqrt();
            let loss = (y.tanh() * y.softmax(1)).sum();
            loss.grad(&[x])[0].unwrap().square().sum()
        },
        &[Tensor::randn([4, 6], &mut rng)],
    );
    assert!(report.passed(), "{report}");

    let report = gradcheck(
        |v| {
            let loss = v[0].max_pool2d(2).exp().sum();
            loss.grad(&[v[0]])[0].unwrap().square().sum()
        },
        &[Tensor::randn([1, 2, 4, 4], &mut rng)],
    );
    assert!(report.passed(), "{report}");
}
