"""Which Arrow types become which tensor types, and by what rule.

| column | float tensor | integer tensor | bool tensor |
|---|---|---|---|
| bool | 0 or 1 | 0 or 1 | as it is |
| integer | nearest float | when every value of the type fits | - |
| float | nearest float | - | - |
| decimal | nearest float | - | - |
| date | days since 1970-01-01 | the same (32 bits or wider) | - |
| timestamp | seconds since 1970-01-01 UTC, fractional | whole seconds, rounded down (64 bits) | - |

A timestamp without a zone counts as UTC. Strings become tensors through a vocabulary only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from spark_infer.bundle import Input


def storage_type(kind: pa.DataType) -> pa.DataType:
    """Return the type below extension and dictionary wrappers."""
    while True:
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif pat.is_dictionary(kind):
            kind = kind.value_type
        else:
            return kind


def is_list(kind: pa.DataType) -> bool:
    """Tell whether the type is one of Arrow's offset or fixed-size lists."""
    return bool(pat.is_list(kind) or pat.is_large_list(kind) or pat.is_fixed_size_list(kind))


def is_string(kind: pa.DataType) -> bool:
    """Tell whether the type is one of Arrow's string types."""
    # pyarrow 15 knows no string views, not even a function that tells.
    return str(kind) in ("string", "large_string", "string_view")


def arrow_dtype(dtype: str) -> pa.DataType:
    """Return the Arrow type of a tensor's element type."""
    return pa.from_numpy_dtype(np.dtype(dtype))


def type_problem(kind: pa.DataType, item: Input) -> str | None:
    """Say why a column's element type does not fit the input, or return None."""
    kind = storage_type(kind)
    if pat.is_null(kind):
        return None
    if item.vocabulary is not None:
        words = type(item.vocabulary[0])
        is_id = pat.is_integer(kind) and not pat.is_uint64(kind)
        fits = is_string(kind) if words is str else is_id
        return None if fits else f"a vocabulary of {words.__name__} does not match {kind}"
    target = np.dtype(item.dtype)
    if target.kind == "f":
        fits = pat.is_boolean(kind) or pat.is_integer(kind) or pat.is_floating(kind)
        fits = fits or pat.is_decimal(kind) or pat.is_date(kind) or pat.is_timestamp(kind)
    elif target.kind == "b":
        fits = pat.is_boolean(kind)
    else:
        fits = pat.is_boolean(kind) or _integer_fits(kind, target)
    if fits:
        return None
    hint = "give the input a vocabulary, or cast" if is_string(kind) else "cast"
    return f"{kind} does not fit a tensor of {item.dtype}; {hint} the column"


def _integer_fits(kind: pa.DataType, target: np.dtype[Any]) -> bool:
    if pat.is_integer(kind):
        return bool(np.can_cast(np.dtype(kind.to_pandas_dtype()), target, "safe"))
    if pat.is_date(kind):
        return target.itemsize >= 4 and target.kind == "i"
    return bool(pat.is_timestamp(kind)) and target == np.dtype("int64")
