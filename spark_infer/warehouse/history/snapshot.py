"""What a source held when it was opened, as far as that can be told without reading it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pyspark.sql import DataFrame

from spark_infer.errors import some
from spark_infer.spark.failures import SPARK_FAILURES
from spark_infer.spark.plans import below, items, kind_of

_MAX_FILES = 10_000
"""Of more files no list is made: the JVM tells of them one by one."""
_ICEBERG = "iceberg"


def snapshot_of(source: DataFrame) -> list[dict[str, Any]]:
    """Return what each table or folder under a source holds, as JSON data for a run's report.

    Of a table of Iceberg that is the id of its snapshot. Of files, those that Spark plans to read:
    how many there are, their bytes, and a digest of their paths, sizes and times. Of other sources
    nothing is known, nor of one that Spark cannot plan: its query will tell.
    """
    found: list[dict[str, Any]] = []
    with suppress(*SPARK_FAILURES):
        execution: Any = source._jdf.queryExecution()
        found += [*_tables(execution.analyzed())]
        found += [_files(scan) for scan in _scans(execution.sparkPlan())]
    return sorted(found, key=str)


def _tables(plan: Any) -> Iterator[dict[str, Any]]:
    """Yield the snapshots of tables of Iceberg."""
    for leaf in items(plan.collectLeaves()):
        if kind_of(leaf) != "DataSourceV2Relation":
            continue
        table = leaf.table()
        if str((table.properties() or {}).get("provider") or "").lower() != _ICEBERG:
            continue
        current = table.table().currentSnapshot()
        number = "" if current is None else str(current.snapshotId())
        yield {"kind": _ICEBERG, "place": str(table.name()), "snapshot_id": number}


def _scans(plan: Any) -> Iterator[Any]:
    """Yield the scans of files in a physical plan."""
    for node in below(plan):
        if kind_of(node) == "FileSourceScanExec":
            yield node


def _files(scan: Any) -> dict[str, Any]:
    """Return what is known of the files that a scan is to read."""
    identifier, location = scan.tableIdentifier(), scan.relation().location()
    roots = [str(path) for path in items(location.rootPaths())]
    place = str(identifier.get().unquotedString()) if identifier.isDefined() else some(roots)
    found: dict[str, Any] = {"kind": "files", "place": place, "digest": ""}
    listing = _listed(scan, location)
    if listing is not None:
        num_partitions, listed = listing
        content = "\n".join(f"{path}\0{size}\0{time}" for path, size, time in sorted(listed))
        found |= {
            "num_partitions": num_partitions,
            "num_files": len(listed),
            "num_bytes": sum(size for _, size, _ in listed),
            "digest": hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest(),
        }
    return found


def _listed(scan: Any, location: Any) -> tuple[int, list[tuple[str, int, int]]] | None:
    """Return the number of partitions, and path, bytes and time of each file.

    None where there are too many, or nobody knows before the query runs.
    """
    filters = scan.partitionFilters()
    for root in items(filters):
        if any("Subquery" in kind_of(n) or "DynamicPruning" in kind_of(n) for n in below(root)):
            return None
    found: list[tuple[str, int, int]] = []
    is_parted = bool(scan.relation().partitionSchema().length())
    directories = list(items(location.listFiles(filters, scan.dataFilters())))
    for directory in directories:
        files = directory.files()
        if len(found) + int(files.size()) > _MAX_FILES:
            return None
        for status in items(files):
            path, size = str(status.getPath().toString()), int(status.getLen())
            found.append((path, size, int(status.getModificationTime())))
    return len(directories) if is_parted else 0, found
