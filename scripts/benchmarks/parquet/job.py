"""A job beside ``predict`` and a write of the same rows, from Parquet into a partition of a table.

A job looks at keys and counts, writes by what each row was scored, publishes in one step, reads
the table back and reports; with a gate it measures what is staged as well, and with a challenger,
here the same model once more, it predicts each row twice. Each repetition replaces the partition of
the one before.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import spark_infer as si
from benchmarks.harness.interleave import interleave, rates
from benchmarks.harness.local_spark import local_session
from benchmarks.harness.machine import cache_directory, describe
from benchmarks.harness.report import Result
from benchmarks.parquet.predicted import BATCH_ROWS, floats_bundle
from benchmarks.workloads.float_files import KEY, SCORE, even_files
from spark_infer.report import RunReport

DAY = "DATE'2018-08-08'"
PREDICT, JOB, BY_SPARK, GATED = "predict, write", "job", "job, Spark writes", "job, gate"
CHALLENGED = "job, challenger"
GATE = [
    {"check": "rows", "min": 1},
    {"check": "nulls", "max": 0.5},
    {"check": "range", "column": SCORE, "min": -1e6, "max": 1e6},
    {"check": "row_ratio", "min": 0.5, "max": 2},
    {"check": "psi", "column": SCORE, "max": 0.25},
    {"check": "ks", "column": SCORE, "max": 0.25},
]
BARS = {"job_vs_predict": 0.8, "gated_vs_job": 1 / 1.15, "challenged_vs_job": 1 / 1.2}


def run(num_rows: int, repetitions: int) -> Result:
    """Run the benchmark in a local session with two cores."""
    source, bundle = even_files(num_rows), floats_bundle()
    reports: dict[str, list[RunReport]] = {}
    with tempfile.TemporaryDirectory(dir=cache_directory()) as folder:
        place = Path(folder)
        conf = {"spark.sql.warehouse.dir": str(place / "warehouse")}
        with local_session("job", conf) as spark:
            jobs: dict[str, dict[str, Any]] = {
                JOB: {},
                BY_SPARK: {"target": {"writer": "jvm"}},
                GATED: {"gate": GATE},
                # Two jobs take twice as long as one.
                CHALLENGED: {"challengers": {"next": {"path": str(bundle.path)}}},
            }
            contenders: dict[str, Callable[[], object]] = {
                name: scored(spark, place, source, bundle, name, changes, reports)
                for name, changes in jobs.items()
            }
            contenders[PREDICT] = predicted(spark, source, bundle, place / "predicted")
            seconds = interleave(contenders, repetitions=repetitions)
            check_equal(spark, place / "predicted", [table_of(name) for name in jobs], num_rows)
    rate = rates(seconds, num_rows)
    step = {
        name: statistics.median(report.seconds["score"] for report in found[1:])
        for name, found in reports.items()
    }
    return Result(
        benchmark="job",
        workload=f"{num_rows:,} rows x 30 floats, small network, Parquet to a table's partition",
        rows_per_second=rate,
        seconds=seconds,
        ratios={
            "job_vs_predict": rate[JOB] / rate[PREDICT],
            "gated_vs_job": rate[GATED] / rate[JOB],
            "challenged_vs_job": rate[CHALLENGED] / rate[JOB],
            "job_vs_spark_writes": rate[JOB] / rate[BY_SPARK],
            "score_step_vs_spark_writes": step[BY_SPARK] / step[JOB],
        },
        bars=BARS,
        machine=describe(),
    )


def predicted(
    spark: SparkSession, source: Path, bundle: si.Bundle, target: Path
) -> Callable[[], None]:
    """Return what predicts and writes the rows, as without a job."""
    options = si.BatchOptions(batch_size=BATCH_ROWS, cache_bytes=0)

    def write() -> None:
        rows = spark.read.parquet(str(source)).withColumn("day", F.expr(DAY))
        scored = si.predict(rows, bundle, keep=[KEY, "day"], options=options)
        scored.write.mode("overwrite").partitionBy("day").parquet(str(target))

    return write


def scored(
    spark: SparkSession,
    folder: Path,
    source: Path,
    bundle: si.Bundle,
    name: str,
    changes: Mapping[str, Any],
    reports: dict[str, list[RunReport]],
) -> Callable[[], None]:
    """Return what runs a job of these rows, and keeps its report."""
    config = {
        "name": table_of(name),
        "source": {"path": str(source), "format": "parquet"},
        "features": {"day": DAY},
        "key": [KEY],
        "bundle": {"path": str(bundle.path)},
        "batch": {"batch_size": BATCH_ROWS, "cache_bytes": 0},
        "report": {"path": str(folder / "reports" / table_of(name))},
        **changes,
    }
    target = {"table": table_of(name), "partition_by": ["day"], "keep": ["day"]}
    config["target"] = target | dict(changes.get("target", {}))
    file = folder / f"{table_of(name)}.yaml"
    file.write_text(yaml.safe_dump(config))

    def run_job() -> None:
        reports.setdefault(name, []).append(si.ScoringJob.load(file).run(spark))
        # What is replaced is kept for a day; so many days are not in a benchmark.
        for run in (folder / "warehouse" / table_of(name) / "_spark_infer").iterdir():
            if run.name != reports[name][-1].run_id:
                shutil.rmtree(run)

    return run_job


def table_of(name: str) -> str:
    """Return the name of a contender's table."""
    return name.replace(", ", "_").replace(" ", "_").lower()


def check_equal(spark: SparkSession, target: Path, tables: list[str], num_rows: int) -> None:
    """Prove that all have written the same scores."""
    totals = (F.count(F.lit(1)), F.countDistinct(KEY), F.sum(F.col(SCORE).cast("double")))
    wanted = spark.read.parquet(str(target)).agg(*totals).first()
    assert wanted is not None
    if wanted[0] != num_rows or wanted[1] != num_rows:
        raise RuntimeError(f"predict wrote {wanted[0]:,} rows of {num_rows:,}")
    for table in tables:
        found = spark.table(table).agg(*totals).first()
        assert found is not None
        if found[:2] != wanted[:2] or abs(found[2] - wanted[2]) > 1e-6 * abs(wanted[2]) + 1e-3:
            raise RuntimeError(f"{table} holds {found}, predict wrote {wanted}")
