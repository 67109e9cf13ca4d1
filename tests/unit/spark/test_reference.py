"""What a task makes of the reference that it gets: version, device, threads, learned sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import spark_infer as si
from spark_infer.errors import RuntimeUnavailable
from spark_infer.metrics import Metrics
from spark_infer.runtime import models, pack
from spark_infer.spark import reference as module
from spark_infer.spark.reference import BundleReference
from tests.unit.support.models import LINE_SIGNATURE, Line


class Archive:
    """A broadcast that has arrived."""

    def __init__(self, value: bytes) -> None:
        self.value = value


class Resource:
    def __init__(self, addresses: list[str]) -> None:
        self.addresses = addresses


class Task:
    """A task of Spark, as far as a reference looks at it."""

    def __init__(self, cpus: int, gpus: list[str] | None = None) -> None:
        self._cpus = cpus
        self._gpus = gpus

    def cpus(self) -> int:
        return self._cpus

    def resources(self) -> dict[str, Resource]:
        return {} if self._gpus is None else {"gpu": Resource(self._gpus)}


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> si.Bundle:
    monkeypatch.setenv("SPARK_INFER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(models, "_models", type(models._models)())
    return si.save_bundle(tmp_path / "bundle", Line(), signature=LINE_SIGNATURE)


def refer(bundle: si.Bundle, options: si.BatchOptions | None = None, **changes: Any) -> Any:
    given = {
        "digest": bundle.digest,
        "archive": Archive(pack(bundle)),
        "options": options or si.BatchOptions(),
        "allow_modules": (),
        "version": si.__version__,
        "stochastic": False,
    }
    return BundleReference(**(given | changes))


def run_in(monkeypatch: pytest.MonkeyPatch, task: Task | None) -> None:
    monkeypatch.setattr(module.TaskContext, "get", lambda: task)


def test_another_version_on_the_executor_is_told(bundle: si.Bundle) -> None:
    with pytest.raises(RuntimeUnavailable, match=r"the driver runs spark_infer 0\.0\.1, this exec"):
        refer(bundle, version="0.0.1").predictor(bundle.signature, (), Metrics())


@pytest.mark.parametrize(
    ("device", "gpus", "wanted"),
    [
        ("cuda", ["3"], "cuda:3"),
        ("cuda", ["0", "1"], "cuda:0"),
        ("cuda", None, "cuda"),
        ("cuda:1", ["3"], "cuda:1"),
        ("cpu", ["3"], "cpu"),
    ],
)
def test_a_task_uses_the_gpu_that_spark_gave_it(
    bundle: si.Bundle,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    gpus: list[str] | None,
    wanted: str,
) -> None:
    asked = []

    def load(digest: str, open_bundle: Any, options: si.ModelOptions, **_: Any) -> Any:
        asked.append(options.device)
        raise RuntimeUnavailable("no device here")

    monkeypatch.setattr(module, "shared_model", load)
    run_in(monkeypatch, Task(1, gpus))
    with pytest.raises(RuntimeUnavailable, match="no device here"):
        refer(bundle, si.BatchOptions(device=device)).predictor(bundle.signature, (), Metrics())
    assert asked == [wanted]


@pytest.mark.parametrize(("threads", "wanted"), [(None, 2), (1, 1)])
def test_a_batch_has_the_threads_of_its_task(
    bundle: si.Bundle, monkeypatch: pytest.MonkeyPatch, threads: int | None, wanted: int
) -> None:
    seen = []
    monkeypatch.setattr(torch, "set_num_threads", seen.append)
    run_in(monkeypatch, Task(2))
    options = si.BatchOptions(threads=threads)
    predictor = refer(bundle, options).predictor(bundle.signature, (), Metrics())
    assert predictor.predict({"a": [1.0, 2.0]})["y"].to_pylist() == [2.0, 4.0]
    assert seen
    assert set(seen) == {wanted}


def test_tasks_learn_from_each_other_across_processes(
    bundle: si.Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run_in(monkeypatch, Task(1))
    first = refer(bundle).predictor(bundle.signature, (), Metrics())
    rows = {"a": [float(row) for row in range(20_000)]}
    for _ in first.stream([rows] * 30):
        pass
    assert first.metrics.learned
    # As in a new process: nothing is in memory, and all is in the file.
    monkeypatch.setattr(models, "_models", type(models._models)())
    second = refer(bundle).predictor(bundle.signature, (), Metrics())
    list(second.stream([rows]))
    known, started = first.metrics.learned, second.metrics.learned
    assert {bucket: size.tokens for bucket, size in started.items()}.keys() == known.keys()
    assert min(size.tokens for size in started.values()) > 256
