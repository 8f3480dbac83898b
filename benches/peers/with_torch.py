"""The workloads of gradus's yardstick in PyTorch, on the CPU: a JSON line each, with the median microseconds of a call.

    python with_torch.py [--threads N] [--compile] [--seconds S] [--filter PART | --list | --stdin]

With --stdin it reads a name a line, and answers each with a JSON line, so that it can take turns with another program.
"""
import argparse, gzip, json, os, statistics, sys, tempfile, time
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

ap = argparse.ArgumentParser()
ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--compile", action="store_true")
ap.add_argument("--filter", default="")
ap.add_argument("--seconds", type=float, default=1.0)
ap.add_argument("--stdin", action="store_true")
ap.add_argument("--list", action="store_true")
a = ap.parse_args()
torch.set_num_threads(a.threads)
torch.manual_seed(0)
g = torch.randn


def timeit(f, seconds):
    for _ in range(3):
        f()
    t = time.perf_counter(); f(); one = time.perf_counter() - t
    inner = max(1, int(2e-4 / max(one, 1e-9)))
    out = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(out) < 5:
        t = time.perf_counter()
        for _ in range(inner):
            f()
        out.append((time.perf_counter() - t) / inner)
    return statistics.median(out) * 1e6


W = {}


def w(name):
    def deco(make):
        W[name] = make
        return make
    return deco


def fixed(name, make):
    W[name] = make


# ---- kernels -------------------------------------------------------------
def mm(m, k, n, ta=False, tb=False):
    def make():
        x = g(k, m).t() if ta else g(m, k)
        y = g(n, k).t() if tb else g(k, n)
        return lambda: x @ y
    return make


for m, k, n in [(64, 64, 64), (128, 128, 128), (256, 256, 256), (512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048),
                (100, 784, 50), (128, 784, 1024), (128, 1024, 1024), (1, 1024, 1024), (1024, 1024, 1), (4096, 64, 64)]:
    fixed(f"matmul_{m}x{k}x{n}", mm(m, k, n))
fixed("matmul_tn_512", mm(512, 512, 512, ta=True))
fixed("matmul_nt_512", mm(512, 512, 512, tb=True))


@w("bmm_64x64x64x64")
def _():
    x, y = g(64, 64, 64), g(64, 64, 64)
    return lambda: torch.bmm(x, y)


def unary(f, n=1 << 20):
    def make():
        x = g(n)
        return lambda: f(x)
    return make


for nm, f in dict(exp=torch.exp, tanh=torch.tanh, sigmoid=torch.sigmoid, relu=torch.relu, gelu=F.gelu, log=lambda x: torch.log(x.abs() + 1), sqrt=torch.sqrt, neg=torch.neg).items():
    fixed(f"{nm}_1M", unary(f))
fixed("exp_1K", unary(torch.exp, 1024))


@w("add_1M")
def _():
    x, y = g(1 << 20), g(1 << 20)
    return lambda: x + y


@w("add_bias_1024x1024")
def _():
    x, y = g(1024, 1024), g(1024)
    return lambda: x + y


@w("mul_col_1024x1024")
def _():
    x, y = g(1024, 1024), g(1024, 1)
    return lambda: x * y


@w("add_transposed_1024")
def _():
    x, y = g(1024, 1024), g(1024, 1024).t()
    return lambda: x + y


@w("contiguous_transpose_2048")
def _():
    x = g(2048, 2048).t()
    return lambda: x.contiguous()


@w("sum_4M")
def _():
    x = g(1 << 22)
    return lambda: x.sum()


@w("sum_axis0_2048")
def _():
    x = g(2048, 2048)
    return lambda: x.sum(0)


@w("sum_axis1_2048")
def _():
    x = g(2048, 2048)
    return lambda: x.sum(1)


@w("max_axis1_2048")
def _():
    x = g(2048, 2048)
    return lambda: x.max(1)


@w("softmax_512x1000")
def _():
    x = g(512, 1000)
    return lambda: F.softmax(x, 1)


def fb(make_in, f):
    """forward + backward with all gradients."""
    def make():
        ins = make_in()
        for t in ins:
            if t.is_floating_point():
                t.requires_grad_(True)
        out0 = f(*ins)
        go = torch.ones_like(out0)
        leaves = [t for t in ins if t.requires_grad]
        return lambda: torch.autograd.grad(f(*ins), leaves, go)
    return make


