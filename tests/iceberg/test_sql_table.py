"""What is known of a catalog with row-level SQL only, and not that it is Iceberg's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from spark_infer.errors import WarehouseError
from spark_infer.warehouse.sinks.sql import merge
from tests.iceberg.test_modes import DELETE, FIRST, MERGE, OVERWRITE

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture
def by_sql(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spark_infer.warehouse.sinks.choose.is_iceberg", lambda *ignored: False)


@pytest.mark.nightly_after(1)
@pytest.mark.usefixtures("by_sql")
@pytest.mark.parametrize("target", [MERGE, DELETE])
def test_a_merge_from_staged_rows(job: Any, target: dict[str, Any]) -> None:
    job.run(target=target)
    assert job.scores() == FIRST
    job.transactions("2 9 100", "4 8")
    assert job.run(target=target).rows_out == 2
    kept = [] if target is DELETE else [(1, 8, 2.0)]
    left = [] if target is DELETE else [(3, 9, 6.0)]
    assert job.scores() == [*kept, (2, 9, 200.0), *left, (4, 8, 8.0)]
    assert job.branches() == ["main"]


@pytest.mark.usefixtures("by_sql")
def test_an_overwrite(job: Any) -> None:
    job.run(target=OVERWRITE)
    job.transactions("1 8 100", "2 8", "3 9")
    job.run(target=OVERWRITE)
    assert job.scores() == [(1, 8, 200.0), *FIRST[1:]]


@pytest.mark.usefixtures("by_sql")
def test_a_table_that_takes_no_merge_is_refused_before_reading(
    monkeypatch: pytest.MonkeyPatch, job: Any
) -> None:
    job.run(target=MERGE)
    job.spark.sql("CREATE TABLE store.plain USING parquet AS SELECT * FROM ice.lake.scores")
    statement = merge.Merge.statement
    monkeypatch.setattr(
        merge.Merge,
        "statement",
        lambda one, into, view: statement(one, "store.plain", view),
    )
    broken = {"table": "store.tx", "filter": "raise_error('read') IS NULL"}
    with pytest.raises(WarehouseError, match=r"takes no MERGE \(.*not supported"):
        job.run(source=broken, target=MERGE)


def test_the_example_of_the_readme(job: Any) -> None:
    _, text = README.read_text(encoding="utf-8").split("### Tables of Iceberg", 1)
    found = re.search(r"```yaml\n(.*?)```", text, re.S)
    assert found is not None
    job.config |= yaml.safe_load(found[1])
    job.run()
    job.transactions("2 8 100", "4 9")
    job.run()
    assert job.scores("ice.lake.predictions") == [(2, 8, 200.0), (4, 9, 8.0)]
