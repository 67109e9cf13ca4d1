"""What a model answers to rows, and whether two answers are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spark_infer.backends import Array, Backend
from spark_infer.bundle import Output
from spark_infer.errors import PredictionError
from spark_infer.tensors import Decoded, PadRule
from spark_infer.tensors.arrow.leaves import Positions
from spark_infer.tensors.buckets import EXACT
from spark_infer.tensors.encode import check_output

LEAST_SIZE = 0.5
_USUAL = 10.0
_MOST = 0.05

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

    def run(self, backend: Backend, decoded: Decoded) -> list[Answer]:
        """Return the model's answer to each row.

        Raises:
            PredictionError: The outputs do not fit the signature. The model may raise anything.
        """
        tensors = decoded.tensors(self.rows, self.pad)
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
            longest = None if follows is None else tensors[follows].shape[1]
            checked = check_output(array, output, len(self.rows), longest)
            lengths = None if follows is None else decoded.lengths(follows)[self.rows]
            columns.append(
                list(checked)
                if lengths is None
                else [row[:length] for row, length in zip(checked, lengths, strict=True)]
            )
        return [list(answer) for answer in zip(*columns, strict=True)]


@dataclass(frozen=True)
class Yardstick:
    """How far two answers may be apart.

    Attributes:
        tolerance: Share of a value, and of its output's usual size, by which it may differ:
            batches of other shapes are summed in another order.
        sizes: Usual size of each output's values: the median of those that are not zero.
        least: Smaller outputs count as of this size: they may be what is left of larger numbers
            that cancel.
    """

    tolerance: float
    sizes: Sequence[float]
    least: float = LEAST_SIZE

    @classmethod
    def of(cls, answers: Sequence[Answer], tolerance: float) -> Yardstick:
        """Take the measure of some answers."""
        return cls(tolerance, [_usual_size(values) for values in zip(*answers, strict=True)])

    def difference(
        self, one: Answer, other: Answer, outputs: Sequence[Output], *, scale: float = 1.0
    ) -> tuple[str, str, str] | None:
        """Return output, value and other value where two answers differ, or None.

        NaN is the same as NaN; integers and truth values are the same or not. With numbers of a row
        ``scale`` times as large as usual, so are the errors of sums.
        """
        tolerance = max(self.tolerance, min(self.tolerance * scale, _MOST))
        for a, b, output, size in zip(one, other, outputs, self.sizes, strict=True):
            if a.dtype.kind == "f":
                with np.errstate(invalid="ignore"):
                    same = np.isclose(
                        a.astype(np.float64),
                        b.astype(np.float64),
                        rtol=tolerance,
                        atol=tolerance * max(size, self.least),
                        equal_nan=True,
                    )
            else:
                same = np.equal(a, b)
            if not same.all():
                place = tuple(np.argwhere(~same)[0])
                return output.name, f"{a[place]:.6g}", f"{b[place]:.6g}"
        return None


def scales(decoded: Decoded) -> npt.NDArray[np.float64]:
    """Return for each row how many times as large as usual its numbers are, 1 or more."""
    found = np.ones(decoded.num_rows)
    for row in range(decoded.num_rows):
        for array in decoded.tensors(np.array([row])).values():
            finite = np.abs(array[np.isfinite(array)]) if array.dtype.kind == "f" else array[:0]
            found[row] = max(found[row], float(finite.max(initial=0)) / _USUAL)
    return found


def _usual_size(values: Sequence[Array]) -> float:
    flat = np.concatenate([np.asarray(value, np.float64).ravel() for value in values])
    sizes = np.abs(flat[np.isfinite(flat) & (flat != 0)])
    return float(np.median(sizes)) if len(sizes) else 1.0
