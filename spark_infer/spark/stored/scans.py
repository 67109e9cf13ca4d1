"""The files that Spark plans to read for a DataFrame, wherever in its plan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from spark_infer.spark.scan.plan.expressions import below, items, kind_of

_SQL = "org.apache.spark.sql"
_FORMATS = {
    f"{_SQL}.execution.datasources.parquet.ParquetFileFormat": "parquet",
    f"{_SQL}.execution.datasources.orc.OrcFileFormat": "orc",
    f"{_SQL}.hive.orc.OrcFileFormat": "orc",
}


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
    """Yield the scans of a DataFrame's plan, those of subqueries and cached data among them."""
    pending = [df._jdf.queryExecution().executedPlan()]
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
                read = StructType.fromJson(json.loads(node.requiredSchema().json()))
                yield FileScan(node, _FORMATS[form], read, columns)


def _is_late(condition: Any) -> bool:
    """Return whether only the running query knows what a condition compares with."""
    kinds = map(kind_of, below(condition))
    return any("Subquery" in kind or "DynamicPruning" in kind for kind in kinds)
