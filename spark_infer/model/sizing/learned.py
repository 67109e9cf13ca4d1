"""What is known of the batch sizes of one length bucket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

CEILING_SECONDS = 24 * 3600.0
"""How long a ceiling counts for processes that start: what else was in the memory when it ran out
is gone by then."""


@dataclass(frozen=True)
class Ceiling:
    """The largest budget that may be tried, after an out-of-memory.

    Attributes:
        tokens: The budget.
        since: When the memory ran out, in seconds since 1970.
    """

    tokens: int
    since: float


@dataclass(frozen=True)
class LearnedSize:
    """What is known of one length bucket: in memory, in the file and in the report.

    Attributes:
        tokens: The best token budget so far; the one to begin with where ``rates`` is empty.
        ceiling: What fits in memory; None before it ever ran out.
        rates: Tokens per second of each budget that was tried, as a multiple of the first one's;
            empty when no batch has shown any.
        settled: The search is over, and not because of a limit that another process may not have.
    """

    tokens: int
    ceiling: Ceiling | None
    rates: Mapping[int, float]
    settled: bool

    @property
    def most(self) -> float:
        """The largest budget that fits, as far as is known."""
        return float("inf") if self.ceiling is None else self.ceiling.tokens

    def under(self, ceiling: Ceiling | None) -> LearnedSize:
        """Return this below another ceiling as well: a size above it has to be found anew."""
        if ceiling is None or self.most <= ceiling.tokens:
            ceiling = self.ceiling
        if ceiling is None:
            return self
        rates = {size: rate for size, rate in self.rates.items() if size <= ceiling.tokens}
        if self.tokens <= ceiling.tokens:
            return replace(self, ceiling=ceiling, rates=rates)
        best = max(rates, key=lambda size: rates[size], default=ceiling.tokens)
        return LearnedSize(best, ceiling, rates, settled=False)

    def at(self, now: float) -> LearnedSize | None:
        """Return what of this still counts for a process that starts; None when nothing does."""
        # A clock that was set back makes no ceiling last.
        if self.ceiling is None or abs(now - self.ceiling.since) < CEILING_SECONDS:
            return self
        return replace(self, ceiling=None) if self.rates else None
