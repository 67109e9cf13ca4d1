"""Column functions: ``predict_udf`` for DataFrames and ``register`` for SQL."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
from pyspark import Accumulator, TaskContext
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructType

from spark_infer.bundle import Bundle, Signature
from spark_infer.bundle.documents import check_kind, shown
from spark_infer.engine import BatchOptions, Metrics, Predictor
from spark_infer.errors import ConfigError, SignatureError
from spark_infer.spark.driver.session import check_session
from spark_infer.spark.failures import spark_failures
from spark_infer.spark.features import check_expressions
from spark_infer.spark.functions.described import describe
from spark_infer.spark.names import Names
from spark_infer.spark.reference import BundleReference
from spark_infer.spark.types import prediction_fields
from spark_infer.spark.wire import Wire, by_name
from spark_infer.spark.wire.pandas_bridge import (
    PandasColumn,
    as_declared,
    from_pandas,
    to_pandas,
)
from spark_infer.tensors.arrow.schema import wire_names

Kind = Literal["auto", "arrow", "pandas"]
Udf = Callable[..., Column]


class PredictFunction:
    """A model as a column function. Make one with ``predict_udf``.

    Called without columns it reads the bundle's source columns and features by name; otherwise
    it takes one column (or column name) for each source column, in order or by name.

    Spark may run the model once for each place that uses the column: for a filter and again for
    the rows that pass, or for each of two fields. ``df.withColumn("p", score())`` and then
    ``p.a, p.b`` runs it once; ``cache()`` before a filter, or ``predict(..., keep=[...])``, does
    so too. A stochastic model's column keeps its values under a filter, but each call draws anew,
    and Spark refuses it inside aggregates and join conditions: name the column first.
    """

    def __init__(
        self, spark: SparkSession, reference: BundleReference, bundle: Bundle, kind: Kind
    ) -> None:
        self._spark = spark
        self._reference = reference
        self._bundle = bundle
        self._kind = resolve_kind(kind)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the arguments, in order."""
        return self._bundle.signature.column_names

    @spark_failures("the columns cannot be prepared for the model", kind=SignatureError)
    def __call__(self, *columns: Column | str, **named: Column | str) -> Column:
        """Return the prediction column: the output, or a struct when there are several.

        Raises:
            SignatureError: The arguments do not match the bundle's source columns.
            BundleError: A feature is more than a computation from columns.
            ConfigError: The session cannot use the features.
        """
        signature = self._bundle.signature
        names = Names.of_session(self._spark)
        given: dict[str, Column | str]
        if columns or named:
            for value in (*columns, *named.values()):
                wanted = "a Column or the name of one"
                check_kind(value, (Column, str), name="an argument", wanted=wanted)
            bound = names.bind(self.column_names, columns, named)
            given = {
                name: by_name(value) if isinstance(value, str) else value
                for name, value in bound.items()
            }
        else:
            names.check_readable(signature)
            features = self._bundle.features
            check_expressions(self._spark, features)
            given = {
                name: f"({features[name]})" if name in features else by_name(name)
                for name in self.column_names
            }
        wire = Wire.build(signature, given, exact_nulls=self._kind == "pandas")
        udf = prediction_udf(self._reference, wire, _result_type(signature), self._kind)
        outputs = signature.outputs
        name = outputs[0].name if len(outputs) == 1 else self._bundle.name
        column: Column = udf(*wire.arguments()).alias(name)
        return column


