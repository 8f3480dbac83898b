"""Runs the files of `ONNX_DIR=DIR cargo test -p gradus-onnx` by onnxruntime, and holds the numbers to gradus's.

    pip install onnx onnxruntime && python runtime.py DIR

An output may be off by 1e-5 of its largest element, or of 1.
"""

import pathlib
import sys

import numpy
import onnx
import onnxruntime

folder = pathlib.Path(sys.argv[1])
worst, failed, count = 0.0, 0, 0
for path in sorted(folder.glob("*.onnx")):
    count += 1
    try:
        onnx.checker.check_model(str(path), full_check=True)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        values = {}
        for line in path.with_suffix(".txt").read_text().splitlines():
            name, rest = line.split(" ", 1)
            shape, numbers = rest[1:].split("]", 1)
            shape = [int(n) for n in shape.replace(",", " ").split()]
            kind = numpy.int64 if name == "text" else numpy.float32
            values[name] = numpy.array(numbers.split(), dtype=numpy.float64).astype(kind).reshape(shape)
        inputs = {i.name: values[i.name] for i in session.get_inputs()}
        names = [o.name for o in session.get_outputs()]
        for name, found in zip(names, session.run(names, inputs)):
            expected = values[name]
            assert found.shape == expected.shape, f"{name}: {found.shape} is not {expected.shape}"
            off = float(numpy.max(numpy.abs(found - expected), initial=0) / max(1.0, numpy.max(numpy.abs(expected), initial=0)))
            worst = max(worst, off)
            assert off <= 1e-5, f"{name}: off by {off}"
    except Exception as error:
        failed += 1
        print(f"{path.stem}: {str(error).splitlines()[0]}")
print(f"{count - failed} of {count} agree, off by {worst:.1e} at most; onnxruntime {onnxruntime.__version__}")
sys.exit(failed > 0)
