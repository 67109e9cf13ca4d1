"""Kills runs of a job at random moments and starts them again.

After each round the table must hold what an undisturbed run leaves: every row once, with its own
score. ``scripts/chaos.py --runs 100 --seed 1`` prints one line a round and a summary, and exits 1
where a table differs. A round takes half a minute.

Without ``--table`` these are tables of files. Tables of another catalog take its settings, in which
``{work}`` is the folder of a round::

    scripts/chaos.py --target merge --table ice.lake.scores
        --spark spark.sql.catalog.ice=org.apache.iceberg.spark.SparkCatalog
        --spark spark.sql.catalog.ice.warehouse={work}/ice ...

A database makes a table of each round, beside the one that is named::

    scripts/chaos.py --table lake.scores --jdbc jdbc:postgresql://host/database --user-env SCORER
        --spark spark.jars=/usr/share/java/postgresql.jar
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml

import spark_infer as si

NUM_DAYS = 40
NUM_ROWS = 2_000
MAX_KILLS = 3
STEPS = ("check", "load", "score", "keys", "write")
"""The steps of a run in which it is killed; before them it has done nothing."""
TARGETS: dict[str, dict[str, Any]] = {
    "overwrite": {"mode": "overwrite", "partition_by": ["day"]},
    "append": {"mode": "append", "partition_by": ["day"]},
    "content": {"mode": "overwrite", "partition_by": ["day"]},
    "plain": {"mode": "append"},
    "merge": {"mode": "merge", "delete_missing": True},
}
INCREMENTAL = ("content",)
"""Those whose second night scores rows that have changed, and carries the others over."""
FILES = "scores"
"""The table that has no catalog of its own, and takes no merge."""

RUN = """
import json, sys

import spark_infer as si
from spark_infer.spark import session

job = si.ScoringJob.load("job.yaml")
spark = session("chaos", job.config.spark)
table, jdbc = job.config.target.table, job.config.target.jdbc
namespace = table.rpartition(".")[0]
if namespace and jdbc is None:
    spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {namespace}")
job.run(spark, on_step=lambda step: print("STEP", step, flush=True))
if jdbc is None:
    found = spark.table(table)
else:
    place = {"url": jdbc.url, "driver": "org.postgresql.Driver", **jdbc.credentials()}
    found = spark.read.format("jdbc").options(dbtable=table, **place).load()
rows = found.select("id", "day", "score").orderBy("id", "score").collect()
print("FOUND", json.dumps([list(row) for row in rows]), flush=True)
"""


class Double(torch.nn.Module):
    """Twice a number."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return twice ``x`` of shape (rows, 1), as (rows,)."""
        return x[:, 0] * 2


class Kill(NamedTuple):
    """When a run is killed: so many seconds after a step has begun."""

    step: str
    seconds: float


