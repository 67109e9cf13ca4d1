"""Job files: what is read, what wins, and what each mistake is told."""

from __future__ import annotations

import os
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
    ("name: nightly", "name: [", "not valid YAML: line"),
    ("parameters:\n  date: {type: date}", "parameters: 5", "parameters: must be a section"),
    ("parameters:\n  date: {type: date}", "parameters: [a]", "parameters: must be a section"),
    ("{type: date}", "5", "parameters.date: must be a section with keys, got 5"),
    ("type: date", "type: string, default: NO", "parameters.date.default: .*quote it: 'NO'"),
    ("table: bank.tx", "table: 12:30:00", "source.table: .*quote it: '12:30:00'"),
    ("key: [id]", "key: [id, no]", "key.1: .*quote it: 'no'"),
    ("key: [id]", "key: id", r"key: must be a list such as \[id\], got 'id'"),
    ("batch_size: 16", "batch_size: 016", "batch.batch_size: .*leading zero"),
    ("batch_size: 16", "bucket_edges: [8, 1_6]", "batch.bucket_edges.1: must be an integer"),
    ("batch_size: 16", "dedupe: 2", "batch.dedupe: must be true or false or 'auto'"),
    ("name: nightly", "name: nightly\nbatch:", "key 'batch' stands twice"),
    ("batch: {batch_size: 16}", "batch:", "batch: must be a section with keys, got nothing"),
    ("name: nightly", "? [a]\n: b\nname: nightly", "a key must be text"),
]


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES)
def test_mistakes_are_named(file: Path, old: str, new: str, message: str) -> None:
    assert old in JOB
    file.write_text(JOB.replace(old, new))
    with pytest.raises(ConfigError, match=message) as caught:
        read(file)
    assert str(file) in str(caught.value)


def test_spark_gets_the_text_as_written(file: Path) -> None:
    file.write_text(JOB + "spark: {spark.a: 010, spark.b: 'x', spark.c: True, spark.d: 1e3}\n")
    config = read(file, {"spark.c": "NO", "spark.sql.session.timeZone": "+10:00"})
    expected = {"spark.a": "010", "spark.b": "x", "spark.c": "NO", "spark.d": "1e3"}
    assert config.spark == {**expected, "spark.sql.session.timeZone": "+10:00"}


@pytest.mark.parametrize("name", ["spark.spark.master", "spark.", "source.tabel", "batch.device.x"])
def test_a_setting_that_leads_nowhere_is_refused(file: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=name.rpartition(".")[0]):
        read(file, {name: "x"})


def test_what_is_given_as_text_is_read_by_its_type(file: Path) -> None:
    settings = {
        "source.table": "NO",
        "source.filter": "true",
        "target.keep": "[day, 'no']",
        "batch.max_tokens": "64",
        "batch.max_rejected_share": "0.25",
        "batch.dedupe": "false",
        "bundle.digest": "1" * 64,
    }
    config = read(file, settings)
    assert (config.source.table, config.source.filter) == ("NO", "true")
    assert config.target.keep == ("day", "no")
    assert (config.batch.max_tokens, config.batch.max_rejected_share) == (64, 0.25)
    assert (config.batch.dedupe, config.bundle.digest) == (False, "1" * 64)


def test_a_condition_that_is_set_to_nothing_is_refused(file: Path) -> None:
    for name in ("source.filter", "features.x"):
        with pytest.raises(ConfigError, match=f"{name}: is no SQL .*leave the key out"):
            read(file, {name: ""})
    with pytest.raises(ConfigError, match=r"source.filter: is no SQL"):
        read(file, SPARK_INFER_SET_SOURCE__FILTER="")


def test_a_variable_for_a_parameter_of_another_job_is_ignored(file: Path) -> None:
    assert read_job(file, {}, {"SPARK_INFER_SET_DAYS": "3"})[1] == {}


def test_a_missing_file_and_a_wrong_section_are_named(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match=r"no section 'bach'; did you mean 'batch'\?"):
        read(file, {"bach.device": "cpu"})
    file.write_text("- a list")
    with pytest.raises(ConfigError, match="must be a mapping of keys, got list"):
        read(file)


@pytest.mark.parametrize("path", [None, 5, b"job.yaml", "", "a\0b", "\ud800", ["job.yaml"]])
def test_a_path_of_another_kind(path: Any) -> None:
    with pytest.raises(ConfigError, match="the job file must be a path, got"):
        read_job(path, {}, {})


@pytest.mark.parametrize("name", [1, None, ("batch", "device")])
def test_a_setting_is_named_by_text(file: Path, name: Any) -> None:
    with pytest.raises(ConfigError, match="the name of a setting must be text, got"):
        read(file, {name: "cpu"})


class Odd:
    def __repr__(self) -> str:
        raise RuntimeError("no text")

    def __eq__(self, other: object) -> bool:
        raise TypeError("no answer")

    __hash__ = None  # type: ignore[assignment]


class NoTruth:
    def __eq__(self, other: object) -> NoTruth:  # type: ignore[override]
        return self

    def __bool__(self) -> bool:
        raise TypeError("neither")


KEYS = (
    *("batch.precision", "batch.batch_size", "batch.overlap", "batch.max_rejected_share"),
    *("batch.bucket_edges", "target.mode", "target.keep", "parameters.date.type"),
    *("source.table", "source.filter", "bundle.path", "report.path"),
)


@pytest.mark.parametrize(
    "value", [Odd(), NoTruth(), [10**5000], [Odd()], {"a": Odd()}, (NoTruth(),)]
)
@pytest.mark.parametrize("key", KEYS)
def test_a_value_that_says_nothing_of_itself_is_refused(file: Path, key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=key.split(".")[0]):
        read(file, {key: value})


@pytest.mark.parametrize("key", KEYS)
def test_a_number_that_python_does_not_write_is_refused(file: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=key.split(".")[0]):
        read(file, {key: 10**5000})


@pytest.mark.parametrize("key", KEYS)
def test_pandas_null_is_refused(file: Path, key: str) -> None:
    pandas = pytest.importorskip("pandas")
    for value in (pandas.NA, pandas.NaT):
        with pytest.raises(ConfigError, match=key.split(".")[0]):
            read(file, {key: value})


@pytest.mark.parametrize("made", ["sparse", "endless", "comment"])
def test_files_that_are_too_large_are_refused_by_their_size(file: Path, made: str) -> None:
    if made == "endless":
        file = Path("/dev/zero")
    elif made == "sparse":
        with file.open("wb") as opened:
            opened.truncate(2**40)
    else:
        file.write_text(f"# {'x' * 2**20}\n{JOB}")
    with pytest.raises(ConfigError, match="cannot be read: it has more than 1,048,576 bytes"):
        read(file)


def test_a_job_file_may_be_a_pipe() -> None:
    here, there = os.pipe()
    os.write(there, JOB.encode())
    os.close(there)
    try:
        assert read(Path(f"/dev/fd/{here}")).name == "nightly"
    finally:
        os.close(here)


def test_of_many_mistakes_the_first_are_told(file: Path) -> None:
    file.write_text(JOB + "".join(f"k{number}: 1\n" for number in range(500)))
    with pytest.raises(ConfigError, match=r"'k0'.*'k9'; known keys: [^;]*; and 490 more"):
        read(file)
