from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from spark_infer.backends.torch.module.classes import load_module
from spark_infer.backends.torch.program.graph import load_program
from spark_infer.backends.torch.weights import assign_weights, map_weights, save_weights
from spark_infer.bundle import Bundle
from spark_infer.errors import BundleError
from tests.unit.support.models import HERE

MAPS = Path("/proc/self/maps")


def mapped_ranges(path: Path) -> list[range]:
    """Return the addresses at which this process maps a file."""
    ranges = []
    for line in MAPS.read_text().splitlines():
        if line.endswith(str(path)):
            start, stop = line.split()[0].split("-")
            ranges.append(range(int(start, 16), int(stop, 16)))
    return ranges


@pytest.mark.skipif(not MAPS.exists(), reason="needs /proc")
@pytest.mark.parametrize("kind", ["fraud", "recurrent"])
def test_weights_are_mapped_and_not_copied(kind: str, request: pytest.FixtureRequest) -> None:
    bundle: Bundle = request.getfixturevalue(kind)
    if kind == "fraud":
        model = load_program(bundle.artifact_path, "cpu", 3)
    else:
        model = load_module(bundle.artifact_path, bundle.manifest.base.model, (HERE,))
    ranges = mapped_ranges(bundle.artifact_path / "weights.safetensors")
    parameters = dict(model.named_parameters())
    assert parameters
    for name, parameter in parameters.items():
        assert any(parameter.data_ptr() in addresses for addresses in ranges), name


def test_tied_and_transposed_weights_survive(tmp_path: Path) -> None:
    values = torch.arange(6.0).reshape(2, 3)
    state = {"a": values, "tied": values, "turned": values.T, "none": torch.zeros(0)}
    save_weights(tmp_path, state)
    mapped = map_weights(tmp_path)
    assert mapped.keys() == state.keys()
    assert all(mapped[name].equal(tensor) for name, tensor in state.items())


@pytest.mark.parametrize("shape", [(), (2, 3)])
def test_booleans_are_of_two_bytes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    save_weights(tmp_path, {"w": torch.ones(3), "seen": torch.ones(shape, dtype=torch.bool)})
    assert map_weights(tmp_path)["seen"].all()
    path = tmp_path / "weights.safetensors"
    data = path.read_bytes()
    header = int.from_bytes(data[:8], "little") + 8
    start = header + json.loads(data[8:header])["seen"]["data_offsets"][0]
    path.write_bytes(data[:start] + b"\x02" + data[start + 1 :])
    with pytest.raises(BundleError, match="holds 'seen', whose bytes are no booleans"):
        map_weights(tmp_path)


def test_numbers_that_torch_does_not_compute_with(tmp_path: Path) -> None:
    kind = {"dtype": "F4", "shape": [8, 8], "data_offsets": [0, 32]}
    header = json.dumps({"w": kind}).encode()
    path = tmp_path / "weights.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(32))
    with pytest.raises(BundleError, match=r"holds 'w' of torch.float4\w+, with which torch"):
        map_weights(tmp_path)


@pytest.mark.parametrize("dtype", ["float8_e5m2", "float8_e4m3fn", "uint16", "complex64", "int8"])
def test_numbers_of_odd_types(tmp_path: Path, dtype: str) -> None:
    weights = torch.ones(3).to(getattr(torch, dtype))
    save_weights(tmp_path, {"w": weights})
    assert map_weights(tmp_path)["w"].dtype is getattr(torch, dtype)


def test_a_model_without_weights(tmp_path: Path) -> None:
    save_weights(tmp_path, {})
    assert map_weights(tmp_path) == {}
    assign_weights(nn.ReLU(), tmp_path)


@pytest.mark.parametrize(
    "state",
    [{}, {"weight": torch.zeros(1, 3)}, {"weight": torch.zeros(1, 2), "bias": torch.zeros(1)}],
    ids=["missing", "shape", "unexpected"],
)
def test_weights_of_another_model_are_refused(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    save_weights(tmp_path, state)
    with pytest.raises(BundleError, match="the weights do not fit the model"):
        assign_weights(nn.Linear(2, 1, bias=False), tmp_path)


def test_weights_of_a_type_that_has_no_place_are_named(tmp_path: Path) -> None:
    state = {"w": torch.zeros(2, dtype=torch.complex128)}
    with pytest.raises(BundleError, match=r"weights of type torch.complex128 cannot be stored"):
        save_weights(tmp_path, state)


@pytest.mark.parametrize("kind", ["fraud", "recurrent"])
def test_every_file_can_be_read_by_others(kind: str, request: pytest.FixtureRequest) -> None:
    bundle: Bundle = request.getfixturevalue(kind)
    modes = {name: (bundle.path / name).stat().st_mode & 0o044 for name in bundle.files}
    assert set(modes.values()) == {0o044}, modes
