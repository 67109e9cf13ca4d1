from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

import spark_infer as si
from spark_infer.backends import load_backend
from spark_infer.bundle import Bundle
from spark_infer.engine import Predictor
from spark_infer.errors import BundleError, SignatureError, SparkInferError
from spark_infer.model import LocalModel
from tests.s3 import Bucket
from tests.unit.support.models import (
    FRAUD_SIGNATURE,
    HERE,
    LINE_SIGNATURE,
    Fraud,
    Line,
    Recurrent,
    fraud_expected,
    fraud_rows,
    save_fraud,
    save_recurrent,
    visits,
)


def predictor(bundle: Bundle) -> Predictor:
    return Predictor(si.load_model(bundle, allow_modules=(HERE,)), bundle)


def save_line(path: Path, model: nn.Module | None = None, **options: Any) -> Bundle:
    return si.save_bundle(path, model or Line(), **{"signature": LINE_SIGNATURE} | options)


@pytest.mark.parametrize(
    ("num_rows", "longest"), [(1, 0), (1, 1), (1, 6), (2, 0), (3, 5), (5, 3), (6, 6), (40, 9)]
)
def test_an_exported_model_takes_any_number_of_rows_and_any_length(
    fraud: Bundle, num_rows: int, longest: int
) -> None:
    rows = fraud_rows(num_rows, longest)
    predicted = predictor(fraud).predict(rows).to_pylist()
    expected = [fraud_expected(row) for row in rows.to_pylist()]
    assert [row["score"] for row in predicted] == pytest.approx([e[0] for e in expected])
    for row, (_, weights) in zip(predicted, expected, strict=True):
        assert row["weights"] == pytest.approx(weights, abs=1e-6)


def test_both_formats_predict_the_same(fraud: Bundle, tmp_path: Path) -> None:
    module = save_fraud(tmp_path / "m", format="module", module=f"{HERE}:Fraud")
    rows = fraud_rows(20)
    exported = predictor(fraud).predict(rows)["score"].to_pylist()
    assert predictor(module).predict(rows)["score"].to_pylist() == pytest.approx(exported)


def test_a_recurrent_model_in_module_format(recurrent: Bundle) -> None:
    lengths = [3, 1, 5, 0]
    rows = visits(*lengths)
    torch.manual_seed(7)
    model = Recurrent(4).eval()
    expected = []
    for row, length in enumerate(lengths):
        pairs = [[float(row), float(position)] for position in range(length)] or [[0.0, 0.0]]
        mask = torch.ones(1, len(pairs), dtype=torch.bool)
        expected.append(model(torch.tensor([pairs]), mask).item())
    assert predictor(recurrent).predict(rows)["score"].to_pylist() == pytest.approx(expected)


def test_exporting_a_recurrent_model_recommends_the_module_format(tmp_path: Path) -> None:
    with pytest.raises(
        BundleError,
        match=r"Recurrent cannot be exported: the length of input 'visits' cannot vary.*GRU, LSTM"
        r".*format='module', module='package.module:Class'.*allow_modules",
    ):
        save_recurrent(tmp_path / "b", format="export", module=None, arguments=None)
    assert list(tmp_path.iterdir()) == []


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    bundle = save_line(
        tmp_path / "deep" / "line",
        features={"a": "CAST(b AS FLOAT)"},
        description="A line.",
        metadata={"auc": 0.9},
    )
    loaded = Bundle.load(bundle.path)
    assert loaded == bundle
    assert loaded.name == "line"
    assert loaded.signature == LINE_SIGNATURE
    assert loaded.features == {"a": "CAST(b AS FLOAT)"}
    assert loaded.manifest.description == "A line."
    assert loaded.manifest.metadata == {"auc": 0.9}
    assert set(loaded.manifest.built_with) >= {"python", "torch"}
    assert save_line(tmp_path / "x", name="other").name == "other"


