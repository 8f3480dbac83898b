//! What a residual net of convolutions looks at: Grad-CAM (R. Selvaraju and others, 2017).
//!
//! ```text
//! cargo run --release --example grad_cam
//! cargo run --release --example grad_cam -- --data path/to/mnist --full
//! ```

#![expect(clippy::print_stdout, reason = "it talks to its user")]

mod common;

use common::{
    book::{Figures, Outcome, Setup, training},
    csv::write_csv,
    learning::{accuracy, train},
};
use gradus::{
    nn::data::{Dataset, images},
    prelude::*,
};
use std::{error::Error, process::ExitCode};

fn main() -> ExitCode {
    training("grad_cam", "Where a residual net finds the digit in an image.", run)
}

fn run(setup: &Setup) -> Outcome {
    let (data, test) = setup.images()?;
    let mut net = Seer::new(&mut Rng::seed(1));
    let steps = if setup.full { 6000 } else { 200 };
    train(&mut net, &mut Adam::new(0.01), &data, 50, steps, |_, _, _| ());
    let found = accuracy(&net, &test);
    println!("After {steps} steps on {} it is right about {found:.4} of the test images.", setup.source());
    let apart = draw_maps(setup, &net, &test)?;
    let [hottest, random] = wiped(&net, &test);
    println!(
        "Without the hottest ink it is right about {hottest:.4}, without as much at random {random:.4}."
    );
    Ok(Figures::default().put("test", found).put("apart", apart).put("without_hottest", hottest))
}

/// Convolutions with residual blocks give 16 pictures of half the size; their means are judged by a linear layer.
#[derive(Clone)]
struct Seer {
    body: Sequential,
    head: Linear,
}
module!(Seer { body, head });

impl Seer {
    fn new(rng: &mut Rng) -> Seer {
        let conv = |inputs, rng: &mut Rng| Conv2d::new(inputs, 16, 3, rng).padding(1);
        let mut body = Sequential::new().push(conv(1, rng)).push(Relu).push(MaxPool2d::new(2));
        for _ in 0..2 {
            let block = Sequential::new().push(conv(16, rng)).push(Relu).push(conv(16, rng));
            body = body.push(Residual::new(block)).push(Relu);
        }
        Seer { body, head: Linear::new(16, 10, rng) }
    }

    /// Scores, of what the body sees.
    fn judge<V: Value>(&self, seen: V) -> V {
        self.head.forward(seen.global_avg_pool2d())
    }
}

impl Layer for Seer {
    fn forward<V: Value>(&self, x: V) -> V {
        self.judge(self.body.forward(x))
    }
}

/// Where the net finds a digit in an image: its pictures, each weighed by the mean of the score's slope over it.
fn grad_cam(net: &Seer, image: &Tensor, digit: i32) -> Tensor {
    let tape = Tape::new();
    let seen = tape.var(net.body.forward(image.unsqueeze(0)));
    let slope = &net.judge(seen).select(-1, digit as isize).sum().backward()[seen];
    (slope.mean_axes([-2, -1], true) * seen.value()).sum_axes(1, false).select(0, 0)
}

fn enlarged(map: &Tensor, image: &Tensor) -> Tensor {
    let size = [image.size(-2), image.size(-1)];
    map.reshape([1, 1, map.size(0), map.size(1)])
        .interpolate(size, Interpolation::Linear { align_corners: false })
        .reshape(size)
}

/// How far the map is from its closed form. Behind a mean the slope is the head's weight divided by the number of pixels, so
/// that the map's sum is the score without its bias.
fn off(net: &Seer, image: &Tensor, digit: i32, map: &Tensor) -> f32 {
    let at = digit as isize;
    let seen = net.body.forward(image.unsqueeze(0));
    let weights = net.head.weight.value().select(0, at) / map.numel() as f32;
    let expected = seen.select(0, 0).permute([1, 2, 0]).matmul(&weights);
    let bias = net.head.bias.as_ref().map_or(0.0, |bias| bias.value().select(0, at).item());
    let score = net.judge(seen).select(1, at).item();
    (expected - map).abs().max().item().max((map.sum().item() + bias - score).abs())
}

/// The maps of a test image of each digit, red over the image. Returns how far they are from their closed form.
fn draw_maps(setup: &Setup, net: &Seer, test: &Dataset) -> Result<f32, Box<dyn Error>> {
    let scale = if setup.is_mnist() { 4 } else { 12 };
    let (mut apart, mut sheet, mut rows) = (0f32, Vec::new(), Vec::new());
    for digit in 0..10 {
        let mut labels = test.labels().as_slice().iter();
        let image = test.get(labels.position(|label| *label == digit).ok_or("a digit is missing")?).0;
        let map = grad_cam(net, &image, digit);
        apart = apart.max(off(net, &image, digit, &map));
        let map = enlarged(&map, &image);
        rows.extend(map.iter().zip(image.iter()).map(|(m, p)| [f64::from(digit), p.into(), m.into()]));
        // What speaks for the digit takes green and blue away; ink is dark.
        let heat = (map.relu() / map.max().item().max(1e-12)).unsqueeze(0);
        let paper = 1.0 - 0.75 * image;
        let cold = &paper * (1.0 - 0.8 * heat);
        let colors = Tensor::concat(&[&paper, &cold, &cold], 0);
        let large = colors.repeat_interleave(scale, 1).repeat_interleave(scale, 2);
        sheet.push(large.pad([(0, 0), (2, 2), (2, 2)], Padding::Constant(1.0)));
    }
    let row = |of: &[Tensor]| Tensor::concat(&of.iter().collect::<Vec<_>>(), 2);
    let sheet = Tensor::concat(&[&row(&sheet[..5]), &row(&sheet[5..])], 1);
    images::write(setup.out.join("grad_cam.png"), &sheet)?;
    write_csv(setup.out.join("grad_cam.csv"), "digit,pixel,map", &rows)?;
    Ok(apart)
}

/// Wipes ink away, as much as a tenth of the pixels: where the map is hottest, or at random. The share of images that are still
/// recognised falls deeper where the map says what matters.
fn wiped(net: &Seer, test: &Dataset) -> [f64; 2] {
    let mut rng = Rng::seed(1);
    let some = test.select(&(0..test.len().min(100)).collect::<Vec<_>>());
    let mut images = [Vec::new(), Vec::new()];
    for i in 0..some.len() {
        let (image, digit) = some.get(i);
        let (map, ink) = (enlarged(&grad_cam(net, &image, digit), &image).to_vec(), image.to_vec());
        let mut random: Vec<usize> = (0..ink.len()).filter(|p| ink[*p] > 0.0).collect();
        rng.shuffle(&mut random);
        let mut hottest = random.clone();
        hottest.sort_by(|a, b| map[*b].total_cmp(&map[*a]));
        for (images, order) in images.iter_mut().zip([hottest, random]) {
            let mut left = ink.clone();
            order.iter().take(ink.len() / 10).for_each(|p| left[*p] = 0.0);
            images.push(Tensor::new(left, image.shape().clone()));
        }
    }
    images.map(|images| {
        let stacked = Tensor::stack(&images.iter().collect::<Vec<_>>(), 0);
        accuracy(net, &Dataset::new(stacked, some.labels().clone()))
    })
}
