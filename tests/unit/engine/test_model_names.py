"""Models that name their tensors otherwise than the columns: by order, and by what they return."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import spark_infer as si
from spark_infer.errors import BundleError, SignatureError

TOKENS = {"input": [[3, 1, 2], [5]]}


class Encoder(nn.Module):
    """Takes its tensors as transformers do."""

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        assert attention_mask.dtype is torch.int64
        assert token_type_ids.shape == input_ids.shape
        summed = (input_ids * attention_mask + token_type_ids).sum(1)
        return {"last:0": summed.float(), "count": attention_mask.sum(1)}


SIGNATURE = si.Signature(
    inputs=[
        si.RaggedInput(
            "tokens",
            tensor="input_ids",
            column="input",
            dtype="int64",
            mask=si.Mask(tensor="attention_mask", dtype="int64"),
            zeros=["token_type_ids"],
        )
    ],
    outputs=[
        si.Output("total", tensor="last:0"),
        si.Output("num_tokens", tensor="count", dtype="int64"),
    ],
)


@pytest.mark.parametrize("format", ["export", "module"])
def test_a_model_gets_its_own_names_and_types(tmp_path: Path, format: Any) -> None:
    module = f"{__name__}:Encoder" if format == "module" else None
    bundle = si.save_bundle(
        tmp_path / "b", Encoder(), signature=SIGNATURE, format=format, module=module
    )
    assert si.Bundle.load(bundle.path).signature == SIGNATURE
    model = si.load_model(bundle, allow_modules=[__name__])
    found = si.Predictor(model, bundle).predict(TOKENS)
    assert found["total"].to_pylist() == [6, 5]
    assert found["num_tokens"].to_pylist() == [3, 1]


@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "float32"])
def test_a_mask_is_of_the_type_that_the_model_wants(dtype: str) -> None:
    seen = []

    def run(*arrays: Any) -> Any:
        seen.append([array.dtype.name for array in arrays])
        return [arrays[0].sum(1)]

    item = si.RaggedInput("x", column="x", mask=si.Mask(dtype=dtype), zeros=["z"], presence=True)
    signature = si.Signature(inputs=[item], outputs=[si.Output("y")])
    predictor = si.Predictor(si.LocalModel(si.FunctionBackend(run)), signature)
    predictor.predict({"x": [[1.0, 2.0], [3.0]]})
    assert signature.tensor_names == ("x", "x_mask", "z", "x_present")
    assert seen == [["float32", dtype, "float32", "bool"]]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"tensor": "y"}, "names tensor 'y' more than once"),
        ({"zeros": ["x_mask"]}, "names tensor 'x_mask' more than once"),
        ({"mask": si.Mask(tensor="x")}, "names tensor 'x' more than once"),
        ({"mask": "attention_mask"}, "mask must be true, false or a Mask, got 'attention_mask'"),
        ({"mask": 1}, "mask must be true, false or a Mask, got 1"),
        ({"zeros": "z"}, "zeros must be a list, not a string"),
        ({"zeros": [5]}, r"zeros\[0\] must be a valid string, got 5"),
        ({"tensor": ""}, "the tensor of input 'x' must have a non-empty name, got ''"),
        ({"tensor": "a\nb"}, "must have a name of printable characters"),
    ],
)
def test_names_that_cannot_be(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(SignatureError, match=problem):
        si.Signature(
            inputs=[
                si.ScalarInput("y", columns=["y"]),
                si.RaggedInput("x", column="x", **options),
            ],
            outputs=[si.Output("out")],
        )


def test_outputs_of_one_tensor_are_refused() -> None:
    with pytest.raises(SignatureError, match="names output tensor 'p' more than once"):
        si.Signature(
            inputs=[si.ScalarInput("y", columns=["y"])],
            outputs=[si.Output("p"), si.Output("q", tensor="p")],
        )


def test_a_mask_is_checked() -> None:
    with pytest.raises(SignatureError, match="the mask's dtype 'int' is unknown; use one of"):
        si.Mask(dtype="int")


def test_output_follows_an_input_whose_tensor_has_another_name(tmp_path: Path) -> None:
    class Shift(nn.Module):
        def forward(self, ids: torch.Tensor, ids_mask: torch.Tensor) -> torch.Tensor:
            return (ids + 1) * ids_mask

    signature = si.Signature(
        inputs=[si.RaggedInput("x", tensor="ids", column="x", mask=si.Mask(tensor="ids_mask"))],
        outputs=[si.Output("y", lengths_of="x")],
    )
    bundle = si.save_bundle(tmp_path / "b", Shift(), signature=signature)
    found = si.Predictor(si.load_model(bundle), bundle).predict({"x": [[1.0, 2.0], [], [5.0]]})
    assert found["y"].to_pylist() == [[2, 3], [], [6]]


@pytest.mark.parametrize(
    ("option", "shown"), [(2.0, "temperature=2.0"), (True, "temperature=True"), ("a", "='a'")]
)
def test_an_option_of_forward_gets_no_tensor(tmp_path: Path, option: Any, shown: str) -> None:
    class Tempered(nn.Module):
        def forward(self, x: torch.Tensor, temperature: Any = option) -> torch.Tensor:
            return x.sum(1)

    ragged = si.Signature(inputs=[si.RaggedInput("x", column="x")], outputs=[si.Output("y")])
    with pytest.raises(BundleError, match=rf"{shown}, and its place is that of tensor 'x_mask'"):
        si.save_bundle(tmp_path / "b", Tempered(), signature=ragged)


@pytest.mark.parametrize("default", [None, 2.0])
def test_a_tensor_may_have_a_default_under_its_own_name(tmp_path: Path, default: Any) -> None:
    class Masked(nn.Module):
        def forward(self, x: torch.Tensor, x_mask: Any = default) -> torch.Tensor:
            return (x * x_mask).sum(1)

    ragged = si.Signature(inputs=[si.RaggedInput("x", column="x")], outputs=[si.Output("y")])
    assert si.save_bundle(tmp_path / "b", Masked(), signature=ragged).path.is_dir()


def test_a_parameter_behind_the_tensors_that_has_a_tensors_name_is_told(tmp_path: Path) -> None:
    class Optional(nn.Module):
        def forward(self, amount: Any, night: Any = None, weekend: Any = None) -> torch.Tensor:
            total = amount if night is None else amount + 100 * night
            return total if weekend is None else total + 1000 * weekend

    for inputs in (
        [si.ScalarInput("amount", columns=["a"]), si.ScalarInput("weekend", columns=["w"])],
        [
            si.ScalarInput("amount", columns=["a"]),
            si.ScalarInput("w", columns=["w"], tensor="weekend"),
        ],
    ):
        signature = si.Signature(inputs=inputs, outputs=[si.Output("y")])
        with pytest.raises(BundleError, match="tensors come in the order of the signature"):
            si.save_bundle(tmp_path / "b", Optional(), signature=signature)
