"""Bundles of ONNX models answer as bare ONNX Runtime does."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skl2onnx
import torch
from onnx import ModelProto, helper
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import spark_infer as si
from spark_infer.bundle import Bundle
from tests.unit.support.graphs import bare, cast, exported, linear, mean, model

NUM_ROWS = 10_000
COLUMNS = ["a", "b", "c", "d"]
OUTPUTS = ["score", "shares", "grid", "vectors", "sums"]


def predict(bundle: Bundle, rows: Any) -> dict[str, list[Any]]:
    bundle = Bundle.load(bundle.path)
    predicted = si.Predictor(si.load_model(bundle), bundle).predict(rows)
    found: dict[str, list[Any]] = predicted.to_pydict()
    return found


def numbers(num_rows: int = NUM_ROWS, columns: int = 4) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(7).standard_normal((num_rows, columns)).astype(np.float32)


def fitted(estimator: BaseEstimator, labels: list[Any]) -> tuple[BaseEstimator, Any]:
    x = numbers(300)
    y = np.array(labels)[(x[:, 0] > 0).astype(int) + (x[:, 1] > 1)]
    return estimator.fit(x, y), x


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize(
    ("estimator", "labels"),
    [
        (make_pipeline(StandardScaler(), RandomForestClassifier(8, random_state=0)), [0, 1, 2]),
        (LogisticRegression(), [3, 5, 9]),
        (LogisticRegression(), ["ham", "spam", "eggs"]),
        (RandomForestClassifier(5, random_state=0), ["no", "yes", "yes"]),
    ],
)
def test_a_classifier_of_scikit_learn(
    tmp_path: Path, estimator: BaseEstimator, labels: list[Any], zipmap: bool
) -> None:
    trained, x = fitted(estimator, labels)
    graph = skl2onnx.to_onnx(trained, x[:1], options={"zipmap": zipmap})
    bundle = si.save_bundle(tmp_path / "b", graph, columns=COLUMNS)
    rows = numbers()
    found = predict(bundle, {name: rows[:, place] for place, name in enumerate(COLUMNS)})
    plain = skl2onnx.to_onnx(trained, x[:1], options={"zipmap": False})
    label, scores = bare(plain, X=rows)
    label_name, scores_name, _ = found
    assert found[label_name] == list(label)
    # A sum over other batches is rounded otherwise in its last bit.
    assert np.allclose(np.array(found[scores_name], np.float32), scores, rtol=1e-6, atol=1e-8)
    assert set(label) == set(labels)


def test_a_regressor_of_scikit_learn(tmp_path: Path) -> None:
    trained, x = fitted(GradientBoostingRegressor(n_estimators=9, random_state=0), [0.1, 3.0, 7.0])
    graph = skl2onnx.to_onnx(trained, x[:1])
    bundle = si.save_bundle(tmp_path / "b", graph, columns=COLUMNS)
    rows = numbers()
    found = predict(bundle, {name: rows[:, place] for place, name in enumerate(COLUMNS)})
    assert found["variable"] == bare(graph, X=rows)[0][:, 0].tolist()


def test_a_pipeline_with_columns_of_text_and_numbers(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    city = np.array(["Rome", "Oslo", "Bonn"])[random.integers(0, 3, 300)]
    amount = random.standard_normal(300).astype(np.float32)
    table = {"city": city, "amount": amount}
    frame = pd.DataFrame(table)
    steps = ColumnTransformer(
        [
            ("c", OneHotEncoder(handle_unknown="ignore"), ["city"]),
            ("n", StandardScaler(), ["amount"]),
        ]
    )
    trained = make_pipeline(steps, LogisticRegression()).fit(frame, (city == "Oslo") ^ (amount > 1))
    types = [("city", StringTensorType([None, 1])), ("amount", FloatTensorType([None, 1]))]
    graph = skl2onnx.to_onnx(trained, initial_types=types, options={"zipmap": False})
    bundle = si.save_bundle(tmp_path / "b", graph)
    assert bundle.signature.column_names == ("city", "amount")
    tried = ["Rome", "Oslo", "Bonn", "", "rome", "Oslo ", "Zürich"]
    cities = np.array(tried, object)[random.integers(0, len(tried), NUM_ROWS)]
    amounts = random.standard_normal(NUM_ROWS).astype(np.float32)
    found = predict(bundle, {"city": pa.array(cities), "amount": amounts})
    _, scores = bare(graph, city=cities[:, None], amount=amounts[:, None])
    assert np.allclose(np.array(found["probabilities"], np.float32), scores, rtol=1e-6)


class Wide(torch.nn.Module):
    """Several inputs and outputs of several ranks."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(9, 4)
        self.dense = torch.nn.Linear(6, 5)

    def forward(
        self, ids: torch.Tensor, mask: torch.Tensor, features: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        embedded = self.embed(ids) * mask.unsqueeze(-1).to(torch.float32)
        pooled = embedded.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        hidden = self.dense(torch.cat([pooled, features], 1))
        grid = hidden[:, :4].reshape(-1, 2, 2)
        return hidden.sum(1), torch.softmax(hidden, 1), grid, embedded, embedded.sum(2)


def wide() -> ModelProto:
    torch.manual_seed(3)
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
    ids = torch.ones(2, 3, dtype=torch.int64)
    return exported(
        Wide(),
        ids,
        ids.clone(),
        torch.zeros(2, 2),
        dynamic_shapes=({0: batch, 1: length}, {0: batch, 1: length}, {0: batch}),
        input_names=["input_ids", "attention_mask", "features"],
        output_names=OUTPUTS,
    )


def test_an_exported_module_of_several_inputs_and_outputs(tmp_path: Path) -> None:
    graph = wide()
    columns = {"input_ids": "words", "features": ["a", "b"]}
    bundle = si.save_bundle(tmp_path / "b", graph, inputs=columns)
    ids_input = bundle.signature.inputs[0]
    assert isinstance(ids_input, si.RaggedInput)
    assert ids_input.mask == si.Mask(tensor="attention_mask", dtype="int64")
    assert [output.shape for output in bundle.signature.outputs] == [(), (5,), (2, 2), (4,), ()]
    random = np.random.default_rng(1)
    lengths = random.integers(1, 12, 2_000)
    words = [random.integers(0, 9, length).tolist() for length in lengths]
    numbers = random.standard_normal((len(words), 2)).astype(np.float32)
    rows = {"words": words, "a": numbers[:, 0], "b": numbers[:, 1]}
    found = predict(bundle, rows)
    for row in range(0, len(words), 97):
        ids = np.array([words[row]])
        alone = bare(
            graph, input_ids=ids, attention_mask=np.ones_like(ids), features=numbers[[row]]
        )
        for name, expected in zip(
            ("score", "shares", "grid", "vectors", "sums"), alone, strict=True
        ):
            assert np.allclose(found[name][row], expected[0], atol=1e-5)


def test_an_exported_module_on_many_rows_equals_bare_runtime(tmp_path: Path) -> None:
    torch.manual_seed(4)
    net = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
    shapes = ({0: torch.export.Dim("batch")},)
    graph = exported(net, torch.zeros(2, 4), dynamic_shapes=shapes)
    bundle = si.save_bundle(tmp_path / "b", graph, columns=COLUMNS)
    rows = numbers()
    found = predict(bundle, {name: rows[:, place] for place, name in enumerate(COLUMNS)})
    (name, _) = found
    (tensor,) = (value.name for value in graph.graph.input)
    assert np.allclose(found[name], bare(graph, **{tensor: rows})[0], atol=1e-6)
    with torch.inference_mode():
        assert np.allclose(found[name], net(torch.from_numpy(rows)).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("bool", [True, False]),
        ("int8", [-128, 127]),
        ("int16", [-300, 300]),
        ("int32", [-(2**31), 5]),
        ("int64", [-(2**40), 2**40]),
        ("uint8", [0, 255]),
        ("uint16", [0, 65_535]),
        ("uint32", [0, 2**32 - 1]),
        ("uint64", [0, 2**62]),
        ("float16", [0.5, -2.0]),
        ("float32", [0.5, -2.0]),
        ("float64", [0.1, -1e200]),
    ],
)
def test_tensors_of_any_type(tmp_path: Path, kind: str, values: list[Any]) -> None:
    graph = cast(kind)
    bundle = si.save_bundle(tmp_path / "b", graph, columns=["a", "b"])
    found = predict(bundle, {"a": values[:1], "b": values[1:]})
    number, same = bare(graph, x=np.array([values], kind))
    assert found["y"] == number.tolist()
    assert found["same"] == same.tolist() == [values]


