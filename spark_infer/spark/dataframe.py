"""``predict``: a DataFrame in, the same rows with predictions out."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import partial
from types import NoneType

from pyspark import Accumulator
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from spark_infer.bundle import Bundle, Signature
from spark_infer.bundle.documents import check_kind
from spark_infer.errors import ConfigError, SignatureError
from spark_infer.metrics import Metrics
from spark_infer.model import BatchOptions
from spark_infer.spark.challengers import Challenger, Contest, Disagreement, about
from spark_infer.spark.columns.arrival import Arrival, as_stored, as_wired
from spark_infer.spark.columns.model_columns import ModelColumns
from spark_infer.spark.driver.session import active, check_frame
from spark_infer.spark.failures import spark_failures
from spark_infer.spark.features import Featured, with_bundle_features
from spark_infer.spark.functions import prediction_udf, resolve_kind
from spark_infer.spark.names import Names, unused
from spark_infer.spark.prediction import Prediction
from spark_infer.spark.reference import BundleReference
from spark_infer.spark.scan import NotDirect, ScanMode, check_scan, direct_scan, mark
from spark_infer.spark.stored import check_stored_types
from spark_infer.spark.tasks.predict_task import PredictTask
from spark_infer.spark.tasks.sample import RowSample
from spark_infer.spark.tasks.tally import Tally
from spark_infer.spark.types import is_sent, lacks_type, prediction_fields
from spark_infer.spark.wire import Wire
from spark_infer.spark.wire.source import Source, as_column, by_name


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
    scan: ScanMode = "auto",
) -> DataFrame:
    """Predict the rows of a DataFrame.

    With ``keep``, only those columns and the model's own travel to Python and back (Arrow record
    batches, ``mapInArrow``). Without it every column is kept, and none but the model's own
    travels: a scalar function whose result Spark joins to its row.

    The fastest path is ``keep`` over Parquet files: the Python workers read them, and Spark says
    only which. That is done where the rows are the same ones for sure: where there is nothing
    between files and model but a choice of columns, and comparisons of columns with values. The
    files are those that Spark lists when this is called; a file that is replaced before it is read
    stops the query. ``explain`` tells which path is taken, and why.

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
        scan: Who reads the rows: ``"auto"``, the workers where they can; ``"direct"``, the workers;
            ``"jvm"``, Spark.

    Returns:
        The kept columns, one column for each output, and ``rejected_reason``: null where a row
        was predicted.

    Raises:
        BundleError: The bundle is unreadable, was changed, or has another digest, or a feature is
            more than a computation from columns.
        SignatureError: A column is missing or of a wrong type.
        ConfigError: A kept column is missing, or has the name of an output; an argument is of
            another kind; the DataFrame is one of Spark Connect; ``scan`` is ``"direct"`` and Spark
            has to read the rows, the message says why.
        WarehouseError: With ``keep``: a Parquet or ORC file holds a column as a type whose values
            Spark would read as other ones.
    """
    check_frame(df)
    check_scan(scan)
    if keep is not None:
        _check_keep(keep)
    check_kind(metrics, (Accumulator, NoneType), name="metrics", wanted="a metrics_accumulator")
    bundle = Bundle.load(bundle, digest)
    with active(df.sparkSession):
        featured = with_bundle_features(df, bundle.features, bundle.manifest.source_types)
        reference = BundleReference.share(df.sparkSession, bundle, options, allow_modules)
        if keep is None:
            if scan == "direct":
                raise ConfigError("scan 'direct' needs keep, a list of the columns to carry")
            return _joined(featured, bundle.signature, reference, metrics)
        return predict_prepared(featured, bundle.signature, reference, keep, metrics, scan).df


def predict_prepared(
    featured: Featured,
    signature: Signature,
    reference: BundleReference,
    keep: Sequence[str],
    metrics: Accumulator[Metrics] | None = None,
    scan: ScanMode = "auto",
    sample: Accumulator[RowSample] | None = None,
    challengers: Sequence[Challenger] = (),
    tally: Accumulator[Tally[Disagreement]] | None = None,
    pending: Accumulator[Tally[int]] | None = None,
) -> Prediction:
    """Predict rows that have the bundle's features, by ``mapInArrow``.

    A job computes window features over more rows than it scores, so they must not be computed
    again here. ``sample`` takes some of the rows; ``challengers`` predict the same rows in the same
    pass, and what differs is counted in ``tally``; ``pending`` counts rows for which there was no
    time (see ``BatchOptions.until``); the other arguments and errors are those of
    ``predict``.

    Raises:
        WarehouseError: Spark would misread the files (see ``check_stored_types``).
    """
    names = Names.of_session(featured.df.sparkSession)
    outputs = prediction_fields(signature)
    spelled = [featured.column(name, where="keep") for name in keep]
    added = [field for challenger in challengers for field in challenger.fields]
    _check_result(names, keep, [*outputs, *added])
    models = [ModelColumns.find(featured, signature, names)]
    for other in challengers:
        with about(other.name):
            models.append(ModelColumns.find(featured.of(other.name), other.signature, names))
    kept = list(map(by_name, spelled))
    fields = _kept_fields(keep, _by_place(featured.df, kept).schema)
    schema = StructType([*fields, *outputs, *added])

    def task(arrivals: Sequence[Arrival], num_read: int, name: str) -> PredictTask:
        own, *others = arrivals
        contest = None
        if tally is not None and challengers:
            contest = Contest(tuple(zip(challengers, others, strict=True)), tally)
        return PredictTask(
            reference,
            own.signature,
            own.packed,
            num_read,
            tuple(keep),
            metrics,
            mark(name),
            sample,
            contest,
            pending,
        )

    reason = "it is asked for"
    if scan != "jvm":
        read, arrivals = as_stored(models)
        try:
            direct = direct_scan(_by_place(featured.df, [*read, *kept]))
        except NotDirect as error:
            reason = str(error)
        else:
            rows = partial(direct.map, metrics=metrics)
            made = task(arrivals, len(read), f"direct: {direct}")
            return Prediction(rows, made, schema, num_rows=direct.num_rows)
    if scan == "direct":
        raise ConfigError(f"scan 'direct' cannot be: {reason}; use 'auto' or 'jvm'")
    columns, arrivals = as_wired(models)
    sent = _by_place(featured.df, [*columns, *kept])
    check_stored_types(sent)
    made = task(arrivals, len(columns), f"jvm: {reason}")
    return Prediction(sent.mapInArrow, made, schema)


def _by_place(df: DataFrame, columns: Sequence[Source]) -> DataFrame:
    """Select columns under their places, which tell them apart whatever their names."""
    if all(isinstance(column, str) for column in columns):
        # One call for all of them.
        return df.selectExpr(*(f"{column} AS `{place}`" for place, column in enumerate(columns)))
    return df.select(*(as_column(column).alias(str(place)) for place, column in enumerate(columns)))


def _kept_fields(keep: Sequence[str], sent: StructType) -> list[StructField]:
    """Return the fields of the kept columns.

    Raises:
        ConfigError: One has no type, or one that Spark does not hand to Python.
    """
    for name, field in zip(keep, sent.fields, strict=True):
        if not is_sent(field.dataType):
            raise ConfigError(
                f"keep: column {name!r} is {field.dataType.simpleString()}, which Spark does not "
                "hand to Python; cast it, such as to string"
            )
        if lacks_type(field.dataType):
            kind = field.dataType.simpleString()
            raise ConfigError(
                f"keep: column {name!r} is {kind} without a value, which Arrow cannot "
                f"describe; cast it, such as to {kind.replace('void', 'string')}"
            )
    return [
        StructField(name, field.dataType, field.nullable, field.metadata)
        for name, field in zip(keep, sent.fields, strict=True)
    ]


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
    found = ModelColumns.find(featured, signature, names)
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


def _check_result(names: Names, kept: Sequence[str], outputs: Sequence[StructField]) -> None:
    names.check_distinct(
        {"prediction column": [field.name for field in outputs], "column": kept},
        hint="rename the DataFrame's column, or leave it out with keep=[...]",
    )
