from __future__ import annotations

import io
import itertools
import json
import logging
import random
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from spark_infer.backends.torch.state import State


class Scale:
    """What a model's code may hold beside modules."""

    def __init__(self) -> None:
        self.mean: Any = None
        self.seen = [1.0]


class Inner(nn.Module):
    shared: ClassVar[dict[str, int]] = {"a": 1}
    count = 0

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0, float("nan")], [3.0, 4.0]]))
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("step", torch.tensor(7))


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Inner()
        self.tied = self.inner.weight
        self.halves = nn.Parameter(torch.ones(3, dtype=torch.bfloat16))
        self.part = torch.arange(12.0).reshape(3, 4)[:, 1:3]
        self.fitted: Any = None
        self.memo: dict[Any, Any] = {"x": torch.ones(2)}
        self.ordered = OrderedDict(a=1, b=2)
        self.last = deque([1, 2], maxlen=2)
        self.names = {"a"}
        self.held = [nn.Linear(1, 1)]
        self.pair = (torch.zeros(1), [0])
        self.array = np.zeros(3)
        self.scale = Scale()
        self.lstm = nn.LSTM(1, 2)


CHANGES: dict[str, tuple[Callable[[Model], object], str]] = {
    "data": (lambda m: m.inner.weight.data.mul_(1 + 1e-6), "tied"),
    "numpy": (lambda m: m.inner.mean.numpy().fill(1), "inner.mean"),
    "number": (lambda m: m.inner.step.data.add_(1), "inner.step"),
    "half": (lambda m: m.halves.data.add_(1), "halves"),
    "other memory": (lambda m: setattr(m.halves, "data", m.halves.data.clone()), "halves"),
    "other type": (lambda m: m.inner.double(), "inner.mean"),
    "other shape": (lambda m: setattr(m.inner.mean, "data", torch.ones(5)), "inner.mean"),
    "resized": (lambda m: m.inner.mean.resize_(100_000), "inner.mean"),
    "replaced buffer": (lambda m: setattr(m.inner, "mean", torch.ones(2)), "inner.mean"),
    "replaced part": (lambda m: setattr(m, "inner", Inner()), "inner"),
    "deleted": (lambda m: delattr(m.inner, "mean"), "inner.mean"),
    "view": (lambda m: m.part.data.zero_(), "part"),
    "attribute": (lambda m: setattr(m, "fitted", torch.ones(2)), "fitted"),
    "new attribute": (lambda m: setattr(m.inner, "cache", 1), "inner.cache"),
    "dict": (lambda m: m.memo.update(y=1), "memo['y']"),
    "in a dict": (lambda m: m.memo["x"].data.zero_(), "memo['x']"),
    "order": (lambda m: m.ordered.update(a=3), "ordered['a']"),
    "deque": (lambda m: m.last.append(3), "last"),
    "set": (lambda m: m.names.add("b"), "names"),
    "held module": (lambda m: m.held[0].weight.data.zero_(), "held[0].weight"),
    "in a tuple": (lambda m: m.pair[1].append(1), "pair[1]"),
    "tensor in a tuple": (lambda m: m.pair[0].data.add_(1), "pair[0]"),
    "array": (lambda m: m.array.fill(2), "array"),
    "object": (lambda m: setattr(m.scale, "mean", 1.0), "scale.mean"),
    "in an object": (lambda m: m.scale.seen.append(1), "scale.seen"),
    "class": (lambda m: setattr(Inner, "count", 2), "inner.count"),
    "dict of a class": (lambda m: Inner.shared.clear(), "inner.shared['a']"),
    "recurrent": (lambda m: m.lstm.weight_hh_l0.data.zero_(), "lstm.weight_hh_l0"),
    "hook": (lambda m: m.register_forward_hook(print), "_forward_hooks"),
}


def described(model: Model) -> str:
    """Return all that the tests change, as text."""
    torch.set_printoptions(precision=9)
    values = [*model.named_parameters(), *model.named_buffers(), model.part, model.fitted]
    values += [model.memo, model.ordered, model.last, model.names, model.pair, model.array]
    values += [model.held[0].weight, vars(model.scale), Inner.count, Inner.shared]
    values += [sorted(vars(model)), sorted(vars(model.inner)), list(model._forward_hooks)]
    return repr(values)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_named_and_undone(change: str) -> None:
    make, name = CHANGES[change]
    model = Model()
    before, parts = described(model), list(model.modules())
    weights = {name: tensor.data_ptr() for name, tensor in model.state_dict().items()}
    state = State(model)
    assert state.changed() == []
    make(model)
    assert any(found.startswith(name) for found in state.changed())
    assert (described(model) != before) == (change != "other memory")
    state.restore()
    assert state.changed() == []
    assert described(model) == before
    assert list(model.modules()) == parts
    if change != "resized":
        assert {name: t.data_ptr() for name, t in model.state_dict().items()} == weights
    assert model.tied is model.inner.weight
    assert model.inner.weight.requires_grad


def test_names_of_weights_are_those_of_the_state_dict() -> None:
    model = Model()
    assert State(model).registered == set(model.state_dict())


def test_what_is_not_the_models_is_left() -> None:
    model = Model()
    model.generator = random.Random(1)
    model.count = itertools.count()
    model.file = io.StringIO()
    model.logger = logging.getLogger("spark_infer.test")
    model.json = json.JSONEncoder()
    state = State(model)
    model.generator.random()
    next(model.count)
    model.file.write("x")
    model.logger.note = 1
    model.json.note = 1
    assert state.changed() == []


def test_a_pending_gradient_survives() -> None:
    model = Model()
    loss = (model.halves * model.halves).sum()
    state = State(model)
    model.halves.data.add_(1)
    state.restore()
    loss.backward()
    assert model.halves.grad is not None
    assert model.halves.grad.tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    "tensor",
    [
        torch.eye(3).to_sparse(),
        torch.ones(2, device="meta"),
        torch.ones(2, dtype=torch.complex64).conj(),
        torch.ones(1).expand(4),
        torch.zeros(0, 3),
        torch.tensor(True),
    ],
    ids=["sparse", "meta", "conjugate", "expanded", "empty", "bool"],
)
def test_every_kind_of_tensor_can_be_held(tensor: torch.Tensor) -> None:
    model = nn.Module()
    model.register_buffer("held", tensor)
    state = State(model)
    assert state.changed() == []
    state.restore()
    assert model.held is tensor


def test_writes_to_a_sparse_tensor_are_counted() -> None:
    model = nn.Module()
    model.register_buffer("held", torch.eye(3).to_sparse())
    state = State(model)
    model.held.mul_(2)
    assert state.changed() == ["held"]
