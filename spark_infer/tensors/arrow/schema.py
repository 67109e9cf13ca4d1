"""A record batch's schema against a signature, and the schema of what comes back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import pyarrow as pa
import pyarrow.types as pat

from spark_infer.bundle import Input, Output, RaggedInput, ScalarInput, Signature
from spark_infer.bundle.columns import instead
from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.errors import SignatureError, nearest
from spark_infer.tensors.arrow.casts import TABLE, kind_of, sql_type, type_problem
from spark_infer.tensors.arrow.types import (
    arrow_dtype,
    is_list,
    is_string,
    storage_type,
    type_name,
)

_MISFIT = "the columns do not fit the bundle: "
_MOST_NAMED = 5


def packed_name(item: ScalarInput, others: Collection[str] = ()) -> str:
    """Return the name of the list column that carries a packed scalar input.

    Args:
        item: The input.
        others: Columns of the signature, whose names it must not have.
    """
    name = f"{item.name}[]"
    while name in others:
        name += "[]"
    return name


def wire_names(signature: Signature, packed: Collection[str] = ()) -> tuple[str, ...]:
    """Return the columns that a predictor reads when the named inputs arrive packed."""
    names: list[str] = []
    for item in signature.inputs:
        if isinstance(item, ScalarInput) and item.name in packed:
            names.append(packed_name(item, signature.column_names))
        else:
            names.extend(item.column_names)
    return tuple(names)


def check_schema(inputs: Iterable[Input], schema: pa.Schema, others: Iterable[str] = ()) -> None:
    """Raise one SignatureError that says what is wrong, and of which columns each.

    Args:
        inputs: What the columns must fit.
        schema: The columns.
        others: Further columns there are, to suggest for a missing one.
    """
    missing: list[str] = []
    problems: list[str] = []
    unfit: dict[str, list[tuple[str, Input]]] = {}
    for item in inputs:
        for name in item.column_names:
            index = schema.get_all_field_indices(name)
            if not index:
                missing.append(name)
            elif len(index) > 1:
                problems.append(f"column {name!r} is there {len(index)} times")
            elif problem := column_problem(schema.field(index[0]).type, item):
                unfit.setdefault(problem, []).append((name, item))
    if missing:
        problems.insert(0, _missing(missing, [*schema.names, *others]))
    problems += [_of_columns(columns, problem) for problem, columns in unfit.items()]
    if unfit and len(schema) > 1 and all(is_string(storage_type(kind)) for kind in schema.types):
        problems[-1] += (
            " (all columns are strings, as those of CSV files read without inferSchema or a schema)"
        )
    if problems:
        raise SignatureError(_MISFIT + "; ".join(problems))


def _missing(names: Sequence[str], known: Sequence[str]) -> str:
    if len(names) == 1:
        return f"column {names[0]!r} is missing{instead(names[0], known)}"
    hints = {name: instead(name, known) for name in names[:_MOST_NAMED]}
    if len(set(hints.values())) == 1:
        return f"columns {_listed(names)} are missing{hints[names[0]]}"
    hinted = [f"{name!r} ({hint[2:]})" if hint else repr(name) for name, hint in hints.items()]
    return f"columns {_listed(names, hinted)} are missing"


def misfit(name: str, item: Input, problem: str) -> str:
    """Return the message of a single column that does not fit, as ``check_schema`` gives it."""
    return _MISFIT + _of_columns([(name, item)], problem)


def _of_columns(columns: Sequence[tuple[str, Input]], problem: str) -> str:
    names = [name for name, _ in columns]
    inputs = list(dict.fromkeys(item.name for _, item in columns))
    return f"{_called('column', names)} ({_called('input', inputs)}): {problem}"


def _called(what: str, names: Sequence[str]) -> str:
    return f"{what if len(names) == 1 else what + 's'} {_listed(names)}"


def _listed(names: Sequence[str], written: Sequence[str] = ()) -> str:
    """Return the first names, and how many more there are."""
    shown = written or [repr(name) for name in names[:_MOST_NAMED]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def column_problem(kind: pa.DataType, item: Input) -> str | None:
    """Say why a column of this type does not fit the input, or return None."""
    if pat.is_null(storage_type(kind)):
        return None
    if isinstance(item, RaggedInput) and item.fields:
        return _struct_problem(kind, item)
    if item.levels == 0:
        return type_problem(kind, item)
    sizes = (None, *item.item_shape) if isinstance(item, RaggedInput) else item.item_shape
    return _nested_problem(kind, item, item.levels, sizes)


def column_type(item: Input) -> str:
    """Return Spark's type of the columns that fit the input best."""
    kind = sql_type(item)
    if isinstance(item, RaggedInput) and item.fields:
        kind = f"struct<{','.join(f'{name}:{kind}' for name in item.fields)}>"
    return "array<" * item.levels + kind + ">" * item.levels


