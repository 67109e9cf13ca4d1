"""A job whose target remembers from which values its rows were scored."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

import spark_infer as si
from tests.jobs import RunnableJob

COLUMNS = "id INT, a DOUBLE, b INT, day DATE, region STRING"


class Job(RunnableJob):
    """Runs a job over ``store.tx`` into ``store.scores``; its score is ``a + 20 b``."""

    def __init__(self, spark: SparkSession, folder: Path, bundle: si.Bundle) -> None:
        super().__init__(
            spark,
            folder,
            bundle,
            source={"table": "store.tx"},
            target={"table": "store.scores", "partition_by": ["day"], "keep": ["day", "region"]},
            incremental={"by": "content"},
        )

    def transactions(self, *rows: str) -> None:
        """Replace the source: ``1 2.5 0 8 EU`` is row 1 of August 8th, 2018."""
        values = ", ".join(
            "({}, {}, {}, DATE'2018-08-{:0>2}', '{}')".format(*row.split()) for row in rows
        )
        self.spark.sql("DROP TABLE IF EXISTS store.tx")
        self.spark.sql(f"CREATE TABLE store.tx ({COLUMNS}) USING parquet")
        if rows:
            self.spark.sql(f"INSERT INTO store.tx VALUES {values}")

    def rows(self, columns: str = "id, day(day), score", table: str = "scores") -> list[Any]:
        self.spark.sql(f"REFRESH TABLE store.{table}")
        found = self.spark.sql(f"SELECT {columns} FROM store.{table} ORDER BY 1, 2").collect()
        return [tuple(row) for row in found]

    def location(self, table: str) -> Path:
        """Return the folder of a table."""
        place = self.spark.sql("DESCRIBE DATABASE store").where("lower(info_name) = 'location'")
        return Path(place.collect()[0]["info_value"].removeprefix("file:")) / table

    def files(self, table: str = "scores") -> dict[str, tuple[int, int]]:
        """Return the files of a table, each with its inode and the time of its last change."""
        stats = ((path, path.stat()) for path in self.location(table).rglob("*") if path.is_file())
        return {str(path): (stat.st_ino, stat.st_mtime_ns) for path, stat in stats}

    def counts(self, **changes: Any) -> tuple[Any, ...]:
        """Run, and return the rows that were scored, unchanged, carried over and written."""
        report = self.run(**changes)
        found = (report.rows_in, report.rows_unchanged, report.rows_carried, report.rows_out)
        assert all(number is None or number >= 0 for number in found)
        return found


@pytest.fixture
def job(spark: SparkSession, tmp_path: Path, linear: si.Bundle) -> Iterator[Job]:
    spark.sql("CREATE DATABASE store")
    job = Job(spark, tmp_path, linear)
    folder = job.location("scores").parent
    job.transactions("1 1 0 8 EU", "2 2 0 8 EU", "3 3 0 9 EU")
    yield job
    spark.sql("DROP DATABASE store CASCADE")
    shutil.rmtree(folder, ignore_errors=True)
