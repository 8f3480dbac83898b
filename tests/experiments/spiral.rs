//! Three arms of a spiral, which no line tells apart (the second book, chapter 1).

use gradus::{
    nn::{
        data::Dataset,
        metrics::{accuracy, predict},
    },
    prelude::*,
};

/// 100 points of each arm: the angle grows with the radius, with some noise.
fn spiral(rng: &mut Rng) -> Dataset {
    let mut points = Tensor::zeros([300, 2]);
    let noise = Tensor::randn([300], rng);
    for (i, (point, noise)) in points.as_mut_slice().chunks_exact_mut(2).zip(noise.iter()).enumerate() {
        let (arm, radius) = ((i / 100) as f32, (i % 100) as f32 / 100.0);
        let angle = 4.0 * arm + 4.0 * radius + 0.2 * noise;
        point.copy_from_slice(&[radius * angle.sin(), radius * angle.cos()]);
    }
    Dataset::new(points, (0..300).map(|i| i / 100).collect::<Indices>())
}

#[test]
fn ten_hidden_units_unwind_the_spiral() {
    let mut rng = Rng::seed(1984);
    let data = spiral(&mut rng);
    let small = Init::Normal(0.01);
    let mut net = Sequential::new()
        .push(Linear::with_init(2, 10, small, &mut rng))
        .push(Sigmoid)
        .push(Linear::with_init(10, 3, small, &mut rng));
    let mut trainer = Trainer::new(Sgd::new(1.0), 30, 1);
    trainer.fit(&mut net, &data, 300, |y, labels| y.cross_entropy(labels), &mut []);
    let loss = trainer.history().column("loss")[299];
    let right = accuracy(&predict(&net, data.inputs(), 300), data.labels());
    assert!(loss <= 0.15 && right >= 0.95, "loss {loss}, accuracy {right}");
}
