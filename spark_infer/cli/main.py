"""``spark-infer``: runs a command, and turns what goes wrong into a sentence and an exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from spark_infer.cli import render
from spark_infer.cli.commands import app
from spark_infer.cli.stop import Stop, Stopped
from spark_infer.errors import (
    BundleError,
    ConfigError,
    GateError,
    PredictionError,
    RuntimeUnavailable,
    SignatureError,
    SparkInferError,
    WarehouseError,
    missing_library,
)

_OPTIONAL = ("pyspark", "pandas", "torch")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("spark_infer").setLevel(logging.INFO)
    logging.getLogger("py4j").setLevel(logging.CRITICAL)  # What it logs as an error, it raises.
    stop = Stop()
    try:
        stop.run(lambda: app(arguments, obj=stop))
    except (SparkInferError, Stopped) as error:
        if stop.signal is None and isinstance(error, SparkInferError):
            render.error(error)
            sys.exit(exit_code(error))
        render.interrupted(stop.signal, error, stop.stream)
        stop.end()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _OPTIONAL:
            raise
        render.error(missing_library(error))
        sys.exit(1)


def exit_code(error: SparkInferError) -> int:
    """Return the code of an error.

    That is 75 for what passes by itself (sysexits' EX_TEMPFAIL), 3 for a gate, 4 for too many
    rejected rows, 2 for wrong input or configuration, 1 for the rest.
    """
    if error.transient:
        return 75
    if isinstance(error, GateError):
        return 3
    if isinstance(error, PredictionError):
        return 4
    wrong = (BundleError, ConfigError, RuntimeUnavailable, SignatureError, WarehouseError)
    return 2 if isinstance(error, wrong) else 1
