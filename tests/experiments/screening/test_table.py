"""The table of all rows: which runs it makes, and what it writes of them."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from experiments.runtime import UserError
from experiments.screening import table
from experiments.screening.methods import METHODS, TABLE_1
from experiments.screening.presets import default
from experiments.studies import chosen_rows
from imo_jax.metrics.screening import VolumeRecord, record_row
from imo_jax.metrics.screening_summary import screening_summary


def test_the_rows_are_the_papers():
    assert [row.title for row in TABLE_1] == [
        "Part 2D-ResNet", "Part 2D-ResNet-MT", "All 3D-CNN", "All 3D-ResNet", "All 2D-ResNet",
        "All 2D-ResNet-MT", "All SEMT",
    ]  # fmt: skip
    assert TABLE_1[-1].paper == ((0.932, 0.932, 0.978), (0.924, 0.924, 0.973))


def test_unknown_rows_are_named():
    with pytest.raises(UserError, match="all_4d"):
        chosen_rows(TABLE_1, ["all_mt", "all_4d"])
    assert [row.name for row in chosen_rows(TABLE_1, ["all_semt", "part_2d"])] == [
        "part_2d", "all_semt",
    ]  # fmt: skip


def test_settings_of_a_row(tmp_path):
    rows = chosen_rows(TABLE_1, None)
    for row in rows:
        config, folder = table.row_config(default(), row, 2, rows, tmp_path)
        assert (config.method, config.train_subset, config.seed) == (row.method, row.subset, 2)
        assert config.model.network == METHODS[row.method].network
        assert folder == tmp_path / f"{row.name}-seed2"


def test_semt_compares_the_features_of_the_row_that_learns_them(tmp_path):
    rows = chosen_rows(TABLE_1, None)
    config, _ = table.row_config(default(), rows[-1], 1, rows, tmp_path)
    assert config.surrogate.stage1 == str(tmp_path / "all_2d-seed1")
    alone, _ = table.row_config(default(), rows[-1], 1, rows[-1:], tmp_path)
    assert alone.surrogate.stage1 is None


def records(shift):
    """Twelve volumes of six patients; the probability is the truth, blurred by `shift`."""
    return [
        VolumeRecord(
            id=f"v{i}", patient=f"p{i // 2}", eye="OD", visit=str(i), glaucoma=int(i >= 6),
            probability=float(np.clip(0.3 + 0.4 * (i >= 6) + shift * (-1) ** i, 0, 1)),
            vf_predicted=np.array([90.0 - i, -2.0 - i, 3.0]),
            vf_measured=np.array([91.0 - i, -2.0 - i, 2.0 + 0.1 * i]),
        )
        for i in range(12)
    ]  # fmt: skip


def finish(root, row, seed, shift):
    """Leaves what a finished run of a row leaves."""
    folder = table.row_folder(root, row, seed)
    (folder / "eval").mkdir(parents=True)
    found = records(shift)
    summary = screening_summary(found, resamples=20)
    (folder / "eval" / "summary.json").write_text(json.dumps(summary))
    pd.DataFrame(map(record_row, found)).to_csv(folder / "eval" / "per_image.csv", index=False)
    (folder / "cost.json").write_text(json.dumps({"seconds": 90.0, "parameters": 1234}))
    return summary


def test_the_table_holds_means_over_seeds_beside_the_papers_figures(tmp_path, capsys):
    rows = chosen_rows(TABLE_1, ["all_2d", "all_mt"])
    summaries = [finish(tmp_path, row, seed, 0.1 * (1 + seed)) for row in rows for seed in (0, 1)]
    config = default()
    data = dataclasses.replace(config.data, manifest="phantom.csv")
    table.write_tables(tmp_path, dataclasses.replace(config, data=data), rows, 2, 0.0)
    text = (tmp_path / "table.md").read_text()
    assert text.strip() == capsys.readouterr().out.strip()
    mean = np.mean([s["image_accuracy"]["value"] for s in summaries[:2]])
    line = next(x for x in text.splitlines() if x.startswith("| All 2D-ResNet |"))
    assert f" {mean:.3f} (" in line
    assert "0.908 / 0.904 / 0.968" in line
    assert "1,234" in line and line.endswith("| 1.5 |")
    assert "12 volumes" in text and "of 6 patients" in text and "phantom.csv" in text
    assert "All 2D-ResNet-MT − All 2D-ResNet" in text
    assert "+0.000" in text  # both rows predicted alike
    flat = pd.read_csv(tmp_path / "table.csv")
    assert set(flat["seed"]) == {0, 1} and "md_mae" in set(flat["key"])
    assert (tmp_path / "table.png").stat().st_size > 1000
    page = (tmp_path / "report.html").read_text()
    assert f"<td>{mean:.3f} (" in page and "Settings of All 2D-ResNet-MT" in page
    for anchor in ("scores", "fields", "claims", "intervals", "curves", "run", "use"):
        assert f'<section id="{anchor}"' in page, anchor
    assert page.count('class="chart"') == 7 + 1  # a score each, and the ROC


def test_a_page_of_rows_without_visual_fields_has_no_such_table(tmp_path):
    rows = chosen_rows(TABLE_1, ["all_3d_cnn"])
    finish(tmp_path, rows[0], 0, 0.1)
    path = tmp_path / "all_3d_cnn-seed0" / "eval" / "per_image.csv"
    fields = [f"{index}_pred" for index in ("vfi", "md", "psd")]
    pd.read_csv(path).assign(**dict.fromkeys(fields)).to_csv(path, index=False)
    summary = path.with_name("summary.json")
    kept = {k: None if k[:3] in ("vfi", "md_", "psd") else v for k, v in json.loads(summary.read_text()).items()}
    summary.write_text(json.dumps(kept))
    table.write_tables(tmp_path, default(), rows, 1, 0.0)
    page = (tmp_path / "report.html").read_text()
    assert '<section id="fields"' not in page and '<section id="claims"' not in page


def test_records_come_back_from_their_file(tmp_path):
    found = records(0.1)
    path = tmp_path / "per_image.csv"
    pd.DataFrame(map(record_row, found)).to_csv(path, index=False)
    for before, after in zip(found, table.read_records(path), strict=True):
        assert (before.id, before.patient, before.visit) == (after.id, after.patient, after.visit)
        assert after.probability == pytest.approx(before.probability)
        np.testing.assert_allclose(after.vf_measured, before.vf_measured)
        np.testing.assert_allclose(after.vf_predicted, before.vf_predicted)
