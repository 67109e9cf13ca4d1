from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given

from spark_infer.bundle import ArrayInput, Input, Output, RaggedInput, ScalarInput, Signature
from spark_infer.bundle.columns import DTYPES
from spark_infer.engine.sample import zero_sample
from spark_infer.tensors import Decoder
from tests.unit.strategies import Case, array_cases, ragged_cases, scalar_cases


@given(case=scalar_cases() | array_cases() | ragged_cases())
def test_the_sample_of_any_signature_is_accepted(case: Case) -> None:
    item = case.item
    if isinstance(item, RaggedInput):
        item = dataclasses.replace(item, overflow="error")
    signature = Signature(inputs=[item], outputs=[Output("y")])
    decoded = Decoder(signature).decode(zero_sample(signature, 3))
    assert decoded.num_rows == 3
    assert decoded.rejects.count == 0
    longest = decoded.tensors(slice(2, 3))[item.name]
    assert not longest.any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "kind", [(ScalarInput, {"columns": ["a"]}), (ArrayInput, {"column": "a", "shape": [2]})]
)
def test_every_tensor_type_has_a_sample(kind: tuple[type[Input], dict], dtype: str) -> None:
    item = kind[0]("x", dtype=dtype, **kind[1])
    signature = Signature(inputs=[item], outputs=[Output("y")])
    decoded = Decoder(signature).decode(zero_sample(signature, 2))
    assert decoded.tensors(slice(0, 2))["x"].tolist() == [[0] * item.item_shape[0]] * 2


def test_ragged_rows_of_a_sample_differ_in_length() -> None:
    item = RaggedInput("x", column="a", max_length=2)
    sample = zero_sample(Signature(inputs=[item], outputs=[Output("y")]), 3)
    assert sample["a"].to_pylist() == [[0], [0, 0], [0, 0]]
