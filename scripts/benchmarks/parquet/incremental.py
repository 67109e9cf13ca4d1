"""A run of which one row in fifty has changed, beside a run of all rows.

The rows are thirty floats of fifty days, each a partition of the table and a file of the source,
and the model is the kind that is worth sparing: a transformer over a row's columns. Once all rows
of the newest day have changed, which leaves the other days alone; once every fiftieth row has,
which has all days written again. The sources change to and fro. ``compare`` is the floor: reading
and hashing the source, and reading what the table remembers.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import spark_infer as si
from benchmarks.harness.interleave import interleave, rates
from benchmarks.harness.local_spark import local_session
from benchmarks.harness.machine import cache_directory, describe
from benchmarks.harness.report import Result
from benchmarks.parquet.predicted import BATCH_ROWS
from benchmarks.workloads.column_transformer import LAYERS, WIDTH, column_transformer
from benchmarks.workloads.float_files import COLUMNS, KEY, SCORE, even_files
from benchmarks.workloads.small_network import SIGNATURE
from spark_infer.report import RunReport

NUM_DAYS = 50
DAY = "day"
FULL, NEWEST, SPREAD, AGAIN = "all rows", "newest day", "rows of all days", "no row changed"
BARS = {"newest_day_vs_full": 0.1}


def run(num_rows: int, repetitions: int) -> Result:
    """Run the benchmark in a local session with two cores."""
    num_rows -= num_rows % NUM_DAYS
    source = even_files(num_rows, NUM_DAYS)
    before = changed_files(source, "before", lambda _, __: np.False_)
    newest = changed_files(source, "newest", lambda day, _: day == NUM_DAYS - 1)
    spread = changed_files(source, "spread", lambda _, keys: keys % NUM_DAYS == 0)
    path = cache_directory() / "column_transformer_bundle"
    bundle = si.save_bundle(path, column_transformer(), signature=SIGNATURE)
    with tempfile.TemporaryDirectory(dir=cache_directory()) as folder:
        conf = {"spark.sql.warehouse.dir": str(Path(folder) / "warehouse")}
        with local_session("incremental", conf) as spark:
            jobs = Jobs(spark, Path(folder), bundle)
            tables = {
                FULL: Turns("all", (before, newest), "full"),
                NEWEST: Turns("newest", (before, newest), "content"),
                SPREAD: Turns("spread", (before, spread), "content"),
            }
            for name in (NEWEST, SPREAD):
                jobs.run(tables[name], again=True)
            contenders: dict[str, Callable[[], object]] = {
                **{name: partial(jobs.run, turns) for name, turns in tables.items()},
                AGAIN: partial(jobs.run, tables[NEWEST], again=True),
            }
            seconds = interleave(contenders, repetitions=repetitions)
            jobs.check_equal(num_rows)  # All have had as many turns.
        compare = jobs.median("newest", "compare")
    median = {name: statistics.median(values) for name, values in seconds.items()}
    return Result(
        benchmark="incremental",
        workload=f"{num_rows:,} rows x 30 floats of {NUM_DAYS} days of which {1 / NUM_DAYS:.0%} "
        f"have changed, transformer over the columns ({LAYERS} layers, width {WIDTH}), Parquet to "
        "a table's partitions",
        rows_per_second=rates(seconds, num_rows),
        seconds=seconds,
        ratios={
            "newest_day_vs_full": median[NEWEST] / median[FULL],
            "all_days_vs_full": median[SPREAD] / median[FULL],
            "no_change_vs_full": median[AGAIN] / median[FULL],
            "compare_vs_full": compare / median[FULL],
        },
        bars=BARS,
        at_most=["newest_day_vs_full"],
        machine=describe(),
    )


def changed_files(
    source: Path, name: str, is_other: Callable[[int, np.ndarray[Any, Any]], Any]
) -> Path:
    """Return a copy of files, each of a day, in which some rows are others.

    Args:
        source: The files.
        name: What to call the copy.
        is_other: Which rows, by day and keys.
    """
    path = cache_directory() / f"{source.name}_{name}"
    if (path / "_SUCCESS").exists():
        return path
    path.mkdir(exist_ok=True)
    for day, file in enumerate(sorted(source.glob("*.parquet"))):
        table = pq.read_table(file)
        other = is_other(day, table[KEY].to_numpy())
        values = table[COLUMNS[0]].to_numpy() + np.float32(1) * other
        place = table.schema.get_field_index(COLUMNS[0])
        table = table.set_column(place, COLUMNS[0], pa.array(values.astype(np.float32)))
        days = pa.array(np.full(table.num_rows, day, np.int32))
        pq.write_table(table.append_column(DAY, days), path / file.name)
    (path / "_SUCCESS").touch()
    return path


@dataclass
class Turns:
    """A table, and the sources that it is written from in turns.

    Attributes:
        table: Its name.
        sources: The sources.
        by: Which rows are scored.
        number: How often the source has changed.
    """

    table: str
    sources: tuple[Path, Path]
    by: str
    number: int = 0


class Jobs:
    """Runs jobs that differ in their source, and keeps their reports."""

    def __init__(self, spark: SparkSession, folder: Path, bundle: si.Bundle) -> None:
        self._spark = spark
        self._folder = folder
        self._bundle = bundle
        self._reports: dict[str, list[RunReport]] = {}

    def run(self, turns: Turns, *, again: bool = False) -> None:
        """Run the job of a table, over its next source or over the same one again."""
        turns.number += not again
        table, source = turns.table, turns.sources[turns.number % 2]
        config: dict[str, Any] = {
            "name": table,
            "source": {"path": str(source), "format": "parquet"},
            "key": [KEY],
            "bundle": {"path": str(self._bundle.path)},
            "batch": {"batch_size": BATCH_ROWS, "cache_bytes": 0},
            "incremental": {"by": turns.by},
            "target": {"table": table, "partition_by": [DAY], "keep": [DAY]},
            "report": {"path": str(self._folder / "reports")},
        }
        file = self._folder / "job.yaml"
        file.write_text(yaml.safe_dump(config))
        report = si.ScoringJob.load(file).run(self._spark)
        self._reports.setdefault(table, []).append(report)
        # What is replaced is kept for a day; so many days are not in a benchmark.
        runs = self._folder / "warehouse" / table / "_spark_infer"
        for run in runs.iterdir() if runs.exists() else ():
            if run.name != report.run_id and run.name not in self._used(table):
                shutil.rmtree(run)

    def _used(self, table: str) -> set[str]:
        """Return the runs whose rows a table holds."""
        found = self._spark.table(table).select("run_id").distinct().collect()
        return {row[0] for row in found}

    def median(self, table: str, step: str) -> float:
        """Return the median seconds of a step of the runs that scored a part of their rows."""
        reports = [report for report in self._reports[table] if report.rows_unchanged]
        return statistics.median(report.seconds[step] for report in reports)

    def check_equal(self, num_rows: int) -> None:
        """Prove that all tables hold the same scores, where their sources are the same.

        Raises:
            RuntimeError: They do not.
        """
        full = self._spark.table("all").select(KEY, F.col(SCORE).alias("wanted"))
        is_alike = (F.col(DAY) < NUM_DAYS - 1) & (F.col(KEY) % NUM_DAYS != 0)
        for table, rows in (("newest", F.lit(True)), ("spread", is_alike)):
            both = self._spark.table(table).join(full, KEY, "full")
            is_same = F.abs(F.col(SCORE) - F.col("wanted")) <= 1e-4
            counted = both.agg(
                F.count(F.lit(1)), F.count_if(rows & ~F.coalesce(is_same, F.lit(False)))
            )
            found, others = counted.collect()[0]
            if found != num_rows or others:
                raise RuntimeError(f"{others:,} of {found:,} scores in table {table} are others")
