//! Summaries: costs and shapes against sums made by hand, receptive fields against inputs that are changed pixel by pixel.

use gradus_autograd::prelude::*;
use gradus_nn::{
    AdaptiveAvgPool2d, AvgPool2d, BatchNorm2d, Conv1d, Conv2d, ConvTranspose2d, Dropout, Embedding, Flatten,
    Layer, Linear, Lstm, MaxPool1d, MaxPool2d, Module, PositionalEncoding, Relu, Residual, Sequential,
    Summary, TransformerEncoderLayer, TransformerOptions, Upsample, module,
};

/// The rows' layers or operations with one of their columns.
fn column<T>(summary: &Summary, of: impl Fn(&gradus_nn::SummaryRow) -> T) -> Vec<(String, T)> {
    let name = |row: &gradus_nn::SummaryRow| row.layer.clone().unwrap_or_else(|| row.ops.join(" "));
    summary.rows.iter().map(|row| (name(row), of(row))).collect()
}

fn fields(summary: &Summary) -> Vec<String> {
    let text = |row: &gradus_nn::SummaryRow| {
        let sides = row.field.iter().flat_map(|field| field[2..].iter());
        sides.map(|side| side.map_or("all".into(), |n| n.to_string())).collect::<Vec<String>>().join(" x ")
    };
    summary.rows.iter().map(text).collect()
}

/// The book's, section 7.5: convolution, ReLU, pooling, affine, ReLU, affine.
fn simple_conv_net(rng: &mut Rng) -> Sequential {
    Sequential::new()
        .push(Conv2d::new(1, 30, 5, rng))
        .push(Relu)
        .push(MaxPool2d::new(2))
        .push(Flatten)
        .push(Linear::new(30 * 12 * 12, 100, rng))
        .push(Relu)
        .push(Linear::new(100, 10, rng))
}

#[test]
fn simple_conv_net_of_the_book() {
    let summary = Summary::new(&simple_conv_net(&mut Rng::seed(0)), [1, 1, 28, 28]);
    let expected = "\
layer  operation   output           parameters      flops   sees
0      conv2d      [1, 30, 24, 24]         780    881,280  5 x 5
       relu        [1, 30, 24, 24]                 17,280  5 x 5
       max_pool2d  [1, 30, 12, 12]                 17,280  6 x 6
       reshape     [1, 4320]                            0    all
4      linear      [1, 100]            432,100    864,100    all
       relu        [1, 100]                           100    all
6      linear      [1, 10]               1,010      2,010    all
total                                  433,890  1,782,050
";
    assert_eq!(summary.to_string(), expected);
}

/// The book's, section 8.1: the receptive fields are those of reference works on its layers.
#[test]
fn deep_conv_net_of_the_book() {
    let rng = &mut Rng::seed(0);
    let mut net = Sequential::new();
    let mut channels = 1;
    for (k, (out, padding)) in [(16, 1), (16, 1), (32, 1), (32, 2), (64, 1), (64, 1)].into_iter().enumerate()
    {
        net = net.push(Conv2d::new(channels, out, 3, rng).padding(padding)).push(Relu);
        channels = out;
        if k % 2 == 1 {
            net = net.push(MaxPool2d::new(2));
        }
    }
    let net = net
        .push(Flatten)
        .push(Linear::new(64 * 4 * 4, 50, rng))
        .push(Relu)
        .push(Dropout::new(0.5))
        .push(Linear::new(50, 10, rng))
        .push(Dropout::new(0.5));
    let summary = Summary::new(&net, [100, 1, 28, 28]);
    assert_eq!((summary.trained, net.param_count()), (123_552, 123_552));
    let windowed = summary.rows.iter().zip(fields(&summary)).filter(|(row, _)| row.ops != ["relu"]);
    let sees: Vec<String> = windowed.map(|(_, field)| field).collect();
    let expected = [3, 5, 6, 10, 14, 16, 24, 32, 36].map(|n| format!("{n} x {n}"));
    assert_eq!(sees[..9], expected);
    assert!(sees[9..].iter().all(|field| field == "all" || field == "all x all"), "{sees:?}");
    // Multiplications and additions, then the biases; by hand for each convolution.
    let conv = |out: u64, inputs: u64, side: u64| 100 * out * side * side * (2 * 9 * inputs + 1);
    let flops: Vec<u64> =
        summary.rows.iter().filter(|row| row.ops == ["conv2d"]).map(|row| row.flops).collect();
    let expected = [
        conv(16, 1, 28),
        conv(16, 16, 28),
        conv(32, 16, 14),
        conv(32, 32, 16),
        conv(64, 32, 8),
        conv(64, 64, 8),
    ];
    assert_eq!(flops, expected);
}

