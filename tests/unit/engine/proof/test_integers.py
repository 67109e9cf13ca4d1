"""Integers that nobody has limited: what a model makes of them below and above what is usual."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import spark_infer as si
from spark_infer.bundle import Bundle
from spark_infer.errors import SignatureError


class Function(nn.Module):
    """Calls a function of its tensors."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.function = function
        self.embedding = nn.Embedding(3, 2)

    def forward(self, *tensors: Tensor) -> Tensor:
        return self.function(self, *tensors)


def save(path: Path, function: Any, *inputs: Any, dtype: str) -> Bundle:
    signature = si.Signature(inputs=inputs, outputs=[si.Output("y", dtype=dtype)])
    return si.save_bundle(path / "b", Function(function), signature=signature)


def largest(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return x.amax(1)


def smallest(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return x.amin(1)


def multiplied(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return (x * mask).amax(1)


def near(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return x.masked_fill(~mask, -50).amax(1)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
@pytest.mark.parametrize("function", [largest, smallest, multiplied, near])
def test_what_takes_padding_for_a_number_is_refused(
    tmp_path: Path, function: Any, dtype: str
) -> None:
    with pytest.raises(SignatureError, match="depends on its padding"):
        save(tmp_path, function, si.RaggedInput("x", column="x", dtype=dtype), dtype=dtype)


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (largest, {"dtype": "int64", "pad_value": -7}),
        (smallest, {"dtype": "int64", "pad_value": 1}),
        (smallest, {"dtype": "uint8"}),
        (largest, {"dtype": "int16", "transform": si.RawBytes()}),
    ],
)
def test_nor_may_padding_of_another_value_be(
    tmp_path: Path, function: Any, options: dict[str, Any]
) -> None:
    item = si.RaggedInput("x", column="x", **options)
    with pytest.raises(SignatureError, match="depends on its padding"):
        save(tmp_path, function, item, dtype=item.dtype)


def masked(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return x.masked_fill(~mask, torch.iinfo(x.dtype).min).amax(1)


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (masked, {"dtype": "int8"}),
        (masked, {"dtype": "int64", "pad_value": 5}),
        (largest, {"dtype": "uint8"}),
        (largest, {"dtype": "bool"}),
        (largest, {"dtype": "int32", "pad_value": -(2**31)}),
        (masked, {"dtype": "int16", "transform": si.RawBytes()}),
    ],
)
def test_what_minds_it_is_saved(tmp_path: Path, function: Any, options: dict[str, Any]) -> None:
    item = si.RaggedInput("x", column="x", min_length=1, **options)
    bundle = save(tmp_path, function, item, dtype=item.dtype)
    assert bundle.signature.ragged == (item,)


def embedded(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return (self.embedding(x) * mask.unsqueeze(2)).sum((1, 2))


def coded(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return (nn.functional.one_hot(x, 3) * mask.unsqueeze(2))[..., 1].sum(1).float()


def looked_up(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return (self.embedding.weight[:, 0][x] * mask).sum(1)


@pytest.mark.parametrize("function", [embedded, coded, looked_up])
def test_ids_may_be_limited_by_the_model(tmp_path: Path, function: Any) -> None:
    bundle = save(
        tmp_path, function, si.RaggedInput("x", column="x", dtype="int64"), dtype="float32"
    )
    predicted = si.Predictor(si.load_model(bundle), bundle).predict({"x": [[1, 2], [0], [1]]})
    alone = Function(function)(torch.tensor([[1, 2]]), torch.ones(1, 2, dtype=torch.bool))
    assert predicted["y"][0].as_py() == pytest.approx(alone.item())
    assert predicted.column(1).null_count == 3


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_ids_hide_nothing_of_the_numbers_beside_them(tmp_path: Path, dtype: Any) -> None:
    def beside(self: Function, x: Tensor, mask: Tensor, y: Tensor, other: Tensor) -> Tensor:
        return embedded(self, x, mask) + (y * other).amax(1)

    ids = si.RaggedInput("x", column="x", dtype="int64")
    with pytest.raises(SignatureError, match="depends on its padding"):
        save(tmp_path, beside, ids, si.RaggedInput("y", column="y", dtype=dtype), dtype="float32")


def shares(self: Function, x: Tensor) -> Tensor:
    return (x / x.max().clamp(min=1)).flatten(1).sum(1)


def ages(self: Function, x: Tensor) -> Tensor:
    return (x.amax() - x).flatten(1).sum(1) / 86_400


def scaled_if_large(self: Function, x: Tensor) -> Tensor:
    return torch.where(x.max() > 1, x / 255, x.float()).flatten(1).sum(1)


def places_in_order(self: Function, x: Tensor) -> Tensor:
    seen = torch.arange(-100, 100)[:, None] == x.flatten().clamp(2, 99)
    return (seen.any(1).cumsum(0)[x.clamp(2, 99) + 100]).flatten(1).float().sum(1)


SCALARS = si.ScalarInput("x", columns=["a", "b"], dtype="int64")
ARRAY = si.ArrayInput("x", column="x", shape=[2, 3], dtype="int32")


@pytest.mark.parametrize("item", [SCALARS, ARRAY])
@pytest.mark.parametrize("function", [shares, ages, scaled_if_large, places_in_order])
def test_numbers_of_one_shape_that_count_for_other_rows_are_seen(
    tmp_path: Path, function: Any, item: Any
) -> None:
    with pytest.raises(SignatureError, match="depends on the rows beside it"):
        save(tmp_path, function, item, dtype="float32")


@pytest.mark.parametrize(
    "item",
    [
        si.ScalarInput("x", columns=["x"], dtype="uint8"),
        si.ArrayInput("x", column="x", shape=[4], dtype="uint8", transform=si.RawBytes()),
    ],
)
def test_so_are_those_of_bytes(tmp_path: Path, item: Any) -> None:
    with pytest.raises(SignatureError, match="depends on the rows beside it"):
        save(tmp_path, scaled_if_large, item, dtype="float32")


def rows_of_a_table(self: Function, x: Tensor) -> Tensor:
    return self.embedding(x).flatten(1).sum(1)


@pytest.mark.parametrize("item", [SCALARS, ARRAY])
def test_ids_of_one_shape_may_be_limited_by_the_model(tmp_path: Path, item: Any) -> None:
    bundle = save(tmp_path, rows_of_a_table, item, dtype="float32")
    rows = {"a": [2], "b": [1], "x": [[[2, 1, 0], [0, 1, 2]]]}
    predicted = si.Predictor(si.load_model(bundle), bundle).predict(rows)
    assert predicted.column(1).null_count == 1
