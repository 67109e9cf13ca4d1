"""Predictions that become columns of the table of Iceberg that a job reads."""

from __future__ import annotations

from typing import Any

import pytest

from spark_infer.errors import ConfigError, WarehouseError
from spark_infer.warehouse.sinks.iceberg.branches import Branches

SOURCE = "ice.lake.tx"


@pytest.fixture
def own(job: Any) -> Any:
    """A job that writes its predictions into its source, three rows of two days."""
    job.spark.sql(f"CREATE TABLE {SOURCE} USING iceberg AS SELECT * FROM store.tx")
    job.config |= {
        "source": {"table": SOURCE},
        "target": {"into": "source", "mode": "merge"},
    }
    return job


def rows(job: Any, columns: str = "id, region, score") -> list[tuple[Any, ...]]:
    job.spark.sql(f"REFRESH TABLE {SOURCE}")
    found = job.spark.sql(f"SELECT {columns} FROM {SOURCE} ORDER BY 1, 2").collect()
    return [tuple(row) for row in found]


def insert(job: Any, **values: str) -> None:
    """Add a row; what it has no value for is null."""
    job.spark.sql(f"REFRESH TABLE {SOURCE}")
    columns = job.spark.table(SOURCE).columns
    given = ", ".join(values.get(name, "NULL") for name in columns)
    job.spark.sql(f"INSERT INTO {SOURCE} VALUES ({given})")


def test_the_rows_that_a_run_is_about_get_their_predictions(own: Any) -> None:
    filtered = {"table": SOURCE, "filter": "day = :date"}
    report = own.run(source=filtered)
    assert (report.target, report.rows_out) == (SOURCE, 2)
    assert rows(own) == [(1, "EU", 2.0), (2, "EU", 4.0), (3, "EU", None)]
    own.spark.sql(f"UPDATE {SOURCE} SET a = 100 WHERE id = 1")
    own.run()
    assert rows(own) == [(1, "EU", 200.0), (2, "EU", 4.0), (3, "EU", 6.0)]
    assert own.branches(SOURCE) == ["main"]


def test_an_incremental_run_scores_what_has_changed(own: Any) -> None:
    by = {"by": "content"}
    assert own.run(incremental=by).rows_in == 3
    assert own.run(incremental=by).rows_in == 0
    own.spark.sql(f"UPDATE {SOURCE} SET a = 50 WHERE id = 2")
    insert(own, id="4", a="4", region="'US'")
    assert own.run(incremental=by).rows_in == 2
    assert rows(own)[1:] == [(2, "EU", 100.0), (3, "EU", 6.0), (4, "US", 8.0)]
    # A run of everything after all is not hindered by the columns.
    assert own.run().rows_in == 4


def test_a_plan_and_a_dry_run_change_nothing(own: Any) -> None:
    before = own.snapshots(SOURCE), own.spark.table(SOURCE).columns
    plan = own.load().plan(own.spark)
    assert plan.sql[1].startswith("MERGE INTO")
    assert "are updated by key" in plan.writes
    own.load().run(own.spark, dry_run=True)
    own.spark.sql(f"REFRESH TABLE {SOURCE}")
    assert (own.snapshots(SOURCE), own.spark.table(SOURCE).columns) == before


def test_a_column_of_the_sources_own_is_never_written(own: Any) -> None:
    own.spark.sql(f"ALTER TABLE {SOURCE} ADD COLUMNS (Score FLOAT)")
    with pytest.raises(ConfigError, match="has a column 'score' of its own"):
        own.run()
    assert rows(own, "id, Score") == [(1, None), (2, None), (3, None)]


def test_predictions_of_another_type_are_refused(own: Any) -> None:
    own.run()
    own.spark.sql(f"ALTER TABLE {SOURCE} ALTER COLUMN score TYPE DOUBLE")
    with pytest.raises(WarehouseError, match="predictions of other types"):
        own.run()


def test_a_key_that_the_source_has_twice_elsewhere_is_refused(own: Any) -> None:
    own.spark.sql(f"INSERT INTO {SOURCE} VALUES (1, 9, DATE'2018-08-09', 'US')")
    with pytest.raises(WarehouseError, match="several rows of one key"):
        own.run(source={"table": SOURCE, "filter": "day = :date"})
    assert rows(own, "id, a, score") == [
        *((1, 1.0, None), (1, 9.0, None), (2, 2.0, None), (3, 3.0, None))
    ]
    assert own.branches(SOURCE) == ["main"]


@pytest.mark.nightly
def test_rows_that_come_or_leave_meanwhile(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = Branches.fast_forward
    writes = [lambda: insert(own, id="9", a="9")]

    def slow(branches: Branches, *branch: Any) -> bool:
        while writes:
            writes.pop()()
        return forward(branches, *branch)

    monkeypatch.setattr(Branches, "fast_forward", slow)
    own.run()
    assert rows(own, "id, score") == [(1, 2.0), (2, 4.0), (3, 6.0), (9, None)]
    writes.append(lambda: own.spark.sql(f"DELETE FROM {SOURCE} WHERE id = 3"))
    with pytest.raises(WarehouseError, match="1 of its rows have left it"):
        own.run()
    assert rows(own, "id, score") == [(1, 2.0), (2, 4.0), (9, None)]
    assert own.branches(SOURCE) == ["main"]