struct LeNet {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}
module!(LeNet { conv1, conv2, fc1, fc2, fc3 });

impl Layer for LeNet {
    fn forward<V: Value>(&self, x: V) -> V {
        let pool = MaxPool2d::new(2);
        let x = pool.forward(self.conv1.forward(x).relu());
        let x = pool.forward(self.conv2.forward(x).relu());
        let x = self.fc1.forward(Flatten.forward(x)).relu();
        self.fc3.forward(self.fc2.forward(x).relu())
    }
}

#[test]
fn le_net_has_its_61706_parameters_and_its_names() {
    let rng = &mut Rng::seed(0);
    let mut net = LeNet {
        conv1: Conv2d::new(1, 6, 5, rng),
        conv2: Conv2d::new(6, 16, 5, rng),
        fc1: Linear::new(400, 120, rng),
        fc2: Linear::new(120, 84, rng),
        fc3: Linear::new(84, 10, rng),
    };
    net.params_mut()[0].1.set_frozen(true);
    let summary = Summary::new(&net, [2, 1, 32, 32]);
    assert_eq!((summary.trained, summary.frozen, summary.unused.len()), (61_706 - 150, 150, 0));
    let layers: Vec<_> =
        column(&summary, |row| (row.params, row.flops)).into_iter().filter(|r| r.1.0 > 0).collect();
    let expected = [
        ("conv1", (156, 2 * 6 * 28 * 28 * (2 * 25 + 1))),
        ("conv2", (2_416, 2 * 16 * 10 * 10 * (2 * 6 * 25 + 1))),
        ("fc1", (48_120, 2 * 120 * (2 * 400 + 1))),
        ("fc2", (10_164, 2 * 84 * (2 * 120 + 1))),
        ("fc3", (850, 2 * 10 * (2 * 84 + 1))),
    ];
    assert_eq!(layers, expected.map(|(name, numbers)| (name.to_string(), numbers)));
    assert!(summary.to_string().contains("of the parameters 150 are frozen\n"), "{summary}");
}

#[test]
fn a_norm_is_one_row_and_its_buffers_are_no_parameters() {
    let rng = &mut Rng::seed(0);
    let net = Sequential::new().push(Conv2d::new(3, 8, 3, rng)).push(BatchNorm2d::new(8));
    let summary = Summary::new(&net, [4, 3, 10, 10]);
    // Variance and eps, root, weight; mean and factor, bias: five passes over 8 channels, then two over all elements.
    let norm = 5 * 8 + 2 * (4 * 8 * 8 * 8);
    let expected = [("0", (3 * 8 * 9 + 8, 4 * 8 * 8 * 8 * (2 * 27 + 1))), ("1", (16, norm))];
    assert_eq!(
        column(&summary, |row| (row.params, row.flops)),
        expected.map(|(name, numbers)| (name.to_string(), numbers))
    );
    assert_eq!((summary.buffers, &summary.rows[1].ops[..]), (17, &["mul", "add"][..]));
}

/// An embedding, a recurrent layer, a head with the embedding's weight, and a layer that is never used.
struct Words {
    words: Embedding,
    lstm: Lstm,
    idle: Linear,
}
module!(Words { words, lstm, idle });

#[test]
fn a_recurrent_model_with_tied_weights() {
    let rng = &mut Rng::seed(0);
    let model = Words {
        words: Embedding::new(50, 16, rng),
        lstm: Lstm::new(16, 16, rng),
        idle: Linear::new(2, 3, rng),
    };
    let text = Indices::new(vec![1; 21], [3, 7]);
    let summary = Summary::of(&model, |tape| {
        let x = model.words.forward(tape.place(), &text);
        model.lstm.forward(x).matmul(&tape.param(&model.words.weight).t())
    });
    assert_eq!(summary.unused, ["idle.weight", "idle.bias"]);
    let lstm = summary.rows.iter().find(|row| row.layer.as_deref() == Some("lstm")).unwrap();
    // For each of 21 words: both products and biases of four gates, and thirteen operations on each of 16 units.
    assert_eq!(lstm.flops, 21 * (2 * (2 * 64 * 16 + 64) + 13 * 16));
    assert_eq!(lstm.params, 4 * 16 * (16 + 16 + 2));
    assert_eq!(summary.rows[0].params, 800);
    let last = summary.rows.last().unwrap();
    assert_eq!((last.flops, last.params, &last.output[..]), (2 * 21 * 16 * 50, 0, &[3, 7, 50][..]));
    assert_eq!(summary.rows.iter().map(|row| row.params).sum::<usize>(), model.param_count() - 9);
    let text = summary.to_string();
    assert!(!text.contains("sees") && text.ends_with("not used: idle.weight, idle.bias\n"), "{text}");
}

