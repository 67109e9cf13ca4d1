"""Errors of Spark become errors of ours: one sentence, the class and the exit code by the cause."""

from __future__ import annotations

import logging
import traceback

import pytest

pytest.importorskip("pyspark")

from py4j.protocol import Py4JNetworkError
from pyspark.errors import PySparkException

from spark_infer.errors import (
    BundleError,
    ConfigError,
    PredictionError,
    RuntimeUnavailable,
    SparkInferError,
    TooManyRejects,
    WarehouseError,
)
from spark_infer.spark.failures import explained, silent, spark_failures, task_failures

WORKER = """An exception was thrown from the Python worker:
Traceback (most recent call last):
  File "predictor.py", line 90, in predict
    raise SignatureError("x")
{kind}: {message}
"""
TASK = """An error occurred while calling o12.collect.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 3.0 failed \
4 times, most recent failure: Lost task 0.3 in stage 3.0 (TID 7) (10.0.0.7 executor 1): {cause}
\tat org.apache.spark.Task.run(Task.scala:1)

Driver stacktrace:
\tat org.apache.spark.scheduler.DAGScheduler.abort(DAGScheduler.scala:1)
"""


def told(text: str, **arguments: str) -> str:
    return str(explained(PySparkException(text), **arguments))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            WORKER.format(kind="spark_infer.errors.SignatureError", message="column 'a': a cast"),
            "column 'a': a cast",
        ),
        (WORKER.format(kind="KeyError", message="'a'"), "KeyError: 'a'"),
        (
            WORKER.format(kind="ModuleNotFoundError", message="No module named 'torch'"),
            "ModuleNotFoundError: No module named 'torch'",
        ),
        (
            "org.apache.spark.SparkException: Job aborted\n\tat A.b(C.scala:1)\n"
            "Caused by: java.io.IOException: wrapped\n\t... 3 more\n"
            "Caused by: java.lang.RuntimeException: broken\n\tat Code.run(Unknown Source)",
            "wrapped",
        ),
        ("[NOT_FOUND] no table `t`. SQLSTATE: 42P01; line 1", "[NOT_FOUND] no table `t`."),
        (
            "An error occurred while calling o4290.insertInto.\n"
            ": org.apache.spark.SparkException: [TASK_WRITE_FAILED] Task failed while writing rows "
            "to file:/x. SQLSTATE: 58030\n\tat A.b(C.scala:1)\n"
            "Caused by: java.io.IOException: No space left on device\n\tat A.b(C.scala:1)",
            "No space left on device",
        ),
        (TASK.format(cause="java.lang.ArithmeticException: / by zero"), "/ by zero"),
        (
            TASK.format(cause="java.io.EOFException"),
            "a Python worker ended without a word: it was killed, perhaps for memory, or it "
            "crashed",
        ),
        (
            TASK.format(
                cause="ExecutorLostFailure (executor 1 exited caused by one of the running tasks) "
                "Reason: Command exited with code 137"
            ),
            "ExecutorLostFailure (executor 1 exited caused by one of the running tasks) Reason: "
            "Command exited with code 137",
        ),
        (
            "org.apache.spark.SparkException: [FAILED_READ_FILE.NO_HINT] Encountered error while "
            "reading file file:///a.parquet. SQLSTATE: KD001\n\tat A.b(C.scala:1)\n"
            "Caused by: java.lang.RuntimeException: a.parquet is not a Parquet file. Expected\n"
            "\tat A.b(C.scala:1)",
            "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:///a.parquet: "
            "a.parquet is not a Parquet file. Expected",
        ),
        (
            "java.lang.RuntimeException: java.lang.reflect.InvocationTargetException\n"
            "\tat A.b(C:1)\nCaused by: java.lang.OutOfMemoryError\n\tat A.b(C:1)",
            "the JVM has run out of memory",
        ),
        ("java.lang.NullPointerException\n\tat A.b(C.java:1)", "java.lang.NullPointerException"),
        ("", "Spark gives no reason"),
    ],
)
def test_the_first_cause_with_a_sentence_is_told(text: str, sentence: str) -> None:
    assert told(text) == sentence


def test_before_and_after_stand_around_the_sentence() -> None:
    text = told("It broke.", before="the source cannot be read", after="run again")
    assert text == "the source cannot be read: It broke; run again"


def test_what_was_cancelled_needs_no_advice() -> None:
    text = told("[SPARK_JOB_CANCELLED] Job 1 cancelled. SQLSTATE: XXKDA", before="a", after="b")
    assert text == "a: it was cancelled"


@pytest.mark.parametrize("kind", [BundleError, ConfigError, RuntimeUnavailable, TooManyRejects])
def test_the_class_is_that_of_what_a_task_raised(kind: type[SparkInferError]) -> None:
    text = WORKER.format(kind=f"spark_infer.errors.{kind.__name__}", message="x")
    error = explained(PySparkException(TASK.format(cause=text)), kind=WarehouseError)
    assert type(error) is kind
    assert not error.transient


@pytest.mark.parametrize(
    "cause",
    [
        "java.io.EOFException",
        "org.apache.spark.SparkException: Python worker exited unexpectedly (crashed)",
        "ExecutorLostFailure (executor 1 exited) Reason: worker lost",
        "java.io.FileNotFoundException: File file:/a does not exist",
        "org.apache.spark.SparkFileNotFoundException: File file:/a does not exist",
        "java.io.IOException: No space left on device",
        "java.net.ConnectException: Connection refused",
        "java.net.SocketTimeoutException: Read timed out",
        "java.util.concurrent.TimeoutException: Futures timed out",
        "org.apache.spark.shuffle.MetadataFetchFailedException: Missing an output location",
        WORKER.format(kind="OSError", message="[Errno 28] No space left on device"),
    ],
)
def test_what_passes_is_transient(cause: str) -> None:
    assert explained(PySparkException(TASK.format(cause=cause))).transient


