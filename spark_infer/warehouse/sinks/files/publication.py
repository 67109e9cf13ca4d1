"""Makes the rows of a run visible, by steps each of which can be done again."""

from __future__ import annotations

import json

from pyspark.sql import DataFrameReader, SparkSession
from pyspark.sql.types import StructType

from spark_infer.errors import WarehouseError
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.sinks.files.journal import Journal
from spark_infer.warehouse.sinks.files.partition import Partitions
from spark_infer.warehouse.sinks.files.run_folder import RunFolder
from spark_infer.warehouse.sinks.folder import Folder
from spark_infer.warehouse.sinks.name import TableName
from spark_infer.warehouse.sinks.table import Table, default_folder
from spark_infer.warehouse.sinks.target import Target

RUNS = "_spark_infer"
"""The folder of the runs inside a table's: readers of its files pass over such names."""

_WRITTEN = ("_SUCCESS", "_temporary", "part-", "._SUCCESS.", ".part-")
"""How the names begin of what Spark writes for a table without rows."""


def publish(
    spark: SparkSession, name: TableName, table: Table | None, run: RunFolder, journal: Journal
) -> None:
    """Do what a journal says, as far as it is not done yet.

    Args:
        spark: A session with the settings ``WRITING``.
        name: The table.
        table: What the catalog says of it; None where it is not there.
        run: The run's folder; that of a table's first run is beside the table's, and moves there.
        journal: The run's journal.

    Raises:
        WarehouseError: A file is gone that the journal names, or the journal is not about this
            table.
    """
    if table is None and journal.created is not None:
        columns = StructType.fromJson(json.loads(journal.created))
        # As the run said that is published, not as the one does that completes it.
        reader = spark.read.format(journal.format).schema(columns).option("__globPaths__", "false")
        _remove_unmade(reader, default_folder(spark, name))
        empty = reader.load(run.rows.uri).limit(0)
        writer = empty.write.format(journal.format).partitionBy(*journal.partition_by)
        writer.mode("errorifexists").saveAsTable(name.sql)
        table = Table.find(spark, name)
    if table is None or table.folder is None:
        raise WarehouseError(
            f"table {name.sql} is gone, of which run {journal.run_id} was about to publish "
            f"partitions; restore it, or remove {run.folder}"
        )
    known = Partitions(spark, name, table.partition_columns) if table.has_partitions else None
    _check_of_table(spark, name, table.folder, known, run, journal)
    inside = table.folder.child(RUNS, journal.run_id)
    if run.folder != inside:
        run.move(inside)
    for old, new in journal.moves:
        _move(run.folder.child(*old.split("/")), Folder(spark, new) if new else table.folder)
    places = {values: run.folder.child(*place.split("/")) for values, place in journal.points}
    if places and known is not None:
        known.point(places)
    run.end_publishing()
    spark.sql(f"REFRESH TABLE {name.sql}")


def _check_of_table(
    spark: SparkSession,
    name: TableName,
    folder: Folder,
    known: Partitions | None,
    run: RunFolder,
    journal: Journal,
) -> None:
    """Raise WarehouseError where a journal would change what is not the table's."""
    columns = 0 if known is None else len(known.columns)
    to = [Folder(spark, new) for _, new in journal.moves if new]
    # Partitions may lie elsewhere, if the catalog says so.
    there = set(known.locations().values()) if known is not None and to else set()
    # A table without partitions has none to point at.
    if any(not values or len(values) != columns for values, _ in journal.points) or any(
        place not in there and not place.is_within(folder) for place in to
    ):
        raise WarehouseError(
            f"the journal of run {journal.run_id} is not one of table {name.sql}: it names other "
            f"partitions or folders; remove {run.folder} and run the same range again"
        )


def publishing_sql(target: Target) -> str:
    """Return the statement by which the rows of a run are made visible, for a plan."""
    by, name = target.config.partition_by, target.name.sql
    if target.table() is None:
        parts = f" PARTITIONED BY ({', '.join(map(quoted, by))})" if by else ""
        return f"CREATE TABLE {name} USING {target.config.format}{parts}"
    values = ", ".join(f"{quoted(column)} = ..." for column in by)
    if target.is_overwritten:
        return f"ALTER TABLE {name} PARTITION ({values}) SET LOCATION '...'"
    return f"ALTER TABLE {name} ADD IF NOT EXISTS PARTITION ({values})" if by else ""


def _remove_unmade(reader: DataFrameReader, folder: Folder | None) -> None:
    """Remove what Spark has written for a table that the catalog lacks: its files have no rows.

    A run was killed while it made the table, or the folder is another program's and stays.
    """
    if folder is None or folder.is_empty():
        return
    is_ours = all(name.startswith(_WRITTEN) for name in folder.names())
    if is_ours and reader.load(folder.uri).limit(1).count() == 0:
        folder.remove()


def _move(file: Folder, to: Folder) -> None:
    """Add a file to a folder, unless that is done."""
    place = to.child(file.name)
    if file.exists():
        file.rename(place)
    elif not place.exists():
        raise WarehouseError(
            f"{file} is gone, whose rows were to be published; remove the run's folder "
            f"{file.parent.parent} and run the same range again"
        )
