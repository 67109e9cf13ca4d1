"""A table of PostgreSQL: staged beside it, published in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.types import StructField, StructType

from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.errors import SparkInferError, WarehouseError
from spark_infer.spark.names import Names
from spark_infer.spark.prediction import Prediction
from spark_infer.warehouse.rows.by_key import without_known
from spark_infer.warehouse.rows.keys import Keys, Partition
from spark_infer.warehouse.rows.staged import Staged
from spark_infer.warehouse.sinks import formats
from spark_infer.warehouse.sinks.coverage import Coverage
from spark_infer.warehouse.sinks.jdbc.attempts import Attempts
from spark_infer.warehouse.sinks.jdbc.database import Database
from spark_infer.warehouse.sinks.jdbc.postgresql.catalog import check_schema, check_writable
from spark_infer.warehouse.sinks.jdbc.postgresql.connection import Connection
from spark_infer.warehouse.sinks.jdbc.postgresql.dialect import check_column, literal
from spark_infer.warehouse.sinks.jdbc.publication import Publication
from spark_infer.warehouse.sinks.jdbc.replaced import Replaced
from spark_infer.warehouse.sinks.jdbc.staging import Staging, lock_table
from spark_infer.warehouse.sinks.kept import Kept
from spark_infer.warehouse.sinks.sink import Means, Published
from spark_infer.warehouse.sinks.sql.merge import Merge
from spark_infer.warehouse.sinks.target import Target

_FORMAT = "postgresql"
_WRITER = "jvm: the table is in a database"
_log = logging.getLogger(__name__)


class JdbcTable:
    """A table of PostgreSQL behind JDBC; a ``KeepingSink``.

    Spark's tasks send the rows to a table of the run's own, each attempt in a transaction. The
    rows of the attempts that Spark counts become a second one, with the target's types; there they
    are checked. Publishing is one transaction, in which that table is dropped as well: a run that
    is killed has published all or nothing, and where its tables are, nothing. One run publishes
    into a table at a time; others wait for a lock that dies with its holder's connection.

    Args:
        target: What the job wants of the table.
        coverage: Which rows of it the run replaces.

    Raises:
        ConfigError: User and password are not where the job file says.
    """

    def __init__(self, target: Target, coverage: Coverage) -> None:
        self._target = target
        self._coverage = coverage
        self._merge = Merge(target, coverage)
        self._database = Database(target.spark, target.config, target.run_id)
        self._names = Names.of_session(target.spark)
        self._replaced = Replaced(target, coverage, self._database, self._names)
        self._held: Connection | None = None
        """Holds the run's lock while rows are staged."""
        self._staging: Staging | None = None
        self._is_kept = False

    def check(self, schema: StructType) -> None:
        """Prove that rows of this schema can be written and come back as they are.

        Raises:
            WarehouseError: They cannot; or the table, its columns or the user's rights are others.
            ConfigError: The database cannot be used as the job file says.
        """
        target, database = self._target, self._database
        for field in schema.fields:
            check_column(field)
        formats.check_types(target.spark, schema, target.partition_columns(schema.names), ())
        with database.connected("cannot be checked") as connection:
            check_writable(connection)
            staging = database.staging(connection)
            is_beside = staging.schema == staging.target.schema
            key = "target.table" if is_beside else "target.jdbc.staging_schema"
            check_schema(connection, staging.schema, key)
            table = self._replaced.table(connection, schema)
            if table is None and not is_beside:
                check_schema(connection, staging.target.schema, "target.table")
            if table is not None and target.config.delete_missing:
                self._coverage.owned(self._replaced.there(table, schema.fields))

    def intent(self) -> str:
        """Say what publishing would do to the table."""
        with self._database.connected("cannot be looked at") as connection:
            is_there = self._database.find(connection) is not None
        if is_there and self._replaced.is_all:
            return "all rows are replaced"
        return self._target.intent(empties=True, is_there=is_there)

    def means(self, prediction: Prediction) -> Means:
        """Say how rows would be put into the table."""
        schema = prediction.df.schema
        with self._database.connected("cannot be looked at") as connection:
            staging, table = self._database.staging(connection), self._database.find(connection)
        key, config = self._key(schema), self._target.config
        return Means(_WRITER, Publication(config, key, schema, self._names, staging, table).sql)

    def recover(self) -> tuple[str, ...]:
        """Drop the tables of runs that were killed; what they had published is whole."""
        with self._database.connected("was left unfinished by an earlier run") as connection:
            self._database.staging(connection).recover(connection)
        return ()

    def pending(self, rows: DataFrame) -> DataFrame:
        """Return the rows that are to be scored: of an append those that are not there yet."""
        target = self._target
        if not target.is_appended:
            return rows
        with self._database.connected("cannot be looked at") as connection:
            table = self._database.find(connection)
            if table is None or not table.has(target.key, self._names):
                return rows  # The check of the table's columns tells.
            known = self._replaced.there(table, self._key(rows.schema))
        return without_known(rows, known, target.key)

    def stage(self, prediction: Prediction) -> Staged:
        """Score the rows into a table of the run's own, and count them."""
        schema = prediction.df.schema
        attempts = Attempts.of(self._target.spark, prediction)
        with self._database.failures("was not written"):
            connection, staging = self._hold()
            staging.create_sent(connection, schema, attempts.column)
            self._database.write(attempts.df, schema.fields, staging.sent, attempts.column)
            rows = staging.settle(connection, schema, attempts.column, attempts.counts.value)
            return self._staged(schema, rows, _WRITER)

    def check_rows(self, staged: Staged, keys: Keys) -> None:
        """Prove that publishing these rows removes none that the run is not about."""
        with self._database.failures("cannot be looked at"):
            self._publication(staged, keys)

    def publish(self, staged: Staged, keys: Keys) -> Published:
        """Make the rows visible.

        Raises:
            WarehouseError: They cannot be, and the table is as it was before.
        """
        connection, staging = self._held, self._staging
        assert connection is not None
        assert staging is not None
        schema = staged.df.schema
        with self._database.failures("was not written"):
            lock_table(connection, staging.target)
            # Again: another run may have written it since.
            publication, partitions = self._publication(staged, keys)
            names_gone = self._target.config.delete_missing and not self._coverage.is_whole
            if names_gone and publication.table is not None:
                key = self._key(schema)
                staging.create_gone(connection, StructType([*key]))
                there = self._replaced.there(publication.table, schema.fields)
                self._database.write(self._merge.gone(staged.df, there), key, staging.gone)
            published = publication.publish(
                connection, keys, partitions, names_gone=names_gone, is_done=self._is_done
            )
            self._is_kept = False
            return published

    def discard(self, staged: Staged | None) -> None:
        """Drop what was staged, unless it is kept, and end the session with its locks."""
        connection, staging = self._held, self._staging
        if connection is None:
            return
        try:
            if staging is not None and not self._is_kept:
                # A session that was lost has lost its locks, but not the tables.
                if connection.is_open():
                    staging.drop(connection)
                else:
                    with self._database.connected("has rows staged") as another:
                        staging.drop(another)
        except SparkInferError as error:
            _log.warning("what was staged is not dropped, the next run does: %s", error)
        finally:
            connection.close()
            self._held = None

    def keep(self, staged: Staged, about: Mapping[str, Any]) -> None:
        """Have what is staged outlast the run, for seven days or until somebody decides."""
        assert self._held is not None
        assert self._staging is not None
        kept = Kept.of(staged, _FORMAT, about)
        with self._database.failures("has rows staged that cannot be kept"):
            self._staging.keep(self._held, kept)
        self._is_kept = True

    def kept(self) -> Mapping[str, Any]:
        """Return what was said of the run when it was kept."""
        with self._database.connected("cannot be looked at") as connection:
            return self._find_kept(connection, self._database.staging(connection)).about

    def reopen(self) -> Staged:
        """Return what is kept, and hold it."""
        with self._database.failures("cannot be looked at"):
            self._is_kept = True
            kept = self._find_kept(*self._hold())
            return self._staged(kept.columns, kept.rows, "kept")

    def drop(self) -> None:
        """Drop what is kept."""
        try:
            self.reopen()
            self._is_kept = False
        finally:
            self.discard(None)

    def _publication(self, staged: Staged, keys: Keys) -> tuple[Publication, frozenset[Partition]]:
        """Return how the rows are made visible in the table as it is, and which partitions change.

        Raises:
            WarehouseError: They cannot be.
        """
        target, connection, staging = self._target, self._held, self._staging
        assert connection is not None
        assert staging is not None
        schema = staged.df.schema
        table = self._replaced.table(connection, schema)
        partitions = keys.partitions | self._replaced.check(staged, keys, table)
        key = self._key(schema)
        publication = Publication(target.config, key, schema, self._names, staging, table)
        if self._is_kept:
            publication.check_latest(connection, partitions)
        return publication, partitions

    def _is_done(self) -> bool:
        """Return whether what was staged is dropped, as it is by whoever has published it."""
        assert self._held is not None
        assert self._staging is not None
        with self._database.connected("was perhaps written") as connection:
            if not self._held.is_open():
                # A session that was lost holds this until it has committed, or has not.
                lock_table(connection, self._staging.target)
            return not self._staging.is_there(connection)

    def _find_kept(self, connection: Connection, staging: Staging) -> Kept:
        if (kept := staging.kept(connection)) is not None:
            return kept
        table = self._database.find(connection)
        why = "a gate has not stopped it, it was dropped, or its seven days are over"
        if table is not None and "run_id" in table.types:
            of_run = f"SELECT FROM {table.name.sql} WHERE run_id = {literal(staging.run_id)}"
            if connection.query(f"{of_run} LIMIT 1"):
                why = "it is published already"
        raise WarehouseError(
            f"nothing is kept of run {staging.run_id} for {self._database.named}: {why}"
        )

    def _staged(self, schema: StructType, rows: int, writer: str) -> Staged:
        connection, staging = self._held, self._staging
        assert connection is not None
        assert staging is not None
        key = [field.name for field in self._key(schema)]
        by = self._target.partition_columns(schema.names)
        partitions = staging.partitions(connection, key, by)
        return Staged(
            self._database.read(
                staging.rows, [(f.name, f.name, f.dataType) for f in schema.fields]
            ),
            rows,
            staging.rejected(connection, REASON_COLUMN),
            writer,
            partitions,
            is_unique=partitions is not None,
        )

    def _key(self, schema: StructType) -> list[StructField]:
        names = [self._names.one(name, schema.names, where="key") for name in self._target.key]
        return [schema[name] for name in names]

    def _hold(self) -> tuple[Connection, Staging]:
        """Connect, and tell others that the run goes on."""
        connection = self._held = self._database.open()
        staging = self._database.staging(connection)
        if not staging.hold(connection):
            raise WarehouseError(
                f"another process works with what is staged of run {staging.run_id}; try again "
                "when it has ended",
                transient=True,
            )
        self._staging = staging
        return connection, staging
