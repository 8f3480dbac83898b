"""Golden values of layers' operations, from PyTorch in double precision: python layers.py > layers.txt (needs torch).

Each case is a name, the inputs, a cotangent, the output, and the gradients of sum(output * cotangent) by the inputs.
Inputs are multiples of 1/16, so that single precision holds them exactly.
"""

import torch
import torch.nn.functional as F

torch.manual_seed(0)


def draw(*shape):
    return (torch.randn(*shape, dtype=torch.float64) * 16).round() / 16


def show(kind, tensor):
    shape = ",".join(str(n) for n in tensor.shape)
    print(kind, f"[{shape}]", *(f"{value:.9g}" for value in tensor.flatten().tolist()))


def case(name, function, *inputs):
    inputs = [value.clone().requires_grad_() for value in inputs]
    output = function(*inputs)
    cotangent = draw(*output.shape)
    gradients = torch.autograd.grad(output, inputs, cotangent)
    print("case", name)
    for value in inputs:
        show("input", value)
    show("cotangent", cotangent)
    show("output", output)
    for gradient in gradients:
        show("gradient", gradient)


x, w, b = draw(2, 3, 4), draw(3, 4), draw(3, 4)
case("layer_norm", lambda x, w, b: F.layer_norm(x, (3, 4), w, b, 1e-5), x, w, b)
case("layer_norm_plain", lambda x: F.layer_norm(x, (4,), None, None, 1e-3), x)
case("layer_norm_long", lambda x, w, b: F.layer_norm(x, (37,), w, b, 1e-5), draw(2, 37), draw(37), draw(37))
case("rms_norm", lambda x, w: F.rms_norm(x, (4,), w, 1e-5), x, draw(4))
x, w, b = draw(3, 2, 2, 5), draw(2), draw(2)
case("batch_norm", lambda x, w, b: F.batch_norm(x, None, None, w, b, True, 0.1, 1e-5), x, w, b)
case("batch_norm_long", lambda x, w, b: F.batch_norm(x, None, None, w, b, True, 0.1, 1e-5), draw(2, 2, 4, 5), w, b)
case("batch_norm_mean", lambda x: x.mean((0, 2, 3)), x)
case("batch_norm_variance", lambda x: x.var((0, 2, 3), correction=0), x)
case("batch_norm_rank_2", lambda x, w, b: F.batch_norm(x, None, None, w, b, True, 0.1, 1e-5), draw(7, 2), w, b)
mean, variance = torch.tensor([[0.25, -1.5], [0.5, 2.25]], dtype=torch.float64)
case("batch_norm_with", lambda x, w, b: F.batch_norm(x, mean, variance, w, b, False, 0.1, 1e-3), x, w, b)
x, w, b = draw(2, 4, 3, 3), draw(4), draw(4)
case("group_norm", lambda x, w, b: F.group_norm(x, 2, w, b, 1e-5), x, w, b)
case("instance_norm", lambda x, w, b: F.instance_norm(x, None, None, w, b, True, 0.1, 1e-5), x, w, b)

attention = F.scaled_dot_product_attention
q, k, v = draw(2, 3, 4), draw(2, 5, 4), draw(2, 5, 3)
mask = torch.tensor([[1, 0, 1, 1, 0], [0, 1, 0, 0, 0], [1, 1, 1, 1, 1]], dtype=torch.bool)
case("attention", lambda q, k, v: attention(q, k, v), q, k, v)
case("attention_mask", lambda q, k, v: attention(q, k, v, attn_mask=mask), q, k, v)
case("attention_causal", lambda q, k, v: attention(q, k, v, is_causal=True), q, k, v)

