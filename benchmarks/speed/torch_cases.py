"""The PyTorch side of each task, eager or compiled; the counterpart of jax_cases.py.

A case has `compare(expected) -> error by name`, relative to what our side gave, and `run()`, one
timed call that returns when it is done.
"""

import contextlib
import time
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.speed.inputs import batch_of, descriptors
from benchmarks.speed.task import CLIP_NORM, LEARNING_RATE, WEIGHT_DECAY, Task
from benchmarks.speed.torch_runtime import device, wait
from benchmarks.twins import imo, semt

Arrays = dict[str, np.ndarray]

MEMORY_FORMATS = {
    "channels_first": torch.contiguous_format,
    "channels_last": torch.channels_last,
}
UNDECAYED = ("embedding_table.weight", "decode_head.conv_seg.depthwise.weight")
CHUNK = 1024  # queries compared with all donors at a time


def case_of(task: Task, given: Arrays, compiled: bool) -> Any:
    """The case of a task, from what our side's `for_peer` gives ({}: fresh weights)."""
    if task.what == "surrogate":
        return Neighbours(task)
    if task.trains:
        return Training(task, given, compiled)
    return Inference(task, given, compiled, FUNCTIONS[task.model, task.what])


class _Network:
    """A twin with its batch on the device, channels last until `choose_format`."""

    def __init__(self, task: Task, given: Arrays) -> None:
        torch.manual_seed(0)
        self.task = task
        config = types.SimpleNamespace(**task.network)
        if task.model == "imo":
            model = imo.ImoTwin(config, (task.size, task.size))
        elif task.model == "semt":
            model = semt.MultiTaskTwin(config)
        else:
            from benchmarks.twins import unet  # needs a library that the others do not

            model = unet.UNetTwin(config)
        weights = {n: torch.from_numpy(x) for n, x in _under("weights", given).items()}
        if weights:
            missing, unexpected = model.load_state_dict(weights, strict=False)
            bad = [*unexpected, *(n for n in missing if "num_batches_tracked" not in n)]
            if bad:
                raise ValueError(f"weights that do not fit the twin: {', '.join(bad)}")
        self.model = model.to(device()).train(task.trains)
        self.batch = {name: _tensor(x) for name, x in batch_of(task).items()}
        self.draws = {name: _tensor(x) for name, x in _under("draws", given).items()}
        self.memory_format = "channels_last"
        self.model.use(torch.channels_last)

    def compiled(self, function: Callable) -> Callable:
        """`function` through torch.compile."""
        return torch.compile(function, mode=self.task.compile_mode)

    def fresh_draws(self) -> dict[str, Tensor]:
        """What a call draws, anew."""
        task = self.task
        if task.model != "imo" or task.what == "encode":
            return {}
        if task.what == "sample":
            return {"noise": torch.randn_like(self.draws["noise"])}
        size = (task.size, task.size)
        return imo.draw(self.model.config, task.batch, size, device())._asdict()

    def precision(self) -> contextlib.AbstractContextManager:
        if self.task.precision != "bfloat16":
            return contextlib.nullcontext()
        return torch.autocast(device().type, torch.bfloat16)

    def choose_format(self, work: Callable[[], None]) -> None:
        """Times `work` in each memory format and keeps the faster one."""
        seconds = {}
        for name, memory_format in MEMORY_FORMATS.items():
            self.model.use(memory_format)
            work()
            begun = time.perf_counter()
            work()
            wait()
            seconds[name] = time.perf_counter() - begun
        self.memory_format = min(seconds, key=seconds.get)
        self.model.use(MEMORY_FORMATS[self.memory_format])


