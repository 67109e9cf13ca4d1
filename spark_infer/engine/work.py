"""A window on its way through the model: its rows, what is to run, and what came out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from spark_infer.bundle import Signature
from spark_infer.engine.metrics import Metrics
from spark_infer.engine.repeats import PredictionCache, RepeatRule, first_of_each
from spark_infer.errors import PredictionError
from spark_infer.tensors import Collected, Decoded, output_schema, row_hashes
from spark_infer.tensors.arrow.leaves import Array, BoolArray, Positions, Rows
from spark_infer.tensors.encode import check_output, cut, unfit_rows


@dataclass(frozen=True)
class Result:
    """What came of some rows of a window.

    Attributes:
        rows: Their positions.
        outputs: The model's outputs, each of shape (rows, ...); None when they failed.
        longest: Padded length of each ragged input, by name.
        reason: Why they failed.
    """

    rows: Rows
    outputs: Sequence[Array] | None = None
    longest: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""


class Work:
    """The rows of one window.

    Args:
        signature: The model's signature.
        decoded: The rows.
        metrics: Where to count.
    """

    def __init__(self, signature: Signature, decoded: Decoded, metrics: Metrics) -> None:
        self._signature = signature
        self._metrics = metrics
        self._first: Positions | None = None
        self._hashes: Array | None = None
        self._hash_seconds = 0.0
        self.decoded = decoded
        self.accepted = decoded.rejects.accepted
        self.rows = self.accepted
        self.run_seconds = 0.0
        self.num_rejected = decoded.rejects.count
        lengths = decoded.ragged
        self._outputs = [
            Collected(output, lengths.get(output.lengths_of or "")) for output in signature.outputs
        ]

    @property
    def num_failed(self) -> int:
        """Rows on which the model failed, repeats included; known when the column is built."""
        return self.decoded.rejects.count - self.num_rejected

    def drop_repeats(self, cache: PredictionCache | None) -> None:
        """Leave only the first of equal rows to run, and none whose prediction is cached."""
        start = time.perf_counter()
        accepted = _positions(self.accepted)
        self._hashes = row_hashes(self.decoded, self.accepted)
        firsts, inverse = first_of_each(self._hashes)
        num_repeats = len(accepted) - len(firsts)
        if num_repeats:
            self._first = np.arange(self.decoded.num_rows)
            self._first[accepted] = accepted[firsts][inverse]
            self.rows = accepted[firsts]
            self._metrics.num_repeats += num_repeats
        if cache is not None:
            self._take_cached(self._hashes[firsts], cache)
        self._hash_seconds = time.perf_counter() - start

    def _take_cached(self, hashes: Array, cache: PredictionCache) -> None:
        """Put the cached predictions of the rows that are to run, and leave the others."""
        found = cache.get(hashes)
        hits = [row for row in found if row is not None]
        if not hits:
            return
        rows = _positions(self.rows)
        known = np.array([row is not None for row in found], np.bool_)
        for index, output in enumerate(self._signature.outputs):
            values = [hit[index] for hit in hits]
            joined = np.stack(values) if output.lengths_of is None else np.concatenate(values)
            self._outputs[index].put(rows[known], joined)
        self._metrics.num_cached += len(hits)
        self.rows = rows[~known]

    def longest(self, tensors: Mapping[str, Array]) -> dict[str, int]:
        """Return the padded length of each ragged input of a batch."""
        return {name: tensors[name].shape[1] for name in self.decoded.ragged}

    def put(self, result: Result) -> list[str]:
        """Keep the outputs of some rows, or the reason why they have none.

        Returns:
            Reasons for which rows were rejected here: outputs of which no prediction can be made.

        Raises:
            PredictionError: The outputs do not fit the signature.
        """
        rows, arrays = result.rows, result.outputs
        if arrays is None:
            self._reject(_positions(rows), result.reason)
            return []
        outputs = self._signature.outputs
        if len(arrays) != len(outputs):
            raise PredictionError(
                f"the model returned {len(arrays)} output(s), the signature promises "
                f"{len(outputs)}: {[output.name for output in outputs]}"
            )
        checked = [
            check_output(
                array,
                output,
                count(rows),
                None if output.lengths_of is None else result.longest[output.lengths_of],
            )
            for array, output in zip(arrays, outputs, strict=True)
        ]
        rows, checked, reasons = self._drop_unfit(rows, checked)
        for array, output, collected in zip(checked, outputs, self._outputs, strict=True):
            if output.lengths_of is not None:
                array = cut(array, self.decoded.lengths(output.lengths_of)[rows])
            collected.put(rows, array.astype(output.dtype, copy=False))
        return reasons

    def _drop_unfit(self, rows: Rows, arrays: list[Array]) -> tuple[Rows, list[Array], list[str]]:
        """Reject rows of which no prediction can be made; return the others, and the reasons."""
        fine: BoolArray | None = None
        reasons = []
        for array, output in zip(arrays, self._signature.outputs, strict=True):
            follows = output.lengths_of
            lengths = None if follows is None else self.decoded.lengths(follows)[rows]
            for what, unfit in unfit_rows(array, output, lengths).items():
                fine = np.ones(count(rows), np.bool_) if fine is None else fine
                if (unfit & fine).any():
                    reasons.append(f"run: output {output.name!r} {what}")
                    self._reject(_positions(rows)[unfit & fine], reasons[-1])
                    fine &= ~unfit
        if fine is None:
            return rows, arrays, reasons
        return _positions(rows)[fine], [array[fine] for array in arrays], reasons

    def _reject(self, rows: Positions, reason: str) -> None:
        self.decoded.rejects.add_rows(rows, reason)

    def finish(self, rule: RepeatRule, cache: PredictionCache | None) -> pa.RecordBatch:
        """Return the predictions in row order, and learn from the window's repeats."""
        if self._hashes is not None:
            self._learn(self._hashes, rule, cache)
        if self._first is not None:
            accepted = _positions(self.accepted)
            self.decoded.rejects.repeat(accepted, self._first[accepted])
        num_rows = self.decoded.num_rows
        columns = [collected.column(num_rows, self._first) for collected in self._outputs]
        columns.append(self.decoded.rejects.reasons())
        return pa.RecordBatch.from_arrays(columns, schema=output_schema(self._signature))

    def _learn(self, hashes: Array, rule: RepeatRule, cache: PredictionCache | None) -> None:
        num_accepted, num_run = count(self.accepted), count(self.rows)
        rule.saw(num_accepted, num_accepted - num_run, self._hash_seconds, self.run_seconds)
        if cache is None or not num_run or not rule.keeps:
            return
        start = time.perf_counter()
        rejected = self.decoded.rejects.rows
        ran = _positions(self.rows)
        predicted = ran if rejected is None else ran[~rejected[ran]]
        place = np.zeros(self.decoded.num_rows, np.intp)
        place[_positions(self.accepted)] = np.arange(num_accepted)
        items = [collected.items(predicted, self.decoded.num_rows) for collected in self._outputs]
        cache.put(hashes[place[predicted]], list(zip(*items, strict=True)))
        rule.kept(time.perf_counter() - start)


def count(rows: Rows) -> int:
    """Return how many rows there are."""
    return rows.stop - rows.start if isinstance(rows, slice) else len(rows)


def halves(rows: Rows) -> tuple[Rows, Rows]:
    """Return the first and the second half of some rows."""
    half = count(rows) // 2
    if isinstance(rows, slice):
        middle = rows.start + half
        return slice(rows.start, middle), slice(middle, rows.stop)
    return rows[:half], rows[half:]


def _positions(rows: Rows) -> Positions:
    return np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
