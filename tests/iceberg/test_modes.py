"""Append, overwrite and merge into a table of Iceberg."""

from __future__ import annotations

from typing import Any

import pytest

from spark_infer.errors import ConfigError, WarehouseError

OVERWRITE = {"partition_by": ["day"]}
APPEND = {"mode": "append"}
MERGE = {"mode": "merge"}
DELETE = {"mode": "merge", "delete_missing": True}
MODES = [OVERWRITE, APPEND, {"mode": "append", "partition_by": ["day"]}, MERGE, DELETE]
FIRST = [(1, 8, 2.0), (2, 8, 4.0), (3, 9, 6.0)]
ONE_DAY = {"table": "store.tx", "filter": "day = :date"}


@pytest.mark.nightly_after(3)
@pytest.mark.parametrize("target", MODES)
def test_the_same_run_twice_gives_the_same_rows(job: Any, target: dict[str, Any]) -> None:
    assert job.run(target=target).rows_out == 3
    assert job.scores() == FIRST
    assert job.branches() == ["main"]
    again = job.run(target=target)
    assert again.rows_out == (0 if target.get("mode") == "append" else 3)
    assert job.scores() == FIRST
    assert job.branches() == ["main"]


def test_an_append_adds_what_is_not_there_and_scores_nothing_else(job: Any) -> None:
    job.run(target=APPEND)
    job.transactions("1 8 100", "4 9")
    report = job.run(target=APPEND)
    assert (report.rows_in, report.rows_out) == (1, 1)
    assert job.scores() == [*FIRST, (4, 9, 8.0)]
    before = job.snapshots()
    job.run(target=APPEND)
    assert job.snapshots() == before  # Nothing to add makes no snapshot.


def test_an_overwrite_empties_the_covered_days_and_no_others(job: Any) -> None:
    job.run(target=OVERWRITE)
    job.transactions("3 9 100")
    report = job.run(source=ONE_DAY, target=OVERWRITE)
    assert report.rows_out == 0
    assert job.scores() == [(3, 9, 6.0)]


def test_an_overwrite_replaces_one_covered_day_and_empties_another(job: Any) -> None:
    job.run(target=OVERWRITE)
    job.transactions("2 8 100")
    target = OVERWRITE | {"partitions": "day BETWEEN DATE'2018-08-08' AND DATE'2018-08-09'"}
    job.run(target=target)
    assert job.scores() == [(2, 8, 200.0)]


def test_an_overwrite_that_would_lose_others_rows_is_refused(job: Any) -> None:
    job.run(target=OVERWRITE)
    with pytest.raises(WarehouseError, match="would replace the whole partition"):
        job.run(source={"table": "store.tx", "filter": "id = 1"}, target=OVERWRITE)
    assert job.scores() == FIRST
    assert job.branches() == ["main"]


def test_null_and_odd_partition_values(job: Any) -> None:
    values = ["NULL", "''", "'a b/c=d'", "'é\\''", "'$' '{x}'"]
    job.spark.sql("CREATE OR REPLACE TEMP VIEW v AS SELECT 1 AS nothing")
    rows = ", ".join(f"({n}, {n}.0D, {value})" for n, value in enumerate(values))
    job.spark.sql(
        f"CREATE TABLE store.odd USING parquet AS SELECT * FROM VALUES {rows} t(id, a, p)"
    )
    job.spark.sql(
        "CREATE TABLE ice.lake.scores (id INT, p STRING, score FLOAT, rejected_reason STRING, "
        "bundle_name STRING, bundle_digest STRING, run_id STRING, scored_at TIMESTAMP) "
        "USING iceberg PARTITIONED BY (p)"
    )
    target = {"keep": ["p"], "partition_by": ["p"], "partitions": "true OR p IS NULL"}
    job.run(source={"table": "store.odd"}, target=target)
    found = "SELECT id, p FROM ice.lake.scores ORDER BY id"
    expected = [(0, None), (1, ""), (2, "a b/c=d"), (3, "é'"), (4, "${x}")]
    assert [tuple(row) for row in job.spark.sql(found).collect()] == expected
    job.spark.sql("CREATE TABLE store.rest USING parquet AS SELECT * FROM store.odd WHERE id = 4")
    job.run(source={"table": "store.rest"}, target=target)
    job.spark.sql("REFRESH TABLE ice.lake.scores")
    assert [tuple(row) for row in job.spark.sql(found).collect()] == expected[4:]


