"""Trees and text of graphs that would end the process, or an error that says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

import spark_infer as si
from spark_infer.backends import load_backend
from spark_infer.backends.onnx import session
from spark_infer.backends.onnx.dynamic import made_dynamic
from spark_infer.backends.onnx.model.graph import Graph
from spark_infer.backends.onnx.model.trees import MAX_DEPTH
from spark_infer.bundle import Bundle
from spark_infer.bundle.files.digest import seal
from spark_infer.errors import BundleError, SparkInferError

ML = "ai.onnx.ml"
ROWS = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])


def model(nodes: list[Any], outputs: list[Any], *, given: Any = ROWS, **tensors: Any) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "graph",
        [given],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(ML, 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def result(kind: int = TensorProto.FLOAT, *dims: int) -> list[Any]:
    return [helper.make_tensor_value_info("y", kind, ["n", *dims])]


def chain(depth: int) -> dict[str, Any]:
    """Return a tree whose nodes have a leaf on the left and the next node on the right."""
    count = 2 * depth + 1
    is_leaf = [place % 2 == 1 or place == 2 * depth for place in range(count)]
    leaves = [place for place in range(count) if is_leaf[place]]
    return {
        "n_targets": 1,
        "nodes_treeids": [0] * count,
        "nodes_nodeids": [*range(count)],
        "nodes_featureids": [0] * count,
        "nodes_values": [-float(place) for place in range(count)],
        "nodes_modes": ["LEAF" if leaf else "BRANCH_GT" for leaf in is_leaf],
        "nodes_truenodeids": [0 if is_leaf[place] else place + 1 for place in range(count)],
        "nodes_falsenodeids": [0 if is_leaf[place] else place + 2 for place in range(count)],
        "nodes_hitrates": [1.0] * count,
        "nodes_missing_value_tracks_true": [0] * count,
        "target_ids": [0] * len(leaves),
        "target_nodeids": leaves,
        "target_treeids": [0] * len(leaves),
        "target_weights": [float(place) for place in leaves],
    }


def regressor(**attributes: Any) -> ModelProto:
    made = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain=ML, **attributes)
    return model([made], result(TensorProto.FLOAT, 1))


def replaced(bundle: Bundle, made: ModelProto) -> Bundle:
    (bundle.artifact_path / "model.onnx").write_bytes(made.SerializeToString())
    seal(bundle.path)
    return Bundle.load(bundle.path)


BROKEN: list[tuple[dict[str, Any], str]] = [
    (chain(MAX_DEPTH + 1), "a tree of more than 10,000 levels in its TreeEnsembleRegressor"),
    (chain(1) | {"nodes_truenodeids": [9, 0, 0]}, "nodes_truenodeids leads to a node that is not"),
    (chain(1) | {"nodes_falsenodeids": [0, 0, 0]}, "its nodes lead in a circle"),
    (chain(2) | {"nodes_falsenodeids": [2, 0, 2, 0, 0]}, "its nodes lead in a circle"),
    (chain(1) | {"nodes_featureids": [-1, 0, 0]}, "nodes_featureids holds -1"),
    (chain(1) | {"nodes_nodeids": [0, 1, 1]}, "two nodes of a tree have one number"),
    (chain(1) | {"nodes_treeids": [0, 0]}, "nodes_treeids has 2 numbers, and 3 are expected"),
    (chain(1) | {"target_ids": [0, 7]}, "target_ids holds 7, and 0 to 0 are allowed"),
    (chain(1) | {"target_nodeids": [1, 8]}, "target_nodeids leads to a node that is not there"),
]


@pytest.mark.parametrize(("attributes", "says"), BROKEN)
def test_trees_that_lead_nowhere(tmp_path: Path, attributes: dict[str, Any], says: str) -> None:
    made = regressor(**attributes)
    with pytest.raises(BundleError, match=says) as raised:
        si.save_bundle(tmp_path / "b", made, columns=["a", "b"])
    assert "\n" not in str(raised.value)
    bundle = si.save_bundle(tmp_path / "c", regressor(**chain(1)), columns=["a", "b"])
    with pytest.raises(BundleError, match=f"cannot be loaded: .*{says}"):
        load_backend(replaced(bundle, made))


def test_a_deep_tree_is_run(tmp_path: Path) -> None:
    bundle = si.save_bundle(tmp_path / "b", regressor(**chain(2_000)), columns=["a", "b"])
    found = si.Predictor(si.load_model(bundle), bundle).predict({"a": [1.0, -3e9], "b": [0.0, 0.0]})
    assert found["y"].to_pylist() == [1.0, 4000.0]


def test_trees_of_a_classifier_and_of_the_later_operator() -> None:
    attributes = {k.replace("target_", "class_"): v for k, v in chain(1).items()}
    del attributes["n_targets"]
    for labels in ({"classlabels_strings": ["a", "b"]}, {"classlabels_int64s": [3, 5]}):
        node = helper.make_node(
            "TreeEnsembleClassifier", ["x"], ["l", "y"], domain=ML, **attributes, **labels
        )
        Graph.of(model([node], result(TensorProto.FLOAT, 2)))
        node.attribute.append(helper.make_attribute("class_ids", [0, 2]))
        with pytest.raises(BundleError, match="class_ids holds 2"):
            Graph.of(model([node], result(TensorProto.FLOAT, 2)))
    for one in ({"classlabels_strings": ["a"]}, {"classlabels_int64s": [3]}, {}):
        node = helper.make_node(
            *("TreeEnsembleClassifier", ["x"], ["l", "y"]), domain=ML, **attributes, **one
        )
        with pytest.raises(BundleError, match="knows fewer than two classes"):
            Graph.of(model([node], result(TensorProto.FLOAT, 1)))
    later = {
        "n_targets": 1,
        "tree_roots": [0],
        "nodes_featureids": [0, 1],
        "nodes_truenodeids": [0, 1],
        "nodes_trueleafs": [1, 1],
        "nodes_falsenodeids": [1, 2],
        "nodes_falseleafs": [0, 1],
        "leaf_targetids": [0, 0, 0],
    }
    for change, says in (
        ({}, None),
        ({"nodes_falseleafs": [0, 0]}, "nodes_falsenodeids leads to a node that is not there"),
        ({"nodes_falsenodeids": [0, 2]}, "in a circle"),
        ({"tree_roots": [2]}, "tree_roots holds 2"),
    ):
        node = helper.make_node("TreeEnsemble", ["x"], ["y"], domain=ML, **(later | change))
        made = model([node], result(TensorProto.FLOAT, 1))
        if says is None:
            Graph.of(made)
            continue
        with pytest.raises(BundleError, match=says):
            Graph.of(made)


def test_what_onnx_runtime_says_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        # Of a tree that it refuses it tells the types of a hundred lines.
        raise RuntimeError("std::vector<" * 1_000)

    monkeypatch.setattr(session.ort, "InferenceSession", fail)
    with pytest.raises(BundleError, match=r"onnxruntime .* does not run the ONNX model") as raised:
        session.make_session(b"")
    assert len(str(raised.value)) < 1000


WORD = helper.make_tensor_value_info("w", TensorProto.STRING, ["n", 1])


def lookup(word: bytes) -> ModelProto:
    node = helper.make_node(
        "LabelEncoder", ["w"], ["y"], domain=ML, keys_strings=[word, b"a"], values_floats=[1.0, 2.0]
    )
    return model([node], result(TensorProto.FLOAT, 1), given=WORD)


def zipmap(inputs: list[str], word: bytes) -> ModelProto:
    nodes = [
        helper.make_node("Identity", ["x"], ["s"]),
        helper.make_node("ZipMap", inputs, ["y"], domain=ML, classlabels_strings=[word, b"b"]),
    ]
    kind = helper.make_map_type_proto(
        TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    )
    return model(nodes, [helper.make_value_info("y", helper.make_sequence_type_proto(kind))])


def classifier(word: bytes) -> ModelProto:
    node = helper.make_node(
        "LinearClassifier",
        ["x"],
        ["y", "s"],
        domain=ML,
        coefficients=[1.0, 0.0, 0.0, 1.0],
        intercepts=[0.0, 0.0],
        classlabels_strings=[word, b"b"],
    )
    return model([node], result(TensorProto.STRING))


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lookup(b"caf\xe9"), "no text in UTF-8"),
        (classifier(b"\xe9"), "no text in UTF-8"),
        (zipmap(["s"], b"\xe9"), "no text in UTF-8"),
        (zipmap([], b"a"), "a ZipMap of the ONNX model has not one input and one output"),
    ],
)
def test_text_that_is_none_and_maps_of_nothing(tmp_path: Path, made: ModelProto, says: str) -> None:
    columns = ["w"] if made.graph.input[0].name == "w" else ["a", "b"]
    with pytest.raises(BundleError, match=says) as raised:
        si.save_bundle(tmp_path / "b", made, columns=columns)
    assert "\n" not in str(raised.value)


def test_text_that_is_none_in_a_bundle(tmp_path: Path) -> None:
    bundle = si.save_bundle(tmp_path / "b", lookup(b"cafe"), columns=["w"])
    with pytest.raises(BundleError, match=r"cannot be loaded: .*no text in UTF-8"):
        load_backend(replaced(bundle, lookup(b"caf\xe9")))


def reshape(opset: int, **options: Any) -> ModelProto:
    inputs = options.pop("inputs", ["x"])
    one = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in "xy"]
    node = helper.make_node("Reshape", inputs, ["y"], **options)
    graph = helper.make_graph([node], "graph", one[:1], one[1:])
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=3)


def test_a_reshape_of_opset_1_and_one_without_a_shape() -> None:
    # Neither is read as one whose shape is an input.
    for made in (reshape(17), reshape(1, shape=[1, 2])):
        assert made_dynamic(Graph.of(made)) is None


def test_a_shape_that_has_not_the_numbers_that_it_says(tmp_path: Path) -> None:
    damaged = reshape(17, inputs=["x", "shape"])
    tensor = numpy_helper.from_array(np.array([1, 2]), "shape")
    tensor.dims[0] = 5
    damaged.graph.initializer.append(tensor)
    with pytest.raises(SparkInferError) as raised:
        si.save_bundle(tmp_path / "b", damaged, columns=["a", "b"])
    assert "\n" not in str(raised.value)
