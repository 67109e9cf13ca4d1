"""What every sink does: rows are staged where no reader looks, then published in one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from spark_infer.warehouse.rows.keys import Keys
from spark_infer.warehouse.rows.staging import Staged


@dataclass(frozen=True)
class Published:
    """What a run has put into its target.

    Attributes:
        rows: Number of rows.
        rejected: Rows among them that have no prediction.
    """

    rows: int
    rejected: int


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

    def check_rows(self, keys: Keys, schema: StructType) -> None:
        """Prove, before a row is scored, that these rows leave nothing stale behind.

        Raises:
            WarehouseError: They do, or there is nothing to write.
        """
        ...

    def stage(self, df: DataFrame, keys: Keys) -> Staged:
        """Score the rows to where no reader looks, and count them.

        Raises:
            WarehouseError: They are not the rows whose keys were checked.
        """
        ...

    def publish(self, staged: Staged) -> Published:
        """Make the rows visible, and look whether they are there.

        Raises:
            WarehouseError: They cannot be, or what is there afterwards is something else.
        """
        ...

    def discard(self, staged: Staged) -> None:
        """Drop what was staged. Nothing is raised: whoever calls this may be handling an error."""
        ...
