"""The predictor: a record batch in, a record batch out, same length, same order.

Record batches are gathered to the rows of windows, these decoded to arrays, repeats taken out, the
others given to the model, and what it answers put back as columns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from types import NoneType
from typing import TypeVar

import pyarrow as pa

from spark_infer.bundle import Bundle, Manifest, Signature
from spark_infer.bundle.documents import check_kind, shown
from spark_infer.engine.gather import Slots, Table, gather, regroup
from spark_infer.engine.layout import Layout
from spark_infer.engine.limits import FailureLimits
from spark_infer.engine.predictions import Predictions
from spark_infer.engine.repeats import PredictionCache, Repeats
from spark_infer.engine.table import TableLike, as_table, is_table
from spark_infer.errors import ConfigError, SignatureError
from spark_infer.metrics import Metrics
from spark_infer.model import BatchOptions, InFlight, Model, Window
from spark_infer.model.options import check_options
from spark_infer.tensors import output_schema
from spark_infer.transforms import make_decoder

T = TypeVar("T")


class Predictor:
    """Predicts record batches with a model.

    Args:
        model: The loaded model, from ``load_model``, or a ``LocalModel`` of any backend.
        layout: The bundle or its signature; or a ``Layout`` of columns that arrive in another way.
        options: How rows are cut into batches, and what happens to rows that fail.
        metrics: Where to count; a new one when None.
        cache: Predictions of earlier rows, when several predictors share them. Used where the
            options allow a cache; it grows to the largest that any of them allows.

    Raises:
        ConfigError: An argument is of another kind.
    """

    def __init__(
        self,
        model: Model,
        layout: Bundle | Signature | Layout,
        options: BatchOptions | None = None,
        *,
        metrics: Metrics | None = None,
        cache: PredictionCache | None = None,
    ) -> None:
        if not callable(getattr(model, "run", None)) or not hasattr(model, "waits"):
            raise ConfigError(
                f"a predictor needs a model, got {shown(model)}; load the bundle's with "
                "load_model(path), or make a LocalModel of a backend"
            )
        for name, value, kind in (("metrics", metrics, Metrics), ("cache", cache, PredictionCache)):
            check_kind(value, (kind, NoneType), name=name, wanted=f"a {kind.__name__} or None")
        layout_, options = Layout.of(layout), check_options(options)
        # A model knows what its bundle says where only a signature is given.
        said: list[Model | Manifest] = [model]
        if isinstance(layout, Bundle):
            said.append(layout.manifest)
        stochastic = any(promise.stochastic for promise in said)
        if not all(promise.row_independent for promise in said):
            options = options.one_by_one()
        self._model = model
        self._signature = layout_.signature
        self._options = options
        self._decoder = make_decoder(
            layout_.signature,
            layout_.packed,
            spent=lambda seconds: self._metrics.spent("transform", seconds),
        )
        self._is_ragged = bool(self._signature.ragged)
        if stochastic or not options.dedupe or not options.cache_bytes:
            cache = None
        else:
            cache = PredictionCache() if cache is None else cache
            cache.allow(options.cache_bytes)
        self._repeats = Repeats(False if stochastic else options.dedupe, cache)
        self._limits = FailureLimits(options)
        self._metrics = Metrics() if metrics is None else metrics

    @property
    def metrics(self) -> Metrics:
        """What was counted so far."""
        return self._metrics

    def take_metrics(self) -> Metrics:
        """Return what was counted so far, and count anew from now on."""
        taken, self._metrics = self._metrics, Metrics()
        return taken

    @property
    def column_names(self) -> tuple[str, ...]:
        """Columns that the record batches must have; others are ignored."""
        return self._decoder.column_names

    @property
    def schema(self) -> pa.Schema:
        """Schema of the predictions: the outputs, then ``rejected_reason``."""
        return output_schema(self._signature)

    def predict(self, rows: TableLike) -> pa.RecordBatch:
        """Predict the rows of a record batch (or table, dict of columns, pandas frame).

        Returns:
            One row for each row, in order. A row that a null or overflow rule rejects, or on
            which the model fails, has null outputs and the reason in ``rejected_reason``, which
            is null otherwise.

        Raises:
            SignatureError: The columns do not fit the signature.
            PredictionError: The model's outputs do not fit the signature, or it fails and the
                options say stop.
        """
        table = as_table(rows, where="what is to be predicted")
        return next(self._predicted([table], overlap=False))

    def stream(self, record_batches: Iterable[TableLike]) -> Generator[pa.RecordBatch, None, None]:
        """Predict record batches (or what ``predict`` takes): one for each, in order, of any size.

        At most a window of rows (``BatchOptions.window_rows`` and ``window_bytes``; without
        ragged inputs a record batch, or two with ``BatchOptions.overlap``) and one record batch
        more are read ahead of what was returned. Threads end when the iterator is closed or
        dropped.

        Raises:
            SignatureError, PredictionError: As ``predict``.
        """
        given = record_batches
        if not isinstance(given, Iterable) or is_table(given) or isinstance(given, str):
            raise SignatureError(
                f"stream takes record batches one after the other, got {type(given).__name__}; "
                "predict takes a single one"
            )
        return self._stream(as_table(rows, where="what is to be predicted") for rows in given)

    def _stream(self, tables: Iterable[Table]) -> Generator[pa.RecordBatch, None, None]:
        overlap = self._options.overlap
        yield from self._predicted(
            tables, overlap=self._model.waits if overlap == "auto" else overlap
        )
        self._limits.check_share()

    def _predicted(self, tables: Iterable[Table], *, overlap: bool) -> Iterator[pa.RecordBatch]:
        sizes: deque[int] = deque()
        # One window is read while another one runs: each is half of what may be held.
        slots = Slots(2 if overlap else 1)
        gathered = gather(
            self._waiting(tables),
            columns=self.column_names,
            max_rows=max(1, self._options.window_rows // slots.count) if self._is_ragged else None,
            max_bytes=max(1, self._options.window_bytes // slots.count),
            sizes=sizes,
        )
        under_way: deque[Predictions] = deque()
        running = self._model.run(
            self._windows(gathered, under_way, slots),
            self._options,
            self._metrics,
            overlap=overlap,
        )
        try:
            yield from regroup(self._finished(running, under_way, slots), sizes)
        finally:
            # The thread that reads may be waiting for one.
            slots.close()
            running.close()

    def _waiting(self, items: Iterable[T]) -> Iterator[T]:
        """Count the time that the source takes."""
        iterator = iter(items)
        while True:
            with self._metrics.timed("wait"):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def _windows(
        self, gathered: Iterator[Table], under_way: deque[Predictions], slots: Slots
    ) -> Iterator[Window]:
        """Decode windows, and leave what need not run out of them."""
        while slots.take() and (table := next(gathered, None)) is not None:
            with self._metrics.timed("assemble"):
                decoded = self._decoder.decode(table)
                distinct = self._repeats.look(decoded, self._metrics)
                predictions = Predictions(self._signature, decoded, distinct)
            under_way.append(predictions)
            yield predictions.window

    def _finished(
        self, running: Iterable[InFlight], under_way: deque[Predictions], slots: Slots
    ) -> Iterator[pa.RecordBatch]:
        """Put what the model answers into its window, and return windows that are complete."""
        for in_flight in running:
            predictions = under_way[0]
            for result in in_flight.results():
                with self._metrics.timed("unpack"):
                    reasons = predictions.put(result)
                if not result.is_late:
                    self._limits.count(result, reasons, len(predictions.distinct.accepted))
            predictions.run_seconds += in_flight.seconds
            if in_flight.ends_window:
                record_batch = self._columns(under_way.popleft())
                slots.give_back()
                yield record_batch

    def _columns(self, predictions: Predictions) -> pa.RecordBatch:
        metrics = self._metrics
        with metrics.timed("unpack"):
            self._repeats.learn(
                predictions.distinct,
                predictions.decoded,
                predictions.run_seconds,
                predictions.items,
            )
            record_batch = predictions.record_batch()
        num_late = predictions.num_late
        num_failed = predictions.num_failed - num_late
        metrics.num_rows += predictions.decoded.num_rows
        metrics.num_rejected += predictions.num_rejected - num_late
        metrics.num_failed += num_failed
        metrics.num_pending += num_late
        self._limits.count_rows(len(predictions.distinct.accepted) - num_late, num_failed)
        return record_batch
