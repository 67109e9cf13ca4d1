from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import nn

from spark_infer.backends.formats import Prepared, find_format
from spark_infer.errors import BundleError
from tests.unit.support.models import HERE, LINE_SIGNATURE, Line


def prepare(format: str, **options: Any) -> Prepared:
    given = {"module": None, "arguments": {}, "one_row": False, "shown": ()} | options
    return find_format(format).prepare(Line(), LINE_SIGNATURE, **given)


def test_a_module_is_described_by_its_path_and_arguments(tmp_path: Path) -> None:
    artifact = prepare("module", module=f"{HERE}:Line", arguments={"weight": 1.5})
    assert artifact.description == {"module": f"{HERE}:Line", "arguments": {"weight": 1.5}}
    artifact.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


def test_an_exported_program_has_no_description(tmp_path: Path) -> None:
    artifact = prepare("export")
    assert artifact.description == {}
    artifact.write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"program.json", "weights.safetensors"}


@pytest.mark.parametrize("value", [object(), float("inf"), {1}])
def test_arguments_must_be_json(value: object) -> None:
    with pytest.raises(BundleError, match=f"arguments of '{HERE}:Line' must be JSON data"):
        prepare("module", module=f"{HERE}:Line", arguments={"weight": value})


@pytest.mark.parametrize("format", ["export", "module"])
def test_the_original_is_a_torch_module(format: str) -> None:
    with find_format(format).original(Line(3.0), LINE_SIGNATURE) as original:
        assert original.num_weights == 1
    with pytest.raises(BundleError, match=r"the model must be a torch\.nn\.Module, got type"):
        find_format(format).original(nn.Linear, LINE_SIGNATURE)
