"""The tables in which the rows of runs wait, and what becomes of those of runs that were killed."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyspark.sql.types import StructType

from spark_infer.errors import WarehouseError
from spark_infer.warehouse.rows.keys import Partition
from spark_infer.warehouse.run_id import RUN_ID, begun_at
from spark_infer.warehouse.sinks.files.run_folder import KEPT_DAYS
from spark_infer.warehouse.sinks.jdbc.attempts import Counts
from spark_infer.warehouse.sinks.jdbc.postgresql.catalog import DatabaseName
from spark_infer.warehouse.sinks.jdbc.postgresql.connection import Connection
from spark_infer.warehouse.sinks.jdbc.postgresql.dialect import (
    from_wire_sql,
    literal,
    name_sql,
    type_sql,
    wire_type_sql,
)
from spark_infer.warehouse.sinks.jdbc.postgresql.failures import SqlError
from spark_infer.warehouse.sinks.kept import Kept

_PREFIX = "spark_infer"
_HEX_DIGITS = 8
_LEFT = re.compile(rf"{_PREFIX}_[0-9a-f]{{{_HEX_DIGITS}}}_({RUN_ID.pattern})((?:_[a-z]+)?)")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Staging:
    """The tables of one run, beside its target or in a schema for them.

    A session of the database holds a lock for each run that goes on. It dies with the session, and
    tells other runs that nobody comes back for the tables.

    Attributes:
        target: The table that the rows are for.
        schema: Where the run's tables are.
        run_id: The run.
    """

    target: DatabaseName
    schema: str
    run_id: str

    @property
    def rows(self) -> str:
        """The table with the rows as they are to be published, in SQL."""
        return self._table("")

    @property
    def sent(self) -> str:
        """The table with what the tasks have sent, in SQL."""
        return self._table("_sent")

    @property
    def gone(self) -> str:
        """The table with the keys that have left the source, in SQL."""
        return self._table("_gone")

    def hold(self, connection: Connection) -> bool:
        """Tell others that the run goes on; return whether no other process tells so already."""
        return _try_lock(connection, self.run_id)

    def create_sent(self, connection: Connection, schema: StructType, attempt: str) -> None:
        """Make the table for what the tasks send.

        Args:
            connection: The database.
            schema: The rows'.
            attempt: What the column with the attempt's number is called.
        """
        columns = [(field.name, wire_type_sql(field.dataType)) for field in schema.fields]
        _create(connection, self.sent, [*columns, (attempt, "bigint")])

    def create_gone(self, connection: Connection, schema: StructType) -> None:
        """Make the table for keys of this schema."""
        columns = [(field.name, wire_type_sql(field.dataType)) for field in schema.fields]
        _create(connection, self.gone, columns)

    def settle(
        self, connection: Connection, schema: StructType, attempt: str, counts: Counts
    ) -> int:
        """Make the rows of what was sent by the attempts that count, and return their number.

        Raises:
            WarehouseError: Others are there than Spark tells of.
            SqlError: A value cannot be held.
        """
        _create(connection, self.rows, [(f.name, type_sql(f.dataType)) for f in schema.fields])
        names = ", ".join(name_sql(field.name) for field in schema.fields)
        values = ", ".join(from_wire_sql(field.name, field.dataType) for field in schema.fields)
        attempts = ", ".join(str(number) for number, rows in sorted(counts.items()) if rows)
        counted = f"{name_sql(attempt)} IN ({attempts})" if attempts else "false"
        found = connection.execute(
            f"INSERT INTO {self.rows} ({names}) SELECT {values} FROM {self.sent} WHERE {counted}"
        )
        if found != (expected := sum(counts.values())):
            raise WarehouseError(
                f"{expected:,} rows were scored, and {found:,} of them are staged; nothing was "
                "published, run again",
                transient=True,
            )
        self._drop_one(connection, self.sent)
        return found

    def rejected(self, connection: Connection, reason: str) -> int:
        """Return how many rows have a reason, in a column of this name."""
        ((found,),) = connection.query(
            f"SELECT pg_catalog.count({name_sql(reason)}) FROM {self.rows}"
        )
        return int(found or 0)

    def partitions(
        self, connection: Connection, key: Sequence[str], by: Sequence[str]
    ) -> frozenset[Partition] | None:
        """Return the partitions that rows stand in; None where the key does not identify them.

        Args:
            connection: The database.
            key: Columns that are to identify a row.
            by: The partition columns.
        """
        is_null = " OR ".join(f"{name_sql(column)} IS NULL" for column in key)
        repeated = f"GROUP BY {', '.join(map(name_sql, key))} HAVING count(*) > 1"
        bad = connection.query(
            f"SELECT WHERE EXISTS (SELECT FROM {self.rows} WHERE {is_null}) "
            f"OR EXISTS (SELECT FROM {self.rows} {repeated})"
        )
        if bad:
            return None
        texts = [f"CAST({name_sql(column)} AS text)" for column in by]
        if not texts:
            return frozenset(connection.query(f"SELECT FROM {self.rows} LIMIT 1"))
        return frozenset(connection.query(f"SELECT DISTINCT {', '.join(texts)} FROM {self.rows}"))

    def is_there(self, connection: Connection) -> bool:
        """Return whether the table with the rows is there."""
        found = connection.query(f"SELECT to_regclass({literal(self.rows)}) IS NOT NULL")
        return found == [("t",)]

    def keep(self, connection: Connection, kept: Kept) -> None:
        """Have the rows outlast the run, and a crash of the database."""
        connection.execute(f"ALTER TABLE {self.rows} SET LOGGED")
        connection.execute(f"COMMENT ON TABLE {self.rows} IS {literal(kept.to_text())}")

    def kept(self, connection: Connection) -> Kept | None:
        """Return what there is to know of the rows, if they are kept."""
        for run_id, tables in _left(connection, self):
            for name, comment in tables:
                if run_id == self.run_id and comment is not None:
                    return Kept.from_text(comment, where=f"the comment on {name}")
        return None

    def drop(self, connection: Connection) -> None:
        """Drop the run's tables, as far as that can be done now; else a later run does."""
        for table in (self.rows, self.sent, self.gone):
            self._drop_one(connection, table)

    def _drop_one(self, connection: Connection, table: str) -> None:
        """Drop a table, unless somebody holds it, such as a task that nobody waits for."""
        try:
            connection.execute(f"DROP TABLE IF EXISTS {table}", clears=True)
        except SqlError as error:
            _log.warning("table %s of a run is not dropped yet: %s", table, error.text)

    def recover(self, connection: Connection) -> None:
        """Drop the tables of runs that were killed, and those that were kept for long enough."""
        now = dt.datetime.now(dt.timezone.utc)
        for run_id, tables in _left(connection, self):
            if run_id == self.run_id or not _try_lock(connection, run_id):
                continue
            try:
                is_kept = any(comment is not None for _, comment in tables)
                if is_kept and now - begun_at(run_id) < dt.timedelta(days=KEPT_DAYS):
                    continue
                _log.warning("dropping tables of run %s, which has ended", run_id)
                for name, _ in tables:
                    self._drop_one(connection, name_sql(self.schema, name))
            finally:
                connection.query(f"SELECT pg_advisory_unlock({_run_lock(run_id)})")

    def _table(self, end: str) -> str:
        return name_sql(self.schema, f"{self.begin}{self.run_id}{end}")

    @property
    def begin(self) -> str:
        """What the names of the tables of all runs of the target begin with."""
        target = hashlib.sha256(self.target.sql.encode()).hexdigest()[:_HEX_DIGITS]
        return f"{_PREFIX}_{target}_"


