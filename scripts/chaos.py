"""Kills runs of a job at random moments and starts them again, night after night.

After each night its table must hold what an undisturbed run leaves, every row once with its own
score, and the quarantine the rows that were rejected. ``scripts/chaos.py --runs 100 --seed 1``
prints one line a night and a summary, and exits 1 where a table differs.

Without ``--table`` these are tables of files. Tables of another catalog take its settings, in which
``{work}`` is the folder of a table's nights::

    scripts/chaos.py --target merge --table ice.lake.scores
        --spark spark.sql.catalog.ice=org.apache.iceberg.spark.SparkCatalog
        --spark spark.sql.catalog.ice.warehouse={work}/ice ...

A database makes a table for each table's nights, beside the one that is named::

    scripts/chaos.py --table lake.scores --jdbc jdbc:postgresql://host/database --user-env SCORER
        --spark spark.jars=/usr/share/java/postgresql.jar
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from killing.nights import TARGETS, Nights, save_double

FILES = "scores"
"""The table that has no catalog of its own, and takes no merge."""
NIGHTS = 5
"""How many nights a table has before another one is begun."""


def main() -> int:
    """Run the nights, and return the exit code."""
    # What it has started ends with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    arguments = _arguments()
    settings = dict(setting.split("=", 1) for setting in arguments.spark)
    random_ = random.Random(arguments.seed)
    num_nights = num_right = num_kills = 0
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        bundle = save_double(Path(folder))
        for name in _names(arguments):
            for first in range(0, arguments.runs, NIGHTS):
                place = _place(arguments, f"{name}_{first}")
                work = Path(folder) / name / str(first)
                with Nights(work, bundle, TARGETS[name], place, settings) as nights:
                    for number in range(first, min(first + NIGHTS, arguments.runs)):
                        kills, wrong = nights.next(random_)
                        num_nights += 1
                        num_right += not wrong
                        num_kills += len(kills)
                        moments = ", ".join(f"{k.step} + {k.seconds:.2f} s" for k in kills)
                        state = f"WRONG ({wrong})" if wrong else "right"
                        told = f"{name} {number}: {state}, killed at {moments or 'no moment'}"
                        print(told, flush=True)
    print(f"{num_right} of {num_nights} tables are right after {num_kills} kills")
    return 0 if num_right == num_nights else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5, help="nights of each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=[*TARGETS, "all"], default="all")
    parser.add_argument("--table", default=FILES, help="[catalog.database.]table")
    parser.add_argument(
        "--spark", action="append", default=[], metavar="KEY=VALUE", help="a setting of Spark"
    )
    parser.add_argument("--jdbc", metavar="URL", help="the database that has the table")
    parser.add_argument("--user-env", default="USER", help="variable with its user")
    return parser.parse_args()


def _names(arguments: argparse.Namespace) -> list[str]:
    """Return the kinds of target."""
    if arguments.target != "all":
        return [arguments.target]
    without = {"merge"} if arguments.table == FILES else set()
    if arguments.jdbc is not None:
        # What has no partitions is an append like the other, and nothing is compared there.
        without = {"plain", "content"}
    return [name for name in TARGETS if name not in without]


def _place(arguments: argparse.Namespace, name: str) -> dict[str, Any]:
    """Return where a table is, as the job file has it."""
    if arguments.jdbc is None:
        return {"table": arguments.table}
    jdbc = {"url": arguments.jdbc, "user_env": arguments.user_env}
    # A database does not go with the folder.
    return {"table": f"{arguments.table}_{name}", "jdbc": jdbc}


if __name__ == "__main__":
    sys.exit(main())
