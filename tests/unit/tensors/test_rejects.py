from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import spark_infer as si
from spark_infer.errors import SignatureError
from spark_infer.tensors.rejects import Rejects, reject_shapes
from spark_infer.tensors.rows import Rows


def test_no_rejects() -> None:
    rejects = Rejects(2)
    rejects.add(np.array([False, False]), "never")
    assert rejects.rows is None
    assert rejects.count == 0
    assert rejects.accepted.index == slice(0, 2)
    assert rejects.reasons().to_pylist() == [None, None]


def test_the_first_reason_of_a_row_is_kept() -> None:
    rejects = Rejects(4)
    rejects.add(np.array([True, False, False, False]), "first")
    rejects.add(np.array([True, False, True, False]), "second")
    assert rejects.rows is not None
    assert rejects.rows.tolist() == [True, False, True, False]
    assert rejects.count == 2
    assert rejects.accepted.positions.tolist() == [1, 3]
    assert rejects.reasons().to_pylist() == ["first", None, "second", None]


def test_all_rows_rejected() -> None:
    rejects = Rejects(2)
    rejects.add(np.array([True, True]), "all")
    assert rejects.accepted.positions.tolist() == []


def test_reasons_are_printable() -> None:
    rejects = Rejects(2)
    rejects.add(np.array([True, False]), "word 'a\x1b[2J'")
    rejects.add_rows(Rows.run(1, 2), "\u202eRuntimeError: \x9b")
    reasons = rejects.reasons().to_pylist()
    assert reasons == ["word 'a\\x1b[2J'", "\\u202eRuntimeError: \\x9b"]


def test_a_value_that_python_does_not_have_is_no_other_error() -> None:
    item = si.ArrayInput("x", column="c", shape=[2], lengths="error")
    days = pa.ListArray.from_arrays([0, 1], pa.array([-800000], pa.int32()).view(pa.date32()))
    words = pa.ListArray.from_arrays([0, 1], pa.array([b"\xff"], pa.binary()).view(pa.string()))
    for column in (days, words):
        with pytest.raises(SignatureError, match="got one of another shape; give the input"):
            reject_shapes(np.array([True]), column, item, Rejects(1))
