"""The event files, read back with TensorBoard's own reader format."""

import subprocess
import sys

import numpy as np
from tensorboardX.event_file_writer import EventFileWriter  # noqa: F401 - the library is there
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import RecordWriter  # noqa: F401

from imo_jax.train.tensorboard import TensorBoard


def events(directory):
    """Events of all files in the folder: records of length, crc, data, crc."""
    for path in sorted(directory.iterdir()):
        data = path.read_bytes()
        while data:
            length = int.from_bytes(data[:8], "little")
            yield Event.FromString(data[12 : 12 + length])
            data = data[12 + length + 4 :]


def test_scalars_and_images(tmp_path):
    board = TensorBoard(tmp_path)
    board.scalars(7, {"loss": 0.5, "gradient_norm": 2.0}, "train")
    board.images(7, {"eye": np.full((4, 5, 3), 9, np.uint8)}, "validation")
    board.close()
    values = {v.tag: v for e in events(tmp_path) for v in e.summary.value if e.step == 7}
    assert set(values) == {"train/loss", "train/gradient_norm", "validation/eye"}
    assert values["train/loss"].simple_value == 0.5
    assert (values["validation/eye"].image.height, values["validation/eye"].image.width) == (4, 5)


def test_a_resumed_run_hides_what_came_after(tmp_path):
    TensorBoard(tmp_path, step=5).close()
    session = [e for e in events(tmp_path) if e.HasField("session_log")]
    assert [e.step for e in session] == [6]
    assert not [e for e in events(make(tmp_path / "fresh")) if e.HasField("session_log")]


def make(directory):
    TensorBoard(directory).close()
    return directory


def test_needs_no_tensorflow():
    code = "import sys, imo_jax.train.loop; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
