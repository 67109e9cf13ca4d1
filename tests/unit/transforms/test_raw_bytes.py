from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

import spark_infer as si
from spark_infer.bundle.columns import DTYPES
from spark_infer.errors import SignatureError
from spark_infer.tensors import Decoded, TransformFailed, row_hashes
from spark_infer.tensors.rows import Rows
from spark_infer.transforms import make_decoder


def decode(item: Any, column: pa.Array | list[Any]) -> Decoded:
    signature = si.Signature(inputs=[item], outputs=[si.Output("y")])
    if isinstance(column, list):
        column = pa.array(column, pa.binary())
    return make_decoder(signature).decode(pa.RecordBatch.from_pydict({"x": column}))


def bytes_of(*numbers: Any, dtype: str = "float32") -> bytes:
    return np.array(numbers, np.dtype(dtype).newbyteorder("<")).tobytes()


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if dtype != "bool"])
@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_bytes_are_the_numbers_of_every_type(dtype: str, kind: pa.DataType) -> None:
    item = si.ArrayInput("x", column="x", shape=[2, 3], dtype=dtype, transform=si.RawBytes())
    rows = np.arange(24).reshape(4, 2, 3).astype(dtype)
    # A byte in front: the numbers then lie at odd places of the memory.
    column = pa.array([b"x", *(row.tobytes() for row in rows)], pa.large_binary())[1:]
    column = column.cast(kind)
    found = decode(item, column).tensors(Rows.run(0, 4))["x"]
    assert found.dtype == dtype
    assert found.flags.aligned
    np.testing.assert_array_equal(found, rows)
    picked = decode(item, column).tensors(Rows(np.array([3, 0])))["x"]
    np.testing.assert_array_equal(picked, rows[[3, 0]])


def test_large_values_are_made_when_a_batch_needs_them() -> None:
    item = si.ArrayInput("x", column="x", shape=[1], transform=si.RawBytes())
    decoded = decode(item, [bytes_of(1), b"bad", bytes_of(3), None])
    assert decoded.rejects.reasons().to_pylist() == [None, None, None, "column 'x' is null"]
    assert decoded.tensors(Rows.run(0, 1))["x"].tolist() == [[1]]
    with pytest.raises(TransformFailed, match=r"^column 'x': transform 'raw_bytes' needs values"):
        decoded.tensors(Rows.run(0, 3))
    assert decoded.tensors(Rows(np.array([2, 0])))["x"].tolist() == [[3], [1]]


def test_a_null_rule_fills_arrays() -> None:
    item = si.ArrayInput(
        "x", column="x", shape=[2], transform=si.RawBytes(), nulls=7, presence=True
    )
    decoded = decode(item, [None, bytes_of(1, 2)])
    found = decoded.tensors(Rows.run(0, 2))
    assert found["x"].tolist() == [[7, 7], [1, 2]]
    assert found["x_present"].tolist() == [[False, False], [True, True]]


def test_ragged_values_are_made_for_a_window() -> None:
    item = si.RaggedInput(
        *("x",), column="x", shape=[2], transform=si.RawBytes(), max_length=2, overflow="keep_last"
    )
    column = [bytes_of(1, 2), b"", bytes_of(1, 2, 3, 4, 5, 6), bytes_of(1, 2, 3), None]
    decoded = decode(item, column)
    assert decoded.lengths("x")[:3].tolist() == [1, 0, 2]
    assert decoded.rejects.reasons().to_pylist() == [
        *(None, None, None),
        "column 'x': transform 'raw_bytes' needs values of a multiple of 8 bytes, float32 of [2]",
        "column 'x' is null",
    ]
    found = decoded.tensors(Rows.run(0, 3))
    assert found["x"].tolist() == [[[1, 2], [0, 0]], [[0, 0], [0, 0]], [[3, 4], [5, 6]]]
    assert found["x_mask"].tolist() == [[True, False], [False, False], [True, True]]


