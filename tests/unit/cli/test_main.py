"""The command line without Spark: help, inspect, reference, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import spark_infer as si
from spark_infer.bundle import Manifest
from spark_infer.bundle.bundle import write_bundle
from spark_infer.bundle.files.digest import seal
from spark_infer.cli.main import exit_code, main
from spark_infer.errors import (
    BundleError,
    ConfigError,
    GateError,
    PredictionError,
    RuntimeUnavailable,
    SparkInferError,
    TooManyRejects,
    WarehouseError,
)
from tests.s3 import Bucket
from tests.unit.report.reports import full_report
from tests.unit.support.artifacts import EXPORTED
from tests.unit.support.models import save_fraud


@pytest.fixture
def bundle(tmp_path: Path) -> si.Bundle:
    signature = si.Signature(
        inputs=[
            si.ScalarInput("x", columns=["a", si.Column("b", nulls=0.5)]),
            si.RaggedInput("w", column="words", vocabulary=("u", "v"), max_length=4),
        ],
        outputs=[si.Output("kind", dtype="int64", labels=["good", "bad"])],
    )
    manifest = Manifest(
        name="tiny",
        artifacts=EXPORTED,
        signature=signature,
        features={"b": "c + 1"},
    )
    return write_bundle(
        tmp_path / "tiny",
        manifest,
        write_numbers,
        lambda bundle: None,
    )


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    captured = capsys.readouterr()
    return int(stopped.value.code or 0), captured.out, captured.err


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert all(command in out for command in ("score", "inspect", "reference"))


def write_numbers(root: Path) -> None:
    np.save(root / "weights.npy", np.zeros(2))


def test_inspect_shows_the_bundle(capsys: pytest.CaptureFixture[str], bundle: si.Bundle) -> None:
    code, out, _ = run(capsys, "inspect", str(bundle.path))
    assert code == 0
    for word in (bundle.digest, "b (null: 0.5)", "c + 1", "labels good, bad", "weights.npy"):
        assert word in out


def test_a_bundles_text_does_not_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    manifest = Manifest(
        name="m",
        artifacts=EXPORTED,
        signature=si.Signature(
            inputs=[si.ScalarInput("x", columns=["a"])],
            outputs=[si.Output("y", labels=["a\x9b2J", "\u202e\u00e9"])],
        ),
        description="one\ntwo\x1b[2J",
        metadata={"\x1b]0;": 1},
    )
    write_bundle(tmp_path / "m", manifest, write_numbers, lambda bundle: None)
    code, out, _ = run(capsys, "inspect", str(tmp_path / "m"))
    assert code == 0
    assert out.replace("\n", "").isprintable()
    assert "two\\x1b[2J" in out
    assert "a\\x9b2J" in out
    code, out, _ = run(capsys, "inspect", str(tmp_path / "m"), "--json")
    assert out.replace("\n", "").isprintable()
    data = json.loads(out)
    assert (data["description"], data["metadata"]) == ("one\ntwo\x1b[2J", {"\x1b]0;": 1})
    assert data["signature"]["outputs"][0]["labels"] == ["a\x9b2J", "\u202e\u00e9"]


def test_metadata_takes_the_place_of_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    signature = si.Signature(inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("y")])
    names = ("bundle", "digest", "format", "built with", "rows", "stochastic", "description")
    metadata = dict.fromkeys([*names, "a\nfiles\nb"], "false")
    manifest = Manifest(name="m", artifacts=EXPORTED, signature=signature)
    write_bundle(tmp_path / "m", manifest, write_numbers, lambda bundle: None)
    _, plain, _ = run(capsys, "inspect", str(tmp_path / "m"))
    more = Manifest(name="m", artifacts=EXPORTED, signature=signature, metadata=metadata)
    bundle = write_bundle(tmp_path / "m", more, write_numbers, lambda bundle: None)
    _, out, _ = run(capsys, "inspect", str(tmp_path / "m"))
    lines = [line.rstrip() for line in out.splitlines()]
    heading = lines.index("metadata")
    assert [line.split()[0] for line in lines[:heading]] == ["bundle", "digest", "format", "built"]
    assert lines[1].split() == ["digest", bundle.digest]
    end = lines.index("inputs")
    assert [line.rpartition(" ")[2] for line in lines[heading + 1 : end]] == ['"false"'] * 8
    assert len(lines) == len(plain.splitlines()) + 9
    assert lines.count("files") == 1


def test_inspect_tries_the_rows_that_a_bundle_keeps(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fraud = save_fraud(tmp_path / "fraud")
    code, out, _ = run(capsys, "inspect", str(fraud.path), "--try")
    assert code == 0
    assert "8 rows were predicted as when the bundle was saved; the" in " ".join(out.split())
    code, out, _ = run(capsys, "inspect", str(fraud.path), "--try", "--json")
    assert json.loads(out)["tried"]["num_rows"] == 8
    _, out, _ = run(capsys, "inspect", str(fraud.path), "--json")
    assert "tried" not in json.loads(out)
    path = fraud.path / "examples.json"
    kept = json.loads(path.read_text())
    kept["outputs"][0] = {"dtype": "float32", "shape": [8], "base64": "AAAAAAAA" * 5 + "AAA="}
    path.write_text(json.dumps(kept))
    seal(fraud.path)
    code, _, err = run(capsys, "inspect", str(fraud.path), "--try")
    assert code == exit_code(RuntimeUnavailable(""))
    assert "answers otherwise here, 'score' is" in " ".join(err.split())


def test_inspect_as_json(capsys: pytest.CaptureFixture[str], bundle: si.Bundle) -> None:
    code, out, _ = run(capsys, "inspect", str(bundle.path), "--json")
    data = json.loads(out)
    assert (code, data["digest"], data["features"]) == (0, bundle.digest, {"b": "c + 1"})
    assert data["signature"] == bundle.signature.to_json()


def test_a_damaged_bundle_exits_with_2(
    capsys: pytest.CaptureFixture[str], bundle: si.Bundle
) -> None:
    (bundle.artifact_path / "weights.npy").write_bytes(b"other")
    code, out, err = run(capsys, "inspect", str(bundle.path))
    assert (code, out) == (2, "")
    assert "BundleError" in err
    assert "weights.npy was changed" in err


@pytest.mark.parametrize(("pending", "code"), [(None, 0), (0, 0), (3, 5)])
def test_a_run_that_leaves_rows_ends_as_the_job_says(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    pending: int | None,
    code: int,
) -> None:
    warehouse = pytest.importorskip("spark_infer.warehouse")
    report = full_report(rows_pending=pending)
    monkeypatch.setattr(warehouse.ScoringJob, "run", lambda *_, **__: report)
    job = tmp_path / "job.yaml"
    job.write_text(
        "{name: n, source: {table: t}, key: [id], bundle: {path: b}, deadline: 02:30, "
        "deadline_exit: 5, target: {table: s, mode: append}}"
    )
    found, out, _ = run(capsys, "score", str(job))
    assert found == code
    assert "report" in out


def test_a_wrong_setting_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyspark")
    code, _, err = run(capsys, "score", "job.yaml", "--set", "date")
    assert (code, "must look like NAME=VALUE" in err) == (2, True)
    code, _, err = run(capsys, "score", "no-such-job.yaml")
    assert (code, "no-such-job.yaml cannot be read" in err) == (2, True)


def test_reference_names_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyspark")
    code, out, _ = run(capsys, "reference")
    assert code == 0
    for key in (
        *("parameters.<name>.type", "source.filter", "batch.device", "target.mode"),
        *("target.jdbc.user_env", "gate.<number>.action"),
    ):
        assert key in out
    for word in ("timestamp_ntz", "bundle.digest", "--set spark.sql.shuffle.partitions=8"):
        assert word in " ".join(out.split())


JOB = """
name: tiny
source: {table: t}
key: [id]
bundle: {path: BUNDLE}
target: {table: p, mode: append}
report: {path: REPORTS}
"""


@pytest.fixture
def job(tmp_path: Path, bundle: si.Bundle, monkeypatch: pytest.MonkeyPatch) -> str:
    """A job file on a machine where Spark cannot start."""
    pytest.importorskip("pyspark")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "no-java"))
    path = tmp_path / "job.yaml"
    text = JOB.replace("BUNDLE", str(bundle.path)).replace("REPORTS", str(tmp_path / "reports"))
    path.write_text(text)
    return str(path)


def test_another_bundle_than_the_pinned_one_stops_before_spark_starts(
    capsys: pytest.CaptureFixture[str], job: str, bundle: si.Bundle
) -> None:
    other = "1" * 64
    code, _, err = run(capsys, "score", job, "--set", f"bundle.digest={other}")
    assert (code, "BundleError" in err) == (2, True)
    assert other in err
    assert bundle.digest in err
    code, _, err = run(capsys, "score", job, "--set", f"bundle.digest={bundle.digest.upper()}")
    assert (code, "Spark needs Java" in err) == (2, True)


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("spark.spark.master=local", "did you mean 'spark.master'"),
        ("source.tabel=t", "did you mean 'table'"),
        ("key=[id]", "no parameter 'key'"),
        ("target.keep=[no]", "quote it: 'no'"),
        ("batch.batch_size=1_000", "must be an integer or 'auto'"),
    ],
)
def test_a_setting_that_leads_nowhere_exits_with_2_in_one_line(
    capsys: pytest.CaptureFixture[str], job: str, setting: str, problem: str
) -> None:
    code, out, err = run(capsys, "score", job, "--set", setting)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert problem in err


def test_a_bundle_behind_a_uri_is_shown(
    capsys: pytest.CaptureFixture[str], bundle: si.Bundle, bucket: Bucket
) -> None:
    for name in (*bundle.files, "SHA256SUMS"):
        bucket.put(f"tiny/{name}", (bundle.path / name).read_bytes())
    code, out, _ = run(capsys, "inspect", bucket.uri("tiny"), "--json")
    assert (code, json.loads(out)["digest"]) == (0, bundle.digest)


def test_what_is_missing_behind_a_uri_exits_with_2_and_what_is_out_of_reach_with_75(
    capsys: pytest.CaptureFixture[str], job: str, bucket: Bucket, tmp_path: Path
) -> None:
    missing, gone = bucket.uri("missing"), Bucket(1, "bucket").uri("x")
    reports = f"report.path={bucket.uri('reports')}"
    for arguments, expected in {
        ("inspect", missing): 2,
        ("inspect", gone): 75,
        ("score", job, "--set", f"bundle.path={missing}", "--set", reports): 2,
        ("score", job, "--set", "report.path=s3a://x/y"): 2,
    }.items():
        code, out, err = run(capsys, *arguments)
        assert (code, out, err.count("\n")) == (expected, "", 1), err
    (key,) = (key for key in bucket.names() if key.endswith(".json"))
    report = json.loads(bucket.get(key))
    assert (report["status"], report["step"]) == ("failed", "bundle")
    assert report["bundle"] == {"path": missing}
    made = bucket.get(key.replace(".json", ".html")).decode()
    assert "The run failed in its step bundle." in made
    assert f"spark-infer score {job} --set 'bundle.path={missing}'" in report["commands"]["again"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BundleError(), 2),
        (WarehouseError(), 2),
        (GateError(), 3),
        (PredictionError(), 4),
        (TooManyRejects(), 4),
        (RuntimeUnavailable(), 2),
        (RuntimeUnavailable(transient=True), 75),
        (WarehouseError(transient=True), 75),
        (ConfigError(transient=True), 75),
        (SparkInferError(), 1),
    ],
)
def test_exit_codes(error: SparkInferError, code: int) -> None:
    assert exit_code(error) == code
