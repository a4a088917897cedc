"""The network against arrays computed by the authors' PyTorch implementation.

    python -m pytest tests/parity/test_imo_reference.py --reference=FILE

FILE is an .npz: `config` (JSON of IMOConfig fields; those left out keep the paper's value, entries
that are no field are shown and not used), `param/<released name>`, inputs, and any of the outputs below, all in PyTorch's NCHW. Without
--reference it is the committed tests/parity/imo_small.npz.
"""

import dataclasses
import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax import losses, weights
from imo_jax.diffusion.ddim import sampling_times
from imo_jax.diffusion.forward import add_noise
from imo_jax.diffusion.schedule import alpha_sigma, log_snr
from imo_jax.layers.resize import bilinear, nearest
from imo_jax.models.imo import IMO, IMOConfig
from imo_jax.models.imo.sample import sample_logits

COMMITTED = pathlib.Path(__file__).with_name("imo_small.npz")
TOLERANCE_COMMITTED, TOLERANCE = 2e-5, 1e-4  # absolute, float32

INPUTS = {"image", "oct", "sample_noise", "label", "grade", "denoise_t", "schedule_t"}
OF_SCHEDULE = {
    "schedule_log_snr", "schedule_alpha", "schedule_sigma", "sampling_times", "denoise_log_snr",
}  # fmt: skip
OF_NETWORK = {
    "backbone_stage0", "backbone_stage1", "backbone_stage2", "backbone_stage3", "fundus_feature",
    "oct_feature", "fused_feature", "grade_logits", "denoise_time_embedding", "denoise_logits",
    "sample_logits", "train_x_t", "loss_grade", "loss_seg",
}  # fmt: skip


def nhwc(x):
    """(B, C, H, W) -> (B, H, W, C)."""
    return jnp.transpose(x, (0, 2, 3, 1))


def nchw(x):
    """(B, H, W, C) -> (B, C, H, W); other ranks as they are."""
    return jnp.transpose(x, (0, 3, 1, 2)) if x.ndim == 4 else x


def schedule_outputs(arrays, config):
    """What follows from the config and the times alone."""
    found = {
        "sampling_times": sampling_times(
            config.sampling_steps, config.time_difference, config.start_time
        )
    }
    if "schedule_t" in arrays:
        level = log_snr(jnp.asarray(arrays["schedule_t"]))
        alpha, sigma = alpha_sigma(level)
        found |= {"schedule_log_snr": level, "schedule_alpha": alpha, "schedule_sigma": sigma}
    if "denoise_t" in arrays:
        found["denoise_log_snr"] = log_snr(jnp.asarray(arrays["denoise_t"]))
    return found


@functools.partial(jax.jit, static_argnames=("config", "names"))
def network_outputs(variables, arrays, *, config, names):
    """The outputs `names` as far as the inputs in `arrays` allow; the others are not computed."""
    apply = functools.partial(IMO(config).apply, variables)
    found = {}
    if "image" in arrays:
        volume = nhwc(arrays["oct"]) if "oct" in arrays else None
        found |= apply(nhwc(arrays["image"]), volume, train=False, method="encode")
    if "grade" in arrays and "grade_logits" in found:
        there = jnp.ones(arrays["grade"].shape, bool)
        found["loss_grade"] = losses.mean(
            losses.grading_cross_entropy(found["grade_logits"], arrays["grade"], there)
        )
    if "denoise_log_snr" in arrays:
        found["denoise_time_embedding"] = apply(arrays["denoise_log_snr"], method="embed_time")
    if "sample_noise" in arrays:
        found |= diffusion_outputs(apply, variables, arrays, found, config)
    return {name: nchw(found[name]) for name in names if name in found}


def diffusion_outputs(apply, variables, arrays, found, config):
    """The full sample, one call of the decoder, and the segmentation loss."""
    noise = nhwc(arrays["sample_noise"])
    feature, level = found.get("fused_feature"), arrays.get("denoise_log_snr")
    new = {}
    if feature is not None:
        # (B, h, w, C) -> (B, 1, h, w, C): one sample an eye
        steps = sample_logits(variables, feature, noise[:, None], config=config)
        new["sample_logits"] = steps["logits"][-1][:, 0]
        if level is not None:
            new["denoise_logits"] = apply(feature, noise, level, method="denoise")
    if "label" in arrays and level is not None:
        label = arrays["label"]
        x0 = apply(nearest(label, noise.shape[1:3]), method="embed_labels")
        new["train_x_t"] = add_noise(x0, noise, level)
        if feature is not None:
            logits = apply(feature, new["train_x_t"], level, method="denoise")
            logits = bilinear(logits, label.shape[1:3])
            there = jnp.ones(label.shape[:1], bool)
            new["loss_seg"] = losses.mean(
                losses.segmentation_cross_entropy(logits, label, there, divide_by="all")
            )
    return new


