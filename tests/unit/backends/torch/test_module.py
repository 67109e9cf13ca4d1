from __future__ import annotations

from typing import Any

import pytest

from spark_infer.backends.torch import module as torch_module
from spark_infer.backends.torch.module import build, check_allowed
from spark_infer.bundle import Bundle
from spark_infer.errors import BundleError
from tests.unit.models import HERE, Line, Recurrent

NUMBER = 3.5


def test_a_module_is_built_from_its_path() -> None:
    model = build(f"{HERE}:Line", {"weight": 5.0}, where="here")
    assert isinstance(model, Line)
    assert model.weight.item() == 5


@pytest.mark.parametrize(
    ("path", "arguments", "message"),
    [
        ("models", {}, "here: module path 'models' must look like 'package.module:Class'"),
        (":Line", {}, "must look like"),
        ("tests.unit.nowhere:Line", {}, "cannot be imported here .*spark-submit --py-files"),
        (f"{HERE}:Nothing", {}, f"'{HERE}:Nothing' cannot be imported here"),
        (f"{HERE}:Line", {"colour": 1}, r"does not take \{'colour': 1\}"),
        (f"{__name__}:make_number", {}, "made a float, not a torch module"),
    ],
)
def test_paths_that_make_no_module(path: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        build(path, arguments, where="here")


def make_number() -> float:
    return NUMBER


@pytest.mark.parametrize("allowed", ["a.b", "a", "a.b:C"])
def test_paths_that_are_allowed(allowed: str) -> None:
    check_allowed("a.b:C", ("z", allowed), where="here")


@pytest.mark.parametrize("allowed", ["a.b.c", "a.bb", "b", "", "a.b:CC", "a."])
def test_paths_that_are_not_allowed(allowed: str) -> None:
    with pytest.raises(
        BundleError, match=r"here: it runs code from 'a\.b:C'.*pass allow_modules=\('a\.b',\)"
    ):
        check_allowed("a.b:C", (allowed,), where="here")


def test_nothing_is_imported_without_leave(recurrent: Bundle) -> None:
    model = {"module": "tests.unit.imported_by_nobody:C", "arguments": {}}
    with pytest.raises(BundleError, match="not in allow_modules"):
        torch_module.load(recurrent.path, model, ())
    with pytest.raises(BundleError, match="cannot be imported"):
        torch_module.load(recurrent.path, model, ("tests.unit.imported_by_nobody",))


def test_a_loaded_module_is_in_evaluation_mode(recurrent: Bundle) -> None:
    model = torch_module.load(recurrent.path, recurrent.manifest.model, (HERE,))
    assert isinstance(model, Recurrent)
    assert not model.training
