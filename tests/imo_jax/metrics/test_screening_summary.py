import json

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    f1_score,
    mean_absolute_error,
    roc_auc_score,
    root_mean_squared_error,
)

from imo_jax.metrics.screening import VolumeRecord, cases
from imo_jax.metrics.screening_baseline import constant_records
from imo_jax.metrics.screening_summary import (
    CLASS_KEYS,
    FIELD_KEYS,
    chosen_thresholds,
    probability_bins,
    scores_and_classes,
    screening_difference,
    screening_summary,
)

SMALL = {"resamples": 200}


def make_records(seed=0, patients=15, regress=True, skill=1.5):
    """Patients of one class with two visits of two volumes; every other visit has a field."""
    rng = np.random.default_rng(seed)
    records = []
    for p in range(patients):
        glaucoma = int(rng.random() < 0.5) if p > 1 else p
        for visit in range(2):
            field = np.array([95.0, -1, 2]) - glaucoma * rng.random() * np.array([60, 20, -8])
            for v in range(2):
                logit = skill * (2 * glaucoma - 1) + rng.normal()
                predicted = field + rng.normal(size=3) * (10, 4, 2)
                records.append(
                    VolumeRecord(
                        f"{p}-{visit}-{v}", f"patient{p}", "OD", str(visit), glaucoma,
                        float(np.round(1 / (1 + np.exp(-logit)), 2)),
                        predicted if regress else None,
                        field if visit == 0 else np.full(3, np.nan),
                    )
                )  # fmt: skip
    return records


RECORDS = make_records()


def arrays(records):
    return [np.array([getattr(r, name) for r in records]) for name in ("glaucoma", "probability")]


