"""Files of NumPy, pandas, PIL, pypng, PyTorch and safetensors for tests/files.rs, and what is in them.

    pip install numpy pandas pillow pypng safetensors torch
    python files.py        # writes files/ and files.txt beside this script

Every line of files.txt is the name of a file, "=" with the shape and the elements as f32s, integers of their bits; or "refused"
for what holds no numbers or numbers that an f32 does not hold, and what the reason must name. The tensors of archives follow a
"/"; "empty" is an archive without any.
Made with numpy 2.4.6, pandas 3.1.1, pillow 13.0.0, pypng 0.20220715.0, safetensors 0.8.0 and torch 2.15.0, Python 3.11.
"""

import datetime
import os
import pathlib
import struct
import warnings

import numpy as np
import pandas as pd
import png
import torch
from PIL import Image, PngImagePlugin
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent
files = here / "files"
files.mkdir(exist_ok=True)
for old in files.iterdir():
    old.unlink()
lines = []


def bits(x):
    return struct.unpack("<I", struct.pack("<f", x))[0]


def holds(name, array):
    array = np.asarray(array).astype(np.float32)
    shape = ",".join(map(str, array.shape)) or "scalar"
    lines.append(f"{name} = {shape} " + " ".join(str(bits(x)) for x in array.ravel()))


def refused(name, names):
    lines.append(f"{name} refused {names}")


def empty(name):
    lines.append(f"{name} empty")


# NumPy: every kind, both byte orders, both layouts.
numbers = np.array([[0, 1, 2], [100, 3, 4]])
for kind in ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"]:
    for order in "<>":
        array = numbers.astype(order + kind)
        if kind[0] in "if":
            array[1, 1] = -7
        if kind[0] == "f":
            array[1, 2] = 0.1
        name = f"{'big' if order == '>' else 'little'}-{'b1' if kind == '?' else kind}.npy"
        if np.dtype(kind).itemsize > 1 or order == "<":
            np.save(files / name, np.asfortranarray(array) if order == ">" else array)
            holds(name, array)
special = {
    "scalar": np.float32(1.5),
    "empty": np.zeros((0, 3), "f4"),
    "deep": np.arange(4).reshape((1,) * 30 + (4,)),
    "infinite": np.array([np.inf, -np.inf, -0.0], "f8"),
    "large": np.array([2**25, 2**40, -(2**62)]),
}
for name, array in special.items():
    np.save(files / f"{name}.npy", array)
    holds(f"{name}.npy", array)
for version in [(2, 0), (3, 0)]:
    with open(files / f"version{version[0]}.npy", "wb") as file:
        np.lib.format.write_array(file, numbers, version=version)
    holds(f"version{version[0]}.npy", numbers)
