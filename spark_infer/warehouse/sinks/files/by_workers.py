"""Staged files that the workers write, so that predictions do not go back through Spark."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import Row
from pyspark.sql import functions as F

from spark_infer.errors import WarehouseError
from spark_infer.spark.prediction import Prediction
from spark_infer.spark.types import arrow_schema
from spark_infer.spark.wire import quoted
from spark_infer.spark.written import (
    NUM_OWN,
    Layout,
    NotByWorkers,
    WriteTask,
    are_apart,
    parquet_layout,
    written_schema,
)
from spark_infer.warehouse.rows.staged import Staged
from spark_infer.warehouse.sinks.files.by_spark import read_staged
from spark_infer.warehouse.sinks.files.run_folder import RunFolder
from spark_infer.warehouse.sinks.target import Target

_ATTEMPTS = "attempts"


@dataclass(frozen=True)
class ByWorkers:
    """Stages a prediction as files of its workers.

    Each attempt of a task writes files of its own, beside the rows, and tells of them when it has
    ended. Only those that Spark brings word of, from one attempt of each task, become part of the
    rows: one that fails, is repeated, or goes on although nobody waits for it, doubles none.

    Attributes:
        target: The table.
        prediction: The rows.
        run: The run's folder.
        by: The partition columns.
        layout: How the rows lie in files.
    """

    target: Target
    prediction: Prediction
    run: RunFolder
    by: Sequence[str]
    layout: Layout

    @classmethod
    def plan(
        cls,
        target: Target,
        prediction: Prediction,
        run: RunFolder,
        columns: Sequence[str],
        options: Mapping[str, str],
    ) -> ByWorkers:
        """Find out how.

        Args:
            target: The table.
            prediction: The rows.
            run: The run's folder.
            columns: The table's columns as it spells them, those of partitions among them.
            options: With which its files are written.

        Raises:
            NotByWorkers: Spark has to write them.
        """
        if target.config.writer == "jvm":
            raise NotByWorkers("it is asked for")
        local = run.folder.local
        if local is None:
            raise NotByWorkers("the table's folder is not on a file system of this machine")
        by = target.partition_columns(columns)
        stored = [name for name in columns if name not in by]
        folder = str(local / _ATTEMPTS)
        layout = parquet_layout(target.spark, prediction, stored, by, target.key, options, folder)
        return cls(target, prediction, run, by, layout)

    def stage(self) -> Staged:
        """Score the rows into files.

        Raises:
            WarehouseError: The files are not where this process can see them.
        """
        attempts, rows = Path(self.layout.folder), self.run.rows.local
        assert rows is not None
        attempts.mkdir()
        rows.mkdir()
        found = self._written()
        partitions = {row[NUM_OWN:] for row in found}
        folders = {values: rows / self._path(values) for values in partitions}
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        for row in found:
            _move(attempts / row[0], folders[row[NUM_OWN:]])
        shutil.rmtree(attempts, ignore_errors=True)
        spark, schema = self.target.spark, self.prediction.df.schema
        return Staged(
            df=read_staged(spark, "parquet", schema, self.run.rows),
            rows=sum(row[1] for row in found),
            rejected=sum(row[2] for row in found),
            writer="workers",
            partitions=frozenset(partitions),
            is_unique=are_apart(row[3] for row in found),
        )

    def _written(self) -> list[Row]:
        """Return of each file what ``written_schema`` says, its partition as text."""
        fields = [self.prediction.df.schema.fields[place] for place in self.layout.partition]
        schema = written_schema(fields)
        task = WriteTask(self.prediction.task, self.layout, arrow_schema(schema.fields))
        files = self.target.held(self.prediction.rows(task, schema))
        own, partition = schema.names[:NUM_OWN], schema.names[NUM_OWN:]
        texts = (F.col(quoted(name)).cast("string") for name in partition)
        return files.select(*own, *texts).collect()

    def _path(self, values: Sequence[str | None]) -> str:
        """Return the folder of a partition, as Spark calls it."""
        jvm: Any = self.target.spark.sparkContext._jvm
        name = jvm.org.apache.spark.sql.catalyst.catalog.ExternalCatalogUtils.getPartitionPathString
        return "/".join(str(name(*pair)) for pair in zip(self.by, values, strict=True))


def _move(file: Path, to: Path) -> None:
    try:
        file.rename(to / file.name)
    except FileNotFoundError:
        raise WarehouseError(
            f"{file}, which an executor wrote, is not there for the driver: put the table's folder "
            "on a file system that both have, or say target.writer: jvm"
        ) from None
