"""Rows: their flagfiles, the settings these stand for, and what may be added to them."""

import dataclasses
import re

import pytest

from experiments.comparison import settings
from experiments.comparison.rows import ENSEMBLE, IMO, TABLES, TRAINED
from experiments.comparison.settings import Study, fold_manifests, row_config
from experiments.runtime import UserError
from imo_jax.models.graders.config import GraderConfig
from imo_jax.models.imo.config import IMOConfig
from imo_jax.models.segmenters.config import SegmenterConfig

NETWORKS = {
    "unetpp": ("unetpp", "standard"),
    "deeplab": ("deeplab", "resnet50"),
    "upernet": ("upernet", "convnext_tiny"),
    "segformer": ("segformer", "b2"),
    "segnext": ("segnext", "b"),
    "unet": ("unet", "resnet34"),
    "resnet": ("resnet", "resnet50"),
    "convnext": ("convnext", "convnext_tiny"),
    "vit": ("vit", "vit_b16"),
    "beit": ("beit", "beitv2_b16"),
    "efficientvit": ("efficientvit", "efficientvit_m5"),
}
ABLATIONS = {
    "imo": {},
    "imo_without_oct": {"use_oct": False},
    "imo_without_grading": {"grade": False},
    "imo_without_segmentation": {
        "segment": False,
        "auxiliary_head": False,
        "grade_shapes": False,
    },
    "imo_without_cmfa": {"cmfa": "concat"},
    "imo_without_ird": {"refine": "single"},
}


def study(tmp_path, **changes):
    return Study(out=tmp_path, manifests=("m.csv",), **changes)


def test_the_rows_are_the_papers():
    titles = {number: [row.title for row in table.rows] for number, table in TABLES.items()}
    assert titles == {
        1: ["UNet++", "DeepLabV3+", "UPerNet", "SegFormer", "SegNeXt", "U-Net", "IMO",
            ENSEMBLE.title],
        2: ["ResNet-50", "ConvNeXt", "ViT", "BEiTv2", "EfficientViT", "IMO"],
        3: ["w/o OCT", "w/o grading", "w/o segmentation", "w/o CMFA", "w/o IRD", "IMO"],
    }
    assert set(TRAINED) == {*NETWORKS, *ABLATIONS}


def test_deep_supervision_is_in_the_rows_whose_recipes_have_it(tmp_path):
    found = {
        name: row_config(study(tmp_path), TRAINED[name], fold=0, seed=0, rate=0.1).model.auxiliary
        for name in NETWORKS
        if TRAINED[name].program == "segmenter"
    }
    supervised = {"unetpp", "upernet", "unet"}
    assert found == {name: name in supervised for name in found}


def test_the_papers_grading_figures_follow_from_its_confusion_matrix():
    """8 of 8, 3 of 8 and 4 of 4 right; the class of four is predicted nine times."""
    recall, precision = (8 / 8, 3 / 8, 4 / 4), (8 / 8, 3 / 3, 4 / 9)
    f1 = [2 * p * r / (p + r) for p, r in zip(precision, recall, strict=True)]
    paper = IMO.paper
    assert paper["macro_recall"] == pytest.approx(sum(recall) / 3, abs=5e-5)
    assert paper["macro_precision"] == pytest.approx(sum(precision) / 3, abs=5e-5)
    assert paper["macro_f1"] == pytest.approx(sum(f1) / 3, abs=5e-5)
    assert paper["accuracy"] == 15 / 20


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("scale", settings.SCALES)
def test_every_flagfile_stands_for_its_network(tmp_path, name, scale):
    row = TRAINED[name]
    config = row_config(study(tmp_path, scale=scale), row, fold=0, seed=2, rate=0.25)
    assert (config.seed, config.data.manifest) == (2, "m.csv")
    assert config.optimiser.learning_rate == 0.25
    if name in NETWORKS:
        network, paper_size = NETWORKS[name]
        kind = SegmenterConfig if row.program == "segmenter" else GraderConfig
        assert isinstance(config.model, kind)
        assert config.model.network == network
        assert config.model.size_name == {"cpu": "tiny", "paper": paper_size}[scale]
        assert not config.model.use_oct  # as in the paper
    else:
        width = {"cpu": 64, "paper": IMOConfig().feature_dim}[scale]
        assert config.model.feature_dim == width


@pytest.mark.parametrize("scale", settings.SCALES)
def test_an_ablation_differs_from_imo_in_what_it_is_called_after(tmp_path, scale):
    whole = row_config(study(tmp_path, scale=scale), IMO, 0, 0, 1e-3)
    for name, changed in ABLATIONS.items():
        found = row_config(study(tmp_path, scale=scale), TRAINED[name], 0, 0, 1e-3)
        # what draws no shapes cannot be chosen by them
        chosen_by = "shapes" if found.model.segment else "score"
        assert found == dataclasses.replace(
            whole,
            model=dataclasses.replace(whole.model, **changed),
            loop=dataclasses.replace(whole.loop, best_metric=chosen_by),
        )


