"""The columns that go to Python: scalar features are packed into one array in the JVM."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import DataType

from spark_infer.bundle import Input, RaggedInput, ScalarInput, Signature
from spark_infer.spark.wire import nested, nulls
from spark_infer.spark.wire.casts import cast_sql, wire_type
from spark_infer.spark.wire.guards import guarded
from spark_infer.spark.wire.source import SPARK_4, Source, as_column, as_text, with_texts

Types: TypeAlias = Mapping[str, DataType] | None


@dataclass(frozen=True)
class Wire:
    """What travels from the JVM to a predictor.

    Attributes:
        signature: What the predictor reads from the columns.
        columns: One for each of the predictor's columns, in order; then the masks.
        packed: Names of the scalar inputs that travel as one array.
        masked: Positions of the predictor's columns whose nulls the masks say.
    """

    signature: Signature
    columns: tuple[Column, ...]
    packed: frozenset[str]
    masked: tuple[int, ...] = ()

    @classmethod
    def as_given(cls, signature: Signature) -> Wire:
        """Lay out the arguments of a SQL function, which arrive as the caller wrote them."""
        return cls(signature, (), frozenset())

    @classmethod
    def build(
        cls,
        signature: Signature,
        columns: Mapping[str, Source],
        types: Types = None,
        *,
        exact_nulls: bool = False,
    ) -> Wire:
        """Lay out the columns of a signature.

        Args:
            signature: What the model reads.
            columns: Each source column, as a Spark column or as SQL text. Text is built in one
                call to the JVM where columns take several calls for each.
            types: Their types where known; the columns are then text. Where they are not known,
                Spark casts by what it finds, and a type that does not fit fails when the query
                starts.
            exact_nulls: Cast everything in the JVM, and send nulls beside the values: pandas
                takes nulls for NaN, and integers beside nulls for floats.
        """
        inputs: list[Input] = []
        wire: list[Column] = []
        masks: dict[int, Column] = {}
        packed = set()
        for item in signature.inputs:
            sources = [as_text(columns[name]) for name in item.column_names]
            if isinstance(item, ScalarInput) and _packs(item, always=exact_nulls):
                packed.add(item.name)
                sent = _packed(item, sources, types, fill=exact_nulls)
            elif isinstance(item, ScalarInput):
                wire.extend(_cast(item, sources, types))
                inputs.append(item)
                continue
            elif exact_nulls:
                sent = nested.exact(item, sources[0], types)
                if isinstance(item, RaggedInput) and item.fields:
                    item = dataclasses.replace(item, fields=(), shape=(len(item.fields),))
            else:
                sent = nulls.Sent(as_column(sources[0]))
            if sent.mask is not None:
                masks[len(wire)] = sent.mask
            inputs.append(item)
            wire.append(sent.values)
        travels = dataclasses.replace(signature, inputs=inputs)
        return cls(travels, (*wire, *masks.values()), frozenset(packed), tuple(masks))

    def arguments(self) -> list[Column]:
        """Return the columns as arguments of a scalar Python function."""
        found = list(self.columns)
        masks = dict(
            zip(self.masked, range(len(found) - len(self.masked), len(found)), strict=True)
        )
        start = 0
        for item in self.signature.inputs:
            if item.name in self.packed:
                never = F.array().cast(f"array<{wire_type(item)}>")
                found[start] = _computed_below(found[start], never)
                if start in masks:
                    place = masks[start]
                    found[place] = _computed_below(found[place], F.lit(""))
                start += 1
            else:
                start += len(item.column_names)
        return found


def _computed_below(column: Column, never: Column) -> Column:
    """Return the column such that Spark computes it in a projection below a Python function.

    There whole-stage code generation computes it, and its source columns need not pass through
    the function's operator. As a plain argument that operator computes it: over a Parquet scan
    of thirty floats the query takes half as long again (Spark 4.3). Spark 4 moves an expression
    that ``nullif`` repeats into such a projection; Spark 3.5 would compute it twice.

    Args:
        column: What to compute.
        never: A value that it cannot have, so that ``nullif`` changes nothing.
    """
    return F.nullif(column, never) if SPARK_4 else column


def _packs(item: ScalarInput, *, always: bool) -> bool:
    return always or (len(item.columns) > 1 and item.vocabulary is None)


def _cast(item: ScalarInput, sources: Sequence[Source], types: Types) -> list[Column]:
    """Return scalar columns that travel by themselves; Arrow casts what has no text."""
    return [
        F.expr(cast_sql(source, item, name, None if types is None else types[name]))
        if isinstance(source, str)
        else source
        for name, source in zip(item.column_names, sources, strict=True)
    ]


def _packed(
    item: ScalarInput, sources: Sequence[Source], types: Types, *, fill: bool
) -> nulls.Sent:
    """Return scalar columns as one array, with their nulls beside it if they are to be filled."""
    names = item.column_names

    def cast(texts: Sequence[str]) -> list[str]:
        kinds = [None if types is None else types[name] for name in names]
        pairs = zip(texts, names, kinds, strict=True)
        return [cast_sql(text, item, name, kind) for text, name, kind in pairs]

    texts = [source for source in sources if isinstance(source, str)]
    if len(texts) == len(sources):
        elements = cast(texts)
        if fill and nulls.need_mask(item):
            return nulls.filled(elements, texts, wire_type(item))
        return nulls.Sent(F.expr(_array(elements)))
    if SPARK_4:
        array = with_texts(sources, lambda texts: _array(cast(texts)))
    else:
        pairs = zip(names, sources, strict=True)
        array = F.array(*(guarded(item, name, as_column(source)) for name, source in pairs))
    if fill and nulls.need_mask(item):
        return nulls.marked(array, wire_type(item))
    return nulls.Sent(array)


def _array(elements: Sequence[str]) -> str:
    return f"array({', '.join(elements)})"
