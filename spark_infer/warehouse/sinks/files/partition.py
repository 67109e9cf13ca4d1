"""A partition as Spark's own catalog knows it: text by column, and a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from spark_infer.spark.plans import items, scala_none
from spark_infer.spark.wire import quoted
from spark_infer.spark.wire.casts import literal
from spark_infer.warehouse.rows.keys import Partition
from spark_infer.warehouse.sinks.folder import Folder
from spark_infer.warehouse.sinks.name import TableName

NULL = "__HIVE_DEFAULT_PARTITION__"
"""What stands for null in the names of folders."""


def of_path(spark: SparkSession, path: str) -> Partition:
    """Return the values that a path names, such as ``day=2018-08-08/region=EU%2FUS``."""
    jvm: Any = spark.sparkContext._jvm
    unescape = jvm.org.apache.spark.sql.catalyst.catalog.ExternalCatalogUtils.unescapePathName
    values = (unescape(part.partition("=")[2]) for part in path.split("/"))
    return tuple(None if value == NULL else str(value) for value in values)


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
