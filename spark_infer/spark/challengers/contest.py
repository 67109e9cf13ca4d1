"""Challengers in a task: they predict the record batches that the champion does."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark import Accumulator

from spark_infer.errors import printable
from spark_infer.metrics import Metrics
from spark_infer.spark.challengers.challenger import Challenger
from spark_infer.spark.challengers.disagreement import Disagreement
from spark_infer.spark.challengers.shared import Shared
from spark_infer.spark.columns.arrival import Arrival
from spark_infer.spark.tasks.tally import Tally

_MAX_CHARACTERS = 500
_log = logging.getLogger("spark_infer")


@dataclass(frozen=True)
class Contest:
    """The challengers of a prediction.

    Attributes:
        challengers: They, each with how its columns arrive.
        tally: Where tasks count.
    """

    challengers: Sequence[tuple[Challenger, Arrival]]
    tally: Accumulator[Tally[Disagreement]]

    def begin(self, batches: Iterable[pa.RecordBatch]) -> Round:
        """Begin with the rows of a task."""
        return Round(self, batches)


class Round:
    """The challengers over the rows of one task.

    Whatever one of them raises is its own affair: from then on it has no predictions in this task.
    What reading the rows raises is everybody's.

    Args:
        contest: The challengers.
        batches: The rows, as the champion has them: what models read comes first.

    Attributes:
        champion: The same rows, for the champion.
        column_names: The columns that ``beside`` returns.
    """

    def __init__(self, contest: Contest, batches: Iterable[pa.RecordBatch]) -> None:
        self._tally = contest.tally
        challengers = contest.challengers
        shared = Shared(batches, 1 + len(challengers))
        self.champion: Iterator[pa.RecordBatch] = shared.of(0)
        self._runners = [_Runner(*pair, shared, at) for at, pair in enumerate(challengers, 1)]
        self.column_names = [name for each, _ in challengers for name in each.column_names]

    def beside(self, predicted: pa.RecordBatch) -> list[pa.Array]:
        """Return what challengers predict of the rows that the champion has just predicted."""
        return [column for runner in self._runners for column in runner.columns(predicted)]

    def close(self) -> None:
        """End it, and tell what was counted."""
        for runner in self._runners:
            runner.close()
        self._tally.add(Tally.of_task({r.challenger.name: r.found for r in self._runners}))


class _Runner:
    def __init__(
        self, challenger: Challenger, arrival: Arrival, shared: Shared, number: int
    ) -> None:
        self.challenger = challenger
        self._arrival = arrival
        self.found = Disagreement()
        self._shared = shared
        self._number = number
        self._counted = Metrics()
        self._stream: Generator[pa.RecordBatch, None, None] | None = None
        self._has_begun = False

    def columns(self, champion: pa.RecordBatch) -> list[pa.Array]:
        """Return its columns for the rows that the champion has just predicted."""
        challenger = self.challenger
        predicted = self._next()
        self.found.add(champion, predicted, challenger.compared, challenger.tolerance)
        if not challenger.is_published:
            return []
        outputs = challenger.outputs
        if predicted is None:
            return [pa.nulls(champion.num_rows, field.type) for field in outputs]
        return list(predicted.columns[: len(outputs)])

    def close(self) -> None:
        self.found.run_seconds += self._counted.seconds["run"]
        if self._stream is not None:
            self._stream.close()

    def _next(self) -> pa.RecordBatch | None:
        """Return the next predictions; None where it has failed."""
        try:
            if not self._has_begun:
                self._has_begun = True
                self._stream = self._begun()
            return None if self._stream is None else next(self._stream)
        except Exception as error:
            if self._shared.error is not None:
                raise self._shared.error from None
            said = printable(" ".join(f"{type(error).__name__}: {error}".split()))
            self.found.problem = said[:_MAX_CHARACTERS]
            _log.warning("challenger %r has failed: %s", self.challenger.name, self.found.problem)
            self._shared.leave(self._number)
            self._stream = None
            return None

    def _begun(self) -> Generator[pa.RecordBatch, None, None]:
        arrival, reference = self._arrival, self.challenger.reference
        predictor = reference.predictor(arrival.signature, arrival.packed, self._counted)
        names = predictor.column_names

        def inputs() -> Iterator[pa.RecordBatch]:
            for batch in self._shared.of(self._number):
                columns = [batch.column(place) for place in arrival.places]
                yield pa.RecordBatch.from_arrays(columns, names=list(names))

        return predictor.stream(inputs())
