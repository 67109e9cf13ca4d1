"""Iceberg's classes, from the package of the group's environment that ships them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

_PACKAGE = "feature_store_pyspark"
SPARK = "smfs.shaded.org.apache.iceberg.spark"
"""Where that package keeps them."""


def jar() -> Path:
    """Return the archive for Spark 3.5; the group fails where it is missing."""
    found = find_spec(_PACKAGE)
    assert found is not None, f"{_PACKAGE} is not installed: run scripts/test iceberg"
    assert found.submodule_search_locations
    (archive,) = Path(found.submodule_search_locations[0]).glob("jars/*-3.5.jar")
    return archive


def settings(warehouse: Path) -> dict[str, str]:
    """Return Spark's settings for a catalog ``ice`` whose tables lie in a folder."""
    return {
        "spark.jars": str(jar()),
        "spark.driver.extraClassPath": str(jar()),
        "spark.executor.extraClassPath": str(jar()),
        "spark.sql.extensions": f"{SPARK}.extensions.IcebergSparkSessionExtensions",
        "spark.sql.catalog.ice": f"{SPARK}.SparkCatalog",
        "spark.sql.catalog.ice.type": "hadoop",
        "spark.sql.catalog.ice.warehouse": str(warehouse),
    }