others = {
    "complex": (np.array([1j]), "complex numbers"),
    "text": (np.array(["a"]), "texts"),
    "bytes": (np.array([b"a"]), "texts"),
    "time": (np.array(["2020-01-01"], "M8[D]"), "times"),
    "span": (np.array([5], "m8[s]"), "times"),
    "records": (np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f4")]), "records"),
    "objects": (np.array([{}, None]), "objects of Python"),
    "long": (np.array([1.0], np.longdouble), "numbers of more than 64 bits"),
    "void": (np.zeros(2, "V3"), "bytes without a type"),
    "rounded": (np.array([2**24 + 1]), "16777217"),
    "unsigned": (np.array([2**64 - 1], "u8"), "18446744073709551615"),
    "too-great": (np.array([1e300]), "1e300"),
}
for name, (array, names) in others.items():
    np.save(files / f"{name}.npy", array, allow_pickle=True)
    refused(f"{name}.npy", names)
# Layouts, and numbers at the ends of their kinds.
block = np.arange(24.0).reshape(2, 3, 4)
layouts = {
    "columns": np.asfortranarray(block.astype("f4")),
    "columns-of-halves": np.asfortranarray(block.astype(">f2")),
    "turned": block.T.astype("i2"),
    "every-other": block[:, ::2, ::-1].astype("f4"),
    "repeated": np.broadcast_to(np.float32([1, 2]), (3, 2)),
    "matrix": np.matrix("1 2; 3 4"),
    "masked": np.ma.masked_array([1.0, 2.0], [True, False]).data,
    "nothing": np.zeros((3, 0, 2), "i8"),
    "none": np.zeros(0, "?"),
    "truth": np.bool_(True),
    "halves": np.array([np.inf, -np.inf, 6e-8, 65504, -0.0], "f2"),
    "subnormal": np.array([1e-45, -1e-40, 3.4028235e38], "f4"),
    "tiny": np.array([1e-300, 1e-46, 1e-44]),
    "ends": np.array([-(2**31), 2**31 - 128], "i4"),
    "bytes-ends": np.array([-128, 127], "i1"),
    "list": np.array([[1, 2], [3, 4]]),
    "one-axis-each": np.zeros((1,) * 64, "u1"),
}
for name, array in layouts.items():
    np.save(files / f"{name}.npy", array)
    holds(f"{name}.npy", array)
mapped = np.lib.format.open_memmap(files / "mapped.npy", "w+", ">i4", (2, 2))
mapped[:] = [[1, -2], [3, -4]]
holds("mapped.npy", mapped)
del mapped
for name, save in [("stored", np.savez), ("deflated", np.savez_compressed)]:
    save(files / f"{name}.npz", numbers=numbers, zeros=np.zeros((3, 100), "u1"), **{"a/b": np.float16(0.5)})
    holds(f"{name}.npz/numbers", numbers)
    holds(f"{name}.npz/zeros", np.zeros((3, 100)))
    holds(f"{name}.npz/a/b", 0.5)
np.savez(files / "by-place.npz", np.asfortranarray(block), np.arange(3))
holds("by-place.npz/arr_0", block)
holds("by-place.npz/arr_1", [0, 1, 2])
np.savez(files / "no-arrays.npz")
empty("no-arrays.npz")
np.savez_compressed(files / "unicode.npz", **{"größe": np.int64(7)})
holds("unicode.npz/größe", 7)
np.savez(files / "mixed.npz", x=np.arange(3), names=np.array(["a"]))
refused("mixed.npz", "array names: holds elements of type \"<U1\": texts")

# pandas and numpy.savetxt: the columns of numbers.
frame = pd.DataFrame({"a": [1, 2, 30], "b": [0.1, -2.5e-8, 1e6], "c": [True, False, True]})
table = frame.to_numpy().astype(np.float32)
ways = {
    "plain": {},
    "semicolons": {"sep": ";"},
    "tabs": {"sep": "\t"},
    "quoted": {"quoting": 1},
    "mark": {"encoding": "utf-8-sig"},
    "utf16": {"encoding": "utf-16"},
    "returns": {"lineterminator": "\r"},
    "windows": {"lineterminator": "\r\n"},
}
for name, how in ways.items():
    frame.to_csv(files / f"{name}.csv", index=False, **how)
    holds(f"{name}.csv", table)
frame.to_csv(files / "zipped.csv.gz", index=False, compression={"method": "gzip", "mtime": 1})
holds("zipped.csv.gz", table)
frame.to_csv(files / "indexed.csv")
holds("indexed.csv", np.concatenate([[[0], [1], [2]], table], 1))
pd.DataFrame({"a": [1, 2], "kind": ["x, y", 'say "no"']}).to_csv(files / "texts.csv", index=False)
holds("texts.csv", [[1], [2]])
pd.DataFrame({"a": [1, None], "b": [3, 4]}).to_csv(files / "missing.csv", index=False)
refused("missing.csv", "line 3: field 1 is missing")
np.savetxt(files / "savetxt.txt", table)
holds("savetxt.txt", table)
np.savetxt(files / "savetxt.csv", table, delimiter=",", header="a,b,c")
refused("savetxt.csv", "is it a comment")
(files / "rounded.csv").write_text("a\n16777217\n")
refused("rounded.csv", "16777217")

more = {
    "spaces": (frame, {"sep": " "}),
    "bars": (frame, {"sep": "|"}),
    "digits": (frame, {"float_format": "%.9e"}),
    "texts-quoted": (frame, {"quoting": 2}),
    "gaps-named": (pd.DataFrame({"a": [1.0, None], "b": [np.inf, -np.inf]}), {"na_rep": "NaN"}),
    "one-column": (frame[["b"]], {}),
    "one-row": (frame[:1], {}),
    "no-rows": (frame[:0], {}),
    "names-in-unicode": (frame.rename(columns={"a": "größe", "b": "长度"}), {}),
    "names-with-quotes": (frame.rename(columns={"a": 'a "b", c', "b": "two\nlines"}), {}),
    "small": (pd.DataFrame({"a": [1e-40, 1e-320, 5e-324]}), {}),
    "whole": (pd.DataFrame({"a": [2**24, -(2**40)]}), {}),
}
for name, (these, how) in more.items():
    these.to_csv(files / f"{name}.csv", index=False, **how)
    holds(f"{name}.csv", these.to_numpy().astype(np.float64))
frame[["a", "b"]].to_csv(files / "headless.csv", index=False, header=False)
holds("headless.csv", frame[["a", "b"]].to_numpy())
dated = frame.assign(day=pd.date_range("2026-01-01", periods=3), kind=pd.Categorical(["x", "y", "x"]))
dated.to_csv(files / "dates.csv", index=False)
holds("dates.csv", table)
np.savetxt(files / "whole.txt", [[1, 2], [3, 4]], fmt="%d", delimiter="\t")
holds("whole.txt", [[1, 2], [3, 4]])
np.savetxt(files / "named.txt", table, delimiter=";", header="a;b;c", comments="")
holds("named.txt", table)
refuse = {
    "commas": (frame, {"sep": ";", "decimal": ",", "index": False}, "decimal: Some"),
    "latin": (frame.rename(columns={"a": "größe"}), {"encoding": "latin-1"}, "UTF-8"),
    "no-mark": (frame, {"encoding": "utf-16-le"}, "UTF-16 without a byte order mark"),
    "two-headers": (pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])), {}, "line 2"),
    "numbers-as-names": (frame.rename(columns={"a": "2019", "b": "2020"}), {}, "has_header"),
    "typo": (pd.DataFrame({"a": [1, "2x"]}), {}, "line 3: \"2x\" is no number"),
    "zipped-otherwise": (frame, {"compression": {"method": "zip"}}, "zip archive"),
    "bzipped": (frame, {"compression": "bz2"}, "bzip2"),
    "xzipped": (frame, {"compression": "xz"}, "xz"),
}
for name, (these, how, names) in refuse.items():
    these.to_csv(files / f"{name}.csv", **how)
    refused(f"{name}.csv", names)

