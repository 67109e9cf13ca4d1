"""Attributes that a bundle does not hold, and that a model has otherwise than a new one."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spark_infer.backends.torch.module.attributes import check_attributes
from spark_infer.errors import BundleError


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.limits = (0.0, 9.0)

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(*self.limits)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Inner()
        self.norm = nn.LayerNorm(2)
        self.bonus: dict[int, Any] = {}
        self.edges = np.array([1.0, np.nan])
        self.shifts = [torch.zeros(2), torch.ones(2)]
        self.closed = frozenset({6})
        self.kernel: Any = (3, 3)
        self.places = {"a": [1, 2], "b": None}
        self.cap = float("nan")
        self.losses: list[float] = []
        self.when = object()
        self.settings = SimpleNamespace(a=1)
        self.register_buffer("table", torch.zeros(5), persistent=False)

    @property
    def _closed(self) -> frozenset[int]:
        return self.closed

    def _more(self, x: Tensor) -> Any:
        read = (self.edges, self.shifts, self._closed, self.kernel, self.when, self.settings)
        return [self.table for _ in read if self.places or self.cap]

    def forward(self, x: Tensor) -> Any:
        return self.norm(self.inner(x)), [self.bonus.get(int(i), 0) for i in x], self._more(x)


def inner_limits(model: Model) -> None:
    model.inner.limits = (0.0, 10.0)


def eps(model: Model) -> None:
    model.norm.eps = 1e-3


def table(model: Model) -> None:
    model.table[3] = 2  # type: ignore[operator]


CHANGES: dict[str, Callable[[Model], Any]] = {
    "inner.limits": inner_limits,
    "norm.eps": eps,
    "table": table,
    "bonus": lambda model: model.bonus.update({57: 5.0}),
    "edges": lambda model: model.edges.__setitem__(0, 2.0),
    "shifts": lambda model: model.shifts[1].mul_(3),
    "closed": lambda model: setattr(model, "closed", frozenset({7})),
    "kernel": lambda model: setattr(model, "kernel", (3, 5)),
    "places": lambda model: model.places.update(a=[1, 3]),
    "cap": lambda model: setattr(model, "cap", 1e30),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_the_code_reads_is_that_of_a_new_one(name: str) -> None:
    model = Model()
    check_attributes(model, Model())
    CHANGES[name](model)
    with pytest.raises(BundleError, match=f"the model's '{name}' is .* in one that is made from"):
        check_attributes(model, Model())


def test_a_list_in_the_place_of_a_tuple_is_the_same() -> None:
    model = Model()
    model.kernel = [3, 3]
    check_attributes(model, Model())


def test_what_the_code_does_not_read_may_be_any() -> None:
    model = Model()
    model.losses += [0.5, 0.25]
    model.best = 3  # type: ignore[assignment]
    check_attributes(model, Model())


class Remembers(nn.Module):
    """Keeps what it made for the longest row, in the ways of rotary positions and of memos."""

    def __init__(self) -> None:
        super().__init__()
        self.longest = 0
        self.memo: dict[int, Tensor] = {}
        self.register_buffer("angles", torch.zeros(0), persistent=False)

    def _grow(self, length: int) -> None:
        self.longest = length
        self.register_buffer("angles", torch.arange(length) / 10, persistent=False)

    def forward(self, x: Tensor) -> Any:
        if x.shape[1] > self.longest:
            self._grow(x.shape[1])
        self.memo.setdefault(x.shape[1], torch.ones(x.shape[1]))
        return x * self.memo[x.shape[1]] * self.angles[: x.shape[1]]


def test_nor_does_what_the_code_itself_keeps_count() -> None:
    model = Remembers()
    model(torch.ones(1, 7))
    check_attributes(model, Remembers())


class Layers(nn.Module):
    """Parts of torch that keep more than their weights."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(
            [
                nn.GRU(3, 3, num_layers=2),
                nn.Dropout(0.1),
                nn.BatchNorm1d(3),
                nn.utils.spectral_norm(nn.Linear(3, 3)),
                nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)),
                nn.TransformerEncoderLayer(4, 2),
            ]
        )
        self.also = [self.parts[2].weight]

    def forward(self, x: Tensor) -> Any:
        return x * self.also[0] if self.training else [part(x) for part in self.parts]


def test_weights_and_the_mode_are_no_attributes() -> None:
    torch.manual_seed(1)
    model = Layers().eval()
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point():
            tensor.data += 1
    check_attributes(model, Layers())
