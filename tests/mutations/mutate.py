"""Damage to files: bytes as a bad copy leaves them, and words as people and other programs write them."""

import random
import re

# Words that a cell or a setting was not meant to hold.
WORDS = (
    b"", b"-1", b"0", b"1e999", b"nan", b"NaN", b"inf", b"null", b"true", b"[]", b"{}", b'"x"',
    b"\xff\xfe", b"\x00", b"..", b"../../etc/passwd", b"/dev/zero", b"CON", b"9" * 40, b"a" * 5000,
    b"\xe2\x80\xae", b"1,2", b'"', b"'", b"\n", b"\r\n", b";", b"\t", b"%s%n", b"__import__('os')",
)  # fmt: skip
TOKEN = re.compile(rb"[A-Za-z0-9_.+-]+")


def flip(data: bytes, rng: random.Random) -> bytes:
    """Some bits turned over."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def cut(data: bytes, rng: random.Random) -> bytes:
    """The end is missing."""
    return data[: rng.randrange(len(data))]


def lose(data: bytes, rng: random.Random) -> bytes:
    """A piece is missing."""
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.randrange(1, 200) :]


def repeat(data: bytes, rng: random.Random) -> bytes:
    """A piece is there twice."""
    start = rng.randrange(len(data))
    piece = data[start : start + rng.randrange(1, 400)]
    return data[:start] + piece + data[start:]


def blank(data: bytes, rng: random.Random) -> bytes:
    """A block of zeros, as a disk leaves it, or of ones."""
    start = rng.randrange(len(data))
    length = min(rng.choice((1, 4, 16, 512)), len(data) - start)
    return data[:start] + rng.choice((b"\x00", b"\xff")) * length + data[start + length :]


def number(data: bytes, rng: random.Random) -> bytes:
    """Four bytes are an odd number."""
    start = rng.randrange(max(1, len(data) - 4))
    value = rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 0xFFFF, rng.getrandbits(32)))
    order = rng.choice(("little", "big"))
    return data[:start] + value.to_bytes(4, order) + data[start + 4 :]


def swap(data: bytes, rng: random.Random) -> bytes:
    """Two pieces have changed places."""
    a, b = sorted(rng.randrange(len(data)) for _ in range(2))
    length = min(rng.randrange(1, 64), b - a)
    changed = bytearray(data)
    changed[a : a + length], changed[b : b + length] = data[b : b + length], data[a : a + length]
    return bytes(changed)


def word(data: bytes, rng: random.Random) -> bytes:
    """A word is another."""
    found = list(TOKEN.finditer(data))
    if not found:
        return data + rng.choice(WORDS)
    at = rng.choice(found)
    return data[: at.start()] + rng.choice(WORDS) + data[at.end() :]


BYTES = (flip, cut, lose, repeat, blank, number, swap)
TEXT = (*BYTES, word, word, word, word)


def mutated(data: bytes, text: bool, seed: str) -> bytes:
    """One file damaged in one to three ways; the same for a seed."""
    rng = random.Random(seed)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if data:
            data = rng.choice(TEXT if text else BYTES)(data, rng)
    return data
