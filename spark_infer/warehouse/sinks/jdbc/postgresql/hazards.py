"""What of a table would have a run change other rows than it says, without a word."""

from __future__ import annotations

from collections.abc import Iterator

from spark_infer.errors import WarehouseError, some
from spark_infer.warehouse.sinks.jdbc.postgresql.catalog import DatabaseName
from spark_infer.warehouse.sinks.jdbc.postgresql.connection import Connection
from spark_infer.warehouse.sinks.jdbc.postgresql.dialect import literal

_TABLE = "AS t(oid)"
_LOOSE = f"""
SELECT 'column ' || a.attname FROM (SELECT {{table}}) {_TABLE}
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND NOT a.attisdropped
JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
WHERE NOT l.collisdeterministic
UNION
SELECT 'index ' || c.relname FROM (SELECT {{table}}) {_TABLE}
JOIN pg_catalog.pg_index i ON i.indrelid = t.oid AND i.indisunique
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_collation l ON l.oid = ANY(i.indcollation::oid[])
WHERE NOT l.collisdeterministic
ORDER BY 1
"""
_HEIRS = f"""
SELECT CAST(h.inhrelid AS regclass) FROM (SELECT {{table}}) {_TABLE}
JOIN pg_catalog.pg_class c ON c.oid = t.oid AND c.relkind = 'r'
JOIN pg_catalog.pg_inherits h ON h.inhparent = t.oid
ORDER BY 1
"""
_FOLLOWERS = f"""
SELECT DISTINCT CAST(f.conrelid AS regclass) FROM (SELECT {{table}}) {_TABLE}
JOIN pg_catalog.pg_constraint f ON f.confrelid = t.oid
AND f.contype = 'f' AND f.confdeltype IN ('c', 'n', 'd')
ORDER BY 1
"""


def check_hazards(connection: Connection, name: DatabaseName, mode: str, text: str) -> None:
    """Prove that a run changes the rows of a table that it says, and no others.

    Args:
        connection: The database.
        name: The table, which is there.
        mode: That of the job's target.
        text: What messages call the table.

    Raises:
        WarehouseError: It would not.
    """
    for problem in _problems(connection, name, mode):
        raise WarehouseError(f"target table {text}: {problem}")


def _problems(connection: Connection, name: DatabaseName, mode: str) -> Iterator[str]:
    table = f"CAST({literal(name.sql)} AS regclass)"

    def found(query: str) -> str:
        return some([str(what) for (what,) in connection.query(query.format(table=table))])

    if loose := found(_LOOSE):
        yield (
            f"{loose} has a collation by which different texts count as the same, and so would "
            "different rows; give it one that is deterministic"
        )
    if mode == "merge" and (heirs := found(_HEIRS)):
        yield (
            f"{heirs} inherits from it, whose rows no unique index of it finds, so that a merge "
            "would add them a second time; use a table from which none inherits"
        )
    if mode == "overwrite" and (followers := found(_FOLLOWERS)):
        yield (
            f"{followers} has a foreign key to it with ON DELETE CASCADE, SET NULL or SET DEFAULT, "
            "and would lose what refers to rows that an overwrite replaces; use mode merge, or a "
            "foreign key without these"
        )
