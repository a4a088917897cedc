"""Which runs a comparison makes, which it leaves alone, and how it chooses a learning rate."""

import numpy as np
import pytest

from experiments.comparison import runs
from experiments.comparison.rows import IMO, TRAINED
from experiments.comparison.runs import check_study, run_row
from experiments.comparison.settings import Study, config_of, scored_runs, tried_runs
from experiments.comparison.state import chosen_rate, chosen_rates, rate_scores
from experiments.comparison.stores import Stores
from experiments.run_folder import read_json
from experiments.runtime import UserError
from imo_jax.train.metric_log import NonFiniteLoss

VIT = TRAINED["vit"]


def study(tmp_path, **changes):
    changes = {"manifests": ("m.csv",), "rates": (1e-3, 3e-3), **changes}
    return Study(out=tmp_path, **changes)


def test_the_best_validation_score_chooses_the_rate():
    assert chosen_rate(VIT, {1e-3: 0.4, 3e-3: 0.6, 1e-2: 0.5}) == 3e-3
    assert chosen_rate(VIT, {3e-3: 0.5, 1e-3: 0.5}) == 3e-3  # the first of equals
    assert chosen_rate(VIT, {1e-3: 0.1, 1e-2: -np.inf}) == 1e-3
    with pytest.raises(UserError, match="vit: no validation score"):
        chosen_rate(VIT, {1e-3: -np.inf, 1e-2: np.nan})
    assert chosen_rate(VIT, {1e-3: np.nan}) == 1e-3  # no validation eyes, and nothing to choose
    with pytest.raises(UserError, match="vit: no validation score"):
        chosen_rate(VIT, {1e-3: -np.inf})


def test_rates_are_tried_with_one_seed_and_the_best_goes_on(fake, tmp_path):
    fake.score = lambda config: 1 - config.optimiser.learning_rate
    asked = study(tmp_path, seeds=2)
    assert run_row(asked, VIT, Stores()) == 0
    scored = ["vit/fold0-seed0-rate0.001", "vit/fold0-seed1-rate0.001"]
    assert fake.trained == [scored[0], "vit/fold0-seed0-rate0.003", scored[1]]
    assert fake.evaluated == scored
    assert rate_scores(asked, VIT) == [{1e-3: 0.999, 3e-3: 0.997}]


def test_each_fold_chooses_its_rate_on_its_own_validation_eyes(fake, tmp_path):
    def score(config):
        rate = config.optimiser.learning_rate
        return rate if config.data.manifest == "m_fold1.csv" else 1 - rate

    fake.score = score
    asked = study(tmp_path, seeds=2, manifests=("m_fold0.csv", "m_fold1.csv"))
    assert run_row(asked, VIT, Stores()) == 0
    assert chosen_rates(asked, VIT) == (1e-3, 3e-3)
    assert fake.evaluated == [
        f"vit/fold{fold}-seed{seed}-rate{rate}"
        for seed in (0, 1)
        for fold, rate in ((0, "0.001"), (1, "0.003"))
    ]


def test_all_rows_of_a_fold_and_seed_share_one_locator(fake, tmp_path):
    asked = study(tmp_path, seeds=2, manifests=("m_fold0.csv", "m_fold1.csv"))
    for row in (VIT, IMO):
        assert run_row(asked, row, Stores()) == 0
    assert sorted(fake.locators) == [f"fold{f}-seed{s}" for f in (0, 1) for s in (0, 1)]
    for run in scored_runs(asked, IMO, (1e-3, 1e-3))[1]:
        config = config_of(asked, run)
        assert config.squares.locator == str(tmp_path / "locator" / f"fold{run.fold}-seed1")


def test_whole_photographs_need_no_locator(fake, tmp_path):
    run_row(study(tmp_path, extra=("--region=photograph",)), VIT, Stores())
    assert fake.trained and not fake.locators


def test_a_locator_that_is_given_is_every_rows(fake, tmp_path):
    asked = study(tmp_path, extra=("--locator=runs/imo",))
    assert {config_of(asked, run).squares.locator for run in tried_runs(asked, VIT)} == {"runs/imo"}
    run_row(asked, VIT, Stores())
    assert not fake.locators


def test_finished_runs_are_left_alone(fake, tmp_path):
    run_row(study(tmp_path), VIT, Stores())
    before = list(fake.trained), list(fake.evaluated)
    assert run_row(study(tmp_path), VIT, Stores()) == 0
    assert (fake.trained, fake.evaluated) == before
    run_row(study(tmp_path, seeds=2), VIT, Stores())
    assert fake.trained == [*before[0], "vit/fold0-seed1-rate0.003"]


def test_an_interrupted_run_is_taken_up_again_and_its_seconds_add_up(fake, tmp_path):
    fake.code = 143
    assert run_row(study(tmp_path), VIT, Stores()) == 143
    assert len(fake.trained) == 1 and not fake.evaluated
    file = tmp_path / "vit/fold0-seed0-rate0.001/training.json"
    first = read_json(file)
    assert first["state"] == "interrupted"
    assert rate_scores(study(tmp_path), VIT) is None
    fake.code = 0
    assert run_row(study(tmp_path), VIT, Stores()) == 0
    assert fake.trained[0] == fake.trained[1]
    assert read_json(file)["state"] == "trained"
    assert read_json(file)["seconds"] > first["seconds"]


def test_a_rate_that_diverges_is_not_chosen_and_not_tried_again(fake, tmp_path, monkeypatch):
    def train(config, workdir, store):
        if config.optimiser.learning_rate > 2e-3:
            fake.trained.append("diverged")
            raise UserError("inf") from NonFiniteLoss(3, ["a"], {"loss": np.inf}, "none")
        return fake.train(config, workdir, store)

    monkeypatch.setattr(runs, "run_stages", train)
    for _ in range(2):
        assert run_row(study(tmp_path), VIT, Stores()) == 0
    assert fake.trained == ["vit/fold0-seed0-rate0.001", "diverged"]
    assert rate_scores(study(tmp_path), VIT)[0][3e-3] == -np.inf


def test_other_errors_of_a_run_are_told(fake, tmp_path, monkeypatch):
    def train(config, workdir, store):
        raise UserError("no such eye")

    monkeypatch.setattr(runs, "run_stages", train)
    with pytest.raises(UserError, match="no such eye"):
        run_row(study(tmp_path), VIT, Stores())


def test_runs_of_other_settings_are_refused_before_any_training(fake, tmp_path):
    run_row(study(tmp_path), VIT, Stores())
    changed = study(tmp_path, extra=("--train_steps=100",))
    with pytest.raises(UserError, match="train_steps: 500 -> 100"):
        check_study(changed, [IMO, VIT])
    check_study(study(tmp_path, extra=("--bootstrap=50",)), [IMO, VIT])


def test_unknown_and_absent_weights_are_named_before_any_training(tmp_path):
    with pytest.raises(UserError, match="vitt"):
        check_study(study(tmp_path, pretrained={"vitt": "a.pth"}), [VIT])
    with pytest.raises(UserError, match="a.pth: no such file"):
        check_study(study(tmp_path, pretrained={"vit": str(tmp_path / "a.pth")}), [VIT])
