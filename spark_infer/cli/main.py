"""``spark-infer``: score a job, inspect a bundle, print the job file's reference."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from spark_infer.backends.load import missing_library
from spark_infer.cli import render
from spark_infer.errors import (
    BundleError,
    ConfigError,
    GateError,
    SignatureError,
    SparkInferError,
    TooManyRejects,
    WarehouseError,
)

app = typer.Typer(
    name="spark-infer",
    help="Batch inference for the data warehouse, on Apache Spark.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_OPTIONAL = ("pyspark", "pandas", "torch")
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@app.command()
def score(
    job: Annotated[str, typer.Argument(help="Job file (YAML); see 'spark-infer reference'.")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A parameter of the job (date=2018-08-08) or a key of the job file "
            "(batch.device=cuda). What starts with spark. is a key of Spark itself "
            "(spark.sql.shuffle.partitions=8). Repeat for several. Wins over SPARK_INFER_SET_DATE "
            "and SPARK_INFER_SET_BATCH__DEVICE in the environment, which win over the file. A "
            "variable for a parameter that the job does not have is ignored.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a scoring job: read, predict, write the target table and the run report.

    Exit codes: 0 done, 2 wrong input or configuration, 3 stopped by a gate, 4 too many rejected
    rows, 1 anything else.
    """
    from spark_infer.spark import session
    from spark_infer.warehouse import ScoringJob

    loaded = ScoringJob.load(job, settings=_pairs(settings or []))
    loaded.check()  # before Spark takes its time to start
    spark = session(f"spark-infer {loaded.config.name}", loaded.config.spark)
    report = loaded.run(spark)
    render.run_report(report, loaded.config.report.path, as_json=as_json)


@app.command()
def inspect(
    bundle: Annotated[str, typer.Argument(help="Directory of the bundle.")], as_json: Json = False
) -> None:
    """Verify a bundle and show its signature, features, files and digest."""
    from spark_infer.bundle import Bundle

    render.bundle(Bundle.load(bundle), as_json=as_json)


@app.command()
def reference() -> None:
    """Print every key of a job file: type, default and meaning."""
    from spark_infer.warehouse.config import JobConfig

    render.job_reference(JobConfig)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        app(arguments)
    except SparkInferError as error:
        logging.getLogger(__name__).debug("traceback", exc_info=True)
        render.error(error)
        sys.exit(exit_code(error))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _OPTIONAL:
            raise
        render.error(missing_library(error))
        sys.exit(1)


def exit_code(error: SparkInferError) -> int:
    """Return the code of an error: 2 wrong input, 3 a gate, 4 too many rejects, 1 the rest."""
    if isinstance(error, GateError):
        return 3
    if isinstance(error, TooManyRejects):
        return 4
    wrong_input = (BundleError, ConfigError, SignatureError, WarehouseError)
    return 2 if isinstance(error, wrong_input) else 1


def _pairs(settings: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise ConfigError(f"--set {setting!r} must look like NAME=VALUE")
        pairs[name] = value
    return pairs
