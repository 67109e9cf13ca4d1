"""``predict``: a DataFrame in, the same rows with predictions out."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark import Accumulator
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructField, StructType

from spark_infer.bundle import Bundle, Signature
from spark_infer.engine import BatchOptions, Metrics
from spark_infer.errors import ConfigError, nearest
from spark_infer.spark.features import with_bundle_features
from spark_infer.spark.reference import BundleReference
from spark_infer.spark.types import arrow_schema, prediction_fields
from spark_infer.spark.udf import prediction_udf, resolve_kind
from spark_infer.spark.wire import Source, Wire, quoted
from spark_infer.tensors import check_schema


def predict(
    df: DataFrame,
    bundle: str | os.PathLike[str] | Bundle,
    *,
    keep: Sequence[str] | None = None,
    options: BatchOptions | None = None,
    allow_modules: Sequence[str] = (),
    metrics: Accumulator[Metrics] | None = None,
    digest: str | None = None,
) -> DataFrame:
    """Predict the rows of a DataFrame.

    With ``keep``, only those columns and the model's own travel to Python and back (Arrow record
    batches, ``mapInArrow``): the fastest path. Without it every column is kept, and none but the
    model's own travels: a scalar function whose result Spark joins to its row.

    Args:
        df: Rows with the bundle's source columns.
        bundle: A bundle or its path.
        keep: Columns to carry beside the predictions; None keeps all. A feature with the name of
            a source column stands in its place.
        options: How rows are cut into batches and where the model runs.
        allow_modules: Import paths that a bundle of format ``module`` may name.
        metrics: Accumulator to count into, see ``metrics_accumulator``.
        digest: The digest that the bundle must have, all of its 64 digits.

    Returns:
        The kept columns, one column for each output, and ``rejected_reason``: null where a row
        was predicted.

    Raises:
        BundleError: The bundle is unreadable, was changed, or has another digest, or a feature is
            more than a computation from columns.
        SignatureError: A column is missing or of a wrong type.
        ConfigError: A kept column is missing, or has the name of an output.
    """
    bundle = Bundle.load(bundle, digest)
    source = with_bundle_features(df, bundle.features)
    reference = BundleReference.share(df.sparkSession, bundle, options, allow_modules)
    if keep is None:
        return _joined(source, bundle.signature, reference, df.columns, metrics)
    return predict_prepared(source, bundle.signature, reference, keep, metrics)


def predict_prepared(
    source: DataFrame,
    signature: Signature,
    reference: BundleReference,
    keep: Sequence[str],
    metrics: Accumulator[Metrics] | None = None,
) -> DataFrame:
    """Predict rows that have their derived columns, by ``mapInArrow``.

    A job computes window features over more rows than it scores, so they must not be computed
    again here. Arguments, result and errors are those of ``predict``.
    """
    outputs = prediction_fields(signature)
    _check_kept(source, keep, [field.name for field in outputs])
    wire = Wire.build(signature, _by_name(signature), _column_types(source, signature))
    kept = [F.col(quoted(name)) for name in keep]
    columns = [column.alias(f"__wire_{index}") for index, column in enumerate(wire.columns)]
    task = _PredictTask(reference, wire.signature, wire.packed, len(columns), metrics)
    sent = source.select(*columns, *kept)
    schema = StructType([*sent.schema.fields[len(columns) :], *outputs])
    return sent.mapInArrow(task, schema)


def _joined(
    source: DataFrame,
    signature: Signature,
    reference: BundleReference,
    keep: Sequence[str],
    metrics: Accumulator[Metrics] | None,
) -> DataFrame:
    """Predict by a scalar function, whose result Spark joins to the row."""
    outputs = prediction_fields(signature)
    _check_kept(source, keep, [field.name for field in outputs])
    kind = resolve_kind("auto")
    types = _column_types(source, signature)
    wire = Wire.build(signature, _by_name(signature), types, exact_nulls=kind == "pandas")
    function = prediction_udf(reference, wire, StructType(outputs), kind, metrics)
    kept = [F.col(quoted(name)) for name in keep]
    predicted = source.select(*kept, function(*wire.arguments()).alias(_PREDICTED))
    results = [F.col(f"{_PREDICTED}.{quoted(field.name)}") for field in outputs]
    return predicted.select(*kept, *results)


def _by_name(signature: Signature) -> dict[str, Source]:
    return {name: quoted(name) for name in signature.column_names}


_PREDICTED = "__predicted"


@dataclass(frozen=True)
class _PredictTask:
    """The function that ``mapInArrow`` runs in a task."""

    reference: BundleReference
    signature: Signature
    packed: frozenset[str]
    num_wire: int
    metrics: Accumulator[Metrics] | None

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        counted = Metrics()
        predictor = self.reference.predictor(self.signature, self.packed, counted)
        held: deque[pa.RecordBatch] = deque()

        def inputs() -> Iterator[pa.RecordBatch]:
            for batch in batches:
                held.append(batch)
                # The kept columns are not read, but held: their bytes count in a window.
                kept = [f"__kept_{index}" for index in range(batch.num_columns - self.num_wire)]
                names = [*predictor.column_names, *kept]
                yield pa.RecordBatch.from_arrays(batch.columns, names=names)

        predictions = predictor.stream(inputs())
        try:
            for predicted in predictions:
                batch = held.popleft()
                kept = batch.schema.names[self.num_wire :]
                yield pa.RecordBatch.from_arrays(
                    [*batch.columns[self.num_wire :], *predicted.columns],
                    names=[*kept, *predicted.schema.names],
                )
        finally:
            predictions.close()
            if self.metrics is not None:
                self.metrics.add(counted)


def _column_types(df: DataFrame, signature: Signature) -> dict[str, DataType]:
    """Check the DataFrame's columns and return their types by the signature's names."""
    folded = df.sparkSession.conf.get("spark.sql.caseSensitive", "false") != "true"
    wanted = {name.casefold() if folded else name: name for name in signature.column_names}
    fields, others = [], []
    for field in df.schema.fields:
        key = field.name.casefold() if folded else field.name
        if key in wanted:
            fields.append(StructField(wanted[key], field.dataType))
        else:
            others.append(field.name)
    check_schema(signature.inputs, arrow_schema(fields), others)
    return {field.name: field.dataType for field in fields}


def _check_kept(df: DataFrame, kept: Sequence[str], outputs: Sequence[str]) -> None:
    known = {name.casefold() for name in df.columns}
    taken = {name.casefold() for name in outputs}
    for name in kept:
        if name.casefold() not in known:
            raise ConfigError(f"keep: column {name!r} is missing{nearest(name, df.columns)}")
        if name.casefold() in taken:
            raise ConfigError(
                f"column {name!r} has the name of a prediction column; rename it, or leave it out "
                "with keep=[...]"
            )
