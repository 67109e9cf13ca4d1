"""The JSON schema of run reports."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from spark_infer.bundle.profile import Distribution
from spark_infer.metrics import Metrics
from spark_infer.report import RunReport, report_schema
from tests.schema import check_report
from tests.unit.report.reports import challenger, column, full_report


@pytest.fixture
def schema() -> Any:
    return json.loads(report_schema())


def names(kind: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def test_it_has_each_field_of_a_report_and_no_other(schema: Any) -> None:
    assert sorted(schema["properties"]) == sorted(schema["required"]) == sorted(names(RunReport))
    assert all(
        "description" in found for key, found in schema["properties"].items() if key != "batches"
    )


def test_it_has_what_others_put_into_a_report(schema: Any) -> None:
    defs = schema["$defs"]
    assert sorted(defs["batches"]["properties"]) == sorted(Metrics().to_json())
    assert sorted(defs["distribution"]["properties"]) == sorted(names(Distribution))
    assert sorted(defs["column"]["properties"]) == sorted(column("a", [1.0]))


def test_it_has_what_is_said_of_a_challenger(schema: Any) -> None:
    pytest.importorskip("pyspark")
    from spark_infer.spark.challengers import Disagreement

    found, defs = challenger("next", 0.1), schema["$defs"]
    disagreement = Disagreement().to_json({"score": "number"})
    assert sorted(defs["challenger"]["properties"]) == sorted(found)
    assert sorted(defs["disagreement"]["properties"]) == sorted(disagreement)
    assert sorted(defs["difference"]["properties"]) == sorted(disagreement["outputs"][0])
    assert sorted(found["disagreement"]) == sorted(disagreement)


def test_it_has_what_a_check_of_the_gate_says(schema: Any) -> None:
    pytest.importorskip("pyspark")
    from spark_infer.warehouse.gate.result import Result

    assert sorted(schema["$defs"]["check"]["properties"]) == sorted(names(Result))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"status": "failed", "rows_in": None, "rows_out": None, "batches": {}, "drift": []},
        {"rows_per_second": 0},
        {"batches": Metrics().to_json()},
        {"challengers": [challenger("next", None) | {"disagreement": None}]},
        {"drift": [column("a", []), column("b", [1.0], [1.0, 2.0])]},
    ],
)
def test_a_report_fits(changes: dict[str, Any]) -> None:
    check_report(full_report(**changes).to_json())


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "fine"},
        {"rows_in": -1},
        {"rows_out": 1.5},
        {"transient": None},
        {"parameters": {"date": 5}},
        {"seconds": {"score": "2"}},
        {"batches": {"batch_rows": {"64": -1}}},
        {"gate": [{"check": "rows"}]},
        {"challengers": [challenger("next", 1.5)]},
        {"challengers": [challenger("next", 0.5) | {"shadow": "no"}]},
        {"drift": [{**column("a", [1.0]), "reference": {"rows": 1}}]},
    ],
)
def test_what_is_none_does_not_fit(changes: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        check_report(full_report(**changes).to_json())


def test_a_report_without_one_of_its_keys_does_not_fit() -> None:
    for key in full_report().to_json():
        data = full_report().to_json()
        del data[key]
        with pytest.raises(AssertionError):
            check_report(data)