fixed("gelu_fb_1M", fb(lambda: (g(1 << 20),), F.gelu))
fixed("cross_entropy_fb_512x1000", fb(lambda: (g(512, 1000), torch.randint(0, 1000, (512,))), F.cross_entropy))
fixed("layernorm_fb_512x768", fb(lambda: (g(512, 768), g(768), g(768)), lambda x, w_, b: F.layer_norm(x, (768,), w_, b)))
fixed("batchnorm_fb_64x64x28x28", fb(lambda: (g(64, 64, 28, 28), g(64), g(64)), lambda x, w_, b: F.batch_norm(x, None, None, w_, b, True)))
fixed("maxpool2_fb_64x32x28x28", fb(lambda: (g(64, 32, 28, 28),), lambda x: F.max_pool2d(x, 2)))


def conv(n, c, h, o, k, s=1, p=0, groups=1):
    return lambda: (g(n, c, h, h), g(o, c // groups, k, k), g(o)), lambda x, w_, b: F.conv2d(x, w_, b, s, p, 1, groups)


CONVS = {
    "conv5x5_100x1x28_30": conv(100, 1, 28, 30, 5),
    "conv3x3_8x64x56_64": conv(8, 64, 56, 64, 3, 1, 1),
    "conv3x3_8x256x14_256": conv(8, 256, 14, 256, 3, 1, 1),
    "conv1x1_8x256x28_64": conv(8, 256, 28, 64, 1),
    "conv3x3s2_8x64x56_128": conv(8, 64, 56, 128, 3, 2, 1),
    "conv7x7s2_4x3x224_64": conv(4, 3, 224, 64, 7, 2, 3),
    "dwconv3x3_8x128x28": conv(8, 128, 28, 128, 3, 1, 1, 128),
}
for nm, (mk, f) in CONVS.items():
    def fwd(mk=mk, f=f):
        ins = mk()
        return lambda: f(*ins)
    fixed(nm + "_fwd", fwd)
    fixed(nm + "_fb", fb(mk, f))


def turned():
    theta = torch.tensor([[[1.0, 0.2, 0.1], [-0.2, 1.0, -0.1]]]).expand(8, 2, 3)
    return g(8, 64, 56, 56), F.affine_grid(theta, [8, 64, 56, 56], align_corners=False)


@w("grid_sample_8x64x56_fwd")
def _():
    x, grid = turned()
    return lambda: F.grid_sample(x, grid, align_corners=False)


fixed("grid_sample_8x64x56_fb", fb(turned, lambda x, grid: F.grid_sample(x, grid, align_corners=False)))


def square(f):
    def make():
        x = g(1024, 1024)
        return lambda: f(x)
    return make


columns = torch.randint(0, 1024, (1024, 1024))
for nm, f in {
    "sort_1024x1024": lambda x: torch.sort(x, dim=1, stable=True),
    "cumsum_1024x1024": lambda x: x.cumsum(1),
    "cumsum_axis0_1024x1024": lambda x: x.cumsum(0),
    "cumprod_1024x1024": lambda x: x.cumprod(1),
    "gather_1024x1024": lambda x: x.gather(1, columns),
    "scatter_add_1024x1024": lambda x: torch.zeros(1024, 1024).scatter_add(1, columns, x),
}.items():
    fixed(nm, square(f))


@w("topk_512x10000_k10")
def _():
    x = g(512, 10000)
    return lambda: x.topk(10, 1)


@w("index_select_10000x128_4096")
def _():
    x, i = g(10000, 128), torch.randint(0, 10000, (4096,))
    return lambda: x.index_select(0, i)


@w("embedding_fb_10000x128_4096")
def _():
    e = g(10000, 128).requires_grad_(True)
    i = torch.randint(0, 10000, (4096,))
    go = torch.ones(4096, 128)
    return lambda: torch.autograd.grad(F.embedding(i, e), e, go)


# ---- engine overhead -------------------------------------------------------
@w("tiny_chain_1000_fb")
def _():
    """1000 recorded ops on a 4-element tensor, forward and backward."""
    x = g(4).requires_grad_(True)
    c = torch.full((4,), 0.999)
    def f():
        y = x
        for _ in range(500):
            y = (y * c).tanh()
        return torch.autograd.grad(y.sum(), x)
    return f


# ---- training steps -------------------------------------------------------
def step(model, x, loss, opt):
    if a.compile:
        model = torch.compile(model)
    def f():
        opt.zero_grad(set_to_none=True)
        loss(model(x)).backward()
        opt.step()
    return f


@w("train_two_layer_net_b100")
def _():
    m = nn.Sequential(nn.Linear(784, 50), nn.Sigmoid(), nn.Linear(50, 10))
    x, t = g(100, 784), torch.randint(0, 10, (100,))
    return step(m, x, lambda y: F.cross_entropy(y, t), torch.optim.SGD(m.parameters(), 0.1))


@w("train_mlp_784_1024_1024_10_b128_adam")
def _():
    m = nn.Sequential(nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10))
    x, t = g(128, 784), torch.randint(0, 10, (128,))
    return step(m, x, lambda y: F.cross_entropy(y, t), torch.optim.Adam(m.parameters()))


@w("train_simple_convnet_b100_adam")
def _():
    m = nn.Sequential(nn.Conv2d(1, 30, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(30 * 12 * 12, 100), nn.ReLU(), nn.Linear(100, 10))
    x, t = g(100, 1, 28, 28), torch.randint(0, 10, (100,))
    return step(m, x, lambda y: F.cross_entropy(y, t), torch.optim.Adam(m.parameters()))


@w("train_deep_convnet_b100_adam")
def _():
    def c(i, o, p=1):
        return [nn.Conv2d(i, o, 3, padding=p), nn.ReLU()]
    m = nn.Sequential(*c(1, 16), *c(16, 16), nn.MaxPool2d(2), *c(16, 32), *c(32, 32, 2), nn.MaxPool2d(2), *c(32, 64), *c(64, 64), nn.MaxPool2d(2),
                      nn.Flatten(), nn.Linear(64 * 4 * 4, 50), nn.ReLU(), nn.Dropout(0.5), nn.Linear(50, 10), nn.Dropout(0.5))
    x, t = g(100, 1, 28, 28), torch.randint(0, 10, (100,))
    return step(m, x, lambda y: F.cross_entropy(y, t), torch.optim.Adam(m.parameters()))


@w("train_bn_mlp_5x100_b100_sgd")
def _():
    L, i = [], 784
    for _ in range(5):
        L += [nn.Linear(i, 100), nn.BatchNorm1d(100), nn.ReLU()]; i = 100
    m = nn.Sequential(*L, nn.Linear(100, 10))
    x, t = g(100, 784), torch.randint(0, 10, (100,))
    return step(m, x, lambda y: F.cross_entropy(y, t), torch.optim.SGD(m.parameters(), 0.01))


@w("train_lstm_lm_b20_t35_h256")
def _():
    class M(nn.Module):
        def __init__(s):
            super().__init__()
            s.e, s.r, s.o = nn.Embedding(10000, 256), nn.LSTM(256, 256), nn.Linear(256, 10000)
        def forward(s, x):
            return s.o(s.r(s.e(x))[0])
    m = M()
    x, t = torch.randint(0, 10000, (35, 20)), torch.randint(0, 10000, (700,))
    return step(m, x, lambda y: F.cross_entropy(y.reshape(700, -1), t), torch.optim.SGD(m.parameters(), 0.1))


@w("train_gpt_block_b8_t128_d256_h4")
def _():
    class Block(nn.Module):
        def __init__(s, d=256, h=4):
            super().__init__()
            s.h, s.l1, s.l2 = h, nn.LayerNorm(d), nn.LayerNorm(d)
            s.qkv, s.p, s.f1, s.f2 = nn.Linear(d, 3 * d), nn.Linear(d, d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        def forward(s, x):
            B, T, C = x.shape
            q, k, v = s.qkv(s.l1(x)).split(C, 2)
            q, k, v = (z.view(B, T, s.h, C // s.h).transpose(1, 2) for z in (q, k, v))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(B, T, C)
            x = x + s.p(y)
            return x + s.f2(F.gelu(s.f1(s.l2(x))))
    m = Block()
    x = g(8, 128, 256)
    return step(m, x, lambda y: y.square().mean(), torch.optim.AdamW(m.parameters()))


@w("train_resnet_block_b16_c64_h28_bn")
def _():
    class R(nn.Module):
        def __init__(s):
            super().__init__()
            s.c1, s.b1, s.c2, s.b2 = nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64)
        def forward(s, x):
            return F.relu(x + s.b2(s.c2(F.relu(s.b1(s.c1(x))))))
    m = R()
    x = g(16, 64, 28, 28)
    return step(m, x, lambda y: y.square().mean(), torch.optim.SGD(m.parameters(), 0.01, momentum=0.9))


# ---- what users wait for besides -------------------------------------------
def deep_convnet():
    def c(i, o, p=1):
        return [nn.Conv2d(i, o, 3, padding=p), nn.ReLU()]
    return nn.Sequential(*c(1, 16), *c(16, 16), nn.MaxPool2d(2), *c(16, 32), *c(32, 32, 2), nn.MaxPool2d(2), *c(32, 64), *c(64, 64), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(64 * 4 * 4, 50), nn.ReLU(), nn.Dropout(0.5), nn.Linear(50, 10), nn.Dropout(0.5))


@w("infer_deep_convnet_1000")
def _():
    m, x = deep_convnet().eval(), g(1000, 1, 28, 28)
    def f():
        with torch.inference_mode():
            m(x)
    return f


class Block(nn.Module):
    def __init__(s, i, o):
        super().__init__()
        stride = 1 if i == o else 2
        s.body = nn.Sequential(nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(), nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o))
        s.short = nn.Sequential() if i == o else nn.Sequential(nn.Conv2d(i, o, 1, 2, bias=False), nn.BatchNorm2d(o))
    def forward(s, x):
        return F.relu(s.body(x) + s.short(x))


@w("train_resnet18_8x3x64x64_sgd")
def _():
    sizes = [64, 64, 64, 128, 128, 256, 256, 512, 512]
    m = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
                      *(Block(i, o) for i, o in zip(sizes, sizes[1:])), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))
    x, t = g(8, 3, 64, 64), torch.randint(0, 10, (8,))
    return step(m, x, lambda y: F.cross_entropy(y, t), torch.optim.SGD(m.parameters(), 0.01, momentum=0.9))


for parameters in (10, 100, 1000):
    def tiny(hidden=(parameters - 1) // 3):
        m = nn.Sequential(nn.Linear(1, hidden), nn.Tanh(), nn.Linear(hidden, 1))
        x = torch.linspace(-1, 1, 32).reshape(32, 1)
        t = (3 * x).sin()
        return step(m, x, lambda y: F.mse_loss(y, t), torch.optim.SGD(m.parameters(), 0.01))
    fixed(f"train_tiny_{parameters}_params", tiny)


@w("hvp_784_50_10_b100")
def _():
    m = nn.Sequential(nn.Linear(784, 50), nn.Sigmoid(), nn.Linear(50, 10))
    ps = list(m.parameters())
    x, t, v = g(100, 784), torch.randint(0, 10, (100,)), [torch.randn_like(p) for p in ps]
    def f():
        slopes = torch.autograd.grad(F.cross_entropy(m(x), t), ps, create_graph=True)
        return torch.autograd.grad(slopes, ps, v)
    return f


@w("jacobian_100x100_mlp")
def _():
    w1, w2, x = g(100, 100) * 0.1, g(100, 100) * 0.1, g(100)
    jacobian = torch.func.jacrev(lambda x: F.linear(F.linear(x, w1).tanh(), w2))
    return lambda: jacobian(x)


@w("per_example_gradients_784_50_10_b100")
def _():
    m = nn.Sequential(nn.Linear(784, 50), nn.Sigmoid(), nn.Linear(50, 10))
    ps, x, t = dict(m.named_parameters()), g(100, 784), torch.randint(0, 10, (100,))
    loss = lambda ps, x, t: F.cross_entropy(torch.func.functional_call(m, ps, (x[None],)), t[None])
    each = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))
    return lambda: each({name: p.detach() for name, p in ps.items()}, x, t)


