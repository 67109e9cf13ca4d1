"""Everything that spark_infer raises on purpose.

```
SparkInferError
├── BundleError          unreadable, tampered with, wrong format version, refused by policy
├── SignatureError       columns or tensors do not fit the signature
├── ConfigError          the job file or an option is wrong
├── PredictionError      the model failed on rows and the policy says stop
│   └── TooManyRejects   more rows failed than the limit allows
├── RuntimeUnavailable   the model's runtime could not be reached or started
└── WarehouseError       source or sink cannot do what the job asks
    └── GateError        scored, checked, and not published
```

A message names the column, key or file, what was expected, what came, and what to do. The class
follows the cause, not the place where it came up; what passes by itself, such as a lost executor
or a full disk, is any of them with ``transient`` set.
"""

from __future__ import annotations

import difflib
import errno
import platform
import re
import sys
from collections.abc import Iterable, Mapping, Sequence

MAX_MESSAGE = 4000
"""Most characters of a message."""

_MAX_TEXT = 2**22
"""Most of what a message is made of that is looked at."""

_LONG_WORD = re.compile(r"(\S{100})\S{60,}(\S{40})")

_MAX_NAME = 100
"""Longest name that anybody mistypes."""

_MAX_COMPARED = 100_000
"""Characters of the names that one is compared with, which takes a second at worst."""


class SparkInferError(Exception):
    """Root of all errors that spark_infer raises on purpose.

    A message may quote a bundle, a table or a model, and goes to terminals and logs: what would
    steer these is written as an escape sequence. It is one line, so that nothing in it passes for
    a line of a traceback that it is later read from, and what makes it longer than anybody reads is
    left out: the middle of long names, or else its own.

    Attributes:
        transient: Whether the same run may well succeed later: a worker, an executor or a service
            was lost, or a disk is full.
    """

    def __init__(self, *args: object, transient: bool = False) -> None:
        super().__init__(*(_line(arg) if isinstance(arg, str) else arg for arg in args))
        self.transient = transient


class BundleError(SparkInferError):
    """A bundle is unreadable, tampered with, of an unknown format or refused by policy."""


class SignatureError(SparkInferError):
    """Columns or tensors do not fit the bundle's signature."""


class ConfigError(SparkInferError):
    """A job file or an option is wrong."""


class PredictionError(SparkInferError):
    """The model failed on rows, or what it returned does not fit the signature."""


class TooManyRejects(PredictionError):
    """More rows failed than the limit allows."""


class RuntimeUnavailable(SparkInferError):
    """The model's runtime could not be reached or started, or a library it needs is missing."""


class WarehouseError(SparkInferError):
    """A source or target table cannot do what the job asks."""


class GateError(WarehouseError):
    """Rows were scored and checked, and deliberately not published."""


def _line(text: str) -> str:
    text = _shorter(text, _MAX_TEXT)
    line = printable(re.sub(r"(?<!\s)\s*\n\s*", " ", text.strip("\n")))
    if len(line) > MAX_MESSAGE:
        line = _LONG_WORD.sub(r"\1...\2", line)
    return _shorter(line, MAX_MESSAGE)


def _shorter(text: str, most: int) -> str:
    """Return a text without its middle where it is long: at its end a message says what to do."""
    if len(text) <= most:
        return text
    end = most // 4
    return f"{text[: most - end - 3]}...{text[-end:]}"


def printable(text: str) -> str:
    """Return a text with all but printable characters and newlines as escape sequences."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the known word closest to ``word``, or ``""``."""
    by_folded: dict[str, str] = {}
    left = _MAX_COMPARED
    for name in known:
        if len(name) <= _MAX_NAME:
            left -= len(name)
            by_folded[name.casefold()] = name
        if left < 0:
            break
    word = word[: 2 * _MAX_NAME].casefold()
    close = difflib.get_close_matches(word, by_folded, n=1, cutoff=0.6)
    return f"; did you mean {by_folded[close[0]]!r}?" if close else ""


def is_full(error: OSError) -> bool:
    """Return whether a disk is full, which passes when somebody makes room."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def some(words: Sequence[str], most: int = 3) -> str:
    """Return the first words for a message, and how many more there are."""
    rest = len(words) - most
    return ", ".join(words[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def missing_library(
    error: ModuleNotFoundError, packages: Mapping[str, str] | None = None
) -> RuntimeUnavailable:
    """Explain which library is missing in which Python, and how to install it.

    Args:
        error: What importing it raised.
        packages: What pip calls a library, where it has another name.
    """
    name = (error.name or "a library").partition(".")[0]
    package = (packages or {}).get(name, name)
    return RuntimeUnavailable(
        f"{name} is not installed for {sys.executable} on host {platform.node()}; install it there "
        f"(pip install {package}) or point PYSPARK_PYTHON to a Python that has it"
    )
