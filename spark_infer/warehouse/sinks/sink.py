"""What every sink does: rows are staged where no reader looks, then published in one step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from spark_infer.spark.prediction import Prediction
from spark_infer.warehouse.rows.keys import Keys
from spark_infer.warehouse.rows.staged import Staged


@dataclass(frozen=True)
class Published:
    """What a run has put into its target.

    Attributes:
        rows: Number of rows.
        rejected: Rows among them that have no prediction.
    """

    rows: int
    rejected: int


@dataclass(frozen=True)
class Means:
    """How a sink would put rows into its target.

    Attributes:
        writer: Who would write them: ``workers``, or ``jvm``, with the reason.
        sql: The statement by which they would be published.
    """

    writer: str
    sql: str


class Sink(Protocol):
    """Stages and publishes rows into one kind of target."""

    def check(self, schema: StructType) -> None:
        """Prove, before a row is read, that rows of this schema can be written and come back.

        Raises:
            WarehouseError, ConfigError: They cannot, or do not.
        """
        ...

    def intent(self) -> str:
        """Say what publishing would do to the target."""
        ...

    def means(self, prediction: Prediction) -> Means:
        """Say how rows would be put into the target, whose schema was checked."""
        ...

    def recover(self) -> tuple[str, ...]:
        """Complete or undo what runs have left that were killed.

        Returns:
            The runs that are completed now.

        Raises:
            WarehouseError: That cannot be done.
        """
        ...

    def pending(self, rows: DataFrame) -> DataFrame:
        """Return those of the rows that are to be scored."""
        ...

    def stage(self, prediction: Prediction) -> Staged:
        """Score the rows to where no reader looks, and count them."""
        ...

    def check_rows(self, staged: Staged, keys: Keys) -> None:
        """Prove that publishing these rows leaves nothing stale behind, and removes no others.

        Raises:
            WarehouseError: It would, there is nothing to write, the run is not about some rows, or
                they were kept and the target has changed since, so that they cannot be published.
        """
        ...

    def publish(self, staged: Staged, keys: Keys) -> Published:
        """Make the rows visible, and look whether they are there.

        Raises:
            WarehouseError: They cannot be, or what is there afterwards is something else.
        """
        ...

    def discard(self, staged: Staged | None) -> None:
        """Drop what was staged, also where that has failed.

        Nothing is raised: whoever calls this may be handling an error.
        """
        ...


@runtime_checkable
class KeepingSink(Sink, Protocol):
    """A sink that can keep what is staged, for somebody who decides later."""

    def keep(self, staged: Staged, about: Mapping[str, Any]) -> None:
        """Have what is staged outlast the run.

        Args:
            staged: The rows.
            about: What there is to know of the run, as JSON data.
        """
        ...

    def kept(self) -> Mapping[str, Any]:
        """Return what was said of the run when it was kept.

        Raises:
            WarehouseError: Nothing is kept of it.
        """
        ...

    def reopen(self) -> Staged:
        """Return what is kept, and hold it: no other process drops or publishes it meanwhile.

        Raises:
            WarehouseError: Nothing is kept, another process holds it, or the table is of another
                format by now.
        """
        ...

    def drop(self) -> None:
        """Drop what is kept. Errors are those of ``reopen``."""
        ...
