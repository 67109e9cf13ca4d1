"""What Spark raises, in one sentence."""

from __future__ import annotations

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from spark_infer.errors import TooManyRejects

SPARK_FAILURES = (PySparkException, Py4JJavaError)
"""What a query may raise: Spark 3.5 leaves some of the JVM's exceptions as they are."""

_OURS = "spark_infer.errors."
_CAUSE = "Caused by: "


def has_too_many_rejects(error: Exception) -> bool:
    """Return whether a task stopped because the model failed on too many rows."""
    return f"{_OURS}{TooManyRejects.__name__}: " in str(error)


def reason(error: Exception) -> str:
    """Return the sentence of an error that says what went wrong.

    That is what spark_infer raised in a task, else the innermost Java exception, else the first
    line.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    ours = [line for line in lines if line.startswith(_OURS)]
    if ours:
        return ours[-1].partition(": ")[2]
    causes = [line.removeprefix(_CAUSE) for line in lines if line.startswith(_CAUSE)]
    sentence = causes[-1] if causes else next(iter(lines), type(error).__name__)
    return sentence.partition(" SQLSTATE:")[0]
