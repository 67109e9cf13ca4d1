"""The driver's JVM is started with a log of few words, and ended however far it has come."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyspark")

from pyspark import SparkConf, SparkContext

from spark_infer.spark.driver import jvm

OPTIONS = "SPARK_SUBMIT_OPTS"


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Says with which settings and options a JVM was to start."""
    found: dict[str, Any] = {}

    def launch(conf: SparkConf, options: Any) -> None:
        found.update(settings=dict(conf.getAll()), options=os.environ.get(OPTIONS))
        raise RuntimeError

    monkeypatch.delenv(OPTIONS, raising=False)
    monkeypatch.setattr(SparkContext, "_gateway", None)
    monkeypatch.setattr(jvm, "launch_gateway", launch)

    def start(settings: dict[str, str]) -> dict[str, Any]:
        with pytest.raises(RuntimeError):
            jvm.start(settings)
        return found

    return start


def test_sparks_log_is_configured_where_nobody_has_done_so(launched: Any) -> None:
    settings = {"spark.driver.memory": "1g", "spark.driver.extraJavaOptions": "-Dfoo=bar"}
    found = launched(settings)
    assert found["settings"] == settings
    (option,) = shlex.split(found["options"])
    assert Path(option.partition("=")[2]).read_text().startswith("# Spark's log")
    assert OPTIONS not in os.environ


def test_no_setting_stands_in_the_place_of_those_that_spark_reads_itself(launched: Any) -> None:
    assert launched({})["settings"] == {}


def test_options_in_the_environment_are_kept_and_win(
    launched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OPTIONS, "-Dlog4j2.configurationFile=mine.properties")
    assert shlex.split(launched({})["options"])[1:] == [os.environ[OPTIONS]]


def test_a_users_configuration_of_the_log_stays(launched: Any, tmp_path: Path) -> None:
    (tmp_path / "log4j2.properties").write_text("")
    assert launched({})["options"] is None


def test_noise_is_dropped_and_all_else_passed_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"WARNING: Using incubator modules: x\nERROR: \xff\nlast without an end")
    os.close(writer)
    with (tmp_path / "out").open("wb", buffering=0) as out:
        monkeypatch.setattr(jvm, "_STDERR", out.fileno())
        jvm._pass_on(reader)
    assert (tmp_path / "out").read_bytes() == b"ERROR: \xff\nlast without an end"


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "])
def test_a_jvm_that_starts_is_ended(monkeypatch: pytest.MonkeyPatch, trap: str) -> None:
    monkeypatch.setattr(jvm, "_GRACE_SECONDS", 0.5)
    # What has nothing to do with Spark stays.
    other = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    child = subprocess.Popen(
        ["sh", "-c", f"{trap}echo ready; while read x; do :; done", "pyspark-shell"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child, other:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        jvm.end()
        child.poll()
        assert not Path(f"/proc/{child.pid}").exists()
        assert other.poll() is None
        jvm.end()
