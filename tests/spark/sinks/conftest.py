"""A job over a small table, whose target the tests look at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession

import spark_infer as si

COLUMNS = "id INT, a DOUBLE, b INT, day DATE, region STRING"


class Job:
    """Runs a job over ``store.tx`` into ``store.scores``, in a session of the tests."""

    def __init__(self, spark: SparkSession, folder: Path, bundle: si.Bundle) -> None:
        self.spark = spark
        self.folder = folder
        self.config: dict[str, Any] = {
            "name": "target",
            "parameters": {"date": {"type": "date", "default": "2018-08-08"}},
            "source": {"table": "store.tx", "filter": "day = :date"},
            "key": ["id"],
            "bundle": {"path": str(bundle.path)},
            "target": {"table": "store.scores", "partition_by": ["day"], "keep": ["day"]},
            "report": {"path": str(folder / "reports")},
        }

    def load(self, settings: dict[str, Any] | None = None, **changes: Any) -> si.ScoringJob:
        target = self.config["target"] | changes.pop("target", {})
        config = self.config | changes | {"target": target}
        file = self.folder / "job.yaml"
        file.write_text(yaml.safe_dump({k: v for k, v in config.items() if v is not None}))
        return si.ScoringJob.load(file, settings=settings or {})

    def run(self, settings: dict[str, Any] | None = None, **changes: Any) -> si.RunReport:
        return self.load(settings, **changes).run(self.spark)

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
