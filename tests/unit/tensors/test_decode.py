from __future__ import annotations

import dataclasses
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.bundle import ArrayInput, Column, Output, RaggedInput, ScalarInput, Signature
from spark_infer.errors import SignatureError
from spark_infer.tensors import Decoder, packed_name
from spark_infer.tensors.decode import Decoded
from spark_infer.tensors.rows import Rows
from tests.unit.support.layouts import Leaf, ListOf, build
from tests.unit.support.reference import rows_of, tensors_of
from tests.unit.support.strategies import Case, array_cases, ragged_cases, scalar_cases

CASES = pytest.mark.parametrize(
    "cases", [scalar_cases(), array_cases(), ragged_cases()], ids=["scalar", "array", "ragged"]
)
RANDOM = st.randoms(use_true_random=False)


def decode(batch: pa.RecordBatch | pa.Table, *inputs, packed=()) -> Decoded:
    signature = Signature(inputs=inputs, outputs=[Output("y")])
    return Decoder(signature, packed).decode(batch)


def assert_equals_reference(decoded: Decoded, case: Case, rnd: random.Random) -> None:
    expected = rows_of(case.item, case.columns, case.kinds)
    assert decoded.rejects.reasons().to_pylist() == [row.reason for row in expected]
    accepted = [index for index, row in enumerate(expected) if row.reason is None]
    subset = [index for index in accepted if rnd.random() < 0.7]
    start, stop = sorted(rnd.randint(0, len(expected)) for _ in range(2))
    selections = [Rows(np.array(positions, np.intp)) for positions in (accepted, subset)]
    if all(index in accepted for index in range(start, stop)):
        selections.append(Rows.run(start, stop))
    for rows in selections:
        got = decoded.tensors(rows)
        want = tensors_of(case.item, [expected[index] for index in rows.positions])
        assert list(got) == list(want)
        for name, tensor in want.items():
            assert got[name].dtype == tensor.dtype
            np.testing.assert_array_equal(got[name], tensor, strict=True)


@CASES
@given(data=st.data(), rnd=RANDOM)
def test_any_layout_decodes_like_the_reference(
    cases: st.SearchStrategy[Case], data: st.DataObject, rnd: random.Random
) -> None:
    case = data.draw(cases)
    batch = case.table(rnd) if rnd.random() < 0.5 else case.record_batch(rnd)
    assert_equals_reference(decode(batch, case.item), case, rnd)


@given(data=st.data(), rnd=RANDOM)
def test_a_packed_list_decodes_like_its_columns(data: st.DataObject, rnd: random.Random) -> None:
    kind = data.draw(st.sampled_from(["bool", "int8", "int64", "float32", "float64"]))
    case = data.draw(scalar_cases(kind=kind, plain=True))
    rows = [list(row) for row in zip(*case.columns.values(), strict=True)]
    size = len(case.columns) if rnd.random() < 0.5 else None
    packed = build(rows, ListOf(Leaf(kind), size=size), rnd)
    batch = pa.RecordBatch.from_pydict({packed_name(case.item): packed})
    assert_equals_reference(decode(batch, case.item, packed={"x"}), case, rnd)


@given(first=scalar_cases(), second=ragged_cases(), rnd=RANDOM)
def test_a_row_is_rejected_for_the_first_reason_in_the_order_of_the_inputs(
    first: Case, second: Case, rnd: random.Random
) -> None:
    scalars, ragged = dataclasses.replace(first.item, name="y"), second.item
    num_rows = min(len(next(iter(case.columns.values()))) for case in (first, second))
    columns = {f"s{name}": values[:num_rows] for name, values in first.columns.items()}
    renamed = [Column(f"s{c.name}", nulls=c.nulls) for c in scalars.source_columns]
    scalars = dataclasses.replace(scalars, columns=renamed)
    kinds = {f"s{name}": kind for name, kind in first.kinds.items()} | second.kinds
    layouts = {f"s{name}": layout for name, layout in first.layouts.items()} | second.layouts
    columns["a"] = second.columns["a"][:num_rows]
    arrays = {name: build(values, layouts[name], rnd) for name, values in columns.items()}
    decoded = decode(pa.RecordBatch.from_pydict(arrays), scalars, ragged)
    expected = [
        before.reason or after.reason
        for before, after in zip(
            rows_of(scalars, columns, kinds), rows_of(ragged, columns, kinds), strict=True
        )
    ]
    assert decoded.rejects.reasons().to_pylist() == expected


