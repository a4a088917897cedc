"""Which pictures an evaluation on volumes draws, and of which volumes."""

import numpy as np
import pytest

from imo_jax.metrics.screening import VolumeRecord
from imo_jax.predictor.volume_result import Evidence
from imo_jax.visualisation.volume_plots import (
    evidence_plots,
    first_of_class,
    scan_row,
    volume_plots,
)

FIELD = np.array([90.0, -2.0, 3.0])


def record(number, field=FIELD):
    """Volumes 0 and 1 are of one patient, 2 and 3 of the next; patients alternate in class."""
    return VolumeRecord(
        id=f"v{number}", patient=f"p{number // 2}", eye="OD", visit=str(number),
        glaucoma=number // 2 % 2, probability=0.1 * number, vf_predicted=field, vf_measured=FIELD,
    )  # fmt: skip


RECORDS = [record(number) for number in range(8)]


def evidence(row, probabilities=True):
    images = np.random.default_rng(row).integers(0, 255, (5, 16, 16), np.uint8)
    cams = np.full((5, 4, 4), 0.1, np.float32)
    cams[row % 5] = -2.0
    return Evidence(images, cams, np.linspace(0, 1, 5) if probabilities else None)


def test_scores_are_drawn_and_fields_where_they_are_regressed():
    found = volume_plots(RECORDS, {"image": 0.4, "case": 0.4}, "SEMT")
    assert set(found) == {"roc.png", "calibration.png", "visual_fields.png"}
    without = volume_plots([record(number, None) for number in range(8)], None, "2D-ResNet")
    assert set(without) == {"roc.png", "calibration.png"}
    assert all(picture.dtype == np.uint8 for picture in found.values())
    assert not np.array_equal(found["roc.png"], without["roc.png"])  # no chosen threshold there


def test_the_first_volumes_of_a_class_are_of_different_patients():
    assert first_of_class(RECORDS, 0, 9) == [0, 4] and first_of_class(RECORDS, 1, 9) == [2, 6]
    assert first_of_class(RECORDS, 1, 1) == [2]


@pytest.mark.parametrize(
    ("number", "drawn"),
    [(1, {"v0.png", "v2.png", "b_scans.png"}),
     (9, {"v0.png", "v2.png", "v4.png", "v6.png", "b_scans.png"}), (0, set())],
)  # fmt: skip
def test_evidence_of_as_many_volumes_as_are_wanted(number, drawn):
    assert set(evidence_plots(RECORDS, evidence, number, "SEMT")) == drawn


def test_a_network_for_whole_volumes_has_no_b_scans():
    found = evidence_plots(RECORDS, lambda row: evidence(row, False), 1, "3D-CNN")
    assert set(found) == {"v0.png", "v2.png"}


def test_b_scans_need_as_many_volumes_of_each_class():
    found = evidence_plots(RECORDS[:6], evidence, 9, "SEMT")  # two patients against one
    assert set(found) == {"v0.png", "v2.png", "v4.png"}


def test_the_clearest_b_scan_is_taken():
    row = scan_row("normal", [evidence(1), evidence(3)])
    np.testing.assert_array_equal(row.scans, [evidence(1).images[1], evidence(3).images[3]])
    assert (row.cams == -2.0).all() and row.probabilities.tolist() == [0.25, 0.75]
