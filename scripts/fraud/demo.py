"""The demo: a fraud model and three nights of its job, in a few minutes.

It makes card transactions and a table of them in a catalog under ``.demo/``, trains a bundle, and
runs the job ``conf/fraud.yaml`` as a scheduler would. On the first night some amounts are missing
and some are wrong. Before the second one they are corrected, and that run scores what is new or has
changed. On the third one many amounts come in another unit, and the gate stops the run. All of it
can be run again, and begins anew.
"""

# The imports from this folder need the line before them.
# ruff: noqa: E402

from __future__ import annotations

import argparse
import logging
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
from pyspark.sql import DataFrame, Row, SparkSession
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "scripts")

import spark_infer as si
from fraud.evaluation.measures import measure, scored_rows
from fraud.evaluation.protocol import Protocol
from fraud.generator import generate
from fraud.train import RECIPES, compute_training_rows, train_bundle
from fraud.transactions import read_transactions, save_day, save_transactions
from spark_infer.cli import history, render
from spark_infer.cli.main import exit_code
from spark_infer.errors import GateError
from spark_infer.report import RunReport
from spark_infer.spark import session

JOB = Path("conf/fraud.yaml")
FOLDER = Path(".demo")
TRANSACTIONS = "fraud.transactions"
PREDICTIONS = "fraud.predictions"
REJECTED = "fraud.rejected"
PROTOCOL = Protocol(date(2018, 7, 25))
FIRST, SECOND, THIRD = (PROTOCOL.test_start + timedelta(days=number) for number in range(3))
(RECIPE,) = (recipe for recipe in RECIPES if recipe.name == "fraud-sequence")
SEED = 7
NUM_ALERTS = 5
NUM_CORRECTED = 4
SCENARIOS = {1: "large amount", 2: "terminal compromised", 3: "card stolen"}
"""Why a transaction of the generator is a fraud."""

MISSING, DOUBLED = "tx_id % 400 = 7", "tx_id % 100 = 3"
WRONG = f"CASE WHEN {MISSING} THEN NULL WHEN {DOUBLED} THEN 2 * amount ELSE amount END"
"""What the first night finds in the place of some amounts."""
CENTS = "CASE WHEN terminal_id % 3 = 0 THEN 100 * amount ELSE amount END"
"""What the third night finds."""

SCORES = f"""
    SELECT t.tx_id, date_format(t.tx_datetime, 'HH:mm') AS tx_time, t.customer_id, t.terminal_id,
        t.amount, t.fraud_scenario, p.fraud_score
    FROM {PREDICTIONS} p JOIN {TRANSACTIONS} t ON p.tx_id = t.tx_id AND p.tx_date = t.tx_date
    WHERE p.tx_date = DATE '{FIRST}'"""
ALERTS = f"{SCORES} ORDER BY p.fraud_score DESC, p.tx_id LIMIT {NUM_ALERTS}"
CORRECTED = f"{SCORES} AND (p.{MISSING} OR p.{DOUBLED})"
STATE = f"SELECT count(*), max(tx_date), bit_xor(xxhash64(*)) FROM {PREDICTIONS}"


