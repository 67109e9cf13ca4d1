"""The job that the tests of sinks run, whose runs are looked at afterwards."""

from __future__ import annotations

from tests.spark.sinks.conftest import by_sql, job

__all__ = ["by_sql", "job"]