def test_equal_values_hash_alike_and_others_apart() -> None:
    item = si.ArrayInput("x", column="x", shape=[1], transform=si.RawBytes(), nulls=0)
    decoded = decode(item, [bytes_of(1), bytes_of(2), None, bytes_of(1), b"", None])
    hashes = [tuple(row) for row in row_hashes(decoded, Rows.run(0, 6)).tolist()]
    assert hashes[0] == hashes[3]
    assert hashes[2] == hashes[5]
    assert len(set(hashes)) == 4


@pytest.mark.parametrize("nulls", [0, 7, "nan"])
def test_a_column_of_nothing_but_nulls_is_filled(nulls: Any) -> None:
    model = si.LocalModel(si.FunctionBackend(lambda x: [x.sum(1)]))
    item = si.ArrayInput("x", column="x", shape=[2], transform=si.RawBytes(), nulls=nulls)
    signature = si.Signature(inputs=[item], outputs=[si.Output("y")])
    predictor = si.Predictor(model, signature, si.BatchOptions(dedupe=True))
    coded = pa.DictionaryArray.from_arrays(pa.array([0, None]), pa.nulls(1))
    for column in (pa.nulls(2), coded):
        found = predictor.predict(pa.table({"x": column}))
        expected = np.full(2, 2 * float(nulls))
        np.testing.assert_array_equal(np.array(found["y"]), expected)
        assert found["rejected_reason"].null_count == 2


def test_a_row_of_other_bytes_costs_itself() -> None:
    model = si.LocalModel(si.FunctionBackend(lambda x: [x.sum(1)]))
    item = si.ArrayInput("x", column="x", shape=[2], transform=si.RawBytes())
    signature = si.Signature(inputs=[item], outputs=[si.Output("y")])
    predictor = si.Predictor(model, signature)
    column = pa.array([bytes_of(n, n) if n % 7 else b"12345" for n in range(50)])
    predicted = predictor.predict({"x": column})
    assert predicted["y"].to_pylist() == [2 * n if n % 7 else None for n in range(50)]
    reason = "column 'x': transform 'raw_bytes' needs values of 8 bytes, float32 of [2]"
    assert predicted["rejected_reason"].to_pylist() == [
        None if n % 7 else reason for n in range(50)
    ]
    assert 0 < predictor.metrics.seconds["transform"] <= predictor.metrics.seconds["assemble"] + 1


def test_a_byte_is_no_bool() -> None:
    with pytest.raises(SignatureError, match="dtype cannot be bool; use uint8"):
        si.ArrayInput("x", column="x", shape=[1], dtype="bool", transform=si.RawBytes())


def test_structs_have_no_transform() -> None:
    with pytest.raises(SignatureError, match="fields are numbers, and a transform takes other"):
        si.RaggedInput("x", column="x", fields=["a"], transform=si.RawBytes())


@pytest.mark.parametrize(
    ("column", "came"), [(["text"], "string"), ([[1.0]], "array<double>"), ([1], "bigint")]
)
def test_other_columns_are_refused(column: list[Any], came: str) -> None:
    item = si.ArrayInput("x", column="x", shape=[1], transform=si.RawBytes())
    with pytest.raises(SignatureError, match=f"{came} does not match transform 'raw_bytes'; cast"):
        decode(item, pa.array(column))


def test_a_model_of_ragged_bytes_is_saved_and_takes_none(tmp_path: Path) -> None:
    class Sum(torch.nn.Module):
        def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return (x * mask).sum(1)

    item = si.RaggedInput("x", column="x", transform=si.RawBytes())
    signature = si.Signature(inputs=[item], outputs=[si.Output("y")])
    bundle = si.save_bundle(tmp_path / "b", Sum(), signature=signature)
    rows = {"x": [np.array([1, 2], "<f4").tobytes(), b"", np.array([4], "<f4").tobytes()]}
    predicted = si.Predictor(si.load_model(bundle), bundle).predict(rows)
    assert predicted["y"].to_pylist() == [3.0, 0.0, 4.0]


def test_what_another_shape_does_is_no_question_of_bytes() -> None:
    with pytest.raises(SignatureError, match="lengths is about arrays, and a transform makes"):
        si.ArrayInput("x", column="x", shape=[1], transform=si.RawBytes(), lengths="error")
