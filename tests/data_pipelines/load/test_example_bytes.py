"""Records by hand, byte for byte, and as TensorFlow writes them."""

import numpy as np
import pytest

from data_pipelines.load.example_bytes import features
from data_pipelines.load.tfds_records import records_of

# Example{1: Features{1: {1: "a", 2: Feature{1: BytesList{1: "xyz"}}}}}
BY_HAND = bytes([0x0A, 14, 0x0A, 12, 0x0A, 1, *b"a", 0x12, 7, 0x0A, 5, 0x0A, 3, *b"xyz"])


def test_a_record_by_hand():
    assert bytes(features(BY_HAND)["a"]) == b"xyz"


def test_bytes_are_views():
    record = bytearray(BY_HAND)
    value = features(record)["a"]
    record[-1] = ord("!")
    assert bytes(value) == b"xy!"


@pytest.mark.parametrize("number", [0, 1, 127, 128, 2**40, 2**63 - 1, -1, -(2**63)])
def test_as_tensorflow_writes_them(number):
    tf = pytest.importorskip("tensorflow")
    image = np.random.default_rng(0).bytes(70_000)
    feature = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
        "empty": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b""])),
        "numbers": tf.train.Feature(int64_list=tf.train.Int64List(value=[number, 3, number])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    found = features(example.SerializeToString())
    assert found["numbers"] == [number, 3, number]
    assert bytes(found["image"]) == image and bytes(found["empty"]) == b""


@pytest.mark.parametrize("kept", [1, 5, 12, 15])
def test_a_record_cut_short_is_refused(kept):
    with pytest.raises(ValueError, match="ends"):
        features(BY_HAND[:kept])


def test_files_of_records(tmp_path):
    tf = pytest.importorskip("tensorflow")
    file = tmp_path / "two.tfrecord"
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in (BY_HAND, b"", b"x" * 1000):
            writer.write(record)
    assert [bytes(record) for record in records_of(file)] == [BY_HAND, b"", b"x" * 1000]
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"two\.tfrecord ends within a record"):
        records_of(file)
    file.write_bytes(b"")
    assert records_of(file) == []
