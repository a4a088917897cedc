"""Prediction: one jit of encoder, DDIM scan and uncertainty.

The sampler's state lives in class space. Every x_t that DDIM (eq. 5) can reach from x_T is

    x_t = c x_T + sum_k m_k e_k        e_k = embedding of class k,

because the update is linear in x_t and the predicted x0. So the scan carries the number c and the
map m (h, w, classes) instead of x_t (h, w, C), and the fusion W_f feature + b + W_x x_t needs only
its small part inside: W_f feature + b, W_x x_T, W_x e_k, and the scale and shift of all steps'
noise levels are computed once, before the scan.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from imo_jax.diffusion import ddim
from imo_jax.diffusion.schedule import log_snr
from imo_jax.layers.resize import bilinear
from imo_jax.models.imo.config import IMOConfig
from imo_jax.models.imo.fine import details_of
from imo_jax.models.imo.model import IMO
from imo_jax.models.inputs import normalise
from imo_jax.models.uncertainty import uncertainty

BATCH_KEYS = ("fundus", "oct", "has_oct", "index")
RESOLUTIONS = ("image", "grid")  # of the probabilities: (H, W), or the logits' own (H/4, W/4)

Variables = Any


def predict(
    variables: Variables,
    batch: dict[str, jax.Array],
    *,
    config: IMOConfig,
    key: jax.Array | None = None,
    noise: jax.Array | None = None,
    steps: int | None = None,
    samples: int = 1,
    samples_at_once: int | None = None,
    zero_x_t: bool = False,
    intermediates: bool = False,
    resolution: str = "image",
) -> dict[str, jax.Array]:
    """Grades and segments a batch of eyes. Compiles once for each batch shape and set of options.

    The sampler's other options are fields of `config` (time_difference, start_time, signal_scale,
    label_embedding): change them with `dataclasses.replace`.

    Args:
      variables: {"params", "batch_stats"}.
      batch: `fundus` (B, H, W, 3) uint8; optionally `oct` (B, h, w, D) uint8 and `has_oct` (B,)
        bool; with `key` also `index` (B,) uint32. Other entries are ignored.
      config: of the model.
      key: typed PRNG key. Eye i draws from fold_in(key, index[i]) and its sample k from
        fold_in(that, k), so neither the batch's size nor the number of samples matters.
      noise: explicit x_T instead of a key, (B, samples, H/4, W/4, feature_dim) float32.
      steps: DDIM steps; None = config.sampling_steps.
      samples: K samples an eye; the encoder runs once. (A model without diffusion gives one.)
      samples_at_once: how many of them the decoder works on at a time, a divisor of `samples`;
        None = all. Fewer need less memory; what is said differs by rounding at most.
      zero_x_t: control: the decoder sees zeros instead of x_t.
      intermediates: also return what the steps looked like.
      resolution: "image": logits are resized to (H, W) before the softmax; "grid": H/4 x W/4.

    Returns:
      Of the heads that the model has, all float32:
      grade_probabilities (B, num_grades); probabilities (B, H, W, C), the mean over samples;
      sample_probabilities (B, K, H, W, C); entropy (B, H, W) of the mean, in nats;
      mutual_information (B, H, W): entropy minus the mean entropy of the samples, in nats.
      With `intermediates`, on the grid: x_t (steps, B, K, h, w, feature_dim), the state each step
      starts from, and x0_probabilities (steps, B, K, h, w, C), what it predicts.

    Raises:
      ValueError: neither or both of key and noise, an unknown resolution, samples that cannot be
        cut into such parts, or parts of which the intermediates are wanted.
    """
    draws = config.segment and config.refine == "ddim"
    if draws and (key is None) == (noise is None):
        raise ValueError("give either key or noise")
    if resolution not in RESOLUTIONS:
        raise ValueError(f"resolution is {resolution!r}; choose one of {', '.join(RESOLUTIONS)}")
    at_once = samples_at_once or samples
    if samples % at_once or (intermediates and at_once < samples):
        raise ValueError(
            f"samples_at_once={at_once} must divide samples={samples}, and be all of them where "
            "the intermediates are wanted"
        )
    if steps is not None:
        config = dataclasses.replace(config, sampling_steps=steps)
    return _predict(
        variables,
        {name: batch[name] for name in BATCH_KEYS if batch.get(name) is not None},
        key if draws else None,
        noise if draws else None,
        config=config,
        samples=samples,
        at_once=at_once,
        zero_x_t=jnp.asarray(zero_x_t),
        intermediates=intermediates,
        resolution=resolution,
    )


@functools.partial(
    jax.jit, static_argnames=("config", "samples", "at_once", "intermediates", "resolution")
)
def _predict(
    variables: Variables,
    batch: dict[str, jax.Array],
    key: jax.Array | None,
    noise: jax.Array | None,
    *,
    config: IMOConfig,
    samples: int,
    at_once: int,
    zero_x_t: jax.Array,
    intermediates: bool,
    resolution: str,
) -> dict[str, jax.Array]:
    inputs = normalise(batch)
    encoded = IMO(config).apply(
        variables,
        inputs["fundus"],
        inputs["oct"],
        inputs["has_oct"],
        train=False,
        method="encode",
    )
    outputs = {}
    if config.grade:
        outputs["grade_probabilities"] = jax.nn.softmax(encoded["grade_logits"], axis=-1)
    if not config.segment:
        return outputs
    feature, details = encoded["fused_feature"], details_of(encoded)
    if config.refine == "single":
        # (B, h, w, C) -> (B, 1, h, w, C)
        logits = IMO(config).apply(variables, feature, details, None, None, method="segment")[0]
        logits = logits[:, None]
    else:

        def denoised(first: jax.Array | int) -> tuple[jax.Array, dict[str, jax.Array]]:
            """Logits (B, at_once, h, w, k) of the samples from `first` on, and their steps."""
            if noise is None:
                x_T = draw_noise(key, batch["index"], at_once, feature.shape[1:], first)
            else:
                x_T = jax.lax.dynamic_slice_in_dim(noise, first, at_once, axis=1)
            steps = sample_logits(variables, feature, x_T, config=config, zero_x_t=zero_x_t)
            if details:
                return _refined(variables, steps["decoded"][-1], details, config), steps
            return steps["logits"][-1], steps

        if at_once < samples:
            firsts = jnp.arange(0, samples, at_once, dtype=jnp.uint32)
            parts = jax.lax.map(lambda first: denoised(first)[0], firsts)
            # (parts, B, at_once, h, w, k) -> (B, parts, at_once, h, w, k) -> (B, K, h, w, k)
            parts = jnp.moveaxis(parts, 0, 1)
            logits = parts.reshape(parts.shape[0], samples, *parts.shape[3:])
        else:
            logits, steps = denoised(0)
        if intermediates:
            outputs["x0_probabilities"] = jax.nn.softmax(steps["logits"], axis=-1)
            outputs["x_t"] = steps["x_t"]
    if resolution == "image":
        logits = _resize(logits, batch["fundus"].shape[1:3])
    probabilities = jax.nn.softmax(logits, axis=-1)
    if config.auxiliary_share:
        of_auxiliary = jax.nn.softmax(
            bilinear(encoded["auxiliary_logits"], probabilities.shape[2:4]), axis=-1
        )
        share = config.auxiliary_share
        probabilities = (1 - share) * probabilities + share * of_auxiliary[:, None]
    return outputs | uncertainty(probabilities)


def _refined(
    variables: Variables, decoded: jax.Array, details: dict[int, jax.Array], config: IMOConfig
) -> jax.Array:
    """Logits of the fine path from the decoder's features: (B, K, h, w, C) -> (B, K, H', W', k)."""
    batch, samples = decoded.shape[:2]
    flat = decoded.reshape(-1, *decoded.shape[2:])
    logits = IMO(config).apply(variables, flat, details, method="fine_logits")
    return logits.reshape(batch, samples, *logits.shape[1:])


