"""The arrays of a serialised tf.train.Example as views of its bytes: nothing is copied.

TFDS parses a record into objects and copies each array twice, which takes longer than to read it.
The wire format is that of protocol buffers (https://protobuf.dev/programming-guides/encoding):

    Example {1: Features {1: {1: name, 2: Feature {1: {1: bytes} | 3: {1: integers}}} ...}}
"""

from collections.abc import Iterator

_VARINT, _LENGTH = 0, 2  # wire types: a number; a length and so many bytes
_BYTES_LIST, _INT64_LIST = 1, 3  # of a Feature; floats are stored by nobody here


def features(record: bytes | memoryview) -> dict[str, memoryview | list[int]]:
    """Name -> the bytes (a view of `record`) or the integers of each feature.

    Raises ValueError where `record` is no Example of bytes and integers.
    """
    found: dict[str, memoryview | list[int]] = {}
    for _, all_features in _fields(memoryview(record)):
        for _, entry in _fields(all_features):
            parts = dict(_fields(entry))
            found[bytes(parts[1]).decode()] = _values(parts[2])
    return found


def _values(feature: memoryview) -> memoryview | list[int]:
    for kind, values in _fields(feature):
        if kind == _BYTES_LIST:
            (_, value), *more = _fields(values)
            if more:
                raise ValueError("a feature holds several byte strings")
            return value
        if kind == _INT64_LIST:
            return _integers(values)
    raise ValueError("a feature holds neither bytes nor integers")


def _integers(values: memoryview) -> list[int]:
    """Those of an Int64List, packed or one by one."""
    found: list[int] = []
    for _, value in _fields(values):
        if isinstance(value, int):
            found.append(_signed(value))
            continue
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            found.append(_signed(number))
    return found


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """(field number, value) of a message, in order."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 == _VARINT:
            value, at = _varint(message, at)
        elif tag & 7 == _LENGTH:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("a record ends before its last field does")
            value, at = message[at : at + length], at + length
        else:
            raise ValueError(f"wire type {tag & 7} is none of an Example")
        yield tag >> 3, value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """The number that begins at a place, seven bits a byte, and the place after it."""
    number = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("a record ends within a number")
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number