#[test]
fn what_is_done_to_words_is_not_the_embedding() {
    let rng = &mut Rng::seed(0);
    let (words, positions) = (Embedding::new(50, 16, rng), PositionalEncoding::new(7, 16));
    let summary = Summary::of(&words, |tape| {
        positions.forward(words.forward(tape.place(), &Indices::new(vec![1; 21], [3, 7]))).relu()
    });
    let expected = "\
layer  operation     output      parameters  flops
       index_select  [3, 7, 16]         800      0
       add           [3, 7, 16]                336
       relu          [3, 7, 16]                336
total                                   800    672
";
    assert_eq!(summary.to_string(), expected);
}

#[test]
fn attention_by_hand() {
    let rng = &mut Rng::seed(0);
    let block = TransformerEncoderLayer::new(16, 4, 32, TransformerOptions::default(), rng);
    let summary = Summary::new(&block, [2, 5, 16]);
    assert_eq!(summary.rows.iter().map(|row| row.params).sum::<usize>(), block.param_count());
    let sum = |op: &str| -> u64 {
        summary.rows.iter().filter(|row| row.ops.contains(&op)).map(|row| row.flops).sum()
    };
    let rows = 2 * 5;
    // Four heads: scores and weighted values of 5 x 5 pairs, 16 / 4 numbers each, and the softmax.
    let pairs = 2 * 4 * 5 * 5;
    assert_eq!(sum("scaled_dot_product_attention"), 2 * (pairs * 4) * 2 + 5 * pairs);
    assert_eq!(sum("layer_norm"), 2 * 7 * rows * 16);
    let linear = |inputs: u64, out: u64| rows * out * (2 * inputs + 1);
    assert_eq!(sum("linear"), linear(16, 48) + linear(16, 16) + linear(16, 32) + linear(32, 16));
    // With names inside one another: what a block has in it.
    let layers = column(&summary, |row| row.params);
    assert!(
        layers.contains(&("self_attn".into(), 48 * 17))
            && layers.contains(&("self_attn.out_proj".into(), 16 * 17))
    );
}

/// From the first to the last place along each axis of `x`'s images that any one element of the output depends on, the most
/// over all elements: by changing pixel after pixel. Weights must be positive.
fn seen(net: &impl Layer, shape: [usize; 4]) -> [usize; 2] {
    let mut rng = Rng::seed(7);
    let x = Tensor::uniform(shape, 0.5, 1.0, &mut rng);
    let y = net.forward(x.clone()).to_vec();
    let mut spans = vec![[(usize::MAX, 0); 2]; y.len()];
    for i in 0..shape[2] {
        for j in 0..shape[3] {
            // So much larger that it wins every maximum.
            let changed = x.get([0, 0, i, j]) + 100.0;
            let mut values = x.to_vec();
            values[i * shape[3] + j] = changed;
            let moved = net.forward(Tensor::new(values, shape)).to_vec();
            for (span, _) in spans.iter_mut().zip(y.iter().zip(&moved)).filter(|(_, (a, b))| a != b) {
                for (side, place) in span.iter_mut().zip([i, j]) {
                    *side = (side.0.min(place), side.1.max(place));
                }
            }
        }
    }
    [0, 1].map(|side| {
        let widths = spans.iter().map(|span| span[side]).filter(|(first, last)| first <= last);
        widths.map(|(first, last)| last - first + 1).max().unwrap_or(0)
    })
}

/// The same net with weights that are all positive, so that nothing cancels and no unit is dead.
fn positive(mut net: Sequential) -> Sequential {
    for (_, param) in net.params_mut() {
        let weight = param.value().abs() + 0.01;
        *param.value_mut() = weight;
    }
    net
}

