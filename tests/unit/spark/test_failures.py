"""The sentence that matters in a Spark error."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspark")

from spark_infer.spark.failures import reason

WORKER = """An exception was thrown from the Python worker:
Traceback (most recent call last):
  File "predictor.py", line 90, in predict
spark_infer.errors.SignatureError: column 'a': use: a cast
"""
JVM = """An error occurred while calling o12.save.
: org.apache.spark.SparkException: Job aborted
\tat org.apache.spark.Scheduler.abort(Scheduler.scala:1)
Caused by: java.io.IOException: wrapped
Caused by: java.lang.RuntimeException: broken
\tat Code.run(Unknown Source)
"""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (WORKER, "column 'a': use: a cast"),
        (JVM, "java.lang.RuntimeException: broken"),
        (
            "[TABLE_NOT_FOUND] no table `t`. SQLSTATE: 42P01; line 1",
            "[TABLE_NOT_FOUND] no table `t`.",
        ),
        ("", "ValueError"),
    ],
)
def test_reason(text: str, sentence: str) -> None:
    assert reason(ValueError(text)) == sentence