@dataclass
class Demo:
    """One run of the demo, telling what it does."""

    console: Console
    started: float = field(default_factory=time.monotonic)

    def run(self, num_rows: int) -> None:
        """Do everything; relative paths are those of the repository."""
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir()
        logging.basicConfig(filename=FOLDER / "demo.log", level=logging.WARNING)
        logging.getLogger("spark_infer").setLevel(logging.INFO)
        self._title("Before the first night")
        with self._step("Starting Spark"), _stderr_into(FOLDER / "spark.log"):
            spark = session("spark_infer demo", _job(FIRST).config.spark)
        transactions = self._model(spark, num_rows)
        first = self._first_night(spark, transactions)
        second, corrected = self._second_night(spark, transactions)
        third = self._third_night(spark, transactions)
        self._look_back(spark, second, corrected)
        spark.stop()
        self._tell_more({FIRST: first, SECOND: second, THIRD: third})

    def _model(self, spark: SparkSession, num_rows: int) -> DataFrame:
        """Train the bundle on a table of the days before; return those and the days to come."""
        file = FOLDER / "transactions.parquet"
        with self._step(f"Making {num_rows:,} card transactions, table {TRANSACTIONS}"):
            num_days = (PROTOCOL.test_end - PROTOCOL.first_read).days + 1
            pq.write_table(generate(num_rows, num_days, SEED, PROTOCOL.first_read), file)
            transactions = read_transactions(spark, file)
            save_transactions(transactions.where(f"tx_date < DATE '{FIRST}'"), TRANSACTIONS)
        with self._step("Computing fifteen features and the cards' histories to train on"):
            rows = compute_training_rows(spark, TRANSACTIONS, PROTOCOL, FOLDER / "training")
        with self._step(f"Training bundle {RECIPE.name}, with a profile of what it has seen"):
            train_bundle(RECIPE, rows, PROTOCOL, FOLDER / "bundles")
        return transactions

    def _first_night(self, spark: SparkSession, transactions: DataFrame) -> RunReport:
        self._title("The first night", FIRST)
        save_day(transactions, TRANSACTIONS, FIRST, {"amount": WRONG})
        report = self._score(spark, FIRST)
        self.console.print(
            f"{report.rows_in:,} rows of a week scored, {report.rows_per_second:,.0f} a second; "
            f"all {len(report.gate)} checks of the gate are met."
        )
        self._tell_rejected(report)
        scored = scored_rows(spark, PREDICTIONS, TRANSACTIONS, PROTOCOL)
        self.console.print(f"The ROC AUC of {FIRST} is {measure(scored.dropna()).roc_auc:.3f}.")
        self._show_alerts(spark.sql(ALERTS).collect())
        return report

    def _second_night(self, spark: SparkSession, transactions: DataFrame) -> tuple[RunReport, int]:
        self._title("The second night", SECOND)
        before = {row.tx_id: row for row in spark.sql(CORRECTED).collect()}
        save_day(transactions, TRANSACTIONS, FIRST)
        save_day(transactions, TRANSACTIONS, SECOND)
        self.console.print(
            f"During the day {len(before):,} amounts of {FIRST} were corrected: those that were "
            "missing, and some that had been booked double."
        )
        report = self._score(spark, SECOND)
        new = transactions.where(f"tx_date = DATE '{SECOND}'").count()
        assert report.rows_in is not None
        self.console.print(
            f"{report.rows_in:,} rows scored: {new:,} new ones, and {report.rows_in - new:,} of "
            "which the amount or a feature has changed, as later ones of the same card look back "
            f"on it. {report.rows_unchanged:,} are as they were, and cost no model."
        )
        self._tell_rejected(report)
        after = spark.sql(CORRECTED).collect()
        after.sort(key=lambda row: -abs((before[row.tx_id].fraud_score or 0) - row.fraud_score))
        self._show_corrected(before, after[:NUM_CORRECTED])
        return report, after[0].tx_id

    def _third_night(self, spark: SparkSession, transactions: DataFrame) -> RunReport:
        self._title("The third night", THIRD)
        save_day(transactions, TRANSACTIONS, THIRD, {"amount": CENTS})
        self.console.print(
            "A third of the terminals have begun to send cents in the place of euros."
        )
        before = spark.sql(STATE).collect()[0]
        try:
            self._score(spark, THIRD)
        except GateError as error:
            code = exit_code(error)
        else:
            raise AssertionError("the gate has let the third night pass")
        report = _job(THIRD).report()
        self.console.print(f"[bold yellow]Stopped by the gate, exit code {code}.")
        render.gate(report.gate)
        same = "is as it was" if spark.sql(STATE).collect() == [before] else "HAS CHANGED"
        self.console.print(
            f"{PREDICTIONS} {same}: {before[0]:,} rows up to {before[1]}. Now decide:"
        )
        for command in ("publish", "drop"):
            self._command(report.commands[command])
        return report

    def _look_back(self, spark: SparkSession, report: RunReport, tx_id: int) -> None:
        self._title("Looking back")
        self._command(f"spark-infer runs {JOB}")
        history.run_list(_job(THIRD).runs(), as_json=False)
        self.console.print()
        self._command(f"spark-infer replay {JOB} {report.run_id} --key tx_id={tx_id}")
        with self.console.status("Predicting it again ..."):
            found = _job(THIRD).replay(report.run_id, {"tx_id": tx_id}, spark)
        history.replayed(found, as_json=False)

    def _score(self, spark: SparkSession, day: date) -> RunReport:
        with self._step(f"spark-infer score {JOB} --set date={day}"):
            return _job(day).run(spark)

    def _tell_rejected(self, report: RunReport) -> None:
        reasons = ", ".join(f"{found['count']:,} as {found['reason']}" for found in report.rejects)
        self.console.print(
            f"{report.rows_quarantined:,} rows got no prediction and are in table {REJECTED}"
            f"{f': {reasons}' if reasons else ''}."
        )

    def _show_alerts(self, rows: list[Row]) -> None:
        table = _table(f"Top alerts of {FIRST}", "score", "time", "card", "terminal", "amount")
        table.add_column("what it was")
        for row in rows:
            table.add_row(
                f"{row.fraud_score:.3f}",
                row.tx_time,
                str(row.customer_id),
                str(row.terminal_id),
                _number(row.amount, 2),
                SCENARIOS.get(row.fraud_scenario, "[dim]genuine"),
            )
        self.console.print(table)

    def _show_corrected(self, before: dict[int, Row], rows: list[Row]) -> None:
        table = _table("Corrected", "tx_id", "amount was", "is", "score was", "is")
        for row in rows:
            was = before[row.tx_id]
            amounts = (_number(value, 2) for value in (was.amount, row.amount))
            scores = (_number(value, 3) for value in (was.fraud_score, row.fraud_score))
            table.add_row(str(row.tx_id), *amounts, *scores)
        self.console.print(table)

    def _tell_more(self, reports: dict[date, RunReport]) -> None:
        """Print files to open, and commands that work from the repository's root."""
        config = _job(THIRD).config
        properties = FOLDER / "spark.conf"
        lines = [f"{key} {value}\n" for key, value in config.spark.items()]
        properties.write_text("".join(lines), encoding="utf-8")
        self._title("Reports to open")
        for day, report in reports.items():
            self.console.print(f"{day}  {report.page_path(config.report.path)}", soft_wrap=True)
        self._title("Commands to try")
        if not shutil.which("java"):
            self._command(f"export JAVA_HOME={shlex.quote(os.environ['JAVA_HOME'])}")
        self._command(f"export PATH={Path(sys.executable).parent}:$PATH")
        self._command(f"spark-infer plan {JOB} --set date={THIRD}")
        self._command(f"spark-infer inspect {config.bundle.path}")
        query = f"SELECT * FROM {PREDICTIONS} ORDER BY fraud_score DESC LIMIT 3"
        self._command(f'spark-sql --properties-file {properties} -e "{query}"')
        self.console.print(f"\nDone in {time.monotonic() - self.started:.0f} s.")

    def _title(self, text: str, day: date | None = None) -> None:
        self.console.print(f"\n[bold cyan]{text}[/]{f' · {day}' if day else ''}")

    def _command(self, text: str) -> None:
        self.console.print(f"[bold]$ {text}", soft_wrap=True)

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        with self.console.status(f"{name} ..."):
            yield
        self.console.print(f"[green]{time.monotonic() - started:6.1f} s[/]  {name}")


def _job(day: date) -> si.ScoringJob:
    return si.ScoringJob.load(JOB, date=day)


def _table(title: str, *headings: str) -> Table:
    """Return a table of numbers."""
    table = Table(title=title, title_style="bold", title_justify="left", box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _number(value: float | None, digits: int) -> str:
    return "[dim]none" if value is None else f"{value:,.{digits}f}"


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


def main() -> None:
    """Read the options and run the demo in the repository's root."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="Make card transactions, train a model, and score them on three nights.",
    )
    parser.add_argument("--rows", type=int, default=300_000, help="transactions to make")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    Demo(Console(highlight=False)).run(arguments.rows)


if __name__ == "__main__":
    main()