def test_tensors_come_in_the_order_of_the_signature() -> None:
    batch = pa.RecordBatch.from_pydict(
        {"b": [[1.0]], "a": [1.0], "c": pa.array([[1.0]], pa.list_(pa.float32(), 1))}
    )
    decoded = decode(
        batch,
        RaggedInput("second", column="b", presence=True),
        ScalarInput("first", columns=["a"]),
        ArrayInput("third", column="c", shape=[1], presence=True),
    )
    assert list(decoded.tensors(Rows.run(0, 1))) == [
        "second",
        "second_mask",
        "second_present",
        "first",
        "third",
        "third_present",
    ]
    assert decoded.lengths("second").tolist() == [1]


def test_columns_that_no_input_names_are_ignored() -> None:
    batch = pa.RecordBatch.from_pydict({"id": ["k"], "a": [1.5]})
    decoded = decode(batch, ScalarInput("x", columns=["a"]))
    assert decoded.tensors(Rows.run(0, 1))["x"].tolist() == [[1.5]]


def test_every_record_batch_is_checked_when_its_schema_changes() -> None:
    signature = Signature(inputs=[ScalarInput("x", columns=["a"])], outputs=[Output("y")])
    decoder = Decoder(signature)
    decoder.decode(pa.RecordBatch.from_pydict({"a": [1.0]}))
    with pytest.raises(SignatureError, match="string does not fit a tensor of float32"):
        decoder.decode(pa.RecordBatch.from_pydict({"a": ["one"]}))


def test_a_decoder_names_the_columns_that_it_reads() -> None:
    signature = Signature(
        inputs=[
            ScalarInput("x", columns=["a", "b"]),
            ScalarInput("z", columns=["c"]),
            RaggedInput("r", column="d"),
        ],
        outputs=[Output("y")],
    )
    assert Decoder(signature).column_names == ("a", "b", "c", "d")
    assert Decoder(signature, packed={"x"}).column_names == ("x[]", "c", "d")


def test_a_packed_column_of_a_wrong_type_is_named() -> None:
    batch = pa.RecordBatch.from_pydict({"x[]": [["one", "two"]]})
    with pytest.raises(SignatureError, match=r"column 'x\[\]'.*string does not fit"):
        decode(batch, ScalarInput("x", columns=["a", "b"]), packed={"x"})


def test_a_field_that_a_struct_has_twice_is_refused() -> None:
    fields = [pa.array([1.0, 2.0]), pa.array([3.0, 4.0]), pa.array(["x", "y"])]
    structs = pa.StructArray.from_arrays(fields, ["p", "q", "p"])
    column = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), structs)
    batch = pa.RecordBatch.from_arrays([column], ["s"])
    with pytest.raises(SignatureError, match="the structs have field 'p' more than once"):
        decode(batch, RaggedInput("r", column="s", fields=["p", "q"]))
    assert decode(batch, RaggedInput("r", column="s", fields=["q"])).num_rows == 2


def test_numpys_way_with_errors_is_not_the_callers() -> None:
    batch = pa.record_batch({"a": pa.array([1e-300, 1e300, 5.0])})
    with np.errstate(all="raise"):
        decoded = decode(batch, ScalarInput("x", columns=["a"]))
    assert decoded.tensors(Rows.run(0, 3))["x"].ravel().tolist() == [0.0, np.inf, 5.0]
