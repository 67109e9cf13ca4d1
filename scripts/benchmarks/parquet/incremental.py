"""A run of which one row in fifty has changed, beside a run of all rows.

The rows are thirty floats, and the model is the kind that is worth sparing: a transformer over a
row's columns. The changed rows lie everywhere in the source, which changes to and fro, and in the
one partition of the table, so that all its rows are read, compared and written again. ``compare``
is the floor: reading and hashing the source, and the join with what the target remembers.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Callable
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

EVERY = 50
FULL, INCREMENTAL, AGAIN = "all rows", "changed rows", "no row changed"
BARS = {"incremental_vs_full": 0.1}


def run(num_rows: int, repetitions: int) -> Result:
    """Run the benchmark in a local session with two cores."""
    source = even_files(num_rows)
    changed = [source, changed_files(source)]
    path = cache_directory() / "column_transformer_bundle"
    bundle = si.save_bundle(path, column_transformer(), signature=SIGNATURE)
    with tempfile.TemporaryDirectory(dir=cache_directory()) as folder:
        conf = {"spark.sql.warehouse.dir": str(Path(folder) / "warehouse")}
        with local_session("incremental", conf) as spark:
            jobs = Jobs(spark, Path(folder), bundle)
            jobs.run("incremental", changed[0], by="content")
            turns = {FULL: 0, INCREMENTAL: 0}

            def next_source(name: str) -> Path:
                turns[name] += 1
                return changed[turns[name] % 2]

            contenders: dict[str, Callable[[], object]] = {
                FULL: lambda: jobs.run("full", next_source(FULL)),
                INCREMENTAL: lambda: jobs.run(
                    "incremental", next_source(INCREMENTAL), by="content"
                ),
                AGAIN: lambda: jobs.run(
                    "incremental", changed[turns[INCREMENTAL] % 2], by="content"
                ),
            }
            seconds = interleave(contenders, repetitions=repetitions)
            jobs.check_equal(num_rows)  # Both have had as many turns.
        compare = jobs.median("incremental", "compare")
    median = {name: statistics.median(values) for name, values in seconds.items()}
    return Result(
        benchmark="incremental",
        workload=f"{num_rows:,} rows x 30 floats of which {1 / EVERY:.0%} have changed, "
        f"transformer over the columns ({LAYERS} layers, width {WIDTH}), Parquet to a table's "
        "partition",
        rows_per_second=rates(seconds, num_rows),
        seconds=seconds,
        ratios={
            "incremental_vs_full": median[INCREMENTAL] / median[FULL],
            "no_change_vs_full": median[AGAIN] / median[FULL],
            "compare_vs_full": compare / median[FULL],
            "compare_vs_incremental": compare / median[INCREMENTAL],
        },
        bars=BARS,
        at_most=["incremental_vs_full"],
        machine=describe(),
    )


def changed_files(source: Path) -> Path:
    """Return a copy of files in which every fiftieth row is another."""
    path = cache_directory() / f"{source.name}_changed"
    if (path / "_SUCCESS").exists():
        return path
    path.mkdir(exist_ok=True)
    for file in sorted(source.glob("*.parquet")):
        table = pq.read_table(file)
        is_other = table[KEY].to_numpy() % EVERY == 0
        values = table[COLUMNS[0]].to_numpy() + is_other.astype(np.float32)
        place = table.schema.get_field_index(COLUMNS[0])
        table = table.set_column(place, COLUMNS[0], pa.array(values))
        pq.write_table(table, path / file.name)
    (path / "_SUCCESS").touch()
    return path


class Jobs:
    """Runs jobs that differ in their source, and keeps their reports."""

    def __init__(self, spark: SparkSession, folder: Path, bundle: si.Bundle) -> None:
        self._spark = spark
        self._folder = folder
        self._bundle = bundle
        self._reports: dict[str, list[RunReport]] = {}

    def run(self, table: str, source: Path, by: str = "full") -> None:
        config: dict[str, Any] = {
            "name": table,
            "source": {"path": str(source), "format": "parquet"},
            "features": {"day": "DATE'2018-08-08'"},
            "key": [KEY],
            "bundle": {"path": str(self._bundle.path)},
            "batch": {"batch_size": BATCH_ROWS, "cache_bytes": 0},
            "incremental": {"by": by},
            "target": {"table": table, "partition_by": ["day"], "keep": ["day"]},
            "report": {"path": str(self._folder / "reports")},
        }
        file = self._folder / "job.yaml"
        file.write_text(yaml.safe_dump(config))
        report = si.ScoringJob.load(file).run(self._spark)
        self._reports.setdefault(table, []).append(report)
        # What is replaced is kept for a day; so many days are not in a benchmark.
        for run in (self._folder / "warehouse" / table / "_spark_infer").iterdir():
            if run.name != report.run_id:
                shutil.rmtree(run)

    def median(self, table: str, step: str) -> float:
        """Return the median seconds of a step of the runs that scored a part of their rows."""
        reports = [report for report in self._reports[table] if report.rows_unchanged]
        return statistics.median(report.seconds[step] for report in reports)

    def check_equal(self, num_rows: int) -> None:
        """Prove that both tables hold the same scores."""
        full = self._spark.table("full").select(KEY, F.col(SCORE).alias("wanted"))
        both = self._spark.table("incremental").join(full, KEY)
        is_same = F.abs(F.col(SCORE) - F.col("wanted")) <= 1e-4
        found = both.where(is_same).count()
        if found != num_rows:
            raise RuntimeError(f"{found:,} of {num_rows:,} scores are the same")
