"""How far a step of a run is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a step of a run is. Rows are counted when their task ends.

    Attributes:
        step: The step.
        seconds: Since it has begun.
        rows: Rows that were scored in it; None in another step.
        num_read: Rows that the workers have read of ``of_read``.
        of_read: Rows that they are to read, those that a filter leaves out among them; None where
            Spark reads them.
        tasks: Tasks of Spark that have ended, of those that it works at.
        of_tasks: Tasks that it works at; 0 where it does nothing.
    """

    step: str
    seconds: float
    rows: int | None = None
    num_read: int = 0
    of_read: int | None = None
    tasks: int = 0
    of_tasks: int = 0

    @property
    def share(self) -> float | None:
        """Share of the work that is done, from 0 to 1; None where nobody knows."""
        if self.rows is None:
            return None
        if self.of_read:
            return min(1.0, self.num_read / self.of_read)
        return self.tasks / self.of_tasks if self.of_tasks else None

    @property
    def rows_per_second(self) -> float | None:
        """Rows scored for each second of the step; None before the first."""
        return self.rows / self.seconds if self.rows and self.seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the step ends, if it goes on like this; None where nobody knows."""
        share = self.share
        return self.seconds * (1 - share) / share if share else None

    def __str__(self) -> str:
        parts = [f"{self.step}: {self.seconds:.0f} s so far"]
        if self.rows is not None:
            parts.append(f"{self.rows:,} rows")
            if self.rows_per_second is not None:
                parts.append(f"{self.rows_per_second:,.0f} rows/s")
            if self.share is not None:
                parts.append(f"{self.share:.0%}")
            if self.seconds_left is not None:
                parts.append(f"about {_clock(self.seconds_left)} left")
        if self.of_tasks:
            parts.append(f"{self.tasks:,} of {self.of_tasks:,} tasks")
        return ", ".join(parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
