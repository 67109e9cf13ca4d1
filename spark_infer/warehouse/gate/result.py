"""What came of a check."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from spark_infer.warehouse.config.gate import SHARES, CheckConfig

Outcome = Literal["passed", "warned", "stopped", "undefined"]
Value = float | bool | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """One check of one column, or of all rows.

    Attributes:
        check: Its kind.
        name: That of a sql check, else the kind.
        column: The output or feature; ``""`` where it is about rows.
        value: What was found; None where nothing could be. An infinite number is text.
        limit: What is allowed, in words.
        action: What the job file says: ``warn`` or ``stop``.
        outcome: ``undefined`` where nothing could be measured; such a check stops nothing.
        note: What else there is to say.
    """

    check: str
    name: str
    column: str
    value: float | str | None
    limit: str
    action: str
    outcome: Outcome
    note: str = ""

    @classmethod
    def of(
        cls, config: CheckConfig, column: str, value: Value, *, met: bool | None, note: str = ""
    ) -> Result:
        """Return the result of a check.

        Args:
            config: The check.
            column: What it was asked of.
            value: What was found.
            met: Whether that is allowed; None where nothing could be measured.
            note: What else there is to say.
        """
        failed: Outcome = "stopped" if config.action == "stop" else "warned"
        is_odd = isinstance(value, float) and not math.isfinite(value)
        return cls(
            check=config.check,
            name=config.name or config.check,
            column=column,
            value=str(value) if is_odd else value,
            limit=_limit(config),
            action=config.action,
            outcome="undefined" if met is None else "passed" if met else failed,
            note=note,
        )

    @property
    def sentence(self) -> str:
        """The result in words, such as ``psi of score is 0.31, allowed is at most 0.2``."""
        what = f"{self.check} {self.name!r}" if self.check == "sql" else self.name
        about = f" of {self.column}" if self.column else ""
        note = f" ({self.note})" if self.note else ""
        return f"{what}{about} is {shown_value(self)}{note}, allowed is {self.limit}"


def shown_value(result: Result) -> str:
    """Return what was found, as a person reads it."""
    value = result.value
    if value is None or isinstance(value, str):
        return value or "undefined"
    if isinstance(value, bool):
        return "true" if value else "not true"
    if result.check in SHARES:
        return f"{value:.4%}"
    return f"{value:,.0f}" if result.check == "rows" else f"{value:.4g}"


def stopped(results: Sequence[Result]) -> str:
    """Return what stops a run, in words; ``""`` where nothing does."""
    return "; ".join(result.sentence for result in results if result.outcome == "stopped")


def _limit(config: CheckConfig) -> str:
    if config.check == "sql":
        return f"that {config.expression} is true"

    def text(limit: float) -> str:
        return f"{limit:.4%}" if config.check in SHARES else f"{limit:,.10g}"

    parts: list[Any] = []
    if config.min is not None:
        parts.append(f"at least {text(config.min)}")
    if config.max is not None:
        parts.append(f"at most {text(config.max)}")
    above = "" if config.threshold is None else f" above {config.threshold:g}"
    return " and ".join(parts) + above