@spark_failures("the function cannot be made", kind=ConfigError)
def predict_udf(
    spark: SparkSession,
    bundle: str | os.PathLike[str] | Bundle,
    *,
    options: BatchOptions | None = None,
    allow_modules: Sequence[str] = (),
    kind: Kind = "auto",
    digest: str | None = None,
) -> PredictFunction:
    """Return a model as a column function, for wide tables: Spark joins the result to the row.

    Args:
        spark: The session that will use it.
        bundle: A bundle or its path.
        options: How rows are cut into batches and where the model runs.
        allow_modules: Import paths that a bundle of format ``module`` may name.
        kind: ``"arrow"`` needs Spark 4.1 or newer, ``"pandas"`` works everywhere, ``"auto"``
            takes Arrow where Spark has it.
        digest: The digest that the bundle must have, all of its 64 digits.

    Raises:
        BundleError: The bundle is unreadable, was changed, or has another digest.
        ConfigError: The kind is unknown, or this Spark does not have it.
    """
    check_session(spark)
    bundle = Bundle.load(bundle, digest)
    reference = BundleReference.share(spark, bundle, options, allow_modules)
    return PredictFunction(spark, reference, bundle, kind)


@spark_failures("the function cannot be registered", kind=ConfigError)
def register(
    spark: SparkSession,
    name: str,
    bundle: str | os.PathLike[str] | Bundle,
    *,
    options: BatchOptions | None = None,
    allow_modules: Sequence[str] = (),
    kind: Kind = "auto",
    digest: str | None = None,
) -> None:
    """Register a model as a SQL function of the session.

    Its arguments are the bundle's source columns, in order, or by name on Spark 4
    (``fraud_score(amount => tx_amount, ...)``). A bundle's ``features`` are not applied: pass the
    features' values. In a pandas function NaN counts as null, and a float without
    a fraction as an integer. ``DESCRIBE FUNCTION EXTENDED`` names
    them with their types. Spark checks neither their number nor their types when it analyzes a
    query, as for any Python function: what does not fit ends the query in its first task, in a
    sentence that says what is expected.

    A call in SELECT and the same call in WHERE run the model twice for the rows that pass, and so
    does a filter on a view's prediction; a cached view does not. A stochastic model's function is
    registered as non-deterministic: each call draws anew, so filter on a subquery's column, and
    Spark refuses it inside aggregates, where a subquery's column works.

    Args:
        spark: The session.
        name: Name of the function.
        bundle: A bundle or its path.
        options: How rows are cut into batches and where the model runs.
        allow_modules: Import paths that a bundle of format ``module`` may name.
        kind: See ``predict_udf``.
        digest: The digest that the bundle must have, all of its 64 digits.

    Raises:
        BundleError: The bundle is unreadable, was changed, or has another digest.
        ConfigError: The name or kind is not usable.
    """
    check_session(spark)
    if not isinstance(name, str) or not name.isidentifier():
        raise ConfigError(f"{shown(name)} cannot name a SQL function; use letters, digits and _")
    bundle = Bundle.load(bundle, digest)
    signature = bundle.signature
    reference = BundleReference.share(spark, bundle, options, allow_modules)
    wire = Wire.as_given(signature)
    result = _result_type(signature)
    spark.udf.register(name, prediction_udf(reference, wire, result, resolve_kind(kind)))
    describe(spark, name, bundle, result)


def prediction_udf(
    reference: BundleReference,
    wire: Wire,
    result: DataType,
    kind: Literal["arrow", "pandas"],
    metrics: Accumulator[Metrics] | None = None,
) -> Any:
    """Return the Spark function that predicts the wire's columns.

    Spark may compute a deterministic function again wherever its result is used. That of a
    stochastic model is marked, so that a filter sees the score that the row keeps.
    """
    function = _function(reference, wire, result, kind, metrics)
    return function.asNondeterministic() if reference.stochastic else function