def test_a_merge_updates_and_adds(job: Any) -> None:
    job.run(target=MERGE)
    job.transactions("2 9 100", "4 8")
    assert job.run(target=MERGE).rows_out == 2
    assert job.scores() == [(1, 8, 2.0), (2, 9, 200.0), (3, 9, 6.0), (4, 8, 8.0)]


@pytest.mark.nightly
def test_a_merge_moves_a_row_to_another_partition(job: Any) -> None:
    target = MERGE | {"partition_by": ["day"]}
    job.run(target=target)
    job.transactions("2 9 100")
    job.run(target=target)
    assert job.scores() == [(1, 8, 2.0), (2, 9, 200.0), (3, 9, 6.0)]


def test_a_merge_deletes_what_has_left_the_source(job: Any) -> None:
    job.run(target=DELETE)
    job.transactions("2 8 100", "4 8")
    job.run(target=DELETE)
    assert job.scores() == [(2, 8, 200.0), (4, 8, 8.0)]


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize(
    "changes",
    [
        {"source": ONE_DAY},
        {"rows": "day = :date"},
        {"target": {"partition_by": ["day"], "partitions": "day = :date"}, "rows": "a < 1000"},
    ],
)
def test_a_merge_deletes_only_what_the_run_is_about(job: Any, changes: dict[str, Any]) -> None:
    target = DELETE | changes.pop("target", {})
    partition_by = {"partition_by": target.get("partition_by", [])}
    job.run(target=MERGE | partition_by)
    job.transactions("2 8 100")
    job.run(target=target, **changes)
    assert job.scores() == [(2, 8, 200.0), (3, 9, 6.0)]


def test_a_covered_day_without_rows_loses_its_rows(job: Any) -> None:
    job.run(target=MERGE)
    job.transactions("3 9")
    job.run(source=ONE_DAY, target=DELETE)
    assert job.scores() == [(3, 9, 6.0)]


def test_a_source_without_rows_does_not_empty_the_table(job: Any) -> None:
    job.run(target=DELETE)
    job.transactions()
    with pytest.raises(WarehouseError, match=r"would empty table 'ice\.lake\.scores'"):
        job.run(target=DELETE)
    assert job.scores() == FIRST


def test_a_merge_that_cannot_tell_what_left_the_source_is_refused_before_reading(job: Any) -> None:
    job.run(target=MERGE)
    broken = {"table": "store.tx", "filter": "a > 0 AND raise_error('read') IS NULL"}
    with pytest.raises(WarehouseError, match=r"delete_missing: source\.filter and rows are about"):
        job.run(source=broken, target=DELETE)
    assert job.run(target=DELETE).rows_out == 3  # Whole.


def test_keys_that_the_target_repeats(job: Any) -> None:
    job.run(target=MERGE)
    job.spark.sql("INSERT INTO ice.lake.scores SELECT * FROM ice.lake.scores WHERE id < 3")
    with pytest.raises(WarehouseError, match=r"several rows of one key \['id'\] \([12], [12]\)"):
        job.run(target=MERGE)
    assert len(job.scores()) == 5
    job.transactions("3 9 100")
    job.run(target=MERGE)  # The keys of this run stand there once.
    assert job.scores()[-1] == (3, 9, 200.0)


@pytest.mark.nightly
def test_several_key_columns_with_odd_names(job: Any) -> None:
    job.spark.sql(
        "CREATE TABLE store.named USING parquet AS "
        "SELECT id AS `i d`, string(id) AS `t.x`, a, day AS `select` FROM store.tx"
    )
    changes = {
        "source": {"table": "store.named"},
        "key": ["i d", "t.x"],
        "target": DELETE | {"keep": ["select"]},
    }
    job.run(**changes)
    job.run(**changes, rows="true")
    found = job.spark.sql("SELECT `i d`, `t.x`, score FROM ice.lake.scores ORDER BY 1").collect()
    assert [tuple(row) for row in found] == [(1, "1", 2.0), (2, "2", 4.0), (3, "3", 6.0)]


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize("target", [OVERWRITE, APPEND, MERGE])
@pytest.mark.parametrize("name", ["ice.lake.`sc ores.ü'x`", "ice.lake.`branch_scores`"])
def test_names_of_tables(job: Any, name: str, target: dict[str, Any]) -> None:
    for _ in range(2):
        job.run(target=target | {"table": name})
        job.transactions("1 8", "2 8", "3 9", "4 9")
    assert job.scores(name) == [*FIRST, (4, 9, 8.0)]
    assert job.branches(name) == ["main"]


