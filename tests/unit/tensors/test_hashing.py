from __future__ import annotations

import dataclasses
import itertools
import random
import subprocess
import sys
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.bundle import (
    ArrayInput,
    Column,
    Input,
    Output,
    RaggedInput,
    ScalarInput,
    Signature,
)
from spark_infer.tensors import Decoder, hashing
from spark_infer.tensors.decode import Decoded
from spark_infer.tensors.hashing import row_hashes
from spark_infer.tensors.rows import Rows
from tests.unit.support.layouts import Layout, build, build_chunks
from tests.unit.support.strategies import array_cases, ragged_cases, scalar_cases

RANDOM = st.randoms(use_true_random=False)


@dataclasses.dataclass
class Source:
    """Inputs, with columns of few distinct rows that are stored anew for each record batch."""

    inputs: list[Input]
    columns: dict[str, list[Any]]
    layouts: dict[str, Layout]
    num_rows: int

    def decoded(self, rows: list[int], rnd: random.Random) -> Decoded:
        """Decode some of the rows, in this order, from any layout."""
        store = build_chunks if rnd.random() < 0.5 else build
        arrays = {
            name: store([values[row] for row in rows], self.layouts[name], rnd)
            for name, values in self.columns.items()
        }
        return decode(pa.table(arrays), *self.inputs)


@st.composite
def sources(draw: st.DrawFn) -> Source:
    kinds = st.sampled_from([scalar_cases(), array_cases(), ragged_cases()])
    cases = [draw(draw(kinds)) for _ in range(draw(st.integers(1, 3)))]
    num_rows = min(len(values) for case in cases for values in case.columns.values())
    source = Source([], {}, {}, num_rows)
    for index, case in enumerate(cases):
        changes: dict[str, Any] = {"name": f"x{index}"}
        if isinstance(case.item, ScalarInput):
            changes["columns"] = [
                Column(f"{column.name}{index}", nulls=column.nulls)
                for column in case.item.source_columns
            ]
        else:
            changes["column"] = f"a{index}"
        source.inputs.append(dataclasses.replace(case.item, **changes))
        source.columns |= {f"{name}{index}": values for name, values in case.columns.items()}
        source.layouts |= {f"{name}{index}": layout for name, layout in case.layouts.items()}
    return source


def decode(batch: pa.RecordBatch | pa.Table, *inputs: Input) -> Decoded:
    return Decoder(Signature(inputs=inputs, outputs=[Output("y")])).decode(batch)


def scalars(rows: list[Any], **options: Any) -> Decoded:
    """Decode rows of numbers as one scalar input."""
    columns = [Column(f"c{index}", nulls=0) for index in range(len(rows[0]))]
    values = {column.name: [row[index] for row in rows] for index, column in enumerate(columns)}
    return decode(pa.table(values), ScalarInput("x", columns=columns, **options))


def lists(values: list[Any], **options: Any) -> Decoded:
    """Decode lists of integers as one ragged input."""
    column = pa.array(values, pa.list_(pa.int64()))
    item = RaggedInput("x", column="a", dtype="int64", null_items=0, **options)
    return decode(pa.table({"a": column}), item)


def hashes(decoded: Decoded, rows: Rows | None = None) -> list[bytes]:
    found = row_hashes(decoded, Rows.run(0, decoded.num_rows) if rows is None else rows)
    assert found.dtype == np.uint64
    assert found.shape[1:] == (2,)
    return [row.tobytes() for row in found]


def model_inputs(decoded: Decoded, row: int) -> Hashable:
    """Return what the model gets for a row that is alone: bytes, and its lengths."""
    tensors = decoded.tensors(Rows.run(row, row + 1))
    lengths = [decoded.lengths(name)[row] for name in decoded.ragged]
    return (*[tensor.tobytes() for tensor in tensors.values()], *lengths)


@given(source=sources(), data=st.data(), rnd=RANDOM)
def test_hashes_are_equal_when_and_only_when_the_models_inputs_are(
    source: Source, data: st.DataObject, rnd: random.Random
) -> None:
    choices = st.lists(st.integers(0, source.num_rows - 1), max_size=10)
    pairs = set()
    for _ in range(2):
        decoded = source.decoded(data.draw(choices) if source.num_rows else [], rnd)
        found = hashes(decoded)
        assert len(found) == decoded.num_rows
        pairs |= {(found[row], model_inputs(decoded, row)) for row in range(len(found))}
    assert len(pairs) == len({pair[0] for pair in pairs}) == len({pair[1] for pair in pairs})


@given(source=sources(), data=st.data(), rnd=RANDOM)
def test_a_hash_does_not_depend_on_where_the_row_stands_and_which_others_are_asked_for(
    source: Source, data: st.DataObject, rnd: random.Random
) -> None:
    rows = [index for index in range(source.num_rows) for _ in range(2)]
    expected = hashes(source.decoded(rows, rnd))
    order = data.draw(st.permutations(range(len(rows))))
    shuffled = source.decoded([rows[index] for index in order], rnd)
    assert hashes(shuffled) == [expected[index] for index in order]
    decoded = source.decoded(rows, rnd)
    subset = [index for index in order if rnd.random() < 0.7]
    assert hashes(decoded, Rows(np.array(subset, np.intp))) == [expected[index] for index in subset]
    start, stop = sorted(rnd.randint(0, len(rows)) for _ in range(2))
    assert hashes(decoded, Rows.run(start, stop)) == expected[start:stop]


