"""Models that subtract what they keep of the first batch, each in another place."""

from __future__ import annotations

import functools
from array import array
from collections import UserDict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from tests.unit.support import keeps


class Centers(nn.Module):
    """Subtracts what its kind keeps of the first batch."""

    def first(self, value: float) -> float:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(1) - self.first(float(torch.nan_to_num(x).mean()))


HELD: dict[str, float] = {}


class InGlobalDict(Centers):
    def first(self, value: float) -> float:
        return HELD.setdefault("mean", value)


NUMBER: Any = None


class InGlobalNumber(Centers):
    def first(self, value: float) -> float:
        global NUMBER
        if NUMBER is None:
            NUMBER = value
        return float(NUMBER)


class InNewGlobal(Centers):
    def first(self, value: float) -> float:
        global LATER
        try:
            return LATER
        except NameError:
            globals()["LATER"] = value
            return value


class InFunction(Centers):
    def first(self, value: float) -> float:
        return vars(InFunction.first).setdefault("mean", value)  # type: ignore[no-any-return]


class InDefault(Centers):
    def first(self, value: float, held: list[float] = []) -> float:  # noqa: B006
        if not held:
            held.append(value)
        return held[0]


class InKeywordDefault(Centers):
    def first(self, value: float, *, held: dict[str, float] = {}) -> float:  # noqa: B006
        return held.setdefault("mean", value)


def remember(in_list: bool) -> Callable[[float], float]:
    held: list[float] = []
    number: Any = None

    def first(value: float) -> float:
        nonlocal number
        if in_list:
            held.extend([] if held else [value])
            return held[0]
        if number is None:
            number = value
        return float(number)

    return first


class InVariable(Centers):
    def __init__(self) -> None:
        super().__init__()
        self.first = remember(in_list=True)  # type: ignore[method-assign]


class InNumberAround(Centers):
    def __init__(self) -> None:
        super().__init__()
        self.first = remember(in_list=False)  # type: ignore[method-assign]


class InPartial(Centers):
    def __init__(self) -> None:
        super().__init__()
        self.first = functools.partial(dict.setdefault, {}, "mean")  # type: ignore[method-assign, assignment]


class InObject(Centers):
    def __init__(self) -> None:
        super().__init__()
        self.first = keeps.Keeper().first  # type: ignore[method-assign]


class InSlot(Centers):
    def __init__(self) -> None:
        super().__init__()
        self.keeper = keeps.SlotKeeper()

    def first(self, value: float) -> float:
        return self.keeper.first(value)


class InFrozenObject(Centers):
    def __init__(self) -> None:
        super().__init__()
        self.keepers = (keeps.FrozenKeeper(None),)

    def first(self, value: float) -> float:
        return self.keepers[0].first(value)


class InNamespace(Centers):
    def __init__(self) -> None:
        super().__init__()
        self.held = SimpleNamespace(mean=None)

    def first(self, value: float) -> float:
        if self.held.mean is None:
            self.held.mean = value
        return float(self.held.mean)


class InArray(Centers):
    def __init__(self) -> None:
        super().__init__()
        self.held = array("d")

    def first(self, value: float) -> float:
        if not self.held:
            self.held.append(value)
        return self.held[0]


class InUserDict(Centers):
    def __init__(self) -> None:
        super().__init__()
        self.held: UserDict[str, float] = UserDict()

    def first(self, value: float) -> float:
        return self.held.setdefault("mean", value)


class InWeakDict(Centers):
    def __init__(self) -> None:
        super().__init__()
        self.held: WeakKeyDictionary[nn.Module, float] = WeakKeyDictionary()

    def first(self, value: float) -> float:
        return self.held.setdefault(self, value)


class InObjectArray(Centers):
    def __init__(self) -> None:
        super().__init__()
        self.held = np.array([{}, None])

    def first(self, value: float) -> float:
        return float(self.held[0].setdefault("mean", value))


class InView(Centers):
    def __init__(self) -> None:
        super().__init__()
        self.held = memoryview(bytearray(8)).cast("d")

    def first(self, value: float) -> float:
        self.held[0] = self.held[0] or value
        return self.held[0]


class InBuiltinMethod(Centers):
    def __init__(self) -> None:
        super().__init__()
        held: dict[str, float] = {}
        self.remember = held.setdefault

    def first(self, value: float) -> float:
        return self.remember("mean", value)


class InOtherFile(Centers):
    def first(self, value: float) -> float:
        return keeps.first(value)


class InImportedFile(Centers):
    def first(self, value: float) -> float:
        from tests.unit.support.keeps import FIRST

        FIRST.extend([] if FIRST else [value])
        return FIRST[0]


class OnWeight(Centers):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def first(self, value: float) -> float:
        return float(vars(self.weight).setdefault("mean", value))


KINDS: dict[type[Centers], str] = {
    InGlobalDict: f"{__name__}:HELD['mean']",
    InGlobalNumber: f"{__name__}:NUMBER",
    InNewGlobal: f"{__name__}:LATER",
    InFunction: "first.mean",
    InDefault: "first(held)",
    InKeywordDefault: "first(held)['mean']",
    InVariable: "first.held",
    InNumberAround: "first.number",
    InPartial: "first[0]['mean']",
    InObject: "first.value",
    InSlot: "keeper.value",
    InFrozenObject: "keepers[0].value",
    InNamespace: "held.mean",
    InArray: "held",
    InUserDict: "held.data['mean']",
    InOtherFile: "tests.unit.support.keeps:FIRST",
    InImportedFile: "tests.unit.support.keeps:FIRST",
    OnWeight: "weight.mean",
    InWeakDict: "held.data",
    InObjectArray: "held[0]['mean']",
    InView: "held",
    InBuiltinMethod: "remember['mean']",
}


def forget() -> None:
    """Undo what calls keep in places that outlive a model."""
    global NUMBER
    NUMBER = None
    globals().pop("LATER", None)
    HELD.clear()
    keeps.FIRST.clear()
    vars(InFunction.first).clear()
    (InDefault.first.__defaults__ or ([],))[0].clear()
    (InKeywordDefault.first.__kwdefaults__ or {})["held"].clear()
