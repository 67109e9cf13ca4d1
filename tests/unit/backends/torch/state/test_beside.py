"""What lies outside of a model's modules: how far it is followed, and how it is put back."""

from __future__ import annotations

import functools
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spark_infer.backends.torch.state import State, state
from spark_infer.backends.torch.state.places import Items
from tests.unit.support import keeps


class Held:
    """An object that holds another."""

    def __init__(self, inner: Any = None) -> None:
        self.inner = inner


class Model(nn.Module):
    """Refers to an object of the user's."""

    def __init__(self, held: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.held = Held(held)


def test_only_what_changed_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    items = {"a": 1, "b": 2}
    kept = State(Model(items))
    items.update(a=3, c=4)
    assert kept.changed() == ["held.inner['a']", "held.inner['c']"]
    written: list[Any] = []
    put = Items._put

    def noted(self: Items, key: Any, part: Any) -> None:
        written.append(key)
        put(self, key, part)

    monkeypatch.setattr(Items, "_put", noted)
    kept.restore()
    assert items == {"a": 1, "b": 2}
    assert written == ["a"]


class Instances(OrderedDict[str, Any]):
    """Gives an object where a class is, as transformers' table of activations does."""

    def __getitem__(self, key: str) -> Any:
        return super().__getitem__(key)()

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, getattr(value, "made", value))

    def keys(self) -> Any:
        raise AssertionError("it would load them all")


class Doubles(list[int]):
    """Gives what it does not hold."""

    def __iter__(self) -> Any:
        return iter([2 * item for item in super().__iter__()])

    def __getitem__(self, place: Any) -> Any:
        raise AssertionError("not asked for")


class Hides(set[int]):
    """Says that it is empty."""

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0

    def clear(self) -> None:
        raise AssertionError("whoever else uses it would see it empty")


class Sealed(type):
    """Makes classes whose attributes cannot be set."""

    def __setattr__(cls, name: str, value: Any) -> None:
        raise AttributeError(name)


class Shared(metaclass=Sealed):
    """Has an attribute that its objects share."""

    count = 0


def test_containers_are_kept_by_what_they_hold_and_not_by_what_they_give() -> None:
    instances, doubles, hides = Instances(a=dict), Doubles([1, 2]), Hides([3])
    kept = State(Model([instances, doubles, hides]))
    assert kept.changed() == []
    kept.restore()
    OrderedDict.__setitem__(instances, "a", list)
    list.append(doubles, 5)
    set.add(hides, 4)
    assert kept.changed() == [
        "held.inner[0]['a']",
        "held.inner[1]",
        "held.inner[2]",
    ]
    kept.restore()
    assert kept.changed() == []
    assert list(OrderedDict.items(instances)) == [("a", dict)]
    assert instances["a"] == {}
    assert list(list.__iter__(doubles)) == [1, 2]
    assert set.__len__(hides) == 1


def test_a_class_that_lets_nothing_be_set_is_put_back_too() -> None:
    kept = State(Model(Shared()))
    type.__setattr__(Shared, "count", 7)
    kept.restore()
    assert Shared.count == 0


def test_items_keep_their_order() -> None:
    items = OrderedDict(a=1, b=2)
    kept = State(Model(items))
    del items["a"]
    kept.restore()
    assert list(items) == ["a", "b"]


def test_a_long_chain_is_followed_to_its_end() -> None:
    last = chain = Held()
    for _ in range(5_000):
        chain = Held(chain)
    last.inner = chain
    kept = State(Model(chain))
    last.inner = None
    assert len(kept.changed()) == 1
    kept.restore()
    assert last.inner is chain


def test_what_is_too_much_is_left_and_the_rest_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_MOST_BYTES", 1_000)
    monkeypatch.setattr(state, "_MOST_PLACES", 100)
    small, large = np.zeros(10), np.zeros(1_000)
    few, many = [1], [1] * 1_000
    model = Model([large, small, many, few])
    kept = State(model)
    for array in (small, large):
        array.fill(1)
    for items in (few, many):
        items.append(2)
    assert kept.changed() == ["held.inner[1]", "held.inner[3]"]
    kept.restore()
    assert (small.sum(), large.sum(), len(few), len(many)) == (0, 1_000, 1, 1_001)


def test_what_a_model_itself_holds_is_never_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_MOST_BYTES", 0)
    monkeypatch.setattr(state, "_MOST_PLACES", 0)
    model = Model(None)
    model.table = torch.zeros(1_000)
    model.names = {str(number): [number] for number in range(1_000)}
    kept = State(model)
    model.table.add_(1)
    model.names["7"].append(8)
    assert kept.changed() == ["table", "names['7']"]


def test_weights_may_be_forgotten() -> None:
    model = Model(None)
    model.held.inner = nn.Linear(1, 1)
    kept = State(model)
    kept.forget_weights()
    model.weight.data.add_(1)
    model.held.inner.weight.data.zero_()
    assert kept.changed() == ["held.inner.weight"]
    kept.restore()
    assert model.weight.tolist() == [2.0, 2.0]
    assert model.held.inner.weight.item() != 0


def test_what_decorators_and_descriptors_wrap_is_followed() -> None:
    class Decorated(nn.Module):
        @property
        def as_property(self, held: list[int] = []) -> list[int]:  # noqa: B006
            return held

        @functools.cached_property
        def once(self, held: list[int] = []) -> list[int]:  # noqa: B006
            return held

        @classmethod
        def of_class(cls, held: list[int] = []) -> list[int]:  # noqa: B006
            return held

        @staticmethod
        @functools.lru_cache
        def remembered(held: tuple[list[int], ...] = ([],)) -> list[int]:
            return held[0]

        @torch.no_grad()
        def without_gradient(self, held: list[int] = []) -> list[int]:  # noqa: B006
            return held

    model = Decorated()
    kept = State(model)
    lists = [model.as_property, model.once, model.of_class(), Decorated.remembered.__wrapped__()]
    lists.append(model.without_gradient())
    for held in lists:
        held.append(1)
    assert len(set(kept.changed())) == 6
    kept.restore()
    assert lists == [[]] * 5
    assert "once" not in vars(model)


def test_an_empty_slot_and_an_empty_variable_are_empty_again() -> None:
    def around() -> tuple[Any, Any]:
        def fill() -> None:
            nonlocal value
            value = 1

        def read() -> int:
            return value

        if keeps.FIRST:
            value = 0
        return fill, read

    fill, read = around()
    slot = keeps.SlotKeeper()
    model = Model((slot, read))
    kept = State(model)
    fill()
    slot.first(3.0)
    assert kept.changed() == ["held.inner[0].value", "held.inner[1].value"]
    kept.restore()
    assert not hasattr(slot, "value")
    with pytest.raises(NameError):
        read()