def _function(
    reference: BundleReference,
    wire: Wire,
    result: DataType,
    kind: Literal["arrow", "pandas"],
    metrics: Accumulator[Metrics] | None,
) -> Any:
    task = _UdfTask(reference, wire.signature, wire.packed, wire.masked, metrics, kind == "pandas")
    as_struct = isinstance(result, StructType)
    # The annotations tell Spark which kind of function each is; pyspark's overloads do not know
    # functions of any number of columns, and mypy does not carry as_struct into the functions.
    if kind == "pandas":

        def predict_pandas(*columns: pd.Series, **named: pd.Series) -> pd.Series:
            return task.pandas(columns, named)

        def predict_frame(*columns: pd.Series, **named: pd.Series) -> pd.DataFrame:
            return task.pandas_struct(columns, named, result.fieldNames())  # type: ignore[attr-defined]

        return F.pandas_udf(predict_frame if as_struct else predict_pandas, result)  # type: ignore[call-overload]

    def predict_arrow(*columns: pa.Array, **named: pa.Array) -> pa.Array:
        predicted = task.arrow(columns, named)
        if not as_struct:
            return predicted.column(0)
        return predicted.select(result.fieldNames()).to_struct_array()  # type: ignore[attr-defined]

    return F.arrow_udf(predict_arrow, result)  # type: ignore[call-overload]


@dataclass
class _UdfTask:
    """What a scalar function runs for each record batch; a task keeps its predictor."""

    reference: BundleReference
    signature: Signature
    packed: frozenset[str]
    masked: tuple[int, ...]
    metrics: Accumulator[Metrics] | None
    is_pandas: bool
    predictor: Predictor | None = None

    def arrow(self, columns: Sequence[pa.Array], named: Mapping[str, pa.Array]) -> pa.RecordBatch:
        names = Names.of_task(TaskContext.get())
        expected = wire_names(self.signature, self.packed)
        bound = names.bind(expected, columns, named)
        if self.is_pandas:
            bound = as_declared(bound, self.signature)
        batch = pa.RecordBatch.from_arrays([bound[name] for name in expected], names=expected)
        if self.predictor is None:
            signature = names.with_fields(self.signature, batch.schema)
            self.predictor = self.reference.predictor(signature, self.packed, Metrics())
        predictor = self.predictor
        predicted = predictor.predict(batch)
        if self.metrics is not None:
            self.metrics.add(predictor.take_metrics())
        return predicted

    def pandas(
        self, columns: Sequence[PandasColumn], named: Mapping[str, PandasColumn]
    ) -> PandasColumn:
        return to_pandas(self._from_pandas(columns, named).column(0))

    def pandas_struct(
        self,
        columns: Sequence[PandasColumn],
        named: Mapping[str, PandasColumn],
        fields: Sequence[str],
    ) -> pd.DataFrame:
        predicted = self._from_pandas(columns, named)
        return pd.DataFrame({field: to_pandas(predicted.column(field)) for field in fields})

    def _from_pandas(
        self, columns: Sequence[PandasColumn], named: Mapping[str, PandasColumn]
    ) -> pa.RecordBatch:
        count = len(columns) - len(self.masked)
        columns, masks = columns[:count], dict(zip(self.masked, columns[count:], strict=True))
        names = [*_positional(count), *named]
        batch = from_pandas([*columns, *named.values()], names, masks)
        arrays = batch.columns
        return self.arrow(
            arrays[: len(columns)], dict(zip(named, arrays[len(columns) :], strict=True))
        )


def _positional(count: int) -> list[str]:
    return [f"argument {index + 1}" for index in range(count)]


def resolve_kind(kind: Kind) -> Literal["arrow", "pandas"]:
    """Return the kind of function to make with this Spark.

    Raises:
        ConfigError: It is unknown, or this Spark has no Arrow functions.
    """
    has_arrow = hasattr(F, "arrow_udf")
    if isinstance(kind, str) and kind == "auto":
        return "arrow" if has_arrow else "pandas"
    if not isinstance(kind, str) or kind not in ("arrow", "pandas"):
        raise ConfigError(f"kind {shown(kind)} is unknown; use 'auto', 'arrow' or 'pandas'")
    if kind == "arrow" and not has_arrow:
        raise ConfigError("kind 'arrow' needs Spark 4.1 or newer; use 'auto' or 'pandas'")
    return kind


def _result_type(signature: Signature) -> DataType:
    fields = prediction_fields(signature, reasons=False)
    return fields[0].dataType if len(fields) == 1 else StructType(fields)
