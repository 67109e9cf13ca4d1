"""Thirty float columns through boosted trees of XGBoost: few small ones, and many large ones.

With few trees the transfer decides, with many the trees do. ``predict`` reads the files itself, as
it does by default, or gets the rows from the JVM. The peers are a ``pandas_udf`` of the same
booster, ``mlflow.pyfunc.spark_udf`` where mlflow is installed, and the library's own loop over
arrays that are in memory already, with as many threads.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import xgboost
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import spark_infer as si
from benchmarks.harness.interleave import interleave, rates
from benchmarks.harness.local_spark import local_session, noop
from benchmarks.harness.machine import NUM_CORES, cache_directory, describe
from benchmarks.harness.report import Result
from benchmarks.workloads.float_files import COLUMNS, even_files
from benchmarks.workloads.small_network import random_rows

BATCH_ROWS = 32_768
"""Rows of a batch, of all that take a size."""
TRAINED_ROWS = 50_000
SIZES = {"50 trees of depth 4": (50, 4), "500 trees of depth 6": (500, 6)}
FEW, MANY = SIZES
BARS = {
    f"{FEW}, predict_vs_pandas_udf": 2.0,
    f"{FEW}, predict_vs_mlflow": 2.0,
    f"{MANY}, predict_vs_library": 0.9,
}


def run(num_rows: int, repetitions: int) -> Result:
    """Run the benchmark in a local session with two cores."""
    data = even_files(num_rows)
    values = np.column_stack([pq.read_table(data)[name].to_numpy() for name in COLUMNS])
    contenders: dict[str, Callable[[], object]] = {}
    with local_session("boosters") as spark:
        df = spark.read.parquet(str(data))
        for size, (trees, depth) in SIZES.items():
            booster = train(trees, depth)
            found = queries(spark, df, booster, size)
            check_equal(found, booster, values)
            contenders |= {f"{size}, {name}": noop(query) for name, query in found.items()}
            contenders[f"{size}, library"] = in_memory(booster, values)
        seconds = interleave(contenders, repetitions=repetitions)
    rate = rates(seconds, num_rows)
    peers = ("pandas_udf", "mlflow", "library")
    return Result(
        benchmark="boosters",
        workload=f"{num_rows:,} rows x {len(COLUMNS)} floats in Parquet, XGBoost, noop",
        rows_per_second=rate,
        seconds=seconds,
        ratios={
            f"{size}, {ours.replace(', ', '_')}_vs_{peer}": (
                rate[f"{size}, {ours}"] / rate[f"{size}, {peer}"]
            )
            for size in SIZES
            for ours in ("predict", "predict, JVM")
            for peer in peers
            if f"{size}, {peer}" in rate
        },
        bars={name: bar for name, bar in BARS.items() if has_mlflow() or "mlflow" not in name},
        machine=describe(),
    )


def train(trees: int, depth: int) -> xgboost.Booster:
    """Return a booster of full trees: what is predicted depends on all features."""
    rows = random_rows(TRAINED_ROWS)
    noise = np.random.default_rng(1).standard_normal(TRAINED_ROWS)
    labels = (np.sin(rows).sum(axis=1) + rows[:, 0] * rows[:, 1] + noise > 0).astype(np.float32)
    data = xgboost.DMatrix(rows, label=labels, feature_names=COLUMNS)
    options = {"objective": "binary:logistic", "max_depth": depth, "nthread": NUM_CORES}
    return xgboost.train(options, data, trees)


def queries(
    spark: SparkSession, df: DataFrame, booster: xgboost.Booster, size: str
) -> dict[str, Callable[[], DataFrame]]:
    """Return each contender's query over the same rows and the same booster."""
    folder = cache_directory() / f"booster_{size.replace(' ', '_')}"
    outputs = [si.Output("score", tensor="probability")]
    bundle = si.save_bundle(folder, booster, outputs=outputs)
    # Each repetition brings the same rows: a worker's cache would answer them.
    options = si.BatchOptions(batch_size=BATCH_ROWS, cache_bytes=0)
    peer = by_pandas(bytes(booster.save_raw("json")))
    found = {
        "predict": lambda: si.predict(df, bundle, keep=[], options=options),
        "predict, JVM": lambda: si.predict(df, bundle, keep=[], options=options, scan="jvm"),
        "pandas_udf": lambda: df.select(peer(*COLUMNS).alias("score")),
    }
    if has_mlflow():
        by_mlflow = mlflow_udf(spark, booster, folder.with_suffix(".mlflow"))
        found["mlflow"] = lambda: df.select(by_mlflow(F.struct(*COLUMNS)).alias("score"))
    return found


def by_pandas(raw: bytes) -> Any:
    """Return a ``pandas_udf`` that reads the booster once for each task, which has one core."""

    def predict(batches: Any) -> Iterator[Any]:
        booster = xgboost.Booster({"nthread": 1}, model_file=bytearray(raw))
        booster.set_param({"nthread": 1})
        for columns in batches:
            rows = pd.concat(columns, axis=1, keys=COLUMNS)
            yield pd.Series(booster.inplace_predict(rows))

    # What pyspark reads to know that it is a function of batches.
    predict.__annotations__ = {
        "batches": Iterator[tuple[pd.Series, ...]],
        "return": Iterator[pd.Series],
    }
    untyped: Any = F.pandas_udf
    return untyped(predict, "float")


def has_mlflow() -> bool:
    """Return whether mlflow is installed here."""
    return importlib.util.find_spec("mlflow") is not None


def mlflow_udf(spark: SparkSession, booster: xgboost.Booster, folder: Path) -> Any:
    """Return mlflow's function of a struct of the columns."""
    import mlflow

    shutil.rmtree(folder, ignore_errors=True)
    mlflow.xgboost.save_model(booster, str(folder))
    return mlflow.pyfunc.spark_udf(spark, str(folder), result_type="float", env_manager="local")


def in_memory(booster: xgboost.Booster, values: np.ndarray) -> Callable[[], None]:
    """Return the library's own loop over rows that are in memory, on all cores."""
    booster.set_param({"nthread": NUM_CORES})

    def loop() -> None:
        for start in range(0, len(values), BATCH_ROWS):
            booster.inplace_predict(values[start : start + BATCH_ROWS], validate_features=False)

    return loop


def check_equal(
    found: dict[str, Callable[[], DataFrame]], booster: xgboost.Booster, values: np.ndarray
) -> None:
    """Prove that all contenders compute the same scores."""
    expected = float(booster.inplace_predict(values, validate_features=False).astype(float).sum())
    for name, query in found.items():
        total = query().agg(F.sum(F.col("score").cast("double"))).collect()[0][0]
        if not np.isclose(total, expected, rtol=1e-6):
            raise RuntimeError(f"{name} scores {total}, the library {expected}")
