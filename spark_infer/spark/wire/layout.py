"""The columns that go to Python: scalar features are packed into one array in the JVM."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import DataType

from spark_infer.bundle import Input, RaggedInput, ScalarInput, Signature
from spark_infer.spark.wire import nested, nulls
from spark_infer.spark.wire.casts import cast_sql, wire_type
from spark_infer.spark.wire.column import WireColumn
from spark_infer.spark.wire.guards import guarded
from spark_infer.spark.wire.source import SPARK_4, Source, as_column, as_text, with_texts

Types: TypeAlias = Mapping[str, DataType] | None


@dataclass(frozen=True)
class Wire:
    """What travels from the JVM to a predictor.

    Attributes:
        signature: What the predictor reads from the columns.
        columns: The predictor's columns, in order.
        packed: Names of the scalar inputs that travel as one array.
    """

    signature: Signature
    columns: tuple[WireColumn, ...]
    packed: frozenset[str]

    @property
    def masked(self) -> tuple[int, ...]:
        """Positions of the columns whose nulls a mask behind all columns says."""
        return tuple(at for at, column in enumerate(self.columns) if column.mask is not None)

    @property
    def paired(self) -> tuple[int, ...]:
        """Positions of the columns that are structs of values and their mask."""
        return tuple(at for at, column in enumerate(self.columns) if column.is_pair)

    def arguments(self) -> list[Column]:
        """Return the arguments of a scalar Python function: the columns, then the masks."""
        columns = [column.as_argument() for column in self.columns]
        masks = [column.mask for column in columns if column.mask is not None]
        return [*(column.values for column in columns), *masks]

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
        wire: list[WireColumn] = []
        packed = set()
        for item in signature.inputs:
            sources = [as_text(columns[name]) for name in item.column_names]
            if isinstance(item, ScalarInput) and _packs(item, always=exact_nulls):
                packed.add(item.name)
                wire.append(_packed(item, sources, types, fill=exact_nulls))
            elif isinstance(item, ScalarInput):
                wire.extend(_cast(item, sources, types))
            elif exact_nulls:
                wire.append(nested.exact(item, sources[0], types))
                if isinstance(item, RaggedInput) and item.fields:
                    item = dataclasses.replace(item, fields=(), shape=(len(item.fields),))
            else:
                wire.append(WireColumn(as_column(sources[0])))
            inputs.append(item)
        travels = dataclasses.replace(signature, inputs=inputs)
        return cls(travels, tuple(wire), frozenset(packed))


def _packs(item: ScalarInput, *, always: bool) -> bool:
    return always or (len(item.columns) > 1 and item.takes is None)


def _cast(item: ScalarInput, sources: Sequence[Source], types: Types) -> list[WireColumn]:
    """Return scalar columns that travel by themselves; Arrow casts what has no text."""
    return [
        WireColumn(F.expr(cast_sql(source, item, name, None if types is None else types[name])))
        if isinstance(source, str)
        else WireColumn(source)
        for name, source in zip(item.column_names, sources, strict=True)
    ]


def _packed(
    item: ScalarInput, sources: Sequence[Source], types: Types, *, fill: bool
) -> WireColumn:
    """Return scalar columns as one array, with their nulls beside it if they are to be filled."""
    names, element = item.column_names, wire_type(item)

    def cast(texts: Sequence[str]) -> list[str]:
        kinds = [None if types is None else types[name] for name in names]
        pairs = zip(texts, names, kinds, strict=True)
        return [cast_sql(text, item, name, kind) for text, name, kind in pairs]

    fill = fill and nulls.need_mask(item)
    texts = [source for source in sources if isinstance(source, str)]
    if fill and len(texts) == len(sources):
        sent = nulls.filled(cast(texts), texts, element)
    else:
        if SPARK_4 or len(texts) == len(sources):
            array = with_texts(sources, lambda texts: f"array({', '.join(cast(texts))})")
        else:
            pairs = zip(names, sources, strict=True)
            array = F.array(*(guarded(item, name, as_column(source)) for name, source in pairs))
        sent = nulls.once(array, partial(nulls.marked, kind=element)) if fill else WireColumn(array)
    return dataclasses.replace(sent, packed_as=f"array<{element}>")