@pytest.mark.parametrize(("level", "group"), [("image", list), ("case", cases)])
def test_classification_as_in_scikit_learn(level, group):
    thresholds = {"image": 0.3, "case": 0.62}
    got = screening_summary(RECORDS, thresholds, **SMALL)
    truth, score = arrays(group(RECORDS))
    chosen = score >= thresholds[level]
    expected = {
        "accuracy": accuracy_score(truth, score >= 0.5),
        "f1": f1_score(truth, score >= 0.5),
        "sensitivity": np.mean(score[truth == 1] >= 0.5),
        "specificity": np.mean(score[truth == 0] < 0.5),
        "auc": roc_auc_score(truth, score),
        "brier": brier_score_loss(truth, score),
        "accuracy_at_chosen": accuracy_score(truth, chosen),
        "f1_at_chosen": f1_score(truth, chosen),
        "sensitivity_at_chosen": np.mean(chosen[truth == 1]),
        "specificity_at_chosen": np.mean(~chosen[truth == 0]),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(got[f"{level}_{name}"]["value"], value, err_msg=name)


def test_regression_is_of_the_measured_volumes():
    got = screening_summary(RECORDS, **SMALL)
    measured = [r for r in RECORDS if np.isfinite(r.vf_measured).all()]
    truth, predicted = (
        np.stack([getattr(r, n) for r in measured]) for n in ("vf_measured", "vf_predicted")
    )
    oracles = {
        "r": lambda a, b: pearsonr(a, b)[0], "mae": mean_absolute_error,
        "rmse": root_mean_squared_error,
    }  # fmt: skip
    for j, index in enumerate(("vfi", "md", "psd")):
        for name, oracle in oracles.items():
            expected = oracle(truth[:, j], predicted[:, j])
            np.testing.assert_allclose(got[f"{index}_{name}"]["value"], expected, rtol=1e-9)


def simple(probabilities, classes, field=None):
    """One volume a patient."""
    nothing = np.full(3, np.nan)
    return [
        VolumeRecord(f"v{i}", f"p{i}", "OS", "1", y, p, None, nothing if field is None else field)
        for i, (p, y) in enumerate(zip(probabilities, classes, strict=True))
    ]


def test_by_hand():
    got = screening_summary(simple([0.1, 0.4, 0.6, 0.6, 0.95], [0, 0, 0, 1, 1]), **SMALL)
    value = {key: got[key]["value"] for key in CLASS_KEYS if got[key] is not None}
    assert value["image_accuracy"] == 0.8 and value["image_f1"] == 0.8
    np.testing.assert_allclose(value["image_auc"], (2 * 3 - 0.5) / 6)  # one of six pairs is a tie
    assert value["image_sensitivity_at_90_specificity"] == 0.5
    # bins .1 .4 .6 .95: |.1| + |.4| + |1.2 - 1| + |.95 - 1|, over five
    np.testing.assert_allclose(value["image_ece"], (0.1 + 0.4 + 0.2 + 0.05) / 5)
    np.testing.assert_allclose(value["image_brier"], (0.01 + 0.16 + 0.36 + 0.16 + 0.0025) / 5)
    assert [got[f"num_{n}"] for n in ("volumes", "cases", "patients", "volumes_with_vf")] == [
        5,
        5,
        5,
        0,
    ]


def test_shape_of_the_summary():
    got = screening_summary(RECORDS, chosen_thresholds(RECORDS), **SMALL)
    for key in CLASS_KEYS + FIELD_KEYS:
        assert got[key]["low"] <= got[key]["value"] <= got[key]["high"], key
    assert (got["num_volumes"], got["num_cases"], got["num_patients"]) == (60, 30, 15)
    assert got["num_volumes_with_vf"] == 30
    json.dumps(got, allow_nan=False)


def test_undefined_is_none_and_no_exception():
    without = screening_summary(make_records(regress=False), **SMALL)
    assert all(without[key] is None for key in FIELD_KEYS)
    assert without["image_accuracy_at_chosen"] is None and without["image_auc"] is not None
    healthy = screening_summary(simple([0.1, 0.2], [0, 0]), {"image": 0.5, "case": 0.5}, **SMALL)
    assert healthy["image_auc"] is None and healthy["case_f1"] is None
    assert healthy["case_accuracy"]["value"] == 1.0
    unknown = screening_summary(simple([0.1, 0.2], [None, None]), **SMALL)
    assert all(unknown[key] is None for key in CLASS_KEYS) and unknown["num_volumes"] == 2
    nothing = screening_summary([], **SMALL)
    assert nothing["num_cases"] == 0 and nothing["image_auc"] is None
    constant = screening_summary(constant_records(RECORDS, 0.6, np.array([90.0, -4, 3])), **SMALL)
    assert constant["md_r"] is None and constant["md_mae"] is not None
    assert constant["image_auc"]["value"] == 0.5
    json.dumps([without, healthy, unknown, nothing, constant], allow_nan=False)


def test_intervals_are_by_patient():
    """Sixty volumes of fifteen patients know no more than fifteen do."""
    alone = [r for r in RECORDS if r.id.endswith("0-0")]
    copies = [
        VolumeRecord(f"{r.id}{k}", r.patient, r.eye, r.visit, r.glaucoma, r.probability, None,
                     r.vf_measured)
        for r in alone for k in range(4)
    ]  # fmt: skip
    one, four = (screening_summary(x, **SMALL)["image_accuracy"] for x in (alone, copies))
    assert one == four


def test_seed_and_resamples_matter():
    first = screening_summary(RECORDS, **SMALL)
    assert first == screening_summary(RECORDS, **SMALL)
    assert first["image_brier"] != screening_summary(RECORDS, seed=1, **SMALL)["image_brier"]
    assert first["image_brier"] != screening_summary(RECORDS, resamples=50)["image_brier"]


def test_thresholds_are_chosen_by_level():
    thresholds = chosen_thresholds(RECORDS)
    for level, group in (("image", list), ("case", cases)):
        truth, score = arrays(group(RECORDS))
        best = max(f1_score(truth, score >= t) for t in np.arange(100) / 100)
        assert f1_score(truth, score >= thresholds[level]) == best
    assert chosen_thresholds([]) == {"image": 0.5, "case": 0.5}


def test_difference_is_paired():
    better, worse = RECORDS, make_records(skill=0.5)
    got = screening_difference(better, worse, **SMALL)
    for key in ("image_auc", "case_brier", "md_mae"):
        values = [screening_summary(x, **SMALL)[key]["value"] for x in (better, worse)]
        np.testing.assert_allclose(got[key]["value"], values[0] - values[1], atol=1e-12)
    assert got["image_brier"]["high"] < 0
    same = screening_difference(better, better, {"image": 0.5, "case": 0.5},
                                {"image": 0.5, "case": 0.9}, **SMALL)  # fmt: skip
    assert same["case_auc"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert same["case_accuracy_at_chosen"]["value"] > 0
    assert got["image_accuracy_at_chosen"] is None
    single = screening_difference(better, make_records(regress=False), **SMALL)
    assert single["md_r"] is None and single["image_auc"]["value"] == 0
    with pytest.raises(ValueError, match="same volumes"):
        screening_difference(better, worse[::-1])


def test_beside_the_majority_class():
    glaucoma = np.mean([r.glaucoma for r in RECORDS])
    got = screening_difference(RECORDS, constant_records(RECORDS, glaucoma), **SMALL)
    assert got["image_accuracy"]["low"] > 0 and got["md_r"] is None


def test_what_the_plots_take():
    assert probability_bins(RECORDS)[:, 0].sum() == 60 and probability_bins([]).sum() == 0
    score, positive = scores_and_classes(simple([0.1, 0.2, 0.7], [0, None, 1]))
    assert score.tolist() == [0.1, 0.7] and positive.tolist() == [False, True]
