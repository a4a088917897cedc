"""What a network says of a batch of eyes: asked once, with its mirror, or of several networks."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from data_pipelines.framing import Frame, unframe_probabilities
from data_pipelines.load.mirrored import with_mirrored_rows
from imo_jax.allocator import give_back_unused
from imo_jax.models.registry import diffuses, kind_of
from imo_jax.models.uncertainty import uncertainty
from imo_jax.predictor.parts import part_of

NOISE_SEED = 0  # of x_T: what is said of an eye is the same whenever it is asked
INPUTS = ("fundus", "oct", "has_oct")  # of a batch, that go to the device

SAMPLER = ("sampling_steps", "time_difference", "start_time", "label_embedding")  # of IMOConfig

# Axis of the width in each of them, (B, H, W, 3) and (B, depth, width, slices), and of what is said:
# (B, H, W, C), (B, K, H, W, C), (B, H, W) and (B, H, W).
_WIDTH = {"fundus": 2, "oct": 2}
_SAID_WIDTH = {
    "probabilities": 2, "sample_probabilities": 3, "entropy": 2, "mutual_information": 2,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class EyeAnswer:
    """What is said of one eye, on the working square.

    Attributes:
      grade_probabilities: (G,) float32, or None.
      probabilities: (S, S, C) float32, mean over samples, or None.
      sample_ids: (K, S, S) uint8 ids of each sample, or None.
      entropy: (S, S) float32 nats, or None.
    """

    grade_probabilities: np.ndarray | None
    probabilities: np.ndarray | None
    sample_ids: np.ndarray | None
    entropy: np.ndarray | None

    def native_probabilities(self, frame: Frame) -> np.ndarray | None:
        """(H0, W0, C) float32 at the photograph's own size; None where nothing is segmented."""
        if self.probabilities is None:
            return None
        return unframe_probabilities(self.probabilities, frame)


def how_asked(model: Any, samples: int, mirror: bool) -> dict[str, Any]:
    """What the answers of a trained network depend on beside the eye, by name."""
    if not diffuses(model):
        return {"mirror": mirror}
    sampler = {name: getattr(model, name) for name in SAMPLER}
    return {"mirror": mirror, "samples": samples, **sampler}


def ask(
    networks: Sequence[Any],
    batch: dict[str, Any],
    model: Any,
    *,
    samples: int,
    mirror: bool = False,
    turned: np.ndarray | None = None,
    **options: Any,
) -> dict[str, np.ndarray]:
    """What `said` computes, as numpy arrays; arguments as there.

    Where memory does not allow for all at once, eyes and samples in parts (`parts.part_of`).

    Args:
      turned: (B,) bool, of which eyes the network is shown the mirror image alone: what it says is
        mirrored back. None = of none.
    """
    batch = {name: batch[name] for name in INPUTS if batch.get(name) is not None}
    if turned is not None:
        batch = with_mirrored_rows(batch, turned, _WIDTH)
    part = part_of(outputs_of, networks[0], batch, model, samples)
    if part.eyes < len(batch["fundus"]) or part.samples < samples:
        give_back_unused()  # on a CPU, of a training step: this will ask for as much again
    noise, found = options.pop("noise", None), []
    for start in range(0, len(batch["fundus"]), part.eyes):
        rows = slice(start, start + part.eyes)
        if noise is not None:
            options["noise"] = noise[rows]
        outputs = said(
            networks,
            {name: values[rows] for name, values in batch.items()},
            model,
            samples=samples,
            mirror=mirror,
            samples_at_once=part.samples,
            **options,
        )
        found.append(jax.device_get(outputs))
    outputs = found[0]
    if len(found) > 1:
        outputs = {name: np.concatenate([part[name] for part in found]) for name in outputs}
    return outputs if turned is None else with_mirrored_rows(outputs, turned, _SAID_WIDTH)


def said(
    networks: Sequence[Any],
    batch: dict[str, Any],
    model: Any,
    *,
    samples: int,
    mirror: bool = False,
    **options: Any,
) -> dict[str, jax.Array]:
    """The outputs for a batch; of several networks, or of an eye and its mirror, their mean.

    May be traced: it is also what is exported. All eyes draw the same noise: what is said of one depends neither on its place nor on its
    company.

    Args:
      networks: variables of one or several networks of the same config.
      batch: `fundus` (B, H, W, 3) uint8; optionally `oct` (B, h, w, D) uint8 and `has_oct` (B,).
      model: config of the network.
      samples: diffusion samples an eye, of each network; a network with one answer has none.
      mirror: ask for the mirrored eye, too.
      options: `noise`, `steps`, `zero_x_t` and `samples_at_once` of `models.imo.sample.predict`.

    Returns:
      Arrays of `models.imo.sample.predict`; samples of all that was asked side by side.
    """
    batch = {name: batch[name] for name in INPUTS if batch.get(name) is not None}
    answers = []
    for variables in networks:
        answers.append(outputs_of(variables, batch, model, samples=samples, **options))
        if mirror:
            mirrored = {n: jnp.flip(x, _WIDTH[n]) if n in _WIDTH else x for n, x in batch.items()}
            found = outputs_of(variables, mirrored, model, samples=samples, **options)
            answers.append(_unmirrored(found))
    return answers[0] if len(answers) == 1 else _together(answers)


def outputs_of(
    variables: Any, batch: dict[str, Any], model: Any, *, samples: int, **options: Any
) -> dict[str, jax.Array]:
    """The outputs of one network of any kind; arguments and result as `said`.

    Without a `noise` among the options all eyes draw that of NOISE_SEED.
    """
    batch = batch | {"index": np.zeros(len(batch["fundus"]), np.uint32)}
    if options.get("noise") is None:
        options["key"] = jax.random.key(NOISE_SEED)
    return kind_of(model).predict(variables, batch, model, samples=samples, **options)


def _unmirrored(outputs: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """The outputs for a mirrored eye, as those of the eye."""
    kept = ("grade_probabilities", "sample_probabilities")
    outputs = {name: outputs[name] for name in kept if name in outputs}
    if "sample_probabilities" in outputs:
        width = _SAID_WIDTH["sample_probabilities"]
        outputs["sample_probabilities"] = jnp.flip(outputs["sample_probabilities"], axis=width)
    return outputs


@jax.jit
def _together(answers: Sequence[dict[str, jax.Array]]) -> dict[str, jax.Array]:
    """The mean of what several said of the same eyes, and how far they differ."""
    outputs = {}
    if "grade_probabilities" in answers[0]:
        grades = jnp.stack([answer["grade_probabilities"] for answer in answers])
        outputs["grade_probabilities"] = grades.mean(axis=0)
    if "sample_probabilities" in answers[0]:
        samples = [answer["sample_probabilities"] for answer in answers]
        outputs |= uncertainty(jnp.concatenate(samples, axis=1))
    return outputs


def answer_of(outputs: dict[str, np.ndarray], row: int) -> EyeAnswer:
    """One eye's part of a batch's outputs."""
    found = {name: values[row] for name, values in outputs.items()}
    samples = found.get("sample_probabilities")
    return EyeAnswer(
        grade_probabilities=found.get("grade_probabilities"),
        probabilities=found.get("probabilities"),
        sample_ids=None if samples is None else samples.argmax(axis=-1).astype(np.uint8),
        entropy=found.get("entropy"),
    )
