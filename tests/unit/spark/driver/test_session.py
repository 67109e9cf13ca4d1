"""Java is looked for before Spark is started, and sessions of other kinds are told apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("pyspark")

from pyspark import SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

import spark_infer as si
from spark_infer.errors import ConfigError
from spark_infer.spark.driver import jvm
from spark_infer.spark.driver.session import check_java, own_session, session
from spark_infer.spark.tasks.metrics import metrics_accumulator


def java(folder: Path, exit_code: int) -> Path:
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho broken java >&2\nexit {exit_code}\n")
    program.chmod(0o755)
    return folder


def test_a_java_that_starts_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path, 0)))
    check_java()


def test_no_java_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"none on PATH; install it .*openjdk-17-jre-headless"):
        check_java()


def test_a_wrong_java_home_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match=f"JAVA_HOME is {tmp_path}, which has no bin/java"):
        check_java()
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path, 1)))
    with pytest.raises(ConfigError, match="does not start: broken java"):
        check_java()


@pytest.mark.parametrize(
    "make",
    [
        lambda program: program.write_bytes(b"\x7fELF and nothing else"),
        lambda program: program.write_text("#!/no/such/interpreter"),
        lambda program: program.mkdir(),
        lambda program: program.symlink_to("/dev/null"),
    ],
)
def test_a_java_that_is_no_program_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object]
) -> None:
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    make(program)
    if program.is_file():
        program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match=f"{program} does not start: .*JAVA_HOME"):
        check_java()


def test_what_java_says_need_not_be_utf8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = java(tmp_path, 1) / "bin" / "java"
    program.write_bytes(b"#!/bin/sh\nprintf '\\377\\nbroken' >&2; exit 1\n")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="does not start: \ufffd broken; install"):
        check_java()


@pytest.mark.parametrize("content", [None, "not to be run"])
def test_a_spark_home_that_is_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    monkeypatch.setattr(SparkContext, "_gateway", None)
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    if content is not None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "spark-submit").write_text(content)
        (tmp_path / "bin" / "spark-submit").chmod(0o644)
        monkeypatch.setattr("os.access", lambda path, mode: False)  # root may run anything
    with pytest.raises(ConfigError, match=f"SPARK_HOME is {tmp_path}, which has no bin/spark"):
        jvm.start({})


def test_a_spark_that_does_not_start_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(settings: object) -> None:
        raise PySparkException("Java gateway process exited\nstack trace")

    monkeypatch.setattr(jvm, "start", fail)
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path, 0)))
    with pytest.raises(ConfigError, match=r"with this configuration: .* exited; its own") as caught:
        session("tests", {"spark.sql.catalogImplementation": "in-memory"})
    assert "\n" not in str(caught.value)


def stopped() -> SparkSession:
    """Return a session whose context has been stopped."""
    made = object.__new__(SparkSession)
    made._sc = SimpleNamespace(_jsc=None)  # type: ignore[assignment]
    return made


class FrameOfStopped(DataFrame):
    sparkSession = stopped()  # type: ignore[assignment]  # noqa: N815 - as pyspark calls it

    def __new__(cls) -> FrameOfStopped:
        made: FrameOfStopped = object.__new__(cls)
        return made

    def __init__(self) -> None:
        pass


@pytest.mark.parametrize(
    "call",
    [
        lambda: si.predict(FrameOfStopped(), "b"),
        lambda: si.predict_udf(stopped(), "b"),
        lambda: si.register(stopped(), "f", "b"),
        lambda: own_session(stopped(), {}),
        lambda: metrics_accumulator(stopped()),
    ],
)
def test_a_session_that_was_stopped_is_told_in_one_sentence(call: Any) -> None:
    with pytest.raises(ConfigError, match="has been stopped; take one that runs") as caught:
        call()
    assert not caught.value.transient


def connect(name: str) -> object:
    """Return an object as Spark Connect has them, whose client need not be installed."""
    kind = type(name, (), {"__module__": f"pyspark.sql.connect.{name.lower()}"})
    return type(name, (kind,), {})()


@pytest.mark.parametrize(
    "call",
    [
        lambda: si.predict(connect("DataFrame"), "b"),  # type: ignore[arg-type]
        lambda: si.predict_udf(connect("SparkSession"), "b"),  # type: ignore[arg-type]
        lambda: si.register(connect("SparkSession"), "f", "b"),  # type: ignore[arg-type]
        lambda: own_session(connect("SparkSession"), {}),  # type: ignore[arg-type]
        lambda: metrics_accumulator(connect("SparkSession")),  # type: ignore[arg-type]
    ],
)
def test_spark_connect_is_told_in_one_sentence(call: Any) -> None:
    with pytest.raises(ConfigError, match=r"is one of Spark Connect.*session of this process"):
        call()


@pytest.mark.parametrize("given", [None, "spark", 5, {}])
def test_what_is_no_session_and_no_frame(given: Any) -> None:
    for call in (lambda: si.predict_udf(given, "b"), lambda: own_session(given, {})):
        with pytest.raises(ConfigError, match="spark must be a SparkSession, got"):
            call()
    with pytest.raises(ConfigError, match="df must be a DataFrame of Spark, got"):
        si.predict(given, "b")
