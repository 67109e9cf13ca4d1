"""What the database raises, as an error of ours with one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from spark_infer.errors import ConfigError, SparkInferError, WarehouseError
from spark_infer.spark.failures import SPARK_FAILURES, explained, silent
from spark_infer.spark.failures.causes import causes

_PASSING = re.compile("08...|40...|53...|57...|55P03|55006")
"""States of a connection that is lost, a conflict, a shortage, a shutdown and of locks."""
_LOCKED, _DENIED, _REFUSED = "55P03", "42501", ("28000", "28P01")
_KINDS = re.compile(r"java\.sql\.\w*Exception|org\.postgresql\.\S*Exception")
_BATCH = re.compile(r".*?\bwas aborted: (.*?)(?:\s+Call getNextException.*)?\Z", re.DOTALL)
_SEVERITY = re.compile(r"(?:ERROR|FATAL|PANIC): ")


class SqlError(Exception):
    """What the database or its driver says.

    Attributes:
        state: Its code (SQLSTATE); ``""`` where there is none.
        text: One line of what it says, which holds no password.
    """

    def __init__(self, state: str, text: str) -> None:
        super().__init__(text)
        self.state = state
        self.text = _SEVERITY.sub("", text.strip().partition("\n")[0], count=1).rstrip(".")

    @property
    def is_passing(self) -> bool:
        """Whether it passes by itself."""
        return bool(_PASSING.fullmatch(self.state))


@contextmanager
def database_failures(before: str, *, seconds: int) -> Iterator[None]:
    """Raise what the database, or Spark, raises as an error of ours.

    Args:
        before: What was being done, the beginning of the message.
        seconds: How long is waited for a lock.
    """
    try:
        with silent():
            yield
    except SqlError as error:
        raise _told(error, before, seconds) from None
    except SPARK_FAILURES as error:
        told = explained(error, before)
        found = [cause for cause in causes(error) if _KINDS.fullmatch(cause.kind)]
        texts = [SqlError("", _words(cause.message)).text for cause in found if cause.message]
        if not texts:
            raise told from None
        # Not as Spark tells it, with the statement, which holds values.
        state = _LOCKED if "lock timeout" in texts[0] else ""
        raise _told(SqlError(state, texts[0]), before, seconds, told.transient) from None


def _words(message: str) -> str:
    """Return a message without the statement that it quotes, which holds values."""
    found = _BATCH.match(message)
    return found[1] if found else message


def _told(error: SqlError, before: str, seconds: int, is_passing: bool = False) -> SparkInferError:
    kind: type[SparkInferError] = WarehouseError
    advice = ""
    if error.state == _LOCKED:
        advice = (
            f"; another session has held a lock for more than {seconds} s "
            "(target.jdbc.lock_timeout_seconds): see pg_locks, and run again when it is done"
        )
    elif error.state == _DENIED:
        advice = "; have its owner GRANT what is missing"
    elif error.state in _REFUSED:
        kind, advice = ConfigError, "; correct what target.jdbc's user and password name"
    elif is_passing := is_passing or error.is_passing:
        advice = "; run the same range again"
    message = f"{before}: PostgreSQL: {error.text}{advice}"
    return kind(message, transient=is_passing or error.is_passing)