def test_saving_over_a_bundle_replaces_it(tmp_path: Path) -> None:
    old = save_line(tmp_path / "b", Line(2.0))
    new = save_line(tmp_path / "b", Line(3.0))
    assert new.digest != old.digest
    rows = pa.RecordBatch.from_pydict({"a": [1.0]})
    assert predictor(Bundle.load(tmp_path / "b")).predict(rows)["y"].to_pylist() == [3.0]
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_the_model_is_left_as_it_was(tmp_path: Path) -> None:
    model = Fraud()
    model.train()
    model.scale.eval()
    save = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    si.save_bundle(tmp_path / "b", model, signature=FRAUD_SIGNATURE)
    assert model.training
    assert model.drop.training
    assert not model.scale.training
    assert all(tensor.equal(save[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())


class Returns(nn.Module):
    """Returns what a function makes of the input."""

    def __init__(self, function: Any = None) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(x)


class Fussy(nn.Module):
    """Fails on more than one row."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > 1:
            raise ValueError("one row at a time")
        return x


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: (x, x), r"returned 2 output\(s\), the signature promises 1: \['y'\]"),
        (lambda x: x.sum(), r"output 'y': the model returned shape \(\), .* \(1,\) for 1 rows"),
        (lambda x: torch.cat([x, x]), r"returned shape \(2, 1\)"),
        (lambda x: x.repeat(1, 2), r"returned shape \(1, 2\)"),
        (lambda x: x.long(), "returned int64, the signature promises float32"),
        (lambda x: {"z": x}, r"returned a dict with \['z'\], without 'y'"),
        (lambda x: (x, 1.5), "the model returned float; return a tensor"),
    ],
)
def test_outputs_that_do_not_fit_stop_the_save(tmp_path: Path, function: Any, message: str) -> None:
    with pytest.raises(SignatureError, match=f"the bundle is not saved: .*{message}"):
        save_line(tmp_path / "b", Returns(function))
    assert list(tmp_path.iterdir()) == []


class Fills(nn.Module):
    """Replaces NaN in its input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x[torch.isnan(x)] = -1.0
        return x.mul_(2.0)


@pytest.mark.parametrize("options", [{}, {"format": "module", "module": f"{__name__}:Fills"}])
def test_a_model_may_write_to_its_input(tmp_path: Path, options: dict[str, Any]) -> None:
    bundle = save_line(tmp_path / "b", Fills(), **options)
    backend = load_backend(bundle, allow_modules=(__name__,))
    values = np.array([1.0, np.nan, 3.0], np.float32)
    rows = pa.record_batch({"a": pa.array(values)})
    for _ in range(2):
        predictor = si.Predictor(si.LocalModel(backend), bundle)
        assert predictor.predict(rows)["y"].to_pylist() == [2.0, -2.0, 6.0]
    np.testing.assert_array_equal(values, [1.0, np.nan, 3.0])


def test_a_model_that_fails_stops_the_save(tmp_path: Path) -> None:
    old = save_line(tmp_path / "b")
    here = f"{__name__}:Fussy"
    with pytest.raises(
        SignatureError, match=r"the model fails \(ValueError: one row .*, at test_save.py:\d+\) on"
    ):
        save_line(tmp_path / "b", Fussy(), format="module", module=here)
    assert Bundle.load(tmp_path / "b") == old
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ({"b": [1.0]}, "column 'a' is missing"),
        ({"a": ["one"]}, "column 'a' .*string does not fit"),
    ],
)
def test_a_sample_that_does_not_fit_stops_the_save(
    tmp_path: Path, sample: dict[str, list], message: str
) -> None:
    with pytest.raises(SignatureError, match=message):
        save_line(tmp_path / "b", sample=pa.table(sample))
    assert list(tmp_path.iterdir()) == []


