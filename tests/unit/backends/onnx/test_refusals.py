"""Graphs that cannot be stored: one sentence each, which says what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

import spark_infer as si
from spark_infer.backends import ModelOptions, load_backend
from spark_infer.backends.onnx.model.graph import Graph
from spark_infer.bundle import Bundle
from spark_infer.bundle.files.digest import SUMS_FILE, seal
from spark_infer.errors import (
    BundleError,
    ConfigError,
    RuntimeUnavailable,
    SignatureError,
    SparkInferError,
)
from tests.unit.support.graphs import linear, mean, model

ROWS = ("float32", ["batch", 2])


def refusal(tmp_path: Path, graph: Any, **options: Any) -> str:
    with pytest.raises(SparkInferError) as raised:
        si.save_bundle(tmp_path / "b", graph, **options)
    assert not (tmp_path / "b").exists()
    message = str(raised.value)
    assert "\n" not in message
    return message


def one(operator: str, domain: str = "", **attributes: Any) -> ModelProto:
    node = helper.make_node(operator, ["x"], ["y"], domain=domain, **attributes)
    return model([node], {"x": ROWS}, {"y": ROWS})


@pytest.mark.parametrize(
    ("operator", "domain", "shown"),
    [
        ("Fancy", "com.example", "com.example.Fancy"),
        ("Gelu", "com.microsoft", "com.microsoft.Gelu"),
        ("BertTokenizer", "ai.onnx.contrib", "ai.onnx.contrib.BertTokenizer"),
        ("NotThere", "", "ai.onnx.NotThere"),
        ("aten", "org.pytorch.aten", "org.pytorch.aten.aten"),
        ("Adam", "ai.onnx.preview.training", "ai.onnx.preview.training.Adam"),
    ],
)
def test_operators_that_are_not_of_the_standard(
    tmp_path: Path, operator: str, domain: str, shown: str
) -> None:
    message = refusal(tmp_path, one(operator, domain), columns=["a", "b"])
    assert f"not of the ONNX standard: {shown}; export it with standard operators" in message


def test_operators_within_branches_are_looked_at(tmp_path: Path) -> None:
    inner = helper.make_node("Fancy", ["x"], ["z"], domain="com.example")
    value = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
    branch = helper.make_graph([inner], "branch", [], [value])
    nodes = [
        helper.make_node("Constant", [], ["yes"], value_int=1),
        helper.make_node("Cast", ["yes"], ["true"], to=TensorProto.BOOL),
        helper.make_node("If", ["true"], ["y"], then_branch=branch, else_branch=branch),
    ]
    message = refusal(tmp_path, model(nodes, {"x": ROWS}, {"y": ROWS}), columns=["a", "b"])
    assert "com.example.Fancy" in message


def test_functions_of_its_own_are_written_out(tmp_path: Path) -> None:
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("mine", 1)]
    body = [helper.make_node("Neg", ["a"], ["b"])]
    function = helper.make_function("mine", "Minus", ["a"], ["b"], body, opsets[:1])
    graph = helper.make_graph(
        [helper.make_node("Minus", ["x"], ["y"], domain="mine")],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
    )
    made = helper.make_model(graph, functions=[function], opset_imports=opsets, ir_version=10)
    bundle = si.save_bundle(tmp_path / "b", made, columns=["a", "b"])
    found = si.Predictor(si.load_model(bundle), bundle).predict({"a": [1.0], "b": [2.0]})
    assert found["y"].to_pylist() == [[-1.0, -2.0]]
    with pytest.raises(BundleError, match=r"functions of its own \(mine.Minus\)"):
        Graph.of(made)


@pytest.mark.parametrize("location", ["../weights", "/etc/passwd", "a/../../weights", ""])
def test_data_outside_of_the_models_directory(tmp_path: Path, location: str) -> None:
    graph = linear()
    (tmp_path / "weights").write_bytes(b"0" * 64)
    tensor = graph.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "m.onnx").write_bytes(graph.SerializeToString())
    message = refusal(tmp_path, folder / "m.onnx", columns=["a", "b"])
    assert "outside of its directory; save it anew with its data beside it" in message
    message = refusal(tmp_path, graph, columns=["a", "b"])
    assert "keeps 'w' outside of it" in message


def test_a_link_leads_no_further(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(np.ones(2, np.float32).tobytes())
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "w").symlink_to(tmp_path / "secret")
    graph = linear()
    tensor = graph.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w")
    (folder / "m.onnx").write_bytes(graph.SerializeToString())
    assert "outside of its directory" in refusal(tmp_path, folder / "m.onnx", columns=["a", "b"])


def test_data_that_is_no_plain_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "w")
    graph = linear()
    tensor = graph.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w")
    (tmp_path / "m.onnx").write_bytes(graph.SerializeToString())
    message = refusal(tmp_path, tmp_path / "m.onnx", columns=["a", "b"])
    assert "cannot be read (it is no plain file); put the data file" in message


def test_data_beside_the_model_goes_into_the_bundle(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).standard_normal((2, 700)).astype(np.float32)
    graph = model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        {"x": ROWS},
        {"y": ("float32", ["batch", 700])},
        {"w": weights},
    )
    onnx.save(graph, tmp_path / "m.onnx", save_as_external_data=True, location="m.onnx.data")
    bundle = si.save_bundle(tmp_path / "b", tmp_path / "m.onnx", columns=["a", "b"])
    (tmp_path / "m.onnx.data").unlink()
    found = si.Predictor(si.load_model(bundle), bundle).predict({"a": [1.0], "b": [2.0]})
    assert np.allclose(found["y"].to_pylist()[0], [1.0, 2.0] @ weights, atol=1e-6)
    assert "m.onnx.data', which cannot be read" in refusal(
        tmp_path / "other", tmp_path / "m.onnx", columns=["a", "b"]
    )


@pytest.mark.parametrize(
    ("graph", "says"),
    [
        (linear(first=4), "takes 4 rows at a time.*dynamic first axis"),
        (
            model(
                [helper.make_node("Neg", ["x"], ["y"])],
                {"x": ("float32", ["time", "batch", 3])},
                {"y": ("float32", ["time", "batch", 3])},
            ),
            "has axis 'time' in front.*batch_first=True",
        ),
        (
            model(
                [helper.make_node("Neg", ["x"], ["y"])],
                {"x": ("float32", [7, "batch_size", 3])},
                {"y": ("float32", [7, "batch_size", 3])},
            ),
            "has axis 7 in front",
        ),
        (
            model(
                [helper.make_node("Mul", ["x", "sr"], ["y"])],
                {"x": ROWS, "sr": ("float32", [])},
                {"y": ROWS},
            ),
            "input 'sr' of the ONNX model is one number for all rows.*constant of the graph",
        ),
        (
            model(
                [helper.make_node("Mul", ["x", "rate"], ["y"])],
                {"x": ROWS, "rate": ("float32", [1])},
                {"y": ROWS},
            ),
            "input 'rate' of the ONNX model is one number for all rows",
        ),
        (
            model(
                [
                    helper.make_node("Add", ["x", "h0"], ["hn"]),
                    helper.make_node("Neg", ["hn"], ["y"]),
                ],
                {"x": ROWS, "h0": ROWS},
                {"y": ROWS, "hn": ROWS},
            ),
            "input 'h0' of the ONNX model carries state.*'hn' is its next value",
        ),
        (
            model(
                [helper.make_node("Add", ["x", "state"], ["stateN"])],
                {"x": ROWS, "state": ROWS},
                {"stateN": ROWS},
            ),
            "input 'state' of the ONNX model carries state",
        ),
        (
            model(
                [helper.make_node("Add", ["x", "past_key_values.0.key"], ["present.0.key"])],
                {"x": ROWS, "past_key_values.0.key": ROWS},
                {"present.0.key": ROWS},
            ),
            "input 'past_key_values.0.key' of the ONNX model carries state",
        ),
        (
            model(
                [helper.make_node("Neg", ["x"], ["y"])],
                {"x": ("float32", None)},
                {"y": ("float32", None)},
            ),
            "does not say its number of axes",
        ),
        (
            model(
                [helper.make_node("Neg", ["x"], ["y"])],
                {"x": ("bfloat16", ["n", 2])},
                {"y": ("bfloat16", ["n", 2])},
            ),
            "input 'x' of the ONNX graph is bfloat16",
        ),
        (
            model(
                [helper.make_node("Identity", ["x"], ["y"])],
                {"x": ("complex64", ["n", 2])},
                {"y": ("complex64", ["n", 2])},
            ),
            "is complex64, which no column has",
        ),
        (
            model([helper.make_node("Neg", ["x"], ["y"])], {"x": ROWS}, {"y": ROWS}, ir_version=99),
            "is of version 99 of the format.*upgrade onnx",
        ),
        (
            model(
                [helper.make_node("Neg", ["x"], ["y"])],
                {"x": ROWS},
                {"y": ROWS},
                opset_imports=[helper.make_opsetid("", 999)],
            ),
            "needs opset 999",
        ),
        (
            model(
                [helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)],
                {"x": ROWS},
                {"y": ("float32", [])},
            ),
            r"output 'y' of the ONNX model has shape \[\] for 3 row",
        ),
        (
            model(
                [helper.make_node("Transpose", ["x"], ["y"])],
                {"x": ROWS},
                {"y": ("float32", [2, "batch"])},
            ),
            r"output 'y' of the ONNX model has shape \[2, 3\] for 3 row",
        ),
        (
            model(
                [helper.make_node("SequenceConstruct", ["x"], ["y"])],
                {"x": ROWS},
                {"y": ROWS},
            ),
            "does not run the ONNX model",
        ),
        (
            model(
                [
                    helper.make_node("RandomNormalLike", ["x"], ["noise"]),
                    helper.make_node("Add", ["x", "noise"], ["y"]),
                ],
                {"x": ROWS},
                {"y": ROWS},
            ),
            "answers the same row differently|draws random numbers",
        ),
    ],
)
def test_graphs_that_take_no_rows(tmp_path: Path, graph: ModelProto, says: str) -> None:
    columns: dict[str, Any] = {}
    for place, value in enumerate(graph.graph.input):
        is_array = len(value.type.tensor_type.shape.dim) > 2
        columns[value.name] = f"c{place}" if is_array else [f"c{place}", f"d{place}"]
    with pytest.raises(SparkInferError, match=says) as raised:
        si.save_bundle(tmp_path / "b", graph, inputs=columns)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "b").exists()


def test_a_sequence_is_told_how_to_leave_zipmap_out(tmp_path: Path) -> None:
    graph = model([helper.make_node("SequenceConstruct", ["x"], ["y"])], {"x": ROWS}, {"y": ROWS})
    sequence = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)
    graph.graph.output[0].CopyFrom(sequence)
    message = refusal(tmp_path, graph, columns=["a", "b"])
    assert "output 'y' of the ONNX model is a sequence" in message.replace("graph", "model")
    assert "options={'zipmap': False}" in message


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, r"which columns feed input 'x'.*inputs=\{'x': \[2 columns\]\}"),
        ({"columns": ["a"]}, "takes 2 column.*and 1 are named"),
        ({"columns": ["a", "b", "c"]}, "takes 2 column.*and 3 are named"),
        ({"inputs": {"X_": ["a", "b"]}}, "inputs names 'X_'.*did you mean 'x'"),
        ({"inputs": {"x": 3}}, "must be fed with a list of columns"),
        ({"inputs": {"x": ["a", "b"]}, "columns": ["a", "b"]}, "give inputs or columns, not both"),
        ({"columns": ["a", "b"], "task": "embedding"}, "task is for directories"),
        ({"columns": ["a", "b"], "module": "m:C"}, "module and arguments belong to"),
        ({"columns": ["a", "a"]}, "column 'a' more than once"),
    ],
)
def test_columns_that_do_not_fit(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(SparkInferError, match=says):
        si.save_bundle(tmp_path / "b", linear(), **options)


def signature(*inputs: si.ScalarInput | si.RaggedInput, output: si.Output | None = None) -> Any:
    return si.Signature(inputs=inputs, outputs=[output or si.Output("y")])


X = si.ScalarInput("x", columns=["a", "b"])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (signature(si.ScalarInput("xx", columns=["a", "b"])), "takes no values 'xx'.*mean 'x'"),
        (signature(si.ScalarInput("x", columns=["a"])), r"shape \(any, 1\).*takes 'x' float32"),
        (
            signature(si.ScalarInput("x", columns=["a", "b"], dtype="float64")),
            "are float64.*set dtype='float32'",
        ),
        (signature(X, si.ScalarInput("z", columns=["c"])), "takes no values 'z'"),
        (signature(X, output=si.Output("score")), "returns no 'score', but 'y'"),
        (signature(X, output=si.Output("y", shape=[4])), "promises"),
        (signature(X, output=si.Output("y", dtype="int64")), "promises int64"),
        (signature(si.RaggedInput("x", column="a")), "takes one length only|takes no mask"),
        (signature(si.RaggedInput("x", column="a", mask=False)), "takes one length only.*pad_to=2"),
    ],
)
def test_a_signature_that_does_not_fit(tmp_path: Path, given: Any, says: str) -> None:
    with pytest.raises(SignatureError, match=says):
        si.save_bundle(tmp_path / "b", linear(), signature=given)


def test_an_input_that_nothing_feeds(tmp_path: Path) -> None:
    item = si.RaggedInput("x", column="a", mask=False)
    given = si.Signature(inputs=[item], outputs=[si.Output("mean")])
    with pytest.raises(SignatureError, match=r"also takes 'mask' float32.*mask=si\.Mask"):
        si.save_bundle(tmp_path / "b", mean(), signature=given)


def test_a_signature_may_leave_outputs_out(tmp_path: Path) -> None:
    item = si.RaggedInput("x", column="a", mask=si.Mask(tensor="mask", dtype="float32"))
    given = si.Signature(inputs=[item], outputs=[si.Output("m", tensor="mean")])
    bundle = si.save_bundle(tmp_path / "b", mean(), signature=given)
    found = si.Predictor(si.load_model(bundle), bundle).predict({"a": [[1.0, 3.0]]})
    assert found["m"].to_pylist() == [2.0]


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x08\x0a" * 40, b"\xff" * 100])
def test_a_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    message = refusal(tmp_path, tmp_path / "m.onnx", columns=["a"])
    assert "export the model again" in message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "is not there; check its path" in refusal(tmp_path, tmp_path / "m.onnx", columns=["a"])


@pytest.mark.parametrize("seed", range(150))
def test_a_bundle_that_was_tampered_with_is_refused_or_computes(tmp_path: Path, seed: int) -> None:
    bundle = si.save_bundle(tmp_path / "b", linear(), columns=["a", "b"])
    file = bundle.artifact_path / "model.onnx"
    content = bytearray(file.read_bytes())
    random = np.random.default_rng(seed)
    for place in random.integers(0, len(content), 1 + seed % 4):
        content[place] = random.integers(0, 256)
    file.write_bytes(content[: len(content) - seed % 3])
    (bundle.path / SUMS_FILE).unlink()
    seal(bundle.path)
    raised = None
    try:
        backend = load_backend(Bundle.load(bundle.path))
        backend.run({"x": np.ones((3, 2), np.float32)})
    except Exception as error:
        raised = error
    assert (
        raised is None
        or type(raised).__module__.startswith("onnxruntime")
        or "the model cannot be loaded" in str(raised)
    )


def test_a_bundle_with_another_graph_is_refused(tmp_path: Path) -> None:
    bundle = si.save_bundle(tmp_path / "b", linear(), columns=["a", "b"])
    for graph, says in (
        (one("Fancy", "com.example"), "not of the ONNX standard"),
        (linear("other"), "takes no values 'x'"),
        (linear(columns=3), "correct the columns"),
    ):
        (bundle.artifact_path / "model.onnx").write_bytes(graph.SerializeToString())
        (bundle.path / SUMS_FILE).unlink()
        seal(bundle.path)
        with pytest.raises(BundleError, match=f"the model cannot be loaded: .*{says}"):
            load_backend(bundle.path)


def test_devices_and_numbers_that_are_not_there(tmp_path: Path) -> None:
    bundle = si.save_bundle(tmp_path / "b", linear(), columns=["a", "b"])
    for device in ("cuda", "cuda:1", "tensorrt"):
        with pytest.raises(RuntimeUnavailable, match="install onnxruntime-gpu instead"):
            load_backend(bundle, ModelOptions(device=device))
    with pytest.raises(ConfigError, match="leave precision out"):
        load_backend(bundle, ModelOptions(precision="bfloat16"))


def test_text_of_which_more_is_computed(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("StringNormalizer", ["x"], ["lower"], case_change_action="LOWER"),
        helper.make_node(
            "LabelEncoder",
            ["lower"],
            ["y"],
            domain="ai.onnx.ml",
            keys_strings=["a"],
            values_int64s=[1],
        ),
    ]
    graph = model(nodes, {"x": ("string", ["n"])}, {"y": ("int64", ["n"])})
    message = refusal(tmp_path, graph)
    assert "more with it than to look words up (StringNormalizer)" in message
