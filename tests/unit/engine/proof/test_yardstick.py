from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import spark_infer as si
from spark_infer.engine.proof.yardstick import Slack, Yardstick
from spark_infer.errors import BundleError, SignatureError

RAGGED = si.RaggedInput("x", column="x")
SCALAR = si.ScalarInput("x", columns=["a"])


class Function(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *tensors: Tensor) -> Tensor:
        return self.function(*tensors)


def save(path: Path, function: Any, item: Any, output: Any, **options: Any) -> si.Bundle:
    signature = si.Signature(inputs=[item], outputs=[output])
    return si.save_bundle(path, Function(function), signature=signature, **options)


def amount_and_share(x: Tensor, mask: Tensor) -> Tensor:
    return torch.stack([1e6 + (x * mask).sum(1), torch.sigmoid(x.mean(1))], 1)


def share_of_each_position(x: Tensor, mask: Tensor) -> Tensor:
    share = torch.sigmoid(x - x.mean(1, keepdim=True))
    return torch.stack([1e6 + x, share], 2)


def nested(x: Tensor, mask: Tensor) -> Tensor:
    return amount_and_share(x, mask).unsqueeze(1).expand(-1, 3, -1)


@pytest.mark.parametrize(
    ("function", "output"),
    [
        (amount_and_share, si.Output("y", shape=(2,))),
        (amount_and_share, si.Output("y", labels=["a", "b"])),
        (share_of_each_position, si.Output("y", shape=(2,), lengths_of="x")),
        (nested, si.Output("y", shape=(3, 2))),
    ],
)
def test_small_components_beside_large_ones_are_compared(
    tmp_path: Path, function: Any, output: Any
) -> None:
    with pytest.raises(SignatureError, match="depends on its padding"):
        save(tmp_path / "b", function, RAGGED, output)


def test_a_stored_program_is_compared_component_by_component(tmp_path: Path) -> None:
    def drifts(x: Tensor) -> Tensor:
        share = torch.sigmoid(x.sum(1) * (1.0 if torch.compiler.is_exporting() else -1.0))
        return torch.stack([1e6 + x.sum(1), share], 1)

    with pytest.raises(BundleError, match="the stored model answers otherwise"):
        save(tmp_path / "b", drifts, SCALAR, si.Output("y", shape=(2,)))


def by_time(x: Tensor) -> Tensor:
    return torch.sigmoid((x[:, 0] - 1.5e9) / 1e6)


TIMES = {"a": [1.5e9 + 2e5 * step for step in range(-10, 11)]}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_numbers_in_a_sample_loosen_nothing(tmp_path: Path, dtype: str) -> None:
    item = si.ScalarInput("x", columns=["a"], dtype=dtype)
    output = si.Output("y", dtype=dtype)
    save(tmp_path / "b", by_time, item, output, sample=TIMES)

    def drifts(x: Tensor) -> Tensor:
        return by_time(x) * (1.0 if torch.compiler.is_exporting() else 1.004)

    with pytest.raises(BundleError, match="the stored model answers otherwise"):
        save(tmp_path / "c", drifts, item, output, sample=TIMES)

    def beside(x: Tensor) -> Tensor:
        return by_time(x) + 0.01 * (by_time(x).mean() - by_time(x))

    with pytest.raises(SignatureError, match="depends on the rows beside it"):
        save(tmp_path / "c", beside, item, output, sample=TIMES)


def test_sums_of_large_numbers_may_round(tmp_path: Path) -> None:
    layer = nn.Linear(200, 1)

    def cancels(x: Tensor, mask: Tensor) -> Tensor:
        total = (x * mask.unsqueeze(-1)).sum(1) + 1e5
        apart = total - total.mean(1, keepdim=True)
        return layer(apart / apart.std(1, keepdim=True) * 100)[:, 0]

    item = si.RaggedInput("x", column="x", shape=(200,))
    rows = np.random.default_rng(1).normal(0, 1e5, (6, 7, 200)).tolist()
    save(tmp_path / "b", cancels, item, si.Output("y"), sample={"x": rows})


@pytest.mark.parametrize("dtype", [torch.float8_e5m2, torch.float8_e4m3fn])
def test_a_type_that_only_stores_loosens_nothing(tmp_path: Path, dtype: torch.dtype) -> None:
    class Stores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("table", torch.zeros(2).to(dtype))

        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            return x.mean(1) + self.table.float().sum()

    signature = si.Signature(inputs=[RAGGED], outputs=[si.Output("y")])
    with pytest.raises(SignatureError, match="depends on its padding"):
        si.save_bundle(tmp_path / "b", Stores(), signature=signature)


def test_each_component_has_its_own_size() -> None:
    outputs = [si.Output("v", shape=(2,)), si.Output("n", dtype="int64")]
    answers = [[np.array([1e6, 0.5 + k / 10]), np.array(k)] for k in range(5)]
    yardstick = Yardstick.of(answers, outputs, 1e-4)
    one = answers[0]
    assert [size.tolist() for size in yardstick.sizes] == [[1e6, pytest.approx(0.7)], [2.5]]
    assert yardstick.difference(one, [np.array([1e6 + 90, 0.5]), one[1]], outputs) is None
    other = [np.array([1e6, 0.501]), one[1]]
    assert yardstick.difference(one, other, outputs) == ("v", "0.5", "0.501")
    slack = Slack([np.array([0.0, 0.01]), np.array([0.0])])
    assert yardstick.difference(one, other, outputs, slack) is None
    assert yardstick.difference(one, [one[0], np.array(1)], outputs, slack) == ("n", "0", "1")


