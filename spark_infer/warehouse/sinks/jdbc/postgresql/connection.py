"""A connection to the database, through the driver in Spark's JVM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from spark_infer.errors import ConfigError
from spark_infer.spark.failures import SPARK_FAILURES
from spark_infer.warehouse.sinks.jdbc.postgresql.dialect import DRIVER
from spark_infer.warehouse.sinks.jdbc.postgresql.failures import SqlError

_SECONDS_TO_TELL = 5
_running: dict[int, Any] = {}
"""Statements of this process that have not ended, but those that clear away."""
Row = tuple[str | None, ...]


class Connection:
    """Statements of one session of the database, each a transaction unless one was begun.

    Args:
        java: The driver's connection.
        jvm: Spark's JVM.
    """

    def __init__(self, java: Any, jvm: Any) -> None:
        self._java = java
        self._jvm = jvm

    @classmethod
    def open(cls, spark: SparkSession, url: str, given: Mapping[str, str]) -> Connection:
        """Connect.

        Args:
            spark: Whose JVM has the driver.
            url: The database.
            given: The driver's properties.

        Raises:
            ConfigError: The driver is not there.
            SqlError: The database cannot be reached, or refuses.
        """
        jvm: Any = spark.sparkContext._jvm
        registry = jvm.org.apache.spark.sql.execution.datasources.jdbc.DriverRegistry
        try:
            registry.register(DRIVER)
        except Py4JJavaError:
            raise ConfigError(
                f"target.jdbc: the driver of PostgreSQL ({DRIVER}) is not in Spark's class path; "
                "start Spark with its archive in spark.jars (such as "
                "/usr/share/java/postgresql.jar, of Debian's libpostgresql-jdbc-java)"
            ) from None
        found = jvm.java.util.Properties()
        for key, value in given.items():
            found.setProperty(key, value)
        with _sql_errors():
            return cls(registry.get(DRIVER).connect(url, found), jvm)

    def query(self, sql: str) -> list[Row]:
        """Return the rows of a query, as text. They are few."""
        with _sql_errors(), self._statement() as statement:
            result = statement.executeQuery(sql)
            width = result.getMetaData().getColumnCount()
            rows = []
            while result.next():
                rows.append(tuple(result.getString(place + 1) for place in range(width)))
            return rows

    def execute(self, sql: str, *, clears: bool = False) -> int:
        """Run a statement, and return how many rows it has changed.

        Args:
            sql: The statement.
            clears: Whether it clears something away, and is not cancelled.
        """
        with _sql_errors(), self._statement(clears) as statement:
            return int(statement.executeUpdate(sql))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what is done one step: all of it at the end, or nothing where anything fails."""
        with _sql_errors():
            self._java.setAutoCommit(False)
        try:
            yield
            with _sql_errors():
                self._java.commit()
        finally:
            # Of one that is lost the database rolls back what was not committed.
            with suppress(*SPARK_FAILURES):
                self._java.rollback()
                self._java.setAutoCommit(True)

    def is_open(self) -> bool:
        """Return whether the database still answers."""
        try:
            return bool(self._java.isValid(_SECONDS_TO_TELL))
        except SPARK_FAILURES:
            return False

    def close(self) -> None:
        """End the session, which frees its locks."""
        with suppress(*SPARK_FAILURES):
            self._java.close()

    @contextmanager
    def _statement(self, clears: bool = False) -> Iterator[Any]:
        statement = self._java.createStatement()
        if not clears:
            _running[id(statement)] = statement
        try:
            # Braces are no escapes.
            statement.setEscapeProcessing(False)
            yield statement
        finally:
            _running.pop(id(statement), None)
            with suppress(*SPARK_FAILURES):
                statement.close()


def cancel_all() -> None:
    """End the statements that run, in whatever thread: they fail there."""
    for statement in list(_running.values()):
        with suppress(*SPARK_FAILURES):
            statement.cancel()


@contextmanager
def _sql_errors() -> Iterator[None]:
    """Raise what the driver raises with the database's code for it."""
    try:
        yield
    except Py4JJavaError as error:
        state, text = "", ""
        with suppress(*SPARK_FAILURES, AttributeError, TypeError):
            state = str(error.java_exception.getSQLState() or "")
            text = str(error.java_exception.getMessage() or "")
        if not text:
            raise
        raise SqlError(state, text) from None
