"""Masks of graphs: which are fed by themselves, and which where somebody says what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, helper

import spark_infer as si
from spark_infer.errors import SignatureError
from tests.unit.support.graphs import bare, model

LENGTH = 3
ROWS = {"xs": [[1.0, 2.0, 3.0], [5.0]]}


def total(mask: str, *, padding: bool = False, length: int | str = LENGTH) -> ModelProto:
    """Return a graph that adds up a row, and counts what its mask says is real."""
    dims = ["batch", length]
    turned = [helper.make_node("Not", [mask], ["real"])] if padding else []
    nodes = [
        *turned,
        helper.make_node("Cast", ["real" if padding else mask], ["one"], to=1),
        helper.make_node("Mul", ["x", "one"], ["kept"]),
        helper.make_node("Add", ["kept", "one"], ["both"]),
        helper.make_node("ReduceSum", ["both", "axis"], ["y"], keepdims=0),
    ]
    inputs = {"x": ("float32", dims), mask: ("bool", dims)}
    return model(nodes, inputs, {"y": ("float32", ["batch"])}, {"axis": np.array([1])})


def predicted(tmp_path: Path, graph: ModelProto, **options: Any) -> list[Any]:
    bundle = si.save_bundle(tmp_path / "b", graph, **options)
    found: list[Any] = si.Predictor(si.load_model(bundle), bundle).predict(ROWS)["y"].to_pylist()
    return found


@pytest.mark.parametrize(
    "name",
    [
        "mask",
        "input_mask",
        "attention_mask",
        "x_mask",
        "X_MASK",
        "serving_default_attention_mask:0",
    ],
)
def test_a_mask_that_is_known_by_its_name_is_fed(tmp_path: Path, name: str) -> None:
    given = np.array([[1, 2, 3], [5, 0, 0]], np.float32)
    real = np.array([[1, 1, 1], [1, 0, 0]], bool)
    graph = total(name)
    own = bare(graph, x=given, **{name: real})[0].tolist()
    assert predicted(tmp_path, graph, inputs={"x": "xs"}) == own == [9.0, 6.0]


@pytest.mark.parametrize("length", [LENGTH, "seq"])
@pytest.mark.parametrize(
    "name",
    [
        "key_padding_mask",
        "src_key_padding_mask",
        "padding_mask",
        "pad_mask",
        "masked",
        "ignore_mask",
        "attn_mask",
        "src_mask",
        "inverted_attention_mask",
        "maskOfPads",
        "y_mask",
    ],
)
def test_a_mask_that_may_mean_the_opposite_is_refused(
    tmp_path: Path, name: str, length: int | str
) -> None:
    for padding in (True, False):
        with pytest.raises(SignatureError, match="1 where values are real") as raised:
            predicted(tmp_path, total(name, padding=padding, length=length), inputs={"x": "xs"})
        assert f"tensor={name!r}, dtype='bool'" in str(raised.value)
    with pytest.raises(SignatureError, match="does not say"):
        si.read_signature(total(name, length=length))


def test_a_mask_that_is_named_is_fed(tmp_path: Path) -> None:
    mask = si.Mask(tensor="masked", dtype="bool")
    item = si.RaggedInput("x", column="xs", pad_to=LENGTH, mask=mask)
    assert predicted(tmp_path, total("masked"), inputs={"x": item}) == [9.0, 6.0]


def test_a_mask_may_be_a_column(tmp_path: Path) -> None:
    graph = total("padding_mask", padding=True)
    columns = {"x": "xs", "padding_mask": "pads"}
    bundle = si.save_bundle(tmp_path / "b", graph, inputs=columns)
    rows = {"xs": [[1.0, 2.0, 3.0]], "pads": [[False, False, True]]}
    assert si.Predictor(si.load_model(bundle), bundle).predict(rows)["y"].to_pylist() == [5.0]


def test_the_only_input_is_no_mask(tmp_path: Path) -> None:
    graph = model(
        [helper.make_node("ReduceSum", ["mask", "axis"], ["y"], keepdims=0)],
        {"mask": ("float32", ["batch", LENGTH])},
        {"y": ("float32", ["batch"])},
        {"axis": np.array([1])},
    )
    bundle = si.save_bundle(tmp_path / "b", graph, columns=["a", "b", "c"])
    rows = {"a": [1.0], "b": [2.0], "c": [3.0]}
    assert si.Predictor(si.load_model(bundle), bundle).predict(rows)["y"].to_pylist() == [6.0]
