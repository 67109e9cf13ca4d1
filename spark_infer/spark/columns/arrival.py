"""How the columns of several models arrive together: each column once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pyspark.sql import Column

from spark_infer.bundle import Signature
from spark_infer.spark.columns.model_columns import ModelColumns
from spark_infer.spark.wire import Source, Wire


@dataclass(frozen=True)
class Arrival:
    """How the columns of one model arrive.

    Attributes:
        signature: What becomes of them.
        packed: Scalar inputs among them that arrive as one list column.
        places: Where each of them stands among the columns of all models.
    """

    signature: Signature
    packed: frozenset[str]
    places: tuple[int, ...]


def as_stored(models: Sequence[ModelColumns]) -> tuple[list[Source], list[Arrival]]:
    """Return the columns that models read, as they are, and how each model finds its own.

    Those of the first model come first.
    """
    read = [[found.columns[name] for name in found.signature.column_names] for found in models]
    places = {column: at for at, column in enumerate(dict.fromkeys(c for r in read for c in r))}
    arrivals = [
        Arrival(found.signature, frozenset(), tuple(places[column] for column in columns))
        for found, columns in zip(models, read, strict=True)
    ]
    return list(places), arrivals


def as_wired(models: Sequence[ModelColumns]) -> tuple[list[Column], list[Arrival]]:
    """Return the same of the columns that Spark makes for them.

    Models that read the same columns in the same way are sent them once.
    """
    columns: list[Column] = []
    arrivals: list[Arrival] = []
    for at, found in enumerate(models):
        alike = (
            arrival
            for other, arrival in zip(models[:at], arrivals, strict=True)
            if _reads(other) == _reads(found)
        )
        same = next(alike, None)
        if same is None:
            wire = Wire.build(found.signature, found.columns, found.types)
            places = range(len(columns), len(columns) + len(wire.columns))
            columns += (column.values for column in wire.columns)
            arrivals.append(Arrival(wire.signature, wire.packed, tuple(places)))
        else:
            # Its own outputs.
            signature = replace(same.signature, outputs=found.signature.outputs)
            arrivals.append(Arrival(signature, same.packed, same.places))
    return columns, arrivals


def _reads(model: ModelColumns) -> tuple[str, object]:
    """Return what tells how a model reads columns; as text, -0.0 is another number than 0.0."""
    return repr(model.signature.inputs), model.columns
