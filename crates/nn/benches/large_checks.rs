//! How long the check of a large model takes, and how much memory: a ResNet-18 and a GPT.
//!
//! ```text
//! cargo bench -q -p gradus-nn --bench large_checks                    both, each in a process of its own
//! cargo bench -q -p gradus-nn --bench large_checks -- resnet          one of them
//! cargo bench -q -p gradus-nn --bench large_checks -- gpt wrong       the same with a wrong rule in its midst
//! ```
//!
//! A line each: what was checked, its verdict, seconds, and the most memory that the process had (Linux alone tells).

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use gradus_autograd::{
    check::{GradCheck, Report},
    op::prelude::*,
    prelude::*,
};
use gradus_nn::{
    AttentionMask, BatchNorm2d, Conv2d, Embedding, GlobalAvgPool2d, Layer, LayerNorm, Linear, MaxPool2d,
    Module, Relu, Residual, Sequential, TransformerEncoderLayer, TransformerOptions, module,
};
use std::process::Command;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let is_wrong = words.iter().any(|word| word == "wrong");
    let (name, report) = match words.first().map(String::as_str) {
        Some("resnet") => ("ResNet-18, 2 images of 3x64x64", resnet(is_wrong)),
        Some("gpt") => ("GPT, 64 tokens", gpt(is_wrong)),
        _ => return each_alone(),
    };
    let verdict = if report.passed() { "pass" } else { "fail" };
    println!("{name}: {verdict}, {:.1} s, {}", report.seconds, memory());
    if words.iter().any(|word| word == "report") {
        println!("{report}");
    }
    assert_eq!(report.passed(), !is_wrong, "{report}");
}

/// Memory is that of a process, so each has one.
fn each_alone() {
    let program = std::env::current_exe().expect("a program knows where it is");
    for words in [&["resnet"][..], &["resnet", "wrong"], &["gpt"], &["gpt", "wrong"]] {
        let status = Command::new(&program).args(words).status().expect("the same program runs again");
        assert!(status.success(), "{words:?}");
    }
}

/// The most memory that this process had so far.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or("memory unknown".into(), |peak| peak.trim().to_string())
}

/// x, with a rule that is off by a thousandth: what stands in the midst of a model that is to fail.
#[derive(Clone, Copy, Debug)]
struct Crooked;

impl Pointwise for Crooked {
    const NAME: &'static str = "crooked";
    const EXAMPLES: &'static [Crooked] = &[Crooked];

    fn forward(&self, x: &[&Tensor]) -> Tensor {
        x[0].clone()
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>) {
        cx.send(|_: [&V; 1], _, g| [g * 1.001]);
    }

    fn reference(&self, x: &[f64], _: &mut Branches<'_>) -> f64 {
        x[0]
    }
}

#[track_caller]
fn through<V: Value>(x: V, is_wrong: bool) -> V {
    if is_wrong { V::apply(Crooked, &[&x]) } else { x }
}

/// K. He and others, "Deep residual learning for image recognition", 2016: 11.2 million parameters for ten classes.
struct ResNet {
    beginning: Sequential,
    blocks: Vec<Residual<Sequential, Sequential>>,
    end: Sequential,
}

module!(ResNet { beginning, blocks, end });

impl ResNet {
    fn new(rng: &mut Rng) -> ResNet {
        let beginning = Sequential::new()
            .push(Conv2d::new(3, 64, 7, rng).stride(2).padding(3).without_bias())
            .push(BatchNorm2d::new(64))
            .push(Relu)
            .push(MaxPool2d::new(3).stride(2).padding(1));
        let mut blocks = Vec::new();
        for (inputs, outputs, stride) in [
            (64, 64, 1),
            (64, 64, 1),
            (64, 128, 2),
            (128, 128, 1),
            (128, 256, 2),
            (256, 256, 1),
            (256, 512, 2),
            (512, 512, 1),
        ] {
            let block = Sequential::new()
                .push(Conv2d::new(inputs, outputs, 3, rng).stride(stride).padding(1).without_bias())
                .push(BatchNorm2d::new(outputs))
                .push(Relu)
                .push(Conv2d::new(outputs, outputs, 3, rng).padding(1).without_bias())
                .push(BatchNorm2d::new(outputs));
            let shortcut = match stride {
                1 => Sequential::new(),
                _ => Sequential::new()
                    .push(Conv2d::new(inputs, outputs, 1, rng).stride(stride).without_bias())
                    .push(BatchNorm2d::new(outputs)),
            };
            blocks.push(Residual::with_shortcut(block, shortcut));
        }
        let end = Sequential::new().push(GlobalAvgPool2d).push(Linear::new(512, 10, rng));
        ResNet { beginning, blocks, end }
    }
}

fn resnet(is_wrong: bool) -> Report {
    let mut rng = Rng::seed(1);
    let net = ResNet::new(&mut rng);
    let images = Tensor::randn([2, 3, 64, 64], &mut rng);
    let labels = Indices::from([3, 7]);
    GradCheck::default().params(&net.params(), &Tape::training(1), |tape| {
        let mut x = net.beginning.forward(tape.constant(&images));
        for (k, block) in net.blocks.iter().enumerate() {
            x = through(block.forward(x).relu(), is_wrong && k == 4);
        }
        net.end.forward(x).cross_entropy(&labels)
    })
}

/// A character-level GPT: 10.7 million parameters.
struct Gpt {
    tokens: Embedding,
    places: Param,
    blocks: Vec<TransformerEncoderLayer>,
    norm: LayerNorm,
    head: Linear,
}

module!(Gpt { tokens, places, blocks, norm, head });

const TOKENS: usize = 64;

fn gpt(is_wrong: bool) -> Report {
    const SIZE: usize = 384;
    let mut rng = Rng::seed(1);
    let options = TransformerOptions { dropout: 0.0, gelu: true, norm_first: true };
    let net = Gpt {
        tokens: Embedding::new(65, SIZE, &mut rng),
        places: Param::new(Tensor::randn([TOKENS, SIZE], &mut rng) * 0.02),
        blocks: (0..6).map(|_| TransformerEncoderLayer::new(SIZE, 6, 4 * SIZE, options, &mut rng)).collect(),
        norm: LayerNorm::new([SIZE]),
        head: Linear::new(SIZE, 65, &mut rng),
    };
    let text: Vec<i32> = (0..=TOKENS).map(|_| rng.below(65) as i32).collect();
    let (read, next) = (Indices::from(text[..TOKENS].to_vec()), Indices::from(text[1..].to_vec()));
    GradCheck::default().params(&net.params(), &Tape::training(1), |tape| {
        let x = net.tokens.forward(tape.place(), &read) + tape.param(&net.places);
        let mut x = x.unsqueeze(0);
        for (k, block) in net.blocks.iter().enumerate() {
            x = through(block.forward_masked(x, &AttentionMask::causal()), is_wrong && k == 3);
        }
        net.head.forward(net.norm.forward(x)).squeeze(0).cross_entropy(&next)
    })
}