# PIL: [channels, h, w] in 0..=1.
grey = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
color = np.stack([grey, 255 - grey, grey // 2], 2)
words = (grey.astype(np.uint16) << 8) + 7
alpha = np.full((3, 4, 1), 9, np.uint8)
images = {
    "grey": (Image.fromarray(grey), grey / 255),
    "color": (Image.fromarray(color), color / 255),
    "grey-alpha": (Image.fromarray(np.concatenate([grey[..., None], alpha], 2), "LA"), grey / 255),
    "color-alpha": (Image.fromarray(np.concatenate([color, alpha], 2), "RGBA"), color / 255),
    "sixteen": (Image.fromarray(words), words / 65535),
    "bits": (Image.fromarray(grey > 100), (grey > 100) * 1.0),
}
for name, (image, values) in images.items():
    image.save(files / f"{name}.png")
    values = np.asarray(values)
    # The nearest f32 of the quotient, as in f32 arithmetic.
    holds(f"{name}.png", values[None] if values.ndim == 2 else values.transpose(2, 0, 1))
palette = Image.fromarray(color).quantize(12)
for name, how in [("palette", {}), ("palette-transparent", {"transparency": 3})]:
    palette.save(files / f"{name}.png", **how)
    holds(f"{name}.png", np.asarray(palette.convert("RGB")).transpose(2, 0, 1) / 255)
Image.fromarray(grey).save(files / "not.png", format="BMP")
refused("not.png", "BMP")

words_of_color = color.astype(np.uint16) * 257 + 3
text = PngImagePlugin.PngInfo()
text.add_text("Comment", "what a scanner says")
few = Image.fromarray(color).quantize(3)
shown = {
    "one-pixel": (Image.fromarray(grey[:1, :1]), {}, grey[:1, :1] / 255),
    "wide": (Image.fromarray(np.tile(grey[:1], (1, 100))), {}, np.tile(grey[:1], (1, 100)) / 255),
    "unpacked": (Image.fromarray(color), {"compress_level": 0}, color / 255),
    "optimized": (Image.fromarray(color), {"optimize": True}, color / 255),
    "with-text": (Image.fromarray(color), {"pnginfo": text, "dpi": (300, 300)}, color / 255),
    "with-profile": (Image.fromarray(color), {"icc_profile": b"of no colors"}, color / 255),
    "key-color": (Image.fromarray(color), {"transparency": (0, 255, 0)}, color / 255),
    "key-grey": (Image.fromarray(grey), {"transparency": 20}, grey / 255),
    "four-colors": (few, {"bits": 2}, np.asarray(few.convert("RGB")) / 255),
    "sixteen-colors": (palette, {"bits": 4}, np.asarray(palette.convert("RGB")) / 255),
    "alphas": (palette, {"transparency": bytes(range(12))}, np.asarray(palette.convert("RGB")) / 255),
    "moving": (Image.fromarray(color), {"save_all": True, "append_images": [Image.fromarray(255 - color)]}, color / 255),
}
for name, (image, how, values) in shown.items():
    image.save(files / f"{name}.png", **how)
    holds(f"{name}.png", values[None] if values.ndim == 2 else values.transpose(2, 0, 1))
# Interlaced, and deep colors, which PIL does not write.
colors = [tuple(int(c) for c in entry) for entry in np.random.default_rng(0).integers(0, 256, (4, 3))]
indices = grey % 4
written = {
    "interlaced-bits": (grey > 100, {"greyscale": True, "bitdepth": 1}, (grey > 100) * 1.0),
    "interlaced-two-bits": (indices, {"greyscale": True, "bitdepth": 2}, indices / 3),
    "interlaced-four-bits": (grey // 16, {"greyscale": True, "bitdepth": 4}, grey // 16 / 15),
    "interlaced-grey": (grey, {"greyscale": True, "bitdepth": 8}, grey / 255),
    "interlaced-sixteen": (words, {"greyscale": True, "bitdepth": 16}, words / 65535),
    "interlaced-color": (color, {"greyscale": False, "bitdepth": 8}, color / 255),
    "interlaced-palette": (indices, {"palette": colors, "bitdepth": 2}, np.array(colors)[indices] / 255),
    "deep-color": (words_of_color, {"greyscale": False, "bitdepth": 16}, words_of_color / 65535),
    "deep-alpha": (
        np.concatenate([words_of_color, words[..., None]], 2),
        {"greyscale": False, "alpha": True, "bitdepth": 16},
        words_of_color / 65535,
    ),
    "deep-grey-alpha": (
        np.stack([words, words[::-1]], 2), {"greyscale": True, "alpha": True, "bitdepth": 16}, words / 65535
    ),
}
for name, (values, how, expected) in written.items():
    with open(files / f"{name}.png", "wb") as file:
        rows = values.reshape(values.shape[0], -1).astype(int).tolist()
        png.Writer(values.shape[1], values.shape[0], interlace=name.startswith("interlaced"), **how).write(file, rows)
    holds(f"{name}.png", expected[None] if expected.ndim == 2 else expected.transpose(2, 0, 1))
for name, format in [("photo", "JPEG"), ("gif", "GIF"), ("tiff", "TIFF"), ("webp", "WEBP")]:
    Image.fromarray(grey).save(files / f"{name}.png", format=format)
    refused(f"{name}.png", format)

# safetensors: every kind.
kinds = [
    "bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "bfloat16", "float32", "float64",
    "float8_e4m3fn", "float8_e5m2",
]
source = torch.tensor([[0.0, 1.0, 2.0], [48.0, 3.0, 4.0]])
tensors = {kind: source.to(getattr(torch, kind)) for kind in kinds}
save_file(tensors, files / "kinds.safetensors")
for kind, tensor in tensors.items():
    holds(f"kinds.safetensors/{kind}", tensor.to(torch.float64).numpy())
shapes = {"scalar": torch.tensor(2.5), "nothing": torch.zeros(2, 0), "a.b": torch.arange(24.0).reshape(2, 3, 4), "größe": torch.ones(1)}
save_file(shapes, files / "shapes.safetensors", metadata={"format": "pt", "note": "a text"})
for name, tensor in shapes.items():
    holds(f"shapes.safetensors/{name}", tensor)
save_file({}, files / "no-tensors.safetensors")
empty("no-tensors.safetensors")
save_file({"x": torch.tensor([1j])}, files / "complex.safetensors")
refused("complex.safetensors", "C64")
save_file({"x": torch.tensor([2**24 + 1])}, files / "rounded.safetensors")
refused("rounded.safetensors", "16777217")

# PyTorch.
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Linear(3, 2))
warnings.simplefilter("ignore")


def saved(name, value, expected, **how):
    torch.save(value, files / name, **how)
    if isinstance(expected, str):
        refused(name, expected)
    elif not expected:
        empty(name)
    else:
        for key, tensor in expected.items():
            holds(f"{name}/{key}", tensor.detach().to(torch.float64).numpy())


state = net.state_dict()
saved("net.pt", state, state)
saved("legacy.pth", state, state, _use_new_zipfile_serialization=False)
saved("kinds.pt", tensors, tensors)
old = {kind: tensor for kind, tensor in tensors.items() if kind not in ["uint16", "uint32", "uint64"]}
saved("legacy-kinds.pt", old, old, _use_new_zipfile_serialization=False)
block = torch.arange(24.0).reshape(2, 3, 4)
views = {
    "transposed": block.transpose(0, 2),
    "part": block[1, 1:, ::2],
    "whole": block,
    "scalar": block[1, 2, 3],
    "expanded": torch.ones(1, 3).expand(2, 3),
    "empty": torch.zeros(0, 3),
}
saved("views.pt", views, views)
saved("legacy-views.pt", views, views, _use_new_zipfile_serialization=False)
adam = torch.optim.Adam(net.parameters())
net(torch.randn(1, 1, 4, 5)).sum().backward()
adam.step()
run = {
    "epoch": 3, "loss": 0.5, "name": "run", "when": datetime.date(2026, 1, 1), "big": 2**70, "path": pathlib.PurePosixPath("x"),
    "model": net.state_dict(), "optimizer": adam.state_dict(), "shapes": [torch.Size([1, 2])], "device": torch.device("cpu"),
    "none": None, "flags": (True, False), "set": {1}, "dtype": torch.float16, "array": np.float64(1.5),
}
expected = {f"model.{key}": value for key, value in run["model"].items()}
for key, entry in run["optimizer"]["state"].items():
    expected.update({f"optimizer.state.{key}.{kind}": value for kind, value in entry.items()})
saved("run.pt", run, expected)
saved("list.pt", [block, (block[0], {"x": block[1]})], {"0": block, "1.0": block[0], "1.1.x": block[1]})
saved("tensor.pt", block, {"": block})
saved("parameter.pt", {"w": torch.nn.Parameter(torch.ones(2))}, {"w": torch.ones(2)})
saved("protocol4.pt", state, state, pickle_protocol=4)
saved("module.pt", net, "torch.nn.modules.container.Sequential")
saved("sparse.pt", {"x": torch.eye(2).to_sparse()}, "_rebuild_sparse_tensor")
saved("complex.pt", {"x": torch.tensor([1j])}, "ComplexFloatStorage")
saved("quantized.pt", {"x": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}, "_rebuild_qtensor")
torch.jit.script(torch.nn.Linear(1, 1)).save(str(files / "script.pt"))
refused("script.pt", "__torch__")

# Models and optimizers.
shared = torch.nn.Linear(3, 3, bias=False)
models = {
    "tied": torch.nn.ModuleDict({"a": shared, "b": shared}),
    "lstm": torch.nn.LSTM(2, 2, 2, bidirectional=True, proj_size=1),
    "attention": torch.nn.TransformerEncoderLayer(4, 2, 3),
    "embedding": torch.nn.Embedding(3, 2, padding_idx=0),
    "transposed-conv": torch.nn.ConvTranspose2d(2, 3, 2),
    "weight-norm": torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 2)),
    "spectral-norm": torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(2, 2)),
    "parameters": torch.nn.ParameterDict({"x": torch.nn.Parameter(torch.ones(2)), "y": torch.nn.Parameter(torch.zeros(1))}),
    "parallel": torch.nn.DataParallel(torch.nn.Linear(2, 1)),
    "half": torch.nn.Linear(2, 2).half(),
    "brain": torch.nn.Linear(2, 2).bfloat16(),
    "double": torch.nn.Linear(2, 2).double(),
    "channels-last": torch.nn.Conv2d(2, 2, 2).to(memory_format=torch.channels_last),
    "no-parameters": torch.nn.ReLU(),
}
for name, model in models.items():
    saved(f"model-{name}.pt", model.state_dict(), model.state_dict())
