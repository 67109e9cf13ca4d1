"""Benchmarks: ``python scripts/bench.py tabular --json out.json``.

Every figure is a ratio to a contender measured in the same run: contenders are interleaved, and
the median of the repetitions counts. ``all`` runs one after another, each in a process of its own.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.machine import cache_directory
from benchmarks.harness.report import print_ratios, print_result, read_json, write_json
from rich.console import Console


@dataclass(frozen=True)
class Benchmark:
    """A module of ``benchmarks`` with a function ``run``, imported when it is run.

    Attributes:
        about: What it measures.
        rows: How many rows by default.
        repetitions: How often by default.
        quick_rows: How many rows with ``--quick``, which repeats nothing: with them all contenders
            together take well under two minutes on a slow machine.
        options: Options of its own.
        variants: Command-line options of each run that ``all`` makes of it.
    """

    about: str
    rows: int
    quick_rows: int
    repetitions: int = 5
    options: tuple[str, ...] = ()
    variants: tuple[tuple[str, ...], ...] = ((),)


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
    "tensors": Benchmark("ragged lists to padded batches, without a model", 1_000_000, 50_000),
    "repeats": Benchmark("rows that come more than once", 20_000, 2_000),
    "poison": Benchmark("rows that make the model raise", 1_000_000, 50_000),
    # Hundredths are told apart by many short repetitions: single ones spread by a tenth.
    "overheads": Benchmark(
        "the predictor beside a network that takes no time", 1_000_000, 50_000, repetitions=201
    ),
    "memory": Benchmark("resident memory while rows stream", 10_000_000, 200_000, repetitions=1),
    "startup": Benchmark(
        "the first prediction of a fresh worker", 10, 10, repetitions=15, options=("spark",)
    ),
    "gpu": Benchmark("a CUDA device kept busy", 100_000, 1_000),
}


def main() -> None:
    """Run one benchmark, or all, and print tables."""
    options = _parser().parse_args()
    if options.benchmark == "all":
        run_all(options)
        return
    benchmark = BENCHMARKS[options.benchmark]
    module = importlib.import_module(f"benchmarks.{options.benchmark}")
    own = {name: getattr(options, name) for name in benchmark.options}
    result = module.run(*_size(benchmark, options), **own)
    print_result(result)
    if options.json:
        write_json(result, options.json)


def run_all(options: argparse.Namespace) -> None:
    """Run every benchmark that can run here; one that fails does not stop the others."""
    results, failed = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.json"
        for name, benchmark in BENCHMARKS.items():
            if name == "gpu" and not _has_device():
                Console(highlight=False).print("gpu: not run, torch sees no CUDA device")
                continue
            for variant in benchmark.variants:
                command = [sys.executable, __file__, name, *variant, "--json", str(path)]
                command += _settings(benchmark, options)
                if subprocess.run(command, check=False).returncode:
                    failed.append(" ".join([name, *variant]))
                else:
                    results.append(read_json(path))
    print_ratios(results)
    write_json(results, options.json)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _size(benchmark: Benchmark, options: argparse.Namespace) -> tuple[int, int]:
    """Return how many rows, and how often: what was asked for, or the benchmark's own."""
    rows, repetitions = benchmark.rows, benchmark.repetitions
    if options.quick:
        rows, repetitions = benchmark.quick_rows, 1
    return options.rows or rows, options.repetitions or repetitions


def _settings(benchmark: Benchmark, options: argparse.Namespace) -> list[str]:
    """Return the command-line options that ``all`` passes on to a benchmark."""
    if options.quick:
        settings = ["--quick"]
    else:
        settings = ["--rows", str(max(int(benchmark.rows * options.scale), 1))]
    if options.repetitions is not None:
        settings += ["--repetitions", str(options.repetitions)]
    if "texts" in benchmark.options and options.texts is not None:
        settings += ["--texts", str(options.texts)]
    return settings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="benchmark", required=True, metavar="benchmark")
    for name, benchmark in BENCHMARKS.items():
        command = commands.add_parser(name, help=benchmark.about, description=benchmark.about)
        command.add_argument("--json", type=Path, help="also write the result to this file")
        command.add_argument("--repetitions", type=int, help=f"default: {benchmark.repetitions}")
        command.add_argument("--rows", type=int, help=f"default: {benchmark.rows:,}")
        _add_quick(command)
        if "precision" in benchmark.options:
            command.add_argument(
                "--precision",
                choices=("float32", "bfloat16"),
                default="float32",
                help="of all contenders; default: float32",
            )
        if "texts" in benchmark.options:
            _add_texts(command)
        if "spark" in benchmark.options:
            command.add_argument(
                "--no-spark",
                dest="spark",
                action="store_false",
                help="leave out what needs Java",
            )
    every = commands.add_parser("all", help="one after another", description="one after another")
    default = cache_directory() / "all.json"
    every.add_argument("--json", type=Path, default=default, help=f"default: {default}")
    every.add_argument("--repetitions", type=int, help="default: each benchmark's own")
    every.add_argument("--scale", type=float, default=1.0, help="share of each benchmark's rows")
    _add_quick(every)
    _add_texts(every)
    return parser


def _add_quick(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--quick",
        action="store_true",
        help="few rows, each contender timed once: shows that all of it works, within two minutes "
        "for each benchmark",
    )


def _add_texts(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--texts",
        type=Path,
        help="folder with NLTK's sentence_polarity.zip and movie_reviews.zip, to run on them too",
    )


def _has_device() -> bool:
    import torch

    return torch.cuda.is_available()


if __name__ == "__main__":
    main()
