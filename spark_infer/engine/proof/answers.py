"""What a model answers to rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spark_infer.backends import Array, Backend
from spark_infer.errors import PredictionError
from spark_infer.tensors import Decoded, PadRule
from spark_infer.tensors.arrow.lists import Lengths
from spark_infer.tensors.buckets import EXACT
from spark_infer.tensors.encode import check_output
from spark_infer.tensors.rows import Positions, Rows

_USUAL = 100.0
_SEED = 20_180_808

Answer = list[Array]
"""The outputs for one row, in order; an output that follows a ragged input is cut to its length."""


@dataclass(frozen=True)
class Trial:
    """Rows that run together.

    Attributes:
        rows: Their positions.
        pad: What they are padded to.
        is_for_both: Whether the stored model runs it too. Of what only shows whether rows depend on
            each other, it need not run all: its answers are those of the model.
    """

    rows: Positions
    pad: PadRule = EXACT
    is_for_both: bool = True

    def tensors(self, decoded: Decoded) -> dict[str, Array]:
        """Return the model's tensors for the rows."""
        return decoded.tensors(Rows(self.rows), self.pad)

    def padded(self, decoded: Decoded) -> list[Lengths]:
        """Return the padded length of each row, for each ragged input."""
        return decoded.padded(Rows(self.rows), self.pad)

    def run(self, backend: Backend, decoded: Decoded, *, noise: float = 0.0) -> list[Answer]:
        """Return the model's answer to each row.

        Args:
            backend: The model.
            decoded: The rows.
            noise: Share of itself by which every number is moved up or down first.

        Raises:
            PredictionError: The outputs do not fit the signature. The model may raise anything.
        """
        tensors = self.tensors(decoded)
        longest_of = decoded.longest(tensors)
        if noise:
            tensors = {name: _noisy(array, noise) for name, array in tensors.items()}
        outputs = decoded.signature.outputs
        arrays = backend.run(tensors)
        if len(arrays) != len(outputs):
            raise PredictionError(
                f"the model returned {len(arrays)} output(s), the signature promises "
                f"{len(outputs)}: {[output.name for output in outputs]}"
            )
        columns = []
        for array, output in zip(arrays, outputs, strict=True):
            follows = output.lengths_of
            longest = None if follows is None else longest_of[follows]
            checked = check_output(array, output, len(self.rows), longest)
            lengths = None if follows is None else decoded.lengths(follows)[self.rows]
            columns.append(
                list(checked)
                if lengths is None
                else [row[:length] for row, length in zip(checked, lengths, strict=True)]
            )
        return [list(answer) for answer in zip(*columns, strict=True)]


def accepted(decoded: Decoded) -> Positions:
    """Return the positions of the rows that no rule rejects."""
    return decoded.rejects.accepted.positions


def has_large_numbers(decoded: Decoded) -> npt.NDArray[np.bool_]:
    """Return for each row whether it has numbers in which rounding errors are large."""
    found = np.zeros(decoded.num_rows, np.bool_)
    for row in range(decoded.num_rows):
        for array in decoded.tensors(Rows.run(row, row + 1)).values():
            if array.dtype.kind == "f":
                found[row] |= bool((np.abs(array[np.isfinite(array)]) > _USUAL).any())
    return found


def has_infinities(decoded: Decoded) -> npt.NDArray[np.bool_]:
    """Return for each row whether it holds an infinity."""
    found = np.zeros(decoded.num_rows, np.bool_)
    for row in range(decoded.num_rows):
        for array in decoded.tensors(Rows.run(row, row + 1)).values():
            found[row] |= array.dtype.kind == "f" and bool(np.isinf(array).any())
    return found


def has_nan(decoded: Decoded, rows: Positions) -> npt.NDArray[np.bool_]:
    """Return for each of some rows whether a value of it is missing, or no number."""
    found = np.zeros(len(rows), np.bool_)
    for place, row in enumerate(rows):
        for array in decoded.tensors(Rows.run(int(row), int(row) + 1)).values():
            found[place] |= array.dtype.kind == "f" and bool(np.isnan(array).any())
    return found


def _noisy(array: Array, noise: float) -> Array:
    if array.dtype.kind != "f":
        return array
    share = max(noise, float(np.finfo(array.dtype).eps))
    signs = np.random.default_rng(_SEED).choice([-1.0, 1.0], array.shape)
    return (array * (1 + share * signs)).astype(array.dtype)