@pytest.mark.parametrize(
    "cause",
    [
        "java.lang.ArithmeticException: / by zero",
        "org.apache.spark.SparkNumberFormatException: [CAST_INVALID_INPUT] x. SQLSTATE: 22018",
        "[PATH_NOT_FOUND] Path does not exist: file:/a. SQLSTATE: 42K03",
        WORKER.format(kind="ValueError", message="wrong"),
    ],
)
def test_what_does_not_pass_is_not(cause: str) -> None:
    assert not explained(PySparkException(TASK.format(cause=cause))).transient


FORGED = [
    "Connection refused",
    "No space left on device",
    "SQLSTATE: 08001",
    "x\nCaused by: java.net.SocketTimeoutException: gone",
    "x\nCaused by: spark_infer.errors.BundleError: damaged",
    "x\nTraceback (most recent call last):\n  File 'a'\nspark_infer.errors.GateError: stopped",
    "x\nspark_infer.errors.passing.GateError: stopped",
    "x\n\tat A.b(C.scala:1)\nCaused by: java.io.EOFException",
    "Lost task 0.3 in stage 3.0 (TID 7) (10.0.0.7 executor 1): java.io.EOFException",
    "x\u2028spark_infer.errors.GateError: stopped\r\x85\x0bspark_infer.errors.GateError: stopped",
    "[SPARK_JOB_CANCELLED]",
]


def raised_in_task(error: SparkInferError, cause: Exception | None = None) -> PySparkException:
    """Return what the driver gets of an error in a task, whose cause says anything."""
    with pytest.raises(type(error)) as caught, task_failures():
        raise error from cause
    told = "".join(traceback.format_exception(caught.type, caught.value, caught.tb))
    text = f"org.apache.spark.api.python.PythonException: {told} SQLSTATE: 38000\n"
    return PySparkException(f"{TASK.format(cause=text)}Caused by: {text}\tat A.b(C:1)")


@pytest.mark.parametrize("text", FORGED)
@pytest.mark.parametrize("kind", [PredictionError, TooManyRejects, BundleError])
def test_a_models_words_decide_nothing(kind: type[SparkInferError], text: str) -> None:
    error = kind(f"the model failed: RuntimeError: {text}")
    found = explained(raised_in_task(error, RuntimeError(text)), "a", kind=WarehouseError)
    assert type(found) is kind
    assert not found.transient
    assert str(found) == f"a: {error}"
    assert str(error).isprintable()


@pytest.mark.parametrize("kind", [RuntimeUnavailable, BundleError])
def test_what_passes_in_a_task_passes(kind: type[SparkInferError]) -> None:
    found = explained(raised_in_task(kind("the disk is full", transient=True)), "a")
    assert (type(found), found.transient, str(found)) == (kind, True, "a: the disk is full")


def test_what_others_raise_in_a_task_is_left_alone() -> None:
    with pytest.raises(ZeroDivisionError) as caught, task_failures():
        raise ZeroDivisionError("x") from KeyError("y")
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "[CAST_INVALID_INPUT] The value 'Connection refused' is no number. SQLSTATE: 22018",
            False,
        ),
        ("[CAST_INVALID_INPUT] The value 'SQLSTATE: 08001' is no number. SQLSTATE: 22018", False),
        ("[UNRESOLVED_COLUMN] `No space left on device` is none. SQLSTATE: 42703", False),
        ("[X] a. SQLSTATE: 22018\n== SQL (line 1) ==\nCAST('SQLSTATE: 08001' AS INT)", False),
        ("[UNABLE_TO_ACQUIRE_MEMORY] Too little. SQLSTATE: 53200", True),
        ("[FAILED_READ_FILE.FILE_NOT_EXIST] It is gone. SQLSTATE: KD001", True),
        ("FATAL: the server starts. SQLSTATE: 57P03", True),
    ],
)
def test_what_a_condition_quotes_decides_nothing(message: str, expected: bool) -> None:
    assert explained(PySparkException(message)).transient is expected


@pytest.mark.parametrize(
    "error", [Py4JNetworkError("Answer from Java side is empty"), ConnectionRefusedError(111, "no")]
)
def test_a_jvm_that_is_gone_is_told(error: Exception) -> None:
    with (
        pytest.raises(RuntimeUnavailable, match=r"^a: Spark's driver \(JVM\) ended") as caught,
        spark_failures("a", kind=WarehouseError),
    ):
        raise error
    assert caught.value.transient


def test_errors_of_ours_and_of_others_pass() -> None:
    for error in (ConfigError("ours"), ZeroDivisionError()):
        with pytest.raises(type(error)) as caught, spark_failures("a"):
            raise error
        assert caught.value is error


def test_pysparks_log_is_silent_inside_only() -> None:
    logs = pytest.importorskip("pyspark.logger")
    logger = logs.PySparkLogger.getLogger("SQLQueryContextLogger")
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logger.addHandler(handler)
    try:
        with silent():
            with silent():
                logger.error("inside")
            logger.error("inside")
        logger.error("outside")
    finally:
        logger.removeHandler(handler)
    assert [record.getMessage() for record in records] == ["outside"]