class Training:
    """Forward, losses, backward, clipping, AdamW (fused)."""

    def __init__(self, task: Task, given: Arrays, compiled: bool) -> None:
        self._net = net = _Network(task, given)
        self._losses = LOSSES[task.model]
        if task.what != "compile":  # where the trials would be timed, too
            state = {name: x.clone() for name, x in net.model.state_dict().items()}
            net.choose_format(lambda: self._backward(net.fresh_draws()))
            net.model.load_state_dict(state)  # the trials moved the running statistics
        self.memory_format = net.memory_format
        if compiled:
            self._losses = net.compiled(self._losses)
        self._parameters = dict(net.model.named_parameters())
        decays = {
            name: x.ndim > 1 and name not in UNDECAYED for name, x in self._parameters.items()
        }
        groups = [
            {
                "params": [x for name, x in self._parameters.items() if decays[name] is which],
                "weight_decay": WEIGHT_DECAY if which else 0.0,
            }
            for which in (True, False)
        ]
        self._optimiser = torch.optim.AdamW(groups, lr=LEARNING_RATE, fused=True)

    def compare(self, expected: Arrays) -> dict[str, float]:
        terms, norm = self._step(self._net.draws)
        buffers = dict(self._net.model.named_buffers())
        gradients = {name: x.grad for name, x in self._parameters.items()}
        found = {
            "loss": sum(terms.values()),
            **{f"loss_{name}": term for name, term in terms.items()},
            "gradient_norm": norm,
            **{f"gradient/{name}": x for name, x in gradients.items()},
            **{f"statistics/{n}": x for n, x in buffers.items() if ".running_" in n},
        }
        self._optimiser.zero_grad(set_to_none=True)
        return errors(found, expected)

    def run(self) -> None:
        self._step(self._net.fresh_draws())
        self._optimiser.zero_grad(set_to_none=True)
        wait()

    def _backward(self, draws: dict[str, Tensor]) -> dict[str, Tensor]:
        net = self._net
        with net.precision():
            terms = self._losses(net.model, net.batch, draws)
        sum(terms.values()).backward()
        return terms

    def _step(self, draws: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        self._optimiser.zero_grad(set_to_none=True)
        terms = self._backward(draws)
        norm = nn.utils.clip_grad_norm_(self._parameters.values(), CLIP_NORM, foreach=True)
        self._optimiser.step()
        return {name: term.detach() for name, term in terms.items()}, norm


def _imo_losses(
    model: imo.ImoTwin, batch: dict[str, Tensor], draws: dict[str, Tensor]
) -> dict[str, Tensor]:
    return imo.losses(model, batch, imo.Draws(**draws))


def _semt_losses(
    model: semt.MultiTaskTwin, batch: dict[str, Tensor], draws: dict[str, Tensor]
) -> dict[str, Tensor]:
    return semt.losses(model, batch)


def _unet_losses(
    model: nn.Module, batch: dict[str, Tensor], draws: dict[str, Tensor]
) -> dict[str, Tensor]:
    from benchmarks.twins import unet

    return unet.losses(model, batch)


LOSSES = {"imo": _imo_losses, "semt": _semt_losses, "unet": _unet_losses}


class Inference:
    """A network without gradients; `function` of it, the batch, the draws and the task."""

    def __init__(self, task: Task, given: Arrays, compiled: bool, function: Callable) -> None:
        self._net = net = _Network(task, given)
        self._function = function
        net.choose_format(self.run)
        self.memory_format = net.memory_format
        if compiled:
            self._function = net.compiled(function)

    @torch.inference_mode()
    def _outputs(self, draws: dict[str, Tensor]) -> dict[str, Tensor]:
        net = self._net
        with net.precision():
            return self._function(net.model, net.batch, draws, net.task)

    def run(self) -> None:
        self._outputs(self._net.fresh_draws())
        wait()

    def compare(self, expected: Arrays) -> dict[str, float]:
        found = self._outputs(self._net.draws)
        # (B, C, H, W) -> (B, H, W, C)
        found = {n: x.permute(0, 2, 3, 1) if x.ndim == 4 else x for n, x in found.items()}
        return errors({name: found[name] for name in expected}, expected)


def _sample(
    model: imo.ImoTwin, batch: dict[str, Tensor], draws: dict[str, Tensor], task: Task
) -> dict[str, Tensor]:
    return imo.predict(model, batch, draws["noise"], task.steps, task.samples)


def _encode_imo(
    model: imo.ImoTwin, batch: dict[str, Tensor], draws: dict[str, Tensor], task: Task
) -> dict[str, Tensor]:
    encoded = model.encode(*imo.normalise(batch["fundus"], batch["oct"]))
    return {name: encoded[name] for name in ("fused_feature", "grade_logits")}


def _encode_semt(
    model: semt.MultiTaskTwin, batch: dict[str, Tensor], draws: dict[str, Tensor], task: Task
) -> dict[str, Tensor]:
    return model(batch["scan"])


def _encode_unet(
    model: nn.Module, batch: dict[str, Tensor], draws: dict[str, Tensor], task: Task
) -> dict[str, Tensor]:
    return {"logits": model(batch["fundus"])}


FUNCTIONS = {
    ("imo", "sample"): _sample,
    ("imo", "encode"): _encode_imo,
    ("semt", "encode"): _encode_semt,
    ("unet", "encode"): _encode_unet,
}


class Neighbours:
    """Nearest donors by the matrix product in float32, which is not exact; chunk by chunk."""

    memory_format = ""

    def __init__(self, task: Task) -> None:
        self._queries, self._donors = descriptors(task)

    def compare(self, expected: Arrays) -> dict[str, float]:
        difference = self._queries - self._donors[self._nearest()]
        distance = np.sqrt(np.square(difference, dtype=np.float64).sum(axis=1))
        return errors({"distance": torch.from_numpy(distance)}, expected)

    def run(self) -> None:
        self._nearest()

    @torch.inference_mode()
    def _nearest(self) -> np.ndarray:
        """(Q,) index of a donor."""
        queries, donors = _tensor(self._queries), _tensor(self._donors)
        index = [torch.cdist(part, donors).argmin(dim=1) for part in queries.split(CHUNK)]
        return torch.cat(index).cpu().numpy()


def errors(found: dict[str, Tensor], expected: Arrays) -> dict[str, float]:
    """|found - expected| / |expected| in the Euclidean norm; names with a / by what is before it.

    Raises:
      ValueError: names or shapes that are not the same.
    """
    if set(found) != set(expected):
        raise ValueError(f"compared names differ: {sorted(set(found) ^ set(expected))[:6]}")
    squares: dict[str, np.ndarray] = {}
    for name, tensor in found.items():
        ours, theirs = expected[name].astype(np.float64), tensor.detach().double().cpu().numpy()
        if ours.shape != theirs.shape:
            raise ValueError(f"{name} is {theirs.shape}, ours is {ours.shape}")
        both = np.array([np.square(theirs - ours).sum(), np.square(ours).sum()])
        group = name.split("/")[0]
        squares[group] = squares.get(group, 0.0) + both
    return {group: float(np.sqrt(error / size)) for group, (error, size) in squares.items()}


def _under(prefix: str, arrays: Arrays) -> Arrays:
    prefix += "/"
    return {n.removeprefix(prefix): x for n, x in arrays.items() if n.startswith(prefix)}


def _tensor(array: np.ndarray) -> Tensor:
    """On the device; integers but bytes as int64, which PyTorch's losses want."""
    if array.dtype in (np.int32, np.uint32):
        array = array.astype(np.int64)
    return torch.from_numpy(array).to(device())
