"""A catalog that lasts, for a Spark that nobody gave one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from pyspark import SparkConf

from spark_infer.bundle.cache.directory import problem_with
from spark_infer.bundle.cache.locks import take
from spark_infer.errors import ConfigError, RuntimeUnavailable, is_full

FOLDER = "spark_infer_catalog"
"""Its folder, in the current directory."""

_CHOICES = (
    "spark.sql.catalogImplementation",
    "spark.sql.warehouse.dir",
    "spark.sql.defaultCatalog",
    "spark.sql.catalog.",
    "spark.sql.hive.metastore.",
    "spark.hive.metastore.",
    "spark.hadoop.hive.metastore.",
    "spark.hadoop.javax.jdo.",
)
"""Beginnings of the settings by which somebody chooses a catalog."""

_log = logging.getLogger(__name__)
_held: dict[Path, int] = {}
"""Open lock files of the catalogs that this process uses; they close with it."""


def is_chosen(key: str) -> bool:
    """Return whether a setting chooses a catalog."""
    return key.startswith(_CHOICES)


def embedded(jvm: Any, conf: SparkConf) -> dict[str, str]:
    """Return the settings of a catalog in the current directory, unless another is chosen.

    Spark's own default keeps the list of tables in memory: a second run would find the files of a
    table that it does not know. This one is a Hive metastore in Derby, which one process at a time
    can use.

    Args:
        jvm: The driver, in which no session has been started.
        conf: What it was given by spark-submit, its files and the caller.

    Raises:
        ConfigError: The run is on a cluster, in a directory that goes with it; or the folder
            cannot be made, or is not this user's alone.
        RuntimeUnavailable: Another process uses the catalog.
    """
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    if any(is_chosen(key) for key, _ in conf.getAll()) or loader.getResource("hive-site.xml"):
        return {}
    if conf.get("spark.submit.deployMode") == "cluster":
        raise ConfigError(
            "no catalog is configured, and what the driver writes into its own directory on the "
            "cluster goes when it ends; set spark.sql.catalogImplementation to hive with the "
            "metastore's address (spark.hive.metastore.uris), or spark.sql.warehouse.dir"
        )
    folder = Path.cwd() / FOLDER
    _hold(folder)
    _log.warning("no catalog is configured: tables are kept in %s", folder)
    jvm.java.lang.System.setProperty("derby.stream.error.file", str(folder / "derby.log"))
    database = f"jdbc:derby:;databaseName={folder / 'metastore_db'};create=true"
    return {
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.hadoop.javax.jdo.option.ConnectionURL": database,
    }


def _hold(folder: Path) -> None:
    """Make the folder and take it for this process."""
    if folder in _held:
        return
    try:
        # Whatever the umask says: who can write it decides where the tables are.
        folder.mkdir(mode=0o755, exist_ok=True)
        if problem := problem_with(folder):
            raise ConfigError(
                f"no catalog is configured, and {folder} {problem}: whoever can change it "
                "decides which files this run reads and writes; start in a directory of your own, "
                f"run chmod go-w {FOLDER} if it is yours, or set spark.sql.warehouse.dir"
            )
        _held[folder] = take(folder / "in_use.lock", mode=0o666)
    except BlockingIOError:
        raise RuntimeUnavailable(
            f"the catalog in {folder} is used by another process, and only one at a time can; run "
            "again when it has ended, or use a metastore (spark.hive.metastore.uris)",
            transient=True,
        ) from None
    except OSError as error:
        raise ConfigError(
            f"no catalog is configured, and {folder} cannot be made: {error.strerror}; start in a "
            "directory that can be written, or set spark.sql.warehouse.dir",
            transient=is_full(error),
        ) from None
