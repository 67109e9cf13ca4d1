"""The table of casts: which source column becomes which tensor, and by what rule.

| column | float tensor | integer tensor | bool tensor |
|---|---|---|---|
| void (nothing but nulls) | null | null | null |
| boolean | 0 or 1 | 0 or 1 | as it is |
| integer | nearest float | as it is | - |
| float, double | nearest float | - | - |
| decimal | nearest float | - | - |
| date | days since 1970-01-01 | the same (32 bits or wider) | - |
| timestamp | seconds since 1970-01-01 UTC, nearest float | rounded down (64 bits) | - |

Everything else is refused: strings become tensors through a vocabulary (strings for one of
strings, integers for one of integers) or a transform, binary columns through a transform, and
intervals, times of day, variants and user-defined types never do.

- *Nearest float* is the one value of the tensor's type that lies nearest to the exact number, of
  two the even one; a number beyond the largest is infinite. ``float16`` is the nearest to the
  nearest float64. NaN stays NaN (which of them is not kept) and -0.0 keeps its sign.
- A timestamp without a zone counts as UTC, whatever the zone of the session.
- An integer that the tensor's type does not hold costs its row.

This is the only home of the rules. Arrow arrays are cast by them in ``tensors.arrow.leaves``,
Spark columns in ``spark.wire.casts``, and both are tested against the table and against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from spark_infer.bundle import Input
from spark_infer.bundle.columns import DTYPES, FLOAT_DTYPES, INTEGER_DTYPES
from spark_infer.tensors.arrow.types import storage_type, type_name


class Rule(Enum):
    """How a value becomes a tensor's element."""

    NULL = "there is none but null"
    NUMBER = "the nearest number of the tensor's type"
    IN_RANGE = "the number where the tensor's type holds it, else the row is rejected"
    DECIMAL = "the nearest float"
    DAYS = "days since 1970-01-01"
    SECONDS = "seconds since 1970-01-01 UTC, with their fraction"
    WHOLE_SECONDS = "seconds since 1970-01-01 UTC, rounded down"
    WORD = "its position in the vocabulary"
    TRANSFORM = "what the transform makes of it"


SIGNED = {"tinyint": "int8", "smallint": "int16", "int": "int32", "bigint": "int64"}
"""Spark's integers, and NumPy's names of the same."""
SQL_TYPES = {
    "bool": "boolean",
    "int8": "tinyint",
    "int16": "smallint",
    "int32": "int",
    "int64": "bigint",
    "uint8": "smallint",
    "float16": "double",
    "float32": "float",
    "float64": "double",
}
"""Spark's type whose columns are the elements of each tensor type, or the next that it has."""
_UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
_INTEGERS = SIGNED | {name: name for name in _UNSIGNED}
_FLOATS = ("float16", "float", "double")


def _table() -> dict[str, dict[str, Rule]]:
    table: dict[str, dict[str, Rule]] = {
        "void": dict.fromkeys(DTYPES, Rule.NULL),
        "boolean": dict.fromkeys(DTYPES, Rule.NUMBER),
    }
    for kind, numpy in _INTEGERS.items():
        table[kind] = {
            dtype: Rule.NUMBER if np.can_cast(numpy, dtype, "safe") else Rule.IN_RANGE
            for dtype in INTEGER_DTYPES
        }
    for kind in ("date", "timestamp"):
        table[kind] = {}
    table["date"] = dict.fromkeys(("int32", "int64", *FLOAT_DTYPES), Rule.DAYS)
    table["timestamp"] = {"int64": Rule.WHOLE_SECONDS} | dict.fromkeys(FLOAT_DTYPES, Rule.SECONDS)
    table["timestamp_ntz"] = table["timestamp"]
    for kind in (*_INTEGERS, *_FLOATS):
        table.setdefault(kind, {}).update(dict.fromkeys(FLOAT_DTYPES, Rule.NUMBER))
    table["decimal"] = dict.fromkeys(FLOAT_DTYPES, Rule.DECIMAL)
    return table


TABLE: Mapping[str, Mapping[str, Rule]] = _table()
"""Rule for each kind of column and each tensor type; a kind or type that is missing is refused.

Kinds are Spark's names of types without their parameters, and Arrow's where Spark has no such type.
"""


def rule_of(kind: str, item: Input) -> Rule | None:
    """Return the rule by which a kind of column becomes the input's elements, or None."""
    if item.takes is None:
        return TABLE.get(kind, {}).get(item.dtype)
    if kind == "void":
        return Rule.NULL
    rule = Rule.WORD if item.transform is None else Rule.TRANSFORM
    # An index of int64 finds no larger value.
    kinds = _INTEGERS.keys() - {"uint64"} if item.takes == "bigint" else {item.takes}
    return rule if kind in kinds else None


def kind_of(kind: pa.DataType) -> str:
    """Return the kind of column that an Arrow type is: its name without parameters."""
    kind = storage_type(kind)
    if pat.is_decimal(kind):
        return "decimal"
    return type_name(kind)


def type_problem(kind: pa.DataType, item: Input) -> str | None:
    """Say why a column's element type does not fit the input, or return None."""
    if rule_of(kind_of(kind), item) is not None:
        return None
    return refusal(type_name(kind), item)


def sql_type(item: Input) -> str:
    """Return Spark's type whose columns are the input's elements."""
    return item.takes or SQL_TYPES[item.dtype]


TOLD_APART = ("string", "binary", "array<")
"""Beginnings of types for whose columns something else is to be done than a cast."""


def refusal(name: str, item: Input) -> str:
    """Say that columns of a type do not fit the input, whichever path finds it out."""
    kind = sql_type(item)
    if item.transform is not None:
        return f"{name} does not match transform {item.transform.kind!r}; cast to {kind}"
    if item.vocabulary is not None:
        words = f"a vocabulary of {type(item.vocabulary[0]).__name__}"
        return f"{name} does not match {words}; cast to {kind}"
    hint = f"cast to {kind}"
    if name.startswith("array<"):
        hint = "an ArrayInput or a RaggedInput takes arrays"
    elif name == "string":
        hint += " what is a number (a feature can), and give an input of words a vocabulary"
    elif name == "binary":
        hint = "decode it to numbers first"
    return f"{name} does not fit a tensor of {item.dtype}; {hint}"
