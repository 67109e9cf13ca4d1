"""Keys that every run would draw anew, wherever in the source."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from spark_infer.errors import WarehouseError
from spark_infer.warehouse.rows.keys import check_keys, check_repeatable

pytestmark = pytest.mark.one_spark

ROWS = "(SELECT id, id % 2 g FROM range(4))"


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT uuid() k, id FROM {ROWS}",
        f"SELECT u k, max(id) FROM (SELECT uuid() u, id FROM {ROWS}) GROUP BY u",
        f"SELECT CAST(id AS STRING) k FROM {ROWS} UNION ALL SELECT uuid() k FROM {ROWS}",
        f"SELECT k, id FROM {ROWS} LATERAL VIEW explode(array(uuid())) e AS k",
        f"SELECT first(u) k, g FROM (SELECT uuid() u, g FROM {ROWS}) GROUP BY g",
        f"SELECT u k FROM (SELECT uuid() u FROM {ROWS} EXCEPT SELECT 'x')",
        f"SELECT row_number() OVER (ORDER BY uuid()) k, id FROM {ROWS}",
        f"SELECT row_number() OVER (ORDER BY id) k FROM {ROWS} WHERE rand() < 0.5",
        f"SELECT DISTINCT monotonically_increasing_id() k FROM {ROWS}",
        f"SELECT a.u k FROM (SELECT id, uuid() u FROM {ROWS}) a JOIN {ROWS} b ON a.id = b.id",
        f"SELECT u k FROM (SELECT uuid() u FROM {ROWS}) ORDER BY u LIMIT 2",
        f"SELECT now() k, id FROM {ROWS}",
        f"SELECT concat(id, t) k FROM (SELECT id, current_date() t FROM {ROWS}) WHERE id > 1",
    ],
)
def test_keys_that_are_drawn_are_refused(spark: SparkSession, query: str) -> None:
    with pytest.raises(WarehouseError, match=r"in every run, .* write the rows to a tab"):
        check_repeatable(spark.sql(query), ["k"])


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (f"SELECT id k, rand() r FROM {ROWS}", 4),
        (f"SELECT id k FROM {ROWS} WHERE rand() + id > -1", 4),
        (f"SELECT id k FROM {ROWS} ORDER BY rand() LIMIT 2", 2),
        (f"SELECT g k, max(id) FROM {ROWS} GROUP BY g", 2),
        (f"SELECT id k, first(r) FROM (SELECT id, rand() r FROM {ROWS}) GROUP BY id", 4),
        (f"SELECT row_number() OVER (ORDER BY id) k FROM {ROWS}", 4),
        (f"SELECT id k FROM {ROWS} UNION ALL SELECT id + 4 FROM {ROWS}", 8),
        (f"SELECT id k, now() t FROM {ROWS} WHERE current_date() > DATE'2020-01-01'", 4),
        (f"SELECT DISTINCT id k FROM {ROWS} TABLESAMPLE (100 PERCENT) REPEATABLE (7)", 4),
    ],
)
def test_others_identify_the_rows(spark: SparkSession, query: str, count: int) -> None:
    check_repeatable(spark.sql(query), ["k"])
    assert check_keys(spark.sql(query), ["k"]).rows == count
