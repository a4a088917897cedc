"""The benchmark of augmentation runs through."""

from benchmarks import augmentation


def test_small(capsys):
    augmentation.main(["--small", "--repeats=2"])
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["ms", "an", "image", "tenth", "median", "cpu"]
    assert [row.split()[0] for row in rows] == ["eyes", "scans"]
    assert all(0 < float(value) < 60_000 for row in rows for value in row.split()[-3:])