def read(path, show=print):
    """(config, state dict, other arrays) of a reference file."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    assert "config" in arrays, f"{path}: has no config"
    entries = json.loads(str(arrays.pop("config")[()]))
    fields = {field.name for field in dataclasses.fields(IMOConfig)}
    if unused := sorted(set(entries) - fields):
        show(f"{path}: config entries that are not used: {', '.join(unused)}")
    config = IMOConfig(**{name: entries[name] for name in entries if name in fields})
    state = {name: arrays.pop(name) for name in list(arrays) if name.startswith("param/")}
    for name, array in arrays.items():
        arrays[name] = array.astype(np.int32 if name in ("label", "grade") else np.float32)
    return config, state, arrays


def differences(path, show=print):
    """Output name -> largest absolute difference, of every output that the file holds.

    Infinite where we get no such array, or one of another shape, or no number.
    """
    config, state, arrays = read(path, show)
    unknown = sorted(set(arrays) - INPUTS - OF_SCHEDULE - OF_NETWORK)
    assert not unknown, f"{path}: neither input nor known output: {', '.join(unknown)}"
    outputs = [name for name in arrays if name not in INPUTS]
    assert outputs, f"{path}: holds no output to compare"

    ours = schedule_outputs(arrays, config)
    of_network = frozenset(outputs) & OF_NETWORK
    variables = weights.load_imo(state, config) if state or of_network else None
    if of_network:
        inputs = {name: arrays[name] for name in INPUTS & set(arrays)}
        # The file's own levels: those of a stored float32 t are less exact near t = 1. Ours are
        # compared by themselves.
        level = arrays.get("denoise_log_snr", ours.get("denoise_log_snr"))
        if level is not None:
            inputs["denoise_log_snr"] = level
        with jax.default_matmul_precision("highest"):
            ours |= network_outputs(variables, inputs, config=config, names=of_network)
    return {name: difference(ours.get(name), arrays[name]) for name in outputs}


def difference(ours, theirs):
    """Largest absolute difference; infinite where it is no number."""
    if ours is None or ours.shape != theirs.shape or theirs.size == 0:
        return np.inf
    largest = float(np.max(np.abs(np.asarray(ours, np.float64) - theirs)))
    return np.inf if np.isnan(largest) else largest


def check(path, tolerance, show=print):
    """Compares, shows every name with its error, and fails if one is above the tolerance."""
    errors = differences(path, show)
    show(f"\n{path}: largest absolute differences, at most {tolerance:g} allowed")
    for name, error in errors.items():
        show(f"  {name:24}{error:10.2e}{'' if error <= tolerance else '   <-- too large'}")
    bad = {name: error for name, error in errors.items() if not error <= tolerance}
    assert not bad, f"{path}: differ by more than {tolerance:g}: {bad}"


def test_every_output_equals_the_reference(request, capsys):
    option = request.config.getoption("--reference")
    path = COMMITTED if option is None else pathlib.Path(option)
    tolerance = TOLERANCE_COMMITTED if option is None else TOLERANCE

    def show(line):
        with capsys.disabled():  # seen without -s, too
            print(line)

    check(path, tolerance, show)


# Whether the comparison itself can fail: small files with the schedule alone, so that no network
# is compiled, and one with a network.


@pytest.fixture
def altered(tmp_path):
    """Writes some of the committed file's entries, with `changes`, to a new file."""

    def write(names, **changes):
        def wanted(name):  # listed, or under a listed name that ends in / or _
            return name in names or any(name.startswith(n) for n in names if n[-1] in "/_")

        with np.load(COMMITTED) as file:
            entries = {name: file[name] for name in file.files if wanted(name)}
        path = tmp_path / "altered.npz"
        np.savez(path, **(entries | changes))
        return path

    return write


def test_outputs_that_are_left_out_are_not_missed(altered):
    path = altered(["config", "schedule_"])
    assert set(differences(path)) == {"schedule_log_snr", "schedule_alpha", "schedule_sigma"}
    check(path, TOLERANCE_COMMITTED)


def test_an_unknown_array_fails(altered):
    path = altered(["config", "schedule_"], backbone_stage4=np.zeros(3, np.float32))
    with pytest.raises(AssertionError, match="backbone_stage4"):
        check(path, TOLERANCE)


def test_a_file_without_outputs_fails(altered):
    with pytest.raises(AssertionError, match="no output"):
        check(altered(["config", "param/", "image", "oct", "schedule_t"]), TOLERANCE)


@pytest.mark.parametrize(
    "value", [np.zeros((3, 2)), np.zeros((2, 2)), np.full((3, 2), np.nan)], ids=str
)
def test_an_altered_output_fails(altered, value):
    path = altered(["config"], sampling_times=value.astype(np.float32))
    with pytest.raises(AssertionError, match="sampling_times"):
        check(path, TOLERANCE)


def test_an_output_whose_inputs_are_missing_fails(altered):
    with pytest.raises(AssertionError, match="denoise_log_snr"):
        check(altered(["config", "denoise_log_snr"]), TOLERANCE)


def test_a_weight_without_a_place_fails_by_name(altered):
    path = altered(["config", "param/", "schedule_"], **{"param/neck.extra": np.zeros(3)})
    with pytest.raises(weights.WeightsError, match="unmatched: neck.extra"):
        check(path, TOLERANCE)


def test_the_config_of_the_file_is_used(altered):
    changed = '{"sampling_steps": 4, "time_difference": 0}'
    times = [(1, 0.75), (0.75, 0.5), (0.5, 0.25), (0.25, 0)]
    check(altered([], config=changed, sampling_times=np.array(times, np.float32)), TOLERANCE)