optimizers = {
    "sgd": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
    "amsgrad": lambda p: torch.optim.AdamW(p, amsgrad=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, centered=True, momentum=0.5),
}
for name, make in optimizers.items():
    layer = torch.nn.Linear(2, 1)
    optimizer = make(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    tensors = {f"state.{key}.{kind}": value for key, entry in state["state"].items() for kind, value in entry.items()}
    saved(f"optimizer-{name}.pt", state, {key: value for key, value in tensors.items() if value is not None})

# What else people save.
with_note = torch.ones(2)
with_note.note = "an attribute"


class Weights(torch.Tensor):
    """A tensor of somebody's own."""


here_and_there = torch.arange(6.0)
negative = torch.tensor([1 + 2j, 3 - 4j]).conj().imag
assert negative.is_neg()
things = {
    "slices": ({"a": here_and_there[1:3], "b": here_and_there[::2], "all": here_and_there}, None),
    "negated-view": ({"x": negative}, None),
    "with-attribute": ({"x": with_note, "y": torch.zeros(1)}, None),
    "own-class": ({"x": torch.ones(2).as_subclass(Weights), "y": torch.zeros(1)}, None),
    "with-gradient": (torch.ones(2, requires_grad=True), None),
    "parameter-alone": (torch.nn.Parameter(torch.ones(2)), None),
    "buffer": ({"x": torch.nn.Buffer(torch.ones(2))}, None),
    "tuple": ((torch.ones(2), torch.zeros(1)), None),
    "numbers": ({"x": torch.ones(1), "lr": 0.1, "names": ["a", "b"], "when": datetime.datetime(2026, 1, 1)}, {"x": torch.ones(1)}),
    "numpy-beside": ({"x": torch.ones(1), "array": np.arange(3)}, {"x": torch.ones(1)}),
    "no-tensors": ({"lr": 0.1}, {}),
    "names-of-numbers": ({0: torch.ones(1), 1: {"a": torch.zeros(1)}}, {"0": torch.ones(1), "1.a": torch.zeros(1)}),
    "scalar-kinds": ({"a": torch.tensor(True), "b": torch.tensor(-3), "c": torch.tensor(0.5, dtype=torch.float16)}, None),
    "empty-tensors": ({"a": torch.zeros(0), "b": torch.zeros(2, 0, 3)}, None),
    "expanded": ({"x": torch.ones(1).expand(3, 2)}, None),
    "power-of-two": ({"x": torch.tensor([2**40, -(2**62)])}, None),
    "counter": ({"x": torch.tensor([2**24 + 1])}, "16777217"),
    "storage": (torch.ones(2).untyped_storage(), "a storage"),
    "typed-storage": (torch.FloatStorage([1, 2]), "a storage"),
    "meta": ({"x": torch.zeros(2, device="meta")}, "_rebuild_meta_tensor_no_storage"),
    "nested": ({"x": torch.nested.nested_tensor([torch.ones(1), torch.ones(2)])}, "_rebuild_nested_tensor"),
    "compressed-sparse": ({"x": torch.eye(2).to_sparse_csr()}, "_rebuild_sparse_tensor"),
    "complex-half": ({"x": torch.zeros(1, dtype=torch.complex32)}, "complex32"),
    "bits": ({"x": torch.zeros(1, dtype=torch.uint8).view(torch.bits8)}, "bits8"),
}
for name, (value, expected) in things.items():
    if expected is None:
        parts = value if isinstance(value, dict) else {str(i): x for i, x in enumerate(value)} if isinstance(value, tuple) else {"": value}
        expected = {key: torch.Tensor.as_subclass(part.detach().resolve_neg(), torch.Tensor) for key, part in parts.items()}
    for form in [True, False]:
        # The old form has no place for some.
        if not form and name in ["nested", "bits", "typed-storage", "storage", "complex-half", "meta"]:
            continue
        saved(f"{name}.pt" if form else f"{name}.old.pt", value, expected, _use_new_zipfile_serialization=form)
for protocol in [3, 5]:
    saved(f"protocol{protocol}.pt", net.state_dict(), net.state_dict(), pickle_protocol=protocol)
torch.jit.trace(torch.nn.Linear(1, 1), torch.ones(1)).save(str(files / "traced.pt"))
refused("traced.pt", "__torch__")

(here / "files.txt").write_text("\n".join(lines) + "\n")
names = {line.split()[0].split("/")[0] for line in lines}
assert names == {file.name for file in files.iterdir()}
print(len(names), "files,", sum(os.path.getsize(file) for file in files.iterdir()), "bytes")
