"""The checks between staging and publishing, as a job file says them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from pydantic import Field, field_validator, model_validator

from spark_infer.errors import nearest
from spark_infer.warehouse.values import Section, SqlText

CHECKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "nulls": (("max",), ("column",)),
    "rejects": (("max",), ()),
    "range": (("column",), ("min", "max")),
    "share_above": (("column", "threshold"), ("min", "max")),
    "rows": ((), ("min", "max")),
    "row_ratio": ((), ("min", "max")),
    "psi": (("max",), ("column", "against")),
    "ks": (("max",), ("column", "against")),
    "disagreement": (("max",), ("challenger", "column")),
    "sql": (("name", "expression"), ()),
}
"""Each check with the keys that it must have, and those that it may have beside check and action.

Of several ways to say a limit (min, max) one must be there.
"""
DRIFT = ("psi", "ks")
SHARES = ("nulls", "rejects", "share_above", "disagreement")
_OPTIONAL = ("column", "challenger", "threshold", "min", "max", "against", "name", "expression")


class CheckConfig(Section):
    """A check of what is staged, and what happens where it is not met."""

    check: str = Field(
        description="nulls: share of rows whose output (every one, without column) is null or NaN. "
        "rejects: share of rows without a prediction. range: all values of an output. share_above: "
        "share of rows whose output is above threshold. rows: their number. row_ratio: their "
        "number, divided by that of the run before. psi, ks: population stability index, or "
        "Kolmogorov-Smirnov distance, of an output or a feature (every one, without column). "
        "disagreement: share of rows of which a challenger (every one, without challenger) says "
        "something else than the model. sql: an expression.",
    )
    column: str | None = Field(None, description="Output; for psi and ks also a feature.")
    challenger: str | None = Field(None, description="For disagreement: its name.")
    threshold: float | None = Field(None, description="For share_above.")
    min: float | None = Field(None, description="The least that is allowed.")
    max: float | None = Field(None, description="The most that is allowed.")
    against: Literal["profile", "previous"] | None = Field(
        None,
        description="With what psi and ks compare: profile (default), that of the bundle or of the "
        "first run that was published with it; previous, the run before: the one that was "
        "published last, with the same parameters but for dates and times.",
    )
    name: str | None = Field(None, description="Of a sql check, for messages and the report.")
    expression: SqlText | None = Field(
        None,
        description="SQL over all staged rows that must be true, such as min(score) >= 0: "
        "aggregates of the target's columns, with the job's parameters (:date), and subqueries.",
    )
    action: Literal["warn", "stop"] = Field(
        "stop",
        description="stop: nothing is published, what is staged is kept for seven days, and the "
        "exit code is 3. warn: it is said in the report.",
    )

    @field_validator("check")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in CHECKS:
            raise ValueError(
                f"check {value!r} is unknown{nearest(value, CHECKS) or f'; one of {[*CHECKS]}'}"
            )
        return value

    @model_validator(mode="after")
    def _has_its_keys(self) -> CheckConfig:
        needed, allowed = CHECKS[self.check]
        given = [key for key in _OPTIONAL if getattr(self, key) is not None]
        for key in needed:
            if key not in given:
                raise ValueError(f"check {self.check} needs {key}")
        for key in given:
            if key not in (*needed, *allowed):
                raise ValueError(f"check {self.check} takes no {key}; leave it out")
        if "min" in allowed and self.min is None and self.max is None:
            raise ValueError(f"check {self.check} needs min or max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(
                f"check {self.check}: min {self.min:g} is greater than max {self.max:g}"
            )
        self._check_limits()
        return self

    def _check_limits(self) -> None:
        for key, limit in (("min", self.min), ("max", self.max)):
            if limit is None:
                continue
            if self.check in SHARES and not 0 <= limit <= 1:
                raise ValueError(
                    f"check {self.check}: {key} is a share of rows from 0 to 1, got {limit:g}"
                )
            if self.check not in (*SHARES, "range") and limit < 0:
                raise ValueError(f"check {self.check}: {key} is not negative, got {limit:g}")

    @property
    def compares_with(self) -> str:
        """With what a drift is measured."""
        return self.against or "profile"


def check_disagreements(checks: Sequence[CheckConfig], challengers: Collection[str]) -> None:
    """Raise ValueError where a check is about a challenger that the job does not have."""
    for number, check in enumerate(checks):
        if check.check != "disagreement":
            continue
        if not challengers:
            raise ValueError(
                f"gate.{number}: check disagreement needs a challenger to compare with; add the "
                "section challengers"
            )
        if check.challenger is not None and check.challenger not in challengers:
            raise ValueError(
                f"gate.{number}: the job has no challenger {check.challenger!r}"
                f"{nearest(check.challenger, challengers) or f' (challengers: {[*challengers]})'}"
            )
