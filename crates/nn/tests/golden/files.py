"""Files of NumPy, pandas, PIL, PyTorch and safetensors for tests/files.rs, and what is in them.

    pip install numpy pandas pillow safetensors torch
    python files.py        # writes files/ and files.txt beside this script

Every line of files.txt is the name of a file, "=" with the shape and the elements as f32s (as integers of their bits where
"bits" stands), or "refused" for what holds no numbers or numbers that an f32 does not hold. The tensors of archives follow a "/".
Made with numpy 2.4.6, pandas 3.1.1, pillow 13.0.0, safetensors 0.8.0 and torch 2.15.0, Python 3.11.
"""

import datetime
import os
import pathlib
import struct
import warnings

import numpy as np
import pandas as pd
import torch
from PIL import Image
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


def refused(name):
    lines.append(f"{name} refused")


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
    "complex": np.array([1j]),
    "text": np.array(["a"]),
    "bytes": np.array([b"a"]),
    "time": np.array(["2020-01-01"], "M8[D]"),
    "records": np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f4")]),
    "objects": np.array([{}, None]),
    "long": np.array([1.0], np.longdouble),
    "rounded": np.array([2**24 + 1]),
    "too-great": np.array([1e300]),
}
for name, array in others.items():
    np.save(files / f"{name}.npy", array, allow_pickle=True)
    refused(f"{name}.npy")
for name, save in [("stored", np.savez), ("deflated", np.savez_compressed)]:
    save(files / f"{name}.npz", numbers=numbers, zeros=np.zeros((3, 100), "u1"), **{"a/b": np.float16(0.5)})
    holds(f"{name}.npz/numbers", numbers)
    holds(f"{name}.npz/zeros", np.zeros((3, 100)))
    holds(f"{name}.npz/a/b", 0.5)

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
refused("missing.csv")
np.savetxt(files / "savetxt.txt", table)
holds("savetxt.txt", table)
np.savetxt(files / "savetxt.csv", table, delimiter=",", header="a,b,c")
refused("savetxt.csv")
(files / "rounded.csv").write_text("a\n16777217\n")
refused("rounded.csv")

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
refused("not.png")

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

# PyTorch.
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Linear(3, 2))
warnings.simplefilter("ignore")


def saved(name, value, expected, **how):
    torch.save(value, files / name, **how)
    if expected is None:
        refused(name)
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
saved("module.pt", net, None)
saved("sparse.pt", {"x": torch.eye(2).to_sparse()}, None)
saved("complex.pt", {"x": torch.tensor([1j])}, None)
saved("quantized.pt", {"x": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}, None)
torch.jit.script(torch.nn.Linear(1, 1)).save(str(files / "script.pt"))
refused("script.pt")

(here / "files.txt").write_text("\n".join(lines) + "\n")
print(len(lines), "lines,", sum(os.path.getsize(file) for file in files.iterdir()), "bytes")
