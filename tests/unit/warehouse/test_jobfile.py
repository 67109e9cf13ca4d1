"""Job files: what is read, what wins, and what each mistake is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyspark")

from spark_infer.errors import ConfigError
from spark_infer.warehouse.config import JobConfig
from spark_infer.warehouse.jobfile import read_job

JOB = """
name: nightly
parameters:
  date: {type: date}
source: {table: bank.tx, filter: "day = :date"}
key: [id]
bundle: {path: bundles/fraud}
batch: {batch_size: 16}
target: {table: bank.scores, partition_by: [day], keep: [day]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "job.yaml"
    path.write_text(JOB)
    return path


def read(file: Path, settings: dict[str, Any] | None = None, **environment: str) -> JobConfig:
    return read_job(file, settings or {}, environment)[0]


def test_reads_keys_and_defaults(file: Path) -> None:
    config = read(file)
    assert config.source.table == "bank.tx"
    assert config.key == ("id",)
    assert (config.batch.batch_size, config.batch.device) == (16, "cpu")
    assert (config.target.mode, config.report.path) == ("overwrite", "reports")


def test_settings_win_over_environment_over_file(file: Path) -> None:
    variable = {"SPARK_INFER_SET_BATCH__BATCH_SIZE": "32"}
    assert read(file, **variable).batch.batch_size == 32
    assert read(file, {"batch.batch_size": "64"}, **variable).batch.batch_size == 64


def test_a_setting_may_add_a_section(file: Path) -> None:
    assert read(file, {"report.path": "elsewhere"}).report.path == "elsewhere"


def test_false_and_zero_are_values(file: Path) -> None:
    file.write_text(JOB + "spark: {spark.ui.enabled: false, spark.task.maxFailures: 0}\n")
    assert read(file).spark == {"spark.ui.enabled": "false", "spark.task.maxFailures": "0"}


def test_parameters_are_settings_without_a_dot(file: Path) -> None:
    environment = {"SPARK_INFER_SET_DATE": "2018-08-08", "SPARK_INFER_CACHE": "/tmp"}
    assert read_job(file, {}, environment)[1] == {"date": "2018-08-08"}
    assert read_job(file, {"date": "2018-08-09"}, environment)[1] == {"date": "2018-08-09"}


MISTAKES = [
    ("batch: {batch_size", "bach: {batch_size", "unknown key 'bach'; did you mean 'batch'?"),
    ("batch_size: 16", "batchsize: 16", "unknown key 'batch.batchsize'; did you mean"),
    ("type: date", "typ: date", "unknown key 'parameters.date.typ'; did you mean 'type'?"),
    ("batch_size: 16", "batch_size: 0", "batch: batch_size must be at least 1, got 0"),
    (
        "batch_size: 16",
        "batch_size: many",
        r"batch.batch_size: .* integer.* or 'auto', got 'many'$",
    ),
    ("name: nightly", "", "key 'name' is missing"),
    ("type: date", "type: day", "parameters.date.type"),
    ("table: bank.tx", "path: p, table: bank.tx", "exactly one of table and path"),
    (", partition_by: [day]", "", "overwrite needs partition_by"),
    ("keep: [day]", "keep: []", "'day' must be one of key or target.keep"),
    ("keep: [day]", "keep: [day, run_id]", "'run_id' has the name of a column of the job"),
    ("keep: [day]", "keep: [day, id]", "'id' has the name of a key column"),
    ("keep: [day]", "keep: [day, day]", "target.keep column 'day' is named twice"),
    ("key: [id]", "key: []", "key: .*at least 1"),
    ("name: nightly", "name: nightly\nname: daily", "key 'name' stands twice"),
    ("name: nightly", "name: [", "not valid YAML"),
]


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES)
def test_mistakes_are_named(file: Path, old: str, new: str, message: str) -> None:
    assert old in JOB
    file.write_text(JOB.replace(old, new))
    with pytest.raises(ConfigError, match=message) as caught:
        read(file)
    assert str(file) in str(caught.value)


def test_a_missing_file_and_a_wrong_section_are_named(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match=r"no section 'bach'; did you mean 'batch'\?"):
        read(file, {"bach.device": "cpu"})
    file.write_text("- a list")
    with pytest.raises(ConfigError, match="must be a mapping of keys, got list"):
        read(file)