def table_lock(target: DatabaseName) -> str:
    """Return the number, in SQL, of the lock that whoever publishes into a table holds."""
    return f"pg_catalog.hashtextextended({literal(f'spark_infer table {target.sql}')}, 0)"


def lock_table(connection: Connection, target: DatabaseName) -> None:
    """Wait until no other run publishes into a table, and keep others from it."""
    number = table_lock(target)
    ((is_ours,),) = connection.query(f"SELECT pg_try_advisory_lock({number})")
    if is_ours != "t":
        _log.warning("another run writes table %s; waiting until it is done", target.sql)
        connection.query(f"SELECT pg_advisory_lock({number})")


def _run_lock(run_id: str) -> str:
    return f"pg_catalog.hashtextextended({literal(f'spark_infer run {run_id}')}, 0)"


def _try_lock(connection: Connection, run_id: str) -> bool:
    ((is_ours,),) = connection.query(f"SELECT pg_try_advisory_lock({_run_lock(run_id)})")
    return is_ours == "t"


def _create(connection: Connection, table: str, columns: list[tuple[str, str]]) -> None:
    """Make a table whose rows need not outlast a crash, which ends the run anyhow."""
    listed = ", ".join(f"{name_sql(name)} {kind}" for name, kind in columns)
    connection.execute(f"CREATE UNLOGGED TABLE {table} ({listed})")


def _left(
    connection: Connection, staging: Staging
) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Yield the runs that have tables, with their names and comments."""
    found = connection.query(
        "SELECT c.relname, pg_catalog.obj_description(c.oid, 'pg_class') "
        "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        f"WHERE n.nspname = {literal(staging.schema)} AND c.relkind = 'r' "
        f"AND pg_catalog.starts_with(c.relname, {literal(staging.begin)}) ORDER BY c.relname"
    )
    runs: dict[str, list[tuple[str, str | None]]] = {}
    for name, comment in found:
        if left := _LEFT.fullmatch(str(name)):
            runs.setdefault(left[1], []).append((str(name), comment))
    yield from runs.items()
