"""Some of the rows that a model reads."""

from __future__ import annotations

import decimal
import math

import numpy as np
import pyarrow as pa

import spark_infer as si
from spark_infer.spark.tasks.sample import MAX_ROWS, RowSample, RowSampler

SIGNATURE = si.Signature(
    inputs=[
        si.ScalarInput("x", columns=["a", "b"]),
        si.ScalarInput("w", columns=["w"], vocabulary=("u", "v")),
        si.RaggedInput("r", column="r"),
    ],
    outputs=[si.Output("y")],
)


def batch(start: int, rows: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "a": pa.array(range(start, start + rows), pa.int64()),
            "b": pa.array([None if n % 2 else 0.1 for n in range(rows)], pa.float64()),
            "w": ["u"] * rows,
            "r": pa.array([[1.0]] * rows, pa.list_(pa.float32())),
        }
    )


def drawn(number: int, *batches: pa.RecordBatch, packed: frozenset[str] = frozenset()) -> RowSample:
    sampler = RowSampler(SIGNATURE, packed)
    sampler._random = np.random.default_rng(number)
    for rows in batches:
        sampler.add(rows)
    return sampler.sample


def test_few_rows_are_all_there() -> None:
    sample = drawn(0, batch(0, 3), batch(3, 2))
    assert sample.columns == ("a", "b")
    values, nulls = sample.column("a") or (np.empty(0), -1)
    assert (sorted(values.tolist()), nulls) == ([0, 1, 2, 3, 4], 0)
    values, nulls = sample.column("b") or (np.empty(0), -1)
    assert (values.tolist(), nulls) == ([float(np.float32(0.1))] * 3, 2)
    assert sample.column("w") is None


def test_a_packed_input_is_the_same() -> None:
    given = batch(0, 4)
    rows = zip(given["a"].to_pylist(), given["b"].to_pylist(), strict=True)
    lists = pa.array([list(row) for row in rows], pa.list_(pa.float32()))
    packed = pa.RecordBatch.from_arrays([lists, given["w"], given["r"]], names=["x[]", "w", "r"])
    one, other = drawn(0, given), drawn(0, packed, packed=frozenset(["x"]))
    assert one.columns == other.columns
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.nulls, other.nulls)


def test_all_rows_are_as_likely_whatever_their_task() -> None:
    small, large = (
        drawn(1, batch(0, 10_000)),
        drawn(2, *(batch(k * 10_000, 10_000) for k in (1, 2, 3))),
    )
    sample = small + large
    assert len(sample.numbers) == MAX_ROWS
    values, _ = sample.column("a") or (np.empty(0), 0)
    share = np.mean(values < 10_000)
    assert abs(share - 0.25) < 0.02
    assert len(set(values.tolist())) == MAX_ROWS
    assert (np.diff(sample.numbers) > 0).all()


def test_the_order_of_tasks_does_not_count_and_a_repeated_one_counts_once() -> None:
    one, other = drawn(1, batch(0, 8_000)), drawn(2, batch(8_000, 8_000))
    first, second = one + other, RowSample() + other + one + other + one
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(first.numbers, second.numbers)


def test_numbers_of_any_type_count_and_texts_do_not() -> None:
    rows = pa.RecordBatch.from_pydict(
        {
            "a": pa.array([decimal.Decimal("1.5"), None], pa.decimal128(5, 2)),
            "b": pa.array([True, False]),
        }
    )
    sample = drawn(0, rows)
    assert sorted(sample.values[~sample.nulls].tolist()) == [0.0, 1.0, 1.5]
    texts = pa.RecordBatch.from_pydict(
        {"a": ["1", "2"], "b": pa.array([1.0, math.nan], pa.float16())}
    )
    assert drawn(0, texts).columns == ("b",)
    assert drawn(0, texts.select(["a"])).columns == ("",)
