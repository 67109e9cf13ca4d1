"""Rows that get no prediction, and why."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from spark_infer.bundle import ArrayInput, RaggedInput
from spark_infer.bundle.documents import shown
from spark_infer.errors import SignatureError, printable
from spark_infer.tensors.rows import BoolArray, Positions, Rows


class Rejects:
    """Rejected rows of one record batch. The first reason found for a row is the one kept.

    A reason may quote the row or the model, and is printable.
    """

    def __init__(self, num_rows: int) -> None:
        self._num_rows = num_rows
        self._which = np.zeros(num_rows, np.int32)
        self._reasons: list[str] = []

    def add(self, rows: BoolArray, reason: str) -> None:
        """Reject the rows where ``rows`` (shape (num_rows,)) is true."""
        if rows.any():
            self._reasons.append(printable(reason))
            self._which[rows & (self._which == 0)] = len(self._reasons)

    def add_rows(self, rows: Rows, reason: str) -> None:
        """Reject these rows."""
        if len(rows):
            self._reasons.append(printable(reason))
            self._which[rows.index] = len(self._reasons)

    def repeat(self, rows: Rows, first: Positions) -> None:
        """Treat each of some rows as another was treated, whose position ``first`` gives for it."""
        if self._reasons:
            self._which[rows.index] = self._which[rows.take(first)]

    @property
    def rows(self) -> BoolArray | None:
        """Shape (num_rows,), true where a row is rejected; None when none is."""
        return self._which > 0 if self._reasons else None

    @property
    def count(self) -> int:
        """Number of rejected rows."""
        return int(np.count_nonzero(self._which))

    def count_of(self, reason: str) -> int:
        """Return the number of rows that were rejected for a reason."""
        numbers = [at for at, known in enumerate(self._reasons, 1) if known == reason]
        return int(np.isin(self._which, numbers).sum())

    @property
    def accepted(self) -> Rows:
        """The rows that go to the model: a run when that is all of them."""
        if not self._reasons:
            return Rows.run(0, self._num_rows)
        return Rows(np.flatnonzero(self._which == 0))

    def reasons(self) -> pa.Array:
        """Return the reason of each row as a string array, null where it was accepted."""
        if not self._reasons:
            return pa.nulls(self._num_rows, pa.string())
        words = pa.array(self._reasons, pa.string())
        return words.take(pa.array(self._which - 1, mask=self._which == 0))


def reject_shapes(
    rows: BoolArray, column: pa.Array, item: ArrayInput | RaggedInput, rejects: Rejects
) -> None:
    """Reject the rows whose arrays are not of the input's shape, or stop, as the input says.

    Raises:
        SignatureError: There is one, and ``item.lengths`` is ``"error"``.
    """
    if not rows.any():
        return
    shape = list(item.shape)
    if item.lengths == "error":
        got = _shown(column[int(np.argmax(rows))])
        raise SignatureError(
            f"column {item.column!r} (input {item.name!r}): expected arrays of shape {shape}, got "
            f"{got}; give the input lengths='reject' to reject such rows, or make it a "
            "RaggedInput where arrays have any length"
        )
    what = "is" if isinstance(item, ArrayInput) else "holds an array that is"
    rejects.add(rows, f"column {item.column!r} {what} not of shape {shape}")


def _shown(value: pa.Scalar) -> str:
    try:
        return shown(value.as_py())
    except (OverflowError, ValueError):  # Days before the year 1, text that is no UTF-8.
        return "one of another shape"
