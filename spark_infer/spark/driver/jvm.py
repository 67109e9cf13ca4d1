"""The driver's JVM: started without noise, and gone when we are."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pyspark import SparkConf, SparkContext
from pyspark.find_spark_home import _find_spark_home
from pyspark.java_gateway import launch_gateway

from spark_infer.errors import ConfigError

_LOG = Path(__file__).with_name("log4j2.properties")
_OPTIONS = "SPARK_SUBMIT_OPTS"
"""Options of the driver's JVM, before those of Spark's settings, which win."""
_NOISE = b"WARNING: Using incubator modules"
_STDERR = 2
_GRACE_SECONDS = 10.0


def start(settings: Mapping[str, str]) -> None:
    """Start the JVM, unless this process has one or spark-submit is it.

    What it prints comes out on this process's error stream, without the lines of every start.

    Args:
        settings: Spark configuration, of which the JVM's memory and options count here.

    Raises:
        ConfigError: SPARK_HOME is no Spark.
        PySparkException: It does not start.
    """
    if SparkContext._gateway is not None:
        return
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        SparkContext._ensure_initialized()
        return
    home = os.environ.get("SPARK_HOME")
    if home and not os.access(f"{home}/bin/spark-submit", os.X_OK):
        raise ConfigError(
            f"SPARK_HOME is {home}, which has no bin/spark-submit that can be run; set it to "
            "Spark's folder, or unset it for the Spark of pyspark"
        )
    conf = SparkConf(loadDefaults=False).setAll(list(settings.items()))
    reader, writer = os.pipe()
    threading.Thread(target=_pass_on, args=(reader,), daemon=True).start()
    try:
        # A session of its own: a signal for all of this process's group is ours to answer.
        options = {"stderr": writer, "start_new_session": True}
        with _short_log():
            # pyspark gives it no types.
            gateway = launch_gateway(conf, options)  # type: ignore[no-untyped-call]
    finally:
        os.close(writer)
    SparkContext._ensure_initialized(gateway=gateway)


def end() -> None:
    """End the JVM that this process has started, and wait until it is gone.

    Even one that is still starting, which would hold this process's output for ever.
    """
    for number in _children():
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)
            if not _has_ended(number):
                os.kill(number, signal.SIGKILL)
                _has_ended(number)


@contextmanager
def _short_log() -> Iterator[None]:
    """Have a JVM that is started meanwhile use our configuration of Spark's log.

    Not where there is one. It is said where no setting is replaced that Spark reads by itself, such
    as ``spark.driver.extraJavaOptions`` of a spark-defaults.conf.
    """
    places = [os.environ.get("SPARK_CONF_DIR"), f"{_find_spark_home()}/conf"]
    if any(place and Path(place, "log4j2.properties").exists() for place in places):
        yield
        return
    given = os.environ.get(_OPTIONS)
    os.environ[_OPTIONS] = f'"-Dlog4j2.configurationFile={_LOG}" {given or ""}'.strip()
    try:
        yield
    finally:
        del os.environ[_OPTIONS]
        if given is not None:
            os.environ[_OPTIONS] = given


def _pass_on(source: int) -> None:
    with open(source, "rb") as lines:
        for line in lines:
            if not line.startswith(_NOISE):
                with contextlib.suppress(OSError):  # Nobody reads any more: the JVM goes on.
                    os.write(_STDERR, line)


def _children() -> Iterator[int]:
    """Return the JVMs among this process's children."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            arguments = status.with_name("cmdline").read_bytes().split(b"\0")
            if parent == os.getpid() and b"pyspark-shell" in arguments:
                yield int(status.parent.name)


def _has_ended(number: int) -> bool:
    """Wait for a child; return whether it ended in time."""
    deadline = time.monotonic() + _GRACE_SECONDS
    while time.monotonic() < deadline:
        try:
            if os.waitpid(number, os.WNOHANG) != (0, 0):
                return True
        except ChildProcessError:  # Somebody else has waited for it.
            return True
        time.sleep(0.05)
    return False
