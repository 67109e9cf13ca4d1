"""What there is to know of rows that are staged and kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from spark_infer.bundle.documents import check_fields, parse
from spark_infer.errors import WarehouseError, some
from spark_infer.spark.types import stored_schema
from spark_infer.warehouse.rows.by_key import with_known
from spark_infer.warehouse.rows.keys import Partition, partition_texts
from spark_infer.warehouse.rows.staged import Staged
from spark_infer.warehouse.sinks.files.run_folder import RunFolder
from spark_infer.warehouse.sinks.folder import Folder
from spark_infer.warehouse.sinks.table import FILES
from spark_infer.warehouse.sinks.target import Target

_VERSION = 1
_FORMATS = (*FILES, "iceberg", "postgresql")
"""What rows are kept in."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Rows that a gate has stopped.

    Attributes:
        schema: Their columns as Spark's JSON.
        format: The format of their files.
        rows: How many there are.
        rejected: Rows among them without a prediction.
        about: What the job says of the run.
        again: Rejected rows that the target had as such, which no limit counts.
    """

    schema: str
    format: str
    rows: int
    rejected: int
    about: Mapping[str, Any]
    again: int = 0

    @property
    def columns(self) -> StructType:
        """Their columns."""
        return stored_schema(self.schema)

    @classmethod
    def of(cls, staged: Staged, form: str, about: Mapping[str, Any]) -> Kept:
        """Return what there is to know of staged rows.

        Args:
            staged: The rows.
            form: The format of their files.
            about: What the job says of the run, as JSON data.
        """
        schema = staged.df.schema.json()
        return cls(
            schema=schema,
            format=form,
            rows=staged.rows,
            rejected=staged.rejected,
            about=about,
            again=staged.again,
        )

    def staged(self, df: DataFrame) -> Staged:
        """Return the rows, which ``df`` reads, as what is staged."""
        return Staged(df, self.rows, self.rejected, "kept", again=self.again)

    def to_text(self) -> str:
        """Return it as JSON text."""
        return json.dumps({"version": _VERSION, **asdict(self)}, indent=1)

    @classmethod
    def from_text(cls, text: str, *, where: str) -> Kept:
        """Read it.

        Raises:
            WarehouseError: It is damaged, or another spark_infer wrote it.
        """
        try:
            data = parse(text.encode())
            if data.pop("version") != _VERSION:
                raise ValueError
            found = cls(**data)
            check_fields(found, where=where, error=WarehouseError)
            stored_schema(found.schema)
            if (
                found.format.lower() not in _FORMATS
                or min(found.rows, found.rejected, found.again) < 0
            ):
                raise ValueError
            return found
        except (ValueError, KeyError, TypeError, AttributeError, WarehouseError):
            raise WarehouseError(
                f"{where} is damaged, or another spark_infer wrote it; remove it, and run the same "
                "range again"
            ) from None


def find_kept(target: Target, places: Iterable[Folder]) -> tuple[RunFolder, Kept]:
    """Return the folder of a run that is kept, and what there is to know of it.

    Args:
        target: The table, with the run's id.
        places: Where the folders of runs are.

    Raises:
        WarehouseError: Nothing is kept of it; the message says why, as far as that can be told.
    """
    known = False
    for place in places:
        run = RunFolder(place.child(target.run_id))
        text = run.kept()
        if run.is_published or run.is_being_published:
            known = True
        elif text is not None:
            return run, Kept.from_text(text, where=str(run.folder))
    raise nothing_kept(target, known=known)


def is_published(target: Target) -> bool:
    """Return whether the table has rows of the run."""
    table = target.table(anew=True)
    if table is None or "run_id" not in table.columns.names:
        return False
    return bool(target.rows().where(F.col("run_id") == target.run_id).limit(1).count())


def nothing_kept(target: Target, *, known: bool = False) -> WarehouseError:
    """Return the error that nothing is kept of a run, and why, as far as that can be told.

    Args:
        target: The table, with the run's id.
        known: Whether it is known that the run is published.
    """
    why = "a gate has not stopped it, it was dropped, or its seven days are over"
    return WarehouseError(
        f"nothing is kept of run {target.run_id} for {target.named}: "
        f"{'it is published already' if known or is_published(target) else why}"
    )


def check_latest(
    target: Target,
    partitions: frozenset[Partition],
    rows: DataFrame,
    replaced_by: Iterable[str] = (),
) -> None:
    """Prove that no later run has published what one that was kept would replace.

    Args:
        target: The table, with the run's id.
        partitions: Those that an overwrite replaces.
        rows: Those that are kept, of which a merge replaces the keys.
        replaced_by: Runs that have replaced some of the partitions, perhaps by no row.

    Raises:
        WarehouseError: One has.
    """
    if target.table(anew=True) is None or target.is_appended:
        return
    # A run's id begins with the time at which it began.
    is_later = F.col("run_id") > target.run_id
    if target.is_merged:
        later = with_known(target.rows().where(is_later), rows, target.key)
        what, found = "rows", later.select("run_id").distinct().collect()
    else:
        later = target.in_partitions(partitions).where(is_later)
        by = partition_texts(target.config.partition_by)
        what, found = "partitions", later.select("run_id", by.alias("at")).distinct().collect()
        found = [row for row in found if tuple(row["at"]) in partitions]
    others = {run_id for run_id in replaced_by if run_id > target.run_id}
    if runs := sorted({row["run_id"] for row in found} | others):
        raise WarehouseError(
            f"run {some(runs)} has since written {what} that run {target.run_id} would replace "
            "with older predictions, and nothing was published; drop what is kept of it, or run "
            "the same range again"
        )
