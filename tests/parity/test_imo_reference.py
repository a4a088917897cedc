"""Every array of the released PyTorch implementation in a reference file, recomputed.

    python -m pytest tests/parity/test_imo_reference.py --reference=FILE

FILE holds a config, parameters under their PyTorch names, inputs and outputs (NCHW). Without the
option the committed small file is compared, at 2e-5 absolute; other files at 1e-4.
"""

import dataclasses
import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imo_jax import losses
from imo_jax.diffusion import ddim, forward, schedule
from imo_jax.layers.resize import bilinear, nearest
from imo_jax.models.imo import IMO, IMOConfig
from imo_jax.models.imo.sample import sample_logits
from imo_jax.weights import load_imo, read_state_dict

COMMITTED = pathlib.Path(__file__).with_name("imo_small.npz")
COMMITTED_TOLERANCE, TOLERANCE = 2e-5, 1e-4

INPUTS = {
    "config", "image", "oct", "sample_noise", "schedule_t", "denoise_t", "label", "grade",
}  # fmt: skip
ENCODED = (
    "backbone_stage0", "backbone_stage1", "backbone_stage2", "backbone_stage3", "fundus_feature",
    "oct_feature", "fused_feature", "grade_logits",
)  # fmt: skip


def channels_last(x) -> jax.Array:
    """(B, C, H, W) -> (B, H, W, C)."""
    return jnp.asarray(np.moveaxis(np.asarray(x, np.float32), 1, -1))


class Recomputed:
    """Our value of each output; nothing is computed before it is asked for."""

    def __init__(self, path: pathlib.Path) -> None:
        self.file = np.load(path, allow_pickle=False)
        entries = json.loads(str(self.file["config"]))
        fields = {field.name for field in dataclasses.fields(IMOConfig)}
        self.unused = sorted(set(entries) - fields)
        self.config = IMOConfig(**{k: v for k, v in entries.items() if k in fields})
        self.variables = load_imo(read_state_dict(path), self.config)

    def apply(self, method: str, *args):
        model = IMO(self.config)
        static = {"train": False} if method == "encode" else {}
        return jax.jit(functools.partial(model.apply, method=method, **static))(
            self.variables, *args
        )

    @functools.cached_property
    def encoded(self) -> dict[str, jax.Array]:
        volume = channels_last(self.file["oct"]) if "oct" in self.file else None
        return self.apply("encode", channels_last(self.file["image"]), volume)

    @functools.cached_property
    def noise(self) -> jax.Array:
        return channels_last(self.file["sample_noise"])

    @functools.cached_property
    def log_snr(self) -> jax.Array:
        return schedule.log_snr(jnp.asarray(self.file["denoise_t"], jnp.float32))

    @functools.cached_property
    def x_t(self) -> jax.Array:
        labels = nearest(jnp.asarray(self.file["label"], jnp.int32), self.noise.shape[1:3])
        x0 = self.apply("embed_labels", labels)
        return forward.add_noise(x0, self.noise, self.log_snr)

    def denoised(self, x_t: jax.Array) -> jax.Array:
        return self.apply("denoise", self.encoded["fused_feature"], x_t, self.log_snr)

    def sampled(self) -> jax.Array:
        steps = jax.jit(functools.partial(sample_logits, config=self.config))(
            self.variables, self.encoded["fused_feature"], self.noise[:, None]
        )
        return steps["logits"][-1][:, 0]

    def segmentation_loss(self) -> jax.Array:
        label = jnp.asarray(self.file["label"], jnp.int32)
        logits = bilinear(self.denoised(self.x_t), label.shape[1:])
        every = jnp.ones(label.shape[0], bool)
        loss = losses.segmentation_cross_entropy(logits, label, every, divide_by="all")
        return loss.total / loss.count

    def grading_loss(self) -> jax.Array:
        grade = jnp.asarray(self.file["grade"], jnp.int32)
        every = jnp.ones(grade.shape[0], bool)
        loss = losses.grading_cross_entropy(self.encoded["grade_logits"], grade, every)
        return loss.total / loss.count

    def outputs(self) -> dict:
        """Name -> function that gives our value of it."""
        t = self.file.get("schedule_t")
        level = None if t is None else schedule.log_snr(jnp.asarray(t, jnp.float32))
        c = self.config
        times = ddim.sampling_times(c.sampling_steps, c.time_difference, c.start_time)
        found = {name: functools.partial(lambda n: self.encoded[n], name) for name in ENCODED}
        return found | {
            "schedule_log_snr": lambda: level,
            "schedule_alpha": lambda: schedule.alpha_sigma(level)[0],
            "schedule_sigma": lambda: schedule.alpha_sigma(level)[1],
            "sampling_times": lambda: times,
            "denoise_log_snr": lambda: self.log_snr,
            "denoise_time_embedding": lambda: self.apply("embed_time", self.log_snr),
            "denoise_logits": lambda: self.denoised(self.noise),
            "sample_logits": self.sampled,
            "train_x_t": lambda: self.x_t,
            "loss_seg": self.segmentation_loss,
            "loss_grade": self.grading_loss,
        }


def compare(path: pathlib.Path) -> tuple[dict[str, float], list[str]]:
    """Largest absolute error of each known output in a file, and the names that nobody knows."""
    ours = Recomputed(path)
    if ours.unused:
        print(f"config entries without a meaning here: {', '.join(ours.unused)}")
    outputs = ours.outputs()
    names = [n for n in ours.file.files if n not in INPUTS and not n.startswith("param/")]
    errors = {}
    for name in names:
        if name in outputs:
            expected, value = ours.file[name], np.asarray(outputs[name]())
            value = np.moveaxis(value, -1, 1) if value.ndim == 4 else value
            assert value.shape == expected.shape, f"{name}: {value.shape}, not {expected.shape}"
            errors[name] = float(np.max(np.abs(value - expected)))
    return errors, sorted(set(names) - set(outputs))


def test_every_array_of_the_reference(request, capsys):
    option = request.config.getoption("--reference")
    path = pathlib.Path(option) if option else COMMITTED
    tolerance = TOLERANCE if option else COMMITTED_TOLERANCE
    with capsys.disabled():
        print(f"\n{path}, tolerance {tolerance:.0e}")
        errors, unknown = compare(path)
        for name, error in errors.items():
            print(f"  {name:24s} {error:.1e}")
    assert not unknown, f"neither inputs, parameters nor known outputs: {', '.join(unknown)}"
    assert errors, "the file holds nothing to compare"
    # Written so that a NaN fails.
    wrong = {name: error for name, error in errors.items() if not error <= tolerance}
    assert not wrong, f"beyond {tolerance:.0e}: {wrong}"


def test_the_comparison_sees_errors_and_unknown_names(tmp_path):
    with np.load(COMMITTED) as file:
        entries = {n: file[n] for n in file.files if n.startswith(("param/", "config", "schedule"))}
    entries["schedule_alpha"] = entries["schedule_alpha"] + np.float32(0.5)
    np.savez(tmp_path / "bad.npz", **entries, mystery=np.zeros(3))
    errors, unknown = compare(tmp_path / "bad.npz")
    assert unknown == ["mystery"]
    assert errors["schedule_alpha"] == pytest.approx(0.5, abs=1e-6)
    assert errors["schedule_sigma"] < COMMITTED_TOLERANCE
