"""What Spark plans to read for a DataFrame: files, columns of them, conditions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import DataType, StructType

from spark_infer.spark.failures import SPARK_FAILURES
from spark_infer.spark.plans import asks_for_time, attribute_id, below, items, kind_of
from spark_infer.spark.scan.files.types import arrow_type
from spark_infer.spark.scan.plan.expressions import Condition, conditions, shown
from spark_infer.spark.scan.plan.values import value
from spark_infer.spark.scan.refused import NotDirect

MAX_FILES = 10_000
"""Of more files the driver does not read the footers."""
_SQL = "org.apache.spark.sql.execution.datasources"
_FORMAT = f"{_SQL}.parquet.ParquetFileFormat"
_INDEXES = (f"{_SQL}.InMemoryFileIndex", f"{_SQL}.CatalogFileIndex")
_OPTIONS = (
    *("path", "paths", "basepath", "mergeschema", "recursivefilelookup", "pathglobfilter"),
    *("modifiedbefore", "modifiedafter", "serialization.format", "compression"),
    "spark_infer",
)
"""Options that say which files there are, and nothing of what is in them."""
_ROW_NUMBER = "_tmp_metadata_row_index"
"""A column in which Spark puts the numbers of the rows, whatever a file holds."""
_OFF = (
    "spark.sql.files.ignoreCorruptFiles",
    "spark.sql.files.ignoreMissingFiles",
    "spark.sql.parquet.fieldId.read.enabled",
    "spark.sql.parquet.int96TimestampConversion",
)


@dataclass(frozen=True)
class Stored:
    """A column of the files.

    Attributes:
        name: As Spark spells it.
        kind: Its type in Spark.
    """

    name: str
    kind: DataType


@dataclass(frozen=True)
class OfPartition:
    """A column whose value is part of a folder's name; ``at`` is its place among those."""

    at: int
    type: pa.DataType


@dataclass(frozen=True)
class Constant:
    """A column of one value: an array of one element."""

    value: pa.Array

    @property
    def type(self) -> pa.DataType:
        """Its Arrow type."""
        return self.value.type


Read = Stored | OfPartition | Constant


@dataclass(frozen=True)
class File:
    """A file that Spark plans to read.

    Attributes:
        scheme: Of its file system, such as ``file``.
        authority: The bucket or host.
        path: Within the file system.
        num_bytes: Its size when Spark listed it.
        partition: Values of the partition columns, arrays of one element.
    """

    scheme: str
    authority: str
    path: str
    num_bytes: int
    partition: tuple[pa.Array, ...]


@dataclass(frozen=True)
class Planned:
    """What Spark plans to read.

    Attributes:
        columns: The DataFrame's columns, then those that only the conditions read.
        conditions: Which rows are wanted; their columns are places among ``columns``.
        files: Where the rows are.
    """

    columns: tuple[Read, ...]
    conditions: tuple[Condition, ...]
    files: tuple[File, ...]


def planned(df: DataFrame) -> Planned:
    """Read Spark's physical plan of a DataFrame.

    Raises:
        NotDirect: It does more than a worker would do alike.
    """
    if df.isStreaming:
        raise NotDirect("it is a stream")
    for setting in _OFF:
        if str(df.sparkSession.conf.get(setting, "false")).strip().lower() != "false":
            raise NotDirect(f"{setting} is on")
    if asks_for_time(df.sparkSession, df._jdf.queryExecution().analyzed()):
        raise NotDirect("it depends on the time or the user of the query")
    try:
        physical = df._jdf.queryExecution().sparkPlan()
    except SPARK_FAILURES:
        # Spark computes what is constant while it plans. What fails there is for the query to tell.
        raise NotDirect("Spark does not plan it") from None
    outputs, condition, scan = _parts(physical)
    relation = scan.relation()
    _check_relation(relation)
    table = _Table.of(relation, scan)
    columns = [table.column(expression) for expression in outputs]
    tests: list[Condition] = []
    if condition is not None:
        read = sorted(
            {attribute_id(n) for n in below(condition) if kind_of(n) == "AttributeReference"}
            & table.attributes.keys()
        )
        places = {number: len(columns) + at for at, number in enumerate(read)}
        columns += [table.attributes[number] for number in read]
        tests = list(conditions(condition, places, lambda number: table.type_of(number)))
    return Planned(tuple(columns), tuple(tests), tuple(table.files(scan)))


def _parts(plan: Any) -> tuple[list[Any], Any, Any]:
    """Return the expressions of the columns, the condition or None, and the scan of a plan."""
    outputs, condition = list(items(plan.output())), None
    if kind_of(plan) == "ProjectExec":
        outputs, plan = list(items(plan.projectList())), plan.child()
    if kind_of(plan) == "FilterExec":
        condition, plan = plan.condition(), plan.child()
    if kind_of(plan) != "FileSourceScanExec":
        raise NotDirect(f"Spark's plan has {plan.nodeName()} between the files and the model")
    return outputs, condition, plan


