from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import spark_infer as si
from spark_infer.engine.proof.evidence import silent, unknown
from spark_infer.errors import BundleError, SignatureError

COLUMNS = [f"c{number}" for number in range(30)]


class Function(nn.Module):
    """Calls a function of its tensors; what is traced is ``drift`` times as large."""

    def __init__(self, function: Callable[..., Tensor], drift: float = 1.0) -> None:
        super().__init__()
        self.function = function
        self.drift = drift

    def forward(self, *tensors: Tensor) -> Tensor:
        return self.function(*tensors) * (self.drift if torch.compiler.is_exporting() else 1.0)


def save(
    path: Path, function: Any, *, drift: float = 1.0, item: Any = None, **options: Any
) -> si.Bundle:
    inputs = [item or si.ScalarInput("x", columns=COLUMNS)]
    signature = si.Signature(inputs=inputs, outputs=[options.pop("output", si.Output("y"))])
    return si.save_bundle(path, Function(function, drift), signature=signature, **options)


def of_shares(x: Tensor) -> Tensor:
    return torch.logit(x).mean(1)


def of_sines(x: Tensor) -> Tensor:
    return torch.asin(x).sum(1)


def of_amounts(x: Tensor) -> Tensor:
    return x.log().sum(1)


def of_counts(x: Tensor) -> Tensor:
    return torch.where((x > 0) & (x == x.round()), x, torch.nan).sum(1)


@pytest.mark.parametrize("function", [of_shares, of_sines, of_amounts, of_counts])
def test_a_model_that_answers_nan_to_usual_numbers_is_tried_on_others(
    tmp_path: Path, function: Any
) -> None:
    save(tmp_path / "b", function)
    with pytest.raises(BundleError, match="the stored model answers otherwise"):
        save(tmp_path / "c", function, drift=1.01)

    def beside(x: Tensor) -> Tensor:
        y = function(x)
        return y - y.nanmean()

    with pytest.raises(SignatureError, match="depends on the rows beside it"):
        save(tmp_path / "c", beside)


def test_positions_of_shares_are_tried_too(tmp_path: Path) -> None:
    item = si.RaggedInput("x", column="x", shape=(20,))
    with pytest.raises(SignatureError, match="depends on its padding"):
        save(tmp_path / "b", lambda x, mask: torch.logit(x).flatten(1).mean(1), item=item)


def far_out(x: Tensor) -> Tensor:
    return (x.sum(1) - 1e9).sqrt()


def one_part_is_nan(x: Tensor) -> Tensor:
    return torch.stack([x.sum(1), far_out(x)], 1)


@pytest.mark.parametrize(
    ("function", "output"),
    [
        (far_out, si.Output("y")),
        (one_part_is_nan, si.Output("y", shape=(2,))),
        (one_part_is_nan, si.Output("y", labels=["a", "b"])),
    ],
)
def test_what_is_never_finite_needs_a_sample(tmp_path: Path, function: Any, output: Any) -> None:
    with pytest.raises(SignatureError, match=r"'y' is NaN or infinite for the .*pass sample=ROWS"):
        save(tmp_path / "b", function, output=output)
    low, high = ({name: [value, 2 * value] for name in COLUMNS} for value in (1.0, 1e9))
    with pytest.raises(SignatureError, match="for each row of the sample"):
        save(tmp_path / "b", function, output=output, sample=low)
    save(tmp_path / "b", function, output=output, sample=high)
    with pytest.raises(BundleError, match="the stored model answers otherwise"):
        save(tmp_path / "c", function, output=output, sample=high, drift=1.01)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_a_constant_needs_a_sample(tmp_path: Path, dtype: str) -> None:
    output = si.Output("y", dtype=dtype)

    class Constant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.ones(x.shape[0], dtype=getattr(torch, dtype))

    signature = si.Signature(inputs=[si.ScalarInput("x", columns=["a"])], outputs=[output])
    with pytest.raises(SignatureError, match=r"'y' is the same for the random.*pass sample=ROWS"):
        si.save_bundle(tmp_path / "b", Constant(), signature=signature)
    si.save_bundle(tmp_path / "b", Constant(), signature=signature, sample={"a": [1.0, 2.0]})


def test_a_label_that_is_never_chosen_needs_a_sample(tmp_path: Path) -> None:
    def masked(x: Tensor) -> Tensor:
        total = x.sum(1)
        return torch.stack([total, -total, torch.full_like(total, -torch.inf)], 1)

    output = si.Output("y", labels=["a", "b", "c"])
    with pytest.raises(SignatureError, match="pass sample=ROWS"):
        save(tmp_path / "b", masked, output=output)
    sample = {name: [1.0, -2.0] for name in COLUMNS}
    bundle = save(tmp_path / "b", masked, output=output, sample=sample)
    predicted = si.Predictor(si.load_model(bundle), bundle).predict(sample)
    assert predicted["y"].to_pylist() == ["a", "b"]


def test_answers_that_tell_nothing() -> None:
    outputs = [si.Output("a"), si.Output("b", shape=(2,)), si.Output("c", lengths_of="x")]
    nan = np.nan

    def answers(*rows: Any) -> list[list[Any]]:
        return [[np.asarray(value, np.float64) for value in row] for row in rows]

    fine = answers((1.0, [1, 2], [1]), (2.0, [nan, 3], [2, nan]), (nan, [4, nan], [nan]))
    assert silent(fine, outputs) == {}
    assert unknown(fine, outputs) == []
    empty = answers((1.0, [nan, 1], []), (nan, [nan, 2], []), (nan, [nan, 3], []))
    assert silent(empty, outputs) == dict.fromkeys("abc", "NaN or infinite")
    assert unknown(empty, outputs) == ["b", "c"]
    same = answers((1.0, [1, 1], [2]), (1.0, [1, 2], [2, 3]))
    assert silent(same, outputs) == {"a": "the same", "c": "the same"}
