"""Conditions of runs by watermark, told from others when a run that was kept is published."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspark")

from pyspark.sql.types import (
    DataType,
    DateType,
    IntegerType,
    LongType,
    TimestampNTZType,
    TimestampType,
)

from spark_infer.spark.wire import by_name
from spark_infer.warehouse.config.target.incremental import IncrementalConfig
from spark_infer.warehouse.ledger.watermark import _less, is_above

ROWS = "amount > 0 -- what is known"


def config(column: str = "ts", lateness: str = "0") -> IncrementalConfig:
    return IncrementalConfig.model_validate(
        {"by": "watermark", "column": column, "lateness": lateness}
    )


def condition(config: IncrementalConfig, value: str) -> str:
    assert config.column is not None
    name = by_name(config.column)
    return f"({name} > {value} OR {name} IS NULL)"


@pytest.mark.parametrize("column", ["ts", "a`b", "(x)", "Größe", "${y}"])
@pytest.mark.parametrize(
    ("kind", "highest", "lateness"),
    [
        (TimestampType(), "1533686400000000", "2 hours"),
        (TimestampType(), "-62135596800000001", "36500 days"),
        (IntegerType(), "-5", "7"),
        (LongType(), "9223372036854775807", "0"),
        (DateType(), "2018-08-08", "2 days"),
        (DateType(), "+12018-08-08", "0"),
        (DateType(), "-0044-03-15", "1 day"),
        (TimestampNTZType(), "2018-08-08 10:00:00", "90 minutes"),
        (TimestampNTZType(), "2018-08-08 10:00:00.000001", "0"),
    ],
)
def test_the_condition_of_each_kind_is_known(
    column: str, kind: DataType, highest: str, lateness: str
) -> None:
    by = config(column, lateness)
    above = condition(by, _less(highest, by.late, kind))
    assert is_above(above, by, None)
    assert is_above(above.upper() if column == "ts" else above, by, None)
    assert is_above(f"(\n{ROWS}\n) AND {above}", by, ROWS)
    assert not is_above(above, by, ROWS)
    assert not is_above(f"(\n{ROWS}\n) AND {above}", by, None)


@pytest.mark.parametrize(
    "value", ["(SELECT 1)", "1 OR true", "date_sub(DATE'2018-08-08', reflect('x'))", "", "1 -- x"]
)
def test_other_sql_is_none(value: str) -> None:
    by = config()
    assert not is_above(condition(by, value), by, None)
    assert not is_above(f"{condition(by, '1')} OR {value}", by, None)
    assert not is_above(condition(config("other"), "1"), by, None)
    assert not is_above(condition(by, "1"), IncrementalConfig.model_validate({"by": "full"}), None)
