from __future__ import annotations

import mmap
from collections import deque

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.engine.gather import gather, regroup
from spark_infer.errors import SignatureError
from spark_infer.tensors.arrow.leaves import plain

NAMES = ("n",)


def batches(sizes: list[int]) -> list[pa.RecordBatch]:
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    return [
        pa.RecordBatch.from_pydict({"n": pa.array(range(start, start + size), pa.int64())})
        for start, size in zip(starts, sizes, strict=True)
    ]


@given(
    sizes=st.lists(st.integers(0, 30), max_size=8),
    max_rows=st.none() | st.integers(1, 40),
    max_bytes=st.integers(1, 400),
)
def test_rows_keep_their_order_and_their_record_batches(
    sizes: list[int], max_rows: int | None, max_bytes: int
) -> None:
    came: deque[int] = deque()
    seen = []

    def through() -> list[pa.RecordBatch]:
        for window in gather(
            batches(sizes), columns=NAMES, max_rows=max_rows, max_bytes=max_bytes, sizes=came
        ):
            seen.append(window)
            yield window

    found = list(regroup(through(), came))
    assert [len(batch) for batch in found] == sizes
    assert [row for batch in found for row in batch["n"].to_pylist()] == list(range(sum(sizes)))
    for window in seen:
        assert max_rows is None or len(window) <= max_rows
        assert window.nbytes <= max_bytes or len(window) == 1


def test_record_batches_are_gathered_up_to_the_limit() -> None:
    found = gather(batches([3, 3, 3, 3]), columns=NAMES, max_rows=7, max_bytes=10**6, sizes=deque())
    assert [len(window) for window in found] == [6, 6]
    found = gather(batches([3, 3, 3, 3]), columns=NAMES, max_rows=100, max_bytes=72, sizes=deque())
    assert [len(window) for window in found] == [9, 3]


def test_without_gathering_each_record_batch_is_a_window() -> None:
    found = list(
        gather(batches([3, 0, 2]), columns=NAMES, max_rows=None, max_bytes=10**6, sizes=deque())
    )
    assert [len(window) for window in found] == [3, 0, 2]


def test_a_large_record_batch_comes_in_pieces_and_returns_whole() -> None:
    sizes: deque[int] = deque()
    pieces = list(gather(batches([10]), columns=NAMES, max_rows=None, max_bytes=24, sizes=sizes))
    assert [len(piece) for piece in pieces] == [3, 3, 3, 1]
    (whole,) = regroup(pieces, sizes)
    assert whole["n"].to_pylist() == list(range(10))


@pytest.mark.parametrize("max_rows", [None, 4])
def test_no_more_is_read_than_the_window_and_one_record_batch(max_rows: int | None) -> None:
    num_read = 0

    def source() -> list[pa.RecordBatch]:
        nonlocal num_read
        for batch in batches([2] * 6):
            num_read += 1
            yield batch

    found = gather(source(), columns=NAMES, max_rows=max_rows, max_bytes=10**6, sizes=deque())
    assert len(next(found)) == (2 if max_rows is None else 4)
    assert num_read == (1 if max_rows is None else 3)


def test_tables_are_gathered_too() -> None:
    tables = [pa.Table.from_batches(batches([2, 3])), pa.Table.from_batches(batches([2]))]
    (window,) = gather(tables, columns=NAMES, max_rows=10, max_bytes=10**6, sizes=deque())
    assert window["n"].to_pylist() == [0, 1, 2, 3, 4, 0, 1]


def test_columns_that_are_not_read_count_in_bytes_and_are_left_out() -> None:
    wide = [batch.append_column("text", pa.array(["x" * 100] * 3)) for batch in batches([3, 3, 3])]
    found = list(gather(wide, columns=NAMES, max_rows=100, max_bytes=700, sizes=deque()))
    assert len(found) == 2
    assert {tuple(window.schema.names) for window in found} == {NAMES}


@pytest.mark.parametrize(
    "other",
    [
        {"x": pa.array([1], pa.int64())},
        {"n": pa.array([1], pa.int32())},
        {"n": pa.array([[1]], pa.list_(pa.int64()))},
        {"n": pa.array(["1"])},
        {"n": pa.nulls(1)},
    ],
)
def test_where_the_schema_changes_a_window_ends(other: dict[str, pa.Array]) -> None:
    first, second = batches([2, 3]), [pa.RecordBatch.from_pydict(other)]
    sizes: deque[int] = deque()
    found = gather(
        [*first, *second, *first], columns=NAMES, max_rows=100, max_bytes=10**6, sizes=sizes
    )
    assert [window.num_rows for window in found] == [5, 1, 5]
    assert list(sizes) == [2, 3, 1, 2, 3]


