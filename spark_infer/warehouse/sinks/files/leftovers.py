"""What earlier runs have left in a table's folder: completed, undone or cleared away."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from pyspark.sql import DataFrame, SparkSession

from spark_infer.warehouse.rows.keys import Partition
from spark_infer.warehouse.sinks.files.partition import Partitions
from spark_infer.warehouse.sinks.files.publication import RUNS, publish
from spark_infer.warehouse.sinks.files.run_folder import RunFolder
from spark_infer.warehouse.sinks.folder import Folder, check_no_link
from spark_infer.warehouse.sinks.kept import check_latest
from spark_infer.warehouse.sinks.name import TableName
from spark_infer.warehouse.sinks.table import Table
from spark_infer.warehouse.sinks.target import Target

_log = logging.getLogger(__name__)


def beside(folder: Folder) -> Folder:
    """Return the folder of the first run of a table that lies, or will lie, in ``folder``."""
    return folder.parent.child(f".{folder.name}{RUNS}")


def recover(spark: SparkSession, name: TableName, folder: Folder) -> tuple[str, ...]:
    """Complete what killed runs were publishing, drop what they had staged, and what is replaced.

    What is kept of runs that a gate has stopped stays for seven days, and what a publication has
    replaced for one: queries that were planned before may read it yet. The table's lock is held.
    Arguments, result and errors are those of ``complete``.
    """
    completed = complete(spark, name, folder)
    old = []
    for run in _runs(folder):
        if not run.is_published and not run.is_kept:
            with run.if_dead() as is_dead:
                if is_dead:
                    run.remove()
        elif run.is_published and run.is_to_clear and run.folder.name not in completed:
            old.append(run)
    if old:
        _clear(spark, name, folder, old)
    return completed


def complete(spark: SparkSession, name: TableName, folder: Folder) -> tuple[str, ...]:
    """Complete what killed runs were publishing. The table's lock is held.

    Args:
        spark: A session with the settings ``WRITING``.
        name: The table.
        folder: Where the table lies, or will lie.

    Returns:
        The runs that are completed now.

    Raises:
        WarehouseError: A publication cannot be completed, or the runs' folder is a link.
    """
    completed = []
    for run in [*_runs(folder)]:
        if run.is_being_published:
            journal = run.journal()
            _log.warning("completing run %s, which was killed while it published", journal.run_id)
            publish(spark, name, Table.find(spark, name), run, journal)
            completed.append(journal.run_id)
    return tuple(completed)


def check_no_later(target: Target, partitions: frozenset[Partition], rows: DataFrame) -> None:
    """Prove that no later run has published what one that was kept would replace, or emptied it.

    Args:
        target: The table, with the run's id.
        partitions: Those that an overwrite replaces.
        rows: Those that are kept.

    Raises:
        WarehouseError: One has.
    """
    table = target.table(anew=True)
    left: list[str] = []
    if table is not None and table.folder is not None and table.has_partitions:
        runs = table.folder.child(RUNS)
        there = Partitions(target.spark, target.name, table.partition_columns).locations()
        places = (place for values, place in there.items() if values in partitions)
        left = [run_id for place in places if (run_id := place.name_below(runs)) is not None]
    check_latest(target, partitions, rows, left)


def _clear(spark: SparkSession, name: TableName, folder: Folder, runs: list[RunFolder]) -> None:
    """Remove what old publications have replaced, and folders of runs of which nothing is left."""
    table = Table.find(spark, name)
    if table is None:
        return
    used: list[str] = []
    if table.has_partitions:
        locations = Partitions(spark, name, table.partition_columns).locations()
        used = [place.uri for place in locations.values()]
    within = folder.child(RUNS)
    replaced = {uri for run in runs for uri in run.journal().replaced}
    emptied = {within.child(run.folder.name) for run in runs}
    for place in (Folder(spark, uri) for uri in replaced):
        # A journal is a file, in which anything may stand: what lies elsewhere is not the table's.
        if place.is_within(folder) and not _is_used(place.uri, used):
            place.remove()
            if (run_id := place.name_below(within)) is not None:
                emptied.add(within.child(run_id))
    for run in runs:
        run.end_clearing()
    for place in emptied:
        if not _is_used(place.uri, used):
            place.remove()


def _is_used(uri: str, used: Iterable[str]) -> bool:
    return any(f"{place}/".startswith(f"{uri}/") for place in used)


def _runs(folder: Folder) -> Iterator[RunFolder]:
    """Yield the runs of a table's folder, the first one's, which is beside it, before others."""
    for place in (beside(folder), folder.child(RUNS)):
        check_no_link(place)
        yield from (RunFolder(each) for each in place.children() if not each.is_link)
