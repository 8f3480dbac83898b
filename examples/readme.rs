use gradus::prelude::*;

fn main() {
    let mut rng = Rng::seed(0);
    let x = Tensor::linspace(-1.0, 1.0, 64).reshape([64, 1]);
    let target = (&x * 3.0).sin();
    let mut net = Sequential::new()
        .push(Linear::new(1, 32, &mut rng))
        .push(Tanh)
        .push(Linear::new(32, 1, &mut rng));
    let (mut adam, mut tape) = (Adam::new(0.01), Tape::new());
    for step in 1..=500 {
        let (loss, gradients, ()) = tape.step(|tape| {
            let y = net.forward(tape.constant(&x));
            ((y - tape.constant(&target)).square().mean(), ())
        });
        adam.step(&mut net, &gradients);
        if step % 100 == 0 {
            println!("step {step}: loss {loss:.6}");
        }
    }
    let y = net.forward(Tensor::from([[0.5]]));
    println!("{:.3}", y.item());
    let tape = Tape::new();
    let x = tape.var(2.0);
    let y = x * x * x - 2.0 * x;
    let dy = y.grad(&[x])[0].unwrap();
    let d2y = dy.grad(&[x])[0].unwrap();
    println!("{} {} {}", y.item(), dy.item(), d2y.item());
    print!("{tape}");
}
