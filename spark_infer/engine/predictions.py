"""The predictions of a window: what came of its rows, as columns in their order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from spark_infer.backends import Array
from spark_infer.bundle import Signature
from spark_infer.engine.repeats import Distinct, RowOutputs
from spark_infer.errors import PredictionError
from spark_infer.model import Result, Window
from spark_infer.model.deadline import PENDING
from spark_infer.tensors import Collected, Decoded, Rows, output_schema
from spark_infer.tensors.encode import check_output, cut, kept, unfit_rows
from spark_infer.tensors.rows import BoolArray


class Predictions:
    """Takes the results of a window's rows, in any order.

    Args:
        signature: The model's signature.
        decoded: The rows.
        distinct: Those of them that run, and whose predictions the others take.

    Attributes:
        decoded: The rows.
        distinct: As above.
        run_seconds: What the model took for them.
    """

    def __init__(self, signature: Signature, decoded: Decoded, distinct: Distinct) -> None:
        self._signature = signature
        self._num_refused = decoded.rejects.count
        self.decoded = decoded
        self.distinct = distinct
        self.run_seconds = 0.0
        self._num_late = 0
        lengths = decoded.ragged
        self._outputs = [
            Collected(output, lengths.get(output.lengths_of or "")) for output in signature.outputs
        ]
        if distinct.known:
            self._put_known(distinct.known_rows, distinct.known)

    @property
    def window(self) -> Window:
        """What the model is to run."""
        return Window(self.decoded, self.distinct.rows)

    @property
    def num_rejected(self) -> int:
        """Rows without a prediction, for whatever reason; repeats count once they are known."""
        return self.decoded.rejects.count

    @property
    def num_failed(self) -> int:
        """Rows among them that the model was given, or was to be."""
        return self.num_rejected - self._num_refused

    @property
    def num_late(self) -> int:
        """Rows among those for which there was no time; to be asked at the end."""
        return self.decoded.rejects.count_of(PENDING) if self._num_late else 0

    def _put_known(self, rows: Rows, known: list[RowOutputs]) -> None:
        for index, output in enumerate(self._signature.outputs):
            values = [row[index] for row in known]
            joined = np.stack(values) if output.lengths_of is None else np.concatenate(values)
            self._outputs[index].put(rows, joined)

    def put(self, result: Result) -> list[str]:
        """Keep the outputs of some rows, or the reason why they have none.

        Returns:
            Reasons for which rows were rejected.

        Raises:
            PredictionError: The outputs do not fit the signature.
        """
        rows, arrays = result.rows, result.outputs
        if arrays is None:
            self.decoded.rejects.add_rows(rows, result.reason)
            self._num_late += len(rows) if result.is_late else 0
            return [] if result.is_late else [result.reason]
        outputs = self._signature.outputs
        if len(arrays) != len(outputs):
            raise PredictionError(
                f"the model returned {len(arrays)} output(s), the signature promises "
                f"{len(outputs)}: {[output.name for output in outputs]}"
            )
        checked = [
            check_output(
                array,
                output,
                len(rows),
                None if output.lengths_of is None else result.longest[output.lengths_of],
            )
            for array, output in zip(arrays, outputs, strict=True)
        ]
        rows, checked, reasons = self._drop_unfit(rows, checked)
        for array, output, collected in zip(checked, outputs, self._outputs, strict=True):
            if output.lengths_of is not None:
                array = cut(array, rows.take(self.decoded.lengths(output.lengths_of)))
            collected.put(rows, kept(array, output))
        return reasons

    def _drop_unfit(self, rows: Rows, arrays: list[Array]) -> tuple[Rows, list[Array], list[str]]:
        """Reject rows of which no prediction can be made; return the others, and the reasons."""
        fine: BoolArray | None = None
        reasons = []
        for array, output in zip(arrays, self._signature.outputs, strict=True):
            follows = output.lengths_of
            lengths = None if follows is None else rows.take(self.decoded.lengths(follows))
            for what, unfit in unfit_rows(array, output, lengths).items():
                fine = np.ones(len(rows), np.bool_) if fine is None else fine
                if (unfit & fine).any():
                    reasons.append(f"run: output {output.name!r} {what}")
                    self.decoded.rejects.add_rows(rows.only(unfit & fine), reasons[-1])
                    fine &= ~unfit
        if fine is None:
            return rows, arrays, reasons
        return rows.only(fine), [array[fine] for array in arrays], reasons

    def items(self, rows: Rows) -> list[RowOutputs]:
        """Return the outputs of single rows that were predicted."""
        num_rows = self.decoded.num_rows
        items = [collected.items(rows, num_rows) for collected in self._outputs]
        return list(zip(*items, strict=True))

    def record_batch(self) -> pa.RecordBatch:
        """Return the predictions in row order, repeats included; to be called once, at the end."""
        first = self.distinct.first
        if first is not None:
            self.decoded.rejects.repeat(self.distinct.accepted, first)
        num_rows = self.decoded.num_rows
        columns = [collected.column(num_rows, first) for collected in self._outputs]
        columns.append(self.decoded.rejects.reasons())
        return pa.RecordBatch.from_arrays(columns, schema=output_schema(self._signature))