@pytest.mark.parametrize(("kind", "value"), [("uint16", 70_000), ("uint32", -1), ("uint64", -1)])
def test_a_number_that_the_graph_has_no_room_for_is_rejected(
    tmp_path: Path, kind: str, value: int
) -> None:
    bundle = si.save_bundle(tmp_path / "b", cast(kind), columns=["a", "b"])
    found = predict(bundle, {"a": [1, value], "b": [2, 2]})
    assert found["same"] == [[1, 2], None]
    assert "does not fit the graph's" in found["rejected_reason"][1]


def test_ragged_rows_with_a_mask(tmp_path: Path) -> None:
    bundle = si.save_bundle(tmp_path / "b", mean(), inputs={"x": "amounts"})
    found = predict(bundle, {"amounts": [[1.0, 2.0, 6.0], [4.0], [1.0, 0.0]]})
    assert found["mean"] == [3.0, 4.0, 0.5]
    assert found["rest"] == [[-2.0, -1.0, 3.0], [0.0], [0.5, -0.5]]


def test_names_that_are_no_identifiers(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Add", ["input/x:0", "serving_default_x"], ["Identity:0"]),
        helper.make_node("Neg", ["Identity:0"], ["identity_0"]),
        helper.make_node("Neg", ["identity_0"], ["0"]),
    ]
    dims = ["n", 2]
    graph = model(
        nodes,
        {"input/x:0": ("float32", dims), "serving_default_x": ("float32", dims)},
        dict.fromkeys(("Identity:0", "identity_0", "0"), ("float32", dims)),
    )
    columns = {"input/x:0": ["a", "b"], "serving_default_x": ["c", "d"]}
    bundle = si.save_bundle(tmp_path / "b", graph, inputs=columns)
    assert [item.name for item in bundle.signature.inputs] == ["input_x_0", "serving_default_x"]
    assert [item.tensor for item in bundle.signature.inputs] == ["input/x:0", None]
    found = predict(bundle, {"a": [1.0], "b": [2.0], "c": [3.0], "d": [4.0]})
    assert found == {
        "Identity_0": [[4.0, 6.0]],
        "identity_0_2": [[-4.0, -6.0]],
        "_0": [[4.0, 6.0]],
        "rejected_reason": [None],
    }


