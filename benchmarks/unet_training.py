"""Train a network on labelled photographs for a given time, as a plain U-Net user would."""

import dataclasses
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from monai.losses.dice import DiceLoss

from benchmarks.labelled_eyes import LabelledEyes
from benchmarks.unet_network import PhotographUNet, as_input, predict
from imo_jax.labels import IGNORE, REGIONS
from imo_jax.metrics.segmentation import pixel_confusion, region_dice

POWER = 0.9  # of the polynomial decay, as in nnU-Net
WEIGHT_DECAY = 1e-4
VALIDATE_SECONDS = 30.0

# Light colour jitter: brightness is added, contrast and saturation are factors about 1.
BRIGHTNESS, CONTRAST, SATURATION = 0.1, 0.2, 0.2


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to train. `seconds`: of the clock, validation included; `colour`: jitter colours too."""

    seconds: float
    batch: int = 4
    learning_rate: float = 1e-3
    colour: bool = False
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Validation:
    """One look at the validation eyes; `score` is `validation_score`."""

    elapsed: float
    step: int
    loss: float
    score: float


@dataclasses.dataclass(frozen=True)
class Training:
    """What was done: `seconds` in all, `validation_seconds` of them not spent on steps."""

    steps: int
    seconds: float
    validation_seconds: float
    validations: list[Validation]


def dice_ce(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Dice of rim and cup over the batch + cross entropy of all classes; 255 counts in neither.

    Equals MONAI's DiceCELoss(include_background=False, batch=True, softmax=True,
    to_onehot_y=True) where nothing is ignored.

    Args:
      logits: (B, C, H, W) float32.
      ids: (B, H, W) int64, 0..C-1 or 255; at least one pixel has a label.

    Returns:
      float32 scalar.
    """
    known = ids != IGNORE
    one_hot = F.one_hot(torch.where(known, ids, 0), logits.shape[1])
    # (B, H, W, C) -> (B, C, H, W)
    truth = one_hot.permute(0, 3, 1, 2) * known[:, None]
    probabilities = logits.softmax(dim=1) * known[:, None]
    dice = DiceLoss(include_background=False, batch=True)(probabilities, truth)
    return dice + F.cross_entropy(logits, ids, ignore_index=IGNORE)


def augment(
    photographs: torch.Tensor, ids: torch.Tensor, random: torch.Generator, colour: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mirrors half of the images with their masks; with `colour`, jitters the photographs.

    photographs (B, 3, H, W) float32 in 0..1 and ids (B, H, W); the results are alike.
    """
    draw = torch.rand(4, len(ids), 1, 1, 1, generator=random).to(photographs.device)
    flip = draw[0] < 0.5
    photographs = torch.where(flip, photographs.flip(-1), photographs)
    ids = torch.where(flip[:, 0], ids.flip(-1), ids)
    if colour:
        brightness, contrast, saturation = 2.0 * draw[1:] - 1.0
        grey = photographs.mean(dim=1, keepdim=True)
        photographs = grey + (photographs - grey) * (1.0 + SATURATION * saturation)
        mean = photographs.mean(dim=(1, 2, 3), keepdim=True)
        photographs = mean + (photographs - mean) * (1.0 + CONTRAST * contrast)
        photographs = (photographs + BRIGHTNESS * brightness).clamp(0.0, 1.0)
    return photographs, ids


def validation_score(model: PhotographUNet, eyes: LabelledEyes) -> float:
    """Mean over the eyes of (disc Dice + cup Dice) / 2, at the working size."""
    scores = []
    for logits, mask in zip(predict(model, eyes.photographs), eyes.masks, strict=True):
        confusion = pixel_confusion(logits.argmax(dim=0).numpy(), mask)
        scores.append([region_dice(confusion, REGIONS[name]) for name in ("disc", "cup")])
    return float(np.mean(scores))


def index_batches(num: int, size: int, seed: int) -> Iterator[np.ndarray]:
    """Endless index arrays (size,): one permutation of 0..num-1 after the other."""
    random = np.random.default_rng(seed)
    queue = np.zeros(0, np.int64)
    while True:
        while len(queue) < size:
            queue = np.concatenate([queue, random.permutation(num)])
        yield queue[:size]
        queue = queue[size:]


def train(
    model: PhotographUNet,
    train_eyes: LabelledEyes,
    val_eyes: LabelledEyes,
    settings: Settings,
    *,
    clock: Callable[[], float] = time.monotonic,
    say: Callable[[Validation], None] = lambda validation: None,
) -> Training:
    """Trains the model in place and leaves it with the weights of the best validation.

    The learning rate falls with the clock: learning_rate * (1 - elapsed / seconds) ** 0.9.
    Validated every VALIDATE_SECONDS and when time is up; `say` hears of each.

    Raises:
      FloatingPointError: the loss is not finite; names the step and the eyes.
    """
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=WEIGHT_DECAY)
    order = index_batches(len(train_eyes), settings.batch, settings.seed)
    random = torch.Generator().manual_seed(settings.seed)
    validations, best = [], {}
    steps, validation_seconds, last = 0, 0.0, 0.0
    start, elapsed = clock(), 0.0
    while elapsed < settings.seconds:
        rate = settings.learning_rate * (1.0 - elapsed / settings.seconds) ** POWER
        loss = _step(model, optimiser, rate, train_eyes, next(order), random, settings.colour)
        steps += 1
        elapsed = clock() - start
        if elapsed - last < VALIDATE_SECONDS and elapsed < settings.seconds:
            continue
        score = validation_score(model, val_eyes)
        if not validations or score > max(validation.score for validation in validations):
            best = {name: value.clone() for name, value in model.state_dict().items()}
        validations.append(Validation(elapsed, steps, loss, score))
        say(validations[-1])
        last = clock() - start
        validation_seconds += last - elapsed
        elapsed = last
    model.load_state_dict(best)
    return Training(steps, elapsed, validation_seconds, validations)


def _step(
    model: PhotographUNet,
    optimiser: torch.optim.Optimizer,
    rate: float,
    eyes: LabelledEyes,
    chosen: np.ndarray,
    random: torch.Generator,
    colour: bool,
) -> float:
    """One update from the chosen eyes; returns the loss."""
    ids = torch.from_numpy(eyes.masks[chosen]).long().to(model.device)
    photographs = as_input(eyes.photographs[chosen], model.device)
    photographs, ids = augment(photographs, ids, random, colour)
    model.train()
    loss = dice_ce(model(photographs), ids)
    if not torch.isfinite(loss):
        names = ", ".join(eyes.ids[i] for i in chosen)
        raise FloatingPointError(f"the loss is {loss.item()} (eyes {names}); lower --lr")
    optimiser.param_groups[0]["lr"] = rate
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
    return loss.item()
