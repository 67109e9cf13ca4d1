from __future__ import annotations

from pathlib import Path

import pytest

from spark_infer.backends.artifact import prepare_artifact
from spark_infer.errors import BundleError
from tests.unit.models import HERE, LINE_SIGNATURE, Line


def test_a_module_is_described_by_its_path_and_arguments(tmp_path: Path) -> None:
    artifact = prepare_artifact(
        Line(), LINE_SIGNATURE, format="module", module=f"{HERE}:Line", arguments={"weight": 1.5}
    )
    assert artifact.description == {"module": f"{HERE}:Line", "arguments": {"weight": 1.5}}
    assert set(artifact.built_with) >= {"python", "torch"}
    artifact.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


def test_an_exported_program_has_no_description(tmp_path: Path) -> None:
    artifact = prepare_artifact(Line(), LINE_SIGNATURE, format="export", module=None, arguments={})
    assert artifact.description == {}
    artifact.write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"program.json", "weights.safetensors"}


@pytest.mark.parametrize("value", [object(), float("inf"), {1}])
def test_arguments_must_be_json(value: object) -> None:
    with pytest.raises(BundleError, match=f"arguments of '{HERE}:Line' must be JSON data"):
        prepare_artifact(
            Line(),
            LINE_SIGNATURE,
            format="module",
            module=f"{HERE}:Line",
            arguments={"weight": value},
        )