def test_the_model_is_tried_on_the_sample(tmp_path: Path) -> None:
    class Indexed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.arange(3.0)[x[:, 0]]

    item = si.ScalarInput("x", columns=["a"], dtype="int64")
    signature = si.Signature(inputs=[item], outputs=[si.Output("y")])
    save_line(tmp_path / "b", Indexed(), signature=signature, sample=pa.table({"a": [2]}))
    with pytest.raises(SignatureError, match="the bundle is not saved: the model fails"):
        save_line(tmp_path / "c", Indexed(), signature=signature, sample=pa.table({"a": [3]}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": {"aa": "1"}}, "feature 'aa' is no column of the signature"),
        ({"features": {"a": "(SELECT max(b) FROM t)"}}, "feature 'a' .*SELECT at character 2"),
        ({"features": {"a": "explode(b)"}}, "feature 'a' .*the function explode"),
        ({"metadata": {"x": object()}}, "metadata must be JSON data"),
        ({"format": "exprot"}, "model format 'exprot' is unknown; did you mean 'export'"),
        ({"format": "module"}, "format='module' needs module='package.module:Class'"),
        ({"module": f"{HERE}:Line"}, "module and arguments belong to format='module'"),
        ({"arguments": {"weight": 1.0}}, "module and arguments belong to format='module'"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SparkInferError, match=message):
        save_line(tmp_path / "b", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_no_bundle_is_kept(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match="exists and is not a bundle"):
        save_line(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_the_manifest_says_how_to_rebuild_the_module(recurrent: Bundle) -> None:
    data = json.loads((recurrent.path / "manifest.json").read_text())
    model = {"module": f"{HERE}:Recurrent", "arguments": {"hidden": 4}}
    base = {"format": "module", "model": model, "certificate": None}
    assert data["artifacts"] == {"base": base}
    files = {"manifest.json", "examples.json", "artifacts/base/weights.safetensors"}
    assert set(recurrent.files) == files


class Holds(nn.Module):
    """Holds a state of its own, and sums its columns."""

    def __init__(self, state: Any = None) -> None:
        super().__init__()
        self.state = state

    def get_extra_state(self) -> Any:
        return self.state

    def set_extra_state(self, state: Any) -> None:
        self.state = state

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(1)


@pytest.mark.parametrize("state", [{"k": 1}, None, "text", [1.0]])
def test_a_state_that_is_no_tensor_is_refused(tmp_path: Path, state: Any) -> None:
    with pytest.raises(BundleError, match=r"'_extra_state', a \w+, and a bundle stores tensors"):
        save_line(tmp_path / "b", Holds(state), format="module", module=f"{__name__}:Holds")
    save_line(tmp_path / "b", Holds(state))
    save_line(
        tmp_path / "c",
        Holds(torch.ones(1)),
        format="module",
        module=f"{__name__}:Holds",
    )


@pytest.mark.parametrize("layer", [nn.LazyLinear(1), nn.Sequential(nn.LazyBatchNorm1d())])
def test_a_model_without_shapes_is_refused(tmp_path: Path, layer: nn.Module) -> None:
    with pytest.raises(BundleError, match=r"gets its shape when the model is first called"):
        save_line(tmp_path / "b", layer)


def test_what_a_process_changes_for_all_its_models_is_not_stored(tmp_path: Path) -> None:
    with torch.inference_mode():
        made_inside = Line()
        with pytest.raises(BundleError, match=r"inside torch\.inference_mode\(\)"):
            save_line(tmp_path / "b")
    with pytest.raises(BundleError, match=r"was made inside torch\.inference_mode\(\)"):
        save_line(tmp_path / "b", made_inside)
    with (
        torch.autocast("cpu", torch.bfloat16),
        pytest.raises(BundleError, match=r"inside torch\.autocast\(\)"),
    ):
        save_line(tmp_path / "b")
    torch.set_default_dtype(torch.float64)
    try:
        with pytest.raises(BundleError, match=r"new tensors of torch\.float64 here"):
            save_line(tmp_path / "b")
    finally:
        torch.set_default_dtype(torch.float32)
    with torch.no_grad():
        save_line(tmp_path / "b")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"signature": "x"}, "signature must be a Signature, got 'x'"),
        ({"features": ["a"]}, r"features must be a dict of SQL .*, got \['a'\]"),
        ({"features": "a"}, "features must be a dict of SQL"),
    ],
)
def test_arguments_of_another_kind_are_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        save_line(tmp_path / "b", **options)


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match=r"cannot be written: .*; choose another path"):
        save_line(tmp_path / "file" / "b")


