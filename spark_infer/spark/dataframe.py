"""``predict``: a DataFrame in, the same rows with predictions out."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType

import pyarrow as pa
from pyspark import Accumulator
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructField, StructType

from spark_infer.bundle import Bundle, Input, Signature
from spark_infer.bundle.documents import check_kind
from spark_infer.errors import ConfigError, SignatureError
from spark_infer.metrics import Metrics
from spark_infer.model import BatchOptions
from spark_infer.spark.driver.session import active, check_frame
from spark_infer.spark.failures import spark_failures, task_failures
from spark_infer.spark.features import Featured, with_bundle_features
from spark_infer.spark.functions import prediction_udf, resolve_kind
from spark_infer.spark.names import Names, unused
from spark_infer.spark.reference import BundleReference
from spark_infer.spark.types import arrow_schema, char_type, lacks_type, prediction_fields
from spark_infer.spark.wire import Source, Wire, by_name, quoted
from spark_infer.tensors import check_schema


@spark_failures("the rows cannot be prepared for the model", kind=SignatureError)
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

    How often the model runs: a filter on source columns spares it the other rows without ``keep``
    and does not with it. A filter on a prediction runs a deterministic model again for the rows
    that pass without ``keep``, once with it. By either path a sort, a union or a join that reads
    the result twice runs it twice; ``cache()`` the result, or write it, to run it once. For a
    stochastic model that also keeps what was drawn.

    Args:
        df: Rows with the bundle's source columns.
        bundle: A bundle, its path or its URI.
        keep: Columns to carry beside the predictions; None keeps all. They come from ``df`` as
            they are; a feature of the bundle is carried where ``df`` has no column of its name.
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
        ConfigError: A kept column is missing, or has the name of an output; an argument is of
            another kind; the DataFrame is one of Spark Connect.
    """
    check_frame(df)
    if keep is not None:
        _check_keep(keep)
    check_kind(metrics, (Accumulator, NoneType), name="metrics", wanted="a metrics_accumulator")
    bundle = Bundle.load(bundle, digest)
    with active(df.sparkSession):
        featured = with_bundle_features(df, bundle.features, bundle.manifest.source_types)
        reference = BundleReference.share(df.sparkSession, bundle, options, allow_modules)
        if keep is None:
            return _joined(featured, bundle.signature, reference, metrics)
        return predict_prepared(featured, bundle.signature, reference, keep, metrics)


def predict_prepared(
    featured: Featured,
    signature: Signature,
    reference: BundleReference,
    keep: Sequence[str],
    metrics: Accumulator[Metrics] | None = None,
) -> DataFrame:
    """Predict rows that have the bundle's features, by ``mapInArrow``.

    A job computes window features over more rows than it scores, so they must not be computed
    again here. Arguments, result and errors are those of ``predict``.
    """
    names = Names.of_session(featured.df.sparkSession)
    outputs = prediction_fields(signature)
    spelled = [featured.column(name, where="keep") for name in keep]
    _check_result(names, keep, outputs)
    found = _Columns.find(featured, signature, names)
    wire = Wire.build(found.signature, found.columns, found.types)
    kept = [F.col(quoted(name)) for name in spelled]
    travels = [column.values for column in wire.columns]
    # Their places tell the columns apart: any name may be among those that are kept.
    sent = featured.df.select(
        *(column.alias(str(place)) for place, column in enumerate([*travels, *kept]))
    )
    for name, field in zip(keep, sent.schema.fields[len(wire.columns) :], strict=True):
        if lacks_type(field.dataType):
            kind = field.dataType.simpleString()
            raise ConfigError(
                f"keep: column {name!r} is {kind} without a value, which Arrow cannot "
                f"describe; cast it, such as to {kind.replace('void', 'string')}"
            )
    fields = [
        StructField(name, field.dataType, field.nullable, field.metadata)
        for name, field in zip(keep, sent.schema.fields[len(wire.columns) :], strict=True)
    ]
    task = _PredictTask(reference, wire.signature, wire.packed, tuple(keep), metrics)
    return sent.mapInArrow(task, StructType([*fields, *outputs]))


def _check_keep(keep: Sequence[str]) -> None:
    """Raise ConfigError unless these are names of columns, one by one."""
    if isinstance(keep, str):
        raise ConfigError(f"keep must be a list of column names, such as [{keep!r}]")
    check_kind(keep, (list, tuple), name="keep", wanted="a list of column names")
    for name in keep:
        check_kind(name, str, name="keep", wanted="a list of column names")


