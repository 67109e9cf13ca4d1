"""Rows that need not run: equal ones of a window, and those seen before."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from spark_infer.engine.repeats.cache import PredictionCache, RowOutputs
from spark_infer.engine.repeats.rule import RepeatRule, first_of_each
from spark_infer.metrics import Metrics
from spark_infer.tensors import Decoded, Rows, row_hashes
from spark_infer.tensors.hashing import Words
from spark_infer.tensors.rows import Positions


@dataclass
class Distinct:
    """The rows of a window that are to run.

    Attributes:
        accepted: The rows that no rule rejects.
        rows: Those of them that are to run: of equal ones the first, if it is not known.
        first: Shape (rows of the window,): for each row the one whose prediction it takes; None
            when each takes its own.
        known_rows: Rows whose predictions are known.
        known: Their outputs.
        hashes: Of the accepted rows, shape (rows, 2); None when they were not compared.
        seconds: What it took to find all this.
    """

    accepted: Rows
    rows: Rows
    first: Positions | None = None
    known_rows: Rows = field(default_factory=lambda: Rows.run(0, 0))
    known: list[RowOutputs] = field(default_factory=list)
    hashes: Words | None = None
    seconds: float = 0.0


class Repeats:
    """Compares the rows of windows while that pays, and remembers predictions.

    Args:
        mode: Always (True), never (False) or by what it saw (``"auto"``).
        cache: Predictions of earlier rows; None for none.
    """

    def __init__(self, mode: bool | Literal["auto"], cache: PredictionCache | None) -> None:
        self._rule = RepeatRule(mode)
        self._cache = cache

    def look(self, decoded: Decoded, metrics: Metrics) -> Distinct:
        """Return the rows of a window that are to run, and count those that are not."""
        accepted = decoded.rejects.accepted
        if not self._rule.wants():
            return Distinct(accepted, accepted)
        start = time.perf_counter()
        hashes = row_hashes(decoded, accepted)
        firsts, inverse = first_of_each(hashes)
        found = Distinct(accepted, accepted, hashes=hashes)
        if len(firsts) < len(accepted):
            positions = accepted.positions
            found.first = np.arange(decoded.num_rows)
            found.first[positions] = positions[firsts][inverse]
            found.rows = accepted.only(firsts)
        if self._cache is not None:
            self._take_known(found, self._cache.get(hashes[firsts]))
        metrics.num_repeats += len(accepted) - len(firsts)
        metrics.num_cached += len(found.known)
        found.seconds = time.perf_counter() - start
        return found

    @staticmethod
    def _take_known(found: Distinct, cached: list[RowOutputs | None]) -> None:
        found.known = [row for row in cached if row is not None]
        if found.known:
            is_known = np.array([row is not None for row in cached], np.bool_)
            found.known_rows = found.rows.only(is_known)
            found.rows = found.rows.only(~is_known)

    def learn(
        self,
        distinct: Distinct,
        decoded: Decoded,
        run_seconds: float,
        items: Callable[[Rows], list[RowOutputs]],
    ) -> None:
        """Take note of a window whose rows have run.

        Args:
            distinct: What ``look`` returned.
            decoded: The rows, and which were rejected.
            run_seconds: What the model took.
            items: Returns the outputs of some rows that were predicted, row by row.
        """
        hashes = distinct.hashes
        if hashes is None:
            return
        num_accepted, num_run = len(distinct.accepted), len(distinct.rows)
        self._rule.saw(num_accepted, num_accepted - num_run, distinct.seconds, run_seconds)
        if self._cache is None or not num_run or not self._rule.keeps:
            return
        start = time.perf_counter()
        rejected = decoded.rejects.rows
        predicted = distinct.rows
        if rejected is not None:
            predicted = predicted.only(~predicted.take(rejected))
        place = np.zeros(decoded.num_rows, np.intp)
        place[distinct.accepted.index] = np.arange(num_accepted)
        self._cache.put(hashes[predicted.take(place)], items(predicted))
        self._rule.kept(time.perf_counter() - start)
