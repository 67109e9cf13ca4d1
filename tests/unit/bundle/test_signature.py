from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_infer.bundle import ArrayInput, Input, Output, RaggedInput, ScalarInput, Signature
from spark_infer.errors import SignatureError
from tests.unit.support.strategies import Case, array_cases, ragged_cases, scalar_cases

X = ScalarInput("x", columns=["a", "b"])
R = RaggedInput("r", column="h")
Y = Output("y")


@given(
    inputs=st.tuples(scalar_cases(), array_cases(), ragged_cases()),
    labels=st.none() | st.lists(st.text(), min_size=1),
)
def test_a_signature_survives_json(inputs: tuple[Case, ...], labels: list[str] | None) -> None:
    scalar, array, ragged = (case.item for case in inputs)
    array = dataclasses.replace(array, name="array", column="d")
    ragged = dataclasses.replace(ragged, name="ragged", column="e")
    follows = Output("follows", lengths_of="ragged", shape=[2])
    outputs = [Output("y", labels=labels), follows]
    signature = Signature(inputs=[scalar, array, ragged], outputs=outputs)
    data, words = json.loads(json.dumps([signature.to_json(), signature.vocabularies]))
    assert Signature.from_json(data, words.__getitem__) == signature


def test_names_come_in_the_order_in_which_the_model_takes_them() -> None:
    array = ArrayInput("z", column="p", shape=[2], presence=True)
    signature = Signature(inputs=[R, X, array], outputs=[Y])
    assert signature.column_names == ("h", "a", "b", "p")
    assert signature.tensor_names == ("r", "r_mask", "x", "z", "z_present")


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ([], [Y], "a signature needs at least one input and one output"),
        ([X], [], "a signature needs at least one input and one output"),
        (X, [Y], "the signature's inputs must be a list, got ScalarInput"),
        ([X], Y, "the signature's outputs must be a list, got Output"),
        ([5], [Y], "inputs must be ScalarInput, ArrayInput, RaggedInput; got 5"),
        ([Input("x")], [Y], "inputs must be ScalarInput, ArrayInput, RaggedInput; got Input"),
        ([X], ["y"], "outputs must be Output; got 'y'"),
        ([X], None, "the signature's outputs must be a list, got None"),
        ([X, ScalarInput("z", columns=["b"])], [Y], "names column 'b' more than once"),
        ([X, RaggedInput("x", column="h")], [Y], "names tensor 'x' more than once"),
        ([R, ScalarInput("r_mask", columns=["a"])], [Y], "names tensor 'r_mask' more than once"),
        ([X], [Y, Output("Y")], "names output 'y' more than once"),
        ([X], [Output("Rejected_Reason")], "output name 'rejected_reason' is taken"),
        (
            [X, R],
            [Output("y", lengths_of="rr")],
            r"output 'y': lengths_of names 'rr', but the ragged inputs are \['r'\].*mean 'r'\?",
        ),
        ([X], [Output("y", lengths_of="x")], r"the ragged inputs are \[\]"),
    ],
)
def test_mistakes_are_named(inputs: list[Input], outputs: list[Output], message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        Signature(inputs=inputs, outputs=outputs)


def test_an_unknown_kind_of_input_is_named() -> None:
    data = Signature(inputs=[X], outputs=[Y]).to_json()
    data["inputs"][0]["kind"] = "image"
    with pytest.raises(SignatureError, match="input kind 'image' is unknown; known: "):
        Signature.from_json(data, {}.__getitem__)
