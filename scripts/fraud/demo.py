"""The demo: from made-up transactions to fraud alerts in a table, in about two minutes.

It generates transactions, writes them to a table of a catalog under ``.demo/``, trains three
bundles, runs the job ``conf/fraud.yaml`` for one day, and compares the bundles on it. All of it can
be run again.
"""

# The imports from this folder need the line before them.
# ruff: noqa: E402

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "scripts")

import spark_infer as si
from fraud.evaluation import Measures, measure, scored_rows
from fraud.generator import generate
from fraud.protocol import Protocol
from fraud.train import RECIPES, compute_training_rows, train_bundle
from fraud.transactions import read_transactions, save_transactions
from spark_infer.spark import session

JOB = Path("conf/fraud.yaml")
FOLDER = Path(".demo")
TRANSACTIONS = "fraud.transactions"
PROTOCOL = Protocol(date(2018, 7, 25))
DAY = PROTOCOL.test_start
SEED = 7
NUM_ALERTS = 10
SCENARIOS = {1: "large amount", 2: "terminal compromised", 3: "card stolen"}
"""Why a transaction of the generator is a fraud."""

ALERTS = """
    SELECT p.fraud_score, date_format(t.tx_datetime, 'HH:mm:ss') AS tx_time,
        t.customer_id, t.terminal_id, t.amount, t.fraud_scenario
    FROM {predictions} p
    JOIN {transactions} t ON p.tx_id = t.tx_id AND p.tx_date = t.tx_date
    WHERE p.tx_date = DATE '{day}'
    ORDER BY p.fraud_score DESC, p.tx_id LIMIT {limit}"""