def _check_relation(relation: Any) -> None:
    """Prove that the relation is one of plain Parquet files."""
    form = str(relation.fileFormat().getClass().getName())
    if form != _FORMAT:
        raise NotDirect(f"the files are read by {form.rpartition('.')[2]}, not as plain Parquet")
    index = str(relation.location().getClass().getName())
    if index not in _INDEXES:
        raise NotDirect(f"the files are listed by {index.rpartition('.')[2]}")
    options = {str(pair._1()).lower() for pair in items(relation.options().toSeq())}
    if other := sorted(options.difference(_OPTIONS)):
        raise NotDirect(f"the source has the option {other[0]!r}")


@dataclass(frozen=True)
class _Table:
    """The relation of a scan.

    Attributes:
        attributes: What each attribute of the scan is, by its number.
        partitions: Arrow types of the partition columns.
        schema: The partition columns in Spark.
    """

    attributes: dict[int, Read]
    partitions: tuple[pa.DataType, ...]
    schema: Any

    @classmethod
    def of(cls, relation: Any, scan: Any) -> _Table:
        parted, stored = _fields(relation.partitionSchema()), _fields(relation.dataSchema())
        places = {name: at for at, name in enumerate(parted)}
        kinds = tuple(arrow_type(_data_type(field["type"])) for field in parted.values())
        attributes: dict[int, Read] = {}
        for attribute in items(scan.output()):
            name = str(attribute.name())
            if name in places:
                attributes[attribute_id(attribute)] = OfPartition(places[name], kinds[places[name]])
            elif name in stored:
                if "EXISTS_DEFAULT" in stored[name]["metadata"]:
                    raise NotDirect(f"column {name!r} has a default value")
                if name == _ROW_NUMBER:
                    raise NotDirect(f"Spark numbers the rows in column {name!r}")
                kind = _data_type(json.loads(attribute.dataType().json()))
                attributes[attribute_id(attribute)] = Stored(name, kind)
        return cls(attributes, kinds, relation.partitionSchema())

    def column(self, expression: Any) -> Read:
        """Return what a column of the DataFrame is.

        Raises:
            NotDirect: It is computed.
        """
        if kind_of(expression) == "Alias":
            expression = expression.child()
        if kind_of(expression) == "Literal":
            kind = arrow_type(_data_type(json.loads(expression.dataType().json())))
            return Constant(value(expression.value(), kind))
        if kind_of(expression) != "AttributeReference":
            raise NotDirect(f"Spark computes {shown(expression)}")
        found = self.attributes.get(attribute_id(expression))
        if found is None:
            raise NotDirect(f"{shown(expression)} is no column of the files")
        if isinstance(found, Stored):
            arrow_type(found.kind)
        return found

    def type_of(self, number: int) -> pa.DataType:
        """Return the Arrow type of an attribute."""
        column = self.attributes[number]
        return arrow_type(column.kind) if isinstance(column, Stored) else column.type

    def files(self, scan: Any) -> list[File]:
        """Return the files that Spark plans to read.

        Raises:
            NotDirect: Which they are is known only when the query runs, or there are too many.
        """
        for root in items(scan.partitionFilters()):
            if any("Subquery" in kind_of(n) or "DynamicPruning" in kind_of(n) for n in below(root)):
                raise NotDirect("a subquery chooses the partitions")
        found: list[File] = []
        location = scan.relation().location()
        for directory in items(location.listFiles(scan.partitionFilters(), scan.dataFilters())):
            partition = self._partition(directory.values())
            for status in items(directory.files()):
                if len(found) == MAX_FILES:
                    raise NotDirect(f"there are more than {MAX_FILES:,} files")
                uri = status.getPath().toUri()
                size = int(status.getLen())
                authority = str(uri.getAuthority() or "")
                found.append(
                    File(str(uri.getScheme()), authority, str(uri.getPath()), size, partition)
                )
        return found

    def _partition(self, row: Any) -> tuple[pa.Array, ...]:
        return tuple(
            value(None if row.isNullAt(at) else row.get(at, self.schema.apply(at).dataType()), kind)
            for at, kind in enumerate(self.partitions)
        )


def _fields(schema: Any) -> dict[str, Any]:
    """Return a schema's fields as JSON data, by name."""
    return {field["name"]: field for field in json.loads(schema.json())["fields"]}


def _data_type(kind: Any) -> DataType:
    """Return the type that JSON data describe.

    Raises:
        NotDirect: It is or holds a user-defined type, whose class pyspark would import.
    """
    if holds_class(kind):
        raise NotDirect("a column is of a user-defined type")
    field = {"name": "_", "type": kind, "nullable": True, "metadata": {}}
    return StructType.fromJson({"type": "struct", "fields": [field]}).fields[0].dataType


def holds_class(kind: Any) -> bool:
    """Return whether a type, as JSON data describe it, is or holds a user-defined one."""
    if isinstance(kind, list):
        return any(map(holds_class, kind))
    if not isinstance(kind, dict):
        return False
    return kind.get("type") == "udt" or any(
        holds_class(inside) for name, inside in kind.items() if name != "metadata"
    )
