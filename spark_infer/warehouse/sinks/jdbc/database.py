"""The database of a target, as a run uses it: by statements, and through Spark's JDBC source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DataType, StructField

from spark_infer.errors import WarehouseError
from spark_infer.warehouse.config import TargetConfig
from spark_infer.warehouse.sinks.jdbc.postgresql.catalog import DatabaseName, DatabaseTable
from spark_infer.warehouse.sinks.jdbc.postgresql.connection import Connection
from spark_infer.warehouse.sinks.jdbc.postgresql.dialect import DRIVER, received, sent_sql, to_wire
from spark_infer.warehouse.sinks.jdbc.postgresql.failures import database_failures
from spark_infer.warehouse.sinks.jdbc.staging import Staging
from spark_infer.warehouse.values.identifiers import identifiers

_FETCH_ROWS = 10_000
_REDACTION = "spark.sql.redaction.options.regex"
_HIDDEN = "(?i)url|user|password"


class Database:
    """What ``target.jdbc`` names.

    Args:
        spark: A session of the run's own.
        config: The job file's target.
        run_id: The run.

    Raises:
        ConfigError: User and password are not where the job file says.
    """

    def __init__(self, spark: SparkSession, config: TargetConfig, run_id: str) -> None:
        assert config.jdbc is not None
        self._spark = spark
        self._config = config.jdbc
        self._table = config.table
        self._run_id = run_id
        self._given = {
            "tcpKeepAlive": "true",
            "reWriteBatchedInserts": "true",
            "ApplicationName": f"spark_infer {run_id}",
            # Of each session, Spark's own among them.
            "options": f"-c lock_timeout={self._config.lock_timeout_seconds * 1000}",
            **self._config.credentials(),
        }
        # Spark's plans show neither user nor password, whatever the cluster hides.
        known = str(spark.conf.get(_REDACTION, ""))
        if not known.endswith(_HIDDEN):
            spark.conf.set(_REDACTION, f"{known}|{_HIDDEN}" if known else _HIDDEN)

    @property
    def named(self) -> str:
        """What messages call the table."""
        return f"target table {self._table!r}"

    def open(self) -> Connection:
        """Connect. Errors are those of ``Connection.open``."""
        return Connection.open(self._spark, self._config.url, self._given)

    @contextmanager
    def connected(self, what: str) -> Iterator[Connection]:
        """Connect for a while. Errors are those of ``failures``."""
        with self.failures(what):
            connection = self.open()
            try:
                yield connection
            finally:
                connection.close()

    @contextmanager
    def failures(self, what: str) -> Iterator[None]:
        """Raise what the database, or Spark, raises as an error of ours.

        Args:
            what: What becomes of the table, for the message.
        """
        with database_failures(f"{self.named} {what}", seconds=self._config.lock_timeout_seconds):
            yield

    def staging(self, connection: Connection) -> Staging:
        """Return the run's tables, and where the target is.

        Raises:
            WarehouseError: It is in no schema.
        """
        *schemas, table = identifiers(self._table, most=2)
        if not schemas:
            ((found,),) = connection.query("SELECT current_schema()")
            if found is None:
                raise WarehouseError(
                    f"{self.named} is in no schema: the user's search_path names none that is "
                    "there; write target.table as schema.table"
                )
            schemas = [found]
        name = DatabaseName(schemas[0], table)
        own = self._config.staging_schema
        schema = name.schema if own is None else identifiers(own, most=1)[0]
        return Staging(name, schema, self._run_id)

    def find(self, connection: Connection) -> DatabaseTable | None:
        """Return the target; None where it is not there."""
        return DatabaseTable.find(connection, self.staging(connection).target)

    def read(
        self,
        table: str,
        columns: Sequence[tuple[str, str, DataType]],
        *,
        where: str = "true",
        distinct: bool = False,
    ) -> DataFrame:
        """Return rows of a table.

        Args:
            table: Its name in SQL.
            columns: What each is to be called, what the table calls it, and its type.
            where: Condition of the database that they meet.
            distinct: Whether like ones come once.
        """
        wanted = ", ".join(sent_sql(name, there, kind) for name, there, kind in columns)
        select = "SELECT DISTINCT" if distinct else "SELECT"
        reader = self._spark.read.format("jdbc").options(
            **self._options(f"({select} {wanted} FROM {table} WHERE {where}) spark_infer"),
            fetchsize=str(_FETCH_ROWS),
            sessionInitStatement="SET TIME ZONE 'UTC'",
        )
        return reader.load().select(*(received(name, kind) for name, _, kind in columns))

    def write(self, rows: DataFrame, fields: Sequence[StructField], table: str, *also: str) -> None:
        """Send rows to a table: in one transaction for each attempt of a task.

        Args:
            rows: The rows.
            fields: Their columns that are sent.
            table: The table's name in SQL.
            *also: Further columns, of numbers.
        """
        most = {"numPartitions": str(self._config.max_connections)}
        sent = rows.select(*map(to_wire, fields), *also)
        sent.write.format("jdbc").options(**self._options(table), **most).mode("append").save()

    def _options(self, table: str) -> dict[str, str]:
        return {"url": self._config.url, "dbtable": table, "driver": DRIVER, **self._given}