def draw_noise(
    key: jax.Array,
    index: jax.Array,
    samples: int,
    shape: tuple[int, ...],
    first: jax.Array | int = 0,
) -> jax.Array:
    """x_T ~ N(0, 1): (B, samples, *shape) float32, from fold_in(fold_in(key, index[i]), k).

    Of the samples k from `first` on.
    """

    def draw(i: jax.Array, k: jax.Array) -> jax.Array:
        return jax.random.normal(jax.random.fold_in(jax.random.fold_in(key, i), k), shape)

    number = jnp.uint32(first) + jnp.arange(samples, dtype=jnp.uint32)
    return jax.vmap(lambda i: jax.vmap(lambda k: draw(i, k))(number))(index)


def sample_logits(
    variables: Variables,
    feature: jax.Array,
    noise: jax.Array,
    *,
    config: IMOConfig,
    zero_x_t: jax.Array | bool = False,
) -> dict[str, jax.Array]:
    """The DDIM sampler from a fused feature and an x_T.

    Args:
      variables: {"params", "batch_stats"}.
      feature: (B, h, w, C), `fused_feature` of `IMO.encode`.
      noise: (B, K, h, w, C) float32, x_T of K samples an eye.
      config: of the model and the sampler.
      zero_x_t: the decoder sees zeros instead of x_t.

    Returns:
      Of each step, float32: x_t (steps, B, K, h, w, C) that it starts from, and its logits
      (steps, B, K, h, w, classes); decoded (steps, B, K, h, w, C), the features that they are made
      of. What is not used of them is not computed under jit.
    """
    apply = functools.partial(IMO(config).apply, variables)
    batch, samples, height, width, channels = noise.shape
    classes = config.num_classes
    times = ddim.sampling_times(config.sampling_steps, config.time_difference, config.start_time)
    levels = log_snr(jnp.asarray(times[:, 0]))

    # Once, before the scan.
    film = apply(levels, method="modulation")  # (steps, layers, 2, C)
    rows = apply(method="class_embeddings")[:classes]  # (classes, C): e_k
    fused_rows = apply(rows, method="fuse_state")  # (classes, C): W_x e_k
    fused_feature = apply(feature, method="fuse_feature")[:, None]  # (B, 1, h, w, C)
    fused_noise = apply(noise, method="fuse_state")  # (B, K, h, w, C): W_x x_T

    def denoise(state: dict[str, jax.Array], film_now: jax.Array) -> tuple[dict, dict]:
        x = jnp.broadcast_to(fused_feature, noise.shape)
        mixed = _mix(state["classes"].astype(fused_rows.dtype), fused_rows)
        seen = x + state["noise"].astype(x.dtype) * fused_noise + mixed
        x = jnp.where(zero_x_t, x, seen)  # an argument, not a program of its own to compile
        # (B, K, h, w, C) -> (B*K, h, w, C)
        x = x.reshape(batch * samples, height, width, channels)
        logits, decoded = apply(x, film_now[None], method="decode")
        # (B*K, h, w, classes) -> (B, K, h, w, classes)
        logits = logits.reshape(batch, samples, height, width, classes)
        decoded = decoded.reshape(batch, samples, height, width, -1)
        x0 = {"noise": jnp.zeros(()), "classes": _class_weights(logits, config.label_embedding)}
        return x0, {"logits": logits, "decoded": decoded, "state": state}

    state = {"noise": jnp.ones(()), "classes": jnp.zeros((*noise.shape[:-1], classes))}
    _, steps = ddim.sample(denoise, state, times, film)
    expand = jax.vmap(functools.partial(_expand, rows=rows, noise=noise))
    return {
        "logits": steps["logits"],
        "decoded": steps["decoded"],
        "x_t": expand(steps["state"]),
    }