def test_dictionaries_that_are_too_many_words_together() -> None:
    words = [[f"{part} {number}" for number in range(100)] for part in range(3)]
    kind = pa.dictionary(pa.int8(), pa.string())
    given = [pa.RecordBatch.from_pydict({"n": pa.array(part, kind)}) for part in words]
    (window,) = gather(given, columns=NAMES, max_rows=1000, max_bytes=10**6, sizes=deque())
    assert window.column("n").to_pylist() == [word for part in words for word in part]


@pytest.mark.parametrize("kind", ["string", "binary", "string_view", "binary_view"])
def test_words_that_are_repeated_may_be_more_than_their_own_type_counts(kind: str) -> None:
    words = pa.array([b"a", b"b"]).cast(getattr(pa, kind)())
    coded = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0], pa.int8()), words)
    given = [pa.RecordBatch.from_pydict({"n": coded})] * 2
    (window,) = gather(given, columns=NAMES, max_rows=10, max_bytes=10**6, sizes=deque())
    assert str(window.column("n").type) == "large_" + kind.removesuffix("_view")
    assert window.column("n").to_pylist() == coded.to_pylist() * 2


def test_text_that_its_type_does_not_count_is_refused() -> None:
    # Nobody looks at the memory of the text, so that it takes none.
    length = 2**30 + 2**20
    text = [pa.py_buffer(np.array([0, length], np.int32)), pa.py_buffer(mmap.mmap(-1, length))]
    column = pa.Array.from_buffers(pa.string(), 1, [None, *text])
    given = [pa.RecordBatch.from_pydict({"n": column})] * 2
    with pytest.raises(SignatureError, match="do not join: offset overflow"):
        list(gather(given, columns=NAMES, max_rows=10, max_bytes=2**40, sizes=deque()))


def words(of: str) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([1, None, 0, 1], pa.int8()), list(of))


CODED = {
    "words": words,
    "lists of words": lambda of: pa.ListArray.from_arrays([0, 2, None, 4], words(of)),
    "large lists of words": lambda of: pa.LargeListArray.from_arrays([0, 2, None, 4], words(of)),
    "pairs of words": lambda of: pa.FixedSizeListArray.from_arrays(words(of), 2),
    "structs of words": lambda of: pa.StructArray.from_arrays(
        [words(of)], ["w"], mask=pa.array([False, False, True, False])
    ),
    "lists of structs of words": lambda of: pa.ListArray.from_arrays(
        [0, 1, 1, 4], pa.StructArray.from_arrays([words(of)], ["w"])
    ),
    "words that are lists": lambda of: pa.DictionaryArray.from_arrays(
        pa.array([1, 0, None], pa.int8()), pa.array([[of], [of, None]])
    ),
    "words that are lists of words": lambda of: pa.DictionaryArray.from_arrays(
        pa.array([1, 0, None], pa.int8()), pa.ListArray.from_arrays([0, 2, 4], words(of))
    ),
}


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("start", [0, 1])
def test_dictionaries_join_at_all_depths(name: str, start: int) -> None:
    parts = [CODED[name](of)[start:] for of in ("abc", "xyz")]
    given = [pa.RecordBatch.from_pydict({"n": part}) for part in parts]
    (window,) = gather(given, columns=NAMES, max_rows=1000, max_bytes=10**6, sizes=deque())
    assert window.column("n").to_pylist() == [row for part in parts for row in part.to_pylist()]
    window.validate(full=True)
    whole = plain(pa.chunked_array(parts))
    assert whole.to_pylist() == window.column("n").to_pylist()


def test_what_does_not_join_is_refused() -> None:
    coded = [pa.DictionaryArray.from_arrays([0], pa.array([[of]])) for of in ("a", "b")]
    maps = [pa.MapArray.from_arrays([0, 1], pa.array(["k"]), values) for values in coded]
    given = [pa.RecordBatch.from_pydict({"n": part}) for part in maps]
    with pytest.raises(SignatureError, match="record batches that come together do not join"):
        list(gather(given, columns=NAMES, max_rows=10, max_bytes=10**6, sizes=deque()))