def _joined(
    featured: Featured,
    signature: Signature,
    reference: BundleReference,
    metrics: Accumulator[Metrics] | None,
) -> DataFrame:
    """Predict by a scalar function, whose result Spark joins to the row.

    Columns that the model does not read are not named, so that it does not matter whether their
    names are unique.
    """
    df = featured.df
    names = Names.of_session(df.sparkSession)
    outputs = prediction_fields(signature)
    given = names.index(featured.given)
    _check_result(names, [spelled[0] for spelled in given.values()], outputs)
    kind = resolve_kind("auto")
    found = _Columns.find(featured, signature, names)
    wire = Wire.build(found.signature, found.columns, found.types, exact_nulls=kind == "pandas")
    function = prediction_udf(reference, wire, StructType(outputs), kind, metrics)
    (struct,) = unused([*df.columns, *(field.name for field in outputs)], 1)
    predicted = df.select("*", function(*wire.arguments()).alias(struct))
    results = [F.col(struct).getField(field.name).alias(field.name) for field in outputs]
    return predicted.select(_all_but(predicted, [struct, *featured.features.values()]), *results)


def _all_but(df: DataFrame, names: Sequence[str]) -> Column:
    """Return the columns with other names than these, which need not be unique.

    Not ``DataFrame.drop``: Spark 4 drops by the rule of the active session, which need not be the
    DataFrame's.
    """
    return df.colRegex(f"`(?s)(?!(?:{'|'.join(map(re.escape, names))})\\z).*`")


@dataclass(frozen=True)
class _PredictTask:
    """The function that ``mapInArrow`` runs in a task."""

    reference: BundleReference
    signature: Signature
    packed: frozenset[str]
    kept: tuple[str, ...]
    metrics: Accumulator[Metrics] | None

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with task_failures():
            yield from self._predicted(batches)

    def _predicted(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        counted = Metrics()
        predictor = self.reference.predictor(self.signature, self.packed, counted)
        columns = predictor.column_names
        # The kept columns are not read, but held: their bytes count in a window.
        names = [*columns, *unused(columns, len(self.kept))]
        held: deque[pa.RecordBatch] = deque()

        def inputs() -> Iterator[pa.RecordBatch]:
            for batch in batches:
                held.append(batch)
                yield pa.RecordBatch.from_arrays(batch.columns, names=names)

        predictions = predictor.stream(inputs())
        try:
            for predicted in predictions:
                yield pa.RecordBatch.from_arrays(
                    [*held.popleft().columns[len(columns) :], *predicted.columns],
                    names=[*self.kept, *predicted.schema.names],
                )
        finally:
            predictions.close()
            if self.metrics is not None:
                self.metrics.add(counted)


@dataclass(frozen=True)
class _Columns:
    """The columns that a model reads, features among them.

    Attributes:
        signature: The model's, with struct fields as the columns spell them.
        columns: Each by the signature's name.
        types: Their types, by the same names.
    """

    signature: Signature
    columns: dict[str, Source]
    types: dict[str, DataType]

    @classmethod
    def find(cls, featured: Featured, signature: Signature, names: Names) -> _Columns:
        """Find the columns, each of which must be there once and fit its input."""
        names.check_readable(signature)
        wanted = names.index(signature.column_names)
        there: dict[str, list[tuple[str, StructField]]] = {n: [] for n in signature.column_names}
        others = []
        for spelled, field in featured.read(names):
            if read := wanted.get(names.key(spelled)):
                there[read[0]].append((spelled, field))
            else:
                others.append(spelled)
        for name, same in there.items():
            if len(same) > 1:
                raise SignatureError(names.ambiguous(name, [spelled for spelled, _ in same]))
        found = {name: same[0][1] for name, same in there.items() if same}
        types = {name: field.dataType for name, field in found.items()}
        schema = arrow_schema([StructField(*pair) for pair in types.items()])
        signature = names.with_fields(signature, schema)
        check_schema(signature.inputs, schema, others)
        _check_not_padded(signature.inputs, found)
        columns: dict[str, Source] = {name: by_name(field.name) for name, field in found.items()}
        return cls(signature, columns, types)


def _check_not_padded(inputs: Sequence[Input], found: Mapping[str, StructField]) -> None:
    """Raise SignatureError for words that Spark pads with blanks, which are other words."""
    for item in inputs:
        if item.vocabulary is None and (item.transform is None or item.transform.takes != "string"):
            continue
        for name in item.column_names:
            if kind := char_type(found[name]):
                raise SignatureError(
                    f"column {name!r} (input {item.name!r}): Spark fills the values of {kind} with "
                    "blanks, which makes other words of them; remove them in the source, or by a "
                    "feature, with rtrim (inside an array by transform)"
                )


def _check_result(names: Names, kept: Sequence[str], outputs: Sequence[StructField]) -> None:
    names.check_distinct(
        {"prediction column": [field.name for field in outputs], "column": kept},
        hint="rename the DataFrame's column, or leave it out with keep=[...]",
    )
