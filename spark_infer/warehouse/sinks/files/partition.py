"""A partition as Spark's own catalog knows it: text by column, and a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any
from urllib.parse import unquote

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from spark_infer.errors import WarehouseError
from spark_infer.spark.plans import items, scala_none
from spark_infer.spark.wire import quoted
from spark_infer.spark.wire.casts import literal
from spark_infer.warehouse.rows.keys import Partition
from spark_infer.warehouse.sinks.folder import Folder
from spark_infer.warehouse.sinks.name import TableName
from spark_infer.warehouse.sinks.table import Table

NULL = "__HIVE_DEFAULT_PARTITION__"
"""What stands for null in the names of folders."""


def of_path(spark: SparkSession, path: str) -> Partition:
    """Return the values that a path names, such as ``day=2018-08-08/region=EU%2FUS``."""
    jvm: Any = spark.sparkContext._jvm
    unescape = jvm.org.apache.spark.sql.catalyst.catalog.ExternalCatalogUtils.unescapePathName
    values = (unescape(part.partition("=")[2]) for part in path.split("/"))
    return tuple(None if value == NULL else str(value) for value in values)


def check_names(spark: SparkSession, name: TableName, table: Table, *, named: str) -> None:
    """Prove that the catalog calls the partitions of a table as this Spark session does.

    One of another name (``day=2018-8-8``, which another tool has made, or ``rate=0E-10``, as
    sessions without ANSI write it) would stay beside the one that is written for its value.

    Args:
        spark: The session.
        name: The table.
        table: What the catalog says of it.
        named: What messages call it.

    Raises:
        WarehouseError: It calls one otherwise.
    """
    columns = table.partition_columns if table.has_partitions else ()
    kinds = [table.columns[column].dataType for column in columns]
    typed = [(at, kind) for at, kind in enumerate(kinds) if not isinstance(kind, StringType)]
    paths = sorted(table.partitions(spark, name)) if typed else []
    if not paths:
        return
    texts = [[unquote(part.partition("=")[2]) for part in path.split("/")] for path in paths]
    given = F.from_json(F.lit(json.dumps(texts)), "array<array<string>>")
    rows = spark.range(1).select(F.posexplode(given).alias("at", "texts"))
    is_other = (
        F.expr(
            f"texts[{at}] != {literal(NULL)} AND NOT "
            f"texts[{at}] <=> CAST(TRY_CAST(texts[{at}] AS {kind.simpleString()}) AS STRING)"
        )
        for at, kind in typed
    )
    for row in rows.where(reduce(or_, is_other)).take(1):
        raise WarehouseError(
            f"{named} has the partition {paths[row['at']]!r}, whose values this Spark session "
            "writes otherwise, so that another one of the same values would stand beside it; "
            "rename it (ALTER TABLE ... PARTITION ... RENAME TO PARTITION, with "
            "spark.sql.legacy.skipTypeValidationOnAlterPartition=true), or run with the "
            "spark.sql.ansi.enabled by which it was written"
        )


@dataclass(frozen=True)
class Partitions:
    """The partitions of a table.

    Attributes:
        spark: The session.
        name: The table.
        columns: Its partition columns, in order.
    """

    spark: SparkSession
    name: TableName
    columns: Sequence[str]

    def locations(self) -> dict[Partition, Folder]:
        """Return the folder of each partition that the catalog knows."""
        catalog: Any = self.spark._jsparkSession.sessionState().catalog()
        found = catalog.listPartitions(self.name.identifier(self.spark), scala_none(self.spark))
        return {
            self._values(partition.spec()): Folder(self.spark, partition.location())
            for partition in items(found)
        }

    def point(self, places: dict[Partition, Folder]) -> None:
        """Have the catalog find some partitions in other folders, one after the other.

        Whoever plans a query sees each partition in its old folder or in its new one.
        """
        there = self.locations()
        new = {values: place for values, place in places.items() if values not in there}
        if new:
            parts = " ".join(f"PARTITION ({self._sql(v)}) {_at(p)}" for v, p in new.items())
            self.spark.sql(f"ALTER TABLE {self.name.sql} ADD IF NOT EXISTS {parts}")
        for values, place in places.items():
            if values in there and there[values] != place:
                self.spark.sql(
                    f"ALTER TABLE {self.name.sql} PARTITION ({self._sql(values)}) SET {_at(place)}"
                )

    def _values(self, spec: Any) -> Partition:
        texts = (str(spec.apply(column)) for column in self.columns)
        return tuple(None if text == NULL else text for text in texts)

    def _sql(self, values: Partition) -> str:
        pairs = zip(self.columns, values, strict=True)
        return ", ".join(
            f"{quoted(name)} = {'NULL' if value is None else literal(value)}"
            for name, value in pairs
        )


def _at(place: Folder) -> str:
    return f"LOCATION {literal(place.uri)}"
