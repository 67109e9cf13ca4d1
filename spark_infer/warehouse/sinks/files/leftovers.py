"""What earlier runs have left in a table's folder: completed, undone or cleared away."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from pyspark.sql import SparkSession

from spark_infer.warehouse.config import TargetConfig
from spark_infer.warehouse.sinks.files.partition import Partitions
from spark_infer.warehouse.sinks.files.publication import RUNS, publish
from spark_infer.warehouse.sinks.files.run_folder import RunFolder
from spark_infer.warehouse.sinks.folder import Folder
from spark_infer.warehouse.sinks.name import TableName
from spark_infer.warehouse.sinks.table import Table

_log = logging.getLogger(__name__)


def beside(folder: Folder) -> Folder:
    """Return the folder of the first run of a table that lies, or will lie, in ``folder``."""
    return folder.parent.child(f".{folder.name}{RUNS}")


def recover(
    spark: SparkSession, name: TableName, config: TargetConfig, folder: Folder
) -> tuple[str, ...]:
    """Complete what killed runs were publishing, drop what they had staged, and what is replaced.

    The table's lock is held. What a publication has replaced stays for a day: queries that were
    planned before may read it yet.

    Args:
        spark: A session with the settings ``WRITING``.
        name: The table.
        config: The job file's target.
        folder: Where the table lies, or will lie.

    Returns:
        The runs that are completed now.

    Raises:
        WarehouseError: A publication cannot be completed.
    """
    completed = []
    for run in [*_runs(beside(folder)), *_runs(folder.child(RUNS))]:
        if run.is_being_published:
            journal = run.journal()
            _log.warning("completing run %s, which was killed while it published", journal.run_id)
            publish(spark, name, config, run, journal)
            completed.append(journal.run_id)
        elif not run.is_published:
            with run.if_dead() as is_dead:
                if is_dead:
                    run.remove()
    published = [run for run in _runs(folder.child(RUNS)) if run.is_published and run.is_old()]
    if published:
        _clear(spark, name, folder, published)
    return tuple(completed)


def _clear(spark: SparkSession, name: TableName, folder: Folder, runs: list[RunFolder]) -> None:
    """Remove what old publications have replaced, and what of them others have replaced."""
    table = Table.find(spark, name)
    if table is None:
        return
    used: list[Folder] = []
    if table.has_partitions:
        used = list(Partitions(spark, name, table.partition_columns).locations().values())
    for run in runs:
        for place in run.journal().replaced:
            old = Folder(spark, place)
            if folder in old.parents and not any(old == at or old in at.parents for at in used):
                old.remove()
        if not any(run.folder in at.parents for at in used):
            run.remove()


def _runs(folder: Folder) -> Iterator[RunFolder]:
    yield from map(RunFolder, folder.children())
