"""The rows of a DataFrame, read by the workers from the files where that is the same."""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast, get_args

import pyarrow as pa
from pyspark import Accumulator, TaskContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from spark_infer.bundle.documents import shown
from spark_infer.errors import ConfigError
from spark_infer.metrics import Metrics
from spark_infer.model.background import in_background
from spark_infer.spark.prediction import Task
from spark_infer.spark.scan.files.footers import Footer, Reading
from spark_infer.spark.scan.files.reader import Part, Reader
from spark_infer.spark.scan.files.splits import Share, Sizes, split
from spark_infer.spark.scan.files.stores import Store
from spark_infer.spark.scan.files.types import arrow_type
from spark_infer.spark.scan.plan.planned import OfPartition, Planned, Read, Stored, planned

_AHEAD = 2
"""Record batches that are read before they are asked for, where a task has more than one core."""
ScanMode = Literal["auto", "direct", "jvm"]


def check_scan(scan: object) -> ScanMode:
    """Return the mode.

    Raises:
        ConfigError: It is none.
    """
    if not isinstance(scan, str) or scan not in get_args(ScanMode):
        raise ConfigError(f"scan {shown(scan)} is unknown; use 'auto', 'direct' or 'jvm'")
    return cast(ScanMode, scan)


@dataclass(frozen=True)
class DirectScan:
    """What the workers read instead of Spark.

    Attributes:
        df: What would be read by Spark.
        reader: What each task reads.
        num_files: How many files there are.
        num_rows: Rows in them, those among them that a filter leaves out.
        num_bytes: Bytes of the columns that are read.
    """

    df: DataFrame
    reader: Reader
    num_files: int
    num_rows: int
    num_bytes: int

    def __str__(self) -> str:
        counts = {
            "row": self.num_rows,
            "byte": self.num_bytes,
            "Parquet file": self.num_files,
            "task": len(self.reader.tasks),
        }
        return ", ".join(
            f"{count:,} {noun}{'' if count == 1 else 's'}" for noun, count in counts.items()
        )

    def map(
        self, task: Task, schema: StructType, metrics: Accumulator[Metrics] | None = None
    ) -> DataFrame:
        """Return what a function makes of the rows, as ``DataFrame.mapInArrow`` does.

        Args:
            task: Runs in each task.
            schema: Of what it returns.
            metrics: Where to count what is read.
        """
        return self._numbers.mapInArrow(_ReadTask(self.reader, task, metrics), schema)

    @cached_property
    def _numbers(self) -> DataFrame:
        """The numbers of the tasks, each in a partition of its own.

        Spark's plan counts as many rows as the files have, and reads the files' relation, though no
        row of it: so Spark knows how large the result is, does not overwrite a table that is read,
        and reads anew what it has cached when the table changes.
        """
        tasks = len(self.reader.tasks)
        each = max(1, math.ceil(self.num_rows / max(1, tasks)))
        rows = self.df.sparkSession.range(0, tasks * each, 1, max(1, tasks))
        numbers = rows.where(f"id % {each} = 0").selectExpr(f"id div {each} AS id")
        return numbers.unionAll(
            self.df.where(F.lit(False)).select(F.lit(None).cast("bigint").alias("id"))
        )


@dataclass(frozen=True)
class _ReadTask:
    """The function that ``mapInArrow`` runs in a task, which is given the task's number."""

    reader: Reader
    task: Task
    metrics: Accumulator[Metrics] | None = None

    @property
    def __name__(self) -> str:
        """What Spark's plan calls it."""
        return self.task.__name__

    def __call__(self, numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        given = (number for batch in numbers for number in batch.column(0).to_pylist())
        batches = self._read(given)
        context = TaskContext.get()
        if context is not None and context.cpus() > 1:
            # The model's own threads rest while rows are read, and a core is free.
            return self.task(in_background(batches, capacity=_AHEAD, name="spark_infer-read"))
        return self.task(batches)

    def _read(self, given: Iterable[int]) -> Iterator[pa.RecordBatch]:
        counted = Metrics()
        try:
            for number in given:
                yield from self.reader.read(number, counted)
        finally:  # Also where nobody wants the rest, as behind a limit.
            if self.metrics is not None:
                self.metrics.add(counted)


def direct_scan(df: DataFrame) -> DirectScan:
    """Plan to read a DataFrame's files in the workers.

    The files are those that Spark lists now, and their footers are read here.

    Raises:
        NotDirect: Spark has to read them, since it does more than read them, or the workers cannot,
            or might read something else.
    """
    spark = df.sparkSession
    plan = planned(df)
    stored = tuple(dict.fromkeys(c for c in plan.columns if isinstance(c, Stored)))
    hadoop = spark._jsparkSession.sessionState().newHadoopConf()
    places = {(file.scheme, file.authority) for file in plan.files}
    stores = {place: Store.of(*place, hadoop) for place in places}
    footers = _reading(spark, stored).footers(plan.files, stores)
    types = _types(plan)
    parts = [
        [_part(plan, footers, stores, stored, share) for share in shares]
        for shares in split(footers, _sizes(spark))
    ]
    reader = Reader(
        tuple(pickle.dumps(task) for task in parts), types, plan.conditions, len(df.columns)
    )
    read = [part for task in parts for part in task]
    return DirectScan(
        df,
        reader,
        len(plan.files),
        sum(part.num_rows for part in read),
        sum(part.num_bytes for part in read),
    )


def _reading(spark: SparkSession, stored: tuple[Stored, ...]) -> Reading:
    def setting(name: str) -> str:
        return str(spark.conf.get(f"spark.sql.{name}"))

    modes = {
        "datetime": setting("parquet.datetimeRebaseModeInRead").upper(),
        "int96": setting("parquet.int96RebaseModeInRead").upper(),
    }
    return Reading(stored, setting("caseSensitive").lower() == "true", modes)


def _sizes(spark: SparkSession) -> Sizes:
    conf: Any = spark._jsparkSession.sessionState().conf()
    return Sizes(
        max_partition_bytes=int(conf.filesMaxPartitionBytes()),
        open_cost_bytes=int(conf.filesOpenCostInBytes()),
        parallelism=spark.sparkContext.defaultParallelism,
    )


def _types(plan: Planned) -> tuple[pa.DataType, ...]:
    return tuple(
        arrow_type(column.kind) if isinstance(column, Stored) else column.type
        for column in plan.columns
    )


def _part(
    plan: Planned,
    footers: Sequence[Footer],
    stores: dict[tuple[str, str], Store],
    stored: tuple[Stored, ...],
    share: Share,
) -> Part:
    file, footer = plan.files[share.file], footers[share.file]
    names = dict(zip(stored, footer.fields, strict=True))

    def column(read: Read) -> str | pa.Array:
        if isinstance(read, Stored):
            name = names[read]
            return pa.nulls(1, arrow_type(read.kind)) if name is None else name
        return file.partition[read.at] if isinstance(read, OfPartition) else read.value

    groups = [footer.groups[number] for number in share.groups]
    store = stores[file.scheme, file.authority]
    return Part(
        store.path(file.authority, file.path),
        store,
        footer.stamp,
        share.groups,
        sum(group.num_rows for group in groups),
        sum(group.num_bytes for group in groups),
        tuple(column(read) for read in plan.columns),
    )
