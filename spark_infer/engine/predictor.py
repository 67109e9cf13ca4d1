"""The predictor: a record batch in, a record batch out, same length, same order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Generator, Iterable, Iterator, Set
from types import NoneType
from typing import TypeVar

import numpy as np
import pyarrow as pa

from spark_infer.backends import Backend
from spark_infer.bundle import Bundle, RaggedInput, Signature
from spark_infer.bundle.documents import check_kind, shown
from spark_infer.engine.background import in_background
from spark_infer.engine.metrics import Metrics
from spark_infer.engine.options import BatchOptions, check_options
from spark_infer.engine.repeats import PredictionCache, RepeatRule
from spark_infer.engine.runner import Batch, Finish, Runner
from spark_infer.engine.sizing import BatchSizer, Efficiency
from spark_infer.engine.table import TableLike, as_table, is_table
from spark_infer.engine.window import Slots, regroup, windows
from spark_infer.engine.work import Work, count
from spark_infer.errors import ConfigError, SignatureError
from spark_infer.tensors import Decoder, cut_batches, length_order, output_schema
from spark_infer.tensors.arrow.leaves import Rows

T = TypeVar("T")
_AHEAD = 2
"""Batches that are assembled, or run, before the next stage takes them."""
_STOCK_SECONDS = 1.0
"""From one look at the memory to the next."""


class Predictor:
    """Predicts record batches with a loaded model.

    Args:
        bundle: The bundle, or just its signature.
        backend: The bundle's model, from ``load_backend``, or any other backend.
        options: How rows are cut into batches, and what happens to rows that fail.
        packed: Names of scalar inputs that arrive as one list column (``tensors.packed_name``).
        metrics: Where to count; a new one when None.
        sizer: What is known of batch sizes, when several predictors share it.
        cache: Predictions of earlier rows, when several predictors share them. Used where the
            options allow a cache; it grows to the largest that any of them allows.
        stochastic: Whether equal rows may get different predictions; by default what the bundle
            and the backend say. Predictions are then never shared.
        row_independent: Whether a row's prediction does not depend on the rows beside it or on
            padding; by default what the bundle and the backend say. Where it may, rows run one
            at a time.
    """

    def __init__(
        self,
        bundle: Bundle | Signature,
        backend: Backend,
        options: BatchOptions | None = None,
        *,
        packed: Collection[str] = (),
        metrics: Metrics | None = None,
        sizer: BatchSizer | None = None,
        cache: PredictionCache | None = None,
        stochastic: bool | None = None,
        row_independent: bool | None = None,
    ) -> None:
        if not isinstance(bundle, Bundle | Signature):
            raise ConfigError(
                f"a predictor needs a bundle or a signature, got {type(bundle).__name__}; open the "
                "bundle with Bundle.load(path)"
            )
        if not callable(getattr(backend, "submit", None)):
            raise ConfigError(
                f"a predictor needs a backend, got {shown(backend)}; load the bundle's model with "
                "load_backend(path)"
            )
        for name, truth in (("stochastic", stochastic), ("row_independent", row_independent)):
            check_kind(truth, (bool, NoneType), name=name, wanted="True, False or None")
        check_kind(packed, (list, tuple, Set), name="packed", wanted="a list of input names")
        for name, value, kind in (
            ("metrics", metrics, Metrics),
            ("sizer", sizer, BatchSizer),
            ("cache", cache, PredictionCache),
        ):
            check_kind(value, (kind, NoneType), name=name, wanted=f"a {kind.__name__} or None")
        self._signature = bundle.signature if isinstance(bundle, Bundle) else bundle
        # A backend knows what its bundle says where only a signature is given.
        manifest = bundle.manifest if isinstance(bundle, Bundle) else backend
        if stochastic is None:
            stochastic = backend.stochastic or manifest.stochastic
        if row_independent is None:
            row_independent = backend.row_independent and manifest.row_independent
        self._options = check_options(options)
        if not row_independent:
            self._options = self._options.one_by_one()
        self._decoder = Decoder(self._signature, packed)
        self._is_ragged = any(isinstance(item, RaggedInput) for item in self._signature.inputs)
        self._backend = backend
        self._sizer = sizer or BatchSizer()
        self._repeats = RepeatRule(False if stochastic else self._options.dedupe)
        self._cache = None
        if not stochastic and self._options.dedupe and self._options.cache_bytes:
            self._cache = PredictionCache() if cache is None else cache
            self._cache.allow(self._options.cache_bytes)
        self._metrics = Metrics() if metrics is None else metrics
        self._stock_taken = -_STOCK_SECONDS
        self._runner = Runner(backend, self._options, self._sizer, self._metrics)

    @property
    def metrics(self) -> Metrics:
        """What was counted so far."""
        return self._metrics

    def take_metrics(self) -> Metrics:
        """Return what was counted so far, and count anew from now on."""
        taken, self._metrics = self._metrics, Metrics()
        self._runner.count_into(self._metrics)
        return taken

    @property
    def column_names(self) -> tuple[str, ...]:
        """Columns that the record batches must have; others are ignored."""
        return self._decoder.column_names

    @property
    def schema(self) -> pa.Schema:
        """Schema of the predictions: the outputs, then ``rejected_reason``."""
        return output_schema(self._signature)

    def predict(self, batch: TableLike) -> pa.RecordBatch:
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
        rows = as_table(batch, where="what is to be predicted")
        return next(self._predicted([rows], overlap=False))

    def stream(self, batches: Iterable[TableLike]) -> Generator[pa.RecordBatch, None, None]:
        """Predict record batches (or what ``predict`` takes): one for each, in order, of any size.

        At most a window of rows (``BatchOptions.window_rows`` and ``window_bytes``; without
        ragged inputs a record batch, or two with ``BatchOptions.overlap``) and one record batch
        more are read ahead of what was returned. Threads end when the iterator is closed or
        dropped.

        Raises:
            SignatureError, PredictionError: As ``predict``.
        """
        if not isinstance(batches, Iterable) or is_table(batches) or isinstance(batches, str):
            raise SignatureError(
                f"stream takes record batches one after the other, got {type(batches).__name__}; "
                "predict takes a single one"
            )
        return self._stream(as_table(batch, where="what is to be predicted") for batch in batches)

    def _stream(
        self, batches: Iterable[pa.RecordBatch | pa.Table]
    ) -> Generator[pa.RecordBatch, None, None]:
        overlap = self._options.overlap
        if overlap == "auto":
            overlap = self._options.device != "cpu"
        yield from self._predicted(batches, overlap=overlap)
        self._runner.limits.check_share()

    def _predicted(
        self, batches: Iterable[pa.RecordBatch | pa.Table], *, overlap: bool
    ) -> Iterator[pa.RecordBatch]:
        sizes: deque[int] = deque()
        # One window is read while another one runs: each is half of what may be held.
        slots = Slots(2 if overlap else 1)
        source = windows(
            self._waiting(batches),
            columns=self.column_names,
            max_rows=max(1, self._options.window_rows // slots.count) if self._is_ragged else None,
            max_bytes=max(1, self._options.window_bytes // slots.count),
            sizes=sizes,
        )
        assembled = self._assemble(source, slots)
        if overlap:
            assembled = in_background(assembled, capacity=_AHEAD, name="spark_infer assemble")
        run = self._run(assembled)
        if overlap:
            run = in_background(run, capacity=_AHEAD, name="spark_infer run")
        try:
            yield from regroup(self._finish(run, slots), sizes)
        finally:
            # The thread that reads may be waiting for one.
            slots.close()
            run.close()

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

    def _assemble(
        self, source: Iterator[pa.RecordBatch], slots: Slots
    ) -> Generator[Batch | Work, None, None]:
        """Turn windows into batches; each window's batches are followed by the window itself."""
        while slots.take() and (window := next(source, None)) is not None:
            with self._metrics.timed("assemble"):
                work = Work(self._signature, self._decoder.decode(window), self._metrics)
                if self._repeats.wants():
                    work.drop_repeats(self._cache)
                rows = self._ordered(work)
            yield from self._batches(work, rows)
            yield work

    def _ordered(self, work: Work) -> Rows:
        lengths = work.decoded.ragged
        if not lengths:
            return work.rows
        rows = work.rows
        lengths_of = [of_input[rows] for of_input in lengths.values()]
        self._metrics.count_lengths(np.sum(lengths_of, axis=0))
        order = length_order(lengths_of)
        return order + rows.start if isinstance(rows, slice) else rows[order]

    def _batches(self, work: Work, rows: Rows) -> Iterator[Batch]:
        pad = self._options.pad_rule
        padded = work.decoded.padded(rows, pad)
        batches = cut_batches(count(rows), padded, budget=self._budget, max_rows=self._max_rows)
        for start, stop, length in batches:
            taken = (
                rows[start:stop]
                if not isinstance(rows, slice)
                else slice(rows.start + start, rows.start + stop)
            )
            begin = time.perf_counter()
            try:
                tensors, error = work.decoded.tensors(taken, pad), None
            except MemoryError as raised:
                tensors, error = {}, raised
            seconds = time.perf_counter() - begin
            self._metrics.spent("assemble", seconds)
            self._count(work, taken, stop - start, length)
            yield Batch(work, taken, length, tensors, seconds, error)

    def _max_rows(self) -> int | None:
        """Return the most rows of a batch."""
        size = self._options.batch_size
        limits = [None if size == "auto" else size, self._runner.max_rows()]
        return min((limit for limit in limits if limit is not None), default=None)

    def _budget(self, length: int, efficiency: Efficiency | None) -> int:
        """Return the most tokens of a batch of this padded length."""
        if self._options.batch_size == "auto":
            tokens = self._sizer.tokens(length, efficiency, look=self._runner.observes)
        else:
            tokens = self._sizer.ceiling(length)
        most = self._options.max_tokens
        return tokens if most is None else min(tokens, most)

    def _count(self, work: Work, rows: Rows, num_rows: int, length: int) -> None:
        metrics = self._metrics
        metrics.num_predicted += num_rows
        lengths = work.decoded.ragged.values()
        real = sum(int(of_input[rows].sum()) for of_input in lengths)
        metrics.count_batch(num_rows, real, num_rows * length if self._is_ragged else 0)
        most = self._options.max_tokens
        if most is not None and length > most:
            metrics.num_oversized += 1

    def _run(self, assembled: Iterable[Batch | Work]) -> Generator[Finish | Work, None, None]:
        for item in assembled:
            yield item if isinstance(item, Work) else self._runner.start(item)

    def _finish(self, run: Iterable[Finish | Work], slots: Slots) -> Iterator[pa.RecordBatch]:
        for item in run:
            if not isinstance(item, Work):
                item()
                continue
            with self._metrics.timed("unpack"):
                predicted = item.finish(self._repeats, self._cache)
            self._metrics.num_rows += item.decoded.num_rows
            self._metrics.num_rejected += item.decoded.rejects.count
            self._metrics.num_failed += item.num_failed
            self._take_stock()
            self._runner.limits.count_rows(count(item.accepted), item.num_failed)
            slots.give_back()
            yield predicted
        self._take_stock(at_last=True)

    def _take_stock(self, *, at_last: bool = False) -> None:
        """Count what is the same for all windows; now and then, for it asks the system."""
        now = time.monotonic()
        if now < self._stock_taken + _STOCK_SECONDS and not at_last:
            return
        self._stock_taken = now
        peak = self._backend.memory().peak_bytes
        self._metrics.peak_memory_bytes = max(self._metrics.peak_memory_bytes, peak)
        self._metrics.learned_tokens |= self._sizer.tokens_by_length()
