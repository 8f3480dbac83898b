"""TensorBoard's own writer and reader, for the files of gradus_nn::tensorboard. Needs: pip install tensorboard (2.21 was used).

    python3 events.py                       writes events.tfevents, which a test holds gradus's bytes to
    TENSORBOARD_RUNS=/tmp/runs cargo test -p gradus-nn --features tensorboard --test suite tensorboard
    python3 events.py /tmp/runs             reads what that test wrote, by TensorBoard's reader
"""

import io
import math
import pathlib
import struct
import sys
import zlib

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator, HISTOGRAMS, IMAGES, SCALARS
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.histogram_pb2 import HistogramProto
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

BINS = 30


def limits(low, high):
    return [low + (high - low) * i / BINS for i in range(1, BINS)] + [high]


def golden():
    spread = HistogramProto(min=0, max=3, num=4, sum=4 / 3 * 0 + 5.0, sum_squares=11.0, bucket_limit=limits(0.0, 3.0))
    counts = [0.0] * BINS
    counts[0], counts[10], counts[29] = 1, 2, 1
    spread.bucket.extend(counts)
    # By the mean and the root of the mean square, which is how gradus keeps them.
    spread.sum, spread.sum_squares = (5 / 4) * 4, math.sqrt(11 / 4) * math.sqrt(11 / 4) * 4
    same = HistogramProto(min=-2.5, max=-2.5, num=2, sum=-5, sum_squares=12.5, bucket_limit=[-2.5], bucket=[2])
    picture = Summary.Image(height=1, width=2, colorspace=3, encoded_image_string=bytes([0, 1, 2, 255]))
    value = Summary.Value
    events = [
        Event(file_version="brain.Event:2"),
        Event(summary=Summary(value=[value(tag="loss", simple_value=0.0)])),
        Event(step=300, summary=Summary(value=[
            value(tag="été/loss", simple_value=-1.5e-3), value(tag="lost", simple_value=math.inf)])),
        Event(step=1, summary=Summary(value=[value(tag="picture", image=picture)])),
        Event(step=2, summary=Summary(value=[value(tag="spread", histo=spread), value(tag="same", histo=same)])),
        Event(step=1 << 40, session_log=SessionLog(status=SessionLog.START)),
    ]
    file = io.BytesIO()
    file_writer = RecordWriter(file)
    for i, event in enumerate(events):
        event.wall_time = 1.7e9 + 0.25 * i
        file_writer.write(event.SerializeToString())
    pathlib.Path(__file__).with_suffix(".tfevents").write_bytes(file.getvalue())


def pixels(png):
    """The grey pixels of a PNG file whose rows have no filter or the one by the pixel before."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, data = 8, b""
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at:at + 8])
        body = png[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height = struct.unpack(">II", body[:8])
        data += body if kind == b"IDAT" else b""
        at += 12 + size
    return width, height, zlib.decompress(data)


def read(folder):
    run = EventAccumulator(str(folder), {SCALARS: 0, HISTOGRAMS: 0, IMAGES: 0}).Reload()
    steps = {tag: [(e.step, e.value) for e in run.Scalars(tag)] for tag in run.Tags()["scalars"]}
    f32 = lambda x: struct.unpack("f", struct.pack("f", x))[0]
    # Epochs 1 to 5 were written; then the run went on from epoch 4, whose 4 and 5 are new.
    expected = [(1, 1.0), (2, 0.5), (3, f32(1 / 3)), (4, 40.0), (5, 50.0), (6, 60.0)]
    assert steps["loss"] == expected, steps["loss"]
    assert steps["loss/é <b>"] == [(7, f32(1e-30))], steps
    assert steps["nan"][0][0] == 7 and math.isnan(steps["nan"][0][1])
    (histogram,) = run.Histograms("weights")
    value = histogram.histogram_value
    # -1, -0.98, .. 1: 101 numbers.
    assert (histogram.step, value.num, value.min, value.max) == (7, 101, -1, 1), value
    assert abs(value.sum) < 1e-4 and abs(value.sum_squares - sum((-1 + 0.02 * i) ** 2 for i in range(101))) < 1e-4
    assert sum(value.bucket) == 101 and max(value.bucket) - min(value.bucket) <= 2 and len(value.bucket) == BINS
    assert [round(x, 6) for x in value.bucket_limit] == [round(x, 6) for x in limits(-1, 1)]
    (image,) = run.Images("picture")
    width, height, data = pixels(image.encoded_image_string)
    assert (image.width, image.height, width, height) == (2, 1, 2, 1) and len(data) == 3, data
    trained = EventAccumulator(str(folder / "trained")).Reload()
    assert sorted(trained.Tags()["scalars"]) == ["loss", "lr", "val_accuracy"], trained.Tags()
    assert [e.step for e in trained.Scalars("loss")] == [1, 2, 3]
    assert sorted(trained.Tags()["histograms"])[:2] == ["activations/linear", "gradients/bias"], trained.Tags()
    batches = EventAccumulator(str(folder / "batches"), {SCALARS: 0}).Reload()
    # Epochs 4 and 5 of that trainer, of 18 batches each.
    assert [e.step for e in batches.Scalars("batch_loss")] == list(range(55, 91))
    assert [e.step for e in batches.Scalars("loss")] == [72, 90]
    print("TensorBoard reads what was written")


if len(sys.argv) > 1:
    read(pathlib.Path(sys.argv[1]))
else:
    golden()