@dataclass
class Demo:
    """One run of the demo, telling what it does."""

    console: Console
    started: float = field(default_factory=time.monotonic)

    def run(self, num_rows: int) -> None:
        """Do everything; relative paths are those of the repository."""
        FOLDER.mkdir(exist_ok=True)
        job = si.ScoringJob.load(JOB, date=DAY)
        with self._step("Starting Spark"), _stderr_into(FOLDER / "spark.log"):
            spark = session("spark_infer demo", job.config.spark)
        with self._step(f"Generating {num_rows:,} transactions into table {TRANSACTIONS}"):
            self._transactions(spark, num_rows)
        with self._step("Computing fifteen features and the cards' histories to train on"):
            rows = compute_training_rows(spark, TRANSACTIONS, PROTOCOL, FOLDER / "training")
        for recipe in RECIPES:
            with self._step(f"Training bundle {recipe.name}"):
                train_bundle(recipe, rows, PROTOCOL, FOLDER / "bundles")
        with self._step(f"Running {JOB} for {DAY}"):
            report = job.run(spark)
        targets = {Path(job.config.bundle.path).name: report.target}
        for recipe in RECIPES:
            if recipe.name not in targets:
                with self._step(f"Running it with bundle {recipe.name}"):
                    targets[recipe.name] = _job_with(recipe.name).run(spark).target
        with self._step("Asking the tables"):
            alerts = self._alerts(spark, report.target)
            measures = {
                name: measure(
                    scored_rows(spark, target, TRANSACTIONS, PROTOCOL).where(
                        f"tx_date = DATE '{DAY}'"
                    )
                )
                for name, target in targets.items()
            }
        self._show(report.summary(), alerts, measures)
        self._tell_more(job, f"{job.config.report.path}/{report.job}-{report.run_id}.json")
        spark.stop()
        self.console.print(f"\nDone in {time.monotonic() - self.started:.0f} s.")

    def _transactions(self, spark: SparkSession, num_rows: int) -> None:
        num_days = (PROTOCOL.test_end - PROTOCOL.first_read).days + 1
        file = FOLDER / "transactions.parquet"
        pq.write_table(generate(num_rows, num_days, SEED, PROTOCOL.first_read), file)
        save_transactions(read_transactions(spark, file), TRANSACTIONS)

    def _alerts(self, spark: SparkSession, predictions: str) -> Table:
        query = ALERTS.format(
            predictions=predictions, transactions=TRANSACTIONS, day=DAY, limit=NUM_ALERTS
        )
        table = Table(
            "score", "time", "card", "terminal", "amount", "what it was", title_style="bold"
        )
        table.title = f"Top alerts of {DAY}"
        table.caption = f"{predictions} joined to {TRANSACTIONS}"
        for column in table.columns[:-1]:
            column.justify = "right"
        for row in spark.sql(query).collect():
            table.add_row(
                f"{row.fraud_score:.3f}",
                row.tx_time,
                str(row.customer_id),
                str(row.terminal_id),
                f"{row.amount:,.2f}",
                SCENARIOS.get(row.fraud_scenario, "[dim]genuine"),
            )
        return table

    def _show(self, summary: dict[str, str], alerts: Table, measures: dict[str, Measures]) -> None:
        facts = Table.grid(padding=(0, 2, 0, 0))
        facts.add_column()
        facts.add_column(overflow="fold")
        for label, value in summary.items():
            facts.add_row(f"[dim]{label}", value)
        compared = Table(title=f"The bundles on {DAY}", title_style="bold")
        compared.add_column("bundle", no_wrap=True)
        for name in ("ROC AUC", "average precision", "card precision at 100"):
            compared.add_column(name, justify="right")
        for name, values in measures.items():
            compared.add_row(name, *(f"{value:.3f}" for value in values))
        for part in (alerts, facts, compared):
            self.console.print()
            self.console.print(part)

    def _tell_more(self, job: si.ScoringJob, report: str) -> None:
        """Print commands that work from the repository's root."""
        properties = FOLDER / "spark.conf"
        lines = [f"{key} {value}\n" for key, value in job.config.spark.items()]
        properties.write_text("".join(lines), encoding="utf-8")
        python = _shown(Path(sys.executable).parent)
        java = "" if shutil.which("java") else f"JAVA_HOME={shlex.quote(os.environ['JAVA_HOME'])} "
        query = (
            f"SELECT tx_date, tx_id, fraud_score FROM {job.config.target.table} "
            "ORDER BY fraud_score DESC LIMIT 5"
        )
        more = {
            "Run report": report,
            "Spark's log": f"{FOLDER}/spark.log",
            "Score the next day": f"{java}{python}/spark-infer score {JOB} "
            f"--set date={DAY + timedelta(days=1)}",
            "Look into the bundle": f"{python}/spark-infer inspect {job.config.bundle.path}",
            "Query the tables": f"{java}PATH={python}:$PATH spark-sql --properties-file "
            f'{properties} -e "{query}"',
        }
        self.console.print()
        for label, text in more.items():
            self.console.print(f"[bold]{label}")
            self.console.print(f"  {text}", soft_wrap=True, highlight=False)

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        with self.console.status(f"{name} ..."):
            yield
        self.console.print(f"[green]{time.monotonic() - started:6.1f} s[/]  {name}")


def _job_with(name: str) -> si.ScoringJob:
    """Return the job with another bundle and a table of its own."""
    settings = {
        "bundle.path": str(FOLDER / "bundles" / name),
        "target.table": f"fraud.{name.replace('-', '_')}",
    }
    return si.ScoringJob.load(JOB, settings, date=DAY)


@contextmanager
def _stderr_into(path: Path) -> Iterator[None]:
    """Let the JVM, which is started inside, write its messages to a file."""
    sys.stderr.flush()
    kept = os.dup(2)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _shown(folder: Path) -> str:
    """Return a folder as a command in the repository's root names it."""
    return str(folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder)


def main() -> None:
    """Read the options and run the demo in the repository's root."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="Generate card transactions, train three models, score a day, show the alerts.",
    )
    parser.add_argument("--rows", type=int, default=300_000, help="transactions to generate")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    Demo(Console(highlight=False)).run(arguments.rows)


if __name__ == "__main__":
    main()
