"""Which example comes when: pure functions of (seed, global example index).

Training is one endless sequence of examples, numbered by their *global index* i: step k of global
batch size B sees i = k B ... k B + B - 1. Epoch e = i // n is the e-th permutation of the n
examples. Nothing has to be saved to resume, and any k can be reached at once.
"""

import functools

import numpy as np

# Generators of examples use the counter from 0, those of epochs start it here: same key, but
# streams that never meet.
_EPOCH_COUNTER = (0, 0, 0, 1)


def example_order(num: int, seed: int, index: int) -> int:
    """The example, 0 <= position < num, that has the global index `index`.

    Args:
      num: number of examples in the split, at least 1.
      seed: 0 <= seed < 2**64.
      index: global example index, at least 0.

    Raises ValueError where one of them is out of range.
    """
    if num < 1:
        raise ValueError("there is no example to draw: the split is empty")
    if index < 0:
        raise ValueError(f"global example index {index} is negative")
    epoch, position = divmod(index, num)
    return int(_permutation(num, seed, epoch)[position])


@functools.lru_cache(maxsize=8)
def _permutation(num: int, seed: int, epoch: int) -> np.ndarray:
    key = _key(seed, epoch)
    generator = np.random.Generator(np.random.Philox(key=key, counter=_EPOCH_COUNTER))
    return generator.permutation(num)


def example_generator(seed: int, index: int) -> np.random.Generator:
    """The random numbers of the example with global index `index`, and of no other."""
    return np.random.Generator(np.random.Philox(key=_key(seed, index)))


def _key(seed: int, number: int) -> np.ndarray:
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed {seed} lies outside 0..2**64 - 1")
    return np.array([seed, number], np.uint64)
