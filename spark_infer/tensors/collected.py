"""The predictions of a window, put back into the order of its rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from spark_infer.bundle import Output
from spark_infer.tensors.arrow.leaves import Array
from spark_infer.tensors.arrow.lists import Lengths
from spark_infer.tensors.encode import encode
from spark_infer.tensors.rows import Positions, Rows


class Collected:
    """One output's values, batch by batch, in whatever order the batches ran.

    Args:
        output: The output.
        lengths: True length of each row of the window, for an output that follows a ragged input.
    """

    def __init__(self, output: Output, lengths: Lengths | None) -> None:
        self._output = output
        self._lengths = lengths
        self._rows: list[Rows] = []
        self._arrays: list[Array] = []

    def put(self, rows: Rows, array: Array) -> None:
        """Keep the values of some rows: (rows, *shape), or a ragged output's end to end."""
        self._rows.append(rows)
        self._arrays.append(array)

    def column(self, num_rows: int, first: Positions | None) -> pa.Array:
        """Return the prediction column; a row without values is null.

        Args:
            num_rows: Rows of the window.
            first: For each row the one whose prediction it takes; None when each has its own.
        """
        if first is None and self._is_in_order(num_rows):
            every = Rows.run(0, num_rows)
            return encode(self._output, self._arrays, every, num_rows, self._lengths)
        place = self._places(num_rows)
        if first is not None:
            place = place[first]
        predicted = Rows(np.flatnonzero(place >= 0))
        values, lengths = self._take(predicted.take(place))
        return encode(self._output, [values], predicted, num_rows, lengths)

    def items(self, rows: Rows, num_rows: int) -> list[Array]:
        """Return the values of single rows that were predicted, each as an array of its own."""
        places = rows.take(self._places(num_rows))
        values = self._joined()
        if self._lengths is None:
            return [values[place] for place in places]
        starts, lengths = self._extents()
        return [values[starts[place] : starts[place] + lengths[place]] for place in places]

    def _is_in_order(self, num_rows: int) -> bool:
        """Return whether the values are those of all rows, in order, so that none need move."""
        end = 0
        for rows in self._rows:
            if not rows.begins_at(end):
                return False
            end += len(rows)
        return end == num_rows

    def _order(self) -> Positions:
        parts = [rows.positions for rows in self._rows]
        return np.concatenate(parts) if parts else np.zeros(0, np.intp)

    def _places(self, num_rows: int) -> Positions:
        """Return where each row stands among the values, -1 where it does not."""
        order = self._order()
        places = np.full(num_rows, -1, np.intp)
        places[order] = np.arange(len(order))
        return places

    def _joined(self) -> Array:
        if not self._arrays:
            return np.zeros((0, *self._output.tensor_shape), self._output.dtype)
        return self._arrays[0] if len(self._arrays) == 1 else np.concatenate(self._arrays)

    def _extents(self) -> tuple[Lengths, Lengths]:
        assert self._lengths is not None
        lengths = self._lengths[self._order()]
        return np.cumsum(lengths) - lengths, lengths

    def _take(self, places: Positions) -> tuple[Array, Lengths | None]:
        values = self._joined()
        if self._lengths is None:
            return values[places], None
        starts, lengths = (part[places] for part in self._extents())
        offsets = np.cumsum(lengths) - lengths
        positions = np.repeat(starts - offsets, lengths) + np.arange(int(lengths.sum()))
        return values[positions], lengths
