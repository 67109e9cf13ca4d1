"""One row of a run, predicted again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal[
    "equal",
    "rejected",
    "pending",
    "different",
    "source changed",
    "not in source",
    "not in target",
    "another run",
    "another bundle",
    "stochastic",
]


@dataclass(frozen=True, kw_only=True)
class Replay:
    """One row of a run, predicted again.

    Attributes:
        job: Name of the job.
        run_id: The run.
        key: The row.
        verdict: ``equal``; ``rejected``, where the run gave no prediction either; ``pending``,
            where it had no time for the row; or why it is not shown to be equal.
        is_equal: Whether what comes out now is what was published: equal predictions, or none for
            the same reason.
        sentence: The verdict in words.
        published: The row's predictions in the target; empty where they are not there.
        predicted: Those of now; empty where nothing was predicted.
        tolerance: By which share of a number, or of one half if that is more, two numbers may be
            apart twice and count as equal.
        digest: The bundle that predicted.
        notes: What else there is to say.
    """

    job: str
    run_id: str
    key: Mapping[str, str]
    verdict: Verdict
    is_equal: bool
    sentence: str
    published: Mapping[str, Any] = field(default_factory=dict)
    predicted: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float | None = None
    digest: str
    notes: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self)

    def summary(self) -> dict[str, str]:
        """Return what a person wants to see first, label by label."""
        facts = {
            "job": f"{self.job}, run {self.run_id}",
            "key": ", ".join(f"{name}={value}" for name, value in self.key.items()),
            "verdict": f"{self.verdict}: {self.sentence}",
            "published": _values(self.published),
            "predicted": _values(self.predicted),
            "bundle": self.digest[:12],
        }
        if self.tolerance is not None:
            facts["tolerance"] = f"{self.tolerance:g}"
        return facts | {f"note {at}": note for at, note in enumerate(self.notes, 1)}


def _values(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items()) or "none"