def _class_weights(logits: jax.Array, label_embedding: str) -> jax.Array:
    """Weights (..., classes) with which the class embeddings make up the predicted x0."""
    if label_embedding == "hard":
        return jax.nn.one_hot(jnp.argmax(logits, axis=-1), logits.shape[-1], dtype=jnp.float32)
    return jax.nn.softmax(logits, axis=-1)


def _expand(state: dict[str, jax.Array], *, rows: jax.Array, noise: jax.Array) -> jax.Array:
    """x_t (B, K, h, w, C) from its coefficients."""
    return state["noise"] * noise + _mix(state["classes"], rows)


def _mix(weights: jax.Array, rows: jax.Array) -> jax.Array:
    """(B, K, h, w, k) x (k, C) -> (B, K, h, w, C)."""
    return jnp.einsum("bnhwk,kc->bnhwc", weights, rows)


def _resize(logits: jax.Array, size: tuple[int, int]) -> jax.Array:
    """(B, K, h, w, C) -> (B, K, *size, C)."""
    batch, samples = logits.shape[:2]
    # (B, K, h, w, C) -> (B*K, h, w, C) -> (B, K, H, W, C)
    flat = bilinear(logits.reshape(-1, *logits.shape[2:]), size)
    return flat.reshape(batch, samples, *flat.shape[1:])
