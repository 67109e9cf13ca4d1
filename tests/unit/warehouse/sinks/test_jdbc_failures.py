"""What PostgreSQL says in a task or to a statement, as one sentence without values."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspark")

from pyspark.errors import PySparkException

from spark_infer.errors import ConfigError, SparkInferError, WarehouseError
from spark_infer.warehouse.sinks.jdbc.postgresql.failures import SqlError, database_failures

TASK = """org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 3.0 \
failed 4 times, most recent failure: Lost task 0.3 in stage 3.0 (TID 7) (h executor 1): {cause}
\tat org.apache.spark.Task.run(Task.scala:1)
"""
BATCH = (
    "java.sql.BatchUpdateException: Batch entry 0 INSERT INTO t VALUES ('secret') was aborted: "
    "ERROR: {text}  Call getNextException to see other errors in the batch.\n\tat A.b(C:1)\n"
    "Caused by: org.postgresql.util.PSQLException: ERROR: {text}"
)


def told(error: Exception) -> SparkInferError:
    with pytest.raises(SparkInferError) as raised, database_failures("table t", seconds=5):
        raise error
    return raised.value


@pytest.mark.parametrize(
    ("cause", "text", "passes"),
    [
        (BATCH.format(text="numeric field overflow"), "numeric field overflow", False),
        (
            "org.postgresql.util.PSQLException: FATAL: terminating connection due to "
            "administrator command",
            "terminating connection due to administrator command; run the same range again",
            True,
        ),
        (
            "org.postgresql.util.PSQLException: An I/O error occurred while sending to the "
            "backend.\n\tat A.b(C:1)\nCaused by: java.io.EOFException",
            "An I/O error occurred while sending to the backend; run the same range again",
            True,
        ),
        (
            "org.postgresql.util.PSQLException: FATAL: sorry, too many clients already",
            "sorry, too many clients already; run the same range again",
            True,
        ),
        (
            "org.postgresql.util.PSQLException: ERROR: canceling statement due to lock timeout",
            "canceling statement due to lock timeout; another session has held a lock for more "
            "than 5 s (target.jdbc.lock_timeout_seconds): see pg_locks, and run again when it is "
            "done",
            True,
        ),
    ],
)
def test_what_is_said_in_a_task(cause: str, text: str, passes: bool) -> None:
    error = told(PySparkException(TASK.format(cause=cause)))
    assert str(error) == f"table t: PostgreSQL: {text}"
    assert (type(error), error.transient) == (WarehouseError, passes)


def test_what_else_goes_wrong_in_a_task_is_told_as_ever() -> None:
    error = told(PySparkException(TASK.format(cause="java.lang.ArithmeticException: / by zero")))
    assert str(error) == "table t: / by zero"


@pytest.mark.parametrize(
    ("state", "kind", "passes"),
    [
        ("08006", WarehouseError, True),
        ("40P01", WarehouseError, True),
        ("53100", WarehouseError, True),
        ("53300", WarehouseError, True),
        ("55P03", WarehouseError, True),
        ("57P01", WarehouseError, True),
        ("28P01", ConfigError, False),
        ("42501", WarehouseError, False),
        ("23505", WarehouseError, False),
        ("", WarehouseError, False),
    ],
)
def test_what_passes_by_itself(state: str, kind: type, passes: bool) -> None:
    error = told(SqlError(state, 'ERROR: it is so\n  Detail: Key (id)=("secret").'))
    assert (type(error), error.transient) == (kind, passes)
    assert str(error).startswith("table t: PostgreSQL: it is so")
    assert "secret" not in str(error)
