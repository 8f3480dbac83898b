"""Golden values of layers, from PyTorch's modules in double precision, and a saved model of single precision.

Needs torch (2.x). Run it in this directory: python layers.py > layers.txt; it also writes cnn.safetensors.
A case is its name; the module's state_dict before; an input and a cotangent; and for each mode (`train`, `eval`, or `any`
where both give the same) the output, the gradients of sum(output * cotangent) by the input and the parameters, and the
buffers after it. Inputs and parameters are multiples of 1/16, so that single precision holds them exactly.
"""

import json
import struct

import torch
from torch import nn

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
EPS_F32 = torch.finfo(torch.float32).eps


def draw(*shape, scale=1.0):
    return (torch.randn(shape) * 16 * scale).round() / 16


def show(kind, tensor):
    shape = ",".join(str(n) for n in tensor.shape)
    print(kind, f"[{shape}]", *(f"{value:.9g}" for value in tensor.flatten().tolist()))


def randomise(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(draw(*parameter.shape))
        for name, buffer in module.named_buffers():
            if name.endswith("num_batches_tracked"):
                buffer.fill_(3)
            elif name.endswith("running_var"):
                buffer.copy_(draw(*buffer.shape).abs() + 0.5)
            else:
                buffer.copy_(draw(*buffer.shape))


def run(module, value, cotangent, mode):
    module.train(mode != "eval")
    value = value.clone()
    if value.is_floating_point():
        value.requires_grad_()
    module.zero_grad()
    output = module(value)
    output.backward(cotangent)
    print("mode", mode)
    show("output", output)
    if value.is_floating_point():
        show("gradient input", value.grad)
    for name, parameter in module.named_parameters():
        show(f"gradient {name}", parameter.grad)
    if mode == "train":
        for name, buffer in module.named_buffers():
            show(f"after {name}", buffer)


def case(name, module, value, modes=("any",), keep=False):
    if not keep:
        randomise(module)
    print("case", name)
    for key, tensor in module.state_dict().items():
        show(f"state {key}", tensor)
    show("input", value)
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    cotangent = draw(*module(value).shape)
    show("cotangent", cotangent)
    for mode in modes:
        module.load_state_dict(before)
        run(module, value, cotangent, mode)


BOTH = ("train", "eval")

case("linear", nn.Linear(4, 3), draw(2, 4))
case("linear_vector", nn.Linear(4, 3), draw(4))
case("linear_rank_3", nn.Linear(2, 3), draw(2, 3, 2))
case("linear_without_bias", nn.Linear(5, 1, bias=False), draw(3, 5))

case("conv1d", nn.Conv1d(2, 3, 3), draw(2, 2, 6))
case("conv1d_stride_padding", nn.Conv1d(2, 3, 4, stride=3, padding=2), draw(2, 2, 7))
case("conv1d_dilation_groups", nn.Conv1d(4, 6, 2, dilation=3, groups=2), draw(1, 4, 6))
case("conv1d_without_bias", nn.Conv1d(3, 2, 1, bias=False), draw(2, 3, 4))
case("conv2d", nn.Conv2d(2, 3, 3), draw(2, 2, 4, 5))
case("conv2d_rectangular", nn.Conv2d(2, 3, (1, 3), stride=(1, 2), padding=(0, 1)), draw(1, 2, 3, 5))
case("conv2d_dilation_groups", nn.Conv2d(4, 2, 2, dilation=(1, 2), groups=2, padding=1), draw(1, 4, 3, 4))
case("conv2d_depthwise", nn.Conv2d(3, 6, 3, groups=3, stride=2, padding=1, bias=False), draw(1, 3, 5, 4))
case("conv_transpose1d", nn.ConvTranspose1d(2, 3, 3), draw(2, 2, 4))
case("conv_transpose1d_stride", nn.ConvTranspose1d(2, 3, 4, stride=3, padding=1, output_padding=2), draw(1, 2, 3))
case("conv_transpose1d_dilation", nn.ConvTranspose1d(2, 1, 2, dilation=3, bias=False), draw(2, 2, 3))
case("conv_transpose1d_groups", nn.ConvTranspose1d(4, 6, 2, groups=2, stride=2), draw(1, 4, 3))
case("conv_transpose2d", nn.ConvTranspose2d(2, 3, 3), draw(1, 2, 2, 3))
case("conv_transpose2d_twice", nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1), draw(1, 2, 3, 2))
case(
    "conv_transpose2d_rectangular",
    nn.ConvTranspose2d(2, 3, (1, 3), stride=(2, 3), padding=(0, 1), output_padding=(1, 2), dilation=(1, 2)),
    draw(1, 2, 2, 2),
)
case("conv_transpose2d_groups", nn.ConvTranspose2d(4, 2, 2, groups=2, bias=False), draw(1, 4, 2, 3))

