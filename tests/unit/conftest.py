from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from spark_infer.bundle import Bundle

for name, max_examples in {"unit": 60, "thorough": 3000}.items():
    settings.register_profile(
        name,
        max_examples=max_examples,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unit"))


@pytest.fixture(scope="session")
def fraud(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """An exported model with scalar and ragged inputs and outputs. Do not write to it."""
    from tests.unit.support.models import save_fraud

    return save_fraud(tmp_path_factory.mktemp("bundles") / "fraud")


@pytest.fixture(scope="session")
def recurrent(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A GRU in module format. Do not write to it."""
    from tests.unit.support.models import save_recurrent

    return save_recurrent(tmp_path_factory.mktemp("bundles") / "recurrent")


@pytest.fixture
def fraud_copy(fraud: Bundle, tmp_path: Path) -> Bundle:
    """A copy of the exported model to damage."""
    return Bundle.load(shutil.copytree(fraud.path, tmp_path / "copy"))


@pytest.fixture
def recurrent_copy(recurrent: Bundle, tmp_path: Path) -> Bundle:
    """A copy of the GRU to damage."""
    return Bundle.load(shutil.copytree(recurrent.path, tmp_path / "copy"))
