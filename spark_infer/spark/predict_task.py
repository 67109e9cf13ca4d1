"""What a task does with the rows that it is given: predict them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark import Accumulator

from spark_infer.bundle import Signature
from spark_infer.metrics import Metrics
from spark_infer.spark.failures import task_failures
from spark_infer.spark.names import unused
from spark_infer.spark.reference import BundleReference
from spark_infer.spark.sample import RowSample, RowSampler


@dataclass(frozen=True)
class PredictTask:
    """The function that ``mapInArrow`` runs in a task.

    Attributes:
        reference: The bundle.
        signature: How the model's columns arrive: first, in order.
        packed: Scalar inputs among them that arrive as one list column.
        kept: Names of the columns behind them, which are carried.
        metrics: Where to count.
        name: What Spark's plan calls it.
        sample: Where to put some of the rows that the model reads.
    """

    reference: BundleReference
    signature: Signature
    packed: frozenset[str]
    kept: tuple[str, ...]
    metrics: Accumulator[Metrics] | None
    name: str
    sample: Accumulator[RowSample] | None = None

    @property
    def __name__(self) -> str:
        """The same, where pyspark looks for it."""
        return self.name

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return the kept columns and the predictions of record batches, one for each."""
        with task_failures():
            yield from self._predicted(batches)

    def _predicted(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        counted = Metrics()
        predictor = self.reference.predictor(self.signature, self.packed, counted)
        columns = predictor.column_names
        # The kept columns are not read, but held: their bytes count in a window.
        names = [*columns, *unused(columns, len(self.kept))]
        held: deque[pa.RecordBatch] = deque()
        sampler = None if self.sample is None else RowSampler(self.signature, self.packed)

        def inputs() -> Iterator[pa.RecordBatch]:
            for batch in batches:
                held.append(batch)
                named = pa.RecordBatch.from_arrays(batch.columns, names=names)
                if sampler is not None:
                    sampler.add(named.select(list(columns)))
                yield named

        predictions = predictor.stream(inputs())
        try:
            for predicted in predictions:
                yield pa.RecordBatch.from_arrays(
                    [*held.popleft().columns[len(columns) :], *predicted.columns],
                    names=[*self.kept, *predicted.schema.names],
                )
        finally:
            predictions.close()
            if self.metrics is not None:
                self.metrics.add(counted)
            if self.sample is not None and sampler is not None:
                self.sample.add(sampler.sample)