case("batch_norm1d", nn.BatchNorm1d(3), draw(5, 3), BOTH)
case("batch_norm1d_rows", nn.BatchNorm1d(3, eps=1e-3, momentum=0.3), draw(2, 3, 4), BOTH)
case("batch_norm1d_cumulative", nn.BatchNorm1d(2, momentum=None), draw(4, 2), BOTH)
case("batch_norm1d_plain", nn.BatchNorm1d(2, affine=False), draw(6, 2), BOTH)
case("batch_norm2d", nn.BatchNorm2d(2), draw(2, 2, 3, 2), BOTH)
case("batch_norm2d_one_image", nn.BatchNorm2d(3, eps=1e-3, momentum=0.25), draw(1, 3, 2, 3), BOTH)
case("batch_norm2d_cumulative", nn.BatchNorm2d(2, momentum=None), draw(3, 2, 2, 2), BOTH)
case("batch_norm2d_plain", nn.BatchNorm2d(2, affine=False, momentum=1.0), draw(4, 2, 1, 2), BOTH)
case("batch_norm3d", nn.BatchNorm3d(2), draw(2, 2, 2, 1, 2), BOTH)
case("layer_norm", nn.LayerNorm(4), draw(3, 4))
case("layer_norm_two_axes", nn.LayerNorm((3, 2), eps=1e-3), draw(2, 3, 2))
case("layer_norm_without_bias", nn.LayerNorm(5, bias=False), draw(2, 2, 5))
case("layer_norm_plain", nn.LayerNorm(6, elementwise_affine=False), draw(2, 6))
case("rms_norm", nn.RMSNorm(4, eps=EPS_F32), draw(3, 4))
case("rms_norm_two_axes", nn.RMSNorm((3, 2), eps=1e-3), draw(2, 3, 2))
case("rms_norm_rank_3", nn.RMSNorm(5, eps=1e-5), draw(2, 2, 5))
case("rms_norm_plain", nn.RMSNorm(6, eps=EPS_F32, elementwise_affine=False), draw(2, 6))
case("group_norm", nn.GroupNorm(2, 4), draw(2, 4, 3))
case("group_norm_one_group", nn.GroupNorm(1, 3, eps=1e-3), draw(2, 3, 2, 2))
case("group_norm_vectors", nn.GroupNorm(2, 6), draw(3, 6))
case("group_norm_plain", nn.GroupNorm(3, 6, affine=False), draw(2, 6, 2))
case("instance_norm1d", nn.InstanceNorm1d(2), draw(2, 2, 4))
case("instance_norm1d_affine", nn.InstanceNorm1d(3, affine=True), draw(2, 3, 3))
case("instance_norm1d_eps", nn.InstanceNorm1d(2, eps=0.1), draw(1, 2, 5))
case("instance_norm1d_affine_eps", nn.InstanceNorm1d(2, eps=0.01, affine=True), draw(2, 2, 3))
case("instance_norm2d", nn.InstanceNorm2d(2), draw(2, 2, 2, 2))
case("instance_norm2d_affine", nn.InstanceNorm2d(2, affine=True), draw(2, 2, 2, 3))
case("instance_norm2d_eps", nn.InstanceNorm2d(3, eps=0.1), draw(1, 3, 3, 2))
case("instance_norm2d_affine_eps", nn.InstanceNorm2d(2, eps=0.01, affine=True), draw(1, 2, 3, 3))

