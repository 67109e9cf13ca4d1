"""Which rows of the target a run is about."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_infer.errors import ConfigError
from spark_infer.spark.names import Names, unused
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.source import where


@dataclass(frozen=True)
class Coverage:
    """The conditions by which a run takes rows of its source, asked of the target.

    Attributes:
        filter: The job's ``source.filter``.
        rows: The job's ``rows``.
        values: The parameters, as ``with_session_zone`` returned them.
        carried: Columns that the target has from the source and the job's features: the key and
            those that are kept. Not the bundle's features, which no condition sees.
        derived: Names of the job's features, which ``filter`` does not see.
    """

    filter: str | None
    rows: str | None
    values: Mapping[str, Any]
    carried: Sequence[str]
    derived: Collection[str]

    def of(self, target: DataFrame, partition_by: Sequence[str]) -> DataFrame | None:
        """Return the target's rows that the run would replace, if the conditions can tell.

        They can where each names carried columns only and both together name a partition column:
        a job without such a condition says nothing about the partitions that it does not read.
        """
        names = Names.of_session(target.sparkSession)
        features = {names.key(name) for name in self.derived}
        carried = [column for name in self.carried for column in names.find(name, target.columns)]
        rows = target.select(*map(quoted, carried))
        hidden = [name for name in carried if names.key(name) in features]
        # Under other names: the source has its own column of such a name, or none.
        renamed = dict(zip(hidden, unused(carried, len(hidden)), strict=True))
        back = {other: name for name, other in renamed.items()}
        asked: set[str] = set()
        for condition, names_now in ((self.filter, renamed), (self.rows, back)):
            rows = rows.select(
                *(F.col(quoted(name)).alias(names_now.get(name, name)) for name in rows.columns)
            )
            if condition is None:
                continue
            try:
                rows = where(rows, condition, self.values, key="condition")
            except ConfigError:
                return None
            found = _condition_of(rows)
            if found is None or not found.deterministic():
                return None
            references = found.references().toSeq()
            asked |= {
                names.key(str(references.apply(place).name())) for place in range(references.size())
            }
        if asked.isdisjoint(map(names.key, partition_by)):
            return None
        return rows


def _condition_of(rows: DataFrame) -> Any:
    """Return the analyzed condition of a query that ends in a filter; None of any other."""
    plan: Any = rows._jdf.queryExecution().analyzed()
    while plan.nodeName() != "Filter":
        if plan.children().size() != 1:
            return None
        plan = plan.children().head()
    return plan.condition()
