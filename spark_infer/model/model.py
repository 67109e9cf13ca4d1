"""What every model does."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from spark_infer.backends import Array, Memory
from spark_infer.metrics import Metrics
from spark_infer.model.options import BatchOptions
from spark_infer.tensors import Decoded, Rows


@dataclass(frozen=True)
class Window:
    """Rows that are looked at together.

    Attributes:
        decoded: The rows as arrays.
        rows: Those of them that are to run.
    """

    decoded: Decoded
    rows: Rows

    def longest(self, tensors: Mapping[str, Array]) -> dict[str, int]:
        """Return the padded length of each ragged input of a batch's tensors."""
        return self.decoded.longest(tensors)


@dataclass(frozen=True)
class Result:
    """What came of some rows of a window.

    Attributes:
        rows: The rows.
        outputs: The model's outputs, each of shape (rows, ...); None when they failed.
        longest: Padded length of each ragged input, by name.
        reason: Why they failed.
        is_late: Whether they did not fail, and were not run for want of time.
        num_bisections: Batches that failed, since the last result, and were halved to find the
            rows at fault.
    """

    rows: Rows
    outputs: Sequence[Array] | None = None
    longest: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""
    is_late: bool = False
    num_bisections: int = 0


class InFlight(Protocol):
    """Rows of one window that were given to a model.

    Attributes:
        ends_window: Whether they are the last of their window.
        seconds: What it took to run them; known when all results are taken.
    """

    ends_window: bool
    seconds: float

    def results(self) -> Iterator[Result]:
        """Wait for what comes of the rows, part by part.

        Raises:
            PredictionError: The device does no more work, or a row failed and the options say stop.
        """
        ...


class Model(Protocol):
    """A loaded bundle, in this process or in the one that owns the device.

    Attributes:
        row_independent: Whether a row's outputs do not depend on the rows beside it or on padding.
        stochastic: Whether equal rows may get different outputs.
        waits: Whether it runs while the caller goes on, so that it pays to read ahead.
    """

    row_independent: bool
    stochastic: bool
    waits: bool

    def run(
        self,
        windows: Iterable[Window],
        options: BatchOptions,
        metrics: Metrics,
        *,
        overlap: bool = False,
    ) -> Generator[InFlight, None, None]:
        """Run rows of windows.

        Args:
            windows: The windows. With ``overlap`` they are read by another thread.
            options: How rows are cut into batches, and whether it stops where one fails.
            metrics: Where to count.
            overlap: Whether to read, pad and run ahead of what is taken.

        Yields:
            For each window, in order, its rows part by part: at least one part, of no rows where
            none is to run.
        """
        ...

    def memory(self) -> Memory:
        """Return the memory of the device on which it runs."""
        ...

    def close(self) -> None:
        """Give back the memory that is kept for later batches. It can be used again."""
        ...