# What is random in training is compared in evaluation, and where chance has no choice.
for kind in (nn.Dropout, nn.Dropout2d, nn.AlphaDropout):
    name = {nn.Dropout: "dropout", nn.Dropout2d: "dropout2d", nn.AlphaDropout: "alpha_dropout"}[kind]
    case(f"{name}", kind(0.5), draw(2, 3, 2, 1), ("eval",))
    case(f"{name}_little", kind(0.1), draw(2, 2, 1, 2), ("eval",))
    case(f"{name}_nothing", kind(0.0), draw(3, 2, 1, 1))
    case(f"{name}_most", kind(0.9), draw(1, 3, 1, 2), ("eval",))
    if kind != nn.AlphaDropout:
        case(f"{name}_all", kind(1.0), draw(2, 3, 1, 1), BOTH)

case("max_pool1d", nn.MaxPool1d(2), draw(1, 2, 5))
case("max_pool1d_overlapping", nn.MaxPool1d(3, stride=1, padding=1), draw(2, 1, 5))
case("max_pool1d_dilation", nn.MaxPool1d(2, stride=2, dilation=3), draw(1, 2, 7))
case("max_pool1d_ceil", nn.MaxPool1d(3, stride=2, ceil_mode=True), draw(1, 2, 6))
case("max_pool2d", nn.MaxPool2d(2), draw(1, 2, 4, 5))
case("max_pool2d_overlapping", nn.MaxPool2d(3, stride=1, padding=1), draw(1, 1, 4, 3))
case("max_pool2d_rectangular", nn.MaxPool2d((1, 3), stride=(2, 1), dilation=(1, 2)), draw(1, 2, 3, 6))
case("max_pool2d_ceil", nn.MaxPool2d(2, stride=(2, 3), padding=(1, 0), ceil_mode=True), draw(2, 1, 4, 4))
case("avg_pool1d", nn.AvgPool1d(2), draw(1, 2, 5))
case("avg_pool1d_overlapping", nn.AvgPool1d(3, stride=1, padding=1), draw(2, 1, 5))
case("avg_pool1d_without_padding", nn.AvgPool1d(3, stride=2, padding=1, count_include_pad=False), draw(1, 2, 6))
case("avg_pool1d_ceil", nn.AvgPool1d(3, stride=2, ceil_mode=True), draw(1, 2, 6))
case("avg_pool2d", nn.AvgPool2d(2), draw(1, 2, 4, 5))
case("avg_pool2d_overlapping", nn.AvgPool2d(3, stride=1, padding=1), draw(1, 1, 4, 3))
case("avg_pool2d_rectangular", nn.AvgPool2d((1, 3), stride=(2, 1), padding=(0, 1), count_include_pad=False), draw(1, 2, 3, 5))
case("avg_pool2d_ceil", nn.AvgPool2d(2, stride=(2, 3), padding=(1, 0), ceil_mode=True), draw(2, 1, 4, 4))
for name, kind in [("adaptive_max_pool", "AdaptiveMaxPool"), ("adaptive_avg_pool", "AdaptiveAvgPool")]:
    for output, length in [(1, 5), (2, 5), (3, 4), (6, 4)]:
        case(f"{name}1d_{output}", getattr(nn, kind + "1d")(output), draw(1, 2, length))
    for output, size in [((1, 1), (3, 4)), ((2, 2), (3, 5)), ((3, 1), (4, 2)), ((4, 5), (3, 3))]:
        case(f"{name}2d_{output[0]}_{output[1]}", getattr(nn, kind + "2d")(output), draw(1, 2, *size))


