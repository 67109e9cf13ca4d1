from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

import spark_infer as si
from spark_infer.bundle.columns import DTYPES
from spark_infer.engine.proof.probe import NUM_ALIKE, num_odd, probe
from spark_infer.tensors import Decoder
from spark_infer.tensors.rows import Rows


def of(*inputs: Any) -> si.Signature:
    return si.Signature(inputs=inputs, outputs=[si.Output("y")])


def lengths(rows: pa.RecordBatch, name: str) -> list[int]:
    return [len(row) for row in rows[name].to_pylist()]


def test_lengths_reach_from_none_to_the_longest() -> None:
    signature = of(si.RaggedInput("x", column="x", max_length=600))
    rows, odd = probe(signature), num_odd(signature)
    assert lengths(rows, "x")[:NUM_ALIKE] == [3] * NUM_ALIKE
    assert lengths(rows, "x")[NUM_ALIKE:-odd] == [1, 2, 3, 5, 8, 17, 33, 64, 129, 516, 600]
    assert lengths(rows, "x")[-1] == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"max_length": 2}, {0, 1, 2}), ({"max_length": 9, "min_length": 4}, {4, 5, 8, 9})],
)
def test_lengths_stay_within_the_limits(options: dict[str, int], expected: set[int]) -> None:
    rows = probe(of(si.RaggedInput("x", column="x", **options)))
    assert set(lengths(rows, "x")) == expected


def test_long_rows_of_one_input_stand_beside_short_rows_of_another() -> None:
    signature = of(si.RaggedInput("a", column="a"), si.RaggedInput("b", column="b"))
    rows, odd = probe(signature), num_odd(signature)
    a, b = (lengths(rows, name)[NUM_ALIKE:-odd] for name in "ab")
    assert a == b[::-1]


@pytest.mark.parametrize("words", [("a", "b", "c", "d"), (0, 1, 2, 7)])
def test_ids_reach_from_the_first_word_to_the_unknown(words: Any) -> None:
    item = si.ScalarInput("x", columns=[si.Column("x", nulls=9)], vocabulary=words)
    decoded = Decoder(of(item)).decode(probe(of(item)))
    assert set(decoded.tensors(Rows.run(0, decoded.num_rows))["x"].ravel()) >= {0, 3, 4, 9}


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_of_every_input_is_covered(dtype: str) -> None:
    signature = of(
        si.ScalarInput("s", columns=["s", si.Column("t", nulls=1)], dtype=dtype),
        si.ArrayInput("a", column="a", shape=[2, 3], dtype=dtype, null_items=1),
        si.RaggedInput("r", column="r", shape=[2], dtype=dtype),
        si.RaggedInput("f", column="f", fields=["p", "q"], dtype=dtype, presence=True),
    )
    rows = probe(signature)
    assert str(rows.to_pydict()) == str(probe(signature).to_pydict())
    decoded = Decoder(signature).decode(rows)
    assert decoded.rejects.count == 0
    assert rows["t"].null_count
    assert {len(set(rows[name].to_pylist())) > 1 for name in "st"} == {True}


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if "int" in dtype])
@pytest.mark.parametrize("pad", [0, 1, 100, 127])
def test_integers_stand_below_and_above_the_pad_value(dtype: str, pad: int) -> None:
    item = si.RaggedInput("x", column="x", dtype=dtype, pad_value=pad)
    odd = probe(of(item))["x"].to_pylist()[-num_odd(of(item)) :]
    least, most = (0, 255) if dtype == "uint8" else (-128, 127)
    lowest, highest = (least, most) if dtype[-1] == "8" else (pad - 91, pad + 91)
    below, above = max(pad - 90, lowest), min(pad + 90, highest)
    assert odd[:4] == [
        *([max(pad - 1, least)], [min(pad + 1, highest)]),
        *([below, max(pad - 91, lowest)], [above, min(pad + 91, highest)]),
    ]


def test_ids_of_one_input_stay_while_the_integers_of_another_go_beyond_them() -> None:
    words = si.RaggedInput("w", column="w", dtype="int64", vocabulary=(0, 1, 2))
    hashed = si.HashBuckets(num_buckets=4)
    signature = of(
        *(si.RaggedInput(name, column=name, dtype="int32") for name in "ab"),
        *(words, si.RaggedInput("h", column="h", dtype="int64", transform=hashed)),
        si.RaggedInput("m", column="m", dtype="bool"),
        si.RaggedInput("f", column="f", fields=["p", "q"], dtype="int8", null_items=3),
        si.ScalarInput("s", columns=["s", si.Column("t", nulls=1)], dtype="int64"),
        si.ArrayInput("n", column="n", shape=[2], dtype="int16"),
        si.ScalarInput("c", columns=["c"], dtype="int32", transform=hashed),
    )
    rows, odd = probe(signature), num_odd(signature)
    assert odd == 5 * 4 + 10
    a, b, f = (rows[name].to_pylist()[-odd:] for name in "abf")
    small = {0, 1}
    assert a[:4] == b[4:8] == [[-1], [1], [-90, -91], [90, 91]]
    assert {number for row in (*a[4:], *b[:4], *b[8:]) for number in row} == small
    assert f[8] == [{"p": -1, "q": -1}]
    assert f[11] == [{"p": 90, "q": 90}, {"p": 91, "q": 91}]
    s, t, n = (rows[name].to_pylist()[-odd:] for name in "stn")
    assert s[12:16] == t[12:16] == [-1, 2, -90, 91]
    assert n[16:20] == [[-1, -2], [2, 3], [-90, -91], [91, 92]]
    assert {*s[:12], *s[16:], *(one for row in n[:16] + n[20:] for one in row)} == small
    assert {number for row in rows["w"].to_pylist() for number in row} <= {0, 1, 2, 3}