def test_zeros_and_masks_of_a_transformer(tmp_path: Path) -> None:
    dims = ["batch", "sequence"]
    ids = dict.fromkeys(("input_ids", "token_type_ids", "attention_mask"), ("int64", dims))
    nodes = [
        helper.make_node("Add", ["input_ids", "token_type_ids"], ["typed"]),
        helper.make_node("Mul", ["typed", "attention_mask"], ["real"]),
        helper.make_node("ReduceSum", ["real", "axis"], ["total"], keepdims=0),
    ]
    graph = model(nodes, ids, {"total": ("int64", ["batch"])}, {"axis": np.array([1])})
    bundle = si.save_bundle(tmp_path / "b", graph, inputs={"input_ids": "ids"})
    (item,) = bundle.signature.inputs
    assert isinstance(item, si.RaggedInput)
    assert item.zeros == ("token_type_ids",)
    assert predict(bundle, {"ids": [[5, 6, 7], [8]]})["total"] == [18, 8]


def test_arrays_of_a_fixed_shape(tmp_path: Path) -> None:
    graph = model(
        [helper.make_node("ReduceSum", ["image", "axes"], ["y"], keepdims=0)],
        {"image": ("float32", [None, 3, 2])},
        {"y": ("float32", [None, 2])},
        {"axes": np.array([1])},
    )
    bundle = si.save_bundle(tmp_path / "b", graph, inputs={"image": "pixels"})
    found = predict(bundle, {"pixels": [[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]]})
    assert found["y"] == [[9.0, 12.0]]


def test_a_vector_with_one_number_for_each_row(tmp_path: Path) -> None:
    graph = model(
        [helper.make_node("Neg", ["x"], ["y"])],
        {"x": ("float32", ["n"])},
        {"y": ("float32", ["n"])},
    )
    bundle = si.save_bundle(tmp_path / "b", graph)
    assert predict(bundle, {"x": [1.0, math.inf]})["y"] == [-1.0, -math.inf]


@pytest.mark.parametrize("as_file", [True, False])
def test_a_path_and_a_model_are_the_same(tmp_path: Path, as_file: bool) -> None:
    graph = linear()
    (tmp_path / "m.onnx").write_bytes(graph.SerializeToString())
    given = str(tmp_path / "m.onnx") if as_file else graph
    bundle = si.save_bundle(tmp_path / "b", given, columns=["a", "b"])
    assert predict(bundle, {"a": [2.0], "b": [4.0]})["y"] == [2.5]
    assert set(bundle.files) == {"manifest.json", "examples.json", "artifacts/base/model.onnx"}
    assert bundle.manifest.base.format == "onnx"
    assert {"onnx", "onnxruntime"} < set(bundle.manifest.built_with)
