"""The transactions as one table, whoever made them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

COLUMNS = {
    "tx_id": "bigint",
    "tx_datetime": "timestamp",
    "customer_id": "bigint",
    "terminal_id": "bigint",
    "amount": "double",
    "fraud": "int",
    "fraud_scenario": "int",
    "tx_date": "date",
}
"""Columns of the table and their Spark types."""

_HANDBOOK_NAMES = {
    "TRANSACTION_ID": "tx_id",
    "TX_DATETIME": "tx_datetime",
    "CUSTOMER_ID": "customer_id",
    "TERMINAL_ID": "terminal_id",
    "TX_AMOUNT": "amount",
    "TX_FRAUD": "fraud",
    "TX_FRAUD_SCENARIO": "fraud_scenario",
}


def read_transactions(spark: SparkSession, path: Path) -> DataFrame:
    """Read the Parquet file of the generator, or one with the Fraud Detection Handbook's names.

    The handbook's times carry no zone: they are read as UTC, which is to be the session's zone.

    Raises:
        ValueError: A column is missing, or the session's time zone is not UTC.
    """
    zone = spark.conf.get("spark.sql.session.timeZone")
    if zone != "UTC":
        raise ValueError(f"spark.sql.session.timeZone is {zone}, the transactions need UTC")
    raw = spark.read.parquet(str(path))
    given = raw.withColumnsRenamed({k: v for k, v in _HANDBOOK_NAMES.items() if k in raw.columns})
    if "tx_date" not in given.columns:
        given = given.selectExpr("*", "CAST(tx_datetime AS DATE) AS tx_date")
    missing = [name for name in COLUMNS if name not in given.columns]
    if missing:
        raise ValueError(f"{path} has no column {missing[0]!r}; its columns are {raw.columns}")
    return given.selectExpr(
        *(f"CAST({name} AS {kind}) AS {name}" for name, kind in COLUMNS.items())
    )


def save_transactions(transactions: DataFrame, table: str) -> None:
    """Write the table, one partition and one file for each day, replacing the one that is there."""
    database = table.rpartition(".")[0]
    if database:
        transactions.sparkSession.sql(f"CREATE DATABASE IF NOT EXISTS {database}")
    days = transactions.repartition("tx_date").sortWithinPartitions("tx_date", "tx_id")
    days.write.mode("overwrite").partitionBy("tx_date").format("parquet").saveAsTable(table)


def save_day(
    transactions: DataFrame, table: str, day: date, instead: Mapping[str, str] | None = None
) -> None:
    """Replace one day of the table, and no other.

    Args:
        transactions: Those of that day, and others.
        table: Where ``save_transactions`` has written some.
        day: The day.
        instead: SQL in the place of some columns, other than ``tx_date``.
    """
    columns = {name: name for name in COLUMNS if name != "tx_date"} | dict(instead or {})
    selected = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    transactions.sparkSession.sql(
        f"INSERT OVERWRITE TABLE {table} PARTITION (tx_date = DATE '{day}') "
        f"SELECT {selected} FROM {{transactions}} WHERE tx_date = DATE '{day}' ORDER BY tx_id",
        transactions=transactions,
    )
