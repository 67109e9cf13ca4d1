"""The predictor: a record batch in, a record batch out, same length, same order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy.typing as npt
import pyarrow as pa

from spark_infer.backends import Backend
from spark_infer.bundle import Bundle, Output, Signature
from spark_infer.engine.metrics import Metrics
from spark_infer.engine.options import BatchOptions
from spark_infer.errors import PredictionError, SparkInferError
from spark_infer.tensors import Decoded, Decoder, encode, output_schema
from spark_infer.tensors.dense import Rows
from spark_infer.tensors.encode import check_output, cut

Array = npt.NDArray[Any]


class Predictor:
    """Predicts record batches with a loaded model.

    Args:
        bundle: The bundle, or just its signature.
        backend: The bundle's model, from ``load_backend``, or any other backend.
        options: How rows are cut into batches.
        packed: Names of scalar inputs that arrive as one list column (``tensors.packed_name``).
        metrics: Where to count; a new one when None.
    """

    def __init__(
        self,
        bundle: Bundle | Signature,
        backend: Backend,
        options: BatchOptions | None = None,
        *,
        packed: Collection[str] = (),
        metrics: Metrics | None = None,
    ) -> None:
        self._signature = bundle.signature if isinstance(bundle, Bundle) else bundle
        self._backend = backend
        self._options = options or BatchOptions()
        self._decoder = Decoder(self._signature, packed)
        self.metrics = Metrics() if metrics is None else metrics

    @property
    def column_names(self) -> tuple[str, ...]:
        """Columns that the record batches must have; others are ignored."""
        return self._decoder.column_names

    @property
    def schema(self) -> pa.Schema:
        """Schema of the predictions: the outputs, then ``rejected_reason``."""
        return output_schema(self._signature)

    def predict(self, batch: pa.RecordBatch | pa.Table) -> pa.RecordBatch:
        """Predict the rows of a record batch (or table).

        Returns:
            One row for each row, in order. A row that a null or overflow rule rejects has null
            outputs and the reason in ``rejected_reason``, which is null otherwise.

        Raises:
            SignatureError: The columns do not fit the signature.
            PredictionError: The model fails, or its outputs do not fit the signature.
        """
        with self.metrics.timed("decode"):
            decoded = self._decoder.decode(batch)
        accepted = decoded.rejects.accepted
        parts: list[list[Array]] = [[] for _ in self._signature.outputs]
        for rows in self._cut(accepted):
            for part, array in zip(parts, self._run(decoded, rows), strict=True):
                part.append(array)
        self.metrics.num_rows += decoded.num_rows
        self.metrics.num_rejected += decoded.rejects.count
        with self.metrics.timed("encode"):
            return self._encode(decoded, parts, accepted)

    def stream(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Predict record batches one after another, whatever their sizes."""
        for batch in batches:
            yield self.predict(batch)

    def _cut(self, accepted: Rows) -> Iterator[Rows]:
        """Cut the accepted rows into batches."""
        size = self._options.batch_size
        if not isinstance(accepted, slice):
            yield from (accepted[start : start + size] for start in range(0, len(accepted), size))
            return
        for start in range(accepted.start, accepted.stop, size):
            yield slice(start, min(start + size, accepted.stop))

    def _run(self, decoded: Decoded, rows: Rows) -> list[Array]:
        with self.metrics.timed("decode"):
            tensors = decoded.tensors(rows)
        num_rows = len(next(iter(tensors.values())))
        self.metrics.batch_rows[num_rows] += 1
        with self.metrics.timed("run"):
            arrays = self._call(tensors, num_rows)
        outputs = self._signature.outputs
        if len(arrays) != len(outputs):
            raise PredictionError(
                f"the model returned {len(arrays)} output(s), the signature promises "
                f"{len(outputs)}: {[output.name for output in outputs]}"
            )
        return [
            _real_values(array, output, decoded, rows, tensors)
            for array, output in zip(arrays, outputs, strict=True)
        ]

    def _call(self, tensors: dict[str, Array], num_rows: int) -> Sequence[Array]:
        try:
            return self._backend.run(tensors)
        except SparkInferError:
            raise
        except Exception as error:
            # A model may raise anything.
            raise PredictionError(
                f"the model failed on a batch of {num_rows} row(s): {type(error).__name__}: {error}"
            ) from error

    def _encode(self, decoded: Decoded, parts: list[list[Array]], accepted: Rows) -> pa.RecordBatch:
        columns = []
        for output, arrays in zip(self._signature.outputs, parts, strict=True):
            follows = output.lengths_of
            lengths = None if follows is None else decoded.lengths(follows)[accepted]
            columns.append(encode(output, arrays, accepted, decoded.num_rows, lengths))
        columns.append(decoded.rejects.reasons())
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def _real_values(
    array: Array, output: Output, decoded: Decoded, rows: Rows, tensors: dict[str, Array]
) -> Array:
    """Check one output of one batch; cut a ragged one back to its rows' true lengths."""
    num_rows = len(next(iter(tensors.values())))
    if output.lengths_of is None:
        return check_output(array, output, num_rows, None)
    longest = tensors[output.lengths_of].shape[1]
    checked = check_output(array, output, num_rows, longest)
    return cut(checked, decoded.lengths(output.lengths_of)[rows])
