"""Column functions: ``predict_udf`` for DataFrames and ``register`` for SQL."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from pyspark.sql import Column, SparkSession
from pyspark.sql.types import DataType, StructType

from spark_infer.bundle import Bundle, Signature
from spark_infer.bundle.documents import check_kind, shown
from spark_infer.errors import ConfigError, SignatureError
from spark_infer.model import BatchOptions
from spark_infer.spark.driver.session import active, check_session
from spark_infer.spark.failures import spark_failures
from spark_infer.spark.features import check_expressions, check_names, checked_sql
from spark_infer.spark.functions.described import describe, is_built_in
from spark_infer.spark.functions.task import Kind, prediction_udf, resolve_kind
from spark_infer.spark.names import Names
from spark_infer.spark.reference import BundleReference
from spark_infer.spark.types import prediction_fields
from spark_infer.spark.wire import Wire, by_name


class PredictFunction:
    """A model as a column function. Make one with ``predict_udf``.

    Called without columns it reads the bundle's source columns and features by name; otherwise
    it takes one column (or column name) for each source column, in order or by name. Names are
    found when the query is analyzed, by Spark's rule: where the rows lack a column, an alias beside
    it in the same selection or a session's variable of its name is read. ``predict`` finds columns
    alone.

    Spark may run the model once for each place that uses the column: for a filter and again for
    the rows that pass, or for each of two fields. ``df.withColumn("p", score())`` and then
    ``p.a, p.b`` runs it once; ``cache()`` before a filter, or ``predict(..., keep=[...])``, does
    so too. A stochastic model's column keeps its values under a filter, but each call draws anew,
    and Spark refuses it inside aggregates and join conditions: name the column first.
    Name a scalar subquery first, too, before it is an argument: Spark takes none in the function
    that casts it.
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
            ConfigError: The session cannot use the features, or has another meaning for a column's
                name that no argument stands for.
        """
        check_session(self._spark)
        with active(self._spark):
            return self._column(columns, named)

    def _column(self, columns: Sequence[Column | str], named: Mapping[str, Column | str]) -> Column:
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
            check_names(self._spark, [n for n in self.column_names if n not in features])
            given = {
                name: f"({features[name]})" if name in features else by_name(name)
                for name in self.column_names
            }
            for name in list(features)[:1]:  # One of a row's columns says it for all of them.
                given[name] = f"({checked_sql(features[name], self._bundle.manifest.source_types)})"
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

    It sees values and not the table that they come from. So of a CHAR(n) column, whose values Spark
    fills with blanks, pass ``rtrim``: they are other words, each of which is unknown to a
    vocabulary. ``predict`` refuses such a column.

    Args:
        spark: The session that will use it.
        bundle: A bundle, its path or its URI.
        options: How rows are cut into batches and where the model runs.
        allow_modules: Import paths that a bundle of format ``module`` may name.
        kind: ``"arrow"`` needs Spark 4.1 or newer, ``"pandas"`` works everywhere, ``"auto"``
            takes Arrow where Spark has it. A pandas function reads a column that may be null
            twice, as a value and as a mark: name one that draws random numbers first
            (``withColumn``).
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
    (``fraud_score(amount => tx_amount, ...)``). ``DESCRIBE FUNCTION EXTENDED`` names them with
    their types. Spark checks neither their number nor their types when it analyzes a query, as for
    any Python function: what does not fit ends the query in its first task, in a sentence that
    says what is expected. A bundle's ``features`` are not applied: pass the features' values. Of a
    CHAR(n) column pass ``rtrim``: its values are filled with blanks, which are other words. In a
    pandas function NaN counts as null, and a float without a fraction as an integer.

    A call in SELECT and the same call in WHERE run the model twice for the rows that pass, and so
    does a filter on a view's prediction; a cached view does not. A stochastic model's function is
    registered as non-deterministic: each call draws anew, so filter on a subquery's column, and
    Spark refuses it inside aggregates, where a subquery's column works.

    Args:
        spark: The session.
        name: Name of the function.
        bundle: A bundle, its path or its URI.
        options: How rows are cut into batches and where the model runs.
        allow_modules: Import paths that a bundle of format ``module`` may name.
        kind: See ``predict_udf``.
        digest: The digest that the bundle must have, all of its 64 digits.

    Raises:
        BundleError: The bundle is unreadable, was changed, or has another digest.
        ConfigError: The name or kind is not usable, or it is the name of a function of Spark.
    """
    check_session(spark)
    if not isinstance(name, str) or not name.isidentifier():
        raise ConfigError(f"{shown(name)} cannot name a SQL function; use letters, digits and _")
    if is_built_in(spark, name):
        raise ConfigError(
            f"{shown(name)} is a function of Spark, which queries would call instead of the model; "
            "choose another name"
        )
    bundle = Bundle.load(bundle, digest)
    signature = bundle.signature
    reference = BundleReference.share(spark, bundle, options, allow_modules)
    wire = Wire.as_given(signature)
    result = _result_type(signature)
    spark.udf.register(name, prediction_udf(reference, wire, result, resolve_kind(kind)))
    describe(spark, name, bundle, result)


def _result_type(signature: Signature) -> DataType:
    fields = prediction_fields(signature, reasons=False)
    return fields[0].dataType if len(fields) == 1 else StructType(fields)
