"""How a program ends: with an exit code and, where something is wrong, one sentence.

0: done. 1: --mode=check found errors, or --mode=predict met files that cannot be used among many.
2: what was given cannot be used, a folder or file cannot be read or written, or there is not enough
memory. 130: Ctrl-C.
143: SIGTERM during a training, which can be resumed, as after 130.
"""

import errno
import os
import signal
import sys
from collections.abc import Callable

import jax
from absl import flags

from experiments.runtime import UserError, complain
from imo_jax.train import processes

INTERRUPTED = 128 + signal.SIGINT

# What to say of errors that the system's own words leave open.
ADVICE = {
    errno.ENOSPC: "free some space and give the same command again: what was saved before is whole",
    errno.EDQUOT: "free some space and give the same command again: what was saved before is whole",
    errno.EACCES: "choose a folder that you may write to (--workdir, --out, $IMO_JAX_CACHE)",
    errno.EROFS: "choose a folder that can be written to (--workdir, --out, $IMO_JAX_CACHE)",
}

# Flags with which a training, or else a prediction, needs less memory, in words.
LESS_TRAINING = {
    "batch_size": "a smaller --batch_size",
    "crop_size": "a smaller --crop_size",
    "accumulation": "--accumulation=PARTS",
    "remat": "--remat",
}
LESS_PREDICTION = {
    "eval_batch_size": "a smaller --eval_batch_size",
    "eval_samples": "fewer --eval_samples",
}


def exit_code(work: Callable[[], int]) -> int:
    """The exit code of `work`; says in a sentence what the user can do something about."""
    try:
        return work()
    except (UserError, processes.StoppedElsewhere) as error:
        complain(error)
    except KeyboardInterrupt:
        complain(UserError("interrupted; a training goes on where it was with the same command"))
        return INTERRUPTED
    except OSError as error:
        complain(UserError(in_words(error)))
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        complain(UserError(short_of_memory(error)))
    return 2


def is_out_of_memory(error: Exception) -> bool:
    """Whether there was no memory left, on a device or on the host."""
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)


def short_of_memory(error: Exception) -> str:
    """What was asked for in vain, and which flags of the program help."""
    told = str(error).strip().partition("\n")[0].removeprefix("RESOURCE_EXHAUSTED:").strip(" .")
    asked = f" ({told})" if told else ""
    return (
        f"there is not enough memory{asked}: a training needs less with {_helping(LESS_TRAINING)}, "
        f"an evaluation or prediction with {_helping(LESS_PREDICTION)}"
    )


def _helping(known: dict[str, str]) -> str:
    """Those of the flags that the program has; all where it hands its flags on to others."""
    words = [text for name, text in known.items() if name in flags.FLAGS] or list(known.values())
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def parsed_flags(arguments: list[str]) -> list[str]:
    """Parses a command line of flags alone; exits with 2 and a sentence where it cannot be."""
    try:
        rest = flags.FLAGS(arguments)[1:]
    except flags.Error as error:
        wrong = str(error)
    else:
        if not rest:
            return arguments[:1]
        wrong = f"not a flag: {' '.join(rest)}"
    complain(UserError(f"{wrong.rstrip('.')}; --help names the flags"))
    sys.exit(2)


def in_words(error: OSError) -> str:
    """What the system could not do, with which file, and what to do about it."""
    where = f"{error.filename}: " if error.filename else ""
    advice = ADVICE.get(error.errno)
    return f"{where}{error.strerror or error}" + (f"; {advice}" if advice else "")


def leave(code: int) -> None:
    """Ends the process. An interrupted one at once: no thread of a library keeps it alive."""
    if code == INTERRUPTED:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
