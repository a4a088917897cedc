"""ImageNet weights of a ResNet: the names of PyTorch libraries and where they belong here.

torchvision, timm and MONAI share one set of names, Hugging Face transformers has another; a file's
names say which. Everything in the file is used or ignored by name, everything in the backbone is
filled.
"""

import itertools
import re
from collections.abc import Callable, Container, Iterable, Mapping

import numpy as np

from imo_jax.backbones.resnet import SIZES
from imo_jax.weights.imo import strip_prefixes
from imo_jax.weights.rules import (
    Rule,
    WeightsError,
    flatten,
    nest,
    to_state,
    to_variables,
    torch_shape,
)

# Entries without a place in a backbone: the classifier of the pretraining, and counters.
HEADS = ("fc.", "classifier.")
COUNTERS = ".num_batches_tracked"

STEM = ("params", "stem_conv", "kernel")
LEAVES = {"kernel": "weight", "scale": "weight", "bias": "bias"}
LEAVES |= {"mean": "running_mean", "var": "running_var"}
BLOCK_PART = re.compile(r"stage(\d+)_block(\d+)/(conv|norm)(_shortcut|\d)")


def _torchvision(module: str) -> str:
    """Path of a module of the backbone -> its name in torchvision, timm and MONAI."""
    if module in ("stem_conv", "stem_norm"):
        return {"stem_conv": "conv1", "stem_norm": "bn1"}[module]
    stage, block, kind, place = BLOCK_PART.fullmatch(module).groups()
    name = f"layer{int(stage) + 1}.{block}"
    if place == "_shortcut":
        return f"{name}.downsample.{('conv', 'norm').index(kind)}"
    return f"{name}.{'conv' if kind == 'conv' else 'bn'}{int(place) + 1}"


def _hugging_face(module: str) -> str:
    """Path of a module of the backbone -> its name in transformers, without `resnet.`."""
    kinds = {"conv": "convolution", "norm": "normalization"}
    if module in ("stem_conv", "stem_norm"):
        return f"embedder.embedder.{kinds[module.removeprefix('stem_')]}"
    stage, block, kind, place = BLOCK_PART.fullmatch(module).groups()
    layer = "shortcut" if place == "_shortcut" else f"layer.{place}"
    return f"encoder.stages.{stage}.layers.{block}.{layer}.{kinds[kind]}"


NAMINGS: dict[str, Callable[[str], str]] = {
    "torchvision": _torchvision,
    "huggingface": _hugging_face,
}


def load_resnet(
    state: Mapping[str, np.ndarray], variables: Mapping, at: tuple[str, ...] = ("backbone",)
) -> tuple[dict, str]:
    """Puts a pretrained ResNet into an initialised network.

    Args:
      state: name -> array (see `files.read_state_dict`), torchvision's, timm's, MONAI's or Hugging
        Face's names.
      variables: {"params", "batch_stats"} of the network.
      at: where in both the variables of `backbones.resnet.ResNet` are; () = the network is one.

    Returns:
      The variables with the backbone's replaced (float32 numpy arrays), and a line that says what
      was loaded, what of the file was ignored and what of the network stays as it was. Where the
      first convolution takes another number of channels than the file's, each of its n channels
      gets 1/n of the sum over the file's: an image whose channels are all equal is seen as before.

    Raises:
      WeightsError: the names are not a ResNet's, or one's of another size (in one line), or single
        entries are missing, misshapen or without a place (all of them listed).
      ValueError: the network has no ResNet at `at`.
    """
    state = {name.removeprefix("resnet."): a for name, a in strip_prefixes(state).items()}
    naming = recognise(state)
    flat = flatten(variables)
    backbone = {inner: leaf for path, leaf in flat.items() if (inner := _within(path, at))}
    if STEM not in backbone:
        raise ValueError(f"the network has no ResNet at {'/'.join(at) or 'its top'}")
    rules = resnet_rules(backbone, naming)
    stem = next(rule.name for rule in rules if rule.path == STEM)
    size = _check_size(state, rules, naming, stem, torch_shape(backbone[STEM].shape, "conv"))
    notes = []
    channels, wanted = np.shape(state[stem])[1], backbone[STEM].shape[-2]
    if channels != wanted:
        state = state | {stem: spread_channels(state[stem], wanted)}
        notes.append(f"input channels spread from {channels} to {wanted}")
    heads = [name for name in state if name.startswith(HEADS)]
    counters = [name for name in state if name.endswith(COUNTERS)]
    used = {name: a for name, a in state.items() if name not in {*heads, *counters}}
    loaded = flatten(
        to_variables(used, rules, {path: leaf.shape for path, leaf in backbone.items()})
    )
    flat |= {(collection, *at, *inner): leaf for (collection, *inner), leaf in loaded.items()}
    notes.append(f"ignored: {', '.join([*heads, f'{len(counters)} batch counters'])}")
    fresh = sorted({path[1] for path in flat if not _within(path, at)})
    notes.append(f"fresh: {', '.join(fresh) or 'nothing'}")
    line = f"{size} under {naming} names: {len(loaded)} arrays"
    return nest(flat), "; ".join([line, *notes])


