"""What a run is about to make visible, written down before it begins."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from spark_infer.bundle.documents import parse, shown
from spark_infer.errors import WarehouseError
from spark_infer.spark.types import stored_schema
from spark_infer.warehouse.rows.keys import Partition
from spark_infer.warehouse.sinks.table import FILES

VERSION = 1
_FOLDERS = ("rows", "emptied")
"""Where a run has what it publishes, below its own folder."""


@dataclass(frozen=True, kw_only=True)
class Journal:
    """Steps of publishing, each of which can be done again.

    Attributes:
        run_id: The run.
        created: Of a table that was not there: its columns as Spark's JSON; else None.
        format: The format of the files.
        partition_by: Partition columns of the table.
        points: Partitions whose place in the catalog changes, each with its folder, below the
            run's.
        moves: Files that are added to folders that stay: from below the run's folder, to a path.
        replaced: Folders that readers may read for a while yet.
    """

    run_id: str
    created: str | None
    format: str
    partition_by: tuple[str, ...]
    points: tuple[tuple[Partition, str], ...]
    moves: tuple[tuple[str, str], ...]
    replaced: tuple[str, ...]

    def to_text(self) -> str:
        """Return the journal as JSON text."""
        return json.dumps({"version": VERSION, **asdict(self)}, indent=1)

    @classmethod
    def from_text(cls, text: str, *, where: str) -> Journal:
        """Read a journal.

        Raises:
            WarehouseError: It is damaged, is none that a run has written, or another spark_infer
                wrote it.
        """
        try:
            data: dict[str, Any] = parse(text.encode())
            version = data.pop("version")
            if version != VERSION:
                raise WarehouseError(
                    f"{where}: another spark_infer wrote it (version {shown(version)}, this one "
                    f"reads {VERSION}); run the job that was killed with that one first"
                )
            return cls(
                run_id=_text(data["run_id"]),
                created=None if data["created"] is None else _schema(data["created"]),
                format=_format(data["format"]),
                partition_by=tuple(map(_text, data["partition_by"])),
                points=tuple((_values(values), _inside(at)) for values, at in data["points"]),
                moves=tuple((_inside(old), _text(new)) for old, new in data["moves"]),
                replaced=tuple(map(_text, data["replaced"])),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise damaged(where) from None


def damaged(where: str) -> WarehouseError:
    """Return the error that a journal is none that a run has written."""
    return WarehouseError(
        f"{where} is damaged; look which partitions of the run are in the table, then "
        "remove it and run the same range again"
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _schema(value: Any) -> str:
    stored_schema(_text(value))
    return str(value)


def _format(value: Any) -> str:
    if _text(value).lower() not in FILES:
        raise ValueError
    return str(value)


def _values(values: Any) -> Partition:
    return tuple(None if value is None else _text(value) for value in values)


def _inside(place: Any) -> str:
    """Return a path below the run's folder, as runs write it: it leads nowhere else."""
    first, *others = _text(place).split("/")
    if first not in _FOLDERS or {"", ".", ".."} & set(others):
        raise ValueError
    return str(place)
