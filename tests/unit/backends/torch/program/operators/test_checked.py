from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from spark_infer.backends.torch.program.operators.admitted import find_operator, find_overload
from spark_infer.backends.torch.program.operators.checked import CHECKED
from spark_infer.errors import PredictionError

LAYERS: dict[str, tuple[type[nn.RNNBase], dict[str, Any]]] = {
    "lstm": (nn.LSTM, {}),
    "gru": (nn.GRU, {}),
    "rnn_tanh": (nn.RNN, {}),
    "rnn_relu": (nn.RNN, {"nonlinearity": "relu"}),
}
SHAPES: list[dict[str, Any]] = [
    {},
    {"bias": False},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
]


def recurrent(name: str, **options: Any) -> tuple[list[Any], torch.Tensor]:
    """Return arguments of a recurrent operator, and what the layer gives."""
    kind, more = LAYERS[name]
    torch.manual_seed(1)
    layer = kind(3, 4, **options, **more).eval()
    x = torch.rand(2, 2, 3)
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    out = layer.proj_size or 4
    states: Any = torch.rand(count, 2, out)
    if name == "lstm":
        states = [states, torch.rand(count, 2, 4)]
    arguments = [x, states, list(layer._flat_weights), layer.bias, layer.num_layers, 0.0, False]
    expected = layer(x, tuple(states) if name == "lstm" else states)[0]
    return [*arguments, layer.bidirectional, layer.batch_first], expected


CASES = [
    *((name, options) for name in LAYERS for options in SHAPES),
    ("lstm", {"proj_size": 2, "num_layers": 2, "bidirectional": True}),
]


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize(("name", "options"), CASES)
def test_recurrent_layers_are_as_torchs_own(name: str, options: dict[str, Any]) -> None:
    arguments, expected = recurrent(name, **options)
    assert find_operator(f"aten.{name}.input")(*arguments)[0].equal(expected)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize(("name", "options"), CASES)
def test_recurrent_layers_whose_sizes_do_not_fit(name: str, options: dict[str, Any]) -> None:
    run = find_operator(f"aten.{name}.input")
    arguments, _ = recurrent(name, **options)
    for place, weight in enumerate(arguments[2]):
        weights = list(arguments[2])
        for odd in (weight[:1], weight.flatten(), weight[..., :1], weight[:0], weight.double()):
            if odd.dtype != weight.dtype or odd.shape != weight.shape:
                weights[place] = odd
                with pytest.raises(PredictionError, match=f"{name!r}, which takes weights of"):
                    run(arguments[0], arguments[1], weights, *arguments[3:])
    for weights in (arguments[2][:-1], arguments[2] * 2, []):
        with pytest.raises(PredictionError, match="which takes weights of the shapes"):
            run(arguments[0], arguments[1], weights, *arguments[3:])
    states = arguments[1] if name == "lstm" else [arguments[1]]
    for place, state in enumerate(states):
        for odd in (state[:, :1], state[..., :1], state[:0], state[0], state.repeat(1, 2, 1)):
            changed = [*states[:place], odd, *states[place + 1 :]]
            with pytest.raises(PredictionError, match="which takes"):
                run(arguments[0], changed if name == "lstm" else odd, *arguments[2:])
    for x in (arguments[0][..., :1], arguments[0][0], arguments[0].double()):
        with pytest.raises(PredictionError, match="which takes"):
            run(x, *arguments[1:])


def test_attention_needs_a_value_for_each_key() -> None:
    run = find_operator("aten.scaled_dot_product_attention.default")
    q, k = torch.rand(2, 4, 5, 8), torch.rand(2, 2, 6, 8)
    expected = nn.functional.scaled_dot_product_attention(q, k, k, enable_gqa=True)
    assert run(q, k, k, enable_gqa=True).equal(expected)
    for values in (k[:, :, :2], k.repeat(1, 1, 2, 1), k[:, :1], k[:1]):
        with pytest.raises(PredictionError, match="which takes as many"):
            run(q, k, values, enable_gqa=True)
    with pytest.raises(PredictionError, match="which takes as many values as keys"):
        run(q, k[:, :1], k[:, :1, :2])
    with pytest.raises(PredictionError, match="which takes tensors of positions"):
        run(q[0, 0, 0], k, k)


