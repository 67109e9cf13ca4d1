"""A condition of a job is one expression, whatever else could stand behind WHERE."""

from __future__ import annotations

from typing import Any

import pytest

from spark_infer.errors import ConfigError

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


@pytest.mark.parametrize("condition", NO_CONDITIONS, ids=ascii)
@pytest.mark.parametrize("place", ["source.filter", "rows"])
def test_what_is_no_single_expression_is_refused(job: Any, condition: str, place: str) -> None:
    with pytest.raises(ConfigError, match=place):
        job.run(**conditions(place, condition))
    assert not job.spark.catalog.tableExists("store.scores")


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


def conditions(place: str, condition: str) -> dict[str, Any]:
    if place == "rows":
        return {"rows": condition, "source": {"table": "store.tx"}}
    return {"source": {"table": "store.tx", "filter": condition}}
