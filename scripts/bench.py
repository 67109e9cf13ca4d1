"""Benchmarks: ``python scripts/bench.py tabular --json out.json``.

Every figure is a ratio to a contender measured in the same run: contenders are interleaved, and
the median of the repetitions counts.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import tabular
from benchmarks.report import print_result, write_json

BENCHMARKS = {"tabular": tabular.run}


def main() -> None:
    """Run one benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmark", choices=sorted(BENCHMARKS))
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    parser.add_argument("--repetitions", type=int, default=5, help="default: 5")
    parser.add_argument("--rows", type=int, default=4_000_000, help="default: 4,000,000")
    options = parser.parse_args()
    result = BENCHMARKS[options.benchmark](options.rows, options.repetitions)
    print_result(result)
    if options.json:
        write_json(result, options.json)


if __name__ == "__main__":
    main()
