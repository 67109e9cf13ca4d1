"""What prediction did and what it cost: counts that add up across tasks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

Stage = Literal["load", "decode", "run", "encode"]


@dataclass
class Metrics:
    """Counts of one or several predictors.

    Attributes:
        num_rows: Rows that came in.
        num_rejected: Rows that got no prediction.
        batch_rows: Number of batches by their number of rows.
        seconds: Wall-clock seconds of each stage, summed over tasks.
    """

    num_rows: int = 0
    num_rejected: int = 0
    batch_rows: Counter[int] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        """Add the time spent inside to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            # A Counter adds up floats as well, its type says int.
            self.seconds[stage] += time.perf_counter() - start  # type: ignore[assignment]

    def __add__(self, other: Metrics) -> Metrics:
        return Metrics(
            num_rows=self.num_rows + other.num_rows,
            num_rejected=self.num_rejected + other.num_rejected,
            batch_rows=self.batch_rows + other.batch_rows,
            seconds=self.seconds + other.seconds,
        )

    @property
    def num_batches(self) -> int:
        """Batches that the model ran."""
        return sum(self.batch_rows.values())

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON data."""
        return {
            "num_rows": self.num_rows,
            "num_rejected": self.num_rejected,
            "num_batches": self.num_batches,
            "batch_rows": {str(rows): count for rows, count in sorted(self.batch_rows.items())},
            "seconds": {stage: round(value, 6) for stage, value in self.seconds.items()},
        }