@w("train_pinn_heat_b256")
def _():
    m = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    x, t, opt = g(256, 1).requires_grad_(), g(256, 1).abs().requires_grad_(), torch.optim.Adam(m.parameters())
    known = x.detach().sin()
    slope = lambda y, by: torch.autograd.grad(y.sum(), by, create_graph=True)
    def f():
        opt.zero_grad(set_to_none=True)
        u = m(torch.cat([x, t], 1))
        u_x, u_t = slope(u, (x, t))
        loss = (u_t - 0.1 * slope(u_x, x)[0]).square().mean() + F.mse_loss(u, known)
        loss.backward(inputs=list(m.parameters()))
        opt.step()
    return f


@w("gradcheck_784_50_10_b10_every_parameter")
def _():
    # In f64, as its documentation asks for.
    m = nn.Sequential(nn.Linear(784, 50), nn.Sigmoid(), nn.Linear(50, 10)).double()
    names, ps = zip(*((n, p.detach().clone().requires_grad_()) for n, p in m.named_parameters()))
    x, t = g(10, 784).double(), torch.randint(0, 10, (10,))
    loss = lambda *ps: F.cross_entropy(torch.func.functional_call(m, dict(zip(names, ps)), x), t)
    return lambda: torch.autograd.gradcheck(loss, ps)