def resnet_to_torch(
    variables: Mapping, at: tuple[str, ...] = ("backbone",), naming: str = "torchvision"
) -> dict[str, np.ndarray]:
    """State dict (float32 arrays) of the ResNet at `at`, under a naming of NAMINGS."""
    backbone = {
        inner: leaf for path, leaf in flatten(variables).items() if (inner := _within(path, at))
    }
    return to_state(nest(backbone), resnet_rules(backbone, naming))


def recognise(state: Iterable[str]) -> str:
    """The naming of NAMINGS that a ResNet's names follow.

    Raises:
      WeightsError: none of them.
    """
    names = set(state)
    for naming, name_of in NAMINGS.items():
        if f"{name_of('stem_conv')}.weight" in names:
            return naming
    raise WeightsError(
        [f"not the names of a ResNet ({', '.join(NAMINGS)}): {', '.join(sorted(names)[:3])}, ..."]
    )


def resnet_rules(paths: Iterable[tuple[str, ...]], naming: str) -> list[Rule]:
    """A rule for each variable of a `ResNet`, given by its path (collection first)."""
    found = []
    for path in paths:
        _, *module, leaf = path
        name = f"{NAMINGS[naming]('/'.join(module))}.{LEAVES[leaf]}"
        found.append(Rule(name, path, "conv" if leaf == "kernel" else "vector"))
    return found


def spread_channels(kernel: np.ndarray, channels: int) -> np.ndarray:
    """(out, in, ...) -> (out, channels, ...), each channel the sum over the old ones / channels."""
    shared = np.asarray(kernel, np.float32).sum(axis=1, keepdims=True) / channels
    return np.repeat(shared, channels, axis=1)


def _check_size(
    state: Mapping[str, np.ndarray],
    rules: list[Rule],
    naming: str,
    stem: str,
    stem_shape: tuple[int, ...],
) -> str:
    """The network's size in words; a WeightsError of one line where the file's is another."""

    def words(names: Container[str], shape: tuple[int, ...]) -> str:
        kernel = " x ".join(map(str, shape[2:]))
        return f"{_size(names, naming)} that begins with {shape[0]} channels by {kernel}"

    ours = words({rule.name for rule in rules}, stem_shape)
    theirs = words(state, np.shape(state[stem]))
    if ours != theirs:
        raise WeightsError([f"the file holds a {theirs}, the network has a {ours}"])
    return _size(state, naming)


def _size(names: Container[str], naming: str) -> str:
    """What kind of ResNet has these names, in words."""

    def there(module: str) -> bool:
        return f"{NAMINGS[naming](module)}.weight" in names

    def depth(stage: int) -> int:
        return next(j for j in itertools.count() if not there(f"stage{stage}_block{j}/conv0"))

    depths = tuple(itertools.takewhile(bool, map(depth, itertools.count())))
    block = "bottleneck" if there("stage0_block0/conv2") else "basic"
    known = (name for name, size in SIZES.items() if size == (block, depths))
    return next(known, f"ResNet of {block} blocks {depths}")


def _within(path: tuple[str, ...], at: tuple[str, ...]) -> tuple[str, ...]:
    """Path without `at` after the collection; () where it lies elsewhere."""
    collection, *rest = path
    inside = tuple(rest[: len(at)]) == at
    return (collection, *rest[len(at) :]) if inside else ()
