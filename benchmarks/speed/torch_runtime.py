"""PyTorch itself, as far as the benchmark asks it; the counterpart of jax_runtime.py."""

from collections.abc import Callable

import torch

from benchmarks.speed.machine import cores


def set_up(precision: str) -> None:
    """All cores, the fastest kernels, and how float32 products are rounded.

    Raises:
      ValueError: TF32 on a device that has none.
    """
    if precision == "tf32" and not torch.cuda.is_available():
        raise ValueError("--precision=tf32 needs an NVIDIA GPU")
    torch.set_num_threads(cores())
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = precision != "float32"
    torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")


def versions() -> dict[str, str]:
    return {"torch": torch.__version__}


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def wait() -> None:
    """Until the device is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def accelerator() -> str | None:
    """The accelerator's name; None where the processor does the work."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def peak_bytes() -> int | None:
    """Peak memory of the accelerator; None where there is none."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None


def matmul(side: int, precision: str) -> Callable[[], None]:
    """One product of square matrices, to be timed."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    matrix = torch.randn(side, side, dtype=dtype, device=device())
    out = torch.empty_like(matrix)

    def once() -> None:
        torch.matmul(matrix, matrix, out=out)
        wait()

    return once
