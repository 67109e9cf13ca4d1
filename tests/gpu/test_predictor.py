from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import spark_infer as si
from spark_infer.backends import load_backend
from spark_infer.bundle import Bundle
from spark_infer.errors import RuntimeUnavailable
from tests.unit.support.models import HERE, fraud_rows, save_fraud, save_recurrent, visits

TOLERANCES = {"float32": 1e-5, "bfloat16": 2e-2, "float16": 3e-3}


@pytest.fixture(scope="module")
def fraud(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return save_fraud(tmp_path_factory.mktemp("bundles") / "fraud")


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return save_recurrent(tmp_path_factory.mktemp("bundles") / "recurrent")


def predict(bundle: Bundle, rows: Any, batch_size: int = 64, **options: Any) -> list[dict]:
    backend = load_backend(bundle, si.ModelOptions(**options), allow_modules=(HERE,))
    batch = si.BatchOptions(batch_size=batch_size)
    return si.Predictor(si.LocalModel(backend), bundle, batch).predict(rows).to_pylist()


def assert_close(found: list[dict], expected: list[dict], tolerance: float) -> None:
    assert len(found) == len(expected)
    for row, wanted in zip(found, expected, strict=True):
        assert row.keys() == wanted.keys()
        assert row["rejected_reason"] == wanted["rejected_reason"]
        for name in row.keys() - {"rejected_reason"}:
            assert row[name] == pytest.approx(wanted[name], abs=tolerance, rel=tolerance), name


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
@pytest.mark.parametrize("precision", TOLERANCES)
@pytest.mark.parametrize("batch_size", [1, 64])
def test_an_exported_model_predicts_as_on_the_cpu(
    fraud: Bundle, device: str, precision: Any, batch_size: int
) -> None:
    rows = fraud_rows(100)
    found = predict(fraud, rows, batch_size, device=device, precision=precision)
    assert_close(found, predict(fraud, rows), TOLERANCES[precision])


@pytest.mark.parametrize("precision", TOLERANCES)
def test_a_recurrent_module_predicts_as_on_the_cpu(recurrent: Bundle, precision: Any) -> None:
    rows = visits(*range(8), 0, 1)
    found = predict(recurrent, rows, device="cuda:0", precision=precision)
    assert_close(found, predict(recurrent, rows), TOLERANCES[precision])


@pytest.mark.fresh_process
def test_a_module_of_an_exportable_model_predicts_as_on_the_cpu(tmp_path: Path) -> None:
    bundle = save_fraud(tmp_path / "module", format="module", module=f"{HERE}:Fraud")
    rows = fraud_rows(50)
    assert_close(predict(bundle, rows, device="cuda:0"), predict(bundle, rows), 1e-5)


def test_the_weights_are_on_the_device(fraud: Bundle) -> None:
    before = torch.cuda.memory_allocated()
    backend = load_backend(fraud, si.ModelOptions(device="cuda:0"))
    assert torch.cuda.memory_allocated() > before
    del backend


def test_a_device_that_is_not_there(fraud: Bundle) -> None:
    count = torch.cuda.device_count()
    with pytest.raises(RuntimeUnavailable, match=f"'cuda:{count}' is not there.*sees {count} CUDA"):
        load_backend(fraud, si.ModelOptions(device=f"cuda:{count}"))
