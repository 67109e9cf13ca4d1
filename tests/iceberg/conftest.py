"""A session of Spark 3.5 with a catalog of Iceberg, and a job that writes there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

import spark_infer as si
from tests.double import double as double
from tests.iceberg.jar import settings
from tests.jobs import RunnableJob
from tests.sessions import local_session

COLUMNS = "id INT, a DOUBLE, day DATE, region STRING"


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    root = tmp_path_factory.mktemp("spark")
    session = local_session(root, "Iceberg tests", settings(root / "ice"))
    yield session
    session.stop()


class Job(RunnableJob):
    """Runs a job over ``store.tx`` into ``ice.lake.scores``."""

    def __init__(self, spark: SparkSession, folder: Path, bundle: si.Bundle) -> None:
        super().__init__(
            spark,
            folder,
            bundle,
            source={"table": "store.tx"},
            target={"table": "ice.lake.scores", "keep": ["day"]},
        )

    def transactions(self, *rows: str) -> None:
        """Replace the source: ``1 8 2.5`` is row 1 of August 8th, 2018, with the number 2.5."""
        values = ", ".join(
            "({}, CAST({} AS DOUBLE), DATE'2018-08-{:0>2}', 'EU')".format(
                n, *(rest[1:] or [f"{n}.0"]), rest[0]
            )
            for n, *rest in (row.split() for row in rows)
        )
        self.spark.sql("DROP TABLE IF EXISTS store.tx")
        self.spark.sql(f"CREATE TABLE store.tx ({COLUMNS}) USING parquet")
        if rows:
            self.spark.sql(f"INSERT INTO store.tx VALUES {values}")

    def scores(self, table: str = "ice.lake.scores") -> list[tuple[int, int, float]]:
        """Return number, day and score of the rows that a reader of the table sees."""
        self.spark.sql(f"REFRESH TABLE {table}")
        rows = self.spark.sql(f"SELECT id, day(day), score FROM {table} ORDER BY id, day").collect()
        return [tuple(row) for row in rows]

    def rows_of(self, columns: str) -> list[tuple[Any, ...]]:
        """Return columns of these rows."""
        self.spark.sql("REFRESH TABLE ice.lake.scores")
        rows = self.spark.sql(f"SELECT {columns} FROM ice.lake.scores ORDER BY 1").collect()
        return [tuple(row) for row in rows]

    def branches(self, table: str = "ice.lake.scores") -> list[str]:
        self.spark.sql(f"REFRESH TABLE {table}")
        refs = self.spark.table(f"{table}.refs").collect()
        return sorted(row["name"] for row in refs)

    def snapshots(self, table: str = "ice.lake.scores") -> list[int]:
        """Return the snapshots that readers have seen."""
        self.spark.sql(f"REFRESH TABLE {table}")
        return [row["snapshot_id"] for row in self.spark.table(f"{table}.history").collect()]

    def runs(self, table: str = "ice.lake.scores") -> Path:
        """Return the folder in which runs tell that they go on."""
        (found,) = (
            self.spark.sql(f"DESCRIBE EXTENDED {table}").where("col_name = 'Location'").collect()
        )
        return Path(found["data_type"].removeprefix("file:")) / "_spark_infer"


@pytest.fixture
def job(spark: SparkSession, tmp_path: Path, double: si.Bundle) -> Iterator[Job]:
    spark.sql("CREATE DATABASE store")
    spark.sql("CREATE NAMESPACE ice.lake")
    found = Job(spark, tmp_path, double)
    found.transactions("1 8", "2 8", "3 9")
    yield found
    spark.sql("DROP DATABASE store CASCADE")
    for row in spark.sql("SHOW TABLES IN ice.lake").collect():
        spark.sql(f"DROP TABLE ice.lake.`{row['tableName']}` PURGE")
    spark.sql("DROP NAMESPACE ice.lake")
