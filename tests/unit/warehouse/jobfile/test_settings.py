"""Settings: where each leads, and what leads nowhere."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("pyspark")

from spark_infer.errors import ConfigError
from spark_infer.warehouse.jobfile.settings import apply, from_environment, known_keys

DATA = {"parameters": {"date": {"type": "date"}}, "features": {"isNight": "hour(t) < 7"}}


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("batch.device", "cuda", ("batch", "device")),
        ("source.table", "NO", ("source", "table")),
        ("features.x", "0123", ("features", "x")),
        ("features.a.b", "1", ("features", "a.b")),
        ("source.options.a.b", "1", ("source", "options", "a.b")),
        ("parameters.date.default", "2018-08-08", ("parameters", "date", "default")),
        ("spark.sql.shuffle.partitions", "010", ("spark", "spark.sql.shuffle.partitions")),
        ("spark.master", "local[2]", ("spark", "spark.master")),
    ],
)
def test_text_stays_as_it_was_given(name: str, value: str, place: tuple[str, ...]) -> None:
    data: dict[str, Any] = {"parameters": {"date": {}}}
    apply(data, name, value)
    for part in place:
        data = data[part]
    assert data == value


def test_lists_and_mappings_are_read_as_yaml() -> None:
    data: dict[str, Any] = {}
    apply(data, "target.keep", "[a, 'no']")
    apply(data, "source.options", "{header: true}")
    apply(data, "batch.bucket_edges", [8, 16])
    assert data == {
        "target": {"keep": ["a", "no"]},
        "source": {"options": {"header": "true"}},
        "batch": {"bucket_edges": [8, 16]},
    }


NOWHERE = [
    ("source.tabel", "'source' has no key 'tabel'; did you mean 'table'"),
    ("sauce.table", "no section 'sauce'; did you mean 'source'"),
    ("zzz.table", r"no section 'zzz'; known keys: \['batch'"),
    ("batch.device.x", "batch.device is a value and has no keys; did you mean 'batch.device'"),
    ("target.keep.0", "target.keep is a value"),
    ("name.x", "name is a value"),
    ("parameters.date.typo", "'parameters.date' has no key 'typo'; did you mean 'type'"),
    ("parameters.dat.default", "no parameter 'dat'; did you mean 'date'"),
    ("parameters.date", "that is a section; name one of its keys"),
    ("features.", "a name is missing beside a dot"),
    (".table", "no section ''"),
    ("batch..device", "'batch' has no key ''"),
]


@pytest.mark.parametrize(("name", "problem"), NOWHERE)
def test_a_name_that_leads_nowhere_is_refused(name: str, problem: str) -> None:
    data: dict[str, Any] = {"parameters": {"date": {"type": "date"}}}
    with pytest.raises(ConfigError, match=f"setting '{name}': .*{problem}"):
        apply(data, name, "x")
    assert data == {"parameters": {"date": {"type": "date"}}}


def test_a_section_that_is_none_in_the_file_is_named() -> None:
    with pytest.raises(ConfigError, match="batch is not a section in this file"):
        apply({"batch": "5"}, "batch.device", "cpu")


@pytest.mark.parametrize(
    ("variable", "found"),
    [
        ("DATE", {"date": "v"}),
        ("DAYS", {}),
        ("NAME", {}),
        ("BATCH__DEVICE", {"batch.device": "v"}),
        ("PARAMETERS__DATE__DEFAULT", {"parameters.date.default": "v"}),
        ("PARAMETERS__DAYS__DEFAULT", {}),
        ("FEATURES__ISNIGHT", {"features.isNight": "v"}),
        ("FEATURES__OTHER", {}),
        ("SOURCE__OPTIONS__HEADER", {"source.options.header": "v"}),
    ],
)
def test_what_another_job_may_have_does_not_stop_this_one(
    variable: str, found: dict[str, str]
) -> None:
    environment = {f"SPARK_INFER_SET_{variable}": "v", "SPARK_INFER_CACHE": "/tmp"}
    assert from_environment(environment, DATA) == found


@pytest.mark.parametrize(
    ("variable", "problem"),
    [
        ("BATCH__DEVIC", "did you mean 'device'"),
        ("BATHC__DEVICE", "did you mean 'batch'"),
        ("PARAMETERS__DATE__TYPO", "did you mean 'type'"),
        ("SPARK__SQL__SESSION__TIMEZONE", "use --set spark.KEY=VALUE"),
    ],
)
def test_a_variable_that_no_job_can_have_is_refused(variable: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=f"SPARK_INFER_SET_{variable}: .*{problem}"):
        from_environment({f"SPARK_INFER_SET_{variable}": "v"}, DATA)


def test_no_parameters_or_wrong_ones_are_no_names() -> None:
    for data in ({}, {"parameters": "5"}, {"parameters": ["date"]}):
        assert from_environment({"SPARK_INFER_SET_DATE": "v"}, data) == {}


def test_known_keys_of_a_place() -> None:
    source = ["table", "path", "format", "options", "schema", "filter", "scan"]
    assert known_keys(("source",)) == source
    assert known_keys(("parameters", "date")) == ["type", "default", "description"]
    assert known_keys(("name", "x")) == []
