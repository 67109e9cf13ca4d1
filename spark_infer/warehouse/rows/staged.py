"""Rows that were scored, where no reader looks, until all is known about them."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Staged:
    """Rows that were scored, and not yet published.

    Attributes:
        df: The rows, which the model does not run for again.
        rows: How many there are.
        rejected: Rows among them that got no prediction.
        writer: Who wrote them: ``workers``, or ``jvm``, with the reason.
    """

    df: DataFrame
    rows: int
    rejected: int
    writer: str
