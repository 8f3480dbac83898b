"""The workloads of gradus's yardstick in JAX, compiled (XLA on the CPU): a JSON line each, with the median microseconds of a call.

    python with_jax.py [--filter PART | --list | --stdin]

with_torch.py says what each workload is.
"""
import json, statistics, sys, time
import numpy as np, jax, jax.numpy as jnp
from jax import lax
W = {}  # name -> a function that returns the call to time
rng = np.random.default_rng(0)
g = lambda *s: jnp.asarray(rng.standard_normal(s, dtype=np.float32))

def timeit(f, seconds=0.6):
    for _ in range(3): jax.block_until_ready(f())
    out, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(out) < 5:
        t = time.perf_counter(); jax.block_until_ready(f()); out.append(time.perf_counter() - t)
    return statistics.median(out) * 1e6

def run(name, f, *args):
    def make():
        j = jax.jit(f)
        return lambda: j(*args)
    W[name] = make

for m, k, n in [(64, 64, 64), (128,128,128), (256,256,256), (512,512,512), (1024,1024,1024), (2048,2048,2048), (100,784,50), (128,784,1024), (128,1024,1024), (1,1024,1024), (1024,1024,1), (4096,64,64)]:
    run(f"matmul_{m}x{k}x{n}", lambda x, y: x @ y, g(m, k), g(k, n))
run("bmm_64x64x64x64", lambda x, y: x @ y, g(64,64,64), g(64,64,64))
x1 = g(1 << 20)
for nm, f in dict(exp=jnp.exp, tanh=jnp.tanh, sigmoid=jax.nn.sigmoid, relu=jax.nn.relu, gelu=lambda x: jax.nn.gelu(x, approximate=False)).items():
    run(f"{nm}_1M", f, x1)
run("add_1M", lambda x, y: x + y, x1, g(1 << 20))
run("add_transposed_1024", lambda x, y: x + y.T, g(1024,1024), g(1024,1024))
run("sum_4M", jnp.sum, g(1 << 22)); s = g(2048, 2048)
run("sum_axis0_2048", lambda x: x.sum(0), s); run("sum_axis1_2048", lambda x: x.sum(1), s)
run("softmax_512x1000", lambda x: jax.nn.softmax(x, 1), g(512, 1000))

def ce(logits, t): return -jnp.take_along_axis(jax.nn.log_softmax(logits), t[:, None], 1).mean()
t512 = jnp.asarray(rng.integers(0, 1000, 512))
run("cross_entropy_fb_512x1000", lambda x: jax.grad(lambda x: ce(x, t512))(x), g(512, 1000))
def conv(x, w, b, s=1, p=0, gr=1):
    return lax.conv_general_dilated(x, w, (s, s), [(p, p)] * 2, dimension_numbers=("NCHW", "OIHW", "NCHW"), feature_group_count=gr) + b[None, :, None, None]
for nm, (n, c, h, o, k, s_, p, gr) in {"conv5x5_100x1x28_30": (100,1,28,30,5,1,0,1), "conv3x3_8x64x56_64": (8,64,56,64,3,1,1,1), "conv3x3_8x256x14_256": (8,256,14,256,3,1,1,1), "conv1x1_8x256x28_64": (8,256,28,64,1,1,0,1), "conv3x3s2_8x64x56_128": (8,64,56,128,3,2,1,1)}.items():
    f = lambda x, w, b, s_=s_, p=p, gr=gr: conv(x, w, b, s_, p, gr)
    a = (g(n, c, h, h), g(o, c // gr, k, k), g(o))
    run(nm + "_fwd", f, *a)
    run(nm + "_fb", lambda *a, f=f: jax.vjp(f, *a)[1](jnp.ones_like(f(*a))), *a)

def init(*dims): return [(g(i, o) * (2 / i) ** .5, jnp.zeros(o)) for i, o in zip(dims, dims[1:])]
def mlp(ps, x, act):
    for w, b in ps[:-1]: x = act(x @ w + b)
    return x @ ps[-1][0] + ps[-1][1]
def sgd(loss, lr=.1): return lambda ps: jax.tree.map(lambda p, d: p - lr * d, ps, jax.grad(loss)(ps))
def adam(loss):
    def step(st):
        ps, m, v, i = st; gr = jax.grad(loss)(ps); i += 1
        m = jax.tree.map(lambda a, b: .9 * a + .1 * b, m, gr); v = jax.tree.map(lambda a, b: .999 * a + .001 * b * b, v, gr)
        ps = jax.tree.map(lambda p, a, b: p - 1e-3 * (a / (1 - .9 ** i)) / (jnp.sqrt(b / (1 - .999 ** i)) + 1e-8), ps, m, v); return ps, m, v, i
    return step
def st0(ps): return ps, jax.tree.map(jnp.zeros_like, ps), jax.tree.map(jnp.zeros_like, ps), jnp.float32(0)
def train(name, step, st):
    def make():
        j = jax.jit(step, donate_argnums=0); box = [jax.tree.map(jnp.copy, st)]
        def f(): box[0] = j(box[0]); return box[0]
        return f
    W[name] = make
x, t = g(100, 784), jnp.asarray(rng.integers(0, 10, 100))
train("train_two_layer_net_b100", sgd(lambda p: ce(mlp(p, x, jax.nn.sigmoid), t)), init(784, 50, 10))
x2, t2 = g(128, 784), jnp.asarray(rng.integers(0, 10, 128))
train("train_mlp_784_1024_1024_10_b128_adam", adam(lambda p: ce(mlp(p, x2, jax.nn.relu), t2)), st0(init(784, 1024, 1024, 10)))
def pool(x): return lax.reduce_window(x, -jnp.inf, lax.max, (1,1,2,2), (1,1,2,2), "VALID")
xi = g(100, 1, 28, 28)
def scn(p, x):
    (cw, cb), ps = p
    return mlp(ps, pool(jax.nn.relu(conv(x, cw, cb))).reshape(100, -1), jax.nn.relu)
train("train_simple_convnet_b100_adam", adam(lambda p: ce(scn(p, xi), t)), st0(((g(30,1,5,5), jnp.zeros(30)), init(4320, 100, 10))))

def report(name):
    line = {"peer": "jax", "workload": name}
    try: line["us"] = round(timeit(W[name]()), 2)
    except Exception as e: line["error"] = (str(e) or repr(e))[:100]
    print(json.dumps(line), flush=True)

if "--list" in sys.argv: print("\n".join(W))
elif "--stdin" in sys.argv:
    for l in sys.stdin: report(l.strip())
else:
    flt = sys.argv[sys.argv.index("--filter") + 1] if "--filter" in sys.argv else ""
    for n in W:
        if flt in n: report(n)
