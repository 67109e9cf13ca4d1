"""The border behind which nothing but errors of ours is raised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from spark_infer import errors
from spark_infer.errors import RuntimeUnavailable, SparkInferError, WarehouseError
from spark_infer.spark.failures.causes import causes
from spark_infer.spark.failures.passing import is_jvm_gone, is_passing
from spark_infer.spark.failures.query_log import silent
from spark_infer.spark.failures.sentence import ours, sentence

_CANCELLED = "[SPARK_JOB_CANCELLED]"
SPARK_FAILURES = (PySparkException, Py4JError, ConnectionError)
"""What a call of Spark may raise: its own exceptions, and those of a JVM that is gone."""


@contextmanager
def spark_failures(
    before: str, after: str = "", kind: type[SparkInferError] = WarehouseError
) -> Iterator[None]:
    """Raise what Spark raises as an error of ours, with one sentence.

    pyspark's own log of failing queries is silent meanwhile. The error's ``__context__`` keeps
    what Spark raised.

    Args:
        before: What was being done, the beginning of the message.
        after: What to do, its end.
        kind: The class to raise, unless a task raised one of ours.
    """
    with silent():
        try:
            yield
        except SPARK_FAILURES as error:
            raise explained(error, before, after, kind) from None


def explained(
    error: Exception,
    before: str = "",
    after: str = "",
    kind: type[SparkInferError] = WarehouseError,
) -> SparkInferError:
    """Return an error of ours for what Spark raised. Arguments are those of ``spark_failures``."""
    if is_jvm_gone(error):
        reason, kind = "Spark's driver (JVM) ended, or cannot be reached", RuntimeUnavailable
    else:
        found = causes(error)
        reason = sentence(found)
        if raised := ours(found):
            kind = _class(raised.kind)
        elif reason.startswith(_CANCELLED):
            reason, after = "it was cancelled", ""
    message = reason.rstrip(".") if after else reason
    message = f"{before}: {message}" if before else message
    message = f"{message}; {after}" if after else message
    return kind(message, transient=is_passing(error, causes(error)))


def _class(name: str) -> type[SparkInferError]:
    found = getattr(errors, name, None)
    if isinstance(found, type) and issubclass(found, SparkInferError):
        return found
    return SparkInferError
