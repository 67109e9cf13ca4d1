"""Why rows have no outputs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from spark_infer.errors import printable
from spark_infer.tensors import TransformFailed

_SECRET = re.compile(r"(?<!\w)'[^']*(?:'|$)|\"[^\"]*(?:\"|$)|[-+]?\d[\d.,:eE+-]*")


@dataclass(frozen=True)
class Failure:
    """A run of some rows that failed.

    Attributes:
        stage: What was being done with them: ``assemble`` or ``run``.
        error: What it raised.
        seconds: How long it took.
    """

    stage: str
    error: Exception
    seconds: float

    def reason(self) -> str:
        """Return stage, type and first line of the error, without what may be the row's values."""
        if isinstance(self.error, TransformFailed):
            return str(self.error)
        return f"{self.stage}: {describe(self.error)}"


def describe(error: Exception) -> str:
    """Return an exception's type and first line, printable and without values of the row."""
    lines = str(error).strip().splitlines()
    text = printable(_SECRET.sub("?", lines[0])[:200]) if lines else ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
