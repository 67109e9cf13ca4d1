"""What the model reads of some rows, without computing it of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_infer.bundle import Signature
from spark_infer.spark.columns.model_columns import ModelColumns
from spark_infer.spark.features import Featured
from spark_infer.spark.names import Names
from spark_infer.spark.plans import attribute_id, items, kind_of
from spark_infer.spark.wire import quoted
from spark_infer.spark.wire.source import as_column
from spark_infer.warehouse.ledger.matched import Matched

_FEW = 100_000
"""Keys that each task may look at, so that the rows of the source need not be moved."""


class ModelValues:
    """Reads the values of rows again from which a model was to predict.

    Only the rows are read of the source that are asked for. Where windows are among the features,
    those are that stand in a window with one of them, as far as all windows are cut by the same
    columns; else all are.

    Args:
        rows: The rows, features beside them.
        signature: What the model reads of them.
        key: Columns that identify a row.
        names: The rule by which names are the same.
    """

    def __init__(
        self, rows: Featured, signature: Signature, key: Sequence[str], names: Names
    ) -> None:
        self._rows = rows
        self._names = names
        self._match = Matched(key, names)
        self._columns = ModelColumns.find(rows, signature, names).columns

    def of(self, keys: DataFrame, num_keys: int, name: str) -> DataFrame:
        """Return the keys of rows, and what the model reads of them as JSON.

        Args:
            keys: Rows with the key's columns.
            num_keys: How many they are.
            name: What to call the column.
        """
        rows = self._rows.df
        wanted = self._match.keys(keys)
        if num_keys <= _FEW:
            wanted = F.broadcast(wanted)
        if cut := _cut_by(rows):
            # Spark has a join by these columns before the windows, and one by the key behind them.
            near = self._match.those_in(rows, wanted).select(*map(quoted, cut)).distinct()
            rows = Matched(cut, self._names).those_in(rows, near)
        found = self._match.those_in(rows, wanted)
        columns = (as_column(column).alias(each) for each, column in self._columns.items())
        values = F.to_json(F.struct(*columns), {"ignoreNullFields": "false"})
        keys_there = self._match.keys(rows).columns
        return found.select(*map(quoted, keys_there), values.alias(name))


def _cut_by(rows: DataFrame) -> list[str]:
    """Return the columns by which all windows of a query are cut; none where others are."""
    plan: Any = rows._jdf.queryExecution().optimizedPlan()
    there = {attribute_id(column): str(column.name()) for column in items(plan.output())}
    cuts: set[frozenset[Any]] = set()
    pending = [plan]
    while pending:
        node = pending.pop()
        pending += items(node.children())
        if kind_of(node) == "Window":
            by = list(items(node.partitionSpec()))
            if not all(kind_of(one) == "AttributeReference" for one in by):
                return []
            cuts.add(frozenset(map(attribute_id, by)))
    shared = frozenset.intersection(*cuts) if cuts else frozenset()
    return [there[one] for one in sorted(shared, key=str) if one in there]
