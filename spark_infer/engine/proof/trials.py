"""Which rows of a probe or a sample run together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from spark_infer.backends import Array, Backend
from spark_infer.bundle import Output
from spark_infer.engine.proof.advice import WIDE
from spark_infer.engine.proof.answers import Answer, Trial, has_nan
from spark_infer.engine.proof.probe import NUM_ALIKE
from spark_infer.engine.proof.yardstick import ROUNDING, ROUNDINGS, Slack, distances
from spark_infer.tensors import Decoded, length_order
from spark_infer.tensors.arrow.lists import Lengths
from spark_infer.tensors.rows import Positions

_MAX_SAMPLE_TOKENS = 8192
_NUM_ALONE = 8
_NUM_MISSING = 2
_ROWS_MIXED = 4
_ROWS_OF_SAMPLE = 32
_SHORT = 8
_LONG = 64
_MANY_ROWS = 300
_FAR = 7
"""Short rows that are padded to the length of the longest."""


@dataclass(frozen=True)
class Shown:
    """Rows, how they were run, and what the model answered.

    Attributes:
        source: The rows as columns.
        decoded: The same rows as arrays.
        trial: Which of them ran together.
        answers: What the model answered.
        slack: What answers to rows of large numbers and of infinities may differ by, by row.
    """

    source: pa.RecordBatch | pa.Table
    decoded: Decoded
    trial: Trial
    answers: Sequence[Answer]
    slack: Mapping[int, Slack]

    def slack_of(self, row: int) -> Slack | None:
        """Return by how much the answer to a row may differ from the one that it gets alone."""
        found = self.slack.get(row)
        if found is None or not found.is_infinite:
            return found
        longest = self.trial.padded(self.decoded)
        is_padded = any(
            lengths[row] < most.max()
            for lengths, most in zip(self.decoded.ragged.values(), longest, strict=True)
        )
        return found if is_padded else None


def plan(
    decoded: Decoded, rows: Positions, *, is_probe: bool, in_batches: bool, is_small: bool
) -> Iterator[Trial]:
    """Yield single rows first, then batches of one length, then batches that are padded.

    A large model takes a second for any batch, so it runs fewer: what is in two batches of a small
    one, such as numbers of rows, and padding, is in one, and the stored model runs fewer still.

    Args:
        decoded: The rows.
        rows: Positions of those to run.
        is_probe: Whether they are what ``probe`` made, and not a sample.
        in_batches: Whether rows run together at all.
        is_small: Whether the model is so small that a batch takes no time.
    """
    total = np.zeros(decoded.num_rows, np.int64)
    for lengths in decoded.ragged.values():
        total += lengths
    alike = rows[rows < NUM_ALIKE] if is_probe else rows[:0]
    others = rows[rows >= NUM_ALIKE] if is_probe else rows[:_NUM_ALONE]
    few = _LONG if is_small else _SHORT
    # What is missing may be filled from other rows: so some such rows are asked alone.
    rest = alike[2:] if is_probe else rows[_NUM_ALONE:]
    missing = rest[has_nan(decoded, rest)][:_NUM_MISSING]
    last = alike[2:-1][-1:] if is_small else alike[:0]
    for row in dict.fromkeys([*alike[:2], *last, *missing, *others]):
        # Of the longest row no batch asks for the answer that it gets without padding.
        if not in_batches or total[row] <= _LONG or total[row] < total.max():
            yield Trial(np.array([row]), is_for_both=not in_batches or total[row] <= few)
    if not in_batches or not len(rows):
        return
    ends = (2, len(alike) - 1)
    for count in range(2, len(alike)):
        if is_small or count in ends:
            yield Trial(alike[:count], is_for_both=count in ends)
    if is_probe:
        real = rows[total[rows] > 0] if decoded.ragged else rows
        shortest = real[total[real] == total[real].min()] if len(real) else rows
        yield Trial(np.resize(shortest, _MANY_ROWS), is_for_both=False)
    if not decoded.ragged:
        yield Trial(rows)
        return
    if not is_small:
        rows = rows[~np.isin(rows, alike[2:])]
    rows = rows[length_order([total[rows]])]
    if not is_probe:
        most = np.searchsorted(np.cumsum(total[rows]), _MAX_SAMPLE_TOKENS, side="right")
        rows = rows[: max(1, int(most))]
    if is_probe:
        yield from _padded(rows, total, most=_ROWS_MIXED, grows=not is_small)
    else:
        yield from _padded(rows, total, most=_ROWS_OF_SAMPLE)
    if is_probe and is_small and len(rows) > _FAR:
        # What a padded position counts for may be too little to be seen but for thousands of them.
        longest = [rows[np.argmax(lengths[rows])] for lengths in decoded.ragged.values()]
        short = rows[(total[rows] > 0) & ~np.isin(rows, longest)][-_FAR:]
        yield Trial(np.array([*dict.fromkeys(longest), *short]), is_for_both=False)
    if is_probe and (short := rows[total[rows] <= _SHORT * len(decoded.ragged)]).size:
        yield Trial(short, WIDE)


def _padded(rows: Positions, total: Lengths, *, most: int, grows: bool = False) -> Iterator[Trial]:
    """Yield batches of rows that come longest first, few where they are long.

    Each begins with the last row of the one before: whatever length makes a difference, there
    is a row that is padded beyond it.

    Args:
        rows: The rows, longest first.
        total: Positions of each row.
        most: Rows of a batch, besides that first one.
        grows: Whether each batch has one row more than the one before.
    """
    start = 0
    while start == 0 or start < len(rows) - 1:
        size = 1 if total[rows[start]] > _LONG and most < _ROWS_OF_SAMPLE else most
        yield Trial(rows[start : start + size + 1])
        start += size
        most += grows and size > 1


def roundings(
    model: Backend, shown: Sequence[Shown], outputs: Sequence[Output], noise: float
) -> list[Array]:
    """Return how far rounding moves each component of each output, ``ROUNDING`` at least.

    Args:
        model: The model.
        shown: What it answered, to the probe first. Rows with a slack of their own do not count.
        outputs: Its outputs.
        noise: Share of itself by which rounding moves a number.
    """
    found = [np.full(int(np.prod(output.tensor_shape)), ROUNDING) for output in outputs]
    for one in shown:
        if one.source is not shown[0].source:
            continue
        try:
            noisy = one.trial.run(model, one.decoded, noise=noise)
        except Exception:  # a model may raise anything, here on numbers that nobody gave it
            continue
        for row, answer, other in zip(one.trial.rows, one.answers, noisy, strict=True):
            if int(row) not in one.slack:
                moves = zip(found, distances(answer, other, outputs), strict=True)
                found = [np.maximum(most, ROUNDINGS * apart) for most, apart in moves]
    return found