def _nested_problem(
    kind: pa.DataType, item: Input, depth: int, sizes: tuple[int | None, ...]
) -> str | None:
    inner = storage_type(kind)
    for level in range(depth):
        if not is_list(inner):
            return _no_array(kind, column_type(item))
        expected = sizes[level]
        if pat.is_fixed_size_list(inner) and expected not in (None, inner.list_size):
            return f"expected arrays of length {expected}, got {type_name(kind)}"
        inner = storage_type(inner.value_type)
        if pat.is_null(inner):
            return None
    if is_list(inner):
        return _no_array(kind, column_type(item))
    problem = type_problem(inner, item)
    return problem and f"items: {problem}"


def _no_array(kind: pa.DataType, wanted: str) -> str:
    """Say that a column is no array of the levels, and how to make it one."""
    came = type_name(kind)
    if came in ("binary", "string"):
        hint = "split or parse it to an array first"
        if came == "binary":
            hint = "decode it to an array first, or give the input transform=RawBytes()"
    elif is_list(storage_type(kind)):
        hint = "the input's shape says how many levels there are; correct that or the column"
    elif kind_of(kind) in TABLE:
        hint = "gather values with array(...), or use a ScalarInput for columns of one value each"
    else:
        hint = "make it an array of plain values first"
    return f"expected {wanted}, got {came}; {hint}"


def _struct_problem(kind: pa.DataType, item: RaggedInput) -> str | None:
    struct = storage_type(kind).value_type if is_list(storage_type(kind)) else kind
    struct = storage_type(struct)
    if pat.is_null(struct):
        return None
    if not is_list(storage_type(kind)) or not pat.is_struct(struct):
        return (
            f"expected {column_type(item)}, got {type_name(kind)}; "
            "gather them with array(struct(...)), or leave the input's fields out for plain arrays"
        )
    types = {struct.field(i).name: struct.field(i).type for i in range(struct.num_fields)}
    for name in item.fields:
        if len(struct.get_all_field_indices(name)) > 1:
            return f"the structs have field {name!r} more than once"
        if name not in types:
            return f"the structs have no field {name!r}{nearest(name, types)}"
        if problem := type_problem(types[name], item):
            return f"field {name!r}: {problem}"
    return None


def output_type(output: Output) -> pa.DataType:
    """Return the Arrow type of an output's prediction column."""
    kind = pa.string() if output.labels is not None else _spark_type(output.dtype)
    for _ in output.shape:
        kind = pa.list_(kind)
    return kind if output.lengths_of is None else pa.list_(kind)


def output_schema(signature: Signature) -> pa.Schema:
    """Return the schema of a predictor's record batches: the outputs, then the reason."""
    fields = [pa.field(output.name, output_type(output)) for output in signature.outputs]
    return pa.schema([*fields, pa.field(REASON_COLUMN, pa.string())])


def _spark_type(dtype: str) -> pa.DataType:
    """Return the narrowest Arrow type that a warehouse can store the tensor's type in."""
    widened = {"float16": pa.float32(), "uint8": pa.int16()}
    return widened.get(dtype) or arrow_dtype(dtype)