def test_a_table_of_files_takes_no_merge(job: Any) -> None:
    broken = {"table": "store.tx", "filter": "raise_error('read') IS NULL"}
    with pytest.raises(WarehouseError, match="is one of files, which take no MERGE"):
        job.run(source=broken, target=MERGE | {"table": "store.scores"})


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ("cast(id AS TINYINT)", "no type for column 'x', which is tinyint"),
        ("array(cast(id AS SMALLINT))", "no type for column 'x.element', which is smallint"),
        ("make_dt_interval(id)", "no type for column 'x', which is interval"),
    ],
)
def test_types_that_iceberg_does_not_have(job: Any, feature: str, message: str) -> None:
    with pytest.raises(WarehouseError, match=message):
        job.run(features={"x": feature}, target=APPEND | {"keep": ["x"]})
    assert not job.spark.catalog.tableExists("ice.lake.scores")


@pytest.mark.parametrize("name", ["avro", "Iceberg"])
def test_formats_of_files(job: Any, name: str) -> None:
    with pytest.raises(ConfigError, match=r"'delta': a table of Iceberg has files of parquet"):
        job.run(target=APPEND | {"format": "delta"})
    job.run(target=APPEND | {"format": name})
    assert job.scores() == FIRST


def test_a_table_whose_columns_have_drifted_is_refused_before_reading(job: Any) -> None:
    broken = {"table": "store.tx", "filter": "raise_error('read') IS NULL"}
    job.run(target=APPEND)
    job.spark.sql("ALTER TABLE ice.lake.scores ADD COLUMN note STRING")
    with pytest.raises(WarehouseError, match="column 'note' is not written"):
        job.run(source=broken, target=APPEND)
    job.spark.sql("ALTER TABLE ice.lake.scores DROP COLUMN note")
    job.spark.sql("ALTER TABLE ice.lake.scores ALTER COLUMN id TYPE BIGINT")
    with pytest.raises(WarehouseError, match="column 'id' is bigint, not int"):
        job.run(source=broken, target=APPEND)
    assert job.branches() == ["main"]


COLUMNS = (
    "id INT, day DATE, score FLOAT, rejected_reason STRING, bundle_name STRING, "
    "bundle_digest STRING, run_id STRING, scored_at TIMESTAMP"
)


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("by", ["months(day)", "bucket(4, id)", "truncate(1, run_id)"])
def test_hidden_partitions(job: Any, by: str) -> None:
    job.spark.sql(f"CREATE TABLE ice.lake.scores ({COLUMNS}) USING iceberg PARTITIONED BY ({by})")
    with pytest.raises(WarehouseError, match="partitions that are computed"):
        job.run(target=OVERWRITE)
    job.run(target=APPEND)
    job.transactions("2 8 100", "4 9")
    job.run(target=MERGE)
    assert job.scores() == [(1, 8, 2.0), (2, 8, 200.0), (3, 9, 6.0), (4, 9, 8.0)]


@pytest.mark.nightly
def test_a_table_that_had_other_partitions_before(job: Any) -> None:
    job.spark.sql(f"CREATE TABLE ice.lake.scores ({COLUMNS}) USING iceberg")
    job.run(target=APPEND)
    job.spark.sql("ALTER TABLE ice.lake.scores ADD PARTITION FIELD day")
    job.transactions("1 8 100")
    job.run(source=ONE_DAY, target=OVERWRITE)
    assert job.scores() == [(1, 8, 200.0), (3, 9, 6.0)]


def test_a_sorted_table_is_scored_once(job: Any) -> None:
    job.spark.sql(f"CREATE TABLE ice.lake.scores ({COLUMNS}) USING iceberg")
    job.spark.sql("ALTER TABLE ice.lake.scores WRITE ORDERED BY id")
    calls = job.run(target=APPEND).batches["num_rows"]
    assert calls == 3
    assert job.scores() == FIRST


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("target", [OVERWRITE, APPEND, DELETE])
def test_a_table_that_was_made_by_hand_and_is_empty(job: Any, target: dict[str, Any]) -> None:
    by = "PARTITIONED BY (day)" if target is OVERWRITE else ""
    job.spark.sql(f"CREATE TABLE ice.lake.scores ({COLUMNS}) USING iceberg {by}")
    job.run(target=target)
    assert job.scores() == FIRST
    assert job.branches() == ["main"]


def test_a_plan_says_what_a_run_would_do(job: Any) -> None:
    assert job.load(target=DELETE).plan(job.spark).writes == "it is created"
    job.run(target=DELETE)
    told = "rows are updated and added by key (id), and those are deleted whose keys have left the"
    assert job.load(target=DELETE).plan(job.spark).writes == f"{told} source"
    assert job.branches() == ["main"]
