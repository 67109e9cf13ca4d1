from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

import spark_infer as si
from spark_infer.bundle.columns import DTYPES
from spark_infer.engine.proof.probe import NUM_ALIKE, NUM_ODD, probe
from spark_infer.tensors import Decoder
from spark_infer.tensors.rows import Rows


def of(*inputs: Any) -> si.Signature:
    return si.Signature(inputs=inputs, outputs=[si.Output("y")])


def lengths(rows: pa.RecordBatch, name: str) -> list[int]:
    return [len(row) for row in rows[name].to_pylist()]


def test_lengths_reach_from_none_to_the_longest() -> None:
    rows = probe(of(si.RaggedInput("x", column="x", max_length=600)))
    assert lengths(rows, "x")[:NUM_ALIKE] == [3] * NUM_ALIKE
    assert lengths(rows, "x")[NUM_ALIKE:-NUM_ODD] == [1, 2, 3, 5, 8, 17, 33, 64, 129, 516, 600]
    assert lengths(rows, "x")[-1] == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"max_length": 2}, {0, 1, 2}), ({"max_length": 9, "min_length": 4}, {4, 5, 8, 9})],
)
def test_lengths_stay_within_the_limits(options: dict[str, int], expected: set[int]) -> None:
    rows = probe(of(si.RaggedInput("x", column="x", **options)))
    assert set(lengths(rows, "x")) == expected


def test_long_rows_of_one_input_stand_beside_short_rows_of_another() -> None:
    rows = probe(of(si.RaggedInput("a", column="a"), si.RaggedInput("b", column="b")))
    a, b = (lengths(rows, name)[NUM_ALIKE:-NUM_ODD] for name in "ab")
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
