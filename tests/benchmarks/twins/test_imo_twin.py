"""The PyTorch twin of IMO against the arrays of the authors' own PyTorch implementation."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from benchmarks.twins import imo
from imo_jax import weights
from imo_jax.models.imo import IMOConfig
from imo_jax.weights.imo import variable_shapes
from imo_jax.weights.rules import nest

pytestmark = pytest.mark.parity

REFERENCE = pathlib.Path(__file__).parents[2] / "parity" / "imo_small.npz"
TOLERANCE = 2e-5  # absolute, float32
ENCODED = (
    "backbone_stage0", "backbone_stage1", "backbone_stage2", "backbone_stage3", "fundus_feature",
    "oct_feature", "fused_feature", "grade_logits",
)  # fmt: skip


@pytest.fixture(scope="module")
def arrays():
    with np.load(REFERENCE) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def tensors(arrays):
    names = {name for name in arrays if not name.startswith("param/") and name != "config"}
    return {name: torch.from_numpy(arrays[name]) for name in names}


@pytest.fixture(scope="module")
def twin(arrays):
    model = imo.ImoTwin(IMOConfig(**json.loads(str(arrays["config"]))), (64, 96))
    state = {
        name.removeprefix("param/"): torch.from_numpy(array)
        for name, array in arrays.items()
        if name.startswith("param/")
    }
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and all("num_batches_tracked" in name for name in missing)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def encoded(twin, tensors):
    return twin.encode(tensors["image"], tensors["oct"])


@pytest.fixture
def draws(tensors):
    """The reference's: nothing dropped."""
    return imo.Draws(tensors["denoise_t"], tensors["sample_noise"], None, None)


def close(found, expected):
    torch.testing.assert_close(found, expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", ENCODED)
def test_encoder(encoded, tensors, name):
    close(encoded[name], tensors[name])


def test_schedule(tensors):
    level = imo.log_snr(tensors["schedule_t"])
    close(level, tensors["schedule_log_snr"])
    alpha, sigma = imo.alpha_sigma(level)
    close(alpha, tensors["schedule_alpha"])
    close(sigma, tensors["schedule_sigma"])
    close(torch.tensor(imo.sampling_times(3, 1, 1.0)), tensors["sampling_times"])


def test_one_call_of_the_decoder(twin, encoded, tensors):
    level = tensors["denoise_log_snr"]
    close(twin.time_mlp(level), tensors["denoise_time_embedding"])
    logits = twin.denoise(encoded["fused_feature"], tensors["sample_noise"], level)
    close(logits, tensors["denoise_logits"])


def test_sampler(twin, encoded, tensors):
    logits = imo.sample_logits(twin, encoded["fused_feature"], tensors["sample_noise"], 3)
    close(logits, tensors["sample_logits"])


def test_losses(twin, tensors, draws, monkeypatch):
    x_t, _ = imo.noised_labels(twin, tensors["label"], draws)
    close(x_t, tensors["train_x_t"])
    # The reference's images are normalised already.
    monkeypatch.setattr(imo, "normalise", lambda fundus, volume: (fundus, volume))
    batch = {
        "fundus": tensors["image"], "oct": tensors["oct"],
        "mask": tensors["label"].long(), "grade": tensors["grade"].long(),
    }  # fmt: skip
    found = imo.losses(twin, batch, draws)
    close(found["segmentation"], tensors["loss_seg"])
    close(found["grade"], tensors["loss_grade"])


def test_channels_last_changes_nothing(twin, encoded, tensors):
    twin.use(torch.channels_last)
    found = twin.encode(tensors["image"], tensors["oct"])["fused_feature"]
    twin.use(torch.contiguous_format)
    close(found, encoded["fused_feature"])


def test_prediction_of_several_samples(twin):
    """The encoder runs once, and the mean over samples is that of single ones."""
    random = torch.Generator().manual_seed(0)
    batch = {
        "fundus": torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8, generator=random),
        "oct": torch.randint(0, 256, (2, 40, 40, 12), dtype=torch.uint8, generator=random),
    }
    noise = torch.randn(2 * 2, 32, 16, 24, generator=random)
    both = imo.predict(twin, batch, noise, steps=2, samples=2)
    single = [imo.predict(twin, batch, noise[k::2], steps=2, samples=1) for k in range(2)]
    mean = (single[0]["probabilities"] + single[1]["probabilities"]) / 2
    close(both["probabilities"], mean)
    close(single[0]["mutual_information"], torch.zeros(2, 64, 96))
    assert both["entropy"].shape == (2, 64, 96) and (both["mutual_information"] >= 0).all()


def test_drop_path_and_dropout_follow_the_draws(twin, tensors):
    config = dataclasses.replace(twin.config, drop_path=0.5, grade_dropout=0.5)
    model = imo.ImoTwin(config, (64, 96)).eval().requires_grad_(False)
    model.load_state_dict(twin.state_dict())
    torch.manual_seed(0)
    drawn = imo.draw(config, 2, (64, 96), torch.device("cpu"))
    assert drawn.drop_path[0].all() and drawn.time.max() < imo.MAX_TIME
    kept = drawn._replace(drop_path=torch.ones(5, 2, dtype=torch.bool))
    inputs = tensors["image"], tensors["oct"]
    plain, scaled = model.encode(*inputs), model.encode(*inputs, kept)
    assert not torch.allclose(plain["backbone_stage3"], scaled["backbone_stage3"], atol=1e-3)
    # The first block's rate is 0, so the first stage does not see whether anything is dropped.
    close(plain["backbone_stage0"], scaled["backbone_stage0"])
    other = model.encode(*inputs, kept._replace(dropout=~kept.dropout))
    assert not torch.allclose(other["grade_logits"], scaled["grade_logits"], atol=1e-3)


def test_parameters_of_the_full_network_are_ours():
    config = IMOConfig()
    with torch.device("meta"):
        twin = imo.ImoTwin(config, (256, 256))
    assert twin.num_parameters() == 36_103_992
    shapes = variable_shapes(config)
    state = weights.to_torch(
        nest({path: np.broadcast_to(np.float32(0), shape) for path, shape in shapes.items()}),
        config,
    )
    theirs = {
        name: tuple(x.shape) for name, x in twin.state_dict().items() if "num_batches" not in name
    }
    assert theirs == {name: array.shape for name, array in state.items()}