x, w, b = draw(2, 4, 9), draw(6, 2, 3), draw(6)
case("conv1d", lambda x, w, b: F.conv1d(x, w, b, 2, 3, 2, 2), x, w, b)
case("conv_transpose1d", lambda x, w, b: F.conv_transpose1d(x, w, b, 3, 1, 2, 2, 2), x, draw(4, 3, 2), b)
x, w, b = draw(1, 4, 5, 6), draw(6, 2, 3, 2), draw(6)
case("conv2d", lambda x, w, b: F.conv2d(x, w, b, (2, 1), (1, 2), (1, 3), 2), x, w, b)
x, w = draw(1, 4, 3, 2), draw(4, 3, 2, 3)
case("conv_transpose2d", lambda x, w, b: F.conv_transpose2d(x, w, b, (2, 3), (1, 0), (1, 2), 2, (2, 1)), x, w, b)
case("unfold", lambda x: F.unfold(x, (2, 3), (1, 2), (1, 0), (2, 1)), draw(1, 2, 4, 5))
case("fold", lambda x: F.fold(x, (4, 5), (2, 3), (1, 2), (1, 0), (2, 1)), draw(1, 12, 3))

x = draw(1, 2, 9)
case("max_pool1d", lambda x: F.max_pool1d(x, 3, 2, 1, 2, ceil_mode=True), x)
case("avg_pool1d", lambda x: F.avg_pool1d(x, 4, 3, 2, ceil_mode=True, count_include_pad=False), x)
case("adaptive_max_pool1d", lambda x: F.adaptive_max_pool1d(x, 4), x)
case("adaptive_avg_pool1d", lambda x: F.adaptive_avg_pool1d(x, 4), x)
x = draw(1, 2, 6, 7)
case("max_pool2d", lambda x: F.max_pool2d(x, (2, 3), (2, 2), (1, 1), (2, 1), ceil_mode=True), x)
case("avg_pool2d", lambda x: F.avg_pool2d(x, (2, 3), (2, 2), (1, 1), True, True), x)
case("avg_pool2d_without_pad", lambda x: F.avg_pool2d(x, (2, 3), (2, 2), (1, 1), True, False), x)
case("adaptive_max_pool2d", lambda x: F.adaptive_max_pool2d(x, (4, 3)), x)
case("adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, (4, 3)), x)
case("max_unpool2d", lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, 2, return_indices=True), 2, 2, 0, (6, 7)), x)

