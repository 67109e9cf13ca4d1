"""What is measured, and over how many rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Benchmark:
    """A module with a function ``run``, imported when it is run.

    Attributes:
        about: What it measures.
        rows: How many rows by default.
        repetitions: How often by default.
        quick_rows: How many rows with ``--quick``, which repeats nothing: with them all contenders
            together take well under two minutes on a slow machine.
        options: Options of its own.
        variants: Command-line options of each run that ``all`` makes of it.
        package: Where its module is.
    """

    about: str
    rows: int
    quick_rows: int
    repetitions: int = 5
    options: tuple[str, ...] = ()
    variants: tuple[tuple[str, ...], ...] = ((),)
    package: str = "benchmarks"


PREDICTOR = "benchmarks.predictor"
PARQUET = "benchmarks.parquet"
MODELS = "benchmarks.models"
BENCHMARKS = {
    "tabular": Benchmark("float columns through a small network in Spark", 4_000_000, 100_000),
    "ragged": Benchmark(
        "rows of different lengths through a transformer in Spark",
        3_200,
        quick_rows=100,
        repetitions=3,
        options=("precision", "texts"),
        variants=((), ("--precision", "bfloat16")),
    ),
    "tensors": Benchmark(
        "ragged lists to padded batches, without a model", 1_000_000, 50_000, package=PREDICTOR
    ),
    "repeats": Benchmark("rows that come more than once", 20_000, 2_000, package=PREDICTOR),
    "poison": Benchmark("rows that make the model raise", 1_000_000, 50_000, package=PREDICTOR),
    # Hundredths are told apart by many short repetitions: single ones spread by a tenth.
    "overheads": Benchmark(
        "the predictor beside a network that takes no time",
        1_000_000,
        50_000,
        repetitions=201,
        package=PREDICTOR,
    ),
    "onnx": Benchmark(
        "the networks of tabular and ragged in ONNX Runtime", 4_000_000, 100_000, repetitions=3
    ),
    "memory": Benchmark(
        "resident memory while rows stream",
        10_000_000,
        200_000,
        repetitions=1,
        package=PREDICTOR,
    ),
    "startup": Benchmark(
        "the first prediction of a fresh worker", 10, 10, repetitions=15, options=("spark",)
    ),
    "endtoend": Benchmark(
        "float columns from Parquet to Parquet: Spark, Daft, Ray Data and one process",
        4_000_000,
        100_000,
        package=PARQUET,
    ),
    "skew": Benchmark(
        "tasks over files of very different sizes", 4_000_000, 200_000, package=PARQUET
    ),
    "job": Benchmark(
        "a job beside predict and a write of the same rows", 4_000_000, 50_000, package=PARQUET
    ),
    "incremental": Benchmark(
        "a job of which two rows in a hundred have changed beside one of all rows",
        2_000_000,
        20_000,
        repetitions=3,
        package=PARQUET,
    ),
    "growth": Benchmark("more rows and more executors", 4_000_000, 100_000, package=PARQUET),
    "boosters": Benchmark(
        "float columns through boosted trees in Spark, mlflow and the library itself",
        1_000_000,
        20_000,
        repetitions=3,
        package=MODELS,
    ),
    "gpu": Benchmark("a CUDA device kept busy", 100_000, 1_000, package=PREDICTOR),
}
