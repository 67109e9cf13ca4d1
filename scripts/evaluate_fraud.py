"""Train and score the Fraud Detection Handbook's transactions, and measure what was published.

The handbook's transactions are prepared as a table, three bundles are trained on the training week
of its protocol, ``conf/fraud.yaml`` scores the test week, and the measures are computed from the
tables that the job wrote.

    python scripts/evaluate_fraud.py --transactions transactions.parquet
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

from fraud.evaluation.measures import Measures, measure, scored_rows
from fraud.evaluation.protocol import Protocol
from fraud.train import RECIPES, compute_training_rows, train_bundle
from fraud.transactions import read_transactions, save_transactions
from rich.console import Console
from rich.table import Table

import spark_infer as si
from spark_infer.spark import session

ROOT = Path(__file__).resolve().parent.parent
TRANSACTIONS = "fraud.transactions"
HANDBOOK = Protocol(date(2018, 7, 25))
PUBLISHED = {
    "logistic regression": Measures(0.871, 0.606, 0.291),
    "random forest": Measures(0.867, 0.658, 0.287),
    "gradient boosting": Measures(0.862, 0.639, 0.273),
    "multilayer perceptron, single run": Measures(0.864, 0.653, 0.286),
    "multilayer perceptron, tuned, averaged": Measures(0.876, 0.675, 0.303),
}
"""What the handbook reports for the same test week."""

REQUIRED = Measures(0.860, 0.60, 0.28)
"""What the best of the bundles must reach."""


def main() -> None:
    """Run everything; exit with 1 when no bundle reaches what is required."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--transactions", type=Path, required=True, help="the Parquet file")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "spark-infer-fraud",
        help="directory for tables, bundles and reports (default: %(default)s)",
    )
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    measured = evaluate(arguments.transactions, work, Console())
    _show(Console(), measured)
    sys.exit(0 if any(_reaches(measures, REQUIRED) for measures in measured.values()) else 1)


def evaluate(path: Path, work: Path, console: Console) -> dict[str, Measures]:
    """Prepare the tables, train and score with each bundle, and measure.

    Args:
        path: Parquet file with the transactions.
        work: Directory for tables, bundles and reports.
        console: Where to tell the steps.

    Returns:
        Measures of each bundle, by its name.
    """
    jobs = {recipe.name: _job(recipe.name, work) for recipe in RECIPES}
    spark = session("evaluate fraud", next(iter(jobs.values())).config.spark)
    with _step(console, "transactions"):
        days = f"tx_date BETWEEN DATE '{HANDBOOK.first_read}' AND DATE '{HANDBOOK.test_end}'"
        save_transactions(read_transactions(spark, path).where(days), TRANSACTIONS)
    with _step(console, "features of the training rows"):
        rows = compute_training_rows(spark, TRANSACTIONS, HANDBOOK, work / "training")
    measured = {}
    for recipe in RECIPES:
        with _step(console, f"training of {recipe.name}"):
            trained = train_bundle(recipe, rows, HANDBOOK, work / "bundles")
        console.print(
            f"  {trained.passes} passes; average precision two weeks earlier "
            f"{trained.validation_precision:.3f}"
        )
        with _step(console, f"scoring with {recipe.name}"):
            report = jobs[recipe.name].run(spark)
        console.print(f"  {report.rows_out:,} rows, {report.rows_rejected:,} rejected")
        scored = scored_rows(spark, report.target, TRANSACTIONS, HANDBOOK)
        measured[recipe.name] = measure(scored)
    spark.stop()
    return measured


def _job(name: str, work: Path) -> si.ScoringJob:
    """Return the nightly job for the whole test week, with one of the bundles and no gate."""
    job = si.ScoringJob.load(
        ROOT / "conf" / "fraud.yaml",
        {
            "bundle.path": str(work / "bundles" / name),
            "target.table": f"fraud.{name.replace('-', '_')}",
            "incremental.by": "full",
            "report.path": str(work / "reports"),
            **_spark_conf(work),
        },
        date=HANDBOOK.test_end,
        days=(HANDBOOK.test_end - HANDBOOK.test_start).days + 1,
    )
    return replace(job, config=job.config.model_copy(update={"gate": ()}))


def _spark_conf(work: Path) -> dict[str, str]:
    """Return what the session has otherwise than the job file: a catalog in the work directory."""
    return {
        "spark.driver.extraJavaOptions": f"-Dderby.stream.error.file={work / 'derby.log'}",
        "spark.executorEnv.PYTHONPATH": str(ROOT / "scripts"),
        "spark.hadoop.javax.jdo.option.ConnectionURL": (
            f"jdbc:derby:;databaseName={work / 'metastore_db'};create=true"
        ),
        "spark.sql.warehouse.dir": str(work / "warehouse"),
    }


@contextmanager
def _step(console: Console, name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    console.print(f"{name}: {time.monotonic() - started:.1f} s")


def _reaches(measures: Measures, required: Measures) -> bool:
    return all(value >= least for value, least in zip(measures, required, strict=True))


def _show(console: Console, measured: dict[str, Measures]) -> None:
    table = Table(title=f"Test week {HANDBOOK.test_start} to {HANDBOOK.test_end}")
    table.add_column("published, measured and required", no_wrap=True)
    for name in ("ROC AUC", "average precision", "card precision at 100"):
        table.add_column(name, justify="right")
    for models in (PUBLISHED, measured, {"required": REQUIRED}):
        for name, measures in models.items():
            table.add_row(name, *(f"{value:.3f}" for value in measures))
        table.add_section()
    console.print(table)


if __name__ == "__main__":
    main()
