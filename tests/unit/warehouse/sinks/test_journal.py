"""Files beside a table: what stands in them is what a run has written, or an error."""

from __future__ import annotations

import base64
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyspark")

from spark_infer.errors import WarehouseError
from spark_infer.spark.types import stored_schema
from spark_infer.warehouse.sinks.files.journal import Journal
from spark_infer.warehouse.sinks.kept import Kept

SCHEMA = {"type": "struct", "fields": []}
JOURNAL: dict[str, Any] = {
    "version": 1,
    "run_id": "run",
    "created": json.dumps(SCHEMA),
    "format": "parquet",
    "partition_by": ["day"],
    "points": [[["2018-08-08"], "rows/day=2018-08-08"], [[None], "emptied/0"]],
    "moves": [["rows/day=a%2F..%2Fb/part-0", ""], ["rows/part-1", "file:/t/day=1"]],
    "replaced": ["file:/t/day=2018-08-08"],
}
KEPT: dict[str, Any] = {
    "version": 1,
    "schema": json.dumps(SCHEMA),
    "format": "orc",
    "rows": 2,
    "rejected": 0,
    "about": {"job": "nightly"},
}


class Planted:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def of_class(file: Path) -> dict[str, Any]:
    content = base64.b64encode(pickle.dumps(Planted(file))).decode()
    return {
        "type": "udt",
        "pyClass": "spark_infer.Nothing",
        "serializedClass": content,
        "sqlType": "double",
    }


def holding(kind: Any) -> str:
    field = {"name": "a", "type": kind, "nullable": True, "metadata": {}}
    return json.dumps({"type": "struct", "fields": [field]})


def nested(kind: Any) -> list[str]:
    array = {"type": "array", "elementType": kind, "containsNull": True}
    mapped = {"type": "map", "keyType": "string", "valueType": kind, "valueContainsNull": True}
    return [holding(kind), holding(array), holding(mapped), holding(json.loads(holding(kind)))]


def test_what_runs_write_is_read() -> None:
    read = Journal.from_text(json.dumps(JOURNAL), where="it")
    assert Journal.from_text(read.to_text(), where="it") == read
    kept = Kept.from_text(json.dumps(KEPT), where="it")
    assert Kept.from_text(kept.to_text(), where="it") == kept
    assert stored_schema(holding("double")).simpleString() == "struct<a:double>"
    pytest.importorskip("pyspark.ml.linalg")
    vector = {"type": "udt", "class": None, "pyClass": "pyspark.ml.linalg.VectorUDT"}
    assert "vector" in stored_schema(holding({**vector, "sqlType": "double"})).simpleString()


@pytest.mark.parametrize("place", range(4))
def test_no_schema_brings_code(tmp_path: Path, place: int) -> None:
    planted = nested(of_class(tmp_path / "planted"))[place]
    for read, data, key in ((Journal, JOURNAL, "created"), (Kept, KEPT, "schema")):
        with pytest.raises(WarehouseError, match="is damaged"):
            read.from_text(json.dumps({**data, key: planted}), where="it")  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="it names a class"):
        stored_schema(planted)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["os.abort", "pyspark.shell.sc", "Planted", ".", None])
def test_no_schema_imports_a_module(name: str | None) -> None:
    kind = {"type": "udt", "class": None, "pyClass": name, "sqlType": "double"}
    with pytest.raises(ValueError, match="it names a class"):
        stored_schema(holding(kind))


@pytest.mark.parametrize(
    "text", ["", "1", "[]", "{}", holding("nothing"), holding(None), "[" * 10**5]
)
def test_what_is_no_schema_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        stored_schema(text)


@pytest.mark.parametrize(
    "change",
    [
        {"points": [[["2018"], "../rows"]]},
        {"points": [[["2018"], "rows/../../other"]]},
        {"points": [[["2018"], "rows//x"]]},
        {"points": [[["2018"], "/rows"]]},
        {"points": [[["2018"], ""]]},
        {"points": [[[1], "rows"]]},
        {"points": [["2018", "rows"], 1]},
        {"moves": [["alive", ""]]},
        {"moves": [["rows/./part-0", ""]]},
        {"moves": [["rows/part-0", None]]},
        {"moves": [["rows/part-0"]]},
        {"run_id": 1},
        {"run_id": "\ud800"},
        {"format": "org.example.Reader"},
        {"format": ["parquet"]},
        {"partition_by": [None]},
        {"replaced": [{}]},
        {"created": {}},
        {"created": "{"},
    ],
)
def test_journals_that_no_run_writes(change: dict[str, Any]) -> None:
    with pytest.raises(WarehouseError, match="it is damaged; look which partitions"):
        Journal.from_text(json.dumps({**JOURNAL, **change}), where="it")


def test_a_version_is_told_in_few_words() -> None:
    with pytest.raises(WarehouseError, match=r"version '9+\.\.\.9+'") as caught:
        Journal.from_text(json.dumps({"version": "9" * 10_000}), where="it")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "change",
    [
        {"rows": "2"},
        {"rows": -1},
        {"rejected": True},
        {"rows": 1.5},
        {"format": "jdbc"},
        {"about": []},
        {"schema": {}},
        {"schema": "x"},
        {"other": 1},
        {"about": {"x": "\ud800"}},
    ],
)
def test_kept_runs_that_no_run_writes(change: dict[str, Any]) -> None:
    with pytest.raises(WarehouseError, match="it is damaged, or another spark_infer wrote it"):
        Kept.from_text(json.dumps({**KEPT, **change}), where="it")


@pytest.mark.parametrize("text", ["[" * 10**5, '{"version": 1' + "0" * 5000 + "}", "null", "1"])
def test_texts_that_are_neither(text: str) -> None:
    for read in (Journal, Kept):
        with pytest.raises(WarehouseError, match=r"is damaged|another spark_infer wrote it"):
            read.from_text(text, where="it")  # type: ignore[attr-defined]