x = draw(1, 2, 3, 4)
case("upsample_nearest2d", lambda x: F.interpolate(x, (7, 6), mode="nearest"), x)
case("downsample_nearest2d", lambda x: F.interpolate(x, (2, 3), mode="nearest"), x)
case("upsample_bilinear2d", lambda x: F.interpolate(x, (7, 6), mode="bilinear", align_corners=False), x)
case("upsample_bilinear2d_corners", lambda x: F.interpolate(x, (7, 6), mode="bilinear", align_corners=True), x)
case("downsample_bilinear2d", lambda x: F.interpolate(x, (2, 3), mode="bilinear", align_corners=False), x)
case("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), draw(1, 8, 2, 3))
case("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2), draw(1, 2, 4, 2))

# Appended later: what stands above keeps its random numbers.
x, w, b = draw(1, 4, 4, 3, 5), draw(2, 2, 2, 2, 3), draw(2)
case("conv3d", lambda x, w, b: F.conv3d(x, w, b, (2, 1, 2), (1, 0, 1), (1, 2, 1), 2), x, w, b)
x, w = draw(1, 4, 2, 3, 2), draw(4, 1, 3, 2, 2)
case("conv_transpose3d",
     lambda x, w, b: F.conv_transpose3d(x, w, b, (2, 1, 3), (1, 0, 1), (1, 0, 2), 2, (1, 2, 1)), x, w, b)
x = draw(1, 2, 4, 4, 5)
case("max_pool3d", lambda x: F.max_pool3d(x, (2, 3, 2), (2, 1, 2), (1, 1, 0), (2, 1, 1), ceil_mode=True), x)
case("avg_pool3d", lambda x: F.avg_pool3d(x, (2, 3, 2), (2, 1, 2), (1, 1, 0), ceil_mode=True), x)
case("avg_pool3d_without_pad",
     lambda x: F.avg_pool3d(x, (2, 3, 2), (2, 1, 2), (1, 1, 0), ceil_mode=True, count_include_pad=False), x)
case("avg_pool1d_dilated", lambda x: x.unfold(2, 5, 2)[..., ::2].mean(3), draw(1, 2, 9))
case("avg_pool3d_divisor", lambda x: F.avg_pool3d(x, (2, 3, 2), 2, (1, 1, 0), True, divisor_override=5), x)
case("adaptive_max_pool3d", lambda x: F.adaptive_max_pool3d(x, (3, 1, 2)), x)
case("adaptive_avg_pool3d", lambda x: F.adaptive_avg_pool3d(x, (3, 1, 2)), x)
case("lp_pool3d", lambda x: F.lp_pool3d(x, 2.0, (2, 3, 2), (2, 1, 2), ceil_mode=True), x)

x = draw(1, 2, 3, 4)
for name, size in [("up", (7, 5)), ("down", (2, 3)), ("same", (3, 4)), ("one", (1, 1))]:
    case(f"nearest_exact_{name}", lambda x: F.interpolate(x, size, mode="nearest-exact"), x)
    case(f"bicubic_{name}", lambda x: F.interpolate(x, size, mode="bicubic", align_corners=False), x)
    case(f"bicubic_corners_{name}", lambda x: F.interpolate(x, size, mode="bicubic", align_corners=True), x)
case("bicubic_of_one", lambda x: F.interpolate(x, (3, 2), mode="bicubic", align_corners=False), draw(1, 2, 1, 1))
for name, factors in [("2.4", 2.4), ("1.4_0.6", (1.4, 0.6)), ("0.7_3", (0.7, 3.0))]:
    for recompute in [False, True]:
        for mode in ["nearest", "nearest-exact", "bilinear", "bilinear_corners", "bicubic", "bicubic_corners"]:
            corners = None if mode.startswith("nearest") else mode.endswith("corners")
            case(f"{mode}_by_{name}{'_recomputed' if recompute else ''}",
                 lambda x: F.interpolate(x, scale_factor=factors, mode=mode.removesuffix("_corners"), align_corners=corners,
                                         recompute_scale_factor=recompute), x)
for mode in ["bilinear", "bicubic"]:
    case(f"{mode}_by_1.3_1.6", lambda x: F.interpolate(x, scale_factor=(1.3, 1.6), mode=mode, align_corners=False), x)
row, volume = draw(2, 1, 5), draw(1, 1, 2, 3, 4)
for mode in ["nearest-exact", "linear", "linear_corners"]:
    corners = None if mode.startswith("nearest") else mode.endswith("corners")
    plain = mode.removesuffix("_corners")
    cubes = plain.replace("linear", "trilinear")
    case(f"{mode}_row", lambda x: F.interpolate(x, 7, mode=plain, align_corners=corners), row)
    case(f"{mode}_row_by_1.6", lambda x: F.interpolate(x, scale_factor=1.6, mode=plain, align_corners=corners), row)
    case(f"{mode}_volume", lambda x: F.interpolate(x, (4, 2, 5), mode=cubes, align_corners=corners), volume)
    case(f"{mode}_volume_by_1.5", lambda x: F.interpolate(x, scale_factor=1.5, mode=cubes, align_corners=corners), volume)

q, k, v = draw(2, 3, 4), draw(2, 5, 4), draw(2, 5, 3)
case("attention_scale", lambda q, k, v: attention(q, k, v, scale=0.3), q, k, v)
q, k, v = draw(2, 6, 3, 4), draw(2, 2, 5, 4), draw(2, 2, 5, 3)
case("attention_grouped", lambda q, k, v: attention(q, k, v, enable_gqa=True), q, k, v)
case("attention_grouped_mask", lambda q, k, v: attention(q, k, v, attn_mask=mask, scale=-1.5, enable_gqa=True), q, k, v)
case("attention_grouped_causal", lambda q, k, v: attention(q, k, v, is_causal=True, enable_gqa=True), q, k, v)
case("attention_grouped_bias", lambda q, k, v, b: attention(q, k, v, attn_mask=b, enable_gqa=True), q, k, v, draw(6, 1, 5))
case("attention_grouped_values", lambda q, k, v: attention(q, k, v, enable_gqa=True), draw(4, 2, 3), draw(1, 3, 3), draw(2, 3, 2))
