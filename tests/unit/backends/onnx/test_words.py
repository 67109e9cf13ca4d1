"""Text in graphs: compared with constants it is looked up, compared with other text it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, helper

import spark_infer as si
from spark_infer.errors import BundleError
from tests.unit.support.graphs import bare, model

COLUMN = ("string", ["batch", 1])
PLACES = {"first": np.array([0]), "second": np.array([1])}


def encoded(word: str, *nodes: NodeProto) -> ModelProto:
    """Return a graph that adds what an encoder says of a word to whether ``same`` holds."""
    encoder = helper.make_node(
        "LabelEncoder",
        [word],
        ["known"],
        domain="ai.onnx.ml",
        keys_strings=["DE", "FR"],
        values_floats=[10.0, 20.0],
        default_float=0.0,
    )
    rest = [
        encoder,
        helper.make_node("Cast", ["same"], ["one"], to=1),
        helper.make_node("Add", ["known", "one"], ["score"]),
    ]
    wide = any("wide" in node.input for node in nodes)
    inputs: dict[str, Any] = (
        {"wide": ("string", ["batch", 2])} if wide else {"home": COLUMN, "shop": COLUMN}
    )
    words = {"de": np.array(["DE"], dtype=object), "pl": np.array([["PL", "IT"]], dtype=object)}
    return model([*nodes, *rest], inputs, {"score": ("float32", ["batch", 1])}, PLACES | words)


def node(operator: str, given: list[str], made: str, **attributes: Any) -> NodeProto:
    return helper.make_node(operator, given, [made], **attributes)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Equal", ["home", "shop"], "same")],
        [node("Equal", ["shop", "home"], "same")],
        [node("Identity", ["shop"], "there"), node("Equal", ["home", "there"], "same")],
        [
            node("Concat", ["home", "shop"], "both", axis=1),
            node("Gather", ["both", "second"], "there", axis=1),
            node("Equal", ["there", "home"], "same"),
        ],
        [
            node("Concat", ["shop", "pl"], "both", axis=1),
            node("Gather", ["both", "first"], "there", axis=1),
            node("Equal", ["home", "there"], "same"),
        ],
        [
            node("Equal", ["home", "de"], "is"),
            node("Where", ["is", "home", "shop"], "there"),
            node("Equal", ["home", "there"], "same"),
        ],
        [
            node("Equal", ["home", "de"], "is"),
            node("Cast", ["is"], "there", to=8),
            node("Equal", ["home", "there"], "same"),
        ],
        [node("Not", ["is"], "same"), node("Equal", ["home", "home"], "is")][::-1],
    ],
)
def test_words_that_are_compared_with_words_of_a_row(tmp_path: Path, nodes: list[Any]) -> None:
    graph = encoded("home", *nodes)
    inputs = {"home": ["home"], "shop": ["shop"]}
    with pytest.raises(BundleError, match=r"in Spark SQL"):
        si.save_bundle(tmp_path / "b", graph, inputs=inputs)
    assert not (tmp_path / "b").exists()
    known = ["DE", "FR", "PL", "IT"]
    given = [si.ScalarInput(name, columns=[name], vocabulary=known) for name in inputs]
    outputs = [si.Output("score")]
    with pytest.raises(BundleError, match="in Spark SQL"):
        si.save_bundle(tmp_path / "b", graph, signature=si.Signature(inputs=given, outputs=outputs))


def test_columns_of_one_input_that_are_compared(tmp_path: Path) -> None:
    nodes = [
        node("Gather", ["wide", "first"], "a", axis=1),
        node("Gather", ["wide", "second"], "b", axis=1),
        node("Equal", ["a", "b"], "same"),
    ]
    with pytest.raises(BundleError, match="others than constants"):
        si.save_bundle(tmp_path / "b", encoded("a", *nodes), columns=["home", "shop"])


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Equal", ["shop", "de"], "same")],
        [node("Equal", ["de", "shop"], "same")],
        [
            node("Identity", ["shop"], "there"),
            node("Gather", ["pl", "first"], "word", axis=1),
            node("Equal", ["there", "word"], "same"),
        ],
        [
            node("Constant", [], "word", value_string="PL"),
            node("Equal", ["shop", "word"], "same"),
        ],
        [
            node("Constant", [], "word", value_strings=["IT"]),
            node("Equal", ["shop", "word"], "same"),
        ],
    ],
)
def test_words_that_are_compared_with_constants(tmp_path: Path, nodes: list[Any]) -> None:
    graph = encoded("home", *nodes)
    bundle = si.save_bundle(tmp_path / "b", graph, inputs={"home": ["home"], "shop": ["shop"]})
    words = ["DE", "FR", "PL", "IT", "CZ", ""]
    rows = {"home": words * 6, "shop": [word for word in words for _ in words]}
    own = bare(graph, **{k: np.array(v, dtype=object)[:, None] for k, v in rows.items()})[0]
    found = si.Predictor(si.load_model(bundle), bundle).predict(rows)["score"].to_pylist()
    assert found == own.ravel().tolist()
    assert len(set(found)) > 3


@pytest.mark.parametrize("number", [-1, -2, -4, -(2**40)])
def test_ids_below_zero_are_no_word(tmp_path: Path, number: int) -> None:
    graph = encoded("home", node("Equal", ["shop", "de"], "same"))
    home = si.Column("home", nulls=number)
    known = ["DE", "FR", "PL", "IT"]
    inputs = [
        si.ScalarInput("home", columns=[home], vocabulary=known, unknown_id=number),
        si.ScalarInput("shop", columns=["shop"], vocabulary=known),
    ]
    signature = si.Signature(inputs=inputs, outputs=[si.Output("score")])
    bundle = si.save_bundle(tmp_path / "b", graph, signature=signature)
    rows = {"home": ["DE", "FR", "CZ", None], "shop": ["DE", "FR", "DE", "FR"]}
    found = si.Predictor(si.load_model(bundle), bundle).predict(rows)
    assert found["score"].to_pylist() == [11.0, 20.0, 1.0, 0.0]
