"""A job over a small table, whose target the tests look at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import spark_infer as si
from tests.jobs import RunnableJob

COLUMNS = "id INT, a DOUBLE, b INT, day DATE, region STRING"


class Job(RunnableJob):
    """Runs a job over ``store.tx`` into ``store.scores``, in a session of the tests."""

    def __init__(self, spark: SparkSession, folder: Path, bundle: si.Bundle) -> None:
        super().__init__(
            spark,
            folder,
            bundle,
            source={"table": "store.tx", "filter": "day = :date"},
            target={"table": "store.scores", "partition_by": ["day"], "keep": ["day"]},
        )

    def transactions(self, *rows: str) -> None:
        """Replace the source: ``1 2018-08-08 EU`` is one row."""
        self.spark.sql("DROP TABLE IF EXISTS store.tx")
        self.spark.sql(f"CREATE TABLE store.tx ({COLUMNS}) USING parquet")
        for row in rows:
            number, day, *region = row.split(" ", 2)
            where = (
                "'{}'".format(region[0].replace("\\", r"\\").replace("'", r"\'"))
                if region
                else "'EU'"
            )
            self.spark.sql(
                f"INSERT INTO store.tx VALUES ({number}, {number}.0D, 0, DATE'{day}', {where})"
            )

    def scores(self) -> list[tuple[int, float]]:
        rows = self.spark.sql("SELECT id, score FROM store.scores ORDER BY id").collect()
        return [tuple(row) for row in rows]

    def location(self, table: str = "scores") -> Path:
        """The folder of a table that was made in the database, whether it is there or not."""
        (found,) = (
            self.spark.sql("DESCRIBE DATABASE store")
            .where("lower(info_name) = 'location'")
            .collect()
        )
        return Path(found["info_value"].removeprefix("file:")) / table


@pytest.fixture
def by_sql(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have tables of files written as those of which nothing but SQL is known."""
    for module in ("choose", "table"):
        monkeypatch.setattr(f"spark_infer.warehouse.sinks.{module}.FILES", ())


@pytest.fixture
def job(spark: SparkSession, tmp_path: Path, linear: si.Bundle) -> Iterator[Job]:
    spark.sql("CREATE DATABASE store")
    found = Job(spark, tmp_path, linear)
    found.transactions("1 2018-08-08", "2 2018-08-08", "3 2018-08-09")
    folder = found.location().parent
    yield found
    spark.sql("DROP DATABASE store CASCADE")
    shutil.rmtree(folder, ignore_errors=True)
