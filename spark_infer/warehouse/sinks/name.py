"""A table's name, taken apart as Spark does it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from spark_infer.errors import ConfigError, WarehouseError
from spark_infer.spark.failures import spark_failures
from spark_infer.spark.wire import quoted

SESSION_CATALOG = "spark_catalog"
_VALID = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True)
class TableName:
    """The full name of a table.

    Attributes:
        catalog: The catalog.
        namespace: Its database, or databases in each other.
        table: The table.
        is_qualified: Whether the job says more than the table; temporary views have one name.
    """

    catalog: str
    namespace: tuple[str, ...]
    table: str
    is_qualified: bool

    @classmethod
    def read(cls, spark: SparkSession, text: str, *, key: str) -> TableName:
        """Take a name apart.

        Args:
            spark: The session, whose current catalog and database count.
            text: ``[catalog.][database.]table``.
            key: Where the name stands, for messages.

        Raises:
            ConfigError: The name is none, or its catalog is not there.
        """
        state = spark._jsparkSession.sessionState()
        catalogs = state.catalogManager()
        wrong = (
            f"{key} {text!r} must be [catalog.][database.]table, with other than ASCII letters, "
            "digits and _ in `backticks`"
        )
        with spark_failures(wrong, kind=ConfigError):
            parsed = state.sqlParser().parseMultipartIdentifier(text)
            parts = [str(parsed.apply(place)) for place in range(parsed.size())]
            has_catalog = len(parts) > 1 and catalogs.isCatalogRegistered(parts[0])
            catalog = parts[0] if has_catalog else str(spark.catalog.currentCatalog())
            catalogs.catalog(catalog)
        namespace = parts[1:-1] if has_catalog else parts[:-1]
        if not namespace and not has_catalog:
            namespace = [str(part) for part in catalogs.currentNamespace()]
        if catalog == SESSION_CATALOG and len(namespace) != 1:
            wrong = f"catalog {parts[0]!r} is not there (spark.sql.catalog.{parts[0]} is not set)"
            if has_catalog:
                wrong = f"a table of {catalog} stands in one database"
            raise ConfigError(
                f"{key} {text!r}: {wrong}; the name must be [catalog.][database.]table"
            )
        return cls(catalog, tuple(namespace), parts[-1], len(parts) > 1)

    @property
    def sql(self) -> str:
        """The name in SQL text, which does not depend on the current catalog and database."""
        return ".".join(map(quoted, (self.catalog, *self.namespace, self.table)))

    @property
    def database(self) -> str:
        """The database in SQL text."""
        return ".".join(map(quoted, self.namespace))

    def identifier(self, spark: SparkSession) -> Any:
        """Return the name as the session catalog takes it."""
        jvm: Any = spark.sparkContext._jvm
        return jvm.org.apache.spark.sql.catalyst.TableIdentifier(
            self.table, jvm.scala.Option.apply(self.namespace[0])
        )

    def plugin(self, spark: SparkSession) -> Any:
        """Return the table's catalog, as Spark has loaded it."""
        return spark._jsparkSession.sessionState().catalogManager().catalog(self.catalog)

    def load(self, spark: SparkSession) -> Any:
        """Return the table as its catalog gives it to Spark; not of Spark's own catalog."""
        context: Any = spark.sparkContext
        namespace = context._gateway.new_array(context._jvm.java.lang.String, len(self.namespace))
        for place, part in enumerate(self.namespace):
            namespace[place] = part
        identifier = context._jvm.org.apache.spark.sql.connector.catalog.Identifier
        return self.plugin(spark).loadTable(identifier.of(namespace, self.table))

    def is_temporary_view(self, spark: SparkSession) -> bool:
        """Return whether the session takes the name for a temporary view."""
        jvm: Any = spark.sparkContext._jvm
        database = self.namespace[0] if self.is_qualified and self.namespace else None
        identifier = jvm.org.apache.spark.sql.catalyst.TableIdentifier(
            self.table, jvm.scala.Option.apply(database)
        )
        return bool(_session_catalog(spark).isTempView(identifier))

    def check_free(self, spark: SparkSession, *, key: str) -> None:
        """Prove that a table of this name can be made.

        Raises:
            ConfigError: Spark's own catalog does not take the name.
            WarehouseError: The database is not there.
        """
        if self.catalog == SESSION_CATALOG and not _VALID.fullmatch(self.table):
            raise ConfigError(
                f"{key}: {self.table!r} must consist of ASCII letters, digits and _; catalog "
                f"{self.catalog} takes no other names"
            )
        if not self.namespace:
            return
        qualified = f"{quoted(self.catalog)}.{self.database}"
        with spark_failures(f"{key}: database {qualified}"):
            found = spark.catalog.databaseExists(qualified)
        if not found:
            name = ".".join(self.namespace)
            raise WarehouseError(
                f"{key} {self.sql}: database {name!r} is not there; CREATE DATABASE {name}"
            )


def _session_catalog(spark: SparkSession) -> Any:
    return spark._jsparkSession.sessionState().catalog()
