"""The run report as file and summary."""

from __future__ import annotations

import dataclasses
import errno
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from spark_infer.errors import ConfigError
from spark_infer.report import RunReport
from spark_infer.report.files import check_writable
from spark_infer.report.page import page
from spark_infer.report.versions import versions
from tests.s3 import Bucket
from tests.unit.report.reports import challenger, full_report


@pytest.fixture
def report() -> RunReport:
    return RunReport(
        job="nightly",
        status="done",
        finished_at="2018-08-08T04:00:10+00:00",
        versions={"pyspark": "4.3.0"},
        run_id="20180808T040000.000000Z-0a1b2c3d",
        started_at="2018-08-08T04:00:00+00:00",
        parameters={"date": "2018-08-08"},
        bundle={"name": "fraud", "digest": "ab" * 32, "path": "bundles/fraud"},
        target="bank.scores",
        spark_application_id="local-1",
        rows_in=12_345,
        rows_out=12_345,
        rows_rejected=6,
        seconds={"check": 0.5, "score": 2.25},
        rows_per_second=5486.7,
        batches={"num_batches": 4, "num_predicted": 12_339, "padding_efficiency": 0.956},
    )


def test_is_written_whole(report: RunReport, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "reports"
    path = report.write(folder)
    assert path.name == "nightly-20180808T040000.000000Z-0a1b2c3d.json"
    assert json.loads(path.read_text()) == report.to_json()
    assert report.page_path(folder) == path.with_suffix(".html")
    assert path.with_suffix(".html").read_text() == page(report)
    assert sorted(path.parent.iterdir()) == [path.with_suffix(".html"), path]


def test_a_page_is_written_where_it_is_wanted(report: RunReport, tmp_path: Path) -> None:
    path = report.write(tmp_path, html=False)
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize(("html", "ending"), [(True, "html"), (False, "json")])
def test_the_log_tells_what_to_open(
    report: RunReport, tmp_path: Path, caplog: pytest.LogCaptureFixture, html: bool, ending: str
) -> None:
    caplog.set_level(logging.INFO, logger="spark_infer")
    path = report.write(tmp_path, html=html)
    assert caplog.messages == [f"report: {path.with_suffix(f'.{ending}')}"]


def test_a_page_that_cannot_be_made_costs_no_report(
    report: RunReport,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(_: RunReport) -> str:
        raise KeyError("num_rows")

    monkeypatch.setattr("spark_infer.report.run.page", broken)
    path = report.write(tmp_path)
    assert [*tmp_path.iterdir()] == [path]
    assert json.loads(path.read_text()) == report.to_json()
    assert f"the report of run {report.run_id} has no page" in caplog.messages


def test_summary_says_what_challengers_say() -> None:
    found = full_report().summary()
    assert found["challenger next"] == (
        "next a1b2c3d4a1b2: 1,203,900 of 1,204,331 rows compared; fraud_score differs by 0.0031 on "
        "average, 0.4412 at most, in 2.1% by more than 0.01; kind is another in <0.1%; it alone "
        "rejects 19; the champion alone 12 (column 'hour' is null)"
    )
    assert found["challenger shadowed"] == (
        "shadowed a1b2c3d4a1b2, shadow: 0 of 1,204,331 rows compared; it alone rejects 1,203,919 "
        "(PredictionError: <b>)"
    )
    unscored = challenger("next", None) | {"disagreement": None}
    assert full_report(challengers=[unscored]).summary()["challenger next"] == "next a1b2c3d4a1b2"


def test_summary_says_what_matters(report: RunReport) -> None:
    summary = report.summary()
    assert summary["rows"] == "12,345 in, 12,345 out, 6 rejected"
    assert summary["batches"] == "4 of 3,085 rows, 96% of positions real"
    assert summary["seconds"] == "check 0.5, score 2.2"
    assert summary["parameters"] == "date=2018-08-08"


def test_a_directory_that_cannot_be_made_is_named(report: RunReport, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"report\.path .*file/reports"):
        report.write(tmp_path / "file" / "reports")


def test_a_directory_is_tried_and_left_empty(tmp_path: Path) -> None:
    check_writable(tmp_path / "reports")
    assert not list((tmp_path / "reports").iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"report\.path .*file") as caught:
        check_writable(tmp_path / "file")
    assert not caught.value.transient


def test_a_full_disk_passes(
    report: RunReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.NamedTemporaryFile", full)
    for call in (check_writable, report.write):
        with pytest.raises(ConfigError, match="No space left on device; make room") as caught:
            call(tmp_path)
        assert caught.value.transient


def test_a_link_in_the_place_of_the_file_changes_nothing_else(
    report: RunReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    secret.chmod(0o600)
    opened = tempfile.NamedTemporaryFile

    def with_link(*arguments: Any, **named: Any) -> Any:
        file = opened(*arguments, **named)
        Path(file.name).unlink()
        Path(file.name).symlink_to(secret)
        return file

    monkeypatch.setattr("tempfile.NamedTemporaryFile", with_link)
    report.write(tmp_path / "reports")
    assert secret.stat().st_mode & 0o777 == 0o600
    assert secret.read_text() == "mine"


def test_a_report_can_be_read_by_others(report: RunReport, tmp_path: Path) -> None:
    assert report.write(tmp_path).stat().st_mode & 0o777 == 0o644


def test_versions_name_what_is_installed() -> None:
    found = versions()
    assert found["python"].count(".") == 2
    assert found["spark-infer"] == __import__("spark_infer").__version__
    assert found["numpy"] == __import__("numpy").__version__


@pytest.mark.parametrize("directory", ["a\0b", "", None, 5])
def test_what_is_no_directory_is_named(directory: Any) -> None:
    with pytest.raises(ConfigError, match=r"report.path must be a path, got"):
        check_writable(directory)


def test_a_uri_is_tried_and_written(report: RunReport, bucket: Bucket) -> None:
    uri = bucket.uri("reports/nightly/")
    check_writable(uri)
    assert [key for key in bucket.names() if not key.endswith("/")] == []
    place = report.write(uri)
    name = "nightly-20180808T040000.000000Z-0a1b2c3d.json"
    assert str(place) == str(report.path(uri)) == bucket.uri(f"reports/nightly/{name}")
    assert json.loads(bucket.get(f"reports/nightly/{name}")) == report.to_json()
    page_name = name.replace(".json", ".html")
    assert bucket.get(f"reports/nightly/{page_name}").decode() == page(report)
    assert str(report.page_path(uri)) == bucket.uri(f"reports/nightly/{page_name}")


@pytest.mark.parametrize("job", ["täglich", "a b", "a%41b", "a?b#c&d=e", "..", "a+b"])
def test_a_report_behind_a_uri_has_the_jobs_name(
    report: RunReport, bucket: Bucket, job: str
) -> None:
    report = dataclasses.replace(report, job=job)
    place = report.write(bucket.uri("reports"))
    key = f"reports/{job}-20180808T040000.000000Z-0a1b2c3d.json"
    assert json.loads(bucket.get(key))["job"] == job
    assert str(place) == bucket.uri(quote(key))


def test_a_file_uri_is_a_directory(report: RunReport, tmp_path: Path) -> None:
    check_writable(f"file://{tmp_path}/reports")
    assert report.write(f"file://{tmp_path}/reports").parent == tmp_path / "reports"


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://missing/reports?{options}", r"report\.path s3://missing/reports.*NO_SUCH_BUCKET"),
        ("s3a://bucket/reports", r"report\.path 's3a://bucket/reports' is a URI of unknown kind"),
        ("s3://AKIA:hush@bucket/reports", r"report\.path is a URI that shows a secret"),
    ],
)
def test_a_uri_that_cannot_be_written(
    report: RunReport, bucket: Bucket, uri: str, message: str
) -> None:
    uri = uri.format(options=bucket.uri("").partition("?")[2])
    for call in (check_writable, report.write):
        with pytest.raises(ConfigError, match=message) as caught:
            call(uri)
        assert not caught.value.transient