class GlobalAvgPool2d(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


for shape in [(1, 1, 1, 1), (2, 3, 2, 2), (1, 2, 3, 4), (2, 1, 5, 1)]:
    case("global_avg_pool2d_" + "_".join(map(str, shape)), GlobalAvgPool2d(), draw(*shape))


class PoolUnpool(nn.Module):
    def __init__(self, size, *sizes):
        super().__init__()
        self.pool = nn.MaxPool2d(*sizes, return_indices=True)
        self.unpool = nn.MaxUnpool2d(*sizes)
        self.size = size

    def forward(self, x):
        return self.unpool(*self.pool(x), output_size=self.size)


case("max_unpool2d", PoolUnpool(None, 2), draw(1, 2, 4, 6))
case("max_unpool2d_rest", PoolUnpool((5, 3), 2), draw(1, 2, 5, 3))
case("max_unpool2d_padding", PoolUnpool(None, 2, 2, 1), draw(2, 1, 4, 4))
case("max_unpool2d_rectangular", PoolUnpool(None, (1, 3), (2, 3)), draw(1, 1, 3, 6))

case("upsample_nearest", nn.Upsample(scale_factor=2), draw(1, 2, 2, 3))
case("upsample_nearest_size", nn.Upsample(size=(5, 2)), draw(1, 1, 3, 4))
case("upsample_bilinear", nn.Upsample(scale_factor=2, mode="bilinear"), draw(1, 2, 2, 3))
case("upsample_bilinear_rectangular", nn.Upsample(scale_factor=(1, 3), mode="bilinear"), draw(1, 1, 3, 2))
case("upsample_bilinear_size", nn.Upsample(size=(5, 2), mode="bilinear"), draw(1, 1, 3, 4))
case("upsample_bilinear_corners", nn.Upsample(size=(4, 5), mode="bilinear", align_corners=True), draw(1, 1, 3, 2))
case("flatten", nn.Flatten(), draw(2, 3, 2))
case("flatten_matrix", nn.Flatten(), draw(2, 3))
case("flatten_images", nn.Flatten(), draw(1, 2, 2, 3))
case("flatten_vector_of_ones", nn.Flatten(), draw(3, 1, 1, 1))
case("unflatten", nn.Unflatten(1, (2, 3)), draw(2, 6))
case("unflatten_first", nn.Unflatten(0, (2, 1, 2)), draw(4, 2))
case("unflatten_last", nn.Unflatten(-1, (3,)), draw(2, 2, 3))
case("unflatten_middle", nn.Unflatten(1, (2, 2)), draw(1, 4, 2))

case("embedding", nn.Embedding(5, 3), torch.tensor([1, 4, 1, 0]))
case("embedding_matrix", nn.Embedding(4, 2), torch.tensor([[1, 3], [3, 3]]))
case("embedding_padding", nn.Embedding(4, 2, padding_idx=1), torch.tensor([[1, 3, 1], [0, 1, 2]]))
case("embedding_scalar", nn.Embedding(3, 4), torch.tensor(2))


class Residual(nn.Module):
    def __init__(self, block, shortcut=None):
        super().__init__()
        self.block = block
        self.shortcut = shortcut or nn.Identity()

    def forward(self, x):
        return self.block(x) + self.shortcut(x)


case("residual", Residual(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))), draw(2, 3))
case("residual_shortcut", Residual(nn.Linear(3, 2), nn.Linear(3, 2, bias=False)), draw(2, 3))
bottleneck = nn.Sequential(
    nn.Conv2d(3, 2, 1, bias=False), nn.BatchNorm2d(2), nn.ReLU(),
    nn.Conv2d(2, 2, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 4, 1),
)
case("residual_bottleneck", Residual(bottleneck, nn.Conv2d(3, 4, 1, stride=2)), draw(2, 3, 3, 3), BOTH)
pre = nn.Sequential(nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 2, 3, padding=1))
case("residual_pre_activation", Residual(pre), draw(2, 2, 2, 3), BOTH)

