"""Append, overwrite and merge into a table of PostgreSQL."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from spark_infer.errors import WarehouseError

README = Path(__file__).resolve().parents[2] / "README.md"
OVERWRITE = {"partition_by": ["day"]}
APPEND = {"mode": "append"}
MERGE = {"mode": "merge"}
DELETE = {"mode": "merge", "delete_missing": True}
MODES = [OVERWRITE, APPEND, MERGE, DELETE]
FIRST = [(1, 8, 2.0), (2, 8, 4.0), (3, 9, 6.0)]
ONE_DAY = {"table": "store.tx", "filter": "day = :date"}


@pytest.mark.parametrize("target", MODES)
def test_the_same_run_twice_gives_the_same_rows(job: Any, target: dict[str, Any]) -> None:
    assert job.run(target=target).rows_out == 3
    assert job.scores() == FIRST
    assert job.tables() == ["scores"]
    again = job.run(target=target)
    assert again.rows_out == (0 if target.get("mode") == "append" else 3)
    assert job.scores() == FIRST
    assert job.tables() == ["scores"]


def test_an_append_adds_what_is_not_there_and_scores_nothing_else(job: Any) -> None:
    job.run(target=APPEND)
    job.transactions("1 8 100", "4 9")
    report = job.run(target=APPEND)
    assert (report.rows_in, report.rows_out) == (1, 1)
    assert job.scores() == [*FIRST, (4, 9, 8.0)]


def test_an_overwrite_empties_the_covered_days_and_no_others(job: Any) -> None:
    job.run(target=OVERWRITE)
    job.transactions("3 9 100")
    report = job.run(source=ONE_DAY, target=OVERWRITE)
    assert report.rows_out == 0
    assert job.scores() == [(3, 9, 6.0)]


def test_an_overwrite_replaces_one_covered_day_and_empties_another(job: Any) -> None:
    job.run(target=OVERWRITE)
    job.transactions("2 8 100")
    days = {"partitions": "day BETWEEN DATE'2018-08-08' AND DATE'2018-08-09'"}
    job.run(target=OVERWRITE | days)
    assert job.scores() == [(2, 8, 200.0)]


def test_an_overwrite_that_would_lose_others_rows_is_refused(job: Any) -> None:
    job.run(target=OVERWRITE)
    with pytest.raises(WarehouseError, match="would replace the whole partition"):
        job.run(source={"table": "store.tx", "filter": "id = 1"}, target=OVERWRITE)
    assert job.scores() == FIRST
    assert job.tables() == ["scores"]


def test_partitions_by_several_columns_with_nulls_and_odd_values(job: Any) -> None:
    values = ["NULL", "''", "'a b/c=d'", "'é\\'\\\\'", "'{x}?$1'"]
    rows = ", ".join(f"({n}, {n}.0D, {p}, {n % 2} = 0)" for n, p in enumerate(values))
    job.spark.sql(
        f"CREATE TABLE store.odd USING parquet AS SELECT * FROM VALUES {rows} t(id, a, p, q)"
    )
    for by in (["p"], ["p", "q"]):
        target = {"table": f"lake.by{len(by)}", "keep": ["p", "q"], "partition_by": by}
        target["partitions"] = "true OR p IS NULL"
        for _ in range(2):
            assert job.run(source={"table": "store.odd"}, target=target).rows_out == 5
        found = f"SELECT id, coalesce(p, 'none') FROM lake.by{len(by)} ORDER BY id"
        expected = [("0", "none"), ("1", ""), ("2", "a b/c=d"), ("3", "é'\\"), ("4", "{x}?$1")]
        assert job.server.sql(found) == expected
        job.spark.sql("CREATE OR REPLACE TEMP VIEW last AS SELECT * FROM store.odd WHERE id = 4")
        job.run(source={"table": "last"}, target=target)
        assert job.server.sql(found) == expected[4:]


def test_the_whole_table_is_replaced(job: Any) -> None:
    target = {"jdbc": job.jdbc | {"replace_all": True}}
    job.run(target=target)
    job.server.sql("CREATE VIEW lake.seen AS SELECT * FROM lake.scores; ")
    job.transactions("2 8 100", "7 9")
    assert job.load(target=target).plan(job.spark).writes == "all rows are replaced"
    assert job.run(target=target).rows_out == 2
    assert job.scores("lake.seen") == [(2, 8, 200.0), (7, 9, 14.0)]
    job.transactions()
    with pytest.raises(WarehouseError, match=r"would empty table 'lake\.scores'"):
        job.run(target=target)
    assert len(job.scores()) == 2


def test_a_merge_updates_and_adds(job: Any) -> None:
    job.run(target=MERGE)
    job.transactions("2 9 100", "4 8")
    assert job.run(target=MERGE).rows_out == 2
    assert job.scores() == [(1, 8, 2.0), (2, 9, 200.0), (3, 9, 6.0), (4, 8, 8.0)]


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
    job.run(target=MERGE | {"partition_by": target.get("partition_by", [])})
    job.transactions("2 8 100")
    job.run(target=target, **changes)
    assert job.scores() == [(2, 8, 200.0), (3, 9, 6.0)]
    assert job.tables() == ["scores"]


def test_a_source_without_rows_does_not_empty_the_table(job: Any) -> None:
    job.run(target=DELETE)
    job.transactions()
    with pytest.raises(WarehouseError, match=r"would empty table 'lake\.scores'"):
        job.run(target=DELETE)
    assert job.scores() == FIRST


def test_a_merge_that_cannot_tell_what_left_the_source_is_refused_before_reading(job: Any) -> None:
    job.run(target=MERGE)
    broken = {"table": "store.tx", "filter": "a > 0 AND raise_error('read') IS NULL"}
    with pytest.raises(WarehouseError, match=r"delete_missing: source\.filter and rows are about"):
        job.run(source=broken, target=DELETE)
    assert job.scores() == FIRST


@pytest.mark.parametrize("index", ["", "CREATE INDEX ON lake.scores (id)", "(id, day)", "partial"])
def test_a_merge_needs_a_unique_index_on_the_key(job: Any, index: str) -> None:
    job.run(target=MERGE)
    job.server.sql("ALTER TABLE lake.scores DROP CONSTRAINT scores_pkey")
    unique = "CREATE UNIQUE INDEX ON lake.scores"
    named = {"(id, day)": f"{unique} (id, day)", "partial": f"{unique} (id) WHERE id > 1"}
    job.server.sql(named.get(index, index))
    broken = {"table": "store.tx", "filter": "raise_error('read') IS NULL"}
    with pytest.raises(WarehouseError, match=r'CREATE UNIQUE INDEX ON "lake"\."scores" \("id"\)'):
        job.run(source=broken, target=MERGE)
    job.server.sql(f"{unique} (id) INCLUDE (day)")
    job.run(target=MERGE)
    assert job.scores() == FIRST


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("target", [OVERWRITE, APPEND, DELETE])
def test_names_of_tables_and_columns(job: Any, target: dict[str, Any]) -> None:
    job.spark.sql(
        "CREATE TABLE store.named USING parquet AS "
        'SELECT id AS `i "d`, string(id) AS `t.x?`, a, day AS `Select` FROM store.tx'
    )
    name = 'lake."sc ores;ü\'""x"'
    by = {"partition_by": ["Select"]} if "partition_by" in target else {}
    changes = {
        "source": {"table": "store.named", "filter": "`Select` > DATE'2000-01-01'"},
        "key": ['i "d', "t.x?"],
        "target": target | by | {"table": name, "keep": ["Select"]},
    }
    for _ in range(2):
        job.run(**changes)
    query = f'SELECT "i ""d", "t.x?", score, extract(day FROM "Select") FROM {name} ORDER BY 1'
    assert job.server.sql(query) == [
        ("1", "1", "2", "8"),
        ("2", "2", "4", "8"),
        ("3", "3", "6", "9"),
    ]


def test_columns_that_the_table_spells_otherwise(job: Any) -> None:
    job.spark.sql(
        "CREATE TABLE store.upper USING parquet AS SELECT id AS ID, a, day AS Day FROM store.tx"
    )
    job.server.sql(
        "CREATE TABLE lake.scores (score real, day date, id int PRIMARY KEY, rejected_reason text, "
        "bundle_name varchar, bundle_digest text, run_id text, scored_at timestamptz); "
        "ALTER TABLE lake.scores OWNER TO scorer"
    )
    changes = {"source": {"table": "store.upper"}, "key": ["ID"]}
    for target in (MERGE, APPEND, DELETE):
        job.run(target=target | {"keep": ["Day"]}, **changes)
        assert job.scores() == FIRST


def test_a_table_without_schema_and_staging_in_another(job: Any) -> None:
    job.server.sql(
        "ALTER ROLE scorer SET search_path = lake; GRANT USAGE, CREATE ON SCHEMA stage TO scorer"
    )
    try:
        target = MERGE | {"table": "Scores", "jdbc": job.jdbc | {"staging_schema": "stage"}}
        job.run(target=target)
        job.server.sql("REVOKE CREATE ON SCHEMA lake FROM scorer; ")
        job.run(target=target)
        assert job.scores() == FIRST
        assert job.tables() == ["scores"]
    finally:
        job.server.sql("ALTER ROLE scorer RESET search_path")


def test_the_example_of_the_readme(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = README.read_text(encoding="utf-8").split("### Tables of PostgreSQL", 1)
    found = re.search(r"```yaml\n(.*?)```", text, re.S)
    assert found is not None
    monkeypatch.setenv("SCORES_USER", "scorer")
    monkeypatch.setenv("SCORES_PASSWORD", "not asked for")
    target = yaml.safe_load(found[1])["target"]
    job.config["target"] = target | {"jdbc": target["jdbc"] | {"url": job.server.url()}}
    job.run()
    job.transactions("2 8 100", "4 9")
    job.run()
    assert job.scores("lake.predictions") == [(2, 8, 200.0), (4, 9, 8.0)]


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("target", [OVERWRITE, MERGE])
def test_rejected_rows_stand_in_a_table_of_the_catalog_whose_name_may_be_the_same(
    job: Any, target: dict[str, Any]
) -> None:
    def rejects() -> list[int]:
        job.spark.sql("REFRESH TABLE lake.scores")
        return [row[0] for row in job.spark.sql("SELECT id FROM lake.scores ORDER BY 1").collect()]

    changes = {
        "target": target,
        "source": {"table": "store.tx", "filter": "day <= DATE'2018-08-31'"},
        "quarantine": {"table": "lake.scores"},
        "batch": {"max_rejected_share": 1},
    }
    job.spark.sql("CREATE DATABASE lake")
    try:
        bad = "(4, NULL, DATE'2018-08-10'), (5, NULL, DATE'2018-08-11')"
        job.spark.sql(f"INSERT INTO store.tx VALUES {bad}")
        assert job.run(**changes).rows_quarantined == 2
        assert rejects() == [4, 5]
        job.transactions("1 8", "5 11")
        job.run(**changes)
        # An overwrite has emptied the day of row 4; a merge leaves it as it is.
        assert rejects() == ([] if target == OVERWRITE else [4])
    finally:
        job.spark.sql("DROP DATABASE lake CASCADE")
