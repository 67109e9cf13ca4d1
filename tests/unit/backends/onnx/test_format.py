"""Graphs of one row, drafts of signatures, and where sessions run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from onnx import ModelProto, helper

import spark_infer as si
from spark_infer.backends import ModelOptions
from spark_infer.backends.backend import Array
from spark_infer.backends.onnx.backend import BoundBackend, OnnxBackend
from spark_infer.backends.onnx.model.graph import Graph
from spark_infer.backends.onnx.session import (
    check_provider,
    make_session,
    providers_for,
    run_options,
)
from spark_infer.backends.onnx.tensors import feeds_of, fetches_of
from spark_infer.errors import RuntimeUnavailable, SignatureError
from tests.unit.support.graphs import exported, linear, mean, model

DIGEST = "a" * 64


def of_one_row() -> dict[str, ModelProto]:
    """Return graphs for one row that are the same for several, each in its own way."""
    torch.manual_seed(0)
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6, 3), torch.nn.Softmax(1))
    reshape = model(
        [
            helper.make_node("MatMul", ["x", "w"], ["h"]),
            helper.make_node("Reshape", ["h", "shape"], ["y"]),
        ],
        {"x": ("float32", [1, 2])},
        {"y": ("float32", [1, 2, 2])},
        {"w": np.arange(8, dtype=np.float32).reshape(2, 4), "shape": np.array([1, 2, 2])},
    )
    return {
        "exported": exported(flat, torch.zeros(1, 2, 3)),
        "linear": linear(first=1),
        "reshape": reshape,
    }


@pytest.mark.parametrize("kind", ["exported", "linear", "reshape"])
def test_a_graph_of_one_row_takes_any_number(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    graph = of_one_row()[kind]
    (value,) = graph.graph.input
    shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim][1:]
    columns: Any = ["a", "b"] if len(shape) == 1 else "a"
    bundle = si.save_bundle(tmp_path / "b", graph, inputs={value.name: columns})
    assert bundle.manifest.row_independent
    assert not notices(caplog)
    backend = si.load_model(bundle)
    rows = np.random.default_rng(0).standard_normal((50, *shape)).astype(np.float32)
    given = {"a": rows[:, 0], "b": rows[:, 1]} if len(shape) == 1 else {"a": rows.tolist()}
    (found, _) = si.Predictor(backend, bundle).predict(given).to_pydict().values()
    alone = [ort_of(graph).run(None, {value.name: row[None]})[0][0] for row in rows]
    assert np.allclose(np.array(found).ravel(), np.array(alone).ravel(), atol=1e-6)


def notices(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name.startswith("spark_infer")]


def ort_of(graph: ModelProto) -> Any:
    return ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])


def test_a_graph_that_mixes_rows_runs_them_one_by_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    graph = model(
        [
            helper.make_node("ReduceMean", ["x"], ["m"], keepdims=1),
            helper.make_node("Sub", ["x", "m"], ["y"]),
        ],
        {"x": ("float32", [1, 2])},
        {"y": ("float32", [1, 2])},
    )
    bundle = si.save_bundle(tmp_path / "b", graph, columns=["a", "b"])
    assert not bundle.manifest.row_independent
    (notice,) = notices(caplog)
    assert "exported for one row, and computes otherwise for several" in notice
    found = si.Predictor(si.load_model(bundle), bundle).predict({"a": [1.0, 8.0], "b": [3.0, 4.0]})
    assert found["y"].to_pylist() == [[-1.0, 1.0], [2.0, -2.0]]


def test_a_graph_of_one_row_is_kept_where_rows_depend_on_each_other(tmp_path: Path) -> None:
    bundle = si.save_bundle(
        tmp_path / "b", linear(first=1), columns=["a", "b"], row_independent=False
    )
    graph = Graph.parse((bundle.artifact_path / "model.onnx").read_bytes())
    assert graph.inputs["x"].dims == (1, 2)
    found = si.Predictor(si.load_model(bundle), bundle).predict({"a": [2.0, 4.0], "b": [4.0, 8.0]})
    assert found["y"].to_pylist() == [2.5, 5.0]


def test_rows_that_depend_on_each_other_are_found(tmp_path: Path) -> None:
    graph = model(
        [
            helper.make_node("ReduceMean", ["x", "axis"], ["m"], keepdims=1),
            helper.make_node("Sub", ["x", "m"], ["y"]),
        ],
        {"x": ("float32", ["n", 2])},
        {"y": ("float32", ["n", 2])},
        {"axis": np.array([0])},
    )
    with pytest.raises(SignatureError, match="depends on the rows beside it"):
        si.save_bundle(tmp_path / "b", graph, columns=["a", "b"])


def test_padding_that_counts_is_found(tmp_path: Path) -> None:
    graph = model(
        [helper.make_node("ReduceMean", ["x", "axis"], ["y"], keepdims=0)],
        {"x": ("float32", ["n", "length"])},
        {"y": ("float32", ["n"])},
        {"axis": np.array([1])},
    )
    with pytest.raises(SignatureError, match="depends on its padding"):
        si.save_bundle(tmp_path / "b", graph, inputs={"x": "a"})


@pytest.mark.parametrize("columns", [None, {"x": "amounts"}])
def test_a_draft_is_the_signature(
    tmp_path: Path, columns: Mapping[str, Any] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.onnx").write_bytes(mean().SerializeToString())
    found = si.read_signature(tmp_path / "m.onnx", inputs=columns)
    printed = capsys.readouterr().out
    names: dict[str, Any] = {"si": si}
    exec(compile(ast.parse(printed), "draft", "exec"), names)
    assert names["signature"] == found
    bundle = si.save_bundle(tmp_path / "b", tmp_path / "m.onnx", signature=found)
    assert bundle.signature.column_names == ("amounts" if columns else "x",)


def test_a_draft_of_another_model_says_what_is_missing() -> None:
    with pytest.raises(SignatureError, match="does not say what it takes"):
        si.read_signature(torch.nn.Linear(1, 1))


def test_providers_follow_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_INFER_CACHE", str(tmp_path))
    known = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]

    def named(device: str, available: list[str] = known) -> list[tuple[str, str | None]]:
        providers = providers_for(ModelOptions(device=device), DIGEST, available)
        return [(name, options.get("device_id")) for name, options in providers]

    cpu = ("CPUExecutionProvider", None)
    assert named("cpu") == [cpu]
    assert named("cuda") == [("CUDAExecutionProvider", "0"), cpu]
    assert named("cuda:2") == [("CUDAExecutionProvider", "2"), cpu]
    first, second, last = named("tensorrt:1")
    assert (first, second, last) == (
        ("TensorrtExecutionProvider", "1"),
        ("CUDAExecutionProvider", "1"),
        cpu,
    )
    (_, options), *_ = providers_for(ModelOptions(device="tensorrt"), DIGEST, known)
    assert options["trt_engine_cache_path"] == str(tmp_path / "tensorrt" / DIGEST)
    assert (tmp_path / "tensorrt" / DIGEST).is_dir()
    with pytest.raises(RuntimeUnavailable, match="needs TensorrtExecutionProvider"):
        named("tensorrt", known[1:])


def test_a_session_that_fell_back_is_told() -> None:
    session = make_session(linear().SerializeToString())
    check_provider(session, [("CPUExecutionProvider", {})])
    with pytest.raises(RuntimeUnavailable, match="would run on CPUExecutionProvider; check"):
        check_provider(session, [("CUDAExecutionProvider", {}), ("CPUExecutionProvider", {})])


def test_a_session_has_the_threads_that_are_asked_for() -> None:
    for threads, expected in ((1, 1), (3, 3), (None, 0)):
        session = make_session(linear().SerializeToString(), threads=threads)
        options = session.get_session_options()
        assert options.intra_op_num_threads == expected
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def parts(graph: ModelProto, **said: Any) -> tuple[Any, Any, Any]:
    checked = Graph.of(graph)
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a", "b"])], outputs=[si.Output("y")]
    )
    feeds, fetches = feeds_of(checked, signature), fetches_of(checked, signature)
    return make_session(checked.content, **said), feeds, fetches


def test_tensors_that_are_bound_give_the_same() -> None:
    made = parts(linear())
    rows = {"x": np.array([[2.0, 4.0], [0.0, 1.0]], np.float32)}
    bound = BoundBackend(*made, device="cpu")
    (found,) = bound.run(rows)
    (expected,) = OnnxBackend(*made).run(rows)
    assert found.tolist() == expected.tolist() == [[2.5], [0.5]]
    bound.release()
    assert bound.run(rows)[0].tolist() == found.tolist()


class Session:
    """Keeps the options of each run."""

    def __init__(self) -> None:
        self.shrinks: list[str] = []

    def run(self, names: list[str], given: Mapping[str, Array], options: ort.RunOptions) -> Any:
        key = "memory.enable_memory_arena_shrinkage"
        try:
            self.shrinks.append(options.get_run_config_entry(key))
        except RuntimeError:
            self.shrinks.append("")
        return [given["x"]]


def test_the_arena_shrinks_once_after_memory_ran_out() -> None:
    _, feeds, fetches = parts(linear())
    session = Session()
    backend = OnnxBackend(session, feeds, fetches)
    rows = {"x": np.zeros((1, 2), np.float32)}
    backend.run(rows)
    backend.release()
    backend.run(rows)
    backend.run(rows)
    assert session.shrinks == ["", "cpu:0", ""]


def test_a_real_session_takes_the_options_of_a_shrinking_run() -> None:
    session, *_ = parts(linear())
    rows = {"x": np.ones((1, 2), np.float32)}
    (found,) = session.run(["y"], rows, run_options(shrinks=["cpu:0"]))
    assert found.tolist() == [[0.75]]


def test_axes_without_names(tmp_path: Path) -> None:
    dims = [None, None]
    graph = model(
        [helper.make_node("Add", ["x", "z"], ["y"])],
        {"x": ("float32", dims), "z": ("float32", dims)},
        {"y": ("float32", dims)},
    )
    columns = {"x": ["a", "b"], "z": ["c", "d"]}
    bundle = si.save_bundle(tmp_path / "b", graph, inputs=columns)
    assert [output.shape for output in bundle.signature.outputs] == [(2,)]
    with pytest.raises(SignatureError, match="the ONNX model fails on 3 row"):
        si.save_bundle(tmp_path / "c", graph, inputs={"x": "a", "z": "c"})


def test_two_ragged_inputs_of_their_own_lengths(tmp_path: Path) -> None:
    sums = [
        helper.make_node("ReduceSum", [name, "axis"], [f"{name}_sum"], keepdims=0)
        for name in ("x", "z")
    ]
    graph = model(
        [
            *sums,
            helper.make_node("Sub", ["x_sum", "z_sum"], ["y"]),
            helper.make_node("Neg", ["z"], ["n"]),
        ],
        {"x": ("float32", [None, None]), "z": ("float32", [None, None])},
        {"y": ("float32", [None]), "n": ("float32", [None, None])},
        {"axis": np.array([1])},
    )
    bundle = si.save_bundle(tmp_path / "b", graph, inputs={"x": "a", "z": "c"})
    assert [output.lengths_of for output in bundle.signature.outputs] == [None, "z"]
    rows = {"a": [[1.0, 2.0], [5.0]], "c": [[1.0], [1.0, 3.0, 4.0]]}
    found = si.Predictor(si.load_model(bundle), bundle).predict(rows).to_pydict()
    assert found["y"] == [2.0, -3.0]
    assert found["n"] == [[-1.0], [-1.0, -3.0, -4.0]]


class Recurrent(torch.nn.Module):
    """A layer that torch.export does not trace for rows of any length."""

    def __init__(self) -> None:
        super().__init__()
        self.states = torch.nn.GRU(1, 4, batch_first=True)
        self.score = torch.nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.states(x.unsqueeze(-1))
        return self.score(states).squeeze(-1)


def test_a_recurrent_layer_over_rows_of_any_length(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Recurrent()
    shapes = ({0: torch.export.Dim("batch"), 1: torch.export.Dim("length")},)
    graph = exported(
        module, torch.zeros(2, 5), dynamic_shapes=shapes, input_names=["x"], output_names=["y"]
    )
    bundle = si.save_bundle(tmp_path / "b", graph, inputs={"x": "amounts"})
    rows = [[0.5, -1.0, 2.0], [3.0], [1.0] * 9]
    found = si.Predictor(si.load_model(bundle), bundle).predict({"amounts": rows}).to_pydict()
    for row, scores in zip(rows, found["y"], strict=True):
        with torch.no_grad():
            assert np.allclose(scores, module(torch.tensor([row]))[0].numpy(), atol=1e-6)


def test_a_graph_of_one_row_of_any_length(tmp_path: Path) -> None:
    graph = model(
        [helper.make_node("ReduceSum", ["x", "axis"], ["y"], keepdims=0)],
        {"x": ("float32", [1, "length"])},
        {"y": ("float32", [1])},
        {"axis": np.array([1])},
    )
    bundle = si.save_bundle(tmp_path / "b", graph, inputs={"x": "a"})
    assert bundle.manifest.row_independent
    found = si.Predictor(si.load_model(bundle), bundle).predict({"a": [[1.0, 2.0], [4.0]]})
    assert found["y"].to_pylist() == [3.0, 4.0]
