"""How far the predictions of two models are apart, counted so that parts of the rows add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from spark_infer.bundle import Output, Signature
from spark_infer.bundle.signature import REASON_COLUMN

NUMBER, LABEL = "number", "label"


def comparable(champion: Signature, challenger: Signature) -> dict[str, str]:
    """Return the outputs that both have, with one value for each row, and what these are."""
    known = {output.name: _kind(output) for output in champion.outputs}
    return {
        output.name: kind
        for output in challenger.outputs
        if (kind := _kind(output)) is not None and known.get(output.name) == kind
    }


def _kind(output: Output) -> str | None:
    if output.shape or output.lengths_of is not None:
        return None
    return LABEL if output.labels is not None or output.dtype == "bool" else NUMBER


@dataclass
class Difference:
    """How far the values of one output are apart.

    Attributes:
        different: Rows whose numbers are further apart than the tolerance, or whose labels are two.
        finite: Rows whose numbers have a finite difference.
        total: The sum of the finite absolute differences.
        most: The largest of them.
    """

    different: int = 0
    finite: int = 0
    total: float = 0.0
    most: float = 0.0

    def __add__(self, other: Difference) -> Difference:
        return Difference(
            self.different + other.different,
            self.finite + other.finite,
            self.total + other.total,
            max(self.most, other.most),
        )


@dataclass
class Disagreement:
    """What two models have made of the same rows.

    Attributes:
        rows: How many there are.
        compared: Rows that both have predicted.
        by_challenger: Rows that only the challenger has rejected.
        by_champion: Rows that only the champion has.
        by_both: Rows that both have.
        failed: Rows among those that the challenger has rejected which it was not asked for any
            more, since it had failed as a whole.
        problem: Why, or else why it has rejected a row that the champion has not.
        run_seconds: What its model took, summed over tasks.
        outputs: The difference of each output that both have, by its name.
    """

    rows: int = 0
    compared: int = 0
    by_challenger: int = 0
    by_champion: int = 0
    by_both: int = 0
    failed: int = 0
    problem: str = ""
    run_seconds: float = 0.0
    outputs: dict[str, Difference] = field(default_factory=dict)

    def add(
        self,
        champion: pa.RecordBatch,
        challenger: pa.RecordBatch | None,
        compared: Mapping[str, str],
        tolerance: float,
    ) -> None:
        """Count what both say of the same rows.

        Args:
            champion: Predictions, with the reasons why rows have none.
            challenger: The same of the other; None where it has failed as a whole.
            compared: The outputs to compare, see ``comparable``.
            tolerance: Above which two numbers count as different.
        """
        ours = _predicted(champion)
        theirs = np.zeros(len(ours), np.bool_) if challenger is None else _predicted(challenger)
        both = ours & theirs
        self.rows += len(ours)
        self.compared += int(both.sum())
        self.by_challenger += int((ours & ~theirs).sum())
        self.by_champion += int((~ours & theirs).sum())
        self.by_both += int((~ours & ~theirs).sum())
        if challenger is None:
            self.failed += len(ours)
            return
        if not self.problem and (ours & ~theirs).any():
            at = int(np.flatnonzero(ours & ~theirs)[0])
            self.problem = challenger.column(REASON_COLUMN)[at].as_py()
        mask = None if both.all() else pa.array(both)
        for name, kind in compared.items():
            found = self.outputs.setdefault(name, Difference())
            pair = [side.column(name) for side in (champion, challenger)]
            if mask is not None:
                pair = [values.filter(mask) for values in pair]
            one, other = pair
            is_number = kind == NUMBER
            self.outputs[name] = found + (
                _of_numbers(one, other, tolerance) if is_number else _of_labels(one, other)
            )

    def __add__(self, other: Disagreement) -> Disagreement:
        names = dict.fromkeys([*self.outputs, *other.outputs])
        none = Difference()
        return Disagreement(
            self.rows + other.rows,
            self.compared + other.compared,
            self.by_challenger + other.by_challenger,
            self.by_champion + other.by_champion,
            self.by_both + other.by_both,
            self.failed + other.failed,
            # What failed as a whole is told before a row that was rejected.
            self.problem if self.failed or (not other.failed and self.problem) else other.problem,
            self.run_seconds + other.run_seconds,
            {n: self.outputs.get(n, none) + other.outputs.get(n, none) for n in names},
        )

    def share(self, output: str) -> float | None:
        """Return the share of different rows among those compared; None where there are none."""
        found = self.outputs.get(output)
        return found.different / self.compared if found is not None and self.compared else None

    def to_json(self, compared: Mapping[str, str]) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "rows": self.rows,
            "compared": self.compared,
            "rejected_by_challenger": self.by_challenger,
            "rejected_by_champion": self.by_champion,
            "rejected_by_both": self.by_both,
            "failed": self.failed,
            "problem": self.problem,
            "run_seconds": round(self.run_seconds, 6),
            "outputs": [self._output(name, kind) for name, kind in compared.items()],
        }

    def _output(self, name: str, kind: str) -> dict[str, Any]:
        found = self.outputs.get(name, Difference())
        has_numbers = kind == NUMBER and found.finite > 0
        return {
            "output": name,
            "kind": kind,
            "different": found.different,
            "share": self.share(name),
            "mean_difference": found.total / found.finite if has_numbers else None,
            "max_difference": found.most if has_numbers else None,
        }


def _predicted(batch: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = batch.column(REASON_COLUMN).is_null().to_numpy(False)
    return found


def _of_numbers(one: pa.Array, other: pa.Array, tolerance: float) -> Difference:
    left, right = (side.to_numpy(zero_copy_only=False) for side in (one, other))
    is_other = left != right
    is_other &= ~(np.isnan(left) & np.isnan(right))
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(left.astype(np.float64) - right.astype(np.float64))
    if np.issubdtype(left.dtype, np.integer) and np.issubdtype(right.dtype, np.integer):
        # Large ones may be the same as floats, and are one apart at the least.
        apart = np.maximum(apart, is_other)
    apart[~is_other] = 0.0  # Two infinite ones, or two NaN, as well.
    finite = np.isfinite(apart)
    some = apart[finite]
    return Difference(
        different=int((~finite | (apart > tolerance)).sum()),
        finite=len(some),
        total=float(some.sum()),
        most=float(some.max(initial=0.0)),
    )


def _of_labels(one: pa.Array, other: pa.Array) -> Difference:
    return Difference(different=pc.sum(pc.not_equal(one, other)).as_py() or 0)
