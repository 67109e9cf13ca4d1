"""Nights of a job over a source that changes, and what its table must hold after each of them."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml

import spark_infer as si
from killing.driver import Driver, Found

NUM_DAYS = 20
NUM_ROWS = 1_000
MAX_KILLS = 3
QUARANTINE = "rejected"
STEPS = ("check", "load", "compare", "score", "keys", "quarantine", "write")
"""The steps of a run in which it is killed; before them it has done nothing."""


class Target(NamedTuple):
    """A kind of target.

    Attributes:
        section: The job file's section for it, without the table.
        by: Which rows are scored, as the section ``incremental`` has it.
    """

    section: dict[str, Any]
    by: str = "full"


TARGETS = {
    "overwrite": Target({"mode": "overwrite", "partition_by": ["day"]}),
    "content": Target({"mode": "overwrite", "partition_by": ["day"]}, by="content"),
    "append": Target({"mode": "append", "partition_by": ["day"]}),
    "plain": Target({"mode": "append"}),
    "merge": Target({"mode": "merge", "delete_missing": True}),
}


class Kill(NamedTuple):
    """When a run is killed: so many seconds after a step has begun."""

    step: str
    seconds: float


class Double(torch.nn.Module):
    """Twice a number."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return twice ``x`` of shape (rows, 1), as (rows,)."""
        return x[:, 0] * 2


def save_double(folder: Path) -> Path:
    """Save a bundle that doubles column ``a``, and return where."""
    inputs = [si.ScalarInput("x", columns=["a"])]
    signature = si.Signature(inputs=inputs, outputs=[si.Output("score")])
    return si.save_bundle(folder / "bundle", Double(), signature=signature).path


class Nights:
    """Nights of one table, the first of which makes it.

    Rows come, change, leave and come back, and some have no value, from night to night.

    Args:
        folder: Where source and tables are; it is made.
        bundle: Where the bundle of ``save_double`` is.
        target: The kind of target.
        place: The rest of the job file's section: at least ``table``.
        settings: Spark's; ``{work}`` in a value is the folder.
    """

    def __init__(
        self,
        folder: Path,
        bundle: Path,
        target: Target,
        place: Mapping[str, Any],
        settings: Mapping[str, str],
    ) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._target = target
        self._night = 0
        self._scores: dict[int, float | None] = {}
        self._seconds: dict[str, float] = {}
        # A session with a catalog of its own keeps no table in another one.
        namespace, dot, _ = ("", "", "") if "jdbc" in place else place["table"].rpartition(".")
        own = {key: value.replace("{work}", str(folder)) for key, value in settings.items()}
        job = {
            "name": "chaos",
            "source": {"path": "tx.parquet"},
            "key": ["id"],
            "bundle": {"path": str(bundle)},
            "target": {"keep": ["day"], **target.section, **place},
            "incremental": {"by": target.by},
            # Of the few rows of a night by content, one in fifteen has lost its value.
            "batch": {"max_rejected_share": 0.2},
            "quarantine": {"table": f"{namespace}{dot}{QUARANTINE}"},
            "spark": {
                "spark.master": "local[2]",
                "spark.driver.memory": "1g",
                "spark.ui.enabled": "false",
                "spark.log.level": "OFF",
                "spark.sql.shuffle.partitions": "2",
                **own,
            },
        }
        (folder / "job.yaml").write_text(yaml.safe_dump(job))
        self._driver = Driver(folder)

    def __enter__(self) -> Nights:
        return self

    def __exit__(self, *_: object) -> None:
        self._driver.kill()

    def next(self, random_: random.Random) -> tuple[list[Kill], str]:
        """Kill runs of the next night, and let one complete it.

        Returns:
            When runs were killed, and what is wrong of the tables; ``""`` where nothing is.
        """
        self._night += 1
        self._write_source()
        kills = []
        for _ in range(random_.randint(1, MAX_KILLS)):
            step = random_.choice(STEPS)
            kill = Kill(step, random_.uniform(0, self._seconds.get(step, 1.0)))
            if self._was_killed(kill):
                kills.append(kill)
        began, last, found = time.perf_counter(), "", None
        for found in self._driver.run():
            now = time.perf_counter()
            self._seconds[last], last, began = now - began, str(found), now
        assert isinstance(found, Found)
        return kills, found.difference(self._expected())

    def _was_killed(self, kill: Kill) -> bool:
        """Run the job, and return whether it was killed before it had ended."""
        following = Driver(self._folder)  # Which starts while this one runs.
        found: str | Found = ""
        for found in self._driver.run():
            if found == kill.step:
                time.sleep(kill.seconds)
                self._driver.kill()
        self._driver.kill()
        self._driver = following
        return not isinstance(found, Found)

    def _present(self) -> list[int]:
        """Return the numbers of the source's rows."""
        num_days = NUM_DAYS // 2 if self._night == 1 else NUM_DAYS
        return [
            n for n in range(NUM_ROWS) if n % NUM_DAYS < num_days and (n + self._night) % 7 != 0
        ]

    def _value(self, number: int) -> float | None:
        if (number + self._night) % 31 == 0:
            return None
        return float(number * (1 if number % 3 else self._night))

    def _write_source(self) -> None:
        ids = self._present()
        columns = {
            "id": ids,
            "day": [n % NUM_DAYS for n in ids],
            "a": [self._value(n) for n in ids],
        }
        pq.write_table(pa.table(columns), self._folder / "tx.parquet", row_group_size=100)

    def _expected(self) -> Found:
        """Return what an undisturbed run leaves."""
        old = self._scores if self._target.section["mode"] == "append" else {}
        new = {n: self._value(n) for n in self._present()}
        self._scores = {n: None if a is None else 2 * a for n, a in new.items()} | old
        found = sorted(self._scores.items())
        rejected = [number for number, score in found if score is None]
        return Found([[n, n % NUM_DAYS, score] for n, score in found], rejected)
