"""The function that Spark runs for each record batch: with Arrow columns, or with pandas ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
from pyspark import Accumulator, TaskContext
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructType

from spark_infer.bundle import Signature
from spark_infer.bundle.documents import shown
from spark_infer.engine import Predictor
from spark_infer.errors import ConfigError
from spark_infer.metrics import Metrics
from spark_infer.spark.failures import task_failures
from spark_infer.spark.names import Names
from spark_infer.spark.reference import BundleReference
from spark_infer.spark.wire import Wire
from spark_infer.spark.wire.pandas_bridge import (
    PandasColumn,
    as_declared,
    from_pandas,
    to_pandas,
)
from spark_infer.tensors.arrow.schema import wire_names

Kind = Literal["auto", "arrow", "pandas"]


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
    masks = wire.masked, wire.paired
    task = _UdfTask(reference, wire.signature, wire.packed, *masks, metrics, kind == "pandas")
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
    paired: tuple[int, ...]
    metrics: Accumulator[Metrics] | None
    is_pandas: bool
    predictor: Predictor | None = None

    def arrow(self, columns: Sequence[pa.Array], named: Mapping[str, pa.Array]) -> pa.RecordBatch:
        with task_failures():
            return self._predicted(columns, named)

    def _predicted(
        self, columns: Sequence[pa.Array], named: Mapping[str, pa.Array]
    ) -> pa.RecordBatch:
        names = Names.of_task(TaskContext.get())
        expected = wire_names(self.signature, self.packed)
        bound = names.bind(expected, columns, named)
        if self.is_pandas:
            bound = as_declared(bound, self.signature)
        batch = pa.RecordBatch.from_arrays([bound[name] for name in expected], names=expected)
        # From pandas the fields of structs are known from the first batch that holds one.
        signature = names.with_fields(self.signature, batch.schema)
        if self.predictor is None or signature != self.signature:
            self.signature = signature
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
        values, masks = list(columns[:count]), dict(zip(self.masked, columns[count:], strict=True))
        for at in self.paired:  # A struct arrives as a frame of its fields.
            values[at], masks[at] = values[at]["values"], values[at]["mask"]
        names = [*_positional(count), *named]
        with task_failures():
            batch = from_pandas([*values, *named.values()], names, masks)
        arrays = batch.columns
        return self.arrow(arrays[:count], dict(zip(named, arrays[count:], strict=True)))


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
