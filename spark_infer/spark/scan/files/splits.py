"""Which task reads which row groups."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

from spark_infer.spark.scan.files.footers import Footer


@dataclass(frozen=True)
class Share:
    """The row groups of one file that one task reads, in order."""

    file: int
    groups: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How large tasks are to be. The names are those of Spark's settings.

    Attributes:
        max_partition_bytes: Most bytes of one, unless a single row group has more.
        open_cost_bytes: What opening a file costs, in bytes that could be read instead.
        parallelism: How many tasks can run at once.
    """

    max_partition_bytes: int
    open_cost_bytes: int
    parallelism: int


def split(footers: Sequence[Footer], sizes: Sizes) -> list[list[Share]]:
    """Share the row groups of files among tasks, all about equally large, the largest first.

    Each row group, the largest first, goes to the task that has least yet.
    """
    costs = {
        (file, number): group.num_bytes + sizes.open_cost_bytes // len(footer.groups)
        for file, footer in enumerate(footers)
        for number, group in enumerate(footer.groups)
        if group.num_rows
    }
    if not costs:
        return []
    # It may be 0: rows without a column of the file.
    total = max(1, sum(costs.values()))
    even = math.ceil(total / max(1, sizes.parallelism))
    most = min(sizes.max_partition_bytes, max(even, sizes.open_cost_bytes))
    count = min(len(costs), math.ceil(total / max(1, most)))
    # As many for each core: a rest would run alone.
    count = min(len(costs), math.ceil(count / sizes.parallelism) * sizes.parallelism)
    tasks = [(0, number, list[tuple[int, int]]()) for number in range(count)]
    for unit in sorted(costs, key=lambda unit: (-costs[unit], unit)):
        cost, number, held = tasks[0]
        held.append(unit)
        heapq.heapreplace(tasks, (cost + costs[unit], number, held))
    return [_shares(held) for _, _, held in sorted(tasks, key=lambda task: (-task[0], task[1]))]


def _shares(units: list[tuple[int, int]]) -> list[Share]:
    groups: dict[int, list[int]] = {}
    for file, number in sorted(units):
        groups.setdefault(file, []).append(number)
    return [Share(file, tuple(numbers)) for file, numbers in groups.items()]