#[test]
fn receptive_fields_are_what_changed_pixels_show() {
    let rng = &mut Rng::seed(3);
    let mut conv = |kernel: [usize; 2]| Conv2d::new(1, 1, kernel, rng);
    let same = |conv: Conv2d| conv.padding(1);
    let nets: Vec<(&str, Sequential, [usize; 2])> = vec![
        (
            "two convolutions of 3",
            Sequential::new().push(same(conv([3, 3]))).push(Relu).push(same(conv([3, 3]))),
            [5, 5],
        ),
        (
            "three convolutions of 3",
            Sequential::new().push(conv([3, 3])).push(conv([3, 3])).push(conv([3, 3])),
            [7, 7],
        ),
        ("a wide kernel", Sequential::new().push(conv([1, 5])).push(conv([3, 2])), [3, 6]),
        (
            "VGG's first two blocks",
            Sequential::new()
                .push(same(conv([3, 3])))
                .push(same(conv([3, 3])))
                .push(MaxPool2d::new(2))
                .push(same(conv([3, 3])))
                .push(same(conv([3, 3])))
                .push(MaxPool2d::new(2)),
            [16, 16],
        ),
        (
            "stride and dilation",
            Sequential::new().push(conv([3, 3]).stride([2, 1])).push(conv([3, 3]).dilation([1, 3])),
            [7, 9],
        ),
        ("mean pooling", Sequential::new().push(AvgPool2d::new(3).stride(2)).push(conv([2, 2])), [5, 5]),
        (
            "pooling to a size",
            Sequential::new().push(conv([3, 3])).push(AdaptiveAvgPool2d::new([4, 8])).push(conv([2, 1])),
            [10, 4],
        ),
        (
            "a residual block",
            Sequential::new().push(same(conv([3, 3]))).push(Residual::new(
                Sequential::new().push(same(conv([3, 3]))).push(Relu).push(same(conv([3, 3]))),
            )),
            [7, 7],
        ),
        (
            "up: pooled before",
            Sequential::new()
                .push(conv([3, 3]))
                .push(MaxPool2d::new(2))
                .push(Upsample::new(2.0, Interpolation::Nearest))
                .push(conv([3, 3])),
            [7, 7],
        ),
        (
            "up: transposed convolution",
            Sequential::new()
                .push(conv([3, 3]).stride(2))
                .push(ConvTranspose2d::new(1, 1, 4, &mut Rng::seed(1)).stride(2).padding(1))
                .push(conv([2, 2])),
            [7, 7],
        ),
        (
            "up: transposed convolution with gaps",
            Sequential::new()
                .push(ConvTranspose2d::new(1, 1, [3, 2], &mut Rng::seed(1)).stride(2))
                .push(conv([4, 1])),
            [3, 1],
        ),
        (
            "up: bilinear",
            Sequential::new()
                .push(conv([2, 2]))
                .push(Upsample::new(2.0, Interpolation::Linear { align_corners: false }))
                .push(conv([2, 2])),
            [4, 4],
        ),
    ];
    for (name, net, expected) in nets {
        let net = positive(net);
        let shape = [1, 1, 18, 18];
        let summary = Summary::new(&net, shape);
        let field = summary.rows.last().unwrap().field.as_ref().unwrap();
        let [declared, seen] = [[field[2], field[3]].map(Option::unwrap), seen(&net, shape)];
        assert_eq!(declared, expected, "{name}: declared");
        // Between pixels that an upsampling repeats a window may begin anywhere: one stride too many is declared at most.
        let exact = !name.starts_with("up: ");
        let close = |(declared, seen): (usize, usize)| {
            declared == seen || !exact && (seen..seen + 2).contains(&declared)
        };
        assert!(declared.into_iter().zip(seen).all(close), "{name}: {declared:?} declared, {seen:?} seen");
    }
}

#[test]
fn fields_of_rows_and_of_what_mixes_everything() {
    let rng = &mut Rng::seed(0);
    let net = Sequential::new().push(Conv1d::new(2, 4, 3, rng).dilation(2)).push(MaxPool1d::new(2));
    let summary = Summary::new(&net, [3, 2, 20]);
    assert_eq!(fields(&summary), ["5", "6"]);
    assert_eq!(column(&summary, |row| row.output.to_vec())[0], ("0".into(), vec![3, 4, 16]));

    // A mean over the whole image, and what a norm over it does, see all.
    let tape = Tape::new();
    let x = tape.constant(Tensor::ones([2, 4, 6, 6]));
    let all = Some(vec![Some(1), None, None, None]);
    assert_eq!(x.group_norm(2, None, None, 1e-5).receptive_field(x), all);
    assert_eq!(x.global_avg_pool2d().receptive_field(x), Some(vec![Some(1), Some(1), None, None]));
    // Axes that change places keep their fields, and so does a part of an image or a shifted copy of it.
    let w = tape.constant(Tensor::ones([1, 4, 1, 3]));
    let y = x.conv2d(&w, None, Conv2dOptions::default());
    assert_eq!(y.t().receptive_field(x), Some(vec![Some(1), None, Some(1), Some(3)]));
    assert_eq!((y.slice(3, 1..) + y.slice(3, ..-1)).receptive_field(x).unwrap()[3], Some(4));
    assert_eq!(y.slice(3, ..).flip(3).receptive_field(x).unwrap()[3], Some(3));
    assert_eq!((y.flip(3) + y).receptive_field(x).unwrap()[3], None);
    assert_eq!(w.receptive_field(x), None);
}
