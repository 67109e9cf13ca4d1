"""Which numbers of rows and which lengths a traced program takes, against the signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sympy

from spark_infer.backends.module_path import MODULE_FORMAT
from spark_infer.bundle import RaggedInput, Signature
from spark_infer.errors import BundleError

_SMALL = 2
"""Tracing takes every size to be 2 or more; that 1 is right too is shown by running it."""


def check_lengths(
    shapes: Mapping[str, Sequence[Any]],
    signature: Signature,
    ranges: Mapping[Any, Any],
    *,
    one_row: bool,
) -> None:
    """Raise BundleError unless a program takes every batch that the signature allows.

    Args:
        shapes: Traced shape of each tensor that the model takes, in order.
        signature: Its inputs.
        ranges: Least and greatest value of each symbol in the shapes.
        one_row: Whether it is run on one row at a time.
    """
    traced = dict(zip(signature.tensor_names, shapes.values(), strict=True))
    seen: dict[Any, str] = {}
    for item in signature.inputs:
        for name in item.tensor_names:
            if not one_row:
                _check_rows(traced[name][0], ranges)
                seen[_expression(traced[name][0])] = ""
            if isinstance(item, RaggedInput) and item.pad_to is None:
                length = traced[name][1]
                _check_length(length, item, ranges)
                other = seen.setdefault(_expression(length), item.name)
                if other != item.name:
                    what = f"that of {other!r}" if other else "the number of rows"
                    raise BundleError(f"the length of input {item.name!r} must equal {what}")


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
    expression = _expression(size)
    if least != most and not (expression / item.pad_multiple).is_Symbol:
        raise BundleError(
            f"the length of input {item.name!r} must be {expression}; where it has to be a "
            "multiple of a number, give the input that as pad_multiple"
        )
    if least == most:
        raise BundleError(
            f"the length of input {item.name!r} cannot vary in the traced program (it was traced "
            f"with {most}), as with a recurrent layer (GRU, LSTM) or a loop over positions; "
            f"{MODULE_FORMAT}; or give the input pad_to=LENGTH where the model was trained on one "
            "length"
        )
    if least > max(_SMALL, item.pad_multiple):
        raise BundleError(
            f"it takes {least} or more positions of input {item.name!r}; give the input "
            f"pad_multiple={least}, so that shorter rows are padded to that"
        )
    if most is not None and (item.max_length is None or most < item.max_length):
        raise BundleError(
            f"it takes at most {most} positions of input {item.name!r}, and the signature allows "
            f"{item.max_length or 'any number'}; give the input max_length={most}, or, where the "
            f"model's code goes another way for longer rows, {MODULE_FORMAT}"
        )


def _range(size: Any, ranges: Mapping[Any, Any]) -> tuple[int, int | None]:
    """Return the least and the greatest value of a traced size, None for no limit."""
    expression = _expression(size)
    if expression.is_Integer:
        return int(expression), int(expression)
    found = ranges.get(expression)
    return (_SMALL, None) if found is None else (_finite(found.lower) or 0, _finite(found.upper))


def _expression(size: Any) -> Any:
    return sympy.Integer(size) if isinstance(size, int) else size.node.expr


def _finite(bound: Any) -> int | None:
    # There are two infinities: sympy's, and one of integers that is torch's own.
    return int(bound) if bound.is_Integer else None
