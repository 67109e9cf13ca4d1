"""What ``DESCRIBE FUNCTION EXTENDED`` says of a model's SQL function."""

from __future__ import annotations

from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession
from pyspark.sql.types import DataType

from spark_infer.bundle import Bundle
from spark_infer.tensors.arrow.schema import column_type


def describe(spark: SparkSession, name: str, bundle: Bundle, result: DataType) -> None:
    """Name the arguments of a registered function, with the types of columns that fit best.

    Spark keeps no description of a Python function of its own. Where a version of Spark keeps its
    functions in another way, this one stays without a description.
    """
    try:
        registry = spark._jsparkSession.sessionState().functionRegistry()
        identifier = _identifier(registry, name)
        if identifier is not None:
            builder = registry.lookupFunctionBuilder(identifier).get()
            old = registry.lookupFunction(identifier).get()
            registry.registerFunction(identifier, _info(spark, old, name, bundle, result), builder)
    except Py4JError:
        return


def _identifier(registry: Any, name: str) -> Any:
    """Return what the registry knows a function of the session by: a name, or one with a schema."""
    known = registry.listFunction()
    written = str(known.mkString("\n")).split("\n")
    for candidate in (f"system.session.{name.lower()}", name.lower(), name):
        if candidate in written:
            return known.apply(written.index(candidate))
    return None


def _info(spark: SparkSession, old: Any, name: str, bundle: Bundle, result: DataType) -> Any:
    columns = [
        (column, column_type(item), item.name)
        for item in bundle.signature.inputs
        for column in item.column_names
    ]
    usage = (
        f"{name}({', '.join(column for column, *_ in columns)}) - Returns the prediction of the "
        f"bundle {bundle.name}, {result.simpleString()}; null for a row that is rejected."
    )
    lines = [f"      * {column} - {kind}, for input {of}\n" for column, kind, of in columns]
    arguments = f"\n    Arguments:\n{''.join(lines)}  "
    make = spark.sparkContext._jvm.org.apache.spark.sql.catalyst.expressions.ExpressionInfo  # type: ignore[union-attr]
    source = old.getSource()
    return make(
        *(old.getClassName(), old.getDb(), old.getName(), usage, arguments),
        *("", "", "", "", "", source),
    )


def is_built_in(spark: SparkSession, name: str) -> bool:
    """Return whether a name is one of Spark's own functions, which it calls before any other."""
    jvm: Any = spark.sparkContext._jvm
    catalyst = jvm.org.apache.spark.sql.catalyst
    known = catalyst.analysis.FunctionRegistry.builtin()
    return bool(known.functionExists(catalyst.FunctionIdentifier(name)))