SHAPES = [(), (5,), (2, 4), (1, 2, 3)]
for name, modules in {
    "identity": [nn.Identity()] * 4,
    "sigmoid": [nn.Sigmoid()] * 4,
    "tanh": [nn.Tanh()] * 4,
    "relu": [nn.ReLU()] * 4,
    "relu6": [nn.ReLU6()] * 4,
    "selu": [nn.SELU()] * 4,
    "gelu": [nn.GELU()] * 4,
    "gelu_tanh": [nn.GELU(approximate="tanh")] * 4,
    "silu": [nn.SiLU()] * 4,
    "mish": [nn.Mish()] * 4,
    "softplus": [nn.Softplus(threshold=1000)] * 4,
    "softsign": [nn.Softsign()] * 4,
    "hardsigmoid": [nn.Hardsigmoid()] * 4,
    "hardswish": [nn.Hardswish()] * 4,
    "log_sigmoid": [nn.LogSigmoid()] * 4,
    "leaky_relu": [nn.LeakyReLU(), nn.LeakyReLU(0.2), nn.LeakyReLU(0.0), nn.LeakyReLU(1.5)],
    "elu": [nn.ELU(), nn.ELU(0.5), nn.ELU(2.0), nn.ELU(1.5)],
    "celu": [nn.CELU(), nn.CELU(0.5), nn.CELU(2.0), nn.CELU(1.5)],
    "hardtanh": [nn.Hardtanh(), nn.Hardtanh(-0.5, 2.0), nn.Hardtanh(0.0, 1.0), nn.Hardtanh(-2.5, -0.25)],
    # One slope is certain.
    "rrelu": [nn.RReLU(0.25, 0.25), nn.RReLU(0.0, 0.0), nn.RReLU(1.0, 1.0), nn.RReLU(-0.5, -0.5)],
}.items():
    for i, (module, shape) in enumerate(zip(modules, SHAPES)):
        case(f"{name}_{i}", module, draw(*shape, scale=2.5))
for i, shape in enumerate(SHAPES):
    case(f"rrelu_eval_{i}", nn.RReLU([1 / 8, 0.1, 0.0, 0.5][i], [1 / 3, 0.3, 1.0, 0.75][i]), draw(*shape), ("eval",))
for kind, name in [(nn.Softmax, "softmax"), (nn.LogSoftmax, "log_softmax")]:
    for i, (shape, dim) in enumerate([((4,), 0), ((2, 3), -1), ((3, 2), 0), ((2, 3, 2), 1)]):
        case(f"{name}_{i}", kind(dim), draw(*shape, scale=2.0))
for i, (slopes, shape) in enumerate([(1, (4,)), (1, (2, 3)), (3, (2, 3)), (2, (1, 2, 3))]):
    case(f"prelu_{i}", nn.PReLU(slopes), draw(*shape))

# A small network: trained a little in single precision, saved as it is, and computed on in double precision.
torch.set_default_dtype(torch.float32)
net = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for step in range(5):
    x, target = torch.randn(8, 1, 4, 4), torch.randint(2, (8,))
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x), target).backward()
    optimizer.step()

