"""Settings of Spark's parser by which a bundle's features would mean something else."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pyspark.sql import SparkSession

from spark_infer.errors import ConfigError

_MEANING = {
    "spark.sql.ansi.doubleQuotedIdentifiers": (re.compile('"'), "text in double quotes"),
    "spark.sql.parser.escapedStringLiterals": (re.compile(r"\\"), "backslashes in texts"),
    "spark.sql.legacy.consecutiveStringLiterals.enabled": (
        re.compile(r"""['"]\s*['"]"""),
        "quotes one after the other",
    ),
    "spark.sql.legacy.exponentLiteralAsDecimal.enabled": (
        re.compile(r"[0-9.][eE]"),
        "numbers with an exponent",
    ),
}
"""By setting: what has another meaning where it is true, as a pattern and in words."""


def check_settings(spark: SparkSession, features: Mapping[str, str]) -> None:
    """Check that a session reads features as they were meant, which is by Spark's own settings.

    Raises:
        ConfigError: It does not.
    """
    for setting, (pattern, what) in _MEANING.items():
        if str(spark.conf.get(setting, "false")).lower() != "true":
            continue
        for name, expression in features.items():
            if pattern.search(expression):
                raise ConfigError(
                    f"the bundle's feature {name!r} has {what}, and {setting} gives them another "
                    "meaning; set it to false"
                )