class Two(nn.Module):
    def forward(self, b: torch.Tensor, a: torch.Tensor, *more: torch.Tensor) -> torch.Tensor:
        return b.sum(1) - a.sum(1)


def test_parameters_that_stand_in_another_order_are_refused(tmp_path: Path) -> None:
    inputs = [si.ScalarInput(name, columns=[name]) for name in "ab"]
    swapped = si.Signature(inputs=inputs, outputs=[si.Output("y")])
    with pytest.raises(BundleError, match=r"takes \['b', 'a', 'more'\], .* \['a', 'b'\]"):
        si.save_bundle(tmp_path / "b", Two(), signature=swapped)
    right = si.Signature(inputs=inputs[::-1], outputs=[si.Output("y")])
    bundle = si.save_bundle(tmp_path / "b", Two(), signature=right)
    assert predictor(bundle).predict({"a": [1.0], "b": [5.0]})["y"].to_pylist() == [4.0]


class FromMean(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, 0] - x.mean() + x.shape[0]


def test_a_predictor_of_a_bare_signature_knows_what_the_bundle_says(tmp_path: Path) -> None:
    bundle = save_line(tmp_path / "b", FromMean(), row_independent=False, sample={"a": [1.0, 2.0]})
    backend = load_backend(bundle)
    for says in (bundle, bundle.signature):
        predicted = Predictor(LocalModel(backend), says).predict({"a": [1.0, 2.0]})["y"].to_pylist()
        assert predicted == [1.0, 1.0]


class Divides(nn.Module):
    def forward(
        self, a: torch.Tensor, a_mask: torch.Tensor, b: torch.Tensor, b_mask: torch.Tensor
    ) -> torch.Tensor:
        total = (a * a_mask).sum(1) + (b * b_mask).sum(1)
        return total / (a_mask.sum(1) + b_mask.sum(1))


def test_inputs_that_are_empty_at_once_are_looked_at_together(tmp_path: Path) -> None:
    inputs = [si.RaggedInput(name, column=name) for name in "ab"]
    signature = si.Signature(inputs=inputs, outputs=[si.Output("y")])
    bundle = si.save_bundle(tmp_path / "b", Divides(), signature=signature)
    assert [item.min_length for item in bundle.signature.inputs] == [None, 1]  # type: ignore[attr-defined]
    rows = {"a": [[], [], [4.0]], "b": [[], [2.0], [2.0]]}
    predicted = predictor(bundle).predict(rows).to_pylist()
    assert [row["y"] for row in predicted] == [None, 2.0, 3.0]
    strict = si.Signature(
        inputs=[si.RaggedInput(name, column=name, nulls="empty") for name in "ab"],
        outputs=[si.Output("y")],
    )
    with pytest.raises(SignatureError, match="answers NaN where inputs 'a' and 'b' are empty"):
        si.save_bundle(tmp_path / "c", Divides(), signature=strict)


def test_a_model_saved_behind_a_uri_predicts_the_same(
    fraud: Bundle, bucket: Bucket, tmp_path: Path
) -> None:
    uri = bucket.uri("bundles/fraud%20model")
    bundle = save_fraud(uri)
    assert bundle.name == "fraud model"
    assert bundle.path == tmp_path / "cache" / "bundles" / bundle.digest
    rows = fraud_rows(20)
    for given in (uri, bundle):
        model = si.load_model(given)
        predicted = Predictor(model, si.Bundle.load(given)).predict(rows)
        assert predicted == predictor(fraud).predict(rows)
    with pytest.raises(BundleError, match="something is there already"):
        save_fraud(uri)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache"]


def test_a_file_uri_is_the_path_to_save_at(tmp_path: Path) -> None:
    bundle = save_line(f"file://{tmp_path}/a%20line")
    assert (bundle.path, bundle.name) == (tmp_path / "a line", "a line")
