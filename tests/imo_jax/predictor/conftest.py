"""Small run folders with random networks, and eyes to predict."""

import dataclasses
import functools
import json

import jax
import numpy as np
import pytest
from PIL import Image

from data_pipelines.phantom import make_phantom
from experiments.config import DataConfig, GraderRunConfig, RunConfig, SegmenterRunConfig
from experiments.screening.config import ScreeningConfig
from experiments.screening.methods import METHODS
from imo_jax.checkpoints import Checkpoints
from imo_jax.models.graders.config import GraderConfig
from imo_jax.models.imo.config import IMOConfig
from imo_jax.models.segmenters.config import SegmenterConfig
from imo_jax.models.variables import variable_shapes
from imo_jax.settings.fields import replace_leaves
from imo_jax.settings.saved import to_json

SMALL = IMOConfig(
    backbone_depths=(1, 1, 1, 1), backbone_widths=(8, 8, 8, 8), feature_dim=8, norm_groups=2,
    oct_slices=4, oct_blocks=2, channel_attention_reduction=2, grade_hidden=8, grade_blocks=1,
    se_reduction=4, decoder_layers=1, decoder_heads=2, decoder_mlp=8, time_frequencies=2,
    time_dim=8, signal_scale=1.0,
)  # fmt: skip
CONFIGS = {
    "imo": RunConfig(model=SMALL),
    "segmenter": SegmenterRunConfig(model=SegmenterConfig(network="unetpp", size="tiny")),
    "grader": GraderRunConfig(model=GraderConfig(network="resnet", size="tiny")),
}


def random_variables(model, seed, size=0.5):
    """Variables of a network that is neither sure nor blind, without a compilation."""

    def draw(path, leaf):
        name = jax.tree_util.keystr(path)
        rng = np.random.default_rng([seed + 4, *name.encode()])
        if name.endswith("['var']"):
            return rng.uniform(0.5, 2, leaf.shape).astype(np.float32)
        if name.endswith(("['bias']", "['shift']")):  # else one class would be everywhere
            return np.zeros(leaf.shape, np.float32)
        return (size * rng.normal(size=leaf.shape)).astype(np.float32)

    shapes = variable_shapes(model)
    return jax.tree_util.tree_map_with_path(draw, {name: dict(shapes[name]) for name in shapes})


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """(kind, seed) -> folder of a run with a random network, as training would leave it."""

    @functools.cache
    def make(kind, seed=0, **changes):
        config = dataclasses.replace(
            CONFIGS[kind],
            data=DataConfig(image_size=48, oct_depth=16, oct_width=12),
            augment=dataclasses.replace(CONFIGS[kind].augment, crop_mode="none", crop_size=48),
        ).completed()
        config = replace_leaves(config, changes)
        folder = tmp_path_factory.mktemp(f"{kind}{seed}")
        write_run(folder, config, seed)
        return folder

    return make


@pytest.fixture(scope="session")
def screening_folder(tmp_path_factory):
    """(method, seed) -> folder of a screening run with a random network."""

    @functools.cache
    def make(method, seed=0, **changes):
        settings = {
            "method": method, "network": METHODS[method].network, "scan_size": 32,
            "cube_slices": 8, "cube_depth": 16, "cube_width": 8, "stage_sizes": (1, 1), "width": 4,
            "regression_width": 4, "cnn_width": 4, "eval_batch_size": 4,
        }  # fmt: skip
        config = replace_leaves(ScreeningConfig(), settings | changes)
        folder = tmp_path_factory.mktemp(f"{method}{seed}")
        write_run(folder, config, seed, size=0.1)  # larger ones would be quite sure
        (folder / "validation.csv").write_text("step,image_threshold\n3,0.9\n7,0.25\n")
        return folder

    return make


def write_run(folder, config, seed, size=0.5):
    """What training would leave: the settings, and a checkpoint of step 7 with random arrays."""
    (folder / "config.json").write_text(json.dumps(to_json(config, config.kind)))
    with Checkpoints(folder / "checkpoints") as checkpoints:
        checkpoints.save(
            7,
            variables=random_variables(config.model, seed, size),
            training={"step": np.int32(7)},
            progress={"best_step": 7},
        )


@pytest.fixture(scope="session")
def phantom(tmp_path_factory):
    """A folder of phantom eyes."""
    return make_phantom(tmp_path_factory.mktemp("data") / "phantom", eyes=3, seed=0)


@pytest.fixture(scope="session")
def eyes(phantom):
    """[(photograph, volume)] files of the phantom eyes."""
    photographs = sorted((phantom / "fundus").glob("*.jpg"))
    return [(p, min((phantom / "oct").glob(f"{p.stem}*.npy"))) for p in photographs]


@pytest.fixture(scope="session")
def arrays(eyes):
    """[(photograph, volume)] as arrays."""
    return [(np.asarray(Image.open(p)), np.load(v)) for p, v in eyes]
