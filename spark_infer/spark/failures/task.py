"""The border of a task: the driver gets nothing of an error but its text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from spark_infer.errors import SparkInferError

PASSING = "spark_infer.errors.passing"


@contextmanager
def task_failures() -> Iterator[None]:
    """Raise errors of ours so that the driver can read from the text what they are.

    What they came of is left out of the traceback, since a model may say anything, and what passes
    by itself is marked by the module of its class.
    """
    try:
        yield
    except SparkInferError as error:
        if error.transient:
            kind = type(error)
            marked = type(kind.__name__, (kind,), {"__module__": PASSING})
            raise marked(*error.args, transient=True) from None
        raise error from None