@pytest.mark.parametrize("scale", settings.SCALES)
def test_all_rows_have_the_same_eyes_crops_steps_and_optimiser(tmp_path, scale):
    configs = [
        row_config(study(tmp_path, scale=scale), row, 0, 0, 1e-3) for row in TRAINED.values()
    ]
    for name in ("data", "augment", "optimiser", "seed", "pretrained"):
        assert len({getattr(config, name) for config in configs}) == 1, name
    assert len({dataclasses.replace(config.loop, best_metric="") for config in configs}) == 1


def test_rows_are_chosen_by_shapes_where_they_segment_and_by_their_score_elsewhere(tmp_path):
    chosen_by = {
        row.name: row_config(study(tmp_path), row, 0, 0, 1e-3).loop.best_metric
        for row in TRAINED.values()
    }
    by_score = {row.name for row in TRAINED.values() if row.program == "grader"}
    by_score.add("imo_without_segmentation")
    assert {name for name, metric in chosen_by.items() if metric == "score"} == by_score
    assert set(chosen_by.values()) == {"shapes", "score"}


def test_the_top_of_a_flagfile_says_how_to_run_it():
    for row in TRAINED.values():
        text = (settings.FLAGFILES / f"{row.name}.flags").read_text()
        assert text.startswith(f'# Row "{row.title}')
        assert f"python -m experiments.{row.program} --flagfile=" in text
        assert f"tables/{row.name}.flags" in text
        assert f"--size={row.paper_size} after it" in text
        assert re.search(r"minute", text) and "score" in text
    files = {path.stem for path in settings.FLAGFILES.glob("*.flags")}
    assert files == {*TRAINED, "scale_cpu", "scale_paper"}


def test_further_settings_hold_for_the_rows_that_have_them(tmp_path):
    extra = ("--train_steps=7", "--warmup_steps=2", "--eval_samples=3", "--noflip")
    changed = study(tmp_path, extra=extra)
    imo = row_config(changed, IMO, 0, 0, 1e-3)
    vit = row_config(changed, TRAINED["vit"], 0, 0, 1e-3)
    for config in (imo, vit):
        assert config.loop.train_steps == 7 and not config.augment.flip
    assert imo.evaluation.eval_samples == 3
    settings.check_extra(extra, [IMO, TRAINED["vit"]])
    with pytest.raises(UserError, match="eval_samples"):
        settings.check_extra(extra, [TRAINED["vit"]])


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--learning_rate=1", "--rates"), ("--seed=3", "--seeds"), ("--size=tiny", "--scale"),
        ("--pretrained=a", "ROW=FILE"), ("--no_such=1", "no_such"), ("7", "--name=value"),
        ("-v=1", "--name=value"), ("--mode=eval", "trained and evaluated"),
    ],
)  # fmt: skip
def test_other_settings_are_refused(argument, said):
    with pytest.raises(UserError, match=said):
        settings.check_extra((argument,), [IMO, TRAINED["unetpp"]])


def test_a_bad_value_is_named(tmp_path):
    with pytest.raises(UserError, match="image_size=30"):
        row_config(study(tmp_path, extra=("--image_size=30",)), IMO, 0, 0, 1e-3)


def test_pretrained_weights_of_imo_are_its_ablations_too(tmp_path):
    given = study(tmp_path, pretrained={"imo": "a.pth", "vit": "b.pth", "imo_without_ird": "c.pth"})
    found = {name: row_config(given, row, 0, 0, 1e-3).pretrained for name, row in TRAINED.items()}
    assert found["imo"] == found["imo_without_oct"] == "a.pth"
    assert (found["vit"], found["imo_without_ird"], found["unetpp"]) == ("b.pth", "c.pth", None)


def test_folds_are_found_beside_the_manifest(tmp_path):
    for k in range(3):
        (tmp_path / f"manifest_fold{k}.csv").touch()
    paths = tuple(str(tmp_path / f"manifest_fold{k}.csv") for k in range(3))
    assert fold_manifests(str(tmp_path / "manifest.csv"), 3) == paths
    assert fold_manifests(str(tmp_path / "manifest_fold0.csv"), 2) == paths[:2]
    assert fold_manifests("one.csv", None) == ("one.csv",)
    with pytest.raises(UserError, match=r"manifest_fold3.csv.*manifest_fold4.csv[\s\S]*--folds=5"):
        fold_manifests(str(tmp_path / "manifest.csv"), 5)
