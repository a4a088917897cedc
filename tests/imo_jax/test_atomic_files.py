import json

import numpy as np
import pytest
from PIL import Image

from imo_jax.atomic_files import replacing, write_json, write_picture


def test_a_file_that_is_not_finished_leaves_the_old_one_and_nothing_beside_it(tmp_path):
    path = tmp_path / "new" / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), replacing(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"a": 1}
    assert [found.name for found in path.parent.iterdir()] == ["a.json"]


def test_nan_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_picture_keeps_its_values(tmp_path, dtype):
    pixels = np.arange(12, dtype=dtype).reshape(3, 4) * dtype(20)
    write_picture(tmp_path / "a.png", pixels.astype(dtype))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), pixels)
