from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from spark_infer.backends import Backend, load_backend
from spark_infer.engine.proof.checks.fresh import FreshProcess
from spark_infer.report import RunReport
from tests.s3 import Bucket, new_bucket, s3_server
from tests.schema import check_report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the cases nightly that come after the first ones of their test, as it says."""
    cases: Counter[str] = Counter()
    for item in items:
        if mark := item.get_closest_marker("nightly_after"):
            test, _, _ = item.nodeid.partition("[")
            cases[test] += 1
            if cases[test] > mark.args[0]:
                item.add_marker(pytest.mark.nightly)


def pytest_collection_finish() -> None:
    """Leave what imports and collection made out of later garbage collections.

    Giving memory back after an allocation that failed includes one, over millions of such objects.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def no_fresh_process() -> Iterator[None]:
    """Try models of format ``module`` in this process alone: another one takes seconds to begin."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("spark_infer.engine.save.FreshProcess", _load_here)
        yield


@pytest.fixture(autouse=True)
def fresh_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Try them as users do where the test is marked ``fresh_process``."""
    if request.node.get_closest_marker("fresh_process"):
        monkeypatch.setattr("spark_infer.engine.save.FreshProcess", FreshProcess)


@contextmanager
def _load_here(path: Path, allow_modules: Sequence[str]) -> Iterator[Backend]:
    yield load_backend(path, allow_modules=allow_modules)


@pytest.fixture(scope="session")
def s3_port() -> Iterator[int]:
    with s3_server() as port:
        yield port


@pytest.fixture
def bucket(s3_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, and an empty cache."""
    monkeypatch.setenv("SPARK_INFER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return new_bucket(s3_port)


@pytest.fixture(scope="session", autouse=True)
def reports_fit_their_schema() -> Iterator[None]:
    """Hold each report that a test writes against the schema."""
    write = RunReport.write

    def checked(self: RunReport, *arguments: Any, **named: Any) -> Any:
        check_report(self.to_json())
        return write(self, *arguments, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(RunReport, "write", checked)
        yield
