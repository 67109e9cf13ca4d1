"""Java is looked for before Spark is started."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pyspark")

from pyspark.errors import PySparkException

from spark_infer.errors import ConfigError
from spark_infer.spark.driver import jvm
from spark_infer.spark.driver.session import check_java, session


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
