"""Each row group is read by exactly one task, and tasks are about equally large."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspark")

from hypothesis import given
from hypothesis import strategies as st

from spark_infer.spark.scan.files.footers import Footer, RowGroup, Stamp
from spark_infer.spark.scan.files.splits import Share, Sizes, split

MIB = 1 << 20
SIZES = Sizes(max_partition_bytes=128 * MIB, open_cost_bytes=4 * MIB, parallelism=2)


def footer(*groups: tuple[int, int]) -> Footer:
    """Return the footer of a file with row groups of so many rows and bytes."""
    stamp = Stamp(0, 0, 0, sum(rows for rows, _ in groups))
    return Footer(stamp, (), tuple(RowGroup(rows, num_bytes) for rows, num_bytes in groups))


def test_no_rows_are_no_tasks() -> None:
    assert split([], SIZES) == []
    assert split([footer(), footer((0, 0), (0, 10))], SIZES) == []


def test_a_small_file_is_one_task() -> None:
    assert split([footer((5, 100))], SIZES) == [[Share(0, (0,))]]


def test_empty_row_groups_are_left_out() -> None:
    (task,) = split([footer(), footer((0, 0), (1, 1), (0, 0))], SIZES)
    assert task == [Share(1, (1,))]


def test_two_cores_have_a_task_each() -> None:
    tasks = split([footer((1, 10), (1, 10)), footer((1, 10)), footer((1, 10))], SIZES)
    assert [sum(len(share.groups) for share in task) for task in tasks] == [2, 2]


def test_row_groups_of_a_file_are_read_in_order_and_together() -> None:
    one = Sizes(max_partition_bytes=128 * MIB, open_cost_bytes=0, parallelism=1)
    files = [footer((1, 5), (1, 50), (1, 10)), footer((1, 20))]
    assert split(files, one) == [[Share(0, (0, 1, 2)), Share(1, (0,))]]


def test_tasks_are_not_larger_than_spark_allows() -> None:
    files = [footer(*[(1, 100 * MIB)] * 8)]
    assert [len(task[0].groups) for task in split(files, SIZES)] == [1] * 8


def test_a_row_group_that_is_larger_than_spark_allows_is_a_task_and_the_largest_is_first() -> None:
    tasks = split([footer((1, 10)), footer((1, 900 * MIB))], SIZES)
    assert tasks[0] == [Share(1, (0,))]
    assert tasks[1:] == [[Share(0, (0,))]]


groups = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 300 * MIB)), max_size=6)


@given(
    st.lists(groups, max_size=12),
    st.builds(
        Sizes,
        max_partition_bytes=st.integers(1, 256 * MIB),
        open_cost_bytes=st.integers(0, 8 * MIB),
        parallelism=st.integers(1, 9),
    ),
)
def test_every_row_group_is_read_once_and_loads_are_even(
    files: list[list[tuple[int, int]]], sizes: Sizes
) -> None:
    footers = [footer(*groups) for groups in files]
    tasks = split(footers, sizes)
    read = [(s.file, group) for task in tasks for s in task for group in s.groups]
    wanted = [
        (file, number)
        for file, groups in enumerate(files)
        for number, (rows, _) in enumerate(groups)
        if rows
    ]
    assert sorted(read) == wanted
    assert all(len({share.file for share in task}) == len(task) for task in tasks)
    assert all(list(share.groups) == sorted(share.groups) for task in tasks for share in task)

    def cost(file: int, number: int) -> int:
        return files[file][number][1] + sizes.open_cost_bytes // len(files[file])

    loads = [sum(cost(s.file, group) for s in task for group in s.groups) for task in tasks]
    assert loads == sorted(loads, reverse=True)
    if loads:
        assert loads[0] <= loads[-1] + max(cost(*unit) for unit in wanted)
