"""Which rows of the target a run is about."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_infer.errors import ConfigError, WarehouseError, some
from spark_infer.spark.names import Names, unused
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.reading.conjuncts import conjuncts, unmet
from spark_infer.warehouse.reading.source import where
from spark_infer.warehouse.rows.keys import Keys, Partition, partitions_of

if TYPE_CHECKING:
    from spark_infer.warehouse.sinks.target import Target


@dataclass(frozen=True)
class Coverage:
    """The conditions by which a run takes rows of its source, asked of the target.

    Attributes:
        filter: The job's ``source.filter``.
        rows, partitions: The job's ``rows`` and ``target.partitions``.
        values: The parameters, as ``with_session_zone`` returned them.
        carried: Key and kept columns, as far as the source or the job's features have them. Not
            the bundle's, which no condition sees.
        derived: Names of the job's features, which ``filter`` does not see.
        present: The rows that the source has, of which only some are staged; None where all are.
        left_alone: Partitions that hold what the source has, of which none is staged.
    """

    filter: str | None
    rows: str | None
    partitions: str | None
    values: Mapping[str, Any]
    carried: Sequence[str]
    derived: Collection[str]
    present: DataFrame | None = None
    left_alone: frozenset[Partition] = frozenset()

    @classmethod
    def of_nothing(cls) -> Coverage:
        """Return what a run is about that scores nothing."""
        return cls(filter=None, rows=None, partitions=None, values={}, carried=(), derived=())

    def check_condition(self, rows: DataFrame, partition_by: Sequence[str]) -> None:
        """Prove, before a row is read, that ``target.partitions`` is about partition columns.

        Raises:
            ConfigError: It names other columns, or does not fit them or the parameters.
        """
        self._inside(rows, partition_by, self.partitions)

    def check_inside(self, rows: DataFrame, partition_by: Sequence[str]) -> None:
        """Prove that rows stand in the partitions that the run is about.

        Raises:
            WarehouseError: Some do not.
        """
        if self.partitions is None:
            return
        outside = self._inside(rows, partition_by, unmet(self.partitions))
        if lost := sorted(partitions_of(outside, partition_by), key=str):
            named = [_described(values, partition_by) for values in lost]
            raise WarehouseError(
                f"rows of {some(named)} do not meet target.partitions ({self.partitions}), which "
                "says what the run is about; nothing was written: correct it, source.filter or rows"
            )

    def _inside(self, rows: DataFrame, by: Sequence[str], condition: str | None) -> DataFrame:
        found = rows.select(*map(quoted, by))
        return where(found, condition, self.values, key="target.partitions")

    def check_stale(
        self, target: DataFrame, keys: Keys, partition_by: Sequence[str], *, table: str
    ) -> None:
        """Find partitions that the run would have replaced, had the source rows for them.

        Raises:
            WarehouseError: There are some, or there are no rows to score and nobody can tell.
        """
        if stale := self.stale(target, keys, partition_by, table=table):
            named = [_described(values, partition_by) for values in sorted(stale, key=str)]
            raise WarehouseError(
                f"the source has no rows any more for {some(named)} of target table "
                f"{table!r}, whose predictions would stay; remove them (ALTER TABLE "
                f"{table} DROP PARTITION ({named[0]})), or run again when the rows are there"
            )

    def stale(
        self, target: DataFrame, keys: Keys, partition_by: Sequence[str], *, table: str
    ) -> frozenset[Partition]:
        """Return the partitions of the target that the run is about and has no rows for.

        Raises:
            WarehouseError: There are no rows to score, and nobody can tell what they would be of.
        """
        covered = self.of(target, partition_by)
        if covered is not None:
            return (
                frozenset(partitions_of(covered, partition_by)) - keys.partitions - self.left_alone
            )
        if not keys.rows and not self.left_alone and target.limit(1).count():
            raise WarehouseError(
                f"there are no rows to score, and target table {table!r} has "
                "predictions that may be of rows which have left the source: source.filter and "
                "rows do not tell which of its partitions they are about; delete what is "
                "stale (ALTER TABLE ... DROP PARTITION), or run again when the rows are there"
            )
        return frozenset()

    def emptied(self, target: Target, keys: Keys) -> frozenset[Partition]:
        """Return the partitions that an overwrite is about and has no rows for.

        Raises:
            WarehouseError: Nobody can tell, or rows would be removed that the run is not about.
        """
        by, table = target.config.partition_by, target.config.table
        stale = self.stale(target.rows(), keys, by, table=table)
        if partitions := keys.partitions | stale:
            self.check_replaced(target.in_partitions(partitions), partitions, by, table=table)
        return stale

    def check_replaced(
        self,
        replaced: DataFrame,
        partitions: frozenset[Partition],
        partition_by: Sequence[str],
        *,
        table: str,
    ) -> None:
        """Find rows that the run would remove, and which are none of those that it is about.

        A condition on a column that the target does not have tells nothing of its rows: most
        conditions are such (``amount > 0``), and what they exclude has mostly never been there.

        Args:
            replaced: The target's rows in those partitions, and perhaps others.
            partitions: The partitions that the run replaces.
            partition_by: Partition columns of the target.
            table: Its name.

        Raises:
            WarehouseError: There are some.
        """
        for condition, others in self._excluded(replaced, partition_by):
            lost = sorted(partitions_of(others, partition_by) & partitions, key=str)
            if lost:
                named = [_described(values, partition_by) for values in lost]
                raise WarehouseError(
                    f"target table {table!r} has predictions in {some(named)} of rows that do not "
                    f"meet {condition!r}, and this run, which is not about them, would replace the "
                    "whole partition; add the condition's column to target.partition_by (of a new "
                    "table), or use mode append"
                )

    def of(self, target: DataFrame, partition_by: Sequence[str]) -> DataFrame | None:
        """Return the target's rows that the run would replace, if the conditions can tell.

        They can where each names carried columns only and both together name a partition column:
        a job without such a condition says nothing about the partitions that it does not read.
        Or ``target.partitions`` says it.
        """
        if self.partitions is not None:
            return self._inside(target, partition_by, self.partitions)
        told = self._told(target)
        if told is None:
            return None
        key = Names.of_session(target.sparkSession).key
        rows, asked = told
        return None if asked.isdisjoint(map(key, partition_by)) else rows

    @property
    def is_whole(self) -> bool:
        """Whether the run is about all rows of its source."""
        return self.filter is None and self.rows is None and self.partitions is None

    def owned(self, target: DataFrame, *, setting: str = "target.delete_missing") -> DataFrame:
        """Return the carried columns of the target's rows that the run is about.

        Args:
            target: The rows.
            setting: What in the job file asks.

        Raises:
            WarehouseError: The conditions do not tell which rows these are.
        """
        if self.partitions is not None:
            return where(target, self.partitions, self.values, key="target.partitions")
        told = self._told(target)
        if told is None:
            raise WarehouseError(
                f"{setting}: source.filter and rows are about other columns than the "
                "key and target.keep, or are not the same each time, so that nobody can tell "
                "which rows of the target have left the source; keep their columns, say "
                "target.partitions, or leave the conditions out"
            )
        return told[0]

    def _told(self, target: DataFrame) -> tuple[DataFrame, set[str]] | None:
        """Return the target's rows that meet all conditions, and the columns that these name."""
        key = Names.of_session(target.sparkSession).key
        asked: set[str] = set()
        rows, by_filter, by_rows = self._carried(target)
        for condition, names in ((self.filter, by_filter), (self.rows, by_rows)):
            rows = _renamed(rows, names)
            if condition is None:
                continue
            met = self._met(rows, condition)
            if met is None:
                return None
            rows = met.rows
            asked |= set(map(key, met.columns))
        return rows, asked

    def _excluded(
        self, target: DataFrame, partition_by: Sequence[str]
    ) -> Iterator[tuple[str, DataFrame]]:
        """Yield parts of the conditions, and the target's rows that do not meet them.

        Not of parts that are about partitions only, which the run's own rows meet, and not of
        those with a subquery: a row that left its answer may have left the source.
        """
        spark = target.sparkSession
        key = Names.of_session(spark).key
        partitions = set(map(key, partition_by))
        rows, by_filter, by_rows = self._carried(target)
        for condition, names, back in ((self.filter, by_filter, by_rows), (self.rows, by_rows, {})):
            rows = _renamed(rows, names)
            for part in conjuncts(spark, condition) if condition else ():
                others = self._met(rows, unmet(part))
                if (
                    others is None
                    or others.has_subquery
                    or partitions >= set(map(key, others.columns))
                ):
                    continue
                yield part, _renamed(others.rows, back)

    def _carried(self, target: DataFrame) -> tuple[DataFrame, dict[str, str], dict[str, str]]:
        """Return the carried columns, and their names as ``filter`` and then ``rows`` see them."""
        names = Names.of_session(target.sparkSession)
        features = {names.key(name) for name in self.derived}
        carried = [column for name in self.carried for column in names.find(name, target.columns)]
        hidden = [name for name in carried if names.key(name) in features]
        # Under other names: the source has its own column of such a name, or none.
        renamed = dict(zip(hidden, unused(carried, len(hidden)), strict=True))
        back = {other: name for name, other in renamed.items()}
        return target.select(*map(quoted, carried)), renamed, back

    def _met(self, rows: DataFrame, condition: str) -> _Met | None:
        """Return the rows that meet a condition; None where they cannot tell."""
        try:
            met = where(rows, condition, self.values, key="condition")
        except ConfigError:
            return None
        found = _condition_of(met)
        if found is None or not found.deterministic():
            return None
        references = found.references().toSeq()
        columns = [str(references.apply(at).name()) for at in range(references.size())]
        jvm: Any = rows.sparkSession.sparkContext._jvm
        subqueries = jvm.org.apache.spark.sql.catalyst.expressions.SubqueryExpression
        return _Met(met, columns, bool(subqueries.hasSubquery(found)))


class _Met(NamedTuple):
    """Rows that meet a condition, the columns that it names, and whether it asks other tables."""

    rows: DataFrame
    columns: list[str]
    has_subquery: bool


def _renamed(rows: DataFrame, names: Mapping[str, str]) -> DataFrame:
    named = (F.col(quoted(name)).alias(names.get(name, name)) for name in rows.columns)
    return rows.select(*named) if names else rows


def _described(values: Partition, partition_by: Sequence[str]) -> str:
    pairs = zip(partition_by, values, strict=True)
    return ", ".join(f"{name}={'NULL' if value is None else repr(value)}" for name, value in pairs)


def _condition_of(rows: DataFrame) -> Any:
    """Return the analyzed condition of a query that ends in a filter; None of any other."""
    plan: Any = rows._jdf.queryExecution().analyzed()
    while plan.nodeName() != "Filter":
        if plan.children().size() != 1:
            return None
        plan = plan.children().head()
    return plan.condition()