CODES = {torch.float32: "F32", torch.int64: "I64"}
header, data = {}, b""
for name, tensor in net.state_dict().items():
    raw = tensor.numpy().tobytes()
    offsets = [len(data), len(data) + len(raw)]
    header[name] = {"dtype": CODES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets}
    data += raw
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open("cnn.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)

torch.set_default_dtype(torch.float64)
net = net.double()
net.eval()
x = draw(3, 1, 4, 4)
print("case cnn")
show("input", x)
print("mode eval")
show("output", net(x))

# Appended later: what stands above keeps its random numbers.
case("conv3d", nn.Conv3d(2, 3, 2), draw(1, 2, 2, 3, 3))
case(
    "conv3d_rectangular",
    nn.Conv3d(2, 2, (2, 1, 3), stride=(1, 2, 2), padding=(1, 0, 1), dilation=(2, 1, 1), bias=False),
    draw(1, 2, 2, 3, 4),
)
case("conv3d_groups", nn.Conv3d(4, 2, 2, groups=2, padding=1, stride=2), draw(1, 4, 2, 3, 2))
case("conv_transpose3d", nn.ConvTranspose3d(2, 3, 2), draw(1, 2, 2, 1, 2))
case(
    "conv_transpose3d_groups",
    nn.ConvTranspose3d(4, 2, (2, 1, 3), (2, 1, 3), (1, 0, 1), (1, 0, 2), 2, dilation=(2, 1, 1)),
    draw(1, 4, 2, 2, 2),
)
case("max_pool3d", nn.MaxPool3d(2), draw(1, 2, 4, 5, 2))
case(
    "max_pool3d_rectangular",
    nn.MaxPool3d((3, 2, 2), stride=(1, 2, 1), padding=(1, 0, 1), dilation=(1, 1, 2), ceil_mode=True),
    draw(1, 2, 3, 3, 4),
)
case("avg_pool3d", nn.AvgPool3d(2), draw(1, 2, 4, 5, 2))
case(
    "avg_pool3d_without_padding",
    nn.AvgPool3d((3, 2, 2), (1, 2, 1), (1, 0, 1), ceil_mode=True, count_include_pad=False),
    draw(1, 2, 3, 3, 4),
)
case("batch_norm3d_eps", nn.BatchNorm3d(3, eps=1e-3, momentum=0.3), draw(1, 3, 2, 2, 1), BOTH)
case("batch_norm3d_cumulative", nn.BatchNorm3d(2, momentum=None), draw(3, 2, 1, 2, 1), BOTH)
case("batch_norm3d_plain", nn.BatchNorm3d(1, affine=False, momentum=1.0), draw(2, 1, 2, 1, 3), BOTH)
case("conv3d_same_size", nn.Conv3d(1, 2, 3, padding=1), draw(2, 1, 2, 3, 2))
case("conv_transpose3d_stride", nn.ConvTranspose3d(1, 2, 2, stride=2, bias=False), draw(2, 1, 2, 1, 2))
case(
    "conv_transpose3d_padding",
    nn.ConvTranspose3d(2, 2, 3, stride=(2, 1, 2), padding=1, output_padding=(1, 0, 1)),
    draw(1, 2, 2, 2, 1),
)
case("max_pool3d_overlapping", nn.MaxPool3d(2, stride=1), draw(1, 2, 3, 2, 3))
case("max_pool3d_padding", nn.MaxPool3d(3, stride=2, padding=1), draw(2, 1, 3, 2, 4))
case("avg_pool3d_padding", nn.AvgPool3d(3, stride=2, padding=1), draw(2, 1, 3, 3, 4))
case("avg_pool3d_ceil", nn.AvgPool3d(2, ceil_mode=True), draw(1, 1, 3, 3, 5))
for i, (module, shape) in enumerate(zip([nn.Softplus(), nn.Softplus(2, 1), nn.Softplus(0.5), nn.Softplus(-1.5, 0.5)], SHAPES)):
    case(f"softplus_with_{i}", module, draw(*shape, scale=2.5))
bags = torch.tensor([[1, 4, 1], [0, 2, 3]])
case("embedding_bag", nn.EmbeddingBag(5, 3), bags)
case("embedding_bag_sum", nn.EmbeddingBag(5, 2, mode="sum"), bags)
case("embedding_bag_max", nn.EmbeddingBag(5, 4, mode="max"), bags)
case("embedding_bag_padding", nn.EmbeddingBag(5, 2, padding_idx=1), bags)
