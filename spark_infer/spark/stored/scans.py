"""The files that Spark plans to read for a DataFrame, wherever in its plan."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from spark_infer.errors import WarehouseError
from spark_infer.spark.failures import SPARK_FAILURES
from spark_infer.spark.plans import below, items, kind_of
from spark_infer.spark.scan.plan.planned import holds_class

_SQL = "org.apache.spark.sql"
_FORMATS = {
    f"{_SQL}.execution.datasources.parquet.ParquetFileFormat": "parquet",
    f"{_SQL}.execution.datasources.orc.OrcFileFormat": "orc",
    f"{_SQL}.hive.orc.OrcFileFormat": "orc",
}

_OTHER = re.compile(rf"{re.escape(_SQL)}\.execution\.datasources\.v2\.(parquet|orc|csv|json|xml)\.")
"""Classes of Spark's other readers of files, which it uses when a setting says so."""


def check_reader(node: Any) -> None:
    """Prove that an object of Spark's plan is none of its other readers of files.

    Raises:
        WarehouseError: It is one, and what it reads is not looked at.
    """
    if _OTHER.match(str(node.getClass().getName())):
        raise WarehouseError(
            f"the files are read by Spark's {node.getClass().getSimpleName()}, and what it makes "
            "of them is not checked; leave spark.sql.sources.useV1SourceList as it is by default"
        )


@dataclass(frozen=True)
class FileScan:
    """A scan of files whose footers tell their types.

    Attributes:
        node: Spark's node, in the JVM.
        form: ``parquet`` or ``orc``.
        read: The columns that are read from the files, and fields in them.
        columns: Names of all columns of the files, in order.
    """

    node: Any
    form: str
    read: StructType
    columns: tuple[str, ...]

    def uris(self) -> Iterator[Any]:
        """Yield the URI of each file that is read, as Java's object."""
        wanted = self.node.partitionFilters()
        if any(_is_late(filter_) for filter_ in items(wanted)):
            wanted = wanted.take(0)
        for directory in items(self.node.relation().location().listFiles(wanted, wanted.take(0))):
            for status in items(directory.files()):
                yield status.getPath().toUri()


def file_scans(df: DataFrame) -> Iterator[FileScan]:
    """Yield the scans of a DataFrame's plan, those of subqueries and cached data among them.

    Raises:
        WarehouseError: Files are read in a way that nobody looks into.
    """
    try:
        pending = [df._jdf.queryExecution().executedPlan()]
    except SPARK_FAILURES:
        return  # What Spark does not plan the query will tell.
    while pending:
        node = pending.pop()
        kind = kind_of(node)
        if kind == "AdaptiveSparkPlanExec":
            pending.append(node.initialPlan())
        elif kind == "InMemoryTableScanExec":
            pending.append(node.relation().cachedPlan())
        pending.extend(items(node.children()))
        pending.extend(items(node.subqueries()))
        if kind == "FileSourceScanExec":
            form = str(node.relation().fileFormat().getClass().getName())
            if form in _FORMATS:
                columns = tuple(map(str, node.relation().dataSchema().fieldNames()))
                read = json.loads(node.requiredSchema().json())
                # Their classes would be imported.
                read["fields"] = [f for f in read["fields"] if not holds_class(f["type"])]
                yield FileScan(node, _FORMATS[form], StructType.fromJson(read), columns)
        elif kind == "BatchScanExec":
            check_reader(node.scan())


def _is_late(condition: Any) -> bool:
    """Return whether only the running query knows what a condition compares with."""
    kinds = map(kind_of, below(condition))
    return any("Subquery" in kind or "DynamicPruning" in kind for kind in kinds)
