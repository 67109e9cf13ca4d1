"""Which rows of a database's table a run replaces, and that these are no others'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql.types import StructField, StructType

from spark_infer.errors import WarehouseError
from spark_infer.spark.names import Names
from spark_infer.warehouse.rows.keys import Keys, Partition
from spark_infer.warehouse.rows.staged import Staged
from spark_infer.warehouse.sinks.coverage import Coverage
from spark_infer.warehouse.sinks.jdbc.database import Database
from spark_infer.warehouse.sinks.jdbc.postgresql.catalog import DatabaseTable
from spark_infer.warehouse.sinks.jdbc.postgresql.connection import Connection
from spark_infer.warehouse.sinks.jdbc.postgresql.dialect import in_partitions
from spark_infer.warehouse.sinks.jdbc.postgresql.hazards import check_hazards
from spark_infer.warehouse.sinks.target import Target

_RIGHTS = {
    "append": ("SELECT", "INSERT"),
    "merge": ("SELECT", "INSERT", "UPDATE"),
    "overwrite": ("SELECT", "INSERT", "DELETE"),
}


@dataclass(frozen=True)
class Replaced:
    """The target's rows, as what a run covers looks at them.

    Attributes:
        target: What the job wants of the table.
        coverage: Which rows of it the run replaces.
        database: Where it is.
        names: The rule by which names are the same.
    """

    target: Target
    coverage: Coverage
    database: Database
    names: Names

    @property
    def is_all(self) -> bool:
        """Whether an overwrite replaces the whole table."""
        return self.target.is_overwritten and not self.target.config.partition_by

    def table(self, connection: Connection, schema: StructType) -> DatabaseTable | None:
        """Return the table, which takes rows of a schema; None where it is not there.

        Raises:
            WarehouseError: It does not take them.
        """
        target, table = self.target, self.database.find(connection)
        text = repr(target.config.table)
        if table is None:
            return None
        table.check_columns(schema, self.names, text)
        rights = [*_RIGHTS[target.config.mode], *(["DELETE"] * target.config.delete_missing)]
        table.check_rights(rights, text)
        if target.is_merged:
            table.check_unique(target.key, self.names, text)
        check_hazards(connection, table.name, target.config.mode, text)
        return table

    def there(
        self,
        table: DatabaseTable,
        fields: Sequence[StructField],
        *,
        where: str = "true",
        distinct: bool = False,
    ) -> DataFrame:
        """Return columns of the target, which has them; arguments are those of ``Database.read``.

        Args:
            table: The target.
            fields: The run's, whose names and types the columns get.
            where: See there.
            distinct: See there.
        """
        spelled = table.spelled([field.name for field in fields], self.names)
        columns = [
            (field.name, there, field.dataType)
            for field, there in zip(fields, spelled, strict=True)
        ]
        return self.database.read(table.name.sql, columns, where=where, distinct=distinct)

    def check(
        self, staged: Staged, keys: Keys, table: DatabaseTable | None
    ) -> frozenset[Partition]:
        """Return the partitions that are to be emptied.

        Args:
            staged: The rows.
            keys: What was found when their keys were checked.
            table: The target; None where it is not there.

        Raises:
            WarehouseError: Rows would be removed that the run is not about, or nobody can tell, or
                there is nothing to write.
        """
        config, schema = self.target.config, staged.df.schema
        self.coverage.check_inside(staged.df, config.partition_by)
        if table is None:
            self.target.check_has_rows(keys)
            return frozenset()
        if self.target.is_overwritten and not self.is_all:
            return self._emptied(keys, table, schema)
        empties = self.is_all or (config.delete_missing and self.coverage.is_whole)
        if empties and not keys.rows and self.there(table, schema.fields).limit(1).count():
            raise WarehouseError(
                f"there are no rows to score, and the run would empty table {config.table!r}; "
                "nothing was written: look at the source, or delete the rows yourself"
            )
        return frozenset()

    def _emptied(
        self, keys: Keys, table: DatabaseTable, schema: StructType
    ) -> frozenset[Partition]:
        """Do as ``Coverage.emptied`` does, and read no more of the table than it takes."""
        by, text = self.target.config.partition_by, self.target.config.table
        fields = [schema[name] for name in self.target.partition_columns(schema.names)]
        there = self.there(table, fields, distinct=True)
        if self.coverage.of(there, by) is None:  # The conditions are not about partitions alone.
            there = self.there(table, schema.fields)
        stale = self.coverage.stale(there, keys, by, table=text)
        if partitions := keys.partitions | stale:
            spelled = table.spelled([field.name for field in fields], self.names)
            types = [(name, f.dataType) for name, f in zip(spelled, fields, strict=True)]
            inside = in_partitions(types, sorted(partitions, key=str))
            others = self.there(table, schema.fields, where=inside)
            self.coverage.check_replaced(others, partitions, by, table=text)
        return stale
