"""The .npy reader agrees with numpy's, and can be used in threads."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from data_pipelines import npy


def stored(array, version=None) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version)
    return out.getvalue()


def read(content: bytes) -> np.ndarray:
    file = io.BytesIO(content)
    return npy.read_data(file, *npy.read_header(file))


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">i4", "<f2", "<f4", ">f8", "?", "<c8"])
@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (2, 3, 4), (0, 3)])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_agrees_with_numpy(dtype, shape, version):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    found = read(stored(array, version))
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert (found == array).all()
    assert found.flags.writeable


def test_fortran_order():
    array = np.asfortranarray(np.arange(24).reshape(2, 3, 4))
    assert (read(stored(array)) == array).all()


def test_header_of_another_writer():
    header = b'{"shape":(2,3),"fortran_order":False,"descr":"<u2"}\n'
    content = npy.MAGIC + b"\x01\x00" + len(header).to_bytes(2, "little") + header
    found = read(content + np.arange(6, dtype="<u2").tobytes())
    assert found.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("length", [0, 5, 7, 9, 40, 127])
def test_cut_header(length):
    with pytest.raises((ValueError, npy.struct.error)):
        read(stored(np.zeros((2, 3)))[:length])


def test_cut_data():
    with pytest.raises(EOFError, match="40 of 48 bytes"):
        read(stored(np.zeros((2, 3)))[:-8])


def test_records_are_refused():
    with pytest.raises(ValueError, match="array of records"):
        read(stored(np.zeros(3, [("a", "u1"), ("b", "f4")])))


def test_in_threads():
    """What numpy's own reader does not survive in CPython 3.11."""
    content = stored(np.arange(60).reshape(3, 4, 5))
    with ThreadPoolExecutor(8) as pool:
        sums = set(pool.map(lambda _: int(read(content).sum()), range(4000)))
    assert sums == {1770}
