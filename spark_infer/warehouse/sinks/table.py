"""What the catalog says of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from spark_infer.spark.failures import spark_failures
from spark_infer.spark.plans import items, scala_none
from spark_infer.warehouse.sinks.folder import Folder
from spark_infer.warehouse.sinks.name import SESSION_CATALOG, TableName

FILES = ("parquet", "orc")
"""Formats of tables that are nothing but files, for whoever reads them."""
_SERIALIZATION = "serialization.format"


@dataclass(frozen=True)
class Table:
    """A table that is there.

    Attributes:
        kind: ``MANAGED``, ``EXTERNAL`` or ``VIEW``; ``""`` where another catalog than Spark's own
            keeps it.
        provider: Name of the format or data source in lower case.
        serde: Class by which Hive reads it; ``""`` for tables of Spark's own formats.
        folder: Where its files lie, as far as Spark's own catalog knows.
        is_bucketed: Whether its files are cut by the hash of some columns.
        columns: Columns with their types, partition columns included.
        partition_columns: Their names, in order.
        has_partitions: Whether the catalog keeps the list of its partitions.
        options: With which its files are written.
        hidden: Partitions that are computed of columns, such as ``days(ts)``.
    """

    kind: str
    provider: str
    serde: str
    folder: Folder | None
    is_bucketed: bool
    columns: StructType
    partition_columns: tuple[str, ...]
    has_partitions: bool
    options: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()

    @classmethod
    def find(cls, spark: SparkSession, name: TableName) -> Table | None:
        """Return the table of a name, or None.

        Raises:
            WarehouseError: The catalog cannot be asked, or the table is broken.
        """
        with spark_failures(f"table {name.sql} cannot be looked at"):
            if name.is_temporary_view(spark):
                return cls("VIEW", "", "", None, False, StructType(), (), False)
            if not spark.catalog.tableExists(name.sql):
                return None
            # What other runs wrote since this Spark session looked last.
            spark.sql(f"REFRESH TABLE {name.sql}")
            columns = spark.table(name.sql).schema
            if name.catalog != SESSION_CATALOG:
                return cls._loaded(spark, name, columns)
            return cls._described(spark, name, columns)

    @classmethod
    def _loaded(cls, spark: SparkSession, name: TableName, columns: StructType) -> Table:
        """Return what another catalog than Spark's own says of a table."""
        found = name.load(spark)
        transforms = list(found.partitioning())
        plain = [t for t in transforms if str(t.name()) == "identity"]
        return cls(
            kind="",
            provider=str((found.properties() or {}).get("provider") or "").lower(),
            serde="",
            folder=None,
            is_bucketed=False,
            columns=columns,
            partition_columns=tuple(".".join(t.references()[0].fieldNames()) for t in plain),
            has_partitions=False,
            hidden=tuple(str(t.toString()) for t in transforms if t not in plain),
        )

    @classmethod
    def _described(cls, spark: SparkSession, name: TableName, columns: StructType) -> Table:
        """Return what Spark's own catalog says of a table."""
        catalog: Any = spark._jsparkSession.sessionState().catalog()
        found = catalog.getTableMetadata(name.identifier(spark))
        kind, provider = str(found.tableType().name()), str(_value(found.provider()) or "").lower()
        place = _value(found.storage().locationUri())
        partitions = tuple(map(str, items(found.partitionColumnNames())))
        return cls(
            kind=kind,
            provider=provider,
            serde=str(_value(found.storage().serde()) or "") if provider == "hive" else "",
            folder=None if kind == "VIEW" or place is None else Folder(spark, place),
            is_bucketed=bool(found.bucketSpec().isDefined()),
            columns=columns,
            partition_columns=partitions,
            has_partitions=bool(partitions) and bool(found.tracksPartitionsInCatalog()),
            options=_options(found),
        )

    @property
    def is_of_files(self) -> bool:
        """Whether a catalog says where its files lie, and lets others lay them out."""
        has_list = self.has_partitions or not self.partition_columns
        is_laid_out = self.kind == "VIEW" or self.is_bucketed or not has_list
        return self.folder is not None and not is_laid_out and self.format in FILES

    @property
    def format(self) -> str:
        """The format of its files, as a job file names it, where that is known."""
        if not self.serde:
            return self.provider
        return self.serde.rpartition(".")[2].lower().removesuffix("serde").removesuffix("hive")

    def partitions(self, spark: SparkSession, name: TableName) -> frozenset[str]:
        """Return the names of its partitions, such as ``day=2018-08-08/region=EU``.

        Where the catalog has no list of them, that is none.
        """
        if not self.has_partitions:
            return frozenset()
        catalog: Any = spark._jsparkSession.sessionState().catalog()
        found = catalog.listPartitionNames(name.identifier(spark), scala_none(spark))
        # One call for all of them, which may be many; a line end in a name is escaped.
        return frozenset(filter(None, str(found.mkString("\n")).split("\n")))


def default_folder(spark: SparkSession, name: TableName) -> Folder | None:
    """Return where Spark's own catalog would put a new table; None for another catalog's."""
    if name.catalog != SESSION_CATALOG:
        return None
    catalog: Any = spark._jsparkSession.sessionState().catalog()
    return Folder(spark, catalog.defaultTablePath(name.identifier(spark)))


def _options(found: Any) -> dict[str, str]:
    """Return what a table says of its files, such as how they are compressed."""
    properties = {str(p._1()): str(p._2()) for p in items(found.properties().toSeq())}
    storage = {str(p._1()): str(p._2()) for p in items(found.storage().properties().toSeq())}
    of_files = {k: v for k, v in properties.items() if k.startswith(("parquet.", "orc."))}
    return of_files | {k: v for k, v in storage.items() if k not in ("path", _SERIALIZATION)}


def _value(option: Any) -> Any:
    """Return what a Scala option holds, or None."""
    return option.get() if option.isDefined() else None
