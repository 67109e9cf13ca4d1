"""What the database says of a table, of its schema and of the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql.types import StructType

from spark_infer.errors import WarehouseError
from spark_infer.spark.names import Names
from spark_infer.warehouse.sinks.jdbc.postgresql.connection import Connection
from spark_infer.warehouse.sinks.jdbc.postgresql.dialect import literal, name_sql, type_sql

_SAME = {"character varying": "text", "character varying[]": "text[]"}
"""Types that hold the same values."""
_TABLES = ("r", "p")


@dataclass(frozen=True)
class DatabaseName:
    """The full name of a table.

    Attributes:
        schema: Its schema.
        table: The table.
    """

    schema: str
    table: str

    @property
    def sql(self) -> str:
        """The name in SQL text."""
        return name_sql(self.schema, self.table)


@dataclass(frozen=True)
class DatabaseTable:
    """A table that is there.

    Attributes:
        name: Its name.
        is_table: Whether it is one, and not a view or the like.
        types: Type of each column.
        unique: Columns of its unique indexes.
        user: Who is connected.
        rights: What the user may do.
    """

    name: DatabaseName
    is_table: bool
    types: Mapping[str, str]
    unique: frozenset[frozenset[str]]
    user: str
    rights: frozenset[str]

    @classmethod
    def find(cls, connection: Connection, name: DatabaseName) -> DatabaseTable | None:
        """Return what the database says of a table; None where there is none."""
        found = connection.query(
            "SELECT c.oid, c.relkind, current_user FROM pg_catalog.pg_class c "
            "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
            f"WHERE n.nspname = {literal(name.schema)} AND c.relname = {literal(name.table)}"
        )
        if not found:
            return None
        ((oid, kind, user),) = found
        columns = connection.query(
            "SELECT attname, pg_catalog.format_type(atttypid, atttypmod) "
            "FROM pg_catalog.pg_attribute "
            f"WHERE attrelid = {oid} AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        )
        keys = connection.query(
            "SELECT i.indexrelid, a.attname FROM pg_catalog.pg_index i "
            "JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid "
            "AND a.attnum = ANY((i.indkey::int2[])[0:i.indnkeyatts - 1]) "
            f"WHERE i.indrelid = {oid} AND i.indisunique AND i.indisvalid AND i.indimmediate "
            "AND i.indpred IS NULL AND i.indexprs IS NULL"
        )
        rights = connection.query(
            "SELECT r FROM pg_catalog.unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) r "
            f"WHERE pg_catalog.has_table_privilege({oid}, r)"
        )
        indexes: dict[str | None, set[str]] = {}
        for index, column in keys:
            indexes.setdefault(index, set()).add(str(column))
        return cls(
            name,
            kind in _TABLES,
            {str(column): _SAME.get(str(kind), str(kind)) for column, kind in columns},
            frozenset(map(frozenset, indexes.values())),
            str(user),
            frozenset(str(right) for (right,) in rights),
        )

    def spelled(self, columns: Sequence[str], names: Names) -> list[str]:
        """Return some columns, all of which are there, as the table spells them."""
        return [self._spelled(name, names) or name for name in columns]

    def finds(self, key: Sequence[str]) -> bool:
        """Return whether a unique index is on a key, as the table spells it."""
        return frozenset(key) in self.unique

    def has(self, columns: Sequence[str], names: Names) -> bool:
        """Return whether columns of these names are there."""
        return all(self._spelled(name, names) is not None for name in columns)

    def check_columns(self, schema: StructType, names: Names, text: str) -> None:
        """Prove that the table has the columns of a run, of its types, and no others.

        Args:
            schema: The run's.
            names: The rule by which names are the same.
            text: What messages call the table.

        Raises:
            WarehouseError: It has others.
        """
        if not self.is_table:
            raise WarehouseError(f"target table {text} is no table, but a view or the like")
        problems = []
        known = set()
        for field in schema.fields:
            there, kind = self._spelled(field.name, names), type_sql(field.dataType)
            if there is None:
                problems.append(f"column {field.name!r} is missing")
                continue
            known.add(there)
            if self.types[there] != kind:
                problems.append(f"column {there!r} is {self.types[there]}, not {kind}")
        problems += [f"column {name!r} is not written" for name in self.types if name not in known]
        if problems:
            raise WarehouseError(
                f"target table {text} has other columns than this job writes: "
                f"{'; '.join(problems)}; write to another table or alter this one"
            )

    def check_rights(self, wanted: Sequence[str], text: str) -> None:
        """Prove that the user may do some things with the table.

        Raises:
            WarehouseError: The user may not.
        """
        if missing := [right for right in wanted if right not in self.rights]:
            raise WarehouseError(
                f"target table {text}: user {self.user!r} may not {', '.join(missing)} there; "
                f"GRANT {', '.join(wanted)} ON {self.name.sql} TO {name_sql(self.user)}"
            )

    def check_unique(self, key: Sequence[str], names: Names, text: str) -> None:
        """Prove that a unique index finds the row of a key.

        Raises:
            WarehouseError: There is none.
        """
        columns = self.spelled(key, names)
        if not self.finds(columns):
            raise WarehouseError(
                f"target table {text} has no unique index on the key {list(key)}, by which a merge "
                f"finds its rows; CREATE UNIQUE INDEX ON {self.name.sql} ("
                f"{', '.join(map(name_sql, columns))})"
            )

    def _spelled(self, name: str, names: Names) -> str | None:
        if name in self.types:
            return name
        found = names.find(name, list(self.types))
        return found[0] if len(found) == 1 else None


def check_writable(connection: Connection) -> None:
    """Prove that the database takes changes from this user.

    Raises:
        WarehouseError: It is a standby, or the user's transactions only read.
    """
    ((is_standby, reads),) = connection.query(
        "SELECT pg_catalog.pg_is_in_recovery(), current_setting('transaction_read_only')"
    )
    if is_standby == "t":
        raise WarehouseError(
            "target.jdbc.url: the server is a standby, which takes no changes; name the primary"
        )
    if reads == "on":
        raise WarehouseError(
            "target.jdbc: transactions of this user only read (default_transaction_read_only is "
            "on); name a user that may write"
        )


def check_schema(connection: Connection, schema: str, key: str) -> None:
    """Prove that the user may create tables in a schema.

    Raises:
        WarehouseError: The schema is not there, or the user may not.
    """
    found = connection.query(
        "SELECT pg_catalog.has_schema_privilege(oid, 'CREATE') "
        "AND pg_catalog.has_schema_privilege(oid, 'USAGE'), current_user "
        f"FROM pg_catalog.pg_namespace WHERE nspname = {literal(schema)}"
    )
    if not found:
        raise WarehouseError(
            f"{key}: schema {schema!r} is not there; CREATE SCHEMA {name_sql(schema)}"
        )
    ((may, user),) = found
    if may != "t":
        raise WarehouseError(
            f"{key}: user {user!r} may not create tables in schema {schema!r}, in which rows are "
            f"staged; GRANT USAGE, CREATE ON SCHEMA {name_sql(schema)} TO {name_sql(str(user))}, "
            "or name another one in target.jdbc.staging_schema"
        )
