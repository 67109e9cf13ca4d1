"""A condition of a job is one expression, whatever else could stand behind WHERE."""

from __future__ import annotations

from typing import Any

import pytest

from spark_infer.errors import ConfigError

pytestmark = pytest.mark.one_spark

NO_CONDITIONS = [
    "a > 0 LIMIT 1",
    "LIMIT 1",
    "a > 0 ORDER BY a",
    "true GROUP BY id, a, b, day, region",
    "GROUP BY id, a, b, day, region",
    "day = :date UNION ALL SELECT * FROM store.tx",
    "true) UNION ALL (SELECT * FROM store.tx",
    "true) OR (true",
    "a > 0 x",
    "a > 0 AS x",
    "*",
    "a > 0; SELECT 1",
    "WHERE a > 0",
    "a > 0 /*",
    "a > 0 -- ) \n )",
    "a > :nothing",
    "/* /* */ */",
]


@pytest.mark.nightly_after(8)
@pytest.mark.parametrize("condition", NO_CONDITIONS, ids=ascii)
@pytest.mark.parametrize("place", ["source.filter", "rows"])
def test_what_is_no_single_expression_is_refused(job: Any, condition: str, place: str) -> None:
    with pytest.raises(ConfigError, match=place):
        job.run(**conditions(place, condition))
    assert not job.spark.catalog.tableExists("store.scores")


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize(
    "condition",
    [
        "day = :date",
        "day = :date -- the last day )",
        "-- the last day\nday = :date /* ; */",
        "day\n=\n:date OR false",
        "day IN (SELECT max(day) FROM store.tx WHERE day <= :date)",
        "EXISTS (SELECT * FROM store.tx t WHERE t.id = id) AND day = :date",
    ],
    ids=ascii,
)
def test_one_expression_keeps_the_rows_that_meet_it(job: Any, condition: str) -> None:
    for place in ("source.filter", "rows"):
        for _ in range(2):
            assert job.run(**conditions(place, condition)).rows_out == 2
        assert job.scores() == [(1, 1.0), (2, 2.0)]


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize("place", ["source.filter", "rows"])
@pytest.mark.parametrize(
    ("columns", "condition", "wanted"),
    [
        ("id, id > 1 AS flag", "flag", [2, 3]),
        ("id, id > 1 AS flag", "`flag`", [2, 3]),
        ("id, id > 1 AS flag", "true", [1, 2, 3]),
        ("id, id > 1 AS flag", "NOT flag", [1]),
        ("id", "true", [1, 2, 3]),
        ("id", "false OR (id = 2)", [2]),
    ],
)
def test_a_name_alone_is_a_condition(
    job: Any, place: str, columns: str, condition: str, wanted: list[int]
) -> None:
    job.spark.sql("DROP TABLE store.tx")
    rows = f"SELECT {columns} FROM (SELECT CAST(id + 1 AS INT) AS id FROM range(3))"
    job.spark.sql(f"CREATE TABLE store.tx USING parquet AS {rows}")
    job.run(
        features={"a": "CAST(id AS DOUBLE)", "b": "0"},
        target={"partition_by": [], "keep": [], "mode": "append"},
        **{**conditions(place, condition), **({} if place == "rows" else {"rows": None})},
    )
    assert [row[0] for row in job.scores()] == wanted


@pytest.mark.nightly_after(1)
@pytest.mark.parametrize("place", ["source.filter", "rows"])
def test_a_source_of_one_column_is_not_renamed_by_a_condition(job: Any, place: str) -> None:
    job.spark.sql("DROP TABLE store.tx")
    job.spark.sql("CREATE TABLE store.tx USING parquet AS SELECT true AS flag UNION SELECT false")
    settings = {
        "features": {"a": "CAST(flag AS DOUBLE)", "b": "0"},
        "target": {"partition_by": [], "keep": [], "mode": "append"},
    }
    with pytest.raises(
        ConfigError, match=r"active.*cannot be resolved|UNRESOLVED_COLUMN|'active' is missing"
    ):
        job.run(key=["active"], **settings, **conditions(place, "active"))
    job.run(key=["flag"], **settings, **conditions(place, "flag"))
    (row,) = job.spark.table("store.scores").collect()
    assert (row.flag, row.score) == (True, 1.0)


def conditions(place: str, condition: str) -> dict[str, Any]:
    if place == "rows":
        return {"rows": condition, "source": {"table": "store.tx"}}
    return {"source": {"table": "store.tx", "filter": condition}}
