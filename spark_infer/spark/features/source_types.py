"""Source columns that must be of the types for which a bundle's features were written."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame

from spark_infer.bundle.source_types import FAMILIES
from spark_infer.errors import SignatureError, nearest
from spark_infer.spark.names import Names
from spark_infer.spark.wire import by_name
from spark_infer.spark.wire.casts import kind_of, kind_sql, literal


def check_source_types(df: DataFrame, wanted: Mapping[str, str]) -> None:
    """Raise SignatureError where a column of the source is of another kind of type."""
    names = Names.of_session(df.sparkSession)
    kinds = {names.key(field.name): kind_of(field.dataType) for field in df.schema.fields}
    for name, kind in wanted.items():
        if names.key(name) not in kinds:
            raise SignatureError(
                f"the source has no column {name!r}, of which the bundle's features need the type "
                f"{kind}{nearest(name, df.columns)}"
            )
        there = kinds[names.key(name)].partition("<")[0]
        if there not in FAMILIES[kind]:
            before, after = _misfit(name, kind)
            raise SignatureError(f"{before}{there}{after}")


def checked_sql(sql: str, wanted: Mapping[str, str]) -> str:
    """Return SQL of a feature that fails where a column that it may read is of another kind."""
    for name, kind in wanted.items():
        there = f"substring_index({kind_sql(by_name(name))}, '<', 1)"
        fits = ", ".join(literal(known) for known in FAMILIES[kind])
        before, after = (literal(part) for part in _misfit(name, kind))
        problem = f"raise_error(concat({before}, {there}, {after}))"
        sql = f"IF({there} IN ({fits}), ({sql}), {problem})"
    return sql


def _misfit(name: str, kind: str) -> tuple[str, str]:
    """Return what is said before and after the type that came."""
    return (
        f"column {name!r} is ",
        f", and the bundle's features were written for {kind}; convert it in the source, where "
        "whoever knows its meaning can say how",
    )
