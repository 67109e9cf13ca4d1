"""A challenger: a model whose predictions stand beside those of a job's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql.types import StructField

from spark_infer.bundle import Signature
from spark_infer.errors import SparkInferError
from spark_infer.spark.reference import BundleReference
from spark_infer.spark.types import prediction_fields
from spark_infer.tensors import output_schema


@dataclass(frozen=True)
class Challenger:
    """A challenger.

    Attributes:
        name: What the job calls it, and ``Featured`` its features.
        reference: Its bundle.
        signature: What that reads and returns.
        compared: What the outputs are that it has in common with the champion, by name.
        tolerance: Above which two numbers count as different.
        is_published: Whether its predictions are columns of the result.
    """

    name: str
    reference: BundleReference
    signature: Signature
    compared: Mapping[str, str]
    tolerance: float
    is_published: bool

    @property
    def outputs(self) -> pa.Schema:
        """Its outputs, without the reasons."""
        return pa.schema(list(output_schema(self.signature))[:-1])

    @property
    def column_names(self) -> list[str]:
        """The columns that it adds to the result."""
        return [column_name(self.name, n) for n in self.outputs.names] if self.is_published else []

    @property
    def fields(self) -> list[StructField]:
        """These columns, as Spark has them."""
        kinds = [field.dataType for field in prediction_fields(self.signature, reasons=False)]
        pairs = zip(self.column_names, kinds, strict=False)
        return [StructField(name, kind) for name, kind in pairs]


def column_name(challenger: str, output: str) -> str:
    """Return the name of the column that an output of a challenger becomes."""
    return f"{challenger}_{output}"


@contextmanager
def about(challenger: str | None) -> Iterator[None]:
    """Have errors of ours say which challenger they are about; None is the champion."""
    try:
        yield
    except SparkInferError as error:
        if challenger is None:
            raise
        told = f"challenger {challenger!r}: {error}"
        raise type(error)(told, transient=error.transient) from None
