"""The proof: a model, and the bundle made of it, tried on rows that cover the signature."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from spark_infer.backends import Backend
from spark_infer.bundle import Input, RaggedInput, Signature
from spark_infer.engine.proof.advice import WIDE, run_or_refuse, runs
from spark_infer.engine.proof.answers import Answer, Trial, Yardstick, scales
from spark_infer.engine.proof.probe import NUM_ALIKE, NUM_ODD, probe
from spark_infer.engine.proof.trials import plan
from spark_infer.engine.proof.words import sentence, shown_row
from spark_infer.errors import BundleError, PredictionError, SignatureError
from spark_infer.tensors import Decoded, Decoder
from spark_infer.tensors.arrow.leaves import Positions

TOLERANCE = 1e-4
"""How far apart two answers may be in float32, as a share of the value and of its usual size."""

SMALL = 10_000_000
"""Weights of a model on which rows of thousands of positions are tried as well."""

MAX_SAMPLE_ROWS = 1024
_CLOSE = 0.1

_logger = logging.getLogger("spark_infer")


@dataclass(frozen=True)
class _Shown:
    """Rows, how they were run, and what the model answered.

    Attributes:
        source: The rows as columns.
        decoded: The same rows as arrays.
        trial: Which of them ran together.
        answers: What the model answered.
        scales: How much larger than usual the numbers of each row of ``decoded`` are.
    """

    source: pa.RecordBatch | pa.Table
    decoded: Decoded
    trial: Trial
    answers: Sequence[Answer]
    scales: npt.NDArray[np.float64]


class Proof:
    """Shows that a model is what the engine takes it for.

    Args:
        signature: Inputs and outputs.
        sample: Rows of the user's own to try it on as well; the first ``MAX_SAMPLE_ROWS`` count.
        stochastic: The model may answer the same row differently: only shapes are checked.
        row_independent: Whether rows run together; without it each is tried alone.
        tolerance: How far apart two answers may be.
        is_small: Whether it has fewer than ``SMALL`` weights, so that long rows take no time.

    Attributes:
        signature: What the bundle is saved with: ``min_length`` of ragged inputs is decided here.
    """

    def __init__(
        self,
        signature: Signature,
        *,
        sample: pa.RecordBatch | pa.Table | None,
        stochastic: bool,
        row_independent: bool,
        tolerance: float,
        is_small: bool = False,
    ) -> None:
        self.signature = signature
        self._is_small = is_small
        self._sample = None if sample is None else sample.slice(0, MAX_SAMPLE_ROWS)
        self._compares = not stochastic
        self._batches = row_independent
        self._tolerance = tolerance
        self._shown: list[_Shown] = []
        self._yardstick = Yardstick(tolerance, ())

    def check_model(self, model: Backend) -> None:
        """Run the model as it was given.

        Raises:
            SignatureError: It fails, its outputs do not fit the signature, it answers the same
                row differently, or a row's answer depends on the rows beside it or on padding.
        """
        self.signature = self._with_min_lengths(model)
        probed = probe(self.signature, is_small=self._is_small)
        for source, is_probe in ((probed, True), (self._sample, False)):
            if source is not None:
                decoded = Decoder(self.signature).decode(source)
                known = scales(decoded)
                rows = self._runnable(model, decoded, is_probe=is_probe)
                for trial in plan(decoded, rows, is_probe=is_probe, in_batches=self._batches):
                    answers = run_or_refuse(model, decoded, trial, source)
                    self._shown.append(_Shown(source, decoded, trial, answers, known))
        if not self._shown:
            raise SignatureError(
                "the bundle is not saved: the null rules reject every row that it was tried on"
            )
        if self._compares:
            everything = [answer for shown in self._shown for answer in shown.answers]
            self._yardstick = Yardstick.of(everything, self._tolerance)
            self._check_repeats(model)
            self._check_independence()
            self._check_neighbors(model)

    @property
    def shapes(self) -> set[tuple[int, ...]]:
        """Rows, then padded length in each ragged input, of the batches that both models run."""
        return {
            (
                len(rows),
                *(int(lengths.max()) for lengths in shown.decoded.padded(rows, shown.trial.pad)),
            )
            for shown in self._shown
            if shown.trial.is_for_both and len(rows := shown.trial.rows)
        }

    def check_bundle(self, loaded: Backend, *, hint: str) -> None:
        """Run the stored model on the same rows.

        Args:
            loaded: The model as it was loaded from the bundle.
            hint: Why it may answer otherwise, and what to do then.

        Raises:
            BundleError: It answers otherwise than the model that it was made from.
        """
        for shown in self._shown:
            if not shown.trial.is_for_both:
                continue
            try:
                answers = shown.trial.run(loaded, shown.decoded)
            except Exception as error:
                # A model may raise anything.
                raise BundleError(
                    f"the bundle is not saved: the stored model fails where the model does not "
                    f"({sentence(error)}); {hint}"
                ) from None
            if not self._compares:
                continue
            for row, ours, theirs in zip(shown.trial.rows, shown.answers, answers, strict=True):
                if found := self._difference(ours, theirs, shown.scales[row]):
                    output, expected, got = found
                    is_empty = any(not of[row] for of in shown.decoded.ragged.values())
                    hint = "give the ragged inputs min_length=1" if is_empty else hint
                    raise BundleError(
                        f"the bundle is not saved: the stored model answers otherwise than the "
                        f"model, {output!r} is {got} instead of {expected} for the row "
                        f"{shown_row(shown.source, int(row))}; {hint}"
                    )

    def _difference(self, one: Answer, other: Answer, scale: float) -> tuple[str, str, str] | None:
        return self._yardstick.difference(one, other, self.signature.outputs, scale=scale)

    def _runnable(self, model: Backend, decoded: Decoded, *, is_probe: bool) -> Positions:
        """Return the rows to try: without large numbers and NaN where a model raises on them."""
        rows = _accepted(decoded)
        if not is_probe:
            return rows
        odd = rows >= decoded.num_rows - NUM_ODD
        fine = [
            not is_odd or runs(model, decoded, Trial(np.array([row])))
            for row, is_odd in zip(rows, odd, strict=True)
        ]
        return rows[np.array(fine, np.bool_)]

    def _check_repeats(self, model: Backend) -> None:
        first = self._shown[0]
        (again,) = run_or_refuse(model, first.decoded, first.trial, first.source)
        if found := self._difference(first.answers[0], again, 1.0):
            output, one, other = found
            raise SignatureError(
                f"the bundle is not saved: the model answers the same row differently, {output!r} "
                f"is {one} and then {other}; take what it keeps between calls out of forward(), "
                "or pass stochastic=True if it draws at random"
            )

    def _check_independence(self) -> None:
        alone = {
            (id(shown.decoded), int(shown.trial.rows[0])): shown.answers[0]
            for shown in self._shown
            if len(shown.trial.rows) == 1 and shown.trial.pad != WIDE
        }
        for shown in self._shown:
            for row, answer in zip(shown.trial.rows, shown.answers, strict=True):
                expected = alone.get((id(shown.decoded), int(row)))
                scale = shown.scales[row]
                if expected is not None and (found := self._difference(expected, answer, scale)):
                    self._refuse(shown, int(row), *found)

    def _check_neighbors(self, model: Backend) -> None:
        """Compare batches of one shape, whose sums run in one order, far more closely."""
        first = self._shown[0]
        alike = _accepted(first.decoded)
        alike = alike[alike < NUM_ALIKE]
        half = (len(alike) - 1) // 2
        if not self._batches or not half:
            return
        beside = [np.append(alike[:1], others) for others in (alike[1:][:half], alike[1:][-half:])]
        trials = [Trial(rows) for rows in beside]
        ones, others = (
            run_or_refuse(model, first.decoded, trial, first.source) for trial in trials
        )
        yardstick = Yardstick(self._tolerance * _CLOSE, self._yardstick.sizes, least=0.0)
        scale = first.scales[alike[0]]
        if found := yardstick.difference(ones[0], others[0], self.signature.outputs, scale=scale):
            output, one, other = found
            raise SignatureError(
                f"the bundle is not saved: what the model makes of a row depends on the rows "
                f"beside it, the row {shown_row(first.source, int(alike[0]))}: {output!r} is {one} "
                f"beside some rows and {other} beside others; let forward() treat each row by "
                "itself, or pass row_independent=False to run rows one by one"
            )

    def _refuse(self, shown: _Shown, row: int, output: str, one: str, other: str) -> None:
        rows = shown.trial.rows
        tensors = shown.decoded.tensors(rows, shown.trial.pad)
        ragged = [item for item in self.signature.inputs if isinstance(item, RaggedInput)]
        padded = [
            f"{tensors[item.name].shape[1]} positions of {item.name!r}"
            for item in ragged
            if tensors[item.name].shape[1] > max(1, shown.decoded.lengths(item.name)[row])
        ]
        what = f"the row {shown_row(shown.source, row)}: {output!r} is {one} alone and {other}"
        if padded:
            masks = [f"{item.name}_mask" for item in ragged if item.mask]
            mask = f"use {' and '.join(masks)}" if masks else "give the input mask=True and use it"
            raise SignatureError(
                f"the bundle is not saved: what the model makes of a row depends on its padding, "
                f"{what} padded to {' and '.join(padded)}; {mask} wherever positions are summed, "
                "averaged, normalized or picked, give the input pad_to=LENGTH if the model was "
                "trained on one length, or pass row_independent=False to run rows one by one"
            )
        raise SignatureError(
            f"the bundle is not saved: what the model makes of a row depends on the rows beside "
            f"it, {what} in a batch of {len(rows)} rows; let forward() treat each row by itself, "
            "or pass row_independent=False to run rows one by one"
        )

    def _with_min_lengths(self, model: Backend) -> Signature:
        """Return the signature in which inputs whose empty rows have no sure answer reject them."""
        inputs: list[Input] = []
        for item in self.signature.inputs:
            if isinstance(item, RaggedInput) and not item.min_length and self._compares:
                problem = self._empty_row_problem(model, item)
                if problem is not None and (item.min_length == 0 or item.nulls == "empty"):
                    raise SignatureError(
                        f"the bundle is not saved: {problem} where input {item.name!r} is empty; "
                        "give the input min_length=1 and nulls='reject'"
                    )
                if problem is not None:
                    _logger.warning(
                        "input %r: rows without a value are rejected (min_length=1): %s",
                        *(item.name, problem),
                    )
                    item = replace(item, min_length=1)
            inputs.append(item)
        return replace(self.signature, inputs=inputs)

    def _empty_row_problem(self, model: Backend, item: RaggedInput) -> str | None:
        """Say why a row that is empty in this input has no sure answer, or return None."""
        rows = probe(self.signature).slice(0, 1)
        empty = pa.RecordBatch.from_pydict(
            {
                field.name: pa.array([[]], field.type) if field.name == item.column else column
                for field, column in zip(rows.schema, rows.columns, strict=True)
            }
        )
        decoded = Decoder(self.signature).decode(empty)
        if not _accepted(decoded).size:
            return None
        try:
            (alone,) = Trial(np.array([0])).run(model, decoded)
        except PredictionError:
            return None
        except Exception as error:
            # A model may raise anything; what it raises for other rows too is told for those.
            return f"the model fails ({sentence(error)})"
        if any(value.dtype.kind == "f" and np.isnan(value).any() for value in alone):
            return "the model answers NaN"
        if not self._batches or not runs(model, decoded, wide := Trial(np.array([0]), WIDE)):
            return None
        (padded,) = wide.run(model, decoded)
        yardstick = Yardstick.of([alone, padded], self._tolerance)
        if yardstick.difference(alone, padded, self.signature.outputs) is None:
            return None
        return "the model's answer depends on padding"


def _accepted(decoded: Decoded) -> Positions:
    rows = decoded.rejects.accepted
    return np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
