"""A Spark session whose Python workers are this Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyspark import SparkConf, SparkContext
from pyspark.sql import DataFrame, SparkSession

from spark_infer.bundle.documents import check_kind
from spark_infer.errors import ConfigError
from spark_infer.spark.driver import jvm
from spark_infer.spark.driver.catalog import embedded, is_chosen
from spark_infer.spark.driver.settings import configure, submitted
from spark_infer.spark.failures import spark_failures

_DEFAULTS = {
    "spark.python.daemon.module": "spark_infer.spark.daemon",
    "spark.ui.showConsoleProgress": "false",
}


def session(app_name: str, conf: Mapping[str, str] | None = None) -> SparkSession:
    """Return the running session, or start one whose Python workers have torch preloaded.

    Where no catalog is chosen, by ``conf``, spark-submit or a hive-site.xml, its tables are kept
    in the folder ``spark_infer_catalog`` of the current directory, so that they outlast it.

    Args:
        app_name: Name that Spark shows.
        conf: Spark configuration of a new session; what spark-submit was given wins.

    Raises:
        ConfigError: There is no Java to start Spark with, or Spark does not start with this
            configuration.
        RuntimeUnavailable: Another process uses the catalog in the current directory.
    """
    # The active session is one thread's, the other one this process's.
    running = SparkSession.getActiveSession() or SparkSession._instantiatedSession
    if running is not None and SparkContext._active_spark_context is not None:
        return running
    check_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    decided = submitted()
    wished = {**_DEFAULTS, **_safe_path(), **(conf or {})}
    settings = {key: value for key, value in wished.items() if not decided.contains(key)}
    hint = (
        "its own messages are above; correct the job file's spark section, --set spark.KEY or "
        "spark-submit"
    )
    wrong = "Spark does not start with this configuration"
    with spark_failures(wrong, hint, ConfigError):
        jvm.start(settings)
        if not any(map(is_chosen, settings)):
            # The JVM knows the rest: the files of configuration that it was started with.
            settings |= embedded(SparkContext._jvm, SparkConf())
        builder = SparkSession.builder.appName(app_name)
        for key, value in settings.items():
            builder = builder.config(key, value)
        return builder.getOrCreate()


def _safe_path() -> dict[str, str]:
    """Return what keeps workers from modules in the current folder that this process passes over.

    Spark starts them by ``python -m``, which looks there first. Python 3.10 does so all the same.
    """
    is_searched = Path.cwd() in (Path(folder).resolve() for folder in sys.path)
    return {} if is_searched else {"spark.executorEnv.PYTHONSAFEPATH": "1"}


def check_session(spark: object) -> None:
    """Raise ConfigError unless this is a session of this process that has not been stopped."""
    _refuse_connect(spark)
    check_kind(spark, SparkSession, name="spark", wanted="a SparkSession")
    _refuse_stopped(spark, "this Spark session")


def check_frame(df: object) -> None:
    """Raise ConfigError unless this is a DataFrame of a session as ``check_session`` wants it."""
    _refuse_connect(df)
    check_kind(df, DataFrame, name="df", wanted="a DataFrame of Spark")
    assert isinstance(df, DataFrame)
    _refuse_stopped(df.sparkSession, "the session of this DataFrame")


def _refuse_stopped(spark: object, what: str) -> None:
    assert isinstance(spark, SparkSession)
    if spark.sparkContext._jsc is None:
        raise ConfigError(f"{what} has been stopped; take one that runs, and read the rows with it")


def _refuse_connect(given: object) -> None:
    if any(part.__module__.startswith("pyspark.sql.connect.") for part in type(given).__mro__):
        raise ConfigError(
            f"this {type(given).__name__} is one of Spark Connect, which does not send a model to "
            "the executors; use a session of this process, as spark-submit or "
            "SparkSession.builder.master(...) starts it"
        )


def own_session(
    spark: SparkSession, settings: Mapping[str, str], conf: Mapping[str, str] | None = None
) -> SparkSession:
    """Return a copy of a session with some settings of its own.

    It has the other's functions, temporary views, settings, current catalog and database, and
    shares its context, tables and cached data. What is set in one does not reach the other, so
    that runs in several threads do not disturb each other. The thread's active session stays.

    Args:
        spark: A session of this process (not of Spark Connect).
        settings: Configuration of the copy.
        conf: More of it, as somebody wished it, see ``configure``.

    Raises:
        ConfigError: ``conf`` has what only a start of Spark can set, and it is not so here.
    """
    check_session(spark)
    # No session is made by name, as newSession does, which starts without functions and views.
    own = SparkSession(spark.sparkContext, spark._jsparkSession.cloneSession())
    configure(own, conf or {})
    for key, value in settings.items():
        own.conf.set(key, value)
    catalog = spark.catalog.currentCatalog()
    if own.catalog.currentCatalog() != catalog:
        own.catalog.setCurrentCatalog(catalog)
        own.catalog.setCurrentDatabase(spark.catalog.currentDatabase())
    return own


@contextmanager
def active(spark: SparkSession) -> Iterator[None]:
    """Make a session the active one of this thread for a while.

    By its settings Spark reads expressions and types, whichever session they are meant for.
    """
    sessions = jvm_sessions(spark)
    before = sessions.getActiveSession()
    sessions.setActiveSession(spark._jsparkSession)
    try:
        yield
    finally:
        if before.isDefined():
            sessions.setActiveSession(before.get())
        else:
            sessions.clearActiveSession()


def jvm_sessions(spark: SparkSession) -> Any:
    """Return the JVM's class of sessions, which knows the active one of a thread."""
    return _sessions(spark.sparkContext)


def _sessions(context: SparkContext) -> Any:
    jvm = context._jvm
    assert jvm is not None
    # Spark 4 has moved the class, and pyspark says where to.
    find = getattr(SparkSession, "_get_j_spark_session_class", None)
    return find(jvm) if find else jvm.SparkSession


def setting_of_active(name: str, default: str) -> str:
    """Return a setting of the session that is the active one of this thread in the JVM.

    pyspark's own ``getActiveSession`` returns the one that Python made the active one.
    """
    context = SparkContext._active_spark_context
    assert context is not None
    return str(_sessions(context).active().conf().get(name, default))


def check_java() -> None:
    """Raise ConfigError unless JAVA_HOME or PATH has a Java that starts."""
    home = os.environ.get("JAVA_HOME")
    java = f"{home}/bin/java" if home else shutil.which("java")
    if java is None or not Path(java).exists():
        where = f"JAVA_HOME is {home}, which has no bin/java" if home else "there is none on PATH"
        raise ConfigError(
            f"Spark needs Java 17 or newer, and {where}; install it "
            "(apt-get install openjdk-17-jre-headless) or set JAVA_HOME"
        )
    try:
        found = subprocess.run([java, "-version"], capture_output=True, check=False)
        problem = found.stderr.decode(errors="replace").strip() if found.returncode else None
    except OSError as error:
        problem = error.strerror
    if problem is not None:
        raise ConfigError(f"{java} does not start: {problem}; install Java 17 or set JAVA_HOME")
