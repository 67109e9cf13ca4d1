"""Which numbers of rows and which lengths a traced program takes, against the signature."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sympy

from spark_infer.backends.module_path import MODULE_FORMAT
from spark_infer.backends.torch.program.guards import Guards, Shape, Size
from spark_infer.bundle import RaggedInput, Signature
from spark_infer.errors import BundleError

_SMALL = 2
"""Tracing takes every size to be 2 or more; that 1 is right too is shown by running it."""


def fixed_length(item: RaggedInput) -> int | None:
    """Return the one length that every batch of an input has, None where it varies."""
    if item.pad_to is not None:
        return item.pad_to
    least = least_length(item)
    return least if least == item.max_length else None


def least_length(item: RaggedInput) -> int:
    """Return the least length of a batch of an input whose length varies."""
    return -(-max(1, item.min_length or 0) // item.pad_multiple) * item.pad_multiple


def check_lengths(
    shapes: Mapping[str, Sequence[Any]],
    signature: Signature,
    ranges: Mapping[Any, Any],
    guards: Iterable[Any],
    *,
    one_row: bool,
    shown: Collection[Shape],
) -> None:
    """Raise BundleError unless a program takes every batch that the signature allows.

    Args:
        shapes: Traced shape of each tensor that the model takes, in order.
        signature: Its inputs.
        ranges: Least and greatest value of each symbol in the shapes.
        guards: What tracing took for granted of the symbols.
        one_row: Whether it is run on one row at a time.
        shown: Shapes of batches for which it is compared with the model.
    """
    traced = dict(zip(signature.tensor_names, shapes.values(), strict=True))
    seen: dict[Any, str] = {}
    sizes: dict[Any, Size] = {}
    ragged = signature.ragged
    for item in signature.inputs:
        for name in item.tensor_names:
            if not one_row:
                rows = _expression(traced[name][0])
                _check_rows(rows, ranges)
                seen[rows] = ""
                sizes[rows] = Size("the number of rows", 1, None)
            if isinstance(item, RaggedInput) and fixed_length(item) is None:
                length = _expression(traced[name][1])
                _check_length(length, item, ranges)
                other = seen.setdefault(length, item.name)
                if other != item.name:
                    what = f"that of {other!r}" if other else "the number of rows"
                    raise BundleError(f"the length of input {item.name!r} must equal {what}")
                sizes |= _sizes(length, item, 1 + ragged.index(item))
    known = Guards(sizes, shown)
    for guard in guards:
        known.check(guard)


def _sizes(length: Any, item: RaggedInput, place: int) -> dict[Any, Size]:
    """Return the values of the symbol of which a length is a multiple."""
    unit = item.pad_multiple
    (symbol,) = length.free_symbols
    words = f"the length of input {item.name!r}"
    words = words if unit == 1 else f"({words} / {unit})"
    most = None if item.max_length is None else item.max_length // unit
    return {symbol: Size(words, least_length(item) // unit, most, place, unit)}


def _check_rows(size: Any, ranges: Mapping[Any, Any]) -> None:
    least, most = _range(size, ranges)
    if least > _SMALL or most is not None:
        takes = f"{most} rows" if least == most else f"{least} to {most or 'any number of'} rows"
        raise BundleError(
            f"it takes {takes} at a time, and batches have any number; take the number of rows "
            "from an input's shape (x.shape[0], where len(x) is traced as a constant), or pass "
            "row_independent=False to run rows one by one"
        )


def _check_length(size: Any, item: RaggedInput, ranges: Mapping[Any, Any]) -> None:
    least, most = _range(size, ranges)
    if least != most and not (size / item.pad_multiple).is_Symbol:
        raise BundleError(
            f"the length of input {item.name!r} must be {size}; where it has to be a "
            "multiple of a number, give the input that as pad_multiple"
        )
    if least == most:
        raise BundleError(
            f"the length of input {item.name!r} cannot vary in the traced program (it was traced "
            f"with {most}), as with a recurrent layer (GRU, LSTM) or a loop over positions; "
            f"{MODULE_FORMAT}; or give the input pad_to=LENGTH where the model was trained on one "
            "length"
        )
    if least > max(_SMALL, least_length(item)):
        raise BundleError(
            f"it takes {least} or more positions of input {item.name!r}; give the input "
            f"pad_multiple={least}, so that shorter rows are padded to that, or min_length={least} "
            "where they mean nothing"
        )
    if most is not None and (item.max_length is None or most < item.max_length):
        raise BundleError(
            f"it takes at most {most} positions of input {item.name!r}, and the signature allows "
            f"{item.max_length or 'any number'}; give the input max_length={most}, or, where the "
            f"model's code goes another way for longer rows, {MODULE_FORMAT}"
        )


def _range(size: Any, ranges: Mapping[Any, Any]) -> tuple[int, int | None]:
    """Return the least and the greatest value of a traced size, None for no limit."""
    if size.is_Integer:
        return int(size), int(size)
    found = ranges.get(size)
    return (_SMALL, None) if found is None else (_finite(found.lower) or 0, _finite(found.upper))


def _expression(size: Any) -> Any:
    return sympy.Integer(size) if isinstance(size, int) else size.node.expr


def _finite(bound: Any) -> int | None:
    # There are two infinities: sympy's, and one of integers that is torch's own.
    return int(bound) if bound.is_Integer else None
