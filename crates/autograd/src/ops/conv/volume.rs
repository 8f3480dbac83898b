//! Convolutions of volumes, as those of images whose channels are the layers that the kernel sees.

use super::transposed;
use crate::{
    op::prelude::*,
    ops::{indexing::IndexAdd, methods::*},
};
use gradus_tensor::{Conv2dOptions, Conv3dOptions, Indices, check_conv_bias};

#[track_caller]
pub(super) fn conv3d<V: Value>(x: &V, weight: &V, bias: Option<&V>, options: Conv3dOptions) -> V {
    let [xs, ws] = [x.shape(), weight.shape()];
    let [depth, rows, columns] = options.output("conv3d", &xs, &ws).or_fail();
    if let Some(bias) = bias {
        check_conv_bias("conv3d", &bias.shape(), ws[0]).or_fail();
    }
    let (n, c, h, w) = (xs[0], xs[1], xs[3], xs[4]);
    let (outputs, kernel, groups) = (ws[0], ws[2], options.groups);
    [n, depth, kernel, c, h, w].into_iter().collect::<Shape>().affordable("conv3d").or_fail();
    // The layers of the input that the kernel's layers meet, for each layer of the output: [n, depth, kernel, c, h, w].
    let (border, x) = (options.padding[0], x.transpose(1, 2));
    let x = match border {
        0 => x.index_select(1, &layers(depth, kernel, &options)),
        _ => {
            // All layers outside are one of zeros, behind the last.
            let inside =
                |layer: i32| layer.checked_sub(border as i32).filter(|at| (0..xs[2] as i32).contains(at));
            let meets = layers(depth, kernel, &options);
            let meets: Indices = meets.iter().map(|layer| inside(layer).unwrap_or(xs[2] as i32)).collect();
            let zeros = x.place().constant(Tensor::zeros([n, 1, c, h, w]));
            V::concat(&[&x, &zeros], 1).index_select(1, &meets.reshape([depth, kernel]))
        }
    };
    // The channels of a group have to stand together.
    let x = x.reshape([n, depth, kernel, groups, c / groups, h, w]).transpose(2, 3);
    let x = x.reshape([n * depth, kernel * c, h, w]);
    let weight = weight.transpose(1, 2).reshape([outputs, kernel * ws[1], ws[3], ws[4]]);
    let y = x.conv2d(&weight, bias, of_layers(options));
    y.reshape([n, depth, outputs, rows, columns]).transpose(1, 2)
}

#[track_caller]
pub(super) fn conv_transpose3d<V: Value>(
    x: &V,
    weight: &V,
    bias: Option<&V>,
    output_padding: [usize; 3],
    options: Conv3dOptions,
) -> V {
    let [xs, ws] = [x.shape(), weight.shape()];
    let op = "conv_transpose3d";
    let [depth, rows, columns] = options.transposed_output(op, &xs, &ws, output_padding).or_fail();
    let (n, layers_in, kernel, outputs) = (xs[0], xs[2], ws[2], ws[1] * options.groups);
    if let Some(bias) = bias {
        check_conv_bias(op, &bias.shape(), outputs).or_fail();
    }
    [n, layers_in, outputs, kernel, rows, columns].into_iter().collect::<Shape>().affordable(op).or_fail();
    // What each layer of the input gives to the layers of the kernel, which then lie on layers of the output.
    let x = x.transpose(1, 2).reshape([n * layers_in, xs[1], xs[3], xs[4]]);
    let weight = weight.reshape([ws[0], ws[1] * kernel, ws[3], ws[4]]);
    let [_, of_rows, of_columns] = output_padding;
    let y = transposed(op, &x, &weight, None, [of_rows, of_columns], of_layers(options));
    let y = y.reshape([n, layers_in, outputs, kernel, rows, columns]).permute([0, 2, 1, 3, 4, 5]);
    let border = options.padding[0];
    let whole = [n, outputs, depth.saturating_add(border.saturating_mul(2)), rows, columns];
    let whole = Shape::from(whole).checked(op).or_fail();
    let sums = IndexAdd { axis: 2, indices: layers(layers_in, kernel, &options), shape: whole };
    let y = V::apply(sums, &[&y]).slice(2, border..border + depth);
    match bias {
        Some(bias) => y + bias.reshape([outputs, 1, 1, 1]),
        None => y,
    }
}

/// The layers, in depth and with the padding, that the layers of a kernel meet: a row of them for each of its places.
#[track_caller]
fn layers(places: usize, kernel: usize, options: &Conv3dOptions) -> Indices {
    let (stride, dilation) = (options.stride[0], options.dilation[0]);
    let layers: Vec<usize> =
        (0..places).flat_map(|i| (0..kernel).map(move |a| i * stride + a * dilation)).collect();
    Indices::from(layers).reshape([places, kernel])
}

/// How the kernel moves over each layer.
fn of_layers(Conv3dOptions { stride, padding, dilation, groups }: Conv3dOptions) -> Conv2dOptions {
    let last = |[_, rows, columns]: [usize; 3]| [rows, columns];
    Conv2dOptions { stride: last(stride), padding: last(padding), dilation: last(dilation), groups }
}
