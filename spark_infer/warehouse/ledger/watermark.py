"""How far the target has come, by a column that grows."""

from __future__ import annotations

import re

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DateType, IntegralType, TimestampNTZType, TimestampType

from spark_infer.errors import ConfigError
from spark_infer.spark.names import Names
from spark_infer.spark.wire import by_name, quoted
from spark_infer.warehouse.config.target.incremental import IncrementalConfig, Lateness
from spark_infer.warehouse.sinks import Coverage, Target

_DAY = 24 * 60 * 60
_LEAST = -(2**63)
"""Microseconds of the first time that Spark can tell."""
_DATE = r"[+-]?[0-9]+-[0-9]{2}-[0-9]{2}"
_VALUES = (
    r"timestamp_micros\(-?[0-9]+\)",
    r"-?[0-9]+",
    rf"date_sub\(DATE'{_DATE}', -?[0-9]+\)",
    rf"TIMESTAMP_NTZ'{_DATE} [0-9:.]+' - INTERVAL '-?[0-9]+' SECOND",
)
"""What ``_less`` returns."""
_NOW: dict[type[DataType], str] = {
    TimestampType: "current_timestamp()",
    TimestampNTZType: "localtimestamp()",
    DateType: "current_date()",
}


def above_watermark(config: IncrementalConfig, target: Target, coverage: Coverage) -> str | None:
    """Return the SQL condition of rows that have come since the target was written.

    The highest value counts of those rows that the run is about: another part of the table may be
    further. One in the future would have every row passed over that comes until then, so it does
    not count. Rows without a value are read each time.

    Returns:
        None where all rows are to be read: the target is not there, or has no value.

    Raises:
        WarehouseError: Nobody can tell which rows of the target the run is about.
        ConfigError: The column is of another kind, or the lateness is not of that kind.
    """
    table = target.table()
    if config.by != "watermark" or config.column is None or table is None:
        return None
    found = Names.of_session(target.spark).find(config.column, table.columns.names)
    if not found:
        return None  # The check of the table's columns tells.
    column = found[0]
    kind = table.columns[column].dataType
    _check_kind(column, kind, config)
    rows = coverage.owned(target.rows(), setting="incremental.by: watermark")
    highest = _highest(rows, column, kind)
    if highest is None:
        return None
    name = by_name(column)
    return f"({name} > {_less(highest, config.late, kind)} OR {name} IS NULL)"


def is_above(condition: object, config: IncrementalConfig, rows: str | None) -> bool:
    """Return whether a condition is that of a run by watermark, as far as its text can tell.

    Args:
        condition: The condition.
        config: The job's.
        rows: The job's ``rows``.
    """
    if not isinstance(condition, str) or config.by != "watermark" or config.column is None:
        return False
    before = "" if rows is None else f"(\n{rows}\n) AND "
    name = re.escape(by_name(config.column))
    value = f"(?:{'|'.join(_VALUES)})"
    above = rf"\({name} > {value} OR {name} IS NULL\)"
    # The table may spell the column otherwise.
    found = re.fullmatch(above, condition.removeprefix(before), re.ASCII | re.IGNORECASE)
    return condition.startswith(before) and found is not None


def _check_kind(column: str, kind: DataType, config: IncrementalConfig) -> None:
    if not isinstance(kind, IntegralType | TimestampType | TimestampNTZType | DateType):
        raise ConfigError(
            f"incremental.column: {column!r} is {kind.simpleString()}; a watermark is a timestamp, "
            "a date or an integer"
        )
    late = config.late
    if late.number and late.is_time == isinstance(kind, IntegralType):
        wanted = "a number alone" if late.is_time else "a number with its unit, such as 2 hours"
        raise ConfigError(
            f"incremental.lateness: column {column!r} is {kind.simpleString()}, of which it must "
            f"be {wanted}, got {config.lateness!r}"
        )
    if isinstance(kind, DateType) and late.number % _DAY:
        raise ConfigError(
            f"incremental.lateness: column {column!r} is a date, of which it must be whole days, "
            f"got {config.lateness!r}"
        )


def _highest(rows: DataFrame, column: str, kind: DataType) -> str | None:
    """Return the highest value as text: of a timestamp the microseconds since 1970."""
    value = F.col(quoted(column))
    now = _NOW.get(type(kind))
    if now is not None:
        rows = rows.where(value <= F.expr(now))
    if isinstance(kind, TimestampType):
        value = F.unix_micros(value)
    found = rows.agg(F.max(value).cast("string")).first()
    assert found is not None
    return None if found[0] is None else str(found[0])


def _less(highest: str, late: Lateness, kind: DataType) -> str:
    """Return SQL of the highest value less the lateness."""
    # Spark computes what is no number: Python has no days before the year 1.
    if isinstance(kind, TimestampType):
        return f"timestamp_micros({max(int(highest) - late.number * 1_000_000, _LEAST)})"
    if isinstance(kind, IntegralType):
        return f"{int(highest) - late.number}"
    if isinstance(kind, DateType):
        return f"date_sub(DATE'{highest}', {late.number // _DAY})"
    return f"TIMESTAMP_NTZ'{highest}' - INTERVAL '{late.number}' SECOND"
