"""What becomes of the target, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from pyspark.sql.types import DataType, StructField, StructType

from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.errors import WarehouseError, some
from spark_infer.spark.names import Names
from spark_infer.warehouse.config import TargetConfig
from spark_infer.warehouse.rows.keys import Keys, Partition
from spark_infer.warehouse.sinks.jdbc.postgresql.catalog import DatabaseTable
from spark_infer.warehouse.sinks.jdbc.postgresql.connection import Connection
from spark_infer.warehouse.sinks.jdbc.postgresql.dialect import (
    from_wire_sql,
    in_partitions,
    name_sql,
    type_sql,
)
from spark_infer.warehouse.sinks.jdbc.postgresql.failures import SqlError
from spark_infer.warehouse.sinks.jdbc.staging import Staging
from spark_infer.warehouse.sinks.sink import Published


@dataclass(frozen=True)
class Publication:
    """The statements of a run.

    Attributes:
        config: The job file's target.
        key: Columns that identify a row, as the rows spell them.
        schema: The rows'.
        names: The rule by which names are the same.
        staging: The run's tables.
        table: The target; None where it is to be created.
    """

    config: TargetConfig
    key: Sequence[StructField]
    schema: StructType
    names: Names
    staging: Staging
    table: DatabaseTable | None

    def publish(
        self,
        connection: Connection,
        keys: Keys,
        partitions: Collection[Partition],
        *,
        names_gone: bool,
        is_done: Callable[[], bool],
    ) -> Published:
        """Change the target, and drop what was staged: both, or neither.

        Args:
            connection: The database.
            keys: What was found when the rows' keys were checked.
            partitions: Those that an overwrite replaces.
            names_gone: Whether the keys that have left the source are in a table of the run.
            is_done: Finds out, by another connection, whether what was staged is dropped.

        Raises:
            WarehouseError: Other rows were written than are staged.
            SqlError: The database refuses.
        """
        published: Published | None = None
        try:
            with connection.transaction():
                published = self._write(connection, partitions, names_gone)
                self._check_taken(connection, keys, published)
                # Where these are there, nothing was published.
                for table in (self.staging.rows, self.staging.gone):
                    connection.execute(f"DROP TABLE IF EXISTS {table}")
        except SqlError as error:
            # It may be the answer that was lost.
            if published is None or not error.is_passing or not is_done():
                raise
        return published

    def _write(
        self, connection: Connection, partitions: Collection[Partition], names_gone: bool
    ) -> Published:
        if self.table is None:
            self._create(connection)
        elif self.config.mode == "overwrite":
            self._delete_partitions(connection, partitions)
        elif self.config.delete_missing:
            self._delete_keys(connection, names_gone)
        ((rows, rejected),) = connection.query(self.sql)
        return Published(int(rows or 0), int(rejected or 0))

    @property
    def _has_index(self) -> bool:
        """Whether a unique index is on the key; where the table is created, there is."""
        return self.table is None or self.table.finds(self.table.spelled(self._key, self.names))

    @property
    def _key(self) -> list[str]:
        return [field.name for field in self.key]

    @property
    def target(self) -> str:
        """The table's name in SQL."""
        return self.staging.target.sql

    def check_latest(self, connection: Connection, partitions: Collection[Partition]) -> None:
        """Prove that no later run has published what one that was kept would replace.

        Raises:
            WarehouseError: One has.
        """
        if self.table is None or self.config.mode == "append":
            return
        (run_id,) = self._there(["run_id"])
        condition = "true"
        if self.config.mode == "merge":
            condition = f"EXISTS (SELECT FROM {self.staging.rows} r WHERE {self._same('r')})"
        elif self.config.partition_by:
            condition = in_partitions(self._by(), sorted(partitions, key=str)) or "false"
        found = connection.query(
            f"SELECT DISTINCT {run_id} FROM {self.target} t "
            f"WHERE {run_id} COLLATE \"C\" > '{self.staging.run_id}' AND ({condition}) ORDER BY 1"
        )
        if found:
            runs = [str(run) for (run,) in found]
            raise WarehouseError(
                f"run {some(runs)} has since written rows that run {self.staging.run_id} would "
                "replace with older predictions, and nothing was published; drop what is kept of "
                "it, or run the same range again"
            )

    def _create(self, connection: Connection) -> None:
        columns = [f"{name_sql(f.name)} {type_sql(f.dataType)}" for f in self.schema.fields]
        if self.config.mode != "overwrite":
            columns.append(f"PRIMARY KEY ({', '.join(map(name_sql, self._key))})")
        connection.execute(f"CREATE TABLE {self.target} ({', '.join(columns)})")

    def _delete_partitions(self, connection: Connection, partitions: Collection[Partition]) -> None:
        if not self.config.partition_by:
            self._delete(connection, "true")
        elif partitions:
            self._delete(connection, in_partitions(self._by(), sorted(partitions, key=str)))

    def _delete_keys(self, connection: Connection, is_named: bool) -> None:
        rows = f"SELECT FROM {self.staging.rows} r WHERE {self._same('r')}"
        condition = f"NOT EXISTS ({rows})"
        if is_named:
            values = ", ".join(
                f"{from_wire_sql(f.name, f.dataType)} AS {name_sql(f.name)}" for f in self.key
            )
            gone = f"SELECT {values} FROM {self.staging.gone}"
            condition += f" AND EXISTS (SELECT FROM ({gone}) g WHERE {self._same('g')})"
        self._delete(connection, condition)

    def _delete(self, connection: Connection, condition: str) -> None:
        rows = f"FROM {self.target} t WHERE {condition}"
        connection.execute(f"DELETE {rows}")
        if connection.query(f"SELECT {rows} LIMIT 1"):
            raise self._kept_from("kept rows that the run takes away", "keep rows")

    def _check_taken(self, connection: Connection, keys: Keys, published: Published) -> None:
        """Prove that the table took the rows: of an append those whose keys it has not had."""
        taken, wanted = published.rows, keys.rows
        if self.config.mode == "append":
            there = f"EXISTS (SELECT FROM {self.target} t WHERE {self._same('r')})"
            rows = f"SELECT count(*) FROM {self.staging.rows} r WHERE NOT {there}"
            ((left,),) = connection.query(rows)
            wanted = taken + int(left or 0)
        if taken != wanted:
            raise self._kept_from(f"took {taken:,} of {wanted:,} rows", "leave rows out")

    def _kept_from(self, what: str, by: str) -> WarehouseError:
        return WarehouseError(
            f"target table {self.config.table!r} was not written: it {what}; look for triggers, "
            f"rules and policies of the table that {by}"
        )

    @property
    def sql(self) -> str:
        """The statement that puts the rows into the target, and counts them."""
        ours = [field.name for field in self.schema.fields]
        there = self._there(ours)
        (reason,) = self._there([REASON_COLUMN])
        values = ", ".join(f"r.{name_sql(name)}" for name in ours)
        condition, conflict = "true", ""
        key = self._there(self._key)
        if self.config.mode == "append":
            condition = f"NOT EXISTS (SELECT FROM {self.target} t WHERE {self._same('r')})"
            if self._has_index:  # Another program may add such a row meanwhile.
                conflict = f"ON CONFLICT ({', '.join(key)}) DO NOTHING"
        elif self.config.mode == "merge":
            updates = ", ".join(f"{c} = EXCLUDED.{c}" for c in there if c not in key)
            conflict = f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates}"
        return (
            f"WITH written AS (INSERT INTO {self.target} ({', '.join(there)}) "
            f"SELECT {values} FROM {self.staging.rows} r WHERE {condition} {conflict} "
            f"RETURNING {reason} AS reason) SELECT count(*), pg_catalog.count(reason) FROM written"
        )

    def _same(self, other: str) -> str:
        """Return the condition that rows of the target, ``t``, and of another have one key."""
        pairs = zip(self._there(self._key), map(name_sql, self._key), strict=True)
        return " AND ".join(f"t.{there} = {other}.{ours}" for there, ours in pairs)

    def _by(self) -> list[tuple[str, DataType]]:
        fields = [
            next(f for f in self.schema.fields if self.names.key(f.name) == self.names.key(name))
            for name in self.config.partition_by
        ]
        names = [field.name for field in fields]
        there = names if self.table is None else self.table.spelled(names, self.names)
        return [(name, field.dataType) for name, field in zip(there, fields, strict=True)]

    def _there(self, columns: Collection[str]) -> list[str]:
        """Return columns in SQL as the target spells them."""
        listed = list(columns)
        spelled = listed if self.table is None else self.table.spelled(listed, self.names)
        return list(map(name_sql, spelled))
