"""Arrow types: what lies below their wrappers, and the names that users know them by."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

_NAMES = {
    pa.null(): "void",
    pa.bool_(): "boolean",
    pa.int8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.float16(): "float16",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.date32(): "date",
    pa.date64(): "date",
}


_UNREAD = ("arrow.opaque", "pandas.period")


class Unread(pa.ExtensionType):  # type: ignore[misc]  # pyarrow has no types
    """A type of another system that no tensor is made of, by its name there."""

    def __init__(self, name: str) -> None:
        self.spark_name = name
        super().__init__(pa.binary(), "spark_infer.unread")

    def __arrow_ext_serialize__(self) -> bytes:
        return self.spark_name.encode()

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, data: bytes) -> Unread:
        return cls(data.decode())


def storage_type(kind: pa.DataType) -> pa.DataType:
    """Return the type below extension and dictionary wrappers.

    An extension type whose storage does not say what the values are is its own: nothing is made of
    it. These are tensors whose dimensions are stored in another order, months and quarters as
    pandas numbers them, and what Arrow calls opaque.
    """
    while True:
        if isinstance(kind, Unread):
            return kind
        elif isinstance(kind, pa.BaseExtensionType):
            if is_bool8(kind):
                return pa.bool_()
            if kind.extension_name in _UNREAD or _is_permuted(kind):
                return kind
            kind = kind.storage_type
        elif pat.is_dictionary(kind):
            kind = kind.value_type
        else:
            return kind


def is_bool8(kind: pa.DataType) -> bool:
    """Tell whether the type is Arrow's boolean of one byte, where all but 0 is true."""
    return getattr(kind, "extension_name", None) == "arrow.bool8"


def _is_permuted(kind: pa.BaseExtensionType) -> bool:
    permutation = getattr(kind, "permutation", None)
    return permutation is not None and list(permutation) != sorted(permutation)


def type_name(kind: pa.DataType) -> str:
    """Return Spark's name of a type, as its ``typeof`` gives it; Arrow's where Spark has none."""
    kind = storage_type(kind)
    if isinstance(kind, Unread):
        return kind.spark_name
    if kind in _NAMES:
        return _NAMES[kind]
    if is_string(kind):
        return "string"
    if is_binary(kind):
        return "binary"
    if pat.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pat.is_timestamp(kind):
        return "timestamp_ntz" if kind.tz is None else "timestamp"
    if pat.is_duration(kind):
        return "interval day to second"
    if pat.is_time(kind):
        return "time(6)"
    if is_list(kind):
        return f"array<{type_name(kind.value_type)}>"
    if pat.is_map(kind):
        return f"map<{type_name(kind.key_type)},{type_name(kind.item_type)}>"
    if pat.is_struct(kind):
        return _struct_name([kind.field(index) for index in range(kind.num_fields)])
    return str(kind)


def _struct_name(fields: list[pa.Field]) -> str:
    # Spark marks what it sends as a struct for want of an Arrow type.
    for mark in (b"variant", b"geometry", b"geography"):
        if any(mark in (field.metadata or {}) for field in fields):
            return mark.decode()
    return f"struct<{','.join(f'{field.name}:{type_name(field.type)}' for field in fields)}>"


def is_list(kind: pa.DataType) -> bool:
    """Tell whether the type is one of Arrow's offset or fixed-size lists."""
    return bool(pat.is_list(kind) or pat.is_large_list(kind) or pat.is_fixed_size_list(kind))


def is_string(kind: pa.DataType) -> bool:
    """Tell whether the type is one of Arrow's string types."""
    # pyarrow 15 knows no string views, not even a function that tells.
    return str(kind) in ("string", "large_string", "string_view")


def is_binary(kind: pa.DataType) -> bool:
    """Tell whether the type is one of Arrow's types of bytes of any number."""
    return str(kind) in ("binary", "large_binary", "binary_view")


def arrow_dtype(dtype: str) -> pa.DataType:
    """Return the Arrow type of a tensor's element type."""
    return pa.from_numpy_dtype(np.dtype(dtype))
