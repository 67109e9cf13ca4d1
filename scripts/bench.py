"""Benchmarks: ``python scripts/bench.py tabular --json out.json``.

Every figure is a ratio to a contender measured in the same run: contenders are interleaved, and
the median of the repetitions counts. ``all`` runs one after another, each in a process of its own.
``compare`` shows whether a change made something slower: ``bench.py compare main HEAD``.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.benchmarks import BENCHMARKS, Benchmark
from benchmarks.comparison.checkout import checked_out
from benchmarks.comparison.errors import ComparisonError
from benchmarks.comparison.rounds import alternate
from benchmarks.comparison.side import Side
from benchmarks.comparison.table import print_figures
from benchmarks.harness.machine import cache_directory
from benchmarks.harness.report import print_ratios, print_result, read_json, write_json
from rich.console import Console

COMPARE = "whether anything is slower in one checkout than in another"
FURTHER = "Options of the benchmarks follow AFTER, and each benchmark gets them: --rows 1000."
LEAST_ROUNDS = 3


def main() -> None:
    """Run one benchmark, or all, or compare two checkouts, and print tables."""
    parser = _parser()
    options, others = parser.parse_known_args()
    if options.benchmark == "compare":
        sys.exit(compare(options, others))
    if others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    if options.benchmark == "all":
        run_all(options)
        return
    benchmark = BENCHMARKS[options.benchmark]
    module = importlib.import_module(f"{benchmark.package}.{options.benchmark}")
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
        for name in _names():
            benchmark = BENCHMARKS[name]
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


def compare(options: argparse.Namespace, others: Sequence[str]) -> int:
    """Run benchmarks of two checkouts in alternation and print what changed.

    Args:
        options: Those of ``compare``.
        others: Those that each benchmark gets.

    Returns:
        The exit code: 1 if a figure is slower, else 2 if a benchmark failed or nothing can be
        compared, else 0; 130 and 143 if interrupted. The worktrees are gone in any case.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    names = _names() if options.benchmarks == ["all"] else options.benchmarks
    settings = [*(["--quick"] if options.quick else []), *others]
    try:
        with (
            tempfile.TemporaryDirectory(prefix="bench_", ignore_cleanup_errors=True) as folder,
            checked_out(options.before, Path(folder) / "before") as before,
            checked_out(options.after, Path(folder) / "after") as after,
        ):
            sides = (
                Side("before", options.before, before, Path(folder) / "before_data"),
                Side("after", options.after, after, Path(folder) / "after_data"),
            )
            done = [alternate(name, settings, sides, options.rounds) for name in names]
    except ComparisonError as error:
        print(f"bench.py compare: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    figures = [figure for rounds in done for figure in rounds.figures()]
    print_figures(figures)
    failures = [
        f"{rounds.benchmark} failed {side}: {error}"
        for rounds in done
        for side, error in rounds.failures.items()
    ]
    for failure in failures:
        print(failure, file=sys.stderr)
    if any(figure.verdict == "slower" for figure in figures):
        return 1
    return 2 if failures else 0


def _names() -> list[str]:
    """Return the benchmarks that can run here, and say which cannot."""
    if _has_device():
        return list(BENCHMARKS)
    Console(highlight=False).print("gpu: not run, torch sees no CUDA device")
    return [name for name in BENCHMARKS if name != "gpu"]


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
    _add_compare(commands.add_parser("compare", help=COMPARE, description=COMPARE, epilog=FURTHER))
    return parser


def _add_compare(command: argparse.ArgumentParser) -> None:
    command.add_argument("before", help="git revision, or the folder of a checkout")
    command.add_argument("after", help="the same, of what may be slower")
    command.add_argument(
        "--benchmarks",
        type=lambda text: [name.strip() for name in text.split(",")],
        default=["all"],
        help="names, with commas between them; default: all that can run here",
    )
    command.add_argument(
        "--rounds",
        type=_rounds,
        default=5,
        help="runs of each benchmark on each side; default: 5. With 5, normal noise makes one "
        "figure in 500 slower, with 3 one in 30",
    )
    _add_quick(command)


def _rounds(text: str) -> int:
    if not text.isdecimal() or int(text) < LEAST_ROUNDS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number from {LEAST_ROUNDS} on: fewer rounds do not show what is noise"
        )
    return int(text)


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