@pytest.mark.parametrize(
    ("got", "is_same"), [(np.nan, True), (np.inf, False), (0.5, True), (0.6, False)]
)
def test_of_infinities_only_numbers_count(got: float, is_same: bool) -> None:
    outputs = [si.Output("v")]
    one, other = [np.array(0.5)], [np.array(got)]
    yardstick = Yardstick.of([one], outputs, 1e-4)
    slack = Slack([np.zeros(1)], is_infinite=True)
    assert (yardstick.difference(one, other, outputs, slack) is None) is is_same
    assert (yardstick.difference(one, other, outputs) is None) is (got == 0.5)


def rate(x: Tensor, mask: Tensor) -> Tensor:
    return torch.sigmoid((x * mask).sum(1).clamp(-5, 5) / x.shape[1] - 12)


def loss(x: Tensor, mask: Tensor) -> Tensor:
    return torch.stack([x.sum(1), (x * mask).sum(1).clamp(-5, 5) / x.shape[1] * 1e-5], 1)


@pytest.mark.parametrize(
    ("function", "output"), [(rate, si.Output("y")), (loss, si.Output("y", shape=(2,)))]
)
def test_small_answers_are_compared_as_large_ones_are(
    tmp_path: Path, function: Any, output: Any
) -> None:
    with pytest.raises(SignatureError, match="depends on its padding"):
        save(tmp_path / "b", function, RAGGED, output)


def test_a_stored_program_of_small_answers_is_compared(tmp_path: Path) -> None:
    def drifts(x: Tensor) -> Tensor:
        return x.sum(1).sigmoid() * (2e-5 if torch.compiler.is_exporting() else 1e-5)

    with pytest.raises(BundleError, match="the stored model answers otherwise"):
        save(tmp_path / "b", drifts, SCALAR, si.Output("y"))


@pytest.mark.parametrize("scale", [1e-3, 1e-2, 0.1])
def test_what_is_left_of_numbers_that_cancel_may_round(tmp_path: Path, scale: float) -> None:
    torch.manual_seed(3)
    layer = nn.Linear(64, 64)

    def cancels(x: Tensor, mask: Tensor) -> Tensor:
        hidden = layer((x * mask.unsqueeze(-1)).sum(1)) * scale
        return (hidden - hidden.mean(1, keepdim=True)).mean(1)

    save(tmp_path / "b", cancels, si.RaggedInput("x", column="x", shape=(64,)), si.Output("y"))


def test_a_small_component_may_lose_a_fiftieth_of_its_size() -> None:
    outputs = [si.Output("v")]
    yardstick = Yardstick.of([[np.array(1e-3)], [np.array(1.1e-3)]], outputs, 1e-4)
    assert yardstick.difference([np.array(1e-3)], [np.array(1.01e-3)], outputs) is None
    assert yardstick.difference([np.array(1e-3)], [np.array(1.03e-3)], outputs) is not None
    small = Yardstick.of([[np.array(1e-9)]], outputs, 1e-4)
    assert small.difference([np.array(1e-9)], [np.array(9e-7)], outputs) is None
    assert small.difference([np.array(1e-9)], [np.array(2e-6)], outputs) is not None


@pytest.mark.parametrize("apart", [1e-3, 1e-2])
def test_of_what_is_far_from_zero_the_distances_from_each_other_count(
    tmp_path: Path, apart: float
) -> None:
    def time_of(x: Tensor, mask: Tensor) -> Tensor:
        missing = x.shape[1] - mask.sum(1)
        return 1.6e9 + 1e6 * (torch.sigmoid((x * mask).sum(1)) + apart * missing)

    with pytest.raises(SignatureError, match="depends on its padding"):
        save(tmp_path / "b", time_of, RAGGED, si.Output("y"))


def test_what_rounding_does_to_times_is_allowed(tmp_path: Path) -> None:
    def time_of(x: Tensor, mask: Tensor) -> Tensor:
        return 1.6e9 + 1e6 * torch.sigmoid((x * mask).sum(1))

    save(tmp_path / "b", time_of, RAGGED, si.Output("y"))


def test_a_center_needs_values_and_distance() -> None:
    output = [si.Output("y")]
    times = [[np.array([1.6e9 + 1000.0 * number])] for number in range(9)]
    assert Yardstick.of(times, output, 1e-4).centers[0] == [1.6e9 + 4000]
    assert Yardstick.of(times[:5], output, 1e-4).centers[0] == [0]
    assert Yardstick.of([[np.array([1.6e9])]] * 9, output, 1e-4).centers[0] == [0]
    near = [[np.array([10.0 + number])] for number in range(9)]
    assert Yardstick.of(near, output, 1e-4).centers[0] == [0]


def test_numbers_that_differ_in_their_last_digits_are_told_with_these() -> None:
    times = [[np.array([1.6e9 + 10.0 * number])] for number in range(9)]
    output = [si.Output("y")]
    found = Yardstick.of(times, output, 1e-4).difference(
        [np.array([1_600_000_040.0])], [np.array([1_600_020_040.0])], output
    )
    assert found == ("y", "1.6e+09", "1.60002e+09")
    close = Yardstick(1e-9, [np.ones(1)]).difference(
        [np.array([1_600_000_040.0])], [np.array([1_600_000_050.0])], output
    )
    assert close == ("y", "1600000040", "1600000050")
