"""What a task does with the rows that it is given: predict them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark import Accumulator

from spark_infer.bundle import Signature
from spark_infer.metrics import Metrics
from spark_infer.model.deadline import PENDING, is_over
from spark_infer.spark.challengers import Contest
from spark_infer.spark.failures import task_failures
from spark_infer.spark.names import unused
from spark_infer.spark.reference import BundleReference
from spark_infer.spark.tasks.sample import RowSample, RowSampler
from spark_infer.spark.tasks.tally import Tally
from spark_infer.tensors import output_schema


@dataclass(frozen=True)
class PredictTask:
    """The function that ``mapInArrow`` runs in a task.

    Attributes:
        reference: The bundle.
        signature: How the model's columns arrive: first, in order.
        packed: Scalar inputs among them that arrive as one list column.
        num_read: How many columns stand before those that are carried: the model's, and what its
            challengers read beside.
        kept: Names of the columns behind them, which are carried.
        metrics: Where to count.
        name: What Spark's plan calls it.
        sample: Where to put some of the rows that the model reads.
        contest: Other models that predict the same rows.
        pending: Where to count the rows for which there was no time, under ``PENDING``.
    """

    reference: BundleReference
    signature: Signature
    packed: frozenset[str]
    num_read: int
    kept: tuple[str, ...]
    metrics: Accumulator[Metrics] | None
    name: str
    sample: Accumulator[RowSample] | None = None
    contest: Contest | None = None
    pending: Accumulator[Tally[int]] | None = None

    @property
    def __name__(self) -> str:
        """The same, where pyspark looks for it."""
        return self.name

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return the kept columns and the predictions of record batches, one for each.

        Those of the challengers stand behind the reasons of the model.
        """
        counted = Metrics()
        until = self.reference.options.until
        given = iter(batches)
        try:
            with task_failures():
                if not is_over(until):
                    yield from self._predicted(_until(given, until), counted)
                for batch in given:
                    yield self._late(batch, counted)
        finally:
            if self.metrics is not None:
                self.metrics.add(counted)
            if self.pending is not None:
                self.pending.add(Tally.of_task({PENDING: counted.num_pending}))

    def _predicted(
        self, batches: Iterable[pa.RecordBatch], counted: Metrics
    ) -> Iterator[pa.RecordBatch]:
        predictor = self.reference.predictor(self.signature, self.packed, counted)
        columns = predictor.column_names
        # The other columns are not read, but held: their bytes count in a window.
        others = self.num_read - len(columns) + len(self.kept)
        names = [*columns, *unused(columns, others)]
        rivals = None if self.contest is None else self.contest.begin(batches)
        given = batches if rivals is None else rivals.champion
        held: deque[pa.RecordBatch] = deque()
        sampler = None if self.sample is None else RowSampler(self.signature, self.packed)

        def inputs() -> Iterator[pa.RecordBatch]:
            for batch in given:
                held.append(batch)
                named = pa.RecordBatch.from_arrays(batch.columns, names=names)
                if sampler is not None:
                    sampler.add(named.select(list(columns)))
                yield named

        predictions = predictor.stream(inputs())
        try:
            for predicted in predictions:
                kept = held.popleft().columns[self.num_read :]
                beside = [] if rivals is None else rivals.beside(predicted)
                beside_names = [] if rivals is None else rivals.column_names
                yield pa.RecordBatch.from_arrays(
                    [*kept, *predicted.columns, *beside],
                    names=[*self.kept, *predicted.schema.names, *beside_names],
                )
        finally:
            predictions.close()
            if rivals is not None:
                rivals.close()
            if self.sample is not None and sampler is not None:
                self.sample.add(sampler.sample)

    def _late(self, batch: pa.RecordBatch, counted: Metrics) -> pa.RecordBatch:
        """Return rows for which there is no time."""
        rows = batch.num_rows
        counted.num_rows += rows
        counted.num_pending += rows
        fields = list(output_schema(self.signature))
        nothing = [pa.nulls(rows, field.type) for field in fields[:-1]]
        return pa.RecordBatch.from_arrays(
            [*batch.columns[self.num_read :], *nothing, pa.array([PENDING] * rows, pa.string())],
            names=[*self.kept, *(field.name for field in fields)],
        )


def _until(batches: Iterator[pa.RecordBatch], until: float | None) -> Iterator[pa.RecordBatch]:
    """Yield record batches as long as there is time."""
    while not is_over(until) and (batch := next(batches, None)) is not None:
        yield batch
