"""Functions of Spark itself, which the features of a bundle call by their names."""

from __future__ import annotations

import re
from collections.abc import Collection

from pyspark.sql import SparkSession

from spark_infer.errors import ConfigError, SignatureError
from spark_infer.spark.failures import spark_failures
from spark_infer.spark.features.parsed import CATALYST


def check_built_in(spark: SparkSession, called: Collection[str]) -> None:
    """Check that nobody has put another function in the place of a built-in one.

    Args:
        spark: The session in which they are called.
        called: Their names, in lower case.

    Raises:
        SignatureError: Spark has none of that name.
        ConfigError: The session means, or may mean, another one.
    """
    if called:
        _check_path(spark)
    catalog = spark._jsparkSession.sessionState().catalog()
    for name in sorted(called):
        found = catalog.lookupBuiltinOrTempFunction(name)
        if not found.isDefined():
            raise SignatureError(
                f"Spark {spark.version} has no built-in function {name}, which the bundle's "
                "features call; use a newer Spark"
            )
        if not str(found.get().getClassName()).startswith(CATALYST):
            raise ConfigError(
                f"the Spark session has a function of its own called {name}, and the bundle's "
                f"features mean Spark's; register yours under another name "
                f"(DROP TEMPORARY FUNCTION {name})"
            )


def _check_path(spark: SparkSession) -> None:
    """Check that a name without a place is looked up among Spark's own functions first.

    Since Spark 4.2 a session may put databases and its own functions before them (``SET PATH``).
    """
    has_path = str(spark.conf.get("spark.sql.path.enabled", "false")).lower() == "true"
    if not has_path and not spark.conf.get("spark.sql.defaultPath", ""):
        return
    with spark_failures("the Spark session's SQL path cannot be read", kind=ConfigError):
        (found,) = spark.sql("SELECT current_path()").collect()
    if not re.match(r"`?system`?\.`?builtin`?(,|$)", str(found[0]), re.IGNORECASE):
        raise ConfigError(
            f"the Spark session looks for functions in {found[0]}, and the bundle's features mean "
            "Spark's own; put system.builtin first (SET PATH = system.builtin, ...)"
        )
