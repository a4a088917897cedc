"""An encoder that does not learn: its weights and its running statistics stay as they were."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import flax.linen as nn
import jax

Path = tuple[str, ...]


@contextlib.contextmanager
def as_in_evaluation(path: Path | None) -> Iterator[None]:
    """Meanwhile the module at `path` computes as in evaluation: by its running statistics, which it leaves as
    they are, without drop-path. None = all as they are asked.

    To be open while the network is traced.
    """

    def called(next_call: Any, args: tuple, given: Mapping[str, Any], context: Any) -> Any:
        if context.module.path == path and context.method_name == "__call__":
            given = given | {"train": False}
            if "example_keys" in given:
                given = given | {"example_keys": None}
        return next_call(*args, **given)

    with contextlib.nullcontext() if path is None else nn.intercept_methods(called):
        yield


def without_gradient(params: Mapping[str, Any], path: Path | None) -> Any:
    """The same parameters, those at `path` constants: their gradients are 0 and cost nothing."""
    if path is None:
        return params
    if not path:
        return jax.lax.stop_gradient(params)
    first, *rest = path
    return {**params, first: without_gradient(params[first], tuple(rest))}
