"""Rows to try a model on: random, the same in every run, and with what the signature allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from spark_infer.bundle import ArrayInput, Input, RaggedInput, ScalarInput, Signature
from spark_infer.bundle.columns import NullRule
from spark_infer.tensors import Transformed, arrow_dtype
from spark_infer.tensors.inputs.transformed import transformed
from spark_infer.tensors.rejects import Rejects
from spark_infer.transforms import examples_of

LENGTHS = (1, 2, 3, 5, 8, 17, 33, 64, 129)
"""Lengths around powers of two, where kernels change; longer ones only up to ``max_length``."""

MORE_LENGTHS = (*range(1, 17), 24, 48, 100, 600, 2100)
"""Lengths to try as well where the model is small, the long ones if nothing limits them."""

NUM_ALIKE = 10
"""Rows of one length, to be run in batches of one and more."""

_ALIKE = 3
_EXTREME = ((1, -1), (1, 1), (2, -1), (2, 1))
"""Length, and sign, of rows of large numbers."""
_BEYOND = ((1, -1, 1), (1, 1, 1), (2, -1, 90), (2, 1, 90))
"""Length, side and distance of rows of integers that nothing limits: from the pad value, or from 0
and 1 where nothing is padded."""
_INFINITE = ((1, 1), (1, -1), (2, 1), (2, -1))
"""Length, and sign, of rows that begin with an infinity."""
NUM_ODD_FLOATS = len(_EXTREME) + len(_INFINITE) + 1
"""Rows of large numbers, with infinities, and one with NaN, which stand before the last one."""

_LARGE = 2_000.0
_SEED = 20_180_808


Spread = Literal["normal", "shares", "positive", "whole"]
"""How numbers are drawn: about 0, from 0 to 1, above 0, or whole ones from 1 to 9."""
SPREADS: tuple[Spread, ...] = get_args(Spread)


def probe(
    signature: Signature, *, is_small: bool = False, spread: Spread = "normal"
) -> pa.RecordBatch:
    """Return rows that cover a signature.

    The first ``NUM_ALIKE`` rows have one length, the next ones each length that the signature
    allows, and the last ones are odd (``num_odd``): short rows for each input of integers that
    nothing limits, with numbers below and above its pad value, or 0 and 1, then short rows of large
    numbers, some that hold an infinity, one that holds NaN, and an empty one. Nulls stand where the
    null rules take them; vocabulary columns hold the first and the last word, one that is unknown,
    and others. Numbers of float inputs are normal, some ten times that, those of other inputs 0 or
    1: an id without a vocabulary may be limited by the model, and nobody has said how. Another
    spread is for float inputs of models that answer NaN to those, without large numbers and
    infinities.

    Args:
        signature: Inputs of the model.
        is_small: Whether the model is so small that long rows take no time.
        spread: How numbers of float inputs are drawn.
    """
    random = np.random.default_rng(_SEED)
    varied = _lengths(signature, is_small=is_small)
    free = _unlimited(signature)
    short = (*_BEYOND * len(free), *_EXTREME, *_INFINITE)
    tail = [length for length, *_ in short] + [_ALIKE, 0]
    odd = num_odd(signature)
    columns: dict[str, pa.Array] = {}
    for number, item in enumerate(signature.inputs):
        # Long rows of one input stand beside short rows of another.
        turned = varied if number == 0 else varied[::-1]
        lengths = _allowed(item, [*[_ALIKE] * NUM_ALIKE, *turned, *tail])
        start = len(lengths) - odd + len(_BEYOND) * free.index(item) if item in free else None
        for name in item.column_names:
            columns[name] = _column(item, name, lengths, random, spread, start)
    return pa.RecordBatch.from_pydict(columns)


def num_odd(signature: Signature) -> int:
    """Return the number of rows at the end on which a model may rightly raise."""
    return len(_BEYOND) * len(_unlimited(signature)) + NUM_ODD_FLOATS + 1


def _unlimited(signature: Signature) -> list[Input]:
    """Return the inputs of integers that may be any, as far as the signature says.

    In rows of its own each goes beyond 0 and 1: one that holds ids, on which the model then raises,
    hides nothing of the others.
    """
    return [
        item
        for item in signature.inputs
        if np.dtype(item.dtype).kind in "iu"
        and item.vocabulary is None
        and (item.transform is None or item.transform.makes_arrays)
    ]


def _lengths(signature: Signature, *, is_small: bool) -> list[int]:
    """Return the lengths to try, or as many ones for a signature without ragged inputs."""
    ragged = signature.ragged
    if not ragged:
        return [1] * NUM_ALIKE
    known = sorted({*LENGTHS, *MORE_LENGTHS} if is_small else LENGTHS)
    most = max(item.max_length or known[-1] for item in ragged)
    longer = [known[-1]]
    while longer[-1] * 4 < most:
        longer.append(longer[-1] * 4)
    return sorted({min(length, most) for length in (*known, *longer, most)})


def _allowed(item: Input, lengths: Sequence[int]) -> list[int]:
    if not isinstance(item, RaggedInput):
        return [1] * len(lengths)
    least, most = item.min_length or 0, item.max_length or max(lengths)
    return [min(max(length, least), most) for length in lengths]


def _column(
    item: Input,
    name: str,
    lengths: list[int],
    random: np.random.Generator,
    spread: Spread,
    beyond: int | None,
) -> pa.Array:
    size = 1
    if item.transform is not None:
        made = _column(replace(item, transform=None), name, lengths, random, spread, beyond)
        return _source(item, name, made)
    if isinstance(item, ScalarInput):
        (rule,) = (column.nulls for column in item.source_columns if column.name == name)
        return _flat(item, lengths, size, random, rule, spread, beyond)
    assert isinstance(item, ArrayInput | RaggedInput)
    shape = () if item.struct_fields else item.item_shape
    size = math.prod(shape)
    parts = [
        _nest(_flat(item, lengths, size, random, item.null_items, spread, beyond), shape)
        for _ in item.struct_fields or (name,)
    ]
    if isinstance(item, ArrayInput):
        return parts[0]
    offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))).astype(np.int32))
    values = pa.StructArray.from_arrays(parts, list(item.fields)) if item.fields else parts[0]
    return pa.ListArray.from_arrays(offsets, values)


def _source(item: Input, name: str, made: pa.Array) -> pa.Array:
    """Return values of which an input's transform makes something like a column."""
    if item.levels != len(item.sizes):
        arrays = [np.array(_filled(row), item.dtype) for row in made.to_pylist()]
        return examples_of(item, arrays)

    def back(values: pa.Array) -> Transformed:
        numbers = values.fill_null(0).to_numpy(zero_copy_only=False)
        return Transformed(pc.if_else(values.is_valid(), examples_of(item, numbers), None))

    return transformed(made, item.levels, name, back, Rejects(len(made)))


