"""Rows of different lengths through a transformer: what padding and batching cost.

The peer is pyspark's ``predict_batch_udf``; how it gets ragged rows is said in ``handwritten``.
The other contender is a loop that a patient user writes: the whole partition sorted by length and
cut by a token budget, in the eager module. Each task has one core and one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

import spark_infer as si
from benchmarks.harness.interleave import interleave, rates
from benchmarks.harness.local_spark import local_session, noop
from benchmarks.harness.machine import NUM_CORES, cache_directory, describe
from benchmarks.harness.report import Result
from benchmarks.workloads import ragged_rows
from benchmarks.workloads.handwritten import SortedLoop, batch_udf
from benchmarks.workloads.transformer import VOCABULARY, encoder_bundle
from spark_infer.backends import Precision
from spark_infer.spark.tasks.metrics import metrics_accumulator

MESSAGES = "messages"
LOOP_TOKENS = (512, 1024, 2048, 4096)
# A review costs as much as ten messages.
ROWS_TO_A_REVIEW = 10
TOLERANCES = {"float32": 1e-4, "bfloat16": 0.1, "float16": 0.02}
BARS = {
    "ragged_vs_peer": 3.0,
    "ragged_vs_loop": 0.95,
    "padding_efficiency": 0.93,
    "sentences_vs_loop": 0.95,
    "reviews_vs_loop": 0.95,
}


def run(
    num_rows: int,
    repetitions: int,
    precision: Precision = "float32",
    texts: Path | None = None,
) -> Result:
    """Run the benchmark in a local session with two cores.

    Args:
        num_rows: Generated messages, and sentences; a tenth of it in reviews.
        repetitions: Of each contender over each kind of rows.
        precision: Of all contenders.
        texts: Folder with ``sentence_polarity.zip`` and ``movie_reviews.zip``, for real texts.
    """
    bundle = encoder_bundle(cache_directory() / "encoder_bundle")
    rate: dict[str, float] = {}
    seconds: dict[str, list[float]] = {}
    ratios: dict[str, float] = {}
    with local_session("ragged") as spark:
        for kind, tokens in token_lists(num_rows, texts).items():
            path = ragged_rows.save_rows(f"ragged_{kind}_{len(tokens)}", tokens, NUM_CORES)
            df = spark.read.parquet(str(path))
            queries = contenders(df, bundle, precision)
            check_equal(queries, TOLERANCES[precision])
            found = interleave(
                {name: noop(query) for name, query in queries.items()}, repetitions=repetitions
            )
            found_rate = rates(found, len(tokens))
            ratios |= compare(kind, found_rate)
            if kind == MESSAGES:
                ratios["padding_efficiency"] = padding_efficiency(spark, df, bundle, precision)
            rate |= {f"{kind}: {name}": value for name, value in found_rate.items()}
            seconds |= {f"{kind}: {name}": value for name, value in found.items()}
    return Result(
        benchmark=f"ragged, {precision}",
        workload=f"{num_rows:,} rows of tokens in Parquet, transformer of 6 layers, noop",
        rows_per_second=rate,
        seconds=seconds,
        ratios=ratios,
        bars=BARS,
        machine=describe(),
    )


def token_lists(num_rows: int, texts: Path | None) -> dict[str, pa.ListArray]:
    """Return each kind of rows in the order in which they arrive."""
    random = np.random.default_rng(0)
    lengths = ragged_rows.log_normal_lengths(num_rows, random)
    lists = {MESSAGES: ragged_rows.random_lists(lengths, VOCABULARY, random)}
    if texts is not None:
        num_reviews = max(num_rows // ROWS_TO_A_REVIEW, NUM_CORES)
        lists["sentences"] = ragged_rows.sentences(texts, num_rows, VOCABULARY)
        lists["reviews"] = ragged_rows.reviews(texts, num_reviews, VOCABULARY)
    return lists


def contenders(
    df: DataFrame, bundle: si.Bundle, precision: Precision
) -> dict[str, Callable[[], DataFrame]]:
    """Return each contender's query over the same rows and the same weights."""
    # Each repetition brings the same rows: a worker's cache would answer them.
    options = si.BatchOptions(precision=precision, cache_bytes=0)
    peer = batch_udf(bundle.path, precision)

    def loop(max_tokens: int) -> Callable[[], DataFrame]:
        task = SortedLoop(bundle.path, precision, max_tokens)
        return lambda: df.mapInArrow(task, "id bigint, score float")

    return {
        # Spark reads the rows for all of them.
        "predict": lambda: si.predict(df, bundle, keep=["id"], options=options, scan="jvm"),
        "predict_batch_udf": lambda: df.select("id", peer("tokens", "id").alias("score")),
        **{f"loop, {max_tokens:,} tokens": loop(max_tokens) for max_tokens in LOOP_TOKENS},
    }


def check_equal(queries: dict[str, Callable[[], DataFrame]], tolerance: float) -> None:
    """Prove that all contenders compute the same scores.

    The tolerance is a share of the scores' spread: those of a model with random weights are close
    to each other.
    """
    scores = {name: _scores(query()) for name, query in queries.items()}
    reference = scores["predict_batch_udf"]
    for name, values in scores.items():
        distance = np.abs(values - reference).max() / reference.std()
        if not distance <= tolerance:
            raise RuntimeError(
                f"{name} and predict_batch_udf differ by {distance:.2g} of the scores' spread"
            )


def compare(kind: str, rate: Mapping[str, float]) -> dict[str, float]:
    """Return the ratios to the peer and to the best of the loops."""
    loop = max(value for name, value in rate.items() if name.startswith("loop"))
    prefix = "ragged" if kind == MESSAGES else kind
    return {
        f"{prefix}_vs_peer": rate["predict"] / rate["predict_batch_udf"],
        f"{prefix}_vs_loop": rate["predict"] / loop,
    }


def padding_efficiency(
    spark: SparkSession, df: DataFrame, bundle: si.Bundle, precision: Precision
) -> float:
    """Return the share of the positions given to the model that were real."""
    metrics = metrics_accumulator(spark)
    options = si.BatchOptions(precision=precision, cache_bytes=0)
    predict = partial(si.predict, df, bundle, keep=["id"], options=options, scan="jvm")
    noop(partial(predict, metrics=metrics))()
    return metrics.value.padding_efficiency


def _scores(query: DataFrame) -> np.ndarray:
    return query.toArrow().sort_by("id")["score"].to_numpy()
