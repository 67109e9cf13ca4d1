"""What a run is about to make visible, written down before it begins."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from spark_infer.errors import WarehouseError
from spark_infer.warehouse.rows.keys import Partition

VERSION = 1


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
            WarehouseError: It is damaged, or another spark_infer wrote it.
        """
        try:
            data: dict[str, Any] = json.loads(text)
            version = data.pop("version")
            if version != VERSION:
                raise WarehouseError(
                    f"{where}: another spark_infer wrote it (version {version}, this one reads "
                    f"{VERSION}); run the job that was killed with that one first"
                )
            return cls(
                run_id=str(data["run_id"]),
                created=None if data["created"] is None else str(data["created"]),
                format=str(data["format"]),
                partition_by=tuple(map(str, data["partition_by"])),
                points=tuple((tuple(values), str(place)) for values, place in data["points"]),
                moves=tuple((str(old), str(new)) for old, new in data["moves"]),
                replaced=tuple(map(str, data["replaced"])),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise WarehouseError(
                f"{where} is damaged; look which partitions of the run are in the table, then "
                "remove it and run the same range again"
            ) from None
