//! The worked numbers of *Deep Learning from Scratch* and of the notes on it, as far as they concern single formulas.
//! Each was computed independently, in f64.

use gradus::{
    autograd::{exact, op::reference::Array},
    prelude::*,
};

/// Equal to about seven digits, which is what f32 has.
#[track_caller]
fn close(found: f32, expected: f64) {
    assert!((found as f64 - expected).abs() <= 1e-6 * expected.abs().max(0.1), "{found} is not {expected}");
}

#[track_caller]
fn all_close(found: &Tensor, expected: &[f64]) {
    assert_eq!(found.numel(), expected.len());
    found.iter().zip(expected).for_each(|(f, &e)| close(f, e));
}

/// A perceptron: 1 where w x + b > 0.
fn perceptron(w: [f32; 2], b: f32, x: &Tensor) -> Tensor {
    (x.matmul(&Tensor::from(w)) + b).is_positive()
}

#[test]
fn gates_of_chapter_2() {
    // The book's order of inputs: (0,0), (1,0), (0,1), (1,1).
    let x = Tensor::from([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]);
    let and = |x: &Tensor| perceptron([0.5, 0.5], -0.7, x);
    let nand = |x: &Tensor| perceptron([-0.5, -0.5], 0.7, x);
    let or = |x: &Tensor| perceptron([0.5, 0.5], -0.2, x);
    assert_eq!(and(&x).to_vec(), [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(nand(&x).to_vec(), [1.0, 1.0, 1.0, 0.0]);
    assert_eq!(or(&x).to_vec(), [0.0, 1.0, 1.0, 1.0]);
    // One line cannot part XOR; two layers can: XOR = AND(NAND, OR).
    let hidden =
        Tensor::from_fn([4, 2], |i| if i[1] == 0 { nand(&x).get([i[0]]) } else { or(&x).get([i[0]]) });
    assert_eq!(and(&hidden).to_vec(), [0.0, 1.0, 1.0, 0.0]);
}

#[test]
fn xnor_with_the_weights_of_ngs_course() {
    let x = Tensor::from([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]);
    // AND (-30, 20, 20) and NOR (10, -20, -20), joined by OR (-10, 20, 20).
    let hidden =
        (x.matmul(&Tensor::from([[20.0, -20.0], [20.0, -20.0]])) + &Tensor::from([-30.0, 10.0])).sigmoid();
    let y = (hidden.matmul(&Tensor::from([20.0, 20.0])) - 10.0).sigmoid();
    for (found, expected) in y.iter().zip([0.99995456, 4.548e-5, 4.548e-5, 0.99995456]) {
        assert!(
            (found as f64 - expected).abs() <= 2e-8 + 1e-4 * expected.min(1e-3),
            "{found} is not {expected}"
        );
    }
}

#[test]
fn three_layer_forward_of_chapter_3() {
    let x = Tensor::from([1.0, 0.5]);
    let a1 = x.matmul(&Tensor::from([[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]])) + &Tensor::from([0.1, 0.2, 0.3]);
    all_close(&a1, &[0.3, 0.7, 1.1]);
    let z1 = a1.sigmoid();
    all_close(&z1, &[0.57444252, 0.66818777, 0.75026011]);
    let a2 = z1.matmul(&Tensor::from([[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]])) + &Tensor::from([0.1, 0.2]);
    all_close(&a2, &[0.51615984, 1.21402696]);
    let z2 = a2.sigmoid();
    all_close(&z2, &[0.62624937, 0.77101070]);
    let y = z2.matmul(&Tensor::from([[0.1, 0.3], [0.2, 0.4]])) + &Tensor::from([0.1, 0.2]);
    all_close(&y, &[0.31682708, 0.69627909]);
}

#[test]
fn stacked_linear_layers_are_one() {
    let c = Tensor::scalar(3.0);
    let h = |x: &Tensor| x * &c;
    assert_eq!(h(&h(&h(&Tensor::scalar(2.0)))).item(), 54.0);
}

#[test]
fn simple_net_of_chapter_4() {
    let tape = Tape::new();
    let w = tape.var([[0.47355232, 0.9977393, 0.84668094], [0.85557411, 0.035_636_61, 0.69422093]]);
    let x = tape.var([[0.6, 0.9]]);
    let p = x.matmul(&w);
    all_close(&p.value(), &[1.054148091, 0.630716529, 1.132807401]);
    let loss = p.cross_entropy(&Indices::from([2]));
    close(loss.item(), 0.9280682858);
    let dw = [0.2192476267, 0.1435624661, -0.3628100928, 0.32887144, 0.2153436992, -0.5442151392];
    all_close(&loss.backward()[w], &dw);
    // Between f32s, as the book prints them, the gradient has all of its digits.
    let printed = vec![0.47355232, 0.9977393, 0.84668094, 0.85557411, 0.03563661, 0.69422093];
    let (_, exact) =
        exact::at(loss, &[(w, Array::new(printed, [2, 3])), (x, Array::new(vec![0.6, 0.9], [1, 2]))]);
    for (found, expected) in exact[0].data().iter().zip(dw) {
        assert!((found - expected).abs() < 1e-8, "{found} is not {expected}");
    }
    // The same with a one-hot target.
    let soft = p.soft_cross_entropy(&tape.constant([[0.0, 0.0, 1.0]]));
    close(soft.item(), 0.9280682858);
    all_close(&soft.backward()[w], &dw);
}

/// The 2-2-1 network of the notes: sigmoid units, half the squared error; weights and gradients by the notes' layout,
/// one row for each receiving unit.
struct TwoTwoOne {
    w0: Param,
    w1: Param,
}
module!(TwoTwoOne { w0, w1 });

impl TwoTwoOne {
    fn new() -> TwoTwoOne {
        TwoTwoOne { w0: Param::new([[0.1, 0.8], [0.4, 0.6]]), w1: Param::new([0.3, 0.9]) }
    }

    /// Hidden activations and output.
    fn forward<V: Value>(&self, x: V) -> (V, V) {
        let at = x.place();
        let hidden = at.param(&self.w0).matmul(&x).sigmoid();
        let output = at.param(&self.w1).matmul(&hidden).sigmoid();
        (hidden, output)
    }

    fn loss<V: Value>(&self, x: V) -> V {
        (self.forward(x).1 - 0.5).square() * 0.5
    }
}

const INPUT: [f32; 2] = [0.35, 0.9];

#[test]
fn two_two_one_backward_pass() {
    let mut net = TwoTwoOne::new();
    let (hidden, output) = net.forward(Tensor::from(INPUT));
    all_close(&hidden, &[0.6802671967, 0.6637386974]);
    close(output.item(), 0.6902834929);
    let mut tape = Tape::new();
    let (loss, gradients, ()) = tape.step(|tape| (net.loss(tape.constant(INPUT)), ()));
    close(loss, 0.0181039038);
    all_close(&gradients[&net.w1], &[0.0276740349, 0.0270016370]);
    all_close(&gradients[&net.w0], &[0.0009290712, 0.0023890401, 0.0028600758, 0.0073544806]);

    // One step with learning rate 1.
    Sgd::new(1.0).step(&mut net, &gradients);
    let w0 = [0.0990709288, 0.7976109599, 0.3971399242, 0.5926455194];
    all_close(net.w0.value(), &w0);
    all_close(net.w1.value(), &[0.2723259651, 0.8729983630]);
}

#[test]
fn two_two_one_error_over_a_hundred_steps() {
    let (mut net, mut tape, mut sgd) = (TwoTwoOne::new(), Tape::new(), Sgd::new(1.0));
    let expected = [
        (1, 0.182019),
        (2, 0.173937),
        (3, 0.166055),
        (5, 0.150955),
        (10, 0.117472),
        (20, 0.068818),
        (50, 0.012834),
        (100, 0.000764),
    ];
    for step in 1..=100 {
        let (_, gradients, ()) = tape.step(|tape| (net.loss(tape.constant(INPUT)), ()));
        sgd.step(&mut net, &gradients);
        if let Some((_, error)) = expected.iter().find(|(at, _)| *at == step) {
            let found = net.forward(Tensor::from(INPUT)).1.item() as f64 - 0.5;
            assert!((found - error).abs() < 2e-6, "after {step} steps: {found} is not {error}");
        }
    }
}

#[test]
fn apples_and_oranges_of_chapter_5() {
    let tape = Tape::new();
    let [apple, apples, orange, oranges, tax] = [100.0, 2.0, 150.0, 3.0, 1.1].map(|x| tape.var(x));
    let price = apple * apples * tax;
    close(price.item(), 220.0);
    let g = price.backward();
    for (x, expected) in [(apple, 2.2), (apples, 110.0), (tax, 200.0)] {
        close(g[x].item(), expected);
    }
    let price = (apple * apples + orange * oranges) * tax;
    close(price.item(), 715.0);
    let g = price.backward();
    for (x, expected) in [(apple, 2.2), (apples, 110.0), (orange, 3.3), (oranges, 165.0), (tax, 650.0)] {
        close(g[x].item(), expected);
    }
}

#[test]
fn gradient_method_of_chapter_4() {
    // x0² + x1² from (-3, 4): each step with rate 0.1 multiplies by 0.8.
    let (mut x, mut sgd, mut tape) = (Param::new([-3.0, 4.0]), Sgd::new(0.1), Tape::new());
    for _ in 0..20 {
        let (_, gradients, ()) = tape.step(|tape| (tape.param(&x).square().sum(), ()));
        sgd.step(&mut x, &gradients);
    }
    all_close(x.value(), &[-0.0345876451, 0.0461168602]);
}

#[test]
fn rosenbrock_by_gradient_descent() {
    // DeZero step 28: from (0, 2), learning rate 0.001.
    let (mut tape, mut sgd) = (Tape::new(), Sgd::new(0.001));
    let (mut x0, mut x1) = (Param::new(0.0), Param::new(2.0));
    let mut at = Vec::new();
    for step in 1..=9_999 {
        let (_, gradients, ()) = tape.step(|tape| {
            let (x0, x1) = (tape.param(&x0), tape.param(&x1));
            (100.0 * (x1 - x0.square()).square() + (x0 - 1.0).square(), ())
        });
        sgd.step(&mut x0, &gradients);
        sgd.step(&mut x1, &gradients);
        if [1, 999, 9_999].contains(&step) {
            at.push((x0.value().item() as f64, x1.value().item() as f64));
        }
    }
    // Ten thousand f32 steps wander a little from the f64 path.
    for ((x0, x1), (e0, e1, off)) in
        at.iter().zip([(0.002, 1.6, 1e-6), (0.6834918, 0.4656506, 2e-5), (0.9944962, 0.9890006, 2e-5)])
    {
        assert!((x0 - e0).abs() < off && (x1 - e1).abs() < off, "({x0}, {x1}) is not ({e0}, {e1})");
    }
}
