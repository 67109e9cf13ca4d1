"""Standard streams that are closed, full or of few letters, and the exit codes then."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import spark_infer as si
from spark_infer.bundle import Manifest
from spark_infer.bundle.bundle import write_bundle
from spark_infer.cli import output
from spark_infer.cli.main import main
from spark_infer.errors import ConfigError
from spark_infer.report import RunReport
from tests.unit.support.artifacts import EXPORTED

pytestmark = pytest.mark.processes

LETTERS = "模型 é 😀"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("score")]
    )
    manifest = Manifest(name=LETTERS, artifacts=EXPORTED, signature=signature)
    path = tmp_path_factory.mktemp("output") / "b"
    write_bundle(
        path, manifest, lambda root: np.save(root / "w.npy", np.zeros(2)), lambda bundle: None
    )
    return path


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command in which CLI stands for the command line."""
    program = f"{sys.executable} -m spark_infer"
    return subprocess.run(
        ["sh", "-c", command.replace("CLI", program)],
        capture_output=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
@pytest.mark.parametrize("option", ["", "--json"])
def test_a_full_output_passes(bundle: Path, option: str) -> None:
    done = shell(f"CLI inspect {bundle} {option} > /dev/full")
    text = done.stderr.decode()
    assert done.returncode == 75, text
    assert text == (
        "ConfigError: the result cannot be written to standard output: No space left on device\n"
    )


@pytest.mark.parametrize("command", ["inspect {} --json", "inspect {}", "reference"])
def test_a_closed_output_is_told(bundle: Path, command: str) -> None:
    done = shell(f"CLI {command.format(bundle)} >&-")
    assert done.returncode == 2
    assert done.stderr.decode() == (
        "ConfigError: the result cannot be written to standard output: it is closed\n"
    )


def test_an_output_that_nobody_reads_any_more_ends_in_silence(bundle: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    program = [sys.executable, "-m", "spark_infer", "inspect", str(bundle)]
    done = subprocess.run(program, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("redirect", ["2>&-", "2>/dev/full"])
def test_an_error_that_cannot_be_told_has_its_exit_code(redirect: str) -> None:
    assert shell(f"CLI inspect no-such-bundle {redirect}").returncode == 2


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252", "utf-8"])
def test_letters_that_the_output_lacks_are_escaped(bundle: Path, encoding: str) -> None:
    done = shell(f"CLI inspect {bundle} --json", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout.decode(encoding))["name"] == LETTERS
    done = shell(f"CLI inspect {bundle}", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    expected = LETTERS.encode(encoding, "backslashreplace").decode(encoding)
    assert expected in done.stdout.decode(encoding)


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_run_whose_report_cannot_be_printed_has_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyspark")
    report = RunReport(
        job="nightly",
        run_id="r1",
        status="done",
        started_at="",
        finished_at="",
        parameters={},
        bundle={"name": "b", "digest": "0" * 64, "path": "b"},
        target="t",
        spark_application_id="a",
        versions={},
        seconds={},
    )
    config = SimpleNamespace(report=SimpleNamespace(path="reports", html=True))
    job = SimpleNamespace(config=config, run=lambda **_: report)
    monkeypatch.setattr("spark_infer.warehouse.ScoringJob.load", lambda *_, **__: job)
    for options in ([], ["--json"]):
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", Full())
            with pytest.raises(SystemExit) as stopped:
                main(["score", "job.yaml", *options])
        # Not 75: what was appended would be appended again.
        assert stopped.value.code == 2
        told = capsys.readouterr().err
        assert "the target was written, and the report is reports/nightly-r1.json, but the" in told
        assert "No space left on device" in told


def test_a_stream_that_this_process_has_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(ConfigError, match="it is closed"):
        output.write("x")
    output.tell("x", "", stream)