class Chaos:
    """Rounds of one target in a folder of their own.

    Args:
        folder: Where bundle, source and tables are.
        target: The job file's target.
        settings: Spark's, beside those of all targets.
        by: Which rows are scored.
    """

    def __init__(
        self, folder: Path, target: dict[str, Any], settings: dict[str, str], by: str = "full"
    ) -> None:
        self._folder = folder
        self._by = by
        self._target = target
        self._settings = settings
        self._seconds: dict[str, float] = {}
        signature = si.Signature(
            inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("score")]
        )
        si.save_bundle(folder / "bundle", Double(), signature=signature)

    def round(self, name: str, random_: random.Random) -> tuple[list[Kill], bool]:
        """Run two nights, the second one killed now and then.

        Returns:
            When runs were killed, and whether the table is right.
        """
        work = self._folder / name
        work.mkdir()
        (work / "run.py").write_text(RUN)
        self._write_job(work, name)
        self._write_source(work, num_days=NUM_DAYS // 2, factor=1)
        self._run(work, None)
        self._write_source(work, num_days=NUM_DAYS, factor=3)
        kills = []
        for _ in range(random_.randint(1, MAX_KILLS)):
            step = random_.choice([*STEPS, *(["compare"] if self._by == "content" else [])])
            kill = Kill(step, random_.uniform(0, self._seconds.get(step, 1.0)))
            if self._run(work, kill) is None:
                kills.append(kill)
        return kills, self._run(work, None) == self._expected()

    def _expected(self) -> list[list[Any]]:
        # An append keeps what it has: the first night's scores of the first half of the days.
        keeps = self._target["mode"] == "append"
        old = [keeps and n % NUM_DAYS < NUM_DAYS // 2 for n in range(NUM_ROWS)]
        factors = [1 if old[n] else self._factor(n, 3) for n in range(NUM_ROWS)]
        return [[n, n % NUM_DAYS, 2.0 * n * factors[n]] for n in range(NUM_ROWS)]

    def _factor(self, number: int, factor: int) -> int:
        """Return by how much a row is multiplied on a night; some stay as they are."""
        return 1 if self._by == "content" and number % 3 else factor

    def _write_source(self, work: Path, *, num_days: int, factor: int) -> None:
        ids = [n for n in range(NUM_ROWS) if n % NUM_DAYS < num_days]
        columns = {
            "id": ids,
            "day": [n % NUM_DAYS for n in ids],
            "a": [float(n * self._factor(n, factor)) for n in ids],
        }
        pq.write_table(pa.table(columns), work / "tx.parquet", row_group_size=200)

    def _write_job(self, work: Path, name: str) -> None:
        target = {"keep": ["day"], **self._target}
        if "jdbc" in target:  # Which does not go with the folder.
            target["table"] = f"{target['table']}_{target['mode']}_{name}"
        job = {
            "name": "chaos",
            "source": {"path": "tx.parquet"},
            "key": ["id"],
            "bundle": {"path": str(self._folder / "bundle")},
            "target": target,
            "incremental": {"by": self._by},
            "spark": {
                "spark.master": "local[2]",
                "spark.driver.memory": "1g",
                "spark.ui.enabled": "false",
                "spark.log.level": "OFF",
                "spark.sql.shuffle.partitions": "2",
                **{k: v.replace("{work}", str(work)) for k, v in self._settings.items()},
            },
        }
        (work / "job.yaml").write_text(yaml.safe_dump(job))

    def _run(self, work: Path, kill: Kill | None) -> list[list[Any]] | None:
        """Run the job; return the table, or None where the run was killed."""
        process = subprocess.Popen(
            [sys.executable, "run.py"],
            cwd=work,
            env={**os.environ, "PYSPARK_PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            stderr=(work / "errors").open("w"),
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        found, last, began = None, "", time.perf_counter()
        for line in process.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "FOUND":
                found = json.loads(rest)
            if word != "STEP":
                continue
            now = time.perf_counter()
            if kill is None:
                self._seconds[last] = now - began
            last, began = rest, now
            if kill is not None and rest == kill.step:
                time.sleep(kill.seconds)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if kill is None and found is None:
            raise RuntimeError(f"a run that nobody killed failed: {(work / 'errors').read_text()}")
        return found


def main() -> int:
    """Run the rounds, and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5, help="rounds of each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=[*TARGETS, "all"], default="all")
    parser.add_argument("--table", default=FILES, help="[catalog.database.]table")
    parser.add_argument(
        "--spark", action="append", default=[], metavar="KEY=VALUE", help="a setting of Spark"
    )
    parser.add_argument("--jdbc", metavar="URL", help="the database that has the table")
    parser.add_argument("--user-env", default="USER", help="variable with its user")
    arguments = parser.parse_args()
    names = [name for name in TARGETS if arguments.table != FILES or name != "merge"]
    place = {}
    if arguments.jdbc is not None:
        place = {"jdbc": {"url": arguments.jdbc, "user_env": arguments.user_env}}
        names.remove("plain")  # What has no partitions is an append like the other.
    if arguments.target != "all":
        names = [arguments.target]
    settings = dict(setting.split("=", 1) for setting in arguments.spark)
    random_ = random.Random(arguments.seed)
    num_right = num_kills = 0
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        for name in names:
            work = Path(folder) / name
            work.mkdir()
            target = {"table": arguments.table, **place, **TARGETS[name]}
            by = "content" if name in INCREMENTAL else "full"
            chaos = Chaos(work, target, settings, by)
            for number in range(arguments.runs):
                kills, is_right = chaos.round(str(number), random_)
                num_right += is_right
                num_kills += len(kills)
                moments = ", ".join(f"{kill.step} + {kill.seconds:.2f} s" for kill in kills)
                state = "right" if is_right else "WRONG"
                print(f"{name} {number}: {state}, killed at {moments or 'no moment'}", flush=True)
    num_rounds = len(names) * arguments.runs
    print(f"{num_right} of {num_rounds} tables are right after {num_kills} kills")
    return 0 if num_right == num_rounds else 1


if __name__ == "__main__":
    sys.exit(main())