@w("load_mnist_60000")
def _():
    # As torchvision reads the files: bytes, which become floating-point numbers from 0 to 1.
    folder = tempfile.TemporaryDirectory()
    images = np.random.default_rng(0).integers(0, 256, 60000 * 784, dtype=np.uint8)
    images[np.arange(images.size) // 40 % 5 != 0] = 0
    labels = (np.arange(60000) % 10).astype(np.uint8)
    for name, header, data in [("images", [0, 0, 8, 3, 0, 0, 0xea, 0x60, 0, 0, 0, 28, 0, 0, 0, 28], images), ("labels", [0, 0, 8, 1, 0, 0, 0xea, 0x60], labels)]:
        with gzip.open(os.path.join(folder.name, name), "wb", 6) as file:
            file.write(bytes(header)); file.write(data.tobytes())
    def read(name, skip):
        with gzip.open(os.path.join(folder.name, name)) as file:
            return torch.frombuffer(bytearray(file.read()), dtype=torch.uint8)[skip:]
    return lambda: (folder, read("images", 16).view(60000, 1, 28, 28).float().div(255), read("labels", 8).long())


def hundred_megabytes():
    return {f"layer.{k}.weight": g(2500, 1000) for k in range(10)}


def save(path, tensors):
    # On the disk when it returns, as gradus's files are.
    with open(path, "wb") as file:
        torch.save(tensors, file); file.flush(); os.fsync(file.fileno())


@w("save_100MB")
def _():
    folder, tensors = tempfile.TemporaryDirectory(), hundred_megabytes()
    return lambda: save(os.path.join(folder.name, "weights.pt"), tensors)


@w("load_100MB")
def _():
    folder = tempfile.TemporaryDirectory()
    path = os.path.join(folder.name, "weights.pt")
    save(path, hundred_megabytes())
    return lambda: (folder, torch.load(path))


# ---- linear algebra, of benches/linalg.rs -------------------
def linalg(name, shape, f, definite=False):
    n = shape[-1]
    noise = g(*shape) / n ** 0.5 * 0.5
    make = lambda: ((noise @ noise.mT if definite else noise) + torch.eye(n),)
    size = "x".join(map(str, shape))

    def sums(a):
        y = f(a)
        return y.sum() if isinstance(y, torch.Tensor) else sum(part.sum() for part in y)

    def forward():
        a, = make()
        return lambda: f(a)
    fixed(f"linalg_{name}_{size}", forward)
    fixed(f"linalg_{name}_fb_{size}", fb(make, sums))


for shape in [(64, 16, 16), (256, 256)]:
    linalg("solve", shape, lambda a: torch.linalg.solve(a, a.mT))
    linalg("inverse", shape, torch.linalg.inv)
    linalg("det", shape, torch.linalg.det)
    linalg("matrix_exp", shape, torch.linalg.matrix_exp)
    linalg("cholesky", shape, torch.linalg.cholesky, definite=True)
    linalg("qr", shape, torch.linalg.qr)
    linalg("eigh", shape, torch.linalg.eigh, definite=True)
    linalg("svd", shape, lambda a: torch.linalg.svd(a, full_matrices=False))


@w("adam_step_1M")
def _():
    p = nn.Parameter(g(1 << 20)); p.grad = g(1 << 20)
    o = torch.optim.Adam([p])
    return o.step


def report(name):
    line = {"peer": "torch" + ("-compile" if a.compile else ""), "threads": a.threads, "workload": name}
    try:
        line["us"] = round(timeit(W[name](), a.seconds), 2)
    except Exception as e:
        line["error"] = str(e)[:200]
    print(json.dumps(line), flush=True)


if a.list:
    print("\n".join(W))
elif a.stdin:
    for line in sys.stdin:
        report(line.strip())
else:
    for name in W:
        if a.filter in name:
            report(name)
