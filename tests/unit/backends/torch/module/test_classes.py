from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch.nn import Bilinear  # noqa: F401 - a bundle may name what a module imported

from spark_infer.backends.module_path import ModulePath
from spark_infer.backends.torch.module.classes import build, load_module
from spark_infer.bundle import Bundle
from spark_infer.errors import BundleError, RuntimeUnavailable
from tests.unit.support.models import HERE, Line, Recurrent

NUMBER = 3.5
ALREADY = Line()


def test_a_module_is_built_from_its_path() -> None:
    model = build(ModulePath(HERE, "Line"), {"weight": 5.0}, (HERE,), where="here")
    assert isinstance(model, Line)
    assert model.weight.item() == 5


@pytest.mark.parametrize(
    ("path", "arguments", "message"),
    [
        ("models", {}, "here: module path 'models' must look like 'package.module:Class'"),
        (":Line", {}, "must look like"),
        (f"{HERE}:Nothing", {}, f"'{HERE}:Nothing' cannot be imported .*has no attribute"),
        (f"{HERE}:Line", {"colour": 1}, r"arguments \{'colour': 1\} \(TypeError: .*'colour'"),
        (f"{HERE}:Recurrent", {"hidden": 0}, r"'hidden': 0\} \(ValueError: .*, at models.py:\d+\)"),
        (f"{HERE}:a.b", {}, "must look like"),
        ("a..b:C", {}, "must look like"),
        ("__main__:C", {}, "is the script that runs now, which no executor can import"),
        (f"{__name__}:make_number", {}, "is no subclass of torch.nn.Module"),
        (f"{__name__}:NUMBER", {}, "is no subclass of torch.nn.Module"),
        (f"{__name__}:Path", {}, "is no subclass of torch.nn.Module"),
        (f"{__name__}:ALREADY", {}, "is no subclass of torch.nn.Module"),
        (f"{__name__}:Bilinear", {}, "is defined in 'torch.nn.modules.linear', which is not in"),
    ],
)
def test_paths_that_make_no_module(path: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        build(ModulePath.parse(path, where="here"), arguments, ("tests", "models"), where="here")


def test_code_that_is_not_here_may_be_elsewhere() -> None:
    path = ModulePath.parse("tests.unit.nowhere:Line", where="here")
    with pytest.raises(RuntimeUnavailable, match=r"cannot be imported here .*spark-submit --py-fi"):
        build(path, {}, ("tests",), where="here")


def test_code_that_fails_when_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for name, text, problem in (
        ("spark_infer_test_raises", "\n1 / 0", r"ZeroDivisionError.*, at spark_infer_test_r.*py:2"),
        ("spark_infer_test_no_python", "def", "SyntaxError: invalid syntax"),
    ):
        (tmp_path / f"{name}.py").write_text(text)
        path = ModulePath.parse(f"{name}:Model", where="here")
        with pytest.raises(BundleError, match=rf"'{name}:Model' cannot be imported \({problem}"):
            build(path, {}, (name,), where="here")


def make_number() -> float:
    raise AssertionError("it was called")


def test_nothing_is_imported_without_leave(recurrent: Bundle) -> None:
    model = {"module": "tests.unit.imported_by_nobody:C", "arguments": {}}
    with pytest.raises(BundleError, match="not in allow_modules"):
        load_module(recurrent.path, model, ())
    with pytest.raises(RuntimeUnavailable, match="cannot be imported"):
        load_module(recurrent.path, model, ("tests.unit.imported_by_nobody",))


def test_a_loaded_module_is_in_evaluation_mode(recurrent: Bundle) -> None:
    model = load_module(recurrent.artifact_path, recurrent.manifest.base.model, (HERE,))
    assert isinstance(model, Recurrent)
    assert not model.training
