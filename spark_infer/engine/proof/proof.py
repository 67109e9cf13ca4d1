"""The proof: a model, and the bundle made of it, tried on rows that cover the signature."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from spark_infer.backends import Backend
from spark_infer.backends.original import Original
from spark_infer.bundle import Signature
from spark_infer.bundle.files.examples import Examples
from spark_infer.engine.proof.advice import WIDE, run_or_refuse, runs
from spark_infer.engine.proof.answers import (
    Answer,
    Trial,
    accepted,
    has_infinities,
    has_large_numbers,
)
from spark_infer.engine.proof.checks import (
    check_history,
    check_neighbors,
    check_repeats,
    check_stored,
)
from spark_infer.engine.proof.checks.kept import examples_of
from spark_infer.engine.proof.checks.stored import Failing
from spark_infer.engine.proof.empty import with_min_lengths
from spark_infer.engine.proof.evidence import silent, unknown
from spark_infer.engine.proof.probe import (
    NUM_ALIKE,
    NUM_ODD_FLOATS,
    SPREADS,
    Spread,
    num_odd,
    probe,
)
from spark_infer.engine.proof.trials import Shown, plan, roundings
from spark_infer.engine.proof.words import dependence
from spark_infer.engine.proof.yardstick import ROUNDINGS, Slack, Yardstick, distances
from spark_infer.errors import SignatureError
from spark_infer.tensors import Decoded
from spark_infer.tensors.rows import Positions
from spark_infer.transforms import make_decoder

TOLERANCE = 1e-4
"""How far apart two answers may be in float32, as a share of the value and of its usual size."""

SMALL = 10_000_000
"""Weights of a model on which rows of thousands of positions are tried as well."""

MAX_SAMPLE_ROWS = 1024
_CLOSE = 0.1


class Proof:
    """Shows that a model is what the engine takes it for.

    Args:
        signature: Inputs and outputs.
        sample: Rows of the user's own to try it on as well; the first ``MAX_SAMPLE_ROWS`` count.
        synthetic: Rows that the model's format made, which tell more of it than random ones.
        stochastic: The model may answer the same row differently: only shapes are checked.
        row_independent: Whether rows run together; without it each is tried alone.
        resolution: Relative distance of neighboring numbers in the model's least precise type.
        is_small: Whether it has fewer than ``SMALL`` weights, so that long rows take no time.

    Attributes:
        signature: What the bundle is saved with: ``min_length`` of ragged inputs is decided here.
    """

    def __init__(
        self,
        signature: Signature,
        *,
        sample: pa.RecordBatch | pa.Table | None,
        synthetic: pa.RecordBatch | None = None,
        stochastic: bool,
        row_independent: bool,
        resolution: float,
        is_small: bool = False,
    ) -> None:
        self.signature = signature
        self._is_small = is_small
        self._sample = None if sample is None else sample.slice(0, MAX_SAMPLE_ROWS)
        self._synthetic = synthetic
        self._compares = not stochastic
        self._batches = row_independent
        self._noise = resolution
        self._tolerance = max(TOLERANCE, ROUNDINGS * resolution)
        self._shown: list[Shown] = []
        self._failing: list[Failing] = []
        self._silent: dict[str, str] = {}
        self._yardstick = Yardstick(self._tolerance, ())

    def check_model(self, model: Backend) -> None:
        """Run the model as it was given.

        Raises:
            SignatureError: It fails, its outputs do not fit the signature, it answers the same
                row differently, or a row's answer depends on the rows beside it or on padding.
        """
        if self._compares:
            self.signature = with_min_lengths(
                model, self.signature, tolerance=self._tolerance, in_batches=self._batches
            )
        probed = probe(self.signature, is_small=self._is_small)
        self._try(model, probed, is_probe=True)
        self._silent = self._find_silent() if self._shown and self._compares else {}
        for spread in SPREADS[1:]:
            if self._silent:
                self._try_spread(model, spread)
        for rows in (self._synthetic, self._sample):
            if rows is not None:
                self._try(model, rows, is_probe=False)
        if not self._shown:
            raise SignatureError(
                "the bundle is not saved: the null rules reject every row that it was tried on"
            )
        everything = [answer for shown in self._shown for answer in shown.answers]
        self._yardstick = Yardstick.of(everything, self.signature.outputs, self._tolerance)
        if self._compares:
            if self._yardstick.has_small():
                moves = roundings(model, self._shown, self.signature.outputs, self._noise)
                self._yardstick = replace(self._yardstick, roundings=moves)
            check_repeats(model, self._shown[0], self._difference)
            self._check_independence()
            if self._batches:
                close = replace(
                    self._yardstick, tolerance=self._tolerance * _CLOSE, least=0.0, roundings=()
                )
                check_neighbors(model, self._shown[0], self.signature, close)

    def check_history(self, model: Original) -> None:
        """Raise SignatureError where the model's answers depend on the rows that it saw before."""
        changed = model.changed()
        if not changed:
            return
        again = self._shown
        if not self._is_small:
            by_count = {len(shown.trial.rows): shown for shown in self._shown}
            again = [by_count[count] for count in {min(by_count), max(by_count)}]
        for shown in again:
            check_history(model, shown, self._difference, changed, draws=not self._compares)

    def check_evidence(self) -> None:
        """Raise SignatureError where neither random rows nor the sample told anything."""
        outputs, quiet = self.signature.outputs, self._silent
        if self._synthetic is not None:
            still = silent(self._answers_of(self._synthetic), outputs)
            quiet = {name: problem for name, problem in quiet.items() if name in still}
        if quiet and self._sample is None:
            name, problem = next(iter(quiet.items()))
            raise SignatureError(
                f"the bundle is not saved: output {name!r} is {problem} for the random rows that "
                "the model was tried on, which shows nothing of it; pass sample=ROWS, some rows "
                "such as it will predict"
            )
        if self._sample is None:
            return
        for name in unknown(self._answers_of(self._sample), outputs):
            if name in quiet:
                raise SignatureError(
                    f"the bundle is not saved: output {name!r} is {quiet[name]} for the "
                    "random rows that the model was tried on, and NaN for each row of "
                    "the sample, which shows nothing of it; pass rows that it can predict"
                )

    @property
    def shapes(self) -> set[tuple[int, ...]]:
        """Rows, then padded length in each ragged input, of the batches that both models run."""
        return {
            (
                len(rows),
                *(int(lengths.max()) for lengths in shown.trial.padded(shown.decoded)),
            )
            for shown in self._shown
            if shown.trial.is_for_both and len(rows := shown.trial.rows)
        }

    def examples(self) -> Examples | None:
        """Return rows to keep in the bundle: none of the user's own."""
        kept = [one for one in self._shown if one.source is self._synthetic]
        kept = kept or [one for one in self._shown if one.source is not self._sample]
        return examples_of(kept, self.signature, compares=self._compares, tolerance=self._tolerance)

    def check_bundle(self, loaded: Backend, *, hint: str) -> None:
        """Run the stored model on the same rows.

        Args:
            loaded: The model as it was loaded from the bundle.
            hint: Why it may answer otherwise, and what to do then.

        Raises:
            BundleError: It answers otherwise than the model that it was made from.
        """
        compare = self._difference if self._compares else None
        check_stored(loaded, self._shown, self._failing, compare, hint=hint)

    def _difference(
        self, one: Answer, other: Answer, slack: Slack | None = None
    ) -> tuple[str, str, str] | None:
        return self._yardstick.difference(one, other, self.signature.outputs, slack)

    def _try(self, model: Backend, source: pa.RecordBatch | pa.Table, *, is_probe: bool) -> None:
        """Run the model on all batches of some rows."""
        decoded = make_decoder(self.signature).decode(source)
        is_large = has_large_numbers(decoded)
        slack: dict[int, Slack] = {}
        if is_probe:
            none = [np.zeros(1)] * len(self.signature.outputs)
            slack = dict.fromkeys(
                np.flatnonzero(has_infinities(decoded)).tolist(), Slack(none, is_infinite=True)
            )
        rows = self._runnable(model, source, decoded, is_probe=is_probe)
        trials = plan(
            decoded,
            rows,
            is_probe=is_probe,
            in_batches=self._batches,
            is_small=self._is_small,
        )
        for trial in trials:
            answers = run_or_refuse(model, decoded, trial, source)
            self._shown.append(Shown(source, decoded, trial, answers, slack))
            large = [int(row) for row in trial.rows if is_large[row] and int(row) not in slack]
            if large and self._compares:
                noisy = trial.run(model, decoded, noise=self._noise)
                for row, one, other in zip(trial.rows, answers, noisy, strict=True):
                    apart = distances(one, other, self.signature.outputs)
                    slack[int(row)] = Slack([ROUNDINGS * moves for moves in apart])

    def _answers_of(self, source: pa.RecordBatch | pa.Table) -> list[Answer]:
        return [a for shown in self._shown if shown.source is source for a in shown.answers]

    def _find_silent(self) -> dict[str, str]:
        """Return the outputs of which the probe's usual rows tell nothing."""
        decoded = self._shown[0].decoded
        answers: dict[int, Answer] = {}
        for shown in self._shown:
            answers |= zip(map(int, shown.trial.rows), shown.answers, strict=True)
        odd = num_odd(self.signature)
        usual = [answers[row] for row in sorted(answers) if row < decoded.num_rows - odd]
        return silent(usual, self.signature.outputs)

    def _try_spread(self, model: Backend, spread: Spread) -> None:
        """Try rows of other numbers where they tell more."""
        source = probe(self.signature, is_small=self._is_small, spread=spread)
        decoded = make_decoder(self.signature).decode(source)
        alike = accepted(decoded)
        alike = alike[alike < NUM_ALIKE]
        trials = [Trial(alike)] if self._batches else [Trial(np.array([row])) for row in alike]
        if not all(runs(model, decoded, trial) for trial in trials):
            return
        answers = [answer for trial in trials for answer in trial.run(model, decoded)]
        still = silent(answers, self.signature.outputs)
        told = self._silent.keys() - still.keys()
        if told:
            self._try(model, source, is_probe=True)
            self._silent = {name: self._silent[name] for name in self._silent if name not in told}

    def _runnable(
        self,
        model: Backend,
        source: pa.RecordBatch | pa.Table,
        decoded: Decoded,
        *,
        is_probe: bool,
    ) -> Positions:
        """Return the rows to try: without the odd ones on which the model raises."""
        rows = accepted(decoded)
        if not is_probe:
            return rows
        last = decoded.num_rows - 1
        if not any(np.dtype(item.dtype).kind == "f" for item in self.signature.inputs):
            rows = rows[(rows < last - NUM_ODD_FLOATS) | (rows == last)]
        odd = [Trial(np.array([row])) for row in rows[rows > last - num_odd(self.signature)]]
        failing = [trial for trial in odd if not runs(model, decoded, trial)]
        self._failing += [Failing(source, decoded, trial) for trial in failing]
        return rows[~np.isin(rows, [trial.rows[0] for trial in failing])]

    def _check_independence(self) -> None:
        alone = {
            (id(shown.decoded), int(shown.trial.rows[0])): shown.answers[0]
            for shown in self._shown
            if len(shown.trial.rows) == 1 and shown.trial.pad != WIDE
        }
        for shown in self._shown:
            for row, answer in zip(shown.trial.rows, shown.answers, strict=True):
                expected = alone.get((id(shown.decoded), int(row)))
                slack = shown.slack_of(int(row))
                if expected is not None and (found := self._difference(expected, answer, slack)):
                    raise dependence(shown.source, shown.decoded, shown.trial, int(row), found)
