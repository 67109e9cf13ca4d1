"""What is compared: the rows of a run, and those of its target."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_infer.bundle import Bundle
from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.spark.features import Featured
from spark_infer.warehouse.config import LINEAGE_COLUMNS, JobConfig
from spark_infer.warehouse.config.target.incremental import GONE_COLUMN, HASH_COLUMN
from spark_infer.warehouse.ledger.matched import Matched
from spark_infer.warehouse.ledger.side import Side
from spark_infer.warehouse.rows.pending import is_pending
from spark_infer.warehouse.sinks import Target

_, _DIGEST, _, _ = LINEAGE_COLUMNS


@dataclass(frozen=True)
class Sides:
    """Finds in source and target what is compared of their rows.

    Attributes:
        config: The job file.
        bundle: Its bundle.
        target: The target.
        match: How a row is found there.
    """

    config: JobConfig
    bundle: Bundle
    target: Target
    match: Matched

    @property
    def by(self) -> list[str]:
        """The partition columns, as they are called among what identifies a row."""
        columns, names = self.match.columns, self.match.names
        by = self.config.target.partition_by
        return [names.one(name, columns, where="target.partition_by") for name in by]

    @property
    def compares(self) -> bool:
        """Whether rows are left out that are as they were."""
        return self.config.incremental.compares(self.config.target.mode)

    def ours(self, rows: Featured) -> Side:
        """Return the rows of the source."""
        keys = {name: rows.column(name, where="key") for name in self.match.columns}
        keep = [rows.column(name, where="target.keep") for name in self._keep()]
        return Side(rows.df, keys, keep, self._content(), F.lit(True))

    def there(self) -> Side:
        """Return the rows of the target."""
        rows, names = self.target.rows(), self.match.names
        keys = dict(zip(self.match.columns, self.match.keys(rows).columns, strict=True))
        keep = [names.one(name, rows.columns, where="target.keep") for name in self._keep()]
        return Side(rows, keys, keep, self._content(), self._is_known(rows))

    def known(self) -> DataFrame:
        """Return the rows of the target that this bundle has scored."""
        rows = self.target.rows()
        return rows.where(self._is_known(rows))

    def rejected_again(self, staged: DataFrame, there: DataFrame) -> int:
        """Return how many rejected rows the target has as such, of the same values.

        Args:
            staged: Rows that this bundle has scored.
            there: Rows of the target.
        """
        alike = Matched([*self.match.columns, HASH_COLUMN], self.match.names)
        is_rejected = F.col(REASON_COLUMN).isNotNull() & ~is_pending()
        known = there.where((F.col(_DIGEST) == self.bundle.digest) & is_rejected)
        return alike.those_in(staged.where(is_rejected), known).count()

    def has_all_columns(self, columns: tuple[str, ...]) -> bool:
        """Return whether the target is there; where it has other columns its check tells.

        Args:
            columns: Those of the ledger.
        """
        table = self.target.table()
        outputs = [output.name for output in self.bundle.signature.outputs]
        kept = [*self.match.columns, *self.config.target.keep, *columns]
        wanted = [*kept, *outputs, REASON_COLUMN, *LINEAGE_COLUMNS]
        there = () if table is None else table.columns.names
        return all(self.match.names.find(name, there) for name in wanted)

    def _content(self) -> Column:
        return F.col(HASH_COLUMN) if self.compares else F.lit(None).cast("string")

    def _is_known(self, rows: DataFrame) -> Column:
        """Return whether this bundle has scored a row of the target, which has a prediction."""
        if not self.compares:
            return F.lit(False)
        is_known = (F.col(_DIGEST) == self.bundle.digest) & F.col(REASON_COLUMN).isNull()
        is_marked = self.match.names.find(GONE_COLUMN, rows.columns)
        # One that comes back is scored again, which takes the mark away.
        return is_known & F.col(GONE_COLUMN).isNull() if is_marked else is_known

    def _keep(self) -> list[str]:
        key = self.match.names.key
        known = set(map(key, self.match.columns))
        return [name for name in self.config.target.keep if key(name) not in known]
