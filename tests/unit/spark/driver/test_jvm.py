"""The driver's JVM is started with a log of few words, and ended however far it has come."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("pyspark")

from spark_infer.spark.driver import jvm

OPTIONS = "spark.driver.extraJavaOptions"


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))


def test_sparks_log_is_configured_where_nobody_has_done_so() -> None:
    settings = jvm._with_log({"spark.driver.memory": "1g", OPTIONS: "-Dfoo=bar"})
    options = settings[OPTIONS].split()
    assert options[0] == "-Dfoo=bar"
    assert Path(options[1].strip('"').partition("=")[2]).read_text().startswith("# Spark's log")
    assert settings["spark.driver.memory"] == "1g"


def test_a_users_configuration_of_the_log_stays(tmp_path: Path) -> None:
    given = {OPTIONS: "-Dlog4j2.configurationFile=mine.properties"}
    assert jvm._with_log(given) == given
    (tmp_path / "log4j2.properties").write_text("")
    assert jvm._with_log({}) == {}


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
