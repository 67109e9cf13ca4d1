"""What shapes a graph returns, seen by running it on a few rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spark_infer.backends.backend import Array
from spark_infer.backends.failures.fault import sentence
from spark_infer.backends.onnx.model.types import STRING, GraphTensor
from spark_infer.backends.onnx.session import make_session, run_options
from spark_infer.errors import SignatureError

_ROWS = (3, 2)
_LENGTH = 5
_SEED = 20_180_808


Shape = tuple[int | str, ...]
"""The sizes of a row, by name where they vary."""


@dataclass(frozen=True)
class Seen:
    """The shape of an output.

    Attributes:
        name: What the graph calls it.
        shape: Of one row, or of one position.
        lengths_of: The input whose length is its second axis, if one is.
    """

    name: str
    shape: tuple[int, ...]
    lengths_of: str | None = None


def example(tensor: GraphTensor, shape: tuple[int, ...], seed: int = _SEED) -> Array:
    """Return values for an input: floats from 0 to 1, otherwise 0 and 1."""
    if tensor.dtype == STRING:
        return np.full(shape, "word", dtype=object)
    if tensor.dtype.startswith("float"):
        return np.random.default_rng(seed).random(shape).astype(tensor.dtype)
    return np.random.default_rng(seed).integers(0, 2, shape).astype(tensor.dtype)


def see(
    content: bytes,
    inputs: Mapping[str, GraphTensor],
    shapes: Mapping[str, Shape],
    outputs: list[str],
    axes: Mapping[str, str],
    *,
    one_row: bool,
) -> list[Seen]:
    """Run a graph on two small batches and return the shapes of its outputs.

    Args:
        content: The graph.
        inputs: Its inputs.
        shapes: The shape of a row of each.
        outputs: Names of its outputs.
        axes: The ragged input of each size that varies, by its name.
        one_row: Whether it takes one row at a time only.

    Raises:
        SignatureError: It fails, or an output is not one value or array for each row.
    """
    session = make_session(content, threads=1)
    found = []
    for number, rows in enumerate((1, 1) if one_row else _ROWS):
        lengths = {axis: _LENGTH + 3 * place + number for place, axis in enumerate(axes)}
        given = {
            name: example(tensor, (rows, *_known(shapes[name], lengths)))
            for name, tensor in inputs.items()
        }
        try:
            arrays = session.run(outputs, given, run_options())
        except Exception as error:
            # Its errors have no common class.
            tried = ", ".join(f"{name} {list(array.shape)}" for name, array in given.items())
            raise SignatureError(
                f"the ONNX model fails on {rows} row(s), {tried}: {sentence(error)}; pass the "
                "signature, or export the model anew with dynamic axes for rows and lengths"
            ) from None
        found.append((rows, lengths, [array.shape for array in arrays]))
    (_, some, first), (_, others, second) = found
    return [
        _seen(name, axes, (found[0][0], some, one), (found[1][0], others, two))
        for name, one, two in zip(outputs, first, second, strict=True)
    ]


def _known(shape: Shape, lengths: Mapping[str, int]) -> list[int]:
    return [lengths[size] if isinstance(size, str) else size for size in shape]


def _seen(
    name: str,
    axes: Mapping[str, str],
    *runs: tuple[int, Mapping[str, int], tuple[int, ...]],
) -> Seen:
    for rows, _, shape in runs:
        if not shape or shape[0] != rows:
            raise SignatureError(
                f"output {name!r} of the ONNX model has shape {list(shape)} for {rows} row(s), and "
                "its first axis has to be that of rows; export the model without it, or pass a "
                "signature whose outputs leave it out"
            )
    one, two = (shape for _, _, shape in runs)
    if len(one) != len(two):
        raise SignatureError(f"output {name!r} of the ONNX model has another rank for each batch")
    for axis, item in axes.items():
        follows = len(one) > 1 and all(shape[1] == lengths[axis] for _, lengths, shape in runs)
        if follows and one[2:] == two[2:]:
            return Seen(name, _row(one[2:]), item)
    if one[1:] != two[1:]:
        raise SignatureError(
            f"output {name!r} of the ONNX model has shape {list(one)} and {list(two)} for batches "
            "of other lengths, and only the second axis may follow a length; export the model "
            "without it, or pass a signature whose outputs leave it out"
        )
    return Seen(name, _row(one[1:]))


def _row(shape: tuple[int, ...]) -> tuple[int, ...]:
    return () if shape == (1,) else tuple(shape)
