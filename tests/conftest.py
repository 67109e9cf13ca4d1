from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.s3 import Bucket, new_bucket, s3_server


def pytest_collection_finish() -> None:
    """Leave what imports and collection made out of later garbage collections.

    Giving memory back after an allocation that failed includes one, over millions of such objects.
    """
    gc.collect()
    gc.freeze()


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