def _filled(value: Any) -> Any:
    """Return nested lists with 0 for each null."""
    return list(map(_filled, value)) if isinstance(value, list) else value or 0


def _nest(array: pa.Array, shape: tuple[int, ...]) -> pa.Array:
    for size in reversed(shape):
        array = pa.FixedSizeListArray.from_arrays(array, size)
    return array


def _flat(
    item: Input,
    lengths: list[int],
    size: int,
    random: np.random.Generator,
    nulls: NullRule,
    spread: Spread,
    beyond: int | None,
) -> pa.Array:
    """Return the elements of an input's rows; every eleventh is null where the rule takes nulls.

    Args:
        item: The input.
        lengths: Positions of each row.
        size: Elements of each position.
        random: Where values are drawn.
        nulls: What a null becomes.
        spread: How numbers are drawn.
        beyond: The first of the rows whose integers go beyond 0 and 1; None where none do.
    """
    rows = np.repeat(np.arange(len(lengths)), np.asarray(lengths) * size)
    count = len(rows)
    missing = np.zeros(count, np.bool_) if nulls == "reject" else np.arange(count) % 11 == 7
    if item.vocabulary is not None:
        words = [item.vocabulary[0], item.vocabulary[-1], _unknown(item.vocabulary)]
        picked = random.integers(0, len(item.vocabulary), count)
        values = [
            words[index % 5] if index % 5 < len(words) else item.vocabulary[number]
            for index, number in enumerate(picked)
        ]
        return pa.array(values, mask=missing)
    if np.dtype(item.dtype).kind == "f":
        numbers = _draw(spread, count, random)
        _make_extreme(numbers, rows, len(lengths), is_large=spread == "normal")
    else:
        numbers = random.integers(0, 2, count).astype(np.float64)
        if beyond is not None:
            missing &= _go_beyond(numbers, rows, beyond, item)
    return pa.array(numbers.astype(item.dtype), arrow_dtype(item.dtype), mask=missing)


def _draw(spread: Spread, count: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    if spread == "shares":
        return random.uniform(0.02, 0.98, count)
    if spread == "whole":
        return random.integers(1, 10, count).astype(np.float64)
    sizes: npt.NDArray[np.float64] = random.choice([0.0, 1.0, 1.0, 10.0], count)
    numbers = random.standard_normal(count) * sizes
    return numbers if spread == "normal" else np.abs(numbers) + 0.1


def _make_extreme(
    numbers: npt.NDArray[np.float64], rows: npt.NDArray[np.intp], count: int, *, is_large: bool
) -> None:
    """Put large numbers of one sign, infinities, and NaN, into the rows for them."""
    first = count - 1 - NUM_ODD_FLOATS
    for place, (_, sign) in enumerate(_EXTREME if is_large else ()):
        at = rows == first + place
        numbers[at] = sign * _LARGE * (1 + np.abs(numbers[at]))
    for place, (_, sign) in enumerate(_INFINITE if is_large else (), start=len(_EXTREME)):
        at = np.flatnonzero(rows == first + place)
        # The others lie on the other side: padding, which is between, is none of them.
        numbers[at] = -sign * (1 + np.abs(numbers[at]))
        numbers[at[:1]] = sign * np.inf
    numbers[np.flatnonzero(rows == count - 2)[:1]] = np.nan


def _go_beyond(
    numbers: npt.NDArray[np.float64], rows: npt.NDArray[np.intp], first: int, item: Input
) -> npt.NDArray[np.bool_]:
    """Put integers below and above the pad value, or 0 and 1, into the rows for them.

    None is beyond the limits of the type.

    Returns:
        Which numbers are as they were.
    """
    limits = np.iinfo(item.dtype)
    for place, (_, sign, apart) in enumerate(_BEYOND):
        at = rows == first + place
        start = item.pad_value if isinstance(item, RaggedInput) else int(sign > 0)
        wanted = start + sign * (apart + np.arange(at.sum()) % 3)
        numbers[at] = np.clip(wanted, limits.min, limits.max)
    return (rows < first) | (rows >= first + len(_BEYOND))


def _unknown(vocabulary: Sequence[Any]) -> Any:
    """Return a value of the vocabulary's kind that is not in it."""
    if isinstance(vocabulary[0], str):
        return max(vocabulary, key=len) + "?"
    known = set(vocabulary)
    return next(number for number in range(len(known) + 1) if number not in known)
