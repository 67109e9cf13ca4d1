"""A job whose runs are looked at afterwards, and a model that moves the clock of its worker."""

from __future__ import annotations

from tests.late import begin, skipping
from tests.spark.sinks.conftest import by_sql, job

__all__ = ["begin", "by_sql", "job", "skipping"]