@pytest.mark.parametrize("presence", [False, True])
@pytest.mark.parametrize("words", [1, 7, 64])
def test_the_size_of_a_block_changes_nothing(
    words: int, presence: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rnd = random.Random(0)
    table = pa.table(
        {
            "a": pa.array([rnd.random() for _ in range(50)], pa.float64()),
            "b": pa.array([[rnd.randint(0, 9)] * 3 for _ in range(50)]),
            "c": pa.array([list(range(rnd.choice([0, 0, 1, 5, 90]))) for _ in range(50)]),
        }
    )
    decoded = decode(
        table,
        ScalarInput("x", columns=["a"], dtype="float64", presence=presence),
        ArrayInput("y", column="b", shape=[3], presence=presence),
        RaggedInput("z", column="c", dtype="int64", presence=presence),
    )
    sample = Rows(np.array(rnd.sample(range(50), 40)))
    selections = [Rows.run(0, 50), Rows.run(3, 47), sample]
    expected = [hashes(decoded, rows) for rows in selections]
    monkeypatch.setattr(hashing, "_BLOCK_WORDS", words)
    assert [hashes(decoded, rows) for rows in selections] == expected


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_signs_and_swaps_do_not_cancel(dtype: str) -> None:
    values = list(itertools.product([1.0, -1.0, 2.0, -2.0], repeat=6))
    assert len(set(hashes(scalars(values, dtype=dtype)))) == 4**6


@given(
    base=st.lists(st.floats(width=32), min_size=4, max_size=4),
    columns=st.sets(st.integers(0, 3), min_size=1),
    bit=st.integers(0, 31),
)
def test_the_same_bit_of_several_columns_does_not_cancel(
    base: list[float], columns: set[int], bit: int
) -> None:
    values = np.array([base, base], np.float32)
    values.view(np.uint32)[1, sorted(columns)] ^= np.uint32(1 << bit)
    first, second = hashes(decode(_packed(values), ArrayInput("x", column="a", shape=[4])))
    assert first != second


def _packed(values: np.ndarray[Any, Any]) -> pa.RecordBatch:
    column = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
    return pa.RecordBatch.from_arrays([column], ["a"])


def test_each_half_tells_many_structured_rows_apart() -> None:
    values = np.array(list(itertools.product(range(8), repeat=5)), np.float32)
    found = row_hashes(
        decode(_packed(values), ArrayInput("x", column="a", shape=[5])), Rows.run(0, 8**5)
    )
    for half in found.T:
        assert len(np.unique(half)) == 8**5


def test_rows_of_zeros_of_different_lengths_hash_apart() -> None:
    found = hashes(lists([[], [0], [0, 0], [0, 0, 0], [], [0]]))
    assert found[4:] == found[:2]
    assert len(set(found)) == 4


def test_positions_of_a_ragged_row_do_not_swap() -> None:
    rows = [list(row) for row in itertools.permutations(range(6))]
    assert len(set(hashes(lists(rows)))) == len(rows)


def test_only_what_the_overflow_rule_keeps_is_hashed() -> None:
    kept = hashes(lists([[8, 1, 2], [9, 1, 2], [1, 2]], max_length=2, overflow="keep_last"))
    assert len(set(kept)) == 1
    assert kept == hashes(
        lists([[1, 2, 8], [1, 2, 9], [1, 2]], max_length=2, overflow="keep_first")
    )


def test_the_same_bytes_in_another_input_hash_apart() -> None:
    inputs = [ScalarInput("x", columns=["a"]), ScalarInput("y", columns=["b"])]
    first, second = hashes(decode(pa.table({"a": [1.0, 2.0], "b": [2.0, 1.0]}), *inputs))
    assert first != second


@pytest.mark.parametrize("make", [scalars, lists])
def test_a_row_without_a_null_hashes_alike_beside_rows_with_one(make: Any) -> None:
    full, with_null, filled = [1, 2, 3], [1, None, 3], [1, 0, 3]
    found = hashes(make([full, with_null, filled], presence=True))
    assert found[::2] == hashes(make([full, filled], presence=True))
    assert len(set(found)) == 3


def test_zeros_of_both_signs_hash_apart_and_nan_equals_itself() -> None:
    found = hashes(scalars([[0.0], [-0.0], [float("nan")], [float("nan")]]))
    assert len(set(found[:3])) == 3
    assert found[2] == found[3]


def test_no_rows() -> None:
    decoded = lists([[1], [2]])
    assert hashes(decoded, Rows.run(1, 1)) == []
    assert hashes(decoded, Rows(np.array([], np.intp))) == []
    assert hashes(lists([])) == []
    assert len(hashes(lists([[], []]))) == 2


def test_another_process_draws_other_keys() -> None:
    code = """
import pyarrow as pa
from tests.unit.tensors.test_hashing import hashes, lists
print(hashes(lists([[1]]))[0].hex())
"""
    root = Path(__file__).parents[3]
    other = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=root).strip()
    assert len(other) == 32
    assert other != hashes(lists([[1]]))[0].hex()