def test_a_loss_needs_a_target_for_each_number() -> None:
    run = find_operator("aten.binary_cross_entropy.default")
    x = torch.full((1, 3), 0.5)
    assert run(x, x, None, 0).equal(nn.functional.binary_cross_entropy(x, x, reduction="none"))
    for target in (x[:0], x[0], x[:, :1], x.repeat(2, 1)):
        with pytest.raises(PredictionError, match="a target of the input's shape"):
            run(x, target, None, 0)


BAGS = [[0, 2, 2, 5], [0], [0, 0, 7]]


@pytest.mark.parametrize("offsets", BAGS)
@pytest.mark.parametrize("mode", [0, 1, 2])
def test_bags_are_as_torchs_own(offsets: list[int], mode: int) -> None:
    name = "aten.embedding_bag.padding_idx"
    own = find_overload(name)
    assert own is not None
    table, places = torch.rand(6, 3), torch.tensor([0, 5, 1, 2, 2, 3, 4])
    arguments = [table, places, torch.tensor(offsets), False, mode, False, None, False, None]
    results = zip(find_operator(name)(*arguments), own(*arguments), strict=True)
    assert all(found.equal(expected) for found, expected in results)


@pytest.mark.parametrize(
    ("places", "offsets", "last", "message"),
    [
        ([0, 1, 2], [0, -1, 2], False, "offsets in ascending order"),
        ([0, 1, 2], [0, 2, 1], False, "offsets in ascending order"),
        ([0, 1, 2], [0, 4], False, "offsets in ascending order"),
        ([0, 1, 2], [0, 2**40], True, "offsets in ascending order"),
        ([0, 6, 2], [0, 2], False, "indices from 0 to 5"),
        ([0, -1, 2], [0, 2], False, "indices from 0 to 5"),
        ([0, 1, 2], [], False, "a bag or more"),
        ([0, 1, 2], [0], True, "a bag or more"),
        ([[0, 1, 2]], [0], False, "in a row each"),
        ([0.0, 1.0], [0], False, "in whole numbers"),
    ],
)
@pytest.mark.parametrize("mode", [0, 1, 2])
def test_bags_of_nothing_that_is_there(
    places: Any, offsets: list[int], last: bool, message: str, mode: int
) -> None:
    run = find_operator("aten.embedding_bag.padding_idx")
    starts = torch.tensor(offsets, dtype=torch.int64)
    with pytest.raises((PredictionError, RuntimeError), match=message):
        run(torch.rand(6, 3), torch.tensor(places), starts, False, mode, False, None, last, None)


def test_eigenvalues_of_finite_numbers() -> None:
    run = find_operator("aten.linalg_eigvals.default")
    x = torch.tensor([[2.0, 0.0], [1.0, 3.0]])
    assert sorted(run(x).real.tolist()) == [2.0, 3.0]
    with pytest.raises(RuntimeError, match="takes finite numbers"):
        run(torch.tensor([[torch.nan, 1.0], [1.0, torch.inf]]))


def test_each_check_stands_before_an_operator_that_is_admitted() -> None:
    for name, function in CHECKED.items():
        assert find_operator(name) is function


@pytest.mark.processes
def test_odd_calls_give_the_same_whatever_lies_in_memory_and_change_nothing() -> None:
    script = Path(__file__).with_name("odd_calls.py")
    root = Path(__file__).parents[6]
    started = [
        subprocess.Popen(
            [sys.executable, str(script), "4"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "MALLOC_PERTURB_": fill, "PYTHONPATH": str(root)},
            text=True,
        )
        for fill in ("85", "170")
    ]
    first, second = (process.communicate()[0].splitlines() for process in started)
    assert [process.returncode for process in started] == [0, 0], (first[-1], second[-1])
    assert first == second
    outcomes = [line.split()[-1] for line in first]
    assert sum(len(outcome) == 32 for outcome in outcomes) > 1000
    assert outcomes.count("refused") > 100
    assert [line for line in first if line.endswith("wrote")] == []
    assert outcomes.count("rejected") > 50
