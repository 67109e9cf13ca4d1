from __future__ import annotations

from typing import Any

import pytest
import torch

from spark_infer.backends.torch.program.operators.admitted import find_overload
from spark_infer.backends.torch.program.operators.arguments import CHOICES, check_call
from spark_infer.backends.torch.program.program import Node
from spark_infer.errors import BundleError
from tests.unit.backends.torch.program.operators.odd_calls import admitted

SAMPLES: dict[str, Any] = {
    "null": None,
    "flag": False,
    "whole": 1,
    "number": 1.5,
    "text": "sum",
    "float": {"float": "nan"},
    "node": {"node": "x"},
    "dtype": {"dtype": "float32"},
    "layout": {"layout": "strided"},
    "memory_format": {"memory_format": "contiguous_format"},
    "device": {"device": "here"},
    "graph": {"graph": {"inputs": [], "nodes": [], "outputs": []}},
}
"""One of each kind of argument that a program can hold, without lists."""

NUMBERS = {"flag", "whole", "number", "float"}
KINDS: dict[str, set[str]] = {
    "Tensor": {"node"},
    "int": {"whole"},
    "float": {"whole", "number", "float", "node"},
    "number": {*NUMBERS, "node"},
    "bool": {"flag"},
    "str": {"text"},
    "ScalarType": {"dtype"},
    "Layout": {"layout"},
    "MemoryFormat": {"memory_format"},
    "Device": {"device"},
    "Generator": set(),
}


def kinds(name: str, argument: Any, kind: Any) -> set[str]:
    """Return the names of the samples that an argument may be."""
    if kind.kind() == "OptionalType":
        return {"null", *kinds(name, argument, kind.getElementType())}
    if kind.kind() == "ListType":
        return set()
    takes = set(KINDS[str(kind)])
    if kind.kind() == "SymIntType" and argument.name not in CHOICES:
        takes.add("node")
    if str(kind) == "Tensor" and torch._C._should_allow_numbers_as_tensors(name.split(".")[1]):
        takes |= NUMBERS
    return takes


def inner(kind: Any) -> Any:
    while kind.kind() == "OptionalType":
        kind = kind.getElementType()
    return kind.getElementType() if kind.kind() == "ListType" else None


def right(name: str, argument: Any) -> Any:
    if inner(argument.real_type) is not None:
        return []
    return SAMPLES[min(kinds(name, argument, argument.real_type))]


def is_refused(name: str, arguments: list[Any], named: dict[str, Any]) -> bool:
    try:
        check_call(
            Node(name="y", operator=name, arguments=arguments, named=named), find_overload(name)
        )
    except BundleError as error:
        return str(error).startswith(f"operator {name!r} takes ")
    return False


def test_each_argument_of_each_operator_is_of_its_kind_only() -> None:
    tried = 0
    for name, schema in admitted():
        by_place = [argument for argument in schema.arguments if not argument.kwarg_only]
        arguments = [right(name, argument) for argument in by_place]
        named = {
            argument.name: right(name, argument)
            for argument in schema.arguments
            if argument.kwarg_only
        }
        assert not is_refused(name, arguments, named), name
        assert is_refused(name, [*arguments, None], named), name
        assert is_refused(name, arguments, {**named, "more": None}), name
        if by_place and by_place[-1].name != "self":
            assert is_refused(name, arguments, {**named, by_place[-1].name: None}), name
        for place, argument in enumerate(
            [*by_place, *(a for a in schema.arguments if a.kwarg_only)]
        ):
            element = inner(argument.real_type)
            of_list = set() if element is None else kinds(name, argument, element)
            takes = kinds(name, argument, argument.real_type)
            for kind, sample in SAMPLES.items():
                for value, fits in ((sample, kind in takes), ([sample], kind in of_list)):
                    changed = list(arguments)
                    if place < len(arguments):
                        changed[place] = value
                        refused = is_refused(name, changed, named)
                    else:
                        refused = is_refused(name, arguments, {**named, argument.name: value})
                    assert refused is not fits, (name, argument.name, value)
                    tried += 1
    assert tried > 40_000


def test_arguments_without_a_default_are_needed() -> None:
    for name, schema in admitted():
        needed = [argument for argument in schema.arguments if not argument.has_default_value()]
        by_place = [right(name, argument) for argument in needed if not argument.kwarg_only]
        named = {argument.name: right(name, argument) for argument in needed if argument.kwarg_only}
        assert not is_refused(name, by_place, named), name
        if by_place:
            assert is_refused(name, by_place[:-1], named), name


def test_numbers_that_stand_for_a_choice() -> None:
    tried = set()
    for name, schema in admitted():
        for place, argument in enumerate(schema.arguments):
            if argument.name not in CHOICES or "int" not in str(argument.real_type):
                continue
            choices = CHOICES[argument.name]
            right_ones = [right(name, each) for each in schema.arguments if not each.kwarg_only]
            named = {each.name: right(name, each) for each in schema.arguments if each.kwarg_only}
            is_list = inner(argument.real_type) is not None
            for number in (*choices[:3], choices[0] - 1, choices[-1] + 1, 2**62, -(2**62)):
                value = [number, number] if is_list else number
                if argument.kwarg_only:
                    refused = is_refused(name, right_ones, named | {argument.name: value})
                else:
                    right_ones[place] = value
                    refused = is_refused(name, right_ones, named)
                assert refused is (number not in choices), (name, argument.name, number)
            tried.add(argument.name)
    assert tried == CHOICES.keys()


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_numbers_are_of_64_bits(number: int) -> None:
    assert is_refused("aten.select.int", [{"node": "x"}, 0, number], {})


def test_no_bytes_become_booleans_unseen() -> None:
    x = {"node": "x"}
    assert is_refused("aten.view.dtype", [x, {"dtype": "bool"}], {})
    assert not is_refused("aten.view.dtype", [x, {"dtype": "int32"}], {})
    assert not is_refused("aten.to.dtype", [x, {"dtype": "bool"}], {})


BRANCH = SAMPLES["graph"]
X = SAMPLES["node"]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("operator.add", [X, 1]),
        ("operator.getitem", [X, 0]),
        ("builtins.round", [1.5]),
        ("torch.sym_sum", [[X, 1]]),
        ("higher_order.cond", [X, BRANCH, BRANCH, [X]]),
        ("higher_order.wrap_with_set_grad_enabled", [False, BRANCH, X]),
        ("higher_order.wrap_with_autocast", ["cpu", {"dtype": "bfloat16"}, True, None, BRANCH, X]),
    ],
)
def test_calls_of_what_is_not_torchs(name: str, arguments: list[Any]) -> None:
    assert not is_refused(name, arguments, {})
    assert is_refused(name, arguments, {"x": 1})
    for place in range(len(arguments)):
        odd = list(arguments)
        odd[place] = {"layout": "strided"}
        assert is_refused(name, odd, {}), place
        odd[place] = "cpu"
        assert is_refused(name, odd, {}) is (odd != arguments), place


@pytest.mark.parametrize("name", ["aten.batch_norm.default", "aten.instance_norm.default"])
def test_no_flag_by_which_statistics_are_written(name: str) -> None:
    def arguments(mean: Any, variance: Any, switch: object) -> list[Any]:
        return [X, None, None, mean, variance, switch, 0.1, 1e-5, False]

    assert not is_refused(name, arguments(X, X, False), {})
    assert not is_refused(name, arguments(None, None, True), {})
    for statistics in ((X, X), (X, None), (None, X)):
        assert is_refused(name, arguments(*statistics, True), {})
