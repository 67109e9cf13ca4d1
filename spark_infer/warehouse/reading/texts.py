"""How strictly files of text are read, those of a folder and those of a table."""

from __future__ import annotations

from pyspark.sql import SparkSession

OF_TEXT = ("csv", "json", "xml")
"""Formats that do not know the types of their values."""
_TIME = "yyyy-M-d[['T'][' ']H:m[:s[.SSSSSSSSS]][' '][XXX][XX][X][VV]]"
"""A day, and maybe a time, its seconds, their fraction and a zone."""


def strict_options(spark: SparkSession) -> dict[str, str]:
    """Return the reader's options with which a value that is not of its column's type is an error.

    Without a format of their own, Spark takes a time of the day for one of today, a number for the
    days since 1970, and the beginning of a text for the whole.
    """
    # With pruned columns the parser does not count those of a row.
    options = {"mode": "FAILFAST", "columnPruning": "false"}
    policy = str(spark.conf.get("spark.sql.legacy.timeParserPolicy"))
    if policy.upper() != "LEGACY":  # Whose formats have no optional parts.
        options |= {"dateFormat": "yyyy-M-d", "timestampFormat": _TIME}
    return options
