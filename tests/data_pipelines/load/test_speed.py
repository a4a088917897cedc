"""The speed tool: both forms of its output on a few eyes."""

import json

import pytest

from data_pipelines.load import speed

SMALL = ["--image_size=24", "--oct_shape", "5", "6", "4", "--batch_size=2",
         "--batches=2", "--repeats=2", "--workers=2"]  # fmt: skip


@pytest.mark.parametrize("arrays_only", [True, False])
def test_json(make_manifest, capsys, arrays_only):
    arguments = [f"--manifest={make_manifest(train=4).path}", "--json", *SMALL]
    speed.main(arguments + ["--arrays_only"] * arrays_only)
    result = json.loads(capsys.readouterr().out)
    rows = result["pipelines"]
    assert {(row["store"], row["backend"], row["workers"]) for row in rows} == {
        (store, backend, workers)
        for store, backends in (
            ("ArrayStore", ["threads"]),
            *([] if arrays_only else [("Store", ["threads", "tf.data"])]),
        )
        for backend in backends
        for workers in ([1, 2] if backend == "threads" else [2])
    }
    assert rows[0]["ratio"] == 1
    assert all(row["least"] <= row["images_per_second"] <= row["most"] for row in rows)
    assert {row["stage"] for row in result["stages"]} == {"read", "stack"}


def test_table_without_oct(make_manifest, capsys):
    speed.main([f"--manifest={make_manifest(train=4).path}", "--arrays_only", "--no_oct", *SMALL])
    said = capsys.readouterr().out
    assert "images_per_second" in said and "stack" in said


def test_a_manifest_without_training_eyes_is_refused(make_manifest, capsys):
    with pytest.raises(SystemExit):
        speed.main([f"--manifest={make_manifest(val=2).path}", "--arrays_only", *SMALL])
    assert "no eye in its train split" in capsys.readouterr().err
