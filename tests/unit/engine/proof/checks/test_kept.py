"""Rows that a bundle keeps: which they are, and what is found where a model answers otherwise."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor, nn

import spark_infer as si
from spark_infer.backends import Array, HostBackend, ModelOptions, load_backend
from spark_infer.bundle import Bundle
from spark_infer.bundle.files.digest import seal
from spark_infer.bundle.files.examples import EXAMPLES_FILE, Answer, Examples
from spark_infer.engine.proof.checks.kept import try_bundle
from spark_infer.errors import BundleError, RuntimeUnavailable
from spark_infer.runtime.models import shared_model
from tests.unit.support.models import FRAUD_SIGNATURE, fraud_rows, save_fraud


class Otherwise(HostBackend):
    """A model whose answers another function makes of those of the right one."""

    def __init__(self, bundle: Bundle, change: Callable[[Array], Array]) -> None:
        self._right = load_backend(bundle)
        self._change = change

    def run(self, tensors: Mapping[str, Array]) -> Sequence[Array]:
        return [self._change(np.asarray(array)) for array in self._right.run(tensors)]


def test_a_bundle_keeps_rows_and_answers_and_they_come_again(tmp_path: Path) -> None:
    bundle = save_fraud(tmp_path / "b")
    kept = Examples.read(bundle.path, bundle.signature)
    assert kept.num_rows == 8
    assert list(kept.inputs) == list(FRAUD_SIGNATURE.tensor_names)
    assert kept.inputs["history_mask"].all()
    tried = try_bundle(load_backend(bundle), bundle)
    assert (tried.num_rows, tried.compared) == (8, True)
    assert tried.largest < 1e-5


def test_no_row_of_the_users_sample_is_kept(tmp_path: Path) -> None:
    strange = fraud_rows(30).set_column(0, "amount", pa.array([31.25] * 30, pa.float32()))
    bundle = save_fraud(tmp_path / "b", sample=strange)
    kept = Examples.read(bundle.path, bundle.signature)
    assert not (kept.inputs["features"] == 31.25).any()


def test_a_model_that_answers_otherwise_is_named_with_the_versions(tmp_path: Path) -> None:
    bundle = save_fraud(tmp_path / "b")
    says = r"answers otherwise here, 'score' is .* for row 0 .* with the same versions of libraries"
    with pytest.raises(RuntimeUnavailable, match=says):
        try_bundle(Otherwise(bundle, lambda array: array + 0.01), bundle)
    manifest = bundle.path / "manifest.json"
    data = json.loads(manifest.read_text())
    data["built_with"]["torch"] = "1.0"
    manifest.write_text(json.dumps(data))
    seal(bundle.path)
    older = Bundle.load(bundle.path)
    says = f"with torch 1.0 and here is {torch.__version__}".replace("+", r"\+")
    with pytest.raises(RuntimeUnavailable, match=says) as raised:
        try_bundle(Otherwise(older, lambda array: array + 0.01), older)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda array: array[:, None, None], "output 'score' has shape"),
        (lambda array: 1 / 0, "the model fails here .ZeroDivisionError"),
        (lambda array: array * np.nan, "answers otherwise here, 'score' is nan"),
    ],
)
def test_a_model_that_fails_or_has_another_shape(
    tmp_path: Path, change: Callable[[Array], Array], message: str
) -> None:
    bundle = save_fraud(tmp_path / "b")
    with pytest.raises(RuntimeUnavailable, match=message):
        try_bundle(Otherwise(bundle, change), bundle)


def test_answers_of_another_number_or_kind_are_told(tmp_path: Path) -> None:
    bundle = save_fraud(tmp_path / "b")
    right = load_backend(bundle)

    class Twice(Otherwise):
        def run(self, tensors: Mapping[str, Array]) -> Sequence[Array]:
            return [*right.run(tensors), *right.run(tensors)]

    with pytest.raises(RuntimeUnavailable, match="gives 4 outputs here instead of 2"):
        try_bundle(Twice(bundle, lambda array: array), bundle)
    with pytest.raises(RuntimeUnavailable, match="output 'score' has another type here"):
        try_bundle(Otherwise(bundle, lambda array: array.astype(object).astype(str)), bundle)


def test_a_nameless_library_hides_no_difference(tmp_path: Path) -> None:
    bundle = save_fraud(tmp_path / "b")
    manifest = bundle.path / "manifest.json"
    data = json.loads(manifest.read_text())
    data["built_with"][""] = "1"
    manifest.write_text(json.dumps(data))
    seal(bundle.path)
    damaged = Bundle.load(bundle.path)
    with pytest.raises(RuntimeUnavailable, match="answers otherwise here"):
        try_bundle(Otherwise(damaged, lambda array: array + 1), damaged)


def test_what_is_rounded_otherwise_is_no_difference(tmp_path: Path) -> None:
    bundle = save_fraud(tmp_path / "b")
    tried = try_bundle(Otherwise(bundle, lambda array: array * (1 + 1e-6)), bundle)
    assert 0 < tried.largest < 1e-4


def test_half_precision_is_not_compared(tmp_path: Path) -> None:
    bundle = save_fraud(tmp_path / "b")
    options = ModelOptions(precision="bfloat16")
    assert not try_bundle(load_backend(bundle, options), bundle, options).compared


class Noisy(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand_like(x)


def test_of_a_stochastic_model_shapes_are_kept(tmp_path: Path) -> None:
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a", "b"])], outputs=[si.Output("y", shape=(2,))]
    )
    bundle = si.save_bundle(tmp_path / "b", Noisy(), signature=signature, stochastic=True)
    (answer,) = Examples.read(bundle.path, bundle.signature).answers
    assert (answer.shape, answer.values) == ((8, 2), None)
    tried = try_bundle(load_backend(bundle), bundle)
    assert (tried.num_rows, tried.compared) == (8, False)


class Pixels(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((1, 2))


def test_large_rows_are_not_kept(tmp_path: Path) -> None:
    signature = si.Signature(
        inputs=[si.ArrayInput("x", column="x", shape=(256, 256))], outputs=[si.Output("y")]
    )
    bundle = si.save_bundle(tmp_path / "b", Pixels(), signature=signature)
    assert EXAMPLES_FILE not in bundle.files
    assert try_bundle(load_backend(bundle), bundle).num_rows == 0


def test_rows_of_a_model_that_runs_one_by_one(tmp_path: Path) -> None:
    bundle = save_fraud(tmp_path / "b", row_independent=False)
    assert Examples.read(bundle.path, bundle.signature).num_rows == 1
    assert try_bundle(load_backend(bundle), bundle).compared


def test_versions_without_end_are_not_listed(tmp_path: Path) -> None:
    bundle = save_fraud(tmp_path / "b")
    versions = {f"package-{place}": "9" * 1_000 for place in range(100_000)}
    manifest = dataclasses.replace(bundle.manifest, built_with=versions)
    bundle = dataclasses.replace(bundle, manifest=manifest)
    with pytest.raises(RuntimeUnavailable, match=r"saved with package-0 9+\.\.\..*install") as e:
        try_bundle(Otherwise(bundle, lambda array: array + 1), bundle)
    assert len(str(e.value)) < 1500


def test_a_worker_tries_a_model_before_it_predicts_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = save_fraud(tmp_path / "b")
    wrong = Otherwise(bundle, lambda array: array + 1)
    monkeypatch.setattr("spark_infer.runtime.models.load_backend", lambda *a, **k: wrong)
    with pytest.raises(RuntimeUnavailable, match="answers otherwise here"):
        shared_model(bundle.digest, lambda: bundle, ModelOptions())


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.pop("inputs"),
        lambda data: data["inputs"].pop("history"),
        lambda data: data["outputs"].pop(),
        lambda data: data["outputs"][0].update(shape=[7]),
        lambda data: data["outputs"][0].update(base64="AAAA"),
        lambda data: data["outputs"][0].update(base64="no base 64"),
        lambda data: data["outputs"][0].update(dtype="object"),
        lambda data: data["outputs"][0].update(dtype="float99"),
        lambda data: data["outputs"][0].update(dtype="012f4"),
        lambda data: data["outputs"][0].update(dtype="(,)f4"),
        lambda data: data["outputs"][0].update(dtype="f4"),
        lambda data: data["outputs"][0].update(dtype=["float32"]),
        lambda data: data["outputs"][0].update(dtype="float128"),
        lambda data: data["outputs"][0].update(dtype=None),
        lambda data: data["outputs"][0].update(more=1),
        lambda data: data.update(outputs=5),
        lambda data: data.update(outputs=[5, 5]),
        lambda data: [
            item.update(shape=[0, *item["shape"][1:]], base64="")
            for item in (*data["inputs"].values(), *data["outputs"])
        ],
        lambda data: data["inputs"]["features"].update(shape=[8, 10**30, 0], base64=""),
        lambda data: data["inputs"]["features"].update(shape=[2**31, 0], base64=""),
        lambda data: data["inputs"]["features"].update(shape=[2**31 - 1] * 20 + [0], base64=""),
        lambda data: data["inputs"]["features"].update(shape=[1] * 33),
        lambda data: data["inputs"]["features"].update(shape=[10**4200] * 200),
        lambda data: data["inputs"].update(
            features={"dtype": "str", "shape": [8, 10**30, 0], "values": []}
        ),
        lambda data: data["inputs"].update(
            features={"dtype": "str", "shape": [1], "values": {"a": 1}}
        ),
        lambda data: data["inputs"].update(
            features={"dtype": "str", "shape": [2], "values": ["a"]}
        ),
        lambda data: data["outputs"].__setitem__(0, {"shape": [8, 10**30]}),
        lambda data: data["outputs"].__setitem__(0, {"shape": [8] * 100_000}),
        lambda data: data.update(tolerance="1"),
        lambda data: data.update(tolerance=2.0),
    ],
)
def test_damaged_rows_are_refused(tmp_path: Path, damage: Callable[[Any], Any]) -> None:
    bundle = save_fraud(tmp_path / "b")
    file = bundle.path / EXAMPLES_FILE
    data = json.loads(file.read_text())
    damage(data)
    file.write_text(json.dumps(data))
    seal(bundle.path)
    damaged = Bundle.load(bundle.path)
    with pytest.raises(
        BundleError, match=r"examples\.json is damaged .*; save the bundle again"
    ) as e:
        try_bundle(load_backend(damaged), damaged)
    assert len(str(e.value)) < 1000


@pytest.mark.parametrize(("byte", "fits"), [("AA==", True), ("AQ==", True), ("Ag==", False)])
def test_a_byte_that_is_no_truth_value_is_damage(tmp_path: Path, byte: str, fits: bool) -> None:
    data = {"dtype": "bool", "shape": [1], "base64": byte}
    document = {"inputs": {"x": data}, "outputs": [{"shape": [1]}], "tolerance": 0.0}
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a"], dtype="bool")], outputs=[si.Output("y")]
    )
    (tmp_path / EXAMPLES_FILE).write_text(json.dumps(document))
    if fits:
        assert Examples.read(tmp_path, signature).inputs["x"].tolist() == [byte == "AQ=="]
        return
    with pytest.raises(BundleError, match="bytes that are neither 0 nor 1"):
        Examples.read(tmp_path, signature)


class Doubled(nn.Module):
    """One number for each row, and one for each position."""

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return (x * mask).sum(1), x * 2


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (0, {"lengths_of": "x"}),
        (0, {"shape": [2]}),
        (0, {"labels": ["u", "v", "w"]}),
        (1, {"lengths_of": None}),
        (1, {"shape": [3]}),
    ],
)
def test_answers_of_another_signature_are_refused(
    tmp_path: Path, place: int, change: dict[str, Any]
) -> None:
    signature = si.Signature(
        inputs=[si.RaggedInput("x", column="a")],
        outputs=[si.Output("score"), si.Output("each", lengths_of="x")],
    )
    bundle = si.save_bundle(tmp_path / "b", Doubled(), signature=signature)
    manifest = bundle.path / "manifest.json"
    data = json.loads(manifest.read_text())
    data["signature"]["outputs"][place].update(change)
    manifest.write_text(json.dumps(data))
    seal(bundle.path)
    changed = Bundle.load(bundle.path)
    with pytest.raises(BundleError, match=r"examples\.json is damaged \(output .* has shape"):
        try_bundle(load_backend(changed), changed)


def test_text_is_kept_as_text(tmp_path: Path) -> None:
    signature = si.Signature(inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("y")])
    words = np.array([["naïve"], [""]], object)
    answer = Answer((2,), np.array([1.5, np.nan], np.float32))
    Examples({"x": words}, [answer], 1e-4).write(tmp_path)
    again = Examples.read(tmp_path, signature)
    assert again.inputs["x"].tolist() == words.tolist()
    assert again.answers[0].values is not None
    np.testing.assert_array_equal(again.answers[0].values, answer.values)
