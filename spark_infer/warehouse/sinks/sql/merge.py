"""Rows are updated, added and deleted by key, in one statement."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_infer.errors import WarehouseError, some
from spark_infer.spark.names import unused
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.rows.by_key import with_known, without_known
from spark_infer.warehouse.rows.keys import Keys
from spark_infer.warehouse.rows.staged import Staged
from spark_infer.warehouse.sinks.coverage import Coverage
from spark_infer.warehouse.sinks.sql.view import View
from spark_infer.warehouse.sinks.target import Target

_FAILED = "Error occurred during query planning"
_MAX_EXAMPLES = 3
_THERE, _OURS = "`spark_infer target`", "`spark_infer rows`"


@dataclass(frozen=True)
class Merge:
    """A run's ``MERGE`` into its target.

    Attributes:
        target: The table.
        coverage: Which rows of it the run is about.
    """

    target: Target
    coverage: Coverage

    def check(self) -> None:
        """Prove, before a row is read, that the table takes it, and what it would delete.

        Raises:
            WarehouseError: It does not, or nobody can tell.
        """
        target = self.target
        if target.table(anew=True) is None:
            return
        rows = target.rows()
        gone = self.coverage.owned(rows) if target.config.delete_missing else None
        view = View(rows.limit(0) if gone is None else _marked(rows.limit(0), rows.limit(0)))
        with view as name:
            planned = target.spark.sql(f"EXPLAIN {self.statement(target.name.sql, name)}")
            text = "\n".join(str(row[0]) for row in planned.collect())
        if text.startswith(_FAILED):
            reason = text.partition("\n")[2].split("\n")[0].strip().rstrip(".")
            raise WarehouseError(
                f"target.mode merge: table {target.config.table!r} takes no MERGE ({reason}); "
                "use a table of a catalog with row-level SQL such as Iceberg, with its extensions "
                "in spark.sql.extensions, or mode overwrite or append"
            )

    def check_rows(self, staged: Staged, keys: Keys) -> None:
        """Prove that each row has one place in the target, and that the rest may be deleted.

        Raises:
            WarehouseError: A key stands in several rows of the target, or all would be deleted.
        """
        target = self.target
        self.coverage.check_inside(staged.df, target.config.partition_by)
        if target.table(anew=True) is None:
            target.check_has_rows(keys)
            return
        # Their places tell the columns apart: a key may have any name.
        places = [str(place) for place in range(len(target.key))]
        key = (F.col(quoted(n)).alias(p) for n, p in zip(target.key, places, strict=True))
        known = with_known(target.rows(), staged.df, target.key)
        repeated = known.groupBy(*key).count()
        shown = F.concat_ws(", ", *(F.col(place).cast("string") for place in places))
        bad = repeated.where(F.col("count") > 1).select(shown)
        if found := [str(row[0]) for row in bad.take(_MAX_EXAMPLES)]:
            raise WarehouseError(
                f"{target.named} holds several rows of one key "
                f"{list(target.key)} ({some(found)}), and a merge would make each of them the "
                "same row; nothing was written: remove all but one of them"
            )
        is_emptied = target.config.delete_missing and self.coverage.is_whole and not keys.rows
        if is_emptied and self.coverage.present is not None:
            is_emptied = not self.coverage.present.limit(1).count()
        if is_emptied and target.rows().limit(1).count():
            raise WarehouseError(
                f"there are no rows to score, and target.delete_missing would empty table "
                f"{target.config.table!r}; nothing was written: look at the source, or delete the "
                "rows yourself"
            )

    def write(self, staged: Staged, into: str, there: DataFrame) -> None:
        """Run the statement.

        Args:
            staged: The rows.
            into: SQL name of the table, or of its branch.
            there: Its rows.
        """
        with View(self._source(staged.df, there)) as name:
            self.target.spark.sql(self.statement(into, name))

    def gone(self, rows: DataFrame, there: DataFrame) -> DataFrame:
        """Return the keys that the run is about, and that have left the source."""
        key = list(map(quoted, self.target.key))
        owned = self.coverage.owned(there).select(*key).distinct()
        present = self.coverage.present
        return without_known(owned, rows if present is None else present, self.target.key)

    def _source(self, rows: DataFrame, there: DataFrame) -> DataFrame:
        ordered = rows.select(*map(quoted, there.columns))
        if not self.target.config.delete_missing:
            return ordered
        return _marked(ordered, self.gone(rows, there))

    def statement(self, into: str, view: str) -> str:
        """Return the statement.

        Args:
            into: SQL name of the table, or of its branch.
            view: SQL name of the rows.
        """
        target = self.target
        columns = [quoted(name) for name in target.rows().columns]
        same = " AND ".join(f"{_THERE}.{c} <=> {_OURS}.{c}" for c in map(quoted, target.key))
        updates = ", ".join(f"{c} = {_OURS}.{c}" for c in columns)
        values = ", ".join(f"{_OURS}.{c}" for c in columns)
        mark = f"{_OURS}.{quoted(_mark(target.rows().columns))}"
        deletes, others = "", ""
        if target.config.delete_missing:
            deletes, others = f"WHEN MATCHED AND {mark} THEN DELETE ", f"AND NOT {mark} "
        return (
            f"MERGE INTO {into} AS {_THERE} USING {view} AS {_OURS} ON {same} {deletes}"
            f"WHEN MATCHED THEN UPDATE SET {updates} "
            f"WHEN NOT MATCHED {others}THEN INSERT ({', '.join(columns)}) VALUES ({values})"
        )


def _mark(columns: list[str]) -> str:
    (name,) = unused(columns, 1)
    return name


def _marked(rows: DataFrame, gone: DataFrame) -> DataFrame:
    """Return rows, and keys that are to be deleted, with a column that says which they are."""
    mark = _mark(rows.columns)
    marked = rows.select("*", F.lit(False).alias(mark))
    left = gone.select("*", F.lit(True).alias(mark))
    return marked.unionByName(left, allowMissingColumns=True)
