"""What an error of a model says: whether the device is lost, and which line raised it."""

from __future__ import annotations

import traceback
from pathlib import Path

_FAULTS = (
    "device-side assert triggered",
    "an illegal memory access was encountered",
    "unspecified launch failure",
    "misaligned address",
)


def is_device_fault(error: BaseException) -> bool:
    """Return whether an error says that the device refuses all further work.

    CUDA reports an index out of range so: whatever runs next fails as well, so the row at fault
    cannot be told.
    """
    return any(words in str(error) for words in _FAULTS)


def raised_at(error: BaseException) -> str:
    """Return ``", at model.py:7"``, the last line outside of libraries, or ``""``."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        file = frame.f_code.co_filename
        if package not in ("torch", "onnxruntime", "spark_infer") and not file.startswith("<"):
            place = f", at {Path(file).name}:{line}"
    return place


def sentence(error: BaseException) -> str:
    """Return an error as its type, the first line of its message, and its place in user code."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    what = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return what + raised_at(error)
