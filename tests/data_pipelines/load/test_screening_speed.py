"""The speed tool of scan batches on a few volumes."""

import pytest

from data_pipelines.load import screening_speed

SMALL = ["--scan_size=16", "--batch_size=2", "--batches=2", "--repeats=1", "--workers=2"]


@pytest.mark.parametrize("arrays_only", [True, False])
def test_table(make_screening, capsys, arrays_only):
    manifest = make_screening(train=3)
    options = [f"--manifest={manifest.path}", *SMALL] + ["--arrays_only"] * arrays_only
    screening_speed.main(options)
    said = capsys.readouterr().out
    assert said.count("arrays, threads") == 2
    assert said.count("TFDS store, tf.data") == (0 if arrays_only else 2)
    assert "images_per_second" in said


def test_max_scans_and_an_empty_split(make_screening, capsys):
    manifest = make_screening(train=2)
    screening_speed.main([f"--manifest={manifest.path}", "--arrays_only", "--max_scans=1", *SMALL])
    with pytest.raises(SystemExit):
        empty = make_screening(folder="empty", val=2)
        screening_speed.main([f"--manifest={empty.path}", "--arrays_only", *SMALL])
    assert "no volume in its train split" in capsys.readouterr().err
